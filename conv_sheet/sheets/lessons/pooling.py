"""The sheet `Pooling`: the picture moved by a few pixels, pooled in three ways, and what that changes."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, all_of, average, largest, smallest, sumproduct, text, total, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input
from conv_sheet.cells.lookup import index
from conv_sheet.cells.page import Page
from conv_sheet.errors import ShapeError
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.lessons import nearest
from conv_sheet.sheets.lessons.nearest import Map, Shown
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "pooling"
POOLING = "Pooling"
RIGHT, DOWN = "shift_right", "shift_down"
FARTHEST = 2
WINDOW = 2
"""Rows and columns of a window, and of the step to the next one."""
SMALLEST = 8
"""Rows and columns of the smallest picture whose pooled maps have room for what is said of them."""
DIFFERENT = 1e-9
"""Two values closer than this are equal."""


class Pool(NamedTuple):
    """A way to pool: what it makes of a window, and how PyTorch says it."""

    of: Callable[[Expr], Expr]
    torch: str


POOLS = {
    "max": Pool(largest, f"F.max_pool2d(x, {WINDOW})"),
    "average": Pool(average, f"F.avg_pool2d(x, {WINDOW})"),
    "min": Pool(smallest, f"-F.max_pool2d(-x, {WINDOW})"),
}

_TOP, _LEFT, _GAP, _LABEL = 10, 3, 3, 6
_RIGHT_AT, _DOWN_AT = (Block(POOLING, row, _LEFT + _LABEL, 1, 1) for row in (5, 6))
_LINES = (
    "A pool keeps one number of each 2×2 window, and forgets where in the window it came from.",
    "Move the picture by a pixel. Below each map is what has changed in it; white has not noticed.",
)
_SHOWN_CHANGE = "0.05"
"""Changes that a map shows."""
_CHANGE_SCALE = style.diverging("1")


class _Areas(NamedTuple):
    """Where everything stands, for a picture of this size."""

    moved: Block

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a pooled map."""
        return self.moved.height // WINDOW, self.moved.width // WINDOW

    def after(self, pool: int) -> Block:
        """The pooled map of the moved picture."""
        height, width = self.size
        column = self.moved.last_column + 1 + _GAP + pool * (width + _GAP)
        return Block(POOLING, self.moved.row, column, height, width)

    def difference(self, pool: int) -> Block:
        """What has changed in it."""
        after = self.after(pool)
        return Block(POOLING, after.last_row + 3, after.column, *self.size)

    def before(self, pool: int) -> Block:
        """The pooled map of the picture as it is."""
        return Block(POOLING, self.last_row + 9, self.after(pool).column, *self.size)

    def sample(self, pool: int, number: int) -> Block:
        """That of a sample picture."""
        before = self.before(pool)
        return before.part((number + 1) * (before.height + 2), 0, *self.size)

    @property
    def last_row(self) -> int:
        """The last one above the numbers that say what has changed."""
        return max(self.difference(0).last_row, self.moved.last_row)

    @property
    def last_column(self) -> int:
        return self.after(len(POOLS) - 1).last_column


def _areas(layout: Layout) -> _Areas:
    source = layout.input.blocks[0]
    if min(source.shape) < SMALLEST:
        small = f"{source.height}×{source.width}"
        raise ShapeError(f"the sheet {POOLING} needs a picture of {SMALLEST}×{SMALLEST} pixels at least, not {small}")
    return _Areas(Block(POOLING, _TOP, _LEFT, source.height, source.width))


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """How far the picture moves, to the right and down."""
    hint = f"A whole number from -{FARTHEST} to {FARTHEST}; below zero is the other way."
    return tuple(
        Input.whole(name, at, first, -FARTHEST, FARTHEST, hint)
        for name, at, first in ((RIGHT, _RIGHT_AT, 1), (DOWN, _DOWN_AT, 0))
    )


def page(state: WorkbookState) -> Page:
    """The sheet: the shift, the moved picture, three pools of it, and what changed since the picture as it is."""
    areas, image, source = _areas(state.layout), state.image[0], state.layout.input.blocks[0]
    sheet = widgets.frame(POOLING, areas.last_column, style.WIDE_ZOOM)
    cockpit.head(sheet, state, "Pooling: what is kept when a picture moves", _LINES)
    shift = []
    for item, label in zip(inputs(state.layout, state.lesson), ("shift to the right", "shift down"), strict=True):
        widgets.ask(sheet, item, state[item], label, _LABEL)
        shift.append(sheet.cell(item.at, state.number(item)))
    moved = _moved(sheet, areas.moved, sheet.range(source, image), shift)
    _changed(sheet, "picture", areas.last_row, (areas.moved, moved), (source, image))
    differing, readers = [], {nearest.PIXELS: Map((areas.moved, moved), (source, image), lambda _, *one: one)}
    for number, (name, pool) in enumerate(POOLS.items()):
        after, before = areas.after(number), areas.before(number)
        now, then = _pooled(sheet, after, pool, areas.moved, moved), _pooled(sheet, before, pool, source, image)
        widgets.caption(sheet, after, f"{name} of each window: {pool.torch}", style.CLASS)
        widgets.caption(sheet, before, f"{name}, had nothing moved", style.CLASS)
        _difference(sheet, areas.difference(number), name, (after, now), (before, then))
        differing.append(_changed(sheet, name, areas.last_row, (after, now), (before, then)))
        sheet.names[f"pooling_{name}"] = after
        readers[name] = Map((after, now), (before, then), partial(_sampled, sheet, areas, number, pool))
    beside = _RIGHT_AT.column + 3
    sheet.span(_RIGHT_AT.row, beside, areas.last_column, _words(shift, differing), style.LINE)
    note = "changed by: the sum of all differences, without their signs, ÷ the sum of all values before"
    sheet.span(areas.last_row + 5, _LEFT, areas.last_column, note, style.NOTE)
    if nearest.suits(state.layout, state.lesson):
        corner = Block(POOLING, areas.before(0).row, _LEFT, 1, 1)
        said = nearest.add(sheet, state, corner, readers, areas.last_row + 4)
        sheet.span(_DOWN_AT.row, beside, areas.last_column, said, style.LINE)
    sheet.prints = Block(POOLING, 1, 1, areas.last_row + 5, areas.last_column)
    return sheet


