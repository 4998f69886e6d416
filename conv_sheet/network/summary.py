"""The table of layers: shapes, parameters, multiply-adds and receptive fields, as numbers and as formulas."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm, prod
from typing import Any

from conv_sheet.layers import Field, Shape
from conv_sheet.network.graph import INPUT, Network, Node


@dataclass(frozen=True)
class Row:
    """One layer: what it gives, what it costs, what it sees of the input.

    `field` is rows and columns of the input, from the first to the last that one value depends on by any path: those of
    the value that sees most, where neighbours differ. `step` is how far the next value's field is moved, the longest
    step where paths differ, and (0, 0) where every value sees the whole input.
    """

    name: str
    kind: str
    shape: Shape
    parameters: int
    multiply_adds: int
    field: tuple[int, int]
    step: tuple[Fraction, Fraction]
    node: Node | None
    picture: tuple[int, int]
    """Rows and columns of the input."""
    upsampled: bool = False
    """Whether a transposed convolution stands before, so that `field` does not follow from the row above alone."""

    @property
    def sees_all(self) -> bool:
        return not any(self.step)

    @property
    def sees(self) -> tuple[int, int]:
        """The same as `field`, but no more rows and columns than the picture has."""
        return min(self.field[0], self.picture[0]), min(self.field[1], self.picture[1])


def summary(network: Network) -> list[Row]:
    """A row for the input and for each layer.

    >>> conv = {"kind": "Conv2d", "out_channels": 2, "kernel_size": 3}
    >>> net = Network.from_spec({"input": [1, 28, 28], "layers": [conv]})
    >>> [(row.parameters, row.multiply_adds, row.field) for row in summary(net)]
    [(0, 0, (1, 1)), (20, 12168, (3, 3))]
    """
    rows, columns = _Axis.of(network, 0), _Axis.of(network, 1)
    seen = [axis.extents() for axis in (rows, columns)]
    whole = (network.input_shape[1], network.input_shape[2])
    table = [Row(INPUT, "", network.input_shape, 0, 0, (1, 1), (Fraction(1), Fraction(1)), None, whole)]
    for node in network.nodes:
        known = node.name in rows.steps
        field = (seen[0][node.name], seen[1][node.name]) if known else whole
        step = (max(rows.steps[node.name]), max(columns.steps[node.name])) if known else (Fraction(0), Fraction(0))
        table.append(
            Row(
                node.name,
                node.layer.kind,
                node.out_shape,
                node.count,
                node.layer.multiply_adds(node.in_shape),
                field,
                step,
                node,
                whole,
                any(axis.periods.get(source, 1) > 1 for axis in (rows, columns) for source in node.inputs),
            )
        )
    return table


@dataclass(frozen=True)
class _Axis:
    """What layers read along one axis; those that see everything, and all behind them, are left out.

    `steps` are the distances by which the fields of neighbouring values are moved, one for each path that takes
    another; the fields are alike again after `periods` values. `values` are some of which one sees most.
    """

    nodes: tuple[Node, ...]
    fields: dict[str, Field]
    steps: dict[str, frozenset[Fraction]]
    periods: dict[str, int]
    values: dict[str, range]

    @classmethod
    def of(cls, network: Network, axis: int) -> "_Axis":
        fields: dict[str, Field] = {}
        steps, periods, values = {INPUT: frozenset({Fraction(1)})}, {INPUT: 1}, {INPUT: range(1)}
        for node in network.nodes:
            both = node.layer.fields(node.in_shape)
            if both is None or not all(source in steps for source in node.inputs):
                continue
            field = fields[node.name] = both[axis]
            moved = Fraction(field.stride, field.spread)
            steps[node.name] = frozenset(step * moved for source in node.inputs for step in steps[source])
            periods[node.name] = lcm(*(periods[source] * field.spread for source in node.inputs))
            if len(node.out_shape) == 1:
                values[node.name] = max((values[source] for source in node.inputs), key=len)
            else:
                alike = len(steps[node.name]) == 1
                values[node.name] = range(periods[node.name] if alike else node.out_shape[1 + axis])
        return cls(tuple(n for n in network.nodes if n.name in fields), fields, steps, periods, values)

    def extents(self) -> dict[str, int]:
        """Indices of the input that one value of a layer depends on, from the first to the last, by layer name."""
        asked = {name: set(positions) for name, positions in self.values.items()}
        for node in reversed(self.nodes):
            indices = {index for at in asked[node.name] for _, index in self.fields[node.name].taps(at)}
            for source in node.inputs:
                asked[source] |= indices
        seen: dict[str, dict[int, tuple[int, int]]] = {INPUT: {index: (index, index) for index in asked[INPUT]}}
        for node in self.nodes:
            seen[node.name] = {}
            for at in asked[node.name]:
                indices = {index for _, index in self.fields[node.name].taps(at)}
                ends = [seen[s][i] for s in node.inputs for i in indices if i in seen[s]]
                if ends:
                    seen[node.name][at] = min(first for first, _ in ends), max(last for _, last in ends)
        spans = {
            name: [seen[name][at] for at in positions if at in seen[name]] for name, positions in self.values.items()
        }
        return {name: max((last - first + 1 for first, last in ends), default=0) for name, ends in spans.items()}


def seen(fields: Sequence[Field]) -> int:
    """Indices of the input that one value depends on through some layers, from the first to the last."""
    most = 0
    for position in range(prod(field.spread for field in fields)):
        indices = {position}
        for field in reversed(fields):
            indices = {index for at in indices for _, index in field.taps(at)}
        most = max(most, max(indices) - min(indices) + 1 if indices else 0)
    return most


def as_records(network: Network) -> list[dict[str, Any]]:
    """The table as numbers and texts that JSON can hold; what a value sees is in rows and columns.

    >>> conv = {"kind": "Conv2d", "out_channels": 2, "kernel_size": 3}
    >>> as_records(Network.from_spec({"input": [1, 28, 28], "layers": [conv]}))[1]["shape"]
    [2, 26, 26]
    """
    return [
        {
            "name": row.name,
            "kind": row.kind,
            "inputs": list(row.node.inputs) if row.node else [],
            "shape": list(row.shape),
            "parameters": row.parameters,
            "multiply_adds": row.multiply_adds,
            "sees": list(row.sees),
        }
        for row in summary(network)
    ]


def as_text(network: Network) -> Iterator[str]:
    """The table as lines of text; a layer that reads another one than that above says which."""
    head = ("layer", "kind", "output shape", "parameters", "multiply-adds", "sees")
    rows = summary(network)
    table = [
        (
            _read(row, before),
            row.kind,
            "×".join(map(str, row.shape)),
            f"{row.parameters:,}",
            f"{row.multiply_adds:,}",
            ("all " if row.sees == row.picture else "") + "×".join(map(str, row.sees)),
        )
        for row, before in zip(rows, [None, *rows], strict=False)
    ]
    totals = ("total", "", "", f"{sum(r.parameters for r in rows):,}", f"{sum(r.multiply_adds for r in rows):,}", "")
    lines = [head, *table, totals]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for number, line in enumerate(lines):
        if number in (1, len(lines) - 1):
            yield "  ".join("─" * width for width in widths)
        cells = (c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
        yield "  ".join(cells).rstrip()


def _read(row: Row, before: Row | None) -> str:
    """The name of a layer, and behind it what it reads where that is not the layer above."""
    if row.node is None or before is None or row.node.inputs == (before.name,):
        return row.name
    return f"{row.name} ← {', '.join(row.node.inputs)}"
