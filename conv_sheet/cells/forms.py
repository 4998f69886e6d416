"""Whether a formula keeps to what a lesson may say: its functions with as many arguments as they take, its grammar.

The engine of a page for a browser knows a closed list of functions and forms (`vocabulary.js`, `parser.js`). What it
does not know is to be found when a page is built, not when somebody opens it. And a formula that a spec gives, which
may come from anybody, stands in a cell only where it keeps to the same list: it fetches nothing, and starts nothing.
Nothing is evaluated here.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from conv_sheet.errors import WorkbookError

_MANY = 255
_LONGEST_TEXT = 255
_DEEPEST = 64
"""Brackets in brackets, as far as Excel follows them."""
ARGUMENTS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("AND", "AVERAGE", "COUNT", "DEVSQ", "MAX", "MIN", "OR", "SUM", "SUMPRODUCT"), (1, _MANY)),
    **dict.fromkeys(("ABS", "COLUMNS", "ERF", "EXP", "INT", "LN", "NOT", "ROWS", "SQRT", "TANH"), (1, 1)),
    **dict.fromkeys(("EXACT", "MOD", "REPT", "ROUND", "SUMXMY2", "TEXT"), (2, 2)),
    **dict.fromkeys(("ADDRESS", "IF", "INDEX", "MATCH"), (2, 3)),
    **dict.fromkeys(("COLUMN", "ROW"), (0, 1)),
    "CHOOSE": (2, _MANY),
}
"""How many arguments each function takes, at least and at most."""

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>"(?:[^"]|"")*")
    | (?:(?P<sheet>'(?:[^']|'')*'|[A-Za-z_][\w.]*)!)?(?P<cell>\$?[A-Z]{1,3}\$?\d+)(?![\w(.])
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[Ee][-+]?\d+)?)
    | (?P<word>[A-Za-z_][\w.]*)
    | (?P<sign><>|<=|>=|[-+*/^&=<>(),:%])
    | (?P<slot>\{\d+\})
    )""",
    re.VERBOSE | re.ASCII,
)
_OPERATORS = frozenset({"=", "<>", "<", ">", "<=", ">=", "&", "+", "-", "*", "/", "^"})
_ENDS = (",", ")")


class _UnknownError(Exception):
    """Why a formula cannot be read."""


@dataclass(frozen=True)
class Forms:
    """What formulas may name: titles of sheets, and defined names in small letters.

    >>> forms = Forms({"Network"}, {"loss"})
    >>> forms.require("MAX(0,SUMPRODUCT(A1:B2,Network!$C$1:$D$2)+loss)", "Network!E5")
    >>> forms.require("MEDIAN(A1:A9)", "Network!E5")
    Traceback (most recent call last):
    conv_sheet.errors.WorkbookError: Network!E5: a page cannot calculate =MEDIAN(A1:A9): there is no function MEDIAN
    """

    titles: Collection[str]
    names: Collection[str]

    def require(self, formula: str, where: str) -> None:
        """Raise WorkbookError, with the cell, where the page cannot calculate a formula."""
        if fault := self.fault(formula):
            raise WorkbookError(f"{where}: a page cannot calculate ={formula}: {fault}")

    def fault(self, formula: str) -> str:
        """Why a formula does not keep to the list; nothing where it does.

        >>> Forms({"Network"}, {"loss"}).fault("WEBSERVICE(loss)=1")
        'there is no function WEBSERVICE'
        """
        try:
            _Reader(self, formula).whole()
        except _UnknownError as reason:
            return str(reason)
        return ""


class _Reader:
    """A formula, read from left to right."""

    def __init__(self, forms: Forms, formula: str) -> None:
        self.forms = forms
        self.parts = [*_parts(formula), ("end", "")]
        self.next = self.depth = 0

    def whole(self) -> None:
        self.operation()
        if self.parts[self.next][0] != "end":
            raise _UnknownError(f"{self.parts[self.next][1]!r} is left over")

    def takes(self, *signs: str) -> bool:
        """Whether one of some signs comes next, which then is read."""
        kind, said = self.parts[self.next]
        found = kind == "sign" and said in signs
        self.next += found
        return found

    def comes(self, *signs: str) -> bool:
        kind, said = self.parts[self.next]
        return kind == "sign" and said in signs

    def operation(self) -> None:
        """Operands between operators: how tightly these bind is of no interest here."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _UnknownError(f"it is nested more than {_DEEPEST} deep")
        while True:
            while self.takes("-", "+"):
                pass
            self.reference()
            while self.takes("%"):
                pass
            if not self.takes(*_OPERATORS):
                self.depth -= 1
                return

    def reference(self) -> None:
        self.operand()
        if self.takes(":"):
            self.operand()

    def operand(self) -> None:
        kind, said = self.parts[self.next]
        if kind == "end":
            raise _UnknownError("it ends too early")
        self.next += 1
        if kind == "word":
            self.word(said)
        elif kind == "sheet":
            if said not in self.forms.titles:
                raise _UnknownError(f"there is no sheet {said!r}")
        elif kind == "text":
            if len(said) - 2 > _LONGEST_TEXT:
                raise _UnknownError(f"it has a text of more than {_LONGEST_TEXT} characters")
        elif kind == "sign":
            if said != "(":
                raise _UnknownError(f"{said!r} stands where a value is missing")
            self.operation()
            self.closes()

    def closes(self) -> None:
        if not self.takes(")"):
            raise _UnknownError("a bracket is not closed")

    def word(self, said: str) -> None:
        """A function with what it is given, a truth value or a defined name."""
        if not self.takes("("):
            if said.upper() not in ("TRUE", "FALSE") and said.lower() not in self.forms.names:
                raise _UnknownError(f"there is no name {said}")
            return
        if said.upper() not in ARGUMENTS:
            raise _UnknownError(f"there is no function {said}")
        (least, most), given = ARGUMENTS[said.upper()], self.given()
        if not least <= given <= most:
            raise _UnknownError(f"{said} cannot take {given} arguments")

    def given(self) -> int:
        """How many arguments stand up to the bracket that closes; they may be empty."""
        if self.takes(")"):
            return 0
        count = 0
        while True:
            count += 1
            if not self.comes(*_ENDS):
                self.operation()
            if not self.takes(","):
                break
        self.closes()
        return count


def _parts(formula: str) -> list[tuple[str, str]]:
    """The parts of a formula, each with its kind; a cell of another sheet has the title in place of its address."""
    found, at, end = [], 0, len(formula.rstrip())
    while at < end:
        match = _TOKEN.match(formula, at)
        if match is None:
            raise _UnknownError(f"{formula[at : at + 20]!r} is none of its forms")
        if match["sheet"] is not None:
            found.append(("sheet", match["sheet"].strip("'").replace("''", "'")))
        else:
            found.append((str(match.lastgroup), match[0].strip()))
        at = match.end()
    return found
