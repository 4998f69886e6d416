"""ONNX's operators, and what each of them is here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.imported import short
from conv_sheet.models.onnx import folding
from conv_sheet.models.operations import activations, arithmetic, kernels, norms, pooling, reshaping
from conv_sheet.models.operations.options import automatic
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


def _x(b: GraphBuilder, node: OnnxNode, number: int = 0) -> Value:
    """The activation that a node works on."""
    operand = node.input(number)
    if not isinstance(operand, Value):
        b.refuse(f"input {number + 1} is a constant, where an activation is expected")
    return operand


def _constant(b: GraphBuilder, node: OnnxNode, number: int) -> Constant:
    operand = node.input(number)
    if operand is None or isinstance(operand, Value):
        b.refuse(f"input {number + 1} has to be a constant")
    return operand


def _optional(b: GraphBuilder, node: OnnxNode, number: int) -> Constant | None:
    return None if node.input(number) is None else _constant(b, node, number)


def _constants(node: OnnxNode) -> list[Constant]:
    """Inputs from the second on, for operators that take axes or limits there; the first place is kept."""
    return [np.zeros(0), *(x for x in node.inputs[1:] if isinstance(x, np.ndarray))]


def _number(b: GraphBuilder, node: OnnxNode, number: int, default: float | None) -> float | None:
    constant = _optional(b, node, number)
    return default if constant is None or not constant.size else short(float(constant.reshape(-1)[0]))


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
    x, weight, bias = _x(b, node), _constant(b, node, 1), _optional(b, node, 2)
    kernel = weight.shape[2:]
    stride, dilation = node.get("strides", [1] * len(kernel)), node.get("dilations", [1] * len(kernel))
    pads = _pads(b, node, x, kernel, stride, dilation)
    groups = int(node.get("group", 1))
    return kernels.conv(b, x, weight, bias, stride=stride, pads=pads, dilation=dilation, groups=groups)


def _conv_transpose(b: GraphBuilder, node: OnnxNode) -> Result:
    weight = _constant(b, node, 1)
    kernel = weight.shape[2:]
    stride, dilation = node.get("strides", [1] * len(kernel)), node.get("dilations", [1] * len(kernel))
    more = [int(n) for n in node.get("output_padding", None) or [0] * len(kernel)]
    if "output_shape" in node.attributes:
        b.refuse("output_shape is not known: export with pads")
    pads = _pads(b, node, _x(b, node), kernel, stride, dilation) if not _is_same(node) else []
    if not pads:
        pads, grown = kernels.same_transposed(kernel, stride, dilation, node.get("auto_pad", "") == "SAME_LOWER")
        more = [own or wanted for own, wanted in zip(more, grown, strict=True)]
    return kernels.conv_transpose(
        b,
        _x(b, node),
        weight,
        _optional(b, node, 2),
        stride=stride,
        pads=pads,
        output_padding=more,
        dilation=dilation,
        groups=int(node.get("group", 1)),
    )


def _is_same(node: OnnxNode) -> bool:
    return str(node.get("auto_pad", "NOTSET")).startswith("SAME")


def _gemm(b: GraphBuilder, node: OnnxNode) -> Result:
    weight, bias = _constant(b, node, 1), _optional(b, node, 2)
    if node.get("transA", 0):
        b.refuse("transA is not known")
    if not node.get("transB", 0):
        weight = weight.T
    alpha, beta = float(node.get("alpha", 1.0)), float(node.get("beta", 1.0))
    if bias is not None:
        bias = np.broadcast_to(bias, (1, weight.shape[0])) if bias.size != weight.shape[0] else bias
    return kernels.linear(
        b, _x(b, node), weight if alpha == 1 else weight * alpha, bias if bias is None or beta == 1 else bias * beta
    )


def _matmul(b: GraphBuilder, node: OnnxNode) -> Result:
    x, weight = _x(b, node), _constant(b, node, 1)
    if x.view.ndim < 2 or x.view.size != x.view.shape[-1] or weight.ndim != 2:
        b.refuse(f"a product of {x.view.shape} and {weight.shape} is not known: only a vector times a matrix")
    out = kernels.linear(b, x.moved(x.view.reshape(1, -1), x.path), weight.T, None)
    return out.moved(out.view.reshape(*x.view.shape[:-1], -1))


# -- pools -------------------------------------------------------------------------------------------------------------


def _pool(what: str) -> Operation:
    def pool(b: GraphBuilder, node: OnnxNode) -> Result:
        x, kernel = _x(b, node), [int(n) for n in node.attributes["kernel_shape"]]
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
    return lambda b, node: pooling.over_axes(b, _x(b, node), what, range(2, _x(b, node).view.ndim), keep=True)


def _over(what: str) -> Operation:
    def over(b: GraphBuilder, node: OnnxNode) -> Result:
        x = _x(b, node)
        axes = folding.axes_of(_constants(node), node.attributes)
        return pooling.over_axes(b, x, what, axes or range(x.view.ndim), bool(node.get("keepdims", 1)))

    return over


# -- normalisations ----------------------------------------------------------------------------------------------------


def _batch_norm(b: GraphBuilder, node: OnnxNode) -> Result:
    if node.get("training_mode", 0) or not node.get("spatial", 1):
        b.refuse("BatchNormalization is in training: export the model after model.eval()")
    weight, bias, mean, var = (_constant(b, node, number) for number in (1, 2, 3, 4))
    return norms.batch_norm(b, _x(b, node), weight, bias, mean, var, float(node.get("epsilon", 1e-5)))


def _instance_norm(b: GraphBuilder, node: OnnxNode) -> Result:
    eps = float(node.get("epsilon", 1e-5))
    return norms.instance_norm(b, _x(b, node), _constant(b, node, 1), _constant(b, node, 2), eps)


def _layer_norm(b: GraphBuilder, node: OnnxNode) -> Result:
    x, axis = _x(b, node), int(node.get("axis", -1))
    weight, bias = _constant(b, node, 1), _optional(b, node, 2)
    return norms.layer_norm(b, x, x.view.ndim - axis % x.view.ndim, weight, bias, float(node.get("epsilon", 1e-5)))


def _group_norm(b: GraphBuilder, node: OnnxNode) -> Result:
    x, groups = _x(b, node), int(node.attributes["num_groups"])
    weight, bias = _constant(b, node, 1), _constant(b, node, 2)
    if node.opset < 21 and groups:
        each = x.view.shape[1] // groups
        weight, bias = np.repeat(weight, each), np.repeat(bias, each)
    return norms.group_norm(b, x, groups, weight, bias, float(node.get("epsilon", 1e-5)))


def _lrn(b: GraphBuilder, node: OnnxNode) -> Result:
    alpha, beta, bias = (float(node.get(*given)) for given in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    return norms.local_response_norm(b, _x(b, node), int(node.attributes["size"]), alpha, beta, bias)


# -- activations -------------------------------------------------------------------------------------------------------


def _plain(kind: str, option: str = "", default: float = 0.0, usual: float = 0.0) -> Operation:
    """A function of one value; `option` is PyTorch's name of `alpha`, with ONNX's default and PyTorch's."""

    def apply(b: GraphBuilder, node: OnnxNode) -> Result:
        value = short(float(node.get("alpha", default)))
        return activations.pointwise(b, _x(b, node), kind, {option: value} if option and value != usual else {})

    return apply


