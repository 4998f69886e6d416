"""A workbook against the engine: every stored result, and every value on `NumPy`, with what it should be."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isfinite

from conv_sheet.cells.grid import column_letters, quote
from conv_sheet.network.layout import NUMPY
from conv_sheet.state import Contents
from conv_sheet.xlsx.reader import Stored, contents

TOLERANCE = 1e-9
"""Largest difference that passes, relative to values above 1."""


@dataclass(frozen=True)
class Difference:
    """A cell that does not hold what it should."""

    owner: str
    address: str
    stored: object
    expected: object
    amount: float
    """Size of the difference; infinite where it is not one of numbers."""

    def __str__(self) -> str:
        stored = "is empty" if self.stored is None else f"stores {self.stored!r}"
        return f"{self.address} {stored} and should be {self.expected!r}"


@dataclass(frozen=True)
class Report:
    """The differences of the formulas, by layer and first cell first; those of `NumPy`; and what was compared."""

    formulas: tuple[Difference, ...]
    stale: tuple[Difference, ...]
    owners: tuple[str, ...]
    cells: int

    @property
    def ok(self) -> bool:
        return not self.formulas and not self.stale

    def lines(self, name: str) -> Iterator[str]:
        """The report for a reader: a line for each layer with a difference, then the verdict."""
        width = max(map(len, self.owners))
        for what, where, differences in (("formula", "", self.formulas), ("value", f" on {NUMPY}", self.stale)):
            by_owner: dict[str, list[Difference]] = {}
            for difference in differences:
                by_owner.setdefault(difference.owner, []).append(difference)
            for owner, found in by_owner.items():
                largest = max(difference.amount for difference in found)
                amount = "" if largest == inf else f", largest difference {largest:.3g}"
                plural = "" if len(found) == 1 else "s"
                yield f"{owner:<{width}}  {len(found):,} {what}{plural}{where} wrong{amount}; first: {found[0]}"
        if self.formulas:
            wrong = f"{len(self.formulas):,} of {self.cells:,}"
            yield f"{name}: {wrong} formula cells do not hold what NumPy makes of this file."
        elif self.stale:
            yield (
                f"{name}: all {self.cells:,} formula cells are right, but the sheet {NUMPY} shows what Python made of "
                "an earlier state: press Recompute, or build the workbook again."
            )
        else:
            yield f"{name}: all {self.cells:,} formula cells and every value on {NUMPY} agree with NumPy."


def check(stored: Stored) -> Report:
    """Compare a file with what the engine makes of the picture and the weights in it."""
    held = contents(stored)
    return Report(
        tuple(_formulas(held, stored)),
        tuple(_numpy(held, stored)),
        tuple(stage.name for stage in held.layout.stages),
        sum(cell.formula is not None for page in held.pages() for cell in page.cells.values()),
    )


def _formulas(held: Contents, stored: Stored) -> Iterator[Difference]:
    for page in held.pages():
        values, formulas = stored.values[page.title], stored.formulas[page.title]
        for at, cell in page.cells.items():
            if cell.formula is None:
                continue
            found = values.get(at)
            amount = _amount(found, cell.value)
            address = f"{quote(page.title)}!{column_letters(at[1])}{at[0]}"
            if at not in formulas and cell.owner != "input":
                yield Difference(cell.owner or page.title, address, found, f"={cell.formula}", inf)
            elif amount > TOLERANCE:
                yield Difference(cell.owner or page.title, address, found, cell.value, amount)


def _numpy(held: Contents, stored: Stored) -> Iterator[Difference]:
    for owner, placed in held.owned:
        for block, plane in zip(placed.blocks, placed.planes(held.engine[placed.name]), strict=True):
            for at, expected in block.items(plane):
                found = stored.values[block.sheet].get(at)
                amount = _amount(found, expected)
                if amount > TOLERANCE:
                    address = f"{quote(block.sheet)}!{column_letters(at[1])}{at[0]}"
                    yield Difference(owner, address, found, expected, amount)


def _amount(found: object, expected: object) -> float:
    if isinstance(expected, str) or not isinstance(expected, int | float):
        shown = "" if found is None else found  # so files are read: an empty text is no value
        return 0.0 if shown == expected else inf
    if not isinstance(found, int | float) or not isfinite(found):
        return inf
    return abs(found - expected) / max(1.0, abs(expected))
