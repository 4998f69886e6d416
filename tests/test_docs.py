"""What the documentation says of lessons and layers is what there is."""

import re

import pytest
from PIL import Image

from conv_sheet import lessons
from scripts import course, pictures, tables

LARGEST_BYTES = 300_000


def test_the_page_of_lessons_is_current() -> None:
    assert course.PAGE.read_text(encoding="utf-8") == course.text(), "make it again: make tables"


def test_the_tables_are_current() -> None:
    readme = tables.README.read_text(encoding="utf-8")
    assert tables.with_table(readme) == readme, "make it again: make generated"
    assert tables.LAYERS.read_text(encoding="utf-8") == tables.kinds(), "make it again: make generated"


def test_it_has_every_lesson_with_what_to_try() -> None:
    page = course.PAGE.read_text(encoding="utf-8")
    assert sorted(re.findall(r"^conv-sheet build (.+)$", page, flags=re.MULTILINE)) == lessons.names()
    for name in lessons.names():
        lesson = lessons.load(name).lesson
        assert lesson.tries, name
        for item in lesson.tries:
            assert item.text in page, f"{name}: {item.at}"


@pytest.mark.parametrize("name", ["network", *(f"pictures/{lesson}" for lesson in lessons.names())])
def test_every_picture_is_there_and_small(name: str) -> None:
    path = pictures.DOCS / f"{name}.png"
    assert path.stat().st_size < LARGEST_BYTES
    with Image.open(path) as picture:
        width, height = picture.size
        assert width >= 600
        assert height >= 100
        assert len(picture.convert("RGB").getcolors(maxcolors=256) or []) > 8


def test_there_is_no_picture_of_anything_else() -> None:
    assert {path.stem for path in (pictures.DOCS / "pictures").iterdir()} == set(lessons.names())
