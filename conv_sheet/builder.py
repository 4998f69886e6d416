"""The only writer of generated workbooks: pages in, an .xlsx file out.

openpyxl writes everything but the cells. The cells are streamed here, because openpyxl has no way to store the value
of a formula, and because it is several times faster without an object for every cell.
"""

import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference, ScatterChart, Series
from openpyxl.chart.label import DataLabelList
from openpyxl.chart.marker import Marker
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.formatting.rule import CellIsRule, ColorScale, ColorScaleRule, FormatObject, FormulaRule, Rule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.styles.colors import Color
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet._writer import WorksheetWriter
from openpyxl.worksheet.cell_range import MultiCellRange
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from conv_sheet import __version__
from conv_sheet.cells import style
from conv_sheet.cells.grid import Block, column_letters
from conv_sheet.cells.page import Bars, Cell, Line, Mark, Page, Validation
from conv_sheet.cells.style import Scale, Style
from conv_sheet.files import atomic_write
from conv_sheet.sheets import buttons, conf
from conv_sheet.state import Contents
from conv_sheet.xlsx.macros import Button, Macro, add_macros

_EPOCH = datetime(2020, 1, 1)
"""Creation date of every workbook, so that the same contents give the same bytes."""

_STRINGS = "xl/sharedStrings.xml"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_FONT_ORDER = ("b", "i", "strike", "condense", "extend", "outline", "shadow", "u", "vertAlign", "sz", "color", "name",
               "family", "charset", "scheme")  # fmt: skip


def build(contents: Contents, path: Path) -> None:
    """Write a workbook of these contents, whole or not at all; with macros and buttons if `path` ends in .xlsm.

    Raises WorkbookError where the network does not fit a sheet or the file cannot be written.
    """
    if path.suffix.lower() != ".xlsm":
        write(contents.lesson.title, contents.pages(), path)
        return
    pages = [*contents.pages(), conf.page()]
    pushes = [Button(p.title, b.macro, b.caption, _anchor(b.block)) for p in pages for b in p.buttons]
    functions = buttons.functions(contents.lesson)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "plain.xlsx")
        write(contents.lesson.title, pages, plain)
        add_macros(plain, path, pushes, [Macro(name, function) for name, function in functions.items()])


def _anchor(block: Block) -> tuple[int, int, int, int]:
    return block.column, block.row, block.last_column, block.last_row


def write(title: str, pages: list[Page], path: Path) -> None:
    """Write pages as a workbook without macros, whole or not at all; `title` goes into the file's properties."""
    book = Workbook()
    book.remove(book.worksheets[0])
    book.properties.title = title
    book.properties.creator = f"conv-sheet {__version__}"
    book.properties.created = book.properties.modified = _EPOCH
    book.calculation.fullCalcOnLoad = True
    for page in pages:
        _sheet(book, page, [mark for other in pages for mark in other.marks if mark.blocks[0].sheet == page.title])
    with atomic_write(path) as temporary, _Archive(temporary) as archive:
        _Writer(book, archive, {page.title: page for page in pages}).write_data()


class _Archive(zipfile.ZipFile):
    """A zip file in which nothing depends on the clock, and in which three of openpyxl's parts are put right.

    The children of a font get the order that the schema wants, and the shared strings, which openpyxl does not write,
    are declared.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w", zipfile.ZIP_DEFLATED)

    def writestr(self, name: Any, data: Any) -> None:  # type: ignore[override]
        text = data.decode() if isinstance(data, bytes) else data
        if name == "xl/styles.xml":
            text = re.sub(r"<font>(.*?)</font>", _sorted_font, text)
        elif name == "xl/_rels/workbook.xml.rels":
            kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
            link = f'<Relationship Id="rIdStrings" Type="{kind}" Target="/{_STRINGS}"/>'
            text = text.replace("</Relationships>", f"{link}</Relationships>")
        elif name == "[Content_Types].xml":
            kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
            text = text.replace("</Types>", f'<Override PartName="/{_STRINGS}" ContentType="{kind}"/></Types>')
        super().writestr(_entry(name), text)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_EPOCH.timetuple()[:6])
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

    def __init__(self, book: Workbook, archive: _Archive, pages: dict[str, Page]) -> None:
        super().__init__(book, archive)
        self.pages = pages
        self.strings: dict[str, int] = {}
        self.styles = _Styles(book)

    def write_worksheet(self, sheet: Worksheet) -> None:
        page = self.pages[sheet.title]
        sheet._drawing = SpreadsheetDrawing()
        sheet._drawing.charts, sheet._drawing.images = sheet._charts, sheet._images
        rows = list(_rows(page, self.styles, self.strings))
        writer = WorksheetWriter(sheet)
        sheet._hyperlinks = [
            Hyperlink(ref=f"{column_letters(column)}{row}", location=target)
            for (row, column), target in page.links.items()
        ]
        writer.write()
        sheet._rels = writer._rels
        xml = Path(writer.out).read_text(encoding="utf-8")
        writer.cleanup()
        last = Block(page.title, 1, 1, max(r for r, _ in page.cells), max(c for _, c in page.cells))
        xml = re.sub(r'<dimension ref="[^"]*"', f'<dimension ref="{last.relative}"', xml, count=1)
        head, tail = re.split(r"<sheetData\s*/>|<sheetData>.*?</sheetData>", xml, maxsplit=1, flags=re.DOTALL)
        with self._archive.open(_entry(sheet.path[1:]), "w") as part:
            part.write(f"{head}<sheetData>".encode())
            for row in rows:
                part.write(row.encode())
            part.write(f"</sheetData>{tail}".encode())
        self.manifest.append(sheet)

    def _write_charts(self) -> None:
        super()._write_charts()
        items = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in self.strings)
        count = len(self.strings)
        self._archive.writestr(_STRINGS, f'<sst xmlns="{_MAIN}" count="{count}" uniqueCount="{count}">{items}</sst>')


class _Styles:
    """Style ids out of openpyxl's own tables."""

    def __init__(self, book: Workbook) -> None:
        self.scratch = Worksheet(book)
        self.ids: dict[Style, int] = {}

    def __getitem__(self, look: Style) -> int:
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
                cell.border = _box(look.line)
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


