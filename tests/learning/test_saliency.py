"""The sheet `Saliency`: its maps against PyTorch, and what it says of them after something has changed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from conv_sheet import actions
from conv_sheet.check import check
from conv_sheet.errors import SpecError
from conv_sheet.layers import Array
from conv_sheet.learning import saliency
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.network.spec import Spec, from_tables
from conv_sheet.recompute import press_closed
from conv_sheet.sheets import registry as extras
from conv_sheet.sheets import saliency as sheet
from conv_sheet.state import Contents
from conv_sheet.xlsx.reader import contents as read_contents
from conv_sheet.xlsx.reader import read
from tests.networks import address, contents, small, written
from tests.oracles import cells, gnumeric, libreoffice, validator

CONV: dict[str, Any] = {"name": "conv1", "kind": "Conv2d", "out_channels": 2, "kernel_size": 3}
POOL: dict[str, Any] = {"kind": "MaxPool2d", "kernel_size": 2}
DIGITS: dict[str, Any] = {
    "input": [1, 9, 8],
    "classes": ["0", "1", "2", "3"],
    "layers": [CONV, {"kind": "ReLU"}, POOL, {"kind": "Flatten"}, {"name": "fc", "kind": "Linear", "out_features": 4}],
}


def scores(held: Contents, images: torch.Tensor) -> torch.Tensor:
    """What PyTorch makes of pictures (N, C, H, W): both networks here are conv, ReLU, max-pool and a linear layer."""
    weights = {name: torch.from_numpy(value) for name, value in held.tensors.items()}
    maps = F.max_pool2d(F.relu(F.conv2d(images, weights["conv1.weight"], weights["conv1.bias"])), 2)
    return F.linear(maps.flatten(1), weights["fc.weight"], weights["fc.bias"])


def torch_gradient(held: Contents, number: int) -> Array:
    pixels = torch.from_numpy(held.image[None]).requires_grad_()
    (slopes,) = torch.autograd.grad(scores(held, pixels)[0, number], pixels)
    return np.asarray(slopes[0])


def torch_occlusion(held: Contents, number: int, side: int) -> Array:
    """Pixel by pixel, the probability of the picture less that of the picture with zeros around the pixel."""

    def probability(image: Array) -> float:
        return float(scores(held, torch.from_numpy(image[None])).softmax(dim=1)[0, number])

    falls = np.empty(held.image.shape[1:])
    for y, x in np.ndindex(*falls.shape):
        covered = held.image.copy()
        covered[:, max(0, y - side // 2) : y + side // 2 + 1, max(0, x - side // 2) : x + side // 2 + 1] = 0
        falls[y, x] = probability(held.image) - probability(covered)
    return falls


def digits(seed: int = 1) -> Contents:
    return contents(Network.from_spec(DIGITS), seed)


@pytest.mark.parametrize("make", [digits, lambda: contents(small())], ids=["scores", "softmax"])
@pytest.mark.parametrize("number", [0, 2])
def test_maps_are_those_that_pytorch_makes(make: Callable[[], Contents], number: int) -> None:
    held = make()
    slopes = saliency.gradient(held.network, held.activations, held.tensors, number)
    np.testing.assert_allclose(slopes, torch_gradient(held, number), rtol=0, atol=1e-10)
    assert saliency.patch(held.network) == (3, 1)
    falls = saliency.occlusion(held.network, held.image, held.tensors, number)
    np.testing.assert_allclose(falls, torch_occlusion(held, number, 3), rtol=0, atol=1e-10)
    assert np.abs(slopes).max() > 1e-3 < np.abs(falls).max()


def test_squares_go_further_where_pixel_by_pixel_would_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    held = digits()
    each = torch_occlusion(held, 1, 3)
    values = sum(int(np.prod(node.out_shape)) for node in held.network.nodes)
    monkeypatch.setattr(saliency, "_WORK", 9 * values)
    assert saliency.patch(held.network) == (3, 3)
    falls = saliency.occlusion(held.network, held.image, held.tensors, 1)
    for y, x in np.ndindex(*falls.shape):
        middle = y // 3 * 3 + 1, min(x // 3 * 3 + 1, 7)
        np.testing.assert_allclose(falls[y, x], each[middle], rtol=0, atol=1e-10)


def test_dropout_that_is_on_treats_every_covered_picture_as_it_treats_the_whole_one() -> None:
    layers = [*DIGITS["layers"][:4], {"name": "drop", "kind": "Dropout"}, DIGITS["layers"][4]]
    held = contents(Network.from_spec(DIGITS | {"layers": layers}))
    on = {**held.tensors, "conv1.bias": np.ones(2), "drop.active": np.array(1.0)}
    blank = np.zeros_like(held.image)
    np.testing.assert_array_equal(saliency.occlusion(held.network, blank, on, 0), 0.0)
    assert np.abs(saliency.occlusion(held.network, held.image, on, 0)).max() > 0


def test_a_picture_of_mnists_size_takes_no_time_to_speak_of() -> None:
    network = Network.from_spec(DIGITS | {"input": [1, 28, 28]})
    assert saliency.patch(network) == (5, 1)
    large = Network.from_spec(DIGITS | {"input": [3, 96, 96]})
    _, stride = saliency.patch(large)
    places = (-(-96 // stride)) ** 2
    assert places * sum(int(np.prod(node.out_shape)) for node in large.nodes) <= saliency._WORK


def titles(made: Network | Spec) -> list[str]:
    return [page.title for page in contents(made).pages()]


def test_classifiers_of_small_pictures_have_the_sheet_and_others_do_not() -> None:
    assert titles(small()).count("Saliency") == 1
    assert titles(from_tables(DIGITS | {"sheets": ["saliency"]})).count("Saliency") == 1
    assert "Saliency" not in titles(Network.from_spec(DIGITS | {"classes": []}))
    assert sheet not in extras.of(Network.from_spec(DIGITS | {"input": [3, 64, 64]}), Lesson())


def test_a_network_without_classes_cannot_ask_for_it() -> None:
    with pytest.raises(SpecError, match="names no classes"):
        titles(from_tables(DIGITS | {"classes": [], "sheets": ["saliency"]}))


CHOICE = "Saliency!C4"
STATUS = "B5"


def test_another_class_is_stale_until_recompute_and_then_in_the_file(tmp_path: Path) -> None:
    held = digits()
    said = held.prediction
    other = next(name for name in held.network.classes if name != said)
    path = cells.set_cells(written(tmp_path, held), tmp_path / "typed.xlsx", {CHOICE: other})
    (path,) = libreoffice.recalculate([path], tmp_path / "out")
    shown = cells.values(path, "Saliency")
    assert shown[STATUS] == f"Stale: these maps are for class {said}. Press Recompute to have them for class {other}."
    assert f"gradient for {said}" in shown.values()
    report = check(read(path))
    assert not report.formulas
    assert {difference.owner for difference in report.stale} == {"Saliency"}

    press_closed(path, actions.recompute)
    assert check(read(path)).ok
    (path,) = libreoffice.recalculate([path], tmp_path / "again")
    shown = cells.values(path, "Saliency")
    assert shown[STATUS] == f"These maps are Python's, of picture and weights as they are now, for class {other}."
    assert f"occlusion for {other}" in shown.values()
    number = held.network.classes.index(other)
    maps = read_contents(read(path)).shown
    np.testing.assert_allclose(maps["saliency_gradient"], torch_gradient(held, number), rtol=0, atol=1e-10)
    np.testing.assert_allclose(maps["saliency_occlusion"], torch_occlusion(held, number, 3), rtol=0, atol=1e-10)
    assert check(read(path)).ok


def test_picture_and_filters_follow_and_the_maps_are_said_to_be_stale(tmp_path: Path) -> None:
    held = contents(small())
    pixel = address(held.layout.input.blocks[1], 2, 3)
    weight = address(held.layout.by_name["conv1"].own["weight"].blocks[4], 1, 0)
    path = written(tmp_path, held)
    typed = [
        cells.set_cells(path, tmp_path / f"{number}.xlsx", {cell: 0.875}) for number, cell in enumerate((pixel, weight))
    ]
    answers = [
        *libreoffice.recalculate(typed, tmp_path / "out"),
        gnumeric.recalculate(typed[0], tmp_path / "gnumeric.xlsx"),
    ]
    for answer in answers:
        shown = cells.values(answer, "Saliency")
        assert shown[STATUS] == "Stale: the sheet Network has changed since Python made these maps. Press Recompute."
        assert 0.875 in shown.values()
        assert not check(read(answer)).formulas


def test_a_weight_that_meets_only_zeros_makes_the_maps_stale_too(tmp_path: Path) -> None:
    held = digits()
    held = replace(held, image=np.zeros_like(held.image), tensors={**held.tensors, "conv1.bias": np.zeros(2)})
    weight = address(held.layout.by_name["fc"].own["weight"].blocks[0], 1, 1)
    path = cells.set_cells(written(tmp_path, held), tmp_path / "typed.xlsx", {weight: 9})
    (path,) = libreoffice.recalculate([path], tmp_path / "out")
    assert cells.values(path, "Start")["C5"] <= 1e-9  # type: ignore[operator]
    assert str(cells.values(path, "Saliency")[STATUS]).startswith("Stale: the sheet Network")


def test_a_choice_that_a_program_took_for_a_number_is_the_class_of_that_name(tmp_path: Path) -> None:
    held = digits()
    path = cells.set_cells(written(tmp_path, held), tmp_path / "typed.xlsx", {CHOICE: 2})
    (path,) = libreoffice.recalculate([path], tmp_path / "out")
    assert not check(read(path)).formulas
    press_closed(path, actions.recompute)
    maps = read_contents(read(path)).shown
    np.testing.assert_allclose(maps["saliency_gradient"], torch_gradient(held, 2), rtol=0, atol=1e-10)


def test_names_of_classes_may_be_anything(tmp_path: Path) -> None:
    names = ["a", "A", "*", "?", "b, c", "=1+1"]
    layers = [*DIGITS["layers"][:4], DIGITS["layers"][4] | {"out_features": len(names)}]
    held = contents(Network.from_spec(DIGITS | {"classes": names, "layers": layers}))
    chosen = [replace(held, settings={sheet.SETTING: name}) for name in names]
    paths = [written(tmp_path, one, f"{number}.xlsx") for number, one in enumerate(chosen)]
    for name, answer in zip(names, libreoffice.recalculate(paths, tmp_path / "out"), strict=True):
        assert str(cells.values(answer, "Saliency")[STATUS]).endswith(f"now, for class {name}.")
        assert check(read(answer)).ok


def test_several_channels_have_their_steepest_and_the_file_is_valid(tmp_path: Path) -> None:
    held = contents(small())
    path = written(tmp_path, held)
    assert validator.findings(path) == []
    (answer,) = libreoffice.recalculate([path], tmp_path / "out")
    assert check(read(answer)).ok
    steepest = sheet._Places(held.layout).steepest
    assert steepest is not None
    shown = cells.array(cells.values(answer, "Saliency"), steepest.blocks[0].relative)
    number = held.network.classes.index(str(held.prediction))
    np.testing.assert_allclose(shown, np.abs(torch_gradient(held, number)).max(axis=0), rtol=0, atol=1e-9)
