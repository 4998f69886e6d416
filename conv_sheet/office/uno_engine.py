"""An xlwings engine over LibreOffice's UNO: names, sheets and blocks of values, as xlwings has them in Excel.

What `xlwings.Book` asks of an engine to read and write values and formulas, and no more. `api` is the UNO object, of
the modules ``com.sun.star.sheet`` and ``com.sun.star.table`` in LibreOffice's API reference. LibreOffice has no type
for booleans: they are read and written as 0 and 1.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from conv_sheet.cells.grid import column_letters, quote
from conv_sheet.cells.values import CellError
from conv_sheet.errors import WorkbookError
from conv_sheet.office.uno_formulas import excel, native
from conv_sheet.office.uno_ranges import rectangles_between

EXPORT_FILTERS = {
    ".xlsx": "Calc MS Excel 2007 XML",
    ".xlsm": "Calc MS Excel 2007 VBA XML",
    ".ods": "calc8",
    ".pdf": "calc_pdf_Export",
}
"""LibreOffice's names of the formats that it saves."""

_CONTENTS = 1 | 2 | 4 | 16
"""``com.sun.star.sheet.CellFlags``: VALUE, DATETIME, STRING and FORMULA."""


class Engine:
    """What xlwings' converters ask: how values are read and written."""

    name = "libreoffice"
    type = "desktop"

    @staticmethod
    def clean_value_data(
        data: Sequence[Sequence[Any]],
        datetime_builder: object,
        empty_as: object,
        number_builder: Callable[[float], object] | None,
        err_to_str: bool,
    ) -> list[list[object]]:
        def clean(value: Any) -> object:
            if isinstance(value, CellError):
                return str(value) if err_to_str else None
            if value == "":
                return empty_as
            return number_builder(value) if number_builder and isinstance(value, float) else value

        return [[clean(value) for value in row] for row in data]

    @staticmethod
    def prepare_xl_data_element(value: Any, options: object) -> float | str:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return ""
        return value if isinstance(value, str) else float(value)


@dataclass(eq=False)
class App:
    """A LibreOffice process; `uno` is the module that talks to it."""

    engine: ClassVar[Engine] = Engine()
    pid: ClassVar[int] = 0

    api: Any
    uno: Any
    display_alerts: bool = True

    @property
    def books(self) -> "Books":
        return Books(self)

    def activate(self, steal_focus: bool = False) -> None:
        """LibreOffice has no application window; its documents have."""

    def calculate(self) -> None:
        for impl in self.books:
            impl.api.calculateAll()


@dataclass(eq=False)
class Books:
    """The spreadsheets that are open."""

    app: App

    def __iter__(self) -> Iterator["Book"]:
        documents = self.app.api.Components.createEnumeration()
        while documents.hasMoreElements():
            document = documents.nextElement()
            if document.supportsService("com.sun.star.sheet.SpreadsheetDocument"):
                yield Book(self.app, document)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __call__(self, key: str | int) -> "Book":
        books = list(self)
        if isinstance(key, int):
            return books[key - 1]
        for found in books:
            if found.name.casefold() == key.casefold():
                return found
        raise KeyError(f"LibreOffice has no open workbook {key!r}")


@dataclass(eq=False)
class Book:
    """An open spreadsheet."""

    app: App
    api: Any

    @property
    def fullname(self) -> str:
        url = self.api.URL
        return str(self.app.uno.fileUrlToSystemPath(url) if url else self.api.Title)

    @property
    def name(self) -> str:
        return Path(self.fullname).name

    @property
    def sheets(self) -> "Sheets":
        return Sheets(self)

    @property
    def names(self) -> "Names":
        return Names(self, self.api.NamedRanges)

    def activate(self) -> None:
        if self.api.CurrentController is not None:
            self.api.CurrentController.Frame.activate()

    def save(self, path: str | None = None, password: str | None = None) -> None:
        if path is None:
            self.api.store()
            return
        filter_name = self.app.uno.createUnoStruct("com.sun.star.beans.PropertyValue")
        filter_name.Name, filter_name.Value = "FilterName", EXPORT_FILTERS[Path(path).suffix.lower()]
        self.api.storeToURL(self.app.uno.systemPathToFileUrl(str(Path(path).absolute())), (filter_name,))

    def close(self) -> None:
        self.api.close(True)


