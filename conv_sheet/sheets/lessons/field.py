"""The sheet `Field`: some small convolutions one after the other, and the one large convolution that does the same."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, all_of, grouped, largest, of, sumproduct, text, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import index, rows
from conv_sheet.cells.page import Content, Mark, Page, Verdict
from conv_sheet.errors import SpecError
from conv_sheet.layers.conv import Conv2d
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.addresses import TOLERANCE
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "field"
FIELD = "Field"
ROW, COLUMN, RELU, MAPS = "field_row", "field_column", "field_relu", "field_maps"

_LINES = (
    "Choose a value of the last map: what it depends on is framed. On the way back, each small kernel adds a row on "
    "every side. One large kernel, below, sees the same pixels at once.",
    "It is made from the small ones, by formulas, and makes the same map. Put a ReLU between them: every value gets a "
    "kernel of its own, the lowest here, and the small kernels do what no single kernel can.",
)
_ASK_ROW = 5
_RELU_AT = Block(FIELD, _ASK_ROW, 23, 1, 1)
_BETWEEN = "no", "yes"
_TOP = 9
_TEXT_WIDTH, _NUMBER_WIDTH = 16, 6
_MOST_MAPS = 2048


@dataclass(frozen=True)
class _Blocks:
    """Where everything stands: both ways begin at the left and end in the same columns."""

    layout: Layout

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The small convolutions."""
        return self.layout.stages[1:]

    @cached_property
    def sides(self) -> list[int]:
        """Rows, and columns, of each small kernel."""
        return [stage.own["weight"].shape[2] for stage in self.stages]

    @cached_property
    def maps(self) -> list[Block]:
        """The picture, and what each small convolution makes."""
        blocks = [Block(FIELD, _TOP, 3, *self.layout.input.blocks[0].shape)]
        for stage, side in zip(self.stages, self.sides, strict=True):
            blocks.append(_behind(blocks[-1], side + 5, *stage.out.blocks[0].shape))
        return blocks

    @cached_property
    def small(self) -> list[Block]:
        """Each small kernel, behind the map that it reads."""
        return [_behind(block, 2, side, side) for block, side in zip(self.maps, self.sides, strict=False)]

    @cached_property
    def picture(self) -> Block:
        """The picture again, where the lower way begins."""
        first = self.maps[0]
        return Block(FIELD, first.last_row + 4, first.column, *first.shape)

    @cached_property
    def made(self) -> Block:
        """What the large kernel makes of it."""
        last = self.maps[-1]
        return Block(FIELD, self.picture.row + 1, last.column, *last.shape)

    @cached_property
    def large(self) -> list[Block]:
        """What the first two small kernels are in one, then the first three, and so on; each below a map."""
        blocks = []
        for count, above in enumerate(self.maps[1:-1], 2):
            side = 1 + sum(side - 1 for side in self.sides[:count])
            blocks.append(Block(FIELD, self.picture.row + 1, above.column + (above.width - side) // 2, side, side))
        return blocks

    @cached_property
    def own(self) -> list[Block]:
        """What the last kernel counts for the chosen value, the last two, and so on to the picture; below those."""
        blocks: list[Block] = []
        for number, above in zip(reversed(range(len(self.sides))), (self.small[0], *self.large), strict=True):
            side = 1 + self.growth(number)
            column = max(above.column, blocks[-1].last_column + 4) if blocks else above.column
            blocks.append(Block(FIELD, self.large[-1].last_row + 4, column, side, side))
        return blocks

    def growth(self, number: int) -> int:
        """Rows by which the field on a map, counted from the picture, is more than one."""
        return sum(side - 1 for side in self.sides[number:])

    def ask(self, number: int) -> Block:
        return Block(FIELD, _ASK_ROW, 6 + 6 * number, 1, 1)

    def counted(self, line: int, column: int) -> Block:
        """A number of the table."""
        first = 2 + _TEXT_WIDTH + column * _NUMBER_WIDTH
        return Block(FIELD, max(self.picture.last_row, self.own[-1].last_row) + 3 + line, first, 1, 1)


def _behind(block: Block, gap: int, height: int, width: int) -> Block:
    """A block to the right of another one, with its middle as high."""
    return Block(FIELD, block.row + (block.height - height) // 2, block.last_column + 1 + gap, height, width)


def _blocks(layout: Layout) -> _Blocks:
    """Raises SpecError where one large kernel could not do the same."""
    stages = layout.stages[1:]
    plain = all(
        isinstance(stage.layer, Conv2d)
        and stage.nodes[0].inputs == (before.name,)
        and set(stage.layer.options()) == {"out_channels", "kernel_size", "bias"}
        and stage.own["weight"].shape[:2] == (1, 1)
        and stage.own["weight"].shape[2] == stage.own["weight"].shape[3]
        and stage.activation is None
        for before, stage in zip(layout.stages, stages, strict=False)
    )
    if not plain or len(stages) < 2:
        raise SpecError(
            f"the sheet {NAME!r} needs two or more Conv2d layers and no others, each with one map in and out, a square "
            "kernel, bias = false, and the usual stride, padding and dilation"
        )
    return _Blocks(layout)


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The value to look at, whether there is a ReLU between kernels, and for how many maps to count weights."""
    blocks = _blocks(layout)
    between = Input.one_of(RELU, _RELU_AT, _BETWEEN, "no", "yes puts a ReLU between the small kernels, here only.")
    height, width = blocks.made.shape
    maps = f"Maps in and out of every layer: from 1 to {_MOST_MAPS:,}."
    row, column, counted = (
        Input.cell(name, block, default, Limits(1, most, whole=True, hint=hint))
        for name, block, default, most, hint in (
            (ROW, blocks.ask(0), height // 2, height, f"Row of a value: a whole number from 1 to {height}."),
            (COLUMN, blocks.ask(1), width // 2, width, f"Column of a value: from 1 to {width}."),
            (MAPS, blocks.counted(3, 0), 64, _MOST_MAPS, maps),
        )
    )
    return row, column, between, counted


def page(state: WorkbookState) -> Page:
    """The sheet: the small kernels above, the large one below, and how many weights each way has."""
    blocks = _blocks(state.layout)
    last = blocks.maps[-1].last_column
    sheet = widgets.frame(FIELD, last, style.WIDE_ZOOM)
    cockpit.head(sheet, state, "What a value sees: three small kernels, or one large one", _LINES)
    row, column, between, _ = inputs(state.layout, state.lesson)
    widgets.ask(sheet, row, state[row], "row", 4)
    widgets.ask(sheet, column, state[column], "column", 3)
    widgets.ask(sheet, between, state[between], "ReLU between", 6, style.CHOICE_TEXT, 2)
    value = sheet.cell(row.at, state.number(row)), sheet.cell(column.at, state.number(column))
    words = f"There is no such value: row 1 to {row.limits.high}, column 1 to {column.limits.high}."
    there = all_of(*map(widgets.allowed, (row, column), value))
    sheet.span(_ASK_ROW, between.at.column + 3, between.at.column + 18, where(there, "", words), style.LINE)
    relu = sheet.cell(between.at, state.text(between)) == "yes"
    maps = _small(sheet, state, blocks, value, relu)
    kernel = _large(sheet, state, blocks, value, maps[-1])
    _own(sheet, state, blocks, maps, lambda *at: where(relu, where(there, _passed(sheet, value, *at), 0), 1))
    _table(sheet, state, blocks, rows(sheet.near(blocks.large[-1], kernel)))
    return sheet


def _small(
    sheet: Page, state: WorkbookState, blocks: _Blocks, value: tuple[Expr, Expr], relu: Expr
) -> list[tuple[Block, Array]]:
    """The picture, and what one small kernel after the other makes of it; returns the maps."""
    first = blocks.maps[0]
    _map(sheet, first, "the picture", value, blocks.growth(0))
    sheet.fill(first, sheet.each(state.layout.input.blocks[0], state.image[0]), style.ACTIVATION)
    made = [(first, state.image[0])]
    for number, (block, kernel, stage) in enumerate(zip(blocks.maps[1:], blocks.small, blocks.stages, strict=True), 1):
        name, windows = f"{stage.name}_out_1", sheet.windows(made[-1][0], kernel.shape, made[-1][1])
        sums = sumproduct(windows, sheet.range(kernel, _weight(state, stage)))
        between = number < len(blocks.stages)
        _map(sheet, block, where(relu, f"ReLU of {name}", name) if between else name, value, blocks.growth(number))
        shown = where(relu, largest(0, sums), sums) if between else sums
        sheet.fill(block, shown, style.ACTIVATION)
        made.append((block, np.asarray(shown.value)))
        if between:
            widgets.signed(sheet, _bound(block), made[-1:])
    sheet.names["field_last"] = blocks.maps[-1]
    for block, kernel, stage in zip(blocks.maps, blocks.small, blocks.stages, strict=False):
        weight = _weight(state, stage)
        widgets.caption(sheet, kernel, stage.name)
        sheet.fill(kernel, sheet.each(stage.own["weight"].blocks[0], weight), style.SCORE)
        widgets.signed(sheet, _bound(kernel), [(kernel, weight)])
        widgets.glyph(sheet, block, "⋆")
        widgets.glyph(sheet, kernel, "=")
    sheet.scales.append(((first,), style.INK_SCALE))
    return made


def _weight(state: WorkbookState, stage: Stage) -> Array:
    weight: Array = state.tensors[f"{stage.name}.weight"][0, 0]
    return weight


def _bound(block: Block) -> Block:
    """The cell for the bound of a block's colours."""
    return Block(FIELD, block.last_row + 1, block.last_column, 1, 1)


def _map(sheet: Page, block: Block, title: Content, value: tuple[Expr, Expr], growth: int) -> None:
    """Title, numbered rows and columns of a map, and the frame around what the chosen value sees of it."""
    sheet.put(block.row - 2, block.column, title, style.CLASS)
    left, top = block.part(0, -1, block.height, 1), block.part(-1, 0, 1, block.width)
    down, right = (np.arange(1.0, size + 1) for size in block.shape)
    sheet.fill(left, down[:, np.newaxis], style.AXIS)
    sheet.fill(top, right, style.AXIS)
    axes = sheet.column(left, down), sheet.row(top, right)
    within = [test for axis, at in zip(axes, value, strict=True) for test in (axis >= at, axis <= at + growth)]
    sheet.marks.append(Mark(block, all_of(*within).formula, line=style.ORANGE))


def _large(
    sheet: Page, state: WorkbookState, blocks: _Blocks, value: tuple[Expr, Expr], last: tuple[Block, Array]
) -> Array:
    """The kernels in one, step by step, and the same map at once; gives the large kernel."""
    picture, made = blocks.picture, blocks.made
    _map(sheet, picture, "the picture", value, blocks.growth(0))
    sheet.fill(picture, sheet.each(state.layout.input.blocks[0], state.image[0]), style.ACTIVATION)
    sheet.scales.append(((picture,), style.INK_SCALE))
    widgets.glyph(sheet, picture, "⋆")
    names, (block, *others) = [stage.name for stage in blocks.stages], blocks.small
    kernel = _weight(state, blocks.stages[0])
    for number, (second, large) in enumerate(zip(others, blocks.large, strict=True), 1):
        widgets.caption(sheet, large, f"{', '.join(names[:number])} and {names[number]} in one")
        kernel = _joined(sheet, large, (block, kernel), (second, _weight(state, blocks.stages[number])))
        widgets.signed(sheet, _bound(large), [(large, kernel)])
        widgets.glyph(sheet, large, "=" if number == len(others) else "→")
        block = large
    _map(sheet, made, "at once", value, blocks.growth(len(blocks.sides)))
    windows = sheet.windows(picture, block.shape, state.image[0])
    at_once = sumproduct(windows, sheet.range(block, kernel))
    sheet.fill(made, at_once, style.ACTIVATION)
    for map_, values in (last, (made, at_once.value)):
        widgets.signed(sheet, _bound(map_), [(map_, values)])
    sheet.names |= {"field_kernel": block, "field_at_once": made}
    apart = (sheet.range(*last) - sheet.range(made, at_once.value)) ** 2
    line, differ = Block(FIELD, made.last_row + 3, made.column, 1, made.width), sumproduct((apart > TOLERANCE) * 1)
    words = text(differ, f" of {made.height * made.width} values differ")
    sheet.merged(line, where(differ == 0, "both ways, the same map", words), style.STATUS)
    sheet.verdicts.append(Verdict(line, (differ == 0).formula))
    sheet.names["field_verdict"] = line.part(0, 0, 1, 1)
    return kernel


def _own(
    sheet: Page,
    state: WorkbookState,
    blocks: _Blocks,
    maps: list[tuple[Block, Array]],
    passes: Callable[[Block, Array, int, int], Expr],
) -> None:
    """What each pixel counts for the chosen value: its kernel, in which only ways count that every ReLU lets pass."""
    *_, last = stages = blocks.stages
    gone: tuple[Block, Array] | None = None
    for number, block in zip(reversed(range(len(stages))), blocks.own, strict=True):
        kernel, through = (blocks.small[number], _weight(state, stages[number])), partial(passes, *maps[number])
        made = sheet.fill_each(block, partial(_counted, sheet, kernel, gone, through if number else None), style.SCORE)
        widgets.signed(sheet, _bound(block), [(block, made)])
        words = f"{stages[number].name} to {last.name}, for this value" if number else "the kernel of this value"
        widgets.caption(sheet, block, words if gone else f"{last.name}, for this value")
        if number:
            widgets.glyph(sheet, block, "→")
        gone = block, made
    sheet.names["field_own"] = blocks.own[-1]


def _counted(
    sheet: Page,
    kernel: tuple[Block, Array],
    gone: tuple[Block, Array] | None,
    passes: Callable[[int, int], Expr] | None,
    y: int,
    x: int,
) -> Expr:
    """What a place of a map counts: through its kernel and what has `gone` on from there, if a ReLU lets it pass."""
    count = _product(sheet, kernel, gone, (y, x)) if gone else _value(sheet, *kernel, (y, x))
    return count * passes(y, x) if passes else count


def _passed(sheet: Page, value: tuple[Expr, Expr], seen: Block, values: Array, y: int, x: int) -> Expr:
    """Whether a ReLU lets that pass which stands so far from the first cell that the chosen value sees of a map."""
    row, column = value
    return (index(sheet.range(seen, values), row + y, column + x) > 0) * 1


def _joined(sheet: Page, block: Block, first: tuple[Block, Array], second: tuple[Block, Array]) -> Array:
    """The kernel that does at once what two kernels, each a block and its values, do one after the other."""
    return sheet.fill_each(block, lambda y, x: _product(sheet, first, second, (y, x)), style.SCORE)


def _product(sheet: Page, first: tuple[Block, Array], second: tuple[Block, Array], at: tuple[int, int]) -> Expr:
    """One weight of it."""
    products: list[Expr] = []
    for step in np.ndindex(*second[0].shape):
        back = at[0] - step[0], at[1] - step[1]
        if all(0 <= offset < size for offset, size in zip(back, first[0].shape, strict=True)):
            products.append(_value(sheet, *first, back) * _value(sheet, *second, step))
    return sum(products[1:], start=products[0])


def _value(sheet: Page, block: Block, values: Array, at: tuple[int, ...]) -> Expr:
    """One value of a block."""
    return sheet.cell(block.part(at[0], at[1], 1, 1), values[at])


def _table(sheet: Page, state: WorkbookState, blocks: _Blocks, side: Expr) -> None:
    """Weights of both ways, for one map and for as many as the user says; `side` is that of the large kernel."""
    (*_, item), at = inputs(state.layout, state.lesson), blocks.counted
    sides = [of(one) for one in blocks.sides]
    squares = sum((one**2 for one in sides[1:]), start=sides[0] ** 2)
    maps = sheet.cell(item.at, state.number(item))
    small, large = sheet.cell(at(2, 0), squares.value), sheet.cell(at(2, 1), (side**2).value)
    lines: tuple[tuple[Content, ...], ...] = (
        ("what each way costs", f"{len(sides)} small kernels", "one large kernel"),
        ("rows and columns that a value sees", sum((grouped(one - 1) for one in sides), start=of(1)), side),
        ("weights, from one map to one map", squares, side**2),
        ("maps in and out of every layer",),
        ("weights, with so many maps", small * maps**2, large * maps**2),
        ("the small kernels' part", small / large),
    )
    for line, (label, *numbers) in enumerate(lines):
        sheet.span(at(line, 0).row, 2, 1 + _TEXT_WIDTH, label, style.LINE if line else style.HEAD_LEFT)
        for column, content in enumerate(numbers):
            cell, look = at(line, column), style.HEAD
            if isinstance(content, Expr):
                look = style.PERCENT if content.value < 1 else style.NUMBER
            sheet.span(cell.row, cell.column, cell.column + _NUMBER_WIDTH - 1, content, look)
    sheet.names |= {"field_small_weights": at(4, 0), "field_large_weights": at(4, 1), "field_part": at(5, 0)}
    sheet.input(item, state[item], style.ASKED, _NUMBER_WIDTH)


SHEET = Sheet(FIELD, page, NAME, inputs)
