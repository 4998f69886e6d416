"""Gradients and occlusions of classifiers, against PyTorch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from conv_sheet.learning import saliency
from conv_sheet.network.graph import Network
from conv_sheet.ops import Array
from conv_sheet.state import WorkbookState
from tests.networks import small, state_of

CONV: dict[str, Any] = {"name": "conv1", "kind": "Conv2d", "out_channels": 2, "kernel_size": 3}
POOL: dict[str, Any] = {"kind": "MaxPool2d", "kernel_size": 2}
DIGITS: dict[str, Any] = {
    "input": [1, 9, 8],
    "classes": ["0", "1", "2", "3"],
    "layers": [CONV, {"kind": "ReLU"}, POOL, {"kind": "Flatten"}, {"name": "fc", "kind": "Linear", "out_features": 4}],
}


def scores(state: WorkbookState, images: torch.Tensor) -> torch.Tensor:
    """What PyTorch makes of pictures (N, C, H, W): both networks here are conv, ReLU, max-pool and a linear layer."""
    weights = {name: torch.from_numpy(value) for name, value in state.tensors.items()}
    maps = F.max_pool2d(F.relu(F.conv2d(images, weights["conv1.weight"], weights["conv1.bias"])), 2)
    return F.linear(maps.flatten(1), weights["fc.weight"], weights["fc.bias"])


def torch_gradient(state: WorkbookState, number: int) -> Array:
    pixels = torch.from_numpy(state.image[None]).requires_grad_()
    (slopes,) = torch.autograd.grad(scores(state, pixels)[0, number], pixels)
    return np.asarray(slopes[0])


def torch_occlusion(state: WorkbookState, number: int, side: int) -> Array:
    """Pixel by pixel, the answer to the picture less that to the picture with zeros around the pixel."""
    softmax = state.network.output.layer.kind == "Softmax"

    def answer(image: Array) -> float:
        given = scores(state, torch.from_numpy(image[None]))
        return float((given.softmax(dim=1) if softmax else given)[0, number])

    falls = np.empty(state.image.shape[1:])
    for y, x in np.ndindex(*falls.shape):
        covered = state.image.copy()
        covered[:, max(0, y - side // 2) : y + side // 2 + 1, max(0, x - side // 2) : x + side // 2 + 1] = 0
        falls[y, x] = answer(state.image) - answer(covered)
    return falls


def digits(seed: int = 1) -> WorkbookState:
    return state_of(Network.from_spec(DIGITS), seed)


@pytest.mark.parametrize("make", [digits, lambda: state_of(small())], ids=["scores", "softmax"])
@pytest.mark.parametrize("number", [0, 2])
def test_maps_are_those_that_pytorch_makes(make: Callable[[], WorkbookState], number: int) -> None:
    state = make()
    slopes = saliency.gradient(state.network, state.activations, state.tensors, number)
    np.testing.assert_allclose(slopes, torch_gradient(state, number), rtol=0, atol=1e-10)
    assert saliency.patch(state.network) == (3, 1)
    falls = saliency.occlusion(state.network, state.image, state.tensors, number)
    np.testing.assert_allclose(falls, torch_occlusion(state, number, 3), rtol=0, atol=1e-10)
    assert np.abs(slopes).max() > 1e-3 < np.abs(falls).max()


def test_squares_go_further_where_pixel_by_pixel_would_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    state = digits()
    each = torch_occlusion(state, 1, 3)
    nodes = state.network.nodes
    work = sum(node.layer.multiply_adds(node.in_shape) + 100 * int(np.prod(node.out_shape)) for node in nodes)
    monkeypatch.setattr(saliency, "_WORK", 9 * work)
    assert saliency.patch(state.network) == (3, 3)
    falls = saliency.occlusion(state.network, state.image, state.tensors, 1)
    for y, x in np.ndindex(*falls.shape):
        middle = y // 3 * 3 + 1, min(x // 3 * 3 + 1, 7)
        np.testing.assert_allclose(falls[y, x], each[middle], rtol=0, atol=1e-10)


def test_dropout_that_is_on_treats_every_covered_picture_as_it_treats_the_whole_one() -> None:
    layers = [*DIGITS["layers"][:4], {"name": "drop", "kind": "Dropout"}, DIGITS["layers"][4]]
    state = state_of(Network.from_spec(DIGITS | {"layers": layers}))
    on = {**state.tensors, "conv1.bias": np.ones(2), "drop.active": np.array(1.0)}
    blank = np.zeros_like(state.image)
    np.testing.assert_array_equal(saliency.occlusion(state.network, blank, on, 0), 0.0)
    assert np.abs(saliency.occlusion(state.network, state.image, on, 0)).max() > 0


def test_a_picture_of_mnists_size_takes_no_time_to_speak_of() -> None:
    network = Network.from_spec(DIGITS | {"input": [1, 28, 28]})
    assert saliency.patch(network) == (5, 1)
    large = Network.from_spec(DIGITS | {"input": [3, 96, 96]})
    _, stride = saliency.patch(large)
    places = (-(-96 // stride)) ** 2
    assert places * sum(int(np.prod(node.out_shape)) for node in large.nodes) <= saliency._WORK
