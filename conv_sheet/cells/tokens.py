"""Whether two formulas are the same, however a program has written them down."""

import re
from functools import lru_cache

_TOKEN = re.compile(
    r"""
      (?P<text>"(?:[^"]|"")*")
    | (?P<sheet>\$?(?:'(?:[^']|'')*'|[A-Za-z_][A-Za-z0-9_.]*?)[!.](?=\$?[A-Z]{1,3}\$?[0-9]))
    | (?P<cell>\$?[A-Za-z]{1,3}\$?[0-9]+(?![A-Za-z0-9_.(]))
    | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[Ee][+-]?[0-9]+)?)
    | (?P<name>[A-Za-z_\\][A-Za-z0-9_.\\]*)
    | (?P<space>\s+)
    | (?P<sign><>|<=|>=|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_TRUTH = ("TRUE", "FALSE")
_NAMES = dict.fromkeys(("ERF.PRECISE", "_XLFN.ERF.PRECISE"), "ERF")
"""Functions that a program calls otherwise: with one argument they are the same."""
_LAST_DECIMAL, _WITH_EXPONENT = 1e-20, 1e-14
"""LibreOffice writes twenty decimals of a number at most; of smaller ones than this the digits and an exponent."""


@lru_cache(maxsize=1 << 14)
def tokens(formula: str) -> tuple[str, ...]:
    r"""What a formula consists of, in one spelling: no spaces, capitals, sheets without quotes, numbers to 15 digits.

    >>> tokens("if( $'Network'.$B2 = TRUE() , 1E-05, \"a b\" )")
    ('IF', '(', 'network!', '$B2', '=', 'TRUE', ',', '1e-05', ',', '"a b"', ')')
    """
    found: list[str] = []
    for match in _TOKEN.finditer(formula.strip().removeprefix("=")):
        kind, said = match.lastgroup, match[0]
        if kind == "space":
            continue
        if kind == "sheet":
            said = said.removeprefix("$")[:-1].strip("'").replace("''", "'").casefold() + "!"
        elif kind == "number":
            said = f"{float(said):.15g}"
        elif kind in ("cell", "name"):
            said = _NAMES.get(said.upper(), said.upper())
        if said == ")" and found[-2:-1] and found[-2] in _TRUTH and found[-1] == "(":
            found.pop()
            continue
        found.append(said)
    return tuple(found)


def same_formula(one: str, other: str) -> bool:
    """Whether two formulas are the same, in whatever spelling; neither is evaluated.

    >>> same_formula("MAX(0,SUM(A1:B2))", "=max(0, sum(A1:B2))"), same_formula("A1*2", "A1*2.5")
    (True, False)
    >>> same_formula("ERF(A1)", "=_xlfn.ERF.PRECISE(A1)"), same_formula("A1+3.1846598E-14", "A1+0.0000000000000318466")
    (True, True)
    """
    if one == other:
        return True
    these, those = tokens(one), tokens(other)
    return these == those or (len(these) == len(those) and all(map(_same, these, those)))


def _same(one: str, other: str) -> bool:
    """Whether two tokens are the same, or numbers of which a program has left out the last digits."""
    if one == other:
        return True
    if not all(token[0].isdigit() and token[-1].isdigit() for token in (one, other)):
        return False
    numbers = float(one), float(other)
    return min(numbers) >= _WITH_EXPONENT and abs(numbers[0] - numbers[1]) <= _LAST_DECIMAL
