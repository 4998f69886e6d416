"""Puts faults into workbooks, specs, weights, models and pictures, kills commands, and counts what does not hold.

python -m scripts.fuzz [--count N] [--big N] [--kills N] [--seed S]. What must hold: a wrong file is an error of one
line, within 20 seconds and a gigabyte; a command that fails leaves its file as it was, and one that succeeds
leaves one that is read.
"""

import argparse
import hashlib
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from conv_sheet import actions, builder, checks, lessons, opening
from conv_sheet.errors import ConvSheetError
from conv_sheet.models import weights_for, writing
from conv_sheet.network import spec, weights
from conv_sheet.office import closed
from conv_sheet.pictures.reading import load_image
from scripts import mutations
from scripts.mutations import Mutation

LONGEST_SECONDS = 20
MOST_MEGABYTES = 1024
SMALL, BIG = "pooling", "lenet"


class Slow(BaseException):
    """A file took too long."""


@dataclass
class Report:
    """How many files were tried, how many were refused, and what did not hold."""

    tried: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """A table, and a line for each finding."""
        for kind, count in self.tried.items():
            yield f"{kind:<28} {count:>6} tried {self.refused[kind]:>6} refused"
        yield f"{sum(self.tried.values()):,} faults, {len(self.findings)} findings"
        yield f"largest process: {_megabytes():,} MB"
        yield from self.findings


def _megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


@contextmanager
def _limited() -> Iterator[None]:
    def late(number: int, frame: object) -> None:
        raise Slow

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _try(report: Report, kind: str, label: str, action: Callable[[], object]) -> bool:
    """Do something with a faulty file; whether it succeeded."""
    report.tried[kind] += 1
    before = _megabytes()
    try:
        with _limited(), warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            action()
    except ConvSheetError as error:
        report.refused[kind] += 1
        if "\n" in str(error) or not str(error):
            report.findings.append(f"{kind} {label}: not one line: {str(error)!r}")
        return False
    except Slow:
        report.findings.append(f"{kind} {label}: longer than {LONGEST_SECONDS} s")
        return False
    except Exception as error:  # whatever it is, it is a finding
        where = traceback.extract_tb(error.__traceback__)[-1]
        report.findings.append(f"{kind} {label}: {error!r:.160} at {Path(where.filename).name}:{where.lineno}")
        return False
    finally:
        if before < MOST_MEGABYTES <= _megabytes():
            report.findings.append(f"{kind} {label}: more than {MOST_MEGABYTES} MB")
    return True


# -- files -------------------------------------------------------------------------------------------------------------


