"""Pools: over windows, and over whole maps."""

from collections.abc import Sequence

import numpy as np

from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.operations.options import brief, ceiling, four_sided, window
from conv_sheet.models.operations.reshaping import zero_padded
from conv_sheet.models.values import Value, channels_last


def pool(
    b: GraphBuilder,
    x: Value,
    what: str,
    *,
    kernel: Sequence[int],
    stride: Sequence[int],
    pads: Sequence[tuple[int, int]],
    dilation: Sequence[int] | None = None,
    ceil: bool = False,
    counts_padding: bool = True,
    last: bool = False,
) -> Value:
    """`what` is Max or Avg; `counts_padding` says whether a mean counts the zeros of the border.

    PyTorch pads both sides alike. What pads the end alone is `ceil_mode` where that makes the same windows; else the
    option has four sides, in the order of ZeroPad2d.
    """
    maps = b.maps(x, last)
    if len(kernel) not in (1, 2) or len(maps.shape) != len(kernel) + 1:
        b.refuse(f"a pool of {list(kernel)} over values of {maps.shape} is not known")
    if what == "Avg" and counts_padding and any(before != after for before, after in pads):
        maps, pads = zero_padded(b, maps, four_sided(pads)), [(0, 0)] * len(pads)
    sizes, steps = maps.shape[1:], dilation or [1] * len(kernel)
    axes = list(zip(sizes, kernel, stride, pads, steps, strict=True))
    if ceil:
        out = [ceiling(n, k, s, *pad, d) for n, k, s, pad, d in axes]
    else:
        out = [window(b, n + sum(pad), k, s, d) for n, k, s, pad, d in axes]
    begins = [before for before, _ in pads]
    even = [window(b, n + 2 * pad[0], k, s, d) for n, k, s, pad, d in axes]
    reaching = [ceiling(n, k, s, pad[0], pad[0], d) for n, k, s, pad, d in axes]
    options: dict[str, object] = {"kernel_size": brief(kernel)}
    if list(stride) != list(kernel):
        options["stride"] = brief(stride)
    if out == even:
        options |= {"padding": brief(begins)} if any(begins) else {}
    elif out == reaching:
        options |= ({"padding": brief(begins)} if any(begins) else {}) | {"ceil_mode": True}
    else:
        options["padding"] = four_sided(pads)
    if any(d != 1 for d in steps):
        options["dilation"] = brief(steps)
    if what == "Avg" and not counts_padding and ("padding" in options or "ceil_mode" in options):
        options["count_include_pad"] = False
    result = b.add(f"{what}Pool{len(kernel)}d", [maps], (maps.shape[0], *out), options)
    return result.moved(channels_last(result.view)) if last else result


def adaptive_pool(b: GraphBuilder, x: Value, what: str, size: Sequence[int | None], last: bool = False) -> Value:
    """`what` (Max or Avg) of as many windows as are asked for; None keeps the size of an axis."""
    maps = b.maps(x, last)
    if len(size) != len(maps.shape) - 1:
        b.refuse(f"an adaptive pool to {list(size)} does not fit values of {maps.shape}")
    own = [have if wanted is None else int(wanted) for wanted, have in zip(size, maps.shape[1:], strict=True)]
    result = b.add(f"Adaptive{what}Pool{len(own)}d", [maps], (maps.shape[0], *own), {"output_size": brief(own)})
    return result.moved(channels_last(result.view)) if last else result


def over_axes(b: GraphBuilder, x: Value, what: str, axes: Sequence[int], keep: bool) -> Value:
    """The mean or the largest value over axes: of whole maps, be channels first or last."""
    rank = x.view.ndim
    over = sorted({axis % rank for axis in axes} if rank else ())
    if rank > 1 and what == "Avg" and keep and over == list(range(1, rank)) and x.view[0].size > 1:
        whole = b.complete(x)
        out = b.add("_Mean", [whole], (1,))
        return out.moved(out.view.reshape((1,) * rank))
    first, behind = list(range(2, rank)), list(range(1, rank - 1))
    if rank == 4 and len(over) == 1 and x.whole and over[0] > 1:
        own = [1 if axis in over else size for axis, size in enumerate(x.view.shape)][2:]
        out = adaptive_pool(b, x, what, own)
        return out if keep else out.moved(np.squeeze(out.view, over[0]))
    if rank not in (3, 4) or over not in (first, behind):
        b.refuse(f"a mean or maximum over the axes {list(axes)} of {x.view.shape} is not known: only over whole maps")
    last = over == behind and over != first
    out = adaptive_pool(b, x, what, [1] * (rank - 2), last)
    return out if keep else out.moved(out.view.reshape(1, -1))
