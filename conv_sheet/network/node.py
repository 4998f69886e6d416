"""A layer in a network: its name, what it reads, the shapes that follow; and how tables of a spec become such nodes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, TypeVar

import numpy as np

from conv_sheet.errors import ShapeError, SpecError, did_you_mean
from conv_sheet.layers import KINDS, Array, Layer, Shape
from conv_sheet.network import limits

INPUT = "input"
"""What layers call the picture."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}\Z")
_OWN = {"name", "kind", "inputs", "initial"}
"""Keys of a layer's table that are no options of its kind."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Node:
    """A layer of a network: what it is called, what it reads, and the shapes that follow."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    """Names of the layers that it reads; the picture is `input`."""
    in_shapes: tuple[Shape, ...]
    """The shape of each."""
    initial: Mapping[str, Any] = field(default_factory=dict)
    """Start values that the spec gives, as nested lists."""

    @cached_property
    def in_shape(self) -> Shape:
        """Shape of everything that is read, as one."""
        return self.layer.joined_shape(self.in_shapes)

    @cached_property
    def out_shape(self) -> Shape:
        return self.layer.output_shape(self.in_shape)

    @cached_property
    def parameters(self) -> dict[str, Shape]:
        """Parameters by short name (`weight`), with their shapes."""
        return self.layer.parameters(self.in_shape)

    @property
    def count(self) -> int:
        """Number of trainable parameters."""
        return sum(prod(shape) for short, shape in self.parameters.items() if short not in self.layer.buffers)

    @property
    def torch(self) -> str:
        """The layer as PyTorch writes it."""
        return self.layer.joined_torch(self.inputs, self.in_shape)

    @cached_property
    def _full_names(self) -> dict[str, str]:
        """Full name of each parameter (`conv1.weight`) by its short one."""
        return {short: f"{self.name}.{short}" for short in self.parameters}

    def own(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Parameters of the node by short name, out of all tensors by full name."""
        return {short: tensors[name] for short, name in self._full_names.items()}

    def full(self, own: Mapping[str, _T]) -> dict[str, _T]:
        """The way back: what is given by short name, by full name."""
        return {f"{self.name}.{short}": value for short, value in own.items()}

    def start(self, rng: "np.random.Generator") -> dict[str, Array]:
        """Start values of the parameters by full name: the spec's where it gives some, else random ones."""
        drawn = self.layer.initial(self.in_shape, rng)
        given = {s: np.array(value, float).reshape(self.parameters[s]) for s, value in self.initial.items()}
        return self.full({short: given.get(short, drawn[short]) for short in self.parameters})


def from_tables(tables: Sequence[Mapping[str, Any]], input_shape: Shape) -> tuple[Node, ...]:
    """The nodes of a spec's `[[layers]]`, each behind what it reads, every shape checked.

    A layer without `inputs` reads the one that is listed before it. The last one listed is the output.

    >>> tables = [{"kind": "Tanh"}, {"kind": "Add", "inputs": ["input", "tanh1"]}]
    >>> [(node.name, node.inputs) for node in from_tables(tables, (1, 4, 4))]
    [('tanh1', ('input',)), ('add1', ('input', 'tanh1'))]
    """
    limits.require_layers(len(tables))
    named = dict(zip(_names(tables), tables, strict=True))
    inputs = _inputs(named)
    _check_read(inputs)
    nodes: dict[str, Node] = {}
    shapes = {INPUT: input_shape}
    for name in _order(inputs):
        nodes[name] = _node(name, named[name], inputs[name], tuple(shapes[source] for source in inputs[name]))
        shapes[name] = nodes[name].out_shape
    limits.require_together(shape for n in nodes.values() for shape in (n.out_shape, *n.parameters.values()))
    return tuple(nodes.values())


def to_tables(nodes: Sequence[Node]) -> list[dict[str, Any]]:
    """The way back: a table for each node, complete but for what would be so anyway."""
    before = (INPUT, *(node.name for node in nodes))
    return [
        {"name": node.name, "kind": node.layer.kind}
        | ({"inputs": list(node.inputs)} if node.inputs != (previous,) else {})
        | node.layer.options()
        | ({"initial": dict(node.initial)} if node.initial else {})
        for node, previous in zip(nodes, before, strict=False)
    ]


# -- names and kinds ---------------------------------------------------------------------------------------------------


