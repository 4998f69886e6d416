import os
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from conv_sheet.errors import DataError
from conv_sheet.pictures.digits import digit
from conv_sheet.pictures.reading import load_image

Pixels = NDArray[np.uint8]

INVERTED = "inverted: dark ink on a light background"
STRETCHED = "contrast stretched: the paper is 0, the darkest ink 1"
MIDDLE = "centre of mass moved to the middle of 28×28, as in MNIST"


def cropped(size: str) -> str:
    return f"cropped to the ink of a drawing on a plain background, {size}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "picture.png"


def square(path: Path, box: tuple[int, int, int, int], ink: str = "black", paper: str = "white") -> Path:
    """A page of 100×80 with a rectangle of ink; the box is left, top, width, height."""
    left, top, width, height = box
    page = Image.new("L", (100, 80), paper)
    ImageDraw.Draw(page).rectangle((left, top, left + width - 1, top + height - 1), fill=ink)
    page.save(path)
    return path


def placed(shape: tuple[int, int], top: int, left: int, height: int, width: int) -> NDArray[np.float64]:
    expected = np.zeros((1, *shape))
    expected[0, top : top + height, left : left + width] = 1
    return expected


# Drawings


@pytest.mark.parametrize(("ink", "paper", "notes"), [("black", "white", [INVERTED]), ("white", "black", [])])
def test_square_stands_where_mnist_would_have_it(path: Path, ink: str, paper: str, notes: list[str]) -> None:
    values, told = load_image(square(path, (70, 5, 20, 20), ink, paper), (1, 28, 28))
    assert np.array_equal(values, placed((28, 28), 4, 4, 20, 20))
    assert told == [*notes, cropped("20×20"), MIDDLE]


def test_drawing_keeps_its_aspect_when_it_is_fitted(path: Path) -> None:
    values, told = load_image(square(path, (10, 10, 15, 60)), (1, 28, 28))
    assert np.array_equal(values, placed((28, 28), 4, 12, 20, 5))
    assert told == [INVERTED, cropped("15×60"), "resized 15×60 → 5×20", MIDDLE]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ((32, 32), placed((32, 32), 6, 6, 20, 20)),
        ((14, 14), placed((14, 14), 2, 2, 10, 10)),
        ((56, 56), placed((56, 56), 8, 8, 40, 40)),
        ((28, 14), placed((28, 14), 9, 2, 10, 10)),
    ],
)
def test_box_of_other_frames(path: Path, frame: tuple[int, int], expected: NDArray[np.float64]) -> None:
    values, _ = load_image(square(path, (10, 10, 40, 40)), (1, *frame))
    assert np.array_equal(values, expected)


@pytest.mark.parametrize("n", range(10))
@pytest.mark.parametrize("dark", [True, False])
def test_enlarged_digit_comes_back(path: Path, n: int, dark: bool) -> None:
    page = Image.new("L", (500, 400))
    ink = Image.fromarray(np.rint(digit(n) * 255).astype(np.uint8)).resize((280, 280), Image.Resampling.BICUBIC)
    page.paste(ink, (170, 60))
    Image.fromarray(255 - np.asarray(page) if dark else np.asarray(page)).save(path)
    values, _ = load_image(path, (1, 28, 28))
    likeness = np.corrcoef([values.ravel(), *(digit(other).ravel() for other in range(10))])[0, 1:]
    assert likeness.argmax() == n
    assert likeness[n] > 0.85
    mass = (np.indices((28, 28)) * values[0]).sum(axis=(1, 2)) / values.sum()
    assert mass == pytest.approx([14, 14], abs=0.51)


def test_uneven_paper_and_pale_ink_are_stretched(path: Path) -> None:
    rng = np.random.default_rng(0)
    page = rng.uniform(190, 210, (80, 100)) - np.linspace(0, 20, 100)
    hole = page[30:50, 40:60].copy()
    page[20:60, 30:70] = 60
    page[30:50, 40:60] = hole
    Image.fromarray(page.astype(np.uint8)).save(path)
    values, told = load_image(path, (1, 28, 28))
    certain = np.ones((28, 28), bool)
    certain[8:20, 8:20] = False
    certain[10:18, 10:18] = True
    expected = placed((28, 28), 4, 4, 20, 20) - placed((28, 28), 9, 9, 10, 10)
    assert np.array_equal(values[0, certain], expected[0, certain])
    assert STRETCHED in told


