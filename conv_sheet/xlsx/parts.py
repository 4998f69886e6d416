"""openpyxl as the writer of everything but the cells; the one module that knows its private parts.

openpyxl has no way to store the value of a formula, and makes an object of every cell. So the rows of a sheet are
streamed by `rows`, and openpyxl writes what stands before and behind them, and all other parts.
"""

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from openpyxl import Workbook
from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.formatting.rule import Rule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.worksheet._writer import WorksheetWriter
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from conv_sheet.cells import style
from conv_sheet.cells.drawn import Bars, Line, Spinner
from conv_sheet.cells.grid import Block, column_letters
from conv_sheet.cells.page import Page
from conv_sheet.cells.style import Style
from conv_sheet.xlsx import encode, packing, vml
from conv_sheet.xlsx.rows import Strings, cells, rows

EPOCH = datetime(2020, 1, 1)
"""Creation date of every workbook, so that the same state gives the same bytes."""

_STRINGS = "xl/sharedStrings.xml"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_BEFORE_DRAWING = re.compile(r"(?=<(?:drawing|legacyDrawing|tableParts|extLst)\b|</worksheet>)")
"""Where `ignoredErrors` stands in a sheet (ECMA-376 part 1, 18.3.1.99)."""
_NAMES = re.compile(r"<definedNames(?:\s*/>|>(.*?)</definedNames>)")
_READS_AS_NUMBER = re.compile(r"\s*[-+]?(?:\d[\d.,]*|[.,]\d+)(?:[eE][-+]?\d+)?\s*%?\s*")
_FONT_ORDER = ("b", "i", "strike", "condense", "extend", "outline", "shadow", "u", "vertAlign", "sz", "color", "name",
               "family", "charset", "scheme")  # fmt: skip


def save(book: Workbook, pages: Mapping[str, Page], path: Path, written: Callable[[float], None], large: int) -> None:
    """Write a workbook of openpyxl's with the cells of pages, by title, and say which share of them is written.

    With `large` cells or more, the sheets are packed more closely.
    """
    names = {name: block.reference for page in pages.values() for name, block in page.names.items()}
    with _Archive(path, names) as archive:
        _Writer(book, archive, pages, written, large).write_data()


class _Archive(zipfile.ZipFile):
    """A zip file in which nothing depends on the clock, and in which five of openpyxl's parts are put right.

    The children of a font get the order that the schema wants, the shared strings, which openpyxl does not write, are
    declared, and drawings get the prefix that Excel gives them: some readers know no other. Defined names, of which a
    network can have tens of thousands, are written without an object for each.
    """

    def __init__(self, path: Path, names: Mapping[str, str]) -> None:
        super().__init__(path, "w", zipfile.ZIP_DEFLATED)
        self.names = names

    def writestr(self, name: Any, data: Any) -> None:  # type: ignore[override]
        text = data.decode() if isinstance(data, bytes) else data
        if name == "xl/styles.xml":
            text = re.sub(r"<font>(.*?)</font>", _sorted_font, text)
        elif name == "xl/workbook.xml":
            names = "".join(f'<definedName name="{n}">{encode.text(at)}</definedName>' for n, at in self.names.items())
            text = _NAMES.sub(lambda found: f"<definedNames>{names}{found[1] or ''}</definedNames>", text, count=1)
        elif name == "xl/_rels/workbook.xml.rels":
            kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
            link = f'<Relationship Id="rIdStrings" Type="{kind}" Target="/{_STRINGS}"/>'
            text = text.replace("</Relationships>", f"{link}</Relationships>")
        elif name == "[Content_Types].xml":
            kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
            text = text.replace("</Types>", f'<Override PartName="/{_STRINGS}" ContentType="{kind}"/></Types>')
        elif name.startswith("xl/drawings/") and name.endswith(".xml"):
            text = re.sub(r"<(/?)(\w+)(?=[\s/>])", r"<\1xdr:\2", text).replace(" xmlns=", " xmlns:xdr=")
        super().writestr(_entry(name), text)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=EPOCH.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _sorted_font(match: re.Match[str]) -> str:
    children = re.findall(r"<(\w+)[^>]*/>", match[1])
    elements = re.findall(r"<\w+[^>]*/>", match[1])
    ordered = sorted(zip(children, elements, strict=True), key=lambda pair: _FONT_ORDER.index(pair[0]))
    return f"<font>{''.join(element for _, element in ordered)}</font>"


