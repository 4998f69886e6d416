"""The rows of a sheet's XML, streamed from a page's blocks and single cells."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from conv_sheet.cells.grid import column_letters
from conv_sheet.cells.page import Cell, Fill, Page, occupied
from conv_sheet.cells.style import Style
from conv_sheet.cells.values import LARGEST
from conv_sheet.xlsx import encode

STANDARD_HEIGHT = 15.0
"""Points of a row that nobody gave a height."""
_HIGHEST = 409.5
"""Points of the highest row that there can be."""
_Piece = tuple[int, Callable[[], str]]
"""First column of neighbouring cells, and what makes their XML."""


class Strings:
    """The shared strings of a workbook: each text once, in the order of first use."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, value: str) -> int:
        return self.numbers.setdefault(value, len(self.numbers))


def rows(page: Page, style_id: Callable[[Style], int], strings: Strings) -> Iterator[str]:
    """The `<row>` elements of a page, in order.

    Raises WorkbookError where two contents stand in one cell, or where one is nothing that a cell can hold.
    """
    occupied(page)
    maker = _Rows(page, style_id, strings)
    by_row = maker.pieces()
    standard = page.default_height or STANDARD_HEIGHT
    for row in sorted(by_row.keys() | page.heights.keys()):
        pieces = sorted(by_row.get(row, ()), key=lambda piece: piece[0])
        height = f' ht="{min(page.heights.get(row, standard), _HIGHEST):g}"'
        own = ' customHeight="1"' if row in page.heights else ""
        yield f'<row r="{row}"{height}{own}>{"".join(make() for _, make in pieces)}</row>'


class _Rows:
    """What the rows of one page are made of."""

    def __init__(self, page: Page, style_id: Callable[[Style], int], strings: Strings) -> None:
        self.page = page
        self.style_id = style_id
        self.strings = strings
        self.shared = 0

    def pieces(self) -> dict[int, list[_Piece]]:
        found: dict[int, list[_Piece]] = {}
        for (row, column), cell in self.page.singles.items():
            found.setdefault(row, []).append((column, self._single(row, column, cell)))
        for fill in self.page.fills:
            for y, make in enumerate(self._fill(fill)):
                found.setdefault(fill.block.row + y * fill.block.step[0], []).extend(make)
        return found

    def _single(self, row: int, column: int, cell: Cell) -> Callable[[], str]:
        start = f'<c r="{column_letters(column)}{row}" s="{self.style_id(cell.style)}"'
        formula = "" if cell.formula is None else f"<f>{encode.text(cell.formula)}</f>"
        return lambda: start + self.rest(cell.value, formula, row, column)

    def rest(self, value: Any, formula: str, row: int, column: int) -> str:
        """The cell behind its address and style: type, formula and value."""
        if isinstance(value, str):
            where = f"{self.page.title}!{column_letters(column)}{row}"
            if formula:
                return f' t="str">{formula}<v>{encode.checked_text(value, where)}</v></c>'
            encode.checked_text(value, where)
            return f' t="s"><v>{self.strings.number(value)}</v></c>'
        if value is None:
            return f">{formula}</c>" if formula else "/>"
        kind = ' t="b"' if isinstance(value, bool) else ""
        shown = encode.checked_number(value, f"{self.page.title}!{column_letters(column)}{row}")
        return f"{kind}>{formula}<v>{shown}</v></c>"

    def _fill(self, fill: Fill) -> Iterator[list[_Piece]]:
        """The pieces of each row of a block: one where the values are neighbours, else one a value."""
        _require_finite(fill)
        run = _Run(self, fill)
        for y in range(fill.block.height):
            if fill.block.step[1] == 1:
                yield [(fill.block.column, partial(run.row, y))]
            else:
                yield [(fill.block.position(y, x)[1], partial(run.cell, y, x)) for x in range(fill.block.width)]

    def formulas(self, fill: Fill) -> Callable[[int], list[str]] | None:
        """What makes the `<f>` elements of a row of a block; None where its cells have no formulas.

        Excel shares no formula that names another sheet.
        """
        formula, width = fill.formula, fill.block.width
        if formula is None:
            return None
        first = encode.text(formula(0, 0) or "")
        if not fill.shared or "!" in first or fill.block.shape == (1, 1):
            return lambda y: [_element(formula(y, x)) for x in range(width)]
        number, self.shared = self.shared, self.shared + 1
        head = f'<f t="shared" ref="{fill.block.relative}" si="{number}">{first}</f>'
        others = [f'<f t="shared" si="{number}"/>'] * width
        return lambda y: others if y else [head, *others[1:]]


def _element(formula: str | None) -> str:
    return "" if formula is None else f"<f>{encode.text(formula)}</f>"


class _Run:
    """The cells of a block, row by row."""

    def __init__(self, maker: _Rows, fill: Fill) -> None:
        self.maker = maker
        self.block = fill.block
        self.numeric = fill.values.dtype.kind in "fiu"
        self.values = encode.held(fill.values) if self.numeric else fill.values
        self.style = maker.style_id(fill.style)
        self.formulas = maker.formulas(fill)
        columns = range(fill.block.column, fill.block.last_column + 1, fill.block.step[1])
        self.letters = [*map(column_letters, columns)]

    def row(self, y: int) -> str:
        """A row of cells; those of numbers, of which a network has many, without a call for each."""
        if not self.numeric:
            formulas = self.formulas(y) if self.formulas else [""] * len(self.letters)
            return "".join([self._cell(y, x, formula) for x, formula in enumerate(formulas)])
        row, style = self.block.row + y * self.block.step[0], self.style
        values = encode.numbers(self.values[y])
        if self.formulas is None:
            cells = zip(self.letters, values, strict=True)
            return "".join([f'<c r="{c}{row}" s="{style}"><v>{v}</v></c>' for c, v in cells])
        parts = zip(self.letters, self.formulas(y), values, strict=True)
        return "".join([f'<c r="{c}{row}" s="{style}">{f}<v>{v}</v></c>' for c, f, v in parts])

    def cell(self, y: int, x: int) -> str:
        """One cell."""
        return self._cell(y, x, self.formulas(y)[x] if self.formulas else "")

    def _cell(self, y: int, x: int, formula: str) -> str:
        value = self.values[y, x]
        plain = value.item() if isinstance(value, np.generic) else value
        row, column = self.block.position(y, x)
        return f'<c r="{self.letters[x]}{row}" s="{self.style}"{self.maker.rest(plain, formula, row, column)}'


def _require_finite(fill: Fill) -> None:
    held = np.abs(fill.values) <= LARGEST if fill.values.dtype.kind == "f" else np.True_
    if held.all():
        return
    y, x = (int(n) for n in np.argwhere(~held)[0])
    where = f"{fill.block.sheet}!{fill.block.cell(y, x)}"
    owner = f" ({fill.owner})" if fill.owner else ""
    raise encode.no_cell(fill.values[y, x], f"{where}{owner}")
