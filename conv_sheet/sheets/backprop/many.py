"""The panels of many steps at once: a step at twelve learning rates, and ten steps with and without momentum."""

import math

import numpy as np

from conv_sheet.cells import style
from conv_sheet.cells.drawn import Line, Points
from conv_sheet.cells.expr import Expr, average, largest, none_of, smallest, where
from conv_sheet.cells.grid import Block
from conv_sheet.sheets.backprop.ahead import Grid, Row
from conv_sheet.sheets.backprop.layout import (
    ALL,
    BACKPROP,
    DONE,
    MOMENTUM,
    MOVING,
    ONE,
    PLAIN,
    RATE_LIST,
    STEPS,
    TRIED,
)
from conv_sheet.sheets.backprop.losses import guess, words
from conv_sheet.sheets.backprop.panel import AGREE, CHART_WIDTH_CM, Panel
from conv_sheet.sheets.backprop.settings import RATE

_DECADES = -2, 2
"""Powers of ten between which the charted learning rates are."""
_CHART_LINE, _HEIGHT_CM = 3, 7.4


def rates(panel: Panel) -> None:
    """The loss after one step, over the learning rate."""
    grid, made = Grid.of(panel.state), panel.made
    who = _who(grid)
    panel.head(
        "How far?",
        f"the loss of {who} after one step, at {len(RATE_LIST)} learning rates",
        f"loss = {words(made.objective).torch}\noptimizer.step()",
        "a short step goes down; one that is too long lands beyond the valley, higher than it began",
    )
    now = panel.result(0, f"loss of {who}", _mean(panel, grid, grid.plain()[0]))
    after = panel.result(1, "the same after the step", _mean(panel, grid, grid.rates()[-1]))
    stays = where(now - after > AGREE, "the loss falls", "the loss stays as it is")
    rises = after - now > AGREE
    panel.verdict(2, where(rises, "the loss rises: the learning rate is too large", stays), none_of(rises))
    mark = made.marked
    lines = [Points(made.ahead(TRIED), made.ahead(ALL), who, style.RED)]
    if grid.numbers.alone:
        lines.append(Points(made.ahead(TRIED), made.ahead(ONE), "this one", style.GREY, line="dashed"))
    chosen = Points(mark, mark.part(0, 4, 1, 1), "rate now", style.INK, line="none")
    _chart(panel, (*lines, chosen), "learning rate", _DECADES)


def descent(panel: Panel) -> None:
    """The loss along ten steps."""
    grid, made = Grid.of(panel.state), panel.made
    who = _who(grid)
    panel.head(
        f"{STEPS} steps, with momentum and without",
        f"the loss of {who} after each step from here",
        f"SGD(model.parameters(), lr, momentum={MOMENTUM})",
        f"with momentum, each step goes on by {MOMENTUM} of the step before",
    )
    panel.result(0, f"loss after {STEPS} steps of SGD", _mean(panel, grid, grid.plain()[-1]))
    panel.result(1, f"with momentum {MOMENTUM}", _mean(panel, grid, grid.moving()[-1]))
    plain, moving = (made.ahead(what) for what in (PLAIN, MOVING))
    lines = (
        Points(made.ahead(DONE), plain, "SGD", style.GREY, line="dashed"),
        Points(made.ahead(DONE), moving, f"with momentum {MOMENTUM}", style.RED),
    )
    _chart(panel, lines, "step")


def lists(panel: Panel) -> None:
    """What the charts draw, right of the panels."""
    sheet, made, grid = panel.sheet, panel.made, Grid.of(panel.state)
    runs = {ALL: grid.rates(), ONE: grid.single(), PLAIN: grid.plain(), MOVING: grid.moving()}
    for what, rows in runs.items():
        for y in range(made.ahead(what).height if rows else 0):
            at = made.ahead(what).position(y, 0)
            sheet.put(*at, _mean(panel, grid, rows[y]), style.LOSS)
    for what, values in {TRIED: RATE_LIST, DONE: range(STEPS + 1)}.items():
        sheet.fill(made.ahead(what), np.array(values, dtype=float)[:, np.newaxis], style.RATE)
    for what in (TRIED, DONE, *(what for what, rows in runs.items() if rows)):
        sheet.put(made.ahead(what).row - 1, made.ahead(what).column, what, style.LABEL)
    (low, high), mark = (10.0**power for power in _DECADES), made.marked
    sheet.put(mark.row, mark.column, largest(low, smallest(high, panel.setting(RATE))), style.LOSS)
    shown = smallest(_mean(panel, grid, grid.rates()[-1]), _top(panel))
    sheet.put(mark.row, mark.column + 4, shown, style.LOSS)


def _who(grid: Grid) -> str:
    count = len(grid.numbers.pictures)
    return f"all {count} pictures" if count > 1 else "the picture"


def _mean(panel: Panel, grid: Grid, row: Row) -> Expr:
    """The mean loss of a row of the grid."""
    return average(panel.sheet.range(grid.loss(row), np.array([[made.loss for made in row.made.passes]])))


def _top(panel: Panel) -> float:
    """The largest loss that charts show: twice that of a mere guess."""
    return math.ceil(4 * float(guess(panel.made.objective).value)) / 2


def _chart(panel: Panel, lines: tuple[Points, ...], title: str, decades: tuple[int, int] | None = None) -> None:
    anchor = Block(BACKPROP, panel.made.first_line + _CHART_LINE, panel.made.columns(panel.number)[0], 1, 1).cell()
    size = CHART_WIDTH_CM, _HEIGHT_CM
    panel.sheet.lines.append(Line(lines, anchor, *size, title, _top(panel), decades))
