"""The rows of a sheet's XML, streamed from a page's blocks and single cells."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from conv_sheet.cells.grid import Block, column_letters
from conv_sheet.cells.overlap import occupied
from conv_sheet.cells.page import Fill, Page
from conv_sheet.cells.style import Style
from conv_sheet.cells.values import LARGEST
from conv_sheet.xlsx import encode

STANDARD_HEIGHT = 15.0
"""Points of a row that nobody gave a height."""
_HIGHEST = 409.5
"""Points of the highest row that there can be."""
_Piece = tuple[int, str]
"""First column of neighbouring cells, and their XML."""


class Strings:
    """The shared strings of a workbook: each text once, in the order of first use."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, value: str) -> int:
        return self.numbers.setdefault(value, len(self.numbers))


def cells(page: Page) -> int:
    """How many cells a page has."""
    return len(page.singles) + sum(fill.values.size for fill in page.fills)


def rows(page: Page, style_id: Callable[[Style], int], strings: Strings) -> Iterator[str]:
    """The `<row>` elements of a page, in order.

    Raises WorkbookError where two contents stand in one cell, or where one is nothing that a cell can hold.
    """
    occupied(page)
    maker = _Rows(page, style_id, strings)
    singles: dict[int, list[int]] = {}
    for row, column in page.singles:
        singles.setdefault(row, []).append(column)
    starting: dict[int, list[Fill]] = {}
    for fill in page.fills:
        starting.setdefault(fill.block.row, []).append(fill)
    running: list[_Run] = []
    standard = page.default_height or STANDARD_HEIGHT
    for row in range(1, max(page.last[0], *page.heights, 1) + 1):
        running = [run for run in running if run.last >= row]
        running += [_Run(maker, fill) for fill in starting.pop(row, ())]
        pieces = [(column, maker.single(row, column)) for column in singles.get(row, ())]
        for run in running:
            pieces += run.pieces(row)
        if pieces or row in page.heights:
            height = f' ht="{min(page.heights.get(row, standard), _HIGHEST):g}"'
            own = ' customHeight="1"' if row in page.heights or page.default_height else ""
            yield f'<row r="{row}"{height}{own}>{"".join([xml for _, xml in sorted(pieces)])}</row>'


class _Rows:
    """What the rows of one page are made of."""

    def __init__(self, page: Page, style_id: Callable[[Style], int], strings: Strings) -> None:
        self.page = page
        self.style_id = style_id
        self.strings = strings
        self.shared = 0
        self.areas: dict[Block, int] = {}
        """Number of the first formula that is shared across an area."""

    def single(self, row: int, column: int) -> str:
        """A cell of its own."""
        cell = self.page.singles[row, column]
        formula = "" if cell.formula is None else f"<f>{encode.text(cell.formula)}</f>"
        start = f'<c r="{column_letters(column)}{row}" s="{self.style_id(cell.style)}"'
        return start + self.rest(cell.value, formula, row, column)

    def rest(self, value: Any, formula: str, row: int, column: int) -> str:
        """The cell behind its address and style: type, formula and value."""
        if isinstance(value, str):
            if formula:
                return f' t="str">{formula}<v>{encode.checked_text(value, self.where(row, column))}</v></c>'
            if value not in self.strings.numbers:
                encode.checked_text(value, self.where(row, column))
            return f' t="s"><v>{self.strings.number(value)}</v></c>'
        if value is None:
            return f">{formula}</c>" if formula else "/>"
        kind = ' t="b"' if isinstance(value, bool) else ""
        shown = encode.checked_number(value, self.where(row, column))
        return f"{kind}>{formula}<v>{shown}</v></c>"

    def where(self, row: int, column: int) -> str:
        """What errors call a cell."""
        return f"{self.page.title}!{column_letters(column)}{row}"

    def formulas(self, fill: Fill) -> Callable[[int], list[str]] | None:
        """What makes the `<f>` elements of a row of a block; None where its cells have no formulas.

        Excel shares no formula that names another sheet.
        """
        formula, width = fill.formula, fill.block.width
        if formula is None:
            return None
        first = encode.text(formula(0, 0) or "")
        if fill.across:
            return self._across(fill, fill.across, formula)
        if not fill.shared or "!" in first or fill.block.shape == (1, 1):
            return lambda y: [_element(formula(y, x)) for x in range(width)]
        number, self.shared = self.shared, self.shared + 1
        head = f'<f t="shared" ref="{fill.block.relative}" si="{number}">{first}</f>'
        others = [f'<f t="shared" si="{number}"/>'] * width
        return lambda y: others if y else [head, *others[1:]]

    def _across(self, fill: Fill, area: Block, formula: Callable[[int, int], str | None]) -> Callable[[int], list[str]]:
        """The same of a block whose formulas are shared with other blocks; the first of them has their texts.

        The range of each goes from the first to the last of its cells; in between are those of others.
        """
        height, width = fill.block.shape
        if area not in self.areas:
            self.areas[area], self.shared = self.shared, self.shared + height * width
        number = self.areas[area]

        def head(y: int, x: int) -> str:
            every = Block(area.sheet, area.row + y, area.column + x, area.height - height + 1, 1).relative
            text = encode.text(formula(y, x) or "")
            return f'<f t="shared" ref="{every}" si="{number + y * width + x}">{text}</f>'

        if fill.block.row == area.row:
            return lambda y: [head(y, x) for x in range(width)]
        return lambda y: [f'<f t="shared" si="{number + y * width + x}"/>' for x in range(width)]


