"""The sheet `Im2col`: a convolution as one product, of kernels in rows with windows in columns."""

import functools
import operator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, Operand, all_of, count, smallest, sumproduct, text, where
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import index
from conv_sheet.cells.page import Mark, Page, Verdict
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets.addresses import TOLERANCE
from conv_sheet.sheets.lessons.looks import NUMBERED, OUTPUT
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "im2col"
IM2COL = "Im2col"
CHANNELS, MAPS, SIZE, KERNEL = 2, 2, 3, 2
"""Maps in and out; rows and columns of a map that comes in, and of a kernel."""
OUT = SIZE - KERNEL + 1
ROWS, WINDOWS = CHANNELS * KERNEL * KERNEL, OUT * OUT
"""Of the matrix of windows: a row for each weight of a kernel, a column for each window."""

_PIXELS = (((1, 2, 0), (0, 3, 1), (2, 1, 0)), ((0, 1, 2), (1, 0, 1), (3, 0, 1)))
_WEIGHTS = ((((1, 0), (0, -1)), ((0, 1), (1, 0))), (((1, -1), (1, -1)), ((2, 0), (0, 0))))
_LINES = (
    "Write each window as a column and each kernel as a row. Then the whole convolution is one product of matrices.",
    "Choose a window and a map: frames show the numbers that meet. Pixels and weights in boxes are yours.",
)
ZOOM, LAST = 110, 48
_LEFT, _TOP, _MIDDLE = 3, 9, 19
_COSTS = 29
_TIMES = replace(style.TENTHS, bold=True)
RESULT = replace(style.RESULT, fill=style.PALE)
SCALES = (style.Scale(style.WARM), style.Scale(style.GREEN))
"""Of each channel, in the picture and in the matrix."""
ANY = Limits(-9, 9, whole=True, hint="A whole number from -9 to 9.")


def choice(name: str, at: Block, most: int, hint: str) -> Input:
    """An input of one cell that takes a number from 1, out of a list."""
    return Input.one_of(name, at, tuple(range(1, most + 1)), 1.0, hint)


WINDOW = choice("im2col_window", Block(IM2COL, 5, 7, 1, 1), WINDOWS, f"Which window: from 1 to {WINDOWS}.")
MAP = choice("im2col_map", Block(IM2COL, 5, 12, 1, 1), MAPS, f"Which map of the output: from 1 to {MAPS}.")
GROUPS = choice("im2col_groups", Block(IM2COL, 5, 18, 1, 1), CHANNELS, "1, or 2: each map reads one channel only.")

PLANES = tuple(Block(IM2COL, _TOP + c * (SIZE + 1), _LEFT, SIZE, SIZE) for c in range(CHANNELS))
COLUMNS = Block(IM2COL, _TOP, _LEFT + ROWS + 2, ROWS, WINDOWS)
MATRIX = Block(IM2COL, _MIDDLE, _LEFT, MAPS, ROWS)
PRODUCT = Block(IM2COL, _MIDDLE, COLUMNS.column, MAPS, WINDOWS)
_OUT = tuple(Block(IM2COL, _MIDDLE, PRODUCT.last_column + 4 + o * (OUT + 1), OUT, OUT) for o in range(MAPS))
_DIRECT = tuple(block.part(OUT + 2, 0, OUT, OUT) for block in _OUT)
KERNELS = tuple(
    Block(IM2COL, _MIDDLE + 4 + o * (KERNEL + 1), _LEFT + c * (KERNEL + 2), KERNEL, KERNEL)
    for o, c in np.ndindex(MAPS, CHANNELS)
)
_COUNTS = Block(IM2COL, _TOP, _COSTS, SIZE, SIZE)

