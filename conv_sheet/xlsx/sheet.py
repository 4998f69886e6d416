"""What stands in a sheet's XML before and behind its rows.

Source: ECMA-376 part 1, 18.3.1.99, which also says in which order.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count, groupby

from conv_sheet.cells import style
from conv_sheet.cells.grid import Block, column_letters, corner
from conv_sheet.cells.page import Mark, Page, Validation
from conv_sheet.cells.style import Scale
from conv_sheet.xlsx import encode
from conv_sheet.xlsx.rows import STANDARD_HEIGHT
from conv_sheet.xlsx.styles import Styles

DRAWING, CONTROLS = "rId1", "rId2"
"""What a sheet calls its drawing, and the controls on it."""
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WIDEST = 255.0
"""Characters of the widest column that there can be."""
_MOST_TITLE, _MOST_ERROR, _MOST_PROMPT = 32, 225, 255
"""Characters of what a rule for cells says. The file format takes errors of 255, and Excel's own window 225."""
_A3, _A4 = 8, 9
"""Sizes of paper."""
_MARGINS = '<pageMargins left="0.4" right="0.4" top="0.5" bottom="0.5" header="0.5" footer="0.5"/>'
_FOOTER = "<headerFooter><oddFooter>&amp;Lconv-sheet&amp;R&amp;A</oddFooter></headerFooter>"
_READS_AS_NUMBER = re.compile(r"\s*[-+]?(?:\d[\d.,]*|[.,]\d+)(?:[eE][-+]?\d+)?\s*%?\s*")


def head(page: Page, number: int) -> str:
    """Everything up to the rows of the page with this number; its module, where there are macros, has it, too."""
    used = Block(page.title, 1, 1, *page.last).relative
    own = ' customHeight="1"' if page.default_height else ""
    widths = "".join(
        f'<col min="{first}" max="{last}" width="{min(width, _WIDEST):.15g}" customWidth="1"/>'
        for first, last, width in _columns(page.widths)
    )
    return (
        f'<worksheet xmlns="{_MAIN}" xmlns:r="{_RELATED}">'
        f'<sheetPr codeName="Sheet{number}"><pageSetUpPr fitToPage="1"/></sheetPr><dimension ref="{used}"/>'
        f'<sheetViews><sheetView showGridLines="0" zoomScale="{page.zoom}" zoomScaleNormal="{page.zoom}" '
        f'workbookViewId="0">{_frozen(page.freeze)}</sheetView></sheetViews>'
        f'<sheetFormatPr defaultRowHeight="{page.default_height or STANDARD_HEIGHT:g}"{own}/>'
        f"{_within('cols', widths)}<sheetData>"
    )


def tail(page: Page, marks: Iterable[Mark], styles: Styles, drawing: bool) -> str:
    """Everything behind the rows; `marks` are those of all pages for this one."""
    merges = [f'<mergeCell ref="{block.relative}"/>' for block in page.merges]
    rules = [_validation(validation) for validation in page.validations]
    links = [
        f'<hyperlink ref="{column_letters(column)}{row}" location="{encode.attribute(target)}"/>'
        for (row, column), target in page.links.items()
    ]
    parts = (
        "</sheetData>",
        _within("mergeCells", "".join(merges), len(merges)),
        _formats(page, marks, styles),
        _within("dataValidations", "".join(rules), len(rules)),
        _within("hyperlinks", "".join(links)),
        _printing(page),
        _ignored(page),
        f'<drawing r:id="{DRAWING}"/>' if drawing else "",
        f'<legacyDrawing r:id="{CONTROLS}"/>' if page.spinners else "",
        "</worksheet>",
    )
    return "".join(parts)


def _within(name: str, content: str, number: int | None = None) -> str:
    """The content as an element, which says how many it holds; nothing where there is none."""
    said = "" if number is None else f' count="{number}"'
    return f"<{name}{said}>{content}</{name}>" if content else ""


def _columns(widths: Mapping[int, float]) -> Iterator[tuple[int, int, float]]:
    """First and last of neighbouring columns of one width, and the width.

    >>> list(_columns({1: 4.0, 2: 4.0, 4: 4.0, 3: 9.0}))
    [(1, 2, 4.0), (3, 3, 9.0), (4, 4, 4.0)]
    """
    alike = groupby(enumerate(sorted(widths)), key=lambda pair: (pair[1] - pair[0], widths[pair[1]]))
    for (_, width), run in alike:
        columns = [column for _, column in run]
        yield columns[0], columns[-1], width


def _frozen(freeze: str | None) -> str:
    """Rows above a cell and columns before it that stay in sight."""
    if freeze is None:
        return ""
    row, column = corner(freeze)
    across, down = f' xSplit="{column - 1}"' * (column > 1), f' ySplit="{row - 1}"' * (row > 1)
    names = [name for name, there in (("topRight", across), ("bottomLeft", down)) if there]
    if across and down:
        names.append("bottomRight")
    panes = "".join(f'<selection pane="{name}"/>' for name in names)
    return f'<pane{across}{down} topLeftCell="{freeze}" activePane="{names[-1]}" state="frozen"/>{panes}'


# -- conditional formats -----------------------------------------------------------------------------------------------


