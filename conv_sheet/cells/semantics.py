"""What spreadsheet programs make of values: the arithmetic, comparisons and look-ups of cells, for Python and NumPy."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """A Python number for a NumPy one, so that whole numbers stay whole; arrays as they are."""
    if isinstance(value, np.ndarray) and value.shape == ():
        return value.item()
    return value.item() if isinstance(value, np.generic) else value


def has_text(value: Any) -> bool:
    """Whether a value is a text, or an array in which texts may be."""
    return isinstance(value, str) or (isinstance(value, np.ndarray) and value.dtype == object)


def is_float(value: Any) -> bool:
    """Whether a value is a number with a fraction, or an array of such."""
    return isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")


_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[Ee][+-]?\d+)?")


def alike(one: str, other: str, tolerance: float) -> bool:
    """Whether two texts say the same, numbers in them within a tolerance: programs join numbers with 15 digits or more.

    >>> alike("(1·0.27) = 0.27", "(1·0.27000000000000000001) = 0.27", 1e-9), alike("row 1", "row 2", 1e-9)
    (True, False)
    >>> alike("1E+20 rows", "1e+020 rows", 1e-9), alike("1E+20 rows", "2E+20 rows", 1e-9)
    (True, False)
    """
    if _NUMBER.split(one) != _NUMBER.split(other):
        return False
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    return all(a == b or (not (a + b).isdigit() and _near(float(a), float(b), tolerance)) for a, b in pairs)


def _near(one: float, other: float, tolerance: float) -> bool:
    return abs(one - other) <= tolerance * max(1.0, abs(other))


def divide(a: Any, b: Any) -> Any:
    """A quotient; by zero it is infinite or no number, where the cells have an error."""
    if isinstance(a, int) and isinstance(b, int) and b and a % b == 0:
        return a // b
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(a, b)


def modulo(a: Any, b: Any) -> Any:
    """A remainder with the sign of the divisor, as `MOD`; by zero no number."""
    return math.nan if np.ndim(b) == 0 and b == 0 else np.mod(a, b)


def computed(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Arithmetic as in cells: a truth value is 1 or 0, and with a text there is no result, which is NaN here.

    >>> int(computed(np.add)(True, True)), float(computed(np.multiply)("", 0))
    (2, nan)
    """
    return lambda a, b: function(_term(a), _term(b))


def _term(value: Any) -> Any:
    if isinstance(value, str):
        return math.nan
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, np.ndarray) and value.dtype == object:
        return np.array([math.nan if isinstance(v, str) else float(v) for v in value.ravel()]).reshape(value.shape)
    return value.astype(int) if isinstance(value, np.ndarray) and value.dtype == bool else value


def ordered(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A comparison as in cells, where every text is larger than any number.

    >>> import operator
    >>> ordered(operator.gt)("", 9), ordered(operator.lt)("b", "C")
    (True, True)
    """

    def rank(value: Any) -> tuple[int, Any]:
        return (1, value.casefold()) if isinstance(value, str) else (0, value)

    def compared(a: Any, b: Any) -> Any:
        if any(np.asarray(value).dtype.kind in "OSU" for value in (a, b)):
            return cellwise(lambda x, y: function(rank(x), rank(y)), a, b)
        return function(a, b)

    return compared


def equal(a: Any, b: Any) -> Any:
    """Excel's `=`: texts regardless of capitals; a text is never a number."""

    def same(x: Any, y: Any) -> bool:
        if isinstance(x, str) and isinstance(y, str):
            return x.casefold() == y.casefold()
        return not isinstance(x, str) and not isinstance(y, str) and bool(x == y)

    return cellwise(same, a, b)


def cellwise(function: Callable[..., Any], *values: Any) -> Any:
    """A function of Python values, for each cell where some are arrays."""
    values = tuple(map(plain, values))
    if not any(isinstance(value, np.ndarray) for value in values):
        return function(*values)
    with np.errstate(invalid="ignore"):  # of comparisons with NaN
        made = np.frompyfunc(function, len(values), 1)(*(np.asarray(v, dtype=object) for v in values))
    kinds = {type(value) for value in made.ravel().tolist()}
    return made if str in kinds or not kinds else made.astype(bool if kinds == {bool} else float)


def numbers(value: Any) -> Any:
    """A value with NaN where something stands that is no number."""
    if isinstance(value, float):
        return value
    array = np.asarray(value)
    if array.dtype != object and array.dtype.kind not in "US":
        return array.astype(float)
    return np.array([v if isinstance(v, int | float) and not isinstance(v, bool) else math.nan for v in array.ravel()],
                    dtype=float).reshape(array.shape)  # fmt: skip


def zeroed(values: Any) -> Any:
    """Numbers with 0 where there is none (NaN), a single one or an array.

    >>> zeroed(math.nan), zeroed(2.0), zeroed(np.array([math.nan, 1.0])).tolist()
    (0.0, 2.0, [0.0, 1.0])
    """
    if isinstance(values, np.ndarray):
        return np.where(np.isnan(values), 0.0, values)
    return 0.0 if math.isnan(values) else values


def taken(flat: Any, place: Any, outside: Any) -> Any:
    """Values by number from 1; what is outside is an error in the cells, and `outside` here."""
    number_ = np.asarray(numbers(place), dtype=float)
    there = (number_ >= 1) & (number_ <= len(flat))
    found = np.asarray(flat[np.where(there, number_, 1).astype(int) - 1], dtype=flat.dtype)
    return plain(np.where(there, found, np.asarray(outside, dtype=flat.dtype)))
