"""The sheet `Worksheet`: a lesson on paper, to fill by hand, and a page with the answers."""

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page
from conv_sheet.cells.style import Style
from conv_sheet.network.graph import INPUT
from conv_sheet.network.layout import Stage
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.sheets.start import tries_of
from conv_sheet.state import WorkbookState

NAME = "worksheet"
WORKSHEET = "Worksheet"
_LEFT, _RIGHT, _WIDTH = 2, 15, 6.0
_LINE = "_" * 60


def page(state: WorkbookState) -> Page:
    """The sheet: what to try with room for what is seen, a window to calculate, and on a new page the answers."""
    sheet = Page(WORKSHEET, widths={1: 2.0} | dict.fromkeys(range(_LEFT, _RIGHT + 1), _WIDTH))
    sheet.heights[1] = 28
    sheet.span(1, _LEFT, _RIGHT, state.lesson.title, style.HEADING)
    sheet.span(2, _LEFT, _RIGHT, f"Name {_LINE[:30]}     Date {_LINE[:14]}", style.LINE)
    row = _say(sheet, 4, state.lesson.question or state.lesson.description, style.TEXT) + 1
    tries = tries_of(state)
    for number, one in enumerate(tries, 1):
        row = _say(sheet, row, f"{number}  {one.words}", style.TEXT)
        if one.ask:
            row = _say(sheet, row, one.ask, style.TEXT)
        if one.choices:
            row = _say(sheet, row, "      ".join(f"☐ {choice}" for choice in one.choices), style.TEXT)
        row = _say(sheet, row, f"What I see: {_LINE}", style.TEXT) + 1
    windows = _windows(state)
    if windows is not None:
        row = _by_hand(sheet, state, windows, row, answered=False)
    sheet.breaks = (row,)
    row = _say(sheet, row + 1, f"Answers: {state.lesson.title}", style.HEADING) + 1
    for number, one in enumerate(tries, 1):
        if one.answer:
            row = _say(sheet, row, f"{number}  {one.answer}", style.TEXT) + 1
    if windows is not None:
        _by_hand(sheet, state, windows, row, answered=True)
    return sheet


def _say(sheet: Page, row: int, text: str, look: Style) -> int:
    """A text over the whole width, in as many lines as it takes; returns the row behind it."""
    widgets.paragraph(sheet, row, _LEFT, _RIGHT, text, look)
    return row + 1


def _windows(state: WorkbookState) -> Stage | None:
    """The first stage whose windows can be calculated on paper: of one channel, a step apart, without a border."""
    for stage in state.layout.stages:
        kernel = stage.own["weight"].shape if "weight" in stage.own else ()
        if len(kernel) == 4 and kernel[1] == 1 and stage.in_shape[0] == 1 and max(kernel[2:]) <= 3:
            plain = tuple(size - k + 1 for size, k in zip(stage.in_shape[1:], kernel[2:], strict=True))
            if stage.nodes[0].out_shape[1:] == plain:
                return stage
    return None


def _by_hand(sheet: Page, state: WorkbookState, stage: Stage, row: int, answered: bool) -> int:
    """A window, a kernel, the bias and the place for the result; with its answer where that is asked for."""
    layout, name = state.layout, stage.name
    values = state.activations[stage.nodes[-1].name][0, 0]
    y, x = (int(n) for n in np.unravel_index(int(np.argmax(values)), values.shape))
    weight, source = stage.own["weight"], layout.placed[stage.inputs[0]]
    height, width = weight.shape[2:]
    heading = f"By hand: the window of {name} in row {y + 1}, column {x + 1}, times its kernel"
    row = _say(sheet, row, heading, style.HEADING)
    kernel = Block(WORKSHEET, row + 1, _LEFT + width + 2, height, width)
    window = Block(WORKSHEET, row + 1, _LEFT, height, width)
    read = (state.image if stage.inputs[0] == INPUT else state.activations[stage.inputs[0]][0])[0]
    part = source.blocks[0].part(y, x, height, width)
    sheet.fill(window, sheet.each(part, read[y : y + height, x : x + width]), style.BY_HAND)
    sheet.fill(kernel, sheet.each(weight.blocks[0], state.tensors[f"{name}.weight"][0, 0]), style.BY_HAND)
    middle = row + 1 + height // 2
    sheet.put(middle, kernel.column - 1, "×", style.WHOLE)
    column = kernel.last_column + 1
    if "bias" in stage.own:
        sheet.put(middle, column, "+", style.WHOLE)
        bias = stage.own["bias"].blocks[0].part(0, 0, 1, 1)
        sheet.put(middle, column + 1, sheet.cell(bias, state.tensors[f"{name}.bias"][0]), style.BY_HAND)
        column += 2
    sheet.put(middle, column, "=", style.WHOLE)
    out = layout.placed[name].blocks[0].part(y, x, 1, 1)
    result = sheet.cell(out, values[y, x])
    sheet.put(middle, column + 1, result if answered else None, style.BY_HAND)
    if stage.activation is not None:
        sheet.put(middle, column + 2, f"after {stage.nodes[-1].name}", style.LINE)
    return row + height + 2


SHEET = Sheet(WORKSHEET, page, NAME)
