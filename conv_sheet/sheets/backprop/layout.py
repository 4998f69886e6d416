"""Where everything of the sheet `Backprop` stands: gradients in the places of `Network`, panels below.

Pure, as the layout of `Network` is: the same network gives the same addresses.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from math import prod

from conv_sheet.cells.grid import Block, Placed, around
from conv_sheet.errors import SpecError
from conv_sheet.learning.objective import Objective
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.network.lesson import Lesson

BACKPROP = "Backprop"
UPDATED = "Updated"
PLUS, MINUS = "Plus", "Minus"
AHEAD, AHEAD_GRADIENTS = "Ahead", "AheadGradients"

CURVE_ROWS = 200
CURVE_NAME = "loss_curve"
MAX_NUMBERS = 20_000
"""Activations and parameters of the largest network that a spreadsheet program follows on all these sheets at once."""
MAX_QUESTIONS = 80
"""Classes of the largest network whose binary cross-entropy has room in one formula, a term for each."""
MAX_AHEAD = 320
"""The same of the largest network of which there are many steps at once."""
RATE_LIST = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Learning rates whose losses are compared."""
STEPS, MOMENTUM = 10, 0.9
"""Steps of gradient descent that are taken at once, also with momentum."""
FACTS = "block", "rows", "columns", "top", "left", "down", "right"
"""Of each block of weights: its name and size, where it stands among the gradients, and how far apart its values."""
TRIED, ONE, ALL, DONE, PLAIN, MOVING = "rate", "this picture", "all pictures", "step", "SGD", "momentum"
AHEAD_LISTS = dict.fromkeys((TRIED, ONE, ALL), len(RATE_LIST)) | dict.fromkeys((DONE, PLAIN, MOVING), STEPS + 1)
"""What is listed of many steps at once, and how long the lists are: losses by learning rate, and by steps done."""
LOSS, STEP, RATES, DESCENT, CURVE, CHECK, HAND = range(7)
"""The panels below the network, from left to right; only small networks have those of many steps at once."""
PANEL_WIDTH = 14
_NAME_WIDTH = 8
_PANEL_GAP = 2
_BEYOND, _GOAL_WIDTH = 6, 10
"""Columns from the last value to a goal that stands behind it, past the names of classes; columns of its head."""
_LABEL_WIDTH = 9
_HEAD_ROWS = 5


@dataclass(frozen=True)
class WeightBlock:
    """A block of weights that training changes: its defined name, its tensor, its number there, and where it stands."""

    name: str
    tensor: str
    index: int
    block: Block


