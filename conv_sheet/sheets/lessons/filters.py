"""The sheet `Filters`: kernels over red, green and blue as small pictures of these colours, and one in numbers."""

from typing import NamedTuple

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, largest, smallest, sumproduct, text, total
from conv_sheet.cells.grid import Block, around
from conv_sheet.cells.inputs import Input
from conv_sheet.cells.lookup import choose, index, match
from conv_sheet.cells.page import Mark, Page
from conv_sheet.errors import SpecError
from conv_sheet.layers.conv import Conv2d
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.lessons import mosaic
from conv_sheet.sheets.network import scale_of
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "filters"
FILTERS = "Filters"
FILTER = "filter"
COLOURS = ("red", "green", "blue")

_LINES = (
    "Each filter as a colour picture: grey is zero, and a colour is what the filter looks for at that place of its "
    "window. Where one side is the opposite colour of the other, it looks for an edge between the two.",
    "They are sorted by how much they respond to the picture, by the sum of their maps: with another picture the order "
    "is another. Colours are scaled by the largest weight, the ± above. Choose a number to see weights and map.",
)
_ASK = Block(FILTERS, 5, 5, 1, 1)
_TOP = 8
_ACROSS = 8
_MOST = 64
_BEFORE = 4
"""Columns of the table before the weights."""
_SMALLEST = 1e-6
"""The least that colours are scaled by, so that a filter of zeros is grey."""


class _Areas(NamedTuple):
    """Where everything stands: the picture, the filters in rows of eight, and the chosen one."""

    weights: tuple[Block, ...]
    """On `Network`: the slices of the first filter, of the second, and so on."""
    picture: Block
    tiles: tuple[Block, ...]
    table: Block
    """A row a filter, in their own order: number, response, place among all, largest weight, weights."""
    slices: tuple[Block, ...]
    """The chosen filter's, one a colour."""
    map: Block


