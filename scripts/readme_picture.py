"""Draws docs/network.png, the sheet `Network` of the first lesson as LibreOffice prints it: readme_picture.py."""

import tempfile
from pathlib import Path

from PIL import Image, ImageChops

from conv_sheet import lessons
from conv_sheet.builder import build
from tests.oracles import libreoffice

TARGET = Path(__file__).resolve().parents[1] / "docs" / "network.png"
PAGE = 1
"""Of the printed book, counted from 0: the second sheet."""


def main() -> None:
    lesson = lessons.load(lessons.DEFAULT)
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder, "fastai.xlsx")
        build(lessons.first_contents(lesson.network, lesson.tensors()), book)
        page = Image.open(libreoffice.to_png(book, Path(folder), dpi=170)[PAGE]).convert("RGB")
    ink = ImageChops.difference(page, Image.new("RGB", page.size, "white")).getbbox()
    picture = page.crop(ink).quantize(128)
    picture.save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
