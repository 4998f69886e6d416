"""ONNX's own tests of single operators, out of the `onnx` package, and the same operators as networks.

Two collections: the operators' node tests, which the package makes in code, and the models of one node that it has as
files, most of them exported by PyTorch.
"""

import importlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from conv_sheet.errors import SpecError
from conv_sheet.layers import Array
from conv_sheet.network.graph import Network

_MODULES = {
    "AveragePool": "averagepool",
    "BatchNormalization": "batch_normalization",
    "Conv": "conv",
    "ConvTranspose": "convtranspose",
    "Dropout": "dropout",
    "Flatten": "flatten",
    "Gemm": "gemm",
    "GlobalAveragePool": "globalaveragepool",
    "GlobalMaxPool": "globalmaxpool",
    "LeakyRelu": "leakyrelu",
    "MaxPool": "maxpool",
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Softmax": "softmax",
    "Tanh": "tanh",
}
"""Operators that some layer kind computes, and where the package makes their tests."""

_FILES = ("pytorch-converted", "pytorch-operator", "simple")


class OutOfScopeError(Exception):
    """A test asks for something that no layer is for; the message says what."""


@dataclass(frozen=True)
class NodeTest:
    """One operator with its inputs in order, and what must come out."""

    name: str
    operator: str
    attributes: Mapping[str, Any]
    inputs: tuple[NDArray[Any], ...]
    outputs: tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Expressed:
    """A test as a network: images (N, C, H, W), tensors by full name, and what the last layer must give (N, …)."""

    network: Network
    images: Array
    tensors: Mapping[str, Array]
    expected: Array

    @property
    def caption(self) -> str:
        return ", ".join(node.layer.torch(node.in_shape) for node in self.network.nodes)

    @property
    def cells(self) -> int:
        """Values of the input and of every layer, for one image."""
        return prod(self.network.input_shape) + sum(prod(node.out_shape) for node in self.network.nodes)


@cache
def node_tests() -> tuple[NodeTest, ...]:
    """Every test of a single supported operator, by operator and name."""
    tests = [*_made(), *_stored()]
    return tuple(sorted(tests, key=lambda test: (test.operator, test.name)))


def _made() -> Iterator[NodeTest]:
    package = "onnx.backend.test.case.node"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in _MODULES.values():
            importlib.import_module(f"{package}.{module}")
    for case in importlib.import_module(package)._NodeTestCases:
        ((inputs, outputs),) = case.data_sets
        yield from _of(case.name, case.model, dict(zip(_fed(case.model), inputs, strict=True)), outputs)


def _stored() -> Iterator[NodeTest]:
    for folder in _FILES:
        for path in sorted((Path(onnx.__file__).parent / "backend/test/data" / folder).iterdir()):
            model, data = onnx.load(path / "model.onnx"), path / "test_data_set_0"
            if len(model.graph.node) != 1 or model.graph.node[0].op_type not in _MODULES:
                continue
            inputs = dict(zip(_fed(model), _tensors(data, "input"), strict=True))
            yield from _of(f"{folder}/{path.name}", model, inputs, list(_tensors(data, "output")))


def _fed(model: onnx.ModelProto) -> list[str]:
    stored = {tensor.name for tensor in model.graph.initializer}
    return [value.name for value in model.graph.input if value.name not in stored]


def _tensors(folder: Path, kind: str) -> Iterator[NDArray[Any]]:
    for number in range(len(list(folder.glob(f"{kind}_*.pb")))):
        tensor = onnx.TensorProto()
        tensor.ParseFromString((folder / f"{kind}_{number}.pb").read_bytes())
        yield numpy_helper.to_array(tensor)


def _of(
    name: str, model: onnx.ModelProto, inputs: Mapping[str, NDArray[Any]], outputs: list[NDArray[Any]]
) -> Iterator[NodeTest]:
    """The test, where its model has one node of a supported operator; no test for what is spelled out in others."""
    node = model.graph.node[0]
    if len(model.graph.node) == 1 and node.op_type in _MODULES:
        stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        values = {**inputs, **stored}
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        yield NodeTest(
            name, node.op_type, attributes, tuple(values[name] for name in node.input if name), tuple(outputs)
        )


