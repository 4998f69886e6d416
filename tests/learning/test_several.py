"""Pictures of several classes at once: their folders, their training beside PyTorch's, and what is said of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner, Result
from PIL import Image

from conv_sheet.cli import main
from conv_sheet.errors import SpecError
from conv_sheet.learning.data import Dataset, load_data
from conv_sheet.learning.evaluate import Labelling, prepared, score
from conv_sheet.learning.objective import Objective
from conv_sheet.learning.train import Settings, fit
from conv_sheet.network import weights
from conv_sheet.network.spec import parse
from conv_sheet.ops.optim import SGD

SPEC = """
input = [1, 4, 4]
classes = ["cat", "dog", "bird"]
[[layers]]
kind = "Flatten"
[[layers]]
name = "fc"
kind = "Linear"
out_features = 3
"""
NETWORK = parse(SPEC).network
LABELS = "cat", "cat+dog", "bird+cat+dog", "dog"
TARGETS = np.array([[1.0, 0, 0], [1, 1, 0], [1, 1, 1], [0, 1, 0]])
PICTURES = 40


def pictures() -> Dataset:
    """Pictures in which each class has a row of its own, and noise."""
    rng = np.random.default_rng(3)
    numbers = np.arange(PICTURES) % len(LABELS)
    images = rng.random((PICTURES, 1, 4, 4)) * 0.4
    images[:, 0, :3] += 0.6 * TARGETS[numbers][:, :, None]
    return Dataset(images, numbers, LABELS, "pets")


def test_they_are_learned_as_by_pytorch() -> None:
    data, start, steps = prepared(pictures(), NETWORK), NETWORK.initial(1), 12
    assert data.classes == LABELS
    run = fit(NETWORK, start, data, data, Settings(SGD(2.0), epochs=steps, batch_size=PICTURES, loss="bce"))
    weight, bias = (torch.tensor(start[name], requires_grad=True) for name in ("fc.weight", "fc.bias"))
    images, targets = torch.tensor(data.images).flatten(1), torch.tensor(TARGETS[data.labels])
    losses = []
    for step in range(steps + 1):
        scores = F.linear(images, weight, bias)
        lost = torch.nn.BCEWithLogitsLoss()(scores, targets)
        losses.append(lost.item())
        rate = 1 + np.cos(np.pi * step / steps)
        with torch.no_grad():
            for parameter, gradient in zip((weight, bias), torch.autograd.grad(lost, (weight, bias)), strict=True):
                parameter -= rate * gradient
    np.testing.assert_allclose([epoch.loss for epoch in run.history], losses[:-1], rtol=1e-10)
    np.testing.assert_allclose([epoch.validation_loss for epoch in run.history], losses[1:], rtol=1e-10)
    right = ((scores > 0) == (targets > 0)).all(dim=1).double().mean().item()
    assert run.history[-1].validation_accuracy == right
    assert 0.2 < right < 1
    result = score(NETWORK, run.tensors, data)
    assert isinstance(result, Labelling)
    assert result.accuracy == right
    assert result.loss == pytest.approx(losses[-1], abs=1e-12)
    for counts, says, there in zip(result.counts, (scores > 0).T, (targets > 0).T, strict=True):
        assert counts.tolist() == [int(n.sum()) for n in (there, says & there, ~there, says & ~there)]


@pytest.mark.parametrize("loss", ["cross-entropy", "hinge"])
def test_a_loss_of_one_class_is_refused(loss: str) -> None:
    with pytest.raises(SpecError, match=rf"{loss} is for one class in each picture, and 'cat\+dog' has several: take"):
        Objective.of(NETWORK, loss, LABELS)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_the_commands_read_folders_of_several_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(f'loss = "bce"\n{SPEC}', encoding="utf-8")
    data = pictures()
    for number, (image, label) in enumerate(zip(data.images, data.labels, strict=True)):
        folder = Path("data", LABELS[label])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.round(image[0] * 255).astype(np.uint8)).save(folder / f"{number}.png")
    often = ("--epochs", "60", "--lr", "0.1", "--no-augment", "--batch-size", "9", "--quiet")
    said = run("train", "mine.toml", "--data", "data", *often)
    assert said.exit_code == 0, said.output
    found = weights.load(Path("mine.npz"))
    scores = load_data(Path("data")).images.reshape(PICTURES, -1) @ found["fc.weight"].T + found["fc.bias"]
    named = [set(label.split("+")) for label in sorted(LABELS) for _ in range(PICTURES // len(LABELS))]
    there = np.array([[name in names for name in NETWORK.classes] for names in named])
    right = ((scores > 0) == there).all(axis=1)
    assert right.mean() > 0.9
    report = run("evaluate", "mine.toml", "--weights", "mine.npz", "--data", "data")
    assert report.output.startswith(f"{right.mean():.2%} right in every class: {right.sum()} of {PICTURES} pictures")
    cat = ["cat", there[:, 0].sum(), (there & (scores > 0))[:, 0].sum(), (~there)[:, 0].sum()]
    assert any(line.split()[:4] == [*map(str, cat)] for line in report.output.splitlines())
    refused = run("evaluate", "mine.toml", "--weights", "mine.npz", "--data", "data", "--workbook", "w.xlsx")
    assert refused.exit_code == 1
    assert (
        refused.output
        == "Error: data has pictures of several classes: mistakes are drawn of one class each, omit --workbook\n"
    )
    assert not Path("w.xlsx").exists()
