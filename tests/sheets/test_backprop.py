"""Backpropagation in cells: every gradient formula, as LibreOffice computes it, against PyTorch's autograd."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn
from torch.nn import functional as F

from conv_sheet import actions
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import InputValue
from conv_sheet.checks import check
from conv_sheet.cli import main
from conv_sheet.errors import SpecError, WorkbookError
from conv_sheet.layers import Array
from conv_sheet.lessons import first_state
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.network.spec import from_tables, parse
from conv_sheet.office.closed import press as press_closed
from conv_sheet.office.live import press
from conv_sheet.opening import read
from conv_sheet.pictures.drawings import draw
from conv_sheet.sheets import registry
from conv_sheet.sheets.addresses import IMAGES, TARGET
from conv_sheet.sheets.backprop.layout import (
    BACKPROP,
    CHECK,
    CURVE_ROWS,
    DESCENT,
    LOSS,
    RATES,
    UPDATED,
    BackpropLayout,
    backprop_layout,
)
from conv_sheet.sheets.backprop.settings import BLOCK, COLUMN, RATE, ROW, H, learning, settings
from conv_sheet.state import WorkbookState
from tests import lessons
from tests.books import SWEEP, Book, assert_agrees, batch, filled
from tests.graphs import GRAPHS, graphs
from tests.networks import SMALL, changed, small, state_of, written
from tests.oracles import cells, gnumeric, libreoffice, validator
from tests.sheets import agreement


def layout_of(state: WorkbookState) -> BackpropLayout:
    return backprop_layout(state.layout, state.lesson)


# PyTorch


@dataclass
class Torch:
    """The network as PyTorch has it, made from the lines of PyTorch that the workbook shows."""

    network: Network
    tensors: dict[str, Tensor]
    name: str
    """Of the loss."""

    @classmethod
    def of(cls, state: WorkbookState) -> "Torch":
        trainable = set(state.network.trainable())
        return cls(
            state.network,
            {name: torch.tensor(value, requires_grad=name in trainable) for name, value in state.tensors.items()},
            state.lesson.loss or "cross-entropy",
        )

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        values = {"input": image[None]}
        for node in self.network.nodes:
            if node.layer.joins:
                values[node.name] = eval(node.torch, {"torch": torch, **values})
            else:
                values[node.name] = self._layer(node.name, values[node.inputs[0]])
        return values

    def _layer(self, name: str, x: Tensor) -> Tensor:
        node = self.network.node(name)
        own = {short: self.tensors[f"{name}.{short}"] for short in node.parameters}
        if node.layer.kind == "Dropout" and own["active"]:
            mask = node.layer.intermediate_values(x.detach().numpy(), {k: v.detach().numpy() for k, v in own.items()})
            return x * torch.tensor(mask["mask"]) / (1 - own["p"])
        module = eval(node.torch, {"nn": nn})
        if not isinstance(module, nn.Module):
            return module(x)  # type: ignore[no-any-return]
        shaped = {short: value for short, value in own.items() if value.shape}
        return torch.func.functional_call(module.double().eval(), shaped, (x,))  # type: ignore[no-any-return]

    def loss(self, image: Tensor, goal: Array) -> Any:
        return self.loss_of(self.forward(image), goal)

    def loss_of(self, values: dict[str, Tensor], goal: Array) -> Any:
        """The loss as PyTorch has it, of what each layer gives."""
        output = self.network.output
        kind = output.layer.kind
        before = kind == "Softmax" or (kind == "Sigmoid" and self.name == "bce")
        scores = values[output.inputs[0] if before else output.name]
        number, count, target = torch.tensor([int(goal.argmax())]), scores.shape[1], torch.tensor(goal)[None]
        return {
            "cross-entropy": lambda: F.cross_entropy(scores, number),
            "hinge": lambda: count * F.multi_margin_loss(scores, number),
            "mse": lambda: F.mse_loss(scores, target),
            "bce": lambda: F.binary_cross_entropy_with_logits(scores, target),
        }[self.name]()


def autograd(state: WorkbookState) -> tuple[float, dict[str, Array]]:
    """Loss, and its gradients by activations (without the batch axis) and by parameters."""
    model, image = Torch.of(state), torch.tensor(state.image, requires_grad=True)
    values = model.forward(image)
    for value in values.values():
        value.retain_grad()
    loss = model.loss_of(values, settings(state).goal)
    torch.autograd.backward(loss)
    grads = {name: value.grad[0].numpy() for name, value in values.items() if value.grad is not None}
    return loss.item(), grads | {n: t.grad.numpy() for n, t in model.tensors.items() if t.grad is not None}


def trained(state: WorkbookState, steps: int) -> tuple[dict[str, Array], list[float]]:
    """Parameters after some steps of PyTorch's SGD, and the loss before each and after the last."""
    model, image, chosen = Torch.of(state), torch.tensor(state.image), settings(state)
    optimizer = torch.optim.SGD([t for t in model.tensors.values() if t.requires_grad], lr=chosen.rate)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model.loss(image, chosen.goal)
        losses.append(loss.item())
        torch.autograd.backward(loss)
        optimizer.step()
    losses.append(model.loss(image, chosen.goal).item())
    return {name: tensor.detach().numpy() for name, tensor in model.tensors.items()}, losses


def examples(state: WorkbookState) -> list[tuple[Tensor, Array]]:
    """What is learned together: the pictures that classes are named after, or the one on `Network`."""
    together = [(state.image, settings(state).goal)]
    if "images" in state.lesson.sheets:
        classes, shape = state.network.classes, state.network.input_shape
        labels = [*classes, "circle+square"] if state.lesson.loss == "bce" else classes
        inputs = {label: f"image_{label.replace('+', '_')}" for label in labels}
        together = [
            (
                np.asarray(state.typed.get(inputs[label], draw(label, shape)), dtype=float),
                np.array([float(name in label.split("+")) for name in classes]),
            )
            for label in labels
        ]
    return [(torch.tensor(image), target) for image, target in together]


