"""What a sheet holds, as compact blocks of JSON: a pattern for many formulas, rectangles of equal looks.

The form is described in `data.js`. Values of formulas are left out: the page calculates.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

import numpy as np

from conv_sheet.cells.formula import mover
from conv_sheet.cells.grid import Block, column_letters
from conv_sheet.cells.overlap import occupied
from conv_sheet.cells.page import Cell, Fill, Page, Value
from conv_sheet.cells.style import Style
from conv_sheet.cells.words import in_browser
from conv_sheet.errors import WorkbookError

Json = dict[str, Any]
Look = Callable[[Style], int]
"""The number of a style."""
Require = Callable[[str, str], None]
"""Raises WorkbookError where the page cannot calculate a formula, at an address."""
_NUMBER = re.compile(r"""("(?:[^"]|"")*"|'(?:[^']|'')*'!|[A-Za-z_$][\w.$]*)|(\d+\.?\d*(?:[Ee][-+]?\d+)?)""")
_LONGEST_WHOLE = 1e15
_Position = tuple[int, int]


def place(block: Block) -> list[int]:
    """Row, column, height and width, and the steps where values stand further apart.

    >>> place(Block("S", 2, 3, 4, 5)), place(Block("S", 2, 3, 4, 5, (2, 2)))
    ([2, 3, 4, 5], [2, 3, 4, 5, 2, 2])
    """
    sizes = [block.row, block.column, block.height, block.width]
    return sizes if block.step == (1, 1) else [*sizes, *block.step]


def contents(page: Page, look: Look, require: Require) -> Json:
    """`blocks` and `cells` of a sheet.

    Raises WorkbookError where two contents stand in one cell, a number is none, or a formula is unknown to the page.
    """
    occupied(page)
    maker = _Maker(page.title, look, require)
    for fill in page.fills:
        maker.fill(fill)
    maker.singles(page.singles)
    return {"blocks": maker.blocks, "cells": maker.cells}


class _Maker:
    """Blocks and single cells of a sheet, while they are put together."""

    def __init__(self, title: str, look: Look, require: Require) -> None:
        self.title = title
        self.look = look
        self.require = require
        self.blocks: list[Json] = []
        self.cells: list[list[Any]] = []

    def fill(self, fill: Fill) -> None:
        made: Json = {"at": place(fill.block), "style": self.look(fill.style)}
        if fill.formula is None:
            self.blocks.append(made | self.values(fill))
            return
        if fill.shared:
            first = fill.formula(0, 0) or ""
            self.require(first, self.where(fill.block.row, fill.block.column))
            self.blocks.append(made | {"formula": first})
            return
        formulas = [fill.formula(y, x) for y in range(fill.block.height) for x in range(fill.block.width)]
        complete = [formula for formula in formulas if formula is not None]
        if len(complete) < len(formulas):
            self.mixed(fill, formulas)
            return
        pattern = _pattern(fill.block, complete)
        self.blocks.append(made | pattern)
        single = pattern.get("formulas", complete[:1])
        for at, formula in zip(fill.block.positions(), single, strict=False):
            self.require(formula, self.where(*at))

    def values(self, fill: Fill) -> Json:
        plain = [self.plain(value, *at) for at, value in zip(fill.block.positions(), _flat(fill.values), strict=True)]
        return {} if all(value is None for value in plain) else {"values": plain}

    def mixed(self, fill: Fill, formulas: Iterable[str | None]) -> None:
        """A block of which only some cells have formulas: a picture that was typed into in part."""
        flat = zip(fill.block.positions(), _flat(fill.values), formulas, strict=True)
        self.singles({at: Cell(value, fill.style, formula) for at, value, formula in flat})

    def singles(self, cells: Mapping[_Position, Cell]) -> None:
        """Single cells; neighbours that are empty or hold numbers, and look alike, become blocks."""
        kinds = {at: self.kind(cell) for at, cell in cells.items()}
        for (row, column), height, width in _rectangles(kinds):
            cell = cells[row, column]
            if height * width == 1:
                self.single(row, column, cell)
                continue
            block = Block(self.title, row, column, height, width)
            made: Json = {"at": place(block), "style": self.look(cell.style)}
            if cell.value is not None:
                made["values"] = [self.plain(cells[at].value, *at) for at in block.positions()]
            self.blocks.append(made)

    def single(self, row: int, column: int, cell: Cell) -> None:
        if cell.formula is None:
            self.cells.append([row, column, self.look(cell.style), self.plain(cell.value, row, column)])
            return
        self.require(cell.formula, self.where(row, column))
        self.cells.append([row, column, self.look(cell.style), None, cell.formula])

    def kind(self, cell: Cell) -> object:
        """What neighbours have in common that become a block; None for a cell that stays single."""
        if cell.formula is not None or isinstance(cell.value, str):
            return None
        return cell.style, cell.value is None

    def plain(self, value: Value, row: int, column: int) -> Value:
        """A value as JSON has it."""
        if isinstance(value, str):
            return in_browser(value) or None
        if value is None or isinstance(value, bool):
            return value
        if not isfinite(value):
            raise WorkbookError(f"{self.where(row, column)}: a cell cannot hold the number {value}")
        return int(value) if float(value).is_integer() and abs(value) < _LONGEST_WHOLE else value

    def where(self, row: int, column: int) -> str:
        return f"{self.title}!{column_letters(column)}{row}"


