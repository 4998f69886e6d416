"""Macros and buttons, seen by programs that read VBA, by LibreOffice, and by an interpreter of VBA."""

import json
import re
import shlex
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import olefile
import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.worksheet.table import Table
from pyopenvba import ExcelFile
from pyopenvba.apps.excel import ExcelApplication
from pyopenvba.integrity import check_file
from pyopenvba.interpreter import VBAObject, method

from conv_sheet.errors import WorkbookError
from conv_sheet.office.libreoffice import recalculate
from conv_sheet.xlsx import macros
from conv_sheet.xlsx.macros import Macro, add_macros, module_source, xlwings_source
from conv_sheet.xlsx.package import Package
from conv_sheet.xlsx.vml import Button
from tests import oracles
from tests.oracles import validator

MACROS = (Macro("Recompute", "main"), Macro("Reset", "reset"), Macro("RandomKernels", "random_kernels"))
BUTTONS = (
    Button("Start", "Recompute", "Recompute", (2, 2, 3, 3)),
    Button("Network", "Recompute", "Recompute", (10, 2, 13, 3)),
    Button("Network", "RandomKernels", "Kernels <new> & bold", (15, 2, 18, 3)),
    Button("Start", "Reset", "Zurücksetzen", (5, 2, 6, 3)),
)
INTERPRETER = r"C:\Program Files\Python 3\python.exe"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook with what stands near a button in the file format: a comment, a chart, a table."""
    path = tmp_path_factory.mktemp("macros") / "plain.xlsx"
    book = openpyxl.Workbook()
    start = book.active
    start.title = "Start"
    start.append(["name", "value"])
    start.append(["pixel", 1])
    start.add_table(Table(displayName="Settings", ref="A1:B2"))
    chart = BarChart()
    chart.add_data(Reference(start, min_col=2, min_row=2, max_row=2))
    start.add_chart(chart, "H2")
    network = book.create_sheet("Network")
    network["A1"], network["B1"] = 2, "=A1*21"
    network["A1"].comment = Comment("change me", "teacher")
    config = book.create_sheet("xlwings.conf")
    book.code_name = "ThisWorkbook"
    for number, sheet in enumerate(book, 1):
        sheet.sheet_properties.codeName = f"Sheet{number}"
    for row in (("INTERPRETER_WIN", INTERPRETER), ("ADD_WORKBOOK_TO_PYTHONPATH", False), ("SHOW CONSOLE", False)):
        config.append(row)
    book.save(path)
    return path


@pytest.fixture(scope="module")
def book(plain: Path) -> Path:
    path = plain.with_name("my lesson & co.xlsm")
    add_macros(plain, path, BUTTONS, MACROS)
    return path


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_olevba_reads_our_module_and_those_of_the_installed_xlwings(book: Path) -> None:
    answer = oracles.run(sys.executable, ["-m", "oletools.olevba", "--json", "--loglevel", "error", book])
    (report,) = [part for part in json.loads(answer.out) if part["type"] == "OpenXML"]
    sources = {module["vba_filename"]: module["code"].rstrip().splitlines() for module in report["macros"]}
    assert list(sources)[-3:] == ["ConvSheet.bas", "xlwings.bas", "Dictionary.cls"]
    assert sources["ConvSheet.bas"] == module_source(MACROS).splitlines()
    # olevba shows no attributes; a class is stored without what an export writes before them.
    assert sources["xlwings.bas"] == xlwings_source("xlwings.bas").rstrip().splitlines()[1:]
    dictionary = xlwings_source("addin/Dictionary.cls").rstrip().splitlines()
    assert sources["Dictionary.cls"] == dictionary[dictionary.index("Attribute VB_Exposed = True") + 1 :]


def test_the_module_calls_the_installed_package_whatever_the_file_is_called() -> None:
    assert module_source(MACROS[:2]).split("\r\n") == [
        "Option Explicit",
        "",
        "Public Sub Recompute()",
        '    RunPython "import conv_sheet.recompute; conv_sheet.recompute.main()"',
        "End Sub",
        "",
        "Public Sub Reset()",
        '    RunPython "import conv_sheet.recompute; conv_sheet.recompute.reset()"',
        "End Sub",
        "",
    ]


def test_integrity_checks_find_nothing(book: Path) -> None:
    report = check_file(book)
    assert report.ok
    assert report.issues == ()
    with olefile.OleFileIO(parts(book)["xl/vbaProject.bin"], raise_defects=olefile.DEFECT_UNSURE) as project:
        assert project.parsing_issues == []
        assert project.exists("VBA/dir")


def test_the_project_says_that_nothing_of_it_is_compiled(book: Path) -> None:
    with olefile.OleFileIO(parts(book)["xl/vbaProject.bin"]) as project:
        version = project.openstream("VBA/_VBA_PROJECT").read()
    assert version == bytes.fromhex("CC61 FFFF 00 0000")  # [MS-OVBA] 2.3.4.1


def test_every_sheet_has_its_document_module(book: Path) -> None:
    package = Package.open(book)
    names = [package.tree(part).find("{*}sheetPr").get("codeName") for part in package.worksheets.values()]  # type: ignore[union-attr]
    names.append(package.tree(package.workbook).find("{*}workbookPr").get("codeName"))  # type: ignore[union-attr]
    assert len(set(names)) == 4
    with ExcelFile(book) as file:
        documents = {m.name for m in file.vba_project().modules if 'VB_Base = "0{000208' in m.attribute_header}
    assert documents == set(names)


def test_only_what_macros_and_buttons_need_changes(plain: Path, book: Path) -> None:
    before, after = parts(plain), parts(book)
    assert set(after) - set(before) == {"xl/vbaProject.bin", "xl/drawings/buttons1.vml"}
    changed = {name for name in before if before[name] != after[name]}
    start = Package.open(plain).worksheet("Start")
    assert changed == {
        "[Content_Types].xml",
        "xl/_rels/workbook.xml.rels",
        "xl/worksheets/_rels/sheet1.xml.rels",
        "xl/drawings/commentsDrawing1.vml",
        start,
    }
    order = [child.tag.rpartition("}")[2] for child in Package.open(book).tree(start)]
    assert order[-3:] == ["drawing", "legacyDrawing", "tableParts"]
    assert openpyxl.load_workbook(book)["Network"]["A1"].comment.text == "change me"


def test_the_same_input_gives_the_same_bytes(plain: Path, book: Path) -> None:
    again = book.with_name("again.xlsm")
    add_macros(plain, again, BUTTONS, MACROS)
    assert again.read_bytes() == book.read_bytes()


def test_the_validators_find_nothing_new(plain: Path, book: Path) -> None:
    assert validator.findings(book) == validator.findings(plain)


OPEN = {
    "form": "urn:oasis:names:tc:opendocument:xmlns:form:1.0",
    "xlink": "http://www.w3.org/1999/xlink",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "draw": "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0",
    "svg": "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0",
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "script": "urn:oasis:names:tc:opendocument:xmlns:script:1.0",
}


def attribute(element: ElementTree.Element | None, name: str) -> str:
    assert element is not None
    prefix, _, local = name.partition(":")
    return element.attrib[f"{{{OPEN[prefix]}}}{local}"]


def test_libreoffice_shows_the_buttons_in_their_places_bound_to_the_macros(book: Path, tmp_path: Path) -> None:
    recalculate(book, tmp_path / "book.ods")
    content = ElementTree.fromstring(parts(tmp_path / "book.ods")["content.xml"])
    found = {}
    for sheet in content.iterfind(".//table:table", OPEN):
        places = {attribute(place, "draw:control"): place for place in sheet.iterfind(".//draw:control", OPEN)}
        for button in sheet.iterfind(".//form:button", OPEN):
            macro = attribute(button.find(".//script:event-listener", OPEN), "xlink:href")
            place = places[attribute(button, "form:id")]
            inches = [attribute(place, f"svg:{side}").removesuffix("in") for side in ("x", "y", "width", "height")]
            key = attribute(sheet, "table:name"), attribute(button, "form:label"), macro
            found[key] = [96 * float(inch) for inch in inches]
    # Columns are 64 pixels wide and rows 20 high, at 96 pixels an inch; LibreOffice rounds them a little.
    expected = {}
    for wanted in BUTTONS:
        uri = f"vnd.sun.star.script:VBAProject.ConvSheet.{wanted.macro}?language=Basic&location=document"
        left, top, right, bottom = wanted.anchor
        pixels = [64 * (left - 1), 20 * (top - 1), 64 * (right - left + 1), 20 * (bottom - top + 1)]
        expected[wanted.sheet, wanted.caption, uri] = pytest.approx(pixels, rel=0.02)
    assert found == expected


class Shell(VBAObject):  # type: ignore[misc]
    """WScript.Shell that notes its commands."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    @method  # type: ignore[untyped-decorator]
    def Run(self, Command: str, WindowStyle: int = 0, WaitOnReturn: bool = False) -> int:  # noqa: N802, N803
        self.commands.append(Command)
        return 0

    @method  # type: ignore[untyped-decorator]
    def ExpandEnvironmentStrings(self, Text: str) -> str:  # noqa: N802, N803
        return Text


