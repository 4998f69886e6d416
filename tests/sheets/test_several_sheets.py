"""A network that is too wide for one sheet: calculated, checked, edited, moved and exported across its sheets."""

from pathlib import Path

import numpy as np
import onnxruntime
import openpyxl
import pytest
from click.testing import CliRunner

from conv_sheet import actions
from conv_sheet.cells.inputs import InputValue
from conv_sheet.checks import check
from conv_sheet.cli import main
from conv_sheet.network.graph import INPUT, Network
from conv_sheet.network.layout import NETWORK, NUMPY
from conv_sheet.network.lesson import Lesson
from conv_sheet.office.closed import press
from conv_sheet.opening import read
from conv_sheet.sheets import registry
from conv_sheet.sheets.loupe.places import COLUMN, LAYER, MAP, ROW
from conv_sheet.sheets.standing import MovedError
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.change import patch_cells
from conv_sheet.xlsx.patch import Typed
from conv_sheet.xlsx.writer import write
from tests.books import values_for
from tests.graphs import conv, graph, layer
from tests.networks import small, state_of
from tests.oracles import audit, cells, formualizer, gnumeric, ironcalc, libreoffice, validator
from tests.sheets import agreement

SECOND = f"{NETWORK} 2"
WIDE: Network = graph(
    (2, 4, 300),
    conv("conv1", padding=1),
    layer("ReLU", name="relu1"),
    conv("conv2", padding=1),
    layer("Add", "conv2", "relu1", name="add1"),
    layer("ReLU", name="relu2"),
    conv("conv3", padding=1),
    conv("conv4", padding=1),
    layer("Add", "conv4", "relu2", name="add2"),
    conv("conv5", padding=1),
    layer("Concat", "conv5", "relu1", name="cat"),
    conv("down", padding=1, stride=2, out_channels=4),
    layer("MaxPool2d", kernel_size=2),
    layer("AdaptiveAvgPool2d", output_size=1),
    layer("Flatten"),
    layer("Linear", name="fc", out_features=2),
    layer("Softmax"),
    classes=["left", "right"],
)
"""Maps of 300 columns: on the second sheet an Add and a Concat read what stands on the first, too."""
ENGINES = (NUMPY, f"{NUMPY} 2", "Python", "Saliency")
"""Sheets that also show what Python last made of the network."""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workbook, packed as a large one is."""
    path = tmp_path_factory.mktemp("several") / "book.xlsx"
    write("wide", registry.pages(state_of(WIDE)), path, large=0)
    return path


@pytest.fixture(scope="module")
def edited(book: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WorkbookState]:
    """The workbook with everything typed anew, the loupe over a cell of the second sheet, and that state."""
    before, rng = read(book), np.random.default_rng(3)
    changes: dict[str, InputValue] = {INPUT: rng.random(WIDE.input_shape).round(3), **values_for(WIDE, rng)}
    changes |= {LAYER: "down", MAP: 3.0, ROW: 2.0, COLUMN: 150.0}
    out = tmp_path_factory.mktemp("edited") / "edited.xlsx"
    return agreement.edited(book, out, before, changes), before.with_typed(changes)


def test_it_has_two_sheets_and_each_stage_reads_what_stands_on_its_own() -> None:
    layout = state_of(WIDE).layout
    assert [part.sheet for part in layout.parts] == [NETWORK, SECOND]
    assert {stage.shows for stage in layout.parts[1].stages if stage.carried} == {"relu1", "relu2"}
    read_there = [
        source for part in layout.parts for s in part.stages if not s.carried for source in part.site(s).sources
    ]
    homes = [{block.sheet for block in source.blocks} for source in read_there]
    assert len(homes) > len(WIDE.nodes) / 2
    assert [home for home in homes if len(home) > 1] == []


def test_excel_has_nothing_to_repair(book: Path) -> None:
    assert validator.findings(book) + audit.findings(book) == []


def test_a_large_workbook_is_packed_more_closely(book: Path, tmp_path: Path) -> None:
    write("wide", registry.pages(state_of(WIDE)), tmp_path / "usual.xlsx")
    assert book.stat().st_size < (tmp_path / "usual.xlsx").stat().st_size


def test_libreoffice_calculates_across_the_sheets(edited: tuple[Path, WorkbookState], tmp_path: Path) -> None:
    path, state = edited
    (answer,) = libreoffice.recalculate([path], tmp_path / "answer")
    for sheet in registry.sheets(state.layout, state.lesson):
        if sheet.title not in ENGINES:
            assert agreement.differences(answer, state, sheet.title) == []


def test_gnumeric_does_too(edited: tuple[Path, WorkbookState], tmp_path: Path) -> None:
    path, state = edited
    answer = gnumeric.recalculate(path, tmp_path / "answer.xlsx")
    for title in (NETWORK, SECOND, "Loupe"):
        assert agreement.differences(answer, state, title) == []


def test_ironcalc_and_formualizer_do_too(edited: tuple[Path, WorkbookState], tmp_path: Path) -> None:
    path, state = edited
    iron, other = ironcalc.recalculated(path), formualizer.recalculate(path, tmp_path / "answer.xlsx")
    for title in (NETWORK, SECOND):
        assert agreement.differences(other, state, title) == []
        page = agreement.page(state, title)
        wrong = [at for at, cell in page.cells() if not agreement.same(iron.value(title, *at), cell.value)]
        assert wrong == []


def test_python_answers_and_brings_back_what_stands_on_each_sheet(
    book: Path, edited: tuple[Path, WorkbookState], tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    path.write_bytes(edited[0].read_bytes())
    press(path, actions.recompute)
    assert check(path).ok
    for expected in (read(book), edited[1]):
        press(path, actions.reset)
        found = read(path)
        assert check(path).ok
        for name in (INPUT, *WIDE.parameters):
            np.testing.assert_array_equal(np.asarray(found.typed[name]), np.asarray(expected.typed[name]))


def test_rows_that_moved_on_the_second_sheet_are_noticed(book: Path, tmp_path: Path) -> None:
    opened = openpyxl.load_workbook(book)
    opened[SECOND].insert_rows(20)
    opened.save(tmp_path / "moved.xlsx")
    with pytest.raises(MovedError, match=f"{SECOND}.*inserted or deleted"):
        read(tmp_path / "moved.xlsx")


def test_a_formula_that_was_typed_over_on_the_second_sheet_is_found(book: Path, tmp_path: Path) -> None:
    layout = state_of(WIDE).layout
    (stage,) = (one for one in layout.parts[1].stages if one.shows == "relu1")
    block = stage.out.blocks[0]
    path = tmp_path / "typed.xlsx"
    patch_cells(book, path, {SECOND: {block.position(1, 1): Typed(7.0)}})
    (wrong,) = check(path).formulas
    assert wrong.address == f"'{SECOND}'!{block.cell(1, 1)}"


def test_what_was_edited_on_the_second_sheet_is_exported(book: Path, tmp_path: Path) -> None:
    weight = state_of(WIDE).layout.by_name["conv5"].own["weight"].blocks[1]
    assert weight.sheet == SECOND
    path, model = tmp_path / "edited.xlsx", tmp_path / "model.onnx"
    patch_cells(book, path, {SECOND: {weight.position(0, 2): 1.75}})
    result = CliRunner().invoke(main, ["export", str(path), "-o", str(model)])
    assert result.exit_code == 0, result.output
    state = read(path)
    assert state.tensors["conv5.weight"][0, 1, 0, 2] == 1.75
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"input": state.image[np.newaxis].astype(np.float32)})
    (recalculated,) = libreoffice.recalculate([path], tmp_path / "answer")
    output = state.layout.output.blocks[0]
    shown = cells.array(cells.values(recalculated, SECOND), output.relative)
    np.testing.assert_allclose(answer[0], shown.ravel(), atol=1e-6)


def test_the_overview_has_every_stage_once_with_a_link_and_small_maps(book: Path) -> None:
    sheet, layout = openpyxl.load_workbook(book)["Overview"], state_of(WIDE).layout
    links = [cell.hyperlink.location for row in sheet.iter_rows(min_row=6) for cell in row if cell.hyperlink]
    stages = [stage for stage in layout.stages if not stage.carried]
    assert links == [stage.out.blocks[0].other() for stage in stages]
    drawn = {
        cell.value.partition("!")[0] for row in sheet.iter_rows(min_row=6, min_col=31) for cell in row if cell.value
    }
    assert drawn == {f"=AVERAGE({NETWORK}", f"=AVERAGE('{SECOND}'"}
    assert "Overview" not in [one.title for one in registry.sheets(state_of(small()).layout, Lesson())]


def test_a_shortcut_is_a_line_from_what_it_takes_to_who_reads_it(book: Path) -> None:
    opened = openpyxl.load_workbook(book)
    found = {
        (title, cell.value): cell.hyperlink.location
        for title in (NETWORK, SECOND)
        for row in opened[title].iter_rows(min_row=14, max_row=15)
        for cell in row
        if isinstance(cell.value, str) and "→" in cell.value
    }
    layout = state_of(WIDE).layout
    first = {shown: stage.out.blocks[0].foreign for shown, stage in ((s.name, s) for s in layout.stages)}
    assert found == {
        (NETWORK, "relu1 → add1"): first["conv1"],
        (SECOND, "relu1 → down"): first["relu1_on_2"],
        (SECOND, "relu2 → add2"): first["relu2_on_2"],
    }
    lane = next(one for one in opened[NETWORK].merged_cells.ranges if one.min_row == 14)
    assert (lane.min_col, lane.max_col) == (layout.by_name["conv1"].columns[0], layout.by_name["add1"].columns[0] - 1)


def test_links_lead_to_the_sheet_before_and_behind(book: Path) -> None:
    opened = openpyxl.load_workbook(book)
    layout = state_of(WIDE).layout
    found = {
        title: {
            cell.hyperlink.location for row in opened[title].iter_rows(max_row=12) for cell in row if cell.hyperlink
        }
        for title in (NETWORK, SECOND)
    }
    assert found == {
        NETWORK: {f"'{SECOND}'!B9"},
        SECOND: {layout.placed[name].blocks[0].other() for name in ("relu1", "relu2")},
    }
