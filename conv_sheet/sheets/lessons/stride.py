"""The sheet `Stride`: kernel size, stride, padding and dilation as cells, and the output that follows from them."""

import functools
import operator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, all_of, any_of, count, index, integer, largest, sumproduct, text, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.page import Content, Mark, Page
from conv_sheet.cells.style import Style
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

Values = NDArray[Any]
"""What stands in a block: numbers, and texts that are empty where there is none."""

NAME = "stride"
STRIDE = "Stride"
SIZE = 7
"""Rows and columns of the picture; they count from 1, and those of the padding before them down from 0."""
LARGEST_KERNEL, WIDEST_STRIDE, WIDEST_PADDING, WIDEST_DILATION = 5, 3, 3, 2

_GRID = SIZE + 2 * WIDEST_PADDING
_SPREAD = WIDEST_DILATION * (LARGEST_KERNEL - 1) + 1
_PIXELS = (
    (0, 3, 3, 3, 3, 3, 0),
    (0, 0, 0, 0, 0, 3, 0),
    (0, 0, 0, 0, 2, 1, 0),
    (0, 0, 0, 1, 2, 0, 0),
    (0, 0, 0, 3, 0, 0, 0),
    (0, 0, 1, 2, 0, 0, 0),
    (0, 0, 3, 0, 0, 0, 0),
)
_WEIGHTS = ((1, 0, -1, 0, 1), (2, 0, -2, 0, 2), (1, 0, -1, 0, 1), (0, 0, 0, 1, 0), (1, 2, 1, 0, -1))
_LINES = (
    "Change a number in a blue box: the border around the picture, the kernel and the output follow.",
    "Choose a cell of the output, and the picture shows what it is made of.",
)

_TOP, _LEFT, _PANEL, _LABEL, _ZOOM = 7, 2, 14, 11, 80


def _line(row: int, height: int = 1) -> Block:
    """Rows of the panel on the left, from one on."""
    return Block(STRIDE, _TOP + row, _LEFT, height, _PANEL)


def _number(row: int) -> Block:
    """The cell for a number behind its label."""
    return _line(row).part(0, _LABEL, 1, 1)


def _whole(name: str, row: int, first: float, low: int, high: int) -> Input:
    limits = Limits(low, high, whole=True, hint=f"A whole number from {low} to {high}.")
    return Input.cell(name, _number(row), first, limits)


KERNEL_SIZE = _whole("kernel_size", 0, 3.0, 1, LARGEST_KERNEL)
STEP = _whole("stride", 1, 1.0, 1, WIDEST_STRIDE)
PADDING = _whole("padding", 2, 1.0, 0, WIDEST_PADDING)
DILATION = _whole("dilation", 3, 1.0, 1, WIDEST_DILATION)
ROW = _whole("stride_row", 16, 2.0, 1, _GRID)
COLUMN = _whole("stride_column", 17, 6.0, 1, _GRID)
_LABELS = (
    (KERNEL_SIZE, "kernel_size, k"),
    (STEP, "stride, s"),
    (PADDING, "padding, p"),
    (DILATION, "dilation, d"),
    (ROW, "row of the output"),
    (COLUMN, "column of the output"),
)
_SPAN_AT, _SIZE_AT, _UNSEEN_AT = _number(4), _number(9), _number(10)
_FIRST_ROW_AT, _FIRST_COLUMN_AT, _VALUE_AT = _number(18), _number(19), _number(20)
_SPANNED = replace(style.RESULT, format="0;;")

_PADDED = Block(STRIDE, _TOP, _LEFT + _PANEL + 2, _GRID, _GRID)
_INPUT = _PADDED.part(WIDEST_PADDING, WIDEST_PADDING, SIZE, SIZE)
_TYPED = Block(STRIDE, _TOP, _PADDED.last_column + 4, LARGEST_KERNEL, LARGEST_KERNEL)
_KERNEL = Block(STRIDE, _TYPED.last_row + 4, _TYPED.column, _SPREAD, _SPREAD)
_OUT = Block(STRIDE, _TOP + 1, _KERNEL.last_column + 5, _GRID, _GRID)
"""A row lower than the others: two rows of numbers stand above it."""
_WINDOWS = Block(STRIDE, _OUT.last_row + 3, _OUT.column, _GRID, _GRID)

