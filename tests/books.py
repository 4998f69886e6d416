"""Workbooks in which everything was typed anew, and whether a program made of them what the engine makes."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, prod
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.data import ConjectureData
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, PrimitiveProvider

from conv_sheet.cells.inputs import InputValue, Limits
from conv_sheet.checks import check
from conv_sheet.layers import Array
from conv_sheet.network.graph import INPUT, Network
from conv_sheet.network.layout import NETWORK
from conv_sheet.network.lesson import Lesson
from conv_sheet.sheets import reading
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.reader import Stored
from conv_sheet.xlsx.writer import write
from tests.networks import written
from tests.sheets import agreement

T = TypeVar("T")
SWEEP = "CONV_SHEET_SWEEP" in os.environ
"""Whether tests take all of many cases that are alike, as `make sweep` does; else they take some."""


def some(cases: Iterable[T], most: int) -> list[T]:
    """Some cases, evenly out of all, the first and the last among them; in a sweep all.

    >>> some("abcdefg", 3) if not SWEEP else ["a", "d", "g"]
    ['a', 'd', 'g']
    """
    every = list(cases)
    if SWEEP or len(every) <= most:
        return every
    return [every[round(n * (len(every) - 1) / (most - 1))] for n in range(most)]


def values_for(network: Network, rng: np.random.Generator) -> dict[str, Array]:
    """Random numbers for every parameter, within its limits."""
    tensors = {}
    for node in network.nodes:
        for short, shape in node.parameters.items():
            limits = node.layer.limits.get(short, Limits())
            drawn = rng.uniform(max(limits.low, -2), min(limits.high, 2), shape).round(4)
            tensors[f"{node.name}.{short}"] = np.full(shape, float(limits.choices[-1])) if limits.choices else drawn
    return tensors


class Seeded(PrimitiveProvider):
    """Draws with a seed and nothing else.

    Hypothesis's own draws mix in constants of all modules that happen to be loaded: an edit anywhere changes them.
    """

    def __init__(self, data: ConjectureData | None) -> None:
        super().__init__(data)
        self.random = Random(0)

    def draw_boolean(self, p: float = 0.5) -> bool:
        return self.random.random() < p

    def draw_integer(self, min_value: int | None = None, max_value: int | None = None, **_: Any) -> int:
        assert min_value is not None and max_value is not None
        return self.random.randint(min_value, max_value)

    def draw_float(self, *, min_value: float = -inf, max_value: float = inf, **_: Any) -> float:
        ends = self.random.random() < 0.1
        return self.random.choice((min_value, max_value)) if ends else self.random.uniform(min_value, max_value)

    def draw_string(self, *_: Any, **__: Any) -> str:
        raise NotImplementedError

    def draw_bytes(self, *_: Any, **__: Any) -> bytes:
        raise NotImplementedError


AVAILABLE_PROVIDERS["seeded"] = f"{__name__}.{Seeded.__name__}"


def batch(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """The same draws at every run: of booleans, and of numbers between bounds."""
    drawn: list[Any] = []

    @settings(
        backend="seeded",
        database=None,
        max_examples=count,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Any) -> None:
        drawn.append(value)

    collect()
    return drawn


@dataclass(frozen=True)
class Book:
    """A workbook in which every pixel and parameter was typed anew: the file, and the state that it should have."""

    path: Path
    state: WorkbookState


def filled(folder: Path, name: str, network: Network, lesson: Lesson | None = None) -> Book:
    """A workbook of a network in which random numbers were typed over its own."""
    before, changes = _retyped(network, lesson)
    return _typed(folder, name, written(folder, before, f"{name}-built.xlsx"), before, changes)


def on_one_sheet(folder: Path, name: str, network: Network) -> Book:
    """The same without sheets but `Network`, which programs calculate in a fraction of the time."""
    before, changes = _retyped(network)
    built = folder / f"{name}-built.xlsx"
    write(name, [agreement.page(before, NETWORK)], built)
    return _typed(folder, name, built, before, changes)


def _retyped(network: Network, lesson: Lesson | None = None) -> tuple[WorkbookState, dict[str, InputValue]]:
    """A network as it is first built, and random numbers for all of its inputs."""
    rng = np.random.default_rng(prod(network.input_shape))
    before = WorkbookState.of(network, np.zeros(network.input_shape), network.initial(0), lesson)
    return before, {INPUT: rng.standard_normal(network.input_shape).round(4), **values_for(network, rng)}


def _typed(folder: Path, name: str, built: Path, before: WorkbookState, changes: dict[str, InputValue]) -> Book:
    return Book(agreement.edited(built, folder / f"{name}.xlsx", before, changes), before.with_typed(changes))


def assert_agrees(answer: Path, state: WorkbookState) -> None:
    """Every formula of a workbook is there, and shows what the engine makes of the numbers that were typed."""
    found = reading.state_of(Stored.open(answer))
    for name, value in state.typed.items():
        np.testing.assert_array_equal(np.asarray(found.typed[name]), np.asarray(value), err_msg=name)
    report = check(answer)
    assert [*map(str, report.formulas), *map(str, report.values)] == []
