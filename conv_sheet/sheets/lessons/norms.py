"""The sheet `Norms`: batch, layer, instance and group norm as four ways to cut the same block of numbers."""

from typing import NamedTuple

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, all_of, average, of, root, sumproduct, text, where
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.page import Mark, Page
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets.lessons.batch import EPS
from conv_sheet.sheets.lessons.looks import NUMBERED, TENTHS
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "norms"
NORMS = "Norms"
PICTURES, CHANNELS, SIZE = 4, 4, 2
BATCH, LAYER, INSTANCE, GROUP = "batch", "layer", "instance", "group"

_BASE, _BRIGHTER, _HIGHER = np.array(((0.0, 2.0), (2.0, 0.0))), 1.0, (0.0, 1.0, 2.0, 4.0)
"""A map, how much brighter than the last each picture is, and how high each channel."""
_LINES = (
    "A norm takes some of these numbers, subtracts their mean and divides by their deviation. Which numbers?",
    "Choose a norm, a picture and a channel: amber shows all numbers that share one mean. Numbers in boxes are yours.",
)
_WORDS = {
    BATCH: "One channel of all pictures. nn.BatchNorm2d in training: what a picture becomes depends on its neighbours.",
    LAYER: "All channels of one picture. nn.LayerNorm over C, H and W; the same as nn.GroupNorm with 1 group.",
    INSTANCE: "One channel of one picture. nn.InstanceNorm2d: brightness and contrast of each map are gone.",
    GROUP: "Some channels of one picture. nn.GroupNorm: between layer and instance norm.",
}
_ZOOM, _LAST = 110, 48
_TOP, _LEFT, _PITCH = 10, 4, SIZE + 1
_ANY = Limits(-99, 99, hint="Any number from -99 to 99.")


def _map(n: int, c: int, left: int = _LEFT) -> Block:
    """A channel of a picture: pictures stand side by side, their channels below each other."""
    return Block(NORMS, _TOP + c * _PITCH, left + n * _PITCH, SIZE, SIZE)


_SIDE = PICTURES * _PITCH - 1
_MEANS = Block(NORMS, _TOP, _LEFT + _SIDE + 3, CHANNELS, PICTURES)
_SQUARES = _MEANS.part(CHANNELS + 3, 0, CHANNELS, PICTURES)
_USED_MEAN = _MEANS.part(0, PICTURES + 3, CHANNELS, PICTURES)
_USED_VARIANCE = _SQUARES.part(0, PICTURES + 3, CHANNELS, PICTURES)
_OUT_LEFT = _USED_MEAN.last_column + 4
_BELOW = _TOP + CHANNELS * _PITCH + 1


