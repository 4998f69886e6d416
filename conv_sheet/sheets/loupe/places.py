"""The hidden sheet `Places`: numbers of every stage's `Reach`, and those of the cell that the loupe looks at.

Above are the facts, a column a stage, and the chosen stage's beside them; then what follows for the chosen cell; right
of them the lists of corners. Every number is an expression over those before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells import style
from conv_sheet.cells.expr import Expr, Operand, all_of, any_of, count, integer, largest, smallest, sumproduct, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import index
from conv_sheet.cells.page import Mark, Page
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.network.lesson import Lesson
from conv_sheet.sheets.loupe.facts import AXES, HOME, LOUPE, NONE, OWN, PLACES, Facts, Panel
from conv_sheet.sheets.loupe.reach import TILE, reaches
from conv_sheet.state import WorkbookState

LAYER, MAP, ROW, COLUMN = "loupe_layer", "loupe_map", "loupe_row", "loupe_column"
CELL = "loupe_cell"
FRAME = ("loupe_top", "loupe_left", "loupe_bottom", "loupe_right")
APART = ("loupe_down", "loupe_across")
ON_SHEET = "loupe_sheet"
SMALL = ("loupe_small_rows", "loupe_small_columns")
"""Where on `Network` the small picture of what is read takes its values from."""
SMALL_SIDE, EACH = 8, 3
"""Rows and columns of the small picture, and rows and columns of values whose average each of them is."""
TOP, CHOICE_COLUMN, CHOICE_WIDTH = 5, 5, 3
"""First row and column of the inputs on `Loupe`, and their width."""

_FIRST = 4
_PICTURE = "picture height", "picture width"


# -- what may be chosen ------------------------------------------------------------------------------------------------


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """Layer, map, row and column; at first above the middle and right of it, in the first map that has kernels.

    In the middle itself many a picture is empty.
    """
    found = tuple(reaches(layout))
    first = next((reach for reach in found if reach.weighted), found[0])
    start = (1, -(-first.shape[1] // 3), -(-first.shape[2] * 2 // 3))
    most = tuple(max(reach.shape[axis] for reach in found) for axis in range(3))
    layers = tuple(reach.stage.name for reach in found)
    listed = Block(PLACES, _FIRST + 1, 3, 1, len(found))
    hint = Limits(choices=layers, hint="One of the network's layers, as the sheet Network names them.")
    numbers = zip((MAP, ROW, COLUMN), start, most, strict=True)
    return (
        Input.cell(LAYER, _at(0), first.stage.name, hint, listed),
        *(
            Input.cell(
                name, _at(n), float(value), Limits(1, high, whole=True, hint=f"A whole number from 1 to {high}.")
            )
            for n, (name, value, high) in enumerate(numbers, 1)
        ),
    )


def _at(number: int) -> Block:
    return Block(LOUPE, TOP + number, CHOICE_COLUMN, 1, 1)


# -- the sheet ---------------------------------------------------------------------------------------------------------


@dataclass
class Numbers:
    """The numbers on the sheet, while it is put together: each has its row, and expressions name it by its name."""

    state: WorkbookState
    facts: Facts
    page: Page
    blocks: dict[str, tuple[Block, Any]] = field(default_factory=dict)

    def put(self, name: str, value: Expr) -> Expr:
        """A number in the next row."""
        block = Block(PLACES, _FIRST + len(self.blocks), 2, 1, 1)
        self.page.put(block.row, 1, name, style.LINE)
        self.page.put(block.row, block.column, value, style.LINE)
        self.blocks[name] = block, value.value
        return self.of(name)

    def of(self, name: str, page: Page | None = None) -> Expr:
        """A number, for formulas on this sheet or on another one."""
        block, value = self.blocks[name]
        return (page or self.page).cell(block, value)

    def listed(self, what: str, page: Page | None = None) -> Expr:
        """A list of all corners: of rows (`top`), columns (`left`) or names."""
        return (page or self.page).range(self.list_block(what), self.facts.lists[what])

    def list_block(self, what: str) -> Block:
        column = 5 + len(self.facts.reaches) + [*self.facts.lists].index(what)
        return Block(PLACES, _FIRST, column, len(self.facts.corners), 1)

    def corner(self, section: str, number: Operand) -> tuple[Expr, Expr]:
        """Row and column of a corner by its section and its number there, from 0."""
        place = self.of(f"{section} from") + number + 1
        return index(self.listed("top"), place), index(self.listed("left"), place)

    def setting(self, name: str) -> Expr:
        """An input of the loupe."""
        item = next(one for one in inputs(self.state.layout, self.state.lesson) if one.name == name)
        value = self.state.text(item) if item.is_text else self.state.number(item)
        return self.page.named(name, value)


@lru_cache(maxsize=2)
def numbers(state: WorkbookState) -> Numbers:
    """The sheet for a state, with everything that the loupe asks of it."""
    layout = state.layout
    pixels = frozenset(name for name, placed in layout.placed.items() if placed.blocks == layout.input.blocks)
    facts = Facts(tuple(reaches(layout)), len(state.network.classes), pixels)
    found = Numbers(state, facts, Page(PLACES, hidden=True, widths={1: 22.0, 2: 14.0}))
    page = found.page
    page.put(1, 1, PLACES, style.HEADING)
    page.put(2, 1, "Numbers for the sheet Loupe: where every layer's values and weights stand on Network.", style.LINE)
    for what, values in facts.lists.items():
        block = found.list_block(what)
        page.put(block.row - 1, block.column, what, style.HEAD)
        for part in _filled(values):
            page.fill(block.part(part.start, 0, part.stop - part.start, 1), values[part], style.LINE)
    _chosen_stage(found)
    _chosen_cell(found)
    for axis in (0, 1):
        _taps(found, axis)
    _frames(found)
    _small(found)
    for number, panel in enumerate(facts.panels):
        _panel(found, number, panel)
    return found


def _filled(values: NDArray[Any]) -> Iterator[slice]:
    """Where a list has something: most of what a large network has is kernels, and these have no names."""
    rows = np.flatnonzero(values[:, 0] != "")
    for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        if run.size:
            yield slice(int(run[0]), int(run[-1]) + 1)


def _chosen_stage(found: Numbers) -> None:
    """The facts of all stages, and in column B those of the chosen one."""
    page, table, width = found.page, found.facts.table, len(found.facts.reaches)
    for row, values in enumerate(table.values(), _FIRST):
        page.fill(Block(PLACES, row, 3, 1, width), values[np.newaxis], style.LINE)
    names = [page.range(Block(PLACES, _FIRST + n, 3, 1, width), table[name]) for n, name in enumerate(table)]
    known = sumproduct((names[1] == found.setting(LAYER)) * names[0])
    stage = Block(PLACES, _FIRST + len(table), 2, 1, 1)
    chosen = page.cell(stage, max(1, int(known.value)))
    for name, row in zip(table, range(_FIRST, _FIRST + len(table)), strict=True):
        # Two cells at least: the chosen one's own stands before those of all, and is never the one that is taken.
        area = page.range(Block(PLACES, row, 3, 1, width + 1), np.append(table[name], 0))
        found.put(name, index(area, 1, chosen))
    found.put("stage", largest(1, known))


def _chosen_cell(found: Numbers) -> None:
    """The numbers of the chosen cell; where there is none, those of the stage's first one."""
    of, put = found.of, found.put
    which, row, column = (found.setting(name) for name in (MAP, ROW, COLUMN))
    inside = [
        all_of(typed >= 1, typed <= of(most), typed == integer(typed))
        for typed, most in ((which, "maps"), (row, "rows"), (column, "columns"))
    ]
    there = all_of(
        of("name") == found.setting(LAYER), inside[1], any_of(of("vector") == 1, all_of(inside[0], inside[2]))
    )
    put("ok", where(count(which, row, column) < 3, 0, where(there, 1, 0)))
    in_map = all_of(of("ok") == 1, of("vector") == 0)
    put("map", where(in_map, which, 1))
    put("row", where(of("ok") == 1, row, 1))
    put("column", where(in_map, column, 1))
    put("output", where(of("vector") == 1, of("row"), of("map")) - 1)
    in_order = (of("output") * of("rows") + of("row") - 1) * of("columns") + of("column") - 1
    put("order", where(of("vector") == 1, of("output"), in_order))
    alone, rest = of("elementwise") == 1, of("order") % of("size")
    put("first map", where(alone, of("order") // of("size"), of("output") // of("sharing")) * of("each"))
    put("first row", where(alone, rest // of("width"), of("row") - 1))
    put("first column", where(alone, rest % of("width"), of("column") - 1))
    top, left = found.corner("out", of("output"))
    cell = [
        put("cell row", of("ok") * (top + (of("row") - 1) * (1 - of("vector")))),
        put("cell column", of("ok") * (left + (of("column") - 1) * (1 - of("vector")))),
    ]
    found.page.names[CELL] = Block(PLACES, found.blocks["cell row"][0].row, 2, len(cell), 1)
    for number in range(found.facts.owned):
        own = OWN.format(number)
        top, left = found.corner(own, of("output"))
        planar = of(f"{own} planar")
        there_is = all_of(of("ok") == 1, of(own) != NONE)
        put(f"{own} row", where(there_is, top + (of("row") - 1) * planar, 1))
        put(f"{own} column", where(there_is, left + (of("column") - 1) * planar, 1))


def _taps(found: Numbers, axis: int) -> None:
    """The rows (or columns) of the input, from 1, that the window has, in the window's order; a text where none is."""
    name, of = AXES[axis], found.of
    block = taps_block(found, axis)
    number = found.page.row_number(block) - 1
    at = of(f"first {name}") * of(f"{name} stride") - of(f"{name} before") + number * of(f"{name} dilation")
    inside = all_of(
        number < of(f"{name} size"),
        at % of(f"{name} spread") == 0,
        at >= of(f"{name} low"),
        at <= of(f"{name} high"),
    )
    found.page.put(block.row - 1, block.column, f"{name}s", style.HEAD)
    found.page.fill(block, where(inside, at / of(f"{name} spread") + 1, NONE), style.LINE)


def taps_block(found: Numbers, axis: int) -> Block:
    """Where they stand: two cells at least, as in the lists."""
    most = max(2, *((reach.rows, reach.columns)[axis].size for reach in found.facts.reaches))
    column = found.list_block("name").column + 2 + axis
    return Block(PLACES, _FIRST, column, most, 1)


def taps(found: Numbers, axis: int, page: Page | None = None) -> Expr:
    """Them all, for formulas."""
    block = taps_block(found, axis)
    fill = next(one for one in found.page.fills if one.block == block)
    return (page or found.page).range(block, fill.values)


def _frames(found: Numbers) -> None:
    """What is framed on `Network`: the rectangles of what the chosen cell sees, empty ones where there are none."""
    of, page = found.of, found.page
    rows, columns = taps(found, 0), taps(found, 1)
    seen = all_of(of("ok") == 1, count(rows) > 0, count(columns) > 0)
    column = taps_block(found, 1).column + 2
    height = max(2, found.facts.frames)
    numbers_ = page.row_number(Block(PLACES, _FIRST, column, height, 1)) - 1
    last = where(of("across") > 0, of("size") - 1, largest(rows) - smallest(rows))
    place = where(of("across") > 0, of("frames from"), of("reads from") + of("first map")) + numbers_ + 1
    inside = all_of(numbers_ < of("frames"), seen)
    top, left = index(found.listed("top"), place), index(found.listed("left"), place)
    first_row, first_column = (where(of("across") > 0, 0, smallest(area) - 1) for area in (rows, columns))
    corner = where(inside, top + first_row, 0), where(inside, left + first_column, 0)
    ends = (
        where(inside, top + first_row + last, -1),
        where(inside, left + first_column + where(of("across") > 0, 0, largest(columns) - smallest(columns)), -1),
    )
    for n, (name, values) in enumerate(zip(FRAME, (*corner, *ends), strict=True)):
        block = Block(PLACES, _FIRST, column + n, height, 1)
        page.put(block.row - 1, block.column, name, style.HEAD)
        page.fill(block, values, style.LINE)
        page.names[name] = block
    if found.facts.several_sheets:
        page.names[ON_SHEET] = found.blocks[HOME][0]
    for name, axis in zip(APART, AXES, strict=True):
        page.names[name] = found.blocks[f"{axis} apart"][0]


def _small(found: Numbers) -> None:
    """Rows and columns on `Network` of what the small picture shows: as many of the map, equally far apart."""
    of, put, page = found.of, found.put, found.page
    side = put("small side", largest(*map(of, _PICTURE)))
    place = where(of("pictured") == 1, of("reads from") + of("first map"), 0) + 1
    put("small name", where(of("pictured") == 1, index(found.listed("name"), place), NONE))
    for axis, (size, what) in enumerate(zip(_PICTURE, ("top", "left"), strict=True)):
        shown = -integer(-of(size) * SMALL_SIDE / side)
        put(f"small {AXES[axis]}s", where(all_of(of("ok") == 1, of("pictured") == 1), shown, 0))
        block = _small_block(found, axis)
        step = integer((page.row_number(block) - 1) * side / block.height)
        values = index(found.listed(what), place) + smallest(step, of(size) - 1)
        page.put(block.row - 1, block.column, SMALL[axis], style.HEAD)
        page.fill(block, values, style.LINE)
        page.names[SMALL[axis]] = block


def _small_block(found: Numbers, axis: int) -> Block:
    column = taps_block(found, 1).column + 2 + len(FRAME) + axis
    return Block(PLACES, _FIRST, column, SMALL_SIDE * EACH, 1)


def sampled(found: Numbers, axis: int, page: Page) -> list[Expr]:
    """The rows or columns on `Network` from which the small picture takes its values."""
    block = _small_block(found, axis)
    fill = next(one for one in found.page.fills if one.block == block)
    return [page.cell(block.part(n, 0, 1, 1), value) for n, value in enumerate(fill.values[:, 0].tolist())]


def marks(layout: Layout, here: str) -> Iterator[Mark]:
    """The frames on a sheet of the network; `here` says whether the chosen layer stands there, where there are several.

    They are around the chosen cell and what it sees. Only cells that can be either have them: a program asks the
    formula of each.
    """
    at = f"ROW()=INDEX({CELL},1),COLUMN()=INDEX({CELL},2)"
    seen = f"IF({here},{framed()},FALSE)" if here else framed()
    for stage in layout.stages:
        blocks, area = stage.out.blocks, stage.out.area
        if stage.nodes:
            # With the row above: LibreOffice shows no fill where a colour scale is for the same blocks.
            above = area.part(-1, 0, area.height + 1, area.width)
            yield Mark(above, f"AND({at},{here})" if here else f"AND({at})", style.AMBER, style.INK)
        else:
            dark = f"{blocks[0].cell()}>{style.INK_SCALE.dark}"
            yield Mark(blocks, f"IF({dark},{seen},FALSE)", line=style.FRAME, color=style.WHITE)
        for sort in (blocks, *_beside(stage)):
            yield Mark(sort, seen, line=style.FRAME)


def _beside(stage: Stage) -> Iterator[tuple[Block, ...]]:
    """What a window on a stage's output can see besides it: its border, and what formulas need on the way."""
    (height, width), border = stage.out.blocks[0].shape, stage.border
    down, right = height + border.top + border.bottom, width + border.left + border.right
    if (down, right) != (height, width):
        yield tuple(block.part(-border.top, -border.left, down, right) for block in stage.out.blocks)
    yield from (placed.blocks for short, placed in stage.computed() if short != "out")


def framed() -> str:
    """A formula for conditional formats on `Network`: whether the cell belongs to what the chosen one sees."""
    top, left, bottom, right = FRAME
    down, across = APART
    inside = f"(ROW()>={top})*(ROW()<={bottom})*(COLUMN()>={left})*(COLUMN()<={right})"
    return f"SUMPRODUCT({inside}*(MOD(ROW()-{top},{down})=0)*(MOD(COLUMN()-{left},{across})=0))>0"


def on_small(block: Block) -> str:
    """A formula for conditional formats on the small picture: whether the window, if it is not all, covers the cell."""
    rows, columns = SMALL
    top, left, bottom, right = (f"INDEX({name},1)" for name in FRAME)
    y, x = f"{EACH}*(ROW()-{block.row})", f"{EACH}*(COLUMN()-{block.column})"
    down = f"INDEX({rows},{y}+{EACH})>={top},INDEX({rows},{y}+1)<={bottom}"
    across = f"INDEX({columns},{x}+{EACH})>={left},INDEX({columns},{x}+1)<={right}"
    last = SMALL_SIDE * EACH
    shorter, narrower = f"INDEX({rows},{last})-INDEX({rows},1)", f"INDEX({columns},{last})-INDEX({columns},1)"
    part = f"OR({bottom}-{top}<{shorter},{right}-{left}<{narrower})"
    return f"AND({top}>0,{down},{across},{part})"


def _panel(found: Numbers, number: int, panel: Panel) -> None:
    """What a panel shows: a tile of one of the maps that the value sees, and of the weights for it."""
    of, n = found.of, panel.number

    def put(name: str, value: Expr) -> Expr:
        return found.put(f"panel {number} {name}", value)

    tiles = of("row tiles") * of("column tiles")
    used = all_of(of("ok") == 1, of("zone") == panel.zone, n < of("each") * tiles)
    channel = put("channel", integer(n / tiles))
    from_row = put("from row", (integer(n / of("column tiles")) % of("row tiles")) * TILE)
    from_column = put("from column", (n - integer(n / of("column tiles")) * of("column tiles")) * TILE)
    put("rows", where(used, smallest(TILE, of("row size") - from_row), 0))
    put("columns", where(used, smallest(TILE, of("column size") - from_column), 0))
    place = where(used, of("reads from") + of("first map") + channel, 0) + 1
    put("name", index(found.listed("name"), place))
    put("top", index(found.listed("top"), place) - 1)
    put("left", index(found.listed("left"), place) - 1)
    weighed = all_of(used, of("weighted") == 1)
    weight = where(weighed, of("weights from") + of("output") * of("each") + channel, 0) + 1
    down, right = of("weight row step"), of("weight column step")
    beside = where(of("across") > 0, from_row * of("across") + from_column, from_row)
    put("weight top", index(found.listed("top"), weight) + beside * down)
    put("weight left", index(found.listed("left"), weight) + where(of("across") > 0, 0, from_column * right))
