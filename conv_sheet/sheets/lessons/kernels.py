"""The sheet `Kernels`: a kernel chosen by name, what it makes of the picture, and all the kernels that have names."""

from typing import NamedTuple

import numpy as np

from conv_sheet import ops as numbers
from conv_sheet.cells import style
from conv_sheet.cells import widgets as parts
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.page import Mark, Page, Setting, table
from conv_sheet.cells.words import Live, either, tell
from conv_sheet.errors import ShapeError
from conv_sheet.layers import Array
from conv_sheet.network.layout import Layout
from conv_sheet.sheets.held import Held

NAME = "kernels"
KERNELS = "Kernels"
CHOICE = "kernel_choice"
CUSTOM = "custom"
CUSTOM_KERNEL = "custom_kernel"
ZERO = 1e-9
"""What is nearer to zero is a rounding error."""

Rows = tuple[tuple[float, float, float], ...]


class Named(NamedTuple):
    """A kernel that has a name: its weights, and what it does, for a learner."""

    rows: Rows
    words: str


CATALOGUE: dict[str, Named] = {
    "identity": Named(((0, 0, 0), (0, 1, 0), (0, 0, 0)), "Passes the middle on: the same picture, two rows smaller."),
    "Sobel top": Named(((-1, -2, -1), (0, 0, 0), (1, 2, 1)), "Below minus above: red where ink begins from the top."),
    "Sobel bottom": Named(((1, 2, 1), (0, 0, 0), (-1, -2, -1)), "Above minus below: red where ink ends to the bottom."),
    "Sobel left": Named(((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)), "Right minus left: red where ink begins from the left."),
    "Sobel right": Named(((1, 0, -1), (2, 0, -2), (1, 0, -1)), "Left minus right: red where ink ends to the right."),
    "Prewitt horizontal": Named(
        ((-1, -1, -1), (0, 0, 0), (1, 1, 1)), "Horizontal edges, all columns alike. Sobel weighs the middle more."
    ),
    "Prewitt vertical": Named(
        ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)), "Vertical edges, all rows alike. Sobel weighs the middle more."
    ),
    "sharpen": Named(((0, -1, 0), (-1, 5, -1), (0, -1, 0)), "Adds what sets a pixel apart from its neighbours."),
    "box blur": Named(((1 / 9,) * 3,) * 3, "The mean of all nine pixels: edges go soft."),
    "Gaussian": Named(
        ((1 / 16, 1 / 8, 1 / 16), (1 / 8, 1 / 4, 1 / 8), (1 / 16, 1 / 8, 1 / 16)),
        "A mean in which near pixels count more: a blur without corners.",
    ),
    "outline": Named(((-1, -1, -1), (-1, 8, -1), (-1, -1, -1)), "Eight times the middle minus all around: edges only."),
    "emboss": Named(((-2, -1, 0), (-1, 1, 1), (0, 1, 2)), "Lower right minus upper left: a relief lit from a corner."),
    CUSTOM: Named(((0, 1, 2), (-1, 0, 1), (-2, -1, 0)), "Yours: type nine numbers into the boxes above."),
}
"""Every kernel by name; the last one is the user's, and starts like this. Edges are those of ink (1) on paper (0).

Sources: Sobel and Feldman, "A 3×3 isotropic gradient operator for image processing"; Prewitt, "Object enhancement and
extraction"; the others are those of Wikipedia's "Kernel (image processing)".
"""

_TOP, _LEFT = 5, 2
_PANEL_WIDTH = 12
_PANEL_HEIGHT = 18
_GAP = 2
_PITCH = 5
_CAPTION_HEIGHT = 78
_LINES = (
    "A convolution lays the kernel on every 3×3 window of the picture, multiplies cell by cell and adds up.",
    "Choose another kernel, and the map follows. Click on a cell of the map and press F2 to see its window.",
)
_SUMS = (
    "Zero: where the picture is flat, the map is zero. Only changes remain.",
    "One: where the picture is flat, it stays as it is.",
    "So many times what it was becomes every flat part of the picture.",
)


