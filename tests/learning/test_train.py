"""Training against PyTorch's, against mathematics, and against itself after a break."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from conv_sheet import lessons
from conv_sheet.errors import DataError, SpecError
from conv_sheet.layers import Array
from conv_sheet.learning.augment import Augmentation
from conv_sheet.learning.data import Dataset
from conv_sheet.learning.evaluate import evaluate
from conv_sheet.learning.train import Progress, Run, Settings, fit
from conv_sheet.network.graph import Network
from conv_sheet.network.weights import save as save_weights
from conv_sheet.ops.optim import SGD, Adam, Optimizer
from conv_sheet.pictures.samples import sample

SIZE, CLASSES = 8, 3
LAYERS: list[dict[str, Any]] = [
    {"name": "conv1", "kind": "Conv2d", "out_channels": 4, "kernel_size": 3},
    {"kind": "ReLU"},
    {"kind": "MaxPool2d", "kernel_size": 2},
    {"kind": "Flatten"},
    {"name": "fc", "kind": "Linear", "out_features": CLASSES},
    {"kind": "Softmax"},
]
STEPS = 10
TRAINED = ("fastai", "lenet")
"""Lessons that read handwritten digits."""


def network(layers: list[dict[str, Any]] = LAYERS) -> Network:
    return Network.from_spec({"input": [1, SIZE, SIZE], "classes": ["a", "b", "c"], "layers": layers})


def twin(tensors: dict[str, Array]) -> nn.Sequential:
    """PyTorch's model of the same layers and weights; its loss takes logits, so that it has no softmax."""
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, CLASSES)).double()
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), tensors.values(), strict=True):
            parameter.copy_(torch.tensor(value))
    return model


class Recorded(Dataset):
    """A dataset that remembers which pictures were taken from it."""

    @property
    def taken(self) -> list[NDArray[np.int64]]:
        return self.__dict__.setdefault("_taken", [])  # type: ignore[no-any-return]

    def take(self, indices: NDArray[np.int64]) -> Dataset:
        self.taken.append(indices)
        return super().take(indices)


def noise(count: int = 30, seed: int = 0) -> Recorded:
    """Pictures and labels without rhyme or reason."""
    rng = np.random.default_rng(seed)
    images = rng.random((count, 1, SIZE, SIZE))
    return Recorded(images, rng.integers(0, CLASSES, count), ("a", "b", "c"), "noise")


def trained(settings: Settings, progress: Callable[[Progress], None] = lambda _: None, path: Path | None = None) -> Run:
    net = network()
    return fit(net, net.initial(1), noise(), noise(9, seed=1), settings, progress, path)


def assert_same(one: Run, two: Run) -> None:
    assert one.history == two.history
    for ours, theirs in ((one.tensors, two.tensors), (one.best, two.best), (one.state, two.state)):
        assert list(ours) == list(theirs)
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


# -- the oracle: PyTorch -----------------------------------------------------------------------------------------------

TorchOptimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (SGD(0.1), lambda p: torch.optim.SGD(p, 0.1)),
        (SGD(0.1, momentum=0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
        (Adam(0.01), lambda p: torch.optim.Adam(p, 0.01)),
    ],
    ids=["sgd", "momentum", "adam"],
)
def test_ten_steps_are_those_of_pytorch(ours: Optimizer, theirs: TorchOptimizer) -> None:
    net, data = network(), noise()
    tensors = net.initial(1)
    losses: list[float] = []
    settings = Settings(ours, epochs=STEPS // 2, batch_size=20)
    run = fit(net, tensors, data, noise(9), settings, lambda now: losses.append(now.loss))

    model = twin(tensors)
    optimizer = theirs(model.parameters())
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    assert [len(batch) for batch in data.taken] == [20, 10] * (STEPS // 2)
    expected: list[float] = []
    for batch in data.taken:
        loss = nn.functional.cross_entropy(model(torch.tensor(data.images[batch])), torch.tensor(data.labels[batch]))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        expected.append(loss.item())
    for (name, value), parameter in zip(run.tensors.items(), model.parameters(), strict=True):
        np.testing.assert_allclose(value, parameter.detach().numpy(), rtol=1e-9, atol=1e-10, err_msg=name)
    means = [np.average(expected[i : i + 2], weights=[20, 10]) for i in range(0, STEPS, 2)]
    np.testing.assert_allclose([epoch.loss for epoch in run.history], means, rtol=1e-10)
    np.testing.assert_allclose(losses[::2], expected[::2], rtol=1e-10)


def test_every_epoch_sees_every_picture_once_in_another_order() -> None:
    net, data = network(), noise()
    fit(net, net.initial(1), data, noise(9), Settings(epochs=2, batch_size=7))
    epochs = [np.concatenate(data.taken[:5]), np.concatenate(data.taken[5:])]
    for order in epochs:
        np.testing.assert_array_equal(np.sort(order), np.arange(30))
    assert (epochs[0] != epochs[1]).any()


# -- what CS231n asks of a training ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRAINED)
def test_the_first_loss_is_that_of_guessing(name: str) -> None:
    """A network that knows nothing gives each class about the same probability: the loss is ln(classes)."""
    net = lessons.load(name).network
    images = np.stack([sample(f"digit {n}", net.input_shape) for n in range(10)])
    guessing = Dataset(images, np.arange(10), net.classes, "digits")
    losses = [evaluate(net, net.initial(seed), guessing).loss for seed in range(5)]
    assert np.mean(losses) == pytest.approx(math.log(10), rel=0.05)


def test_a_handful_of_pictures_is_learned_by_heart() -> None:
    """Labels that mean nothing: there is no way to a loss of zero but to remember each picture."""
    net, data = network(), noise(8)
    run = fit(net, net.initial(0), data, data, Settings(Adam(0.1), epochs=300, batch_size=8))
    assert run.history[0].loss > 1
    assert run.history[-1].loss < 1e-3
    assert run.history[-1].validation_accuracy == 1.0


def test_distorted_pictures_train_too() -> None:
    plain = trained(Settings(epochs=2))
    distorted = trained(Settings(epochs=2, augmentation=Augmentation()))
    assert plain.history[0].loss != distorted.history[0].loss


def test_dropout_drops_while_training_and_not_in_validation() -> None:
    net = network([*LAYERS[:4], {"kind": "Dropout", "name": "drop", "p": 0.9}, *LAYERS[4:]])
    data = noise()
    tensors = net.initial(1)
    still = SGD(1e-12)
    run = fit(net, tensors, data, data, Settings(still, epochs=2, batch_size=30))
    without = network()
    known = {name: tensors[name] for name in without.parameters}
    expected = evaluate(without, known, data).loss
    assert run.history[0].validation_loss == pytest.approx(expected, rel=1e-9)
    assert len({epoch.loss for epoch in run.history} | {expected}) == 3
    assert run.tensors["drop.active"] == 0


# -- seeds, breaks, frozen layers --------------------------------------------------------------------------------------

SETTINGS = Settings(Adam(0.01), epochs=6, batch_size=8, augmentation=Augmentation(elastic=1.0), seed=3)


def test_a_seed_gives_the_same_weights_again_and_another_others() -> None:
    first = trained(SETTINGS)
    assert_same(first, trained(SETTINGS))
    other = trained(Settings(Adam(0.01), epochs=6, batch_size=8, augmentation=Augmentation(elastic=1.0), seed=4))
    assert (first.tensors["fc.weight"] != other.tensors["fc.weight"]).any()


def interrupt(at: int) -> Callable[[Progress], None]:
    def progress(now: Progress) -> None:
        if now.step == at:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("step", [5, 10, 15])  # of 24, four an epoch
def test_an_interrupted_run_loses_at_most_an_epoch_and_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, step: int
) -> None:
    whole, path = trained(SETTINGS), tmp_path / "w.checkpoint.npz"
    broken = trained(SETTINGS, interrupt(step), path)
    assert len(broken.history) == (step - 1) // 4
    assert broken.history == whole.history[: len(broken.history)]
    assert_same(trained(SETTINGS, path=path), whole)
    assert_same(trained(SETTINGS, path=path), whole)


def test_other_errors_pass_and_leave_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "w.checkpoint.npz"

    def fail(now: Progress) -> None:
        if now.epoch == 3:
            raise OSError("the terminal is gone")

    with pytest.raises(OSError, match="terminal"):
        trained(SETTINGS, fail, path)
    steps: list[int] = []
    assert_same(trained(SETTINGS, lambda now: steps.append(now.step), path), trained(SETTINGS))
    assert steps == list(range(9, 25))


def test_the_best_weights_are_those_that_validated_best() -> None:
    run = trained(Settings(SGD(2.0), epochs=12, batch_size=5))
    accuracies = [epoch.validation_accuracy for epoch in run.history]
    assert 0 < run.best_epoch < 12, "this test needs a training that got worse in the end"
    assert accuracies[run.best_epoch - 1] == max(accuracies)
    best = evaluate(network(), run.best, noise(9, seed=1))
    assert best.accuracy == max(accuracies)
    assert best.loss == run.history[run.best_epoch - 1].validation_loss


@pytest.mark.parametrize("frozen", ["conv1", "fc"])
def test_frozen_layers_keep_their_weights_and_the_others_learn(frozen: str) -> None:
    net = network()
    start = net.initial(1)
    run = trained(Settings(Adam(0.01), epochs=2, freeze=(frozen,)))
    for name in start:
        assert (run.tensors[name] == start[name]).all() == name.startswith(frozen), name
    assert not any(frozen in name for name in run.state)


def test_the_way_back_ends_at_the_first_layer_that_learns() -> None:
    net = network()
    tensors, data = net.initial(1), noise()
    values = net.forward(data.images, tensors)
    upstream = np.random.default_rng(0).normal(size=(30, CLASSES))
    every = net.backward(upstream, values, tensors)
    for wanted in (["conv1.weight", "fc.bias"], ["fc.weight", "fc.bias"]):
        some = net.backward(upstream, values, tensors, wanted=wanted)
        for name in wanted:
            np.testing.assert_array_equal(some[name], every[name])
        assert "input" not in some
    assert "pool1" in every
    assert "conv1" not in net.backward(upstream, values, tensors, wanted=["fc.weight"])


# -- what is wrong -----------------------------------------------------------------------------------------------------


def test_wrong_settings_name_what_is_there() -> None:
    with pytest.raises(SpecError, match=r"no layer 'conv9'.*conv1, fc"):
        trained(Settings(freeze=("conv9",)))
    with pytest.raises(SpecError, match="nothing is left"):
        trained(Settings(freeze=("conv1", "fc")))
    with pytest.raises(SpecError, match="epochs = 0"):
        Settings(epochs=0)
    with pytest.raises(SpecError, match="batch_size = -1"):
        Settings(batch_size=-1)


def test_a_loss_that_explodes_says_so() -> None:
    with pytest.raises(SpecError, match="learning rate below 1e"):
        trained(Settings(SGD(1e200), epochs=3))


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.checkpoint.npz"
    trained(SETTINGS, interrupt(6), path)
    kept = path.read_bytes()
    net = network()
    others: list[tuple[str, Callable[[], Run]]] = [
        ("settings", lambda: trained(Settings(Adam(0.02), epochs=6), path=path)),
        ("data", lambda: fit(net, net.initial(1), noise(seed=5), noise(9, seed=1), SETTINGS, checkpoint=path)),
        ("initial weights", lambda: fit(net, net.initial(2), noise(), noise(9, seed=1), SETTINGS, checkpoint=path)),
    ]
    for what, run in others:
        with pytest.raises(DataError, match=rf"w\.checkpoint\.npz belongs to a training with other {what}"):
            run()
    wider = network([{**LAYERS[0], "out_channels": 5}, *LAYERS[1:]])
    with pytest.raises(DataError, match="other network"):
        fit(wider, wider.initial(1), noise(), noise(9, seed=1), SETTINGS, checkpoint=path)
    assert path.read_bytes() == kept


def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "w.checkpoint.npz"
    save_weights(path, network().initial(1))
    with pytest.raises(DataError, match=r"w\.checkpoint\.npz is not a checkpoint"):
        trained(SETTINGS, path=path)
    path.write_bytes(b"PK")
    with pytest.raises(DataError, match=r"w\.checkpoint\.npz: not an \.npz"):
        trained(SETTINGS, path=path)
