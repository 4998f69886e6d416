"""The sheet `Activations`: one map before an activation, what four of them make of it, and their slopes there."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.drawn import Line, Points
from conv_sheet.cells.expr import Expr, average, call, exponential, largest, sumproduct, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import choose, match
from conv_sheet.cells.page import Page
from conv_sheet.errors import SpecError
from conv_sheet.layers.conv import Conv2d
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.network.lesson import Lesson
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "activations"
ACTIVATIONS = "Activations"
MOST = 8
"""Maps that can be chosen from."""
ASLEEP = 0.05
"""A cell lets less than this share of a gradient back: it hardly learns."""


class Activation(NamedTuple):
    """What it makes of a number z, its slope there by z and what it made, by the slope that is typed for LeakyReLU."""

    title: str
    of: Callable[[Expr, Expr], Expr]
    slope: Callable[[Expr, Expr, Expr], Expr]
    color: str


def _sigmoid(z: Expr, _: Expr) -> Expr:
    return 1 / (1 + exponential(-largest(_LEAST, z)))


FOUR = {
    "relu": Activation("ReLU", lambda z, _: where(z > 0, z, 0), lambda z, y, _: where(z > 0, 1, 0), style.RED),
    "leaky": Activation(
        "LeakyReLU", lambda z, leak: where(z > 0, z, leak * z), lambda z, y, leak: where(z > 0, 1, leak), style.OCHRE
    ),
    "sigmoid": Activation("Sigmoid", _sigmoid, lambda z, y, _: y * (1 - y), style.GREEN),
    "tanh": Activation("Tanh", lambda z, _: call("TANH", np.tanh, z), lambda z, y, _: 1 - y * y, style.EDIT),
}
"""The activations, by what the names of their cells begin with."""

_LINES = (
    "Four activations read the same map, cell by cell: z goes in. Below each stands its slope: the share of a gradient "
    "that comes back through the cell.",
    "Move z by the biases of Network; type one z into the box and compute it in the head. White is 0, red above, blue "
    "below.",
)
_LEAST = -700
"""A z below which e^-z would be too large for a cell."""
_ASK_ROW, _TABLE_ROW, _TOP = 5, 8, 18
_LEFT, _GAP, _WIDE = 2, 2, 14
"""Columns of a map at least, so that what is said above it has room."""
_TITLE_WIDTH, _NUMBER_WIDTH = 5, 4
_HEADS = "of z", "slope at z", "behind layers", "below 5 %", "mean of map"
_COLUMNS = "of_z", "slope_of_z", "left", "asleep", "mean"
"""How the names of the table's columns end."""
_NOTE = (
    "Behind layers: what is left of a gradient of 1 that has come back through so many, each at z. Below 5 %: cells of "
    "the map that let less than that of a gradient back."
)
_FROM, _TO, _STEP = -6.0, 6.0, 0.25
_ASKED = replace(style.ASKED, format="General")
_LEFT_OVER = replace(style.DECIMAL, format="0.000000")
_CHART_CM = 12.0, 7.0
_CHART_COLUMNS = 15
_LIST_WIDTH = 15.0
_MAP = Block(ACTIVATIONS, _ASK_ROW, 4, 1, 1)
_Z = Block(ACTIVATIONS, _ASK_ROW, 24, 1, 1)
_LEAK, _LAYERS = (Block(ACTIVATIONS, _ASK_ROW + 1, column, 1, 1) for column in (11, 24))
Z = Input.cell("activations_z", _Z, 2.0, Limits(-20, 20, hint="Any number from -20 to 20."))
LEAK = Input.cell("activations_slope", _LEAK, 0.1, Limits(0, 1, hint="The slope of LeakyReLU below 0, from 0 to 1."))
LAYERS = Input.whole("activations_layers", _LAYERS, 1, 1, 20, "How many such layers behind each other: from 1 to 20.")


