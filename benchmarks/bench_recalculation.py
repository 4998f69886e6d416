"""How long a spreadsheet program needs after one edit in the default lesson: another pixel, another weight.

The peer is the network alone, written as in the spreadsheet that the lesson follows: an array formula in each cell of a
convolution, `{=MAX(0,SUM(window*kernel)+bias)}`. LibreOffice calculates what the edit reaches, IronCalc everything.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import openpyxl
from openpyxl.worksheet.formula import ArrayFormula

from benchmarks.measure import Row, show
from conv_sheet import lessons
from conv_sheet.builder import build
from conv_sheet.cells.grid import Block
from conv_sheet.network.graph import INPUT
from conv_sheet.network.layout import NETWORK
from conv_sheet.sheets import registry
from conv_sheet.state import WorkbookState
from tests.oracles import ironcalc
from tests.oracles.libreoffice import opened

ROUNDS = 45
_PRODUCT = re.compile(r"SUMPRODUCT\(([^(),]+),([^(),]+)\)")


def with_arrays(state: WorkbookState, path: Path) -> None:
    """The peer: pixels, weights and layers of `Network`, where the lesson has them, and nothing else."""
    (page,) = (page for page in registry.pages(state) if page.title == NETWORK)
    layers = {node.name for node in state.network.nodes}
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = NETWORK
    for (row, column), cell in page.cells():
        if cell.formula is not None and cell.owner in layers:
            formula = "=" + _PRODUCT.sub(r"SUM(\1*\2)", cell.formula)
            array = ArrayFormula(sheet.cell(row, column).coordinate, formula)
            sheet.cell(row, column, array if "*" in formula else formula)
        elif isinstance(cell.value, int | float):
            sheet.cell(row, column, cell.value)
    book.save(path)


def libreoffice_seconds(ours: Path, peer: Path, cell: Block) -> list[list[float]]:
    """Seconds from a new number in a cell until all that it reaches is calculated, of two workbooks in turns."""
    times: list[list[float]] = [[], []]
    with opened(ours) as one, opened(peer) as other:
        for number in range(ROUNDS + 1):
            for taken, book in zip(times, (one, other), strict=True):
                taken.append(_edited(book.impl.api, cell, (number + 1) / 100))
    return [taken[1:] for taken in times]


def _edited(document: Any, cell: Block, value: float) -> float:
    there = document.Sheets.getByName(cell.sheet).getCellByPosition(cell.column - 1, cell.row - 1)
    start = perf_counter()
    there.setValue(value)
    document.calculate()
    return perf_counter() - start


def ironcalc_seconds(path: Path, pixel: Block) -> list[float]:
    """The same in IronCalc, as seconds of the processor: it calculates in this process."""
    answer = ironcalc.recalculated(path)
    times = []
    for number in range(ROUNDS):
        start = process_time()
        answer.model.set_user_input(answer.numbers[pixel.sheet], pixel.row, pixel.column, repr((number + 1) / 100))
        answer.model.evaluate()
        times.append(process_time() - start)
    return times


def rows() -> Iterator[Row]:
    """A row a program."""
    source = lessons.load("fastai")
    state = lessons.first_state(source.network, source.lesson, source.tensors())
    (picture,) = state.layout.placed[INPUT].blocks
    pixel = Block(NETWORK, picture.row + 14, picture.column + 14, 1, 1)
    kernel = next(stage.own["weight"].blocks[0] for stage in state.layout.stages if "weight" in stage.own)
    weight = Block(NETWORK, kernel.row, kernel.column, 1, 1)
    with tempfile.TemporaryDirectory() as folder:
        ours, peer = Path(folder, "ours.xlsx"), Path(folder, "peer.xlsx")
        build(state, ours)
        with_arrays(state, peer)
        for name, cell in (("pixel", pixel), ("weight", weight)):
            one, other = (median(taken) for taken in libreoffice_seconds(ours, peer, cell))
            yield Row(f"another {name}, in LibreOffice", "array formulas", one / other, 0.5)
        yield Row("another pixel, in IronCalc", "ms", median(ironcalc_seconds(ours, pixel)) * 1000, 100)


if __name__ == "__main__":
    show(rows())
