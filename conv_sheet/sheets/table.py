"""The table of layers on the sheet `Start`: sizes, parameters, work and field of view, as formulas from row to row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conv_sheet.cells import style
from conv_sheet.cells.expr import Expr
from conv_sheet.cells.grid import Block, column_letters
from conv_sheet.cells.page import Page
from conv_sheet.layers import Field
from conv_sheet.network.graph import INPUT, Network
from conv_sheet.network.summary import Row, seen, summary
from conv_sheet.sheets.addresses import START

LEFT, RIGHT = 2, 37
"""The first and the last column of `Start`."""

SPANS = {"layer": (2, 8), "kind": (9, 15)}
"""First and last columns of names and kinds, which stand over narrow columns."""
CHANNELS, HEIGHT, WIDTH, PARAMETERS, WORK, STEP, SEES, TORCH = 29, 30, 31, 32, 33, 34, 35, 37
_HEADS = ("channels", "height", "width", "parameters", "multiply–adds", "step", "sees", "", "PyTorch")


@dataclass(frozen=True)
class _Line:
    """Addresses of one row of the table."""

    row: int
    item: Row

    @property
    def shape(self) -> tuple[str, ...]:
        return tuple(f"{column_letters(CHANNELS + n)}{self.row}" for n in range(len(self.item.shape)))


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
    lines = {item.name: _Line(row, item) for row, item in enumerate(rows, top)}
    for item in rows:
        _table_row(sheet, lines, item, square)
    bottom = top + len(rows)
    sheet.put(bottom, LEFT, "total", style.HEAD_LEFT)
    for column in (*range(LEFT + 1, PARAMETERS), *range(STEP, RIGHT + 1)):
        sheet.put(bottom, column, None, style.HEAD)
    totals = (PARAMETERS, sum(r.parameters for r in rows)), (WORK, sum(r.multiply_adds for r in rows))
    for column, count in totals:
        block = Block(START, top, column, len(rows), 1)
        sheet.put(bottom, column, Expr(count, f"SUM({block.relative})"), style.TOTAL)
    notes = (
        "parameters: numbers that training may change · multiply–adds: products of value and weight for one picture",
        "sees: how many pixels of the input, along rows and columns, one value depends on"
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
    sizes = node.layer.joined_size_formulas(node.in_shape, [source.shape for source in read])
    for column, (size, formula) in enumerate(zip(item.shape, sizes, strict=True), CHANNELS):
        sheet.put(row, column, Expr(size, formula), style.NUMBER)
    shapes = [s for short, s in node.parameters.items() if short not in node.layer.buffers]
    counted = "+".join("*".join(map(str, shape)) for shape in shapes) or "0"
    sheet.put(row, PARAMETERS, Expr(item.parameters, counted), style.NUMBER)
    work = node.layer.multiply_adds_formula(node.in_shape, read[0].shape, line.shape)
    sheet.put(row, WORK, Expr(item.multiply_adds, work), style.NUMBER)
    fields = node.layer.fields(node.in_shape)
    if not square:
        sheet.put(row, STEP, "all" if item.sees_all else "×".join(map(str, item.step)), style.NUMBER)
        sheet.put(row, SEES, "×".join(map(str, item.field)), style.NUMBER)
    elif fields is None or item.sees_all:
        sheet.put(row, STEP, "all", style.NUMBER)
        sheet.put(row, SEES, Expr(item.field[0], lines[INPUT].shape[1]), style.NUMBER)
    else:
        _field(sheet, item, fields[0], row, read)
    sheet.put(row, TORCH, node.torch, style.CODE)


def _field(sheet: Page, item: Row, window: Field, row: int, read: Sequence[_Line]) -> None:
    """What a layer sees of the input; behind a transposed convolution that is more than a formula of one row.

    What joins several layers sees as much as the one of them that sees most, unless they see different places.
    """
    step, look = item.step[0], style.NUMBER if item.step[0].denominator == 1 else style.DECIMAL
    apart = f"/{window.spread}" if window.spread > 1 else ""
    steps, fields = ([f"{column}{line.row}" for line in read] for column in map(column_letters, (STEP, SEES)))
    if len(read) > 1:
        sheet.put(row, STEP, Expr(float(step), f"MAX({','.join(steps)})"), look)
        most = max(line.item.field[0] for line in read) == item.field[0]
        widest = Expr(item.field[0], f"MAX({','.join(fields)})")
        sheet.put(row, SEES, widest if most else item.field[0], style.NUMBER)
        return
    sheet.put(row, STEP, Expr(float(step), f"{steps[0]}*{window.stride}{apart}"), look)
    extent = Expr(item.field[0], f"{fields[0]}+({seen([window])}-1)*{steps[0]}")
    sheet.put(row, SEES, item.field[0] if item.upsampled else extent, style.NUMBER)
