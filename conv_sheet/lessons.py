"""The lessons that come with conv-sheet, and the user's own specs."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conv_sheet.errors import DataError, SpecError, did_you_mean
from conv_sheet.files import atomic_write
from conv_sheet.layers import Array
from conv_sheet.network.graph import Network
from conv_sheet.pictures.digits import digit
from conv_sheet.pictures.drawings import PICTURES, draw
from conv_sheet.sheets import images
from conv_sheet.sheets.backprop.board import TARGET
from conv_sheet.state import Contents

DEFAULT = "fastai"
DEFAULT_DIGIT = 7

_NO_ARCHIVE = (
    "not an .npz file of named arrays, or a damaged one; "
    'write one with numpy.savez("weights.npz", **{"conv1.weight": array, …})'
)


@dataclass(frozen=True)
class Lesson:
    """A network with its name, and its trained weights where it comes with some."""

    name: str
    network: Network
    weights: Path | None

    def tensors(self, seed: int | None = None) -> dict[str, Array]:
        """The trained weights; with a seed, or where there are none, a seeded initialisation."""
        if self.weights is None or seed is not None:
            return self.network.initial(seed or 0)
        return self.network.checked(load_weights(self.weights), str(self.weights))


def folder() -> Path:
    """Where the lessons lie: beside the package in a checkout, inside it when installed."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "templates"


def names() -> list[str]:
    """Names of the lessons.

    >>> "fastai" in names()
    True
    """
    return sorted(path.stem for path in folder().glob("*.toml"))


def load(lesson: str) -> Lesson:
    """A lesson by name, or a spec by path.

    Raises SpecError where there is neither.
    """
    if lesson in names():
        path = folder() / f"{lesson}.toml"
        weights = path.with_suffix(".npz")
        return Lesson(lesson, _network(path), weights if weights.exists() else None)
    path = Path(lesson)
    if path.is_file():
        return Lesson(path.stem, _network(path), None)
    near = did_you_mean(lesson, names())
    raise SpecError(f"there is no lesson {lesson!r} and no such file{near}; the lessons are {', '.join(names())}")


def _network(path: Path) -> Network:
    try:
        return Network.from_toml(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise SpecError(f"{path} is not a text in UTF-8: a spec is a TOML file") from None


def load_weights(path: Path) -> dict[str, Array]:
    """Arrays of an .npz file by name.

    Raises DataError where the file is missing or holds something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except Exception as error:  # NumPy meets other files, and damage, with exceptions of every kind
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or _NO_ARCHIVE}") from error
    if not all(isinstance(value, np.ndarray) for value in arrays.values()):
        raise DataError(f"{path}: {_NO_ARCHIVE}")
    return arrays


def save_weights(path: Path, weights: Mapping[str, Array]) -> None:
    """Write arrays by name as an .npz file, whole or not at all; the same arrays give the same bytes."""
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in weights.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as entry:
                np.lib.format.write_array(entry, np.asarray(value), allow_pickle=False)


def default_picture(network: Network) -> Array:
    """What the input of a network (C, H, W) shows until somebody gives it a picture: its spec's, or a digit.

    >>> default_picture(load("fastai").network).shape
    (1, 28, 28)
    """
    if network.picture:
        return draw(network.picture, network.input_shape)
    return sample(DEFAULT_DIGIT, network.input_shape)


def first_contents(
    network: Network, tensors: Mapping[str, Array], own: Array | None = None, number: int | None = None
) -> Contents:
    """What a new workbook holds: the user's own picture, a sample digit, or what the network shows at first.

    Raises DataError for a digit, and SpecError for a spec, where the sheet `Images` has no such picture.

    >>> lesson = load("fastai")
    >>> first_contents(lesson.network, lesson.tensors(), number=3).image.shape
    (1, 28, 28)
    """
    if own is not None:
        image, label = own, images.OWN
    elif number is not None:
        image, label = sample(number, network.input_shape), f"digit {number}"
    else:
        image, label = default_picture(network), network.picture or f"digit {DEFAULT_DIGIT}"
    known = network.backprop and str(number) in network.classes
    settings: dict[str, float | str] = {TARGET: str(number)} if known else {}
    if images.NAME not in network.sheets:
        return Contents(network, image, tensors, settings=settings)
    _check_label(network, label, number)
    gallery = {name: _sample(name, network.input_shape) for name in images.samples_of(network)} | {label: image}
    if network.picture:
        gallery[network.picture] = default_picture(network)
    return Contents(network, image, tensors, gallery=gallery, settings=settings | {images.CHOICE: label})


def _check_label(network: Network, label: str, number: int | None) -> None:
    """A network whose classes are named after pictures has those on `Images`, and no digits."""
    every = images.labels(network)
    if label in every:
        return
    pictures = [name for name in every if name not in (images.DRAWING, images.OWN)]
    has = f"this network has no digits, its pictures are {', '.join(pictures)}"
    if number is None:
        raise SpecError(f'{has}: say in the spec which one is first, such as picture = "{pictures[0]}"')
    raise DataError(
        f"--digit {number}: {has}: build without --digit and choose on the sheet Images, or give your own with --image"
    )


def _sample(label: str, shape: tuple[int, ...]) -> Array:
    """A picture that comes with conv-sheet, by its label on `Images`."""
    return draw(label, shape) if label in PICTURES else sample(int(label.removeprefix("digit ")), shape)


def sample(number: int, shape: tuple[int, ...]) -> Array:
    """A sample digit in the middle of a picture (C, H, W), the same in every channel.

    >>> sample(3, (1, 32, 40)).shape
    (1, 32, 40)
    """
    channels, height, width = shape
    side = min(height, width)
    picture = np.zeros((height, width))
    top, left = (height - side) // 2, (width - side) // 2
    picture[top : top + side, left : left + side] = digit(number, side)
    return np.repeat(picture[np.newaxis], channels, axis=0)
