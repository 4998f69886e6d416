"""Two hidden sheets that take many steps at once from the weights of `Network`: forward passes, and their gradients.

Copies of the network stand in a grid. Down its rows go steps, and below them learning rates; along its columns the
pictures that are learned together, once for SGD and once for SGD with momentum, and at last the picture of `Network`
alone. The pictures of a row share its weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from conv_sheet.cells import style
from conv_sheet.cells.expr import Expr, largest, smallest
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page
from conv_sheet.learning.step import BatchPass, ForwardPass, batch_gradients
from conv_sheet.network.layout import NETWORK, SCALE_ROW, Layout
from conv_sheet.sheets.backprop.chain import added, readers, stage_formulas
from conv_sheet.sheets.backprop.layout import (
    AHEAD,
    AHEAD_GRADIENTS,
    MOMENTUM,
    RATE_LIST,
    STEP,
    STEPS,
    TRIED,
    BackpropLayout,
    backprop_layout,
)
from conv_sheet.sheets.backprop.losses import loss
from conv_sheet.sheets.backprop.settings import MAX_WEIGHT, Ahead, Picture, learning, shown
from conv_sheet.sheets.network import compute, formulas_of, value_style
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState


@dataclass(frozen=True)
class Row:
    """Copies of the network with the same weights, one a picture: their place in the grid, and the engine's passes.

    The weights are those of the row `before`, less its gradient times a learning rate, which stands in a cell and has a
    value; with momentum they go on as from the row `earlier`. Without a row before they are those of `Network`.
    """

    number: int
    column: int
    pictures: tuple[Picture, ...]
    made: BatchPass
    before: "Row | None" = None
    rate: tuple[Block, float] | None = None
    earlier: "Row | None" = None


@dataclass(frozen=True)
class Grid:
    """Where every copy stands."""

    base: BackpropLayout
    numbers: Ahead
    chosen: float
    """The learning rate."""
    alone: Picture

    @classmethod
    def of(cls, state: WorkbookState) -> "Grid":
        """The grid of a workbook whose network is small enough for one."""
        numbers = learning(state)
        assert numbers.ahead is not None
        return cls(backprop_layout(state.layout, state.lesson), numbers.ahead, numbers.settings.rate, shown(state))

    def plain(self) -> list[Row]:
        """Before each step of SGD, and after the last."""
        return self._steps(self.numbers.plain, 0, momentum=False)

    def moving(self) -> list[Row]:
        """The same with momentum."""
        return self._steps(self.numbers.moving, len(self.numbers.pictures), momentum=True)

    def rates(self) -> list[Row]:
        """After one step at each of the learning rates, and at the chosen one."""
        return self._tried(self.plain()[0], self.numbers.rates)

    def single(self) -> list[Row]:
        """The same of the picture of `Network` alone; nothing where that is all there is."""
        if not self.numbers.alone:
            return []
        start, *after = self.numbers.alone
        return self._tried(Row(0, 2 * len(self.numbers.pictures), (self.alone,), start), after)

    def rows(self) -> list[Row]:
        """All of them."""
        rows = [*self.plain(), *self.moving(), *self.rates(), *self.single()]
        return [*rows, *(row.before for row in self.single()[:1] if row.before)]

    def descending(self) -> list[Row]:
        """Those whose gradient leads to another one."""
        starts = (row.before for row in self.single()[:1] if row.before)
        return [*self.plain()[:-1], *self.moving()[:-1], *starts]

    def copies(self, row: Row) -> list[BackpropLayout]:
        """The copies of a row, with the weights of its first one and the pictures at the top of the grid."""
        weights = self._layout(row.number, row.column)
        columns = range(row.column, row.column + len(row.pictures))
        layouts = (self._layout(row.number, column).sharing(weights, self._layout(0, column)) for column in columns)
        return [self._gradients(layout, len(row.pictures)) for layout in layouts]

    def loss(self, row: Row) -> Block:
        """The losses of a row's pictures, side by side."""
        down, right = self._size
        return Block(AHEAD, SCALE_ROW + row.number * down, 2 + row.column * right, 1, len(row.pictures))

    def goal(self, row: Row, number: int) -> Block:
        """Where the target of one of a row's pictures stands, at the top of the grid."""
        return self._gradients(self._layout(0, row.column + number)).goal

    def _gradients(self, layout: Layout, pictures: int = 1) -> BackpropLayout:
        return replace(self.base, layout=layout, sheet=AHEAD_GRADIENTS, pictures=pictures)

    @property
    def _size(self) -> tuple[int, int]:
        """Rows and columns of a copy."""
        layout, goal = self.base.layout, self.base.goal
        bottom = max(layout.last_row + max(stage.border.bottom for stage in layout.stages), goal.last_row)
        return bottom - SCALE_ROW + 2, max(layout.last_column, goal.last_column) + 2

    def _layout(self, number: int, column: int) -> Layout:
        down, right = self._size
        return self.base.layout.on(AHEAD, number * down, column * right)

    def _steps(self, made: Sequence[BatchPass], column: int, momentum: bool) -> list[Row]:
        rate, rows = (self.base.value(STEP, 0), self.chosen), list[Row]()
        for number, one in enumerate(made):
            before, earlier = rows[-1] if rows else None, rows[-2] if momentum and len(rows) > 1 else None
            rows.append(Row(number, column, self.numbers.pictures, one, before, rate, earlier))
        return rows

    def _tried(self, start: Row, made: Sequence[BatchPass]) -> list[Row]:
        listed = self.base.ahead(TRIED)
        rates = [(listed.part(number, 0, 1, 1), rate) for number, rate in enumerate(RATE_LIST)]
        rates.append((self.base.value(STEP, 0), self.chosen))
        return [
            Row(STEPS + 1 + number, start.column, start.pictures, one, start, rate)
            for number, (one, rate) in enumerate(zip(made, rates, strict=True))
        ]


