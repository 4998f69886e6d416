"""Formula text from its parts, within what every spreadsheet program understands."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conv_sheet.cells.grid import MAX_COLUMNS, MAX_ROWS, column_letters, column_number
from conv_sheet.errors import WorkbookError

MAX_LENGTH = 8_192
MAX_ARGUMENTS = 255
MAX_BLOCKS = 100
"""Blocks that one formula may name twice, with titles of sheets, and stay within both limits."""

FUNCTIONS = frozenset(
    {
        *("ABS", "ADDRESS", "AND", "AVERAGE", "CHOOSE", "COLUMNS", "COUNT", "DEVSQ", "ERF"),
        *("EXACT", "EXP", "IF", "INDEX", "INT", "LN", "MATCH", "MAX", "MIN"),
        *("MOD", "NOT", "OR", "REPT", "ROUND", "ROWS", "SQRT", "SUM", "SUMPRODUCT", "SUMXMY2"),
        *("TANH", "TEXT"),
    }
)
"""The functions that generated formulas are made of: not volatile, no array entry, known since Excel 2007."""


@dataclass(frozen=True, slots=True)
class Formula:
    """Formulas of a tensor on a sheet: that of the value at (plane, row, column), without the equals sign.

    With `shared`, the formula at (plane, y, x) is that at (plane, 0, 0) with its relative addresses moved as far as the
    cells are apart, as a spreadsheet program moves them when it copies a cell: one text does for a plane. In a solid
    block these are y rows and x columns. With `across`, it is so moved from that at (0, y, x): one text does for the
    values in one place of all planes.

    >>> double = Formula(lambda plane, y, x: f"2*A{y + 1}", shared=True)
    >>> double(0, 3, 0)
    '2*A4'
    """

    at: Callable[[int, int, int], str]
    shared: bool = False
    across: bool = False

    def __call__(self, plane: int, y: int, x: int) -> str:
        return self.at(plane, y, x)


_CALL = re.compile(r"([A-Z][A-Z0-9.]*)\(")
_TEXT = re.compile(r'"(?:[^"]|"")*"')
_ADDRESS = re.compile(
    r"""("(?:[^"]|"")*"|'(?:[^']|'')*'!|\[[^\]]*\])
    |(?<![A-Za-z0-9_.$])(?:
        (\$?)([A-Z]{1,3})(\$?)([0-9]+)(?![A-Za-z0-9_.(!])
        |(\$?)([A-Z]{1,3}):(\$?)([A-Z]{1,3})(?![A-Za-z0-9_.(!$])
        |(\$?)([0-9]+):(\$?)([0-9]+)(?![A-Za-z0-9_.(!$])
    )""",
    re.VERBOSE,
)
"""Texts, titles and names of columns in tables, in which nothing is an address; and addresses: of a cell in four parts,
of whole columns in four, of whole rows in four."""


def functions_in(formula: str) -> set[str]:
    """Names of the functions that a formula calls; texts in quotes do not count.

    >>> sorted(functions_in('MAX(0,SUM(A1:B2))&"LEFT("'))
    ['MAX', 'SUM']
    """
    return set(_CALL.findall(_TEXT.sub("", formula)))


def mover(formula: str) -> Callable[[int, int], str]:
    r"""What Excel makes of a formula that is copied some rows down and columns to the right.

    >>> mover("MAX(0,SUMPRODUCT(B10:D12,$A$1:$C$3)+$A9)&\"B10\"")(1, 2)
    'MAX(0,SUMPRODUCT(D11:F13,$A$1:$C$3)+$A10)&"B10"'
    >>> mover("SUM(A:$B)+SUM($1:2)+XFD1+Table1[B2]")(1, 1)
    'SUM(B:$B)+SUM($1:3)+A2+Table1[B2]'
    """
    pieces: list[str] = []
    places: list[tuple[str, int, str, int]] = []
    done = 0
    for found in _ADDRESS.finditer(formula):
        if found[1]:
            continue
        pieces.append(formula[done : found.start()])
        places += _moving(found)
        pieces += [":"] * (len(places) - len(pieces))
        done = found.end()
    rest = formula[done:]

    def moved(down: int, right: int) -> str:
        said = []
        for piece, (fixed_column, column, fixed_row, row) in zip(pieces, places, strict=True):
            letters = column_letters(_within(column if fixed_column else column + right, MAX_COLUMNS)) if column else ""
            number_ = str(_within(row if fixed_row else row + down, MAX_ROWS)) if row else ""
            said.append(f"{piece}{fixed_column}{letters}{fixed_row}{number_}")
        return "".join(said) + rest

    return moved


def _moving(found: re.Match[str]) -> list[tuple[str, int, str, int]]:
    """Addresses in four parts; of whole columns the row is 0, and of whole rows the column."""
    if found[3]:
        return [(found[2], column_number(found[3]), found[4], int(found[5]))]
    if found[7]:
        return [(found[6], column_number(found[7]), "", 0), (found[8], column_number(found[9]), "", 0)]
    return [("", 0, found[10], int(found[11])), ("", 0, found[12], int(found[13]))]


def _within(place: int, last: int) -> int:
    """A row or column that is past the end of the sheet goes on at its beginning, as in Excel."""
    return (place - 1) % last + 1


def number(value: float) -> str:
    """A number as formulas write it: with the 15 digits that spreadsheet programs keep.

    >>> number(2.0), number(0.01), number(-3), number(1e-5), number(-0.0), number(2.0**60)
    ('2', '0.01', '-3', '1E-05', '0', '1.15292150460685E+18')
    """
    return f"{float(value) or 0.0:.15g}".upper()


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
