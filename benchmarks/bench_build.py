"""Time `build` against XlsxWriter and openpyxl, which write the same cells without styles, colours and names.

The three take turns in every round, so that a slow moment of the machine meets all of them. Printed are medians, and
how many times as long as `build` each peer takes. From the repository:

    python -m benchmarks.bench_build
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import openpyxl
import xlsxwriter

from conv_sheet import lessons
from conv_sheet.builder import build
from conv_sheet.state import Contents

ROUNDS = 7


def with_xlsxwriter(held: Contents, path: Path) -> None:
    """The peer that can store values, too."""
    book = xlsxwriter.Workbook(path, {"use_future_functions": False})
    for page in held.pages():
        sheet = book.add_worksheet(page.title)
        for (row, column), cell in page.cells.items():
            if cell.formula is not None:
                sheet.write_formula(row - 1, column - 1, f"={cell.formula}", None, cell.value)
            elif cell.value is not None:
                sheet.write(row - 1, column - 1, cell.value)
    book.close()


def with_openpyxl(held: Contents, path: Path) -> None:
    """The peer that cannot."""
    book = openpyxl.Workbook()
    for page in held.pages():
        sheet = book.create_sheet(page.title)
        for (row, column), cell in page.cells.items():
            sheet.cell(row, column, cell.value if cell.formula is None else f"={cell.formula}")
    book.save(path)


def main() -> None:
    """Time every lesson."""
    writers: dict[str, Callable[[Contents, Path], None]] = {
        "conv-sheet": build,
        "XlsxWriter": with_xlsxwriter,
        "openpyxl": with_openpyxl,
    }
    for name in lessons.names():
        source = lessons.load(name)
        held = lessons.first_contents(source.network, source.lesson, source.tensors())
        cells = sum(len(page.cells) for page in held.pages())
        times: dict[str, list[float]] = {writer: [] for writer in writers}
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(ROUNDS):
                for writer, write in writers.items():
                    started = time.perf_counter()
                    write(held, Path(folder, "book.xlsx"))
                    times[writer].append(time.perf_counter() - started)
        own = statistics.median(times["conv-sheet"])
        peers = ", ".join(
            f"{writer} {statistics.median(taken) / own:.2f}×"
            for writer, taken in times.items()
            if writer != "conv-sheet"
        )
        sys.stdout.write(f"{name}: {cells:,} cells, conv-sheet {own:.2f} s; {peers}\n")


if __name__ == "__main__":
    main()
