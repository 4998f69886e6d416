"""Every kind of layer as the operators of ONNX that compute the same. Source: the ONNX operator schemas."""

from collections.abc import Callable
from typing import Any

import numpy as np

from conv_sheet.layers import Shape
from conv_sheet.layers.base import PADDED, Layer
from conv_sheet.models.onnx.step import Step

# -- windows -----------------------------------------------------------------------------------------------------------


def _windows(step: Step, shape: Shape | None = None) -> dict[str, Any]:
    """Attributes of what slides over maps; behind them stands as much as the last windows need."""
    layer: Layer = step.layer
    rows_columns = layer.fields(step.shape)
    assert rows_columns is not None
    sizes, outputs = (shape or step.shape)[1:], layer.output_shape(step.shape)[1:]
    before = [0, 0] if shape else [one.before for one in rows_columns]
    last = [(out - 1) * one.stride + one.extent for one, out in zip(rows_columns, outputs, strict=True)]
    behind = [max(0, end - size - first) for end, size, first in zip(last, sizes, before, strict=True)]
    return {
        "kernel_shape": [one.size for one in rows_columns],
        "strides": [one.stride for one in rows_columns],
        "dilations": [one.dilation for one in rows_columns],
        "pads": [*before, *behind],
    }


_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _conv(step: Step) -> None:
    source, padded = step.inputs[0], step.layer.intermediates(step.shape).get(PADDED)
    if padded:
        top, left = (one.before for one in step.layer.fields(step.shape))
        bottom, right = padded[1] - step.shape[1] - top, padded[2] - step.shape[2] - left
        around = step.made("pads", [0, 0, top, left, 0, 0, bottom, right], np.int64)
        source = step.put("Pad", [source, around], ".padded", mode=_MODES[step.layer.padding_mode])
    step.put("Conv", [source, *step.own("weight", "bias")], group=step.layer.groups, **_windows(step, padded))


def _conv_transpose(step: Step) -> None:
    fields, sizes, outputs = step.layer.fields(step.shape), step.shape[1:], step.node.out_shape[1:]
    crops = [one.extent - 1 - one.before for one in fields]
    plain = [(n - 1) * one.spread - crop + one.extent for n, one, crop in zip(sizes, fields, crops, strict=True)]
    more = [out - most for out, most in zip(outputs, plain, strict=True)]  # behind, than without a crop there
    if any(extra >= one.spread for extra, one in zip(more, fields, strict=True)):
        raise step.refuse("onnxruntime takes no output_padding that goes further than the stride")
    step.put(
        "ConvTranspose",
        [step.inputs[0], *step.own("weight", "bias")],
        group=step.layer.groups,
        kernel_shape=[one.size for one in fields],
        strides=[one.spread for one in fields],
        dilations=[one.dilation for one in fields],
        pads=[*crops, *(max(0, -extra) for extra in more)],
        output_padding=[max(0, extra) for extra in more],
    )


def _max_pool(step: Step) -> None:
    step.put("MaxPool", step.inputs, **_windows(step))


def _min_pool(step: Step) -> None:
    turned = step.put("Neg", step.inputs, ".negative")
    step.put("Neg", [step.put("MaxPool", [turned], ".largest", **_windows(step))])


def _avg_pool(step: Step) -> None:
    windows, around = _windows(step), step.layer.around
    windows.pop("dilations")
    own = [around.top, around.left, around.bottom, around.right]
    counts = step.layer.count_include_pad and own != [0, 0, 0, 0]
    if counts and any(needed > there for needed, there in zip(windows["pads"], own, strict=True)):
        raise step.refuse("ONNX has no mean whose padding counts and whose last windows stand beyond it (ceil_mode)")
    step.put(
        "AveragePool", step.inputs, count_include_pad=int(counts), **(windows | {"pads": own} if counts else windows)
    )


def _adaptive_avg(step: Step) -> None:
    """A mean is a product with what each window takes of a row and of a column."""
    if step.layer.fields(step.shape) is None:
        step.put("GlobalAveragePool", step.inputs)
        return
    value = step.inputs[0]
    for axis, name in enumerate(("rows", "columns")):
        field, size, out = step.layer.fields(step.shape)[axis], step.shape[axis + 1], step.node.out_shape[axis + 1]
        shares = np.zeros((out, size))
        for place in range(out):
            seen = [index for _, index in field.taps(place)]
            shares[place, seen] = 1 / len(seen)
        if axis:
            step.put("MatMul", [value, step.made(name, shares.T)])
        else:
            value = step.put("MatMul", [step.made(name, shares), value], ".means")


