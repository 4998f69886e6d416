"""The sheet `Dropout`: a map before and after, the mask between, and what a hundred masks do to the sum on average."""

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
    "In training every value is dropped with probability p; what is kept is divided by 1 − p, so that the sum stays the "
    "same on average and the next layer need not know.",
    "In use nothing is dropped and nothing is divided: the layer passes values on (nn.Dropout after eval()). "
    "Every training step draws another mask, here: every seed.",
)
_WRONG = (
    "Not divided by 1 − p: the next layer would learn from sums that are smaller than those it meets in use.",
    "A mean over another count of cells than the mask has: the share that is kept then looks wrong, however right the mask.",
    "RAND() for the mask: it draws anew at every keystroke, so that no number can be compared with another. A seed can.",
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

    @cached_property
    def average(self) -> Block:
        return Block(DROPOUT, self.table.row + 1, self.table.last_column - _NUMBER_WIDTH + 1, 1, 1)

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


def deviations(values: Array, first: int, p: float, seeds: Array) -> Array:
    """How far dropping some of the values takes their sum from what it was, as a part of it, for each seed.

    `first` is the number, from 1, of the first value among all that the layer drops from.

    >>> deviations(np.ones(1000), 1, 0.5, np.arange(400.0)).mean().round(2) + 0.0
    0.0
    """
    total = values.sum()
    count = first - 1 + values.size
    kept = (values.ravel()[random(count, seed)[first - 1 :] >= p].sum() / (1 - p) for seed in seeds)
    return np.array([after / total - 1 if total else 0.0 for after in kept])


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
    _words(sheet, held, places)
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
    sheet.span(row, first + 25, places.planes[-1].last_column, "click one of the three to change it on Network", style.NOTE)


def _planes(sheet: Page, held: "Contents", places: _Places) -> Array:
    """The chosen map on its way through the layer; gives the map before."""
    own, chosen, ask = places.stage.own, _chosen(held), places.ask.fixed()
    made = held.layout.values(places.stage, held.activations, held.tensors)
    source = held.layout.by_name[places.stage.source or ""]
    before = held.layout.values(source, held.activations, held.tensors)["out"][chosen]
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
    masks, numbers, average = places.masks, places.numbers, places.average
    cells = {short: places.setting(short) for short in ("p", "seed")}
    block, total = places.planes[0].absolute, places.sums[0].fixed()
    sheet.span(masks.row - 3, 2, places.table.last_column, "On average, nothing changes", style.HEADING)
    text = "The sum after ÷ the sum before, − 1: for this seed, and for the 99 after it, from left to right."
    sheet.span(masks.row - 2, 2, places.table.last_column, text, style.LINE)
    apart = deviations(before, first, p, seed + np.arange(masks.height * masks.width))

    def after(y: int, x: int) -> str:
        drawn = random_formula(numbers.absolute, f"({cells['seed']}+{y * SIDE + x})")
        return f"IF({total}=0,0,SUMPRODUCT({block}*({drawn}>={cells['p']}))/(1-{cells['p']})/{total}-1)"

    parts.compute(sheet, masks, apart, style.CHANGE, after)
    parts.signed(sheet, Block(DROPOUT, masks.row - 1, masks.last_column, 1, 1), (masks,))
    sheet.names[AVERAGE] = average
    this, mean, rows = float(apart[0]), float(apart.mean()), masks.relative
    lines = (
        ("value × mask ÷ (1 − p)", (this, masks.cell()), (mean, f"AVERAGE({rows})")),
        *[("value × mask, not divided", *((_undivided(v, p), f"(1+{c})*(1-{cells['p']})-1") for v, c in ((this, masks.cell()), (mean, average.cell()))))],
    )
    heads = ("change of the sum", "this mask", "100 masks")
    for line, texts in enumerate(((heads[0], heads[1], heads[2]), *lines)):
        pass
