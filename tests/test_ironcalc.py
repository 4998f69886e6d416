"""IronCalc agrees with the engine on every formula of every lesson, after pixels and weights were changed."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from openpyxl.utils.cell import coordinate_to_tuple

from conv_sheet import lessons
from conv_sheet.cells.page import Value
from conv_sheet.sheets import registry
from conv_sheet.state import WorkbookState
from tests.books import SWEEP, values_for
from tests.conftest import Once
from tests.layers.test_layers import EVERY_KIND
from tests.lessons import built, state_of
from tests.networks import changed, small, written
from tests.networks import state_of as random_state
from tests.oracles import OracleError, ironcalc
from tests.oracles.ironcalc import Answer
from tests.sheets.test_backprop import network_state
from tests.test_oracles import TRUTH, liar, replace

__all__ = ["liar"]


LARGEST = {"cs231n", "lenet"}
"""Lessons whose layer kinds others have too, and which take longer than all those."""


def differences(answer: Answer, state: WorkbookState, engine: bool = True) -> list[str]:
    """Formulas that show something else than the engine makes of the state, on all sheets but Python's own."""
    found = []
    for page in registry.pages(state):
        for (row, column), cell in page.cells():
            if cell.formula is not None and (engine or cell.owner):
                value = answer.value(page.title, row, column)
                if not same(value, cell.value):
                    found.append(f"{page.title} {row},{column}: {value!r}, not {cell.value!r}: {cell.formula[:80]}")
    return found


def same(one: Value, other: Value) -> bool:
    if isinstance(one, bool) or isinstance(other, bool | str | None) or isinstance(one, str | None):
        return (one or "") == (other or "")
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


def typed(changes: dict[str, float]) -> dict[tuple[str, int, int], float]:
    places = ((address.rpartition("!"), value) for address, value in changes.items())
    return {(sheet, *coordinate_to_tuple(cell)): value for (sheet, _, cell), value in places}


@pytest.mark.parametrize("name", [name for name in lessons.names() if SWEEP or name not in LARGEST])
def test_every_formula_of_a_lesson(name: str, once: Once) -> None:
    other, changes = changed(state_of(name))
    answer = ironcalc.recalculated(built(once, name), typed(changes))
    assert differences(answer, other, engine=False) == []


def test_every_formula_of_every_kind(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    image = rng.standard_normal(EVERY_KIND.input_shape)
    state = WorkbookState.of(EVERY_KIND, image, values_for(EVERY_KIND, rng))
    assert differences(ironcalc.recalculated(written(tmp_path, state)), state) == []


@pytest.mark.parametrize("name", ["hinge joined", "mse", "bce joined"])
def test_every_formula_of_a_loss(name: str, tmp_path: Path) -> None:
    state = network_state(name)
    assert differences(ironcalc.recalculated(written(tmp_path, state)), state) == []


def test_a_broken_formula_is_seen(tmp_path: Path) -> None:
    state = random_state(small())
    path = written(tmp_path, state)
    assert differences(ironcalc.recalculated(path), state) == []
    bias = state.layout.by_name["conv1"].own["bias"].blocks[0].fixed()
    broken = replace(path, "xl/worksheets/sheet2.xml", rf"[+]{re.escape(bias)}\)</f>", f"-{bias})</f>")
    assert any("Network" in line for line in differences(ironcalc.recalculated(broken), state))


def test_no_stored_value_is_trusted(liar: Path) -> None:
    assert ironcalc.recalculated(liar).value("Network", 2, 1) == TRUTH


def test_a_broken_workbook_and_an_error_are_no_answers(liar: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(OracleError, match="IronCalc cannot read"):
        ironcalc.recalculated(tmp_path / "broken.xlsx")
    wrong = replace(liar, "xl/worksheets/sheet1.xml", "A1[*]3", "NOSUCH(A1)")
    with pytest.raises(OracleError, match="IronCalc shows #NAME"):
        ironcalc.recalculated(wrong).value("Network", 2, 1)
