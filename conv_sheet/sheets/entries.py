"""What stands in the cells that the user may type into: one rule, whoever has read them.

An empty cell is 0, as formulas take it. A date, a currency, an error, a text is told by cell, with what the input takes
and the way out.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Protocol, TypeGuard

import numpy as np

from conv_sheet.cells.grid import Block, column_letters, quote
from conv_sheet.cells.inputs import Input, InputValue
from conv_sheet.cells.values import ERRORS, UNKNOWN, CellError, Date
from conv_sheet.errors import WorkbookError
from conv_sheet.ops import Array
from conv_sheet.sheets.standing import MOVED, MovedError

_NO_NUMBER = ", which is not a number"


class Source(Protocol):
    """What is asked of a workbook (see `reading.Source`)."""

    @property
    def name(self) -> str: ...

    def block(self, block: Block) -> list[list[object]]: ...


def value_of(
    source: Source, item: Input, instead: Mapping[tuple[int, int], float] | None = None, full: bool = False
) -> InputValue:
    """What stands in an input, checked; `instead` has values of cells that are not to be asked.

    Where the cells are `full`, an empty one is no zero, but says that they have moved.
    """
    if item.placed.shape == () and item.is_text:
        ((value,),) = source.block(item.at)
        return _text(source, item, value)
    planes = []
    for block in item.placed.blocks:
        rows = source.block(block)
        for (row, column), number in (instead or {}).items():
            if block.row <= row <= block.last_row and block.column <= column <= block.last_column:
                rows[(row - block.row) // block.step[0]][(column - block.column) // block.step[1]] = number
        planes.append(_numbers(source, item, block, rows, full))
    found = item.placed.tensor(np.array(planes))
    return float(found) if item.placed.shape == () else found


def _numbers(source: Source, item: Input, block: Block, rows: list[list[object]], full: bool) -> Array:
    """The numbers of a block: all at once where there is nothing else."""
    if all(type(value) is float for row in rows for value in row):
        found = np.array(rows, dtype=np.float64)
        if item.limits.allow_all(found):
            return found
    cells = np.empty(block.shape)
    for (y, x), _ in np.ndenumerate(cells):
        value = rows[y][x]
        if value is None and full:
            raise MovedError(f"{source.name}: {_address(block, y, x)} is empty: {MOVED}")
        cells[y, x] = _number(source, item, value, _address(block, y, x))
    return cells


def _number(source: Source, item: Input, value: object, address: str) -> float:
    """The one rule for what may stand in a cell where a number is typed; an empty one is 0, as formulas take it."""
    found = "is empty, which formulas take for 0" if value is None else _what(value)
    number = 0.0 if value is None else value
    if is_number(number) and item.limits.allows(number):
        return float(number)
    raise WorkbookError(f"{address} {found}; {item.name} takes {item.limits.takes}: {_way_out(value)}")


def _text(source: Source, item: Input, value: object) -> str:
    if is_number(value):
        value = f"{value:g}"  # a program took the choice of "7" for a number
    if not item.limits.allows(value):
        found = "is empty" if value is None else _what(value).removesuffix(_NO_NUMBER)
        raise WorkbookError(f"{item.at.other()} {found}; {item.name} takes {item.limits.takes}: choose one")
    return str(value)


def _what(value: object) -> str:
    """What a cell holds, in words: the same for closed files and open books."""
    if isinstance(value, CellError) or (isinstance(value, str) and value in ERRORS):
        return f"holds an error, {value}"
    if isinstance(value, Date):
        return f"holds a date ({value})"
    if isinstance(value, date):
        return f"holds a date ({Date.of(value)})"
    if isinstance(value, Decimal):
        return f"holds a currency ({value}), of which Excel hands on four decimals only"
    if value is UNKNOWN:
        return "holds a formula that nothing has calculated"
    if isinstance(value, bool):
        return f"holds {str(value).upper()}{_NO_NUMBER}"
    if isinstance(value, int | float):
        return f"holds {value:.15g}"
    return f"holds {value!r}{_NO_NUMBER}"


def _way_out(value: object) -> str:
    if isinstance(value, date | Date):
        return "set the cell's format back to General and type the number again, with the decimal sign of your program"
    if isinstance(value, Decimal):
        return "set the cell's format to General"
    if value is UNKNOWN:
        return "open the workbook in a spreadsheet program and save it"
    return "type one and try again"


def _address(block: Block, y: int, x: int) -> str:
    row, column = block.position(y, x)
    return f"{quote(block.sheet)}!{column_letters(column)}{row}"


def is_number(value: object) -> TypeGuard[float]:
    """Whether a cell holds a finite number, and not one that it shows as a date.

    >>> is_number(0.5), is_number(True), is_number(Date(3)), is_number("1")
    (True, False, False, False)
    """
    if isinstance(value, bool | Date) or not isinstance(value, int | float):
        return False
    return bool(np.isfinite(value))
