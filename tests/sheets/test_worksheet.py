"""A lesson on paper: every try with room for what is seen, a window to calculate, and the answers on another page."""

import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from conv_sheet import lessons
from conv_sheet.builder import build
from conv_sheet.sheets import registry, worksheet
from conv_sheet.state import WorkbookState
from tests.lessons import state_of
from tests.oracles import cells, libreoffice


def on_paper(name: str) -> WorkbookState:
    state = state_of(name)
    return replace(state, lesson=replace(state.lesson, sheets=(*state.lesson.sheets, worksheet.NAME)))


@pytest.mark.parametrize("name", lessons.names())
def test_tries_stand_before_their_answers(name: str) -> None:
    (page,) = (page for page in registry.pages(on_paper(name)) if page.title == worksheet.WORKSHEET)
    (end,) = page.breaks
    asked = " ".join(text for (row, _), text in page.texts() if row <= end)
    answered = " ".join(text for (row, _), text in page.texts() if row > end)
    for one in state_of(name).lesson.tries:
        assert one.text in asked
        assert one.answer in answered
        assert not one.answer or one.answer not in asked


def test_what_is_calculated_by_hand_is_pytorchs(tmp_path: Path) -> None:
    state = on_paper("fastai")
    path = tmp_path / "paper.xlsx"
    build(state, path)
    (answer,) = libreoffice.recalculate([path], tmp_path / "out")
    rows = cells.values(answer, worksheet.WORKSHEET)
    heading = next(str(value) for value in rows.values() if str(value).startswith("By hand"))
    y, x = (int(n) - 1 for n in re.findall(r"row (\d+), column (\d+)", heading)[0])
    image, weight, bias = map(torch.tensor, (state.image, state.tensors["conv1.weight"], state.tensors["conv1.bias"]))
    made = torch.nn.functional.conv2d(image[None], weight, bias)[0, 0].relu().numpy()
    assert made[y, x] == pytest.approx(made.max())
    found = [value for value in rows.values() if isinstance(value, int | float)]
    assert any(abs(value - made[y, x]) < 1e-9 for value in found)
    (page,) = (page for page in registry.pages(state) if page.title == worksheet.WORKSHEET)
    tables = [cells.array(rows, fill.block.relative) for fill in page.fills]
    for window, kernel in zip(tables[::2], tables[1::2], strict=True):  # for the learner, and among the answers
        assert (window * kernel).sum() + bias[0].item() == pytest.approx(made[y, x], abs=1e-9)
    assert len(tables) == 4


def test_it_is_printed_upright_with_the_answers_apart(tmp_path: Path) -> None:
    path = tmp_path / "paper.xlsx"
    build(on_paper("fastai"), path)
    with zipfile.ZipFile(path) as archive:
        book = archive.read("xl/workbook.xml").decode()
        number = re.findall(r'<sheet [^>]*name="([^"]*)"', book).index(worksheet.WORKSHEET) + 1
        sheet = archive.read(f"xl/worksheets/sheet{number}.xml").decode()
    assert 'orientation="portrait"' in sheet
    assert re.search(r"<rowBreaks [^>]*><brk id=", sheet)


def test_charts_and_buttons_say_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsm"
    build(state_of("backprop"), path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        drawings = [archive.read(name).decode() for name in names if re.fullmatch(r"xl/drawings/drawing\d+\.xml", name)]
        buttons = [archive.read(name).decode() for name in names if name.endswith(".vml")]
        core = archive.read("docProps/core.xml").decode()
    assert re.findall(r'descr="(\w+ chart[^"]*)', "".join(drawings))
    for drawing in drawings:
        assert drawing.count("<xdr:graphicFrame") == drawing.count('descr="')
    for vml in buttons:
        assert vml.count("<v:shape ") == vml.count(' alt="')
    assert "<dc:language>en</dc:language>" in core
