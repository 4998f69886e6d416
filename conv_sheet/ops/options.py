"""Options of operations and layers: what a value must be, and the SpecError that says which one is not."""

import math
import operator
import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

from conv_sheet.errors import SpecError

IntOrPair: TypeAlias = int | Sequence[int]
"""An option that is one whole number for rows and columns, or two."""


def sizes(name: str, value: object, *, least: int = 1) -> tuple[int, int]:
    """An option as (rows, columns): a whole number counts for both, a pair stays as it is.

    >>> sizes("stride", 3), sizes("stride", (1, 2))
    ((3, 3), (1, 2))
    """
    given: list[Any] = list(value) if isinstance(value, tuple | list) else [value, value]
    try:
        rows, columns = (operator.index(v) for v in given if not isinstance(v, bool))
    except (TypeError, ValueError):
        rows = columns = least - 1
    if min(rows, columns) < least:
        shown = given if isinstance(value, tuple) else value
        raise SpecError(f"{name} = {shown!r} must be a whole number, {least} or more, or a pair of them")
    return rows, columns


def hashable(*options: IntOrPair | str | None) -> tuple[Any, ...]:
    """Options as keys of what is remembered for them: a list as a tuple.

    >>> hashable(1, [2, 3], "same")
    (1, (2, 3), 'same')
    """
    return tuple(tuple(option) if isinstance(option, list) else option for option in options)


def count(name: str, value: object) -> int:
    """An option that is a positive whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SpecError(f"{name} = {value!r} must be a whole number, 1 or more")
    return value


def real(name: str, value: object, *, least: float = -math.inf, below: float = math.inf) -> float:
    """An option that is a number from `least` to just under `below`.

    >>> real("p", 0.5, least=0, below=1)
    0.5
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise SpecError(f"{name} = {value!r} is not a number that a cell can hold")
    if not least <= value < below:
        room = f"at least {least:g}" if below == math.inf else f"at least {least:g} and below {below:g}"
        raise SpecError(f"{name} = {value!r} must be {room}")
    return value


def flag(name: str, value: object) -> bool:
    """An option that is true or false."""
    if not isinstance(value, bool):
        raise SpecError(f"{name} = {value!r} is neither true nor false")
    return value
