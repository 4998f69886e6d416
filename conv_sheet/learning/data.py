"""Labelled pictures from disk: MNIST-format IDX files, or one folder of pictures for each class."""

import contextlib
import gzip
import re
import struct
import warnings
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conv_sheet.errors import ConvSheetWarning, DataError, why
from conv_sheet.files import found_at, require_regular
from conv_sheet.models.imported import listed
from conv_sheet.ops import Array
from conv_sheet.pictures.opening import SUFFIXES, eight_bits, opaque, opened, reduced
from conv_sheet.pictures.reading import padded

Labels = NDArray[np.int64]

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTES = 0x08
IMAGES_NAME = "*images*idx3*"
LABELS_NAME = "*labels*idx1*"
MOST_VALUES = 100_000_000
"""Pixels in all pictures together, times their channels: MNIST has 47 million. As floats they take 800 MB."""
MOST_CLASSES = 1_000
TRAIN = "train"
VALIDATION = ("val", "valid", "validation", "test")
"""Folders beside `train`, of which the first that is there validates."""
NOT_DATA = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})


@dataclass(frozen=True)
class Dataset:
    """Pictures (N, C, H, W) with values 0 to 1, the class of each (N,), and the names of the classes.

    `source` says where they come from, for messages, and `places` (N,) which pictures there they are, from 0, where
    they are a part of it. `len(dataset)` is N.
    """

    images: Array
    labels: Labels
    classes: tuple[str, ...]
    source: str
    places: Labels | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def place(self, index: int) -> int:
        """Which picture of the source one is, from 0."""
        return index if self.places is None else int(self.places[index])

    def take(self, indices: NDArray[np.int64]) -> "Dataset":
        """The pictures at these indices, in this order."""
        places = np.arange(len(self)) if self.places is None else self.places
        return replace(self, images=self.images[indices], labels=self.labels[indices], places=places[indices])

    def fit(self, input_shape: tuple[int, ...], outputs: int) -> "Dataset":
        """The same pictures, with zeros around them where a network reads larger ones (28×28 in 32×32).

        Raises DataError where they cannot become the network's input (C, H, W), or where the network has no
        output for a label.

        >>> digits = Dataset(np.ones((2, 1, 28, 28)), np.array([0, 9]), tuple("0123456789"), "digits")
        >>> digits.fit((1, 32, 32), 10).images.shape
        (2, 1, 32, 32)
        >>> digits.fit((3, 32, 32), 10)
        Traceback (most recent call last):
        conv_sheet.errors.DataError: digits: the pictures are 1×28×28, the network reads 3×32×32
        """
        beyond = np.flatnonzero(self.labels >= outputs)
        if beyond.size:
            label = self.labels[beyond[0]]
            raise DataError(
                f"{self.source}: picture {beyond[0]} has label {label} ({self.classes[label]}), "
                f"but the network has {outputs} outputs, for labels 0 to {outputs - 1}"
            )
        shape = self.images.shape[1:]
        margins = [wanted - found for wanted, found in zip(input_shape, shape, strict=False)]
        if len(input_shape) != 3 or margins[0] or any(margin < 0 or margin % 2 for margin in margins):
            raise DataError(f"{self.source}: the pictures are {_times(shape)}, the network reads {_times(input_shape)}")
        around = [(0, 0), *((margin // 2, margin // 2) for margin in margins)]
        return replace(self, images=np.pad(self.images, around))


def load_data(path: Path, size: tuple[int, int] | None = None) -> Dataset:
    """Read a folder with a pair of IDX files or with one folder of pictures for each class.

    IDX files are found by name (`*images*idx3*` and `*labels*idx1*`), packed with gzip or not; where a folder
    holds several pairs, as MNIST's own does, `path` is the images file itself. Folders that are called by
    numbers stand for these labels, others for 0, 1, … in the order of their names. Pictures are taken as they
    are, on white where they are transparent; they are grey (C=1) unless one of them has colour (C=3). With a `size`
    (H, W) each is fitted into it, its background around it. What is no picture is skipped with a warning that names it.

    Raises DataError, which names the file: missing, damaged, not a picture, pictures of different sizes, more
    or fewer labels than pictures, more than `MOST_VALUES` or `MOST_CLASSES`.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (file formats).
    """
    try:
        if found_at(path, DataError) is None:
            raise DataError(f"{path} does not exist: name a folder with IDX files, or with one folder for each class")
        if not path.is_dir():
            require_regular(path, DataError)
        pair = _idx_pair(path)
        if pair:
            return _read_idx_pair(*pair)
        if parts := _parts(path):
            one, other = (part.name for part in parts)
            raise DataError(f"{path} has folders of folders: name one of {one}, {other}")
        return _read_folders(path, size)
    except OSError as error:
        raise DataError(f"{error.filename or path} cannot be read: {why(error)}") from error


def load_parts(path: Path, size: tuple[int, int] | None = None) -> tuple[Dataset, Dataset | None]:
    """What to train with and, where the data itself says so, what to validate with, as `load_data` reads each.

    A folder with `train` and `val` (or `valid`, `validation`, `test`) in it, each with a folder for each class, is in
    two parts, as torchvision's ImageFolder has them. Other data is in one, and None stands for the other. Raises
    DataError also where the second part has a class that the first one lacks.
    """
    parts = _parts(path)
    if parts is None:
        return load_data(path, size), None
    train, validation = (load_data(part, size) for part in parts)
    if strangers := [name for name in validation.classes if name not in train.classes]:
        raise DataError(f"{validation.source} has a class {strangers[0]!r}, which {train.source} lacks")
    places = np.array([train.classes.index(name) for name in validation.classes])
    return train, replace(validation, labels=places[validation.labels], classes=train.classes)


def _parts(path: Path) -> tuple[Path, Path] | None:
    """The two parts of data that is divided already: folders of folders."""
    folders = (path / name for name in (TRAIN, *VALIDATION))
    with contextlib.suppress(OSError):  # whoever reads the folder says so
        found = [folder for folder in folders if folder.is_dir() and any(entry.is_dir() for entry in folder.iterdir())]
        if len(found) > 1 and found[0].name == TRAIN:
            return found[0], found[1]
    return None


def split(dataset: Dataset, validation: float, seed: int) -> tuple[Dataset, Dataset]:
    """Two parts of a dataset drawn at random, (training, validation), the second with this fraction of it.

    The same dataset, fraction and seed give the same parts.

    >>> digits = Dataset(np.zeros((8, 1, 28, 28)), np.arange(8), tuple("01234567"), "digits")
    >>> training, validation = split(digits, 0.25, seed=0)
    >>> len(training), len(validation)
    (6, 2)
    """
    held_out = round(len(dataset) * validation)
    if not 0 < held_out < len(dataset):
        raise DataError(
            f"{dataset.source}: {validation} of {len(dataset)} pictures held out for validation leaves "
            "nothing to validate with or to train on"
        )
    order = np.random.default_rng(seed).permutation(len(dataset))
    return dataset.take(order[held_out:]), dataset.take(order[:held_out])


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array of bytes in an IDX file, packed with gzip or not, which must have so many dimensions.

    Raises DataError for another format, type or number of dimensions, and where the length does not match the
    header.
    """
    require_regular(path, DataError)
    magic = bytes((0, 0, UNSIGNED_BYTES, dimensions))
    start = 4 + 4 * dimensions
    header = _unpacked(path, start)
    if header[:4] != magic:
        raise DataError(
            f"{path} is not an IDX file of bytes in {dimensions} dimensions: "
            f"it starts with {header[:4].hex(' ') or 'nothing'}, not {magic.hex(' ')}"
        )
    if len(header) < start:
        raise DataError(f"{path} is truncated: it ends within its header")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    promised = prod(shape)
    if promised > MOST_VALUES:
        raise DataError(f"{path} is too large: its header promises {_times(shape)} = {promised:,}, {_limit()}")
    if promised == 0 and len(_unpacked(path, start + 1)) == start and max(shape) > MOST_VALUES:
        raise DataError(f"{path} is damaged: it holds nothing, and promises {_times(shape)}")
    content = _unpacked(path, start + promised + 1)
    found = len(content) - start
    if found != promised:
        fault, count = ("truncated", found) if found < promised else ("damaged", f"more than {promised}")
        raise DataError(f"{path} is {fault}: {count} bytes where its header promises {_times(shape)} = {promised}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _limit() -> str:
    return f"the limit is {MOST_VALUES:,}"


def _unpacked(path: Path, limit: int) -> bytes:
    """The first bytes of a file, or of what is packed in it with gzip, which at its end sees whether it is whole."""
    with path.open("rb") as file:
        packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        if not packed:
            return file.read(limit)
        try:
            with gzip.open(file) as content:
                return content.read(limit)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{path} is damaged: gzip says {error}") from error


def _idx_pair(path: Path) -> tuple[Path, Path] | None:
    """The images and labels file meant by a folder or by an images file; None for a folder without any."""
    folder = path if path.is_dir() else path.parent
    images, labels = (_by_set(folder.glob(pattern)) for pattern in (IMAGES_NAME, LABELS_NAME))
    if path.is_file():
        if not path.match(IMAGES_NAME):
            raise DataError(f"{path} is neither a folder nor called like an IDX file of images, {IMAGES_NAME}")
        images = _by_set([path])
    if not images and not labels:
        return None
    if len(images) != 1:
        found = ", ".join(sorted(file.name for file in images.values())) or "no"
        raise DataError(f"{path} holds {found} images files ({IMAGES_NAME}): name the one to read")
    ((name, images_file),) = images.items()
    if name not in labels:
        raise DataError(f"{images_file} has no labels beside it: a file of the same name, but {LABELS_NAME}")
    return images_file, labels[name]


def _by_set(files: Iterable[Path]) -> dict[str, Path]:
    """Files by what is left of their names without the words for images, labels and packing."""
    return {re.sub(r"images|labels|idx[13]|\.gz$", "", file.name): file for file in files}


def _read_idx_pair(images_file: Path, labels_file: Path) -> Dataset:
    images, labels = read_idx(images_file, 3), read_idx(labels_file, 1).astype(np.int64)
    if len(images) != len(labels):
        raise DataError(f"{images_file} holds {len(images)} pictures, but {labels_file.name} {len(labels)} labels")
    if not images.size:
        raise DataError(f"{images_file} holds no pictures")
    classes = tuple(map(str, range(labels.max() + 1)))
    return Dataset(images[:, None] / 255.0, labels, classes, str(images_file))


def _read_folders(path: Path, size: tuple[int, int] | None) -> Dataset:
    entries = _entries(path)
    folders = [entry for entry in entries if entry.is_dir()]
    if not folders:
        raise DataError(f"{path} holds neither IDX files ({IMAGES_NAME}) nor a folder of pictures for each class")
    classes, numbers = _classes(path, [folder.name for folder in folders])
    files: list[Path] = []
    labels: list[int] = []
    stray = [entry for entry in entries if not entry.is_dir()]
    for folder, number in zip(folders, numbers, strict=True):
        every = _entries(folder)
        found = [file for file in every if _is_picture(file)]
        if not found:
            raise DataError(f"{folder} holds no pictures")
        stray += [entry for entry in every if entry not in found]
        files += found
        labels += [number] * len(found)
    if stray:
        names = listed(entry.relative_to(path).as_posix() for entry in stray)
        warnings.warn(ConvSheetWarning(f"{path}: skipped what is no picture: {names}"), stacklevel=3)
    pixels = _read_pictures(files, size)
    return Dataset(pixels / 255.0, np.array(labels), classes, str(path))


def _is_picture(file: Path) -> bool:
    """Whether a file is to be read: it is called like a picture, or it is one, whatever it is called."""
    if file.suffix.lower() in SUFFIXES:
        return not file.is_dir()
    try:
        with opened(file):
            return True
    except DataError:
        return False


def _classes(path: Path, names: list[str]) -> tuple[tuple[str, ...], list[int]]:
    """Names of all classes, and the label of each folder."""
    numbered = all(re.fullmatch("[0-9]+", name) for name in names)
    numbers = [int(name) for name in names] if numbered else list(range(len(names)))
    if max(numbers) >= MOST_CLASSES:
        which = f"a folder called {max(numbers)}" if numbered else f"{len(names):,} folders"
        raise DataError(f"{path} holds {which}: the limit is {MOST_CLASSES:,} classes, called 0 to {MOST_CLASSES - 1}")
    if len(set(numbers)) < len(numbers):
        twice = next(name for name in names if numbers.count(int(name)) > 1)
        raise DataError(f"{path} holds several folders for the label {int(twice)}, one of them {twice}: keep one")
    return tuple(map(str, range(max(numbers) + 1))) if numbered else tuple(names), numbers


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder, in the order of names, less what file managers leave there."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith(".") and entry.name not in NOT_DATA)


def _read_pictures(files: Sequence[Path], size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Pixels (N, C, H, W) of pictures that must have one size; C is 3 where one of them has colour, else 1."""
    pictures: list[NDArray[np.uint8]] = []
    for file in files:
        picture = _read_picture(file, len(files), size)
        pictures.append(picture)
        height, width = pictures[0].shape[1:]
        if picture.shape[1:] != (height, width):
            found = _times(picture.shape[1:])
            raise DataError(
                f"{file} has {found} pixels, {files[0]} {height}×{width}: all must have one size, or --resize fits them"
            )
    pixels = np.empty((len(files), max(map(len, pictures)), height, width), np.uint8)
    for place, picture in zip(pixels, pictures, strict=True):
        place[:] = picture
    return pixels


def _read_picture(file: Path, count: int, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Pixels (C, H, W) of one of so many pictures, laid on white where transparent; C is 1 where it is grey."""
    with opened(file) as picture:
        _require_room(file, (count, 1, *(size or (picture.height, picture.width))))
        small = picture if size is None else reduced(picture)
        whole, _ = opaque(eight_bits(small) if small.mode.startswith("I") else small)
        pixels = np.asarray(whole).transpose(2, 0, 1)
    if np.all(pixels == pixels[:1]):
        pixels = pixels[:1].copy()
    if size is not None and pixels.shape[1:] != size:
        pixels = np.rint(padded(pixels, size, []) * 255).astype(np.uint8)
    _require_room(file, (count, *pixels.shape))
    return pixels


def _require_room(file: Path, shape: tuple[int, ...]) -> None:
    if prod(shape) > MOST_VALUES:
        raise DataError(
            f"{file}: pictures like this are too many, {_times(shape)} = {prod(shape):,} values, {_limit()}"
        )


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
