"""The sheet `Images`: pictures to choose from, and one to draw into. The input on `Network` follows the choice."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from conv_sheet.cells import style
from conv_sheet.cells import widgets as parts
from conv_sheet.cells.grid import Block, Placed, around, quote
from conv_sheet.cells.page import Page, Setting
from conv_sheet.layers import Array, Formula
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.pictures.drawings import PICTURES
from conv_sheet.sheets.held import Held

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
    return tuple(name for name in network.classes if name in PICTURES) or tuple(f"digit {n}" for n in range(10))


def number(network: Network, lesson: Lesson, label: str) -> int:
    """Place of a picture among all."""
    return labels(network, lesson).index(label)


def gallery(layout: Layout, lesson: Lesson) -> dict[str, Placed]:
    """Where each picture stands, by label: its channels below each other, six pictures in a row."""
    channels, height, width = layout.network.input_shape
    places = {}
    for place, label in enumerate(labels(layout.network, lesson)):
        top, left = _corner(layout.network, place)
        blocks = tuple(Block(IMAGES, top + c * (height + 1), left, height, width) for c in range(channels))
        places[label] = Placed(label, layout.network.input_shape, blocks)
    return places


def _pitch(network: Network) -> tuple[int, int]:
    channels, height, width = network.input_shape
    return channels * (height + 1) + 2, width + 2


def _corner(network: Network, place: int) -> tuple[int, int]:
    down, right = _pitch(network)
    return _TOP + place // _ACROSS * down, _LEFT + place % _ACROSS * right


def input_formula(layout: Layout, lesson: Lesson) -> Formula:
    """Formula of each input value: the same place of the chosen picture."""
    area = Block(IMAGES, 1, 1, 1, 1)
    whole = around((area, *(block for placed in gallery(layout, lesson).values() for block in placed.blocks))).reference
    height = layout.network.input_shape[1]
    row, column = f"{quote(IMAGES)}!{_ROW.fixed()}", f"{quote(IMAGES)}!{_COLUMN.fixed()}"

    def pixel(channel: int, y: int, x: int) -> str:
        return f"INDEX({whole},{row}+{channel * (height + 1) + y},{column}+{x})"

    return Formula(pixel)


def settings(layout: Layout, lesson: Lesson) -> tuple[Setting, ...]:
    """The drop-down."""
    every = labels(layout.network, lesson)
    start = lesson.picture or "digit 7"
    return (Setting(CHOICE, _CHOICE, start, "Choose one of the pictures below.", choices=every),)


@dataclass(frozen=True)
class Images:
    """The sheet of a lesson."""

    lesson: Lesson

    def settings(self, layout: Layout) -> tuple[Setting, ...]:
        return settings(layout, self.lesson)

    def engine(self, held: Held) -> list[tuple[Placed, Array]]:
        return []

    def page(self, held: Held) -> Page:
        return page(held)


def page(held: Held) -> Page:
    """The sheet with every picture, all of them to be typed into."""
    layout, network = held.layout, held.network
    (choice,) = settings(layout, held.lesson)
    chosen = str(held.chosen[CHOICE])
    sheet = Page(IMAGES, zoom=style.NETWORK_ZOOM, default_width=style.CELL_WIDTH, default_height=style.CELL_HEIGHT)
    places = gallery(layout, held.lesson)
    last = max(block.last_column for placed in places.values() for block in placed.blocks)
    sheet.widths = dict.fromkeys(range(2, max(last, 60) + 1), style.CELL_WIDTH) | {1: 1.5}
    sheet.freeze = f"A{_TOP - 1}"
    sheet.heights |= {1: 30, _CHOICE.row: 24} | dict.fromkeys((_ROW.row, _COLUMN.row, _LIST_ROW), 6)
    sheet.span(1, 2, 40, "Images: which picture goes into the network?", style.TITLE)
    hint = (
        f"Choose in the box, or draw: type {parts.light(network.input_shape[0])} into any picture. The sheet Network "
        "follows at once. The picture own is yours: conv-sheet build … --image FILE fills it."
    )
    sheet.span(2, 2, 40, hint, style.STAGE_WORDS)
    _chooser(sheet, held, choice, chosen)
    for label, placed in places.items():
        sheet.put(placed.blocks[0].row - 1, placed.blocks[0].column, label, style.CLASS)
        sheet.fill(placed.blocks, placed.planes(held.pictures[label]).tolist(), style.PIXEL)
        parts.pixels(sheet, placed.blocks)
    return sheet


def _chooser(sheet: Page, held: Held, choice: Setting, chosen: str) -> None:
    """The drop-down, and where the chosen picture begins, counted from the corner of the sheet."""
    network, every = held.network, labels(held.network, held.lesson)
    sheet.span(_CHOICE.row, 2, 7, "the network sees", style.HEADING)
    sheet.setting(choice, chosen, style.CHOICE)
    for column in range(_CHOICE.column + 1, _CHOICE.column + _CHOICE_WIDTH):
        sheet.put(_CHOICE.row, column, None, style.CHOICE)
    sheet.merges.append(Block(IMAGES, _CHOICE.row, _CHOICE.column, 1, _CHOICE_WIDTH))
    for place, label in enumerate(every):
        sheet.put(_LIST_ROW, _CHOICE.column + place, label, style.HIDDEN)
    listed = Block(IMAGES, _LIST_ROW, _CHOICE.column, 1, len(every))
    position = f"(MATCH({_CHOICE.fixed()},{listed.absolute},0)-1)"
    (top, left), (down, right) = _corner(network, every.index(chosen)), _pitch(network)
    sheet.span(_ROW.row, 2, 7, "its first row", style.HIDDEN)
    sheet.put(_ROW.row, _ROW.column, float(top), style.HIDDEN, f"{_TOP}+INT({position}/{_ACROSS})*{down}")
    sheet.span(_COLUMN.row, 2, 7, "its first column", style.HIDDEN)
    sheet.put(_COLUMN.row, _COLUMN.column, float(left), style.HIDDEN, f"{_LEFT}+MOD({position},{_ACROSS})*{right}")


def followed(held: Held) -> Array:
    """Which input values are those of the chosen picture, (C, H, W) of bool: the others were typed over."""
    same: Array = held.image == held.pictures[str(held.chosen[CHOICE])]
    return same


def empty(network: Network, lesson: Lesson) -> Mapping[str, Array]:
    """The pictures that a workbook has where nobody has drawn any."""
    return {label: np.zeros(network.input_shape) for label in labels(network, lesson)}
