"""A user's hand on a workbook, by openpyxl: changes cells, reads what a spreadsheet program has computed."""

from collections.abc import Mapping
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import numpy as np
import openpyxl
from numpy.typing import NDArray
from openpyxl.utils.cell import rows_from_range

from tests.oracles import OracleError

Value = bool | float | str


def set_cells(path: Path, out: Path, changes: Mapping[str, Value | None]) -> Path:
    """The workbook `path` as `out`, with changed cells, as `{"Network!A1": 5}`; `None` empties a cell.

    openpyxl stores no formula's value, so whatever `out` shows in a formula cell later was computed later.
    """
    book = openpyxl.load_workbook(path, keep_vba=out.suffix == ".xlsm")
    for reference, value in changes.items():
        sheet, _, cell = reference.rpartition("!")
        book[sheet.strip("'")][cell] = value
    book.save(out)
    return out


def values(path: Path, sheet: str) -> dict[str, Value]:
    """What the cells of a sheet show, as `{"A1": 5}`: a formula's stored value, no empty cells."""
    return dict(_stored(path, path.stat().st_mtime_ns, sheet))


@lru_cache(maxsize=4)
def _stored(path: Path, changed: int, title: str) -> dict[str, Value]:
    """One sheet of a workbook, of which several tests mostly ask one after the other; no other sheet is parsed."""
    with closing(openpyxl.load_workbook(path, data_only=True, read_only=True)) as book:
        sheet = book[title]
        sheet.reset_dimensions()  # what the file says of them may be wrong
        return {cell.coordinate: cell.value for row in sheet.rows for cell in row if cell.value is not None}


def array(shown: Mapping[str, Value], area: str) -> NDArray[np.float64]:
    """The numbers that `values` has read in an area, as `A1:C3` or `$A$1:$C$3`; shape (rows, columns)."""
    return np.array([[_number(shown, cell) for cell in row] for row in rows_from_range(area)])


def _number(shown: Mapping[str, Value], cell: str) -> float:
    value = shown.get(cell)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise OracleError(f"{cell} shows {value!r}, not a number")
