"""ONNX's operators, and what each of them is here."""

from collections.abc import Callable, Sequence

import numpy as np

from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.imported import short
from conv_sheet.models.onnx import folding
from conv_sheet.models.onnx.node import (
    OnnxNode,
    Operation,
    Result,
    activation,
    constant_of,
    constants_of,
    number_of,
    optional_of,
)
from conv_sheet.models.onnx.views import VIEWS
from conv_sheet.models.operations import activations, arithmetic, kernels, norms, pooling
from conv_sheet.models.operations.options import automatic
from conv_sheet.models.values import Operand, Value


def supported() -> str:
    """Names of all operators, for an error message."""
    return ", ".join(sorted({*OPERATIONS, *folding.FOLDS} - {"Not", "Mod", "Equal"}))


def apply(b: GraphBuilder, node: OnnxNode) -> Result:
    """What a node gives: constants are calculated at once, everything else becomes layers or a view."""
    try:
        if all(not isinstance(x, Value) for x in node.inputs):
            inputs = [x for x in node.inputs if not isinstance(x, Value)]
            if node.op == "Split":
                return list(
                    folding.split(inputs[0], [x for x in inputs if x is not None], node.attributes, node.outputs)
                )
            constant = folding.fold(node.op, inputs, node.attributes)
            if constant is not None:
                return constant
        if node.op not in OPERATIONS:
            b.refuse(f"the operator {node.op} over activations is not supported; supported are {supported()}")
        return OPERATIONS[node.op](b, node)
    except folding.FoldError as error:
        b.refuse(str(error))
    except (ValueError, IndexError, TypeError, KeyError, OverflowError) as error:
        b.refuse(f"its attributes do not fit what it reads ({' '.join(str(error).split())[:80]})")


# -- kernels -----------------------------------------------------------------------------------------------------------


