"""A value and the formula that gives it, built by one expression.

An `Expr` is a scalar, or an array of values with one formula: that of the array's first cell, whose relative addresses
move with the cell. So NumPy's broadcasting and Excel's copying of formulas say the same: a block that is read as `A1`
has an array (rows, columns), one that is read as `A$1` a single row, one that is read as `$A1` a single column, and one
that is read as `$A$1` a scalar. Formula text is never evaluated: operators and functions compute both sides.

>>> k, s, p, d = Expr(3, "$M$7"), Expr(2, "$M$8"), Expr(1, "$M$9"), Expr(1, "$M$10")
>>> span, padded = d * (k - 1) + 1, 7 + 2 * p
>>> out = where(span > padded, 0, (padded - span) // s + 1)
>>> out.value, out.formula
(4, 'IF($M$10*($M$7-1)+1>7+2*$M$9,0,INT((7+2*$M$9-($M$10*($M$7-1)+1))/$M$8)+1)')
>>> where(out == 7, "as large as the picture", text("smaller by ", 7 - out)).value
'smaller by 3'
>>> pixels = Expr(np.arange(6.0).reshape(2, 3), "B2")
>>> twice = pixels * 2 + Expr(np.array([[1.0], [0.0]]), "$A2")
>>> twice.value.tolist(), twice.formula
([[1.0, 3.0, 5.0], [6.0, 8.0, 10.0]], 'B2*2+$A2')
"""

import functools
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conv_sheet.cells.formula import nested, number

_ATOM = 9
_LEVELS = {"=": 0, "<>": 0, ">": 0, "<": 0, ">=": 0, "<=": 0, "&": 1, "+": 2, "-": 2, "*": 3, "/": 3, "^": 4}
_ASSOCIATIVE = frozenset("+*&")
_ARITHMETIC = frozenset({"+", "-", "*", "/", "^", "<", "<=", ">", ">="})
"""Operators that make an error of a text: NaN here, which a formula has to keep from being seen."""
MOST_CHOICES = 29
"""Of one CHOOSE: LibreOffice takes 30 arguments, where Excel takes 255."""


@dataclass(frozen=True, eq=False, slots=True)
class Expr:
    """A value (number, text, truth value, or an array of them) and its formula without the equals sign.

    `level` says how tightly the outermost operator of the formula binds, so that parentheses stand only where needed.
    Of an `area` the last two axes of the value are rows and columns of a range, as functions such as `SUM` take them;
    axes before them are those of the cells that the formula is copied to.
    """

    value: Any
    formula: str
    level: int = _ATOM
    area: bool = False

    def __add__(self, other: "Operand") -> "Expr":
        return _binary("+", self, other, _computed(np.add))

    def __radd__(self, other: "Operand") -> "Expr":
        return _binary("+", other, self, _computed(np.add))

    def __sub__(self, other: "Operand") -> "Expr":
        return _binary("-", self, other, _computed(np.subtract))

    def __rsub__(self, other: "Operand") -> "Expr":
        return _binary("-", other, self, _computed(np.subtract))

    def __mul__(self, other: "Operand") -> "Expr":
        return _binary("*", self, other, _computed(np.multiply))

    def __rmul__(self, other: "Operand") -> "Expr":
        return _binary("*", other, self, _computed(np.multiply))

    def __truediv__(self, other: "Operand") -> "Expr":
        return _binary("/", self, other, _computed(_divide))

    def __rtruediv__(self, other: "Operand") -> "Expr":
        return _binary("/", other, self, _computed(_divide))

    def __floordiv__(self, other: "Operand") -> "Expr":
        return integer(self / other)

    def __pow__(self, other: "Operand") -> "Expr":
        return _binary("^", self, other, _computed(np.power))

    def __mod__(self, other: "Operand") -> "Expr":
        return call("MOD", _computed(_modulo), self, other)

    def __neg__(self) -> "Expr":
        return Expr(np.negative(self.value), f"-{_within(self, _LEVELS['*'])}", _LEVELS["*"], self.area)

    def __lt__(self, other: "Operand") -> "Expr":
        return _binary("<", self, other, _ordered(operator.lt))

    def __le__(self, other: "Operand") -> "Expr":
        return _binary("<=", self, other, _ordered(operator.le))

    def __gt__(self, other: "Operand") -> "Expr":
        return _binary(">", self, other, _ordered(operator.gt))

    def __ge__(self, other: "Operand") -> "Expr":
        return _binary(">=", self, other, _ordered(operator.ge))

    def __eq__(self, other: "Operand") -> "Expr":  # type: ignore[override]
        return _binary("=", self, other, lambda a, b: _equal(a, b))

    def __ne__(self, other: "Operand") -> "Expr":  # type: ignore[override]
        return _binary("<>", self, other, lambda a, b: np.logical_not(_equal(a, b)))

    def __bool__(self) -> bool:
        raise TypeError(f"{self.formula}: ask `.value`, or say it in the cells with `where`")

    def __str__(self) -> str:
        return self.formula


