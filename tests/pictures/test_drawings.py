import numpy as np
import pytest

from conv_sheet.errors import DataError
from conv_sheet.lessons import load, names
from conv_sheet.pictures.drawings import COLOURS, FORMS, PICTURES, Disc, box, draw, form, painted

WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("shape", [(3, 12, 12), (1, 28, 28), (2, 9, 14), (3, 1, 1)])
def test_every_picture_in_every_shape(name: str, shape: tuple[int, int, int]) -> None:
    values = draw(name, shape)
    assert values.shape == shape
    assert values.min() >= 0 and values.max() <= 1
    np.testing.assert_array_equal(values, values.round(2))


def test_the_area_of_a_disc() -> None:
    light = painted([(BLACK, box(-1, -1, 101, 101)), (WHITE, Disc(50, 50, 30))], 40, 40)
    assert light[0].sum() / 40**2 == pytest.approx(np.pi * 0.3**2, rel=5e-3)


@pytest.mark.parametrize(("name", "area"), [("square", 4 * 20**2), ("triangle", 0.75 * 3**0.5 * 24**2)])
@pytest.mark.parametrize("turn", [0, 13, 45, 300])
def test_the_area_of_a_polygon_does_not_depend_on_its_turn(name: str, area: float, turn: float) -> None:
    light = painted([(BLACK, box(-1, -1, 101, 101)), (WHITE, form(name, size=20, turn=turn))], 50, 50)
    assert light[0].mean() * 100**2 == pytest.approx(area, rel=2e-2)


def test_the_last_shape_is_on_top() -> None:
    light = painted([(WHITE, box(0, 0, 100, 100)), (BLACK, box(0, 0, 50, 100))], 2, 2)
    assert light[0].tolist() == [[0, 1], [0, 1]]


def test_one_channel_is_ink_and_three_are_light() -> None:
    """A white moon in a night that is nearly black: much light and no ink."""
    light, ink = draw("balloons", (3, 20, 20)), draw("balloons", (1, 20, 20))
    np.testing.assert_array_equal(light[:, 4, 16], 1)
    assert ink[0, 4, 16] == 0
    assert ink[0, 19, 0] > 0.95
    np.testing.assert_array_equal(draw("house", (2, 9, 9)), draw("house", (1, 9, 9)).repeat(2, axis=0))


def test_a_wide_picture_has_its_square_in_the_middle() -> None:
    np.testing.assert_array_equal(draw("house", (3, 16, 20))[:, :, 2:18], draw("house", (3, 16, 16)))


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("name", FORMS)
def test_a_shape_has_its_colour(colour: str, name: str) -> None:
    middle = draw(f"{colour} {name}", (3, 15, 15))[:, 7, 7]
    assert list(COLOURS)[int(middle.argmax())] == colour


def test_an_unknown_picture_is_told() -> None:
    with pytest.raises(DataError, match=r"^there is no picture 'horse'; there are house, "):
        draw("horse", (1, 8, 8))


def test_the_lessons_pictures_are_there() -> None:
    wanted = {load(name).lesson.picture for name in names()} - {""}
    assert {"house", "balloons", "red circle"} <= wanted <= set(PICTURES)
