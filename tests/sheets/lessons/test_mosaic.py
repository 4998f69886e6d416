import re
from itertools import product

import numpy as np

from conv_sheet.cells.expr import Expr
from conv_sheet.ops import Array
from conv_sheet.sheets.lessons.mosaic import COLOURS, LEVELS, code


def lights(colour: str) -> list[float]:
    return [int(digits, 16) / 255 for digits in re.findall("..", colour)]


def codes(light: Array) -> Array:
    """Numbers of the colours (H, W) for light (3, H, W)."""
    return np.asarray(code(*(Expr(plane, letter) for plane, letter in zip(light, "ABC", strict=True))).value)


def test_every_colour_is_another_and_from_black_to_white() -> None:
    assert len(set(COLOURS)) == LEVELS**3
    assert (COLOURS[0], COLOURS[-1], COLOURS[len(COLOURS) // 2]) == ("000000", "FFFFFF", "808080")


def test_the_number_is_that_of_the_nearest_colour() -> None:
    light = np.random.default_rng(3).random((3, 20, 20))
    palette = np.array([lights(colour) for colour in COLOURS])
    distances = np.abs(palette[:, :, None, None] - light).sum(axis=1)
    chosen = np.take_along_axis(distances, codes(light).astype(int)[None], axis=0)[0]
    np.testing.assert_allclose(chosen, distances.min(axis=0), atol=2 / 255)


def test_what_is_beyond_is_the_end() -> None:
    for levels in product((-2.0, 0.1, 3.0), repeat=3):
        light = np.array(levels).reshape(3, 1, 1)
        np.testing.assert_array_equal(codes(light), codes(light.clip(0, 1)))
