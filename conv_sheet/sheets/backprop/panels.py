"""The panels below the gradients: the loss, a step of gradient descent, its curve, a check, a step by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells import style
from conv_sheet.cells.drawn import Line, Points
from conv_sheet.cells.expr import Expr, absolute, all_of, any_of, largest, rounded, text, total, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.lookup import index, match
from conv_sheet.cells.page import Page
from conv_sheet.cells.words import Words
from conv_sheet.network.layout import NETWORK
from conv_sheet.sheets import buttons
from conv_sheet.sheets.addresses import TARGET
from conv_sheet.sheets.backprop import many
from conv_sheet.sheets.backprop.layout import (
    AHEAD_LISTS,
    BACKPROP,
    CHECK,
    CURVE,
    CURVE_ROWS,
    DESCENT,
    FACTS,
    HAND,
    LOSS,
    MINUS,
    MOVING,
    PLUS,
    RATES,
    STEP,
    UPDATED,
    BackpropLayout,
)
from conv_sheet.sheets.backprop.losses import guess, knows_shares, words
from conv_sheet.sheets.backprop.panel import AGREE, CHART_HEIGHT_CM, CHART_WIDTH_CM, Panel
from conv_sheet.sheets.backprop.settings import BLOCK, COLUMN, RATE, ROW, H, Learning, chosen_value, inputs
from conv_sheet.state import Curve, WorkbookState

_LEARNED = 1e-4
"""A loss below which a picture has nothing left to teach."""
_DIGITS = 8
"""Digits of a difference of gradients that are no rounding."""
_LISTED_WIDTH = 9.0
"""Characters of a column with a list, so that its name has room over it."""
_PLACE = replace(style.LINK_LINE, shrink=True)
_CHART_ROWS = 8
"""Rows that charts reach below the last line."""


def add(sheet: Page, state: WorkbookState, made: BackpropLayout, numbers: Learning) -> None:
    """Put all panels on the sheet `Backprop`."""
    last = (made.ahead(MOVING) if made.looks_ahead else made.listed(FACTS[-1])).column + 1
    sheet.widths |= dict.fromkeys(range(made.layout.last_column + 1, last), style.CELL_WIDTH)
    lists = made.curve, *(made.listed(what) for what in FACTS[1:])
    sheet.widths |= {block.column: _LISTED_WIDTH for block in lists}
    if made.looks_ahead:
        sheet.widths |= {made.ahead(what).column: _LISTED_WIDTH for what in AHEAD_LISTS}
    sheet.heights |= {made.top: 26, made.top + 1: 36, made.top + 2: 54, made.top + 3: 54}
    by_name = {item.name: item for item in inputs(state.layout, state.lesson)}

    def panel(number: int) -> Panel:
        return Panel(sheet, state, made, numbers, by_name, number)

    _loss(panel(LOSS))
    _step(panel(STEP))
    if made.looks_ahead:
        many.rates(panel(RATES))
        many.descent(panel(DESCENT))
        many.lists(panel(RATES))
    _curve(panel(CURVE), state.curve)
    _check(panel(CHECK))
    _hand(panel(HAND))
    right = made.columns(HAND)[1]
    bottom = max(row for row, column in sheet.singles if column <= right)
    sheet.prints = Block(BACKPROP, 1, 1, bottom + made.looks_ahead * _CHART_ROWS, max(made.layout.last_column, right))
    _blocks(panel(CHECK))


def _loss(panel: Panel) -> None:
    said = words(panel.made.objective)
    panel.head(
        "How wrong is it?",
        f"the loss: {said.name} of one picture",
        f"loss = {said.torch}\nloss.backward()",
        f"loss = {said.formula}; every gradient above says how the loss rises with that number",
    )
    now, each = panel.numbers.now, panel.made.objective.asks_each
    if each:
        goal, count = panel.sheet.range(panel.made.goal, now.goal), len(now.goal)
        cell = panel.made.goal.cell()
        panel.result(0, "target", text(total(goal), f" of {count} classes: type 0 or 1 from {cell} on"), style.LINE)
    else:
        panel.input(0, "target", TARGET)
    likely = panel.result(1, _right(panel), panel.answer(NETWORK, now), _look(panel))
    panel.result(2, "loss", panel.loss(NETWORK, now, likely))
    panel.result(3, said.guess, guess(panel.made.objective))


def _right(panel: Panel, when: str = "") -> str:
    """What is said of how right the answer is."""
    if panel.made.objective.asks_each:
        return f"classes that are right{when}"
    what = "probability" if knows_shares(panel.made.objective) else "score"
    return f"{what}{when}" if when else f"{what} of the target"


def _look(panel: Panel) -> style.Style:
    if panel.made.objective.asks_each:
        return style.NUMBER
    return style.PERCENT if knows_shares(panel.made.objective) else style.LOSS


def _step(panel: Panel) -> None:
    made, numbers = panel.made, panel.numbers
    panel.head(
        "One step down",
        "gradient descent: the sheet Updated is Network after it",
        "optimizer = SGD(model.parameters(), lr)\noptimizer.step()",
        "each new weight = weight − learning rate × its gradient",
    )
    panel.input(0, "learning rate", RATE)
    likely = panel.result(1, _right(panel, " after the step"), panel.answer(UPDATED, numbers.after), _look(panel))
    then = panel.result(2, "loss after the step", panel.loss(UPDATED, numbers.after, likely))
    now = panel.sheet.cell(made.loss, numbers.now.loss)
    little = now < _LEARNED
    falls = where(then < now, "the loss falls", "the loss does not fall: try a smaller learning rate")
    panel.verdict(3, where(little, "nothing is left to learn here", falls), any_of(little, then < now))
    first, last = made.columns(STEP)
    buttons.add(
        panel.sheet,
        made.value(STEP, 5).row,
        ((first, first + 3), (first + 4, first + 9), (first + 10, last)),
        {**buttons.TRAINING, "Reset": buttons.CAPTIONS["Reset"]},
    )
    note = Words(
        "No buttons here? conv-sheet train-step FILE --steps 10",
        browser="The buttons beside the sheet take one step, or ten",
    )
    panel.sheet.span(made.value(STEP, 6).row, first, last, note, style.LONG_NOTE)
    panel.sheet.heights[made.value(STEP, 6).row] = 36


def curve_cells(curve: Curve) -> NDArray[Any]:
    """The curve as it stands in its block, (rows, 2); None where nothing does."""
    cells = np.full((CURVE_ROWS, 2), None, dtype=object)
    for row, point in enumerate(curve[-CURVE_ROWS:]):
        cells[row] = point
    return cells


def _curve(panel: Panel, curve: Curve) -> None:
    """The losses of the steps that were taken, written by Python, and their chart."""
    sheet, made = panel.sheet, panel.made
    panel.head(
        "How it went",
        "the loss after each step of training",
        "losses.append(loss.item())",
        Words(
            "drawn by the buttons of an .xlsm, or by conv-sheet train-step; Reset and Random kernels start it anew",
            browser="drawn by the buttons; Reset and Random kernels start it anew",
        ),
    )
    table = made.curve
    sheet.put(table.row - 1, table.column, "step", style.LABEL)
    sheet.put(table.row - 1, table.column + 1, "loss", style.LABEL)
    steps, losses = (table.part(0, x, table.height, 1) for x in (0, 1))
    cells = curve_cells(curve)
    sheet.fill(steps, cells[:, :1], style.ENGINE_COUNT)
    sheet.fill(losses, cells[:, 1:], style.ENGINE_SCORE)
    anchor = Block(BACKPROP, made.first_line - 1, made.columns(CURVE)[0], 1, 1).cell()
    sheet.lines.append(Line((Points(steps, losses),), anchor, CHART_WIDTH_CM, CHART_HEIGHT_CM))


def _check(panel: Panel) -> None:
    numbers, chosen = panel.numbers, panel.numbers.settings
    panel.head(
        "Is it right?",
        "a numerical gradient: the sheets Plus and Minus",
        "torch.autograd.gradcheck(f, weight)",
        "a = (loss with the weight h larger − loss with it h smaller) ÷ 2h; relative error = |a − b| ÷ max(|a|, |b|)",
    )
    panel.input(0, "block of weights", BLOCK)
    for line, (label, name) in enumerate((("row", ROW), ("column", COLUMN), ("h", H)), 1):
        panel.input(line, label, name)
    pairs = ((PLUS, numbers.plus, "+"), (MINUS, numbers.minus, "−"))
    high, low = (
        panel.result(
            line, f"loss with weight {sign} h", panel.loss(title, made, panel.answer(title, made)), style.LONG_LOSS
        )
        for line, (title, made, sign) in enumerate(pairs, 4)
    )
    slope = panel.result(6, "a: numerical gradient", (high - low) / (2 * panel.setting(H)), style.LONG_LOSS)
    inside = panel.sheet.cell(panel.made.inside, int(numbers.inside))
    value = chosen_value(panel.made, numbers.gradients, chosen) if numbers.inside else 0.0
    gradient = panel.result(7, "b: gradient by formula", _chosen_gradient(panel, inside, value), style.LONG_LOSS)
    close = absolute(slope - gradient) <= AGREE * largest(1, absolute(gradient))
    differ = "they differ: is h too large, or a kink (ReLU, max) close?"
    said = where(inside == 0, "the block has no such row or column", where(close, "the two agree", differ))
    size = largest(absolute(slope), absolute(gradient))
    relative = rounded(absolute(slope - gradient), _DIGITS) / size
    panel.result(8, "relative error", where(size == 0, 0, relative), style.ERROR)
    panel.verdict(9, said, all_of(inside == 1, close))


def _chosen_gradient(panel: Panel, inside: Expr, value: float) -> Expr:
    """The gradient in the chosen row and column of the chosen block; 0 where there is none."""
    row = _fact(panel, "top") + (panel.setting(ROW) - 1) * _fact(panel, "down")
    column = _fact(panel, "left") + (panel.setting(COLUMN) - 1) * _fact(panel, "right")
    area = panel.made.area
    values = np.zeros(area.shape)
    if panel.numbers.inside:
        values[int(row.value) - 1, int(column.value) - 1] = value
    return where(inside == 0, 0, index(panel.sheet.range(area, values), row, column))


def _fact(panel: Panel, what: str) -> Expr:
    """What the list says of the chosen block."""
    facts = [panel.made.facts(one)[FACTS.index(what)] for one in panel.made.weight_blocks]
    number = panel.sheet.cell(panel.made.number, panel.numbers.settings.block + 1)
    return index(panel.sheet.range(panel.made.listed(what), np.array(facts)), number)


def _blocks(panel: Panel) -> None:
    """The blocks that can be chosen, and where they are; above them the number of the chosen one."""
    sheet, made = panel.sheet, panel.made
    for number, what in enumerate(FACTS):
        block = made.listed(what)
        facts = np.array([[made.facts(one)[number]] for one in made.weight_blocks], dtype=object)
        sheet.put(block.row - 1, block.column, what, style.LABEL)
        sheet.fill(block, facts, style.LABEL if number == 0 else style.ENGINE_COUNT)
    names = np.array([one.name for one in made.weight_blocks], dtype=object)
    chosen = match(panel.setting(BLOCK), sheet.range(made.listed(FACTS[0]), names))
    sheet.put(made.number.row, made.number.column, chosen, style.ENGINE_COUNT)
    fits = all_of(panel.setting(ROW) <= _fact(panel, "rows"), panel.setting(COLUMN) <= _fact(panel, "columns"))
    sheet.put(made.inside.row, made.inside.column, where(fits, 1, 0), style.ENGINE_COUNT)


def _hand(panel: Panel) -> None:
    """Which block to copy over which, for those who have no buttons."""
    sheet, made = panel.sheet, panel.made
    panel.head(
        Words("The same by hand", browser="What a step copies"),
        Words("a step without buttons", browser="block by block, each from its place on Updated"),
        "with torch.no_grad(): w -= lr * w.grad",
        Words(
            "set calculation to manual; copy these cells of Updated onto the same of Network as values; then press F9",
            browser="the button Train step copies all of these at once: each new weight depends on every old one",
        ),
    )
    (first, last), row = made.columns(HAND), made.first_line - 1
    columns = [(first, first + 3), (first + 4, first + 9), (first + 10, last)]
    for (column, end), label in zip(columns, ("weights", f"copy from {UPDATED}", "paste at"), strict=True):
        sheet.span(row, column, end, label, style.LABEL)
    for line, (tensor, area) in enumerate(made.areas()):
        row = made.value(HAND, line).row
        cell = Block(NETWORK, area.row, area.column, 1, 1)
        sheet.span(row, *columns[0], tensor, style.LINE)
        for (column, end), place in zip(columns[1:], (area, cell), strict=True):
            sheet.span(row, column, end, place.foreign, _PLACE)
            sheet.links[row, column] = place.foreign