Operand = Expr | float | str | bool
"""What stands in an expression: a number, a text or a truth value stands for itself."""


def of(operand: Operand) -> Expr:
    """An operand as an expression.

    >>> of(2.0).formula, of("no").formula, of(True).formula
    ('2', '"no"', 'TRUE')
    """
    if isinstance(operand, Expr):
        return operand
    if isinstance(operand, str):
        doubled = operand.replace('"', '""')
        return Expr(operand, f'"{doubled}"')
    if isinstance(operand, bool | np.bool_):
        return Expr(bool(operand), "TRUE" if operand else "FALSE")
    return Expr(operand, number(operand), _ATOM if operand >= 0 else _LEVELS["*"])


def grouped(x: Expr) -> Expr:
    """The same in parentheses, for its readers, where arithmetic needs none.

    >>> (1 + grouped(of(3) - 1)).formula
    '1+(3-1)'
    """
    return Expr(x.value, f"({x.formula})", area=x.area)


def call(name: str, function: Callable[..., Any], *arguments: Operand) -> Expr:
    """A function of Excel's and what it makes of values.

    >>> call("ABS", np.abs, Expr(-2.0, "A1")).formula
    'ABS(A1)'
    """
    operands = [of(argument) for argument in arguments]
    value = _plain(function(*(operand.value for operand in operands)))
    formula = f"{name}({','.join(operand.formula for operand in operands)})"
    return Expr(value, formula, area=any(operand.area for operand in operands))


def where(test: Operand, then: Operand, otherwise: Operand) -> Expr:
    """`IF`: one of two values, cell by cell where the test is an array.

    >>> where(Expr(True, "A1=0"), "none", Expr(5, "B1")).formula
    'IF(A1=0,"none",B1)'
    """
    condition, yes, no = of(test), of(then), of(otherwise)
    formula = f"IF({condition.formula},{yes.formula},{no.formula})"
    if not isinstance(condition.value, np.ndarray):
        return Expr(yes.value if condition.value else no.value, formula)
    mixed = any(isinstance(v, str) or (isinstance(v, np.ndarray) and v.dtype == object) for v in (yes.value, no.value))
    one, other = (np.asarray(v, dtype=object) if mixed else v for v in (yes.value, no.value))
    return Expr(np.where(condition.value.astype(bool), one, other), formula)


def text(*pieces: Operand) -> Expr:
    """Pieces joined by `&`, numbers as Excel shows them unformatted.

    >>> text("The output has ", Expr(5.0, "$B$2"), " rows.")
    Expr(value='The output has 5 rows.', formula='"The output has "&$B$2&" rows."', level=1, area=False)
    """
    operands = [of(piece) for piece in pieces]
    value: Any = ""
    for operand in operands:
        value = _cellwise(lambda a, b: f"{a}{shown(b)}", value, operand.value)
    if len(operands) == 1:
        (only,) = operands
        return Expr(value, only.formula if isinstance(only.value, str) else f'{only.formula}&""', only.level)
    return Expr(value, "&".join(_within(operand, _LEVELS["&"]) for operand in operands), _LEVELS["&"])


def shown(value: Any) -> str:
    """A value as `&` joins it; spreadsheet programs disagree on truth values, so that those are refused.

    >>> shown(2.0), shown(0.1 + 0.2), shown("x")
    ('2', '0.3', 'x')
    """
    if isinstance(value, bool | np.bool_):
        raise TypeError("a truth value is no text: say what it means with `where`")
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{float(value):.15g}"


# -- functions of ranges -----------------------------------------------------------------------------------------------


def total(*ranges: Operand) -> Expr:
    """`SUM` of ranges and numbers; texts count for nothing.

    >>> total(Expr(np.ones((2, 3)), "A1:C2", area=True), 1).value
    7.0
    """
    operands = [of(one) for one in ranges]
    value = _plain(sum(_over(o, lambda v: np.nansum(_numbers(v), axis=(-2, -1))) for o in operands))
    return Expr(value, nested("SUM", [o.formula for o in operands]))


def sumproduct(*ranges: Operand) -> Expr:
    """`SUMPRODUCT` of ranges of one shape, or of one expression over them.

    >>> image, kernel = Expr(np.ones((4, 4, 3, 3)), "A1:C3"), Expr(np.ones((3, 3)), "$F$1:$H$3")
    >>> sumproduct(image, kernel).value.shape
    (4, 4)
    """
    operands = [of(one) for one in ranges]
    value = 1.0
    for operand in operands:
        value = value * np.nan_to_num(_numbers(operand.value))
    return Expr(_plain(np.sum(value, axis=(-2, -1))), f"SUMPRODUCT({','.join(o.formula for o in operands)})")


