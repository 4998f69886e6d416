"""The sheet `Guided`: the way back from a score or a unit to the pixels, as live formulas, by one of three rules."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, all_of, largest, rounded, sumproduct, text, where
from conv_sheet.cells.formula import Formula, mover
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import choose, index, match
from conv_sheet.cells.page import Page
from conv_sheet.errors import SpecError
from conv_sheet.layers.activation import ReLU, Sigmoid, Tanh
from conv_sheet.layers.base import Site
from conv_sheet.learning import guided
from conv_sheet.learning.objective import Objective
from conv_sheet.network.graph import INPUT
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.backprop.chain import added, readers
from conv_sheet.sheets.backprop.layout import BackpropLayout
from conv_sheet.sheets.lessons.looks import bounded
from conv_sheet.sheets.lessons.units import Unit, units
from conv_sheet.sheets.network import compute
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "guided"
TITLE = "Guided"

_LINES = (
    "Read from right to left: a 1 at a score or a unit goes back through the network, down to the pixels. "
    "Red: more ink there raises it. Every number is a formula.",
    "At a ReLU the rule decides. plain: through where the ReLU let the value through. deconvnet: through where the "
    "gradient is above 0. guided: through where both are.",
)
_SIDE = 12
"""Pixels of a cell: so small that the whole way back is in sight at the usual zoom."""
_ASK_ROW, _SAID_ROW, _TITLE_ROW = 5, 6, 8
_TOP, _LEFT, _GAP = 11, 2, 2
_ASKED = replace(style.ASKED, size=13)
_SAID = replace(style.LINE, bold=True)
_GRADIENT = replace(style.GRADIENT, line=style.PAD)
_ACTIVATION = replace(style.ACTIVATION, line=style.PAD)
_FIRST = "class 7"
"""What is chosen at first, where there is such a class."""
_WIDE = 12
"""Columns that a text of the choices needs."""
_NARROW = 14
"""Columns of what comes back to a layer at least, so that its name has room."""
_MOST = 64
"""Maps that can be chosen from."""
_BY_OUTPUT = Sigmoid.kind, Tanh.kind
"""Activations whose slope follows from what they made, when what they read has no cells of its own."""


@dataclass(frozen=True)
class _Back(BackpropLayout):
    """Addresses of the sheet: what comes back to each layer stands in a column of its own, the picture's at the left.

    What comes back to an activation, and what it passes on to the layer before, are two; both are kept by the layer's
    name.
    """

    @cached_property
    def stages(self) -> list[Stage]:
        """The stages between the picture and the scores.

        Raises SpecError where they are none that the sheet can show.
        """
        scores = self.layout.by_name.get(self.network.logits)
        if not self.network.classes or scores is None or scores.activation or len(scores.out.shape) != 1:
            raise SpecError(
                f"the sheet {NAME!r} needs classes, and a Linear that gives a score for each, with a Softmax or "
                "nothing behind it"
            )
        if len(self.layout.parts) > 1:
            raise SpecError(f"the sheet {NAME!r} needs a network that stands on one sheet: take smaller layers")
        between = list(self.layout.stages[1 : self.layout.stages.index(scores)])
        for stage in between:
            _require_way_back(stage)
        return between

    @cached_property
    def units(self) -> list[Unit]:
        return units(self.layout, NAME, _MOST)

    @cached_property
    def offered(self) -> tuple[str, ...]:
        """The scores and the units, as the drop-down calls them."""
        return (*(f"class {name}" for name in self.network.classes), *(unit.label for unit in self.units))

    @cached_property
    def gradients(self) -> dict[str, Placed]:
        channels, height, width = self.layout.input.shape
        pitch = height + 3
        placed = {INPUT: self._column(INPUT, self.layout.input.shape, _LEFT, pitch, first=channels * pitch)}
        column = _LEFT + width + _GAP
        for stage in self.stages:
            for node in stage.nodes:
                placed[node.name] = self._column(node.name, stage.out.shape, column, pitch)
                column += max(placed[node.name].blocks[0].width, _NARROW) + _GAP
        scores = len(self.network.classes)
        block = Block(TITLE, _TOP, column, scores, 1, step=(2, 1))
        return placed | {self.network.logits: Placed(f"{self.network.logits}_back", (scores,), (block,))}

    def _column(self, name: str, shape: tuple[int, ...], column: int, pitch: int, first: int = 0) -> Placed:
        channels, height, width = shape if len(shape) == 3 else (1, *shape, 1)
        pitch = max(pitch, height + 3)
        blocks = (Block(TITLE, _TOP + first + c * pitch, column, height, width) for c in range(channels))
        return Placed(f"{name}_back", tuple(shape), tuple(blocks))

    @property
    def picture(self) -> tuple[Block, ...]:
        """The picture, above what comes back to it: its channels below each other."""
        return self._column(INPUT, self.layout.input.shape, _LEFT, self.layout.input.shape[1] + 3).blocks

    @property
    def begins(self) -> Block:
        """Where the way back of a class begins."""
        return self.gradients[self.network.logits].blocks[0]

    @property
    def last_column(self) -> int:
        return self.begins.last_column + max(8, self.widest)

    @property
    def widest(self) -> int:
        """Columns of the names of the classes."""
        return max(3, *map(len, self.network.classes))

    @property
    def choices(self) -> Block:
        """What can be chosen."""
        return Block(TITLE, self.begins.last_row + 4, self.begins.column, len(self.offered), 1)

    @property
    def chosen(self) -> Block:
        """The number of what is chosen, from 1."""
        return self.choices.part(len(self.offered) + 1, 0, 1, 1)


def _require_way_back(stage: Stage) -> None:
    """Raise SpecError for a stage whose way back the sheet has no formulas for."""
    alone = stage.layer.kind == ReLU.kind
    folded = stage.activation.kind if stage.activation else ReLU.kind
    if alone or folded not in (ReLU.kind, *_BY_OUTPUT):
        which = stage.nodes[-1]
        raise SpecError(
            f"the sheet {NAME!r} cannot go back through {which.name!r}, a {which.layer.kind}: it needs a ReLU, Sigmoid "
            "or Tanh right behind a Conv2d, BatchNorm2d, Add or Linear; a LeakyReLU may stand anywhere"
        )


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """A class or a map, the place in that map, and the rule."""
    made = _Back(layout, Objective.of(layout.network), TITLE)
    height, width = (min(unit.map.shape[axis] for unit in made.units) for axis in (0, 1))
    at = Block(TITLE, _ASK_ROW, 8, 1, 1)
    limits = Limits(choices=made.offered, hint="A class, or a map: then row and column say which of its units.")
    return (
        Input.cell("guided_of", at, _FIRST if _FIRST in made.offered else made.offered[0], limits, listed=made.choices),
        Input.whole("guided_row", at.part(0, 27, 1, 1), min(9, height), 1, height),
        Input.whole("guided_column", at.part(0, 42, 1, 1), min(13, width), 1, width),
        Input.one_of("guided_rule", at.part(0, 57, 1, 1), guided.RULES, guided.PLAIN, "What a ReLU lets through."),
    )


@dataclass(frozen=True)
class _Now:
    """The cells of the choices."""

    number: Expr
    row: Expr
    column: Expr
    rule: Expr


def page(state: WorkbookState) -> Page:
    """The sheet, with the engine's numbers as the values of its formulas."""
    made = _Back(state.layout, Objective.of(state.network), TITLE)
    stages = made.stages
    sheet = widgets.frame(TITLE, made.last_column, style.NETWORK_ZOOM, _SIDE)
    columns = cockpit.columns(_SIDE)
    cockpit.head(sheet, state, "What a score or a unit depends on, down to the pixels", _LINES, columns)
    above = made.gradients[INPUT].blocks[0].row - 1
    texts = (_ASK_ROW, _SAID_ROW, _TITLE_ROW, _TITLE_ROW + 1, _TOP - 1, above)
    sheet.heights |= dict.fromkeys(texts, style.CELL_HEIGHT)
    now = _choices(sheet, state, made)
    values = _values(state, made, now)
    widgets.caption(sheet, made.picture[0], "the picture", style.CLASS)
    for block, source, plane in zip(made.picture, state.layout.input.blocks, state.image, strict=True):
        sheet.fill(block, sheet.each(source, plane), _ACTIVATION)
    widgets.shades(sheet, made.picture)
    _pixels(sheet, made, values)
    for stage in stages:
        _stage(sheet, state, made, stage, values, now)
    _scores(sheet, state, made, now)
    sheet.names |= {name: block for placed in made.gradients.values() for name, block in placed.names()}
    return sheet


