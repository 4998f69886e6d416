"""The hidden sheet `Places`: for every stage the numbers of its `Sight`, and those of the cell that the loupe looks at."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from conv_sheet import style
from conv_sheet.grid import Block, Lattice, Placed
from conv_sheet.layers import Array, Field, Formula
from conv_sheet.layout import Layout
from conv_sheet.sheets.page import Page, Setting, Value
from conv_sheet.sight import TILE, Sight, Weights, places_of, sights

if TYPE_CHECKING:
    from conv_sheet.contents import Contents

PLACES = "Places"
LAYER, MAP, ROW, COLUMN = "loupe_layer", "loupe_map", "loupe_row", "loupe_column"
CELL, SEEN = "loupe_cell", "loupe_seen"
NONE = "·"
"""Stands where there is nothing to show: a text, which sums and the like pass over."""

_TOP = 3
_AXES = ("row", "column")
_CELL = ("cell row", "cell column")
_SEEN = (
    *("top", "left", "height", "width", "every row", "every column"),
    *("seen high", "seen down", "seen right", "first seen", "last seen"),
)
_FOUND = (
    *("stage", "ok", "map", "row", "column", "output", "place", "first map", "first row", "first column"),
    *("out row", "out column", *_CELL, *_SEEN),
)
_PANEL = ("channel", "from row", "from column", "rows", "columns", "top", "left", "weight top", "weight left")
Numbers = dict[str, tuple[Value, str]]
"""Values, and the formulas that make them, by name."""


# -- what every stage says ---------------------------------------------------------------------------------------------


def _lattice(name: str, lattice: Lattice) -> dict[str, float | str]:
    """The numbers of a lattice."""
    numbers = lattice.row, lattice.column, lattice.high, lattice.down, lattice.right
    return {f"{name} {what}": n for what, n in zip(("top", "left", "high", "down", "right"), numbers, strict=True)}


def _window(axis: int, sight: Sight) -> dict[str, float | str]:
    field, name = (sight.rows, sight.columns)[axis], _AXES[axis]
    return {
        f"{name} size": field.size,
        f"{name} dilation": field.dilation,
        f"{name} stride": field.stride,
        f"{name} before": field.before,
        f"{name} spread": field.spread,
        f"{name} low": sight.low[axis] * field.spread,
        f"{name} high": sight.high[axis] * field.spread,
        f"{name} tiles": sight.tiles[axis],
        f"{name} apart": sight.apart[axis],
    }


def _facts(number: int, sight: Sight, owned: int) -> dict[str, float | str]:
    """What the sheet says of a stage, by name."""
    maps, rows, columns = sight.shape
    _, height, width = sight.source
    weights = sight.weights or Weights(Lattice(1, 1), Lattice(1, 1))
    own = [(name, places_of(placed), len(placed.shape) == 3) for name, placed in sight.own.items()]
    own += [(NONE, Lattice(1, 1), False)] * (owned - len(own))
    return {
        "number": number,
        "name": sight.stage.name,
        "reads": sight.reads.name,
        "maps": maps,
        "rows": rows,
        "columns": columns,
        "vector": int(sight.vector),
        "elementwise": int(sight.elementwise),
        "weighted": int(sight.weighted),
        "wrapped": int(sight.wrapped),
        "each": sight.each,
        "sharing": sight.sharing,
        "width": width,
        "size": height * width,
        **_window(0, sight),
        **_window(1, sight),
        **_lattice("out", places_of(sight.stage.out)),
        **_lattice("source", sight.lattice),
        **_lattice("outputs", weights.outputs),
        **_lattice("inputs", weights.inputs),
        **{f"weight {axis} start": n for axis, n in zip(_AXES, weights.start, strict=True)},
        **{f"weight {axis} step": n for axis, n in zip(_AXES, weights.step, strict=True)},
        **{
            key: value
            for n, (name, lattice, planar) in enumerate(own)
            for key, value in {f"own {n}": name, **_lattice(f"own {n}", lattice), f"own {n} planar": int(planar)}.items()
        },
    }


# -- where it says it --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Guide:
    """What stands on the sheet for a layout, and where."""

    layout: Layout

    @cached_property
    def sights(self) -> tuple[Sight, ...]:
        return tuple(sights(self.layout))

    @cached_property
    def owned(self) -> int:
        """The most tensors of which one value has a number of its own."""
        return max(len(sight.own) for sight in self.sights)

    @cached_property
    def panels(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of the largest tile in each panel."""
        largest = [(0, 0)] * max(sight.panels for sight in self.sights)
        for sight in self.sights:
            for n in range(sight.panels):
                (a, b), (c, d) = largest[n], sight.panel_shape(n)
                largest[n] = max(a, c), max(b, d)
        return tuple(largest)

    @cached_property
    def facts(self) -> tuple[dict[str, float | str], ...]:
        """The numbers and texts of each stage, by name."""
        return tuple(_facts(number, sight, self.owned) for number, sight in enumerate(self.sights, 1))

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate((*self.facts[0], *_FOUND), _TOP)}

    def block(self, name: str) -> Block:
        """The cell with a number of the chosen stage, or of the chosen cell."""
        return Block(PLACES, self._rows[name], 2, 1, 1)

    def at(self, name: str) -> str:
        """Its address."""
        return self.block(name).reference

    def of_stages(self, name: str) -> Block:
        """The cells with a number of every stage."""
        return Block(PLACES, self._rows[name], 3, 1, len(self.sights))

    def taps(self, axis: int) -> Block:
        """Cells with the input rows (or columns), from 1, that the window has, in the window's order."""
        size = max((sight.rows, sight.columns)[axis].size for sight in self.sights)
        return Block(PLACES, _TOP + len(self._rows) + 2, 2 + axis, size, 1)

    def panel(self, panel: int, name: str) -> Block:
        """The cell with a number of a panel."""
        top = max(self.taps(0).last_row, self.taps(1).last_row) + 3
        return Block(PLACES, top + panel, 2 + _PANEL.index(name), 1, 1)

    @cached_property
    def network(self) -> Block:
        """All of `Network` that holds values."""
        stages = self.layout.stages
        last = max(b.last_row + stage.border.bottom for stage in stages for p in stage.own.values() for b in p.blocks)
        return Block(self.layout.input.blocks[0].sheet, 1, 1, last, self.layout.last_column)

    def look_up(self, row: str, column: str) -> str:
        """Formula of what stands on `Network` in a row and a column, which are formulas too."""
        return f"INDEX({self.network.reference},{row},{column})"

    def place(self, lattice: str, index: str) -> tuple[str, str]:
        """Formulas of row and column of a block by its number in a lattice."""
        top, left, high, down, right = (
            self.at(f"{lattice} {what}") for what in ("top", "left", "high", "down", "right")
        )
        return f"{top}+MOD({index},{high})*{down}", f"{left}+INT({index}/{high})*{right}"

    def own(self, number: int) -> str:
        """Formula of what the chosen value has of a tensor, by the tensor's number."""
        row, column = self.place(f"own {number}", self.at("output"))
        planar = self.at(f"own {number} planar")
        return self.look_up(f"{row}+({self.at('row')}-1)*{planar}", f"{column}+({self.at('column')}-1)*{planar}")


