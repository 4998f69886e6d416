"""A VBA project as bytes: modules as source, without any compiled code, which Excel makes when it opens the file.

Source: [MS-OVBA]; `_VBA_PROJECT` and the modules as section 2.3.4.1 asks of whoever writes them.
"""

import hashlib
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from conv_sheet.errors import WorkbookError
from conv_sheet.xlsx.compound import compound

_CODE_PAGE = 1252
_CHUNK = 4096
_WORKBOOK, _SHEET = "{00020819-0000-0000-C000-000000000046}", "{00020820-0000-0000-C000-000000000046}"
_HOST = "&H00000001={3832D640-CF90-11CF-8E43-00A0C911005A};VBE;&H00000000"
_STDOLE = r"*\G{00020430-0000-0000-C000-000000000046}#2.0#0#C:\Windows\System32\stdole2.tlb#OLE Automation"
_CLASS_HEAD = re.compile(r"\AVERSION .*?\r?\nEND\r?\n", re.DOTALL)


@dataclass(frozen=True)
class Module:
    """A module: its name, what it is, and its source with lines ended as VBA ends them."""

    name: str
    kind: Literal["workbook", "sheet", "module", "class"]
    source: str = ""

    @property
    def text(self) -> str:
        """The source with the attributes that say what the module is; exported sources have theirs already."""
        if self.kind in ("workbook", "sheet"):
            base = _WORKBOOK if self.kind == "workbook" else _SHEET
            flags = "GlobalNameSpace = False", "Creatable = False", "PredeclaredId = True", "Exposed = True"
            more = "TemplateDerived = False", "Customizable = True"
            lines = [f'VB_Name = "{self.name}"', f'VB_Base = "0{base}"', *(f"VB_{flag}" for flag in (*flags, *more))]
            return "".join(f"Attribute {line}\r\n" for line in lines)
        source = _CLASS_HEAD.sub("", self.source)
        return source if source.startswith("Attribute VB_Name") else f'Attribute VB_Name = "{self.name}"\r\n{source}'


def project(modules: Sequence[Module]) -> bytes:
    """The file `vbaProject.bin` of some modules, the workbook's own first; the same modules give the same bytes."""
    streams = {f"VBA/{module.name}": compressed(module.text.encode(f"cp{_CODE_PAGE}", "replace")) for module in modules}
    names = b"".join(m.name.encode() + b"\0" + m.name.encode("utf-16-le") + b"\0\0" for m in modules)
    return compound(
        {
            "PROJECT": _project_text(modules).encode(f"cp{_CODE_PAGE}"),
            "PROJECTwm": names + b"\0\0",
            "VBA/_VBA_PROJECT": bytes.fromhex("CC61FFFF000000"),
            "VBA/dir": compressed(b"".join(_directory(modules))),
            **streams,
        }
    )


# -- section 2.4.1, compression ----------------------------------------------------------------------------------------


def compressed(data: bytes) -> bytes:
    """Data in chunks of 4,096 bytes, each compressed, or as it is where that is shorter.

    >>> compressed(b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").hex()
    '0103b002614500'
    """
    return b"\x01" + b"".join(_chunk(data[start : start + _CHUNK]) for start in range(0, len(data), _CHUNK))


def _chunk(data: bytes) -> bytes:
    tokens = b"".join(_tokens(data))
    if len(tokens) >= _CHUNK:
        return struct.pack("<H", 0x3000 | (_CHUNK - 1)) + data.ljust(_CHUNK, b"\0")
    return struct.pack("<H", 0xB000 | (len(tokens) - 1)) + tokens


def _tokens(data: bytes) -> Iterator[bytes]:
    """Groups of eight tokens, literal bytes and copies of what was before, with a byte of flags before each."""
    seen: dict[bytes, int] = {}
    place = 0
    while place < len(data):
        flags, group = 0, b""
        for bit in range(8):
            if place >= len(data):
                break
            start = seen.get(data[place : place + 3], -1)
            seen[data[place : place + 3]] = place
            if start < 0 or place + 3 > len(data):
                group += data[place : place + 1]
                place += 1
                continue
            bits = max(4, (place - 1).bit_length())
            most = (0xFFFF >> bits) + 3
            length = 3
            while length < most and place + length < len(data) and data[start + length] == data[place + length]:
                length += 1
            group += struct.pack("<H", (place - start - 1) << (16 - bits) | (length - 3))
            flags |= 1 << bit
            for at in range(place + 1, place + length):
                seen[data[at : at + 3]] = at
            place += length
        yield bytes([flags]) + group


# -- section 2.3.4.2, the stream `dir` ---------------------------------------------------------------------------------


def _record(number: int, data: bytes) -> bytes:
    return struct.pack("<HI", number, len(data)) + data


def _both(number: int, unicode_number: int, text: str) -> bytes:
    """A text in the code page, then in Unicode."""
    return _record(number, text.encode(f"cp{_CODE_PAGE}")) + _record(unicode_number, text.encode("utf-16-le"))


