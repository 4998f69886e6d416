"""The buttons on a closed workbook: read, calculated, and patched where something has changed, byte for byte."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conv_sheet.actions import Action
from conv_sheet.cells.grid import column_letters, quote
from conv_sheet.cells.page import Page
from conv_sheet.checks import FormulaCell, formula_cells
from conv_sheet.errors import WorkbookError
from conv_sheet.files import require_closed
from conv_sheet.office.writes import status_text, writes
from conv_sheet.sheets import reading, registry, standing
from conv_sheet.sheets.addresses import SEED, STATUS
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.change import patch_cells
from conv_sheet.xlsx.patch import Formula, Typed
from conv_sheet.xlsx.reader import Stored

_Values = dict[str, dict[tuple[int, int], Any]]


def press(path: Path, action: Action, seed: int | None = None) -> tuple[str, list[str]]:
    """Run a button's action on a closed file; return its status line and what should be known besides.

    Only the engine's cells, what the action changes, and stored values of formulas are written, and the file asks to
    be calculated when it is next opened: every other byte stays. Raises WorkbookError where the file is open elsewhere
    or cannot be read, where blocks do not stand where they were built, or where a cell holds what it may not; the file
    is untouched then.
    """
    require_closed(path)
    started = time.perf_counter()
    stored = Stored.open(path)
    before = reading.state_of(stored)
    after = action(before if seed is None else _with_seed(before, seed))
    after = registry.settled(replace(after, status=status_text(after, time.perf_counter() - started)))
    pages = registry.pages(after)
    standing.require(stored, pages)
    values, notes = _patch(stored, before, after, pages)
    patch_cells(path, path, values, recalculate=True)
    return after.status, notes


def _with_seed(state: WorkbookState, seed: int) -> WorkbookState:
    name = next(item.name for item in registry.inputs_of(state) if item.at == SEED)
    return state.with_typed({name: float(seed)})


def _patch(
    stored: Stored, before: WorkbookState, after: WorkbookState, pages: Sequence[Page]
) -> tuple[_Values, list[str]]:
    """New values by sheet and position, and notes on formulas that are no longer there."""
    values: _Values = {}
    strange: list[FormulaCell] = []
    for page in pages:
        sheet = stored.sheet(page.title)
        for cell in formula_cells(page, sheet):
            if not cell.same:
                strange.append(cell)
            elif cell.stored != cell.value or type(cell.stored) is not type(_plain(cell.value)):
                values.setdefault(page.title, {})[cell.at] = _plain(cell.value)
    for block, cells in writes(before, after):
        sheet = stored.sheet(block.sheet)
        for at, value in block.items(cells):
            if isinstance(value, Formula | Typed):
                values.setdefault(block.sheet, {})[at] = value
                continue
            if sheet.formula(*at) is not None:
                where = f"{quote(block.sheet)}!{column_letters(at[1])}{at[0]}"
                raise WorkbookError(f"{where} holds a formula of yours where a number belongs; move it and try again")
            if sheet.value(*at) != value:
                values.setdefault(block.sheet, {})[at] = value
    values.setdefault(STATUS.sheet, {})[STATUS.row, STATUS.column] = after.status
    return values, list(_notes(strange))


def _plain(value: object) -> object:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _notes(strange: Sequence[FormulaCell]) -> Iterator[str]:
    """What to say of cells that do not have the formula that they were built with; they keep what they have."""
    for lost, said in ((True, "no longer holds its formula"), (False, "holds another formula than it was built with")):
        cells = [cell for cell in strange if (cell.found is None) is lost]
        if cells:
            others = f" (nor do {len(cells) - 1:,} others)" if lost else f" (as do {len(cells) - 1:,} others)"
            yield f"{cells[0].address} {said}{others if len(cells) > 1 else ''}"
