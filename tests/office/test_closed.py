"""The buttons on closed files: what they change, and what they leave alone."""

import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from openpyxl.chart import LineChart, Reference
from openpyxl.comments import Comment

from conv_sheet import actions
from conv_sheet.check import check
from conv_sheet.errors import WorkbookError
from conv_sheet.network.graph import Network
from conv_sheet.recompute import press_closed
from conv_sheet.state import Contents
from conv_sheet.xlsx.package import Package
from conv_sheet.xlsx.reader import contents as read_contents
from conv_sheet.xlsx.reader import read
from tests.networks import changed, contents, small, written
from tests.oracles import cells, libreoffice


@pytest.fixture
def held() -> Contents:
    return contents(small())


@pytest.fixture
def edited(held: Contents, tmp_path: Path) -> Path:
    """A workbook whose pixels and weights were changed in LibreOffice, so that NumPy is stale."""
    path = cells.set_cells(written(tmp_path, held), tmp_path / "typed.xlsx", changed(held)[1])
    (saved,) = libreoffice.recalculate([path], tmp_path / "edited")
    return saved


def test_recompute_makes_the_check_green(edited: Path, held: Contents) -> None:
    assert not check(read(edited)).ok
    status, notes = press_closed(edited, actions.recompute)
    assert check(read(edited)).ok
    assert notes == []
    assert f"The network says {changed(held)[0].prediction}." in status
    assert status in cells.values(edited, "Start").values()


def test_values_that_nothing_had_calculated_are_filled(held: Contents, tmp_path: Path) -> None:
    path = cells.set_cells(written(tmp_path, held), tmp_path / "typed.xlsx", changed(held)[1])
    assert not any(isinstance(v, float) for v in [openpyxl.load_workbook(path, data_only=True)["Start"]["C5"].value])
    press_closed(path, actions.recompute)
    assert check(read(path)).ok
    (answer,) = libreoffice.recalculate([path], tmp_path / "out")
    assert check(read(answer)).ok


def furnished(path: Path) -> Path:
    """A user's additions: a sheet with notes and formulas, a chart, a comment, a colour."""
    book = openpyxl.load_workbook(path)
    notes = book.create_sheet("My notes")
    notes["A1"], notes["A2"] = "=1+1 is what I think", "=Network!B10*2"
    notes["A1"].comment = Comment("mine", "me")
    chart = LineChart()
    chart.add_data(Reference(notes, min_col=1, min_row=1, max_row=2))
    notes.add_chart(chart, "C3")
    book["Network"]["A60"] = "a remark"
    book["Network"]["A60"].fill = openpyxl.styles.PatternFill("solid", fgColor="FFFF00")
    book.save(path)
    return path


@pytest.mark.parametrize("program", ["openpyxl", "libreoffice"])
def test_everything_else_stays_byte_for_byte(edited: Path, tmp_path: Path, program: str) -> None:
    path = furnished(edited)
    if program == "libreoffice":
        (path,) = libreoffice.recalculate([path], tmp_path / "again")
    before = {n: zipfile.ZipFile(path).read(n) for n in zipfile.ZipFile(path).namelist()}
    typed = read(path).values
    press_closed(path, actions.recompute)
    after = {n: zipfile.ZipFile(path).read(n) for n in zipfile.ZipFile(path).namelist()}
    assert list(before) == list(after)
    ours = {part for title, part in Package.open(path).worksheets.items() if title != "My notes"}
    assert {name for name in before if before[name] != after[name]} <= ours
    formulas = read(path).formulas
    blocks = [block for _, placed in read_contents(read(path)).owned for block in placed.blocks]
    engines = {(block.sheet, *at) for block in blocks for at in block.positions()}
    for title, sheet in read(path).values.items():
        for at, value in sheet.items():
            if at not in formulas[title] and (title, *at) not in engines | {("Start", 4, 3)}:
                assert typed[title][at] == value, (title, at)


