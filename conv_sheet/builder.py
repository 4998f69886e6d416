"""`build`: the state of a workbook as a file."""

import tempfile
from pathlib import Path

from conv_sheet.cells.page import Page
from conv_sheet.sheets import buttons, conf, registry
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.writer import write


def build(state: WorkbookState, path: Path) -> None:
    """Write a workbook of this state, whole or not at all; with macros and buttons if `path` ends in .xlsm.

    Raises WorkbookError where the network does not fit a sheet or the file cannot be written.
    """
    pages = registry.pages(state)
    if path.suffix.lower() == ".xlsm":
        _with_macros(state, pages, path)
    else:
        write(state.lesson.title, pages, path)


def _with_macros(state: WorkbookState, pages: list[Page], path: Path) -> None:
    from conv_sheet.xlsx.macros import Button, Macro, add_macros

    placed = [
        Button(page.title, button.macro, button.caption, (at.column, at.row, at.last_column, at.last_row))
        for page in pages
        for button in page.buttons
        for at in (button.block,)
    ]
    macros = [Macro(name, function) for name, function in buttons.functions(state.lesson).items()]
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "plain.xlsx")
        write(state.lesson.title, [*pages, conf.page()], plain)
        add_macros(plain, path, placed, macros)
