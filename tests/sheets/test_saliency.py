"""The sheet `Saliency`: its maps against PyTorch, and what it says of them after something has changed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from conv_sheet.cells.grid import Placed, column_letters
from conv_sheet.cells.inputs import InputValue
from conv_sheet.errors import SpecError
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.sheets import registry
from conv_sheet.sheets.addresses import DISTANCE
from conv_sheet.sheets.saliency import saliency as sheet
from conv_sheet.sheets.saliency.blocks import SALIENCY, Blocks
from conv_sheet.state import WorkbookState
from tests.learning.test_saliency import DIGITS, digits, torch_gradient, torch_occlusion
from tests.networks import small, state_of, written
from tests.oracles import cells, gnumeric, libreoffice, validator
from tests.sheets import agreement

STATUS = "B5"


def titles(network: Network, *asked: str) -> list[str]:
    state = state_of(network, lesson=Lesson(sheets=asked))
    return [one.title for one in registry.sheets(state.layout, state.lesson)]


def test_classifiers_of_small_pictures_have_the_sheet_and_others_do_not() -> None:
    assert titles(small()).count(SALIENCY) == 1
    assert titles(Network.from_spec(DIGITS), "saliency").count(SALIENCY) == 1
    assert SALIENCY not in titles(Network.from_spec(DIGITS | {"classes": []}))
    assert SALIENCY not in titles(Network.from_spec(DIGITS | {"input": [3, 64, 64]}))


def test_a_network_without_classes_cannot_ask_for_it() -> None:
    bare = state_of(Network.from_spec(DIGITS | {"classes": []}), lesson=Lesson(sheets=("saliency",)))
    with pytest.raises(SpecError, match="names no classes"):
        registry.pages(bare)


def recalculated(folder: Path, state: WorkbookState, changes: Mapping[str, InputValue] | None = None) -> Path:
    """The workbook of a state in which other things were typed, as LibreOffice shows it."""
    edited = agreement.edited(written(folder, state), folder / "typed.xlsx", state, changes or {})
    (answer,) = libreoffice.recalculate([edited], folder / "out")
    return answer


def wrong(path: Path, state: WorkbookState) -> list[str]:
    """Formulas of a recalculated sheet that do not show what the page of a state with these maps says."""
    shown = cells.values(path, SALIENCY)
    return [
        f"{column_letters(column)}{row} shows {shown.get(f'{column_letters(column)}{row}')!r}, not {cell.value!r}"
        for (row, column), cell in sheet.page(state).cells()
        if cell.formula and not agreement.same(shown.get(f"{column_letters(column)}{row}"), cell.value)
    ]


def maps(path: Path, placed: Placed) -> np.ndarray:
    """What a map shows in a file."""
    shown = cells.values(path, SALIENCY)
    return placed.tensor(np.array([cells.array(shown, block.relative) for block in placed.blocks]))


def test_another_class_is_stale_until_the_maps_are_made_anew(tmp_path: Path) -> None:
    state, said = registry.settled(digits()), digits().prediction
    other = next(name for name in state.network.classes if name != said)
    changed = state.with_typed({sheet.CHOICE: other})
    answer = recalculated(tmp_path, state, {sheet.CHOICE: other})
    shown = cells.values(answer, SALIENCY)
    assert shown[STATUS] == f"Stale: these maps are for class {said}, not for class {other}."
    assert f"gradient for {said}" in shown.values()
    assert wrong(answer, changed) == []

    anew = registry.settled(changed)
    answer = recalculated(tmp_path, anew)
    shown = cells.values(answer, SALIENCY)
    assert shown[STATUS] == f"These maps are Python's, of picture and weights as they are now, for class {other}."
    assert f"occlusion for {other}" in shown.values()
    assert wrong(answer, anew) == []
    number, blocks = state.network.classes.index(other), Blocks(state.layout)
    np.testing.assert_allclose(maps(answer, blocks.gradient), torch_gradient(anew, number), rtol=0, atol=1e-10)
    falls = maps(answer, blocks.occlusion)
    np.testing.assert_allclose(falls, torch_occlusion(anew, number, 3), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["input", "conv1.weight"])
def test_picture_and_filters_follow_and_the_maps_are_said_to_be_stale(name: str, tmp_path: Path) -> None:
    state = registry.settled(state_of(small()))
    values = np.array(state.typed[name], dtype=float)
    values[1, 0, 1] = 0.875
    changes = {name: values}
    edited = agreement.edited(written(tmp_path, state), tmp_path / "typed.xlsx", state, changes)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    for file in (answer, gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx")):
        shown = cells.values(file, SALIENCY)
        assert shown[STATUS] == "Stale: the sheet Network has changed since Python made these maps."
        assert 0.875 in shown.values()
        assert wrong(file, state.with_typed(changes)) == []


def test_a_weight_that_meets_only_zeros_makes_the_maps_stale_too(tmp_path: Path) -> None:
    made = digits()
    state = made.with_typed({"input": np.zeros_like(made.image), "conv1.bias": np.zeros(2)})
    weight = state.tensors["fc.weight"].copy()
    weight[0, 5] = 9
    answer = recalculated(tmp_path, state, {"fc.weight": weight})
    assert cells.values(answer, DISTANCE.sheet)[DISTANCE.cell()] <= 1e-9  # type: ignore[operator]
    assert str(cells.values(answer, SALIENCY)[STATUS]).startswith("Stale: the sheet Network")


def test_names_of_classes_may_be_anything(tmp_path: Path) -> None:
    names = ["a", "A", "*", "?", "b, c", "=1+1"]
    layers = [*DIGITS["layers"][:4], DIGITS["layers"][4] | {"out_features": len(names)}]
    made = state_of(Network.from_spec(DIGITS | {"classes": names, "layers": layers}))
    chosen = [registry.settled(made.with_typed({sheet.CHOICE: name})) for name in names]
    paths = [written(tmp_path, one, f"{number}.xlsx") for number, one in enumerate(chosen)]
    answers = libreoffice.recalculate(paths, tmp_path / "out")
    for name, state, answer in zip(names, chosen, answers, strict=True):
        assert str(cells.values(answer, SALIENCY)[STATUS]).endswith(f"now, for class {name}.")
        assert wrong(answer, state) == []


def test_filters_whose_weights_stand_apart(tmp_path: Path) -> None:
    layers = [DIGITS["layers"][0] | {"dilation": 2}, *DIGITS["layers"][1:]]
    state = registry.settled(state_of(Network.from_spec(DIGITS | {"layers": layers})))
    assert wrong(recalculated(tmp_path, state), state) == []


def test_several_channels_have_their_steepest_and_the_file_is_valid(tmp_path: Path) -> None:
    state = registry.settled(state_of(small()))
    assert validator.findings(written(tmp_path, state)) == []
    answer, steepest = recalculated(tmp_path, state), Blocks(state.layout).steepest
    assert wrong(answer, state) == []
    assert steepest is not None
    number = state.network.classes.index(str(state.prediction))
    slopes = np.abs(torch_gradient(state, number)).max(axis=0)
    np.testing.assert_allclose(maps(answer, steepest), slopes, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("last", "said", "never"),
    [("Softmax", "probability", "score falls"), ("Sigmoid", "probability", "softmax"), ("", "score", "probab")],
)
def test_it_speaks_of_what_the_network_gives(last: str, said: str, never: str) -> None:
    layers = [*DIGITS["layers"], *([{"kind": last}] if last else [])]
    state = registry.settled(state_of(Network.from_spec(DIGITS | {"layers": layers})))
    texts = [text for _, text in sheet.page(state).texts()]
    assert f"how far the {said} falls when 3×3 zeros cover a place. Red: the class needs it" in texts
    assert not [text for text in texts if never in text]


def test_a_map_without_a_value_that_is_shown_says_so(tmp_path: Path) -> None:
    before = state_of(small())
    flat = before.with_typed({name: np.zeros_like(value) for name, value in before.tensors.items()})
    for name, state, empty in (("flat", registry.settled(flat), True), ("random", registry.settled(before), False)):
        (tmp_path / name).mkdir()
        answer = recalculated(tmp_path / name, state)
        largest = np.abs(maps(answer, Blocks(state.layout).occlusion)).max()
        assert (largest < 0.005) == empty
        words = [str(value) for value in cells.values(answer, SALIENCY).values()]
        assert any(word.startswith("empty: ") for word in words) == empty
        assert any(word.startswith("how far the probability falls") for word in words) != empty
