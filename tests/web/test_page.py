"""A page as a file: the same bytes, nothing fetched, compact blocks, words for a browser, errors that name a cell."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from conv_sheet import lessons
from conv_sheet.cells.expr import Expr
from conv_sheet.cells.forms import ARGUMENTS, Forms
from conv_sheet.cells.formula import FUNCTIONS
from conv_sheet.cells.grid import Block, column_number
from conv_sheet.cells.page import Page
from conv_sheet.cells.style import INK, INK_SCALE, PIXEL, TEXT
from conv_sheet.cells.words import Words
from conv_sheet.cli import main
from conv_sheet.errors import WorkbookError
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson, Try
from conv_sheet.sheets import registry
from conv_sheet.state import WorkbookState
from conv_sheet.web import page, preview, site
from conv_sheet.web.blocks import contents
from conv_sheet.web.data import data
from tests.lessons import state_of

LARGEST = {"kernels": 200_000, "fastai": 350_000, "lenet": 2_000_000}
FOREIGN = re.compile(r"Excel|LibreOffice|\b[Pp]ress|\bF[29]\b(?!:)|\bEsc\b|conv-sheet|\bFILE\b|terminal|Recompute")
"""Words of spreadsheet programs, their keys and commands, and a button that a page does not have."""


def made(sheet: Page, *titles: str) -> dict[str, Any]:
    return contents(sheet, lambda style: 0, Forms({"S", *titles}, {"loss"}).require)


def texts(held: object) -> Iterator[str]:
    """Every text of a page's data that somebody reads."""
    if isinstance(held, str):
        yield held
    elif isinstance(held, dict):
        for key, value in held.items():
            if key not in ("formula", "formulas", "check", "names", "curve", "links", "pairs"):
                yield from texts(value)
    elif isinstance(held, list | tuple):
        if len(held) == 5 and held[3] is None and isinstance(held[4], str):
            yield from re.findall(r'"((?:[^"]|"")*)"', held[4])  # what a formula may say
            return
        for value in held:
            yield from texts(value)


def inside(text: str) -> dict[str, Any]:
    """The data of a page."""
    found = re.search(r'id="data">([^<]*)<', text)
    assert found
    held: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return held


@pytest.fixture(scope="module")
def kernels() -> str:
    return page.render(state_of("kernels"), "kernels")


def test_the_same_state_gives_the_same_bytes(kernels: str) -> None:
    assert page.render(state_of("kernels"), "kernels") == kernels
    assert inside(kernels)["title"] == lessons.load("kernels").lesson.title


