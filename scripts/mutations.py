"""Faults for `scripts.fuzz`: what may be wrong with a file, drawn by a random generator, so that it can be repeated."""

import io
import random
import re
import struct
import zipfile
from collections.abc import Callable, Sequence

Mutation = Callable[[bytes, random.Random], bytes]

_HOSTILE = (
    *(b"", b"-1", b"0", b"2000000000", b"99999999999999999999", b"1e999", b"NaN", b"A1:XFD1048576", b"$ZZZ$9", b"\xff"),
    *(b"../../etc/passwd", b"&amp;", b"_x0000_", b"true", b"#REF!", b"'", b"1" * 40_000, "ß☃".encode()),
)
_TOML = ("-1", "0", "1000000000", "1" + "0" * 30, "1.5", "nan", "inf", "true", '"x"', '"\\u0007"', "[]", "[[[]]]", "{}")
_JSON = (
    *(b"-1", b"0", b"1000000000", b"1" + b"0" * 30, b"1.5", b"NaN", b"1e999", b"true", b"null", b'"x"', b'"\\u0007"'),
    *(b"[]", b"{}", b"[" * 2000, b'"' + b"a" * 40_000 + b'"', b'"../../etc/passwd"', b'"\\ud800"'),
)


def bytes_changed(data: bytes, rng: random.Random) -> bytes:
    """Some bytes replaced, a piece cut out, or the end missing."""
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 4, 64))):
        content[rng.randrange(len(content))] = rng.randrange(256)
    first = rng.randrange(len(content))
    if rng.random() < 0.2:
        del content[first : first + rng.randrange(1, 2000)]
    return bytes(content[:first]) if rng.random() < 0.15 else bytes(content)


def directory_changed(data: bytes, rng: random.Random) -> bytes:
    """Bytes of the directory of a zip file replaced, or numbers of it by the largest ones."""
    content, start = bytearray(data), data.rfind(b"PK\x05\x06")
    (first,) = struct.unpack_from("<I", data, start + 16)
    for _ in range(rng.choice((1, 1, 3, 12))):
        place = rng.randrange(first, len(content) - 4)
        content[place : place + rng.choice((1, 4))] = rng.choice((b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x01"))
    return bytes(content[: len(data)])


def parts_changed(data: bytes, rng: random.Random) -> bytes:
    """A part left out, emptied, doubled, or with the content of another one."""
    parts = _parts(data)
    name, other = rng.choice(list(parts)), rng.choice(list(parts))
    kind = rng.randrange(5)
    if kind == 0:
        del parts[name]
    elif kind == 1:
        parts[name] = b""
    elif kind == 2:
        parts[name] = parts[other]
    elif kind == 3:
        parts[name] = bytes_changed(parts[name] or b"x", rng)
    else:
        parts[name.upper() if name.upper() not in parts else f"{name}x"] = parts[name]
    return _zipped(parts)


def xml_changed(data: bytes, rng: random.Random) -> bytes:
    """Elements and attributes of an XML part left out, doubled, moved or given other values."""
    return _in_part(data, rng, r".*\.(xml|rels)", _xml)


def _xml(xml: bytes, rng: random.Random) -> bytes:
    tags = list(re.finditer(rb"<[^>]*>", xml))
    tag = rng.choice(tags)
    kind = rng.randrange(6)
    if kind == 0:
        return xml[: tag.start()] + xml[tag.end() :]
    if kind == 1:
        return xml[: tag.end()] + tag[0] + xml[tag.end() :]
    if kind == 2:
        return (
            rng.choice((b'<?xml version="1.0" encoding="nosuch"?>', b'<!DOCTYPE x [<!ENTITY a "b">]>', b"\xfe\xff"))
            + xml
        )
    values = list(re.finditer(rb'="([^"]*)"', xml))
    if kind == 3 or not values:
        texts = list(re.finditer(rb">([^<]+)<", xml)) or tags
        text = rng.choice(texts)
        return xml[: text.start() + 1] + rng.choice(_HOSTILE) + xml[text.end() - 1 :]
    value = rng.choice(values)
    return xml[: value.start(1)] + rng.choice(_HOSTILE) + xml[value.end(1) :]


def cells_changed(data: bytes, rng: random.Random) -> bytes:
    """Values and types of cells replaced."""
    return _in_part(data, rng, r"xl/worksheets/.*\.xml", _cells)


def _cells(xml: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 3, 20))):
        found = list(re.finditer(rb"<v>([^<]*)</v>", xml)) or list(re.finditer(rb"<c ", xml))
        if not found:
            return xml
        value = rng.choice(found)
        if rng.random() < 0.3:
            start = xml.rfind(b"<c ", 0, value.end())
            kind = rng.choice((b"s", b"b", b"e", b"str", b"inlineStr", b"d", b"n", b"x"))
            xml = xml[: start + 3] + b't="' + kind + b'" ' + xml[start + 3 :].replace(b' t="', b' u="', 1)
        elif value.re.groups:
            xml = xml[: value.start(1)] + rng.choice(_HOSTILE) + xml[value.end(1) :]
    return xml


def spec_changed(data: bytes, rng: random.Random) -> bytes:
    """Values, lines and bytes of a spec replaced."""
    text = data.decode()
    for _ in range(rng.choice((1, 1, 2, 5))):
        kind = rng.randrange(4)
        lines = text.split("\n")
        place = rng.randrange(len(lines))
        if kind == 0:
            del lines[place]
        elif kind == 1:
            lines.insert(place, rng.choice(lines))
        text = "\n".join(lines) or "x"
        values = list(re.finditer(r'"[^"]*"|-?\d+(?:\.\d+)?', text))
        if kind > 1 and values:
            value = rng.choice(values)
            text = text[: value.start()] + rng.choice(_TOML) + text[value.end() :]
    return bytes_changed(text.encode(), rng) if rng.random() < 0.2 else text.encode()


def json_changed(data: bytes, rng: random.Random) -> bytes:
    """Values in an entry in JSON replaced, or one of its keys."""
    return _in_part(data, rng, r".*\.json", _json)


def _json(text: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 3))):
        values = list(re.finditer(rb'"[^"]*"|-?\d+(?:\.\d+)?|true|false|null', text))
        if values:
            value = rng.choice(values)
            text = text[: value.start()] + rng.choice(_JSON) + text[value.end() :]
    return text


WORKBOOK: Sequence[Mutation] = (bytes_changed, directory_changed, parts_changed, xml_changed, cells_changed)


def _parts(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(parts: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _in_part(data: bytes, rng: random.Random, pattern: str, change: Mutation) -> bytes:
    parts = _parts(data)
    name = rng.choice([name for name in parts if re.fullmatch(pattern, name)])
    parts[name] = change(parts[name], rng)
    return _zipped(parts)