PIXELS = Input(
    "im2col_pixels", Placed("im2col_pixels", (CHANNELS, SIZE, SIZE), PLANES), ANY, np.array(_PIXELS, dtype=float)
)
WEIGHTS = Input(
    "im2col_weights",
    Placed("im2col_weights", (MAPS, CHANNELS, KERNEL, KERNEL), KERNELS),
    ANY,
    np.array(_WEIGHTS, dtype=float),
)
SIDE = Input.whole("copies_rows", Block(IM2COL, _TOP, LAST - 2, 1, 1), 28, 1, 999, "Rows and columns of a map.")
SPAN = Input.whole("copies_kernel", Block(IM2COL, _TOP + 1, LAST - 2, 1, 1), 3, 1, 99, "Rows and columns of a kernel.")


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """What to frame, the groups, pixels and weights, and the sizes to count copies for."""
    return WINDOW, MAP, GROUPS, PIXELS, WEIGHTS, SIDE, SPAN


class Chosen(NamedTuple):
    """The cells of the choices."""

    window: Expr
    map: Expr
    groups: Expr


def page(state: WorkbookState) -> Page:
    """The sheet: windows in columns, kernels in rows, their product, the maps; and what the copies cost."""
    sheet = widgets.frame(IM2COL, LAST, ZOOM)
    widgets.head(sheet, "A convolution is one product", _LINES, LAST)
    now = _chosen(sheet, state)
    _columns(sheet, state, now)
    _matrix(sheet, state, now)
    product = _product(sheet, state, now)
    _maps(sheet, state, now, product)
    _written(sheet, state, now, product)
    _copies(sheet)
    _costs(sheet, state)
    return sheet


def _chosen(sheet: Page, state: WorkbookState) -> Chosen:
    asked = []
    for item, label, width in ((WINDOW, "window", 5), (MAP, "map", 3), (GROUPS, "groups", 4)):
        widgets.ask(sheet, item, state[item], label, width)
        asked.append(sheet.cell(item.at, state.number(item)))
    now = Chosen(*asked)
    one = "Every map reads both channels."
    two = "Each map reads a channel of its own: half of the matrix is zero, block by block."
    sheet.put(GROUPS.at.row, GROUPS.at.column + 2, where(now.groups == 1, one, two), style.LINE)
    return now


# -- the two matrices --------------------------------------------------------------------------------------------------


def source(row: int, window: int) -> tuple[int, int, int]:
    """Channel, row and column, from 0, of the pixel that stands in a row and a column of the matrix of windows.

    >>> source(0, 3), source(7, 0)
    ((0, 1, 1), (1, 1, 1))
    """
    c, y, x = (int(n) for n in np.unravel_index(row, (CHANNELS, KERNEL, KERNEL)))
    down, right = divmod(window, OUT)
    return c, y + down, x + right


def columns(sheet: Page, state: WorkbookState) -> list[list[Expr]]:
    """The windows as columns, as `torch.nn.functional.unfold` has them: each a pixel of the picture."""
    pixels = state.array(PIXELS)

    def pixel(row: int, window: int) -> Expr:
        c, y, x = source(row, window)
        return sheet.near(PLANES[c].part(y, x, 1, 1), pixels[c, y, x])

    return [[pixel(row, window) for window in range(WINDOWS)] for row in range(ROWS)]


def grouped(groups: Expr, o: int, c: int, value: Expr) -> Expr:
    """What a map takes from a channel: nothing where groups keep them apart."""
    return value if o == c else where(groups == 1, value, 0)


def matrix(sheet: Page, state: WorkbookState) -> list[list[Expr]]:
    """The kernels as rows: each a weight, or zero where groups keep its map from its channel."""
    weights, groups = state.array(WEIGHTS), sheet.cell(GROUPS.at, state.number(GROUPS))

    def weight(o: int, r: int) -> Expr:
        c, y, x = (int(n) for n in np.unravel_index(r, (CHANNELS, KERNEL, KERNEL)))
        return grouped(groups, o, c, sheet.near(KERNELS[o * CHANNELS + c].part(y, x, 1, 1), weights[o, c, y, x]))

    return [[weight(o, r) for r in range(ROWS)] for o in range(MAPS)]