def _adaptive_max(step: Step) -> None:
    """Windows of one size that stand side by side, because the last value of a shorter one is repeated."""
    if step.layer.fields(step.shape) is None:
        step.put("GlobalMaxPool", step.inputs)
        return
    value, sizes = step.inputs[0], []
    for axis, name in enumerate(("rows", "columns")):
        field, out = step.layer.fields(step.shape)[axis], step.node.out_shape[axis + 1]
        seen = [[index for _, index in field.taps(place)] for place in range(out)]
        sizes.append(max(map(len, seen)))
        places = [index for one in seen for index in (one + one[-1:] * sizes[-1])[: sizes[-1]]]
        value = step.put("Gather", [value, step.made(name, places, np.int64)], f".seen {name}", axis=axis + 2)
    step.put("MaxPool", [value], kernel_shape=sizes, strides=sizes)


# -- normalisations ----------------------------------------------------------------------------------------------------


def _batch_norm(step: Step) -> None:
    size = step.params["running_mean"].shape
    scale = step.own("weight") or [step.made("weight", np.ones(size))]
    shift = step.own("bias") or [step.made("bias", np.zeros(size))]
    stored = step.own("running_mean", "running_var")
    step.put("BatchNormalization", [*step.inputs, *scale, *shift, *stored], epsilon=step.layer.eps)


def _in_groups(step: Step, groups: int, each: bool) -> None:
    """Groups of maps, or of values of a vector, as the rows of one instance normalisation, then scale and shift.

    The parameters are `each` of one map, or of one value.
    """
    rows = step.put("Reshape", [*step.inputs, step.made("groups", [0, groups, -1], np.int64)], ".rows")
    plain = [step.made("ones", np.ones(groups)), step.made("zeros", np.zeros(groups))]
    normal = step.put("InstanceNormalization", [rows, *plain], ".normal", epsilon=step.layer.eps)
    back = step.made("shape", [0, *step.shape], np.int64)
    given = [name for name in ("weight", "bias") if name in step.params]
    value = step.put("Reshape", [normal, back], ".normalised" if given else "")
    for operator, name in (("Mul", "weight"), ("Add", "bias")):
        if name in step.params:
            flat = step.params[name]
            own = step.made(f"{name} as maps", flat.reshape(-1, *[1] * (len(step.shape) - 1)) if each else flat)
            value = step.put(operator, [value, own], "" if name == given[-1] else ".scaled")


def _group_norm(step: Step) -> None:
    _in_groups(step, step.layer.num_groups, each=True)


def _instance_norm(step: Step) -> None:
    _in_groups(step, step.shape[0], each=True)


def _layer_norm(step: Step) -> None:
    _in_groups(step, 1, each=False)


def _lrn(step: Step) -> None:
    own = step.layer
    if own.size % 2 == 0 or own.beta <= 0:
        raise step.refuse("ONNX normalises over odd numbers of maps, and with a beta above 0")
    step.put("LRN", step.inputs, size=own.size, alpha=own.alpha, beta=own.beta, bias=own.k)


def _normalize(step: Step) -> None:
    mean, std = (step.made(f"{name} as maps", step.params[name][:, None, None]) for name in ("mean", "std"))
    step.put("Div", [step.put("Sub", [*step.inputs, mean], ".centred"), std])


# -- values ------------------------------------------------------------------------------------------------------------


def _plain(operator: str, **attributes: Any) -> Callable[[Step], None]:
    """An operator of one input, whose attributes are constants or named options of the layer."""

    def write(step: Step) -> None:
        step.put(
            operator,
            step.inputs,
            **{k: getattr(step.layer, v) if isinstance(v, str) else v for k, v in attributes.items()},
        )

    return write


def _clip(low: float | str, high: float | str) -> Callable[[Step], None]:
    def write(step: Step) -> None:
        bounds = [getattr(step.layer, bound) if isinstance(bound, str) else bound for bound in (low, high)]
        step.put(
            "Clip",
            [*step.inputs, *(step.made(name, bound) for name, bound in zip(("low", "high"), bounds, strict=True))],
        )

    return write


def _silu(step: Step) -> None:
    step.put("Mul", [*step.inputs, step.put("Sigmoid", step.inputs, ".gate")])


def _softplus(step: Step) -> None:
    beta = step.made("beta", step.layer.beta)
    scaled = step.put("Mul", [*step.inputs, beta], ".scaled")
    smooth = step.put("Div", [step.put("Softplus", [scaled], ".smooth"), beta], ".plus")
    beyond = step.put("Greater", [scaled, step.made("threshold", step.layer.threshold)], ".beyond")
    step.put("Where", [beyond, *step.inputs, smooth])


def _prelu(step: Step) -> None:
    slopes = step.params["weight"].reshape(-1, *[1] * (len(step.shape) - 1))
    step.put("PRelu", [*step.inputs, step.made("weight as maps", slopes)])


# -- shapes ------------------------------------------------------------------------------------------------------------


def _reshape(step: Step) -> None:
    step.put("Reshape", [*step.inputs, step.made("shape", [0, *step.node.out_shape], np.int64)])


def _slice(step: Step) -> None:
    axis, cut = step.layer.cut(step.shape)
    step.put("Gather", [*step.inputs, step.made("places", list(cut), np.int64)], axis=axis + 1)


def _pixel_shuffle(step: Step) -> None:
    step.put("DepthToSpace", step.inputs, blocksize=step.layer.upscale_factor, mode="CRD")


