"""The sheet `Saliency`: what a classifier looks at in the picture, for a class that the user chooses."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from conv_sheet.cells import style
from conv_sheet.cells import widgets as parts
from conv_sheet.cells.formula import MAX_BLOCKS, nested
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.page import Page, Push, Setting, Verdict
from conv_sheet.cells.words import Live, either, say, tell
from conv_sheet.errors import SpecError
from conv_sheet.layers import Array
from conv_sheet.learning import saliency
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.sheets import buttons
from conv_sheet.sheets.held import Held
from conv_sheet.sheets.numpy import AGREE
from conv_sheet.sheets.start import DISTANCE, largest_distance

NAME = "saliency"
SALIENCY = "Saliency"
SETTING = "saliency_class"
PREDICTED = "predicted"
"""The choice that follows what the network says."""
_PER_CENT = 0.01
"""A fall of the probability that deserves colour."""
_LARGEST = 4096
"""Most numbers in a picture for which a sheet that nobody asked for is not a burden."""
_CHOICE = Block(SALIENCY, 4, 3, 1, 1)
_BUTTON_ROW, _STATUS_ROW, _TITLE_ROW, _WORDS_ROW, _TOP = 3, 5, 7, 8, 10
_MAPS, _GAP, _NARROWEST = 6, 2, 10
"""First column of the maps, columns between them, and the fewest that a title has room in."""
_WIDTHS = {1: 1.5, 2: 17.0, 3: 13.0, 4: 3.0, 5: 2.0}
_READING = (
    "Gradient: the slope of the class's score, before softmax, by every pixel of this picture; it takes one way back "
    "through the network. It points to where more {ink} would raise the score.",
    "Occlusion: Python covers one place after another with zeros, asks the network again, and notes how far the "
    "probability of the class falls.",
    "The two differ: a slope says what a little more {ink} would do, an occlusion what is lost without a place. "
    "Neither says why. Where the network is quite sure, the probability hardly falls.",
    "Filters: the weights of the first layer, drawn as the pictures that they answer most: {ink} where they are red, "
    "none where they are blue.",
    "To try: choose the class that came second. Draw on the sheet Network where its gradient is red, and look here "
    "at the probability.",
)


def suits(network: Network) -> bool:
    """Whether a network gets the sheet unasked: one with classes and a small picture does."""
    return bool(network.classes) and prod(network.input_shape) <= _LARGEST


def settings(layout: Layout) -> tuple[Setting, ...]:
    """The class that the maps are made for: the predicted one at first."""
    classes = layout.network.classes
    if not classes:
        raise SpecError("sheets: saliency shows what speaks for a class, and the spec names no classes")
    hint = f"Choose a class, or {PREDICTED} for the one that the network says; then press Recompute."
    return (Setting(SETTING, _CHOICE, PREDICTED, hint, choices=(PREDICTED, *classes), listed=_Places(layout).offered),)


def engine(held: Held) -> list[tuple[Placed, Array]]:
    """Gradient (C, H, W), occlusion (H, W), and of what they were made: number of the class, sums of the weights."""
    places, network, chosen = _Places(held.layout), held.network, _chosen(held)
    return [
        (places.gradient, saliency.gradient(network, held.activations, held.tensors, chosen)),
        (places.occlusion, saliency.occlusion(network, held.image, held.tensors, chosen)),
        (places.made, _basis(held)),
    ]


def page(held: Held) -> Page:
    """The sheet: the picture and the first layer's weights as formulas, the maps as Python last made them."""
    places = _Places(held.layout)
    sheet = parts.frame(SALIENCY, places.last_column, style.NETWORK_ZOOM)
    sheet.widths |= _WIDTHS
    sheet.heights |= {
        _BUTTON_ROW: 27,
        _CHOICE.row: 24,
        _STATUS_ROW: 22,
        _TITLE_ROW: 24,
        _WORDS_ROW: places.words_height,
    }
    question = "Which pixels speak for a class, and which against it? Red is for, blue is against."
    parts.head(sheet, "What the network looks at", [question], places.last_column)
    _choice(sheet, held)
    _status(sheet, held, places)
    _classes(sheet, held, places)
    _picture(sheet, held, places)
    _maps(sheet, held, places)
    _filters(sheet, held, places)
    sheet.put(places.reading_row, 2, "How to read it", style.HEADING)
    for row, line in enumerate(_READING, places.reading_row + 1):
        sheet.put(row, 2, line.format(ink=parts.ink(held.network.input_shape[0])), style.LINE)
    _made(sheet, held, places)
    return sheet


