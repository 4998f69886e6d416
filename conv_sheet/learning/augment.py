"""Random distortions of a batch of pictures, so that a network sees each one anew in every epoch."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.ops import Array


@dataclass(frozen=True)
class Augmentation:
    """How far pictures may be turned, moved, resized, slanted and warped; all draws are uniform.

    `degrees` and `shear` are angles up to which to turn and slant to either side; `translate` is the greatest
    shift, as a fraction of height and width; `scale` is the range of the zoom. These four mean what they mean
    in torchvision's `RandomAffine`. `elastic` is the standard deviation, in pixels, of a warp that moves each
    pixel a little: random noise, smoothed by a Gaussian of `smoothness` pixels. The defaults are what served small
    networks best that read handwritten digits of 28×28 pixels.

    Source: Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural Networks Applied to Visual
    Document Analysis", 2003; torchvision documentation, `RandomAffine`.

    >>> images = np.random.default_rng(0).uniform(size=(5, 1, 28, 28))
    >>> Augmentation()(images, np.random.default_rng(1)).shape
    (5, 1, 28, 28)
    """

    degrees: float = 5.0
    translate: float = 0.035
    scale: tuple[float, float] = (0.95, 1.05)
    shear: float = 5.0
    elastic: float = 0.7
    smoothness: float = 4.0

    def __post_init__(self) -> None:
        for name in ("degrees", "translate", "shear", "elastic"):
            _require(0.0 <= getattr(self, name) < math.inf, name, getattr(self, name), "0 or more")
        _require(self.shear < 90.0, "shear", self.shear, "below 90 degrees")
        _require(0.0 < self.scale[0] <= self.scale[1] < math.inf, "scale", self.scale, "a range above 0")
        _require(0.0 < self.smoothness < math.inf, "smoothness", self.smoothness, "above 0")

    def __call__(self, images: Array, rng: "np.random.Generator") -> Array:
        """Distorted copies of images (N, C, H, W), each drawn for itself; beyond the edge is zero."""
        count, _, height, width = images.shape
        rows, columns = self._affine(count, height, width, rng)
        if self.elastic:
            rows += self._warp(count, height, width, rng)
            columns += self._warp(count, height, width, rng)
        return sample(images, rows, columns)

    def _affine(self, count: int, height: int, width: int, rng: "np.random.Generator") -> tuple[Array, Array]:
        """Where in the picture each pixel of the result is taken from: rows and columns, (N, H, W) each."""
        each = (count, 1, 1)
        turn = np.radians(rng.uniform(-self.degrees, self.degrees, each))
        slant = np.radians(rng.uniform(-self.shear, self.shear, each))
        zoom = rng.uniform(*self.scale, each)
        down, right = rng.uniform(-self.translate, self.translate, (2, *each))
        middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
        v = np.arange(height)[:, None] - middle_row - down * height
        u = np.arange(width) - middle_column - right * width
        u = u + v * np.tan(slant)
        rows = (np.cos(turn) * v + np.sin(turn) * u) / zoom + middle_row
        columns = (np.cos(turn) * u - np.sin(turn) * v) / zoom + middle_column
        return rows, columns

    def _warp(self, count: int, height: int, width: int, rng: "np.random.Generator") -> Array:
        """Displacements (N, H, W): noise of variance 1, smoothed along rows and columns, times `elastic`."""
        noise = rng.standard_normal((count, height, width))
        along_rows, along_columns = (_smoother(size, self.smoothness) for size in (height, width))
        return self.elastic * (along_rows @ noise @ along_columns.T)


def sample(images: Array, rows: Array, columns: Array) -> Array:
    """Pictures read between their pixels: bilinear values of images (N, C, H, W) at rows and columns.

    `rows` and `columns` are (N, H', W'), counted in pixels from the centre of the first pixel; the result is
    (N, C, H', W'). Beyond the edge a picture is zero. The same as PyTorch's `grid_sample` with
    `padding_mode="zeros"`.

    >>> ramp = np.array([[[[0.0, 1.0], [2.0, 3.0]]]])
    >>> sample(ramp, np.array([[[0.5, 1.0]]]), np.array([[[0.5, 1.5]]]))
    array([[[[1.5, 1.5]]]])
    """
    count, channels, height, width = images.shape
    if not rows.shape == columns.shape == (count, *rows.shape[1:]):
        raise ShapeError(f"rows {rows.shape} and columns {columns.shape} are not (N, H, W) with N={count}")
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    top, below = _between(rows, height)
    left, beyond = _between(columns, width)
    line = width + 2
    start = np.arange(count * channels).reshape(count, channels, 1, 1) * (height + 2) * line
    first = start + (top * line + left)[:, None]
    below, beyond = below[:, None], beyond[:, None]
    upper = padded.take(first) * (1.0 - beyond) + padded.take(first + 1) * beyond
    lower = padded.take(first + line) * (1.0 - beyond) + padded.take(first + line + 1) * beyond
    value: Array = upper * (1.0 - below) + lower * below
    return value


def _between(positions: Array, size: int) -> tuple[NDArray[np.int64], Array]:
    """The pixel before each position, counted with the border of one, and how far it lies behind."""
    bounded = np.clip(positions + 1.0, 0.0, size + 1.0)
    before = np.minimum(bounded.astype(np.int64), size)
    return before, bounded - before


@cache
def _smoother(size: int, sigma: float) -> Array:
    """A matrix (size, size) that blurs a column by a Gaussian and keeps the variance of white noise."""
    distance = np.subtract.outer(np.arange(size), np.arange(size))
    weights = np.exp(-(distance**2) / (2.0 * sigma**2))
    normed: Array = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    return normed


def _require(holds: bool, name: str, value: object, what: str) -> None:
    if not holds:
        raise SpecError(f"augmentation: {name}={value} must be {what}")
