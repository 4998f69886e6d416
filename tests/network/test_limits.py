"""What a spec may not say: sizes that no sheet holds, numbers and texts that no cell holds, two classes of one name."""

import re
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conv_sheet import lessons
from conv_sheet.builder import build
from conv_sheet.errors import ConvSheetError, DataError, SpecError
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import MOST_TRIES
from conv_sheet.network.limits import MOST_LAYERS, MOST_VALUES
from conv_sheet.network.spec import from_tables, parse
from conv_sheet.state import WorkbookState
from conv_sheet.web import page
from tests.network.specs import CONV, RELU, spec
from tests.networks import SMALL

HUGE = 10**30
LINEAR = {"kind": "Linear", "out_features": 2}
FLATTEN = {"kind": "Flatten"}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (spec(CONV | {"out_channels": 10**7}), "its output would have 360,000,000 values"),
        (spec(CONV | {"out_channels": HUGE}), "its output would have more than a billion values"),
        ({"input": [1, HUGE, 28], "layers": [RELU]}, "the input would have more than a billion"),
        (spec(CONV | {"kernel_size": HUGE, "padding": HUGE}), "more than a billion"),
        (spec(CONV | {"padding": 10**9, "stride": 10**9}), "its input with padding"),
        (spec(CONV | {"padding": "same", "dilation": HUGE}), "its input with padding"),
        (spec(FLATTEN, LINEAR | {"out_features": HUGE}), "more than a billion"),
        (spec(FLATTEN, LINEAR | {"out_features": 10**5}), "its weight would have 6,400,000 values"),
        (
            spec({"kind": "ConvTranspose2d", "out_channels": 1, "kernel_size": 2, "stride": HUGE}),
            "more than a billion",
        ),
        (spec(*[RELU] * (MOST_LAYERS + 1)), "1,001 layers; 1,000 are the most"),
        (
            {"input": [1, 1000, 1000], "layers": [{"kind": "Tanh"}] * 5},
            f"parameters and activations are 5,000,000 values; {MOST_VALUES:,} are the most",
        ),
        (spec({"kind": "LeakyReLU", "negative_slope": 10**400}), "is not a number that a cell can hold"),
    ],
)
def test_sizes_are_refused_before_anything_of_that_size_is_made(bad: dict[str, Any], message: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SpecError, match=message):
        from_tables(bad)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.parametrize("key", ["title", "question", "description"])
@pytest.mark.parametrize("sign", ["\x00", "\x07", "\x1b", "\r", "\x7f", "\ufffe", "\uffff", "\ud800"])
def test_characters_that_no_cell_shows_are_named(key: str, sign: str) -> None:
    with pytest.raises(SpecError, match=rf"^{key} has the character U\+{ord(sign):04X}"):
        from_tables(spec(CONV) | {key: f"a{sign}b"})


@pytest.mark.parametrize("sign", ["\x07", "\ufffe"])
def test_so_are_those_in_classes_and_tries(sign: str) -> None:
    with pytest.raises(SpecError, match=r"^classes has the character"):
        from_tables(SMALL | {"classes": ["a", f"b{sign}", "c"]})
    for bad in ({"text": sign, "at": "input_1"}, {"text": "Look.", "at": f"input{sign}"}):
        with pytest.raises(SpecError, match=r"^(text|at) has the character"):
            from_tables(SMALL | {"try": [bad]})


def test_texts_longer_than_a_cell_are_refused_and_those_as_long_are_not() -> None:
    for text in ("x" * 32_768, "🙂" * 16_384):
        with pytest.raises(SpecError, match=r"^title begins with .*; 32,767 are the most"):
            from_tables(spec(CONV, title=text))
    assert from_tables(spec(CONV, title="x" * 32_767)).lesson.title == "x" * 32_767
    with pytest.raises(SpecError, match=r"^classes begins with .*; 255 are the most"):
        from_tables(SMALL | {"classes": ["a", "b" * 256, "c"]})


def test_each_class_has_a_name_of_its_own() -> None:
    with pytest.raises(SpecError, match=r"^classes has 'cat' twice"):
        from_tables(SMALL | {"classes": ["cat", "dog", "cat"]})
    with pytest.raises(SpecError, match=r"^classes has one without a name"):
        from_tables(SMALL | {"classes": ["cat", " ", "dog"]})
    assert from_tables(SMALL | {"classes": ["a", "A", "b"]}).network.classes == ("a", "A", "b")


def test_many_classes_are_told_apart_at_once() -> None:
    names = [*map(str, range(100_000)), "99999"]
    began = time.process_time()
    with pytest.raises(SpecError, match="classes has '99999' twice"):
        from_tables(spec(FLATTEN, classes=names))
    assert time.process_time() - began < 5


