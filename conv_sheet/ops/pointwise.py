"""Functions that make each value from one value: activations and dropout."""

import math

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


def hardtanh(x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """Values cut off below `min_val` and above `max_val`; any shape. ReLU6 cuts off at 0 and 6.

    Source: PyTorch, `torch.nn.Hardtanh`.

    >>> hardtanh(np.array([-2.0, 3.0, 7.0]), 0, 6)
    array([0., 3., 6.])
    """
    return np.clip(x, min_val, max_val)


def hardtanh_backward(grad: Array, x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """Gradient by x of `hardtanh`; the slope at both limits is 0.

    >>> hardtanh_backward(np.ones(3), np.array([0.0, 3.0, 7.0]), 0, 6)
    array([0., 1., 0.])
    """
    return gradient_like("hardtanh_backward", grad, "input", x) * (np.greater(x, min_val) & np.less(x, max_val))


def hardsigmoid(x: Array) -> Array:
    """A sigmoid of straight lines, min(6, max(0, x + 3)) / 6; any shape. Source: PyTorch, `torch.nn.Hardsigmoid`.

    >>> hardsigmoid(np.array([-4.0, 0.0, 3.0]))
    array([0. , 0.5, 1. ])
    """
    return np.clip(np.add(x, 3.0), 0.0, 6.0) / 6.0


def hardsigmoid_backward(grad: Array, x: Array) -> Array:
    """Gradient by x of `hardsigmoid`; the slope at -3 and 3 is 0.

    >>> hardsigmoid_backward(np.full(3, 6.0), np.array([-4.0, 0.0, 3.0]))
    array([0., 1., 0.])
    """
    return gradient_like("hardsigmoid_backward", grad, "input", x) * (np.abs(x) < 3) / 6.0


def hardswish(x: Array) -> Array:
    """Return x · hardsigmoid(x); any shape. Source: PyTorch, `torch.nn.Hardswish`.

    >>> hardswish(np.array([-3.0, 1.5, 4.0]))
    array([-0.   ,  1.125,  4.   ])
    """
    return x * hardsigmoid(x)


def hardswish_backward(grad: Array, x: Array) -> Array:
    """Gradient by x of `hardswish`; the slope at -3 is 0, and at 3 it is 1.

    >>> hardswish_backward(np.ones(3), np.array([-4.0, 0.0, 3.0]))
    array([0. , 0.5, 1. ])
    """
    slope = np.where(np.less(x, 3), np.divide(x, 3.0) + 0.5, 1.0)
    return gradient_like("hardswish_backward", grad, "input", x) * np.where(np.greater(x, -3), slope, 0.0)


def silu(x: Array) -> Array:
    """Return x · sigmoid(x), also called swish; any shape. Source: PyTorch, `torch.nn.SiLU`.

    >>> silu(np.array([-1000.0, 0.0, 1000.0]))
    array([  -0.,    0., 1000.])
    """
    return x * sigmoid(x)


def silu_backward(grad: Array, x: Array) -> Array:
    """Gradient by x of `silu`.

    >>> silu_backward(np.ones(1), np.zeros(1))
    array([0.5])
    """
    share = sigmoid(x)
    return gradient_like("silu_backward", grad, "input", x) * share * (1.0 + x * (1.0 - share))


def elu(x: Array, alpha: float = 1.0) -> Array:
    """Return x above zero, `alpha` · (exp(x) - 1) below; any shape. Source: PyTorch, `torch.nn.ELU`.

    >>> elu(np.array([-1000.0, 2.0]), 0.5)
    array([-0.5,  2. ])
    """
    return np.where(np.greater(x, 0), x, alpha * np.expm1(np.minimum(x, 0.0)))


def elu_backward(grad: Array, x: Array, alpha: float = 1.0) -> Array:
    """Gradient by x of `elu`; the slope at 0 is `alpha`.

    >>> elu_backward(np.ones(2), np.array([0.0, 2.0]), 0.5)
    array([0.5, 1. ])
    """
    slope = np.where(np.greater(x, 0), 1.0, alpha * np.exp(np.minimum(x, 0.0)))
    return gradient_like("elu_backward", grad, "input", x) * slope


def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """A smooth ReLU, log(1 + exp(`beta` · x)) / `beta`; x itself where `beta` · x is above the threshold; any shape.

    Source: PyTorch, `torch.nn.Softplus`.

    >>> softplus(np.array([0.0, 1000.0])).round(4)
    array([6.931e-01, 1.000e+03])
    """
    scaled = np.multiply(x, beta)
    return np.where(scaled > threshold, x, np.log1p(np.exp(np.minimum(scaled, threshold))) / beta)


def softplus_backward(grad: Array, x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """Gradient by x of `softplus`.

    >>> softplus_backward(np.ones(2), np.array([0.0, 1000.0]))
    array([0.5, 1. ])
    """
    scaled = np.multiply(x, beta)
    slope = np.where(scaled > threshold, 1.0, sigmoid(scaled))
    return gradient_like("softplus_backward", grad, "input", x) * slope


def prelu(x: Array, weight: Array) -> Array:
    """Return x above zero, below it `weight` · x: one weight, or one for each channel of (N, C, …).

    Source: PyTorch, `torch.nn.PReLU`.

    >>> prelu(np.array([[-2.0, -2.0, 3.0]]), np.array([0.5, 2.0, 2.0]))
    array([[-1., -4.,  3.]])
    """
    return np.where(np.greater(x, 0), x, _each_channel(x, weight) * x)


def prelu_backward(grad: Array, x: Array, weight: Array) -> tuple[Array, Array]:
    """Gradients (by x, by weight) of `prelu`; the slope at 0 is the weight.

    >>> prelu_backward(np.ones((1, 2)), np.array([[-2.0, 3.0]]), np.array([0.5]))
    (array([[0.5, 1. ]]), array([-2.]))
    """
    grad = gradient_like("prelu_backward", grad, "input", x)
    below = np.where(np.greater(x, 0), 0.0, grad * x)
    axes = (0, *range(2, x.ndim))
    dweight = below.sum(axis=axes) if weight.size > 1 else below.sum(keepdims=True).reshape(1)
    return np.where(np.greater(x, 0), grad, grad * _each_channel(x, weight)), dweight


def _each_channel(x: Array, weight: Array) -> Array:
    """A weight of one number, or of one a channel, as it broadcasts over (N, C, …)."""
    if weight.size not in (1, x.shape[1]):
        raise ShapeError(f"prelu: weight {weight.shape} must be (1,) or ({x.shape[1]},) to fit input {x.shape}")
    return weight.reshape(-1, *(1,) * (x.ndim - 2))


_erf = np.frompyfunc(math.erf, 1, 1)
TANH_FACTOR = math.sqrt(2 / math.pi)
TANH_CUBE = 0.044715
"""Constants of GELU's form by tanh."""


def erf(x: Array) -> Array:
    """Error function, value by value as Python's `math.erf`, exact to double precision; any shape.

    NumPy has none. A rational approximation as fast as exp has errors of about 1e-7; a million values take 0.1 s so.

    >>> erf(np.array([0.0, 10.0]))
    array([0., 1.])
    """
    return np.asarray(_erf(x), dtype=np.float64)


def gelu(x: Array, approximate: str = "none") -> Array:
    """Return x · Φ(x), Φ being the normal distribution; with `approximate` "tanh", a formula close to it; any shape.

    Source: PyTorch, `torch.nn.GELU`.

    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(4), gelu(np.array([1.0]), "tanh").round(4)
    (array([-0.1587,  0.    ,  0.8413]), array([0.8412]))
    """
    if approximate == "tanh":
        return 0.5 * x * (1.0 + np.tanh(TANH_FACTOR * (x + TANH_CUBE * x * x * x)))
    return 0.5 * x * (1.0 + erf(x / math.sqrt(2)))


def gelu_backward(grad: Array, x: Array, approximate: str = "none") -> Array:
    """Gradient by x of `gelu`.

    >>> gelu_backward(np.ones(1), np.zeros(1)), gelu_backward(np.ones(1), np.zeros(1), "tanh")
    (array([0.5]), array([0.5]))
    """
    grad = gradient_like("gelu_backward", grad, "input", x)
    if approximate == "tanh":
        inner = np.tanh(TANH_FACTOR * (x + TANH_CUBE * x * x * x))
        steep = TANH_FACTOR * (1.0 + 3 * TANH_CUBE * x * x)
        return grad * 0.5 * (1.0 + inner + x * (1.0 - inner * inner) * steep)
    return grad * (0.5 * (1.0 + erf(x / math.sqrt(2))) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi))


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