def _pads(
    b: GraphBuilder, node: OnnxNode, x: Value, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[tuple[int, int]]:
    """Padding of each axis, where `auto_pad` asks for it calculated from the sizes."""
    axes, mode = len(kernel), node.get("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        sizes = zip(b.maps(x).shape[1:], kernel, stride, dilation, strict=True)
        return [automatic(n, k, s, d, mode == "SAME_LOWER") for n, k, s, d in sizes]
    pads = [0] * 2 * axes if mode == "VALID" else [int(n) for n in node.get("pads", None) or [0] * 2 * axes]
    if len(pads) != 2 * axes or min(pads) < 0:
        b.refuse(f"pads {pads} do not fit {axes} axes")
    return list(zip(pads[:axes], pads[axes:], strict=True))


def _conv(b: GraphBuilder, node: OnnxNode) -> Result:
    x, weight, bias = activation(b, node), constant_of(b, node, 1), optional_of(b, node, 2)
    kernel = weight.shape[2:]
    stride, dilation = node.get("strides", [1] * len(kernel)), node.get("dilations", [1] * len(kernel))
    pads = _pads(b, node, x, kernel, stride, dilation)
    groups = int(node.get("group", 1))
    return kernels.conv(b, x, weight, bias, stride=stride, pads=pads, dilation=dilation, groups=groups)


def _conv_transpose(b: GraphBuilder, node: OnnxNode) -> Result:
    weight = constant_of(b, node, 1)
    kernel = weight.shape[2:]
    stride, dilation = node.get("strides", [1] * len(kernel)), node.get("dilations", [1] * len(kernel))
    more = [int(n) for n in node.get("output_padding", None) or [0] * len(kernel)]
    if "output_shape" in node.attributes:
        b.refuse("output_shape is not known: export with pads")
    pads = _pads(b, node, activation(b, node), kernel, stride, dilation) if not _is_same(node) else []
    if not pads:
        pads, grown = kernels.same_transposed(kernel, stride, dilation, node.get("auto_pad", "") == "SAME_LOWER")
        more = [own or wanted for own, wanted in zip(more, grown, strict=True)]
    return kernels.conv_transpose(
        b,
        activation(b, node),
        weight,
        optional_of(b, node, 2),
        stride=stride,
        pads=pads,
        output_padding=more,
        dilation=dilation,
        groups=int(node.get("group", 1)),
    )


def _is_same(node: OnnxNode) -> bool:
    return str(node.get("auto_pad", "NOTSET")).startswith("SAME")


def _gemm(b: GraphBuilder, node: OnnxNode) -> Result:
    weight, bias = constant_of(b, node, 1), optional_of(b, node, 2)
    if node.get("transA", 0):
        b.refuse("transA is not known")
    if not node.get("transB", 0):
        weight = weight.T
    alpha, beta = float(node.get("alpha", 1.0)), float(node.get("beta", 1.0))
    if bias is not None:
        bias = np.broadcast_to(bias, (1, weight.shape[0])) if bias.size != weight.shape[0] else bias
    return kernels.linear(
        b,
        activation(b, node),
        weight if alpha == 1 else weight * alpha,
        bias if bias is None or beta == 1 else bias * beta,
    )


def _matmul(b: GraphBuilder, node: OnnxNode) -> Result:
    x, weight = activation(b, node), constant_of(b, node, 1)
    if x.view.ndim < 2 or x.view.size != x.view.shape[-1] or weight.ndim != 2:
        b.refuse(f"a product of {x.view.shape} and {weight.shape} is not known: only a vector times a matrix")
    out = kernels.linear(b, x.moved(x.view.reshape(1, -1), x.path), weight.T, None)
    return out.moved(out.view.reshape(*x.view.shape[:-1], -1))


# -- pools -------------------------------------------------------------------------------------------------------------


def _pool(what: str) -> Operation:
    def pool(b: GraphBuilder, node: OnnxNode) -> Result:
        x, kernel = activation(b, node), [int(n) for n in node.attributes["kernel_shape"]]
        axes = len(kernel)
        stride, dilation = node.get("strides", [1] * axes), node.get("dilations", [1] * axes)
        if axes == 3:
            if kernel[1:] != [1, 1] or any(s != 1 for s in stride) or any(node.get("pads", [])):
                b.refuse("a pool over three axes is only known as part of local response normalisation")
            return arithmetic.mean_of_maps(b, x, kernel[0])
        counts = bool(node.get("count_include_pad", 0))
        pads = _pads(b, node, x, kernel, stride, dilation)
        ceil = bool(node.get("ceil_mode", 0))
        return pooling.pool(
            b, x, what, kernel=kernel, stride=stride, pads=pads, dilation=dilation, ceil=ceil, counts_padding=counts
        )

    return pool


def _global(what: str) -> Operation:
    return lambda b, node: pooling.over_axes(
        b, activation(b, node), what, range(2, activation(b, node).view.ndim), keep=True
    )


def _over(what: str) -> Operation:
    def over(b: GraphBuilder, node: OnnxNode) -> Result:
        x = activation(b, node)
        axes = folding.axes_of(constants_of(node), node.attributes)
        return pooling.over_axes(b, x, what, axes or range(x.view.ndim), bool(node.get("keepdims", 1)))

    return over


# -- normalisations ----------------------------------------------------------------------------------------------------


def _batch_norm(b: GraphBuilder, node: OnnxNode) -> Result:
    if node.get("training_mode", 0) or not node.get("spatial", 1):
        b.refuse("BatchNormalization is in training: export the model after model.eval()")
    weight, bias, mean, var = (constant_of(b, node, number) for number in (1, 2, 3, 4))
    return norms.batch_norm(b, activation(b, node), weight, bias, mean, var, float(node.get("epsilon", 1e-5)))


def _instance_norm(b: GraphBuilder, node: OnnxNode) -> Result:
    eps = float(node.get("epsilon", 1e-5))
    return norms.instance_norm(b, activation(b, node), constant_of(b, node, 1), constant_of(b, node, 2), eps)


def _layer_norm(b: GraphBuilder, node: OnnxNode) -> Result:
    x, axis = activation(b, node), int(node.get("axis", -1))
    weight, bias = constant_of(b, node, 1), optional_of(b, node, 2)
    return norms.layer_norm(b, x, x.view.ndim - axis % x.view.ndim, weight, bias, float(node.get("epsilon", 1e-5)))


def _group_norm(b: GraphBuilder, node: OnnxNode) -> Result:
    x, groups = activation(b, node), int(node.attributes["num_groups"])
    weight, bias = constant_of(b, node, 1), constant_of(b, node, 2)
    if node.opset < 21 and groups:
        each = x.view.shape[1] // groups
        weight, bias = np.repeat(weight, each), np.repeat(bias, each)
    return norms.group_norm(b, x, groups, weight, bias, float(node.get("epsilon", 1e-5)))


def _lrn(b: GraphBuilder, node: OnnxNode) -> Result:
    alpha, beta, bias = (float(node.get(*given)) for given in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    return norms.local_response_norm(b, activation(b, node), int(node.attributes["size"]), alpha, beta, bias)


# -- activations -------------------------------------------------------------------------------------------------------


def _plain(kind: str, option: str = "", default: float = 0.0, usual: float = 0.0) -> Operation:
    """A function of one value; `option` is PyTorch's name of `alpha`, with ONNX's default and PyTorch's."""

    def apply(b: GraphBuilder, node: OnnxNode) -> Result:
        value = short(float(node.get("alpha", default)))
        return activations.pointwise(b, activation(b, node), kind, {option: value} if option and value != usual else {})

    return apply


def _celu(b: GraphBuilder, node: OnnxNode) -> Result:
    alpha = float(node.get("alpha", 1.0))
    return arithmetic.elu(b, activation(b, node), 1.0, alpha, 1 / alpha)


def _selu(b: GraphBuilder, node: OnnxNode) -> Result:
    given = (float(node.get(name, usual)) for name, usual in zip(("alpha", "gamma"), arithmetic.SELU, strict=True))
    return arithmetic.elu(b, activation(b, node), *given)


def _hard_sigmoid(b: GraphBuilder, node: OnnxNode) -> Result:
    x, alpha, beta = activation(b, node), float(node.get("alpha", 0.2)), float(node.get("beta", 0.5))
    if activations.near(alpha, 1 / 6) and activations.near(beta, 0.5):
        return activations.pointwise(b, x, "Hardsigmoid")
    line = arithmetic.scaled(b, x, np.array(short(alpha)), np.array(short(beta)))
    return activations.clamp(b, line, 0.0, 1.0)


def _clip(b: GraphBuilder, node: OnnxNode) -> Result:
    low = node.get("min", None) if node.opset < 11 else number_of(b, node, 1, None)
    high = node.get("max", None) if node.opset < 11 else number_of(b, node, 2, None)
    return activations.clamp(b, activation(b, node), low, high)


def _prelu(b: GraphBuilder, node: OnnxNode) -> Result:
    slope, x = constant_of(b, node, 1), activation(b, node)
    if slope.size > 1 and x.view.ndim > 2 and slope.shape != (slope.size, *(1,) * (x.view.ndim - 2)):
        b.refuse(f"PRelu with a slope of {slope.shape} is not known: only one for all, or one a map")
    return activations.prelu(b, x, slope)


def _softmax(kind: str) -> Operation:
    def softmax(b: GraphBuilder, node: OnnxNode) -> Result:
        x, old = activation(b, node), node.opset < 13
        axis = int(node.get("axis", 1 if old else -1)) % x.view.ndim
        if old and x.view[(0,) * (axis + 1)].size > 1:
            b.refuse(f"{kind} over all axes from {axis} on, as before opset 13, is not known for {x.view.shape}")
        return activations.softmax(b, x, axis, kind)

    return softmax


def _dropout(b: GraphBuilder, node: OnnxNode) -> Result:
    p = short(float(node.get("ratio", 0.5))) if node.opset < 12 else number_of(b, node, 1, 0.5)
    out = activations.pointwise(b, activation(b, node), "Dropout", {} if p == 0.5 else {"p": p})
    return [out] * node.outputs


# -- arithmetic --------------------------------------------------------------------------------------------------------


def _binary(function: Callable[[GraphBuilder, Operand, Operand], Operand]) -> Operation:
    def binary(b: GraphBuilder, node: OnnxNode) -> Result:
        x, y = node.input(0), node.input(1)
        if x is None or y is None:
            b.refuse("it has two inputs, and one is missing")
        return function(b, x, y)

    return binary


def _sum(b: GraphBuilder, node: OnnxNode) -> Result:
    operands = [x for x in node.inputs if x is not None]
    total = operands[0]
    for operand in operands[1:]:
        total = arithmetic.add(b, total, operand)
    return total


def _pow(b: GraphBuilder, node: OnnxNode) -> Result:
    exponent = number_of(b, node, 1, None)
    return arithmetic.power(b, activation(b, node), 1.0 if exponent is None else exponent)


def _neg(b: GraphBuilder, node: OnnxNode) -> Result:
    return arithmetic.multiply(b, activation(b, node), np.array(-1.0))


OPERATIONS: dict[str, Operation] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MaxPool": _pool("Max"),
    "AveragePool": _pool("Avg"),
    "GlobalAveragePool": _global("Avg"),
    "GlobalMaxPool": _global("Max"),
    "ReduceMean": _over("Avg"),
    "ReduceMax": _over("Max"),
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "LRN": _lrn,
    "Relu": _plain("ReLU"),
    "Sigmoid": _plain("Sigmoid"),
    "Tanh": _plain("Tanh"),
    "Softplus": _plain("Softplus"),
    "HardSwish": _plain("Hardswish"),
    "LeakyRelu": _plain("LeakyReLU", "negative_slope", 0.01, 0.01),
    "Elu": _plain("ELU", "alpha", 1.0, 1.0),
    "Celu": _celu,
    "Selu": _selu,
    "Mish": lambda b, node: arithmetic.mish(b, activation(b, node)),
    "Gelu": lambda b, node: activations.gelu(b, activation(b, node), node.get("approximate", "none")),
    "HardSigmoid": _hard_sigmoid,
    "Clip": _clip,
    "PRelu": _prelu,
    "Erf": _plain("_Erf"),
    "Softmax": _softmax("Softmax"),
    "LogSoftmax": _softmax("LogSoftmax"),
    "Dropout": _dropout,
    "Add": _binary(arithmetic.add),
    "Sub": _binary(arithmetic.subtract),
    "Mul": _binary(arithmetic.multiply),
    "Div": _binary(arithmetic.divide),
    "Sum": _sum,
    "Pow": _pow,
    "Neg": _neg,
    "Sqrt": lambda b, node: arithmetic.power(b, activation(b, node), 0.5),
    **VIEWS,
}
"""By name, over activations; constants are folded before."""
