"""The sheet `Dropout`: a map before and after, the mask between, and what a hundred masks do to the sum on average."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, average, integer, sumproduct, total, where
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import choose
from conv_sheet.cells.page import Content, Page
from conv_sheet.errors import SpecError
from conv_sheet.layers.dropout import Dropout, random_cell
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME, MASKS_NAME = "dropout", "masks"
DROPOUT, MASKS = "Dropout", "Masks"
MAP = "dropout_map"
AVERAGE = "dropout_average"
SIDE = 10
"""Of the square that shows what a hundred masks do."""

_LINES = (
    "In training every value is dropped with probability p; what is kept is divided by 1 − p, so that on average the "
    "sum stays what it was, and the next layer need not know.",
    "In use nothing is dropped and nothing is divided: the layer passes values on (nn.Dropout after eval()). "
    "Every training step draws another mask, here: every seed.",
)
_WRONG = (
    "Not divided by 1 − p: the next layer would learn from sums that are smaller than those it meets in use.",
    "A mean over another count of cells than the mask has: then the share that is kept looks wrong, and is not.",
    "RAND() for the mask: it draws anew at every keystroke, so that nothing can be compared with anything.",
    "Left switched on in use: the same picture gets another probability each time. Try it: active 1, then other seeds.",
)
_PLANES = {
    "before": ("sum", style.ACTIVATION),
    "random numbers": ("mean", style.SCORE),
    "mask: 0 where random < p": ("kept", style.MASK),
    "before × mask": ("sum", style.ACTIVATION),
    "after: ÷ (1 − p)": ("sum", style.ACTIVATION),
}
"""What stands above each plane, what the number below it is called, and how the plane looks."""
_NUMBERS = {"sum": style.TENTHS, "mean": style.DECIMAL, "kept": style.NUMBER}
_TOP = 9
_TEXT_WIDTH, _NUMBER_WIDTH = 18, 5


@dataclass(frozen=True)
class Blocks:
    """Where everything stands, by the size of the maps that are dropped from."""

    layout: Layout
    stage: Stage

    @cached_property
    def source(self) -> Placed:
        return self.layout.site(self.stage).source

    @cached_property
    def map(self) -> Block:
        """The cell that says which map."""
        return Block(DROPOUT, 5, 4, 1, 1)

    @cached_property
    def planes(self) -> list[Block]:
        """The chosen map before, its random numbers, its mask, what the mask keeps, and the map after."""
        height, width = self.source.blocks[0].shape
        return [Block(DROPOUT, _TOP, 2 + number * (width + 2), height, width) for number in range(len(_PLANES))]

    @cached_property
    def numbers(self) -> list[Block]:
        """A number under each plane."""
        return [Block(DROPOUT, p.last_row + 2, p.last_column - 2, 1, 1) for p in self.planes]

    @cached_property
    def changes(self) -> Block:
        """How far each of a hundred masks takes the sum from what it was."""
        return Block(DROPOUT, self.numbers[0].row + 6, 2, SIDE, SIDE)

    @cached_property
    def values(self) -> Block:
        """The values of the chosen map in one row, on the sheet `Masks`."""
        height, width = self.source.blocks[0].shape
        return Block(MASKS, 7, 3, 1, height * width)

    @property
    def indices(self) -> Block:
        """Above each value its number among all values of the layer, from 1."""
        return self.values.part(-1, 0, 1, self.values.width)

    @cached_property
    def masks(self) -> Block:
        """A hundred masks, each one a row below the values."""
        return Block(MASKS, self.values.row + 1, self.values.column, SIDE**2, self.values.width)

    @property
    def seeds(self) -> Block:
        """The seed of each mask, before it."""
        return self.masks.part(0, -1, self.masks.height, 1)

    def result(self, number: int) -> Block:
        """A column behind the masks: what is kept, the sum after, and how far that is from the sum before."""
        return Block(MASKS, self.masks.row, self.masks.last_column + 2 + number, self.masks.height, 1)

    @cached_property
    def table(self) -> Block:
        return Block(DROPOUT, self.changes.row - 1, self.changes.last_column + 3, 1, _TEXT_WIDTH + 2 * _NUMBER_WIDTH)

    def counted(self, line: int, column: int) -> Block:
        """A number of the table."""
        first = self.table.column + _TEXT_WIDTH + column * _NUMBER_WIDTH
        return Block(DROPOUT, self.table.row + line, first, 1, 1)


def blocks_of(layout: Layout, lesson: Lesson) -> Blocks:
    """Raises SpecError for a network without a Dropout over maps, and for a spec with one of the two sheets."""
    if not {NAME, MASKS_NAME} <= set(lesson.sheets):
        raise SpecError(f"the sheets {NAME!r} and {MASKS_NAME!r} need each other: name both")
    for stage in layout.stages:
        if stage.nodes and isinstance(stage.layer, Dropout) and len(stage.out.shape) == 3:
            return Blocks(layout, stage)
    raise SpecError(f"the sheet {NAME!r} needs a Dropout layer that reads maps")


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """Which map to look at."""
    blocks = blocks_of(layout, lesson)
    maps = len(blocks.source.blocks)
    hint = f"Which map: a whole number from 1 to {maps}."
    return (Input.cell(MAP, blocks.map, 1, Limits(1, maps, whole=True, hint=hint)),)


def page(state: WorkbookState) -> Page:
    """The sheet: five planes above, a hundred masks and what to make of them below."""
    blocks = blocks_of(state.layout, state.lesson)
    last = blocks.planes[-1].last_column
    sheet = widgets.frame(DROPOUT, last, zoom=style.NETWORK_ZOOM)
    cockpit.head(sheet, state, "Dropout: no value can be relied on, the sum can", _LINES)
    (item,) = inputs(state.layout, state.lesson)
    widgets.ask(sheet, item, state[item], "map", 2)
    _switches(sheet, state, blocks)
    _planes(sheet, state, blocks)
    _changes(sheet, state, blocks)
    _words(sheet, blocks)
    return sheet


# -- what both sheets calculate with -----------------------------------------------------------------------------------


def option(sheet: Page, state: WorkbookState, blocks: Blocks, short: str) -> Expr:
    """An option of the layer, which stands on `Network`."""
    return sheet.cell(blocks.stage.own[short].blocks[0], state.tensors[f"{blocks.stage.name}.{short}"])


def chosen(sheet: Page, state: WorkbookState, blocks: Blocks) -> Expr:
    """Number of the chosen map, from 1."""
    (item,) = inputs(state.layout, state.lesson)
    return sheet.cell(blocks.map, state.number(item))


def source(state: WorkbookState, blocks: Blocks) -> Array:
    """The maps (C, H, W) that are dropped from."""
    (name,) = blocks.stage.nodes[0].inputs
    maps: Array = state.activations[name][0]
    return maps


@dataclass(frozen=True)
class Masks:
    """A hundred masks of the chosen map, for the layer's seed and the seeds after it, and what each does to the sum."""

    values: Array
    indices: list[Expr]
    seeds: list[Expr]
    masks: Expr
    kept: Expr
    after: Expr
    change: Expr


