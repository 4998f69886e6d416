"""The sheet `Pooling`: the picture moved by a few pixels, pooled in three ways, beside what it was before it moved."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from conv_sheet import ops as numbers
from conv_sheet.cells import style
from conv_sheet.cells import widgets as parts
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.page import Page, Setting
from conv_sheet.cells.words import Live, either, say
from conv_sheet.errors import ShapeError
from conv_sheet.layers import Array
from conv_sheet.network.layout import Layout
from conv_sheet.sheets.held import Held

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
    """A way to pool: the spreadsheet's function, the engine's, and PyTorch's."""

    function: str
    engine: Callable[[Array, int], Array]
    torch: str


POOLS = {
    "max": Pool("MAX", numbers.max_pool2d, f"F.max_pool2d(x, {WINDOW})"),
    "average": Pool("AVERAGE", numbers.avg_pool2d, f"F.avg_pool2d(x, {WINDOW})"),
    "min": Pool("MIN", numbers.min_pool2d, f"-F.max_pool2d(-x, {WINDOW})"),
}

_TOP, _LEFT, _GAP, _LABEL = 10, 3, 3, 6
_RIGHT_AT, _DOWN_AT = (Block(POOLING, row, _LEFT + _LABEL, 1, 1) for row in (5, 6))
_LINES = (
    "A pool keeps one number of each 2×2 window, and forgets where in the window it came from.",
    "Move the picture by a pixel: what the upper maps have in common with the lower ones did not notice.",
)


class _Places(NamedTuple):
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

    def before(self, pool: int) -> Block:
        """The pooled map of the picture as it is."""
        after = self.after(pool)
        return Block(POOLING, after.last_row + 3, after.column, *self.size)

    def differing(self, pool: int) -> Block:
        """The cell that says in how many cells the two maps differ."""
        return Block(POOLING, self.last_row + 3, self.after(pool).last_column - 2, 1, 1)

    @property
    def last_row(self) -> int:
        return max(self.before(0).last_row, self.moved.last_row)

    @property
    def last_column(self) -> int:
        return self.after(len(POOLS) - 1).last_column


def _places(layout: Layout) -> _Places:
    source = layout.input.blocks[0]
    if min(source.shape) < SMALLEST:
        small = f"{source.height}×{source.width}"
        raise ShapeError(f"the sheet {POOLING} needs a picture of {SMALLEST}×{SMALLEST} pixels at least, not {small}")
    return _Places(Block(POOLING, _TOP, _LEFT, source.height, source.width))


def settings(layout: Layout) -> tuple[Setting, ...]:
    """How far the picture moves, to the right and down."""
    hint = f"A whole number from -{FARTHEST} to {FARTHEST}; below zero is the other way."
    return (
        Setting(RIGHT, _RIGHT_AT, 1, hint, -FARTHEST, FARTHEST),
        Setting(DOWN, _DOWN_AT, 0, hint, -FARTHEST, FARTHEST),
    )


def engine(held: Held) -> list[tuple[Placed, Array]]:
    """Nothing here is the engine's."""
    return []


def moved(image: Array, right: int, down: int) -> Array:
    """A picture (H, W) moved by some pixels; where nothing moves in, the outermost row or column is repeated.

    >>> moved(np.array([[1.0, 2.0, 3.0]]), right=1, down=0).tolist()
    [[1.0, 1.0, 2.0]]
    """
    rows, columns = (np.clip(np.arange(n) - by, 0, n - 1) for n, by in zip(image.shape, (down, right), strict=True))
    return image[np.ix_(rows, columns)]


def page(held: Held) -> Page:
    """The sheet: the shift, the moved picture, three pools of it and of the picture as it is, and what changed."""
    places = _places(held.layout)
    sheet = parts.frame(POOLING, places.last_column, style.NETWORK_ZOOM)
    parts.head(sheet, "Pooling: what is kept when a picture moves", _LINES, places.last_column)
    right, down = (int(held.chosen[name]) for name in (RIGHT, DOWN))
    for setting, label in zip(settings(held.layout), ("shift to the right", "shift down"), strict=True):
        parts.ask(sheet, setting, held.chosen[setting.name], label, _LABEL)
    image, source = held.image[0], held.layout.input.blocks[0]
    shifted = moved(image, right, down)
    _moved(sheet, places.moved, shifted, source, (right, down))
    _changed(sheet, "picture", places.last_row, places.moved, source, (shifted, image))
    others = 0
    for number, (name, pool) in enumerate(POOLS.items()):
        maps = tuple(pool.engine(x[np.newaxis, np.newaxis], WINDOW)[0, 0] for x in (shifted, image))
        after, before = places.after(number), places.before(number)
        _pooled(sheet, after, maps[0], pool, places.moved)
        _pooled(sheet, before, maps[1], pool, source)
        parts.caption(sheet, after, f"{name} of each window: {pool.torch}", style.CLASS)
        parts.caption(sheet, before, f"{name}, had nothing moved", style.CLASS)
        _changed(sheet, name, places.last_row, after, before, maps)
        sheet.names[f"pooling_{name}"] = after
        others += bool((np.abs(maps[0] - maps[1]) > DIFFERENT).any())
    _say(sheet, right, down, places, others)
    note = "changed by: the sum of all differences, without their signs, ÷ the sum of all values before"
    sheet.span(places.last_row + 4, _LEFT, places.last_column, note, style.NOTE)
    return sheet


