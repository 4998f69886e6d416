"""Where a network stands on the sheet: every cell once, and every value where it is said to be."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from conv_sheet.cells.grid import MAX_COLUMNS
from conv_sheet.errors import WorkbookError
from conv_sheet.layers import Border, Shape
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout, plan
from tests.graphs import GRAPHS, graph, graphs, layer
from tests.networks import state_of

Cell = tuple[int, int]


def cells(layout: Layout) -> list[tuple[str, Cell]]:
    """Every cell that a stage takes, its borders included, with the stage's name."""
    taken = [
        (stage.name, at)
        for stage in layout.stages
        for placed in stage.own.values()
        for block in placed.blocks
        for at in block.positions()
    ]
    for stage in layout.stages:
        top, bottom, left, right = stage.border.sides
        for block in stage.out.blocks:
            around = np.ones((block.height + top + bottom, block.width + left + right), dtype=bool)
            around[top : top + block.height, left : left + block.width] = False
            taken += [(stage.name, block.position(y - top, x - left)) for y, x in np.argwhere(around).tolist()]
    return taken


def assert_is_sound(network: Network) -> None:
    for fold in (True, False):
        layout = plan(network, fold)
        taken = cells(layout)
        assert len({at for _, at in taken}) == len(taken)
        columns = {stage.name: stage.columns for stage in layout.stages}
        assert all(columns[name][0] <= column <= columns[name][1] for name, (_, column) in taken)
        assert_values_are_found(layout)


def assert_values_are_found(layout: Layout) -> None:
    """Where the output of each layer is said to stand, its values do stand."""
    state = state_of(layout.network)
    sheet: dict[Cell, float] = {}
    for stage in layout.stages:
        values = layout.values(stage, state.activations, state.tensors)["out"]
        for block, plane in zip(stage.out.blocks, stage.out.planes(values), strict=True):
            sheet |= dict(block.items(plane))
    inner = {node.name for stage in layout.stages for node in stage.nodes[:-1]}
    assert set(layout.placed) == {"input", *(node.name for node in layout.network.nodes)}
    for name in layout.placed.keys() - inner:
        placed, expected = layout.placed[name], state.activations[name][0]
        assert placed.shape == expected.shape
        planes = expected if expected.ndim == 3 else expected.reshape(1, -1, 1)
        for plane, y, x in np.ndindex(*planes.shape):
            block, row, column = placed.find(plane, y, x)
            assert sheet[block.position(row, column)] == planes[plane, y, x]


@pytest.mark.parametrize("network", GRAPHS.values(), ids=GRAPHS)
def test_a_graph_takes_every_cell_once_and_says_where_values_stand(network: Network) -> None:
    assert_is_sound(network)


@given(graphs())
def test_so_does_a_random_one(network: Network) -> None:
    assert_is_sound(network)


def stages(name: str, fold: bool = True) -> list[str]:
    return [" + ".join(node.name for node in stage.nodes) for stage in plan(GRAPHS[name], fold).stages[1:]]


def test_a_layer_folds_into_the_one_that_it_reads_if_nobody_else_does() -> None:
    assert stages("a residual block") == ["first", "bn1 + relu1", "second", "sum + relu2"]
    assert stages("a residual block", fold=False) == ["first", "bn1", "relu1", "second", "sum", "relu2"]
    assert stages("a ReLU of an earlier layer") == ["one", "two", "late", "add1"]


def test_what_only_joins_has_no_cells() -> None:
    assert stages("branches behind each other") == ["narrow", "wide", "pool", "bn1", "mixed"]
    layout = plan(GRAPHS["an output without cells"])
    assert layout.output.blocks == (*layout.placed["tanh1"].blocks, *layout.input.blocks)
    assert [name for name, _ in layout.names()] == ["input_1", "tanh1_out_1"]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("maps behind each other, flattened", ["one", "two", "fc1", "softmax1"]),
        ("flattened, then behind each other", ["tanh1", "fc1"]),
        ("vectors of two sizes", ["small", "pool", "pooled", "fc", "sigmoid", "shares"]),
        ("a vector without cells", ["flat", "fc"]),
    ],
)
def test_what_is_flattened_has_cells_only_for_those_who_read_no_maps(name: str, columns: list[str]) -> None:
    assert stages(name) == columns


def test_borders_are_zeros_for_convolutions_and_wide_enough_for_all() -> None:
    layout = plan(GRAPHS["readers with borders and without"])
    assert layout.by_name["sigmoid1"].border == Border(2, 2, 1, 1)
    assert all(stage.border == Border() for stage in layout.stages if stage.name != "sigmoid1")
    assert layout.by_name["around"].own["padded"].shape == (1, 8, 8)


def test_a_border_reaches_through_what_has_no_cells() -> None:
    conv = layer("Conv2d", out_channels=1, kernel_size=3, padding=1)
    network = graph((1, 4, 4), layer("Tanh"), layer("Concat", "tanh1", "input"), conv)
    assert [stage.border for stage in plan(network).stages] == [Border(1, 1, 1, 1), Border(1, 1, 1, 1), Border()]


CONV = {"kind": "Conv2d", "kernel_size": 3, "padding": 1}


@pytest.mark.parametrize(
    ("shape", "layers", "way_out"),
    [
        ((1, 32, 32), [CONV | {"out_channels": 8}] * 400, r"^the network's 401 blocks .* use fewer layers,"),
        ((1, 32, 32), [CONV | {"out_channels": 300}] * 4, r"use fewer channels in 'conv2' and its like, or a smaller"),
        ((1, 1, 20_000), [{"kind": "Tanh"}], r"^'input' alone has no room .*: use a smaller input"),
    ],
)
def test_what_has_no_room_says_whether_depth_channels_or_size_is_to_blame(
    shape: Shape, layers: list[dict[str, Any]], way_out: str
) -> None:
    network = graph(shape, *layers)
    with pytest.raises(WorkbookError, match=way_out):
        plan(network)


def test_the_advice_of_what_has_no_room_helps() -> None:
    for shape, kept in (((1, 32, 32), 200), ((1, 8, 8), 400)):
        assert plan(graph(shape, *[CONV | {"out_channels": 8}] * kept)).last_column <= MAX_COLUMNS
    with pytest.raises(WorkbookError):  # … and fewer channels would not have
        plan(graph((1, 32, 32), *[CONV | {"out_channels": 1}] * 400))


def test_pools_look_at_what_there_is() -> None:
    network = graph((1, 4, 4), layer("MaxPool2d", kernel_size=3, stride=2, padding=1))
    layout = plan(network)
    formula = layout.stages[1].layer.formulas(layout.site(layout.stages[1]))["out"]
    first = layout.input.blocks[0]
    assert formula(0, 0, 0) == f"MAX({first.window(0, 0, 2, 2)})"
    assert formula(0, 1, 1) == f"MAX({first.window(1, 1, 3, 3)})"
