"""What the tests of the lessons' own sheets share: a lesson as the command line builds it, and a hand on its cells."""

import re
import shutil
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from conv_sheet import lessons
from conv_sheet.builder import build
from conv_sheet.cells.formula import FUNCTIONS, functions_in
from conv_sheet.cells.page import Page
from conv_sheet.network.lesson import Try
from conv_sheet.ops import Array
from conv_sheet.sheets import registry
from conv_sheet.state import WorkbookState
from tests.conftest import Once
from tests.oracles import cells, libreoffice


def state_of(name: str) -> WorkbookState:
    """A lesson as the command line builds it."""
    source = lessons.load(name)
    return lessons.first_state(source.network, source.lesson, source.tensors())


@cache
def pages_of(name: str) -> tuple[Page, ...]:
    """The sheets of a lesson that are seen."""
    return tuple(page for page in registry.pages(state_of(name)) if not page.hidden)


def built(once: Once, name: str, suffix: str = ".xlsx") -> Path:
    """A lesson's workbook, made once for all tests: they copy what they change or open."""
    return once(f"{name}{suffix}", lambda path: build(state_of(name), path))


def fixtures(name: str) -> tuple[Any, Any, Any]:
    """Fixtures of a module about one lesson: its state, its workbook, and that workbook open in LibreOffice."""

    @pytest.fixture(scope="module")
    def state() -> WorkbookState:
        return state_of(name)

    @pytest.fixture(scope="module")
    def path(once: Once) -> Path:
        return built(once, name)

    @pytest.fixture(scope="module")
    def book(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
        with libreoffice.opened(Path(shutil.copy(path, tmp_path_factory.mktemp(name)))) as opened:
            yield opened

    return state, path, book


def put(book: Any, **cells: object) -> None:
    """Type into cells of an open workbook, by their names; an array fills as many as it has values."""
    for name, value in cells.items():
        area = book.names[name].refers_to_range
        if isinstance(value, np.ndarray):
            area.value = value.tolist()
        else:
            area[0, 0].value = value


def shown(book: Any, name: str) -> list[list[object]]:
    """What the cells of a name show in an open workbook; None where that is nothing."""
    rows = book.names[name].refers_to_range.options(ndim=2).value
    return [[None if value == "" else value for value in row] for row in rows]


def numbers(book: Any, name: str) -> Array:
    """The numbers that the cells of a name show in an open workbook."""
    return np.array(shown(book, name), dtype=float)


def texts(book: Any, sheet: str) -> str:
    """Everything that is written on a sheet of an open workbook."""
    rows = book.sheets[sheet].range((1, 1), (60, 90)).options(ndim=2).value
    return "\n".join(value for row in rows for value in row if isinstance(value, str))


def strange_formulas(path: Path) -> list[str]:
    """Cells whose formula calls a function that not every spreadsheet program has, or needs array entry."""
    strange = []
    with zipfile.ZipFile(path) as archive:
        for part in archive.namelist():
            if part.startswith("xl/worksheets/sheet"):
                for cell in ElementTree.fromstring(archive.read(part)).iterfind(".//{*}c[{*}f]"):
                    formula = cell.find("{*}f")
                    assert formula is not None
                    entered = formula.get("t", "shared") == "shared"
                    if not entered or not functions_in(f"={formula.text or ''}") <= FUNCTIONS:
                        strange.append(f"{part} {cell.get('r')}")
    return strange


def tries(path: Path) -> dict[str, str]:
    """What `Start` proposes to try: the name in each of its links, and the cells to which the link leads."""
    shown = cells.values(path, "Start")
    with zipfile.ZipFile(path) as archive:
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    links = {str(one.get("ref")): str(one.get("location")) for one in sheet.iterfind(".//{*}hyperlink")}
    texts = {at: str(shown[at]) for at in links}
    return {texts[at].split()[-1]: to for at, to in links.items() if texts[at][0].isdigit()}  # others are of pictures


def perform(book: Any, item: Try, name: str) -> list[list[object]]:
    """Do what a try says in an open workbook, and show the cells of a name.

    What it checks must not be so before, and must be so after; its answer must begin with one of its choices.
    """
    assert not holds(book, item.check), f"{item.at}: {item.check} holds before anything is done"
    for where, value in item.do.items():
        title, _, cell = where.rpartition("!")
        area = book.sheets[title].range(cell) if title else book.names[where].refers_to_range
        area.value = np.full(area.shape, value, dtype=object).tolist()
    assert holds(book, item.check), f"{item.at}: {item.check} does not hold"
    right = [choice for choice in item.choices if re.match(rf"{re.escape(choice)}\b", item.answer, re.IGNORECASE)]
    assert len(right) == bool(item.choices), f"{item.at}: {item.answer}"
    return shown(book, name)


def holds(book: Any, check: str) -> bool:
    """Whether a formula is true in an open workbook."""
    spare = book.sheets["Start"].range("AZ1")
    spare.formula = f"=IF({check},1,0)"
    return bool(spare.value == 1)
