"""The sheet `Images`: pictures to choose from, and one to draw into. The input on `Network` follows the choice."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, integer, sumproduct, text, where
from conv_sheet.cells.formula import Formula
from conv_sheet.cells.grid import Block, Placed, around
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import choose, match
from conv_sheet.cells.page import Mark, Page
from conv_sheet.cells.words import Words
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.pictures.drawings import AND, PICTURES
from conv_sheet.pictures.samples import DIGITS, FIRST, sample
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.addresses import CHOICE, IMAGES, PICTURE
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "images"
NAMES = "images", "images_row", "images_column"
"""Defined names of all pictures, and of where the chosen one begins."""
DRAWING, OWN = "drawing", "own"

_ROW = Block(IMAGES, 4, 8, 1, 1)
_COLUMN = Block(IMAGES, 5, 8, 1, 1)
_LIST_ROW = 6
_FIRST_ROW, _LEFT = 8, 2
_CHOICE_WIDTH = 12
_FOLLOWS = "Every pixel of Network follows this picture."
_TYPED_OVER = " pixels of Network were typed over, and stay as they are: lines mark them there. Reset brings them back."
_SEEN = 74 * style.CELL_SIDE, 38 * style.CELL_SIDE
"""Pixels across and down that a screen shows at the usual zoom, below the head."""
_LEAST_SIDE = 9
"""Pixels of a cell at least."""
_PIXEL = replace(style.DOT, line=style.EDIT_LINE)
"""A pixel that has no room for its number."""


def labels(network: Network, lesson: Lesson) -> tuple[str, ...]:
    """What the pictures are called: an empty one, the user's own, the lesson's, and the samples."""
    samples = samples_of(network)
    first = (lesson.picture,) if lesson.picture and lesson.picture not in samples else ()
    return (DRAWING, OWN, *first, *samples)


def samples_of(network: Network) -> tuple[str, ...]:
    """Labels of the pictures that come with conv-sheet: of classes, alone and together, or else the ten digits."""
    alone = tuple(name for name in network.classes if name in PICTURES)
    together = (name for name in PICTURES if name not in alone and set(name.split(AND)) <= set(alone))
    return (*alone, *together) or DIGITS


def image_name(label: str) -> str:
    """The name of the input that a picture is.

    >>> image_name("digit 7")
    'image_digit_7'
    """
    return "image_" + re.sub(r"\W+", "_", label)


def gallery(layout: Layout, lesson: Lesson) -> dict[str, Input]:
    """The pictures by label, to be typed into: channels below each other."""
    shape = layout.network.input_shape
    channels, height, width = shape
    every = labels(layout.network, lesson)
    down, right = _pitch(shape)
    across = _across(len(every), shape)
    inputs = {}
    for place, label in enumerate(every):
        top, left = _top(shape) + place // across * down, _LEFT + place % across * right
        blocks = tuple(Block(IMAGES, top + c * (height + 1), left, height, width) for c in range(channels))
        first = np.zeros(shape) if label in (DRAWING, OWN) else sample(label, shape)
        inputs[label] = Input(
            image_name(label), Placed(image_name(label), shape, blocks), widgets.pixel_limits(channels), first
        )
    return inputs


def choice(layout: Layout, lesson: Lesson) -> Input:
    """The drop-down."""
    every = labels(layout.network, lesson)
    hint = Limits(choices=every, hint="Choose one of the pictures below.")
    listed = Block(IMAGES, _LIST_ROW, CHOICE.column, 1, len(every))
    return Input(PICTURE, Placed(PICTURE, (), (CHOICE,)), hint, lesson.picture or FIRST, restored=True, listed=listed)


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The choice, and every picture."""
    return (choice(layout, lesson), *gallery(layout, lesson).values())


def _pitch(shape: Sequence[int]) -> tuple[int, int]:
    """Rows and columns from one picture to the next."""
    channels, height, width = shape
    return channels * (height + 1) + 1 + _heads(shape), width + 2


def _heads(shape: Sequence[int]) -> int:
    """Rows over the first channel of a picture: its label, and the swatch of the channel where it has several."""
    return 1 if shape[0] == 1 else 2


def _top(shape: Sequence[int]) -> int:
    return _FIRST_ROW + _heads(shape)


def _across(count: int, shape: Sequence[int]) -> int:
    """How many pictures stand in a row, so that all of them are as large as can be on a screen."""
    return max(range(1, count + 1), key=lambda across: _side(count, across, shape))


