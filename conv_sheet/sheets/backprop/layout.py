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
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout, Stage

BACKPROP = "Backprop"
UPDATED = "Updated"
PLUS, MINUS = "Plus", "Minus"

CURVE_ROWS = 200
CURVE_NAME = "loss_curve"
MAX_NUMBERS = 20_000
"""Activations and parameters of the largest network that a spreadsheet program follows on all these sheets at once."""
FACTS = "block", "rows", "columns", "top", "left", "down", "right"
"""Of each block of weights: its name and size, where it stands among the gradients, and how far apart its values."""
LOSS, STEP, CURVE, CHECK, HAND = range(5)
"""The panels below the network, from left to right."""
PANEL_WIDTH = 14
_NAME_WIDTH = 8
_PANEL_GAP = 2
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
    """Addresses of the sheet `Backprop`."""

    layout: Layout

    @property
    def network(self) -> Network:
        return self.layout.network

    @property
    def last(self) -> Stage:
        """The stage of the probabilities."""
        return self.layout.by_name[self.network.output.name]

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, or their numbers from 1."""
        return self.network.classes or tuple(str(number + 1) for number in range(self.last.out.shape[0]))

    # -- gradients -------------------------------------------------------------------------------------------------

    @cached_property
    def gradients(self) -> dict[str, Placed]:
        """Where each gradient stands: of activations by layer name, of parameters by full name."""
        placed = {stage.name: stage.out for stage in self.layout.stages if stage is not self.last}
        trainable = set(self.network.trainable())
        placed |= {name: where for name, where in self.layout.parameters() if name in trainable}
        return {name: _gradient(where) for name, where in placed.items()}

    @property
    def goal(self) -> Block:
        """1 for the target and 0 for the other classes, where the probabilities stand on `Network`."""
        return self.last.out.blocks[0].on(BACKPROP)

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
        return self.layout.last_row + 3

    @property
    def first_line(self) -> int:
        return self.top + _HEAD_ROWS

    def columns(self, panel: int) -> tuple[int, int]:
        """First and last column of a panel."""
        first = 2 + panel * (PANEL_WIDTH + _PANEL_GAP)
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


def backprop_layout(layout: Layout) -> BackpropLayout:
    """The addresses of the sheet `Backprop` of a network.

    Raises SpecError where the network has no Softmax at its end or no weights, or is too large.
    """
    network, made = layout.network, BackpropLayout(layout)
    if not network.output.layer.normalises:
        raise SpecError(
            f"backpropagation starts at probabilities, and the last layer {network.output.name!r} is a "
            f"{network.output.layer.kind}: add a Softmax behind it, or leave out backprop"
        )
    if not made.weight_blocks:
        raise SpecError("the network has no weights that training could change: leave out backprop")
    numbers = sum(prod(p.shape) for stage in layout.stages for p in stage.own.values())
    if numbers > MAX_NUMBERS:
        raise SpecError(
            f"the network has {numbers:,} activations and parameters, and backpropagation in cells ends at "
            f"{MAX_NUMBERS:,}: use a smaller input or fewer channels, or leave out backprop"
        )
    return made


def _gradient(placed: Placed) -> Placed:
    return Placed(f"{placed.name}_grad", placed.shape, placed.on(BACKPROP).blocks, placed.transposed)
