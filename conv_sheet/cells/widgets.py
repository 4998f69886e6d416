"""What sheets are put together from."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells import style
from conv_sheet.cells.drawn import Spinner
from conv_sheet.cells.expr import Expr, all_of, any_of, integer, is_number, largest, smallest, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input, InputValue, Limits
from conv_sheet.cells.page import Content, Mark, Page
from conv_sheet.cells.style import Style

_SWATCHED = 6
"""Columns of a picture that has room for the name of a channel beside its own."""
_USUAL_WIDTH = 8.43
"""Characters of a column for which no width is said."""
_FITS = 12.5
"""Points of text in which about as many characters fit into a column as it is wide."""
_MONO_WIDE = 1.7
"""How much wider characters of one width are."""


def frame(title: str, columns: int, zoom: int, side: int = style.CELL_SIDE) -> Page:
    """An empty sheet of square cells with a side of so many pixels."""
    width, height = style.square(side)
    sheet = Page(title, zoom=zoom, default_width=width, default_height=height)
    sheet.widths = {1: 1.5} | dict.fromkeys(range(2, columns + 1), width)
    return sheet


def head(sheet: Page, title: str, lines: Sequence[str], columns: int) -> None:
    """The sheet's title and a few lines of text below it, from the first row on; a long line takes two of text."""
    sheet.span(1, 2, columns, title, style.TITLE)
    sheet.heights[1] = max(34, sheet.singles[1, 2].style.size * style.LINE_SPACING)
    for row, line in enumerate(lines, 2):
        paragraph(sheet, row, 2, columns, line)


def paragraph(
    sheet: Page, row: int, first: int, last: int, content: Content, look: Style = style.TEXT, longest: str = ""
) -> None:
    """A text over some columns of a row, which becomes as high as it needs; `longest` is the most a formula says."""
    sheet.span(row, first, last, content, look)
    heighten(sheet, row, first, last, longest or str(content))


def heighten(sheet: Page, row: int, first: int, last: int, text: str) -> None:
    """Make a row as high as a text needs in some columns of it, whose look stands there already."""
    usual, look = sheet.default_width or _USUAL_WIDTH, sheet.singles[row, first].style
    room = sum(sheet.widths.get(column, usual) for column in range(first, last + 1))
    fits = _FITS / _MONO_WIDE if look.mono else _FITS
    lines = math.ceil(len(text) * look.size / (fits * room))
    sheet.heights[row] = max(sheet.heights.get(row, style.CELL_HEIGHT), lines * look.size * style.LINE_SPACING)


def broken(code: str, most: float) -> str:
    r"""Code with a new line behind its first bracket, where one of its words has more than `most` characters.

    >>> broken("nn.Conv2d(1, 2, kernel_size=3)", 12)
    'nn.Conv2d(\n1, 2, kernel_size=3)'
    """
    long = max(map(len, code.split()), default=0) > most
    return code.replace("(", "(\n", 1) if long else code


def ask(
    sheet: Page, item: Input, value: InputValue, label: str, label_width: int, look: Style = style.ASKED, width: int = 1
) -> None:
    """An input of one cell with its label in the `label_width` columns before it."""
    sheet.span(item.at.row, item.at.column - label_width, item.at.column - 1, label, style.LINE)
    sheet.input(item, value, look, width)


def spinner(sheet: Page, item: Input, value: float, block: Block, label: str) -> None:
    """Arrows over some cells that count the number of an input, where a spreadsheet program shows the sheet."""
    sheet.spinners.append(Spinner(block, item, int(value), label))


def allowed(item: Input, cell: Expr) -> Expr:
    """Whether the cell of an input that is a whole number, or one of a list, holds what it may."""
    limits = item.limits
    if limits.choices:
        return any_of(*(cell == choice for choice in limits.choices))
    return where(is_number(cell), all_of(cell >= limits.low, cell <= limits.high, cell == integer(cell)), False)


