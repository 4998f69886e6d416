"""Where a network stands on the sheet: every cell once, and every value where it is said to be."""

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from conv_sheet.errors import WorkbookError
from conv_sheet.layers import Border, Shape
from conv_sheet.network.cuts import runs
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import SCALE_ROW, WIDEST, Layout, plan, plan_for
from conv_sheet.network.lesson import Lesson
from tests.graphs import GRAPHS, graph, graphs, layer
from tests.networks import state_of

Cell = tuple[str, int, int]
NARROW = 30
"""Columns that make several sheets of small networks."""


def cells(layout: Layout) -> list[tuple[str, Cell]]:
    """Every cell that a stage takes, its borders included, with the stage's name."""
    taken = [
        (stage.name, (block.sheet, *at))
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
            places = (block.position(y - top, x - left) for y, x in np.argwhere(around).tolist())
            taken += [(stage.name, (block.sheet, *at)) for at in places]
    return taken


def assert_is_sound(network: Network) -> None:
    for fold, widest in product((True, False), (WIDEST, NARROW)):
        layout = plan(network, fold, widest)
        taken = cells(layout)
        assert len({at for _, at in taken}) == len(taken)
        columns = {stage.name: stage.columns for stage in layout.stages}
        assert all(columns[name][0] <= column <= columns[name][1] for name, (_, _, column) in taken)
        assert_each_sheet_has_what_it_reads(layout)
        assert_lanes_are_free(layout, taken)
        assert_values_are_found(layout)


def assert_each_sheet_has_what_it_reads(layout: Layout) -> None:
    for stage in layout.stages:
        for source in () if stage.carried or not stage.nodes else layout.site(stage).sources:
            assert {block.sheet for block in source.blocks} == {stage.sheet}


def assert_lanes_are_free(layout: Layout, taken: list[tuple[str, Cell]]) -> None:
    for part in layout.parts:
        rows = {row for _, (sheet, row, _) in taken if sheet == part.sheet}
        lanes = sorted((row, source.columns[0], reader.columns[0] - 1) for row, source, reader in part.lanes)
        assert [row for row, _, _ in lanes if row in rows or row <= SCALE_ROW] == []
        assert all(one[0] < other[0] or one[2] < other[1] for one, other in pairwise(lanes))


def assert_values_are_found(layout: Layout) -> None:
    """Where the output of each layer is said to stand, its values do stand."""
    state = state_of(layout.network)
    sheet: dict[Cell, float] = {}
    for stage in layout.stages:
        values = layout.values(stage, state.activations, state.tensors)["out"]
        for block, plane in zip(stage.out.blocks, stage.out.planes(values), strict=True):
            sheet |= {(block.sheet, *at): value for at, value in block.items(plane)}
    inner = {node.name for stage in layout.stages for node in stage.nodes[:-1]}
    assert set(layout.placed) == {"input", *(node.name for node in layout.network.nodes)}
    for name in layout.placed.keys() - inner:
        placed, expected = layout.placed[name], state.activations[name][0]
        assert placed.shape == expected.shape
        planes = expected if expected.ndim == 3 else expected.reshape(1, -1, 1)
        for plane, y, x in np.ndindex(*planes.shape):
            block, row, column = placed.find(plane, y, x)
            assert sheet[block.sheet, *block.position(row, column)] == planes[plane, y, x]


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


def test_shortcuts_behind_each_other_share_a_line() -> None:
    block = [CONV | {"out_channels": 1}] * 2
    adds = [
        layer("Add", "conv2", "input"),
        *block,
        layer("Add", "conv4", "add1"),
        *block,
        layer("Add", "conv6", "input"),
    ]
    network = graph((1, 6, 6), *block, *adds)
    assert_is_sound(network)
    layout = plan(network, widest=110)
    lanes = [[(row - 14, a.shows, b.name) for row, a, b in part.lanes] for part in layout.parts]
    assert lanes == [
        [(0, "input", "add1"), (0, "add1", "add2")],
        [(0, "input", "add3")],
    ]


def test_a_shortcut_on_one_sheet_takes_the_row_that_is_free() -> None:
    block = [CONV | {"out_channels": 1}] * 2
    (straight,) = plan(graph((1, 6, 6), *block, layer("ReLU"))).parts
    (layout,) = plan(graph((1, 6, 6), *block, layer("Add", "conv2", "input"))).parts
    assert layout.input == straight.input and layout.by_name["conv2"].own == straight.by_name["conv2"].own
    ((row, source, reader),) = layout.lanes
    assert (source.shows, reader.name) == ("input", "add1")
    assert row == layout.input.blocks[0].row - layout.by_name["input"].border.top - 2
    assert straight.lanes == ()


def test_depth_takes_sheets_and_is_never_refused() -> None:
    for shape, channels in (((1, 32, 32), 8), ((1, 32, 32), 1)):
        layout = plan(graph(shape, *[CONV | {"out_channels": channels}] * 400))
        carried = 32 + 2 + 2
        assert [part.last_column for part in layout.parts if part.last_column > WIDEST + carried] == []
        assert len(layout.parts) > 3
    assert len(plan(graph((1, 8, 8), *[CONV | {"out_channels": 8}] * 30)).parts) == 1


def test_a_sheet_ends_where_the_size_of_the_maps_changes() -> None:
    wide = [CONV | {"out_channels": 32}] * 8
    layout = plan(graph((1, 32, 32), *wide, layer("MaxPool2d", kernel_size=2), *wide, *wide, layer("Flatten")))
    sizes = [{stage.out.shape[1:] for stage in part.stages if not stage.carried} for part in layout.parts]
    assert sizes == [{(32, 32)}, {(16, 16)}, {(16, 16), ()}]


def test_of_equal_cuts_the_one_is_made_that_fewest_maps_cross() -> None:
    """Of equally few the last one: behind 3 goes what 3 makes; where 4 reads 2 too, behind 2 goes only what 2 makes."""
    reads = [(), (0,), (1, 0), (2,), (3,), (4,)]
    assert runs([(1, 8, 8)] * 6, reads, [10] * 6, 45) == [range(4), range(4, 6)]
    assert runs([(1, 8, 8)] * 6, [(), (0,), (1,), (2,), (2, 3), (4,)], [10] * 6, 45) == [range(3), range(3, 6)]


def test_each_map_of_several_sheets_has_its_kernels_beside_it_in_one_row() -> None:
    layout = plan(graph((1, 32, 32), *[CONV | {"out_channels": 16}] * 40))
    for stage in layout.stages[2:]:
        if stage.carried:
            continue
        kernels = np.array([block.row for block in stage.own["weight"].blocks]).reshape(16, 16)
        assert (kernels == kernels[:, :1]).all()
        assert kernels[:, 0].tolist() == [block.row - stage.border.top for block in stage.out.blocks]


@pytest.mark.parametrize(
    ("shape", "layers"),
    [((1, 1, 20_000), [{"kind": "Tanh"}]), ((1, 9, 9), [layer("Flatten"), layer("Linear", out_features=17_000)])],
)
def test_a_layer_that_no_sheet_has_room_for_is_named(shape: Shape, layers: list[dict[str, Any]]) -> None:
    with pytest.raises(WorkbookError, match=r"^'(input|fc1)' has no room .*: use a smaller input, or fewer"):
        plan(graph(shape, *layers))


def test_a_lesson_of_backpropagation_has_one_sheet_or_is_refused() -> None:
    deep = [CONV | {"out_channels": 8}] * 60
    assert len(plan(graph((1, 32, 32), *deep)).parts) > 1
    assert len(plan_for(graph((1, 32, 32), *deep), Lesson(backprop=True)).parts) == 1
    with pytest.raises(WorkbookError, match=r"on one sheet .* use fewer layers, or leave out backprop"):
        plan_for(graph((1, 32, 32), *deep * 7), Lesson(backprop=True))


def test_pools_look_at_what_there_is() -> None:
    network = graph((1, 4, 4), layer("MaxPool2d", kernel_size=3, stride=2, padding=1))
    layout = plan(network)
    formula = layout.stages[1].layer.formulas(layout.site(layout.stages[1]))["out"]
    first = layout.input.blocks[0]
    assert formula(0, 0, 0) == f"MAX({first.window(0, 0, 2, 2)})"
    assert formula(0, 1, 1) == f"MAX({first.window(1, 1, 3, 3)})"