class _Writer(ExcelWriter):  # type: ignore[misc]
    """openpyxl's writer with our own cells."""

    def __init__(
        self,
        book: Workbook,
        archive: _Archive,
        pages: Mapping[str, Page],
        written: Callable[[float], None],
        large: int,
    ) -> None:
        super().__init__(book, archive)
        self.pages = pages
        self.written = written
        self.cells = {title: cells(page) for title, page in pages.items()}
        self.large = sum(self.cells.values()) >= large
        self.done = 0
        self.strings = Strings()
        self.styles = _Styles(book)

    def write_worksheet(self, sheet: Worksheet) -> None:
        page = self.pages[sheet.title]
        sheet._drawing = _Drawing([*map(_said, page.bars), *map(_said, page.lines)])
        sheet._drawing.charts, sheet._drawing.images = sheet._charts, sheet._images
        if page.spinners:
            sheet.legacy_drawing = f"xl/drawings/{sheet.sheet_properties.codeName}.vml"
            drawn = vml.shapes([_spinner(one) for one in page.spinners])
            self._archive.writestr(sheet.legacy_drawing, vml.with_shapes(vml.EMPTY, drawn))
        writer = WorksheetWriter(sheet)
        sheet._hyperlinks = [
            Hyperlink(ref=f"{column_letters(column)}{row}", location=target)
            for (row, column), target in page.links.items()
        ]
        writer.write()
        sheet._rels = writer._rels
        xml = Path(writer.out).read_text(encoding="utf-8")
        writer.cleanup()
        last = Block(page.title, 1, 1, *page.last)
        xml = re.sub(r'<dimension ref="[^"]*"', f'<dimension ref="{last.relative}"', xml, count=1)
        xml = _BEFORE_DRAWING.sub(_ignored(self.pages[sheet.title]), xml, count=1)
        head, tail = re.split(r"<sheetData\s*/>|<sheetData>.*?</sheetData>", xml, maxsplit=1, flags=re.DOTALL)
        with packing.begin(self._archive, _entry(sheet.path[1:]), self.large) as part:
            part.write(f"{head}<sheetData>".encode())
            for number, row in enumerate(rows(page, self.styles.__getitem__, self.strings)):
                part.write(row.encode())
                self._say(page, number / last.height)
            part.write(f"</sheetData>{tail}".encode())
        self.manifest.append(sheet)
        self._say(page, 1)
        self.done += self.cells[page.title]

    def _say(self, page: Page, share: float) -> None:
        """Tell how much is written, `share` of a page included; its rows count as equal."""
        self.written((self.done + share * self.cells[page.title]) / max(1, sum(self.cells.values())))

    def _write_charts(self) -> None:
        super()._write_charts()
        items = "".join(f'<si><t xml:space="preserve">{encode.text(text)}</t></si>' for text in self.strings.numbers)
        count = len(self.strings.numbers)
        with packing.begin(self._archive, _entry(_STRINGS), self.large) as part:
            part.write(f'<sst xmlns="{_MAIN}" count="{count}" uniqueCount="{count}">{items}</sst>'.encode())


class _Drawing(SpreadsheetDrawing):  # type: ignore[misc]
    """openpyxl's drawing, whose charts say to a screen reader what they are."""

    __elements__ = SpreadsheetDrawing.__elements__

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__()
        self.texts = texts

    def _chart_frame(self, idx: int) -> Any:
        frame = super()._chart_frame(idx)
        frame.nvGraphicFramePr.cNvPr.descr = self.texts[idx - 1]
        return frame


