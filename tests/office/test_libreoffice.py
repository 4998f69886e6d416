"""LibreOffice in our hands: recalculated files, and an open workbook as xlwings sees it."""

import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import xlwings
from openpyxl.comments import Comment
from openpyxl.styles import PatternFill
from openpyxl.workbook.defined_name import DefinedName

from conv_sheet.errors import WorkbookError
from conv_sheet.files import file_in_use
from conv_sheet.office import libreoffice
from conv_sheet.office.libreoffice import connect, import_uno, private_soffice, recalculate
from conv_sheet.xlsx.change import patch_cells
from conv_sheet.xlsx.macros import Macro, add_macros
from conv_sheet.xlsx.vml import Button

IMAGE = np.arange(12.0).reshape(3, 4)


def make(path: Path) -> Path:
    """Sheet `My Net`: an image, its sum, cells in every state, a note in the image; sheet `Own`: somebody's own."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "My Net"
    for row in IMAGE.tolist():
        sheet.append(row)
    sheet["A1"].comment = Comment("look", "pupil")
    sheet["B2"].comment = Comment("here", "pupil")
    sheet["F1"], sheet["F2"], sheet["F3"], sheet["F5"] = "=SUM(image)", "=1/0", "text", True
    sheet["H1"].fill = PatternFill("solid", start_color="FF8000")
    own = book.create_sheet("Own")
    own["A1"], own["B1"] = "mine", "='My Net'!F1*2"
    book.defined_names["image"] = DefinedName("image", attr_text="'My Net'!$A$1:$D$3")
    book.defined_names["rate"] = DefinedName("rate", attr_text="0.5")
    book.save(path)
    return path


def shown(path: Path, sheet: str = "My Net") -> dict[str, object]:
    cells = [cell for row in openpyxl.load_workbook(path, data_only=True)[sheet] for cell in row]
    return {cell.coordinate: cell.value for cell in cells if cell.value is not None}


@pytest.fixture(scope="module")
def liar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook whose sum is 66 and says 7."""
    path = make(tmp_path_factory.mktemp("liar") / "a liar & co.xlsx")
    patch_cells(path, path, {"My Net": {(1, 6): 7.0}})
    assert shown(path)["F1"] == 7
    return path


