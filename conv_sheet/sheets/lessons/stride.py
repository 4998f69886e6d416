"""The sheet `Stride`: kernel size, stride, padding and dilation as cells, and the output that follows from them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, all_of, any_of, count, largest, smallest, sumproduct, text, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import index
from conv_sheet.cells.page import Content, Mark, Page
from conv_sheet.cells.style import Scale, Style
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

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
    "Change a number in a box: the border around the picture, the kernel and the output follow.",
    "Choose a cell of the output, and the picture shows what it is made of.",
)

_TOP, _LEFT, _PANEL, _LABEL = 7, 2, 14, 11


def _line(row: int, height: int = 1) -> Block:
    """Rows of the panel on the left, from one on."""
    return Block(STRIDE, _TOP + row, _LEFT, height, _PANEL)


def _behind(row: int) -> Block:
    """The cell for a number behind its label."""
    return _line(row).part(0, _LABEL, 1, 1)


KERNEL_SIZE = Input.whole("kernel_size", _behind(0), 3, 1, LARGEST_KERNEL)
STEP = Input.whole("stride", _behind(1), 1, 1, WIDEST_STRIDE)
PADDING = Input.whole("padding", _behind(2), 1, 0, WIDEST_PADDING)
DILATION = Input.whole("dilation", _behind(3), 1, 1, WIDEST_DILATION)
ROW = Input.whole("stride_row", _behind(16), 2, 1, _GRID)
COLUMN = Input.whole("stride_column", _behind(17), 6, 1, _GRID)
_OPTIONS = {KERNEL_SIZE: "kernel_size, k", STEP: "stride, s", PADDING: "padding, p", DILATION: "dilation, d"}
_SEEN_SCALE = Scale(style.AMBER)
_SPAN_AT, _SIZE_AT, _UNSEEN_AT = _behind(4), _behind(9), _behind(10)
_FIRST_ROW_AT, _FIRST_COLUMN_AT, _VALUE_AT = _behind(18), _behind(19), _behind(20)
_SPANNED = replace(style.RESULT, format="0;;")

_PADDED = Block(STRIDE, _TOP, _LEFT + _PANEL + 2, _GRID, _GRID)
_INPUT = _PADDED.part(WIDEST_PADDING, WIDEST_PADDING, SIZE, SIZE)
_WEIGHT = Block(STRIDE, _TOP, _PADDED.last_column + 4, LARGEST_KERNEL, LARGEST_KERNEL)
_KERNEL = Block(STRIDE, _WEIGHT.last_row + 4, _WEIGHT.column, _SPREAD, _SPREAD)
_OUT = Block(STRIDE, _TOP + 1, _KERNEL.last_column + 5, _GRID, _GRID)
"""A row lower than the others: two rows of numbers stand above it."""
_WINDOWS = Block(STRIDE, _OUT.last_row + 3, _OUT.column, _GRID, _GRID)
_SEEN = _INPUT.part(_GRID + 1, 0, SIZE, SIZE)
"""Below the picture, in its columns: how many windows see each pixel."""

_NUMBERS = Limits(-99, 99, hint="Any number from -99 to 99.")
PICTURE = Input.table("stride_picture", _INPUT, np.array(_PIXELS, dtype=float), _NUMBERS)
WEIGHT = Input.table("stride_weight", _WEIGHT, np.array(_WEIGHTS, dtype=float), _NUMBERS)


class _Options(NamedTuple):
    """The cells of the four options, and of what follows from them first."""

    k: Expr
    s: Expr
    p: Expr
    d: Expr
    allowed: tuple[Expr, ...]
    """Of each option, whether it is what it may be."""
    span: Expr
    """How many rows a window spans; 0 where an option is not what it may be."""
    size: Expr
    """How many rows the output has; 0 where not one window fits."""


class _Numbered(NamedTuple):
    """What stands in a block, and for a formula in it the numbers of its row and of its column, beside and above."""

    values: NDArray[Any]
    row: Expr
    column: Expr


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The four options, the output cell to look at, the picture and the kernel."""
    return (*_OPTIONS, ROW, COLUMN, PICTURE, WEIGHT)


def page(state: WorkbookState) -> Page:
    """The sheet: options and words, the padded picture, the kernel, the output."""
    sheet = widgets.frame(STRIDE, _OUT.last_column, style.NEAR_ZOOM)
    cockpit.head(sheet, state, "Stride, padding, dilation: where the windows stand", _LINES)
    now = _options(sheet, state)
    picture, kernel = _padded(sheet, state, now), _kernel(sheet, state, now)
    output = _output(sheet, now, _windows(sheet, now, picture, kernel))
    _size(sheet, now, _seen(sheet, now, output))
    begins = _output_cell(sheet, state, now, output)
    _mark(sheet, now, picture, output, *begins)
    widgets.glyph(sheet, _PADDED, "⋆")
    widgets.glyph(sheet, Block(STRIDE, _TOP, _KERNEL.column, _GRID, _SPREAD), "=")
    return sheet