def values(cells: list[list[Expr]]) -> Array:
    """What stands in cells."""
    return np.array([[np.asarray(cell.value, dtype=float).item() for cell in row] for row in cells])


def _columns(sheet: Page, state: WorkbookState, now: Chosen) -> None:
    """The picture, and its windows side by side."""
    pixels, names = state.array(PIXELS), np.arange(1.0, WINDOWS + 1)
    sheet.span(_TOP - 2, 2, COLUMNS.column - 2, "1  The picture: two channels", style.HEADING)
    sheet.span(_TOP - 2, COLUMNS.column, _COSTS - 2, "2  A column for each window", style.HEADING)
    sheet.input(PIXELS, pixels, style.TYPED)
    for c, plane in enumerate(PLANES):
        down, right = (now.window - 1) // OUT, (now.window - 1) % OUT
        y, x = sheet.row_number(plane), sheet.column_number(plane)
        inside = all_of(y > down, y <= down + KERNEL, x > right, x <= right + KERNEL)
        part = COLUMNS.part(c * KERNEL * KERNEL, 0, KERNEL * KERNEL, WINDOWS)
        sheet.put(plane.row - 1, plane.column, f"channel {c + 1}", style.CLASS)
        sheet.scales += [((plane,), SCALES[c]), ((part,), SCALES[c])]
        sheet.marks.append(Mark(plane, inside.formula, line=style.INK))
        here = sheet.row(COLUMNS.part(-1, 0, 1, WINDOWS), names) == now.window
        sheet.marks.append(Mark(part, here.formula, line=style.INK))
    above = COLUMNS.part(-1, 0, 1, WINDOWS)
    sheet.fill(above, names[np.newaxis], NUMBERED)
    sheet.marks.append(Mark(above, (sheet.each(above, names[np.newaxis]) == now.window).formula, style.AMBER))
    cells = columns(sheet, state)
    sheet.fill_each(COLUMNS, lambda r, p: cells[r][p], style.WHOLE)
    widgets.glyph(sheet, Block(IM2COL, COLUMNS.row, PLANES[0].last_column, ROWS, 1), "→", 1)
    sheet.names |= {"im2col_columns": COLUMNS, "im2col_column_heads": above}


def _matrix(sheet: Page, state: WorkbookState, now: Chosen) -> None:
    """The kernels, and each as a row."""
    beside, cells = MATRIX.part(0, -1, MAPS, 1), matrix(sheet, state)
    sheet.span(_MIDDLE - 2, 2, COLUMNS.column - 2, "3  A row for each kernel", style.HEADING)
    sheet.input(WEIGHTS, state.array(WEIGHTS), style.TYPED)
    numbers = np.arange(1.0, MAPS + 1)[:, np.newaxis]
    sheet.fill(beside, numbers, NUMBERED)
    sheet.marks.append(Mark(beside, (sheet.each(beside, numbers) == now.map).formula, style.AMBER))
    sheet.fill_each(MATRIX, lambda o, r: cells[o][r], style.WHOLE)
    row = sheet.column(beside, numbers) == now.map
    sheet.marks.append(Mark(MATRIX, row.formula, line=style.INK))
    bound = MATRIX.part(-1, ROWS - 1, 1, 1)
    widgets.signed(sheet, bound, [(MATRIX, values(cells))])
    for number, kernel in enumerate(KERNELS):
        o, c = divmod(number, CHANNELS)
        sheet.put(kernel.row - 1, kernel.column, f"map {o + 1}, channel {c + 1}", style.NOTE)
        if o != c:
            sheet.marks.append(Mark(kernel, (now.groups == CHANNELS).formula, style.PAD))
        sheet.scales.append(((kernel,), style.diverging(bound.absolute)))
    at = Block(IM2COL, MATRIX.last_row + 1, MATRIX.last_column, 1, 1)
    sheet.put(at.row, MATRIX.column, "weights that count", style.LINE)
    size = MAPS * ROWS
    sheet.put(at.row, at.column, where(now.groups == CHANNELS, size / CHANNELS, size), style.RESULT)
    sheet.names |= {"im2col_matrix": MATRIX, "im2col_counted": at}


