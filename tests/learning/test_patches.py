"""The patches that excite a map most, against PyTorch."""

import numpy as np
import pytest
import torch

from conv_sheet.learning import patches
from conv_sheet.network.graph import Network
from conv_sheet.pictures.drawings import PICTURES
from conv_sheet.pictures.samples import DIGITS, sample
from tests.learning.seen import twin, up_to
from tests.networks import fastai, state_of

NAMES = (*DIGITS, *PICTURES)


@pytest.mark.parametrize(("name", "size"), [("relu1", 3), ("relu2", 5)])
def test_the_strongest_answers_of_each_map_and_what_is_seen_there(name: str, size: int) -> None:
    state = fastai()
    pictures = np.stack([sample(one, state.network.input_shape) for one in NAMES])
    found = patches.strongest(state.network, pictures, state.tensors, name, 9, size)
    model = twin(state)
    with torch.no_grad():
        maps = up_to(model, name, torch.tensor(pictures))
        best = maps.flatten(2).max(dim=2).values.sort(dim=0, descending=True).values
        for channel, each in enumerate(found):
            np.testing.assert_allclose([p.value for p in each], best[:9, channel].numpy(), rtol=0, atol=1e-10)
            assert len({p.picture for p in each}) == 9
            again = up_to(model, name, torch.tensor(np.stack([p.pixels for p in each])))[:, channel, 0, 0]
            np.testing.assert_allclose(again.numpy(), [p.value for p in each], rtol=0, atol=1e-10)


def test_a_patch_with_more_than_the_field_has_it_in_the_middle() -> None:
    state = fastai()
    pictures = np.zeros((1, 1, 28, 28))
    pictures[0, 0, 0, :3] = 1.0
    ((one, *_), _) = patches.strongest(state.network, pictures, state.tensors, "relu1", 1, 5)
    assert (one.row, one.column, one.value) == (0, 0, 3.0)
    np.testing.assert_array_equal(one.pixels[0, 1:4, 1:4], pictures[0, 0, :3, :3])
    assert one.pixels.sum() == 3.0


LAYERS = [
    {"name": "a", "kind": "Conv2d", "out_channels": 2, "kernel_size": [3, 2], "padding": 1, "stride": [2, 1]},
    {"name": "b", "kind": "AvgPool2d", "kernel_size": 2},
    {"name": "c", "kind": "Conv2d", "out_channels": 1, "kernel_size": 3, "dilation": [1, 2]},
]


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_the_field_is_what_a_gradient_reaches(name: str) -> None:
    network = Network.from_spec({"input": [1, 20, 16], "layers": LAYERS})
    state = state_of(network)
    rows, columns = patches.field(network, name)
    upstream = np.zeros_like(state.activations[name])
    y, x = (size // 2 for size in upstream.shape[2:])
    upstream[0, :, y, x] = 1
    back = network.backward(upstream, state.activations, state.tensors, start=name)["input"][0, 0]
    down, right = np.nonzero(back)
    top, left = y * rows.stride - rows.before, x * columns.stride - columns.before
    assert (down.min(), down.max()) == (top, top + rows.size - 1)
    assert (right.min(), right.max()) == (left, left + columns.size - 1)


def test_only_what_lies_in_the_picture_counts_where_a_map_is_padded() -> None:
    layer = {"name": "a", "kind": "Conv2d", "out_channels": 2, "kernel_size": 3, "padding": 1, "stride": 2}
    state = state_of(Network.from_spec({"input": [1, 9, 7], "layers": [layer]}))
    found = patches.strongest(state.network, state.image[np.newaxis], state.tensors, "a", 1, 3)
    for channel, (one,) in enumerate(found):
        answer = (one.pixels * state.tensors["a.weight"][channel]).sum() + state.tensors["a.bias"][channel]
        np.testing.assert_allclose(one.value, answer, rtol=0, atol=1e-12)
        inner = state.activations["a"][0, channel, 1:4, 1:3]
        assert one.value == inner.max()
        np.testing.assert_array_equal(one.pixels[0], state.image[0, 2 * one.row - 1 :, 2 * one.column - 1 :][:3, :3])
