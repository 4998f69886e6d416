"""How a network learns from one picture: the engine's gradients, a step, and where the sheet `Backprop` has them.

Pure, as `layout` is: the same network gives the same places.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells.grid import Block, Placed, around
from conv_sheet.errors import SpecError
from conv_sheet.layers import Array, Limits
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.ops.losses import cross_entropy
from conv_sheet.ops.optim import SGD

BACKPROP = "Backprop"
UPDATED = "Updated"
PLUS, MINUS = "Plus", "Minus"

CURVE_ROWS = 200
MAX_NUMBERS = 20_000
"""Activations and parameters of the largest network that a spreadsheet program follows on all these sheets at once."""
MAX_RATE = 1e3
MAX_WEIGHT = Limits().high
"""What a cell of a weight takes."""
SMALLEST_H, LARGEST_H = 1e-5, 1.0

TARGET, RATE, PLANE, ROW, COLUMN, H = (
    *("target", "learning_rate", "check_block", "check_row", "check_column", "check_h"),
)
"""Defined names of what is typed."""
CURVE_NAME = "loss_curve"
FACTS = "block", "rows", "columns", "top", "left", "down", "right"
"""Of each block of weights: its name and size, its place among the gradients, and how far apart its values stand."""
_NAME_WIDTH = 8
LOSS, STEP, CURVE, CHECK, HAND = range(5)
"""The panels below the network, from left to right."""
PANEL_WIDTH = 14
_PANEL_GAP = 2
_LABEL_WIDTH = 9
_HEAD_ROWS = 5


Curve = tuple[tuple[int, float], ...]
"""Steps of training done, and the loss then."""


@dataclass(frozen=True)
class Descent:
    """What the sheet `Backprop` is told.

    `target` is the number of a class. The weight whose gradient is checked stands in the block number `plane` (from 0)
    at `row` and `column` (from 1), and is changed by `h`.
    """

    target: int
    rate: float
    plane: int
    row: int
    column: int
    h: float


# -- numbers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Passed:
    """A forward pass of one picture: parameters, activations, and what the network makes of the target in the end."""

    tensors: Mapping[str, Array]
    activations: Mapping[str, Array]
    target: int
    probability: float
    loss: float


def forward(network: Network, image: Array, tensors: Mapping[str, Array], target: int) -> Passed:
    """Activations and loss, -log(probability of the target) in nats, of one picture (C, H, W)."""
    activations = network.forward(image[np.newaxis], tensors)
    loss, _ = cross_entropy(activations[network.logits], np.array([target]))
    probability = float(activations[network.output.name][0, target])
    return Passed(tensors, activations, target, probability, loss)


def gradients(network: Network, passed: Passed) -> dict[str, Array]:
    """Gradients of the loss by activations (a batch of one, by layer name) and by parameters (by full name)."""
    scores = network.logits
    _, grad = cross_entropy(passed.activations[scores], np.array([passed.target]))
    return network.backward(grad, passed.activations, passed.tensors, start=scores)


def stepped(network: Network, passed: Passed, rate: float) -> dict[str, Array]:
    """Parameters after one step of gradient descent.

    >>> conv = {"kind": "Conv2d", "out_channels": 1, "kernel_size": 2}
    >>> net = Network.from_spec({"input": [1, 2, 3], "layers": [conv, {"kind": "Flatten"}, {"kind": "Softmax"}]})
    >>> image, start = np.ones((1, 2, 3)), net.initial(seed=0)
    >>> stepped(net, forward(net, image, start, target=1), rate=0.0).keys() == start.keys()
    True
    """
    found = gradients(network, passed)
    trainable = {name: found[name] for name in network.trainable()}
    return SGD(rate).step(passed.tensors, trainable, {})[0]


@dataclass(frozen=True)
class Learning:
    """All numbers of the sheets that show how a network learns from one picture."""

    now: Passed
    gradients: Mapping[str, Array]
    after: Passed
    plus: Passed
    minus: Passed
    inside: bool
    """Whether there is a weight at the row and column that were chosen."""


# -- places ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plane:
    """A block of weights that training changes: its defined name, its tensor, and its number there."""

    name: str
    tensor: str
    index: int
    block: Block


@dataclass(frozen=True)
class Board:
    """Where everything stands on the sheet `Backprop`: gradients in the places of `Network`, panels below."""

    layout: Layout

    @property
    def network(self) -> Network:
        return self.layout.network

    @property
    def last(self) -> Stage:
        """The stage of the probabilities."""
        return self.layout.stages[-1]

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, or their numbers from 1."""
        return self.network.classes or tuple(str(number + 1) for number in range(self.last.out.shape[0]))

    # gradients

    @cached_property
    def gradients(self) -> dict[str, Placed]:
        """Place of each gradient: of activations by layer name, of parameters by full name."""
        placed = {stage.name: stage.out for stage in self.layout.stages[:-1]}
        trainable = set(self.network.trainable())
        placed |= {name: where for name, where in self.layout.parameters() if name in trainable}
        return {name: _gradient(where) for name, where in placed.items()}

    @property
    def goal(self) -> Block:
        """1 for the target and 0 for the other classes, in the place of the probabilities."""
        return self.last.out.blocks[0].on(BACKPROP)

    def reader(self, stage: Stage) -> Stage:
        """The stage that reads the output of another one."""
        sites = ((s, self.layout.site(s)) for s in self.layout.stages)
        return next(s for s, site in sites if any(read.blocks == stage.out.blocks for read in site.sources))

    @cached_property
    def planes(self) -> tuple[Plane, ...]:
        """Every block of weights that training changes."""
        return tuple(
            Plane(name, tensor, index, block)
            for tensor, placed in self.layout.parameters()
            if tensor in self.gradients
            for index, (name, block) in enumerate(n for n in placed.names() if n[1] in placed.blocks)
        )

    # panels

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

    @cached_property
    def settings(self) -> dict[str, Block]:
        """Cells to type into, by defined name."""
        lines = {
            TARGET: (LOSS, 0),
            RATE: (STEP, 0),
            PLANE: (CHECK, 0),
            ROW: (CHECK, 1),
            COLUMN: (CHECK, 2),
            H: (CHECK, 3),
        }
        return {name: self.value(panel, line) for name, (panel, line) in lines.items()}

    @property
    def curve(self) -> Block:
        """Steps done and losses, right of the panels."""
        return Block(BACKPROP, self.first_line + 1, self.columns(HAND)[1] + 3, CURVE_ROWS, 2)

    @property
    def area(self) -> Block:
        """The rectangle that holds all gradients."""
        return around(tuple(block for placed in self.gradients.values() for block in placed.blocks))

    def listed(self, what: str) -> Block:
        """Where a fact of every plane stands, by the names of `FACTS`, right of the curve."""
        left = self.curve.last_column + 3
        column = left + (_NAME_WIDTH + FACTS.index(what) - 1 if what != FACTS[0] else 0)
        return Block(BACKPROP, self.first_line + 1, column, len(self.planes), 1)

    def facts(self, plane: Plane) -> tuple[str | int, ...]:
        """What the list says of a plane, in the order of `FACTS`."""
        block, corner = plane.block, self.area
        return plane.name, *block.shape, block.row - corner.row + 1, block.column - corner.column + 1, *block.step

    @property
    def number(self) -> Block:
        """The number of the chosen plane, from 1."""
        return Block(BACKPROP, self.first_line - 1, self.listed("rows").column, 1, 1)

    @property
    def inside(self) -> Block:
        """1 where the chosen row and column are in the chosen plane, else 0."""
        return Block(BACKPROP, self.first_line - 1, self.listed("columns").column, 1, 1)

    def names(self) -> Iterator[tuple[str, Block]]:
        """Defined names of gradients, settings, losses and the curve."""
        for placed in self.gradients.values():
            yield from placed.names()
        yield from self.settings.items()
        yield from {"loss": self.loss, "loss_after": self.loss_after, CURVE_NAME: self.curve}.items()

    def areas(self) -> Iterator[tuple[str, Block]]:
        """Areas on `Updated` to be copied over `Network`, of tensors by full name, free of anything but weights."""
        others = [p for stage in self.layout.stages for p in stage.own.values()]
        for tensor, placed in self.layout.parameters():
            if tensor not in self.gradients:
                continue
            areas = [placed.area]
            if any(_meet(placed.area, block) for other in others if other is not placed for block in other.blocks):
                in_columns = sorted(placed.blocks, key=lambda block: block.column)
                areas = [around(tuple(group)) for _, group in groupby(in_columns, key=lambda block: block.column)]
            yield from ((tensor, area.on(UPDATED)) for area in areas)


