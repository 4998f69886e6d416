"""Formula text from its parts, within what every spreadsheet program understands."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conv_sheet.errors import WorkbookError

MAX_LENGTH = 8_192
MAX_ARGUMENTS = 255
MAX_BLOCKS = 100
"""Blocks that one formula may name twice, with titles of sheets, and stay within both limits."""

FUNCTIONS = frozenset(
    {
        *("ABS", "ADDRESS", "AND", "AVERAGE", "CHOOSE", "COLUMNS", "COUNT", "EXACT", "EXP", "IF", "INDEX"),
        *("INT", "LN", "MATCH", "MAX", "MIN", "MOD", "NOT", "OR", "ROUND", "ROWS", "SQRT", "SUM", "SUMPRODUCT"),
        *("SUMXMY2", "TANH", "TEXT"),
    }
)
"""The functions that generated formulas are made of: not volatile, no array entry, known since Excel 2007."""


@dataclass(frozen=True, slots=True)
class Formula:
    """Formulas of a tensor on a sheet: that of the value at (plane, row, column), without the equals sign.

    With `shared`, the formula at (plane, y, x) is that at (plane, 0, 0) with its relative addresses moved as far as the
    cells are apart, as a spreadsheet program moves them when it copies a cell: one text does for a plane. In a solid
    block these are y rows and x columns.

    >>> double = Formula(lambda plane, y, x: f"2*A{y + 1}", shared=True)
    >>> double(0, 3, 0)
    '2*A4'
    """

    at: Callable[[int, int, int], str]
    shared: bool = False

    def __call__(self, plane: int, y: int, x: int) -> str:
        return self.at(plane, y, x)


_CALL = re.compile(r"([A-Z][A-Z0-9.]*)\(")
_TEXT = re.compile(r'"(?:[^"]|"")*"')


def functions_in(formula: str) -> set[str]:
    """Names of the functions that a formula calls; texts in quotes do not count.

    >>> sorted(functions_in('MAX(0,SUM(A1:B2))&"LEFT("'))
    ['MAX', 'SUM']
    """
    return set(_CALL.findall(_TEXT.sub("", formula)))


def number(value: float) -> str:
    """A number as formulas write it.

    >>> number(2.0), number(0.01), number(-3), number(1e-5)
    ('2', '0.01', '-3', '1E-05')
    """
    return str(int(value)) if float(value).is_integer() else repr(float(value)).upper()


def total(terms: Sequence[str]) -> str:
    """The sum of terms; of none, zero.

    >>> total(["A1*B1", "$C$1"]), total([])
    ('A1*B1+$C$1', '0')
    """
    return "+".join(terms) or "0"


def nested(function: str, arguments: Sequence[str]) -> str:
    """A call of MAX, MIN or SUM, in calls of its own where there are more arguments than one takes.

    >>> nested("MAX", ["A1:B2", "C3"])
    'MAX(A1:B2,C3)'
    >>> nested("MAX", ["A1"] * 300).count("MAX(")
    3
    """
    while len(arguments) > MAX_ARGUMENTS:
        groups = (arguments[i : i + MAX_ARGUMENTS] for i in range(0, len(arguments), MAX_ARGUMENTS))
        arguments = [f"{function}({','.join(group)})" for group in groups]
    return f"{function}({','.join(arguments)})"


def pieces(terms: int, length: int) -> int:
    """Into how many formulas a sum of `terms` terms of at most `length` characters must be split.

    >>> pieces(2, 60), pieces(256, 60)
    (1, 2)
    """
    room = (MAX_LENGTH - 200) // (length + 1)
    return math.ceil(terms / room)


def checked(formula: str, where: str) -> str:
    """The formula, if Excel takes one so long; `where` names the cell in the error."""
    if len(formula) > MAX_LENGTH:
        raise WorkbookError(
            f"{where}: the formula would have {len(formula):,} characters and Excel takes {MAX_LENGTH:,}; "
            "use fewer input channels or a smaller kernel"
        )
    return formula