# -- the cell that is looked at ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """A cell of a stage: map, row and column from 1, all 1 where `ok` says that there is no such cell."""

    sight: Sight
    number: int
    ok: bool
    map: int
    row: int
    column: int

    @classmethod
    def of(cls, guide: Guide, chosen: Mapping[str, float | str]) -> "Choice":
        """What the settings choose; in a vector only the row counts."""
        number = next(n for n, s in enumerate(guide.sights) if s.stage.name == chosen[LAYER])
        sight = guide.sights[number]
        map_, row, column = (int(chosen[name]) for name in (MAP, ROW, COLUMN))
        if sight.vector:
            map_ = column = 1
        maps, rows, columns = sight.shape
        ok = map_ <= maps and row <= rows and column <= columns
        return cls(sight, number, ok, *((map_, row, column) if ok else (1, 1, 1)))

    @property
    def output(self) -> int:
        """Number of the output map, or of the value in a vector, from 0."""
        return (self.row if self.sight.vector else self.map) - 1

    @property
    def at(self) -> tuple[int, ...]:
        """Index of the value in the stage's output."""
        return (self.output,) if self.sight.vector else (self.map - 1, self.row - 1, self.column - 1)

    @property
    def first(self) -> tuple[int, int, int]:
        """First input map, and position of the window."""
        return self.sight.first(self.output, self.row - 1, self.column - 1)

    def taps(self, axis: int) -> dict[int, int]:
        """Index of the input row (or column) by its number in the window."""
        return self.sight.taps(axis, self.first[1 + axis])

    def panels(self) -> range:
        """Numbers of the panels that show something."""
        return range(self.sight.panels if self.ok else 0)


