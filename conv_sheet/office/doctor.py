"""What could keep the button from working, looked at before somebody presses it: a table of checks with remedies."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from conv_sheet import __version__
from conv_sheet.cells.page import Page
from conv_sheet.errors import ConvSheetError, WorkbookError
from conv_sheet.files import file_in_use
from conv_sheet.sheets import reading, registry, standing
from conv_sheet.sheets.conf import CONF, settings
from conv_sheet.xlsx.change import patch_cells
from conv_sheet.xlsx.package import Package
from conv_sheet.xlsx.reader import Stored

_MACRO = re.compile(r"""(?:FmlaMacro>|macro=")(?:\[0\]!|[\w.]*\.)?(\w+)""")
"""What a button calls, in drawings of Excel and of LibreOffice."""
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


def examine(book: Path | None, machine: Machine | None = None, run: bool = False) -> list[Finding]:
    """All checks of the machine, and of a workbook where one is given.

    The interpreter that a workbook names may be anybody's program: it is started only if it is the one that runs this,
    or with `run`.
    """
    machine = machine or this_machine()
    return [*_machine(machine), *(_book(book, machine, run) if book else ())]


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


def _book(book: Path, machine: Machine, run: bool) -> Iterator[Finding]:
    try:
        stored = Stored.open(book)
        pages = registry.pages(reading.state_of(stored))
        standing.require(stored, pages)
    except standing.MovedError as error:
        yield Finding(BAD, "places", str(error))
        return
    except reading.EarlierFormatError as error:
        yield Finding(BAD, "version", str(error))
        return
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
    yield from _names(stored, pages)
    if book.suffix.lower() != ".xlsm":
        yield Finding(WARNING, "macros", f"{book.name} has none, so it has no buttons", "conv-sheet build -o NAME.xlsm")
        return
    yield from _modules(stored.package)
    yield from _buttons(stored.package, pages)
    yield from _conf(_conf_of(stored), machine, run)


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


def _names(stored: Stored, pages: Sequence[Page]) -> Iterator[Finding]:
    wanted = [name for page in pages for name in page.names]
    lost = [name for name in wanted if not stored.has(name)]
    if lost:
        yield Finding(BAD, "names", f"{len(lost)} are gone, {lost[0]} first", "build the workbook again")
    else:
        yield Finding(GOOD, "names", f"all {len(wanted)} stand where they were built")


def _buttons(package: Package, pages: Sequence[Page]) -> Iterator[Finding]:
    """Buttons are drawings, which libraries that edit workbooks do not keep."""
    lost = {
        page.title: [button.caption for button in page.buttons if button.macro not in _drawn(package, page.title)]
        for page in pages
    }
    bare = [page.title for page in pages if page.buttons and len(lost[page.title]) == len(page.buttons)]
    some = [title for title, captions in lost.items() if captions and title not in bare]
    remedy = "run the macros by Alt+F8, or build the workbook again"
    if bare:
        yield Finding(BAD, "buttons", f"there is no button left on {' and '.join(bare)}", remedy)
    for title in some:
        yield Finding(BAD, "buttons", f"on {title} the buttons {', '.join(lost[title])} are gone", remedy)
    if not bare and not some:
        yield Finding(GOOD, "buttons", f"all {sum(len(page.buttons) for page in pages)} are there")


def _drawn(package: Package, title: str) -> set[str]:
    """Macros that the drawings and controls of a sheet call."""
    sheet = package.worksheet(title)
    kinds = ("vmlDrawing", "drawing", "ctrlProp", "control")
    parts = [sheet, *(link.target for kind in kinds for link in package.related(sheet, kind))]
    there = (part for part in dict.fromkeys(parts) if part in package.names)  # openpyxl leaves links to lost drawings
    text = "\n".join(package.read(part).decode(errors="replace") for part in there)
    return set(_MACRO.findall(text))


def _modules(package: Package) -> Iterator[Finding]:
    from conv_sheet.xlsx.macros import MODULE, modules

    sources = modules(package.path)
    if not {MODULE, "xlwings", "Dictionary"} <= sources.keys():
        yield Finding(BAD, "macros", "the modules of the buttons are gone", "build the workbook again")
        return
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