def _asked(sheet: Page, state: WorkbookState, item: Input, label: str) -> Expr:
    widgets.ask(sheet, item, state[item], label, _LABEL)
    return sheet.cell(item.at, state.number(item))


def _result(sheet: Page, at: Block, label: str, content: Expr, look: Style = style.RESULT) -> Expr:
    """A number behind its label; returns its cell."""
    sheet.span(at.row, _LEFT, at.column - 1, label, style.LINE)
    sheet.put(at.row, at.column, content, look)
    return sheet.cell(at, content.value)


def _options(sheet: Page, state: WorkbookState) -> _Options:
    """The options, how far a window spans, and how large the output is."""
    sheet.merged(_line(-1), "The options of nn.Conv2d", style.HEADING)
    k, s, p, d = cells = [_asked(sheet, state, item, label) for item, label in _OPTIONS.items()]
    allowed = tuple(map(widgets.allowed, _OPTIONS, cells))
    spans = where(all_of(*allowed), d * (k - 1) + 1, 0)
    span = _result(sheet, _SPAN_AT, "a window spans d·(k − 1) + 1", spans, _SPANNED)
    size = where(span > SIZE + 2 * p, 0, (SIZE + 2 * p - d * (k - 1) - 1) // s + 1)
    size = _result(sheet, _SIZE_AT, "rows and columns of the output", where(span == 0, 0, size))
    sheet.names["stride_size"] = _SIZE_AT
    return _Options(k, s, p, d, allowed, span, size)


# -- picture, kernel, output -------------------------------------------------------------------------------------------


def _beside(block: Block, gap: int = 1) -> Block:
    return block.part(0, -gap, block.height, 1)


def _above(block: Block, gap: int = 1) -> Block:
    return block.part(-gap, 0, 1, block.width)


def _number(
    sheet: Page, block: Block, number: Callable[[int], Content], look: Style = style.SIDE, gap: int = 1
) -> tuple[Expr, Expr]:
    """Number the rows and columns of a block; returns, for a formula in it, those of its row and of its column."""
    rows = sheet.fill_each(_beside(block, gap), lambda y, _: number(y), look)
    columns = sheet.fill_each(_above(block, gap), lambda _, x: number(x), look)
    return sheet.column(_beside(block, gap), rows), sheet.row(_above(block, gap), columns)


def _padded(sheet: Page, state: WorkbookState, now: _Options) -> _Numbered:
    """The picture in the middle of as much padding as there is."""
    around = WIDEST_PADDING

    def number(offset: int) -> Content:
        line = offset + 1 - around
        return where(now.p >= _depth(line), line, "") if _depth(line) else line

    row, column = _number(sheet, _PADDED, number)
    widgets.caption(sheet, _above(_PADDED), "the picture with its padding: type into the boxes", style.CLASS)
    sheet.input(PICTURE, state.array(PICTURE), style.TYPED)
    values = np.pad(state.array(PICTURE).astype(object), around)
    for y, x in _INPUT.margin(around, around, around, around):
        border = where(now.p >= max(_depth(y + 1), _depth(x + 1)), 0, "")
        sheet.put(*_INPUT.position(y, x), border, style.BORDER)
        values[y + around, x + around] = border.value
    return _Numbered(values, row, column)


def _depth(line: int) -> int:
    """How deep in the padding a row stands, 0 for one of the picture's."""
    return max(1 - line, line - SIZE, 0)


def _kernel(sheet: Page, state: WorkbookState, now: _Options) -> _Numbered:
    """The kernel as it is typed, and as it lies on the picture: with dilation, zeros stand between its weights."""
    widgets.caption(sheet, _above(_WEIGHT), "the kernel: type into the boxes", style.CLASS)
    row, column = _number(sheet, _WEIGHT, lambda offset: offset + 1)
    sheet.input(WEIGHT, state.array(WEIGHT), style.TYPED)
    sheet.marks.append(Mark(_WEIGHT, (largest(row, column) > now.k).formula, style.PAD))
    widgets.caption(sheet, _above(_KERNEL), "the kernel as it lies on the picture", style.CLASS)
    row, column = _number(sheet, _KERNEL, lambda offset: where(now.span >= offset + 1, offset + 1, ""))
    on_a_weight = (row - 1) % now.d + (column - 1) % now.d == 0
    weight = index(sheet.range(_WEIGHT, state.array(WEIGHT)), (row - 1) / now.d + 1, (column - 1) / now.d + 1)
    spread = where(count(row, column) == 2, where(on_a_weight, weight, 0), "")
    sheet.fill(_KERNEL, spread, style.WHOLE)
    there = count(sheet.each(_KERNEL, spread.value)) == 1
    sheet.marks.append(Mark(_KERNEL, where(there, on_a_weight, False).formula, style.AMBER))
    sheet.marks.append(Mark(_KERNEL, there.formula, style.STRAW))
    return _Numbered(spread.value, row, column)


def _windows(sheet: Page, now: _Options, picture: _Numbered, kernel: _Numbered) -> Expr:
    """The sums of products of all windows, each in the place of its first cell in the padded picture.

    From here the output takes its cells: a range that begins where other cells say is not understood by every program.
    """
    title = "every window that fits, whatever the stride: the output takes every s-th of them"
    widgets.caption(sheet, _WINDOWS, title)

    def window(y: int, x: int) -> Expr:
        height, width = min(_SPREAD, _GRID - y), min(_SPREAD, _GRID - x)
        pixels = sheet.near(_PADDED.part(y, x, height, width), picture.values[y : y + height, x : x + width])
        weights = sheet.range(_KERNEL.part(0, 0, height, width), kernel.values[:height, :width])
        row = sheet.cell(_beside(_PADDED).part(y, 0, 1, 1), picture.row.value[y])
        column = sheet.cell(_above(_PADDED).part(0, x, 1, 1), picture.column.value[:, x])
        fits = all_of(count(row, column) == 2, largest(row, column) + now.span <= SIZE + 1 + now.p)
        return where(now.size == 0, "", where(fits, sumproduct(pixels, weights), ""))

    return sheet.range(_WINDOWS, sheet.fill_each(_WINDOWS, window, style.SIDE))


def _output(sheet: Page, now: _Options, windows: Expr) -> _Numbered:
    """A formula for every cell that the output can have; those that it does not have now stay empty."""
    none, some = "no output: the words in red say why", "the output; in amber where its windows begin in the picture"
    widgets.caption(sheet, _above(_OUT, 2), where(now.size == 0, none, some), style.CLASS)
    _number(sheet, _OUT, lambda offset: where(now.size >= offset + 1, offset + 1, ""), gap=2)
    row, column = _number(
        sheet, _OUT, lambda offset: where(now.size >= offset + 1, 1 - now.p + offset * now.s, ""), style.BEGIN
    )
    window = index(windows, row + WIDEST_PADDING, column + WIDEST_PADDING)
    output = where(count(row, column) == 2, window, "")
    sheet.fill(_OUT, output, style.WHOLE)
    sheet.names["stride_output"] = _OUT
    return _Numbered(output.value, row, column)


def _seen(sheet: Page, now: _Options, output: _Numbered) -> Expr:
    """How many windows see each pixel, and the hatching of those that none does; returns how many rows none sees.

    A window sees a pixel where one of its weights lies on it: on its row and on its column.
    """
    weights = sheet.range(_above(_WEIGHT), np.arange(1.0, LARGEST_KERNEL + 1))

    def windows(begins: Expr, line: int) -> Expr:
        return where(now.size == 0, 0, sumproduct((begins == line - (weights - 1) * now.d) * (weights <= now.k)))

    widgets.caption(sheet, _above(_SEEN), "windows that see each pixel; hatched: none", style.CLASS)
    begins = sheet.range(_beside(_OUT), output.row.value)
    rows = sheet.fill_each(_beside(_SEEN), lambda y, _: windows(begins, y + 1), style.SIDE)
    columns = sheet.fill_each(_above(_SEEN), lambda _, x: windows(begins, x + 1), style.SIDE)
    seen = sheet.column(_beside(_SEEN), rows) * sheet.row(_above(_SEEN), columns)
    sheet.fill(_SEEN, seen, style.WHOLE)
    sheet.scales.append(((_SEEN,), _SEEN_SCALE))
    sheet.names |= {"stride_seen": _SEEN, "stride_corner": _SEEN.part(0, 0, 1, 1)}
    none = (sheet.each(_SEEN, seen.value) == 0).formula
    sheet.marks += [Mark(block, none, hatch=style.GREY) for block in (_SEEN, _INPUT)]
    return sumproduct((sheet.range(_beside(_SEEN), rows) == 0) * 1)


def _mark(
    sheet: Page, now: _Options, picture: _Numbered, output: _Numbered, first_row: Expr, first_column: Expr
) -> None:
    """What the output cell in question sees is amber, its window straw, the padding grey."""
    row, column = picture.row, picture.column
    rows, columns = (
        (row >= first_row, row < first_row + now.span),
        (column >= first_column, column < first_column + now.span),
    )
    within = count(row, column, first_row, first_column) == 4
    steps = (row - first_row) % now.d + (column - first_column) % now.d == 0
    outside = any_of(row < 1, row > SIZE, column < 1, column > SIZE)
    begins = all_of(count(first_row) == 1, output.row == first_row, output.column == first_column)
    sheet.marks += [
        Mark(_PADDED, where(within, all_of(*rows, *columns, steps), False).formula, style.AMBER),
        Mark(_PADDED, where(within, all_of(*rows, *columns), False).formula, style.STRAW),
        Mark(_PADDED, all_of(count(row, column) == 2, outside).formula, style.PAD),
        Mark(_OUT, begins.formula, style.AMBER),
        Mark(_OUT, (count(sheet.each(_OUT, output.values)) == 1).formula, style.PALE),
    ]


# -- what there is to say ----------------------------------------------------------------------------------------------


def _size(sheet: Page, now: _Options, unseen_rows: Expr) -> None:
    """What there is to say of the output's size: the formula with letters and with numbers, and what is lost."""
    sheet.merged(_line(6), "How large is the output?", style.HEADING)
    sheet.merged(_line(7), "⌊(i + 2·p − d·(k − 1) − 1) / s⌋ + 1", style.CODE)
    numbered = text(f"⌊({SIZE} + 2·", now.p, " − ", now.d, "·(", now.k, " − 1) − 1) / ", now.s, "⌋ + 1")
    sheet.merged(_line(8), where(now.span > 0, numbered, ""), style.CODE)
    unseen = _result(sheet, _UNSEEN_AT, "rows of the picture in no window", unseen_rows)
    sheet.names["stride_unseen"] = _UNSEEN_AT
    sheet.merged(_line(11, 4), _verdict(now, unseen), style.TEXT)
    sheet.marks.append(Mark(_line(11, 4), (now.size == 0).formula, style.BAD))


def _verdict(now: _Options, unseen: Expr) -> Expr:
    """What there is to say of the size; why there is no output, if there is none."""
    padded = SIZE + 2 * now.p
    too_wide = text(
        *("Impossible: a window spans ", now.span, " rows and columns, the padded picture has only ", padded),
        ". Take a smaller kernel, less dilation or more padding.",
    )
    refused = [
        where(allowed, "", f"{item.name} is not a whole number from {item.limits.low} to {item.limits.high}. ")
        for item, allowed in zip(_OPTIONS, now.allowed, strict=True)
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
    sheet.merged(_line(15), "What makes one cell of the output?", style.HEADING)
    row, column = asked = [
        _asked(sheet, state, item, f"{axis} of the output") for item, axis in ((ROW, "row"), (COLUMN, "column"))
    ]
    allowed = (widgets.allowed(item, cell) for item, cell in zip((ROW, COLUMN), asked, strict=True))
    exists = all_of(now.size > 0, *allowed)

    def begin(at: Block, axis: str, number: Expr) -> Expr:
        first = where(exists, 1 - now.p + (smallest(number, now.size) - 1) * now.s, "")
        return _result(sheet, at, f"its window begins in {axis}", first)

    begins = begin(_FIRST_ROW_AT, "row", row), begin(_FIRST_COLUMN_AT, "column", column)
    nearest = index(sheet.range(_OUT, output.values), smallest(row, now.size), smallest(column, now.size))
    _result(sheet, _VALUE_AT, "its value", where(exists, nearest, ""))
    sheet.names["stride_value"] = _VALUE_AT
    one = "The product of the amber cell of the picture and its weight."
    sum_of = ("The sum of ", now.k * now.k, " products: the amber cells of the picture, each times its weight.")
    beyond = text("The output has ", now.size, " rows and columns: its last is shown. ")
    shown = text(where(largest(row, column) > now.size, beyond, ""), where(now.k == 1, one, text(*sum_of)))
    none = where(now.size == 0, "There is no output.", f"Row and column are whole numbers from 1 to {_GRID}.")
    words = where(exists, shown, none)
    sheet.merged(_line(21, 3), words, style.TEXT)
    return begins


SHEET = Sheet(STRIDE, page, NAME, inputs)
