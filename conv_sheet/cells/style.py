"""Every visual constant: fonts, fills, colour scales, number formats, sizes."""

import math
from dataclasses import dataclass, replace

FONT = "Calibri"
MONO = "Consolas"

BLACK = "000000"
INK = "1F2A44"
GREY = "5B6578"
EDIT = "1E3A8A"
EDIT_LINE = "DDE4F1"
PALE = "EEF2F8"
PAD = "ECECEC"
ORANGE = "D9730D"
FRAME = "D81B8C"
"""Lines around what a chosen value sees: to be told from ink, from warm maps and from weights."""
AMBER = "FFD966"
STRAW = "FFF4D6"
OCHRE = "8A6100"
WHITE = "FFFFFF"
WARM = "EE7B30"
"""Activations."""
RED, BLUE = "EB7268", "9CC4F8"
"""Weights and gradients above and below zero: the red is the darker one in grey print, too."""
GREEN = "63BE7B"
"""Probabilities."""
GOOD = "C6EFCE"
GOOD_TEXT = "006100"
BAD = "FFC7CE"
BAD_TEXT = "9C0006"


def square(pixels: int) -> tuple[float, float]:
    """Width of a column and height of a row whose cells are squares of so many pixels on Windows.

    The width is in characters of the standard font, which has digits of 7 pixels; the height is in points.

    >>> square(26)
    (3.71, 19.5)
    """
    return round(pixels / 7, 2), pixels * 0.75


CELL_SIDE, SMALL_SIDE, LARGE_SIDE, DOT_SIDE = 26, 20, 30, 11
"""Pixels of square cells: those of maps, those among texts, those to be read from afar, those to look at only."""
CELL_WIDTH, CELL_HEIGHT = square(CELL_SIDE)
SMALL_WIDTH, SMALL_HEIGHT = square(SMALL_SIDE)
DOT_WIDTH, DOT_HEIGHT = square(DOT_SIDE)
LINE_SPACING = 1.36
"""Height of a line of text by the size of its letters."""
NETWORK_ZOOM = 70
"""Per cent at which sheets of square cells open."""
WIDE_ZOOM = 65
"""The same where a sheet is wider than a screen."""
NEAR_ZOOM = 80
"""The same where the numbers are what one looks at."""
LARGE_ZOOM = 110
"""The same of a sheet of large cells."""
LEGIBLE = 9.0
"""Points that a text has at least at the zoom with which its sheet opens."""


@dataclass(frozen=True)
class Style:
    """How a cell looks. `line` is the colour of a thin or dashed border on all sides."""

    size: float = 8
    bold: bool = False
    italic: bool = False
    mono: bool = False
    color: str = INK
    fill: str | None = None
    line: str | None = None
    dashed: bool = False
    format: str = "General"
    horizontal: str | None = None
    vertical: str = "center"
    wrap: bool = False
    shrink: bool = False
    underline: bool = False
    indent: int = 0

    def legible(self, zoom: int) -> "Style":
        """The same for a text on a sheet that opens at some per cent: as large as it must be to be read there.

        >>> Style(size=8).legible(70).size, Style(size=22).legible(70).size
        (13.0, 22)
        """
        least = math.ceil(LEGIBLE * 100 / zoom)
        hidden = self.color == WHITE and self.fill is None
        return self if hidden or self.size >= least else replace(self, size=float(least))


_TENTHS = "[>=0.05]0.0;[<=-0.05]-0.0;"
"""One decimal, and nothing where it would say 0.0."""
HATCHED = '"/"General"/"'
"""A number between strokes."""
_HUNDREDTHS = "[>=0.005]0.00;[<=-0.005]-0.00;"

