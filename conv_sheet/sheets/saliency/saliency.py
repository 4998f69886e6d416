"""The sheet `Saliency`: what a classifier looks at in the picture, for a class that the user chooses."""

from collections.abc import Iterable
from functools import partial
from math import prod

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.drawn import Button
from conv_sheet.cells.expr import Expr, absolute, all_of, exact, largest, root, smallest, sumproduct, text, total, where
from conv_sheet.cells.formula import MAX_BLOCKS
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import index, match
from conv_sheet.cells.page import Content, Page, Verdict
from conv_sheet.cells.words import Words
from conv_sheet.errors import SpecError
from conv_sheet.learning import saliency
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import buttons, cockpit
from conv_sheet.sheets.addresses import DISTANCE, TOLERANCE
from conv_sheet.sheets.network import outputs
from conv_sheet.sheets.numpy import largest_distance, written
from conv_sheet.sheets.saliency.blocks import MAPS, SALIENCY, TOP, Blocks, columns
from conv_sheet.sheets.sheet import Owned, Sheet
from conv_sheet.state import WorkbookState

NAME = "saliency"
CHOICE = "saliency_class"
PREDICTED = "predicted"
"""The choice that follows what the network says."""
_LEAST = 0.01
"""A fall of the probability, or the score, that deserves colour."""
_EMPTY = "empty: zeros over any one place change the {answer} by less than {least}. Choose a weaker picture"
_SEEN, _LEAST_SIDE = 72 * style.CELL_SIDE, 15
"""Pixels across that a screen shows at the usual zoom, and those of a cell at least."""
_LARGEST = 4096
"""Most numbers in a picture for which a sheet that nobody asked for is not a burden."""
_CHOICE = Block(SALIENCY, 4, 3, 1, 1)
_BUTTON_ROW, _STATUS_ROW, _TITLE_ROW, _WORDS_ROW = 3, 5, 7, 8
_HEIGHTS = {_BUTTON_ROW: 27, _CHOICE.row: 24, _STATUS_ROW: 22, _TITLE_ROW: 24}
_WIDTHS = {1: 1.5, 2: 18.0, 3: 13.0, 4: 3.0, 5: 2.0}
_READING = (
    "Gradient: the slope of the class's {slope}{before} by every pixel of this picture; it takes one way back "
    "through the network. It points to where more {ink} would raise it.",
    "Occlusion: Python covers one place after another with zeros, asks the network again, and notes how far the "
    "{answer} of the class falls.",
    "The two differ: a slope says what a little more {ink} would do, an occlusion what is lost without a place. "
    "Neither says why.{sure}",
    "Filters: the weights of the first layer, drawn as the pictures that they answer most: {ink} where they are red, "
    "none where they are blue.",
    "To try: choose the class that came second. Draw on the sheet Network where its gradient is red, and look here "
    "at the {answer}.",
)


_NO_BUTTON = Words(
    buttons.WAY_OUT,
    browser="Gradient and occlusion are Python's, of when this page was written; Reset brings back what they show.",
)


def suits(network: Network) -> bool:
    """Whether a network gets the sheet unasked: one with classes and a small picture does."""
    return bool(network.classes) and prod(network.input_shape) <= _LARGEST


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The class that the maps are made for: the predicted one at first."""
    classes = layout.network.classes
    if not classes:
        raise SpecError("sheets: saliency shows what speaks for a class, and the spec names no classes")
    choose = f"Choose a class, or {PREDICTED} for that with the largest answer"
    hint = Words(f"{choose}; then make the maps anew, as said above.", browser=f"{choose}.")
    limits = Limits(choices=(PREDICTED, *classes), hint=hint)
    return (Input.cell(CHOICE, _CHOICE, PREDICTED, limits, listed=Blocks(layout).offered),)


def engine(state: WorkbookState) -> list[Owned]:
    """Gradient (C, H, W), occlusion (H, W), and of what they were made."""
    blocks, network = Blocks(state.layout), state.network
    basis = np.array([one.value for one in _basis(Page(SALIENCY), state, blocks)], dtype=float)
    number = int(basis[0]) - 1
    return [
        (blocks.gradient, partial(saliency.gradient, network, state.activations, state.tensors, number)),
        (blocks.occlusion, partial(saliency.occlusion, network, state.image, state.tensors, number)),
        (blocks.made, partial(np.asarray, basis)),
    ]


def page(state: WorkbookState) -> Page:
    """The sheet: the picture and the first layer's weights as formulas, the maps as Python last made them."""
    blocks = Blocks(state.layout)
    side = _side(blocks)
    sheet = widgets.frame(SALIENCY, blocks.last_column, style.NETWORK_ZOOM, side)
    sheet.widths |= _WIDTHS
    sheet.heights |= _HEIGHTS | {_WORDS_ROW: blocks.words_height}
    sheet.heights |= dict.fromkeys((blocks.names.row - 2, TOP - 1, *blocks.text_rows), style.CELL_HEIGHT)
    question = "Which pixels speak for a class, and which against it? Red is for, blue is against."
    cockpit.head(sheet, state, "What the network looks at", [question], cockpit.columns(side))
    _choice(sheet, state)
    _classes(sheet, state, blocks)
    _picture(sheet, state, blocks)
    _maps(sheet, state, blocks, _status(sheet, state, blocks))
    _filters(sheet, state, blocks)
    sheet.put(blocks.reading_row, 2, "How to read it", style.HEADING)
    for row, line in enumerate(_READING, blocks.reading_row + 1):
        sheet.put(row, 2, line.format(ink=widgets.ink(state.network.input_shape[0]), **_words(state)), style.LINE)
    return sheet


