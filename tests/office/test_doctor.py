"""What the doctor sees, on machines that a test makes up and in workbooks that it breaks."""

from pathlib import Path

import openpyxl
import pytest
from openpyxl.workbook.defined_name import DefinedName

from conv_sheet.errors import WorkbookError
from conv_sheet.files import file_in_use
from conv_sheet.office.doctor import BAD, GOOD, Finding, Machine, bind, examine
from conv_sheet.office.libreoffice import recalculate
from conv_sheet.opening import read
from conv_sheet.sheets.conf import settings
from conv_sheet.xlsx.change import patch_cells
from conv_sheet.xlsx.package import Package
from tests.networks import small, state_of, written
from tests.oracles import libreoffice


def machine(
    platform: str = "linux", executable: str = "/opt/python", answer: tuple[int, str] = (0, ""), **more: str
) -> Machine:
    return Machine(platform, executable, more, Path("/nowhere"), lambda command: answer)


def state(findings: list[Finding], check: str) -> str:
    return next((f.state for f in findings if f.check == check), "absent")


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return written(tmp_path, state_of(small()), "book.xlsm")


def test_a_new_workbook_stops_nothing(book: Path) -> None:
    findings = examine(book, machine())
    assert [f for f in findings if f.state == BAD] == []
    assert state(findings, "names") == state(findings, "xlwings in the workbook") == GOOD


@pytest.mark.parametrize(
    ("made_up", "check"),
    [
        (machine("win32", r"C:\Users\me\AppData\Local\Microsoft\WindowsApps\python.exe"), "Windows Store Python"),
        (machine("darwin", "/Users/me/.pyenv/shims/python"), "pyenv shim"),
        (machine("darwin", "/Users/me/my env/bin/python"), "space in the path"),
        (machine("darwin", "/Users/me/env/bin/python"), "Mac script"),
    ],
)
def test_interpreters_that_excel_cannot_start(made_up: Machine, check: str) -> None:
    (found,) = [f for f in examine(None, made_up) if f.check == check]
    assert found.state == BAD
    assert found.remedy


def test_a_conda_mix_up_is_noted() -> None:
    assert state(examine(None, machine(CONDA_PREFIX="/opt/conda/envs/other")), "conda") == "note"
    assert state(examine(None, machine(CONDA_PREFIX="/opt")), "conda") == "absent"


def test_a_mac_with_its_script_is_fine(tmp_path: Path) -> None:
    import xlwings

    folder = tmp_path / "Library/Application Scripts/com.microsoft.Excel"
    folder.mkdir(parents=True)
    (folder / f"xlwings-{xlwings.__version__}.applescript").touch()
    mac = Machine("darwin", "/opt/python", {}, tmp_path, lambda command: (1, ""))
    assert state(examine(None, mac), "Mac script") == GOOD