ACTIVATION = Style(color=BLACK, format=_TENTHS, horizontal="center", shrink=True)
SCORE = replace(ACTIVATION, format="0.00")
PROBABILITY = replace(ACTIVATION, format="0%", bold=True)
DIFFERENCE = replace(ACTIVATION, format="[>=0.05]+0.0;[<=-0.05]-0.0;")
MASK = replace(ACTIVATION, format="0")
CHANGE = replace(ACTIVATION, format="+0%;-0%;0%")
PIXEL = replace(ACTIVATION, line=EDIT_LINE)
WEIGHT = replace(SCORE, line=EDIT_LINE, format="0.00;-0.00;0")
SETTING = replace(ACTIVATION, color=EDIT, line=EDIT_LINE, format="General")
GRADIENT = replace(SCORE, format=_HUNDREDTHS)
LANE = Style(size=9, bold=True, color=OCHRE, fill=STRAW, line=OCHRE)
FOLLOWER = Style(size=9, bold=True, wrap=True, vertical="top")
PADDING = replace(ACTIVATION, color=GREY, fill=PAD, line=GREY, dashed=True, format="0")
COPY = replace(PADDING, format=_TENTHS)
ENGINE = replace(ACTIVATION, italic=True)
ENGINE_SCORE = replace(SCORE, italic=True)
ENGINE_GRADIENT = replace(ENGINE_SCORE, format=_HUNDREDTHS)
ENGINE_COUNT = replace(ENGINE, format="0")
ENGINE_CHANGE = replace(ENGINE, format="[>=0.005]+0%;[<=-0.005]-0%;")

STAGE_TITLE = Style(size=13, bold=True, fill=PALE)
STAGE_SHAPE = Style(size=9, fill=PALE, wrap=True, vertical="top")
STAGE_TORCH = Style(size=9, mono=True, fill=PALE, wrap=True, vertical="top")
STAGE_WORDS = Style(size=9, italic=True, color=GREY, fill=PALE, wrap=True, vertical="top")
SCALE = Style(size=7, color=GREY, format='"±"0.00', horizontal="center", vertical="bottom", shrink=True)
LABEL = Style(size=8, color=GREY)
CHANNEL = replace(LABEL, horizontal="right")
AXIS = Style(size=7, color=GREY, horizontal="center")
NUMBERED = Style(size=8, bold=True, color=EDIT, horizontal="center")
CLASS = Style(size=9, bold=True)
NAMED = replace(CLASS, wrap=True, vertical="bottom")
CLASS_BESIDE = replace(CLASS, horizontal="left", indent=1)
DISTANCE = Style(size=13, fill=PALE, format="0.0E+00", horizontal="left")

TITLE = Style(size=22, bold=True)
SUBTITLE = Style(size=11, color=GREY, wrap=True, vertical="top")
HEADING = Style(size=14, bold=True)
TEXT = Style(size=11, wrap=True, vertical="top")
LINE = Style(size=11)
BOLD_LINE = Style(size=11, bold=True)
LINK = Style(size=11, color=EDIT, underline=True, wrap=True, vertical="top")
LINK_LINE = Style(size=11, color=EDIT, underline=True)
NUMBER = Style(size=11, format="#,##0", horizontal="right")
HEAD = Style(size=10, bold=True, fill=PALE, wrap=True, horizontal="right")
HEAD_LEFT = replace(HEAD, horizontal="left")
RIGHT = replace(LINE, horizontal="right")
LINKED = Style(size=11, bold=True, color=EDIT, underline=True, horizontal="center")
CODE = Style(size=10, mono=True)
CODE_LINES = replace(CODE, wrap=True)
ANSWER = Style(size=36, bold=True, shrink=True)
DONE = Style(size=11, bold=True, color=GOOD_TEXT, vertical="top")
READ = Style(size=11, bold=True, horizontal="left", vertical="top", wrap=True)
PERCENT = Style(size=11, format="0.0%", horizontal="right")
COUNT = Style(size=11, format='0;;"·"', horizontal="right")
DOT = Style(size=6, format=";;;")
TENTHS = replace(PERCENT, format="#,##0.0")
DEVIATION = replace(PERCENT, format="+0.0%;-0.0%;0.0%")
DECIMAL = Style(size=11, format="0.000", horizontal="right")
TOTAL = replace(HEAD, format="#,##0")
NOTE = Style(size=9, italic=True, color=GREY)
LONG_NOTE = replace(NOTE, wrap=True)
SEED = replace(SETTING, size=11, format="0", horizontal="left")
LOSS = replace(DECIMAL, format="0.0000")
RATE = replace(DECIMAL, format="General")
ERROR = replace(DECIMAL, format="0.0E+00")
LONG_LOSS = replace(DECIMAL, format="0.00000000")
STATUS = Style(size=11, fill=PALE, wrap=True)
CHOICE = Style(size=13, bold=True, color=EDIT, line=EDIT_LINE, horizontal="center")
CHOICE_TEXT = replace(CHOICE, size=11, format="@")
LABEL_RIGHT = replace(LINE, bold=True, horizontal="right")
SAYS = Style(size=24, bold=True, shrink=True)
SAID_FIRST = Style(size=11, color=GREY, shrink=True)
SEEN = Style(size=11, color=EDIT, underline=True, shrink=True)
BEST = Style(size=11, shrink=True)
MARK = replace(LINE, format='"◀";;', horizontal="center", color=EDIT)
ASKED = replace(SEED, bold=True, horizontal="center")
GLYPH = Style(size=18, bold=True, color=GREY, horizontal="center")
TINY = Style(size=6, color=GREY, format="0", horizontal="right")
TINY_TENTHS = replace(TINY, format=_TENTHS)
TINY_CHANGE = replace(TINY, format="+0%;-0%;0%")
HIDDEN = Style(size=6, color=WHITE, format=";;;")
KERNEL = replace(SCORE, format="0.0#")
OWN_KERNEL = replace(WEIGHT, format="0.0#")
TYPED = replace(SETTING, size=11, color=BLACK)
WHOLE = Style(size=11, horizontal="center", shrink=True)
BORDER = replace(WHOLE, color=GREY)
SIDE = Style(size=8, color=GREY, horizontal="center")
BEGIN = replace(SIDE, color=OCHRE)
RESULT = replace(WHOLE, bold=True)
SHARE = replace(PERCENT, size=14, bold=True, format="0%")
BY_HAND = Style(size=11, line=GREY, format="0.0#", horizontal="center", shrink=True)
CAPTION = Style(size=8, color=GREY, wrap=True, vertical="top")
PLAIN = Style()
SPEC = Style(size=10, mono=True)