def board(layout: Layout) -> Board:
    """The sheet `Backprop` of a network.

    Raises SpecError where the network has no Softmax at its end or no weights, or is too large.
    """
    network, made = layout.network, Board(layout)
    if not network.output.layer.normalises:
        raise SpecError(
            f"backpropagation starts at probabilities, and the last layer {network.output.name!r} is a "
            f"{network.output.layer.kind}: add a Softmax behind it, or leave out backprop"
        )
    if any(len(network.readers(name)) > 1 for name in layout.placed) or any(n.layer.joins for n in network.nodes):
        raise SpecError(
            "backpropagation in cells follows networks in which each layer reads one other: leave out backprop"
        )
    if not made.planes:
        raise SpecError("the network has no weights that training could change: leave out backprop")
    numbers = sum(prod(p.shape) for stage in layout.stages for p in stage.own.values())
    if numbers > MAX_NUMBERS:
        raise SpecError(
            f"the network has {numbers:,} activations and parameters, and backpropagation in cells ends at "
            f"{MAX_NUMBERS:,}: use a smaller input or fewer channels, or leave out backprop"
        )
    return made


def learning(board: Board, image: Array, tensors: Mapping[str, Array], descent: Descent) -> Learning:
    """Everything that the sheets show of one picture (C, H, W)."""
    network, plane = board.network, board.planes[descent.plane]
    inside = descent.row <= plane.block.height and descent.column <= plane.block.width

    def passed(changed: Mapping[str, Array]) -> Passed:
        return forward(network, image, changed, descent.target)

    now = passed(tensors)
    plus, minus = (passed(_changed(board, tensors, descent, h) if inside else tensors) for h in (descent.h, -descent.h))
    return Learning(now, gradients(network, now), passed(stepped(network, now, descent.rate)), plus, minus, inside)


