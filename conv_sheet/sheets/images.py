"""The sheet `Images`: pictures to choose from, and one to draw into. The input on `Network` follows the choice."""

import re
from collections.abc import Sequence

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import integer
from conv_sheet.cells.formula import Formula
from conv_sheet.cells.grid import Block, Placed, around
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import match
from conv_sheet.cells.page import Page
from conv_sheet.cells.words import Words
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.pictures.drawings import PICTURES
from conv_sheet.pictures.samples import DIGITS, FIRST, sample
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

NAME = "images"
IMAGES = "Images"
CHOICE = "picture"
DRAWING, OWN = "drawing", "own"

_CHOICE = Block(IMAGES, 3, 8, 1, 1)
_ROW = Block(IMAGES, 4, 8, 1, 1)
_COLUMN = Block(IMAGES, 5, 8, 1, 1)
_LIST_ROW = 6
_TOP, _LEFT = 9, 2
_ACROSS = 6
_CHOICE_WIDTH = 6


def labels(network: Network, lesson: Lesson) -> tuple[str, ...]:
    """What the pictures are called: an empty one, the user's own, the lesson's, and the samples."""
    samples = samples_of(network)
    first = (lesson.picture,) if lesson.picture and lesson.picture not in samples else ()
    return (DRAWING, OWN, *first, *samples)


def samples_of(network: Network) -> tuple[str, ...]:
    """Labels of the pictures that come with conv-sheet: those that classes are named after, or else the ten digits."""
    return tuple(name for name in network.classes if name in PICTURES) or DIGITS


def image_name(label: str) -> str:
    """The name of the input that a picture is.

    >>> image_name("digit 7")
    'image_digit_7'
    """
    return "image_" + re.sub(r"\W+", "_", label)


def gallery(layout: Layout, lesson: Lesson) -> dict[str, Input]:
    """The pictures by label, to be typed into: channels below each other, six pictures in a row."""
    shape = layout.network.input_shape
    channels, height, width = shape
    down, right = _pitch(shape)
    inputs = {}
    for place, label in enumerate(labels(layout.network, lesson)):
        top, left = _TOP + place // _ACROSS * down, _LEFT + place % _ACROSS * right
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
    listed = Block(IMAGES, _LIST_ROW, _CHOICE.column, 1, len(every))
    return Input(CHOICE, Placed(CHOICE, (), (_CHOICE,)), hint, lesson.picture or FIRST, restored=True, listed=listed)


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The choice, and every picture."""
    return (choice(layout, lesson), *gallery(layout, lesson).values())


def _pitch(shape: Sequence[int]) -> tuple[int, int]:
    channels, height, width = shape
    return channels * (height + 1) + 2, width + 2


def input_formula(layout: Layout, lesson: Lesson) -> Formula:
    """Formula of each input value: the same place of the chosen picture."""
    pictures = (block for item in gallery(layout, lesson).values() for block in item.placed.blocks)
    whole = around((Block(IMAGES, 1, 1, 1, 1), *pictures)).reference
    height = layout.network.input_shape[1]

    def pixel(channel: int, y: int, x: int) -> str:
        down = f"{_ROW.prefix}{_ROW.fixed()}+{channel * (height + 1) + y}"
        return f"INDEX({whole},{down},{_COLUMN.prefix}{_COLUMN.fixed()}+{x})"

    return Formula(pixel)


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
    sheet = widgets.frame(IMAGES, max(last, 60), style.NETWORK_ZOOM)
    sheet.freeze = f"A{_TOP - 1}"
    sheet.heights |= {1: 30, _CHOICE.row: 24} | dict.fromkeys((_ROW.row, _COLUMN.row, _LIST_ROW), 6)
    sheet.span(1, 2, 40, "Images: which picture goes into the network?", style.TITLE)
    choose, follows = "Choose in the box, or draw", "The sheet Network follows at once. The picture own is yours"
    hint = Words(
        f"{choose}: type {widgets.light(shape[0])} into any picture. {follows}: "
        "conv-sheet build … --image FILE fills it.",
        browser=f"{choose} into any picture, with the mouse or a finger. {follows}.",
    )
    sheet.span(2, 2, 40, hint, style.STAGE_WORDS)
    _chooser(sheet, state)
    for label, item in pictures.items():
        widgets.caption(sheet, item.at, label, style.CLASS)
        sheet.input(item, state[item], style.PIXEL)
        widgets.shades(sheet, item.placed.blocks)
    return sheet


def _chooser(sheet: Page, state: WorkbookState) -> None:
    """The drop-down, and where the chosen picture begins, counted from the corner of the sheet."""
    item = choice(state.layout, state.lesson)
    every = [str(label) for label in item.limits.choices]
    sheet.span(_CHOICE.row, 2, 7, "the network sees", style.HEADING)
    sheet.input(item, state[item], style.CHOICE, _CHOICE_WIDTH)
    listed = Block(IMAGES, _LIST_ROW, _CHOICE.column, 1, len(every))
    sheet.fill(listed, np.array([every], dtype=object), style.HIDDEN)
    place = match(sheet.cell(_CHOICE, state.text(item)), sheet.range(listed, np.array(every, dtype=object))) - 1
    down, right = _pitch(state.network.input_shape)
    sheet.span(_ROW.row, 2, 7, "its first row", style.HIDDEN)
    sheet.put(_ROW.row, _ROW.column, _TOP + integer(place / _ACROSS) * down, style.HIDDEN)
    sheet.span(_COLUMN.row, 2, 7, "its first column", style.HIDDEN)
    sheet.put(_COLUMN.row, _COLUMN.column, _LEFT + place % _ACROSS * right, style.HIDDEN)


SHEET = Sheet(IMAGES, page, NAME, inputs)
