"""What every stage says of itself to the loupe, as columns of facts, and the lists of corners to which they point."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells.grid import Block
from conv_sheet.network.layout import sheet_number
from conv_sheet.sheets.loupe.reach import Corner, Reach, corners

LOUPE, PLACES = "Loupe", "Places"
NONE = "·"
"""Stands where there is nothing to show: a text, which sums and the like pass over."""
AXES = ("row", "column")
OWN = "own {}"
"""The name of a list of corners: those of a tensor of which one value has a number of its own."""

HOME = "sheet"
"""The name of the fact on which sheet a stage stands, where there are several."""
_SECTIONS = ("reads", "weights", "out", "frames")


@dataclass(frozen=True)
class Panel:
    """Room for one tile of one map: its zone, that for small windows or the one for others, and its number there."""

    zone: int
    number: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width


@dataclass(frozen=True)
class Part:
    """Some cells of a panel, from a row and a column of it on, counted from 0, and the stages that they show."""

    top: int
    left: int
    height: int
    width: int
    shown: tuple[Reach, ...]

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width


@dataclass(frozen=True)
class Facts:
    """The facts of all stages, and the lists of corners to which they point."""

    reaches: tuple[Reach, ...]
    classes: int = 0
    """How many classes the network has."""
    pixels: frozenset[str] = frozenset()
    """What stands where the picture does: it, and layers without cells of their own."""

    @cached_property
    def owned(self) -> int:
        """The most tensors of which one value has a number of its own."""
        return max(len(reach.own) for reach in self.reaches)

    @property
    def several_sheets(self) -> bool:
        return len({reach.stage.sheet for reach in self.reaches}) > 1

    @cached_property
    def frames(self) -> int:
        """The most rectangles that a value sees."""
        return max(len(reach.frames) if reach.across else reach.each for reach in self.reaches)

    @cached_property
    def panels(self) -> tuple[Panel, ...]:
        """The panels of both zones."""
        shapes: dict[tuple[int, int], tuple[int, int]] = {}
        for reach in self.reaches:
            for number in range(reach.panels):
                key = int(not reach.small), number
                (height, width), (more, wider) = shapes.get(key, (0, 0)), reach.panel_shape(number)
                shapes[key] = max(height, more), max(width, wider)
        return tuple(Panel(*key, *shape) for key, shape in sorted(shapes.items()))

    def shown_in(self, panel: Panel) -> tuple[Reach, ...]:
        """The stages whose windows, or tiles of them, a panel shows."""
        return tuple(r for r in self.reaches if r.small == (panel.zone == 0) and panel.number < r.panels)

    def parts(self, panel: Panel) -> Iterator[Part]:
        """A panel cut so that all cells of a part show the same stages, where the windows of some stand still."""
        shown = self.shown_in(panel)
        if not any(reach.whole for reach in shown):
            yield Part(0, 0, *panel.shape, shown)
            return
        shapes = [reach.panel_shape(panel.number) for reach in shown]
        bottoms, rights = (sorted({shape[axis] for shape in shapes}) for axis in (0, 1))
        for (top, bottom), (left, right) in product(pairwise([0, *bottoms]), pairwise([0, *rights])):
            here = (
                reach for reach, (height, width) in zip(shown, shapes, strict=True) if height > top and width > left
            )
            yield Part(top, left, bottom - top, right - left, tuple(here))

    @cached_property
    def ways(self) -> dict[tuple[int, str], Reach]:
        """A stage for each formula by which values are made of what stands in panels of one zone."""
        return {_way(reach): reach for reach in reversed(self.reaches)}

    @cached_property
    def activations(self) -> dict[str, Reach]:
        """A stage for each activation, and for none."""
        return {fold(reach, "A1"): reach for reach in reversed(self.reaches)}

    def sections(self, reach: Reach) -> dict[str, tuple[Corner, ...]]:
        """The lists of a stage, by name."""
        outputs = reach.stage.out.shape[0]
        frames = tuple(Corner(block.row, block.column) for block in reach.frames) if reach.across else ()
        found = dict(zip(_SECTIONS, (reach.reads, reach.weights, corners(reach.stage.out), frames), strict=True))
        own = {OWN.format(n): corners(placed, outputs) for n, placed in enumerate(reach.own.values())}
        return found | {OWN.format(n): () for n in range(self.owned)} | own

    @cached_property
    def corners(self) -> tuple[Corner, ...]:
        """All lists, one behind the other; two at least, because Gnumeric makes #REF! of INDEX into a single cell."""
        every = [c for reach in self.reaches for section in self.sections(reach).values() for c in section]
        return tuple(every + every[:1])

    @cached_property
    def lists(self) -> dict[str, NDArray[Any]]:
        """Rows, columns and names of all corners, one below the other."""
        return {
            "top": np.array([[corner.row] for corner in self.corners], dtype=object),
            "left": np.array([[corner.column] for corner in self.corners], dtype=object),
            "name": np.array([[corner.name] for corner in self.corners], dtype=object),
        }

    @cached_property
    def table(self) -> dict[str, NDArray[Any]]:
        """The facts by name, one a stage."""
        sizes = [len(section) for reach in self.reaches for section in self.sections(reach).values()]
        starts = iter(accumulate(sizes, initial=0))
        rows = [
            self._of(number, reach, {f"{name} from": next(starts) for name in self.sections(reach)})
            for number, reach in enumerate(self.reaches, 1)
        ]
        return {name: np.array([row[name] for row in rows], dtype=object) for name in rows[0]}

    def _of(self, number: int, reach: Reach, starts: dict[str, int]) -> dict[str, float | str]:
        stage, (maps, rows, columns) = reach.stage, reach.shape
        own = list(reach.own.items())
        facts: dict[str, float | str] = {
            "number": number,
            "name": stage.name,
            "formula": list(self.ways).index(_way(reach)) + 1,
            "activation": list(self.activations).index(fold(reach, "A1")) + 1,
            "torch": ", ".join(node.torch for node in stage.nodes),
            "words": stage.layer.words(stage.in_shape),
            "then": stage.activation.words_of("that") if stage.activation else "the result",
            "room": _room(reach),
            "maps": maps,
            "rows": rows,
            "columns": columns,
            "vector": int(reach.vector),
            "elementwise": int(reach.elementwise and reach.in_maps),
            "weighted": int(reach.weighted),
            "classes": int(reach.vector and rows == self.classes),
            "pictured": int(reach.in_maps),
            "pixels": int(self.pixels.issuperset(reach.stage.inputs)),
            "across": reach.across,
            "zone": int(not reach.small),
            "each": reach.each,
            "sharing": reach.sharing,
            "frames": len(reach.frames) if reach.across else reach.each,
            "width": reach.map_shape[1],
            "size": reach.map_shape[0] * reach.map_shape[1],
            "picture height": reach.picture[0],
            "picture width": reach.picture[1],
        }
        for axis, window in enumerate((reach.rows, reach.columns)):
            name = AXES[axis]
            facts |= {f"{name} size": window.size, f"{name} dilation": window.dilation, f"{name} stride": window.stride}
            facts |= {f"{name} before": window.before, f"{name} spread": window.spread}
            facts |= {f"{name} low": reach.low[axis] * window.spread, f"{name} high": reach.high[axis] * window.spread}
            facts |= {f"{name} tiles": reach.tiles[axis], f"{name} apart": reach.apart[axis]}
            facts |= {f"weight {name} step": reach.weight_step[axis]}
        for n in range(self.owned):
            planar = n < len(own) and len(own[n][1].shape) == 3
            facts |= {OWN.format(n): own[n][0] if n < len(own) else NONE, f"{OWN.format(n)} planar": int(planar)}
        sheet: dict[str, float | str] = {HOME: sheet_number(stage.sheet)} if self.several_sheets else {}
        return facts | sheet | starts


def _way(reach: Reach) -> tuple[int, str]:
    """The formula of a stage's values over cells that are the same for all stages."""
    windows = [Block(PLACES, 1, 1 + n, 1, 1) for n in range(reach.panels)]
    own = [Block(PLACES, 3, 1 + n, 1, 1) for n in range(len(reach.own))]
    return int(not reach.small), reach.formula(windows, Block(PLACES, 2, 1, 1, 1), own)


def fold(reach: Reach, value: str) -> str:
    """The formula of a stage's activation around a value."""
    return reach.stage.activation.fold(value) if reach.stage.activation else value


def _room(reach: Reach) -> str:
    """Which cells a stage has."""
    name, (maps, rows, columns) = reach.stage.name, reach.shape
    if reach.vector:
        return f"{name} is a column of {rows} values: row 1 to {rows}."
    room = f"of {rows}×{columns} values: map 1 to {maps}, row 1 to {rows}, column 1 to {columns}."
    return f"{name} has {maps} map{'' if maps == 1 else 's'} {room}"
