"""New values in the XML of a worksheet part, and not a byte more.

expat reads the part and says at which byte each element begins; the edits are made in the bytes themselves.
So prefixes, attribute order, comments, white space and elements from later versions of Excel stay what they
were. Elements (`sheetData`, `row`, `c`, `f`, `v`, `is`) and cell types: ECMA-376 part 1, section 18.3.1.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple
from xml.etree import ElementTree
from xml.parsers import expat

from conv_sheet.cells.formula import mover
from conv_sheet.cells.grid import column_letters, column_number
from conv_sheet.errors import WorkbookError
from conv_sheet.xlsx import encode
from conv_sheet.xlsx.parse import NAMESPACES


class Formula(NamedTuple):
    """A formula, without its equals sign, and the value to store with it."""

    text: str
    value: float | str | bool


class Typed(NamedTuple):
    """A number or a text that takes the place of whatever stands in a cell, of a formula too."""

    value: float | str


CellValue = float | str | bool | Formula | Typed | None
"""What a cell may hold; None for nothing."""
_CHUNK = 1 << 16
_TAG = re.compile(rb"""<([^\s/>]+)(?:[^'">]++|'[^']*'|"[^"]*")*>""")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")

_SIZE = re.compile("([A-Z]{1,3})([0-9]{1,7})(?::([A-Z]{1,3})([0-9]{1,7}))?")

_Edit = tuple[int, int, bytes]
"""From byte, to byte, new bytes."""


def with_values(xml: bytes, values: Mapping[tuple[int, int], CellValue]) -> bytes:
    """Return worksheet part ``xml`` with ``values[row, column]``, both counted from 1, stored in its cells.

    Raises `WorkbookError` if ``xml`` is no worksheet in UTF-8 or a value is nothing that a cell can hold.

    >>> ns = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    >>> row = '<row r="1"><c r="B1" s="3"><f>A1*21</f><v>0</v></c></row>'
    >>> xml = f"<worksheet {ns}><sheetData>{row}</sheetData></worksheet>".encode()
    >>> with_values(xml, {(1, 1): 2.0, (1, 2): 42.0}).split(b"sheetData")[1]
    b'><row r="1"><c r="A1"><v>2</v></c><c r="B1" s="3"><f>A1*21</f><v>42</v></c></row></'
    """
    try:
        return _Patch(xml, values).result()
    except ValueError as error:
        raise WorkbookError(f"the sheet's XML is damaged: {error}") from error


@dataclass(slots=True)
class _Element:
    """An element by its place in the bytes: `start` of the start tag, `close` of the end tag.

    In ``<v/>``, which has no end tag, `close` is the byte after it.
    """

    name: str
    attributes: dict[str, str]
    start: int
    close: int = -1
    children: list["_Element"] = field(default_factory=list)

    def tag(self, xml: bytes) -> bytes:
        return start_tag(xml, self.start)[0]

    def end(self, xml: bytes) -> int:
        return self.close if self.tag(xml).endswith(b"/>") else xml.index(b">", self.close) + 1

    def text(self, xml: bytes) -> str:
        """What stands inside an element without children."""
        tag = start_tag(xml, self.start)
        inside = b"" if tag[0].endswith(b"/>") else xml[tag.end() : self.close]
        return encode.decoded(ElementTree.fromstring(b"<f>%s</f>" % inside).text or "")

    def prefix(self, xml: bytes) -> bytes:
        """``x:`` of ``<x:row>``, or nothing."""
        return b"".join(start_tag(xml, self.start)[1].rpartition(b":")[:2])


def start_tag(xml: bytes, start: int) -> re.Match[bytes]:
    """The start tag of an element at this byte, and in the first group the element's name."""
    tag = _TAG.match(xml, start)
    if tag is None:
        raise WorkbookError(f"the XML is damaged at byte {start}")
    return tag


def _rows_and_data(xml: bytes) -> Iterator[_Element]:
    """The size, then each row with everything in it, in order, then sheetData without children."""
    reader = _Reader()
    if xml[:2] in (b"\xff\xfe", b"\xfe\xff"):
        reader.declaration("1.0", "UTF-16", -1)
    for offset in range(0, len(xml) + 1, _CHUNK):
        try:
            reader.parser.Parse(xml[offset : offset + _CHUNK], offset + _CHUNK > len(xml))
        except expat.ExpatError as error:
            raise WorkbookError(f"the sheet's XML is damaged: {error}") from error
        yield from reader.complete
        reader.complete.clear()


class _Reader:
    """Turns expat's events into elements; `complete` are those that nobody has taken yet."""

    def __init__(self) -> None:
        self.complete: list[_Element] = []
        self.open: list[_Element] = []
        self.namespace = ""
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.XmlDeclHandler = self.declaration
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding and encoding.upper() not in ("UTF-8", "US-ASCII"):
            raise WorkbookError(f"the sheet's XML is in {encoding}, not UTF-8: save the file again in Excel")

    def doctype(self, *declaration: object) -> None:
        raise WorkbookError("the sheet's XML has a DOCTYPE, which no workbook may have")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self.open:
            self.namespace = name.removesuffix("worksheet")
            if self.namespace.rstrip() not in NAMESPACES:
                raise WorkbookError("the sheet's XML is not that of a worksheet")
        local = name.removeprefix(self.namespace)
        self.open.append(_Element(local, attributes, self.parser.CurrentByteIndex))

    def end(self, name: str) -> None:
        element = self.open.pop()
        element.close = self.parser.CurrentByteIndex
        parent = self.open[-1].name if self.open else ""
        if (element.name, parent) in (("dimension", "worksheet"), ("sheetData", "worksheet"), ("row", "sheetData")):
            self.complete.append(element)
        elif len(self.open) > 2:
            self.open[-1].children.append(element)


class _Patch:
    """The edits that store values in a worksheet part.

    Where a cell loses the formula that other cells share, each of them gets a formula of its own.
    """

    def __init__(self, xml: bytes, values: Mapping[tuple[int, int], CellValue]) -> None:
        self.xml = xml
        self.values = values
        self.edits: list[_Edit] = []
        self.orphans: dict[str, tuple[int, int, Callable[[int, int], str]]] = {}

    def result(self) -> bytes:
        xml, edits = self.xml, self.edits
        pending = deque(_by_row(self.values).items())
        number = 0
        for element in _rows_and_data(xml):
            if element.name == "dimension":
                edits += _widened(xml, element, self.values)
                continue
            if element.name == "row":
                number = int(element.attributes.get("r", number + 1))
            prefix = element.prefix(xml)
            new_rows = b""
            while pending and (element.name == "sheetData" or pending[0][0] < number):
                new_rows += _new_row(prefix, *pending.popleft())
            if element.name == "sheetData":
                edits += _appended(xml, element, element.tag(xml), new_rows)
                continue
            edits.append((element.start, element.start, new_rows))
            if pending and pending[0][0] == number:
                self.row(element, *pending.popleft())
            elif self.orphans:
                self.row(element, number, {})
        if pending:
            raise WorkbookError("the sheet's XML is damaged: it has no sheetData")
        return _edited(xml, edits)

    def row(self, row: _Element, number: int, values: dict[int, CellValue]) -> None:
        xml, edits = self.xml, self.edits
        pending = deque(values.items())
        column = 0
        grows = False
        for cell in row.children:
            column = _column(cell.attributes["r"]) if "r" in cell.attributes else column + 1
            new_cells = b""
            while pending and pending[0][0] < column:
                new_cells += _new_cell(cell.prefix(xml), number, *pending.popleft())
            if new_cells:
                edits.append((cell.start, cell.start, new_cells))
                grows = True
            formula = next((child for child in cell.children if child.name == "f"), None)
            if pending and pending[0][0] == column:
                self.cell(cell, formula, number, *pending.popleft())
            elif formula and self.orphans:
                edits += self.adopted(cell, formula, number, column)
        if not values:
            return
        new_cells = b"".join(_new_cell(row.prefix(xml), number, *item) for item in pending)
        tag = _without(row.tag(xml), b"spans") if grows or new_cells else row.tag(xml)
        edits += _appended(xml, row, tag, new_cells)

    def cell(self, cell: _Element, formula: _Element | None, row: int, column: int, value: CellValue) -> None:
        if isinstance(value, Formula | Typed) and formula:
            instead = _formula(cell.prefix(self.xml), value.text) if isinstance(value, Formula) else b""
            self.left(formula, row, column)
            self.edits.append((formula.start, formula.end(self.xml), instead))
            value = value.value
        elif formula and self.orphans:
            self.edits += self.adopted(cell, formula, row, column)
        self.edits += _cell_edits(self.xml, cell, formula, row, column, value)

    def left(self, formula: _Element, row: int, column: int) -> None:
        """A cell loses its formula; those that share it must not."""
        kind, group = formula.attributes.get("t"), formula.attributes.get("si", "")
        if kind == "shared" and "ref" in formula.attributes:
            self.orphans[group] = row, column, mover(formula.text(self.xml))
        elif kind in ("array", "dataTable") and ":" in formula.attributes.get("ref", ""):
            cell = f"{column_letters(column)}{row}"
            raise WorkbookError(f"cell {cell} is one of several with one array formula: clear all of them first")

    def adopted(self, cell: _Element, formula: _Element, row: int, column: int) -> Iterator[_Edit]:
        """A formula of its own for a cell that shares one whose first cell is gone."""
        group = formula.attributes.get("si", "")
        if formula.attributes.get("t") != "shared" or group not in self.orphans:
            return
        if "ref" in formula.attributes:
            del self.orphans[group]
            return
        first_row, first_column, moved = self.orphans[group]
        text = moved(row - first_row, column - first_column)
        yield formula.start, formula.end(self.xml), _formula(cell.prefix(self.xml), text)


def _by_row(values: Mapping[tuple[int, int], CellValue]) -> dict[int, dict[int, CellValue]]:
    rows: dict[int, dict[int, CellValue]] = {}
    for (row, column), value in sorted(values.items(), key=itemgetter(0)):
        rows.setdefault(row, {})[column] = value
    return rows


def _cell_edits(
    xml: bytes, cell: _Element, formula: _Element | None, row: int, column: int, value: CellValue
) -> list[_Edit]:
    stored = [child for child in cell.children if child.name in ("v", "is")]
    kind, content = _content(cell.prefix(xml), row, column, value, formula is not None)
    old = start_tag(xml, cell.start)
    tag = _typed(old[0], kind)
    if tag.endswith(b"/>"):
        return _appended(xml, cell, tag, content)
    after = formula.end(xml) if formula else old.end()
    place = (stored[0].start, stored[-1].end(xml)) if stored else (after, after)
    return [(old.start(), old.end(), tag), (*place, content)]


def _widened(xml: bytes, dimension: _Element, values: Mapping[tuple[int, int], CellValue]) -> list[_Edit]:
    """What a sheet says of its size, with the places of new values in it."""
    said = _SIZE.fullmatch(dimension.attributes.get("ref", ""))
    if said is None or not values:
        return []
    first_column, first_row = _column(said[1]), int(said[2])
    last_column, last_row = (_column(said[3]), int(said[4])) if said[3] else (first_column, first_row)
    rows, columns = ([at[axis] for at in values] for axis in (0, 1))
    first = f"{column_letters(min(first_column, *columns))}{min(first_row, *rows)}"
    last = f"{column_letters(max(last_column, *columns))}{max(last_row, *rows)}"
    wide = first if first == last else f"{first}:{last}"
    if wide == dimension.attributes["ref"]:
        return []
    old = start_tag(xml, dimension.start)
    tag = _ATTRIBUTE.sub(lambda found: b' ref="%s"' % wide.encode() if found[1] == b"ref" else found[0], old[0])
    return [(old.start(), old.end(), tag)]


def _appended(xml: bytes, element: _Element, tag: bytes, content: bytes) -> list[_Edit]:
    """Edits that give ``element`` the start tag ``tag`` and end it with ``content``, even in ``<row/>``."""
    old = start_tag(xml, element.start)
    if tag.endswith(b"/>") and content:
        return [(old.start(), old.end(), tag[:-2] + b">" + content + b"</" + old[1] + b">")]
    return [(old.start(), old.end(), tag), (element.close, element.close, content)]


def _new_row(prefix: bytes, row: int, values: dict[int, CellValue]) -> bytes:
    cells = b"".join(_new_cell(prefix, row, column, value) for column, value in values.items())
    return b'<%srow r="%d">%s</%srow>' % (prefix, row, cells, prefix)


def _new_cell(prefix: bytes, row: int, column: int, value: CellValue) -> bytes:
    kind, content = _content(prefix, row, column, value, formula=False)
    tag = _typed(b'<%sc r="%s%d">' % (prefix, column_letters(column).encode(), row), kind)
    return b"%s%s</%sc>" % (tag, content, prefix)


def _content(prefix: bytes, row: int, column: int, value: CellValue, formula: bool) -> tuple[bytes, bytes]:
    """Cell type (attribute ``t``) and the element that holds the value."""
    cell = f"{column_letters(column)}{row}"
    if isinstance(value, Typed):
        value = value.value
    if value is None:
        return b"n", b""
    if isinstance(value, Formula):
        kind, content = _content(prefix, row, column, value.value, formula=True)
        return kind, _formula(prefix, value.text) + content
    where = f"cell {cell}"
    if isinstance(value, str):
        text = encode.checked_text(value, where).encode()
        if formula:
            return b"str", b"<%sv>%s</%sv>" % (prefix, text, prefix)
        space = b' xml:space="preserve"' if value != value.strip() else b""
        return b"inlineStr", b"<%sis><%st%s>%s</%st></%sis>" % (prefix, prefix, space, text, prefix, prefix)
    kind = b"b" if isinstance(value, bool) else b"n"
    return kind, b"<%sv>%s</%sv>" % (prefix, encode.checked_number(value, where).encode(), prefix)


def _formula(prefix: bytes, text: str) -> bytes:
    return b"<%sf>%s</%sf>" % (prefix, encode.text(text).encode(), prefix)


def _typed(tag: bytes, kind: bytes) -> bytes:
    """Start tag of a cell with its type set; a ``vm``, which would show another value, is dropped."""
    present = {name: quoted[1:-1] for name, quoted in _ATTRIBUTE.findall(tag)}
    if b"vm" not in present and present.get(b"t", b"n") == kind:
        return tag
    kept = _without(tag, b"t", b"vm")
    if kind == b"n":
        return kept
    end = len(kept) - (2 if kept.endswith(b"/>") else 1)
    return b'%s t="%s"%s' % (kept[:end], kind, kept[end:])


def _without(tag: bytes, *names: bytes) -> bytes:
    return _ATTRIBUTE.sub(lambda found: b"" if found[1] in names else found[0], tag)


def _column(reference: str) -> int:
    return column_number(reference.rstrip("0123456789"))


def _edited(xml: bytes, edits: list[_Edit]) -> bytes:
    pieces, done = [], 0
    for start, end, new in sorted(edits, key=itemgetter(0, 1)):
        pieces += [xml[done:start], new]
        done = end
    return b"".join([*pieces, xml[done:]])