@dataclass(eq=False)
class Sheets:
    """The sheets of a workbook."""

    book: Book

    @property
    def api(self) -> Any:
        return self.book.api.Sheets

    def __len__(self) -> int:
        return int(self.api.Count)

    def __iter__(self) -> Iterator["Sheet"]:
        return (self(index + 1) for index in range(len(self)))

    def __contains__(self, name: str) -> bool:
        return bool(self.api.hasByName(name))

    def __call__(self, key: str | int) -> "Sheet":
        if isinstance(key, int):
            return Sheet(self.book, self.api.getByIndex(key - 1))
        if key not in self:
            raise KeyError(f"{self.book.name} has no sheet {key!r}")
        return Sheet(self.book, self.api.getByName(key))


@dataclass(eq=False)
class Sheet:
    """A sheet."""

    book: Book
    api: Any

    @property
    def name(self) -> str:
        return str(self.api.Name)

    @property
    def index(self) -> int:
        return int(self.api.RangeAddress.Sheet) + 1

    @property
    def names(self) -> "Names":
        return Names(self.book, self.api.NamedRanges)

    @property
    def cells(self) -> "Range":
        return Range(self, self.api)

    @property
    def used_range(self) -> "Range":
        cursor = self.api.createCursor()
        cursor.gotoEndOfUsedArea(False)
        last = cursor.RangeAddress
        return Range(self, self.api.getCellRangeByPosition(0, 0, last.EndColumn, last.EndRow))

    def range(self, cell1: Any, cell2: Any = None) -> "Range":
        if isinstance(cell1, str):
            if self.book.names.contains(cell1):
                return self.book.names(cell1).refers_to_range
            return Range(self, self.api.getCellRangeByName(cell1.replace("$", "")))
        row, column = _corners(cell1)[0]
        last_row, last_column = _corners(cell1 if cell2 is None else cell2)[1]
        return Range(self, self.api.getCellRangeByPosition(column - 1, row - 1, last_column - 1, last_row - 1))


