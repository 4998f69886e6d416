"""The sheet `Labels`: the same scores through softmax and through sigmoid, and which classes each then names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import (
    Expr,
    Operand,
    absolute,
    all_of,
    any_of,
    count,
    exact,
    exponential,
    largest,
    logarithm,
    sumproduct,
    text,
    total,
    where,
)
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.page import Mark, Page
from conv_sheet.errors import SpecError
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.pictures.drawings import AND
from conv_sheet.sheets import cockpit, images
from conv_sheet.sheets.addresses import LABELS, found_says
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "labels"
PETS = ("cat", "dog", "bird")
"""Classes of the scores that are typed."""

_LINES = ("Softmax shares out 100 %. Sigmoid asks each class alone: yes or no. Numbers in boxes are yours.",)
_ZOOM, _TOP = 110, 4
_COLUMNS = CLASS, SCORE, POWER, SOFTMAX, ONE, SIGMOID, THRESHOLD, SAYS, THERE, LOSS = range(2, 12)
_WIDTHS = 11, 8, 10, 10, 7, 10, 10, 7, 9, 8
_HEADS = {
    SCORE: "score",
    POWER: "e^(s − max)",
    SOFTMAX: "softmax",
    ONE: "says",
    SIGMOID: "sigmoid",
    THRESHOLD: "threshold",
    SAYS: "says",
    THERE: "is there",
    LOSS: "loss",
}
_NAMES = {POWER: "powers", SOFTMAX: "softmax", ONE: "one", SIGMOID: "sigmoid", SAYS: "says", LOSS: "loss"}
"""How the names of columns of formulas end."""
_PICTURE = _COLUMNS[-1] + 2
"""Column where the picture begins."""
_BOARD = (_PICTURE, _PICTURE + 11), (_PICTURE + 13, _PICTURE + 19)
_ROW, _SIDE = 18.0, 3.43
"""Height of a row in points and width of a column in characters: 24 pixels both."""
_YES, _NO = "yes", "no"
_LEAST = -700
"""A score below which e^-score would be too large for a cell."""
_HEAD = replace(style.HEAD, horizontal="center")
_TYPED = replace(style.TYPED, horizontal="center")
_SHARE = replace(style.PERCENT, horizontal="center", bold=True)
_SUM = replace(_SHARE, bold=False)
_NUMBER = replace(style.DECIMAL, horizontal="center")
_COUNT = replace(_NUMBER, format="0")
_MEAN = replace(_NUMBER, bold=True)
_SAID = replace(style.LINE, horizontal="center", bold=True)
_SCORES = Limits(-30, 30, hint="A score from -30 to 30: above 0 speaks for the class, below 0 against it.")
_SHARES = Limits(0, 1, hint="From 0 to 1: how sure the sigmoid must be before it says yes.")
_TRUTH = Limits(0, 1, whole=True, hint="1 where the class is in the picture, 0 where it is not.")


@dataclass(frozen=True)
class _Table:
    """A line for each class from some row on; `name` begins the names of its cells."""

    name: str
    top: int
    classes: tuple[str, ...]

    def column(self, number: int) -> Block:
        return Block(LABELS, self.top, number, len(self.classes), 1)

    @property
    def end(self) -> int:
        """The row below the last class."""
        return self.top + len(self.classes)

    def input(self, what: str, number: int, values: Sequence[float], limits: Limits) -> Input:
        """A column to type into."""
        block = self.column(number)
        return Input.table(f"{self.name}_{what}", block, np.array([values]).T, limits)

    @property
    def thresholds(self) -> Input:
        return self.input("thresholds", THRESHOLD, [0.5] * len(self.classes), _SHARES)


_TYPED_TABLE = _Table("labels", _TOP + 2, PETS)
SCORES = _TYPED_TABLE.input("scores", SCORE, (2.0, 1.0, -2.0), _SCORES)
TARGETS = _TYPED_TABLE.input("targets", THERE, (1.0, 1.0, 0.0), _TRUTH)


def _found(layout: Layout) -> _Table:
    """The table of the network's own scores."""
    classes = layout.network.classes
    return _Table("found", found_says(len(classes)).row, classes)


