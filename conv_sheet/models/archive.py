"""Files inside zip archives that other programs wrote: read within bounds, and never unpacked."""

import json
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from conv_sheet.errors import DataError
from conv_sheet.models.imported import LARGEST_FILE, shown


class Archive:
    """The entries of a zip file, together not larger than `LARGEST_FILE` when unpacked.

    Raises DataError for everything that is wrong with the file.
    """

    def __init__(self, file: Path | BinaryIO, where: str) -> None:
        self.where = where
        try:
            self._zip = zipfile.ZipFile(file)
        except (OSError, zipfile.BadZipFile, ValueError) as error:
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
            return json.loads(self.read(name))
        except (ValueError, RecursionError):
            raise DataError(f"{self.where}: {shown(name)} is not JSON") from None


def reason(error: BaseException) -> str:
    """What an exception says, in the first line and without quotes of the file."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:120]
