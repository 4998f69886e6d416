"""The panels below the gradients: the loss, a step of gradient descent, its curve, a check, a step by hand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells import style
from conv_sheet.cells.expr import Expr, absolute, all_of, any_of, largest, logarithm, sumproduct, total, where
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import Input
from conv_sheet.cells.lookup import index, match
from conv_sheet.cells.page import Line, Page, Points, Verdict
from conv_sheet.cells.words import Words
from conv_sheet.learning.step import ForwardPass
from conv_sheet.network.layout import NETWORK
from conv_sheet.ops import Array
from conv_sheet.sheets import buttons
from conv_sheet.sheets.addresses import TARGET
from conv_sheet.sheets.backprop.layout import (
    BACKPROP,
    CHECK,
    CURVE,
    CURVE_ROWS,
    FACTS,
    HAND,
    LOSS,
    MINUS,
    PLUS,
    STEP,
    UPDATED,
    BackpropLayout,
)
from conv_sheet.sheets.backprop.settings import BLOCK, COLUMN, RATE, ROW, H, Learning, chosen_value, inputs
from conv_sheet.sheets.network import head
from conv_sheet.state import Curve, WorkbookState

AGREE = 1e-6
"""Largest difference, relative to gradients above 1, at which two ways to a gradient are said to agree."""
_UNDERFLOW = 1e-300
_LEARNED = 1e-4
"""A loss below which a picture has nothing left to teach."""
_CHART_HEIGHT_CM = 6.6
_CHART_WIDTH_CM = 9.5


@dataclass(frozen=True)
class _Panel:
    """A panel below the network: a head, and lines of a label and a value each."""

    sheet: Page
    state: WorkbookState
    made: BackpropLayout
    numbers: Learning
    inputs: Mapping[str, Input]
    number: int

    def head(self, title: str, about: str, code: str, words: str) -> None:
        head(self.sheet, self.made.columns(self.number), (title, about, code, words), self.made.top)

    def input(self, line: int, label: str, name: str) -> None:
        """A line with a cell to type into."""
        cell, item = self._label(line, label), self.inputs[name]
        width = self.made.columns(self.number)[1] - cell.column + 1
        self.sheet.input(item, self.state[item], style.TYPED, width)

    def result(self, line: int, label: str, value: Expr, look: style.Style = style.LOSS) -> Expr:
        """A line with a formula; its cell, for further ones."""
        cell = self._label(line, label)
        self.sheet.span(cell.row, cell.column, self.made.columns(self.number)[1], value, look)
        return self.sheet.cell(cell, value.value)

    def verdict(self, line: int, said: Expr, good: Expr) -> None:
        """A line with a sentence that follows, green where `good` is true and red where it is not."""
        first, last = self.made.columns(self.number)
        row = self.made.value(self.number, line).row
        self.sheet.span(row, first, last, said, style.LINE)
        self.sheet.verdicts.append(Verdict(Block(BACKPROP, row, first, 1, last - first + 1), good.formula))

    def setting(self, name: str) -> Expr:
        """The cell of an input."""
        item = self.inputs[name]
        value = self.state.text(item) if item.is_text else self.state.number(item)
        return self.sheet.cell(item.at, value)

    def _label(self, line: int, text: str) -> Block:
        cell = self.made.value(self.number, line)
        self.sheet.span(cell.row, self.made.columns(self.number)[0], cell.column - 1, text, style.LINE)
        return cell

    def share(self, title: str, made: ForwardPass) -> Expr:
        """The probability that the network on a sheet gives the target."""
        last = self.made.layout.on(title).by_name[self.made.last.name]
        shares = made.activations[self.made.network.output.name]
        return sumproduct(self.sheet.range(last.out.blocks[0], shares), self._goal)

    def loss(self, title: str, made: ForwardPass, share: Expr) -> Expr:
        """-ln(probability of the target), also where that probability is too small for a cell."""
        layout, logits = self.made.layout.on(title), self.made.network.logits
        last, scores = layout.by_name[self.made.last.name], made.activations[logits][0]
        exps = self.sheet.range(last.own["exp"].blocks[0], np.exp(scores - scores.max()))
        parts = list(self._parts(layout.placed[logits], scores))
        first, *others = (sumproduct(z, goal) for z, goal in parts)
        rare = logarithm(total(exps)) + largest(*(z for z, _ in parts)) - sum(others, start=first)
        with np.errstate(divide="ignore"):
            return where(share > _UNDERFLOW, -logarithm(share), rare)

    def _parts(self, placed: Placed, values: Array) -> Iterator[tuple[Expr, Expr]]:
        """The scores, and beside each part of them that part of the goal; those of joined layers stand in several."""
        goal, target = self.made.goal, self._target
        done = 0
        for block in placed.blocks:
            singles = (block.part(y, x, 1, 1) for y, x in np.ndindex(block.shape))
            for part in [block] if block.width == 1 else singles:
                here = slice(done, done + part.height)
                beside = goal.part(done, 0, part.height, 1)
                yield self.sheet.range(part, values[here]), self.sheet.range(beside, target[here])
                done += part.height

    @property
    def _goal(self) -> Expr:
        """1 for the target, 0 for the other classes."""
        return self.sheet.range(self.made.goal, self._target)

    @property
    def _target(self) -> Array:
        """The same as numbers."""
        target: Array = np.eye(len(self.made.labels))[self.numbers.settings.target]
        return target


def add(sheet: Page, state: WorkbookState, made: BackpropLayout, numbers: Learning) -> None:
    """Put all panels on the sheet `Backprop`."""
    last = made.listed(FACTS[-1]).column + 1
    sheet.widths |= dict.fromkeys(range(made.layout.last_column + 1, last), style.CELL_WIDTH)
    sheet.heights |= {made.top: 26, made.top + 1: 36, made.top + 2: 40, made.top + 3: 54}
    by_name = {item.name: item for item in inputs(state.layout, state.lesson)}

    def panel(number: int) -> _Panel:
        return _Panel(sheet, state, made, numbers, by_name, number)

    _loss(panel(LOSS))
    _step(panel(STEP))
    _curve(panel(CURVE), state.curve)
    _check(panel(CHECK))
    _hand(panel(HAND))
    right = made.columns(HAND)[1]
    bottom = max(row for row, column in sheet.singles if column <= right)
    sheet.prints = Block(BACKPROP, 1, 1, bottom, max(made.layout.last_column, right))
    _blocks(panel(CHECK))


def _loss(panel: _Panel) -> None:
    panel.head(
        "1  How wrong is it?",
        "the loss: cross-entropy of one picture",
        "loss = F.cross_entropy(scores, target)\nloss.backward()",
        "loss = −ln(probability of the target); every gradient above says how the loss rises with that number",
    )
    panel.input(0, "target", TARGET)
    now = panel.numbers.now
    share = panel.result(1, "probability of the target", panel.share(NETWORK, now), style.PERCENT)
    panel.result(2, "loss", panel.loss(NETWORK, now, share))
    count = len(panel.made.labels)
    panel.result(3, f"loss of a mere guess, ln({count})", logarithm(count))


def _step(panel: _Panel) -> None:
    made, numbers = panel.made, panel.numbers
    panel.head(
        "2  One step down",
        "gradient descent: the sheet Updated is Network after it",
        "optimizer = SGD(model.parameters(), lr)\noptimizer.step()",
        "each new weight = weight − learning rate × its gradient",
    )
    panel.input(0, "learning rate", RATE)
    share = panel.result(1, "probability after the step", panel.share(UPDATED, numbers.after), style.PERCENT)
    then = panel.result(2, "loss after the step", panel.loss(UPDATED, numbers.after, share))
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


def _curve(panel: _Panel, curve: Curve) -> None:
    """The losses of the steps that were taken, written by Python, and their chart."""
    sheet, made = panel.sheet, panel.made
    panel.head(
        "3  How it went",
        "the loss after each step of training",
        "losses.append(loss.item())",
        "drawn by the buttons; Reset and Random kernels start it anew",
    )
    table = made.curve
    sheet.put(table.row - 1, table.column, "step", style.LABEL)
    sheet.put(table.row - 1, table.column + 1, "loss", style.LABEL)
    steps, losses = (table.part(0, x, table.height, 1) for x in (0, 1))
    cells = curve_cells(curve)
    sheet.fill(steps, cells[:, :1], style.ENGINE_COUNT)
    sheet.fill(losses, cells[:, 1:], style.ENGINE_SCORE)
    anchor = Block(BACKPROP, made.first_line - 1, made.columns(CURVE)[0], 1, 1).cell()
    sheet.lines.append(Line((Points(steps, losses),), anchor, _CHART_WIDTH_CM, _CHART_HEIGHT_CM))


def _check(panel: _Panel) -> None:
    numbers, chosen = panel.numbers, panel.numbers.settings
    panel.head(
        "4  Is it right?",
        "a numerical gradient: the sheets Plus and Minus",
        "torch.autograd.gradcheck(f, weight)",
        "(loss with the weight h larger − loss with it h smaller) ÷ 2h",
    )
    panel.input(0, "block of weights", BLOCK)
    for line, (label, name) in enumerate((("row", ROW), ("column", COLUMN), ("h", H)), 1):
        panel.input(line, label, name)
    pairs = ((PLUS, numbers.plus, "+"), (MINUS, numbers.minus, "−"))
    high, low = (
        panel.result(
            line, f"loss with weight {sign} h", panel.loss(title, made, panel.share(title, made)), style.LONG_LOSS
        )
        for line, (title, made, sign) in enumerate(pairs, 4)
    )
    slope = panel.result(6, "numerical gradient", (high - low) / (2 * panel.setting(H)), style.LONG_LOSS)
    inside = panel.sheet.cell(panel.made.inside, int(numbers.inside))
    value = chosen_value(panel.made, numbers.gradients, chosen) if numbers.inside else 0.0
    gradient = panel.result(7, "gradient by formula", _chosen_gradient(panel, inside, value), style.LONG_LOSS)
    close = absolute(slope - gradient) <= AGREE * largest(1, absolute(gradient))
    differ = "they differ: is h too large, or a kink (ReLU, max) close?"
    said = where(inside == 0, "the block has no such row or column", where(close, "the two agree", differ))
    panel.verdict(8, said, all_of(inside == 1, close))


def _chosen_gradient(panel: _Panel, inside: Expr, value: float) -> Expr:
    """The gradient in the chosen row and column of the chosen block; 0 where there is none."""
    row = _fact(panel, "top") + (panel.setting(ROW) - 1) * _fact(panel, "down")
    column = _fact(panel, "left") + (panel.setting(COLUMN) - 1) * _fact(panel, "right")
    area = panel.made.area
    values = np.zeros(area.shape)
    if panel.numbers.inside:
        values[int(row.value) - 1, int(column.value) - 1] = value
    return where(inside == 0, 0, index(panel.sheet.range(area, values), row, column))


def _fact(panel: _Panel, what: str) -> Expr:
    """What the list says of the chosen block."""
    facts = [panel.made.facts(one)[FACTS.index(what)] for one in panel.made.weight_blocks]
    number = panel.sheet.cell(panel.made.number, panel.numbers.settings.block + 1)
    return index(panel.sheet.range(panel.made.listed(what), np.array(facts)), number)


def _blocks(panel: _Panel) -> None:
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


def _hand(panel: _Panel) -> None:
    """Which block to copy over which, for those who have no buttons."""
    sheet, made = panel.sheet, panel.made
    panel.head(
        Words("5  The same by hand", browser="5  What a step copies"),
        Words("a step without buttons", browser="block by block, each from its place on Updated"),
        "with torch.no_grad(): w -= lr * w.grad",
        Words(
            "set calculation to manual; copy these cells of Updated onto the same of Network as values; then press F9",
            browser="the button Train step copies all of these at once: each new weight depends on every old one",
        ),
    )
    (first, last), row = made.columns(HAND), made.first_line - 1
    columns = [(first, first + 3), (first + 4, first + 9), (first + 10, last)]
    for (column, end), text in zip(columns, ("weights", f"copy from {UPDATED}", "paste at"), strict=True):
        sheet.span(row, column, end, text, style.LABEL)
    for line, (tensor, area) in enumerate(made.areas()):
        row = made.value(HAND, line).row
        cell = Block(NETWORK, area.row, area.column, 1, 1)
        sheet.span(row, *columns[0], tensor, style.LINE)
        for (column, end), place in zip(columns[1:], (area, cell), strict=True):
            sheet.span(row, column, end, place.foreign, style.LINK_LINE)
            sheet.links[row, column] = place.foreign
