"""A photograph of a digit on paper in a shadow, beside the same in even light; and what only looks like that."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from conv_sheet import lessons
from conv_sheet.pictures.digits import digit, digits, unlike_digits
from conv_sheet.pictures.reading import load_image
from tests.test_shipped_weights import DATA, without_data

HEIGHT, WIDTH = 400, 500
LIT = "a shadow on the paper is lit up"
Plane = NDArray[np.float64]


def photograph(number: int) -> Plane:
    """A digit in pencil of level 40 on paper of level 225, with the noise of a camera."""
    page = np.full((HEIGHT, WIDTH), 225.0)
    ink = Image.fromarray(np.rint(digit(number) * 255).astype(np.uint8)).resize((240, 240), Image.Resampling.BICUBIC)
    page[60:300, 130:370] -= 185 / 255 * np.asarray(ink, float)
    return page + np.random.default_rng(number).normal(0, 3, page.shape)


Y, X = np.mgrid[0:HEIGHT, 0:WIDTH]
LIGHTS = {
    "a lamp at the left": 1 - 0.6 * X / WIDTH,
    "a hand in the corner": 1 - 0.55 * np.exp(-(((X - WIDTH) / 250) ** 2 + ((Y - HEIGHT) / 250) ** 2)),
    "an edge out of focus": 1 - 0.5 / (1 + np.exp(-(X + Y / 2 - 350) / 25)),
    "an edge in focus": np.where(X + Y / 2 > 350, 0.5, 1.0),
    "a lens": 1 - 1.2 * (((X - WIDTH / 2) / WIDTH) ** 2 + ((Y - HEIGHT / 2) / HEIGHT) ** 2),
}


def read(folder: Path, pixels: Plane) -> tuple[Plane, list[str]]:
    Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8)).save(folder / "photo.png")
    return load_image(folder / "photo.png", (1, 28, 28))


def likeness(one: Plane, other: Plane) -> float:
    """Correlation of two pictures, one moved by up to a pixel."""
    moves = ((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1))
    return max(float(np.corrcoef(np.roll(one, move, (1, 2)).ravel(), other.ravel())[0, 1]) for move in moves)


@pytest.mark.parametrize("name", LIGHTS)
def test_a_shadow_makes_no_difference(tmp_path: Path, name: str) -> None:
    lenet = lessons.load("lenet")
    for number in (0, 1, 4, 8):
        even, told = read(tmp_path, photograph(number))
        assert LIT not in told
        shaded, told = read(tmp_path, photograph(number) * LIGHTS[name])
        assert LIT in told
        assert likeness(shaded, even) > 0.94
        assert lessons.workbook(lenet, np.pad(shaded, ((0, 0), (2, 2), (2, 2)))).prediction == str(number)


def test_clouds_are_no_page(tmp_path: Path) -> None:
    rng, frequency = np.random.default_rng(0), np.fft.fftfreq(200)
    distance = np.hypot(*np.meshgrid(frequency, frequency)) + 1 / 200
    for steepness in (1.0, 1.5, 2.0):
        for _ in range(6):
            clouds = np.fft.ifft2(np.fft.fft2(rng.normal(size=(200, 200))) / distance**steepness).real
            levels = (clouds - clouds.min()) / np.ptp(clouds) * 255
            assert LIT not in read(tmp_path, levels)[1]


def test_a_digit_is_like_the_digits_and_other_things_are_not() -> None:
    assert [unlike_digits(plane[np.newaxis]) for plane in digits()] == [None] * 10
    wide = np.pad(digit(3), ((0, 0), (40, 40)))
    assert unlike_digits(wide[np.newaxis]) is None
    assert "0 % of it is ink" in (unlike_digits(np.zeros((1, 28, 28))) or "")
    assert "its values are 0 to 255" in (unlike_digits(digit(3)[np.newaxis] * 255) or "")
    assert "ink" in (unlike_digits(1 - digit(3)[np.newaxis]) or "")


@without_data
def test_handwriting_is_like_the_digits() -> None:
    from conv_sheet.learning.data import load_data

    assert sum(unlike_digits(image) is not None for image in load_data(DATA).images) < 10
