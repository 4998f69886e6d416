"""ONNX's own tests of single operators, out of the `onnx` package.

Two collections: the operators' node tests, which the package makes in code, and the models of one node that it has as
files, most of them exported by PyTorch.
"""

import importlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_MODULES = {
    "Add": "add",
    "AveragePool": "averagepool",
    "BatchNormalization": "batch_normalization",
    "Clip": "clip",
    "Concat": "concat",
    "Conv": "conv",
    "ConvTranspose": "convtranspose",
    "DepthToSpace": "depthtospace",
    "Dropout": "dropout",
    "Elu": "elu",
    "Flatten": "flatten",
    "Gelu": "gelu",
    "Gemm": "gemm",
    "GlobalAveragePool": "globalaveragepool",
    "GlobalMaxPool": "globalmaxpool",
    "GroupNormalization": "groupnormalization",
    "HardSigmoid": "hardsigmoid",
    "HardSwish": "hardswish",
    "Identity": "identity",
    "InstanceNormalization": "instance_normalization",
    "LRN": "lrn",
    "LayerNormalization": "layernormalization",
    "LeakyRelu": "leakyrelu",
    "LogSoftmax": "logsoftmax",
    "MaxPool": "maxpool",
    "Mul": "mul",
    "PRelu": "prelu",
    "Pad": "pad",
    "Relu": "relu",
    "Resize": "resize",
    "Sigmoid": "sigmoid",
    "Slice": "slice",
    "Softmax": "softmax",
    "Softplus": "softplus",
    "Sum": "sum",
    "Swish": "swish",
    "Tanh": "tanh",
    "Upsample": "upsample",
}
"""Operators that some layer kind computes, and where the package makes their tests."""

_FILES = ("pytorch-converted", "pytorch-operator", "simple")


@dataclass(frozen=True)
class NodeTest:
    """One operator with its inputs in order, None for one that is left out, and what must come out."""

    name: str
    operator: str
    attributes: Mapping[str, Any]
    inputs: tuple[NDArray[Any] | None, ...]
    outputs: tuple[NDArray[Any], ...]

    @property
    def data(self) -> NDArray[Any]:
        """The first input."""
        (first, *_) = self.inputs
        assert first is not None
        return first

    def real(self, name: str, default: float) -> float:
        """An attribute that is a real number."""
        return float(self.attributes.get(name, default))

    def text(self, name: str, default: str) -> str:
        """An attribute that is a word."""
        given = self.attributes.get(name, default)
        return given.decode() if isinstance(given, bytes) else str(given)


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
    if len(model.graph.node) == 1 and node.op_type in _MODULES and "_expanded" not in name:
        stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        values = {**inputs, **stored}
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        own = tuple(_array(values[name]) if name else None for name in node.input)
        yield NodeTest(name, node.op_type, attributes, own, tuple(map(_array, outputs)))


def _array(value: Any) -> Any:
    """A single number is an array too; sequences stay what they are."""
    return np.asarray(value) if isinstance(value, np.generic) else value
