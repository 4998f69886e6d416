"""The drop-down on `Images`, driven in LibreOffice and by the buttons."""

from pathlib import Path

import numpy as np
import openpyxl
import pytest

from conv_sheet import actions, lessons
from conv_sheet.cells import style
from conv_sheet.cells.inputs import Input
from conv_sheet.checks import check
from conv_sheet.network.spec import from_tables
from conv_sheet.office.closed import press as press_closed
from conv_sheet.office.live import press
from conv_sheet.opening import read
from conv_sheet.pictures.digits import digit
from conv_sheet.pictures.samples import sample
from conv_sheet.sheets import images, registry
from conv_sheet.sheets.addresses import PICTURE
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.change import patch_cells
from conv_sheet.xlsx.patch import Typed
from conv_sheet.xlsx.reader import Stored
from tests.books import some
from tests.conftest import Once
from tests.lessons import built, state_of
from tests.networks import SMALL, written
from tests.oracles import cells, libreoffice, validator
from tests.sheets import agreement

CHOICE = "Images!H3"


@pytest.fixture
def state() -> WorkbookState:
    spec = SMALL | {"input": [2, 9, 8], "sheets": ["images"]}
    made = from_tables(spec)
    return lessons.first_state(made.network, made.lesson, made.network.initial(1), number=4)


@pytest.fixture
def book(state: WorkbookState, tmp_path: Path) -> Path:
    return written(tmp_path, state, "book.xlsm")


def recalculated(path: Path, folder: Path, changes: dict[str, float | str]) -> Path:
    changed = cells.set_cells(path, folder / "changed.xlsm", changes)
    (answer,) = libreoffice.recalculate([changed], folder / "out")
    return answer


def seen(path: Path, state: WorkbookState) -> np.ndarray:
    """The input as another program shows it."""
    shown = cells.values(path, "Network")
    return np.stack([cells.array(shown, block.relative) for block in state.layout.input.blocks])


def assert_only_stale(path: Path) -> None:
    """All formulas are there and right, and Python's numbers are those of another picture."""
    report = check(path)
    assert [*map(str, report.formulas), *map(str, report.values)] == []
    assert report.stale


def picture(state: WorkbookState, label: str) -> Input:
    """The input of a picture of the sheet."""
    return images.gallery(state.layout, state.lesson)[label]


def test_every_picture_can_be_chosen(book: Path, state: WorkbookState, tmp_path: Path) -> None:
    paths = [cells.set_cells(book, tmp_path / f"{n}.xlsx", {CHOICE: f"digit {n}"}) for n in (0, 9)]
    for number, answer in zip((0, 9), libreoffice.recalculate(paths, tmp_path / "out"), strict=True):
        np.testing.assert_array_equal(seen(answer, state), sample(f"digit {number}", state.network.input_shape))
        assert_only_stale(answer)


def test_what_is_drawn_is_what_the_network_sees(book: Path, state: WorkbookState, tmp_path: Path) -> None:
    cell = picture(state, images.DRAWING).placed.blocks[1].other(2, 3)
    answer = recalculated(book, tmp_path, {CHOICE: images.DRAWING, cell: 0.75})
    expected = np.zeros(state.network.input_shape)
    expected[1, 2, 3] = 0.75
    np.testing.assert_array_equal(seen(answer, state), expected)
    np.testing.assert_array_equal(read(answer).image, expected)


def drawn(state: WorkbookState) -> WorkbookState:
    """A state in which something was drawn, and is chosen."""
    pixels = np.random.default_rng(0).uniform(0, 1, state.network.input_shape).round(2)
    return state.with_typed({PICTURE: images.DRAWING, images.image_name(images.DRAWING): pixels})


MOST = some((name for name in lessons.names() if name not in ("cs231n", "lenet")), 8)
"""Lessons without the two largest, which programs calculate after changes in tests of their own."""


