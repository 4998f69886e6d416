"""The loupe: what it shows of a cell against PyTorch, computed by other programs after the choice was changed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import openpyxl
import pytest
import torch
from openpyxl.formula.tokenizer import Token, Tokenizer
from openpyxl.utils.cell import range_boundaries
from PIL import Image, ImageChops
from torch import Tensor, nn
from torch.nn import functional as F

from conv_sheet.cells import style
from conv_sheet.cells.formula import FUNCTIONS, functions_in
from conv_sheet.cells.grid import Block, Placed, column_letters
from conv_sheet.cells.inputs import InputValue
from conv_sheet.checks import check
from conv_sheet.network.layout import NETWORK, Layout, Stage
from conv_sheet.network.spec import from_tables
from conv_sheet.sheets import registry
from conv_sheet.sheets.loupe.facts import LOUPE, PLACES, Facts
from conv_sheet.sheets.loupe.frame import STEP, VALUE, Frame
from conv_sheet.sheets.loupe.places import COLUMN, LAYER, MAP, ROW, inputs
from conv_sheet.sheets.loupe.reach import reaches
from conv_sheet.state import WorkbookState
from tests import lessons
from tests.books import filled, some
from tests.graphs import GRAPHS, conv, graph, layer
from tests.networks import changed, fastai, state_of, written
from tests.oracles import cells, formualizer, gnumeric, libreoffice, validator
from tests.sheets import agreement

NETWORKS: dict[str, dict[str, Any]] = {
    "convolutions": {
        "input": [4, 9, 8],
        "layers": [
            {"name": "strided", "kind": "Conv2d", "out_channels": 10, "kernel_size": [3, 2], "stride": [2, 1],
             "padding": [2, 1], "groups": 2},
            {"kind": "Tanh"},
            {"name": "dilated", "kind": "Conv2d", "out_channels": 4, "kernel_size": [2, 3], "dilation": [3, 2],
             "padding": "same", "bias": False},
            {"name": "deep", "kind": "Conv2d", "out_channels": 4, "kernel_size": 3, "groups": 4},
            {"kind": "ReLU"},
            {"name": "up", "kind": "ConvTranspose2d", "out_channels": 2, "kernel_size": 3, "stride": 2, "padding": 1,
             "groups": 2},
            {"name": "wide", "kind": "ConvTranspose2d", "out_channels": 1, "kernel_size": [2, 14], "dilation": [2, 1]},
        ],
    },
    "summaries": {
        "input": [2, 15, 14],
        "layers": [
            {"name": "bn", "kind": "BatchNorm2d"},
            {"name": "leaky", "kind": "LeakyReLU", "negative_slope": 0.2},
            {"name": "most", "kind": "MaxPool2d", "kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2},
            {"name": "mean", "kind": "AvgPool2d", "kernel_size": 2, "stride": 1, "padding": 1},
            {"name": "some", "kind": "AvgPool2d", "kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True,
             "count_include_pad": False},
            {"name": "least", "kind": "MinPool2d", "kernel_size": [2, 1]},
            {"name": "whole", "kind": "AdaptiveAvgPool2d", "output_size": 1},
        ],
    },
    "vectors": {
        "input": [2, 13, 5],
        "layers": [
            {"name": "flat", "kind": "Flatten"},
            {"name": "drop", "kind": "Dropout"},
            {"name": "long", "kind": "Linear", "out_features": 30},
            {"kind": "Sigmoid"},
            {"name": "short", "kind": "Linear", "out_features": 7, "bias": False},
            {"name": "prob", "kind": "Softmax"},
        ],
    },
    "scores": {
        "input": [3, 14, 13],
        "layers": [
            {"name": "same", "kind": "ReLU"},
            {"kind": "Flatten"},
            {"name": "fc", "kind": "Linear", "out_features": 3},
            {"kind": "ReLU"},
        ],
    },
    "nowhere": {
        "input": [1, 8, 8],
        "layers": [
            {"name": "conv1", "kind": "Conv2d", "out_channels": 2, "kernel_size": 3},
            {"name": "conv2", "kind": "Conv2d", "out_channels": 2, "kernel_size": 3},
            {"name": "pool", "kind": "MaxPool2d", "kernel_size": 2},
            {"kind": "Flatten"},
            {"name": "fc", "kind": "Linear", "out_features": 10},
        ],
    },
    "borders": {
        "input": [1, 6, 7],
        "layers": [
            {"name": name, "kind": "Conv2d", "out_channels": 1, "kernel_size": 3, "padding": 2, "padding_mode": name}
            for name in ("reflect", "replicate", "circular")
        ],
    },
}  # fmt: skip

Choice = tuple[Any, Any, Any, Any]
CHOICES: dict[str, tuple[Choice, ...]] = {
    "fastai": (("conv1", 2, 1, 26), ("conv2", 2, 10, 14), ("pool", 1, 12, 3), ("fc", 1, 9, 1), ("softmax", 1, 3, 1)),
    "convolutions": (
        *(("strided", 1, 1, 1), ("strided", 10, 6, 9), ("dilated", 3, 2, 9), ("dilated", 4, 6, 1)),
        *(("deep", 2, 4, 7), ("up", 1, 1, 2), ("up", 2, 6, 6), ("wide", 1, 1, 1), ("wide", 1, 9, 15)),
    ),
    "summaries": (
        *(("bn", 2, 15, 14), ("leaky", 1, 3, 4), ("most", 2, 1, 1), ("most", 1, 6, 6), ("mean", 1, 1, 7)),
        *(("some", 2, 1, 4), ("some", 1, 4, 4), ("least", 2, 2, 3), ("whole", 2, 1, 1)),
    ),
    "vectors": (("flat", 1, 70, 1), ("drop", 1, 130, 1), ("long", 1, 30, 1), ("short", 1, 5, 1), ("prob", 1, 7, 1)),
    "scores": (("same", 3, 14, 1), ("fc", 1, 1, 1), ("fc", 3, 3, 9)),
    "borders": (("reflect", 1, 1, 9), ("replicate", 1, 10, 1), ("circular", 1, 1, 1)),
}
NOWHERE: tuple[Choice, ...] = (
    *(("conv2", 2, 25, 3), ("fc", 1, 11, 1), ("conv1", 3, 1, 1), ("conv1", 1, 1, 1.5), ("conv1", "one", 1, 1)),
    *((None, 1, 1, 1), ("conv9", 1, 1, 1), ("pool", 1, None, 1)),
)
TYPED_OVER = ("conv1", 1.0, 13.0, 13.0)
"""A cell of `fastai` in which a number takes the place of the formula."""
PROBED = {("fastai", 1), ("fastai", 3), ("convolutions", 1), ("convolutions", 2), ("convolutions", 6),
          ("summaries", 3), ("vectors", 3), ("vectors", 4)}  # fmt: skip
"""Choices, by network and place, for which the frames on `Network` are computed in every cell."""


def network_state(name: str) -> WorkbookState:
    if name == "fastai":
        return fastai()
    made = from_tables(NETWORKS[name] | {"sheets": ["loupe"]})
    return state_of(made.network, lesson=made.lesson)


def typed_choice(state: WorkbookState, choice: Choice) -> dict[str, Any]:
    """The cells that a user changes to choose, and what is typed there."""
    items = inputs(state.layout, state.lesson)
    return {item.at.other(): value for item, value in zip(items, choice, strict=True)}


def chosen(choice: Choice) -> dict[str, InputValue]:
    """The same by the names of the inputs."""
    return dict(zip((LAYER, MAP, ROW, COLUMN), choice, strict=True))


class Tap(NamedTuple):
    """A place that a window shows, by map, row and column of the input from 0, and what stands in the three screens."""

    at: tuple[int, int, int]
    value: Any
    weight: Any
    product: Any


@dataclass(frozen=True)
class Book:
    """A workbook in which pixels and weights were changed and a cell was chosen; `state` is what it should hold."""

    state: WorkbookState
    choice: Choice
    path: Path

    @property
    def stage(self) -> Stage:
        return self.state.layout.by_name[self.choice[0]]

    @property
    def at(self) -> tuple[int, ...]:
        """Index of the chosen value in the stage's output."""
        _, channel, row, column = self.choice
        return (row - 1,) if len(self.stage.out.shape) == 1 else (channel - 1, row - 1, column - 1)


