"""How parts go into the zip file of a workbook: large ones packed closely, those of another file as they are there."""

import copy
import zipfile
import zlib
from typing import IO

_LEVEL, _MEMORY = 8, 7
"""What a large part takes: a twentieth smaller than usual, for a second of ResNet-20."""
_LARGE = 4_000_000
"""Bytes from which on a part is large, where they are known beforehand."""
_STREAMED = 1 << 3
"""The flag of an entry whose sizes stand behind it."""


def begin(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, closely: bool) -> IO[bytes]:
    """A part to be written piece by piece.

    One that is packed closely is taken for what it mostly is, digits that hardly repeat: short matches are left out.
    """
    part = archive.open(entry, "w")
    if closely:
        part._compressor = zlib.compressobj(  # type: ignore[attr-defined]
            _LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, _MEMORY, zlib.Z_FILTERED
        )
    return part


def write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, data: bytes) -> None:
    """A whole part; its attributes stay what they are, none included."""
    attributes = entry.external_attr
    with begin(archive, entry, len(data) >= _LARGE and entry.compress_type == zipfile.ZIP_DEFLATED) as part:
        part.write(data)
    entry.external_attr = attributes


def carry(source: zipfile.ZipFile, entry: zipfile.ZipInfo, archive: zipfile.ZipFile) -> None:
    """A part of another file as it is packed there."""
    assert source.fp is not None and archive.fp is not None
    source.fp.seek(entry.header_offset)
    header = source.fp.read(zipfile.sizeFileHeader)  # type: ignore[attr-defined]
    name, extra = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
    source.fp.seek(name + extra, 1)
    carried = copy.copy(entry)
    carried.flag_bits &= ~_STREAMED
    archive.fp.seek(archive.start_dir)
    carried.header_offset = archive.start_dir
    archive.fp.write(carried.FileHeader())
    archive.fp.write(source.fp.read(entry.compress_size))
    archive.start_dir = archive.fp.tell()
    archive.filelist.append(carried)
    archive.NameToInfo[carried.filename] = carried
