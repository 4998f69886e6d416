"""What each value of a network is made of, and where that stands on `Network`, as plain numbers.

All tensors stand at regular places. So a few numbers a stage say where the value at any map, row and column stands,
which window of which maps it sees, which kernels weigh them, and where its bias is. Formulas can work with them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import gcd, prod

from conv_sheet.cells.grid import Block, Lattice, Placed
from conv_sheet.layers import Field, Site
from conv_sheet.layers.base import PADDED
from conv_sheet.network.layout import Layout, Stage

TILE = 12
"""Rows and columns of a window that are looked at together; a larger one is cut into tiles."""
SMALL = 5
"""Rows and columns of a small window."""


@dataclass(frozen=True)
class Weights:
    """Where the weights of one output stand: those of the output maps, and from the first on those of the input maps.

    The one that the window's first value meets stands `start` from the block's first cell, the next one `step` further.
    """

    outputs: Lattice
    inputs: Lattice
    start: tuple[int, int] = (0, 0)
    step: tuple[int, int] = (1, 1)

    def place(self, output: int, channel: int, number: tuple[int, int]) -> tuple[int, int]:
        """Row and column of the weight that meets the value with these numbers in the window on an input map."""
        row, column = self.outputs.place(output)
        down, right = self.inputs.place(channel)
        return (
            row + down - self.inputs.row + self.start[0] + number[0] * self.step[0],
            column + right - self.inputs.column + self.start[1] + number[1] * self.step[1],
        )


@dataclass(frozen=True)
class Sight:
    """What the values of a stage see.

    `reads_own` is the short name of what is read where it is a tensor of the stage's own. `rows` and `columns` are the
    windows, in which `low` and `high` are the first and the last index that there is, the
    border included. A vector is looked at as a table of as many columns as divide it evenly.
    """

    stage: Stage
    reads: Placed
    reads_own: str | None
    rows: Field
    columns: Field
    low: tuple[int, int]
    high: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Maps, rows and columns of the output; a vector is one column."""
        return _maps(self.stage.out)

    @property
    def vector(self) -> bool:
        """Whether the output is a vector: then its values are numbered by row alone."""
        return len(self.stage.out.shape) == 1

    @property
    def source(self) -> tuple[int, int, int]:
        """Maps, rows and columns of what is read."""
        return _maps(self.reads)

    @property
    def wrapped(self) -> bool:
        """Whether neighbouring columns of a window stand below each other on the sheet, as in a vector they do."""
        return len(self.reads.shape) == 1

    @property
    def weighted(self) -> bool:
        """Whether a value is a sum of products with weights."""
        return "weight" in self.stage.own and len(self.stage.own["weight"].shape) > 1

    @property
    def elementwise(self) -> bool:
        """Whether a value is computed from the one value in its place."""
        return not self.weighted and self.rows == self.columns == Field()

    @cached_property
    def each(self) -> int:
        """Input maps that one value sees."""
        if not self.weighted:
            return 1
        kernels = self.stage.layer.kernels(self.stage.in_shape)
        return len(kernels[0]) if kernels else self.source[0]

    @property
    def sharing(self) -> int:
        """Outputs (maps, or values of a vector) in a row that see the same input maps."""
        return max(1, self.stage.out.shape[0] * self.each // self.source[0])

    @property
    def tiles(self) -> tuple[int, int]:
        """Into how many tiles a window is cut, down and across."""
        return -(-self.rows.size // TILE), -(-self.columns.size // TILE)

    @property
    def panels(self) -> int:
        """Tiles of all input maps that one value sees."""
        return self.each * prod(self.tiles)

    @property
    def small(self) -> bool:
        """Whether a window is as small as kernels mostly are, and not a whole map."""
        return max(self.rows.size, self.columns.size) <= SMALL

    def panel_shape(self, panel: int) -> tuple[int, int]:
        """Rows and columns of one tile of one map."""
        _, row, column = self.panel(panel)
        return min(TILE, self.rows.size - row), min(TILE, self.columns.size - column)

    def panel(self, panel: int) -> tuple[int, int, int]:
        """Number among the input maps that a value sees, and numbers of the window's first row and column in it."""
        down, across = self.tiles
        channel, tile = divmod(panel, down * across)
        return channel, tile // across * TILE, tile % across * TILE

    def place(self, output: int, row: int, column: int) -> int:
        """Number of a value of the output, row by row and map by map; `output` is its map, or its place in a vector."""
        return output if self.vector else (output * self.shape[1] + row) * self.shape[2] + column

    def first(self, output: int, row: int, column: int) -> tuple[int, int, int]:
        """First input map that a value sees, and position of its window in it."""
        if not self.elementwise:
            return output // self.sharing * self.each, row, column
        _, height, width = self.source
        channel, rest = divmod(self.place(output, row, column), height * width)
        return channel, *divmod(rest, width)

    def taps(self, axis: int, position: int) -> dict[int, int]:
        """Index of the input row (or column) by its number in the window, for those that there are."""
        field = (self.rows, self.columns)[axis]
        return {n: i for n, i in field.taps(position) if self.low[axis] <= i <= self.high[axis]}

    @property
    def apart(self) -> tuple[int, int]:
        """Rows and columns between neighbours of a window that there are, as they stand on the sheet."""
        if self.wrapped:
            return 1, 1
        down, right = (f.dilation // gcd(f.dilation, f.spread) for f in (self.rows, self.columns))
        return down, right

    def formula(self, windows: Sequence[Block], total: Block, own: Sequence[Block]) -> str:
        """Formula of a value, before the activation, over cells that hold what it sees in each panel, the sum of all
        products, and what the value has of its own.
        """
        cells = dict(zip(self.own, own, strict=False))
        if self.weighted:
            return "+".join(cell.cell() for cell in (total, *cells.values()))
        if not self.elementwise:
            return self.stage.layer.over([w.relative for w in windows], {k: cell.cell() for k, cell in cells.items()})
        alone = Placed("", (1,) * len(self.reads.shape), (windows[0].part(0, 0, 1, 1),))
        tensors = {short: Placed("", (1,) * len(self.own[short].shape), (cell,)) for short, cell in cells.items()}
        return self.stage.layer.formulas(Site((alone,), tensors))["out"](0, 0, 0)

    @cached_property
    def lattice(self) -> Lattice:
        """Where the maps that are read stand."""
        return Lattice.of(self.reads.blocks)

    @cached_property
    def weights(self) -> Weights | None:
        if not self.weighted:
            return None
        weight, layer = self.stage.own["weight"], self.stage.layer
        blocks, kernels = weight.blocks, layer.kernels(self.stage.in_shape)
        if weight.transposed:
            columns = [blocks[0].part(0, output, blocks[0].height, 1) for output in range(blocks[0].width)]
            return Weights(Lattice.of(columns), Lattice.of(columns[:1]), step=(self.rows.dilation, 1))
        planes = kernels or [list(range(o, o + self.each)) for o in range(0, len(blocks), self.each)]
        outputs = Lattice.of([blocks[of_one[0]] for of_one in planes])
        inputs = Lattice.of([blocks[plane] for plane in planes[0]])
        down, right = blocks[0].step
        if not layer.turned:
            return Weights(outputs, inputs, step=(down, right))
        height, width = blocks[0].span
        return Weights(outputs, inputs, (height - 1, width - 1), (-down, -right))

    @cached_property
    def own(self) -> dict[str, Placed]:
        """Tensors, by short name, of which a value has a number of its own: biases, settings, what is on the way."""
        short = [name for name, placed in self.stage.own.items() if len(placed.shape) < 2 and name != "out"]
        if not self.weighted:
            between = self.stage.layer.intermediates(self.stage.in_shape)
            short = [name for name in self.stage.own if name in {*short, *between}]
        return {name: self.stage.own[name] for name in short}


def places_of(placed: Placed) -> Lattice:
    """Where the maps of a tensor stand, or the values of a vector; that of a setting is the same for all."""
    block = placed.blocks[0]
    if len(placed.shape) == 3:
        return Lattice.of(placed.blocks)
    if not placed.shape:
        return Lattice(block.row, block.column, down=0, right=0)
    return Lattice.of([Block(block.sheet, row, column, 1, 1) for row, column in block.positions()])


def sights(layout: Layout) -> Iterator[Sight]:
    """The sight of every stage that one can be taken of: it reads one tensor, and all its values alike."""
    for stage in layout.stages:
        if not stage.nodes or stage.layer.joins or not stage.layer.uniform(stage.in_shape):
            continue
        source = layout.site(stage).source
        read = next((other.out for other in layout.stages if other.out.blocks == source.blocks), None)
        if read is not None:
            yield _sight(stage, read)


def _sight(stage: Stage, source: Placed) -> Sight:
    own = PADDED if PADDED in stage.own else stage.layer.sees
    reads = stage.own[own] if own else source
    fields = stage.layer.fields(stage.in_shape)
    _, height, width = _maps(reads)
    if fields is not None:
        border = stage.layer.border()
        low, high = (-border.top, -border.left), (height - 1 + border.bottom, width - 1 + border.right)
        rows, columns = (replace(field, before=0) if own == PADDED else field for field in fields)
        return Sight(stage, reads, own, rows, columns, low, high)
    if len(reads.shape) == 3:
        rows, columns = Field(height, stride=0), Field(width, stride=0)
        return Sight(stage, reads, own, rows, columns, (0, 0), (height - 1, width - 1))
    across = max(n for n in range(1, TILE + 1) if height % n == 0)
    rows, columns = Field(height // across, dilation=across, stride=0), Field(across, stride=0)
    return Sight(stage, reads, own, rows, columns, (0, 0), (height - 1, across - 1))


def _maps(placed: Placed) -> tuple[int, int, int]:
    if len(placed.shape) == 3:
        return placed.shape[0], placed.shape[1], placed.shape[2]
    return 1, placed.shape[0], 1
