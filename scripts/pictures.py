"""Draws lessons as LibreOffice prints them: pictures.py [lesson…], all if none is named."""

import sys
import tempfile
from itertools import takewhile
from pathlib import Path

from PIL import Image, ImageChops, ImageOps

from conv_sheet import lessons
from conv_sheet.cells.grid import Block, around
from conv_sheet.network.layout import NETWORK, Layout
from conv_sheet.sheets import registry
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.writer import write
from scripts.course import own_sheet
from tests.oracles import libreoffice

DOCS = Path(__file__).resolve().parents[1] / "docs"
_DPI, _COLOURS, _MARGIN = 400, 128, 12
_WIDTH = 1_400
_TALLEST = 0.75
"""Height of a picture, as part of its width; what is below is left out."""


def state_of(name: str) -> WorkbookState:
    source = lessons.load(name)
    return lessons.first_state(source.network, source.lesson, source.tensors())


def draw(state: WorkbookState, sheet: str, target: Path, width: int = _WIDTH) -> None:
    """The printed sheet, without its margins, as a PNG file of few colours."""
    pages = registry.pages(state)
    for page in pages:
        page.hidden = page.title != sheet  # what is hidden is not printed
        if page.title == sheet == NETWORK:
            page.prints = _readable(state.layout)
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder, "book.xlsx")
        write(state.lesson.title, pages, book)
        printed = Image.open(libreoffice.to_png(book, Path(folder), _DPI)[0]).convert("RGB")
    above_footer = printed.crop((0, 0, printed.width, round(printed.height * 0.95)))
    blank = Image.new("RGB", above_footer.size, "white")
    left, top, right, bottom = ImageChops.difference(above_footer, blank).getbbox() or (0, 0, *printed.size)
    bottom = min(bottom, top + round(_TALLEST * (right - left)))
    picture = above_footer.crop((left, top, right, bottom))
    picture.thumbnail((width, picture.height))
    picture = ImageOps.expand(picture, border=_MARGIN, fill="white")
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(target, optimize=True)


def _readable(layout: Layout) -> Block:
    """Where `Network` shows pictures: up to the first long matrix of weights, or to the vector before it."""
    stages = list(takewhile(lambda stage: not any(own.transposed for own in stage.own.values()), layout.stages))
    if stages[-1] is not layout.stages[-1]:
        stages = [stage for stage in stages if len(stage.out.shape) == 3]
    blocks = tuple(block for stage in stages for own in stage.own.values() for block in own.blocks)
    return Block(NETWORK, 1, 1, around(blocks).last_row, stages[-1].columns[1])


def main(*wanted: str) -> None:
    for name in wanted or lessons.order():
        draw(state_of(name), own_sheet(name), DOCS / "pictures" / f"{name}.png")
        print(f"docs/pictures/{name}.png")
    if not wanted or lessons.DEFAULT in wanted:
        draw(state_of(lessons.DEFAULT), NETWORK, DOCS / "network.png", width=1_900)
        print("docs/network.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
