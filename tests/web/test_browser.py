"""Pages in a browser: what is drawn, pressed, pointed at and asked there, beside the engine and the formulas."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conv_sheet import actions, lessons
from conv_sheet.cells.grid import column_number
from conv_sheet.cells.words import in_browser
from conv_sheet.network.graph import INPUT
from conv_sheet.network.layout import COCKPIT_ROWS
from conv_sheet.sheets import registry
from conv_sheet.web import page, site
from tests.lessons import state_of
from tests.oracles import OracleError, browser, run
from tests.web import sweep

PAGES = ["fastai", "kernels", "stride-padding", "backprop", "multi-label", "index"]
BROWSERS = pytest.mark.parametrize("browser_name", ["chrome", "firefox"])
NODE_TESTS = sorted(Path(__file__).parent.glob("*.test.js"))
WIDTHS = [390, 1024, 1500]
STROKE = ["L23", "L28", "L34", "R34"]
"""Down and to the right, through cells of the picture of `fastai`, whose first one is B18."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pages")
    for name in PAGES[:-1]:
        page.write(state_of(name), made / f"{name}.html", name)
    (made / "index.html").write_text(site.index([site.item("fastai", state_of("fastai"))]), encoding="utf-8")
    return made


def test_the_modules_pass_their_own_tests() -> None:
    assert re.search(r"^# fail 0$", browser.node_test(NODE_TESTS), re.MULTILINE)