def _words(state: WorkbookState) -> dict[str, str]:
    """What the lines of the sheet call the network's answers, by whether those are probabilities."""
    network = state.network
    if not network.output.layer.probabilities:
        return {"answer": "score", "slope": "score", "before": "", "sure": "", "least": "0.005"}
    sure = " Where the network is quite sure, the probability hardly falls."
    softmax = network.logits != network.output.name
    slope, before = ("score", ", before softmax,") if softmax else ("probability", "")
    return {"answer": "probability", "slope": slope, "before": before, "sure": sure, "least": "0.5 %"}


def _side(blocks: Blocks) -> int:
    """Pixels of a cell with which the maps are in sight beside each other."""
    beside = sum(_WIDTHS.values()) / style.CELL_WIDTH * style.CELL_SIDE
    room = (_SEEN - beside) / (blocks.last_column - MAPS + 1)
    return max(_LEAST_SIDE, min(style.CELL_SIDE, int(room)))


# -- what the maps are made of -----------------------------------------------------------------------------------------


def _names(state: WorkbookState) -> Array:
    """Names of the classes, below each other."""
    return np.array(state.network.classes, dtype=object)[:, np.newaxis]


def _marks(sheet: Page, state: WorkbookState, blocks: Blocks) -> Expr:
    """1 beside what is chosen, 0 beside the other classes."""
    (item,) = inputs(state.layout, state.lesson)
    choice, outputs = sheet.cell(_CHOICE, state.text(item)), state.output[:, np.newaxis]
    said = sheet.each(blocks.outputs, outputs) == largest(sheet.range(blocks.outputs, outputs))
    named = exact(sheet.each(blocks.names, _names(state)), choice)
    return where(where(choice == PREDICTED, said, named), 1, 0)


def _basis(sheet: Page, state: WorkbookState, blocks: Blocks) -> list[Expr]:
    """Of what maps are made now: number of the class, from 1, and sums of all weights, as many as one formula takes.

    The distance between Network and NumPy does not tell all: a weight that meets only zeros in this picture changes no
    value there, but where a patch has changed the picture it may.
    """
    number = match(1, sheet.range(blocks.marks, _marks(sheet, state, blocks).value))
    weights = [
        sheet.range(block, plane)
        for name, placed in state.layout.parameters()
        for block, plane in zip(placed.blocks, placed.planes(state.tensors[name]), strict=True)
    ]
    return [number, *(total(*weights[i : i + MAX_BLOCKS]) for i in range(0, len(weights), MAX_BLOCKS))]


def weights_apart(sheet: Page, state: WorkbookState) -> Expr:
    """How far the sums of all weights are from those of which Python last made its maps, squared; for other sheets."""
    blocks, (_, *now) = Blocks(state.layout), _basis(Page(SALIENCY), state, Blocks(state.layout))
    was, size = written(state, blocks.made)[1:], len(now)
    then = sheet.range(blocks.made.blocks[0].part(0, 1, 1, size), was)
    apart = then - sheet.range(blocks.now.part(0, 1, 1, size), [one.value for one in now])
    return sumproduct(apart * apart)


