"""Training: epochs of gradient descent that can be watched, interrupted and resumed."""

import contextlib
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells.inputs import Limits
from conv_sheet.errors import DataError, SpecError
from conv_sheet.layers import Array
from conv_sheet.learning.augment import Augmentation
from conv_sheet.learning.data import Dataset
from conv_sheet.learning.evaluate import outputs
from conv_sheet.learning.objective import Objective
from conv_sheet.network import weights as files
from conv_sheet.network.graph import Network
from conv_sheet.ops.optim import Adam, CosineAnnealingLR, Optimizer, Schedule

Tensors = Mapping[str, Array]


@dataclass(frozen=True)
class Settings:
    """How to train; the learning rate falls from the optimiser's by the schedule, to zero unless another is given.

    `freeze` names layers that keep their weights, `seed` decides the order of the pictures and their distortions;
    `loss` is one of `objective.LOSSES`, None for that which suits the network. The run ends early after an epoch whose
    validation loss is below `enough`.
    """

    optimizer: Optimizer = field(default_factory=Adam)
    epochs: int = 20
    batch_size: int = 64
    freeze: tuple[str, ...] = ()
    augmentation: Augmentation | None = None
    seed: int = 0
    loss: str | None = None
    schedule: Schedule = field(default_factory=CosineAnnealingLR)
    enough: float = 0.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise SpecError(f"{name} = {getattr(self, name)} must be 1 or more")


class Epoch(NamedTuple):
    """How an epoch went: mean loss and accuracy over the pictures as training saw them, then over the held-out ones."""

    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float


class Progress(NamedTuple):
    """Where a run stands after a batch: steps done and in all, the epoch (from 1) with its means so far.

    `validated` is the accuracy on held-out pictures after the epoch before, None in the first.
    """

    step: int
    steps: int
    epoch: int
    loss: float
    accuracy: float
    validated: float | None


@dataclass(frozen=True)
class Run:
    """A training after some complete epochs: all that it needs to go on, and the best weights so far."""

    tensors: Tensors
    state: Tensors
    """The optimiser's."""
    best: Tensors
    history: tuple[Epoch, ...] = ()

    @property
    def loss(self) -> float:
        """Validation loss of the last epoch, infinite before the first."""
        return self.history[-1].validation_loss if self.history else math.inf

    @property
    def best_epoch(self) -> int:
        """Number, from 1, of the epoch that validated best, the one with the lower loss where several did; 0: none."""
        return max(range(len(self.history)), key=lambda i: _merit(self.history[i]), default=-1) + 1


def fit(
    network: Network,
    tensors: Tensors,
    train: Dataset,
    validation: Dataset,
    settings: Settings,
    progress: Callable[[Progress], None] = lambda _: None,
    checkpoint: Path | None = None,
    anew: bool = False,
) -> Run:
    """Train a network from `tensors` on: unless the settings say otherwise, a classifier by the cross-entropy of its
    scores before a last Softmax, an autoencoder by the mean squared error of what it draws.

    Both datasets are `prepared` for the network. `progress` is called after each batch. A `checkpoint` is written
    after each epoch; where the file exists, the run goes on from it, to exactly the weights that it would have had
    without a break. With `anew` the run begins at the beginning, and the file stays until an epoch replaces it. Ctrl-C
    ends the run at the last complete epoch. Layers train as after PyTorch's `train()`, but BatchNorm2d keeps its own
    statistics.

    Raises SpecError where `freeze` or `loss` is wrong, DataError for a checkpoint of another run.

    >>> net = Network.from_spec({"input": [1, 2, 2], "layers": [
    ...     {"kind": "Flatten"}, {"kind": "Linear", "name": "fc", "out_features": 2}]})
    >>> bars = Dataset(np.array([[[[1.0, 1.0], [0.0, 0.0]]], [[[0.0, 0.0], [1.0, 1.0]]]]), np.arange(2), (), "bars")
    >>> run = fit(net, net.initial(seed=0), bars, bars, Settings(Adam(lr=0.1), epochs=30))
    >>> run.history[-1].validation_accuracy, run.best["fc.weight"].shape
    (1.0, (2, 4))
    """
    names = _trained(network, settings.freeze)
    objective = Objective.of(network, settings.loss, train.classes)
    course = _Course(network, names, train, validation, settings, objective, progress)
    run = Run(tensors, settings.optimizer.start({name: tensors[name] for name in names}), tensors)
    identity = _identity(network, tensors, train, validation, settings)
    if checkpoint is not None and checkpoint.exists() and not anew:
        run = _load(checkpoint, identity)
    with contextlib.suppress(KeyboardInterrupt), np.errstate(over="ignore", invalid="ignore"):
        while len(run.history) < settings.epochs and not run.loss < settings.enough:
            run = course.epoch(run)
            if checkpoint is not None:
                _save(checkpoint, run, identity)
    return run


def _trained(network: Network, freeze: tuple[str, ...]) -> list[str]:
    """Full names of the parameters that are to change."""
    layers = list(dict.fromkeys(name.split(".")[0] for name in network.trainable()))
    for name in freeze:
        if name not in layers:
            raise SpecError(f"there is no layer {name!r} to freeze; the layers with weights are {', '.join(layers)}")
    names = [name for name in network.trainable() if name.split(".")[0] not in freeze]
    if not names:
        raise SpecError("nothing is left to train: every layer with weights is frozen")
    return names


