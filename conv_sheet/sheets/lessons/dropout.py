"""The sheet `Dropout`: a map before and after, the mask between, and what a hundred masks do to the sum on average."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conv_sheet.cells import style
from conv_sheet.cells import widgets as parts
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.page import Page, Setting
from conv_sheet.errors import SpecError
from conv_sheet.layers import Array
from conv_sheet.layers.dropout import Dropout, random
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.sheets.held import Held

NAME = "dropout"
DROPOUT = "Dropout"
MASKS = "Masks"
MAP = "dropout_map"
AVERAGE = "dropout_average"
SIDE = 10
"""Of the square that shows what a hundred masks do."""

_LINES = (
    "In training every value is dropped with probability p; what is kept is divided by 1 − p, so that on average the "
    "sum stays what it was, and the next layer need not know.",
    "In use nothing is dropped and nothing is divided: the layer passes values on (nn.Dropout after eval()). "
    "Every training step draws another mask, here: every seed.",
)
_WRONG = (
    "Not divided by 1 − p: the next layer would learn from sums that are smaller than those it meets in use.",
    "A mean over another count of cells than the mask has: then the share that is kept looks wrong, and is not.",
    "RAND() for the mask: it draws anew at every keystroke, so that nothing can be compared with anything.",
    "Left switched on in use: the same picture gets another probability each time. Try it: active 1, then other seeds.",
)
_PLANES = ("before", "random numbers", "mask: 0 where random < p", "before × mask", "after: ÷ (1 − p)")
_SUMS = ("sum", "mean", "kept", "sum", "sum")
_TOP = 9
_TEXT_WIDTH, _NUMBER_WIDTH = 18, 5


@dataclass(frozen=True)
class Places:
    """Where everything stands, by the size of the maps that are dropped from."""

    layout: Layout
    stage: Stage

    @cached_property
    def source(self) -> Placed:
        return self.layout.site(self.stage).source

    @cached_property
    def ask(self) -> Block:
        return Block(DROPOUT, 5, 4, 1, 1)

    @cached_property
    def planes(self) -> list[Block]:
        """The chosen map before, its random numbers, its mask, what the mask keeps, and the map after."""
        height, width = self.source.blocks[0].shape
        return [Block(DROPOUT, _TOP, 2 + number * (width + 2), height, width) for number in range(len(_PLANES))]

    @cached_property
    def sums(self) -> list[Block]:
        """A number under each plane."""
        return [Block(DROPOUT, p.last_row + 2, p.last_column - 2, 1, 1) for p in self.planes]

    @cached_property
    def changes(self) -> Block:
        """How far each of a hundred masks takes the sum from what it was."""
        return Block(DROPOUT, self.sums[0].row + 6, 2, SIDE, SIDE)

    @cached_property
    def strip(self) -> Block:
        """The values of the chosen map in one row, on the sheet `Masks`."""
        height, width = self.source.blocks[0].shape
        return Block(MASKS, 7, 3, 1, height * width)

    @cached_property
    def wall(self) -> Block:
        """A hundred masks, each one a row below the values; before it stands its seed, behind it what it does."""
        return Block(MASKS, self.strip.row + 1, self.strip.column, SIDE**2, self.strip.width)

    def result(self, number: int) -> Block:
        """A column behind the masks: what is kept, the sum after, and how far that is from the sum before."""
        return Block(MASKS, self.wall.row, self.wall.last_column + 2 + number, self.wall.height, 1)

    @cached_property
    def table(self) -> Block:
        return Block(DROPOUT, self.changes.row - 1, self.changes.last_column + 3, 1, _TEXT_WIDTH + 2 * _NUMBER_WIDTH)

    def counted(self, line: int, column: int) -> Block:
        """A number of the table."""
        first = self.table.column + _TEXT_WIDTH + column * _NUMBER_WIDTH
        return Block(DROPOUT, self.table.row + line, first, 1, 1)

    def setting(self, short: str) -> str:
        """A setting of the layer on `Network`, as this sheet writes it."""
        return self.stage.own[short].blocks[0].reference


def places_of(layout: Layout) -> Places:
    """Raises SpecError for a network without a Dropout over maps."""
    for stage in layout.stages:
        if stage.nodes and isinstance(stage.layer, Dropout) and len(stage.out.shape) == 3:
            return Places(layout, stage)
    raise SpecError(f"the sheet {NAME!r} needs a Dropout layer that reads maps")


def settings(layout: Layout) -> tuple[Setting, ...]:
    """Which map to look at."""
    places = places_of(layout)
    maps = places.source.shape[0]
    return (Setting(MAP, places.ask, 1, f"Which map: a whole number from 1 to {maps}.", 1, maps),)


def engine(held: Held) -> list[tuple[Placed, Array]]:
    """Nothing here is the engine's."""
    return []


