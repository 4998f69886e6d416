"""Whole processes: what a command costs beside the import of what it needs."""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from benchmarks.measure import Row, show

ROUNDS = 9
COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Where Python keeps what it has compiled, as it does of an installed package; the peers are installed."""


def seconds(command: list[str], folder: Path) -> float:
    """Processor seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], cwd=folder, env=COMPILED, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def ratio(ours: list[str], peer: list[str], folder: Path, prepare: Callable[[], object] = lambda: None) -> float:
    """How many times as much processor time as its peer a process takes, by medians of turns."""
    times: list[list[float]] = [[], []]
    prepare()
    seconds(ours, folder)
    for _ in range(ROUNDS):
        prepare()
        times[0].append(seconds(ours, folder))
        times[1].append(seconds(peer, folder))
    return median(times[0]) / median(times[1])


def rows() -> Iterator[Row]:
    """A row a command."""
    heavy, click = ["-c", "import numpy, openpyxl"], ["-c", "import click"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        book = ["-m", "conv_sheet", "build", "-o", "book.xlsx", "--force"]
        yield Row("--help", "import click", ratio(["-m", "conv_sheet", "--help"], click, folder), 1.5)
        yield Row("build, .xlsx", "numpy, openpyxl", ratio(book, heavy, folder), 1.8)
        yield Row("check", "numpy, openpyxl", ratio(["-m", "conv_sheet", "check", "book.xlsx"], heavy, folder), 2.5)
        again = ["-m", "conv_sheet", "recompute", "book.xlsx"]
        yield Row("recompute of a closed file", "numpy, openpyxl", ratio(again, heavy, folder), 2.5)


if __name__ == "__main__":
    show(rows())
