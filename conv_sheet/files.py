"""Files on disk: write them whole or not at all, and see who else has them open."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conv_sheet.errors import WorkbookError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends without an error.

    Until then, and for ever if the process is killed or the block raises, ``path`` keeps what it had. The
    temporary file exists, is empty and has the suffix of ``path``. A file that is replaced keeps its mode; a
    symbolic link stays one, and the file behind it is replaced.

    Raises `WorkbookError` where the folder, the disk or another program does not let the file be written.

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
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".conv-sheet-{secrets.token_hex(4)}{target.suffix}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        _finish(temporary, target)
    except OSError as error:
        if error.filename not in (None, str(temporary)):
            raise
        raise WorkbookError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _finish(temporary: Path, target: Path) -> None:
    if target.exists():
        temporary.chmod(target.stat().st_mode & 0o7777)
    with temporary.open("rb+") as written:
        os.fsync(written.fileno())
    os.replace(temporary, target)


def check_free(path: Path, force: bool) -> None:
    """Raise `WorkbookError` if a file cannot be written at ``path``, or is there already and ``force`` is off."""
    if path.is_dir() or not path.parent.is_dir():
        raise WorkbookError(f"{path}: {'this is a folder' if path.is_dir() else f'there is no folder {path.parent}'}")
    if path.exists() and not force:
        raise WorkbookError(f"{path} exists: give --force to overwrite it, or another name")


def file_in_use(path: Path) -> str | None:
    """Name the program that has ``path`` open, by the owner file it keeps beside it; None if there is none.

    Excel keeps ``~$name`` (Windows, macOS), LibreOffice ``.~lock.name#``.

    >>> file_in_use(Path("nowhere/lesson.xlsx")) is None
    True
    """
    return next((program for program, owner in _owner_files(path) if owner.exists()), None)


def require_closed(path: Path) -> None:
    """Raise `WorkbookError`, which names the program, the owner file and the way out, if ``path`` is open.

    >>> require_closed(Path("nowhere/lesson.xlsx"))
    """
    for program, owner in _owner_files(path):
        if owner.exists():
            option = {"Excel": "--live", "LibreOffice": "--libreoffice"}[program]
            raise WorkbookError(
                f"{path} is open in {program}: close it there or use {option} "
                f"(if {program} crashed, delete {owner.name})"
            )


def _owner_files(path: Path) -> tuple[tuple[str, Path], ...]:
    return (
        ("Excel", path.with_name(f"~${path.name}")),
        ("LibreOffice", path.with_name(f".~lock.{path.name}#")),
    )
