"""Hidden sheets that keep typed numbers in the places that they have on `Network`.

`Original` has the lesson's own picture and weights, `Kept` what stood there before a button put something else.
"""

from collections.abc import Iterator, Mapping

from conv_sheet.cells import style
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.page import Page
from conv_sheet.layers import Array
from conv_sheet.network.layout import NETWORK, Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.sheets import images

ORIGINAL = "Original"
KEPT = "Kept"
DRAWN = Block(KEPT, 2, 1, 1, 1)
"""The seed of the random kernels that were last drawn; empty where none were."""


def typed(layout: Layout, lesson: Lesson) -> Iterator[tuple[str, Placed]]:
    """Full name and place of everything that a button may put back: picture, as `input`, choice, every parameter.

    The place is that on `Network`; only the choice of a picture has none there, but one on these sheets.
    """
    if images.NAME in lesson.sheets:
        yield images.CHOICE, Placed(images.CHOICE, (), (Block(NETWORK, 3, 1, 1, 1),))
    yield "input", layout.input
    yield from layout.parameters()


def page(
    title: str, layout: Layout, lesson: Lesson, numbers: Mapping[str, Array] | None, drawn: int | None = None
) -> Page:
    """The sheet; nothing has been kept yet where `numbers` is None."""
    sheet = Page(title, hidden=True)
    purpose = "the lesson's own numbers" if title == ORIGINAL else "what stood here before a button changed it"
    sheet.put(1, 1, f"{title}: {purpose}, where Network has its own", style.NOTE)
    if drawn is not None:
        sheet.put(DRAWN.row, DRAWN.column, float(drawn), style.PLAIN)
    if numbers is None:
        return sheet
    for name, placed in typed(layout, lesson):
        sheet.fill(placed.blocks, placed.planes(numbers[name]).tolist(), style.PLAIN)
    return sheet
