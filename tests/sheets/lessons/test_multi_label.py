"""The lesson `multi-label`: scores through softmax and sigmoid compared with PyTorch, in LibreOffice's cells."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from conv_sheet.cells.inputs import InputValue
from conv_sheet.errors import SpecError
from conv_sheet.network.graph import INPUT, Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.office.libreoffice import connect
from conv_sheet.ops import Array
from conv_sheet.pictures.samples import sample
from conv_sheet.sheets import images, registry
from conv_sheet.sheets.addresses import IMAGES, LABELS, START
from conv_sheet.sheets.lessons.labels import PETS
from conv_sheet.state import THRESHOLDS, WorkbookState
from scripts.shapes import KINDS
from tests import lessons, networks
from tests.oracles import cells, gnumeric, libreoffice, validator
from tests.sheets import agreement

state, path, book = lessons.fixtures("multi-label")

SHAPES = "circle", "square", "triangle"
FLOAT = torch.float64
SAMPLES = (*SHAPES, "circle+square", "circle+triangle", "square+triangle", "circle+square+triangle")


def column(*values: float) -> Array:
    return np.array([values]).T


def assert_through(book: Any, name: str, scores: Tensor, targets: Tensor | None, thresholds: list[float]) -> None:
    """The table `name` shows what PyTorch makes of its scores."""

    def close(what: str, expected: Tensor) -> None:
        found = lessons.numbers(book, f"{name}_{what}").ravel()
        np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-10, err_msg=what)

    close("scores", scores)
    close("softmax", scores.softmax(0))
    close("sigmoid", scores.sigmoid())
    one, says = (lessons.shown(book, f"{name}_{what}") for what in ("one", "says"))
    assert [row == ["yes"] for row in one] == (scores == scores.max()).tolist()
    assert [row == ["yes"] for row in says] == (scores.sigmoid() >= torch.tensor(thresholds, dtype=FLOAT)).tolist()
    if targets is None:
        assert lessons.shown(book, f"{name}_loss") == [[None]] * len(scores)
        assert lessons.shown(book, f"{name}_mean") == [[None]]
        return
    close("loss", nn.BCEWithLogitsLoss(reduction="none")(scores, targets))
    close("mean", nn.BCEWithLogitsLoss()(scores, targets)[None])


@pytest.mark.parametrize("scores", [(0.3, -1.7, 2.9), (-0.5, -4.0, -2.5), (30.0, -30.0, 29.5), (2.0, 2.0, 2.0)])
@pytest.mark.parametrize("targets", [(1.0, 1.0, 0.0), (0.0, 0.0, 1.0)])
def test_typed_scores(book: Any, scores: tuple[float, ...], targets: tuple[float, ...]) -> None:
    thresholds = [0.2, 0.5, 0.95]
    lessons.put(
        book, labels_scores=column(*scores), labels_targets=column(*targets), labels_thresholds=column(*thresholds)
    )
    assert_through(book, "labels", torch.tensor(scores, dtype=FLOAT), torch.tensor(targets, dtype=FLOAT), thresholds)
    named = [
        pet for pet, score, least in zip(PETS, scores, thresholds, strict=True) if 1 / (1 + np.exp(-score)) >= least
    ]
    assert lessons.shown(book, "labels_line_2") == [[f"Sigmoid says: {', '.join(named) or 'nothing'}"]]
    tied = [pet for pet, score in zip(PETS, scores, strict=True) if score == max(scores)]
    tie = " (a tie)" if len(tied) > 1 else ""
    assert lessons.shown(book, "labels_line_1") == [[f"Softmax says: {', '.join(tied)}{tie}"]]


def scored(state: WorkbookState, images: Tensor) -> Tensor:
    """The scores of the network in PyTorch, of pictures (N, 1, 20, 20)."""
    weights = {name: torch.tensor(value) for name, value in state.tensors.items()}
    for name in ("conv1", "conv2"):
        images = F.max_pool2d(F.conv2d(images, weights[f"{name}.weight"], weights[f"{name}.bias"]).relu(), 2)
    return F.linear(images.flatten(1), weights["fc.weight"], weights["fc.bias"])


@pytest.mark.parametrize("name", [*SAMPLES, images.DRAWING])
def test_the_networks_scores_of_each_picture(book: Any, state: WorkbookState, name: str) -> None:
    drawn = name == images.DRAWING
    lessons.put(book, picture=name, found_thresholds=column(0.5, 0.5, 0.5))
    picture = np.zeros((1, 20, 20)) if drawn else sample(name, (1, 20, 20))
    targets = None if drawn else torch.tensor([float(shape in name.split("+")) for shape in SHAPES]).double()
    (scores,) = scored(state, torch.tensor(picture)[None])
    assert_through(book, "found", scores, targets, [0.5] * 3)
    np.testing.assert_allclose(lessons.numbers(book, "labels_picture"), picture[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "thresholds", "named"),
    [
        ("circle+square", (0.5, 0.5, 0.5), "circle, square"),
        ("circle+square+triangle", (0.5, 0.5, 0.5), "circle, square, triangle"),
        ("square+triangle", (0.5, 1.0, 0.5), "triangle"),
        (images.DRAWING, (0.5, 0.5, 0.5), "none"),
    ],
)
def test_all_that_the_network_names_are_said_wherever_it_says_something(
    book: Any, state: WorkbookState, name: str, thresholds: tuple[float, ...], named: str
) -> None:
    shape = state.network.input_shape
    seen = np.zeros(shape) if name == images.DRAWING else sample(name, shape)
    assert state.with_typed({INPUT: seen, THRESHOLDS: column(*thresholds)}).prediction == named
    lessons.put(book, picture=name, found_thresholds=column(*thresholds))
    assert lessons.shown(book, "prediction")[0][0] == named
    for title in (START, LABELS, IMAGES, "Network", "Loupe", "Saliency"):
        said = lessons.texts(book, title).split("\n")
        assert f"says {named}" in said, title
        assert "at first: circle, square" in said, title


def test_every_shape_of_every_sample_is_found_and_none_in_an_empty_picture(state: WorkbookState) -> None:
    pictures = [*(sample(name, (1, 20, 20)) for name in SAMPLES), np.zeros((1, 20, 20))]
    found = scored(state, torch.tensor(np.stack(pictures))) > 0
    assert found.tolist() == [[shape in name.split("+") for shape in SHAPES] for name in (*SAMPLES, "")]


def test_it_finds_shapes_that_it_has_not_seen(state: WorkbookState) -> None:
    rng = np.random.default_rng(2025)
    names = [name for name in SAMPLES for _ in range(40)]
    drawn = np.stack([KINDS["multi-label"][name](rng) for name in names])[:, None] / 255.0
    found = scored(state, torch.tensor(drawn)) > 0
    there = torch.tensor([[shape in name.split("+") for shape in SHAPES] for name in names])
    assert (found == there).all(dim=1).double().mean() > 0.9


def test_every_try_does_what_it_says(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    changed = [
        *("labels_softmax", "labels_softmax", "labels_sigmoid", "labels_sigmoid"),
        *("labels_line_2", "labels_loss_3", "found_line_2", "found_line_2"),
    ]
    with connect(cells.set_cells(path, tmp_path / "tries.xlsx", {})) as fresh:
        tries = zip(state.lesson.tries, changed, strict=True)
        seen = [lessons.perform(fresh, item, name) for item, name in tries]
    np.testing.assert_allclose(np.array(seen[0], dtype=float).ravel(), torch.tensor([2.0, 2, -2]).double().softmax(0))
    np.testing.assert_allclose(np.array(seen[1], dtype=float).ravel()[:2], 0.5, atol=1e-8)
    assert seen[2] == [[0.5]] * 3
    np.testing.assert_allclose(np.array(seen[3], dtype=float).ravel(), torch.tensor([5.0, 4, 1]).double().sigmoid())
    assert seen[4] == [["Sigmoid says: cat"]]
    assert np.array(seen[5], dtype=float).ravel()[0] == pytest.approx(2 + np.log1p(np.exp(-2)))
    assert seen[6] == [["Sigmoid says: circle, square, triangle"]]
    assert seen[7] == [["Sigmoid says: nothing"]]


def test_other_programs_agree_after_changes(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    edits: dict[str, InputValue] = {
        "labels_scores": column(-3.25, 0.5, 12.0),
        "labels_targets": column(1, 0, 1),
        "labels_thresholds": column(0.03, 0.7, 1.0),
        "found_thresholds": column(0.9, 0.1, 0.0),
        "fc.bias": np.array([0.5, -0.25, 0.125]),
        "picture": "square+triangle",
    }
    file = agreement.edited(path, tmp_path / "edited.xlsx", state, edits)
    expected = state.with_typed(edits | {"input": sample("square+triangle", (1, 20, 20))})
    for answer in (*libreoffice.recalculate([file], tmp_path / "out"), gnumeric.recalculate(file, tmp_path / "g.xlsx")):
        assert agreement.differences(answer, expected, LABELS) == []


def test_no_cell_shows_an_error_whatever_is_typed(path: Path, tmp_path: Path) -> None:
    odd: list[cells.Value | None] = [None, "two", 1e6, -1e6]
    edited = [
        cells.set_cells(path, tmp_path / f"{n}.xlsx", {f"Labels!{at}": value for at in ("C6", "H7", "J8", "H16")})
        for n, value in enumerate(odd)
    ]
    for answer in libreoffice.recalculate(edited, tmp_path / "out"):
        assert not [v for v in cells.values(answer, LABELS).values() if str(v).startswith(("#", "Err:"))]


def test_a_network_that_ends_in_probabilities_is_told() -> None:
    layers = [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 2}, {"kind": "Sigmoid"}]
    network = Network.from_spec({"input": [1, 2, 2], "classes": ["a", "b"], "layers": layers})
    with pytest.raises(SpecError, match="needs one channel, and classes with scores: no Softmax or Sigmoid at the end"):
        registry.pages(networks.state_of(network, lesson=Lesson(sheets=("labels", "images"))))
    network = Network.from_spec({"input": [1, 2, 2], "classes": ["a", "b"], "layers": layers[:-1]})
    with pytest.raises(SpecError, match="the sheet 'labels' needs the sheet 'images' beside it"):
        registry.pages(networks.state_of(network, lesson=Lesson(sheets=("labels",))))


def test_the_workbook_keeps_its_promises(path: Path, state: WorkbookState) -> None:
    assert validator.sdk_findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in state.lesson.tries]
