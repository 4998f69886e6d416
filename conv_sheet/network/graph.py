"""A network: named layers over an input shape, from a spec and back to one."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, TypeVar

import numpy as np
import tomli_w

from conv_sheet.errors import DataError, ShapeError, SpecError, did_you_mean
from conv_sheet.layers import KINDS, Array, Layer, Shape
from conv_sheet.ops.options import flag

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}\Z")
_T = TypeVar("_T")
_KEYS = {"title", "description", "input", "picture", "classes", "backprop", "layers", "sheets", "try"}


@dataclass(frozen=True)
class Node:
    """A layer in its place: what it is called, what it reads, and the shapes that follow."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    in_shape: Shape
    out_shape: Shape
    initial: Mapping[str, Any] = field(default_factory=dict)
    """Start values that the spec gives, as nested lists."""

    @cached_property
    def parameters(self) -> dict[str, Shape]:
        """Parameters by short name (`weight`), with their shapes."""
        return self.layer.parameters(self.in_shape)

    def own(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Parameters of the node by short name, out of all tensors by full name (`conv1.weight`)."""
        return {short: tensors[f"{self.name}.{short}"] for short in self.parameters}

    def full(self, own: Mapping[str, _T]) -> dict[str, _T]:
        """The way back: what is given by short name, by full name."""
        return {f"{self.name}.{short}": value for short, value in own.items()}


@dataclass(frozen=True)
class Try:
    """Something for the learner to try, and the defined name of the cells where it happens."""

    text: str
    at: str


@dataclass(frozen=True)
class Network:
    """A sequence of named layers over an input (C, H, W).

    >>> net = Network.from_toml('''
    ... input = [1, 6, 6]
    ... [[layers]]
    ... name = "conv1"
    ... kind = "Conv2d"
    ... out_channels = 2
    ... kernel_size = 3
    ... ''')
    >>> net.parameters
    {'conv1.weight': (2, 1, 3, 3), 'conv1.bias': (2,)}
    >>> net.forward(np.zeros((1, 1, 6, 6)), net.initial(seed=0))["conv1"].shape
    (1, 2, 4, 4)
    """

    title: str
    input_shape: Shape
    classes: tuple[str, ...]
    nodes: tuple[Node, ...]
    description: str = ""
    tries: tuple[Try, ...] = ()
    sheets: tuple[str, ...] = ()
    """Names of the sheets that a workbook has beside those of every network (see `extras`)."""
    picture: str = ""
    """Name of what the input shows at first (see `pictures`); empty for a digit."""
    backprop: bool = False
    """Whether a workbook shows how the network learns, too."""

    # -- spec ------------------------------------------------------------------------------------------------------

    @classmethod
    def from_toml(cls, text: str, where: str = "spec") -> "Network":
        """A network from a TOML spec; `where` names the source in errors."""
        try:
            return cls.from_spec(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise SpecError(f"{where} is not TOML: {error}") from None
        except SpecError as error:
            raise type(error)(f"{where}: {error}") from None

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> "Network":
        """A network from a spec as nested dicts and lists, every shape checked."""
        unknown = sorted(set(spec) - _KEYS)
        if unknown:
            near = did_you_mean(unknown[0], _KEYS)
            raise SpecError(f"unknown key {unknown[0]!r}{near}; a spec has {', '.join(sorted(_KEYS))}")
        if "input" not in spec:
            raise SpecError("the spec has no input: add a line such as input = [1, 28, 28], channels, height and width")
        input_shape = _input_shape(spec["input"])
        tables = spec.get("layers")
        if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
            raise SpecError("no layers: add at least one [[layers]] table")
        nodes: list[Node] = []
        shape, previous = input_shape, "input"
        for name, table in zip(_names(tables), tables, strict=True):
            node = _node(name, table, previous, shape)
            nodes.append(node)
            shape, previous = node.out_shape, name
        classes = _texts("classes", spec.get("classes", []))
        if classes and shape != (len(classes),):
            raise ShapeError(
                f"{len(classes)} classes are named, but layer {previous!r} gives shape {shape}: one output a class"
            )
        return cls(
            title=_text("title", spec.get("title", "A convolutional network")),
            description=_text("description", spec.get("description", "")),
            input_shape=input_shape,
            classes=classes,
            nodes=tuple(nodes),
            tries=tuple(_try(t) for t in spec.get("try", [])),
            sheets=_texts("sheets", spec.get("sheets", [])),
            picture=_text("picture", spec.get("picture", "")),
            backprop=flag("backprop", spec.get("backprop", False)),
        )

    def to_toml(self) -> str:
        """The spec, complete: reading it gives an equal network."""
        spec: dict[str, Any] = {"title": self.title}
        if self.description:
            spec["description"] = self.description
        spec["input"] = list(self.input_shape)
        if self.picture:
            spec["picture"] = self.picture
        if self.classes:
            spec["classes"] = list(self.classes)
        if self.backprop:
            spec["backprop"] = True
        if self.sheets:
            spec["sheets"] = list(self.sheets)
        spec["layers"] = [
            {"name": n.name, "kind": n.layer.kind}
            | n.layer.options()
            | ({"initial": dict(n.initial)} if n.initial else {})
            for n in self.nodes
        ]
        if self.tries:
            spec["try"] = [{"text": t.text, "at": t.at} for t in self.tries]
        return tomli_w.dumps(spec)

    # -- tensors ---------------------------------------------------------------------------------------------------

    @cached_property
    def parameters(self) -> dict[str, Shape]:
        """All parameters by full name, as PyTorch's `state_dict` has them."""
        return {f"{n.name}.{short}": shape for n in self.nodes for short, shape in n.parameters.items()}

    def initial(self, seed: int) -> dict[str, Array]:
        """Start values of all parameters: the spec's where it gives some, else seeded random ones."""
        rng = np.random.default_rng(seed)
        tensors = {}
        for node in self.nodes:
            drawn = node.layer.initial(node.in_shape, rng)
            for short, shape in node.parameters.items():
                given = node.initial.get(short)
                tensors[f"{node.name}.{short}"] = (
                    drawn[short] if given is None else np.array(given, float).reshape(shape)
                )
        return tensors

    def checked(self, weights: Mapping[str, Array], where: str = "weights") -> dict[str, Array]:
        """Weights as float64 in the network's order; a DataError lists what does not fit.

        Missing biases are zero, and missing settings, which no file of weights has, are as they start.
        """
        unused = {f"{n.name}.{short}" for n in self.nodes for short in n.layer.unused}
        unknown = sorted(set(weights) - set(self.parameters) - unused)
        missing = [n for n, s in self.parameters.items() if s and n not in weights and not n.endswith(".bias")]
        wrong = [
            f"{n} has {tuple(weights[n].shape)} and must have {shape}"
            for n, shape in self.parameters.items()
            if n in weights and tuple(weights[n].shape) != shape
        ]
        faults = (
            [f"unknown {', '.join(unknown)}"] * bool(unknown)
            + [f"missing {', '.join(missing)}"] * bool(missing)
            + wrong
        )
        if faults:
            has = ", ".join(f"{n} {tuple(v.shape)}" for n, v in weights.items()) or "nothing"
            wants = ", ".join(f"{n} {shape}" for n, shape in self.parameters.items()) or "no weights"
            raise DataError(f"{where}: {'; '.join(faults)}. The file has {has}; the network takes {wants}")
        tensors, start = {}, self.initial(seed=0)
        for name, shape in self.parameters.items():
            value = weights.get(name, np.zeros(shape) if shape else start[name])
            tensors[name] = _numbers(value, f"{where}: {name}")
        return tensors

    # -- calculation -----------------------------------------------------------------------------------------------

    def forward(self, x: Array, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Every activation for a batch (N, C, H, W), by layer name and under `input`."""
        if x.shape[1:] != self.input_shape:
            raise ShapeError(f"the image has shape {x.shape[1:]} and the network reads {self.input_shape}")
        values = {"input": np.asarray(x, dtype=np.float64)}
        for node in self.nodes:
            (source,) = node.inputs
            values[node.name] = node.layer.forward(values[source], node.own(tensors))
        return values

    def backward(
        self,
        grad: Array,
        values: Mapping[str, Array],
        tensors: Mapping[str, Array],
        *,
        start: str | None = None,
        wanted: Collection[str] = (),
    ) -> dict[str, Array]:
        """Gradients of all activations (by layer name, and `input`) and parameters (by full name).

        `grad` is the gradient of the output of layer `start`, the last one unless another is named; `values` is what
        `forward` gave. With `wanted`, full names of parameters, the way back ends at the first layer that has one of
        them: its input and what stands before it get no gradients.
        """
        final = next((node for node in self.nodes if any(name in wanted for name in node.full(node.parameters))), None)
        grads = {start or self.nodes[-1].name: grad}
        for node in reversed(self.nodes):
            if node.name not in grads:
                continue
            (source,) = node.inputs
            facts = grads[node.name], values[source], values[node.name], node.own(tensors)
            if node is final:
                return grads | node.full(node.layer.parameters_backward(*facts))
            dx, own = node.layer.backward(*facts)
            grads[source] = grads[source] + dx if source in grads else dx
            grads |= node.full(own)
        return grads

    # -- questions -------------------------------------------------------------------------------------------------

    def node(self, name: str) -> Node:
        return next(n for n in self.nodes if n.name == name)

    @property
    def output(self) -> Node:
        return self.nodes[-1]

    @property
    def logits(self) -> str:
        """Name of the layer whose outputs are scores before they become probabilities: that before a last Softmax."""
        return self.output.inputs[0] if self.output.layer.normalises else self.output.name

    def trainable(self) -> Iterator[str]:
        """Full names of the parameters that training changes."""
        for node in self.nodes:
            yield from (f"{node.name}.{short}" for short in node.parameters if short not in node.layer.buffers)

    def count(self) -> int:
        """Number of trainable parameters."""
        return sum(prod(self.parameters[name]) for name in self.trainable())


def _input_shape(value: Any) -> Shape:
    if (
        not isinstance(value, list)
        or len(value) != 3
        or any(isinstance(v, bool) or not isinstance(v, int) or v < 1 for v in value)
    ):
        raise SpecError(f"input = {value!r} is not [channels, height, width], three positive whole numbers")
    return tuple(value)


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise SpecError(f"{key} = {value!r} is not a text")
    return value


def _texts(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise SpecError(f"{key} = {value!r} is not a list of texts")
    return tuple(value)


def _try(table: Any) -> Try:
    if not isinstance(table, dict) or set(table) != {"text", "at"}:
        raise SpecError(f"[[try]] takes the keys text and at, not {table!r}")
    return Try(_text("text", table["text"]), _text("at", table["at"]))


def _kind(table: Mapping[str, Any], label: str) -> type[Layer]:
    known = f"known are {', '.join(KINDS)}"
    if "kind" not in table:
        raise SpecError(f'{label} has no kind: add a line such as kind = "Conv2d"; {known}')
    kind = table["kind"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise SpecError(f"{label}: unknown kind {kind!r}{did_you_mean(str(kind), KINDS)}; {known}")
    return KINDS[kind]


def _names(tables: list[dict[str, Any]]) -> list[str]:
    """Names of all layers: the spec's, else the kind's prefix and a running number."""
    numbers: dict[str, int] = {}
    names: list[str] = []
    for place, table in enumerate(tables, 1):
        prefix = _kind(table, f"layer {place}").prefix
        numbers[prefix] = numbers.get(prefix, 0) + 1
        name = table.get("name", f"{prefix}{numbers[prefix]}")
        if not isinstance(name, str) or not _NAME.match(name):
            raise SpecError(
                f"layer {place}: name {name!r} is not a letter followed by letters, digits or _ (40 at most)"
            )
        if name.lower() in {n.lower() for n in (*names, "input")}:
            raise SpecError(f"layer {place}: the name {name!r} is taken; Excel does not tell capitals apart")
        names.append(name)
    return names


def _node(name: str, table: Mapping[str, Any], previous: str, shape: Shape) -> Node:
    kind = _kind(table, name)
    try:
        layer = kind.from_options({k: v for k, v in table.items() if k not in ("name", "kind", "initial")})
        node = Node(name, layer, (previous,), shape, layer.output_shape(shape), table.get("initial", {}))
        _check_initial(node)
    except SpecError as error:
        raise type(error)(f"layer {name!r} ({kind.kind}) after {previous!r} {shape}: {error}") from None
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
        except (TypeError, ValueError):
            raise SpecError(f"initial.{short} is not an array of numbers") from None
        if given.shape != shape:
            raise ShapeError(f"initial.{short} has shape {given.shape} and must have {shape}")


def _numbers(value: Array, label: str) -> Array:
    if not np.issubdtype(value.dtype, np.number) or np.iscomplexobj(value):
        raise DataError(f"{label} holds {value.dtype}, not real numbers")
    numbers = value.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise DataError(f"{label} holds NaN or infinity")
    return numbers
