"""Keras' layers, and what each of them is here: kernels height × width × in × out, and channels on the last axis."""

from collections.abc import Callable, Sequence

import numpy as np

from conv_sheet.layers import Array
from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.imported import shown
from conv_sheet.models.keras_moving import MOVING, KerasLayer, Operation
from conv_sheet.models.operations import activations, arithmetic, kernels, norms, pooling
from conv_sheet.models.operations.options import automatic
from conv_sheet.models.values import Value


def supported() -> str:
    """Names of all layers, for an error message."""
    return ", ".join(sorted(LAYERS))


def _weight(b: GraphBuilder, layer: KerasLayer, number: int, axes: int) -> Array:
    if number >= len(layer.weights) or layer.weights[number].ndim != axes:
        b.refuse(f"the file has no weight number {number + 1} with {axes} axes for it")
    return layer.weights[number]


def _bias(b: GraphBuilder, layer: KerasLayer, number: int) -> Array | None:
    if not layer.get("use_bias", True):
        return None
    bias = _weight(b, layer, number, 1)
    b.know(f"{b.path}.bias", bias)
    b.forget(bias)
    return bias


def _activated(b: GraphBuilder, x: Value, layer: KerasLayer) -> Value:
    """The activation that a layer has been given."""
    name = layer.get("activation", "linear")
    if isinstance(name, dict):
        b.refuse(f"the activation {shown(name.get('class_name'))} is not supported: {', '.join(ACTIVATIONS)} are")
    if name == "linear":
        return x
    if name not in ACTIVATIONS:
        b.refuse(f"the activation {shown(name)} is not supported: {', '.join(ACTIVATIONS)} are")
    b.path = ""
    return ACTIVATIONS[name](b, x)


# -- kernels -----------------------------------------------------------------------------------------------------------


def _pads(
    b: GraphBuilder, x: Value, layer: KerasLayer, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[tuple[int, int]]:
    mode = layer.get("padding", "valid")
    if mode == "valid":
        return [(0, 0)] * len(kernel)
    if mode != "same":
        b.refuse(f"padding = {shown(mode)} is not supported: valid and same are")
    sizes = x.view.shape[1:-1] if layer.last else x.view.shape[2:]
    return [automatic(n, k, s, d, False) for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True)]


