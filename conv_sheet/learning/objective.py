"""What a network is trained for: to name what it sees, or to draw it again; and the loss that says how well it does."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conv_sheet.errors import SpecError
from conv_sheet.layers import Array
from conv_sheet.network.graph import Network
from conv_sheet.ops.losses import LOSSES, OF_LABELS, OF_TARGETS
from conv_sheet.pictures.drawings import AND

Labels = NDArray[np.int64]


def redraws(network: Network) -> bool:
    """Whether a network's output is a picture like the one that it reads: an autoencoder.

    >>> redraws(Network.from_spec({"input": [1, 4, 4], "layers": [{"kind": "Sigmoid"}]}))
    True
    """
    return network.output.out_shape == network.input_shape


def several(network: Network, labels: Collection[str]) -> bool:
    """Whether labels of pictures name several of a network's classes at once, joined by a plus sign.

    >>> layers = [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 2}]
    >>> pets = Network.from_spec({"input": [1, 4, 4], "classes": ["cat", "dog"], "layers": layers})
    >>> several(pets, ("cat", "cat+dog")), several(pets, ("cat", "dog"))
    (True, False)
    """
    classes = set(network.classes)
    return not classes.issuperset(labels) and all(classes.issuperset(label.split(AND)) for label in labels)


def goal_of(label: str, classes: Sequence[str]) -> Array:
    """1 for each class that a label names, alone or joined by a plus sign, and 0 for the others.

    >>> goal_of("cat+dog", ("cat", "dog", "bird")).tolist()
    [1.0, 1.0, 0.0]
    """
    named = {label} if label in classes else set(label.split(AND))
    return np.array([float(name in named) for name in classes])


@dataclass(frozen=True)
class Objective:
    """A network and its loss, one of `LOSSES`, for pictures whose labels are its classes, or name `several` of them.

    `mse` and `bce` compare an autoencoder's pixels with those that it read, and a classifier's scores with 1 for the
    classes that are right and 0 for the others. Raises SpecError for a loss that does not suit network or labels.

    >>> layers = [{"kind": "Flatten"}, {"kind": "Linear", "name": "fc", "out_features": 2}, {"kind": "Softmax"}]
    >>> objective = Objective(Network.from_spec({"input": [1, 1, 1], "layers": layers}), "hinge")
    >>> objective.layer, objective(np.array([[1.0, 1.5]]), np.zeros((1, 1, 1, 1)), np.array([0]))
    ('fc', (1.5, array([[-1.,  1.]])))
    """

    network: Network
    loss: str
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise SpecError(f"there is no loss {self.loss!r}: take one of {', '.join(LOSSES)}")
        if redraws(self.network) and self.loss in OF_LABELS:
            raise SpecError(f"the loss {self.loss} is for classes, and this network draws pictures: take mse or bce")
        if self.several and self.loss in OF_LABELS:
            joined = next(label for label in self.labels if label not in self.network.classes)
            raise SpecError(
                f"the loss {self.loss} is for one class in each picture, and {joined!r} has several: take bce or mse"
            )
        if redraws(self.network) and self.loss == "bce" and not self._sigmoid:
            raise SpecError("the loss bce of a network that draws pictures wants a Sigmoid as its last layer: take mse")

    @classmethod
    def of(cls, network: Network, loss: str | None = None, labels: tuple[str, ...] = ()) -> "Objective":
        """That with the loss named; without one cross-entropy for a classifier, `mse` for an autoencoder."""
        return cls(network, loss or ("mse" if redraws(network) else "cross-entropy"), labels)

    @cached_property
    def several(self) -> bool:
        """Whether a picture may have several classes."""
        return not redraws(self.network) and several(self.network, self.labels)

    @cached_property
    def targets(self) -> Array:
        """A row for each label, with 1 for the classes that it names and 0 for the others."""
        if not self.several:
            return np.eye(self.network.output.out_shape[0])
        return np.stack([goal_of(label, self.network.classes) for label in self.labels])

    @property
    def asks_each(self) -> bool:
        """Whether each class is a yes or no of its own, so that a picture may have several, or none."""
        return self.loss == "bce" and not redraws(self.network)

    @property
    def layer(self) -> str:
        """Name of the layer that the loss reads: that before a last Softmax; for `bce` also before a last Sigmoid."""
        if self.loss == "bce" and self._sigmoid:
            return self.network.output.inputs[0]
        return self.network.logits

    def __call__(self, scores: Array, images: Array, labels: Labels) -> tuple[float, Array]:
        """Loss of a batch and its gradient by what `layer` gives."""
        return self.toward(scores, images if redraws(self.network) else self.targets[labels])

    def toward(self, scores: Array, goals: Array) -> tuple[float, Array]:
        """The same of goals: pictures, or (N, classes) with 1 for what is right and 0 for the others."""
        if self.loss in OF_LABELS:
            return OF_LABELS[self.loss](scores, goals.argmax(axis=1))
        return OF_TARGETS[self.loss](scores, goals)

    def right(self, scores: Array, images: Array, labels: Labels) -> float:
        """How many pictures of a batch come out right; of one that is drawn again the share of pixels, black or white.

        Of several classes all must be right. A logit of 0 is the middle of yes and no where the loss reads logits.
        """
        middle = 0.0 if self.loss == "bce" else 0.5
        if redraws(self.network):
            return float(((scores > middle) == (images > 0.5)).mean(axis=(1, 2, 3)).sum())
        if self.several:
            return float(((scores > middle) == (self.targets[labels] > 0.5)).all(axis=1).sum())
        return float(np.count_nonzero(scores.argmax(axis=1) == labels))

    @property
    def _sigmoid(self) -> bool:
        return self.network.output.layer.kind == "Sigmoid"
