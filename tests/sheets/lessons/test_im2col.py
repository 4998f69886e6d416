"""The lesson `im2col`: matrices, maps and gradients compared with PyTorch, in LibreOffice's cells."""

from itertools import product
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
from conv_sheet.office.libreoffice import connect
from conv_sheet.ops import Array
from conv_sheet.sheets import registry
from conv_sheet.sheets.lessons import im2col, transposed
from conv_sheet.state import WorkbookState
from tests import lessons, networks
from tests.oracles import cells, gnumeric, libreoffice, validator
from tests.sheets import agreement

state, path, book = lessons.fixtures("im2col")

RNG = np.random.default_rng(5)
PIXELS, WEIGHTS, UPSTREAM = (
    RNG.integers(-9, 10, shape).astype(float) for shape in ((2, 3, 3), (2, 2, 2, 2), (2, 2, 2))
)


def put_planes(book: Any, name: str, values: Array) -> None:
    for index in np.ndindex(values.shape[:-2]):
        lessons.put(book, **{"_".join((name, *(str(n + 1) for n in index))): values[index]})


def planes(book: Any, name: str) -> Array:
    return np.array([lessons.numbers(book, f"{name}_{number}") for number in (1, 2)])


def by_torch(groups: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The maps, and the gradients of pixels and weights where the maps' is `UPSTREAM`; weights as a full kernel."""
    x = torch.tensor(PIXELS, requires_grad=True)
    full = torch.tensor(WEIGHTS, requires_grad=True)
    weight = full if groups == 1 else torch.stack([full[o, o : o + 1] for o in range(2)])
    maps = F.conv2d(x[None], weight, groups=groups)[0]
    pixels, weights = torch.autograd.grad(maps, (x, full), torch.tensor(UPSTREAM))
    return maps.detach(), pixels, weights


def assert_close(found: Array, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("groups", [1, 2])
def test_both_ways_and_back(book: Any, groups: int) -> None:
    put_planes(book, "im2col_pixels", PIXELS)
    put_planes(book, "im2col_weights", WEIGHTS)
    put_planes(book, "back_upstream", UPSTREAM)
    lessons.put(book, im2col_groups=float(groups))
    maps, pixels, weights = by_torch(groups)
    columns = F.unfold(torch.tensor(PIXELS)[None], 2)[0]
    assert_close(lessons.numbers(book, "im2col_columns"), columns)
    counted = torch.ones(2, 2 // groups, 2, 2).numel()
    assert lessons.numbers(book, "im2col_counted").item() == counted
    assert_close(lessons.numbers(book, "im2col_matrix") @ columns.numpy(), maps.reshape(2, 4))
    assert_close(lessons.numbers(book, "im2col_product"), maps.reshape(2, 4))
    assert_close(planes(book, "im2col_out"), maps)
    assert_close(planes(book, "im2col_direct"), maps)
    assert_close(planes(book, "back_pixels"), pixels)
    assert_close(lessons.numbers(book, "back_weights"), weights.reshape(2, 8))
    folded = F.fold(torch.tensor(lessons.numbers(book, "back_copies"))[None], (3, 3), 2)[0]
    assert_close(folded.numpy(), pixels)
    turned = lessons.numbers(book, "back_turned").T.reshape(2, 2, 2, 2)
    assert_close(turned, torch.tensor(WEIGHTS * (np.eye(2)[:, :, None, None] if groups == 2 else 1)))
    for channel in (1, 2):
        lessons.put(book, back_channel=float(channel))
        assert_close(lessons.numbers(book, "back_convolved"), pixels[channel - 1])
        assert "both ways: the same numbers" in lessons.texts(book, "Transposed")
    assert "both ways: the same numbers" in lessons.texts(book, "Im2col")
    same = F.conv_transpose2d(torch.tensor(UPSTREAM)[None], torch.tensor(turned))[0]
    assert_close(planes(book, "back_pixels"), same)


def test_the_amber_cell_written_out(book: Any) -> None:
    put_planes(book, "im2col_pixels", PIXELS)
    put_planes(book, "im2col_weights", WEIGHTS)
    lessons.put(book, im2col_groups=1.0)
    maps, *_ = by_torch(1)
    for number, window in product((1, 2), range(1, 5)):
        lessons.put(book, im2col_map=float(number), im2col_window=float(window))
        lines = [line for line in lessons.texts(book, "Im2col").splitlines() if "·" in line and "(" in line]
        pairs = [pair.strip("+ ()").split("·") for line in lines for pair in line.split(" + (") if ")" in pair]
        pairs = [pair for pair in pairs if len(pair) == 2 and all(part.strip("-").isdigit() for part in pair)]
        assert len(pairs) == 8
        value = maps.reshape(2, 4)[number - 1, window - 1].item()
        assert sum(float(weight) * float(pixel) for weight, pixel in pairs) == value
        assert lessons.numbers(book, "im2col_value").item() == value


@pytest.mark.parametrize(("rows", "side"), [(28, 3), (9, 9), (64, 7), (12, 1)])
def test_copies_are_counted(book: Any, rows: int, side: int) -> None:
    lessons.put(book, copies_rows=float(rows), copies_kernel=float(side))
    numbers = F.unfold(torch.zeros(1, 1, rows, rows), side).numel()
    assert lessons.numbers(book, "copies_pixels").item() == rows * rows
    assert lessons.numbers(book, "copies_numbers").item() == numbers
    assert lessons.numbers(book, "copies_times").item() == pytest.approx(numbers / rows**2, abs=1e-10)


def test_where_each_pixel_goes(book: Any) -> None:
    ones = F.fold(F.unfold(torch.ones(1, 1, 3, 3), 2), (3, 3), 2)[0, 0]
    assert_close(lessons.numbers(book, "im2col_copies"), ones)
    for row, column in product(range(1, 4), repeat=2):
        lessons.put(book, back_row=float(row), back_column=float(column))
        assert lessons.numbers(book, "back_count").item() == ones[row - 1, column - 1]


EXPECTED = [
    ("im2col_value", [[4.0]]),
    ("im2col_copies", [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]),
    ("im2col_counted", [[8.0]]),
    ("copies_times", [[pytest.approx(14_400 / 784)]]),
    ("back_pixels_1", [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 0.0]]),
    ("back_count", [[4.0]]),
]
"""What each try changes, and what then stands there."""


def test_every_try_does_what_it_says(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    with connect(cells.set_cells(path, tmp_path / "tries.xlsx", {})) as fresh:
        for item, (name, expected) in zip(state.lesson.tries, EXPECTED, strict=True):
            assert lessons.perform(fresh, item, name) == expected
        shown = [value for row in lessons.shown(fresh, "im2col_columns") for value in row]
        assert shown.count(9.0) == 4


def test_other_programs_agree_after_changes(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    changes: dict[str, InputValue] = {
        **{"im2col_pixels": PIXELS, "im2col_weights": WEIGHTS, "back_upstream": UPSTREAM, "im2col_groups": 2.0},
        **{"im2col_window": 3.0, "im2col_map": 2.0, "back_channel": 2.0, "back_row": 3.0, "back_column": 2.0},
        **{"copies_rows": 5.0, "copies_kernel": 9.0},
    }
    edited = agreement.edited(path, tmp_path / "edited.xlsx", state, changes)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    for file in (answer, gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx")):
        for title in (im2col.IM2COL, transposed.TRANSPOSED):
            assert agreement.differences(file, state.with_typed(changes), title) == []


def test_no_cell_shows_an_error_whatever_is_typed(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    made = (*im2col.inputs(state.layout, state.lesson), *transposed.inputs(state.layout, state.lesson))
    items = [item for item in made if not item.placed.shape]
    odd = dict(zip([item.at.other() for item in items], [None, "one", 3.0, "x", 0.5, 9.0, "y", 0.0], strict=True))
    edited = cells.set_cells(path, tmp_path / "odd.xlsx", odd)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    for file in (answer, gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx")):
        for title in (im2col.IM2COL, transposed.TRANSPOSED):
            assert not [v for v in cells.values(file, title).values() if str(v).startswith(("#", "Err:"))]


def test_the_second_sheet_needs_the_first() -> None:
    network = Network.from_spec({"input": [1, 8, 8], "layers": [{"kind": "ReLU"}]})
    with pytest.raises(SpecError, match="the sheet 'transposed' needs the sheet 'im2col': name both"):
        registry.pages(networks.state_of(network, lesson=Lesson(sheets=("transposed",))))


def test_the_workbook_keeps_its_promises(path: Path, state: WorkbookState) -> None:
    assert validator.sdk_findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in state.lesson.tries]
