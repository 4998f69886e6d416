"""The page about the networks that people teach with: all are on it, they agree, and what it counts is so."""

from pathlib import Path

import pytest

from conv_sheet.lessons import workbook
from conv_sheet.models import from_torch
from scripts import models
from tests.models.zoo import ZOO, ready
from tests.networks import written

LINES = [line.split(" | ") for line in models.PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]


def test_every_network_is_on_the_page_and_agrees() -> None:
    assert [line[0] for line in LINES] == [f"| `{name}`" for name in ZOO]
    for name, *_, engine, formulas in LINES:
        assert float(engine) < 1e-9 and float(formulas.removesuffix(" |")) < 1e-9, name


@pytest.mark.parametrize("name", ["espcn", "resnet8_w4"])
def test_what_the_page_counts_is_what_is_built(tmp_path: Path, name: str) -> None:
    module, example = ready(name)
    state = workbook(from_torch(module, example), example)
    _, shape, layers, kinds, cells, *_ = next(line for line in LINES if f"`{name}`" in line[0])
    assert shape == "×".join(map(str, ZOO[name].shape))
    assert int(layers) == len(state.network.nodes)
    assert kinds == models.kinds(node.layer.kind for node in state.network.nodes)
    assert int(cells.replace(",", "")) == pytest.approx(models.cells(written(tmp_path, state)), rel=0.1)
