"""The lesson `first-steps`: every window and every sum compared with PyTorch, in LibreOffice's cells."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from conv_sheet.cells.inputs import InputValue
from conv_sheet.office.libreoffice import connect
from conv_sheet.ops import Array
from conv_sheet.sheets.lessons import steps
from conv_sheet.state import WorkbookState
from tests import lessons
from tests.oracles import cells, gnumeric, libreoffice, validator
from tests.sheets import agreement

state, path, book = lessons.fixtures("first-steps")

RNG = np.random.default_rng(3)
PICTURE, KERNEL = (RNG.integers(-9, 10, (side, side)).astype(float) for side in (4, 3))
SIGNAL, WEIGHTS = (RNG.integers(-9, 10, (1, length)).astype(float) for length in (6, 3))
BLUR = np.array([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
OPERATIONS = (steps.CORRELATION, steps.CONVOLUTION)


def turned(kernel: Array, operation: str) -> Array:
    return kernel if operation == steps.CORRELATION else np.flip(kernel).copy()


def by_torch(picture: Array, kernel: Array, operation: str) -> Array:
    """PyTorch's conv2d, with the kernel turned for what mathematics calls a convolution."""
    weight = torch.tensor(turned(kernel, operation))[None, None]
    maps: Array = F.conv2d(torch.tensor(picture)[None, None], weight)[0, 0].numpy()
    return maps


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kernel", [KERNEL, BLUR], ids=["any", "symmetric"])
def test_every_window(book: Any, operation: str, kernel: Array) -> None:
    lessons.put(book, steps_picture=PICTURE, steps_kernel=kernel, steps_operation=operation)
    expected = by_torch(PICTURE, kernel, operation)
    (other,) = (one for one in OPERATIONS if one != operation)
    np.testing.assert_allclose(lessons.numbers(book, "steps_out"), expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(lessons.numbers(book, "steps_other"), by_torch(PICTURE, kernel, other), atol=1e-10)
    differ = (expected != by_torch(PICTURE, kernel, other)).sum()
    assert lessons.numbers(book, "steps_differ").item() == differ
    assert ("half a turn leaves this kernel as it is" in lessons.texts(book, "Steps")) == (differ == 0)
    for row, column in product((1, 2), repeat=2):
        lessons.put(book, steps_row=float(row), steps_column=float(column))
        assert lessons.numbers(book, "steps_value").item() == expected[row - 1, column - 1]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_sums_are_what_they_say(book: Any, operation: str) -> None:
    """Each line, worked out as it stands there, is what PyTorch makes of the window."""
    lessons.put(book, steps_picture=PICTURE, steps_kernel=KERNEL, steps_operation=operation)
    lessons.put(book, steps_signal=SIGNAL, steps_weights=WEIGHTS)
    lines = [line for line in lessons.texts(book, "Steps").splitlines() if line.startswith("(")]
    weight = torch.tensor(turned(WEIGHTS, operation))[None]
    row = F.conv1d(torch.tensor(SIGNAL)[None], weight)[0].numpy()
    np.testing.assert_allclose(lessons.numbers(book, "steps_line"), row, rtol=0, atol=1e-10)
    expected = [*by_torch(PICTURE, KERNEL, operation).ravel().tolist(), *row.ravel().tolist()]
    assert [line.count("·") for line in lines] == [9] * 4 + [3] * 4
    for line, value in zip(lines, expected, strict=True):
        products, _, said = line.partition(" = ")
        pairs = [pair.strip("()").split("·") for pair in products.split(" + ")]
        assert sum(float(pixel) * float(weight) for pixel, weight in pairs) == float(said) == value


@pytest.mark.parametrize(("rows", "side"), [(4, 3), (7, 1), (7, 7), (5, 2), (2, 3)])
def test_places_are_counted_and_drawn(book: Any, rows: int, side: int) -> None:
    """As many as PyTorch's windows; line by line the rows that each of them holds."""
    lessons.put(book, steps_rows=float(rows), steps_side=float(side))
    windows = torch.arange(1.0, rows + 1).unfold(0, side, 1) if side <= rows else torch.zeros(0, side)
    assert lessons.numbers(book, "steps_places").item() == len(windows)
    drawn = np.array(lessons.shown(book, "steps_windows"), dtype=float)
    there = np.zeros((7, 7), dtype=bool)
    there[: len(windows), :rows] = True
    np.testing.assert_array_equal(~np.isnan(drawn), there)
    assert ("No place" in lessons.texts(book, "Steps")) == (len(windows) == 0)


TURNED = [[-3.0, -2.0], [0.0, -1.0]]
EXPECTED: list[tuple[str, list[list[float]]]] = [
    *[("steps_value", [[2.0]]), ("steps_value", [[6.0]]), ("steps_out", TURNED), ("steps_differ", [[0.0]])],
    *[("steps_places", [[3.0]]), ("steps_line", [[-3.0, -2.0, 1.0, 3.0]])],
]
"""What each try changes, and what then stands there."""


def test_every_try_does_what_it_says(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    with connect(cells.set_cells(path, tmp_path / "tries.xlsx", {})) as fresh:
        for item, (name, expected) in zip(state.lesson.tries, EXPECTED, strict=True):
            assert lessons.perform(fresh, item, name) == expected
    kernel = np.array([[1.0, 0, -1]] * 3)
    first = state.array(steps.PICTURE)
    np.testing.assert_array_equal(TURNED, by_torch(first, kernel, steps.CONVOLUTION))


def test_other_programs_agree_after_changes(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    changes: dict[str, InputValue] = {
        **{"steps_picture": PICTURE, "steps_kernel": KERNEL, "steps_signal": SIGNAL, "steps_weights": WEIGHTS},
        **{"steps_row": 2.0, "steps_column": 1.0, "steps_place": 3.0, "steps_operation": steps.CONVOLUTION},
        **{"steps_rows": 6.0, "steps_side": 4.0},
    }
    edited = agreement.edited(path, tmp_path / "edited.xlsx", state, changes)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    for file in (answer, gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx")):
        assert agreement.differences(file, state.with_typed(changes), steps.STEPS) == []


def test_no_cell_shows_an_error_whatever_is_typed(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    items = [item for item in steps.inputs(state.layout, state.lesson) if not item.placed.shape]
    odd = {item.at.other(): value for item, value in zip(items, [None, "one", 3.0, 0.0, "x", 9.5], strict=True)}
    edited = cells.set_cells(path, tmp_path / "odd.xlsx", odd)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    for file in (answer, gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx")):
        assert not [v for v in cells.values(file, "Steps").values() if str(v).startswith(("#", "Err:"))]


def test_the_network_has_the_same_kernel(state: WorkbookState) -> None:
    weight = state.tensors["conv1.weight"]
    np.testing.assert_array_equal(weight[0, 0], state.array(steps.WEIGHT))
    maps = F.conv2d(torch.tensor(state.image)[None], torch.tensor(weight))
    np.testing.assert_allclose(state.activations["conv1"], maps.numpy(), rtol=0, atol=1e-10)


def test_the_workbook_keeps_its_promises(path: Path, state: WorkbookState) -> None:
    assert validator.sdk_findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in state.lesson.tries]
