"""The charts of a page, as openpyxl's objects.

Each carries the values that it draws, as numbers or as texts: a program that does not calculate draws nothing else, and
Excel shows texts only where the file says that they are texts.
"""

import math
from collections.abc import Mapping

from openpyxl.chart import BarChart, ScatterChart
from openpyxl.chart.data_source import AxDataSource, NumData, NumDataSource, NumRef, NumVal, StrData, StrRef, StrVal
from openpyxl.chart.label import DataLabelList
from openpyxl.chart.legend import Legend
from openpyxl.chart.marker import Marker
from openpyxl.chart.series import Series, SeriesLabel, XYSeries
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.drawing.line import LineProperties

from conv_sheet.cells import style
from conv_sheet.cells.drawn import Bars, Line, Points
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page, Value
from conv_sheet.xlsx import encode

Pages = Mapping[str, Page]
"""The pages of a workbook by title."""


def bar_chart(pages: Pages, bars: Bars) -> BarChart:
    """Bars of values over their labels."""
    chart = BarChart()
    chart.roundedCorners = False
    chart.type, chart.style, chart.gapWidth = "bar", 10, 30
    chart.title, chart.legend = bars.title, None
    chart.title.overlay = False
    chart.width, chart.height = bars.width, bars.height
    chart.series.append(_series(pages, bars.labels, bars.values))
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


def line_chart(pages: Pages, line: Line) -> ScatterChart:
    """Points joined by lines."""
    chart = ScatterChart(scatterStyle="lineMarker", style=10)
    chart.roundedCorners = False
    chart.width, chart.height, chart.legend = line.width, line.height, None
    if len(line.points) > 1:
        chart.legend = Legend()
        chart.legend.position, chart.legend.overlay = "b", False
    chart.display_blanks = "gap"
    chart.series.extend(_points(pages, points, number) for number, points in enumerate(line.points))
    chart.x_axis.delete = chart.y_axis.delete = False
    if line.title:
        chart.x_axis.title = line.title
        chart.x_axis.title.overlay = False
    chart.x_axis.scaling.min, chart.y_axis.scaling.min = line.low
    chart.x_axis.tickLblPos = chart.y_axis.tickLblPos = "low"  # not along axes that cross in the middle
    chart.y_axis.scaling.max, chart.y_axis.number_format = line.top, "General"
    chart.x_axis.number_format, chart.x_axis.majorGridlines = "0", None
    if line.decades:
        chart.x_axis.scaling.min, chart.x_axis.scaling.max = (10.0**power for power in line.decades)
        chart.x_axis.scaling.logBase, chart.x_axis.number_format = 10, "General"
        chart.y_axis.crosses = "min"
    chart.y_axis.majorGridlines.spPr = GraphicalProperties(ln=LineProperties(solidFill=style.PAD))
    return chart


def _points(pages: Pages, points: Points, number: int) -> XYSeries:
    series = XYSeries(xVal=_shown(pages, points.numbers), yVal=_numbers(pages, points.values), idx=number, order=number)
    if points.label:
        series.tx = SeriesLabel(v=points.label)
    look = LineProperties(solidFill=points.color, w=22_000, prstDash="dash" if points.line == "dashed" else None)
    joined = points.line != "none"
    series.graphicalProperties = GraphicalProperties(ln=look if joined else LineProperties(noFill=True))
    series.marker, series.smooth = Marker("circle", size=4) if joined else Marker("diamond", size=11), False
    series.marker.graphicalProperties = GraphicalProperties(solidFill=points.color, ln=LineProperties(noFill=True))
    return series


def _series(pages: Pages, labels: Block, values: Block) -> Series:
    return Series(cat=_shown(pages, labels), val=_numbers(pages, values), idx=0, order=0)


def _shown(pages: Pages, block: Block) -> AxDataSource:
    """What stands in a column, as texts where one of them is a text."""
    values = _values(pages, block)
    if any(isinstance(value, str) for value in values):
        texts = [
            StrVal(idx=number, v=encode.escaped(str(value))) for number, value in enumerate(values) if value is not None
        ]
        return AxDataSource(strRef=StrRef(block.reference, StrData(ptCount=len(values), pt=texts)))
    return AxDataSource(numRef=_numbers(pages, block).numRef)


def _numbers(pages: Pages, block: Block) -> NumDataSource:
    """The numbers of a column; what is none is not drawn."""
    values = _values(pages, block)
    points = [
        NumVal(idx=number, v=encode.number(value))
        for number, value in enumerate(values)
        if not isinstance(value, str | None) and math.isfinite(value)
    ]
    cache = NumData(formatCode="General", ptCount=len(values), pt=points)
    return NumDataSource(numRef=NumRef(block.reference, cache))


def _values(pages: Pages, block: Block) -> list[Value]:
    return [pages[block.sheet].value(*at) for at in block.positions()]
