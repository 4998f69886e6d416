"""The lesson `channels`, its choices made in LibreOffice and compared with PyTorch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from conv_sheet.errors import SpecError
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import registry
from conv_sheet.sheets.lessons import channels, mixing
from conv_sheet.state import WorkbookState
from tests import lessons, networks
from tests.oracles import gnumeric, libreoffice, validator
from tests.sheets import agreement

state, path, book = lessons.fixtures("channels")


def tensor(state: WorkbookState, name: str) -> torch.Tensor:
    return torch.tensor(state.tensors[name])


def first(state: WorkbookState, image: Array) -> torch.Tensor:
    return F.conv2d(torch.tensor(image)[None], tensor(state, "conv1.weight"), tensor(state, "conv1.bias"), padding=1)


def assert_close(book: Any, name: str, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(lessons.numbers(book, name), expected.numpy(), rtol=0, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("number", [4, 3, 2, 1])
def test_every_map_taken_apart(book: Any, state: WorkbookState, number: int) -> None:
    image = state.image.copy()
    image[2, 3:6, 4:9] = 0.625
    lessons.put(book, channels_map=float(number), input_3=image[2])
    weight = tensor(state, "conv1.weight")[number - 1 : number]
    for c, colour in enumerate(channels.COLOURS):
        alone = F.conv2d(torch.tensor(image[None, c : c + 1]), weight[:, c : c + 1], padding=1)
        assert_close(book, f"channels_{colour}", alone[0, 0])
    whole = first(state, image)[0, number - 1]
    assert_close(book, "channels_sum", whole)
    assert_close(book, "channels_out", whole.relu())
    assert_close(book, f"conv1_out_{number}", whole.relu())
    assert "the same as this map on Network" in lessons.texts(book, "Channels")


@pytest.mark.parametrize(("row", "column"), [(1, 1), (12, 12), (5, 8)])
def test_a_1x1_convolution_at_a_pixel(book: Any, state: WorkbookState, row: int, column: int) -> None:
    lessons.put(book, channels_row=float(row), channels_column=float(column), input_3=state.image[2])
    mixed = F.conv2d(first(state, state.image).relu(), tensor(state, "mix.weight"), tensor(state, "mix.bias"))
    assert_close(book, "channels_mixed", mixed[0, :, row - 1, column - 1 : column])


def test_a_depthwise_convolution_keeps_maps_apart(book: Any, state: WorkbookState) -> None:
    weight = np.random.default_rng(5).uniform(-1, 1, (3, 3)).round(3)
    lessons.put(book, input_3=state.image[2], depthwise_weight_2_1=weight)
    mixed = F.conv2d(first(state, state.image).relu(), tensor(state, "mix.weight"), tensor(state, "mix.bias"))
    kernels = tensor(state, "depthwise.weight").clone()
    kernels[1, 0] = torch.tensor(weight)
    made = F.conv2d(mixed, kernels, padding=1, groups=3)[0]
    for c, colour in enumerate(channels.COLOURS):
        assert_close(book, f"mixing_{colour}", made[c])
        assert_close(book, f"depthwise_out_{c + 1}", made[c])


@pytest.mark.parametrize("sizes", [(3, 4, 3, 12, 12), (16, 32, 5, 7, 9), (512, 512, 3, 14, 14)])
def test_multiplications(book: Any, sizes: tuple[int, int, int, int, int]) -> None:
    """As many as a layer of PyTorch has weights, at every place of its output."""
    maps_in, maps_out, kernel, rows, columns = sizes
    names = ("count_in", "count_out", "count_kernel", "count_rows", "count_columns")
    lessons.put(book, **dict(zip(names, map(float, sizes), strict=True)))
    layers = {
        "whole": nn.Conv2d(maps_in, maps_out, kernel),
        "depthwise": nn.Conv2d(maps_in, maps_in, kernel, groups=maps_in),
        "pointwise": nn.Conv2d(maps_in, maps_out, 1),
    }
    counts = {name: layer.weight.numel() * rows * columns for name, layer in layers.items()}
    found = {name: lessons.numbers(book, f"count_{name}").item() for name in (*counts, "both", "part", "law")}
    assert {name: found[name] for name in counts} == counts
    assert found["both"] == counts["depthwise"] + counts["pointwise"]
    assert found["part"] == pytest.approx(found["both"] / counts["whole"], abs=1e-12)
    assert found["law"] == pytest.approx(found["part"], abs=1e-12)


def test_the_lessons_own_layers_are_those_that_are_counted(book: Any, state: WorkbookState) -> None:
    work = {
        name: node.layer.multiply_adds(node.in_shape) for name in channels.LAYERS for node in [state.network.node(name)]
    }
    names = {"whole": "conv1", "depthwise": "depthwise", "pointwise": "pointwise"}
    found = {name: lessons.numbers(book, f"conv1_{name}").item() for name in names}
    assert found == {name: work[layer] for name, layer in names.items()}


def test_the_picture_is_seen_in_its_colours(path: Path, tmp_path: Path) -> None:
    """LibreOffice prints red, yellow and green balloons in front of the night."""
    pages = [np.asarray(Image.open(page).convert("RGB")) for page in libreoffice.to_png(path, tmp_path)]
    shares = {
        colour: max(float((page == colour).all(axis=-1).mean()) for page in pages)
        for colour in [(255, 0, 0), (255, 255, 0), (0, 191, 64), (0, 0, 64)]
    }
    assert min(shares.values()) > 5e-4, shares


def test_other_programs_agree_after_changes(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    changes = {name: rng.normal(size=value.shape).round(3) for name, value in state.tensors.items()}
    items = (*channels.inputs(state.layout, state.lesson), *mixing.inputs(state.layout, state.lesson))
    asked = {item.name: item.limits.low + 1 for item in items}
    edits = changes | asked | {"input": rng.random(state.image.shape).round(3)}
    edited = agreement.edited(path, tmp_path / "edited.xlsx", state, edits)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    for file in (answer, gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx")):
        for title in (channels.CHANNELS, mixing.MIXING):
            assert agreement.differences(file, state.with_typed(edits), title) == []


def test_the_workbook_keeps_its_promises(path: Path, state: WorkbookState) -> None:
    assert validator.sdk_findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in state.lesson.tries]


def test_slices_say_what_they_read(state: WorkbookState) -> None:
    """Colours, or maps by number: of two groups over four maps, the second reads 3 and 4."""
    layers = [CONV | {"out_channels": 4}, {"name": "two", "kind": "Conv2d", "out_channels": 6, "kernel_size": 3}]
    layers[1]["groups"] = 2
    grouped = networks.state_of(Network.from_spec({"input": [3, 9, 9], "layers": layers}))
    for one, name, said in (
        (state, "conv1", ["red", "green", "blue"] * 4),
        (state, "mix", ["map 1", "map 2", "map 3", "map 4"] * 3),
        (grouped, "two", ["map 1", "map 2"] * 3 + ["map 3", "map 4"] * 3),
    ):
        page = agreement.page(one, "Network")
        blocks = one.layout.by_name[name].own["weight"].blocks
        found = [page.value(block.row - 1, block.column) for block in blocks]
        assert [str(label).rpartition(": ")[2] for label in found] == said


CONV = {"name": "conv1", "kind": "Conv2d", "out_channels": 2, "kernel_size": 5, "padding": 2}
MIX = {"name": "mix", "kind": "Conv2d", "out_channels": 3, "kernel_size": 1}
POINTWISE = {"name": "pointwise", "kind": "Conv2d", "out_channels": 3, "kernel_size": 1}
DEPTHWISE = POINTWISE | {"name": "depthwise", "groups": 3}


def taken_apart(conv: dict[str, Any], channels: int = 3, depthwise: dict[str, Any] = DEPTHWISE) -> WorkbookState:
    layers = [conv, {"kind": "ReLU"}, MIX, depthwise, POINTWISE]
    network = Network.from_spec({"input": [channels, 9, 7], "layers": layers})
    return networks.state_of(network, lesson=Lesson(sheets=("channels", "mixing")))


def test_other_sizes(tmp_path: Path) -> None:
    state = taken_apart(CONV)
    (answer,) = libreoffice.recalculate([networks.written(tmp_path, state)], tmp_path / "out")
    for title in (channels.CHANNELS, mixing.MIXING):
        assert agreement.differences(answer, state, title) == []


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (taken_apart(CONV | {"stride": 2}), "with a padding that keeps the size"),
        (taken_apart(CONV | {"kernel_size": [5, 3], "padding": [2, 1]}), "of square kernels"),
        (taken_apart(CONV, channels=1), "an input of 3 channels"),
        (taken_apart(CONV | {"name": "other"}), "there is no 'conv1'"),
        (taken_apart(CONV, depthwise=DEPTHWISE | {"groups": 1}), "'depthwise' with groups = 3"),
    ],
)
def test_a_network_that_it_cannot_show_is_told(made: WorkbookState, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        registry.pages(made)
