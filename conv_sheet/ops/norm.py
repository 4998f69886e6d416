"""Normalisation with statistics that training has collected."""

import numpy as np

from conv_sheet.ops.arrays import Array, expect, gradient_like, images


def batch_norm2d(
    x: Array, weight: Array, bias: Array, running_mean: Array, running_var: Array, *, eps: float = 1e-5
) -> Array:
    """Normalise each channel of (N, C, H, W) by its running statistics, as a network in evaluation mode does.

    The vectors are (C,): (x - running_mean) / sqrt(running_var + eps) · weight + bias. Raises ShapeError.
    Source: Ioffe and Szegedy, "Batch Normalization"; PyTorch, `torch.nn.BatchNorm2d` after `eval()`.

    >>> one = np.ones(1)
    >>> batch_norm2d(np.array([[[[3.0, 7.0]]]]), 2 * one, one, 3 * one, 4 * one, eps=0.0)
    array([[[[1., 5.]]]])
    """
    x = images("batch_norm2d", x)
    scale, shift = _per_channel(x, weight=weight, bias=bias)
    mean, var = _per_channel(x, running_mean=running_mean, running_var=running_var)
    return (x - mean) / np.sqrt(var + eps) * scale + shift


def batch_norm2d_backward(
    grad: Array, x: Array, weight: Array, running_mean: Array, running_var: Array, *, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """Gradients (by x, by weight, by bias) of `batch_norm2d`; the running statistics are constants.

    >>> x, one = np.array([[[[3.0, 7.0]]]]), np.ones(1)
    >>> batch_norm2d_backward(np.ones((1, 1, 1, 2)), x, 2 * one, 3 * one, 4 * one, eps=0.0)
    (array([[[[1., 1.]]]]), array([2.]), array([2.]))
    """
    x = images("batch_norm2d", x)
    grad = gradient_like("batch_norm2d_backward", grad, "input", x)
    scale, mean, var = _per_channel(x, weight=weight, running_mean=running_mean, running_var=running_var)
    deviation = np.sqrt(var + eps)
    dweight: Array = (grad * (x - mean) / deviation).sum(axis=(0, 2, 3))
    return grad * scale / deviation, dweight, grad.sum(axis=(0, 2, 3))


def _per_channel(x: Array, **vectors: Array) -> list[Array]:
    """A batch norm's vectors (C,) in the form that broadcasts over (N, C, H, W)."""
    shape, partner = (x.shape[1],), f"input {x.shape}"
    checked = (expect("batch_norm2d", name, vector, shape, partner) for name, vector in vectors.items())
    return [vector[:, None, None] for vector in checked]
