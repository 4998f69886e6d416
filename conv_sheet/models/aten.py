"""PyTorch's own operators, and what each of them is here."""

from collections.abc import Callable, Sequence

import numpy as np

from conv_sheet.models.aten_arguments import Args, Operation, constant_of, operand_of, optional_of, value_of
from conv_sheet.models.aten_views import VIEWS
from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.operations import activations, arithmetic, kernels, norms, pooling
from conv_sheet.models.operations.options import automatic, several
from conv_sheet.models.values import Operand, Value


def supported() -> str:
    """Names of all operators, for an error message."""
    return ", ".join(sorted(name for name in OPERATIONS if not name.startswith("_") and not name.endswith("_")))


# -- kernels -----------------------------------------------------------------------------------------------------------


def _conv(b: GraphBuilder, a: Args) -> Value:
    x, weight = value_of(b, a["input"]), constant_of(b, a["weight"], "weight")
    bias, axes = optional_of(b, a.get("bias"), "bias"), weight.ndim - 2
    stride, dilation = several(a.get("stride") or [1], axes), several(a.get("dilation") or [1], axes)
    if a.get("transposed"):
        return _transposed(b, a, several(a["padding"], axes))
    padding = a.get("padding")
    if padding is None or isinstance(padding, str):
        kinds = {"same": [automatic(1, k, 1, d, False) for k, d in zip(weight.shape[2:], dilation, strict=False)]}
        pads = kinds.get(str(padding), [(0, 0)] * axes)
    else:
        pads = [(n, n) for n in several(padding, axes)]
    groups = int(a.get("groups", 1))
    return kernels.conv(b, x, weight, bias, stride=stride, pads=pads, dilation=dilation, groups=groups)


def _transposed(b: GraphBuilder, a: Args, padding: Sequence[int]) -> Value:
    weight = constant_of(b, a["weight"], "weight")
    axes = weight.ndim - 2
    return kernels.conv_transpose(
        b,
        value_of(b, a["input"]),
        weight,
        optional_of(b, a.get("bias"), "bias"),
        stride=several(a.get("stride") or [1], axes),
        pads=[(n, n) for n in padding],
        output_padding=several(a.get("output_padding") or [0], axes),
        dilation=several(a.get("dilation") or [1], axes),
        groups=int(a.get("groups", 1)),
    )


def _conv_transpose(b: GraphBuilder, a: Args) -> Value:
    axes = constant_of(b, a["weight"], "weight").ndim - 2
    return _transposed(b, a, several(a.get("padding") or [0], axes))


def _linear(b: GraphBuilder, a: Args) -> Value:
    return kernels.linear(
        b, value_of(b, a["input"]), constant_of(b, a["weight"], "weight"), optional_of(b, a.get("bias"), "bias")
    )


def _addmm(b: GraphBuilder, a: Args) -> Value:
    if a.get("alpha", 1) != 1 or a.get("beta", 1) != 1:
        b.refuse("alpha and beta other than 1 are not known")
    weight = constant_of(b, a["mat2"], "matrix").T
    return kernels.linear(b, value_of(b, a["mat1"]), weight, constant_of(b, a["self"], "bias"))


def _matmul(b: GraphBuilder, a: Args) -> Value:
    weight = constant_of(b, a.get("mat2", a.get("other")), "second matrix").T
    return kernels.linear(b, value_of(b, a["self"]), weight, None)


# -- pools -------------------------------------------------------------------------------------------------------------


def _pool(what: str, axes: int) -> Operation:
    def pool(b: GraphBuilder, a: Args) -> Value:
        if a.get("divisor_override"):
            b.refuse("divisor_override is not known")
        kernel = several(a["kernel_size"], axes)
        stride = several(a.get("stride") or kernel, axes)
        if axes == 3:
            if kernel[1:] != [1, 1] or stride != [1, 1, 1] or any(several(a.get("padding") or [0], 3)):
                b.refuse("a pool over three axes is only known as part of local response normalisation")
            return arithmetic.mean_of_maps(b, value_of(b, a["self"]), kernel[0])
        return pooling.pool(
            b,
            value_of(b, a["self"]),
            what,
            kernel=kernel,
            stride=stride,
            pads=[(n, n) for n in several(a.get("padding") or [0], axes)],
            dilation=several(a.get("dilation") or [1], axes),
            ceil=bool(a.get("ceil_mode", False)),
            counts_padding=bool(a.get("count_include_pad", True)),
        )

    return pool


def _pool_with_indices(axes: int) -> Operation:
    pool = _pool("Max", axes)
    return lambda b, a: pool(b, a)


def _adaptive(what: str) -> Operation:
    return lambda b, a: pooling.adaptive_pool(b, value_of(b, a["self"]), what, a["output_size"])


