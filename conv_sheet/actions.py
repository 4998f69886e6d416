"""What the buttons do, as functions from what a workbook holds to what it shall hold."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from conv_sheet.errors import WorkbookError
from conv_sheet.layers import Array
from conv_sheet.sheets import images
from conv_sheet.sheets.backprop.board import BACKPROP, CURVE_ROWS, MAX_WEIGHT, forward, stepped
from conv_sheet.state import Contents

Action = Callable[[Contents], Contents]


def recompute(held: Contents) -> Contents:
    """Let the engine calculate; nothing that is typed changes."""
    return _settled(held, "")


def reset(held: Contents) -> Contents:
    """The lesson's own picture and weights; what stood there before is kept, and a second reset brings it back."""
    own = held.original or held.typed
    if _same(held.typed, own):
        if held.kept is None or _same(held.kept, own):
            return _settled(held, "This is the lesson's own picture and weights already.")
        return _settled(_with(held, held.kept), "Your picture and weights are back. Reset again for the lesson's own.")
    kept = held.kept if _drawn(held) else held.typed
    return _settled(
        replace(_with(held, own), kept=kept),
        "The lesson's own picture and weights are back. Reset again brings back what you had.",
    )


def random_kernels(held: Contents) -> Contents:
    """Small random kernels for every convolution, by the workbook's seed; what stood there before is kept.

    Raises WorkbookError where there is no kernel to draw.
    """
    if not _kernels(held.typed):
        missing = "convolution" if held.network.count() else "weights"
        raise WorkbookError(f"the network has no {missing}: there are no kernels to draw")
    kept = held.kept if _drawn(held) else held.typed
    drawn = replace(_with(held, _with_random_kernels(held.typed, held.seed)), kept=kept, drawn=held.seed)
    return _settled(drawn, f"Drew random kernels with seed {held.seed}: type another for others. Reset undoes it.")


def train_step(held: Contents) -> Contents:
    """One step of gradient descent, with the target and the learning rate of the sheet `Backprop`."""
    return train(held, 1)


def train_steps(held: Contents) -> Contents:
    """Ten steps of gradient descent."""
    return train(held, 10)


def train(held: Contents, steps: int) -> Contents:
    """Some steps of gradient descent on the one picture; each appends its loss to the curve.

    Raises WorkbookError where there is no sheet `Backprop`, and where weights grow too large for their cells.
    """
    network = held.network
    if not held.lesson.backprop:
        raise WorkbookError(f"the workbook has no sheet {BACKPROP!r}: build it again with --backprop")
    target, rate = held.descent.target, held.descent.rate
    passed = forward(network, held.image, held.tensors, target)
    first, curve = passed.loss, list(held.curve or [(0, passed.loss)])
    for _ in range(steps):
        weights = stepped(network, passed, rate)
        if any(np.abs(value).max() > MAX_WEIGHT for value in weights.values()):
            raise WorkbookError(
                f"step {curve[-1][0] + 1} at learning rate {rate:g} would make weights larger than {MAX_WEIGHT:,.0f}: "
                "choose a smaller learning rate, and Reset brings the lesson's weights back"
            )
        passed = forward(network, held.image, weights, target)
        curve.append((curve[-1][0] + 1, passed.loss))
    done = "one step" if steps == 1 else f"{steps:,} steps"
    return _settled(
        replace(held, tensors=passed.tensors, curve=tuple(curve[-CURVE_ROWS:])),
        f"Trained {done} at learning rate {rate:g}: loss {first:.4f} → {passed.loss:.4f}.",
    )


def _settled(held: Contents, message: str) -> Contents:
    """The same with the engine's blocks up to date."""
    return replace(held, written=None, status=message)


def _with(held: Contents, typed: Mapping[str, Array]) -> Contents:
    """The same with other numbers, whose training starts anew."""
    tensors = {name: value for name, value in typed.items() if name in held.tensors}
    changed = replace(held, image=typed["input"], tensors=tensors, curve=())
    if images.CHOICE not in typed:
        return changed
    label = images.labels(held.network, held.lesson)[int(typed[images.CHOICE])]
    return replace(changed, settings={**held.settings, images.CHOICE: label})


def _with_random_kernels(typed: Mapping[str, Array], seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    drawn = {name: rng.normal(0, 0.5, value.shape).round(2) for name, value in _kernels(typed).items()}
    return dict(typed) | drawn


def _kernels(typed: Mapping[str, Array]) -> dict[str, Array]:
    return {name: value for name, value in typed.items() if name != "input" and value.ndim == 4}


def _drawn(held: Contents) -> bool:
    """Whether what is typed is only what random kernels drew over what is kept."""
    if held.kept is None or held.drawn is None:
        return False
    return _same(held.typed, _with_random_kernels(held.kept, held.drawn))


def _same(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    return all(np.array_equal(value, other[name]) for name, value in one.items())
