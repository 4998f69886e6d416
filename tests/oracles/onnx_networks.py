"""ONNX's tests of single operators as networks of ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.errors import SpecError
from conv_sheet.layers import Array
from conv_sheet.network.graph import Network
from tests.oracles.onnx_nodes import NodeTest


class OutOfScopeError(Exception):
    """A test asks for something that no layer is for; the message says what."""


@dataclass(frozen=True)
class Expressed:
    """A test as a network: images (N, C, H, W), tensors by full name, and what the last layer must give (N, …)."""

    network: Network
    images: Array
    tensors: Mapping[str, Array]
    expected: Array

    @property
    def caption(self) -> str:
        return ", ".join(node.torch for node in self.network.nodes)

    @property
    def cells(self) -> int:
        """Values of the input and of every layer, for one image."""
        return prod(self.network.input_shape) + sum(prod(node.out_shape) for node in self.network.nodes)


def express(test: NodeTest) -> Expressed:
    """A test as a network of ours. Raises OutOfScopeError with the reason where there is none."""
    if not all(isinstance(value, np.ndarray | None) for value in (*test.inputs, *test.outputs)):
        raise OutOfScopeError("a sequence, or a value that may be missing")
    if len(test.outputs) > 1 and test.operator in _SECOND_OUTPUTS:
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
    """The last layer is the operator and owns the tensors; the others only move values to where it reads them."""
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


def _given(test: NodeTest) -> tuple[NDArray[Any], ...]:
    """The inputs, where none is left out."""
    return tuple(value for value in test.inputs if value is not None)


# Operators that slide a window


def _planes(values: NDArray[Any]) -> NDArray[Any]:
    """(N, C, H, W); a signal (N, C, W) is a map of one row."""
    if values.ndim == 3:
        return values[:, :, np.newaxis]
    if values.ndim != 4:
        raise OutOfScopeError(f"{values.ndim - 2}-D data: a sheet shows planes")
    return values


def _of(test: NodeTest, kind: str) -> str:
    """The kind for signals or for maps."""
    return f"{kind}{test.data.ndim - 2}d"


def _each(test: NodeTest, name: str, default: int) -> list[int]:
    """An attribute with a number an axis."""
    return list(test.attributes.get(name, [default] * (test.data.ndim - 2)))


def _window(test: NodeTest, kernel: Sequence[int]) -> dict[str, Any]:
    """Options that every sliding operator has, in PyTorch's words."""
    options = {"kernel_size": list(kernel), "stride": _each(test, "strides", 1)}
    dilation = _each(test, "dilations", 1)
    return _sized(options | ({} if set(dilation) == {1} else {"dilation": dilation}))


def _sized(options: dict[str, Any]) -> dict[str, Any]:
    """Options with one number instead of one for the only axis."""
    return {name: value[0] if len(value) == 1 else value for name, value in options.items()}


