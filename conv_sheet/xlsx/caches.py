"""What charts of a closed workbook show where nothing calculates: their stored values follow those of the cells."""

import re
from collections.abc import Iterator, Mapping
from html import unescape

from conv_sheet.cells.grid import Block
from conv_sheet.xlsx import encode
from conv_sheet.xlsx.package import Package
from conv_sheet.xlsx.patch import CellValue, Formula, Typed
from conv_sheet.xlsx.reader import area

Changes = Mapping[str, Mapping[tuple[int, int], CellValue]]
"""New values by sheet, and there by row and column."""

_SOURCE = re.compile(
    r"(<((?:\w+:)?)(num|str)Ref>\s*<\2f>([^<]*)</\2f>\s*<\2\3Cache>)((?:(?!<\2\3Ref>).)*?)(</\2\3Cache>\s*</\2\3Ref>)",
    re.DOTALL,
)
_POINT = re.compile(r'<(?:\w+:)?pt idx="(\d+)"[^>]*>.*?</(?:\w+:)?pt>', re.DOTALL)


def changed(package: Package, changes: Changes) -> Iterator[tuple[str, bytes]]:
    """The chart parts that show other values once cells have new ones, and what they are then."""
    for part in package.worksheets.values():
        for drawing in package.related(part, "drawing"):
            for chart in package.related(drawing.target, "chart"):
                if chart.target not in package.names:
                    continue
                before = package.read(chart.target)
                after = with_values(before, changes)
                if after != before:
                    yield chart.target, after


def with_values(xml: bytes, changes: Changes) -> bytes:
    """A chart part with new values for its bars, points and labels; one in another encoding stays as it is.

    >>> cache = "<numCache><ptCount val='2'/>%s</numCache>"
    >>> source = "<numRef><f>S!$A$1:$A$2</f>" + cache % '<pt idx="0"><v>1</v></pt>' + "</numRef>"
    >>> with_values(source.encode(), {"S": {(2, 1): 0.5}}).decode().partition("/>")[2]
    '<pt idx="0"><v>1</v></pt><pt idx="1"><v>0.5</v></pt></numCache></numRef>'
    """
    try:
        text = xml.decode()
    except UnicodeDecodeError:
        return xml
    return _SOURCE.sub(lambda found: _filled(found, changes), text).encode()


def _filled(found: re.Match[str], changes: Changes) -> str:
    """One source of a chart, its points replaced where cells have new values."""
    start, prefix, kind, reference, content, end = found.groups()
    block = area(unescape(reference))
    here = changes.get(block.sheet, {}) if block else {}
    points = {int(point[1]): point[0] for point in _POINT.finditer(content)}
    for (row, column), value in here.items():
        if block is None or not block.meets(Block(block.sheet, row, column, 1, 1)):
            continue
        number = (row - block.row) * block.width + column - block.column
        points.pop(number, None)
        if (said := _said(value, kind)) is not None:
            points[number] = f'<{prefix}pt idx="{number}"><{prefix}v>{said}</{prefix}v></{prefix}pt>'
    head = content[: first.start()] if (first := _POINT.search(content)) else content
    tail = content[[*_POINT.finditer(content)][-1].end() :] if first else ""
    return start + head + "".join(points[number] for number in sorted(points)) + tail + end


def _said(value: CellValue, kind: str) -> str | None:
    """What a point says of a value; None where it says nothing."""
    if isinstance(value, Formula | Typed):
        value = value.value
    if value is None or (kind == "num" and isinstance(value, str)):
        return None
    return encode.text(value) if isinstance(value, str) else encode.number(value)