def _conf_of(stored: Stored) -> dict[str, str]:
    """What the sheet with the settings of xlwings says."""
    if CONF not in stored.titles:
        return {}
    cells = stored.sheet(CONF)
    rows = ((cells.value(row, 1), cells.value(row, 2)) for row in cells.values)
    return {str(key): "" if value is None else str(value) for key, value in rows if key}


def _conf(conf: Mapping[str, str], machine: Machine, run: bool) -> Iterator[Finding]:
    if not conf:
        yield Finding(BAD, f"sheet {CONF}", "is missing", "build the workbook again")
        return
    key = {"win32": "INTERPRETER_WIN", "darwin": "INTERPRETER_MAC"}.get(machine.platform)
    if key is None:
        return
    interpreter, bind = conf.get(key), "conv-sheet doctor --bind BOOK"
    if machine.platform == "win32" and conf.get("CONDA PATH") and conf.get("CONDA ENV"):
        yield from _conda(conf, interpreter)
    elif not interpreter:
        yield Finding(BAD, "interpreter", "the workbook was built on another system and names none for this one", bind)
    elif not Path(interpreter).is_file():
        yield Finding(BAD, "interpreter", f"{interpreter} does not exist here", bind)
    elif not run and not _same_file(interpreter, machine.executable):
        yield Finding(
            WARNING,
            "interpreter",
            f"the button runs {interpreter}, which is not the Python that runs this",
            f"if it is yours: doctor --run tries it (it starts that program); else {bind}",
        )
    else:
        yield _tried(interpreter, machine, bind)


def _conda(conf: Mapping[str, str], interpreter: str | None) -> Iterator[Finding]:
    named = f"the environment {conf['CONDA ENV']} of {conf['CONDA PATH']}"
    if interpreter in (None, "", "python", "pythonw"):
        yield Finding(GOOD, "interpreter", f"the button runs Python of {named}")
    else:
        yield Finding(
            WARNING,
            "interpreter",
            f"the workbook names {interpreter} and {named}; xlwings takes the first, without activating the second",
            "empty the interpreter on the sheet, or conv-sheet doctor --bind BOOK",
        )


def _same_file(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:
        return False


def _tried(interpreter: str, machine: Machine, bind: str) -> Finding:
    code, answer = machine.run([interpreter, "-c", "import xlwings, numpy, conv_sheet"])
    if not code:
        return Finding(GOOD, "interpreter", f"{interpreter} imports xlwings, numpy and conv_sheet")
    last = answer.splitlines()[-1] if answer else "it does not start"
    return Finding(
        BAD, "interpreter", f"{interpreter}: {last}", f'"{interpreter}" -m pip install conv-sheet, or {bind}'
    )


def bind(book: Path, machine: Machine | None = None) -> str:
    """Make a workbook's buttons call the interpreter that runs this; the rest of the file stays byte for byte."""
    machine = machine or this_machine()
    if CONF not in Package.open(book).worksheets:
        raise WorkbookError(f"{book} has no sheet {CONF!r}: it was built without buttons; build it as .xlsm")
    wanted = settings(machine.platform, machine.executable, machine.environment)
    rows = max(Stored.open(book).sheet(CONF).values, default=0)
    values: dict[tuple[int, int], str] = {(row, column): "" for row in range(1, rows + 1) for column in (1, 2)}
    for row, (key, value) in enumerate(wanted.items(), 1):
        values[row, 1], values[row, 2] = key, str(value)
    patch_cells(book, book, {CONF: values})
    named = wanted.get("INTERPRETER_WIN") or wanted.get("INTERPRETER_MAC")
    if "CONDA ENV" in wanted:
        named = f"Python of the conda environment {wanted['CONDA ENV']}"
    return (
        f"{book.name} now calls {named}"
        if named
        else f"{book.name}: no Excel on {machine.platform}, so no interpreter is named"
    )
