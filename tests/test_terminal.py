"""The terminal is never the fault: encodings that lack characters, closed pipes, full devices, signals."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals, pipes and devices")
COMMAND = [sys.executable, "-m", "conv_sheet"]


def run(
    *arguments: str, cwd: Path | None = None, encoding: str = "utf-8", **options: object
) -> "subprocess.CompletedProcess[bytes]":
    """Run conv-sheet as a process of its own, its output redirected and in an encoding."""
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run([*COMMAND, *arguments], check=False, cwd=cwd, env=environment, **streams)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture of which there is something to say, with a name that no code page has."""
    path = tmp_path / "七.png"
    Image.fromarray(np.pad(np.zeros((60, 15), np.uint8), 20, constant_values=255)).save(path)
    return path


# Encodings


@pytest.mark.parametrize("encoding", ["cp1252", "cp437:strict", "ascii", "utf-8:strict"])
@pytest.mark.parametrize("command", [["show", "fastai"], ["lessons"]])
def test_every_encoding_is_written(command: list[str], encoding: str) -> None:
    done = run(*command, encoding=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == len(run(*command).stdout.splitlines()) > 5


@pytest.mark.parametrize("encoding", ["cp1252", "cp437"])
def test_a_picture_is_built_and_told_of(picture: Path, encoding: str) -> None:
    done = run("build", "--image", picture.name, "-o", "七.xlsx", cwd=picture.parent, encoding=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (picture.parent / "七.xlsx").exists()
    lines = done.stdout.decode(encoding).splitlines()
    assert "?.png: resized 15x60 -> 5x20" in [line.replace("×", "x") for line in lines]
    assert lines[-1].startswith("wrote ?.xlsx")


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", "28x28  -------"),
        ("cp1252", "28×28  -------"),
        ("cp437", "28x28  ───────"),
        ("utf-8", "28×28  ───────"),
    ],
)
def test_what_an_encoding_lacks_becomes_its_nearest(encoding: str, expected: str) -> None:
    body = "sys.stdout.write('28×28  ───────'); return 0"
    assert driven(body, encoding).stdout.decode(encoding) == expected


@posix
def test_a_name_of_bytes_that_are_no_text_is_told(tmp_path: Path) -> None:
    done = subprocess.run([*map(os.fsencode, COMMAND), b"build", b"-o", b"\xff.txt"], capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: ?.txt: ")
    assert done.stderr.count(b"\n") == 1


# Pipes and devices


def driven(body: str, encoding: str = "utf-8", **options: object) -> "subprocess.CompletedProcess[bytes]":
    """Run the entry of the command line with another command: the body of a function."""
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run([sys.executable, "-c", program(body)], check=False, env=environment, **streams)  # type: ignore[call-overload, no-any-return]


ANSWERING = """
import os, signal, sys, time
for name, handler in (("SIGINT", signal.default_int_handler), ("SIGTERM", signal.SIG_DFL), ("SIGHUP", signal.SIG_DFL)):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), handler)
"""
"""Makes a process answer to signals that the tests may have been started to ignore: in the background, with nohup."""


def program(body: str) -> str:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return (
        f"{ANSWERING}from conv_sheet import cli, terminal\ndef command():\n{lines}\ncli.run = command\nterminal.main()"
    )


@contextmanager
def closed_pipe() -> Iterator[int]:
    """A pipe that nobody reads any more."""
    read, write = os.pipe()
    os.close(read)
    try:
        yield write
    finally:
        os.close(write)


@posix
def test_a_closed_pipe_is_nobodys_fault(picture: Path) -> None:
    with closed_pipe() as pipe:
        shown = run("show", "fastai", stdout=pipe)
        built = run("build", "--image", picture.name, "-o", "a.xlsx", cwd=picture.parent, stdout=pipe)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert (built.returncode, built.stderr) == (0, b"")
    assert (picture.parent / "a.xlsx").exists()


@posix
def test_a_command_that_fails_fails_with_a_closed_pipe_too() -> None:
    with closed_pipe() as pipe:
        assert run("show", "nothing.xlsx", stdout=pipe, stderr=pipe).returncode == 1
        assert run("nothing", stdout=pipe, stderr=pipe).returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_a_full_device_is_one_line_once_the_work_is_done(picture: Path) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = run("build", "--image", picture.name, "-o", "a.xlsx", cwd=picture.parent, stdout=full)
        silent = run("lessons", stdout=full, stderr=full)
    assert done.returncode == 1
    assert done.stderr == b"Error: the output cannot be written: No space left on device\n"
    assert (picture.parent / "a.xlsx").exists()
    assert silent.returncode == 1


@posix
def test_closed_streams_are_no_place_for_a_workbook(tmp_path: Path) -> None:
    command = " ".join([*COMMAND, "build", "-o", "a.xlsx"])
    assert subprocess.run(f"{command} <&- >&- 2>&-", shell=True, check=False, cwd=tmp_path).returncode == 0
    assert (tmp_path / "a.xlsx").read_bytes().startswith(b"PK")


# Errors and warnings


@pytest.mark.parametrize("command", ["show", "check"])
def test_errors_are_one_line_whatever_a_name_holds(command: str) -> None:
    done = run(command, "two\nlines\x1b[31m.toml")
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: ")
    assert done.stderr.count(b"\n") == 1
    assert b"\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("open('nowhere/file')", "Error: nowhere/file: No such file or directory"),
        ("raise MemoryError", "Error: there is not enough memory"),
    ],
)
def test_faults_of_the_machine_are_one_line(body: str, line: str) -> None:
    done = driven(body)
    assert (done.returncode, done.stderr.decode().splitlines()) == (1, [line])