@dataclass(frozen=True)
class Shown:
    """What another program's copy of the workbook shows."""

    book: Book
    path: Path

    @cached_property
    def loupe(self) -> Mapping[str, Any]:
        return cells.values(self.path, LOUPE)

    @cached_property
    def facts(self) -> Facts:
        return Facts(tuple(reaches(self.book.state.layout)))

    @cached_property
    def frame(self) -> Frame:
        return Frame(self.facts.panels, self.facts.owned)

    @property
    def taps(self) -> list[Tap]:
        taps = []
        for panel in self.frame.panels:
            window, weights, products = (self.frame.screen(number, panel) for number in range(3))
            name = str(self.loupe[window.cell(-2, 0)])
            channel = int(name.rpartition("_")[2]) - 1 if name[-1].isdigit() else 0
            for y, x in np.ndindex(window.shape):
                row, column = self.loupe[window.cell(y, -1)], self.loupe[window.cell(-1, x)]
                shown = [self.loupe[block.cell(y, x)] for block in (window, weights, products)]
                if "·" in (row, column):
                    assert shown == ["·"] * 3
                elif self.wrapped:
                    taps.append(Tap((0, row + column - 2, 0), *shown))
                else:
                    taps.append(Tap((channel, row - 1, column - 1), *shown))
        return taps

    @property
    def wrapped(self) -> bool:
        return len(read_by(self.book.state.layout, self.book.stage).shape) == 1

    @property
    def sums(self) -> list[float]:
        """The sum of each panel that has one."""
        sums = [self.loupe[self.frame.sum(panel).cell()] for panel in self.frame.panels]
        return [value for value in sums if value != "·"]


