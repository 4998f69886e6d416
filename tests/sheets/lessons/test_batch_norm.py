"""The lesson `batch-norm`: modes, averages and four norms compared with PyTorch, in LibreOffice's cells."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from conv_sheet.cells.inputs import InputValue
from conv_sheet.office.libreoffice import connect
from conv_sheet.ops import Array
from conv_sheet.sheets.lessons import batch, norms
from conv_sheet.state import WorkbookState
from tests import lessons
from tests.oracles import cells, gnumeric, libreoffice, validator
from tests.sheets import agreement

state, path, book = lessons.fixtures("batch-norm")

RNG = np.random.default_rng(8)
PICTURES = RNG.integers(-20, 60, (8, 2, 3, 3)).astype(float)
VALUES = RNG.integers(-9, 40, (4, 4, 2, 2)).astype(float)
WEIGHT, BIAS = np.array([[1.5, -2.0]]), np.array([[0.25, 3.0]])
MODES = (batch.TRAIN, batch.EVAL, batch.FROZEN)


def put_planes(book: Any, name: str, values: Array) -> None:
    for n, c in np.ndindex(values.shape[:2]):
        lessons.put(book, **{f"{name}_{n + 1}_{c + 1}": values[n, c]})


def side_by_side(book: Any, name: str) -> Array:
    """The pictures (N, H, W) of a channel, which stand side by side with an empty column between them."""
    band = np.array(lessons.shown(book, name), dtype=float)
    return np.stack([band[:, 4 * n : 4 * n + 3] for n in range(8)])


def layer(seen: int, momentum: float, mode: str) -> nn.BatchNorm2d:
    """PyTorch's layer after so many batches of `PICTURES`, in a mode."""
    made = nn.BatchNorm2d(2, momentum=momentum, dtype=torch.float64)
    made.weight.data, made.bias.data = torch.tensor(WEIGHT[0]), torch.tensor(BIAS[0])
    for _ in range(seen):
        made(torch.tensor(PICTURES))
    if mode == batch.FROZEN:
        made.requires_grad_(False)
    return made.train(mode != batch.EVAL)


def averages(layer: nn.BatchNorm2d) -> dict[str, torch.Tensor]:
    """Running mean and variance as they are now."""
    return {name: value.clone() for name, value in layer.named_buffers()}


