"""Layers with several inputs: what test_graph.py does not see of them, gradients as formulas above all."""

from collections.abc import Sequence

import numpy as np
import pytest

from conv_sheet.cells.expr import Expr
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.layers import Shape, Site
from conv_sheet.layers.join import Add, Concat
from conv_sheet.network.layout import plan
from conv_sheet.sheets.network import formulas_of, stage_texts
from tests.graphs import GRAPHS, graph, layer

JOINS = [
    (Add(), [(2, 3, 4), (2, 3, 4), (2, 3, 4)]),
    (Add(), [(5,), (5,)]),
    (Concat(), [(2, 3, 4), (1, 3, 4), (3, 3, 4)]),
    (Concat(), [(5,), (2,), (1,)]),
]


def placed(name: str, shape: Shape, column: int) -> Placed:
    """A tensor whose maps stand below each other."""
    height, width = (*shape[1:], 1, 1)[:2] if len(shape) == 3 else (shape[0], 1)
    rows = (2 + n * (height + 1) for n in range(shape[0] if len(shape) == 3 else 1))
    return Placed(name, shape, tuple(Block("Network", row, column, height, width) for row in rows))


@pytest.mark.parametrize(("kind", "shapes"), JOINS, ids=str)
def test_the_gradient_formula_of_each_input_names_its_part_of_the_upstream_gradient(
    kind: Add | Concat, shapes: Sequence[Shape]
) -> None:
    rng = np.random.default_rng(0)
    xs = [rng.standard_normal((1, *shape)) for shape in shapes]
    y = kind.joined_forward(xs, {})
    grad = rng.standard_normal(y.shape)
    dxs, own = kind.joined_backward(grad, xs, y, {})
    assert own == {}

    site = Site(tuple(placed(f"x{n}", shape, 9 * n + 2) for n, shape in enumerate(shapes)), {})
    upstream = placed("grad", y.shape[1:], 60).on("Backprop")
    shown = {
        block.cell(*at): value
        for block, plane in zip(upstream.blocks, upstream.planes(grad[0]), strict=True)
        for at, value in np.ndenumerate(plane)
    }
    formulas = kind.joined_gradient_formulas(site, upstream)
    assert len(formulas) == len(xs)
    for formula, dx in zip(formulas, dxs, strict=True):
        planes = dx[0] if dx[0].ndim == 3 else dx[0].reshape(1, -1, 1)
        for at, value in np.ndenumerate(planes):
            assert shown[formula(*at)] == value


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="must have one shape"):
        Add().joined_shape([(2, 3, 3), (2, 2, 3)])
    with pytest.raises(ShapeError, match="one height and one width"):
        Concat().joined_shape([(2, 3, 3), (2, 3, 4)])
    with pytest.raises(ShapeError, match="one height and one width"):
        Concat().joined_shape([(2, 3, 3), (2,)])
    for kind in (Add(), Concat()):
        with pytest.raises(SpecError, match="two inputs or more"):
            kind.joined_shape([(2, 3, 3)])


def test_an_add_and_the_relu_behind_it_are_one_formula() -> None:
    layout = plan(GRAPHS["a residual block"])
    stage = layout.by_name["sum"]
    first, second = layout.placed["second"].blocks[1], layout.input.blocks[1]
    assert formulas_of(layout, stage)["out"](1, 2, 3) == f"MAX(0,{first.cell(2, 3)}+{second.cell(2, 3)})"
    assert stage_texts(layout, stage, editable=True) == (
        "sum + relu2",
        "second, input: 2×5×6 → 2×5×6",
        "second + input, nn.ReLU()",
        "each cell = max(0, sum of the values at the same position of each input)",
    )


def test_sums_of_many_inputs_and_the_size_of_what_is_behind_each_other() -> None:
    tables = [layer("Tanh", "input", name=f"t{n}") for n in range(30)]
    network = graph((1, 2, 2), *tables, layer("Add", *(table["name"] for table in tables), name="sum"))
    x = np.ones((1, 1, 2, 2))
    np.testing.assert_allclose(network.forward(x, {})["sum"], 30 * np.tanh(x))
    first = Expr(2, "D4"), Expr(6, "E4"), Expr(6, "F4")
    second = Expr(3, "D7"), Expr(6, "E7"), Expr(6, "F7")
    sizes = Concat().joined_sizes((5, 6, 6), [first, second])
    assert [(size.value, size.formula) for size in sizes] == [(5, "D4+D7"), (6, "E4"), (6, "F4")]
