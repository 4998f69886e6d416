"""The sheet `Start`: what this is, the network's answer, what to try, how to read it, the table of layers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, largest, where
from conv_sheet.cells.grid import Block, around
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.lookup import index, match
from conv_sheet.cells.page import Bars, Page, Verdict
from conv_sheet.cells.words import Words
from conv_sheet.layers import Border, Field
from conv_sheet.network.graph import INPUT, Network
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson, Try
from conv_sheet.network.summary import Row, seen, summary
from conv_sheet.sheets import buttons, images
from conv_sheet.sheets.addresses import DISTANCE, SEED, START, STATUS, STATUS_LABEL, TOLERANCE
from conv_sheet.sheets.network import outputs
from conv_sheet.sheets.numpy import distance_cell, largest_distance
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

BUTTON_ROW = 3
RANDOM_SEED = "random_seed"
LARGEST_SEED = 999_999
_LEFT, _RIGHT = 2, 12
_WIDTHS = {1: 2.0, 2: 20.0, 3: 15.0, 4: 9.0, 5: 9.0, 6: 9.0, 7: 13.0, 8: 14.0, 9: 10.0, 10: 10.0, 11: 2.0, 12: 44.0}
_HEADS = ("layer", "kind", "channels", "height", "width", "parameters", "multiply–adds", "step", "sees", "", "PyTorch")

READING = (
    "The sheet Network runs from left to right: picture, then kernels beside the maps that they make, to the answer.",
    "Blue numbers in boxes are yours: pixels, kernels, biases, weights. Everything else is a formula and follows.",
    "Every map is a picture made of numbers: zoom out for the picture, zoom in for the arithmetic. White is zero.",
    "The sheet Loupe takes one value apart: choose any, and see its window, its weights, their products and the sum.",
    "The sheet NumPy holds what Python made of the same network, place for place, and the distance between the two.",
    "Tensors have names: type {name} (or any other) into the box left of the formula bar to jump there.",
)
DRAWING = (
    "Pixels on Network follow the picture chosen on Images: draw there. What is typed over them stays until Reset.",
)
LEARNING = (
    "The sheet Backprop runs from right to left: every gradient stands where its number stands on Network.",
    "The sheet Updated is Network one step of training later; Plus and Minus have one weight changed, as a check.",
)
LEGEND = {
    "pixel": "a pixel, {light}: type over it",
    "weight +": "a weight above zero: type over it",
    "weight −": "a weight below zero: type over it",
    "activation": "a formula: the deeper the colour, the larger the value",
    "probability": "a formula: how sure the network is",
    "padding": "a border that only the next layer reads",
}


def seed(layout: Layout, lesson: Lesson) -> Input:
    """What random kernels are drawn with."""
    hint = f"A whole number from 0 to {LARGEST_SEED}."
    return Input.cell(RANDOM_SEED, SEED, 1.0, Limits(0, LARGEST_SEED, whole=True, hint=hint))


def page(state: WorkbookState) -> Page:
    """The sheet."""
    network = state.network
    torch = max(len(node.torch) for node in network.nodes)
    classes = max(map(len, network.classes), default=0)
    sheet = Page(START, widths=_WIDTHS | {4: max(_WIDTHS[4], classes + 1.0), _RIGHT: max(_WIDTHS[_RIGHT], torch + 2.0)})
    sheet.span(1, _LEFT, _RIGHT, state.lesson.title, style.TITLE)
    sheet.span(2, _LEFT, _RIGHT, state.lesson.description, style.SUBTITLE)
    sheet.heights |= {1: 34, 2: 34, BUTTON_ROW: 27, STATUS.row: 20}
    buttons.add(sheet, BUTTON_ROW, ((2, 2), (3, 3), (4, 5)))
    sheet.span(BUTTON_ROW, 7, _RIGHT, _NO_BUTTON, style.NOTE)
    _status(sheet, state)
    row = _answer(sheet, state, SEED.row + 2)
    row = _tries(sheet, state, row)
    row = _lines(sheet, "How to read it", tuple(_reading(state)), row)
    row = _legend(sheet, state.layout, row)
    _table(sheet, network, row)
    return sheet


def _answer(sheet: Page, state: WorkbookState, row: int) -> int:
    """The predicted class with a bar chart of the probabilities, or the plain output where there are no classes."""
    network, out, output = state.network, state.layout.output, state.output
    if not network.classes or len(out.shape) != 1:
        return _plain_output(sheet, state, row)
    sheet.put(row, _LEFT, "The network says", style.HEADING)
    count = len(network.classes)
    labels, values = Block(START, row + 2, 4, count, 1), Block(START, row + 2, 5, count, 1)
    names = np.array(network.classes, dtype=object)
    shares = sheet.range(values, output)
    said = index(sheet.range(labels, names), match(largest(shares), shares))
    sheet.merged(Block(START, row + 2, _LEFT, 4, 2), said, style.ANSWER, owner=network.output.name)
    sheet.names["prediction"] = Block(START, row + 2, _LEFT, 1, 1)
    sure = network.output.layer.probabilities
    sheet.put(row + 1, 4, "class", style.HEAD_LEFT)
    sheet.put(row + 1, 5, "probability" if sure else "output", style.HEAD)
    sheet.fill(labels, names[:, np.newaxis], style.LINE)
    outputs(sheet, values, state, style.PERCENT if sure else style.DECIMAL)
    height = 0.53 * (count + 2)
    sheet.bars.append(Bars("How sure is it?", values, labels, f"G{row + 1}", 15.5, height, sure))
    return row + count + 4


def _plain_output(sheet: Page, state: WorkbookState, row: int) -> int:
    out = state.layout.output
    sheet.put(row, _LEFT, "The network's output", style.HEADING)
    if len(out.shape) == 3:
        count = "1 map" if out.shape[0] == 1 else f"{out.shape[0]} maps"
        sheet.put(row + 1, _LEFT, f"{count}, at the right end of the sheet Network", style.LINE)
        return row + 3
    block = Block(START, row + 1, _LEFT, min(out.shape[0], 16), 1)
    outputs(sheet, block, state, style.DECIMAL)
    return block.last_row + 2


def _status(sheet: Page, state: WorkbookState) -> None:
    """What Python did last, whether formulas and Python agree, live, and the seed of its random kernels."""
    sheet.put(STATUS.row, _LEFT, STATUS_LABEL, style.LINE)
    sheet.span(STATUS.row, 3, _RIGHT, state.status, style.STATUS)
    sheet.put(DISTANCE.row, _LEFT, "largest distance", style.LINE)
    cells = around(tuple(map(distance_cell, state.layout.stages)))
    apart = Expr(largest_distance(state), f"MAX({cells.reference})")
    sheet.put(DISTANCE.row, 3, apart, style.DISTANCE)
    agree = Expr(apart.value, DISTANCE.cell()) <= TOLERANCE
    sheet.verdicts.append(Verdict(DISTANCE, (sheet.cell(DISTANCE, apart.value) <= TOLERANCE).formula))
    sheet.span(DISTANCE.row, 4, _RIGHT, where(agree, _AGREE, _APART), style.LINE)
    sheet.put(SEED.row, _LEFT, "seed", style.LINE)
    item = seed(state.layout, state.lesson)
    sheet.input(item, state[item], style.SEED)
    drawn = Words(
        "what Random kernels draws with: another number, other kernels",
        browser="of use in a workbook: the button Random kernels of this page draws others each time",
    )
    none = "of no use here: the network has no weights that could be drawn"
    sheet.span(SEED.row, 4, _RIGHT, drawn if any(state.network.trainable()) else none, style.LINE)
    sheet.names |= {"status": STATUS, "distance": DISTANCE}


_NO_BUTTON = Words(
    "Recompute without a button: type conv-sheet recompute FILE in a terminal",
    browser="Every formula is calculated here, in this page, as soon as something changes",
)
_AGREE = "Formulas and Python agree on every number."
_APART = "You changed something and the formulas have followed; the sheet NumPy still shows what Python made before."


def _tries(sheet: Page, state: WorkbookState, row: int) -> int:
    """What to try, each with a link to the cells where it happens."""
    tries = tries_of(state)
    sheet.put(row, _LEFT, f"{_WORDS.get(len(tries), len(tries))} things to try", style.HEADING)
    sheet.heights[row] = 24
    for number, item in enumerate(tries, 1):
        sheet.put(row + number, _LEFT, f"{number}  {item.at}", style.LINK)
        sheet.links[row + number, _LEFT] = item.at
        sheet.span(row + number, 3, _RIGHT, item.words, style.TEXT)
        sheet.heights[row + number] = 18
    return row + len(tries) + 2


def tries_of(state: WorkbookState) -> tuple[Try, ...]:
    """What to try in a workbook: what its lesson proposes, or else what every network allows."""
    return state.lesson.tries or tuple(_general_tries(state.layout))


_WORDS = {1: "One", 2: "Two", 3: "Three", 4: "Four", 5: "Five", 6: "Six", 7: "Seven"}


def _general_tries(layout: Layout) -> list[Try]:
    """Suggestions for a network that comes without its own."""
    conv = next((s for s in layout.stages if s.nodes and s.layer.kernels(s.in_shape)), None)
    first, names = next(layout.input.names())[0], {block: name for name, block in layout.names()}
    tries = [
        Try("Draw: type 1 into some pixels and 0 into others. Everything to the right follows at once.", first),
        Try("Clear the whole picture (0 everywhere). What is left comes from the biases alone.", first),
    ]
    if conv:
        kernel, made = next(conv.own["weight"].names())[0], next(conv.out.names())[0]
        tries += [
            Try("Turn the signs of this kernel round. Light edges become dark ones.", kernel),
            Try(
                "Click any cell of this map and press F2: the window and the kernel that make it are framed.",
                made,
                browser="Point at any number of this map: the window and the kernel that make it are framed.",
            ),
        ]
    return [
        *tries,
        Try("Watch this output while you change one weight far to the left.", names[layout.output.blocks[0]]),
    ]


def _lines(sheet: Page, heading: str, lines: tuple[str, ...], row: int) -> int:
    sheet.put(row, _LEFT, heading, style.HEADING)
    for number, line in enumerate(lines, 1):
        sheet.span(row + number, _LEFT, _RIGHT, line, style.LINE)
    return row + len(lines) + 2


def _reading(state: WorkbookState) -> Iterator[str]:
    """How to read the workbook of a network."""
    blocks = next((weight for _, weight in state.layout.parameters()), state.layout.input)
    yield from (line.format(name=next(blocks.names())[0]) for line in READING)
    if images.NAME in state.lesson.sheets:
        yield from DRAWING
    if state.lesson.backprop:
        yield from LEARNING


def _legend(sheet: Page, layout: Layout, row: int) -> int:
    """What the colours mean, those that the network has."""
    sheet.put(row, _LEFT, "Colours", style.HEADING)
    samples = {"pixel": 0.8, "activation": 1.7}
    if any(layout.network.trainable()):
        samples |= {"weight +": 0.5, "weight −": -0.5}
    if any(stage.last_layer.probabilities for stage in layout.stages if stage.nodes):
        samples["probability"] = 0.9
    if any(stage.border != Border() for stage in layout.stages):
        samples["padding"] = 0.0
    shown = [name for name in LEGEND if name in samples]
    for number, name in enumerate(shown, 1):
        sheet.put(row + number, _LEFT, samples[name], style.SWATCHES[name])
        text = LEGEND[name].format(light=widgets.light(layout.network.input_shape[0]))
        sheet.span(row + number, 3, _RIGHT, text, style.LINE)
    return row + len(shown) + 2


@dataclass(frozen=True)
class _Line:
    """Addresses of one row of the table."""

    row: int
    item: Row

    @property
    def shape(self) -> tuple[str, ...]:
        return tuple(f"{letter}{self.row}" for letter in "DEF"[: len(self.item.shape)])


def _table(sheet: Page, network: Network, row: int) -> None:
    rows = summary(network)
    square = all(r.field[0] == r.field[1] and r.step[0] == r.step[1] for r in rows)
    sheet.put(row, _LEFT, "Layers", style.HEADING)
    for column, head in enumerate(_HEADS, _LEFT):
        sheet.put(row + 1, column, head, style.HEAD_LEFT if column in (2, 3, 12) else style.HEAD)
    top = row + 2
    lines = {item.name: _Line(row, item) for row, item in enumerate(rows, top)}
    for item in rows:
        _table_row(sheet, lines, item, square)
    bottom = top + len(rows)
    sheet.put(bottom, _LEFT, "total", style.HEAD_LEFT)
    for column in (*range(3, 7), *range(9, _RIGHT + 1)):
        sheet.put(bottom, column, None, style.HEAD)
    for column, count in ((7, sum(r.parameters for r in rows)), (8, sum(r.multiply_adds for r in rows))):
        block = Block(START, top, column, len(rows), 1)
        sheet.put(bottom, column, Expr(count, f"SUM({block.relative})"), style.TOTAL)
    notes = (
        "parameters: numbers that training may change · multiply–adds: products of value and weight for one picture",
        "sees: how many pixels of the input, along rows and columns, one value depends on"
        " · step: how many pixels further its neighbour looks",
    )
    for number, note in enumerate(notes, 1):
        sheet.span(bottom + number, _LEFT, _RIGHT, note, style.NOTE)


def _table_row(sheet: Page, lines: Mapping[str, _Line], item: Row, square: bool) -> None:
    line = lines[item.name]
    row = line.row
    sheet.put(row, 2, item.name, style.LINE)
    sheet.put(row, 3, item.kind or "picture", style.LINE)
    if item.node is None:
        for column, size in enumerate(item.shape, 4):
            sheet.put(row, column, size, style.NUMBER)
        for column in (9, 10):
            sheet.put(row, column, 1 if square else "1×1", style.NUMBER)
        return
    node, read = item.node, [lines[name] for name in item.node.inputs]
    sizes = node.layer.joined_size_formulas(node.in_shape, [source.shape for source in read])
    for column, (size, formula) in enumerate(zip(item.shape, sizes, strict=True), start=4):
        sheet.put(row, column, Expr(size, formula), style.NUMBER)
    shapes = [s for short, s in node.parameters.items() if short not in node.layer.buffers]
    counted = "+".join("*".join(map(str, shape)) for shape in shapes) or "0"
    sheet.put(row, 7, Expr(item.parameters, counted), style.NUMBER)
    work = node.layer.multiply_adds_formula(node.in_shape, read[0].shape, line.shape)
    sheet.put(row, 8, Expr(item.multiply_adds, work), style.NUMBER)
    fields = node.layer.fields(node.in_shape)
    if not square:
        sheet.put(row, 9, "all" if item.sees_all else "×".join(map(str, item.step)), style.NUMBER)
        sheet.put(row, 10, "×".join(map(str, item.field)), style.NUMBER)
    elif fields is None or item.sees_all:
        sheet.put(row, 9, "all", style.NUMBER)
        sheet.put(row, 10, Expr(item.field[0], lines[INPUT].shape[1]), style.NUMBER)
    else:
        _field(sheet, item, fields[0], row, read)
    sheet.put(row, 12, node.torch, style.CODE)


def _field(sheet: Page, item: Row, window: Field, row: int, read: Sequence[_Line]) -> None:
    """What a layer sees of the input; behind a transposed convolution that is more than a formula of one row.

    What joins several layers sees as much as the one of them that sees most, unless they see different places.
    """
    step, look = item.step[0], style.NUMBER if item.step[0].denominator == 1 else style.DECIMAL
    apart = f"/{window.spread}" if window.spread > 1 else ""
    steps, fields = ([f"{column}{line.row}" for line in read] for column in "IJ")
    if len(read) > 1:
        sheet.put(row, 9, Expr(float(step), f"MAX({','.join(steps)})"), look)
        most = max(line.item.field[0] for line in read) == item.field[0]
        widest = Expr(item.field[0], f"MAX({','.join(fields)})")
        sheet.put(row, 10, widest if most else item.field[0], style.NUMBER)
        return
    sheet.put(row, 9, Expr(float(step), f"{steps[0]}*{window.stride}{apart}"), look)
    extent = Expr(item.field[0], f"{fields[0]}+({seen([window])}-1)*{steps[0]}")
    sheet.put(row, 10, item.field[0] if item.upsampled else extent, style.NUMBER)


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The seed."""
    return (seed(layout, lesson),)


SHEET = Sheet(START, page, inputs=inputs)