def count(*ranges: Operand) -> Expr:
    """`COUNT`: how many numbers stand in ranges and cells.

    >>> count(Expr("", "A1"), Expr(2.0, "B1")).value
    1
    """
    operands = [of(one) for one in ranges]
    value = sum(_over(o, lambda v: np.sum(~np.isnan(_numbers(v)), axis=(-2, -1))) for o in operands)
    return Expr(_plain(value), f"COUNT({','.join(o.formula for o in operands)})")


def largest(*ranges: Operand) -> Expr:
    """`MAX` of ranges and numbers."""
    return _extreme("MAX", np.fmax, ranges)


def smallest(*ranges: Operand) -> Expr:
    """`MIN` of ranges and numbers."""
    return _extreme("MIN", np.fmin, ranges)


def average(*ranges: Operand) -> Expr:
    """`AVERAGE` of ranges and numbers; texts do not count."""
    operands = [of(one) for one in ranges]
    value = total(*operands).value / count(*operands).value
    return Expr(_plain(value), f"AVERAGE({','.join(o.formula for o in operands)})")


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
        return Expr(_taken(flat, place.value, 0), f"INDEX({area.formula},{at})")
    down, right = of(row), of(column)
    flat = np.reshape(area.value, rows * columns)
    y, x = (np.asarray(_numbers(place.value), dtype=float) for place in (down, right))
    position = np.where((x >= 1) & (x <= columns), (y - 1) * columns + x, 0)
    return Expr(_taken(flat, _plain(position), 0), f"INDEX({area.formula},{down.formula},{right.formula})")


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
    place = _cellwise(lambda v: values.index(v) + 1, one.value)
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


# -- functions of values -----------------------------------------------------------------------------------------------


def integer(x: Operand) -> Expr:
    """`INT`: the next whole number below."""
    return _numeric("INT", lambda v: np.floor(np.asarray(v, dtype=float)) if _is_float(v) else v, x)


def absolute(x: Operand) -> Expr:
    """`ABS`."""
    return _numeric("ABS", np.abs, x)


def root(x: Operand) -> Expr:
    """`SQRT`."""
    return _numeric("SQRT", np.sqrt, x)


def exponential(x: Operand) -> Expr:
    """`EXP`."""
    return _numeric("EXP", np.exp, x)


def logarithm(x: Operand) -> Expr:
    """`LN`."""
    return _numeric("LN", np.log, x)


def rounded(x: Operand, digits: int = 0) -> Expr:
    """`ROUND`: halves go away from zero.

    >>> rounded(Expr(2.5, "A1")).value, rounded(Expr(-0.05, "A1"), 1).value
    (3.0, -0.1)
    """
    return call("ROUND", lambda v, n: np.sign(v) * np.floor(np.abs(v) * 10.0**n + 0.5) / 10.0**n, x, digits)


def formatted(x: Operand, pattern: str, show: Callable[[float], str]) -> Expr:
    """`TEXT`: a number as a format shows it; `show` is that format in Python.

    >>> formatted(Expr(0.25, "A1"), "0%", "{:.0%}".format).value
    '25%'
    """
    return call("TEXT", lambda v, _: _cellwise(show, v), x, pattern)


def all_of(*tests: Operand) -> Expr:
    """`AND`."""
    return call("AND", lambda *v: _plain(np.logical_and.reduce(np.broadcast_arrays(*v))), *tests)


def any_of(*tests: Operand) -> Expr:
    """`OR`."""
    return call("OR", lambda *v: _plain(np.logical_or.reduce(np.broadcast_arrays(*v))), *tests)


def none_of(test: Operand) -> Expr:
    """`NOT`."""
    return call("NOT", np.logical_not, test)


def exact(one: Operand, other: Operand) -> Expr:
    """`EXACT`: whether two texts are the same, capitals included."""
    return call("EXACT", lambda a, b: _cellwise(lambda x, y: shown(x) == shown(y), a, b), one, other)


def is_number(x: Operand) -> Expr:
    """Whether a cell holds a number: a text of numbers, an empty cell and an error do not."""
    return count(x) == 1


# -- inside ------------------------------------------------------------------------------------------------------------


def _binary(sign: str, left: Operand, right: Operand, function: Callable[[Any, Any], Any]) -> Expr:
    one, other = of(left), of(right)
    level = _LEVELS[sign]
    if sign in _ARITHMETIC and any(_has_text(operand.value) for operand in (one, other)):
        one, other = (replace(operand, value=_numbers(operand.value)) for operand in (one, other))
    tight = level if sign in _ASSOCIATIVE else level + 1
    value = _plain(function(one.value, other.value))
    formula = f"{_within(one, level)}{sign}{_within(other, tight)}"
    return Expr(value, formula, level, one.area or other.area)


