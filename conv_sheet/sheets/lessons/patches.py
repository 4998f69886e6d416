"""The sheet `Patches`: what of the drawn pictures excites each map most, and what it makes of one patch, in numbers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, largest, rounded, text, where
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import choose, index, match
from conv_sheet.cells.page import Mark, Page, Verdict
from conv_sheet.cells.style import Scale
from conv_sheet.layers.base import Site
from conv_sheet.learning.patches import Patch, strongest
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.pictures.drawings import AND
from conv_sheet.pictures.samples import sample
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.addresses import TOLERANCE
from conv_sheet.sheets.lessons.patch_layout import ASK_ROW, COUNT, DRAWN, NAME, PATCHES, PatchLayout
from conv_sheet.sheets.lessons.units import plain
from conv_sheet.sheets.network import compute, folded
from conv_sheet.sheets.numpy import written
from conv_sheet.sheets.sheet import Owned, Sheet
from conv_sheet.state import WorkbookState

_SIGNS = {"circle": "○", "square": "□", "triangle": "△"}
"""What stands for shapes in the labels of pictures that have several."""

_LINE = (
    "Python looked at 24 drawn pictures. Each map answered most to these patches, at most one of each picture. "
    "The kernel stands before them: red weights ask for much, blue ones for little."
)
_CHOOSE = "Choose a map and a patch: at the right the cells make its answer again. Patch 0 is yours: draw there."
_ZOOM = style.WIDE_ZOOM
_NAME_WIDTH = 9.0
_LABEL = replace(style.BEST, size=9)
_PATCH = replace(style.ENGINE, line=style.PAD)
_AROUND = Scale("AEB6C6", top=1.0)
"""What stands around a receptive field."""
_ANSWER = replace(style.RESULT, fill=style.PALE, format="0.00")
_UNIT, _NUMBER = Block(PATCHES, ASK_ROW, 5, 1, 1), Block(PATCHES, ASK_ROW, 18, 1, 1)


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The map, one of its patches, and a patch of one's own."""
    areas = PatchLayout(layout)
    labels = tuple(unit.label for unit in areas.units)
    limits = Limits(choices=labels, hint="Which map: what does it look for?")
    return (
        Input.cell("patch_map", _UNIT, labels[-1], limits, listed=areas.offered),
        Input.whole("patch_number", _NUMBER, 1, 0, COUNT, f"Which of its patches, 1 to {COUNT}; 0 is your own."),
        Input.table("patch_own", areas.own, np.zeros(areas.own.shape), widgets.pixel_limits(1)),
    )


def _found(state: WorkbookState) -> list[list[Patch]]:
    """The patches of every unit, the strongest first."""
    areas = PatchLayout(state.layout)
    pictures = np.stack([sample(label, state.network.input_shape) for label in DRAWN])
    return [
        patches
        for stage in areas.answers
        for patches in strongest(state.network, pictures, state.tensors, stage.nodes[-1].name, COUNT, areas.size)
    ]


def engine(state: WorkbookState) -> list[Owned]:
    """The patches (units, patches, size, size), what each unit answers to them, and the numbers of their pictures."""

    def each(of: Callable[[Patch], object]) -> Callable[[], Array]:
        return lambda: np.array([[of(patch) for patch in one] for one in _found(state)])

    areas = PatchLayout(state.layout)
    return [
        (areas.tiles, each(lambda patch: patch.pixels[0])),
        (areas.values, each(lambda patch: patch.value)),
        (areas.pictures, each(lambda patch: patch.picture + 1.0)),
    ]


def page(state: WorkbookState) -> Page:
    """The sheet."""
    areas = PatchLayout(state.layout)
    sheet = widgets.frame(PATCHES, areas.last_column, _ZOOM)
    cockpit.head(sheet, state, "What each map looks for", (_LINE, f"{_seeing(areas)} {_CHOOSE}"))
    unit, rank = _choices(sheet, state, areas)
    _strips(sheet, state, areas, unit, rank)
    _stored(sheet, state, areas)
    _calculation(sheet, state, areas, unit, rank)
    return sheet