@dataclass(frozen=True)
class BackpropLayout:
    """Addresses of the sheet `Backprop`, or of gradients on another `sheet`, of the mean loss of some pictures."""

    layout: Layout
    objective: Objective
    sheet: str = BACKPROP
    pictures: int = 1

    @property
    def network(self) -> Network:
        return self.layout.network

    @property
    def last(self) -> Stage | None:
        """The stage behind the scores that the loss reads, a Softmax or a Sigmoid; None where they are the output."""
        output = self.network.output.name
        return None if self.objective.layer == output else self.layout.by_name[output]

    @property
    def scores(self) -> Placed:
        """Where what the loss reads stands."""
        return self.layout.placed[self.objective.layer]

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, or their numbers from 1."""
        return self.network.classes or tuple(str(number + 1) for number in range(self.scores.shape[0]))

    # -- gradients -------------------------------------------------------------------------------------------------

    @cached_property
    def gradients(self) -> dict[str, Placed]:
        """Where each gradient stands: of activations by layer name, of parameters by full name."""
        placed = {stage.name: stage.out for stage in self.layout.stages if stage is not self.last}
        trainable = set(self.network.trainable())
        placed |= {name: where for name, where in self.layout.parameters() if name in trainable}
        return {
            name: Placed(f"{where.name}_grad", where.shape, where.on(self.sheet).blocks, where.transposed)
            for name, where in placed.items()
        }

    @property
    def goal(self) -> Block:
        """1 for the target and 0 for the others: in the place of the last stage, or right of scores that end all."""
        if self.last:
            return self.last.out.blocks[0].on(self.sheet)
        blocks = [block for stage in self.layout.stages for placed in stage.own.values() for block in placed.blocks]
        column = max(block.last_column for block in blocks) + _BEYOND
        return Block(self.sheet, self.scores.blocks[0].row, column, self.scores.shape[0], 1)

    @property
    def beside_goal(self) -> Block:
        """The names of the classes beside it."""
        return self.goal.part(0, 1, self.goal.height, 1)

    @property
    def goal_columns(self) -> tuple[int, int]:
        """First and last column of the goal's head."""
        return self.last.columns if self.last else (self.goal.column, self.goal.column + _GOAL_WIDTH - 1)

    @cached_property
    def weight_blocks(self) -> tuple[WeightBlock, ...]:
        """Every block of weights that training changes."""
        return tuple(
            WeightBlock(name, tensor, index, block)
            for tensor, placed in self.layout.parameters()
            if tensor in self.gradients
            for index, (name, block) in enumerate(n for n in placed.names() if n[1] in placed.blocks)
        )

    # -- panels ----------------------------------------------------------------------------------------------------

    @property
    def top(self) -> int:
        """First row of the panels."""
        return max(self.layout.last_row, self.goal.last_row) + 3

    @property
    def first_line(self) -> int:
        return self.top + _HEAD_ROWS

    @cached_property
    def looks_ahead(self) -> bool:
        """Whether the network is small enough for many steps at once."""
        return self.numbers <= MAX_AHEAD

    @property
    def numbers(self) -> int:
        """How many activations and parameters the network has."""
        return sum(prod(placed.shape) for stage in self.layout.stages for placed in stage.own.values())

    @property
    def panels(self) -> tuple[int, ...]:
        """The panels that there are."""
        return tuple(one for one in range(HAND + 1) if self.looks_ahead or one not in (RATES, DESCENT))

    def columns(self, panel: int) -> tuple[int, int]:
        """First and last column of a panel."""
        first = 2 + self.panels.index(panel) * (PANEL_WIDTH + _PANEL_GAP)
        return first, first + PANEL_WIDTH - 1

    def value(self, panel: int, line: int) -> Block:
        """The first cell of a line's value; its label stands before it."""
        return Block(BACKPROP, self.first_line + line, self.columns(panel)[0] + _LABEL_WIDTH, 1, 1)

    @property
    def loss(self) -> Block:
        return self.value(LOSS, 2)

    @property
    def loss_after(self) -> Block:
        return self.value(STEP, 2)

    @property
    def curve(self) -> Block:
        """Steps done and losses, right of the panels."""
        return Block(BACKPROP, self.first_line + 1, self.columns(HAND)[1] + 3, CURVE_ROWS, 2)

    @property
    def area(self) -> Block:
        """The rectangle that holds all gradients."""
        return around(tuple(block for placed in self.gradients.values() for block in placed.blocks))

    def listed(self, what: str) -> Block:
        """Where a fact of every block of weights stands, by the names of `FACTS`, right of the curve."""
        left = self.curve.last_column + 3
        column = left + (_NAME_WIDTH + FACTS.index(what) - 1 if what != FACTS[0] else 0)
        return Block(BACKPROP, self.first_line + 1, column, len(self.weight_blocks), 1)

    def facts(self, one: WeightBlock) -> tuple[str | int, ...]:
        """What the list says of a block of weights, in the order of `FACTS`."""
        block, corner = one.block, self.area
        return one.name, *block.shape, block.row - corner.row + 1, block.column - corner.column + 1, *block.step

    def ahead(self, what: str) -> Block:
        """Where losses of many steps at once are listed, by the names of `AHEAD_LISTS`, right of the weights."""
        column = self.listed(FACTS[-1]).column + 3 + 2 * [*AHEAD_LISTS].index(what)
        return Block(BACKPROP, self.first_line + 1, column, AHEAD_LISTS[what], 1)

    @property
    def marked(self) -> Block:
        """The chosen learning rate, as far as a chart shows it."""
        rates = self.ahead(TRIED)
        return rates.part(rates.height + 1, 0, 1, 1)

    @property
    def number(self) -> Block:
        """The number of the chosen block of weights, from 1."""
        return Block(BACKPROP, self.first_line - 1, self.listed("rows").column, 1, 1)

    @property
    def inside(self) -> Block:
        """1 where the chosen row and column are in the chosen block, else 0."""
        return Block(BACKPROP, self.first_line - 1, self.listed("columns").column, 1, 1)

    def names(self) -> Iterator[tuple[str, Block]]:
        """Defined names of gradients, losses and the curve."""
        for placed in self.gradients.values():
            yield from placed.names()
        yield from {"loss": self.loss, "loss_after": self.loss_after, CURVE_NAME: self.curve}.items()
        yield "rel_error", self.value(CHECK, 8)
        if self.looks_ahead:
            yield from ((name, self.value(RATES, line)) for line, name in enumerate(("loss_all", "all_after")))
            yield from ((name, self.value(DESCENT, line)) for line, name in enumerate(("loss_sgd", "loss_mom")))

    def areas(self) -> Iterator[tuple[str, Block]]:
        """Areas on `Updated` to be copied over `Network`, of tensors by full name, free of anything but weights."""
        others = [p for stage in self.layout.stages for p in stage.own.values()]
        for tensor, placed in self.layout.parameters():
            if tensor not in self.gradients:
                continue
            areas = [placed.area]
            if any(placed.area.meets(block) for other in others if other is not placed for block in other.blocks):
                in_columns = sorted(placed.blocks, key=lambda block: block.column)
                areas = [around(tuple(group)) for _, group in groupby(in_columns, key=lambda block: block.column)]
            yield from ((tensor, area.on(UPDATED)) for area in areas)


def backprop_layout(layout: Layout, lesson: Lesson) -> BackpropLayout:
    """The addresses of the sheet `Backprop` of a network.

    Raises SpecError where the loss does not suit the network or gives no score for each class, where there are no
    weights, and where the network is too large.
    """
    network = layout.network
    made = BackpropLayout(layout, Objective.of(network, lesson.loss))
    output = f"the last layer {network.output.name!r} is a {network.output.layer.kind}"
    if made.objective.loss == "cross-entropy" and not network.output.layer.normalises:
        raise SpecError(
            f"the loss cross-entropy starts at probabilities, and {output}: add a Softmax behind it, choose another "
            "loss, or leave out backprop"
        )
    if len(made.scores.shape) != 1:
        raise SpecError(f"backpropagation wants one number for each class, and {output} of maps: leave out backprop")
    if made.objective.loss == "bce" and made.scores.shape[0] > MAX_QUESTIONS:
        raise SpecError(
            f"the network has {made.scores.shape[0]} classes, and backpropagation with the loss bce ends at "
            f"{MAX_QUESTIONS}: choose another loss, or leave out backprop"
        )
    if not made.weight_blocks:
        raise SpecError("the network has no weights that training could change: leave out backprop")
    if made.numbers > MAX_NUMBERS:
        raise SpecError(
            f"the network has {made.numbers:,} activations and parameters, and backpropagation in cells ends at "
            f"{MAX_NUMBERS:,}: use a smaller input or fewer channels, or leave out backprop"
        )
    return made