def descended(
    state: WorkbookState, some: list[tuple[Tensor, Array]], lr: float, momentum: float, steps: int
) -> list[float]:
    """Mean losses of some pictures before each step of PyTorch's SGD, and after the last."""
    model, losses = Torch.of(state), []
    optimizer = torch.optim.SGD([t for t in model.tensors.values() if t.requires_grad], lr=lr, momentum=momentum)
    for _ in range(steps + 1):
        optimizer.zero_grad()
        loss = torch.stack([model.loss(image, target) for image, target in some]).mean()
        losses.append(loss.item())
        torch.autograd.backward(loss)
        optimizer.step()
    return losses


# Networks that have every kind and option between them


def spec(shape: list[int], *layers: dict[str, Any], **more: Any) -> dict[str, Any]:
    end = [{"kind": "Flatten"}, {"kind": "Linear", "name": "fc", "out_features": 3}, {"kind": "Softmax", "name": "out"}]
    return {"input": shape, "layers": [*layers, *end], "backprop": True} | more


def conv(kind: str = "Conv2d", **options: Any) -> dict[str, Any]:
    return {"kind": kind, "name": "conv", "out_channels": 2, "kernel_size": 3} | options


def layer(kind: str, **options: Any) -> dict[str, Any]:
    return {"kind": kind} | options


def _joined(loss: str) -> dict[str, Any]:
    """Scores of two layers that end in nothing behind them."""
    row, heads = {"kind": "Flatten", "name": "row"}, ("one", "other")
    sizes = zip(heads, (2, 3), strict=True)
    linears = [{"kind": "Linear", "name": name, "out_features": n, "inputs": ["row"]} for name, n in sizes]
    both = {"kind": "Concat", "name": "both", "inputs": [*heads]}
    return {"input": [1, 2, 3], "layers": [row, *linears, both], "loss": loss, "backprop": True}


NETWORKS: dict[str, dict[str, Any]] = {
    "strided": spec(
        [2, 9, 8],
        conv(out_channels=4, kernel_size=[3, 2], stride=[2, 1], padding=[2, 1], dilation=[1, 2], groups=2),
        layer("LeakyReLU", negative_slope=0.2),
        layer("MaxPool2d", kernel_size=3, stride=2, padding=1),
        classes=["3", "7", "=1+1"],
    ),
    "reflected": spec(
        [1, 6, 7],
        conv(padding="same", padding_mode="reflect", dilation=2),
        layer("Tanh"),
        layer("AvgPool2d", kernel_size=3, stride=2, padding=1, count_include_pad=False, ceil_mode=True),
    ),
    "replicated": spec(
        [1, 6, 6],
        conv(padding=2, padding_mode="replicate", stride=2),
        layer("Sigmoid"),
        layer("MinPool2d", kernel_size=2, stride=1, dilation=2, ceil_mode=True),
    ),
    "circular": spec(
        [2, 5, 5],
        conv(out_channels=3, padding=1, padding_mode="circular", bias=False),
        layer("BatchNorm2d", name="bn"),
        layer("ReLU"),
        layer("AdaptiveAvgPool2d", output_size=1),
    ),
    "transposed": spec(
        [2, 4, 3],
        conv("ConvTranspose2d", out_channels=2, stride=2, padding=1, output_padding=1, groups=2),
        layer("BatchNorm2d", affine=False),
        layer("ReLU"),
        layer("MaxPool2d", kernel_size=2, dilation=2, stride=2, padding=1, ceil_mode=True),
    ),
    "overlapping": spec(
        [1, 7, 6],
        conv("ConvTranspose2d", kernel_size=2, dilation=2, bias=False),
        layer("AvgPool2d", kernel_size=[2, 3], stride=1, padding=1),
    ),
    "dense": spec(
        [1, 3, 4],
        layer("Flatten"),
        layer("Linear", out_features=20, bias=False),
        layer("Tanh"),
        layer("Dropout", p=0.4),
        layer("Linear", out_features=4),
        layer("Softmax"),
    ),
    **{f"{loss} joined": _joined(loss) for loss in ("hinge", "bce")},
    "hinge": {
        "input": [1, 3, 4],
        "classes": ["left", "right", "both"],
        "layers": [layer("Flatten"), {"kind": "Linear", "name": "fc", "out_features": 3}],
        "loss": "hinge",
        "backprop": True,
    },
    "mse": spec([1, 4, 5], conv(), layer("ReLU"), loss="mse"),
    "bce": {
        "input": [1, 5, 4],
        "layers": [
            conv(),
            layer("Tanh"),
            layer("Flatten"),
            {"kind": "Linear", "name": "fc", "out_features": 3},
            layer("Sigmoid"),
        ],
        "loss": "bce",
        "backprop": True,
    },
    "several": {
        "input": [1, 6, 6],
        "classes": ["circle", "square"],
        "layers": [layer("Flatten"), {"kind": "Linear", "name": "fc", "out_features": 2}],
        "loss": "bce",
        "picture": "circle+square",
        "sheets": ["images"],
        "backprop": True,
    },
    "wide": spec([1, 6, 6], conv(out_channels=9), layer("Dropout", p=0.3), layer("MaxPool2d", kernel_size=2)),
}


def network_state(name: str, seed: int = 1) -> WorkbookState:
    if name == "lesson":
        return lessons.state_of("backprop")
    made = from_tables(NETWORKS[name])
    if made.lesson.sheets:
        return first_state(made.network, made.lesson, made.network.initial(seed))
    return state_of(made.network, seed, made.lesson)


