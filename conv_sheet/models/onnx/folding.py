"""Operators over constants: shapes that exporters calculate, weights that they reshape. Done at once, within bounds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from conv_sheet.models.values import Constant

LARGEST = 8_000_000
"""Numbers of a constant from which on it is refused."""

Attributes = Mapping[str, Any]
Fold = Callable[[Sequence[Constant], Attributes], Constant]


class FoldError(Exception):
    """A constant cannot be calculated; the message says why."""


def fold(op: str, inputs: Sequence[Constant | None], attributes: Attributes) -> Constant | None:
    """What an operator makes of constants; None for an operator that is not known here.

    >>> fold("Concat", [np.array([1]), np.array([-1])], {"axis": 0}).tolist()
    [1, -1]
    """
    function = FOLDS.get(op)
    if function is None:
        return None
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(function([x for x in inputs if x is not None], attributes))
    except FoldError:
        raise
    except Exception as error:  # wrong shapes and axes are met with exceptions of every kind
        raise FoldError(f"its constants do not fit together ({' '.join(str(error).split())[:80]})") from None
    return result


def bounded(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape that may be filled, else a FoldError."""
    sizes = tuple(int(size) for size in shape)
    total = 1
    for size in sizes:
        total *= max(0, size)
    if total > LARGEST or min(sizes, default=0) < 0:
        raise FoldError(f"a constant of the shape {sizes[:6]} is too large")
    return sizes


def axes_of(inputs: Sequence[Constant], attributes: Attributes) -> list[int] | None:
    """Axes as an attribute, as before opset 13, or as the second input."""
    given = attributes.get("axes")
    if given is None and len(inputs) > 1:
        given = inputs[1].reshape(-1).tolist()
    return None if given is None else [int(axis) for axis in given]


def reshaped(x: Any, sizes: Sequence[int], allow_zero: bool = False) -> list[int]:
    """The shape that a Reshape asks for: 0 keeps a size."""
    return [x.shape[i] if size == 0 and not allow_zero and i < x.ndim else int(size) for i, size in enumerate(sizes)]


def squeezed(x: Any, axes: Sequence[int] | None) -> Any:
    """Without axes of length 1: those that are named, or all."""
    return np.squeeze(x, tuple(axes) if axes is not None else None)


def unsqueezed(x: Any, axes: Sequence[int] | None) -> Any:
    """With new axes of length 1."""
    return np.expand_dims(x, tuple(axes or ()))


