"""What each value of a network is made of, and where that stands on `Network`.

Of every stage a few numbers say which window of which maps a value sees; lists say where these maps, the kernels that
weigh them, biases and the values themselves stand. Formulas can work with both.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import gcd, prod

from conv_sheet.cells.grid import Block, Placed, around
from conv_sheet.layers import Field, Site
from conv_sheet.layers.base import PADDED
from conv_sheet.network.layout import Layout, Stage

TILE = 12
"""Rows and columns of a window that are looked at together; a larger one is cut into tiles."""
_BESIDE = (0, 1, 3)
"""Axes of the tensors of which a value has a number of its own: settings, vectors, and maps."""
SMALL = 5
"""Rows and columns of a small window."""


@dataclass(frozen=True)
class Corner:
    """A row and a column on `Network`, and the defined name of what stands there; empty where it has none."""

    row: int
    column: int
    name: str = ""


@dataclass(frozen=True)
class Reach:
    """What the values of a stage are made of.

    `rows` and `columns` are the windows, in which `low` and `high` are the first and the last index that there is, the
    border included. A vector that every value sees whole is looked at as a table of `across` columns; for maps that is
    0. `reads` are the corners of the maps that values see, or of the values of a vector: `each` of them a value, the
    same for as many outputs in a row as `sharing` says.
    """

    stage: Stage
    rows: Field
    columns: Field
    low: tuple[int, int]
    high: tuple[int, int]
    across: int
    reads: tuple[Corner, ...]
    frames: tuple[Block, ...]
    """What is read, as rectangles: the maps, or the columns of a vector."""
    each: int
    map_shape: tuple[int, int]
    """Rows and columns of each map that is read."""
    repeated: Mapping[int, Placed] = field(default_factory=dict)
    """Inputs, by number, that have one value for all of a map, or one map for all: of these a value has one."""
    in_maps: bool = False
    """Whether what is read stands as maps, and not as the values of a vector."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Maps, rows and columns of the output; a vector is one column."""
        out = self.stage.out.shape
        return (out[0], out[1], out[2]) if len(out) == 3 else (1, out[0], 1)

    @property
    def picture(self) -> tuple[int, int]:
        """Rows and columns of each map that is read, without the border of a copy."""
        height, width = self.stage.in_shape[1:] if len(self.stage.in_shape) == 3 else self.map_shape
        return height, width

    @property
    def vector(self) -> bool:
        """Whether the output is a vector: then its values are numbered by row alone."""
        return len(self.stage.out.shape) == 1

    @property
    def weighted(self) -> bool:
        """Whether a value is a sum of products with weights."""
        return weighs(self.stage)

    @property
    def elementwise(self) -> bool:
        """Whether a value is computed from the values in its place."""
        together = self.stage.layer.maps_seen(self.stage.in_shape) > 1
        alike = prod(self.stage.out.shape) == prod(self.stage.in_shape)
        return not self.weighted and not together and alike and self.rows == self.columns == Field()

    @property
    def sharing(self) -> int:
        """Outputs (maps, or values of a vector) in a row that see the same input maps."""
        outputs = self.stage.out.shape[0]
        return outputs if self.across else max(1, outputs * self.each // len(self.reads))

    @property
    def tiles(self) -> tuple[int, int]:
        """Into how many tiles a window is cut, down and across."""
        return -(-self.rows.size // TILE), -(-self.columns.size // TILE)

    @property
    def panels(self) -> int:
        """Tiles of all maps that one value sees."""
        return self.each * prod(self.tiles)

    @property
    def small(self) -> bool:
        """Whether a window is as small as kernels mostly are, and not a whole map."""
        return max(self.rows.size, self.columns.size) <= SMALL

    def panel_shape(self, panel: int) -> tuple[int, int]:
        """Rows and columns of one tile of one map."""
        tile, across = panel % prod(self.tiles), self.tiles[1]
        return min(TILE, self.rows.size - tile // across * TILE), min(TILE, self.columns.size - tile % across * TILE)

    @property
    def whole(self) -> bool:
        """Whether every value sees all maps from end to end, so that its window stands still."""
        return self.in_maps and self.rows.stride == 0 and self.each == len(self.reads)

    def tile(self, panel: int) -> Block:
        """Where one tile of one map stands that every value sees."""
        channel, tile = divmod(panel, prod(self.tiles))
        down, right = (TILE * n for n in divmod(tile, self.tiles[1]))
        corner = self.reads[channel]
        return Block(self.stage.sheet, corner.row + down, corner.column + right, *self.panel_shape(panel))

    @property
    def apart(self) -> tuple[int, int]:
        """Rows and columns between neighbours of a window that there are, as they stand on the sheet."""
        if self.across:
            return 1, 1
        down, right = (f.dilation // gcd(f.dilation, f.spread) for f in (self.rows, self.columns))
        return down, right

    @cached_property
    def area(self) -> Block:
        """The rectangle around all that values see, with borders."""
        if not self.in_maps:
            return around(self.frames)
        (top, left), (bottom, right) = self.low, self.high
        height, width, sheet = bottom - top + 1, right - left + 1, self.stage.sheet
        return around(tuple(Block(sheet, c.row + top, c.column + left, height, width) for c in self.reads))

    @cached_property
    def weights(self) -> tuple[Corner, ...]:
        """Where the weight stands that a window's first value meets: `each` for every output."""
        if not self.weighted:
            return ()
        weight, layer = self.stage.own["weight"], self.stage.layer
        if weight.transposed:
            block = weight.blocks[0]
            return tuple(Corner(*block.position(0, output)) for output in range(block.width))
        planes = [plane for of_one in layer.kernels(self.stage.in_shape) for plane in of_one]
        blocks = [weight.blocks[plane] for plane in planes] or list(weight.blocks)
        height, width = blocks[0].shape if layer.turned else (1, 1)
        return tuple(Corner(*block.position(height - 1, width - 1)) for block in blocks)

    @property
    def weight_step(self) -> tuple[int, int]:
        """Rows and columns to the weight that the next row's and the next column's value meets."""
        if not self.weighted:
            return 0, 0
        down, right = self.stage.own["weight"].blocks[0].step
        return (-down, -right) if self.stage.layer.turned else (down, right)

    @cached_property
    def own(self) -> dict[str, Placed]:
        """Tensors, by short name, of which a value has a number of its own: biases, settings, what is on the way."""
        short = {n for n, placed in self.stage.own.items() if len(placed.shape) in _BESIDE and n not in ("out", PADDED)}
        if not self.weighted:
            short |= set(self.stage.layer.intermediates(self.stage.in_shape)) - {PADDED}
        else:
            short -= set(self.stage.layer.intermediates(self.stage.in_shape))
        repeated = {placed.name: placed for placed in self.repeated.values()}
        return {name: placed for name, placed in self.stage.own.items() if name in short} | repeated

    def formula(self, windows: Sequence[Block], total: Block, own: Sequence[Block]) -> str:
        """Formula of a value, before the activation, over cells that hold what it sees in each panel, the sum of all
        products, and what the value has of its own.
        """
        cells = dict(zip(self.own, own, strict=False))
        if self.weighted:
            return "+".join(cell.cell() for cell in (total, *cells.values()))
        if not self.elementwise:
            return self.stage.layer.over([w.relative for w in windows], {k: cell.cell() for k, cell in cells.items()})
        rank = len(self.stage.in_shape)
        alone = [Placed("", (1,) * rank, (window.part(0, 0, 1, 1),)) for window in windows]
        for number, placed in sorted(self.repeated.items()):
            alone.insert(number, Placed("", (1,) * rank, (own[list(self.own).index(placed.name)],)))
        tensors = {short: Placed("", (1,) * len(self.own[short].shape), (cell,)) for short, cell in cells.items()}
        return self.stage.layer.formulas(Site(tuple(alone), tensors))["out"](0, 0, 0)


def weighs(stage: Stage) -> bool:
    """Whether a stage has kernels, or a matrix of weights."""
    kernels = stage.layer.kernels(stage.in_shape)
    return bool(kernels) or ("weight" in stage.own and len(stage.own["weight"].shape) == 2)


def corners(placed: Placed, count: int = 0) -> tuple[Corner, ...]:
    """Where the maps of a tensor stand, or the values of a vector.

    For `count` outputs there are as many: a setting stands there for all alike, the value of a group for all of it.
    """
    if len(placed.shape) == 3:
        found = [Corner(block.row, block.column) for block in placed.blocks]
    else:
        found = [Corner(row, column) for block in placed.blocks for row, column in block.positions()]
    each = max(1, count // len(found))
    return tuple(corner for corner in found for _ in range(each))


def reaches(layout: Layout) -> Iterator[Reach]:
    """The reach of every stage whose values are all computed alike."""
    for stage in layout.stages:
        own = stage.nodes and not stage.carried
        if own and stage.layer.uniform(stage.in_shape) and _whole_input(layout, stage):
            yield _reach(layout, stage)


def _whole_input(layout: Layout, stage: Stage) -> bool:
    """Whether at least one input has as many values as the output, where there are several."""
    return not all(_repeats(stage, source) for source in layout.site(stage).sources)


def _reach(layout: Layout, stage: Stage) -> Reach:
    own = PADDED if PADDED in stage.own else stage.layer.sees
    sources = (stage.own[own],) if own else layout.site(stage).sources
    repeated = {n: _repeated(placed) for n, placed in enumerate(sources) if _repeats(stage, placed)}
    sources = tuple(placed for n, placed in enumerate(sources) if n not in repeated)
    fields = (Field(), Field()) if stage.layer.in_place else stage.layer.fields(stage.in_shape)
    kernels = weighs(stage) and not stage.own["weight"].transposed
    as_maps = len(sources[0].shape) == 3 or sources[0].blocks[0].width > 1 or kernels
    if fields is None and not as_maps:
        return _whole_vector(stage, sources[0], fields)
    planes = [_named(source, as_maps, layout.named) for source in sources]
    reads = tuple(corner for together in zip(*planes, strict=True) for corner in together)
    height, width = sources[0].blocks[0].shape if as_maps else (sources[0].shape[0], 1)
    each = len(sources) * stage.layer.maps_seen(stage.in_shape)
    if fields is None:
        fields = Field(height, stride=0), Field(width, stride=0)
        each = len(reads) if weighs(stage) else 1
    elif weighs(stage):
        each = len(stage.layer.kernels(stage.in_shape)[0])
    border = stage.layer.border()
    low, high = (-border.top, -border.left), (height - 1 + border.bottom, width - 1 + border.right)
    if own == PADDED:  # a copy with its border: counted from where the map itself begins
        top, left = fields[0].before, fields[1].before
        low, high = (-top, -left), (height - 1 - top, width - 1 - left)
        reads = tuple(replace(corner, row=corner.row + top, column=corner.column + left) for corner in reads)
    if not as_maps:  # each value is looked at in its own row of the vector
        reads = tuple(replace(corner, row=corner.row - number // each) for number, corner in enumerate(reads))
    frames = tuple(block for source in sources for block in source.blocks)
    return Reach(stage, *fields, low, high, 0, reads, frames, each, (height, width), repeated, as_maps)


def _repeats(stage: Stage, source: Placed) -> bool:
    """Whether a layer of several inputs reads one that has fewer values than it gives."""
    return stage.layer.joins and source.shape != stage.in_shape


def _repeated(source: Placed) -> Placed:
    """An input with one value for all of a map as a vector of these values."""
    single = len(source.shape) == 3 and source.shape[1:] == (1, 1)
    return Placed(source.name, source.shape[:1], source.blocks) if single else source


def _named(source: Placed, as_maps: bool, names: dict[Block, str]) -> list[Corner]:
    if as_maps:
        return [Corner(block.row, block.column, names.get(block, source.name)) for block in source.blocks]
    return [replace(corner, name=source.name) for corner in corners(source)]


def _whole_vector(stage: Stage, source: Placed, fields: None) -> Reach:
    """Of a stage whose values see a whole vector."""
    length = source.shape[0]
    across = max(n for n in range(1, TILE + 1) if length % n == 0)
    rows, columns = Field(length // across, dilation=across, stride=0), Field(across, stride=0)
    reads = tuple(replace(corner, name=source.name) for corner in corners(source))
    return Reach(stage, rows, columns, (0, 0), (length - 1, across - 1), across, reads, source.blocks, 1, (length, 1))
