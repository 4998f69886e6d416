"""The sheet `Ascent`: pictures that Python made by moving pixels along gradients, and stored."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Self

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, all_of, largest, rounded, smallest, sumproduct, text, where
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import choose, index, match
from conv_sheet.cells.page import Content, Page, Verdict
from conv_sheet.cells.words import Words
from conv_sheet.errors import SpecError
from conv_sheet.learning import ascent
from conv_sheet.learning.saliency import probabilities
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import buttons, cockpit
from conv_sheet.sheets.addresses import DISTANCE, TOLERANCE
from conv_sheet.sheets.lessons.looks import bounded
from conv_sheet.sheets.numpy import largest_distance, written
from conv_sheet.sheets.saliency import saliency
from conv_sheet.sheets.sheet import Owned, Sheet
from conv_sheet.state import WorkbookState

NAME = "ascent"
ASCENT = "Ascent"
BY_MORE = 0.05
"""A change of a pixel that counts."""

_MADE = "Python computed these pictures, when the workbook was built or at the last Recompute, and stored them"
_LINES = (
    Words(
        f"The weights stay, and the pixels move along their gradients. {_MADE}: they are no formulas.",
        browser="The weights stay, and the pixels move along their gradients. Python computed these pictures when this "
        "page was written: they do not follow changes, and the button Reset brings back what they belong to.",
    ),
    "Choose a class in a box. What Python stored of every class stands below.",
)
_FIRST_WORDS = (
    f"It begins with noise (seed {ascent.SEED}). Each step moves the pixels along the gradient of the score, the "
    f"steepest by {ascent.REACH:g}."
)
_SECOND_WORDS = (
    f"Along the gradient of the new class's score less the old one's, until the network is sure of it by "
    f"{100 * ascent.ENOUGH:g} %. Framed: less ink."
)
_THIRD_WORDS = (
    f"From noise, in {ascent.REBUILDING_STEPS} steps, until a layer makes of it nearly what it makes of the picture. "
    "What is lost here, the layer does not know."
)
_SIDE = 10
"""Pixels of a cell: so small that the pictures of a way are in sight beside each other at the usual zoom."""
_STATUS_ROW, _TOP, _LEFT, _GAP = 4, 9, 2, 2
_DIGITS = 4
"""Decimals of stored pixels."""
_HEAD, _FOOT = 3, 3
"""Rows of texts over and under the frames of a band."""
_CHOICE_WIDTH = 18
_TARGET = "class 3"
"""What is chosen at first, where there is such a class."""


@dataclass(frozen=True)
class _Areas:
    """Where everything stands: three bands of frames, and what Python stored of every class below them."""

    layout: Layout

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers from whose values the picture is made again."""
        return tuple(stage.nodes[-1].name for stage in self.layout.stages[1:-1])

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(f"class {name}" for name in self.layout.network.classes)

    @property
    def _pitch(self) -> tuple[int, int]:
        """Rows from band to band, and columns from frame to frame."""
        height, width = self.layout.input.shape[1:]
        return height + _HEAD + _FOOT, width + _GAP

    def frame(self, band: int, number: int) -> Block:
        down, right = self._pitch
        row, before = (0, band * (1 + len(ascent.SNAPSHOTS))) if band < 2 else (band - 1, 0)
        return Block(ASCENT, _TOP + row * down, _LEFT + (before + number) * right, *self.layout.input.blocks[0].shape)

    def choice(self, band: int) -> Block:
        """Where the class of a band is chosen, behind its title."""
        return self.frame(band, 1).part(-_HEAD, 0, 1, 1)

    def _frames(self, name: str, number: int, each: int, shape: tuple[int, ...]) -> Placed:
        """Pictures below the bands, a row of frames for each class, `each` of them from a place on."""
        frames = [self.frame(3 + c, number + k) for c in range(shape[0]) for k in range(each)]
        return Placed(name, shape, tuple(frames))

    @cached_property
    def of_classes(self) -> Placed:
        each = len(ascent.SNAPSHOTS)
        return self._frames("ascent_classes", 1, each, (len(self.classes), each, *self.layout.input.shape[1:]))

    @cached_property
    def fooled(self) -> Placed:
        return self._frames(
            "ascent_fooled", 1 + len(ascent.SNAPSHOTS), 1, (len(self.classes), *self.layout.input.shape[1:])
        )

    @cached_property
    def start(self) -> Placed:
        """The noise with which pictures begin."""
        return Placed("ascent_start", self.layout.input.shape[1:], (self.frame(0, 0),))

    @cached_property
    def picture(self) -> Placed:
        """The picture, as Python saw it."""
        return Placed("ascent_picture", self.layout.input.shape[1:], (self.frame(2, 0),))

    @cached_property
    def rebuilt(self) -> Placed:
        shape = len(self.layers), *self.layout.input.shape[1:]
        return Placed("ascent_rebuilt", shape, tuple(self.frame(2, 1 + n) for n in range(len(self.layers))))

    def _facts(self, name: str, number: int, width: int) -> Placed:
        """Numbers of every class, right of the stored pictures."""
        first = self.frame(3, 2 + len(ascent.SNAPSHOTS)).part(1, number * 6, len(self.classes), width)
        return Placed(name, first.shape, (first,))

    @cached_property
    def scores(self) -> Placed:
        """Of each class, at first and after each snapshot."""
        return self._facts("ascent_scores", 0, 1 + len(ascent.SNAPSHOTS))

    @cached_property
    def shares(self) -> Placed:
        """The probabilities beside them."""
        return self._facts("ascent_shares", 1, 1 + len(ascent.SNAPSHOTS))

    @cached_property
    def fooling(self) -> Placed:
        """Steps to each class, its probability then, and that of what the picture was taken for."""
        return self._facts("ascent_fooling", 2, 3)

    @property
    def stored(self) -> tuple[Placed, ...]:
        """Everything that Python writes."""
        pictures = self.start, self.of_classes, self.picture, self.fooled, self.rebuilt
        return (*pictures, self.scores, self.shares, self.fooling)

    @property
    def listed(self) -> Block:
        """The classes that can be chosen; below them the numbers of those that are."""
        return self.frame(3, 2 + len(ascent.SNAPSHOTS)).part(1, 18, len(self.classes), 1)

    def number(self, band: int) -> Block:
        return self.listed.part(len(self.classes) + 1 + band, 0, 1, 1)

    @property
    def last_column(self) -> int:
        frames = self.rebuilt.blocks[-1], self.frame(1, 2), self.listed.part(0, 0, 1, 6)
        return max(frame.last_column for frame in frames)