def _pad(mode: str) -> Callable[[Step], None]:
    def write(step: Step) -> None:
        before, behind = zip((0, 0), *step.layer.pairs(), strict=True)
        value = [step.made("value", getattr(step.layer, "value", 0.0))] if mode == "constant" else []
        step.put("Pad", [*step.inputs, step.made("pads", [*before, *behind], np.int64), *value], mode=mode)

    return write


def _upsample(step: Step) -> None:
    nearest = step.layer.mode == "nearest"
    how = "asymmetric" if nearest else "align_corners" if step.layer.align_corners else "half_pixel"
    plain = (1, 2) if nearest else ()  # of these PyTorch takes no notice of the factor
    scales = [
        out / size if factor is None or step.layer.align_corners or out / size in plain else factor
        for size, out, factor in step.layer.axes(step.shape)
    ]
    step.put(
        "Resize",
        [*step.inputs, "", step.made("scales", [1.0, 1.0, *scales])],
        mode="nearest" if nearest else "linear",
        coordinate_transformation_mode=how,
        nearest_mode="floor" if nearest else None,
    )


def _linear(step: Step) -> None:
    step.put("Gemm", [*step.inputs, *step.own("weight", "bias")], transB=1)


# -- several inputs ----------------------------------------------------------------------------------------------------


def _join(operator: str) -> Callable[[Step], None]:
    """An operator of two inputs, laid over all of them; vectors beside maps are maps of one value."""

    def write(step: Step) -> None:
        rank, names = max(map(len, step.shapes)), []
        for number, (name, shape) in enumerate(zip(step.inputs, step.shapes, strict=True)):
            if len(shape) < rank:
                shaped = step.made(f"shape {number}", [0, *shape, 1, 1], np.int64)
                name = step.put("Reshape", [name, shaped], f".input{number}")
            names.append(name)
        value = names[0]
        for number, name in enumerate(names[1:], 2):
            value = step.put(operator, [value, name], "" if number == len(names) else f".of{number}")

    return write


def _concat(step: Step) -> None:
    step.put("Concat", step.inputs, axis=1)


_SAME = _plain("Identity")
WRITERS: dict[str, Callable[[Step], None]] = {
    **dict.fromkeys(("Conv1d", "Conv2d"), _conv),
    **dict.fromkeys(("ConvTranspose1d", "ConvTranspose2d"), _conv_transpose),
    **dict.fromkeys(("MaxPool1d", "MaxPool2d"), _max_pool),
    "MinPool2d": _min_pool,
    **dict.fromkeys(("AvgPool1d", "AvgPool2d"), _avg_pool),
    **dict.fromkeys(("AdaptiveAvgPool1d", "AdaptiveAvgPool2d"), _adaptive_avg),
    **dict.fromkeys(("AdaptiveMaxPool1d", "AdaptiveMaxPool2d"), _adaptive_max),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d"), _batch_norm),
    **dict.fromkeys(("InstanceNorm1d", "InstanceNorm2d"), _instance_norm),
    "GroupNorm": _group_norm,
    "LayerNorm": _layer_norm,
    "LocalResponseNorm": _lrn,
    "Normalize": _normalize,
    "ReLU": _plain("Relu"),
    "ReLU6": _clip(0.0, 6.0),
    "Hardtanh": _clip("min_val", "max_val"),
    "Sigmoid": _plain("Sigmoid"),
    "Hardsigmoid": _plain("HardSigmoid", alpha=1 / 6, beta=0.5),
    "Tanh": _plain("Tanh"),
    "LeakyReLU": _plain("LeakyRelu", alpha="negative_slope"),
    "ELU": _plain("Elu", alpha="alpha"),
    "SiLU": _silu,
    "Hardswish": _plain("HardSwish"),
    "Softplus": _softplus,
    "GELU": _plain("Gelu", approximate="approximate"),
    "PReLU": _prelu,
    **dict.fromkeys(("Dropout", "Dropout2d", "Identity"), _SAME),
    **dict.fromkeys(("Flatten", "Unflatten"), _reshape),
    "Slice": _slice,
    "PixelShuffle": _pixel_shuffle,
    **dict.fromkeys(("ZeroPad1d", "ZeroPad2d", "ZeroPad3d", "ConstantPad1d", "ConstantPad2d"), _pad("constant")),
    **dict.fromkeys(("ReflectionPad1d", "ReflectionPad2d"), _pad("reflect")),
    **dict.fromkeys(("ReplicationPad1d", "ReplicationPad2d"), _pad("edge")),
    **dict.fromkeys(("CircularPad1d", "CircularPad2d"), _pad("wrap")),
    "Upsample": _upsample,
    "Linear": _linear,
    "Softmax": _plain("Softmax", axis=1),
    "LogSoftmax": _plain("LogSoftmax", axis=1),
    "Add": _join("Add"),
    "Mul": _join("Mul"),
    "Concat": _concat,
}
"""By kind."""
