"""Macros and buttons: a finished .xlsx becomes an .xlsm whose buttons call Python through xlwings.

The VBA project holds a document module for the workbook and for each sheet, our module ``ConvSheet``, and the
modules ``xlwings`` and ``Dictionary`` as the installed xlwings ships them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from conv_sheet.errors import WorkbookError
from conv_sheet.xlsx import vml
from conv_sheet.xlsx.package import Package, relationships_part
from conv_sheet.xlsx.vba import Module, project, sources
from conv_sheet.xlsx.vml import Button

MODULE = "ConvSheet"

_RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_CONTENT_TYPES = "[Content_Types].xml"
_WORKBOOK = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
_MACRO_WORKBOOK = b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"
_VBA_RELATIONSHIP = "http://schemas.microsoft.com/office/2006/relationships/vbaProject"
_PROJECT = "xl/vbaProject.bin"
_BIN_DEFAULT = b'<Default Extension="bin" ContentType="application/vnd.ms-office.vbaProject"/>'
_VML_DEFAULT = b'<Default Extension="vml" ContentType="application/vnd.openxmlformats-officedocument.vmlDrawing"/>'
_AFTER_LEGACY_DRAWING = (
    b"<legacyDrawingHF",
    b"<drawingHF",
    b"<picture",
    b"<oleObjects",
    b"<controls",
    b"<webPublishItems",
    b"<tableParts",
    b"<extLst",
    b"</worksheet>",
)


@dataclass(frozen=True)
class Macro:
    """A public Sub called ``name`` that calls ``conv_sheet.recompute.<function>()``."""

    name: str
    function: str


def add_macros(src: Path, dst: Path, buttons: Sequence[Button], macros: Sequence[Macro]) -> None:
    r"""Write workbook ``src``, an .xlsx of `writer`, as ``dst``, an .xlsm with ``macros`` and ``buttons``.

    The same input gives the same bytes. Raises `WorkbookError` if ``dst`` is not to be an .xlsm, or if the
    xlwings package, whose modules go into the file, is not installed.

    >>> print(module_source([Macro("Recompute", "main")]).replace("\r", ""))
    Option Explicit
    <BLANKLINE>
    Public Sub Recompute()
        RunPython "import conv_sheet.recompute; conv_sheet.recompute.main()"
    End Sub
    <BLANKLINE>
    """
    if dst.suffix.lower() != ".xlsm":
        raise WorkbookError(f"{dst}: Excel keeps macros in .xlsm files only: change the suffix")
    package = Package.open(src)
    parts = {_CONTENT_TYPES: _content_types(package.read(_CONTENT_TYPES))}
    for number, sheet in enumerate(dict.fromkeys(button.sheet for button in buttons), start=1):
        shapes = vml.shapes([button for button in buttons if button.sheet == sheet])
        parts |= _sheet_parts(package, package.worksheet(sheet), shapes, number)
    rels = relationships_part(package.workbook)
    link = f'<Relationship Id="rIdProject" Type="{_VBA_RELATIONSHIP}" Target="/{_PROJECT}"/>'.encode()
    parts[rels] = package.read(rels).replace(b"</Relationships>", link + b"</Relationships>")
    parts[_PROJECT] = _project(package, macros)
    package.save(dst, parts)


def module_source(macros: Iterable[Macro]) -> str:
    """VBA source of the module ``ConvSheet``: one Sub a macro, lines ended as VBA ends them."""
    subs = [
        f"\nPublic Sub {macro.name}()\n"
        f'    RunPython "import conv_sheet.recompute; conv_sheet.recompute.{macro.function}()"\n'
        "End Sub\n"
        for macro in macros
    ]
    return "".join(["Option Explicit\n", *subs]).replace("\n", "\r\n")


def xlwings_source(name: str) -> str:
    """Text of a VBA file (``xlwings.bas``, ``addin/Dictionary.cls``) of the installed xlwings, unchanged."""
    spec = find_spec("xlwings")
    if spec is None or spec.origin is None:
        raise WorkbookError("xlwings is not installed, and its macros go into an .xlsm: pip install xlwings")
    return Path(spec.origin).parent.joinpath(name).read_bytes().decode()


def _project(package: Package, macros: Sequence[Macro]) -> bytes:
    """The VBA project: a document module for the workbook and for each sheet, our macros, and xlwings' own."""
    sheets = [Module(f"Sheet{number}", "sheet") for number in range(1, len(package.worksheets) + 1)]
    return project(
        [
            Module("ThisWorkbook", "workbook"),
            *sheets,
            Module(MODULE, "module", module_source(macros)),
            Module("xlwings", "module", xlwings_source("xlwings.bas")),
            Module("Dictionary", "class", xlwings_source("addin/Dictionary.cls")),
        ]
    )


def _content_types(xml: bytes) -> bytes:
    xml = xml.replace(_WORKBOOK, _MACRO_WORKBOOK)
    xml = xml.replace(b"<Override", _BIN_DEFAULT + b"<Override", 1)
    return xml if b'Extension="vml"' in xml else xml.replace(b"<Override", _VML_DEFAULT + b"<Override", 1)


def _sheet_parts(package: Package, sheet: str, shapes: bytes, number: int) -> dict[str, bytes]:
    """The parts that change when ``shapes`` come onto a sheet: its VML, and what points there if it is new."""
    drawings = [link.target for link in package.relationships(sheet) if link.kind == "vmlDrawing"]
    if drawings:
        return {drawings[0]: vml.with_shapes(package.read(drawings[0]), shapes)}
    part, rels = f"xl/drawings/buttons{number}.vml", relationships_part(sheet)
    relations = (
        package.read(rels) if rels in package.names else f'<Relationships xmlns="{_PACKAGE}"></Relationships>'.encode()
    )
    relation = f'<Relationship Id="buttons" Type="{_RELATIONSHIPS}/vmlDrawing" Target="/{part}"/>'.encode()
    return {
        sheet: _with_legacy_drawing(package.read(sheet)),
        rels: relations.replace(b"</Relationships>", relation + b"</Relationships>"),
        part: vml.with_shapes(vml.EMPTY, shapes),
    }


def _with_legacy_drawing(xml: bytes) -> bytes:
    """The sheet with an element ``legacyDrawing`` at its place in CT_Worksheet (ECMA-376 part 1, 18.3.1.99)."""
    end_of_data = xml.rindex(b"sheetData")
    at = min(place for tag in _AFTER_LEGACY_DRAWING if (place := xml.find(tag, end_of_data)) >= 0)
    element = f'<legacyDrawing xmlns:r="{_RELATIONSHIPS}" r:id="buttons"/>'.encode()
    return b"".join([memoryview(xml)[:at], element, memoryview(xml)[at:]])


def modules(path: Path) -> dict[str, str]:
    """VBA sources of the .xlsm at ``path`` by module name, empty where it has no macros."""
    package = Package.open(path)
    found = [link.target for link in package.relationships(package.workbook) if link.kind == "vbaProject"]
    try:
        return sources(package.read(found[0])) if found else {}
    except WorkbookError as error:
        raise WorkbookError(f"{path}: {error}") from error
