"""Where every block of a network stands on the sheet `Network`, from left to right, and who owns it.

A network that is too wide goes on on `Network 2`, `Network 3` and so on, each of which begins with what it reads of the
sheets before it. Pure: the same network gives the same layout, so a workbook needs to carry only the spec.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from conv_sheet.cells.grid import MAX_COLUMNS, MAX_ROWS, Block, Placed
from conv_sheet.errors import WorkbookError
from conv_sheet.layers import Array, Border, Layer, Shape, Site
from conv_sheet.layers.carried import Carried
from conv_sheet.network.cuts import crossing, lanes, runs
from conv_sheet.network.graph import INPUT, Network, Node
from conv_sheet.network.groups import Group, grouped, views
from conv_sheet.network.lesson import Lesson
from conv_sheet.network.placing import BELOW, GAP, SIDE_BY_SIDE, Arrangement, Placing

NETWORK = "Network"
NUMPY = "NumPy"

COCKPIT_ROWS = 8
"""Rows over everything in which the answer and a small picture stay in sight."""
TITLE_ROW, SHAPE_ROW, TORCH_ROW, WORDS_ROW, SCALE_ROW = range(COCKPIT_ROWS + 1, COCKPIT_ROWS + 6)
"""The heads of a stage, and below them the bounds of its colour scales."""
BAND_ROW = SCALE_ROW + 1
"""First row of the biases and other vectors that stand above the maps."""

WIDEST = 2_000
"""Columns of the flow from left to right on one sheet, about."""
_FIRST_COLUMN = 2


def sheet_title(base: str, number: int) -> str:
    """The title of one of several sheets that are alike.

    >>> sheet_title(NETWORK, 1), sheet_title(NETWORK, 2)
    ('Network', 'Network 2')
    """
    return base if number == 1 else f"{base} {number}"


def sheet_number(title: str) -> int:
    """The way back, of a sheet with stages of the network.

    >>> sheet_number("Network"), sheet_number("Network 12")
    (1, 12)
    """
    return int(title.removeprefix(NETWORK) or 1)


@dataclass(frozen=True)
class Stage:
    """What makes one set of blocks: a layer, the one folded into its formulas, and its tensors on the sheet.

    `inputs` names what it reads, as its first layer does. `own` has the parameters, the intermediates and `out` by
    short name. The input is a stage without layers; one that is `carried` only repeats what it reads of another sheet.
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
    def sheet(self) -> str:
        """Title of the sheet on which it stands."""
        return self.out.blocks[0].sheet

    @property
    def carried(self) -> str:
        """Title of the other sheet whose values it only repeats; empty for a stage that has its own."""
        return self.layer.sheet if self.nodes and isinstance(self.layer, Carried) else ""

    @property
    def shows(self) -> str:
        """Name of the layer whose output it shows, or `input`."""
        if self.carried:
            return self.inputs[0]
        return self.nodes[-1].name if self.nodes else INPUT

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
    below: bool = False
    """Whether maps stand below each other, with their kernels and biases beside them."""

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

    @cached_property
    def parts(self) -> tuple["Layout", ...]:
        """A layout for each sheet, of the stages that stand there."""
        titles = dict.fromkeys(stage.sheet for stage in self.stages)
        if len(titles) == 1:
            return (self,)
        return tuple(replace(self, stages=tuple(s for s in self.stages if s.sheet == title)) for title in titles)

    @cached_property
    def lanes(self) -> tuple[tuple[int, Stage, Stage], ...]:
        """Shortcuts on a sheet: a row for each, where it begins and who reads it."""
        numbers = {block: n for n, stage in enumerate(self.stages) for block in stage.out.blocks}
        reads = [
            {numbers[block] for source in self.site(s).sources for block in source.blocks}
            if s.nodes and not s.carried
            else ()
            for s in self.stages
        ]
        found, lines = lanes(reads), _lines(reads)
        top = min(block.row - s.border.top for s in self.stages for block in s.out.blocks) - 1 - lines
        return tuple((top + line, self.stages[first], self.stages[last]) for line, first, last in found)

    @property
    def sheet(self) -> str:
        """Title of the sheet, of a layout with one."""
        return self.stages[0].sheet

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

    @cached_property
    def _carried(self) -> dict[tuple[str, Block], Block]:
        """Blocks by the sheet on which they stand and the block of another sheet that they repeat."""
        return {
            (stage.sheet, source): block
            for stage in self.stages
            if stage.carried
            for source, block in zip(self.placed[stage.shows].blocks, stage.out.blocks, strict=True)
        }

    def site(self, stage: Stage) -> Site:
        """Where a stage stands and what it reads, which is on the same sheet unless the stage is carried."""
        sources = [self.placed[name] for name in stage.inputs]
        if self._carried and not stage.carried:
            sources = [
                replace(source, blocks=tuple(self._carried.get((stage.sheet, block), block) for block in source.blocks))
                for source in sources
            ]
        return Site(tuple(sources), stage.own, self.below)

    def values(self, stage: Stage, activations: Mapping[str, Array], tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Values of a stage's computed tensors by short name, without the batch axis; the batch is one image."""
        if not stage.nodes:
            return {"out": activations[INPUT][0]}
        node = stage.nodes[0]
        between = node.layer.intermediate_values(activations[node.inputs[0]], node.own(tensors))
        return {short: value[0] for short, value in between.items()} | {"out": activations[stage.shows][0]}

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
        """The last column of the sheet, of a layout with one."""
        return self.stages[-1].columns[1]


def plan(network: Network, fold: bool = True, widest: int = WIDEST) -> Layout:
    """Place a network; with `fold`, activations stand in the formulas of the layers before them, where they can.

    Where it would take more than `widest` columns, it goes on on further sheets. Raises WorkbookError where a sheet has
    no room for one layer.

    >>> conv = {"kind": "Conv2d", "out_channels": 1, "kernel_size": 3}
    >>> layout = plan(Network.from_spec({"input": [1, 6, 6], "layers": [conv]}))
    >>> layout.input.blocks[0].relative, dict(layout.names())["conv1_out_1"].relative
    ('B18:G23', 'S18:V21')
    """
    groups = grouped(network, fold)
    try:
        stages, below = _flow(groups, SIDE_BY_SIDE, NETWORK, widest, _lines(_reads(network, groups))), False
    except WorkbookError:
        stages, below = _on_sheets(network, groups, widest), True
    return Layout(network, tuple(stages), _outputs(network, stages), below)


def plan_for(network: Network, lesson: Lesson) -> Layout:
    """The layout of a workbook; one that shows how a network learns has all of it on one sheet."""
    if not lesson.backprop:
        return plan(network)
    layout = plan(network, fold=False, widest=MAX_COLUMNS)
    if len(layout.parts) > 1:
        raise WorkbookError(
            f"a workbook that shows backpropagation has the network on one sheet of {MAX_COLUMNS:,} columns, and this "
            f"one would take {len(layout.parts)} sheets: use fewer layers, or leave out backprop"
        )
    return layout


def _flow(groups: Sequence[Group], arrangement: Arrangement, sheet: str, widest: int, lines: int = 0) -> list[Stage]:
    """The stages of some groups side by side on a sheet, with so many lines above for the lanes of shortcuts.

    Raises WorkbookError where they would take more columns than `widest`, or more rows than there are.
    """
    rows = Placing.of(groups, arrangement, BAND_ROW, sheet, lines)
    stages: list[Stage] = []
    column = _FIRST_COLUMN
    for number, group in enumerate(groups):
        try:
            own, last = rows.place(group, number, column)
        except WorkbookError:
            last = MAX_COLUMNS + 1
        if last > widest:
            raise WorkbookError(
                f"{group.name!r} has no room on a sheet of {MAX_ROWS:,} rows and {MAX_COLUMNS:,} columns: "
                "use a smaller input, or fewer channels or features there"
            )
        stages.append(Stage(group.name, group.nodes, group.inputs, own, group.border, (column, last)))
        column = last + 1 + GAP
    return stages


def _width(group: Group) -> int:
    """Columns of a group, and those that stay free behind it."""
    ((first, last),) = (stage.columns for stage in _flow([group], BELOW, NETWORK, MAX_COLUMNS))
    return last - first + 1 + GAP


def _on_sheets(network: Network, groups: Sequence[Group], widest: int) -> list[Stage]:
    """The stages of a network on several sheets, each of which begins with what it reads of others."""
    reads, widths = _reads(network, groups), list(map(_width, groups))
    parts = runs([group.out_shape for group in groups], reads, widths, widest)
    titles = [sheet_title(NETWORK, number) for number in range(1, len(parts) + 1)]
    homes = {n: title for title, part in zip(titles, parts, strict=True) for n in part}
    made: list[Stage] = []
    for number, (title, part) in enumerate(zip(titles, parts, strict=True), 1):
        before = crossing(range(part.start), part, reads)
        carried = [_carried(groups[n], homes[n], number, network) for n in before]
        local = {n: place for place, n in enumerate((*before, *part))}
        lines = _lines([*[()] * len(before), *([local[source] for source in reads[n]] for n in part)])
        made += _flow([*carried, *(groups[n] for n in part)], BELOW, title, MAX_COLUMNS, lines)
    return made


def _lines(reads: Sequence[Collection[int]]) -> int:
    """How many lines the lanes of shortcuts take."""
    return max((line + 1 for line, _, _ in lanes(reads)), default=0)


def _carried(group: Group, sheet: str, number: int, network: Network) -> Group:
    """A group that repeats the output of another one, which stands on some sheet, on the one with this number."""
    name = f"{group.output}_on_{number}"
    while any(node.name == name for node in network.nodes):
        name += "_"
    node = Node(name, Carried(sheet), (group.output,), (group.out_shape,))
    return Group((node,), group.out_shape, group.border)


def _reads(network: Network, groups: Sequence[Group]) -> list[set[int]]:
    """Numbers of the groups whose output each one reads, also through views."""
    numbers = {name: {n} for n, group in enumerate(groups) for name in (group.name, group.output)}
    for name in views(network):
        numbers[name] = set().union(*(numbers[source] for source in network.node(name).inputs))
    return [set().union(*(numbers[source] for source in group.inputs)) for group in groups]


def _outputs(network: Network, stages: Sequence[Stage]) -> dict[str, Placed]:
    """Where the output of each layer stands, and the picture; of a view, the blocks of what it reads."""
    own = [stage for stage in stages if not stage.carried]
    placed = {node.name: stage.out for stage in own for node in stage.nodes} | {INPUT: own[0].out}
    for name in views(network):
        node = network.node(name)
        blocks = tuple(block for source in node.inputs for block in placed[source].blocks)
        placed[name] = Placed(name, node.out_shape, blocks)
    return placed
