"""Sentences that follow the cells: what they say now, and the formula that says it."""

from typing import NamedTuple

from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page
from conv_sheet.cells.style import Style


class Live(NamedTuple):
    """A value, and the formula that gives it."""

    value: str | int
    formula: str


def say(*pieces: str | Live) -> Live:
    """A sentence of fixed and live pieces, joined.

    >>> say("The output has ", Live(5, "$B$2"), " rows.")
    Live(value='The output has 5 rows.', formula='"The output has "&$B$2&" rows."')
    """
    value = "".join(piece if isinstance(piece, str) else str(piece.value) for piece in pieces)
    return Live(value, "&".join(_quoted(piece) if isinstance(piece, str) else piece.formula for piece in pieces))


def either(now: bool, test: str, then: str | Live, otherwise: str | Live) -> Live:
    """One of two sentences: `now` is what the formula `test` says at present.

    >>> either(False, "$B$2=0", "Nothing.", say(Live(5, "$B$2"), " rows."))
    Live(value='5 rows.', formula='IF($B$2=0,"Nothing.",$B$2&" rows.")')
    """
    yes, no = (say(piece) if isinstance(piece, str) else piece for piece in (then, otherwise))
    return Live(yes.value if now else no.value, f"IF({test},{yes.formula},{no.formula})")


def tell(sheet: Page, block: Block, words: Live, look: Style) -> None:
    """Put a sentence into a block of cells, merged into one."""
    for position in block.positions():
        sheet.put(*position, None, look)
    sheet.put(*block.position(0, 0), words.value, look, words.formula)
    sheet.merges.append(block)


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