def assert_close(found: Array, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(found.ravel(), expected.detach().numpy().ravel(), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("mode", "seen", "momentum"), [*product(MODES, (0, 3), (0.1,)), (batch.EVAL, 40, 0.25)])
def test_every_mode_is_pytorchs(book: Any, mode: str, seen: int, momentum: float) -> None:
    put_planes(book, "batch_pictures", PICTURES)
    lessons.put(book, batch_weight=WEIGHT, batch_bias=BIAS)
    lessons.put(book, batch_mode=mode, batch_seen=float(seen), batch_momentum=momentum)
    theirs = layer(seen, momentum, mode)
    before = averages(theirs)
    out = theirs(torch.tensor(PICTURES))
    behind = averages(theirs)
    for c in range(2):
        assert_close(side_by_side(book, f"batch_out_{c + 1}"), out[:, c])
    assert_close(lessons.numbers(book, "batch_running_mean"), before["running_mean"])
    assert_close(lessons.numbers(book, "batch_running_variance"), before["running_var"])
    assert_close(lessons.numbers(book, "batch_next_mean"), behind["running_mean"])
    assert_close(lessons.numbers(book, "batch_next_variance"), behind["running_var"])
    after = torch.stack([out.mean((0, 2, 3)), out.var((0, 2, 3), correction=0)])
    assert_close(lessons.numbers(book, "batch_after"), after)
    assert (not torch.equal(before["running_mean"], behind["running_mean"])) == (mode != batch.EVAL)


def test_the_running_mean_is_followed(book: Any) -> None:
    put_planes(book, "batch_pictures", PICTURES)
    lessons.put(book, batch_momentum=0.3)
    expected = torch.stack([averages(layer(seen, 0.3, batch.TRAIN))["running_mean"] for seen in range(31)])
    for c in range(2):
        assert_close(lessons.numbers(book, f"batch_follow_{c + 1}"), expected[:, c])


def by_torch(x: torch.Tensor, kind: str, groups: int) -> torch.Tensor:
    if kind == norms.BATCH:
        return F.batch_norm(x, None, None, training=True)
    if kind == norms.LAYER:
        return F.layer_norm(x, x.shape[1:])
    return F.instance_norm(x) if kind == norms.INSTANCE else F.group_norm(x, groups)


KINDS = [(norms.BATCH, 2), (norms.LAYER, 2), (norms.INSTANCE, 1), (norms.GROUP, 1), (norms.GROUP, 2), (norms.GROUP, 4)]


@pytest.mark.parametrize(("kind", "groups"), KINDS)
def test_four_norms_are_pytorchs(book: Any, kind: str, groups: int) -> None:
    put_planes(book, "norms_values", VALUES)
    lessons.put(book, norms_kind=kind, norms_groups=float(groups))
    expected = by_torch(torch.tensor(VALUES), kind, groups)
    for n, c in np.ndindex(4, 4):
        assert_close(lessons.numbers(book, f"norms_out_{n + 1}_{c + 1}"), expected[n, c])
    apart = torch.linalg.vector_norm(expected[3] - expected[0]).item()
    assert lessons.numbers(book, "norms_apart").item() == pytest.approx(apart, abs=1e-10)
    before = np.linalg.norm(VALUES[3] - VALUES[0])
    assert lessons.numbers(book, "norms_apart_before").item() == pytest.approx(before, abs=1e-10)


def amber(state: WorkbookState, path: Path, folder: Path, choices: Iterable[tuple[str, int]]) -> list[Array]:
    """Which maps are marked, (pictures, channels): the rules of the sheet, as formulas in cells of their own."""
    marks = agreement.page(state, norms.NORMS).marks
    assert len(marks) == 16
    copied = {f"Norms!BA{row}": f"=IF({mark.formula},1,0)" for row, mark in enumerate(marks, 1)}
    with connect(cells.set_cells(path, folder / "marks.xlsx", copied)) as opened:
        lessons.put(opened, norms_picture=3.0, norms_channel=2.0)
        found = []
        for kind, groups in choices:
            lessons.put(opened, norms_kind=kind, norms_groups=float(groups))
            shown = opened.sheets["Norms"].range("BA1:BA16").options(np.array).value
            found.append(np.asarray(shown, dtype=float).reshape(4, 4))
        return found


def test_amber_is_what_shares_a_mean(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    """The maps on which the chosen one's result depends: PyTorch's gradient."""
    for (kind, groups), found in zip(KINDS, amber(state, path, tmp_path, KINDS), strict=True):
        x = torch.tensor(VALUES, requires_grad=True)
        (slopes,) = torch.autograd.grad(by_torch(x, kind, groups)[2, 1, 0, 0], x)
        np.testing.assert_array_equal(found, (slopes.abs() > 1e-9).any(-1).any(-1).numpy(), err_msg=f"{kind} {groups}")


CHANGED = (
    *("batch_after", "batch_next_mean", "batch_after", "batch_running_mean", "batch_next_mean"),
    *("norms_apart", "norms_mean"),
)
"""What each try changes."""


def test_every_try_does_what_it_says(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    with connect(cells.set_cells(path, tmp_path / "tries.xlsx", {})) as fresh:
        seen = [
            np.array(lessons.perform(fresh, item, name), dtype=float)
            for item, name in zip(state.lesson.tries, CHANGED, strict=True)
        ]
    np.testing.assert_allclose(seen[0], [[5, 0], [4, 1]], rtol=0, atol=1e-4)
    np.testing.assert_allclose(seen[1], [[2, 2.5]], rtol=0, atol=1e-4)
    assert seen[2][0, 0] > 1
    np.testing.assert_allclose(4 - seen[3][0, 0], 0.02, rtol=0, atol=0.005)
    np.testing.assert_allclose(seen[4], [[0.4, 0.5]], rtol=0, atol=1e-4)
    assert seen[5].item() == pytest.approx(0, abs=1e-9)
    np.testing.assert_array_equal(seen[6], state.array(norms.VALUES).mean(axis=(2, 3)).T)


@pytest.mark.parametrize("kind", [norms.BATCH, norms.LAYER, norms.INSTANCE, norms.GROUP])
def test_only_batch_norm_keeps_a_bright_picture_bright(kind: str, path: Path, state: WorkbookState) -> None:
    page = agreement.page(state.with_typed({"norms_kind": kind}), norms.NORMS)
    at = page.names["norms_apart"]
    apart = page.value(at.row, at.column)
    assert isinstance(apart, float)
    assert (apart > 1) == (kind == norms.BATCH)
    first = state.array(norms.VALUES)
    np.testing.assert_array_equal(first[3], first[0] + 3)


def test_other_programs_agree_after_changes(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    changes: dict[str, InputValue] = {
        **{"batch_pictures": PICTURES, "batch_weight": WEIGHT, "batch_bias": BIAS, "batch_momentum": 0.3},
        **{"batch_mode": batch.EVAL, "batch_seen": 2.0, "norms_values": VALUES, "norms_kind": norms.GROUP},
        **{"norms_groups": 2.0, "norms_picture": 2.0, "norms_channel": 3.0},
    }
    edited = agreement.edited(path, tmp_path / "edited.xlsx", state, changes)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    for file in (answer, gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx")):
        for title in (batch.BATCH, norms.NORMS):
            assert agreement.differences(file, state.with_typed(changes), title) == []


def test_the_workbook_keeps_its_promises(path: Path, state: WorkbookState) -> None:
    assert validator.sdk_findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in state.lesson.tries]
