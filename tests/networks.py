"""Small networks and workbooks that several tests use."""

from pathlib import Path
from typing import Any

import numpy as np

from conv_sheet import lessons
from conv_sheet.builder import build
from conv_sheet.cells.grid import Block
from conv_sheet.layers import Array
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.network.spec import Spec
from conv_sheet.state import Contents

REFERENCE = Path(__file__).resolve().parents[2] / "shared/reference/fastai_conv_example.npz"

SMALL: dict[str, Any] = {
    "title": "small",
    "input": [2, 7, 6],
    "classes": ["left", "right", "=1+1"],
    "layers": [
        {"name": "conv1", "kind": "Conv2d", "out_channels": 3, "kernel_size": [3, 2]},
        {"kind": "ReLU"},
        {"name": "pool", "kind": "MaxPool2d", "kernel_size": 2},
        {"kind": "Flatten"},
        {"name": "fc", "kind": "Linear", "out_features": 3},
        {"name": "prob", "kind": "Softmax"},
    ],
}


def small() -> Network:
    return Network.from_spec(SMALL)


def contents(made: Network | Spec, seed: int = 1) -> Contents:
    """A network, with its lesson or with none, with a random picture and random weights."""
    network, lesson = (made.network, made.lesson) if isinstance(made, Spec) else (made, Lesson())
    image = np.random.default_rng(seed).random(network.input_shape).round(3)
    return Contents(network, image, network.initial(seed), lesson=lesson)


def written(folder: Path, held: Contents, name: str = "book.xlsx") -> Path:
    path = folder / name
    build(held, path)
    return path


def fastai() -> Contents:
    """The default lesson as the command line builds it."""
    source = lessons.load("fastai")
    return lessons.first_contents(source.network, source.lesson, source.tensors())


def changed(held: Contents, seed: int = 5) -> tuple[Contents, dict[str, float]]:
    """Other pixels, weights and biases in some cells, and what to type where for it."""
    rng = np.random.default_rng(seed)
    places = {"input": held.layout.input} | dict(held.layout.parameters())
    arrays: dict[str, Array] = {"input": held.image.copy()} | {k: v.copy() for k, v in held.tensors.items()}
    typed: dict[str, float] = {}
    for name, placed in places.items():
        planes = placed.planes(arrays[name]).copy()
        for _ in range(5):
            plane, y, x = (int(rng.integers(size)) for size in planes.shape)
            planes[plane, y, x] = round(float(rng.random()), 4)
            typed[address(placed.blocks[plane], y, x)] = planes[plane, y, x]
        arrays[name] = placed.tensor(planes)
    return Contents(held.network, arrays.pop("input"), arrays, lesson=held.lesson), typed


def address(block: Block, y: int, x: int) -> str:
    return f"{block.sheet}!{block.cell(y, x)}"