def _found(guide: Guide, choice: Choice) -> Numbers:
    """The numbers of the chosen cell; where there is none, those of the stage's first one."""
    at, (channel, y, x) = guide.at, choice.first
    known = f"SUMPRODUCT(({guide.of_stages('name').absolute}={LAYER})*{guide.of_stages('number').absolute})"
    inside = {
        name: f"{name}>=1,{name}<={at(most)},{name}=INT({name})"
        for name, most in ((MAP, "maps"), (ROW, "rows"), (COLUMN, "columns"))
    }
    there = f"AND({known}>0,{inside[ROW]},OR({at('vector')}=1,AND({inside[MAP]},{inside[COLUMN]})))"
    in_map = f"AND({at('ok')}=1,{at('vector')}=0)"
    row, column = f"{at('row')}-1", f"{at('column')}-1"
    place = f"({at('output')}*{at('rows')}+{row})*{at('columns')}+{column}"
    windows = f"INT({at('output')}/{at('sharing')})*{at('each')}"
    return {
        "stage": (choice.number, f"MAX(1,{known})"),
        "ok": (int(choice.ok), f"IF(COUNT({MAP},{ROW},{COLUMN})<3,0,IF({there},1,0))"),
        "map": (choice.map, f"IF({in_map},{MAP},1)"),
        "row": (choice.row, f"IF({at('ok')}=1,{ROW},1)"),
        "column": (choice.column, f"IF({in_map},{COLUMN},1)"),
        "output": (choice.output, f"IF({at('vector')}=1,{at('row')},{at('map')})-1"),
        "place": (choice.place, f"IF({at('vector')}=1,{at('output')},{place})"),
        "first map": (channel, f"IF({at('elementwise')}=1,INT({at('place')}/{at('size')}),{windows})"),
        "first row": (
            y,
            f"IF({at('elementwise')}=1,INT(MOD({at('place')},{at('size')})/{at('width')}),{row})",
        ),
        "first column": (x, f"IF({at('elementwise')}=1,MOD({at('place')},{at('width')}),{column})"),
    }


def _framed(guide: Guide, choice: Choice) -> Numbers:
    """What is framed on `Network`: the cell, and the window in each map that it sees."""
    at, sight, wrapped = guide.at, choice.sight, choice.sight.wrapped
    top, left = places_of(sight.stage.out).place(choice.output)
    down, right = (0, 0) if sight.vector else (choice.row - 1, choice.column - 1)
    out_row, out_column = guide.place("out", at("output"))
    rows, columns = (guide.taps(axis).absolute for axis in (0, 1))
    ys, xs = ([*choice.taps(axis).values()] or [-1] for axis in (0, 1))
    last = choice.first[0] + sight.each - 1 if choice.ok and min(*ys, *xs) > -1000 and choice.sees else -1
    return {
        "cell row": ((top + down) * choice.ok, f"{at('ok')}*({out_row}+({at('row')}-1)*(1-{at('vector')}))"),
        "cell column": ((left + right) * choice.ok, f"{at('ok')}*({out_column}+({at('column')}-1)*(1-{at('vector')}))"),
        "top": (
            sight.lattice.row + min(ys) + min(xs) * wrapped,
            f"{at('source top')}+MIN({rows})-1+(MIN({columns})-1)*{at('wrapped')}",
        ),
        "left": (
            sight.lattice.column + min(xs) * (not wrapped),
            f"{at('source left')}+(MIN({columns})-1)*(1-{at('wrapped')})",
        ),
        "height": (
            max(ys) - min(ys) + (max(xs) - min(xs)) * wrapped,
            f"MAX({rows})-MIN({rows})+(MAX({columns})-MIN({columns}))*{at('wrapped')}",
        ),
        "last": (last, ""),
    }