def _pads(test: NodeTest, kernel: Sequence[int]) -> tuple[list[int], list[int]]:
    """What is put before and behind each axis."""
    size = test.data.shape[2:]
    stride, dilation = _each(test, "strides", 1), _each(test, "dilations", 1)
    auto = test.text("auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        axes = zip(size, kernel, stride, dilation, strict=True)
        totals = [max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n) for n, k, s, d in axes]
        starts = [total // 2 if auto == "SAME_UPPER" else total - total // 2 for total in totals]
        return starts, [total - start for total, start in zip(totals, starts, strict=True)]
    pads = list(test.attributes.get("pads", [0] * 2 * len(size)))
    return pads[: len(size)], pads[len(size) :]


def _padding(test: NodeTest, kernel: Sequence[int]) -> dict[str, Any]:
    """The option `padding`: a number an axis, or one a side where they differ."""
    starts, ends = _pads(test, kernel)
    return {"padding": _sides(starts, ends)} if starts != ends else _sized({"padding": starts})


def _sides(starts: Sequence[int], ends: Sequence[int]) -> list[int]:
    """As PyTorch counts sides: from the last axis on, before and behind."""
    return [side for pair in zip(reversed(starts), reversed(ends), strict=True) for side in pair]


def _conv(test: NodeTest) -> Expressed:
    x, weight, *bias = _given(test)
    images, kernel = _planes(x), weight.shape[2:]
    options = _window(test, kernel) | _padding(test, kernel)
    options |= {
        "kind": _of(test, "Conv"),
        "out_channels": len(weight),
        "groups": test.attributes.get("group", 1),
        "bias": bool(bias),
    }
    return _network(test, images, options, weight=_planes(weight), **({"bias": bias[0]} if bias else {}))


def _conv_transpose(test: NodeTest) -> Expressed:
    x, weight, *bias = _given(test)
    images, kernel, groups = _planes(x), list(weight.shape[2:]), test.attributes.get("group", 1)
    starts, ends, more = _transposed_pads(test, kernel)
    if starts != ends:
        raise OutOfScopeError(f"cuts {starts} off the start and {ends} off the end: PyTorch's layers cut both alike")
    options = _window(test, kernel) | _sized({"padding": starts, "output_padding": more})
    options |= {
        "kind": _of(test, "ConvTranspose"),
        "out_channels": weight.shape[1] * groups,
        "groups": groups,
        "bias": bool(bias),
    }
    return _network(test, images, options, weight=_planes(weight), **({"bias": bias[0]} if bias else {}))


def _transposed_pads(test: NodeTest, kernel: list[int]) -> tuple[list[int], list[int], list[int]]:
    """What is cut off before and behind, and output padding; an output shape that is asked for says how much."""
    size, extra = test.data.shape[2:], _each(test, "output_padding", 0)
    stride, dilation = _each(test, "strides", 1), _each(test, "dilations", 1)
    wanted = test.attributes.get("output_shape")
    if test.text("auto_pad", "NOTSET") == "SAME_UPPER":
        wanted = [n * s for n, s in zip(size, stride, strict=True)]
    if wanted is None:
        return *_pads(test, kernel), extra
    axes = zip(size, kernel, stride, dilation, extra, wanted, strict=True)
    cut = [(n - 1) * s + d * (k - 1) + 1 + e - w for n, k, s, d, e, w in axes]
    starts = [max(0, c) // 2 for c in cut]
    ends = [max(0, c) - start for c, start in zip(cut, starts, strict=True)]
    return starts, ends, [e + max(0, -c) for e, c in zip(extra, cut, strict=True)]


def _pool(test: NodeTest) -> Expressed:
    images, kernel = _planes(test.data), list(test.attributes["kernel_shape"])
    options = _window(test, kernel) | _padding(test, kernel)
    if test.attributes.get("ceil_mode", 0):
        options["ceil_mode"] = True
    if test.operator == "MaxPool":
        return _network(test, images, options | {"kind": _of(test, "MaxPool")})
    if "dilation" in options:
        raise OutOfScopeError("a mean of dilated windows: PyTorch's AvgPool2d has no dilation")
    counted = bool(test.attributes.get("count_include_pad", 0))
    return _network(test, images, options | {"kind": _of(test, "AvgPool"), "count_include_pad": counted})


def _global_pool(test: NodeTest) -> Expressed:
    what = "Avg" if test.operator == "GlobalAveragePool" else "Max"
    return _network(test, _planes(test.data), {"kind": _of(test, f"Adaptive{what}Pool"), "output_size": 1})


# Operators over each value


def _as_images(x: NDArray[Any]) -> NDArray[Any]:
    """What has fewer than four axes is one image."""
    if x.ndim > 4:
        raise OutOfScopeError(f"{x.ndim - 2}-D data: a sheet shows planes")
    return x if x.ndim == 4 else x.reshape(1, *[1] * (3 - x.ndim), *x.shape)


def _plain(kind: str, option: str = "", default: float = 0.0) -> Callable[[NodeTest], Expressed]:
    """A function of one value; `option` is PyTorch's name of `alpha`."""

    def express(test: NodeTest) -> Expressed:
        options = {option: test.real("alpha", default)} if option else {}
        return _network(test, _as_images(test.data), {"kind": kind, **options})

    return express


def _clip(test: NodeTest) -> Expressed:
    low, high = (None if value is None else float(value) for value in (*test.inputs[1:], None, None)[:2])
    if high is None and low == 0:
        return _network(test, _as_images(test.data), {"kind": "ReLU"})
    if low is None or high is None:
        raise OutOfScopeError("cuts off on one side alone: PyTorch's layers for this are ReLU, and Hardtanh for both")
    return _network(test, _as_images(test.data), {"kind": "Hardtanh", "min_val": low, "max_val": high})


def _hard_sigmoid(test: NodeTest) -> Expressed:
    slope = test.attributes.get("alpha", 0.2)
    if not np.isclose(slope, 1 / 6):
        raise OutOfScopeError(f"rises by {slope:.2g}: PyTorch's Hardsigmoid by a sixth")
    return _plain("Hardsigmoid")(test)


def _gelu(test: NodeTest) -> Expressed:
    options = {"kind": "GELU", "approximate": test.text("approximate", "none")}
    return _network(test, _as_images(test.data), options)


def _swish(test: NodeTest) -> Expressed:
    if test.attributes.get("alpha", 1.0) != 1:
        raise OutOfScopeError("stretches its input: PyTorch's SiLU does not")
    return _plain("SiLU")(test)


def _prelu(test: NodeTest) -> Expressed:
    x, slope = _given(test)
    if slope.size == 1:
        return _network(test, _as_images(x), {"kind": "PReLU"}, weight=slope.reshape(1))
    options = {"kind": "PReLU", "num_parameters": slope.size}
    if slope.shape == x.shape[x.ndim - slope.ndim :]:
        vectors = x.reshape(-1, 1, 1, slope.size)
        return _network(test, vectors, {"kind": "Flatten"}, options, weight=slope.reshape(-1))
    if slope.size != x.shape[1]:
        raise OutOfScopeError("a slope for some of the values of a map")
    return _network(test, _planes(x), options, weight=slope.reshape(-1))


def _dropout(test: NodeTest) -> Expressed:
    _, ratio, training = (*test.inputs, None, None)[:3]
    if training is not None and training and (ratio is None or ratio):
        raise OutOfScopeError("training: the mask follows from another program's random numbers")
    return _plain("Dropout")(test)


# Normalisations


def _batch_norm(test: NodeTest) -> Expressed:
    if test.attributes.get("training_mode", 0):
        raise OutOfScopeError("training: normalises by the statistics of the batch, the layer by running ones")
    x, weight, bias, mean, var = _given(test)
    tensors = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": var}
    images = _planes(x)
    return _network(test, images, {"kind": _of(test, "BatchNorm"), "eps": test.real("epsilon", 1e-5)}, **tensors)


def _instance_norm(test: NodeTest) -> Expressed:
    x, weight, bias = _given(test)
    options = {"kind": "InstanceNorm2d", "affine": True, "eps": test.real("epsilon", 1e-5)}
    return _network(test, _planes(x), options, weight=weight, bias=bias)


def _group_norm(test: NodeTest) -> Expressed:
    x, weight, bias = _given(test)
    options = {"num_groups": test.attributes["num_groups"], "eps": test.real("epsilon", 1e-5)}
    return _network(test, _planes(x), {"kind": "GroupNorm", **options}, weight=weight, bias=bias)


def _layer_norm(test: NodeTest) -> Expressed:
    """Its first output: the others are on the way to it."""
    x, weight, bias = _given(test)
    layer = {"kind": "LayerNorm", "eps": test.real("epsilon", 1e-5)}
    if weight.ndim == 3:
        return _network(test, x.reshape(-1, *weight.shape), layer, weight=weight, bias=bias)
    tensors = {"weight": weight.reshape(-1), "bias": bias.reshape(-1)}
    return _network(test, x.reshape(-1, 1, 1, weight.size), {"kind": "Flatten"}, layer, **tensors)


def _lrn(test: NodeTest) -> Expressed:
    options = {"size": test.attributes["size"], "alpha": test.real("alpha", 1e-4)}
    options |= {"beta": test.real("beta", 0.75), "k": test.real("bias", 1.0)}
    return _network(test, _planes(test.data), {"kind": "LocalResponseNorm", **options})


def _softmax(test: NodeTest) -> Expressed:
    """Along whichever axis: the axes before it count images, and those behind it are one row of maps."""
    images, kind = _along(test.data, test.attributes.get("axis", -1)), test.operator
    if images.shape[3] > 1:
        return _network(test, images, {"kind": kind})
    return _network(test, images, {"kind": "Flatten"}, {"kind": kind})


def _along(x: NDArray[Any], axis: int) -> NDArray[Any]:
    axis %= x.ndim
    return x.reshape(prod(x.shape[:axis]), x.shape[axis], 1, prod(x.shape[axis + 1 :]))


# Operators that move values


def _flatten(test: NodeTest) -> Expressed:
    x = test.data
    if test.attributes.get("axis", 1) not in (1, 1 - x.ndim):
        raise OutOfScopeError("flattens from another axis than the one behind the batch")
    if x.ndim != 4:
        raise OutOfScopeError("flattens something else than images")
    return _network(test, x, {"kind": "Flatten"})


def _depth_to_space(test: NodeTest) -> Expressed:
    if test.text("mode", "DCR") != "CRD":
        raise OutOfScopeError("takes the maps in another order than PyTorch's PixelShuffle")
    return _network(test, test.data, {"kind": "PixelShuffle", "upscale_factor": test.attributes["blocksize"]})


def _slice(test: NodeTest) -> Expressed:
    x, starts, ends, axes, steps = (*test.inputs, None, None)[:5]
    assert x is not None and starts is not None and ends is not None
    along = range(x.ndim) if axes is None else [int(axis) % x.ndim for axis in axes]
    by = [1] * len(starts) if steps is None else steps.tolist()
    layers = [
        {"kind": "Slice", "dim": axis + 1, "start": start, "end": end, "step": step}
        for axis, start, end, step in zip(along, starts.tolist(), ends.tolist(), by, strict=True)
    ]
    return _network(test, _as_images(x), *layers)


_PADS = {"constant": "ConstantPad2d", "edge": "ReplicationPad2d", "reflect": "ReflectionPad2d", "wrap": "CircularPad2d"}


def _pad(test: NodeTest) -> Expressed:
    x, pads, fill, axes = (*test.inputs, None, None, None)[:4]
    assert x is not None
    sides = list(test.attributes["pads"]) if pads is None else pads.tolist()
    value = test.attributes.get("value", 0.0) if fill is None else fill
    along = range(x.ndim) if axes is None else [int(axis) % x.ndim for axis in axes]
    given = dict(zip(along, zip(sides[: len(along)], sides[len(along) :], strict=True), strict=True))
    pairs = [given.get(axis, (0, 0)) for axis in range(x.ndim)]
    if any(pair != (0, 0) for pair in pairs[:2]):
        raise OutOfScopeError("pads the batch or the channels")
    options: dict[str, Any] = {"kind": _PADS[test.text("mode", "constant")]}
    if options["kind"] == "ConstantPad2d":
        options = {"kind": "ZeroPad2d"} if not value else options | {"value": float(value)}
    return _network(test, _planes(x), options | {"padding": _sides(*zip(*pairs[2:], strict=True))})


def _resize(test: NodeTest) -> Expressed:
    """By factors, where they are given; else to the size that comes out."""
    old, new = test.data.shape[2:], np.shape(test.outputs[0])[2:]
    factors = _factors(test)
    layer: dict[str, Any] = {"kind": "Upsample", **({"scale_factor": factors} if factors else {"size": list(new)})}
    scales = factors or [n / o for o, n in zip(old, new, strict=True)]
    mode, where = test.text("mode", "nearest"), test.text("coordinate_transformation_mode", "half_pixel")
    if mode == "nearest":
        for o, n, scale in zip(old, new, scales, strict=True):
            if not np.array_equal(_nearest(test, where, o, n, scale), np.minimum(np.arange(n) // scale, o - 1)):
                raise OutOfScopeError("takes other neighbours than PyTorch's Upsample")
        return _network(test, test.data, layer)
    if (
        test.attributes.get("antialias", 0)
        or mode == "cubic"
        or where in ("tf_crop_and_resize", "half_pixel_symmetric")
    ):
        raise OutOfScopeError("resizes in a way that PyTorch's Upsample does not have")
    if where == "pytorch_half_pixel" and 1 in new:
        raise OutOfScopeError("takes the first value where only one is left: PyTorch's Upsample takes the middle")
    if where == "align_corners" and any(o * scale != n for o, n, scale in zip(old, new, scales, strict=True)):
        raise OutOfScopeError("takes corners between the values that come out")
    return _network(test, test.data, layer | {"mode": "bilinear", "align_corners": where == "align_corners"})


def _factors(test: NodeTest) -> list[float]:
    """Those of rows and columns; none where sizes are given."""
    given = test.inputs[1] if test.operator == "Upsample" else (*test.inputs, None, None)[2]
    if given is None or not given.size:
        return []
    axes = list(test.attributes.get("axes", range(test.data.ndim)))
    return [float(given[axes.index(axis)]) for axis in (2, 3)]


def _nearest(test: NodeTest, where: str, old: int, new: int, scale: float) -> NDArray[Any]:
    """Which value each of a row takes, as ONNX has it."""
    at = np.arange(new)
    if test.operator == "Upsample":
        return np.floor(at / scale)
    places = {
        "asymmetric": at / scale,
        "half_pixel": (at + 0.5) / scale - 0.5,
        "align_corners": at * (old - 1) / max(1, new - 1),
    }[where]
    near = {
        "round_prefer_floor": np.ceil(places - 0.5),
        "round_prefer_ceil": np.floor(places + 0.5),
        "floor": np.floor(places),
        "ceil": np.ceil(places),
    }[test.text("nearest_mode", "round_prefer_floor")]
    clipped: NDArray[Any] = np.clip(near, 0, old - 1)
    return clipped


# Operators of several inputs


def _join(kind: str) -> Callable[[NodeTest], Expressed]:
    """The inputs are parts of one picture, which slices take apart."""

    def express(test: NodeTest) -> Expressed:
        parts = _given(test)
        if len(parts) == 1:
            raise OutOfScopeError("joins nothing: there is one input")
        if len({part.shape for part in parts}) > 1:
            raise OutOfScopeError("repeats one input along the rows of the other")
        axis = test.attributes.get("axis")
        images = [_as_images(part) if axis is None else _along(part, axis) for part in parts]
        each, names = images[0].shape[1], [f"part{number}" for number in range(1, len(images) + 1)]
        slices = [
            {"kind": "Slice", "name": name, "inputs": ["input"], "dim": 1, "start": n * each, "end": (n + 1) * each}
            for n, name in enumerate(names)
        ]
        return _network(test, np.concatenate(images, axis=1), *slices, {"kind": kind, "inputs": names})

    return express


def _gemm(test: NodeTest) -> Expressed:
    x, matrix, *bias = _given(test)
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


_EXPRESS: dict[str, Callable[[NodeTest], Expressed]] = {
    "Add": _join("Add"),
    "AveragePool": _pool,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _join("Concat"),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "Dropout": _dropout,
    "Elu": _plain("ELU", "alpha", 1.0),
    "Flatten": _flatten,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "GroupNormalization": _group_norm,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _plain("Hardswish"),
    "Identity": _plain("Identity"),
    "InstanceNormalization": _instance_norm,
    "LRN": _lrn,
    "LayerNormalization": _layer_norm,
    "LeakyRelu": _plain("LeakyReLU", "negative_slope", 0.01),
    "LogSoftmax": _softmax,
    "MaxPool": _pool,
    "Mul": _join("Mul"),
    "PRelu": _prelu,
    "Pad": _pad,
    "Relu": _plain("ReLU"),
    "Resize": _resize,
    "Sigmoid": _plain("Sigmoid"),
    "Slice": _slice,
    "Softmax": _softmax,
    "Softplus": _plain("Softplus"),
    "Sum": _join("Add"),
    "Swish": _swish,
    "Tanh": _plain("Tanh"),
    "Upsample": _resize,
}
