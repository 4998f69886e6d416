"""Functions that look a value up: by its place, or by its number among several."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from conv_sheet.cells.expr import Expr, Operand, of, where
from conv_sheet.cells.semantics import cellwise, numbers, plain, taken

MOST_CHOICES = 29
"""Of one CHOOSE: LibreOffice takes 30 arguments, where Excel takes 255."""


def index(area: Expr, row: Operand, column: Operand | None = None) -> Expr:
    """`INDEX`: the value of a range in a row and a column, both from 1; in a single row or column one number is enough.

    >>> index(Expr(np.arange(6.0).reshape(2, 3), "$A$1:$C$2"), 2, Expr(3, "E1")).value
    5.0
    """
    rows, columns = np.shape(area.value)[-2:]
    if column is None:
        place = of(row)
        flat = np.reshape(area.value, rows * columns)
        at = f"1,{place.formula}" if rows == 1 else place.formula  # Gnumeric takes one number for a row
        return Expr(taken(flat, place.value, 0), f"INDEX({area.formula},{at})")
    down, right = of(row), of(column)
    flat = np.reshape(area.value, rows * columns)
    y, x = (np.asarray(numbers(place.value), dtype=float) for place in (down, right))
    position = np.where((x >= 1) & (x <= columns), (y - 1) * columns + x, 0)
    return Expr(taken(flat, plain(position), 0), f"INDEX({area.formula},{down.formula},{right.formula})")


def rows(area: Expr) -> Expr:
    """`ROWS`: how many rows a range has.

    >>> rows(Expr(np.zeros((3, 2)), "A1:B3", area=True))
    Expr(value=3, formula='ROWS(A1:B3)', level=9, area=False)
    """
    return Expr(np.shape(area.value)[-2], f"ROWS({area.formula})")


def match(wanted: Operand, area: Expr) -> Expr:
    """`MATCH(…,0)`: where a value stands in a row or column, from 1.

    >>> match("b", Expr(np.array([["a", "b"]], dtype=object), "A1:B1")).value
    2
    """
    one, values = of(wanted), np.ravel(area.value).tolist()
    place = cellwise(lambda v: values.index(v) + 1, one.value)
    return Expr(place, f"MATCH({one.formula},{area.formula},0)")


def choose(number_: Operand, *options: Operand) -> Expr:
    """`CHOOSE`: one of several by its number from 1, in calls of their own where there are more than one takes.

    >>> choose(Expr(2, "$B$2"), Expr(7, "A1"), Expr(8, "C1"))
    Expr(value=8, formula='CHOOSE($B$2,A1,C1)', level=9, area=False)
    >>> choose(Expr(30, "$B$2"), *(Expr(n, f"A{n}") for n in range(1, 31))).formula[-21:]
    ',CHOOSE($B$2-29,A30))'
    """
    which, operands = of(number_), [of(option) for option in options]
    first, rest = operands[:MOST_CHOICES], operands[MOST_CHOICES:]
    chosen = f"CHOOSE({which.formula},{','.join(o.formula for o in first)})"
    if rest:
        return where(which <= len(first), Expr(_picked(which.value, first), chosen), choose(which - len(first), *rest))
    return Expr(_picked(which.value, operands), chosen)


def _picked(which: Any, options: Sequence[Expr]) -> Any:
    if isinstance(which, np.ndarray):
        kinds = [np.asarray(option.value, dtype=object) for option in options]
        made = np.select([which == n for n in range(1, len(options) + 1)], np.broadcast_arrays(*kinds), default=0)
        return made
    return options[int(which) - 1].value if 1 <= which <= len(options) else 0
