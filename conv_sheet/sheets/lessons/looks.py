"""Looks that some of the lessons' own sheets share."""

from collections.abc import Sequence
from dataclasses import replace

from conv_sheet.cells import style
from conv_sheet.cells.expr import largest, rounded, smallest, text
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page
from conv_sheet.ops import Array

OUTPUT = replace(style.RESULT, fill=style.PALE)
"""A number that comes out."""
TENTHS = replace(style.WHOLE, format="0.0")
NUMBERED = replace(style.SIDE, size=9)
"""The number of a row or of a column."""


def bounded(sheet: Page, at: Block, parts: Sequence[tuple[Block, Array]]) -> None:
    """Colour blocks blue below zero and red above, full at half of the largest; the cell behind `at` says where."""
    ranges = [sheet.near(block, values) for block, values in parts]
    bound = largest(largest(*ranges), -smallest(*ranges)) / 2
    sheet.put(at.row, at.column, bound, style.HIDDEN)
    sheet.put(at.row, at.column + 1, text("full colour from ±", rounded(sheet.cell(at, bound.value), 2)), style.NOTE)
    sheet.scales.append((tuple(block for block, _ in parts), style.diverging(at.absolute)))
