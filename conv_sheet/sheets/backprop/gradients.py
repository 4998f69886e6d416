"""The sheet `Backprop`: how the network learns from one picture, every gradient a live formula.

Gradients stand in the places that their tensors have on `Network`; below are panels: the loss, a step of gradient
descent, the curve that training has left, a check of one gradient, and how to take a step by hand.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from conv_sheet.cells import style
from conv_sheet.cells.expr import exact, where
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.page import Page
from conv_sheet.network.layout import WORDS_ROW, Layout, Stage
from conv_sheet.network.lesson import Lesson
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.addresses import TARGET
from conv_sheet.sheets.backprop import panels
from conv_sheet.sheets.backprop.chain import added, readers, stage_formulas
from conv_sheet.sheets.backprop.layout import BACKPROP, BackpropLayout, backprop_layout
from conv_sheet.sheets.backprop.losses import words
from conv_sheet.sheets.backprop.settings import Learning, inputs, learning
from conv_sheet.sheets.network import compute, frame, head, scale, shape_text
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

_GOAL = replace(style.SETTING, format="0")


def page(state: WorkbookState) -> Page:
    """The sheet, with the engine's numbers as the values of its formulas."""
    made, numbers = backprop_layout(state.layout, state.lesson), learning(state)
    sheet = frame(BACKPROP, state.layout)
    sheet.heights[WORDS_ROW] = 54
    sheet.names |= dict(made.names())
    for stage in state.layout.stages:
        if stage is not made.last:
            _stage(sheet, made, stage, numbers)
    _goal(sheet, made, state)
    panels.add(sheet, state, made, numbers)
    cockpit.boards(sheet, state, state.layout, beside_picture=False)
    return sheet


def _stage(sheet: Page, made: BackpropLayout, stage: Stage, numbers: Learning) -> None:
    """Gradients of what a stage makes and of its parameters."""
    found = list(readers(made, stage.name))
    formulas = {"out": added([formula for _, formula in found])}
    said = {"out": "; plus ".join(dict.fromkeys(_words(made, reader) for reader, _ in found))}
    own = {
        short: name for name, _ in stage.parameters() if (short := name.rpartition(".")[2]) and name in made.gradients
    }
    if own:
        formulas |= stage_formulas(made, stage)[1]
        said |= {short: stage.layer.gradient_words()[short] for short in own}
    for short, name in (own | {"out": stage.name}).items():
        placed, values = made.gradients[name], numbers.gradients[name]
        values = values[0] if short == "out" else values
        compute(sheet, stage.name, placed, values, style.GRADIENT, formulas[short])
        _label(sheet, made, stage, short, placed)
        scale(sheet, placed, values, None)
    names = [f"{name}.grad" for name in own.values()] or [f"{stage.out.name if stage.nodes else 'x'}.grad"]
    shapes = f"gradients {shape_text(stage.out.shape)} ← {', '.join(dict.fromkeys(_behind(made, r) for r, _ in found))}"
    text = "; ".join(f"{short}: {one}" if own else one for short, one in said.items())
    head(sheet, stage.columns, (stage.name, shapes, ", ".join(names), text))


def _behind(made: BackpropLayout, reader: Stage | None) -> str:
    """The name of a reader; in place of the loss that of the layer behind the scores."""
    last = reader or made.last
    return last.name if last else "loss"


def _words(made: BackpropLayout, reader: Stage | None) -> str:
    return reader.layer.gradient_words()["input"] if reader else words(made.objective).slope


def _label(sheet: Page, made: BackpropLayout, stage: Stage, short: str, placed: Placed) -> None:
    """What stands in the blocks of a gradient, above them; classes beside scores."""
    labels = made.labels if placed.shape[0] == len(made.labels) else [str(n) for n in range(1, placed.shape[0] + 1)]
    titles: Iterable[tuple[str, Block]] = [(short, placed.blocks[0])]
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
    if short == "out" and placed.shape == (len(made.network.classes),):
        for y, text in enumerate(labels):
            sheet.put(placed.blocks[0].row + y, stage.label_column(), text, style.CLASS_BESIDE)


def _goal(sheet: Page, made: BackpropLayout, state: WorkbookState) -> None:
    """1 for the target, 0 for the others; where each class is a question of its own, the user types them."""
    goal, beside, each = made.goal, made.beside_goal, made.objective.asks_each
    target = next(item for item in inputs(state.layout, state.lesson) if item.name == TARGET)
    one = "F.one_hot(target)", "1 for the target, 0 for the other classes"
    several = "target = tensor([1., 0., …])", "type 1 for each class that is in the picture, 0 for the others"
    head(sheet, made.goal_columns, ("target", shape_text(made.scores.shape), *(several if each else one)))
    sheet.put(goal.row - 1, goal.column, "target", style.LABEL)
    names = np.array([made.labels], dtype=object).T
    sheet.fill(beside, names, style.CLASS_BESIDE)
    if each:
        sheet.input(target, state[target], _GOAL)
    else:
        same = exact(sheet.each(beside, names), sheet.cell(target.at, state.text(target)))
        sheet.fill(goal, where(same, 1.0, 0.0), style.GRADIENT, made.network.output.name)
    sheet.scales.append(((goal,), style.PROBABILITY_SCALE))


def curve(layout: Layout, lesson: Lesson) -> Block:
    """Where the losses of a training are listed."""
    return backprop_layout(layout, lesson).curve


SHEET = Sheet(BACKPROP, page, inputs=inputs, curve=curve)