def chosen(board: Board, values: Mapping[str, Array], descent: Descent) -> float:
    """The value at the chosen weight's place, of the tensors or of their gradients."""
    plane = board.planes[descent.plane]
    planes = board.gradients[plane.tensor].planes(values[plane.tensor])
    return float(planes[plane.index, descent.row - 1, descent.column - 1])


def _changed(board: Board, tensors: Mapping[str, Array], descent: Descent, h: float) -> dict[str, Array]:
    plane = board.planes[descent.plane]
    placed = board.gradients[plane.tensor]
    planes = placed.planes(tensors[plane.tensor]).copy()
    planes[plane.index, descent.row - 1, descent.column - 1] += h
    return dict(tensors) | {plane.tensor: placed.tensor(planes)}


def _gradient(placed: Placed) -> Placed:
    return Placed(f"{placed.name}_grad", placed.shape, placed.on(BACKPROP).blocks, placed.transposed)


def _meet(one: Block, other: Block) -> bool:
    """Whether two rectangles share a cell."""
    return (
        one.row <= other.last_row
        and other.row <= one.last_row
        and one.column <= other.last_column
        and other.column <= one.last_column
    )


# -- what stands there -------------------------------------------------------------------------------------------------


def descent(board: Board, chosen: Mapping[str, float | str]) -> Descent:
    """What the sheet is told, out of the settings by defined name."""
    planes = [plane.name for plane in board.planes]
    target, rate, plane, row, column, h = (chosen[name] for name in board.settings)
    return Descent(
        board.labels.index(str(target)), float(rate), planes.index(str(plane)), int(row), int(column), float(h)
    )


def read_curve(rows: Iterable[Sequence[object]]) -> Curve:
    """The curve out of the rows of its block."""
    numbers = ((step, loss) for step, loss in rows if isinstance(step, int | float) and isinstance(loss, int | float))
    return tuple((int(step), float(loss)) for step, loss in numbers)


def curve_cells(curve: Curve) -> NDArray[Any]:
    """The curve as it stands in its block, (rows, 2); None where nothing does."""
    cells = np.full((CURVE_ROWS, 2), None, dtype=object)
    for row, point in enumerate(curve[-CURVE_ROWS:]):
        cells[row] = point
    return cells
