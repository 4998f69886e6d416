"""conv-sheet: convolutional networks as Excel workbooks of live formulas.

>>> import conv_sheet
>>> network = conv_sheet.Network.from_spec({
...     "input": [1, 6, 6],
...     "layers": [{"name": "conv1", "kind": "Conv2d", "out_channels": 2, "kernel_size": 3}],
... })
>>> [row.name for row in conv_sheet.summary(network)]
['input', 'conv1']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

_PLACES = {
    "Network": "conv_sheet.network.graph",
    "WorkbookState": "conv_sheet.state",
    "build": "conv_sheet.builder",
    "check": "conv_sheet.checks",
    "from_torch": "conv_sheet.models",
    "load": "conv_sheet.lessons",
    "read": "conv_sheet.opening",
    "read_model": "conv_sheet.models",
    "summary": "conv_sheet.network.summary",
    "train": "conv_sheet.learning.recipe",
}
"""The public API, and the modules that hold it; imported when first asked for, so that nothing heavy is paid for."""

__all__ = [
    "Network",
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
]

if TYPE_CHECKING:
    from conv_sheet.builder import build
    from conv_sheet.checks import check
    from conv_sheet.learning.recipe import train
    from conv_sheet.lessons import load
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