def _over(what: str) -> Operation:
    def over(b: GraphBuilder, a: Args) -> Value:
        if "other" in a:
            b.refuse("the larger one of two activations is not known")
        x, axes = value_of(b, a["self"]), a.get("dim")
        axes = [axes] if isinstance(axes, int) else axes
        return pooling.over_axes(b, x, what, axes or range(x.view.ndim), bool(a.get("keepdim", False)))

    return over


# -- normalisations ----------------------------------------------------------------------------------------------------


def _batch_norm(b: GraphBuilder, a: Args) -> Value:
    if a.get("training") or a.get("running_mean") is None:
        b.refuse("BatchNorm is in training, or keeps no statistics: export the model after model.eval()")
    weight, bias = optional_of(b, a.get("weight"), "weight"), optional_of(b, a.get("bias"), "bias")
    mean, var = constant_of(b, a["running_mean"], "mean"), constant_of(b, a["running_var"], "variance")
    return norms.batch_norm(b, value_of(b, a["input"]), weight, bias, mean, var, float(a["eps"]))


def _group_norm(b: GraphBuilder, a: Args) -> Value:
    weight, bias = optional_of(b, a.get("weight"), "weight"), optional_of(b, a.get("bias"), "bias")
    groups = int(a["num_groups"] if "num_groups" in a else a["group"])
    return norms.group_norm(b, value_of(b, a["input"]), groups, weight, bias, float(a.get("eps", 1e-5)))


def _layer_norm(b: GraphBuilder, a: Args) -> Value:
    weight, bias = optional_of(b, a.get("weight"), "weight"), optional_of(b, a.get("bias"), "bias")
    axes = len(a["normalized_shape"])
    return norms.layer_norm(b, value_of(b, a["input"]), axes, weight, bias, float(a.get("eps", 1e-5)))


def _instance_norm(b: GraphBuilder, a: Args) -> Value:
    if not a["use_input_stats"]:
        b.refuse("InstanceNorm with statistics of its training is not known")
    weight, bias = optional_of(b, a.get("weight"), "weight"), optional_of(b, a.get("bias"), "bias")
    return norms.instance_norm(b, value_of(b, a["input"]), weight, bias, float(a["eps"]))


# -- activations -------------------------------------------------------------------------------------------------------


def _plain(kind: str, **options: tuple[str, float]) -> Operation:
    """A function of one value; options by PyTorch's name, with the operator's name and default."""

    def apply(b: GraphBuilder, a: Args) -> Value:
        given = {name: float(a.get(own, default)) for name, (own, default) in options.items()}
        other = {name: value for name, value in given.items() if value != options[name][1]}
        return activations.pointwise(b, value_of(b, a["self"]), kind, other)

    return apply


def _elu(b: GraphBuilder, a: Args) -> Value:
    alpha, scale, within = (float(a.get(name, 1)) for name in ("alpha", "scale", "input_scale"))
    return arithmetic.elu(b, value_of(b, a["self"]), alpha, scale, within)


def _celu(b: GraphBuilder, a: Args) -> Value:
    alpha = float(a.get("alpha", 1))
    return arithmetic.elu(b, value_of(b, a["self"]), 1.0, alpha, 1 / alpha)


def _selu(b: GraphBuilder, a: Args) -> Value:
    return arithmetic.elu(b, value_of(b, a["self"]), *arithmetic.SELU)


def _mish(b: GraphBuilder, a: Args) -> Operand:
    return arithmetic.mish(b, value_of(b, a["self"]))


def _glu(b: GraphBuilder, a: Args) -> Operand:
    x, gate = (
        value_of(b, part) for part in VIEWS["chunk"](b, {"self": a["self"], "chunks": 2, "dim": a.get("dim", -1)})
    )
    return arithmetic.multiply(b, x, activations.pointwise(b, gate, "Sigmoid"))


def _dropout(kind: str) -> Operation:
    def dropout(b: GraphBuilder, a: Args) -> Value:
        if a.get("train"):
            b.refuse("dropout is in training: export the model after model.eval()")
        x, p = value_of(b, a["input"]), float(a.get("p", 0.5))
        return activations.pointwise(b, x, kind, {} if p == 0.5 else {"p": p})

    return dropout


def _clamp(b: GraphBuilder, a: Args) -> Value:
    low, high = a.get("min", a.get("min_val", -1.0)), a.get("max", a.get("max_val", 1.0))
    if "min" in a or "max" in a:
        low, high = a.get("min"), a.get("max")
    return activations.clamp(b, value_of(b, a["self"]), low, high)


def _softmax(kind: str) -> Operation:
    return lambda b, a: activations.softmax(b, value_of(b, a["self"]), int(a["dim"]), kind)


# -- arithmetic --------------------------------------------------------------------------------------------------------


