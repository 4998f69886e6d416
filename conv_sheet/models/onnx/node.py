"""A node of an ONNX graph, with what it reads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.imported import short
from conv_sheet.models.values import Constant, Operand, Value


@dataclass(frozen=True)
class OnnxNode:
    """A node with what it reads; an optional input that is left out is None."""

    op: str
    inputs: Sequence[Operand | None]
    attributes: Mapping[str, Any]
    outputs: int
    opset: int

    def input(self, number: int) -> Operand | None:
        """An input by its place."""
        return self.inputs[number] if number < len(self.inputs) else None

    def get(self, name: str, default: Any) -> Any:
        """An attribute, or the schema's default."""
        return self.attributes.get(name, default)


Result = Operand | list[Operand]
Operation = Callable[[GraphBuilder, OnnxNode], Result]


def activation(b: GraphBuilder, node: OnnxNode, number: int = 0) -> Value:
    """The activation that a node works on."""
    operand = node.input(number)
    if not isinstance(operand, Value):
        b.refuse(f"input {number + 1} is a constant, where an activation is expected")
    return operand


def constant_of(b: GraphBuilder, node: OnnxNode, number: int) -> Constant:
    """A constant that a node needs, such as a weight."""
    operand = node.input(number)
    if operand is None or isinstance(operand, Value):
        b.refuse(f"input {number + 1} has to be a constant")
    return operand


def optional_of(b: GraphBuilder, node: OnnxNode, number: int) -> Constant | None:
    """The same, where it may be left out."""
    return None if node.input(number) is None else constant_of(b, node, number)


def constants_of(node: OnnxNode) -> list[Constant]:
    """Inputs from the second on, for operators that take axes or limits there; the first place is kept."""
    return [np.zeros(0), *(x for x in node.inputs[1:] if isinstance(x, np.ndarray))]


def number_of(b: GraphBuilder, node: OnnxNode, number: int, default: float | None) -> float | None:
    """A single number that a node reads, as somebody wrote it."""
    constant = optional_of(b, node, number)
    return default if constant is None or not constant.size else short(float(constant.reshape(-1)[0]))
