"""The charts of a page, as openpyxl's objects."""

from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference, ScatterChart, Series
from openpyxl.chart.label import DataLabelList
from openpyxl.chart.marker import Marker
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.drawing.line import LineProperties
from openpyxl.worksheet.worksheet import Worksheet

from conv_sheet.cells import style
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Bars, Line


def bar_chart(book: Workbook, bars: Bars) -> BarChart:
    """Bars of values over their labels."""
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


def line_chart(sheet: Worksheet, line: Line) -> ScatterChart:
    """Points joined by lines."""
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
