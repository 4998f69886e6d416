import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from conv_sheet.errors import DataError
from conv_sheet.pictures import digits

# What the shapes of the figures say, whoever writes them (the 4 is an open one).
HOLES = {0: 1, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 1, 7: 0, 8: 2, 9: 1}

every_digit = pytest.mark.parametrize("n", range(10))
every_size = pytest.mark.parametrize("size", [8, 27, 28, 29, 32])


def regions(mask: NDArray[np.bool_]) -> int:
    """Connected parts of a mask, counted by filling them one after the other with Pillow."""
    picture = Image.fromarray(mask.astype(np.uint8) * 255).copy()  # a copy can be painted
    count = 0
    while (left := np.argwhere(np.asarray(picture) == 255)).size:
        y, x = left[0].tolist()
        ImageDraw.floodfill(picture, (x, y), 0)
        count += 1
    return count


@every_digit
@every_size
def test_values_fill_the_square_and_read_well(n: int, size: int) -> None:
    values = digits.digit(n, size)
    assert values.shape == (size, size)
    assert values.dtype == np.float64
    assert values.min() == 0
    assert 0.5 < values.max() <= 1
    assert [float(f"{value:.3f}") for value in values.flat] == values.ravel().tolist()


@every_digit
def test_ink_fills_the_box_of_mnist(n: int) -> None:
    ink = digits.digit(n) > 0
    height, width = np.ptp(np.argwhere(ink), axis=0) + 1
    assert 18 < max(height, width) <= 20


@every_digit
@pytest.mark.parametrize("size", [8, 15, 20, 28])
def test_mass_is_central(n: int, size: int) -> None:
    values = digits.digit(n, size)
    mass = (np.indices(values.shape) * values).sum(axis=(1, 2)) / values.sum()
    assert mass == pytest.approx([size // 2, size // 2], abs=0.1)


@every_digit
def test_smallest_squares_hold_some_ink(n: int) -> None:
    for size in range(1, 8):
        values = digits.digit(n, size)
        assert values.shape == (size, size)
        assert 0.3 < values.max() <= 1


@every_digit
def test_outermost_pixels_are_empty(n: int) -> None:
    values = digits.digit(n)
    assert values.any()
    assert np.count_nonzero(values) == np.count_nonzero(values[1:-1, 1:-1])


@every_digit
def test_figure_is_one_piece_with_its_holes(n: int) -> None:
    enlarged = Image.fromarray(digits.digit(n).astype(np.float32)).resize((112, 112), Image.Resampling.BILINEAR)
    ink = np.asarray(enlarged) > 0.5
    assert regions(ink) == 1
    assert regions(~ink) == 1 + HOLES[n]


@every_digit
@pytest.mark.parametrize(("size", "first"), [(29, 0), (32, 2), (64, 18)])
def test_larger_sizes_are_padded(n: int, size: int, first: int) -> None:
    values = digits.digit(n, size)
    inner = values[first : first + 28, first : first + 28]
    assert np.array_equal(inner, digits.digit(n))
    assert np.count_nonzero(values) == np.count_nonzero(inner)


def test_digits_are_ten_different_pictures() -> None:
    ten = digits.digits()
    assert ten.shape == (10, 28, 28)
    assert all(np.array_equal(ten[n], digits.digit(n)) for n in range(10))
    assert len(np.unique(ten.reshape(10, -1), axis=0)) == 10


def test_pen_draws_what_pillow_draws() -> None:
    (x0, y0), (x1, y1), pen, fine = (6.0, 9.0), (19.0, 17.0), 3.0, 16
    large = Image.new("L", (28 * fine, 28 * fine))
    draw = ImageDraw.Draw(large)
    ends = [((x + 0.5) * fine, (y + 0.5) * fine) for x, y in ((x0, y0), (x1, y1))]
    draw.line(ends, fill=255, width=round(pen * fine))
    for end in ends:
        draw.circle(end, pen * fine / 2, fill=255)
    expected = np.asarray(large.reduce(fine)) / 255
    drawn = digits._ink(np.array([[[x0, y0], [x1, y1]]]), pen, 28)
    assert drawn == pytest.approx(expected, abs=0.12)
    assert drawn.sum() == pytest.approx(pen * np.hypot(x1 - x0, y1 - y0) + np.pi * pen**2 / 4, rel=0.01)


def test_curve_passes_through_its_points_without_corners() -> None:
    points = np.array([[0.0, 0.0], [3.0, 4.0], [7.0, 4.0], [9.0, 1.0]])
    line = digits._smooth(points)
    assert all(np.abs(line - point).sum(axis=1).min() < 1e-12 for point in points)
    steps = np.diff(line, axis=0)
    turns = np.abs(np.diff(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))))
    assert turns.max() < np.radians(12)


@pytest.mark.parametrize("n", [-1, 10])
def test_other_figures_do_not_exist(n: int) -> None:
    with pytest.raises(DataError, match=rf"^there is no sample digit {n}: choose one from 0 to 9$"):
        digits.digit(n)


@pytest.mark.parametrize("size", [-28, 0])
def test_too_small_a_square_is_refused(size: int) -> None:
    with pytest.raises(DataError, match=rf"^a sample digit cannot be {size}×{size}: choose a size of 1 or"):
        digits.digit(3, size)
