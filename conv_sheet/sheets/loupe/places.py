"""The hidden sheet `Places`: the numbers of every stage's `Sight`, and those of the cell that the loupe looks at."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from conv_sheet.cells import style
from conv_sheet.cells.grid import Block, Lattice, Placed, around
from conv_sheet.cells.page import Page, Setting, Value
from conv_sheet.layers import Array
from conv_sheet.network.layout import Layout
from conv_sheet.sheets.held import Held
from conv_sheet.sheets.loupe.sight import TILE, Sight, Weights, places_of, sights

PLACES = "Places"
LAYER, MAP, ROW, COLUMN = "loupe_layer", "loupe_map", "loupe_row", "loupe_column"
CELL, SEEN = "loupe_cell", "loupe_seen"
NONE = "·"
"""Stands where there is nothing to show: a text, which sums and the like pass over."""

_TOP = 4
_AXES = ("row", "column")
_LATTICE = ("top", "left", "high", "down", "right")
_CELL = ("cell row", "cell column")
_SEEN = (
    *("row apart", "column apart", "source top", "source left", "source high", "source down", "source right"),
    *("seen top", "seen left", "seen height", "seen width", "first map", "last map"),
)
_FOUND = (
    *("seen top", "seen left", "seen height", "seen width", "first map", "last map", *_CELL),
    *("stage", "ok", "map", "row", "column", "output", "place", "first row", "first column"),
)
_PANEL = ("channel", "from row", "from column", "rows", "columns", "top", "left", "weight top", "weight left")
Numbers = dict[str, tuple[Value, str]]
"""Values, and the formulas that make them, by name."""


# -- what every stage says ---------------------------------------------------------------------------------------------


def _lattice(name: str, lattice: Lattice) -> dict[str, float | str]:
    """The numbers of a lattice."""
    numbers = lattice.row, lattice.column, lattice.high, lattice.down, lattice.right
    return {f"{name} {what}": n for what, n in zip(_LATTICE, numbers, strict=True)}


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
    }


def _own(number: int, tensor: tuple[str, Placed] | None) -> dict[str, float | str]:
    name = f"own {number}"
    if tensor is None:
        return {name: NONE, **_lattice(name, Lattice(1, 1)), f"{name} planar": 0}
    short, placed = tensor
    return {name: short, **_lattice(name, places_of(placed)), f"{name} planar": int(len(placed.shape) == 3)}


def _room(sight: Sight) -> str:
    """Which cells a stage has."""
    name, (maps, rows, columns) = sight.stage.name, sight.shape
    if sight.vector:
        return f"{name} is a column of {rows} values: row 1 to {rows}."
    room = f"of {rows}×{columns} values: map 1 to {maps}, row 1 to {rows}, column 1 to {columns}."
    return f"{name} has {maps} map{'' if maps == 1 else 's'} {room}"


def _facts(number: int, sight: Sight, owned: int) -> dict[str, float | str]:
    """What the sheet says of a stage, by name."""
    stage, (maps, rows, columns) = sight.stage, sight.shape
    _, height, width = sight.source
    weights = sight.weights or Weights(Lattice(1, 1), Lattice(1, 1))
    own = list(sight.own.items())
    return {
        "number": number,
        "name": stage.name,
        "reads": sight.reads.name,
        "torch": ", ".join(node.torch for node in stage.nodes),
        "words": stage.layer.words(stage.in_shape),
        "then": stage.activation.words_of("that") if stage.activation else "the result",
        "room": _room(sight),
        "maps": maps,
        "rows": rows,
        "columns": columns,
        "vector": int(sight.vector),
        "elementwise": int(sight.elementwise),
        "weighted": int(sight.weighted),
        "wrapped": int(sight.wrapped),
        "zone": _zone(sight),
        "each": sight.each,
        "sharing": sight.sharing,
        "width": width,
        "size": height * width,
        **_window(0, sight),
        **_window(1, sight),
        **_lattice("out", places_of(sight.stage.out)),
        **_lattice("outputs", weights.outputs),
        **_lattice("inputs", weights.inputs),
        **{f"weight {axis} start": n for axis, n in zip(_AXES, weights.start, strict=True)},
        **{f"weight {axis} step": n for axis, n in zip(_AXES, weights.step, strict=True)},
        **{key: value for n in range(owned) for key, value in _own(n, own[n] if n < len(own) else None).items()},
        **{f"{axis} apart": n for axis, n in zip(_AXES, sight.apart, strict=True)},
        **_lattice("source", sight.lattice),
    }


# -- where it says it --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Panel:
    """Room for one tile of one map: its zone, that for small windows or the one for others, and its number there."""

    index: int
    """Its number in both zones."""
    zone: int
    number: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width


def _zone(sight: Sight) -> int:
    return 0 if sight.small else 1


def _way(sight: Sight) -> tuple[int, str]:
    """The formula of a stage's values over cells that are the same for all stages."""
    windows = [Block(PLACES, 1, 1 + n, 1, 1) for n in range(sight.panels)]
    own = [Block(PLACES, 3, 1 + n, 1, 1) for n in range(len(sight.own))]
    return _zone(sight), sight.formula(windows, Block(PLACES, 2, 1, 1, 1), own)


