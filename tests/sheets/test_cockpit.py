"""What is in sight wherever one edits: the answer, what it was at first, the best classes, a small picture."""

from pathlib import Path

import numpy as np
import openpyxl
import pytest

from conv_sheet import lessons
from conv_sheet.cells import style
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import NETWORK
from conv_sheet.sheets import cockpit, images, registry
from conv_sheet.sheets.addresses import IMAGES, PYTHON, START
from conv_sheet.state import WorkbookState
from tests.lessons import state_of
from tests.networks import SMALL, changed, written
from tests.networks import state_of as random_state
from tests.oracles import cells, libreoffice
from tests.sheets import agreement


@pytest.fixture(scope="module")
def before() -> WorkbookState:
    return random_state(Network.from_spec(SMALL))


@pytest.fixture(scope="module")
def after(before: WorkbookState, tmp_path_factory: pytest.TempPathFactory) -> tuple[WorkbookState, Path]:
    """Another state, and the workbook of the first one calculated with it."""
    folder = tmp_path_factory.mktemp("cockpit")
    state, typed = changed(before)
    path = agreement.put(written(folder, before), folder / "edited.xlsx", typed)
    return state, libreoffice.recalculate([path], folder / "out")[0]


@pytest.mark.parametrize("title", [START, NETWORK])
def test_it_follows_every_edit(after: tuple[WorkbookState, Path], title: str) -> None:
    state, path = after
    assert agreement.differences(path, state, title) == []


def test_it_says_the_best_first_and_what_was_said_at_first(
    before: WorkbookState, after: tuple[WorkbookState, Path]
) -> None:
    state, path = after
    shown = cells.values(path, START)
    order = np.argsort(-state.output)
    names = [state.network.classes[number] for number in order]
    for at, name in zip((cockpit.SAYS, *cockpit.BEST), (f"says {names[0]}", *names), strict=False):
        assert str(shown[at.cell()]).startswith(name)
    share = 100 * before.output.max()
    assert shown[cockpit.FIRST.cell()] == f"at first: {before.prediction} · {share:.1f} %"
    assert state.output.max() != before.output.max()


def test_each_bias_is_said_below_its_kernels(after: tuple[WorkbookState, Path]) -> None:
    state, path = after
    shown = cells.values(path, NETWORK)
    biases = state.tensors["conv1.bias"]
    kernels = state.layout.by_name["conv1"].own["weight"].blocks
    assert len(set(biases.round(2))) == len(biases) > 1
    each = len(kernels) // len(biases)
    for number, bias in enumerate(biases):
        first, *others = kernels[number * each : (number + 1) * each]
        last = max((first, *others), key=lambda kernel: (kernel.column == first.column, kernel.row))
        sign, *_, value = str(shown[last.cell(last.height, 0)]).split()
        assert sign == "+" and float(value) == pytest.approx(bias, abs=0.0051)


def test_of_equal_classes_each_has_a_place_of_its_own(before: WorkbookState) -> None:
    even = before.with_typed({name: np.zeros_like(value) for name, value in before.tensors.items()})
    assert len(set(np.round(even.output, 12))) == 1
    assert [place.value for place in cockpit.places(even)] == list(range(1, len(even.network.classes) + 1))


def test_a_broken_formula_is_an_alarm_and_an_edit_is_none(before: WorkbookState, tmp_path: Path) -> None:
    (said,) = ([*cells.values(path, PYTHON).values()] for path in [written(tmp_path, before)])
    assert "Formulas and Python agree on every number." in said
    cell = next(iter(before.layout.input.blocks)).cell(0, 0)
    path = cells.set_cells(tmp_path / "book.xlsx", tmp_path / "broken.xlsx", {f"Network!{cell}": "=1/0"})
    (answer,) = libreoffice.recalculate([path], tmp_path / "out")
    assert any(str(value).startswith("A formula is broken") for value in cells.values(answer, PYTHON).values())


@pytest.mark.parametrize("name", [name for name in lessons.names() if images.NAME in state_of(name).lesson.sheets])
def test_every_picture_is_in_sight_where_the_sheet_opens(name: str) -> None:
    """Of a window of 1600×1000 with LibreOffice, in which 75 columns and 45 rows of cells were counted at 70 %."""
    (page,) = (page for page in registry.pages(state_of(name)) if page.title == IMAGES)
    last = [item.placed.blocks[-1] for item in page.inputs if item.name.startswith("image_")]
    heights = [page.heights.get(row, page.default_height or 0.0) for row in range(1, page.last[0] + 1)]
    widths = [page.widths.get(column, 0.0) for column in range(1, max(block.last_column for block in last) + 1)]
    assert sum(widths) * page.zoom <= 75 * style.CELL_WIDTH * 70
    assert sum(heights[: max(block.last_row for block in last)]) * page.zoom <= 45 * 19.5 * 70


@pytest.mark.parametrize("name", ["fastai", "multi-label", "cs231n", "backprop"])
def test_small_pictures_have_the_proportions_of_the_picture(name: str) -> None:
    state = state_of(name)
    (page,) = (page for page in registry.pages(state) if page.title == NETWORK)
    boards = [fill.block for fill in page.fills if fill.style == style.DOT and fill.block.row == 1]
    height, width = state.network.input_shape[1:]
    assert boards
    for block in boards:
        points = sum(page.heights[row] for row in range(1, block.last_row + 1))
        across = sum(page.widths[column] for column in range(block.column, block.last_column + 1)) * 7 * 0.75
        assert across / points == pytest.approx(width / height, rel=0.05)
        assert block.height <= 8


def test_the_way_out_is_said_where_something_may_be_out_of_date() -> None:
    pages = {page.title: [text for _, text in page.texts()] for page in registry.pages(state_of("what-it-sees"))}
    for title in (PYTHON, "Saliency", "Ascent"):
        assert any("Recompute" in text and "conv-sheet recompute FILE" in text for text in pages[title]), title


def test_a_border_says_who_reads_it() -> None:
    (page,) = (page for page in registry.pages(state_of("stride-padding")) if page.title == NETWORK)
    said = [text for _, text in page.texts() if text.startswith("the border")]
    assert said == [f"the border is read by {reader} only" for reader in ("padded", "strided", "dilated")][: len(said)]
    assert said
    borders = [cell.style for cell in page.singles.values() if cell.style.dashed]
    assert borders
    assert all(look.line for look in borders)


def test_the_channels_of_a_picture_in_colour_have_names_and_swatches() -> None:
    state = state_of("cs231n")
    (page,) = (page for page in registry.pages(state) if page.title == NETWORK)
    for block, (name, colour) in zip(state.layout.input.blocks, style.LIGHTS.items(), strict=True):
        row = block.row - state.layout.stages[0].border.top - 1
        assert page.value(row, block.last_column - 1) == name
        assert page.singles[row, block.last_column].style.fill == colour


def test_figures_on_dark_ink_are_written_white(before: WorkbookState, tmp_path: Path) -> None:
    sheet = openpyxl.load_workbook(written(tmp_path, before))[NETWORK]
    first = before.layout.input.blocks[0]
    rules = [rule for area in sheet.conditional_formatting if first.cell() in area for rule in area.rules]
    (dark,) = (rule for rule in rules if rule.type == "cellIs")
    assert (dark.operator, dark.formula) == ("greaterThan", [str(style.INK_SCALE.dark)])
    assert dark.dxf.font.color.rgb == f"FF{style.WHITE}"
