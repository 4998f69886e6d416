"""Functions that make each value from one value: activations and dropout."""

import numpy as np

from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.ops.arrays import Array, gradient_like


def relu(x: Array) -> Array:
    """Return x where it is positive, else 0; any shape. Source: PyTorch, `torch.nn.ReLU`.

    >>> relu(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    return np.maximum(x, 0.0)


def relu_backward(grad: Array, x: Array) -> Array:
    """Gradient by x of `relu`; the slope at 0 is 0.

    >>> relu_backward(np.ones(3), np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 1.])
    """
    return gradient_like("relu_backward", grad, "input", x) * np.greater(x, 0)


def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """Return x where it is positive, else `negative_slope` · x; any shape.

    Source: PyTorch, `torch.nn.LeakyReLU`.

    >>> leaky_relu(np.array([-2.0, 3.0]), 0.5)
    array([-1.,  3.])
    """
    return np.where(np.greater(x, 0), x, np.multiply(x, negative_slope))


def leaky_relu_backward(grad: Array, x: Array, negative_slope: float = 0.01) -> Array:
    """Gradient by x of `leaky_relu`; the slope at 0 is `negative_slope`.

    >>> leaky_relu_backward(np.ones(3), np.array([-2.0, 0.0, 3.0]), 0.5)
    array([0.5, 0.5, 1. ])
    """
    slope = np.where(np.greater(x, 0), 1.0, negative_slope)
    return gradient_like("leaky_relu_backward", grad, "input", x) * slope


def sigmoid(x: Array) -> Array:
    """Logistic function 1 / (1 + exp(-x)), without overflow; any shape. Source: PyTorch, `torch.nn.Sigmoid`.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    decay = np.exp(-np.abs(x))
    return np.where(np.greater_equal(x, 0), 1.0, decay) / (1.0 + decay)


def sigmoid_backward(grad: Array, y: Array) -> Array:
    """Gradient by x of `y = sigmoid(x)`.

    >>> sigmoid_backward(np.ones(1), np.array([0.5]))
    array([0.25])
    """
    return gradient_like("sigmoid_backward", grad, "output", y) * y * (1.0 - y)


def tanh(x: Array) -> Array:
    """Hyperbolic tangent; any shape. Source: PyTorch, `torch.nn.Tanh`.

    >>> tanh(np.array([-1000.0, 0.0, 1000.0]))
    array([-1.,  0.,  1.])
    """
    return np.tanh(x)


def tanh_backward(grad: Array, y: Array) -> Array:
    """Gradient by x of `y = tanh(x)`.

    >>> tanh_backward(np.ones(2), np.array([0.0, 0.5]))
    array([1.  , 0.75])
    """
    return gradient_like("tanh_backward", grad, "output", y) * (1.0 - np.square(y))


def dropout(x: Array, mask: Array, p: float) -> Array:
    """Keep x where `mask` is 1, rescaled by 1 / (1 - p), and drop it where `mask` is 0.

    The mask has the shape of x or broadcasts to it, so that (N, C, 1, 1) drops whole maps; `p` in [0, 1) is
    the probability of a drop. Raises ShapeError and SpecError. Source: Srivastava et al., "Dropout";
    PyTorch, `torch.nn.Dropout` while training.

    >>> dropout(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, 1.0]), 0.5)
    array([2., 0., 6.])
    """
    if not 0 <= p < 1:
        raise SpecError(f"dropout: p must be at least 0 and below 1, got {p}")
    try:
        return x * np.broadcast_to(mask, np.shape(x)) / (1.0 - p)
    except ValueError:
        raise ShapeError(f"dropout: mask {np.shape(mask)} does not fit input {np.shape(x)}") from None


def dropout_backward(grad: Array, mask: Array, p: float) -> Array:
    """Gradient by x of `dropout`: what was dropped learns nothing.

    >>> dropout_backward(np.ones(3), np.array([1.0, 0.0, 1.0]), 0.5)
    array([2., 0., 2.])
    """
    return dropout(grad, mask, p)
