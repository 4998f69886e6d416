"""Where every block of a network stands on the sheet `Network`, from left to right, and who owns it.

Pure: the same network gives the same layout, so a workbook needs to carry only the spec.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from math import prod

from conv_sheet.cells.grid import MAX_COLUMNS, MAX_ROWS, Block, Placed
from conv_sheet.errors import WorkbookError
from conv_sheet.layers import Array, Border, Layer, Shape, Site
from conv_sheet.layers.base import PADDED
from conv_sheet.network.graph import INPUT, Network, Node
from conv_sheet.network.groups import Group, grouped, views

NETWORK = "Network"
NUMPY = "NumPy"

COCKPIT_ROWS = 8
"""Rows over everything in which the answer and a small picture stay in sight."""
TITLE_ROW, SHAPE_ROW, TORCH_ROW, WORDS_ROW, SCALE_ROW = range(COCKPIT_ROWS + 1, COCKPIT_ROWS + 6)
"""The heads of a stage, and below them the bounds of its colour scales."""
BAND_ROW = SCALE_ROW + 1
"""First row of the biases and other vectors that stand above the maps."""

_FIRST_COLUMN = 2
_GAP = 2
_MIN_WIDTH = 10
_TILES_IN_COLUMN = 8
_TALLEST = 72
"""Rows that the weights of a fully connected layer may take, where the maps do not take more anyway, before they go on
in the next column."""
_LABEL_WIDTH = 3


@dataclass(frozen=True)
class Stage:
    """What makes one set of blocks: a layer, the one folded into its formulas, and its tensors on the sheet.

    `inputs` names what it reads, as its first layer does. `own` has the parameters, the intermediates and `out` by
    short name. The input is a stage without layers.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    own: Mapping[str, Placed]
    border: Border
    columns: tuple[int, int]

    @property
    def out(self) -> Placed:
        return self.own["out"]

    @property
    def layer(self) -> Layer:
        return self.nodes[0].layer

    @property
    def activation(self) -> Layer | None:
        """The layer that is folded into the formulas of the first one."""
        return self.nodes[1].layer if len(self.nodes) > 1 else None

    @property
    def last_layer(self) -> Layer:
        """The layer whose output the stage shows."""
        return self.nodes[-1].layer

    @property
    def in_shape(self) -> Shape:
        return self.nodes[0].in_shape

    def parameters(self) -> Iterator[tuple[str, Placed]]:
        """Full name (`conv1.weight`) of each parameter, and where it stands."""
        if self.nodes:
            yield from ((f"{self.name}.{short}", self.own[short]) for short in self.nodes[0].parameters)

    def computed(self) -> Iterator[tuple[str, Placed]]:
        """Short name of each tensor that formulas make, and where it stands; none for the input."""
        if self.nodes:
            yield from ((s, self.own[s]) for s in (*self.layer.intermediates(self.in_shape), "out"))

    def label_column(self) -> int:
        """The column to the right of a vector, for the names of its values."""
        return self.out.blocks[0].last_column + 1


