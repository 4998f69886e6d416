"""Ten digits as if written by hand, drawn from a few points each: samples that need no download.

They are framed as MNIST's are (LeCun, Cortes, Burges: "The MNIST database of handwritten digits"): ink 1 on
background 0, fitted to a box of 20×20 pixels, with the centre of mass in the middle of 28×28.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from conv_sheet.errors import DataError

FRAME = 28
BOX = 20

_PEN = 2.6  # pixels of the 28×28 frame
_SLANT = 0.16  # to the right, a unit of height
_PIECES = 12  # straight pieces from point to point

# Each stroke is a smooth curve through its points "x,y" (y down, 0 to 100); a sharp corner begins a new one.
_STROKES = (
    ("46,3 26,5 10,24 4,53 10,82 29,99 51,91 66,64 68,33 58,10 40,0 30,3",),
    ("31,0 32,33 32,66 31,100",),
    ("6,23 17,6 36,0 54,8 58,28 46,54 24,79 2,97", "2,97 20,91 40,95 56,98 72,92"),
    ("8,13 23,1 43,2 54,16 46,35 24,45", "24,45 48,49 62,66 57,87 36,99 14,96 2,85"),
    ("18,2 13,22 4,43 6,54 24,57 46,53 69,48", "55,6 53,35 51,68 52,100"),
    ("66,1 46,5 22,3", "22,3 18,22 12,43", "12,43 32,35 52,42 61,61 54,84 34,98 13,97 1,87"),
    ("48,0 28,14 12,37 5,65 13,90 33,99 54,90 61,71 50,55 33,56 20,65 10,78",),
    ("6,10 23,6 42,8 62,4", "62,4 50,28 41,60 38,100"),
    ("59,15 43,1 21,5 14,22 28,40 48,57 55,78 42,97 20,98 7,80 17,59 40,41 57,26 59,15",),
    ("58,17 45,2 24,5 9,21 11,40 28,46 46,35 58,17", "58,17 57,42 53,70 52,100"),
)


def digits() -> NDArray[np.float64]:
    """All ten, as (10, 28, 28).

    >>> digits().shape
    (10, 28, 28)
    """
    return np.stack([digit(n) for n in range(len(_STROKES))])


def digit(n: int, size: int = FRAME) -> NDArray[np.float64]:
    """The digit `n` as (size, size) values from 0 to 1, rounded to 3 decimals so that cells read well.

    Sizes above 28 are padded with zeros, as LeNet's 32×32; smaller ones are drawn smaller, legible from 8×8 on.
    DataError for an `n` other than 0 to 9 and for a size below 1.

    >>> seven = digit(7)
    >>> seven.shape, float(seven.min()), float(seven.max())
    ((28, 28), 0.0, 1.0)
    >>> np.array_equal(digit(7, size=32)[2:30, 2:30], seven)
    True
    """
    if n not in range(len(_STROKES)):
        raise DataError(f"there is no sample digit {n!r}: choose one from 0 to 9")
    if size < 1:
        raise DataError(f"a sample digit cannot be {size}×{size}: choose a size of 1 or more, such as {FRAME}")
    frame = min(size, FRAME)
    before, after = (size - frame) // 2, (size - frame + 1) // 2
    return np.pad(_drawn(n, frame), (before, after))


@lru_cache
def _drawn(n: int, frame: int) -> NDArray[np.float64]:
    """A digit without the zeros around it."""
    return _framed(_pieces(_STROKES[n]), frame)


def unlike_digits(image: NDArray[np.float64]) -> str | None:
    """What sets a picture (C, H, W) apart from every handwritten digit; None where nothing does.

    Two things are asked: whether its values are 0 to 1, and whether its ink is between half that of the sample digit
    with the least and twice that of the one with the most. Of 8,000 handwritten digits five fail.

    >>> unlike_digits(np.ones((1, 28, 28)))
    'unlike the sample digits: 100 % of it is ink, and a digit has 3 % to 30 %'
    >>> unlike_digits(digit(3)[np.newaxis])
    """
    unlike = "unlike the sample digits"
    low, high = float(image.min()), float(image.max())
    if low < 0 or high > 1:
        return f"{unlike}: its values are {low:.3g} to {high:.3g}, and theirs 0 to 1"
    side = min(image.shape[1:])
    share = side * side / (image.shape[1] * image.shape[2])
    ink = [digit(n, side).mean() * share for n in range(len(_STROKES))]
    least, most, found = min(ink) / 2, max(ink) * 2, image.mean()
    if least <= found <= most:
        return None
    return f"{unlike}: {found:.0%} of it is ink, and a digit has {least:.0%} to {most:.0%}".replace("%", " %")


def centre_of_mass(plane: NDArray[np.floating]) -> NDArray[np.float64]:
    """Row and column, from 0, around which the values of a plane (H, W) balance.

    >>> centre_of_mass(np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 1.0]])).tolist()
    [1.0, 1.5]
    """
    balance: NDArray[np.float64] = (np.indices(plane.shape) * plane).sum(axis=(1, 2)) / plane.sum()
    return balance


def _pieces(strokes: tuple[str, ...]) -> NDArray[np.float64]:
    """Straight pieces of all strokes, (pieces, start and end, x and y)."""
    lines = [_smooth(np.array([point.split(",") for point in stroke.split()], float)) for stroke in strokes]
    pieces = np.concatenate([np.stack([line[:-1], line[1:]], axis=1) for line in lines])
    pieces[..., 0] -= _SLANT * pieces[..., 1]
    return pieces


def _smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Catmull-Rom spline through (n, 2) points, as a line of (n - 1) * pieces + 1 points.

    Source: Catmull and Rom, "A class of local interpolating splines".
    """
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    before, start, end, after = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = np.linspace(0, 1, _PIECES, endpoint=False)[:, None]
    spans = start + t / 2 * (
        (end - before) + t * (2 * before - 5 * start + 4 * end - after) + t**2 * (3 * start - 3 * end + after - before)
    )
    return np.concatenate([spans.reshape(-1, 2), points[-1:]])


