"""What the cells of a closed workbook store: values and the texts of formulas, by expat, without openpyxl.

A sheet is read when it is first asked for.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from conv_sheet.cells.grid import MAX_COLUMNS, MAX_ROWS, Block, column_number
from conv_sheet.xlsx.package import Package
from conv_sheet.xlsx.parse import Cells, SheetReader, StringsReader

_DATE_FORMATS = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
"""Numbers of the built-in formats that show a date or a time, in any language."""
_NO_DATE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]|General|E[+-]', re.IGNORECASE)
_DATE_LETTER = re.compile("[dmyhs]", re.IGNORECASE)
_DAYS_TO_1904 = 1_462
_REFERENCE = re.compile(
    r"(?:'((?:[^']|'')+)'|([^'!\[\]]+))!\$?([A-Z]{1,3})\$?([0-9]{1,7})(?::\$?([A-Z]{1,3})\$?([0-9]{1,7}))?"
)


@dataclass(frozen=True)
class Stored:
    """A closed workbook: what its cells store, and its defined names."""

    package: Package

    @classmethod
    def open(cls, path: Path) -> "Stored":
        """The workbook at a path; its sheets are read when they are asked for.

        Raises WorkbookError where the file is missing, damaged, or no workbook.
        """
        return cls(Package.open(path))

    @property
    def path(self) -> Path:
        return self.package.path

    @property
    def name(self) -> str:
        """How messages call it."""
        return str(self.path)

    @property
    def live(self) -> bool:
        """No program has it open."""
        return False

    @property
    def titles(self) -> tuple[str, ...]:
        """Of the worksheets, in order."""
        return tuple(self.package.worksheets)

    @cached_property
    def names(self) -> dict[str, Block | None]:
        """Defined names of the whole workbook, and the areas that they refer to; None where that is something else."""
        found: dict[str, Block | None] = {}
        for name in self.package.book.iterfind("{*}definedNames/{*}definedName"):
            if name.get("localSheetId") is None:
                found[name.get("name", "")] = area(name.text or "")
        return found

    def has(self, name: str) -> bool:
        """Whether the workbook has a defined name."""
        return name in self.names

    def refers(self, name: str) -> Block | None:
        """The area that a defined name refers to; None where there is no such name, or no such area."""
        return self.names.get(name)

    @cached_property
    def _sheets(self) -> dict[str, Cells]:
        return {}

    def sheet(self, title: str) -> Cells:
        """Everything that a sheet stores."""
        if title not in self._sheets:
            part = self.package.worksheet(title)
            reader = SheetReader(f"{self.path}, sheet {title!r}", self._strings, self._date_styles, self._days)
            with self.package.stream(part) as stream:
                reader.parse(stream)
            self._sheets[title] = reader.cells
        return self._sheets[title]

    def block(self, block: Block) -> list[list[object]]:
        """Values of a block, row by row; None for an empty cell."""
        values, nothing = self.sheet(block.sheet).values, dict[int, object]()
        columns = range(block.column, block.last_column + 1, block.step[1])
        rows = range(block.row, block.last_row + 1, block.step[0])
        return [[cells.get(column) for column in columns] for cells in (values.get(row, nothing) for row in rows)]

    def formulas(self, block: Block) -> list[list[str | None]]:
        """Formulas of a block, row by row; None for a cell without one."""
        cells = self.sheet(block.sheet)
        return [[cells.formula(*block.position(y, x)) for x in range(block.width)] for y in range(block.height)]

    # -- what several sheets need --------------------------------------------------------------------------------------

    @cached_property
    def _days(self) -> int:
        """Days to add to a date's number: some workbooks count from 1904."""
        properties = self.package.book.find("{*}workbookPr")
        return _DAYS_TO_1904 if properties is not None and properties.get("date1904") in ("1", "true") else 0

    @cached_property
    def _strings(self) -> list[str]:
        found: list[str] = []
        for link in self.package.related(self.package.workbook, "sharedStrings"):
            reader = StringsReader(f"{self.path}, part {link.target}")
            with self.package.stream(link.target) as stream:
                reader.parse(stream)
            found += reader.strings
        return found

    @cached_property
    def _date_styles(self) -> frozenset[str]:
        """Numbers of the cell styles that show a date or a time."""
        for link in self.package.related(self.package.workbook, "styles"):
            tree = self.package.tree(link.target)
            own = {f.get("numFmtId"): f.get("formatCode", "") for f in tree.iterfind("{*}numFmts/{*}numFmt")}
            shown = [style.get("numFmtId", "0") for style in tree.iterfind("{*}cellXfs/{*}xf")]
            dates = {key for key in set(shown) if _is_date(own.get(key, key))}
            return frozenset(str(number) for number, key in enumerate(shown) if key in dates)
        return frozenset()


def area(text: str) -> Block | None:
    """The cells that the text of a defined name refers to; None where that is nothing on one sheet.

    >>> area("'my lesson'!$B$2:$C$4")
    Block(sheet='my lesson', row=2, column=2, height=3, width=2, step=(1, 1))
    >>> area("0.5"), area("Network!#REF!")
    (None, None)
    """
    found = _REFERENCE.fullmatch(text)
    if found is None:
        return None
    row, column = int(found[4]), column_number(found[3])
    last_row, last_column = (int(found[6]), column_number(found[5])) if found[5] else (row, column)
    if not (1 <= row <= last_row <= MAX_ROWS and 1 <= column <= last_column <= MAX_COLUMNS):
        return None
    title = found[1].replace("''", "'") if found[1] else found[2]
    return Block(title, row, column, last_row - row + 1, last_column - column + 1)


def _is_date(format_: str) -> bool:
    """Whether a format, or a built-in one by its number, shows a date or a time.

    >>> _is_date("14"), _is_date("0.00"), _is_date("dd/mm/yyyy"), _is_date('0.0" days"'), _is_date("[h]:mm")
    (True, False, True, False, True)
    """
    if format_.isdigit() and not set(format_) <= {"0"}:
        return int(format_) in _DATE_FORMATS
    return _DATE_LETTER.search(_NO_DATE.sub("", format_)) is not None
