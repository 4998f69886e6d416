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
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conv_sheet.cells.formula import nested, number
from conv_sheet.cells.semantics import (
    cellwise,
    computed,
    divide,
    equal,
    has_text,
    is_float,
    modulo,
    numbers,
    ordered,
    plain,
    zeroed,
)

_ATOM = 9
_LEVELS = {"=": 0, "<>": 0, ">": 0, "<": 0, ">=": 0, "<=": 0, "&": 1, "+": 2, "-": 2, "*": 3, "/": 3, "^": 4}
_ASSOCIATIVE = frozenset("+*&")


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
        return _binary("+", self, other, computed(np.add))

    def __radd__(self, other: "Operand") -> "Expr":
        return _binary("+", other, self, computed(np.add))

    def __sub__(self, other: "Operand") -> "Expr":
        return _binary("-", self, other, computed(np.subtract))

    def __rsub__(self, other: "Operand") -> "Expr":
        return _binary("-", other, self, computed(np.subtract))

    def __mul__(self, other: "Operand") -> "Expr":
        return _binary("*", self, other, computed(np.multiply))

    def __rmul__(self, other: "Operand") -> "Expr":
        return _binary("*", other, self, computed(np.multiply))

    def __truediv__(self, other: "Operand") -> "Expr":
        return _binary("/", self, other, computed(divide))

    def __rtruediv__(self, other: "Operand") -> "Expr":
        return _binary("/", other, self, computed(divide))

    def __floordiv__(self, other: "Operand") -> "Expr":
        return integer(self / other)

    def __pow__(self, other: "Operand") -> "Expr":
        return _binary("^", self, other, computed(np.power))

    def __mod__(self, other: "Operand") -> "Expr":
        return call("MOD", computed(modulo), self, other)

    def __neg__(self) -> "Expr":
        return Expr(np.negative(self.value), f"-{_within(self, _LEVELS['*'])}", _LEVELS["*"], self.area)

    def __lt__(self, other: "Operand") -> "Expr":
        return _binary("<", self, other, ordered(operator.lt))

    def __le__(self, other: "Operand") -> "Expr":
        return _binary("<=", self, other, ordered(operator.le))

    def __gt__(self, other: "Operand") -> "Expr":
        return _binary(">", self, other, ordered(operator.gt))

    def __ge__(self, other: "Operand") -> "Expr":
        return _binary(">=", self, other, ordered(operator.ge))

    def __eq__(self, other: "Operand") -> "Expr":  # type: ignore[override]
        return _binary("=", self, other, lambda a, b: equal(a, b))

    def __ne__(self, other: "Operand") -> "Expr":  # type: ignore[override]
        return _binary("<>", self, other, lambda a, b: np.logical_not(equal(a, b)))

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
    value = plain(function(*(operand.value for operand in operands)))
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
        value = cellwise(lambda a, b: f"{a}{shown(b)}", value, operand.value)
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
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{float(value):.15g}".upper()


def times(*factors: Operand) -> Expr:
    """The product of some factors.

    >>> times(2, Expr(3, "A1"), 4)
    Expr(value=24, formula='2*A1*4', level=3, area=False)
    """
    return functools.reduce(operator.mul, map(of, factors))


def given(formula: str, value: float | bool) -> Expr:
    """A formula that is given as text: a layer's, beside what the engine makes of it, or the condition of a try."""
    return Expr(value, formula)


# -- functions of ranges -----------------------------------------------------------------------------------------------


def total(*ranges: Operand) -> Expr:
    """`SUM` of ranges and numbers; texts count for nothing.

    >>> total(Expr(np.ones((2, 3)), "A1:C2", area=True), 1).value
    7.0
    """
    operands = [of(one) for one in ranges]
    value = plain(sum(_over(np.add, zeroed(numbers(o.value)), o.area) for o in operands))
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
        value = value * zeroed(numbers(operand.value))
    return Expr(plain(np.sum(value, axis=(-2, -1))), f"SUMPRODUCT({','.join(o.formula for o in operands)})")