@dataclass(frozen=True)
class _Areas:
    """Where everything stands: the table and charts, the maps, their slopes, and what the charts draw."""

    layout: Layout

    @cached_property
    def stage(self) -> Stage:
        """The first convolution whose maps stand in cells as they are.

        Raises SpecError where there is none, or none with few maps.
        """
        for stage in self.layout.stages[1:]:
            if isinstance(stage.layer, Conv2d) and stage.activation is None and len(stage.out.blocks) <= MOST:
                return stage
        raise SpecError(
            f"the sheet {NAME!r} needs a Conv2d of at most {MOST} maps that are seen before an activation: let two "
            "layers read it, or none"
        )

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(f"{self.stage.name} map {number}" for number, _ in enumerate(self.stage.out.blocks, 1))

    @property
    def shape(self) -> tuple[int, int]:
        return self.stage.out.blocks[0].shape

    def map(self, number: int) -> Block:
        """The map before all (0), and those behind each activation."""
        right = max(self.shape[1], _WIDE) + _GAP
        return Block(ACTIVATIONS, _TOP, _LEFT + number * right, *self.shape)

    def slope(self, number: int) -> Block:
        """The slopes below a map."""
        return self.map(number).part(self.shape[0] + 3, 0, *self.shape)

    @property
    def last_column(self) -> int:
        return max(self.map(len(FOUR)).column + max(self.shape[1], _WIDE) - 1, _CHART_LEFT + 2 * _CHART_COLUMNS)

    def cell(self, line: int, column: int) -> Block:
        """A number of the table, which takes some columns."""
        first = _LEFT + _TITLE_WIDTH + column * _NUMBER_WIDTH
        return Block(ACTIVATIONS, _TABLE_ROW + 1 + line, first, 1, _NUMBER_WIDTH)

    def curve(self, number: int) -> Block:
        """A list for the charts, right of everything: numbers, the four curves, their slopes."""
        rows = round((_TO - _FROM) / _STEP) + 1
        return Block(ACTIVATIONS, _TABLE_ROW + 1, self.last_column + 4 + number, rows, 1)

    @property
    def listed(self) -> Block:
        """What can be chosen."""
        return Block(ACTIVATIONS, _TABLE_ROW + 1, self.last_column + 15, len(self.labels), 1)