def _areas(layout: Layout) -> _Areas:
    """Raises SpecError for a network that does not begin with a convolution over three colours."""
    first = layout.stages[1]
    if (
        layout.input.shape[0] != len(COLOURS)
        or first.layer.kind != Conv2d.kind
        or first.own["weight"].shape[1] != len(COLOURS)
        or first.own["weight"].shape[0] > _MOST
    ):
        raise SpecError(
            f"the sheet {NAME!r} needs an input of 3 channels and a Conv2d behind it that reads all of them, "
            f"with {_MOST} output channels or fewer"
        )
    count, _, height, width = first.own["weight"].shape
    picture = Block(FILTERS, _TOP, 2, *layout.input.blocks[0].shape)
    one = picture.part(0, picture.width + 3, height, width)
    across = min(_ACROSS, count)
    tiles = tuple(one.part(o // across * (height + 2), o % across * (width + 2), height, width) for o in range(count))
    shown = one.part(0, across * (width + 2) + 1, height, width)
    slices = tuple(shown.part(c * (height + 2), 0, height, width) for c in range(len(COLOURS)))
    chosen = shown.part(0, width + 3, *first.out.shape[1:])
    below = max(block.last_row for block in (picture, tiles[-1], slices[-1], chosen)) + 5
    table = Block(FILTERS, below, one.column, count, _BEFORE + len(COLOURS) * height * width)
    return _Areas(first.own["weight"].blocks, picture, tiles, table, slices, chosen)


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """Which filter to look at."""
    count = len(_areas(layout).tiles)
    return (Input.whole(FILTER, _ASK, 1, 1, count, f"Which filter: a whole number from 1 to {count}."),)


def page(state: WorkbookState) -> Page:
    """The sheet."""
    areas = _areas(state.layout)
    last = areas.map.last_column
    sheet = widgets.frame(FILTERS, last, zoom=style.NETWORK_ZOOM)
    cockpit.head(sheet, state, f"{len(areas.tiles)} filters: what the first layer looks for", _LINES)
    (item,) = inputs(state.layout, state.lesson)
    widgets.ask(sheet, item, state[item], "filter", 3)
    chosen = sheet.cell(item.at, state.number(item))
    widgets.caption(sheet, areas.picture, "the picture", style.CLASS)
    mosaic.paint(sheet, areas.picture, sheet.planes(state.layout.input.blocks, state.image))
    weight = state.tensors[f"{state.layout.stages[1].name}.weight"]
    places, bounds = _table(sheet, state, areas, weight)
    for number, tile in enumerate(areas.tiles, 1):
        _tile(sheet, areas, tile, match(float(number), places), bounds, weight, chosen)
    mosaic.colour(sheet, (areas.picture, *areas.tiles))
    sheet.names |= {"filter_tiles": around(tuple(areas.tiles)), "filter_picture": areas.picture}
    _slices(sheet, areas, weight, chosen)
    _map(sheet, state, areas, chosen)
    sheet.prints = Block(FILTERS, 1, 1, areas.table.row - 3, last)
    return sheet


def _table(sheet: Page, state: WorkbookState, areas: _Areas, weight: Array) -> tuple[Expr, Expr]:
    """The filters in their own order, a row each; returns places by response, the first of equals first, and bounds."""
    stage, table = state.layout.stages[1], areas.table
    maps = state.layout.values(stage, state.activations, state.tensors)["out"]
    count = len(areas.tiles)
    heads = "number, sum, place, largest weight, then all weights row by row: red, green, blue"
    widgets.caption(sheet, table, heads)
    widgets.caption(sheet, table.part(-1, 0, 1, 1), "How much each filter responds: the sum of its map", style.CLASS)
    numbers, responses, places, bounds = (table.part(0, column, count, 1) for column in range(_BEFORE))
    sheet.fill(numbers, np.arange(1.0, count + 1)[:, np.newaxis], style.NUMBERED)
    sums = [total(sheet.range(block, values)) for block, values in zip(stage.out.blocks, maps, strict=True)]
    made = sheet.fill_each(responses, lambda o, _: sums[o], style.ACTIVATION)
    sheet.scales.append(((responses,), style.WARM_SCALE))
    every = sheet.range(responses, made)

    def place(o: int, _: int) -> Expr:
        own, so_far = sheet.cell(responses.part(o, 0, 1, 1), made[o, 0]), responses.part(0, 0, o + 1, 1)
        return sumproduct((every > own) * 1) + sumproduct((sheet.range(so_far, made[: o + 1]) == own) * 1)

    found = sheet.fill_each(places, place, style.AXIS)
    flat = weight.reshape(count, -1)

    def copied(o: int, k: int) -> Expr:
        c, at = divmod(k, areas.tiles[0].height * areas.tiles[0].width)
        y, x = divmod(at, areas.tiles[0].width)
        return sheet.near(areas.weights[o * len(COLOURS) + c].part(y, x, 1, 1), flat[o, k])

    listed = _listed(areas)
    sheet.fill_each(listed, copied, style.SCORE)
    rows = [sheet.range(listed.part(o, 0, 1, listed.width), flat[o]) for o in range(count)]
    most = sheet.fill_each(bounds, lambda o, _: largest(rows[o], -smallest(rows[o]), _SMALLEST), style.SCORE)
    sheet.names |= {"filter_responses": responses, "filter_order": places}
    return sheet.range(places, found), sheet.range(bounds, most)


def _listed(areas: _Areas) -> Block:
    """The weights in the table."""
    return areas.table.part(0, _BEFORE, areas.table.height, areas.table.width - _BEFORE)


def _tile(sheet: Page, areas: _Areas, tile: Block, number: Expr, bounds: Expr, weight: Array, chosen: Expr) -> None:
    """One filter as a picture, with its number and its largest weight above."""
    label, bound = tile.part(-1, 0, 1, 1), tile.part(-1, tile.width - 1, 1, 1)
    widgets.caption(sheet, tile, number, style.NUMBERED)
    which, listed, flat = sheet.cell(label, number.value), _listed(areas), weight.reshape(len(weight), -1)

    def one(k: int) -> Expr:
        return index(sheet.range(listed.part(0, k, listed.height, 1), flat[:, k]), which)

    largest_weight = index(bounds, which)
    sheet.put(bound.row, bound.column, largest_weight, style.SCALE)
    full = 2 * sheet.cell(bound, largest_weight.value)

    def lit(y: int, x: int) -> Expr:
        size, at = tile.height * tile.width, y * tile.width + x
        return mosaic.code(*(0.5 + one(c * size + at) / full for c in range(len(COLOURS))))

    sheet.fill_each(tile, lit, style.DOT)
    sheet.marks.append(Mark(label, (which == chosen).formula, style.AMBER))


def _slices(sheet: Page, areas: _Areas, weight: Array, chosen: Expr) -> None:
    """The slices of the chosen filter as numbers."""
    shown = []
    for c, (block, colour) in enumerate(zip(areas.slices, COLOURS, strict=True)):
        numbers = choose(chosen, *sheet.planes(areas.weights[c :: len(COLOURS)], weight[:, c]))
        widgets.caption(sheet, block, colour, style.CLASS)
        sheet.fill(block, numbers, style.SCORE)
        sheet.names[f"filter_{colour}"] = block
        shown.append((block, numbers.value))
    widgets.signed(sheet, areas.slices[-1].part(areas.slices[-1].height, 0, 1, 1), shown)


def _map(sheet: Page, state: WorkbookState, areas: _Areas, chosen: Expr) -> None:
    """What the chosen filter makes of the picture."""
    stage = state.layout.stages[1]
    maps = state.layout.values(stage, state.activations, state.tensors)["out"]
    words = text(f"{stage.name}_out_", chosen, ", what it makes of the picture")
    widgets.caption(sheet, areas.map, words, style.CLASS)
    sheet.fill(areas.map, choose(chosen, *sheet.planes(stage.out.blocks, maps)), style.ACTIVATION)
    sheet.names["filter_map"] = areas.map
    if scale := scale_of(state.layout, stage):
        sheet.scales.append(((areas.map,), scale))


SHEET = Sheet(FILTERS, page, NAME, inputs)