def count(*ranges: Operand) -> Expr:
    """`COUNT`: how many numbers stand in ranges and cells.

    >>> count(Expr("", "A1"), Expr(2.0, "B1")).value
    1
    """
    operands = [of(one) for one in ranges]
    value = sum(_over(np.add, 1 - np.isnan(numbers(o.value)), o.area) for o in operands)
    return Expr(plain(value), f"COUNT({','.join(o.formula for o in operands)})")


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
    return Expr(plain(value), f"AVERAGE({','.join(o.formula for o in operands)})")


def deviations(area: Expr) -> Expr:
    """`DEVSQ`: the sum of squared distances from the mean; empty cells are none."""
    values = numbers(area.value)
    return Expr(float(np.nansum((values - np.nanmean(values)) ** 2)), f"DEVSQ({area.formula})")


# -- functions of values -----------------------------------------------------------------------------------------------


def integer(x: Operand) -> Expr:
    """`INT`: the next whole number below."""
    return _numeric("INT", lambda v: np.floor(np.asarray(v, dtype=float)) if is_float(v) else v, x)


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

    def half_up(value: Any, places: int) -> Any:
        known = numbers(value) if has_text(value) else value
        return np.sign(known) * np.floor(np.abs(known) * 10.0**places + 0.5) / 10.0**places

    return call("ROUND", half_up, x, digits)


def formatted(x: Operand, pattern: str, show: Callable[[float], str]) -> Expr:
    """`TEXT`: a number as a format shows it; `show` is that format in Python.

    >>> formatted(Expr(0.25, "A1"), "0%", "{:.0%}".format).value
    '25%'
    """
    return call("TEXT", lambda v, _: cellwise(show, v), x, pattern)


def repeated(piece: str, times: Operand) -> Expr:
    """`REPT`: a text several times.

    >>> repeated("█", Expr(3.0, "A1"))
    Expr(value='███', formula='REPT("█",A1)', level=9, area=False)
    """
    return call("REPT", lambda what, n: cellwise(lambda k: what * int(k), n), piece, times)


def all_of(*tests: Operand) -> Expr:
    """`AND`."""
    return call("AND", lambda *v: plain(np.logical_and.reduce(np.broadcast_arrays(*v))), *tests)


def any_of(*tests: Operand) -> Expr:
    """`OR`."""
    return call("OR", lambda *v: plain(np.logical_or.reduce(np.broadcast_arrays(*v))), *tests)


def none_of(test: Operand) -> Expr:
    """`NOT`."""
    return call("NOT", np.logical_not, test)


def exact(one: Operand, other: Operand) -> Expr:
    """`EXACT`: whether two texts are the same, capitals included."""
    return call("EXACT", lambda a, b: cellwise(lambda x, y: shown(x) == shown(y), a, b), one, other)


def is_number(x: Operand) -> Expr:
    """Whether a cell holds a number: a text of numbers, an empty cell and an error do not."""
    return count(x) == 1


# -- inside ------------------------------------------------------------------------------------------------------------


def _binary(sign: str, left: Operand, right: Operand, function: Callable[[Any, Any], Any]) -> Expr:
    one, other = of(left), of(right)
    level = _LEVELS[sign]
    tight = level if sign in _ASSOCIATIVE else level + 1
    value = plain(function(one.value, other.value))
    formula = f"{_within(one, level)}{sign}{_within(other, tight)}"
    return Expr(value, formula, level, one.area or other.area)


def _numeric(name: str, function: Callable[[Any], Any], x: Operand) -> Expr:
    """A function of numbers; of a text it makes an error, as operators do."""
    return call(name, lambda v: function(numbers(v) if has_text(v) else v), x)


def _within(operand: Expr, level: int) -> str:
    return operand.formula if operand.level >= level else f"({operand.formula})"


def _over(combine: np.ufunc, values: Any, area: bool) -> Any:
    """The values of a range combined; a single value is a range of one."""
    return combine.reduce(values, axis=(-2, -1)) if area else values


def _extreme(name: str, pick: np.ufunc, ranges: Sequence[Operand]) -> Expr:
    operands = [of(one) for one in ranges]
    value: Any = functools.reduce(pick, (_over(pick, numbers(o.value), o.area) for o in operands))
    return Expr(plain(zeroed(value)), nested(name, [o.formula for o in operands]))
