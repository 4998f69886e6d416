"""How large texts are, as the fonts say: Carlito, which has the widths of Calibri, and a wide one for code."""

import subprocess
from functools import cache

from PIL import ImageFont

from conv_sheet.cells.style import Style

_CODE = 0.602
"""Width of a character of code by its size: that of DejaVu Sans Mono, which is wider than Consolas."""
_EM = 1000


@cache
def _font(bold: bool, italic: bool) -> ImageFont.FreeTypeFont:
    look = ("Bold" if bold else "") + ("Italic" if italic else "") or "Regular"
    asked = ["fc-match", "-f", "%{file}", f"Carlito:style={look.replace('BoldItalic', 'Bold Italic')}"]
    path = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert "Carlito" in path, "install fonts-crosextra-carlito"
    return ImageFont.truetype(path, _EM)


def width(text: str, look: Style) -> float:
    """Points that a text is wide."""
    if look.mono:
        return len(text) * look.size * _CODE
    return _font(look.bold, look.italic).getlength(text) * look.size / _EM


def line(look: Style) -> float:
    """Points from line to line."""
    return sum(_font(look.bold, look.italic).getmetrics()) * look.size / _EM


def overhang(text: str, look: Style, height: float) -> float:
    """Points of the letters of one line above or below a row of some height, in whose middle it stands."""
    _, top, _, bottom = (edge * look.size / _EM for edge in _font(look.bold, look.italic).getbbox(text))
    spare = (line(look) - height) / 2
    return max(spare - top, bottom - (line(look) - spare))


def wrapped(text: str, look: Style, room: float) -> tuple[int, float]:
    """Lines of a text, broken between words where it is wider than some points, and how wide its widest word is."""
    lines = 0
    for paragraph in text.split("\n"):
        lines, so_far = lines + 1, ""
        for word in paragraph.split(" "):
            longer = f"{so_far} {word}" if so_far else word
            fits = width(longer, look) <= room or not so_far
            lines, so_far = (lines, longer) if fits else (lines + 1, word)
    return lines, max(width(word, look) for word in text.split())
