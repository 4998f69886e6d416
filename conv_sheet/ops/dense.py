"""The fully connected layer, and the softmax that makes its scores probabilities."""

import numpy as np

from conv_sheet.errors import ShapeError
from conv_sheet.ops.arrays import Array, expect, floats, gradient_like


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Features (N, in) times weight (out, in), plus bias (out,): (N, out). Raises ShapeError.

    Source: PyTorch, `torch.nn.Linear`.

    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([0.5, 0.0]))
    array([[11.5, 17. ]])
    """
    x, weight = _linear_operands("linear", x, weight)
    out = x @ weight.T
    if bias is None:
        return out
    return out + expect("linear", "bias", bias, weight.shape[:1], weight=weight.shape)


def linear_backward(grad: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Gradients (by x, by weight, by bias) of `linear`.

    >>> linear_backward(np.array([[1.0]]), np.array([[2.0, 3.0]]), np.array([[5.0, 7.0]]))
    (array([[5., 7.]]), array([[2., 3.]]), array([1.]))
    """
    x, weight = _linear_operands("linear_backward", x, weight)
    shape = len(x), len(weight)
    grad = expect("linear_backward", "gradient", grad, shape, input=x.shape, weight=weight.shape)
    return grad @ weight, grad.T @ x, grad.sum(axis=0)


def _linear_operands(operation: str, x: Array, weight: Array) -> tuple[Array, Array]:
    x, weight = floats(operation, "input", x, "N in"), floats(operation, "weight", weight, "out in")
    if x.shape[1] != weight.shape[1]:
        raise ShapeError(f"{operation}: input {x.shape} and weight {weight.shape} differ in their last size")
    return x, weight


def softmax(x: Array) -> Array:
    """Exponentials, divided so that they sum to 1 along the last axis, without overflow.

    For features (N, C) that is the channel axis. Source: PyTorch, `torch.nn.Softmax(-1)`.

    >>> softmax(np.array([[1000.0, 1000.0]]))
    array([[0.5, 0.5]])
    """
    powers: Array = np.exp(x - np.maximum.reduce(x, axis=-1, keepdims=True))
    return powers / _sum(powers)


def softmax_backward(grad: Array, y: Array) -> Array:
    """Gradient by x of `y = softmax(x)`.

    >>> softmax_backward(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))
    array([[ 0.25, -0.25]])
    """
    grad = gradient_like("softmax_backward", grad, "output", y)
    return y * (grad - _sum(grad * y))


def log_softmax(x: Array) -> Array:
    """Natural logarithm of `softmax(x)`, exact where the softmax itself rounds to 0.

    Source: PyTorch, `torch.nn.LogSoftmax(-1)`.

    >>> log_softmax(np.array([[0.0, 1000.0]]))
    array([[-1000.,     0.]])
    """
    shifted: Array = x - np.maximum.reduce(x, axis=-1, keepdims=True)
    return shifted - np.log(_sum(np.exp(shifted)))


def log_softmax_backward(grad: Array, y: Array) -> Array:
    """Gradient by x of `y = log_softmax(x)`.

    >>> log_softmax_backward(np.array([[1.0, 0.0]]), np.log([[0.5, 0.5]]))
    array([[ 0.5, -0.5]])
    """
    grad = gradient_like("log_softmax_backward", grad, "output", y)
    return grad - np.exp(y) * _sum(grad)


def _sum(values: Array) -> Array:
    """Sum along the last axis, which stays, with length 1."""
    total: Array = np.add.reduce(values, axis=-1, keepdims=True)
    return total