def forward_page(state: WorkbookState) -> Page:
    """The forward passes, and the loss above each."""
    sheet, grid, network = Page(AHEAD, hidden=True), Grid.of(state), state.network
    sheet.put(1, 1, "Network after the next steps of training, and after one step at each learning rate", style.NOTE)
    for row in grid.rows():
        copies, losses = grid.copies(row), grid.loss(row)
        _weights(sheet, grid, row, state)
        for number, (copy, picture, made) in enumerate(zip(copies, row.pictures, row.made.passes, strict=True)):
            if row.number == 0:
                parts = zip(copy.layout.input.blocks, picture.source.blocks, picture.image, strict=True)
                for block, source, values in parts:
                    sheet.fill(block, sheet.each(source, values), style.ACTIVATION)
            _stages(sheet, copy.layout, made)
            said = loss(sheet, copy.layout, grid.goal(row, number), made)
            sheet.put(losses.row, losses.column + number, said, style.LOSS, network.output.name)
    return sheet


def _stages(sheet: Page, layout: Layout, made: ForwardPass) -> None:
    """Everything that a copy of the network calculates."""
    for stage in layout.stages:
        if stage.nodes:
            values, formulas = layout.values(stage, made.activations, made.tensors), formulas_of(layout, stage)
            for short, placed in stage.computed():
                compute(sheet, stage.name, placed, values[short], value_style(stage, placed), formulas[short])


def _weights(sheet: Page, grid: Grid, row: Row, state: WorkbookState) -> None:
    """The parameters of a row."""
    places = dict(grid.copies(row)[0].layout.parameters())
    now = dict(state.layout.parameters())

    def standing(at: Row, name: str, index: int) -> Expr:
        placed = dict(grid.copies(at)[0].layout.parameters())[name]
        return sheet.each(placed.blocks[index], placed.planes(at.made.tensors[name])[index])

    found = batch_gradients(row.before.made)[1] if row.before else {}
    for name, placed in places.items():
        for index, block in enumerate(placed.blocks):
            value = sheet.each(now[name].blocks[index], placed.planes(state.tensors[name])[index])
            if row.before and row.rate and name in found:
                gradient = grid.copies(row.before)[0].gradients[name]
                slope = sheet.each(gradient.blocks[index], gradient.planes(found[name])[index])
                before = standing(row.before, name, index)
                value = before - sheet.cell(*row.rate) * slope
                if row.earlier:
                    value = value + MOMENTUM * (before - standing(row.earlier, name, index))
                value = largest(-MAX_WEIGHT, smallest(MAX_WEIGHT, value))
            sheet.fill(block, value, style.SCORE)


def backward_page(state: WorkbookState) -> Page:
    """The gradients of the mean loss of each row that leads to another one."""
    sheet, grid = Page(AHEAD_GRADIENTS, hidden=True), Grid.of(state)
    sheet.put(1, 1, "Gradients of what stands in the same places of the sheet Ahead", style.NOTE)
    for row in grid.descending():
        copies = grid.copies(row)
        found, sums = batch_gradients(row.made)
        for copy, picture, grads in zip(copies, row.pictures, found, strict=True):
            _goal(sheet, grid, copy, picture)
            for stage in copy.layout.stages:
                if stage.nodes and stage is not copy.last:
                    formula = added([formula for _, formula in readers(copy, stage.name)])
                    placed = copy.gradients[stage.name]
                    compute(sheet, stage.name, placed, grads[stage.name][0], style.GRADIENT, formula)
        for name, total in sums.items():
            stage_name, _, short = name.rpartition(".")
            parts = [stage_formulas(copy, copy.layout.by_name[stage_name])[1][short] for copy in copies]
            compute(sheet, stage_name, copies[0].gradients[name], total, style.GRADIENT, added(parts))
    return sheet


def _goal(sheet: Page, grid: Grid, copy: BackpropLayout, picture: Picture) -> None:
    """1 for what a picture shows, 0 for the others."""
    goal = picture.goal[:, np.newaxis]
    live = picture.source.blocks[0].sheet == NETWORK
    sheet.fill(copy.goal, sheet.each(grid.base.goal, goal) if live else goal, style.GRADIENT)


SHEETS = (Sheet(AHEAD, forward_page), Sheet(AHEAD_GRADIENTS, backward_page))
"""The two, in their order."""