def _side(count: int, across: int, shape: Sequence[int]) -> float:
    """Pixels of a cell with which all pictures are in sight, so many in a row."""
    (down, right), texts, below = _pitch(shape), _heads(shape) + shape[0] - 1, -(-count // across)
    room = _SEEN[1] / below - texts * style.CELL_SIDE
    return min(_SEEN[0] / (across * right), room / (down - texts), style.CELL_SIDE)


def input_formula(layout: Layout, lesson: Lesson) -> Formula:
    """Formula of each input value: the same place of the chosen picture.

    It looks among the pictures only: the head of the sheet says what the network makes of them, which were a circle.
    """
    whole = _whole(layout, lesson).reference
    height = layout.network.input_shape[1]

    def pixel(channel: int, y: int, x: int) -> str:
        down = f"{_ROW.prefix}{_ROW.fixed()}+{channel * (height + 1) + y}"
        return f"INDEX({whole},{down},{_COLUMN.prefix}{_COLUMN.fixed()}+{x})"

    return Formula(pixel)


def _whole(layout: Layout, lesson: Lesson) -> Block:
    """All pictures, with what stands between them."""
    return around(tuple(block for item in gallery(layout, lesson).values() for block in item.placed.blocks))


def moved(layout: Layout) -> list[Mark]:
    """Lines around the input values on `Network` that are not those of the chosen picture."""
    height, marks = layout.network.input_shape[1], []
    for channel, block in enumerate(layout.input.blocks):
        whole, first_row, first_column = NAMES
        y, x = f"ROW()-{block.row}+{channel * (height + 1)}", f"COLUMN()-{block.column}"
        formula = f"{block.cell()}<>INDEX({whole},{first_row}+{y},{first_column}+{x})"
        marks.append(Mark(block, formula, line=style.ORANGE))
    return marks


def followed(state: WorkbookState) -> Array | None:
    """Which input values are those of the chosen picture, (C, H, W) of bool: the others were typed over.

    None where the workbook has no such sheet.
    """
    if NAME not in state.lesson.sheets:
        return None
    chosen = state.text(choice(state.layout, state.lesson))
    same: Array = state.image == state.array(gallery(state.layout, state.lesson)[chosen])
    return same


def page(state: WorkbookState) -> Page:
    """The sheet with every picture, all of them to be typed into."""
    layout, shape = state.layout, state.network.input_shape
    pictures = gallery(layout, state.lesson)
    last = max(block.last_column for item in pictures.values() for block in item.placed.blocks)
    side = max(_LEAST_SIDE, int(_side(len(pictures), _across(len(pictures), shape), shape)))
    sheet = widgets.frame(IMAGES, max(last, 60), style.NETWORK_ZOOM, side)
    sheet.freeze = f"A{_FIRST_ROW}"
    choose, follows = "Choose in the box, or draw", "The sheet Network follows at once. The picture own is yours"
    hint = Words(
        f"{choose}: zoom in and type {widgets.light(shape[0])} into any picture. {follows}: "
        "conv-sheet build … --image FILE fills it.",
        browser=f"{choose} into any picture, with the mouse or a finger. {follows}.",
    )
    columns = cockpit.columns(side)
    cockpit.head(sheet, state, "Images: which picture goes into the network?", [hint], columns)
    sheet.heights |= {CHOICE.row: 24} | dict.fromkeys((_ROW.row, _COLUMN.row, _LIST_ROW), 6)
    sheet.heights |= {
        block.row - row: style.CELL_HEIGHT
        for item in pictures.values()
        for block in item.placed.blocks
        for row in range(1, (_heads(shape) if block is item.at else 1) + 1)
    }
    _chooser(sheet, state)
    _followers(sheet, state, columns[0][0] - 2)
    for label, item in pictures.items():
        sheet.put(item.at.row - _heads(shape), item.at.column, label, style.CLASS)
        sheet.input(item, state[item], style.PIXEL if side == style.CELL_SIDE else _PIXEL)
        widgets.shades(sheet, item.placed.blocks)
    return sheet


def _chooser(sheet: Page, state: WorkbookState) -> None:
    """The drop-down, and where the chosen picture begins, counted from the corner of the first one."""
    item = choice(state.layout, state.lesson)
    every = [str(label) for label in item.limits.choices]
    sheet.span(CHOICE.row, 2, 7, "sees", style.HEADING)
    sheet.input(item, state[item], style.CHOICE, _CHOICE_WIDTH)
    sheet.fill(Block(IMAGES, _LIST_ROW, CHOICE.column, 1, len(every)), np.array([every], dtype=object), style.HIDDEN)
    place = match(sheet.cell(CHOICE, state.text(item)), _listed(sheet, state)) - 1
    shape = state.network.input_shape
    down, right = _pitch(shape)
    across = _across(len(every), shape)
    sheet.span(_ROW.row, 2, 7, "its first row", style.HIDDEN)
    sheet.put(_ROW.row, _ROW.column, 1 + integer(place / across) * down, style.HIDDEN)
    sheet.span(_COLUMN.row, 2, 7, "its first column", style.HIDDEN)
    sheet.put(_COLUMN.row, _COLUMN.column, 1 + place % across * right, style.HIDDEN)
    sheet.names |= dict(zip(NAMES, (_whole(state.layout, state.lesson), _ROW, _COLUMN), strict=True))


def _listed(sheet: Page, state: WorkbookState) -> Expr:
    """The names of all pictures, one beside the other."""
    every = labels(state.network, state.lesson)
    return sheet.range(Block(IMAGES, _LIST_ROW, CHOICE.column, 1, len(every)), np.array(every, dtype=object))


def _followers(sheet: Page, state: WorkbookState, last: int) -> None:
    """How many input values were typed over, and the way back."""
    pixels = list(zip(state.layout.input.blocks, state.image, strict=True))
    pictures = gallery(state.layout, state.lesson)

    def others(label: str) -> Expr:
        planes = zip(pixels, pictures[label].placed.blocks, state.array(pictures[label]), strict=True)
        apart = (sheet.near(one, now) - sheet.near(other, drawn) for (one, now), other, drawn in planes)
        first, *rest = (sumproduct((difference * difference > 0) * 1) for difference in apart)
        return sum(rest, start=first)

    place = match(sheet.cell(CHOICE, state.text(choice(state.layout, state.lesson))), _listed(sheet, state))
    count = choose(place, *map(others, pictures))
    at = Block(IMAGES, CHOICE.row, CHOICE.column + _CHOICE_WIDTH + 1, 1, 1)
    sheet.put(_ROW.row, at.column, count, style.HIDDEN)
    typed = sheet.cell(at.part(1, 0, 1, 1), count.value)
    words = where(typed == 0, _FOLLOWS, text(typed, _TYPED_OVER))
    sheet.span(at.row, at.column, last, words, style.LINE)


SHEET = Sheet(IMAGES, page, NAME, inputs)
