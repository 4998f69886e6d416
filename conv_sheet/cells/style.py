"""Every visual constant: fonts, fills, colour scales, number formats, sizes."""

from dataclasses import dataclass, replace

FONT = "Calibri"
MONO = "Consolas"

INK = "1F2A44"
GREY = "7A8599"
EDIT = "1E3A8A"
EDIT_LINE = "A9BFEA"
PALE = "EEF2F8"
PAD = "ECECEC"
ORANGE = "D9730D"
AMBER = "FFD966"
STRAW = "FFF4D6"
OCHRE = "B7860B"
WHITE = "FFFFFF"
RED = "F8696B"
BLUE = "7FB1F2"
ROSE = "FA9C9D"
SLATE = "8FA3BF"
GREEN = "63BE7B"
GOOD = "C6EFCE"
GOOD_TEXT = "006100"
BAD = "FFC7CE"
BAD_TEXT = "9C0006"

CELL_WIDTH = 3.71
"""Column width, in characters of the standard font, that is 26 pixels wide on Windows."""
CELL_HEIGHT = 19.5
"""Row height in points: 26 pixels, so that cells are square."""
DOT_WIDTH = 0.83
"""Column width of a picture to look at only: 11 pixels on Windows."""
DOT_HEIGHT = 8.25
"""Row height of such a picture in points: 11 pixels."""
NETWORK_ZOOM = 70


@dataclass(frozen=True)
class Style:
    """How a cell looks. `line` is the colour of a thin border on all sides."""

    size: float = 8
    bold: bool = False
    italic: bool = False
    mono: bool = False
    color: str = INK
    fill: str | None = None
    line: str | None = None
    format: str = "General"
    horizontal: str | None = None
    vertical: str = "center"
    wrap: bool = False
    shrink: bool = False
    underline: bool = False
    indent: int = 0


ACTIVATION = Style(format="0.0", horizontal="center", shrink=True)
SCORE = replace(ACTIVATION, format="0.00")
PROBABILITY = replace(ACTIVATION, format="0%", bold=True)
MASK = replace(ACTIVATION, format="0")
CHANGE = replace(ACTIVATION, format="+0%;-0%;0%")
PIXEL = replace(ACTIVATION, color=EDIT, line=EDIT_LINE)
WEIGHT = replace(PIXEL, format="0.00")
SETTING = replace(PIXEL, format="General")
GRADIENT = replace(SCORE, format="0.00;-0.00;0")
FOLLOWER = Style(size=9, bold=True, wrap=True, vertical="top")
PADDING = replace(ACTIVATION, color=GREY, fill=PAD, format="0")
COPY = replace(PADDING, format="0.0")
ENGINE = replace(ACTIVATION, color=GREY)
ENGINE_SCORE = replace(SCORE, color=GREY)
ENGINE_COUNT = replace(ENGINE, format="0")
ENGINE_PROBABILITY = replace(PROBABILITY, color=GREY)

STAGE_TITLE = Style(size=13, bold=True, fill=PALE)
STAGE_SHAPE = Style(size=9, fill=PALE)
STAGE_TORCH = Style(size=9, mono=True, fill=PALE, wrap=True, vertical="top")
STAGE_WORDS = Style(size=9, italic=True, color=GREY, fill=PALE, wrap=True, vertical="top")
SCALE = Style(size=7, color=GREY, format='"±"0.00', horizontal="center", vertical="bottom", shrink=True)
LABEL = Style(size=8, color=GREY)
AXIS = Style(size=7, color=GREY, horizontal="center")
NUMBERED = Style(size=8, bold=True, color=EDIT, horizontal="center")
CLASS = Style(size=9, bold=True)
CLASS_BESIDE = replace(CLASS, horizontal="left", indent=1)
DISTANCE = Style(size=9, fill=PALE, format="0.0E+00", horizontal="left")