def _sampled(sheet: Page, areas: _Areas, number: int, pool: Pool, sample: int, source: Block, picture: Array) -> Shown:
    """What a pool makes of a sample picture."""
    block = areas.sample(number, sample)
    return block, _pooled(sheet, block, pool, source, picture)


def _difference(sheet: Page, block: Block, name: str, after: Shown, before: Shown) -> None:
    """What has changed in a pooled map, in its place: one scale for all maps and shifts."""
    widgets.caption(sheet, block, f"{name}: + darker than before; framed: lighter", style.CLASS)
    widgets.framed_below_zero(sheet, (block,), _SHOWN_CHANGE)
    sheet.fill(block, sheet.each(*after) - sheet.each(*before), style.DIFFERENCE)
    sheet.scales.append(((block,), _CHANGE_SCALE))
    sheet.names[f"difference_{name}"] = block


def _words(shift: list[Expr], differing: list[Expr]) -> Expr:
    """What such a shift does; `differing` is how many cells of each map have changed."""
    right, down = shift
    first, second, third = (cells > 0 for cells in differing)
    others = first + second + third
    between = where(
        others == 0,
        "Pixels have moved, and no map shows it: each window keeps the number that it kept before.",
        text("Pixels have changed their windows: cells differ in ", others, f" of the {len(POOLS)} maps."),
    )
    even = "Whole windows have moved: each map has moved by whole cells, and inside it nothing has changed."
    moving = where(right % WINDOW + down % WINDOW > 0, between, even)
    still = "Nothing has moved: the upper maps are the lower ones."
    return where(all_of(right == 0, down == 0), still, moving)


def _moved(sheet: Page, block: Block, image: Expr, shift: list[Expr]) -> Array:
    """The picture, each pixel fetched from the row and column whose numbers stand beside it."""
    right, down = shift
    above, beside = block.part(-1, 0, 1, block.width), block.part(0, -1, block.height, 1)
    title = "the picture, moved; in grey the row and column that stand here now"
    widgets.caption(sheet, above, title, style.CLASS)

    def source(number: int, size: int, by: Expr) -> Expr:
        return largest(1, smallest(size, number - by))

    columns = sheet.fill_each(above, lambda _, x: source(x + 1, block.width, right), style.SIDE)
    rows = sheet.fill_each(beside, lambda y, _: source(y + 1, block.height, down), style.SIDE)
    moved = index(image, sheet.column(beside, rows), sheet.row(above, columns))
    sheet.fill(block, moved, style.ACTIVATION)
    sheet.scales.append(((block,), style.INK_SCALE))
    sheet.names["pooling_picture"] = block
    return np.asarray(moved.value)


def _pooled(sheet: Page, block: Block, pool: Pool, source: Block, picture: Array) -> Array:
    """A pooled map; of a picture that stands on another sheet, too."""

    def window(y: int, x: int) -> Expr:
        top, left = y * WINDOW, x * WINDOW
        pixels = picture[top : top + WINDOW, left : left + WINDOW]
        return pool.of(sheet.near(source.part(top, left, WINDOW, WINDOW), pixels))

    sheet.scales.append(((block,), style.INK_SCALE))
    return sheet.fill_each(block, window, style.ACTIVATION)


def _changed(sheet: Page, name: str, row: int, after: Shown, before: Shown) -> Expr:
    """How much of what there was has changed, and in how many cells; returns the cell with their number."""
    new, old = sheet.range(*after), sheet.range(*before)
    distance = (new - old) * ((new > old) - (new < old))  # not ABS, which Gnumeric takes of single cells only
    share = where(total(old) == 0, 0, sumproduct(distance) / total(old))
    cells = sumproduct((distance > DIFFERENT) * 1)
    first, last = after[0].column, after[0].last_column
    sheet.span(row + 2, first, last - 3, f"{name} has changed by", style.LINE)
    sheet.span(row + 2, last - 2, last, share, style.SHARE)
    sheet.span(row + 3, first, last - 3, f"cells that differ, of {after[1].size}", style.LINE)
    sheet.span(row + 3, last - 2, last, cells, style.NUMBER)
    differing = Block(POOLING, row + 3, last - 2, 1, 1)
    sheet.names |= {f"{name}_changed": Block(POOLING, row + 2, last - 2, 1, 1), f"{name}_cells": differing}
    return sheet.cell(differing, cells.value)


SHEET = Sheet(POOLING, page, NAME, inputs)
