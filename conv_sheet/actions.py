"""What the buttons do, as functions from what a workbook holds to what it shall hold."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from conv_sheet.contents import Contents
from conv_sheet.layers import Array
from conv_sheet.sheets import images

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
    """Small random kernels for every convolution, by the workbook's seed; what stood there before is kept."""
    kept = held.kept if _drawn(held) else held.typed
    drawn = replace(_with(held, _with_random_kernels(held.typed, held.seed)), kept=kept, drawn=held.seed)
    return _settled(drawn, f"Drew random kernels with seed {held.seed}: type another for others. Reset undoes it.")


def _settled(held: Contents, message: str) -> Contents:
    """The same with the engine's blocks up to date."""
    return replace(held, written=None, status=message)


def _with(held: Contents, typed: Mapping[str, Array]) -> Contents:
    tensors = {name: value for name, value in typed.items() if name in held.tensors}
    changed = replace(held, image=typed["input"], tensors=tensors)
    if images.CHOICE not in typed:
        return changed
    label = images.labels(held.network)[int(typed[images.CHOICE])]
    return replace(changed, settings={**held.settings, images.CHOICE: label})


def _with_random_kernels(typed: Mapping[str, Array], seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    kernels = {name: value for name, value in typed.items() if name != "input" and value.ndim == 4}
    return dict(typed) | {name: rng.normal(0, 0.5, value.shape).round(2) for name, value in kernels.items()}


def _drawn(held: Contents) -> bool:
    """Whether what is typed is only what random kernels drew over what is kept."""
    if held.kept is None or held.drawn is None:
        return False
    return _same(held.typed, _with_random_kernels(held.kept, held.drawn))


def _same(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    return all(np.array_equal(value, other[name]) for name, value in one.items())
