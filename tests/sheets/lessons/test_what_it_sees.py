"""The lesson `what-it-sees`: what its sheets show against PyTorch, in LibreOffice's cells."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conv_sheet.cells.inputs import InputValue
from conv_sheet.errors import SpecError
from conv_sheet.learning import ascent as ascent_steps
from conv_sheet.learning.guided import DECONVNET, GUIDED, RULES, TINY, gradients
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.office.libreoffice import connect
from conv_sheet.ops import Array
from conv_sheet.pictures.samples import sample
from conv_sheet.sheets import registry
from conv_sheet.sheets.lessons import ascent, guided, patch_layout
from conv_sheet.state import WorkbookState
from tests import lessons, networks
from tests.learning.seen import LAYERS, made_again, made_another, of_class, ruled, shares, twin, up_to
from tests.oracles import cells, gnumeric, libreoffice, validator
from tests.sheets import agreement

state, path, book = lessons.fixtures("what-it-sees")

UNITS = [("relu1", 0), ("relu1", 1), ("relu2", 0), ("relu2", 1)]
"""The layer and the map of each unit, in the order of the drop-down."""
RNG = np.random.default_rng(3)
OWN = (0.1 * RNG.random((5, 5)) + 0.1 * np.add.outer([4, 4, 2, 1, 0], [3, 3, 1, 0, 0])).round(2)
"""A patch that is darkest in its upper left corner: every map of the first convolution answers to it."""
CHANGED: dict[str, InputValue] = {
    "picture": "digit 3",
    "conv1.weight": RNG.normal(0, 1, (2, 1, 3, 3)).round(3),
    "conv1.bias": np.array([0.25, -0.125]),
    "conv2.weight": RNG.normal(0, 0.5, (2, 2, 3, 3)).round(3),
    "fc.weight": RNG.normal(0, 0.2, (10, 288)).round(3),
}
"""Another picture and other weights."""


def label(layer: str, channel: int) -> str:
    return f"conv{layer[-1]} map {channel + 1}"


def assert_close(found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


# -- patches -----------------------------------------------------------------------------------------------------------


def answer(state: WorkbookState, layer: str, channel: int, patch: Array) -> float:
    """What PyTorch makes of a patch of 5×5 in the middle of a map."""
    with torch.no_grad():
        made = up_to(twin(state), layer, torch.tensor(patch[None, None]))[0, channel]
    return made[len(made) // 2, len(made) // 2].item()


@pytest.mark.parametrize(("layer", "channel"), UNITS)
def test_every_patch_is_answered_as_pytorch_does_and_as_python_found(
    book: Any, state: WorkbookState, layer: str, channel: int
) -> None:
    lessons.put(book, patch_map=label(layer, channel))
    number = UNITS.index((layer, channel)) + 1
    stored = lessons.numbers(book, "patch_values")[number - 1]
    for rank in range(1, patch_layout.COUNT + 1):
        lessons.put(book, patch_number=float(rank))
        shown = lessons.numbers(book, "patch")
        np.testing.assert_array_equal(shown, lessons.numbers(book, f"patches_{number}_{rank}"))
        expected = answer(state, layer, channel, shown)
        assert_close(lessons.numbers(book, "patch_answer"), np.array([[expected]]))
        assert_close(stored[rank - 1], np.array(expected))
        assert "Python found the same." in lessons.texts(book, "Patches")
    assert (np.diff(stored) <= 1e-9).all()
    assert lessons.numbers(book, "patch_best").item() == stored[0]


def test_patches_are_the_strongest_of_all_drawn_pictures(book: Any, state: WorkbookState) -> None:
    pictures = np.stack([sample(name, state.network.input_shape) for name in patch_layout.DRAWN])
    values, numbers = lessons.numbers(book, "patch_values"), lessons.numbers(book, "patch_pictures")
    for row, (layer, channel) in enumerate(UNITS):
        with torch.no_grad():
            best = up_to(twin(state), layer, torch.tensor(pictures))[:, channel].flatten(1).max(dim=1).values
        assert_close(values[row], best.sort(descending=True).values[: patch_layout.COUNT].numpy())
        assert_close(values[row], best[numbers[row].astype(int) - 1].numpy())


@pytest.mark.parametrize(("layer", "channel"), UNITS)
def test_ones_own_patch(book: Any, state: WorkbookState, layer: str, channel: int) -> None:
    lessons.put(book, patch_map=label(layer, channel), patch_number=0.0, patch_own=OWN)
    np.testing.assert_array_equal(lessons.numbers(book, "patch"), OWN)
    found = lessons.numbers(book, "patch_answer")
    assert_close(found, np.array([[answer(state, layer, channel, OWN)]]))
    assert found > 0 or layer == "relu2"
    assert "A picture is as good as yours, or better." in lessons.texts(book, "Patches")


def test_a_changed_kernel_is_new_to_python(path: Path, tmp_path: Path) -> None:
    with connect(cells.set_cells(path, tmp_path / "kernel.xlsx", {})) as opened:
        assert "Python found the same." in lessons.texts(opened, "Patches")
        lessons.put(opened, conv1_weight_1_1=np.full((3, 3), 0.5))
        assert "Python has not seen your change yet." in lessons.texts(opened, "Patches")


# -- back to the pixels ------------------------------------------------------------------------------------------------


def shown(book: Any) -> dict[str, Array]:
    """What the sheet shows at the picture and at every layer."""
    maps = {"input": 1, "conv1": 2, "relu1": 2, "conv2": 2, "relu2": 2, "pool": 2}
    return {
        name: np.stack([lessons.numbers(book, f"{name}_back_{channel + 1}") for channel in range(count)])
        for name, count in maps.items()
    }


def assert_back(book: Any, state: WorkbookState, layer: str, at: tuple[int, ...], rule: str) -> None:
    of = f"class {at[0]}" if layer == "fc" else label(layer, at[0])
    place = {} if layer == "fc" else {"guided_row": at[1] + 1.0, "guided_column": at[2] + 1.0}
    lessons.put(book, guided_of=of, guided_rule=rule, **place)
    expected, layers = ruled(state, layer, at, rule), shown(book)
    for name, found in layers.items():
        # PyTorch's hooks say what comes to a layer: behind the start there is nothing, and at the start it is 1.
        if name in expected:
            assert_close(found, expected[name])
        else:
            assert LAYERS.index(name) > LAYERS.index(layer)
            assert not found.any()
    for number in (1, 2):
        through = lessons.numbers(book, f"conv{number}_through").item()
        assert through == pytest.approx((layers[f"conv{number}"] != 0).mean(), abs=1e-12)


PLACES = [("fc", (7,)), ("relu2", (1, 8, 12)), ("relu2", (0, 0, 0)), ("relu1", (0, 8, 11))]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("layer", "at"), PLACES)
def test_every_way_back_is_pytorchs(
    book: Any, state: WorkbookState, layer: str, at: tuple[int, ...], rule: str
) -> None:
    assert_back(book, state, layer, at, rule)


def test_the_way_back_follows_picture_and_weights(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    edited = agreement.edited(path, tmp_path / "edited.xlsx", state, CHANGED)
    changed = state.with_typed(CHANGED | {"input": sample("digit 3", state.network.input_shape)})
    with connect(edited) as opened:
        for rule in RULES:
            assert_back(opened, changed, "fc", (2,), rule)
        assert_back(opened, changed, "relu2", (0, 10, 10), GUIDED)


def test_what_rounding_leaves_of_zero_is_off_in_every_program(book: Any, state: WorkbookState) -> None:
    """In this picture NumPy has a value of 1e-17 where other programs have 0."""
    digit = state.with_typed({"input": sample("digit 1", state.network.input_shape)})
    maps = digit.activations["relu1"]
    assert ((maps > 0) & (maps < TINY)).any()
    upstream = np.eye(10)[[4]]
    lessons.put(book, picture="digit 1", guided_of="class 4", guided_rule="plain")
    back = gradients(digit.network, digit.activations, digit.tensors, "fc", upstream, "plain")
    for name, found in shown(book).items():
        np.testing.assert_allclose(found, back[name][0], rtol=0, atol=1e-9, err_msg=name)
    lessons.put(book, picture="digit 7")
    page = agreement.page(digit.with_typed({"guided_of": "class 4"}), guided.TITLE)
    for channel in range(2):
        values = [page.value(*at) for at in page.names[f"conv1_back_{channel + 1}"].positions()]
        assert_close(np.array(values), back["conv1"][0, channel].ravel())


def test_the_sheet_says_what_is_off(book: Any) -> None:
    lessons.put(book, guided_of="conv2 map 2", guided_row=1.0, guided_column=1.0)
    assert "its ReLU is off" in str(lessons.shown(book, "guided_said"))
    lessons.put(book, guided_row=9.0, guided_column=13.0)
    assert lessons.shown(book, "guided_said") == [["This unit of conv2 map 2 is 3.51."]]
    lessons.put(book, guided_of="class 7")
    assert lessons.shown(book, "guided_said") == [["The score of class 7 is 7.71."]]


def test_guided_pictures_of_two_classes_are_more_alike_than_plain_ones(state: WorkbookState) -> None:
    def alike(rule: str) -> float:
        one, other = (ruled(state, "fc", (number,), rule)["input"].ravel() for number in (7, 3))
        return float(np.corrcoef(one, other)[0, 1])

    said = next(item.answer for item in state.lesson.tries if "correlation" in item.answer)
    assert f"{alike(GUIDED):.2f}, that of the plain ones is −{-alike('plain'):.2f}" in said


# -- pictures that Python made ----------------------------------------------------------------------------------------


def assert_stored(found: Array, expected: torch.Tensor) -> None:
    """Pictures are stored with four decimals."""
    np.testing.assert_allclose(found, expected.numpy()[0, 0].round(4), rtol=0, atol=1e-10)


@pytest.mark.parametrize("number", [0, 3, 8])
def test_the_pictures_of_a_class_are_pytorchs(book: Any, state: WorkbookState, number: int) -> None:
    noise = ascent_steps.noise(state.network)
    lessons.put(book, ascent_class=f"class {number}")
    assert_stored(lessons.numbers(book, "ascent_start"), torch.tensor(noise[None]))
    made = of_class(state, number, noise)
    for place, steps in enumerate((3, 10, 30), 1):
        assert_stored(lessons.numbers(book, f"ascent_shown_{place}"), made[steps - 1])
    model = twin(state)
    score, share = model(made[-1])[0, number].item(), 100 * shares(model, made[-1])[number].item()
    assert lessons.shown(book, "ascent_score") == [[f"30 steps: score {round(score, 1):g}, {round(share, 1):g} %"]]


@pytest.mark.parametrize("number", [3, 6, 8])
def test_what_must_change_is_pytorchs(book: Any, state: WorkbookState, number: int) -> None:
    lessons.put(book, ascent_target=f"class {number}")
    picture, steps = made_another(state, state.image, 7, number)
    assert_stored(lessons.numbers(book, "ascent_made"), picture)
    change = picture.numpy()[0, 0].round(4) - state.image[0]
    assert_close(lessons.numbers(book, "ascent_change"), change)
    assert lessons.shown(book, "ascent_changed") == [[f"{steps} steps, at most {round(np.abs(change).max(), 2):g}"]]
    counted = np.count_nonzero(np.abs(change).round(4) > 0.05)
    assert lessons.shown(book, "ascent_counted") == [[f"{counted} pixels by more than 0.05"]]
    sure = (100 * shares(twin(state), picture)).tolist()
    assert lessons.shown(book, "ascent_new") == [[f"{round(sure[number], 1):g} % the new class"]]
    assert lessons.shown(book, "ascent_old") == [[f"{round(sure[7], 1):g} % the old class"]]


def test_what_is_made_again_is_pytorchs(book: Any, state: WorkbookState) -> None:
    np.testing.assert_array_equal(lessons.numbers(book, "ascent_picture"), state.image[0])
    for number, name in enumerate(("relu1", "relu2", "pool", "fc"), 1):
        made = made_again(state, state.image, name, ascent_steps.noise(state.network))
        assert_stored(lessons.numbers(book, f"ascent_rebuilt_{number}"), made)
        error = (made.numpy()[0, 0].round(4) - state.image[0]) ** 2
        assert lessons.shown(book, f"ascent_error_{number}") == [[f"error {round(error.mean(), 3):g}"]]


def test_the_sheet_says_when_its_pictures_are_of_something_else(
    path: Path, state: WorkbookState, tmp_path: Path
) -> None:
    with connect(cells.set_cells(path, tmp_path / "stale.xlsx", {})) as opened:
        fresh = lessons.shown(opened, "ascent_status")
        assert fresh == [["They are of the picture and the weights as they are now."]]
        lessons.put(opened, picture="digit 4")
        assert "Stale" in str(lessons.shown(opened, "ascent_status"))
        lessons.put(opened, picture="digit 7")
        assert lessons.shown(opened, "ascent_status") == fresh
        corner = opened.names["fc_weight_1_1"].refers_to_range[0, 0]
        assert state.activations["pool"][0, 0, 0, 0] == 0
        corner.value = corner.value + 1
        assert "Stale" in str(lessons.shown(opened, "ascent_status"))


def test_other_pictures_and_weights_have_others(state: WorkbookState) -> None:
    changed = state.with_typed(CHANGED | {"input": sample("digit 3", state.network.input_shape)})
    made = {placed.name: value for _, placed, value in registry.engine_blocks(changed)}
    noise, before = ascent_steps.noise(state.network), int(np.argmax(changed.output))
    assert_stored(made["ascent_classes"][5, 2], of_class(changed, 5, noise)[-1])
    assert_stored(made["ascent_fooled"][1], made_another(changed, changed.image, before, 1)[0])
    assert_stored(made["ascent_rebuilt"][0], made_again(changed, changed.image, "relu1", noise))


# -- the lesson --------------------------------------------------------------------------------------------------------

CHANGES = (
    *("patch_answer", "patch_answer", "input_back_1", "conv2_through", "input_back_1", "input_back_1"),
    *("ascent_shown_3", "ascent_made"),
)
"""What each try changes, of those that change something."""


def test_every_try_does_what_it_says(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    with connect(cells.set_cells(path, tmp_path / "tries.xlsx", {})) as fresh:
        tries = zip((item for item in state.lesson.tries if item.do), CHANGES, strict=True)
        seen = [np.array(lessons.perform(fresh, item, name), dtype=float) for item, name in tries]
    assert seen[0].item() == pytest.approx(3, abs=1e-9)
    assert seen[1].item() == pytest.approx(5.14, abs=0.005)
    assert np.count_nonzero(seen[2]) == 25
    assert seen[3].item() == pytest.approx(0.03, abs=0.005)
    assert_close(seen[4], ruled(state, "fc", (3,), GUIDED)["input"][0])
    assert_close(seen[5], ruled(state, "relu2", (1, 0, 0), DECONVNET)["input"][0])
    assert_stored(seen[6], of_class(state, 0, ascent_steps.noise(state.network))[-1])
    assert_stored(seen[7], made_another(state, state.image, 7, 8)[0])
    told = next(item.answer for item in state.lesson.tries if item.at == "ascent_target")
    for number in (8, 6):
        picture, steps = made_another(state, state.image, 7, number)
        most = np.abs(picture.numpy()[0] - state.image).max()
        assert f"{number}: {steps} steps" in told or f"{number} takes {steps} steps and {most:.2f}" in told


def test_other_programs_agree_after_changes(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    choices: dict[str, InputValue] = {"patch_map": "conv1 map 2", "patch_number": 0.0, "patch_own": OWN}
    choices |= {"guided_of": "conv1 map 1", "guided_row": 9.0, "guided_rule": GUIDED}
    choices |= {"ascent_class": "class 5", "ascent_target": "class 0"}
    edited = agreement.edited(path, tmp_path / "edited.xlsx", state, CHANGED | choices)
    image = sample("digit 3", state.network.input_shape)
    expected = registry.settled(state).with_typed(CHANGED | choices | {"input": image})
    (made,) = libreoffice.recalculate([edited], tmp_path / "out")
    for file in (made, gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx")):
        for title in (patch_layout.PATCHES, guided.TITLE, ascent.ASCENT):
            assert agreement.differences(file, expected, title) == []


CONV = {"name": "conv1", "kind": "Conv2d", "out_channels": 2, "kernel_size": 3}
REST = [{"kind": "Flatten"}, {"name": "fc", "kind": "Linear", "out_features": 2}, {"kind": "Softmax"}]
UNFIT: list[tuple[str, list[int], list[dict[str, Any]], str]] = [
    ("patches", [3, 8, 8], [CONV, {"kind": "ReLU"}], "needs a picture of one channel"),
    ("patches", [1, 8, 8], [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 3}], "begins with a Conv2d"),
    ("patches", [1, 8, 8], [CONV | {"out_channels": 25}], "of at most 24 maps"),
    ("patches", [1, 8, 8], [CONV | {"padding": 3, "kernel_size": 9}], "see less than the whole picture"),
    ("guided", [1, 8, 8], [CONV, {"kind": "ReLU"}, {"kind": "ReLU"}], "cannot go back through 'relu2', a ReLU"),
    ("guided", [1, 8, 8], [CONV, {"kind": "ReLU6"}], "cannot go back through 'relu1', a ReLU6"),
    ("guided", [1, 8, 8], [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 3}], "begins with a Conv2d"),
    ("ascent", [3, 8, 8], [CONV], "needs a small picture of one channel"),
    ("ascent", [1, 80, 80], [CONV], "needs a small picture"),
]


@pytest.mark.parametrize(("sheet", "shape", "layers", "said"), UNFIT)
def test_networks_that_do_not_fit_are_told(sheet: str, shape: list[int], layers: list[Any], said: str) -> None:
    network = Network.from_spec({"input": shape, "classes": ["a", "b"], "layers": [*layers, *REST]})
    with pytest.raises(SpecError, match=said):
        registry.pages(networks.state_of(network, lesson=Lesson(sheets=(sheet,))))


def test_the_workbook_keeps_its_promises(path: Path, state: WorkbookState) -> None:
    assert validator.sdk_findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in state.lesson.tries]
