"""Formulas as LibreOffice's own interface has them, and as Excel has them: commas and exclamation marks differ."""

import re
from collections.abc import Callable

_FOREIGN = re.compile(r"\$?((?:'(?:[^']|'')*'|[A-Za-z_]\w*))\.(?=\$?[A-Z]{1,3}\$?[0-9])")


def native(formula: str) -> str:
    """A formula of Excel's as LibreOffice's own interface wants it.

    >>> native('=IF(Images!$A$1>0,"a,b!",1)')
    '=IF(Images.$A$1>0;"a,b!";1)'
    """
    return _outside_texts(formula, lambda part: part.replace(",", ";").replace("!", "."))


def excel(formula: str) -> str:
    """The way back; what is no formula stays as it is.

    >>> excel('=IF($Images.$A$1>0;"a;b";0.5)'), excel("a;b")
    ('=IF(Images!$A$1>0,"a;b",0.5)', 'a;b')
    """
    if not formula.startswith("="):
        return formula
    return _outside_texts(formula, lambda part: _FOREIGN.sub(r"\1!", part.replace(";", ",")))


def _outside_texts(formula: str, change: Callable[[str], str]) -> str:
    parts = formula.split('"')
    return '"'.join(part if number % 2 else change(part) for number, part in enumerate(parts))
