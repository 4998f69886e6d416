"""Writing whole files, and noticing who else has one open."""

import ctypes
import errno
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import pytest

from conv_sheet import files
from conv_sheet.errors import ConvSheetWarning, DataError, WorkbookError
from conv_sheet.files import atomic_write, check_free, exclusive, file_in_use, require_closed, require_regular


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


@pytest.mark.skipif(sys.platform == "win32", reason="there a folder in use cannot be removed")
def test_a_working_folder_that_is_gone_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with (
        pytest.raises(WorkbookError, match=r"^lesson\.xlsx: the folder that this runs in is gone"),
        atomic_write(Path("lesson.xlsx")),
    ):
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


# What may be opened and replaced

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX has it, Windows does not")


def others(folder: Path) -> dict[str, Path]:
    """Things that are no regular files, and what they are called; and links to them."""
    things = {"a folder": folder / "folder.xlsx", "a named pipe": folder / "pipe.xlsx", "a socket": folder / "s.xlsx"}
    things["a folder"].mkdir()
    os.mkfifo(things["a named pipe"])
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(things["a socket"]))
    return things | {"a device": Path(os.devnull)}


@posix
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("kind", ["a folder", "a named pipe", "a socket", "a device"])
def test_only_regular_files_are_opened_or_replaced(tmp_path: Path, kind: str, linked: bool) -> None:
    path = others(tmp_path)[kind]
    if linked:
        link = tmp_path / "link.xlsx"
        link.symlink_to(path)
        path = link
    before = path.lstat()
    fault = re.escape(f"this is {kind}, not a file")
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: {fault}$"):
        require_regular(path, DataError)
    with pytest.raises(WorkbookError, match=f"^{re.escape(str(path))}: {fault}$"):
        check_free(path, force=True)
    with pytest.raises(WorkbookError, match=f"cannot be written: {fault}$"), atomic_write(path):
        raise AssertionError("it was about to be written")
    assert os.path.samestat(path.lstat(), before)


@posix
def test_a_link_that_leads_to_itself_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "loop.xlsx"
    path.symlink_to(path)
    for refuse in (require_regular, partial(check_free, force=True)):
        with pytest.raises(WorkbookError, match=r"loop\.xlsx: Too many levels of symbolic links$"):
            refuse(path)
    with pytest.raises(WorkbookError, match="Too many levels of symbolic links"), atomic_write(path):
        pass
    assert path.is_symlink()


def test_a_file_is_opened_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(bytes(1_001))
    require_regular(path, limit=1_001)
    with pytest.raises(DataError, match=r"weights\.npz: a file of 1,001 bytes, the limit is 1,000$"):
        require_regular(path, DataError, limit=1_000)


def test_force_replaces_a_file_and_nothing_that_is_open(tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    check_free(path, force=False)
    path.touch()
    with pytest.raises(WorkbookError, match=r"lesson\.xlsx exists: give --force to overwrite it, or another name$"):
        check_free(path, force=False)
    check_free(path, force=True)
    for program, owner in (("Excel", "~$lesson.xlsx"), ("LibreOffice", ".~lock.lesson.xlsx#")):
        (tmp_path / owner).touch()
        with pytest.raises(WorkbookError, match=f"is open in {program}: close it there or give another name"):
            check_free(path, force=True)
        (tmp_path / owner).unlink()


@posix
def test_an_owner_file_beside_what_a_link_leads_to_counts(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "lesson.xlsx").touch()
    (tmp_path / "link.xlsx").symlink_to(tmp_path / "real" / "lesson.xlsx")
    assert file_in_use(tmp_path / "link.xlsx") is None
    (tmp_path / "real" / ".~lock.lesson.xlsx#").touch()
    assert file_in_use(tmp_path / "link.xlsx") == "LibreOffice"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkbookError, match=re.escape(f"there is no folder {tmp_path / 'no'}")):
        check_free(tmp_path / "no" / "lesson.xlsx", force=False)


