"""PyTorch's operators that move values about: of activations and of constants alike."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from conv_sheet.models.aten_arguments import Args, Operation, constant_of, operand_of, value_of
from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.operations import reshaping
from conv_sheet.models.values import Operand, Value, fitted

_ALL = 2**62
"""An end as far away as slices have it."""


def _viewed(b: GraphBuilder, operand: Any, look: Callable[[Any], Any], path: str = "") -> Operand:
    try:
        if isinstance(operand, Value):
            return operand.moved(look(operand.view), path)
        return np.asarray(look(constant_of(b, operand, "input")))
    except (ValueError, IndexError, TypeError):
        shape = operand.view.shape if isinstance(operand, Value) else np.shape(operand)
        b.refuse(f"values of the shape {shape} cannot be looked at in this way")


def _view(b: GraphBuilder, a: Args) -> Operand:
    sizes = a.get("size", a.get("shape"))
    if isinstance(a["self"], Value):
        return reshaping.reshape(b, a["self"], sizes or ())
    return _viewed(b, a["self"], lambda x: x.reshape(fitted(sizes or (), x.size, 1) or (-2,)))


def _unflatten(b: GraphBuilder, a: Args) -> Operand:
    x, axis = value_of(b, a["self"]), int(a["dim"])
    shape = list(x.view.shape)
    shape[axis : axis + 1 or None] = [int(size) for size in a["sizes"]]
    return reshaping.reshape(b, x, shape)


def _flatten(b: GraphBuilder, a: Args) -> Operand:
    return reshaping.flatten(b, value_of(b, a["self"]), int(a.get("start_dim", 0)), int(a.get("end_dim", -1)))


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
    x, axis = value_of(b, a["self"]), int(a.get("dim", 0))
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
    return reshaping.concat(b, [value_of(b, part) for part in parts], int(a.get("dim", 0)))


def _pad(b: GraphBuilder, a: Args) -> Operand:
    mode, fill = str(a.get("mode", "constant")), float(a.get("value") or 0)
    return reshaping.pad(b, value_of(b, a["self"]), a.get("pad", a.get("padding")), mode, fill)


def _pad_like(mode: str) -> Operation:
    return lambda b, a: reshaping.pad(b, value_of(b, a["self"]), a["padding"], mode)


def _upsample(mode: str) -> Operation:
    def upsample(b: GraphBuilder, a: Args) -> Value:
        x = value_of(b, a["input"] if "input" in a else a["self"])
        size, factors = a.get("output_size"), a.get("scale_factors")
        if size is None:
            given = factors or []
            size = [int(n * factor) for n, factor in zip(x.view.shape[2:], given, strict=True)]
        return reshaping.upsample(b, x, tuple(map(int, size)), mode, bool(a.get("align_corners", False)))

    return upsample


def _pixel_shuffle(b: GraphBuilder, a: Args) -> Operand:
    maps, factor = b.maps(value_of(b, a["self"])), int(a["upscale_factor"])
    if len(maps.shape) != 3 or factor < 1 or maps.shape[0] % factor**2:
        b.refuse(f"{maps.shape} maps cannot be put together by {factor}")
    channels, height, width = maps.shape
    shape = channels // factor**2, height * factor, width * factor
    return b.add("PixelShuffle", [maps], shape, {"upscale_factor": factor})


def _channel_shuffle(b: GraphBuilder, a: Args) -> Operand:
    groups = int(a["groups"])
    return _viewed(b, a["self"], lambda x: x[:, np.arange(x.shape[1]).reshape(groups, -1).T.ravel()])


def _same(b: GraphBuilder, a: Args) -> Operand:
    return operand_of(a["self"] if "self" in a else next(iter(a.values())))


def _size(b: GraphBuilder, a: Args) -> int:
    return int(value_of(b, a["self"]).view.shape[int(a["dim"])])


def _whole_numbers(function: Callable[[int, int], int]) -> Operation:
    def apply(b: GraphBuilder, a: Args) -> int:
        numbers = list(a.values())
        if len(numbers) != 2 or not all(isinstance(n, int) for n in numbers):
            b.refuse("sizes are calculated from something that is not a whole number")
        return function(*numbers)

    return apply


VIEWS: dict[str, Operation] = {
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
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), _channel_shuffle),
    **dict.fromkeys(
        ("clone", "contiguous", "detach", "alias", "to", "_to_copy", "lift_fresh_copy", "dropout_eval"), _same
    ),
    "sym_size": _size,
    "_operator.mul": _whole_numbers(operator.mul),
    "_operator.add": _whole_numbers(operator.add),
    "_operator.sub": _whole_numbers(operator.sub),
    "_operator.floordiv": _whole_numbers(lambda x, y: x // y if y else 0),
}
"""By name, without the overload."""