WINDOWS = r"""
Public Function GetAttr(Path)
    If Path <> "C:\Program Files\Python 3\python.exe" Then Err.Raise 53
    GetAttr = 0
End Function
Public Function Environ(Name)
    Environ = "C:\Temp"
End Function
"""

# What pyOpenVBA's interpreter does not know, in words that it does.
SIMPLER = (
    (r"(?m)^([ \t]*#[^'\r\n]*)'.*$", r"\1"),
    (r'GetConfig\("SHOW CONSOLE", False\) = True', 'CBool(GetConfig("SHOW CONSOLE", False))'),
    (r"Application\.Hwnd", "4711"),
    (r"Kill LOG_FILE", ""),
)


def pressed(book: Path, macro: str) -> str:
    """The command that Windows is given when a macro of the workbook runs."""
    shell = Shell()
    app = ExcelApplication.open(book, with_vba=False)
    app.interpreter.host.create = lambda name: {"WScript.Shell": shell}[name]
    app.add_module(WINDOWS, name="Windows")
    with ExcelFile(book) as file:
        for name in ("xlwings", "ConvSheet"):
            source = file.get_module(name)
            for pattern, simpler in SIMPLER:
                source = re.sub(pattern, simpler, source)
            app.add_module(source, name=name)
    app.run(macro)
    (command,) = shell.commands
    return command