def as_nobody(program: str, path: Path) -> str:
    """What a program says on standard error without the rights of root, who may do everything."""
    imports = "import os, sys; from pathlib import Path; from conv_sheet.files import atomic_write, check_free\n"
    drop = "if os.geteuid() == 0: os.setgroups([]); os.setgid(1); os.setuid(1)\n"
    command = [sys.executable, "-c", f"{imports}{drop}path = Path(sys.argv[1])\n{program}", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter and write in; those of pytest are their user's alone."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


DENIED = "permission denied; have its owner allow it, or name another file"
WRITE = (
    "from conv_sheet.files import atomic_write\nwith atomic_write(Path(sys.argv[1])) as new: new.write_bytes(b'new')"
)


@posix
def test_a_write_protected_file_stays(open_folder: Path) -> None:
    path = open_folder / "lesson.xlsx"
    path.write_bytes(b"old")
    path.chmod(0o444)
    assert as_nobody(WRITE, path).endswith(f"WorkbookError: {path} cannot be written: it is write-protected\n")
    assert path.read_bytes() == b"old"


@posix
def test_a_folder_without_rights_is_one_line(open_folder: Path) -> None:
    (open_folder / "shut").mkdir(mode=0o555)
    path = open_folder / "shut" / "lesson.xlsx"
    assert as_nobody(WRITE, path).endswith(f"WorkbookError: {path} cannot be written: {DENIED}\n")
    path.parent.chmod(0)
    assert as_nobody("check_free(path, True)", path).endswith(f"WorkbookError: {path}: {DENIED}\n")
    path.parent.chmod(0o755)


@posix
def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    path.write_bytes(b"old")
    program = (
        "import resource, sys; from pathlib import Path; from conv_sheet.files import atomic_write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with atomic_write(Path(sys.argv[1])) as new: new.write_bytes(bytes(2000))"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert done.stderr.endswith(f"WorkbookError: {path} cannot be written: File too large\n")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["lesson.xlsx"]


# What travels with a file


def replaced(path: Path) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"new")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets Python write extended attributes")
def test_extended_attributes_stay(tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    path.touch()
    marks = {"user.com.apple.quarantine": b"0083;64d0;Safari;", "user.empty": b"", "user.bytes": bytes(range(256))}
    for name, value in marks.items():
        os.setxattr(path, name, value)
    replaced(path)
    assert path.read_bytes() == b"new"
    assert {name: os.getxattr(path, name) for name in os.listxattr(path) if name.startswith("user.")} == marks


def test_the_mark_of_a_download_stays_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There it is a stream, `name:Zone.Identifier`; elsewhere that is a file of that name, which shows the same."""
    path = tmp_path / "lesson.xlsx"
    path.touch()
    mark = b"[ZoneTransfer]\r\nZoneId=3\r\n"
    stream = Path(f"{path}:Zone.Identifier")
    stream.write_bytes(mark)
    taken: list[bytes] = []
    keep, renamed = files._keep_attributes, os.replace

    def keep_as_there(old: Path, new: Path) -> None:
        with monkeypatch.context() as there:
            there.setattr(sys, "platform", "win32")
            keep(old, new)

    monkeypatch.setattr(files, "_keep_attributes", keep_as_there)

    def replace(new: Path, old: Path) -> None:
        taken.append(Path(f"{new}:Zone.Identifier").read_bytes())
        renamed(new, old)

    monkeypatch.setattr(os, "replace", replace)
    replaced(path)
    assert taken == [mark]


def test_a_file_without_the_mark_gets_none_on_windows(tmp_path: Path) -> None:
    files._copy_zone(tmp_path / "old.xlsx", tmp_path / "new.xlsx")
    assert os.listdir(tmp_path) == []


def test_on_macos_the_system_copies_attributes_and_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        calls: ClassVar[list[tuple[object, ...]]] = []

        def copyfile(self, *arguments: object) -> int:
            self.calls.append(arguments)
            return -1

    old, new = tmp_path / "old.xlsx", tmp_path / "new.xlsx"
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())
    files._keep_attributes(old, new)
    copyfile_acl, copyfile_xattr = 1, 4  # copyfile.h
    assert Library.calls == [(bytes(old), bytes(new), None, copyfile_acl | copyfile_xattr)]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_owner_and_group_stay(tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    path.touch()
    os.chown(path, 1, 2)
    path.chmod(0o640)
    replaced(path)
    assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) == (1, 2, 0o640)


@posix
def test_rights_of_a_group_that_is_lost_go_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lesson.xlsx"
    path.touch()
    path.chmod(0o664)
    monkeypatch.setattr(files, "_owned", lambda *_: False)
    replaced(path)
    assert path.stat().st_mode & 0o777 == 0o644


@posix
def test_what_replaces_a_private_file_is_private_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    path.touch(mode=0o600)
    with atomic_write(path) as temporary:
        assert temporary.stat().st_mode & 0o077 == 0


def test_hard_links_are_said(tmp_path: Path) -> None:
    path, other = tmp_path / "lesson.xlsx", tmp_path / "backup.xlsx"
    path.write_bytes(b"old")
    os.link(path, other)
    message = f"{path} was one of 2 hard links to one file: the others keep its old content"
    with pytest.warns(ConvSheetWarning, match=re.escape(message)):
        replaced(path)
    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"old")
    replaced(path)  # alone now, and nothing is said


# Who else works on it


HOLD = (
    "import sys; from pathlib import Path; from conv_sheet.files import atomic_write\n"
    "with atomic_write(Path(sys.argv[1])) as new:\n"
    "    new.write_bytes(b'half'); print('held', flush=True); sys.stdin.read()"
)


@contextmanager
def held_by_another(path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is in the middle of writing a file."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"held"
        try:
            yield process
        finally:
            process.communicate()


def test_the_second_process_on_a_file_is_refused(tmp_path: Path) -> None:
    path, neighbour = tmp_path / "lesson.xlsx", tmp_path / "other.xlsx"
    path.write_bytes(b"old")
    refused = f"{path}: another conv-sheet command works on it: try again when that is done"
    with held_by_another(path):
        with pytest.raises(WorkbookError, match=re.escape(refused)), atomic_write(path):
            pass
        with pytest.raises(WorkbookError, match=re.escape(refused)), exclusive(path):
            pass
        replaced(neighbour)
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"half"
    replaced(path)
    assert path.read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path)) == ["lesson.xlsx", "other.xlsx"]


@posix
def test_a_link_does_not_hide_that_a_file_is_worked_on(tmp_path: Path) -> None:
    (tmp_path / "link.xlsx").symlink_to(tmp_path / "lesson.xlsx")
    with (
        held_by_another(tmp_path / "lesson.xlsx"),
        pytest.raises(WorkbookError, match="another conv-sheet command"),
        atomic_write(tmp_path / "link.xlsx"),
    ):
        pass


@pytest.mark.parametrize("next_one", ["lesson.xlsx", "other.xlsx"])
def test_what_a_killed_process_left_is_deleted_by_the_next(tmp_path: Path, next_one: str) -> None:
    path = tmp_path / "lesson.xlsx"
    with held_by_another(path) as process:
        replaced(tmp_path / "first.xlsx")
        alive = {name for name in os.listdir(tmp_path) if name.startswith(".conv-sheet-")}
        process.kill()
        process.wait()
    assert len(alive) == 2
    assert alive < set(os.listdir(tmp_path))
    foreign = tmp_path / ".conv-sheet-notes.txt"
    foreign.touch()
    replaced(tmp_path / next_one)
    assert sorted(os.listdir(tmp_path)) == sorted({".conv-sheet-notes.txt", "first.xlsx", next_one})


def test_what_another_program_wrote_meanwhile_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    path.write_bytes(b"old")
    with exclusive(path):
        replaced(path)
        replaced(path)  # its own changes are none of another program
        path.write_bytes(b"saved in Excel")
        with pytest.raises(WorkbookError, match=r"lesson\.xlsx was changed by another program meanwhile"):
            replaced(path)
    assert path.read_bytes() == b"saved in Excel"
    assert os.listdir(tmp_path) == ["lesson.xlsx"]


@posix
def test_a_lock_that_was_deleted_while_it_was_taken_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    lock = files._lock

    def late(descriptor: int) -> None:
        """Take the lock just after the process that had it has deleted it."""
        if not taken:
            next(tmp_path.glob("*.lock")).unlink()
        taken.append(descriptor)
        lock(descriptor)

    monkeypatch.setattr(files, "_lock", late)
    with exclusive(tmp_path / "lesson.xlsx"):
        assert len(taken) == 2
        assert len(list(tmp_path.glob("*.lock"))) == 1


def test_file_systems_without_locks_go_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    left = tmp_path / ".conv-sheet-00000000-00000000.xlsx"
    left.touch()
    monkeypatch.setattr(files, "_lock", no_locks)
    replaced(tmp_path / "lesson.xlsx")
    assert (tmp_path / "lesson.xlsx").read_bytes() == b"new"
    assert left.exists()  # nothing tells whether its process still runs


def test_of_many_processes_at_once_each_writes_or_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lesson.xlsx"
    program = (
        "import sys; from pathlib import Path; from conv_sheet.errors import WorkbookError\n"
        "from conv_sheet.files import exclusive, atomic_write\n"
        "path, done = Path(sys.argv[1]), 0\n"
        "for _ in range(25):\n"
        "    try:\n"
        "        with exclusive(path):\n"
        "            count = int(path.read_text()) if path.exists() else 0\n"
        "            with atomic_write(path) as new: new.write_text(str(count + 1))\n"
        "        done += 1\n"
        "    except WorkbookError as error:\n"
        "        assert 'another conv-sheet command' in str(error), error\n"
        "print(done)"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) for _ in range(4)]
    counts = [int(process.communicate()[0]) for process in running]
    assert int(path.read_text()) == sum(counts)
    assert os.listdir(tmp_path) == ["lesson.xlsx"]