# -- the sheet ---------------------------------------------------------------------------------------------------------


def _choice(sheet: Page, state: WorkbookState) -> None:
    (item,) = inputs(state.layout, state.lesson)
    sheet.buttons.append(Button(Block(SALIENCY, _BUTTON_ROW, 2, 1, 1), buttons.CAPTIONS["Recompute"], "Recompute"))
    sheet.put(_BUTTON_ROW, 3, _NO_BUTTON, style.NOTE)
    sheet.put(_CHOICE.row, 2, "class", style.LINE)
    sheet.input(item, state[item], style.CHOICE_TEXT)
    sheet.put(_CHOICE.row, MAPS, item.limits.hint, style.NOTE)


def _classes(sheet: Page, state: WorkbookState, blocks: Blocks) -> None:
    """What may be chosen, how sure the network is of each class now, and a mark beside what is chosen."""
    names, sure = blocks.names, state.network.output.layer.probabilities
    for column, head in enumerate(("class", "probability" if sure else "score", None), 2):
        sheet.put(names.row - 2, column, head, style.HEAD if column > 2 else style.HEAD_LEFT)
    area = sheet.range(blocks.outputs, state.output)
    sheet.put(names.row - 1, 2, PREDICTED, style.LINE)
    sheet.put(names.row - 1, 3, index(sheet.range(names, _names(state)), match(largest(area), area)), style.LABEL_RIGHT)
    sheet.fill(names, _names(state), style.LINE)
    look = style.PERCENT if sure else style.DECIMAL
    outputs(sheet, blocks.outputs, state, look.legible(sheet.zoom))
    sheet.fill(blocks.marks, _marks(sheet, state, blocks), style.MARK)


def _picture(sheet: Page, state: WorkbookState, blocks: Blocks) -> None:
    pixels = map(sheet.each, state.layout.input.blocks, state.image)
    words = "the pixels of the sheet Network, as they are now"
    _map(sheet, blocks.picture, "picture", words, pixels, style.ACTIVATION)
    widgets.shades(sheet, blocks.picture.blocks)


def _made(sheet: Page, state: WorkbookState, blocks: Blocks) -> tuple[Expr, Expr]:
    """Of what the maps were made, and of what they would be made now, each a row of cells."""
    (made,), now, was, basis = blocks.made.blocks, blocks.now, written(state, blocks.made), _basis(sheet, state, blocks)
    sheet.put(made.row - 2, 2, "How the sheet knows that its maps are stale", style.LABEL)
    sheet.put(made.row - 1, made.column, "number of the class, sums of all weights", style.LABEL)
    sheet.fill(made, was, style.ENGINE_SCORE)
    for at, one in zip(now.positions(), basis, strict=True):
        sheet.put(*at, one, style.SCORE)
    sheet.names |= dict(blocks.made.names())
    return sheet.range(made, was), sheet.range(now, [one.value for one in basis])


def _class(sheet: Page, state: WorkbookState, blocks: Blocks, number: Expr, row: int, words: str) -> Expr:
    """A cell with the name of the class with this number, `?` where there is none such, behind some words."""
    names = sheet.range(blocks.names, _names(state))
    name = where(all_of(number >= 1, number <= blocks.names.height), index(names, number), "?")
    sheet.put(row, 2, words, style.LABEL)
    sheet.put(row, 3, name, style.LABEL)
    return sheet.cell(Block(SALIENCY, row, 3, 1, 1), name.value)


def _status(sheet: Page, state: WorkbookState, blocks: Blocks) -> Expr:
    """Whether the maps are of what is there now; gives the cell with the class of which they are."""
    (made,), now, bases = blocks.made.blocks, blocks.now, _made(sheet, state, blocks)
    moved, apart = largest_distance(state), root(sumproduct((bases[0] - bases[1]) ** 2))
    was, is_ = (
        sheet.cell(row.part(0, 0, 1, 1), basis.value[0, 0]) for row, basis in zip((made, now), bases, strict=True)
    )
    then = _class(sheet, state, blocks, was, made.row, "when Python ran")
    current = _class(sheet, state, blocks, is_, now.row, "now")

    def same(distance: Expr) -> Expr:
        return all_of(distance <= TOLERANCE, apart <= TOLERANCE)

    fresh = text("These maps are Python's, of picture and weights as they are now, for class ", current, ".")
    changed = "Stale: the sheet Network has changed since Python made these maps."
    other = text("Stale: these maps are for class ", then, ", not for class ", current, ".")
    line = Block(SALIENCY, _STATUS_ROW, 2, 1, blocks.last_column - 1)
    said = where(same(sheet.cell(DISTANCE, moved)), fresh, where(was == is_, changed, other))
    sheet.merged(line, said, style.STATUS)
    sheet.verdicts.append(Verdict(line, same(sheet.named("distance", moved)).formula))
    return then


