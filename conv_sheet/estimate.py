"""How large a workbook will be and how long it takes, counted from its layout before anything of it is made.

`python -m benchmarks.bench_estimate` measures the constants; these are of an AMD EPYC that others use, too.
"""

from dataclasses import dataclass
from math import prod

from conv_sheet.errors import WorkbookError
from conv_sheet.network.layout import Stage
from conv_sheet.sheets import registry
from conv_sheet.sheets.backprop.copies import COPIES
from conv_sheet.state import WorkbookState

MOST_CELLS = 2_000_000
"""Of a workbook that is built without asking."""
LONG = 2.0
"""Seconds of a build before which it says how long it will last."""

_CELLS_A_BLOCK = 4
"""For its label, its scale, and what the loupe knows of it."""
_CELLS_OF_TEXT = 15_000
"""Of the sheets that every workbook has, and of its gallery."""
_BUILD_SECONDS = 7e-6
_FILE_BYTES = 11
_MEMORY_BYTES, _MEMORY_AT_LEAST = 140, 65e6
_LIBREOFFICE_STARTS = 1.2
_LIBREOFFICE_SECONDS, _LIBREOFFICE_PRODUCT_SECONDS = 3e-6, 1.2e-6
"""For a cell, and for a multiplication by a weight, of which deep networks have many in each cell."""


@dataclass(frozen=True)
class Estimate:
    """What a workbook of so many cells costs: rough figures, by which to decide whether to wait.

    >>> print(Estimate(1_000_000, multiply_adds=30_000_000))
    about 1,000,000 cells: 7 s and 205 MB of memory to build, a file of 11 MB, 40 s to calculate in LibreOffice
    """

    cells: int
    largest: str = ""
    """Name of the layer that takes more of them than all others together; empty where none does."""
    multiply_adds: int = 0
    """Of the formulas."""

    @property
    def seconds(self) -> float:
        """Of the processor, for the build."""
        return self.cells * _BUILD_SECONDS

    @property
    def file(self) -> float:
        """Size in megabytes."""
        return self.cells * _FILE_BYTES / 1e6

    @property
    def memory(self) -> float:
        """Megabytes that the build takes."""
        return (self.cells * _MEMORY_BYTES + _MEMORY_AT_LEAST) / 1e6

    @property
    def libreoffice(self) -> float:
        """Seconds in which LibreOffice, with a processor of its own, opens the file and calculates every formula."""
        products = self.multiply_adds * _LIBREOFFICE_PRODUCT_SECONDS
        return _LIBREOFFICE_STARTS + self.cells * _LIBREOFFICE_SECONDS + products

    def __str__(self) -> str:
        return (
            f"about {rounded(self.cells):,} cells: {self.seconds:.0f} s and {self.memory:.0f} MB of memory to build, "
            f"a file of {self.file:.0f} MB, {self.libreoffice:.0f} s to calculate in LibreOffice"
        )


def rounded(cells: int) -> int:
    """A count of cells with two digits that mean something, rounded up.

    >>> rounded(731_912), rounded(95)
    (740000, 95)
    """
    unit: int = 10 ** max(0, len(str(cells)) - 2)
    return -(-cells // unit) * unit


def estimate(state: WorkbookState) -> Estimate:
    """What a workbook of a state will cost.

    Raises WorkbookError where no sheet has room for the network.
    """
    cells = {stage.name: _on_network(stage) for stage in state.layout.stages}
    network, largest = sum(cells.values()), max(cells, key=lambda name: cells[name])
    own = [stage for stage in state.layout.stages if not stage.carried]
    engine = sum(prod(placed.shape) for stage in own for _, placed in stage.computed())
    kept_as_texts = len(state.layout.parts) > 1
    typed = 0 if kept_as_texts else sum(prod(item.placed.shape) for item in registry.inputs_of(state) if item.restored)
    copies = len(COPIES) * network if state.lesson.backprop else 0
    every = network + engine + prod(state.layout.input.shape) + typed + copies + _CELLS_OF_TEXT
    products = sum(node.layer.multiply_adds(node.in_shape) for node in state.network.nodes)
    times = 1 + (len(COPIES) if state.lesson.backprop else 0)
    return Estimate(every, largest if 2 * cells[largest] > network else "", products * times)


def _on_network(stage: Stage) -> int:
    """Cells of a stage on the sheet `Network`, zeros around its maps included."""
    cells = sum(prod(placed.shape) + _CELLS_A_BLOCK * len(placed.blocks) for placed in stage.own.values())
    if len(stage.out.shape) == 3:
        channels, height, width = stage.out.shape
        top, bottom, left, right = stage.border.sides
        cells += channels * ((height + top + bottom) * (width + left + right) - height * width)
    return cells


def require_cells(costs: Estimate, most: int) -> None:
    """Raise WorkbookError where a workbook would have more cells than somebody wants."""
    if costs.cells > most:
        count = rounded(costs.cells)
        fewer = (
            f"fewer channels or features in {costs.largest!r}, which takes most" if costs.largest else "fewer layers"
        )
        raise WorkbookError(
            f"the workbook would have about {count:,} cells, and {most:,} are the most: use a smaller input or "
            f"{fewer}, or allow it with --max-cells {count}"
        )