# -- what the maps are made of -----------------------------------------------------------------------------------------


def _chosen(held: Held) -> int:
    """The chosen class, from 0."""
    choice = held.chosen[SETTING]
    name = held.prediction if choice == PREDICTED else choice
    return held.network.classes.index(str(name))


def _weights(held: Held) -> list[list[tuple[Block, float]]]:
    """Every block of a parameter with the sum of its values, in groups that one formula can name."""
    blocks: list[tuple[Block, float]] = []
    for name, placed in held.layout.parameters():
        sums = placed.planes(held.tensors[name]).sum(axis=(1, 2))
        blocks += zip(placed.blocks, sums.tolist(), strict=True)
    return [blocks[i : i + MAX_BLOCKS] for i in range(0, len(blocks), MAX_BLOCKS)]


def _basis(held: Held) -> Array:
    """Of what maps are made now: number of the class, from 1, and the sum of each group of weights.

    The distance between Network and NumPy does not tell all: a weight that meets only zeros in this picture changes no
    value there, but where a patch has changed the picture it may.
    """
    return np.array([_chosen(held) + 1.0, *(sum(total for _, total in group) for group in _weights(held))])


@dataclass(frozen=True)
class _Places:
    """Where everything stands: from left to right the classes, the picture, and its maps; below them the filters.

    Channels of the picture stand below each other, and so do those of its gradient.
    """

    layout: Layout

    @cached_property
    def names(self) -> Block:
        """Names of the classes; behind them their outputs and marks, above them the predicted one."""
        return Block(SALIENCY, _TOP + 1, 2, len(self.layout.network.classes), 1)

    @property
    def offered(self) -> Block:
        """The names, and before them what stands for the predicted one."""
        return self.names.part(-1, 0, self.names.height + 1, 1)

    @property
    def outputs(self) -> Block:
        return self.names.part(0, 1, self.names.height, 1)

    @property
    def marks(self) -> Block:
        return self.names.part(0, 2, self.names.height, 1)

    def _map(self, place: int, name: str, shape: tuple[int, ...]) -> Placed:
        height, width = shape[-2:]
        column = _MAPS + place * (max(width, _NARROWEST) + _GAP)
        rows = (_TOP + channel * (height + 2) for channel in range(prod(shape[:-2])))
        return Placed(name, shape, tuple(Block(SALIENCY, row, column, height, width) for row in rows))

    @cached_property
    def picture(self) -> Placed:
        return self._map(0, "saliency_input", self.layout.network.input_shape)

    @cached_property
    def gradient(self) -> Placed:
        return self._map(1, "saliency_gradient", self.layout.network.input_shape)

    @cached_property
    def steepest(self) -> Placed | None:
        """The gradient's largest absolute value over the channels, where there are several."""
        channels, height, width = self.layout.network.input_shape
        return self._map(2, "saliency_steepest", (height, width)) if channels > 1 else None

    @cached_property
    def occlusion(self) -> Placed:
        return self._map(3 if self.steepest else 2, "saliency_occlusion", self.layout.network.input_shape[1:])

    @property
    def words_height(self) -> float:
        """Points that the words above a map need: the fewer columns they have, the more lines."""
        first, last = _columns(self.occlusion)
        return 15.0 * -(-20 // (last - first + 1))

    @property
    def last_column(self) -> int:
        return _columns(self.occlusion)[1]

    @cached_property
    def first_layer(self) -> Stage | None:
        """The first stage with kernels or with weights in the shape of the picture; None where it has a matrix."""
        weighted = (stage for stage in self.layout.stages if "weight" in stage.own)
        stage = next((stage for stage in weighted if len(stage.own["weight"].shape) > 1), None)
        return None if stage is None or stage.own["weight"].transposed else stage

    @cached_property
    def filters(self) -> list[list[tuple[Block, int]]]:
        """For each map of the first layer where its weights are drawn, and their planes; channels below each other."""
        if self.first_layer is None:
            return []
        weight = self.first_layer.own["weight"]
        tiles = np.arange(len(weight.blocks)).reshape(weight.shape[0], -1).tolist()
        maps = self.first_layer.layer.kernels(self.first_layer.in_shape) or tiles
        height, width = weight.blocks[0].shape
        across = max(1, (self.last_column - _MAPS + 2) // (width + 1))
        pitch = len(maps[0]) * (height + 1) + 1

        def drawn(number: int, channel: int) -> Block:
            row = self.filters_row + 3 + number // across * pitch + channel * (height + 1)
            return Block(SALIENCY, row, _MAPS + number % across * (width + 1), height, width)

        return [[(drawn(i, c), plane) for c, plane in enumerate(planes)] for i, planes in enumerate(maps)]

    @property
    def filters_row(self) -> int:
        return max(self.picture.area.last_row, self.names.last_row) + 2

    @property
    def reading_row(self) -> int:
        return max((block.last_row for planes in self.filters for block, _ in planes), default=self.filters_row - 2) + 2

    @cached_property
    def made(self) -> Placed:
        """Of what the maps were made, as the engine left it; the row below says of what they would be made now."""
        size = 1 + -(-sum(len(placed.blocks) for _, placed in self.layout.parameters()) // MAX_BLOCKS)
        return Placed("saliency_made", (size,), (Block(SALIENCY, self.reading_row + len(_READING) + 3, 6, 1, size),))

    @property
    def now(self) -> Block:
        (made,) = self.made.blocks
        return made.part(1, 0, 1, made.width)


def _columns(placed: Placed) -> tuple[int, int]:
    """First and last column of a map with its title."""
    area = placed.area
    return area.column, max(area.last_column, area.column + _NARROWEST - 1)


def _named(held: Held, basis: Block, number: float) -> Live:
    """The cell with the name of the class whose number stands first in a basis; `?` where no such number stands."""
    classes = held.network.classes
    name = classes[int(number) - 1] if 1 <= number <= len(classes) else "?"
    return Live(name, Block(SALIENCY, basis.row, 3, 1, 1).cell())


# -- the sheet, from top to bottom -------------------------------------------------------------------------------------


def _choice(sheet: Page, held: Held) -> None:
    (setting,) = settings(held.layout)
    sheet.buttons.append(Push(Block(SALIENCY, _BUTTON_ROW, 2, 1, 1), buttons.CAPTIONS["Recompute"], "Recompute"))
    sheet.put(_BUTTON_ROW, 3, "No button here? A terminal does the same: conv-sheet recompute FILE", style.NOTE)
    sheet.put(_CHOICE.row, 2, "class", style.LINE)
    sheet.setting(setting, held.chosen[setting.name], style.CHOICE_TEXT)
    sheet.put(_CHOICE.row, _MAPS, setting.hint, style.NOTE)


def _status(sheet: Page, held: Held, places: _Places) -> None:
    """Whether the maps are of the class, the picture and the weights that are there now."""
    (made,), now = places.made.blocks, places.now
    was, is_ = held.shown[places.made.name], _basis(held)
    apart = float(np.sqrt(np.nansum((was - is_) ** 2)))
    moved = largest_distance(held.layout, held.activations, held.tensors, held.shown)
    same = f"AND({DISTANCE.reference}<={AGREE:.0E},SQRT(SUMXMY2({made.absolute},{now.absolute}))<={AGREE:.0E})"
    before, after = _named(held, made, was[0]), _named(held, now, is_[0])
    fresh = say("These maps are Python's, of picture and weights as they are now, for class ", after, ".")
    changed = "Stale: the sheet Network has changed since Python made these maps. Press Recompute."
    other = say("Stale: these maps are for class ", before, ". Press Recompute to have them for class ", after, ".")
    stale = either(bool(was[0] == is_[0]), f"{made.cell()}={now.cell()}", changed, other)
    line = Block(SALIENCY, _STATUS_ROW, 2, 1, places.last_column - 1)
    tell(sheet, line, either(max(apart, moved) <= AGREE, same, fresh, stale), style.STATUS)
    sheet.verdicts.append(Verdict(line, same))


def _classes(sheet: Page, held: Held, places: _Places) -> None:
    """What may be chosen, how sure the network is of each class now, and a mark beside what is chosen."""
    names, outputs, owner = places.names, places.outputs, held.layout.stages[-1].name
    answers, choice = held.activations[held.network.output.name][0], held.chosen[SETTING]
    sure, top = held.network.output.layer.probabilities, f"MAX({outputs.absolute})"
    sheet.put(names.row - 2, 2, "class", style.HEAD_LEFT)
    sheet.put(names.row - 2, 3, "probability" if sure else "score", style.HEAD)
    sheet.put(names.row - 2, 4, None, style.HEAD)
    sheet.put(names.row - 1, 2, PREDICTED, style.LINE)
    predicted = f"INDEX({names.absolute},MATCH({top},{outputs.absolute},0))"
    sheet.put(names.row - 1, 3, held.prediction, style.SAYS, predicted)
    for i, (name, answer) in enumerate(zip(held.network.classes, answers.tolist(), strict=True)):
        sheet.put(names.row + i, 2, name, style.LINE)
        output = held.layout.output.other(0, i, 0)
        sheet.put(names.row + i, 3, answer, style.PERCENT if sure else style.DECIMAL, output, owner=owner)
        hit = answer == answers.max() if choice == PREDICTED else name == choice
        chosen = f'IF({_CHOICE.fixed()}="{PREDICTED}",{outputs.cell(i)}={top},EXACT({names.cell(i)},{_CHOICE.fixed()}))'
        sheet.put(names.row + i, 4, float(hit), style.MARK, f"IF({chosen},1,0)")


def _picture(sheet: Page, held: Held, places: _Places) -> None:
    _title(sheet, places.picture, "picture", "the pixels of the sheet Network, as they are now")
    for block, plane, source in zip(places.picture.blocks, held.image, held.layout.input.blocks, strict=True):
        parts.copy(sheet, block, plane, style.ACTIVATION, source)
    parts.shades(sheet, places.picture.blocks)


def _maps(sheet: Page, held: Held, places: _Places) -> None:
    """What Python made for the class that was chosen then."""
    (made,), (side, stride) = places.made.blocks, saliency.patch(held.network)
    name = _named(held, made, held.shown[places.made.name][0])
    step = f", {stride} further each time" if stride > 1 else ""
    ink = parts.ink(held.network.input_shape[0])
    slope = f"slope of the score by each pixel. Red: more {ink} raises the score. Blue: more {ink} lowers it"
    fall = f"how far the probability falls when {side}×{side} zeros cover a place{step}. Red: the class needs it"
    maps = (
        ("gradient", slope, places.gradient, style.ENGINE_SCORE, 0.0),
        ("occlusion", fall, places.occlusion, style.ENGINE_PROBABILITY, _PER_CENT),
    )
    for kind, text, placed, look, least in maps:
        values = held.shown[placed.name]
        _title(sheet, placed, say(f"{kind} for ", name), text)
        sheet.fill(placed.blocks, placed.planes(values).tolist(), look)
        bound = Block(SALIENCY, _TOP - 1, placed.area.last_column, 1, 1)
        parts.signed(sheet, bound, placed.blocks, least)
        sheet.names |= dict(placed.names())
    if places.steepest:
        _steepest(sheet, places.steepest, places.gradient, held.shown[places.gradient.name])


def _steepest(sheet: Page, placed: Placed, gradient: Placed, slopes: Array) -> None:
    """Of each pixel the largest absolute slope over its channels."""
    _title(sheet, placed, "steepest channel", "the largest absolute value of the gradient over the channels")
    (block,) = placed.blocks

    def steepest(y: int, x: int) -> str:
        return nested("MAX", [f"ABS({channel.cell(y, x)})" for channel in gradient.blocks])

    parts.compute(sheet, block, np.abs(slopes).max(axis=0), style.SCORE, steepest)
    sheet.scales.append((placed.blocks, style.WARM_SCALE))


def _filters(sheet: Page, held: Held, places: _Places) -> None:
    """The first layer's weights as pictures."""
    if places.first_layer is None:
        return
    stage, row = places.first_layer, places.filters_row
    weight = stage.own["weight"]
    planes = weight.planes(held.tensors[f"{stage.name}.weight"])
    title = f"filters of {stage.name}: its weights, as they are now"
    sheet.span(row, _MAPS, places.last_column, title, style.STAGE_TITLE)
    for number, drawn in enumerate(places.filters, 1):
        first = drawn[0][0]
        sheet.put(first.row - 1, first.column, f"filter {number}", style.LABEL)
        for block, plane in drawn:
            parts.copy(sheet, block, planes[plane], style.SCORE, weight.blocks[plane])
    blocks = tuple(block for drawn in places.filters for block, _ in drawn)
    parts.signed(sheet, Block(SALIENCY, row + 1, _MAPS, 1, 1), blocks)


def _made(sheet: Page, held: Held, places: _Places) -> None:
    """Of what the maps were made, and of what they would be made now."""
    (made,), now, names = places.made.blocks, places.now, places.names
    was, is_ = held.shown[places.made.name], _basis(held)
    sums = (f"SUM({','.join(block.reference for block, _ in group)})" for group in _weights(held))
    sheet.put(made.row - 1, 2, "How the sheet knows that its maps are stale", style.LABEL)
    sheet.put(made.row - 1, made.column, "number of the class, sums of all weights", style.LABEL)
    sheet.fill([made], [[was.tolist()]], style.ENGINE_SCORE)
    for x, (value, formula) in enumerate(
        zip(is_.tolist(), (f"MATCH(1,{places.marks.absolute},0)", *sums), strict=True)
    ):
        sheet.put(*now.position(0, x), value, style.SCORE, formula)
    for basis, text, number in ((made, "when Python ran", was[0]), (now, "now", is_[0])):
        first = basis.cell()
        name = f'IF(AND({first}>=1,{first}<={names.height}),INDEX({names.absolute},{first}),"?")'
        sheet.put(basis.row, 2, text, style.LABEL)
        sheet.put(basis.row, 3, _named(held, basis, number).value, style.LABEL, name)
    sheet.names |= dict(places.made.names())


def _title(sheet: Page, placed: Placed, title: str | Live, words: str) -> None:
    first, last = _columns(placed)
    text, formula = title if isinstance(title, Live) else (title, None)
    sheet.span(_TITLE_ROW, first, last, text, style.STAGE_TITLE, formula)
    sheet.span(_WORDS_ROW, first, last, words, style.STAGE_WORDS)
    if len(placed.blocks) > 1:
        for number, block in enumerate(placed.blocks, 1):
            sheet.put(block.row - 1, block.column, f"channel {number}", style.LABEL)
