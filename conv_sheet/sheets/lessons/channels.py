"""The sheet `Channels`: how colours become one map, what a 1×1 convolution mixes, what separating the two saves."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, largest, sumproduct, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input
from conv_sheet.cells.lookup import choose, index
from conv_sheet.cells.page import Page, Verdict
from conv_sheet.errors import SpecError
from conv_sheet.layers import Border
from conv_sheet.layers.activation import ReLU
from conv_sheet.layers.conv import Conv2d
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.addresses import TOLERANCE
from conv_sheet.sheets.lessons import counts, mosaic
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "channels"
CHANNELS = "Channels"
COLOURS = tuple(style.LIGHTS)
MAP, ROW, COLUMN = "channels_map", "channels_row", "channels_column"

LAYERS = ("conv1", "mix", "depthwise", "pointwise")
_ASK_MAP = Block(CHANNELS, 5, 7, 1, 1)
_TOP = 8


class _Areas(NamedTuple):
    """Where everything stands, by the sizes of the lesson's network."""

    border: Border
    """What the convolution reads around each plane."""
    planes: tuple[Block, ...]
    """The picture, one a colour."""
    picture: Block
    kernels: tuple[Block, ...]
    products: tuple[Block, ...]
    """What each colour adds to the map."""
    bias: Block
    total: Block
    out: Block
    mixed: Block
    """What the 1×1 convolution makes, as a picture."""
    pixel: Block
    """The values of all maps at one pixel, as a row."""
    matrix: Block
    mix_bias: Block
    result: Block
    swatch: Block
    counts: Block


