"""Time `conv2d` and its gradients beside PyTorch's, on shapes from small networks and from a large one."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from benchmarks.measure import Row, ratio, show
from conv_sheet import ops

CASES = (
    ((64, 6, 15, 15), (16, 6, 3, 3), 0),
    ((8, 16, 32, 32), (16, 16, 3, 3), 1),
    ((8, 8, 26, 26), (8, 8, 3, 3), 0),
    ((1, 64, 8, 8), (64, 64, 3, 3), 1),
    ((8, 64, 56, 56), (64, 64, 3, 3), 1),
)
"""Shapes of images and kernels, and the padding."""


def rows() -> Iterator[Row]:
    """Both ways for each case, once both have given the same numbers."""
    rng = np.random.default_rng(0)
    for shape, kernels, padding in CASES:
        x, weight, bias = (rng.standard_normal(size) for size in (shape, kernels, kernels[:1]))
        leaves = images, *parameters = [torch.tensor(array, requires_grad=True) for array in (x, weight, bias)]
        torch_conv = partial(torch.nn.functional.conv2d, padding=padding)
        y = torch_conv(images, *parameters)
        grad = rng.standard_normal(y.shape)

        forward = partial(ops.conv2d, x, weight, bias, padding=padding)
        backward = partial(ops.conv2d_backward, grad, x, weight, padding=padding)
        torch_forward = partial(torch_conv, *(leaf.detach() for leaf in leaves))
        torch_backward = partial(torch.autograd.grad, y, leaves, torch.from_numpy(grad), retain_graph=True)

        np.testing.assert_allclose(forward(), torch_forward().numpy(), rtol=1e-9, atol=1e-9)
        for ours, theirs in zip(backward(), torch_backward(), strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-9, atol=1e-9)

        title = f"{'×'.join(map(str, shape))} → {kernels[0]}@3×3, padding {padding}"
        yield Row(f"forward   {title}", "PyTorch", ratio(forward, torch_forward), 0.9)
        yield Row(f"backward  {title}", "PyTorch", ratio(backward, torch_backward), 1.1)


if __name__ == "__main__":
    show(rows())