def test_its_policy_allows_its_one_script_and_style_and_nothing_else(kernels: str) -> None:
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', kernels)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == "'none'"
    for kind in ("script", "style"):
        (text,) = re.findall(f"<{kind}>(.*?)</{kind}>", kernels, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(f"{kind}-src") == f"'sha256-{digest}'"
    assert rules.pop("img-src") == "data:"
    assert set(rules) == {"base-uri", "form-action"}
    (icon,) = re.findall(r'<link rel="icon" href="data:image/svg\+xml;base64,[^"]*">', kernels)
    rest = kernels.replace('content="default-src', "").replace(icon, "")
    assert not re.search(r"\b(?:src|href)=|\beval\(|https?://|import\(", rest)


def test_comments_and_indentation_stay_at_home(kernels: str) -> None:
    script = kernels[kernels.rindex("<script>") : kernels.rindex("</script>")]
    assert not re.search(r"^\s+\S|^//|^/\*\*|^ ?\*", script, re.MULTILINE)
    for name in json.loads(page.source("modules.json")):
        for line in page.source(name).splitlines():  # no text goes over several lines
            assert line.lstrip().startswith(("//", "*", "/*")) or line.count("`") % 2 == 0, f"{name}: {line}"


def test_pages_are_small_on_disk() -> None:
    for name, largest in LARGEST.items():
        assert len(page.render(state_of(name), name).encode()) <= largest, name


@pytest.mark.parametrize("name", lessons.names())
def test_no_text_of_a_lesson_speaks_of_a_spreadsheet_program(name: str) -> None:
    held = data(state_of(name), name)
    assert [text for text in texts(held) if FOREIGN.search(text)] == []
    assert not FOREIGN.search(page.source("page.html"))


def test_this_search_for_words_finds_them() -> None:
    assert [t for t in texts({"a": ["ok", {"b": "Press Esc"}], "formula": "Excel"}) if FOREIGN.search(t)] == [
        "Press Esc"
    ]
    cell = [1, 1, 0, None, 'IF(A1,"Excel","ok")']
    assert [text for text in texts([cell]) if FOREIGN.search(text)] == ["Excel"]


@pytest.mark.parametrize("name", ["fastai", "backprop", "stride-padding"])
def test_every_cell_of_the_workbook_is_there_once(name: str) -> None:
    state = state_of(name)
    pages = {one.title: one for one in registry.pages(state)}
    sheets = data(state, name)["sheets"]
    assert [sheet["title"] for sheet in sheets] == [t for t in pages if t not in ("Spec", "Original", "Kept")]
    for sheet in sheets:
        seen = [(cell[0], cell[1]) for cell in sheet["cells"]]
        for block in sheet["blocks"]:
            row, column, height, width, *step = block["at"]
            seen += Block(
                sheet["title"], row, column, height, width, (step[0], step[1]) if step else (1, 1)
            ).positions()
        assert len(seen) == len(set(seen))
        assert set(seen) == {at for at, _ in pages[sheet["title"]].cells()}


def test_many_formulas_are_one_pattern() -> None:
    sheet = Page("S")
    sheet.fill(Block("S", 1, 3, 2, 2), Expr(np.zeros((2, 2)), "A1*$B$1"), PIXEL)
    sheet.fill_each(Block("S", 5, 1, 1, 3), lambda y, x: Expr(float(x), f"MOD(7*{x + 1}+0.5,9)"), PIXEL)
    sheet.fill_each(Block("S", 6, 1, 1, 2), lambda y, x: Expr(1.0, ("ABS(B9)", "EXP(B9)")[x]), PIXEL)
    sheet.fill_each(Block("S", 7, 1, 1, 2), lambda y, x: Expr(1.0, "B9") if x else 4.0, PIXEL)
    sheet.fill(Block("S", 8, 1, 1, 2), np.array([[1.0, 0.5]]), PIXEL)
    assert made(sheet) == {
        "blocks": [
            {"at": [1, 3, 2, 2], "style": 0, "formula": "A1*$B$1"},
            {"at": [5, 1, 1, 3], "style": 0, "formula": "MOD(7*{0}+0.5,9)", "numbers": [1, 2, 3]},
            {"at": [6, 1, 1, 2], "style": 0, "formulas": ["ABS(B9)", "EXP(B9)"]},
            {"at": [8, 1, 1, 2], "style": 0, "values": [1, 0.5]},
        ],
        "cells": [[7, 1, 0, 4], [7, 2, 0, None, "B9"]],
    }


def test_words_of_a_browser_take_the_place_of_others() -> None:
    sheet = Page("S")
    sheet.put(1, 1, Words("Press F2.", browser="Click."), TEXT)
    sheet.put(2, 1, Words("conv-sheet doctor", browser=""), TEXT)
    assert made(sheet)["cells"] == [[1, 1, 0, "Click."], [2, 1, 0, None]]


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("MEDIAN(A1:A3)", "there is no function MEDIAN"),
        ("ABS(A1,A2)", "ABS cannot take 2 arguments"),
        ("Other!A1+1", "there is no sheet 'Other'"),
        ("'my sheet'!A1", "there is no sheet 'my sheet'"),
        ("profit*2", "there is no name profit"),
        ("SUM({1,2})", "'{1,2})' is none of its forms"),
        ("SUM(A:A)", "there is no name A"),
        ("A1+", "it ends too early"),
        ("(A1", "a bracket is not closed"),
        ("A1 A2", "'A2' is left over"),
    ],
)
def test_what_the_page_cannot_calculate_is_an_error_of_the_build(formula: str, reason: str) -> None:
    sheet = Page("S")
    sheet.put(3, 2, Expr(0.0, formula), TEXT)
    with pytest.raises(WorkbookError, match=re.escape(f"S!B3: a page cannot calculate ={formula}: {reason}")):
        made(sheet)
    block = Page("S")
    block.fill(Block("S", 4, 5, 2, 2), Expr(np.zeros((2, 2)), formula), TEXT)
    with pytest.raises(WorkbookError, match=r"S!E4: "):
        made(block)


def test_it_takes_every_form_that_generated_formulas_have() -> None:
    sheet = Page("S")
    for row, formula in enumerate(
        ('IF(A1>=-2.5E-3,"a ""b""",TRUE)', "SUM('my sheet'!A1:B2)%", '-(LOSS^2)&""', "INDEX($A$1:$B$9,2,)", "ROW()"), 1
    ):
        sheet.put(row, 3, Expr(0.0, formula), TEXT)
    assert len(made(sheet, "my sheet")["cells"]) == 5


def test_functions_are_those_of_generated_formulas_and_of_marks() -> None:
    assert set(ARGUMENTS) == FUNCTIONS | {"ROW", "COLUMN"}


def test_a_number_that_is_none_is_an_error() -> None:
    sheet = Page("S")
    sheet.fill(Block("S", 1, 1, 1, 2), np.array([[0.0, np.inf]]), PIXEL)
    with pytest.raises(WorkbookError, match=r"S!B1: a cell cannot hold the number inf"):
        made(sheet)