def _choices(sheet: Page, state: WorkbookState, made: _Back) -> _Now:
    of, row, column, rule = inputs(state.layout, state.lesson)
    widgets.ask(sheet, of, state[of], "from", 6, style.CHOICE_TEXT, _WIDE)
    for item, label in ((row, "row of the map"), (column, "column of the map")):
        widgets.ask(sheet, item, state[item], label, _WIDE, _ASKED, 3)
    widgets.ask(sheet, rule, state[rule], "rule at a ReLU", 10, style.CHOICE_TEXT, _WIDE)
    labels = np.array([made.offered], dtype=object).T
    sheet.fill(made.choices, labels, style.HIDDEN)
    number = match(sheet.cell(of.at, state.text(of)), sheet.range(made.choices, labels))
    sheet.put(made.chosen.row, made.chosen.column, number, style.HIDDEN)
    down, right = (sheet.cell(item.at, state.number(item)) for item in (row, column))
    now = _Now(sheet.cell(made.chosen, number.value), down, right, sheet.cell(rule.at, state.text(rule)))
    _say(sheet, state, made, now, sheet.cell(of.at, state.text(of)))
    return now


def _say(sheet: Page, state: WorkbookState, made: _Back, now: _Now, chosen: Expr) -> None:
    """How large the score or the unit is, and what that means for the way back."""
    classes = len(made.network.classes)
    scores = sheet.range(state.layout.placed[made.network.logits].blocks[0], state.activations[made.network.logits][0])
    maps = [sheet.range(unit.map, _out(state, unit.stage)[unit.channel]) for unit in made.units]
    unit = choose(now.number - classes, *(index(one, now.row, now.column) for one in maps))
    score = text("The score of ", chosen, " is ", rounded(index(scores, now.number), 2), ".")
    relus = all(one.stage.last_layer.kind == ReLU.kind for one in made.units)
    off = where(unit > 0, ".", ": its ReLU is off, and only deconvnet finds a way back.") if relus else "."
    told = text("This unit of ", chosen, " is ", rounded(unit, 2), off)
    sheet.put(_SAID_ROW, 2, where(now.number <= classes, score, told), _SAID)
    sheet.names["guided_said"] = Block(TITLE, _SAID_ROW, 2, 1, 1)


