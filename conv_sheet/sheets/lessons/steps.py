"""The sheet `Steps`: one convolution of a small picture, every product written out; of a row of numbers, too."""

import functools
import operator
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, Operand, all_of, sumproduct, text, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import index
from conv_sheet.cells.page import Mark, Page
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets.lessons.looks import NUMBERED, OUTPUT
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "steps"
STEPS = "Steps"
SIZE, KERNEL = 4, 3
"""Rows and columns of the picture and of the kernel."""
OUT = SIZE - KERNEL + 1
LENGTH = 6
"""Numbers of the row."""
MOST = 7
"""Rows of the largest picture for which windows are drawn."""
CORRELATION, CONVOLUTION = "cross-correlation", "convolution"

_PICTURE = ((2, 0, 1, 0), (1, 3, 0, 1), (1, 2, 0, 2), (0, 1, 2, 2))
_WEIGHTS = ((1, 0, -1), (1, 0, -1), (1, 0, -1))
_SIGNAL, _SIGNAL_WEIGHTS = ((1, 2, 4, 4, 3, 1),), ((1, 0, -1),)
_LINES = (
    "Lay the kernel on a window of the picture. Multiply each pair of numbers, add the nine products: one number.",
    "Numbers in boxes are yours. Choose where the window stands: amber shows it in the picture and in the sums.",
)
_ZOOM, _LEFT, _PANEL, _LABEL, _LAST = 110, 2, 11, 9, 48
_TOP, _WRITTEN, _BELOW = 7, 12, 18
_SAID = 5
"""Columns before a sum that is written out."""


def _behind(row: int, label: int = _LABEL, left: int = _LEFT) -> Block:
    """The cell for a number behind its label."""
    return Block(STEPS, row, left + label, 1, 1)


def _numbers(name: str, block: Block, first: Sequence[Sequence[float]]) -> Input:
    limits = Limits(-9, 9, whole=True, hint="A whole number from -9 to 9.")
    return Input.table(name, block, np.array(first, dtype=float), limits)


def _place(name: str, at: Block, most: int, words: str) -> Input:
    return Input.one_of(name, at, tuple(range(1, most + 1)), 1.0, f"{words}: from 1 to {most}.")


ROW = _place("steps_row", _behind(_TOP - 1), OUT, "The first row of the window")
COLUMN = _place("steps_column", _behind(_TOP), OUT, "The first column of the window")
_VALUE_AT = _behind(_TOP + 1)
OPERATION = Input.one_of(
    "steps_operation",
    Block(STEPS, _WRITTEN + 1, _LEFT, 1, 1),
    (CORRELATION, CONVOLUTION),
    CORRELATION,
    "The kernel as it is, or turned by half a turn.",
)
PICTURE = _numbers("steps_picture", Block(STEPS, _TOP, _LEFT + _PANEL + 2, SIZE, SIZE), _PICTURE)
WEIGHT = _numbers("steps_kernel", PICTURE.at.part(0, SIZE + 2, KERNEL, KERNEL), _WEIGHTS)
_USED = WEIGHT.at.part(0, KERNEL + 2, KERNEL, KERNEL)
_OUT = _USED.part(0, KERNEL + 2, OUT, OUT)
_OTHER = _OUT.part(0, OUT + 4, OUT, OUT)
_DIFFER_AT = _OUT.part(OUT + 1, 0, 1, 1)

ROWS = Input.whole("steps_rows", _behind(_BELOW + 1), SIZE, 1, MOST, f"Rows of a picture: from 1 to {MOST}.")
SIDE = Input.whole("steps_side", _behind(_BELOW + 2), KERNEL, 1, MOST, f"Rows of a kernel: from 1 to {MOST}.")
_PLACES_AT = _behind(_BELOW + 3)
_PLACES = Block(STEPS, _BELOW + 2, PICTURE.at.column, MOST, MOST)

