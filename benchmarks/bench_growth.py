"""How time and memory of a build grow with its cells: chains of convolutions, in processes of their own.

A cell's share is that of the cells which are more than in a small chain: what a build takes however small it is does
not count. The plot `docs/growth.png` shows time and memory of all chains.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.growing import Measured
from benchmarks.measure import Row, show

PLOT = Path(__file__).resolve().parents[1] / "docs/growth.png"
CHANNELS = (1, 2, 4, 8, 12, 16)
"""Of the first of three stages; the last has four times as many. With 16, the chain is as large as ResNet-20."""
ROUNDS = 3


def alone(channels: int) -> Measured:
    """The same in a process of its own, the medians of some."""
    found = []
    for _ in range(ROUNDS):
        command = [sys.executable, "-m", "benchmarks.growing", str(channels)]
        found.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
    return Measured(*(median(each) for each in zip(*found, strict=True)))


def rows() -> Iterator[Row]:
    """What a cell costs in the largest chain beside one of the second smallest, and the largest by itself."""
    measured = [alone(channels) for channels in CHANNELS]
    _plot(measured)
    start, low, high = measured[1], measured[3], measured[-1]
    for name, unit in (("seconds", "time"), ("memory", "memory")):
        each = [(getattr(one, name) - getattr(start, name)) / (one.cells - start.cells) for one in (low, high)]
        yield Row(f"{unit} of a cell, up to {high.cells:,}", f"up to {low.cells:,} cells", each[1] / each[0], 1.2)
    what = f"a chain as large as ResNet-20, {high.cells:,} cells"
    yield Row(what, "s of processor", high.seconds, 8)
    yield Row(what, "MB of memory", high.memory, 200)
    yield Row("its file", "MB", high.file, 10)


def _plot(measured: list[Measured]) -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(8, 3), constrained_layout=True)
    cells = [one.cells / 1000 for one in measured]
    for axis, name, unit in ((axes[0], "seconds", "seconds of processor"), (axes[1], "memory", "MB of memory")):
        axis.plot(cells, [getattr(one, name) for one in measured], "o-")
        axis.set(xlabel="thousand cells", ylabel=unit, xlim=0, ylim=0)
        axis.grid(alpha=0.3)
    figure.savefig(PLOT, dpi=120, metadata={"Software": None})
    pyplot.close(figure)


if __name__ == "__main__":
    show(rows())
