"""A sheet after edits: what another program calculates, against what the page says of the same state."""

from collections.abc import Mapping
from pathlib import Path

from openpyxl.utils.cell import coordinate_to_tuple

from conv_sheet.cells.grid import column_letters
from conv_sheet.cells.inputs import InputValue
from conv_sheet.cells.page import Page
from conv_sheet.cells.semantics import alike
from conv_sheet.sheets import registry
from conv_sheet.sheets.cockpit import AT_FIRST
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.change import patch_cells
from conv_sheet.xlsx.patch import CellValue, Typed
from tests.oracles import cells

TOLERANCE = 1e-9
"""Largest distance of two numbers, relative to values above 1."""


def page(state: WorkbookState, title: str) -> Page:
    """The page of one sheet."""
    (sheet,) = (s for s in registry.sheets(state.layout, state.lesson) if s.title == title)
    return sheet.page(state if state.written is not None else registry.settled(state))


def typed(state: WorkbookState, changes: Mapping[str, InputValue]) -> dict[str, cells.Value | None]:
    """What to type where, as `{"Network!B9": 0.5}`, so that the inputs of these names hold other values."""
    items = {item.name: item for item in registry.inputs_of(state)}
    return {
        f"{block.sheet}!{column_letters(column)}{row}": value
        for name, changed in changes.items()
        for block, plane in items[name].planes(changed)
        for (row, column), value in block.items(plane)
    }


def edited(path: Path, out: Path, state: WorkbookState, changes: Mapping[str, InputValue]) -> Path:
    """The workbook `path` as `out`, with other values in the inputs of these names, and no formula calculated."""
    return put(path, out, typed(state, changes))


def put(path: Path, out: Path, changes: Mapping[str, cells.Value | None]) -> Path:
    """The workbook `path` as `out`, with changed cells, as `cells.set_cells` makes it, in a tenth of the time.

    Formulas keep the form in which they were written, shared ones too, which openpyxl would write out; and they keep
    their stored values, which only a program that calculates all formulas will change.
    """
    sheets: dict[str, dict[tuple[int, int], CellValue]] = {}
    for reference, value in changes.items():
        sheet, _, cell = reference.rpartition("!")
        sheets.setdefault(sheet.strip("'"), {})[coordinate_to_tuple(cell)] = None if value is None else Typed(value)
    patch_cells(path, out, sheets)
    return out


def differences(path: Path, state: WorkbookState, title: str) -> list[str]:
    """Cells of a recalculated sheet that do not show what the page of a state says: each with both."""
    shown, made = cells.values(path, title), page(state, title)
    expected = {f"{column_letters(column)}{row}": cell.value for (row, column), cell in made.cells()}
    judged = {f"{column_letters(column)}{row}" for row, column in (*made.judged, *made.wheres)}
    return [
        f"{title}!{at} shows {shown.get(at)!r}, not {expected.get(at)!r}"
        for at in (shown.keys() | expected.keys()) - judged
        if not same(shown.get(at), expected.get(at))
    ]


def same(one: object, other: object) -> bool:
    """Whether two cells show the same; an empty text is as good as nothing.

    What was said at first is that of the state with which a workbook was built, whatever state a page is made of.

    >>> same(None, ""), same(1.0, 1.0 + 1e-12), same(1.0, "1"), same(True, 1.0)
    (True, True, False, False)
    """
    if all(isinstance(text, str) and text.startswith(AT_FIRST) for text in (one, other)):
        return True
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= TOLERANCE * max(1.0, abs(other))
    if isinstance(one, str) and isinstance(other, str):
        return alike(one, other, TOLERANCE)
    return (one or "") == (other or "")
