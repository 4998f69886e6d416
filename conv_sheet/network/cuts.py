"""Which stages of a network stand on one sheet: where a long flow is cut."""

from collections.abc import Collection, Sequence
from itertools import pairwise

from conv_sheet.layers import Shape

_NARROW = 1 / 4
"""Share of the widest sheet below which a part of the flow joins its neighbour, where there is room."""


def runs(shapes: Sequence[Shape], reads: Sequence[Collection[int]], widths: Sequence[int], widest: int) -> list[range]:
    """Numbers of the stages of each sheet: cut where the size of the maps changes, and where a sheet would be wider.

    `shapes` are those of the outputs, `reads` the numbers of the stages that each one reads, `widths` columns. A stage
    that is wider than `widest` alone has a sheet of its own.

    >>> shapes, reads = [(1, 8, 8), (2, 8, 8), (4, 4, 4), (4, 4, 4)], [[], [0], [1], [2]]
    >>> runs(shapes, reads, [10, 20, 30, 30], 50), runs(shapes, reads, [10, 20, 30, 10], 40)
    ([range(0, 2), range(2, 3), range(3, 4)], [range(0, 2), range(2, 4)])
    """
    changes = [n for n in range(1, len(shapes)) if shapes[n][1:] != shapes[n - 1][1:]]
    parts = [
        part
        for first, last in pairwise((0, *changes, len(shapes)))
        for part in _within(range(first, last), reads, widths, widest)
    ]
    joined = parts[:1]
    for part in parts[1:]:
        before, own = (sum(widths[n] for n in one) for one in (joined[-1], part))
        if before + own <= widest and min(before, own) < widest * _NARROW:
            joined[-1] = range(joined[-1].start, part.stop)
        else:
            joined.append(part)
    return joined


def _within(part: range, reads: Sequence[Collection[int]], widths: Sequence[int], widest: int) -> list[range]:
    """A part of the flow cut into parts that a sheet has room for, where the fewest maps go from one to the next."""
    fits = [stop for stop in part[1:] if sum(widths[part.start : stop]) <= widest]
    if sum(widths[n] for n in part) <= widest or len(part) == 1:
        return [part]
    late = [stop for stop in fits if 2 * sum(widths[part.start : stop]) > widest] or [part.start + 1]
    cut = min(reversed(late), key=lambda stop: len(crossing(range(stop), range(stop, len(reads)), reads)))
    return [range(part.start, cut), *_within(range(cut, part.stop), reads, widths, widest)]


def lanes(reads: Sequence[Collection[int]]) -> list[tuple[int, int, int]]:
    """Shortcuts between the stages of a sheet, which read what does not stand right before them: line, from, to.

    Those that pass each other have lines of their own.

    >>> lanes([(), (0,), (1, 0), (2,), (3, 1)])
    [(0, 0, 2), (1, 1, 4)]
    """
    found: list[tuple[int, int, int]] = []
    for source, reader in sorted(
        (source, n) for n, sources in enumerate(reads) for source in sources if source < n - 1
    ):
        taken = {line for line, _, last in found if last > source}
        found.append((next(line for line in range(len(found) + 1) if line not in taken), source, reader))
    return found


def crossing(before: range, behind: range, reads: Sequence[Collection[int]]) -> list[int]:
    """Numbers of the stages before a cut that some stage behind it reads.

    >>> crossing(range(2), range(2, 4), [[], [0], [1], [2, 0]])
    [0, 1]
    """
    return sorted({source for reader in behind for source in reads[reader] if source in before})