def page(held: Held) -> Page:
    """The sheet: five planes above, a hundred masks and what to make of them below."""
    places = places_of(held.layout)
    last = places.planes[-1].last_column
    sheet = parts.frame(DROPOUT, last, zoom=60)
    parts.head(sheet, "Dropout: no value can be relied on, the sum can", _LINES, last)
    parts.ask(sheet, settings(held.layout)[0], held.chosen[MAP], "map", 2)
    _switches(sheet, held, places)
    _planes(sheet, held, places)
    _masks(sheet, held, places)
    _words(sheet, places)
    return sheet


def chosen(held: Held) -> int:
    """Index of the chosen map, from 0."""
    return int(float(held.chosen[MAP])) - 1


def own(held: Held, places: Places, short: str) -> float:
    """What a setting of the layer holds."""
    return float(held.tensors[f"{places.stage.name}.{short}"])


def _switches(sheet: Page, held: Held, places: Places) -> None:
    """The layer's settings, which are typed on `Network`: copies that lead there."""
    row = places.ask.row
    for number, short in enumerate(("p", "seed", "active")):
        column = places.ask.column + 3 + 5 * number
        sheet.span(row, column, column + 1, short, style.LINE)
        target = places.stage.own[short].blocks[0]
        sheet.put(row, column + 2, own(held, places, short), style.LINKED, places.setting(short))
        sheet.links[row, column + 2] = target.other()
    on, off = "on: Network shows the values after", "off, as in use: Network passes the values on as they are"
    text = off if own(held, places, "active") == 0 else on
    hint = places.ask.column + 17
    sheet.span(row, hint, hint + 12, "click one of the three to change it on Network", style.NOTE)
    first = hint + 14
    formula = f'IF({places.setting("active")}=0,"{off}","{on}")'
    sheet.span(row, first, first + 24, text, style.LINE, formula)


def before(held: Held, places: Places) -> Array:
    """The values of the chosen map (H, W) that are dropped from."""
    (source,) = places.stage.inputs
    values: Array = held.activations[source][0][chosen(held)]
    return values


def _planes(sheet: Page, held: Held, places: Places) -> None:
    """The chosen map on its way through the layer."""
    placed, ask, blocks = places.stage.own, places.ask.fixed(), places.planes
    made = held.layout.values(places.stage, held.activations, held.tensors)
    p, cell, values = own(held, places, "p"), places.setting("p"), before(held, places)
    drawn, mask = (made[short][chosen(held)] for short in ("random", "mask"))
    parts.choose(sheet, blocks[0], values, style.ACTIVATION, places.source.blocks, ask)
    parts.choose(sheet, blocks[1], drawn, style.SCORE, placed["random"].blocks, ask)
    parts.choose(sheet, blocks[2], mask, style.MASK, placed["mask"].blocks, ask)
    kept, after = values * mask, values * mask / (1 - p)
    parts.compute(
        sheet, blocks[3], kept, style.ACTIVATION, lambda y, x: f"{blocks[0].cell(y, x)}*{blocks[2].cell(y, x)}"
    )
    parts.compute(sheet, blocks[4], after, style.ACTIVATION, lambda y, x: f"{blocks[3].cell(y, x)}/(1-{cell})")
    sheet.scales.append(((blocks[0], blocks[3], blocks[4]), style.WARM_SCALE))
    sheet.scales.append(((blocks[1],), style.INK_SCALE))
    sheet.scales.append(((blocks[2],), style.PROBABILITY_SCALE))
    results = (values.sum(), drawn.mean(), mask.sum(), kept.sum(), after.sum())
    for block, at, title, word, value in zip(blocks, places.sums, _PLANES, _SUMS, results, strict=True):
        parts.caption(sheet, block, title, style.CLASS)
        sheet.span(at.row, block.column, at.column - 1, word, style.RIGHT)
        function = "AVERAGE" if word == "mean" else "SUM"
        look = {"kept": style.NUMBER, "mean": style.DECIMAL}.get(word, style.TENTHS)
        sheet.put(at.row, at.column, float(value), look, f"{function}({block.relative})")
        parts.widen(sheet, at, 3)
    for block in blocks[1:-1]:
        parts.glyph(sheet, block, "→")
    sheet.names |= {"dropout_before": blocks[0], "dropout_after": blocks[-1]}