def _numeric(name: str, function: Callable[[Any], Any], x: Operand) -> Expr:
    """A function of numbers; of a text it makes an error, as operators do."""
    return call(name, lambda v: function(_numbers(v) if _has_text(v) else v), x)


def _within(operand: Expr, level: int) -> str:
    return operand.formula if operand.level >= level else f"({operand.formula})"


def _plain(value: Any) -> Any:
    """A Python number for a NumPy one, so that whole numbers stay whole; arrays as they are."""
    if isinstance(value, np.ndarray) and value.shape == ():
        return value.item()
    return value.item() if isinstance(value, np.generic) else value


def _has_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, np.ndarray) and value.dtype == object)


def _is_float(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")


def _divide(a: Any, b: Any) -> Any:
    """A quotient; by zero it is infinite or no number, where the cells have an error."""
    if isinstance(a, int) and isinstance(b, int) and b and a % b == 0:
        return a // b
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(a, b)


def _modulo(a: Any, b: Any) -> Any:
    return math.nan if np.ndim(b) == 0 and b == 0 else np.mod(a, b)


def _computed(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Arithmetic as in cells: a truth value is 1 or 0, and with a text there is no result, which is NaN here.

    >>> (Expr(True, "(A1>0)") + Expr(True, "(B1>0)")).value, (Expr("", "A1") * 0).value
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


def _ordered(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A comparison as in cells, where every text is larger than any number.

    >>> (Expr("", "A1") > 9).value, (Expr("b", "A1") < "C").value
    (True, True)
    """

    def rank(value: Any) -> tuple[int, Any]:
        return (1, value.casefold()) if isinstance(value, str) else (0, value)

    def compared(a: Any, b: Any) -> Any:
        if any(np.asarray(value).dtype.kind in "OSU" for value in (a, b)):
            return _cellwise(lambda x, y: function(rank(x), rank(y)), a, b)
        return function(a, b)

    return compared


def _equal(a: Any, b: Any) -> Any:
    """Excel's `=`: texts regardless of capitals; a text is never a number."""

    def same(x: Any, y: Any) -> bool:
        if isinstance(x, str) and isinstance(y, str):
            return x.casefold() == y.casefold()
        return not isinstance(x, str) and not isinstance(y, str) and bool(x == y)

    return _cellwise(same, a, b)


def _cellwise(function: Callable[..., Any], *values: Any) -> Any:
    """A function of Python values, for each cell where some are arrays."""
    values = tuple(map(_plain, values))
    if not any(isinstance(value, np.ndarray) for value in values):
        return function(*values)
    with np.errstate(invalid="ignore"):  # of comparisons with NaN
        made = np.frompyfunc(function, len(values), 1)(*(np.asarray(v, dtype=object) for v in values))
    kinds = {type(value) for value in made.ravel().tolist()}
    return made if str in kinds or not kinds else made.astype(bool if kinds == {bool} else float)


def _numbers(value: Any) -> Any:
    """A value with NaN where something stands that is no number."""
    array = np.asarray(value)
    if array.dtype != object and array.dtype.kind not in "US":
        return array.astype(float)
    return np.array([v if isinstance(v, int | float) and not isinstance(v, bool) else math.nan for v in array.ravel()],
                    dtype=float).reshape(array.shape)  # fmt: skip


def _over(operand: Expr, reduce: Callable[[Any], Any]) -> Any:
    """What a reduction makes of a range; a single value is a range of one."""
    return reduce(operand.value if operand.area else np.asarray(operand.value)[..., np.newaxis, np.newaxis])


def _extreme(name: str, pick: np.ufunc, ranges: Sequence[Operand]) -> Expr:
    operands = [of(one) for one in ranges]
    found = [_over(operand, lambda v: pick.reduce(_numbers(v), axis=(-2, -1))) for operand in operands]
    value: Any = functools.reduce(pick, found)
    return Expr(_plain(np.nan_to_num(value)), nested(name, [o.formula for o in operands]))


def _taken(flat: Any, place: Any, outside: Any) -> Any:
    """Values by number from 1; what is outside is an error in the cells, and `outside` here."""
    number_ = np.asarray(_numbers(place), dtype=float)
    there = (number_ >= 1) & (number_ <= len(flat))
    found = np.asarray(flat[np.where(there, number_, 1).astype(int) - 1], dtype=flat.dtype)
    return _plain(np.where(there, found, np.asarray(outside, dtype=flat.dtype)))


def _picked(which: Any, options: Sequence[Expr]) -> Any:
    if isinstance(which, np.ndarray):
        kinds = [np.asarray(option.value, dtype=object) for option in options]
        made = np.select([which == n for n in range(1, len(options) + 1)], np.broadcast_arrays(*kinds), default=0)
        return made
    return options[int(which) - 1].value if 1 <= which <= len(options) else 0
