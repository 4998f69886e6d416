"""Functions of one value, and what normalises scores."""

import math
from collections.abc import Mapping
from math import prod

import numpy as np

from conv_sheet.layers import Array
from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.values import Value, channels_last

_FAR = 1e30
"""A limit that no value reaches, where a source has one limit only."""


def pointwise(
    b: GraphBuilder,
    x: Value,
    kind: str,
    options: Mapping[str, object] | None = None,
    path: str | None = None,
) -> Value:
    """A layer that makes each value from one: the source's view of its output is that of its input."""
    whole = b.complete(x)
    out = b.add(kind, [whole], whole.shape, options, path=path)
    return out.moved(whole.view)


def clamp(b: GraphBuilder, x: Value, low: float | None, high: float | None) -> Value:
    """Values cut off below and above: ReLU and ReLU6 where that is what they are."""
    low = None if low is None or low <= np.finfo(np.float32).min else low
    high = None if high is None or high >= np.finfo(np.float32).max else high
    if (low, high) == (None, None):
        return x
    rectified = b.made_by(x, "ReLU")
    if low is None and rectified is not None and high is not None and high > 0:
        before = Value(rectified.sources[0], x.shape, x.view)
        return clamp(b, before, 0.0, high)
    if low == 0 and high is None:
        return pointwise(b, x, "ReLU")
    if low == 0 and high == 6:
        return pointwise(b, x, "ReLU6")
    low, high = -_FAR if low is None else low, _FAR if high is None else high
    if low >= high:
        b.refuse(f"values are cut off below {low} and above {high}: nothing is between")
    return pointwise(b, x, "Hardtanh", {"min_val": float(low), "max_val": float(high)})


def prelu(b: GraphBuilder, x: Value, slope: Array) -> Value:
    """A slope below zero that is learnt: one for all, or one a map."""
    whole = b.complete(x)
    flat = slope.reshape(-1)
    if flat.size not in (1, whole.shape[0]):
        b.refuse(f"PReLU with a slope of {slope.shape} does not fit values of {whole.shape}")
    options = {"num_parameters": flat.size} if flat.size > 1 else {}
    path = b.owner(slope)
    out = b.add("PReLU", [whole], whole.shape, options, {"weight": flat}, path)
    return out.moved(whole.view)


def softmax(b: GraphBuilder, x: Value, axis: int, kind: str = "Softmax") -> Value:
    """Softmax or LogSoftmax over a vector, or over the channels of maps."""
    rank = x.view.ndim
    axis %= max(rank, 1)
    if rank == 2 and axis == 1:
        vector = b.vector(x)
        return b.add(kind, [vector], vector.shape).moved(vector.view)
    if _goes_over_maps(x, axis):
        return b.add(kind, [x], x.shape).moved(x.view)
    if rank in (3, 4) and axis == 1:
        maps = b.maps(x)
        return b.add(kind, [maps], maps.shape)
    if rank in (3, 4) and axis == rank - 1 and not x.whole:
        maps = b.maps(x, last=True)
        out = b.add(kind, [maps], maps.shape)
        return out.moved(channels_last(out.view))
    b.refuse(f"{kind} along axis {axis} of {x.view.shape} is not known: only over a vector, or over channels")


def _goes_over_maps(x: Value, axis: int) -> bool:
    """Whether an axis of a view goes over the maps of the layer, in whatever order the others have its places."""
    if len(x.shape) == 1 or not x.complete or x.view.shape[axis : axis + 1] != x.shape[:1]:
        return False
    places = np.moveaxis(x.view, axis, -1).reshape(-1, x.shape[0]) % prod(x.shape[1:])
    return bool((places == places[:, :1]).all())


def gelu(b: GraphBuilder, x: Value, approximate: str = "none") -> Value:
    """GELU, exact or by tanh."""
    return pointwise(b, x, "GELU", {"approximate": approximate} if approximate != "none" else {})


def near(one: float, other: float) -> bool:
    """Whether two constants are meant to be the same."""
    return math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-7)
