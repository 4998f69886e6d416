"""How well a network answers labelled pictures: accuracy, confusions, the worst mistakes; or how well it redraws."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conv_sheet.errors import DataError, ShapeError
from conv_sheet.layers import Array
from conv_sheet.learning.data import Dataset
from conv_sheet.learning.objective import Objective, redraws, several
from conv_sheet.network.graph import Network
from conv_sheet.ops import softmax
from conv_sheet.ops.losses import binary_cross_entropy_with_logits, cross_entropy

BATCH = 256
"""Pictures at a time: enough for NumPy, few enough for the memory that their activations take."""


class Mistake(NamedTuple):
    """A picture that was taken for something else: its number, what it is, and what the network says how surely."""

    number: int
    label: int
    answer: int
    confidence: float


@dataclass(frozen=True)
class Evaluation:
    """A network's answers: its scores (N, classes) for the pictures of a dataset, and the names of its classes.

    >>> digits = Dataset(np.zeros((3, 1, 2, 2)), np.array([0, 1, 1]), ("0", "1"), "digits")
    >>> result = Evaluation(digits, np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]]), ("0", "1"))
    >>> round(result.accuracy, 3), result.confusion.tolist()
    (0.667, [[1, 0], [1, 1]])
    >>> result.mistakes[0].number, round(result.mistakes[0].confidence, 3)
    (2, 0.953)
    """

    dataset: Dataset
    scores: Array
    classes: tuple[str, ...]

    @cached_property
    def answers(self) -> NDArray[np.int64]:
        """The class with the largest score, for each picture."""
        answers: NDArray[np.int64] = self.scores.argmax(axis=1)
        return answers

    @cached_property
    def right(self) -> int:
        """Number of pictures that were recognised."""
        return int(np.count_nonzero(self.answers == self.dataset.labels))

    @property
    def accuracy(self) -> float:
        """Share of pictures that were recognised, 0 to 1."""
        return self.right / len(self.dataset)

    @cached_property
    def loss(self) -> float:
        """Mean cross-entropy, in nats."""
        return cross_entropy(self.scores, self.dataset.labels)[0]

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Numbers of pictures (classes, classes): a row for what they are, a column for what the network says."""
        counts = np.zeros((len(self.classes), len(self.classes)), np.int64)
        np.add.at(counts, (self.dataset.labels, self.answers), 1)
        return counts

    @cached_property
    def mistakes(self) -> list[Mistake]:
        """Every picture that was taken for something else, the most confident mistake first."""
        numbers = np.flatnonzero(self.answers != self.dataset.labels)
        confidences = softmax(self.scores[numbers]).max(axis=1, initial=0.0)
        order = np.argsort(-confidences, kind="stable")
        found = zip(numbers[order].tolist(), confidences[order].tolist(), strict=True)
        return [Mistake(n, int(self.dataset.labels[n]), int(self.answers[n]), sure) for n, sure in found]


@dataclass(frozen=True)
class Redrawing:
    """What an autoencoder draws of the pictures of a dataset: mean squared error, and the share of right pixels."""

    loss: float
    accuracy: float
    pictures: int


@dataclass(frozen=True)
class Labelling:
    """Which classes a network finds in pictures that may have several: scores and targets (N, classes), yes above 0.

    >>> pictures = Labelling(np.array([[2.0, 1.0], [3.0, -1.0]]), np.array([[1.0, 1.0], [0.0, 0.0]]), ("cat", "dog"))
    >>> pictures.right, pictures.counts.tolist()
    (1, [[1, 1, 1, 1], [1, 1, 1, 0]])
    """

    scores: Array
    targets: Array
    classes: tuple[str, ...]

    @property
    def right(self) -> int:
        """Number of pictures with every class right."""
        return int(((self.scores > 0) == (self.targets > 0)).all(axis=1).sum())

    @property
    def accuracy(self) -> float:
        """The share of these, 0 to 1."""
        return self.right / len(self.scores)

    @property
    def loss(self) -> float:
        """Mean binary cross-entropy, in nats."""
        return binary_cross_entropy_with_logits(self.scores, self.targets)[0]

    @property
    def counts(self) -> NDArray[np.int64]:
        """For each class in how many pictures it is, is found, is not, and is seen all the same: (classes, 4)."""
        there, seen = self.targets > 0, self.scores > 0
        columns = (there, there & seen, ~there, ~there & seen)
        return np.stack([column.sum(axis=0) for column in columns], axis=1)