def masks_of(sheet: Page, state: WorkbookState, blocks: Blocks) -> Masks:
    """The masks as `Masks` has them."""
    number, p, seed = chosen(sheet, state, blocks), *(option(sheet, state, blocks, name) for name in ("p", "seed"))
    values, block = source(state, blocks)[int(number.value) - 1], blocks.masks
    indices = [(number - 1) * values.size + index for index in range(1, values.size + 1)]
    seeds = [integer(seed) + further for further in range(block.height)]
    index = sheet.row(blocks.indices, [one.value for one in indices])
    drawn = random_cell(index, sheet.column(blocks.seeds, [one.value for one in seeds]))
    masks = where(drawn < p, 0, 1)
    each = sheet.windows(block, (1, block.width), masks.value)
    after = sumproduct(sheet.range(blocks.values, values), each) / (1 - p)
    whole = sheet.cell(blocks.numbers[0], values.sum())
    change = where(whole == 0, 0, sheet.each(blocks.result(1), after.value) / whole - 1)
    return Masks(values, indices, seeds, masks, total(each), after, change)


# -- the sheet, from top to bottom -------------------------------------------------------------------------------------


def _switches(sheet: Page, state: WorkbookState, blocks: Blocks) -> None:
    """The layer's options: copies that lead to where they can be changed."""
    row = blocks.map.row
    for number, short in enumerate(("p", "seed", "active")):
        column = blocks.map.column + 3 + 5 * number
        sheet.span(row, column, column + 1, short, style.LINE)
        sheet.put(row, column + 2, option(sheet, state, blocks, short), style.LINKED)
        sheet.links[row, column + 2] = blocks.stage.own[short].blocks[0].other()
    on, off = "on: Network shows the values after", "off, as in use: Network passes the values on as they are"
    hint = blocks.map.column + 17
    sheet.span(row, hint, hint + 12, "click one of the three to change it on Network", style.NOTE)
    first = hint + 14
    sheet.span(row, first, first + 24, where(option(sheet, state, blocks, "active") == 0, off, on), style.LINE)


