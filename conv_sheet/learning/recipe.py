"""A training from labelled pictures to a file of weights: what the command `train` does."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from conv_sheet.errors import ConvSheetError, DataError, SpecError
from conv_sheet.files import check_free
from conv_sheet.learning import plot as curves
from conv_sheet.learning.augment import Augmentation
from conv_sheet.learning.data import Dataset, load_parts, split
from conv_sheet.learning.evaluate import prepared, score
from conv_sheet.learning.objective import Objective, redraws
from conv_sheet.learning.train import Progress, Run, Settings, fit
from conv_sheet.network.graph import Network
from conv_sheet.network.weights import save
from conv_sheet.ops import Array
from conv_sheet.ops.optim import SGD, Adam, CosineAnnealingLR, Optimizer, RMSprop, Schedule, StepLR

LEARNING_RATES = {"sgd": 0.1, "momentum": 0.03, "rmsprop": 0.001, "adam": 0.003}
"""The optimisers by name, and the learning rate that each starts with unless another is given."""
_SCHEDULES = ("cosine", "step")
ENOUGH = 0.01
"""A loss close to zero: a cross-entropy where the right class has a probability of 99 %."""
_DECIMALS = 5
"""Of trained weights: the cells that show them have room for few, and the answers are the same."""
_SPLIT_SEED = 0
"""Of every split, so that `evaluate` finds the pictures that `train` left aside."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained from its initial weights.

    `validation` and `hold_out` are shares of the pictures: those that say after each epoch how well it goes, and those
    that are left aside altogether. `lr` is the learning rate at the start, the optimiser's own where it is None;
    `loss` is one of `objective.LOSSES`, None for that which suits the network. `momentum` is 0.9 for the optimiser
    of that name and 0 for the others where it is None. The `schedule` of the learning rate is `cosine`, or `step`: then
    `gamma` multiplies it after every `step_size` epochs, 0.1 after each third of them where these are None.
    With `resize`, pictures of any size are fitted into the network's input.
    """

    epochs: int = 20
    batch_size: int = 64
    optimizer: str = "adam"
    lr: float | None = None
    loss: str | None = None
    momentum: float | None = None
    nesterov: bool = False
    weight_decay: float = 0.0
    schedule: str = "cosine"
    step_size: int | None = None
    gamma: float | None = None
    freeze: tuple[str, ...] = ()
    augment: bool = True
    validation: float = 0.1
    hold_out: float | None = None
    resize: bool = False
    seed: int = 0

    def settings(self) -> Settings:
        """The same for `fit`. Raises SpecError for options that do not go together or have an unknown name."""
        for what, name, known in (
            ("optimizer", self.optimizer, LEARNING_RATES),
            ("schedule", self.schedule, _SCHEDULES),
        ):
            if name not in known:
                raise SpecError(f"there is no {what} {name!r}: take one of {', '.join(known)}")
        return Settings(
            self._optimizer(),
            epochs=self.epochs,
            batch_size=self.batch_size,
            freeze=self.freeze,
            augmentation=Augmentation() if self.augment else None,
            seed=self.seed,
            loss=self.loss,
            schedule=self._schedule(),
        )

    def _optimizer(self) -> Optimizer:
        rate = self.lr or LEARNING_RATES[self.optimizer]
        if self.optimizer == "adam" and self.momentum is not None:
            raise SpecError("adam takes no momentum: choose the optimizer sgd or rmsprop, or omit it")
        if self.optimizer in ("adam", "rmsprop") and self.nesterov:
            raise SpecError(f"{self.optimizer} has no nesterov: choose the optimizer momentum, or omit it")
        momentum = (0.9 if self.optimizer == "momentum" else 0.0) if self.momentum is None else self.momentum
        if self.optimizer == "adam":
            return Adam(rate, weight_decay=self.weight_decay)
        if self.optimizer == "rmsprop":
            return RMSprop(rate, weight_decay=self.weight_decay, momentum=momentum)
        return SGD(rate, momentum, self.weight_decay, self.nesterov)

    def _schedule(self) -> Schedule:
        if self.schedule == "step":
            return StepLR(self.step_size or math.ceil(self.epochs / 3), 0.1 if self.gamma is None else self.gamma)
        if (self.step_size, self.gamma) != (None, None):
            raise SpecError("step_size and gamma belong to the schedule step: choose it, or omit them")
        return CosineAnnealingLR()


@dataclass(frozen=True)
class Trained:
    """What a training gave: weights by full name, those of which epoch, and how they answer the validation pictures."""

    weights: Mapping[str, Array] = field(repr=False)
    run: Run = field(repr=False)
    epoch: int
    epochs: int
    accuracy: float
    validated: int
    """Number of validation pictures."""
    loss: str
    """What the loss is called."""
    redrawn: bool = False
    """Whether the accuracy is that of their pixels."""

    @property
    def complete(self) -> bool:
        return len(self.run.history) == self.epochs


def held_out(data: Path, network: Network, share: float | None, resize: bool = False) -> Dataset:
    """The pictures that a training with the same share left aside; all of them where it is None.

    Of data that is divided into parts already, they are the second one.
    """
    pictures, validation = _parts(data, network, share, resize)
    if validation is not None:
        return validation
    return split(pictures, share, _SPLIT_SEED)[1] if share else pictures


def _parts(data: Path, network: Network, share: float | None, resize: bool) -> tuple[Dataset, Dataset | None]:
    """Pictures as a network reads them: to train with, and, where data is divided, to validate with."""
    _, height, width = network.input_shape
    pictures, validation = load_parts(data, (height, width) if resize else None)
    if validation is not None and share:
        raise DataError(f"{data}: {validation.source} is left aside already: leave out --hold-out")
    return prepared(pictures, network), None if validation is None else prepared(validation, network)


def train(
    network: Network,
    data: str | Path,
    recipe: Recipe | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    checkpoint: Path | None = None,
    anew: bool = False,
) -> Trained:
    """Train a network on the pictures of a folder; weights of the last epoch, or of the best one if it was interrupted.

    `data` is what `load_parts` reads, `recipe` how to train; `progress` is called after each batch. Where the file
    `checkpoint` exists, the training goes on from it, or with `anew` replaces it after the first epoch. Raises
    ConvSheetError if not one epoch ended.
    """
    recipe = recipe or Recipe()
    pictures, validation = _parts(Path(data), network, recipe.hold_out, recipe.resize)
    if recipe.hold_out:
        pictures, _ = split(pictures, recipe.hold_out, _SPLIT_SEED)
    if validation is None:
        pictures, validation = split(pictures, recipe.validation, _SPLIT_SEED)
    start = network.initial(recipe.seed)
    run = fit(network, start, pictures, validation, recipe.settings(), progress, checkpoint, anew)
    if not run.history:
        raise ConvSheetError("interrupted before the first epoch ended: nothing is learned yet, and nothing written")
    complete = len(run.history) == recipe.epochs
    number, kept = (recipe.epochs, run.tensors) if complete else (run.best_epoch, run.best)
    weights = {
        name: kept[name] if (kept[name] == start[name]).all() else kept[name].round(_DECIMALS)
        for name, shape in network.parameters.items()
        if shape
    }
    result = score(network, {**kept, **weights}, validation)
    loss = Objective.of(network, recipe.loss).loss
    return Trained(weights, run, number, recipe.epochs, result.accuracy, len(validation), loss, redraws(network))


def overfit(
    network: Network,
    data: str | Path,
    count: int,
    recipe: Recipe | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Run:
    """Train on `count` pictures until their loss is below `ENOUGH`: CS231n's sanity check before a long training.

    They are drawn at random, and neither augmentation nor weight decay hinders that they are learned by heart. Raises
    ConvSheetError where they are not after the recipe's epochs, DataError where there are fewer pictures.
    """
    recipe = replace(recipe or Recipe(), augment=False, weight_decay=0.0)
    pictures, _ = _parts(Path(data), network, None, recipe.resize)
    if count > len(pictures):
        raise DataError(f"{pictures.source} has {len(pictures)} pictures to train with, not {count}")
    few = pictures.take(np.random.default_rng(recipe.seed).permutation(len(pictures))[:count])
    run = fit(network, network.initial(recipe.seed), few, few, replace(recipe.settings(), enough=ENOUGH), progress)
    if not run.loss < ENOUGH:
        raise ConvSheetError(
            f"after {len(run.history)} epochs the loss of {count} pictures is {run.loss:.4f}, not below {ENOUGH}: "
            "try another learning rate or more epochs, or look for a mistake in the network"
        )
    return run


@dataclass(frozen=True)
class Outputs:
    """The files of a training: weights, curves, and the checkpoint of one that was interrupted."""

    weights: Path
    plot: Path | None = None

    @property
    def checkpoint(self) -> Path:
        return self.weights.with_suffix(".checkpoint.npz")

    def check(self, resume: bool, force: bool) -> None:
        """Refuse before hours of training what could not be written after them."""
        if self.weights.suffix != ".npz":
            raise DataError(f"{self.weights}: the name of a file of weights ends in .npz")
        if self.checkpoint.exists() and not (force or resume):
            raise DataError(
                f"{self.checkpoint} is of an interrupted training: give --resume to go on, --force to start anew"
            )
        for path in (self.weights, self.checkpoint):
            check_free(path, force or resume)
        if resume and not self.checkpoint.exists():
            raise DataError(f"there is no interrupted training to resume: {self.checkpoint} does not exist")
        if self.plot:
            curves.check(self.plot)
            check_free(self.plot, force or resume)

    def write(self, trained: Trained) -> None:
        """Write weights and curves; a checkpoint stays until the training is complete."""
        save(self.weights, trained.weights)
        if self.plot:
            curves.draw(trained.run.history, trained.epoch, trained.loss, self.plot)
        if trained.complete:
            self.checkpoint.unlink(missing_ok=True)
