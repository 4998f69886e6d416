from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.learning.augment import Augmentation, sample
from conv_sheet.ops import Array

STILL = Augmentation(degrees=0.0, translate=0.0, scale=(1.0, 1.0), shear=0.0, elastic=0.0)


class Highest:
    """In the place of a generator: each draw is the highest that there is."""

    def uniform(self, low: float, high: float, size: tuple[int, ...]) -> Array:
        return np.full(size, high)


def highest(images: Array, **limits: Any) -> Array:
    return replace(STILL, **limits)(images, cast(np.random.Generator, Highest()))


def pictures(*shape: int) -> Array:
    return np.random.default_rng(0).uniform(size=shape)


def ramps(count: int, size: int) -> Array:
    """Pictures of their own column numbers: what is read from them is where it was read."""
    return np.broadcast_to(np.arange(float(size)), (count, 1, size, size))


@given(
    st.tuples(*[st.integers(1, 3)] * 2, *[st.integers(2, 6)] * 2),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.integers(0, 2**32 - 1),
)
def test_sample_is_torch_s_grid_sample(shape: tuple[int, int, int, int], out: tuple[int, int], seed: int) -> None:
    count, _, height, width = shape
    rng = np.random.default_rng(seed)
    images = rng.normal(size=shape)
    rows, columns = (rng.uniform(-2.0, size + 1.0, (count, *out)) for size in (height, width))
    grid = np.stack((2 * columns / (width - 1) - 1, 2 * rows / (height - 1) - 1), axis=-1)
    expected = F.grid_sample(torch.tensor(images), torch.tensor(grid), align_corners=True)
    np.testing.assert_allclose(sample(images, rows, columns), expected.numpy(), atol=1e-9)


def test_sample_on_pixels_gives_the_pixels_and_beyond_the_edge_zero() -> None:
    images = pictures(1, 1, 2, 2)
    rows, columns = np.meshgrid(np.arange(-1.0, 3.0), np.arange(-1.0, 3.0), indexing="ij")
    np.testing.assert_array_equal(sample(images, rows[None], columns[None])[0, 0], np.pad(images[0, 0], 1))


def test_sample_refuses_coordinates_for_another_number_of_pictures() -> None:
    with pytest.raises(ShapeError, match=r"rows \(2, 3, 3\) and columns \(2, 3, 3\) are not \(N, H, W\) with N=4"):
        sample(np.zeros((4, 1, 3, 3)), np.zeros((2, 3, 3)), np.zeros((2, 3, 3)))


def test_nothing_allowed_changes_nothing() -> None:
    images = pictures(3, 2, 7, 5)
    np.testing.assert_array_equal(STILL(images, np.random.default_rng(0)), images)


def test_quarter_turn() -> None:
    images = pictures(2, 1, 6, 6)
    turned = np.rot90(images, axes=(2, 3))
    np.testing.assert_allclose(highest(images, degrees=90.0), turned, atol=1e-12)


def test_shift_down_and_to_the_right() -> None:
    images = pictures(2, 1, 8, 4)
    expected = np.zeros_like(images)
    expected[:, :, 2:, 1:] = images[:, :, :-2, :-1]
    np.testing.assert_allclose(highest(images, translate=0.25), expected, atol=1e-12)


def test_all_together_is_torch_s_affine_grid() -> None:
    images = pictures(2, 3, 9, 9)
    turn, slant, zoom, shift = np.radians(20.0), np.tan(np.radians(15.0)), 1.3, 0.1
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = turned @ np.array([[1.0, slant], [0.0, 1.0]]) / zoom
    affine = np.column_stack((linear, linear @ [-2 * shift, -2 * shift]))
    grid = F.affine_grid(torch.tensor(np.stack([affine] * 2)), list(images.shape), align_corners=False)
    expected = F.grid_sample(torch.tensor(images), grid, align_corners=False)
    distorted = highest(images, degrees=20.0, shear=15.0, scale=(1.0, 1.3), translate=0.1)
    np.testing.assert_allclose(distorted, expected.numpy(), atol=1e-12)


def test_shifts_fill_their_range_and_stay_in_it() -> None:
    images = ramps(500, 20)
    moved = replace(STILL, translate=0.1)(images, np.random.default_rng(0))
    shifts = (images - moved)[:, 0, 10, 10]
    assert -2.0 <= shifts.min() < -1.95
    assert 1.95 < shifts.max() <= 2.0


def test_elastic_warp_has_the_deviation_and_the_smoothness_asked_for() -> None:
    images = ramps(2000, 33)
    warped = replace(STILL, elastic=0.8, smoothness=2.0)(images, np.random.default_rng(0))
    displacements = (warped - images)[:, 0, 16, 14:19]
    assert np.std(displacements) == pytest.approx(0.8, rel=0.05)
    correlation = np.corrcoef(displacements[:, 0], displacements[:, 2])[0, 1]
    assert correlation == pytest.approx(np.exp(-(2**2) / (4 * 2.0**2)), abs=0.03)


def test_same_seed_same_pictures_and_each_drawn_for_itself() -> None:
    images = np.repeat(pictures(1, 1, 12, 12), 2, axis=0)
    augmentation = Augmentation(elastic=0.5)
    first, again, other = (augmentation(images, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"degrees": -1.0}, r"augmentation: degrees=-1\.0 must be 0 or more"),
        ({"translate": float("nan")}, r"translate=nan must be 0 or more"),
        ({"shear": 90.0}, r"shear=90\.0 must be below 90 degrees"),
        ({"scale": (0.0, 1.0)}, r"scale=\(0\.0, 1\.0\) must be a range above 0"),
        ({"scale": (1.1, 0.9)}, r"scale=\(1\.1, 0\.9\) must be a range above 0"),
        ({"smoothness": 0.0}, r"smoothness=0\.0 must be above 0"),
    ],
)
def test_impossible_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        replace(STILL, **options)
