"""Where the blocks of one group stand, beside each other from a column on."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod

from conv_sheet.cells.grid import MAX_ROWS, Block, Placed
from conv_sheet.layers import Shape
from conv_sheet.layers.base import PADDED
from conv_sheet.network.graph import Node
from conv_sheet.network.groups import Group

GAP = 2
"""Free columns between neighbours."""
_MIN_WIDTH = 10
_TALLEST = 72
"""Rows that the weights of a fully connected layer may take, where the maps do not take more anyway, before they go on
in the next column."""
_LABEL_WIDTH = 3


@dataclass(frozen=True)
class Arrangement:
    """How many maps stand below each other; whether kernels of one map do, too, where they are lower than it; and
    whether a value that each map has of its own stands beside it, or all of them in a row above the maps.
    """

    maps: int
    stacked: bool
    beside: bool


SIDE_BY_SIDE = Arrangement(8, stacked=True, beside=False)
"""Of a network that fits one sheet: low enough for a screen."""
BELOW = Arrangement(MAX_ROWS, stacked=False, beside=True)
"""Of one that takes several sheets: a row a map, with all of its kernels and its bias."""


@dataclass(frozen=True)
class Placing:
    """The rows of some groups: where the maps begin, how far they are apart, and how tall weights may be."""

    sheet: str
    arrangement: Arrangement
    band: int
    top: int
    pitches: tuple[int, ...]
    tallest: int

    @classmethod
    def of(cls, groups: Sequence[Group], arrangement: Arrangement, band: int, sheet: str, lanes: int) -> "Placing":
        """The rows below `band`, the first one of vectors above the maps.

        The lines of lanes follow these, the first of them in the row that stays free in any case.
        """
        top = band + 2 * max(len(_band(group, arrangement)) for group in groups)
        pitches = _pitches(groups, arrangement)
        heights = [min(g.out_shape[0], arrangement.maps) * p for g, p in zip(groups, pitches, strict=True)]
        return cls(sheet, arrangement, band, top + max(top > band, lanes), tuple(pitches), max(_TALLEST, *heights))

    def place(self, group: Group, number: int, left: int) -> tuple[dict[str, Placed], int]:
        """The tensors of the group with this number by short name, and the last column that they take."""
        if len(group.out_shape) == 3:
            own, last = self._maps(group, self.pitches[number], left)
        else:
            own, last = self._vector(group, left)
        return own, max(last, left + _MIN_WIDTH - 1)

    def _maps(self, group: Group, pitch: int, left: int) -> tuple[dict[str, Placed], int]:
        channels, height, width = group.out_shape
        node, border, kernels = group.nodes[0] if group.nodes else None, group.border, _kernels(group)
        _, stack, kernel_columns = _kernel_grid(group, self.arrangement)
        top, most = self.top, self.arrangement.maps
        kernel_width = kernel_columns * (_span(node)[1] + 1) + 1 if node and kernels else 0
        between = node.layer.intermediates(node.in_shape) if node else {}
        for_each = {s: shape for s, shape in ((node.parameters if node else {}) | between).items() if len(shape) == 3}
        blocks: dict[str, list[Block]] = {short: [] for short in (*for_each, "out")}
        first = left
        if PADDED in between:
            blocks[PADDED], first = self._copy(for_each.pop(PADDED), left)
        extra_width = sum(shape[0] // channels * (shape[2] + 1) for shape in for_each.values())
        beside = _beside(group, self.arrangement)
        tile_width = kernel_width + 2 * len(beside) + extra_width + border.left + width + border.right
        weight: dict[int, Block] = {}
        for channel in range(channels):
            row = top + 1 + channel % most * pitch
            column = first + channel // most * (tile_width + GAP)
            if node and kernels:
                weight |= self._kernels(node, kernels[channel], stack, row, column)
            column += kernel_width + 2 * len(beside)
            for short, (maps, down, across) in for_each.items():
                for _ in range(maps // channels):
                    blocks[short].append(Block(self.sheet, row + border.top, column, down, across))
                    column += across + 1
            blocks["out"].append(Block(self.sheet, row + border.top, column + border.left, height, width))
        shapes = (node.parameters if node else {}) | between | {"out": group.out_shape}
        if weight:
            blocks["weight"] = [block for _, block in sorted(weight.items())]
        own = {s: Placed(_name(group, s), shapes[s], tuple(b)) for s, b in blocks.items()}
        last = first + -(-channels // most) * (tile_width + GAP) - GAP - 1
        for number, short in enumerate(beside):
            block = Block(self.sheet, top + 1, first + kernel_width + 2 * number, channels, 1, (pitch, 1))
            own[short] = Placed(_name(group, short), beside[short], (block,))
        for number, (short, shape) in enumerate(_band(group, self.arrangement).items()):
            block = Block(self.sheet, self.band + 1 + 2 * number, left, 1, prod(shape))
            own[short] = Placed(_name(group, short), shape, (block,))
            last = max(last, block.last_column)
        return own, last

    def _kernels(self, node: Node, planes: list[int], stack: int, top: int, left: int) -> dict[int, Block]:
        """Kernels of one map by plane of the weight, `stack` below each other, then on in the next column."""
        (height, width), step = node.parameters["weight"][2:], node.layer.spacing()
        down, right = (size + 1 for size in _span(node))
        return {
            plane: Block(self.sheet, top + k % stack * down, left + k // stack * right, height, width, step)
            for k, plane in enumerate(planes)
        }

    def _copy(self, shape: Shape, left: int) -> tuple[list[Block], int]:
        """The maps of a copy of the input, and the first column behind them."""
        (channels, height, width), most = shape, self.arrangement.maps
        blocks = [
            Block(
                self.sheet,
                self.top + 1 + channel % most * (height + 2),
                left + channel // most * (width + GAP),
                height,
                width,
            )
            for channel in range(channels)
        ]
        return blocks, blocks[-1].last_column + 1 + GAP

    def _vector(self, group: Group, left: int) -> tuple[dict[str, Placed], int]:
        node = group.nodes[0]
        own: dict[str, Placed] = {}
        column = left
        shapes = node.parameters
        if len(shapes.get("weight", ())) == 2:
            if group.tiles:
                weight, last = self._tiles(group, group.tiles, column)
            else:
                outputs, inputs = shapes["weight"]
                block = Block(self.sheet, self.top + 1, column, inputs, outputs)
                weight, last = (
                    Placed(_name(group, "weight"), shapes["weight"], (block,), transposed=True),
                    block.last_column,
                )
            own["weight"] = weight
            column = last + 2
        columns = {s: shape for s, shape in shapes.items() if s not in own} | node.layer.intermediates(node.in_shape)
        for short, shape in (columns | {"out": group.out_shape}).items():
            own[short] = Placed(_name(group, short), shape, (Block(self.sheet, self.top + 1, column, prod(shape), 1),))
            column += 2
        return own, column - 2 + _LABEL_WIDTH

    def _tiles(self, group: Group, maps: Shape, left: int) -> tuple[Placed, int]:
        """Weights in the shape of the maps that they weigh: of one output side by side, outputs below each other."""
        channels, height, width = maps
        outputs = group.nodes[0].parameters["weight"][0]
        pitch, tile_width = height + 2, channels * (width + 1) - 1
        in_column = max(1, min(outputs, self.tallest // pitch))
        blocks = [
            Block(
                self.sheet,
                self.top + 1 + output % in_column * pitch,
                left + output // in_column * (tile_width + GAP) + channel * (width + 1),
                height,
                width,
            )
            for output in range(outputs)
            for channel in range(channels)
        ]
        placed = Placed(_name(group, "weight"), group.nodes[0].parameters["weight"], tuple(blocks))
        return placed, max(block.last_column for block in blocks)


def _vectors(group: Group) -> dict[str, Shape]:
    """Parameters and intermediates of maps that are no maps, kernels or matrices."""
    if not group.nodes or len(group.out_shape) != 3:
        return {}
    node = group.nodes[0]
    own = node.parameters | node.layer.intermediates(node.in_shape)
    return {short: shape for short, shape in own.items() if len(shape) < 2}


def _beside(group: Group, arrangement: Arrangement) -> dict[str, Shape]:
    """Those that stand beside the maps, a value each."""
    return {s: shape for s, shape in _vectors(group).items() if arrangement.beside and shape == group.out_shape[:1]}


def _band(group: Group, arrangement: Arrangement) -> dict[str, Shape]:
    """Those that stand above the maps."""
    beside = _beside(group, arrangement)
    return {short: shape for short, shape in _vectors(group).items() if short not in beside}


def _kernels(group: Group) -> list[list[int]]:
    """Kernels of each map, as planes of the weight."""
    return group.nodes[0].layer.kernels(group.nodes[0].in_shape) if group.nodes else []


def _span(node: Node) -> tuple[int, int]:
    """Cells that a kernel covers: more than its size where its values stand apart."""
    height, width = node.parameters["weight"][2:]
    down, right = node.layer.spacing()
    return (height - 1) * down + 1, (width - 1) * right + 1


def _kernel_grid(group: Group, arrangement: Arrangement) -> tuple[int, int, int]:
    """Kernels of one map: how many, how many above each other, and how many columns of kernels."""
    kernels = _kernels(group)
    if not kernels:
        return 0, 1, 0
    height = group.out_shape[1] + group.border.top + group.border.bottom
    rows = max(1, (height + 1) // (_span(group.nodes[0])[0] + 1)) if arrangement.stacked else 1
    return len(kernels[0]), rows, -(-len(kernels[0]) // rows)


def _tile_height(group: Group, arrangement: Arrangement) -> int:
    """Rows of one map with its label, its border, its kernels, and a free row."""
    kernels, rows, _ = _kernel_grid(group, arrangement)
    stack = min(rows, kernels) * (_span(group.nodes[0])[0] + 1) - 1 if kernels else 0
    return 2 + max(group.out_shape[1] + group.border.top + group.border.bottom, stack)


def _pitches(groups: Sequence[Group], arrangement: Arrangement) -> list[int]:
    """Rows from one map to the next; neighbours with the same number of maps share it, so that maps stay in line."""
    pitches: list[int] = []
    for count, run in groupby(groups, key=lambda group: group.out_shape[0] if len(group.out_shape) == 3 else 0):
        members = list(run)
        pitches += [max(_tile_height(group, arrangement) for group in members) if count else 0] * len(members)
    return pitches


def _name(group: Group, short: str) -> str:
    return f"{group.name}_{short}" if group.nodes else group.name