def _formats(page: Page, marks: Iterable[Mark], styles: Styles) -> str:
    """Rules that colour cells; of two for one cell the first wins, so that marks come before scales.

    Rules for the same cells stand together: LibreOffice shows lines and a colour scale in one cell only then.
    """
    rules: dict[str, list[str]] = {}
    priorities = count(1)

    def add(blocks: Sequence[Block], kind: str, content: str) -> None:
        cells = " ".join(block.relative for block in blocks)
        rules.setdefault(cells, []).append(f'<cfRule {kind} priority="{next(priorities)}">{content}</cfRule>')

    def where(blocks: Sequence[Block], kind: str, formula: str, look: int) -> None:
        add(blocks, f'{kind} dxfId="{look}"', f"<formula>{encode.text(formula)}</formula>")

    for mark in marks:
        look = styles.change(mark.color, mark.fill, mark.line, mark.hatch)
        where(mark.blocks, 'type="expression"', mark.formula, look)
    for blocks, scale in page.scales:
        if scale.dark is not None:
            light = styles.change(style.WHITE)
            where(blocks, 'type="cellIs" operator="greaterThan"', str(scale.dark), light)
        add(blocks, 'type="colorScale"', _color_scale(scale))
    for verdict in page.verdicts:
        right, wrong = styles.change(style.GOOD_TEXT, style.GOOD), styles.change(style.BAD_TEXT, style.BAD)
        where([verdict.block], 'type="expression"', verdict.formula, right)
        where([verdict.block], 'type="expression"', f"NOT({verdict.formula})", wrong)
    for blocks, colours in page.palettes:
        for number, colour in enumerate(colours):
            where(blocks, 'type="cellIs" operator="equal"', str(number), styles.change(fill=colour))
    return "".join(
        f'<conditionalFormatting sqref="{cells}">{"".join(found)}</conditionalFormatting>'
        for cells, found in rules.items()
    )


def _color_scale(scale: Scale) -> str:
    zero: tuple[str, str | None, str] = ("num", "0", style.WHITE)
    if scale.low is not None:
        points = [("formula", f"-{scale.top}", scale.low), zero, ("formula", f"{scale.top}", scale.high)]
    elif scale.top is None:
        points = [zero, ("max", None, scale.high)]
    else:
        points = [zero, ("num", encode.number(float(scale.top)), scale.high)]
    ends = "".join(
        f'<cfvo type="{kind}"/>' if value is None else f'<cfvo type="{kind}" val="{encode.attribute(value)}"/>'
        for kind, value, _ in points
    )
    colors = "".join(f'<color rgb="FF{color}"/>' for *_, color in points)
    return f"<colorScale>{ends}{colors}</colorScale>"


# -- what may be typed -------------------------------------------------------------------------------------------------


def _validation(validation: Validation) -> str:
    if validation.choices is not None:
        kind, bounds = 'type="list"', [validation.choices]
    else:
        kind = f'type="{"whole" if validation.whole else "decimal"}" operator="between"'
        bounds = [f"{bound:g}" for bound in (validation.low, validation.high)]
    said = {
        "errorTitle": encode.short(validation.title, _MOST_TITLE),
        "error": encode.short(validation.error, _MOST_ERROR),
        "promptTitle": encode.short(validation.title, _MOST_TITLE),
        "prompt": encode.short(validation.hint, _MOST_PROMPT),
        "sqref": " ".join(block.relative for block in validation.blocks),
    }
    attributes = "".join(f' {name}="{encode.attribute(value)}"' for name, value in said.items())
    formulas = "".join(
        f"<formula{number}>{encode.text(bound)}</formula{number}>" for number, bound in enumerate(bounds, start=1)
    )
    shown = 'showInputMessage="1" showErrorMessage="1"'
    return f"<dataValidation {kind} {shown}{attributes}>{formulas}</dataValidation>"


# -- paper, and what Excel marks ---------------------------------------------------------------------------------------


def _printing(page: Page) -> str:
    orientation, high = ("portrait", 0) if page.breaks else ("landscape", 1)
    paper = _A3 if page.repeat_rows else _A4
    breaks = "".join(f'<brk id="{row}" max="16383" man="1"/>' for row in page.breaks)
    many = len(page.breaks)
    return (
        f'<printOptions horizontalCentered="1"/>{_MARGINS}'
        f'<pageSetup paperSize="{paper}" fitToWidth="1" fitToHeight="{high}" orientation="{orientation}"/>{_FOOTER}'
        + (f'<rowBreaks count="{many}" manualBreakCount="{many}">{breaks}</rowBreaks>' if breaks else "")
    )


def _ignored(page: Page) -> str:
    """What keeps Excel from marking texts that read as numbers, as the classes of digits do."""
    marked: dict[int, list[int]] = {}
    for (row, column), text in page.texts():
        if _READS_AS_NUMBER.fullmatch(text):
            marked.setdefault(column, []).append(row)
    ranges = [
        Block(page.title, first, column, last - first + 1, 1).relative
        for column, rows in sorted(marked.items())
        for first, last in _runs(sorted(rows))
    ]
    error = f'<ignoredError sqref="{" ".join(ranges)}" numberStoredAsText="1"/>' if ranges else ""
    return _within("ignoredErrors", error)


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of neighbouring numbers.

    >>> list(_runs([2, 3, 4, 9]))
    [(2, 4), (9, 9)]
    """
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        yield members[0], members[-1]
