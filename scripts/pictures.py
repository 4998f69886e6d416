"""Draws lessons as LibreOffice prints them, and writes docs/lessons.md: pictures.py [lesson…], all if none is named."""

import sys
import tempfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from PIL import Image, ImageChops, ImageOps

from conv_sheet import lessons
from conv_sheet.cells.grid import Block, around
from conv_sheet.network.layout import NETWORK, NUMPY, Layout
from conv_sheet.sheets import registry
from conv_sheet.sheets.images import IMAGES
from conv_sheet.sheets.loupe.facts import LOUPE
from conv_sheet.sheets.saliency.blocks import SALIENCY
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.writer import write
from tests.oracles import libreoffice

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "lessons.md"
_ELSEWHERE = {LOUPE, IMAGES, SALIENCY}
"""Sheets that are no lesson's own."""
_DPI, _COLOURS, _MARGIN = 400, 128, 12
_WIDTH = 1_400
_TALLEST = 0.75
"""Height of a picture, as part of its width; what is below is left out."""
_HEAD = """\
# Lessons

Each lesson is a workbook from one command, and its sheet `Start` proposes what is written here. They lie ready to
download in [workbooks/](../workbooks). This page and its pictures are made by `make generated`.
"""


def state_of(name: str) -> WorkbookState:
    source = lessons.load(name)
    return lessons.first_state(source.network, source.lesson, source.tensors())


def own_sheet(state: WorkbookState) -> str:
    """Title of the sheet that a lesson is about: the first of its own, or `Network`."""
    titles = [page.title for page in registry.pages(state) if not page.hidden]
    between = titles[titles.index(NETWORK) + 1 : titles.index(NUMPY)]
    return next((title for title in between if title not in _ELSEWHERE), NETWORK)


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
    picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


def _readable(layout: Layout) -> Block:
    """Where `Network` shows pictures: up to the first long matrix of weights, or to the vector before it."""
    stages = list(takewhile(lambda stage: not any(own.transposed for own in stage.own.values()), layout.stages))
    if stages[-1] is not layout.stages[-1]:
        stages = [stage for stage in stages if len(stage.out.shape) == 3]
    blocks = tuple(block for stage in stages for own in stage.own.values() for block in own.blocks)
    return Block(NETWORK, 1, 1, around(blocks).last_row, stages[-1].columns[1])


def text() -> str:
    """docs/lessons.md."""
    return "\n".join([_HEAD, *(line for name in lessons.order() for line in _section(name))])


def _section(name: str) -> Iterator[str]:
    state = state_of(name)
    lesson, sheet = state.lesson, own_sheet(state)
    yield f"## {lesson.title}\n"
    yield f"{lesson.description}\n"
    yield f"```sh\nconv-sheet build {name}\n```\n"
    yield f"![The sheet {sheet} of the lesson {name}](pictures/{name}.png)\n"
    yield from (f"{number}. {item.text} (`{item.at}`)" for number, item in enumerate(lesson.tries, 1))
    yield ""


def main(*wanted: str) -> None:
    for name in wanted or lessons.order():
        state = state_of(name)
        draw(state, own_sheet(state), DOCS / "pictures" / f"{name}.png")
        print(f"docs/pictures/{name}.png")
    if not wanted or lessons.DEFAULT in wanted:
        draw(state_of(lessons.DEFAULT), NETWORK, DOCS / "network.png", width=1_900)
        print("docs/network.png")
    PAGE.write_text(text(), encoding="utf-8")
    print(f"docs/{PAGE.name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
