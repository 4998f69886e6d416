"""The sheet `NumPy`: what the engine last made of a network, where `Network` has it too, and how far both are apart.

There is one for each sheet of the network.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, root, sumproduct, total, where
from conv_sheet.cells.formula import MAX_BLOCKS
from conv_sheet.cells.grid import Block, Placed, around
from conv_sheet.cells.page import Page, Verdict
from conv_sheet.network.layout import (
    NUMPY,
    SCALE_ROW,
    SHAPE_ROW,
    TITLE_ROW,
    TORCH_ROW,
    WORDS_ROW,
    Layout,
    Stage,
    sheet_number,
    sheet_title,
)
from conv_sheet.ops import Array
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.addresses import TOLERANCE
from conv_sheet.sheets.network import frame, label_maps, label_vector, scale_of, stage_title, value_style
from conv_sheet.sheets.sheet import Owned, Sheet
from conv_sheet.state import WorkbookState

_AGREES, _DIFFERS = "agrees", "differs: Python has not seen your change yet"


def sheets(layout: Layout) -> list[Sheet]:
    """One for each sheet of the network."""

    def sheet(number: int) -> Sheet:
        def own(state: WorkbookState) -> list[Owned]:
            return [
                (placed, partial(np.asarray, value))
                for stage in _own(state.layout.parts[number])
                for placed, value in _tensors(state, stage)
            ]

        return Sheet(_title(layout.parts[number].sheet), lambda state: page(state, number), engine=own)

    return [sheet(number) for number in range(len(layout.parts))]


def _own(layout: Layout) -> list[Stage]:
    """The stages that the sheet has: what is carried from another sheet stands beside that one."""
    return [stage for stage in layout.stages if not stage.carried]


def _title(sheet: str) -> str:
    """The title of the sheet beside one with stages of the network."""
    return sheet_title(NUMPY, sheet_number(sheet))


def _tensors(state: WorkbookState, stage: Stage) -> Iterator[tuple[Placed, Array]]:
    values = state.layout.values(stage, state.activations, state.tensors)
    for short, value in values.items():
        yield stage.own[short].on(_title(stage.sheet)), value


def distance_cell(stage: Stage) -> Block:
    """The cell with the distance of a stage, named `<stage>_distance`."""
    return Block(_title(stage.sheet), TORCH_ROW, stage.columns[0], 1, 1)


def distance(state: WorkbookState, stage: Stage) -> float:
    """Euclidean distance between what a stage holds now and what stands in the engine's blocks.

    What is not a number there (NaN here) counts as zero, as in the formula.
    """
    pairs = [(value, written(state, placed)) for placed, value in _tensors(state, stage)]
    return float(np.sqrt(sum(np.sum((now - np.nan_to_num(then)) ** 2) for now, then in pairs)))


def largest_distance(state: WorkbookState) -> float:
    """The largest of the distances that the sheet shows, one a stage."""
    return max(distance(state, stage) for stage in _own(state.layout))


def distances(sheet: Page, state: WorkbookState) -> list[Expr]:
    """All of these distances, for another sheet: one row of each sheet of ours, in which nothing else stands."""
    return [_row(sheet, state, _own(part)) for part in state.layout.parts]


def _row(sheet: Page, state: WorkbookState, stages: Sequence[Stage]) -> Expr:
    row = around(tuple(map(distance_cell, stages)))
    values = np.full(row.shape, "", dtype=object)
    for stage in stages:
        values[0, distance_cell(stage).column - row.column] = distance(state, stage)
    return sheet.range(row, values)


def written(state: WorkbookState, placed: Placed) -> Array:
    """What stands in blocks that belong to the engine."""
    assert state.written is not None, "pages are made of settled states"
    return state.written[placed.name]


def page(state: WorkbookState, number: int = 0) -> Page:
    """One of the sheets: what stands in the engine's blocks, and its distance from `Network`."""
    layout = state.layout.parts[number]
    sheet = frame(_title(layout.sheet), layout)
    for stage in _own(layout):
        _heading(sheet, state, stage)
        for placed, _ in _tensors(state, stage):
            look = replace(value_style(stage, placed.on(stage.sheet)), italic=True)
            for block, plane in zip(placed.blocks, placed.planes(written(state, placed)), strict=True):
                sheet.results(block, plane, look)
            sheet.names |= {f"numpy_{name}": block for name, block in placed.names()}
        label_maps(sheet, stage)
        label_vector(sheet, stage, state.network.classes)
        if not stage.nodes:
            widgets.shades(sheet, stage.out.on(sheet.title).blocks, stage.border.top)
        elif scale := scale_of(layout, stage):
            sheet.scales.append((stage.out.on(sheet.title).blocks, scale))
    cockpit.boards(sheet, state, layout, beside_picture=number == 0)
    return sheet


def _heading(sheet: Page, state: WorkbookState, stage: Stage) -> None:
    """What a stage is called, how far it is from `Network`, and what that means."""
    first, last = stage.columns
    cell = distance_cell(stage)
    sheet.span(TITLE_ROW, first, last, stage_title(stage), style.STAGE_TITLE)
    sheet.span(SHAPE_ROW, first, last, f"distance from {stage.sheet}:", style.STAGE_SHAPE)
    apart = root(_squares(sheet, state, stage))
    sheet.span(TORCH_ROW, first, last, apart, style.DISTANCE)
    sheet.names[f"{stage.name}_distance"] = cell
    agrees = sheet.each(cell, apart.value) <= TOLERANCE
    sheet.span(WORDS_ROW, first, last, where(agrees, _AGREES, _DIFFERS), style.STAGE_WORDS)
    area = Block(sheet.title, TORCH_ROW, first, 1, last - first + 1)
    sheet.verdicts.append(Verdict(area, (sheet.cell(cell, apart.value) <= TOLERANCE).formula))


def _squares(sheet: Page, state: WorkbookState, stage: Stage) -> Expr:
    """The sum of squared differences between the blocks here and the same places of `Network`.

    Squares of more blocks than one formula can name are summed in cells of their own, from the first column on. They
    are products: LibreOffice makes an error of a power that is too small for a number.
    """
    squares = []
    for placed, value in _tensors(state, stage):
        planes = zip(placed.planes(value), placed.planes(np.nan_to_num(written(state, placed))), strict=True)
        for block, (now, then) in zip(placed.blocks, planes, strict=True):
            apart = sheet.near(block.on(stage.sheet), now) - sheet.near(block, then)
            squares.append(sumproduct(apart, apart))
    most = MAX_BLOCKS // 2  # each square names its block twice
    if len(squares) <= most:
        return sum(squares[1:], start=squares[0])
    groups = [squares[i : i + most] for i in range(0, len(squares), most)]
    sums = [sum(group[1:], start=group[0]) for group in groups]
    area = Block(sheet.title, SCALE_ROW, stage.columns[0], 1, len(sums))
    for (row, column), one in zip(area.positions(), sums, strict=True):
        sheet.put(row, column, one, style.DISTANCE)
    return total(sheet.near(area, [one.value for one in sums]))
