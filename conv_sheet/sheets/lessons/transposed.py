"""The sheet `Transposed`: the gradient of a convolution as products with the transposed matrices of `Im2col`."""

import functools
import operator
from functools import partial
from typing import NamedTuple

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, all_of, smallest, sumproduct, where
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import Input
from conv_sheet.cells.lookup import choose
from conv_sheet.cells.page import Mark, Page
from conv_sheet.errors import SpecError
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets.lessons import im2col
from conv_sheet.sheets.lessons.im2col import (
    ANY,
    CHANNELS,
    COLUMNS,
    KERNEL,
    MAPS,
    OUT,
    ROWS,
    SIZE,
    WINDOWS,
    choice,
    columns,
    grouped,
    matrix,
    said,
    source,
    values,
)
from conv_sheet.sheets.lessons.looks import NUMBERED, OUTPUT
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "transposed"
TRANSPOSED = "Transposed"

_UPSTREAM = (((1, 0), (2, -1)), ((0, 1), (1, 0)))
_LINES = (
    "Training asks how the loss changes with each pixel. The same matrix answers, transposed: rows become columns.",
    "Numbers in boxes are yours: how the loss changes with each value of the output. The rest is from Im2col.",
)
_TOP, _MIDDLE, _BOTTOM = 9, 13, 24
_RIGHT = 30
_PADDED_SIZE = OUT + 2 * (KERNEL - 1)

