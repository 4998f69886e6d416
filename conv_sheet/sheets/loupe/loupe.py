"""The sheet `Loupe`: one cell of the network, chosen by layer, map, row and column, with everything that makes it."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells import style
from conv_sheet.cells import widgets as parts
from conv_sheet.cells.formula import MAX_BLOCKS
from conv_sheet.cells.grid import Block, Placed, around, column_letters
from conv_sheet.cells.page import Mark, Page, Setting, Value, Verdict
from conv_sheet.cells.style import Style
from conv_sheet.layers import Array
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import BAND_ROW, NETWORK, Layout, plan
from conv_sheet.sheets.held import Held
from conv_sheet.sheets.loupe import places
from conv_sheet.sheets.loupe.places import COLUMN, LAYER, MAP, NONE, ROW, Choice, Guide, Panel
from conv_sheet.sheets.loupe.sight import Sight, sights
from conv_sheet.sheets.numpy import AGREE

NAME = "loupe"
LOUPE = "Loupe"

_LABEL, _CHOICE, _ROOM, _STEP, _VALUE, _AFTER, _LAST = 2, 5, 9, 16, 31, 34, 42
"""First columns: settings' labels, settings, what they may be; steps, their values, what is behind them; the last."""
_TOP = 5
_ZOOM = 80
_SCREENS = ("what it sees", "× weights", "= products")
_TILE = (("rows", "from row"), ("columns", "from column"))
_SUM = "sum of all products"
_ASIDE = "does not count"
_SAME, _OTHER = "the same as on the sheet Network", "not what the sheet Network says"
_NO_CELL = "There is no such cell."
_NO_LAYER = "There is no such layer."
_SUMS = "sum"
_ELSEWHERE = "further right →"
_BOUND = replace(style.SCALE, format='"±"0.00;;')
_HINT = replace(style.NOTE, indent=1)
_WORDS = replace(style.LINE, shrink=True)
_TORCH = replace(style.STAGE_SHAPE, mono=True, shrink=True)
_INDEX = replace(style.LABEL, horizontal="center")
_NUMBER = replace(style.DECIMAL, horizontal="center")
_ANSWER = replace(_NUMBER, bold=True, fill=style.PALE)
_VERDICT = replace(style.STATUS, vertical="center")
_Cells = NDArray[Any]
"""Numbers, and texts where there are none."""


