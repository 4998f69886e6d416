"""The lesson `upsampling`: every stride and kernel size compared with PyTorch, in LibreOffice's cells."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from conv_sheet.cells.inputs import InputValue
from conv_sheet.errors import SpecError
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.office.libreoffice import connect
from conv_sheet.ops import Array
from conv_sheet.pictures.samples import sample
from conv_sheet.sheets import registry
from conv_sheet.sheets.lessons import redrawn, upsample
from conv_sheet.state import WorkbookState
from tests import lessons, networks
from tests.oracles import cells, gnumeric, libreoffice, validator
from tests.sheets import agreement

state, path, book = lessons.fixtures("upsampling")

EVERY = list(product(range(1, 4), range(1, 5)))
"""Strides and kernel sizes."""
ROW, KERNEL = np.array([[3.0, -2.0, 5.0]]), np.array([[2.0, -1.0, 4.0, 3.0]])


def there(shown: list[list[object]]) -> Array:
    """The numbers of a block that is partly empty: those before the first empty row and column."""
    values = np.array(shown, dtype=float)
    found: Array = values[~np.isnan(values).all(axis=1)][:, ~np.isnan(values).all(axis=0)]
    return found


def assert_shows(book: Any, name: str, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(there(lessons.shown(book, name)), expected.numpy(), rtol=0, atol=1e-10, err_msg=name)


@pytest.mark.parametrize(("stride", "size"), EVERY)
def test_every_stride_and_kernel_size(book: Any, stride: int, size: int) -> None:
    lessons.put(book, up_stride=float(stride), up_size=float(size), up_input=ROW, up_kernel=KERNEL)
    row, weight = torch.tensor(ROW)[None], torch.tensor(KERNEL[:, :size])[None]
    out = F.conv_transpose1d(row, weight, stride=stride)
    length = out.shape[-1]
    matrix = F.conv1d(torch.eye(length, dtype=torch.float64)[:, None], weight, stride=stride)[:, 0]
    assert_shows(book, "up_matrix", matrix)
    assert_shows(book, "up_output", out[0].T)
    assert_shows(book, "up_same", out[0].T)
    assert_shows(book, "up_turned", weight[0].flip(1).T)
    assert_shows(book, "up_back", F.conv1d(out, weight, stride=stride)[0])
    assert lessons.numbers(book, "up_length").item() == length
    zeros = there(lessons.shown(book, "up_zeros"))
    spread = F.conv1d(torch.tensor(zeros.T)[None], weight.flip(2))
    np.testing.assert_allclose(spread[0].numpy(), out[0].numpy(), rtol=0, atol=1e-10)
    ones = torch.ones(1, 1, size, size, dtype=torch.float64)
    picture = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    counts = F.conv_transpose2d(picture, ones, stride=stride)[0, 0]
    if size >= stride:
        assert_shows(book, "up_counts", counts)
        assert_shows(book, "up_even", F.conv2d(F.interpolate(picture, scale_factor=float(stride)), ones)[0, 0])
    says = lessons.texts(book, "Upsample")
    inside = counts[size - 1 : -size + 1 or None, size - 1 : -size + 1 or None]
    assert ("A checkerboard" in says) == (inside.min() != inside.max() or size % stride > 0)
    assert "both ways: the same" in says


def test_out_of_a_kernel_smaller_than_its_stride_cells_are_not_reached(book: Any) -> None:
    lessons.put(book, up_stride=3.0, up_size=1.0)
    counts = F.conv_transpose2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 1, 1), stride=3)[0, 0]
    found = np.array(lessons.shown(book, "up_counts"), dtype=float)
    np.testing.assert_array_equal(found[: len(counts), : len(counts)], counts.numpy())


def test_the_row_comes_back_where_kernels_neither_overlap_nor_scale(book: Any) -> None:
    lessons.put(book, up_stride=2.0, up_size=1.0, up_kernel=np.array([[1.0, 0.0, 0.0, 0.0]]), up_input=ROW)
    assert "here it is the row again" in lessons.texts(book, "Upsample")
    lessons.put(book, up_kernel=np.array([[2.0, 0.0, 0.0, 0.0]]))
    assert "it is not the row" in lessons.texts(book, "Upsample")


def twin(state: WorkbookState) -> nn.Sequential:
    """The autoencoder in PyTorch."""
    layers = {
        "enc1": nn.Conv2d(1, 4, 3, 2, 1),
        "code": nn.Conv2d(4, 2, 3, 2, 1),
        "dec1": nn.ConvTranspose2d(2, 4, 4, 2, 1),
        "dec2": nn.ConvTranspose2d(4, 1, 4, 2, 1),
    }
    for name, layer in layers.items():
        layer.double().load_state_dict({k: torch.tensor(state.tensors[f"{name}.{k}"]) for k in ("weight", "bias")})
    enc1, code, dec1, dec2 = layers.values()
    return nn.Sequential(enc1, nn.ReLU(), code, dec1, nn.ReLU(), dec2, nn.Sigmoid())


def test_the_network_is_pytorchs_and_so_is_its_error(book: Any, state: WorkbookState) -> None:
    image = sample("digit 3", state.network.input_shape)
    lessons.put(book, picture="digit 3")
    with torch.no_grad():
        drawn = twin(state)(torch.tensor(image)[None])
        code = twin(state)[:3](torch.tensor(image)[None])
    assert_shows(book, "redrawn_seen", torch.tensor(image[0]))
    for number, plane in enumerate(code[0], 1):
        assert_shows(book, f"redrawn_code_{number}", plane)
    assert_shows(book, "redrawn_drawn", drawn[0, 0])
    assert_shows(book, "redrawn_difference", (drawn - torch.tensor(image))[0, 0])
    error = F.mse_loss(drawn[0], torch.tensor(image)).item()
    assert lessons.numbers(book, "redrawn_error").item() == pytest.approx(error, abs=1e-10)
    right = ((drawn[0] > 0.5) == torch.tensor(image > 0.5)).double().mean().item()
    assert lessons.numbers(book, "redrawn_right").item() == pytest.approx(right, abs=1e-10)


def test_every_sample_digit_is_drawn_again(state: WorkbookState) -> None:
    """Each drawn picture is nearer to the digit that it was made of than to every other one."""
    digits = np.stack([sample(f"digit {n}", state.network.input_shape) for n in range(10)])
    drawn = state.network.forward(digits, state.tensors)[state.network.output.name]
    apart = ((drawn[:, None] - digits[None]) ** 2).mean(axis=(2, 3, 4))
    np.testing.assert_array_equal(apart.argmin(axis=1), np.arange(10))
    assert apart.diagonal().max() < 0.02


CHANGED = ("up_output", "up_length", "up_back", "up_board", "redrawn_error", "redrawn_error")
"""What each try changes."""


def test_every_try_does_what_it_says(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    with connect(cells.set_cells(path, tmp_path / "tries.xlsx", {})) as fresh:
        tries = zip(state.lesson.tries, CHANGED, strict=True)
        seen = [lessons.perform(fresh, item, name) for item, name in tries]
    assert [row[0] for row in seen[0][:7]] == [1.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert seen[1] == [[9.0]]
    assert seen[2] == [[7.0, 8.0, 7.0]]
    assert "every cell gets as much" in str(seen[3])
    (digit,), (black,) = (np.array(one, dtype=float).ravel() for one in seen[4:])
    assert digit < 0.02
    assert black > 5 * digit


def test_other_programs_agree_after_changes(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    edits: list[dict[str, InputValue]] = [
        {"up_stride": 3.0, "up_size": 4.0, "up_kernel": KERNEL, "up_input": ROW},
        {"up_stride": 3.0, "up_size": 2.0, "up_kernel": KERNEL, "up_input": ROW, "picture": "digit 2"},
    ]
    files = [agreement.edited(path, tmp_path / f"{n}.xlsx", state, edit) for n, edit in enumerate(edits)]
    answers = libreoffice.recalculate(files, tmp_path / "out")
    image = sample("digit 2", state.network.input_shape)
    states = [state.with_typed(edits[0]), state.with_typed(edits[1] | {"input": image})]
    for file, answer, expected in zip(files, answers, states, strict=True):
        for other in (answer, gnumeric.recalculate(file, tmp_path / f"gnumeric-{file.name}")):
            for title in (upsample.UPSAMPLE, redrawn.REDRAWN):
                assert agreement.differences(other, expected, title) == []


def test_no_cell_shows_an_error_whatever_is_typed(path: Path, tmp_path: Path) -> None:
    odd: list[tuple[cells.Value | None, cells.Value | None]] = [
        (None, 3.0),
        ("two", 3.0),
        (2.0, "x"),
        (0.0, 0.0),
        (9.0, 9.0),
        (1.5, None),
    ]
    edited = [
        cells.set_cells(path, tmp_path / f"{n}.xlsx", dict(zip(("Upsample!F5", "Upsample!N5"), pair, strict=True)))
        for n, pair in enumerate(odd)
    ]
    for answer in libreoffice.recalculate(edited, tmp_path / "out"):
        assert not [v for v in cells.values(answer, "Upsample").values() if str(v).startswith(("#", "Err:"))]


def test_a_network_that_draws_nothing_again_is_told() -> None:
    network = Network.from_spec({"input": [1, 8, 8], "layers": [{"kind": "Flatten"}]})
    with pytest.raises(SpecError, match="needs one channel, and an output of the input's size"):
        registry.pages(networks.state_of(network, lesson=Lesson(sheets=("redrawn",))))


def test_the_workbook_keeps_its_promises(path: Path, state: WorkbookState) -> None:
    assert validator.sdk_findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in state.lesson.tries]
