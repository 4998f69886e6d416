"""The sheet `Patches`: what of the drawn pictures excites each map most, and what it makes of one patch, in numbers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, largest, rounded, sumproduct, text, where
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import choose, index, match
from conv_sheet.cells.page import Mark, Page, Verdict
from conv_sheet.cells.style import Scale
from conv_sheet.learning.patches import Patch, field, strongest
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.pictures.drawings import AND, PICTURES
from conv_sheet.pictures.samples import DIGITS, sample
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.addresses import TOLERANCE
from conv_sheet.sheets.lessons.units import Unit, convolutions, units
from conv_sheet.sheets.numpy import written
from conv_sheet.sheets.sheet import Owned, Sheet
from conv_sheet.state import WorkbookState

NAME = "patches"
PATCHES = "Patches"
COUNT = 8
"""Patches of each map."""
DRAWN = (*DIGITS, *PICTURES)
"""Labels of the pictures that patches are taken from."""
_SIGNS = {"circle": "○", "square": "□", "triangle": "△"}
"""What stands for shapes in the labels of pictures that have several."""

_LINES = (
    "Python looked at 24 drawn pictures. Each map answered most to these patches, at most one of each picture. "
    "The kernel stands before them: red weights ask for much, blue ones for little.",
    "conv1 reads pixels; conv2 reads both maps of conv1, and so 5×5 pixels. Choose a map and a patch: "
    "at the right the cells make its answer again. Patch 0 is yours: draw there.",
)
_ZOOM = style.WIDE_ZOOM
_ASK_ROW, _TOP = 5, 9
_LABEL = replace(style.BEST, size=9)
_PATCH = replace(style.ENGINE, line=style.PAD)
_AROUND = Scale("AEB6C6", top=1.0)
"""What stands around a receptive field."""
_ANSWER = replace(style.RESULT, fill=style.PALE, format="0.00")
_UNIT, _NUMBER = Block(PATCHES, _ASK_ROW, 5, 1, 1), Block(PATCHES, _ASK_ROW, 18, 1, 1)


@dataclass(frozen=True)
class _Areas:
    """Where everything stands: a strip for each map, the calculation to the right, what Python found below."""

    layout: Layout

    @cached_property
    def units(self) -> list[Unit]:
        return units(self.layout, NAME)

    @cached_property
    def stages(self) -> list[Stage]:
        return convolutions(self.layout, NAME)

    def field(self, stage: Stage) -> int:
        """Rows, and columns, that a value of a stage sees of the picture."""
        return max(one.size for one in field(self.layout.network, stage.name))

    @cached_property
    def size(self) -> int:
        """Rows, and columns, of every patch: as many as the last convolution sees."""
        return self.field(self.stages[-1])

    def slices(self, number: int) -> list[Block]:
        """The kernel of a unit, before its patches."""
        height, width = self.units[number].stage.own["weight"].shape[2:]
        row = self._row(number)
        return [Block(PATCHES, row, 2 + i * (width + 1), height, width) for i in range(len(self.units[number].kernel))]

    def _row(self, number: int) -> int:
        return _TOP + number * (self.size + 2)

    @cached_property
    def _first(self) -> int:
        """First column of the patches."""
        return max(self.slices(number)[-1].last_column for number in range(len(self.units))) + 2

    def tile(self, number: int, rank: int) -> Block:
        return Block(PATCHES, self._row(number), self._first + rank * (self.size + 1), self.size, self.size)

    @cached_property
    def patch(self) -> Block:
        """The chosen one."""
        return self.tile(0, COUNT).part(0, 1, self.size, self.size)

    @cached_property
    def own(self) -> Block:
        return self.patch.part(2 * (self.size + 2), 0, self.size, self.size)

    @cached_property
    def maps(self) -> list[list[Block]]:
        """What the convolutions make of the patch, by stage."""
        made, column = [], self.patch.last_column + 3
        for stage in self.stages:
            height, width = (self.size - self.field(stage) + 1,) * 2
            first = Block(PATCHES, self.patch.row, column, height, width)
            made.append([first.part(c * (height + 2), 0, height, width) for c in range(stage.out.shape[0])])
            column = first.last_column + 3
        return made

    @property
    def last_column(self) -> int:
        return self.maps[-1][0].last_column + 5

    def _table(self, name: str, place: int) -> Placed:
        """A fact of every patch: a row for each unit."""
        shape = len(self.units), COUNT
        row = self._row(len(self.units)) + 1 + place * (len(self.units) + 2)
        return Placed(f"patch_{name}", shape, (Block(PATCHES, row, self._first, *shape),))

    @cached_property
    def values(self) -> Placed:
        return self._table("values", 0)

    @cached_property
    def pictures(self) -> Placed:
        """Numbers of the pictures, from 1."""
        return self._table("pictures", 1)

    @cached_property
    def tiles(self) -> Placed:
        shape = len(self.units), COUNT, self.size, self.size
        return Placed("patches", shape, tuple(self.tile(*at) for at in np.ndindex(len(self.units), COUNT)))

    @cached_property
    def names(self) -> Block:
        """Labels of the pictures."""
        return Block(PATCHES, self.pictures.area.last_row + 3, self._first, 1, len(DRAWN))

    @cached_property
    def offered(self) -> Block:
        """Labels of the units."""
        return self.names.part(2, 0, 1, len(self.units))


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The map, one of its patches, and a patch of one's own."""
    areas = _Areas(layout)
    labels = tuple(unit.label for unit in areas.units)
    limits = Limits(choices=labels, hint="Which map: what does it look for?")
    return (
        Input.cell("patch_map", _UNIT, labels[-1], limits, listed=areas.offered),
        Input.whole("patch_number", _NUMBER, 1, 0, COUNT, f"Which of its patches, 1 to {COUNT}; 0 is your own."),
        Input.table("patch_own", areas.own, np.zeros(areas.own.shape), widgets.pixel_limits(1)),
    )