def _hard_sigmoid(b: GraphBuilder, node: OnnxNode) -> Result:
    x, alpha, beta = _x(b, node), float(node.get("alpha", 0.2)), float(node.get("beta", 0.5))
    if activations.near(alpha, 1 / 6) and activations.near(beta, 0.5):
        return activations.pointwise(b, x, "Hardsigmoid")
    line = arithmetic.scaled(b, x, np.array(short(alpha)), np.array(short(beta)))
    return activations.clamp(b, line, 0.0, 1.0)


def _clip(b: GraphBuilder, node: OnnxNode) -> Result:
    low = node.get("min", None) if node.opset < 11 else _number(b, node, 1, None)
    high = node.get("max", None) if node.opset < 11 else _number(b, node, 2, None)
    return activations.clamp(b, _x(b, node), low, high)


def _prelu(b: GraphBuilder, node: OnnxNode) -> Result:
    slope, x = _constant(b, node, 1), _x(b, node)
    if slope.size > 1 and x.view.ndim > 2 and slope.shape != (slope.size, *(1,) * (x.view.ndim - 2)):
        b.refuse(f"PRelu with a slope of {slope.shape} is not known: only one for all, or one a map")
    return activations.prelu(b, x, slope)


def _softmax(kind: str) -> Operation:
    def softmax(b: GraphBuilder, node: OnnxNode) -> Result:
        x, old = _x(b, node), node.opset < 13
        axis = int(node.get("axis", 1 if old else -1)) % x.view.ndim
        if old and x.view[(0,) * (axis + 1)].size > 1:
            b.refuse(f"{kind} over all axes from {axis} on, as before opset 13, is not known for {x.view.shape}")
        return activations.softmax(b, x, axis, kind)

    return softmax