def _kind(table: Mapping[str, Any], label: str) -> type[Layer]:
    known = f"known are {', '.join(KINDS)}"
    if "kind" not in table:
        raise SpecError(f'{label} has no kind: add a line such as kind = "Conv2d"; {known}')
    kind = table["kind"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise SpecError(f"{label}: unknown kind {kind!r}{did_you_mean(str(kind), KINDS)}; {known}")
    return KINDS[kind]


def _names(tables: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of all layers: the spec's, else the kind's prefix and a running number."""
    numbers: dict[str, int] = {}
    names: list[str] = []
    for number, table in enumerate(tables, 1):
        prefix = _kind(table, f"layer {number}").prefix
        numbers[prefix] = numbers.get(prefix, 0) + 1
        name = table.get("name", f"{prefix}{numbers[prefix]}")
        if not isinstance(name, str) or not _NAME.match(name):
            raise SpecError(
                f"layer {number}: name {name!r} is not a letter followed by letters, digits or _ (40 at most)"
            )
        if name.lower() in {n.lower() for n in (*names, INPUT)}:
            raise SpecError(f"layer {number}: the name {name!r} is taken; Excel does not tell capitals apart")
        names.append(name)
    return names


# -- who reads whom ----------------------------------------------------------------------------------------------------


def _inputs(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """What each layer reads, by name."""
    before = (INPUT, *tables)
    pairs = zip(tables.items(), before, strict=False)
    return {name: _read(name, table.get("inputs", [previous]), before) for (name, table), previous in pairs}


def _read(name: str, inputs: Any, known: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(inputs, list) or not inputs or not all(isinstance(source, str) for source in inputs):
        raise SpecError(f'layer {name!r}: inputs = {inputs!r} is not a list of names, such as inputs = ["{known[0]}"]')
    for source in inputs:
        if source not in known:
            near = did_you_mean(source, known)
            raise SpecError(f"layer {name!r} reads {source!r}, which is no layer{near}; there are {', '.join(known)}")
        if inputs.count(source) > 1:
            raise SpecError(f"layer {name!r} reads {source!r} twice: name each of its inputs once")
    return tuple(inputs)


def _check_read(inputs: Mapping[str, tuple[str, ...]]) -> None:
    """Raise SpecError where a layer leads nowhere: nobody reads it, and it is not the last one."""
    read = {source for sources in inputs.values() for source in sources}
    *others, last = inputs
    for name in others:
        if name not in read:
            raise SpecError(
                f"layer {name!r} leads nowhere: no layer reads it, and the output is the last layer, {last!r}: "
                "name it in the inputs of another layer, or leave it out"
            )


def _order(inputs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Names of all layers, each behind what it reads and otherwise as they are listed."""
    order: list[str] = []
    waiting = dict(inputs)
    while waiting:
        ready = next((name for name, sources in waiting.items() if waiting.keys().isdisjoint(sources)), None)
        if ready is None:
            raise SpecError(_circle(waiting))
        order.append(ready)
        del waiting[ready]
    return order


def _circle(waiting: Mapping[str, tuple[str, ...]]) -> str:
    """What to say of layers that read each other in a circle."""
    trail = [next(iter(waiting))]
    while (source := next(source for source in waiting[trail[-1]] if source in waiting)) not in trail:
        trail.append(source)
    circle = [source, *reversed(trail[trail.index(source) :])]
    if len(circle) == 2:
        return f"layer {source!r} reads itself: name a layer before it in its inputs"
    return f"layers read each other in a circle, {' → '.join(circle)}: take one of them out of the inputs of the next"


# -- one node ----------------------------------------------------------------------------------------------------------


def _node(name: str, table: Mapping[str, Any], inputs: tuple[str, ...], shapes: tuple[Shape, ...]) -> Node:
    kind = _kind(table, name)
    try:
        options = {key: value for key, value in table.items() if key not in _OWN}
        layer = kind.from_options(options)
        node = Node(name, layer, inputs, shapes, table.get("initial", {}))
        kind.check_said(options, node.in_shape)
        limits.require_layer(layer, node.in_shape)  # the shapes are checked where they are made
        _check_initial(node)
    except SpecError as error:
        read = " and ".join(f"{source!r} {shape}" for source, shape in zip(inputs, shapes, strict=True))
        raise type(error)(f"layer {name!r} ({kind.kind}) after {read}: {error}") from None
    return node


def _check_initial(node: Node) -> None:
    if not isinstance(node.initial, Mapping):
        raise SpecError(f"initial = {node.initial!r} is not a table: write initial.weight = […] or initial.bias = […]")
    for short, value in node.initial.items():
        shape = node.parameters.get(short)
        if shape is None:
            raise SpecError(f"initial.{short} is not a parameter; it has {', '.join(node.parameters) or 'none'}")
        try:
            given = np.array(value, dtype=float)
        except (TypeError, ValueError, OverflowError):
            raise SpecError(f"initial.{short} is not an array of numbers") from None
        if given.shape != shape:
            raise ShapeError(f"initial.{short} has shape {given.shape} and must have {shape}")
        if not np.isfinite(given).all():
            raise SpecError(f"initial.{short} holds NaN or infinity, which no cell can hold: give numbers")
