"""Workbook files as what they hold."""

from pathlib import Path

from conv_sheet.network.spec import Spec
from conv_sheet.sheets import earlier, reading, registry, standing
from conv_sheet.sheets.hidden import FORMAT
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.reader import Stored


def read(path: str | Path) -> WorkbookState:
    """What a workbook holds, checked: picture, weights, choices, and what the engine last wrote.

    Raises WorkbookError for a file that is no workbook of this version, in which something does not stand where it was
    built, or in which a cell holds what it may not.
    """
    stored = Stored.open(Path(path))
    state = reading.state_of(stored)
    standing.require(stored, registry.pages(state))
    return state


def read_any(path: Path) -> WorkbookState:
    """Picture, weights and choices of a workbook of this or an earlier version."""
    stored = Stored.open(path)
    return read(path) if reading.version(stored) == FORMAT else earlier.state_of(stored)


def read_spec(path: Path) -> Spec:
    """What a workbook of any version says of itself: network and lesson."""
    return reading.spec_of(Stored.open(path))