def _box(color: str) -> Border:
    side = Side("thin", color=f"FF{color}")
    return Border(left=side, right=side, top=side, bottom=side)


def _rows(page: Page, styles: _Styles, strings: dict[str, int]) -> Iterator[str]:
    """The `<row>` elements of a sheet, in order."""
    by_row: dict[int, list[tuple[int, Cell]]] = {row: [] for row in page.heights}
    for (row, column), cell in page.cells.items():
        by_row.setdefault(row, []).append((column, cell))
    for row in sorted(by_row):
        height = page.heights.get(row)
        size = f' ht="{height:g}" customHeight="1"' if height else ""
        cells = "".join(
            _cell(f"{column_letters(column)}{row}", cell, styles[cell.style], strings)
            for column, cell in sorted(by_row[row], key=lambda pair: pair[0])
        )
        yield f'<row r="{row}"{size}>{cells}</row>'


def _cell(address: str, cell: Cell, style_id: int, strings: dict[str, int]) -> str:
    value, formula = cell.value, cell.formula
    start = f'<c r="{address}" s="{style_id}"'
    if formula is None:
        if value is None:
            return f"{start}/>"
        if isinstance(value, str):
            return f'{start} t="s"><v>{strings.setdefault(value, len(strings))}</v></c>'
        return f"{start}><v>{_number(value)}</v></c>"
    if isinstance(value, str):
        return f'{start} t="str"><f>{escape(formula)}</f><v>{escape(value)}</v></c>'
    return f"{start}><f>{escape(formula)}</f><v>{_number(value or 0.0)}</v></c>"


@lru_cache(maxsize=4096)
def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _sheet(book: Workbook, page: Page, marks: Iterable[Mark]) -> None:
    """Everything of a sheet but its cells; `marks` are those of all pages for this one."""
    sheet = book.create_sheet(page.title)
    view = sheet.sheet_view
    view.showGridLines = False
    view.zoomScale = view.zoomScaleNormal = page.zoom
    sheet.freeze_panes = page.freeze
    if page.hidden:
        sheet.sheet_state = "hidden"
    if page.default_height:
        sheet.sheet_format.defaultRowHeight = page.default_height
        sheet.sheet_format.customHeight = True
    for column, width in page.widths.items():
        sheet.column_dimensions[column_letters(column)].width = width
    for block in page.merges:
        sheet.merge_cells(block.relative)
    for mark in marks:  # before the scales: where both have a fill for a cell, the first rule wins
        fill = PatternFill(bgColor=f"FF{mark.fill}") if mark.fill else None
        font = Font(color=f"FF{mark.color}") if mark.color else None
        rule = FormulaRule([mark.formula], font=font, fill=fill, border=_box(mark.line) if mark.line else None)
        sheet.conditional_formatting.add(_sqref(mark.blocks), rule)
    for blocks, scale in page.scales:
        sheet.conditional_formatting.add(_sqref(blocks), _color_scale(scale))
    for verdict in page.verdicts:
        for truth, fill, color in (
            (verdict.formula, style.GOOD, style.GOOD_TEXT),
            (f"NOT({verdict.formula})", style.BAD, style.BAD_TEXT),
        ):
            rule = FormulaRule([truth], font=Font(color=f"FF{color}"), fill=PatternFill(bgColor=f"FF{fill}"))
            sheet.conditional_formatting.add(verdict.block.relative, rule)
    for blocks, colours in page.palettes:
        for number, colour in enumerate(colours):
            fill = PatternFill(bgColor=f"FF{colour}")
            sheet.conditional_formatting.add(_sqref(blocks), CellIsRule("equal", [str(number)], fill=fill))
    for validation in page.validations:
        sheet.add_data_validation(_validation(validation))
    for number, bars in enumerate(page.bars):
        sheet.add_chart(_chart(book, bars, number), bars.anchor)
    for line in page.lines:
        sheet.add_chart(_line(sheet, line), line.anchor)
    for name, block in page.names.items():
        book.defined_names[name] = DefinedName(name, attr_text=block.reference)
    _printing(sheet, page)


