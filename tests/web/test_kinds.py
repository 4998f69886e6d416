"""The page's engine over every kind of layer and every loss, against what Python says of their formulas."""

import json
from pathlib import Path

import numpy as np
import pytest

from conv_sheet.network.graph import Network
from conv_sheet.sheets import registry
from conv_sheet.state import WorkbookState
from conv_sheet.web.data import data
from tests.books import values_for
from tests.layers.test_layers import EVERY_KIND
from tests.oracles import run
from tests.sheets.agreement import same
from tests.sheets.test_backprop import network_state
from tests.sheets.test_several_sheets import WIDE

VALUES = Path(__file__).with_name("values.js")


@pytest.mark.parametrize("network", [EVERY_KIND, WIDE], ids=["every kind", "several sheets"])
def test_every_formula(network: Network, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    image = rng.standard_normal(network.input_shape)
    assert_agrees(WorkbookState.of(network, image, values_for(network, rng)), tmp_path)


@pytest.mark.parametrize("name", ["hinge joined", "mse", "bce joined"])
def test_every_formula_of_a_loss(name: str, tmp_path: Path) -> None:
    assert_agrees(network_state(name), tmp_path)


def assert_agrees(state: WorkbookState, tmp_path: Path) -> None:
    held = data(state, "every")
    (tmp_path / "data.json").write_text(json.dumps(held), encoding="utf-8")
    shown = json.loads(run("node", [VALUES, tmp_path / "data.json"]).out)
    titles = {sheet["title"] for sheet in held["sheets"]}
    formulas = [
        (f"{page.title} {row},{column}", cell.value)
        for page in registry.pages(state)
        if page.title in titles
        for (row, column), cell in page.cells()
        if cell.formula is not None and not isinstance(cell.value, str)
    ]
    assert len(formulas) > 2_000
    assert [(at, shown.get(at), value) for at, value in formulas if not same(shown.get(at), value)] == []