def _product(sheet: Page, state: WorkbookState, now: Chosen) -> Array:
    """Row times column; returns the values."""
    rows, cells = values(matrix(sheet, state)), values(columns(sheet, state))
    terms = [
        sheet.column(MATRIX.part(0, r, MAPS, 1), rows[:, r]) * sheet.row(COLUMNS.part(r, 0, 1, WINDOWS), cells[r])
        for r in range(ROWS)
    ]
    made = functools.reduce(operator.add, terms)
    sheet.span(_MIDDLE - 2, COLUMNS.column, COLUMNS.last_column + 2, "4  One product", style.HEADING)
    sheet.fill(PRODUCT, made, OUTPUT)
    y, x = sheet.row_number(PRODUCT), sheet.column_number(PRODUCT)
    sheet.marks.append(Mark(PRODUCT, all_of(y == now.map, x == now.window).formula, style.AMBER))
    sheet.names["im2col_product"] = PRODUCT
    return np.asarray(made.value)


def _maps(sheet: Page, state: WorkbookState, now: Chosen, product: Array) -> None:
    """Each row of the product as a map, and the same maps window by window."""
    first, last = _OUT[0].column, _OUT[-1].last_column
    sheet.span(_MIDDLE - 2, first, last + 3, "5  Each row is a map", style.HEADING)
    widgets.glyph(sheet, PRODUCT, "→")
    apart: list[Expr] = []
    for o, (out, direct) in enumerate(zip(_OUT, _DIRECT, strict=True)):
        widgets.caption(sheet, out, f"map {o + 1}", style.CLASS)
        maps = sheet.fill_each(out, partial(_place, sheet, o, product[o]), OUTPUT)
        y, x = sheet.row_number(out), sheet.column_number(out)
        here = all_of(now.map == o + 1, (y - 1) * OUT + x == now.window)
        sheet.marks.append(Mark(out, here.formula, style.AMBER))
        made = _convolved(sheet, state, now, o)
        sheet.fill(direct, made, style.BORDER)
        apart.append(sumproduct((sheet.range(out, maps) - sheet.range(direct, made.value)) ** 2))
        sheet.names |= {f"im2col_out_{o + 1}": out, f"im2col_direct_{o + 1}": direct}
    widgets.caption(sheet, _DIRECT[0], "as a convolution, window by window", style.NOTE)
    line = Block(IM2COL, _DIRECT[0].last_row + 2, first, 1, 10)
    said(sheet, line, functools.reduce(operator.add, apart))


def _place(sheet: Page, o: int, row: Array, y: int, x: int) -> Expr:
    """The cell of a row of the product that belongs to a place of the map."""
    window = y * OUT + x
    return sheet.near(PRODUCT.part(o, window, 1, 1), row[window])


def _convolved(sheet: Page, state: WorkbookState, now: Chosen, o: int) -> Expr:
    """A map as a convolution makes it: for each channel the sum over the window, added up."""
    pixels, weights = state.array(PIXELS), state.array(WEIGHTS)
    slices = []
    for c, plane in enumerate(PLANES):
        windows = sheet.windows(plane, (KERNEL, KERNEL), pixels[c])
        kernel = sheet.range(KERNELS[o * CHANNELS + c], weights[o, c])
        slices.append(grouped(now.groups, o, c, sumproduct(windows, kernel)))
    return functools.reduce(operator.add, slices)


def said(sheet: Page, line: Block, apart: Expr) -> None:
    """Whether both ways give the same."""
    same, other = "both ways: the same numbers", "the two ways differ"
    words = where(apart <= TOLERANCE, same, other)
    sheet.merged(line, words, style.STATUS)
    sheet.verdicts.append(Verdict(line, (sheet.cell(line.part(0, 0, 1, 1), words.value) == same).formula))


# -- beside it ---------------------------------------------------------------------------------------------------------