def express(test: NodeTest) -> Expressed:
    """A test as a network of ours. Raises OutOfScopeError with the reason where there is none."""
    if len(test.outputs) > 1:
        raise OutOfScopeError("asks for a second output, the " + _SECOND_OUTPUTS[test.operator])
    try:
        return _EXPRESS[test.operator](test)
    except SpecError as error:
        raise OutOfScopeError(str(error).rpartition(": ")[2]) from error


_SECOND_OUTPUTS = {
    "BatchNormalization": "statistics of a batch in training",
    "Dropout": "mask",
    "MaxPool": "places of the largest values",
}


def _network(test: NodeTest, images: NDArray[Any], *layers: dict[str, Any], **tensors: NDArray[Any]) -> Expressed:
    """The last layer is the operator and owns the tensors; every other is a Flatten."""
    spec = {"input": list(images.shape[1:]), "layers": [*layers[:-1], {"name": "layer", **layers[-1]}]}
    network = Network.from_spec(spec)
    own = {f"layer.{name}": np.asarray(value, dtype=np.float64) for name, value in tensors.items()}
    expected = np.asarray(test.outputs[0], dtype=np.float64)
    return Expressed(
        network,
        np.asarray(images, dtype=np.float64),
        network.initial(seed=0) | own,
        expected.reshape(len(images), *network.output.out_shape),
    )


# Operators that slide a window


def _planes(values: NDArray[Any]) -> NDArray[Any]:
    """(N, C, H, W); a signal (N, C, W) is a map of one row."""
    if values.ndim == 3:
        return values[:, :, np.newaxis]
    if values.ndim != 4:
        raise OutOfScopeError("3-D data: a sheet shows planes")
    return values


def _pair(test: NodeTest, name: str, default: int) -> list[int]:
    """An attribute with a number an axis, for rows and columns; signals have one row."""
    values = list(test.attributes.get(name, [default] * (test.inputs[0].ndim - 2)))
    return [default, *values] if len(values) == 1 else values


def _window(test: NodeTest, kernel: list[int]) -> dict[str, Any]:
    """Options that every sliding operator has, in PyTorch's words."""
    stride, dilation = _pair(test, "strides", 1), _pair(test, "dilations", 1)
    options: dict[str, Any] = {"kernel_size": kernel, "stride": stride}
    if dilation != [1, 1]:
        options["dilation"] = dilation
    return options


