"""The sheet `Filters`: kernels over red, green and blue as small pictures of these colours, and one in numbers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conv_sheet.cells import style
from conv_sheet.cells import widgets as parts
from conv_sheet.cells.grid import Block, Placed, around
from conv_sheet.cells.page import Mark, Page, Setting
from conv_sheet.errors import SpecError
from conv_sheet.layers import Array
from conv_sheet.layers.conv import Conv2d
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.sheets.held import Held
from conv_sheet.sheets.lessons import mosaic

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


def settings(layout: Layout) -> tuple[Setting, ...]:
    """Which filter to look at."""
    places = _places(layout)
    hint = f"Which filter: a whole number from 1 to {places.count}."
    return (Setting(FILTER, places.ask, 1, hint, 1, places.count),)


def engine(held: Held) -> list[tuple[Placed, Array]]:
    """Nothing here is the engine's."""
    return []


def page(held: Held) -> Page:
    """The sheet."""
    places = _places(held.layout)
    last = places.map.last_column
    sheet = parts.frame(FILTERS, last, zoom=70)
    parts.head(sheet, f"{places.count} filters: what the first layer looks for", _LINES, last)
    parts.ask(sheet, settings(held.layout)[0], held.chosen[FILTER], "filter", 3)
    parts.caption(sheet, places.picture, "the picture", style.CLASS)
    mosaic.paint(sheet, places.picture, held.image, lambda c, y, x: held.layout.input.blocks[c].other(y, x))
    weight = held.tensors[f"{places.stage.name}.weight"]
    for number, tile in enumerate(places.tiles):
        _tile(sheet, places, number, tile, weight[number])
    mosaic.colour(sheet, (places.picture, *places.tiles))
    sheet.names |= {"filter_tiles": around(tuple(places.tiles)), "filter_picture": places.picture}
    _chosen(sheet, held, places, weight)
    return sheet


def _tile(sheet: Page, places: _Places, number: int, tile: Block, weight: Array) -> None:
    """One filter as a picture, with its number and its largest weight above."""
    slices = places.weights[number * len(COLOURS) : (number + 1) * len(COLOURS)]
    bound, largest = places.bound(tile), max(float(np.abs(weight).max()), _SMALLEST)
    ranges = ",".join(block.reference for block in slices)
    sheet.put(bound.row, bound.column, largest, style.SCALE, f"MAX({ranges},-MIN({ranges}),{_SMALLEST:.0E})")
    parts.caption(sheet, tile, float(number + 1), style.NUMBERED)
    sheet.links[tile.row - 1, tile.column] = slices[0].other()
    label = tile.part(-1, 0, 1, 1)
    sheet.marks.append(Mark(label, f"{label.cell()}={places.ask.fixed()}", style.AMBER))
    mosaic.paint(
        sheet, tile, 0.5 + weight / (2 * largest), lambda c, y, x: f"(0.5+{slices[c].other(y, x)}/(2*{bound.fixed()}))"
    )


def _chosen(sheet: Page, held: Held, places: _Places, weight: Array) -> None:
    """The slices of the chosen filter as numbers, and the map that it makes."""
    number, cell, stage = int(float(held.chosen[FILTER])) - 1, places.ask.fixed(), places.stage
    for c, (block, colour) in enumerate(zip(places.slices, COLOURS, strict=True)):
        parts.caption(sheet, block, colour, style.CLASS)
        parts.choose(sheet, block, weight[number, c], style.SCORE, places.weights[c :: len(COLOURS)], cell)
    parts.signed(sheet, places.slices[-1].part(places.slices[-1].height, 0, 1, 1), tuple(places.slices))
    sheet.names |= {f"filter_{colour}": block for colour, block in zip(COLOURS, places.slices, strict=True)}
    sheet.names["filter_map"] = places.map
    values = held.layout.values(stage, held.activations, held.tensors)["out"][number]
    text = f"{stage.name}_out_{number + 1}, what it makes of the picture"
    formula = f'"{stage.name}_out_"&{cell}&", what it makes of the picture"'
    parts.caption(sheet, places.map, text, style.CLASS, formula)
    parts.choose(sheet, places.map, values, style.ACTIVATION, stage.out.blocks, cell)
    if np.all(values >= 0) and stage.activation is not None:
        sheet.scales.append(((places.map,), style.WARM_SCALE))
