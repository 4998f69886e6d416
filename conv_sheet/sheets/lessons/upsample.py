"""The sheet `Upsample`: a transposed convolution as a matrix, with zeros between, and where it makes checkerboards."""

from typing import NamedTuple

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, all_of, count, integer, largest, smallest, sumproduct, text, where
from conv_sheet.cells.grid import Block
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

NAME = "upsample"
UPSAMPLE = "Upsample"
LENGTH, SIDE = 3, 4
"""Numbers of the row; rows and columns of the picture."""
WIDEST_STRIDE, LARGEST_KERNEL = 3, 4

_LONGEST = (LENGTH - 1) * WIDEST_STRIDE + LARGEST_KERNEL
_STUFFED = (LENGTH - 1) * WIDEST_STRIDE + 1 + 2 * (LARGEST_KERNEL - 1)
_LARGEST = (SIDE - 1) * WIDEST_STRIDE + LARGEST_KERNEL
_EVEN_LARGEST = SIDE * WIDEST_STRIDE
_LINES = (
    "Every number lays down the kernel, times itself, a stride further on. Where kernels overlap, they add up.",
    "Choose stride and kernel size. The row and the kernel in boxes are yours.",
)
_ZOOM, _LAST, _TOP = 110, 48, 10
_NUMBERS = Limits(-9, 9, whole=True, hint="A whole number from -9 to 9.")

STRIDE = Input.whole("up_stride", Block(UPSAMPLE, 5, 6, 1, 1), 2, 1, WIDEST_STRIDE)
SIZE = Input.whole("up_size", Block(UPSAMPLE, 5, 14, 1, 1), 3, 1, LARGEST_KERNEL)
KERNEL = Input.table("up_kernel", Block(UPSAMPLE, 5, 20, 1, LARGEST_KERNEL), np.array([[1.0, 2.0, 1.0, 1.0]]), _NUMBERS)
ROW = Input.table("up_input", Block(UPSAMPLE, _TOP - 1, 5, 1, LENGTH), np.array([[1.0, 2.0, -1.0]]), _NUMBERS)

_MATRIX = Block(UPSAMPLE, _TOP, 5, _LONGEST, LENGTH)
_OUT = _MATRIX.part(0, LENGTH + 1, _LONGEST, 1)
_BACK = _MATRIX.part(_LONGEST + 1, 0, 1, LENGTH)
_ZEROS = Block(UPSAMPLE, _TOP, 13, _STUFFED, 1)
_TURNED = Block(UPSAMPLE, _TOP, 16, LARGEST_KERNEL, 1)
_SAME = Block(UPSAMPLE, _TOP, 19, _LONGEST, 1)
_COUNTS = Block(UPSAMPLE, _TOP, 23, _LARGEST, _LARGEST)
_EVEN = Block(UPSAMPLE, _TOP, _COUNTS.last_column + 2, _EVEN_LARGEST, _EVEN_LARGEST)
_BELOW = _COUNTS.last_row + 2


class _Now(NamedTuple):
    """The cells of the choices, and whether both are what they may be."""

    s: Expr
    k: Expr
    valid: Expr


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """Stride, kernel size, kernel and row."""
    return STRIDE, SIZE, KERNEL, ROW


def page(state: WorkbookState) -> Page:
    """The sheet: the matrix, the zeros between, the checkerboard."""
    sheet = widgets.frame(UPSAMPLE, _LAST, _ZOOM)
    widgets.head(sheet, "Transposed convolution: how a map gets larger", _LINES, _LAST)
    now = _choices(sheet, state)
    matrix = _matrix(sheet, state, now)
    out = _output(sheet, state, now, matrix)
    _back(sheet, state, matrix, out)
    _zeros(sheet, state, now, out)
    _checkerboard(sheet, now)
    return sheet


def _choices(sheet: Page, state: WorkbookState) -> _Now:
    for item, label, width in ((STRIDE, "stride, s", 4), (SIZE, "kernel size, k", 5)):
        widgets.ask(sheet, item, state[item], label, width)
    s, k = (sheet.cell(item.at, state.number(item)) for item in (STRIDE, SIZE))
    sheet.span(KERNEL.at.row, KERNEL.at.column - 3, KERNEL.at.column - 1, "kernel", style.LINE)
    sheet.input(KERNEL, state.array(KERNEL), style.TYPED)
    beyond = sheet.column_number(KERNEL.at) > k
    sheet.marks.append(Mark(KERNEL.at, beyond.formula, style.PAD))
    valid = all_of(widgets.allowed(STRIDE, s), widgets.allowed(SIZE, k))
    return _Now(s, k, valid)


