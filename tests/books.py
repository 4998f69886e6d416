"""Workbooks in which everything was typed anew, and whether a program made of them what the engine makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from conv_sheet.checks import check
from conv_sheet.layers import Array, Limits
from conv_sheet.network.graph import Network
from conv_sheet.state import Contents
from conv_sheet.xlsx.reader import contents, read
from tests.networks import address, written
from tests.oracles import cells


def values_for(network: Network, rng: np.random.Generator) -> dict[str, Array]:
    """Random numbers for every parameter, within its limits."""
    tensors = {}
    for node in network.nodes:
        for short, shape in node.parameters.items():
            limits = node.layer.limits.get(short, Limits())
            drawn = rng.uniform(max(limits.low, -2), min(limits.high, 2), shape).round(4)
            tensors[f"{node.name}.{short}"] = np.full(shape, limits.choices[-1] * 1.0) if limits.choices else drawn
    return tensors


def batch(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """The same draws at every run."""
    drawn: list[Any] = []

    @settings(
        derandomize=True,
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
    """A workbook in which every pixel and parameter was typed anew: the file, and what it holds by the engine."""

    path: Path
    held: Contents


def filled(folder: Path, name: str, network: Network) -> Book:
    """A workbook of a network in which random numbers were typed over its own."""
    rng = np.random.default_rng(len(name) + prod(network.input_shape))
    before = Contents(network, np.zeros(network.input_shape), network.initial(0))
    image = rng.standard_normal(network.input_shape).round(4)
    after = Contents(network, image, values_for(network, rng))
    typed: Mapping[str, float] = {
        address(block, y, x): float(value)
        for tensor, placed in (("input", after.layout.input), *after.layout.parameters())
        for block, plane in zip(placed.blocks, placed.planes(after.typed[tensor]), strict=True)
        for (y, x), value in np.ndenumerate(plane)
    }
    return Book(cells.set_cells(written(folder, before, f"{name}-built.xlsx"), folder / f"{name}.xlsx", typed), after)


def assert_agrees(answer: Path, held: Contents) -> None:
    """Every formula of a workbook shows what the engine makes of the numbers that were typed into it."""
    stored = read(answer)
    for name, value in contents(stored).typed.items():
        np.testing.assert_array_equal(value, held.typed[name], err_msg=name)
    assert list(map(str, check(stored).formulas)) == []
