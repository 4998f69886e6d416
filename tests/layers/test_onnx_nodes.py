"""ONNX's own tests of the operators that layers compute: the engine, and the formulas in other programs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conv_sheet.layers import KINDS, Array
from conv_sheet.sheets import network
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.writer import write
from tests.oracles import cells, formualizer, libreoffice
from tests.oracles.onnx_networks import Expressed
from tests.oracles.onnx_page import MOST_CELLS, page, sorted_out

Recalculate = Callable[[Sequence[Path], Path], list[Path]]

PAGE = Path(__file__).resolve().parents[2] / "docs/onnx-node-tests.md"


def close(ours: Array, expected: Array) -> bool:
    """Whether ONNX's own runner would be content."""
    return np.allclose(ours, expected, rtol=1e-3, atol=1e-7)


def by_formualizer(paths: Sequence[Path], folder: Path) -> list[Path]:
    folder.mkdir()
    return [formualizer.recalculate(path, folder / path.name) for path in paths]


def wrong_in_the_engine(tests: list[tuple[str, Expressed]]) -> list[str]:
    results = ((name, made, made.network.forward(made.images, made.tensors)) for name, made in tests)
    return [name for name, made, values in results if not close(values[made.network.output.name], made.expected)]


def wrong_on_the_sheet(tests: list[tuple[str, Expressed]], folder: Path, program: Recalculate) -> list[str]:
    """Names of the tests of which a program makes something else for the last image."""
    states = [WorkbookState.of(made.network, made.images[-1], made.tensors) for _, made in tests]
    paths = [folder / f"{number}.xlsx" for number in range(len(states))]
    for path, state in zip(paths, states, strict=True):
        write("ONNX", [network.page(state)], path)
    answers = program(paths, folder / "out")
    triples = zip(tests, states, answers, strict=True)
    return [name for (name, made), state, answer in triples if not close(shown(answer, state), made.expected[-1])]


def shown(path: Path, state: WorkbookState) -> Array:
    """The network's output as a workbook shows it."""
    values, out = cells.values(path, "Network"), state.layout.output
    return out.tensor(np.stack([cells.array(values, block.relative) for block in out.blocks]))


@pytest.fixture(scope="module")
def expressed() -> list[tuple[str, Expressed]]:
    return [(test.name, made) for test, made in sorted_out()[0]]


def test_the_engine_passes(expressed: list[tuple[str, Expressed]]) -> None:
    assert wrong_in_the_engine(expressed) == []


def test_the_formulas_pass(expressed: list[tuple[str, Expressed]], tmp_path: Path) -> None:
    small = [(name, made) for name, made in expressed if made.cells <= MOST_CELLS]
    assert len(small) >= len(expressed) - 4
    assert wrong_on_the_sheet(small, tmp_path, by_formualizer) == []


def test_the_formulas_of_each_operator_pass_in_libreoffice(tmp_path: Path) -> None:
    by_operator = {test.operator: (test.name, made) for test, made in sorted_out()[0] if made.cells < 1_000}
    assert len(by_operator) == 36
    assert wrong_on_the_sheet(list(by_operator.values()), tmp_path, libreoffice.recalculate) == []


def test_a_wrong_answer_is_seen(expressed: list[tuple[str, Expressed]], tmp_path: Path) -> None:
    name, made = next((name, made) for name, made in expressed if made.tensors)
    off = [(name, replace(made, tensors={key: value + 0.01 for key, value in made.tensors.items()}))]
    assert wrong_in_the_engine(off) == wrong_on_the_sheet(off, tmp_path, by_formualizer) == [name]


UNTRIED = {
    *("MinPool2d", "Normalize", "Unflatten", "Dropout2d"),  # ONNX has no such operator
    *("Hardsigmoid", "ReLU6"),  # … and tests its own with other constants
    *("AdaptiveAvgPool1d", "AdaptiveMaxPool1d", "InstanceNorm1d", "ZeroPad1d", "ConstantPad1d"),  # … with maps only
    *("ReflectionPad1d", "ReplicationPad1d", "CircularPad1d", "ZeroPad3d"),
}


def test_every_kind_that_onnx_has_passes_something(expressed: list[tuple[str, Expressed]]) -> None:
    passed = {node.layer.kind for _, made in expressed for node in made.network.nodes}
    assert set(KINDS) - passed == UNTRIED


def test_the_page_is_what_the_tests_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make it again: python scripts/onnx_node_tests.py " + str(PAGE)
