"""The sheet `Dropout`: a map before and after, the mask between, and what a hundred masks do to the sum on average."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from conv_sheet import style
from conv_sheet.errors import SpecError
from conv_sheet.grid import Block, Placed
from conv_sheet.layers import Array
from conv_sheet.layers.dropout import Dropout, random, random_formula
from conv_sheet.layout import Layout, Stage
from conv_sheet.sheets import parts
from conv_sheet.sheets.page import Page, Setting

if TYPE_CHECKING:
    from conv_sheet.contents import Contents

NAME = "dropout"
DROPOUT = "Dropout"
MAP = "dropout_map"
AVERAGE = "dropout_average"
SIDE = 10
"""Masks along each side of the square of masks."""

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
    "Left switched on in use: the same picture gets another answer each time. Try it: 1 into active, then other seeds.",
)
_ORIGIN = (
    "Its number n and the seed s give each value a random number r:",
    "b = (s · 271,828 + n · 314,159) mod 1,048,571",
    "r = (b³ mod 1,048,571) / 1,048,571",
)
_PLANES = ("before", "random numbers", "mask: 0 where random < p", "before × mask", "after: ÷ (1 − p)")
_SUMS = ("sum", "mean", "kept", "sum", "sum")
_TOP = 9
_TEXT_WIDTH, _NUMBER_WIDTH = 18, 5


@dataclass(frozen=True)
class _Places:
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
    def masks(self) -> Block:
        """How far each of a hundred masks takes the sum from what it was."""
        return Block(DROPOUT, self.sums[0].row + 6, 2, SIDE, SIDE)

    @cached_property
    def table(self) -> Block:
        return Block(DROPOUT, self.masks.row - 1, self.masks.last_column + 3, 1, _TEXT_WIDTH + 2 * _NUMBER_WIDTH)

    def counted(self, line: int, column: int) -> Block:
        """A number of the table."""
        first = self.table.column + _TEXT_WIDTH + column * _NUMBER_WIDTH
        return Block(DROPOUT, self.table.row + line, first, 1, 1)

    @cached_property
    def numbers(self) -> Block:
        """Places of the chosen map's values among all values of the layer, from 1."""
        last = self.planes[-1]
        return Block(DROPOUT, self.masks.row, last.column, *last.shape)

    def setting(self, short: str) -> str:
        """A setting of the layer on `Network`, as this sheet writes it."""
        return self.stage.own[short].blocks[0].reference


def _places(layout: Layout) -> _Places:
    """Raises SpecError for a network without a Dropout over maps."""
    for stage in layout.stages:
        if stage.nodes and isinstance(stage.layer, Dropout) and len(stage.out.shape) == 3:
            return _Places(layout, stage)
    raise SpecError(f"the sheet {NAME!r} needs a Dropout layer that reads maps")


def settings(layout: Layout) -> tuple[Setting, ...]:
    """Which map to look at."""
    places = _places(layout)
    maps = places.source.shape[0]
    return (Setting(MAP, places.ask, 1, f"Which map: a whole number from 1 to {maps}.", 1, maps),)


def engine(held: "Contents") -> list[tuple[Placed, Array]]:
    """Nothing here is the engine's."""
    return []


def deviations(values: Array, first: int, p: float, seeds: Iterable[float]) -> Array:
    """How far dropping some of the values takes their sum from what it was, as a part of it, for each seed.

    `first` is the number, from 1, of the first value among all that the layer drops from.

    >>> bool(abs(deviations(np.ones(1000), 1, 0.5, range(400)).mean()) < 0.01)
    True
    """
    total = values.sum()
    count = first - 1 + values.size
    kept = (values.ravel()[random(count, seed)[first - 1 :] >= p].sum() / (1 - p) for seed in seeds)
    return np.array([after / total - 1 if total else 0.0 for after in kept], dtype=np.float64)


def page(held: "Contents") -> Page:
    """The sheet: five planes above, a hundred masks and what to make of them below."""
    places = _places(held.layout)
    last = places.planes[-1].last_column
    sheet = parts.frame(DROPOUT, last, zoom=60)
    parts.head(sheet, "Dropout: no value can be relied on, the sum can", _LINES, last)
    parts.ask(sheet, settings(held.layout)[0], held.chosen[MAP], "map", 2)
    _switches(sheet, held, places)
    before = _planes(sheet, held, places)
    _masks(sheet, held, places, before)
    _words(sheet, places)
    return sheet


def _chosen(held: "Contents") -> int:
    """Index of the chosen map, from 0."""
    return int(float(held.chosen[MAP])) - 1


def _own(held: "Contents", places: _Places, short: str) -> float:
    return float(held.tensors[f"{places.stage.name}.{short}"])


def _switches(sheet: Page, held: "Contents", places: _Places) -> None:
    """The layer's settings, which are typed on `Network`: copies that lead there."""
    row = places.ask.row
    for number, short in enumerate(("p", "seed", "active")):
        column = places.ask.column + 3 + 5 * number
        sheet.span(row, column, column + 1, short, style.LINE)
        target = places.stage.own[short].blocks[0]
        sheet.put(row, column + 2, _own(held, places, short), style.LINKED, places.setting(short))
        sheet.links[row, column + 2] = target.other()
    on, off = "on: Network shows the values after", "off, as in use: Network passes the values on as they are"
    text = off if _own(held, places, "active") == 0 else on
    first = places.ask.column + 19
    formula = f'IF({places.setting("active")}=0,"{off}","{on}")'
    sheet.span(row, first, first + 24, text, style.LINE, formula)
    sheet.span(
        row, first + 25, places.planes[-1].last_column, "click one of the three to change it on Network", style.NOTE
    )


