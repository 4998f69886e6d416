"""The lesson `kernels`, its cells worked by hand in LibreOffice and compared with PyTorch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from conv_sheet.errors import ShapeError
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import registry
from conv_sheet.sheets.lessons import kernels
from conv_sheet.sheets.lessons.kernels import CATALOGUE
from conv_sheet.state import WorkbookState
from tests import lessons, networks
from tests.oracles import gnumeric, libreoffice, validator
from tests.sheets import agreement

SMOOTH, SLOPE = np.array([1.0, 2.0, 1.0]), np.array([-1.0, 0.0, 1.0])
FLAT, MIDDLE = np.ones(3), np.array([0.0, 1.0, 0.0])
CROSS = np.outer(MIDDLE, FLAT) + np.outer(FLAT, MIDDLE) - np.outer(MIDDLE, MIDDLE)

# Each as the textbooks derive it: an average along one axis times a difference along the other, a mean, and so on.
EXPECTED: dict[str, Array] = {
    "identity": np.outer(MIDDLE, MIDDLE),
    "Sobel top": np.outer(SLOPE, SMOOTH),
    "Sobel bottom": -np.outer(SLOPE, SMOOTH),
    "Sobel left": np.outer(SMOOTH, SLOPE),
    "Sobel right": -np.outer(SMOOTH, SLOPE),
    "Prewitt horizontal": np.outer(SLOPE, FLAT),
    "Prewitt vertical": np.outer(FLAT, SLOPE),
    "sharpen": 6 * np.outer(MIDDLE, MIDDLE) - CROSS,
    "box blur": np.outer(FLAT, FLAT) / 9,
    "Gaussian": np.outer(SMOOTH, SMOOTH) / 16,
    "outline": 9 * np.outer(MIDDLE, MIDDLE) - np.outer(FLAT, FLAT),
    "emboss": np.add.outer(SLOPE, SLOPE) + np.outer(MIDDLE, MIDDLE),
}
MINE = np.array([[0.5, -1.25, 3.0], [0.0, 7.0, -0.1], [2.0, 1.0, -4.0]])


state, path, book = lessons.fixtures("kernels")


def by_torch(image: Array, kernel: Array) -> Array:
    answer: Array = F.conv2d(torch.tensor(image[None, :1]), torch.tensor(kernel[None, None]))[0, 0].numpy()
    return answer


def test_the_drop_down_offers_every_kernel() -> None:
    assert [*EXPECTED, "custom"] == list(CATALOGUE)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_choice_changes_kernel_map_and_words(name: str, book: Any, state: WorkbookState) -> None:
    lessons.put(book, kernel_choice="custom", custom_kernel=MINE)
    other = lessons.numbers(book, "kernels_map")
    lessons.put(book, kernel_choice=name)
    np.testing.assert_allclose(lessons.numbers(book, "chosen_kernel"), EXPECTED[name], rtol=0, atol=1e-12)
    found = lessons.numbers(book, "kernels_map")
    assert not np.allclose(found, other)
    np.testing.assert_allclose(found, by_torch(state.image, EXPECTED[name]), rtol=0, atol=1e-9)
    assert lessons.texts(book, "Kernels").count(CATALOGUE[name].words) == 2
    total = EXPECTED[name].sum()
    says = "Only changes remain" if abs(total) < 1e-12 else "it stays as it is"
    assert says in lessons.texts(book, "Kernels")


def test_ones_own_kernel_on_ones_own_picture(book: Any, state: WorkbookState) -> None:
    image = np.random.default_rng(3).random(state.image.shape).round(3)
    lessons.put(book, kernel_choice="custom", custom_kernel=MINE, input_1=image[0])
    np.testing.assert_allclose(lessons.numbers(book, "kernels_map"), by_torch(image, MINE), rtol=0, atol=1e-9)
    assert "So many times" in lessons.texts(book, "Kernels")
    lessons.put(book, input_1=state.image[0])


def test_other_programs_agree_after_changes(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    image = np.random.default_rng(4).random(state.image.shape).round(3)
    edits: list[dict[str, Any]] = [
        {"input": image, "kernel_choice": "custom", "custom_kernel": MINE},
        {"input": image, "kernel_choice": "box blur"},
    ]
    files = [agreement.edited(path, tmp_path / f"{n}.xlsx", state, edit) for n, edit in enumerate(edits)]
    answers = libreoffice.recalculate(files, tmp_path / "out")
    for file, answer, edit in zip(files, answers, edits, strict=True):
        for other in (answer, gnumeric.recalculate(file, tmp_path / f"gnumeric-{file.name}")):
            assert agreement.differences(other, state.with_typed(edit), kernels.KERNELS) == []


def test_a_kernel_without_a_name_is_none(state: WorkbookState) -> None:
    choice, weights = kernels.inputs(state.layout, state.lesson)
    assert choice.limits.allows("custom") and weights.limits.allows(-0.1)
    assert not any((choice.limits.allows("blurr"), weights.limits.allows("nine"), weights.limits.allows(True)))


def test_a_picture_too_small_for_a_kernel_is_refused() -> None:
    layer = {"kind": "Conv2d", "out_channels": 1, "kernel_size": 2}
    small = Network.from_spec({"input": [1, 2, 5], "layers": [layer]})
    with pytest.raises(ShapeError, match=r"needs a picture of 3×3 pixels at least, not 2×5"):
        registry.pages(networks.state_of(small, lesson=Lesson(sheets=("kernels",))))


def test_the_workbook_keeps_its_promises(path: Path, state: WorkbookState) -> None:
    assert validator.sdk_findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in state.lesson.tries]