def _planes(sheet: Page, state: WorkbookState, blocks: Blocks) -> None:
    """The chosen map on its way through the layer."""
    own, at = blocks.stage.own, blocks.planes
    made = state.layout.values(blocks.stage, state.activations, state.tensors)
    maps = (blocks.source, source(state, blocks)), *((own[name], made[name]) for name in ("random", "mask"))
    shown = [
        choose(chosen(sheet, state, blocks), *map(sheet.each, placed.blocks, placed.planes(values)))
        for placed, values in maps
    ]
    kept = sheet.each(at[0], shown[0].value) * sheet.each(at[2], shown[2].value)
    after = sheet.each(at[3], kept.value) / (1 - option(sheet, state, blocks, "p"))
    for block, cell, plane, (title, (word, look)) in zip(
        at, blocks.numbers, [*shown, kept, after], _PLANES.items(), strict=True
    ):
        widgets.caption(sheet, block, title, style.CLASS)
        sheet.fill(block, plane, look)
        number = (average if word == "mean" else total)(sheet.near(block, plane.value))
        sheet.span(cell.row, block.column, cell.column - 1, word, style.RIGHT)
        sheet.span(cell.row, cell.column, block.last_column, number, _NUMBERS[word])
    for block in at[1:-1]:
        widgets.glyph(sheet, block, "→")
    sheet.scales.append(((at[0], at[3], at[4]), style.WARM_SCALE))
    sheet.scales.append(((at[1],), style.INK_SCALE))
    sheet.scales.append(((at[2],), style.PROBABILITY_SCALE))
    sheet.names |= {"dropout_before": at[0], "dropout_after": at[-1]}


def _changes(sheet: Page, state: WorkbookState, blocks: Blocks) -> None:
    """What each of a hundred masks does to the sum, and what they do on average."""
    block, source = blocks.changes, blocks.result(2)
    sheet.span(block.row - 3, 2, blocks.table.last_column, "On average, nothing changes", style.HEADING)
    text = (
        "The sum after ÷ the sum before, − 1: for this seed, and for the 99 after it, whose masks the sheet Masks has."
    )
    sheet.span(block.row - 2, 2, blocks.planes[-1].last_column, text, style.LINE)
    changes = np.broadcast_to(masks_of(sheet, state, blocks).change.value, source.shape)
    for number, (at, change) in enumerate(block.items(changes)):
        sheet.put(*at, sheet.cell(source.part(number, 0, 1, 1), change), style.CHANGE)
    square = changes.reshape(block.shape)
    widgets.signed(sheet, Block(DROPOUT, block.row - 1, block.last_column, 1, 1), [(block, square)])
    sheet.names["dropout_changes"] = block
    _table(sheet, blocks, square, option(sheet, state, blocks, "p"))


def _table(sheet: Page, blocks: Blocks, changes: Array, p: Expr) -> None:
    """What this mask and a hundred of them do to the sum, with the division and without it."""
    block, first = blocks.changes, blocks.table.column
    texts = ("how far the sum goes from what it was", "value × mask ÷ (1 − p)", "value × mask, not divided")
    for line, text in enumerate(texts):
        look = style.LINE if line else style.HEAD_LEFT
        sheet.span(blocks.table.row + line, first, first + _TEXT_WIDTH - 1, text, look)
    columns = {
        "this mask": sheet.cell(block.part(0, 0, 1, 1), changes[0, 0]),
        f"{changes.size} masks": average(sheet.near(block, changes)),
    }
    for column, (head, divided) in enumerate(columns.items()):
        bare = (1 + sheet.cell(blocks.counted(1, column), divided.value)) * (1 - p) - 1
        contents: tuple[Content, ...] = (head, divided, bare)
        for line, content in enumerate(contents):
            at = blocks.counted(line, column)
            look = style.DEVIATION if line else style.HEAD
            sheet.span(at.row, at.column, at.column + _NUMBER_WIDTH - 1, content, look)
    sheet.names[AVERAGE] = blocks.counted(1, 1)


def _words(sheet: Page, blocks: Blocks) -> None:
    """What often goes wrong."""
    first, last = blocks.table.column, blocks.planes[-1].last_column
    sheet.span(blocks.table.row + 4, first, last, "What often goes wrong", style.HEADING)
    for row, text in enumerate(_WRONG, blocks.table.row + 5):
        sheet.span(row, first, last, f"–  {text}", style.LINE)


SHEET = Sheet(DROPOUT, page, NAME, inputs)
