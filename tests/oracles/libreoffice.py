"""LibreOffice: recalculates workbooks, prints them, draws them."""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from conv_sheet.office.libreoffice import connect
from tests.oracles import TIMEOUT_SECONDS, OracleError, found, run

# OOXMLRecalcMode 0 is "always": without it LibreOffice believes the values that a file has stored.
SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
  <item oor:path="/org.openoffice.Office.Calc/Formula/Load">
    <prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop>
  </item>
</oor:items>
"""


def recalculate(paths: Sequence[Path], outdir: Path) -> list[Path]:
    """Every workbook of `paths` as `outdir/<stem>.xlsx`, each formula computed by LibreOffice."""
    return _convert(paths, "xlsx", outdir)


def to_pdf(path: Path, outdir: Path) -> Path:
    """The workbook as it prints, as `outdir/<stem>.pdf`."""
    return _convert([path], "pdf", outdir)[0]


def to_png(path: Path, outdir: Path, dpi: int = 60) -> list[Path]:
    """The workbook's printed pages as pictures, `outdir/<stem>-<page>.png`, first page first."""
    outdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        run("pdftoppm", ["-png", "-r", str(dpi), to_pdf(path, Path(folder)), Path(folder, path.stem)])
        return [Path(shutil.move(page, outdir / page.name)) for page in sorted(Path(folder).glob("*.png"))]


def _convert(paths: Sequence[Path], suffix: str, outdir: Path) -> list[Path]:
    targets = [outdir / f"{path.stem}.{suffix}" for path in paths]
    taken = {path.resolve() for path in paths}
    for target in targets:
        if target.resolve() in taken:
            raise OracleError(f"{target} would be written twice, or over what it is made from")
        taken.add(target.resolve())
        target.unlink(missing_ok=True)
    office = _running()
    try:
        answer = run("soffice", [office.profile, "--headless", "--convert-to", suffix, "--outdir", outdir, *paths])
    except OracleError:
        office.stop()
        raise
    # soffice ends with status 0 even when it could not load a file.
    missing = [target.name for target in targets if not target.exists()]
    if missing:
        raise OracleError(f"LibreOffice did not write {', '.join(missing)}: {answer.err}")
    return targets


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The workbook at `path`, open in LibreOffice and calculated anew, as an xlwings book."""
    with connect(path, _running().listens_at) as book:
        yield book


@dataclass(frozen=True)
class _Office:
    """A LibreOffice that runs: the option that hands a command to it, and where it listens."""

    process: subprocess.Popen[bytes]
    profile: str
    listens_at: str

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _running() -> _Office:
    """The LibreOffice that runs, or another one where it has ended."""
    if _started().process.poll() is not None:
        _started.cache_clear()
    return _started()


@cache
def _started() -> _Office:
    """A LibreOffice that runs until Python ends, since to start it takes longer than most workbooks.

    It has an empty workbook open, without which it would end when it is done with a command.
    """
    profile = Path(tempfile.mkdtemp(prefix="conv-sheet-oracle-"))
    (profile / "user").mkdir()
    (profile / "user/registrymodifications.xcu").write_text(SETTINGS, encoding="utf-8")
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    option, listens_at = f"-env:UserInstallation={profile.as_uri()}", f"socket,host=localhost,port={port}"
    options = ["--headless", "--norestore", f"--accept={listens_at};urp;"]
    process = subprocess.Popen(
        [found("soffice"), option, *options, "private:factory/scalc"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    office = _Office(process, option, listens_at)
    atexit.register(shutil.rmtree, profile, ignore_errors=True)
    atexit.register(office.stop)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        with suppress(OSError), socket.create_connection(("localhost", port)):
            return office
        if process.poll() is not None or time.monotonic() > deadline:
            raise OracleError("LibreOffice does not start: try soffice from a terminal")
        time.sleep(0.05)
