"""The charts of a page, and the drawing that they stand on.

Each carries the values that it draws, as numbers or as texts: a program that does not calculate draws nothing else, and
Excel shows texts only where the file says that they are texts. Source: ECMA-376 part 1, 20.5 and 21.2.
"""

import math
from collections.abc import Mapping, Sequence

from conv_sheet.cells import style
from conv_sheet.cells.drawn import Bars, Line, Points
from conv_sheet.cells.grid import Block, corner
from conv_sheet.cells.page import Page, Value
from conv_sheet.xlsx import encode

Pages = Mapping[str, Page]
"""The pages of a workbook by title."""

_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"
_RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_OF_A_CENTIMETRE = 360_000
"""Lengths are whole numbers of English Metric Units, of which a centimetre has so many."""
_LINE_WIDTH = 22_000
"""The same of a line."""
_NO_LINE = "<a:ln><a:noFill/></a:ln>"
_NO_TICKS = '<majorTickMark val="none"/><minorTickMark val="none"/>'
_LABELS_LOW = '<tickLblPos val="low"/>'
"""Not along axes that cross in the middle, nor over bars below zero."""


def drawing(page: Page) -> str:
    """The drawing of a page: its charts, bars first, each with what it is in words for a screen reader.

    Its elements have the prefix that Excel gives them: some readers know no other.
    """
    drawn: list[Bars | Line] = [*page.bars, *page.lines]
    frames = "".join(_frame(number, chart) for number, chart in enumerate(drawn, start=1))
    names = f'xmlns:xdr="{_DRAWING}/spreadsheetDrawing" xmlns:a="{_DRAWING}/main" xmlns:r="{_RELATED}"'
    return f"<xdr:wsDr {names}>{frames}</xdr:wsDr>"


def _frame(number: int, chart: Bars | Line) -> str:
    row, column = corner(chart.anchor)
    width, height = (int(length * _OF_A_CENTIMETRE) for length in (chart.width, chart.height))
    place = f"<xdr:col>{column - 1}</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>{row - 1}</xdr:row>"
    name = f'id="{number}" name="Chart {number}" descr="{encode.attribute(_said(chart))}"'
    return (
        f"<xdr:oneCellAnchor><xdr:from>{place}<xdr:rowOff>0</xdr:rowOff></xdr:from>"
        f'<xdr:ext cx="{width}" cy="{height}"/><xdr:graphicFrame>'
        f"<xdr:nvGraphicFramePr><xdr:cNvPr {name}/><xdr:cNvGraphicFramePr/></xdr:nvGraphicFramePr><xdr:xfrm/>"
        f'<a:graphic><a:graphicData uri="{_DRAWING}/chart">'
        f'<c:chart xmlns:c="{_DRAWING}/chart" r:id="rId{number}"/></a:graphicData></a:graphic>'
        "</xdr:graphicFrame><xdr:clientData/></xdr:oneCellAnchor>"
    )


def _said(chart: Bars | Line) -> str:
    """What a chart is in words, with the cells that say the same in numbers."""
    if isinstance(chart, Bars):
        return f"Bar chart: {chart.title} The numbers stand in {chart.values.reference}."
    read = " and ".join(points.values.reference for points in chart.points)
    return f"Line chart of the numbers in {read}."


def bar_chart(pages: Pages, bars: Bars) -> str:
    """Bars of values over their labels."""
    most = '<max val="1.12"/><min val="0"/>' if bars.shares else ""  # room for the label of a full bar
    shown = "".join(
        f'<{name} val="{int(name == "showVal")}"/>'
        for name in ("showLegendKey", "showVal", "showCatName", "showSerName", "showPercent", "showBubbleSize")
    )
    labels = f'<dLbls><numFmt formatCode="{"0%" if bars.shares else "0.0"}"/>{shown}</dLbls>'
    series = (
        f'<ser><idx val="0"/><order val="0"/><spPr>{_filled(style.GREEN)}</spPr>'
        f"<cat>{_texts_or_numbers(pages, bars.labels)}</cat><val>{_numbers(pages, bars.values)}</val></ser>"
    )
    return _chart(
        f'{_title(bars.title)}<autoTitleDeleted val="0"/><plotArea>'
        f'<barChart><barDir val="bar"/><grouping val="clustered"/>{series}{labels}<gapWidth val="30"/>'
        '<axId val="10"/><axId val="100"/></barChart>'
        '<catAx><axId val="10"/><scaling><orientation val="maxMin"/></scaling><delete val="0"/><axPos val="l"/>'
        f'{_NO_TICKS}{_LABELS_LOW}<crossAx val="100"/><lblOffset val="100"/></catAx>'
        f'<valAx><axId val="100"/><scaling><orientation val="minMax"/>{most}</scaling><delete val="1"/>'
        f'<axPos val="l"/>{_NO_TICKS}<crossAx val="10"/></valAx></plotArea>'
    )


