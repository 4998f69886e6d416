"""How much time or memory something takes beside a peer, both measured in one run."""

import platform
import sys
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from time import process_time

import numpy as np
import torch

ROUNDS = 25
SECONDS = 0.01
"""What a round lasts at least: a call that is shorter is made several times."""


@dataclass(frozen=True)
class Row:
    """What was measured, beside which peer, how many times as much it takes, and how many times it may take."""

    what: str
    peer: str
    ratio: float
    wanted: float


def ratio(ours: Callable[[], object], peer: Callable[[], object], rounds: int = ROUNDS) -> float:
    """How many times as much processor time as its peer something takes, by medians.

    The two take turns, so that a slow moment of the machine meets both. A first turn does not count.
    """
    times: list[list[float]] = [[], []]
    repeats = []
    for run in (ours, peer):
        run()
        repeats.append(max(1, int(SECONDS / _seconds(run, 1))))
    for _ in range(rounds):
        for taken, run, count in zip(times, (ours, peer), repeats, strict=True):
            taken.append(_seconds(run, count))
    return median(times[0]) / median(times[1])


def _seconds(run: Callable[[], object], repeats: int) -> float:
    start = process_time()
    for _ in range(repeats):
        run()
    return (process_time() - start) / repeats


def peak(run: Callable[[], object]) -> int:
    """Bytes that Python and NumPy hold at most at a time during a call, beyond what they held before."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def show(rows: Iterable[Row]) -> list[Row]:
    """Print the machine, then a line for each row as soon as it is measured; return all rows."""
    torch.set_num_threads(1)
    measured = []
    sys.stdout.write(f"{machine()}\n")
    sys.stdout.write(f"{'what':<52}{'peer':<18}{'ratio':>8}{'wanted':>9}\n")
    for row in rows:
        sys.stdout.write(f"{row.what:<52}{row.peer:<18}{row.ratio:>8.2f}{'≤ ' + format(row.wanted, 'g'):>9}\n")
        sys.stdout.flush()
        measured.append(row)
    return measured


def machine() -> str:
    """On what was measured: the processor, and the versions."""
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__}"
    return f"{_processor()}, one thread; {versions}"


def as_table(rows: Iterable[Row]) -> str:
    """The rows as a page of the documentation."""
    lines = [f"| {row.what} | {row.peer} | {row.ratio:.2f} | {row.wanted:g} |" for row in rows]
    head = [
        "# Benchmarks",
        "",
        "Written by `make bench`. A ratio is one of medians, both measured in one run in turns.",
        "",
    ]
    table = ["| what | peer or unit | measured | wanted |", "|---|---|---|---|", *lines]
    plot = "![Time and memory of a build by the number of its cells](growth.png)"
    return "\n".join([*head, machine(), "", *table, "", plot, ""])


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
