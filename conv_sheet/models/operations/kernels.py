"""Convolutions and linear layers."""

from collections.abc import Sequence

import numpy as np

from conv_sheet.layers import Array
from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.operations.options import brief, four_sided, window
from conv_sheet.models.operations.reshaping import zero_padded
from conv_sheet.models.values import Value, channels_last


def conv(
    b: GraphBuilder,
    x: Value,
    weight: Array,
    bias: Array | None,
    *,
    stride: Sequence[int],
    pads: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int = 1,
    last: bool = False,
) -> Value:
    """A convolution over maps; `pads` is (before, after) for each axis, and `last` says that channels are last.

    Where the two sides differ and PyTorch's padding = "same" is not what they say, a ZeroPad2d stands before it.
    """
    maps = b.maps(x, last)
    kernel = weight.shape[2:]
    if len(kernel) not in (1, 2) or len(maps.shape) != len(kernel) + 1:
        b.refuse(f"a convolution with a weight of {weight.shape} over values of {maps.shape} is not known")
    if groups < 1 or weight.shape[1] * groups != maps.shape[0] or weight.shape[0] % groups:
        b.refuse(f"a weight of {weight.shape} with groups = {groups} does not fit {maps.shape[0]} input maps")
    path = b.owner(weight)
    padding: int | list[int] | str
    if all(before == after for before, after in pads):
        padding = brief([before for before, _ in pads])
    elif _is_same(kernel, stride, pads, dilation):
        padding = "same"
    else:
        maps, pads, padding = zero_padded(b, maps, four_sided(pads)), [(0, 0)] * len(pads), 0
    size = [
        window(b, n + sum(pad), k, s, d)
        for n, k, s, pad, d in zip(maps.shape[1:], kernel, stride, pads, dilation, strict=True)
    ]
    options = {"out_channels": weight.shape[0], "kernel_size": brief(kernel)}
    options |= _unless(
        {"stride": 1, "padding": 0, "dilation": 1}, stride=brief(stride), padding=padding, dilation=brief(dilation)
    )
    out = b.add(
        f"Conv{len(kernel)}d",
        [maps],
        (weight.shape[0], *size),
        options | _unless({"groups": 1}, groups=groups) | _biased(b, bias),
        _weights(b, weight, bias),
        path,
    )
    return out.moved(channels_last(out.view)) if last else out


def conv_transpose(
    b: GraphBuilder,
    x: Value,
    weight: Array,
    bias: Array | None,
    *,
    stride: Sequence[int],
    pads: Sequence[tuple[int, int]],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int = 1,
    last: bool = False,
) -> Value:
    """A transposed convolution; its weight is (in, out ÷ groups, height, width).

    Where it is cut more at the end than at the beginning, the surplus is a slice of what the layer gives; where less,
    that is `output_padding`.
    """
    maps = b.maps(x, last)
    padding = [before for before, _ in pads]
    output_padding = [o + max(0, pad[0] - pad[1]) for o, pad in zip(output_padding, pads, strict=True)]
    kernel = weight.shape[2:]
    if len(kernel) not in (1, 2) or len(maps.shape) != len(kernel) + 1 or weight.shape[0] != maps.shape[0]:
        b.refuse(f"a transposed convolution with a weight of {weight.shape} does not fit values of {maps.shape}")
    axes = zip(maps.shape[1:], kernel, stride, padding, output_padding, dilation, strict=True)
    size = [(n - 1) * s - 2 * p + d * (k - 1) + o + 1 for n, k, s, p, o, d in axes]
    channels = weight.shape[1] * groups
    options = {"out_channels": channels, "kernel_size": brief(kernel)}
    options |= _unless(
        {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1, "groups": 1},
        stride=brief(stride),
        padding=brief(padding),
        output_padding=brief(output_padding),
        dilation=brief(dilation),
        groups=groups,
    )
    tensors = _weights(b, weight, bias)
    out = b.add(
        f"ConvTranspose{len(kernel)}d", [maps], (channels, *size), options | _biased(b, bias), tensors, b.owner(weight)
    )
    ends = [slice(0, n - max(0, after - before)) for n, (before, after) in zip(size, pads, strict=True)]
    out = out.moved(out.view[(slice(None), slice(None), *ends)])
    return out.moved(channels_last(out.view)) if last else out


def same_transposed(
    kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], lower: bool = False
) -> tuple[list[tuple[int, int]], list[int]]:
    """Padding and output_padding of a transposed convolution that makes each axis `stride` times as long.

    >>> same_transposed([3, 2], [2, 3], [1, 1])
    ([(0, 1), (0, 0)], [0, 1])
    """
    surplus = [d * (k - 1) + 1 - s for k, s, d in zip(kernel, stride, dilation, strict=True)]
    halves = [(max(0, n) // 2, max(0, n) - max(0, n) // 2) for n in surplus]
    return [half[::-1] for half in halves] if lower else halves, [max(0, -n) for n in surplus]


def linear(b: GraphBuilder, x: Value, weight: Array, bias: Array | None) -> Value:
    """A linear layer with PyTorch's weight (out, in); its columns follow the order in which the vector stands here."""
    if weight.ndim != 2:
        b.refuse(f"a matrix product with a weight of {weight.shape} is not known: only vectors times a matrix are")
    vector = b.vector(x)
    if weight.shape[1] != vector.view.size:
        b.refuse(f"a weight of {weight.shape} does not fit a vector of {vector.view.size}")
    path = b.owner(weight)
    if not vector.whole:
        columns = np.empty_like(weight)
        columns[:, vector.view[0]] = weight
        weight = columns
    if bias is not None:
        bias = bias.reshape(-1)
    outputs = weight.shape[0]
    options = {"out_features": outputs} | _biased(b, bias)
    return b.add("Linear", [vector], (outputs,), options, _weights(b, weight, bias), path)


def _is_same(
    kernel: Sequence[int], stride: Sequence[int], pads: Sequence[tuple[int, int]], dilation: Sequence[int]
) -> bool:
    """Whether PyTorch's padding = "same" pads like this: the odd one at the end, and no stride."""
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return all(s == 1 for s in stride) and [(t // 2, t - t // 2) for t in totals] == [tuple(pad) for pad in pads]


def _unless(defaults: dict[str, object], **options: object) -> dict[str, object]:
    """Options that differ from their defaults."""
    return {name: value for name, value in options.items() if value != defaults[name]}


def _has(b: GraphBuilder, bias: Array | None) -> bool:
    """Whether there is a bias: zeros that an exporter has filled in are none."""
    return bias is not None and (bool(b.source_of(bias)) or bool(bias.any()))


def _biased(b: GraphBuilder, bias: Array | None) -> dict[str, object]:
    return {} if _has(b, bias) else {"bias": False}


def _weights(b: GraphBuilder, weight: Array, bias: Array | None) -> dict[str, Array]:
    if bias is None or not _has(b, bias):
        return {"weight": weight}
    return {"weight": weight, "bias": bias}
