"""The page that lists ONNX's tests of single operators, and what becomes of them here."""

from functools import cache

import onnx

from tests.oracles.onnx_networks import Expressed, OutOfScopeError, express
from tests.oracles.onnx_nodes import NodeTest, node_tests

MOST_CELLS = 10_000
"""Networks with more values than this are asked of the engine alone: a sheet of them takes minutes, or has no room."""

_HEAD = """# ONNX's node tests

The `onnx` package ({version}) has tests of single operators: those that it makes in code for every operator, and small
models in files, most of them exported by PyTorch. These are the {total} tests of operators that a layer kind computes.
What the operator must give comes from ONNX, within ONNX's own tolerance; `tests/layers/test_onnx_nodes.py` asks all of
this again at every run.

- **{passed} pass**: the engine gives ONNX's numbers for every image of the batch, and, where the table says so, the
  formulas do for the last image: all in the formula engine formualizer, one of each operator in LibreOffice. Signals in
  one dimension stand as maps of one row; where an operator has several inputs, they are parts of one picture, which
  `Slice` takes apart. Of LayerNormalization's outputs the first one counts: the others are on the way to it.
- **{outside} are out of scope**, for the reasons below. Tests in which an operator is spelled out in other operators
  (`…_expanded`) are not counted.

This page is made by `scripts/onnx_node_tests.py`.
"""


def page() -> str:
    """The page `docs/onnx-node-tests.md`."""
    passed, outside = sorted_out()
    head = _HEAD.format(
        version=onnx.__version__, total=len(passed) + len(outside), passed=len(passed), outside=len(outside)
    )
    rows = []
    for test, made in passed:
        formulas = "yes" if made.cells <= MOST_CELLS else f"no: {made.cells:,} values"
        rows.append(f"| {test.operator} | `{test.name}` | `{made.caption}` | {formulas} |")
    reasons = [f"| {test.operator} | `{test.name}` | {reason} |" for test, reason in outside]
    lines = [
        head,
        "## Passed",
        "",
        "| operator | test | as layers | formulas |",
        "|---|---|---|---|",
        *rows,
        "",
        "## Out of scope",
        "",
        "| operator | test | reason |",
        "|---|---|---|",
        *reasons,
    ]
    return "\n".join(lines) + "\n"


@cache
def sorted_out() -> tuple[list[tuple[NodeTest, Expressed]], list[tuple[NodeTest, str]]]:
    """The tests that are expressed as networks, and the others with the reason why not."""
    inside, outside = [], []
    for test in node_tests():
        try:
            inside.append((test, express(test)))
        except OutOfScopeError as reason:
            outside.append((test, str(reason)))
    return inside, outside
