"""Files on disk: write them whole or not at all, keep what travels with them, and see who else works on them."""

import errno
import os
import re
import stat
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from conv_sheet.errors import ConvSheetError, ConvSheetWarning, WorkbookError, why

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

BOOKS = (".xlsx", ".xlsm")
"""What the names of workbooks end in."""

_OTHER_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_LEFT_BEHIND = re.compile(r"\.conv-sheet-([0-9a-f]{8})(?:\.lock|-[0-9a-f]{8}.*)")
"""Names of locks and temporary files; the digits say whose, as `_key` makes them."""
_ATTEMPTS = 10
_ATTEMPT_SECONDS = 0.02
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
"""What file systems answer that know no locks."""
_COPYFILE_ACL_XATTR = (1 << 0) | (1 << 2)

_held: dict[Path, os.stat_result | None] = {}
"""Files whose locks this process holds, and what each was when it was locked, or last written."""


def require_regular(path: Path, error: type[ConvSheetError] = WorkbookError, limit: int | None = None) -> None:
    """Raise ``error`` unless ``path`` is a regular file that may be read, or a link to one, of at most ``limit`` bytes.

    Nothing is opened for that: to open a named pipe waits for ever, and to open a device may do something.

    >>> require_regular(Path(os.curdir))
    Traceback (most recent call last):
    conv_sheet.errors.WorkbookError: .: this is a folder, not a file
    >>> require_regular(Path("nowhere/lesson.xlsx"))
    Traceback (most recent call last):
    conv_sheet.errors.WorkbookError: nowhere/lesson.xlsx does not exist: check its name and its folder
    """
    found = found_at(path, error)
    if found is None:
        raise error(f"{path} does not exist: check its name and its folder")
    if fault := _other_kind(found):
        raise error(f"{path}: {fault}")
    if not os.access(path, os.R_OK):
        raise error(f"{path} cannot be read: {why(PermissionError())}")
    if limit is not None and found.st_size > limit:
        raise error(f"{path}: a file of {found.st_size:,} bytes, the limit is {limit:,}")


def found_at(path: Path, error: type[ConvSheetError] = WorkbookError) -> os.stat_result | None:
    """What is at a path, behind links; None where nothing is. Raises ``error`` where the system does not say."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as fault:
        raise error(f"{path}: {why(fault)}") from fault


def _real(path: Path) -> Path:
    """A path behind all links, whole."""
    try:
        return Path(os.path.realpath(path))
    except FileNotFoundError as error:
        raise WorkbookError(f"{path}: the folder that this runs in is gone: change into another one") from error


def _other_kind(found: os.stat_result) -> str | None:
    """Say what something is that is no regular file."""
    if stat.S_ISREG(found.st_mode):
        return None
    return f"this is {next((kind for is_one, kind in _OTHER_KINDS if is_one(found.st_mode)), 'a device')}, not a file"


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends without an error.

    Until then, and for ever if the process is killed or the block raises, ``path`` keeps what it had. The
    temporary file exists, is empty and has the suffix of ``path``; what killed processes left in the folder is
    deleted. A file that is replaced keeps its mode, extended attributes (of a download: where it comes from) and,
    where the system allows it, its owner. A symbolic link stays one, and the file behind it is replaced. Of several
    hard links only this one gets the new content, which a `ConvSheetWarning` says.

    Raises `WorkbookError` where the folder, the disk or another program does not let the file be written, where
    ``path`` is no regular file, is write-protected or was changed while it was worked on.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> lesson = Path(folder.name, "lesson.xlsx")
    >>> with atomic_write(lesson) as temporary_path:
    ...     _ = temporary_path.write_bytes(b"new")
    ...     lesson.exists()
    False
    >>> lesson.read_bytes()
    b'new'
    >>> folder.cleanup()
    """
    target = _real(path)
    temporary = target.with_name(f".conv-sheet-{_key(target)}-{os.urandom(4).hex()}{target.suffix}")
    with exclusive(path):
        before = _replaceable(path)
        try:
            mode = 0o666 if before is None else 0o600
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
            yield temporary
            _require_unchanged(path, target)
            _finish(temporary, target, before)
        except OSError as error:
            if error.filename not in (None, str(temporary)):
                raise
            raise WorkbookError(f"{path} cannot be written: {why(error)}") from error
        finally:
            temporary.unlink(missing_ok=True)
    if before is not None and before.st_nlink > 1:
        others = f"{path} was one of {before.st_nlink} hard links to one file: the others keep its old content"
        warnings.warn(others, ConvSheetWarning, stacklevel=3)


