"""What goes wrong at a terminal: rights that lack, words that no command knows, files that are not there."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from conv_sheet import lessons
from conv_sheet.cli import main
from conv_sheet.network.weights import save
from tests.networks import small, state_of, written

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and programs of POSIX")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="conv-sheet")


def refused(*arguments: str, code: int = 1) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    assert re.fullmatch(r"Error: [^\n]+\n", result.stderr)
    return result.stderr.removeprefix("Error: ")


# Rights

AS_NOBODY = """
import difflib, encodings.utf_16_le, importlib, json, os, pkgutil, sys
import h5py, onnx, PIL.Image
from click.testing import CliRunner
import conv_sheet
from conv_sheet.cli import main
for module in pkgutil.walk_packages(conv_sheet.__path__, "conv_sheet."):  # nobody may not read what is root's
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(1); os.setuid(1)
for command in json.loads(sys.argv[1]):
    result = CliRunner().invoke(main, command)
    print(json.dumps([result.exit_code, result.output or repr(result.exception)]))
"""
READING = [
    *(f"{command} book.xlsx" for command in ("check", "show", "recompute", "reset", "random-kernels", "train-step")),
    *("export book.xlsx -o {out}/a.npz", "build --from book.xlsx -o {out}/a.xlsx", "doctor book.xlsx"),
    *(f"build {model} -o {{out}}/a.xlsx" for model in ("spec.toml", "net.onnx", "net.pt2", "net.keras")),
    *(f"build -o {{out}}/a.xlsx {option}" for option in ("--image a.png", "--image a.npy", "--classes names.txt")),
    *(f"build -o {{out}}/a.xlsx --weights {weights}" for weights in ("w.npz", "w.safetensors")),
    *("train fastai -o {out}/a.npz --data data", "evaluate fastai --data data", "train fastai --data a-images-idx3"),
]


@pytest.fixture
def unread() -> Iterator[Path]:
    """A folder with a file of every kind; the folders of pytest are their user's alone."""
    with TemporaryDirectory() as name:
        folder, state = Path(name), state_of(small())
        folder.chmod(0o755)
        written(folder, state)
        (folder / "spec.toml").write_text(small().to_toml(), encoding="utf-8")
        Image.fromarray(np.eye(9, dtype=np.uint8) * 255).save(folder / "a.png")
        np.save(folder / "a.npy", state.image)
        save(folder / "w.npz", state.tensors)
        (folder / "data").mkdir()
        for other in ("net.onnx", "net.pt2", "net.keras", "w.safetensors", "names.txt", "a-images-idx3"):
            (folder / other).write_bytes(b"any")
        yield folder


def said_to_nobody(folder: Path, *, inside: bool) -> dict[str, tuple[int, str]]:
    """Exit code and output of each command of READING, for a user who may not read what it names."""
    with TemporaryDirectory() as out:
        Path(out).chmod(0o777)
        place = f"{folder}/" if inside else ""
        commands = [
            [f"{place}{word}" if (folder / word).exists() else word.format(out=out) for word in line.split()]
            for line in READING
        ]
        given = [sys.executable, "-c", AS_NOBODY, json.dumps(commands)]
        child = subprocess.run(given, capture_output=True, text=True, check=False, cwd="/" if inside else folder)
        assert child.returncode == 0, child.stderr
        assert os.listdir(out) == []
    return dict(zip(READING, map(tuple, map(json.loads, child.stdout.splitlines())), strict=True))


@posix
@pytest.mark.parametrize("what", ["files", "folder"])
def test_what_may_not_be_read_is_one_line(unread: Path, what: str) -> None:
    shut = [*unread.iterdir()] if what == "files" else [unread]
    for path in shut:
        path.chmod(0)
    told = said_to_nobody(unread, inside=what == "folder")
    unread.chmod(0o755)
    for command, (code, output) in told.items():
        assert code == 1, (command, output)
        if command.startswith("doctor"):
            output = "Error: " + output.split("workbook ")[1].splitlines()[0].strip() + "\n"
        wanted = r"Error: [^\n]+: permission denied; have its owner allow it, or name another file\n"
        assert re.fullmatch(wanted, output), (command, output)


# Usage


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("check", r"Missing argument 'WORKBOOK' \(see conv-sheet check --help\)"),
        ("export a.xlsx", r"Missing option '-o' / '--output' \(see conv-sheet export --help\)"),
        ("evaluate fastai", r"Missing option '--data' \(see conv-sheet evaluate --help\)"),
        ("build --imag a.png", r"'?--imag'?.*--image.* \(see conv-sheet build --help\)"),
        ("build -o", r"'-o' requires an argument.* \(see conv-sheet build --help\)"),
        ("build a b", r"unexpected extra argument \(b\) \(see conv-sheet build --help\)"),
        ("build --digit 12", r"'--digit': 12 is not in the range 0<=x<=9\.? \(see conv-sheet build --help\)"),
        ("build --digit x", r"'--digit': 'x' is not a valid integer \(see conv-sheet build --help\)"),
        ("train fastai --data a --lr x", r"'--lr': 'x' is not a valid number \(see conv-sheet train --help\)"),
        (
            "train fastai --data a --loss mess",
            r"'--loss': 'mess' is not one of .*'mse'.* \(see conv-sheet train --help\)",
        ),
        ("biuld", r"No such command 'biuld'.* \(see conv-sheet --help\)"),
        ("--nope", r"No such option:? '?--nope'? \(see conv-sheet --help\)"),
        ("build --digit 1 --image x.png", r"--image and --digit exclude each other \(see conv-sheet build --help\)"),
    ],
)
def test_a_command_that_is_typed_wrong_is_one_line(line: str, words: str) -> None:
    assert re.search(words, refused(*line.split(), code=2))