def _written(sheet: Page, state: WorkbookState, now: Chosen, product: Array) -> None:
    """The cell of the product that is chosen, as the sum that it is: a line for each channel."""
    sheet.put(_MIDDLE - 2, _COSTS, "The amber cell, written out", style.HEADING)
    rows = sheet.range(MATRIX, values(matrix(sheet, state)))
    cells = sheet.range(COLUMNS, values(columns(sheet, state)))
    there = all_of(widgets.allowed(MAP, now.map), widgets.allowed(WINDOW, now.window))
    value = where(there, index(sheet.range(PRODUCT, product), now.map, now.window), "")
    at = Block(IM2COL, _MIDDLE + CHANNELS, _COSTS, 1, 1)
    for c in range(CHANNELS):
        pieces: list[Operand] = []
        for r in range(c * KERNEL**2, (c + 1) * KERNEL**2):
            sign = " + (" if r else "("
            pieces += [sign, index(rows, now.map, r + 1), "·", index(cells, r + 1, now.window), ")"]
        sheet.put(_MIDDLE + c, _COSTS, where(there, text(*pieces), ""), style.CODE)
    sheet.put(at.row, at.column - 1, "=", style.GLYPH)
    sheet.put(at.row, at.column, value, style.RESULT)
    sheet.names["im2col_value"] = at


def _copies(sheet: Page) -> None:
    """Into how many windows each pixel is copied."""
    sheet.put(_TOP - 2, _COSTS, "What it costs: copies", style.HEADING)
    widgets.caption(sheet, _COUNTS, "copies of each pixel", style.CLASS)
    y, x = sheet.row_number(_COUNTS), sheet.column_number(_COUNTS)
    counts = smallest(y, KERNEL, OUT, SIZE + 1 - y) * smallest(x, KERNEL, OUT, SIZE + 1 - x)
    sheet.fill(_COUNTS, counts, style.WHOLE)
    sheet.scales.append(((_COUNTS,), style.HIT_SCALE))
    words = f"{CHANNELS * SIZE**2} pixels become {ROWS}·{WINDOWS} = {ROWS * WINDOWS} numbers."
    sheet.put(_COUNTS.last_row + 4, _COSTS, words, style.LINE)
    sheet.names["im2col_copies"] = _COUNTS


def _costs(sheet: Page, state: WorkbookState) -> None:
    """How many numbers one map becomes, for sizes of the user's."""
    first, at = SIDE.at.column - 12, SIDE.at.column
    sides = []
    for item, label in ((SIDE, "rows of your map, n"), (SPAN, "rows of your kernel, k")):
        sheet.span(item.at.row, first, at - 1, label, style.LINE)
        sheet.input(item, state[item], style.ASKED, 3)
        sides.append(sheet.cell(item.at, state.number(item)))
    n, k = sides
    valid = all_of(widgets.allowed(SIDE, n), widgets.allowed(SPAN, k), k <= n)
    lines = {
        "pixels": ("pixels, n·n", where(valid, n * n, ""), style.NUMBER),
        "numbers": ("in columns, k·k·(n − k + 1)²", where(valid, k * k * (n - k + 1) ** 2, ""), style.NUMBER),
    }
    cells = []
    for row, (name, (label, content, look)) in enumerate(lines.items(), SPAN.at.row + 1):
        sheet.span(row, first, at - 1, label, style.LINE)
        sheet.span(row, at, at + 2, content, look)
        sheet.names[f"copies_{name}"] = Block(IM2COL, row, at, 1, 1)
        cells.append(sheet.cell(sheet.names[f"copies_{name}"], content.value))
    pixels, numbers = cells
    row = SPAN.at.row + 1 + len(lines)
    sheet.span(row, first, at - 1, "times as many", style.LABEL_RIGHT)
    sheet.span(row, at, at + 2, where(count(pixels) == 1, numbers / pixels, ""), _TIMES)
    sheet.names["copies_times"] = Block(IM2COL, row, at, 1, 1)


SHEET = Sheet(IM2COL, page, NAME, inputs)
