"""The table of the sheet `Channels`: multiplications of a convolution, and of the two that separate what it does."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from conv_sheet.cells import style
from conv_sheet.cells.expr import Expr
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input
from conv_sheet.cells.page import Content, Page
from conv_sheet.state import WorkbookState


class _Size(NamedTuple):
    """A size of a convolution that keeps height and width: its label, the first that is typed, the largest."""

    label: str
    first: int
    most: int


_SIZES = {
    "in": _Size("maps in", 64, 4096),
    "out": _Size("maps out", 128, 4096),
    "kernel": _Size("kernel size", 3, 15),
    "rows": _Size("rows of a map", 56, 1024),
    "columns": _Size("columns of a map", 56, 1024),
}


class _Line(NamedTuple):
    """A line of the table: its label, what it makes of the sizes and of the lines above by name, and its look."""

    label: str
    of: Callable[[Mapping[str, Expr]], Expr]
    look: style.Style = style.NUMBER


_LINES = {
    "whole": _Line(
        "Conv2d(in, out, k):  k·k·in · out·rows·columns",
        lambda n: n["kernel"] ** 2 * n["in"] * n["out"] * n["rows"] * n["columns"],
    ),
    "depthwise": _Line(
        "depthwise, groups = in:  k·k · in·rows·columns",
        lambda n: n["kernel"] ** 2 * n["in"] * n["rows"] * n["columns"],
    ),
    "pointwise": _Line(
        "pointwise, 1×1:  in · out·rows·columns", lambda n: n["in"] * n["out"] * n["rows"] * n["columns"]
    ),
    "both": _Line("depthwise + pointwise", lambda n: n["depthwise"] + n["pointwise"], style.TOTAL),
    "part": _Line("… as part of the first", lambda n: n["both"] / n["whole"], style.PERCENT),
    "law": _Line("… which is always  1/out + 1/k²", lambda n: 1 / n["out"] + 1 / n["kernel"] ** 2, style.PERCENT),
}
"""Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications"."""

_HEAD_ROW = 3
_TEXT_WIDTH, _NUMBER_WIDTH = 22, 6
SIZE = _HEAD_ROW + 1 + len(_SIZES) + len(_LINES), _TEXT_WIDTH + 2 * _NUMBER_WIDTH
"""Rows and columns of the table with its heading."""


def _at(area: Block, line: int, column: int) -> Block:
    """A number of the table; column 0 is the lesson's, 1 the user's."""
    return area.part(_HEAD_ROW + line, _TEXT_WIDTH + column * _NUMBER_WIDTH, 1, 1)


def inputs(area: Block) -> tuple[Input, ...]:
    """The sizes of a convolution to count for, as `count_in`."""
    return tuple(
        Input.whole(f"count_{name}", _at(area, line, 1), size.first, 1, size.most)
        for line, (name, size) in enumerate(_SIZES.items(), 1)
    )


def table(sheet: Page, state: WorkbookState, area: Block, own: Sequence[int], sizes: Sequence[Input]) -> None:
    """Multiplications of both ways, for the lesson's own convolution and for one of the user's sizes."""
    first, names = area.column, area.column + _TEXT_WIDTH - 1
    title = "Depthwise separable: what leaving the sum to a 1×1 saves"
    words = "A depthwise convolution keeps the maps of the slices apart; a pointwise (1×1) one mixes them for each map."
    sheet.span(area.row, first, area.last_column, title, style.HEADING)
    sheet.span(area.row + 1, first, area.last_column, words, style.LINE)
    sheet.span(area.row + _HEAD_ROW, first, names, "multiplications by a weight", style.HEAD_LEFT)
    labels = [*(size.label for size in _SIZES.values()), *(line.label for line in _LINES.values())]
    for row, label in enumerate(labels, area.row + _HEAD_ROW + 1):
        sheet.span(row, first, names, label, style.HEAD_LEFT if label == _LINES["both"].label else style.LINE)
    for line, (item, size) in enumerate(zip(sizes, own, strict=True), 1):
        _put(sheet, _at(area, line, 0), float(size), style.NUMBER)
        sheet.input(item, state[item], style.ASKED, _NUMBER_WIDTH)
    _column(sheet, area, 0, ("conv1", "conv1"), own)
    _column(sheet, area, 1, ("yours", "count"), [state.number(item) for item in sizes])


def _column(sheet: Page, area: Block, column: int, names: tuple[str, str], sizes: Sequence[float]) -> None:
    """What follows from the sizes in a column; `names` are its head and what its defined names begin with."""
    head, prefix = names
    _put(sheet, _at(area, 0, column), head, style.HEAD)
    known = {
        name: sheet.cell(_at(area, line, column), float(size))
        for line, (name, size) in enumerate(zip(_SIZES, sizes, strict=True), 1)
    }
    for line, (name, item) in enumerate(_LINES.items(), 1 + len(_SIZES)):
        at, made = _at(area, line, column), item.of(known)
        _put(sheet, at, made, item.look)
        sheet.names[f"{prefix}_{name}"] = at
        known[name] = sheet.cell(at, made.value)


def _put(sheet: Page, at: Block, content: Content, look: style.Style) -> None:
    sheet.span(at.row, at.column, at.column + _NUMBER_WIDTH - 1, content, look)
