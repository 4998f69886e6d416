"""The hidden sheet `xlwings.conf`: where the button finds Python on the machine that built the file."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath

from conv_sheet.cells import style
from conv_sheet.cells.page import Page

CONF = "xlwings.conf"


def settings(platform: str, interpreter: str, environment: Mapping[str, str] = os.environ) -> dict[str, str | bool]:
    """What xlwings reads on that sheet. On systems without Excel the interpreter is left open.

    Python of conda finds its libraries on Windows only in an activated environment: xlwings activates one where it is
    named and the interpreter is not.

    >>> settings("linux", "/usr/bin/python3")
    {'ADD_WORKBOOK_TO_PYTHONPATH': False, 'SHOW CONSOLE': False}
    >>> settings("win32", "C:/Python/python.exe", {})["INTERPRETER_WIN"]
    'C:/Python/python.exe'
    """
    key = {"win32": "INTERPRETER_WIN", "darwin": "INTERPRETER_MAC"}.get(platform)
    found: dict[str, str | bool] = {}
    if key:
        conda = _conda(interpreter, environment) if platform == "win32" else {}
        found |= conda or {key: interpreter}
        if not _installed():
            found["PYTHONPATH"] = str(Path(__file__).parents[2])
    return found | {"ADD_WORKBOOK_TO_PYTHONPATH": False, "SHOW CONSOLE": False}


def _conda(interpreter: str, environment: Mapping[str, str]) -> dict[str, str]:
    r"""Where conda and its active environment are, if the interpreter belongs to it.

    >>> _conda("C:/conda/envs/fastai/python.exe", {"CONDA_PREFIX": "C:/conda/envs/fastai"})
    {'INTERPRETER_WIN': '', 'CONDA PATH': 'C:\\conda', 'CONDA ENV': 'fastai'}
    """
    said = environment.get("CONDA_PREFIX")
    if not said or PureWindowsPath(interpreter).parent != PureWindowsPath(said):
        return {}
    prefix, program = PureWindowsPath(said), environment.get("CONDA_EXE")
    if prefix.parent.name.lower() == "envs":
        base, name = prefix.parent.parent, prefix.name
    elif program and PureWindowsPath(program).parent.parent != prefix:
        base, name = PureWindowsPath(program).parent.parent, str(prefix)
    else:
        base, name = prefix, "base"
    return {"INTERPRETER_WIN": "", "CONDA PATH": str(base), "CONDA ENV": name}


def _installed() -> bool:
    from importlib.metadata import PackageNotFoundError, distribution

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
