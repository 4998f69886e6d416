"""The entry of the command line: what a terminal, a pipe, a device or a signal may do is dealt with here, once.

Nothing heavy is imported before the signals are set, so that Ctrl-C ends an import, too, without a traceback.
"""

import _thread
import codecs
import errno
import gc
import io
import os
import signal
import sys
import threading
import time
import unicodedata
import warnings
from types import FrameType
from typing import Any

from conv_sheet.errors import ConvSheetWarning, one_line, why

INTERRUPTED = 130
_SIGNAL = 128  # a shell adds it to the number of the signal that ended a program
_ENCODING_ERRORS = "conv-sheet"
_TWINS = {"×": "x", "·": ".", "−": "-", "–": "-", "─": "-", "│": "|", "→": "->", "’": "'", "“": '"', "”": '"'}

_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

_ALLOCATIONS = 100_000
"""Objects after which Python looks for circles among them. A command is short and makes none that are large."""

_AGAIN_SECONDS = 0.01

_interrupted = threading.Event()


def main() -> None:
    """Run the command line, and end the process with its exit code.

    Characters that the output's encoding lacks are written as their nearest in ASCII. Output that cannot be written
    stops no command half-way: a closed pipe is nobody's fault, a full device gives one line and 1 in the end. Ctrl-C
    ends with 130. SIGTERM and SIGHUP unwind like an error, so that temporary files go and LibreOffice is ended.
    """
    outputs: list[_Output] = []
    try:
        _set_signals()
        outputs = _set_streams()
        _set_warnings()
        status = _run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    for number in {signal.SIGINT, *_ENDING}:
        signal.signal(number, signal.SIG_IGN)
    gc.freeze()  # what is left ends with the process: Python need not look for circles among it
    sys.exit(_written(outputs, INTERRUPTED if _interrupted.is_set() else status))


def _run() -> int:
    """The exit code of the command. A fault of the machine is one line; one of the program keeps its traceback."""
    gc.set_threshold(_ALLOCATIONS)
    try:
        from conv_sheet.cli import run

        return run()
    except OSError as error:
        _say("Error: " + ": ".join(str(part) for part in (error.filename, why(error)) if part))
    except MemoryError:
        _say("Error: there is not enough memory")
    return 1


def _say(text: str) -> None:
    sys.stderr.write(one_line(text) + "\n")
    sys.stderr.flush()


# Signals


class _Ended(SystemExit):
    """A signal asks the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(_SIGNAL + number)
        self.number = number


def _set_signals() -> None:
    """Unwind where the process is asked to end, but not where whoever started it wants that signal ignored (nohup)."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, _on_interrupt)
    for number in _ENDING:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _on_end)
    sys.unraisablehook = _on_unraisable


def _on_interrupt(number: int, frame: FrameType | None) -> None:
    _interrupted.set()
    if not _put_off(number, frame):
        raise KeyboardInterrupt


def _on_end(number: int, frame: FrameType | None) -> None:
    if not _put_off(number, frame):
        raise _Ended(number)


def _put_off(number: int, frame: FrameType | None) -> bool:
    """Whether a signal has to come again, because Python would drop it here: where it tells of what it dropped."""
    while frame is not None and frame.f_code is not _on_unraisable.__code__:
        frame = frame.f_back
    if frame is not None:
        _send_again(number)
    return frame is not None


def _on_unraisable(lost: "sys.UnraisableHookArgs") -> None:
    """Send a signal once more that came where Python drops exceptions: in callbacks of imports, in `__del__`."""
    error = lost.exc_value
    if isinstance(error, KeyboardInterrupt | _Ended):
        number = error.number if isinstance(error, _Ended) else signal.SIGINT
        _send_again(number)
    else:
        sys.__unraisablehook__(lost)


def _send_again(number: int) -> None:
    """Send a signal when whoever asks for it has gone on."""

    def send() -> None:
        time.sleep(_AGAIN_SECONDS)
        _thread.interrupt_main(signal.Signals(number))

    _thread.start_new_thread(send, ())


# Output


class _Output(io.FileIO):
    """A file descriptor that takes whatever it is given, and keeps the first error for the end."""

    fault: OSError | None = None

    def write(self, content: Any) -> int:
        if self.fault is None:
            try:
                return super().write(content)
            except OSError as error:
                self.fault = error
        return memoryview(content).nbytes


def _set_streams() -> list[_Output]:
    """Make standard output and error write everything that they are given; what is closed leads nowhere."""
    codecs.register_error(_ENCODING_ERRORS, _nearest)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 # or a workbook would get its number
    outputs = [_lenient("stdout"), _lenient("stderr")]
    return [output for output in outputs[:1] if output is not None]


def _lenient(name: str) -> _Output | None:
    stream = getattr(sys, name)
    if stream is None:
        setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 # as above
        return None
    if not isinstance(stream, io.TextIOWrapper):
        return None
    if sys.platform == "win32" and stream.isatty():
        stream.reconfigure(errors=_ENCODING_ERRORS)
        return None
    output = _Output(stream.fileno(), "w", closefd=False)
    lines, through = stream.line_buffering, stream.write_through
    stream = io.TextIOWrapper(
        io.BufferedWriter(output), stream.encoding, _ENCODING_ERRORS, line_buffering=lines, write_through=through
    )
    setattr(sys, name, stream)
    return output


def _nearest(error: UnicodeError) -> tuple[str, int]:
    r"""What stands for characters that an encoding lacks, and where to go on: an error handler of `codecs`.

    >>> codecs.register_error("nearest", _nearest)
    >>> "28×28 → ½, é, 七".encode("ascii", "nearest")
    b'28x28 -> 1/2, e, ?'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_in_ascii, error.object[error.start : error.end])), error.end


def _in_ascii(character: str) -> str:
    apart = unicodedata.normalize("NFKD", character).replace("\N{FRACTION SLASH}", "/")
    return _TWINS.get(character) or apart.encode("ascii", "ignore").decode() or "?"


def _written(outputs: list[_Output], status: int) -> int:
    """The exit code once everything is written: 1 for success of which nobody could be told."""
    sys.stdout.flush()
    for output in outputs:
        if output.fault is not None and not _is_closed_pipe(output.fault):
            _say(f"Error: the output cannot be written: {output.fault.strerror}")
            return status or 1
    return status


def _is_closed_pipe(fault: OSError) -> bool:
    """Whether who read the output has gone; Windows says so in another way."""
    return isinstance(fault, BrokenPipeError) or (sys.platform == "win32" and fault.errno == errno.EINVAL)


def _set_warnings() -> None:
    """Print our own warnings as one line each; those of libraries are for who asks Python for them (-W)."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ConvSheetWarning)
        warnings.showwarning = _on_warning


def _on_warning(message: Warning | str, *args: Any, **options: Any) -> None:
    _say(f"Note: {message}")
