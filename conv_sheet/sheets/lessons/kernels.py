"""The sheet `Kernels`: a kernel chosen by name, what it makes of the picture, and all the kernels that have names."""

from typing import NamedTuple

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import absolute, sumproduct, total, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import index, match
from conv_sheet.cells.page import Mark, Page
from conv_sheet.cells.words import Words
from conv_sheet.errors import ShapeError
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import cockpit
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

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
_CAPTION_HEIGHT = 124
_LINES = (
    "A convolution lays the kernel on every 3×3 window of the picture, multiplies cell by cell and adds up.",
    Words(
        "Choose another kernel, and the map follows. Click on a cell of the map and press F2 to see its window.",
        browser="Choose another kernel, and the map follows. Point at a number of the map to see its window.",
    ),
)
_SUMS = (
    "Zero: where the picture is flat, the map is zero. Only changes remain.",
    "One: where the picture is flat, it stays as it is.",
    "So many times what it was becomes every flat part of the picture.",
)


class _Areas(NamedTuple):
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


def _areas(layout: Layout) -> _Areas:
    source = layout.input.blocks[0]
    if min(source.shape) < 3:
        raise ShapeError(
            f"the sheet {KERNELS} needs a picture of 3×3 pixels at least, not {source.height}×{source.width}"
        )
    return _Areas(Block(KERNELS, _TOP, _LEFT, source.height, source.width))


def choice(layout: Layout) -> Input:
    """The drop-down."""
    hint = "Choose a kernel from the list. For one of your own choose custom."
    at = _areas(layout).choice.part(0, 0, 1, 1)
    return Input.cell(CHOICE, at, "Sobel top", Limits(choices=tuple(CATALOGUE), hint=hint))


def custom(layout: Layout) -> Input:
    """The nine weights of the user's own kernel."""
    at = _areas(layout).shown(list(CATALOGUE).index(CUSTOM))
    return Input.table(CUSTOM_KERNEL, at, np.array(CATALOGUE[CUSTOM].rows), Limits(hint="Type any number."))


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The drop-down, and the user's own kernel."""
    return choice(layout), custom(layout)


def page(state: WorkbookState) -> Page:
    """The sheet: picture, choice and kernel, map, and below them the gallery."""
    areas = _areas(state.layout)
    last = max(areas.map.last_column + 1, areas.gallery.last_column)
    sheet = widgets.frame(KERNELS, last, style.NETWORK_ZOOM)
    cockpit.head(sheet, state, "Kernels: nine numbers decide what a map shows", _LINES)
    _picture(sheet, areas, state)
    weights = _chosen(sheet, areas, state)
    _map(sheet, areas, state.image[0], weights)
    _gallery(sheet, areas, state)
    return sheet


def _picture(sheet: Page, areas: _Areas, state: WorkbookState) -> None:
    widgets.caption(sheet, areas.picture, "the picture, as it stands on the sheet Network", style.CLASS)
    sheet.fill(areas.picture, sheet.each(state.layout.input.blocks[0], state.image[0]), style.ACTIVATION)
    sheet.scales.append(((areas.picture,), style.INK_SCALE))
    sheet.names["kernels_picture"] = areas.picture


def _chosen(sheet: Page, areas: _Areas, state: WorkbookState) -> Array:
    """The drop-down and the kernel that it names, fetched out of the gallery; returns its weights."""
    panel, gallery, item = areas.panel, areas.gallery, choice(state.layout)
    sheet.span(panel.row, panel.column, panel.last_column, "Choose a kernel", style.HEADING)
    sheet.input(item, state[item], style.CHOICE, _PANEL_WIDTH)
    names = sheet.range(gallery.part(-1, 0, 1, gallery.width), _every_pitch(list(CATALOGUE)))
    found = match(sheet.cell(item.at, state.text(item)), names)
    sheet.put(areas.first.row, areas.first.column, found, style.HIDDEN)
    first = sheet.cell(areas.first, found.value)
    kernels = sheet.range(gallery, _side_by_side(state))
    weights = sheet.fill_each(areas.kernel, lambda y, x: index(kernels, y + 1, first + x if x else first), style.KERNEL)
    widgets.signed(sheet, areas.kernel.part(-1, 2, 1, 1), [(areas.kernel, weights)])
    widgets.glyph(sheet, areas.kernel.part(0, -4, 3, 1), "⋆")
    widgets.glyph(sheet, areas.kernel.part(0, 4, 3, 1), "=")
    sheet.names["chosen_kernel"] = areas.kernel
    captions = sheet.range(gallery.part(3, 0, 1, gallery.width), _every_pitch([n.words for n in CATALOGUE.values()]))
    sheet.merged(panel.part(9, 0, 3, _PANEL_WIDTH), index(captions, 1, first), style.TEXT)
    _sum(sheet, areas, weights)
    return weights


