"""Options as PyTorch writes them, and the sizes that follow from them."""

from collections.abc import Sequence

from conv_sheet.models.builder import GraphBuilder


def brief(sizes: Sequence[int]) -> int | list[int]:
    """One number where all are equal.

    >>> brief([2, 2]), brief([1, 3]), brief((5,))
    (2, [1, 3], 5)
    """
    return int(sizes[0]) if len(set(sizes)) == 1 else [int(size) for size in sizes]


def several(sizes: Sequence[int], axes: int) -> list[int]:
    """One number for each axis, from one for all or from a list.

    >>> several([2], 2), several([1, 3], 2)
    ([2, 2], [1, 3])
    """
    return [int(size) for size in sizes] * (axes if len(sizes) == 1 else 1)


def four_sided(pads: Sequence[tuple[int, int]]) -> list[int]:
    """(before, after) for each axis in the order of `torch.nn.functional.pad`: the last axis first.

    >>> four_sided([(1, 2), (3, 4)])
    [3, 4, 1, 2]
    """
    return [int(side) for pair in reversed(pads) for side in pair]


def window(b: GraphBuilder, padded: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """How many windows there are along an axis, padding included."""
    if min(kernel, stride, dilation) < 1:
        b.refuse(f"kernel_size {kernel}, stride {stride} and dilation {dilation} must be 1 or more")
    return (padded - dilation * (kernel - 1) - 1) // stride + 1


def ceiling(size: int, kernel: int, stride: int, before: int, after: int, dilation: int = 1) -> int:
    """The same where windows may reach past the end, as long as they begin inside the picture or its border."""
    count = -(-(size + before + after - dilation * (kernel - 1) - 1) // stride) + 1
    return count - 1 if (count - 1) * stride >= size + before else count


def automatic(size: int, kernel: int, stride: int, dilation: int, lower: bool) -> tuple[int, int]:
    """Padding that makes ⌈size ÷ stride⌉ windows: the odd one goes to the end, or with `lower` to the beginning.

    >>> automatic(28, 5, 1, 1, lower=False), automatic(28, 3, 2, 1, lower=False)
    ((2, 2), (0, 1))
    """
    total = max(0, (-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size)
    before = total - total // 2 if lower else total // 2
    return before, total - before
