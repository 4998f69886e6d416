"""The table of layers on the sheet `Start`: sizes, parameters, work and field of view, as formulas from row to row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, largest, of, smallest, times, total
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page
from conv_sheet.layers import Field
from conv_sheet.layers.base import Sizes
from conv_sheet.network.graph import INPUT, Network
from conv_sheet.network.summary import Row, seen, summary
from conv_sheet.sheets.addresses import START

LEFT, RIGHT = 2, 37
"""The first and the last column of `Start`."""

SPANS = {"layer": (2, 8), "kind": (9, 15)}
"""First and last columns of names and kinds, which stand over narrow columns."""
CHANNELS, HEIGHT, WIDTH, PARAMETERS, WORK, STEP, SEES, TORCH = 29, 30, 31, 32, 33, 34, 35, 37
_CODE_FITS = 34
"""Characters of code that have room in its column."""
_HEADS = ("channels", "height", "width", "parameters", "multiply–adds", "step", "sees", "", "PyTorch")


@dataclass(frozen=True)
class _Line:
    """The cells of one row of the table."""

    sheet: Page
    row: int
    item: Row

    @property
    def shape(self) -> Sizes:
        return tuple(self._cell(CHANNELS + n, size) for n, size in enumerate(self.item.shape))

    @property
    def step(self) -> Expr:
        return self._cell(STEP, float(self.item.step[0]))

    @property
    def sees(self) -> Expr:
        return self._cell(SEES, self.item.sees[0])

    def _cell(self, column: int, value: float) -> Expr:
        return self.sheet.near(Block(START, self.row, column, 1, 1), value)


def add(sheet: Page, network: Network, row: int) -> None:
    """Put the table below a row: one line a layer, and the totals."""
    rows = summary(network)
    square = all(r.field[0] == r.field[1] and r.step[0] == r.step[1] for r in rows)
    sheet.put(row, LEFT, "Layers", style.HEADING)
    for head, span in SPANS.items():
        sheet.span(row + 1, *span, head, style.HEAD_LEFT)
    sheet.span(row + 1, SPANS["kind"][1] + 1, CHANNELS - 1, None, style.HEAD)
    for column, head in enumerate(_HEADS, CHANNELS):
        sheet.put(row + 1, column, head, style.HEAD_LEFT if column == TORCH else style.HEAD)
    top = row + 2
    lines = {item.name: _Line(sheet, row, item) for row, item in enumerate(rows, top)}
    for item in rows:
        _table_row(sheet, lines, item, square)
    bottom = top + len(rows)
    sheet.span(bottom, *SPANS["layer"], "total", style.HEAD_LEFT)
    for column in (*range(SPANS["kind"][0], PARAMETERS), *range(STEP, RIGHT + 1)):
        sheet.put(bottom, column, None, style.HEAD)
    totals = (PARAMETERS, [r.parameters for r in rows]), (WORK, [r.multiply_adds for r in rows])
    for column, counts in totals:
        block = Block(START, top, column, len(rows), 1)
        sheet.put(bottom, column, total(sheet.near(block, counts)), style.TOTAL)
    notes = (
        "parameters: numbers that training may change · multiply–adds: products of value and weight for one picture",
        "sees: how many pixels of the input, along rows and columns, one value depends on, all at most"
        " · step: how many pixels further its neighbour looks",
    )
    for number, note in enumerate(notes, 1):
        sheet.span(bottom + number, LEFT, RIGHT, note, style.NOTE)


def _table_row(sheet: Page, lines: Mapping[str, _Line], item: Row, square: bool) -> None:
    line = lines[item.name]
    row = line.row
    sheet.put(row, SPANS["layer"][0], item.name, style.LINE)
    sheet.put(row, SPANS["kind"][0], item.kind or "picture", style.LINE)
    if item.node is None:
        for column, size in enumerate(item.shape, CHANNELS):
            sheet.put(row, column, size, style.NUMBER)
        for column in (STEP, SEES):
            sheet.put(row, column, 1 if square else "1×1", style.NUMBER)
        return
    node, read = item.node, [lines[name] for name in item.node.inputs]
    sizes = node.layer.joined_sizes(node.in_shape, [source.shape for source in read])
    for column, counted in enumerate(sizes, CHANNELS):
        sheet.put(row, column, counted, style.NUMBER)
    counts = [times(*s) for short, s in node.parameters.items() if short not in node.layer.buffers] or [of(0)]
    sheet.put(row, PARAMETERS, sum(counts[1:], start=counts[0]), style.NUMBER)
    sheet.put(row, WORK, node.layer.work(node.in_shape, read[0].shape, line.shape), style.NUMBER)
    fields = node.layer.fields(node.in_shape)
    if not square:
        sheet.put(row, STEP, "all" if item.sees_all else "×".join(map(str, item.step)), style.NUMBER)
        sheet.put(row, SEES, "×".join(map(str, item.sees)), style.NUMBER)
    elif fields is None or item.sees_all:
        sheet.put(row, STEP, "all", style.NUMBER)
        sheet.put(row, SEES, lines[INPUT].shape[1], style.NUMBER)
    else:
        _field(sheet, item, fields[0], row, read, lines[INPUT].shape[1])
    widgets.paragraph(sheet, row, TORCH, TORCH, widgets.broken(node.torch, _CODE_FITS), style.CODE_LINES)


def _field(sheet: Page, item: Row, window: Field, row: int, read: Sequence[_Line], most: Expr) -> None:
    """What a layer sees of the input, which has `most` rows and columns.

    Behind a transposed convolution that is more than a formula of one row.
    What joins several layers sees as much as the one of them that sees most, unless they see different places.
    """
    look = style.NUMBER if item.step[0].denominator == 1 else style.DECIMAL
    first = read[0]
    if len(read) > 1:
        step, widest = largest(*(line.step for line in read)), largest(*(line.sees for line in read))
        follows = widest.value == item.sees[0]
    else:
        step = first.step * window.stride
        step = step / window.spread if window.spread > 1 else step
        widest = smallest(most, first.sees + (of(seen([window])) - 1) * first.step)
        follows = not item.upsampled
    sheet.put(row, STEP, step, look)
    sheet.put(row, SEES, widest if follows else item.sees[0], style.NUMBER)