@dataclass(frozen=True)
class Command:
    """A Windows command line of xlwings, in its parts."""

    before: str
    program: str
    code: str
    arguments: list[str]


def parsed(command: str) -> Command:
    match = re.fullmatch(r'cmd\.exe /C (.*) & ("[^"]*") -B -c "((?:[^"\\]|\\.)*)"  (.*) 2> "[^"]*" ', command)
    assert match is not None
    code = match[3].replace('\\"', '"').replace("\\\\", "\\")
    return Command(match[1], match[2].strip('"'), code, shlex.split(match[4].replace("\\", "/")))


@pytest.mark.parametrize("macro", MACROS)
def test_a_button_on_windows_starts_the_configured_python(book: Path, tmp_path: Path, macro: Macro) -> None:
    command = parsed(pressed(book, macro.name))
    assert command.before == 'C: & cd "C:\\Program Files\\Python 3"'
    assert command.program == INTERPRETER
    assert command.arguments[:2] == ["--wb=my lesson & co.xlsm", "--from_xl=1"]
    (tmp_path / "conv_sheet").mkdir()
    (tmp_path / "conv_sheet" / "__init__.py").touch()
    (tmp_path / "conv_sheet" / "recompute.py").write_text(
        "import sys\ndef __getattr__(name): return lambda: print(name, sys.argv[1])\n"
    )
    answer = subprocess.run(
        [sys.executable, "-B", "-c", command.code, *command.arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == [macro.function, "--wb=my", "lesson", "&", "co.xlsm"]


def test_another_suffix_is_refused(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkbookError, match=r"book\.xlsx: Excel keeps macros in \.xlsm files only"):
        add_macros(plain, tmp_path / "book.xlsx", BUTTONS, MACROS)
    assert list(tmp_path.iterdir()) == []


def test_without_xlwings_nothing_is_written(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(macros, "find_spec", lambda name: None)
    with pytest.raises(WorkbookError, match="pip install xlwings"):
        add_macros(plain, tmp_path / "book.xlsm", BUTTONS, MACROS)
    assert list(tmp_path.iterdir()) == []


def test_a_build_does_not_import_xlwings(plain: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from conv_sheet.xlsx.macros import add_macros\n"
        "add_macros(Path(sys.argv[1]), Path(sys.argv[2]), (), ())\n"
        "assert 'xlwings' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, plain, tmp_path / "book.xlsm"], check=True)