def _areas(layout: Layout) -> _Areas:
    """Raises SpecError for a network that the sheet cannot show."""
    network = layout.network
    if not saliency.suits(network) or network.input_shape[0] != 1 or not network.output.layer.normalises:
        raise SpecError(f"the sheet {NAME!r} needs a small picture of one channel, classes, and a Softmax at the end")
    return _Areas(layout)


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The class to draw, and the class that the picture should become."""
    areas = _areas(layout)
    first = Limits(choices=areas.classes, hint="A picture of which class?")
    second = Limits(choices=areas.classes, hint="What should the picture become?")
    default = _TARGET if _TARGET in areas.classes else areas.classes[0]
    return (
        Input.cell("ascent_class", areas.choice(0), default, first, listed=areas.listed),
        Input.cell("ascent_target", areas.choice(1), default, second, listed=areas.listed),
    )


@dataclass(frozen=True)
class _Basis:
    """A state, equal to others with the same network, picture and weights: their pictures are the same."""

    numbers: tuple[bytes, ...]
    network: Network = field(hash=False)
    state: WorkbookState = field(compare=False)

    @classmethod
    def of(cls, state: WorkbookState) -> Self:
        return cls(tuple(array.tobytes() for array in (state.image, *state.tensors.values())), state.network, state)


@lru_cache(maxsize=4)  # a button asks several times
def _computed(basis: _Basis) -> dict[str, Array]:
    """What Python stores, by the names of its places."""
    state = basis.state
    network, tensors, areas = state.network, state.tensors, _areas(state.layout)
    pictures, fooled = ascent.of_classes(network, tensors), ascent.fooled(network, tensors, state.image)
    count, start = len(areas.classes), ascent.noise(network)
    before = int(probabilities(network, state.image[np.newaxis], tensors)[0].argmax())
    frames = np.concatenate([np.broadcast_to(start, (count, 1, *start.shape)), pictures], axis=1)
    values = network.forward(frames.reshape(-1, *start.shape), tensors)
    own = np.arange(count)
    scores, shares = (
        values[name].reshape(count, -1, count)[own, :, own] for name in (network.logits, network.output.name)
    )
    sure = probabilities(network, fooled.pictures, tensors)
    return {
        "ascent_start": start[0].round(_DIGITS),
        "ascent_classes": pictures[:, :, 0].round(_DIGITS),
        "ascent_scores": scores,
        "ascent_shares": shares,
        "ascent_picture": state.image[0],
        "ascent_fooled": fooled.pictures[:, 0].round(_DIGITS),
        "ascent_fooling": np.stack([fooled.steps, sure[own, own], sure[:, before]], axis=1),
        "ascent_rebuilt": np.stack(
            [ascent.rebuilt(network, tensors, state.image, name)[0] for name in areas.layers]
        ).round(_DIGITS),
    }


def engine(state: WorkbookState) -> list[Owned]:
    """Every picture that Python made, and its numbers."""

    def made(placed: Placed) -> Callable[[], Array]:
        return lambda: _computed(_Basis.of(state))[placed.name]

    return [(placed, made(placed)) for placed in _areas(state.layout).stored]


def page(state: WorkbookState) -> Page:
    """The sheet."""
    areas = _areas(state.layout)
    sheet = widgets.frame(ASCENT, areas.last_column, style.NETWORK_ZOOM, _SIDE)
    cockpit.head(sheet, state, "Pictures from a network", _LINES, cockpit.columns(_SIDE))
    _status(sheet, state)
    for placed in areas.stored:
        sheet.names |= dict(placed.names())
    _put_stored(sheet, state, areas)
    _class(sheet, state, areas)
    _fooling(sheet, state, areas)
    _rebuilt(sheet, state, areas)
    return sheet


def _status(sheet: Page, state: WorkbookState) -> None:
    """Whether the pictures are of what is there now."""
    distance, weights = sheet.cell(DISTANCE, largest_distance(state)), saliency.weights_apart(sheet, state)
    same = all_of(distance <= TOLERANCE, weights <= TOLERANCE**2)
    fresh = "They are of the picture and the weights as they are now."
    stale = "Stale: picture or weights have changed since Python computed these pictures."
    line = Block(ASCENT, _STATUS_ROW, 2, 1, 80)
    sheet.heights[_STATUS_ROW] = style.CELL_HEIGHT
    said = where(same, fresh, stale)
    sheet.merged(line, said, style.STATUS)
    sheet.put(line.row, line.last_column + 3, buttons.WAY_OUT, style.NOTE)
    sheet.verdicts.append(Verdict(line, (sheet.cell(line.part(0, 0, 1, 1), said.value) == fresh).formula))
    sheet.names["ascent_status"] = line.part(0, 0, 1, 1)


def _band(sheet: Page, areas: _Areas, band: int, title: str, words: str) -> None:
    """The title of a band and what it is in words, above its frames."""
    first = areas.frame(band, 0)
    sheet.put(first.row - _HEAD, first.column, title, style.HEADING)
    sheet.put(first.row - _HEAD + 1, first.column, words, style.LINE)
    sheet.heights |= dict.fromkeys(range(first.row - _HEAD, first.row), style.CELL_HEIGHT)
    sheet.heights |= dict.fromkeys((first.last_row + 1, first.last_row + 2), style.CELL_HEIGHT)


def _under(sheet: Page, block: Block, *lines: Content) -> None:
    """What is said below a frame."""
    for row, line in enumerate(lines, block.last_row + 1):
        sheet.put(row, block.column, line, style.LINE)


def _chosen(sheet: Page, state: WorkbookState, areas: _Areas, band: int) -> Expr:
    """The drop-down of a band; gives the cell with the number of the class, from 1."""
    item = inputs(state.layout, state.lesson)[band]
    sheet.input(item, state[item], style.CHOICE_TEXT, _CHOICE_WIDTH)
    labels = np.array([areas.classes], dtype=object).T
    number = match(sheet.cell(item.at, state.text(item)), sheet.range(areas.listed, labels))
    at = areas.number(band)
    sheet.put(at.row, at.column, number, style.HIDDEN)
    return sheet.cell(at, number.value)


def _put_stored(sheet: Page, state: WorkbookState, areas: _Areas) -> None:
    """What Python stored of every class."""
    steps = ", ".join(map(str, ascent.SNAPSHOTS))
    words = (
        f"For each class the pictures after {steps} steps, and the picture made this class. At the right their numbers."
    )
    _band(sheet, areas, 3, "What Python stored of every class", words)
    for number, label in enumerate(areas.classes):
        above = areas.frame(3 + number, 1).part(-1, 0, 1, 1)
        sheet.heights[above.row] = style.CELL_HEIGHT
        sheet.put(above.row, above.column, label, style.CLASS)
    for placed in (areas.of_classes, areas.fooled):
        for block, plane in zip(placed.blocks, placed.planes(written(state, placed)), strict=True):
            sheet.fill(block, plane, style.DOT)
        sheet.scales.append((placed.blocks, style.INK_SCALE))
    for placed in (areas.scores, areas.shares, areas.fooling):
        sheet.fill(placed.blocks[0], written(state, placed), style.ENGINE_SCORE)
    sheet.fill(areas.listed, np.array([areas.classes], dtype=object).T, style.HIDDEN)


def _class(sheet: Page, state: WorkbookState, areas: _Areas) -> None:
    """The pictures on the way to a class."""
    _band(sheet, areas, 0, "1  The network's picture of", _FIRST_WORDS)
    number = _chosen(sheet, state, areas, 0)
    stored, each = written(state, areas.of_classes), len(ascent.SNAPSHOTS)
    planes = sheet.planes(areas.of_classes.blocks, areas.of_classes.planes(stored))
    frames = [areas.frame(0, place) for place in range(each + 1)]
    sheet.fill(frames[0], written(state, areas.start), style.DOT)
    for place, frame in enumerate(frames[1:]):
        sheet.fill(frame, choose(number, *planes[place::each]), style.DOT)
        sheet.names[f"ascent_shown_{place + 1}"] = frame
    sheet.scales.append((tuple(frames), style.Scale(style.INK)))
    facts = [sheet.range(one.blocks[0], written(state, one)) for one in (areas.scores, areas.shares)]
    for place, (frame, steps) in enumerate(zip(frames, (0, *ascent.SNAPSHOTS), strict=True), 1):
        score, share = (index(one, number, place) for one in facts)
        label = f"{steps} steps" if steps else f"noise up to {ascent.NOISE:g}"
        _under(sheet, frame, text(f"{label}: score ", rounded(score, 1), ", ", rounded(share * 100, 1), " %"))
    sheet.names["ascent_score"] = frames[-1].part(frames[-1].height, 0, 1, 1)


def _fooling(sheet: Page, state: WorkbookState, areas: _Areas) -> None:
    """The picture, what is changed, and the picture that the network takes for another class."""
    _band(sheet, areas, 1, "2  The picture, made into", _SECOND_WORDS)
    number = _chosen(sheet, state, areas, 1)
    picture, change, made = (areas.frame(1, place) for place in range(3))
    seen = sheet.each(areas.picture.blocks[0], written(state, areas.picture))
    fooled = choose(number, *sheet.planes(areas.fooled.blocks, written(state, areas.fooled)))
    sheet.fill(picture, seen, style.DOT)
    sheet.fill(made, fooled, style.DOT)
    moved = sheet.each(made, fooled.value) - sheet.each(picture, seen.value)
    sheet.fill(change, moved, style.DOT)
    widgets.framed_below_zero(sheet, (change,), f"{BY_MORE:g}")
    widgets.shades(sheet, (picture, made))
    bounded(sheet, change.part(-1, 0, 1, 1), [(change, moved.value)])
    area, facts = sheet.range(change, moved.value), sheet.range(areas.fooling.blocks[0], written(state, areas.fooling))
    least = BY_MORE + 0.5 * 10**-_DIGITS  # those of 0.05 do not count, to whatever side they are rounded
    counted = sumproduct((area > least) * 1 + (area < -least) * 1)
    most = largest(largest(area), -smallest(area))
    steps, sure, before = (index(facts, number, place) for place in (1, 2, 3))
    _under(sheet, picture, "the picture, as Python saw it")
    _under(
        sheet,
        change,
        text(steps, " steps, at most ", rounded(most, 2)),
        text(counted, f" pixels by more than {BY_MORE:g}"),
    )
    shares = (
        text(rounded(share * 100, 1), f" % the {which} class") for share, which in ((sure, "new"), (before, "old"))
    )
    _under(sheet, made, *shares)
    sheet.names |= {"ascent_change": change, "ascent_made": made}
    said = {
        "ascent_changed": (change, 0),
        "ascent_counted": (change, 1),
        "ascent_new": (made, 0),
        "ascent_old": (made, 1),
    }
    sheet.names |= {name: frame.part(frame.height + line, 0, 1, 1) for name, (frame, line) in said.items()}


def _rebuilt(sheet: Page, state: WorkbookState, areas: _Areas) -> None:
    """The picture, made again from what each layer makes of it."""
    _band(sheet, areas, 2, "3  The picture, made again from what a layer keeps", _THIRD_WORDS)
    picture = areas.picture.blocks[0]
    sheet.fill(picture, written(state, areas.picture), style.DOT)
    seen = sheet.range(picture, written(state, areas.picture))
    _under(sheet, picture, f"the picture: {picture.height * picture.width} numbers")
    rebuilt = written(state, areas.rebuilt)
    for number, (block, plane, name) in enumerate(zip(areas.rebuilt.blocks, rebuilt, areas.layers, strict=True), 1):
        sheet.fill(block, plane, style.DOT)
        apart = sheet.range(block, plane) - seen
        error = rounded(sumproduct(apart * apart) / float(plane.size), 3)
        _under(sheet, block, f"from {state.activations[name][0].size} numbers of {name}", text("error ", error))
        sheet.names[f"ascent_error_{number}"] = block.part(block.height + 1, 0, 1, 1)
    sheet.scales.append(((picture, *areas.rebuilt.blocks), style.INK_SCALE))


SHEET = Sheet(ASCENT, page, NAME, inputs, engine)
