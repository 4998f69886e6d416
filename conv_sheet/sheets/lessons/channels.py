"""The sheet `Channels`: how colours become one map, what a 1×1 convolution mixes, what separating the two saves."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from conv_sheet import ops as numbers
from conv_sheet.cells import style
from conv_sheet.cells import widgets as parts
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.page import Page, Setting, Verdict
from conv_sheet.errors import SpecError
from conv_sheet.layers import Array, Border
from conv_sheet.layers.activation import ReLU
from conv_sheet.layers.conv import Conv2d
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.sheets.held import Held
from conv_sheet.sheets.lessons import mosaic
from conv_sheet.sheets.numpy import AGREE

NAME = "channels"
CHANNELS = "Channels"
COLOURS = ("red", "green", "blue")
MAP, ROW, COLUMN = "channels_map", "channels_row", "channels_column"

LAYERS = ("conv1", "mix", "depthwise", "pointwise")
_ASK_ROW = 5
_TOP = 8
_TEXT_WIDTH, _NUMBER_WIDTH = 22, 6


class Sizes(NamedTuple):
    """Sizes of a convolution that keeps height and width."""

    maps_in: int
    maps_out: int
    kernel: int
    rows: int
    columns: int


_ASKED = {"count_in": "maps in", "count_out": "maps out", "count_kernel": "kernel size", "count_rows": "rows of a map",
          "count_columns": "columns of a map"}  # fmt: skip
_FIRST, _MOST = Sizes(64, 128, 3, 56, 56), Sizes(4096, 4096, 15, 1024, 1024)


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
        return self.conv.border()

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
    def table(self) -> Block:
        width = _TEXT_WIDTH + 2 * _NUMBER_WIDTH
        return Block(CHANNELS, self.mixed.row - 1, self.last_column - width + 1, 1, width)

    def counted(self, line: int, column: int) -> Block:
        """A number of the table; column 0 is the lesson's, 1 the user's."""
        first = self.table.column + _TEXT_WIDTH + column * _NUMBER_WIDTH
        return Block(CHANNELS, self.table.row + line, first, 1, 1)


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


def settings(layout: Layout) -> tuple[Setting, ...]:
    """Which map to take apart, at which pixel to mix, and the sizes of a convolution to count for."""
    places = _places(layout)
    maps, (height, width) = places.conv.out_channels, places.size
    sizes = zip(_ASKED, _FIRST, _MOST, strict=True)
    return (
        Setting(MAP, places.ask_map, 1, f"Which map of conv1: a whole number from 1 to {maps}.", 1, maps),
        Setting(ROW, places.ask_row, height // 2, f"Row of a pixel: a whole number from 1 to {height}.", 1, height),
        Setting(COLUMN, places.ask_column, width // 2, f"Column of a pixel: from 1 to {width}.", 1, width),
        *(
            Setting(name, places.counted(line, 1), start, f"A whole number from 1 to {most}.", 1, most)
            for line, (name, start, most) in enumerate(sizes, 1)
        ),
    )


def engine(held: Held) -> list[tuple[Placed, Array]]:
    """Nothing here is the engine's."""
    return []


def page(held: Held) -> Page:
    """The sheet: one map taken apart by colours above, the 1×1 convolution and the counts below."""
    places = _places(held.layout)
    sheet = parts.frame(CHANNELS, places.last_column, zoom=60)
    lines = (
        "A kernel has a slice for each colour. Every slice slides over its own colour and makes a map; the three maps "
        "are added, pixel by pixel, and the bias with them: three colours become one map.",
        "Four kernels make four maps: look at another one here. Pixels, weights and biases are typed on Network.",
    )
    parts.head(sheet, "How three colours become one map", lines, places.last_column)
    _apart(sheet, held, places)
    _mixture(sheet, held, places)
    _table(sheet, held, places)
    return sheet


def _ask(sheet: Page, held: Held, name: str, label: str, width: int) -> None:
    """A setting with its label in the `width` columns before it."""
    setting = next(s for s in settings(held.layout) if s.name == name)
    parts.ask(sheet, setting, held.chosen[name], label, width)


# -- one map, taken apart ----------------------------------------------------------------------------------------------