def _maps(sheet: Page, state: WorkbookState, blocks: Blocks, name: Expr) -> None:
    """What Python made for the class that was chosen then, whose name a cell has."""
    side, stride = saliency.patch(state.network)
    step = f", {stride} further each time" if stride > 1 else ""
    ink = widgets.ink(state.network.input_shape[0])
    told = _words(state)
    slope = f"slope of the {told['slope']} by each pixel. Red: more {ink} raises it. Blue: more {ink} lowers it"
    fall = f"how far the {told['answer']} falls when {side}×{side} zeros cover a place{step}. Red: the class needs it"
    fallen = style.ENGINE_CHANGE if state.network.output.layer.probabilities else style.ENGINE_GRADIENT
    maps = (
        ("gradient", slope, blocks.gradient, style.ENGINE_GRADIENT, 0.0),
        ("occlusion", fall, blocks.occlusion, fallen, _LEAST),
    )
    for kind, words, placed, look, least in maps:
        planes = placed.planes(written(state, placed))
        shown = text(f"{kind} for ", name)
        empty = _EMPTY.format(**told)
        _map(sheet, placed, shown, _told(sheet, placed, planes, words, empty, least / 2), planes, look)
        bound = Block(SALIENCY, TOP - 1, placed.area.last_column, 1, 1)
        widgets.signed(sheet, bound, list(zip(placed.blocks, planes, strict=True)), least)
        sheet.names |= dict(placed.names())
    if blocks.steepest:
        slopes = map(sheet.each, blocks.gradient.blocks, written(state, blocks.gradient))
        words = "the largest absolute value of the gradient over the channels"
        steepest = largest(*map(absolute, slopes))
        _map(sheet, blocks.steepest, "steepest channel", words, [steepest], style.SCORE)
        sheet.scales.append((blocks.steepest.blocks, style.WARM_SCALE))


def _told(sheet: Page, placed: Placed, planes: Iterable[Array], words: str, empty: str, least: float) -> Content:
    """What a map is in words; where it has no value that would be shown, that it is empty, and why."""
    if not least:
        return words
    areas = [sheet.range(block, plane) for block, plane in zip(placed.blocks, planes, strict=True)]
    return where(largest(largest(*areas), -smallest(*areas)) < least, empty, words)


def _filters(sheet: Page, state: WorkbookState, blocks: Blocks) -> None:
    """The first layer's weights as pictures."""
    if blocks.first_layer is None:
        return
    stage, row = blocks.first_layer, blocks.filters_row
    weight = stage.own["weight"]
    planes = weight.planes(state.tensors[f"{stage.name}.weight"])
    title = f"filters of {stage.name}: its weights, as they are now"
    sheet.span(row, MAPS, blocks.last_column, title, style.STAGE_TITLE)
    for number, drawn in enumerate(blocks.filters, 1):
        widgets.caption(sheet, drawn[0][0], f"filter {number}")
        for block, plane in drawn:
            widgets.copy(sheet, block, weight.blocks[plane], planes[plane], style.SCORE)
    every = [(block, planes[plane]) for drawn in blocks.filters for block, plane in drawn]
    widgets.signed(sheet, Block(SALIENCY, row + 1, MAPS, 1, 1), every)


def _map(
    sheet: Page, placed: Placed, title: Content, words: Content, planes: Iterable[Expr | Array], look: style.Style
) -> None:
    """A map, its title, and what it is in words."""
    first, last = columns(placed)
    sheet.span(_TITLE_ROW, first, last, title, style.STAGE_TITLE)
    sheet.span(_WORDS_ROW, first, last, words, style.STAGE_WORDS)
    for number, (block, plane) in enumerate(zip(placed.blocks, planes, strict=True), 1):
        sheet.fill(block, plane, look)
        if len(placed.blocks) > 1:
            widgets.caption(sheet, block, f"channel {number}")


SHEET = Sheet(SALIENCY, page, NAME, inputs, engine)
