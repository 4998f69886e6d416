"""The entry of the command line: what a terminal, a pipe or a signal may do is dealt with here, once.

Nothing is imported before the signals are set, so that Ctrl-C ends an import, too, without a traceback.
"""

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130
_TERMINATED = 143


def main() -> None:
    """Run the command line, and end the process with its exit code.

    Characters that the terminal's encoding lacks are written as `?`; a pipe that was closed ends the program quietly;
    Ctrl-C ends it with 130. SIGTERM unwinds it like an error, so that temporary files go and LibreOffice is ended.
    """
    try:
        signal.signal(signal.SIGTERM, _terminated)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        status = _run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    sys.exit(status)


def _run() -> int:
    from conv_sheet.cli import main as command

    try:
        command.main(prog_name="conv-sheet", standalone_mode=True)
    except SystemExit as end:
        return _flushed(end.code if isinstance(end.code, int) else int(end.code is not None))
    return _flushed(0)


def _flushed(status: int) -> int:
    """The exit code once everything is written; a full device is an error of one line, a closed pipe is none."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"Error: the output cannot be written: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    return status


def _terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(_TERMINATED)
