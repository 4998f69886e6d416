"""The buttons on a workbook that a spreadsheet program has open, through xlwings: one read and one write a block.

Everything is checked before the first write, and only what belongs to the engine, to the buttons, or to the numbers
that a button is there to change is written at all.
"""

import time
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conv_sheet.actions import Action
from conv_sheet.cells.grid import Block
from conv_sheet.cells.values import ERRORS, CellError
from conv_sheet.errors import ConvSheetError, WorkbookError
from conv_sheet.office.writes import Cells, status_text, writes
from conv_sheet.sheets import reading, registry, standing
from conv_sheet.sheets.addresses import DISTANCE, STATUS, STATUS_LABEL
from conv_sheet.xlsx.patch import Formula, Typed

if TYPE_CHECKING:
    import xlwings


class LiveBook:
    """An open workbook as a source of cells (see `sheets.reading`); works with every engine of xlwings."""

    live = True

    def __init__(self, book: "xlwings.Book") -> None:
        self.book = book

    @property
    def name(self) -> str:
        return str(self.book.name)

    @cached_property
    def titles(self) -> tuple[str, ...]:
        return tuple(sheet.name for sheet in self.book.sheets)

    def has(self, name: str) -> bool:
        """Whether the workbook has a defined name."""
        return name in self.book.names

    def refers(self, name: str) -> Block | None:
        """The area that a defined name refers to; None where there is no such name, or no such area."""
        if name not in self.book.names:
            return None
        try:
            cells = self.book.names[name].refers_to_range
            height, width = cells.shape
            return Block(cells.sheet.name, cells.row, cells.column, height, width)
        except Exception:  # each program says in its own way that the cells are gone
            return None

    def range(self, block: Block) -> "xlwings.Range":
        """The rectangle from the first to the last value of a block."""
        return self.book.sheets[block.sheet].range((block.row, block.column), (block.last_row, block.last_column))

    def block(self, block: Block) -> list[list[object]]:
        """Values of a block, row by row."""
        cells = self.range(block)
        rows = cells.options(ndim=2, err_to_str=True).value
        found = [[_value(value) for value in row[:: block.step[1]]] for row in rows[:: block.step[0]]]
        if any(isinstance(value, Decimal) for row in found for value in row):
            found = _full_currencies(cells, found, block)
        return found

    def formulas(self, block: Block) -> list[list[str | None]]:
        """Formulas of a block, row by row; None everywhere where the program does not tell them."""
        try:
            said: Any = self.range(block).formula
        except (AttributeError, NotImplementedError):
            return [[None] * block.width for _ in range(block.height)]
        rows = said if isinstance(said, list | tuple) else ((said,),)
        rows = [row if isinstance(row, list | tuple) else (row,) for row in rows]
        return [[_formula(cell) for cell in row[:: block.step[1]]] for row in rows[:: block.step[0]]]

    def write(self, block: Block, values: Cells) -> None:
        """One write; what lies between the values of a dilated kernel stays empty."""
        cells = np.full(block.span, None, dtype=object)
        cells[:: block.step[0], :: block.step[1]] = values
        rows = cells.tolist()
        if any(isinstance(cell, Formula) for row in rows for cell in row):
            self.range(block).formula = [[_as_formula(cell) for cell in row] for row in rows]
        else:
            self.range(block).value = [
                [cell.value if isinstance(cell, Typed) else cell for cell in row] for row in rows
            ]

    def write_status(self, text: str) -> None:
        """The status line, where it is in its place: not what stands there when rows were inserted behind its back."""
        stands = self.refers("status")
        if stands is None or stands.column < STATUS.column:
            return
        label = Block(stands.sheet, stands.row, stands.column - 1, 1, 1)
        if self.block(label) == [[STATUS_LABEL]]:
            self.book.sheets[stands.sheet].range((stands.row, stands.column)).value = text


def press(book: "xlwings.Book", action: Action) -> str:
    """Run a button's action on an open workbook and return what its status line then says.

    Raises WorkbookError, after the status line has said the same, where a cell holds what it may not, or blocks do not
    stand where they were built; nothing else has been written then.
    """
    started = time.perf_counter()
    source = LiveBook(book)
    try:
        before = reading.state_of(source)
        after = registry.settled(action(before))
        standing.require(source, registry.pages(after))
        planned = list(writes(before, after))
    except ConvSheetError as error:
        source.write_status(f"Nothing was changed: {error}")
        raise
    for block, values in planned:
        source.write(block, values)
    ((distance,),) = source.block(DISTANCE)
    apart = distance if isinstance(distance, float) else None
    status = status_text(after, time.perf_counter() - started, apart)
    source.write_status(status)
    return status


def pressed(action: Action) -> None:
    """A button of the workbook that called was pressed."""
    import xlwings

    press(xlwings.Book.caller(), action)


def open_in_excel(path: Path) -> "xlwings.Book":
    """The workbook as Excel has it open; raises WorkbookError where no Excel is running or it is not open there."""
    import xlwings

    try:
        books = [book for app in xlwings.apps for book in app.books]
    except xlwings.XlwingsError:
        books = []  # so xlwings says that this system has no Excel
    for book in books:
        if Path(book.fullname).name == path.name:
            return book
    raise WorkbookError(f"{path.name} is not open in Excel here: open it there first")


def _value(value: object) -> object:
    if isinstance(value, str):
        return CellError(value) if value in ERRORS else value or None
    return float(value) if type(value) is int else value


def _full_currencies(cells: "xlwings.Range", rows: list[list[object]], block: Block) -> list[list[object]]:
    """Excel on Windows cuts cells in a currency format to four decimals, unless it is asked for `Value2`."""
    whole: Any = getattr(cells.api, "Value2", None) if hasattr(cells, "api") else None
    if whole is None:
        return rows
    full = whole if isinstance(whole, list | tuple) else ((whole,),)
    for row, exact in zip(rows, full[:: block.step[0]], strict=True):
        for place, value in enumerate(exact[:: block.step[1]]):
            if isinstance(row[place], Decimal):
                row[place] = value
    return rows


def _formula(said: object) -> str | None:
    return said[1:] if isinstance(said, str) and said.startswith("=") and len(said) > 1 else None


def _as_formula(cell: object) -> object:
    if isinstance(cell, Formula):
        return f"={cell.text}"
    if cell is None:
        return ""
    return cell.value if isinstance(cell, Typed) else cell
