"""The cells of a worksheet part, and the shared strings, by expat.

Elements and cell types: ECMA-376 part 1, sections 18.3.1.4 (`c`), 18.3.1.40 (`f`), 18.4 (shared strings) and 18.18.11
(`ST_CellType`).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO
from xml.parsers import expat

from conv_sheet.cells.formula import mover
from conv_sheet.cells.grid import MAX_COLUMNS, MAX_ROWS, column_letters, column_number
from conv_sheet.cells.values import UNKNOWN, CellError, Date
from conv_sheet.errors import WorkbookError
from conv_sheet.xlsx import encode

MAX_CELLS = 4_000_000
"""Cells of one sheet that store something: four times those of a network of a million cells."""
MAX_STRINGS = 1_000_000
"""Shared strings: a workbook of ours has some hundreds."""

NAMESPACES = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
"""Of SpreadsheetML, transitional and strict."""

_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Shared:
    """A formula that several cells share: the text of its first cell, and where that stands."""

    row: int
    column: int
    text: str

    def at(self, row: int, column: int) -> str:
        """The formula of one of the cells."""
        return mover(self.text)(row - self.row, column - self.column)


@dataclass(slots=True)
class Cells:
    """What one sheet stores: values and formulas by row and column; a formula is a text, or one that cells share."""

    values: dict[int, dict[int, object]] = field(default_factory=dict)
    formulas: dict[int, dict[int, str | Shared]] = field(default_factory=dict)

    def items(self) -> Iterator[tuple[int, int, object]]:
        """Row, column and value of every cell that stores one."""
        for row, cells in self.values.items():
            for column, value in cells.items():
                yield row, column, value

    def value(self, row: int, column: int) -> object:
        """What a cell stores; None for nothing."""
        return self.values.get(row, {}).get(column)

    def formula(self, row: int, column: int) -> str | None:
        """The formula of a cell without its equals sign; None where it has none."""
        found = self.formulas.get(row, {}).get(column)
        return found.at(row, column) if isinstance(found, Shared) else found


class Reader:
    """What expat tells of a part of SpreadsheetML; `where` names the part in errors."""

    def __init__(self, where: str, root: str) -> None:
        self.where = where
        self.root = root
        self.text: list[str] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.StartElementHandler = self.first

    def parse(self, stream: IO[bytes]) -> None:
        """Read a part to its end."""
        try:
            while chunk := stream.read(_CHUNK):
                self.parser.Parse(chunk, False)
            self.parser.Parse(b"", True)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise WorkbookError(f"{self.where}: its XML is damaged: {error}") from error

    def doctype(self, *declaration: object) -> None:
        raise ValueError("it has a DOCTYPE, which no workbook may have")

    def first(self, name: str, attributes: dict[str, str]) -> None:
        """The root element says which of the two namespaces the part uses."""
        namespace, _, local = name.rpartition(" ")
        if namespace not in NAMESPACES or local != self.root:
            raise ValueError(f"it is no {self.root} of SpreadsheetML")
        self.began(f"{namespace} ")

    def began(self, namespace: str) -> None:
        raise NotImplementedError


class StringsReader(Reader):
    """The shared strings; of a rich text its pieces, of a phonetic hint nothing."""

    def __init__(self, where: str) -> None:
        super().__init__(where, "sst")
        self.strings: list[str] = []

    def began(self, namespace: str) -> None:
        item, text, hint = (namespace + name for name in ("si", "t", "rPh"))
        pieces: list[str] = []
        hints = 0

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal hints
            if name == item:
                pieces.clear()
            elif name == hint:
                hints += 1
            self.text.clear()

        def end(name: str) -> None:
            nonlocal hints
            if name == text and not hints:
                pieces.append(encode.decoded("".join(self.text)))
            elif name == hint:
                hints -= 1
            elif name == item:
                if len(self.strings) == MAX_STRINGS:
                    raise WorkbookError(f"{self.where} has more than {MAX_STRINGS:,} texts, the most that are read")
                self.strings.append("".join(pieces))

        self.parser.StartElementHandler, self.parser.EndElementHandler = start, end
        self.parser.CharacterDataHandler = self.text.append


class SheetReader(Reader):
    """The cells of a worksheet."""

    def __init__(self, where: str, strings: list[str], dates: frozenset[str], days: int) -> None:
        super().__init__(where, "worksheet")
        self.cells = Cells()
        self.strings = strings
        self.dates = dates
        self.days = days
        self.masters: dict[str, Shared] = {}
        self.columns: dict[str, int] = {}
        self.count = self.value_row = self.formula_row = 0
        self.value_cells: dict[int, object] = {}
        self.formula_cells: dict[int, str | Shared] = {}

    def began(self, namespace: str) -> None:
        data, row_name, cell, value, formula, text, hint = (
            namespace + name for name in ("sheetData", "row", "c", "v", "f", "t", "rPh")
        )
        row = column = hints = 0
        attributes: dict[str, str] = {}
        shared: dict[str, str] | None = None
        stored = said = ""
        pieces = self.text

        def start(name: str, given: dict[str, str]) -> None:
            nonlocal row, column, hints, attributes, shared, stored, said
            if name == cell:
                column = self._column(given.get("r"), row, column)
                attributes, shared, stored, said = given, None, "", ""
            elif name == row_name:
                row, column = self._row(given.get("r"), row), 0
            elif name == formula:
                shared = given
            elif name == hint:
                hints += 1
            pieces.clear()

        def end(name: str) -> None:
            nonlocal hints, stored, said
            if name == value:
                stored = "".join(pieces)
            elif name == cell:
                self._finish(row, column, attributes, stored, shared, said)
            elif name == formula:
                said = encode.decoded("".join(pieces))
            elif name == text:
                if not hints:
                    stored += "".join(pieces)
            elif name == hint:
                hints -= 1
            elif name == data:
                self.parser.StartElementHandler = self.parser.EndElementHandler = None
                self.parser.CharacterDataHandler = None

        def waiting(name: str, given: dict[str, str]) -> None:
            if name == data:
                self.parser.StartElementHandler, self.parser.EndElementHandler = start, end
                self.parser.CharacterDataHandler = pieces.append

        self.parser.StartElementHandler = waiting

    def _row(self, said: str | None, before: int) -> int:
        row = _whole(said) if said is not None else before + 1
        if not before < row <= MAX_ROWS:
            where = f"ends at {MAX_ROWS:,}" if row > MAX_ROWS else f"has it behind row {before:,}"
            raise WorkbookError(f"{self.where}: its XML is damaged: it has a row {row:,}, and a sheet {where}")
        return row

    def _column(self, reference: str | None, row: int, before: int) -> int:
        if reference is None:
            column = before + 1
        else:
            letters = reference.rstrip("0123456789")
            column = self.columns.get(letters, 0) or self._letters(letters, reference)
            if reference[len(letters) :] != str(row):
                raise ValueError(f"row {row} has a cell {reference}")
        if not before < column <= MAX_COLUMNS:
            raise ValueError(f"row {row} has its cells in no order, or too many of them")
        return column

    def _letters(self, letters: str, reference: str) -> int:
        if not re.fullmatch("[A-Z]{1,3}", letters):
            raise ValueError(f"there is no cell {reference}")
        return self.columns.setdefault(letters, column_number(letters))

    def _finish(
        self,
        row: int,
        column: int,
        attributes: Mapping[str, str],
        text: str,
        formula: Mapping[str, str] | None,
        said: str,
    ) -> None:
        value: object = None
        if text or attributes.get("t") in ("str", "inlineStr"):
            value = self._value(row, column, attributes, text)
        if formula is not None:
            if self.formula_row != row:
                self.formula_row, self.formula_cells = row, self.cells.formulas.setdefault(row, {})
            self.formula_cells[column] = self._formula(row, column, formula, said)
            value = UNKNOWN if value is None else value
        if value is not None:
            self.count += 1
            if self.count > MAX_CELLS:
                raise WorkbookError(f"{self.where} has more than {MAX_CELLS:,} cells, the most that are read")
            if self.value_row != row:
                self.value_row, self.value_cells = row, self.cells.values.setdefault(row, {})
            self.value_cells[column] = value

    def _value(self, row: int, column: int, attributes: Mapping[str, str], text: str) -> object:
        kind = attributes.get("t", "n")
        try:
            if kind == "n":
                number = _number(text)
                return Date(number + self.days) if attributes.get("s") in self.dates else number
            if kind == "s":
                return self.strings[_whole(text)]
            return _KINDS[kind](text)
        except (KeyError, ValueError, IndexError) as error:
            cell = f"{column_letters(column)}{row}"
            raise ValueError(f"cell {cell} of type {kind} stores {text[:40]!r}") from error

    def _formula(self, row: int, column: int, attributes: Mapping[str, str], text: str) -> str | Shared:
        if attributes.get("t") != "shared":
            return text
        group = attributes.get("si", "")
        if text:
            shared = Shared(row, column, text)
            if "ref" in attributes or group not in self.masters:
                self.masters[group] = shared
            return shared
        if group not in self.masters:
            raise ValueError(f"cell {column_letters(column)}{row} shares a formula that no cell before it has")
        return self.masters[group]


def _number(text: str) -> float:
    """A number as XML Schema writes one: Python would take `1_0`, and digits of every script."""
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return float(text)


def _whole(text: str) -> int:
    if not (text.isascii() and text.strip().isdigit()):
        raise ValueError(text)
    return int(text)


def _day(text: str) -> object:
    moment = datetime.fromisoformat(text)
    return Date(Date.of(moment) + (moment.hour * 3600 + moment.minute * 60 + moment.second) / 86400)


_KINDS: Mapping[str, Callable[[str], object]] = {
    "b": lambda text: {"0": False, "1": True, "false": False, "true": True}[text.strip()],
    "e": CellError,
    "str": encode.decoded,
    "inlineStr": encode.decoded,
    "d": _day,
}
"""What cells store by their type, but for numbers and shared strings."""
