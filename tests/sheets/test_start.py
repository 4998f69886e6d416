"""The sheet `Start` speaks of what its network has, and of nothing else."""

import re
import zipfile
from pathlib import Path

import openpyxl
import pytest

from conv_sheet import lessons
from conv_sheet.network.graph import Network
from conv_sheet.sheets import registry
from conv_sheet.sheets.addresses import PYTHON, START
from tests.conftest import Once
from tests.lessons import built
from tests.lessons import state_of as lesson_state
from tests.networks import SMALL, state_of, written


def words(path: Path, title: str = START) -> str:
    rows = openpyxl.load_workbook(path)[title].iter_rows(values_only=True)
    return "\n".join(value for row in rows for value in row if isinstance(value, str))


@pytest.mark.parametrize("name", lessons.names())
def test_names_to_type_are_there(name: str) -> None:
    pages = registry.pages(lesson_state(name))
    said = "\n".join(text for page in pages if page.title == START for _, text in page.texts())
    (named,) = re.findall(r"names: type (\w+) \(or any other\)", said)
    assert any(named in page.names for page in pages)


@pytest.mark.parametrize(
    ("name", "there", "missing"),
    [
        ("pooling", ["1 is ink"], ["a weight above zero", "how sure"]),
        ("channels", ["a weight above zero", "1 (all: dark)", "a border that only"], ["1 is ink", "how sure"]),
        (
            "fastai",
            ["a weight above zero", "how sure", "draw there"],
            ["a border", "1 (b"],
        ),
    ],
)
def test_colours_and_hints_are_those_of_the_network(
    name: str, there: list[str], missing: list[str], once: Once
) -> None:
    said = words(built(once, name)).replace("1 (ink)", "1 is ink")
    assert [text for text in there if text not in said] == []
    assert [text for text in missing if text in said] == []


@pytest.mark.parametrize(
    ("name", "said"), [("pooling", "has no weights that could be drawn"), ("fastai", "draws with")]
)
def test_the_seed_is_of_use_where_there_are_weights(name: str, said: str, once: Once) -> None:
    assert said in words(built(once, name), PYTHON)


def test_scores_may_go_beyond_one(tmp_path: Path) -> None:
    """The bars end at 100 % where they are probabilities, and only there."""
    layers = [layer for layer in SMALL["layers"] if layer["kind"] != "Softmax"]
    for spec, ends in ((SMALL, True), (SMALL | {"layers": layers}, False)):
        with zipfile.ZipFile(written(tmp_path, state_of(Network.from_spec(spec)))) as archive:
            assert bool(re.search(rb"<(c:)?max ", archive.read("xl/charts/chart1.xml"))) is ends
