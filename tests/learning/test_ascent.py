"""Pictures that a network makes, against the same steps in PyTorch."""

import numpy as np
import pytest
import torch

from conv_sheet.learning import ascent
from conv_sheet.ops import Array
from conv_sheet.pictures.samples import sample
from conv_sheet.state import WorkbookState
from tests.learning.seen import made_again, made_another, of_class, shares, twin, up_to
from tests.networks import fastai

SHAPE = 1, 28, 28


@pytest.fixture(scope="module")
def state() -> WorkbookState:
    return fastai()


def assert_close(found: Array, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-10)


def test_noise_is_the_same_every_time(state: WorkbookState) -> None:
    noise = ascent.noise(state.network)
    np.testing.assert_array_equal(noise, ascent.noise(state.network))
    assert 0 <= noise.min() < 0.01 < 0.19 < noise.max() <= ascent.NOISE


@pytest.mark.parametrize("number", range(10))
def test_pictures_of_a_class(state: WorkbookState, number: int) -> None:
    found = ascent.of_classes(state.network, state.tensors)
    made, model = of_class(state, number, ascent.noise(state.network)), twin(state)
    for place, steps in enumerate(ascent.SNAPSHOTS):
        assert_close(found[number, place], made[steps - 1][0])
    scores = [model(picture)[0, number].item() for picture in made]
    assert scores[0] < scores[9] < scores[-1]
    assert shares(model, made[-1])[number] > 0.999


@pytest.mark.parametrize("digit", [7, 4])
def test_a_picture_becomes_every_other_class(state: WorkbookState, digit: int) -> None:
    first = sample(f"digit {digit}", SHAPE)
    found = ascent.fooled(state.network, state.tensors, first)
    for number in range(10):
        picture, steps = made_another(state, first, digit, number)
        assert found.steps[number] == steps
        assert_close(found.pictures[number], picture[0])
    assert found.steps[digit] == 0
    assert np.delete(found.steps, digit).min() > 0


@pytest.mark.parametrize("name", ["relu1", "relu2", "pool", "fc"])
def test_a_picture_is_made_anew_from_a_layer(state: WorkbookState, name: str) -> None:
    first, noise = sample("digit 7", SHAPE), ascent.noise(state.network)
    picture, model = made_again(state, first, name, noise), twin(state)
    assert_close(ascent.rebuilt(state.network, state.tensors, first, name), picture[0])
    wanted, before, after = (
        up_to(model, name, one) for one in (torch.tensor(first[None]), torch.tensor(noise[None]), picture)
    )
    assert (after - wanted).square().sum() < (before - wanted).square().sum() / 8


def test_a_picture_without_any_slope_stays() -> None:
    pictures = np.full((2, *SHAPE), 0.5)
    slope = np.zeros_like(pictures)
    slope[1, 0, 3, 4], slope[1, 0, 3, 5] = -4.0, 20.0
    made = ascent.moved(pictures, slope, 0.6)
    np.testing.assert_array_equal(made[0], pictures[0])
    assert (made[1, 0, 3, 4], made[1, 0, 3, 5]) == (0.38, 1.0)
