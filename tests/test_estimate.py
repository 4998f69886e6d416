"""What is said of a workbook before it is made, beside the workbook."""

import contextlib
import os
import re
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from click.testing import CliRunner

from conv_sheet import builder, estimate
from conv_sheet.builder import build
from conv_sheet.cli import main
from conv_sheet.errors import ConvSheetWarning, WorkbookError
from conv_sheet.network.graph import Network
from conv_sheet.state import WorkbookState
from tests.networks import small, state_of, written


def convolutions(channels: int) -> Network:
    conv = {"kind": "Conv2d", "out_channels": channels, "kernel_size": 3, "padding": 1}
    return Network.from_spec({"input": [3, 32, 32], "layers": [conv] * 6})


def test_more_names_than_libreoffice_keeps_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = len(openpyxl.load_workbook(written(tmp_path, state_of(small()))).defined_names)
    monkeypatch.setattr(builder, "MOST_NAMES", names)
    with warnings.catch_warnings(action="error"):
        build(state_of(small()), tmp_path / "book.xlsx")
    monkeypatch.setattr(builder, "MOST_NAMES", names - 1)
    with pytest.warns(
        ConvSheetWarning, match=rf"has {names} defined names, of which LibreOffice 7\.4 keeps {names - 1}"
    ):
        build(state_of(small()), tmp_path / "book.xlsx")


@pytest.mark.parametrize("channels", [6, 12])
def test_cells_and_size_are_those_of_the_file(tmp_path: Path, channels: int) -> None:
    network, rng = convolutions(channels), np.random.default_rng(0)
    tensors = {name: rng.normal(0, 0.1, shape) for name, shape in network.parameters.items()}
    state = WorkbookState.of(network, rng.random(network.input_shape), tensors)
    path, costs = written(tmp_path, state), estimate.estimate(state)
    with zipfile.ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
        cells = sum(len(re.findall(rb"<c r=", archive.read(name))) for name in sheets)
    assert costs.cells == pytest.approx(cells, rel=0.15)
    assert costs.file == pytest.approx(path.stat().st_size / 1e6, rel=0.5)


def test_libreoffice_takes_longer_for_more_multiplications_in_as_many_cells() -> None:
    conv = {"kind": "Conv2d", "out_channels": 4, "kernel_size": 1}
    plain, grouped = (
        estimate.estimate(state_of(Network.from_spec({"input": [4, 64, 64], "layers": [one] * 6})))
        for one in (conv, conv | {"groups": 4})
    )
    assert plain.cells == pytest.approx(grouped.cells, rel=0.01)
    assert plain.multiply_adds == 4 * grouped.multiply_adds == 6 * 64 * 64 * 4 * 4
    assert plain.libreoffice > grouped.libreoffice


def test_what_is_to_be_smaller_is_a_layer_that_takes_most_or_else_depth() -> None:
    linear = {"kind": "Linear", "name": "large", "out_features": 500}
    wide = Network.from_spec({"input": [1, 8, 8], "layers": [{"kind": "Flatten"}, linear]})
    for network, advice in ((wide, "fewer channels or features in 'large'"), (convolutions(6), "fewer layers")):
        with pytest.raises(WorkbookError, match=f"use a smaller input or {advice}"):
            estimate.require_cells(estimate.estimate(state_of(network)), 1_000)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec of a small network, whose build counts as long, in the folder of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimate, "LONG", 0)
    (tmp_path / "mine.toml").write_text(small().to_toml(), encoding="utf-8")
    return tmp_path


def test_a_long_build_says_what_it_costs_on_standard_error(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(main, ["build", "mine.toml"])
    costs = (
        r"about [\d,]+ cells: \d+ s and \d+ MB of memory to build, a file of \d+ MB, \d+ s to calculate in LibreOffice"
    )
    assert re.fullmatch(costs + "\n", result.stderr)
    assert result.stdout.startswith("wrote mine.xlsm")
    monkeypatch.setattr(estimate, "LONG", 9)
    assert CliRunner().invoke(main, ["build", "mine.toml", "--force"]).stderr == ""


def test_more_cells_than_allowed_are_refused_with_the_count_that_allows_them(mine: Path) -> None:
    result = CliRunner().invoke(main, ["build", "mine.toml", "--max-cells", "5000"])
    refused = re.fullmatch(
        r"Error: the workbook would have about ([\d,]+) cells, and 5,000 are .* --max-cells (\d+)\n", result.stderr
    )
    assert refused and result.exit_code == 1 and not (mine / "mine.xlsm").exists()
    assert refused[1].replace(",", "") == refused[2]
    assert CliRunner().invoke(main, ["build", "mine.toml", "--max-cells", refused[2]]).exit_code == 0


@pytest.mark.parametrize("name", ["book.xlsx", "book.xlsm"])
def test_the_share_that_is_done_grows_row_by_row(tmp_path: Path, name: str) -> None:
    shares: list[float] = []
    build(state_of(small()), tmp_path / name, shares.append)
    assert shares == sorted(shares) and shares[-1] == 1
    assert max(later - before for before, later in pairwise(shares)) < 0.1


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_only_a_terminal_gets_a_bar_that_ends_at_all(mine: Path) -> None:
    import pty

    outer, inner = pty.openpty()
    code = "from conv_sheet import cli, estimate; estimate.LONG = 0; cli.run()"
    command = [sys.executable, "-c", code, "build", "mine.toml"]
    with subprocess.Popen(command, cwd=mine, stdout=subprocess.PIPE, stderr=inner, text=True) as process:
        os.close(inner)
        shown = "".join(said(outer))
        assert process.communicate()[0].startswith("wrote mine.xlsm")
    os.close(outer)
    assert re.search(r"building .* \d\d%.* 100%", shown, flags=re.DOTALL)


def said(terminal: int) -> Iterator[str]:
    """What comes out of a terminal until nobody holds its other end."""
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 1 << 16):
            yield part.decode(errors="replace")
