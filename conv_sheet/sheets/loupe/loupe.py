"""The sheet `Loupe`: one cell of the network, chosen by layer, map, row and column, with everything that makes it."""

from dataclasses import replace
from itertools import product

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import (
    Expr,
    Operand,
    absolute,
    all_of,
    any_of,
    average,
    call,
    count,
    given,
    largest,
    of,
    rounded,
    smallest,
    text,
    total,
    where,
)
from conv_sheet.cells.formula import MAX_BLOCKS
from conv_sheet.cells.grid import Block, around, column_letters
from conv_sheet.cells.lookup import choose, index
from conv_sheet.cells.page import Mark, Page, Verdict
from conv_sheet.cells.style import Style
from conv_sheet.network.layout import Layout
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.addresses import TOLERANCE
from conv_sheet.sheets.loupe.facts import LOUPE, NONE, OWN, Panel, fold
from conv_sheet.sheets.loupe.frame import AFTER, DRAWN, LABEL, LAST, ROOM, SAYS, SPIN, STEP, VALUE, Frame
from conv_sheet.sheets.loupe.places import (
    CHOICE_COLUMN,
    CHOICE_WIDTH,
    EACH,
    LAYER,
    ON_SHEET,
    TOP,
    Numbers,
    inputs,
    marks,
    numbers,
    on_small,
    sampled,
    taps,
)
from conv_sheet.sheets.loupe.reach import reaches
from conv_sheet.sheets.loupe.reads import Reads
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

_SCREENS = ("what it sees", "× weights", "= products")
_FOR_A_CLASS = "= evidence for this class: red for, blue against"
_SUM = "sum of all products"
_ASIDE = "does not count"
_SAME, _OTHER = "the same as on the sheet Network", "not what the sheet Network says"
_SUMS = "sum"
_WRITTEN = 9
"""Products that the sentence writes out."""
_EVIDENCE = "Each value × its weight is evidence: red for, blue against. The sum"
_ELSEWHERE = "The window is a large one: it stands further right →"
_BOUND = replace(style.SCALE, format='"±"0.00;;')
_HINT = replace(style.NOTE, indent=1)
_WORDS = replace(style.LINE, shrink=True)
_TORCH = replace(style.STAGE_SHAPE, mono=True, shrink=True, wrap=False)
_INDEX = replace(style.LABEL, horizontal="center")
_SHOWN = replace(style.SCORE, size=11)
_SENTENCE = replace(style.TEXT, size=14, vertical="center")
_NUMBER = replace(style.DECIMAL, horizontal="center")
_ANSWER = replace(_NUMBER, bold=True, fill=style.PALE)
_VERDICT = replace(style.STATUS, vertical="center")


