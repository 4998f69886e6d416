"""What the buttons do, as functions from the state of a workbook to the state that it shall have."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from conv_sheet.cells.inputs import Input, InputValue
from conv_sheet.errors import WorkbookError
from conv_sheet.layers import Limits
from conv_sheet.learning.objective import Objective
from conv_sheet.learning.step import forward_pass, updated
from conv_sheet.network.graph import INPUT
from conv_sheet.ops import Array
from conv_sheet.sheets import registry
from conv_sheet.sheets.addresses import SEED
from conv_sheet.sheets.backprop.settings import settings
from conv_sheet.state import Formulas, WorkbookState

Action = Callable[[WorkbookState], WorkbookState]
Values = Mapping[str, InputValue]
SPREAD = 0.5
"""Standard deviation of random kernels."""
MAX_WEIGHT = Limits().high
"""What a cell of a weight takes."""


def recompute(state: WorkbookState) -> WorkbookState:
    """Let the engine calculate; nothing that is typed changes."""
    return _settled(state, "")


def reset(state: WorkbookState) -> WorkbookState:
    """The lesson's own picture and weights; what stood there before is kept, and a second reset brings it back.

    Right after random kernels were drawn, what stood there before them comes back first.
    """
    now = registry.restorable(state)
    own = state.original or now
    kept = state.kept is not None and (not _same(state.kept, own) or any(state.kept_formulas.values()))
    if kept and _drawn(state, now):
        return _back(state, "What stood here before the random kernels is back. Reset again for the lesson's own.")
    if not _same(now, own) or any(state.formulas.values()):
        changed = replace(_with(state, own), kept=now, kept_formulas=state.formulas)
        message = "The lesson's own picture and weights are back. Reset again brings back what you had."
        return _settled(changed, message + _replaced(state.formulas, changed.formulas))
    if not kept:
        return _settled(state, "This is the lesson's own picture and weights already.")
    return _back(state, "Your picture and weights are back. Reset again for the lesson's own.")


def random_kernels(state: WorkbookState) -> WorkbookState:
    """Small random kernels for every convolution, by the workbook's seed; what stood there before is kept.

    Raises WorkbookError where there is no kernel to draw.
    """
    now = registry.restorable(state)
    if not _kernels(now):
        missing = "convolution" if state.network.count() else "weights"
        raise WorkbookError(f"the network has no {missing}: there are no kernels to draw")
    seed = int(state.number(_seed(state)))
    drawn = _with(
        state, _with_random_kernels(now, seed), {n: f for n, f in state.formulas.items() if n not in _kernels(now)}
    )
    if not _drawn(state, now):
        drawn = replace(drawn, kept=now, kept_formulas=state.formulas)
    message = f"Drew random kernels with seed {seed}: type another for others. Reset undoes it."
    return _settled(replace(drawn, drawn=seed), message + _replaced(state.formulas, drawn.formulas))


def train_step(state: WorkbookState) -> WorkbookState:
    """One step of gradient descent, with the target and the learning rate of the sheet `Backprop`."""
    return train(state, 1)


def train_steps(state: WorkbookState) -> WorkbookState:
    """Ten steps of gradient descent."""
    return train(state, 10)


def train(state: WorkbookState, steps: int) -> WorkbookState:
    """Some steps of gradient descent on the one picture; each appends its loss to the curve.

    Raises WorkbookError where no sheet shows backpropagation, and where weights grow too large for their cells.
    """
    block = registry.curve_block(state.layout, state.lesson)
    if block is None:
        if not state.network.parameters:
            raise WorkbookError("the network has no weights that training could change")
        raise WorkbookError("the workbook has no sheet Backprop: build it again, with the option --backprop")
    objective, chosen = Objective.of(state.network, state.lesson.loss), settings(state)
    now = forward_pass(objective, state.image, state.tensors, chosen.goal)
    first, curve = now.loss, list(state.curve or [(0, now.loss)])
    for _ in range(steps):
        weights = updated(now, chosen.rate)
        if any(np.abs(value).max() > MAX_WEIGHT for value in weights.values()):
            raise WorkbookError(
                f"step {curve[-1][0] + 1} at learning rate {chosen.rate:g} would make weights larger than "
                f"{MAX_WEIGHT:,.0f}: choose a smaller learning rate, and Reset brings the lesson's weights back"
            )
        now = forward_pass(objective, state.image, weights, chosen.goal)
        curve.append((curve[-1][0] + 1, now.loss))
    done = "one step" if steps == 1 else f"{steps:,} steps"
    changed = {name: value for name, value in now.tensors.items() if value is not state.tensors[name]}
    formulas = {name: cells for name, cells in state.formulas.items() if name not in changed}
    return _settled(
        replace(state.with_typed(changed), curve=tuple(curve[-block.height :]), formulas=formulas),
        f"Trained {done} at learning rate {chosen.rate:g}: loss {first:.4f} → {now.loss:.4f}."
        + _replaced(state.formulas, formulas, kept=False),
    )


# -- what changes ------------------------------------------------------------------------------------------------------


def _settled(state: WorkbookState, message: str) -> WorkbookState:
    """The same with the engine's blocks up to date."""
    return replace(state, written=None, status=message)


def _back(state: WorkbookState, message: str) -> WorkbookState:
    """What is kept, in its place again."""
    assert state.kept is not None
    restored = _with(state, state.kept, state.kept_formulas)
    return _settled(restored, message + _replaced(state.formulas, restored.formulas))


def _with(state: WorkbookState, values: Values, formulas: Formulas | None = None) -> WorkbookState:
    """The same with other things typed, and formulas of the user's own among them; a training starts anew."""
    return replace(state.with_typed(values), formulas=formulas or {}, curve=())


def _replaced(before: Formulas, after: Formulas, kept: bool = True) -> str:
    """What to say of the user's own formulas where numbers stand now; those that are kept come back."""
    gone = [(name, at) for name, cells in before.items() for at in cells if at not in after.get(name, {})]
    if not gone:
        return ""
    if len(gone) == 1:
        return f" A formula of yours in {gone[0][0]} was replaced{'; Reset brings it back' if kept else ''}."
    again = "; Reset brings them back" if kept else ""
    return f" {len(gone):,} formulas of yours were replaced, the first in {gone[0][0]}{again}."


def _seed(state: WorkbookState) -> Input:
    return next(item for item in registry.inputs_of(state) if item.at == SEED)


def _with_random_kernels(typed: Values, seed: int) -> dict[str, InputValue]:
    rng = np.random.default_rng(seed)
    drawn = {name: rng.normal(0, SPREAD, value.shape).round(2) for name, value in _kernels(typed).items()}
    return {**typed, **drawn}


def _kernels(typed: Values) -> dict[str, Array]:
    arrays = {name: value for name, value in typed.items() if isinstance(value, np.ndarray) and name != INPUT}
    return {name: value for name, value in arrays.items() if value.ndim == 4}


def _drawn(state: WorkbookState, now: Values) -> bool:
    """Whether what is typed is only what random kernels drew over what is kept."""
    if state.kept is None or state.drawn is None or _same(now, state.kept):
        return False
    return _same(now, _with_random_kernels(state.kept, state.drawn))


def _same(one: Values, other: Values) -> bool:
    return all(np.array_equal(value, other[name]) for name, value in one.items())