def test_too_many_things_to_try_are_refused() -> None:
    tries = [{"text": "Look.", "at": "input_1"}] * (MOST_TRIES + 1)
    with pytest.raises(SpecError, match=rf"{MOST_TRIES + 1} \[\[try\]\] tables; {MOST_TRIES} are the most"):
        from_tables(spec(CONV) | {"try": tries})
    assert len(from_tables(spec(CONV) | {"try": tries[1:]}).lesson.tries) == MOST_TRIES


def test_so_are_too_many_choices_and_names() -> None:
    choices = {"text": "Look.", "at": "input_1", "choices": ["a"] * (MOST_TRIES + 1)}
    with pytest.raises(SpecError, match="choices has 101 texts; 100 are the most"):
        from_tables(spec(CONV) | {"try": [choices]})
    with pytest.raises(SpecError, match="source_names has 10,001 names; 10,000 are the most"):
        from_tables(spec(CONV) | {"source_names": {f"a{number}": "b" for number in range(10_001)}})


def test_a_spec_too_large_to_be_one_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text("#" * (lessons.MOST_BYTES + 1), encoding="utf-8")
    with pytest.raises(SpecError, match=r"spec\.toml: a file of 1,048,577 bytes, the limit is 1,048,576"):
        lessons.load(str(tmp_path / "spec.toml"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 10**400])
def test_start_values_are_numbers(value: float) -> None:
    with pytest.raises(SpecError, match=r"layer 'conv1'.*initial\.bias (holds NaN or infinity|is not an array)"):
        from_tables(spec(CONV | {"initial": {"bias": [0.0, value]}}))


@pytest.mark.parametrize("weight", [1e307, 1.7e308, -1.7e308])
def test_results_that_overflow_name_their_layer(weight: float) -> None:
    network = Network.from_spec(spec(CONV, RELU, FLATTEN, LINEAR, {"kind": "Softmax"}))
    tensors = network.initial(0) | {"fc1.weight": np.full((2, 72), weight), "conv1.bias": np.array([3.0, 3.0])}
    with pytest.raises(DataError, match=r"^layer 'fc1' gives infinity, NaN or numbers that are too large"):
        _ = WorkbookState.of(network, np.ones((1, 8, 8)), tensors).activations


def test_gradients_that_overflow_name_their_cell(tmp_path: Path) -> None:
    tables = spec(CONV, FLATTEN, LINEAR, {"kind": "Softmax"}, backprop=True)
    made = from_tables(tables)
    weights = np.linspace(-1e6, 1e6, 144).reshape(2, 72)
    tensors = made.network.initial(0) | {"fc1.weight": weights, "conv1.weight": np.zeros((2, 1, 3, 3))}
    state = WorkbookState.of(made.network, np.full((1, 8, 8), 1e305), tensors, made.lesson)
    with pytest.raises(ConvSheetError, match=r"a cell cannot hold the number|too large for a cell"):
        build(state, tmp_path / "book.xlsx")
    assert not (tmp_path / "book.xlsx").exists()


@pytest.mark.parametrize("number", [2e6, -1e300])
def test_numbers_that_could_not_be_read_again_are_not_written(tmp_path: Path, number: float) -> None:
    network = Network.from_spec(spec(CONV, FLATTEN, LINEAR))
    state = WorkbookState.of(network, np.ones((1, 8, 8)), network.initial(0) | {"conv1.bias": np.array([0.5, number])})
    told = rf"^conv1\.bias holds {re.escape(f'{number:.15g}')}; its cells take a number from -1,000,000 to 1,000,000$"
    with pytest.raises(ConvSheetError, match=told):
        build(state, tmp_path / "book.xlsx")
    with pytest.raises(ConvSheetError, match=told):
        page.write(state, tmp_path / "page.html", "page")
    assert list(tmp_path.iterdir()) == []


def test_a_byte_order_mark_is_read_and_another_encoding_is_one_line(tmp_path: Path) -> None:
    text = '# ä\ntitle = "x"\ninput = [1, 4, 4]\nlayers = [{kind = "ReLU"}]\n'
    for encoding in ("utf-8-sig", "utf-8"):
        (tmp_path / "spec.toml").write_text(text, encoding=encoding)
        assert lessons.load(str(tmp_path / "spec.toml")).lesson.title == "x"
    for encoding in ("utf-16", "utf-16-le", "latin-1"):
        (tmp_path / "spec.toml").write_text(text, encoding=encoding)
        with pytest.raises(SpecError, match=r"spec\.toml is not a text in UTF-8|is not TOML") as caught:
            lessons.load(str(tmp_path / "spec.toml"))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "input = " + "[" * 50_000,
        "a = " + "9" * 5_000,
        "a." * 40_000 + "b = 1",
        "[" + '"a". ' * 200 + "b]",
        "input = [",
        '"' * 3,
    ],
)
def test_toml_that_python_cannot_take_is_one_line(text: str) -> None:
    with pytest.raises(SpecError, match=r"^spec is not TOML") as caught:
        parse(text)
    assert "\n" not in str(caught.value)
