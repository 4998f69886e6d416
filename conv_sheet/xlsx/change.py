"""New values in the cells of a closed workbook, every other byte as it was.

Beside the cells, three things may change that would else be wrong: charts show the new values; the workbook asks to be
calculated when it is next opened, since formulas of the user's own may read what has changed; and the list of cells
with formulas, which programs make anew, goes when one of these cells has lost its formula.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from xml.parsers import expat

from conv_sheet.errors import WorkbookError
from conv_sheet.xlsx import caches
from conv_sheet.xlsx.package import Package, relationships_part
from conv_sheet.xlsx.patch import CellValue, Formula, Typed, start_tag, with_values

_BEFORE_CALCULATION = frozenset(
    {
        *("fileVersion", "fileSharing", "workbookPr", "workbookProtection", "bookViews", "sheets", "functionGroups"),
        *("externalReferences", "definedNames", "calcPr"),
    }
)
"""What stands before `calcPr` in a workbook part (ECMA-376 part 1, 18.2.27), and itself."""
_ATTRIBUTE = re.compile(rb"""\sfullCalcOnLoad\s*=\s*("[^"]*"|'[^']*')""")
_ASKED = re.compile(rb"""\sfullCalcOnLoad\s*=\s*["'](?:1|true)["']""")
_TYPES = "[Content_Types].xml"


def patch_cells(
    src: Path, dst: Path, values: Mapping[str, Mapping[tuple[int, int], CellValue]], recalculate: bool = False
) -> None:
    """Store values in cells of a closed workbook: ``values[sheet][row, column]``, both counted from 1.

    A formula cell keeps its formula and gets a new stored value; any other cell becomes that number, text or
    boolean and keeps its style. A cell that is not there yet is inserted without a style. ``dst`` may be ``src`` and
    is replaced only when it is complete. With ``recalculate`` the next program that opens it calculates all formulas.

    Raises `WorkbookError` for a sheet that does not exist, a value that a cell cannot hold (NaN, infinity, a
    text too long) or a damaged file. ``dst`` is then left as it was.

    >>> import openpyxl, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name, "book.xlsx")
    >>> openpyxl.Workbook().save(path)
    >>> patch_cells(path, path, {"Sheet": {(2, 3): 0.5, (1, 1): "seven"}})
    >>> sheet = openpyxl.load_workbook(path)["Sheet"]
    >>> sheet["C2"].value, sheet["A1"].value
    (0.5, 'seven')
    >>> folder.cleanup()
    """
    package = Package.open(src)
    parts: dict[str, bytes | None] = {}
    for sheet, cells in values.items():
        part = package.worksheet(sheet)
        xml = package.read(part)
        try:
            parts[part] = with_values(xml, cells)
        except WorkbookError as error:
            raise WorkbookError(f"{src}, sheet {sheet!r}: {error}") from error
    if recalculate:
        parts[package.workbook] = with_full_calculation(package.read(package.workbook))
    if any(isinstance(value, Formula | Typed) for cells in values.values() for value in cells.values()):
        parts |= _without_chain(package)
    parts |= dict(caches.changed(package, values))
    package.save(dst, parts)


def with_full_calculation(xml: bytes) -> bytes:
    """A workbook part that asks for all formulas to be calculated when the file is next opened.

    >>> main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    >>> with_full_calculation(f'<workbook xmlns="{main}"><sheets/><calcPr calcId="1"/></workbook>'.encode())[-59:]
    b'<sheets/><calcPr calcId="1" fullCalcOnLoad="1"/></workbook>'
    """
    elements = _children(xml)
    before = [element for element in elements if element[0].rpartition(":")[2] in _BEFORE_CALCULATION]
    if not before:
        raise WorkbookError("the workbook part has no sheets")
    name, start, end = before[-1]
    if name.rpartition(":")[2] != "calcPr":
        prefix = name.rpartition(":")[0]
        own = f"{prefix}:calcPr" if prefix else "calcPr"
        return xml[:end] + f'<{own} fullCalcOnLoad="1"/>'.encode() + xml[end:]
    tag_end = xml.index(b">", start)
    if _ASKED.search(xml[start:tag_end]):
        return xml
    tag = _ATTRIBUTE.sub(b"", xml[start:tag_end])
    slash = b"/" if tag.endswith(b"/") else b""
    return xml[:start] + tag.removesuffix(b"/").rstrip() + b' fullCalcOnLoad="1"' + slash + xml[tag_end:]


def _children(xml: bytes) -> list[tuple[str, int, int]]:
    """Name, first byte and byte behind the end of each child of a document's root."""
    found: list[tuple[str, int, int]] = []
    starts: list[int] = []
    parser = expat.ParserCreate()

    def start(name: str, attributes: dict[str, str]) -> None:
        starts.append(parser.CurrentByteIndex)

    def end(name: str) -> None:
        begun = starts.pop()
        if len(starts) == 1:
            tag = start_tag(xml, begun)
            empty = tag[0].endswith(b"/>")
            found.append((name, begun, tag.end() if empty else xml.index(b">", parser.CurrentByteIndex) + 1))

    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(xml, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise WorkbookError(f"the workbook part's XML is damaged: {error}") from error
    return found


def _without_chain(package: Package) -> dict[str, bytes | None]:
    """The parts that change when the list of cells with formulas is left out; what is only called so stays."""
    found = package.related(package.workbook, "calcChain")
    chains = [link for link in found if package.tree(link.target).tag.rpartition("}")[2] == "calcChain"]
    if not chains:
        return {}
    rels = relationships_part(package.workbook)
    targets = {link.id for link in chains}
    names = {link.target for link in chains}

    def without(part: str, attribute: str, values: set[str]) -> bytes:
        xml = package.read(part)
        for _, start, end in reversed(_children(xml)):
            found = re.search(rb"""\s%s\s*=\s*["']([^"']*)""" % attribute.encode(), xml[start:end])
            if found and found[1].decode().lstrip("/") in values:
                xml = xml[:start] + xml[end:]
        return xml

    return {
        rels: without(rels, "Id", targets),
        _TYPES: without(_TYPES, "PartName", names),
        **dict.fromkeys(names),
    }
