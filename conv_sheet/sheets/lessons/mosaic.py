"""Colour pictures in cells: red, green and blue become the number of one of 125 colours, and a rule shows each."""

from collections.abc import Callable
from itertools import product

import numpy as np

from conv_sheet.cells import style
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page, Palette
from conv_sheet.layers import Array

LEVELS = 5
"""Of each of the three lights; the middle one is the grey of a zero where numbers have signs."""

_STEPS = [f"{round(255 * level / (LEVELS - 1)):02X}" for level in range(LEVELS)]
COLOURS = tuple("".join(steps) for steps in product(_STEPS, repeat=3))


def codes(light: Array) -> Array:
    """Numbers of the colours (H, W) nearest to light (3, H, W) from 0 to 1; what is beyond counts as 0 or 1.

    >>> codes(np.array([[[0.0, 1.0]], [[0.0, 0.5]], [[0.0, -3.0]]])).tolist(), COLOURS[110]
    ([[0.0, 110.0]], 'FF8000')
    """
    red, green, blue = np.clip(np.floor(light * (LEVELS - 1) + 0.5), 0, LEVELS - 1)
    numbers: Array = (red * LEVELS + green) * LEVELS + blue
    return numbers


def formula(red: str, green: str, blue: str) -> str:
    """The same of one cell, over what its three lights are.

    >>> formula("A1", "B1", "C1")[:47]
    '(MAX(0,MIN(4,INT(A1*4+0.5)))*5+MAX(0,MIN(4,INT('
    """
    top = LEVELS - 1
    levels = [f"MAX(0,MIN({top},INT({light}*{top}+0.5)))" for light in (red, green, blue)]
    return f"({levels[0]}*{LEVELS}+{levels[1]})*{LEVELS}+{levels[2]}"


def paint(sheet: Page, block: Block, light: Array, cells: Callable[[int, int, int], str], owner: str = "") -> None:
    """Fill a block with a picture of light (3, H, W); `cells` gives the formula of a light at (channel, row, column).

    The colours themselves come with `colour`, once for all blocks of a sheet.
    """
    for (y, x), number in np.ndenumerate(codes(light)):
        lights = [cells(channel, y, x) for channel in range(3)]
        sheet.put(*block.position(y, x), float(number), style.DOT, formula(*lights), owner)


def colour(sheet: Page, blocks: tuple[Block, ...]) -> None:
    """Show the numbers in these blocks as colours."""
    sheet.palettes.append(Palette(blocks, COLOURS))