SIGNAL = _numbers("steps_signal", Block(STEPS, _BELOW + 2, WEIGHT.at.column + 4, 1, LENGTH), _SIGNAL)
SIGNAL_WEIGHT = _numbers("steps_weights", SIGNAL.at.part(0, LENGTH + 2, 1, KERNEL), _SIGNAL_WEIGHTS)
_LINE = SIGNAL_WEIGHT.at.part(0, KERNEL + 2, 1, LENGTH - KERNEL + 1)
PLACE = _place("steps_place", _behind(_BELOW + 1, 4, _LINE.column - 1), _LINE.width, "The first place of the window")


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The window, the operation, picture and kernel; the sizes to count for; a row of numbers and its kernel."""
    return ROW, COLUMN, OPERATION, PICTURE, WEIGHT, ROWS, SIDE, SIGNAL, SIGNAL_WEIGHT, PLACE


class _Window(NamedTuple):
    """Where the window stands, and whether the kernel is turned."""

    row: Expr
    column: Expr
    turned: Expr


def page(state: WorkbookState) -> Page:
    """The sheet: a window, its kernel and every product above; how many windows there are, and a row, below."""
    sheet = widgets.frame(STEPS, _LAST, _ZOOM)
    widgets.head(sheet, "One convolution, written out", _LINES, _LAST)
    now = _window(sheet, state)
    used, turned = _kernel(sheet, state, now)
    out = _maps(sheet, state, used, turned)
    _written(sheet, state, now, used, out)
    _value(sheet, now, out)
    _places(sheet, state)
    _signal(sheet, state, now)
    return sheet


def _cells(sheet: Page, block: Block, values: Array) -> list[list[Expr]]:
    """The cells of a block one by one."""
    return [[sheet.cell(block.part(y, x, 1, 1), values[y, x]) for x in range(block.width)] for y in range(block.height)]


def _summed(terms: Iterable[Expr]) -> Expr:
    return functools.reduce(operator.add, terms)


def _asked(sheet: Page, state: WorkbookState, item: Input, label: str, width: int = _LABEL) -> Expr:
    """A number of the user's behind its label, with arrows that count it."""
    widgets.ask(sheet, item, state[item], label, width)
    widgets.spinner(sheet, item, state.number(item), item.at.part(0, 1, 1, 1), label)
    return sheet.cell(item.at, state.number(item))


def _result(sheet: Page, at: Block, label: str, content: Expr) -> Expr:
    """A number behind its label; returns its cell."""
    sheet.span(at.row, at.column - _LABEL, at.column - 1, label, style.LINE)
    sheet.put(at.row, at.column, content, style.RESULT)
    return sheet.cell(at, content.value)


# -- a picture and a kernel --------------------------------------------------------------------------------------------


def _window(sheet: Page, state: WorkbookState) -> _Window:
    """The choices, the picture, and the window in it."""
    sheet.span(_TOP - 2, _LEFT, _LEFT + _PANEL - 1, "Where is the window?", style.HEADING)
    row, column = _asked(sheet, state, ROW, "its first row"), _asked(sheet, state, COLUMN, "its first column")
    sheet.span(_WRITTEN, _LEFT, _LEFT + _PANEL - 1, "Which way round?", style.HEADING)
    sheet.input(OPERATION, state[OPERATION], style.CHOICE_TEXT, _PANEL - 1)
    turned = sheet.cell(OPERATION.at, state.text(OPERATION)) == CONVOLUTION
    typed = "As PyTorch computes it: the kernel lies there as it is typed."
    half = "As mathematics has it: the kernel is turned by half a turn first."
    sheet.merged(Block(STEPS, _WRITTEN + 2, _LEFT, 2, _PANEL - 1), where(turned, half, typed), style.TEXT)
    block = PICTURE.at
    numbers = np.arange(1.0, SIZE + 1)
    above, beside = block.part(-1, 0, 1, SIZE), block.part(0, -1, SIZE, 1)
    widgets.caption(sheet, above, "the picture", style.CLASS)
    sheet.fill(above, numbers[np.newaxis], NUMBERED)
    sheet.fill(beside, numbers[:, np.newaxis], NUMBERED)
    sheet.input(PICTURE, state.array(PICTURE), style.TYPED)
    y, x = sheet.column(beside, numbers), sheet.row(above, numbers)
    inside = all_of(y >= row, y < row + KERNEL, x >= column, x < column + KERNEL)
    sheet.marks.append(Mark(block, inside.formula, style.AMBER))
    widgets.glyph(sheet, block.part(0, 0, KERNEL, SIZE), "⋆")
    return _Window(row, column, turned)