def _fold(sight: Sight) -> str:
    return sight.stage.activation.fold("A1") if sight.stage.activation else "A1"


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
    def panels(self) -> tuple[Panel, ...]:
        """The panels of both zones."""
        shapes: dict[tuple[int, int], tuple[int, int]] = {}
        for sight in self.sights:
            for number in range(sight.panels):
                key = _zone(sight), number
                (height, width), (more, wider) = shapes.get(key, (0, 0)), sight.panel_shape(number)
                shapes[key] = max(height, more), max(width, wider)
        return tuple(Panel(i, *key, *shape) for i, (key, shape) in enumerate(sorted(shapes.items())))

    @cached_property
    def formulas(self) -> dict[tuple[int, str], Sight]:
        """A stage for each formula by which values are made of what stands in panels of one zone."""
        return {_way(sight): sight for sight in reversed(self.sights)}

    @cached_property
    def activations(self) -> dict[str, Sight]:
        """A stage for each activation, and for none."""
        return {_fold(sight): sight for sight in reversed(self.sights)}

    @cached_property
    def facts(self) -> tuple[dict[str, float | str], ...]:
        """The numbers and texts of each stage, by name."""
        ways, folds = list(self.formulas), list(self.activations)
        return tuple(
            {"formula": ways.index(_way(sight)) + 1, "activation": folds.index(_fold(sight)) + 1}
            | _facts(number, sight, self.owned)
            for number, sight in enumerate(self.sights, 1)
        )

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
        """Cells with the input rows (or columns), from 1, that the window has, in the window's order.

        Two at least, because Gnumeric makes #REF! of an INDEX into a single cell.
        """
        size = max(2, *((sight.rows, sight.columns)[axis].size for sight in self.sights))
        return Block(PLACES, _TOP + len(self._rows) + 2, 2 + axis, size, 1)

    def panel(self, panel: Panel, name: str) -> Block:
        """The cell with a number of a panel."""
        top = max(self.taps(0).last_row, self.taps(1).last_row) + 3
        return Block(PLACES, top + panel.index, 2 + _PANEL.index(name), 1, 1)

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
        top, left, high, down, right = (self.at(f"{lattice} {what}") for what in _LATTICE)
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
    """Of the stage, from 1."""
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
        return cls(sight, number + 1, ok, *((map_, row, column) if ok else (1, 1, 1)))

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

    @property
    def place(self) -> int:
        """Number of the value in the output, row by row and map by map, from 0."""
        return self.sight.place(self.output, self.row - 1, self.column - 1)

    @property
    def cell(self) -> tuple[int, int]:
        """Row and column on `Network`; 0 where there is no such cell."""
        top, left = places_of(self.sight.stage.out).place(self.output)
        down, right = (0, 0) if self.sight.vector else (self.row - 1, self.column - 1)
        return (top + down, left + right) if self.ok else (0, 0)

    def fills(self, panel: Panel) -> bool:
        """Whether a panel shows something."""
        return self.ok and panel.zone == _zone(self.sight) and panel.number < self.sight.panels


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
    alone, rest = f"{at('elementwise')}=1", f"MOD({at('place')},{at('size')})"
    windows = f"INT({at('output')}/{at('sharing')})*{at('each')}"
    return {
        "stage": (choice.number, f"MAX(1,{known})"),
        "ok": (int(choice.ok), f"IF(COUNT({MAP},{ROW},{COLUMN})<3,0,IF({there},1,0))"),
        "map": (choice.map, f"IF({in_map},{MAP},1)"),
        "row": (choice.row, f"IF({at('ok')}=1,{ROW},1)"),
        "column": (choice.column, f"IF({in_map},{COLUMN},1)"),
        "output": (choice.output, f"IF({at('vector')}=1,{at('row')},{at('map')})-1"),
        "place": (choice.place, f"IF({at('vector')}=1,{at('output')},{place})"),
        "first map": (channel, f"IF({alone},INT({at('place')}/{at('size')}),{windows})"),
        "first row": (y, f"IF({alone},INT({rest}/{at('width')}),{row})"),
        "first column": (x, f"IF({alone},MOD({at('place')},{at('width')}),{column})"),
    }


