"""What could keep the button from working, looked at before somebody presses it: a table of checks with remedies."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from conv_sheet import __version__
from conv_sheet.errors import ConvSheetError, WorkbookError
from conv_sheet.files import file_in_use
from conv_sheet.sheets.conf import CONF, settings
from conv_sheet.xlsx.package import Package, patch_cells
from conv_sheet.xlsx.reader import contents, read

GOOD, WARNING, BAD = "ok", "note", "stop"


@dataclass(frozen=True)
class Finding:
    """One check: `state` is ok, note (it may matter) or stop (the button will not work); the last two have a remedy."""

    state: str
    check: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.state:<5} {self.check:<26} {self.found}" + (f"\n      → {self.remedy}" if self.remedy else "")


@dataclass(frozen=True)
class Machine:
    """What the checks ask of a machine, so that a test can stand in for systems that it does not run on."""

    platform: str
    executable: str
    environment: Mapping[str, str]
    home: Path
    run: Callable[[list[str]], tuple[int, str]]
    which: Callable[[str], str | None] = shutil.which


def this_machine() -> Machine:
    """The machine and the interpreter that run this."""
    return Machine(sys.platform, sys.executable, os.environ, Path.home(), _run)


def _run(command: list[str]) -> tuple[int, str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, (done.stderr or done.stdout).strip()


def examine(book: Path | None, machine: Machine | None = None) -> list[Finding]:
    """All checks of the machine, and of a workbook where one is given."""
    machine = machine or this_machine()
    return [*_machine(machine), *(_book(book, machine) if book else ())]


# -- the machine -------------------------------------------------------------------------------------------------------


def _machine(machine: Machine) -> Iterator[Finding]:
    yield Finding(GOOD, "conv-sheet", f"{__version__}, {machine.executable}")
    for package in ("xlwings", "numpy"):
        try:
            yield Finding(GOOD, package, version(package))
        except PackageNotFoundError:
            yield Finding(BAD, package, "not installed here", f'"{machine.executable}" -m pip install {package}')
    yield from _interpreter_traps(machine)
    if machine.platform == "win32":
        yield Finding(GOOD, "system", "Windows")
    elif machine.platform == "darwin":
        yield from _mac(machine)
    else:
        yield Finding(
            WARNING,
            "system",
            f"{machine.platform}: there is no Excel here, so buttons cannot be pressed",
            "conv-sheet recompute FILE does the same; so does --libreoffice",
        )


def _interpreter_traps(machine: Machine) -> Iterator[Finding]:
    path, environment = machine.executable.replace("\\", "/"), machine.environment
    if "/WindowsApps/" in path:
        yield Finding(
            BAD,
            "Windows Store Python",
            f"{machine.executable} is the Store's alias, which Excel may not start",
            "install Python from python.org, install conv-sheet there, and run conv-sheet doctor --bind BOOK with it",
        )
    if "/shims/" in path:
        yield Finding(
            BAD,
            "pyenv shim",
            f"{machine.executable} picks a version by folder, and Excel starts elsewhere",
            "run doctor --bind with the real interpreter, the one that `pyenv which python` prints",
        )
    conda = environment.get("CONDA_PREFIX")
    if conda and not path.startswith(conda.replace("\\", "/")):
        yield Finding(
            WARNING,
            "conda",
            f"the environment {conda} is active, but Python is {machine.executable}",
            "activate the environment that has conv-sheet and run doctor --bind from it",
        )
    if machine.platform == "darwin" and " " in path:
        yield Finding(
            BAD,
            "space in the path",
            f"{machine.executable}: the Mac side of xlwings does not quote it",
            "make an environment in a folder without spaces and run doctor --bind from it",
        )


def _mac(machine: Machine) -> Iterator[Finding]:
    folder = machine.home / "Library/Application Scripts/com.microsoft.Excel"
    try:
        script = folder / f"xlwings-{version('xlwings')}.applescript"
    except PackageNotFoundError:
        return
    if script.exists():
        yield Finding(GOOD, "Mac script", script.name)
    else:
        yield Finding(BAD, "Mac script", f"{script.name} is missing", "xlwings runpython install")
    yield Finding(
        WARNING,
        "automation permission",
        "cannot be seen from here",
        "when macOS asks whether Excel may control Python (or Python Excel), allow it; later: System Settings, "
        "Privacy & Security, Automation",
    )


# -- a workbook --------------------------------------------------------------------------------------------------------


def _book(book: Path, machine: Machine) -> Iterator[Finding]:
    try:
        stored = read(book)
        contents(stored)
    except ConvSheetError as error:
        yield Finding(BAD, "workbook", str(error), "mend what it names, or build the workbook again")
        return
    yield Finding(GOOD, "workbook", f"{book.name}: spec, blocks and numbers can be read")
    owner = file_in_use(book)
    if owner:
        yield Finding(
            WARNING, "open elsewhere", f"{book.name} is open in {owner}", "fine for the button; close it for --bind"
        )
    yield from _file_name(book)
    yield from _blocked(book, machine)
    yield from _names(book)
    if book.suffix.lower() != ".xlsm":
        yield Finding(WARNING, "macros", f"{book.name} has none, so it has no buttons", "conv-sheet build -o NAME.xlsm")
        return
    yield from _modules(book)
    conf = {cells[0]: cells[1] for cells in _conf_rows(stored.values.get(CONF, {}))}
    yield from _conf(conf, machine)


def _file_name(book: Path) -> Iterator[Finding]:
    odd = sorted(set(str(book.resolve())) & set("\"'%^&!`"))
    if odd:
        yield Finding(
            WARNING,
            "file name",
            f"the path holds {' '.join(odd)}, which may break the command that Excel runs",
            "rename the file or its folder",
        )


def _blocked(book: Path, machine: Machine) -> Iterator[Finding]:
    """Windows marks downloads in a second stream of the file, and Excel then blocks all macros in it."""
    if machine.platform == "win32":
        try:
            zone = Path(f"{book}:Zone.Identifier").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        if "ZoneId=3" in zone or "ZoneId=4" in zone:
            yield Finding(
                BAD,
                "blocked download",
                "Windows marked the file as downloaded",
                "right-click the file, Properties, Unblock",
            )
    elif machine.platform == "darwin" and not machine.run(["xattr", "-p", "com.apple.quarantine", str(book)])[0]:
        yield Finding(
            WARNING,
            "blocked download",
            "macOS marked the file as downloaded",
            f"xattr -d com.apple.quarantine '{book.name}'",
        )


def _names(book: Path) -> Iterator[Finding]:
    package = Package.open(book)
    there = {
        name.get("name", ""): (name.text or "").replace("'", "")
        for name in package.tree(package.workbook).iterfind("{*}definedNames/{*}definedName")
    }
    held = contents(read(book))
    wanted = {name: block.reference for page in held.pages() for name, block in page.names.items()}
    moved = [
        n for n, reference in wanted.items() if there.get(n, reference).upper() != reference.replace("'", "").upper()
    ]
    lost = [n for n in wanted if n not in there]
    if lost:
        yield Finding(BAD, "names", f"{len(lost)} are gone, {lost[0]} first", "build the workbook again")
    elif moved:
        yield Finding(
            BAD,
            "names",
            f"{len(moved)} have moved, {moved[0]} first: rows or columns were inserted or deleted",
            "undo that, or build the workbook again",
        )
    else:
        yield Finding(GOOD, "names", f"all {len(wanted)} stand where they were built")


def _modules(book: Path) -> Iterator[Finding]:
    from conv_sheet.xlsx.macros import MODULE, modules

    sources = modules(book)
    if not {MODULE, "xlwings", "Dictionary"} <= sources.keys():
        yield Finding(BAD, "macros", "the modules of the buttons are gone", "build the workbook again")
        return
    package = Package.open(book)
    for title, part in package.worksheets.items():
        properties = package.tree(part).find("{*}sheetPr")
        code = None if properties is None else properties.get("codeName")
        if code not in sources:
            remedy = "open and save the workbook in Excel, or build it again"
            yield Finding(BAD, "code names", f"sheet {title!r} has no module of its own ({code})", remedy)
    match = re.search(r'XLWINGS_VERSION As String = "([^"]+)"', sources["xlwings"])
    inside, outside = (match[1] if match else "?"), version("xlwings")
    if inside == outside:
        yield Finding(GOOD, "xlwings in the workbook", inside)
    else:
        yield Finding(
            BAD,
            "xlwings in the workbook",
            f"{inside}, but {outside} is installed; on a Mac they must be the same",
            f"pip install xlwings=={inside}, or build the workbook again",
        )


def _conf_rows(cells: Mapping[tuple[int, int], object]) -> Iterator[tuple[str, str]]:
    for row in range(1, max((row for row, _ in cells), default=0) + 1):
        if cells.get((row, 1)):
            yield str(cells[row, 1]), str(cells.get((row, 2), ""))


def _conf(conf: Mapping[str, str], machine: Machine) -> Iterator[Finding]:
    if not conf:
        yield Finding(BAD, f"sheet {CONF}", "is missing", "build the workbook again")
        return
    key = {"win32": "INTERPRETER_WIN", "darwin": "INTERPRETER_MAC"}.get(machine.platform)
    if key is None:
        return
    interpreter = conf.get(key)
    bind = "conv-sheet doctor --bind BOOK"
    if not interpreter:
        yield Finding(BAD, "interpreter", "the workbook was built on another system and names none for this one", bind)
        return
    if not Path(interpreter).exists():
        yield Finding(BAD, "interpreter", f"{interpreter} does not exist here", bind)
        return
    code, answer = machine.run([interpreter, "-c", "import xlwings, numpy, conv_sheet"])
    if code:
        last = answer.splitlines()[-1] if answer else "it does not start"
        yield Finding(
            BAD, "interpreter", f"{interpreter}: {last}", f'"{interpreter}" -m pip install conv-sheet, or {bind}'
        )
    else:
        yield Finding(GOOD, "interpreter", f"{interpreter} imports xlwings, numpy and conv_sheet")


def bind(book: Path, machine: Machine | None = None) -> str:
    """Make a workbook's buttons call the interpreter that runs this; the rest of the file stays byte for byte."""
    machine = machine or this_machine()
    if CONF not in Package.open(book).worksheets:
        raise WorkbookError(f"{book} has no sheet {CONF!r}: it was built without buttons; build it as .xlsm")
    wanted = settings(machine.platform, machine.executable)
    cells = read(book).values[CONF]
    rows = max((row for row, _ in cells), default=0)
    values: dict[tuple[int, int], str] = {(row, column): "" for row in range(1, rows + 1) for column in (1, 2)}
    for row, (key, value) in enumerate(wanted.items(), 1):
        values[row, 1], values[row, 2] = key, str(value)
    patch_cells(book, book, {CONF: values})
    named = wanted.get("INTERPRETER_WIN") or wanted.get("INTERPRETER_MAC")
    return (
        f"{book.name} now calls {named}"
        if named
        else f"{book.name}: no Excel on {machine.platform}, so no interpreter is named"
    )
