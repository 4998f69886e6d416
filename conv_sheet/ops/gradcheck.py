"""Gradients by finite differences: what a derivative is checked against."""

from collections.abc import Callable

import numpy as np

from conv_sheet.errors import DataError
from conv_sheet.ops.arrays import Array, expect


def numerical_gradient(f: Callable[[Array], float], x: Array, h: float = 1e-5) -> Array:
    """Gradient of the number f(x) by x: for each element the central difference (f(x + h) - f(x - h)) / 2h.

    `x` is changed in place, one element at a time, and restored; so it must be float64, else DataError.
    Source: CS231n, "Neural Networks Part 3: gradient checks".

    >>> numerical_gradient(lambda x: float(np.sum(x**2)), np.array([1.0, -3.0])).round(6)
    array([ 2., -6.])
    """
    if x.dtype != np.float64:
        raise DataError(f"numerical_gradient: x must be float64, got {x.dtype}")
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + h
        above = f(x)
        x[index] = kept - h
        below = f(x)
        x[index] = kept
        gradient[index] = (above - below) / (2 * h)
    return gradient


def relative_error(a: Array, b: Array) -> float:
    """Largest |a - b| / max(1e-8, |a| + |b|). Raises ShapeError when the shapes differ.

    Source: CS231n, "Neural Networks Part 3: gradient checks".

    >>> relative_error(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    0.5
    """
    a = expect("relative_error", "a", a, np.shape(b), b=np.shape(b))
    return float(np.max(np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b))))
