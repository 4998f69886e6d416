"""A sheet as a small picture: the colours of its cells, and a line where a text stands."""

import base64
import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells.page import Page
from conv_sheet.network.html import coloured

SIZE = (288, 180)
"""Width and height in pixels."""
_WIDEST = 2000
"""Pixels of a sheet at 100 % that are seen at most."""
_CHARACTER, _POINT = 7, 4 / 3
"""Pixels at 100 %: a column's width counts characters, a row's height points."""
_WIDTH, _HEIGHT = 64 / _CHARACTER, 15.0
"""Of a column and a row without a size."""
_SHADE = 17
"""From a shade to the next: few of them are few bytes."""
_LONG, _HIGH = 0.45, 0.4
"""Of a letter, for its size: how wide it is, and how high the line that stands for it."""
_At = tuple[int, int]
_Colour = NDArray[np.uint8]
_TEXT = np.array([150, 158, 174], dtype=np.uint8)


def preview(page: Page) -> NDArray[np.uint8]:
    """A sheet from its top left corner on, as much of it as is seen at once, (height, width, 3)."""
    from PIL import Image

    last_row, last_column = page.last
    y = _edges(page.heights, page.default_height or _HEIGHT, _POINT, last_row)
    x = _edges(page.widths, page.default_width or _WIDTH, _CHARACTER, last_column)
    width = min(x[-1], _WIDEST)
    top, height = y[page.board_rows], width * SIZE[1] // SIZE[0]
    paper = np.full((height, width, 3), 255, dtype=np.uint8)

    def paint(at: _At, colour: _Colour, long: int | None = None, high: int | None = None) -> None:
        (first, last), (left, right) = (edges[n - 1 : n + 1] for edges, n in zip((y, x), at, strict=True))
        if high is not None:
            first += (last - first - high) // 2
            last, right = first + high, left + (long or 0)
        if first >= top:
            paper[first - top : last - top, left:right] = colour

    colours = dict(_colours(page))
    for at, colour in colours.items():
        paint(at, colour)
    for at, letters, size in _texts(page):
        if at not in colours or letters > 1:
            paint(at, _TEXT, round(letters * size * _LONG), round(size * _HIGH))
    small = np.asarray(Image.fromarray(paper).resize(SIZE, Image.Resampling.BOX))
    return ((small.astype(int) + _SHADE // 2) // _SHADE * _SHADE).astype(np.uint8)


def source(picture: NDArray[np.uint8]) -> str:
    """A picture as the address of an image, in a few kilobytes."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _texts(page: Page) -> Iterator[tuple[_At, int, float]]:
    """Cells with how long their texts are, a letter for a number, and how large: in pixels."""
    for at, cell in page.singles.items():
        if isinstance(cell.value, str) and cell.value:
            yield at, len(cell.value), cell.style.size * _POINT
    for fill in page.fills:
        if fill.values.dtype.kind == "f":
            yield from ((at, 1, fill.style.size * _POINT) for at in fill.block.positions())


def _colours(page: Page) -> Iterator[tuple[_At, _Colour]]:
    """Cells with a colour; of two of one cell, the last one counts."""
    values = {at: cell.value for at, cell in page.singles.items()}
    for at, cell in page.singles.items():
        if cell.style.fill:
            yield at, _rgb(cell.style.fill)
    for fill in page.fills:
        values |= dict(fill.block.items(fill.values))
        if fill.style.fill:
            yield from ((at, _rgb(fill.style.fill)) for at in fill.block.positions())
    for blocks, scale in reversed(page.scales):
        places = [at for block in blocks for at in block.positions()]
        numbers = np.array([_number(values.get(at)) for at in places])
        top = scale.top if isinstance(scale.top, float | int) else float(np.abs(numbers).max())
        yield from zip(places, coloured(numbers[np.newaxis] / (top or 1.0), scale)[0].astype(np.uint8), strict=True)
    for palette in page.palettes:
        colours = [_rgb(colour) for colour in palette.colours]
        for at in (at for block in palette.blocks for at in block.positions()):
            yield at, colours[int(_number(values.get(at)))]


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _rgb(colour: str) -> _Colour:
    return np.frombuffer(bytes.fromhex(colour), dtype=np.uint8)


def _edges(sizes: Mapping[int, float], usual: float, unit: float, count: int) -> NDArray[np.int64]:
    """Where columns or rows end, in pixels, from the edge before the first one on.

    >>> _edges({2: 3.0}, 1.0, 7, 3).tolist()
    [0, 7, 28, 35]
    """
    pixels = [round(sizes.get(number, usual) * unit) for number in range(1, count + 1)]
    return np.cumsum([0, *pixels])