@dataclass(frozen=True)
class Layout:
    """The stages of a network, in the order of calculation, and where the output of each layer stands.

    `placed` has that of every layer by name, and the picture as `input`. A layer folded into the formulas of another
    one, and this one, have the stage's output; one without cells of its own has those of what it reads.
    """

    network: Network
    stages: tuple[Stage, ...]
    placed: Mapping[str, Placed]

    @cached_property
    def by_name(self) -> dict[str, Stage]:
        return {stage.name: stage for stage in self.stages}

    @property
    def input(self) -> Placed:
        return self.placed[INPUT]

    @property
    def output(self) -> Placed:
        """What the network gives."""
        return self.placed[self.network.output.name]

    def on(self, sheet: str, down: int = 0, right: int = 0) -> "Layout":
        """The same addresses on another sheet, or those so many rows and columns from them."""
        own = ({short: placed.on(sheet, down, right) for short, placed in s.own.items()} for s in self.stages)
        moved = (replace(stage, own=tensors) for stage, tensors in zip(self.stages, own, strict=True))
        placed = {name: where.on(sheet, down, right) for name, where in self.placed.items()}
        return replace(self, stages=tuple(moved), placed=placed)

    def sharing(self, parameters: "Layout", picture: "Layout") -> "Layout":
        """The same with the parameters and the picture of other layouts of the network."""

        def own(stage: Stage) -> Mapping[str, Placed]:
            if not stage.nodes:
                return picture.by_name[stage.name].own
            theirs = parameters.by_name[stage.name].own
            return {**stage.own, **{short: theirs[short] for short in stage.nodes[0].parameters}}

        stages = [replace(stage, own=own(stage)) for stage in self.stages]
        return replace(self, stages=tuple(stages), placed=_outputs(self.network, stages))

    def site(self, stage: Stage) -> Site:
        """Where a stage stands and what it reads."""
        return Site(tuple(self.placed[name] for name in stage.inputs), stage.own)

    def values(self, stage: Stage, activations: Mapping[str, Array], tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Values of a stage's computed tensors by short name, without the batch axis; the batch is one image."""
        if not stage.nodes:
            return {"out": activations[INPUT][0]}
        node = stage.nodes[0]
        between = node.layer.intermediate_values(activations[node.inputs[0]], node.own(tensors))
        return {short: value[0] for short, value in between.items()} | {"out": activations[stage.nodes[-1].name][0]}

    def parameters(self) -> Iterator[tuple[str, Placed]]:
        """Full name of every parameter, and where it stands."""
        for stage in self.stages:
            yield from stage.parameters()

    def names(self) -> Iterator[tuple[str, Block]]:
        """Every defined name and the block that it refers to."""
        for stage in self.stages:
            for placed in stage.own.values():
                yield from placed.names()

    @cached_property
    def named(self) -> dict[Block, str]:
        """The defined name of each block."""
        return {block: name for name, block in self.names()}

    @property
    def last_row(self) -> int:
        return max(block.last_row for stage in self.stages for p in stage.own.values() for block in p.blocks)

    @property
    def last_column(self) -> int:
        return self.stages[-1].columns[1]


def plan(network: Network, fold: bool = True) -> Layout:
    """Place a network; with `fold`, activations stand in the formulas of the layers before them, where they can.

    >>> conv = {"kind": "Conv2d", "out_channels": 1, "kernel_size": 3}
    >>> layout = plan(Network.from_spec({"input": [1, 6, 6], "layers": [conv]}))
    >>> layout.input.blocks[0].relative, dict(layout.names())["conv1_out_1"].relative
    ('B18:G23', 'S18:V21')
    """
    groups = grouped(network, fold)
    top = BAND_ROW + 2 * max(map(_band_rows, groups))
    top += 1 if top > BAND_ROW else 0
    pitches = _pitches(groups)
    tallest = max(
        [_TALLEST, *(min(g.out_shape[0], _TILES_IN_COLUMN) * p for g, p in zip(groups, pitches, strict=True))]
    )
    try:
        stages = _side_by_side(groups, pitches, tallest, top)
    except WorkbookError:
        raise _no_room(groups, pitches, tallest, top) from None
    return Layout(network, tuple(stages), _outputs(network, stages))


def _side_by_side(groups: list[Group], pitches: list[int], tallest: int, top: int) -> list[Stage]:
    stages: list[Stage] = []
    column = _FIRST_COLUMN
    for group, pitch in zip(groups, pitches, strict=True):
        if len(group.out_shape) == 3:
            own, last = _place_maps(group, pitch, top, column)
        else:
            own, last = _place_vector(group, tallest, top, column)
        last = max(last, column + _MIN_WIDTH - 1)
        stages.append(Stage(group.name, group.nodes, group.inputs, own, group.border, (column, last)))
        column = last + 1 + _GAP
    return stages


def _no_room(groups: list[Group], pitches: list[int], tallest: int, top: int) -> WorkbookError:
    """What to say of groups that no sheet has room for: which one is too large alone, or what all take together."""
    widths: dict[str, int] = {}
    for group, pitch in zip(groups, pitches, strict=True):
        try:
            (stage,) = _side_by_side([group], [pitch], tallest, top)
        except WorkbookError:
            return WorkbookError(
                f"{group.name!r} alone has no room on a sheet of {MAX_ROWS:,} rows and {MAX_COLUMNS:,} columns: "
                "use a smaller input, or fewer channels or features there"
            )
        widths[group.name] = stage.columns[1] - stage.columns[0] + 1 + _GAP
    widest, most = max(widths.items(), key=lambda pair: pair[1])
    few = f"use fewer channels in {widest!r} and its like" if most > MAX_COLUMNS // 8 else "use fewer layers"
    return WorkbookError(
        f"the network's {len(widths)} blocks side by side need {sum(widths.values()):,} columns, the widest of them, "
        f"{widest!r}, {most:,}, and a sheet has {MAX_COLUMNS:,}: {few}, or a smaller input"
    )


def _outputs(network: Network, stages: list[Stage]) -> dict[str, Placed]:
    """Where the output of each layer stands, and the picture; of a view, the blocks of what it reads."""
    placed = {node.name: stage.out for stage in stages for node in stage.nodes} | {INPUT: stages[0].out}
    for name in views(network):
        node = network.node(name)
        blocks = tuple(block for source in node.inputs for block in placed[source].blocks)
        placed[name] = Placed(name, node.out_shape, blocks)
    return placed


def _band_rows(group: Group) -> int:
    if not group.nodes or len(group.out_shape) != 3:
        return 0
    node = group.nodes[0]
    own = node.parameters | node.layer.intermediates(node.in_shape)
    return sum(len(shape) < 2 for shape in own.values())


def _kernels(group: Group) -> list[list[int]]:
    """Kernels of each map, as planes of the weight."""
    return group.nodes[0].layer.kernels(group.nodes[0].in_shape) if group.nodes else []


def _span(node: Node) -> tuple[int, int]:
    """Cells that a kernel covers: more than its size where its values stand apart."""
    height, width = node.parameters["weight"][2:]
    down, right = node.layer.spacing()
    return (height - 1) * down + 1, (width - 1) * right + 1


def _kernel_grid(group: Group) -> tuple[int, int, int]:
    """Kernels of one map: how many, how many above each other, and how many columns of kernels."""
    kernels = _kernels(group)
    if not kernels:
        return 0, 1, 0
    height = group.out_shape[1] + group.border.top + group.border.bottom
    rows = max(1, (height + 1) // (_span(group.nodes[0])[0] + 1))
    return len(kernels[0]), rows, -(-len(kernels[0]) // rows)


def _tile_height(group: Group) -> int:
    """Rows of one map with its label, its border, its kernels, and a free row."""
    kernels, rows, _ = _kernel_grid(group)
    stack = min(rows, kernels) * (_span(group.nodes[0])[0] + 1) - 1 if kernels else 0
    return 2 + max(group.out_shape[1] + group.border.top + group.border.bottom, stack)


def _pitches(groups: list[Group]) -> list[int]:
    """Rows from one map to the next; neighbours with the same number of maps share it, so that maps stay in line."""
    pitches: list[int] = []
    for count, run in groupby(groups, key=lambda group: group.out_shape[0] if len(group.out_shape) == 3 else 0):
        members = list(run)
        pitches += [max(map(_tile_height, members)) if count else 0] * len(members)
    return pitches


def _place_maps(group: Group, pitch: int, top: int, left: int) -> tuple[dict[str, Placed], int]:
    channels, height, width = group.out_shape
    node, border, kernels = group.nodes[0] if group.nodes else None, group.border, _kernels(group)
    _, stack, kernel_columns = _kernel_grid(group)
    kernel_width = kernel_columns * (_span(node)[1] + 1) + 1 if node and kernels else 0
    between = node.layer.intermediates(node.in_shape) if node else {}
    for_each = {s: shape for s, shape in ((node.parameters if node else {}) | between).items() if len(shape) == 3}
    blocks: dict[str, list[Block]] = {short: [] for short in (*for_each, "out")}
    first = left
    if PADDED in between:
        blocks[PADDED], first = _place_copy(for_each.pop(PADDED), top, left)
    extra_width = sum(shape[0] // channels * (shape[2] + 1) for shape in for_each.values())
    tile_width = kernel_width + extra_width + border.left + width + border.right
    weight: dict[int, Block] = {}
    for channel in range(channels):
        row = top + 1 + channel % _TILES_IN_COLUMN * pitch
        column = first + channel // _TILES_IN_COLUMN * (tile_width + _GAP)
        if node and kernels:
            weight |= _place_kernels(node, kernels[channel], stack, row, column)
        column += kernel_width
        for short, (maps, down, across) in for_each.items():
            for _ in range(maps // channels):
                blocks[short].append(Block(NETWORK, row + border.top, column, down, across))
                column += across + 1
        blocks["out"].append(Block(NETWORK, row + border.top, column + border.left, height, width))
    shapes = (node.parameters if node else {}) | between | {"out": group.out_shape}
    if weight:
        blocks["weight"] = [block for _, block in sorted(weight.items())]
    own = {s: Placed(_name(group, s), shapes[s], tuple(b)) for s, b in blocks.items()}
    last = first + -(-channels // _TILES_IN_COLUMN) * (tile_width + _GAP) - _GAP - 1
    band = [(s, shape) for s, shape in shapes.items() if len(shape) < 2]
    for number, (short, shape) in enumerate(band):
        block = Block(NETWORK, BAND_ROW + 1 + 2 * number, left, 1, prod(shape))
        own[short] = Placed(_name(group, short), shape, (block,))
        last = max(last, block.last_column)
    return own, last


def _place_copy(shape: Shape, top: int, left: int) -> tuple[list[Block], int]:
    """The maps of a copy of the input, and the first column behind them."""
    channels, height, width = shape
    blocks = [
        Block(
            NETWORK,
            top + 1 + channel % _TILES_IN_COLUMN * (height + 2),
            left + channel // _TILES_IN_COLUMN * (width + _GAP),
            height,
            width,
        )
        for channel in range(channels)
    ]
    return blocks, blocks[-1].last_column + 1 + _GAP


def _place_kernels(node: Node, planes: list[int], stack: int, top: int, left: int) -> dict[int, Block]:
    """Kernels of one map by plane of the weight, `stack` below each other, then on in the next column."""
    height, width = node.parameters["weight"][2:]
    down, right = (size + 1 for size in _span(node))
    return {
        plane: Block(NETWORK, top + k % stack * down, left + k // stack * right, height, width, node.layer.spacing())
        for k, plane in enumerate(planes)
    }


def _place_vector(group: Group, tallest: int, top: int, left: int) -> tuple[dict[str, Placed], int]:
    node = group.nodes[0]
    own: dict[str, Placed] = {}
    column = left
    shapes = node.parameters
    if len(shapes.get("weight", ())) == 2:
        if group.tiles:
            weight, last = _place_tiles(group, group.tiles, tallest, top, column)
        else:
            outputs, inputs = shapes["weight"]
            block = Block(NETWORK, top + 1, column, inputs, outputs)
            weight, last = (
                Placed(_name(group, "weight"), shapes["weight"], (block,), transposed=True),
                block.last_column,
            )
        own["weight"] = weight
        column = last + 2
    columns = {s: shape for s, shape in shapes.items() if s not in own} | node.layer.intermediates(node.in_shape)
    for short, shape in (columns | {"out": group.out_shape}).items():
        own[short] = Placed(_name(group, short), shape, (Block(NETWORK, top + 1, column, prod(shape), 1),))
        column += 2
    return own, column - 2 + _LABEL_WIDTH


def _place_tiles(group: Group, maps: Shape, tallest: int, top: int, left: int) -> tuple[Placed, int]:
    """Weights in the shape of the maps that they weigh: maps of one output side by side, outputs below each other."""
    channels, height, width = maps
    outputs = group.nodes[0].parameters["weight"][0]
    pitch, tile_width = height + 2, channels * (width + 1) - 1
    in_column = max(1, min(outputs, tallest // pitch))
    blocks = [
        Block(
            NETWORK,
            top + 1 + output % in_column * pitch,
            left + output // in_column * (tile_width + _GAP) + channel * (width + 1),
            height,
            width,
        )
        for output in range(outputs)
        for channel in range(channels)
    ]
    placed = Placed(_name(group, "weight"), group.nodes[0].parameters["weight"], tuple(blocks))
    return placed, max(block.last_column for block in blocks)


def _name(group: Group, short: str) -> str:
    return f"{group.name}_{short}" if group.nodes else group.name
