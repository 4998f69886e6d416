"""All lessons as pages in one folder, with a first page that leads to each: ready for any host of static files."""

import html
from collections.abc import Iterator
from pathlib import Path

from conv_sheet import builder, lessons
from conv_sheet.errors import DataError
from conv_sheet.files import atomic_write, check_free
from conv_sheet.sheets import registry
from conv_sheet.state import WorkbookState
from conv_sheet.web import page, preview

INDEX = "index.html"
TITLE = "How a convolutional network works, cell by cell"


def write(folder: Path, workbooks: bool = False, force: bool = False) -> Iterator[Path]:
    """Write every lesson and the first page into a folder, and yield each file when it is there.

    With `workbooks`, each lesson is also written as .xlsx, and its page has a link to that. Raises WorkbookError where
    a file is there already and `force` is off, before anything is written.
    """
    names = lessons.order()
    targets = [folder / f"{name}{page.SUFFIX}" for name in names]
    books = [folder / f"{name}.xlsx" for name in names] if workbooks else []
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is no folder: name one for the pages")
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*targets, *books, folder / INDEX):
        check_free(path, force)
    items = []
    for name, target in zip(names, targets, strict=True):
        state = _state(name)
        if workbooks:
            builder.build(state, target.with_suffix(".xlsx"))
            yield target.with_suffix(".xlsx")
        page.write(state, target, name, f"{name}.xlsx" if workbooks else None)
        items.append(item(name, state))
        yield target
    with atomic_write(folder / INDEX) as temporary:
        temporary.write_text(index(items), encoding="utf-8", newline="\n")
    yield folder / INDEX


def index(items: list[str]) -> str:
    """The first page, with an item for each lesson."""
    return page.filled("site.html", title=TITLE, style=page.style("site.css"), lessons="\n".join(items))


def _state(name: str) -> WorkbookState:
    source = lessons.load(name)
    return lessons.first_state(source.network, source.lesson, source.tensors())


def item(name: str, state: WorkbookState) -> str:
    """A lesson on the first page: its own sheet as a picture, its title, and what it asks."""
    _, own, *_ = registry.pages(state)
    asks = state.lesson.question or state.lesson.description
    said = html.escape(asks[:1].upper() + asks[1:], quote=False)
    title = html.escape(state.lesson.title, quote=False)
    picture = f'<img src="{preview.source(preview.preview(own))}" alt="">'
    return f'<li><a class="lesson" href="{name}{page.SUFFIX}">{picture}<h2>{title}</h2><p>{said}</p></a></li>'