def _framed(guide: Guide, choice: Choice) -> Numbers:
    """What is framed on `Network`: the cell, and the window in each map that it sees."""
    at, sight = guide.at, choice.sight
    rows, columns = (guide.taps(axis).absolute for axis in (0, 1))
    first_row, first_column = f"(MIN({rows})-1)", f"(MIN({columns})-1)"
    height, width = f"(MAX({rows})-MIN({rows}))", f"(MAX({columns})-MIN({columns}))"
    ys, xs = (list(choice.taps(axis).values()) for axis in (0, 1))
    y, x = min(ys, default=-1), min(xs, default=-1)
    high, wide = max(ys, default=-1) - y, max(xs, default=-1) - x
    wrapped, beside = (at("wrapped"), f"(1-{at('wrapped')})")
    cell = [
        f"{at('ok')}*({place}+({at(axis)}-1)*(1-{at('vector')}))"
        for place, axis in zip(guide.place("out", at("output")), _AXES, strict=True)
    ]
    seen = f"AND({at('ok')}=1,COUNT({rows})>0,COUNT({columns})>0)"
    top, left = sight.lattice.row, sight.lattice.column
    return {
        "cell row": (choice.cell[0], cell[0]),
        "cell column": (choice.cell[1], cell[1]),
        "seen top": (top + y + sight.wrapped * x, f"{at('source top')}+{first_row}+{wrapped}*{first_column}"),
        "seen left": (left + (not sight.wrapped) * x, f"{at('source left')}+{beside}*{first_column}"),
        "seen height": (high + sight.wrapped * wide, f"{height}+{wrapped}*{width}"),
        "seen width": ((not sight.wrapped) * wide, f"{beside}*{width}"),
        "last map": (
            choice.first[0] + sight.each - 1 if choice.ok and ys and xs else -1,
            f"IF({seen},{at('first map')}+{at('each')}-1,-1)",
        ),
    }


def _tap(guide: Guide, axis: int, number: int) -> str:
    """Formula of the input row (or column), from 1, that the window has in a place; a text where it has none."""
    name = _AXES[axis]
    size, dilation, stride, before, spread, low, high = (
        guide.at(f"{name} {what}") for what in ("size", "dilation", "stride", "before", "spread", "low", "high")
    )
    place = f"({guide.at(f'first {name}')}*{stride}-{before}+{number}*{dilation})"
    return (
        f'IF(AND({number}<{size},MOD({place},{spread})=0,{place}>={low},{place}<={high}),{place}/{spread}+1,"{NONE}")'
    )


def _panel(guide: Guide, choice: Choice, panel: Panel) -> Numbers:
    """What a panel shows: a tile of one of the maps that the value sees, and of the weights for it."""
    at, sight = guide.at, choice.sight
    mine = {name: guide.panel(panel, name).cell() for name in _PANEL}
    n = panel.number
    channel, from_row, from_column = sight.panel(n)
    down, across = at("row tiles"), at("column tiles")
    used = f"AND({at('ok')}=1,{at('zone')}={panel.zone},{n}<{at('each')}*{down}*{across})"
    shape = sight.panel_shape(n) if choice.fills(panel) else (0, 0)
    source_row, source_column = guide.place("source", f"({at('first map')}+{mine['channel']})")
    output_row, output_column = guide.place("outputs", at("output"))
    input_row, input_column = (
        f"MOD({mine['channel']},{at('inputs high')})*{at('inputs down')}",
        f"INT({mine['channel']}/{at('inputs high')})*{at('inputs right')}",
    )
    top, left = sight.lattice.place(choice.first[0] + channel)
    weights = sight.weights or Weights(Lattice(1, 1), Lattice(1, 1))
    weight = weights.place(choice.output, channel, (from_row, from_column))
    return {
        "channel": (channel, f"INT({n}/({down}*{across}))"),
        "from row": (from_row, f"MOD(INT({n}/{across}),{down})*{TILE}"),
        "from column": (from_column, f"MOD({n},{across})*{TILE}"),
        "rows": (shape[0], f"IF({used},MIN({TILE},{at('row size')}-{mine['from row']}),0)"),
        "columns": (shape[1], f"IF({used},MIN({TILE},{at('column size')}-{mine['from column']}),0)"),
        "top": (top - 1, f"{source_row}-1"),
        "left": (left - 1, f"{source_column}-1"),
        "weight top": (
            weight[0],
            f"{output_row}+{input_row}+{at('weight row start')}+{mine['from row']}*{at('weight row step')}",
        ),
        "weight left": (
            weight[1],
            f"{output_column}+{input_column}+{at('weight column start')}"
            f"+{mine['from column']}*{at('weight column step')}",
        ),
    }