class _Places(NamedTuple):
    """Where everything stands, beside and below a picture of this size."""

    picture: Block

    @property
    def panel(self) -> Block:
        """Choice, kernel and words, between picture and map."""
        return Block(KERNELS, _TOP, self.picture.last_column + 1 + _GAP, _PANEL_HEIGHT, _PANEL_WIDTH)

    @property
    def choice(self) -> Block:
        return self.panel.part(1, 0, 1, _PANEL_WIDTH)

    @property
    def kernel(self) -> Block:
        return self.panel.part(5, 4, 3, 3)

    @property
    def first(self) -> Block:
        """First column of the chosen kernel, counted in the gallery."""
        return self.panel.part(2, 0, 1, 1)

    @property
    def total(self) -> Block:
        """Sum of the chosen kernel's weights."""
        return self.panel.part(13, 0, 1, 3)

    @property
    def map(self) -> Block:
        """Each value stands beside the middle of its window."""
        left = self.panel.last_column + 1 + _GAP
        return Block(KERNELS, _TOP + 1, left + 1, self.picture.height - 2, self.picture.width - 2)

    @property
    def gallery(self) -> Block:
        """All kernels side by side, each below its name."""
        top = max(self.picture.last_row, self.panel.last_row) + 5
        return Block(KERNELS, top, _LEFT, 3, _PITCH * len(CATALOGUE))

    def shown(self, number: int) -> Block:
        """The kernel with this number in the gallery."""
        return self.gallery.part(0, number * _PITCH, 3, 3)


def _places(layout: Layout) -> _Places:
    source = layout.input.blocks[0]
    if min(source.shape) < 3:
        raise ShapeError(
            f"the sheet {KERNELS} needs a picture of 3×3 pixels at least, not {source.height}×{source.width}"
        )
    return _Places(Block(KERNELS, _TOP, _LEFT, source.height, source.width))


def settings(layout: Layout) -> tuple[Setting, ...]:
    """The drop-down, and the nine weights of the user's own kernel."""
    places = _places(layout)
    choice = Setting(
        CHOICE,
        places.choice.part(0, 0, 1, 1),
        "Sobel top",
        "Choose a kernel from the list. For one of your own choose custom.",
        choices=tuple(CATALOGUE),
    )
    custom = places.shown(list(CATALOGUE).index(CUSTOM))
    return choice, *table(CUSTOM_KERNEL, custom, CATALOGUE[CUSTOM].rows, "Type any number.", 1e6)


def engine(held: Held) -> list[tuple[Placed, Array]]:
    """Nothing here is the engine's."""
    return []


def kernel(held: Held) -> Array:
    """The chosen kernel (3, 3)."""
    name = held.chosen[CHOICE]
    if name != CUSTOM:
        return np.array(CATALOGUE[str(name)].rows, dtype=float)
    return np.array([[held.chosen[f"{CUSTOM_KERNEL}_{y}_{x}"] for x in (1, 2, 3)] for y in (1, 2, 3)], dtype=float)


def page(held: Held) -> Page:
    """The sheet: picture, choice and kernel, map, and below them the gallery."""
    places = _places(held.layout)
    last = max(places.map.last_column + 1, places.gallery.last_column)
    sheet = parts.frame(KERNELS, last, style.NETWORK_ZOOM)
    parts.head(sheet, "Kernels: nine numbers decide what a map shows", _LINES, last)
    _picture(sheet, places, held)
    _choice(sheet, places, held)
    _kernel(sheet, places, held)
    _map(sheet, places, held)
    _gallery(sheet, places, held)
    return sheet


def _picture(sheet: Page, places: _Places, held: Held) -> None:
    parts.caption(sheet, places.picture, "the picture, as it stands on the sheet Network", style.CLASS)
    parts.copy(sheet, places.picture, held.image[0], style.ACTIVATION, held.layout.input.blocks[0])
    sheet.scales.append(((places.picture,), style.INK_SCALE))
    sheet.names["kernels_picture"] = places.picture


def _choice(sheet: Page, places: _Places, held: Held) -> None:
    """The drop-down, and where the kernel that it names begins in the gallery."""
    choice, *_ = settings(held.layout)
    name = str(held.chosen[CHOICE])
    sheet.span(places.panel.row, places.panel.column, places.panel.last_column, "Choose a kernel", style.HEADING)
    sheet.span(places.choice.row, places.choice.column, places.choice.last_column, None, style.CHOICE)
    sheet.setting(choice, name, style.CHOICE)
    names = places.gallery.part(-1, 0, 1, places.gallery.width)
    first = float(list(CATALOGUE).index(name) * _PITCH + 1)
    formula = f"MATCH({places.choice.fixed()},{names.absolute},0)"
    sheet.put(*places.first.position(0, 0), first, style.HIDDEN, formula)


