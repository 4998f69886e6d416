"""The only writer of generated workbooks: pages in, an .xlsx file out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from openpyxl import Workbook
from openpyxl.formatting.rule import CellIsRule, ColorScale, ColorScaleRule, FormatObject, FormulaRule, Rule
from openpyxl.styles import Font, PatternFill
from openpyxl.styles.colors import Color
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.styles.numbers import NumberFormat
from openpyxl.worksheet.cell_range import MultiCellRange
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.dimensions import ColumnDimension
from openpyxl.worksheet.pagebreak import Break
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from conv_sheet import __version__
from conv_sheet.cells import style
from conv_sheet.cells.grid import column_letters
from conv_sheet.cells.page import Mark, Page, Validation
from conv_sheet.cells.style import Scale
from conv_sheet.files import atomic_write
from conv_sheet.xlsx import encode
from conv_sheet.xlsx.charts import bar_chart, line_chart
from conv_sheet.xlsx.parts import EPOCH, Formatted, box, save

LARGE = 500_000
"""Cells from which on a workbook is large."""
_WIDEST = 255.0
"""Characters of the widest column that there can be."""
_HATCHED_ID = 200
"""Number of a format in rules for looks; numbers below 164 are Excel's own."""
_MOST_TITLE, _MOST_ERROR, _MOST_PROMPT = 32, 225, 255
"""Characters of what a rule for cells says. The file format takes errors of 255, and Excel's own window 225."""


def write(
    title: str,
    pages: list[Page],
    path: Path,
    written: Callable[[float], None] = lambda _: None,
    large: int = LARGE,
) -> None:
    """Write pages as a workbook without macros, whole or not at all; `title` goes into the file's properties.

    `written` is called with the share of the cells that is, 0 to 1. With `large` cells or more, the sheets are packed
    more closely, which takes longer.
    """
    book = Workbook()
    book.remove(book.worksheets[0])
    book.properties.language = "en"
    book.properties.title = encode.plain(title)
    book.properties.creator = f"conv-sheet {__version__}"
    book.properties.created = book.properties.modified = EPOCH
    book.calculation.fullCalcOnLoad = True
    book.code_name = "ThisWorkbook"
    by_title = {page.title: page for page in pages}
    for page in pages:
        _sheet(book, page, [mark for other in pages for mark in other.marks if mark.blocks[0].sheet == page.title])
        for bars in page.bars:
            book[page.title].add_chart(bar_chart(by_title, bars), bars.anchor)
        for line in page.lines:
            book[page.title].add_chart(line_chart(by_title, line), line.anchor)
    with atomic_write(path) as temporary:
        save(book, by_title, temporary, written, large)


def _sheet(book: Workbook, page: Page, marks: Iterable[Mark]) -> None:
    """Everything of a sheet but its cells; `marks` are those of all pages for this one."""
    sheet = book.create_sheet(page.title)
    sheet.sheet_properties.codeName = f"Sheet{len(book.worksheets)}"  # the name of its module, where there are macros
    view = sheet.sheet_view
    view.showGridLines = False
    view.zoomScale = view.zoomScaleNormal = page.zoom
    sheet.freeze_panes = page.freeze
    if page.hidden:
        sheet.sheet_state = "hidden"
    if page.default_height:
        sheet.sheet_format.defaultRowHeight = page.default_height
        sheet.sheet_format.customHeight = True
    for first, last, width in _columns(page.widths):
        letters = column_letters(first)
        sheet.column_dimensions[letters] = ColumnDimension(sheet, letters, min(width, _WIDEST), min=first, max=last)
    sheet.merged_cells = MultiCellRange(" ".join(block.relative for block in page.merges))
    for mark in marks:  # before the scales: where both have a fill for a cell, the first rule wins
        rule = Rule(type="expression", formula=[mark.formula], dxf=_look(mark))
        sheet.conditional_formatting.add(Formatted(mark.blocks), rule)
    for blocks, scale in page.scales:
        if scale.dark is not None:
            light = CellIsRule("greaterThan", [str(scale.dark)], font=Font(color=f"FF{style.WHITE}"))
            sheet.conditional_formatting.add(Formatted(blocks), light)
        sheet.conditional_formatting.add(Formatted(blocks), _color_scale(scale))
    for verdict in page.verdicts:
        for truth, fill, color in (
            (verdict.formula, style.GOOD, style.GOOD_TEXT),
            (f"NOT({verdict.formula})", style.BAD, style.BAD_TEXT),
        ):
            rule = FormulaRule([truth], font=Font(color=f"FF{color}"), fill=PatternFill(bgColor=f"FF{fill}"))
            sheet.conditional_formatting.add(Formatted([verdict.block]), rule)
    for blocks, colours in page.palettes:
        for number, colour in enumerate(colours):
            fill = PatternFill(bgColor=f"FF{colour}")
            sheet.conditional_formatting.add(Formatted(blocks), CellIsRule("equal", [str(number)], fill=fill))
    for validation in page.validations:
        sheet.add_data_validation(_validation(validation))
    _printing(sheet, page)


def _columns(widths: Mapping[int, float]) -> Iterator[tuple[int, int, float]]:
    """First and last of neighbouring columns of one width, and the width.

    >>> list(_columns({1: 4.0, 2: 4.0, 4: 4.0, 3: 9.0}))
    [(1, 2, 4.0), (3, 3, 9.0), (4, 4, 4.0)]
    """
    alike = groupby(enumerate(sorted(widths)), key=lambda pair: (pair[1] - pair[0], widths[pair[1]]))
    for (_, width), run in alike:
        columns = [column for _, column in run]
        yield columns[0], columns[-1], width


def _look(mark: Mark) -> DifferentialStyle:
    fill = PatternFill(bgColor=f"FF{mark.fill}") if mark.fill else None
    if mark.hatch:
        fill = PatternFill("lightUp", fgColor=f"FF{mark.hatch}", bgColor=f"FF{mark.fill or style.WHITE}")
    return DifferentialStyle(
        font=Font(color=f"FF{mark.color}") if mark.color else None,
        numFmt=NumberFormat(_HATCHED_ID, style.HATCHED) if mark.hatch else None,
        fill=fill,
        border=box(mark.line) if mark.line else None,
    )


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
    rule.errorTitle = rule.promptTitle = encode.short(validation.title, _MOST_TITLE)
    rule.error, rule.prompt = encode.short(validation.error, _MOST_ERROR), encode.short(validation.hint, _MOST_PROMPT)
    rule.sqref = MultiCellRange(" ".join(block.relative for block in validation.blocks))
    return rule


def _printing(sheet: Worksheet, page: Page) -> None:
    sheet.page_setup.orientation = "portrait" if page.breaks else "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A3 if page.repeat_rows else sheet.PAPERSIZE_A4
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0 if page.breaks else 1
    for row in page.breaks:
        sheet.row_breaks.append(Break(id=row))
    sheet.print_options.horizontalCentered = True
    sheet.page_margins.left = sheet.page_margins.right = 0.4
    sheet.page_margins.top = sheet.page_margins.bottom = 0.5
    sheet.oddFooter.left.text, sheet.oddFooter.right.text = "conv-sheet", "&A"
    if page.prints:
        sheet.print_area = page.prints.relative
    if page.repeat_rows:
        sheet.print_title_rows = f"1:{page.repeat_rows}"
