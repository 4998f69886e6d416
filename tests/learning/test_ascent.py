"""Pictures that a network makes, against the same steps in PyTorch."""

import numpy as np
import pytest
import torch

from conv_sheet.learning import ascent
from conv_sheet.pictures.samples import sample
from conv_sheet.state import WorkbookState
from tests.learning.seen import slopes, twin, up_to
from tests.networks import fastai

SHAPE = 1, 28, 28


@pytest.fixture(scope="module")
def state() -> WorkbookState:
    return fastai()


def step(picture: torch.Tensor, slope: torch.Tensor, reach: float) -> torch.Tensor:
    return (picture + reach * slope / slope.abs().max()).clamp(0, 1)


def assert_close(found: np.ndarray, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("number", range(10))
def test_pictures_of_a_class(state: WorkbookState, number: int) -> None:
    found = ascent.of_classes(state.network, state.tensors)
    model, picture = twin(state), torch.tensor(ascent.noise(state.network)[None])
    assert 0 <= picture.min() < 0.01 < 0.19 < picture.max() <= 0.2
    wanted = torch.eye(10, dtype=torch.float64)[number]
    scores = []
    for made in range(1, 31):
        slope = slopes(model, "fc", picture, wanted) - 0.5 * picture
        picture = step(picture, slope, 0.05)
        scores.append((up_to(model, "fc", picture) * wanted).sum().item())
        if made in ascent.SNAPSHOTS:
            assert_close(found[number, ascent.SNAPSHOTS.index(made)], picture[0])
    assert scores[0] < scores[9] < scores[-1]
    assert up_to(model, "fc", picture).softmax(1)[0, number] > 0.999


@pytest.mark.parametrize("digit", [7, 4])
def test_a_picture_becomes_every_other_class(state: WorkbookState, digit: int) -> None:
    first = sample(f"digit {digit}", SHAPE)
    found = ascent.fooled(state.network, state.tensors, first)
    model = twin(state)
    for number in range(10):
        picture = torch.tensor(first[None])
        wanted = torch.zeros(10, dtype=torch.float64)
        wanted[number] += 1
        wanted[digit] -= 1
        done = 0
        while up_to(model, "fc", picture).softmax(1)[0, number] < 0.9:
            picture = step(picture, slopes(model, "fc", picture, wanted), 0.05)
            done += 1
        assert found.steps[number] == done
        assert_close(found.pictures[number], picture[0])
    assert found.steps[digit] == 0
    assert np.delete(found.steps, digit).min() > 0


@pytest.mark.parametrize("name", ["relu1", "relu2", "pool", "fc"])
def test_a_picture_is_made_anew_from_a_layer(state: WorkbookState, name: str) -> None:
    first = sample("digit 7", SHAPE)
    found = ascent.rebuilt(state.network, state.tensors, first, name)
    model, picture = twin(state), torch.tensor(ascent.noise(state.network)[None])
    with torch.no_grad():
        wanted = up_to(model, name, torch.tensor(first[None]))
        before = (up_to(model, name, picture) - wanted).square().sum()
    for number in range(60):
        with torch.no_grad():
            apart = wanted - up_to(model, name, picture)
        picture = step(picture, slopes(model, name, picture, apart), 0.2 * (1 - number / 60))
    assert_close(found, picture[0])
    assert (up_to(model, name, picture) - wanted).square().sum() < before / 8


def test_a_picture_without_any_slope_stays(state: WorkbookState) -> None:
    pictures = np.stack([np.full(SHAPE, 0.5), np.full(SHAPE, 0.5)])
    slope = np.zeros_like(pictures)
    slope[1, 0, 3, 4], slope[1, 0, 3, 5] = -4.0, 20.0
    made = ascent.moved(pictures, slope, 0.6)
    np.testing.assert_array_equal(made[0], pictures[0])
    assert (made[1, 0, 3, 4], made[1, 0, 3, 5]) == (0.38, 1.0)
