"""Where everything stands on the sheet `Loupe`: settings, the steps to the result, and the screens of each panel."""

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from conv_sheet.cells.grid import Block
from conv_sheet.sheets.loupe.facts import LOUPE, Panel
from conv_sheet.sheets.loupe.places import SMALL_SIDE, TOP

LABEL, SPIN, ROOM, STEP, SAYS, VALUE, AFTER, DRAWN = 2, 8, 9, 14, 21, 24, 27, 29
"""First columns: settings' labels, their arrows, what they may be; steps, what the network says over them, their
values, what is behind them; what the layer reads as a small picture."""
LAST = DRAWN + SMALL_SIDE - 1


@dataclass(frozen=True)
class Frame:
    """Where everything stands: settings and steps, and below them the panels, three screens beside each other each."""

    panels: tuple[Panel, ...]
    owned: int

    @cached_property
    def zones(self) -> dict[int, list[Panel]]:
        """Panels for small windows on the left, for others on the right of them."""
        return {zone: list(panels) for zone, panels in groupby(self.panels, key=lambda panel: panel.zone)}

    def _width(self, zone: int) -> int:
        """Columns of a screen, its heading's at least."""
        return max(5, *(panel.width for panel in self.zones[zone]))

    def left(self, zone: int) -> int:
        """The column of a zone's row numbers."""
        return 2 if zone == min(self.zones) else max(self.left(0) + 3 * (self._width(0) + 2) + 6, LAST + 2)

    @property
    def heads(self) -> int:
        """Row of the screens' headings."""
        return max(self.there.row + 4, TOP + SMALL_SIDE)

    def screen(self, number: int, panel: Panel) -> Block:
        """The window (0), its weights (1) or the products (2)."""
        above = sum(other.height + 3 for other in self.zones[panel.zone][: panel.number])
        column = self.left(panel.zone) + 1 + number * (self._width(panel.zone) + 2)
        return Block(LOUPE, self.heads + 4 + above, column, *panel.shape)

    def sum(self, panel: Panel) -> Block:
        """The sum of a panel's products."""
        row, column = self.screen(2, panel).row, self.screen(3, panel).column
        return Block(LOUPE, row + (panel.height - 1) // 2, column, 1, 1)

    @property
    def small(self) -> Block:
        """The small picture of what is read."""
        return Block(LOUPE, TOP, DRAWN, SMALL_SIDE, SMALL_SIDE)

    @property
    def last(self) -> tuple[int, int]:
        """The last row and the last column."""
        ends = [self.sum(panel).column + 2 for panel in self.panels]
        return max(self.screen(0, panel).last_row for panel in self.panels), max(LAST, *ends)

    def step(self, number: int) -> Block:
        """The value of a step on the way from the products to the result."""
        return Block(LOUPE, TOP + number, VALUE, 1, 1)

    @property
    def value(self) -> Block:
        """What the layer makes, before the activation."""
        return self.step(1 + self.owned)

    @property
    def result(self) -> Block:
        return self.step(2 + self.owned)

    @property
    def there(self) -> Block:
        """What stands on `Network`."""
        return self.step(3 + self.owned)
