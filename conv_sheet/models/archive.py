"""Files inside zip archives that other programs wrote: read within bounds, and never unpacked."""

import json
import zipfile
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO

from conv_sheet.errors import DataError
from conv_sheet.models.imported import LARGEST_FILE, shown
from conv_sheet.zips import DAMAGE, Zip

LARGEST_JSON = 16 << 20
"""Bytes of a text in JSON: objects take many times the room of their text."""


class Archive:
    """The entries of a zip file, together not larger than `LARGEST_FILE` when unpacked.

    Raises DataError for everything that is wrong with the file.
    """

    def __init__(self, file: Path | BinaryIO, where: str) -> None:
        self.where = where
        try:
            self._zip = Zip(file) if isinstance(file, Path) else zipfile.ZipFile(file)
        except (OSError, *DAMAGE) as error:
            raise DataError(f"{where}: not a zip archive, or a damaged one ({reason(error)})") from None
        self.names = self._zip.namelist()
        if sum(entry.file_size for entry in self._zip.infolist()) > LARGEST_FILE:
            raise DataError(
                f"{where}: unpacked it would be larger than {LARGEST_FILE >> 20} MB: too large for a workbook"
            )

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes:
        """All bytes of an entry."""
        try:
            return self._zip.read(name)
        except KeyError:
            raise DataError(f"{self.where}: the archive has no {shown(name)}") from None
        except Exception as error:  # damage is met with exceptions of every kind
            raise DataError(f"{self.where}: {shown(name)} cannot be read ({reason(error)})") from None

    def json(self, name: str) -> Any:
        """An entry as JSON."""
        try:
            return parsed(self.read(name))
        except (ValueError, RecursionError):
            raise DataError(
                f"{self.where}: {shown(name)} is not JSON, or is longer than {LARGEST_JSON >> 20} MB"
            ) from None


def parsed(text: bytes) -> Any:
    """JSON as its standard has it, with finite numbers only, and no name twice in one object; of a bearable length.

    Raises ValueError or RecursionError for anything else.

    >>> parsed(b'{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> parsed(b'{"a": 1e999}')
    Traceback (most recent call last):
    ValueError: 1e999 is no number
    """
    if len(text) > LARGEST_JSON:
        raise ValueError("it is too long")
    return json.loads(text, parse_constant=_finite, parse_float=_finite, object_pairs_hook=_distinct)


def _finite(said: str) -> float:
    if not isfinite(number := float(said)):
        raise ValueError(f"{said} is no number")
    return number


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def reason(error: BaseException) -> str:
    """What an exception says, in the first line and without quotes of the file."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:120]