@dataclass(frozen=True)
class _Course:
    """What stays the same from epoch to epoch; `names` are the parameters that change."""

    network: Network
    names: list[str]
    train: Dataset
    validation: Dataset
    settings: Settings
    objective: Objective
    progress: Callable[[Progress], None]

    def epoch(self, run: Run) -> Run:
        """The run one epoch later. Random numbers follow from seed and epoch, so that a break between changes none."""
        number, settings = len(run.history), self.settings
        rng = np.random.default_rng((settings.seed, number))
        order, starts = rng.permutation(len(self.train)), range(0, len(self.train), settings.batch_size)
        tensors, state, seen, loss_sum, well = dict(run.tensors), run.state, 0, 0.0, 0.0
        validated = run.history[-1].validation_accuracy if run.history else None
        for step, start in enumerate(starts, number * len(starts)):
            steps = settings.epochs * len(starts)
            part = self.train.take(order[start : start + settings.batch_size])
            loss, count, gradients = self._gradients(tensors, part, rng)
            parameters = {name: tensors[name] for name in self.names}
            factor = settings.schedule.factor(step, steps, settings.epochs)
            parameters, state = settings.optimizer.step(parameters, gradients, state, factor)
            tensors |= parameters
            seen, loss_sum = seen + len(part), loss_sum + loss * len(part)
            well += count
            self.progress(Progress(step + 1, steps, number + 1, loss_sum / seen, well / seen, validated))
        self._check_size(tensors)
        epoch = Epoch(loss_sum / seen, well / seen, *self._validated(tensors))
        better = all(_merit(epoch) > _merit(before) for before in run.history)
        return Run(tensors, state, tensors if better else run.best, (*run.history, epoch))

    def _gradients(
        self, tensors: Tensors, part: Dataset, rng: "np.random.Generator"
    ) -> tuple[float, float, dict[str, Array]]:
        """Loss of a batch, how many of its pictures are right, and the gradients of the parameters that change."""
        network, augmentation = self.network, self.settings.augmentation
        images = part.images if augmentation is None else augmentation(part.images, rng)
        training = dict(tensors)
        for node in network.nodes:
            training |= node.full(node.layer.while_training(rng))
        values = network.forward(images, training)
        answer = values[self.objective.layer], images, part.labels
        loss, gradient = self.objective(*answer)
        if not math.isfinite(loss):
            raise SpecError(f"the loss has become {loss}: try a learning rate below {self.settings.optimizer.lr:g}")
        gradients = network.backward(gradient, values, training, start=self.objective.layer, wanted=self.names)
        return loss, self.objective.right(*answer), {name: gradients[name] for name in self.names}

    def _check_size(self, tensors: Tensors) -> None:
        """Raise SpecError where a weight has become too large for its cell."""
        largest = max((np.abs(tensors[name]).max() for name in self.names), default=0.0)
        if not largest <= Limits().high:
            raise SpecError(
                f"a weight has become {largest:.3g}, and cells take {Limits().high:,.0f} at most: "
                f"try a learning rate below {self.settings.optimizer.lr:g}"
            )

    def _validated(self, tensors: Tensors) -> tuple[float, float]:
        """Loss and accuracy of the held-out pictures."""
        held = self.validation
        answer = outputs(self.network, tensors, held, self.objective.layer), held.images, held.labels
        return self.objective(*answer)[0], self.objective.right(*answer) / len(held)


def _merit(epoch: Epoch) -> tuple[float, float]:
    return epoch.validation_accuracy, -epoch.validation_loss


# -- checkpoints -------------------------------------------------------------------------------------------------------


def _identity(
    network: Network, tensors: Tensors, train: Dataset, validation: Dataset, settings: Settings
) -> dict[str, str]:
    """What must be the same when a run goes on, by what to call it."""
    return {
        "network": network.to_toml(),
        "settings": repr(settings),
        "initial weights": _digest(*tensors.values()),
        "data": _digest(train.images, train.labels, validation.images, validation.labels),
    }


def _digest(*arrays: NDArray[np.generic]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _save(path: Path, run: Run, identity: Mapping[str, str]) -> None:
    groups = {"tensors": run.tensors, "state": run.state, "best": run.best}
    arrays = {f"{group}/{name}": array for group, held in groups.items() for name, array in held.items()}
    texts = {f"identity/{what}": np.array(text) for what, text in identity.items()}
    files.save(path, {**arrays, **texts, "history": np.array(run.history)})


def _load(path: Path, identity: Mapping[str, str]) -> Run:
    arrays = files.load(path)
    groups: dict[str, dict[str, Array]] = {"tensors": {}, "state": {}, "best": {}, "identity": {}}
    try:
        history = tuple(Epoch(*map(float, row)) for row in arrays.pop("history"))
        for key, array in arrays.items():
            group, name = key.split("/", 1)
            groups[group][name] = array
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path} is not a checkpoint of a training: delete it to start anew") from None
    for what, text in identity.items():
        if str(groups["identity"].get(what)) != text:
            raise DataError(
                f"{path} belongs to a training with other {what}: "
                "resume it with the options that began it, or delete it to start anew"
            )
    return Run(groups["tensors"], groups["state"], groups["best"], history)
