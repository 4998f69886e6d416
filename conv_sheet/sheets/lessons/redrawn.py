"""The sheet `Redrawn`: what an autoencoder sees, the few numbers that it keeps, and what it draws from these."""

from dataclasses import replace
from math import prod

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, sumproduct
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page
from conv_sheet.errors import SpecError
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "redrawn"
REDRAWN = "Redrawn"

_LINES = (
    "The network keeps a few numbers of the picture, and draws it again from these alone.",
    "Choose another picture on the sheet Images, or draw there: all pictures here follow.",
)
_ZOOM, _LEFT, _TOP, _GAP = 110, 2, 7, 6
_ERROR = replace(style.DECIMAL, bold=True, horizontal="left")
_SHARE = replace(style.SHARE, size=11, horizontal="left")
_NUMBER = 6
"""Narrow columns that a number needs."""


def _code(layout: Layout) -> Stage:
    """The layer with the fewest values.

    Raises SpecError for a network that does not draw its picture again, in one channel.
    """
    if layout.output.shape != layout.input.shape or layout.input.shape[0] != 1:
        shape = layout.input.shape
        raise SpecError(f"the sheet {NAME!r} needs one channel, and an output of the input's size, {shape}")
    return min(layout.stages[1:], key=lambda stage: prod(stage.out.shape))


def page(state: WorkbookState) -> Page:
    """The sheet: the picture, the numbers that are kept, what is drawn from them, and the difference."""
    layout, code = state.layout, _code(state.layout)
    (seen,), (drawn,) = layout.input.blocks, layout.output.blocks
    places = _places(seen, code)
    last = places[-1].last_column
    sheet = Page(REDRAWN, zoom=_ZOOM, default_height=style.CELL_HEIGHT)
    sheet.widths = {1: 1.5} | dict.fromkeys(range(2, last + _GAP), style.DOT_WIDTH)
    sheet.heights = dict.fromkeys(range(_TOP, _TOP + seen.height), style.DOT_HEIGHT)
    widgets.head(sheet, "An autoencoder: the picture again, from few numbers", _LINES, last)
    picture, *kept, made, difference = places
    one, other = sheet.each(seen, state.image[0]), sheet.each(drawn, state.output[0])
    _put(sheet, picture, f"what it sees: {state.image.size} pixels", one, "redrawn_seen")
    values = layout.values(code, state.activations, state.tensors)["out"]
    for number, (block, source, plane) in enumerate(zip(kept, code.out.blocks, values, strict=True), 1):
        title = f"{values.size} numbers" if number == 1 else ""
        _put(sheet, block, title, sheet.each(source, plane), f"redrawn_code_{number}")
    _put(sheet, made, "what it draws from them", other, "redrawn_drawn")
    apart = sheet.each(made, state.output[0]) - sheet.each(picture, state.image[0])
    _put(sheet, difference, "red is too dark; blue, framed, is too light", apart, "redrawn_difference")
    widgets.framed_below_zero(sheet, (difference,), "0.1")
    sheet.scales.append(((picture, made), style.DOT_SCALE))
    widgets.signed(sheet, kept[0].part(-2, 0, 1, 1), list(zip(kept, values, strict=True)), framed=True)
    sheet.scales.append(((difference,), style.diverging("1")))
    _errors(sheet, picture, made, state)
    return sheet


def _places(picture: Block, code: Stage) -> list[Block]:
    """Where the picture stands, each map of the code, what is drawn, and the difference."""
    height, width = picture.shape
    first = Block(REDRAWN, _TOP, _LEFT, height, width)
    rows, columns = code.out.blocks[0].shape
    middle = first.last_column + 1 + _GAP
    kept = [Block(REDRAWN, _TOP + n * (rows + 2), middle, rows, columns) for n in range(len(code.out.blocks))]
    made = Block(REDRAWN, _TOP, kept[0].last_column + 1 + _GAP, height, width)
    return [first, *kept, made, made.part(0, width + _GAP, height, width)]


def _put(sheet: Page, block: Block, title: str, content: Expr, name: str) -> None:
    if title:
        widgets.caption(sheet, block, title, style.LINE)
    sheet.fill(block, content, style.DOT)
    sheet.names[name] = block


def _errors(sheet: Page, picture: Block, made: Block, state: WorkbookState) -> None:
    """How far what is drawn is from what was seen."""
    seen, drawn = sheet.range(picture, state.image[0]), sheet.range(made, state.output[0])
    size = float(state.image.size)
    row = made.last_row + 2
    error = sumproduct((drawn - seen) ** 2) / size
    both = sumproduct((drawn > 0.5) * (seen > 0.5) + (drawn <= 0.5) * (seen <= 0.5)) / size
    for number, (name, content, look, words) in enumerate(
        (
            ("redrawn_error", error, _ERROR, "mean squared error"),
            ("redrawn_right", both, _SHARE, "of the pixels are right, black or white"),
        )
    ):
        at = Block(REDRAWN, row + number, made.column, 1, 1)
        sheet.span(at.row, at.column, at.column + _NUMBER - 1, content, look)
        sheet.put(at.row, at.column + _NUMBER, words, style.LINE)
        sheet.names[name] = at


SHEET = Sheet(REDRAWN, page, NAME)
