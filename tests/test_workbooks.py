"""The built lessons in `workbooks/` are what `conv-sheet build` makes today."""

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from conv_sheet import lessons
from conv_sheet.builder import build

FOLDER = Path(__file__).resolve().parents[1] / "workbooks"
KINDS = (".xlsx", ".xlsm")
"""Of each lesson: without macros, and with buttons."""
VALUE = re.compile(rb"<v>(-?[0-9.][0-9.eE+-]*)</v>")
OTHERS = "xl/vbaProject.bin"
"""What comes from another package, and changes with its version."""


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != OTHERS}


def assert_same(built: Path, kept: Path) -> None:
    """Equal but for the last digits of numbers, which differ between processors."""
    fresh, old = parts(built), parts(kept)
    assert fresh.keys() == old.keys()
    for name, content in fresh.items():
        assert VALUE.sub(b"<v/>", content) == VALUE.sub(b"<v/>", old[name]), (
            f"{kept.name}: {name} is stale: make generated"
        )
        now, then = (np.array(VALUE.findall(part)).astype(float) for part in (content, old[name]))
        np.testing.assert_allclose(then, now, rtol=1e-9, atol=1e-9, err_msg=f"{kept.name} is stale: make generated")


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("name", lessons.names())
def test_a_built_lesson_is_current(name: str, suffix: str, tmp_path: Path) -> None:
    lesson = lessons.load(name)
    built = tmp_path / f"{name}{suffix}"
    build(lessons.first_state(lesson.network, lesson.lesson, lesson.tensors()), built)
    assert_same(built, FOLDER / built.name)


def test_a_changed_weight_is_seen(tmp_path: Path) -> None:
    lesson = lessons.load(lessons.DEFAULT)
    tensors = lesson.tensors()
    tensors["fc.bias"] = tensors["fc.bias"] + 1e-6
    built = tmp_path / "fastai.xlsm"
    build(lessons.first_state(lesson.network, lesson.lesson, tensors), built)
    with pytest.raises(AssertionError, match="stale"):
        assert_same(built, FOLDER / built.name)


def test_nothing_else_lies_there() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {name + suffix for name in lessons.names() for suffix in KINDS}
