"""What the lessons' own sheets are put together from."""

from collections.abc import Callable, Sequence

import numpy as np

from conv_sheet.cells import style
from conv_sheet.cells.formula import number
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page, Setting, Validation, Value
from conv_sheet.cells.style import Style
from conv_sheet.layers import Array


def frame(title: str, columns: int, zoom: int) -> Page:
    """An empty sheet of square cells."""
    sheet = Page(title, zoom=zoom, default_width=style.CELL_WIDTH, default_height=style.CELL_HEIGHT)
    sheet.widths = {1: 1.5} | dict.fromkeys(range(2, columns + 1), style.CELL_WIDTH)
    return sheet


def head(sheet: Page, title: str, lines: Sequence[str], columns: int) -> None:
    """The sheet's title and a few lines of text below it, from the first row on."""
    sheet.span(1, 2, columns, title, style.TITLE)
    sheet.heights[1] = 34
    for row, line in enumerate(lines, 2):
        sheet.span(row, 2, columns, line, style.LINE)


def ask(sheet: Page, setting: Setting, value: float | str, label: str, width: int) -> None:
    """A setting with its label in the `width` columns before it."""
    at = setting.block
    sheet.span(at.row, at.column - width, at.column - 1, label, style.LINE)
    sheet.setting(setting, value, style.ASKED)


def allowed(setting: Setting) -> str:
    """Formula of whether the cell of a setting that is a whole number holds what it may."""
    cell = setting.block.fixed()
    return f"IF(COUNT({cell})=1,AND({cell}>={setting.low},{cell}<={setting.high},{cell}=INT({cell})),FALSE)"


def widen(sheet: Page, at: Block, width: int) -> None:
    """Merge a filled cell with those to its right, `width` columns in all."""
    look = sheet.cells[at.row, at.column].style
    for column in range(at.column + 1, at.column + width):
        sheet.put(at.row, column, None, look)
    sheet.merges.append(Block(at.sheet, at.row, at.column, 1, width))


def compute(sheet: Page, block: Block, values: Array, look: Style, formula: Callable[[int, int], str]) -> None:
    """Fill a block with formulas; `values` is what they make, `formula` gives the one at (row, column)."""
    for (y, x), value in np.ndenumerate(values.reshape(block.shape)):
        sheet.put(*block.position(y, x), float(value), look, formula(y, x))


def copy(sheet: Page, block: Block, values: Array, look: Style, source: Block) -> None:
    """Fill a block with what stands in another one, on whichever sheet."""
    compute(sheet, block, values, look, source.other)


def choose(sheet: Page, block: Block, values: Array, look: Style, sources: Sequence[Block], number: str) -> None:
    """Fill a block with what stands in one of several; `number` is the cell that says in which, from 1."""
    compute(sheet, block, values, look, lambda y, x: choice(number, [source.other(y, x) for source in sources]))


MOST_CHOICES = 29
"""Of one CHOOSE: LibreOffice takes 30 arguments, where Excel takes 255."""


def choice(number: str, expressions: Sequence[str]) -> str:
    """Formula of one of several expressions, by its number from 1.

    >>> choice("$B$2", ["A1", "C1"])
    'CHOOSE($B$2,A1,C1)'
    >>> choice("$B$2", ["A1"] * 30)[-33:]
    ',A1,A1,A1,A1),CHOOSE($B$2-29,A1))'
    """
    first, rest = expressions[:MOST_CHOICES], expressions[MOST_CHOICES:]
    chosen = f"CHOOSE({number},{','.join(first)})"
    return f"IF({number}<={len(first)},{chosen},{choice(f'{number}-{len(first)}', rest)})" if rest else chosen


def signed(sheet: Page, at: Block, blocks: tuple[Block, ...], least: float = 0.0) -> None:
    """Colour blocks by one scale, blue below zero and red above; `at` is the cell for its bound, `least` or more."""
    values = [abs(float(sheet.cells[position].value or 0)) for block in blocks for position in block.positions()]
    ranges = ",".join(block.relative for block in blocks)
    floor = f"{number(least)}," if least else ""
    sheet.put(at.row, at.column, max(least, *values), style.SCALE, f"MAX({floor}MAX({ranges}),-MIN({ranges}))")
    sheet.scales.append((blocks, style.diverging(at.absolute)))


def caption(sheet: Page, block: Block, text: Value, look: Style = style.LABEL, formula: str | None = None) -> None:
    """A line of text in the cell above a block."""
    sheet.put(block.row - 1, block.column, text, look, formula)


def light(channels: int) -> str:
    """What a pixel of a picture with so many channels may be."""
    return "0 (dark) to 1 (bright)" if channels == len(style.CHANNEL_SCALES) else "0 (paper) to 1 (ink)"


def ink(channels: int) -> str:
    """What a pixel of a picture with so many channels has more of, the larger it is."""
    return "light" if channels == len(style.CHANNEL_SCALES) else "ink"


def pixels(sheet: Page, blocks: tuple[Block, ...]) -> None:
    """Colour a picture that can be typed over, one block a channel, as red, green and blue or as ink."""
    shades(sheet, blocks)
    room = f"number from {light(len(blocks))}."
    error = f"A pixel is a {room} Press Esc to keep the old one."
    sheet.validations.append(Validation(blocks, "Pixel", f"A {room}", error, low=0, high=1))


def shades(sheet: Page, blocks: tuple[Block, ...]) -> None:
    """Colour a picture, one block a channel, as red, green and blue or as ink."""
    if len(blocks) == len(style.CHANNEL_SCALES):
        sheet.scales += [((block,), scale) for block, scale in zip(blocks, style.CHANNEL_SCALES, strict=True)]
    else:
        sheet.scales.append((blocks, style.INK_SCALE))


def glyph(sheet: Page, block: Block, sign: str, gap: int = 0) -> None:
    """A sign halfway down in the two columns behind a block, after a gap of so many columns."""
    first = block.last_column + 1 + gap
    sheet.span(block.row + block.height // 2, first, first + 1, sign, style.GLYPH)