def kept_by(held: Held, places: Places) -> Array:
    """A hundred masks of the chosen map, each as a row of 0 and 1: for the layer's seed, and the seeds after it."""
    size, seed = places.strip.width, own(held, places, "seed")
    first = chosen(held) * size
    drawn = [random(first + size, seed + number)[first:] for number in range(SIDE**2)]
    return np.where(np.array(drawn) < own(held, places, "p"), 0.0, 1.0)


def changed_by(held: Held, places: Places) -> Array:
    """How far each of these masks takes the sum of the chosen map from what it was, as a part of it."""
    values = before(held, places).ravel()
    after, total = kept_by(held, places) @ values / (1 - own(held, places, "p")), values.sum()
    return after / total - 1 if total else np.zeros(SIDE**2)


def _masks(sheet: Page, held: Held, places: Places) -> None:
    """What each of a hundred masks does to the sum, and what they do on average."""
    block, source = places.changes, places.result(2)
    sheet.span(block.row - 3, 2, places.table.last_column, "On average, nothing changes", style.HEADING)
    text = (
        "The sum after ÷ the sum before, − 1: for this seed, and for the 99 after it, whose masks the sheet Masks has."
    )
    sheet.span(block.row - 2, 2, places.planes[-1].last_column, text, style.LINE)
    apart = changed_by(held, places)
    parts.compute(sheet, block, apart, style.CHANGE, lambda y, x: source.other(y * SIDE + x))
    parts.signed(sheet, Block(DROPOUT, block.row - 1, block.last_column, 1, 1), (block,))
    _table(sheet, places, apart, own(held, places, "p"))


def _table(sheet: Page, places: Places, apart: Array, p: float) -> None:
    """What this mask and a hundred of them do to the sum, with the division and without it."""
    masks, cell = places.changes, places.setting("p")
    names = places.table.column, places.table.column + _TEXT_WIDTH - 1
    texts = ("how far the sum goes from what it was", "value × mask ÷ (1 − p)", "value × mask, not divided")
    for line, text in enumerate(texts):
        sheet.span(places.table.row + line, *names, text, style.LINE if line else style.HEAD_LEFT)
    columns = (
        ("this mask", float(apart[0]), masks.cell()),
        (f"{apart.size} masks", float(apart.mean()), f"AVERAGE({masks.relative})"),
    )
    for column, (head, value, formula) in enumerate(columns):
        divided, bare = places.counted(1, column), places.counted(2, column)
        sheet.put(*places.counted(0, column).position(0, 0), head, style.HEAD)
        sheet.put(divided.row, divided.column, value, style.DEVIATION, formula)
        sheet.put(
            bare.row, bare.column, (1 + value) * (1 - p) - 1, style.DEVIATION, f"(1+{divided.cell()})*(1-{cell})-1"
        )
        for line in range(3):
            parts.widen(sheet, places.counted(line, column), _NUMBER_WIDTH)
    sheet.names |= {AVERAGE: places.counted(1, 1), "dropout_changes": masks}


def _words(sheet: Page, places: Places) -> None:
    """What often goes wrong."""
    first, last = places.table.column, places.planes[-1].last_column
    sheet.span(places.table.row + 4, first, last, "What often goes wrong", style.HEADING)
    for row, text in enumerate(_WRONG, places.table.row + 5):
        sheet.span(row, first, last, f"–  {text}", style.LINE)
