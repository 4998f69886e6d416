import gzip
import os
import re
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from conv_sheet.errors import ConvSheetWarning, DataError
from conv_sheet.learning import data
from conv_sheet.learning.data import MOST_VALUES, Dataset, _classes, load_data, load_parts, read_idx, split

PIXELS = np.arange(4 * 6 * 5, dtype=np.uint8).reshape(4, 6, 5)
LABELS = np.array([3, 0, 9, 3], dtype=np.uint8)


def idx(array: NDArray[np.uint8], magic: bytes = b"\0\0\x08") -> bytes:
    return magic + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_pair(folder: Path, name: str = "train", images: bytes = idx(PIXELS), labels: bytes = idx(LABELS)) -> Path:
    (folder / f"{name}-images-idx3-ubyte").write_bytes(images)
    (folder / f"{name}-labels-idx1-ubyte").write_bytes(labels)
    return folder


def refused(message: str) -> pytest.RaisesExc[DataError]:
    return pytest.raises(DataError, match=message)


def save(file: Path, pixels: NDArray[np.generic], mode: str | None = None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(file)


def digits(count: int = 10) -> Dataset:
    labels = np.arange(count) % 10
    images = np.ones((count, 1, 28, 28)) * labels[:, None, None, None]
    return Dataset(images, labels, tuple("0123456789"), "digits")


# -- IDX files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("images_name", "labels_name"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("digits8k-images-idx3-ubyte.gz", "digits8k-labels-idx1-ubyte.gz"),
        ("images-idx3-ubyte.gz", "labels-idx1-ubyte"),
    ],
)
def test_pair_is_found_by_name_and_packing_by_content(
    tmp_path: Path, images_name: str, labels_name: str, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / images_name).write_bytes(pack(idx(PIXELS)))
    (tmp_path / labels_name).write_bytes(pack(idx(LABELS)))
    dataset = load_data(tmp_path)
    np.testing.assert_array_equal(dataset.images, PIXELS[:, None] / 255)
    np.testing.assert_array_equal(dataset.labels, [3, 0, 9, 3])
    assert dataset.classes == tuple("0123456789")
    assert len(dataset) == 4


def test_of_several_pairs_one_is_named_by_its_images(tmp_path: Path) -> None:
    write_pair(tmp_path)
    write_pair(tmp_path, "t10k", idx(PIXELS[:1]), idx(LABELS[:1]))
    with pytest.raises(DataError, match=r"holds t10k-images-idx3-ubyte, train-images-idx3-ubyte images files"):
        load_data(tmp_path)
    assert len(load_data(tmp_path / "t10k-images-idx3-ubyte")) == 1


@given(st.binary(max_size=40))
def test_any_bytes_are_an_array_or_a_named_error(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "any-images-idx3-ubyte")
        file.write_bytes(content)
        try:
            assert read_idx(file, 3).tobytes() == content[16:]
        except DataError as error:
            assert str(error).startswith(str(file))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (b"", idx(LABELS), r"images-idx3-ubyte is not an IDX file .* nothing, not 00 00 08 03"),
        (
            b"\x89PNG\r\n",
            idx(LABELS),
            r"images-idx3-ubyte is not .* with 89 50 4e 47, not 00 00 08 03",
        ),
        (idx(PIXELS, b"\0\0\x0d"), idx(LABELS), r"starts with 00 00 0d 03, not 00 00 08 03"),
        (
            idx(PIXELS),
            idx(PIXELS),
            r"labels-idx1-ubyte is not .* 00 00 08 03, not 00 00 08 01",
        ),
        (idx(PIXELS)[:9], idx(LABELS), r"images-idx3-ubyte is truncated: it ends within its header"),
        (idx(PIXELS)[:-1], idx(LABELS), r"is truncated: 119 bytes where its header promises 4×6×5 = 120"),
        (idx(PIXELS) + b"!", idx(LABELS), r"is damaged: more than 120 bytes where its header promises 4×6×5 = 120"),
        (gzip.compress(idx(PIXELS))[:-9], idx(LABELS), r"images-idx3-ubyte is damaged: gzip says"),
        (gzip.compress(idx(PIXELS))[:-8] + bytes(8), idx(LABELS), r"is damaged: gzip says CRC check failed"),
        (
            idx(PIXELS),
            idx(LABELS[:3]),
            r"ubyte holds 4 pictures, but train-labels-idx1-ubyte 3 labels",
        ),
        (idx(PIXELS[:0]), idx(LABELS[:0]), r"images-idx3-ubyte holds no pictures"),
    ],
)
def test_damaged_pair_is_named(tmp_path: Path, images: bytes, labels: bytes, message: str) -> None:
    with refused(message):
        load_data(write_pair(tmp_path, "train", images, labels))


