"""The lessons that come with conv-sheet, and the user's own specs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conv_sheet.errors import DataError, SpecError, did_you_mean
from conv_sheet.layers import Array
from conv_sheet.network import spec, weights
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.pictures.digits import digit
from conv_sheet.pictures.drawings import PICTURES, draw
from conv_sheet.sheets import images
from conv_sheet.sheets.backprop.board import TARGET
from conv_sheet.state import Contents

DEFAULT = "fastai"
DEFAULT_DIGIT = 7


@dataclass(frozen=True)
class Source:
    """What a workbook is built from: a spec with its name, and trained weights where it comes with some."""

    name: str
    network: Network
    lesson: Lesson
    weights: Path | None

    def tensors(self, seed: int | None = None) -> dict[str, Array]:
        """The trained weights; with a seed, or where there are none, a seeded initialisation."""
        if self.weights is None or seed is not None:
            return self.network.initial(seed or 0)
        return weights.checked(self.network, weights.load(self.weights), str(self.weights))


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


def load(lesson: str) -> Source:
    """A lesson by name, or a spec by path.

    Raises SpecError where there is neither.
    """
    if lesson in names():
        path = folder() / f"{lesson}.toml"
        trained = path.with_suffix(".npz")
        return _source(path, trained if trained.exists() else None)
    path = Path(lesson)
    if path.is_file():
        return _source(path, None)
    near = did_you_mean(lesson, names())
    raise SpecError(f"there is no lesson {lesson!r} and no such file{near}; the lessons are {', '.join(names())}")


def _source(path: Path, trained: Path | None) -> Source:
    try:
        read = spec.parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise SpecError(f"{path} is not a text in UTF-8: a spec is a TOML file") from None
    return Source(path.stem, read.network, read.lesson, trained)


def default_picture(network: Network, lesson: Lesson) -> Array:
    """What the input of a network (C, H, W) shows until somebody gives it a picture: its lesson's, or a digit.

    >>> source = load("fastai")
    >>> default_picture(source.network, source.lesson).shape
    (1, 28, 28)
    """
    if lesson.picture:
        return draw(lesson.picture, network.input_shape)
    return sample(DEFAULT_DIGIT, network.input_shape)


def first_contents(
    network: Network,
    lesson: Lesson,
    tensors: Mapping[str, Array],
    own: Array | None = None,
    number: int | None = None,
) -> Contents:
    """What a new workbook holds: the user's own picture, a sample digit, or what the lesson shows at first.

    Raises DataError for a digit, and SpecError for a spec, where the sheet `Images` has no such picture.

    >>> source = load("fastai")
    >>> first_contents(source.network, source.lesson, source.tensors(), number=3).image.shape
    (1, 28, 28)
    """
    if own is not None:
        image, label = own, images.OWN
    elif number is not None:
        image, label = sample(number, network.input_shape), f"digit {number}"
    else:
        image, label = default_picture(network, lesson), lesson.picture or f"digit {DEFAULT_DIGIT}"
    target = lesson.picture if number is None else str(number)
    known = lesson.backprop and target in network.classes
    settings: dict[str, float | str] = {TARGET: target} if known else {}
    if images.NAME not in lesson.sheets:
        return Contents(network, image, tensors, settings=settings, lesson=lesson)
    _check_label(network, lesson, label, number)
    gallery = {name: _sample(name, network.input_shape) for name in images.samples_of(network)} | {label: image}
    if lesson.picture:
        gallery[lesson.picture] = default_picture(network, lesson)
    settings |= {images.CHOICE: label}
    return Contents(network, image, tensors, gallery=gallery, settings=settings, lesson=lesson)


def _check_label(network: Network, lesson: Lesson, label: str, number: int | None) -> None:
    """A network whose classes are named after pictures has those on `Images`, and no digits."""
    every = images.labels(network, lesson)
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