CHANNEL = choice("back_channel", Block(TRANSPOSED, 5, 7, 1, 1), CHANNELS, f"Which channel: from 1 to {CHANNELS}.")
ROW = choice("back_row", Block(TRANSPOSED, 5, 12, 1, 1), SIZE, f"Row of a pixel: from 1 to {SIZE}.")
COLUMN = choice("back_column", Block(TRANSPOSED, 5, 18, 1, 1), SIZE, f"Column of a pixel: from 1 to {SIZE}.")
_MAPS = tuple(Block(TRANSPOSED, _TOP, 3 + o * (OUT + 1), OUT, OUT) for o in range(MAPS))
UPSTREAM = Input(
    "back_upstream", Placed("back_upstream", (MAPS, OUT, OUT), _MAPS), ANY, np.array(_UPSTREAM, dtype=float)
)
_TURNED = Block(TRANSPOSED, _MIDDLE, 11, ROWS, MAPS)
_BOUND = _TURNED.part(-1, MAPS - 1, 1, 1)
"""The largest weight: what has the full colour."""
_GRADIENT = Block(TRANSPOSED, _TOP, _TURNED.last_column + 3, MAPS, WINDOWS)
_COPIES = Block(TRANSPOSED, _MIDDLE, _GRADIENT.column, ROWS, WINDOWS)
_PIXELS = tuple(
    Block(TRANSPOSED, _MIDDLE + c * (SIZE + 1), _COPIES.last_column + 5, SIZE, SIZE) for c in range(CHANNELS)
)
_COUNT = Block(TRANSPOSED, _BOTTOM - 2, _PIXELS[0].column + 6, 1, 1)
_PADDED = tuple(
    Block(TRANSPOSED, _TOP + o * (_PADDED_SIZE + 1), _RIGHT, _PADDED_SIZE, _PADDED_SIZE) for o in range(MAPS)
)
_HALF = tuple(block.part(1, _PADDED_SIZE + 2, KERNEL, KERNEL) for block in _PADDED)
_CONVOLVED = Block(TRANSPOSED, _TOP + 3, _HALF[0].last_column + 4, SIZE, SIZE)
_WEIGHTS = Block(TRANSPOSED, _BOTTOM, 3, MAPS, ROWS)


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The pixel to look at, and the gradient of the output.

    Raises SpecError for a spec without the sheet of the matrices.
    """
    if im2col.NAME not in lesson.sheets:
        raise SpecError(f"the sheet {NAME!r} needs the sheet {im2col.NAME!r}: name both")
    return CHANNEL, ROW, COLUMN, UPSTREAM


class _Pixel(NamedTuple):
    """The cells of the pixel to look at."""

    channel: Expr
    row: Expr
    column: Expr

    def among(self, block: Block, sheet: Page, number: Expr | bool = True) -> Expr:
        """Whether a formula's own cell in a block of the picture's size is that pixel."""
        return all_of(number, sheet.row_number(block) == self.row, sheet.column_number(block) == self.column)


def page(state: WorkbookState) -> Page:
    """The sheet: the gradient of the picture as a product, as a convolution; and the gradient of the kernels."""
    sheet = widgets.frame(TRANSPOSED, im2col.LAST, im2col.ZOOM)
    widgets.head(sheet, "Back through the same matrix, transposed", _LINES, im2col.LAST)
    asked = []
    for item, label, width in ((CHANNEL, "channel", 5), (ROW, "row", 3), (COLUMN, "column", 4)):
        widgets.ask(sheet, item, state[item], label, width)
        asked.append(sheet.cell(item.at, state.number(item)))
    sheet.put(COLUMN.at.row, COLUMN.at.column + 2, "A pixel: amber shows where its gradient comes from.", style.LINE)
    pixel = _Pixel(*asked)
    groups = sheet.cell(im2col.GROUPS.at, state.number(im2col.GROUPS))
    gradient = _upstream(sheet, state)
    copies = _product(sheet, state, gradient, pixel)
    pixels = _added(sheet, copies, pixel)
    _convolution(sheet, state, groups, pixel, pixels)
    _kernels(sheet, state, groups, gradient)
    _count(sheet, pixel)
    return sheet


# -- as a product ------------------------------------------------------------------------------------------------------


def _upstream(sheet: Page, state: WorkbookState) -> Array:
    """The gradient of the output, as maps and as rows; returns the rows."""
    upstream = state.array(UPSTREAM)
    sheet.put(_TOP - 2, 2, "1  The gradient of the output", style.HEADING)
    sheet.input(UPSTREAM, upstream, style.TYPED)
    for o, block in enumerate(_MAPS):
        widgets.caption(sheet, block, f"map {o + 1}", style.CLASS)
    widgets.glyph(sheet, _MAPS[-1], "→", 1)

    def cell(o: int, p: int) -> Expr:
        y, x = divmod(p, OUT)
        return sheet.near(_MAPS[o].part(y, x, 1, 1), upstream[o, y, x])

    widgets.caption(sheet, _GRADIENT, "as rows", style.CLASS)
    return sheet.fill_each(_GRADIENT, cell, style.WHOLE)


def _product(sheet: Page, state: WorkbookState, gradient: Array, pixel: _Pixel) -> Array:
    """The transposed kernels times the gradient: what each copy of a pixel gets."""
    weights = values(matrix(sheet, state))
    sheet.put(_MIDDLE - 2, _TURNED.column - 5, "2  Kernels as columns", style.HEADING)
    turned = sheet.fill_each(
        _TURNED, lambda r, o: sheet.near(im2col.MATRIX.part(o, r, 1, 1), weights[o, r]), style.WHOLE
    )
    widgets.signed(sheet, _BOUND, [(_TURNED, turned)])
    terms = [
        sheet.column(_TURNED.part(0, o, ROWS, 1), turned[:, o])
        * sheet.row(_GRADIENT.part(o, 0, 1, WINDOWS), gradient[o])
        for o in range(MAPS)
    ]
    made = functools.reduce(operator.add, terms)
    sheet.put(_MIDDLE - 2, _COPIES.column, "3  One product", style.HEADING)
    sheet.fill(_COPIES, made, OUTPUT)
    r, p = sheet.row_number(_COPIES) - 1, sheet.column_number(_COPIES) - 1
    place = r % (KERNEL * KERNEL)
    here = all_of(
        r // (KERNEL * KERNEL) == pixel.channel - 1,
        p // OUT + place // KERNEL == pixel.row - 1,
        p % OUT + place % KERNEL == pixel.column - 1,
    )
    sheet.marks.append(Mark(_COPIES, here.formula, style.AMBER))
    sheet.names |= {"back_copies": _COPIES, "back_turned": _TURNED}
    return np.asarray(made.value)


def _added(sheet: Page, copies: Array, pixel: _Pixel) -> list[Array]:
    """The gradient of each pixel: what its copies get, added up; returns the maps."""
    sheet.put(_MIDDLE - 2, _PIXELS[0].column, "4  Copies added", style.HEADING)
    widgets.glyph(sheet, _COPIES, "→", 1)
    maps = []
    for c, block in enumerate(_PIXELS):
        sheet.put(block.row, block.column - 1, c + 1, NUMBERED)
        maps.append(sheet.fill_each(block, partial(_sum, sheet, copies, c), OUTPUT))
        sheet.marks.append(Mark(block, pixel.among(block, sheet, pixel.channel == c + 1).formula, style.AMBER))
        sheet.names[f"back_pixels_{c + 1}"] = block
    return maps


def _sum(sheet: Page, copies: Array, c: int, y: int, x: int) -> Expr:
    """The sum of what the copies of a pixel get."""
    found = [(r, p) for r, p in np.ndindex(ROWS, WINDOWS) if source(r, p) == (c, y, x)]
    return functools.reduce(operator.add, (sheet.near(_COPIES.part(*at, 1, 1), copies[at]) for at in found))


def _count(sheet: Page, pixel: _Pixel) -> None:
    """How many copies the chosen pixel has."""
    _, row, column = pixel
    there = all_of(widgets.allowed(ROW, row), widgets.allowed(COLUMN, column))
    copies = smallest(row, KERNEL, OUT, SIZE + 1 - row) * smallest(column, KERNEL, OUT, SIZE + 1 - column)
    sheet.put(_COUNT.row, _COUNT.column, where(there, copies, ""), style.RESULT)
    sheet.put(_COUNT.row, _COUNT.column - 6, "copies that are added", style.LINE)
    sheet.names["back_count"] = _COUNT


# -- as a convolution --------------------------------------------------------------------------------------------------


def _convolution(sheet: Page, state: WorkbookState, groups: Expr, pixel: _Pixel, pixels: list[Array]) -> None:
    """The same for the chosen channel: the gradient with zeros around it, under the kernels turned by half a turn."""
    upstream, around = state.array(UPSTREAM), KERNEL - 1
    sheet.put(_TOP - 2, _RIGHT, "The same as a convolution, with kernels turned", style.HEADING)
    parts = []
    for o, (padded, half) in enumerate(zip(_PADDED, _HALF, strict=True)):
        inner = padded.part(around, around, OUT, OUT)
        sheet.put(padded.row - 1, padded.column, f"map {o + 1}, zeros around it", style.NOTE)
        for y, x in inner.margin(around, around, around, around):
            sheet.put(*inner.position(y, x), 0, style.BORDER)
        sheet.fill(inner, sheet.each(_MAPS[o], upstream[o]), OUTPUT)
        down, right = sheet.row_number(padded) - pixel.row, sheet.column_number(padded) - pixel.column
        inside = all_of(down >= 0, down < KERNEL, right >= 0, right < KERNEL)
        sheet.marks.append(Mark(padded, inside.formula, style.AMBER))
        kernel = sheet.fill_each(half, partial(_half_turned, sheet, state, groups, pixel.channel, o), style.WHOLE)
        widgets.glyph(sheet, padded, "⋆")
        sheet.scales.append(((half,), style.diverging(_BOUND.absolute)))
        windows = sheet.windows(padded, (KERNEL, KERNEL), np.pad(upstream[o], around))
        parts.append(sumproduct(windows, sheet.range(half, kernel)))
    made = functools.reduce(operator.add, parts)
    sheet.fill(_CONVOLVED, made, OUTPUT)
    sheet.marks.append(Mark(_CONVOLVED, pixel.among(_CONVOLVED, sheet).formula, style.AMBER))
    widgets.glyph(sheet, _CONVOLVED.part(0, -4, SIZE, 1), "=")
    sheet.names["back_convolved"] = _CONVOLVED
    apart = [
        sumproduct((sheet.range(_CONVOLVED, np.asarray(made.value)) - sheet.range(block, maps)) ** 2)
        for block, maps in zip(_PIXELS, pixels, strict=True)
    ]
    line = Block(TRANSPOSED, _PADDED[-1].last_row + 2, _RIGHT, 1, 10)
    said(sheet, line, where(widgets.allowed(CHANNEL, pixel.channel), choose(pixel.channel, *apart), 1))


def _half_turned(sheet: Page, state: WorkbookState, groups: Expr, channel: Expr, o: int, y: int, x: int) -> Expr:
    """A weight that reads the chosen channel, where it stands when the kernel is turned by half a turn."""
    weights, at = state.array(im2col.WEIGHTS), (KERNEL - 1 - y, KERNEL - 1 - x)
    cells = (
        grouped(groups, o, c, sheet.near(im2col.KERNELS[o * CHANNELS + c].part(*at, 1, 1), weights[o, c][at]))
        for c in range(CHANNELS)
    )
    return where(widgets.allowed(CHANNEL, channel), choose(channel, *cells), 0)


# -- the kernels -------------------------------------------------------------------------------------------------------


def _kernels(sheet: Page, state: WorkbookState, groups: Expr, gradient: Array) -> None:
    """The gradient of each weight: the gradient's row times the row of pixels that the weight met."""
    cells = values(columns(sheet, state))
    sheet.put(_BOTTOM - 2, 2, "The gradient of the kernels", style.HEADING)

    def weight(o: int, r: int) -> Expr:
        met = sumproduct(
            sheet.range(_GRADIENT.part(o, 0, 1, WINDOWS), gradient[o]),
            sheet.range(COLUMNS.part(r, 0, 1, WINDOWS), cells[r]),
        )
        return grouped(groups, o, r // (KERNEL * KERNEL), met)

    numbers = np.arange(1.0, MAPS + 1)[:, np.newaxis]
    sheet.fill(_WEIGHTS.part(0, -1, MAPS, 1), numbers, NUMBERED)
    made = sheet.fill_each(_WEIGHTS, weight, style.WHOLE)
    widgets.signed(sheet, _WEIGHTS.part(-1, ROWS - 1, 1, 1), [(_WEIGHTS, made)])
    words = "the gradient's rows times the rows of windows: each weight meets four pixels"
    sheet.put(_WEIGHTS.last_row + 1, _WEIGHTS.column, words, style.NOTE)
    sheet.names["back_weights"] = _WEIGHTS


SHEET = Sheet(TRANSPOSED, page, NAME, inputs)
