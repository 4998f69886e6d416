"""A panel below the network on the sheet `Backprop`."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from conv_sheet.cells import style
from conv_sheet.cells.expr import Expr, logarithm, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input
from conv_sheet.cells.page import Page, Verdict
from conv_sheet.cells.words import Words, in_browser
from conv_sheet.learning.step import ForwardPass
from conv_sheet.sheets.backprop.layout import BACKPROP, BackpropLayout
from conv_sheet.sheets.backprop.losses import answer, loss
from conv_sheet.sheets.backprop.settings import Learning
from conv_sheet.sheets.network import head
from conv_sheet.state import WorkbookState

AGREE = 1e-6
"""Largest difference, relative to numbers above 1, at which two losses or two ways to a gradient agree."""
CHART_HEIGHT_CM = 6.6
CHART_WIDTH_CM = 9.5
_UNDERFLOW = 1e-300


@dataclass(frozen=True)
class Panel:
    """A panel below the network: a head, and lines of a label and a value each."""

    sheet: Page
    state: WorkbookState
    made: BackpropLayout
    numbers: Learning
    inputs: Mapping[str, Input]
    number: int

    def head(self, title: str, about: str, code: str, words: str) -> None:
        """What stands above the lines, the title behind the panel's number."""
        head(self.sheet, self.made.columns(self.number), (self.numbered(title), about, code, words), self.made.top)

    def numbered(self, title: str) -> str:
        """A title behind the number of the panel, in each of its words."""
        number = self.made.panels.index(self.number) + 1
        return Words(f"{number}  {title}", browser=f"{number}  {in_browser(title)}")

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

    def answer(self, title: str, made: ForwardPass) -> Expr:
        """The probability that the network on a sheet gives the target, or its score."""
        return answer(self.sheet, self.made.layout.on(title), self.made.goal, made)

    def loss(self, title: str, made: ForwardPass, likely: Expr) -> Expr:
        """The loss; cross-entropy as -ln(probability of the target) but where that is too small for a cell."""
        rare = loss(self.sheet, self.made.layout.on(title), self.made.goal, made)
        if made.objective.loss != "cross-entropy":
            return rare
        with np.errstate(divide="ignore"):
            return where(likely > _UNDERFLOW, -logarithm(likely), rare)
