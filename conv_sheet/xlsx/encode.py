"""The one encoder of what a cell holds: numbers, texts and truth values as SpreadsheetML writes them.

Source: ECMA-376 part 1, sections 18.3.1.4 (`c`), 18.3.1.40 (`f`) and 22.9.2.19 (`ST_Xstring`).
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells.values import LARGEST, SMALLEST
from conv_sheet.errors import WorkbookError

MAX_TEXT = 32_767

_NEEDS_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


_UNITS = "utf-16-le"
"""In which a spreadsheet program counts the characters of a text: a sign beyond U+FFFF is two."""
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def length(value: str) -> int:
    """Characters of a text, as Excel counts them.

    >>> length("abc"), length("🙂")
    (3, 2)
    """
    return len(value.encode(_UNITS, "surrogatepass")) // 2


def short(value: str, most: int) -> str:
    r"""The text with what XML cannot hold escaped, cut where it is longer than a place that nobody can widen.

    >>> short("bell \x07 rings", 6)
    'bell _x0007_'
    """
    return escaped(value.encode(_UNITS, "surrogatepass")[: 2 * most].decode(_UNITS, "ignore"))


def plain(value: str) -> str:
    r"""The text without what XML cannot hold, for places that know no escapes.

    >>> plain("bell \x07")
    'bell '
    """
    return _NO_XML.sub("", value)


def escaped(value: str) -> str:
    """The text with what XML cannot hold, and what looks like an escape of it, as ``_xHHHH_``."""
    if value.isprintable() and "_x" not in value:
        return value
    return _NEEDS_ESCAPE.sub(lambda found: f"_x{ord(found[0]):04X}_", value)


def text(value: str) -> str:
    r"""Text as it stands inside an element: what XML cannot hold becomes ``_xHHHH_``.

    >>> text("a < b"), text("bell \x07"), text("_x0007_")
    ('a &lt; b', 'bell _x0007_', '_x005F_x0007_')
    """
    return markup(escaped(value))


def markup(value: str) -> str:
    """Text as it stands inside an element that knows no escapes but XML's own."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def attribute(value: str) -> str:
    r"""Text as it stands inside an attribute between double quotes.

    >>> attribute('"a" < b')
    '&quot;a&quot; &lt; b'
    """
    marked = markup(value).replace('"', "&quot;")
    return marked.replace("\n", "&#10;").replace("\r", "&#13;").replace("\t", "&#9;")


def decoded(value: str) -> str:
    r"""The way back: what text inside an element means.

    >>> decoded("bell _x0007_"), decoded("_x005F_x0007_"), decoded("_x007_")
    ('bell \x07', '_x0007_', '_x007_')
    """
    if "_x" not in value:
        return value
    said = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), value)
    return said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def checked_text(value: str, where: str) -> str:
    """The text encoded, if a cell holds one so long; `where` names the cell in the error."""
    if 2 * len(value) > MAX_TEXT and (count := length(value)) > MAX_TEXT:
        raise WorkbookError(f"{where}: {count:,} characters of text; a cell holds {MAX_TEXT:,}")
    return text(value)


def number(value: float) -> str:
    """A finite number.

    >>> number(2.0), number(0.1), number(1e-320), number(True)
    ('2', '0.1', '0', '1')
    """
    if -SMALLEST < value < SMALLEST:
        return "0"
    return repr(float(value)).removesuffix(".0")


def held(values: NDArray[Any]) -> NDArray[Any]:
    """Numbers as cells hold them: those nearer to zero than any that a cell holds are zero."""
    return np.where(np.abs(values) < SMALLEST, 0.0, values)


def numbers(values: NDArray[np.float64]) -> list[str]:
    """Finite numbers, of which a row has many, after `held`.

    >>> numbers(held(np.array([2.0, 0.1, 1e-320])))
    ['2', '0.1', '0']
    """
    return [said[:-2] if said.endswith(".0") else said for said in map(repr, values.tolist())]


def results(values: NDArray[np.float64]) -> list[str]:
    """Finite numbers that something computed, after `held`, with as many digits as a spreadsheet program shows.

    >>> results(held(np.array([2.0, 0.1 + 0.2, 1e-320])))
    ['2', '0.3', '0']
    """
    return list(map("%.15g".__mod__, values.tolist()))


def no_cell(value: float, where: str) -> WorkbookError:
    """What to say of a number that is infinite, too large, or none."""
    return WorkbookError(f"{where}: a cell cannot hold the number {value:g}: use smaller numbers before it")


def checked_number(value: float, where: str) -> str:
    """The number encoded, if a cell can hold it; `where` names the cell in the error."""
    if not abs(value) <= LARGEST:
        raise no_cell(value, where)
    return number(value)
