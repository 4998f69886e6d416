"""What other programs say about a workbook, one module a program.

An oracle that is not installed, or has no answer, is an error: nothing here skips.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

TOOLS = Path(__file__).resolve().parents[2] / ".tools"
TIMEOUT_SECONDS = 300.0


class OracleError(Exception):
    """An outside program is missing, or did not do what it was asked."""


class Answer(NamedTuple):
    """What an outside program wrote to its two streams."""

    out: str
    err: str


def found(program: str | Path) -> str:
    """Where an outside program is."""
    path = shutil.which(program)
    if path is None:
        raise OracleError(f"{program} is not installed: scripts/setup-tests.sh installs what the tests ask")
    return path


def run(program: str | Path, arguments: Sequence[str | Path], statuses: Sequence[int] = (0,)) -> Answer:
    """Run an outside program; an exit status other than `statuses`, or too long a wait, is an error."""
    with subprocess.Popen(
        [found(program), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            answer = Answer(*process.communicate(timeout=TIMEOUT_SECONDS))
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, signal.SIGKILL)  # its children too: soffice is a script that starts others
            raise OracleError(f"{program} was not done after {TIMEOUT_SECONDS:g} seconds") from error
    if process.returncode not in statuses:
        raise OracleError(f"{program} ended with status {process.returncode}: {answer.err or answer.out}")
    return answer
