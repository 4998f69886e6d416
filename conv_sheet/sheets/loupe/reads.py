"""What the loupe reads of the sheets of the network.

A program calculates a formula anew whenever a cell that it names changes, whichever of them it takes. So each names no
more of a network than it may have to show: the rectangle in which a chosen cell can be, and of maps that every value
sees whole the very cell.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conv_sheet.cells.expr import Expr, of, where
from conv_sheet.cells.grid import Block, around
from conv_sheet.cells.lookup import choose, index
from conv_sheet.cells.page import Page
from conv_sheet.network.layout import Layout
from conv_sheet.ops import Array
from conv_sheet.sheets.loupe.facts import HOME, NONE, Part
from conv_sheet.sheets.loupe.places import Numbers
from conv_sheet.sheets.loupe.reach import Reach
from conv_sheet.state import WorkbookState


@dataclass(frozen=True)
class Reads:
    """Formulas of a page that read the sheets of the network, by numbers of the sheet `Places`."""

    state: WorkbookState
    numbers: Numbers
    page: Page

    def of(self, name: str) -> Expr:
        """A number of the sheet `Places`."""
        return self.numbers.of(name, self.page)

    def among(self, blocks: Iterable[Block]) -> Callable[[Expr, Expr], Expr]:
        """What stands in a row and a column of the chosen layer's sheet, where that is in one of some blocks."""
        found, areas = tuple(blocks), []
        for sheet in self._values:
            here = tuple(block for block in found if block.sheet == sheet)
            areas.append(self._area(here) if here else None)
        return lambda row, column: self.on_sheet([area(row, column) if area else of(0) for area in areas])

    def on_sheet(self, each: Sequence[Expr]) -> Expr:
        """Of what there is for each sheet of the network that for the sheet of the chosen layer."""
        return choose(self.of(HOME), *each) if len(each) > 1 else each[0]

    def _area(self, blocks: tuple[Block, ...]) -> Callable[[Expr, Expr], Expr]:
        """The same on one sheet; of two cells at least: Gnumeric makes #REF! of INDEX into a single one."""
        block = around(blocks)
        block = block.part(-1, 0, 2, 1) if block.shape == (1, 1) else block
        area, down, right = self.page.range(block, self._cut(block)), block.row - 1, block.column - 1
        return lambda row, column: index(area, row - down if down else row, column - right if right else column)

    @cached_property
    def _values(self) -> dict[str, Array]:
        """What stands on the sheets of the network, by their titles."""
        return {part.sheet: network_values(self.state, part) for part in self.state.layout.parts}

    def _cut(self, block: Block) -> Array:
        """What stands in some of their cells."""
        cut = self._values[block.sheet][block.row - 1 : block.last_row, block.column - 1 : block.last_column]
        return np.ascontiguousarray(cut)  # it is looked up in many times

    def seen(self, number: int, part: Part, row: Expr, column: Expr) -> Expr:
        """What stands in a row and a column of the map that a panel shows, or of a vector, for a part of its cells."""
        found = self._looked_up(number, [reach for reach in part.shown if not reach.whole], row, column)
        for reach in part.shown:
            if reach.whole:
                block = reach.tile(self.numbers.facts.panels[number].number).part(part.top, part.left, *part.shape)
                there = self.page.each(block, self._cut(block))
                chosen = self.of("number") == self.numbers.facts.reaches.index(reach) + 1
                found = there if found is None else where(chosen, there, found)
        return of(NONE) if found is None else found

    def _looked_up(self, number: int, shown: Sequence[Reach], row: Expr, column: Expr) -> Expr | None:
        """The same of stages whose windows move over maps, or are vectors; None where there are none."""
        if not shown:
            return None
        down, right = (self.of(f"panel {number} {corner}") + at for corner, at in (("top", row), ("left", column)))
        if any(reach.across for reach in shown):
            in_vector, across = self.of("reads from") + row + column - 1, self.of("across") > 0
            down = where(across, index(self.numbers.listed("top", self.page), in_vector), down)
            right = where(across, index(self.numbers.listed("left", self.page), in_vector), right)
        return self.among(reach.area for reach in shown)(down, right)


def network_values(state: WorkbookState, layout: Layout) -> Array:
    """What stands on a sheet of the network in all cells with numbers; zeros elsewhere, as around maps."""
    borders = [stage.border for stage in layout.stages]
    down, right = max(border.bottom for border in borders), max(border.right for border in borders)
    values = np.zeros((layout.last_row + down, layout.last_column + right))
    for stage in layout.stages:
        own = {name.rpartition(".")[2]: state.tensors[name] for name, _ in stage.parameters()}
        for short, tensor in (own | layout.values(stage, state.activations, state.tensors)).items():
            placed = stage.own[short]
            for block, plane in zip(placed.blocks, placed.planes(tensor), strict=True):
                rows = slice(block.row - 1, block.last_row, block.step[0])
                values[rows, block.column - 1 : block.last_column : block.step[1]] = plane
    return values
