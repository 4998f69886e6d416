"""Everything that a lesson proposes to try is done in LibreOffice: what it promises happens, and `Start` says so."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conv_sheet import lessons
from conv_sheet.cells.formula import FUNCTIONS, functions_in
from conv_sheet.sheets import registry
from conv_sheet.sheets.addresses import START
from conv_sheet.sheets.start import SHOW
from conv_sheet.sheets.table import SPANS, TORCH
from tests.conftest import Once
from tests.lessons import built, put, state_of
from tests.oracles import libreoffice


def cells_of(book: Any, where: str) -> Any:
    """The cells of a defined name or of an address with its sheet."""
    if "!" in where:
        sheet, _, address = where.partition("!")
        return book.sheets[sheet].range(address)
    return book.names[where].refers_to_range


def assert_tells(read: Any, cells: Any) -> None:
    """What `Start` reads of cells is their value; of a few each, to three decimals; of many size and largest."""
    values = np.array(cells.options(ndim=2).value, dtype=object)
    if values.size == 1:
        assert read == values.item()
        return
    told = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", read)]
    expected = values.ravel().tolist() if values.size <= 6 else [*values.shape, values.max()]
    np.testing.assert_allclose(told, expected, rtol=0, atol=0.0005, err_msg=read)


def start(book: Any) -> list[set[str]]:
    """The texts of each row of `Start`."""
    rows = book.sheets["Start"].range((1, 1), (60, 40)).options(ndim=2).value
    return [{value for value in row if isinstance(value, str)} for row in rows]


def says(book: Any, text: str) -> bool:
    """Whether a text stands anywhere on `Start`."""
    return any(text in row for row in start(book))


@pytest.mark.parametrize("name", lessons.names())
def test_what_a_lesson_promises_happens(name: str, once: Once, tmp_path: Path) -> None:
    tries = [one for one in state_of(name).lesson.tries if one.do]
    with libreoffice.opened(Path(shutil.copy(built(once, name), tmp_path))) as book:
        assert not says(book, "✓ done")
        for one in tries:
            before = {where: cells_of(book, where).options(ndim=2).value for where in one.do}
            for where, value in one.do.items():
                area = cells_of(book, where)
                area.value = np.full(area.shape, value, dtype=object).tolist()
            ((number, row),) = ((n, row) for n, row in enumerate(start(book), 1) if one.text in row)
            assert "✓ done" in row, one.text
            if one.see:
                read = book.sheets["Start"].range((number + 1, TORCH)).value
                assert_tells(read, cells_of(book, one.see))
            if one.answer:
                assert not says(book, one.answer)
                put(book, **{SHOW: "yes"})
                assert says(book, one.answer)
                put(book, **{SHOW: "no"})
            for where, value in before.items():
                cells_of(book, where).value = value
        assert not says(book, "✓ done")


@pytest.mark.parametrize("name", lessons.names())
def test_what_says_that_it_has_happened_can_be_calculated_everywhere(name: str) -> None:
    for one in state_of(name).lesson.tries:
        assert functions_in(f"{one.check}+{one.then}") <= FUNCTIONS
        assert bool(one.then) <= bool(one.check), one.text
        assert bool(one.answer and one.check) <= bool(one.then), one.text
        assert not one.choices or one.ask, one.text


@pytest.mark.parametrize("name", lessons.names())
def test_a_try_says_in_words_on_which_sheet_and_in_which_cells_it_is_done(name: str) -> None:
    pages = registry.pages(state_of(name))
    names = {name: block for page in pages for name, block in page.names.items()}
    (start,) = (page for page in pages if page.title == START)
    texts = dict(start.texts())
    for one in state_of(name).lesson.tries:
        ((row, column),) = (at for at, text in texts.items() if text.endswith(f"  {one.at}") and
                            texts.get((at[0], SPANS["kind"][0])) == one.text)  # fmt: skip
        said = texts[row + 1, column]
        for where in one.do or [one.at]:
            title, _, cell = where.rpartition("!")
            assert (title or names[where].sheet) in said
            assert (cell if title else names[where].relative) in said


def test_what_is_read_is_shown_as_where_it_stands() -> None:
    (page,) = (page for page in registry.pages(state_of("pooling")) if page.title == START)
    (at,) = (at for at, name in page.reads.items() if name == "max_changed")
    assert page.singles[at].style.format == "0%"
