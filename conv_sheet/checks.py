"""A workbook against the engine: every stored result, every formula, and every value that the engine has written."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np

from conv_sheet.cells.grid import Placed, column_letters, quote
from conv_sheet.cells.page import Fill, Page
from conv_sheet.cells.semantics import alike
from conv_sheet.cells.tokens import same_formula
from conv_sheet.cells.values import UNKNOWN
from conv_sheet.network.graph import INPUT
from conv_sheet.ops import Array
from conv_sheet.sheets import reading, registry, standing
from conv_sheet.sheets.addresses import TOLERANCE
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.parse import Cells, Shared
from conv_sheet.xlsx.reader import Stored

_MANY = {"formula": "formulas", "value": "values", "number of Python's": "numbers of Python's"}


@dataclass(frozen=True)
class Difference:
    """A cell that does not hold what it should."""

    owner: str
    address: str
    stored: object
    expected: object
    amount: float = inf
    """Size of the difference; infinite where it is not one of numbers."""

    def __str__(self) -> str:
        stored = "is empty" if self.stored is None else f"stores {self.stored!r}"
        if self.stored is UNKNOWN:
            stored = "stores no value"
        return f"{self.address} {stored} and should be {self.expected!r}"


@dataclass(frozen=True)
class Report:
    """What differs: values of formulas, formulas, what the engine wrote; by layer, and first cell first.

    `cells` formulas and their values were compared, and `numbers` of the engine's.
    """

    values: tuple[Difference, ...]
    formulas: tuple[Difference, ...]
    stale: tuple[Difference, ...]
    cells: int
    numbers: int

    @property
    def ok(self) -> bool:
        return not self.values and not self.formulas and not self.stale

    def lines(self, name: str) -> Iterator[str]:
        """The report for a reader: a line for each layer with a difference, then the verdict."""
        kinds = (("formula", self.formulas), ("value", self.values), ("number of Python's", self.stale))
        width = max((len(d.owner) for _, differences in kinds for d in differences), default=0)
        for what, differences in kinds:
            by_owner: dict[str, list[Difference]] = {}
            for difference in differences:
                by_owner.setdefault(difference.owner, []).append(difference)
            for owner, found in by_owner.items():
                largest = max(difference.amount for difference in found)
                amount = "" if largest == inf else f", largest difference {largest:.3g}"
                many = what if len(found) == 1 else _MANY[what]
                yield f"{owner:<{width}}  {len(found):,} {many} wrong{amount}; first: {found[0]}"
        yield f"{name}: {self._verdict()}"

    def _verdict(self) -> str:
        if self.formulas:
            return f"{len(self.formulas):,} of {self.cells:,} formulas are not those that it was built with."
        if self.values:
            wrong = f"{len(self.values):,} of {self.cells:,}"
            return f"all formulas are right, but {wrong} cells do not hold what NumPy makes of this file."
        compared = f"all {self.cells:,} formulas and their values are right"
        if self.stale:
            return (
                f"{compared}, but the workbook shows what Python made of an earlier state: press Recompute, or build "
                "the workbook again."
            )
        return f"{compared}, and all {self.numbers:,} numbers of Python's agree with NumPy."


def check(path: str | Path) -> Report:
    """Compare a file with what the engine makes of the picture and the weights in it, and with the formulas it builds.

    Raises WorkbookError where it is no workbook of ours, or where blocks do not stand where they were built.
    """
    stored = Stored.open(Path(path))
    state = reading.state_of(stored)
    pages = registry.pages(state)
    standing.require(stored, pages)
    found = [cell for page in pages for cell in formula_cells(page, stored.sheet(page.title))]
    owned = registry.engine_blocks(state)
    stale = [difference for block in owned for difference in _stale(state, stored, *block)]
    numbers = sum(value.size for _, _, value in owned)
    formulas = [Difference(c.owner, c.address, _held(c), f"={c.formula}") for c in found if not c.same]
    values = [
        Difference(c.owner, c.address, c.stored, c.value, amount)
        for c in found
        if c.same and (amount := distance(c.stored, c.value)) > TOLERANCE
    ]
    return Report(tuple(values), tuple(formulas), tuple(stale), len(found), numbers)


class FormulaCell(NamedTuple):
    """A cell that a page builds with a formula, and what a file has there."""

    title: str
    at: tuple[int, int]
    owner: str
    formula: str
    value: object
    found: str | None
    stored: object
    same: bool
    """Whether the file has the formula, in whatever spelling."""

    @property
    def address(self) -> str:
        return _address(self.title, self.at)


def formula_cells(page: Page, cells: Cells) -> Iterator[FormulaCell]:
    """Every cell that a page builds with a formula, but for pixels that somebody typed over."""
    for at, cell in page.singles.items():
        if cell.formula is not None:
            found = cells.formula(*at)
            same = found is not None and same_formula(found, cell.formula)
            owner, stored = cell.owner or page.title, cells.value(*at)
            value = stored if at in page.judged else cell.value
            yield FormulaCell(page.title, at, owner, cell.formula, value, found, stored, same)
    for fill in page.fills:
        if fill.formula is not None:
            yield from _of_fill(page.title, fill, cells)


def _of_fill(title: str, fill: Fill, cells: Cells) -> Iterator[FormulaCell]:
    """Those of a block. Where it and the file share a formula, one comparison is enough for all cells."""
    formula, block = fill.formula, fill.block
    assert formula is not None
    alike: dict[int, bool] = {}
    for (y, x), value in zip(np.ndindex(*block.shape), fill.values.ravel().tolist(), strict=True):
        at = block.position(y, x)
        raw = cells.formulas.get(at[0], {}).get(at[1])
        stored = cells.value(*at)
        if isinstance(raw, Shared) and fill.shared and block.step == (1, 1):
            if id(raw) not in alike:
                alike[id(raw)] = same_formula(raw.at(block.row, block.column), formula(0, 0) or "")
            if alike[id(raw)]:
                yield FormulaCell(title, at, fill.owner or title, "", value, "", stored, True)
                continue
        expected = formula(y, x)
        found = raw.at(*at) if isinstance(raw, Shared) else raw
        same = found is not None and expected is not None and same_formula(found, expected)
        if expected is not None and (same or fill.owner != INPUT):
            yield FormulaCell(title, at, fill.owner or title, expected, value, found, stored, same)


def _held(cell: FormulaCell) -> object:
    return cell.stored if cell.found is None else f"={cell.found}"


def _stale(state: WorkbookState, stored: Stored, title: str, placed: Placed, expected: Array) -> Iterator[Difference]:
    """What of the engine's blocks is not what the engine makes of the state."""
    assert state.written is not None, "a state that was read says what is written"
    wrong = ~(np.abs(state.written[placed.name] - expected) <= TOLERANCE * np.maximum(1.0, np.abs(expected)))
    if not wrong.any():
        return
    planes = zip(placed.blocks, placed.planes(wrong.astype(float)), placed.planes(expected), strict=True)
    for block, where, values in planes:
        for y, x in np.argwhere(where).tolist():
            at, value = block.position(y, x), float(values[y, x])
            found = stored.sheet(title).value(*at)
            yield Difference(placed.name, _address(title, at), found, value, distance(found, value))


def distance(found: object, expected: object) -> float:
    """How far a stored value is from the one that it should be, relative to values above 1; infinite for other things.

    >>> distance(1.0, 1.5), distance("a", "a"), distance(None, ""), distance(None, 0.0)
    (0.3333333333333333, 0.0, 0.0, inf)
    """
    if isinstance(expected, str | bool) or not isinstance(expected, int | float):
        shown = "" if found is None else found  # so files are read: an empty text is no value
        if isinstance(shown, str) and isinstance(expected, str) and alike(shown, expected, TOLERANCE):
            return 0.0
        return 0.0 if shown == expected else inf
    if not isinstance(found, int | float) or not isfinite(found):
        return inf
    return abs(found - expected) / max(1.0, abs(expected))


def _address(title: str, at: tuple[int, int]) -> str:
    return f"{quote(title)}!{column_letters(at[1])}{at[0]}"
