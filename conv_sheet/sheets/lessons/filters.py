"""The sheet `Filters`: kernels over red, green and blue as small pictures of these colours, and one in numbers."""

from dataclasses import dataclass
from functools import cached_property

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, choose, largest, smallest, text
from conv_sheet.cells.grid import Block, around
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.page import Mark, Page
from conv_sheet.errors import SpecError
from conv_sheet.layers.conv import Conv2d
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
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
_ASK_ROW = 5
_TOP = 8
_ACROSS = 8
_MOST = 64
_SMALLEST = 1e-6
"""The least that colours are scaled by, so that a filter of zeros is grey."""


@dataclass(frozen=True)
class _Places:
    """Where everything stands: the picture, the filters in rows of eight, and the chosen one."""

    layout: Layout

    @cached_property
    def stage(self) -> Stage:
        return self.layout.stages[1]

    @cached_property
    def weights(self) -> tuple[Block, ...]:
        """Slices on `Network`: those of the first filter, of the second, and so on."""
        return self.stage.own["weight"].blocks

    @cached_property
    def ask(self) -> Block:
        return Block(FILTERS, _ASK_ROW, 5, 1, 1)

    @cached_property
    def picture(self) -> Block:
        return Block(FILTERS, _TOP, 2, *self.layout.input.blocks[0].shape)

    @cached_property
    def tiles(self) -> list[Block]:
        height, width = self.weights[0].shape
        left, across = self.picture.last_column + 4, min(_ACROSS, self.count)
        return [
            Block(FILTERS, _TOP + o // across * (height + 2), left + o % across * (width + 2), height, width)
            for o in range(self.count)
        ]

    @cached_property
    def count(self) -> int:
        return self.stage.own["weight"].shape[0]

    @cached_property
    def slices(self) -> list[Block]:
        """The chosen filter's, one a colour."""
        column = max(tile.last_column for tile in self.tiles) + 4
        height, width = self.weights[0].shape
        return [Block(FILTERS, _TOP + c * (height + 2), column, height, width) for c in range(len(COLOURS))]

    @cached_property
    def map(self) -> Block:
        """What the chosen filter makes of the picture."""
        return Block(FILTERS, _TOP, self.slices[0].last_column + 4, *self.stage.out.blocks[0].shape)

    def bound(self, tile: Block) -> Block:
        """The cell for the largest weight of a filter."""
        return Block(FILTERS, tile.row - 1, tile.last_column, 1, 1)


def _places(layout: Layout) -> _Places:
    """Raises SpecError for a network that does not begin with a convolution over three colours."""
    first = layout.stages[1]
    if (
        layout.input.shape[0] != len(COLOURS)
        or not isinstance(first.layer, Conv2d)
        or first.own["weight"].shape[1] != len(COLOURS)
        or first.own["weight"].shape[0] > _MOST
    ):
        raise SpecError(
            f"the sheet {NAME!r} needs an input of 3 channels and a Conv2d behind it that reads all of them, "
            f"with {_MOST} output channels or fewer"
        )
    return _Places(layout)


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """Which filter to look at."""
    places = _places(layout)
    hint = f"Which filter: a whole number from 1 to {places.count}."
    return (Input.cell(FILTER, places.ask, 1.0, Limits(1, places.count, whole=True, hint=hint)),)


def page(state: WorkbookState) -> Page:
    """The sheet."""
    places = _places(state.layout)
    last = places.map.last_column
    sheet = widgets.frame(FILTERS, last, zoom=70)
    widgets.head(sheet, f"{places.count} filters: what the first layer looks for", _LINES, last)
    (item,) = inputs(state.layout, state.lesson)
    widgets.ask(sheet, item, state[item], "filter", 3)
    chosen = sheet.cell(item.at, state.number(item))
    widgets.caption(sheet, places.picture, "the picture", style.CLASS)
    mosaic.paint(sheet, places.picture, sheet.planes(state.layout.input.blocks, state.image))
    weight = state.tensors[f"{places.stage.name}.weight"]
    for number, tile in enumerate(places.tiles):
        _tile(sheet, places, number, tile, weight[number], chosen)
    mosaic.colour(sheet, (places.picture, *places.tiles))
    sheet.names |= {"filter_tiles": around(tuple(places.tiles)), "filter_picture": places.picture}
    _slices(sheet, places, weight, chosen)
    _map(sheet, state, places, chosen)
    return sheet


def _tile(sheet: Page, places: _Places, number: int, tile: Block, weight: Array, chosen: Expr) -> None:
    """One filter as a picture, with its number and its largest weight above."""
    slices = places.weights[number * len(COLOURS) : (number + 1) * len(COLOURS)]
    ranges = [sheet.range(block, values) for block, values in zip(slices, weight, strict=True)]
    bound, largest_weight = places.bound(tile), largest(*ranges, -smallest(*ranges), _SMALLEST)
    sheet.put(bound.row, bound.column, largest_weight, style.SCALE)
    full = 2 * sheet.cell(bound, largest_weight.value)
    mosaic.paint(sheet, tile, [0.5 + one / full for one in sheet.planes(slices, weight)])
    label = tile.part(-1, 0, 1, 1)
    widgets.caption(sheet, tile, float(number + 1), style.NUMBERED)
    sheet.links[label.row, label.column] = slices[0].other()
    sheet.marks.append(Mark(label, (sheet.each(label, number + 1) == chosen).formula, style.AMBER))


def _slices(sheet: Page, places: _Places, weight: Array, chosen: Expr) -> None:
    """The slices of the chosen filter as numbers."""
    shown = []
    for c, (block, colour) in enumerate(zip(places.slices, COLOURS, strict=True)):
        numbers = choose(chosen, *sheet.planes(places.weights[c :: len(COLOURS)], weight[:, c]))
        widgets.caption(sheet, block, colour, style.CLASS)
        sheet.fill(block, numbers, style.SCORE)
        sheet.names[f"filter_{colour}"] = block
        shown.append((block, numbers.value))
    widgets.signed(sheet, places.slices[-1].part(places.slices[-1].height, 0, 1, 1), shown)


def _map(sheet: Page, state: WorkbookState, places: _Places, chosen: Expr) -> None:
    """What the chosen filter makes of the picture."""
    stage = places.stage
    maps = state.layout.values(stage, state.activations, state.tensors)["out"]
    words = text(f"{stage.name}_out_", chosen, ", what it makes of the picture")
    widgets.caption(sheet, places.map, words, style.CLASS)
    sheet.fill(places.map, choose(chosen, *sheet.planes(stage.out.blocks, maps)), style.ACTIVATION)
    sheet.names["filter_map"] = places.map
    if scale := scale_of(state.layout, stage):
        sheet.scales.append(((places.map,), scale))


SHEET = Sheet(FILTERS, page, NAME, inputs)