def _found(state: WorkbookState) -> list[list[Patch]]:
    """The patches of every unit, the strongest first."""
    areas = _Areas(state.layout)
    pictures = np.stack([sample(label, state.network.input_shape) for label in DRAWN])
    return [
        patches
        for stage in areas.stages
        for patches in strongest(state.network, pictures, state.tensors, stage.nodes[-1].name, COUNT, areas.size)
    ]


def engine(state: WorkbookState) -> list[Owned]:
    """The patches (units, patches, size, size), what each unit answers to them, and the numbers of their pictures."""

    def each(of: Callable[[Patch], object]) -> Callable[[], Array]:
        return lambda: np.array([[of(patch) for patch in one] for one in _found(state)])

    areas = _Areas(state.layout)
    return [
        (areas.tiles, each(lambda patch: patch.pixels[0])),
        (areas.values, each(lambda patch: patch.value)),
        (areas.pictures, each(lambda patch: patch.picture + 1.0)),
    ]


def page(state: WorkbookState) -> Page:
    """The sheet."""
    areas = _Areas(state.layout)
    sheet = widgets.frame(PATCHES, areas.last_column, _ZOOM)
    cockpit.head(sheet, state, "What each map looks for", _LINES)
    unit, rank = _choices(sheet, state, areas)
    _strips(sheet, state, areas, unit, rank)
    _stored(sheet, state, areas)
    _calculation(sheet, state, areas, unit, rank)
    return sheet


def _choices(sheet: Page, state: WorkbookState, areas: _Areas) -> tuple[Expr, Expr]:
    """The number of the chosen unit, from 1, and that of the patch."""
    which, rank, own = inputs(state.layout, state.lesson)
    widgets.ask(sheet, which, state[which], "map", 3, style.CHOICE_TEXT, 6)
    widgets.ask(sheet, rank, state[rank], "patch", 3)
    labels = np.array([which.limits.choices], dtype=object)
    sheet.fill(areas.offered, labels, style.HIDDEN)
    place = areas.offered.part(0, len(labels[0]) + 3, 1, 1)
    number = match(sheet.cell(which.at, state.text(which)), sheet.range(areas.offered, labels))
    sheet.put(place.row, place.column, number, style.HIDDEN)
    widgets.caption(sheet, own.at, "your own patch, 0: draw here", style.CLASS)
    sheet.input(own, state[own], style.PIXEL)
    sheet.names["patch_own_left"] = own.at.part(0, 0, own.at.height, 2)
    widgets.shades(sheet, (own.at,))
    return sheet.cell(place, number.value), sheet.cell(rank.at, state.number(rank))


