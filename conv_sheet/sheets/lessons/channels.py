"""The sheet `Channels`: how colours become one map, what a 1×1 convolution mixes, what separating the two saves."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, choose, index, largest, sumproduct, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.page import Page, Verdict
from conv_sheet.errors import SpecError
from conv_sheet.layers import Border
from conv_sheet.layers.activation import ReLU
from conv_sheet.layers.conv import Conv2d
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets.addresses import TOLERANCE
from conv_sheet.sheets.lessons import counts, mosaic
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "channels"
CHANNELS = "Channels"
COLOURS = ("red", "green", "blue")
MAP, ROW, COLUMN = "channels_map", "channels_row", "channels_column"

LAYERS = ("conv1", "mix", "depthwise", "pointwise")
_ASK_ROW = 5
_TOP = 8


@dataclass(frozen=True)
class _Places:
    """Where everything stands, by the sizes of the lesson's network."""

    layout: Layout

    def stage(self, name: str) -> Stage:
        return self.layout.by_name[name]

    @cached_property
    def conv(self) -> Conv2d:
        layer = self.stage("conv1").layer
        assert isinstance(layer, Conv2d)
        return layer

    @cached_property
    def border(self) -> Border:
        return self.conv.border(self.layout.input.shape)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture, and of every map."""
        return self.layout.input.blocks[0].shape

    @cached_property
    def planes(self) -> list[Block]:
        """Of the three colours; around each is the border that the convolution reads."""
        (height, width), border = self.size, self.border
        pitch = height + border.top + border.bottom + 2
        column = 2 + width + 2 + border.left
        return [Block(CHANNELS, _TOP + c * pitch + border.top, column, height, width) for c in range(3)]

    @cached_property
    def picture(self) -> Block:
        return Block(CHANNELS, self.planes[1].row, 2, *self.size)

    @cached_property
    def kernels(self) -> list[Block]:
        shape = self.stage("conv1").own["weight"].blocks[0].shape
        return [_behind(plane, self.border.right + 2, *shape) for plane in self.planes]

    @cached_property
    def partials(self) -> list[Block]:
        return [_behind(kernel, 2, *self.size) for kernel in self.kernels]

    @cached_property
    def bias(self) -> Block:
        last = self.partials[-1]
        return Block(CHANNELS, last.last_row + 2, last.column + last.width // 2, 1, 1)

    @cached_property
    def total(self) -> Block:
        return _behind(self.partials[1], 2, *self.size)

    @cached_property
    def out(self) -> Block:
        return _behind(self.total, 2, *self.size)

    @cached_property
    def last_column(self) -> int:
        return self.out.last_column

    @cached_property
    def ask_map(self) -> Block:
        return Block(CHANNELS, _ASK_ROW, 7, 1, 1)

    @cached_property
    def mixed(self) -> Block:
        """What the 1×1 convolution makes, as a picture."""
        return Block(CHANNELS, self.bias.row + 7, 2, *self.size)

    @cached_property
    def ask_row(self) -> Block:
        return Block(CHANNELS, self.mixed.row, self.mixed.last_column + 6, 1, 1)

    @cached_property
    def ask_column(self) -> Block:
        return Block(CHANNELS, self.mixed.row + 1, self.mixed.last_column + 6, 1, 1)

    @cached_property
    def pixel(self) -> Block:
        """The values of all maps at one pixel, as a row."""
        return Block(CHANNELS, self.mixed.row + 4, self.mixed.last_column + 3, 1, self.conv.out_channels)

    @cached_property
    def matrix(self) -> Block:
        return Block(CHANNELS, self.pixel.row + 3, self.pixel.column, len(COLOURS), self.pixel.width)

    @cached_property
    def mix_bias(self) -> Block:
        return _behind(self.matrix, 2, len(COLOURS), 1)

    @cached_property
    def result(self) -> Block:
        return _behind(self.mix_bias, 2, len(COLOURS), 1)

    @cached_property
    def swatch(self) -> Block:
        return _behind(self.result, 2, 3, 3)

    @cached_property
    def counts(self) -> Block:
        """The table of multiplications."""
        height, width = counts.SIZE
        return Block(CHANNELS, self.mixed.row - 4, self.last_column - width + 1, height, width)


def _behind(block: Block, gap: int, height: int, width: int) -> Block:
    """A block to the right of another one, with its middle as high."""
    return Block(CHANNELS, block.row + (block.height - height) // 2, block.last_column + 1 + gap, height, width)


def _places(layout: Layout) -> _Places:
    """Raises SpecError for a network that is not the lesson's, give or take its sizes."""
    missing = [name for name in LAYERS if name not in layout.by_name]
    if missing:
        raise SpecError(f"the sheet {NAME!r} shows layers called {', '.join(LAYERS)}; there is no {missing[0]!r}")
    conv, mix = layout.by_name["conv1"], layout.by_name["mix"]
    if (
        layout.input.shape[0] != len(COLOURS)
        or not isinstance(conv.layer, Conv2d)
        or not set(conv.layer.options()) <= {"out_channels", "kernel_size", "padding"}
        or conv.out.shape[1:] != layout.input.shape[1:]
        or len(set(conv.own["weight"].shape[2:])) > 1
        or not isinstance(conv.activation, ReLU)
        or mix.layer.kind != Conv2d.kind
        or mix.layer.options() != {"out_channels": len(COLOURS), "kernel_size": 1}
    ):
        raise SpecError(
            f"the sheet {NAME!r} needs an input of 3 channels, a Conv2d 'conv1' of square kernels with a padding that "
            "keeps the size, a ReLU, and a Conv2d 'mix' with out_channels = 3 and kernel_size = 1"
        )
    return _Places(layout)


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """Which map to take apart, at which pixel to mix, and the sizes of a convolution to count for."""
    places = _places(layout)
    maps, (height, width) = places.conv.out_channels, places.size

    def whole(name: str, block: Block, first: float, most: int, hint: str) -> Input:
        return Input.cell(name, block, first, Limits(1, most, whole=True, hint=hint))

    return (
        whole(MAP, places.ask_map, 1, maps, f"Which map of conv1: a whole number from 1 to {maps}."),
        whole(ROW, places.ask_row, height // 2, height, f"Row of a pixel: a whole number from 1 to {height}."),
        whole(COLUMN, places.ask_column, width // 2, width, f"Column of a pixel: from 1 to {width}."),
        *counts.inputs(places.counts),
    )


def page(state: WorkbookState) -> Page:
    """The sheet: one map taken apart by colours above, the 1×1 convolution and the counts below."""
    places = _places(state.layout)
    sheet = widgets.frame(CHANNELS, places.last_column, zoom=60)
    lines = (
        "A kernel has a slice for each colour. Every slice slides over its own colour and makes a map; the three maps "
        "are added, pixel by pixel, and the bias with them: three colours become one map.",
        "Four kernels make four maps: look at another one here. Pixels, weights and biases are typed on Network.",
    )
    widgets.head(sheet, "How three colours become one map", lines, places.last_column)
    which, row, column, *sizes = inputs(state.layout, state.lesson)
    _apart(sheet, state, places, _asked(sheet, state, which, "take apart map", 5))
    _mixture(sheet, state, places, _asked(sheet, state, row, "row", 3), _asked(sheet, state, column, "column", 3))
    conv = places.stage("conv1")
    own = (len(COLOURS), conv.out.shape[0], conv.own["weight"].shape[2], *places.size)
    counts.table(sheet, state, places.counts, own, sizes)
    return sheet


def _asked(sheet: Page, state: WorkbookState, item: Input, label: str, width: int) -> Expr:
    """The cell of an input, with its label in the `width` columns before it."""
    widgets.ask(sheet, item, state[item], label, width)
    return sheet.cell(item.at, state.number(item))


def _maps(state: WorkbookState, stage: Stage) -> Array:
    """The maps of a stage as `Network` shows them."""
    return state.layout.values(stage, state.activations, state.tensors)["out"]


# -- one map, taken apart ----------------------------------------------------------------------------------------------


def _apart(sheet: Page, state: WorkbookState, places: _Places, which: Expr) -> None:
    """Picture, colours, slices, what each adds, the sum, and what ReLU leaves, for the chosen map."""
    widgets.caption(sheet, places.picture, "the picture", style.CLASS)
    mosaic.paint(sheet, places.picture, sheet.planes(places.planes, state.image))
    kernels, adds = [], []
    for c, colour in enumerate(COLOURS):
        plane, kernel, partial = places.planes[c], places.kernels[c], places.partials[c]
        windows = _plane(sheet, state, places, c)
        widgets.caption(sheet, kernel, f"{colour} slice")
        slices = places.stage("conv1").own["weight"].blocks[c :: len(COLOURS)]
        weights = choose(which, *sheet.planes(slices, state.tensors["conv1.weight"][:, c]))
        sheet.fill(kernel, weights, style.SCORE)
        widgets.caption(sheet, partial, f"what {colour} adds")
        products = sumproduct(windows, sheet.range(kernel, weights.value))
        sheet.fill(partial, products, style.ACTIVATION)
        sheet.names[f"channels_{colour}"] = partial
        widgets.glyph(sheet, plane, "×", places.border.right)
        widgets.glyph(sheet, kernel, "=")
        kernels.append((kernel, weights.value))
        adds.append((partial, products.value))
    widgets.signed(sheet, Block(CHANNELS, _TOP - 2, places.kernels[0].column, 1, 1), kernels)
    _sum(sheet, state, places, which, adds)


def _plane(sheet: Page, state: WorkbookState, places: _Places, c: int) -> Expr:
    """How bright one colour is, inside the border of zeros that the convolution reads; returns what its windows see."""
    plane, sides = places.planes[c], places.border.sides
    top, bottom, left, right = sides
    for y, x in plane.margin(*sides):
        sheet.put(*plane.position(y, x), 0.0, style.PADDING)
    sheet.put(plane.row - top - 1, plane.column - left, COLOURS[c], style.CLASS)
    sheet.fill(plane, sheet.each(state.layout.input.blocks[c], state.image[c]), style.ACTIVATION)
    sheet.scales.append(((plane,), style.CHANNEL_SCALES[c]))
    read = plane.part(-top, -left, top + plane.height + bottom, left + plane.width + right)
    return sheet.windows(read, places.kernels[c].shape, np.pad(state.image[c], ((top, bottom), (left, right))))


def _sum(sheet: Page, state: WorkbookState, places: _Places, which: Expr, adds: list[tuple[Block, Array]]) -> None:
    """The three maps and the bias added up, ReLU, and whether that is the map on `Network`."""
    own, bias = places.stage("conv1").own["bias"].blocks[0], places.bias
    for partial in places.partials[:-1]:
        sheet.put(partial.last_row + 2, partial.column + partial.width // 2, "+", style.GLYPH)
    sheet.put(bias.row, bias.column - 1, "+", style.GLYPH)
    sheet.put(bias.row, bias.column + 1, "bias", style.LABEL)
    biases = enumerate(state.tensors["conv1.bias"])
    added = choose(which, *(Expr(float(value), own.other(0, o)) for o, value in biases))
    sheet.put(bias.row, bias.column, added, style.SCORE)
    red, green, blue = (sheet.each(*one) for one in adds)
    whole = red + green + blue + sheet.cell(bias, added.value)
    widgets.caption(sheet, places.total, "the sum, with the bias", style.CLASS)
    sheet.fill(places.total, whole, style.ACTIVATION)
    widgets.glyph(sheet, places.partials[1], "=")
    scaled = [*adds, (places.total, whole.value)]
    widgets.signed(sheet, Block(CHANNELS, _TOP - 2, places.partials[0].column, 1, 1), scaled)
    widgets.glyph(sheet, places.total, "→")
    widgets.caption(sheet, places.out, "ReLU: what is above zero", style.CLASS)
    positive = largest(0, sheet.each(places.total, whole.value))
    sheet.fill(places.out, positive, style.ACTIVATION)
    sheet.scales.append(((places.out,), style.WARM_SCALE))
    sheet.names |= {"channels_sum": places.total, "channels_out": places.out}
    _same(sheet, state, places, which, positive.value)


def _same(sheet: Page, state: WorkbookState, places: _Places, which: Expr, made: Array) -> None:
    """Whether what was put together here is what stands on `Network`."""
    out, conv = places.out, places.stage("conv1")
    maps = zip(conv.out.blocks, _maps(state, conv), strict=True)
    apart = [sumproduct((sheet.range(out, made) - sheet.range(block, values)) ** 2) for block, values in maps]
    same, other = "the same as this map on Network", "not the map on Network"
    words = where(choose(which, *apart) <= TOLERANCE, same, other)
    line = Block(CHANNELS, out.last_row + 2, out.column, 1, out.width)
    sheet.merged(line, words, style.STATUS)
    sheet.verdicts.append(Verdict(line, (sheet.cell(line.part(0, 0, 1, 1), words.value) == same).formula))


# -- 1×1 ---------------------------------------------------------------------------------------------------------------


def _mixture(sheet: Page, state: WorkbookState, places: _Places, row: Expr, column: Expr) -> None:
    """The 1×1 convolution at one pixel: a row of values, a matrix, three sums, a colour."""
    mix, mixed, end = places.stage("mix"), places.mixed, places.counts.column - 3
    sheet.span(mixed.row - 4, 2, end, "A 1×1 convolution mixes maps, pixel by pixel", style.HEADING)
    words = (
        "It sees no neighbours: at every pixel the same small matrix makes three values of four. "
        "Here they are red, green and blue again, and so a picture."
    )
    sheet.span(mixed.row - 3, 2, end, words, style.LINE)
    widgets.caption(sheet, mixed, "the three maps of mix as a picture", style.CLASS)
    mosaic.paint(sheet, mixed, sheet.planes(mix.out.blocks, _maps(state, mix)))
    pixel = _pixel(sheet, state, places, row, column)
    result = _result(sheet, state, places, pixel)
    widgets.caption(sheet, places.swatch, "the pixel")
    shown = [sheet.cell(places.result.part(o, 0, 1, 1), value) for o, value in enumerate(result[:, 0])]
    mosaic.paint(sheet, places.swatch, shown)
    mosaic.colour(sheet, (places.picture, mixed, places.swatch))


def _pixel(sheet: Page, state: WorkbookState, places: _Places, row: Expr, column: Expr) -> Expr:
    """What each map of conv1 has at the pixel, as a row."""
    conv, pixel = places.stage("conv1"), places.pixel
    maps = [sheet.range(block, values) for block, values in zip(conv.out.blocks, _maps(state, conv), strict=True)]
    widgets.caption(sheet, pixel, "conv1_out_1 … 4 at this pixel", style.LABEL)
    values = sheet.fill_each(pixel, lambda _, c: index(maps[c], row, column), style.SCORE)
    sheet.scales.append(((pixel,), style.WARM_SCALE))
    return sheet.range(pixel, values)


def _result(sheet: Page, state: WorkbookState, places: _Places, pixel: Expr) -> Array:
    """The values of the maps, times the weights, plus the biases."""
    own, matrix, bias, result = places.stage("mix").own, places.matrix, places.mix_bias, places.result
    weights, biases = state.tensors["mix.weight"][:, :, 0, 0], state.tensors["mix.bias"]
    blocks = np.reshape(np.array(own["weight"].blocks, dtype=object), weights.shape)
    widgets.caption(sheet, matrix, "× weights of mix", style.LABEL)
    sheet.fill_each(matrix, lambda o, c: sheet.near(blocks[o, c], weights[o, c]), style.SCORE)
    widgets.caption(sheet, bias, "bias", style.LABEL)
    sheet.fill_each(bias, lambda o, _: Expr(biases[o], own["bias"].blocks[0].other(0, o)), style.SCORE)
    widgets.glyph(sheet, matrix, "+")
    added = np.reshape(biases, bias.shape)
    corner = Block(CHANNELS, matrix.row - 1, matrix.last_column, 1, 1)
    widgets.signed(sheet, corner, [(matrix, weights), (bias, added)])
    sums = sumproduct(pixel, sheet.windows(matrix, (1, matrix.width), weights)) + sheet.each(bias, added)
    widgets.glyph(sheet, bias, "=")
    sheet.fill(result, sums, style.SCORE)
    sheet.names["channels_mixed"] = result
    widgets.glyph(sheet, result, "→")
    sheet.fill(matrix.part(0, -1, len(COLOURS), 1), np.array(COLOURS, dtype=object)[:, np.newaxis], style.LABEL)
    return np.asarray(sums.value)


SHEET = Sheet(CHANNELS, page, NAME, inputs)