def _weight(sheet: Page, state: WorkbookState, place: Expr) -> Expr:
    """The weight in a place of the kernel, counted from 0."""
    return index(sheet.range(KERNEL.at, state.array(KERNEL)), 1, place + 1)


# -- the matrix --------------------------------------------------------------------------------------------------------


def _matrix(sheet: Page, state: WorkbookState, now: _Now) -> Array:
    """A column for each number of the row: the kernel, where this number lays it; returns the values."""
    s, k, valid = now
    sheet.put(_TOP - 3, 2, "1  A matrix, transposed", style.HEADING)
    sheet.put(ROW.at.row, 2, "row", style.CLASS)
    sheet.input(ROW, state.array(ROW), style.TYPED)
    place = sheet.row_number(_MATRIX) - 1 - (sheet.column_number(_MATRIX) - 1) * s
    length = (LENGTH - 1) * s + k
    inside = where(all_of(place >= 0, place < k), _weight(sheet, state, _clipped(place, k)), 0)
    made = where(valid, where(sheet.row_number(_MATRIX) <= length, inside, ""), "")
    sheet.fill(_MATRIX, made, style.WHOLE)
    there = all_of(count(sheet.each(_MATRIX, made.value)) == 1, valid, place >= 0, place < k)
    sheet.marks += [
        Mark(_MATRIX, there.formula, style.AMBER),
        Mark(_MATRIX, (count(sheet.each(_MATRIX, made.value)) == 1).formula, style.STRAW),
    ]
    sheet.names["up_matrix"] = _MATRIX
    return np.asarray(made.value)


def _clipped(place: Expr, k: Expr) -> Expr:
    """A place that is in the kernel: where another one is meant, it is not looked at."""
    return largest(0, smallest(place, k - 1))


def _output(sheet: Page, state: WorkbookState, now: _Now, matrix: Array) -> Array:
    """Matrix times row; returns the values."""
    values = state.array(ROW)
    sheet.put(_TOP - 1, _OUT.column, "out", style.CLASS)

    def product(y: int, _: int) -> Expr:
        line = sheet.near(_MATRIX.part(y, 0, 1, LENGTH), matrix[y : y + 1])
        there = count(sheet.near(_MATRIX.part(y, 0, 1, 1), matrix[y, 0])) == 1
        return where(there, sumproduct(line, sheet.range(ROW.at, values)), "")

    out = sheet.fill_each(_OUT, product, style.RESULT)
    sheet.marks.append(Mark(_OUT, (count(sheet.each(_OUT, out)) == 1).formula, style.PALE))
    length = (LENGTH - 1) * now.s + now.k
    at = Block(UPSAMPLE, _BACK.row + 4, _OUT.column, 1, 1)
    sheet.put(at.row, 2, "length, (n − 1)·s + k", style.LINE)
    sheet.put(at.row, at.column, where(now.valid, length, 0), style.RESULT)
    sheet.names |= {"up_output": _OUT, "up_length": at}
    return out


def _back(sheet: Page, state: WorkbookState, matrix: Array, out: Array) -> None:
    """The convolution with the same kernel and stride: the matrix itself, which does not bring the row back."""
    columns = [sheet.near(_MATRIX.part(0, i, _LONGEST, 1), matrix[:, i : i + 1]) for i in range(LENGTH)]
    result = sheet.range(_OUT, out)
    sheet.put(_BACK.row, 2, "back", style.CLASS)
    made = sheet.fill_each(_BACK, lambda _, i: sumproduct(columns[i], result), OUTPUT)
    apart = sumproduct((sheet.range(_BACK, made) - sheet.range(ROW.at, state.array(ROW))) ** 2)
    words = where(apart <= TOLERANCE, "conv1d of out: here it is the row again.", "conv1d of out: it is not the row.")
    sheet.put(_BACK.row + 1, 2, words, style.LINE)
    sheet.put(_BACK.row + 2, 2, "Transposed, not inverted: no “deconvolution”.", style.LINE)
    sheet.names["up_back"] = _BACK


# -- zeros between -----------------------------------------------------------------------------------------------------