def _sqref(blocks: Iterable[Block]) -> str:
    return " ".join(block.relative for block in blocks)


def _color_scale(scale: Scale) -> Rule:
    zero, white = FormatObject("num", val=0), f"FF{style.WHITE}"
    if scale.low is not None:
        bounds = [FormatObject("formula", val=f"-{scale.top}"), zero, FormatObject("formula", val=f"{scale.top}")]
        colors = [f"FF{scale.low}", white, f"FF{scale.high}"]
        return Rule(type="colorScale", colorScale=ColorScale(cfvo=bounds, color=[Color(c) for c in colors]))
    if scale.top is None:
        return ColorScaleRule(
            start_type="num", start_value=0, start_color=white, end_type="max", end_color=f"FF{scale.high}"
        )
    return ColorScaleRule(
        start_type="num",
        start_value=0,
        start_color=white,
        end_type="num",
        end_value=scale.top,
        end_color=f"FF{scale.high}",
    )


def _validation(validation: Validation) -> DataValidation:
    if validation.choices is not None:
        rule = DataValidation("list", formula1=validation.choices, allow_blank=False)
    else:
        low, high = (f"{bound:g}" for bound in (validation.low, validation.high))
        kind = "whole" if validation.whole else "decimal"
        rule = DataValidation(kind, operator="between", formula1=low, formula2=high, allow_blank=False)
    rule.showErrorMessage = rule.showInputMessage = True
    rule.errorTitle = rule.promptTitle = validation.title[:32]
    rule.error, rule.prompt = validation.error[:225], validation.hint[:255]
    rule.sqref = MultiCellRange(_sqref(validation.blocks))
    return rule


def _chart(book: Workbook, bars: Bars, number: int) -> BarChart:
    sheet = book[bars.values.sheet]
    chart = BarChart()
    chart.type, chart.style, chart.gapWidth = "bar", 10, 30
    chart.title, chart.legend = bars.title, None
    chart.width, chart.height = bars.width, bars.height
    chart.add_data(_reference(sheet, bars.values))
    chart.set_categories(_reference(sheet, bars.labels))
    if bars.shares:
        chart.y_axis.scaling.min, chart.y_axis.scaling.max = 0, 1.12  # room for the label of a full bar
    chart.x_axis.scaling.orientation = "maxMin"
    chart.x_axis.delete, chart.y_axis.delete = False, True
    chart.y_axis.majorGridlines = None
    chart.series[0].graphicalProperties = GraphicalProperties(solidFill=style.GREEN)
    chart.dataLabels = DataLabelList()
    chart.dataLabels.showVal = True
    chart.dataLabels.numFmt = "0%" if bars.shares else "0.0"
    for other in ("showSerName", "showCatName", "showLegendKey", "showPercent"):
        setattr(chart.dataLabels, other, False)
    return chart


def _line(sheet: Worksheet, line: Line) -> ScatterChart:
    chart = ScatterChart(scatterStyle="lineMarker", style=10)
    chart.width, chart.height, chart.legend = line.width, line.height, None
    chart.display_blanks = "gap"
    series = Series(_reference(sheet, line.values), _reference(sheet, line.numbers))
    series.graphicalProperties = GraphicalProperties(ln=LineProperties(solidFill=style.RED, w=22_000))
    series.marker, series.smooth = Marker("circle", size=4), False
    series.marker.graphicalProperties = GraphicalProperties(solidFill=style.RED, ln=LineProperties(noFill=True))
    chart.series.append(series)
    chart.x_axis.delete = chart.y_axis.delete = False
    chart.x_axis.scaling.min = chart.y_axis.scaling.min = 0
    chart.x_axis.number_format, chart.x_axis.majorGridlines = "0", None
    chart.y_axis.majorGridlines.spPr = GraphicalProperties(ln=LineProperties(solidFill=style.PAD))
    return chart


def _reference(sheet: Worksheet, block: Block) -> Reference:
    return Reference(sheet, min_col=block.column, min_row=block.row, max_col=block.last_column, max_row=block.last_row)


def _printing(sheet: Worksheet, page: Page) -> None:
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A3 if page.repeat_rows else sheet.PAPERSIZE_A4
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 1
    sheet.print_options.horizontalCentered = True
    sheet.page_margins.left = sheet.page_margins.right = 0.4
    sheet.page_margins.top = sheet.page_margins.bottom = 0.5
    sheet.oddFooter.left.text, sheet.oddFooter.right.text = "conv-sheet", "&A"
    if page.prints:
        sheet.print_area = page.prints.relative
    if page.repeat_rows:
        sheet.print_title_rows = f"1:{page.repeat_rows}"
