"""The loupe over every kind: what it makes of a cell, computed by LibreOffice, against the engine."""

from pathlib import Path

import numpy as np
import pytest

from conv_sheet.checks import check
from conv_sheet.network.graph import INPUT
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.sheets.loupe.places import COLUMN, LAYER, MAP, ROW
from conv_sheet.sheets.loupe.reach import reaches
from conv_sheet.state import WorkbookState
from tests.books import SWEEP, values_for
from tests.layers.test_gradients import CASES, LEARNT
from tests.networks import written
from tests.oracles import libreoffice
from tests.sheets import agreement

UNSEEN = {
    *("Unflatten", "PixelShuffle", "Slice of maps", "Slice of a vector"),
    *("ZeroPad3d", "ConstantPad2d", "ReflectionPad2d", "ReplicationPad2d", "CircularPad2d"),
    *("ConstantPad1d", "ReflectionPad1d", "ReplicationPad1d", "CircularPad1d"),
    *("AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "AdaptiveMaxPool1d"),
    *("Upsample to a size", "Upsample bilinear", "Upsample bilinear, corners"),
}
"""Cases with a layer of which not every value is made alike, so that the loupe leaves it out."""


SEEN = [name for name in LEARNT if name not in UNSEEN]


def choices(stage: Stage) -> list[dict[str, float | str]]:
    """The last value of a stage, and one inside."""
    shape = stage.out.shape
    sizes = shape if len(shape) == 3 else (1, shape[0], 1)
    ends = (sizes, tuple(-(-size * 2 // 3) for size in sizes))
    return [
        {LAYER: stage.name, MAP: float(which), ROW: float(row), COLUMN: float(column)} for which, row, column in ends
    ]


def first_states() -> dict[str, WorkbookState]:
    states = {}
    for name, case in CASES.items():
        network = case.network()
        states[name] = WorkbookState.of(network, np.zeros(network.input_shape), network.initial(0))
    return states


STATES = first_states()


def seen(layout: Layout) -> list[Stage]:
    return [reach.stage for reach in reaches(layout)]


def test_the_loupe_leaves_out_what_is_not_made_alike() -> None:
    missing = {
        name
        for name, state in STATES.items()
        if len(seen(state.layout)) < sum(bool(stage.nodes) for stage in state.layout.stages)
    }
    assert missing == UNSEEN


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp("loupe")
    made: dict[str, list[Path]] = {}
    for number, name in enumerate(SEEN):
        before = STATES[name]
        rng = np.random.default_rng(number)
        typed = {INPUT: rng.standard_normal(before.network.input_shape).round(4), **values_for(before.network, rng)}
        built = written(folder, before, f"{number}-built.xlsx")
        stage = seen(before.layout)[-3] if len(seen(before.layout)) > 2 else seen(before.layout)[0]
        made[name] = [
            agreement.edited(built, folder / f"{number}-{at}.xlsx", before, {**typed, **choice})
            for at, choice in enumerate(choices(stage)[not SWEEP :])
        ]
    paths = [path for several in made.values() for path in several]
    found = dict(zip(paths, libreoffice.recalculate(paths, folder / "out"), strict=True))
    return {name: [found[path] for path in several] for name, several in made.items()}


@pytest.mark.parametrize("name", SEEN)
def test_the_loupe_makes_what_the_engine_makes(name: str, answers: dict[str, list[Path]]) -> None:
    for answer in answers[name]:
        report = check(answer)
        assert [*map(str, report.formulas), *map(str, report.values)] == []
