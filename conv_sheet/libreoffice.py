"""LibreOffice as a second spreadsheet program: recalculate a closed file, or open one to work in it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from conv_sheet.errors import WorkbookError
from conv_sheet.files import atomic_write

EXPORT_FILTERS = {
    ".xlsx": "Calc MS Excel 2007 XML",
    ".xlsm": "Calc MS Excel 2007 VBA XML",
    ".ods": "calc8",
    ".pdf": "calc_pdf_Export",
}

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
    ("/org.openoffice.Office.Calc/Content/Update", "Link", "2"),
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


def recalculate(src: Path, dst: Path, timeout: float = 180) -> None:
    """Open ``src`` in a headless LibreOffice, compute every formula anew, save it as ``dst``.

    The suffix of ``dst`` (.xlsx, .xlsm, .ods, .pdf) chooses the format; ``dst`` may be ``src``. LibreOffice
    runs with a profile of its own, on a copy, with macros and link updates off: an instance that is running,
    and its lock files, do not matter. ``timeout`` is in seconds.

    Raises `WorkbookError` if LibreOffice is missing, cannot read ``src``, or takes too long.
    """
    if dst.suffix.lower() not in EXPORT_FILTERS:
        raise WorkbookError(f"{dst}: LibreOffice is asked for {', '.join(EXPORT_FILTERS)} only")
    with tempfile.TemporaryDirectory(prefix="conv-sheet-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder, "book").with_suffix(src.suffix)
        try:
            shutil.copyfile(src, copy)
        except OSError as error:
            raise WorkbookError(f"{src} cannot be read: {error.strerror}") from error
        result = Path(folder, "result", "book").with_suffix(dst.suffix.lower())
        target = f"{result.suffix[1:]}:{EXPORT_FILTERS[result.suffix]}"
        with private_soffice(["--convert-to", target, "--outdir", str(result.parent), str(copy)]) as process:
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired as error:
                raise WorkbookError(f"{src}: LibreOffice was not done after {timeout:g} seconds") from error
        if not result.is_file():
            raise WorkbookError(f"{src}: LibreOffice cannot open it, or cannot save it as {dst.suffix}")
        with atomic_write(dst) as temporary:
            shutil.copyfile(result, temporary)


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
