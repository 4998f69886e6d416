"""What the documentation shows is run: Python, specs, commands; and its reference has everything there is."""

import doctest
import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from torch import nn

import conv_sheet
from conv_sheet.cli import main
from conv_sheet.network import graph, lesson, node
from conv_sheet.network.spec import from_tables
from conv_sheet.pictures.drawings import PICTURES
from conv_sheet.sheets import registry
from scripts import docs
from tests.learning.test_data import idx, write_pair

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SPEC = (ROOT / "docs/spec.md").read_text(encoding="utf-8")


def blocks(page: Path, *kinds: str) -> list[str]:
    """The examples of some kinds on a page, in order."""
    found = re.findall(rf"^```(?:{'|'.join(kinds)})\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    return [str(text) for text in found]


def having(*kinds: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, *kinds)]


def test_there_are_examples() -> None:
    assert {page.name for page in having("pycon", "python")} >= {"README.md", "library.md"}
    assert {page.name for page in having("toml")} >= {"README.md", "spec.md"}


@pytest.mark.parametrize("page", having("pycon", "python"), ids=lambda page: page.name)
def test_python_does_what_it_shows(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
    write_pair(tmp_path / "digits", images=idx(pixels), labels=idx(np.arange(40, dtype=np.uint8) % 10))
    known = {"np": np, "model": nn.Linear(2, 2).requires_grad_(requires_grad=False)}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for number, text in enumerate(blocks(page, "pycon", "python")):
        if text.startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(text, known, f"{page.name} {number}", str(page), 0)
            runner.run(test, clear_globs=False)
            known |= test.globs
        else:
            exec(compile(text, f"{page.name} {number}", "exec"), known)
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.parametrize("page", having("toml"), ids=lambda page: page.name)
def test_specs_are_read(page: Path) -> None:
    whole = [tables for text in blocks(page, "toml") if "input" in (tables := tomllib.loads(text))]
    parts = [tables for text in blocks(page, "toml") if "input" not in (tables := tomllib.loads(text))]
    for tables in whole:
        made = from_tables(tables)
        registry.pages(conv_sheet.workbook(made.network))
    conv: list[Any] = [{"kind": "Conv2d", "name": "conv2", "out_channels": 1, "kernel_size": 1}]
    for tables in parts:  # what a page shows of a spec alone, put into one
        from_tables({"input": [1, 8, 8]} | tables | {"layers": conv + tables.get("layers", [])})


def commands(page: Path) -> list[list[str]]:
    """The words of every conv-sheet command that a page shows."""
    lines = [line for text in blocks(page, "sh") for line in text.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("conv-sheet ")]


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_commands_have_the_options_that_they_are_given(page: Path) -> None:
    for name, *words in commands(page):
        main.commands[name].make_context(name, list(words))


def test_a_command_that_is_wrong_would_be_noticed() -> None:
    with pytest.raises(click.UsageError):
        main.commands["build"].make_context("build", ["fastai", "--digits", "3"])


# -- reference ---------------------------------------------------------------------------------------------------------


def keys(heading: str) -> set[str]:
    """The keys that a section of the page about specs explains."""
    section = SPEC.split(f"## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([a-z_]+)` \|", section, re.M))


def test_every_key_of_a_spec_is_explained_and_no_other() -> None:
    assert keys("The network") == graph._KEYS
    assert keys("A layer") == node._OWN
    assert keys("The lesson") == set(lesson.KEYS)
    assert keys("A try") == {one.name for one in fields(lesson.Try)}


def test_so_are_the_pictures_and_sheets_that_a_spec_can_name() -> None:
    (row,) = re.findall(r"^\| `picture` \|(.*)$", SPEC, re.M)
    assert set(re.findall(r'"([a-z +]+)"', row)) == set(PICTURES)
    (row,) = re.findall(r"^\| `sheets` \|(.*)$", SPEC, re.M)
    assert set(re.findall(r'`"([a-z0-9]+)"`', row)) == {*registry._LESSONS, *registry._GENERAL}


def test_the_page_of_the_api_has_every_public_name() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    offered = set(re.findall(r"^::: conv_sheet\.(\w+)$", page, re.M))
    assert offered == set(conv_sheet.__all__) - {"__version__"}


def test_the_site_links_to_lessons_where_the_pages_link_to_workbooks(tmp_path: Path) -> None:
    docs.gather(tmp_path)
    assert "../workbooks" not in (tmp_path / "lessons.md").read_text(encoding="utf-8")
    assert (tmp_path / "pictures/fastai.png").exists()