def _dropout(b: GraphBuilder, node: OnnxNode) -> Result:
    p = short(float(node.get("ratio", 0.5))) if node.opset < 12 else _number(b, node, 1, 0.5)
    out = activations.pointwise(b, _x(b, node), "Dropout", {} if p == 0.5 else {"p": p})
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
    exponent = _number(b, node, 1, None)
    return arithmetic.power(b, _x(b, node), 1.0 if exponent is None else exponent)


def _neg(b: GraphBuilder, node: OnnxNode) -> Result:
    return arithmetic.multiply(b, _x(b, node), np.array(-1.0))


# -- views -------------------------------------------------------------------------------------------------------------


def _view(look: Callable[[Any, OnnxNode], Any]) -> Operation:
    def view(b: GraphBuilder, node: OnnxNode) -> Result:
        x = _x(b, node)
        return x.moved(look(x.view, node), b.path)

    return view


def _reshape(b: GraphBuilder, node: OnnxNode) -> Result:
    x, sizes = _x(b, node), node.get("shape", None) or _constant(b, node, 1).reshape(-1).tolist()
    return reshaping.reshape(b, x, folding.reshaped(x.view, sizes, bool(node.get("allowzero", 0))))


def _flatten(b: GraphBuilder, node: OnnxNode) -> Result:
    x, axis = _x(b, node), int(node.get("axis", 1))
    first = int(np.prod(x.view.shape[:axis])) if axis else 1
    return x.moved(x.view.reshape(first, -1), b.path)


def _shape(b: GraphBuilder, node: OnnxNode) -> Result:
    return np.array(_x(b, node).view.shape[node.get("start", 0) : node.get("end", None)], np.int64)


def _expand(b: GraphBuilder, node: OnnxNode) -> Result:
    x = _x(b, node)
    wanted = folding.bounded(_constant(b, node, 1).reshape(-1).tolist())
    return x.moved(np.broadcast_to(x.view, np.broadcast_shapes(x.view.shape, wanted)))


def _gather(b: GraphBuilder, node: OnnxNode) -> Result:
    x, index = _x(b, node), _constant(b, node, 1)
    axis = int(node.get("axis", 0))
    folding.bounded([*x.view.shape, index.size])
    return x.moved(np.take(x.view, index.astype(np.int64), axis=axis))


def _split(b: GraphBuilder, node: OnnxNode) -> Result:
    x = _x(b, node)
    parts = folding.split(x.view, _constants(node), node.attributes, node.outputs)
    return [x.moved(part) for part in parts]


def _concat(b: GraphBuilder, node: OnnxNode) -> Result:
    return reshaping.concat(b, [_x(b, node, i) for i in range(len(node.inputs))], int(node.get("axis", 1)))


def _pad(b: GraphBuilder, node: OnnxNode) -> Result:
    x = _x(b, node)
    pads = node.get("pads", None) or _constant(b, node, 1).reshape(-1).tolist()
    fill = float(node.get("value", 0.0)) if node.opset < 11 else _number(b, node, 2, 0.0)
    axes = _optional(b, node, 3)
    over = list(range(x.view.ndim)) if axes is None else [int(axis) % x.view.ndim for axis in axes]
    begins = dict(zip(over, pads[: len(over)], strict=True))
    ends = dict(zip(over, pads[len(over) :], strict=True))
    sides = [int(side.get(axis, 0)) for axis in reversed(range(x.view.ndim)) for side in (begins, ends)]
    mode = {"edge": "replicate", "wrap": "circular"}.get(node.get("mode", "constant"), node.get("mode", "constant"))
    return reshaping.pad(b, x, sides, mode, fill or 0.0)


