"""Zip archives that other programs wrote, opened within bounds."""

import io
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

MOST_DIRECTORY = 4 << 20
"""Bytes of the list of entries: 10,000 with names of 300 characters, where nothing that is read has more."""
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),
)
"""What `zipfile` meets damage with."""


class Zip(zipfile.ZipFile):
    """A zip archive to read. Raises BadZipFile where its directory is too large, before memory is taken for it.

    `zipfile` makes an object for every entry before anybody can count them: a file of 150 MB may list three millions.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.zip")
    ...     with zipfile.ZipFile(path, "w") as made:
    ...         made.writestr("one", b"1")
    ...     with Zip(path) as archive:
    ...         archive.read("one")
    b'1'
    """

    def __init__(self, path: Path) -> None:
        self._file = _Bounded(io.FileIO(path))
        try:
            super().__init__(self._file)
        except BaseException:
            self._file.close()
            raise
        self._file.most = sys.maxsize

    def close(self) -> None:
        super().close()
        self._file.close()


class _Bounded(io.BufferedReader):
    """A file of which no more than `most` bytes are read at once."""

    most = MOST_DIRECTORY

    def read(self, size: Any = -1, /) -> bytes:
        if size is not None and size > self.most:
            raise zipfile.BadZipFile("its list of entries is too long")
        return super().read(size)
