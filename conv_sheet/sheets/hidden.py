"""The hidden sheets: `Spec`, with which the file describes itself, and `Original` and `Kept`, from which inputs return.

`Original` has the picture and the weights that the workbook was built with, `Kept` what stood there before a button put
something else, both in the places of `Network`, or as texts where such sheets are several. A defined name there is
for all blocks of a tensor: LibreOffice has room for 65,535 names.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells import style
from conv_sheet.cells.grid import Block, Placed, column_letters, column_number
from conv_sheet.cells.inputs import Input, InputValue
from conv_sheet.cells.page import Page
from conv_sheet.errors import WorkbookError
from conv_sheet.network.layout import NETWORK, sheet_title
from conv_sheet.network.spec import Spec
from conv_sheet.sheets.addresses import DRAWN, FORMULAS, KEPT, ORIGINAL, SPEC
from conv_sheet.sheets.entries import Source, value_of
from conv_sheet.sheets.standing import MOVED, MovedError
from conv_sheet.state import Formulas, WorkbookState

FORMAT = 5
"""Version of what a file holds and where; files of the first version do not say one."""
FORMAT_CELL = Block(SPEC, 1, 2, 1, 1)
_LINE = re.compile(r"(\S+) ([A-Z]{1,3})([0-9]{1,7}) =(.*)", re.DOTALL)
_IN_LINE = 1_000
"""Numbers in one text: a cell holds 32,767 characters, and a number takes up to 25 of them."""
_PURPOSES = {ORIGINAL: "what the workbook was built with", KEPT: "what stood here before a button changed it"}


def spec_page(state: WorkbookState) -> Page:
    """The sheet with the spec, a line a cell, and the version of the format."""
    sheet = Page(SPEC, hidden=True, widths={1: 100})
    lines = Spec(state.network, state.lesson).to_toml().splitlines()
    sheet.names |= {"spec": Block(SPEC, 1, 1, len(lines), 1), "format_version": FORMAT_CELL}
    for row, line in enumerate(lines, 1):
        sheet.put(row, 1, line, style.SPEC)
    sheet.put(FORMAT_CELL.row, FORMAT_CELL.column, FORMAT, style.SPEC)
    return sheet


def restored(inputs: Sequence[Input]) -> dict[str, Placed]:
    """Where the inputs that Reset brings back stand on the hidden sheets, by name.

    Those of `Network` stand in their own places; an input of one text elsewhere stands in the third row. Of a network
    on several sheets each is a column of texts, which take half of the room.
    """
    own, singles, row = {}, 0, FORMULAS.row + 1
    packed = any(item.restored and item.at.sheet == sheet_title(NETWORK, 2) for item in inputs)
    for item in inputs:
        if item.restored and item.placed.shape == () and item.is_text:
            own[item.name] = Placed(item.name, (), (Block(item.at.sheet, 3, 1 + singles, 1, 1),))
            singles += 1
        elif item.restored and packed:
            count = -(-prod(item.placed.shape) // _IN_LINE)
            own[item.name] = Placed(item.placed.name, (count,), (Block(item.at.sheet, row, 1, count, 1),))
            row += count
        elif item.restored:
            own[item.name] = item.placed
    return own


def cells(title: str, item: Input, place: Placed, value: InputValue) -> Iterator[tuple[Block, NDArray[Any]]]:
    """What stands on a hidden sheet for an input, at its place there."""
    moved = place.on(title)
    if _packed(item, place):
        yield moved.blocks[0], np.array([lines(np.asarray(value))], dtype=object).T
    else:
        yield from Input(item.name, moved, item.limits, 0.0).planes(value)


def value_on(title: str, source: Source, item: Input, place: Placed) -> InputValue:
    """The way back.

    Raises MovedError where less stands there than belongs there, WorkbookError for what the input does not take.
    """
    moved = place.on(title)
    if not _packed(item, place):
        return value_of(source, Input(item.name, moved, item.limits, item.default), full=True)
    shape, block = item.placed.shape, moved.blocks[0]
    try:
        found = np.array(" ".join(str(text) for (text,) in source.block(block)).split(), dtype=float).reshape(shape)
    except ValueError:
        raise MovedError(f"{source.name}: {block.foreign} does not hold the numbers of {item.name}: {MOVED}") from None
    if not item.limits.allow_all(found):
        raise WorkbookError(f"{block.foreign} holds numbers that {item.name} does not take: {item.limits.takes}")
    return float(found) if shape == () else found


def _packed(item: Input, place: Placed) -> bool:
    return not item.is_text and place.shape != item.placed.shape


def lines(values: NDArray[np.float64]) -> list[str]:
    """Numbers as texts that are short enough for a cell.

    >>> lines(np.array([0.1, 2.0])), len(lines(np.zeros((3, 500))))
    (['0.1 2'], 2)
    """
    said = [f"{value!r}".removesuffix(".0") for value in values.ravel().tolist()]
    return [" ".join(said[at : at + _IN_LINE]) for at in range(0, len(said), _IN_LINE)]


def restore_page(
    title: str,
    inputs: Sequence[Input],
    values: Mapping[str, InputValue] | None,
    drawn: int | None = None,
    formulas: Formulas | None = None,
) -> Page:
    """`Original` or `Kept`; nothing stands there where `values` is None."""
    sheet = Page(title, hidden=True)
    sheet.put(1, 1, f"{title}: {_PURPOSES[title]}", style.NOTE)
    if drawn is not None:
        sheet.put(DRAWN.row, DRAWN.column, float(drawn), style.PLAIN)
    by_name = {item.name: item for item in inputs}
    for name, placed in restored(inputs).items():
        sheet.names[f"{title.lower()}_{placed.name}"] = placed.on(title).area
        if values is not None:
            for block, plane in cells(title, by_name[name], placed, values[name]):
                sheet.fill(block, plane, style.PLAIN)
    for column, line in enumerate(formula_lines(formulas or {}), FORMULAS.column):
        sheet.put(FORMULAS.row, column, line, style.PLAIN)
    return sheet


def formula_lines(formulas: Formulas) -> list[str]:
    """Formulas as texts that no program takes for formulas.

    >>> formula_lines({"conv1.weight": {(10, 32): "1/9"}})
    ['conv1.weight AF10 =1/9']
    """
    return [
        f"{name} {column_letters(column)}{row} ={text}"
        for name, cells in formulas.items()
        for (row, column), text in cells.items()
    ]


def formulas_of(lines: Sequence[object]) -> dict[str, dict[tuple[int, int], str]]:
    """The way back; other texts say nothing.

    >>> formulas_of(["conv1.weight AF10 =1/9", None])
    {'conv1.weight': {(10, 32): '1/9'}}
    """
    found: dict[str, dict[tuple[int, int], str]] = {}
    for line in lines:
        said = _LINE.fullmatch(line) if isinstance(line, str) else None
        if said:
            found.setdefault(said[1], {})[int(said[3]), column_number(said[2])] = said[4]
    return found
