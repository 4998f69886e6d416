"""The lesson `stride-padding`: every setting compared with PyTorch, in NumPy and in LibreOffice's cells."""

import shutil
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import openpyxl
import pytest
import torch
import torch.nn.functional as F
from openpyxl.formula.translate import Translator

from conv_sheet.cells import style
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import InputValue
from conv_sheet.ops import Array
from conv_sheet.sheets.lessons import stride
from conv_sheet.state import WorkbookState
from tests import lessons
from tests.oracles import cells, gnumeric, libreoffice, validator
from tests.sheets import agreement


class Choice(NamedTuple):
    """Kernel size, stride, padding and dilation."""

    kernel_size: int
    stride: int
    padding: int
    dilation: int


EVERY = [Choice(*options) for options in product(range(1, 6), range(1, 4), range(4), range(1, 3))]
IMPOSSIBLE = [Choice(5, s, 0, 2) for s in range(1, 4)]
"""A 5×5 kernel with dilation 2 spans nine rows, and the picture has seven."""
PICTURE, WEIGHT = (np.random.default_rng(7).integers(-9, 10, size).astype(float) for size in ((7, 7), (5, 5)))


state, path, _ = lessons.fixtures("stride-padding")


@pytest.fixture(scope="module")
def book(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with libreoffice.opened(Path(shutil.copy(path, tmp_path_factory.mktemp("book")))) as opened:
        lessons.put(opened, stride_picture=PICTURE, stride_weight=WEIGHT)
        yield opened


def by_torch(picture: Array, weight: Array, choice: Choice) -> Array | None:
    """What PyTorch makes of it; None where it refuses the options."""
    size, step, padding, dilation = choice
    kernel = torch.tensor(weight[:size, :size])[None, None]
    try:
        maps = F.conv2d(torch.tensor(picture)[None, None], kernel, stride=step, padding=padding, dilation=dilation)
    except RuntimeError:
        return None
    answer: Array = maps[0, 0].numpy()
    return answer


def chosen(choice: Choice) -> dict[str, InputValue]:
    return {name: float(value) for name, value in choice._asdict().items()}


TYPED: dict[str, InputValue] = {"stride_picture": PICTURE, "stride_weight": WEIGHT}


def test_the_page_is_pytorchs_for_every_setting(state: WorkbookState) -> None:
    refused = []
    for choice in EVERY:
        page = agreement.page(state.with_typed(chosen(choice) | TYPED), stride.STRIDE)
        shown = {at: cell.value for at, cell in page.cells()}
        block = page.names["stride_output"]
        found = np.array([shown[at] for at in block.positions()], dtype=object).reshape(block.shape)
        expected = by_torch(PICTURE, WEIGHT, choice)
        size = 0 if expected is None else len(expected)
        assert [shown[at] for at in page.names["stride_size"].positions()] == [size], choice
        assert (found[size:] == "").all() and (found[:, size:] == "").all(), choice
        if expected is None:
            refused.append(choice)
        else:
            np.testing.assert_allclose(found[:size, :size].astype(float), expected, rtol=0, atol=1e-12)
    assert refused == IMPOSSIBLE


def test_cells_follow_every_setting(book: Any) -> None:
    """The output; on how many outputs each pixel acts; the value that is looked at, the last where there are fewer."""
    lessons.put(book, stride_row=2.0, stride_column=6.0)
    for choice in EVERY:
        lessons.put(book, **chosen(choice))
        found = np.array(lessons.shown(book, "stride_output"), dtype=float)
        expected = by_torch(PICTURE, WEIGHT, choice)
        size = 0 if expected is None else len(expected)
        assert lessons.numbers(book, "stride_size").item() == size, choice
        there = np.zeros(found.shape, dtype=bool)
        there[:size, :size] = True
        assert np.array_equal(~np.isnan(found), there), choice
        if expected is not None:
            np.testing.assert_allclose(found[:size, :size], expected, rtol=0, atol=1e-9, err_msg=str(choice))
            np.testing.assert_array_equal(lessons.numbers(book, "stride_seen"), windows(choice), err_msg=str(choice))
            looked_at = expected[min(2, size) - 1, min(6, size) - 1]
            assert lessons.numbers(book, "stride_value").item() == looked_at, choice
            missed, says = (windows(choice) == 0).all(axis=1), lessons.texts(book, "Stride")
            assert lessons.numbers(book, "stride_unseen").item() == missed.sum(), choice
            assert ("its last is shown" in says) == (size < 6), choice
            assert ("are in no window" in says) == missed.any(), choice
            span = choice.dilation * (choice.kernel_size - 1) + 1
            at_the_end = (7 + 2 * choice.padding - span) % choice.stride - choice.padding
            assert ("rounds down" in says) == (at_the_end > 0 and missed[-1]), choice


@pytest.mark.parametrize("choice", IMPOSSIBLE, ids=str)
def test_the_impossible_says_why(choice: Choice, book: Any) -> None:
    lessons.put(book, **chosen(choice))
    says = lessons.texts(book, "Stride")
    assert "Impossible: a window spans 9 rows and columns, the padded picture has only 7." in says
    assert "There is no output." in says
    assert not lessons.numbers(book, "stride_seen").any()
    lessons.put(book, padding=1.0)
    assert "Impossible" not in lessons.texts(book, "Stride")


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        (Choice(3, 1, 1, 1), "The output is as large as the picture."),
        (Choice(3, 1, 0, 1), "The output is smaller than the picture by 2."),
        (Choice(1, 1, 3, 1), "larger than the picture by 6. The outermost windows see nothing but padding."),
        (
            Choice(3, 3, 0, 1),
            "by 5. 1 of the picture's 7 rows and 1 of its 7 columns are in no window. ⌊ ⌋ rounds down: the last",
        ),
        (
            Choice(2, 3, 0, 1),
            "by 5. 3 of the picture's 7 rows and 3 of its 7 columns are in no window. ⌊ ⌋ rounds down: the last",
        ),
        (Choice(4, 2, 3, 2), "⌊(7 + 2·3 − 2·(4 − 1) − 1) / 2⌋ + 1"),
    ],
    ids=str,
)
def test_words_fit_the_numbers(choice: Choice, says: str, book: Any) -> None:
    lessons.put(book, **chosen(choice))
    assert says in lessons.texts(book, "Stride")


