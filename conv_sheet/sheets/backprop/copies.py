"""Three sheets that calculate the network with other weights: after a step, and with one weight raised or lowered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from conv_sheet.cells import style
from conv_sheet.cells.expr import Expr, all_of, where
from conv_sheet.cells.grid import Placed
from conv_sheet.cells.inputs import Input
from conv_sheet.cells.page import Page
from conv_sheet.learning.step import ForwardPass
from conv_sheet.network.graph import INPUT
from conv_sheet.network.layout import NETWORK, SCALE_ROW
from conv_sheet.ops import Array
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.backprop.layout import MINUS, PLUS, UPDATED, BackpropLayout, backprop_layout
from conv_sheet.sheets.backprop.settings import COLUMN, RATE, ROW, H, Learning, inputs, learning
from conv_sheet.sheets.network import calculation, frame
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

_Weight = Callable[["_Copy", str, int, Expr], Expr]
"""The expression of a block of a parameter, by its full name and number, out of what stands on `Network`."""


@dataclass(frozen=True)
class _Copy:
    """A sheet like `Network` being put together."""

    sheet: Page
    state: WorkbookState
    made: BackpropLayout
    numbers: Learning

    @cached_property
    def inputs(self) -> Mapping[str, Input]:
        """The inputs of the sheet `Backprop` by name."""
        return {item.name: item for item in inputs(self.state.layout, self.state.lesson)}

    def setting(self, name: str) -> Expr:
        """The cell of an input of the sheet `Backprop`."""
        item = self.inputs[name]
        return self.sheet.cell(item.at, self.state.number(item))


def _updated(copy: _Copy, name: str, index: int, original: Expr) -> Expr:
    """A weight less its gradient times the learning rate; what training leaves alone as it is."""
    gradient = copy.made.gradients.get(name)
    if gradient is None or name == INPUT:
        return original
    values = gradient.planes(copy.numbers.gradients[name])[index]
    return original - copy.setting(RATE) * copy.sheet.each(gradient.blocks[index], values)


def _raised(copy: _Copy, name: str, index: int, original: Expr) -> Expr:
    """The chosen weight and h, all others as they are."""
    change = _change(copy, name, index, original)
    return original if change is None else original + change


def _lowered(copy: _Copy, name: str, index: int, original: Expr) -> Expr:
    """The chosen weight less h, all others as they are."""
    change = _change(copy, name, index, original)
    return original if change is None else original - change


def _change(copy: _Copy, name: str, index: int, original: Expr) -> Expr | None:
    """H in the place of the chosen weight, 0 elsewhere; None where nothing can be chosen."""
    numbers = {(one.tensor, one.index): n for n, one in enumerate(copy.made.weight_blocks, 1)}
    if (name, index) not in numbers:
        return None
    block = copy.made.gradients[name].blocks[index].on(NETWORK)
    number = copy.sheet.cell(copy.made.number, copy.numbers.settings.block + 1)
    here = all_of(
        number == numbers[name, index],
        copy.setting(ROW) == copy.sheet.row_number(block),
        copy.setting(COLUMN) == copy.sheet.column_number(block),
    )
    return where(here, copy.setting(H), 0)


def _sheet(title: str, note: str, made_with: Callable[[Learning], ForwardPass], weight: _Weight) -> Sheet:
    def page(state: WorkbookState) -> Page:
        numbers, layout = learning(state), state.layout.on(title)
        copy = _Copy(frame(title, state.layout), state, backprop_layout(state.layout, state.lesson), numbers)

        def put(name: str, placed: Placed, values: Array) -> None:
            current = state.tensors.get(name, state.image)
            look = style.ACTIVATION if name not in state.tensors else style.SCORE
            for index, (block, plane) in enumerate(zip(placed.blocks, placed.planes(current), strict=True)):
                copy.sheet.fill(block, weight(copy, name, index, copy.sheet.each(block.on(NETWORK), plane)), look)

        made = made_with(numbers)
        calculation(copy.sheet, layout, made.activations, made.tensors, put)
        copy.sheet.hidden = title in (PLUS, MINUS)
        copy.sheet.span(SCALE_ROW, *layout.stages[0].columns, note, style.FOLLOWER)
        copy.sheet.heights[SCALE_ROW] = 36
        if not copy.sheet.hidden:
            cockpit.boards(copy.sheet, state, layout)
        return copy.sheet

    return Sheet(title, page)


_CHANGED = "Network with one weight {} by h: Backprop checks a gradient with it"
COPIES = (
    _sheet(UPDATED, "Network one step later: weight − rate × gradient", lambda numbers: numbers.after, _updated),
    _sheet(PLUS, _CHANGED.format("raised"), lambda numbers: numbers.plus, _raised),
    _sheet(MINUS, _CHANGED.format("lowered"), lambda numbers: numbers.minus, _lowered),
)
"""The three, in their order."""
