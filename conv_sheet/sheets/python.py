"""The sheet `Python`: what Python did last, whether the formulas agree with it, and the seed of random kernels."""

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import is_number, largest, none_of, where
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.page import Mark, Page
from conv_sheet.cells.words import Words
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.sheets import buttons
from conv_sheet.sheets.addresses import DISTANCE, PYTHON, SEED, STATUS, STATUS_LABEL, TOLERANCE
from conv_sheet.sheets.numpy import distances
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

RANDOM_SEED = "random_seed"
LARGEST_SEED = 999_999
_RIGHT = 8
_BUTTON_ROW = 8
_LINES = (
    Words(
        "The network is made of formulas and needs no Python. Python is the second account: it calculates "
        "the same network with NumPy, and its numbers stand on the sheet NumPy.",
        browser="Every cell of this page is a formula, and follows what you change. Python calculated the same network "
        "with NumPy, and its numbers stay on the sheet NumPy: the button Reset brings back what they belong to.",
    ),
)
_AGREE = "Formulas and Python agree on every number."
_AHEAD = "The formulas are ahead of Python: NumPy shows what it made before."
_BROKEN = "A formula is broken: some cell holds an error. The sheet NumPy says in which layer."


def seed(layout: Layout, lesson: Lesson) -> Input:
    """What random kernels are drawn with."""
    hint = f"A whole number from 0 to {LARGEST_SEED}."
    return Input.cell(RANDOM_SEED, SEED, 1.0, Limits(0, LARGEST_SEED, whole=True, hint=hint))


def page(state: WorkbookState) -> Page:
    """The sheet."""
    sheet = Page(PYTHON, widths={1: 2.0, 2: 20.0} | dict.fromkeys(range(3, _RIGHT + 1), 15.0))
    widgets.head(sheet, "Python: does it agree?", _LINES, _RIGHT)
    sheet.heights |= {STATUS.row: 20, DISTANCE.row: 20, SEED.row: 20}
    sheet.put(STATUS.row, 2, STATUS_LABEL, style.LINE)
    sheet.span(STATUS.row, 3, _RIGHT, state.status, style.STATUS)
    _distance(sheet, state)
    _seed(sheet, state)
    buttons.add(sheet, _BUTTON_ROW, ((2, 2), (3, 3), (4, 4)))
    sheet.span(_BUTTON_ROW + 1, 2, _RIGHT, buttons.WAY_OUT, style.NOTE)
    sheet.names |= {"status": STATUS, "distance": DISTANCE}
    return sheet


def _distance(sheet: Page, state: WorkbookState) -> None:
    """The largest distance: green where there is none, amber where the formulas have moved, red where one is broken."""
    sheet.put(DISTANCE.row, 2, "largest distance", style.LINE)
    apart = largest(*distances(sheet, state))
    sheet.put(DISTANCE.row, 3, apart, style.DISTANCE)
    cell = sheet.cell(DISTANCE, apart.value)
    agree, known = cell <= TOLERANCE, is_number(cell)
    sheet.span(DISTANCE.row, 4, _RIGHT, where(known, where(agree, _AGREE, _AHEAD), _BROKEN), style.LINE)
    for formula, fill, color in (
        (where(known, agree, False).formula, style.GOOD, style.GOOD_TEXT),
        (where(known, cell > TOLERANCE, False).formula, style.AMBER, style.INK),
        (none_of(known).formula, style.BAD, style.BAD_TEXT),
    ):
        sheet.marks.append(Mark(DISTANCE, formula, fill, color=color))


def _seed(sheet: Page, state: WorkbookState) -> None:
    sheet.put(SEED.row, 2, "seed", style.LINE)
    item = seed(state.layout, state.lesson)
    sheet.input(item, state[item], style.SEED)
    drawn = Words(
        "what Random kernels draws with: another number, other kernels",
        browser="of use in a workbook: the button Random kernels of this page draws others each time",
    )
    none = "of no use here: the network has no weights that could be drawn"
    sheet.span(SEED.row, 4, _RIGHT, drawn if any(state.network.trainable()) else none, style.LINE)


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The seed."""
    return (seed(layout, lesson),)


SHEET = Sheet(PYTHON, page, inputs=inputs)