def windows(choice: Choice) -> Array:
    """How many outputs depend on each pixel: PyTorch's gradient of their sum, with a kernel of ones."""
    picture = torch.zeros(1, 1, 7, 7, dtype=torch.float64, requires_grad=True)
    size, step, padding, dilation = choice
    ones = torch.ones(1, 1, size, size, dtype=torch.float64)
    (slopes,) = torch.autograd.grad(F.conv2d(picture, ones, None, step, padding, dilation).sum(), picture)
    seen: Array = slopes[0, 0].numpy()
    return seen


ODD_ONES: list[tuple[dict[str, Any], str]] = [
    ({"stride": None}, "stride is not a whole number from 1 to 3."),
    ({"stride": 0.0}, "stride is not a whole number from 1 to 3."),
    ({"stride": 2.5}, "stride is not a whole number from 1 to 3."),
    ({"padding": None}, "padding is not a whole number from 0 to 3."),
    ({"kernel_size": 6.0}, "kernel_size is not a whole number from 1 to 5."),
    ({"dilation": "two"}, "dilation is not a whole number from 1 to 2."),
    ({"kernel_size": None, "stride": -1.0}, "kernel_size is not a whole number from 1 to 5. stride is not a whole"),
]


@pytest.mark.parametrize(("odd", "says"), ODD_ONES, ids=str)
def test_an_option_that_is_none_is_named(odd: dict[str, Any], says: str, book: Any) -> None:
    lessons.put(book, **chosen(Choice(3, 1, 1, 1)) | odd)
    texts = lessons.texts(book, "Stride")
    assert f"Impossible: {says}" in texts
    assert "no output: " in texts and "⌊(7 + 2·" not in texts
    assert lessons.numbers(book, "stride_size").item() == 0
    assert np.isnan(np.array(lessons.shown(book, "stride_output"), dtype=float)).all()


@pytest.mark.parametrize("name", ["stride_row", "stride_column"])
@pytest.mark.parametrize("value", [None, 0.0, 1.5, 14.0, "one"])
def test_an_output_cell_that_is_none_is_told(name: str, value: Any, book: Any) -> None:
    lessons.put(book, **chosen(Choice(3, 1, 0, 1)), **{"stride_row": 1.0, "stride_column": 1.0} | {name: value})
    assert "Row and column are whole numbers from 1 to 13." in lessons.texts(book, "Stride")
    assert lessons.shown(book, "stride_value") == [[None]]