def _check(layout: Layout, lesson: Lesson) -> None:
    """Raise SpecError for a network that gives no scores, or reads no picture that can be chosen."""
    network = layout.network
    if not network.classes or network.output.layer.probabilities or layout.input.shape[0] != 1:
        raise SpecError(
            f"the sheet {NAME!r} needs one channel, and classes with scores: no Softmax or Sigmoid at the end"
        )
    if images.NAME not in lesson.sheets:
        raise SpecError(f"the sheet {NAME!r} needs the sheet {images.NAME!r} beside it")


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """Scores, what is there, thresholds; those of the network's scores."""
    _check(layout, lesson)
    return SCORES, TARGETS, _TYPED_TABLE.thresholds, _found(layout).thresholds


def page(state: WorkbookState) -> Page:
    """The sheet: scores to type, the network's own, and the picture that it sees."""
    layout, found = state.layout, _found(state.layout)
    sheet = Page(LABELS, zoom=_ZOOM, default_height=_ROW)
    (seen,) = layout.input.blocks
    last = max(_PICTURE + seen.width - 1, _BOARD[-1][-1])
    sheet.widths = {1: 1.5} | dict(zip(_COLUMNS, _WIDTHS, strict=True))
    sheet.widths |= dict.fromkeys(range(_PICTURE - 1, last + 1), _SIDE)
    cockpit.head(sheet, state, "A cat and a dog: softmax or sigmoid?", _LINES, _BOARD)
    sheet.put(_TOP, 2, "1  Scores of your own", style.HEADING)
    sheet.input(SCORES, state.array(SCORES), _TYPED)
    sheet.input(TARGETS, state.array(TARGETS), _TYPED)
    _through(sheet, state, _TYPED_TABLE, state.array(SCORES), state.array(TARGETS))
    sheet.put(found.top - 2, 2, "2  Scores of a trained network", style.HEADING)
    scores = _scores(sheet, state, found)
    _through(sheet, state, found, scores, _there(sheet, state, found))
    _picture(sheet, state, Block(LABELS, _TYPED_TABLE.top, _PICTURE, *seen.shape))
    return sheet


def _through(sheet: Page, state: WorkbookState, table: _Table, scores: Array, targets: Array) -> None:
    """The columns that follow from scores, thresholds and what is there, and the lines below them."""
    heads = table.top - 1
    sheet.put(heads, CLASS, "class", style.HEAD_LEFT)
    for column, head in _HEADS.items():
        sheet.put(heads, column, head, _HEAD)
    names = np.array([table.classes], dtype=object).T
    sheet.fill(table.column(CLASS), names, style.CLASS)
    score, target = (sheet.each(table.column(n), v) for n, v in ((SCORE, scores), (THERE, targets)))
    every = sheet.range(table.column(SCORE), scores)
    stands = count(score) == 1
    power = where(stands, exponential(score - largest(every)), "")
    _column(sheet, table, POWER, power, _NUMBER)
    powers = np.asarray(power.value)
    softmax = sheet.each(table.column(POWER), powers) / total(sheet.range(table.column(POWER), powers))
    softmax = where(stands, softmax, "")
    sigmoid = where(stands, 1 / (1 + exponential(-largest(_LEAST, score))), "")
    for column, share in ((SOFTMAX, softmax), (SIGMOID, sigmoid)):
        _column(sheet, table, column, share, _SHARE)
        sheet.scales.append(((table.column(column),), style.PROBABILITY_SCALE))
    for column, values, look in ((POWER, power, _NUMBER), (SOFTMAX, softmax, _SUM), (SIGMOID, sigmoid, _SUM)):
        sheet.put(table.end, column, total(sheet.range(table.column(column), values.value)), look)
    sheet.put(table.end, CLASS, "together", style.LINE)
    _answers(sheet, state, table, all_of(stands, score == largest(every)), sigmoid)
    _losses(sheet, table, score, target)


def _column(sheet: Page, table: _Table, number: int, content: Expr, look: style.Style) -> None:
    sheet.fill(table.column(number), content, look)
    sheet.names[f"{table.name}_{_NAMES[number]}"] = table.column(number)


