"""Networks that draw their picture again: their training, what is said of them, and what does not suit them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner, Result
from torch import Tensor, nn

from conv_sheet.cli import main
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.layers import Array
from conv_sheet.learning.data import Dataset
from conv_sheet.learning.evaluate import Redrawing, prepared, score
from conv_sheet.learning.objective import Objective, redraws
from conv_sheet.learning.train import Settings, fit
from conv_sheet.network import weights
from conv_sheet.network.graph import Network
from conv_sheet.network.spec import parse
from conv_sheet.ops.losses import LOSSES
from conv_sheet.ops.optim import SGD, Adam
from tests.learning.test_data import idx, write_pair

SIZE, PICTURES = 8, 40
SPEC = f"""
input = [1, {SIZE}, {SIZE}]
[[layers]]
name = "down"
kind = "Conv2d"
out_channels = 3
kernel_size = 2
stride = 2
[[layers]]
name = "up"
kind = "ConvTranspose2d"
out_channels = 1
kernel_size = 2
stride = 2
[[layers]]
kind = "Sigmoid"
"""
NETWORK = parse(SPEC).network


def bars(count: int = PICTURES, seed: int = 0) -> Array:
    """Pictures with a row and a column of ink, (count, 1, SIZE, SIZE)."""
    rng, images = np.random.default_rng(seed), np.zeros((count, 1, SIZE, SIZE))
    for image in images:
        image[0, rng.integers(SIZE)] = image[0, :, rng.integers(SIZE)] = 1
    return images


def dataset(count: int = PICTURES, seed: int = 0) -> Dataset:
    return Dataset(bars(count, seed), np.arange(count) % 2, ("cross", "cross, too"), "bars")


def twin(tensors: dict[str, Array]) -> nn.Sequential:
    model = nn.Sequential(nn.Conv2d(1, 3, 2, 2), nn.ConvTranspose2d(3, 1, 2, 2), nn.Sigmoid()).double()
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), tensors.values(), strict=True):
            parameter.copy_(torch.tensor(value))
    return model


@pytest.mark.parametrize(
    ("loss", "theirs"), [(None, F.mse_loss), ("bce", F.binary_cross_entropy)], ids=["default: mse", "bce"]
)
def test_steps_are_those_of_pytorch(loss: str | None, theirs: Callable[[Tensor, Tensor], Tensor]) -> None:
    start, data, unseen, steps = NETWORK.initial(1), dataset(), dataset(8, seed=1), 10
    run = fit(NETWORK, start, data, unseen, Settings(Adam(0.01), epochs=steps, batch_size=PICTURES, loss=loss))
    model, images = twin(start), torch.tensor(data.images)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    losses, shares = [], []
    for _ in range(steps):
        drawn = model(images)
        lost = theirs(drawn, images)
        losses.append(lost.item())
        shares.append(((drawn > 0.5) == (images > 0.5)).double().mean().item())
        optimizer.zero_grad()
        lost.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    np.testing.assert_allclose([epoch.loss for epoch in run.history], losses, rtol=1e-10)
    np.testing.assert_allclose([epoch.accuracy for epoch in run.history], shares, rtol=1e-10)
    for value, parameter in zip(run.tensors.values(), model.parameters(), strict=True):
        np.testing.assert_allclose(value, parameter.detach().numpy(), rtol=0, atol=1e-10)
    with torch.no_grad():
        seen = torch.tensor(unseen.images)
        assert run.history[-1].validation_loss == pytest.approx(theirs(model(seen), seen).item(), rel=1e-9)
    assert run.history[-1].validation_accuracy == score(NETWORK, run.tensors, unseen).accuracy


def one_hot(scores: Tensor, labels: Tensor) -> Tensor:
    return F.one_hot(labels, scores.shape[1]).double()


@pytest.mark.parametrize("last", ["Softmax", "Sigmoid"])
@pytest.mark.parametrize(
    ("loss", "theirs"),
    [
        ("cross-entropy", F.cross_entropy),
        ("hinge", lambda scores, labels: F.multi_margin_loss(scores, labels) * scores.shape[1]),
        ("mse", lambda scores, labels: F.mse_loss(scores, one_hot(scores, labels))),
        ("bce", lambda scores, labels: F.binary_cross_entropy_with_logits(scores, one_hot(scores, labels))),
    ],
)
def test_a_classifier_learns_with_every_loss_as_in_pytorch(
    loss: str, theirs: Callable[[Tensor, Tensor], Tensor], last: str
) -> None:
    """A last Softmax is left out by every loss, a last Sigmoid by binary cross-entropy."""
    fc = {"kind": "Linear", "name": "fc", "out_features": 3}
    network = Network.from_spec({"input": [1, SIZE, SIZE], "layers": [{"kind": "Flatten"}, fc, {"kind": last}]})
    start, steps = network.initial(1), 8
    data = Dataset(bars(), np.arange(PICTURES) % 3, tuple("abc"), "bars")
    run = fit(network, start, data, data, Settings(SGD(0.1), epochs=steps, batch_size=PICTURES, loss=loss))
    weight, bias = (torch.tensor(start[name], requires_grad=True) for name in ("fc.weight", "fc.bias"))
    images, labels = torch.tensor(data.images).flatten(1), torch.tensor(data.labels)
    losses = []
    for step in range(steps + 1):
        scores = F.linear(images, weight, bias)
        lost = theirs(scores.sigmoid() if last == "Sigmoid" and loss != "bce" else scores, labels)
        losses.append(lost.item())
        rate = 0.05 * (1 + np.cos(np.pi * step / steps))
        with torch.no_grad():
            for parameter, gradient in zip((weight, bias), torch.autograd.grad(lost, (weight, bias)), strict=True):
                parameter -= rate * gradient
    np.testing.assert_allclose([epoch.loss for epoch in run.history], losses[:-1], rtol=1e-10)
    np.testing.assert_allclose([epoch.validation_loss for epoch in run.history], losses[1:], rtol=1e-10)
    right = (scores.argmax(dim=1) == labels).double().mean().item()
    assert run.history[-1].validation_accuracy == right


def test_its_score_is_of_every_pixel() -> None:
    tensors, data = NETWORK.initial(2), dataset(600)
    result = score(NETWORK, tensors, data)
    with torch.no_grad():
        drawn, images = twin(tensors)(torch.tensor(data.images)), torch.tensor(data.images)
    assert isinstance(result, Redrawing)
    assert result.loss == pytest.approx(F.mse_loss(drawn, images).item(), abs=1e-10)
    assert result.accuracy == pytest.approx(((drawn > 0.5) == (images > 0.5)).double().mean().item(), abs=1e-10)


def test_what_neither_names_nor_redraws_is_refused() -> None:
    half = parse(SPEC.split('[[layers]]\nname = "up"')[0]).network
    assert redraws(NETWORK)
    assert not redraws(half)
    with pytest.raises(ShapeError, match=r"'down' gives \(3, 4, 4\).*one that redraws in a picture as large"):
        prepared(dataset(), half)


def test_a_loss_that_does_not_suit_the_network_is_refused() -> None:
    unbounded = parse(SPEC.rsplit("[[layers]]", 1)[0]).network
    with pytest.raises(SpecError, match="hinge is for classes, and this network draws pictures: take mse or bce"):
        Objective.of(NETWORK, "hinge")
    with pytest.raises(SpecError, match=r"bce .* wants a Sigmoid as its last layer: take mse"):
        Objective.of(unbounded, "bce")
    with pytest.raises(SpecError, match="there is no loss 'L1': take one of cross-entropy, hinge, mse, bce"):
        Objective.of(NETWORK, "L1")


# -- the commands ------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_the_command_offers_every_loss() -> None:
    assert f"--loss [{'|'.join(LOSSES)}]" in run("train", "--help").output


def test_the_command_takes_the_loss_of_the_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plain.toml").write_text(SPEC, encoding="utf-8")
    Path("bce.toml").write_text(f'loss = "bce"\n{SPEC}', encoding="utf-8")
    Path("data").mkdir()
    images = (bars()[:, 0] * 255).astype(np.uint8)
    write_pair(Path("data"), images=idx(images), labels=idx(np.arange(PICTURES, dtype=np.uint8) % 2))
    often = ("--data", "data", "--epochs", "2", "--optimizer", "sgd", "--no-augment", "--quiet", "-o")
    run("train", "bce.toml", *often, "spec.npz")
    run("train", "plain.toml", "--loss", "bce", *often, "said.npz")
    run("train", "bce.toml", "--loss", "mse", *often, "other.npz")
    spec, said, other = (weights.load(Path(f"{name}.npz"))["up.weight"] for name in ("spec", "said", "other"))
    np.testing.assert_array_equal(spec, said)
    assert np.abs(spec - other).max() > 1e-4


def test_the_commands_train_it_and_say_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(SPEC, encoding="utf-8")
    Path("data").mkdir()
    images = (bars()[:, 0] * 255).astype(np.uint8)
    write_pair(Path("data"), images=idx(images), labels=idx(np.arange(PICTURES, dtype=np.uint8) % 2))
    often = ("--epochs", "40", "--lr", "0.1", "--no-augment", "--batch-size", "9", "--quiet")
    said = run("train", "mine.toml", "--data", "data", *often)
    assert "% of the pixels of 4 validation pictures" in said.output
    report = run("evaluate", "mine.toml", "--weights", "mine.npz", "--data", "data")
    with torch.no_grad():
        drawn, seen = twin(weights.load(Path("mine.npz")))(torch.tensor(bars())), torch.tensor(bars())
    error, right = F.mse_loss(drawn, seen), ((drawn > 0.5) == (seen > 0.5)).double().mean()
    pixels = f"{right:.2%} of the pixels of 40 pictures are right, black or white"
    assert report.output == f"mean squared error {error:.4f}, {pixels}\n"
    assert right > 0.9
    refused = run("evaluate", "mine.toml", "--weights", "mine.npz", "--data", "data", "--workbook", "w.xlsx")
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: mine.toml draws pictures and names none")
    assert not Path("w.xlsx").exists()