_NUMBERS = Limits(-99, 99, hint="Any number from -99 to 99.")
PICTURE = Input.table("stride_picture", _INPUT, np.array(_PIXELS, dtype=float), _NUMBERS)
WEIGHT = Input.table("stride_weight", _TYPED, np.array(_WEIGHTS, dtype=float), _NUMBERS)


class _Options(NamedTuple):
    """The cells of the four options, and of what follows from them first.

    `span` is how many rows a window spans, 0 where an option is not what it may be; `size` is how many rows the output
    has, 0 where not one window fits.
    """

    k: Expr
    s: Expr
    p: Expr
    d: Expr
    span: Expr
    size: Expr


class _Numbered(NamedTuple):
    """A block, what stands in it, and the numbers beside and above it."""

    block: Block
    values: Values
    rows: Values
    columns: Values

    def beside(self, sheet: Page) -> Expr:
        """For a formula in the block, the number of its row."""
        return sheet.column(_beside(self.block), self.rows)

    def above(self, sheet: Page) -> Expr:
        """For a formula in the block, the number of its column."""
        return sheet.row(_above(self.block), self.columns)


def _beside(block: Block, gap: int = 1) -> Block:
    return block.part(0, -gap, block.height, 1)


def _above(block: Block, gap: int = 1) -> Block:
    return block.part(-gap, 0, 1, block.width)


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The four options, the output cell to look at, the picture and the kernel."""
    return KERNEL_SIZE, STEP, PADDING, DILATION, ROW, COLUMN, PICTURE, WEIGHT


def page(state: WorkbookState) -> Page:
    """The sheet: options and words, the padded picture, the kernel, the output."""
    sheet = widgets.frame(STRIDE, _OUT.last_column, _ZOOM)
    widgets.head(sheet, "Stride, padding, dilation: where the windows stand", _LINES, _OUT.last_column)
    for item, label in _LABELS:
        widgets.ask(sheet, item, state[item], label, _LABEL)
    now = _options(sheet, state)
    picture, kernel = _padded(sheet, state, now), _kernel(sheet, state, now)
    output = _output(sheet, now, _windows(sheet, now, picture, kernel))
    _size(sheet, now, output)
    first = _output_cell(sheet, state, now, output)
    _mark(sheet, now, picture, output, first)
    widgets.glyph(sheet, _PADDED, "⋆")
    widgets.glyph(sheet, Block(STRIDE, _TOP, _KERNEL.column, _GRID, _SPREAD), "=")
    return sheet


def _options(sheet: Page, state: WorkbookState) -> _Options:
    """The options, how far a window spans, and how large the output is."""
    options = (KERNEL_SIZE, STEP, PADDING, DILATION)
    k, s, p, d = cells = [sheet.cell(item.at, state.number(item)) for item in options]
    allowed = all_of(*map(widgets.allowed, options, cells))
    _heading(sheet, _line(-1), "The options of nn.Conv2d")
    spans = where(allowed, d * (k - 1) + 1, 0)
    span = _result(sheet, _SPAN_AT, "a window spans d·(k − 1) + 1", spans, _SPANNED)
    size = where(span > SIZE + 2 * p, 0, (SIZE + 2 * p - d * (k - 1) - 1) // s + 1)
    size = _result(sheet, _SIZE_AT, "rows and columns of the output", where(span == 0, 0, size))
    sheet.names["stride_size"] = _SIZE_AT
    return _Options(k, s, p, d, span, size)


def _size(sheet: Page, now: _Options, output: _Numbered) -> None:
    """What there is to say of the output's size: the formula with letters and with numbers, and what is lost."""
    _heading(sheet, _line(6), "How large is the output?")
    sheet.merged(_line(7), "⌊(i + 2·p − d·(k − 1) − 1) / s⌋ + 1", style.CODE)
    numbered = text(f"⌊({SIZE} + 2·", now.p, " − ", now.d, "·(", now.k, " − 1) − 1) / ", now.s, "⌋ + 1")
    sheet.merged(_line(8), where(now.span > 0, numbered, ""), style.CODE)
    unseen = _result(sheet, _UNSEEN_AT, "rows of the picture in no window", _unseen(sheet, now, output))
    sheet.names["stride_unseen"] = _UNSEEN_AT
    sheet.merged(_line(11, 4), _verdict(now, unseen), style.TEXT)
    sheet.marks.append(Mark(_line(11, 4), (now.size == 0).formula, style.BAD))


