"""How wrong an answer is, and its slope, as formulas over wherever a network stands.

A goal has 1 for the target, or for each class that is right, and 0 for the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from conv_sheet.cells.expr import Expr, absolute, exponential, largest, logarithm, of, sumproduct, total
from conv_sheet.cells.formula import Formula
from conv_sheet.cells.formula import total as added
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.page import Page
from conv_sheet.layers.activation import logistic
from conv_sheet.learning.objective import Objective
from conv_sheet.learning.step import ForwardPass
from conv_sheet.network.layout import Layout
from conv_sheet.sheets.backprop.layout import BackpropLayout


@dataclass(frozen=True)
class Words:
    """What the sheet says of a loss."""

    name: str
    torch: str
    """The line of PyTorch, of `scores` and `target`."""
    formula: str
    slope: str
    guess: str
    """What the loss of a network that knows nothing is called."""


def words(objective: Objective) -> Words:
    """What the sheet says of the loss of a network."""
    count = objective.network.output.out_shape[0]
    return {
        "cross-entropy": Words(
            "cross-entropy",
            "F.cross_entropy(scores, target)",
            "−ln(probability of the target)",
            "probability − target",
            f"loss of a mere guess, ln({count})",
        ),
        "hinge": Words(
            "hinge",
            f"{count} * F.multi_margin_loss(scores, target)",
            "sum of max(0, score − score of the target + 1) over the other classes",
            "1 where score − score of the target + 1 is above 0; for the target − how many these are",
            f"loss of equal scores, {count} − 1",
        ),
        "mse": Words(
            "mean squared error",
            "F.mse_loss(scores, one_hot)",
            "mean of (score − target)²",
            f"2 × (score − target) ÷ {count}",
            f"loss of scores of 0, 1 ÷ {count}",
        ),
        "bce": Words(
            "binary cross-entropy",
            "BCEWithLogitsLoss()(scores, target)",
            "mean of −ln(probability of what is right), each class a yes or no of its own",
            f"(probability − target) ÷ {count}",
            "loss of a mere guess, ln(2)",
        ),
    }[objective.loss]


def guess(objective: Objective) -> Expr:
    """The loss of a network that knows nothing."""
    count = objective.network.output.out_shape[0]
    if objective.loss == "hinge":
        return of(count) - 1
    if objective.loss == "mse":
        return of(1) / count
    return logarithm(2 if objective.loss == "bce" else count)


def knows_shares(objective: Objective) -> bool:
    """Whether the network ends in probabilities, of the kind that the loss takes them for."""
    behind = objective.layer != objective.network.output.name
    return behind and objective.loss == ("cross-entropy" if objective.network.output.layer.normalises else "bce")


# -- the loss ----------------------------------------------------------------------------------------------------------


def answer(sheet: Page, layout: Layout, goal: Block, made: ForwardPass) -> Expr:
    """The probability of the target; its score where there is none; where each class is asked, how many are right."""
    if made.objective.asks_each:
        return _sum([sumproduct((z > 0) * aim + (z <= 0) * (1 - aim)) for z, aim in _parts(sheet, layout, goal, made)])
    if knows_shares(made.objective):
        shares = made.activations[layout.network.output.name]
        return sumproduct(sheet.range(layout.output.blocks[0], shares), sheet.range(goal, made.goal))
    return _sum([sumproduct(z, aim) for z, aim in _parts(sheet, layout, goal, made)])


def loss(sheet: Page, layout: Layout, goal: Block, made: ForwardPass) -> Expr:
    """The loss from the scores, which says it also where a probability is too small for a cell."""
    parts, name = list(_parts(sheet, layout, goal, made)), made.objective.loss
    own = _sum([sumproduct(z, aim) for z, aim in parts])
    if name == "cross-entropy":
        scores, last = made.scores, layout.by_name[layout.network.output.name]
        exps = sheet.range(last.own["exp"].blocks[0], np.exp(scores - scores.max()))
        return logarithm(total(exps)) + largest(*(z for z, _ in parts)) - own
    if name == "hinge":
        return _sum([sumproduct((z - own + 1 > 0) * (z - own + 1) * (1 - aim)) for z, aim in parts])
    if name == "mse":
        return _sum([sumproduct((z - aim) ** 2) for z, aim in parts]) / goal.height
    singles = _singles(sheet, layout, goal, made)
    return (
        total(*(largest(0, z) - z * aim + logarithm(1 + exponential(-absolute(z))) for z, aim in singles)) / goal.height
    )


def _sum(terms: list[Expr]) -> Expr:
    first, *others = terms
    return sum(others, start=first)


def _parts(sheet: Page, layout: Layout, goal: Block, made: ForwardPass) -> Iterator[tuple[Expr, Expr]]:
    """The scores, and beside each part of them that part of the goal; those of joined layers stand in several."""
    values, target, done = made.scores, made.goal, 0
    for block in layout.placed[made.objective.layer].blocks:
        singles = (block.part(y, x, 1, 1) for y, x in np.ndindex(block.shape))
        for part in [block] if block.width == 1 else singles:
            here = slice(done, done + part.height)
            yield sheet.range(part, values[here]), sheet.range(goal.part(done, 0, part.height, 1), target[here])
            done += part.height


def _singles(sheet: Page, layout: Layout, goal: Block, made: ForwardPass) -> Iterator[tuple[Expr, Expr]]:
    """Each score and its goal."""
    placed = layout.placed[made.objective.layer]
    for number, (value, aim) in enumerate(zip(made.scores, made.goal, strict=True)):
        block, y, x = placed.locate(number)
        yield sheet.cell(block.part(y, x, 1, 1), value), sheet.cell(goal.part(number, 0, 1, 1), aim)


# -- its slope ---------------------------------------------------------------------------------------------------------


def slope(made: BackpropLayout) -> Formula:
    """The gradient of the loss by the scores, of which each has its goal; a share of it in a mean of pictures."""
    scores, goal, count = made.scores, made.goal, made.goal.height
    name, shared = made.objective.loss, scores.regular

    def of_score(y: int) -> str:
        score, aim = scores.other(0, y, 0), goal.cell(y)
        if name == "hinge":
            return _hinge_slope(scores, goal, score, aim)
        if name == "mse":
            return f"2*({score}-{aim})/{count}"
        share = made.last.out.other(0, y, 0) if made.last and knows_shares(made.objective) else logistic(score)
        return f"{share}-{aim}" if name == "cross-entropy" else f"({share}-{aim})/{count}"

    def formula(plane: int, y: int, x: int) -> str:
        return of_score(y) if made.pictures == 1 else f"({of_score(y)})/{made.pictures}"

    return Formula(formula, shared)


def _hinge_slope(scores: Placed, goal: Block, score: str, aim: str) -> str:
    done, parts = 0, []
    for block in scores.blocks:
        part = goal.part(done, 0, block.height, 1)
        parts.append((block.reference, part.absolute))
        done += block.height
    own = added([f"SUMPRODUCT({block},{part})" for block, part in parts])
    own = own if len(parts) == 1 else f"({own})"
    missed = [f"SUMPRODUCT(({block}-{own}+1>0)*(1-{part}))" for block, part in parts]
    return f"IF({aim}=1,-{added(missed) if len(parts) == 1 else f'({added(missed)})'},IF({score}-{own}+1>0,1,0))"