def _directory(modules: Sequence[Module]) -> Iterator[bytes]:
    """The records of the project, of its one reference, and of the modules."""
    yield _record(0x01, struct.pack("<I", 1))  # 32 bits of Windows; Excel of 64 bits and of macOS read it, too
    yield _record(0x02, struct.pack("<I", 0x409))
    yield _record(0x14, struct.pack("<I", 0x409))
    yield _record(0x03, struct.pack("<H", _CODE_PAGE))
    yield _record(0x04, b"VBAProject")
    yield _both(0x05, 0x40, "")
    yield _both(0x06, 0x3D, "")
    yield _record(0x07, bytes(4))
    yield _record(0x08, bytes(4))
    yield struct.pack("<HIIH", 0x09, 4, 1, 1)  # its size says 4 and six bytes follow
    yield _both(0x0C, 0x3C, "")
    yield _both(0x16, 0x3E, "stdole")
    reference = _STDOLE.encode()
    yield _record(0x0D, struct.pack("<I", len(reference)) + reference + bytes(6))
    yield _record(0x0F, struct.pack("<H", len(modules)))
    yield _record(0x13, struct.pack("<H", 0xFFFF))
    for module in modules:
        yield _both(0x19, 0x47, module.name)
        yield _both(0x1A, 0x32, module.name)
        yield _both(0x1C, 0x48, "")
        yield _record(0x31, bytes(4))
        yield _record(0x1E, bytes(4))
        yield _record(0x2C, struct.pack("<H", 0xFFFF))
        yield _record(0x21 if module.kind == "module" else 0x22, b"")
        yield _record(0x2B, b"")
    yield _record(0x10, b"")


# -- section 2.3.1, the stream `PROJECT` -------------------------------------------------------------------------------


def _project_text(modules: Sequence[Module]) -> str:
    digest = hashlib.sha256("".join(module.text for module in modules).encode()).hexdigest().upper()
    identity = f"{{{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}}}"
    said = {"module": "Module={}", "class": "Class={}"}
    lines = [f'ID="{identity}"']
    lines += [said.get(module.kind, "Document={}/&H00000000").format(module.name) for module in modules]
    lines += ['Name="VBAProject"', 'HelpContextID="0"', 'VersionCompatible32="393222000"']
    for key, data in (("CMG", bytes(4)), ("DPB", bytes(1)), ("GC", b"\xff")):
        lines.append(f'{key}="{_encrypted(data, identity)}"')
    lines += ["", "[Host Extender Info]", _HOST, "", "[Workspace]"]
    lines += [f"{module.name}=0, 0, 0, 0, C" for module in modules]
    return "".join(f"{line}\r\n" for line in lines)


def _encrypted(data: bytes, identity: str, seed: int = 0x5A) -> str:
    """Data as section 2.4.3.2 hides it: not protected, without a password, visible."""
    key = sum(identity.encode()) & 0xFF
    written = [seed, seed ^ 2, seed ^ key]
    plain, first, second = key, written[2], written[1]
    for byte in (*[0] * ((seed & 6) // 2), *struct.pack("<I", len(data)), *data):
        hidden = byte ^ ((second + plain) & 0xFF)
        written.append(hidden)
        second, first, plain = first, hidden, byte
    return bytes(written).hex().upper()


# -- reading -----------------------------------------------------------------------------------------------------------


def sources(data: bytes) -> dict[str, str]:
    r"""Sources of the modules of a `vbaProject.bin` by name.

    Raises WorkbookError where it is none.

    >>> sources(project([Module("ThisWorkbook", "workbook"), Module("Mine", "module", "Option Explicit\r\n")]))["Mine"]
    'Attribute VB_Name = "Mine"\r\nOption Explicit\r\n'
    """
    import olefile

    try:
        with olefile.OleFileIO(data) as file:
            places = dict(_places(decompressed(file.openstream("VBA/dir").read())))
            return {
                name: decompressed(file.openstream(f"VBA/{name}").read()[start:]).decode(f"cp{_CODE_PAGE}", "replace")
                for name, start in places.items()
            }
    except (OSError, struct.error, IndexError, ValueError) as error:
        raise WorkbookError(f"its macros cannot be read: {error}") from error


def decompressed(data: bytes) -> bytes:
    """What `compressed` has compressed.

    >>> decompressed(compressed(b"a window, a kernel, a window")) == b"a window, a kernel, a window"
    True
    """
    made = bytearray()
    place = 1
    while place < len(data):
        (head,) = struct.unpack_from("<H", data, place)
        end = place + (head & 0xFFF) + 3
        place += 2
        if not head & 0x8000:
            made += data[place : place + _CHUNK]
            place += _CHUNK
            continue
        start = len(made)
        while place < end:
            flags, place = data[place], place + 1
            for bit in range(8):
                if place >= end:
                    break
                if not flags >> bit & 1:
                    made.append(data[place])
                    place += 1
                    continue
                (token,) = struct.unpack_from("<H", data, place)
                place += 2
                bits = max(4, (len(made) - start - 1).bit_length())
                back = (token >> (16 - bits)) + 1
                for _ in range((token & (0xFFFF >> bits)) + 3):
                    made.append(made[-back])
    return bytes(made)


def _places(directory: bytes) -> Iterator[tuple[str, int]]:
    """Names of the streams of the modules, and where in them the source begins."""
    place, name = 0, ""
    while place < len(directory):
        number, size = struct.unpack_from("<HI", directory, place)
        size = 6 if number == 0x09 else size
        content = directory[place + 6 : place + 6 + size]
        if number == 0x1A:
            name = content.decode(f"cp{_CODE_PAGE}", "replace")
        elif number == 0x31:
            yield name, struct.unpack("<I", content)[0]
        place += 6 + size