def _conv(axes: int) -> Operation:
    def conv(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
        weight = np.moveaxis(_weight(b, layer, 0, axes + 2), (-1, -2), (0, 1))
        stride, dilation = layer.pair("strides", axes), layer.pair("dilation_rate", axes)
        pads = _pads(b, xs[0], layer, weight.shape[2:], stride, dilation)
        out = kernels.conv(
            b,
            xs[0],
            weight,
            _bias(b, layer, 1),
            stride=stride,
            pads=pads,
            dilation=dilation,
            groups=int(layer.get("groups", 1)),
            last=layer.last,
        )
        return _activated(b, out, layer)

    return conv


def _depthwise(b: GraphBuilder, x: Value, layer: KerasLayer, bias: Array | None) -> Value:
    own = _weight(b, layer, 0, 4)
    weight = own.transpose(2, 3, 0, 1).reshape(-1, 1, *own.shape[:2])
    stride, dilation = layer.pair("strides", 2), layer.pair("dilation_rate", 2)
    pads, groups = _pads(b, x, layer, own.shape[:2], stride, dilation), own.shape[2]
    return kernels.conv(b, x, weight, bias, stride=stride, pads=pads, dilation=dilation, groups=groups, last=layer.last)


def _depthwise_conv(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    return _activated(b, _depthwise(b, xs[0], layer, _bias(b, layer, 1)), layer)


def _separable_conv(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    deep = _depthwise(b, xs[0], layer, None)
    weight, ones, none = _weight(b, layer, 1, 4).transpose(3, 2, 0, 1), [1, 1], [(0, 0), (0, 0)]
    bias = _bias(b, layer, 2)
    out = kernels.conv(b, deep, weight, bias, stride=ones, pads=none, dilation=ones, last=layer.last)
    return _activated(b, out, layer)


def _conv_transpose(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    weight = _weight(b, layer, 0, 4).transpose(3, 2, 0, 1)
    stride, dilation = layer.pair("strides", 2), layer.pair("dilation_rate", 2)
    if layer.get("output_padding") is not None:
        b.refuse("output_padding is not supported")
    pads, more = [(0, 0), (0, 0)], [max(0, s - k) for s, k in zip(stride, weight.shape[2:], strict=True)]
    if layer.get("padding", "valid") == "same":
        pads, more = kernels.same_transposed(weight.shape[2:], stride, dilation)
    out = kernels.conv_transpose(
        b,
        xs[0],
        weight,
        _bias(b, layer, 1),
        stride=stride,
        pads=pads,
        output_padding=more,
        dilation=dilation,
        last=layer.last,
    )
    return _activated(b, out, layer)


def _dense(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    out = kernels.linear(b, xs[0], _weight(b, layer, 0, 2).T, _bias(b, layer, 1))
    return _activated(b, out, layer)


# -- pools -------------------------------------------------------------------------------------------------------------


def _pool(what: str, axes: int) -> Operation:
    def pool(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
        kernel = layer.pair("pool_size", axes, 2)
        stride = layer.pair("strides", axes) if layer.get("strides") is not None else kernel
        pads = _pads(b, xs[0], layer, kernel, stride, [1] * axes)
        return pooling.pool(
            b, xs[0], what, kernel=kernel, stride=stride, pads=pads, counts_padding=False, last=layer.last
        )

    return pool


def _global(what: str, axes: int) -> Operation:
    def pool(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
        over = range(1, axes + 1) if layer.last else range(2, axes + 2)
        return pooling.over_axes(b, xs[0], what, list(over), bool(layer.get("keepdims", False)))

    return pool


# -- normalisations ----------------------------------------------------------------------------------------------------


def _axis(layer: KerasLayer, rank: int) -> int:
    given = layer.get("axis", -1)
    return int(given[0] if isinstance(given, list) else given) % rank


def _batch_norm(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    x, left = xs[0], list(layer.weights)
    rank = x.view.ndim
    axis, wanted = _axis(layer, rank), 2 + bool(layer.get("scale", True)) + bool(layer.get("center", True))
    if len(left) != wanted or axis not in (1, rank - 1):
        b.refuse(f"along axis {axis} with {len(left)} weights it is not supported")
    gamma = left.pop(0) if layer.get("scale", True) else None
    beta = left.pop(0) if layer.get("center", True) else None
    return norms.batch_norm(
        b, x, gamma, beta, left[0], left[1], float(layer.get("epsilon", 1e-3)), last=axis == rank - 1
    )


def _layer_norm(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    left = list(layer.weights)
    gamma = left.pop(0) if layer.get("scale", True) and left else None
    beta = left.pop(0) if layer.get("center", True) and left else None
    given = layer.get("axis", -1)
    axes = len(given) if isinstance(given, list) else 1
    return norms.layer_norm(b, xs[0], axes, gamma, beta, float(layer.get("epsilon", 1e-3)))


def _rescaling(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    scale, offset = (np.asarray(layer.get(name, default), float) for name, default in (("scale", 1.0), ("offset", 0.0)))
    return arithmetic.scaled(b, xs[0], scale, offset)


def _normalization(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    given = [layer.get("mean"), layer.get("variance")]
    mean, variance = (np.asarray(value, float) for value in (given if given[0] is not None else layer.weights[:2]))
    std = np.maximum(np.sqrt(variance), 1e-7)
    return arithmetic.scaled(b, xs[0], 1 / std, -mean / std)


# -- activations -------------------------------------------------------------------------------------------------------


def _plain(kind: str, **options: float) -> Callable[[GraphBuilder, Value], Value]:
    return lambda b, x: activations.pointwise(b, x, kind, options)


def _softmax(b: GraphBuilder, x: Value) -> Value:
    return activations.softmax(b, x, -1)


def _relu(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    if layer.get("threshold", 0):
        b.refuse("a threshold is not supported")
    slope, most = float(layer.get("negative_slope", 0)), layer.get("max_value")
    if slope and most is None:
        return _plain("LeakyReLU", negative_slope=slope)(b, xs[0])
    if slope:
        b.refuse("negative_slope and max_value together are not supported")
    return activations.clamp(b, xs[0], 0.0, None if most is None else float(most))


def _leaky(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    slope = float(layer.get("negative_slope", layer.get("alpha", 0.3)))
    return activations.pointwise(b, xs[0], "LeakyReLU", {"negative_slope": slope} if slope != 0.01 else {})


def _elu(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    alpha = float(layer.get("alpha", 1.0))
    return activations.pointwise(b, xs[0], "ELU", {"alpha": alpha} if alpha != 1 else {})


def _prelu(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    slope = _weight(b, layer, 0, xs[0].view.ndim - 1)
    if slope.size > slope.shape[-1]:
        b.refuse("a slope for each pixel is not supported: PReLU(shared_axes=[1, 2]) has one a map")
    return activations.prelu(b, xs[0], slope.reshape(-1))


def _softmax_layer(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    return activations.softmax(b, xs[0], int(layer.get("axis", -1)))


def _activation(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    path = b.path
    out = _activated(b, xs[0], layer)
    draft = b.draft(out)
    if out is not xs[0] and draft is not None:
        draft.path = path
    return out


def _dropout(kind: str) -> Operation:
    def dropout(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
        p = float(layer.get("rate", 0.5))
        return activations.pointwise(b, xs[0], kind, {} if p == 0.5 else {"p": p})

    return dropout


def _nothing(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    return xs[0]


ACTIVATIONS: dict[str, Callable[[GraphBuilder, Value], Value]] = {
    "relu": _plain("ReLU"),
    "relu6": _plain("ReLU6"),
    "leaky_relu": _plain("LeakyReLU", negative_slope=0.2),
    "sigmoid": _plain("Sigmoid"),
    "tanh": _plain("Tanh"),
    "elu": _plain("ELU"),
    "gelu": _plain("GELU"),
    "silu": _plain("SiLU"),
    "swish": _plain("SiLU"),
    "hard_sigmoid": _plain("Hardsigmoid"),
    "hard_silu": _plain("Hardswish"),
    "hard_swish": _plain("Hardswish"),
    "softplus": _plain("Softplus"),
    "softmax": _softmax,
    "log_softmax": lambda b, x: activations.softmax(b, x, -1, "LogSoftmax"),
}
"""By the names that layers are given."""

LAYERS: dict[str, Operation] = {
    "Conv1D": _conv(1),
    "Conv2D": _conv(2),
    "DepthwiseConv2D": _depthwise_conv,
    "SeparableConv2D": _separable_conv,
    "Conv2DTranspose": _conv_transpose,
    "Dense": _dense,
    **{f"MaxPooling{axes}D": _pool("Max", axes) for axes in (1, 2)},
    **{f"AveragePooling{axes}D": _pool("Avg", axes) for axes in (1, 2)},
    **{f"GlobalAveragePooling{axes}D": _global("Avg", axes) for axes in (1, 2)},
    **{f"GlobalMaxPooling{axes}D": _global("Max", axes) for axes in (1, 2)},
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky,
    "ELU": _elu,
    "PReLU": _prelu,
    "Softmax": _softmax_layer,
    "Dropout": _dropout("Dropout"),
    "SpatialDropout2D": _dropout("Dropout2d"),
    **MOVING,
    **dict.fromkeys(
        (
            "Identity",
            "ActivityRegularization",
            "GaussianNoise",
            "RandomFlip",
            "RandomRotation",
            "RandomZoom",
            "RandomTranslation",
            "RandomContrast",
            "RandomBrightness",
            "RandomCrop",
        ),
        _nothing,
    ),
}
"""By class. What only training has, such as random flips, does nothing here."""