KIND = Input.one_of("norms_kind", Block(NORMS, 5, 6, 1, 1), (BATCH, LAYER, INSTANCE, GROUP), BATCH, "Which norm.")
GROUPS = Input.one_of("norms_groups", Block(NORMS, 5, 16, 1, 1), (1, 2, 4), 2.0, "Groups of a group norm: 1, 2 or 4.")
PICTURE = Input.one_of(
    "norms_picture",
    Block(NORMS, 5, 23, 1, 1),
    tuple(range(1, PICTURES + 1)),
    1.0,
    f"Which picture: from 1 to {PICTURES}.",
)
CHANNEL = Input.one_of(
    "norms_channel",
    Block(NORMS, 5, 30, 1, 1),
    tuple(range(1, CHANNELS + 1)),
    2.0,
    f"Which channel: from 1 to {CHANNELS}.",
)
_INDICES = tuple(np.ndindex(PICTURES, CHANNELS))
VALUES = Input(
    "norms_values",
    Placed("norms_values", (PICTURES, CHANNELS, SIZE, SIZE), tuple(_map(n, c) for n, c in _INDICES)),
    _ANY,
    np.array([[_BASE + n * _BRIGHTER + high for high in _HIGHER] for n in range(PICTURES)]),
)


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The norm and its groups, the map to look at, and all numbers."""
    return KIND, GROUPS, PICTURE, CHANNEL, VALUES


class _Now(NamedTuple):
    """The cells of the choices."""

    kind: Expr
    groups: Expr
    picture: Expr
    channel: Expr

    def cut(self, of_batch: Expr, of_layer: Expr, of_instance: Expr, of_group: Expr) -> Expr:
        """One of four, by the norm."""
        rest = where(self.kind == INSTANCE, of_instance, of_group)
        return where(self.kind == BATCH, of_batch, where(self.kind == LAYER, of_layer, rest))


def page(state: WorkbookState) -> Page:
    """The sheet: the block, its means, and the block normalised."""
    sheet = widgets.frame(NORMS, _LAST, _ZOOM)
    widgets.head(sheet, "Four norms cut the same block", _LINES, _LAST)
    now = _choices(sheet, state)
    values = state.array(VALUES)
    sheet.input(VALUES, values, style.TYPED)
    _headed(sheet, _LEFT, "The block: 4 pictures, 4 channels")
    sheet.marks += [Mark(_map(n, c), _among(now, n, c).formula, style.AMBER) for n, c in _INDICES]
    means, squares = _moments(sheet, values)
    used = _used(sheet, now, means, squares)
    out = _normalised(sheet, values, *used)
    _apart(sheet, values, out)
    return sheet


def _choices(sheet: Page, state: WorkbookState) -> _Now:
    widgets.ask(sheet, KIND, state[KIND], "norm", 4, style.CHOICE_TEXT, 4)
    for item, label in ((GROUPS, "groups"), (PICTURE, "picture"), (CHANNEL, "channel")):
        widgets.ask(sheet, item, state[item], label, 4)
    kind = sheet.cell(KIND.at, state.text(KIND))
    now = _Now(kind, *(sheet.cell(item.at, state.number(item)) for item in (GROUPS, PICTURE, CHANNEL)))
    words = now.cut(*(text(one) for one in _WORDS.values()))
    sheet.put(6, 2, words, style.LINE)
    return now


def _among(now: _Now, n: int, c: int) -> Expr:
    """Whether a map shares its mean with the chosen one."""
    same_picture, same_channel = now.picture == n + 1, now.channel == c + 1
    size = CHANNELS / now.groups
    grouped = all_of(same_picture, (now.channel - 1) // size == of(c) // size)
    return now.cut(same_channel, same_picture, all_of(same_picture, same_channel), grouped)


def _headed(sheet: Page, left: int, title: str) -> None:
    """The title of a block, and its numbers of pictures and channels."""
    sheet.put(_TOP - 2, left - 2, title, style.HEADING)
    for n in range(PICTURES):
        sheet.span(_TOP - 1, left + n * _PITCH, left + n * _PITCH + 1, n + 1, NUMBERED)
    for c in range(CHANNELS):
        sheet.put(_TOP + c * _PITCH, left - 2, f"ch {c + 1}", style.CLASS)


def _moments(sheet: Page, values: Array) -> tuple[Array, Array]:
    """The mean of each map, and the mean of its squares, (channels, pictures)."""
    sheet.put(_MEANS.row - 1, _MEANS.column, "mean of each map", style.CLASS)
    sheet.put(_SQUARES.row - 1, _SQUARES.column, "mean of its squares", style.CLASS)

    def area(c: int, n: int) -> Expr:
        return sheet.near(_map(n, c), values[n, c])

    means = sheet.fill_each(_MEANS, lambda c, n: average(area(c, n)), TENTHS)
    squares = sheet.fill_each(_SQUARES, lambda c, n: sumproduct(area(c, n) ** 2) / SIZE**2, TENTHS)
    return means, squares


def _used(sheet: Page, now: _Now, means: Array, squares: Array) -> tuple[Array, Array]:
    """Mean and variance that each map is normalised with."""

    def over(block: Block, values: Array, c: int, n: int) -> Expr:
        row, column = block.part(c, 0, 1, PICTURES), block.part(0, n, CHANNELS, 1)
        own = sheet.near(block.part(c, n, 1, 1), values[c, n])
        numbers = sheet.range(block.part(0, -1, CHANNELS, 1), np.arange(float(CHANNELS)))
        size = CHANNELS / now.groups
        down = sheet.range(column, values[:, n])
        first = of(c) // size * size
        grouped = sumproduct(down * (numbers >= first) * (numbers < first + size)) / size
        return now.cut(average(sheet.range(row, values[c])), average(down), own, grouped)

    for block in (_MEANS, _SQUARES):
        sheet.fill(block.part(0, -1, CHANNELS, 1), np.arange(float(CHANNELS))[:, np.newaxis], style.HIDDEN)
    mean = sheet.fill_each(_USED_MEAN, lambda c, n: over(_MEANS, means, c, n), TENTHS)
    sheet.put(_USED_MEAN.row - 1, _USED_MEAN.column, "mean that is used", style.CLASS)

    def variance(c: int, n: int) -> Expr:
        return over(_SQUARES, squares, c, n) - sheet.near(_USED_MEAN.part(c, n, 1, 1), mean[c, n]) ** 2

    spread = sheet.fill_each(_USED_VARIANCE, variance, TENTHS)
    sheet.put(_USED_VARIANCE.row - 1, _USED_VARIANCE.column, "variance that is used", style.CLASS)
    widgets.glyph(sheet, _MEANS, "→")
    widgets.glyph(sheet, _SQUARES, "→")
    sheet.scales += [((block,), style.WARM_SCALE) for block in (_MEANS, _USED_MEAN)]
    sheet.names |= {"norms_mean": _USED_MEAN, "norms_variance": _USED_VARIANCE}
    return mean, spread


def _normalised(sheet: Page, values: Array, mean: Array, variance: Array) -> list[tuple[Block, Array]]:
    """Every map normalised; returns places and values, picture by picture."""
    _headed(sheet, _OUT_LEFT, "What comes out")
    out = []
    for n, c in _INDICES:
        m, v = (sheet.cell(b.part(c, n, 1, 1), x[c, n]) for b, x in ((_USED_MEAN, mean), (_USED_VARIANCE, variance)))
        block, normal = _map(n, c, _OUT_LEFT), (sheet.each(_map(n, c), values[n, c]) - m) / root(v + EPS)
        sheet.fill(block, normal, TENTHS)
        sheet.names[f"norms_out_{n + 1}_{c + 1}"] = block
        out.append((block, np.asarray(normal.value)))
    widgets.signed(sheet, Block(NORMS, _TOP - 2, _OUT_LEFT + _SIDE - 1, 1, 1), out)
    return out


def _apart(sheet: Page, values: Array, out: list[tuple[Block, Array]]) -> None:
    """How far the last picture is from the first, before and after."""
    last = PICTURES - 1
    before = [[(_map(n, c), values[n, c]) for c in range(CHANNELS)] for n in (0, last)]
    after = [[out[n * CHANNELS + c] for c in range(CHANNELS)] for n in (0, last)]
    for left, pair, name in ((_LEFT, before, "norms_apart_before"), (_OUT_LEFT, after, "norms_apart")):
        squared = [sumproduct((sheet.near(*one) - sheet.near(*other)) ** 2) for one, other in zip(*pair, strict=True)]
        at = Block(NORMS, _BELOW, left + _SIDE - 2, 1, 1)
        sheet.put(at.row, left - 2, f"distance of pictures 1 and {PICTURES}", style.LINE)
        sheet.span(at.row, at.column, at.column + 2, root(sum(squared[1:], squared[0])), style.TENTHS)
        sheet.names[name] = at


SHEET = Sheet(NORMS, page, NAME, inputs)
