"""The sheet `Masks`: a hundred masks of the map that `Dropout` shows, one a row, and what each does to the sum."""

import numpy as np

from conv_sheet.cells import style
from conv_sheet.cells import widgets as parts
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.page import Page, Setting
from conv_sheet.layers import Array
from conv_sheet.layers.dropout import random_formula
from conv_sheet.network.layout import Layout
from conv_sheet.sheets.held import Held
from conv_sheet.sheets.lessons.dropout import MASKS, Places, before, changed_by, chosen, kept_by, own, places_of

NAME = "masks"

_LINES = (
    "The first row has the values of the map that the sheet Dropout shows, one row of it after the other. Below, every "
    "row is a mask, green where it keeps a value.",
    "The seed s of a mask and the number n of a value give b = (271,828 · s + 314,159 · n) mod 1,048,571 and a random "
    "r = (b³ mod 1,048,571) / 1,048,571; where r < p, the value is dropped.",
    "Whole numbers of this size are exact in every spreadsheet program: the same seed makes the same mask everywhere.",
)
_HEADS = ("kept", "sum", "change")
_WIDTH = 7.0


def settings(layout: Layout) -> tuple[Setting, ...]:
    """Nothing is chosen here: `Dropout` says which map, `Network` seed and p."""
    return ()


def engine(held: Held) -> list[tuple[Placed, Array]]:
    """Nothing here is the engine's."""
    return []


def page(held: Held) -> Page:
    """The sheet."""
    places = places_of(held.layout)
    strip, wall = places.strip, places.wall
    last = places.result(2).column
    sheet = Page(MASKS, zoom=100, freeze=f"C{wall.row}")
    sheet.widths = {1: 1.5, 2: _WIDTH} | dict.fromkeys(range(strip.column, strip.last_column + 2), style.DOT_WIDTH)
    sheet.widths |= {places.result(number).column: _WIDTH for number in range(len(_HEADS))}
    sheet.heights = dict.fromkeys(range(strip.row, wall.last_row + 1), style.DOT_HEIGHT)
    parts.head(sheet, "A hundred masks for one map", _LINES, last)
    _values(sheet, held, places)
    cell, numbers, seeds = places.setting("p"), _numbers(places), _seeds(places)

    def mask(y: int, x: int) -> str:
        return f"IF({random_formula(numbers.fixed(0, x), seeds.fixed(y))}<{cell},0,1)"

    parts.compute(sheet, wall, kept_by(held, places), style.DOT, mask)
    sheet.scales.append(((wall,), style.PROBABILITY_SCALE))
    _results(sheet, held, places)
    sheet.names["dropout_masks"] = wall
    return sheet


def _numbers(places: Places) -> Block:
    """Number of each value among all of the layer, above the values."""
    return places.strip.part(-1, 0, 1, places.strip.width)


def _seeds(places: Places) -> Block:
    """The seed of each mask, before it."""
    return places.wall.part(0, -1, places.wall.height, 1)


def _values(sheet: Page, held: Held, places: Places) -> None:
    """The map in a row, the numbers of its values, and the seeds."""
    strip, plane, size = places.strip, places.planes[0], places.strip.width
    numbers, seeds, ask = _numbers(places), _seeds(places), places.ask.other()
    counted = np.arange(1.0, size + 1) + chosen(held) * size
    parts.compute(sheet, numbers, counted, style.DOT, lambda _, x: f"({ask}-1)*{size}+{x + 1}")
    parts.compute(
        sheet, strip, before(held, places), style.DOT, lambda _, x: plane.other(x // plane.width, x % plane.width)
    )
    sheet.scales.append(((strip,), style.WARM_SCALE))
    seed = places.setting("seed")
    drawn = np.arange(0.0, seeds.height) + np.floor(own(held, places, "seed"))
    parts.compute(sheet, seeds, drawn, style.TINY, lambda y, _: f"INT({seed})+{y}")
    sheet.put(strip.row, seeds.column, "values", style.TINY)


def _results(sheet: Page, held: Held, places: Places) -> None:
    """What each mask keeps, the sum after, and how far that is from the sum before."""
    strip, wall, p, cell = places.strip, places.wall, own(held, places, "p"), places.setting("p")
    masks, values, total = kept_by(held, places), before(held, places).ravel(), places.sums[0].other()
    kept, after, change = (places.result(number) for number in range(len(_HEADS)))

    def row(y: int) -> str:
        return wall.part(y, 0, 1, wall.width).relative

    for block, head in zip((kept, after, change), _HEADS, strict=True):
        sheet.put(strip.row, block.column, head, style.TINY)
    parts.compute(sheet, kept, masks.sum(axis=1), style.TINY, lambda y, _: f"SUM({row(y)})")
    parts.compute(
        sheet,
        after,
        masks @ values / (1 - p),
        style.TINY_TENTHS,
        lambda y, _: f"SUMPRODUCT({strip.absolute},{row(y)})/(1-{cell})",
    )
    parts.compute(
        sheet,
        change,
        changed_by(held, places),
        style.TINY_CHANGE,
        lambda y, _: f"IF({total}=0,0,{after.cell(y)}/{total}-1)",
    )