def edited(state: WorkbookState, target: int, rate: float) -> tuple[WorkbookState, dict[str, cells.Value | None]]:
    """Other numbers everywhere, dropout on, and what to type where for it."""
    made, (other, pixels) = layout_of(state), changed(state, seed=8)
    one = made.weight_blocks[1 if state.lesson.tries else -1]
    dropout = {"active": 1.0, "p": 0.25}
    changes: dict[str, InputValue] = {
        **{n: dropout[n.rpartition(".")[2]] for n in state.network.parameters if n.rpartition(".")[2] in dropout},
        **{RATE: rate, BLOCK: one.name},
        **{ROW: float(one.block.height), COLUMN: float(one.block.width), H: 1e-4},
    }
    if made.objective.asks_each:
        count, bias = len(made.labels), [n for n in state.network.parameters if n.endswith("bias")][-1]
        changes[bias] = other.tensors[bias] - 2.0  # so that some classes are denied
        changes[TARGET] = np.array([[float((number - target) % count < count // 2)] for number in range(count)])
    else:
        changes[TARGET] = made.labels[target]
    if "images" in state.lesson.sheets:
        last = state.network.classes[1]
        changes[f"image_{last}"] = np.random.default_rng(3).random(state.network.input_shape).round(2)
    return other.with_typed(changes), {**pixels, **agreement.typed(state, changes)}


@dataclass
class Shown:
    """What LibreOffice made of a workbook after changes, and what was changed."""

    state: WorkbookState
    path: Path
    sheets: Mapping[str, Mapping[str, cells.Value]]

    def tensor(self, placed: Placed) -> Array:
        shown = self.sheets[placed.blocks[0].sheet]
        span = [
            cells.array(shown, block.relative) if block.step == (1, 1) else self.apart(block) for block in placed.blocks
        ]
        return placed.tensor(np.stack(span))

    def apart(self, block: Block) -> Array:
        shown = self.sheets[block.sheet]
        at = [[block.cell(y, x) for x in range(block.width)] for y in range(block.height)]
        return np.array([[shown[cell] for cell in row] for row in at], dtype=float)

    def value(self, block: Block) -> float:
        return float(self.sheets[block.sheet][block.cell()])

    def values(self, block: Block) -> list[float]:
        return [self.value(block.part(y, 0, 1, 1)) for y in range(block.height)]

    @property
    def text(self) -> str:
        return "\n".join(str(value) for value in self.sheets[BACKPROP].values())


ALL = ["lesson", *NETWORKS]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The workbook of every network."""
    folder = tmp_path_factory.mktemp("built")
    return {name: written(folder, network_state(name, seed=number), f"{name}.xlsx") for number, name in enumerate(ALL)}


@pytest.fixture(scope="module")
def shown(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shown]:
    """Every network: built, changed, calculated by LibreOffice."""
    folder = tmp_path_factory.mktemp("backprop")
    after, paths = {}, []
    for number, name in enumerate(ALL):
        state = network_state(name, seed=number)
        after[name], typed = edited(state, target=number % 3, rate=0.05 * (number % 8 + 1))
        paths.append(agreement.put(built[name], folder / f"{name}.xlsx", typed))
    answers = libreoffice.recalculate(paths, folder / "out")
    return {name: shown_in(after[name], answer) for name, answer in zip(ALL, answers, strict=True)}


def shown_in(state: WorkbookState, path: Path) -> Shown:
    """What a file shows of a state."""
    return Shown(state, path, {title: cells.values(path, title) for title in (BACKPROP, UPDATED)})


def assert_autograds(answer: Shown) -> dict[str, Array]:
    """Loss and gradients, by the formulas and by the engine, are those of PyTorch; these are returned."""
    state, made = answer.state, layout_of(answer.state)
    loss, grads = autograd(state)
    assert answer.value(made.loss) == pytest.approx(loss, abs=1e-8)
    assert {n for n in made.gradients if "." in n} == set(state.network.trainable())
    for tensor, placed in made.gradients.items():
        np.testing.assert_allclose(answer.tensor(placed), grads[tensor], rtol=0, atol=1e-8, err_msg=tensor)
        engines = learning(state).gradients[tensor].reshape(grads[tensor].shape)
        np.testing.assert_allclose(engines, grads[tensor], rtol=1e-10, atol=1e-10, err_msg=tensor)
    return grads


def assert_right(path: Path) -> None:
    """Every formula of a file is there, and shows what the engine makes of what is typed."""
    report = check(path)
    assert [*map(str, report.formulas), *map(str, report.values)] == []


@pytest.mark.parametrize("name", ALL)
def test_every_gradient_is_autograds(shown: dict[str, Shown], name: str) -> None:
    grads = assert_autograds(shown[name])
    assert sum(np.count_nonzero(grad) for grad in grads.values()) > sum(grad.size for grad in grads.values()) / 4


@pytest.mark.parametrize("name", ALL)
def test_the_weights_after_the_step_are_those_of_pytorchs_sgd(shown: dict[str, Shown], name: str) -> None:
    answer = shown[name]
    weights, (_, after) = trained(answer.state, 1)
    assert answer.value(layout_of(answer.state).loss_after) == pytest.approx(after, abs=1e-8)
    for tensor, placed in answer.state.layout.parameters():
        np.testing.assert_allclose(
            answer.tensor(placed.on(UPDATED)), weights[tensor], rtol=0, atol=1e-8, err_msg=tensor
        )


@pytest.mark.parametrize("name", ALL)
def test_the_numerical_gradient_agrees_and_is_a_central_difference(shown: dict[str, Shown], name: str) -> None:
    answer, losses = shown[name], []
    state, made, chosen = answer.state, layout_of(answer.state), settings(answer.state)
    one = made.weight_blocks[chosen.block]
    for sign in (1, -1):
        placed = made.gradients[one.tensor]
        planes = placed.planes(state.tensors[one.tensor]).copy()
        planes[one.index, chosen.row - 1, chosen.column - 1] += sign * chosen.h
        model = Torch.of(state.with_typed({one.tensor: placed.tensor(planes)}))
        losses.append(model.loss(torch.tensor(state.image), chosen.goal).item())
    high, low, numerical, formula = (answer.value(made.value(CHECK, line)) for line in (4, 5, 6, 7))
    np.testing.assert_allclose([high, low], losses, rtol=0, atol=1e-10)
    assert numerical == pytest.approx((losses[0] - losses[1]) / (2 * chosen.h), abs=1e-8)
    assert formula == pytest.approx(numerical, abs=1e-6)
    larger = max(abs(numerical), abs(formula)) or 1.0
    relative = abs(numerical - formula) / larger
    assert answer.value(made.value(CHECK, 8)) == pytest.approx(relative, abs=1e-8 / larger)
    assert "the two agree" in answer.text


SMALL_ONES = ["lesson", "replicated", "hinge joined", "bce joined", "hinge", "mse", "bce", "several"]
"""Those of which there are many steps at once."""


def test_small_networks_alone_look_ahead(shown: dict[str, Shown]) -> None:
    assert [name for name in ALL if layout_of(shown[name].state).looks_ahead] == SMALL_ONES
    assert len(examples(shown["lesson"].state)) == 3


@pytest.mark.parametrize("name", SMALL_ONES)
def test_losses_after_a_step_at_twelve_learning_rates_are_pytorchs(shown: dict[str, Shown], name: str) -> None:
    answer = shown[name]
    state, made = answer.state, layout_of(answer.state)
    rates = answer.values(made.ahead("rate"))
    assert len(rates) == len(set(rates)) == 12
    own = torch.tensor(state.image), settings(state).goal
    alone = {"this picture": [own]} if "images" in state.lesson.sheets else {}
    runs = {"all pictures": examples(state)} | alone
    for what, some in runs.items():
        expected = [descended(state, some, rate, 0.0, 1)[-1] for rate in rates]
        np.testing.assert_allclose(answer.values(made.ahead(what)), expected, rtol=1e-9, atol=1e-9)
    now, after = descended(state, examples(state), settings(state).rate, 0.0, 1)
    said = [answer.value(made.value(RATES, line)) for line in (0, 1)]
    np.testing.assert_allclose(said, [now, after], rtol=0, atol=1e-9)
    mark = [answer.value(made.marked), answer.value(made.marked.part(0, 4, 1, 1))]
    top = next(line.top for line in agreement.page(state, BACKPROP).lines if line.top)
    np.testing.assert_allclose(mark, [settings(state).rate, min(after, top)], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", SMALL_ONES)
def test_ten_steps_with_momentum_and_without_are_those_of_pytorchs_sgd(shown: dict[str, Shown], name: str) -> None:
    answer = shown[name]
    state, made = answer.state, layout_of(answer.state)
    assert answer.values(made.ahead("step")) == list(range(11))
    lists = {what: answer.values(made.ahead(what)) for what in ("SGD", "momentum")}
    for what, momentum in {"SGD": 0.0, "momentum": 0.9}.items():
        expected = descended(state, examples(state), settings(state).rate, momentum, 10)
        np.testing.assert_allclose(lists[what], expected, rtol=0, atol=1e-9)
    apart = max(abs(one - other) for one, other in zip(lists["SGD"], lists["momentum"], strict=True))
    assert apart > 1e-3 or ("hinge" in name and lists["SGD"][1] == 0)
    assert [answer.value(made.value(DESCENT, line)) for line in (0, 1)] == [lists["SGD"][-1], lists["momentum"][-1]]


@pytest.mark.parametrize("name", ALL)
def test_check_is_green_after_all_these_changes(shown: dict[str, Shown], name: str) -> None:
    assert_right(shown[name].path)


def test_gradients_are_the_slopes_of_the_loss(shown: dict[str, Shown]) -> None:
    answer, h = shown["lesson"], 1e-5
    state, target = answer.state, settings(answer.state).goal
    for tensor in state.network.trainable():
        slopes = np.zeros_like(state.tensors[tensor])
        for at in np.ndindex(*slopes.shape):
            losses = []
            for sign in (1, -1):
                weight = state.tensors[tensor].copy()
                weight[at] += sign * h
                model = Torch.of(state.with_typed({tensor: weight}))
                losses.append(model.loss(torch.tensor(state.image), target).item())
            slopes[at] = (losses[0] - losses[1]) / (2 * h)
        gradient = layout_of(state).gradients[tensor]
        np.testing.assert_allclose(answer.tensor(gradient), slopes, rtol=0, atol=1e-8, err_msg=tensor)


def test_gnumeric_agrees(shown: dict[str, Shown], tmp_path: Path) -> None:
    for name in ("lesson", "strided", "transposed", "hinge", "mse", "bce", "several"):
        assert_right(gnumeric.recalculate(shown[name].path, tmp_path / f"{name}.xlsx"))


def test_a_picture_of_several_classes_has_them_all_as_its_target(shown: dict[str, Shown], tmp_path: Path) -> None:
    """What the picture is called is the target at first; a step goes down the loss of what is typed."""
    state = network_state("several")
    assert settings(state).goal.tolist() == [1, 1]
    assert [goal.tolist() for _, goal in examples(state)] == [[1, 0], [0, 1], [1, 1]]
    left_out = 0
    for answer in (shown["several"], shown["bce"], shown["bce joined"]):
        made, values = layout_of(answer.state), Torch.of(answer.state).forward(torch.tensor(answer.state.image))
        yes, there = values[made.objective.layer][0].detach().numpy() > 0, settings(answer.state).goal == 1
        assert answer.value(made.value(LOSS, 1)) == (yes == there).sum()
        left_out += int(np.count_nonzero(~yes & ~there))
    assert left_out
    assert settings(answer.state).goal.sum() == 2
    path = Path(shutil.copy(answer.path, tmp_path / "several.xlsx"))
    press_closed(path, actions.train_step)
    press_closed(path, actions.train_step)
    assert_trained(path, trained(answer.state, 2))


# Graphs


def learner(network: Network) -> Network:
    """A graph, and behind it what makes probabilities of its output."""
    if network.output.layer.normalises:
        return network
    shape = network.output.out_shape
    end = [layer("Flatten", name="row")] if len(shape) > 1 else []
    end += [layer("Linear", name="scores", out_features=3), layer("Softmax", name="shares")]
    return Network.from_spec({"input": list(network.input_shape), "layers": [*network.spec()["layers"], *end]})


MOST_GRAPHS = 10 if SWEEP else 5
"""Random graphs that are calculated."""


def branched(network: Network) -> bool:
    """Whether layers join, and something is read by several."""
    joins = any(node.layer.joins for node in network.nodes)
    return joins and any(len(network.readers(name)) > 1 for name in ("input", *(node.name for node in network.nodes)))


@pytest.fixture(scope="module")
def graph_answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Book, Path]]:
    """Workbooks of graphs in which everything was typed anew, and what LibreOffice makes of them."""
    folder = tmp_path_factory.mktemp("graphs")
    drawn = {
        tuple(n.layer.kind for n in network.nodes): network for network in batch(graphs(), 60) if branched(network)
    }
    every = GRAPHS | {f"random {number}": network for number, network in enumerate([*drawn.values()][-MOST_GRAPHS:])}
    books = {
        name: filled(folder, name.replace(" ", "-"), learner(network), Lesson(backprop=True))
        for name, network in every.items()
    }
    answers = libreoffice.recalculate([book.path for book in books.values()], folder / "out")
    return {name: (book, answer) for (name, book), answer in zip(books.items(), answers, strict=True)}


def test_random_graphs_have_what_they_are_drawn_for(graph_answers: dict[str, tuple[Book, Path]]) -> None:
    networks = [book.state.network for name, (book, _) in graph_answers.items() if name.startswith("random")]
    kinds = [{node.layer.kind for node in network.nodes} for network in networks]
    assert len(kinds) == MOST_GRAPHS
    assert sum("Add" in one for one in kinds) > 1 and sum("Concat" in one for one in kinds) > 1


@pytest.mark.parametrize("name", [*GRAPHS, *(f"random {number}" for number in range(MOST_GRAPHS))])
def test_gradients_of_a_graph_and_a_step_down_are_pytorchs(
    name: str, graph_answers: dict[str, tuple[Book, Path]]
) -> None:
    book, answer = graph_answers[name]
    page, (weights, (_, after)) = shown_in(book.state, answer), trained(book.state, 1)
    assert_autograds(page)
    assert page.value(layout_of(book.state).loss_after) == pytest.approx(after, abs=1e-8)
    for tensor, placed in book.state.layout.parameters():
        np.testing.assert_allclose(page.tensor(placed.on(UPDATED)), weights[tensor], rtol=0, atol=1e-8)
    assert_agrees(answer, book.state)


@pytest.mark.parametrize("name", ["a residual block", "branches behind each other"])
def test_gnumeric_agrees_on_graphs(name: str, graph_answers: dict[str, tuple[Book, Path]], tmp_path: Path) -> None:
    book, _ = graph_answers[name]
    assert_agrees(gnumeric.recalculate(book.path, tmp_path / "answer.xlsx"), book.state)


# Ties and extremes


def lesson_alone() -> WorkbookState:
    """The network of the lesson without the pictures that it learns together: as a workbook much smaller."""
    state = lessons.state_of("backprop")
    lesson = Lesson(backprop=True, picture=state.lesson.picture)
    return replace(state_of(state.network, lesson=lesson), typed={**state.tensors, "input": state.image})


def specials() -> dict[str, tuple[WorkbookState, dict[str, InputValue]]]:
    """What is built, and what is then typed into it."""
    state = lesson_alone()
    kernels = np.array([[[[1.0, 2, 1], [0, 1, 0], [1, 2, 1]]], [[[1.0] * 3] * 3]])
    even: dict[str, InputValue] = {"conv.weight": kernels}
    layers = [layer("MaxPool2d", kernel_size=2), layer("Flatten"), layer("Linear", out_features=2), layer("Softmax")]
    made = from_tables({"input": [1, 2, 4], "layers": layers, "backprop": True})
    pool = state_of(made.network, lesson=made.lesson)
    sure: dict[str, InputValue] = {name: value * 300 for name, value in state.tensors.items()}
    sure_of = str(state.with_typed(sure).prediction)
    nearly = np.array([[[0.3, 0.1 + 0.2, 0.7, 0.2], [0.1, 0.2, np.nextafter(0.7, 1), 0.1]]])
    return {
        "flat": (state, {"input": np.full((1, 8, 8), 0.5)} | even),
        "bar": (state, even),
        "checked": (state, {"input": np.indices((8, 8)).sum(axis=0)[None] % 2.0} | even),
        "rounding": (pool, {"input": nearly}),
        "extreme": (state, sure),
        "learned": (state, sure | {TARGET: sure_of}),
        "coarse": (state, {H: 1.0}),
        "outside": (state, {ROW: 4.0}),
        "kink": (state, {"conv.bias": np.zeros(2), BLOCK: "conv_bias", ROW: 1.0, COLUMN: 1.0}),
    }


@pytest.fixture(scope="module")
def special(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shown]:
    folder, cases = tmp_path_factory.mktemp("special"), specials()
    states = {id(state): state for state, _ in cases.values()}
    new = {key: written(folder, state, f"{key}-new.xlsx") for key, state in states.items()}
    paths = [
        agreement.edited(new[id(state)], folder / f"{name}.xlsx", state, changes)
        for name, (state, changes) in cases.items()
    ]
    answers = zip(cases.items(), libreoffice.recalculate(paths, folder / "out"), strict=True)
    return {name: shown_in(state.with_typed(changes), path) for (name, (state, changes)), path in answers}


@pytest.mark.parametrize("picture", ["flat", "bar", "checked"])
def test_ties_go_to_the_first_maximum(special: dict[str, Shown], picture: str) -> None:
    answer = special[picture]
    _, grads = autograd(answer.state)
    windows = F.unfold(torch.tensor(answer.state.activations["relu"]), 2, stride=2).reshape(2, 4, 9)
    assert ((windows == windows.amax(dim=1, keepdim=True)).sum(dim=1) > 1).any()
    for tensor, placed in layout_of(answer.state).gradients.items():
        np.testing.assert_allclose(answer.tensor(placed), grads[tensor], rtol=0, atol=1e-8, err_msg=tensor)


def test_values_that_differ_by_rounding_alone_tie_in_the_engine_as_in_cells(special: dict[str, Shown]) -> None:
    answer = special["rounding"]
    windows = answer.state.image.reshape(2, 2, 2).swapaxes(0, 1).reshape(2, 4)
    assert windows.argmax(axis=1).tolist() == [1, 2]
    routed = answer.tensor(layout_of(answer.state).gradients["input"])
    assert np.argwhere(routed[0]).tolist() == [[0, 0], [0, 2]]
    np.testing.assert_allclose(routed, learning(answer.state).gradients["input"][0], rtol=0, atol=1e-12)


def test_a_loss_beyond_what_a_probability_can_say(special: dict[str, Shown]) -> None:
    answer = special["extreme"]
    loss, grads = autograd(answer.state)
    assert loss > 800
    assert answer.state.output[settings(answer.state).goal.argmax()] == 0.0
    assert answer.value(layout_of(answer.state).loss) == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(answer.tensor(layout_of(answer.state).gradients["fc"]), grads["fc"], rtol=0, atol=1e-8)


def test_a_picture_that_is_learned_has_nothing_left_to_teach(special: dict[str, Shown]) -> None:
    answer = special["learned"]
    assert answer.value(layout_of(answer.state).loss) == pytest.approx(0, abs=1e-6)
    assert "nothing is left to learn here" in answer.text
    assert_right(answer.path)


def test_a_coarse_h_does_not_agree(special: dict[str, Shown]) -> None:
    assert "they differ: is h too large" in special["coarse"].text
    assert_right(special["coarse"].path)


def test_the_relative_error_says_how_far_apart_two_gradients_are(special: dict[str, Shown]) -> None:
    answer = special["coarse"]
    numerical, formula, relative = (answer.value(layout_of(answer.state).value(CHECK, line)) for line in (6, 7, 8))
    assert relative == pytest.approx(abs(numerical - formula) / max(abs(numerical), abs(formula)), rel=1e-6)
    assert relative > 0.1


def test_at_a_kink_the_gradient_is_the_slope_to_one_side_and_what_is_measured_the_mean_of_both(
    special: dict[str, Shown],
) -> None:
    answer, h = special["kink"], 1e-6
    state, losses = answer.state, []
    numerical, formula, relative = (answer.value(layout_of(state).value(CHECK, line)) for line in (6, 7, 8))
    for change in (-h, 0.0, h):
        bias = np.array([change, 0.0])
        model = Torch.of(state.with_typed({"conv.bias": bias}))
        losses.append(model.loss(torch.tensor(state.image), settings(state).goal).item())
    below, above = (losses[1] - losses[0]) / h, (losses[2] - losses[1]) / h
    assert abs(above - below) > 0.1
    assert formula == pytest.approx(below, abs=1e-5)
    assert numerical == pytest.approx((below + above) / 2, abs=1e-4)
    assert relative > 1


def test_a_place_outside_of_the_block_is_said(special: dict[str, Shown]) -> None:
    assert "the block has no such row or column" in special["outside"].text
    assert_right(special["outside"].path)


# The start


def test_nothing_of_the_lesson_starts_saturated_or_dead() -> None:
    """Each picture is a guess at first, and says to each kernel and each class where to go."""
    state = lessons.state_of("backprop")
    for image, target in examples(state):
        model = Torch.of(state)
        loss = model.loss(image, target)
        assert loss.item() == pytest.approx(np.log(3), abs=0.2)
        torch.autograd.backward(loss)
        for name, tensor in model.tensors.items():
            assert tensor.grad is not None
            assert tensor.grad.reshape(len(tensor), -1).abs().amax(1).min() > 1e-2, name
    losses = descended(state, examples(state), settings(state).rate, 0.9, 10)
    assert losses == sorted(losses, reverse=True)


# Training


def ten(state: WorkbookState) -> tuple[dict[str, Array], list[float]]:
    return trained(state, 10)


def assert_trained(path: Path, expected: tuple[dict[str, Array], list[float]]) -> None:
    state = read(path)
    weights, losses = expected
    for name, value in weights.items():
        np.testing.assert_allclose(state.tensors[name], value, rtol=0, atol=1e-9, err_msg=name)
    np.testing.assert_allclose([loss for _, loss in state.curve], losses, rtol=0, atol=1e-9)
    assert [step for step, _ in state.curve] == list(range(len(losses)))


@pytest.fixture
def lesson(shown: dict[str, Shown], tmp_path: Path) -> tuple[WorkbookState, Path]:
    """The lesson with other numbers, target and learning rate, calculated by LibreOffice."""
    return shown["lesson"].state, Path(shutil.copy(shown["lesson"].path, tmp_path / "lesson.xlsx"))


def test_single_steps_are_steps_of_pytorch(lesson: tuple[WorkbookState, Path]) -> None:
    state, path = lesson
    for number in range(3):
        status, notes = press_closed(path, actions.train_step)
        assert notes == []
        if number == 0:
            assert status.startswith("Trained one step at learning rate 0.05: loss ")
    assert_trained(path, trained(state, 3))
    assert check(path).ok


def test_the_button_for_ten_steps_in_libreoffice(lesson: tuple[WorkbookState, Path]) -> None:
    state, path = lesson
    weights, losses = ten(state)
    made = layout_of(state)
    with libreoffice.opened(path) as book:
        status = press(book, actions.train_steps)
        assert "Trained 10 steps" in status
        assert f"{losses[0]:.4f} → {losses[-1]:.4f}" in status
        for name, placed in state.layout.parameters():
            planes = [np.array(book.sheets["Network"].range(b.relative).options(ndim=2).value) for b in placed.blocks]
            np.testing.assert_allclose(placed.tensor(np.stack(planes)), weights[name], rtol=0, atol=1e-9, err_msg=name)
        rows = book.names["loss_curve"].refers_to_range.options(ndim=2, empty=None).value
        np.testing.assert_allclose([loss for _, loss in rows[:11]], losses, rtol=0, atol=1e-9)
        assert all(value in (None, "") for row in rows[11:] for value in row)
        assert book.sheets[BACKPROP].range(made.loss.cell()).value == pytest.approx(losses[-1], abs=1e-8)
        press(book, actions.reset)
        rows = book.names["loss_curve"].refers_to_range.options(ndim=2, empty=None).value
        assert all(value in (None, "") for row in rows for value in row)


def test_a_step_by_hand_is_a_step_of_pytorch(lesson: tuple[WorkbookState, Path], tmp_path: Path) -> None:
    state, path = lesson
    sheet = openpyxl.load_workbook(path)[BACKPROP]
    links = [cell.hyperlink.location for row in sheet.iter_rows() for cell in row if cell.hyperlink]
    copies = [tuple(place.partition("!")[::2]) for place in links if not place.startswith(IMAGES)]
    updated = cells.values(path, UPDATED)
    typed: dict[str, cells.Value | None] = {}
    for (source, area), (target, corner) in zip(copies[::2], copies[1::2], strict=True):
        assert (source, target) == (UPDATED, "Network")
        block = openpyxl.worksheet.cell_range.CellRange(area)
        assert openpyxl.utils.cell.coordinate_to_tuple(corner) == (block.min_row, block.min_col)
        for row in block.rows:
            for at in row:
                cell = f"{openpyxl.utils.get_column_letter(at[1])}{at[0]}"
                typed[f"Network!{cell}"] = updated.get(cell)
    by_hand = cells.set_cells(path, tmp_path / "by hand.xlsx", typed)
    (answer,) = libreoffice.recalculate([by_hand], tmp_path / "out")
    weights, losses = trained(state, 1)
    after = read(answer)
    for name, value in weights.items():
        np.testing.assert_allclose(after.tensors[name], value, rtol=0, atol=1e-9, err_msg=name)
    assert cells.values(answer, BACKPROP)[layout_of(state).loss.cell()] == pytest.approx(losses[1], abs=1e-8)


def test_areas_to_copy_hold_weights_alone() -> None:
    for name in ALL:
        layout = network_state(name).layout
        made = layout_of(network_state(name))
        others = {
            at
            for stage in layout.stages
            for short, placed in stage.own.items()
            for block in placed.blocks
            for at in block.positions()
            if f"{stage.name}.{short}" not in made.gradients
        }
        covered = {at for _, area in made.areas() for at in area.positions()}
        weights = {
            at
            for tensor, placed in layout.parameters()
            if tensor in made.gradients
            for block in placed.blocks
            for at in block.positions()
        }
        assert weights <= covered, name
        assert not covered & others, name


def test_the_curve_keeps_its_last_losses_and_reset_clears_it(tmp_path: Path) -> None:
    first = lesson_alone()
    path = written(tmp_path, first)
    press_closed(path, lambda state: actions.train(state, CURVE_ROWS + 30))
    state = read(path)
    assert [step for step, _ in state.curve] == list(range(31, CURVE_ROWS + 31))
    assert state.curve[-1][1] < state.curve[0][1]
    press_closed(path, actions.reset)
    again = read(path)
    assert again.curve == ()
    np.testing.assert_array_equal(again.tensors["fc.weight"], first.tensors["fc.weight"])
    assert validator.findings(path) == []
    press_closed(path, actions.reset)
    np.testing.assert_array_equal(read(path).tensors["fc.weight"], state.tensors["fc.weight"])


def test_a_learning_rate_that_is_far_too_large_changes_nothing(tmp_path: Path) -> None:
    state = lesson_alone()
    large = {name: value * 5000 for name, value in state.tensors.items()}
    path = written(tmp_path, state.with_typed({**large, RATE: 1000.0}))
    before = path.read_bytes()
    with pytest.raises(
        WorkbookError, match=r"^step \d+ at learning rate 1000 would make weights larger than 1,000,000"
    ):
        press_closed(path, lambda state: actions.train(state, 200))
    assert path.read_bytes() == before


def test_other_workbooks_have_nothing_to_train(tmp_path: Path) -> None:
    path = written(tmp_path, state_of(small()))
    with pytest.raises(WorkbookError, match="has no sheet Backprop: build it again, with the option --backprop"):
        press_closed(path, actions.train_step)


# The sheets


def test_check_finds_a_broken_gradient(tmp_path: Path) -> None:
    state = lesson_alone()
    path = written(tmp_path, state)
    assert check(path).ok
    cell = layout_of(state).gradients["conv.weight"].blocks[1].cell(1, 1)
    formula = openpyxl.load_workbook(path)[BACKPROP][cell].value
    broken = cells.set_cells(path, tmp_path / "broken.xlsx", {f"{BACKPROP}!{cell}": formula.replace("PRODUCT", "")})
    (saved,) = libreoffice.recalculate([broken], tmp_path / "out")
    assert f"{BACKPROP}!{cell}" in {difference.address for difference in check(saved).formulas}


def test_formulas_read_as_the_chain_rule_does(tmp_path: Path) -> None:
    state = lesson_alone()
    book, made = openpyxl.load_workbook(written(tmp_path, state)), layout_of(state)

    def formula(name: str, block: int, y: int, x: int) -> str:
        return str(book[BACKPROP][made.gradients[name].blocks[block].cell(y, x)].value)

    own = {name: placed.blocks for name, placed in state.layout.parameters()}
    out = {stage.name: stage.out.blocks for stage in state.layout.stages}
    grad = {name: placed.blocks for name, placed in made.gradients.items()}
    window = out["input"][0].window(1, 2, 6, 6)
    assert formula("conv.weight", 1, 1, 2) == f"=SUMPRODUCT(Network!{window},{grad['conv'][1].absolute})"
    assert formula("conv", 0, 2, 3) == f"=IF(Network!{out['relu'][0].cell(2, 3)}>0,{grad['relu'][0].cell(2, 3)},0)"
    assert formula("fc.bias", 0, 2, 0) == f"={grad['fc'][0].cell(2, 0)}"
    assert formula("fc", 0, 1, 0) == f"=Network!{out['softmax'][0].cell(1, 0)}-{made.goal.cell(1, 0)}"
    relu = {at: f"Network!{out['relu'][0].cell(*at)}" for at in ((2, 4), (2, 5), (3, 4))}
    largest, routed = f"Network!{out['pool'][0].cell(1, 2)}", grad["pool"][0].cell(1, 2)
    assert formula("relu", 0, 2, 4) == f"=IF({relu[2, 4]}={largest},{routed},0)"
    before = f"Network!{out['relu'][0].window(2, 4, 1, 2)}"
    assert formula("relu", 0, 3, 4) == f"=IF(AND({relu[3, 4]}={largest},MAX({before})<{largest}),{routed},0)"
    weights = [
        f"Network!{own['fc.weight'][output * 2 + 1].cell(0, 1)}*{grad['fc'][0].fixed(output, 0)}" for output in range(3)
    ]
    assert formula("pool", 1, 0, 1) == "=" + "+".join(weights)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            TARGET,
            "circle",
            r"holds 'circle'; target takes vertical or horizontal or cross: choose one",
        ),
        (RATE, -1, r"holds -1; learning_rate takes a number from 0 to 1,000: "),
        (BLOCK, "conv_weight_9_9", r"holds 'conv_weight_9_9'; check_block takes conv_weight_1_1 or .*: choose one"),
        (ROW, 1.5, r"holds 1\.5; check_row takes a whole number from 1"),
        (H, None, r"is empty, .*; check_h takes a number from 1e-05 to 1"),
    ],
)
def test_what_cannot_be_typed_is_told_by_cell(
    built: dict[str, Path], tmp_path: Path, name: str, value: cells.Value | None, message: str
) -> None:
    state = lesson_alone()
    (cell,) = (item.at.other() for item in registry.inputs_of(state) if item.name == name)
    path = agreement.put(built["lesson"], tmp_path / "typed.xlsx", {cell: value})
    with pytest.raises(WorkbookError, match=f"^{cell} {message}"):
        press_closed(path, actions.train_step)


def test_the_validators_find_nothing(built: dict[str, Path], tmp_path: Path) -> None:
    assert validator.findings(built["lesson"]) == []
    assert validator.findings(written(tmp_path, network_state("strided"), "strided.xlsm")) == []


@pytest.mark.parametrize("name", ALL)
def test_formulas_use_only_functions_that_every_program_has(built: dict[str, Path], name: str) -> None:
    assert lessons.strange_formulas(built[name]) == []


def test_buttons_and_macros_are_there_where_there_is_something_to_train(tmp_path: Path) -> None:
    from pyopenvba import ExcelFile

    found = {}
    for name, state in {"with": lessons.state_of("backprop"), "without": state_of(small())}.items():
        with ExcelFile(written(tmp_path, state, f"{name}.xlsm")) as book:
            found[name] = book.get_module("ConvSheet")
    assert "conv_sheet.recompute.train_step()" in found["with"]
    assert "Public Sub TrainSteps10()" in found["with"]
    assert "Train" not in found["without"]
    page = agreement.page(lessons.state_of("backprop"), BACKPROP)
    assert [button.macro for button in page.buttons] == ["TrainStep", "TrainSteps10", "Reset"]


def test_everything_to_try_leads_somewhere(built: dict[str, Path]) -> None:
    places = lessons.tries(built["lesson"])
    assert set(places) == {item.at for item in lessons.state_of("backprop").lesson.tries}


# What cannot have the sheet


REFUSED = [
    ({"input": [1, 2, 2], "layers": [layer("Flatten"), layer("Softmax")]}, "has no weights that training could change"),
    (SMALL | {"layers": SMALL["layers"][:-1]}, r"starts at probabilities, and the last layer 'fc' is a Linear"),
    (
        {"input": [1, 2, 2], "layers": [conv(kernel_size=1), layer("Sigmoid")], "loss": "mse"},
        "wants one number for each class, and the last layer 'sigmoid1' is a Sigmoid of maps",
    ),
    (
        {
            "input": [1, 1, 2],
            "layers": [layer("Flatten"), layer("Linear", out_features=81), layer("Sigmoid")],
            "loss": "bce",
        },
        "has 81 classes, and backpropagation with the loss bce ends at 80",
    ),
    (SMALL | {"input": [2, 80, 80]}, r"[\d,]+ activations and parameters, and .* ends at 20,000"),
]


@pytest.mark.parametrize(("spec", "message"), REFUSED)
def test_networks_that_cannot_have_the_sheet_are_refused_in_one_line(
    spec: dict[str, Any], message: str, tmp_path: Path
) -> None:
    made = from_tables(spec | {"backprop": True})
    with pytest.raises(SpecError, match=message) as caught:
        written(tmp_path, state_of(made.network, lesson=made.lesson))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_key_travels_with_the_spec_and_is_true_or_false() -> None:
    spec = from_tables(SMALL | {"backprop": True})
    assert parse(spec.to_toml()) == spec
    assert spec != from_tables(SMALL)
    with pytest.raises(SpecError, match="backprop = 'yes' is neither true nor false"):
        from_tables(SMALL | {"backprop": "yes"})


def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        return result.output

    (tmp_path / "mine.toml").write_text(small().to_toml(), encoding="utf-8")
    run("build", "mine.toml", "--backprop", "-o", "mine.xlsx")
    assert read(tmp_path / "mine.xlsx").lesson.backprop
    assert "Trained 3 steps at learning rate 0.1" in run("train-step", "mine.xlsx", "--steps", "3")
    assert len(read(tmp_path / "mine.xlsx").curve) == 4
    assert "agree with NumPy" in run("check", "mine.xlsx", "--recalculate")
    run("build", "backprop", "-o", "lesson.xlsx")
    assert read(tmp_path / "lesson.xlsx").typed[TARGET] == "vertical"
