"""How wrong an answer is, as formulas over wherever a network stands; `goal` has 1 for the target, 0 for the others."""

from collections.abc import Iterator

import numpy as np

from conv_sheet.cells.expr import Expr, largest, logarithm, sumproduct, total
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.page import Page
from conv_sheet.learning.step import ForwardPass
from conv_sheet.network.layout import Layout
from conv_sheet.ops import Array


def share(sheet: Page, layout: Layout, goal: Block, made: ForwardPass) -> Expr:
    """The probability of the target."""
    shares = made.activations[layout.network.output.name]
    return sumproduct(sheet.range(layout.output.blocks[0], shares), sheet.range(goal, _target(goal, made)))


def loss(sheet: Page, layout: Layout, goal: Block, made: ForwardPass) -> Expr:
    """Cross-entropy from the scores, which says it also where the probability is too small for a cell."""
    logits, last = layout.network.logits, layout.by_name[layout.network.output.name]
    scores = made.activations[logits][0]
    exps = sheet.range(last.own["exp"].blocks[0], np.exp(scores - scores.max()))
    parts = list(_parts(sheet, layout.placed[logits], scores, goal, _target(goal, made)))
    first, *others = (sumproduct(z, aim) for z, aim in parts)
    return logarithm(total(exps)) + largest(*(z for z, _ in parts)) - sum(others, start=first)


def _target(goal: Block, made: ForwardPass) -> Array:
    target: Array = np.eye(goal.height)[made.target]
    return target


def _parts(sheet: Page, placed: Placed, values: Array, goal: Block, target: Array) -> Iterator[tuple[Expr, Expr]]:
    """The scores, and beside each part of them that part of the goal; those of joined layers stand in several."""
    done = 0
    for block in placed.blocks:
        singles = (block.part(y, x, 1, 1) for y, x in np.ndindex(block.shape))
        for part in [block] if block.width == 1 else singles:
            here = slice(done, done + part.height)
            yield sheet.range(part, values[here]), sheet.range(goal.part(done, 0, part.height, 1), target[here])
            done += part.height