def read_by(layout: Layout, stage: Stage) -> Placed:
    """The tensor that a stage reads, as it stands on `Network`."""
    (source,) = layout.site(stage).sources
    (read,) = (other.out for other in layout.stages if other.out.blocks == source.blocks)
    return read


# What PyTorch says


def module_of(state: WorkbookState, name: str) -> Any:
    """A layer as its caption writes it, with its weights."""
    node = state.network.node(name)
    module = eval(node.torch, {"nn": nn})
    if not isinstance(module, nn.Module):
        return module
    own = {short: torch.tensor(value) for short, value in node.own(state.tensors).items() if value.ndim}
    module.double().eval().load_state_dict(own, strict=False)
    return module


@dataclass(frozen=True)
class Said:
    """A stage by PyTorch: what it reads, what its first layer makes of that, what the last one does."""

    x: Tensor
    y: Tensor
    last: Tensor


def said(state: WorkbookState, stage: Stage) -> Said:
    value = torch.tensor(state.image[np.newaxis])
    outputs: dict[str, Tensor] = {}
    for node in state.network.nodes:
        if node.name == stage.name:
            value = value.detach().requires_grad_()
            x = value
        with torch.set_grad_enabled(node.name == stage.name):
            value = module_of(state, node.name)(value)
        outputs[node.name] = value
    return Said(x, outputs[stage.name], outputs[stage.nodes[-1].name].detach())


