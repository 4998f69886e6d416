"""Writes docs/models.md: the small networks of tests/models/zoo.py as workbooks. Another page: models.py <page.md>."""

import re
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from conv_sheet.builder import build
from conv_sheet.layers import Array
from conv_sheet.lessons import workbook
from conv_sheet.models import from_torch
from conv_sheet.network.layout import NETWORK
from conv_sheet.office.libreoffice import recalculate
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.change import patch_cells
from conv_sheet.xlsx.reader import Stored
from tests.models.zoo import ZOO, ready

PAGE = Path(__file__).resolve().parents[1] / "docs/models.md"
_LONGEST = 900
"""Seconds that LibreOffice gets for a workbook."""
_HEAD = """# Small networks that people teach with

These {count} networks, written anew as PyTorch modules from their public descriptions and given random weights, were
read with `from_torch` and built as workbooks, in {seconds:.0f} s of processor time together. Nothing was said of them
beside the module and a picture.

- *engine* is the largest distance of the engine's output to PyTorch's, both in double precision;
- *formulas*: a pixel was changed in the workbook, LibreOffice calculated every formula, and what its output cells show
  then was compared with what PyTorch makes of the changed picture.

A workbook of more than 2,000,000 cells wants `--max-cells`. Sizes are those of `.xlsx` files. `tests/models` asks these
networks at every run, as modules and as files of ONNX; this page is made by `python -m scripts.models`.
"""


@dataclass(frozen=True)
class Row:
    """What became of a network."""

    name: str
    state: WorkbookState
    cells: int
    size: float
    """Of the file, in megabytes."""
    seconds: float
    engine: float
    """Largest distance to PyTorch's output, as that below."""
    formulas: float

    def __str__(self) -> str:
        layers = [node.layer.kind for node in self.state.network.nodes]
        shape = "×".join(map(str, self.state.network.input_shape))
        agreement = f"{self.engine:.0e} | {self.formulas:.0e}"
        size = f"{self.cells:,} | {self.size:.1f} MB | {self.seconds:.1f} s"
        return f"| `{self.name}` | {shape} | {len(layers)} | {kinds(layers)} | {size} | {agreement} |"


def kinds(layers: Iterable[str]) -> str:
    """The kinds of some layers, each once, in the order of the alphabet."""
    return ", ".join(sorted(set(layers)))


def measured(name: str, folder: Path) -> Row:
    """A network as a workbook, and what LibreOffice and PyTorch say of it."""
    module, example = ready(name)
    module, x = module.double(), example.double()
    state = workbook(from_torch(module, x), x)
    path = folder / f"{name}.xlsx"
    start = time.process_time()
    build(state, path)
    seconds = time.process_time() - start
    engine = _distance(state.output, module, x)
    row, column = state.layout.input.blocks[0].position(0, 0)
    changed = x.clone()
    changed.view(-1)[0] = 0.75
    patch_cells(path, path, {NETWORK: {(row, column): 0.75}})
    recalculate(path, folder / "answer.xlsx", _LONGEST)
    answer = Stored.open(folder / "answer.xlsx")
    shown = [value for block in state.layout.output.blocks for line in answer.block(block) for value in line]
    formulas = _distance(np.array(shown, dtype=float).reshape(state.output.shape), module, changed)
    return Row(name, state, cells(path), path.stat().st_size / 1e6, seconds, engine, formulas)


def cells(path: Path) -> int:
    """Cells of a workbook's file."""
    with zipfile.ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
        return sum(len(re.findall(rb"<c r=", archive.read(name))) for name in sheets)


@torch.no_grad()
def _distance(output: Array, module: torch.nn.Module, x: torch.Tensor) -> float:
    return float(np.abs(output.reshape(-1) - module(x).numpy().reshape(-1)).max())


def page(rows: Iterable[Row]) -> str:
    """The page `docs/models.md`."""
    found = list(rows)
    head = _HEAD.format(count=len(found), seconds=sum(row.seconds for row in found))
    columns = ("network", "input", "layers", "kinds", "cells", "file", "build", "engine", "formulas")
    return "\n".join([head, f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *map(str, found)]) + "\n"


def _said(names: Iterable[str]) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            row = measured(name, Path(folder))
            print(row, flush=True)
            yield row


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    target.write_text(page(_said(ZOO)), encoding="utf-8")