def _zeros(sheet: Page, state: WorkbookState, now: _Now, out: Array) -> None:
    """The row with zeros between its numbers and around them, under the kernel turned round."""
    s, k, valid = now
    sheet.put(_TOP - 3, _ZEROS.column - 1, "2  Zeros between", style.HEADING)
    sheet.put(_TOP - 1, _ZEROS.column - 1, "zeros", style.CLASS)
    sheet.put(_TOP - 1, _TURNED.column - 1, "turned", style.CLASS)
    sheet.put(_TOP - 1, _SAME.column - 1, "conv1d", style.CLASS)
    values, numbers = state.array(ROW), sheet.row_number(_ZEROS)
    place = numbers - k
    behind = (LENGTH - 1) * s
    step = largest(1, s)
    taken = index(sheet.range(ROW.at, values), 1, integer(largest(0, smallest(place, behind)) / step) + 1)
    stands = all_of(place >= 0, place <= behind, place % step == 0)
    stuffed = where(valid, where(numbers <= behind + 2 * k - 1, where(stands, taken, 0), ""), "")
    sheet.fill(_ZEROS, stuffed, style.WHOLE)
    there = count(sheet.each(_ZEROS, stuffed.value)) == 1
    sheet.marks += [
        Mark(_ZEROS, all_of(there, stands).formula, style.AMBER),
        Mark(_ZEROS, there.formula, style.PAD),
    ]
    back = k - sheet.row_number(_TURNED)
    turned = where(valid, where(back >= 0, _weight(sheet, state, _clipped(back, k)), ""), "")
    sheet.fill(_TURNED, turned, style.WHOLE)
    sheet.marks.append(Mark(_TURNED, (count(sheet.each(_TURNED, turned.value)) == 1).formula, style.AMBER))
    window = sheet.windows(_ZEROS, (LARGEST_KERNEL, 1), stuffed.value)
    length = (LENGTH - 1) * s + k
    made = sumproduct(window, sheet.range(_TURNED, np.asarray(turned.value)))
    same = where(valid, where(sheet.row_number(_SAME) <= length, made, ""), "")
    sheet.fill(_SAME, same, style.RESULT)
    sheet.marks.append(Mark(_SAME, (count(sheet.each(_SAME, same.value)) == 1).formula, style.PALE))
    sheet.names |= {"up_zeros": _ZEROS, "up_turned": _TURNED, "up_same": _SAME}
    differ = [
        sheet.near(_SAME.part(y, 0, 1, 1), same.value[y, 0]) == sheet.near(_OUT.part(y, 0, 1, 1), out[y, 0])
        for y in range(_LONGEST)
    ]
    line = Block(UPSAMPLE, _BACK.row + 4, _ZEROS.column - 1, 1, 8)
    words = where(all_of(*differ), "both ways: the same", "the two ways differ")
    sheet.merged(line, words, style.STATUS)
    verdict = sheet.cell(line.part(0, 0, 1, 1), words.value) == "both ways: the same"
    sheet.verdicts.append(Verdict(line, verdict.formula))


# -- checkerboards -----------------------------------------------------------------------------------------------------


def _checkerboard(sheet: Page, now: _Now) -> None:
    """How many kernels reach each cell, in two dimensions; beside it nearest neighbours and a plain convolution."""
    s, k, valid = now
    sheet.put(_TOP - 3, _COUNTS.column - 1, "3  How many kernels reach each cell", style.HEADING)
    step, last = largest(1, s), SIDE - 1

    def reached(place: Expr) -> Expr:
        """Kernels along one axis that reach a place, counted from 0: those that began before it and have not ended."""
        began = smallest(last, integer(place / step))
        ended = largest(0, integer((place - k) / step) + 1)
        return where(valid, where(place < last * s + k, began - ended + 1, ""), "")

    def even(place: Expr) -> Expr:
        return where(valid, where(place < SIDE * s - k + 1, k, ""), "")

    for name, block, along, title in (
        ("up_counts", _COUNTS, reached, "transposed"),
        ("up_even", _EVEN, even, "nearest neighbours, then conv2d"),
    ):
        beside, above = block.part(0, -1, block.height, 1), block.part(-1, 0, 1, block.width)
        sheet.put(above.row - 1, block.column, title, style.CLASS)
        down, right = sheet.row_number(beside) - 1, sheet.column_number(above) - 1
        rows, columns = along(down), along(right)
        sheet.fill(beside, rows, NUMBERED)
        sheet.fill(above, columns, NUMBERED)
        y = sheet.column(beside, np.broadcast_to(rows.value, beside.shape))
        x = sheet.row(above, np.broadcast_to(columns.value, above.shape))
        made = where(count(y, x) == 2, y * x, "")
        sheet.fill(block, made, style.WHOLE)
        sheet.scales.append(((block,), style.WARM_SCALE))
        sheet.names[name] = block
    divides = "The stride divides the kernel size: inside, every cell gets as much as its neighbours."
    board = text("k = ", k, " is no multiple of s = ", s, ": neighbours get different amounts. A checkerboard.")
    words = where(valid, where(k % step == 0, divides, board), "")
    sheet.put(_BELOW, _COUNTS.column - 1, words, style.LINE)
    sheet.names["up_board"] = Block(UPSAMPLE, _BELOW, _COUNTS.column - 1, 1, 1)


SHEET = Sheet(UPSAMPLE, page, NAME, inputs)