def slopes(x: Tensor, y: Tensor, at: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """How much a value depends on each of the input's, as maps; what stands in a vector is a map of one column."""
    (grad,) = torch.autograd.grad(y[(0, *at)], x)
    return grad.numpy().reshape(shape if len(shape) == 3 else (1, -1, 1))


def seen(shown: Shown) -> tuple[Any, Any]:
    """What the input holds, and which weight each of its values has (for pools: other than 0 where they look)."""
    state, stage, at = shown.book.state, shown.book.stage, shown.book.at
    facts = said(state, stage)
    shape = read_by(state.layout, stage).shape
    x, y = facts.x, facts.y
    if stage.name in ("most", "least", "pool"):
        options: dict[str, Any] = stage.layer.options()
        options.setdefault("stride", options["kernel_size"])
        ones = torch.ones(x.shape[1], 1, *_pair(options.pop("kernel_size")), dtype=x.dtype)
        y = F.conv2d(x, ones, None, groups=x.shape[1], **options)
    values = x.detach().numpy().reshape(shape if len(shape) == 3 else (1, -1, 1))
    return values, slopes(x, y, at, shape)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


# The workbooks


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Shown]:
    """Every choice as LibreOffice computes it."""
    folder = tmp_path_factory.mktemp("loupe")
    books: dict[tuple[str, int], Book] = {}
    for name, choices in (*CHOICES.items(), ("nowhere", NOWHERE)):
        before = network_state(name)
        path = written(folder, before, f"{name}.xlsx")
        for number, choice in enumerate(choices):
            state, typed = (before, {}) if name == "vectors" else changed(before, seed=number)
            out = folder / f"{name}-{number}.xlsx"
            edited = agreement.put(path, out, typed | typed_choice(state, choice))
            books[name, number] = Book(state, choice, edited)
    state = network_state("fastai")
    cell = state.layout.by_name["conv1"].out.blocks[0].cell(12, 12)
    typed = {f"{NETWORK}!{cell}": 0.123} | typed_choice(state, TYPED_OVER)
    edited = agreement.put(folder / "fastai.xlsx", folder / "typed-over.xlsx", typed)
    books["typed over", 0] = Book(state, TYPED_OVER, edited)
    asked = [with_probes(book, folder / "probed") if key in PROBED else book.path for key, book in books.items()]
    answers = libreoffice.recalculate(asked, tmp_path_factory.mktemp("answers"))
    return {key: Shown(book, answer) for (key, book), answer in zip(books.items(), answers, strict=True)}


def rules(path: Path) -> dict[str, set[tuple[int, int]]]:
    """Formulas by which the loupe frames cells of `Network`, and the cells that each is for."""
    found: dict[str, set[tuple[int, int]]] = {}
    for one in openpyxl.load_workbook(path)[NETWORK].conditional_formatting:
        for formula in (f for rule in one.rules if rule.type == "expression" for f in rule.formula if "loupe" in f):
            found.setdefault(formula, set()).update(at for area in one.cells.ranges for at in area.cells)
    return found


def area(layout: Layout) -> Block:
    """All of `Network` that holds values, and borders below them."""
    below = max(stage.border.bottom for stage in layout.stages)
    return Block(NETWORK, 1, 1, layout.last_row + below, layout.last_column)


def cell_and_window(path: Path) -> tuple[str, str]:
    """The two of these formulas that say whether a cell is the chosen one, and whether that sees it."""
    found = rules(path)
    cell, window = (next(one for one in found if one.startswith(start)) for start in ("AND(ROW()=", "SUMPRODUCT("))
    return cell, window


def probe(path: Path, layout: Layout) -> dict[str, str]:
    """Cells of a sheet of their own that compute, place for place, whether that of `Network` is framed, and how."""
    (cell, window), whole = cell_and_window(path), area(layout)
    return {whole.cell(y, x): f"=IF({cell},2,0)+IF({window},1,0)" for y, x in np.ndindex(whole.shape)}


def with_probes(book: Book, folder: Path) -> Path:
    """A copy of the workbook with another sheet: not every program calculates in cells what conditional formats ask."""
    folder.mkdir(exist_ok=True)
    copy = openpyxl.load_workbook(book.path)
    sheet = copy.create_sheet("Probe")
    for at, formula in probe(book.path, book.state.layout).items():
        sheet[at] = formula
    copy.save(folder / book.path.name)
    return folder / book.path.name


WORDS, RESULTS = column_letters(STEP), column_letters(VALUE)
"""Columns of the steps to the result."""
EVERY = [(name, number) for name, choices in CHOICES.items() for number in range(len(choices))]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning:torch")
@pytest.mark.parametrize("key", EVERY, ids=str)
def test_the_result_is_pytorchs_and_that_of_the_cell_on_network(
    key: tuple[str, int], shown: dict[tuple[str, int], Shown]
) -> None:
    page, book = shown[key], shown[key].book
    row = next(int(at[1:]) for at, value in page.loupe.items() if str(value).startswith("on Network, cell "))
    expected = said(book.state, book.stage).last[(0, *book.at)].item()
    address = str(page.loupe[f"{WORDS}{row}"]).split()[-1]
    there = cells.values(page.path, NETWORK)[address]
    for value in (page.loupe[f"{RESULTS}{row - 1}"], page.loupe[f"{RESULTS}{row}"], there):
        np.testing.assert_allclose(float(value), expected, rtol=0, atol=1e-9)
    assert page.loupe[f"{WORDS}{row + 1}"] == "the same as on the sheet Network"
    report = check(page.path)
    assert [*map(str, report.formulas), *map(str, report.values)] == []