class _Loupe:
    """The sheet being put together."""

    def __init__(self, state: WorkbookState) -> None:
        self.state = state
        self.numbers: Numbers = numbers(state)
        facts = self.numbers.facts
        self.frame = Frame(facts.panels, facts.owned)
        self.sheet = widgets.frame(LOUPE, self.frame.last[1], style.LARGE_ZOOM, style.LARGE_SIDE)
        self.reads = Reads(state, self.numbers, self.sheet)
        self.sheet.heights |= {TOP - 1: 20, self.frame.heads + 1: 12}
        self.shown: dict[Block, Expr] = {}
        """What stands in the blocks of the screens."""

    def of(self, name: str) -> Expr:
        """A number of the sheet `Places`."""
        return self.numbers.of(name, self.sheet)

    @property
    def ok(self) -> Expr:
        return self.of("ok") == 1

    # -- the way from the products to the result -------------------------------------------------------------------

    def ask(self) -> None:
        """The settings, each with what it may be; and the layer as PyTorch writes it."""
        settings = inputs(self.state.layout, self.state.lesson)
        for item, most in zip(settings, ("", "maps", "rows", "columns"), strict=True):
            label = item.name.split("_")[1]
            widgets.ask(self.sheet, item, self.state[item], label, CHOICE_COLUMN - LABEL, style.CHOICE, CHOICE_WIDTH)
            if most:
                arrows = Block(LOUPE, item.at.row, SPIN, 1, 1)
                widgets.spinner(self.sheet, item, self.state.number(item), arrows, label)
                room = text("1 to ", self.of(most))
                said = where(self.of("vector") == 1, self._class(room) if most == "rows" else _ASIDE, room)
                self.sheet.span(item.at.row, ROOM, STEP - 2, said, _HINT)
        self.sheet.span(TOP + 4, LABEL, STEP - 2, self.of("torch"), _TORCH)

    def _class(self, room: Expr) -> Expr:
        """What may be typed for the row of a vector, and which class it is."""
        if not self.state.network.classes:
            return room
        known = self.of("classes") * self.of("ok") == 1
        names, _, _ = cockpit.lists(self.state, self.sheet)
        return where(known, text(room, ": class ", index(names, where(known, self.of("row"), 1))), room)

    def small(self) -> None:
        """What the layer reads as a small picture, and the window on it; pixels are negative there, and so have ink."""
        sheet, frame = self.sheet, self.frame
        rows, columns = (sampled(self.numbers, axis, self.sheet) for axis in (0, 1))
        areas = [reach.area for reach in self.numbers.facts.reaches if reach.in_maps]
        # Each follows all maps anyway: from the sheet's first cell on, rows and columns count as they stand.
        look_up = self.reads.among((*areas, *(Block(area.sheet, 1, 1, 1, 1) for area in areas)))
        high, wide = self.of("small rows"), self.of("small columns")

        def pixel(y: int, x: int) -> Expr:
            places = product(rows[y * EACH : (y + 1) * EACH], columns[x * EACH : (x + 1) * EACH])
            mean = average(*(look_up(row, column) for row, column in places))
            coloured = where(self.of("pixels") == 1, -mean, largest(0, mean))
            return where(all_of(high > y, wide > x), coloured, NONE)

        values = sheet.fill_each(frame.small, pixel, style.DOT)
        sheet.span(frame.small.row - 1, frame.small.column, LAST, self.of("small name"), style.LABEL)
        bound = Block(LOUPE, frame.small.last_row + 1, frame.small.column, 1, 1)
        widgets.signed(sheet, bound, [(frame.small, values)], high=style.WARM, low=style.INK)

    def steps(self) -> None:
        """The way from the products to the result, a line a step."""
        frame, facts = self.frame, self.numbers.facts
        weighted = self.of("weighted") == 1
        sums = [self._sums(panels) for panels in frame.zones.values()]
        self._step(frame.step(0), where(weighted, _SUM, NONE), where(all_of(self.ok, weighted), total(*sums), NONE))
        for n in range(facts.owned):
            own = self.of(f"own {n}")
            tensors = [placed for reach in facts.reaches for placed in [*reach.own.values()][n : n + 1]]
            look_up = self.reads.among(placed.area for placed in tensors)
            there = look_up(self.of(f"own {n} row"), self.of(f"own {n} column"))
            self._step(frame.step(1 + n), own, where(all_of(self.ok, own != NONE), there, NONE))
        cells = [frame.step(1 + n) for n in range(facts.owned)]
        now = self._now()
        formulas = (
            reach.formula([frame.screen(0, p) for p in frame.zones[zone][: reach.panels]], frame.step(0), cells)
            for (zone, _), reach in facts.ways.items()
        )
        ways = [given(formula, now) for formula in formulas]
        self._step(frame.value, self.of("words"), where(self.ok, choose(self.of("formula"), *ways), NONE))
        then = self._now(after=True)
        folds = [given(fold(reach, frame.value.cell()), then) for reach in facts.activations.values()]
        self._step(frame.result, self.of("then"), where(self.ok, choose(self.of("activation"), *folds), NONE), _ANSWER)

    def _now(self, after: bool = False) -> float:
        """What the engine makes of the chosen cell; layers' formulas are a second account of it."""
        reach = self.numbers.facts.reaches[int(self.of("stage").value) - 1]
        node = reach.stage.nodes[-1 if after else 0]
        return float(self.state.activations[node.name][0].ravel()[int(self.of("order").value)])

    def _sums(self, panels: list[Panel]) -> Expr:
        return self._together([self.frame.sum(panel) for panel in panels])

    def _together(self, blocks: list[Block]) -> Expr:
        """One range around blocks between which nothing stands: a function takes only so many ranges."""
        area = around(tuple(blocks))
        values = np.full(area.shape, "", dtype=object)
        for block in blocks:
            down, right = block.row - area.row, block.column - area.column
            values[down : down + block.height, right : right + block.width] = self.shown[block].value
        return self.sheet.near(area, values)

    def _step(self, at: Block, words: Expr, value: Expr, look: Style = _NUMBER) -> None:
        self.sheet.span(at.row, STEP, VALUE - 1, words, _WORDS)
        self.sheet.span(at.row, VALUE, AFTER - 1, value, look)
        self.shown[at] = value

    def compare(self) -> None:
        """The result beside the cell on `Network`, and whether they are the same."""
        row, column, there = self.of("cell row"), self.of("cell column"), self.frame.there
        address = call("ADDRESS", lambda r, c, _: f"{column_letters(int(c))}{int(r)}", row, column, 4)
        on = self.reads.on_sheet([of(f"on {part.sheet}") for part in self.state.layout.parts])
        words = text(on, where(self.ok, text(", cell ", address), ""))
        look_up = self.reads.among(reach.stage.out.area for reach in self.numbers.facts.reaches)
        self._step(there, words, where(self.ok, look_up(row, column), NONE))
        verdict = Block(LOUPE, there.row + 1, STEP, 1, AFTER - STEP)
        mine, other = (self.sheet.cell(at, self.shown[at].value) for at in (self.frame.result, there))
        close = absolute(mine - other) <= TOLERANCE * largest(1, absolute(other))
        same = where(count(mine, other) == 2, close, False)
        known, none = self.numbers.setting(LAYER) == self.of("name"), text("There is no such cell. ", self.of("room"))
        said = where(self.ok, where(same, _SAME, _OTHER), where(known, none, "There is no such layer."))
        self.sheet.merged(verdict, said, _VERDICT)
        self.sheet.heights[verdict.row] = 28
        self.sheet.verdicts.append(Verdict(verdict, same.formula))

    def sentence(self) -> None:
        """The first products written out, and what becomes of their sum."""
        sheet, frame = self.sheet, self.frame
        ends = frame.step(0), frame.value, frame.result
        sum_, value, result = (sheet.cell(at, self.shown[at].value) for at in ends)
        biased: Operand = ""
        if self.numbers.facts.owned:
            bias = sheet.cell(frame.step(1), self.shown[frame.step(1)].value)
            sign = where(bias < 0, ", − ", ", + ")
            added = text(sign, rounded(absolute(bias), 3), " for the bias = ", rounded(value, 3))
            biased = where(self.of(OWN.format(0)) == NONE, "", added)
        ended = text(" = ", rounded(sum_, 3), biased, "; ", self.of("then"), " = ", rounded(result, 3))
        said: Expr = text(_EVIDENCE, ended)
        if 0 in frame.zones:
            said = where(self.of("zone") == 0, text(*self._written(frame.zones[0]), ended), said)
        at = frame.there.row + 2
        sheet.span(at, LABEL, AFTER, where(all_of(self.ok, self.of("weighted") == 1), said, NONE), _SENTENCE)
        sheet.heights[at] = 2 * _SENTENCE.size * style.LINE_SPACING

    def _written(self, panels: list[Panel]) -> list[Operand]:
        """The first products of small windows: `0.5×1 − 0.25×2 + …`."""
        window, weights, products = (self.frame.screen(number, panels[0]) for number in range(3))
        pieces: list[Operand] = []
        made: list[Expr] = []
        for y, x in list(np.ndindex(*panels[0].shape))[:_WRITTEN]:
            seen, weight, product = (self._at(block, y, x) for block in (window, weights, products))
            made.append(product)
            below = weight < 0
            sign = where(count(*made) == 1, where(below, "−", ""), where(below, " − ", " + "))
            factor = where(seen < 0, text("(", rounded(seen, 2), ")"), rounded(seen, 2))
            pieces.append(where(count(product) == 1, text(sign, factor, "×", rounded(absolute(weight), 2)), ""))
        shown = count(self._together([self.frame.screen(2, one) for one in panels]))
        return [*pieces, where(shown > len(pieces), " + …", "")]

    def _at(self, block: Block, y: int, x: int) -> Expr:
        """One cell of a screen."""
        value = np.broadcast_to(np.asarray(self.shown[block].value, dtype=object), block.shape)[y, x]
        return self.sheet.cell(block.part(y, x, 1, 1), value)

    # -- the screens -----------------------------------------------------------------------------------------------

    def panel(self, number: int, panel: Panel) -> None:
        """A tile of one input map, its weights, the products, and their sum."""
        sheet, (window, weights, products) = self.sheet, (self.frame.screen(n, panel) for n in range(3))

        def own(name: str) -> Expr:
            return self.of(f"panel {number} {name}")

        sheet.put(window.row - 2, window.column, where(own("rows") == 0, NONE, own("name")), style.LABEL)
        beside, above = window.part(0, -1, window.height, 1), window.part(-1, 0, 1, window.width)
        rows = self._taps(beside, 0, own("rows"), own("from row"))
        columns = self._taps(above, 1, own("columns"), own("from column"))
        shown = self._seen(number, panel, rows, columns)
        weight = self._weight(window, panel, own("weight top"), own("weight left"))
        weight = where(any_of(count(rows, columns) < 2, self.of("weighted") == 0), NONE, weight)
        self._screen(weights, weight)
        factor = sheet.each(weights, weight.value)
        made = where(count(shown, factor) == 2, shown * factor, NONE)
        self._screen(products, made)
        area, at = sheet.near(products, made.value), self.frame.sum(panel)
        added = where(count(area) == 0, NONE, total(area))
        sheet.span(at.row, at.column, at.column + 2, added, _NUMBER)
        self.shown[at] = added

    def _screen(self, block: Block, expr: Expr) -> None:
        self.sheet.fill(block, expr, _SHOWN)
        self.shown[block] = expr

    def _taps(self, block: Block, axis: int, size: Expr, first: Expr) -> Expr:
        """The rows of the input beside a window, or the columns above it, as its cells read them."""
        n = (self.sheet.column_number(block) if axis else self.sheet.row_number(block)) - 1
        shown = where(n < size, index(taps(self.numbers, axis, self.sheet), first + n + 1), NONE)
        self.sheet.fill(block, shown, _INDEX)
        return (self.sheet.row if axis else self.sheet.column)(block, shown.value)

    def _seen(self, number: int, panel: Panel, rows: Expr, columns: Expr) -> Expr:
        """What stands on `Network` where the window is."""
        window = self.frame.screen(0, panel)
        values = np.full(window.shape, NONE, dtype=object)
        for part in self.numbers.facts.parts(panel):
            block = window.part(part.top, part.left, *part.shape)
            down, right = slice(part.top, part.top + part.height), slice(part.left, part.left + part.width)
            row = self.sheet.column(block.part(0, -1 - part.left, part.height, 1), rows.value[down])
            column = self.sheet.row(block.part(-1 - part.top, 0, 1, part.width), columns.value[:, right])
            shown = where(count(row, column) < 2, NONE, self.reads.seen(number, part, row, column))
            self.sheet.fill(block, shown, _SHOWN)
            values[down, right] = shown.value
        self.shown[window] = self.sheet.each(window, values)
        return self.shown[window]

    def _weight(self, window: Block, panel: Panel, top: Expr, left: Expr) -> Expr:
        """The weight that a value of the window meets."""
        y, x = self.sheet.row_number(window) - 1, self.sheet.column_number(window) - 1
        across = self.of("across")
        row = top + where(across > 0, y * across + x, y) * self.of("weight row step")
        column = left + where(across > 0, 0, x) * self.of("weight column step")
        weighted = (reach for reach in self.numbers.facts.shown_in(panel) if reach.weighted)
        return self.reads.among(reach.stage.own["weight"].area for reach in weighted)(row, column)

    def headings(self, zone: int) -> None:
        """What the screens of a zone show, each with a colour scale of its own; nothing where the other is in use."""
        sheet, panels = self.sheet, self.frame.zones[zone]
        in_use, weighted = self.of("zone") == zone, self.of("weighted") == 1
        said: Operand
        for number, said in enumerate(_SCREENS):
            blocks = tuple(self.frame.screen(number, panel) for panel in panels)
            if zone and number == 2:
                said = where(self.of("classes") == 1, _FOR_A_CLASS, said)
            shown = where(in_use, where(weighted, said, NONE) if number else said, NONE)
            sheet.put(self.frame.heads, blocks[0].column, shown, style.HEADING)
            areas = [sheet.near(block, self.shown[block].value) for block in blocks[:MAX_BLOCKS]]
            bound = Block(LOUPE, self.frame.heads + 1, blocks[0].column, 1, 1)
            most = largest(largest(*areas), -smallest(*areas))
            inked = where(self.of("pixels") == 1, 0, most)  # pixels have no such scale, but steps of ink: see `marks`
            sheet.put(bound.row, bound.column, most if number else inked, _BOUND)
            scale = style.diverging(bound.absolute)
            sheet.scales.append((blocks, scale if number else replace(scale, high=style.WARM)))
        sums = where(all_of(in_use, weighted), _SUMS, NONE)
        sheet.put(self.frame.heads, self.frame.sum(panels[0]).column, sums, style.HEADING)

    def elsewhere(self) -> None:
        """A link to the screens of large windows, which stand further right, while they are in use."""
        if len(self.frame.zones) == 1:
            return
        first = self.frame.screen(0, self.frame.zones[1][0])
        self.sheet.names["loupe_large"] = first.part(-4, -1, first.height + 4, 3 * first.width + 6)
        row = self.frame.heads - 1
        self.sheet.span(row, LABEL, AFTER, where(self.of("zone") == 1, _ELSEWHERE, NONE), style.LINK_LINE)
        self.sheet.links[row, LABEL] = "loupe_large"

    def marks(self) -> None:
        """Lines around what the screens show, and nothing where they show nothing; and the frames on `Network`."""
        sheet, frame, layout = self.sheet, self.frame, self.state.layout
        for number, zone in product(range(3), frame.zones):
            blocks = tuple(frame.screen(number, panel) for panel in frame.zones[zone])
            beside = f"${column_letters(frame.left(zone))}{blocks[0].row}"
            if number == 0:
                bound = Block(LOUPE, frame.heads + 1, blocks[0].column, 1, 1)
                widgets.inked(sheet, blocks, f"{bound.fixed()}=0")
            sheet.marks += [
                Mark(blocks, f'AND(COUNT({beside})=1,{blocks[0].cell()}<>"{NONE}")', line=style.EDIT_LINE),
                Mark(blocks, f'{blocks[0].cell()}="{NONE}"', color=style.WHITE),
            ]
        sheet.marks.append(Mark(frame.small, on_small(frame.small), line=style.FRAME))
        everything = Block(LOUPE, TOP, LABEL, frame.last[0] - TOP + 1, frame.last[1] - LABEL + 1)
        sheet.marks.append(Mark(everything, f'{everything.cell()}="{NONE}"', color=style.WHITE))
        for number, part in enumerate(layout.parts, 1):
            sheet.marks += marks(part, f"{ON_SHEET}={number}" if len(layout.parts) > 1 else "")


def page(state: WorkbookState) -> Page:
    """The sheet; it also frames the cell and what it sees on `Network`."""
    loupe = _Loupe(state)
    lines = (
        "Choose a layer and one of its cells. Below stands everything that makes it: what it sees, times its weights.",
        "Grey numbers are rows and columns of the input; below 1 is its border. On Network the same cells are framed.",
    )
    cockpit.head(loupe.sheet, state, LOUPE, lines, ((SAYS, DRAWN - 2), (DRAWN, LAST)))
    loupe.ask()
    loupe.small()
    for number, panel in enumerate(loupe.numbers.facts.panels):
        loupe.panel(number, panel)
    for zone in loupe.frame.zones:
        loupe.headings(zone)
    loupe.elsewhere()
    loupe.steps()
    loupe.compare()
    loupe.sentence()
    loupe.marks()
    return loupe.sheet


NAME = "loupe"
SHEET = Sheet(LOUPE, page, NAME, inputs)
HELPER = Sheet("Places", lambda state: numbers(state).page)


def suits(layout: Layout) -> bool:
    """Whether there is something to look at: a stage whose values are all computed alike."""
    return any(True for _ in reaches(layout))
