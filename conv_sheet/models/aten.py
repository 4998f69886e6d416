"""PyTorch's own operators, and what each of them is here.

Names of arguments are those of the operators' schemas; what an archive leaves out has the schema's default.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.operations import activations, arithmetic, kernels, norms, pooling, reshaping
from conv_sheet.models.operations.options import automatic, several
from conv_sheet.models.values import Constant, Operand, Value, fitted

Args = Mapping[str, Any]
Operation = Callable[[GraphBuilder, Args], Any]
_ALL = 2**62
"""An end as far away as slices have it."""


def supported() -> str:
    """Names of all operators, for an error message."""
    return ", ".join(sorted(name for name in OPERATIONS if not name.startswith("_") and not name.endswith("_")))


def _value(b: GraphBuilder, operand: Any) -> Value:
    """The activation that an operator works on."""
    if not isinstance(operand, Value):
        b.refuse("it works on a constant, where an activation is expected")
    return operand


def _constant(b: GraphBuilder, operand: Any, what: str) -> Constant:
    if not isinstance(operand, np.ndarray):
        b.refuse(f"its {what} is not a constant")
    return operand


def _optional(b: GraphBuilder, operand: Any, what: str) -> Constant | None:
    return None if operand is None else _constant(b, operand, what)


def _operand(operand: Any) -> Operand:
    return operand if isinstance(operand, Value | np.ndarray) else np.asarray(operand)


# -- kernels -----------------------------------------------------------------------------------------------------------


def _conv(b: GraphBuilder, a: Args) -> Value:
    x, weight = _value(b, a["input"]), _constant(b, a["weight"], "weight")
    bias, axes = _optional(b, a.get("bias"), "bias"), weight.ndim - 2
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
    weight = _constant(b, a["weight"], "weight")
    axes = weight.ndim - 2
    return kernels.conv_transpose(
        b,
        _value(b, a["input"]),
        weight,
        _optional(b, a.get("bias"), "bias"),
        stride=several(a.get("stride") or [1], axes),
        pads=[(n, n) for n in padding],
        output_padding=several(a.get("output_padding") or [0], axes),
        dilation=several(a.get("dilation") or [1], axes),
        groups=int(a.get("groups", 1)),
    )


def _conv_transpose(b: GraphBuilder, a: Args) -> Value:
    axes = _constant(b, a["weight"], "weight").ndim - 2
    return _transposed(b, a, several(a.get("padding") or [0], axes))


def _linear(b: GraphBuilder, a: Args) -> Value:
    return kernels.linear(
        b, _value(b, a["input"]), _constant(b, a["weight"], "weight"), _optional(b, a.get("bias"), "bias")
    )


def _addmm(b: GraphBuilder, a: Args) -> Value:
    if a.get("alpha", 1) != 1 or a.get("beta", 1) != 1:
        b.refuse("alpha and beta other than 1 are not known")
    weight = _constant(b, a["mat2"], "matrix").T
    return kernels.linear(b, _value(b, a["mat1"]), weight, _constant(b, a["self"], "bias"))


def _matmul(b: GraphBuilder, a: Args) -> Value:
    weight = _constant(b, a.get("mat2", a.get("other")), "second matrix").T
    return kernels.linear(b, _value(b, a["self"]), weight, None)


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
            return arithmetic.mean_of_maps(b, _value(b, a["self"]), kernel[0])
        return pooling.pool(
            b,
            _value(b, a["self"]),
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
    return lambda b, a: pooling.adaptive_pool(b, _value(b, a["self"]), what, a["output_size"])


def _over(what: str) -> Operation:
    def over(b: GraphBuilder, a: Args) -> Value:
        x, axes = _value(b, a["self"]), a.get("dim")
        axes = [axes] if isinstance(axes, int) else axes
        return pooling.over_axes(b, x, what, axes or range(x.view.ndim), bool(a.get("keepdim", False)))

    return over


# -- normalisations ----------------------------------------------------------------------------------------------------


def _batch_norm(b: GraphBuilder, a: Args) -> Value:
    if a.get("training") or a.get("running_mean") is None:
        b.refuse("BatchNorm is in training, or keeps no statistics: export the model after model.eval()")
    weight, bias = _optional(b, a.get("weight"), "weight"), _optional(b, a.get("bias"), "bias")
    mean, var = _constant(b, a["running_mean"], "mean"), _constant(b, a["running_var"], "variance")
    return norms.batch_norm(b, _value(b, a["input"]), weight, bias, mean, var, float(a["eps"]))


def _group_norm(b: GraphBuilder, a: Args) -> Value:
    weight, bias = _optional(b, a.get("weight"), "weight"), _optional(b, a.get("bias"), "bias")
    groups = int(a["num_groups"] if "num_groups" in a else a["group"])
    return norms.group_norm(b, _value(b, a["input"]), groups, weight, bias, float(a.get("eps", 1e-5)))


def _layer_norm(b: GraphBuilder, a: Args) -> Value:
    weight, bias = _optional(b, a.get("weight"), "weight"), _optional(b, a.get("bias"), "bias")
    axes = len(a["normalized_shape"])
    return norms.layer_norm(b, _value(b, a["input"]), axes, weight, bias, float(a.get("eps", 1e-5)))


def _instance_norm(b: GraphBuilder, a: Args) -> Value:
    if not a["use_input_stats"]:
        b.refuse("InstanceNorm with statistics of its training is not known")
    weight, bias = _optional(b, a.get("weight"), "weight"), _optional(b, a.get("bias"), "bias")
    return norms.instance_norm(b, _value(b, a["input"]), weight, bias, float(a["eps"]))


# -- activations -------------------------------------------------------------------------------------------------------


def _plain(kind: str, **options: tuple[str, float]) -> Operation:
    """A function of one value; options by PyTorch's name, with the operator's name and default."""

    def apply(b: GraphBuilder, a: Args) -> Value:
        given = {name: float(a.get(own, default)) for name, (own, default) in options.items()}
        other = {name: value for name, value in given.items() if value != options[name][1]}
        return activations.pointwise(b, _value(b, a["self"]), kind, other)

    return apply


def _elu(b: GraphBuilder, a: Args) -> Value:
    if a.get("scale", 1) != 1 or a.get("input_scale", 1) != 1:
        b.refuse("ELU with a scale (SELU, CELU) is not known")
    return _plain("ELU", alpha=("alpha", 1.0))(b, a)  # type: ignore[no-any-return]


def _dropout(kind: str) -> Operation:
    def dropout(b: GraphBuilder, a: Args) -> Value:
        if a.get("train"):
            b.refuse("dropout is in training: export the model after model.eval()")
        x, p = _value(b, a["input"]), float(a.get("p", 0.5))
        return activations.pointwise(b, x, kind, {} if p == 0.5 else {"p": p})

    return dropout


def _clamp(b: GraphBuilder, a: Args) -> Value:
    low, high = a.get("min", a.get("min_val", -1.0)), a.get("max", a.get("max_val", 1.0))
    if "min" in a or "max" in a:
        low, high = a.get("min"), a.get("max")
    return activations.clamp(b, _value(b, a["self"]), low, high)


def _softmax(kind: str) -> Operation:
    return lambda b, a: activations.softmax(b, _value(b, a["self"]), int(a["dim"]), kind)


# -- arithmetic --------------------------------------------------------------------------------------------------------


def _sum(sign: float) -> Operation:
    return lambda b, a: arithmetic.add(b, _operand(a["self"]), _operand(a["other"]), sign * float(a.get("alpha", 1)))


def _binary(function: Callable[[GraphBuilder, Operand, Operand], Operand]) -> Operation:
    return lambda b, a: function(b, _operand(a["self"]), _operand(a["other"]))


def _whole_numbers(function: Callable[[int, int], int]) -> Operation:
    def apply(b: GraphBuilder, a: Args) -> int:
        numbers = list(a.values())
        if len(numbers) != 2 or not all(isinstance(n, int) for n in numbers):
            b.refuse("sizes are calculated from something that is not a whole number")
        return function(*numbers)

    return apply


# -- views: of activations and of constants alike ----------------------------------------------------------------------


def _viewed(b: GraphBuilder, operand: Any, look: Callable[[Any], Any], path: str = "") -> Operand:
    try:
        if isinstance(operand, Value):
            return operand.moved(look(operand.view), path)
        return np.asarray(look(_constant(b, operand, "input")))
    except (ValueError, IndexError, TypeError):
        shape = operand.view.shape if isinstance(operand, Value) else np.shape(operand)
        b.refuse(f"values of the shape {shape} cannot be looked at in this way")


def _view(b: GraphBuilder, a: Args) -> Operand:
    sizes = a.get("size", a.get("shape"))
    if isinstance(a["self"], Value):
        return reshaping.reshape(b, a["self"], sizes or ())
    return _viewed(b, a["self"], lambda x: x.reshape(fitted(sizes or (), x.size, 1) or (-2,)))


def _unflatten(b: GraphBuilder, a: Args) -> Operand:
    x, axis = _value(b, a["self"]), int(a["dim"])
    shape = list(x.view.shape)
    shape[axis : axis + 1 or None] = [int(size) for size in a["sizes"]]
    return reshaping.reshape(b, x, shape)


def _flatten(b: GraphBuilder, a: Args) -> Operand:
    return reshaping.flatten(b, _value(b, a["self"]), int(a.get("start_dim", 0)), int(a.get("end_dim", -1)))


def _permute(b: GraphBuilder, a: Args) -> Operand:
    return _viewed(b, a["self"], lambda x: np.transpose(x, a["dims"]))


def _transpose(b: GraphBuilder, a: Args) -> Operand:
    axes = int(a.get("dim0", 0)), int(a.get("dim1", 1))
    return _viewed(b, a["self"], lambda x: np.swapaxes(x, *axes) if x.ndim > 1 else x)


def _squeeze(b: GraphBuilder, a: Args) -> Operand:
    given = a.get("dim")
    axes = range(8) if given is None else [given] if isinstance(given, int) else given

    def look(x: Any) -> Any:
        ones = {axis % x.ndim for axis in axes if -x.ndim <= axis < x.ndim}
        return x.reshape([size for axis, size in enumerate(x.shape) if size != 1 or axis not in ones])

    return _viewed(b, a["self"], look, b.path)


def _unsqueeze(b: GraphBuilder, a: Args) -> Operand:
    return _viewed(b, a["self"], lambda x: np.expand_dims(x, int(a["dim"])), b.path)


def _slice(b: GraphBuilder, a: Args) -> Operand:
    start, end, step = a.get("start"), a.get("end"), a.get("step", 1)
    cut = slice(start, None if end is None or end > _ALL else end, step)
    return _viewed(
        b, a["self"], lambda x: np.moveaxis(np.moveaxis(x, int(a.get("dim", 0)), 0)[cut], 0, int(a.get("dim", 0)))
    )


def _narrow(b: GraphBuilder, a: Args) -> Operand:
    start = int(a["start"])
    return _slice(b, {"self": a["self"], "dim": a["dim"], "start": start, "end": start + int(a["length"])})


def _select(b: GraphBuilder, a: Args) -> Operand:
    return _viewed(b, a["self"], lambda x: np.take(x, int(a["index"]), axis=int(a["dim"])))


def _expand(b: GraphBuilder, a: Args) -> Operand:
    def look(x: Any) -> Any:
        own = (1,) * (len(a["size"]) - x.ndim) + x.shape
        return np.broadcast_to(x, [have if size == -1 else size for size, have in zip(a["size"], own, strict=True)])

    return _viewed(b, a["self"], look)


def _expand_as(b: GraphBuilder, a: Args) -> Operand:
    other = a["other"]
    return _expand(b, {"self": a["self"], "size": other.view.shape if isinstance(other, Value) else other.shape})


def _parts(b: GraphBuilder, a: Args) -> list[Operand]:
    """Split and chunk."""
    x, axis = _value(b, a["self"]), int(a.get("dim", 0))
    whole = x.view.shape[axis]
    if "chunks" in a:
        step: Any = -(-whole // int(a["chunks"]))
    else:
        step = a.get("split_size", a.get("split_sizes"))
    sizes = step if isinstance(step, list) else [min(step, whole - at) for at in range(0, whole, max(1, step))]
    ends = np.cumsum(sizes).tolist()
    return [
        _slice(b, {"self": x, "dim": axis, "start": end - size, "end": end})
        for size, end in zip(sizes, ends, strict=True)
    ]


def _cat(b: GraphBuilder, a: Args) -> Operand:
    parts = a["tensors"]
    if not any(isinstance(part, Value) for part in parts):
        return np.concatenate(parts, axis=int(a.get("dim", 0)))
    return reshaping.concat(b, [_value(b, part) for part in parts], int(a.get("dim", 0)))


def _pad(b: GraphBuilder, a: Args) -> Operand:
    mode, fill = str(a.get("mode", "constant")), float(a.get("value") or 0)
    return reshaping.pad(b, _value(b, a["self"]), a.get("pad", a.get("padding")), mode, fill)


def _pad_like(mode: str) -> Operation:
    return lambda b, a: reshaping.pad(b, _value(b, a["self"]), a["padding"], mode)


def _upsample(mode: str) -> Operation:
    def upsample(b: GraphBuilder, a: Args) -> Value:
        x = _value(b, a["input"] if "input" in a else a["self"])
        size, factors = a.get("output_size"), a.get("scale_factors")
        if size is None:
            given = factors or []
            size = [int(n * factor) for n, factor in zip(x.view.shape[2:], given, strict=True)]
        return reshaping.upsample(b, x, tuple(map(int, size)), mode, bool(a.get("align_corners", False)))

    return upsample


def _pixel_shuffle(b: GraphBuilder, a: Args) -> Operand:
    maps, factor = b.maps(_value(b, a["self"])), int(a["upscale_factor"])
    if len(maps.shape) != 3 or factor < 1 or maps.shape[0] % factor**2:
        b.refuse(f"{maps.shape} maps cannot be put together by {factor}")
    channels, height, width = maps.shape
    shape = channels // factor**2, height * factor, width * factor
    return b.add("PixelShuffle", [maps], shape, {"upscale_factor": factor})


def _same(b: GraphBuilder, a: Args) -> Operand:
    return _operand(a["self"] if "self" in a else next(iter(a.values())))


def _size(b: GraphBuilder, a: Args) -> int:
    return int(_value(b, a["self"]).view.shape[int(a["dim"])])


def _power(b: GraphBuilder, a: Args) -> Operand:
    return arithmetic.power(b, _value(b, a["self"]), float(a["exponent"]))


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
    "gelu": lambda b, a: activations.gelu(b, _value(b, a["self"]), str(a.get("approximate", "none"))),
    "prelu": lambda b, a: activations.prelu(b, _value(b, a["self"]), _constant(b, a["weight"], "slope")),
    **dict.fromkeys(("hardtanh", "hardtanh_", "clamp", "clamp_"), _clamp),
    "clamp_min": lambda b, a: activations.clamp(b, _value(b, a["self"]), float(a["min"]), None),
    **dict.fromkeys(("dropout", "dropout_"), _dropout("Dropout")),
    **dict.fromkeys(("feature_dropout", "feature_dropout_"), _dropout("Dropout2d")),
    **dict.fromkeys(("softmax", "_softmax"), _softmax("Softmax")),
    **dict.fromkeys(("log_softmax", "_log_softmax"), _softmax("LogSoftmax")),
    **dict.fromkeys(("add", "add_"), _sum(1)),
    **dict.fromkeys(("sub", "sub_"), _sum(-1)),
    **dict.fromkeys(("mul", "mul_"), _binary(arithmetic.multiply)),
    **dict.fromkeys(("div", "div_"), _binary(arithmetic.divide)),
    "rsub": lambda b, a: arithmetic.subtract(b, _operand(a["other"]), _operand(a["self"]), float(a.get("alpha", 1))),
    "neg": lambda b, a: arithmetic.multiply(b, _operand(a["self"]), np.array(-1.0)),
    "pow": _power,
    "square": lambda b, a: arithmetic.power(b, _value(b, a["self"]), 2.0),
    "erf": lambda b, a: activations.pointwise(b, _value(b, a["self"]), "_Erf"),
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "_reshape_copy"), _view),
    "unflatten": _unflatten,
    "flatten": _flatten,
    "permute": _permute,
    **dict.fromkeys(("transpose", "t", "numpy_T", "swapaxes"), _transpose),
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "slice": _slice,
    "narrow": _narrow,
    "select": _select,
    **dict.fromkeys(("expand", "broadcast_to"), _expand),
    "expand_as": _expand_as,
    **dict.fromkeys(("chunk", "split", "split_with_sizes"), _parts),
    **dict.fromkeys(("cat", "concat"), _cat),
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    **{
        f"{mode}_pad{axes}d": _pad_like(name)
        for mode, name in (("reflection", "reflect"), ("replication", "replicate"))
        for axes in (1, 2)
    },
    **dict.fromkeys(("upsample_nearest2d", "upsample_nearest1d"), _upsample("nearest")),
    "upsample_bilinear2d": _upsample("bilinear"),
    "pixel_shuffle": _pixel_shuffle,
    **dict.fromkeys(
        ("clone", "contiguous", "detach", "alias", "to", "_to_copy", "lift_fresh_copy", "dropout_eval"), _same
    ),
    "sym_size": _size,
    "_operator.mul": _whole_numbers(operator.mul),
    "_operator.add": _whole_numbers(operator.add),
    "_operator.sub": _whole_numbers(operator.sub),
    "_operator.floordiv": _whole_numbers(lambda x, y: x // y if y else 0),
}
"""By name, without the overload; a list or a whole number comes back where the operator gives that."""
