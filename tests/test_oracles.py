"""The oracles are asked questions whose answer is known, so that what they say about conv-sheet counts."""

import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from tests import oracles
from tests.oracles import OracleError, cells, formualizer, gnumeric, libreoffice, validator

TRUTH, LIE = 6, 99


def replace(path: Path, part: str, pattern: str, text: str) -> Path:
    """Change the one place in one part of a workbook file that fits a pattern."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part], places = re.subn(pattern.encode(), text.encode(), parts[part])
    assert places == 1
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def liar(tmp_path: Path) -> Path:
    """A workbook of A1 = 2 and A2 = A1*3, which says that A2 shows 99."""
    path = tmp_path / "liar.xlsx"
    book = openpyxl.Workbook()
    book.active.title = "Network"
    book.active.append([2])
    book.active.append([LIE])
    book.save(path)
    return replace(path, "xl/worksheets/sheet1.xml", f"<v>{LIE}</v>", f"<f>A1*3</f><v>{LIE}</v>")


@pytest.fixture
def valid(tmp_path: Path) -> Path:
    """A workbook of numbers only, its font's elements in the order of the schema."""
    path = tmp_path / "valid.xlsx"
    book = openpyxl.Workbook()
    book.active.append([2, 3])
    book.save(path)
    return replace(path, "xl/styles.xml", "<font>.*</font>", '<font><sz val="11"/><name val="Calibri"/></font>')


def test_the_liar_lies(liar: Path) -> None:
    assert cells.values(liar, "Network") == {"A1": 2, "A2": LIE}


def test_libreoffice_trusts_no_stored_value(liar: Path, tmp_path: Path) -> None:
    (out,) = libreoffice.recalculate([liar], tmp_path / "out")
    assert cells.values(out, "Network") == {"A1": 2, "A2": TRUTH}


def test_libreoffice_recalculates_several_workbooks_at_once(liar: Path, tmp_path: Path) -> None:
    changed = cells.set_cells(liar, tmp_path / "changed.xlsm", {"Network!A1": 5})
    outs = libreoffice.recalculate([liar, changed], tmp_path / "out")
    assert [cells.values(out, "Network")["A2"] for out in outs] == [TRUTH, 15]


