"""Compound files, the container of VBA projects: a small file system in one file.

Source: [MS-CFB], version 3: sectors of 512 bytes, streams below 4,096 bytes in mini sectors of 64.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_SECTOR, _MINI, _CUTOFF = 512, 64, 4096
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_NONE = 0xFFFFFFFF
_ROOT, _STORAGE, _STREAM = 5, 1, 2
_MOST_FAT_SECTORS = 109
"""That the header has room for: enough for 7 MB."""


@dataclass
class _Entry:
    """An entry of the directory: its name and kind, its bytes if it is a stream, and where they stand."""

    name: str
    kind: int
    data: bytes = b""
    children: list["_Entry"] = field(default_factory=list)
    left: int = _NONE
    right: int = _NONE
    child: int = _NONE
    start: int = _END
    size: int = 0


def compound(streams: Mapping[str, bytes]) -> bytes:
    """A compound file of streams by path, as `VBA/dir`; the same streams give the same bytes.

    >>> data = compound({"PROJECT": b"text", "VBA/dir": b"x" * 5000})
    >>> data[:8].hex(), len(data) % 512
    ('d0cf11e0a1b11ae1', 0)
    """
    entries = _directory(streams)
    mini = b""
    minifat: list[int] = []
    for entry in entries:
        if entry.kind == _STREAM and len(entry.data) < _CUTOFF:
            count = -(-len(entry.data) // _MINI)
            entry.start, entry.size = (len(minifat) if count else _END), len(entry.data)
            minifat += _chain(len(minifat), count)
            mini += entry.data.ljust(count * _MINI, b"\0")
    entries[0].data, entries[0].size = mini, len(mini)
    large = [entry for entry in entries if len(entry.data) >= _CUTOFF or (entry.kind == _ROOT and entry.data)]
    parts = [b"".join(map(_packed, entries)), struct.pack(f"<{len(minifat)}I", *minifat)]
    counts = [-(-len(part) // _SECTOR) for part in (*parts, *(entry.data for entry in large))]
    fat_count = _fat_sectors(sum(counts))
    fat = [_FAT] * fat_count
    starts = []
    for count in counts:
        starts.append(len(fat) if count else _END)
        fat += _chain(len(fat), count)
    for entry, start in zip(large, starts[2:], strict=True):
        entry.start, entry.size = start, len(entry.data)
    parts[0] = b"".join(map(_packed, entries)).ljust(counts[0] * _SECTOR, b"\0")
    parts[1] = parts[1].ljust(counts[1] * _SECTOR, b"\xff")
    fat += [_FREE] * (fat_count * _SECTOR // 4 - len(fat))
    body = [struct.pack(f"<{len(fat)}I", *fat), *parts]
    body += [entry.data.ljust(-(-len(entry.data) // _SECTOR) * _SECTOR, b"\0") for entry in large]
    return b"".join([_header(fat_count, starts[0], starts[1], counts[1]), *body])


def _chain(first: int, count: int) -> list[int]:
    """The table's entries of neighbouring sectors."""
    return [*range(first + 1, first + count), _END][:count]


def _fat_sectors(others: int) -> int:
    """Sectors of the table that has an entry for each sector, its own included."""
    count = 1
    while count * _SECTOR // 4 < others + count:
        count += 1
    if count > _MOST_FAT_SECTORS:
        raise ValueError("the streams are larger than a compound file without further tables holds")
    return count


def _directory(streams: Mapping[str, bytes]) -> list[_Entry]:
    """All entries, the root first; those of one storage are a search tree, as readers expect."""
    root = _Entry("Root Entry", _ROOT)
    for path, data in streams.items():
        *folders, name = path.split("/")
        place = root
        for folder in folders:
            found = next((entry for entry in place.children if entry.name == folder), None)
            if found is None:
                found = _Entry(folder, _STORAGE)
                place.children.append(found)
            place = found
        place.children.append(_Entry(name, _STREAM, data))
    entries = [root]
    for entry in entries:  # grows while it is walked
        entries += sorted(entry.children, key=lambda one: (len(one.name), one.name.upper()))
    places = {id(entry): number for number, entry in enumerate(entries)}
    for entry in entries:
        ordered = sorted(entry.children, key=lambda one: (len(one.name), one.name.upper()))
        entry.child = _tree(ordered, places)
    return entries


def _tree(ordered: Sequence[_Entry], places: Mapping[int, int]) -> int:
    """Number of the entry in the middle, with the smaller ones to its left and the larger ones to its right."""
    if not ordered:
        return _NONE
    middle = len(ordered) // 2
    entry = ordered[middle]
    entry.left, entry.right = _tree(ordered[:middle], places), _tree(ordered[middle + 1 :], places)
    return places[id(entry)]


def _packed(entry: _Entry) -> bytes:
    name = entry.name.encode("utf-16-le") + b"\0\0"
    black = 1
    links = struct.pack("<BBIII", entry.kind, black, entry.left, entry.right, entry.child)
    place = struct.pack("<IQ", entry.start if entry.kind != _STORAGE else 0, entry.size)
    return name.ljust(64, b"\0") + struct.pack("<H", len(name)) + links + bytes(36) + place


def _header(fat_count: int, directory: int, minifat: int, minifat_count: int) -> bytes:
    head = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(16)
    head += struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<IIIIIIIII", 0, fat_count, directory, 0, _CUTOFF, minifat, minifat_count, _END, 0)
    table = [*range(fat_count), *[_FREE] * (_MOST_FAT_SECTORS - fat_count)]
    return head + struct.pack(f"<{_MOST_FAT_SECTORS}I", *table)
