"""The sheet `Backprop`: how the network learns from one picture, every gradient a live formula.

Gradients stand in the places that their tensors have on `Network`; below are panels: the loss, a step of gradient
descent, the curve that training has left, a check of one gradient, and how to take a step by hand. Three more sheets
calculate the network with other weights: `Updated` after the step, `Plus` and `Minus` with one weight changed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from conv_sheet.cells import style
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.page import Page, Setting
from conv_sheet.errors import SpecError
from conv_sheet.layers import Array, Formula
from conv_sheet.network.layout import NETWORK, Layout, Stage
from conv_sheet.sheets.backprop import panels
from conv_sheet.sheets.backprop.board import (
    BACKPROP,
    COLUMN,
    LARGEST_H,
    MAX_NUMBERS,
    MAX_RATE,
    MINUS,
    PLANE,
    PLUS,
    RATE,
    ROW,
    SMALLEST_H,
    TARGET,
    UPDATED,
    Board,
    Descent,
    H,
    Learning,
    Passed,
    board,
)
from conv_sheet.sheets.held import Held
from conv_sheet.sheets.network import SCALE_ROW, calculation, compute, frame, head, scale, shape_text


def settings(layout: Layout) -> tuple[Setting, ...]:
    """Target, learning rate, and the weight whose gradient is checked: at first the middle one of the first block."""
    made = board(layout)
    planes, (height, width) = tuple(plane.name for plane in made.planes), made.planes[0].block.shape
    target = "7" if "7" in made.labels else made.labels[0]
    place = f"A whole number from 1 to {MAX_NUMBERS:,}: the weight's place in its block."
    far = f"A number from 0 to {MAX_RATE:g}: how far a step goes. Too far, and the loss rises."
    small = f"A number from {SMALLEST_H:g} to {LARGEST_H:g}."
    at, listed = made.settings, "Choose one from the list."
    return (
        Setting(TARGET, at[TARGET], target, f"The class that the picture shows. {listed}", choices=made.labels),
        Setting(RATE, at[RATE], 0.1, far, 0, MAX_RATE, whole=False),
        Setting(PLANE, at[PLANE], planes[0], listed, choices=planes),
        Setting(ROW, at[ROW], (height + 1) // 2, place, 1, MAX_NUMBERS),
        Setting(COLUMN, at[COLUMN], (width + 1) // 2, place, 1, MAX_NUMBERS),
        Setting(H, at[H], 1e-4, small, SMALLEST_H, LARGEST_H, whole=False),
    )


def engine(held: Held) -> list[tuple[Placed, Array]]:
    """What Python writes here is no tensor: the curve."""
    return []


def page(held: Held) -> Page:
    """The sheet, with the engine's numbers as the values of its formulas."""
    made, learning = held.board, held.learning
    sheet = frame(BACKPROP, held.layout)
    sheet.names = dict(made.names())
    for stage in held.layout.stages[:-1]:
        _stage(sheet, made, stage, learning)
    _goal(sheet, made, held.descent)
    panels.add(sheet, held, settings(held.layout))
    return sheet


# -- the sheets that calculate with other weights ----------------------------------------------------------------------


@dataclass(frozen=True)
class Follower:
    """A sheet like `Network`, with other weights."""

    title: str
    note: str
    passed: Callable[[Learning], Passed]
    weights: Callable[[Board], Callable[[str, Placed], Formula]]
    """Formula of each parameter, by full name and place on `Network`."""

    def settings(self, layout: Layout) -> tuple[Setting, ...]:
        return ()

    def engine(self, held: Held) -> list[tuple[Placed, Array]]:
        return []

    def page(self, held: Held) -> Page:
        sheet, layout, passed = frame(self.title, held.layout), held.layout.on(self.title), self.passed(held.learning)
        calculation(sheet, layout, passed.activations, passed.tensors, self.weights(held.board))
        sheet.span(SCALE_ROW, *layout.stages[0].columns, self.note, style.FOLLOWER)
        return sheet


def _original(placed: Placed) -> Formula:
    original = placed.on(NETWORK)
    return Formula(lambda plane, y, x: original.blocks[plane].other(y, x), shared=True)


def _step(board: Board) -> Callable[[str, Placed], Formula]:
    """A weight less its gradient times the learning rate; what training leaves alone as it is."""

    def follows(name: str, placed: Placed) -> Formula:
        original, gradient = _original(placed), board.gradients.get(name)
        if name == "input" or gradient is None:
            return original
        rate = board.settings[RATE].reference
        return Formula(lambda p, y, x: f"{original(p, y, x)}-{rate}*{gradient.blocks[p].other(y, x)}", shared=True)

    return follows


def _change(board: Board, sign: str) -> Callable[[str, Placed], Formula]:
    """The chosen weight changed by h, all others as they are."""
    numbers = {(plane.tensor, plane.index): n for n, plane in enumerate(board.planes, 1)}
    chosen_plane, (row, column, h) = board.number.reference, (board.settings[n].reference for n in (ROW, COLUMN, H))

    def follows(name: str, placed: Placed) -> Formula:
        original = _original(placed)
        if (name, 0) not in numbers:
            return original

        def formula(plane: int, y: int, x: int) -> str:
            here = f"{chosen_plane}={numbers[name, plane]},{row}={y + 1},{column}={x + 1}"
            return f"{original(plane, y, x)}{sign}IF(AND({here}),{h},0)"

        return Formula(formula)

    return follows


