"""Ways back through a ReLU, against PyTorch with hooks."""

import numpy as np
import pytest

from conv_sheet.learning import guided
from conv_sheet.ops import Array
from conv_sheet.pictures.samples import sample
from conv_sheet.state import WorkbookState
from tests.learning.seen import ruled
from tests.networks import fastai

STARTS = [("fc", (7,)), ("fc", (3,)), ("relu2", (1, 9, 12)), ("relu1", (0, 8, 12)), ("relu1", (1, 0, 0))]


def with_digit(number: int) -> WorkbookState:
    state = fastai()
    return state.with_typed({"input": sample(f"digit {number}", state.network.input_shape)})


def ours(state: WorkbookState, name: str, at: tuple[int, ...], rule: str) -> dict[str, Array]:
    upstream = np.zeros_like(state.activations[name])
    upstream[(0, *at)] = 1
    return guided.gradients(state.network, state.activations, state.tensors, name, upstream, rule)


@pytest.mark.parametrize("rule", guided.RULES)
@pytest.mark.parametrize(("name", "at"), STARTS)
def test_what_comes_back_is_pytorchs(name: str, at: tuple[int, ...], rule: str) -> None:
    for digit in (7, 3):
        state = with_digit(digit)
        found, expected = ours(state, name, at, rule), ruled(state, name, at, rule)
        for layer in ("input", "conv1", "relu1"):
            if layer in found:
                np.testing.assert_allclose(found[layer][0], expected[layer], rtol=0, atol=1e-10, err_msg=layer)


def test_rules_differ_and_a_unit_that_is_off_has_a_way_back_in_one_of_them_only() -> None:
    state = with_digit(7)
    first, *others = (ours(state, "fc", (7,), rule)["input"] for rule in guided.RULES)
    assert all(np.abs(first - other).max() > 0.1 for other in others)
    assert state.activations["relu1"][0, 1, 0, 0] == 0
    back = {rule: np.abs(ours(state, "relu1", (1, 0, 0), rule)["input"]).max() for rule in guided.RULES}
    assert back == {"plain": 0, "guided": 0, "deconvnet": 1}
