"""The lesson `pooling`, its shift worked in LibreOffice and compared with PyTorch."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from conv_sheet.cells.inputs import InputValue
from conv_sheet.errors import ShapeError
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.pictures.samples import sample
from conv_sheet.sheets import registry
from conv_sheet.sheets.lessons import pooling
from conv_sheet.state import WorkbookState
from tests import lessons, networks
from tests.oracles import gnumeric, libreoffice, validator
from tests.sheets import agreement

SHIFTS = list(product(range(-2, 3), repeat=2))


state, path, book = lessons.fixtures("pooling")


def moved(image: Array, right: int, down: int) -> torch.Tensor:
    """A picture (1, H, W) moved within a frame, with its outermost pixels repeated: as PyTorch pads."""
    wide = F.pad(torch.tensor(image)[None], (2, 2, 2, 2), mode="replicate")
    return wide[..., 2 - down : 30 - down, 2 - right : 30 - right]


def pooled(x: torch.Tensor) -> dict[str, Array]:
    maps = {"picture": x, "max": F.max_pool2d(x, 2), "average": F.avg_pool2d(x, 2), "min": -F.max_pool2d(-x, 2)}
    return {name: value[0, 0].numpy() for name, value in maps.items()}


def nearest(maps: dict[str, Array]) -> dict[str, str]:
    """Which sample digit has the map that is nearest, of the picture and of each pool."""
    digits = {f"digit {n}": pooled(moved(sample(f"digit {n}", (1, 28, 28)), 0, 0)) for n in range(10)}
    return {
        name: min(digits, key=lambda digit: float(((value - digits[digit][name]) ** 2).sum()))
        for name, value in maps.items()
    }


def test_every_shift(book: Any, state: WorkbookState) -> None:
    before = pooled(moved(state.image, 0, 0))
    for right, down in SHIFTS:
        lessons.put(book, shift_right=float(right), shift_down=float(down))
        says = (
            "cells differ in 3 of the 3 maps."
            if right % 2 or down % 2
            else "Whole windows"
            if right or down
            else "Nothing has"
        )
        assert says in lessons.texts(book, "Pooling")
        maps = pooled(moved(state.image, right, down))
        for name, digit in nearest(maps).items():
            answer = "digit 7 ✓" if digit == "digit 7" else f"digit 7 → {digit}"
            assert lessons.shown(book, f"{name}_says") == [[answer]]
        for name, expected in maps.items():
            said = f"{name} {right} {down}"
            if name in pooling.POOLS:
                changed = lessons.numbers(book, f"difference_{name}")
                np.testing.assert_allclose(changed, expected - before[name], rtol=0, atol=1e-9, err_msg=said)
            found = lessons.numbers(book, f"pooling_{name}")
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9, err_msg=said)
            change = np.abs(expected - before[name]).sum() / before[name].sum()
            np.testing.assert_allclose(lessons.numbers(book, f"{name}_changed").item(), change, atol=1e-9, err_msg=said)
            cells_changed = lessons.numbers(book, f"{name}_cells").item()
            assert cells_changed == (np.abs(expected - before[name]) > 1e-9).sum(), said


def test_invariance_and_its_limits(book: Any) -> None:
    """Whole windows move whole cells; where in its window a single pixel stands, no pool notices."""
    lessons.put(book, shift_right=0.0, shift_down=0.0)
    still = {name: lessons.numbers(book, f"pooling_{name}") for name in pooling.POOLS}
    assert "Nothing has moved" in lessons.texts(book, "Pooling")
    lessons.put(book, shift_right=2.0, shift_down=-2.0)
    assert "Whole windows have moved" in lessons.texts(book, "Pooling")
    for name, maps in still.items():
        np.testing.assert_array_equal(lessons.numbers(book, f"pooling_{name}")[:-1, 1:], maps[1:, :-1])
    pixel = np.zeros((28, 28))
    pixel[10, 10] = 1.0
    lessons.put(book, input_1=pixel, shift_right=1.0, shift_down=1.0)
    assert "Pixels have moved, and no map shows it" in lessons.texts(book, "Pooling")
    kept = [lessons.numbers(book, f"darkest_out_{n}").item() for n in (1, 2, 3)]
    assert kept == [1 / 4, 1 / 16, 0]
    changed = {name: lessons.numbers(book, f"{name}_changed").item() for name in ("picture", *pooling.POOLS)}
    assert changed == {"picture": 2.0, "max": 0.0, "average": 0.0, "min": 0.0}
    lessons.put(book, shift_right=-1.0, shift_down=0.0)
    assert lessons.numbers(book, "max_changed").item() == 2.0
    assert "cells differ in 2 of the 3 maps." in lessons.texts(book, "Pooling")


def test_max_is_the_most_patient_reader() -> None:
    """Of all digits and shifts, as the lesson says: max fails least, and min most often."""
    failed = dict.fromkeys(("picture", *pooling.POOLS), 0)
    for n, (right, down) in product(range(10), SHIFTS):
        for name, digit in nearest(pooled(moved(sample(f"digit {n}", (1, 28, 28)), right, down))).items():
            failed[name] += digit != f"digit {n}"
    assert sorted(failed, key=lambda name: failed[name]) == ["max", "average", "picture", "min"]


def test_an_empty_picture_has_not_changed(book: Any) -> None:
    lessons.put(book, input_1=np.zeros((28, 28)), shift_right=1.0)
    assert [lessons.numbers(book, f"{name}_changed").item() for name in pooling.POOLS] == [0.0, 0.0, 0.0]
    assert "Pixels have moved, and no map shows it" in lessons.texts(book, "Pooling")


def test_other_programs_agree_after_changes(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    image = np.random.default_rng(4).random(state.image.shape).round(3)
    changes: dict[str, InputValue] = {pooling.RIGHT: -1.0, pooling.DOWN: 2.0, "input": image}
    edited = agreement.edited(path, tmp_path / "edited.xlsx", state, changes)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    for file in (answer, gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx")):
        assert agreement.differences(file, state.with_typed(changes), pooling.POOLING) == []


def pooled_alone(shape: list[int]) -> WorkbookState:
    network = Network.from_spec({"input": shape, "layers": [{"kind": "ReLU"}]})
    return networks.state_of(network, lesson=Lesson(sheets=("pooling",)))


def test_a_picture_too_small_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"needs a picture of 8×8 pixels at least, not 7×9"):
        registry.pages(pooled_alone([1, 7, 9]))


def test_odd_sizes_and_more_channels(tmp_path: Path) -> None:
    states = [pooled_alone(shape) for shape in ([1, 9, 12], [2, 8, 11])]
    files = [networks.written(tmp_path, state, f"{n}.xlsx") for n, state in enumerate(states)]
    for answer, state in zip(libreoffice.recalculate(files, tmp_path / "out"), states, strict=True):
        assert agreement.differences(answer, state, pooling.POOLING) == []


def test_the_workbook_keeps_its_promises(path: Path, state: WorkbookState) -> None:
    assert validator.sdk_findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in state.lesson.tries]