def sliced(x: Any, inputs: Sequence[Constant], attributes: Attributes) -> Any:
    """A slice, with its limits as attributes (before opset 10) or as inputs."""
    if len(inputs) > 1:
        starts, ends = inputs[1].tolist(), inputs[2].tolist()
        axes = inputs[3].tolist() if len(inputs) > 3 else list(range(len(starts)))
        steps = inputs[4].tolist() if len(inputs) > 4 else [1] * len(starts)
    else:
        starts, ends = attributes["starts"], attributes["ends"]
        axes, steps = attributes.get("axes") or list(range(len(starts))), [1] * len(starts)
    cuts = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        cuts[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
    return x[tuple(cuts)]


def split(x: Any, inputs: Sequence[Constant], attributes: Attributes, outputs: int) -> list[Any]:
    """Parts along an axis."""
    axis = int(attributes.get("axis", 0))
    sizes = inputs[1].tolist() if len(inputs) > 1 else attributes.get("split")
    if not sizes:
        step = -(-x.shape[axis] // outputs)
        sizes = [min(step, x.shape[axis] - step * i) for i in range(outputs)]
    if sum(sizes) != x.shape[axis] or min(sizes) < 1:
        raise FoldError(f"it splits {x.shape[axis]} into {sizes}")
    return np.split(x, np.cumsum(sizes)[:-1].tolist(), axis=axis)


def _binary(function: Callable[[Any, Any], Any]) -> Fold:
    def apply(xs: Sequence[Constant], a: Attributes) -> Constant:
        bounded(np.broadcast_shapes(xs[0].shape, xs[1].shape))
        return np.asarray(function(xs[0], xs[1]))

    return apply


def _divided(x: Constant, y: Constant) -> Constant:
    if x.dtype.kind in "iu" and y.dtype.kind in "iu":
        if not y.all():
            raise FoldError("it divides by zero")
        return np.asarray(x // y)
    return np.asarray(x / y)


def _constant(xs: Sequence[Constant], a: Attributes) -> Constant:
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if name in a:
            kind = np.float32 if "float" in name else np.int64 if "int" in name else None
            return np.asarray(a[name], kind)
    raise FoldError("it is a constant of a kind that is not known")


def _filled(xs: Sequence[Constant], a: Attributes) -> Constant:
    value = np.asarray(a.get("value", np.zeros(1, np.float32))).reshape(-1)
    return np.full(bounded(xs[0].reshape(-1).tolist()), value[0])


def _expanded(xs: Sequence[Constant], a: Attributes) -> Constant:
    return np.broadcast_to(xs[0], bounded(np.broadcast_shapes(xs[0].shape, tuple(xs[1].reshape(-1).tolist())))).copy()


def _range(xs: Sequence[Constant], a: Attributes) -> Constant:
    start, stop, step = (float(x) for x in xs)
    bounded([max(0, int((stop - start) / step))])
    return np.arange(xs[0].item(), xs[1].item(), xs[2].item(), dtype=xs[0].dtype)


def _gathered(xs: Sequence[Constant], a: Attributes) -> Constant:
    axis = int(a.get("axis", 0)) % max(1, xs[0].ndim)
    bounded([*xs[0].shape[:axis], *xs[1].shape, *xs[0].shape[axis + 1 :]])
    return np.take(xs[0], xs[1], axis=axis)


def _chosen(xs: Sequence[Constant], a: Attributes) -> Constant:
    bounded(np.broadcast_shapes(*(x.shape for x in xs)))
    return np.where(xs[0], xs[1], xs[2])


def _cast(xs: Sequence[Constant], a: Attributes) -> Constant:
    kinds = {1: "f4", 2: "u1", 3: "i1", 6: "i4", 7: "i8", 9: "?", 10: "f4", 11: "f8"}
    to = int(a["to"])
    if to not in kinds:
        raise FoldError("it casts to a type that is not known")
    return xs[0].astype(kinds[to])


def _reduced(function: Callable[..., Any]) -> Fold:
    def apply(xs: Sequence[Constant], a: Attributes) -> Constant:
        axes = axes_of(xs, a)
        return np.asarray(function(xs[0], axis=tuple(axes) if axes else None, keepdims=bool(a.get("keepdims", 1))))

    return apply


def _joined(xs: Sequence[Constant], a: Attributes) -> Constant:
    bounded([sum(x.size for x in xs)])
    return np.concatenate(xs, axis=int(a["axis"]))


def _tiled(xs: Sequence[Constant], a: Attributes) -> Constant:
    counts = xs[1].reshape(-1).tolist()
    bounded([size * count for size, count in zip(xs[0].shape, counts, strict=True)])
    return np.tile(xs[0], counts)


FOLDS: dict[str, Fold] = {
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Identity": lambda xs, a: xs[0],
    "Shape": lambda xs, a: np.array(xs[0].shape[a.get("start", 0) : a.get("end")], np.int64),
    "Size": lambda xs, a: np.array(xs[0].size, np.int64),
    "Gather": _gathered,
    "Concat": _joined,
    "Reshape": lambda xs, a: xs[0].reshape(
        reshaped(xs[0], a.get("shape") or xs[1].reshape(-1).tolist(), bool(a.get("allowzero")))
    ),
    "Flatten": lambda xs, a: xs[0].reshape(int(np.prod(xs[0].shape[: a.get("axis", 1)])), -1),
    "Transpose": lambda xs, a: np.transpose(xs[0], a.get("perm")),
    "Squeeze": lambda xs, a: squeezed(xs[0], axes_of(xs, a)),
    "Unsqueeze": lambda xs, a: unsqueezed(xs[0], axes_of(xs, a)),
    "Slice": lambda xs, a: sliced(xs[0], xs, a),
    "Expand": _expanded,
    "Tile": _tiled,
    "Range": _range,
    "Cast": _cast,
    "CastLike": lambda xs, a: xs[0].astype(xs[1].dtype),
    "Add": _binary(np.add),
    "Sub": _binary(np.subtract),
    "Mul": _binary(np.multiply),
    "Div": _binary(_divided),
    "Mod": _binary(np.mod),
    "Pow": _binary(np.power),
    "Max": _binary(np.maximum),
    "Min": _binary(np.minimum),
    "Equal": _binary(np.equal),
    "Greater": _binary(np.greater),
    "Less": _binary(np.less),
    "Where": _chosen,
    "Not": lambda xs, a: np.logical_not(xs[0]),
    "Neg": lambda xs, a: -xs[0],
    "Abs": lambda xs, a: np.abs(xs[0]),
    "Sqrt": lambda xs, a: np.sqrt(xs[0]),
    "Reciprocal": lambda xs, a: 1 / xs[0],
    "Exp": lambda xs, a: np.exp(xs[0]),
    "Floor": lambda xs, a: np.floor(xs[0]),
    "Ceil": lambda xs, a: np.ceil(xs[0]),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "ReduceMean": _reduced(np.mean),
}
