"""The sheet `Overview`: every stage of a network on several sheets in a row, with its size and small live pictures."""

from math import prod

from conv_sheet.cells import style, widgets
from conv_sheet.cells.page import Page
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.network import shape_text, stage_title
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

OVERVIEW = "Overview"
_LEFT, _SHEET, _SHAPE, _CELLS, _PICTURES = 2, 14, 20, 26, 31
"""First columns of what is said of a stage."""
_MAPS = 6
"""Maps of a stage that are drawn at most."""
_TOP = 6
_PITCH = cockpit.SHARP + 1
_LAST = _PICTURES + _MAPS * _PITCH - 2


def suits(layout: Layout) -> bool:
    """Whether the network stands on more than one sheet."""
    return len(layout.parts) > 1


def page(state: WorkbookState) -> Page:
    """The sheet: a stage below the other, what is carried from sheet to sheet left out."""
    sheet = widgets.frame(OVERVIEW, _LAST, style.NETWORK_ZOOM)
    count = len(state.layout.parts)
    line = f"The network stands on {count} sheets. Here each of its layers has a row: click its name to go there."
    cockpit.head(sheet, state, "Overview", (line, "Each picture is a map, made small: averages of its windows, live."))
    for column, head in ((_LEFT, "layer"), (_SHEET, "sheet"), (_SHAPE, "maps"), (_CELLS, "cells"), (_PICTURES, "")):
        sheet.put(_TOP - 1, column, head or f"the first {_MAPS} maps", style.HEADING)
    stages = [stage for stage in state.layout.stages if not stage.carried]
    for number, stage in enumerate(stages):
        _row(sheet, state, stage, _TOP + number * _PITCH)
    return sheet


def _row(sheet: Page, state: WorkbookState, stage: Stage, row: int) -> None:
    """A stage: its name as a link, where it stands, its shape, how many cells it has, and its first maps."""
    sheet.span(row, _LEFT, _SHEET - 1, stage_title(stage), style.LINK_LINE)
    sheet.links[row, _LEFT] = stage.out.blocks[0].other()
    cells = sum(prod(placed.shape) for placed in stage.own.values())
    for column, last, said in (
        (_SHEET, _SHAPE, stage.sheet),
        (_SHAPE, _CELLS, shape_text(stage.out.shape)),
        (_CELLS, _PICTURES, f"{cells:,}"),
    ):
        sheet.span(row, column, last - 1, said, style.LINE)
    if len(stage.out.shape) == 3 and prod(stage.out.shape[1:]) > 1:
        _pictures(sheet, state, stage, row)


def _pictures(sheet: Page, state: WorkbookState, stage: Stage, row: int) -> None:
    values = state.activations[stage.shows][0] if stage.nodes else state.image
    if not stage.nodes:
        made = cockpit.small(sheet, row, _PICTURES, stage.out.blocks, values)
        cockpit.paint(sheet, [made], len(stage.out.blocks))
        return
    drawn = []
    for number, block in enumerate(stage.out.blocks[:_MAPS]):
        column = _PICTURES + number * _PITCH
        made = cockpit.small(sheet, row, column, [block], values[number : number + 1], stage.shows)
        drawn.append((made, sheet.fills[-1].values))
    if stage.shows in state.network.non_negative:
        sheet.scales.append((tuple(block for block, _ in drawn), style.WARM_SCALE))
    else:
        widgets.signed(sheet, drawn[0][0].part(1, -1, 1, 1), drawn, framed=True)


SHEET = Sheet(OVERVIEW, page)
