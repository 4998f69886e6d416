"""Sheets that some lessons have beside those of every network, by the name that a spec's `sheets` gives them."""

from typing import Protocol

from conv_sheet.cells.grid import Placed
from conv_sheet.cells.page import Page, Setting
from conv_sheet.errors import SpecError
from conv_sheet.layers import Array
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.sheets import images, saliency
from conv_sheet.sheets.backprop import gradients as backprop
from conv_sheet.sheets.held import Held
from conv_sheet.sheets.lessons import channels, dropout, field, filters, kernels, masks, pooling, stride
from conv_sheet.sheets.loupe import loupe, places


class Extra(Protocol):
    """What a module of such a sheet has."""

    def settings(self, layout: Layout) -> tuple[Setting, ...]:
        """Cells in which the user chooses something, with what they hold at first."""

    def engine(self, held: Held) -> list[tuple[Placed, Array]]:
        """Blocks that belong to the engine, as plain values, and what they should hold."""

    def page(self, held: Held) -> Page:
        """The sheet, its formulas with the values that they have now."""


EXTRAS: dict[str, Extra] = {
    channels.NAME: channels,
    dropout.NAME: dropout,
    masks.NAME: masks,
    field.NAME: field,
    filters.NAME: filters,
    kernels.NAME: kernels,
    loupe.NAME: loupe,
    saliency.NAME: saliency,
    stride.NAME: stride,
    pooling.NAME: pooling,
}
"""Every such sheet by name, but for `Images`, which depends on the lesson."""


def of(network: Network, lesson: Lesson) -> list[Extra]:
    """The sheets of backpropagation, those that the spec asks for, in its order, and those that it need not ask for.

    These are the loupe, and `Saliency` where it suits.

    Raises SpecError for a name that is none.
    """
    known: dict[str, Extra] = {images.NAME: images.Images(lesson), **EXTRAS}
    unknown = [name for name in lesson.sheets if name not in known]
    if unknown:
        raise SpecError(f"sheets: there is no sheet {unknown[0]!r}; there are {', '.join(known)}")
    if len({dropout.NAME, masks.NAME} & set(lesson.sheets)) == 1:
        raise SpecError(f"the sheets {dropout.NAME!r} and {masks.NAME!r} need each other: name both")
    learning: list[Extra] = [backprop, *backprop.FOLLOWERS] if lesson.backprop else []
    looks = loupe.suits(network)
    every = [loupe.NAME] * looks + [saliency.NAME] * saliency.suits(network)
    names = dict.fromkeys((*lesson.sheets, *every))
    return [*learning, *(known[name] for name in names), *([places] if looks else [])]