TITLE = Style(size=22, bold=True)
SUBTITLE = Style(size=11, color=GREY, wrap=True, vertical="top")
HEADING = Style(size=14, bold=True)
TEXT = Style(size=11, wrap=True, vertical="top")
LINE = Style(size=11)
LINK = Style(size=11, color=EDIT, underline=True, wrap=True, vertical="top")
LINK_LINE = Style(size=11, color=EDIT, underline=True)
NUMBER = Style(size=11, format="#,##0", horizontal="right")
HEAD = Style(size=10, bold=True, fill=PALE, wrap=True, horizontal="right")
HEAD_LEFT = replace(HEAD, horizontal="left")
RIGHT = replace(LINE, horizontal="right")
LINKED = Style(size=11, bold=True, color=EDIT, underline=True, horizontal="center")
CODE = Style(size=10, mono=True)
ANSWER = Style(size=36, bold=True, horizontal="center")
PERCENT = Style(size=11, format="0.0%", horizontal="right")
COUNT = Style(size=11, format='0;;"·"', horizontal="right")
DOT = Style(size=6, format=";;;")
TENTHS = replace(PERCENT, format="#,##0.0")
DEVIATION = replace(PERCENT, format="+0.0%;-0.0%;0.0%")
DECIMAL = Style(size=11, format="0.000", horizontal="right")
TOTAL = replace(HEAD, format="#,##0")
NOTE = Style(size=9, italic=True, color=GREY)
SEED = replace(WEIGHT, size=11, format="0", horizontal="left")
LOSS = replace(DECIMAL, format="0.0000")
LONG_LOSS = replace(DECIMAL, format="0.00000000")
STATUS = Style(size=11, fill=PALE, wrap=True)
CHOICE = Style(size=13, bold=True, color=EDIT, line=EDIT_LINE, horizontal="center")
CHOICE_TEXT = replace(CHOICE, size=11, format="@")
SAYS = replace(LINE, bold=True, horizontal="right")
MARK = replace(LINE, format='"◀";;', horizontal="center", color=EDIT)
ASKED = replace(SEED, bold=True, horizontal="center")
GLYPH = Style(size=18, bold=True, color=GREY, horizontal="center")
TINY = Style(size=6, color=GREY, format="0", horizontal="right")
TINY_TENTHS = replace(TINY, format="0.0")
TINY_CHANGE = replace(TINY, format="+0%;-0%;0%")
HIDDEN = Style(size=6, color=WHITE)
KERNEL = replace(SCORE, format="0.0#")
OWN_KERNEL = replace(WEIGHT, format="0.0#")
TYPED = replace(WEIGHT, size=11, format="General")
WHOLE = Style(size=11, horizontal="center", shrink=True)
BORDER = replace(WHOLE, color=GREY)
SIDE = Style(size=8, color=GREY, horizontal="center")
BEGIN = replace(SIDE, color=OCHRE)
RESULT = replace(WHOLE, bold=True)
SHARE = replace(PERCENT, size=14, bold=True, format="0%")
CAPTION = Style(size=8, color=GREY, wrap=True, vertical="top")
PLAIN = Style()
SPEC = Style(size=10, mono=True)

SWATCHES = {
    "pixel": replace(PIXEL, fill=SLATE),
    "weight +": replace(WEIGHT, fill=ROSE),
    "weight −": replace(WEIGHT, fill=BLUE),
    "activation": replace(ACTIVATION, fill=RED),
    "probability": replace(PROBABILITY, fill=GREEN),
    "padding": PADDING,
}


@dataclass(frozen=True)
class Scale:
    """A colour scale from white at zero to `high`; with `low`, symmetrical down to it.

    `top` is the value that has the full colour: a number, None for the largest value, or the address of a cell.
    """

    high: str
    low: str | None = None
    top: float | str | None = None


INK_SCALE = Scale(SLATE, top=1.0)
WARM_SCALE = Scale(RED)
PROBABILITY_SCALE = Scale(GREEN, top=1.0)
CHANNEL_SCALES = (Scale(RED, top=1.0), Scale(GREEN, top=1.0), Scale(BLUE, top=1.0))
"""How bright red, green and blue are in a picture of three channels."""
HIT_SCALE = Scale(GREEN)
DOT_SCALE = Scale(INK, top=1.0)


def diverging(bound: str) -> Scale:
    """Blue below zero, white at zero, red above; `bound` is the cell that holds the largest absolute value."""
    return Scale(ROSE, BLUE, bound)
