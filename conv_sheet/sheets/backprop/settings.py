"""What the user chooses on the sheet `Backprop`, and the engine's numbers that follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np

from conv_sheet.cells.grid import Placed
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.learning.objective import Objective, goal_of
from conv_sheet.learning.step import (
    BatchPass,
    Example,
    ForwardPass,
    batch_pass,
    descent,
    forward_pass,
    gradients,
    updated,
)
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.pictures.drawings import AND
from conv_sheet.sheets import images
from conv_sheet.sheets.addresses import TARGET
from conv_sheet.sheets.backprop.layout import (
    CHECK,
    LOSS,
    MAX_NUMBERS,
    MOMENTUM,
    RATE_LIST,
    STEP,
    STEPS,
    BackpropLayout,
    backprop_layout,
)
from conv_sheet.state import WorkbookState

RATE, BLOCK, ROW, COLUMN, H = "learning_rate", "check_block", "check_row", "check_column", "check_h"
MAX_RATE = 1e3
MAX_WEIGHT = Limits().high
"""What a cell of a weight takes, and the largest that steps ahead of it make of one."""
_SMALLEST_H, _LARGEST_H = 1e-5, 1.0


@dataclass(frozen=True)
class StepSettings:
    """What the sheet is told.

    `goal` (classes,) has 1 for each class that the picture shows. The weight whose gradient is checked stands in the
    block number `block` (from 0) at `row` and `column` (from 1), and is changed by `h`.
    """

    goal: Array
    rate: float
    block: int
    row: int
    column: int
    h: float


@dataclass(frozen=True)
class Picture:
    """One of the pictures that are learned together: where it stands, what stands there, and its goal (classes,)."""

    source: Placed
    image: Array
    goal: Array

    @property
    def example(self) -> Example:
        return self.image, self.goal


@dataclass(frozen=True)
class Ahead:
    """Many steps at once, from the weights as they are: passes before each step and after the last.

    `plain` and `moving` are steps of SGD without and with momentum, `rates` one step at each of `RATE_LIST` and then at
    the chosen rate. They go down the mean loss of `pictures`; `alone` has the picture on `Network`, before and after
    such single steps of its own, or nothing where there are no others.
    """

    pictures: tuple[Picture, ...]
    plain: tuple[BatchPass, ...]
    moving: tuple[BatchPass, ...]
    rates: tuple[BatchPass, ...]
    alone: tuple[BatchPass, ...]


@dataclass(frozen=True)
class Learning:
    """All numbers of the sheets that show how a network learns from one picture."""

    settings: StepSettings
    now: ForwardPass
    gradients: Mapping[str, Array]
    after: ForwardPass
    plus: ForwardPass
    minus: ForwardPass
    inside: bool
    """Whether there is a weight at the row and column that were chosen."""
    ahead: Ahead | None
    """None where the network is too large."""


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """Target, learning rate, and the weight whose gradient is checked: at first the middle one of the first block.

    The target is one class, or 0 or 1 for each where each is a question of its own.
    """
    made = backprop_layout(layout, lesson)
    blocks, (height, width) = tuple(one.name for one in made.weight_blocks), made.weight_blocks[0].block.shape
    at = f"A whole number from 1 to {MAX_NUMBERS:,}: where the weight stands in its block."
    place = Limits(1, MAX_NUMBERS, whole=True, hint=at)
    rate = Limits(
        0, MAX_RATE, hint=f"A number from 0 to {MAX_RATE:g}: how far a step goes. Too far, and the loss rises."
    )
    small = Limits(_SMALLEST_H, _LARGEST_H, hint=f"A number from {_SMALLEST_H:g} to {_LARGEST_H:g}.")
    block = Limits(choices=blocks, hint="Choose one from the list.")
    return (
        _target(made, lesson.picture or "7"),
        Input.cell(RATE, made.value(STEP, 0), 0.1, rate),
        Input.cell(BLOCK, made.value(CHECK, 0), blocks[0], block, made.listed("block")),
        Input.cell(ROW, made.value(CHECK, 1), float((height + 1) // 2), place),
        Input.cell(COLUMN, made.value(CHECK, 2), float((width + 1) // 2), place),
        Input.cell(H, made.value(CHECK, 3), 1e-4, small),
    )


def _target(made: BackpropLayout, picture: str) -> Input:
    """The class of the picture, or every class of it; at first those that the label of the picture names."""
    if made.objective.asks_each:
        named = goal_of(picture, made.labels)
        first = named if named.any() else goal_of(made.labels[0], made.labels)
        each = Limits(0, 1, whole=True, hint="1 where the class is in the picture, 0 where it is not.")
        return Input.table(TARGET, made.goal, first[:, np.newaxis], each)
    one = Limits(choices=made.labels, hint="The class that the picture shows. Choose one from the list.")
    label = picture if picture in made.labels else made.labels[0]
    return Input.cell(TARGET, made.value(LOSS, 0), label, one, made.beside_goal)


def settings(state: WorkbookState) -> StepSettings:
    """What the user has chosen."""
    made = backprop_layout(state.layout, state.lesson)
    target, rate, block, row, column, h = inputs(state.layout, state.lesson)
    names = [one.name for one in made.weight_blocks]
    return StepSettings(
        state.array(target)[:, 0] if made.objective.asks_each else goal_of(state.text(target), made.labels),
        state.number(rate),
        names.index(state.text(block)),
        int(state.number(row)),
        int(state.number(column)),
        state.number(h),
    )


@lru_cache(maxsize=2)
def learning(state: WorkbookState) -> Learning:
    """Everything that the sheets show of a state."""
    made, chosen = backprop_layout(state.layout, state.lesson), settings(state)
    objective = made.objective
    block = made.weight_blocks[chosen.block].block
    inside = chosen.row <= block.height and chosen.column <= block.width

    def with_change(h: float) -> ForwardPass:
        tensors = _changed(made, state.tensors, chosen, h) if inside else state.tensors
        return forward_pass(objective, state.image, tensors, chosen.goal)

    now = forward_pass(objective, state.image, state.tensors, chosen.goal)
    after = forward_pass(objective, state.image, updated(now, chosen.rate), chosen.goal)
    plus, minus = with_change(chosen.h), with_change(-chosen.h)
    ahead = _ahead(state, objective, chosen) if made.looks_ahead else None
    return Learning(chosen, now, gradients(now), after, plus, minus, inside, ahead)


def shown(state: WorkbookState) -> Picture:
    """The picture on `Network`, with the target of `Backprop`."""
    return Picture(state.layout.input, state.image, settings(state).goal)


def pictures(state: WorkbookState) -> tuple[Picture, ...]:
    """What is learned together: the pictures on `Images` that classes are named after, or else the one on `Network`."""
    layout, lesson = state.layout, state.lesson
    made = backprop_layout(layout, lesson)
    gallery = images.gallery(layout, lesson) if images.NAME in lesson.sheets else {}
    classes = set(made.labels)
    named = {
        label: item
        for label, item in gallery.items()
        if label in classes or (made.objective.asks_each and classes.issuperset(label.split(AND)))
    }
    found = (Picture(item.placed, state.array(item), goal_of(label, made.labels)) for label, item in named.items())
    return tuple(found) or (shown(state),)


def _ahead(state: WorkbookState, objective: Objective, chosen: StepSettings) -> Ahead:
    together = pictures(state)
    examples = [picture.example for picture in together]

    def steps(momentum: float) -> tuple[BatchPass, ...]:
        run = descent(objective, examples, state.tensors, chosen.rate, momentum, MAX_WEIGHT)
        return tuple(islice(run, STEPS + 1))

    def at_rates(some: list[Example]) -> tuple[BatchPass, ...]:
        runs = (descent(objective, some, state.tensors, rate, most=MAX_WEIGHT) for rate in (*RATE_LIST, chosen.rate))
        return tuple(made for _, made in (islice(run, 2) for run in runs))

    own = shown(state)
    alone = together[0].source != own.source
    start = batch_pass(objective, [own.example], state.tensors)
    singles = (start, *at_rates([own.example])) if alone else ()
    return Ahead(together, steps(0.0), steps(MOMENTUM), at_rates(examples), singles)


def chosen_value(made: BackpropLayout, values: Mapping[str, Array], chosen: StepSettings) -> float:
    """The value that belongs to the chosen weight, of the tensors or of their gradients."""
    one = made.weight_blocks[chosen.block]
    planes = made.gradients[one.tensor].planes(values[one.tensor])
    return float(planes[one.index, chosen.row - 1, chosen.column - 1])


def _changed(made: BackpropLayout, tensors: Mapping[str, Array], chosen: StepSettings, h: float) -> dict[str, Array]:
    one = made.weight_blocks[chosen.block]
    placed = made.gradients[one.tensor]
    planes = placed.planes(tensors[one.tensor]).copy()
    planes[one.index, chosen.row - 1, chosen.column - 1] += h
    return dict(tensors) | {one.tensor: placed.tensor(planes)}
