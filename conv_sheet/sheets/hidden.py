"""The hidden sheets: `Spec`, with which the file describes itself, and `Original` and `Kept`, from which inputs return.

`Original` has the picture and the weights that the workbook was built with, `Kept` what stood there before a button put
something else, both in the places of `Network`. A defined name there is for all blocks of a tensor: LibreOffice has
room for 65,535 names.
"""

import re
from collections.abc import Mapping, Sequence

from conv_sheet.cells import style
from conv_sheet.cells.grid import Block, Placed, column_letters, column_number
from conv_sheet.cells.inputs import Input, InputValue
from conv_sheet.cells.page import Page
from conv_sheet.network.layout import sheet_number
from conv_sheet.network.spec import Spec
from conv_sheet.sheets.addresses import DRAWN, FORMULAS, KEPT, ORIGINAL, SPEC
from conv_sheet.state import Formulas, WorkbookState

FORMAT = 3
"""Version of what a file holds and where; files of the first version do not say one."""
FORMAT_CELL = Block(SPEC, 1, 2, 1, 1)
_LINE = re.compile(r"(\S+) ([A-Z]{1,3})([0-9]{1,7}) =(.*)", re.DOTALL)
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

    Those of `Network` stand in their own places, those of its further sheets in the same columns below; an input of one
    text elsewhere stands in the third row.
    """
    own, singles = {}, 0
    arrays = [item.placed for item in inputs if item.restored and not item.is_text]
    height = max(placed.area.last_row for placed in arrays)
    for item in inputs:
        if item.restored and item.placed.shape == () and item.is_text:
            own[item.name] = Placed(item.name, (), (Block(item.at.sheet, 3, 1 + singles, 1, 1),))
            singles += 1
        elif item.restored:
            own[item.name] = item.placed.on(item.at.sheet, down=(sheet_number(item.at.sheet) - 1) * height)
    return own


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
        moved = placed.on(title)
        sheet.names[f"{title.lower()}_{moved.name}"] = moved.area
        if values is not None:
            for block, plane in Input(name, moved, by_name[name].limits, 0.0).planes(values[name]):
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