def _said(chart: Bars | Line) -> str:
    """What a chart is in words, with the cells that say the same in numbers."""
    if isinstance(chart, Bars):
        return f"Bar chart: {chart.title} The numbers stand in {chart.values.reference}."
    read = " and ".join(points.values.reference for points in chart.points)
    return f"Line chart of the numbers in {read}."


def _spinner(spinner: Spinner) -> vml.Spinner:
    at, (low, high) = spinner.block, spinner.item.bounds
    anchor = at.column, at.row, at.last_column, at.last_row
    return vml.Spinner(spinner.label, spinner.item.at.reference, spinner.value, low, high, anchor)


def _ignored(page: Page) -> str:
    """What keeps Excel from marking texts that read as numbers, as the classes of digits do."""
    marked: dict[int, list[int]] = {}
    for (row, column), text in page.texts():
        if _READS_AS_NUMBER.fullmatch(text):
            marked.setdefault(column, []).append(row)
    ranges = [
        Block(page.title, first, column, last - first + 1, 1).relative
        for column, rows_ in sorted(marked.items())
        for first, last in _runs(sorted(rows_))
    ]
    if not ranges:
        return ""
    return f'<ignoredErrors><ignoredError sqref="{" ".join(ranges)}" numberStoredAsText="1"/></ignoredErrors>'


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of neighbouring numbers.

    >>> list(_runs([2, 3, 4, 9]))
    [(2, 4), (9, 9)]
    """
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        yield members[0], members[-1]


class _Styles:
    """Style ids out of openpyxl's own tables."""

    def __init__(self, book: Workbook) -> None:
        self.scratch = Worksheet(book)
        self.ids: dict[Style, int] = {}
        self.known: dict[int, tuple[Style, int]] = {}
        """The same by the identity of a style, for which no field is hashed; the style itself keeps it from another."""

    def __getitem__(self, look: Style) -> int:
        known = self.known.get(id(look))
        if known is None:
            known = self.known[id(look)] = look, self._id(look)
        return known[1]

    def _id(self, look: Style) -> int:
        if look not in self.ids:
            cell = self.scratch.cell(1, len(self.ids) + 1)
            cell.font = Font(
                name=style.MONO if look.mono else style.FONT,
                sz=look.size,
                b=look.bold,
                i=look.italic,
                u="single" if look.underline else None,
                color=f"FF{look.color}",
            )
            if look.fill:
                cell.fill = PatternFill("solid", fgColor=f"FF{look.fill}")
            if look.line:
                cell.border = box(look.line, look.dashed)
            cell.number_format = look.format
            cell.alignment = Alignment(
                horizontal=look.horizontal,
                vertical=look.vertical,
                wrap_text=look.wrap,
                shrink_to_fit=look.shrink,
                indent=look.indent,
            )
            self.ids[look] = cell.style_id
        return self.ids[look]


class Formatted:
    """The cells of a conditional format, as openpyxl asks for them, without an object for each of their ranges.

    Rules for the same cells stand together: LibreOffice shows lines and a colour scale in one cell only then.
    """

    def __init__(self, blocks: Iterable[Block]) -> None:
        self.sqref = " ".join(block.relative for block in blocks)
        self.rules: list[Rule] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formatted) and self.sqref == other.sqref

    def __hash__(self) -> int:
        return hash(self.sqref)

    def to_tree(self) -> Element:
        tree = Element("conditionalFormatting", sqref=self.sqref)
        tree.extend(rule.to_tree() for rule in self.rules)
        return tree


def box(color: str, dashed: bool = False) -> Border:
    """A line of one colour on all sides."""
    side = Side("dashed" if dashed else "thin", color=f"FF{color}")
    return Border(left=side, right=side, top=side, bottom=side)
