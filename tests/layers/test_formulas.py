"""What a formula promises when it says that one text does for a whole plane: the others are that one, moved."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from openpyxl.formula.translate import Translator

from conv_sheet.cells.formula import Formula
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import SpecError
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout, Stage, plan
from conv_sheet.sheets.network import formulas_of
from tests.books import SWEEP
from tests.graphs import GRAPHS, conv, graph, graphs, layer
from tests.layers.test_gradients import CASES
from tests.layers.test_layers import SINGLE, cases

Promise = tuple[str, Placed, Formula]
"""What a formula is of, where it stands, and the formula."""


def promises(layout: Layout) -> Iterator[Promise]:
    """All formulas of a network and of its gradients."""
    for stage in layout.stages:
        if stage.nodes:
            made = formulas_of(layout, stage)
            yield from ((f"{stage.layer.kind} {short}", placed, made[short]) for short, placed in stage.computed())
            yield from _gradients(layout, stage)


def _gradients(layout: Layout, stage: Stage) -> Iterator[Promise]:
    """Those of a stage's gradients, on a sheet of their own in the places of the tensors."""
    site, upstream = layout.site(stage), stage.out.on("Backprop")
    for short, formula in stage.layer.gradient_formulas(site, upstream).items():
        if short != "input":
            yield f"{stage.layer.kind} {short} gradient", stage.own[short].on("Backprop"), formula
    formulas = stage.layer.joined_gradient_formulas(site, upstream)
    for source, formula in zip(site.sources, formulas, strict=True):
        if source.regular:
            yield f"{stage.layer.kind} input gradient", source.on("Backprop"), formula


def broken(placed: Placed, formula: Formula) -> list[str]:
    """Cells in which the formula is not the first one of its plane, moved."""
    found = []
    for plane, block in enumerate(placed.blocks):
        first = Translator(f"={formula(plane, 0, 0)}", origin=block.cell())
        for y, x in np.ndindex(*block.shape):
            if first.translate_formula(block.cell(y, x)) != f"={formula(plane, y, x)}":
                found.append(block.cell(y, x))
    return found


def broken_across(placed: Placed, formula: Formula) -> list[str]:
    """Cells in which the formula is not the one in their place of the first plane, moved."""
    first = placed.blocks[0]
    return [
        block.cell(y, x)
        for plane, block in enumerate(placed.blocks)
        for y, x in np.ndindex(*block.shape)
        if Translator(f"={formula(0, y, x)}", origin=first.cell(y, x)).translate_formula(block.cell(y, x))
        != f"={formula(plane, y, x)}"
    ]


def assert_kept(layout: Layout) -> None:
    for what, placed, formula in promises(layout):
        if formula.shared:
            assert broken(placed, formula) == [], what
        if formula.across:
            assert broken_across(placed, formula) == [], what


@pytest.mark.parametrize("kind", SINGLE)
@settings(max_examples=100 if SWEEP else 40)
@given(data=st.data())
def test_what_one_layer_promises_is_true(kind: str, data: st.DataObject) -> None:
    try:
        network = Network.from_spec(data.draw(cases(kind)).spec)
    except SpecError:
        assume(False)
    assert_kept(plan(network))


@given(graphs(), st.booleans())
def test_what_a_graph_promises_is_true(network: Network, fold: bool) -> None:
    assert_kept(plan(network, fold))


def test_maps_below_each_other_share_the_formulas_of_a_strided_convolution() -> None:
    strided = [conv(f"conv{n}", padding=1, stride=2, bias=n > 0, out_channels=3) for n in range(3)]
    grouped = conv("grouped", groups=3, stride=2, out_channels=3, padding=1)
    layout = plan(graph((2, 30, 29), *strided, layer("ReLU"), grouped), widest=40)
    assert len(layout.parts) > 1
    made = {stage.name: (stage.out, formulas_of(layout, stage)["out"]) for stage in layout.stages if stage.nodes}
    across = [name for name, (_, formula) in made.items() if formula.across]
    assert across == ["conv0", "conv1", "conv2"]
    for name in across:
        assert broken_across(*made[name]) == []
    placed, formula = made["conv2"]
    wrong = Formula(lambda plane, y, x: formula(0, y, x), across=True)
    assert broken_across(placed, wrong)[0] == placed.blocks[1].cell()


EVERY = graph(
    (2, 9, 8),
    conv("conv1", padding=1),
    layer("BatchNorm2d"),
    layer("ReLU"),
    layer("LeakyReLU"),
    layer("Dropout"),
    layer("MaxPool2d", kernel_size=2, stride=1, name="large"),
    layer("MinPool2d", kernel_size=2, stride=1),
    layer("AvgPool2d", kernel_size=2, stride=1, name="mean"),
    layer("Add", "mean", "mean2", name="add"),
    layer("AvgPool2d", "large", kernel_size=[2, 2], stride=1, name="half"),
    layer("AvgPool2d", "half", kernel_size=2, stride=1, name="mean2"),
    layer("Tanh", "add", name="tanh"),
    layer("AdaptiveAvgPool2d", output_size=1),
    layer("Flatten"),
    layer("Linear", out_features=20),
    layer("Sigmoid"),
    layer("Softmax"),
)


def test_what_can_be_promised_is_promised() -> None:
    """All that is the same in every cell of a large enough map says so."""
    silent = Counter(
        what
        for network in (EVERY, *GRAPHS.values(), *(case.network() for case in CASES.values()))
        for fold in (True, False)
        for what, placed, formula in promises(plan(network, fold))
        if not formula.shared
        and max(map(np.prod, (block.shape for block in placed.blocks))) > 3
        and not broken(placed, formula)
    )
    assert silent == {}


def test_a_promise_that_is_not_kept_is_seen() -> None:
    (_, placed, formula), *_ = promises(plan(EVERY))
    assert formula.shared and not broken(placed, formula)
    wrong = Formula(lambda plane, y, x: formula(plane, y, 0), shared=True)
    assert broken(placed, wrong)[:2] == [placed.blocks[0].cell(0, 1), placed.blocks[0].cell(0, 2)]
