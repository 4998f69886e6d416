"""The drop-down on `Images`, driven in LibreOffice and by the buttons."""

from pathlib import Path

import numpy as np
import pytest

from conv_sheet import actions, lessons
from conv_sheet.cells import style
from conv_sheet.checks import check
from conv_sheet.network.spec import from_tables
from conv_sheet.office.libreoffice import connect
from conv_sheet.pictures.digits import digit
from conv_sheet.recompute import press, press_closed
from conv_sheet.sheets import images
from conv_sheet.state import Contents
from conv_sheet.xlsx.package import patch_cells
from conv_sheet.xlsx.patch import Typed
from conv_sheet.xlsx.reader import contents as read_contents
from conv_sheet.xlsx.reader import read
from tests.networks import SMALL, written
from tests.oracles import cells, libreoffice, validator

CHOICE = "Images!H3"


@pytest.fixture
def held() -> Contents:
    spec = SMALL | {"input": [2, 9, 8], "sheets": ["images"]}
    made = from_tables(spec)
    return lessons.first_contents(made.network, made.lesson, made.network.initial(1), number=4)


@pytest.fixture
def book(held: Contents, tmp_path: Path) -> Path:
    return written(tmp_path, held, "book.xlsm")


def recalculated(path: Path, folder: Path, changes: dict[str, float | str]) -> Path:
    changed = cells.set_cells(path, folder / "changed.xlsm", changes)
    (answer,) = libreoffice.recalculate([changed], folder / "out")
    return answer


def seen(path: Path, held: Contents) -> np.ndarray:
    """The input as another program shows it."""
    shown = cells.values(path, "Network")
    return np.stack([cells.array(shown, block.relative) for block in held.layout.input.blocks])


def test_every_picture_can_be_chosen(book: Path, held: Contents, tmp_path: Path) -> None:
    for number in (0, 9):
        answer = recalculated(book, tmp_path, {CHOICE: f"digit {number}"})
        expected = lessons.sample(number, held.network.input_shape)
        np.testing.assert_array_equal(seen(answer, held), expected)
        found = check(read(answer))
        assert not found.formulas
        assert found.stale


def test_what_is_drawn_is_what_the_network_sees(book: Path, held: Contents, tmp_path: Path) -> None:
    drawing = images.gallery(held.layout, held.lesson)[images.DRAWING].blocks[1]
    answer = recalculated(book, tmp_path, {CHOICE: images.DRAWING, f"Images!{drawing.cell(2, 3)}": 0.75})
    expected = np.zeros(held.network.input_shape)
    expected[1, 2, 3] = 0.75
    np.testing.assert_array_equal(seen(answer, held), expected)
    np.testing.assert_array_equal(read_contents(read(answer)).image, expected)


@pytest.mark.parametrize("name", lessons.names())
def test_every_lesson_sees_what_is_drawn(name: str, tmp_path: Path) -> None:
    lesson = lessons.load(name)
    held = lessons.first_contents(lesson.network, lesson.lesson, lesson.tensors())
    assert {"Images", "Loupe"} <= {page.title for page in held.pages() if not page.hidden}
    shape = lesson.network.input_shape
    expected = np.random.default_rng(0).uniform(0, 1, shape).round(2)
    drawn = images.gallery(held.layout, held.lesson)[images.DRAWING]
    pixels = {
        f"Images!{block.cell(y, x)}": float(plane[y, x])
        for block, plane in zip(drawn.blocks, expected, strict=True)
        for y, x in np.ndindex(*shape[1:])
    }
    answer = recalculated(written(tmp_path, held), tmp_path, {CHOICE: images.DRAWING, **pixels})
    np.testing.assert_array_equal(seen(answer, held), expected)
    report = check(read(answer))
    assert not report.formulas
    assert report.stale


def test_pixels_may_be_typed_over_on_network(book: Path, held: Contents, tmp_path: Path) -> None:
    pixel = held.layout.input.blocks[0].cell(1, 1)
    answer = recalculated(book, tmp_path, {f"Network!{pixel}": 0.375, CHOICE: "digit 2"})
    expected = lessons.sample(2, held.network.input_shape)
    expected[0, 1, 1] = 0.375
    np.testing.assert_array_equal(read_contents(read(answer)).image, expected)
    press_closed(answer, actions.recompute)
    assert check(read(answer)).ok


def test_a_choice_that_nothing_has_calculated_is_not_taken_from_stale_cells(book: Path, held: Contents) -> None:
    patch_cells(book, book, {"Images": {(3, 8): "digit 6"}})
    np.testing.assert_array_equal(read_contents(read(book)).image, lessons.sample(6, held.network.input_shape))
    assert any(difference.owner == "input" for difference in check(read(book)).formulas)
    press_closed(book, actions.recompute)
    assert check(read(book)).ok


def test_reset_puts_choice_and_typed_pixels_back_and_reset_again_yours(book: Path, held: Contents) -> None:
    block = held.layout.input.blocks[0]
    mine = book
    patch_cells(mine, mine, {"Images": {(3, 8): "digit 6"}, "Network": {block.position(0, 0): Typed(0.5)}})
    press_closed(mine, actions.recompute)
    typed = read_contents(read(mine)).image
    assert typed[0, 0, 0] == 0.5
    press_closed(mine, actions.reset)
    np.testing.assert_array_equal(read_contents(read(mine)).image, held.image)
    assert block.position(0, 0) in read(mine).formulas["Network"]
    assert check(read(mine)).ok
    press_closed(mine, actions.reset)
    np.testing.assert_array_equal(read_contents(read(mine)).image, typed)
    assert read_contents(read(mine)).choice == "digit 6"
    assert block.position(0, 0) not in read(mine).formulas["Network"]
    assert check(read(mine)).ok
    assert validator.findings(mine) == []


def test_reset_in_a_live_program_leaves_the_drop_down_working(book: Path, held: Contents) -> None:
    with connect(book) as opened:
        network, block = opened.sheets["Network"], held.layout.input.blocks[0]
        opened.sheets["Images"].range("H3").value = "digit 6"
        network.range(block.cell(4, 4)).value = 0.125
        press(opened, actions.reset)
        area = network.range((block.row, block.column), (block.last_row, block.last_column))
        np.testing.assert_array_equal(np.array(area.value), held.image[0])
        opened.sheets["Images"].range("H3").value = "digit 1"
        np.testing.assert_array_equal(np.array(area.value), lessons.sample(1, held.network.input_shape)[0])


def test_only_pictures_and_the_choice_can_be_read_in_the_head(held: Contents) -> None:
    (page,) = (page for page in held.pages() if page.title == "Images")
    read_there = [cell.value for (row, _), cell in page.cells.items() if row < 8 and cell.style != style.HIDDEN]
    _, hint, label, choice = (value for value in read_there if value is not None)
    assert (label, choice) == ("the network sees", held.choice)
    assert "own" in str(hint) and "--image FILE" in str(hint)


def test_images_hold_the_digits_and_an_own_picture() -> None:
    lesson = lessons.load("fastai")
    own = np.full((1, 28, 28), 0.25)
    held = lessons.first_contents(lesson.network, lesson.lesson, lesson.tensors(), own)
    assert held.choice == images.OWN
    np.testing.assert_array_equal(held.image, own)
    np.testing.assert_array_equal(held.pictures["digit 8"][0], digit(8))
    assert not held.pictures[images.DRAWING].any()
