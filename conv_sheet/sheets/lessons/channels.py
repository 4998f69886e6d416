"""The sheet `Channels`: how colours become one map."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, largest, sumproduct, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input
from conv_sheet.cells.lookup import choose
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
from conv_sheet.sheets.lessons import mosaic
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "channels"
CHANNELS = "Channels"
COLOURS = tuple(style.LIGHTS)
MAP = "channels_map"

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


def _areas(layout: Layout) -> _Areas:
    conv = checked(layout)
    size = height, width = layout.input.blocks[0].shape
    border = conv.layer.border()
    top, pitch = _TOP + border.top, height + border.top + border.bottom + 2
    left = 2 + width + 2 + border.left
    planes = tuple(Block(CHANNELS, top + c * pitch, left, *size) for c in range(len(COLOURS)))
    kernels = tuple(behind(plane, conv.own["weight"].shape[2:], border.right + 2) for plane in planes)
    products = tuple(behind(kernel, size) for kernel in kernels)
    bias = products[-1].part(height + 1, width // 2, 1, 1)
    total = behind(products[1], size)
    out = behind(total, size)
    picture = Block(CHANNELS, planes[1].row, 2, *size)
    return _Areas(border, planes, picture, kernels, products, bias, total, out)


def behind(block: Block, shape: Sequence[int], gap: int = 2) -> Block:
    """A block to the right of another one, with its middle as high."""
    height, width = shape
    return block.part((block.height - height) // 2, block.width + gap, height, width)


def checked(layout: Layout) -> Stage:
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
    """Which map to take apart."""
    maps = len(layout.by_name["conv1"].out.blocks)
    return (Input.whole(MAP, _ASK_MAP, 1, 1, maps, f"Which map of conv1: a whole number from 1 to {maps}."),)


def page(state: WorkbookState) -> Page:
    """The sheet: one map taken apart by colours."""
    areas = _areas(state.layout)
    sheet = widgets.frame(CHANNELS, areas.out.last_column, zoom=style.NETWORK_ZOOM)
    lines = (
        "A kernel has a slice for each colour. Every slice slides over its own colour and makes a map; the three maps "
        "are added, pixel by pixel, and the bias with them: three colours become one map.",
        "Four kernels make four maps: look at another one here. Pixels, weights and biases are typed on Network.",
    )
    cockpit.head(sheet, state, "How three colours become one map", lines)
    (which,) = inputs(state.layout, state.lesson)
    _apart(sheet, state, areas, asked(sheet, state, which, "take apart map", 5))
    mosaic.colour(sheet, (areas.picture,))
    return sheet


def asked(sheet: Page, state: WorkbookState, item: Input, label: str, width: int) -> Expr:
    """The cell of an input, with its label in the `width` columns before it."""
    widgets.ask(sheet, item, state[item], label, width)
    return sheet.cell(item.at, state.number(item))


def maps_of(state: WorkbookState, stage: Stage) -> Array:
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
    plane = areas.planes[c]
    sheet.put(plane.row - areas.border.top - 1, plane.column - areas.border.left, COLOURS[c], style.CLASS)
    sheet.scales.append(((plane,), style.INK_SCALE))
    source = state.layout.input.blocks[c], state.image[c]
    return padded(sheet, plane, source, areas.border, areas.kernels[c].shape)


def padded(sheet: Page, block: Block, source: tuple[Block, Array], border: Border, window: tuple[int, int]) -> Expr:
    """A map of another sheet inside its border of zeros; returns what windows of this shape see of it."""
    (top, bottom, left, right), (_, values) = border.sides, source
    for y, x in block.margin(*border.sides):
        sheet.put(*block.position(y, x), 0.0, style.PADDING)
    sheet.fill(block, sheet.each(*source), style.ACTIVATION)
    read = block.part(-top, -left, top + block.height + bottom, left + block.width + right)
    return sheet.windows(read, window, np.pad(values, ((top, bottom), (left, right))))


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
    maps = zip(conv.out.blocks, maps_of(state, conv), strict=True)
    apart = [sumproduct((sheet.range(out, made) - sheet.range(block, values)) ** 2) for block, values in maps]
    same, other = "the same as this map on Network", "not the map on Network"
    words = where(choose(which, *apart) <= TOLERANCE, same, other)
    line = Block(CHANNELS, out.last_row + 2, out.column, 1, out.width)
    sheet.merged(line, words, style.STATUS)
    sheet.verdicts.append(Verdict(line, (sheet.cell(line.part(0, 0, 1, 1), words.value) == same).formula))


SHEET = Sheet(CHANNELS, page, NAME, inputs)