# -- the sheet ---------------------------------------------------------------------------------------------------------


def settings(layout: Layout) -> tuple[Setting, ...]:
    """None: what is looked at is chosen on `Loupe`."""
    return ()


def engine(held: Held) -> list[tuple[Placed, Array]]:
    """None: everything here is typed by the builder or a formula."""
    return []


def page(held: Held) -> Page:
    """The sheet: a row a number, the chosen stage's before those of all; then the chosen cell's; then the panels'."""
    guide = Guide(held.layout)
    choice = Choice.of(guide, held.chosen)
    sheet = Page(PLACES, hidden=True, widths={1: 22.0, 2: 14.0})
    sheet.put(1, 1, PLACES, style.HEADING)
    sheet.put(2, 1, "Numbers for the sheet Loupe: where every layer's values and weights stand on Network.", style.LINE)
    for name in guide.facts[0]:
        row, values = guide.of_stages(name), [facts[name] for facts in guide.facts]
        for column, value in enumerate(values, row.column):
            sheet.put(row.row, column, value, style.LINE)
        mine = values[choice.number - 1]
        cells = row.part(0, 0, 1, row.width + 1)  # never a single one, as in `taps`
        _number(sheet, guide.block(name), name, mine, f"INDEX({cells.absolute},1,{guide.at('stage')})")
    for name, (found, formula) in (_found(guide, choice) | _framed(guide, choice)).items():
        _number(sheet, guide.block(name), name, found, formula)
    for axis in (0, 1):
        block, taps = guide.taps(axis), choice.taps(axis)
        sheet.put(block.row - 1, block.column, f"{_AXES[axis]}s", style.HEAD)
        for n in range(block.height):
            index = taps[n] + 1 if n in taps else NONE
            sheet.put(*block.position(n, 0), index, style.LINE, _tap(guide, axis, n))
    for name in _PANEL:
        block = guide.panel(guide.panels[0], name)
        sheet.put(block.row - 1, block.column, name, style.HEAD)
    for panel in guide.panels:
        for name, (found, formula) in _panel(guide, choice, panel).items():
            block = guide.panel(panel, name)
            sheet.put(block.row, block.column, found, style.LINE, formula)
    sheet.names = {CELL: _run(guide, _CELL), SEEN: _run(guide, _SEEN)}
    return sheet


def _number(sheet: Page, block: Block, name: str, value: Value, formula: str) -> None:
    sheet.put(block.row, 1, name, style.LINE)
    sheet.put(block.row, block.column, value, style.LINE, formula)


def _run(guide: Guide, names: tuple[str, ...]) -> Block:
    """The cells of numbers that stand below each other."""
    return around(tuple(guide.block(name) for name in names))


def seen() -> str:
    """A formula for conditional formats on `Network`: whether the cell belongs to what the chosen one sees."""
    n = {name: f"INDEX({SEEN},{number})" for number, name in enumerate(_SEEN, 1)}
    y, x = f"(ROW()-{n['seen top']})", f"(COLUMN()-{n['seen left']})"
    high, down, right = (n[f"source {what}"] for what in ("high", "down", "right"))
    channel = f"INT({y}/{down})+INT({x}/{right})*{high}"
    rules = (
        f"{y}>=0,INT({y}/{down})<{high},MOD({y},{down})<={n['seen height']},MOD(MOD({y},{down}),{n['row apart']})=0",
        f"{x}>=0,MOD({x},{right})<={n['seen width']},MOD(MOD({x},{right}),{n['column apart']})=0",
        f"{channel}>={n['first map']},{channel}<={n['last map']}",
    )
    return f"AND({','.join(rules)})"


def looked_at() -> str:
    """The same for the chosen cell itself."""
    return f"AND(ROW()=INDEX({CELL},1),COLUMN()=INDEX({CELL},2))"