def line_chart(pages: Pages, line: Line) -> str:
    """Points joined by lines."""
    series = "".join(_points(pages, points, number) for number, points in enumerate(line.points))
    grid = f"<majorGridlines><spPr><a:ln>{_filled(style.PAD)}</a:ln></spPr></majorGridlines>"
    if line.decades:
        low, high = (f"{10.0**power:g}" for power in line.decades)
        across = f'<logBase val="10"/><orientation val="minMax"/><max val="{high}"/><min val="{low}"/>'
    else:
        across = f'<orientation val="minMax"/><min val="{line.low[0]:g}"/>'
    up = "" if line.top is None else f'<max val="{line.top:g}"/>'
    crosses = '<crosses val="min"/>' if line.decades else ""
    legend = '<legend><legendPos val="b"/><overlay val="0"/></legend>' if len(line.points) > 1 else ""
    return _chart(
        f'<autoTitleDeleted val="1"/><plotArea><scatterChart><scatterStyle val="lineMarker"/>{series}'
        '<axId val="10"/><axId val="20"/></scatterChart>'
        f'<valAx><axId val="10"/><scaling>{across}</scaling><delete val="0"/><axPos val="b"/>'
        f"{_title(line.title) if line.title else ''}{_format('General' if line.decades else '0')}"
        f'{_NO_TICKS}{_LABELS_LOW}<crossAx val="20"/></valAx>'
        f'<valAx><axId val="20"/><scaling><orientation val="minMax"/>{up}<min val="{line.low[1]:g}"/></scaling>'
        f'<delete val="0"/><axPos val="l"/>{grid}{_format("General")}{_NO_TICKS}{_LABELS_LOW}<crossAx val="10"/>'
        f"{crosses}</valAx></plotArea>{legend}"
    )


def _chart(content: str) -> str:
    names = f'xmlns="{_DRAWING}/chart" xmlns:a="{_DRAWING}/main"'
    end = '<plotVisOnly val="1"/><dispBlanksAs val="gap"/>'
    return f'<chartSpace {names}><roundedCorners val="0"/><chart>{content}{end}</chart></chartSpace>'


def _title(text: str) -> str:
    said = f"<a:p><a:pPr><a:defRPr/></a:pPr><a:r><a:t>{encode.markup(text)}</a:t></a:r></a:p>"
    return f'<title><tx><rich><a:bodyPr/>{said}</rich></tx><overlay val="0"/></title>'


def _format(code: str) -> str:
    return f'<numFmt formatCode="{code}" sourceLinked="0"/>'


def _filled(color: str) -> str:
    return f'<a:solidFill><a:srgbClr val="{color}"/></a:solidFill>'


def _points(pages: Pages, points: Points, number: int) -> str:
    name = f"<tx><v>{encode.markup(points.label)}</v></tx>" if points.label else ""
    joined, dash = points.line != "none", "dash" if points.line == "dashed" else "solid"
    line = f'<a:ln w="{_LINE_WIDTH}">{_filled(points.color)}<a:prstDash val="{dash}"/></a:ln>' if joined else _NO_LINE
    symbol, size = ("circle", 4) if joined else ("diamond", 11)
    marker = f'<symbol val="{symbol}"/><size val="{size}"/><spPr>{_filled(points.color)}{_NO_LINE}</spPr>'
    return (
        f'<ser><idx val="{number}"/><order val="{number}"/>{name}<spPr>{line}</spPr><marker>{marker}</marker>'
        f"<xVal>{_texts_or_numbers(pages, points.numbers)}</xVal><yVal>{_numbers(pages, points.values)}</yVal>"
        '<smooth val="0"/></ser>'
    )


def _texts_or_numbers(pages: Pages, block: Block) -> str:
    """What stands in a column, as texts where one of them is a text."""
    values = _values(pages, block)
    if not any(isinstance(value, str) for value in values):
        return _numbers(pages, block)
    texts = [None if value is None else encode.text(str(value)) for value in values]
    return f"<strRef><f>{encode.text(block.reference)}</f><strCache>{_cache(texts)}</strCache></strRef>"


def _numbers(pages: Pages, block: Block) -> str:
    """The numbers of a column; what is none is not drawn."""
    numbers = [
        None if isinstance(value, str | None) or not math.isfinite(value) else encode.number(value)
        for value in _values(pages, block)
    ]
    cache = f"<numCache><formatCode>General</formatCode>{_cache(numbers)}</numCache>"
    return f"<numRef><f>{encode.text(block.reference)}</f>{cache}</numRef>"


def _cache(values: Sequence[str | None]) -> str:
    points = (f'<pt idx="{n}"><v>{value}</v></pt>' for n, value in enumerate(values) if value is not None)
    return f'<ptCount val="{len(values)}"/>{"".join(points)}'


def _values(pages: Pages, block: Block) -> list[Value]:
    return [pages[block.sheet].value(*at) for at in block.positions()]
