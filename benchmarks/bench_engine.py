"""Time `conv2d` against PyTorch and against loops over the output, all in one run.

The contestants take turns in every round, so that a slow moment of the machine meets all of them. Printed are
medians, and how many times as long as the engine each peer takes. From the repository, on one core:

    OMP_NUM_THREADS=1 python -m benchmarks.bench_engine
"""

import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np
import torch

from conv_sheet.engine import Array, conv2d

ROUNDS = 9
CASES = {
    "a lesson, 1×1×28×28, 8 kernels": ((1, 1, 28, 28), (8, 1, 3, 3)),
    "a batch, 8×8×26×26, 8 kernels": ((8, 8, 26, 26), (8, 8, 3, 3)),
    "a picture, 1×3×256×256, 4 kernels": ((1, 3, 256, 256), (4, 3, 3, 3)),
}


def looped(x: Array, weight: Array) -> Array:
    """The convolution as its definition reads: for every output, the sum of window times kernel."""
    n, _, h, w = x.shape
    kernels, _, kernel_h, kernel_w = weight.shape
    out = np.empty((n, kernels, h - kernel_h + 1, w - kernel_w + 1))
    for i, k, row, column in np.ndindex(out.shape):
        out[i, k, row, column] = (x[i, :, row : row + kernel_h, column : column + kernel_w] * weight[k]).sum()
    return out


def torched(x: Array, weight: Array) -> Array:
    """The peer."""
    return torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(weight)).numpy()


def medians(contestants: list[Callable[[Array, Array], Array]], x: Array, weight: Array) -> list[float]:
    """Median seconds of each, after one round that does not count; all must agree."""
    seconds: list[list[float]] = [[] for _ in contestants]
    expected = looped(x, weight)
    for _ in range(ROUNDS + 1):
        for taken, run in zip(seconds, contestants, strict=True):
            start = perf_counter()
            out = run(x, weight)
            taken.append(perf_counter() - start)
            np.testing.assert_allclose(out, expected, atol=1e-10)
    return [median(taken[1:]) for taken in seconds]


def main() -> None:
    """Print one line for each case."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    for title, (image_shape, kernel_shape) in CASES.items():
        x, weight = rng.standard_normal(image_shape), rng.standard_normal(kernel_shape)
        ours, peer, loops = medians([conv2d, torched, looped], x, weight)
        sys.stdout.write(
            f"{title}: engine {1e3 * ours:.3f} ms; PyTorch takes {peer / ours:.2f} times as long, "
            f"loops {loops / ours:.0f} times\n"
        )


if __name__ == "__main__":
    main()
