"""Writing whole files, and noticing who else has one open."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conv_sheet.errors import WorkbookError
from conv_sheet.files import atomic_write, file_in_use, require_closed


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    path.write_bytes(b"old")
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"half")
        assert path.read_bytes() == b"old"
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["lesson.xlsx"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as temporary:
        temporary.write_bytes(b"half")
        _ = 1 / 0
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["lesson.xlsx"]


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a POSIX signal")
def test_a_kill_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    path.write_bytes(b"old")
    program = (
        "import os, sys; from pathlib import Path; from conv_sheet.files import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'half'); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, path], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_replaced_file_keeps_its_mode_and_a_new_one_gets_the_usual(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    for name, before in (("new.xlsx", None), ("shared.xlsx", 0o664), ("private.xlsx", 0o600)):
        path = tmp_path / name
        if before is not None:
            path.touch()
            path.chmod(before)
        with atomic_write(path) as temporary:
            temporary.write_bytes(b"new")
        assert path.stat().st_mode & 0o777 == (before or usual.stat().st_mode & 0o777)


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege there")
def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "lesson.xlsx", tmp_path / "link.xlsx"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with atomic_write(link) as temporary:
        temporary.write_bytes(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_the_temporary_file_has_the_suffix_of_the_file(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "lesson.xlsm") as temporary:
        assert temporary.suffix == ".xlsm"
        assert temporary.parent == tmp_path


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "lesson.xlsx"
    message = f"{path} cannot be written: No such file or directory"
    with pytest.raises(WorkbookError, match=re.escape(message)), atomic_write(path):
        pass


def test_a_folder_in_the_way_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    path.mkdir()
    with pytest.raises(WorkbookError, match="cannot be written"), atomic_write(path):
        pass
    assert os.listdir(tmp_path) == ["lesson.xlsx"]


def test_an_error_about_another_file_is_not_blamed_on_this_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="other"), atomic_write(tmp_path / "lesson.xlsx"):
        (tmp_path / "other").read_bytes()


@pytest.mark.parametrize(
    ("owner", "program", "option"),
    [("~$lesson.xlsx", "Excel", "--live"), (".~lock.lesson.xlsx#", "LibreOffice", "--libreoffice")],
)
def test_an_open_workbook_is_named_with_its_program(tmp_path: Path, owner: str, program: str, option: str) -> None:
    path = tmp_path / "lesson.xlsx"
    path.touch()
    require_closed(path)
    assert file_in_use(path) is None
    (tmp_path / owner).touch()
    assert file_in_use(path) == program
    message = f"{path} is open in {program}: close it there or use {option} (if {program} crashed, delete {owner})"
    with pytest.raises(WorkbookError, match=re.escape(message)):
        require_closed(path)
