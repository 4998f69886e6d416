"""What a cell of a workbook costs: measures the constants of `conv_sheet/estimate.py`, in processes of their own.

A workbook with macros is built, as `build` does unless told otherwise, with weights of many digits, as models have
them, and LibreOffice calculates it.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.growing import chain, memory
from conv_sheet.builder import build
from conv_sheet.estimate import estimate
from conv_sheet.office.libreoffice import recalculate
from conv_sheet.pictures.samples import FIRST, sample
from conv_sheet.state import WorkbookState

if TYPE_CHECKING:
    from benchmarks.measure import Row

CHANNELS = (1, 4, 8, 12)
"""Of the first of three stages of a chain of convolutions."""


def measured(channels: int) -> dict[str, float]:
    """A build in this process and a calculation in LibreOffice: seconds and bytes."""
    network = chain(channels)
    rng = np.random.default_rng(0)
    tensors = {name: rng.normal(0, 0.1, shape) for name, shape in network.parameters.items()}
    state = WorkbookState.of(network, sample(FIRST, network.input_shape), tensors)
    with tempfile.TemporaryDirectory() as folder:
        path, start = Path(folder, "book.xlsm"), process_time()
        build(state, path)
        seconds = process_time() - start
        held = memory() * 1e6
        asked = perf_counter()
        recalculate(path, Path(folder, "answer.xlsx"))
        waited = perf_counter() - asked
        size = path.stat().st_size
    costs = estimate(state)
    sizes = {"cells": costs.cells, "products": costs.multiply_adds}
    return sizes | {"seconds": seconds, "memory": held, "file": size, "libreoffice": waited}


def rows(found: list[dict[str, float]]) -> "Iterator[Row]":
    """What a cell costs in each chain beyond the smallest, in millionths of a second and in bytes."""
    from benchmarks.measure import Row

    smallest, *others = found
    yield Row(f"memory with {smallest['cells']:,.0f} cells", "MB", smallest["memory"] / 1e6, 80)
    for one in others:
        cells = one["cells"] - smallest["cells"]
        for what, unit, factor, wanted in (
            ("seconds", "µs of processor", 1e6, 10),
            ("file", "bytes", 1, 16),
            ("memory", "bytes", 1, 300),
        ):
            each = (one[what] - smallest[what]) / cells * factor
            yield Row(f"{what} of a cell, {one['cells']:,.0f} cells", unit, each, wanted)
        each = (one["libreoffice"] - smallest["libreoffice"]) / (one["products"] - smallest["products"]) * 1e6
        yield Row(f"libreoffice of a multiplication, {one['products']:,.0f} of them", "µs", each, 3)


def _alone(channels: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.bench_estimate", str(channels)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(measured(int(sys.argv[1]))))
    else:
        each = [_alone(channels) for channels in CHANNELS]
        from benchmarks.measure import show  # it imports PyTorch, which is not to be in what is measured

        show(rows(each))