def _padding(test: NodeTest, kernel: list[int]) -> list[int]:
    size = _planes(test.inputs[0]).shape[2:]
    stride, dilation = _pair(test, "strides", 1), _pair(test, "dilations", 1)
    auto = test.attributes.get("auto_pad", b"NOTSET").decode()
    if auto.startswith("SAME"):
        axes = zip(size, kernel, stride, dilation, strict=True)
        totals = [max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n) for n, k, s, d in axes]
        starts = [total // 2 if auto == "SAME_UPPER" else total - total // 2 for total in totals]
        return _symmetrical(starts, [total - start for total, start in zip(totals, starts, strict=True)])
    pads = list(test.attributes.get("pads", [0] * 4))
    pads = [0, pads[0], 0, pads[1]] if len(pads) == 2 else pads
    return _symmetrical(pads[:2], pads[2:])


def _symmetrical(starts: list[int], ends: list[int]) -> list[int]:
    if starts != ends:
        raise OutOfScopeError(f"pads the start by {starts} and the end by {ends}: PyTorch's layers pad both alike")
    return starts


def _conv(test: NodeTest) -> Expressed:
    x, weight, *bias = test.inputs
    weight = _planes(weight)
    kernel = list(weight.shape[2:])
    options = _window(test, kernel) | {
        "kind": "Conv2d",
        "out_channels": len(weight),
        "padding": _padding(test, kernel),
        "groups": test.attributes.get("group", 1),
        "bias": bool(bias),
    }
    return _network(test, _planes(x), options, weight=weight, **({"bias": bias[0]} if bias else {}))


def _conv_transpose(test: NodeTest) -> Expressed:
    x, weight, *bias = test.inputs
    x, weight, groups = _planes(x), _planes(weight), test.attributes.get("group", 1)
    kernel, extra = list(weight.shape[2:]), _pair(test, "output_padding", 0)
    padding, extra = _transposed_padding(test, x.shape[2:], kernel, extra)
    options = _window(test, kernel) | {
        "kind": "ConvTranspose2d",
        "out_channels": weight.shape[1] * groups,
        "padding": padding,
        "output_padding": extra,
        "groups": groups,
        "bias": bool(bias),
    }
    return _network(test, x, options, weight=weight, **({"bias": bias[0]} if bias else {}))


def _transposed_padding(
    test: NodeTest, size: tuple[int, ...], kernel: list[int], extra: list[int]
) -> tuple[list[int], list[int]]:
    """Padding and output padding; an output shape that is asked for says how much to cut off."""
    stride, dilation = _pair(test, "strides", 1), _pair(test, "dilations", 1)
    wanted = test.attributes.get("output_shape")
    if test.attributes.get("auto_pad", b"NOTSET") == b"SAME_UPPER":
        wanted = [n * s for n, s in zip(size, stride, strict=True)]
    if wanted is None:
        return _padding(test, kernel), extra
    axes = zip(size, kernel, stride, dilation, extra, wanted, strict=True)
    cut = [(n - 1) * s + d * (k - 1) + 1 + e - w for n, k, s, d, e, w in axes]
    more = [e + max(0, -c) for e, c in zip(extra, cut, strict=True)]
    starts = [max(0, c) // 2 for c in cut]
    return _symmetrical(starts, [max(0, c) - start for c, start in zip(cut, starts, strict=True)]), more


def _pool(test: NodeTest) -> Expressed:
    (x,) = test.inputs
    kernel = _pair(test, "kernel_shape", 1)
    options = _window(test, kernel) | {"padding": _padding(test, kernel)}
    if test.attributes.get("ceil_mode", 0):
        options["ceil_mode"] = True
    if test.operator == "MaxPool":
        return _network(test, _planes(x), options | {"kind": "MaxPool2d"})
    if "dilation" in options:
        raise OutOfScopeError("a mean of dilated windows: PyTorch's AvgPool2d has no dilation")
    counted = bool(test.attributes.get("count_include_pad", 0))
    return _network(test, _planes(x), options | {"kind": "AvgPool2d", "count_include_pad": counted})


def _global_pool(test: NodeTest) -> Expressed:
    (x,) = test.inputs
    if test.operator == "GlobalAveragePool":
        return _network(test, _planes(x), {"kind": "AdaptiveAvgPool2d", "output_size": 1})
    return _network(test, _planes(x), {"kind": "MaxPool2d", "kernel_size": list(x.shape[2:])})


# Operators without windows


def _by_value(test: NodeTest) -> Expressed:
    """Each value on its own: what has fewer than four axes is one image."""
    x = test.inputs[0]
    if x.ndim > 4:
        raise OutOfScopeError("3-D data: a sheet shows planes")
    images = x if x.ndim == 4 else x.reshape(1, *[1] * (3 - x.ndim), *x.shape)
    alpha = {"negative_slope": float(test.attributes.get("alpha", 0.01))} if test.operator == "LeakyRelu" else {}
    kind = {"Relu": "ReLU", "LeakyRelu": "LeakyReLU"}.get(test.operator, test.operator)
    return _network(test, images, {"kind": kind, **alpha})


def _dropout(test: NodeTest) -> Expressed:
    _, ratio, training = (*test.inputs, 0.5, False)[:3]
    if training and ratio:
        raise OutOfScopeError("training: the mask follows from another program's random numbers")
    return _by_value(test)


def _batch_norm(test: NodeTest) -> Expressed:
    if test.attributes.get("training_mode", 0):
        raise OutOfScopeError("training: normalises by the statistics of the batch, the layer by running ones")
    x, weight, bias, mean, var = test.inputs
    options = {"kind": "BatchNorm2d", "eps": float(test.attributes.get("epsilon", 1e-5))}
    tensors = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": var}
    return _network(test, _planes(x), options, **tensors)


def _flatten(test: NodeTest) -> Expressed:
    (x,) = test.inputs
    if test.attributes.get("axis", 1) not in (1, 1 - x.ndim):
        raise OutOfScopeError("flattens from another axis than the one behind the batch")
    if x.ndim != 4:
        raise OutOfScopeError("flattens something else than images")
    return _network(test, x, {"kind": "Flatten"})


def _gemm(test: NodeTest) -> Expressed:
    x, matrix, *bias = test.inputs
    if test.attributes.get("transA", 0):
        raise OutOfScopeError("the batch stands in columns")
    weight = matrix if test.attributes.get("transB", 0) else matrix.T
    tensors = {"weight": test.attributes.get("alpha", 1.0) * weight}
    if bias:
        if bias[0].ndim == 2 and len(bias[0]) > 1:
            raise OutOfScopeError("another bias for each image of the batch")
        tensors["bias"] = test.attributes.get("beta", 1.0) * np.broadcast_to(bias[0], (1, len(weight)))[0]
    options = {"kind": "Linear", "out_features": len(weight), "bias": bool(bias)}
    return _network(test, x.reshape(len(x), 1, 1, -1), {"kind": "Flatten"}, options, **tensors)


def _softmax(test: NodeTest) -> Expressed:
    (x,) = test.inputs
    if test.attributes.get("axis", -1) % x.ndim != x.ndim - 1:
        raise OutOfScopeError("along another axis than the last: the layer reads vectors")
    vectors = x.reshape(prod(x.shape[:-1]), 1, 1, x.shape[-1])
    return _network(test, vectors, {"kind": "Flatten"}, {"kind": "Softmax"})


_EXPRESS: dict[str, Callable[[NodeTest], Expressed]] = {
    "AveragePool": _pool,
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "LeakyRelu": _by_value,
    "MaxPool": _pool,
    "Relu": _by_value,
    "Sigmoid": _by_value,
    "Softmax": _softmax,
    "Tanh": _by_value,
}


# The page that lists them

MOST_CELLS = 10_000
"""Networks with more values than this are asked of the engine alone: a sheet of them takes minutes, or has no room."""

_HEAD = """# ONNX's node tests

The `onnx` package ({version}) has tests of single operators: those that it makes in code for every operator, and small
models in files, most of them exported by PyTorch. These are the {total} tests of operators that a layer kind computes.
What the operator must give comes from ONNX, within ONNX's own tolerance; `tests/test_onnx_nodes.py` asks all of this
again at every run.

- **{passed} pass**: the engine gives ONNX's numbers for every image of the batch, and, where the table says so, the
  formulas do for the last image: all in the formula engine formualizer, one of each operator in LibreOffice. Signals in
  one dimension stand as maps of one row.
- **{outside} are out of scope**, for the reasons below. Tests in which an operator is spelled out in other operators
  (`…_expanded`) are not counted.

This page is made by `scripts/onnx_node_tests.py`.
"""


def page() -> str:
    """The page `docs/onnx-node-tests.md`."""
    passed, outside = sorted_out()
    head = _HEAD.format(
        version=onnx.__version__, total=len(passed) + len(outside), passed=len(passed), outside=len(outside)
    )
    rows = []
    for test, made in passed:
        formulas = "yes" if made.cells <= MOST_CELLS else f"no: {made.cells:,} values"
        rows.append(f"| {test.operator} | `{test.name}` | `{made.caption}` | {formulas} |")
    reasons = [f"| {test.operator} | `{test.name}` | {reason} |" for test, reason in outside]
    lines = [
        head,
        "## Passed",
        "",
        "| operator | test | as layers | formulas |",
        "|---|---|---|---|",
        *rows,
        "",
        "## Out of scope",
        "",
        "| operator | test | reason |",
        "|---|---|---|",
        *reasons,
    ]
    return "\n".join(lines) + "\n"


@cache
def sorted_out() -> tuple[list[tuple[NodeTest, Expressed]], list[tuple[NodeTest, str]]]:
    """The tests that are expressed as networks, and the others with the reason why not."""
    inside, outside = [], []
    for test in node_tests():
        try:
            inside.append((test, express(test)))
        except OutOfScopeError as reason:
            outside.append((test, str(reason)))
    return inside, outside