def _areas(layout: Layout) -> _Areas:
    conv = _checked(layout)
    size = height, width = layout.input.blocks[0].shape
    border = conv.layer.border()
    top, pitch = _TOP + border.top, height + border.top + border.bottom + 2
    left = 2 + width + 2 + border.left
    planes = tuple(Block(CHANNELS, top + c * pitch, left, *size) for c in range(len(COLOURS)))
    kernels = tuple(_behind(plane, conv.own["weight"].shape[2:], border.right + 2) for plane in planes)
    products = tuple(_behind(kernel, size) for kernel in kernels)
    bias = products[-1].part(height + 1, width // 2, 1, 1)
    total = _behind(products[1], size)
    out = _behind(total, size)
    mixed = Block(CHANNELS, bias.row + 7, 2, *size)
    pixel = mixed.part(4, width + 2, 1, len(conv.out.blocks))
    matrix = pixel.part(3, 0, len(COLOURS), pixel.width)
    mix_bias = _behind(matrix, (len(COLOURS), 1))
    result = _behind(mix_bias, (len(COLOURS), 1))
    swatch = _behind(result, (3, 3))
    table_left = max(out.last_column - counts.SIZE[1] + 1, swatch.last_column + 3)
    table = Block(CHANNELS, mixed.row - 4, table_left, *counts.SIZE)
    picture = Block(CHANNELS, planes[1].row, 2, *size)
    one_map = border, planes, picture, kernels, products, bias, total, out
    return _Areas(*one_map, mixed, pixel, matrix, mix_bias, result, swatch, table)


def _behind(block: Block, shape: Sequence[int], gap: int = 2) -> Block:
    """A block to the right of another one, with its middle as high."""
    height, width = shape
    return block.part((block.height - height) // 2, block.width + gap, height, width)


def _checked(layout: Layout) -> Stage:
    """The first convolution.

    Raises SpecError for a network that is not the lesson's, give or take its sizes.
    """
    missing = [name for name in LAYERS if name not in layout.by_name]
    if missing:
        raise SpecError(f"the sheet {NAME!r} shows layers called {', '.join(LAYERS)}; there is no {missing[0]!r}")
    conv, mix = layout.by_name["conv1"], layout.by_name["mix"]
    if (
        layout.input.shape[0] != len(COLOURS)
        or conv.layer.kind != Conv2d.kind
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
    return conv


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """Which map to take apart, at which pixel to mix, and the sizes of a convolution to count for."""
    areas = _areas(layout)
    (height, width), maps, row = areas.mixed.shape, areas.pixel.width, areas.mixed.part(0, areas.mixed.width + 5, 1, 1)
    return (
        Input.whole(MAP, _ASK_MAP, 1, 1, maps, f"Which map of conv1: a whole number from 1 to {maps}."),
        Input.whole(ROW, row, height // 2, 1, height, f"Row of a pixel: a whole number from 1 to {height}."),
        Input.whole(COLUMN, row.part(1, 0, 1, 1), width // 2, 1, width, f"Column of a pixel: from 1 to {width}."),
        *counts.inputs(areas.counts),
    )


def page(state: WorkbookState) -> Page:
    """The sheet: one map taken apart by colours above, the 1×1 convolution and the counts below."""
    areas = _areas(state.layout)
    last = max(areas.out.last_column, areas.counts.last_column)
    sheet = widgets.frame(CHANNELS, last, zoom=style.NETWORK_ZOOM)
    lines = (
        "A kernel has a slice for each colour. Every slice slides over its own colour and makes a map; the three maps "
        "are added, pixel by pixel, and the bias with them: three colours become one map.",
        "Four kernels make four maps: look at another one here. Pixels, weights and biases are typed on Network.",
    )
    cockpit.head(sheet, state, "How three colours become one map", lines)
    which, row, column, *sizes = inputs(state.layout, state.lesson)
    _apart(sheet, state, areas, _asked(sheet, state, which, "take apart map", 5))
    _mixture(sheet, state, areas, _asked(sheet, state, row, "row", 3), _asked(sheet, state, column, "column", 3))
    conv = state.layout.by_name["conv1"]
    own = (len(COLOURS), conv.out.shape[0], conv.own["weight"].shape[2], *areas.mixed.shape)
    counts.table(sheet, state, areas.counts, own, sizes)
    return sheet


def _asked(sheet: Page, state: WorkbookState, item: Input, label: str, width: int) -> Expr:
    """The cell of an input, with its label in the `width` columns before it."""
    widgets.ask(sheet, item, state[item], label, width)
    return sheet.cell(item.at, state.number(item))


def _maps(state: WorkbookState, stage: Stage) -> Array:
    """The maps of a stage as `Network` shows them."""
    return state.layout.values(stage, state.activations, state.tensors)["out"]


# -- one map, taken apart ----------------------------------------------------------------------------------------------


def _apart(sheet: Page, state: WorkbookState, areas: _Areas, which: Expr) -> None:
    """Picture, colours, slices, what each adds, the sum, and what ReLU leaves, for the chosen map."""
    widgets.caption(sheet, areas.picture, "the picture", style.CLASS)
    mosaic.paint(sheet, areas.picture, sheet.planes(areas.planes, state.image))
    kernels, adds = [], []
    for c, colour in enumerate(COLOURS):
        plane, kernel, product = areas.planes[c], areas.kernels[c], areas.products[c]
        windows = _plane(sheet, state, areas, c)
        widgets.caption(sheet, kernel, f"{colour} slice")
        slices = state.layout.by_name["conv1"].own["weight"].blocks[c :: len(COLOURS)]
        weights = choose(which, *sheet.planes(slices, state.tensors["conv1.weight"][:, c]))
        sheet.fill(kernel, weights, style.SCORE)
        widgets.caption(sheet, product, f"what {colour} adds")
        products = sumproduct(windows, sheet.range(kernel, weights.value))
        sheet.fill(product, products, style.ACTIVATION)
        sheet.names[f"channels_{colour}"] = product
        widgets.glyph(sheet, plane, "×", areas.border.right)
        widgets.glyph(sheet, kernel, "=")
        kernels.append((kernel, weights.value))
        adds.append((product, products.value))
    widgets.signed(sheet, Block(CHANNELS, _TOP - 2, areas.kernels[0].column, 1, 1), kernels)
    _sum(sheet, state, areas, which, adds)


def _plane(sheet: Page, state: WorkbookState, areas: _Areas, c: int) -> Expr:
    """How bright one colour is, inside the border of zeros that the convolution reads; returns what its windows see."""
    plane, sides = areas.planes[c], areas.border.sides
    top, bottom, left, right = sides
    for y, x in plane.margin(*sides):
        sheet.put(*plane.position(y, x), 0.0, style.PADDING)
    sheet.put(plane.row - top - 1, plane.column - left, COLOURS[c], style.CLASS)
    sheet.fill(plane, sheet.each(state.layout.input.blocks[c], state.image[c]), style.ACTIVATION)
    sheet.scales.append(((plane,), style.INK_SCALE))
    read = plane.part(-top, -left, top + plane.height + bottom, left + plane.width + right)
    return sheet.windows(read, areas.kernels[c].shape, np.pad(state.image[c], ((top, bottom), (left, right))))


def _sum(sheet: Page, state: WorkbookState, areas: _Areas, which: Expr, adds: list[tuple[Block, Array]]) -> None:
    """The three maps and the bias added up, ReLU, and whether that is the map on `Network`."""
    own, bias = state.layout.by_name["conv1"].own["bias"].blocks[0], areas.bias
    for product in areas.products[:-1]:
        sheet.put(product.last_row + 2, product.column + product.width // 2, "+", style.GLYPH)
    sheet.put(bias.row, bias.column - 1, "+", style.GLYPH)
    sheet.put(bias.row, bias.column + 1, "bias", style.LABEL)
    biases = enumerate(state.tensors["conv1.bias"])
    added = choose(which, *(sheet.near(own.part(0, o, 1, 1), value) for o, value in biases))
    sheet.put(bias.row, bias.column, added, style.SCORE)
    red, green, blue = (sheet.each(*one) for one in adds)
    whole = red + green + blue + sheet.cell(bias, added.value)
    widgets.caption(sheet, areas.total, "the sum, with the bias", style.CLASS)
    sheet.fill(areas.total, whole, style.ACTIVATION)
    widgets.glyph(sheet, areas.products[1], "=")
    scaled = [*adds, (areas.total, whole.value)]
    widgets.signed(sheet, Block(CHANNELS, _TOP - 2, areas.products[0].column, 1, 1), scaled)
    widgets.glyph(sheet, areas.total, "→")
    widgets.caption(sheet, areas.out, "ReLU: what is above zero", style.CLASS)
    positive = largest(0, sheet.each(areas.total, whole.value))
    sheet.fill(areas.out, positive, style.ACTIVATION)
    sheet.scales.append(((areas.out,), style.WARM_SCALE))
    sheet.names |= {"channels_sum": areas.total, "channels_out": areas.out}
    _same(sheet, state, areas, which, positive.value)


def _same(sheet: Page, state: WorkbookState, areas: _Areas, which: Expr, made: Array) -> None:
    """Whether what was put together here is what stands on `Network`."""
    out, conv = areas.out, state.layout.by_name["conv1"]
    maps = zip(conv.out.blocks, _maps(state, conv), strict=True)
    apart = [sumproduct((sheet.range(out, made) - sheet.range(block, values)) ** 2) for block, values in maps]
    same, other = "the same as this map on Network", "not the map on Network"
    words = where(choose(which, *apart) <= TOLERANCE, same, other)
    line = Block(CHANNELS, out.last_row + 2, out.column, 1, out.width)
    sheet.merged(line, words, style.STATUS)
    sheet.verdicts.append(Verdict(line, (sheet.cell(line.part(0, 0, 1, 1), words.value) == same).formula))


# -- 1×1 ---------------------------------------------------------------------------------------------------------------


def _mixture(sheet: Page, state: WorkbookState, areas: _Areas, row: Expr, column: Expr) -> None:
    """The 1×1 convolution at one pixel: a row of values, a matrix, three sums, a colour."""
    mix, mixed, end = state.layout.by_name["mix"], areas.mixed, areas.counts.column - 3
    sheet.span(mixed.row - 4, 2, end, "A 1×1 convolution mixes maps, pixel by pixel", style.HEADING)
    words = (
        "It sees no neighbours: at every pixel the same small matrix makes three values of four. "
        "Here they are red, green and blue again, and so a picture."
    )
    sheet.span(mixed.row - 3, 2, end, words, style.LINE)
    widgets.caption(sheet, mixed, "the three maps of mix as a picture", style.CLASS)
    mosaic.paint(sheet, mixed, sheet.planes(mix.out.blocks, _maps(state, mix)))
    pixel = _pixel(sheet, state, areas, row, column)
    result = _result(sheet, state, areas, pixel)
    widgets.caption(sheet, areas.swatch, "the pixel")
    shown = [sheet.cell(areas.result.part(o, 0, 1, 1), value) for o, value in enumerate(result[:, 0])]
    mosaic.paint(sheet, areas.swatch, shown)
    mosaic.colour(sheet, (areas.picture, mixed, areas.swatch))


def _pixel(sheet: Page, state: WorkbookState, areas: _Areas, row: Expr, column: Expr) -> Expr:
    """What each map of conv1 has at the pixel, as a row."""
    conv, pixel = state.layout.by_name["conv1"], areas.pixel
    maps = [sheet.range(block, values) for block, values in zip(conv.out.blocks, _maps(state, conv), strict=True)]
    widgets.caption(sheet, pixel, "conv1_out_1 … 4 at this pixel", style.LABEL)
    values = sheet.fill_each(pixel, lambda _, c: index(maps[c], row, column), style.SCORE)
    sheet.scales.append(((pixel,), style.WARM_SCALE))
    return sheet.range(pixel, values)


def _result(sheet: Page, state: WorkbookState, areas: _Areas, pixel: Expr) -> Array:
    """The values of the maps, times the weights, plus the biases."""
    own, matrix, bias, result = state.layout.by_name["mix"].own, areas.matrix, areas.mix_bias, areas.result
    weights, biases = state.tensors["mix.weight"][:, :, 0, 0], state.tensors["mix.bias"]
    blocks = np.reshape(np.array(own["weight"].blocks, dtype=object), weights.shape)
    widgets.caption(sheet, matrix, "× weights of mix", style.LABEL)
    sheet.fill_each(matrix, lambda o, c: sheet.near(blocks[o, c], weights[o, c]), style.SCORE)
    widgets.caption(sheet, bias, "bias", style.LABEL)
    sheet.fill_each(bias, lambda o, _: sheet.near(own["bias"].blocks[0].part(0, o, 1, 1), biases[o]), style.SCORE)
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