def test_faults_of_the_program_keep_their_traceback() -> None:
    done = driven("1 / 0")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == b"ZeroDivisionError: division by zero"


def test_our_warnings_are_lines_and_those_of_libraries_are_not_for_users() -> None:
    body = (
        "import warnings; from conv_sheet.errors import ConvSheetWarning\n"
        "warnings.warn('nan in divide', RuntimeWarning)\n"
        "warnings.warn('this is\\nso', ConvSheetWarning)\n"
        "return 0"
    )
    done = driven(body)
    assert (done.returncode, done.stderr.splitlines()) == (0, [b"Note: this is so"])


# Signals


def in_a_command(statement: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a statement as a command that click calls."""
    code = program(
        "import click\n"
        "@click.command()\n"
        f"def slow(): {statement}\n"
        "cli.main.add_command(slow)\n"
        "sys.argv[1:] = ['slow']\n"
        "return run()"
    )
    code = code.replace("def command", "run = cli.run\ndef command")
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)


@posix
def test_ctrl_c_in_a_command_is_130_and_not_aborted() -> None:
    done = in_a_command("os.kill(os.getpid(), signal.SIGINT)")
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, b"", b"")


def test_a_file_that_ends_too_early_is_not_aborted() -> None:
    done = in_a_command("raise EOFError('no end marker')")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, b"EOFError: no end marker")


IMPORTING = """
from conv_sheet import terminal
class Finder:
    def find_spec(self, name, *rest):
        if name == "{module}":
            os.kill(os.getpid(), signal.{signal})
sys.meta_path.insert(0, Finder())
sys.argv[1:] = ["build", "-o", "a.xlsx"]
terminal.main()
"""


@posix
@pytest.mark.parametrize("module", ["click", "conv_sheet.builder", "numpy", "numpy.linalg"])
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_end_an_import_without_a_traceback(tmp_path: Path, module: str, name: str, status: int) -> None:
    code = ANSWERING + IMPORTING.format(module=module, signal=name)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr.strip()) == (status, b"")
    assert os.listdir(tmp_path) == []


LOADED = """
start = terminal._thread.start_new_thread
def slow(*given):
    terminal._thread.start_new_thread = start
    start(*given)
    time.sleep(0.2)
terminal._thread.start_new_thread = slow
"""
"""Lets a thread run for a while before the one that started it goes on, as a machine with much to do may."""


@posix
@pytest.mark.parametrize("before", ["", LOADED], ids=["idle", "loaded"])
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_that_python_drops_comes_again(name: str, status: int, before: str) -> None:
    body = before + (
        "class Dying:\n"
        f"    def __del__(self): os.kill(os.getpid(), signal.{name}); time.sleep(0.01)\n"
        "Dying()\n"
        "for _ in range(1000): time.sleep(0.01)\n"
        "return 0"
    )
    done = driven(body)
    assert (done.returncode, done.stderr) == (status, b"")


@posix
def test_ctrl_c_that_a_library_swallows_is_130_in_the_end() -> None:
    done = driven("try: os.kill(os.getpid(), signal.SIGINT)\nexcept: pass\nreturn 0")
    assert (done.returncode, done.stderr) == (130, b"")


@posix
def test_signals_that_whoever_started_it_ignores_stay_ignored() -> None:
    body = "os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGHUP); return 0"
    ignoring = "for name in ('SIGINT', 'SIGHUP'): signal.signal(getattr(signal, name), signal.SIG_IGN)\n"
    code = program(body).replace("from conv_sheet", f"{ignoring}from conv_sheet", 1)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@posix
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_signals_clean_up_temporary_files_and_processes(tmp_path: Path, number: int, status: int) -> None:
    office = tmp_path / "bin" / "soffice"
    office.parent.mkdir()
    os.mkfifo(tmp_path / "lives")  # its reader sees the end of it when the last process that holds it is gone
    lives = os.open(tmp_path / "lives", os.O_RDONLY | os.O_NONBLOCK)
    office.write_text(f"#!/bin/sh\nexec 3> {tmp_path}/lives\nsleep 60 &\ntouch {tmp_path}/started\nwait\n")
    office.chmod(0o755)
    (tmp_path / "work").mkdir()
    (tmp_path / "temporary").mkdir()
    body = (
        "from pathlib import Path\n"
        "from conv_sheet.files import atomic_write\n"
        "from conv_sheet.office.libreoffice import private_soffice\n"
        "with atomic_write(Path('a.xlsx')), private_soffice([]) as process: Path('../begun').touch(); process.wait()\n"
    )
    environment = os.environ | {"PATH": f"{office.parent}:{os.environ['PATH']}", "TMPDIR": str(tmp_path / "temporary")}
    with subprocess.Popen(
        [sys.executable, "-c", program(body)], cwd=tmp_path / "work", env=environment, stderr=subprocess.PIPE
    ) as process:
        while not ((tmp_path / "started").exists() and (tmp_path / "begun").exists()) and process.poll() is None:
            time.sleep(0.01)
        assert os.listdir(tmp_path / "work")
        process.send_signal(number)
        said = process.communicate()[1]
    assert (process.returncode, said) == (status, b"")
    assert os.listdir(tmp_path / "work") == []
    assert os.listdir(tmp_path / "temporary") == []
    assert select.select([lives], [], [], 5)[0] == [lives]
    os.close(lives)