# -- where it stands ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Frame:
    """Where everything stands: settings and steps, and below them the panels, three screens beside each other each."""

    guide: Guide

    @cached_property
    def zones(self) -> dict[int, list[Panel]]:
        """Panels for small windows on the left, for others on the right of them."""
        return {zone: list(panels) for zone, panels in groupby(self.guide.panels, key=lambda panel: panel.zone)}

    def _width(self, zone: int) -> int:
        """Columns of a screen, its heading's at least."""
        return max(5, *(panel.width for panel in self.zones[zone]))

    def left(self, zone: int) -> int:
        """The column of a zone's row numbers."""
        return 2 if zone == min(self.zones) else self.left(0) + 3 * (self._width(0) + 2) + 6

    @property
    def heads(self) -> int:
        """Row of the screens' headings."""
        return self.there.row + 4

    def screen(self, number: int, panel: Panel) -> Block:
        """The window (0), its weights (1) or the products (2)."""
        above = sum(other.height + 3 for other in self.zones[panel.zone][: panel.number])
        column = self.left(panel.zone) + 1 + number * (self._width(panel.zone) + 2)
        return Block(LOUPE, self.heads + 4 + above, column, *panel.shape)

    def screens(self, number: int, zone: int) -> list[Block]:
        return [self.screen(number, panel) for panel in self.zones[zone]]

    def sum(self, panel: Panel) -> Block:
        """The sum of a panel's products."""
        row, column = self.screen(2, panel).row, self.screen(3, panel).column
        return Block(LOUPE, row + (panel.height - 1) // 2, column, 1, 1)

    @property
    def last(self) -> tuple[int, int]:
        """The last row and the last column."""
        ends = [self.sum(panel).column + 2 for panel in self.guide.panels]
        return max(self.screen(0, panel).last_row for panel in self.guide.panels), max(_LAST, *ends)

    def step(self, number: int) -> Block:
        """The value of a step on the way from the products to the result."""
        return Block(LOUPE, _TOP + number, _VALUE, 1, 1)

    def own(self, number: int) -> Block:
        """What the cell has of a tensor, as its bias."""
        return self.step(1 + number)

    @property
    def value(self) -> Block:
        """What the layer makes, before the activation."""
        return self.step(1 + self.guide.owned)

    @property
    def result(self) -> Block:
        return self.step(2 + self.guide.owned)

    @property
    def there(self) -> Block:
        """What stands on `Network`."""
        return self.step(3 + self.guide.owned)


# -- what it shows -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _View:
    """The values for a chosen cell, from the engine's arrays."""

    held: Held
    guide: Guide
    choice: Choice

    @property
    def sight(self) -> Sight:
        return self.choice.sight

    @property
    def facts(self) -> dict[str, float | str]:
        """What `Places` says of the chosen stage."""
        return self.guide.facts[self.choice.number - 1]

    @cached_property
    def _own(self) -> dict[str, Array]:
        """All tensors of the stage by short name."""
        stage, held = self.sight.stage, self.held
        return stage.nodes[0].own(held.tensors) | held.layout.values(stage, held.activations, held.tensors)

    @cached_property
    def _read(self) -> _Cells:
        """What the stage reads, (maps, rows, columns), with the border."""
        sight, held = self.sight, self.held
        if sight.reads_own:
            return self._own[sight.reads_own].reshape(sight.source).astype(object)
        (source,) = sight.stage.inputs
        border = sight.stage.layer.border()
        width = ((0, 0), (border.top, border.bottom), (border.left, border.right))
        return np.pad(held.activations[source][0].reshape(sight.source).astype(object), width, constant_values=0.0)

    def _seen(self, panel: Panel) -> list[tuple[tuple[int, int], tuple[int, int], tuple[int, int]]]:
        """For each value in a panel its place there, its place in the window, and its row and column in the input."""
        if not self.choice.fills(panel):
            return []
        _, *start = self.sight.panel(panel.number)
        taps = [self.choice.taps(axis) for axis in (0, 1)]
        places = (((y, x), (start[0] + y, start[1] + x)) for y, x in np.ndindex(*self.sight.panel_shape(panel.number)))
        return [
            (at, number, (taps[0][number[0]], taps[1][number[1]]))
            for at, number in places
            if number[0] in taps[0] and number[1] in taps[1]
        ]

    def window(self, panel: Panel) -> _Cells:
        """What a panel shows of the input."""
        cells = _empty(panel.shape)
        channel = self.choice.first[0] + self.sight.panel(panel.number)[0]
        low = self.sight.low
        for at, _, (row, column) in self._seen(panel):
            index = (row + column, 0) if self.sight.wrapped else (row - low[0], column - low[1])
            cells[at] = self._read[(channel, *index)]
        return cells

    def weights(self, panel: Panel) -> _Cells:
        """The weights that stand beside it."""
        cells = _empty(panel.shape)
        if self.sight.weighted:
            channel, *_ = self.sight.panel(panel.number)
            for at, number, _ in self._seen(panel):
                cells[at] = self._weights[(channel, *number)]
        return cells

    @cached_property
    def _weights(self) -> Array:
        """The weights of the chosen cell, (input maps, rows, columns), as its windows meet them."""
        stage, output = self.sight.stage, self.choice.output
        weight = self._own["weight"]
        kernels = stage.layer.kernels(stage.in_shape)
        if not kernels:
            shape = self.sight.each, self.sight.rows.size, self.sight.columns.size
            return np.reshape(weight[output], shape)
        planes: Array = weight.reshape(-1, *weight.shape[2:])[kernels[output]]
        return planes[:, ::-1, ::-1] if stage.layer.turned else planes

    def products(self, panel: Panel) -> _Cells:
        """Window times weights."""
        cells = _empty(panel.shape)
        window, weights = self.window(panel), self.weights(panel)
        if self.sight.weighted:
            for at, _, _ in self._seen(panel):
                cells[at] = window[at] * weights[at]
        return cells

    def own(self, number: int) -> float | str:
        """What the cell has of a tensor."""
        if not self.choice.ok or number >= len(self.sight.own):
            return NONE
        value = self._own[list(self.sight.own)[number]]
        return float(value[self.choice.at] if value.ndim == 3 else value.reshape(-1)[self.choice.output % value.size])

    @property
    def total(self) -> float | str:
        """The sum of all products."""
        if not (self.choice.ok and self.sight.weighted):
            return NONE
        return sum(_sum(self.products(panel)) for panel in self.guide.panels)

    @property
    def value(self) -> float | str:
        return self._of(self.sight.stage.nodes[0].name)

    @property
    def result(self) -> float | str:
        return self._of(self.sight.stage.nodes[-1].name)

    def _of(self, name: str) -> float | str:
        return float(self.held.activations[name][0][self.choice.at]) if self.choice.ok else NONE


def _empty(shape: tuple[int, int]) -> _Cells:
    return np.full(shape, NONE, dtype=object)


def _sum(cells: _Cells) -> float:
    return float(sum(value for value in cells.flat if not isinstance(value, str)))


# -- the sheet ---------------------------------------------------------------------------------------------------------


def suits(network: Network) -> bool:
    """Whether there is a layer whose values can be taken apart."""
    return any(True for _ in sights(plan(network)))


def settings(layout: Layout) -> tuple[Setting, ...]:
    """Layer, map, row and column; at first above the middle and right of it, in the first map that has kernels.

    In the middle itself many a picture is empty.
    """
    guide = Guide(layout)
    first = next((sight for sight in guide.sights if sight.weighted), guide.sights[0])
    start = (1, -(-first.shape[1] // 3), -(-first.shape[2] * 2 // 3))
    most = tuple(max(sight.shape[axis] for sight in guide.sights) for axis in range(3))
    numbers = zip((MAP, ROW, COLUMN), start, most, strict=True)
    layers = tuple(sight.stage.name for sight in guide.sights)
    hint = "One of the network's layers, as the sheet Network names them."
    return (
        Setting(LAYER, _setting(0), first.stage.name, hint, choices=layers, listed=guide.of_stages("name")),
        *(
            Setting(name, _setting(n), value, f"A whole number from 1 to {high}.", 1, high)
            for n, (name, value, high) in enumerate(numbers, 1)
        ),
    )


def _setting(number: int) -> Block:
    return Block(LOUPE, _TOP + number, _CHOICE, 1, 1)


def engine(held: Held) -> list[tuple[Placed, Array]]:
    """None: everything here is chosen or a formula."""
    return []


def page(held: Held) -> Page:
    """The sheet; it also frames the cell and what it sees on `Network`."""
    guide = Guide(held.layout)
    view, frame = _View(held, guide, Choice.of(guide, held.chosen)), Frame(guide)
    sheet = parts.frame(LOUPE, frame.last[1], _ZOOM)
    lines = (
        "Choose a layer and one of its cells. Below stands everything that makes it: what it sees, times its weights.",
        "Grey numbers are rows and columns of the input; below 1 is its border. On Network the same cells are framed.",
    )
    parts.head(sheet, LOUPE, lines, _LAST)
    _ask(sheet, view)
    _steps(sheet, view, frame)
    _compare(sheet, view, frame)
    for zone in frame.zones:
        _headings(sheet, view, frame, zone)
    for panel in guide.panels:
        _panel(sheet, view, frame, panel)
    _marks(sheet, frame)
    return sheet


def _ask(sheet: Page, view: _View) -> None:
    """The settings, each with what it may be; and the layer as PyTorch writes it."""
    guide, facts = view.guide, view.facts
    for setting, most in zip(settings(view.held.layout), ("", "maps", "rows", "columns"), strict=True):
        row = setting.block.row
        parts.ask(sheet, setting, view.held.chosen[setting.name], setting.name.split("_")[1], _CHOICE - _LABEL)
        for column in range(_CHOICE + 1, _ROOM):
            sheet.put(row, column, None, style.ASKED)
        sheet.merges.append(Block(LOUPE, row, _CHOICE, 1, _ROOM - _CHOICE))
        if most:
            text, formula = f"1 to {facts[most]}", f'"1 to "&{guide.at(most)}'
            if most != "rows":
                text = _ASIDE if facts["vector"] else text
                formula = f'IF({guide.at("vector")}=1,"{_ASIDE}",{formula})'
            sheet.span(row, _ROOM, _STEP - 2, text, _HINT, formula)
    torch = _setting(4).row
    sheet.span(torch, _LABEL, _STEP - 2, facts["torch"], _TORCH, guide.at("torch"))


def _steps(sheet: Page, view: _View, frame: Frame) -> None:
    """The way from the products to the result, a line a step."""
    guide, facts = view.guide, view.facts
    ok = f"{guide.at('ok')}=1"
    sums = ",".join(around(tuple(map(frame.sum, panels))).relative for panels in frame.zones.values())
    text = f'IF({guide.at("weighted")}=1,"{_SUM}","{NONE}")'
    _step(sheet, frame.step(0), _SUM if view.sight.weighted else NONE, text)
    _result(sheet, frame.step(0), view.total, f'IF(AND({ok},{guide.at("weighted")}=1),SUM({sums}),"{NONE}")')
    for n in range(guide.owned):
        own = guide.at(f"own {n}")
        _step(sheet, frame.own(n), facts[f"own {n}"], own)
        _result(sheet, frame.own(n), view.own(n), f'IF(AND({ok},{own}<>"{NONE}"),{guide.own(n)},"{NONE}")')
    _step(sheet, frame.value, facts["words"], guide.at("words"))
    cells = [frame.own(n) for n in range(guide.owned)]
    formulas = [
        sight.formula(frame.screens(0, zone)[: sight.panels], frame.step(0), cells)
        for (zone, _), sight in guide.formulas.items()
    ]
    _result(sheet, frame.value, view.value, f'IF({ok},{parts.choice(guide.at("formula"), formulas)},"{NONE}")')
    _step(sheet, frame.result, facts["then"], guide.at("then"))
    value = frame.value.cell()
    folds = [s.stage.activation.fold(value) if s.stage.activation else value for s in guide.activations.values()]
    result = f'IF({ok},{parts.choice(guide.at("activation"), folds)},"{NONE}")'
    _result(sheet, frame.result, view.result, result, _ANSWER)


def _step(sheet: Page, at: Block, text: Value, formula: str) -> None:
    sheet.span(at.row, _STEP, _VALUE - 1, text, _WORDS, formula)


def _result(sheet: Page, at: Block, value: Value, formula: str, look: Style | None = None) -> None:
    sheet.span(at.row, _VALUE, _AFTER - 1, value, look or _NUMBER, formula)


def _compare(sheet: Page, view: _View, frame: Frame) -> None:
    """The result beside the cell on `Network`, and whether they are the same."""
    guide, choice, there = view.guide, view.choice, frame.there
    row, column = guide.at("cell row"), guide.at("cell column")
    address = f"on {NETWORK}, cell {column_letters(choice.cell[1])}{choice.cell[0]}" if choice.ok else f"on {NETWORK}"
    text = f'"on {NETWORK}"&IF({guide.at("ok")}=1,", cell "&ADDRESS({row},{column},4),"")'
    _step(sheet, there, address, text)
    look_up = guide.look_up(row, column)
    _result(sheet, there, view.result, f'IF({guide.at("ok")}=1,{look_up},"{NONE}")')
    verdict = Block(LOUPE, there.row + 1, _STEP, 1, _AFTER - _STEP)
    mine, other = frame.result.fixed(), there.fixed()
    same = f"IF(COUNT({mine},{other})=2,ABS({mine}-{other})<={AGREE:.0E}*MAX(1,ABS({other})),FALSE)"
    said = _SAME if choice.ok else f"{_NO_CELL} {view.facts['room']}"
    none = f'IF({LAYER}={guide.at("name")},"{_NO_CELL} "&{guide.at("room")},"{_NO_LAYER}")'
    words = f'IF({guide.at("ok")}=1,IF({same},"{_SAME}","{_OTHER}"),{none})'
    sheet.span(verdict.row, _STEP, _AFTER - 1, said, _VERDICT, words)
    sheet.heights[verdict.row] = 28
    sheet.verdicts.append(Verdict(verdict, same))


def _headings(sheet: Page, view: _View, frame: Frame, zone: int) -> None:
    """What the screens of a zone show, each with a colour scale of its own; nothing where the other zone is in use."""
    panels, here = frame.zones[zone], view.facts["zone"] == zone
    in_use, weighted = f"{view.guide.at('zone')}={zone}", view.guide.at("weighted")
    for number, (text, cells) in enumerate(zip(_SCREENS, (view.window, view.weights, view.products), strict=True)):
        blocks = tuple(frame.screens(number, zone))
        other = NONE if zone or number else _ELSEWHERE
        formula = f'IF({in_use},IF({weighted if number else 1}=1,"{text}","{NONE}"),"{other}")'
        shown = text if view.sight.weighted or not number else NONE
        sheet.put(frame.heads, blocks[0].column, shown if here else other, style.HEADING, formula)
        some = ",".join(block.relative for block in blocks[:MAX_BLOCKS])
        numbers = [abs(v) for panel in panels[:MAX_BLOCKS] for v in cells(panel).flat if not isinstance(v, str)]
        bound = Block(LOUPE, frame.heads + 1, blocks[0].column, 1, 1)
        sheet.put(bound.row, bound.column, max(numbers, default=0.0), _BOUND, f"MAX(MAX({some}),-MIN({some}))")
        scale = style.diverging(bound.absolute)
        sheet.scales.append((blocks, scale if number else replace(scale, high=style.RED)))
    formula = f'IF(AND({in_use},{weighted}=1),"{_SUMS}","{NONE}")'
    shown = _SUMS if here and view.sight.weighted else NONE
    sheet.put(frame.heads, frame.sum(panels[0]).column, shown, style.HEADING, formula)


def _panel(sheet: Page, view: _View, frame: Frame, panel: Panel) -> None:
    """A tile of one input map, its weights, the products, and their sum."""
    guide, at = view.guide, view.guide.at
    window, weights, products = (frame.screen(number, panel) for number in range(3))
    here = {name: guide.panel(panel, name).reference for name in ("rows", "columns", "top", "left")}
    channel = view.choice.first[0] + view.sight.panel(panel.number)[0]
    reads, number = at("reads"), f"{at('first map')}+{guide.panel(panel, 'channel').reference}+1"
    named = view.sight.reads.name + ("" if view.sight.wrapped else f"_{channel + 1}")
    formula = f'IF({here["rows"]}=0,"{NONE}",IF({at("wrapped")}=1,{reads},{reads}&"_"&({number})))'
    sheet.put(window.row - 2, window.column, named if view.choice.fills(panel) else NONE, style.LABEL, formula)
    for axis in (0, 1):
        _numbers(sheet, view, frame, panel, axis)
    wrapped, down, right = at("wrapped"), at("weight row step"), at("weight column step")
    shown = view.products(panel)
    values = [cells.tolist() for cells in (view.window(panel), view.weights(panel), shown)]
    for y, x in np.ndindex(window.shape):
        row = column_letters(window.column - 1) + str(window.position(y, x)[0])
        column = column_letters(window.position(y, x)[1]) + str(window.row - 1)
        beside = f"({column}-1)*{wrapped}"
        place = f"{here['top']}+${row}+{beside}", f"{here['left']}+1+({column}-1)*(1-{wrapped})"
        cell, weight = window.cell(y, x), weights.cell(y, x)
        sheet.put(*window.position(y, x), values[0][y][x], style.SCORE,
                  f'IF(COUNT({row},{column})<2,"{NONE}",{guide.look_up(*place)})')  # fmt: skip
        place = (
            f"{guide.panel(panel, 'weight top').reference}+{y}*{down}+{x}*{right}*{wrapped}",
            f"{guide.panel(panel, 'weight left').reference}+{x}*{right}*(1-{wrapped})",
        )
        sheet.put(*weights.position(y, x), values[1][y][x], style.SCORE,
                  f'IF(OR({cell}="{NONE}",{at("weighted")}=0),"{NONE}",{guide.look_up(*place)})')  # fmt: skip
        sheet.put(*products.position(y, x), values[2][y][x], style.SCORE,
                  f'IF(COUNT({cell},{weight})=2,{cell}*{weight},"{NONE}")')  # fmt: skip
    at_sum, area = frame.sum(panel), products.relative
    added = _sum(shown) if (shown != NONE).any() else NONE
    formula = f'IF(COUNT({area})=0,"{NONE}",SUM({area}))'
    sheet.span(at_sum.row, at_sum.column, at_sum.column + 2, added, _NUMBER, formula)


def _numbers(sheet: Page, view: _View, frame: Frame, panel: Panel, axis: int) -> None:
    """The rows of the input beside a window, or the columns above it."""
    guide, window = view.guide, frame.screen(0, panel)
    taps, start = view.choice.taps(axis), view.sight.panel(panel.number)[1 + axis]
    size = view.sight.panel_shape(panel.number)[axis] if view.choice.fills(panel) else 0
    count, first = (guide.panel(panel, name).reference for name in _TILE[axis])
    for n in range(window.shape[axis]):
        row, column = window.position(n, -1) if axis == 0 else window.position(-1, n)
        value = taps[start + n] + 1 if n < size and start + n in taps else NONE
        formula = f'IF({n}<{count},INDEX({guide.taps(axis).reference},{first}+{n + 1},1),"{NONE}")'
        sheet.put(row, column, value, _INDEX, formula)


def _marks(sheet: Page, frame: Frame) -> None:
    """Lines around what the screens show, and nothing where they show nothing; and the frames on `Network`."""
    for number, zone in product(range(3), frame.zones):
        blocks = tuple(frame.screens(number, zone))
        beside = f"${column_letters(frame.left(zone))}{blocks[0].row}"
        sheet.marks += [
            Mark(blocks, f'AND(COUNT({beside})=1,{blocks[0].cell()}<>"{NONE}")', line=style.EDIT_LINE),
            Mark(blocks, f'{blocks[0].cell()}="{NONE}"', color=style.WHITE),
        ]
    everything = Block(LOUPE, _TOP, _LABEL, frame.last[0] - _TOP + 1, frame.last[1] - _LABEL + 1)
    sheet.marks.append(Mark(everything, f'{everything.cell()}="{NONE}"', color=style.WHITE))
    area = frame.guide.network
    below = area.part(BAND_ROW - 1, 0, area.height - BAND_ROW + 1, area.width)
    maps = (stage.out.blocks for stage in frame.guide.layout.stages)
    sheet.marks.append(Mark(area, places.looked_at(), style.AMBER, style.INK))
    sheet.marks += [Mark(blocks, places.seen(), line=style.INK) for blocks in (*maps, (below,))]
