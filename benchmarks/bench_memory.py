"""The memory that a convolution with a large kernel takes beside its output; all windows would take 1,200 times it."""

from collections.abc import Iterator

import numpy as np

from benchmarks.measure import Row, peak, show
from conv_sheet import ops
from conv_sheet.ops.plan import forget


def rows() -> Iterator[Row]:
    """An image of 500×1000 and a kernel of 30×40."""
    x, weight = np.ones((1, 1, 500, 1000)), np.ones((1, 1, 30, 40))
    grad = np.ones((1, 1, 471, 961))
    runs = {"forward": lambda: ops.conv2d(x, weight), "backward": lambda: ops.conv2d_backward(grad, x, weight)}
    for name, run in runs.items():
        forget()
        yield Row(f"{name:<9} 1×1×500×1000 → 1@30×40", "its output", peak(run) / grad.nbytes, 20)


if __name__ == "__main__":
    show(rows())