def _labels() -> NDArray[Any]:
    """What the pictures are called over their patches: signs where a name has several parts, for want of room."""
    alone = [AND.join(_SIGNS.get(part, part) for part in name.split(AND)) if AND in name else name for name in DRAWN]
    return np.array([alone], dtype=object)


def _strips(sheet: Page, state: WorkbookState, areas: _Areas, unit: Expr, rank: Expr) -> None:
    """Each unit's kernel and patches, with the picture that a patch is from, and the unit's answer to it."""
    names, tiles = sheet.range(areas.names, _labels()), areas.tiles.planes(written(state, areas.tiles))
    for number, one in enumerate(areas.units):
        slices, kernel = areas.slices(number), one.stage.own["weight"]
        weights = kernel.planes(state.tensors[f"{one.stage.name}.weight"])
        widgets.caption(sheet, slices[0], one.label, style.CLASS)
        parts = [(block, weights[plane]) for block, plane in zip(slices, one.kernel, strict=True)]
        for (block, values), plane in zip(parts, one.kernel, strict=True):
            sheet.fill(block, sheet.each(kernel.blocks[plane], values), style.KERNEL)
        widgets.signed(sheet, slices[0].part(slices[0].height, 0, 1, 1), parts)
        edge = (areas.size - areas.field(one.stage)) // 2
        for place in range(COUNT):
            tile = areas.tile(number, place)
            sheet.fill(tile, tiles[number * COUNT + place], _PATCH)
            _colour(sheet, tile, edge)
            picture, value = (
                sheet.cell(fact.blocks[0].part(number, place, 1, 1), written(state, fact)[number, place])
                for fact in (areas.pictures, areas.values)
            )
            label = tile.part(-1, 0, 1, tile.width)
            sheet.merged(label, text(index(names, picture), " · ", rounded(value, 2)), _LABEL)
            chosen = (unit == number + 1) * (rank == place + 1) == 1
            sheet.marks.append(Mark(label, chosen.formula, style.AMBER))


def _colour(sheet: Page, tile: Block, edge: int) -> None:
    """The receptive field in ink, and what stands around it in a paler one."""
    field_ = tile.part(edge, edge, tile.height - 2 * edge, tile.width - 2 * edge)
    sheet.scales.append(((field_,), style.INK_SCALE))
    if edge:
        sides = tile.part(0, 0, edge, tile.width), tile.part(tile.height - edge, 0, edge, tile.width)
        ends = tile.part(edge, 0, field_.height, edge), tile.part(edge, tile.width - edge, field_.height, edge)
        sheet.scales.append(((*sides, *ends), _AROUND))


def _stored(sheet: Page, state: WorkbookState, areas: _Areas) -> None:
    """The tables of what Python found, and the labels of the pictures."""
    for placed, title in ((areas.values, "answers, as Python found them"), (areas.pictures, "pictures, by number")):
        block = placed.blocks[0]
        widgets.caption(sheet, block, title)
        sheet.fill(block, written(state, placed), style.ENGINE_SCORE if placed is areas.values else style.ENGINE_COUNT)
        sheet.names |= dict(placed.names())
    sheet.fill(areas.names, _labels(), style.HIDDEN)
    sheet.names |= dict(areas.tiles.names())


