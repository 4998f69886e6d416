"""Where everything stands on the sheet `Saliency`."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from conv_sheet.cells.formula import MAX_BLOCKS
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.network.layout import Layout, Stage

SALIENCY = "Saliency"
TOP = 10
"""First row of the maps."""
MAPS = 6
"""Their first column."""
_GAP, _NARROWEST = 2, 10
"""Columns between them, and the fewest that a title has room in."""
_LINES = 8
"""Rows of the lines that say how to read it, with their heading and two free ones."""


@dataclass(frozen=True)
class Blocks:
    """Where everything stands: from left to right the classes, the picture, and its maps; below them the filters.

    Channels of the picture stand below each other, and so do those of its gradient.
    """

    layout: Layout

    @cached_property
    def names(self) -> Block:
        """Names of the classes; behind them their outputs and marks, above them the predicted one."""
        return Block(SALIENCY, TOP + 1, 2, len(self.layout.network.classes), 1)

    @property
    def offered(self) -> Block:
        """The names, and before them what stands for the predicted one."""
        return self.names.part(-1, 0, self.names.height + 1, 1)

    @property
    def outputs(self) -> Block:
        return self.names.part(0, 1, self.names.height, 1)

    @property
    def marks(self) -> Block:
        return self.names.part(0, 2, self.names.height, 1)

    def _map(self, number: int, name: str, shape: tuple[int, ...]) -> Placed:
        height, width = shape[-2:]
        column = MAPS + number * (max(width, _NARROWEST) + _GAP)
        rows = (TOP + channel * (height + 2) for channel in range(prod(shape[:-2])))
        return Placed(name, shape, tuple(Block(SALIENCY, row, column, height, width) for row in rows))

    @cached_property
    def picture(self) -> Placed:
        return self._map(0, "saliency_input", self.layout.network.input_shape)

    @cached_property
    def gradient(self) -> Placed:
        return self._map(1, "saliency_gradient", self.layout.network.input_shape)

    @cached_property
    def steepest(self) -> Placed | None:
        """The gradient's largest absolute value over the channels, where there are several."""
        channels, height, width = self.layout.network.input_shape
        return self._map(2, "saliency_steepest", (height, width)) if channels > 1 else None

    @cached_property
    def occlusion(self) -> Placed:
        return self._map(3 if self.steepest else 2, "saliency_occlusion", self.layout.network.input_shape[1:])

    @property
    def words_height(self) -> float:
        """Points that the words above a map need: the fewer columns they have, the more lines."""
        first, last = columns(self.occlusion)
        return 17.0 * -(-36 // (last - first + 1))

    @property
    def last_column(self) -> int:
        return columns(self.occlusion)[1]

    @cached_property
    def first_layer(self) -> Stage | None:
        """The first stage with kernels or with weights in the shape of the picture; None where it has a matrix."""
        weighted = (stage for stage in self.layout.stages if "weight" in stage.own)
        stage = next((stage for stage in weighted if len(stage.own["weight"].shape) in (2, 4)), None)
        return None if stage is None or stage.own["weight"].transposed else stage

    @cached_property
    def filters(self) -> list[list[tuple[Block, int]]]:
        """For each map of the first layer where its weights are drawn, and their planes; channels below each other."""
        if self.first_layer is None:
            return []
        weight = self.first_layer.own["weight"]
        tiles = np.arange(len(weight.blocks)).reshape(weight.shape[0], -1).tolist()
        maps = self.first_layer.layer.kernels(self.first_layer.in_shape) or tiles
        height, width = weight.blocks[0].shape
        across = max(1, (self.last_column - MAPS + 2) // (width + 1))
        pitch = len(maps[0]) * (height + 1) + 1

        def drawn(number: int, channel: int) -> Block:
            row = self.filters_row + 3 + number // across * pitch + channel * (height + 1)
            return Block(SALIENCY, row, MAPS + number % across * (width + 1), height, width)

        return [[(drawn(i, c), plane) for c, plane in enumerate(planes)] for i, planes in enumerate(maps)]

    @property
    def filters_row(self) -> int:
        return max(self.picture.area.last_row, self.names.last_row) + 2

    @property
    def text_rows(self) -> set[int]:
        """Rows of texts alone: over maps and filters, and below them."""
        drawn = *self.picture.blocks, *(planes[0][0] for planes in self.filters)
        below = range(self.reading_row, self.reading_row + _LINES + 2)
        return {*(block.row - 1 for block in drawn), self.filters_row, *below}

    @property
    def reading_row(self) -> int:
        return max((block.last_row for planes in self.filters for block, _ in planes), default=self.filters_row - 2) + 2

    @cached_property
    def made(self) -> Placed:
        """Of what the maps were made, as the engine left it; the row below says of what they would be made now."""
        size = 1 + -(-sum(len(placed.blocks) for _, placed in self.layout.parameters()) // MAX_BLOCKS)
        return Placed("saliency_made", (size,), (Block(SALIENCY, self.reading_row + _LINES, 6, 1, size),))

    @property
    def now(self) -> Block:
        (made,) = self.made.blocks
        return made.part(1, 0, 1, made.width)


def columns(placed: Placed) -> tuple[int, int]:
    """First and last column of a map with its title."""
    area = placed.area
    return area.column, max(area.last_column, area.column + _NARROWEST - 1)
