"""The sheet `Batch`: eight pictures normalised by channel, with their own statistics or with running averages."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, average, count, deviations, root, where
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.page import Content, Mark, Page
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets.lessons.looks import NUMBERED, TENTHS
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "batch"
BATCH = "Batch"
PICTURES, CHANNELS, SIZE = 8, 2, 3
EPS = 1e-5
"""As `torch.nn.BatchNorm2d` has it."""
TRAIN, EVAL, FROZEN = "train()", "eval()", "frozen"

_DRAWN = (
    *((".#.", ".#.", ".#."), ("...", "###", "..."), ("#..", ".#.", "..#"), ("..#", ".#.", "#..")),
    *((".#.", "###", ".#."), ("#.#", ".#.", "#.#"), ("###", "#.#", "###"), ("###", "...", "###")),
)
"""Half of all pixels are ink, so that mean and deviation are whole numbers."""
_LEVELS = ((2.0, 6.0), (10.0, 0.0))
"""Of each channel, what paper and ink are."""
_LINES = (
    "Each channel has a mean and a variance over all eight pictures. Subtract the mean, divide by the deviation: "
    "channels become alike.",
    "In use there may be one picture only: then the averages of many batches take their place. "
    "Numbers in boxes are yours.",
)
_WORDS = {
    TRAIN: "In training, a batch is normalised with its own mean and variance, and moves the averages a little.",
    EVAL: "In use, the running averages normalise and do not move: what a picture becomes does not depend on others.",
    FROZEN: "requires_grad = False: weight and bias stay. The averages still move, unless the layer is in eval(), too.",
}
_ZOOM, _LEFT, _PITCH, _TOP, _OUT_TOP = 100, 4, SIZE + 1, 9, 19
_WIDTH = PICTURES * _PITCH - 1
_LABELS = _LEFT + _WIDTH + 2
"""Column of the statistics' labels; their numbers stand in the columns behind it."""
_STEPS = 30
"""Batches that are followed."""
_SHARE = replace(style.ASKED, format="General")
_WHOLE = replace(style.NUMBER, horizontal="center")
_PRECISE = replace(style.DECIMAL, horizontal="center")
_BOLD = replace(_PRECISE, bold=True)
_TYPED = replace(style.TYPED, horizontal="center")


def _statistic(row: int) -> Block:
    """A line of the table: a number for each channel."""
    return Block(BATCH, row, _LABELS + 1, 1, CHANNELS)


_COUNT, _MEAN, _VARIANCE, _RUNNING_MEAN, _RUNNING_VARIANCE, _NEXT_MEAN, _NEXT_VARIANCE = map(_statistic, range(8, 15))
_USED_MEAN, _USED_VARIANCE, _WEIGHT, _BIAS = map(_statistic, range(16, 20))
_AFTER_MEAN, _AFTER_VARIANCE = map(_statistic, range(21, 23))

MODE = Input.one_of(
    "batch_mode",
    Block(BATCH, 5, 6, 1, 1),
    (TRAIN, EVAL, FROZEN),
    TRAIN,
    "What the layer is told: train(), eval(), or that nothing is to learn.",
)
MOMENTUM = Input.cell(
    "batch_momentum",
    Block(BATCH, 5, 18, 1, 1),
    0.1,
    Limits(0, 0.99, hint="How far a batch moves the averages: a number from 0 to 0.99."),
)
SEEN = Input.whole("batch_seen", Block(BATCH, 5, 28, 1, 1), 0, 0, 999, "Batches that came before, all like this one.")


def _picture(n: int, c: int, top: int = _TOP) -> Block:
    return Block(BATCH, top + c * _PITCH, _LEFT + n * _PITCH, SIZE, SIZE)


def _band(c: int, top: int = _TOP) -> Block:
    """All pictures of a channel, with empty columns between them."""
    return Block(BATCH, top + c * _PITCH, _LEFT, SIZE, _WIDTH)