def test_a_text_in_a_kernel_is_named_and_the_file_stays(edited: Path, held: Contents) -> None:
    cell = held.layout.by_name["conv1"].own["weight"].blocks[1].cell(0, 1)
    path = cells.set_cells(edited, edited.with_name("text.xlsx"), {f"Network!{cell}": "1,5"})
    before = path.read_bytes()
    with pytest.raises(WorkbookError, match=rf"^Network!{cell} holds '1,5'.*conv1\.weight"):
        press_closed(path, actions.recompute)
    assert path.read_bytes() == before


def test_a_formula_of_the_users_among_the_engines_cells_is_not_overwritten(edited: Path, held: Contents) -> None:
    cell = held.layout.by_name["pool"].out.blocks[0].cell(0, 0)
    path = cells.set_cells(edited, edited.with_name("formula.xlsx"), {f"NumPy!{cell}": "=1+1"})
    before = path.read_bytes()
    with pytest.raises(WorkbookError, match=f"^NumPy!{cell} holds a formula"):
        press_closed(path, actions.recompute)
    assert path.read_bytes() == before


def test_a_formula_that_was_typed_over_is_noted_and_kept(edited: Path, held: Contents) -> None:
    cell = held.layout.by_name["conv1"].out.blocks[0].cell(0, 0)
    path = cells.set_cells(edited, edited.with_name("constant.xlsx"), {f"Network!{cell}": 7})
    _, notes = press_closed(path, actions.recompute)
    assert notes == [f"Network!{cell} no longer holds its formula"]
    assert cells.values(path, "Network")[cell] == 7


def test_a_file_that_is_open_elsewhere_is_left_alone(edited: Path) -> None:
    (edited.parent / f"~${edited.name}").write_text("someone")
    before = edited.read_bytes()
    with pytest.raises(WorkbookError, match="open in Excel"):
        press_closed(edited, actions.recompute)
    assert edited.read_bytes() == before


def numbers(path: Path) -> dict[str, np.ndarray]:
    return read_contents(read(path)).typed


def equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_reset_brings_the_lesson_back_and_reset_again_what_was_there(edited: Path, held: Contents) -> None:
    mine = numbers(edited)
    assert not equal(mine, held.typed)
    press_closed(edited, actions.reset)
    assert equal(numbers(edited), held.typed)
    assert check(read(edited)).ok
    press_closed(edited, actions.reset)
    assert equal(numbers(edited), mine)
    press_closed(edited, actions.reset)
    assert equal(numbers(edited), held.typed)


def test_random_kernels_are_seeded_small_and_keep_what_was_typed(edited: Path, held: Contents) -> None:
    mine = numbers(edited)
    press_closed(edited, actions.random_kernels)
    first = numbers(edited)
    press_closed(edited, actions.random_kernels, seed=2)
    second = numbers(edited)
    assert not np.array_equal(first["conv1.weight"], second["conv1.weight"])
    assert np.abs(second["conv1.weight"]).max() < 3
    for name in mine.keys() - {"conv1.weight"}:
        np.testing.assert_array_equal(second[name], mine[name])
    press_closed(edited, actions.random_kernels, seed=1)
    assert equal(numbers(edited), first)
    press_closed(edited, actions.reset)
    assert equal(numbers(edited), held.typed)
    press_closed(edited, actions.reset)
    assert equal(numbers(edited), mine)
    assert check(read(edited)).ok


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"kind": "MaxPool2d", "kernel_size": 2}], "no weights"),
        ([{"kind": "Dropout"}], "no weights"),
        ([{"kind": "Flatten"}, {"kind": "Linear", "out_features": 2}], "no convolution"),
    ],
)
def test_where_there_are_no_kernels_none_are_drawn(
    tmp_path: Path, layers: list[dict[str, object]], message: str
) -> None:
    path = written(tmp_path, contents(Network.from_spec({"input": [1, 4, 4], "layers": layers})))
    before = path.read_bytes()
    with pytest.raises(WorkbookError, match=f"^the network has {message}: there are no kernels to draw$"):
        press_closed(path, actions.random_kernels, seed=3)
    assert path.read_bytes() == before
