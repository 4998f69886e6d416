"""`build`: the state of a workbook as a file."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

from conv_sheet.cells.page import Page
from conv_sheet.errors import ConvSheetWarning
from conv_sheet.sheets import buttons, conf, registry
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.writer import write

_PAGES = 0.3
"""Share of a build after which its pages are made, and their cells remain to be written."""
MOST_NAMES = 65_535
"""Defined names that LibreOffice has room for; Excel has room for all."""


def build(state: WorkbookState, path: str | Path, progress: Callable[[float], None] = lambda _: None) -> None:
    """Write a workbook of this state, whole or not at all; with macros and buttons if `path` ends in .xlsm.

    `progress` is called with the share that is done, 0 to 1. Raises WorkbookError where the network does not fit a
    sheet, a number its cell, or the file cannot be written.
    """
    path = Path(path)

    def written(share: float) -> None:
        progress(_PAGES + (1 - _PAGES) * share)

    if path.suffix.lower() == ".xlsm":
        _with_macros(state, path, written)
    else:
        write(state.lesson.title, _pages(state, path), path, written)


def _pages(state: WorkbookState, path: Path) -> list[Page]:
    registry.require_allowed(state)
    pages = registry.pages(state)
    names = sum(len(page.names) for page in pages)
    if names > MOST_NAMES:
        kept = (
            f"{path} has {names:,} defined names, of which LibreOffice 7.4 keeps {MOST_NAMES:,}: do not save it there"
        )
        warnings.warn(ConvSheetWarning(kept), stacklevel=3)
    return pages


def _with_macros(state: WorkbookState, path: Path, written: Callable[[float], None]) -> None:
    from conv_sheet.xlsx.macros import Macro, add_macros
    from conv_sheet.xlsx.vml import Button

    pages = [*_pages(state, path), conf.page()]
    placed = [
        Button(page.title, button.macro, button.caption, (at.column, at.row, at.last_column, at.last_row))
        for page in pages
        for button in page.buttons
        for at in (button.block,)
    ]
    macros = [Macro(name, function) for name, function in buttons.functions(state.lesson).items()]
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "plain.xlsx")
        write(state.lesson.title, pages, plain, written)
        del pages  # half of the memory, which the sheets' XML takes next
        add_macros(plain, path, placed, macros)