def test_half_a_pair_is_named(tmp_path: Path) -> None:
    write_pair(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").rename(tmp_path / "t10k-labels-idx1-ubyte")
    with refused(r"train-images-idx3-ubyte has no labels beside it"):
        load_data(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").unlink()
    with refused(r"holds no images files"):
        load_data(tmp_path)


def test_path_that_cannot_be_data_is_named(tmp_path: Path) -> None:
    with refused(r"nowhere does not exist: name a folder"):
        load_data(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds neither IDX files .* nor a folder of pictures for each class"):
        load_data(tmp_path)
    (tmp_path / "digits.zip").write_bytes(b"")
    with pytest.raises(DataError, match=r"digits\.zip is neither a folder nor called like an IDX file of images"):
        load_data(tmp_path / "digits.zip")


def test_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    write_pair(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").unlink()
    (tmp_path / "train-images-idx3-ubyte").mkdir()
    with refused(r"train-images-idx3-ubyte: this is a folder, not a file"):
        load_data(tmp_path)


def promising(shape: tuple[int, ...], content: bytes = b"") -> bytes:
    return b"\0\0\x08" + bytes([len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_header_that_promises_too_much_costs_nothing(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    file = tmp_path / "images"
    most = MOST_VALUES // 10_000
    file.write_bytes(pack(promising((most + 1, 100, 100))))
    with refused(r"promises 10001×100×100 = 100,010,000, the limit is 100,000,000$"):
        read_idx(file, 3)
    file.write_bytes(pack(promising((most, 100, 100))))
    with refused(r"is truncated: 0 bytes where its header promises 10000×100×100 = 100000000$"):
        read_idx(file, 3)
    file.write_bytes(pack(promising((0, 2**32 - 1, 2**32 - 1))))
    with refused(r"images is damaged: it holds nothing, and promises 0×4294967295×4294967295$"):
        read_idx(file, 3)


def test_of_what_is_packed_no_more_is_unpacked_than_promised(tmp_path: Path) -> None:
    """Ten bytes are promised, 200 MB are packed into 200 kB."""
    file = tmp_path / "images"
    with gzip.open(file, "wb", 1) as packed:
        packed.write(promising((10,)))
        for _ in range(200):
            packed.write(bytes(1_000_000))
    tracemalloc.start()
    with refused(r"is damaged: more than 10 bytes where its header promises 10 = 10$"):
        read_idx(file, 1)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes among its files")
def test_named_pipes_are_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "train-images-idx3-ubyte"
    os.mkfifo(pipe)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS))
    save(tmp_path / "pictures" / "0" / "a.png", PIXELS[0])
    os.mkfifo(tmp_path / "pictures" / "0" / "b.png")
    (tmp_path / "sound").mkdir()
    beside = write_pair(tmp_path / "sound") / "pipe"
    os.mkfifo(beside)
    picture = tmp_path / "pictures" / "0" / "b.png"
    for path, name in ((tmp_path, pipe), (beside, beside), (tmp_path / "pictures", picture)):
        with refused(f"^{re.escape(str(name))}: this is a named pipe, not a file$"):
            load_data(path)


# -- folders of pictures -------------------------------------------------------------------------------------


def test_folders_of_grey_pictures(tmp_path: Path) -> None:
    save(tmp_path / "dog" / "b.png", PIXELS[0])
    save(tmp_path / "cat" / "z.png", PIXELS[1])
    save(tmp_path / "dog" / "a.png", PIXELS[2], "RGB")
    (tmp_path / "dog" / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "dog" / "Thumbs.db").write_bytes(b"\0")
    (tmp_path / "notes.txt").write_text("drawn in class")
    (tmp_path / "cat" / "labels.csv").write_text("z,cat")
    (tmp_path / "cat" / "more").mkdir()
    with pytest.warns(
        ConvSheetWarning, match=r"skipped what is no picture: 'notes.txt', 'cat/labels.csv', 'cat/more'$"
    ):
        dataset = load_data(tmp_path)
    np.testing.assert_array_equal(dataset.images, PIXELS[[1, 2, 0], None] / 255)
    assert dataset.labels.tolist() == [0, 1, 1]
    assert dataset.classes == ("cat", "dog")


def test_folders_called_by_numbers_stand_for_these_labels(tmp_path: Path) -> None:
    for name in ("7", "10", "3"):
        save(tmp_path / name / "a.png", PIXELS[0])
    dataset = load_data(tmp_path)
    assert dataset.labels.tolist() == [10, 3, 7]
    assert dataset.classes == tuple(map(str, range(11)))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("0", "1000000"), r"holds a folder called 1000000: the limit is 1,000 classes, called 0 to 999$"),
        (("0", "1000"), r"holds a folder called 1000: the limit"),
        (("1", "2", "01"), r"holds several folders for the label 1, one of them 01: keep one$"),
    ],
)
def test_folders_that_are_no_labels_are_named(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    for name in names:
        save(tmp_path / name / "a.png", PIXELS[0])
    with refused(message):
        load_data(tmp_path)


def test_too_many_folders_are_counted(tmp_path: Path) -> None:
    for n in range(1_001):
        (tmp_path / f"class {n}").mkdir()
    with refused(r"holds 1,001 folders: the limit is 1,000 classes"):
        classes = [entry.name for entry in tmp_path.iterdir()]
        _classes(tmp_path, classes)
    assert _classes(tmp_path, classes[:1_000])[1] == list(range(1_000))
    assert len(_classes(tmp_path, ["999"])[0]) == 1_000


def test_pictures_that_are_too_many_for_memory_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "MOST_VALUES", 60)
    save(tmp_path / "a" / "1.png", PIXELS[0])
    save(tmp_path / "a" / "2.png", PIXELS[1])
    assert load_data(tmp_path).images.size == 60
    colour = np.stack([PIXELS[0], PIXELS[1], PIXELS[2]], axis=-1)
    save(tmp_path / "a" / "2.png", colour)
    with refused(r"2\.png: pictures like this are too many, 2×3×6×5 = 180 values, the limit is 60$"):
        load_data(tmp_path)
    save(tmp_path / "a" / "3.png", PIXELS[2])
    with refused(r"1\.png: pictures like this are too many, 3×1×6×5 = 90 values, the limit is 60$"):
        load_data(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_an_unreadable_folder_is_one_line() -> None:
    program = (
        "import os, sys; from pathlib import Path; from conv_sheet.learning.data import load_data; import PIL.Image\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(1); os.setuid(1)\n"
        "load_data(Path(sys.argv[1]))"
    )
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        shut = Path(folder, "shut")
        save(shut / "cats" / "a.png", PIXELS[0])
        for closed, path in ((shut, shut), (shut / "cats", shut), (shut, shut / "cats")):
            closed.chmod(0)
            command = [sys.executable, "-c", program, str(path)]
            said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
            closed.chmod(0o755)
            assert said.splitlines()[-1].endswith("permission denied; have its owner allow it, or name another file"), (
                said
            )
            assert "DataError: " + str(shut) in said.splitlines()[-1]


def test_pictures_of_floats_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.new("F", (4, 4), 0.5).save(tmp_path / "a" / "deep.tif")
    with refused(r"deep\.tif: nothing says which of its float values are black and white"):
        load_data(tmp_path)


def test_colour_has_three_channels(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
    save(tmp_path / "a" / "colour.png", colour)
    save(tmp_path / "b" / "grey.png", PIXELS[0])
    images = load_data(tmp_path).images
    np.testing.assert_array_equal(images[0], colour.transpose(2, 0, 1) / 255)
    np.testing.assert_array_equal(images[1], np.stack([PIXELS[0]] * 3) / 255)


def test_transparent_is_white(tmp_path: Path) -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0, 0, 3] = 255
    save(tmp_path / "a" / "ink.png", pixels)
    np.testing.assert_array_equal(load_data(tmp_path).images[0, 0], [[0, 1, 1], [1, 1, 1]])


def test_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    save(tmp_path / "a" / "deep.png", np.array([[0, 65280], [65535, 257]], np.uint16))
    np.testing.assert_array_equal(load_data(tmp_path).images[0, 0], np.array([[0, 254], [255, 1]]) / 255)


def test_odd_pictures_are_named(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1.png", PIXELS[0])
    save(tmp_path / "b" / "2.png", PIXELS[0].T)
    with refused(r"2\.png has 5×6 pixels, .*1\.png 6×5: all must have one size"):
        load_data(tmp_path)
    (tmp_path / "b" / "2.png").write_bytes((tmp_path / "a" / "1.png").read_bytes()[:50])
    with refused(r"2\.png: not a picture in PNG, JPEG, GIF, BMP, TIFF or WebP, or damaged"):
        load_data(tmp_path)
    (tmp_path / "b" / "2.png").write_text("not a picture")
    with refused(r"2\.png: not a picture in PNG, JPEG, GIF, BMP, TIFF or WebP, or damaged"):
        load_data(tmp_path)
    (tmp_path / "b" / "2.png").unlink()
    with refused(r"b holds no pictures"):
        load_data(tmp_path)


def test_a_picture_is_known_by_its_content_where_its_name_says_nothing(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1.png", PIXELS[0])
    (tmp_path / "a" / "1.png").rename(tmp_path / "a" / "1")
    assert len(load_data(tmp_path)) == 1


def test_pictures_of_any_size_are_fitted_on_request(tmp_path: Path) -> None:
    square, flat = np.full((8, 8), 90, np.uint8), np.full((4, 8), 200, np.uint8)
    flat[1:3] = 50
    save(tmp_path / "a" / "1.png", square)
    save(tmp_path / "a" / "2.png", flat)
    with refused(r"2\.png has 4×8 pixels, .*: all must have one size, or --resize fits them$"):
        load_data(tmp_path)
    images = load_data(tmp_path, (4, 4)).images * 255
    assert images.shape == (2, 1, 4, 4)
    np.testing.assert_array_equal(images[0, 0], np.full((4, 4), 90))
    assert images[1, 0, 0].tolist() == images[1, 0, 3].tolist() == [200] * 4  # its background, above and below
    np.testing.assert_allclose(images[1, 0, 1:3], 125, atol=13)  # rows of 200, 50 | 50, 200, halved


# -- train and val -------------------------------------------------------------------------------------------


def divided(folder: Path, val: str = "val") -> Path:
    """A folder as torchvision's ImageFolder has them."""
    save(folder / "train" / "cat" / "1.png", PIXELS[0])
    save(folder / "train" / "dog" / "1.png", PIXELS[1])
    save(folder / val / "dog" / "2.png", PIXELS[2])
    return folder


@pytest.mark.parametrize("val", ["val", "valid", "validation", "test"])
def test_folders_train_and_val_are_two_parts_with_the_same_classes(tmp_path: Path, val: str) -> None:
    train, validation = load_parts(divided(tmp_path, val))
    assert validation is not None
    np.testing.assert_array_equal(train.images, PIXELS[:2, None] / 255)
    np.testing.assert_array_equal(validation.images, PIXELS[2:3, None] / 255)
    assert train.labels.tolist() == [0, 1] and validation.labels.tolist() == [1]  # dog is 1, though there alone
    assert train.classes == validation.classes == ("cat", "dog")
    with refused(rf"has folders of folders: name one of train, {val}$"):
        load_data(tmp_path)
    assert load_parts(tmp_path / "train")[1] is None


def test_a_class_that_only_val_has_is_named(tmp_path: Path) -> None:
    save(divided(tmp_path) / "val" / "fox" / "1.png", PIXELS[0])
    with refused(r"val has a class 'fox', which .*train lacks$"):
        load_parts(tmp_path)


def test_classes_may_be_called_train_and_val(tmp_path: Path) -> None:
    for name in ("train", "val"):
        save(tmp_path / name / "1.png", PIXELS[0])
    assert load_data(tmp_path).classes == ("train", "val")


# -- fitting and splitting -----------------------------------------------------------------------------------


def test_fit_puts_zeros_around() -> None:
    fitted = digits().fit((1, 32, 30), 10)
    np.testing.assert_array_equal(fitted.images, np.pad(digits().images, ((0, 0), (0, 0), (2, 2), (1, 1))))


def test_fit_leaves_what_fits() -> None:
    np.testing.assert_array_equal(digits().fit((1, 28, 28), 12).images, digits().images)


def test_pictures_of_a_part_keep_their_places() -> None:
    digits = Dataset(np.arange(20.0).reshape(20, 1, 1, 1), np.arange(20) % 2, ("0", "1"), "digits")
    rest, held_out = split(digits, 0.25, seed=0)
    for part in (digits, rest, held_out, *split(rest, 0.5, seed=1)):
        assert [part.place(n) for n in range(len(part))] == part.images.ravel().tolist()


@pytest.mark.parametrize("shape", [(1, 27, 28), (1, 29, 28), (1, 26, 26), (3, 28, 28), (784,)])
def test_fit_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    read = "×".join(map(str, shape))
    with refused(f"digits: the pictures are 1×28×28, the network reads {read}$"):
        digits().fit(shape, 10)


def test_fit_names_the_first_label_without_an_output() -> None:
    with pytest.raises(
        DataError, match=r"picture 3 has label 3 \(3\), but the network has 3 outputs, for labels 0 to 2"
    ):
        digits().fit((1, 28, 28), 3)


@given(st.integers(2, 60), st.floats(0.0, 1.0), st.integers(0, 2**32 - 1))
def test_split_parts_the_pictures_or_says_that_it_cannot(count: int, validation: float, seed: int) -> None:
    dataset = Dataset(np.arange(float(count)).reshape(count, 1, 1, 1), np.arange(count), (), "numbers")
    try:
        parts = split(dataset, validation, seed)
    except DataError:
        assert round(count * validation) in (0, count)
        return
    assert len(parts[1]) == round(count * validation)
    assert sorted(np.concatenate([part.labels for part in parts])) == list(range(count))
    for part, again in zip(parts, split(dataset, validation, seed), strict=True):
        np.testing.assert_array_equal(part.images.ravel(), part.labels)
        np.testing.assert_array_equal(part.labels, again.labels)


def test_split_is_shuffled_by_the_seed() -> None:
    first, other = (split(digits(100), 0.5, seed)[1].labels for seed in (0, 1))
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("validation", [0.0, 1.0, -0.5, 1.5, 0.01])
def test_split_that_leaves_nothing_is_named(validation: float) -> None:
    with refused(rf"digits: {validation} of 10 pictures held out for validation"):
        split(digits(), validation, seed=0)
