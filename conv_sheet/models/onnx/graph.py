"""An ONNX graph, walked through once."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conv_sheet.errors import DataError
from conv_sheet.layers import Array, Shape
from conv_sheet.models.archive import reason
from conv_sheet.models.builder import MOST_LAYERS, GraphBuilder
from conv_sheet.models.finish import finish
from conv_sheet.models.imported import MOST_NUMBERS, Imported, listed, shown
from conv_sheet.models.onnx.file import Tensors, load, opset_of, sizes_of
from conv_sheet.models.onnx.folding import FOLDS
from conv_sheet.models.onnx.node import OnnxNode
from conv_sheet.models.onnx.operators import OPERATIONS, apply, supported
from conv_sheet.models.onnx.paths import module_paths
from conv_sheet.models.picture import first_value
from conv_sheet.models.values import Operand, Value

if TYPE_CHECKING:
    from onnx import AttributeProto, NodeProto

_NUMBERED = re.compile(r"onnx::Conv_\d+\Z")
_INVENTED = re.compile(r"::|[:/]|\A\d+\Z|\Aval_\d+\Z")
"""Names of tensors that an exporter has made up."""
FUSED = (
    "the exporter has fused BatchNorm into the convolutions before it: to see both, use torch.export.save, or "
    "torch.onnx.export(…, optimize=False), or with dynamo=False training=torch.onnx.TrainingMode.PRESERVE"
)


def read_onnx(path: Path, title: str) -> Imported:
    """The model in an ONNX file.

    Raises DataError where the file is none or is damaged, SpecError where it has what a workbook cannot show.
    """
    graph = _Graph(path)
    try:
        return graph.imported(title)
    except MemoryError:
        raise DataError(f"{path}: {graph.b.where}: too large for a workbook") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise DataError(f"{path}: {graph.b.where}: its graph is damaged ({reason(error)})") from error


class _Graph:
    def __init__(self, path: Path) -> None:
        model = load(path)
        self.graph, self.opset = model.graph, opset_of(model)
        self.b, self.tensors = GraphBuilder(str(path)), Tensors(path)
        self.stored = {tensor.name: tensor for tensor in self.graph.initializer}
        self.known: dict[str, Operand] = {}
        self.fused = False
        self.room = MOST_NUMBERS
        """Numbers that constants, stored or calculated on the way, may still have."""

    def imported(self, title: str) -> Imported:
        output = self._output()
        nodes = _ordered(self.b, self.graph.node, output, set(self.stored) | {i.name for i in self.graph.input})
        if len(nodes) > MOST_LAYERS:
            self.b.refuse(f"more than {MOST_LAYERS:,} nodes: too many for a workbook")
        self._check_supported(nodes)
        picture = self._input(nodes)
        for node, path in zip(nodes, module_paths(nodes), strict=True):
            self._run(node, path)
        self.b.where = self.b.path = ""
        result = self.known.get(output)
        if not isinstance(result, Value):
            self.b.refuse("the output does not depend on the input")
        if self.fused:
            self.b.note(FUSED)
        return finish(self.b, result, picture, title)

    def _output(self) -> str:
        names = [str(output.name) for output in self.graph.output]
        if len(names) != 1:
            self.b.refuse(
                f"it gives back {len(names)} values, {listed(names)}, and a workbook shows one: export a model that "
                "returns one"
            )
        return names[0]

    def _check_supported(self, nodes: Sequence["NodeProto"]) -> None:
        unknown = [n for n in nodes if n.domain not in ("", "ai.onnx") or n.op_type not in {*OPERATIONS, *FOLDS, "If"}]
        if unknown:
            operators = listed(dict.fromkeys(f"{n.domain}.{n.op_type}".removeprefix(".") for n in unknown))
            self.b.refuse(
                f"operators that are not supported: {operators}, the first at node {_label(unknown[0])}; "
                f"supported are {supported()}"
            )

    def _input(self, nodes: Sequence["NodeProto"]) -> Shape:
        """Make the picture known; its shape."""
        read = {name for node in nodes for name in _reads(node)}
        inputs = [i for i in self.graph.input if i.name not in self.stored and i.name in read]
        if len(inputs) != 1:
            names = f", {listed(i.name for i in inputs)}," if inputs else ""
            self.b.refuse(f"it takes {len(inputs)} inputs{names} and a workbook shows a model of one picture")
        sizes = sizes_of(inputs[0])
        if sizes and isinstance(sizes[0], str):
            sizes[0] = 1
        if any(isinstance(size, str) for size in sizes):
            shown_sizes = " × ".join(map(str, sizes))[:60]
            self.b.refuse(
                f"its input {shown(inputs[0].name)} is {shown_sizes}: sizes are left open, export it with a fixed size"
            )
        value, picture = first_value(self.b, [int(size) for size in sizes])
        self.known[inputs[0].name] = value
        return picture

    def _run(self, node: "NodeProto", path: str) -> None:
        self.b.where, self.b.path = f"{node.op_type} node {_label(node)}", path
        inputs = [self._operand(name) if name else None for name in node.input]
        if node.op_type == "Conv":
            self._look_for_fusion(node, inputs)
        if node.op_type == "If":
            self._branch(node, inputs[0])
            return
        attributes = {attribute.name: self._attribute(attribute) for attribute in node.attribute}
        result = apply(self.b, OnnxNode(node.op_type, inputs, attributes, len(node.output), self.opset))
        results = result if isinstance(result, list) else [result]
        for name, value in zip(node.output, results, strict=False):
            if name in self.known:
                self.b.refuse(f"it gives {shown(name)}, which another node has given already")
            self.known[name] = value
            if isinstance(value, np.ndarray) and value.flags.owndata:
                self._take(value)

    def _take(self, array: Array) -> None:
        """Count the numbers of one more constant."""
        self.room -= array.size
        if self.room < 0:
            self.b.refuse("its constants are too large for a workbook")

    def _branch(self, node: "NodeProto", condition: Operand | None) -> None:
        """The branch of an If that shapes have decided already, as exporters write a squeeze."""
        if not isinstance(condition, np.ndarray) or condition.size != 1:
            self.b.refuse("a condition that depends on the picture is not supported")
        wanted = "then_branch" if condition.reshape(-1)[0] else "else_branch"
        graph = next((attribute.g for attribute in node.attribute if attribute.name == wanted), None)
        if graph is None or len(graph.output) != len(node.output):
            self.b.refuse(f"it has no {wanted} for what it gives")
        self._check_supported(graph.node)
        self.stored |= {tensor.name: tensor for tensor in graph.initializer}
        for inner, path in zip(graph.node, module_paths(graph.node), strict=True):
            self._run(inner, path)
        self.known |= {name: self._operand(own.name) for name, own in zip(node.output, graph.output, strict=True)}

    def _operand(self, name: str) -> Operand:
        if name not in self.known:
            if name not in self.stored:
                self.b.refuse(f"it reads {shown(name)}, which nothing before it gives")
            self.known[name] = array = self.tensors.array(self.stored[name], "the tensor")
            self._take(array)
            self.b.know(name, array)
            if _INVENTED.search(name):
                self.b.forget(array)
        return self.known[name]

    def _look_for_fusion(self, node: "NodeProto", inputs: Sequence[Operand | None]) -> None:
        """Values that an exporter has fused do not stand for what the names once stood for."""
        weight, bias = node.input[1], node.input[2] if len(node.input) > 2 else ""
        numbered = bool(_NUMBERED.match(weight) and _NUMBERED.match(bias))
        if bias and (numbered or bias == f"{weight}_bias" or "ConvBnFusion" in weight):
            self.fused = True
            for tensor in inputs[1:]:
                if isinstance(tensor, np.ndarray):
                    self.b.forget(tensor)

    def _attribute(self, attribute: "AttributeProto") -> Any:
        """An attribute as Python has it."""
        from onnx import AttributeProto as Proto

        kind = attribute.type
        if kind == Proto.TENSOR:
            return self.tensors.array(attribute.t, "an attribute")
        plain: Mapping[int, Any] = {
            Proto.INT: lambda: int(attribute.i),
            Proto.INTS: lambda: [int(i) for i in attribute.ints],
            Proto.FLOAT: lambda: float(attribute.f),
            Proto.FLOATS: lambda: [float(f) for f in attribute.floats],
            Proto.STRING: lambda: attribute.s.decode("utf-8", "replace"),
        }
        if kind not in plain:
            self.b.refuse(f"its attribute {shown(attribute.name)} is of a type that is not supported")
        return plain[kind]()


def _label(node: "NodeProto") -> str:
    return shown(node.name or (node.output[0] if node.output else ""))


def _reads(node: "NodeProto") -> list[str]:
    """Names of all that a node reads, in branches of an If too."""
    branches = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    inner = [name for graph in branches for other in graph.node for name in other.input]
    return [*node.input, *inner, *(output.name for graph in branches for output in graph.output)]


def _ordered(b: GraphBuilder, nodes: Sequence["NodeProto"], output: str, given: set[str]) -> list["NodeProto"]:
    """The nodes that the output depends on, each behind what it reads."""
    makers: dict[str, NodeProto] = {}
    for node in nodes:
        for name in node.output:
            if name:
                makers.setdefault(name, node)
    order: list[NodeProto] = []
    state: dict[int, bool] = {}
    """Whether a node stands in the order already, or is waiting for what it reads."""
    waiting = [(makers[output], False)] if output in makers else []
    while waiting:
        node, ready = waiting.pop()
        if ready:
            order.append(node)
            state[id(node)] = True
        elif id(node) not in state:
            state[id(node)] = False
            waiting.append((node, True))
            sources = [makers[name] for name in reversed(_reads(node)) if name in makers and name not in given]
            for source in sources:
                if state.get(id(source)) is False:
                    raise DataError(f"{b.file}: nodes read each other in a circle, one of them is {_label(source)}")
                waiting.append((source, False))
    places = {id(node): place for place, node in enumerate(nodes)}
    natural = sorted(order, key=lambda node: places[id(node)])
    return natural if _sorted(natural, makers, places) else order


def _sorted(nodes: Sequence["NodeProto"], makers: Mapping[str, Any], places: Mapping[int, int]) -> bool:
    """Whether each node stands behind what it reads, as the format asks for: then the order is the file's."""
    return all(places[id(makers[name])] < places[id(node)] for node in nodes for name in _reads(node) if name in makers)