_CHART_LEFT = _LEFT + _TITLE_WIDTH + len(_HEADS) * _NUMBER_WIDTH + _GAP


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The map, one number z, the slope of LeakyReLU, and how many layers."""
    areas = _Areas(layout)
    limits = Limits(choices=areas.labels, hint="Which map of the convolution.")
    return Input.cell("activations_map", _MAP, areas.labels[0], limits, areas.listed), Z, LEAK, LAYERS


def page(state: WorkbookState) -> Page:
    """The sheet."""
    areas = _Areas(state.layout)
    sheet = widgets.frame(ACTIVATIONS, areas.last_column, style.WIDE_ZOOM)
    widgets.head(sheet, "Four activations of the same numbers", _LINES, areas.last_column)
    number = _choices(sheet, state, areas)
    leak = sheet.cell(LEAK.at, state.number(LEAK))
    outputs = state.activations[areas.stage.nodes[-1].name][0]
    before = choose(number, *sheet.planes(areas.stage.out.blocks, areas.stage.out.planes(outputs)))
    widgets.caption(sheet, areas.map(0), "z: before the activation", style.CLASS)
    sheet.fill(areas.map(0), before, style.ACTIVATION)
    sheet.names["activations_before"] = areas.map(0)
    z = sheet.each(areas.map(0), before.value)
    _heads(sheet, areas)
    parts, slopes = [(areas.map(0), np.asarray(before.value))], []
    for line, (name, one) in enumerate(FOUR.items()):
        map_, slope = areas.map(line + 1), areas.slope(line + 1)
        out = one.of(z, leak)
        sheet.fill(map_, out, style.ACTIVATION)
        through = one.slope(z, sheet.each(map_, out.value), leak)
        sheet.fill(slope, through, style.SCORE)
        widgets.caption(sheet, map_, f"{one.title} of z", style.CLASS)
        widgets.caption(sheet, slope, f"slope of {one.title}", style.CLASS)
        sheet.names |= {f"activations_{name}": map_, f"activations_{name}_slope": slope}
        parts.append((map_, np.asarray(out.value)))
        slopes.append(slope)
        _line(sheet, state, areas, line, sheet.range(map_, out.value), sheet.range(slope, through.value))
    first = areas.map(0)
    widgets.signed(sheet, first.part(-1, first.width - 1, 1, 1), parts)
    sheet.scales.append((tuple(slopes), style.PROBABILITY_SCALE))
    _curves(sheet, areas, leak)
    sheet.prints = Block(ACTIVATIONS, 1, 1, areas.slope(0).last_row, areas.last_column)
    return sheet


def _choices(sheet: Page, state: WorkbookState, areas: _Areas) -> Expr:
    """The boxes; gives the number of the map, from 1."""
    which, *_ = inputs(state.layout, state.lesson)
    widgets.ask(sheet, which, state[which], "map", 2, style.CHOICE_TEXT, 6)
    for item, label, width in ((Z, "one z", 6), (LEAK, "slope of LeakyReLU below 0", 9), (LAYERS, "layers", 6)):
        widgets.ask(sheet, item, state[item], label, width, _ASKED, 2)
    labels = np.array([areas.labels], dtype=object).T
    sheet.fill(areas.listed, labels, style.HIDDEN)
    at = areas.listed.part(len(labels) + 1, 0, 1, 1)
    number = match(sheet.cell(which.at, state.text(which)), sheet.range(areas.listed, labels))
    sheet.put(at.row, at.column, number, style.HIDDEN)
    return sheet.cell(at, number.value)


def _heads(sheet: Page, areas: _Areas) -> None:
    sheet.heights[_TABLE_ROW] = 2 * style.CELL_HEIGHT
    sheet.span(_TABLE_ROW, _LEFT, _LEFT + _TITLE_WIDTH - 1, "", style.HEAD_LEFT)
    for column, head in enumerate(_HEADS):
        at = areas.cell(-1, column)
        sheet.span(at.row, at.column, at.last_column, head, style.HEAD)
    end = areas.cell(len(FOUR), len(_HEADS) - 1)
    widgets.paragraph(sheet, end.row, _LEFT, end.last_column, _NOTE, style.LONG_NOTE)


def _line(sheet: Page, state: WorkbookState, areas: _Areas, line: int, out: Expr, slopes: Expr) -> None:
    """A line of the table: of one number z, and of the map."""
    name, one = [*FOUR.items()][line]
    z, leak, layers = (sheet.cell(item.at, state.number(item)) for item in (Z, LEAK, LAYERS))
    at = [areas.cell(line, column) for column in range(len(_HEADS))]
    made = one.of(z, leak)
    slope = one.slope(z, sheet.cell(at[0].part(0, 0, 1, 1), made.value), leak)
    left = sheet.cell(at[1].part(0, 0, 1, 1), slope.value) ** layers
    asleep = sumproduct((slopes < ASLEEP) * 1) / float(np.size(slopes.value))
    sheet.span(at[0].row, _LEFT, at[0].column - 1, one.title, style.BOLD_LINE)
    looks = style.DECIMAL, style.DECIMAL, _LEFT_OVER, style.PERCENT, style.DECIMAL
    for block, ending, value, look in zip(at, _COLUMNS, (made, slope, left, asleep, average(out)), looks, strict=True):
        sheet.span(block.row, block.column, block.last_column, value, look)
        sheet.names[f"activations_{name}_{ending}"] = block.part(0, 0, 1, 1)


def _curves(sheet: Page, areas: _Areas, leak: Expr) -> None:
    """The four curves and their slopes as charts, and the lists that these draw."""
    numbers = np.arange(_FROM, _TO + _STEP / 2, _STEP)[:, np.newaxis]
    sheet.fill(areas.curve(0), numbers, style.TENTHS)
    sheet.put(areas.curve(0).row - 1, areas.curve(0).column, "z", style.LABEL)
    z = sheet.each(areas.curve(0), numbers)
    curves, slopes = list[Points](), list[Points]()
    for number, one in enumerate(FOUR.values(), 1):
        curve, slope = areas.curve(number), areas.curve(number + len(FOUR))
        made = one.of(z, leak)
        through = one.slope(z, sheet.each(curve, made.value), leak)
        for block, values, points in ((curve, made, curves), (slope, through, slopes)):
            sheet.widths[block.column] = _LIST_WIDTH
            sheet.fill(block, values, style.SCORE)
            sheet.put(block.row - 1, block.column, one.title, style.LABEL)
            points.append(Points(areas.curve(0), block, one.title, one.color))
    for place, (points, title, bottom, top) in enumerate(
        ((curves, "what each makes of z", -2.0, 3.0), (slopes, "the slope at z", 0.0, 1.2))
    ):
        anchor = Block(ACTIVATIONS, _ASK_ROW, _CHART_LEFT + place * _CHART_COLUMNS, 1, 1).cell()
        sheet.lines.append(Line(tuple(points), anchor, *_CHART_CM, title, top, low=(_FROM, bottom)))


SHEET = Sheet(ACTIVATIONS, page, NAME, inputs)