def test_no_command_at_all_shows_what_there_is() -> None:
    result = run()
    assert (result.exit_code, result.stdout) == (0, run("--help").stdout)


# Lessons, folders and programs


@pytest.mark.parametrize("command", ["train", "evaluate"])
@pytest.mark.parametrize(("lesson", "fault"), [("pooling", "has no weights"), ("kernels", r"gives \(1, 26, 26\)")])
def test_a_lesson_that_cannot_be_trained_says_which_can(command: str, lesson: str, fault: str) -> None:
    said = refused(command, lesson, "--data", ".")
    assert re.search(rf"^{lesson} {fault}.*; of the lessons, .*\bfastai\b.* can be trained$", said.strip())
    for name in re.findall(r"[a-z0-9-]+", said.split("lessons,")[1].split(" can")[0]):
        lessons.require_trainable(lessons.load(name))


def test_a_step_of_training_where_none_is_shown_says_the_option(tmp_path: Path) -> None:
    book = written(tmp_path, state_of(small()))
    assert "build it again, with the option --backprop" in refused("train-step", str(book))
    pooling = lessons.load("pooling")
    book = written(tmp_path, state_of(pooling.network, lesson=pooling.lesson), "pooling.xlsx")
    assert "has no weights that training could change" in refused("train-step", str(book))


def test_a_folder_is_no_lesson(tmp_path: Path) -> None:
    assert f"{tmp_path} is a folder: name a lesson" in refused("build", str(tmp_path))


def test_names_of_classes_that_are_not_there_are_no_class(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    assert f"{path} does not exist" in refused("build", "--classes", str(path))
    with path.open("wb") as names:
        names.truncate(2 << 20)
    assert "a file of 2,097,152 bytes, the limit is 1,048,576" in refused("build", "--classes", str(path))


def test_code_does_not_replace_the_weights_that_training_wrote(tmp_path: Path) -> None:
    book = written(tmp_path, state_of(small()), "mine.xlsx")
    (tmp_path / "mine.npz").write_bytes(b"trained")
    for _ in range(2):
        assert run("export", str(book), "-o", str(tmp_path / "mine.py"), "--force").exit_code == 0
    assert (tmp_path / "mine.npz").read_bytes() == b"trained"


def test_a_new_spec_says_that_its_weights_are_random(tmp_path: Path) -> None:
    said = run("new", str(tmp_path / "mine.toml")).stdout
    assert said.strip().endswith("makes a workbook of it, with random weights")


@pytest.mark.skipif(sys.platform != "linux", reason="what Linux opens files with")
@pytest.mark.parametrize(
    ("opener", "said"),
    [
        ("echo noise; echo noise >&2; touch {folder}/opened", ""),
        ("echo noise >&2; exit 3", "no program opened {folder}/a.xlsx: open it yourself\n"),
        (None, "no program opened {folder}/a.xlsx: open it yourself\n"),
        ("touch {folder}/opened; exec sleep 5", ""),
    ],
)
def test_opening_is_quiet_and_says_where_nothing_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opener: str | None, said: str
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin" if opener else str(tmp_path))
    (tmp_path / "mine.toml").write_text(small().to_toml(), encoding="utf-8")
    if opener:
        (tmp_path / "xdg-open").write_text(f"#!/bin/sh\n{opener.format(folder=tmp_path)}\n", encoding="utf-8")
        (tmp_path / "xdg-open").chmod(0o755)
    command = [sys.executable, "-m", "conv_sheet", "build", "mine.toml", "-o", f"{tmp_path}/a.xlsx", "--open"]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert time.monotonic() - started < 25
    assert (done.returncode, done.stderr) == (0, said.format(folder=tmp_path))
    assert "noise" not in done.stdout
    assert (tmp_path / "opened").exists() == (said == "")


# Numbers


@pytest.mark.parametrize("option", ["--validation", "--hold-out", "--lr", "--gamma", "--momentum", "--weight-decay"])
@pytest.mark.parametrize("number", ["nan", "inf"])
def test_what_is_no_number_is_none(option: str, number: str) -> None:
    said = refused("train", "fastai", "--data", ".", option, number, code=2)
    assert re.search(rf"'{option}': {number} is (no number|not in the range)", said)


def test_mistakes_are_shown_in_a_workbook_without_buttons() -> None:
    said = refused("evaluate", "fastai", "--data", ".", "--workbook", "a.xlsm")
    assert "give it a name that ends in .xlsx" in said


def test_weights_that_no_cell_takes_are_not_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("left", "right"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(4):
            picture = Image.fromarray(rng.integers(0, 255, (4, 4), dtype=np.uint8))
            picture.save(tmp_path / "data" / name / f"{number}.png")
    layers = '[[layers]]\nkind = "Flatten"\n[[layers]]\nkind = "Linear"\nout_features = 2\n'
    (tmp_path / "mine.toml").write_text(f"input = [1, 4, 4]\n{layers}", encoding="utf-8")
    given = ["train", str(tmp_path / "mine.toml"), "--data", str(tmp_path / "data"), "-o", str(tmp_path / "mine.npz")]
    said = refused(*given, "--quiet", "--epochs", "1", "--validation", "0.25", "--lr", "1e300")
    assert re.search(
        r"a weight has become \S+e\+\d+, and cells take 1,000,000 at most: try a learning rate below", said
    )
    assert not (tmp_path / "mine.npz").exists()