def _unseen(sheet: Page, now: _Options, output: _Numbered) -> Expr:
    """How many rows of the picture no window sees: none of a window's weights lies on them."""
    begins = sheet.range(_beside(_OUT), output.rows)
    weights = sheet.range(_above(_TYPED), np.arange(1.0, LARGEST_KERNEL + 1))
    on_rows = (
        sumproduct((begins == row - (weights - 1) * now.d) * (weights <= now.k)) > 0 for row in range(1, SIZE + 1)
    )
    return where(now.size == 0, SIZE, SIZE - functools.reduce(operator.add, on_rows))


def _verdict(now: _Options, unseen: Expr) -> Expr:
    """What there is to say of the size; why there is no output, if there is none."""
    padded = SIZE + 2 * now.p
    too_wide = text(
        *("Impossible: a window spans ", now.span, " rows and columns, the padded picture has only ", padded),
        ". Take a smaller kernel, less dilation or more padding.",
    )
    refused = [
        where(
            widgets.allowed(item, cell),
            "",
            f"{item.name} is not a whole number from {item.limits.low} to {item.limits.high}. ",
        )
        for item, cell in zip((KERNEL_SIZE, STEP, PADDING, DILATION), now, strict=False)
    ]
    impossible = where(now.span > 0, too_wide, text("Impossible: ", *refused))
    smaller = text("The output is smaller than the picture by ", SIZE - now.size, ".")
    larger = text("The output is larger than the picture by ", now.size - SIZE, ".")
    other = where(now.size < SIZE, smaller, larger)
    size = where(now.size == SIZE, "The output is as large as the picture.", other)
    ended = where(
        (padded - now.span) % now.s > now.p, " ⌊ ⌋ rounds down: the last window ends before the picture does.", ""
    )
    missed = text(
        " ", unseen, f" of the picture's {SIZE} rows and ", unseen, f" of its {SIZE} columns are in no window.", ended
    )
    idle = where(now.p >= now.span, " The outermost windows see nothing but padding.", "")
    return where(now.size == 0, impossible, text(size, where(unseen == 0, "", missed), idle))


def _output_cell(sheet: Page, state: WorkbookState, now: _Options, output: _Numbered) -> tuple[Expr, Expr]:
    """One output cell and its value; returns with which row and column of the picture its window begins."""
    row, column = (sheet.cell(item.at, state.number(item)) for item in (ROW, COLUMN))
    inside = (test for cell in (row, column) for test in (cell >= 1, cell <= now.size, cell == integer(cell)))
    exists = where(count(row, column) == 2, all_of(*inside), False)
    _heading(sheet, _line(15), "What makes one cell of the output?")

    def begin(at: Block, axis: str, number: Expr) -> Expr:
        first = where(exists, 1 - now.p + (number - 1) * now.s, "")
        return _result(sheet, at, f"its window begins in {axis}", first)

    begins = begin(_FIRST_ROW_AT, "row", row), begin(_FIRST_COLUMN_AT, "column", column)
    value = where(exists, index(sheet.range(_OUT, output.values), row, column), "")
    _result(sheet, _VALUE_AT, "its value", value)
    sheet.names["stride_value"] = _VALUE_AT
    one = "The product of the amber cell of the picture and its weight."
    sum_of = ("The sum of ", now.k * now.k, " products: the amber cells of the picture, each times its weight.")
    missing = text("There is no such cell: the output has ", now.size, " rows and columns.")
    words = where(exists, where(now.k == 1, one, text(*sum_of)), missing)
    sheet.merged(_line(21, 3), words, style.TEXT)
    return begins


