"""The sheet `Mixing`: what a 1×1 convolution mixes, what a depthwise one leaves apart, what the two together save."""

from typing import NamedTuple

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, sumproduct
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input
from conv_sheet.cells.lookup import index
from conv_sheet.cells.page import Page
from conv_sheet.errors import SpecError
from conv_sheet.layers import Border
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.lessons import counts, mosaic
from conv_sheet.sheets.lessons.channels import COLOURS, asked, behind, checked, maps_of, padded
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "mixing"
MIXING = "Mixing"
ROW, COLUMN = "channels_row", "channels_column"

_TOP = 9
_ZOOM = 60
"""Per cent: all of the depthwise convolution is in sight."""
_LINES = (
    "A convolution does two things at once: it looks at neighbours, and it mixes maps. Each can be done alone.",
    "A 1×1 convolution only mixes; a depthwise one only looks. One after the other costs a fraction of both at once.",
)


class _Areas(NamedTuple):
    """Where everything stands, by the sizes of the lesson's network."""

    mixed: Block
    """What the 1×1 convolution makes, as a picture."""
    pixel: Block
    """The values of all maps at one pixel, as a row."""
    matrix: Block
    mix_bias: Block
    result: Block
    swatch: Block
    counts: Block
    border: Border
    """What the depthwise convolution reads around each map."""
    read: tuple[Block, ...]
    """The maps that it reads, its kernels below them, and what each makes below these."""
    kernels: tuple[Block, ...]
    made: tuple[Block, ...]