def _seeing(areas: PatchLayout) -> str:
    """How much of the picture each convolution sees."""
    first, *others = (
        (unit.convolution.name, "×".join(str(one.size) for one in areas.field(unit.stage)))
        for unit in areas.units
        if unit.channel == 0
    )
    return ", ".join([f"{first[0]} sees {first[1]} pixels", *(f"{name} {size}" for name, size in others)]) + "."


def _choices(sheet: Page, state: WorkbookState, areas: PatchLayout) -> tuple[Expr, Expr]:
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


def _strips(sheet: Page, state: WorkbookState, areas: PatchLayout, unit: Expr, rank: Expr) -> None:
    """Each unit's kernel and patches, with the picture that a patch is from, and the unit's answer to it."""
    names, tiles = sheet.range(areas.names, _labels()), areas.tiles.planes(written(state, areas.tiles))
    for number, one in enumerate(areas.units):
        slices, kernel = areas.slices(number), one.convolution.own["weight"]
        weights = kernel.planes(state.tensors[f"{one.convolution.name}.weight"])
        widgets.caption(sheet, slices[0], one.label, style.CLASS)
        parts = [(block, weights[plane]) for block, plane in zip(slices, one.kernel, strict=True)]
        for (block, values), plane in zip(parts, one.kernel, strict=True):
            sheet.fill(block, sheet.each(kernel.blocks[plane], values), style.KERNEL)
        widgets.signed(sheet, Block(PATCHES, slices[0].last_row + 1, slices[0].column, 1, 1), parts)
        for place in range(COUNT):
            tile = areas.tile(number, place)
            sheet.fill(tile, tiles[number * COUNT + place], _PATCH)
            _colour(sheet, tile, areas.seen(one.stage, tile))
            picture, value = (
                sheet.cell(fact.blocks[0].part(number, place, 1, 1), written(state, fact)[number, place])
                for fact in (areas.pictures, areas.values)
            )
            label = tile.part(-1, 0, 1, tile.width)
            sheet.merged(label, text(index(names, picture), " · ", rounded(value, 2)), _LABEL)
            chosen = (unit == number + 1) * (rank == place + 1) == 1
            sheet.marks.append(Mark(label, chosen.formula, style.AMBER))


def _colour(sheet: Page, tile: Block, seen: Block) -> None:
    """The receptive field in ink, and what stands around it in a paler one."""
    sheet.scales.append(((seen,), style.INK_SCALE))
    top, left = seen.row - tile.row, seen.column - tile.column
    bottom, right = tile.last_row - seen.last_row, tile.last_column - seen.last_column
    around = (
        tile.part(0, 0, top, tile.width),
        tile.part(tile.height - bottom, 0, bottom, tile.width),
        tile.part(top, 0, seen.height, left),
        tile.part(top, tile.width - right, seen.height, right),
    )
    some = tuple(block for block in around if block.height and block.width)
    if some:
        sheet.scales.append((some, _AROUND))


def _stored(sheet: Page, state: WorkbookState, areas: PatchLayout) -> None:
    """The tables of what Python found, and the labels of the pictures."""
    for placed, title in ((areas.values, "answers, as Python found them"), (areas.pictures, "pictures, by number")):
        block = placed.blocks[0]
        widgets.caption(sheet, block, title)
        sheet.fill(block, written(state, placed), style.ENGINE_SCORE if placed is areas.values else style.ENGINE_COUNT)
        sheet.names |= dict(placed.names())
    sheet.fill(areas.names, _labels(), style.HIDDEN)
    sheet.names |= dict(areas.tiles.names())