def _kernel(sheet: Page, places: _Places, held: Held) -> None:
    """The chosen kernel, fetched out of the gallery, with what it does and what its sum means."""
    weights, panel, gallery, first = kernel(held), places.panel, places.gallery, places.first.fixed()

    def fetched(y: int, x: int) -> str:
        return f"INDEX({gallery.absolute},{y + 1},{first}{f'+{x}' if x else ''})"

    parts.compute(sheet, places.kernel, weights, style.KERNEL, fetched)
    parts.signed(sheet, places.kernel.part(-1, 2, 1, 1), (places.kernel,))
    parts.glyph(sheet, places.kernel.part(0, -4, 3, 1), "⋆")
    parts.glyph(sheet, places.kernel.part(0, 4, 3, 1), "=")
    sheet.names["chosen_kernel"] = places.kernel
    captions = gallery.part(3, 0, 1, gallery.width)
    words = Live(CATALOGUE[str(held.chosen[CHOICE])].words, f"INDEX({captions.absolute},1,{first})")
    tell(sheet, panel.part(9, 0, 3, _PANEL_WIDTH), words, style.TEXT)
    total, cell = float(weights.sum()), places.total.fixed()
    sheet.put(*places.total.position(0, 0), total, style.DECIMAL, f"SUM({places.kernel.relative})")
    sheet.merges.append(places.total)
    sheet.span(places.total.row, panel.column + 3, panel.last_column, "is the sum of the weights", style.LINE)
    tell(sheet, panel.part(14, 0, 3, _PANEL_WIDTH), _meaning(total, cell), style.TEXT)


def _meaning(total: float, cell: str) -> Live:
    """What the sum of the weights does to flat parts of a picture."""
    zero, one, other = _SUMS
    rest = either(abs(total - 1) < ZERO, f"ABS({cell}-1)<{ZERO:.0E}", one, other)
    return either(abs(total) < ZERO, f"ABS({cell})<{ZERO:.0E}", zero, rest)


def _map(sheet: Page, places: _Places, held: Held) -> None:
    block = places.map
    values = numbers.conv2d(held.image[np.newaxis, :1], kernel(held)[np.newaxis, np.newaxis])[0, 0]

    def formula(y: int, x: int) -> str:
        return f"SUMPRODUCT({places.picture.window(y, x, 3, 3)},{places.kernel.absolute})"

    parts.compute(sheet, block, values, style.ACTIVATION, formula)
    parts.signed(sheet, block.part(-2, block.width - 1, 1, 1), (block,))
    parts.caption(
        sheet, block.part(-1, -1, 1, 1), "the map: blue is below zero, white is zero, red is above", style.CLASS
    )
    sheet.names["kernels_map"] = block


def _gallery(sheet: Page, places: _Places, held: Held) -> None:
    gallery = places.gallery
    sheet.span(gallery.row - 3, _LEFT, gallery.last_column, "All kernels; the last one is yours to type", style.HEADING)
    sheet.heights |= {gallery.row - 3: 24, gallery.row + 3: _CAPTION_HEIGHT}
    for number, (name, named) in enumerate(CATALOGUE.items()):
        block = places.shown(number)
        sheet.span(block.row - 1, block.column, block.column + _PITCH - 2, name, style.CLASS)
        sheet.span(block.row + 3, block.column, block.column + _PITCH - 2, named.words, style.CAPTION)
        if name != CUSTOM:
            sheet.fill([block], [named.rows], style.KERNEL)
            sheet.scales.append(((block,), style.diverging(f"{np.abs(named.rows).max():g}")))
    _, *own = settings(held.layout)
    sheet.table(CUSTOM_KERNEL, own, held.chosen, style.OWN_KERNEL)
    mine = places.shown(len(CATALOGUE) - 1)
    parts.signed(sheet, mine.part(1, 3, 1, 1), (mine,))
    names = gallery.part(-1, 0, 1, gallery.width)
    sheet.marks.append(Mark(names, f"{names.cell()}={places.choice.fixed()}", style.AMBER))