def _every_pitch(texts: list[str]) -> Array:
    """Texts as they stand over and under the gallery: one a kernel, nothing between them."""
    row = np.full((1, _PITCH * len(texts)), "", dtype=object)
    row[0, ::_PITCH] = texts
    return row


def _side_by_side(state: WorkbookState) -> Array:
    """All kernels as they stand in the gallery."""
    own = state.array(custom(state.layout))
    stack = [own if name == CUSTOM else np.array(named.rows) for name, named in CATALOGUE.items()]
    return np.hstack([np.pad(weights, ((0, 0), (0, _PITCH - 3))) for weights in stack])


def _sum(sheet: Page, areas: _Areas, weights: Array) -> None:
    """The sum of the chosen kernel's weights, and what it does to flat parts of a picture."""
    panel, summed = areas.panel, total(sheet.near(areas.kernel, weights))
    sheet.merged(areas.total, summed, style.DECIMAL)
    sheet.span(areas.total.row, panel.column + 3, panel.last_column, "is the sum of the weights", style.LINE)
    cell = sheet.cell(areas.total.part(0, 0, 1, 1), summed.value)
    zero, one, other = _SUMS
    words = where(absolute(cell) < ZERO, zero, where(absolute(cell - 1) < ZERO, one, other))
    sheet.merged(panel.part(14, 0, 3, _PANEL_WIDTH), words, style.TEXT)


def _map(sheet: Page, areas: _Areas, image: Array, weights: Array) -> None:
    block = areas.map
    made = sumproduct(sheet.windows(areas.picture, (3, 3), image), sheet.range(areas.kernel, weights))
    sheet.fill(block, made, style.ACTIVATION)
    widgets.signed(sheet, block.part(-2, block.width - 1, 1, 1), [(block, made.value)])
    widgets.caption(
        sheet, block.part(-1, -1, 1, 1), "the map: blue is below zero, white is zero, red is above", style.CLASS
    )
    sheet.names["kernels_map"] = block


def _gallery(sheet: Page, areas: _Areas, state: WorkbookState) -> None:
    gallery, own = areas.gallery, custom(state.layout)
    sheet.span(gallery.row - 3, _LEFT, gallery.last_column, "All kernels; the last one is yours to type", style.HEADING)
    sheet.heights |= {gallery.row - 3: 24, gallery.row - 1: 36, gallery.row + 3: _CAPTION_HEIGHT}
    for number, (name, named) in enumerate(CATALOGUE.items()):
        block = areas.shown(number)
        sheet.span(block.row - 1, block.column, block.column + _PITCH - 2, name, style.NAMED)
        sheet.span(block.row + 3, block.column, block.column + _PITCH - 2, named.words, style.CAPTION)
        if name != CUSTOM:
            sheet.fill(block, np.array(named.rows), style.KERNEL)
            sheet.scales.append(((block,), style.diverging(f"{np.abs(named.rows).max():g}")))
    sheet.input(own, state.array(own), style.OWN_KERNEL)
    widgets.signed(sheet, own.at.part(1, 3, 1, 1), [(own.at, state.array(own))])
    names, item = gallery.part(-1, 0, 1, gallery.width), choice(state.layout)
    chosen = sheet.each(names, _every_pitch(list(CATALOGUE))) == sheet.cell(item.at, state.text(item))
    sheet.marks.append(Mark(names, chosen.formula, style.AMBER))


SHEET = Sheet(KERNELS, page, NAME, inputs)
