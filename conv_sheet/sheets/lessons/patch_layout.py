"""Where everything of the sheet `Patches` stands."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from conv_sheet.cells.grid import Block, Placed
from conv_sheet.errors import SpecError
from conv_sheet.layers.conv import Conv2d
from conv_sheet.layers.field import Field
from conv_sheet.learning.patches import field, middle
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.pictures.drawings import PICTURES
from conv_sheet.pictures.samples import DIGITS
from conv_sheet.sheets.lessons.units import Unit, units, way

NAME = "patches"
PATCHES = "Patches"
COUNT = 8
"""Patches of each map."""
DRAWN = (*DIGITS, *PICTURES)
"""Labels of the pictures that patches are taken from."""
ASK_ROW, TOP = 5, 9
_MOST = 24
"""Maps that can be chosen from."""
_CAPTION, _TOLD = 6, 8
"""Columns of the name of a map, and of the lines that tell the answer."""


@dataclass(frozen=True)
class PatchLayout:
    """Where everything stands: a strip for each map, the calculation to the right, what Python found below."""

    layout: Layout

    @cached_property
    def units(self) -> list[Unit]:
        """Raises SpecError where the sheet cannot show any."""
        if self.layout.input.shape[0] != 1:
            raise SpecError(f"the sheet {NAME!r} needs a picture of one channel")
        return units(self.layout, NAME, _MOST)

    @cached_property
    def answers(self) -> list[Stage]:
        """The stages in which the units answer."""
        return list({unit.stage.name: unit.stage for unit in self.units}.values())

    @cached_property
    def stages(self) -> list[Stage]:
        """Those from the picture up to the last of them."""
        return way(self.layout, self.answers[-1])

    def field(self, stage: Stage) -> tuple[Field, Field]:
        """What a value of a stage sees of the picture, along rows and along columns."""
        return field(self.layout.network, stage.nodes[-1].name)

    @cached_property
    def size(self) -> int:
        """Rows, and columns, of every patch: as many as the last unit sees."""
        return max(one.size for one in self.field(self.answers[-1]))

    def middle(self, stage: Stage) -> tuple[int, int]:
        """Where in what a stage makes of a patch its unit stands."""
        rows, columns = (middle(one, self.size) for one in self.field(stage))
        return rows, columns

    def seen(self, stage: Stage, tile: Block) -> Block:
        """What a unit of a stage sees of a patch."""
        (rows, columns), (y, x) = self.field(stage), self.middle(stage)
        return tile.part(y * rows.stride, x * columns.stride, rows.size, columns.size)

    def slices(self, number: int) -> list[Block]:
        """The kernel of a unit, before its patches, its values as far apart as on `Network`."""
        unit = self.units[number]
        weight = unit.convolution.own["weight"]
        first = replace(weight.blocks[unit.kernel[0]], sheet=PATCHES, row=self._row(number), column=2)
        width = first.last_column - first.column + 2
        return [first.on(PATCHES, 0, i * width) for i in range(len(unit.kernel))]

    def _row(self, number: int) -> int:
        return TOP + number * (self.size + 2)

    @cached_property
    def _first(self) -> int:
        """First column of the patches."""
        return max(self.slices(number)[-1].last_column for number in range(len(self.units))) + 2

    def tile(self, number: int, rank: int) -> Block:
        return Block(PATCHES, self._row(number), self._first + rank * (self.size + 1), self.size, self.size)

    @cached_property
    def patch(self) -> Block:
        """The chosen one."""
        return self.tile(0, COUNT).part(0, 1, self.size, self.size)

    @cached_property
    def own(self) -> Block:
        return self.patch.part(2 * (self.size + 2), 0, self.size, self.size)

    @cached_property
    def maps(self) -> list[list[Block]]:
        """What the convolutions make of the patch, by stage."""
        made, column = [], self.patch.last_column + 3
        for stage in self.stages:
            height, width = ((self.size - one.size) // one.stride + 1 for one in self.field(stage))
            first = Block(PATCHES, self.patch.row, column, height, width)
            made.append([first.part(c * (height + 2), 0, height, width) for c in range(stage.out.shape[0])])
            column += max(width + 3, _CAPTION)
        return made

    @cached_property
    def told(self) -> Block:
        """Where the answer is told, below the maps."""
        below = max(block.last_row for blocks in self.maps for block in blocks) + 3
        return Block(PATCHES, max(self.own.row, below), self.maps[0][0].column, 1, 1)

    @property
    def last_column(self) -> int:
        return max(self.maps[-1][0].last_column + 5, self.told.column + _TOLD)

    @cached_property
    def copies(self) -> dict[str, Placed]:
        """Copies of parameters by full name: of kernels those beside the patches, of others some right of all."""
        made, column = {}, self.last_column + 3
        for stage in self.stages:
            for name, placed in stage.parameters():
                if isinstance(stage.layer, Conv2d) and name.endswith(".weight"):
                    kernels = {
                        plane: block
                        for number, unit in enumerate(self.units)
                        if unit.convolution is stage
                        for plane, block in zip(unit.kernel, self.slices(number), strict=True)
                    }
                    blocks = tuple(kernels[plane] for plane in range(len(placed.blocks)))
                else:
                    blocks = tuple(
                        replace(block, sheet=PATCHES, row=TOP, column=column + block.column - placed.area.column)
                        for block in placed.blocks
                    )
                    column += placed.area.width + 1
                made[name] = replace(placed, blocks=blocks)
        return made

    def _table(self, name: str, place: int) -> Placed:
        """A fact of every patch: a row for each unit."""
        shape = len(self.units), COUNT
        row = self._row(len(self.units)) + 1 + place * (len(self.units) + 2)
        return Placed(f"patch_{name}", shape, (Block(PATCHES, row, self._first, *shape),))

    @cached_property
    def values(self) -> Placed:
        return self._table("values", 0)

    @cached_property
    def pictures(self) -> Placed:
        """Numbers of the pictures, from 1."""
        return self._table("pictures", 1)

    @cached_property
    def tiles(self) -> Placed:
        shape = len(self.units), COUNT, self.size, self.size
        return Placed("patches", shape, tuple(self.tile(*at) for at in np.ndindex(len(self.units), COUNT)))

    @cached_property
    def names(self) -> Block:
        """Labels of the pictures."""
        return Block(PATCHES, self.pictures.area.last_row + 3, self._first, 1, len(DRAWN))

    @cached_property
    def offered(self) -> Block:
        """Labels of the units."""
        return self.names.part(2, 0, 1, len(self.units))