def test_shaded_picture_is_no_drawing(path: Path) -> None:
    Image.linear_gradient("L").save(path)
    values, told = load_image(path, (1, 28, 28))
    assert told == ["resized 256×256 → 28×28"]
    assert np.all(np.diff(values[0], axis=0) > 0)


def test_thin_pen_is_not_lost(path: Path) -> None:
    page = Image.new("L", (600, 600), "white")
    ImageDraw.Draw(page).line((100, 100, 500, 500), fill="black", width=2)
    page.save(path)
    values, told = load_image(path, (1, 28, 28))
    assert STRETCHED in told
    assert values.max() == 1
    assert values[0, 4:24, 4:24].diagonal().min() > 0.5


def test_ink_may_run_off_the_page(path: Path) -> None:
    values, told = load_image(square(path, (0, 20, 40, 40)), (1, 28, 28))
    assert np.array_equal(values, placed((28, 28), 4, 4, 20, 20))
    assert cropped("40×40") in told


def test_lopsided_ink_stays_in_the_frame(path: Path) -> None:
    page = Image.new("L", (200, 200), "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((20, 20, 179, 39), fill="black")
    draw.rectangle((20, 40, 21, 179), fill="black")
    page.save(path)
    values, _ = load_image(path, (1, 28, 28))
    assert np.flatnonzero(values[0].any(axis=1)).tolist() == list(range(8, 28))


def test_drawing_of_the_right_size_keeps_its_pixels(path: Path) -> None:
    pixels = np.rint(digit(7) * 255).astype(np.uint8)
    Image.fromarray(255 - pixels).save(path)
    values, told = load_image(path, (1, 28, 28))
    assert np.array_equal(values[0], pixels / 255)
    assert told == [INVERTED]


BLANK = "blank: all its pixels are alike"


@pytest.mark.parametrize("level", [0, 100, 255])
def test_blank_page_has_no_ink(path: Path, level: int) -> None:
    Image.new("L", (50, 70), level).save(path)
    values, told = load_image(path, (1, 28, 28))
    assert np.all(values == (100 / 255 if level == 100 else 0))
    assert told[-2:] == ["resized 50×70 → 20×28", "padded with its background to 28×28"]
    assert BLANK in told


def test_blank_is_only_what_has_one_colour_in_every_channel(path: Path) -> None:
    picture = Image.new("RGB", (8, 8), (200, 30, 30))
    picture.save(path)
    assert load_image(path, (3, 8, 8))[1] == [BLANK]
    picture.putpixel((7, 7), (200, 30, 31))
    picture.save(path)
    assert load_image(path, (3, 8, 8))[1] == []


def test_half_of_the_border_is_no_background(path: Path) -> None:
    pixels = np.zeros((40, 40), np.uint8)
    pixels[:, 20:] = 255
    Image.fromarray(pixels).save(path)
    values, told = load_image(path, (1, 28, 28))
    assert not values[..., :13].any()
    assert np.all(values[..., 15:] == 1)
    assert told == ["resized 40×40 → 28×28"]


# Pictures


def test_colour_of_the_right_size_is_taken_as_it_is(path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    values, told = load_image(path, (3, 6, 5))
    assert np.array_equal(values, pixels.transpose(2, 0, 1) / 255)
    assert told == []


def test_grey_is_the_luma_of_colour(path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 128, (6, 5, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    values, told = load_image(path, (1, 6, 5))
    assert values[0] == pytest.approx(pixels @ (0.299, 0.587, 0.114) / 255, abs=0.6 / 255)
    assert told == ["converted to greyscale"]


def test_grey_becomes_three_equal_channels(path: Path) -> None:
    pixels = np.arange(30, dtype=np.uint8).reshape(6, 5)
    Image.fromarray(pixels).save(path)
    values, told = load_image(path, (3, 6, 5))
    assert all(np.array_equal(channel, pixels / 255) for channel in values)
    assert told == ["converted to RGB"]


def test_picture_keeps_its_aspect_on_its_background(path: Path) -> None:
    page = Image.new("RGB", (120, 60), (255, 0, 51))
    ImageDraw.Draw(page).rectangle((40, 20, 79, 39), fill=(0, 102, 0))
    page.save(path)
    values, told = load_image(path, (3, 30, 30))
    expected = np.broadcast_to(np.array([1, 0, 0.2])[:, None, None], (3, 30, 30)).copy()
    inside = np.zeros((30, 30), bool)
    inside[13:16, 11:19] = True
    expected[:, inside] = np.array([[0], [0.4], [0]])
    certain = np.ones((30, 30), bool)
    certain[11:19, 9:21] = False
    certain |= inside
    assert values[:, certain] == pytest.approx(expected[:, certain], abs=1e-12)
    assert told == ["resized 120×60 → 30×15", "padded with its background to 30×30"]


def test_shrinking_averages(path: Path) -> None:
    board = np.kron(np.indices((30, 30)).sum(axis=0) % 2, np.full((2, 2), 255)).astype(np.uint8)
    Image.fromarray(np.stack([board] * 3, axis=-1)).save(path)
    values, _ = load_image(path, (3, 4, 4))
    assert values == pytest.approx(np.full((3, 4, 4), 0.5), abs=0.03)


def test_long_strip_keeps_a_pixel(path: Path) -> None:
    Image.new("RGB", (900, 1), "red").save(path)
    values, told = load_image(path, (3, 8, 8))
    assert np.array_equal(values[:, 4, 4], [1, 0, 0])
    assert told[:2] == [BLANK, "resized 900×1 → 8×1"]


def test_transparent_is_laid_on_white(path: Path) -> None:
    layer = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    layer.putpixel((2, 3), (255, 0, 0, 255))
    layer.putpixel((4, 3), (0, 0, 0, 51))
    layer.save(path)
    values, told = load_image(path, (3, 8, 8))
    assert values[:, 0, 0].tolist() == [1, 1, 1]
    assert values[:, 3, 2].tolist() == [1, 0, 0]
    assert values[:, 3, 4] == pytest.approx([0.8, 0.8, 0.8])
    assert told == ["laid on white where it is transparent"]


UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).T,
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_camera_orientation_is_followed(path: Path, orientation: int) -> None:
    stored = np.arange(48, dtype=np.uint8).reshape(6, 8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(path, exif=exif)
    expected = UPRIGHT[orientation](stored)
    values, told = load_image(path, (1, *expected.shape))
    assert np.array_equal(values[0], expected / 255)
    assert told == (["turned upright, by its EXIF orientation"] if orientation > 1 else [])


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    path = tmp_path / "animation.gif"
    red, blue = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))
    red.save(path, save_all=True, append_images=[blue])
    values, told = load_image(path, (3, 4, 4))
    assert np.all(values[0] == 1)
    assert not values[1:].any()
    assert told == ["first of 2 frames", BLANK]


def test_sixteen_bits_are_not_clipped(path: Path) -> None:
    stored = np.array([[0, 257 * 10], [257 * 200, 65535]], np.uint16)
    Image.fromarray(stored).save(path)
    values, told = load_image(path, (3, 2, 2))
    assert all(np.array_equal(channel, stored / 65535) for channel in values)
    assert told == ["converted to RGB", "rounded from 16 bits to 8"]


def test_a_large_picture_is_read_through_its_means(path: Path) -> None:
    page = Image.new("RGBA", (3000, 2100), (0, 0, 0, 0))
    ImageDraw.Draw(page).rectangle((600, 400, 1199, 1599), fill=(0, 0, 0, 255))
    page.save(path, compress_level=1)
    values, told = load_image(path, (1, 28, 28))
    assert np.array_equal(values, placed((28, 28), 4, 9, 20, 10))
    assert told == [
        "resized 3000×2100 → 1500×1050",
        "converted to greyscale",
        "laid on white where it is transparent",
        INVERTED,
        cropped("300×600"),
        "resized 300×600 → 10×20",
        MIDDLE,
    ]


def test_a_large_picture_of_a_camera_is_turned_and_keeps_its_depth(tmp_path: Path) -> None:
    stored = np.zeros((2100, 2100), np.uint16)
    stored[:1050] = 65535
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(tmp_path / "deep.png", exif=exif, compress_level=1)
    values, told = load_image(tmp_path / "deep.png", (1, 2, 2))
    assert values[0] == pytest.approx(np.array([[0, 1], [0, 1]]), abs=0.1)  # the filter reaches over the edge
    notes = ["resized 2100×2100 → 1050×1050", "rounded from 16 bits to 8", "turned upright, by its EXIF orientation"]
    assert told == [*notes, "resized 1050×1050 → 2×2"]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_is_read(tmp_path: Path, mode: str, channels: int) -> None:
    path = tmp_path / "picture.tif"
    grey = Image.linear_gradient("L")
    stored = grey.convert("RGB").convert(mode) if mode == "LAB" else grey.convert(mode)
    stored.save(path)
    values, _ = load_image(path, (channels, 256, 256))
    assert values.shape == (channels, 256, 256)
    assert 0 <= values.min() < values.max() <= 1


@settings(max_examples=60)
@given(
    st.sampled_from([(), (2,), (3,), (4,)]).flatmap(
        lambda bands: arrays(
            np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)).map(lambda size: (*size, *bands))
        )
    ),
    st.tuples(st.sampled_from([1, 3]), st.integers(1, 32), st.integers(1, 32)),
)
def test_any_picture_becomes_the_input(pixels: Pixels, shape: tuple[int, int, int]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "picture.png")
        Image.fromarray(pixels).save(path)
        values, told = load_image(path, shape)
    assert values.shape == shape
    assert values.dtype == np.float64
    assert values.min() >= 0
    assert values.max() <= 1
    assert all(note and "\n" not in note for note in told)


