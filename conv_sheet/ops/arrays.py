"""Arrays of numbers, and what an operation may ask of their shapes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from conv_sheet.errors import ShapeError

Array: TypeAlias = npt.NDArray[np.float64]


@contextmanager
def unbuffered() -> Iterator[None]:
    """Let NumPy calculate where numbers stand.

    It copies runs of neighbours that are shorter than a quarter of its buffer into that first, which takes three times
    as long as to add them; with a small buffer it leaves them where they are.
    """
    size = np.setbufsize(256)
    try:
        yield
    finally:
        np.setbufsize(size)


def floats(operation: str, name: str, values: npt.ArrayLike, axes: str) -> Array:
    """Values as float64 with as many dimensions as `axes`, such as "N C H W", has words."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != axes.count(" ") + 1:
        raise ShapeError(f"{operation}: {name} must be ({', '.join(axes.split())}), got {array.shape}")
    return array


def images(operation: str, values: npt.ArrayLike) -> Array:
    """Values as float64 images (N, C, H, W)."""
    return floats(operation, "input", values, "N C H W")


def expect(
    operation: str, name: str, values: npt.ArrayLike, shape: tuple[int, ...], **partners: tuple[int, ...]
) -> Array:
    """Values as float64, of exactly the shape that their partners, shapes by name, ask for."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        fitting = " and ".join(f"{partner} {size}" for partner, size in partners.items())
        raise ShapeError(f"{operation}: {name} {array.shape} must be {shape} to fit {fitting}")
    return array


def gradient_like(operation: str, grad: Array, name: str, partner: npt.ArrayLike) -> Array:
    """A gradient as float64, checked to have its partner's shape."""
    return expect(operation, "gradient", grad, np.shape(partner), **{name: np.shape(partner)})
