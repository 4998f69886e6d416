"""The sheet `NumPy`: what the engine last made of a network, where `Network` has it too, and how far both are apart."""

from collections.abc import Mapping

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.formula import MAX_BLOCKS
from conv_sheet.cells.grid import Block, Placed, quote
from conv_sheet.cells.page import Page, Verdict
from conv_sheet.layers import Array
from conv_sheet.network.layout import NETWORK, NUMPY, SHAPE_ROW, TITLE_ROW, TORCH_ROW, WORDS_ROW, Layout, Stage
from conv_sheet.sheets.network import SCALE_ROW, frame, label_maps, label_vector, scale_of, stage_title, value_style

AGREE = 1e-9
"""Largest distance at which formulas and engine are said to agree."""


def owned(layout: Layout) -> list[tuple[Stage, str, Placed]]:
    """Every tensor that belongs to the engine: its stage, its short name, and where it stands on `NumPy`."""
    placed = []
    for stage in layout.stages:
        for short, where in list(stage.computed()) or [("out", stage.out)]:
            placed.append((stage, short, where.on(NUMPY)))
    return placed


def page(
    layout: Layout, activations: Mapping[str, Array], tensors: Mapping[str, Array], engine: Mapping[str, Array]
) -> Page:
    """The sheet; `engine` is what stands in its blocks by tensor name, `activations` what `Network` shows now."""
    sheet = frame(NUMPY, layout)
    for stage in layout.stages:
        first, last = stage.columns
        mine = [(short, placed) for owner, short, placed in owned(layout) if owner is stage]
        now = layout.values(stage, activations, tensors)
        apart = stage_distance(stage, now, engine)
        sheet.span(TITLE_ROW, first, last, stage_title(stage), style.STAGE_TITLE)
        sheet.span(SHAPE_ROW, first, last, "distance from Network:", style.STAGE_SHAPE)
        sheet.span(TORCH_ROW, first, last, apart, style.DISTANCE, _distance(sheet, first, mine, now, engine))
        cell = distance_cell(stage)
        sheet.names[f"{stage.name}_distance"] = cell
        sheet.verdicts.append(
            Verdict(Block(NUMPY, TORCH_ROW, first, 1, last - first + 1), f"{cell.fixed()}<={AGREE:.0E}")
        )
        verdict = "agrees" if apart <= AGREE else "differs: Python has not seen your change yet"
        sheet.span(
            WORDS_ROW,
            first,
            last,
            verdict,
            style.STAGE_WORDS,
            f'IF({cell.cell()}<={AGREE:.0E},"agrees","differs: Python has not seen your change yet")',
        )
        for _, placed in mine:
            look = style.ENGINE_SCORE if value_style(stage, placed) == style.SCORE else style.ENGINE
            if value_style(stage, placed) == style.PROBABILITY:
                look = style.ENGINE_PROBABILITY
            sheet.fill(placed.blocks, placed.planes(engine[placed.name]).tolist(), look)
        label_maps(sheet, stage)
        label_vector(sheet, stage, layout.network.classes)
        if not stage.nodes:
            widgets.shades(sheet, stage.out.on(NUMPY).blocks)
        elif scale := scale_of(layout, stage):
            sheet.scales.append((stage.out.on(NUMPY).blocks, scale))
    return sheet


def distance_cell(stage: Stage) -> Block:
    """The cell with the distance of a stage, named `<stage>_distance`."""
    return Block(NUMPY, TORCH_ROW, stage.columns[0], 1, 1)


def stage_distance(stage: Stage, now: Mapping[str, Array], engine: Mapping[str, Array]) -> float:
    """Euclidean distance between a stage's values by short name and the engine's by tensor name, as the sheet takes it.

    What is not a number in the engine's blocks (NaN here) counts for nothing, as in SUMXMY2.
    """
    return float(np.sqrt(sum(np.nansum((value - engine[stage.own[short].name]) ** 2) for short, value in now.items())))


def _distance(
    sheet: Page, column: int, tensors: list[tuple[str, Placed]], now: Mapping[str, Array], engine: Mapping[str, Array]
) -> str:
    """Formula of the Euclidean distance between tensors on `NumPy` and the same addresses of `Network`.

    Squares of more blocks than one formula can name are summed in cells of their own, from `column` on.
    """
    pairs, squares = [], []
    for short, placed in tensors:
        apart = placed.planes(now[short]) - placed.planes(engine[placed.name])
        squares += np.nansum(apart**2, axis=(1, 2)).tolist()
        pairs += [f"SUMXMY2({quote(NETWORK)}!{block.relative},{block.relative})" for block in placed.blocks]
    if len(pairs) <= MAX_BLOCKS:
        return f"SQRT({'+'.join(pairs)})"
    starts = range(0, len(pairs), MAX_BLOCKS)
    for number, start in enumerate(starts):
        part = slice(start, start + MAX_BLOCKS)
        sheet.put(SCALE_ROW, column + number, sum(squares[part]), style.DISTANCE, "+".join(pairs[part]))
    return f"SQRT(SUM({Block(NUMPY, SCALE_ROW, column, 1, len(starts)).relative}))"
