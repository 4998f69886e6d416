"""The lesson `kernels`, its cells worked by hand in LibreOffice and compared with PyTorch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from conv_sheet.check import check
from conv_sheet.errors import ShapeError, WorkbookError
from conv_sheet.layers import Array
from conv_sheet.network.spec import from_tables
from conv_sheet.sheets.lessons import kernels
from conv_sheet.sheets.lessons.kernels import CATALOGUE
from conv_sheet.state import Contents
from conv_sheet.xlsx.package import patch_cells
from conv_sheet.xlsx.reader import contents, read
from tests import lessons, networks
from tests.oracles import cells, gnumeric, libreoffice, validator

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


held, path, book = lessons.fixtures("kernels")


def by_torch(image: Array, kernel: Array) -> Array:
    answer: Array = F.conv2d(torch.tensor(image[None, :1]), torch.tensor(kernel[None, None]))[0, 0].numpy()
    return answer


def test_the_drop_down_offers_every_kernel() -> None:
    assert [*EXPECTED, "custom"] == list(CATALOGUE)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_choice_changes_kernel_map_and_words(name: str, book: Any, held: Contents) -> None:
    lessons.put(book, kernel_choice="custom", custom_kernel=MINE)
    other = lessons.numbers(book, "kernels_map")
    lessons.put(book, kernel_choice=name)
    np.testing.assert_allclose(lessons.numbers(book, "chosen_kernel"), EXPECTED[name], rtol=0, atol=1e-12)
    found = lessons.numbers(book, "kernels_map")
    assert not np.allclose(found, other)
    np.testing.assert_allclose(found, by_torch(held.image, EXPECTED[name]), rtol=0, atol=1e-9)
    assert lessons.texts(book, "Kernels").count(CATALOGUE[name].words) == 2
    total = EXPECTED[name].sum()
    says = "Only changes remain" if abs(total) < 1e-12 else "it stays as it is"
    assert says in lessons.texts(book, "Kernels")


def test_ones_own_kernel_on_ones_own_picture(book: Any, held: Contents) -> None:
    image = np.random.default_rng(3).random(held.image.shape).round(3)
    lessons.put(book, kernel_choice="custom", custom_kernel=MINE, input_1=image[0])
    np.testing.assert_allclose(lessons.numbers(book, "kernels_map"), by_torch(image, MINE), rtol=0, atol=1e-9)
    assert "So many times" in lessons.texts(book, "Kernels")
    lessons.put(book, input_1=held.image[0])


def test_what_was_chosen_is_read_back_and_agrees(path: Path, held: Contents, tmp_path: Path) -> None:
    choice, *weights = kernels.settings(held.layout)
    typed: dict[str, cells.Value | None] = {choice.block.other(): "custom"}
    typed |= {s.block.other(): float(value) for s, value in zip(weights, MINE.ravel(), strict=True)}
    edited = cells.set_cells(path, tmp_path / "edited.xlsx", typed)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    assert contents(read(answer)).chosen["custom_kernel_2_3"] == -0.1
    assert check(read(answer)).ok
    assert lessons.wrong(gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx"), "Kernels") == []


def test_a_choice_that_nothing_has_calculated_is_seen(path: Path, held: Contents, tmp_path: Path) -> None:
    choice, *_ = kernels.settings(held.layout)
    stale = tmp_path / "stale.xlsx"
    patch_cells(path, stale, {choice.block.sheet: {choice.block.position(0, 0): "outline"}})
    wrong = check(read(stale)).formulas
    assert {difference.owner for difference in wrong} == {"Kernels"}
    assert len(wrong) > held.network.input_shape[1] ** 2 / 2


def test_a_kernel_without_a_name_is_refused(path: Path, held: Contents, tmp_path: Path) -> None:
    choice, *weights = kernels.settings(held.layout)
    edited = tmp_path / "edited.xlsx"
    for setting, value in ((choice, "blurr"), (weights[4], "nine"), (weights[4], True)):
        patch_cells(path, edited, {setting.block.sheet: {setting.block.position(0, 0): value}})
        with pytest.raises(WorkbookError, match=setting.block.other()):
            contents(read(edited))


def test_a_picture_too_small_for_a_kernel_is_refused() -> None:
    layer = {"kind": "Conv2d", "out_channels": 1, "kernel_size": 2}
    small = from_tables({"input": [1, 2, 5], "sheets": ["kernels"], "layers": [layer]})
    with pytest.raises(ShapeError, match=r"needs a picture of 3×3 pixels at least, not 2×5"):
        networks.contents(small).pages()


def test_the_workbook_keeps_its_promises(path: Path) -> None:
    assert validator.findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in lessons.contents("kernels").lesson.tries]
