"""Which layers stand on the sheet together, and which have no cells of their own: the layout without addresses."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from conv_sheet.layers import Border, Shape
from conv_sheet.network.graph import INPUT, Network, Node


@dataclass(frozen=True)
class Group:
    """Nodes that become one stage: a layer and the one folded into its formulas; none for the picture."""

    nodes: tuple[Node, ...]
    out_shape: Shape
    border: Border = field(default_factory=Border)
    """What the layers that read the output want around it."""
    tiles: Shape | None = None
    """The maps in whose shape the layer's weights are shown, as (maps, H, W); None where they are not."""

    @property
    def name(self) -> str:
        return self.nodes[0].name if self.nodes else INPUT

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what it reads."""
        return self.nodes[0].inputs if self.nodes else ()

    @property
    def output(self) -> str:
        """Name of the layer whose output it shows."""
        return self.nodes[-1].name if self.nodes else INPUT


def grouped(network: Network, fold: bool) -> list[Group]:
    """The groups of a network, in the order of calculation.

    >>> layers = [{"kind": "Conv2d", "out_channels": 1, "kernel_size": 3}, {"kind": "ReLU"}]
    >>> net = Network.from_spec({"input": [1, 6, 6], "layers": layers})
    >>> [group.output for group in grouped(net, fold=True)], [group.output for group in grouped(net, fold=False)]
    (['input', 'relu1'], ['input', 'conv1', 'relu1'])
    """
    seen_through = views(network)
    groups = {INPUT: Group((), network.input_shape)}
    for node in network.nodes:
        if node.name in seen_through:
            continue
        before = groups.get(node.inputs[0])
        if fold and before is not None and _folds(network, before, node):
            groups[before.name] = replace(before, nodes=(*before.nodes, node), out_shape=node.out_shape)
        else:
            maps = _maps(network, seen_through, node.inputs[0]) if node.inputs[0] in seen_through else None
            tiles = maps if maps and node.layer.reads_maps(maps) else None
            groups[node.name] = Group((node,), node.out_shape, tiles=tiles)
    return [replace(group, border=_border(network, seen_through, group.output)) for group in groups.values()]


def _folds(network: Network, before: Group, node: Node) -> bool:
    """Whether a node can stand in the formulas of a group, because nobody else wants to see these values without it."""
    if len(before.nodes) != 1 or network.readers(before.name) != (node,):
        return False
    return node.layer.folds and before.nodes[0].layer.takes_fold


def _border(network: Network, seen_through: Collection[str], name: str) -> Border:
    """The zeros that all who read a layer's maps want around them, also those who read them through a view."""
    border = Border()
    for reader in network.readers(name):
        through = reader.name in seen_through
        border = border.united(_border(network, seen_through, reader.name) if through else reader.layer.border())
    return border


def views(network: Network) -> list[str]:
    """Names of the layers without cells of their own, in the order of calculation.

    What joins tensors is always one of them; what flattens maps is where all that read it read maps.
    """
    always = {node.name for node in network.nodes if not node.layer.has_cells}
    flat = {node.name for node in network.nodes if node.layer.keeps_values and len(node.in_shape) == 3} - always
    while wrong := {name for name in flat if not _read_as_maps(network, always | flat, name)}:
        flat -= wrong
    return [node.name for node in network.nodes if node.name in always | flat]


def _read_as_maps(network: Network, seen_through: Collection[str], name: str) -> bool:
    """Whether somebody reads a vector, and all who do can read it as maps."""
    maps, readers = _maps(network, seen_through, name), network.readers(name)
    return bool(maps and readers) and all(
        _read_as_maps(network, seen_through, reader.name)
        if reader.name in seen_through
        else maps is not None and reader.layer.reads_maps(maps)
        for reader in readers
    )


def _maps(network: Network, seen_through: Collection[str], name: str) -> Shape | None:
    """The maps (maps, H, W) in which a layer's output stands, a vector's through views; None where there are others."""
    shape = network.input_shape if name == INPUT else network.node(name).out_shape
    if name not in seen_through:
        return shape if len(shape) == 3 else None
    shapes = [_maps(network, seen_through, source) for source in network.node(name).inputs]
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or len({shape[1:] for shape in known}) > 1:
        return None
    return sum(shape[0] for shape in known), *known[0][1:]