SWATCHES = {
    "pixel": replace(PIXEL, fill=INK, color=WHITE),
    "weight +": replace(WEIGHT, fill=RED),
    "weight −": replace(WEIGHT, fill=BLUE),
    "activation": replace(ACTIVATION, fill=WARM),
    "probability": replace(PROBABILITY, fill=GREEN),
    "padding": PADDING,
}


@dataclass(frozen=True)
class Scale:
    """A colour scale from white at zero to `high`; with `low`, symmetrical down to it.

    `top` is the value that has the full colour: a number, None for the largest value, or the address of a cell.
    `dark` is the value from which on figures are white, None where black ones can be read on all of it.
    """

    high: str
    low: str | None = None
    top: float | str | None = None
    dark: float | None = None


INK_SCALE = Scale(INK, top=1.0, dark=0.645)
WARM_SCALE = Scale(WARM)
PROBABILITY_SCALE = Scale(GREEN, top=1.0)
LIGHTS = {"red": "D7301F", "green": "2E8B57", "blue": "2B6CB0"}
"""The channels of a picture in colour, with the swatches of their labels."""
HIT_SCALE = Scale(GREEN)
DOT_SCALE = Scale(INK, top=1.0)


def inks(steps: int) -> list[tuple[float, str, str | None]]:
    """From the deepest step of `INK_SCALE` to white: from which value on, the fill, the colour of figures that differs.

    >>> inks(2)
    [(0.75, '1F2A44', 'FFFFFF'), (0.25, '8F94A1', None), (-0.25, 'FFFFFF', None)]
    """
    full, dark = bytes.fromhex(INK_SCALE.high), INK_SCALE.dark or 1.0
    made = []
    for step in range(steps, -1, -1):
        share = step / steps
        fill = bytes(int(255 + (part - 255) * share) for part in full).hex().upper()
        made.append((share - 0.5 / steps, fill, WHITE if share > dark else None))
    return made


INKS = inks(10)


def scale_of(probabilities: bool, non_negative: bool) -> Scale | None:
    """The scale of what a layer makes; None where values may be negative, so that it needs a bound: see `diverging`."""
    if probabilities:
        return PROBABILITY_SCALE
    return WARM_SCALE if non_negative else None


def diverging(bound: str) -> Scale:
    """Blue below zero, white at zero, red above; `bound` is the cell that holds the largest absolute value."""
    return Scale(RED, BLUE, bound)