def _planes(sheet: Page, held: "Contents", places: _Places) -> Array:
    """The chosen map on its way through the layer; gives the map before."""
    own, chosen, ask = places.stage.own, _chosen(held), places.ask.fixed()
    made = held.layout.values(places.stage, held.activations, held.tensors)
    source = held.layout.by_name[places.stage.source or ""]
    before: Array = held.layout.values(source, held.activations, held.tensors)["out"][chosen]
    p, cell = _own(held, places, "p"), places.setting("p")
    drawn, mask = made["random"][chosen], made["mask"][chosen]
    blocks = places.planes
    parts.choose(sheet, blocks[0], before, style.ACTIVATION, places.source.blocks, ask)
    parts.choose(sheet, blocks[1], drawn, style.SCORE, own["random"].blocks, ask)
    parts.choose(sheet, blocks[2], mask, style.MASK, own["mask"].blocks, ask)
    kept, after = before * mask, before * mask / (1 - p)
    parts.compute(
        sheet, blocks[3], kept, style.ACTIVATION, lambda y, x: f"{blocks[0].cell(y, x)}*{blocks[2].cell(y, x)}"
    )
    parts.compute(sheet, blocks[4], after, style.ACTIVATION, lambda y, x: f"{blocks[3].cell(y, x)}/(1-{cell})")
    sheet.scales.append(((blocks[0], blocks[3], blocks[4]), style.WARM_SCALE))
    sheet.scales.append(((blocks[1],), style.INK_SCALE))
    sheet.scales.append(((blocks[2],), style.PROBABILITY_SCALE))
    values = (before.sum(), drawn.mean(), mask.sum(), kept.sum(), after.sum())
    for block, at, title, word, value in zip(blocks, places.sums, _PLANES, _SUMS, values, strict=True):
        parts.caption(sheet, block, title, style.CLASS)
        sheet.span(at.row, block.column, at.column - 1, word, style.RIGHT)
        function = "AVERAGE" if word == "mean" else "SUM"
        look = style.NUMBER if word == "kept" else style.TENTHS
        sheet.put(at.row, at.column, float(value), look, f"{function}({block.relative})")
        parts.widen(sheet, at, 3)
    for block in blocks[1:-1]:
        parts.glyph(sheet, block, "→")
    return before


def _masks(sheet: Page, held: "Contents", places: _Places, before: Array) -> None:
    """The sum behind each of a hundred masks, the average of them, and what it would be without the division."""
    p, seed, first = _own(held, places, "p"), _own(held, places, "seed"), _chosen(held) * before.size + 1
    masks, numbers = places.masks, places.numbers
    cells = {short: places.setting(short) for short in ("p", "seed")}
    block, total = places.planes[0].absolute, places.sums[0].fixed()
    sheet.span(masks.row - 3, 2, places.table.last_column, "On average, nothing changes", style.HEADING)
    text = "The sum after ÷ the sum before, − 1: for this seed, and for the 99 after it, from left to right."
    sheet.span(masks.row - 2, 2, places.table.last_column, text, style.LINE)
    apart = deviations(before, first, p, [seed + number for number in range(SIDE**2)])

    def after(y: int, x: int) -> str:
        drawn = random_formula(numbers.absolute, f"({cells['seed']}+{y * SIDE + x})")
        return f"IF({total}=0,0,SUMPRODUCT({block}*({drawn}>={cells['p']}))/(1-{cells['p']})/{total}-1)"

    parts.compute(sheet, masks, apart, style.CHANGE, after)
    parts.signed(sheet, Block(DROPOUT, masks.row - 1, masks.last_column, 1, 1), (masks,))
    _table(sheet, places, apart, p)
    sheet.span(
        numbers.row - 3, numbers.column, numbers.last_column, "Where the random numbers come from", style.HEADING
    )
    parts.caption(sheet, numbers, "number n of each value", style.CLASS)
    own = np.arange(first, first + before.size, dtype=np.float64).reshape(before.shape)
    parts.compute(
        sheet,
        numbers,
        own,
        style.MASK,
        lambda y, x: f"({places.ask.fixed()}-1)*{before.size}+{y * numbers.width + x + 1}",
    )
    for row, text in enumerate(_ORIGIN, numbers.last_row + 2):
        sheet.span(row, numbers.column, numbers.last_column, text, style.LABEL)


def _table(sheet: Page, places: _Places, apart: Array, p: float) -> None:
    """What this mask and a hundred of them do to the sum, with the division and without it."""
    masks, cell = places.masks, places.setting("p")
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
    sheet.names[AVERAGE] = places.counted(1, 1)


def _words(sheet: Page, places: _Places) -> None:
    """What often goes wrong, and how a seed becomes random numbers."""
    first, last = places.table.column, places.numbers.column - 3
    sheet.span(places.table.row + 4, first, last, "What often goes wrong", style.HEADING)
    for row, text in enumerate(_WRONG, places.table.row + 5):
        sheet.span(row, first, last, f"–  {text}", style.LINE)