def _out(state: WorkbookState, stage: Stage) -> Array:
    values: Array = state.activations[stage.nodes[-1].name][0]
    return values


def _values(state: WorkbookState, made: _Back, now: _Now) -> dict[str, Array]:
    """What comes back to each layer, by its name: zeros to those behind the unit."""
    classes, values = len(made.network.classes), state.activations
    number = int(now.number.value) - 1
    start: str = made.network.logits
    at: tuple[int, ...] = (number,)
    if number >= classes:
        unit = made.units[number - classes]
        start = unit.stage.nodes[-1].name
        at = (unit.channel, int(now.row.value) - 1, int(now.column.value) - 1)
    upstream = np.zeros_like(values[start])
    upstream[(0, *at)] = 1.0
    found = guided.gradients(made.network, values, state.tensors, start, upstream, str(now.rule.value))
    return {
        name: found[name][0] if name in found else np.zeros(placed.shape) for name, placed in made.gradients.items()
    }


def _pixels(sheet: Page, made: _Back, values: dict[str, Array]) -> None:
    """What comes back to the picture."""
    placed = made.gradients[INPUT]
    widgets.caption(sheet, placed.blocks[0], "at the pixels", style.CLASS)
    compute(sheet, "", placed, values[INPUT], _GRADIENT, added([one for _, one in readers(made, INPUT)]))
    below = placed.blocks[-1].part(placed.blocks[0].height, 0, 1, 1)
    sheet.heights[below.row] = style.CELL_HEIGHT
    _scale(sheet, placed, values[INPUT], below)


def _scale(sheet: Page, placed: Placed, values: Array, at: Block) -> None:
    bounded(sheet, at, list(zip(placed.blocks, placed.planes(values), strict=True)))