def _element(formula: str | None) -> str:
    return "" if formula is None else f"<f>{encode.text(formula)}</f>"


class _Run:
    """The cells of a block, row by row."""

    def __init__(self, maker: _Rows, fill: Fill) -> None:
        _require_finite(fill)
        self.maker = maker
        self.block = fill.block
        self.last = fill.block.last_row
        self.numeric = fill.values.dtype.kind in "fiu"
        self.values = encode.held(fill.values) if self.numeric else fill.values
        self.texts = encode.results if fill.result else encode.numbers
        self.style = maker.style_id(fill.style)
        self.formulas = maker.formulas(fill)
        self.letters = _letters(fill.block.column, fill.block.width, fill.block.step[1])

    def pieces(self, row: int) -> Sequence[_Piece]:
        """What the block has in a row of the sheet: one piece where its values are neighbours, else one a value."""
        y, between = divmod(row - self.block.row, self.block.step[0])
        if between:
            return ()
        if self.block.step[1] == 1:
            return ((self.block.column, "".join(self.cells(y, row))),)
        columns = range(self.block.column, self.block.last_column + 1, self.block.step[1])
        return tuple(zip(columns, self.cells(y, row), strict=True))

    def cells(self, y: int, row: int) -> list[str]:
        """A row of cells; those of numbers, of which a network has many, without a call for each."""
        if not self.numeric:
            formulas = self.formulas(y) if self.formulas else [""] * len(self.letters)
            return [self._cell(y, x, formula) for x, formula in enumerate(formulas)]
        style, values = self.style, self.texts(self.values[y])
        if self.formulas is None:
            plain = zip(self.letters, values, strict=True)
            return [f'<c r="{c}{row}" s="{style}"><v>{v}</v></c>' for c, v in plain]
        parts = zip(self.letters, self.formulas(y), values, strict=True)
        return [f'<c r="{c}{row}" s="{style}">{f}<v>{v}</v></c>' for c, f, v in parts]

    def _cell(self, y: int, x: int, formula: str) -> str:
        value = self.values[y, x]
        plain = value.item() if isinstance(value, np.generic) else value
        row, column = self.block.position(y, x)
        return f'<c r="{self.letters[x]}{row}" s="{self.style}"{self.maker.rest(plain, formula, row, column)}'


@lru_cache(maxsize=1024)
def _letters(column: int, width: int, step: int) -> tuple[str, ...]:
    """Letters of the columns of a block; many stand below each other."""
    return tuple(map(column_letters, range(column, column + width * step, step)))


def _require_finite(fill: Fill) -> None:
    held = np.abs(fill.values) <= LARGEST if fill.values.dtype.kind == "f" else np.True_
    if held.all():
        return
    y, x = (int(n) for n in np.argwhere(~held)[0])
    where = f"{fill.block.sheet}!{fill.block.cell(y, x)}"
    owner = f" ({fill.owner})" if fill.owner else ""
    raise encode.no_cell(fill.values[y, x], f"{where}{owner}")
