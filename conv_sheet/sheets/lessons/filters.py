"""The sheet `Filters`: kernels over red, green and blue as small pictures of these colours, and one in numbers."""

from typing import NamedTuple

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, largest, smallest, text
from conv_sheet.cells.grid import Block, around
from conv_sheet.cells.inputs import Input
from conv_sheet.cells.lookup import choose
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
    "The colours of a tile are scaled by its largest weight, the ± above it. Choose a number to see weights and map.",
)
_ASK = Block(FILTERS, 5, 5, 1, 1)
_TOP = 8
_ACROSS = 8
_MOST = 64
_SMALLEST = 1e-6
"""The least that colours are scaled by, so that a filter of zeros is grey."""


class _Areas(NamedTuple):
    """Where everything stands: the picture, the filters in rows of eight, and the chosen one."""

    weights: tuple[Block, ...]
    """On `Network`: the slices of the first filter, of the second, and so on."""
    picture: Block
    tiles: tuple[Block, ...]
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
    return _Areas(first.own["weight"].blocks, picture, tiles, slices, chosen)


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
    for number, tile in enumerate(areas.tiles):
        _tile(sheet, areas, number, tile, weight[number], chosen)
    mosaic.colour(sheet, (areas.picture, *areas.tiles))
    sheet.names |= {"filter_tiles": around(tuple(areas.tiles)), "filter_picture": areas.picture}
    _slices(sheet, areas, weight, chosen)
    _map(sheet, state, areas, chosen)
    return sheet


def _tile(sheet: Page, areas: _Areas, number: int, tile: Block, weight: Array, chosen: Expr) -> None:
    """One filter as a picture, with its number and its largest weight above."""
    slices = areas.weights[number * len(COLOURS) : (number + 1) * len(COLOURS)]
    ranges = [sheet.range(block, values) for block, values in zip(slices, weight, strict=True)]
    bound, largest_weight = tile.part(-1, tile.width - 1, 1, 1), largest(*ranges, -smallest(*ranges), _SMALLEST)
    sheet.put(bound.row, bound.column, largest_weight, style.SCALE)
    full = 2 * sheet.cell(bound, largest_weight.value)
    mosaic.paint(sheet, tile, [0.5 + one / full for one in sheet.planes(slices, weight)])
    label = tile.part(-1, 0, 1, 1)
    widgets.caption(sheet, tile, float(number + 1), style.NUMBERED)
    sheet.links[label.row, label.column] = slices[0].other()
    sheet.marks.append(Mark(label, (sheet.each(label, number + 1) == chosen).formula, style.AMBER))


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