def _resize(b: GraphBuilder, node: OnnxNode) -> Result:
    x = _x(b, node)
    maps, axes = b.maps(x), x.view.ndim - 2
    scales, sizes = node.get("scales", None), None
    if node.op == "Upsample" or node.opset < 11:
        scales = _constant(b, node, 1).tolist() if scales is None else scales
    else:
        given, wanted = _optional(b, node, 2), _optional(b, node, 3)
        scales = None if given is None or not given.size else given.tolist()
        sizes = None if wanted is None or not wanted.size else wanted.tolist()
    if sizes is None:
        sizes = [int(np.floor(n * s + 1e-6)) for n, s in zip(x.view.shape, scales or (), strict=True)]
    if list(sizes[:2]) != list(x.view.shape[:2]):
        b.refuse(f"it resizes {x.view.shape} to {sizes}: only height and width can be resized")
    size = tuple(int(n) for n in sizes[-axes:])
    default = "asymmetric" if node.op == "Upsample" or node.opset < 11 else "half_pixel"
    where = node.get("coordinate_transformation_mode", default)
    whole = all(new % old == 0 for new, old in zip(size, maps.shape[1:], strict=True))
    mode = node.get("mode", "nearest")
    if mode == "nearest" and (where == "asymmetric" or (whole and where in ("half_pixel", "pytorch_half_pixel"))):
        return reshaping.upsample(b, x, size, "nearest")
    if mode in ("linear", "bilinear") and axes == 2 and where in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        return reshaping.upsample(b, x, size, "bilinear", align_corners=where == "align_corners")
    b.refuse(f"mode {mode!r} with coordinates {where!r} is not known: nearest and linear as PyTorch has them are")


def _depth_to_space(b: GraphBuilder, node: OnnxNode) -> Result:
    maps, factor = b.maps(_x(b, node)), int(node.attributes["blocksize"])
    if len(maps.shape) != 3 or factor < 1 or maps.shape[0] % factor**2:
        b.refuse(f"{maps.shape} maps cannot be put together by {factor}")
    shape = maps.shape[0] // factor**2, maps.shape[1] * factor, maps.shape[2] * factor
    if node.get("mode", "DCR") != "CRD" and shape[0] > 1:
        b.refuse("mode DCR puts channels in another order than PyTorch's PixelShuffle: export with mode CRD")
    return b.add("PixelShuffle", [maps], shape, {"upscale_factor": factor})


def _same(b: GraphBuilder, node: OnnxNode) -> Result:
    operand = node.input(0)
    if node.op == "CastLike" and isinstance(operand, np.ndarray):
        return operand.astype(np.float32)
    if node.op == "Cast" and int(node.attributes["to"]) not in (1, 10, 11, 16):
        b.refuse("activations become whole numbers here, which is not known")
    return _x(b, node)


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
    "Gelu": lambda b, node: activations.gelu(b, _x(b, node), node.get("approximate", "none")),
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
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _view(lambda x, node: folding.squeezed(x, folding.axes_of(_constants(node), node.attributes))),
    "Unsqueeze": _view(lambda x, node: folding.unsqueezed(x, folding.axes_of(_constants(node), node.attributes))),
    "Transpose": _view(lambda x, node: np.transpose(x, node.get("perm", None))),
    "Slice": _view(lambda x, node: folding.sliced(x, _constants(node), node.attributes)),
    "Shape": _shape,
    "Expand": _expand,
    "Gather": _gather,
    "Split": _split,
    "Concat": _concat,
    "Pad": _pad,
    "Resize": _resize,
    "Upsample": _resize,
    "DepthToSpace": _depth_to_space,
    "Identity": _same,
    "Cast": _same,
    "CastLike": _same,
}
"""By name, over activations; constants are folded before."""