def _say(sheet: Page, right: int, down: int, places: _Places, others: int) -> None:
    """What such a shift does; `others` is how many of the maps it makes another."""
    x, y = _RIGHT_AT.fixed(), _DOWN_AT.fixed()
    odd, whole = f"MOD({x},{WINDOW})+MOD({y},{WINDOW})>0", f"AND({x}=0,{y}=0)"
    still = "Nothing has moved: the upper maps are the lower ones."
    even = "Whole windows have moved: each map has moved by whole cells, and inside it nothing has changed."
    count = Live(others, "+".join(f"({places.differing(pool).fixed()}>0)" for pool in range(len(POOLS))))
    same = "Pixels have moved, and no map shows it: each window keeps the number that it kept before."
    other = say("Pixels have changed their windows: cells differ in ", count, f" of the {len(POOLS)} maps.")
    between = either(others == 0, f"{count.formula}=0", same, other)
    moving = either(right % WINDOW + down % WINDOW > 0, odd, between, even)
    words = either(right == down == 0, whole, still, moving)
    sheet.span(_RIGHT_AT.row, _RIGHT_AT.column + 3, places.last_column, words.value, style.LINE, words.formula)


def _moved(sheet: Page, block: Block, values: Array, source: Block, shift: tuple[int, int]) -> None:
    """The picture, each pixel fetched from the row and column whose numbers stand beside it."""
    above, beside = block.part(-1, 0, 1, block.width), block.part(0, -1, block.height, 1)
    parts.caption(sheet, above, "the picture, moved; in grey the row and column that stand here now", style.CLASS)
    for along, size, asked, by in zip((above, beside), block.shape[::-1], (_RIGHT_AT, _DOWN_AT), shift, strict=True):
        for number, at in enumerate(along.positions(), 1):
            here = min(max(number - by, 1), size)
            sheet.put(*at, here, style.SIDE, f"MAX(1,MIN({size},{number}-{asked.fixed()}))")

    def fetched(y: int, x: int) -> str:
        return f"INDEX({source.reference},{beside.fixed(y, 0)},{above.fixed(0, x)})"

    parts.compute(sheet, block, values, style.ACTIVATION, fetched)
    sheet.scales.append(((block,), style.INK_SCALE))
    sheet.names["pooling_picture"] = block


def _pooled(sheet: Page, block: Block, values: Array, pool: Pool, source: Block) -> None:
    """A pooled map; of a picture that stands on another sheet, too."""

    def formula(y: int, x: int) -> str:
        window = source.part(y * WINDOW, x * WINDOW, WINDOW, WINDOW)
        return f"{pool.function}({window.relative if source.sheet == POOLING else window.reference})"

    parts.compute(sheet, block, values, style.ACTIVATION, formula)
    sheet.scales.append(((block,), style.INK_SCALE))


def _changed(sheet: Page, name: str, row: int, after: Block, before: Block, values: tuple[Array, ...]) -> None:
    """How much of what there was has changed, and in how many cells."""
    new, old = after.reference, before.reference
    apart, whole = np.abs(values[0] - values[1]), float(values[1].sum())
    distance = f"({new}-{old})*(({new}>{old})-({new}<{old}))"  # not ABS, which Gnumeric takes of single cells only
    share = f"IF(SUM({old})=0,0,SUMPRODUCT({distance})/SUM({old}))"
    cells = f"SUMPRODUCT(({distance}>{DIFFERENT:.0E})*1)"
    first, last = after.column, after.last_column
    sheet.span(row + 2, first, last - 3, f"{name} has changed by", style.LINE)
    sheet.span(row + 2, last - 2, last, float(apart.sum()) / whole if whole else 0.0, style.SHARE, share)
    sheet.span(row + 3, first, last - 3, f"cells that differ, of {values[0].size}", style.LINE)
    sheet.span(row + 3, last - 2, last, int((apart > DIFFERENT).sum()), style.NUMBER, cells)
    sheet.names[f"{name}_changed"] = Block(POOLING, row + 2, last - 2, 1, 1)
    sheet.names[f"{name}_cells"] = Block(POOLING, row + 3, last - 2, 1, 1)
