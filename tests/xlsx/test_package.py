"""Closed workbook files of many writers: found, read and patched, every other byte as it was."""

import os
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment

from conv_sheet.cells.values import LARGEST
from conv_sheet.errors import WorkbookError
from conv_sheet.xlsx.change import patch_cells
from conv_sheet.xlsx.package import Package, relationships_part
from conv_sheet.xlsx.patch import CellValue
from tests.oracles import gnumeric, libreoffice, validator

VALUES: dict[str, dict[tuple[int, int], CellValue]] = {
    "Net": {(1, 1): 0.25, (2, 1): -4.0, (3, 2): 11.5, (9, 4): 1.5},
    "My notes": {(2, 2): "cat & <dog>"},
}
"""A1 and A2 are numbers, B3 is SUM(A1:A2)*2, D9 is not there; B2 of the notes is a text."""


def by_openpyxl(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Net"
    sheet["A1"], sheet["A2"], sheet["B3"], sheet["C1"] = 1, 2, "=SUM(A1:A2)*2", "label"
    sheet["A1"].comment = Comment("change me", "teacher")
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=1, min_row=1, max_row=2))
    sheet.add_chart(chart, "F2")
    notes = book.create_sheet("My notes")
    notes["B2"], notes["B3"] = "bird", "fish"
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=1, min_row=1, max_row=2))
    book.create_chartsheet("Chart").add_chart(chart)
    book.save(path)


