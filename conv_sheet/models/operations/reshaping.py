"""What moves values about: padding, joining, growing. Reshapes, transpositions and slices are views: no layers."""

from collections.abc import Sequence

import numpy as np

from conv_sheet.layers import Shape
from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.operations.options import brief
from conv_sheet.models.values import Index, Value, channels_last, fitted

_PADS = {"reflect": "ReflectionPad{}d", "replicate": "ReplicationPad{}d", "circular": "CircularPad{}d"}


def reshape(b: GraphBuilder, x: Value, sizes: Sequence[int]) -> Value:
    """The values in another shape; -1 is what remains."""
    shape = fitted(sizes, x.view.size, b.batch)
    if shape is None:
        b.refuse(f"values of the shape {x.view.shape} cannot take the shape {tuple(sizes)}")
    return x.moved(x.view.reshape(shape), b.path)


def flatten(b: GraphBuilder, x: Value, start: int = 1, end: int = -1) -> Value:
    """Axes from `start` to `end` as one."""
    rank = x.view.ndim
    first, last = start % max(rank, 1), end % max(rank, 1)
    if rank == 0 or first > last:
        b.refuse(f"axes {start} to {end} of {x.view.shape} cannot be flattened")
    shape = x.view.shape
    return x.moved(x.view.reshape(*shape[:first], -1, *shape[last + 1 :]), b.path)


def pad(b: GraphBuilder, x: Value, sides: Sequence[int], mode: str = "constant", fill: float = 0.0) -> Value:
    """A border around maps; `sides` in the order of `torch.nn.functional.pad`, the last axis first."""
    if len(sides) % 2 or len(sides) > 2 * x.view.ndim:
        b.refuse(f"padding {list(sides)} does not fit values of {x.view.shape}")
    pairs = [(sides[i], sides[i + 1]) for i in range(0, len(sides), 2)]
    pairs = [(0, 0)] * (x.view.ndim - len(pairs)) + pairs[::-1]
    if any(n < 0 for pair in pairs for n in pair):
        cuts = tuple(slice(max(0, -a), size - max(0, -z)) for (a, z), size in zip(pairs, x.view.shape, strict=True))
        x = x.moved(x.view[cuts])
        pairs = [(max(0, a), max(0, z)) for a, z in pairs]
    if not any(n for pair in pairs for n in pair):
        return x
    around = _axes_of_maps(x)
    if around is None or any(pair != (0, 0) for axis, pair in enumerate(pairs) if axis not in around):
        last = _is_channels_last(x)
        maps = b.maps(x, last)
        own = [pairs[-1], *pairs[1:-1]] if last else pairs[1:]
        out = _padded(b, maps, own, mode, fill)
        return out.moved(channels_last(out.view)) if last else out
    out = _padded(b, Value(x.layer, x.shape, x.view.reshape(1, *x.shape)), [pairs[axis] for axis in around], mode, fill)
    shape = [size + sum(pair) for size, pair in zip(x.view.shape, pairs, strict=True)]
    return out.moved(out.view.reshape(shape))


def zero_padded(b: GraphBuilder, maps: Value, sides: Sequence[int]) -> Value:
    """A border of zeros around maps."""
    return pad(b, maps, sides)


def _padded(b: GraphBuilder, maps: Value, pairs: Sequence[tuple[int, int]], mode: str, fill: float) -> Value:
    axes = len(maps.shape) - 1
    shape = tuple(size + sum(pair) for size, pair in zip(maps.shape, pairs, strict=True))
    sides = [side for pair in reversed(pairs) for side in pair]
    channels = pairs[0] != (0, 0)
    if mode == "constant":
        kind = "ZeroPad{}d" if fill == 0 else "ConstantPad{}d"
    elif mode in _PADS and not channels:
        kind = _PADS[mode]
    else:
        b.refuse(f"padding mode {mode!r} of the maps' own axis is not known")
    options: dict[str, object] = {"padding": sides if channels else sides[:-2]}
    if fill:
        options["value"] = float(fill)
    return b.add(kind.format(axes + channels), [maps], shape, options)


def _is_channels_last(x: Value) -> bool:
    return x.view.ndim == len(x.shape) + 1 and not x.whole and x.moved(np.moveaxis(x.view, -1, 1)).whole


def _axes_of_maps(x: Value) -> list[int] | None:
    """For each axis of the layer's output the axis of the view that goes over it; None where there is more to it."""
    if not x.whole:
        return None
    found, axis = [], 0
    for size in x.shape:
        while axis < x.view.ndim and x.view.shape[axis] == 1 and size != 1:
            axis += 1
        if axis == x.view.ndim or x.view.shape[axis] != size:
            return None
        found.append(axis)
        axis += 1
    return found if x.view.ndim > len(x.shape) + 1 else None


def concat(b: GraphBuilder, values: Sequence[Value], axis: int) -> Value:
    """Values behind each other: maps along their channels, or vectors."""
    if not values:
        b.refuse("there is nothing to join")
    if len(values) == 1:
        return values[0]
    rank = values[0].view.ndim
    if any(v.view.ndim != rank for v in values):
        b.refuse("values with different numbers of axes cannot be joined")
    axis %= rank
    if rank == 2 and axis == 1:
        return _joined_vectors(b, [b.vector(v) for v in values])
    if rank not in (3, 4) or axis not in (1, rank - 1) or (axis == rank - 1 and not _all_last(values)):
        b.refuse(f"joining along axis {axis} of {values[0].view.shape} is not known: only channels and vectors are")
    last = axis == rank - 1
    maps = [b.maps(v, last) for v in values]
    if len({m.shape[1:] for m in maps}) > 1:
        b.refuse(f"maps of {', '.join(str(m.shape) for m in maps)} cannot be joined")
    out = b.add("Concat", maps, (sum(m.shape[0] for m in maps), *maps[0].shape[1:]))
    return out.moved(channels_last(out.view)) if last else out


def _all_last(values: Sequence[Value]) -> bool:
    return any(not v.whole for v in values) or all(v.view.shape[1:-1] == v.shape[1:] for v in values)


def _joined_vectors(b: GraphBuilder, values: Sequence[Value]) -> Value:
    starts = np.cumsum([0, *(v.view.size for v in values)])
    order: Index = np.concatenate([v.view + start for v, start in zip(values, starts, strict=False)], axis=1)
    return b.add("Concat", values, (int(starts[-1]),)).moved(order.astype(np.int32))


def upsample(
    b: GraphBuilder, x: Value, size: Shape, mode: str, align_corners: bool = False, last: bool = False
) -> Value:
    """Maps made larger to `size`, by repeating values or by drawing lines between them."""
    maps = b.maps(x, last)
    if len(size) != len(maps.shape) - 1 or min(size) < 1:
        b.refuse(f"maps of {maps.shape} cannot be resized to {size}")
    factors = [new / old for new, old in zip(size, maps.shape[1:], strict=True)]
    options: dict[str, object] = {}
    alone = len(size) == 1  # of signals: a single number would be for rows, too
    if all(factor == int(factor) for factor in factors):
        options["scale_factor"] = [int(*factors)] if alone else brief([int(factor) for factor in factors])
    else:
        options["size"] = list(size) if alone else brief(size)
    if mode != "nearest":
        options["mode"] = mode
    if align_corners:
        options["align_corners"] = True
    out = b.add("Upsample", [maps], (maps.shape[0], *size), options)
    return out.moved(channels_last(out.view)) if last else out
