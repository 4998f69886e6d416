"""Small networks and workbooks that several tests use."""

from pathlib import Path
from typing import Any

import numpy as np

from conv_sheet import lessons
from conv_sheet.builder import build
from conv_sheet.cells.grid import Block
from conv_sheet.network.graph import INPUT, Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.state import WorkbookState

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


def state_of(network: Network, seed: int = 1, lesson: Lesson | None = None) -> WorkbookState:
    """A network, with a lesson or with none, with a random picture and random weights."""
    image = np.random.default_rng(seed).random(network.input_shape).round(3)
    return WorkbookState.of(network, image, network.initial(seed), lesson)


def written(folder: Path, state: WorkbookState, name: str = "book.xlsx") -> Path:
    path = folder / name
    build(state, path)
    return path


def fastai() -> WorkbookState:
    """The default lesson as the command line builds it."""
    source = lessons.load("fastai")
    return lessons.first_state(source.network, source.lesson, source.tensors())


def changed(state: WorkbookState, seed: int = 5) -> tuple[WorkbookState, dict[str, float]]:
    """Other pixels, weights and biases in some cells, and what to type where for it."""
    rng = np.random.default_rng(seed)
    tensors = {INPUT: state.layout.input} | dict(state.layout.parameters())
    arrays: dict[str, Array] = {}
    typed: dict[str, float] = {}
    for name, placed in tensors.items():
        planes = placed.planes(np.asarray(state.typed[name], dtype=float)).copy()
        for _ in range(5):
            plane, y, x = (int(rng.integers(size)) for size in planes.shape)
            planes[plane, y, x] = round(float(rng.random()), 4)
            typed[address(placed.blocks[plane], y, x)] = planes[plane, y, x]
        arrays[name] = placed.tensor(planes)
    return state.with_typed(arrays), typed


def address(block: Block, y: int, x: int) -> str:
    return f"{block.sheet}!{block.cell(y, x)}"