def test_a_failing_test_of_a_module_is_noticed(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.test.js"
    wrong.write_text('require("node:test")("wrong", () => { throw new Error("no"); });')
    with pytest.raises(OracleError, match="status 1"):
        browser.node_test([wrong])


@pytest.mark.parametrize(("browser_name", "names"), [("chrome", PAGES), ("firefox", ["fastai", "index"])])
def test_pages_open_from_a_file_and_from_a_host_without_complaint_or_second_request(
    folder: Path, browser_name: str, names: list[str]
) -> None:
    files = [str(folder / f"{name}.html") for name in names]
    answer = browser.play("opens", browser=browser_name, files=files, widths=WIDTHS)
    assert [one["file"] for one in answer["seen"]] == [Path(file).name for file in files]
    for one in answer["seen"]:
        assert one["shown"]
        assert one["complaints"] == []
        assert one["overflow"] == [0, 0, 0], one["file"]
        assert one["requests"] == [[], []]
    assert answer["asked"] == [f"/{Path(file).name}" for file in files]


def test_the_picture_is_in_sight_as_a_whole_and_the_answer_once(folder: Path) -> None:
    sizes = [(390, 844), (1024, 768), (1366, 768), (1500, 900)]
    phone, *small, large = browser.play("fits", file=str(folder / "fastai.html"), sizes=sizes)
    assert all(one["whole"] for one in (phone, *small, large))
    assert [one["first"] for one in (phone, *small)] == [COCKPIT_ROWS + 1] * 3  # the page says it beside the sheet
    assert large["first"] == 1


def test_on_a_phone_sentences_can_be_read_and_what_is_asked_for_comes_near(folder: Path) -> None:
    files = [str(folder / f"{name}.html") for name in PAGES[:-1]]
    asked = {"fastai.html": ["conv1_weight_1_1", "fc_bias"]}
    seen = browser.play("reads", files=files, size=(390, 844), asked=asked)
    for one in seen:
        for sheet in one["sheets"]:
            assert sheet["least"] > 7.9 or sheet["title"] == "Network", (one["file"], sheet)
            assert sheet["whole"] is not False, (one["file"], sheet)
    assert [letters >= 7.9 for letters in seen[0]["letters"]] == [True, True]
    about = {sheet["title"]: sheet["about"] for sheet in seen[1]["sheets"]}
    (own,) = (page for page in registry.pages(state_of("kernels")) if page.title == "Kernels")
    lines = [text for row in (1, 2, 3) if isinstance(text := own.singles[row, 2].value, str)]
    assert about["Kernels"] == "\n\n".join(map(in_browser, lines))
    assert len(lines) == 3
    assert about["Network"] == ""


def test_no_text_is_cut_where_the_fonts_fall_back_to_a_wide_one(folder: Path, tmp_path: Path) -> None:
    (found,) = run("fc-match", ["--format", "%{family}|%{file}", "DejaVu Sans"]).out.splitlines()
    family, file = found.split("|")
    assert family == "DejaVu Sans"
    fonts = tmp_path / "fonts.conf"
    fonts.write_text(f"<fontconfig><dir>{Path(file).parent}</dir><cachedir>{tmp_path}</cachedir></fontconfig>")
    seen = browser.play("cuts", files=[str(folder / f"{name}.html") for name in PAGES[:-1]], fonts=str(fonts))
    assert min(one["wide"] for one in seen) > 1_000, "Carlito takes 819 pixels, DejaVu Sans 1,030"
    assert [(one["file"], text) for one in seen for text in one["cut"]] == []


def test_an_old_browser_gets_one_plain_sentence(folder: Path) -> None:
    shown = browser.play("lacks", file=str(folder / "fastai.html"), what="DecompressionStream")
    assert shown == "This lesson needs JavaScript and a browser of the year 2023 or later."


def test_the_picture_is_printed_as_ink_on_paper(folder: Path, tmp_path: Path) -> None:
    printed = browser.play("prints", file=str(folder / "fastai.html"), out=str(tmp_path / "printed.pdf"))
    run("pdftoppm", ["-png", "-r", "60", "-l", "1", "-singlefile", printed, tmp_path / "printed"])
    paper = np.asarray(Image.open(tmp_path / "printed.png").convert("L")) / 255
    assert np.median(paper) == 1
    rows = np.nonzero(paper[:380, :310] < 0.3)[0]  # of the sheet, up to the right of the picture
    assert np.ptp(rows) > 100
    assert len(rows) > 2_000, "the strokes of the digit"


@pytest.mark.parametrize("finger", [False, True])
@BROWSERS
def test_a_stroke_sets_the_pixels_that_are_meant_and_the_engine_agrees(
    folder: Path, browser_name: str, finger: bool
) -> None:
    state = state_of("fastai")
    file, names = str(folder / "fastai.html"), ["input_1", "softmax_out"]
    seen = browser.play("draws", browser=browser_name, file=file, through=STROKE, finger=finger, names=names)
    picture, shares = map(np.array, seen["values"])
    rows, columns = np.mgrid[:28, :28]
    down = np.hypot(np.maximum(0, np.maximum(5 - rows, rows - 16)), columns - 10)
    across = np.hypot(rows - 16, np.maximum(0, np.maximum(10 - columns, columns - 16)))
    far = np.minimum(down, across)
    assert (picture[far == 0] > 0.8).all()
    assert (picture[far > 3] == 0).all()
    engine = state.network.forward(picture[np.newaxis, np.newaxis], state.tensors)
    np.testing.assert_allclose(shares.ravel(), engine[state.network.output.name].ravel(), atol=1e-9)
    assert seen["unlike"] == [0] * len(STROKE)  # what was painted in part, also within the stroke, and a full redraw
    assert seen["steps"] == 2  # Clear, and the stroke as a whole
    assert seen["complaints"] == []


def test_two_fingers_make_the_sheet_larger_under_them_and_draw_nothing(folder: Path) -> None:
    seen = browser.play("pinches", file=str(folder / "fastai.html"))
    before, after = seen["before"], seen["after"]
    assert after["zoom"] == pytest.approx(before["zoom"] * 120 / 58, rel=0.01)
    assert after["cell"] == before["cell"]
    assert after["picture"] == before["picture"]
    assert seen["complaints"] == []


def test_ten_steps_of_training_are_those_of_the_engine(folder: Path) -> None:
    state = state_of("backprop")
    trained = actions.train(state, 10)
    names = {name: block for _, placed in state.layout.parameters() for name, block in placed.names()}
    found = browser.play(
        "presses", file=str(folder / "backprop.html"), sheet="Backprop", button="Train 10 steps", names=["loss", *names]
    )
    loss, *shown = found["values"]
    assert loss == pytest.approx(trained.curve[-1][1], abs=1e-12)
    planes = {
        name: plane
        for full, placed in state.layout.parameters()
        for (name, _), plane in zip(placed.names(), placed.planes(trained.tensors[full]), strict=False)
    }
    for name, values in zip(names, shown, strict=True):
        if name in planes and np.size(values) == planes[name].size:
            np.testing.assert_allclose(np.ravel(values), planes[name].ravel(), atol=1e-12, err_msg=name)
    assert len(planes) > 5
    assert found["complaints"] == []


def test_all_classes_that_are_named_are_said(tmp_path: Path) -> None:
    page.write(state_of("multi-label"), tmp_path / "pets.html", "pets")
    pictures = ["circle+square+triangle", "triangle", "drawing"]
    answer = browser.play("says", file=str(tmp_path / "pets.html"), pictures=pictures)
    assert answer["complaints"] == []
    assert [one["said"].rstrip("0123456789.") for one in answer["said"]] == [
        "circle, square, triangle",
        "triangle",
        "none",
    ]
    assert [one["best"] for one in answer["said"]] == [["circle", "square", "triangle"], ["triangle"], []]
    before = [one["then"] for one in answer["said"]][1:]
    assert before[0] == "before: circle, square, triangle"
    assert re.fullmatch(r"before: triangle, [\d.]+", before[1])


def test_the_pointer_frames_what_the_formula_reads(folder: Path) -> None:
    over = ["AK18", "AT27", "AM48", "BR27", "CR20"]  # of the first maps, the second ones, and the pool
    answer = browser.play("hovers", file=str(folder / "fastai.html"), over=over)
    for one in answer["seen"]:
        assert one["boxes"]
        frames = sorted(box for box in one["strokes"] if box not in one["own"])
        assert frames == sorted(one["boxes"]), one["text"]


@BROWSERS
def test_keyboard_refusals_links_and_a_page_that_embeds_the_lesson(folder: Path, browser_name: str) -> None:
    seen = browser.play("talks", browser=browser_name, file=str(folder / "fastai.html"))
    assert seen["cell"] == "conv1_out_1 · row 1, column 1 · AK18, 0, calculated"
    assert re.match(r"2 cells changed[.] The network says \d, .*%; before: \d, .*%[.]$", seen["change"])
    assert seen["typed"] == [4, pytest.approx(1 / 9), -1]
    assert seen["says"] == "conv1.weight takes a number from -1,000,000 to 1,000,000."
    assert [bool(why) for why in seen["refused"]] == [True, True, True]
    assert seen["bias"] == seen["shared"][0] == [[0.5, -1]]
    assert [row[0] for row in seen["shared"][1]] == seen["typed"]
    assert seen["undone"] == [[0, 0]]
    assert seen["scrolled"] == 0  # a lesson in a page does not move it
    assert seen["counted"] == [10, 11, 10, 2, 2, 2]
    assert seen["counts"] is False
    answers = {data["id"]: data for data in seen["heard"] if data["convSheet"] == "answer"}
    assert answers[1]["value"] is True
    assert answers[3]["value"] == [[0.25, 0]]
    assert "takes a number from 0 to 1" in answers[4]["error"]
    changed = [data["cells"] for data in seen["heard"] if data["convSheet"] == "change"]
    assert changed[0] == ["Network!AF15", "Network!AG15"]
    assert seen["complaints"] == []


@BROWSERS
def test_keys_and_clipboard_are_those_of_spreadsheet_programs(folder: Path, browser_name: str) -> None:
    seen = browser.play("keys", browser=browser_name, file=str(folder / "fastai.html"))
    own = state_of("fastai").tensors["conv1.weight"][0, 0, 0, 0]
    assert seen["values"] == [5, own, 5]
    assert seen["places"] == ["AF19", "AC30", f"A{COCKPIT_ROWS + 1}"]
    assert seen["refused"].startswith("This cell is calculated")
    assert seen["pasted"] == [[0.25, 0.5], [1, 0]]
    assert seen["sums"] == "sum 1.75 · mean 0.438 · 4 numbers"
    assert seen["copied"] == "0.25\t0.5\n1\t0"
    assert seen["free"] == pytest.approx(1 / 9)
    assert seen["complaints"] == []


def test_tools_buttons_and_a_file_of_changes(folder: Path, tmp_path: Path) -> None:
    state, file = state_of("fastai"), tmp_path / "lesson.html"
    page.write(state, file, "fastai", "fastai.xlsx")
    seen = browser.play("works", file=str(file), changes=str(tmp_path / "changes.json"))
    own, rubbed, drawn = seen["ink"]
    assert own == pytest.approx(state.image.sum())
    assert own - rubbed > 5
    assert drawn - rubbed > 5
    assert seen["walked"][0] == 18
    assert seen["walked"][1] >= column_number("AK") + 2  # the map begins at AK18
    assert re.search(r"conv1_out_1 · row 1, column \d+", seen["explained"])
    assert seen["random"][0]
    assert "every time others" in seen["random"][1]
    assert seen["reset"]
    assert seen["checks"] == ["Not done yet.", "✓ Done."]
    assert seen["loaded"] == [state.tensors["conv1.weight"][0, 0, 1, 1], 4]
    assert seen["link"] == [False, "fastai.xlsx"]
    assert seen["complaints"] == []


def test_the_keyboard_alone_reaches_and_edits_every_input(folder: Path) -> None:
    name = "stride-padding"
    state, chance = state_of(name), random.Random(name)
    edits = {
        (title, rule["title"]): sweep.drawn_edit(title, rule, state, chance) for title, rule in sweep.rules(state, name)
    }
    assert len(edits) >= 15
    answer = browser.play("types", file=str(folder / f"{name}.html"), edits=list(edits.values()))
    for (address, typed), value in zip(edits.values(), answer["seen"], strict=True):
        assert value == (pytest.approx(1 / 9) if typed == sweep.NINTH else typed), address
    assert answer["complaints"] == []


def test_formulas_equal_those_of_libreoffice_after_edits(tmp_path: Path) -> None:
    outcomes = sweep.sweep(lessons.names(), 1, tmp_path)
    for outcome in outcomes:
        assert outcome.cells >= 20
        assert outcome.formulas > 1_000
        assert outcome.differences == []


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The function INT rounds up."""
    script = page.script()
    wrong = script.replace("INT: ofNumber(Math.floor)", "INT: ofNumber(Math.ceil)")
    assert wrong != script
    monkeypatch.setattr(page, "script", lambda: wrong)
    yield


@pytest.mark.usefixtures("broken")
def test_a_broken_function_is_noticed(tmp_path: Path) -> None:
    (outcome,) = sweep.sweep(["stride-padding"], 1, tmp_path, edits=6)
    assert outcome.differences


def test_a_difference_is_one() -> None:
    pairs: list[tuple[Any, Any]] = [(1.0, 1.0 + 1e-6), (1.0, "1"), (True, 1), ("", "a"), ("#N/A", None), (0, None)]
    assert all(sweep.distance(*pair) > sweep.TOLERANCE for pair in pairs)
    assert [sweep.distance(*pair) for pair in ((1.0, 1), ("", None), (True, True), ("#N/A", "#N/A"))] == [0, 0, 0, 0]
    assert INPUT == "input"