def _stage(sheet: Page, state: WorkbookState, made: _Back, stage: Stage, values: dict[str, Array], now: _Now) -> None:
    """What comes back to a stage, and what its ReLU lets through."""
    first, last = stage.nodes[0].name, stage.nodes[-1].name
    arrived = made.gradients[last]
    formula = _begun(sheet, made, stage, added([one for _, one in readers(made, last)]), now)
    compute(sheet, last, arrived, values[last], _GRADIENT, formula)
    _head(sheet, arrived, last, "what comes back")
    _scale(sheet, arrived, values[last], arrived.blocks[0].part(-1, 0, 1, 1))
    if stage.activation is None:
        return
    if stage.activation.kind != ReLU.kind:
        slope = stage.activation.gradient_formulas(Site((stage.out,), {"out": stage.out}), arrived)["input"]
        compute(sheet, first, made.gradients[first], values[first], _GRADIENT, slope)
        _head(sheet, made.gradients[first], first, f"{last}: gradient × slope")
        _scale(sheet, made.gradients[first], values[first], made.gradients[first].blocks[0].part(-1, 0, 1, 1))
        return
    passed, parts = made.gradients[first], []
    outs = stage.out.planes(_out(state, stage))
    for plane, block in enumerate(passed.blocks):
        back = sheet.each(arrived.blocks[plane], arrived.planes(values[last])[plane])
        out = sheet.each(stage.out.blocks[plane], outs[plane])
        above = largest(0, back)
        plain = where(out > guided.TINY, where(now.rule == guided.GUIDED, above, back), 0)
        through = where(now.rule == guided.DECONVNET, above, plain)
        sheet.fill(block, through, _GRADIENT, first)
        parts.append(sheet.range(block, through.value))
    counted = [sumproduct((part != 0) * 1) for part in parts]
    share = sum(counted[1:], start=counted[0]) / float(values[first].size)
    at = passed.blocks[0].part(-1, max(passed.blocks[0].width - 1, 2), 1, 1)
    sheet.put(at.row, at.column, share, style.HIDDEN)
    sheet.names[f"{first}_through"] = at
    _head(sheet, passed, first, text(f"{last} lets through ", rounded(100 * sheet.cell(at, share.value)), " %"))
    sheet.names[f"{last}_lets"] = Block(TITLE, _TITLE_ROW + 1, passed.blocks[0].column, 1, 1)
    _scale(sheet, passed, values[first], passed.blocks[0].part(-1, 0, 1, 1))


def _begun(sheet: Page, made: _Back, stage: Stage, formula: Formula, now: _Now) -> Formula:
    """The formula of what comes back, and 1 in the chosen unit, where the way back begins there."""
    numbers = {
        unit.channel: n for n, unit in enumerate(made.units, len(made.network.classes) + 1) if unit.stage is stage
    }
    if not numbers:
        return formula

    def begins(plane: int) -> Expr:
        block = made.gradients[stage.nodes[-1].name].blocks[plane]
        here = now.row == sheet.row_number(block), now.column == sheet.column_number(block)
        return where(all_of(now.number == numbers[plane], *here), 1, 0)

    moved = [mover(begins(plane).formula) for plane in range(len(numbers))]
    return Formula(lambda plane, y, x: f"{formula(plane, y, x)}+{moved[plane](y, x)}", formula.shared)


def _head(sheet: Page, placed: Placed, name: str, words: Expr | str) -> None:
    """The layer's name and what stands below it."""
    first = placed.area.column
    last = max(placed.area.last_column, first + _NARROW - 1)
    sheet.span(_TITLE_ROW, first, last, f"← {name}", style.STAGE_TITLE)
    sheet.span(_TITLE_ROW + 1, first, last, words, style.STAGE_SHAPE)


def _scores(sheet: Page, state: WorkbookState, made: _Back, now: _Now) -> None:
    """1 at the chosen class."""
    block = made.begins
    begins = where(now.number == sheet.row_number(block), 1, 0)
    sheet.span(_TITLE_ROW, block.column, made.last_column, f"← {made.network.logits}", style.STAGE_TITLE)
    sheet.span(_TITLE_ROW + 1, block.column, made.last_column, "a 1 at a class", style.STAGE_SHAPE)
    sheet.fill(block, begins, _GRADIENT, made.network.logits)
    sheet.scales.append(((block,), style.PROBABILITY_SCALE))
    for (row, column), name in zip(block.positions(), made.network.classes, strict=True):
        sheet.merged(Block(TITLE, row, column + 1, 2, made.widest), name, style.CLASS_BESIDE)


SHEET = Sheet(TITLE, page, NAME, inputs)