def _sum(sign: float) -> Operation:
    return lambda b, a: arithmetic.add(
        b, operand_of(a["self"]), operand_of(a["other"]), sign * float(a.get("alpha", 1))
    )


def _binary(function: Callable[[GraphBuilder, Operand, Operand], Operand]) -> Operation:
    return lambda b, a: function(b, operand_of(a["self"]), operand_of(a["other"]))


def _power(b: GraphBuilder, a: Args) -> Operand:
    return arithmetic.power(b, value_of(b, a["self"]), float(a["exponent"]))


OPERATIONS: dict[str, Operation] = {
    **dict.fromkeys(("conv1d", "conv2d", "convolution", "_convolution"), _conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d"), _conv_transpose),
    "linear": _linear,
    "addmm": _addmm,
    **dict.fromkeys(("mm", "matmul"), _matmul),
    **{f"{name}_pool{axes}d": _pool(what, axes) for name, what in (("max", "Max"), ("avg", "Avg")) for axes in (1, 2)},
    "avg_pool3d": _pool("Avg", 3),
    "max_pool2d_with_indices": _pool_with_indices(2),
    **{f"adaptive_avg_pool{axes}d": _adaptive("Avg") for axes in (1, 2)},
    "_adaptive_avg_pool2d": _adaptive("Avg"),
    **{f"adaptive_max_pool{axes}d": _adaptive("Max") for axes in (1, 2)},
    "mean": _over("Avg"),
    **dict.fromkeys(("amax", "max"), _over("Max")),
    **dict.fromkeys(("batch_norm", "_native_batch_norm_legit_no_training"), _batch_norm),
    **dict.fromkeys(("group_norm", "native_group_norm"), _group_norm),
    **dict.fromkeys(("layer_norm", "native_layer_norm"), _layer_norm),
    "instance_norm": _instance_norm,
    **dict.fromkeys(("relu", "relu_"), _plain("ReLU")),
    **dict.fromkeys(("relu6", "relu6_"), _plain("ReLU6")),
    **dict.fromkeys(("sigmoid", "sigmoid_"), _plain("Sigmoid")),
    **dict.fromkeys(("tanh", "tanh_"), _plain("Tanh")),
    **dict.fromkeys(("silu", "silu_"), _plain("SiLU")),
    **dict.fromkeys(("hardswish", "hardswish_"), _plain("Hardswish")),
    **dict.fromkeys(("hardsigmoid", "hardsigmoid_"), _plain("Hardsigmoid")),
    **dict.fromkeys(("leaky_relu", "leaky_relu_"), _plain("LeakyReLU", negative_slope=("negative_slope", 0.01))),
    "softplus": _plain("Softplus", beta=("beta", 1.0), threshold=("threshold", 20.0)),
    **dict.fromkeys(("elu", "elu_"), _elu),
    **dict.fromkeys(("celu", "celu_"), _celu),
    **dict.fromkeys(("selu", "selu_"), _selu),
    **dict.fromkeys(("mish", "mish_"), _mish),
    "glu": _glu,
    "gelu": lambda b, a: activations.gelu(b, value_of(b, a["self"]), str(a.get("approximate", "none"))),
    "prelu": lambda b, a: activations.prelu(b, value_of(b, a["self"]), constant_of(b, a["weight"], "slope")),
    **dict.fromkeys(("hardtanh", "hardtanh_", "clamp", "clamp_"), _clamp),
    "clamp_min": lambda b, a: activations.clamp(b, value_of(b, a["self"]), float(a["min"]), None),
    **dict.fromkeys(("dropout", "dropout_"), _dropout("Dropout")),
    **dict.fromkeys(("feature_dropout", "feature_dropout_"), _dropout("Dropout2d")),
    **dict.fromkeys(("softmax", "_softmax"), _softmax("Softmax")),
    **dict.fromkeys(("log_softmax", "_log_softmax"), _softmax("LogSoftmax")),
    **dict.fromkeys(("add", "add_"), _sum(1)),
    **dict.fromkeys(("sub", "sub_"), _sum(-1)),
    **dict.fromkeys(("mul", "mul_"), _binary(arithmetic.multiply)),
    **dict.fromkeys(("div", "div_"), _binary(arithmetic.divide)),
    "rsub": lambda b, a: arithmetic.subtract(
        b, operand_of(a["other"]), operand_of(a["self"]), float(a.get("alpha", 1))
    ),
    "neg": lambda b, a: arithmetic.multiply(b, operand_of(a["self"]), np.array(-1.0)),
    "pow": _power,
    "square": lambda b, a: arithmetic.power(b, value_of(b, a["self"]), 2.0),
    "erf": lambda b, a: activations.pointwise(b, value_of(b, a["self"]), "_Erf"),
    **VIEWS,
}
"""By name, without the overload; a list or a whole number comes back where the operator gives that."""
