"""Workbooks of other versions and other file types: read, or told in one line with the way out."""

import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from conv_sheet import actions
from conv_sheet.checks import check
from conv_sheet.errors import ConvSheetError, WorkbookError
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.office.closed import press
from conv_sheet.office.libreoffice import connect
from conv_sheet.office.live import press as press_live
from conv_sheet.opening import read, read_any, read_spec
from conv_sheet.sheets.addresses import SEED, STATUS
from conv_sheet.sheets.hidden import FORMAT, FORMAT_CELL
from conv_sheet.state import WorkbookState
from tests.networks import fastai, small, state_of, written

COMMANDS = (read, check, lambda path: press(path, actions.recompute), lambda path: press(path, actions.reset))


def of_first_version(path: Path, folder: Path) -> Path:
    """The workbook as the first version would have built it: it says no version."""
    book = openpyxl.load_workbook(path)
    book["Spec"][FORMAT_CELL.cell()] = None
    del book.defined_names["format_version"]
    old = folder / f"old-{path.name}"
    book.save(old)
    return old


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return of_first_version(written(tmp_path, state_of(small())), tmp_path)


def test_a_workbook_of_the_first_version_is_told_with_the_way_out(old: Path) -> None:
    before = old.read_bytes()
    for command in COMMANDS:
        with pytest.raises(WorkbookError, match=r"earlier version.* build --from old-book\.xlsx -o NEW\.xlsx$"):
            command(old)
    assert old.read_bytes() == before
    assert read_spec(old).network == small()


def test_its_picture_weights_and_choices_are_read_by_their_names(old: Path) -> None:
    state, found = state_of(small()), read_any(old)
    np.testing.assert_array_equal(found.image, state.image)
    assert found.tensors.keys() == state.tensors.keys()
    for name, value in state.tensors.items():
        np.testing.assert_array_equal(found.tensors[name], value, err_msg=name)
    book = openpyxl.load_workbook(old)
    place = state.layout.input.blocks[0]
    book["Network"].move_range(place.relative, rows=60)  # somewhere else than today
    book.defined_names["input_1"].attr_text = place.part(60, 0, *place.shape).reference
    book[SEED.sheet][SEED.cell()] = 77
    book.save(old)
    found = read_any(old)
    np.testing.assert_array_equal(found.image, state.image)
    assert found.typed["random_seed"] == 77
    assert check(written(old.parent, found, "new.xlsx")).ok


def test_pictures_of_the_users_come_along(tmp_path: Path) -> None:
    state = fastai()
    drawn = state.with_typed({"image_own": np.full((1, 28, 28), 0.25), "picture": "digit 3"})
    found = read_any(of_first_version(written(tmp_path, drawn), tmp_path))
    np.testing.assert_array_equal(found.typed["image_own"], drawn.typed["image_own"])
    assert found.typed["picture"] == "digit 3"


def test_a_name_that_is_gone_is_told(old: Path) -> None:
    book = openpyxl.load_workbook(old)
    del book.defined_names["conv1_bias"]
    book.save(old)
    with pytest.raises(WorkbookError, match=r"the cells of conv1\.bias have lost their name"):
        read_any(old)


def test_so_is_one_of_the_version_before_this(tmp_path: Path) -> None:
    state = state_of(small())
    path = written(tmp_path, state)
    book = openpyxl.load_workbook(path)
    book["Spec"][FORMAT_CELL.cell()] = FORMAT - 1
    book.save(path)
    for command in COMMANDS:
        with pytest.raises(WorkbookError, match=r"earlier version.* build --from"):
            command(path)
    np.testing.assert_array_equal(read_any(path).image, state.image)


def test_colour_pictures_of_the_users_come_along_under_their_names(tmp_path: Path) -> None:
    spec = {"input": [3, 12, 12], "picture": "red circle", "sheets": ["images"], "layers": [{"kind": "Flatten"}]}
    network = Network.from_spec(spec)
    own = np.random.default_rng(0).random(network.input_shape).round(2)
    state = WorkbookState.of(network, own, {}, Lesson.from_spec(spec)).with_typed({"image_own": own})
    path = written(tmp_path, state)
    book = openpyxl.load_workbook(path)
    book["Spec"][FORMAT_CELL.cell()] = FORMAT - 1
    book.save(path)
    np.testing.assert_array_equal(read_any(path).typed["image_own"], own)


def test_a_later_version_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, state_of(small()))
    book = openpyxl.load_workbook(path)
    book["Spec"][FORMAT_CELL.cell()] = FORMAT + 1
    book.save(path)
    for command in COMMANDS:
        with pytest.raises(WorkbookError, match=r"later version.*pip install --upgrade conv-sheet"):
            command(path)


def test_the_button_of_an_earlier_workbook_says_so_in_its_status_line_and_writes_nothing(old: Path) -> None:
    with connect(old) as book:
        sheet = book.sheets["NumPy"]
        before = sheet.range((1, 1), (60, 60)).value
        with pytest.raises(ConvSheetError, match="earlier version"):
            press_live(book, actions.reset)
        assert "conv-sheet build --from" in book.sheets[STATUS.sheet].range((STATUS.row, STATUS.column)).value
        assert sheet.range((1, 1), (60, 60)).value == before


def test_strict_open_xml_is_read(tmp_path: Path) -> None:
    path, strict = written(tmp_path, state_of(small())), tmp_path / "strict.xlsx"
    spelled = {
        b"http://schemas.openxmlformats.org/spreadsheetml/2006/main": b"http://purl.oclc.org/ooxml/spreadsheetml/main",
        b"http://schemas.openxmlformats.org/officeDocument/2006/": b"http://purl.oclc.org/ooxml/officeDocument/",
    }
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(strict, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            for usual, other in spelled.items():
                data = data.replace(usual, other)
            new.writestr(name, data)
    assert check(strict).ok
    press(strict, actions.recompute)
    assert check(strict).ok


def test_other_workbooks_are_none_of_ours(tmp_path: Path) -> None:
    openpyxl.Workbook().save(tmp_path / "other.xlsx")
    for command in (*COMMANDS, read_any, read_spec):
        with pytest.raises(WorkbookError, match=r"other\.xlsx has no sheet 'Spec': it is not a conv-sheet workbook"):
            command(tmp_path / "other.xlsx")
