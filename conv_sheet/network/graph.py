"""A network: a graph of named layers over an input shape; what it computes, and what follows from that backwards."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tomli_w

from conv_sheet.errors import ShapeError, SpecError, did_you_mean
from conv_sheet.layers import Array, Shape
from conv_sheet.network import html, lesson, limits
from conv_sheet.network.node import INPUT, Node, from_tables, to_tables
from conv_sheet.network.normalize import NORMALIZE, taken_off, with_normalize

__all__ = ["INPUT", "Network", "Node"]

_KEYS = {"input", "normalize", "classes", "layers"}
Hook = Callable[[Node, Array, Array], Array]
"""What a layer passes back, of the layer, the gradient of its output and that of its input."""


@dataclass(frozen=True)
class Network:
    """Named layers over an input (C, H, W), each behind the layers that it reads; the last one is the output.

    >>> net = Network.from_spec({"input": [1, 6, 6], "layers": [
    ...     {"name": "conv1", "kind": "Conv2d", "out_channels": 2, "kernel_size": 3}]})
    >>> net.parameters
    {'conv1.weight': (2, 1, 3, 3), 'conv1.bias': (2,)}
    >>> net.forward(np.zeros((1, 1, 6, 6)), net.initial(seed=0))["conv1"].shape
    (1, 2, 4, 4)
    >>> net
    Network(1×6×6 → conv1 2×4×4; layers: 1, parameters: 20)
    """

    input_shape: Shape
    classes: tuple[str, ...]
    nodes: tuple[Node, ...]

    def __repr__(self) -> str:
        way = f"{html.times(self.input_shape)} → {self.output.name} {html.times(self.output.out_shape)}"
        return f"Network({way}; layers: {len(self.nodes)}, parameters: {self.count():,})"

    def _repr_html_(self) -> str:
        """The table of layers, for notebooks."""
        return html.table(self.input_shape, self.nodes)

    # -- spec ------------------------------------------------------------------------------------------------------

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> "Network":
        """The network of a spec as nested dicts and lists; what the spec says of its lesson is left alone."""
        known = _KEYS | set(lesson.KEYS)
        unknown = sorted(set(spec) - known)
        if unknown:
            near = did_you_mean(unknown[0], known)
            raise SpecError(f"unknown key {unknown[0]!r}{near}; a spec has {', '.join(sorted(known))}")
        if "input" not in spec:
            raise SpecError("the spec has no input: add a line such as input = [1, 28, 28], channels, height and width")
        input_shape = _input_shape(spec["input"])
        tables = spec.get("layers")
        if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
            raise SpecError("no layers: add at least one [[layers]] table")
        if NORMALIZE in spec:
            tables = with_normalize(spec[NORMALIZE], tables)
        classes = _classes(spec.get("classes", []))
        network = cls(input_shape, classes, from_tables(tables, input_shape))
        output = network.output
        if classes and output.out_shape != (len(classes),):
            raise ShapeError(
                f"{len(classes)} classes are named, but layer {output.name!r} gives shape {output.out_shape}: "
                "one output a class"
            )
        return network

    def spec(self) -> dict[str, Any]:
        """The network as a spec says it: reading it gives an equal network."""
        classes = {"classes": list(self.classes)} if self.classes else {}
        normalize, tables = taken_off(self.nodes, to_tables(self.nodes))
        return {"input": list(self.input_shape), **normalize, **classes, "layers": tables}

    def to_toml(self) -> str:
        """The same as TOML."""
        return tomli_w.dumps(self.spec())

    # -- tensors ---------------------------------------------------------------------------------------------------

    @cached_property
    def parameters(self) -> dict[str, Shape]:
        """All parameters by full name, as PyTorch's `state_dict` has them."""
        return {name: shape for n in self.nodes for name, shape in n.full(n.parameters).items()}

    def initial(self, seed: int) -> dict[str, Array]:
        """Start values of all parameters: the spec's where it gives some, else seeded random ones."""
        rng = np.random.default_rng(seed)
        return {name: value for n in self.nodes for name, value in n.start(rng).items()}

    def trainable(self) -> Iterator[str]:
        """Full names of the parameters that training changes."""
        for n in self.nodes:
            yield from (f"{n.name}.{short}" for short in n.parameters if short not in n.layer.buffers)

    def count(self) -> int:
        """Number of trainable parameters."""
        return sum(node.count for node in self.nodes)

    # -- calculation -----------------------------------------------------------------------------------------------

    def forward(self, x: Array, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Every activation for a batch (N, C, H, W), by layer name and under `input`."""
        if x.shape[1:] != self.input_shape:
            raise ShapeError(f"the image has shape {x.shape[1:]} and the network reads {self.input_shape}")
        values = {INPUT: np.asarray(x, dtype=np.float64)}
        for n in self.nodes:
            values[n.name] = n.layer.joined_forward([values[source] for source in n.inputs], n.own(tensors))
        return values

    def backward(
        self,
        grad: Array,
        values: Mapping[str, Array],
        tensors: Mapping[str, Array],
        *,
        start: str | None = None,
        wanted: Collection[str] = (),
        hook: Hook | None = None,
    ) -> dict[str, Array]:
        """Gradients of all activations (by layer name, and `input`) and parameters (by full name).

        `grad` is the gradient of the output of layer `start`, the last one unless another is named; `values` is what
        `forward` gave. That of an activation which several layers read is the sum of what comes back from each. With
        `wanted`, full names of parameters, the way back ends where nothing before a layer has one of them: what stands
        there gets no gradients. With a `hook`, each layer passes back what this makes of its gradients.
        """
        useful = self._leading_to(wanted) if wanted else {INPUT, *(n.name for n in self.nodes)}
        grads = {start or self.output.name: grad}
        for n in reversed(self.nodes):
            if n.name not in grads or n.name not in useful:
                continue
            grad, y, params = grads[n.name], values[n.name], n.own(tensors)
            if useful.isdisjoint(n.inputs):
                grads |= n.full(n.layer.parameters_backward(grad, values[n.inputs[0]], y, params))
                continue
            dxs, own = n.layer.joined_backward(grad, [values[source] for source in n.inputs], y, params)
            for source, own_dx in zip(n.inputs, dxs, strict=True):
                dx = own_dx if hook is None else hook(n, grad, own_dx)
                if source in useful:
                    grads[source] = grads[source] + dx if source in grads else dx
            grads |= n.full(own)
        return grads

    def _leading_to(self, wanted: Collection[str]) -> set[str]:
        """Names of the layers that have one of some parameters, or come after one that has."""
        found: set[str] = set()
        for n in self.nodes:
            if not found.isdisjoint(n.inputs) or any(name in wanted for name in n.full(n.parameters)):
                found.add(n.name)
        return found

    # -- questions -------------------------------------------------------------------------------------------------

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {n.name: n for n in self.nodes}

    def node(self, name: str) -> Node:
        """The node of this name."""
        return self._by_name[name]

    @cached_property
    def _readers(self) -> dict[str, tuple[Node, ...]]:
        readers: dict[str, list[Node]] = {INPUT: [], **{n.name: [] for n in self.nodes}}
        for n in self.nodes:
            for source in n.inputs:
                readers[source].append(n)
        return {name: tuple(found) for name, found in readers.items()}

    def readers(self, name: str) -> tuple[Node, ...]:
        """The nodes that read a layer's output, or, with `input`, the picture."""
        return self._readers[name]

    @property
    def output(self) -> Node:
        return self.nodes[-1]

    @property
    def logits(self) -> str:
        """Name of the layer whose outputs are scores before they become probabilities: that before a last Softmax."""
        return self.output.inputs[0] if self.output.layer.normalises else self.output.name

    @cached_property
    def non_negative(self) -> frozenset[str]:
        """Names of the layers, and `input`, whose outputs are never below zero, pixels being 0 … 1."""
        found = {INPUT}
        for n in self.nodes:
            sign = n.layer.non_negative
            if found.issuperset(n.inputs) if sign is None else sign:
                found.add(n.name)
        return frozenset(found)


def _classes(value: Any) -> tuple[str, ...]:
    classes = lesson.texts("classes", value)
    for name, count in Counter(classes).items():
        if not name.strip():
            raise SpecError("classes has one without a name: give each a name of its own")
        if count > 1:
            raise SpecError(f"classes has {name!r} twice: give each a name of its own")
    return classes


def _input_shape(value: Any) -> Shape:
    """A picture's shape (C, H, W); signals (C, L) are maps of one row."""
    if (
        not isinstance(value, list)
        or len(value) not in (2, 3)
        or any(isinstance(v, bool) or not isinstance(v, int) or v < 1 for v in value)
    ):
        raise SpecError(
            f"input = {value!r} is not [channels, height, width], or [channels, length] of signals: "
            "positive whole numbers"
        )
    limits.require_size(tuple(value), "the input")
    return tuple(value) if len(value) == 3 else (value[0], 1, value[1])
