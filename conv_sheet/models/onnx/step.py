"""What a layer is written with: an ONNX graph so far, and operators and constants that join it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from conv_sheet.errors import SpecError
from conv_sheet.layers import Array, Shape
from conv_sheet.network.graph import Node


@dataclass
class Graph:
    """The operators and constants so far."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def constant(self, name: str, values: Any, kind: Any = np.float32) -> str:
        """A constant, and the name by which operators read it."""
        self.constants.setdefault(name, numpy_helper.from_array(np.asarray(values, kind), name))
        return name


@dataclass(frozen=True)
class Step:
    """One layer on its way into the graph: what it reads by name and shape, and its own parameters by short name."""

    graph: Graph
    node: Node
    inputs: tuple[str, ...]
    shapes: tuple[Shape, ...]
    params: Mapping[str, Array]

    @property
    def layer(self) -> Any:
        return self.node.layer

    @property
    def shape(self) -> Shape:
        return self.node.in_shape

    def own(self, *short: str) -> list[str]:
        """Names of those of its parameters that there are."""
        given = [name for name in short if name in self.params]
        return [self.graph.constant(f"{self.node.name}.{name}", self.params[name]) for name in given]

    def made(self, what: str, values: Any, kind: Any = np.float32) -> str:
        """A constant that follows from the options."""
        return self.graph.constant(f"{self.node.name}.{what}", values, kind)

    def put(self, operator: str, inputs: Sequence[str], suffix: str = "", **attributes: Any) -> str:
        """An operator; without a suffix it gives the layer's output."""
        out = self.node.name + suffix
        given = {key: value for key, value in attributes.items() if value is not None}
        self.graph.nodes.append(helper.make_node(operator, list(inputs), [out], name=out, **given))
        return out

    def refuse(self, why: str) -> SpecError:
        return SpecError(f"layer {self.node.name!r}: {why}: export the network as .py, or its weights as .npz")