def _kernel(sheet: Page, state: WorkbookState, now: _Window) -> tuple[Array, list[list[Expr]]]:
    """The kernel as it is typed and as it lies on the window; returns its values, and its cells the other way round."""
    block = WEIGHT.at
    _title(sheet, block, "the kernel")
    sheet.input(WEIGHT, state.array(WEIGHT), style.TYPED)
    typed = _cells(sheet, block, state.array(WEIGHT))
    _title(sheet, _USED, where(now.turned, "turned", "as it is"))
    used = sheet.fill_each(_USED, lambda y, x: where(now.turned, typed[-1 - y][-1 - x], typed[y][x]), style.WHOLE)
    widgets.glyph(sheet, block, "→")
    widgets.glyph(sheet, _USED, "=")
    bound = _USED.part(-1, KERNEL - 1, 1, 1)
    widgets.signed(sheet, bound, [(block, state.array(WEIGHT)), (_USED, used)])
    sheet.names["steps_used"] = _USED
    return used, [row[::-1] for row in _cells(sheet, _USED, used)[::-1]]


def _title(sheet: Page, block: Block, content: Operand) -> None:
    """A caption as high as that of the picture, which has a row of numbers below it."""
    sheet.put(block.row - 2, block.column, content, style.CLASS)


def _maps(sheet: Page, state: WorkbookState, used: Array, turned: list[list[Expr]]) -> Array:
    """What the kernel makes of the picture, and what it makes the other way round; returns the first."""
    picture = state.array(PICTURE)
    made = sumproduct(sheet.windows(PICTURE.at, (KERNEL, KERNEL), picture), sheet.range(_USED, used))
    _title(sheet, _OUT, "the output")
    sheet.fill(_OUT, made, OUTPUT)
    pixels = _cells(sheet, PICTURE.at, picture)

    def other(y: int, x: int) -> Expr:
        return _summed(pixels[y + i][x + j] * turned[i][j] for i, j in np.ndindex(KERNEL, KERNEL))

    _title(sheet, _OTHER, "the other way round")
    others = sheet.fill_each(_OTHER, other, style.BORDER)
    sheet.names |= {"steps_out": _OUT, "steps_other": _OTHER}
    one, two = sheet.range(_OUT, np.asarray(made.value)), sheet.range(_OTHER, others)
    differ = sumproduct((one - two > 0) + (one - two < 0))
    sheet.put(_DIFFER_AT.row, _DIFFER_AT.column, differ, style.RESULT)
    words = f"of {OUT * OUT} values differ"
    equal = f"{words}: half a turn leaves this kernel as it is"
    said = where(sheet.cell(_DIFFER_AT, differ.value) == 0, equal, words)
    sheet.put(_DIFFER_AT.row, _DIFFER_AT.column + 1, said, style.LINE)
    sheet.names["steps_differ"] = _DIFFER_AT
    return np.asarray(made.value)


def _products(pairs: Sequence[tuple[Expr, Expr]], made: Expr) -> Expr:
    """`(2·1) + (0·-1) = 2`, from cells."""
    pieces: list[Operand] = []
    for number, (pixel, weight) in enumerate(pairs):
        pieces += [" + (" if number else "(", pixel, "·", weight, ")"]
    return text(*pieces, " = ", made)


def _say(sheet: Page, line: Block, label: str, products: Expr) -> None:
    """A sum that is written out, behind its label."""
    sheet.span(line.row, line.column, line.column + _SAID - 1, label, style.LINE)
    sheet.span(line.row, line.column + _SAID, line.last_column, products, style.CODE)


def _written(sheet: Page, state: WorkbookState, now: _Window, used: Array, out: Array) -> None:
    """The sum of each window with its numbers; that of the chosen one is amber."""
    pixels, weights, made = (
        _cells(sheet, block, values)
        for block, values in ((PICTURE.at, state.array(PICTURE)), (_USED, used), (_OUT, out))
    )
    first = PICTURE.at.column
    sheet.span(_WRITTEN, first, _LAST, "Nine products each: the four sums", style.HEADING)
    for number, (y, x) in enumerate(np.ndindex(OUT, OUT), 1):
        pairs = [(pixels[y + i][x + j], weights[i][j]) for i, j in np.ndindex(KERNEL, KERNEL)]
        line = Block(STEPS, _WRITTEN + number, first, 1, _LAST - first + 1)
        _say(sheet, line, f"row {y + 1}, column {x + 1}", _products(pairs, made[y][x]))
        here = all_of(now.row == y + 1, now.column == x + 1).formula
        sheet.marks.append(Mark(line, here, style.AMBER))
        sheet.marks.append(Mark(_OUT.part(y, x, 1, 1), here, style.AMBER))