@pytest.mark.parametrize("key", [key for key in EVERY if key[0] != "borders"], ids=str)
def test_the_screens_show_what_the_value_depends_on(key: tuple[str, int], shown: dict[tuple[str, int], Shown]) -> None:
    page = shown[key]
    values, slope = seen(page)
    inside = {tap.at: tap for tap in page.taps if all(0 <= i < n for i, n in zip(tap.at, values.shape, strict=True))}
    if page.book.stage.layer.sees is None:
        assert {tuple(at) for at in np.argwhere(slope).tolist()} <= set(inside)
        np.testing.assert_allclose([tap.value for tap in inside.values()], [values[at] for at in inside], atol=1e-9)
    else:
        expected = torch.exp(torch.tensor(values) - values.max()).numpy()
        np.testing.assert_allclose([inside[tuple(at)].value for at in np.ndindex(*values.shape)], expected.ravel())
    weighted = [short for short, placed in page.book.stage.own.items() if short == "weight" and len(placed.shape) > 1]
    if not weighted:
        assert {(tap.weight, tap.product) for tap in page.taps} <= {("·", "·")}
        assert page.sums == [] or key[0] == "bn"
        if page.book.stage.layer.sees is None:
            assert len(inside) == np.count_nonzero(slope)
        return
    np.testing.assert_allclose([tap.weight for tap in inside.values()], [slope[at] for at in inside], atol=1e-9)
    assert {tap.value for tap in page.taps if tap.at not in inside} <= {0}
    np.testing.assert_allclose([t.product for t in page.taps], [t.value * t.weight for t in page.taps], atol=1e-12)
    by_map = np.einsum("chw,chw->c", values, slope)
    np.testing.assert_allclose(sum(page.sums), by_map.sum(), atol=1e-9)
    if len(page.sums) <= len(by_map):
        np.testing.assert_allclose(page.sums, by_map[np.abs(slope).sum((1, 2)) > 0], atol=1e-9)


