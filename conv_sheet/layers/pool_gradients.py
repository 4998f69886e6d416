"""Gradients of pools as formulas, of whatever windows."""

from itertools import product

from conv_sheet.cells.formula import Formula, nested, total
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.layers.base import Site

Seen = tuple[list[list[int]], list[list[int]]]
"""Along rows and along columns: for each output the indices of the input values in its window."""
Counted = tuple[list[int], list[int]]
"""Along rows and along columns: by how many values each output divides."""


def extreme_gradient(site: Site, upstream: Placed, seen: Seen, function: str, worse: str) -> dict[str, Formula]:
    """The gradient goes to the first value of each window that is what `function` gives; others compare as `worse`."""
    rows, columns = seen

    def wins(block: Block, out: str, y: int, x: int, window: tuple[list[int], list[int]]) -> str:
        """Whether a value is the one that its window gives, and none before it is."""
        ys, xs = window
        before = [*_areas(block, ys[: ys.index(y)], xs), *_areas(block, [y], xs[: xs.index(x)])]
        equal = f"{block.other(y, x)}={out}"
        return f"AND({equal},{nested(function, before)}{worse}{out})" if before else equal

    def source(c: int, y: int, x: int) -> str:
        block, outs, grads = site.source.blocks[c], site["out"].blocks[c], upstream.blocks[c]
        shares = [
            f"IF({wins(block, outs.other(row, column), y, x, (ys, xs))},{grads.cell(row, column)},0)"
            for row, ys in enumerate(rows)
            if y in ys
            for column, xs in enumerate(columns)
            if x in xs
        ]
        return total(shares)

    return {"input": Formula(source)}


def mean_gradient(upstream: Placed, seen: Seen, counted: Counted) -> dict[str, Formula]:
    """Every value of a window gets the same share of the gradient."""

    def source(c: int, y: int, x: int) -> str:
        shares = [
            f"{upstream.blocks[c].cell(row, column)}/{counted[0][row] * counted[1][column]}"
            for row, ys in enumerate(seen[0])
            if y in ys
            for column, xs in enumerate(seen[1])
            if x in xs
        ]
        return total(shares)

    return {"input": Formula(source)}


def _areas(block: Block, rows: list[int], columns: list[int]) -> list[str]:
    """Addresses, for other sheets, of the values in some rows and columns; one for all where they are neighbours."""
    if rows and columns and rows[-1] - rows[0] == len(rows) - 1 and columns[-1] - columns[0] == len(columns) - 1:
        return [block.part(rows[0], columns[0], len(rows), len(columns)).foreign]
    return [block.other(row, column) for row, column in product(rows, columns)]