def _calculation(sheet: Page, state: WorkbookState, areas: PatchLayout, unit: Expr, rank: Expr) -> None:
    """The patch, what the convolutions make of it, and the answer of the chosen unit."""
    *_, own = inputs(state.layout, state.lesson)
    tiles = sheet.planes(areas.tiles.blocks, areas.tiles.planes(written(state, areas.tiles)))
    patch = where(rank == 0, sheet.each(own.at, state.array(own)), choose((unit - 1) * COUNT + rank, *tiles))
    widgets.caption(sheet, areas.patch, "the chosen patch", style.CLASS)
    sheet.fill(areas.patch, patch, style.ACTIVATION)
    widgets.shades(sheet, (areas.patch,))
    sheet.names["patch"] = areas.patch
    _parameters(sheet, state, areas)
    shape = 1, areas.size, areas.size
    read, values = Placed("patch", shape, (areas.patch,)), np.asarray(patch.value, dtype=float).reshape(1, *shape)
    answers: list[Expr] = []
    for stage, blocks in zip(areas.stages, areas.maps, strict=True):
        out = Placed(f"patch_{stage.name}", (len(blocks), *blocks[0].shape), tuple(blocks))
        parameters = {name.rpartition(".")[2]: areas.copies[name] for name, _ in stage.parameters()}
        values = _made(sheet, state, stage, Site((read,), parameters | {"out": out}), values)
        read = out
        for channel, block in enumerate(blocks if stage in areas.answers else ()):
            y, x = areas.middle(stage)
            at = block.part(y, x, 1, 1)
            sheet.marks.append(Mark(at, (unit == len(answers) + 1).formula, style.AMBER))
            answers.append(sheet.cell(at, values[0, channel, y, x]))
    _answer(sheet, state, areas, choose(unit, *answers), (unit, rank))


def _parameters(sheet: Page, state: WorkbookState, areas: PatchLayout) -> None:
    """Copies of what the layers have on `Network`, but for kernels, which stand beside the patches."""
    originals = dict(state.layout.parameters())
    for name, placed in areas.copies.items():
        if placed.blocks[0].column <= areas.last_column:
            continue
        sheet.put(placed.area.row - 1, placed.area.column, name, style.LABEL)
        sheet.widths[placed.area.column] = _NAME_WIDTH
        planes = originals[name].planes(state.tensors[name])
        for block, source, values in zip(placed.blocks, originals[name].blocks, planes, strict=True):
            widgets.copy(sheet, block, source, values, style.SCORE)


def _made(sheet: Page, state: WorkbookState, stage: Stage, site: Site, x: Array) -> Array:
    """What a stage makes of a patch or of the maps before, by the formulas of its layers; returns it with a batch."""
    out, formula = site["out"], plain(stage.layer).formulas(site)["out"]
    if stage.activation:
        formula = folded(stage.activation, formula)
    for node in stage.nodes:
        x = plain(node.layer).forward(x, node.own(state.tensors))
    compute(sheet, "", out, x[0], style.SCORE, formula)
    for number, block in enumerate(out.blocks, 1):
        widgets.caption(sheet, block, f"{stage.name} map {number}")
    last = stage.last_layer
    scale = style.scale_of(last.probabilities, stage.shows in state.network.non_negative)
    if scale:
        sheet.scales.append((out.blocks, scale))
    else:
        first = out.blocks[0]
        widgets.signed(sheet, Block(PATCHES, first.row - 2, first.column, 1, 1), [*zip(out.blocks, x[0], strict=True)])
    return x


def _answer(sheet: Page, state: WorkbookState, areas: PatchLayout, answer: Expr, chosen: tuple[Expr, Expr]) -> None:
    """What the unit answers, and whether Python found the same; of one's own patch, whether it is the best."""
    unit, rank = chosen
    row, column = areas.told.row, areas.told.column
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
    sheet.names["patch_said"] = line.part(0, 0, 1, 1)
    good = where(rank == 0, answered > top, same)
    sheet.verdicts.append(Verdict(line, good.formula))


SHEET = Sheet(PATCHES, page, NAME, inputs, engine)
