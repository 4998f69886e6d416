"""Measures every figure, and writes the table that the documentation shows."""

from itertools import chain
from pathlib import Path

from benchmarks import (
    bench_conv,
    bench_epoch,
    bench_forward,
    bench_growth,
    bench_memory,
    bench_recalculation,
    bench_start,
    bench_write,
)
from benchmarks.measure import as_table, show

DOCUMENT = Path(__file__).resolve().parents[1] / "docs/benchmarks.md"
_SCRIPTS = (
    bench_write,
    bench_growth,
    bench_start,
    bench_forward,
    bench_conv,
    bench_memory,
    bench_epoch,
    bench_recalculation,
)

if __name__ == "__main__":
    measured = show(chain.from_iterable(script.rows() for script in _SCRIPTS))
    DOCUMENT.write_text(as_table(measured), encoding="utf-8")