def _first() -> Array:
    ink = np.array([[[one == "#" for one in row] for row in rows] for rows in _DRAWN])
    return np.stack([np.where(ink, high, low) for low, high in _LEVELS], axis=1)


_BLOCKS = tuple(_picture(n, c) for n, c in np.ndindex(PICTURES, CHANNELS))
VALUES = Input(
    "batch_pictures",
    Placed("batch_pictures", (PICTURES, CHANNELS, SIZE, SIZE), _BLOCKS),
    Limits(-99, 99, hint="Any number from -99 to 99."),
    _first(),
)
WEIGHT = Input.table("batch_weight", _WEIGHT, np.ones((1, CHANNELS)), Limits(-9, 9, hint="What it is multiplied by."))
BIAS = Input.table("batch_bias", _BIAS, np.zeros((1, CHANNELS)), Limits(-9, 9, hint="What is added."))


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The mode, the momentum, how many batches came before, the pictures, weight and bias."""
    return MODE, MOMENTUM, SEEN, VALUES, WEIGHT, BIAS


class _Now(NamedTuple):
    """The cells of the choices."""

    mode: Expr
    momentum: Expr
    seen: Expr


class _Statistics(NamedTuple):
    """Of each channel the mean of the batch, and mean and variance that normalise it: each the cell of its column."""

    of_batch: Expr
    mean: Expr
    variance: Expr


def page(state: WorkbookState) -> Page:
    """The sheet: the batch, its statistics, and what becomes of it."""
    last = _LABELS + CHANNELS
    sheet = widgets.frame(BATCH, last, _ZOOM)
    sheet.widths |= {_LABELS: 30.0, _LABELS + 1: 12.0, _LABELS + 2: 12.0}
    widgets.head(sheet, "Batch norm: every channel on the same footing", _LINES, last)
    now = _choices(sheet, state)
    _batch(sheet, state)
    used = _statistics(sheet, state, now)
    _normalised(sheet, state, used)
    _follow(sheet, now, used.of_batch)
    return sheet


def _choices(sheet: Page, state: WorkbookState) -> _Now:
    widgets.ask(sheet, MODE, state[MODE], "mode", 4, style.CHOICE_TEXT, 4)
    widgets.ask(sheet, MOMENTUM, state[MOMENTUM], "momentum", 5, _SHARE, 2)
    widgets.ask(sheet, SEEN, state[SEEN], "batches before", 5, width=2)
    mode = sheet.cell(MODE.at, state.text(MODE))
    words = where(mode == EVAL, _WORDS[EVAL], where(mode == FROZEN, _WORDS[FROZEN], _WORDS[TRAIN]))
    sheet.merged(Block(BATCH, _AFTER_VARIANCE.row + 2, _LABELS, 3, 1 + CHANNELS), words, style.TEXT)
    return _Now(mode, *(sheet.cell(item.at, state.number(item)) for item in (MOMENTUM, SEEN)))


# -- the batch and its statistics --------------------------------------------------------------------------------------


def _spread(values: Array) -> Array:
    """The pictures (N, H, W) of a channel as they stand side by side, nothing between them."""
    band = np.full((SIZE, _WIDTH), np.nan)
    for n, picture in enumerate(values):
        band[:, n * _PITCH : n * _PITCH + SIZE] = picture
    return band


def _batch(sheet: Page, state: WorkbookState) -> None:
    values = state.array(VALUES)
    sheet.put(_TOP - 2, 2, "The batch: eight pictures, two channels", style.HEADING)
    sheet.input(VALUES, values, style.TYPED)
    _heads(sheet, _TOP)
    widgets.signed(
        sheet,
        Block(BATCH, _TOP - 2, _LEFT + _WIDTH - 1, 1, 1),
        [(block, values[divmod(number, CHANNELS)]) for number, block in enumerate(_BLOCKS)],
    )


def _heads(sheet: Page, top: int) -> None:
    """Numbers of pictures above, of channels beside."""
    for n in range(PICTURES):
        sheet.put(top - 1, _LEFT + n * _PITCH + 1, n + 1, NUMBERED)
    for c in range(CHANNELS):
        sheet.put(top + c * _PITCH + 1, 2, f"ch {c + 1}", style.CLASS)


def _row(sheet: Page, block: Block, label: str, content: Expr, look: style.Style = _PRECISE) -> Expr:
    """A line of the table, each cell a copy of the first; returns its cells for formulas in their columns."""
    sheet.put(block.row, _LABELS, label, style.LINE)
    sheet.fill(block, content, look)
    return sheet.row(block, content.value)


def _each(sheet: Page, block: Block, label: str, made: list[Expr], look: style.Style = _PRECISE) -> Expr:
    """The same of cells that are no copies of one another, one a channel."""
    sheet.put(block.row, _LABELS, label, style.LINE)
    return sheet.row(block, sheet.fill_each(block, lambda _, c: made[c], look))


def _header(sheet: Page, row: int, label: str, *channels: Content) -> None:
    sheet.put(row, _LABELS, label, style.HEAD_LEFT)
    for c in range(CHANNELS):
        sheet.put(row, _LABELS + 1 + c, channels[c] if channels else None, style.HEAD)


def _statistics(sheet: Page, state: WorkbookState, now: _Now) -> _Statistics:
    """The batch's own, and the running averages; returns what the batch is normalised with."""
    _header(sheet, _COUNT.row - 1, "statistics", *(f"channel {c + 1}" for c in range(CHANNELS)))
    values = state.array(VALUES)
    areas = [sheet.range(_band(c), _spread(values[:, c])) for c in range(CHANNELS)]
    n = _each(sheet, _COUNT, "numbers, n", [count(area) for area in areas], _WHOLE)
    sizes = [sheet.cell(_COUNT.part(0, c, 1, 1), n.value[0, c]) for c in range(CHANNELS)]
    mean = _each(sheet, _MEAN, "mean of the batch", [average(area) for area in areas])
    variances = [deviations(area) / size for area, size in zip(areas, sizes, strict=True)]
    variance = _each(sheet, _VARIANCE, "variance of the batch", variances)
    kept = (1 - now.momentum) ** now.seen
    unbiased = variance * n / (n - 1)
    running_mean = _row(sheet, _RUNNING_MEAN, "running mean", mean * (1 - kept))
    running_variance = _row(sheet, _RUNNING_VARIANCE, "running variance", kept + unbiased * (1 - kept))
    moving, m = now.mode != EVAL, now.momentum
    _row(sheet, _NEXT_MEAN, "mean behind this batch", where(moving, (1 - m) * running_mean + m * mean, running_mean))
    moved = (1 - m) * running_variance + m * unbiased
    _row(sheet, _NEXT_VARIANCE, "variance behind it", where(moving, moved, running_variance))
    _header(sheet, _USED_MEAN.row - 1, "what each number goes through")
    for c in range(CHANNELS):
        running, behind = (row.part(0, c, 1, 1) for row in (_RUNNING_MEAN, _NEXT_MEAN))
        sheet.names |= {f"batch_running_mean_{c + 1}": running, f"batch_next_mean_{c + 1}": behind}
    sheet.names |= {
        **{"batch_mean": _MEAN, "batch_variance": _VARIANCE, "batch_used_mean": _USED_MEAN},
        **{"batch_running_mean": _RUNNING_MEAN, "batch_running_variance": _RUNNING_VARIANCE},
        **{"batch_next_mean": _NEXT_MEAN, "batch_next_variance": _NEXT_VARIANCE},
    }
    return _Statistics(
        mean,
        _row(sheet, _USED_MEAN, "− mean", where(moving, mean, running_mean), _BOLD),
        _row(sheet, _USED_VARIANCE, "÷ √(variance + 0.00001)", where(moving, variance, running_variance), _BOLD),
    )


