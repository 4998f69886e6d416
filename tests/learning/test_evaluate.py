"""What is said of a network's answers on a terminal, and the two commands that train and judge."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner, Result
from PIL import Image
from torch import Tensor

from conv_sheet.cli import main
from conv_sheet.errors import DataError, ShapeError, SpecError
from conv_sheet.learning.data import Dataset, load_data, split
from conv_sheet.learning.evaluate import Evaluation, as_text, evaluate, prepared
from conv_sheet.learning.recipe import Recipe
from conv_sheet.learning.train import Settings, fit
from conv_sheet.network import weights
from conv_sheet.network.graph import Network
from conv_sheet.network.spec import parse
from conv_sheet.ops.optim import SGD
from conv_sheet.pictures.digits import digit
from scripts import crossvalidate
from tests.learning.test_data import idx, write_pair
from tests.oracles import cells

SIZE, CLASSES = 12, 4
SPEC = f"""
input = [1, {SIZE}, {SIZE}]
classes = ["0", "1", "2", "3"]
[[layers]]
name = "conv1"
kind = "Conv2d"
out_channels = 2
kernel_size = 3
initial.bias = [0.123456789, 0]
[[layers]]
kind = "ReLU"
[[layers]]
kind = "Flatten"
[[layers]]
name = "fc"
kind = "Linear"
out_features = {CLASSES}
[[layers]]
kind = "Softmax"
"""


def network() -> Network:
    return parse(SPEC).network


def noisy(count: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bytes of sample digits under noise, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    clean = np.stack([digit(int(n), SIZE) for n in labels])
    return (255 * np.clip(clean + rng.normal(0, 0.2, clean.shape), 0, 1)).astype(np.uint8), labels.astype(np.uint8)


def some(count: int = 200, classes: int = CLASSES) -> Evaluation:
    """Answers of a network that guesses."""
    rng = np.random.default_rng(0)
    names = tuple(f"class {i}" for i in range(classes))
    data = Dataset(rng.random((count, 1, 5, 7)), rng.integers(0, classes, count), names, "somewhere/pictures")
    return Evaluation(data, rng.normal(0, 3, (count, classes)), names)


# -- numbers -----------------------------------------------------------------------------------------------------------


def test_numbers_are_those_of_pytorch_and_pandas() -> None:
    result = some()
    scores, labels = torch.tensor(result.scores), torch.tensor(result.dataset.labels)
    sure, answers = F.softmax(scores, dim=1).max(dim=1)
    assert result.loss == pytest.approx(F.cross_entropy(scores, labels).item(), rel=1e-12)
    assert result.accuracy == pytest.approx((answers == labels).double().mean().item(), rel=1e-12)
    expected = pd.crosstab(result.dataset.labels, answers.numpy())
    np.testing.assert_array_equal(result.confusion, expected.to_numpy())
    wrong = torch.where(answers != labels)[0]
    order = wrong[sure[wrong].argsort(descending=True)]
    assert [m.number for m in result.mistakes] == order.tolist()
    np.testing.assert_allclose([m.confidence for m in result.mistakes], sure[order].numpy(), rtol=1e-12)
    assert all(m.label == labels[m.number] and m.answer == answers[m.number] for m in result.mistakes)


def test_batches_change_nothing() -> None:
    net, rng = network(), np.random.default_rng(0)
    images = rng.random((600, 1, SIZE, SIZE))
    result = evaluate(net, net.initial(0), Dataset(images, np.zeros(600, np.int64), net.classes, "noise"))
    np.testing.assert_allclose(result.scores, net.forward(images, net.initial(0))["fc"], rtol=1e-12)


def test_the_terminal_shows_every_count() -> None:
    result = some()
    lines = list(as_text(result, mistakes=3))
    assert lines[0].startswith(f"{100 * result.right / 200:.2f}% right: {result.right} of 200 pictures")
    table = [re.findall(r"(?<= )(?:\d+|\.)(?= |$)", line) for line in lines[3 : 3 + CLASSES]]
    counts = [[0 if n == "." else int(n) for n in row[1:]] for row in table]
    np.testing.assert_array_equal(counts, result.confusion)
    assert len([line for line in lines if line.startswith("  picture ")]) == 3


def test_a_network_without_a_mistake_and_classes_without_a_picture() -> None:
    data = Dataset(np.zeros((3, 1, 5, 7)), np.array([0, 1, 1]), ("a", "b", "c"), "pictures")
    result = Evaluation(data, np.eye(3)[data.labels], data.classes)
    assert result.accuracy == 1
    assert result.mistakes == []
    assert "mistakes" not in " ".join(as_text(result))


# -- data for a network ------------------------------------------------------------------------------------------------


def test_classes_are_the_same_where_they_have_the_same_name() -> None:
    net = parse(SPEC.replace('"0", "1", "2", "3"', '"dog", "cat", "fox", "owl"')).network
    images = np.zeros((3, 1, SIZE, SIZE))
    folders = Dataset(images, np.array([0, 1, 2]), ("cat", "fox", "owl"), "zoo")
    assert prepared(folders, net).labels.tolist() == [1, 2, 3]
    numbers = Dataset(images, np.array([0, 1, 3]), ("0", "1", "2", "3"), "zoo")
    assert prepared(numbers, net).labels.tolist() == [0, 1, 3]
    with pytest.raises(DataError, match=r"zoo: the network has no class 'emu', only dog, cat"):
        prepared(Dataset(images, np.array([0, 1, 1]), ("cat", "emu"), "zoo"), net)


def test_a_network_that_ends_in_maps_does_not_classify() -> None:
    maps = parse(SPEC.split("[[layers]]\nkind")[0].replace('classes = ["0", "1", "2", "3"]', "")).network
    with pytest.raises(ShapeError, match=r"'conv1' gives \(2, 10, 10\)"):
        prepared(Dataset(np.zeros((1, 1, SIZE, SIZE)), np.array([0]), ("0",), "zoo"), maps)


# -- the commands ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a spec and data, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(SPEC, encoding="utf-8")
    Path("wide.toml").write_text(SPEC.replace(f"{SIZE}]", f"{SIZE + 1}]"), encoding="utf-8")
    Path("data").mkdir()
    images, labels = noisy()
    write_pair(Path("data"), images=idx(images), labels=idx(labels))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def done(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert re.fullmatch(r"Error: [^\n]+\n", result.stderr)
    return result.stderr


TRAIN = ("train", "mine.toml", "--data", "data", "--epochs", "8", "--lr", "0.02", "--hold-out", "0.2", "--quiet")


def test_train_then_evaluate(folder: Path) -> None:
    said = done(*TRAIN, "--plot", "curves.png")
    assert re.search(r"wrote mine\.npz: epoch \d, [\d.]+% of 5 validation pictures", said)
    assert sorted(path.name for path in folder.iterdir()) == [
        "curves.png",
        "data",
        "mine.npz",
        "mine.toml",
        "wide.toml",
    ]
    with Image.open("curves.png") as curves:
        assert curves.size == (1200, 480)
    found = weights.load(Path("mine.npz"))
    assert {name: value.shape for name, value in found.items()} == network().parameters
    report = done("evaluate", "mine.toml", "--weights", "mine.npz", "--data", "data", "--hold-out", "0.2")
    _, unseen = split(load_data(Path("data")), 0.2, seed=0)
    scores = network().forward(unseen.images, found)["fc"]
    right = int((scores.argmax(axis=1) == unseen.labels).sum())
    assert f"right: {right} of 12 pictures" in report
    assert right > 8


def test_folders_train_and_val_of_pictures_of_any_size(folder: Path) -> None:
    images, labels = noisy()
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        file = Path("parts", "val" if number % 5 == 0 else "train", str(label), f"{number}.png")
        file.parent.mkdir(parents=True, exist_ok=True)
        size = SIZE * (1 + number % 2)
        Image.fromarray(pixels).resize((size, size), Image.Resampling.NEAREST).save(file)
    command = ("train", "mine.toml", "--data", "parts", "--epochs", "8", "--lr", "0.02", "--quiet")
    assert "--resize" in refused(*command)
    held = len(list(Path("parts", "val").rglob("*.png")))
    assert f"of {held} validation pictures" in done(*command, "--resize")
    evaluation = ("evaluate", "mine.toml", "--weights", "mine.npz", "--data", "parts", "--resize")
    assert f"of {held} pictures" in done(*evaluation)
    assert "val is left aside already: leave out --hold-out" in refused(*evaluation, "--hold-out", "0.2")


def test_the_same_command_gives_the_same_weights(folder: Path) -> None:
    done(*TRAIN, "-o", "a.npz")
    done(*TRAIN, "-o", "b.npz")
    done(*TRAIN, "-o", "c.npz", "--seed", "1")
    a, b, c = (Path(f"{name}.npz").read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
def test_every_optimiser_learns_and_frozen_layers_stay(folder: Path, optimizer: str) -> None:
    often = ("--epochs", "60", "--batch-size", "8", "--no-augment", "--freeze", "conv1")
    done("train", "mine.toml", "--data", "data", "--optimizer", optimizer, *often)
    found, start = weights.load(Path("mine.npz")), network().initial(0)
    for name in ("conv1.weight", "conv1.bias"):
        np.testing.assert_array_equal(found[name], start[name])
    assert (found["fc.weight"] != start["fc.weight"]).any()
    assert "100.00% right" in done("evaluate", "mine.toml", "--weights", "mine.npz", "--data", "data")


@pytest.mark.parametrize(
    ("options", "optimizer", "schedule"),
    [
        (
            "--optimizer sgd --lr 0.1 --momentum 0.8 --nesterov --weight-decay 0.05 --schedule step",
            lambda tensors: torch.optim.SGD(tensors, 0.1, 0.8, weight_decay=0.05, nesterov=True),
            lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 3),
        ),
        (
            "--optimizer rmsprop --lr 0.01 --momentum 0.5 --weight-decay 0.1 --schedule step --step-size 2 --gamma 0.5",
            lambda tensors: torch.optim.RMSprop(tensors, 0.01, momentum=0.5, weight_decay=0.1),
            lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5),
        ),
        (
            "--optimizer adam --lr 0.02 --weight-decay 0.3",
            lambda tensors: torch.optim.Adam(tensors, 0.02, weight_decay=0.3),
            lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8),
        ),
    ],
    ids=["sgd", "rmsprop", "adam"],
)
def test_the_options_of_the_command_are_those_of_pytorch(
    folder: Path,
    options: str,
    optimizer: Callable[[list[Tensor]], torch.optim.Optimizer],
    schedule: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler],
) -> None:
    """Epochs of one batch, whose order is nothing to its mean."""
    fixed = ("--epochs", "8", "--no-augment", "--freeze", "conv1", "--quiet", "--loss", "hinge")
    done("train", "mine.toml", "--data", "data", *fixed, *options.split())
    training, _ = split(prepared(load_data(Path("data")), network()), 0.1, seed=0)
    start = network().initial(0)
    values = network().forward(training.images, start)
    features = torch.tensor(values[network().node("fc").inputs[0]])
    weight, bias = (torch.tensor(start[name], requires_grad=True) for name in ("fc.weight", "fc.bias"))
    stepping = optimizer([weight, bias])
    falling = schedule(stepping)
    for _ in range(8):
        stepping.zero_grad()
        scores = F.linear(features, weight, bias)
        (F.multi_margin_loss(scores, torch.tensor(training.labels)) * CLASSES).backward()  # type: ignore[no-untyped-call]
        stepping.step()
        falling.step()
    written = weights.load(Path("mine.npz"))
    np.testing.assert_allclose(written["fc.weight"], weight.detach().numpy(), rtol=0, atol=6e-6)
    np.testing.assert_allclose(written["fc.bias"], bias.detach().numpy(), rtol=0, atol=6e-6)


def test_a_recipe_names_what_there_is() -> None:
    with pytest.raises(SpecError, match="no optimizer 'adamw': take one of sgd, momentum, rmsprop, adam"):
        Recipe(optimizer="adamw", lr=0.1).settings()
    with pytest.raises(SpecError, match="no schedule 'linear': take one of cosine, step"):
        Recipe(schedule="linear").settings()


def test_overfit_says_whether_pictures_are_learned_by_heart_and_writes_nothing(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    check = ("train", "mine.toml", "--data", "data", "--quiet", "--overfit")
    said = re.fullmatch(
        r"12 pictures are learned by heart: their loss is (0\.00\d+) after epoch (\d+)\n",
        done(*check, "12", "--lr", "0.05", "--weight-decay", "10"),
    )
    assert said and float(said[1]) < 0.01 and int(said[2]) < 500
    assert re.search(
        r"after 2 epochs the loss of 12 pictures is [1-9]\.\d{4}, not below 0\.01: try another",
        refused(*check, "12", "--epochs", "2", "--lr", "1e-9"),
    )
    assert "has 60 pictures to train with, not 61" in refused(*check, "61")
    assert sorted(folder.rglob("*")) == before
    both = run(*check, "12", "-o", "w.npz")
    assert both.exit_code == 2
    assert "--overfit writes nothing: omit --output, --plot and --resume" in both.stderr


def test_a_complete_training_writes_the_weights_of_its_last_epoch(folder: Path) -> None:
    rate = ["--optimizer", "sgd", "--lr", "2", "--epochs", "6", "--batch-size", "5"]
    said = done("train", "mine.toml", "--data", "data", "--no-augment", "--quiet", *rate)
    training, validation = split(prepared(load_data(Path("data")), network()), 0.1, seed=0)
    run = fit(network(), network().initial(0), training, validation, Settings(SGD(2.0), epochs=6, batch_size=5))
    assert run.best_epoch < 6, "this test needs a training whose best epoch was another"
    assert "wrote mine.npz: epoch 6, " in said
    written = weights.load(Path("mine.npz"))
    for name, value in written.items():
        np.testing.assert_allclose(value, run.tensors[name], rtol=0, atol=1e-4, err_msg=name)
    assert np.abs(written["fc.bias"] - run.best["fc.bias"]).max() > 1e-3


def test_ctrl_c_keeps_the_best_weights_and_resume_goes_on_also_with_other_words(folder: Path) -> None:
    options = [arg if arg != "8" else "150" for arg in TRAIN]
    interruptible = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    program = f"{interruptible} from conv_sheet.cli import main; main({[*options, '-o', 'w.npz']})"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        while not Path("w.checkpoint.npz").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[0]
    assert process.returncode == 0
    assert re.search(r"wrote w\.npz.*\ninterrupted after epoch \d+ of 150: .*--resume", said)
    done("evaluate", "mine.toml", "--weights", "w.npz", "--data", "data")
    assert re.search(r"w\.checkpoint\.npz .*--resume.*--force", refused(*options, "-o", "w.npz"))
    Path("mine.toml").write_text(f'title = "Four digits"\ndescription = "As before."\n{SPEC}', encoding="utf-8")
    done(*options, "-o", "w.npz", "--resume")
    assert not Path("w.checkpoint.npz").exists()
    done(*options, "-o", "whole.npz")
    assert Path("w.npz").read_bytes() == Path("whole.npz").read_bytes()


def test_mistakes_are_told_by_their_places_in_the_data(folder: Path) -> None:
    weights.save(Path("w.npz"), network().initial(0))
    judged = "evaluate", "mine.toml", "--weights", "w.npz", "--data", "data", "--hold-out", "0.5"
    report = done(*judged, "--workbook", "mistakes.xlsx")
    labels = load_data(Path("data")).labels
    told = re.findall(r"picture (\d+) is (\d),", report)
    assert [str(labels[int(place)]) for place, _ in told] == [label for _, label in told]
    assert max(int(place) for place, _ in told) >= 30, "this test needs a mistake in the second half"
    shown = [str(value) for value in cells.values(Path("mistakes.xlsx"), "Mistakes").values()]
    assert {f"picture {place}" for place, _ in told} <= set(shown)


def test_the_bar_fits_a_terminal(folder: Path) -> None:
    command = [sys.executable, "-m", "conv_sheet", "train", "mine.toml", "--data", "data", "--epochs", "12"]
    lead, follow = pty.openpty()
    with subprocess.Popen(command, stderr=follow, stdout=subprocess.DEVNULL) as process:
        os.close(follow)
        said = b""
        with contextlib.suppress(OSError):  # Linux ends a pseudo-terminal with an error
            while part := os.read(lead, 4096):
                said += part
    os.close(lead)
    assert process.returncode == 0
    lines = re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", "", said.decode()).replace("\n", "\r").split("\r")
    assert any("epoch 12: loss" in line and "validated" in line for line in lines)
    assert max(map(len, lines)) < 80


def test_cross_validation_judges_every_picture_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crossvalidate.main("mine.toml", "data", "2")
    told = re.findall(r"fold \d: ([\d.]+)% of (\d+)\n", capsys.readouterr().out)
    assert len(told) == 8
    assert sum(int(count) for _, count in told) == 60


def test_what_exists_is_kept_unless_forced(folder: Path) -> None:
    Path("mine.npz").write_bytes(b"mine")
    assert "--force" in refused(*TRAIN)
    assert Path("mine.npz").read_bytes() == b"mine"
    done(*TRAIN, "--force")
    Path("curves.png").write_bytes(b"mine")
    assert "curves.png exists" in refused(*TRAIN, "-o", "new.npz", "--plot", "curves.png")
    Path("new.checkpoint.npz").write_bytes(b"an hour of work")
    assert re.search(r"new\.checkpoint\.npz .*--resume.*--force", refused(*TRAIN, "-o", "new.npz"))
    assert "none does not exist" in refused(*TRAIN[:3], "none", *TRAIN[4:], "-o", "new.npz", "--force")
    assert Path("new.checkpoint.npz").read_bytes() == b"an hour of work"
    done(*TRAIN, "-o", "new.npz", "--force")
    assert not Path("new.checkpoint.npz").exists()
    Path("out.xlsx").write_bytes(b"mine")
    evaluation = ("evaluate", "mine.toml", "--weights", "new.npz", "--data", "data", "--workbook", "out.xlsx")
    assert "--force" in refused(*evaluation)
    assert "wrote out.xlsx" in done(*evaluation, "--force")
    assert "Evaluation" in openpyxl.load_workbook("out.xlsx").sheetnames


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "mine.toml", "--data", "none"], "none does not exist"),
        (["train", "mine.toml", "--data", "data", "--freeze", "conv7"], "no layer 'conv7'.*conv1, fc"),
        (
            ["train", "mine.toml", "--data", "data", "--momentum", "0.5"],
            "adam takes no momentum: choose .* sgd or rmsprop",
        ),
        (["train", "mine.toml", "--data", "data", "--nesterov"], "adam has no nesterov: choose .* momentum"),
        (["train", "mine.toml", "--data", "data", "--optimizer", "sgd", "--nesterov"], "nesterov needs a momentum"),
        (["train", "mine.toml", "--data", "data", "--gamma", "0.5"], "step_size and gamma belong to the schedule step"),
        (["train", "mine.toml", "--data", "data", "-o", "w.txt"], r"w\.txt.*ends in \.npz"),
        (["train", "mine.toml", "--data", "data", "-o", "no/w.npz"], "no folder no"),
        (["train", "mine.toml", "--data", "data", "--plot", "a.docx"], r"a\.docx.*ends in \.png"),
        (["train", "mine.toml", "--data", "data", "--resume"], "no interrupted training"),
        (["train", "wide.toml", "--data", "data"], "the pictures are 1×12×12, the network reads 1×12×13"),
        (["evaluate", "mine.toml", "--data", "data"], "comes without trained weights.*--weights"),
        (["evaluate", "mine.toml", "--data", "data", "--weights", "none.npz"], r"none\.npz"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(folder: Path, arguments: list[str], words: str) -> None:
    assert re.search(words, refused(*arguments))
    assert not [*folder.glob("*.npz")]


def test_a_learning_rate_that_is_too_large_is_named(folder: Path) -> None:
    words = refused("train", "mine.toml", "--data", "data", "--optimizer", "sgd", "--lr", "1e300", "--quiet")
    assert re.search(r"(the loss|a weight) has become \S+[:,] .*below 1e\+300", words)


def test_damaged_data_is_named(folder: Path) -> None:
    file = Path("data/train-images-idx3-ubyte")
    file.write_bytes(file.read_bytes()[:-1])
    for command in ("train", "evaluate"):
        extra = ("--weights", "w.npz") if command == "evaluate" else ()
        weights.save(Path("w.npz"), network().initial(0))
        assert re.search(
            r"train-images-idx3-ubyte is truncated", refused(command, "mine.toml", "--data", "data", *extra)
        )


def test_without_matplotlib_the_remedy_is_said_before_the_training(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "pip install 'conv-sheet[plot]'" in refused(*TRAIN, "--plot", "curves.png")
    assert not Path("mine.npz").exists()