def test_stored_values_are_not_believed(liar: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.xlsx"
    recalculate(liar, out)
    assert shown(out)["F1"] == 66
    assert shown(out, "Own") == {"A1": "mine", "B1": 132}
    assert os.listdir(tmp_path) == ["out.xlsx"]
    assert os.listdir(liar.parent) == [liar.name]


def test_a_file_may_be_recalculated_in_place(liar: Path, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    path.write_bytes(liar.read_bytes())
    recalculate(path, path)
    assert shown(path)["F1"] == 66


def test_macros_stay(liar: Path, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsm"
    add_macros(liar, path, [Button("Own", "Recompute", "Recompute", (4, 1, 5, 2))], [Macro("Recompute", "main")])
    recalculate(path, path)
    with zipfile.ZipFile(path) as archive:
        assert "xl/vbaProject.bin" in archive.namelist()
    assert shown(path)["F1"] == 66


def test_a_page_can_be_had_as_pdf(liar: Path, tmp_path: Path) -> None:
    recalculate(liar, tmp_path / "book.pdf")
    assert (tmp_path / "book.pdf").read_bytes().startswith(b"%PDF")


def test_what_cannot_be_recalculated_is_said(liar: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.xlsx"
    text.write_text("1,2")
    for src, dst, message in (
        (liar, tmp_path / "out.csv", "LibreOffice is asked for .xlsx, .xlsm, .ods, .pdf only"),
        (tmp_path / "nowhere.xlsx", tmp_path / "out.xlsx", "nowhere.xlsx does not exist"),
        (text, tmp_path / "out.xlsx", "text.xlsx is not an .xlsx or .xlsm workbook"),
    ):
        with pytest.raises(WorkbookError, match=re.escape(message)):
            recalculate(src, dst)
    assert os.listdir(tmp_path) == ["text.xlsx"]


def test_a_libreoffice_that_hangs_is_ended(liar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = tmp_path / "soffice"
    hanging.write_text(f"#!/bin/sh\nsleep 60 & echo $! > {tmp_path}/child\nwait\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(libreoffice, "find_soffice", lambda: hanging)
    with pytest.raises(WorkbookError, match=r"LibreOffice was not done after 0\.5 seconds"):
        recalculate(liar, tmp_path / "out.xlsx", timeout=0.5)
    child = int((tmp_path / "child").read_text())
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"
    assert not (tmp_path / "out.xlsx").exists()


def test_a_libreoffice_that_hangs_when_it_is_done_is_no_error(
    liar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = tmp_path / "soffice"
    # Its last words are: --convert-to FORMAT --outdir FOLDER FILE
    hanging.write_text('#!/bin/bash\nmkdir -p "${@: -2:1}"; cp "${@: -1}" "${@: -2:1}/"; sleep 60\n')
    hanging.chmod(0o755)
    monkeypatch.setattr(libreoffice, "find_soffice", lambda: hanging)
    monkeypatch.setattr(libreoffice, "_LOOK_SECONDS", 0.1)
    recalculate(liar, tmp_path / "out.xlsx", timeout=30)
    assert (tmp_path / "out.xlsx").read_bytes() == liar.read_bytes()


def test_the_profile_is_one_of_caution_as_libreoffice_itself_understands_it(tmp_path: Path) -> None:
    uno, pipe = import_uno(), f"pipe,name=conv-sheet-test-{os.getpid()}"
    resolver = uno.getComponentContext().ServiceManager.createInstance("com.sun.star.bridge.UnoUrlResolver")
    with private_soffice([f"--accept={pipe};urp;"]) as process:
        while True:
            assert process.poll() is None
            with suppress(uno.getClass("com.sun.star.connection.NoConnectException")):
                office = resolver.resolve(f"uno:{pipe};urp;StarOffice.ServiceManager")
                break
            time.sleep(0.1)
        provider = office.createInstance("com.sun.star.configuration.ConfigurationProvider")

        def said(path: str) -> object:
            place = uno.createUnoStruct("com.sun.star.beans.PropertyValue")
            node, _, name = path.rpartition("/")
            place.Name, place.Value = "nodepath", node
            access = "com.sun.star.configuration.ConfigurationAccess"
            return getattr(provider.createInstanceWithArguments(access, (place,)), name)

        always, never = 0, 1  # of links, 2 is "on request", and so it is unless somebody says otherwise
        assert said("/org.openoffice.Office.Common/Security/Scripting/DisableMacrosExecution") is True
        assert said("/org.openoffice.Office.Calc/Content/Update/Link") == never
        assert said("/org.openoffice.Office.Calc/Formula/Load/OOXMLRecalcMode") == always
        assert said("/org.openoffice.Office.Calc/Formula/Load/ODFRecalcMode") == always


def test_without_libreoffice_the_remedy_is_named(liar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(libreoffice, "_PROGRAM_FOLDERS", ())
    with pytest.raises(WorkbookError, match=r"get it from libreoffice\.org or put soffice on PATH"):
        recalculate(liar, liar)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("open") / "my book.xlsx")


@pytest.fixture(scope="module")
def book(path: Path) -> Iterator[xlwings.Book]:
    with connect(path) as book:
        yield book


@pytest.fixture
def sheet(book: xlwings.Book) -> xlwings.Sheet:
    """The sheet with its image as it was."""
    sheet = book.sheets["My Net"]
    sheet["A1:D3"].value = IMAGE
    return sheet


def test_a_book_knows_its_names_and_sheets(book: xlwings.Book, path: Path) -> None:
    assert book.name == "my book.xlsx"
    assert Path(book.fullname) == path
    assert book.sheet_names == ["My Net", "Own"]
    assert [sheet.index for sheet in book.sheets] == [1, 2]
    assert [book.name for book in book.app.books] == ["my book.xlsx"]
    assert ("Own" in book.sheets, "Other" in book.sheets) == (True, False)
    assert ("image" in book.names, "other" in book.names) == (True, False)
    assert {name.name: name.refers_to for name in book.names} == {"image": "='My Net'!$A$1:$D$3", "rate": "=0.5"}
    assert repr(book.names["image"].refers_to_range) == "<Range [my book.xlsx]My Net!$A$1:$D$3>"


def test_what_is_missing_is_named(book: xlwings.Book) -> None:
    with pytest.raises(KeyError, match=r"my book\.xlsx has no name 'other'"):
        book.names["other"]
    with pytest.raises(KeyError, match=r"my book\.xlsx has no sheet 'Other'"):
        book.sheets["Other"]
    with pytest.raises(WorkbookError, match=r"my book\.xlsx: the name rate no longer refers to cells"):
        _ = book.names["rate"].refers_to_range


@pytest.mark.parametrize(
    ("cells", "address"),
    [
        (("A1",), "$A$1"),
        (("$B$2:$C$3",), "$B$2:$C$3"),
        (("image",), "$A$1:$D$3"),
        (((2, 3),), "$C$2"),
        (((1, 27), (4, 28)), "$AA$1:$AB$4"),
    ],
)
def test_ranges_and_their_addresses(sheet: xlwings.Sheet, cells: tuple[object, ...], address: str) -> None:
    assert sheet.range(*cells).address == address  # type: ignore[arg-type]


def test_ranges_move_and_slice_as_in_excel(sheet: xlwings.Sheet) -> None:
    image = sheet["image"]
    assert (image.row, image.column, image.shape, image.size, len(image)) == (1, 1, (3, 4), 12, 12)
    assert image[1:, 2].address == "$C$2:$C$3"
    assert image.offset(1, 2).resize(2, 2).address == "$C$2:$D$3"
    assert [image(5).address, image(2, 3).address] == ["$A$2", "$C$2"]
    assert sheet[0, 5].address == "$F$1"
    assert image.get_address(False, True, include_sheetname=True) == "'My Net'!$A1:$D3"
    assert image.get_address(external=True) == "'[my book.xlsx]My Net'!$A$1:$D$3"
    assert sheet.used_range.last_cell.address == "$F$5"


def test_a_block_is_read_and_written_as_an_array(sheet: xlwings.Sheet) -> None:
    image = sheet["image"]
    np.testing.assert_array_equal(image.options(np.array, ndim=2, empty=0).value, IMAGE)
    image.value = IMAGE * 0.1
    np.testing.assert_array_equal(image.options(np.array, ndim=2, empty=0).value, IMAGE * 0.1)
    assert sheet["F1"].value == pytest.approx((IMAGE * 0.1).sum(), rel=1e-15)


def test_an_array_spreads_from_its_first_cell(sheet: xlwings.Sheet) -> None:
    sheet["A1"].value = IMAGE.T[:2, :2]
    assert sheet["A1:B2"].value == [[0, 4], [1, 5]]


def test_cells_in_every_state(sheet: xlwings.Sheet) -> None:
    assert sheet["F1:F5"].value == [66, None, "text", None, 1]
    assert sheet["F1:F5"].options(err_to_str=True, empty=0).value == [66, "#DIV/0!", "text", 0, 1]
    assert sheet["A1:D1"].options(numbers=int, ndim=2).value == [[0, 1, 2, 3]]
    assert sheet["A1"].options(np.array, ndim=2).value.shape == (1, 1)


def test_values_of_every_kind_are_written(sheet: xlwings.Sheet) -> None:
    sheet["A1"].value = [[1, None, "x", True], [np.float64(0.5), float("nan"), "=1+1", np.int64(3)]]
    assert sheet["A1:D2"].value == [[1, None, "x", 1], [0.5, None, "=1+1", 3]]
    sheet["A3:D3"].value = 7
    assert sheet["A3:D3"].value == [7, 7, 7, 7]


def test_a_block_write_leaves_notes_and_colours(sheet: xlwings.Sheet) -> None:
    sheet["image"].color = "#336699"
    sheet["image"].value = IMAGE + 1
    np.testing.assert_array_equal(sheet["image"].options(np.array, ndim=2).value, IMAGE + 1)
    assert sheet["A1:B1"].color == (0x33, 0x66, 0x99)
    sheet["A1:B2"].value = [["", "text"], [None, "text"]]
    assert sheet["A1:B2"].value == [[None, "text"], [None, "text"]]
    assert sorted(note.String for note in sheet.api.Annotations) == ["here", "look"]
    sheet["image"].color = None


def test_colours(sheet: xlwings.Sheet) -> None:
    assert sheet["H1"].color == (255, 128, 0)
    assert sheet["I1"].color is None
    sheet["I1"].color = (1, 2, 3)
    assert sheet["I1"].color == (1, 2, 3)
    sheet["I1"].color = None
    assert sheet["I1"].color is None


def test_contents_are_cleared_without_the_colour(sheet: xlwings.Sheet) -> None:
    sheet["J1:J2"].value = 1
    sheet["J1:J2"].color = "#ff0000"
    sheet["J1:J2"].clear_contents()
    assert sheet["J1:J2"].value == [None, None]
    assert sheet["J1"].color == (255, 0, 0)


def test_only_what_was_written_changes_in_the_saved_file(tmp_path: Path) -> None:
    path, copy = make(tmp_path / "book.xlsx"), tmp_path / "copy.xlsx"
    before = shown(path)
    with connect(path) as book:
        assert file_in_use(path) == "LibreOffice"
        book.sheets["My Net"]["B1:C2"].value = [[10, 20], [30, 40]]
        book.save(copy)
        book.sheets["My Net"]["A1"].value = -1
        book.save()
    assert sorted(os.listdir(tmp_path)) == ["book.xlsx", "copy.xlsx"]
    total = IMAGE.sum() - IMAGE[:2, 1:3].sum() + 100
    changed = {"B1": 10, "C1": 20, "B2": 30, "C2": 40, "F1": total, "F2": "#DIV/0!"}
    assert shown(copy) == {**before, **changed}
    assert shown(path) == {**before, **changed, "A1": -1, "F1": total - 1}
    assert shown(path, "Own") == {"A1": "mine", "B1": 2 * (total - 1)}


def test_nothing_is_saved_unasked_and_no_lock_stays_after_an_error(tmp_path: Path) -> None:
    path = make(tmp_path / "book.xlsx")
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), connect(path) as book:
        book.sheets["My Net"]["A1"].value = -1
        _ = 1 / 0
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["book.xlsx"]


def test_a_running_libreoffice_keeps_what_was_open(tmp_path: Path) -> None:
    path, other = make(tmp_path / "book.xlsx"), make(tmp_path / "other.xlsx")
    accept = f"pipe,name=conv-sheet-test-{os.getpid()}"
    with private_soffice([f"--accept={accept};urp;", str(path)]):
        while True:
            try:
                with connect(other, accept) as book:
                    if "book.xlsx" in [book.name for book in book.app.books]:
                        break
            except WorkbookError as error:
                assert "no LibreOffice listens" in str(error)
        with connect(path, accept) as book:
            book.sheets["My Net"]["A1"].value = 100
        with connect(path, accept) as book:
            assert book.sheets["My Net"]["F1"].value == 166
            assert [book.name for book in book.app.books] == ["book.xlsx"]
            book.close()
            book.app.api.terminate()


def test_when_nothing_listens_the_command_is_named(path: Path) -> None:
    message = 'no LibreOffice listens at pipe,name=nobody: start it with soffice --accept="pipe,name=nobody;urp;"'
    with pytest.raises(WorkbookError, match=re.escape(message)), connect(path, "pipe,name=nobody"):
        pass


def test_a_file_that_is_open_elsewhere_is_not_opened(tmp_path: Path) -> None:
    path = make(tmp_path / "book.xlsx")
    (tmp_path / "~$book.xlsx").touch()
    with pytest.raises(WorkbookError, match="is open in Excel: close it"), connect(path):
        pass


def test_uno_is_loaded_without_its_neighbours_and_its_import_hook() -> None:
    program = (
        "import builtins, sys\n"
        "before, importer = [*sys.path], builtins.__import__\n"
        "from conv_sheet.office.libreoffice import import_uno\n"
        "uno = import_uno()\n"
        "assert uno is import_uno() is sys.modules['uno']\n"
        "assert builtins.__import__ is importer\n"
        "assert '/usr/lib/python3/dist-packages' not in set(sys.path) - set(before)\n"
        "assert uno.getComponentContext() is not None"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_uno_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "uno", raising=False)
    monkeypatch.setattr(libreoffice, "_loads_uno", lambda folder: False)
    with pytest.raises(WorkbookError, match=r"uno is not there for python3\.\d+: install python3-uno for it"):
        import_uno()