def _replaceable(path: Path) -> os.stat_result | None:
    """The file that is to be replaced, None where there is none; WorkbookError where it must not be."""
    found = found_at(path)
    if found is None:
        return None
    fault = _other_kind(found) or (None if os.access(path, os.W_OK) else "it is write-protected")
    if fault:
        raise WorkbookError(f"{path} cannot be written: {fault}")
    return found


def _require_unchanged(path: Path, target: Path) -> None:
    if target in _held and _state(_held[target]) != _state(found_at(target)):
        raise WorkbookError(f"{path} was changed by another program meanwhile, and is left as that wrote it: try again")


def _state(found: os.stat_result | None) -> tuple[int, ...]:
    return () if found is None else (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _finish(temporary: Path, target: Path, before: os.stat_result | None) -> None:
    with temporary.open("rb+") as written:
        os.fsync(written.fileno())
    if before is not None:
        _keep_owner_and_mode(before, temporary)
        _keep_attributes(target, temporary)
    os.replace(temporary, target)
    if target in _held:
        _held[target] = found_at(target)


def _keep_owner_and_mode(before: os.stat_result, new: Path) -> None:
    """Owner, group and mode of a file for the one that replaces it.

    Only root may give a file away. A group that cannot be kept leaves its rights to none but everybody's.
    """
    mode = stat.S_IMODE(before.st_mode)
    if sys.platform != "win32" and not (_owned(new, before.st_uid, before.st_gid) or _owned(new, -1, before.st_gid)):
        mode = mode & ~0o070 | (mode & 0o007) << 3
    new.chmod(mode)


def _owned(path: Path, user: int, group: int) -> bool:
    try:
        os.chown(path, user, group)
    except OSError:
        return False
    return True


def _keep_attributes(old: Path, new: Path) -> None:
    """Copy what a file system keeps beside a file's content; what it does not let be copied is lost."""
    if sys.platform == "win32":
        _copy_zone(old, new)
    elif sys.platform == "darwin":
        import ctypes

        _copy_by_libc(old, new, ctypes.CDLL(None))
    else:
        _copy_xattrs(old, new)


def _copy_xattrs(old: Path, new: Path) -> None:
    """Linux: `user.*`, access control lists, labels."""
    with suppress(OSError):
        for name in os.listxattr(old):
            with suppress(OSError):
                os.setxattr(new, name, os.getxattr(old, name))


def _copy_by_libc(old: Path, new: Path, libc: Any) -> None:
    """macOS: extended attributes, of which `com.apple.quarantine` marks a download, and access control lists."""
    libc.copyfile(os.fsencode(old), os.fsencode(new), None, _COPYFILE_ACL_XATTR)


def _copy_zone(old: Path, new: Path) -> None:
    """Windows: the stream that marks a file as downloaded."""
    with suppress(OSError):
        Path(f"{new}:Zone.Identifier").write_bytes(Path(f"{old}:Zone.Identifier").read_bytes())


def check_free(path: Path, force: bool) -> None:
    """Raise `WorkbookError` if a file cannot be written at ``path``, or is there already and ``force`` is off.

    ``force`` is for regular files that may be written, and that no spreadsheet program has open.
    """
    found = found_at(path)
    if found is not None and (fault := _other_kind(found)):
        raise WorkbookError(f"{path}: {fault}")
    if not path.parent.is_dir():
        raise WorkbookError(f"{path}: there is no folder {path.parent}")
    if found is None:
        return
    if not force:
        raise WorkbookError(f"{path} exists: give --force to overwrite it, or another name")
    _replaceable(path)
    if opened := _opened_by(path):
        program, owner = opened
        raise WorkbookError(
            f"{path} is open in {program}: close it there or give another name (if {program} crashed, "
            f"delete {owner.name})"
        )


def file_in_use(path: Path) -> str | None:
    """Name the program that has ``path`` open, by the owner file it keeps beside it; None if there is none.

    Excel keeps ``~$name`` (Windows, macOS), LibreOffice ``.~lock.name#``.

    >>> file_in_use(Path("nowhere/lesson.xlsx")) is None
    True
    """
    opened = _opened_by(path)
    return opened and opened[0]


def require_closed(path: Path) -> None:
    """Raise `WorkbookError`, which names the program, the owner file and the way out, if ``path`` is open.

    >>> require_closed(Path("nowhere/lesson.xlsx"))
    """
    if opened := _opened_by(path):
        program, owner = opened
        option = {"Excel": "--live", "LibreOffice": "--libreoffice"}[program]
        raise WorkbookError(
            f"{path} is open in {program}: close it there or use {option} (if {program} crashed, delete {owner.name})"
        )


def _opened_by(path: Path) -> tuple[str, Path] | None:
    """The program that has a file open, and its owner file, beside the file or beside the link to it."""
    for place in (path, _real(path)):
        for program, name in (("Excel", f"~${place.name}"), ("LibreOffice", f".~lock.{place.name}#")):
            with suppress(OSError):
                place.with_name(name).lstat()
                return program, place.with_name(name)
    return None


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Let no other conv-sheet process write ``path`` while the block runs, and delete what killed ones left there.

    A command that reads a file and then replaces it holds this over both: what another program writes meanwhile is
    noticed by `atomic_write`, which takes the lock itself where nobody holds it. The system frees the lock of a
    process that ends, however that ends; the numbers of processes would come back, and mean nothing on another
    machine. File systems without locks go without.

    Raises `WorkbookError` where another process has the lock, or none can be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, exclusive(Path(folder, "lesson.xlsx")):
    ...     [name.split("-")[1] for name in os.listdir(folder)]
    ['sheet']
    """
    target = _real(path)
    if target in _held:
        yield
        return
    lock = _lock_of(target.parent, _key(target))
    descriptor = _taken(lock, path)
    if descriptor is None:
        yield
        return
    try:
        _held[target] = found_at(target)
        _sweep(target.parent, _key(target))
        yield
    finally:
        _held.pop(target, None)
        _release(lock, descriptor)


def _taken(lock: Path, path: Path) -> int | None:
    """The descriptor of a lock for ``path``; None where there can be none."""
    try:
        return _locked(lock, _ATTEMPTS)
    except BlockingIOError as error:
        raise WorkbookError(f"{path}: another conv-sheet command works on it: try again when that is done") from error
    except FileNotFoundError:
        return None  # no folder: whoever reads or writes there says so
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise WorkbookError(f"{path} cannot be written: {why(error)}") from error


def _key(target: Path) -> str:
    """A short name for a file in its folder; two files that share it cannot be written at the same time."""
    return f"{zlib.crc32(os.fsencode(target.name.casefold())):08x}"


def _lock_of(folder: Path, key: str) -> Path:
    return folder / f".conv-sheet-{key}.lock"


def _locked(lock: Path, attempts: int) -> int:
    """A descriptor that holds a lock; BlockingIOError where another process has it."""
    while True:
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            _lock(descriptor)
            if _is_at(lock, descriptor):
                return descriptor
            attempts += 1  # it was deleted while we took it, by the one that had it
        except BlockingIOError:
            if attempts <= 1:
                os.close(descriptor)
                raise
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        attempts -= 1
        time.sleep(_ATTEMPT_SECONDS)


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(errno.EAGAIN, error.strerror) from error
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(path: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


def _release(lock: Path, descriptor: int) -> None:
    """Delete a lock and give it up, in the order that the system allows."""
    if sys.platform == "win32":
        os.close(descriptor)  # an open file cannot be deleted there
    with suppress(OSError):
        lock.unlink()
    if sys.platform != "win32":
        os.close(descriptor)


def _sweep(folder: Path, own: str) -> None:
    """Delete temporary files and locks whose process is gone: it has given up its lock."""
    left: dict[str, list[Path]] = {}
    with suppress(OSError):
        for entry in folder.iterdir():
            if found := _LEFT_BEHIND.fullmatch(entry.name):
                left.setdefault(found[1], []).append(entry)
    for key, entries in left.items():
        lock = _lock_of(folder, key)
        try:
            descriptor = None if key == own else _locked(lock, 1)
        except OSError:
            continue
        for entry in entries:
            if entry != lock:
                with suppress(OSError):
                    entry.unlink()
        if descriptor is not None:
            _release(lock, descriptor)
