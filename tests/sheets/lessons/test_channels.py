"""The lesson `channels`, its choices made in LibreOffice and compared with PyTorch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from conv_sheet.check import check
from conv_sheet.errors import SpecError
from conv_sheet.layers import Array
from conv_sheet.network.graph import Network
from conv_sheet.network.spec import Spec, from_tables
from conv_sheet.sheets.lessons import channels
from conv_sheet.state import Contents
from conv_sheet.xlsx.reader import read
from tests import lessons, networks
from tests.oracles import cells, gnumeric, libreoffice, validator

held, path, book = lessons.fixtures("channels")


def tensor(held: Contents, name: str) -> torch.Tensor:
    return torch.tensor(held.tensors[name])


def first(held: Contents, image: Array) -> torch.Tensor:
    return F.conv2d(torch.tensor(image)[None], tensor(held, "conv1.weight"), tensor(held, "conv1.bias"), padding=1)


def assert_close(book: Any, name: str, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(lessons.numbers(book, name), expected.numpy(), rtol=0, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("number", [4, 3, 2, 1])
def test_every_map_taken_apart(book: Any, held: Contents, number: int) -> None:
    image = held.image.copy()
    image[2, 3:6, 4:9] = 0.625
    lessons.put(book, channels_map=float(number), input_3=image[2])
    weight = tensor(held, "conv1.weight")[number - 1 : number]
    for c, colour in enumerate(channels.COLOURS):
        alone = F.conv2d(torch.tensor(image[None, c : c + 1]), weight[:, c : c + 1], padding=1)
        assert_close(book, f"channels_{colour}", alone[0, 0])
    whole = first(held, image)[0, number - 1]
    assert_close(book, "channels_sum", whole)
    assert_close(book, "channels_out", whole.relu())
    assert_close(book, f"conv1_out_{number}", whole.relu())
    assert "the same as this map on Network" in lessons.texts(book, "Channels")


@pytest.mark.parametrize(("row", "column"), [(1, 1), (12, 12), (5, 8)])
def test_a_1x1_convolution_at_a_pixel(book: Any, held: Contents, row: int, column: int) -> None:
    lessons.put(book, channels_row=float(row), channels_column=float(column), input_3=held.image[2])
    mixed = F.conv2d(first(held, held.image).relu(), tensor(held, "mix.weight"), tensor(held, "mix.bias"))
    assert_close(book, "channels_mixed", mixed[0, :, row - 1, column - 1 : column])


@pytest.mark.parametrize("sizes", [(3, 4, 3, 12, 12), (16, 32, 5, 7, 9), (512, 512, 3, 14, 14)])
def test_multiplications(book: Any, sizes: tuple[int, int, int, int, int]) -> None:
    """As many as a layer of PyTorch has weights, at every place of its output."""
    maps_in, maps_out, kernel, rows, columns = sizes
    names = ("count_in", "count_out", "count_kernel", "count_rows", "count_columns")
    lessons.put(book, **dict(zip(names, map(float, sizes), strict=True)))
    layers = {
        "whole": nn.Conv2d(maps_in, maps_out, kernel),
        "depthwise": nn.Conv2d(maps_in, maps_in, kernel, groups=maps_in),
        "pointwise": nn.Conv2d(maps_in, maps_out, 1),
    }
    counts = {name: layer.weight.numel() * rows * columns for name, layer in layers.items()}
    found = {name: lessons.numbers(book, f"count_{name}").item() for name in (*counts, "both", "part", "law")}
    assert {name: found[name] for name in counts} == counts
    assert found["both"] == counts["depthwise"] + counts["pointwise"]
    assert found["part"] == pytest.approx(found["both"] / counts["whole"], abs=1e-12)
    assert found["law"] == pytest.approx(found["part"], abs=1e-12)


def test_the_lessons_own_layers_are_those_that_are_counted(book: Any, held: Contents) -> None:
    work = {
        name: node.layer.multiply_adds(node.in_shape) for name in channels.LAYERS for node in [held.network.node(name)]
    }
    names = {"whole": "conv1", "depthwise": "depthwise", "pointwise": "pointwise"}
    found = {name: lessons.numbers(book, f"conv1_{name}").item() for name in names}
    assert found == {name: work[layer] for name, layer in names.items()}


def test_the_picture_is_seen_in_its_colours(path: Path, tmp_path: Path) -> None:
    """LibreOffice prints red, yellow and green balloons in front of the night."""
    pages = [np.asarray(Image.open(page).convert("RGB")) for page in libreoffice.to_png(path, tmp_path)]
    shares = {
        colour: max(float((page == colour).all(axis=-1).mean()) for page in pages)
        for colour in [(255, 0, 0), (255, 255, 0), (0, 191, 64), (0, 0, 64)]
    }
    assert min(shares.values()) > 5e-4, shares


def test_another_program_agrees_after_changes(path: Path, held: Contents, tmp_path: Path) -> None:
    typed = networks.changed(held)[1] | {s.block.other(): s.low + 1 for s in channels.settings(held.layout)}
    edited = cells.set_cells(path, tmp_path / "edited.xlsx", typed)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    assert check(read(answer)).formulas == ()
    assert lessons.wrong(gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx"), "Channels") == []


def test_the_workbook_keeps_its_promises(path: Path, held: Contents) -> None:
    assert validator.findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in held.lesson.tries]


CONV = {"name": "conv1", "kind": "Conv2d", "out_channels": 2, "kernel_size": 5, "padding": 2}
MIX = {"name": "mix", "kind": "Conv2d", "out_channels": 3, "kernel_size": 1}
REST = [{"name": name, "kind": "Conv2d", "out_channels": 3, "kernel_size": 1} for name in ("depthwise", "pointwise")]


def network(conv: dict[str, Any], channels: int = 3) -> Spec:
    layers = [conv, {"kind": "ReLU"}, MIX, *REST]
    return from_tables({"input": [channels, 9, 7], "sheets": ["channels"], "layers": layers})


def test_other_sizes(tmp_path: Path) -> None:
    written = networks.written(tmp_path, networks.contents(network(CONV)))
    bare = cells.set_cells(written, tmp_path / "bare.xlsx", {})
    (answer,) = libreoffice.recalculate([bare], tmp_path / "out")
    assert check(read(answer)).ok


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (network(CONV | {"stride": 2}), "with a padding that keeps the size"),
        (network(CONV | {"kernel_size": [5, 3], "padding": [2, 1]}), "of square kernels"),
        (network(CONV, channels=1), "an input of 3 channels"),
        (network(CONV | {"name": "other"}), "there is no 'conv1'"),
    ],
)
def test_a_network_that_it_cannot_show_is_told(made: Network, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        networks.contents(made).pages()
