"""Pictures that come with conv-sheet, by label: the sample digits, and the drawings that lessons name."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from conv_sheet.pictures.digits import digit
from conv_sheet.pictures.drawings import PICTURES, draw

DIGITS = tuple(f"digit {number}" for number in range(10))
FIRST = "digit 7"
"""What the input shows where nobody says something else."""


def sample(label: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A picture (C, H, W) by its label; a digit stands in the middle, the same in every channel.

    >>> sample("digit 3", (1, 32, 40)).shape
    (1, 32, 40)
    """
    return _sample(label, shape).copy()


@lru_cache(maxsize=64)  # each page of a workbook asks for all of them, and framing a digit takes some milliseconds
def _sample(label: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    if label in PICTURES:
        return draw(label, shape)
    channels, height, width = shape
    side = min(height, width)
    picture = np.zeros((height, width))
    top, left = (height - side) // 2, (width - side) // 2
    picture[top : top + side, left : left + side] = digit(int(label.removeprefix("digit ")), side)
    return np.repeat(picture[np.newaxis], channels, axis=0)
