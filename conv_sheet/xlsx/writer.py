"""The only writer of generated workbooks: pages in, an .xlsx file out.

Rows are streamed from blocks, so that a sheet never is in memory as a whole.
Source: ECMA-376 part 1, 12 and 18.2; part 2 for what holds the parts together.
"""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from conv_sheet import __version__
from conv_sheet.cells.grid import quote
from conv_sheet.cells.page import Page
from conv_sheet.files import atomic_write
from conv_sheet.xlsx import charts, encode, packing, sheet, vml
from conv_sheet.xlsx.package import relationships_part
from conv_sheet.xlsx.rows import Strings, cells, rows
from conv_sheet.xlsx.styles import Styles
from conv_sheet.xlsx.theme import theme

LARGE = 1_000_000
"""Cells from which on a workbook is large."""
_EPOCH = (2020, 1, 1, 0, 0, 0)
"""Creation date of every workbook, so that the same state gives the same bytes."""
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "application/vnd.openxmlformats-officedocument"
_CALCULATION = 124_519
"""Version of the program that calculated last: an old one, so that Excel calculates anew."""


class _Part(NamedTuple):
    """A part of the file: its name, and what type its content has; without one, that of its suffix."""

    name: str
    type: str = ""


class _Link(NamedTuple):
    """What a part calls another one, the kind of their relationship, and the other."""

    id: str
    kind: str
    target: str


_CORE = _Part("docProps/core.xml", "application/vnd.openxmlformats-package.core-properties+xml")
_APP = _Part("docProps/app.xml", f"{_OFFICE}.extended-properties+xml")
_BOOK = _Part("xl/workbook.xml", f"{_OFFICE}.spreadsheetml.sheet.main+xml")
_STYLES = _Part("xl/styles.xml", f"{_OFFICE}.spreadsheetml.styles+xml")
_THEME = _Part("xl/theme/theme1.xml", f"{_OFFICE}.theme+xml")
_STRINGS = _Part("xl/sharedStrings.xml", f"{_OFFICE}.spreadsheetml.sharedStrings+xml")


def write(
    title: str,
    pages: list[Page],
    path: Path,
    written: Callable[[float], None] = lambda _: None,
    large: int = LARGE,
) -> None:
    """Write pages as a workbook without macros, whole or not at all; `title` goes into the file's properties.

    `written` is called with the share of the cells that is, 0 to 1. With `large` cells or more, the file is packed
    more closely, which takes longer.
    """
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        _Writer(archive, pages, written, large).write(title)


class _Writer:
    """The parts of a workbook, put into a zip file in which nothing depends on the clock."""

    def __init__(
        self, archive: zipfile.ZipFile, pages: Sequence[Page], written: Callable[[float], None], large: int
    ) -> None:
        self.archive = archive
        self.pages = pages
        self.by_title = {page.title: page for page in pages}
        self.written = written
        self.sizes = [cells(page) for page in pages]
        self.closely = sum(self.sizes) >= large
        self.parts: list[_Part] = []
        self.charts = 0
        self.strings = Strings()
        self.styles = Styles()

    def write(self, title: str) -> None:
        sheets = [self._sheet(page, number) for number, page in enumerate(self.pages, start=1)]
        links = [_Link(f"rId{number}", "worksheet", part.name) for number, part in enumerate(sheets, start=1)]
        self._put(_STYLES, self.styles.xml())
        self._put(_STRINGS, _strings(self.strings), closely=self.closely)
        self._put(_THEME, theme())
        others = {"styles": _STYLES, "theme": _THEME, "sharedStrings": _STRINGS}
        links += [_Link(kind, kind, part.name) for kind, part in others.items()]
        self._put(_BOOK, _workbook(self.pages), links)
        self._put(_CORE, _core(title))
        self._put(_APP, _app())
        self._relate(
            "",
            [
                _Link("rId1", "officeDocument", _BOOK.name),
                _Link("rId2", "metadata/core-properties", _CORE.name),
                _Link("rId3", "extended-properties", _APP.name),
            ],
        )
        self._add("[Content_Types].xml", _content_types(self.parts))

    def _sheet(self, page: Page, number: int) -> _Part:
        """A sheet and what stands on it."""
        part = _Part(f"xl/worksheets/sheet{number}.xml", f"{_OFFICE}.spreadsheetml.worksheet+xml")
        links = [*self._drawing(page, number), *self._controls(page, number)]
        marks = [mark for other in self.pages for mark in other.marks if mark.blocks[0].sheet == page.title]
        before, height = sum(self.sizes[: number - 1]), page.last[0]
        with packing.begin(self.archive, _entry(part.name), self.closely) as stream:
            stream.write(f"{_XML}{sheet.head(page, number)}".encode())
            for row, xml in enumerate(rows(page, self.styles.number, self.strings)):
                stream.write(xml.encode())
                self._say(before + row / height * self.sizes[number - 1])
            stream.write(sheet.tail(page, marks, self.styles, bool(page.bars or page.lines)).encode())
        self._say(before + self.sizes[number - 1])
        self.parts.append(part)
        self._relate(part.name, links)
        return part

    def _say(self, done: float) -> None:
        """Tell how much is written; the rows of a page count as equal."""
        self.written(done / max(1, sum(self.sizes)))

    def _drawing(self, page: Page, number: int) -> list[_Link]:
        made = [charts.bar_chart(self.by_title, bars) for bars in page.bars]
        made += [charts.line_chart(self.by_title, line) for line in page.lines]
        links = []
        for own, xml in enumerate(made, start=1):
            self.charts += 1
            part = _Part(f"xl/charts/chart{self.charts}.xml", f"{_OFFICE}.drawingml.chart+xml")
            self._put(part, xml)
            links.append(_Link(f"rId{own}", "chart", part.name))
        if not made:
            return []
        part = _Part(f"xl/drawings/drawing{number}.xml", f"{_OFFICE}.drawing+xml")
        self._put(part, charts.drawing(page), links)
        return [_Link(sheet.DRAWING, "drawing", part.name)]

    def _controls(self, page: Page, number: int) -> list[_Link]:
        if not page.spinners:
            return []
        part = _Part(f"xl/drawings/controls{number}.vml")
        drawn = vml.shapes([vml.spinner(one) for one in page.spinners])
        self.parts.append(part)
        self._add(part.name, vml.with_shapes(vml.EMPTY, drawn))
        return [_Link(sheet.CONTROLS, "vmlDrawing", part.name)]

    def _put(self, part: _Part, xml: str, links: Sequence[_Link] = (), closely: bool = False) -> None:
        self.parts.append(part)
        with packing.begin(self.archive, _entry(part.name), closely) as stream:
            stream.write(f"{_XML}{xml}".encode())
        self._relate(part.name, links)

    def _relate(self, name: str, links: Sequence[_Link]) -> None:
        if links:
            self._add(relationships_part(name), _relationships(links))

    def _add(self, name: str, content: bytes) -> None:
        self.archive.writestr(_entry(name), content)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _workbook(pages: Sequence[Page]) -> str:
    hidden = ' state="hidden"'
    sheets = "".join(
        f'<sheet name="{encode.attribute(page.title)}" sheetId="{number}"{hidden * page.hidden} r:id="rId{number}"/>'
        for number, page in enumerate(pages, start=1)
    )
    names = {name: block.reference for page in pages for name, block in page.names.items()}
    defined = [f'<definedName name="{name}">{encode.text(at)}</definedName>' for name, at in names.items()]
    for number, page in enumerate(pages):
        defined += [
            f'<definedName name="_xlnm.{name}" localSheetId="{number}">{encode.text(at)}</definedName>'
            for name, at in _printed(page).items()
        ]
    return (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATED}"><workbookPr codeName="ThisWorkbook"/>'
        f"<bookViews><workbookView/></bookViews><sheets>{sheets}</sheets>"
        f"<definedNames>{''.join(defined)}</definedNames>"
        f'<calcPr calcId="{_CALCULATION}" fullCalcOnLoad="1"/></workbook>'
    )


