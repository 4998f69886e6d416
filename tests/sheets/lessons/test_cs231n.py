"""The lesson `cs231n`: its filters as pictures, its choices made in LibreOffice, its answers from PyTorch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from conv_sheet.cells.inputs import InputValue
from conv_sheet.errors import SpecError
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.pictures.drawings import draw
from conv_sheet.sheets import images, registry
from conv_sheet.sheets.lessons import filters
from conv_sheet.state import WorkbookState
from scripts.shapes import coloured
from tests import lessons, networks
from tests.oracles import gnumeric, libreoffice, validator
from tests.sheets import agreement

state, path, book = lessons.fixtures("cs231n")


def answers(state: WorkbookState, x: torch.Tensor) -> list[str]:
    """What the course's three-layer network, by PyTorch, says of pictures (N, 3, 12, 12)."""
    weights = {name: torch.tensor(value) for name, value in state.tensors.items()}
    x = F.conv2d(x, weights["conv1.weight"], weights["conv1.bias"], padding=1).relu()
    x = F.max_pool2d(x, 2).flatten(1)
    x = F.linear(x, weights["affine1.weight"], weights["affine1.bias"]).relu()
    scores = F.linear(x, weights["affine2.weight"], weights["affine2.bias"])
    return [state.network.classes[int(number)] for number in scores.argmax(dim=1)]


def test_it_recognises_shapes_that_it_has_not_seen(state: WorkbookState) -> None:
    rng = np.random.default_rng(2024)
    names = [name for name in state.network.classes for _ in range(40)]
    drawn = (
        np.stack([coloured(colour, form, rng) for colour, form in map(str.split, names)]).transpose(0, 3, 1, 2) / 255.0
    )
    right = [said == name for said, name in zip(answers(state, torch.tensor(drawn)), names, strict=True)]
    assert np.mean(right) > 0.96


def test_every_picture_of_the_gallery_is_recognised_in_the_cells(book: Any, state: WorkbookState) -> None:
    """Chosen in the drop-down, calculated by LibreOffice."""
    for name in state.network.classes:
        lessons.put(book, picture=name)
        assert lessons.shown(book, "prediction")[0][0] == name
        assert answers(state, torch.tensor(draw(name, (3, 12, 12)))[None]) == [name]


@pytest.mark.parametrize("number", [32, 30, 29, 1])
def test_a_filter_in_numbers(book: Any, state: WorkbookState, number: int) -> None:
    name = "green square"
    lessons.put(book, filter=float(number), picture=name)
    weight, bias = (torch.tensor(state.tensors[f"conv1.{short}"]) for short in ("weight", "bias"))
    for c, colour in enumerate(filters.COLOURS):
        np.testing.assert_array_equal(lessons.numbers(book, f"filter_{colour}"), weight[number - 1, c].numpy())
    made = F.conv2d(torch.tensor(draw(name, (3, 12, 12)))[None], weight, bias, padding=1).relu()[0, number - 1]
    np.testing.assert_allclose(lessons.numbers(book, "filter_map"), made.numpy(), rtol=0, atol=1e-9)
    assert f"conv1_out_{number}, what it makes of the picture" in lessons.texts(book, "Filters")


def levels(codes: Array) -> Array:
    """Red, green and blue from 0 to 4 in the numbers of colours."""
    return np.stack([codes // 25, codes // 5 % 5, codes % 5])


@pytest.mark.parametrize("name", ["red triangle", "blue circle"])
def test_the_tiles_are_the_filters_sorted_by_response_and_scaled(book: Any, state: WorkbookState, name: str) -> None:
    """The sums of PyTorch's maps; colours are scaled by a filter's largest weight."""
    weight = state.tensors["conv1.weight"].copy()
    weight[4] = 0.0
    lessons.put(book, picture=name, **{f"conv1_weight_5_{c}": np.zeros((3, 3)) for c in (1, 2, 3)})
    x, bias = torch.tensor(draw(name, (3, 12, 12)))[None], torch.tensor(state.tensors["conv1.bias"])
    sums = F.conv2d(x, torch.tensor(weight), bias, padding=1).relu().sum(dim=(0, 2, 3))
    np.testing.assert_allclose(lessons.numbers(book, "filter_responses")[:, 0], sums.numpy(), rtol=0, atol=1e-9)
    grid = lessons.shown(book, "filter_tiles")
    for place, number in enumerate(torch.argsort(sums, descending=True, stable=True).tolist()):
        top, left = place // 8 * 5, place % 8 * 5
        tile = np.array([row[left : left + 3] for row in grid[top : top + 3]], dtype=float)
        exact = 2 + 2 * weight[number] / max(np.abs(weight[number]).max(), 1e-6)
        assert np.abs(levels(tile) - exact).max() <= 0.5, number + 1


def test_the_picture_is_that_of_the_network(book: Any) -> None:
    lessons.put(book, picture="blue circle")
    exact = 4 * draw("blue circle", (3, 12, 12))
    assert np.abs(levels(lessons.numbers(book, "filter_picture")) - exact).max() <= 0.5


def test_other_programs_agree_after_changes(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    weight = state.tensors["conv1.weight"] + rng.normal(size=state.tensors["conv1.weight"].shape).round(3)
    changes: dict[str, InputValue] = {
        filters.FILTER: 31.0,
        "input": rng.random(state.image.shape).round(3),
        "conv1.weight": weight,
    }
    edited = agreement.edited(path, tmp_path / "edited.xlsx", state, changes)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    for file in (answer, gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx")):
        assert agreement.differences(file, state.with_typed(changes), filters.FILTERS) == []


def test_the_workbook_keeps_its_promises(path: Path, state: WorkbookState) -> None:
    assert validator.sdk_findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in state.lesson.tries]
    assert images.labels(state.network, state.lesson) == ("drawing", "own", *state.network.classes)


@pytest.mark.parametrize(("channels", "maps", "groups"), [(1, 4, 1), (3, 3, 3), (3, 65, 1)])
def test_a_network_that_it_cannot_show_is_told(channels: int, maps: int, groups: int) -> None:
    conv = {"kind": "Conv2d", "out_channels": maps, "kernel_size": 3, "groups": groups}
    with pytest.raises(SpecError, match="needs an input of 3 channels and a Conv2d behind it"):
        registry.pages(filtered([channels, 5, 5], conv))


def filtered(shape: list[int], conv: dict[str, Any]) -> WorkbookState:
    network = Network.from_spec({"input": shape, "layers": [conv]})
    return networks.state_of(network, lesson=Lesson(sheets=("filters",)))


def test_a_few_filters_of_another_size(tmp_path: Path) -> None:
    state = filtered([3, 9, 8], {"kind": "Conv2d", "out_channels": 3, "kernel_size": [2, 5], "stride": 2})
    (answer,) = libreoffice.recalculate([networks.written(tmp_path, state)], tmp_path / "out")
    assert agreement.differences(answer, state, filters.FILTERS) == []