def score(network: Network, tensors: Mapping[str, Array], dataset: Dataset) -> Evaluation | Labelling | Redrawing:
    """How well a network does what it is trained for, with pictures that are `prepared` for it."""
    if several(network, dataset.classes) and not redraws(network):
        objective = Objective.of(network, "bce", dataset.classes)
        scores = outputs(network, tensors, dataset, objective.layer)
        return Labelling(scores, objective.targets[dataset.labels], network.classes)
    if not redraws(network):
        return evaluate(network, tensors, dataset)
    objective = Objective.of(network)
    answer = outputs(network, tensors, dataset, objective.layer), dataset.images, dataset.labels
    return Redrawing(objective(*answer)[0], objective.right(*answer) / len(dataset), len(dataset))


def outputs(network: Network, tensors: Mapping[str, Array], dataset: Dataset, layer: str) -> Array:
    """What a layer makes of pictures, some at a time: scores (N, classes), or pictures (N, C, H, W)."""
    parts = (dataset.images[start : start + BATCH] for start in range(0, len(dataset), BATCH))
    return np.concatenate([network.forward(part, tensors)[layer] for part in parts])


def evaluate(network: Network, tensors: Mapping[str, Array], dataset: Dataset) -> Evaluation:
    """What a network with these weights answers to pictures (N, C, H, W) that are `prepared` for it."""
    scores = outputs(network, tensors, dataset, network.logits)
    return Evaluation(dataset, scores, network.classes or tuple(map(str, range(scores.shape[1]))))


def prepared(dataset: Dataset, network: Network) -> Dataset:
    """A dataset as a network reads it: pictures in its size, labels in the order of its classes.

    Classes are the same where they have the same name. Data whose classes are numbers may also be for a network that
    names its classes otherwise: then 0 is its first one. Labels that name `several` classes stay as they are, and an
    autoencoder takes pictures of any class. Raises ShapeError
    where the network is neither, DataError where pictures or classes do not fit.
    """
    shape = network.output.out_shape
    if redraws(network):
        return dataset.fit(network.input_shape, len(dataset.classes))
    if len(shape) != 1:
        raise ShapeError(
            f"layer {network.output.name!r} gives {shape}: a network that classifies ends in one number for each class,"
            " one that redraws in a picture as large as its input"
        )
    if several(network, dataset.classes):
        return dataset.fit(network.input_shape, len(dataset.classes))
    places = {name: place for place, name in enumerate(network.classes)}
    strangers = [name for name in dataset.classes if name not in places]
    if network.classes and not strangers:
        labels = np.array([places[name] for name in dataset.classes])[dataset.labels]
        dataset = replace(dataset, labels=labels, classes=network.classes)
    elif network.classes and not all(name.isdecimal() for name in dataset.classes):
        raise DataError(
            f"{dataset.source}: the network has no class {strangers[0]!r}, only {', '.join(network.classes)}"
        )
    return dataset.fit(network.input_shape, *shape)


def as_text(result: Evaluation | Labelling | Redrawing, mistakes: int = 10) -> Iterator[str]:
    """Accuracy, confusion matrix and the worst mistakes as lines for a terminal; of pictures the error alone."""
    if isinstance(result, Labelling):
        yield f"{result.accuracy:.2%} right in every class: {result.right:,} of {len(result.scores):,} pictures, " + (
            f"loss {result.loss:.4f}"
        )
        yield ""
        heads = ["", "is there", "found", "is not", "seen anyway"]
        lines = ([name, *map(str, row)] for name, row in zip(result.classes, result.counts.tolist(), strict=True))
        yield from _aligned([heads, *lines])
        return
    if isinstance(result, Redrawing):
        pixels = f"{result.accuracy:.2%} of the pixels of {result.pictures:,} pictures are right, black or white"
        yield f"mean squared error {result.loss:.4f}, {pixels}"
        return
    count = len(result.dataset)
    yield f"{result.accuracy:.2%} right: {result.right:,} of {count:,} pictures, loss {result.loss:.4f}"
    yield ""
    yield from _table(result)
    worst = result.mistakes[:mistakes]
    if worst:
        yield ""
        yield f"the most confident mistakes, of {len(result.mistakes)}; pictures count from 0:"
    for number, label, answer, confidence in worst:
        place, what = result.dataset.place(number), result.classes[label]
        yield f"  picture {place} is {what}, taken for {result.classes[answer]} ({confidence:.1%})"


def _table(result: Evaluation) -> Iterator[str]:
    rows = [["is \\ says", *result.classes, "right"]]
    for name, line, place in zip(result.classes, result.confusion, range(len(result.classes)), strict=True):
        share = f"{line[place] / line.sum():.1%}" if line.sum() else "-"
        rows.append([name, *(str(n) if n else "." for n in line), share])
    yield from _aligned(rows)


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    """A table as lines, its first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(
            text.ljust(width) if place == 0 else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        )
