"""The table of layers: shapes, parameters, multiply-adds and receptive fields, as numbers and as formulas."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from conv_sheet.layers import Field, Shape
from conv_sheet.network.graph import Network, Node


@dataclass(frozen=True)
class Row:
    """One layer: what it gives, what it costs, what it sees of the input.

    `field` is rows and columns of the input, from the first to the last that one value depends on: those of the value
    that sees most, where a transposed convolution makes a difference between neighbours. `step` is how far the next
    value's field is moved, (0, 0) where every value sees the whole input.
    """

    name: str
    kind: str
    shape: Shape
    parameters: int
    multiply_adds: int
    field: tuple[int, int]
    step: tuple[Fraction, Fraction]
    node: Node | None
    upsampled: bool = False
    """Whether a transposed convolution stands before, so that `field` does not follow from the row above alone."""

    @property
    def sees_all(self) -> bool:
        return not any(self.step)


def summary(network: Network) -> list[Row]:
    """A row for the input and for each layer.

    >>> conv = {"kind": "Conv2d", "out_channels": 2, "kernel_size": 3}
    >>> net = Network.from_spec({"input": [1, 28, 28], "layers": [conv]})
    >>> [(row.parameters, row.multiply_adds, row.field) for row in summary(net)]
    [(0, 0, (1, 1)), (20, 12168, (3, 3))]
    """
    rows = [Row("input", "", network.input_shape, 0, 0, (1, 1), (Fraction(1), Fraction(1)), None)]
    fields = [node.layer.fields(node.in_shape) for node in network.nodes]
    for number, node in enumerate(network.nodes, 1):
        rows.append(_row(node, fields[:number], network.input_shape))
    return rows


def _row(node: Node, fields: Sequence[tuple[Field, Field] | None], whole: Shape) -> Row:
    known = [pair for pair in fields if pair is not None]
    if len(known) < len(fields):
        field, step = (whole[1], whole[2]), (Fraction(0), Fraction(0))
    else:
        rows, columns = zip(*known, strict=True)
        field, step = (seen(rows), seen(columns)), (_step(rows), _step(columns))
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
        any(field.spread > 1 for pair in known[:-1] for field in pair),
    )


def seen(fields: Sequence[Field]) -> int:
    """Places of the input that one value depends on through some layers, from the first to the last."""
    most = 0
    for position in range(prod(field.spread for field in fields)):
        places = {position}
        for field in reversed(fields):
            places = {index for place in places for _, index in field.taps(place)}
        most = max(most, max(places) - min(places) + 1 if places else 0)
    return most


def _step(fields: Sequence[Field]) -> Fraction:
    return Fraction(prod(field.stride for field in fields), prod(field.spread for field in fields))


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