@pytest.fixture(scope="module")
def answers(once: Once, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every small lesson after something was drawn, calculated by LibreOffice in one call."""
    folder, paths = tmp_path_factory.mktemp("drawn"), []
    for name in MOST:
        state = state_of(name)
        changes = {one: drawn(state).typed[one] for one in (PICTURE, images.image_name(images.DRAWING))}
        paths.append(agreement.edited(built(once, name), folder / f"{name}.xlsx", state, changes))
    return dict(zip(MOST, libreoffice.recalculate(paths, folder / "out"), strict=True))


@pytest.mark.parametrize("name", MOST)
def test_every_lesson_sees_what_is_drawn(name: str, answers: dict[str, Path]) -> None:
    state = state_of(name)
    assert {"Images", "Loupe"} <= {page.title for page in registry.pages(state) if not page.hidden}
    expected = drawn(state).typed[images.image_name(images.DRAWING)]
    np.testing.assert_array_equal(seen(answers[name], state), expected)
    assert_only_stale(answers[name])


def test_pixels_may_be_typed_over_on_network(book: Path, state: WorkbookState, tmp_path: Path) -> None:
    pixel = state.layout.input.blocks[0].cell(1, 1)
    answer = recalculated(book, tmp_path, {f"Network!{pixel}": 0.375, CHOICE: "digit 2"})
    expected = sample("digit 2", state.network.input_shape)
    expected[0, 1, 1] = 0.375
    np.testing.assert_array_equal(read(answer).image, expected)
    press_closed(answer, actions.recompute)
    assert check(answer).ok


def test_a_choice_that_nothing_has_calculated_is_not_taken_from_stale_cells(book: Path, state: WorkbookState) -> None:
    patch_cells(book, book, {"Images": {(3, 8): "digit 6"}})
    np.testing.assert_array_equal(read(book).image, sample("digit 6", state.network.input_shape))
    assert any(difference.owner == "input" for difference in check(book).values)
    press_closed(book, actions.recompute)
    assert check(book).ok


def test_reset_puts_choice_and_typed_pixels_back_and_reset_again_yours(book: Path, state: WorkbookState) -> None:
    block = state.layout.input.blocks[0]

    def formula() -> str | None:
        return Stored.open(book).formulas(block)[0][0]

    patch_cells(book, book, {"Images": {(3, 8): "digit 6"}, "Network": {block.position(0, 0): Typed(0.5)}})
    press_closed(book, actions.recompute)
    typed = read(book).image
    assert typed[0, 0, 0] == 0.5
    press_closed(book, actions.reset)
    np.testing.assert_array_equal(read(book).image, state.image)
    assert formula() is not None
    assert check(book).ok
    press_closed(book, actions.reset)
    np.testing.assert_array_equal(read(book).image, typed)
    assert read(book).typed[PICTURE] == "digit 6"
    assert formula() is None
    assert check(book).ok
    assert validator.findings(book) == []


def test_reset_in_a_live_program_leaves_the_drop_down_working(book: Path, state: WorkbookState) -> None:
    with libreoffice.opened(book) as opened:
        network, block = opened.sheets["Network"], state.layout.input.blocks[0]
        opened.sheets["Images"].range("H3").value = "digit 6"
        network.range(block.cell(4, 4)).value = 0.125
        press(opened, actions.reset)
        area = network.range((block.row, block.column), (block.last_row, block.last_column))
        np.testing.assert_array_equal(np.array(area.value), state.image[0])
        opened.sheets["Images"].range("H3").value = "digit 1"
        np.testing.assert_array_equal(np.array(area.value), sample("digit 1", state.network.input_shape)[0])


def test_only_pictures_and_the_choice_can_be_read_in_the_head(state: WorkbookState) -> None:
    page = agreement.page(state, "Images")
    head = sorted((at, cell) for at, cell in page.singles.items() if at[0] < 8 and cell.style != style.HIDDEN)
    left = [cell.value for at, cell in head if cell.value is not None and at[1] < 10]
    _, hint, label, choice = left
    assert (label, choice) == ("sees", state.typed[PICTURE])
    assert "own" in str(hint) and "--image FILE" in str(hint)
    assert all(fill.block.row >= 8 or fill.style == style.HIDDEN for fill in page.fills)


def test_pixels_that_were_typed_over_are_counted_and_marked(book: Path, state: WorkbookState, tmp_path: Path) -> None:
    blocks, over = state.layout.input.blocks, {(0, 1, 2): 0.5, (1, 0, 0): 0.25, (1, 8, 7): 0.75}
    typed: dict[str, float | str] = {f"Network!{blocks[c].cell(y, x)}": value for (c, y, x), value in over.items()}
    changed = cells.set_cells(book, tmp_path / "typed.xlsx", {**typed, CHOICE: "digit 6"})
    marked = openpyxl.load_workbook(changed)
    formats = marked["Network"].conditional_formatting
    rules = [
        (str(one.sqref), rule.formula[0]) for one in formats for rule in one.rules if "images" in str(rule.formula)
    ]
    assert [where for where, _ in rules] == [block.relative for block in blocks]
    probe = marked.create_sheet("Probe")
    for block, (_, formula) in zip(blocks, rules, strict=True):
        for y, x in np.ndindex(block.shape):
            here = formula.replace(f"{block.cell()}<>", f"Network!{block.cell(y, x)}<>")
            probe[block.cell(y, x)] = f"=IF({here},1,0)"
    marked.save(changed)
    plain = cells.set_cells(book, tmp_path / "plain.xlsx", {CHOICE: "digit 6"})
    shown, other = libreoffice.recalculate([changed, plain], tmp_path / "out")
    marks = cells.values(shown, "Probe")
    found = np.stack([cells.array(marks, block.relative) for block in blocks])
    assert {tuple(at) for at in np.argwhere(found == 1).tolist()} == set(over)
    words = [str(value) for value in cells.values(shown, "Images").values()]
    (told,) = (word for word in words if "typed over" in word)
    assert told.startswith("3 pixels of Network ") and "Reset brings them back" in told
    assert "Every pixel of Network follows this picture." in cells.values(other, "Images").values()


def test_other_sheets_say_which_picture_is_seen_and_lead_to_the_drop_down(book: Path, tmp_path: Path) -> None:
    answer = recalculated(book, tmp_path, {CHOICE: "digit 6"})
    for title in ("Network", "Loupe", "NumPy"):
        sheet = openpyxl.load_workbook(answer)[title]
        links = {
            cell.coordinate: cell.hyperlink.location for row in sheet.iter_rows() for cell in row if cell.hyperlink
        }
        leading = [at for at, target in links.items() if target.replace("$", "") == CHOICE]
        assert leading
        assert {cells.values(answer, title)[at] for at in leading} == {"sees digit 6 ▾"}


def test_images_hold_the_digits_and_an_own_picture() -> None:
    lesson = lessons.load("fastai")
    own = np.full((1, 28, 28), 0.25)
    state = lessons.first_state(lesson.network, lesson.lesson, lesson.tensors(), own)
    assert state.typed[PICTURE] == images.OWN
    np.testing.assert_array_equal(state.image, own)
    np.testing.assert_array_equal(state.array(picture(state, "digit 8"))[0], digit(8))
    assert not state.array(picture(state, images.DRAWING)).any()
