"""Colour pictures in cells: red, green and blue become the number of one of 125 colours, and a rule shows each."""

from collections.abc import Sequence
from itertools import product

from conv_sheet.cells import style
from conv_sheet.cells.expr import Expr, integer, largest, smallest
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page, Palette

LEVELS = 5
"""Of each of the three lights; the middle one is the grey of a zero where numbers have signs."""

_STEPS = [f"{round(255 * level / (LEVELS - 1)):02X}" for level in range(LEVELS)]
COLOURS = tuple("".join(steps) for steps in product(_STEPS, repeat=3))


def code(red: Expr, green: Expr, blue: Expr) -> Expr:
    """Number of the colour nearest to three lights from 0 to 1; what is beyond counts as 0 or 1.

    >>> orange = code(Expr(1.0, "A1"), Expr(0.5, "B1"), Expr(-3.0, "C1"))
    >>> orange.value, COLOURS[110], orange.formula[:47]
    (110.0, 'FF8000', '(MAX(0,MIN(4,INT(A1*4+0.5)))*5+MAX(0,MIN(4,INT(')
    """
    top = LEVELS - 1
    levels = [largest(0, smallest(top, integer(light * top + 0.5))) for light in (red, green, blue)]
    return (levels[0] * LEVELS + levels[1]) * LEVELS + levels[2]


def paint(sheet: Page, block: Block, lights: Sequence[Expr], owner: str = "") -> None:
    """Fill a block with a picture of red, green and blue light.

    The colours themselves come with `colour`, once for all blocks of a sheet.
    """
    red, green, blue = lights
    sheet.fill(block, code(red, green, blue), style.DOT, owner)


def colour(sheet: Page, blocks: tuple[Block, ...]) -> None:
    """Show the numbers in these blocks as colours."""
    sheet.palettes.append(Palette(blocks, COLOURS))