def _answers(sheet: Page, state: WorkbookState, table: _Table, one: Expr, sigmoid: Expr) -> None:
    """What softmax says, which names one class or those that tie, and sigmoid: all that reach their thresholds."""
    thresholds = state.array(table.thresholds)
    sheet.input(table.thresholds, thresholds, _TYPED)
    share, least = sheet.each(table.column(SIGMOID), sigmoid.value), sheet.each(table.column(THRESHOLD), thresholds)
    says = all_of(count(share, least) == 2, share >= least)
    lines = []
    for number, (column, test) in enumerate(((ONE, one), (SAYS, says))):
        said = where(test, _YES, _NO)
        _column(sheet, table, column, said, _SAID)
        yes = sheet.each(table.column(column), said.value) == _YES
        sheet.marks.append(Mark(table.column(column), yes.formula, style.GOOD))
        cells = [sheet.cell(table.column(column).part(y, 0, 1, 1), said.value[y, 0]) for y in range(len(table.classes))]
        named: list[Operand] = []
        for y, (cell, name) in enumerate(zip(cells, table.classes, strict=True)):
            between = where(any_of(*(before == _YES for before in cells[:y])), ", ", " ") if y else " "
            named.append(where(cell == _YES, text(between, name), ""))
        nothing = where(any_of(*(cell == _YES for cell in cells)), "", " nothing")
        several = sumproduct((sheet.range(table.column(column), said.value) == _YES) * 1) > 1
        tie = [] if number else [where(several, " (a tie)", "")]
        lines.append(text(("Softmax says:", "Sigmoid says:")[number], *named, nothing, *tie))
    for number, line in enumerate(lines, 1):
        sheet.span(table.end + number, CLASS, THRESHOLD, line, style.BOLD_LINE)
        sheet.names[f"{table.name}_line_{number}"] = Block(LABELS, table.end + number, CLASS, 1, 1)


def _losses(sheet: Page, table: _Table, score: Expr, target: Expr) -> None:
    """Binary cross-entropy of each class, as PyTorch calculates it, and the mean; nothing where nobody knows."""
    lost = largest(0, score) - score * target + logarithm(1 + exponential(-absolute(score)))
    loss = where(count(score, target) == 2, lost, "")
    _column(sheet, table, LOSS, loss, _NUMBER)
    every, at = sheet.range(table.column(LOSS), loss.value), Block(LABELS, table.end, LOSS, 1, 1)
    sheet.put(table.end, THERE, "mean", style.RIGHT)
    sheet.put(at.row, at.column, where(count(every) > 0, total(every) / largest(1, count(every)), ""), _MEAN)
    sheet.names[f"{table.name}_mean"] = at
    losses = {f"{table.name}_loss_{y + 1}": table.column(LOSS).part(y, 0, 1, 1) for y in range(len(table.classes))}
    sheet.names |= losses


# -- the network -------------------------------------------------------------------------------------------------------


def _scores(sheet: Page, state: WorkbookState, table: _Table) -> Array:
    """The scores as they stand on `Network`; returns them."""
    (source,), values = state.layout.output.blocks, state.output[:, np.newaxis]
    sheet.fill(table.column(SCORE), sheet.each(source, values), _NUMBER)
    sheet.names[f"{table.name}_scores"] = table.column(SCORE)
    return values


def _there(sheet: Page, state: WorkbookState, table: _Table) -> Array:
    """Which classes the name of the chosen picture says, nothing of what the user draws; returns the values."""
    item = images.choice(state.layout, state.lesson)
    chosen, samples = sheet.cell(item.at, state.text(item)), images.samples_of(state.network)
    known = any_of(*(exact(chosen, label) for label in samples))

    def there(y: int, _: int) -> Expr:
        names = [label for label in samples if table.classes[y] in label.split(AND)]
        return where(any_of(*(exact(chosen, label) for label in names)), 1, where(known, 0, ""))

    sheet.names[f"{table.name}_targets"] = table.column(THERE)
    return sheet.fill_each(table.column(THERE), there, _COUNT)


def _picture(sheet: Page, state: WorkbookState, block: Block) -> None:
    """The picture on `Network`."""
    (seen,) = state.layout.input.blocks
    widgets.caption(sheet, block, "the picture: choose another on Images", style.LINE)
    sheet.fill(block, sheet.each(seen, state.image[0]), style.DOT)
    sheet.scales.append(((block,), style.DOT_SCALE))
    sheet.names["labels_picture"] = block


SHEET = Sheet(LABELS, page, NAME, inputs)