def _printed(page: Page) -> Mapping[str, str]:
    """What of a page is printed, and which rows on every sheet of paper, as Excel's own names."""
    area = {"Print_Area": page.prints.reference} if page.prints else {}
    titles = {"Print_Titles": f"{quote(page.title)}!$1:${page.repeat_rows}"} if page.repeat_rows else {}
    return area | titles


def _strings(strings: Strings) -> str:
    items = "".join(f'<si><t xml:space="preserve">{encode.text(text)}</t></si>' for text in strings.numbers)
    count = len(strings.numbers)
    return f'<sst xmlns="{_MAIN}" count="{count}" uniqueCount="{count}">{items}</sst>'


def _core(title: str) -> str:
    day = f'xsi:type="dcterms:W3CDTF">{"{}-{:02}-{:02}T{:02}:{:02}:{:02}Z".format(*_EPOCH)}'
    return (
        f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:creator>conv-sheet {__version__}</dc:creator><dc:title>{encode.markup(encode.plain(title))}</dc:title>"
        f"<dc:language>en</dc:language><dcterms:created {day}</dcterms:created>"
        f"<dcterms:modified {day}</dcterms:modified></cp:coreProperties>"
    )


def _app() -> str:
    """The program; LibreOffice keeps stored values of files that name Microsoft's, and calculates others anew."""
    name = f"Microsoft Excel Compatible / conv-sheet {__version__}"
    namespace = "http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"
    return f'<Properties xmlns="{namespace}"><Application>{name}</Application></Properties>'


def _relationships(links: Sequence[_Link]) -> bytes:
    lines = "".join(
        f'<Relationship Id="{link.id}" Type="{_kind(link.kind)}" Target="/{link.target}"/>' for link in links
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{lines}</Relationships>'.encode()


def _kind(kind: str) -> str:
    """The type of a relationship in full."""
    return f"{_PACKAGE}/relationships/{kind}" if kind.startswith("metadata") else f"{_RELATED}/{kind}"


def _content_types(parts: Sequence[_Part]) -> bytes:
    defaults = {
        "rels": "application/vnd.openxmlformats-package.relationships+xml",
        "xml": "application/xml",
        "vml": f"{_OFFICE}.vmlDrawing",
    }
    types = [f'<Default Extension="{suffix}" ContentType="{kind}"/>' for suffix, kind in defaults.items()]
    types += [f'<Override PartName="/{part.name}" ContentType="{part.type}"/>' for part in parts if part.type]
    return f'{_XML}<Types xmlns="{_PACKAGE}/content-types">{"".join(types)}</Types>'.encode()