def signed(
    sheet: Page,
    at: Block,
    blocks: Sequence[tuple[Block, NDArray[Any]]],
    least: float = 0.0,
    high: str = style.RED,
    low: str = style.BLUE,
    framed: bool = False,
) -> None:
    """Colour blocks by one scale, blue below zero and red above; `at` is the cell for its bound, `least` or more.

    Where no figures say it, cells below a fifth of the lowest are `framed`.
    """
    ranges = [sheet.near(block, values) for block, values in blocks]
    bounds = [largest(*ranges), -smallest(*ranges)]
    sheet.put(at.row, at.column, largest(*([least] if least else []), *bounds), style.SCALE)
    scale = replace(style.diverging(at.absolute), high=high, low=low)
    sheet.scales.append((tuple(block for block, _ in blocks), scale))
    if framed:
        framed_below_zero(sheet, tuple(block for block, _ in blocks), f"{at.absolute}/5")


def framed_below_zero(sheet: Page, blocks: tuple[Block, ...], least: str) -> None:
    """Lines around cells below zero by more than a number or cell says: so signs are told in grey print, too."""
    sheet.marks.append(Mark(blocks, f"{blocks[0].cell()}<-{least}", line=style.INK))


def inked(sheet: Page, blocks: tuple[Block, ...], condition: str) -> None:
    """Colour blocks in steps of ink where a condition holds, in place of a scale."""
    first = blocks[0].cell()
    sheet.marks += [
        Mark(blocks, f"AND({condition},COUNT({first})=1,{first}>={least:g})", fill, style.EDIT_LINE, color)
        for least, fill, color in style.INKS
    ]


def copy(sheet: Page, block: Block, source: Block, values: NDArray[np.float64], look: Style) -> None:
    """Fill a block with what stands in another one, on whichever sheet and however far apart its cells are."""
    if source.step == block.step:
        sheet.fill(block, sheet.each(source, values), look)
        return
    for (y, x), value in np.ndenumerate(values):
        sheet.put(*block.position(y, x), sheet.cell(source.part(y, x, 1, 1), value), look)


def caption(sheet: Page, block: Block, content: Content, look: Style = style.LABEL) -> None:
    """A line of text in the cell above a block."""
    sheet.put(block.row - 1, block.column, content, look)


def light(channels: int) -> str:
    """What a pixel of a picture with so many channels may be."""
    return "0 (no light: white here) to 1 (all: dark)" if channels == len(style.LIGHTS) else "0 (paper) to 1 (ink)"


def ink(channels: int) -> str:
    """What a pixel of a picture with so many channels has more of, the larger it is."""
    return "light" if channels == len(style.LIGHTS) else "ink"


def pixel_limits(channels: int) -> Limits:
    """What may be typed into a picture with so many channels."""
    return Limits(0, 1, hint=f"A number from {light(channels)}.", firm=False)


def shades(sheet: Page, blocks: tuple[Block, ...], above: int = 0) -> None:
    """Colour a picture, one block a channel, from white to full; the channels of a picture in colour have swatches.

    They stand over the right end of a block, `above` rows higher where that has a border.
    """
    sheet.scales.append((blocks, style.INK_SCALE))
    if len(blocks) == len(style.LIGHTS) and blocks[0].width >= _SWATCHED:
        for block, (name, colour) in zip(blocks, style.LIGHTS.items(), strict=True):
            row, column = block.row - above - 1, block.last_column
            sheet.put(row, column - 1, name, style.CHANNEL)
            sheet.put(row, column, None, replace(style.CHANNEL, fill=colour))


def glyph(sheet: Page, block: Block, sign: str, gap: int = 0) -> None:
    """A sign halfway down in the two columns behind a block, after a gap of so many columns."""
    first = block.last_column + 1 + gap
    sheet.span(block.row + block.height // 2, first, first + 1, sign, style.GLYPH)