def _flat(values: np.ndarray[Any, Any]) -> list[Value]:
    flat: list[Value] = values.ravel().tolist()
    return flat


def _pattern(block: Block, formulas: list[str]) -> Json:
    """The formulas of a block as one that moves; as one in which some numbers differ; or else one by one.

    >>> _pattern(Block("S", 1, 1, 1, 3), ["B1*2+0.5", "C1*2+1.5", "D1*2+2.5"])
    {'formula': 'B1*2+{0}', 'numbers': [0.5, 1.5, 2.5]}
    """
    masked = [_masked(formula) for formula in formulas]
    moved = mover(masked[0][0])
    places = ((row - block.row, column - block.column) for row, column in block.positions())
    if any(text != moved(*at) for at, (text, _) in zip(places, masked, strict=True)):
        return {"formulas": formulas}
    numbers = [found for _, found in masked]
    differ = [k for k in range(len(numbers[0])) if len({found[k] for found in numbers}) > 1]
    if not differ:
        return {"formula": formulas[0]}
    return {"formula": _slotted(formulas[0], differ), "numbers": [float(n[k]) for n in numbers for k in differ]}


def _masked(formula: str) -> tuple[str, tuple[str, ...]]:
    """A formula with `#` in the place of each number, and the numbers."""
    numbers: list[str] = []

    def hide(found: re.Match[str]) -> str:
        if found[1]:
            return found[0]
        numbers.append(found[2])
        return "#"

    return _NUMBER.sub(hide, formula), tuple(numbers)


def _slotted(formula: str, differ: list[int]) -> str:
    """A formula with slots in the place of some of its numbers."""
    slots = iter(range(len(formula)))

    def slot(found: re.Match[str]) -> str:
        if found[1]:
            return found[0]
        number = next(slots)
        return f"{{{differ.index(number)}}}" if number in differ else found[0]

    return _NUMBER.sub(slot, formula)


def _rectangles(kinds: Mapping[_Position, object]) -> Iterator[tuple[_Position, int, int]]:
    """Rectangles of cells of one kind, that cover all: their first cell, height and width.

    >>> list(_rectangles({(1, 1): "a", (1, 2): "a", (2, 1): "a", (2, 2): "a", (3, 1): None}))
    [((1, 1), 2, 2), ((3, 1), 1, 1)]
    """
    done: set[_Position] = set()

    def more(kind: object, cells: Iterable[_Position]) -> bool:
        return kind is not None and all(kinds.get(at) == kind and at not in done for at in cells)

    for row, column in sorted(kinds):
        if (row, column) in done:
            continue
        kind, height, width = kinds[row, column], 1, 1
        while more(kind, [(row, column + width)]):
            width += 1
        while more(kind, [(row + height, x) for x in range(column, column + width)]):
            height += 1
        done |= {(y, x) for y in range(row, row + height) for x in range(column, column + width)}
        yield (row, column), height, width