def _padded(sheet: Page, state: WorkbookState, now: _Options) -> _Numbered:
    """The picture in the middle of as much padding as there is."""
    _title(sheet, _PADDED, "the picture with its padding: type into the boxes")
    around = WIDEST_PADDING

    def number(offset: int) -> Content:
        line = offset + 1 - around
        return where(now.p >= _depth(line), line, "") if _depth(line) else line

    columns = sheet.fill_each(_above(_PADDED), lambda _, x: number(x), style.SIDE)
    rows = sheet.fill_each(_beside(_PADDED), lambda y, _: number(y), style.SIDE)
    picture = state.array(PICTURE)
    sheet.input(PICTURE, picture, style.TYPED)
    values = np.pad(picture.astype(object), around)
    for y, x in _INPUT.margin(around, around, around, around):
        border = where(now.p >= max(_depth(y + 1), _depth(x + 1)), 0, "")
        sheet.put(*_INPUT.position(y, x), border, style.BORDER)
        values[y + around, x + around] = border.value
    return _Numbered(_PADDED, values, rows, columns)


def _depth(line: int) -> int:
    """How deep in the padding a row stands, 0 for one of the picture's."""
    return max(1 - line, line - SIZE, 0)


def _kernel(sheet: Page, state: WorkbookState, now: _Options) -> _Numbered:
    """The kernel as typed, and as it lies on the picture: with dilation, zeros stand between its weights."""
    _title(sheet, _TYPED, "the kernel: type into the boxes")
    weights, counted = state.array(WEIGHT), np.arange(1.0, LARGEST_KERNEL + 1)
    sheet.input(WEIGHT, weights, style.TYPED)
    typed = _Numbered(_TYPED, weights, counted[:, np.newaxis], counted[np.newaxis])
    sheet.fill(_above(_TYPED), typed.columns, style.SIDE)
    sheet.fill(_beside(_TYPED), typed.rows, style.SIDE)
    sheet.marks.append(Mark(_TYPED, (largest(typed.beside(sheet), typed.above(sheet)) > now.k).formula, style.PAD))
    _title(sheet, _KERNEL, "the kernel as it lies on the picture")
    columns = sheet.fill_each(_above(_KERNEL), lambda _, x: where(now.span >= x + 1, x + 1, ""), style.SIDE)
    rows = sheet.fill_each(_beside(_KERNEL), lambda y, _: where(now.span >= y + 1, y + 1, ""), style.SIDE)
    row, column = sheet.column(_beside(_KERNEL), rows), sheet.row(_above(_KERNEL), columns)
    on_a_weight = (row - 1) % now.d + (column - 1) % now.d == 0
    weight = index(sheet.range(_TYPED, weights), (row - 1) / now.d + 1, (column - 1) / now.d + 1)
    spread = where(count(row, column) == 2, where(on_a_weight, weight, 0), "")
    sheet.fill(_KERNEL, spread, style.WHOLE)
    there = count(sheet.each(_KERNEL, spread.value)) == 1
    sheet.marks += [
        Mark(_KERNEL, where(there, on_a_weight, False).formula, style.AMBER),
        Mark(_KERNEL, there.formula, style.STRAW),
    ]
    return _Numbered(_KERNEL, spread.value, rows, columns)


