"""The input of a model: which of its axes is what."""

from collections.abc import Sequence

import numpy as np

from conv_sheet.layers import Shape
from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.values import Value, channels_last

_MOST_CHANNELS = 4
"""Channels of a picture that stand on the last axis: grey, colour, or colour with transparency."""


def first_value(b: GraphBuilder, sizes: Sequence[int], last: bool | None = None) -> tuple[Value, Shape]:
    """The value of the input, and the picture's shape (C, H, W), (C, L), or (N, 1, 1) for a vector.

    Unless `last` says it, (1, H, W, C) is told from (1, C, H, W) by the axis that is short enough for colours.

    >>> first_value(GraphBuilder("net"), [1, 28, 28, 1])[1], first_value(GraphBuilder("net"), [8, 3, 32, 32])[1]
    ((1, 28, 28), (3, 32, 32))
    """
    if len(sizes) not in (2, 3, 4) or min(sizes) < 1:
        b.refuse(f"its input has the shape {tuple(sizes)}: a batch of pictures (N, C, H, W) is needed")
    b.batch = int(sizes[0])
    own = tuple(int(size) for size in sizes[1:])
    if len(own) == 1:
        value = b.picture((own[0], 1, 1))
        return value.moved(value.view.reshape(1, -1)), value.shape
    if last is None:
        last = len(own) == 3 and own[-1] <= _MOST_CHANNELS < min(own[0], own[1])
    if not last:
        return b.picture(own), own
    value = b.picture((own[-1], *own[:-1]))
    return value.moved(np.ascontiguousarray(channels_last(value.view))), value.shape
