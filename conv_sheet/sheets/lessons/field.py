"""The sheet `Field`: some small convolutions one after the other, and the one large convolution that does the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from conv_sheet import ops as numbers
from conv_sheet.cells import style
from conv_sheet.cells import widgets as parts
from conv_sheet.cells.formula import total
from conv_sheet.cells.grid import Block, Placed, column_letters
from conv_sheet.cells.page import Mark, Page, Setting, Verdict
from conv_sheet.errors import SpecError
from conv_sheet.layers import Array
from conv_sheet.layers.conv import Conv2d
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.sheets.held import Held
from conv_sheet.sheets.numpy import AGREE

NAME = "field"
FIELD = "Field"
ROW, COLUMN, MAPS = "field_row", "field_column", "field_maps"

_LINES = (
    "Choose a value of the last map: what it depends on is framed. On the way back, each small kernel adds a row on "
    "every side. One large kernel, below, sees the same pixels at once.",
    "It is made from the small ones, by formulas. Without a ReLU between them both ways make the same map; "
    "with one, the small kernels can do what no single kernel can.",
)
_ASK_ROW = 5
_TOP = 9
_TEXT_WIDTH, _NUMBER_WIDTH = 16, 6
_MOST_MAPS = 2048


@dataclass(frozen=True)
class _Places:
    """Where everything stands: both ways begin at the left and end in the same columns."""

    layout: Layout

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The small convolutions."""
        return self.layout.stages[1:]

    @cached_property
    def sides(self) -> list[int]:
        """Rows, and columns, of each small kernel."""
        return [stage.own["weight"].shape[2] for stage in self.stages]

    @cached_property
    def maps(self) -> list[Block]:
        """The picture, and what each small convolution makes."""
        blocks = [Block(FIELD, _TOP, 3, *self.layout.input.blocks[0].shape)]
        for stage, side in zip(self.stages, self.sides, strict=True):
            blocks.append(_behind(blocks[-1], side + 5, *stage.out.blocks[0].shape))
        return blocks

    @cached_property
    def small(self) -> list[Block]:
        """Each small kernel, behind the map that it reads."""
        return [_behind(block, 2, side, side) for block, side in zip(self.maps, self.sides, strict=False)]

    @cached_property
    def picture(self) -> Block:
        """The picture again, where the lower way begins."""
        first = self.maps[0]
        return Block(FIELD, first.last_row + 5, first.column, *first.shape)

    @cached_property
    def made(self) -> Block:
        """What the large kernel makes of it."""
        last = self.maps[-1]
        return Block(FIELD, self.picture.row + (self.picture.height - last.height) // 2, last.column, *last.shape)

    @cached_property
    def large(self) -> list[Block]:
        """What the first two small kernels are in one, then the first three, and so on; each below a map."""
        blocks = []
        for count, above in enumerate(self.maps[1:-1], 2):
            side = 1 + sum(side - 1 for side in self.sides[:count])
            row, column = self.picture.row + (self.picture.height - side) // 2, above.column + (above.width - side) // 2
            blocks.append(Block(FIELD, row, column, side, side))
        return blocks

    def growth(self, number: int) -> int:
        """Rows by which the field on a map, counted from the picture, is more than one."""
        return sum(side - 1 for side in self.sides[number:])

    def ask(self, number: int) -> Block:
        return Block(FIELD, _ASK_ROW, 6 + 6 * number, 1, 1)

    def counted(self, line: int, column: int) -> Block:
        """A number of the table."""
        first = 2 + _TEXT_WIDTH + column * _NUMBER_WIDTH
        return Block(FIELD, self.picture.last_row + 3 + line, first, 1, 1)


def _behind(block: Block, gap: int, height: int, width: int) -> Block:
    """A block to the right of another one, with its middle as high."""
    return Block(FIELD, block.row + (block.height - height) // 2, block.last_column + 1 + gap, height, width)


def _places(layout: Layout) -> _Places:
    """Raises SpecError where one large kernel could not do the same."""
    stages = layout.stages[1:]
    plain = all(
        isinstance(stage.layer, Conv2d)
        and set(stage.layer.options()) == {"out_channels", "kernel_size", "bias"}
        and stage.own["weight"].shape[:2] == (1, 1)
        and stage.own["weight"].shape[2] == stage.own["weight"].shape[3]
        and stage.activation is None
        for stage in stages
    )
    if not plain or len(stages) < 2:
        raise SpecError(
            f"the sheet {NAME!r} needs two or more Conv2d layers and no others, each with one map in and out, a square "
            "kernel, bias = false, and the usual stride, padding and dilation"
        )
    return _Places(layout)


def settings(layout: Layout) -> tuple[Setting, ...]:
    """The value to look at, and for how many maps to count weights."""
    places = _places(layout)
    height, width = places.made.shape
    maps = places.counted(3, 0)
    return (
        Setting(ROW, places.ask(0), height // 2, f"Row of a value: a whole number from 1 to {height}.", 1, height),
        Setting(COLUMN, places.ask(1), width // 2, f"Column of a value: from 1 to {width}.", 1, width),
        Setting(MAPS, maps, 64, f"Maps in and out of every layer: from 1 to {_MOST_MAPS:,}.", 1, _MOST_MAPS),
    )


def engine(held: Held) -> list[tuple[Placed, Array]]:
    """Nothing here is the engine's."""
    return []


def page(held: Held) -> Page:
    """The sheet: the small kernels above, the large one below, and how many weights each way has."""
    places = _places(held.layout)
    last = places.maps[-1].last_column
    sheet = parts.frame(FIELD, last, zoom=60)
    parts.head(sheet, "What a value sees: three small kernels, or one large one", _LINES, last)
    row, column, _ = settings(held.layout)
    parts.ask(sheet, row, held.chosen[ROW], "row of the value", 4)
    parts.ask(sheet, column, held.chosen[COLUMN], "its column", 3)
    _missing(sheet, row, column)
    _small(sheet, held, places)
    _large(sheet, held, places)
    _table(sheet, held, places)
    return sheet


def _missing(sheet: Page, row: Setting, column: Setting) -> None:
    """Words where the map has no such row and column."""
    inside = ",".join(map(parts.allowed, (row, column)))
    words = f"There is no such value: row 1 to {row.high}, column 1 to {column.high}."
    first = column.block.column + 2
    sheet.span(_ASK_ROW, first, first + 15, "", style.LINE, f'IF(AND({inside}),"","{words}")')


def _small(sheet: Page, held: Held, places: _Places) -> None:
    """Picture and maps as on `Network`, with the kernels between them."""
    names = ["input", *(stage.name for stage in places.stages)]
    stages = held.layout.stages
    for index, (block, stage) in enumerate(zip(places.maps, stages, strict=True)):
        values = held.activations[names[index]][0, 0]
        _map(sheet, places, block, "the picture" if index == 0 else f"{names[index]}_out_1", places.growth(index))
        parts.copy(sheet, block, values, style.ACTIVATION, stage.out.blocks[0])
    for block, kernel, stage in zip(places.maps, places.small, places.stages, strict=False):
        parts.caption(sheet, kernel, stage.name)
        weight = held.tensors[f"{stage.name}.weight"][0, 0]
        parts.copy(sheet, kernel, weight, style.SCORE, stage.own["weight"].blocks[0])
        parts.glyph(sheet, block, "⋆")
        parts.glyph(sheet, kernel, "=")
    sheet.scales.append(((places.maps[0],), style.INK_SCALE))
    for block in (*places.small, *places.maps[1:-1]):
        parts.signed(sheet, _bound(block), (block,))


def _bound(block: Block) -> Block:
    """The cell for the bound of a block's colours."""
    return Block(FIELD, block.last_row + 1, block.last_column, 1, 1)


def _map(sheet: Page, places: _Places, block: Block, title: str, growth: int) -> None:
    """Title, numbered rows and columns of a map, and the frame around what the chosen value sees of it."""
    sheet.put(block.row - 2, block.column, title, style.CLASS)
    for y in range(block.height):
        sheet.put(block.row + y, block.column - 1, float(y + 1), style.AXIS)
    for x in range(block.width):
        sheet.put(block.row - 1, block.column + x, float(x + 1), style.AXIS)
    down, right = f"${column_letters(block.column - 1)}{block.row}", f"{column_letters(block.column)}${block.row - 1}"
    within = [
        f"{axis}>={asked.fixed()},{axis}<={asked.fixed()}+{growth}"
        for axis, asked in ((down, places.ask(0)), (right, places.ask(1)))
    ]
    sheet.marks.append(Mark(block, f"AND({','.join(within)})", line=style.ORANGE))


def _large(sheet: Page, held: Held, places: _Places) -> None:
    """The kernels in one, step by step, and the same map at once."""
    picture, made, last = held.image[0], places.made, places.maps[-1]
    _map(sheet, places, places.picture, "the picture", places.growth(0))
    parts.copy(sheet, places.picture, picture, style.ACTIVATION, held.layout.input.blocks[0])
    sheet.scales.append(((places.picture,), style.INK_SCALE))
    parts.glyph(sheet, places.picture, "⋆")
    kernel, block = held.tensors[f"{places.stages[0].name}.weight"], places.small[0]
    for count, (stage, small, large) in enumerate(
        zip(places.stages[1:], places.small[1:], places.large, strict=True), 2
    ):
        kernel = numbers.conv_transpose2d(kernel, held.tensors[f"{stage.name}.weight"])
        names = [stage.name for stage in places.stages[:count]]
        parts.caption(sheet, large, f"{', '.join(names[:-1])} and {names[-1]} in one")
        _joined(sheet, large, kernel[0, 0], block, small)
        parts.signed(sheet, _bound(large), (large,))
        parts.glyph(sheet, large, "→")
        block = large
    parts.glyph(sheet, block, "=")
    _map(sheet, places, made, "at once", places.growth(len(places.sides)))
    values = numbers.conv2d(held.image[None], kernel)[0, 0]
    side, weights = block.height, block.absolute
    parts.compute(
        sheet,
        made,
        values,
        style.ACTIVATION,
        lambda y, x: f"SUMPRODUCT({places.picture.window(y, x, side, side)},{weights})",
    )
    for block in (last, made):
        parts.signed(sheet, _bound(block), (block,))
    sheet.names |= {"field_kernel": places.large[-1], "field_at_once": made}
    apart = f"SUMXMY2({last.absolute},{made.absolute})"
    text = Block(FIELD, made.last_row + 3, made.column, 1, made.width)
    formula = f'IF({apart}<={AGREE:.0E},"both ways, the same map","not the same map")'
    sheet.span(text.row, text.column, text.last_column, "both ways, the same map", style.STATUS, formula)
    sheet.verdicts.append(Verdict(text, f"{apart}<={AGREE:.0E}"))


def _joined(sheet: Page, block: Block, values: Array, first: Block, second: Block) -> None:
    """The kernel that does at once what two kernels do one after the other."""

    def products(y: int, x: int) -> str:
        return total(
            [
                f"{first.fixed(y - down, x - right)}*{second.fixed(down, right)}"
                for down in range(second.height)
                for right in range(second.width)
                if 0 <= y - down < first.height and 0 <= x - right < first.width
            ]
        )

    parts.compute(sheet, block, values, style.SCORE, products)


def _table(sheet: Page, held: Held, places: _Places) -> None:
    """Weights of both ways, for one map and for as many as the user says."""
    large, maps = places.large[-1].height, places.counted(3, 0)
    squares = "+".join(f"{side}^2" for side in places.sides)
    seen = f"1+{'+'.join(f'({side}-1)' for side in places.sides)}"
    count, chosen = sum(side**2 for side in places.sides), float(held.chosen[MAPS])
    first, second = places.counted(2, 0).cell(), places.counted(2, 1).cell()
    lines: Sequence[tuple[str, tuple[float, str] | None, tuple[float, str] | None]] = (
        ("rows and columns that a value sees", (large, seen), (large, f"ROWS({places.large[-1].relative})")),
        ("weights, from one map to one map", (count, squares), (large**2, f"ROWS({places.large[-1].relative})^2")),
        ("maps in and out of every layer", None, None),
        (
            "weights, with so many maps",
            (count * chosen**2, f"{first}*{maps.fixed()}^2"),
            (large**2 * chosen**2, f"{second}*{maps.fixed()}^2"),
        ),
        ("the small kernels' part", (count / large**2, f"{first}/{second}"), None),
    )
    for column, head in enumerate((f"{len(places.sides)} small kernels", "one large kernel")):
        at = places.counted(0, column)
        sheet.span(at.row, at.column, at.column + _NUMBER_WIDTH - 1, head, style.HEAD)
    sheet.span(maps.row - 3, 2, 1 + _TEXT_WIDTH, "what each way costs", style.HEAD_LEFT)
    for line, (text, *cells) in enumerate(lines, 1):
        sheet.span(maps.row - 3 + line, 2, 1 + _TEXT_WIDTH, text, style.LINE)
        for column, cell in enumerate(cells):
            if cell is not None:
                at = places.counted(line, column)
                look = style.PERCENT if cell[0] < 1 else style.NUMBER
                sheet.span(at.row, at.column, at.column + _NUMBER_WIDTH - 1, cell[0], look, cell[1])
    sheet.names |= {"field_small_weights": places.counted(4, 0), "field_large_weights": places.counted(4, 1)}
    sheet.names["field_part"] = places.counted(5, 0)
    sheet.setting(settings(held.layout)[2], chosen, style.ASKED)
    parts.widen(sheet, maps, _NUMBER_WIDTH)
