"""The hidden sheet `xlwings.conf`: where the button finds Python on the machine that built the file."""

import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from conv_sheet.cells import style
from conv_sheet.cells.page import Page

CONF = "xlwings.conf"


def settings(platform: str, interpreter: str) -> dict[str, str | bool]:
    """What xlwings reads on that sheet. On systems without Excel the interpreter is left open.

    >>> settings("linux", "/usr/bin/python3")
    {'ADD_WORKBOOK_TO_PYTHONPATH': False, 'SHOW CONSOLE': False}
    >>> settings("win32", "C:/Python/python.exe")["INTERPRETER_WIN"]
    'C:/Python/python.exe'
    """
    key = {"win32": "INTERPRETER_WIN", "darwin": "INTERPRETER_MAC"}.get(platform)
    found: dict[str, str | bool] = {}
    if key:
        found[key] = interpreter
        if not _installed():
            found["PYTHONPATH"] = str(Path(__file__).parents[2])
    return found | {"ADD_WORKBOOK_TO_PYTHONPATH": False, "SHOW CONSOLE": False}


def _installed() -> bool:
    try:
        distribution("conv-sheet")
    except PackageNotFoundError:
        return False
    return True


def page() -> Page:
    """The sheet, for the machine and the interpreter that run this."""
    sheet = Page(CONF, hidden=True, widths={1: 32, 2: 60})
    for row, (key, value) in enumerate(settings(sys.platform, sys.executable).items(), 1):
        sheet.put(row, 1, key, style.SPEC)
        sheet.put(row, 2, str(value) if isinstance(value, bool) else value, style.SPEC)
    return sheet