def by_xlsxwriter(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Net")
        sheet.write_column("A1", [1, 2], book.add_format({"bold": True, "num_format": "0.00"}))
        sheet.write_formula("B3", "=SUM(A1:A2)*2", None, 6)
        sheet.write_string("C1", "label")
        sheet.write_comment("A1", "change me", {"author": "teacher"})
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=Net!$A$1:$A$2"})
        sheet.insert_chart("F2", chart)
        sheet.conditional_format("A1:B3", {"type": "2_color_scale"})
        notes = book.add_worksheet("My notes")
        notes.write_column("B2", ["bird", "fish"])


def saved_again_by_libreoffice(path: Path) -> None:
    first = path.with_name("first") / path.name
    first.parent.mkdir()
    by_openpyxl(first)
    libreoffice.recalculate([first], path.parent)


def saved_again_by_gnumeric(path: Path) -> None:
    first = path.with_name("first.xlsx")
    by_xlsxwriter(first)
    gnumeric.recalculate(first, path)


def saved_again_as_strict_with_prefixes(path: Path) -> None:
    """Other namespaces, prefixes and part names, targets from the root and with dots."""
    by_xlsxwriter(path)
    rewrite(path, "xl/workbook.xml", rename="office/main.xml", change=prefixed)
    rewrite(path, "xl/_rels/workbook.xml.rels", rename="office/_rels/main.xml.rels", change=retargeted)
    rewrite(path, "_rels/.rels", change=lambda xml: xml.replace('"xl/workbook', '"/office/main'))
    rewrite(path, "xl/worksheets/sheet1.xml", change=prefixed)
    with zipfile.ZipFile(path) as archive:
        xml = [name for name in archive.namelist() if name.endswith((".xml", ".rels"))]
    for name in xml:
        rewrite(path, name, change=strict)
    rewrite(path, "[Content_Types].xml", change=lambda xml: xml.replace("/xl/workbook.xml", "/office/main.xml"))


def prefixed(xml: str) -> str:
    return re.sub(r"<(/?)(?=[a-zA-Z])(?!\w+:)", r"<\1x:", xml).replace("xmlns=", "xmlns:x=")


def retargeted(xml: str) -> str:
    xml = re.sub(r'Target="(?=\w)', 'Target="/xl/', xml)
    return xml.replace('"/xl/worksheets/sheet1', '"../xl/worksheets/sheet1')


def strict(xml: str) -> str:
    xml = xml.replace(
        "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        "http://purl.oclc.org/ooxml/spreadsheetml/main",
    )
    return xml.replace(
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
        "http://purl.oclc.org/ooxml/officeDocument/relationships",
    )


def rewrite(path: Path, part: str, change: Callable[[str], str], rename: str | None = None) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            if name == part:
                archive.writestr(rename or name, change(data.decode()))
            else:
                archive.writestr(name, data)


WRITERS = {
    "openpyxl": by_openpyxl,
    "xlsxwriter": by_xlsxwriter,
    "libreoffice": saved_again_by_libreoffice,
    "gnumeric": saved_again_by_gnumeric,
    "strict": saved_again_as_strict_with_prefixes,
}


@pytest.fixture(scope="module", params=WRITERS)
def book(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(request.param) / "book.xlsx"
    WRITERS[request.param](path)
    return path


with_usual_part_names = pytest.mark.parametrize("book", [*WRITERS][:4], indirect=True, scope="module")
"""For programs that do not follow relationships to other names."""


@pytest.fixture(scope="module")
def patched(book: Path) -> Path:
    path = book.with_name("patched.xlsx")
    patch_cells(book, path, VALUES)
    return path


def entries(path: Path) -> list[tuple[str, tuple[int, ...], int, int, bytes]]:
    with zipfile.ZipFile(path) as archive:
        return [
            (entry.filename, entry.date_time, entry.compress_type, entry.external_attr, archive.read(entry))
            for entry in archive.infolist()
        ]


def test_sheets_are_found_by_their_titles(book: Path) -> None:
    package = Package.open(book)
    assert list(package.worksheets)[:2] == ["Net", "My notes"]
    assert b"SUM(A1:A2)" in package.read(package.worksheet("Net"))
    assert b"SUM(A1:A2)" not in package.read(package.worksheet("My notes"))


def test_only_the_two_sheets_parts_change_and_their_charts(book: Path, patched: Path) -> None:
    before, after = entries(book), entries(patched)
    assert [entry[:4] for entry in before] == [entry[:4] for entry in after]
    changed = [old[0] for old, new in zip(before, after, strict=True) if old[4] != new[4]]
    sheets = [Package.open(book).worksheet(title) for title in VALUES]
    assert sheets == [name for name in changed if not name.startswith("xl/charts/")]


def test_only_the_cells_bytes_change(book: Path, tmp_path: Path) -> None:
    part = Package.open(book).worksheet("Net")
    before = Package.open(book).read(part).decode()
    for place, reference in (((1, 1), "A1"), ((3, 2), "B3")):
        patch_cells(book, tmp_path / "one.xlsx", {"Net": {place: 77.25}})
        after = Package.open(tmp_path / "one.xlsx").read(part).decode()
        cell = re.search(rf'<(?:x:)?c\s[^>]*?r="{reference}".*?</(?:x:)?c>', before, re.DOTALL)
        assert cell is not None
        assert after.startswith(before[: cell.start()])
        assert after.endswith(before[cell.end() :])
        new = after[cell.start() : len(after) - len(before[cell.end() :])]
        assert re.sub(r"(<(?:x:)?v)>77\.25<", r"\1>.<", new) == re.sub(
            r"<((?:x:)?v)(?: ?/|>[^<]*</\1)>", r"<\1>.</\1>", cell[0]
        )


def test_part_names_are_the_same_in_upper_and_lower_case(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "cases.xlsx"
    shutil.copy(plain, path)
    rewrite(path, "xl/_rels/workbook.xml.rels", lambda xml: xml.replace("worksheets/sheet", "WorkSheets/SHEET"))
    patch_cells(path, path, VALUES)
    names = [entry[0] for entry in entries(plain)]
    assert [entry[0] for entry in entries(path)] == names
    assert b"<v>11.5</v>" in Package.open(path).read("xl/worksheets/sheet1.xml")


def test_the_same_values_again_change_nothing(patched: Path, tmp_path: Path) -> None:
    patch_cells(patched, tmp_path / "again.xlsx", VALUES)
    assert entries(tmp_path / "again.xlsx") == entries(patched)
    patch_cells(patched, patched, VALUES)
    assert patched.read_bytes() == (tmp_path / "again.xlsx").read_bytes()


@with_usual_part_names
def test_openpyxl_reads_values_and_formulas(book: Path, patched: Path) -> None:
    values = openpyxl.load_workbook(patched, data_only=True)
    net = values["Net"]
    assert [net[cell].value for cell in ("A1", "A2", "B3", "D9", "C1")] == [0.25, -4, 11.5, 1.5, "label"]
    assert [values["My notes"][cell].value for cell in ("B2", "B3")] == ["cat & <dog>", "fish"]
    formulas = openpyxl.load_workbook(patched)
    assert formulas["Net"]["B3"].value == "=SUM(A1:A2)*2"
    assert formulas["Net"]["A1"].comment.text.strip() == "change me"
    old, new = openpyxl.load_workbook(book)["Net"]["A1"], formulas["Net"]["A1"]
    assert (old.font.b, old.font.name, old.number_format) == (new.font.b, new.font.name, new.number_format)


def test_libreoffice_computes_with_the_new_values(patched: Path, tmp_path: Path) -> None:
    (again,) = libreoffice.recalculate([patched], tmp_path)
    values = openpyxl.load_workbook(again, data_only=True)
    assert [values["Net"][cell].value for cell in ("A1", "A2", "B3", "D9")] == [0.25, -4, -7.5, 1.5]
    assert values["My notes"]["B2"].value == "cat & <dog>"


@with_usual_part_names
def test_the_validator_finds_nothing_new(book: Path, patched: Path) -> None:
    assert validator.findings(patched) == validator.findings(book)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "plain.xlsx"
    by_openpyxl(path)
    return path


places = st.tuples(st.integers(1, 40), st.integers(1, 60))
contents = st.one_of(
    st.floats(-LARGEST, LARGEST, allow_subnormal=False),
    st.booleans(),
    st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=9),
)


@settings(max_examples=40)
@given(st.dictionaries(places, contents, max_size=30))
def test_openpyxl_reads_any_values_anywhere(plain: Path, values: dict[tuple[int, int], float | str | bool]) -> None:
    patch_cells(plain, plain.with_name("any.xlsx"), {"Net": values})
    sheet = openpyxl.load_workbook(plain.with_name("any.xlsx"), data_only=True)["Net"]
    before = {(1, 1): 1, (2, 1): 2, (1, 3): "label"}
    found = {(cell.row, cell.column): cell.value for row in sheet for cell in row if cell.value is not None}
    assert found == {**before, **values}


def test_a_comment_of_the_archive_and_directories_stay(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.xlsx"
    shutil.copy(plain, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.mkdir("xl/media")
        archive.writestr("xl/media/picture.png", b"\x89PNG", zipfile.ZIP_STORED)
        archive.comment = b"kept"
    before = entries(path)
    patch_cells(path, path, {"Net": {(1, 1): 1.0}})
    assert [entry for entry in entries(path) if "sheet1.xml" not in entry[0]] == [
        entry for entry in before if "sheet1.xml" not in entry[0]
    ]
    with zipfile.ZipFile(path) as archive:
        assert archive.comment == b"kept"


def test_new_parts_come_last_and_saving_is_reproducible(plain: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.xlsx", tmp_path / "two.xlsx"
    for path in (one, two):
        Package.open(plain).save(path, {"xl/new.bin": b"new"})
    assert one.read_bytes() == two.read_bytes()
    assert entries(one)[:-1] == entries(plain)
    assert entries(one)[-1][:2] == ("xl/new.bin", (1980, 1, 1, 0, 0, 0))


def test_other_parts_are_carried_as_they_are_packed(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "streamed.xlsx"
    with zipfile.ZipFile(plain) as source, path.open("wb") as file:
        pipe = SimpleNamespace(write=file.write, flush=file.flush)
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as streamed:
            for name in source.namelist():
                streamed.writestr(name, source.read(name))
    with zipfile.ZipFile(path) as archive:
        before = {entry.filename: (entry.compress_size, entry.CRC) for entry in archive.infolist()}
        assert all(entry.flag_bits & 8 for entry in archive.infolist())
    patch_cells(path, path, {"Net": {(1, 1): 1.0}})
    with zipfile.ZipFile(path) as archive:
        after = {entry.filename: (entry.compress_size, entry.CRC) for entry in archive.infolist()}
        assert archive.testzip() is None
        assert not any(entry.flag_bits & 8 for entry in archive.infolist())
    assert {name for name in before if after[name] != before[name]} == {"xl/worksheets/sheet1.xml"}
    assert openpyxl.load_workbook(path)["Net"]["A1"].value == 1


def test_relationships_are_resolved(plain: Path) -> None:
    package = Package.open(plain)
    sheet = package.worksheet("Net")
    kinds = {link.kind: link.target for link in package.relationships(sheet)}
    assert kinds["drawing"] == "xl/drawings/drawing1.xml"
    assert set(kinds.values()) <= set(package.names)
    assert relationships_part(sheet) in package.names
    assert package.relationships("xl/styles.xml") == ()


def not_a_zip(path: Path) -> None:
    path.write_bytes(b"A,B\n1,2\n")


def encrypted(path: Path) -> None:
    path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600))


def another_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")


def truncated(path: Path) -> None:
    by_openpyxl(path)
    data = path.read_bytes()
    middle = data.index(b"xl/worksheets/sheet1.xml") + 60
    path.write_bytes(data[:middle] + bytes(40) + data[middle + 40 :])


def without_a_part(path: Path) -> None:
    by_openpyxl(path)
    rewrite(path, "xl/worksheets/sheet1.xml", lambda xml: xml, rename="xl/elsewhere.xml")


def with_broken_relations(path: Path) -> None:
    by_openpyxl(path)
    rewrite(path, "xl/_rels/workbook.xml.rels", lambda xml: xml[:-9])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (not_a_zip, "is not an .xlsx or .xlsm workbook"),
        (encrypted, "is not an .xlsx or .xlsm workbook (or has a password)"),
        (another_zip, "is not an .xlsx or .xlsm workbook"),
        (truncated, "is damaged: "),
        (without_a_part, "is damaged: it has no part xl/worksheets/sheet1.xml"),
        (with_broken_relations, "is damaged: part xl/_rels/workbook.xml.rels: unclosed token"),
        (lambda path: None, "does not exist"),
    ],
)
def test_bad_files_are_one_line_each(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    path, out = tmp_path / "book.xlsx", tmp_path / "out.xlsx"
    make(path)
    out.write_bytes(b"old")
    with pytest.raises(WorkbookError, match=f"^{re.escape(f'{path} {message}')}[^\n]*$"):
        patch_cells(path, out, {"Net": {(1, 1): 1.0}})
    assert out.read_bytes() == b"old"
    assert set(os.listdir(tmp_path)) <= {"book.xlsx", "out.xlsx"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"Nett": {(1, 1): 1.0}}, "has no worksheet 'Nett'; it has Net, My notes"),
        ({"Chart": {(1, 1): 1.0}}, "has no worksheet 'Chart'"),
        (
            {"My notes": {(1, 1): 1.0}, "Net": {(2, 28): float("nan")}},
            "sheet 'Net': cell AB2: a cell cannot hold",
        ),
    ],
)
def test_bad_values_leave_the_file(
    plain: Path, tmp_path: Path, values: dict[str, dict[tuple[int, int], float]], message: str
) -> None:
    path = tmp_path / "book.xlsx"
    shutil.copy(plain, path)
    with pytest.raises(WorkbookError, match=re.escape(message)):
        patch_cells(path, path, values)
    assert path.read_bytes() == plain.read_bytes()