def test_no_cell_shows_an_error_whatever_is_typed(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    items = {item.name: item for item in stride.inputs(state.layout, state.lesson)}
    edited: list[Path] = []
    for odd in (*(odd for odd, _ in ODD_ONES), {"stride_row": None}, {"stride_column": "one"}):
        at = {items[name].at.other(): value for name, value in odd.items()}
        edited.append(agreement.put(path, tmp_path / f"{len(edited)}.xlsx", at))
    answers = libreoffice.recalculate(edited, tmp_path / "out")
    answers += [gnumeric.recalculate(one, tmp_path / f"gnumeric-{one.name}") for one in edited]
    for answer in answers:
        assert not [v for v in cells.values(answer, "Stride").values() if str(v).startswith(("#", "Err:"))]


def test_one_product_is_no_sum(book: Any) -> None:
    lessons.put(book, **chosen(Choice(1, 1, 0, 1)), stride_row=1.0, stride_column=1.0)
    assert "The product of the amber cell" in lessons.texts(book, "Stride")
    lessons.put(book, kernel_size=2.0)
    assert "The sum of 4 products" in lessons.texts(book, "Stride")


def seen_by(choice: Choice, row: int, column: int) -> Array:
    """Which cells of the picture with three rows and columns around it an output depends on: PyTorch's gradient."""
    padded = torch.zeros(13, 13, dtype=torch.float64, requires_grad=True)
    inside = slice(3 - choice.padding, 10 + choice.padding)
    ones = torch.ones(1, 1, choice.kernel_size, choice.kernel_size, dtype=torch.float64)
    maps = F.conv2d(padded[inside, inside][None, None], ones, stride=choice.stride, dilation=choice.dilation)
    (answer,) = torch.autograd.grad(maps[0, 0, row - 1, column - 1], padded)
    seen: Array = answer.numpy()
    return seen


LOOKED_AT = [
    (Choice(4, 2, 0, 1), 2, 1),
    (Choice(3, 1, 0, 1), 1, 1),
    (Choice(3, 1, 1, 1), 2, 6),
    (Choice(4, 2, 3, 2), 3, 2),
    (Choice(1, 1, 3, 2), 13, 13),
    (Choice(5, 3, 2, 1), 3, 1),
    (Choice(2, 3, 1, 2), 1, 3),
]


def test_amber_and_hatched_are_what_outputs_depend_on(path: Path, tmp_path: Path) -> None:
    """The rules of the conditional formats, as formulas in cells of their own beside the sheet."""
    picture = stride.PICTURE.at
    (padded, seeing), (picture, seeing_none) = (
        rule_beside(path, *one) for one in ((picture.part(-3, -3, 13, 13), amber, 100), (picture, hatched, 120))
    )
    with libreoffice.opened(cells.set_cells(path, tmp_path / "copied.xlsx", seeing | seeing_none)) as book:
        lessons.put(book, stride_picture=PICTURE, stride_weight=WEIGHT)
        seen, unseen = (
            book.sheets["Stride"].range((block.row, block.column), (block.last_row, block.last_column))
            for block in (padded, picture)
        )
        for choice, row, column in LOOKED_AT:
            lessons.put(book, **chosen(choice), stride_row=float(row), stride_column=float(column))
            found = seen.options(np.array).value
            np.testing.assert_array_equal(found, seen_by(choice, row, column), err_msg=str(choice))
            found = unseen.options(np.array).value
            np.testing.assert_array_equal(found, windows(choice) == 0, err_msg=str(choice))
            value = by_torch(PICTURE, WEIGHT, choice)
            assert value is not None
            assert lessons.numbers(book, "stride_value").item() == value[row - 1, column - 1]


def rule_beside(path: Path, block: Block, wanted: Callable[[Any], bool], column: int) -> tuple[Block, dict[str, Any]]:
    """The one such rule for a block as a block of formulas in the same rows, and what to put into its cells."""
    beside = Block(block.sheet, block.row, column, *block.shape)
    rules = openpyxl.load_workbook(path)["Stride"].conditional_formatting
    (rule,) = (r for area in rules if str(area.sqref) == block.relative for r in area.rules if wanted(r))
    formula = Translator(f"=IF({rule.formula[0]},1,0)", block.cell())
    return beside, {beside.other(y, x): formula.translate_formula(block.cell(y, x)) for y, x in np.ndindex(block.shape)}


def amber(rule: Any) -> bool:
    return bool(rule.dxf and rule.dxf.fill and rule.dxf.fill.bgColor.rgb == f"FF{style.AMBER}")


def hatched(rule: Any) -> bool:
    """Told without colour: by a pattern, and by strokes beside the number where a program has no patterns."""
    return bool(rule.dxf and rule.dxf.fill.patternType == "lightUp" and rule.dxf.numFmt.formatCode == style.HATCHED)


def test_other_programs_agree_after_changes(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    edits = [chosen(choice) | TYPED for choice in (Choice(3, 2, 1, 2), Choice(5, 1, 0, 2))]
    files = [agreement.edited(path, tmp_path / f"{n}.xlsx", state, edit) for n, edit in enumerate(edits)]
    answers = libreoffice.recalculate(files, tmp_path / "out")
    for file, answer, edit in zip(files, answers, edits, strict=True):
        for other in (answer, gnumeric.recalculate(file, tmp_path / f"gnumeric-{file.name}")):
            assert agreement.differences(other, state.with_typed(edit), stride.STRIDE) == []


def test_what_is_out_of_range_is_none() -> None:
    for item, value in ((stride.STEP, 0), (stride.PADDING, 4), (stride.DILATION, 1.5), (stride.KERNEL_SIZE, "three")):
        assert not item.limits.allows(value)
        assert item.limits.hint.startswith("A whole number from")


def test_the_four_layers_show_one_option_each(state: WorkbookState) -> None:
    image = torch.tensor(state.image)[None]
    plain = image[..., 1:-1, 1:-1]
    expected = {"plain": plain, "padded": plain, "strided": plain[..., ::2, ::2], "dilated": plain[..., ::2, ::2]}
    for name, maps in expected.items():
        np.testing.assert_array_equal(state.activations[name], maps.numpy())


def test_the_workbook_keeps_its_promises(path: Path, state: WorkbookState) -> None:
    assert validator.sdk_findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in state.lesson.tries]
