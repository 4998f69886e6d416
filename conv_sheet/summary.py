"""The table of layers: shapes, parameters, multiply-adds and receptive fields, as numbers and as formulas."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from conv_sheet.layers import Shape
from conv_sheet.network import Network, Node


@dataclass(frozen=True)
class Row:
    """One layer: what it gives, what it costs, what it sees of the input.

    `field` is rows and columns of the input that one value depends on; `step` how far the next value's field is moved,
    (0, 0) where every value sees the whole input.
    """

    name: str
    kind: str
    shape: Shape
    parameters: int
    multiply_adds: int
    field: tuple[int, int]
    step: tuple[int, int]
    node: Node | None


def summary(network: Network) -> list[Row]:
    """A row for the input and for each layer.

    >>> conv = {"kind": "Conv2d", "out_channels": 2, "kernel_size": 3}
    >>> net = Network.from_spec({"input": [1, 28, 28], "layers": [conv]})
    >>> [(row.parameters, row.multiply_adds, row.field) for row in summary(net)]
    [(0, 0, (1, 1)), (20, 12168, (3, 3))]
    """
    rows = [Row("input", "", network.input_shape, 0, 0, (1, 1), (1, 1), None)]
    for node in network.nodes:
        rows.append(_row(node, rows[-1], network.input_shape))
    return rows


def _row(node: Node, before: Row, whole: Shape) -> Row:
    fields = node.layer.fields(node.in_shape)
    if fields is None or before.step == (0, 0):
        field, step = (whole[1], whole[2]), (0, 0)
    else:
        seen = [f + (w.extent - 1) * s for f, s, w in zip(before.field, before.step, fields, strict=True)]
        steps = [s * w.stride for s, w in zip(before.step, fields, strict=True)]
        field, step = (seen[0], seen[1]), (steps[0], steps[1])
    trainable = (shape for short, shape in node.parameters.items() if short not in node.layer.buffers)
    return Row(
        node.name,
        node.layer.kind,
        node.out_shape,
        sum(prod(shape) for shape in trainable),
        node.layer.multiply_adds(node.in_shape),
        field,
        step,
        node,
    )


def as_text(network: Network) -> Iterator[str]:
    """The table as lines of text."""
    head = ("layer", "kind", "output shape", "parameters", "multiply-adds", "sees")
    rows = summary(network)
    table = [
        (
            r.name,
            r.kind,
            "×".join(map(str, r.shape)),
            f"{r.parameters:,}",
            f"{r.multiply_adds:,}",
            "×".join(map(str, r.field)),
        )
        for r in rows
    ]
    totals = ("total", "", "", f"{sum(r.parameters for r in rows):,}", f"{sum(r.multiply_adds for r in rows):,}", "")
    lines = [head, *table, totals]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for number, line in enumerate(lines):
        if number in (1, len(lines) - 1):
            yield "  ".join("─" * width for width in widths)
        cells = (c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
        yield "  ".join(cells).rstrip()
