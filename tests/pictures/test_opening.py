"""Pictures of strangers: no other program runs, and no more memory is taken than a limit says."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageFile

from conv_sheet.cli import main
from conv_sheet.errors import DataError
from conv_sheet.learning.data import load_data
from conv_sheet.pictures import opening
from conv_sheet.pictures.reading import load_image

POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(written) (w) file closefile\nshowpage\n"
)


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_image(path, (1, 28, 28))
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


# Formats


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    """A Ghostscript that does nothing but leave a trace, the only program on the path."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "gs"
    program.write_text(f"#!/bin/sh\necho started >> {tmp_path}/trace\n")
    program.chmod(0o755)
    return tmp_path / "bin"


def alone(code: str, path: Path, programs: Path) -> str:
    """What a program says on standard error whose only other program is the interpreter."""
    command = [
        sys.executable,
        "-c",
        f"import sys; from pathlib import Path; path = Path(sys.argv[1])\n{code}",
        str(path),
    ]
    environment = os.environ | {"PATH": str(programs)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stderr


READ = "from conv_sheet.pictures.reading import load_image; load_image(path, (1, 28, 28))"
LEARN = "from conv_sheet.learning.data import load_data; load_data(path.parent.parent)"


@pytest.mark.skipif(sys.platform == "win32", reason="the interpreter is a shell script")
@pytest.mark.parametrize("name", ["digit.png", "digit.eps"])
@pytest.mark.parametrize("start", [b"", b"\xc5\xd0\xd3\xc6" + (30).to_bytes(4, "little") + bytes(22)])
def test_a_picture_in_postscript_starts_nothing(tmp_path: Path, interpreter: Path, name: str, start: bytes) -> None:
    path = tmp_path / "data" / "0" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(start + POSTSCRIPT)
    for code in (READ, LEARN):
        said = alone(code, path, interpreter)
        refused = f"{path}: not a picture in PNG, JPEG, GIF, BMP, TIFF or WebP, or damaged"
        skipped = f"{path.parent} holds no pictures"  # what is not even called like one
        assert said.splitlines()[-1].endswith(skipped if (code, name) == (LEARN, "digit.eps") else refused)
    assert not (tmp_path / "trace").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the interpreter is a shell script")
def test_pillow_would_have_started_it(tmp_path: Path, interpreter: Path) -> None:
    path = tmp_path / "digit.png"
    path.write_bytes(POSTSCRIPT)
    alone("import PIL.Image; PIL.Image.open(path).load()", path, interpreter)
    assert set((tmp_path / "trace").read_text().split()) == {"started"}


@pytest.mark.parametrize("form", ["ppm", "ico", "pcx", "tga", "sgi", "jpeg2000", "dds"])
def test_other_formats_are_refused(tmp_path: Path, form: str) -> None:
    path = tmp_path / "picture.png"
    Image.linear_gradient("L").save(path, form)
    assert refusal(path) == "not a picture in PNG, JPEG, GIF, BMP, TIFF or WebP, or damaged"


@pytest.mark.parametrize("form", opening.FORMATS)
def test_a_format_is_known_by_its_content(tmp_path: Path, form: str) -> None:
    path = tmp_path / "picture.eps"
    Image.linear_gradient("L").save(path, form)
    assert load_image(path, (1, 256, 256))[0].std() > 0.2


def test_a_damaged_picture_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "many.tiff"
    Image.new("RGB", (30, 40)).save(path)
    samples = bytes.fromhex("1501030001000000")  # the tag of samples for each pixel, a short number
    before = path.read_bytes()
    assert before.count(samples) == 1
    at = before.index(samples) + len(samples)
    path.write_bytes(before[:at] + b"\x03\xf3" + before[at + 2 :])
    command = [sys.executable, "-m", "conv_sheet", "build", "--image", str(path), "-o", str(tmp_path / "out.xlsx")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith(f"Error: {path}: not a picture")


@pytest.mark.parametrize("command", ["build", "train", "evaluate"])
def test_the_help_names_the_formats(command: str) -> None:
    said = CliRunner().invoke(main, [command, "--help"]).output
    assert all(form in said.upper() for form in opening.FORMATS)


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_without_its_reader_heic_says_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(HEIC)
    remedy = "save it as JPEG or PNG, or install its reader: pip install 'conv-sheet[heic]'"
    assert refusal(path) == f"a picture in HEIC: {remedy}"


def test_with_its_reader_heic_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader registers itself with Pillow under the name HEIF; one stands in for it here."""

    class Heif(ImageFile.ImageFile):
        def _open(self) -> None:
            self._size, self._mode = (8, 8), "L"

        def load(self) -> None:
            self._im = Image.new("L", (8, 8), 51).im

    reader = ModuleType("pillow_heif")
    reader.register_heif_opener = lambda: Image.register_open("HEIF", Heif)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", reader)
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(HEIC)
    assert np.all(load_image(path, (1, 8, 8))[0] == 0.2)
    (tmp_path / "other").write_bytes(b"\0\0\0\x18ftypavif\0\0\0\0mif1avif")
    assert refusal(tmp_path / "other") == "not a picture in PNG, JPEG, GIF, BMP, TIFF or WebP, or damaged"


# Limits


@pytest.mark.parametrize("side", [12, 20])
def test_too_many_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int) -> None:
    path = tmp_path / "picture.png"
    Image.new("L", (side, side)).save(path)
    monkeypatch.setattr(opening, "MOST_PIXELS", side * side - 1)
    assert refusal(path) == f"{side}×{side} pixels, too large, the limit is {side * side - 1} pixels"
    monkeypatch.setattr(opening, "MOST_PIXELS", side * side)
    load_image(path, (1, 28, 28))


@pytest.mark.parametrize("limit", [100, 40])
def test_the_limit_that_pillow_has_itself_is_none_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    path = tmp_path / "picture.png"
    Image.new("L", (12, 12)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert refusal(path) == "too large, the limit is 50,000,000 pixels"


def test_too_large_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "picture.png"
    Image.new("L", (12, 12)).save(path)
    monkeypatch.setattr(opening, "MOST_BYTES", 10)
    assert refusal(path) == f"a file of {path.stat().st_size} bytes, the limit is 10"


@pytest.mark.skipif(sys.platform != "linux", reason="reads the largest size of a process from Linux")
@pytest.mark.parametrize(
    ("side", "mode", "least", "most"), [(9_400, "RGBA", 0, 150), (7_000, "RGBA", 200, 700), (7_000, "I;16", 100, 500)]
)
def test_memory_for_the_largest_pictures(tmp_path: Path, side: int, mode: str, least: int, most: int) -> None:
    """In MB. The last two are nearly as large as the limit allows, and are decoded; the first is not."""
    path = tmp_path / "picture.png"
    draw = f"from PIL import Image; Image.new('{mode}', ({side}, {side})).save(path, compress_level=1)"
    measure = "sys.exit(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"  # its own, since exec
    assert alone(draw, path, tmp_path) == ""
    assert least < int(alone(f"try: {READ}\nfinally: {measure}", path, tmp_path)) // 1000 < most


def test_a_training_picture_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "0").mkdir()
    Image.new("L", (12, 12)).save(tmp_path / "0" / "a.png")
    monkeypatch.setattr(opening, "MOST_PIXELS", 100)
    with pytest.raises(DataError, match=r"a\.png: 12×12 pixels, too large, the limit is 100 pixels$"):
        load_data(tmp_path)
