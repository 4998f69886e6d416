"""Time pages in headless Chromium, and weigh them: from pointer to paint while drawing, until a page is ready, on disk.

Printed are the figures beside what is wanted of them; at 1366×768, also on a processor four times slower. From the
repository:

    python -m benchmarks.bench_web
"""

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from conv_sheet import lessons
from conv_sheet.web import page
from tests.lessons import state_of
from tests.oracles import run
from tests.oracles.browser import ROOT, require

LESSONS = ("kernels", "fastai", "lenet")
BYTES = {"kernels": 200_000, "fastai": 350_000, "lenet": 2_000_000}
MEDIAN = {"kernels": 16, "fastai": 16, "lenet": 150}
SLOWEST, SLOW, READY = 50, 60, 1_000
MOVES, SLOWER = 80, 4


def figures(name: str, path: Path, seen: dict[str, object]) -> Iterator[tuple[str, float, float]]:
    """What was measured of a lesson, and what it may be."""
    usual, slow = seen, seen["slow"]
    assert isinstance(slow, dict)
    yield "bytes on disk", path.stat().st_size, BYTES[name]
    yield "ms until ready, median", median(_numbers(usual["ready"])), READY
    yield "ms of work a move, median", median(_numbers(usual["work"])), MEDIAN[name]
    yield "ms from pointer to paint, median", median(_numbers(usual["lag"])), MEDIAN[name]
    if name == lessons.DEFAULT:
        yield "ms from pointer to paint, 95th percentile", _late(_numbers(usual["lag"])), SLOWEST
        yield f"ms from pointer to paint, {SLOWER} times slower, median", median(_numbers(slow["lag"])), SLOW


def _numbers(measured: object) -> Sequence[float]:
    assert isinstance(measured, list)
    return measured


def _late(times: Sequence[float]) -> float:
    return float(np.percentile(times, 95))


def main() -> None:
    """Measure, and print."""
    require()
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder, f"{name}.html") for name in LESSONS}
        for name, path in paths.items():
            page.write(state_of(name), path, name)
        given = {"files": [str(path) for path in paths.values()], "moves": MOVES, "slower": SLOWER}
        seen = json.loads(run("node", [ROOT / "benchmarks/web.js", json.dumps(given)]).out)
        for name, path in paths.items():
            for what, found, wanted in figures(name, path, seen[path.name]):
                sys.stdout.write(f"{name:<10}{what:<48}{found:>10,.1f}   ≤ {wanted:,}\n")


if __name__ == "__main__":
    main()