def _framed(pieces: NDArray[np.float64], frame: int) -> NDArray[np.float64]:
    """The pieces drawn into (frame, frame), their ink fitted to MNIST's box and centred by its mass."""
    scale, middle = frame / FRAME, frame // 2
    pen = _PEN * scale
    longest = BOX * scale - pen - 1  # what the pen's width and its soft edge leave for the curve
    low, high = pieces.min(axis=(0, 1)), pieces.max(axis=(0, 1))
    fitted = (pieces - (low + high) / 2) * longest / (high - low).max() + middle
    mass = centre_of_mass(_ink(fitted, pen, frame))
    return np.round(_ink(fitted + middle - mass[::-1], pen, frame), 3)


def _ink(pieces: NDArray[np.float64], pen: float, frame: int) -> NDArray[np.float64]:
    """What a round pen leaves, (frame, frame): 1 inside, 0 outside, a slope one pixel wide at the edge."""
    (x0, y0), (x1, y1) = pieces[:, 0].T, pieces[:, 1].T
    along_x, along_y = x1 - x0, y1 - y0
    from_x, from_y = np.arange(frame)[None, :, None] - x0, np.arange(frame)[:, None, None] - y0
    part = from_x * along_x + from_y * along_y
    part /= along_x**2 + along_y**2
    np.clip(part, 0, 1, out=part)
    squares, down = part * along_x, np.multiply(part, along_y, out=part)
    np.square(np.subtract(from_x, squares, out=squares), out=squares)
    squares += np.square(np.subtract(from_y, down, out=down), out=down)
    ink: NDArray[np.float64] = np.clip(pen / 2 - np.sqrt(squares.min(axis=-1)) + 0.5, 0, 1)
    return ink