def _windows(sheet: Page, now: _Options, picture: _Numbered, kernel: _Numbered) -> Values:
    """The sums of products of all windows, each where its first cell stands in the padded picture."""
    title = "every window that fits, whatever the stride: the output takes every s-th of them"
    widgets.caption(sheet, _WINDOWS, title)

    def window(y: int, x: int) -> Expr:
        height, width = min(_SPREAD, _GRID - y), min(_SPREAD, _GRID - x)
        row = sheet.cell(_beside(_PADDED).part(y, 0, 1, 1), picture.rows[y])
        column = sheet.cell(_above(_PADDED).part(0, x, 1, 1), picture.columns[0, x])
        pixels = sheet.near(_PADDED.part(y, x, height, width), picture.values[y : y + height, x : x + width])
        weights = sheet.range(_KERNEL.part(0, 0, height, width), kernel.values[:height, :width])
        fits = all_of(count(row, column) == 2, largest(row, column) + now.span <= SIZE + 1 + now.p)
        return where(now.size == 0, "", where(fits, sumproduct(pixels, weights), ""))

    return sheet.fill_each(_WINDOWS, window, style.SIDE)


def _output(sheet: Page, now: _Options, windows: Values) -> _Numbered:
    """A formula for every cell that the output can have; those that it does not have now stay empty."""
    none, some = "no output: the words in red say why", "the output; in amber where its windows begin in the picture"
    widgets.caption(sheet, _above(_OUT, 2), where(now.size == 0, none, some), style.CLASS)

    def number(offset: int) -> Expr:
        return where(now.size >= offset + 1, offset + 1, "")

    def begin(offset: int) -> Expr:
        return where(now.size >= offset + 1, 1 - now.p + offset * now.s, "")

    sheet.fill_each(_above(_OUT, 2), lambda _, x: number(x), style.SIDE)
    sheet.fill_each(_beside(_OUT, 2), lambda y, _: number(y), style.SIDE)
    columns = sheet.fill_each(_above(_OUT), lambda _, x: begin(x), style.BEGIN)
    rows = sheet.fill_each(_beside(_OUT), lambda y, _: begin(y), style.BEGIN)
    row, column = sheet.column(_beside(_OUT), rows), sheet.row(_above(_OUT), columns)
    first = index(sheet.range(_WINDOWS, windows), row + WIDEST_PADDING, column + WIDEST_PADDING)
    output = where(count(row, column) == 2, first, "")
    sheet.fill(_OUT, output, style.WHOLE)
    sheet.names["stride_output"] = _OUT
    return _Numbered(_OUT, output.value, rows, columns)


def _mark(sheet: Page, now: _Options, picture: _Numbered, output: _Numbered, first: tuple[Expr, Expr]) -> None:
    """What the output cell in question sees is amber, its window straw, the padding grey."""
    first_row, first_column = first
    row, column = picture.beside(sheet), picture.above(sheet)
    reach = [
        *(row >= first_row, row < first_row + now.span),
        *(column >= first_column, column < first_column + now.span),
    ]
    within = count(row, column, first_row, first_column) == 4
    steps = (row - first_row) % now.d + (column - first_column) % now.d == 0
    outside = any_of(row < 1, row > SIZE, column < 1, column > SIZE)
    begins = output.beside(sheet) == first_row, output.above(sheet) == first_column
    sheet.marks += [
        Mark(_PADDED, where(within, all_of(*reach, steps), False).formula, style.AMBER),
        Mark(_PADDED, where(within, all_of(*reach), False).formula, style.STRAW),
        Mark(_PADDED, all_of(count(row, column) == 2, outside).formula, style.PAD),
        Mark(_OUT, all_of(count(first_row) == 1, *begins).formula, style.AMBER),
        Mark(_OUT, (count(sheet.each(_OUT, output.values)) == 1).formula, style.PALE),
    ]


def _heading(sheet: Page, block: Block, words: str) -> None:
    sheet.merged(block, words, style.HEADING)


def _title(sheet: Page, block: Block, words: str) -> None:
    """What a block is, above the numbers of its columns."""
    widgets.caption(sheet, _above(block), words, style.CLASS)


def _result(sheet: Page, at: Block, label: str, content: Expr, look: Style = style.RESULT) -> Expr:
    """A number behind its label; returns its cell."""
    sheet.span(at.row, _LEFT, at.column - 1, label, style.LINE)
    sheet.put(at.row, at.column, content, look)
    return sheet.cell(at, content.value)


SHEET = Sheet(STRIDE, page, NAME, inputs)
