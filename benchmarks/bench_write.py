"""Writing workbooks: formula cells with stored values, a large lesson, and a chain as large as ResNet-20.

The peers write the same cells bare: openpyxl without values, which it cannot store, XlsxWriter with them.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import openpyxl
import xlsxwriter

from benchmarks.measure import Row, peak, ratio, show
from conv_sheet import lessons
from conv_sheet.cells import style
from conv_sheet.cells.formula import mover
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page
from conv_sheet.sheets import registry
from conv_sheet.xlsx.writer import write

SHEET = "Network"
SIDE = 100
_MOVED = mover("MAX(0,SUMPRODUCT(B10:D12,$AF$10:$AH$12)+$AF$7)")
_TEXTS = [[_MOVED(y, x) for x in range(SIDE)] for y in range(SIDE)]


def _cell(y: int, x: int) -> str:
    return _TEXTS[y][x]


def page(blocks: int, shared: bool) -> Page:
    """Blocks of 100×100 formula cells, of one pattern each or all written out."""
    made, values = Page(SHEET), np.random.default_rng(0).random((SIDE, SIDE))
    for number in range(blocks):
        block = Block(SHEET, 20 + number // 10 * SIDE, 40 + number % 10 * SIDE, SIDE, SIDE)
        made.account(block, values, style.ACTIVATION, _cell, shared)
    return made


def with_openpyxl(pages: list[Page], path: Path) -> None:
    """The peer that cannot store the values of formulas."""
    book = openpyxl.Workbook()
    for one in pages:
        sheet = book.create_sheet(one.title)
        for (row, column), cell in one.cells():
            sheet.cell(row, column, cell.value if cell.formula is None else f"={cell.formula}")
    book.save(path)


def with_xlsxwriter(pages: list[Page], path: Path) -> None:
    """The peer that can."""
    book = xlsxwriter.Workbook(path, {"use_future_functions": False})
    for one in pages:
        sheet = book.add_worksheet(one.title)
        for (row, column), cell in one.cells():
            if cell.formula is not None:
                sheet.write_formula(row - 1, column - 1, f"={cell.formula}", None, cell.value)
            elif cell.value is not None:
                sheet.write(row - 1, column - 1, cell.value)
    book.close()


def rows() -> Iterator[Row]:
    """A row a figure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "book.xlsx")

        def ours(pages: list[Page]) -> Callable[[], None]:
            return lambda: write("benchmark", pages, path)

        for name, shared, wanted in (("all written out", False, 0.2), ("of one pattern", True, 0.1)):
            pages = [page(10, shared)]
            yield Row(
                f"100,000 formula cells, {name}",
                "openpyxl",
                ratio(ours(pages), lambda p=pages: with_openpyxl(p, path), 3),
                wanted,
            )  # type: ignore[misc]
            yield Row(
                f"100,000 formula cells, {name}",
                "XlsxWriter",
                ratio(ours(pages), lambda p=pages: with_xlsxwriter(p, path), 3),
                0.35,
            )  # type: ignore[misc]
        source = lessons.load("lenet")
        state = lessons.first_state(source.network, source.lesson, source.tensors())
        pages = registry.pages(state)
        yield Row(
            "lenet, its pages written", "openpyxl", ratio(ours(pages), lambda: with_openpyxl(pages, path), 3), 0.2
        )
        million = page(100, shared=True)
        yield Row("memory of 1,000,000 formula cells", "MB", peak(ours([million])) / 1e6, 50)


if __name__ == "__main__":
    show(rows())
