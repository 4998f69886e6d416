"""Small pictures that are no digits, drawn from a few shapes each: samples that need no download.

A picture is painted in a square of 100×100 units, y down, the last shape on top. In three channels (red, green, blue)
it is light: 0 is dark and 1 bright. In one it is ink, as a digit is: 0 is paper and 1 the darkest stroke.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from conv_sheet.errors import DataError

Array = NDArray[np.float64]
Colour = tuple[float, float, float]

_FINE = 8  # points along each side of a pixel whose mean is the pixel
_LUMA = np.array([0.299, 0.587, 0.114])  # of red, green and blue: ITU-R Recommendation BT.601

BLACK, GREY, WHITE = (0.0, 0.0, 0.0), (0.25, 0.25, 0.25), (1.0, 1.0, 1.0)
RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 0.75, 0.25), (0.0, 0.25, 1.0)
YELLOW, CREAM, BROWN = (1.0, 1.0, 0.0), (1.0, 1.0, 0.75), (0.5, 0.25, 0.0)
SKY, GRASS, NIGHT = (0.5, 0.75, 1.0), (0.25, 0.5, 0.0), (0.0, 0.0, 0.25)


class Shape(Protocol):
    """A part of the plane."""

    def covers(self, x: Array, y: Array) -> NDArray[np.bool_]:
        """Which of these points belong to it."""


@dataclass(frozen=True)
class Disc:
    """A circle, filled.

    >>> Disc(50, 50, 10).covers(np.array([50.0, 60.1]), np.array([41.0, 50.0])).tolist()
    [True, False]
    """

    x: float
    y: float
    radius: float

    def covers(self, x: Array, y: Array) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = (x - self.x) ** 2 + (y - self.y) ** 2 <= self.radius**2
        return inside


@dataclass(frozen=True)
class Polygon:
    """A convex polygon, filled; its corners clockwise as one sees them.

    >>> Polygon((0, 0), (10, 0), (0, 10)).covers(np.array([2.0, 9.0]), np.array([2.0, 9.0])).tolist()
    [True, False]
    """

    corners: tuple[tuple[float, float], ...]

    def __init__(self, *corners: tuple[float, float]) -> None:
        object.__setattr__(self, "corners", corners)

    def covers(self, x: Array, y: Array) -> NDArray[np.bool_]:
        edges = zip(self.corners, (*self.corners[1:], self.corners[0]), strict=True)
        sides = [(x2 - x1) * (y - y1) >= (y2 - y1) * (x - x1) for (x1, y1), (x2, y2) in edges]
        inside: NDArray[np.bool_] = np.logical_and.reduce(sides)
        return inside


def box(left: float, top: float, right: float, bottom: float) -> Polygon:
    """A rectangle."""
    return Polygon((left, top), (right, top), (right, bottom), (left, bottom))


Painting = Sequence[tuple[Colour, Shape]]
"""Shapes and their colours, the last one on top."""

_AROUND = 10_000.0  # as far as any picture reaches beyond the square
_GROUND = box(-_AROUND, 78, _AROUND, _AROUND)


def _everywhere(colour: Colour) -> tuple[Colour, Shape]:
    return colour, box(-_AROUND, -_AROUND, _AROUND, _AROUND)


_VERTICAL, _HORIZONTAL = box(37.5, 12.5, 62.5, 87.5), box(12.5, 37.5, 87.5, 62.5)

FORMS = ("circle", "square", "triangle")
AND = "+"
"""Between the names of what is in one picture, or in a folder of pictures."""
COLOURS = {"red": RED, "green": GREEN, "blue": BLUE}


def form(name: str, x: float = 50, y: float = 50, size: float = 34, turn: float = 0) -> Shape:
    """A circle, square or triangle around a point; `size` is half its width, `turn` an angle in degrees.

    >>> form("square", 50, 50, 20, turn=45).covers(np.array([50.0, 70.0]), np.array([76.0, 70.0])).tolist()
    [True, False]
    """
    if name == "circle":
        return Disc(x, y, size)
    start, reach = {"square": (45, size * np.sqrt(2)), "triangle": (-90, size * 1.2)}[name]
    count = 4 if name == "square" else 3
    angles = np.radians(start + turn + np.arange(count) * 360 / count)
    corners = zip(x + reach * np.cos(angles), y + reach * np.sin(angles), strict=True)
    return Polygon(*((float(right), float(down)) for right, down in corners))


_BESIDE = {"circle": (27, 28), "square": (73, 28), "triangle": (50, 75)}
"""Where each form stands in a picture of several."""

PICTURES: dict[str, Painting] = {
    "house": (
        _everywhere(SKY),
        (YELLOW, Disc(84, 15, 9)),
        (GRASS, _GROUND),
        (CREAM, box(18, 46, 72, 86)),
        (RED, Polygon((45, 14), (82, 48), (8, 48))),
        (BROWN, box(28, 58, 43, 86)),
        (BLUE, box(51, 56, 64, 69)),
    ),
    "balloons": (
        _everywhere(NIGHT),
        (WHITE, Disc(80, 22, 9)),
        (GREEN, Disc(60, 38, 18)),
        (RED, Disc(28, 34, 20)),
        (YELLOW, Disc(46, 66, 19)),
    ),
    "vertical": (_everywhere(WHITE), (BLACK, _VERTICAL)),
    "horizontal": (_everywhere(WHITE), (BLACK, _HORIZONTAL)),
    "cross": (_everywhere(WHITE), (BLACK, _VERTICAL), (BLACK, _HORIZONTAL)),
    **{
        AND.join(names): (_everywhere(WHITE), *((BLACK, form(name, *_BESIDE[name], size=19)) for name in names))
        for count in range(1, len(FORMS) + 1)
        for names in combinations(FORMS, count)
    },
    **{
        f"{colour} {name}": (_everywhere(GREY), (light, form(name)))
        for colour, light in COLOURS.items()
        for name in FORMS
    },
}
"""Every picture by name."""


def draw(name: str, shape: tuple[int, ...]) -> Array:
    """A picture in the middle of (C, H, W).

    Three channels are its light in hundredths, red first; one channel is its ink, and other numbers of channels are
    that ink again and again. Ink is in tenths, as cells show it, so that sums of what is shown are right. DataError
    for a name that is none.

    >>> draw("house", (3, 16, 16)).shape, draw("house", (1, 28, 40)).shape
    ((3, 16, 16), (1, 28, 40))
    >>> draw("balloons", (3, 16, 16))[:, 5, 4].tolist()
    [1.0, 0.0, 0.0]
    """
    if name not in PICTURES:
        raise DataError(f"there is no picture {name!r}; there are {', '.join(PICTURES)}")
    channels, height, width = shape
    light = painted(PICTURES[name], height, width)
    if channels == 3:
        return light.round(2)
    return np.tile((1 - np.tensordot(_LUMA, light, 1)).round(1), (channels, 1, 1))


def painted(painting: Painting, height: int, width: int) -> Array:
    """The light of a painting as (3, height, width), its square in the middle; soft edges, as of a photograph.

    >>> painted([(WHITE, box(0, 0, 50, 100))], 2, 2)[0].tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    side = min(height, width)
    y, x = np.indices((height * _FINE, width * _FINE)) + 0.5
    x = (x / _FINE - (width - side) / 2) * 100 / side
    y = (y / _FINE - (height - side) / 2) * 100 / side
    light = np.zeros((3, *x.shape))
    for colour, form in painting:
        light = np.where(form.covers(x, y), np.array(colour)[:, None, None], light)
    mean: Array = light.reshape(3, height, _FINE, width, _FINE).mean(axis=(2, 4))
    return mean