def _apart(sheet: Page, held: Held, places: _Places) -> None:
    """Picture, colours, slices, what each adds, the sum, and what ReLU leaves, for the chosen map."""
    _ask(sheet, held, MAP, "take apart map", 5)
    chosen, border = int(float(held.chosen[MAP])) - 1, places.border
    weight = held.tensors["conv1.weight"][chosen]
    parts.caption(sheet, places.picture, "the picture", style.CLASS)
    mosaic.paint(sheet, places.picture, held.image, lambda c, y, x: places.planes[c].cell(y, x))
    sums = []
    for c, colour in enumerate(COLOURS):
        plane, kernel, partial = places.planes[c], places.kernels[c], places.partials[c]
        _plane(sheet, places, c, held.image[c])
        parts.caption(sheet, kernel, f"{colour} slice")
        slices = places.stage("conv1").own["weight"].blocks[c :: len(COLOURS)]
        parts.choose(sheet, kernel, weight[c], style.SCORE, slices, places.ask_map.fixed())
        sums.append(
            numbers.conv2d(held.image[None, c : c + 1], weight[None, c : c + 1], padding=places.conv.padding)[0, 0]
        )
        parts.caption(sheet, partial, f"what {colour} adds")

        def product(y: int, x: int, plane: Block = plane, kernel: Block = kernel) -> str:
            return f"SUMPRODUCT({plane.window(y - border.top, x - border.left, *kernel.shape)},{kernel.absolute})"

        parts.compute(sheet, partial, sums[c], style.ACTIVATION, product)
        parts.glyph(sheet, plane, "×", border.right)
        parts.glyph(sheet, kernel, "=")
    parts.signed(sheet, Block(CHANNELS, _TOP - 2, places.kernels[0].column, 1, 1), tuple(places.kernels))
    _sum(sheet, held, places, chosen, np.array(sums))


def _plane(sheet: Page, places: _Places, c: int, values: Array) -> None:
    """How bright one colour is, inside the border of zeros that the convolution reads."""
    plane, border = places.planes[c], places.border
    for y in range(-border.top, plane.height + border.bottom):
        for x in range(-border.left, plane.width + border.right):
            sheet.put(*plane.position(y, x), 0.0, style.PADDING)
    sheet.put(plane.row - border.top - 1, plane.column - border.left, COLOURS[c], style.CLASS)
    parts.copy(sheet, plane, values, style.ACTIVATION, places.layout.input.blocks[c])
    sheet.scales.append(((plane,), style.CHANNEL_SCALES[c]))


