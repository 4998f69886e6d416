"""No text of any sheet is cut: neither at its sides, nor by its neighbours, nor by the height of its row."""

from collections.abc import Iterator

import pytest

from conv_sheet import lessons
from conv_sheet.cells import style
from conv_sheet.cells.grid import Block, column_letters
from conv_sheet.cells.page import Cell, Page
from conv_sheet.sheets import start
from tests.lessons import pages_of, state_of
from tests.oracles import fonts

INSET = 3.0
"""Points that a cell keeps free at its sides."""
ROUNDED = 1.0
"""Points by which a program may round."""
SHRUNK = 0.7 * style.LEGIBLE
"""Points that texts which shrink to fit have at least where their sheet opens."""


class Room:
    """Where the texts of a sheet may stand."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.full = {at for at, cell in page.cells() if cell.value is not None or cell.formula}
        self.merged = {(block.row, block.column): block for block in page.merges}
        self.full |= {at for block in page.merges for at in block.positions()}

    def width(self, column: int) -> float:
        """Points on Windows, where a character of the standard font has seven pixels of 3/4."""
        return int(self.page.widths.get(column, self.page.default_width or 8.43) * 7 + 0.5) * 0.75

    def height(self, row: int) -> float:
        return self.page.heights.get(row, self.page.default_height or 15.0)

    def of(self, at: tuple[int, int], look: style.Style, need: float) -> tuple[float, float]:
        """Width and height for a text of some width: it runs over the empty cells beside its own."""
        block = self.merged.get(at, Block(self.page.title, *at, 1, 1))
        wide = sum(map(self.width, range(block.column, block.last_column + 1)))
        high = sum(map(self.height, range(block.row, block.last_row + 1)))
        if at not in self.merged and not look.wrap and look.horizontal != "center":
            step = -1 if look.horizontal == "right" else 1
            column = at[1] + step
            while wide < need and column > 0 and (at[0], column) not in self.full:
                wide, column = wide + self.width(column), column + step
        return wide, high


def cut(room: Room, at: tuple[int, int], cell: Cell) -> str:
    """What is cut of the text of a cell; empty where nothing is."""
    text, look = str(cell.value), cell.style
    need = fonts.width(text, look) + INSET
    wide, high = room.of(at, look, need)
    if look.wrap:
        lines, widest = fonts.wrapped(text, look, wide - INSET)
        low = lines * fonts.line(look) > high + ROUNDED
        return "wrapped inside a word" if widest > wide - INSET + ROUNDED else f"{lines} lines" if low else ""
    if fonts.overhang(text, look, high) > ROUNDED:
        return "too low"
    least = SHRUNK * 100 / room.page.zoom / look.size if look.shrink else 1.0
    return "cut" if need * min(1.0, least) > wide + ROUNDED else ""


def texts(page: Page) -> Iterator[tuple[tuple[int, int], Cell]]:
    """The cells of a sheet that show a text."""
    for at, cell in page.cells():
        seen = cell.style.fill is not None or cell.style.color != style.WHITE
        if isinstance(cell.value, str) and cell.value and seen:
            yield at, cell


def faults(page: Page) -> list[tuple[str, str, str, object]]:
    """Sheet, cell and text of what is cut, and how."""
    room = Room(page)
    every = ((at, cell, cut(room, at, cell)) for at, cell in texts(page))
    return [(page.title, f"{column_letters(at[1])}{at[0]}", how, cell.value) for at, cell, how in every if how]


@pytest.mark.parametrize("name", lessons.names())
def test_no_text_is_cut(name: str) -> None:
    assert [fault for page in pages_of(name) for fault in faults(page)] == []


@pytest.mark.parametrize("name", lessons.names())
def test_no_answer_of_a_try_is_cut(name: str) -> None:
    assert faults(start.page(state_of(name).with_typed({start.SHOW: "yes"}))) == []