# Exact values


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8, np.bool_])
def test_npy_holds_exact_values(tmp_path: Path, dtype: type[np.generic]) -> None:
    stored = (
        np.random.default_rng(0).uniform(size=(3, 4, 5)) * (1 if np.issubdtype(dtype, np.floating) else 2)
    ).astype(dtype)
    np.save(tmp_path / "values.NPY", stored)
    (tmp_path / "values.NPY.npy").rename(tmp_path / "values.NPY")
    values, told = load_image(str(tmp_path / "values.NPY"), (3, 4, 5))
    assert values.dtype == np.float64
    assert type(values) is np.ndarray
    assert values.flags.writeable
    assert np.array_equal(values, stored)
    assert told == []


def test_npy_of_one_channel_needs_no_channel(tmp_path: Path) -> None:
    path = tmp_path / "values.npy"
    np.save(path, np.eye(4, 5))
    assert np.array_equal(load_image(path, (1, 4, 5))[0], np.eye(4, 5)[None])
    with pytest.raises(DataError):
        load_image(path, (3, 4, 5))


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (np.zeros((28, 27)), "values of shape (28, 27), but the network's input is (1, 2, 2)"),
        (np.zeros((2, 2, 2)), "values of shape (2, 2, 2), but the network's input is (1, 2, 2)"),
        (np.zeros((1, 1, 2, 2)), "values of shape (1, 1, 2, 2), but the network's input is (1, 2, 2)"),
        ([[0, np.nan], [0, 1]], "it holds NaN or infinity, and a cell takes numbers only"),
        ([[0, np.inf], [0, 1]], "it holds NaN or infinity, and a cell takes numbers only"),
        ([[0, 1j], [0, 1]], "values of type complex128, not real numbers"),
        ([["0", "1"], ["0", "1"]], "values of type <U1, not real numbers"),
        ([[None, 1], [0, 1]], "not a .npy file of plain numbers, or damaged"),
    ],
)
def test_npy_that_is_no_input(tmp_path: Path, stored: ArrayLike, message: str) -> None:
    path = tmp_path / "values.npy"
    np.save(path, np.asarray(stored), allow_pickle=True)
    with pytest.raises(DataError) as caught:
        load_image(path, (1, 2, 2))
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes among its files")
def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("pipe.npy", "pipe.png"):
        os.mkfifo(tmp_path / name)
        assert one_line(tmp_path / name) == "this is a named pipe, not a file"


