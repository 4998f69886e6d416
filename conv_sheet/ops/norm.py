"""Normalisation: with statistics that training has collected, with those of the values themselves, by neighbours."""

import numpy as np

from conv_sheet.errors import ShapeError
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
    checked = (expect("batch_norm2d", name, vector, (x.shape[1],), input=x.shape) for name, vector in vectors.items())
    return [vector[:, None, None] for vector in checked]


def group_norm(
    x: Array, groups: int, weight: Array | None = None, bias: Array | None = None, *, eps: float = 1e-5
) -> Array:
    """Normalise each group of the channels of (N, C, …) by its own mean and variance.

    One group is a layer norm, as many groups as channels an instance norm. `weight` and `bias` are (C,), or have the
    shape of one image. Raises ShapeError. Source: Wu and He, "Group Normalization"; PyTorch, `torch.nn.GroupNorm`.

    >>> group_norm(np.array([[1.0, 3.0, 5.0, 5.0]]), 2, eps=0.0625)
    array([[-0.9701425,  0.9701425,  0.       ,  0.       ]])
    """
    normal, _ = _standardised(x, groups, eps)
    scaled = normal if weight is None else normal * _each_value(x, "weight", weight)
    return scaled if bias is None else scaled + _each_value(x, "bias", bias)


def group_norm_backward(
    grad: Array, x: Array, groups: int, weight: Array | None = None, *, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """Gradients (by x, by weight, by bias) of `group_norm`, the last two in the shape of the weight, (C,) without one.

    >>> dx, _, dbias = group_norm_backward(np.ones((1, 2)), np.array([[1.0, 3.0]]), 1)
    >>> dx, dbias
    (array([[0., 0.]]), array([1., 1.]))
    """
    grad = gradient_like("group_norm_backward", grad, "input", x)
    normal, deviation = _standardised(x, groups, eps)
    own = (x.shape[1],) if weight is None else weight.shape
    axes = (0,) if len(own) == x.ndim - 1 else (0, *range(2, x.ndim))
    dweight, dbias = (grad * normal).sum(axis=axes), grad.sum(axis=axes)
    scaled = grad if weight is None else grad * _each_value(x, "weight", weight)
    of_group, normal_of_group = (values.reshape(len(x), groups, -1) for values in (scaled, normal))
    even = of_group.mean(axis=2, keepdims=True)
    along = (of_group * normal_of_group).mean(axis=2, keepdims=True)
    return ((of_group - even - normal_of_group * along) / deviation).reshape(x.shape), dweight, dbias


def group_statistics(x: Array, groups: int) -> tuple[Array, Array]:
    """Mean and variance of each group of channels, both (N, groups).

    >>> group_statistics(np.array([[1.0, 3.0, 5.0, 5.0]]), 2)
    (array([[2., 5.]]), array([[1., 0.]]))
    """
    if groups < 1 or x.shape[1] % groups:
        raise ShapeError(f"group_norm: {groups} groups do not divide the channels of {x.shape}")
    of_group = x.reshape(len(x), groups, -1)
    return of_group.mean(axis=2), of_group.var(axis=2)


def _standardised(x: Array, groups: int, eps: float) -> tuple[Array, Array]:
    """Values less their group's mean, divided by its deviation; and the deviations (N, groups, 1)."""
    mean, var = group_statistics(x, groups)
    deviation = np.sqrt(var + eps)[..., None]
    normal = (x.reshape(len(x), groups, -1) - mean[..., None]) / deviation
    return normal.reshape(x.shape), deviation


def _each_value(x: Array, name: str, vector: Array) -> Array:
    """A vector (C,) or values of one image, in the form that broadcasts over (N, C, …)."""
    if vector.shape == x.shape[1:]:
        return vector
    checked = expect("group_norm", name, vector, (x.shape[1],), input=x.shape)
    return checked.reshape(-1, *(1,) * (x.ndim - 2))


def local_response_norm(x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Array:
    """Divide each value of (N, C, …) by a power of what its neighbours in `size` channels around it amount to.

    x / (k + alpha / size · Σ x²) ** beta. Source: Krizhevsky et al., "ImageNet Classification with Deep Convolutional
    Neural Networks"; PyTorch, `torch.nn.LocalResponseNorm`.

    >>> local_response_norm(np.array([[3.0, 4.0]]), 2, alpha=2.0, beta=0.5, k=0.0)
    array([[1. , 0.8]])
    """
    return x / neighbour_scale(x, size, alpha, k) ** beta


def local_response_norm_backward(
    grad: Array, x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """Gradient by x of `local_response_norm`.

    >>> local_response_norm_backward(np.ones((1, 1)), np.array([[2.0]]), 1, alpha=1.0, beta=1.0, k=1.0)
    array([[-0.12]])
    """
    grad = gradient_like("local_response_norm_backward", grad, "input", x)
    scale = neighbour_scale(x, size, alpha, k)
    shares = _neighbours(grad * x * scale ** (-beta - 1), size, back=True)
    return grad * scale**-beta - 2 * alpha * beta / size * x * shares


def neighbour_scale(x: Array, size: int, alpha: float, k: float) -> Array:
    """What `local_response_norm` takes the power of: k + alpha / size · Σ x² over the channels around each.

    >>> neighbour_scale(np.array([[3.0, 4.0]]), 2, 2.0, 0.0)
    array([[ 9., 25.]])
    """
    return k + alpha / size * _neighbours(np.square(x), size)


def _neighbours(x: Array, size: int, back: bool = False) -> Array:
    """Sums over `size` neighbouring channels, of which an even one has more before it; with `back` more behind it."""
    before, after = (size - 1) // 2 if back else size // 2, size // 2 if back else (size - 1) // 2
    channels, total = x.shape[1], np.zeros(x.shape)
    for away in range(-min(before, channels - 1), min(after, channels - 1) + 1):
        total[:, max(0, -away) : channels - max(0, away)] += x[:, max(0, away) : channels + min(0, away)]
    return total