def workbooks(report: Report, folder: Path, lesson: str, count: int, seed: int) -> None:
    """Every command that reads or writes a closed workbook, on faulty copies of a lesson's."""
    path = folder / f"{lesson}.xlsx"
    source = lessons.load(lesson)
    builder.build(lessons.first_state(source.network, source.lesson, source.tensors()), path)
    whole = path.read_bytes()
    presses = (actions.recompute, actions.reset, actions.random_kernels)
    for number in range(count):
        rng = random.Random(f"{seed}-{lesson}-{number}")
        mutation = mutations.WORKBOOK[number % len(mutations.WORKBOOK)]
        path.write_bytes(mutation(whole, rng))
        before = _digest(path)
        kind, label = f"{lesson}: {mutation.__name__.removesuffix('_changed')}", f"seed {seed} number {number}"
        _try(report, kind, f"{label} check", lambda: checks.check(path))
        press = presses[number // len(mutations.WORKBOOK) % len(presses)]
        done = _try(report, kind, f"{label} {press.__name__}", partial(closed.press, path, press))
        if not done and _digest(path) != before:
            report.findings.append(f"{kind} {label}: changed by a command that failed")
        if done and not _try(report, kind, f"{label} after {press.__name__}", lambda: opening.read_any(path)):
            report.findings.append(f"{kind} {label}: not read after a command that succeeded")
        if left := [other.name for other in folder.iterdir() if other.name.startswith(".conv-sheet-")]:
            report.findings.append(f"{kind} {label}: left {left}")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def specs(report: Report, count: int, seed: int) -> None:
    """Faulty specs, as far as the state of a workbook."""
    whole = [(lessons.folder() / f"{name}.toml").read_bytes() for name in lessons.names()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spec.toml")
        for number in range(count):
            rng = random.Random(f"{seed}-spec-{number}")
            path.write_bytes(mutations.spec_changed(rng.choice(whole), rng))
            _try(report, "specs", f"seed {seed} number {number}", lambda: _state(path))


def _state(path: Path) -> None:
    source = lessons.load(str(path))
    if source.network.count() < 100_000:
        state = lessons.first_state(source.network, source.lesson, source.network.initial(0))
        _ = state.layout, state.prediction
        spec.parse(spec.Spec(source.network, source.lesson).to_toml())


def archives(report: Report, folder: Path, count: int, seed: int) -> None:
    """Faulty files of weights."""
    path = folder / "weights.npz"
    network = lessons.load("fastai").network
    weights.save(path, network.initial(0))
    packed = path.read_bytes()
    np.savez(path, **network.initial(0))  # type: ignore[arg-type]
    whole = (packed, path.read_bytes())
    changes: tuple[Mutation, ...] = (mutations.bytes_changed, mutations.directory_changed, mutations.parts_changed)
    for number in range(count):
        rng = random.Random(f"{seed}-weights-{number}")
        path.write_bytes(rng.choice(changes)(rng.choice(whole), rng))
        _try(
            report,
            "weights",
            f"seed {seed} number {number}",
            lambda: weights.checked(network, weights.load(path), str(path)),
        )


def pictures(report: Report, folder: Path, count: int, seed: int) -> None:
    """Faulty pictures of every format."""
    whole = {}
    for kind in ("png", "jpeg", "gif", "bmp", "tiff", "webp"):
        stream = io.BytesIO()
        Image.fromarray(np.arange(40 * 30 * 3, dtype=np.uint8).reshape(40, 30, 3)).save(stream, kind)
        whole[kind] = stream.getvalue()
    for number in range(count):
        rng = random.Random(f"{seed}-picture-{number}")
        kind = rng.choice(list(whole))
        path = folder / f"picture.{kind}"
        path.write_bytes(mutations.bytes_changed(whole[kind], rng))
        _try(report, "pictures", f"seed {seed} number {number}", partial(load_image, path, (1, 28, 28)))


def models(report: Report, folder: Path, count: int, seed: int) -> None:
    """Faulty models and weights of every format, and pictures of exact values, as far as the state of a workbook."""
    whole = _models(folder)
    network = lessons.load("fastai").network
    for number in range(count):
        rng = random.Random(f"{seed}-model-{number}")
        suffix = rng.choice(list(whole))
        change = rng.choice(_IN_ZIP if suffix in (".pt2", ".keras") else (mutations.bytes_changed,))
        path = folder / f"model{suffix}"
        path.write_bytes(change(whole[suffix], rng))
        if suffix == ".npy":
            action: Callable[[], object] = partial(load_image, path, (1, 28, 28))
        elif suffix == ".safetensors":
            action = partial(weights_for, network, path)
        else:
            action = partial(_of_model, path)
        _try(report, "models", f"seed {seed} number {number}", action)


_IN_ZIP: tuple[Mutation, ...] = (
    *(mutations.bytes_changed, mutations.directory_changed, mutations.parts_changed),
    *(mutations.json_changed, mutations.json_changed),
)


def _models(folder: Path) -> dict[str, bytes]:
    """A whole file of each format by its suffix: of PyTorch and Keras as they write it, the others as we do."""
    import h5py
    import torch
    from torch import nn

    source = lessons.load("fastai")
    tensors, written = source.tensors(), {}
    for suffix in (".onnx", ".safetensors"):
        writing.export(folder / f"whole{suffix}", source.network, source.lesson, tensors)
        written[suffix] = (folder / f"whole{suffix}").read_bytes()
    stream = io.BytesIO()
    np.save(stream, np.zeros(source.network.input_shape))
    written[".npy"] = stream.getvalue()
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)).eval()
    torch.export.save(torch.export.export(module, (torch.zeros(1, 1, 6, 6),)), folder / "whole.pt2")
    written[".pt2"] = (folder / "whole.pt2").read_bytes()
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        for name, shapes in (("conv2d", [(3, 3, 1, 2), (2,)]), ("dense", [(32, 3), (3,)])):
            for place, shape in enumerate(shapes):
                file[f"layers/{name}/vars/{place}"] = np.zeros(shape, np.float32)
    layers = [
        {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": [None, 6, 6, 1]}},
        {"class_name": "Conv2D", "config": {"name": "conv", "filters": 2, "kernel_size": [3, 3], "activation": "relu"}},
        {"class_name": "Flatten", "config": {"name": "flatten"}},
        {"class_name": "Dense", "config": {"name": "fc", "units": 3, "activation": "softmax"}},
    ]
    config = {"class_name": "Sequential", "config": {"name": "mine", "layers": layers}}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", stored.getvalue())
    return written | {".keras": stream.getvalue()}


def _of_model(path: Path) -> None:
    source = lessons.load(str(path))
    if source.network.count() < 100_000:
        state = lessons.first_state(source.network, source.lesson, source.tensors())
        _ = state.layout, state.prediction


# -- kills -------------------------------------------------------------------------------------------------------------


def kills(report: Report, folder: Path, count: int, seed: int) -> None:
    """Commands on a closed workbook that are killed at random moments."""
    path = folder / "killed.xlsx"
    source = lessons.load(SMALL)
    builder.build(lessons.first_state(source.network, source.lesson, source.tensors()), path)
    for number in range(count):
        rng = random.Random(f"{seed}-kill-{number}")
        command = [sys.executable, "-m", "conv_sheet", "recompute", str(path)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(rng.uniform(0.3, 2.5))
            process.kill()
        _try(report, "kills", f"seed {seed} number {number}", lambda: opening.read_any(path))
    closed.press(path, actions.recompute)
    if left := [other.name for other in folder.iterdir() if other.name.startswith(".conv-sheet-")]:
        report.findings.append(f"kills: {left} are left after the next command")


def run(count: int, big: int, kill: int, seed: int) -> Report:
    """Everything: `count` faults of each kind in small files, `big` in a large workbook, and some kills."""
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for lesson, faults in ((SMALL, count), (BIG, big)):
            if faults:
                workbooks(report, folder, lesson, faults, seed)
        specs(report, count, seed)
        archives(report, folder, count, seed)
        pictures(report, folder, count, seed)
        models(report, folder, count, seed)
        kills(report, folder, kill, seed)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="faults of each kind of file")
    parser.add_argument("--big", type=int, default=5, help="faults in a large workbook")
    parser.add_argument("--kills", type=int, default=10, help="commands killed at random moments")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).resolve().parents[1]))
    report = run(given.count, given.big, given.kills, given.seed)
    print("\n".join(report.lines()))
    sys.exit(bool(report.findings))


if __name__ == "__main__":
    main()