def _calculation(sheet: Page, state: WorkbookState, areas: _Areas, unit: Expr, rank: Expr) -> None:
    """The patch, what the convolutions make of it, and the answer of the chosen unit."""
    *_, own = inputs(state.layout, state.lesson)
    tiles = sheet.planes(areas.tiles.blocks, areas.tiles.planes(written(state, areas.tiles)))
    patch = where(rank == 0, sheet.each(own.at, state.array(own)), choose((unit - 1) * COUNT + rank, *tiles))
    widgets.caption(sheet, areas.patch, "the chosen patch", style.CLASS)
    sheet.fill(areas.patch, patch, style.ACTIVATION)
    widgets.shades(sheet, (areas.patch,))
    sheet.names["patch"] = areas.patch
    read = [(areas.patch, np.asarray(patch.value, dtype=float))]
    answers: list[Expr] = []
    for stage, blocks in zip(areas.stages, areas.maps, strict=True):
        read = _convolved(sheet, state, stage, blocks, read)
        middle = (areas.size - areas.field(stage)) // 2
        for block, values in read:
            at = block.part(middle, middle, 1, 1)
            sheet.marks.append(Mark(at, (unit == len(answers) + 1).formula, style.AMBER))
            answers.append(sheet.cell(at, values[middle, middle]))
    sheet.scales.append((tuple(block for blocks in areas.maps for block in blocks), style.WARM_SCALE))
    _answer(sheet, state, areas, choose(unit, *answers), (unit, rank))


def _convolved(
    sheet: Page, state: WorkbookState, stage: Stage, blocks: list[Block], read: list[tuple[Block, Array]]
) -> list[tuple[Block, Array]]:
    """The maps that a convolution and its ReLU make of those before."""
    weight, bias = stage.own["weight"], stage.own["bias"].blocks[0]
    planes, made = weight.planes(state.tensors[f"{stage.name}.weight"]), []
    for channel, block in enumerate(blocks):
        sum_ = sheet.cell(bias.part(0, channel, 1, 1), state.tensors[f"{stage.name}.bias"][channel])
        for (source, values), plane in zip(read, stage.layer.kernels(stage.in_shape)[channel], strict=True):
            window = sheet.windows(source, weight.blocks[plane].shape, values)
            sum_ = sumproduct(window, sheet.range(weight.blocks[plane], planes[plane])) + sum_
        out = largest(0, sum_)
        widgets.caption(sheet, block, f"{stage.name} map {channel + 1}")
        sheet.fill(block, out, style.SCORE)
        made.append((block, np.asarray(out.value, dtype=float)))
    return made


def _answer(sheet: Page, state: WorkbookState, areas: _Areas, answer: Expr, chosen: tuple[Expr, Expr]) -> None:
    """What the unit answers, and whether Python found the same; of one's own patch, whether it is the best."""
    unit, rank = chosen
    row, column = areas.own.row, areas.maps[0][0].column
    values = sheet.range(areas.values.blocks[0], written(state, areas.values))
    best, stored = index(values, unit, 1), index(values, unit, largest(1, rank))
    places = [Block(PATCHES, row + line, column + 5, 1, 2) for line in range(2)]
    for place, label, content in zip(places, ("it answers", "best picture"), (answer, best), strict=True):
        sheet.span(place.row, column, column + 4, label, style.LINE)
        sheet.merged(place, content, _ANSWER)
    answered, top = (sheet.cell(p.part(0, 0, 1, 1), e.value) for p, e in zip(places, (answer, best), strict=True))
    sheet.names |= {"patch_answer": places[0].part(0, 0, 1, 1), "patch_best": places[1].part(0, 0, 1, 1)}
    apart = answered - stored
    same = apart * apart <= TOLERANCE**2
    found = where(same, "Python found the same.", "Python has not seen your change yet.")
    mine = where(answered > top, "Yours is better than all pictures.", "A picture is as good as yours, or better.")
    line = Block(PATCHES, row + 3, column, 1, areas.last_column - column + 1)
    sheet.merged(line, where(rank == 0, mine, found), style.STATUS)
    good = where(rank == 0, answered > top, same)
    sheet.verdicts.append(Verdict(line, good.formula))


SHEET = Sheet(PATCHES, page, NAME, inputs, engine)
