"""A simple reader on the sheet `Pooling`: to which sample a picture, or what a pool keeps of it, is nearest."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, Operand, smallest, sumproduct, text, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.lookup import index, match
from conv_sheet.cells.page import Mark, Page, Verdict
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import images
from conv_sheet.state import WorkbookState

PIXELS = "picture"
"""The name of the reader that compares pixels; the others are called as their pools."""
_LABEL, _COLUMN = 6, 5
"""Columns of a sample's name, and of each reader."""
_HEADS = 2
_WIDTH = _LABEL + 4 * _COLUMN

Shown = tuple[Block, Array]
"""A map and its values."""


class Map(NamedTuple):
    """What a reader compares: the map when the picture has moved and before, and how it makes that of a sample."""

    after: Shown
    before: Shown
    of_sample: Callable[[int, Block, Array], Shown]
    """By number, place and values of a sample."""


def suits(layout: Layout, lesson: Lesson) -> bool:
    """Whether a workbook has sample pictures, and room for the tables below its own picture."""
    return images.NAME in lesson.sheets and layout.input.blocks[0].width >= _WIDTH


def add(sheet: Page, state: WorkbookState, corner: Block, readers: Mapping[str, Map], says: int) -> Expr:
    """Distances to every sample, what each reader says in the row `says`; returns all of that in one line."""
    samples = [
        (label, item.at, state.array(item)[0])
        for label, item in images.gallery(state.layout, state.lesson).items()
        if label in images.samples_of(state.network)
    ]
    compared = {
        name: [one.of_sample(number, block, values) for number, (_, block, values) in enumerate(samples)]
        for name, one in readers.items()
    }
    labels = [label for label, _, _ in samples]
    pieces: list[Operand] = []
    for made in compared.values():
        for label, (block, _) in zip(labels, made, strict=True):
            if block.sheet == sheet.title:
                widgets.caption(sheet, block, label, style.CLASS)
    below = corner.part(len(samples) + _HEADS + 2, 0, 1, 1)
    moved = _table(sheet, corner, "moved", labels, {name: (one.after, compared[name]) for name, one in readers.items()})
    still = _table(sheet, below, "as it was", labels, {name: (m.before, compared[name]) for name, m in readers.items()})
    for name, one in readers.items():
        _said(sheet, name, one.after[0], says, (still[name], moved[name]))
        pieces += [f"{', ' if pieces else ''}by {_title(name)} ", moved[name]]
    return text("The nearest of the samples: ", *pieces, ". Before it moved: ", still[PIXELS], ".")


def _title(name: str) -> str:
    return "pixels" if name == PIXELS else name


def _table(
    sheet: Page, corner: Block, title: str, labels: list[str], readers: Mapping[str, tuple[Shown, list[Shown]]]
) -> dict[str, Expr]:
    """Squared distances of maps and samples; returns the name of the nearest sample by reader."""
    heading = f"{title}: squared differences to each sample, added up; the least wins"
    widgets.caption(sheet, corner, heading, style.CLASS)
    names = corner.part(1, 0, len(labels), 1)
    listed = np.array(labels, dtype=object)[:, np.newaxis]
    for row, label in enumerate(labels):
        sheet.span(names.row + row, names.column, names.column + _LABEL - 1, label, style.LINE)
    nearest = {}
    for number, (name, ((block, values), samples)) in enumerate(readers.items()):
        first = corner.column + _LABEL + number * _COLUMN
        sheet.span(corner.row, first, first + _COLUMN - 1, _title(name), style.HEAD)
        distances = [sumproduct((sheet.range(block, values) - sheet.range(*sample)) ** 2) for sample in samples]
        for row, distance in enumerate(distances):
            sheet.span(names.row + row, first, first + _COLUMN - 1, distance, style.TENTHS)
        column = Block(sheet.title, names.row, first, len(labels), 1)
        found = np.array([distance.value for distance in distances])[:, np.newaxis]
        area = sheet.range(column, found)
        nearest[name] = index(sheet.range(names, listed), match(smallest(area), area))
        sheet.marks.append(Mark(column, (sheet.each(column, found) == smallest(area)).formula, style.AMBER))
    return nearest


def _said(sheet: Page, name: str, below: Block, row: int, said: tuple[Expr, Expr]) -> None:
    """What a reader says, below its map: green where it says what it said before the picture moved."""
    before, now = said
    middle = below.column + below.width // 2
    line, value = (
        Block(sheet.title, row, first, 1, last - first + 1)
        for first, last in ((below.column, middle - 1), (middle, below.last_column))
    )
    sheet.merged(line, "nearest sample", style.LINE)
    same = now == before
    sheet.merged(value, where(same, text(now, " ✓"), text(before, " → ", now)), style.RESULT)
    sheet.verdicts.append(Verdict(value, same.formula))
    sheet.names[f"{name}_says"] = value.part(0, 0, 1, 1)
