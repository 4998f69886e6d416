"""LibreOffice as a second spreadsheet program: recalculate a closed file, or open one to work in it."""

import builtins
import importlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conv_sheet.errors import WorkbookError
from conv_sheet.files import atomic_write, require_closed
from conv_sheet.office.uno_engine import EXPORT_FILTERS, App, Book
from conv_sheet.xlsx.package import Package

if TYPE_CHECKING:
    import xlwings

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_LOOK_SECONDS = 1.0

_PROGRAM_FOLDERS = (
    Path("/Applications/LibreOffice.app/Contents/MacOS"),
    Path("C:/Program Files/LibreOffice/program"),
    Path("C:/Program Files (x86)/LibreOffice/program"),
    Path("/usr/lib/libreoffice/program"),
    Path("/opt/libreoffice/program"),
)

_SETTINGS = (
    ("/org.openoffice.Office.Calc/Formula/Load", "OOXMLRecalcMode", "0"),
    ("/org.openoffice.Office.Calc/Formula/Load", "ODFRecalcMode", "0"),
    ("/org.openoffice.Office.Calc/Content/Update", "Link", "1"),
    ("/org.openoffice.Office.Common/Security/Scripting", "DisableMacrosExecution", "true"),
)


def find_soffice() -> Path:
    """Return the LibreOffice program of this machine: the one on PATH, else one in a usual folder.

    Raises `WorkbookError` with the remedy if there is none.
    """
    on_path = shutil.which("soffice") or shutil.which("libreoffice")
    if on_path:
        return Path(on_path)
    name = "soffice.com" if sys.platform == "win32" else "soffice"
    for folder in _PROGRAM_FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise WorkbookError("LibreOffice is not installed: get it from libreoffice.org or put soffice on PATH")


def recalculate(src: Path, dst: Path, timeout: float = 600) -> None:
    """Open ``src`` in a headless LibreOffice, compute every formula anew, save it as ``dst``.

    The suffix of ``dst`` (.xlsx, .xlsm, .ods, .pdf) chooses the format; ``dst`` may be ``src``. LibreOffice
    runs with a profile of its own, on a copy, with macros and link updates off: an instance that is running,
    and its lock files, do not matter. ``timeout`` is in seconds.

    Raises `WorkbookError` if LibreOffice is missing, cannot read ``src``, or takes too long.
    """
    if dst.suffix.lower() not in EXPORT_FILTERS:
        raise WorkbookError(f"{dst}: LibreOffice is asked for {', '.join(EXPORT_FILTERS)} only")
    Package.open(src)
    with tempfile.TemporaryDirectory(prefix="conv-sheet-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder, "book").with_suffix(src.suffix)
        shutil.copyfile(src, copy)
        result = Path(folder, "result", "book").with_suffix(dst.suffix.lower())
        target = f"{result.suffix[1:]}:{EXPORT_FILTERS[result.suffix]}"
        with private_soffice(["--convert-to", target, "--outdir", str(result.parent), str(copy)]) as process:
            try:
                _wait(process, result, timeout)
            except subprocess.TimeoutExpired as error:
                raise WorkbookError(f"{src}: LibreOffice was not done after {timeout:g} seconds") from error
        if not result.is_file():
            raise WorkbookError(f"{src}: LibreOffice cannot open it, or cannot save it as {dst.suffix}")
        with atomic_write(dst) as temporary:
            shutil.copyfile(result, temporary)


def _wait(process: "subprocess.Popen[bytes]", result: Path, timeout: float) -> None:
    """Wait until soffice has ended, or its result, an archive, is whole.

    LibreOffice 7.4 keeps 65,535 defined names; where a file has more it saves it without the others, and never ends.

    Raises subprocess.TimeoutExpired.
    """
    deadline, size = time.monotonic() + timeout, 0
    while True:
        try:
            process.wait(min(_LOOK_SECONDS, max(0, deadline - time.monotonic())))
            return
        except subprocess.TimeoutExpired:
            before, size = size, result.stat().st_size if result.is_file() else 0
            if size == before > 0 and zipfile.is_zipfile(result):
                return
            if time.monotonic() >= deadline:
                raise


@contextmanager
def connect(path: Path, accept: str | None = None) -> Iterator["xlwings.Book"]:
    """Open the workbook at ``path`` in LibreOffice and yield it as an xlwings book, over UNO.

    Without ``accept`` that is a headless LibreOffice of our own, which is gone afterwards. With it, as
    ``pipe,name=conv-sheet`` or ``socket,host=localhost,port=2002``, the one that was started with
    ``--accept="<accept>;urp;"``; a workbook that is open there already stays open. A workbook is calculated
    anew when it is loaded, and saved only if the block calls ``book.save()``.

    Raises `WorkbookError` if LibreOffice or its Python module `uno` is missing, if nothing listens at
    ``accept``, if the file cannot be opened, or if it is open in another program.
    """
    import xlwings

    uno = import_uno()
    with _private_desktop(uno) if accept is None else nullcontext(_desktop(uno, accept)) as desktop:
        app = App(desktop, uno)
        for book in app.books:
            if Path(book.fullname).exists() and path.exists() and path.samefile(book.fullname):
                yield xlwings.Book(impl=book)
                return
        document = _loaded(app, path)
        try:
            yield xlwings.Book(impl=Book(app, document))
        finally:
            document.close(True)


def import_uno() -> Any:
    """Return LibreOffice's Python module `uno`, wherever LibreOffice or the system keeps it.

    It is a compiled extension and fits one version of Python; a wrong one can end the process, so each is
    tried in another process first. Raises `WorkbookError` if there is none for this Python.
    """
    if "uno" in sys.modules:
        return sys.modules["uno"]
    program = find_soffice().resolve().parent
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folders = [str(program), "/usr/lib/python3/dist-packages"]
    folders += [f"{prefix}/{version}/site-packages" for prefix in ("/usr/lib64", "/usr/lib")]
    for folder in [*sys.path, *folders]:
        if Path(folder, "uno.py").is_file() and _loads_uno(folder):
            return _imported_uno(folder)
    raise WorkbookError(
        f"LibreOffice's Python module uno is not there for {version}: install python3-uno for it, or install "
        "conv-sheet into LibreOffice's own Python"
    )


def _loads_uno(folder: str) -> bool:
    program = "import sys; sys.path.append(sys.argv[1]); import uno; uno.getComponentContext()"
    trial = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, check=False)
    return trial.returncode == 0


