"""Parts of a block of cells, as LibreOffice's block writes need them."""

from collections.abc import Iterator
from itertools import pairwise


def rectangles_between(cells: set[tuple[int, int]], height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    """Cover a block but for some cells by rectangles (top, left, bottom, right), the last two excluded.

    >>> list(rectangles_between({(1, 1)}, height=3, width=3))
    [(0, 0, 1, 3), (1, 0, 2, 1), (1, 2, 2, 3), (2, 0, 3, 3)]
    """
    top = 0
    for row in sorted({row for row, _ in cells}):
        if top < row:
            yield top, 0, row, width
        edges = [-1, *sorted(column for other, column in cells if other == row), width]
        yield from ((row, left + 1, row + 1, right) for left, right in pairwise(edges) if left + 1 < right)
        top = row + 1
    if top < height:
        yield top, 0, height, width