@dataclass(eq=False)
class Range:
    """A rectangle of cells."""

    sheet: Sheet
    api: Any
    max_cells_per_read: ClassVar[None] = None
    max_cells_per_write: ClassVar[None] = None

    def __call__(self, row: int, column: int | None = None) -> "Range":
        if column is None:
            row, column = (place + 1 for place in divmod(row - 1, self.shape[1]))
        return self.sheet.range((self.row + row - 1, self.column + column - 1))

    def __len__(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def row(self) -> int:
        return int(self.api.RangeAddress.StartRow) + 1

    @property
    def column(self) -> int:
        return int(self.api.RangeAddress.StartColumn) + 1

    @property
    def shape(self) -> tuple[int, int]:
        area = self.api.RangeAddress
        return area.EndRow - area.StartRow + 1, area.EndColumn - area.StartColumn + 1

    @property
    def coords(self) -> tuple[str, int, int, int, int]:
        return self.sheet.name, self.row, self.column, *self.shape

    @property
    def address(self) -> str:
        return self.get_address(True, True, False)

    def get_address(self, row_absolute: bool, column_absolute: bool, external: bool) -> str:
        first, last = (
            f"{'$' * column_absolute}{column_letters(column)}{'$' * row_absolute}{row}"
            for row, column in _corners(self)
        )
        text = first if first == last else f"{first}:{last}"
        return f"{quote(f'[{self.sheet.book.name}]{self.sheet.name}')}!{text}" if external else text

    @property
    def raw_value(self) -> list[list[float | str]]:
        rows: list[list[Any]] = [list(row) for row in self.api.getDataArray()]
        for row, values in enumerate(rows):
            for column, value in enumerate(values):
                if value is None:
                    values[column] = CellError(self.api.getCellByPosition(column, row).String)
        return rows

    @raw_value.setter
    def raw_value(self, value: Any) -> None:
        height, width = self.shape
        rows = value if isinstance(value, list | tuple) else [[value] * width] * height
        noted = self._noted()
        for top, left, bottom, right in rectangles_between(noted, height, width):
            data = tuple(tuple(row[left:right]) for row in rows[top:bottom])
            self.api.getCellRangeByPosition(left, top, right - 1, bottom - 1).setDataArray(data)
        for row, column in noted:
            self._set_cell(row, column, rows[row][column])

    @property
    def formula(self) -> Any:
        return [[excel(cell) for cell in row] for row in self.api.getFormulaArray()]

    @formula.setter
    def formula(self, value: Any) -> None:
        height, width = self.shape
        rows = value if isinstance(value, list | tuple) else [[value] * width] * height
        self.api.setFormulaArray(tuple(tuple(native(str(cell)) for cell in row) for row in rows))

    def _noted(self) -> set[tuple[int, int]]:
        """Cells with a note, counted from 0 in this range: LibreOffice's block write would delete the note."""
        height, width = self.shape
        places = (note.Position for note in self.sheet.api.Annotations)
        inside = {(place.Row + 1 - self.row, place.Column + 1 - self.column) for place in places}
        return {(row, column) for row, column in inside if 0 <= row < height and 0 <= column < width}

    def _set_cell(self, row: int, column: int, value: float | str) -> None:
        cell = self.api.getCellByPosition(column, row)
        if value == "":
            cell.clearContents(_CONTENTS)
        elif isinstance(value, str):
            cell.String = value
        else:
            cell.Value = value

    @property
    def color(self) -> tuple[int, int, int] | None:
        color = self.api.CellBackColor
        return None if color < 0 else (color >> 16, color >> 8 & 255, color & 255)

    @color.setter
    def color(self, color: tuple[int, int, int] | str | None) -> None:
        if color is None:
            self.api.CellBackColor = -1
        else:
            red, green, blue = bytes.fromhex(color.removeprefix("#")) if isinstance(color, str) else color
            self.api.CellBackColor = red << 16 | green << 8 | blue

    def clear_contents(self) -> None:
        self.api.clearContents(_CONTENTS)


@dataclass(eq=False)
class Names:
    """The defined names of a workbook or of one sheet."""

    book: Book
    api: Any

    def __len__(self) -> int:
        return int(self.api.Count)

    def __iter__(self) -> Iterator["Name"]:
        return (self(index + 1) for index in range(len(self)))

    def snapshot(self) -> list[tuple[str, "Name"]]:
        return [(name.name, name) for name in self]

    def contains(self, name: str) -> bool:
        return bool(self.api.hasByName(name))

    def __call__(self, key: str | int) -> "Name":
        if isinstance(key, int):
            return Name(self.book, self.api.getByIndex(key - 1))
        if not self.contains(key):
            raise KeyError(f"{self.book.name} has no name {key!r}")
        return Name(self.book, self.api.getByName(key))


@dataclass(eq=False)
class Name:
    """A defined name."""

    book: Book
    api: Any

    @property
    def name(self) -> str:
        return str(self.api.Name)

    @property
    def refers_to(self) -> str:
        if self.api.getReferredCells() is None:
            return f"={self.api.Content}"
        target = self.refers_to_range
        return f"={quote(target.sheet.name)}!{target.address}"

    @property
    def refers_to_range(self) -> Range:
        cells = self.api.getReferredCells()
        if cells is None:
            raise WorkbookError(f"{self.book.name}: the name {self.name} no longer refers to cells")
        return Range(Sheet(self.book, cells.Spreadsheet), cells)


def _corners(cells: Range | tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last (row, column) of a range, or of xlwings' (row, column) or (row, column, height, width)."""
    place = cells if isinstance(cells, tuple) else (cells.row, cells.column, *cells.shape)
    row, column, height, width = (*place, 1, 1)[:4]
    return (row, column), (row + height - 1, column + width - 1)
