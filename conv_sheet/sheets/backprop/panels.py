"""The panels below the gradients: the loss, a step of gradient descent, its curve, a check, a step by hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

from conv_sheet.cells import style
from conv_sheet.cells.formula import number
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Line, Page, Setting, Validation, Verdict
from conv_sheet.cells.words import Live, either
from conv_sheet.network.layout import NETWORK
from conv_sheet.sheets import buttons
from conv_sheet.sheets.backprop.board import (
    BACKPROP,
    CHECK,
    COLUMN,
    CURVE,
    FACTS,
    HAND,
    LOSS,
    MINUS,
    PLANE,
    PLUS,
    RATE,
    ROW,
    STEP,
    TARGET,
    UPDATED,
    Board,
    Curve,
    Descent,
    H,
    Learning,
    Passed,
    chosen,
    curve_cells,
)
from conv_sheet.sheets.held import Held
from conv_sheet.sheets.network import head

AGREE = 1e-6
"""Largest difference, relative to gradients above 1, at which two ways to a gradient are said to agree."""
_UNDERFLOW = "1E-300"
_LEARNED = 1e-4
"""A loss below which a picture has nothing left to teach."""
_CHART_HEIGHT_CM = 6.6
_CHART_WIDTH_CM = 9.5


@dataclass(frozen=True)
class _Panel:
    """A panel below the network: a head, and lines of a label and a value each."""

    sheet: Page
    board: Board
    settings: Mapping[str, Setting]
    chosen: Mapping[str, float | str]
    number: int

    def head(self, title: str, about: str, code: str, words: str) -> None:
        head(self.sheet, self.board.columns(self.number), (title, about, code, words), self.board.top)

    def typed(self, line: int, label: str, name: str, listed: Block | None = None) -> None:
        """A line with a cell to type into; `listed` are the cells that hold its choices."""
        cell, setting = self._label(line, label), self.settings[name]
        self.sheet.span(cell.row, cell.column, self.board.columns(self.number)[1], self.chosen[name], style.TYPED)
        choices, hint = listed.absolute if listed else None, setting.hint
        rule = Validation((cell,), label, hint, hint, setting.low, setting.high, choices, setting.whole)
        self.sheet.validations.append(rule)

    def result(self, line: int, label: str, value: float, formula: str, look: style.Style = style.LOSS) -> None:
        """A line with a formula."""
        cell = self._label(line, label)
        self.sheet.span(cell.row, cell.column, self.board.columns(self.number)[1], value, look, formula)

    def verdict(self, line: int, said: Live, good: str) -> None:
        """A line with a sentence that follows, green where `good` is true and red where it is not."""
        first, last = self.board.columns(self.number)
        row = self.board.value(self.number, line).row
        self.sheet.span(row, first, last, said.value, style.LINE, said.formula)
        self.sheet.verdicts.append(Verdict(Block(BACKPROP, row, first, 1, last - first + 1), good))

    def _label(self, line: int, text: str) -> Block:
        cell = self.board.value(self.number, line)
        self.sheet.span(cell.row, self.board.columns(self.number)[0], cell.column - 1, text, style.LINE)
        return cell


def add(sheet: Page, held: Held, settings: tuple[Setting, ...]) -> None:
    """Put all panels on the sheet `Backprop`."""
    board, learning, by_name = held.board, held.learning, {setting.name: setting for setting in settings}
    last = board.listed(FACTS[-1]).column + 1
    sheet.widths |= dict.fromkeys(range(board.layout.last_column + 1, last), style.CELL_WIDTH)
    sheet.heights |= {board.top: 24, board.top + 1: 16, board.top + 2: 28, board.top + 3: 28}

    def panel(number: int) -> _Panel:
        return _Panel(sheet, board, by_name, held.chosen, number)

    _loss(panel(LOSS), learning.now)
    _rate(panel(STEP), learning)
    _curve(panel(CURVE), held.curve)
    _check(panel(CHECK), learning, held.descent)
    _hand(panel(HAND))
    _planes(sheet, board, learning, held.descent)
    right = board.columns(HAND)[1]
    bottom = max(row for row, column in sheet.cells if column <= right)
    sheet.prints = Block(BACKPROP, 1, 1, bottom, max(board.layout.last_column, right))


def _loss(panel: _Panel, now: Passed) -> None:
    board = panel.board
    panel.head(
        "1  How wrong is it?",
        "the loss: cross-entropy of one picture",
        "loss = F.cross_entropy(scores, target)\nloss.backward()",
        "loss = −ln(probability of the target); every gradient above says how the loss rises with that number",
    )
    labels = Block(BACKPROP, board.goal.row, board.last.label_column(), len(board.labels), 1)
    panel.typed(0, "target", TARGET, labels)
    panel.result(1, "probability of the target", now.probability, _target_share(board, NETWORK), style.PERCENT)
    panel.result(2, "loss", now.loss, _loss_formula(board, NETWORK, board.value(LOSS, 1).fixed()))
    count = len(board.labels)
    panel.result(3, f"loss of a mere guess, ln({count})", log(count), f"LN({count})")


def _loss_formula(board: Board, sheet: str, probability: str) -> str:
    """-ln(probability of the target), also where that probability is too small for a cell."""
    stage = board.layout.on(sheet).stages[-1]
    (source,) = stage.inputs
    scores = board.layout.on(sheet).placed[source].blocks[0].reference
    exps = stage.own["exp"].blocks[0].reference
    rare = f"LN(SUM({exps}))+MAX({scores})-SUMPRODUCT({scores},{board.goal.absolute})"
    return f"IF({probability}>{_UNDERFLOW},-LN({probability}),{rare})"


def _target_share(board: Board, sheet: str) -> str:
    """The probability that the network on a sheet gives the target."""
    shares = board.layout.on(sheet).stages[-1].out.blocks[0].reference
    return f"SUMPRODUCT({shares},{board.goal.absolute})"


def _rate(panel: _Panel, learning: Learning) -> None:
    board = panel.board
    panel.head(
        "2  One step down",
        "gradient descent: the sheet Updated is Network after it",
        "optimizer = SGD(model.parameters(), lr)\noptimizer.step()",
        "each new weight = weight − learning rate × its gradient",
    )
    panel.typed(0, "learning rate", RATE)
    after, share = learning.after, board.value(STEP, 1).fixed()
    panel.result(1, "probability after the step", after.probability, _target_share(board, UPDATED), style.PERCENT)
    panel.result(2, "loss after the step", after.loss, _loss_formula(board, UPDATED, share))
    now, then = board.loss.fixed(), board.loss_after.fixed()
    fell = learning.after.loss < learning.now.loss
    learned, little = learning.now.loss < _LEARNED, f"{now}<{_LEARNED:.0E}"
    falls, stays = "the loss falls", "the loss does not fall: try a smaller learning rate"
    said = either(learned, little, "nothing is left to learn here", either(fell, f"{then}<{now}", falls, stays))
    panel.verdict(3, said, f"OR({little},{then}<{now})")
    first, last = board.columns(STEP)
    buttons.add(
        panel.sheet,
        board.value(STEP, 5).row,
        ((first, first + 3), (first + 4, first + 9), (first + 10, last)),
        {**buttons.TRAINING, "Reset": buttons.CAPTIONS["Reset"]},
    )
    note = "No buttons here? conv-sheet train-step FILE --steps 10"
    panel.sheet.span(board.value(STEP, 6).row, first, last, note, style.NOTE)


def _curve(panel: _Panel, curve: Curve) -> None:
    """The losses of the steps that were taken, written by Python, and their chart."""
    sheet, board = panel.sheet, panel.board
    panel.head(
        "3  How it went",
        "the loss after each step of training",
        "losses.append(loss.item())",
        "drawn by the buttons; Reset and Random kernels start it anew",
    )
    table = board.curve
    sheet.put(table.row - 1, table.column, "step", style.LABEL)
    sheet.put(table.row - 1, table.column + 1, "loss", style.LABEL)
    for (row, column), value in table.items(curve_cells(curve)):
        sheet.put(row, column, value, style.ENGINE_COUNT if column == table.column else style.ENGINE_SCORE)
    steps, losses = table.part(0, 0, table.height, 1), table.part(0, 1, table.height, 1)
    anchor = Block(BACKPROP, board.first_line - 1, board.columns(CURVE)[0], 1, 1).cell()
    sheet.lines.append(Line(steps, losses, anchor, _CHART_WIDTH_CM, _CHART_HEIGHT_CM))


def _check(panel: _Panel, learning: Learning, descent: Descent) -> None:
    board = panel.board
    panel.head(
        "4  Is it right?",
        "a numerical gradient: the sheets Plus and Minus",
        "torch.autograd.gradcheck(f, weight)",
        "(loss with the weight h larger − loss with it h smaller) ÷ 2h",
    )
    panel.typed(0, "block of weights", PLANE, board.listed("block"))
    for line, (label, name) in enumerate((("row", ROW), ("column", COLUMN), ("h", H)), 1):
        panel.typed(line, label, name)
    plus, minus = (_loss_formula(board, title, _target_share(board, title)) for title in (PLUS, MINUS))
    panel.result(4, "loss with weight + h", learning.plus.loss, plus, style.LONG_LOSS)
    panel.result(5, "loss with weight − h", learning.minus.loss, minus, style.LONG_LOSS)
    high, low, numerical, formula = (board.value(CHECK, line).fixed() for line in (4, 5, 6, 7))
    slope = (learning.plus.loss - learning.minus.loss) / (2 * descent.h)
    panel.result(6, "numerical gradient", slope, f"({high}-{low})/(2*{board.settings[H].fixed()})", style.LONG_LOSS)
    gradient = chosen(board, learning.gradients, descent) if learning.inside else 0.0
    panel.result(7, "gradient by formula", gradient, _chosen_gradient(board), style.LONG_LOSS)
    agree = abs(slope - gradient) <= AGREE * max(1.0, abs(gradient))
    close = f"ABS({numerical}-{formula})<={number(AGREE)}*MAX(1,ABS({formula}))"
    inside = board.inside.fixed()
    differ = "they differ: is h too large, or a kink (ReLU, max) close?"
    compared = either(agree, close, "the two agree", differ)
    said = either(not learning.inside, f"{inside}=0", "the block has no such row or column", compared)
    panel.verdict(8, said, f"AND({inside}=1,{close})")


def _chosen_gradient(board: Board) -> str:
    """The gradient in the chosen row and column of the chosen plane; 0 where there is none."""

    def place(cell: Block, first: str, apart: str) -> str:
        return f"{_fact(board, first)}+({cell.fixed()}-1)*{_fact(board, apart)}"

    row, column = place(board.settings[ROW], "top", "down"), place(board.settings[COLUMN], "left", "right")
    return f"IF({board.inside.fixed()}=0,0,INDEX({board.area.absolute},{row},{column}))"


def _fact(board: Board, what: str) -> str:
    """What the list says of the chosen plane."""
    return f"INDEX({board.listed(what).absolute},{board.number.fixed()})"


def _planes(sheet: Page, board: Board, learning: Learning, descent: Descent) -> None:
    """The blocks that can be chosen, and where they are; above them the number of the chosen one."""
    lists = [board.listed(what) for what in FACTS]
    for what, block in zip(FACTS, lists, strict=True):
        sheet.put(block.row - 1, block.column, what, style.LABEL)
    for y, plane in enumerate(board.planes):
        for block, fact in zip(lists, board.facts(plane), strict=True):
            look = style.LABEL if isinstance(fact, str) else style.ENGINE_COUNT
            sheet.put(block.row + y, block.column, fact, look)
    name, row, column = (board.settings[setting].fixed() for setting in (PLANE, ROW, COLUMN))
    chosen_number = f"MATCH({name},{lists[0].absolute},0)"
    fits = f"AND({row}<={_fact(board, 'rows')},{column}<={_fact(board, 'columns')})"
    for cell, value, formula in (
        (board.number, descent.plane + 1, chosen_number),
        (board.inside, int(learning.inside), f"IF({fits},1,0)"),
    ):
        sheet.put(cell.row, cell.column, value, style.ENGINE_COUNT, formula)


def _hand(panel: _Panel) -> None:
    """Which block to copy over which, for those who have no buttons."""
    sheet, board = panel.sheet, panel.board
    panel.head(
        "5  The same by hand",
        "a step without buttons",
        "with torch.no_grad(): w -= lr * w.grad",
        "set calculation to manual; copy these cells of Updated onto the same of Network as values; then press F9",
    )
    (first, last), row = board.columns(HAND), board.first_line - 1
    columns = [(first, first + 3), (first + 4, first + 9), (first + 10, last)]
    for (column, end), text in zip(columns, ("weights", f"copy from {UPDATED}", "paste at"), strict=True):
        sheet.span(row, column, end, text, style.LABEL)
    for line, (tensor, area) in enumerate(board.areas()):
        row = board.value(HAND, line).row
        cell = Block(NETWORK, area.row, area.column, 1, 1)
        sheet.span(row, *columns[0], tensor, style.LINE)
        for (column, end), place in zip(columns[1:], (area, cell), strict=True):
            sheet.span(row, column, end, place.foreign, style.LINK_LINE)
            sheet.links[row, column] = place.foreign
