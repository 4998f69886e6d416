"""The weights that come with the lessons: what they are worth, and that a spreadsheet program reads as Python does."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from conv_sheet import lessons
from conv_sheet.cli import main
from conv_sheet.layers import Array
from conv_sheet.learning.augment import Augmentation
from conv_sheet.learning.data import Dataset, load_data, split
from conv_sheet.learning.evaluate import evaluate, prepared
from conv_sheet.network.graph import Network
from conv_sheet.pictures.samples import sample
from conv_sheet.sheets.addresses import IMAGES, PICTURE
from conv_sheet.sheets.images import DRAWING, gallery
from tests.conftest import Once
from tests.lessons import built, numbers, put, shown, state_of
from tests.oracles import libreoffice

DATA = Path(__file__).resolve().parents[2] / "shared/data"
READERS = "fastai", "lenet", "dropout"
"""Lessons that read handwritten digits."""
PICTURES = 20
without_data = pytest.mark.skipif(
    not DATA.exists(), reason="the handwritten digits are not here: they are no part of the project"
)


def samples(network: Network) -> Dataset:
    """The ten digits that the project draws itself."""
    images = np.stack([sample(f"digit {n}", network.input_shape) for n in range(10)])
    return Dataset(images, np.arange(10), network.classes, "the sample digits")


def handwriting(network: Network) -> Dataset:
    """An eighth of the digits; that which `lenet` and `dropout` have not seen."""
    return split(prepared(load_data(DATA), network), 0.125, seed=0)[1]


@pytest.mark.parametrize("name", READERS)
def test_the_ten_sample_digits_are_recognised(name: str) -> None:
    lesson = lessons.load(name)
    assert evaluate(lesson.network, lesson.tensors(), samples(lesson.network)).mistakes == []


@without_data
@pytest.mark.parametrize(
    ("name", "least", "options"),
    [("lenet", 0.98, ["--hold-out", "0.125"]), ("dropout", 0.95, ["--hold-out", "0.125"]), ("fastai", 0.98, [])],
)
def test_handwriting_is_read_as_well_as_the_documentation_says(name: str, least: float, options: list[str]) -> None:
    """The digits of `fastai` are those that it was trained on: its weights are the ones that are described."""
    report = CliRunner().invoke(main, ["evaluate", name, "--data", str(DATA), *options]).output
    accuracy = float(report.split("%")[0]) / 100
    assert accuracy >= least
    assert f"{accuracy:.2%}" in (Path(__file__).parents[1] / "docs/training.md").read_text(encoding="utf-8")


@without_data
def test_the_autoencoder_draws_as_well_as_the_documentation_says() -> None:
    report = CliRunner().invoke(main, ["evaluate", "upsampling", "--data", str(DATA), "--hold-out", "0.125"]).output
    error, share = re.findall(r"error ([\d.]+), ([\d.]+%)", report)[0]
    assert float(error) < 0.01
    said = (Path(__file__).parents[1] / "docs/training.md").read_text(encoding="utf-8")
    assert {error, share} <= set(re.findall(r"[\d.]+\d%?", said))


def test_the_first_kernels_of_the_first_lesson_are_still_the_edges() -> None:
    lesson = lessons.load("fastai")
    trained, spec = lesson.tensors(), lesson.network.node("conv1").initial
    for short, value in spec.items():
        np.testing.assert_array_equal(trained[f"conv1.{short}"], value)


@pytest.fixture(scope="module", params=READERS)
def reader(request: pytest.FixtureRequest, once: Once, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The name of a lesson, and its workbook open in LibreOffice with the drawing as input."""
    name = str(request.param)
    with libreoffice.opened(Path(shutil.copy(built(once, name), tmp_path_factory.mktemp(name)))) as book:
        put(book, **{PICTURE: DRAWING})
        yield name, book


def assert_same_reading(name: str, book: Any, images: Array) -> None:
    """Probabilities and answers after each picture was drawn into the workbook are those of the engine."""
    state, network = state_of(name), lessons.load(name).network
    drawing = gallery(state.layout, state.lesson)[DRAWING].at
    probabilities, answers = [], []
    for image in images:
        book.sheets[IMAGES].range(drawing.relative).value = image[0].tolist()
        probabilities.append(numbers(book, "softmax_out").ravel())
        answers.append(shown(book, "prediction")[0][0])
    expected = network.forward(images, state.tensors)[network.output.name]
    np.testing.assert_allclose(np.array(probabilities), expected, rtol=0, atol=1e-9)
    assert answers == [network.classes[n] for n in expected.argmax(axis=1)]
    assert len(set(answers)) > 7


def test_libreoffice_reads_warped_digits_as_the_engine_does(reader: tuple[str, Any]) -> None:
    name, book = reader
    images = np.tile(samples(lessons.load(name).network).images, (PICTURES // 10, 1, 1, 1))
    strong = Augmentation(degrees=20, translate=0.1, scale=(0.7, 1.2), shear=20, elastic=2)
    assert_same_reading(name, book, strong(images, np.random.default_rng(0)))


@without_data
def test_libreoffice_reads_handwriting_as_the_engine_does(reader: tuple[str, Any]) -> None:
    name, book = reader
    assert_same_reading(name, book, handwriting(lessons.load(name).network).images[:PICTURES])