_CHANGED = "Network with one weight {} by h: Backprop checks a gradient with it"
FOLLOWERS = (
    Follower(UPDATED, "Network one step later: weight − rate × gradient", lambda learning: learning.after, _step),
    Follower(PLUS, _CHANGED.format("raised"), lambda learning: learning.plus, lambda board: _change(board, "+")),
    Follower(MINUS, _CHANGED.format("lowered"), lambda learning: learning.minus, lambda board: _change(board, "-")),
)
"""The three, in their order."""


# -- gradients ---------------------------------------------------------------------------------------------------------


def _stage(sheet: Page, board: Board, stage: Stage, learning: Learning) -> None:
    """Gradients of what a stage makes and of its parameters."""
    reader = board.reader(stage)
    formulas, words = {}, {}
    if reader is board.last:
        formulas["out"], words["out"] = _fused(board), "probability − target"
    else:
        upstream = board.gradients[reader.name]
        formulas["out"] = _formulas(board, reader, upstream)["input"]
        words["out"] = reader.layer.gradient_words()["input"]
    own = {
        short: name for name, _ in stage.parameters() if (short := name.rpartition(".")[2]) and name in board.gradients
    }
    if own:
        formulas |= _formulas(board, stage, board.gradients[stage.name])
        words |= {short: stage.layer.gradient_words()[short] for short in own}
    for short, name in (own | {"out": stage.name}).items():
        placed, values = board.gradients[name], learning.gradients[name]
        batch = short == "out"
        compute(sheet, stage.name, placed, values[0] if batch else values, style.GRADIENT, formulas[short])
        _label(sheet, board, stage, short, placed)
        scale(sheet, placed, None)
    names = [f"{name}.grad" for name in own.values()] or [f"{stage.out.name if stage.nodes else 'x'}.grad"]
    shapes = f"gradients {shape_text(stage.out.shape)} ← {reader.name}"
    text = "; ".join(f"{short}: {said}" if own else said for short, said in words.items())
    head(sheet, stage.columns, (stage.name, shapes, ", ".join(names), text))


def _formulas(board: Board, stage: Stage, upstream: Placed) -> dict[str, Formula]:
    try:
        return stage.layer.gradient_formulas(board.layout.site(stage), upstream)
    except SpecError as error:
        raise SpecError(f"layer {stage.name!r}: {error}") from None


def _fused(board: Board) -> Formula:
    """Softmax and cross-entropy at once: the probability, less 1 where the target is."""
    shares = board.last.out.blocks[0]
    return Formula(lambda plane, y, x: f"{shares.other(y, x)}-{board.goal.cell(y, x)}", shared=True)


def _label(sheet: Page, board: Board, stage: Stage, short: str, placed: Placed) -> None:
    """What stands in the blocks of a gradient, above them; classes beside scores."""
    labels = board.labels if placed.shape[0] == len(board.labels) else [str(n) for n in range(1, placed.shape[0] + 1)]
    titles: Iterable[tuple[str, Block]] = [(f"{short}.grad", placed.blocks[0])]
    if len(placed.shape) == 3:
        titles = placed.names()
    elif len(placed.shape) == 4:
        kernels = enumerate(stage.layer.kernels(stage.in_shape), 1)
        titles = [(f"{short}.grad {n}", placed.blocks[planes[0]]) for n, planes in kernels]
    elif len(placed.shape) == 2 and not placed.transposed:
        each = len(placed.blocks) // placed.shape[0]
        titles = [(f"{short}.grad: {n}", b) for n, b in zip(labels, placed.blocks[::each], strict=True)]
    for text, block in titles:
        sheet.put(block.row - 1, block.column, text, style.CLASS if len(placed.shape) == 2 else style.LABEL)
    if short == "out" and placed.shape == (len(board.network.classes),):
        for y, text in enumerate(labels):
            sheet.put(placed.blocks[0].row + y, stage.label_column(), text, style.CLASS_BESIDE)


def _goal(sheet: Page, board: Board, descent: Descent) -> None:
    """1 for the target, 0 for the others, where the probabilities stand on `Network`."""
    goal, beside = board.goal, board.last.label_column()
    texts = "target", shape_text(board.last.out.shape), "F.one_hot(target)", "1 for the target, 0 for the other classes"
    head(sheet, board.last.columns, texts)
    sheet.put(goal.row - 1, goal.column, "target", style.LABEL)
    for y, label in enumerate(board.labels):
        row, column = goal.position(y, 0)
        same = f"EXACT({Block(BACKPROP, row, beside, 1, 1).cell()},{board.settings[TARGET].fixed()})"
        sheet.put(row, column, float(y == descent.target), style.GRADIENT, f"IF({same},1,0)", board.last.name)
        sheet.put(row, beside, label, style.CLASS_BESIDE)
    sheet.scales.append(((goal,), style.PROBABILITY_SCALE))
