"""conv-sheet: convolutional networks as Excel workbooks of live formulas.

A network, its workbook, and the way back:

>>> import conv_sheet
>>> network = conv_sheet.Network.from_spec({
...     "input": [1, 6, 6],
...     "layers": [{"name": "conv1", "kind": "Conv2d", "out_channels": 2, "kernel_size": 3}],
... })
>>> [(row.name, row.shape, row.parameters) for row in conv_sheet.summary(network)]
[('input', (1, 6, 6), 0), ('conv1', (2, 4, 4), 20)]
>>> workbook = conv_sheet.workbook(network, seed=0)
>>> workbook.activations["conv1"].shape
(1, 2, 4, 4)
>>> import pathlib, tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     path = pathlib.Path(folder, "mine.xlsx")
...     conv_sheet.build(workbook, path)
...     conv_sheet.check(path).ok, conv_sheet.read(path)
(True, WorkbookState('A convolutional network', Network(1×6×6 → conv1 2×4×4; layers: 1, parameters: 20)))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

_PLACES = {
    "Network": "conv_sheet.network.graph",
    "Recipe": "conv_sheet.learning.recipe",
    "WorkbookState": "conv_sheet.state",
    "build": "conv_sheet.builder",
    "check": "conv_sheet.checks",
    "from_torch": "conv_sheet.models",
    "load": "conv_sheet.lessons",
    "read": "conv_sheet.opening",
    "read_model": "conv_sheet.models",
    "summary": "conv_sheet.network.summary",
    "train": "conv_sheet.learning.recipe",
    "workbook": "conv_sheet.lessons",
}
"""The public API, and the modules that hold it; imported when first asked for, so that nothing heavy is paid for."""

__all__ = [
    "Network",
    "Recipe",
    "WorkbookState",
    "__version__",
    "build",
    "check",
    "from_torch",
    "load",
    "read",
    "read_model",
    "summary",
    "train",
    "workbook",
]

if TYPE_CHECKING:
    from conv_sheet.builder import build
    from conv_sheet.checks import check
    from conv_sheet.learning.recipe import Recipe, train
    from conv_sheet.lessons import load, workbook
    from conv_sheet.models import from_torch, read_model
    from conv_sheet.network.graph import Network
    from conv_sheet.network.summary import summary
    from conv_sheet.opening import read
    from conv_sheet.state import WorkbookState


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'conv_sheet' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *globals()])