# -- what becomes of it ------------------------------------------------------------------------------------------------


def _normalised(sheet: Page, state: WorkbookState, used: _Statistics) -> None:
    """Every picture normalised, scaled and shifted; mean and variance of what comes out."""
    values, bands, outs = state.array(VALUES), [], []
    sheet.put(_OUT_TOP - 2, 2, "What comes out", style.HEADING)
    _heads(sheet, _OUT_TOP)
    for item, label in ((WEIGHT, "× weight"), (BIAS, "+ bias")):
        sheet.put(item.at.row, _LABELS, label, style.LINE)
        sheet.input(item, state.array(item), _TYPED)
    for c in range(CHANNELS):
        mean, variance, weight, bias = (
            sheet.cell(block.part(0, c, 1, 1), np.broadcast_to(row, (1, CHANNELS))[0, c])
            for block, row in (
                *((_USED_MEAN, used.mean.value), (_USED_VARIANCE, used.variance.value)),
                *((WEIGHT.at, state.array(WEIGHT)), (BIAS.at, state.array(BIAS))),
            )
        )
        made = []
        for n in range(PICTURES):
            out = _picture(n, c, _OUT_TOP)
            pixel = sheet.each(_picture(n, c), values[n, c])
            normal = (pixel - mean) / root(variance + EPS) * weight + bias
            sheet.fill(out, normal, TENTHS)
            made.append(np.asarray(normal.value))
            outs.append((out, made[-1]))
        bands.append(sheet.range(_band(c, _OUT_TOP), _spread(np.array(made))))
        sheet.names[f"batch_out_{c + 1}"] = _band(c, _OUT_TOP)
    widgets.signed(sheet, Block(BATCH, _OUT_TOP - 2, _LEFT + _WIDTH - 1, 1, 1), outs)
    _header(sheet, _AFTER_MEAN.row - 1, "what comes out")
    _each(sheet, _AFTER_MEAN, "its mean", [average(area) for area in bands])
    numbers = [count(area) for area in bands]
    _each(sheet, _AFTER_VARIANCE, "its variance", [deviations(a) / n for a, n in zip(bands, numbers, strict=True)])
    sheet.names |= {"batch_after": _AFTER_MEAN.part(0, 0, 2, CHANNELS)}
    sheet.names |= {f"batch_after_{c + 1}": _AFTER_MEAN.part(0, c, 2, 1) for c in range(CHANNELS)}