def test_a_libreoffice_that_hangs_is_an_error_and_the_next_one_answers(
    liar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libreoffice.recalculate([liar], tmp_path / "first")
    with monkeypatch.context() as patched, pytest.raises(OracleError, match="not done after"):
        patched.setattr(oracles, "TIMEOUT_SECONDS", 0.001)
        libreoffice.recalculate([liar], tmp_path / "second")
    (out,) = libreoffice.recalculate([liar], tmp_path / "third")
    assert cells.values(out, "Network")["A2"] == TRUTH
    with libreoffice.opened(liar) as book:
        assert book.sheets["Network"].range("A2").value == TRUTH


def test_libreoffice_never_writes_over_what_it_reads(liar: Path, tmp_path: Path) -> None:
    with pytest.raises(OracleError, match=r"liar\.xlsx would be written"):
        libreoffice.recalculate([liar], tmp_path)
    assert cells.values(liar, "Network")["A2"] == LIE


def test_libreoffice_cannot_read_a_broken_workbook(tmp_path: Path) -> None:
    broken, outdir = tmp_path / "broken.xlsx", tmp_path / "out"
    broken.write_bytes(b"PK\x03\x04 and no more")
    outdir.mkdir()
    (outdir / "broken.xlsx").write_text("of an earlier run")
    with pytest.raises(OracleError, match=r"LibreOffice did not write broken\.xlsx"):
        libreoffice.recalculate([broken], outdir)


def test_libreoffice_prints_and_draws(liar: Path, tmp_path: Path) -> None:
    assert libreoffice.to_pdf(liar, tmp_path).read_bytes().startswith(b"%PDF-")
    (page,) = libreoffice.to_png(liar, tmp_path / "pictures")
    assert page == tmp_path / "pictures" / "liar-1.png"
    assert page.read_bytes().startswith(b"\x89PNG")


def test_gnumeric_trusts_no_stored_value(liar: Path, tmp_path: Path) -> None:
    out = gnumeric.recalculate(liar, tmp_path / "out.xlsx")
    assert cells.values(out, "Network") == {"A1": 2, "A2": TRUTH}


def test_gnumeric_cannot_read_a_broken_workbook(tmp_path: Path) -> None:
    broken, out = tmp_path / "broken.xlsx", tmp_path / "out.xlsx"
    broken.write_text("1,2,3")
    out.write_text("of an earlier run")
    with pytest.raises(OracleError):
        gnumeric.recalculate(broken, out)
    assert not out.exists()


def test_formualizer_trusts_no_stored_value(liar: Path, tmp_path: Path) -> None:
    out = formualizer.recalculate(liar, tmp_path / "out.xlsx")
    assert cells.values(out, "Network") == {"A1": 2, "A2": TRUTH}


def test_formualizer_says_where_it_finds_errors(liar: Path, tmp_path: Path) -> None:
    changed = cells.set_cells(liar, tmp_path / "changed.xlsx", {"Network!A2": "=NOSUCH(A1)"})
    with pytest.raises(OracleError, match=r"#NAME\?.*Network!A2"):
        formualizer.recalculate(changed, tmp_path / "out.xlsx")


def test_changed_cells_leave_no_stored_value(liar: Path, tmp_path: Path) -> None:
    changed = cells.set_cells(liar, tmp_path / "changed.xlsx", {"Network!A1": 5, "'Network'!B1": "text"})
    assert cells.values(changed, "Network") == {"A1": 5, "B1": "text"}


def test_emptied_cells_are_empty(liar: Path, tmp_path: Path) -> None:
    changed = cells.set_cells(liar, tmp_path / "changed.xlsx", {"Network!A1": None})
    assert cells.values(changed, "Network") == {}


def test_cells_on_no_sheet_cannot_be_changed(liar: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="Nowhere"):
        cells.set_cells(liar, tmp_path / "changed.xlsx", {"Nowhere!A1": 5})


def test_arrays_have_the_shape_of_their_area() -> None:
    shown: dict[str, cells.Value] = {"A1": 1, "B1": 2.5, "A2": 3, "B2": 4}
    np.testing.assert_array_equal(cells.array(shown, "$A$1:$B$2"), [[1, 2.5], [3, 4]])


@pytest.mark.parametrize("value", ["#DIV/0!", True])
def test_arrays_hold_numbers_only(value: cells.Value) -> None:
    with pytest.raises(OracleError, match=f"A2 shows {value!r}"):
        cells.array({"A1": 1, "A2": value}, "A1:A2")


def test_arrays_have_no_gaps() -> None:
    with pytest.raises(OracleError, match="A2 shows None"):
        cells.array({"A1": 1}, "A1:A2")


def test_validators_find_nothing_in_a_valid_workbook(valid: Path) -> None:
    assert validator.findings(valid) == []


def test_validators_find_a_font_in_the_wrong_order(valid: Path) -> None:
    replace(valid, "xl/styles.xml", "(<sz .*/>)(<name .*?/>)", r"\2\1")
    (sdk,) = validator.sdk_findings(valid)
    assert sdk.startswith("/xl/styles.xml /x:styleSheet[1]/x:fonts[1]/x:font[1]: ")
    (audit,) = validator.audit_findings(valid)
    assert audit.startswith("/xl/styles.xml /styleSheet[1]/fonts[1]/font[1]: ")
    assert validator.findings(valid) == [sdk, audit]


def test_the_sdk_finds_an_unknown_attribute(valid: Path) -> None:
    replace(valid, "xl/worksheets/sheet1.xml", "<sheetData>", '<sheetData wrong="1">')
    assert any("'wrong' attribute is not declared" in finding for finding in validator.sdk_findings(valid))


def test_the_audit_finds_a_macro_workbook_that_says_it_is_none(valid: Path) -> None:
    renamed = valid.rename(valid.with_suffix(".xlsm"))
    assert any("content type" in finding.lower() for finding in validator.audit_findings(renamed))


@pytest.mark.parametrize("ask", [validator.sdk_findings, validator.audit_findings])
def test_validators_find_that_a_file_is_no_workbook(tmp_path: Path, ask: Callable[[Path], list[str]]) -> None:
    broken = tmp_path / "broken.xlsx"
    broken.write_text("no workbook")
    assert len(ask(broken)) == 1


def test_an_absent_program_is_an_error(monkeypatch: pytest.MonkeyPatch, liar: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OracleError, match="soffice is not installed"):
        libreoffice.recalculate([liar], tmp_path / "out")
    with pytest.raises(OracleError, match="ssconvert is not installed"):
        gnumeric.recalculate(liar, tmp_path / "out.xlsx")


def test_a_program_that_fails_is_an_error() -> None:
    with pytest.raises(OracleError, match="ended with status 1: no idea"):
        oracles.run(sys.executable, ["-c", "raise SystemExit('no idea')"])


def test_a_program_that_hangs_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracles, "TIMEOUT_SECONDS", 0.1)
    with pytest.raises(OracleError, match=r"not done after 0\.1 seconds"):
        oracles.run(sys.executable, ["-c", "import time; time.sleep(60)"])
