"""Paper in uneven light: what a shadow takes from it is given back, so that only ink is dark."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SIDE = 200
"""Pixels of the longer side of the small picture in which the light is looked for."""
_STROKE = 0.25
"""Share of that side which no stroke of a pen is wide: what is narrower and dark is ink, and wider a shadow."""
_MARGIN = 2
"""Pixels of the small picture by which a shadow is taken for wider than it is."""
_DEEPEST = 0.25
"""Light that a shadow leaves at least; what is darker is no lit paper."""
_EVEN = 0.85
"""Share of the brightest light from which on the darkest is none of a shadow's."""
_DIM = 90
"""Level of paper from which on it is one: below, all is dark."""


def light(pixels: NDArray[np.uint8]) -> Array:
    """The level that paper has, or would have under the ink, at each pixel (H, W) of dark ink on light paper.

    It is the closing of the picture: the brightest level near a pixel, and of these the darkest near it, a little
    farther, so that the edge of a shadow is no line of ink.

    Source: Serra, "Image Analysis and Mathematical Morphology".

    >>> page = np.full((40, 40), 200, np.uint8)
    >>> page[:, 20:] //= 2
    >>> page[10:30, 9:12] = 20
    >>> [round(float(level)) for level in light(page)[20, [10, 15, 30]]]
    [200, 200, 100]
    """
    from PIL import Image

    height, width = pixels.shape
    factor = max(1, max(height, width) // _SIDE)
    small = np.asarray(Image.fromarray(pixels).reduce(factor), np.float64)
    reach = max(1, round(_STROKE * max(small.shape) / 2))
    beyond = np.pad(small, 2 * reach + _MARGIN, mode="edge")
    closed = -_brightest(-_brightest(beyond, reach), reach + _MARGIN)
    whole = Image.fromarray(closed.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return np.maximum(np.asarray(whole, np.float64), 1)


def evened(pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """A picture (H, W) of dark ink on light paper as it would be without its shadow; None where there is none on it."""
    found = light(pixels)
    darkest, brightest = np.quantile(found, (0.01, 0.99))
    if brightest < _DIM or not _DEEPEST * brightest <= darkest <= _EVEN * brightest:
        return None
    return np.clip(np.rint(pixels / found * 255), 0, 255).astype(np.uint8)


def _brightest(plane: Array, reach: int) -> Array:
    """The largest value within so many rows and columns of each that has as many around it."""
    for axis in (0, 1):
        plane = sliding_window_view(plane, 2 * reach + 1, axis).max(axis=-1)
    return plane
