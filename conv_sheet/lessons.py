"""The lessons that come with conv-sheet, and the user's own specs and models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from conv_sheet.cells.inputs import InputValue
from conv_sheet.errors import DataError, SpecError, did_you_mean
from conv_sheet.files import BOOKS, found_at, require_regular
from conv_sheet.learning.objective import Objective, goal_of, redraws
from conv_sheet.models import Imported, is_model, read_model
from conv_sheet.network import weights
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.network.spec import Spec, from_tables, parse
from conv_sheet.network.templates import folder, names, order
from conv_sheet.ops import Array
from conv_sheet.pictures.samples import FIRST, sample
from conv_sheet.sheets import images
from conv_sheet.sheets.addresses import PICTURE, TARGET
from conv_sheet.state import WorkbookState

__all__ = [
    "DEFAULT",
    "Source",
    "default_picture",
    "first_state",
    "folder",
    "load",
    "names",
    "order",
    "with_classes",
    "workbook",
]

DEFAULT = "fastai"
MOST_BYTES = 1 << 20
"""Of a spec: weights stand in files of their own."""


@dataclass(frozen=True)
class Source:
    """A spec with its name, and its trained weights where it comes with some: in a file, or in the model it is of."""

    name: str
    network: Network
    lesson: Lesson
    weights: Path | None = None
    model: Imported | None = None

    @property
    def trained(self) -> bool:
        """Whether it comes with weights."""
        return self.weights is not None or self.model is not None

    @property
    def notes(self) -> tuple[str, ...]:
        """What reading the model changed or left out, a sentence each."""
        return () if self.model is None else self.model.notes

    def tensors(self, seed: int | None = None) -> dict[str, Array]:
        """The trained weights; with a seed, or where there are none, a seeded initialisation."""
        if seed is None and self.model is not None:
            return weights.checked(self.network, self.model.tensors, self.name)
        if seed is None and self.weights is not None:
            return weights.checked(self.network, weights.load(self.weights), str(self.weights))
        return self.network.initial(seed or 0)


def with_classes(source: Source, classes: Sequence[str]) -> Source:
    """The same with names for what the network tells apart.

    Raises SpecError where they are not as many as its outputs.

    >>> with_classes(load("fastai"), ["nought", *"123456789"]).network.classes[:2]
    ('nought', '1')
    """
    return replace(source, network=Network.from_spec(source.network.spec() | {"classes": list(classes)}))


def load(lesson: str) -> Source:
    """A lesson by name; a spec, or a model of PyTorch, ONNX or Keras, by path.

    Raises SpecError where there is none of them, or where the model has what a workbook cannot show, and DataError
    where its file cannot be read.
    """
    if lesson in names():
        spec = _spec(folder() / f"{lesson}.toml")
        return Source(lesson, spec.network, spec.lesson, _named(spec.lesson.weights) or _trained(lesson))
    path = Path(lesson)
    if is_model(path):
        model = read_model(path)
        spec = from_tables(model.whole_spec())
        return Source(path.stem, spec.network, spec.lesson, model=model)
    if found_at(path, SpecError):
        if path.is_dir():
            raise SpecError(f"{lesson} is a folder: name a lesson, or the file of a spec or a model")
        spec = _spec(path)
        return Source(path.stem, spec.network, spec.lesson, _named(spec.lesson.weights))
    near = did_you_mean(lesson, names())
    raise SpecError(f"there is no lesson {lesson!r} and no such file{near}; the lessons are {', '.join(names())}")


def require_trainable(source: Source) -> None:
    """Raise SpecError, which names the lessons that can be trained, for a network that cannot.

    >>> require_trainable(load("fastai"))
    """
    if not source.network.parameters:
        fault = "has no weights to train"
    elif not _trainable(source.network):
        fault = f"gives {source.network.output.out_shape}, neither a number for each class nor its picture again"
    else:
        return
    can = [name for name in names() if _trainable(load(name).network)]
    raise SpecError(f"{source.name} {fault}; of the lessons, {', '.join(can)} can be trained")


def _trainable(network: Network) -> bool:
    return bool(network.parameters) and (len(network.output.out_shape) == 1 or redraws(network))


def _trained(lesson: str) -> Path | None:
    """The weights that come with a lesson; None where none do."""
    path = folder() / f"{lesson}.npz"
    return path if path.exists() else None


def _named(lesson: str) -> Path | None:
    """The weights that the key `weights` of a spec names; None where it names none."""
    if lesson and (lesson not in names() or _trained(lesson) is None):
        trained = [name for name in names() if _trained(name)]
        near = did_you_mean(lesson, trained)
        raise SpecError(f"weights = {lesson!r}: no lesson of that name has weights{near}; {', '.join(trained)} have")
    return _trained(lesson) if lesson else None


def _spec(path: Path) -> Spec:
    require_regular(path, SpecError, MOST_BYTES)
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        if path.suffix.lower() in BOOKS:
            raise SpecError(f"{path} is a workbook and no spec: conv-sheet build --from {path} makes it anew") from None
        raise SpecError(f"{path} is not a text in UTF-8: a spec is a TOML file, save it in that encoding") from None


def default_picture(network: Network, lesson: Lesson) -> Array:
    """What the input of a network (C, H, W) shows until somebody gives it a picture: its lesson's, or a digit.

    >>> fastai = load("fastai")
    >>> default_picture(fastai.network, fastai.lesson).shape
    (1, 28, 28)
    """
    return sample(lesson.picture or FIRST, network.input_shape)


def first_state(
    network: Network,
    lesson: Lesson,
    tensors: Mapping[str, Array],
    own: Array | None = None,
    number: int | None = None,
) -> WorkbookState:
    """The state of a new workbook: the user's own picture, a sample digit, or what the lesson shows at first.

    Raises DataError for a digit, and SpecError for a spec, where the sheet `Images` has no such picture.

    >>> fastai = load("fastai")
    >>> first_state(fastai.network, fastai.lesson, fastai.tensors(), number=3).image.shape
    (1, 28, 28)
    """
    label = images.OWN if own is not None else f"digit {number}" if number is not None else lesson.picture or FIRST
    image = sample(label, network.input_shape) if own is None else own
    settings: dict[str, InputValue] = {}
    if lesson.backprop and str(number) in network.classes:
        asks_each = Objective.of(network, lesson.loss).asks_each
        settings[TARGET] = goal_of(str(number), network.classes)[:, np.newaxis] if asks_each else str(number)
    if images.NAME in lesson.sheets:
        _check_label(network, lesson, label, number)
        settings[PICTURE] = label
        if own is not None:
            settings[images.image_name(images.OWN)] = own
    return WorkbookState.of(network, image, tensors, lesson, **settings)


def workbook(
    what: Source | Imported | Network,
    image: ArrayLike | None = None,
    tensors: Mapping[str, ArrayLike] | None = None,
    seed: int | None = None,
) -> WorkbookState:
    """The workbook of a lesson, an imported model or a network, ready for `build`; in a notebook it shows its maps.

    `image` is the picture (C, H, W), also as a batch of one or, with one channel, as (H, W), a signal (C, L), a vector
    (N,). Without it a sample stands there.
    `tensors` are weights by full name (`conv1.weight`), such as those that `train` gives; without them they are those
    that the lesson or the model comes with, or, where it has none or a `seed` is given, random ones.

    Raises ShapeError where the picture, DataError where the weights do not fit.

    >>> workbook(load("fastai"), np.zeros((28, 28))).image.shape
    (1, 28, 28)
    """
    if isinstance(what, Imported):
        made = from_tables(what.whole_spec())
        what = Source("model", made.network, made.lesson, model=what)
    elif isinstance(what, Network):
        what = Source("network", what, Lesson())
    given = None if tensors is None else {name: np.asarray(value) for name, value in tensors.items()}
    weighed = what.tensors(seed) if given is None else weights.checked(what.network, given)
    return first_state(what.network, what.lesson, weighed, None if image is None else _picture(what.network, image))


def _picture(network: Network, image: ArrayLike) -> Array:
    """A picture without the axis of a batch of one, and with that of a single channel; a signal with its one row."""
    picture, shape = np.asarray(image, dtype=float), network.input_shape
    forms = [shape, *[shape[1:]] * (shape[0] == 1), *[(shape[0], shape[2])] * (shape[1] == 1)]
    forms += [shape[:1]] * (shape[1:] == (1, 1))
    batch_of_one = picture.shape[:1] == (1,) and picture.shape[1:] in forms
    return picture.reshape(shape) if batch_of_one or picture.shape in forms else picture


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