@pytest.mark.parametrize("key", [key for key in EVERY if key[0] != "borders"], ids=str)
def test_the_small_picture_is_that_of_the_map_which_is_read(
    key: tuple[str, int], shown: dict[tuple[str, int], Shown]
) -> None:
    page = shown[key]
    small = page.frame.small
    drawn = [[page.loupe[small.cell(y, x)] for x in range(small.width)] for y in range(small.height)]
    name = page.loupe[small.cell(-1, 0)]
    if len(read_by(page.book.state.layout, page.book.stage).shape) == 1:
        assert {value for row in drawn for value in row} == {"·"} == {name}
        return
    maps = said(page.book.state, page.book.stage).x.detach().numpy()
    whole = maps.reshape(read_by(page.book.state.layout, page.book.stage).shape)[int(name.rpartition("_")[2]) - 1]
    side = max(whole.shape)
    rows, columns = (np.minimum(np.arange(24) * side // 24, size - 1) for size in whole.shape)
    averages = whole[np.ix_(rows, columns)].reshape(8, 3, 8, 3).mean(axis=(1, 3))
    averages = -averages if name.startswith("input") else np.maximum(averages, 0)
    high, wide = (-(-8 * size // side) for size in whole.shape)
    np.testing.assert_allclose([row[:wide] for row in drawn[:high]], averages[:high, :wide], rtol=0, atol=1e-9)
    assert {value for row in drawn[high:] for value in row} | {v for row in drawn for v in row[wide:]} <= {"·"}


def test_the_sentence_says_the_products_and_the_evidence_for_a_class(shown: dict[tuple[str, int], Shown]) -> None:
    window, evidence = (" ".join(map(str, shown["fastai", n].loupe.values())) for n in (0, 3))
    taps = [tap for tap in shown["fastai", 0].taps if tap.product != "·"]
    (told,) = (one for one in shown["fastai", 0].loupe.values() if "; max(0, that) = " in str(one))
    terms = re.findall(r"(^|[−+]) ?\(?(-?[\d.]+)\)?×([\d.]+)", told.partition(" = ")[0])
    signed = [(float(seen), float(weight) * (-1 if sign == "−" else 1)) for sign, seen, weight in terms]
    np.testing.assert_allclose(signed, [(tap.value, tap.weight) for tap in taps], atol=0.005)
    assert "evidence for this class" in evidence and "1 to 10: class 8" in evidence
    assert "evidence for this class" not in window


@pytest.mark.parametrize("bias", [-0.134, 0.25])
def test_the_sentence_says_the_bias_and_what_the_sum_becomes_with_it(bias: float) -> None:
    state = fastai()
    state = state.with_typed({"conv1.bias": np.array([bias, 1.0]), MAP: 1.0, ROW: 9.0, COLUMN: 18.0})
    (page,) = (page for page in registry.pages(state) if page.title == LOUPE)
    (told,) = (text for _, text in page.texts() if " for the bias = " in text and "max(0, that)" in text)
    sum_, sign, added, value = re.search(r" = (-?[\d.]+), ([+−]) ([\d.]+) for the bias = (-?[\d.]+);", told).groups()  # type: ignore[union-attr]
    out = module_of(state, "conv1")(torch.tensor(state.image)[None])[0, 0, 8, 17].item()
    assert float(added) * (-1 if sign == "−" else 1) == bias
    np.testing.assert_allclose([float(sum_), float(value)], [out - bias, out], atol=0.0006)


@pytest.mark.parametrize("key", [key for key in EVERY if key[0] == "borders"], ids=str)
def test_copied_borders_are_seen_as_they_stand(key: tuple[str, int], shown: dict[tuple[str, int], Shown]) -> None:
    page = shown[key]
    module, x = module_of(page.book.state, page.book.stage.name), said(page.book.state, page.book.stage).x
    padded = F.pad(x, (2, 2, 2, 2), mode=page.book.stage.name).detach()
    _, row, column = page.book.at
    window = padded[0, 0, row : row + 3, column : column + 3].ravel()
    np.testing.assert_allclose([tap.value for tap in page.taps], window, atol=1e-9)
    np.testing.assert_allclose([tap.weight for tap in page.taps], module.weight.detach().ravel(), atol=1e-9)
    assert [tap.at for tap in page.taps] == [(0, row + y - 2, column + x - 2) for y in range(3) for x in range(3)]


@pytest.mark.parametrize("key", sorted(PROBED), ids=str)
def test_the_cell_and_all_that_it_sees_are_framed_on_network(
    key: tuple[str, int], shown: dict[tuple[str, int], Shown]
) -> None:
    page, stage, layout = shown[key], shown[key].book.stage, shown[key].book.state.layout
    framed: dict[Any, set[tuple[int, int]]] = {0: set(), 1: set(), 2: set()}
    for (row, column), value in np.ndenumerate(cells.array(cells.values(page.path, "Probe"), area(layout).relative)):
        framed[value].add((row + 1, column + 1))
    source = stage.own[stage.layer.sees] if stage.layer.sees else read_by(layout, stage)
    output = stage.out.blocks[page.book.at[0]] if len(page.book.at) == 3 else stage.out.blocks[0]
    assert framed[2] == {
        output.position(*page.book.at[1:]) if len(page.book.at) == 3 else output.position(page.book.at[0], 0)
    }
    assert framed[1] == {source.blocks[at[0]].position(at[1], at[2]) for at, *_ in page.taps}
    (cell, window), found = cell_and_window(page.book.path), rules(page.book.path)
    assert framed[2] <= found[cell] and framed[1] <= found[window]


@pytest.mark.parametrize("number", range(len(NOWHERE)), ids=lambda n: str(NOWHERE[n]))
def test_a_choice_that_is_none_is_told_in_words(number: int, shown: dict[tuple[str, int], Shown]) -> None:
    page = shown["nowhere", number]
    words = [value for value in page.loupe.values() if isinstance(value, str)]
    chosen_layer = page.book.choice[0]
    (told,) = (word for word in words if word.startswith("There is no such"))
    if chosen_layer in page.book.state.layout.by_name:
        assert told.startswith(f"There is no such cell. {chosen_layer} ") and "row 1 to " in told
    else:
        assert told == "There is no such layer."
    assert not page.taps and not page.sums
    for sheet in (LOUPE, PLACES):
        assert not [v for v in cells.values(page.path, sheet).values() if str(v).startswith(("#", "Err:"))]


def test_the_words_say_what_there_is(shown: dict[tuple[str, int], Shown]) -> None:
    maps, vector = (" ".join(map(str, shown["nowhere", n].loupe.values())) for n in (0, 1))
    assert "conv2 has 2 maps of 4×4 values: map 1 to 2, row 1 to 4, column 1 to 4." in maps
    assert "fc is a column of 10 values: row 1 to 10." in vector
    assert "does not count" in vector


def test_one_map_is_not_many() -> None:
    table = Facts(tuple(reaches(network_state("convolutions").layout))).table
    rooms = dict(zip(table["name"], map(str, table["room"]), strict=True))
    assert rooms["wide"].startswith("wide has 1 map of ")
    assert rooms["up"].startswith("up has 2 maps of ")


@pytest.mark.parametrize("name", ["fastai", "kernels", "cs231n", "pooling"])
def test_what_is_looked_at_first_is_not_nothing(name: str) -> None:
    state = lessons.state_of(name)
    first, channel, row, column = (item.default for item in inputs(state.layout, state.lesson))
    stage = state.layout.by_name[str(first)]
    assert state.activations[stage.nodes[-1].name][0][int(channel) - 1, int(row) - 1, int(column) - 1] > 0


def test_a_cell_that_was_typed_over_is_seen(shown: dict[tuple[str, int], Shown]) -> None:
    assert "not what the sheet Network says" in shown["typed over", 0].loupe.values()


@pytest.mark.parametrize("program", [gnumeric, formualizer], ids=["gnumeric", "formualizer"])
def test_other_programs_show_the_same(program: Any, shown: dict[tuple[str, int], Shown], tmp_path: Path) -> None:
    for key in (("fastai", 3), ("convolutions", 1), ("convolutions", 6), ("summaries", 2)):
        page = shown[key]
        other = Shown(page.book, program.recalculate(page.book.path, tmp_path / f"{key[0]}-{key[1]}.xlsx"))
        report = check(other.path)
        wrong = [str(difference) for difference in (*report.formulas, *report.values)]
        assert [line for line in wrong if line.startswith((LOUPE, PLACES))] == []
        np.testing.assert_allclose(other.sums, page.sums, atol=1e-9)


def test_frames_and_colours_are_drawn_together(tmp_path: Path) -> None:
    made = from_tables({"input": [1, 8, 12], "layers": [NETWORKS["borders"]["layers"][0] | {"padding": 0}]})
    state, pictures = state_of(made.network), []
    for name, column in (("left", 3.0), ("right", 9.0)):
        there = state.with_typed({"input": np.ones((1, 8, 12)), ROW: 3.0, COLUMN: column})
        path = written(tmp_path, there, f"{name}.xlsx")
        pictures.append(Image.open(libreoffice.to_png(path, tmp_path, dpi=150)[1]).convert("RGB"))
    box = ImageChops.difference(*pictures).getbbox()
    assert box is not None
    colours = [colour for _, colour in pictures[0].crop(box).getcolors(1 << 24) or []]
    for colour in (style.FRAME, style.AMBER, style.INK):
        assert tuple(bytes.fromhex(colour)) in colours


def test_few_formulas_name_a_value_of_the_network() -> None:
    """A program calculates every formula anew that names a changed cell, whichever of its cells the formula takes."""
    state = fastai()
    (page,) = (page for page in registry.pages(state) if page.title == LOUPE)
    formulas = [cell.formula for _, cell in page.cells() if cell.formula is not None]
    named = [
        range_boundaries(token.value.removeprefix(f"{NETWORK}!").replace("$", ""))
        for formula in formulas
        for token in {token.value: token for token in Tokenizer(f"={formula}").items}.values()
        if token.subtype == Token.RANGE and token.value.startswith(f"{NETWORK}!")
    ]
    assert len(formulas) > 1000 and len(named) > 600
    for stage in state.layout.stages:
        row, column = stage.out.blocks[0].position(5, 0)
        naming = [at for at in named if at[0] <= column <= at[2] and at[1] <= row <= at[3]]
        assert 0 < len(naming) < 120


def test_formulas_use_only_functions_that_every_program_has(tmp_path: Path) -> None:
    path = written(tmp_path, network_state("convolutions"))
    book = openpyxl.load_workbook(path)
    found = [
        cell.value
        for title in (LOUPE, PLACES)
        for row in book[title].iter_rows()
        for cell in row
        if cell.data_type == "f"
    ]
    assert len(found) > 500
    assert set().union(*map(functions_in, found)) <= FUNCTIONS
    assert book[PLACES].sheet_state == "hidden"
    assert book.sheetnames.index(LOUPE) == book.sheetnames.index(NETWORK) - 1  # where a spec asks for it by name
    assert validator.findings(path) == []


def test_a_long_list_of_layers_is_no_longer_than_excel_takes(tmp_path: Path) -> None:
    layers = [{"kind": "LeakyReLU", "name": f"a_rather_long_name_{number}"} for number in range(30)]
    path = written(tmp_path, state_of(from_tables({"input": [1, 1, 1], "layers": layers}).network))
    sheet = openpyxl.load_workbook(path)[LOUPE]
    (layer,) = (rule for rule in sheet.data_validations.dataValidation if rule.type == "list")
    assert len(layer.formula1) < 255
    assert validator.sdk_findings(path) == []


# Graphs

SMALLEST = graph(
    (1, 2, 3),
    conv("around", out_channels=1, padding=1),
    layer("Add", "around", "input", name="sum"),
    layer("ReLU"),
    layer("Concat", "around", "relu1", name="both"),
    conv("last", "both", out_channels=1, kernel_size=[1, 2]),
)


FEW = 60


def every_choice(layout: Layout) -> Iterator[Choice]:
    """Layer, map, row and column of each value that the loupe can look at; of many, those at edges and the middle."""
    found = list(reaches(layout))
    few = sum(prod(reach.shape) for reach in found) <= FEW
    for reach in found:
        maps, *sizes = (range(1, size + 1) for size in reach.shape)
        places = sizes if few else [sorted({size[0], size[len(size) // 2], size[-1]}) for size in sizes]
        for channel, row, column in product(maps, *places):
            yield reach.stage.name, float(channel), float(row), float(column)


def apart(page: Any, shown: Mapping[tuple[int, int], object]) -> list[str]:
    """Cells that do not show what a page says."""
    return [
        f"{page.title} {at} shows {shown.get(at)!r}, not {cell.value!r}"
        for at, cell in page.cells()
        if not agreement.same(shown.get(at), cell.value)
    ]


def assert_shown(book: Any, state: WorkbookState) -> None:
    """Every cell of both sheets, in an open workbook, is what the page says of a state."""
    for title in (LOUPE, PLACES):
        page = agreement.page(state, title)
        rows = book.sheets[title].range((1, 1), page.last).options(ndim=2).value
        shown = {(y, x): value for y, row in enumerate(rows, 1) for x, value in enumerate(row, 1)}
        assert apart(page, shown) == []


@pytest.mark.parametrize("name", ["smallest", *GRAPHS])
def test_every_choice_in_a_graph_shows_what_the_page_says(name: str, tmp_path: Path) -> None:
    made = filled(tmp_path, "graph", GRAPHS.get(name, SMALLEST))
    places = {item.name: item.at for item in inputs(made.state.layout, made.state.lesson)}
    with libreoffice.opened(made.path) as book:
        book.api.enableAutomaticCalculation(False)
        for choice in some(every_choice(made.state.layout), 15):
            for setting, value in chosen(choice).items():
                book.sheets[LOUPE].range(places[setting].cell()).value = value
            book.api.calculate()
            assert_shown(book, made.state.with_typed(chosen(choice)))


def test_every_choice_in_a_graph_shows_the_same_in_gnumeric(tmp_path: Path) -> None:
    made = filled(tmp_path, "graph", SMALLEST)
    for number, choice in enumerate(some(every_choice(made.state.layout), 6)):
        edited = agreement.edited(made.path, tmp_path / f"{number}.xlsx", made.state, chosen(choice))
        answer = gnumeric.recalculate(edited, tmp_path / f"answer-{number}.xlsx")
        state = made.state.with_typed(chosen(choice))
        for title in (LOUPE, PLACES):
            assert agreement.differences(answer, state, title) == []