@pytest.mark.filterwarnings("error")
def test_npy_of_an_old_python_and_of_huge_numbers_warns_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "values.npy"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1L, 1L), }".ljust(117) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + np.float64(0.5).tobytes())
    assert load_image(path, (1, 1, 1))[0].tolist() == [[[0.5]]]
    np.save(path, np.full((1, 1), np.finfo(np.longdouble).max))
    assert one_line(path, (1, 1, 1)).startswith("it holds NaN or infinity")


def test_npy_that_promises_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "values.npy"
    with path.open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (1, 1_000_000, 1_000_000)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(DataError, match=r"not a .npy file of plain numbers, or damaged$"):
        load_image(path, (1, 1_000_000, 1_000_000))


# What cannot be read


def one_line(path: Path, shape: tuple[int, int, int] = (1, 28, 28)) -> str:
    with pytest.raises(DataError) as caught:
        load_image(path, shape)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", ["missing.png", "missing.npy"])
def test_missing_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=rf"{name} does not exist: check its name and its folder$"):
        load_image(tmp_path / name, (1, 28, 28))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"just some text\n" * 9])
@pytest.mark.parametrize(
    ("name", "what"),
    [("file.npy", ".npy file of plain numbers"), ("file.png", "picture in PNG, JPEG, GIF, BMP, TIFF or WebP")],
)
def test_other_files(tmp_path: Path, content: bytes, name: str, what: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert one_line(path).startswith(f"not a {what}")


@pytest.mark.parametrize("name", ["folder", "folder.npy"])
def test_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert one_line(tmp_path / name)


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_channels_that_no_picture_has(path: Path, channels: int) -> None:
    Image.new("L", (4, 4)).save(path)
    assert one_line(path, (channels, 4, 4)) == (
        f"a picture has 1 or 3 channels, not {channels}: give a .npy file of shape ({channels}, 4, 4)"
    )


def test_pixels_of_floats(tmp_path: Path) -> None:
    path = tmp_path / "picture.tif"
    Image.new("F", (4, 4), 0.5).save(path)
    assert one_line(path) == "nothing says which of its float values are black and white: save it as .npy"


def encoded(form: str) -> bytes:
    with BytesIO() as file:
        Image.radial_gradient("L").resize((40, 30)).convert("P" if form == "gif" else "RGB").save(file, form)
        return file.getvalue()


SOUND = {form: encoded(form) for form in ("png", "jpeg", "gif", "bmp", "tiff", "webp")}


def values_or_one_line(path: Path, damaged: bytes) -> NDArray[np.float64] | None:
    """What is read of a damaged file; None where it is refused in one line that names it."""
    path.write_bytes(damaged)
    try:
        values, _ = load_image(path, (1, 8, 8))
    except DataError as error:
        assert str(error).startswith(f"{path}: ")
        assert "\n" not in str(error)
        return None
    assert values.shape == (1, 8, 8)
    return values


@settings(max_examples=200)
@given(st.sampled_from(sorted(SOUND)), st.data())
def test_damage_is_a_picture_still_or_one_line(form: str, data: st.DataObject) -> None:
    sound = SOUND[form]
    damaged = bytearray(sound[: data.draw(st.integers(0, len(sound)), "length")])
    for place in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=4), "places"):
        damaged[place : place + 1] = data.draw(st.binary(min_size=1, max_size=1), "byte")
    with TemporaryDirectory() as folder:
        values = values_or_one_line(Path(folder, "picture"), bytes(damaged))
    assert values is None or 0 <= values.min() <= values.max() <= 1


@settings(max_examples=100)
@given(st.data())
def test_damaged_npy_is_values_still_or_one_line(data: st.DataObject) -> None:
    with BytesIO() as file:
        np.save(file, np.eye(8))
        damaged = bytearray(file.getvalue())
    del damaged[data.draw(st.integers(0, len(damaged)), "length") :]
    for place in data.draw(st.lists(st.integers(0, 128), max_size=4), "places"):
        damaged[place : place + 1] = data.draw(st.binary(min_size=1, max_size=1), "byte")
    with TemporaryDirectory() as folder:
        values_or_one_line(Path(folder, "values.npy"), bytes(damaged))


def test_import_leaves_pillow_alone() -> None:
    code = "import conv_sheet.pictures.reading, sys; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