def test_a_network_of_ones_own_has_its_page() -> None:
    layers = [{"name": "conv1", "kind": "Conv2d", "out_channels": 1, "kernel_size": 2, "dilation": 2}]
    network = Network.from_spec({"input": [1, 6, 6], "layers": layers})
    lesson = Lesson(title="A & B", tries=(Try("Look.", "conv1_out_1", ask="What?", do={"conv1_bias": 1}),))
    state = WorkbookState.of(network, np.ones((1, 6, 6)), network.initial(0), lesson)
    held = data(state, "mine", "mine.xlsx")
    assert held["workbook"] == "mine.xlsx"
    assert held["answer"]["values"] == held["names"]["conv1_out_1"]
    assert held["tries"] == [{"text": "Look.", "at": "conv1_out_1", "ask": "What?", "do": [["conv1_bias", 1]]}]
    assert held["names"]["conv1_weight_1_1"][5:] == [2, 2]
    assert "<title>A &amp; B</title>" in page.render(state, "mine")


def test_the_first_page_leads_to_lessons_each_with_a_picture_of_its_own() -> None:
    names = ["stride-padding", "kernels", "first-steps"]
    items = [site.item(name, state_of(name)) for name in names]
    text = site.index(items)
    assert re.findall(r'href="(.+?)\.html"', text) == names
    assert len(set(re.findall(r'<img src="(data:image/png;base64,.+?)"', text))) == len(names)
    assert site.item("kernels", state_of("kernels")) == items[1]
    assert all(lessons.load(name).lesson.question for name in lessons.order())


def test_the_picture_of_a_sheet_has_the_colours_of_its_cells() -> None:
    sheet, pixels = Page("S", widths={1: 4.0, 2: 4.0, 3: 8.0}), Block("S", 1, 1, 1, 2)
    sheet.fill(pixels, np.array([[0.0, 1.0]]), PIXEL)
    sheet.put(1, 3, 2.0, replace(TEXT, fill="FF0000"))
    sheet.scales.append(((pixels,), INK_SCALE))
    shown = preview.preview(sheet)
    height, width = shown.shape[:2]
    row = shown[: height // 10].astype(int)  # of 20 pixels a sheet of 112 has the first 70 in sight
    ink = np.frombuffer(bytes.fromhex(INK), np.uint8).astype(int)
    for first, last, colour in ((0, 1, 255), (1, 2, ink), (2, 4, (255, 0, 0))):
        part = row[:, first * width // 4 : last * width // 4]
        assert np.abs(part - colour).max() <= 8, colour
    assert (shown[height // 2 :] == 255).all()


def test_the_command_line_writes_a_page_and_says_what_it_cannot(tmp_path: Path) -> None:
    out = tmp_path / "k.html"
    done = CliRunner().invoke(main, ["build", "kernels", "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert out.read_text(encoding="utf-8") == page.render(state_of("kernels"), "kernels")
    again = CliRunner().invoke(main, ["build", "kernels", "-o", str(out)])
    assert again.exit_code == 1
    assert "give --force" in again.output
    other = CliRunner().invoke(main, ["build", "kernels", "-o", str(tmp_path / "k.htm")])
    assert "for a browser in .html" in other.output


def test_all_lessons_go_into_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons, "order", lambda: ["kernels", "receptive-field"])
    folder = tmp_path / "new" / "site"
    done = CliRunner().invoke(main, ["web", str(folder), "--workbooks"])
    assert done.exit_code == 0, done.output
    pages = {"kernels.html", "receptive-field.html", "index.html"}
    assert {path.name for path in folder.iterdir()} == pages | {"kernels.xlsx", "receptive-field.xlsx"}
    assert inside((folder / "kernels.html").read_text(encoding="utf-8"))["workbook"] == "kernels.xlsx"
    (folder / "index.html").unlink()
    again = CliRunner().invoke(main, ["web", str(folder)])
    assert again.exit_code == 1
    assert "kernels.html exists" in again.output
    assert not (folder / "index.html").exists()
    assert CliRunner().invoke(main, ["web", str(folder), "--force"]).exit_code == 0


@pytest.mark.parametrize("name", lessons.names())
def test_what_a_try_does_is_allowed_and_can_be_checked(name: str) -> None:
    state = state_of(name)
    cells = {
        (block.sheet, *at): item
        for item in registry.inputs_of(state)
        for block in item.placed.blocks
        for at in block.positions()
    }
    held = data(state, name)
    for item in held["tries"]:
        for where, value in item.get("do", ()):
            sheet, row, column = held["names"].get(where, [])[:3] or split(where)
            assert cells[sheet, row, column].limits.allows(value), where
        assert not item.get("do") or item["check"]
        assert item.get("see", "status") in held["names"] or split(item["see"])[0] == "Start"


def split(address: str) -> tuple[str, int, int]:
    """Title, row and column of an address."""
    found = re.fullmatch(r"(\w+)!([A-Z]+)(\d+)", address)
    assert found, address
    return found[1], int(found[3]), column_number(found[2])