def _areas(layout: Layout) -> _Areas:
    """Raises SpecError for a network that is not the lesson's, give or take its sizes."""
    conv, depthwise = checked(layout), layout.by_name["depthwise"]
    size, sides = layout.input.blocks[0].shape, depthwise.own["weight"].blocks[0].shape
    if depthwise.own["weight"].shape[:2] != (len(COLOURS), 1) or depthwise.inputs != ("mix",):
        raise SpecError(f"the sheet {NAME!r} needs a Conv2d 'depthwise' with groups = 3 that reads 'mix'")
    mixed = Block(MIXING, _TOP, 2, *size)
    pixel = mixed.part(4, mixed.width + 2, 1, len(conv.out.blocks))
    matrix = pixel.part(3, 0, len(COLOURS), pixel.width)
    mix_bias = behind(matrix, (len(COLOURS), 1))
    result = behind(mix_bias, (len(COLOURS), 1))
    swatch = behind(result, (3, 3))
    table = Block(MIXING, _TOP - 4, swatch.last_column + 4, *counts.SIZE)
    border = depthwise.layer.border()
    top = max(mixed.last_row, table.last_row) + 6 + border.top
    pitch = border.left + mixed.width + border.right + 2
    read = tuple(Block(MIXING, top, 2 + border.left + c * pitch, *size) for c in range(len(COLOURS)))
    below = read[0].last_row + border.bottom + 3
    kernels = tuple(Block(MIXING, below, one.column + (one.width - sides[1]) // 2, *sides) for one in read)
    made = tuple(Block(MIXING, kernels[0].last_row + 3, one.column, *depthwise.out.blocks[0].shape) for one in read)
    return _Areas(mixed, pixel, matrix, mix_bias, result, swatch, table, border, read, kernels, made)


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """At which pixel to mix, and the sizes of a convolution to count for."""
    areas = _areas(layout)
    (height, width), row = areas.mixed.shape, areas.mixed.part(0, areas.mixed.width + 5, 1, 1)
    return (
        Input.whole(ROW, row, height // 2, 1, height, f"Row of a pixel: a whole number from 1 to {height}."),
        Input.whole(COLUMN, row.part(1, 0, 1, 1), width // 2, 1, width, f"Column of a pixel: from 1 to {width}."),
        *counts.inputs(areas.counts),
    )


def page(state: WorkbookState) -> Page:
    """The sheet: the 1×1 convolution and the counts above, the depthwise convolution below."""
    areas = _areas(state.layout)
    sheet = widgets.frame(MIXING, max(areas.counts.last_column, areas.made[-1].last_column), zoom=_ZOOM)
    cockpit.head(sheet, state, "Mixing maps, and looking at neighbours", _LINES)
    row, column, *sizes = inputs(state.layout, state.lesson)
    _mixture(sheet, state, areas, asked(sheet, state, row, "row", 3), asked(sheet, state, column, "column", 3))
    conv = state.layout.by_name["conv1"]
    own = (len(COLOURS), conv.out.shape[0], conv.own["weight"].shape[2], *areas.mixed.shape)
    counts.table(sheet, state, areas.counts, own, sizes)
    _depthwise(sheet, state, areas)
    return sheet


# -- 1×1 ---------------------------------------------------------------------------------------------------------------


def _mixture(sheet: Page, state: WorkbookState, areas: _Areas, row: Expr, column: Expr) -> None:
    """The 1×1 convolution at one pixel: a row of values, a matrix, three sums, a colour."""
    mix, mixed, end = state.layout.by_name["mix"], areas.mixed, areas.counts.column - 3
    sheet.span(mixed.row - 4, 2, end, "A 1×1 convolution mixes maps, pixel by pixel", style.HEADING)
    words = "It sees no neighbours: at each pixel one matrix makes red, green and blue."
    sheet.span(mixed.row - 3, 2, end, words, style.LINE)
    widgets.caption(sheet, mixed, "the three maps of mix as a picture", style.CLASS)
    mosaic.paint(sheet, mixed, sheet.planes(mix.out.blocks, maps_of(state, mix)))
    pixel = _pixel(sheet, state, areas, row, column)
    result = _result(sheet, state, areas, pixel)
    widgets.caption(sheet, areas.swatch, "the pixel")
    shown = [sheet.cell(areas.result.part(o, 0, 1, 1), value) for o, value in enumerate(result[:, 0])]
    mosaic.paint(sheet, areas.swatch, shown)
    mosaic.colour(sheet, (mixed, areas.swatch))


def _pixel(sheet: Page, state: WorkbookState, areas: _Areas, row: Expr, column: Expr) -> Expr:
    """What each map of conv1 has at the pixel, as a row."""
    conv, pixel = state.layout.by_name["conv1"], areas.pixel
    maps = [sheet.range(block, values) for block, values in zip(conv.out.blocks, maps_of(state, conv), strict=True)]
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
    corner = matrix.part(matrix.height, 0, 1, 1)
    widgets.signed(sheet, corner, [(matrix, weights), (bias, added)])
    sums = sumproduct(pixel, sheet.windows(matrix, (1, matrix.width), weights)) + sheet.each(bias, added)
    widgets.glyph(sheet, bias, "=")
    sheet.fill(result, sums, style.SCORE)
    sheet.names["channels_mixed"] = result
    widgets.glyph(sheet, result, "→")
    for row, colour in enumerate(COLOURS, matrix.row):
        sheet.span(row, matrix.column - 2, matrix.column - 1, colour, style.CHANNEL)
    return np.asarray(sums.value)


# -- depthwise ---------------------------------------------------------------------------------------------------------


def _depthwise(sheet: Page, state: WorkbookState, areas: _Areas) -> None:
    """Each map with a kernel of its own, and the map that this makes: nothing is added up."""
    mix, stage, end = state.layout.by_name["mix"], state.layout.by_name["depthwise"], areas.made[-1].last_column
    top = areas.read[0].row - areas.border.top
    sheet.span(top - 4, 2, end, "A depthwise convolution keeps maps apart", style.HEADING)
    words = "Each map has one kernel, and makes one map: three in, three out. A 1×1 convolution behind it mixes them."
    sheet.span(top - 3, 2, end, words, style.LINE)
    weight, maps, shown = state.tensors["depthwise.weight"][:, 0], maps_of(state, mix), []
    for c, (read, kernel, made) in enumerate(zip(areas.read, areas.kernels, areas.made, strict=True)):
        widgets.caption(sheet, read.part(-areas.border.top, -areas.border.left, 1, 1), f"mix_out_{c + 1}", style.CLASS)
        windows = padded(sheet, read, (mix.out.blocks[c], maps[c]), areas.border, kernel.shape)
        widgets.caption(sheet, kernel, "⋆", style.GLYPH)
        sheet.fill(kernel, sheet.each(stage.own["weight"].blocks[c], weight[c]), style.SCORE)
        widgets.caption(sheet, made, f"depthwise_out_{c + 1}", style.CLASS)
        sums = sumproduct(windows, sheet.range(kernel, weight[c]))
        sheet.fill(made, sums, style.ACTIVATION)
        sheet.names[f"mixing_{COLOURS[c]}"] = made
        shown.append((made, np.asarray(sums.value)))
    corners = (one[0].part(-2, one[0].width - 1, 1, 1) for one in (areas.read, areas.kernels, areas.made))
    blocks = list(zip(areas.read, maps, strict=True)), list(zip(areas.kernels, weight, strict=True)), shown
    for corner, several in zip(corners, blocks, strict=True):
        widgets.signed(sheet, corner, several)


SHEET = Sheet(MIXING, page, NAME, inputs)
