"""The lesson `dropout`, its cells worked in LibreOffice; masks follow from whole numbers that Python has too."""

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
from conv_sheet.sheets import registry
from conv_sheet.sheets.lessons import dropout
from conv_sheet.state import WorkbookState
from tests import lessons, networks
from tests.oracles import gnumeric, libreoffice, validator
from tests.sheets import agreement

PRIME = 1_048_571


state, path, book = lessons.fixtures("dropout")


def pooled(state: WorkbookState) -> Array:
    """What the layer reads, from PyTorch."""
    weights = {name: torch.tensor(value) for name, value in state.tensors.items()}
    x = torch.tensor(state.image)[None]
    for name in ("conv1", "conv2"):
        x = F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"]).relu()
    maps: Array = F.max_pool2d(x, 2)[0].numpy()
    return maps


def mask(seed: int, number: int, p: float) -> Array:
    """That of a map, from the rule that the sheet tells, in whole numbers of any length."""
    first = (number - 1) * 144 + 1
    drawn = [(seed * 271_828 + n * 314_159) ** 3 % PRIME / PRIME for n in range(first, first + 144)]
    return (np.array(drawn) >= p).astype(float).reshape(12, 12)


@pytest.mark.parametrize(("number", "seed", "p"), [(2, 1, 0.5), (1, 77, 0.25), (2, 9_999, 0.875), (1, 0, 0.0)])
def test_a_hundred_masks(book: Any, state: WorkbookState, number: int, seed: int, p: float) -> None:
    lessons.put(book, dropout_map=float(number), dropout_seed=float(seed), dropout_p=p, dropout_active=0.0)
    before = pooled(state)[number - 1]
    np.testing.assert_allclose(lessons.numbers(book, "dropout_before"), before, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(lessons.numbers(book, f"dropout_mask_{number}"), mask(seed, number, p))
    after = before * mask(seed, number, p) / (1 - p)
    np.testing.assert_allclose(lessons.numbers(book, "dropout_after"), after, rtol=0, atol=1e-9)
    sums = np.array([(before * mask(seed + i, number, p)).sum() / (1 - p) for i in range(100)])
    wall = np.array([mask(seed + i, number, p).ravel() for i in range(100)])
    np.testing.assert_array_equal(lessons.numbers(book, "dropout_masks"), wall)
    found = lessons.numbers(book, "dropout_changes")
    np.testing.assert_allclose(found.ravel(), sums / before.sum() - 1, rtol=0, atol=1e-9)
    np.testing.assert_allclose(lessons.numbers(book, dropout.AVERAGE).item(), found.mean(), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("seed", "p"), [(1, 0.5), (500, 0.5), (1, 0.2), (31, 0.8)])
def test_on_average_the_sum_stays(book: Any, state: WorkbookState, seed: int, p: float) -> None:
    """Within four standard errors of a mean of a hundred, which the values themselves tell."""
    lessons.put(book, dropout_map=1.0, dropout_seed=float(seed), dropout_p=p)
    before = pooled(state)[0]
    error = np.sqrt(p / (1 - p) * (before**2).sum()) / before.sum() / 10
    assert abs(lessons.numbers(book, dropout.AVERAGE).item()) < 4 * error


def test_on_and_off(book: Any, state: WorkbookState) -> None:
    lessons.put(book, dropout_map=1.0, dropout_seed=3.0, dropout_p=0.5, dropout_active=0.0)
    np.testing.assert_allclose(lessons.numbers(book, "dropout_out_1"), pooled(state)[0], rtol=0, atol=1e-9)
    assert "off, as in use" in lessons.texts(book, "Dropout")
    lessons.put(book, dropout_active=1.0)
    np.testing.assert_array_equal(lessons.numbers(book, "dropout_out_1"), lessons.numbers(book, "dropout_after"))
    assert "on: Network shows the values after" in lessons.texts(book, "Dropout")


def test_an_empty_map(book: Any) -> None:
    lessons.put(book, conv2_bias=np.array([[-1e3, -1e3]]))
    assert not lessons.numbers(book, "dropout_before").any()
    assert not lessons.numbers(book, "dropout_changes").any()


def test_other_programs_agree_after_changes(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    image = state.image.copy()
    image[0, 9, 9] = 0.75
    options = {"dropout.seed": -12.0, "dropout.p": 0.3, "dropout.active": 1.0}
    changes: dict[str, InputValue] = {dropout.MAP: 2.0, "input": image, **options}
    edited = agreement.edited(path, tmp_path / "edited.xlsx", state, changes)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    for file in (answer, gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx")):
        for title in (dropout.DROPOUT, dropout.MASKS):
            assert agreement.differences(file, state.with_typed(changes), title) == []


def test_the_workbook_keeps_its_promises(path: Path, state: WorkbookState) -> None:
    assert validator.sdk_findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in state.lesson.tries]


@pytest.mark.parametrize(
    ("sheets", "said"),
    [(["dropout", "masks"], "needs a Dropout layer that reads maps"), (["dropout"], "need each other: name both")],
)
def test_what_cannot_be_shown_is_told(sheets: list[str], said: str) -> None:
    bare = Network.from_spec({"input": [1, 4, 4], "layers": [{"kind": "ReLU"}]})
    with pytest.raises(SpecError, match=said):
        registry.pages(networks.state_of(bare, lesson=Lesson(sheets=tuple(sheets))))


def test_another_size_and_the_second_dropout_of_a_network(tmp_path: Path) -> None:
    layers = [{"kind": "Dropout"}, {"kind": "Conv2d", "out_channels": 3, "kernel_size": [3, 2]}, {"kind": "Dropout"}]
    made = Network.from_spec({"input": [2, 5, 9], "layers": layers})
    state = networks.state_of(made, lesson=Lesson(sheets=("dropout", "masks")))
    changes = {dropout.MAP: 2.0}
    edited = agreement.edited(networks.written(tmp_path, state), tmp_path / "typed.xlsx", state, changes)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    for title in (dropout.DROPOUT, dropout.MASKS):
        assert agreement.differences(answer, state.with_typed(changes), title) == []