def _value(sheet: Page, now: _Window, out: Array) -> None:
    """The number that the chosen window becomes."""
    there = all_of(widgets.allowed(ROW, now.row), widgets.allowed(COLUMN, now.column))
    value = where(there, index(sheet.range(_OUT, out), now.row, now.column), "")
    _result(sheet, _VALUE_AT, "it becomes", value)
    sheet.names["steps_value"] = _VALUE_AT


# -- how many windows --------------------------------------------------------------------------------------------------


def _places(sheet: Page, state: WorkbookState) -> None:
    """Every place that a window has in so many rows, drawn below each other."""
    sheet.span(_BELOW, _LEFT, _PLACES.last_column, "Why 2×2? A window has n − k + 1 places", style.HEADING)
    rows, side = _asked(sheet, state, ROWS, "rows of the picture, n"), _asked(sheet, state, SIDE, "of the kernel, k")
    valid = all_of(widgets.allowed(ROWS, rows), widgets.allowed(SIDE, side))
    places = where(valid, where(side > rows, 0, rows - side + 1), 0)
    count = _result(sheet, _PLACES_AT, "places, n − k + 1", places)
    sheet.names["steps_places"] = _PLACES_AT
    fits = text(rows, " − ", side, " + 1 = ", count, ": one row of the output for each place.")
    words = where(count == 0, "No place: the kernel has more rows than the picture.", fits)
    sheet.merged(Block(STEPS, _PLACES_AT.row + 1, _LEFT, 2, _PANEL - 1), words, style.TEXT)
    numbers = np.arange(1.0, MOST + 1)
    above, beside = _PLACES.part(-1, 0, 1, MOST), _PLACES.part(0, -1, MOST, 1)
    lines = sheet.fill_each(beside, lambda y, _: where(count > y, y + 1, ""), NUMBERED)
    sheet.fill(above, numbers[np.newaxis], NUMBERED)
    y, x = sheet.column(beside, lines), sheet.row(above, numbers)
    drawn = where(y == "", "", where(x > rows, "", x))
    sheet.fill(_PLACES, drawn, style.WHOLE)
    there = sheet.each(_PLACES, drawn.value) != ""
    sheet.marks += [
        Mark(_PLACES, all_of(there, x >= y, x < y + side).formula, style.AMBER),
        Mark(_PLACES, there.formula, style.PALE),
    ]
    sheet.names["steps_windows"] = _PLACES


# -- a row of numbers --------------------------------------------------------------------------------------------------


def _signal(sheet: Page, state: WorkbookState, now: _Window) -> None:
    """The same in one dimension."""
    block, kernel, first = SIGNAL.at, SIGNAL_WEIGHT.at, SIGNAL.at.column
    sheet.span(_BELOW, first, _LAST, "In one dimension: a row of numbers, Conv1d", style.HEADING)
    place = _asked(sheet, state, PLACE, "place", 3)
    numbers, weights = state.array(SIGNAL), state.array(SIGNAL_WEIGHT)
    for item, caption in ((SIGNAL, "the row"), (SIGNAL_WEIGHT, "the kernel")):
        widgets.caption(sheet, item.at, caption, style.CLASS)
        sheet.input(item, state.array(item), style.TYPED)
    widgets.glyph(sheet, block, "⋆")
    widgets.glyph(sheet, kernel, "=")
    (pixels,), (typed,) = _cells(sheet, block, numbers), _cells(sheet, kernel, weights)
    pairs = [
        [(pixels[n + i], where(now.turned, typed[-1 - i], typed[i])) for i in range(KERNEL)] for n in range(_LINE.width)
    ]
    made = sheet.fill_each(_LINE, lambda _, n: _summed(pixel * weight for pixel, weight in pairs[n]), OUTPUT)
    (sums,) = _cells(sheet, _LINE, made)
    sheet.names["steps_line"] = _LINE
    for n, terms in enumerate(pairs):
        line = Block(STEPS, block.row + 2 + n, first, 1, _LAST - first + 1)
        _say(sheet, line, f"place {n + 1}", _products(terms, sums[n]))
        here = (place == n + 1).formula
        sheet.marks += [
            Mark(line, here, style.AMBER),
            Mark(block.part(0, n, 1, KERNEL), here, style.AMBER),
            Mark(_LINE.part(0, n, 1, 1), here, style.AMBER),
        ]


SHEET = Sheet(STEPS, page, NAME, inputs)