def test_a_book_from_another_machine_is_bound_to_this_one(book: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.touch()
    windows = machine("win32", str(python))
    assert state(examine(book, windows), "interpreter") == BAD
    before = {name: Package.open(book).read(name) for name in Package.open(book).names}
    assert str(python) in bind(book, windows)
    after = {name: Package.open(book).read(name) for name in Package.open(book).names}
    assert [n for n in before if before[n] != after[n]] == [Package.open(book).worksheet("xlwings.conf")]
    assert state(examine(book, windows), "interpreter") == GOOD
    cells = openpyxl.load_workbook(book)["xlwings.conf"]
    rows = {row[0]: row[1] for row in cells.iter_rows(values_only=True)}
    assert rows["INTERPRETER_WIN"] == str(python)
    python.unlink()
    assert state(examine(book, windows), "interpreter") == BAD


def test_an_interpreter_without_the_packages_is_found(book: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.touch()
    bind(book, machine("win32", str(python)))
    broken = machine("win32", str(python), (1, "Traceback\nModuleNotFoundError: No module named 'xlwings'"))
    (found,) = [f for f in examine(book, broken) if f.check == "interpreter"]
    assert found.state == BAD
    assert "No module named 'xlwings'" in found.found


def test_the_interpreter_of_a_received_workbook_is_not_run_unasked(book: Path, tmp_path: Path) -> None:
    theirs, mine = tmp_path / "theirs", tmp_path / "mine"
    theirs.touch()
    mine.touch()
    bind(book, machine("win32", str(theirs)))
    ran: list[list[str]] = []

    def run(command: list[str]) -> tuple[int, str]:
        ran.append(command)
        return 0, ""

    here = Machine("win32", str(mine), {}, Path("/nowhere"), run)
    (found,) = [f for f in examine(book, here) if f.check == "interpreter"]
    assert (found.state, ran) == ("note", [])
    assert str(theirs) in found.found
    assert "--run" in found.remedy
    assert state(examine(book, here, run=True), "interpreter") == GOOD
    assert [command[0] for command in ran] == [str(theirs)]
    assert state(examine(book, Machine("win32", str(theirs), {}, Path("/nowhere"), run)), "interpreter") == GOOD


def test_conda_is_named_by_its_environment_and_not_by_its_interpreter(book: Path) -> None:
    conda = {"CONDA_PREFIX": "C:/Users/x/miniconda3/envs/fastai", "CONDA_DEFAULT_ENV": "fastai"}
    windows = machine("win32", "C:/Users/x/miniconda3/envs/fastai/python.exe", (0, ""), **conda)
    assert "conda environment fastai" in bind(book, windows)
    rows = {row[0]: row[1] for row in openpyxl.load_workbook(book)["xlwings.conf"].iter_rows(values_only=True)}
    assert (rows["CONDA PATH"], rows["CONDA ENV"]) == ("C:\\Users\\x\\miniconda3", "fastai")
    assert not rows["INTERPRETER_WIN"]
    assert state(examine(book, windows), "interpreter") == GOOD
    base = settings(
        "win32", "C:/conda/python.exe", {"CONDA_PREFIX": "C:/conda", "CONDA_EXE": "C:/conda/Scripts/conda.exe"}
    )
    assert (base["CONDA PATH"], base["CONDA ENV"]) == ("C:\\conda", "base")
    assert "CONDA ENV" not in settings("win32", "C:/Python/python.exe", conda)
    assert "CONDA ENV" not in settings("darwin", "/opt/conda/bin/python", {"CONDA_PREFIX": "/opt/conda"})


def test_buttons_that_a_library_has_lost_are_told(book: Path, tmp_path: Path) -> None:
    assert state(examine(book, machine()), "buttons") == GOOD
    openpyxl.load_workbook(book, keep_vba=True).save(tmp_path / "bare.xlsm")
    (found,) = [f for f in examine(tmp_path / "bare.xlsm", machine()) if f.check == "buttons"]
    assert found.state == BAD
    assert "no button left on Network" in found.found
    recalculate(book, tmp_path / "saved.xlsm")
    assert state(examine(tmp_path / "saved.xlsm", machine()), "buttons") == GOOD


def test_a_copy_of_a_sheet_is_no_fault(book: Path) -> None:
    workbook = openpyxl.load_workbook(book, keep_vba=True)
    copy = workbook.copy_worksheet(workbook["Network"])
    copy.defined_names["input_1"] = DefinedName("input_1", attr_text=f"'{copy.title}'!$B$10:$G$16")
    workbook.save(book)
    assert state(examine(book, machine()), "names") == GOOD


def test_moved_names_are_found(book: Path) -> None:
    workbook = openpyxl.load_workbook(book, keep_vba=True)
    workbook.defined_names["input_1"].attr_text = "Network!$C$11:$H$17"
    workbook.save(book)
    assert state(examine(book, machine()), "places") == BAD
    workbook.defined_names["input_1"].attr_text = state_of(small()).layout.input.blocks[0].reference
    workbook.save(book)
    assert state(examine(book, machine()), "names") == GOOD
    del workbook.defined_names["input_1"]
    workbook.save(book)
    assert state(examine(book, machine()), "names") == BAD


def test_moved_rows_are_found_where_no_name_tells(book: Path) -> None:
    workbook = openpyxl.load_workbook(book, keep_vba=True)
    workbook["NumPy"].insert_rows(9)
    workbook.save(book)
    assert state(examine(book, machine()), "places") == BAD


def test_another_version_of_xlwings_is_found(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conv_sheet.office.doctor.version", lambda package: "0.1.2")
    assert state(examine(book, machine()), "xlwings in the workbook") == BAD


def test_files_without_buttons(book: Path, tmp_path: Path) -> None:
    plain = written(tmp_path, state_of(small()), "plain.xlsx")
    assert state(examine(plain, machine()), "macros") == "note"
    with pytest.raises(WorkbookError, match="without buttons"):
        bind(plain, machine())
    openpyxl.load_workbook(book).save(tmp_path / "stripped.xlsm")
    assert BAD in {f.state for f in examine(tmp_path / "stripped.xlsm", machine())}


def test_a_broken_workbook_is_said(book: Path) -> None:
    block = state_of(small()).layout.input.blocks[0]
    patch_cells(book, book, {"Network": {block.position(0, 0): "text"}})
    (found,) = [f for f in examine(book, machine()) if f.check == "workbook"]
    assert found.state == BAD
    assert block.other() in found.found


def test_an_open_book_and_an_odd_name_are_noted(book: Path) -> None:
    odd = book.rename(book.with_name("it's 100%.xlsm"))
    (odd.parent / f"~${odd.name}").write_text("me")
    assert file_in_use(odd)
    findings = examine(odd, machine())
    assert state(findings, "open elsewhere") == state(findings, "file name") == "note"


def test_a_download_on_a_mac_is_noted(book: Path) -> None:
    assert state(examine(book, machine("darwin", answer=(0, "0083;"))), "blocked download") == "note"
    assert state(examine(book, machine("darwin", answer=(1, ""))), "blocked download") == "absent"


def test_a_book_that_libreoffice_saved_is_still_read(book: Path, tmp_path: Path) -> None:
    (saved,) = libreoffice.recalculate([book], tmp_path / "out")
    assert state(examine(saved, machine()), "workbook") == GOOD
    assert read(saved).image.shape == state_of(small()).image.shape
