"""Macros and buttons: a finished .xlsx becomes an .xlsm whose buttons call Python through xlwings.

The VBA project holds a document module for the workbook and for each sheet, our module ``ConvSheet``, and the
modules ``xlwings`` and ``Dictionary`` as the installed xlwings ships them. The buttons are form controls in VML
(ECMA-376 part 4), the same elements that XlsxWriter writes; they need no ActiveX.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import escape

from conv_sheet.errors import WorkbookError
from conv_sheet.xlsx.package import Package, relationships_part
from conv_sheet.xlsx.vba import Module, project, sources

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
_NAMESPACES = (
    b' xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
    b' xmlns:x="urn:schemas-microsoft-com:office:excel"'
)
_EMPTY_VML = b'<xml><o:shapelayout v:ext="edit"><o:idmap v:ext="edit" data="1"/></o:shapelayout></xml>'
_BUTTON_TYPE = (
    '<v:shapetype id="_x0000_t201" coordsize="21600,21600" o:spt="201" path="m,l,21600r21600,l21600,xe">'
    '<v:stroke joinstyle="miter"/>'
    '<v:path shadowok="f" o:extrusionok="f" strokeok="f" fillok="f" o:connecttype="rect"/>'
    '<o:lock v:ext="edit" shapetype="t"/></v:shapetype>'
)
_BUTTON = (
    '<v:shape id="_x0000_s{id}" type="#_x0000_t201" alt="{caption}: a button" '
    'style="position:absolute;{place};z-index:{order}" '
    'o:button="t" fillcolor="buttonFace [67]" strokecolor="windowText [64]" o:insetmode="auto">'
    '<v:fill color2="buttonFace [67]" o:detectmouseclick="t"/><o:lock v:ext="edit" rotation="t"/>'
    '<v:textbox style="mso-direction-alt:auto" o:singleclick="f"><div style="text-align:center">'
    '<font face="Calibri" size="220" color="#000000">{caption}</font></div></v:textbox>'
    '<x:ClientData ObjectType="Button"><x:Anchor>{left}, 0, {top}, 0, {right}, 0, {bottom}, 0</x:Anchor>'
    "<x:PrintObject>False</x:PrintObject><x:AutoFill>False</x:AutoFill>"
    "<x:FmlaMacro>[0]!{macro}</x:FmlaMacro>"
    "<x:TextHAlign>Center</x:TextHAlign><x:TextVAlign>Center</x:TextVAlign></x:ClientData></v:shape>"
)
_FIRST_SHAPE = 1900
"""Shape ids of a sheet run from 1025 to 2047; comments take theirs from the beginning."""


@dataclass(frozen=True)
class Macro:
    """A public Sub called ``name`` that calls ``conv_sheet.recompute.<function>()``."""

    name: str
    function: str


@dataclass(frozen=True)
class Button:
    """A button on a sheet; ``anchor`` is the first column and row and the last ones it covers, counted from 1."""

    sheet: str
    macro: str
    caption: str
    anchor: tuple[int, int, int, int]


def add_macros(src: Path, dst: Path, buttons: Sequence[Button], macros: Sequence[Macro]) -> None:
    r"""Write workbook ``src``, an .xlsx by openpyxl, as ``dst``, an .xlsm with ``macros`` and ``buttons``.

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
        shapes = _shapes(button for button in buttons if button.sheet == sheet)
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


def _shapes(buttons: Iterable[Button]) -> bytes:
    shapes = [_shape(button, order) for order, button in enumerate(buttons, start=1)]
    return "".join([_BUTTON_TYPE, *shapes]).encode()


def _shape(button: Button, order: int) -> str:
    """VML of a button: the anchor, in cells, counts; the place in points is for cells of the usual size."""
    left, top, right, bottom = button.anchor[0] - 1, button.anchor[1] - 1, *button.anchor[2:]
    place = f"margin-left:{48 * left}pt;margin-top:{15 * top}pt"
    size = f"width:{48 * (right - left)}pt;height:{15 * (bottom - top)}pt"
    return _BUTTON.format(
        id=_FIRST_SHAPE + order,
        order=order,
        place=f"{place};{size}",
        caption=escape(button.caption),
        macro=button.macro,
        left=left,
        top=top,
        right=right,
        bottom=bottom,
    )


def _sheet_parts(package: Package, sheet: str, shapes: bytes, number: int) -> dict[str, bytes]:
    """The parts that change when ``shapes`` come onto a sheet: its VML, and what points there if it is new."""
    drawings = [link.target for link in package.relationships(sheet) if link.kind == "vmlDrawing"]
    if drawings:
        return {drawings[0]: _with_shapes(package.read(drawings[0]), shapes)}
    vml, rels = f"xl/drawings/buttons{number}.vml", relationships_part(sheet)
    relations = (
        package.read(rels) if rels in package.names else f'<Relationships xmlns="{_PACKAGE}"></Relationships>'.encode()
    )
    relation = f'<Relationship Id="buttons" Type="{_RELATIONSHIPS}/vmlDrawing" Target="/{vml}"/>'.encode()
    return {
        sheet: _with_legacy_drawing(package.read(sheet)),
        rels: relations.replace(b"</Relationships>", relation + b"</Relationships>"),
        vml: _with_shapes(_EMPTY_VML, shapes),
    }


def _with_shapes(vml: bytes, shapes: bytes) -> bytes:
    if b"xmlns:v=" not in vml:
        vml = vml.replace(b"<xml", b"<xml" + _NAMESPACES, 1)
    return vml.replace(b"</xml>", shapes + b"</xml>")


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