def _follow(sheet: Page, now: _Now, means: Expr) -> None:
    """The running mean of each channel, batch by batch."""
    top = Block(BATCH, _OUT_TOP + CHANNELS * _PITCH + 1, _LEFT, 1, _STEPS + 1)
    sheet.put(top.row - 1, 2, "The running mean behind 0, 1, 2 … batches like this one", style.HEADING)
    numbers = np.arange(_STEPS + 1.0)[np.newaxis]
    sheet.fill(top, numbers, NUMBERED)
    sheet.marks.append(Mark(top, (sheet.each(top, numbers) == now.seen).formula, style.AMBER))
    lines = []
    for c in range(CHANNELS):
        mean = sheet.cell(_MEAN.part(0, c, 1, 1), means.value[0, c])
        line = top.part(1 + c, 0, 1, top.width)
        sheet.put(line.row, 2, f"ch {c + 1}", style.CLASS)
        followed = mean * (1 - (1 - now.momentum) ** sheet.row(top, numbers))
        sheet.fill(line, followed, TENTHS)
        sheet.names[f"batch_follow_{c + 1}"] = line
        lines.append((line, np.asarray(followed.value)))
    widgets.signed(sheet, top.part(-1, _STEPS, 1, 1), lines)


SHEET = Sheet(BATCH, page, NAME, inputs)