def _imported_uno(folder: str) -> Any:
    """Import uno, without the other packages of its folder and without its hook into every later import."""
    importer = builtins.__import__
    sys.path.append(folder)
    try:
        return importlib.import_module("uno")
    finally:
        builtins.__import__ = importer
        sys.path.remove(folder)


def _desktop(uno: Any, accept: str) -> Any:
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
    try:
        remote = resolver.resolve(f"uno:{accept};urp;StarOffice.ComponentContext")
    except uno.getClass("com.sun.star.uno.Exception") as error:
        raise WorkbookError(
            f'no LibreOffice listens at {accept}: start it with soffice --accept="{accept};urp;"'
        ) from error
    return remote.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", remote)


@contextmanager
def _private_desktop(uno: Any) -> Iterator[Any]:
    accept = f"pipe,name=conv-sheet-{secrets.token_hex(8)}"
    deadline = time.monotonic() + _START_SECONDS
    with private_soffice([f"--accept={accept};urp;"]) as process:
        while True:
            try:
                desktop = _desktop(uno, accept)
                break
            except WorkbookError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise WorkbookError(f"{find_soffice()} does not start: try it from a terminal") from error
                time.sleep(0.1)
        try:
            yield desktop
        finally:
            with suppress(uno.getClass("com.sun.star.uno.Exception"), subprocess.TimeoutExpired):
                desktop.terminate()
                process.wait(_STOP_SECONDS)


def _loaded(app: App, path: Path) -> Any:
    Package.open(path)
    require_closed(path)
    hidden = app.uno.createUnoStruct("com.sun.star.beans.PropertyValue")
    hidden.Name, hidden.Value = "Hidden", True
    url = app.uno.systemPathToFileUrl(str(path.absolute()))
    document = app.api.loadComponentFromURL(url, "_blank", 0, (hidden,))
    if document is None:
        raise WorkbookError(f"{path}: LibreOffice cannot open it")
    document.calculateAll()
    return document


@contextmanager
def private_soffice(arguments: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a headless soffice with ``arguments`` and a throw-away profile; on leaving nothing of it is left.

    The profile recalculates every file it loads, runs no macros and updates no links.
    """
    program = find_soffice()
    with tempfile.TemporaryDirectory(prefix="conv-sheet-profile-", ignore_cleanup_errors=True) as profile:
        _write_settings(Path(profile))
        process = subprocess.Popen(
            [
                str(program),
                f"-env:UserInstallation={Path(profile).as_uri()}",
                "--headless",
                "--norestore",
                "--nologo",
                "--nodefault",
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _stop(process)


def _write_settings(profile: Path) -> None:
    items = "".join(
        f'<item oor:path="{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>'
        for path, name, value in _SETTINGS
    )
    user = profile / "user"
    user.mkdir()
    (user / "registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<oor:items xmlns:oor="http://openoffice.org/2001/registry">{items}</oor:items>',
        encoding="utf-8",
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End soffice and the processes it started (on POSIX they share a session of their own)."""
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
