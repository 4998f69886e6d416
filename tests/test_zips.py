"""Archives that list more than they could hold are refused before the list takes memory."""

import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from conv_sheet.errors import ConvSheetError
from conv_sheet.models import read_model
from conv_sheet.network.weights import load
from conv_sheet.xlsx.package import Package

ENTRIES = 100_000


def listing(path: Path) -> Path:
    """A zip file (APPNOTE.TXT 4.3.12 to 4.3.16) that lists many empty entries."""
    start = b"PK\3\4" + bytes(26)
    fields = (20, 20, 0, 0, 0, 33, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0)
    listed = b"".join(struct.pack("<4s6H3L5H2L", b"PK\1\2", *fields) + b"%08d" % number for number in range(ENTRIES))
    place = len(start) + len(listed)
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, ENTRIES, ENTRIES, len(listed), len(start))
    end += struct.pack("<4sLQL", b"PK\6\7", 0, place, 1)
    end += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(start + listed + end)
    return path


READERS = [("a.xlsx", Package.open), ("a.npz", load), ("a.keras", read_model), ("a.pt2", read_model)]


@pytest.mark.parametrize(("name", "read"), READERS)
def test_an_archive_of_a_later_version_is_one_line(tmp_path: Path, name: str, read: Callable[[Path], object]) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as made:
        made.writestr("one", b"1")
    content = bytearray((tmp_path / name).read_bytes())
    content[content.rindex(b"PK\1\2") + 6] = 255  # APPNOTE.TXT 4.4.3: what is needed to extract it
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConvSheetError, match=rf"{name}.* not an? [^\n]*$"):
        read(tmp_path / name)


@pytest.mark.parametrize(("name", "read"), READERS)
def test_a_long_list_of_entries_takes_no_memory(tmp_path: Path, name: str, read: Callable[[Path], object]) -> None:
    path = listing(tmp_path / name)
    tracemalloc.start()
    with pytest.raises(ConvSheetError, match=rf"{name}.* not an? [^\n]*$"):
        read(path)
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert largest < 10 << 20