def _sum(sheet: Page, held: Held, places: _Places, chosen: int, sums: Array) -> None:
    """The three maps and the bias added up, ReLU, and whether that is the map on `Network`."""
    number, first, bias = places.ask_map.fixed(), places.partials[0], places.bias
    for partial in places.partials[:-1]:
        sheet.put(partial.last_row + 2, partial.column + partial.width // 2, "+", style.GLYPH)
    sheet.put(bias.row, bias.column - 1, "+", style.GLYPH)
    sheet.put(bias.row, bias.column + 1, "bias", style.LABEL)
    values = held.tensors["conv1.bias"]
    where = places.stage("conv1").own["bias"]
    cells = [Block(where.blocks[0].sheet, *where.blocks[0].position(0, o), 1, 1) for o in range(len(values))]
    parts.choose(sheet, bias, values[chosen], style.SCORE, cells, number)
    total = sums.sum(axis=0) + values[chosen]
    parts.caption(sheet, places.total, "the sum, with the bias", style.CLASS)
    parts.compute(
        sheet,
        places.total,
        total,
        style.ACTIVATION,
        lambda y, x: "+".join([*(p.cell(y, x) for p in places.partials), bias.fixed()]),
    )
    parts.glyph(sheet, places.partials[1], "=")
    parts.signed(sheet, Block(CHANNELS, _TOP - 2, first.column, 1, 1), (*places.partials, places.total))
    parts.glyph(sheet, places.total, "→")
    adds = {f"channels_{colour}": block for colour, block in zip(COLOURS, places.partials, strict=True)}
    sheet.names |= adds | {"channels_sum": places.total, "channels_out": places.out}
    parts.caption(sheet, places.out, "ReLU: what is above zero", style.CLASS)
    parts.compute(
        sheet, places.out, np.maximum(total, 0.0), style.ACTIVATION, lambda y, x: f"MAX(0,{places.total.cell(y, x)})"
    )
    sheet.scales.append(((places.out,), style.WARM_SCALE))
    _same(sheet, places)


def _same(sheet: Page, places: _Places) -> None:
    """Whether what was put together here is what stands on `Network`."""
    out, number = places.out, places.ask_map.fixed()
    maps = places.stage("conv1").out.blocks
    apart = parts.choice(number, [f"SUMXMY2({out.absolute},{block.reference})" for block in maps])
    text = Block(CHANNELS, out.last_row + 2, out.column, 1, out.width)
    formula = f'IF({apart}<={AGREE:.0E},"the same as this map on Network","not the map on Network")'
    sheet.span(text.row, text.column, text.last_column, "the same as this map on Network", style.STATUS, formula)
    sheet.verdicts.append(Verdict(text, f"{apart}<={AGREE:.0E}"))


# -- 1×1 ---------------------------------------------------------------------------------------------------------------


def _mixture(sheet: Page, held: Held, places: _Places) -> None:
    """The 1×1 convolution at one pixel: a row of values, a matrix, three sums, a colour."""
    mix, mixed, end = places.stage("mix"), places.mixed, places.table.column - 3
    picture = _shown(held, mix)
    sheet.span(mixed.row - 4, 2, end, "A 1×1 convolution mixes maps, pixel by pixel", style.HEADING)
    text = (
        "It sees no neighbours: at every pixel the same small matrix makes three values of four. "
        "Here they are red, green and blue again, and so a picture."
    )
    sheet.span(mixed.row - 3, 2, end, text, style.LINE)
    parts.caption(sheet, mixed, "the three maps of mix as a picture", style.CLASS)
    mosaic.paint(sheet, mixed, picture, lambda c, y, x: mix.out.blocks[c].other(y, x))
    _ask(sheet, held, ROW, "row", 3)
    _ask(sheet, held, COLUMN, "column", 3)
    y, x = (int(float(held.chosen[name])) - 1 for name in (ROW, COLUMN))
    _matrix(sheet, held, places, (y, x))
    parts.caption(sheet, places.swatch, "the pixel")
    for at in places.swatch.positions():
        result = [places.result.fixed(c) for c in range(len(COLOURS))]
        sheet.put(*at, float(mosaic.codes(picture)[y, x]), style.DOT, mosaic.formula(*result))
    mosaic.colour(sheet, (places.picture, mixed, places.swatch))


def _shown(held: Held, stage: Stage) -> Array:
    """The maps of a stage as `Network` shows them."""
    return held.layout.values(stage, held.activations, held.tensors)["out"]


def _matrix(sheet: Page, held: Held, places: _Places, at: tuple[int, int]) -> None:
    """What four maps have at the pixel, times the weights, plus the biases."""
    conv, mix = places.stage("conv1"), places.stage("mix")
    pixel, matrix, bias, result = places.pixel, places.matrix, places.mix_bias, places.result
    here = f"{places.ask_row.fixed()},{places.ask_column.fixed()}"
    parts.caption(sheet, pixel, "conv1_out_1 … 4 at this pixel", style.LABEL)
    maps = conv.out.blocks
    before = _shown(held, conv)[:, at[0], at[1]]
    parts.compute(sheet, pixel, before, style.SCORE, lambda _, c: f"INDEX({maps[c].reference},{here})")
    sheet.scales.append(((pixel,), style.WARM_SCALE))
    parts.caption(sheet, matrix, "× weights of mix", style.LABEL)
    weight, own = held.tensors["mix.weight"][:, :, 0, 0], mix.own["weight"].blocks
    parts.compute(sheet, matrix, weight, style.SCORE, lambda o, c: own[o * matrix.width + c].other())
    parts.caption(sheet, bias, "bias", style.LABEL)
    added = held.tensors["mix.bias"]
    parts.compute(sheet, bias, added, style.SCORE, lambda o, _: mix.own["bias"].blocks[0].other(0, o))
    parts.glyph(sheet, matrix, "+")
    parts.signed(sheet, Block(CHANNELS, matrix.row - 1, matrix.last_column, 1, 1), (matrix, bias))

    def sum_of(o: int, _: int) -> str:
        return f"SUMPRODUCT({pixel.absolute},{matrix.part(o, 0, 1, matrix.width).relative})+{bias.cell(o)}"

    parts.glyph(sheet, bias, "=")
    parts.compute(sheet, result, weight @ before + added, style.SCORE, sum_of)
    sheet.names["channels_mixed"] = result
    parts.glyph(sheet, result, "→")
    for o, colour in enumerate(COLOURS):
        sheet.put(matrix.row + o, matrix.column - 1, colour, style.LABEL)


# -- counts ------------------------------------------------------------------------------------------------------------


def counts(sizes: Sizes) -> dict[str, float]:
    """Multiplications of a convolution (`whole`), of a depthwise and of a pointwise one that together take its place.

    `saved` is which part of the first the two take, `law` what it always is.
    Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications".

    >>> counts(Sizes(3, 4, 3, 12, 12))["whole"], counts(Sizes(3, 4, 3, 12, 12))["both"]
    (15552.0, 5616.0)
    """
    area, window = sizes.rows * sizes.columns, sizes.kernel**2
    depthwise, pointwise = float(window * sizes.maps_in * area), float(sizes.maps_in * sizes.maps_out * area)
    whole, both = window * pointwise, depthwise + pointwise
    law = 1 / sizes.maps_out + 1 / window
    return {
        "whole": whole,
        "depthwise": depthwise,
        "pointwise": pointwise,
        "both": both,
        "part": both / whole,
        "law": law,
    }


class _Line(NamedTuple):
    """A line of the table: what it says, its formula over the cells of sizes and of lines above, and its look."""

    text: str
    formula: str
    look: style.Style = style.NUMBER


_LINES = {
    "whole": _Line(
        "Conv2d(in, out, k):  k·k·in · out·rows·columns", "{kernel}^2*{maps_in}*{maps_out}*{rows}*{columns}"
    ),
    "depthwise": _Line("depthwise, groups = in:  k·k · in·rows·columns", "{kernel}^2*{maps_in}*{rows}*{columns}"),
    "pointwise": _Line("pointwise, 1×1:  in · out·rows·columns", "{maps_in}*{maps_out}*{rows}*{columns}"),
    "both": _Line("depthwise + pointwise", "{depthwise}+{pointwise}", style.TOTAL),
    "part": _Line("… as part of the first", "{both}/{whole}", style.PERCENT),
    "law": _Line("… which is always  1/out + 1/k²", "1/{maps_out}+1/{kernel}^2", style.PERCENT),
}


def _table(sheet: Page, held: Held, places: _Places) -> None:
    """Multiplications of both ways, for the lesson's convolution and for one of the user's sizes."""
    table, conv = places.table, places.stage("conv1")
    first, end = table.column, table.last_column
    sheet.span(table.row - 3, first, end, "Depthwise separable: what leaving the sum to a 1×1 saves", style.HEADING)
    text = "A depthwise convolution keeps the maps of the slices apart; a pointwise (1×1) one mixes them for every map."
    sheet.span(table.row - 2, first, end, text, style.LINE)
    names = first + _TEXT_WIDTH - 1
    sheet.span(table.row, first, names, "multiplications by a weight", style.HEAD_LEFT)
    own = Sizes(len(COLOURS), conv.out.shape[0], conv.own["weight"].shape[2], *places.size)
    asked = Sizes(*(int(float(held.chosen[name])) for name in _ASKED))
    for line, label in enumerate((*_ASKED.values(), *(item.text for item in _LINES.values())), 1):
        look = style.HEAD_LEFT if label == _LINES["both"].text else style.LINE
        sheet.span(table.row + line, first, names, label, look)
    for column, (head, sizes) in enumerate((("conv1", own), ("yours", asked))):
        at = places.counted(0, column)
        sheet.span(at.row, at.column, at.column + _NUMBER_WIDTH - 1, head, style.HEAD)
        _column(sheet, held, places, column, sizes)


def _column(sheet: Page, held: Held, places: _Places, column: int, sizes: Sizes) -> None:
    """The numbers of the table for these sizes: typed in column 1, the network's in column 0."""
    cells: dict[str, str] = {}
    every = settings(held.layout)
    for line, (field, value) in enumerate(sizes._asdict().items(), 1):
        at = places.counted(line, column)
        cells[field] = at.cell()
        if column:
            sheet.setting(every[len(every) - len(sizes) + line - 1], float(value), style.ASKED)
            parts.widen(sheet, at, _NUMBER_WIDTH)
        else:
            sheet.span(at.row, at.column, at.column + _NUMBER_WIDTH - 1, float(value), style.NUMBER)
    values = counts(sizes)
    for line, (name, item) in enumerate(_LINES.items(), 1 + len(sizes)):
        at = places.counted(line, column)
        cells[name] = at.cell()
        sheet.names[f"count_{name}" if column else f"conv1_{name}"] = at
        sheet.span(
            at.row, at.column, at.column + _NUMBER_WIDTH - 1, values[name], item.look, item.formula.format(**cells)
        )
