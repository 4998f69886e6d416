"""The sheet `Start`: what this is, the network's answer, what to try, how to read it, the table of layers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from conv_sheet.cells import style
from conv_sheet.cells import widgets as parts
from conv_sheet.cells.grid import Block, Placed, around, quote
from conv_sheet.cells.page import Bars, Page, Validation, Verdict
from conv_sheet.layers import Array, Border, Field
from conv_sheet.network.graph import INPUT, Network
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson, Try
from conv_sheet.network.summary import Row, seen, summary
from conv_sheet.sheets import buttons, images
from conv_sheet.sheets.numpy import AGREE, distance_cell, stage_distance

START = "Start"
BUTTON_ROW = 3
STATUS = Block(START, 4, 3, 1, 1)
"""Where Python says what it did."""
DISTANCE = Block(START, 5, 3, 1, 1)
SEED = Block(START, 6, 3, 1, 1)
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


def page(
    lesson: Lesson,
    layout: Layout,
    activations: Mapping[str, Array],
    tensors: Mapping[str, Array],
    engine: Mapping[str, Array],
    status: str,
    seed: int,
    places: Mapping[str, Block],
) -> Page:
    """The sheet; the arguments are those of `NumPy`, what the status line says, and where the defined names lead."""
    network = layout.network
    torch = max(len(node.torch) for node in network.nodes)
    classes = max(map(len, network.classes), default=0)
    sheet = Page(START, widths=_WIDTHS | {4: max(_WIDTHS[4], classes + 1.0), _RIGHT: max(_WIDTHS[_RIGHT], torch + 2.0)})
    sheet.span(1, _LEFT, _RIGHT, lesson.title, style.TITLE)
    sheet.span(2, _LEFT, _RIGHT, lesson.description, style.SUBTITLE)
    sheet.heights |= {1: 34, 2: 34, BUTTON_ROW: 27, STATUS.row: 20}
    buttons.add(sheet, BUTTON_ROW, ((2, 2), (3, 3), (4, 5)))
    sheet.span(
        BUTTON_ROW, 7, _RIGHT, "Recompute without a button: type conv-sheet recompute FILE in a terminal", style.NOTE
    )
    apart = largest_distance(layout, activations, tensors, engine)
    _status(sheet, layout, apart, status, seed)
    row = _answer(sheet, layout, activations, SEED.row + 2)
    row = _tries(sheet, lesson.tries or _general_tries(layout), places, row)
    row = _lines(sheet, "How to read it", tuple(_reading(lesson, layout)), row)
    row = _legend(sheet, layout, row)
    _table(sheet, network, row)
    return sheet


def _answer(sheet: Page, layout: Layout, activations: Mapping[str, Array], row: int) -> int:
    """The predicted class with a bar chart of the probabilities, or the plain output where there are no classes."""
    network = layout.network
    placed, owner = layout.output, layout.stages[-1].name
    output, sure = activations[network.output.name][0], network.output.layer.probabilities
    if not network.classes or len(placed.shape) != 1:
        return _plain_output(sheet, placed, owner, output, row)
    sheet.put(row, _LEFT, "The network says", style.HEADING)
    count = len(network.classes)
    labels, values = Block(START, row + 2, 4, count, 1), Block(START, row + 2, 5, count, 1)
    best = int(np.argmax(output))
    formula = f"INDEX({labels.absolute},MATCH(MAX({values.absolute}),{values.absolute},0))"
    sheet.put(row + 2, _LEFT, network.classes[best], style.ANSWER, formula, owner=owner)
    sheet.names["prediction"] = Block(START, row + 2, _LEFT, 1, 1)
    answer = Block(START, row + 2, _LEFT, 4, 2)
    sheet.merges.append(answer)
    sheet.put(row + 1, 4, "class", style.HEAD_LEFT)
    sheet.put(row + 1, 5, "probability" if sure else "output", style.HEAD)
    look = style.PERCENT if sure else style.DECIMAL
    for number, name in enumerate(network.classes):
        sheet.put(row + 2 + number, 4, name, style.LINE)
        sheet.put(row + 2 + number, 5, float(output[number]), look, placed.other(0, number, 0), owner=owner)
    height = 0.53 * (count + 2)
    sheet.bars.append(Bars("How sure is it?", values, labels, f"G{row + 1}", 15.5, height, sure))
    return row + count + 4


def _plain_output(sheet: Page, placed: Placed, owner: str, output: Array, row: int) -> int:
    sheet.put(row, _LEFT, "The network's output", style.HEADING)
    if len(placed.shape) == 3:
        count = "1 map" if len(placed.blocks) == 1 else f"{len(placed.blocks)} maps"
        sheet.put(row + 1, _LEFT, f"{count}, at the right end of the sheet Network", style.LINE)
        return row + 3
    for number, value in enumerate(output[:16]):
        sheet.put(row + 1 + number, _LEFT, float(value), style.DECIMAL, placed.other(0, number, 0), owner=owner)
    return row + 2 + min(len(output), 16)


def _status(sheet: Page, layout: Layout, apart: float, status: str, seed: int) -> None:
    """What Python last said, the seed of its random kernels, and whether formulas and Python agree, live."""
    sheet.put(STATUS.row, _LEFT, "Python's last word", style.LINE)
    sheet.span(STATUS.row, 3, _RIGHT, status, style.STATUS)
    sheet.put(DISTANCE.row, _LEFT, "largest distance", style.LINE)
    distances = around(tuple(map(distance_cell, layout.stages)))
    sheet.put(DISTANCE.row, 3, apart, style.DISTANCE, f"MAX({distances.reference})")
    sheet.verdicts.append(Verdict(DISTANCE, f"{DISTANCE.fixed()}<={AGREE:.0E}"))
    verdict = f'IF({DISTANCE.cell()}<={AGREE:.0E},"{verdict_text(0)}","{verdict_text(1)}")'
    sheet.span(DISTANCE.row, 4, _RIGHT, verdict_text(apart), style.LINE, verdict)
    sheet.put(SEED.row, _LEFT, "seed", style.LINE)
    sheet.put(SEED.row, 3, float(seed), style.SEED)
    drawn = "what Random kernels draws with: another number, other kernels"
    none = "of no use here: the network has no weights that could be drawn"
    sheet.span(SEED.row, 4, _RIGHT, drawn if any(layout.network.trainable()) else none, style.LINE)
    hint = f"A whole number from 0 to {LARGEST_SEED}."
    sheet.validations.append(Validation((SEED,), "Seed", hint, hint, low=0, high=LARGEST_SEED, whole=True))
    sheet.names |= {"status": STATUS, "distance": DISTANCE, "random_seed": SEED}


def verdict_text(apart: float) -> str:
    """What a distance between formulas and engine means, for a learner."""
    if apart <= AGREE:
        return "Excel and Python agree on every number."
    return "You changed something and Excel has followed; the sheet NumPy still shows what Python made of it before."


def largest_distance(
    layout: Layout, activations: Mapping[str, Array], tensors: Mapping[str, Array], engine: Mapping[str, Array]
) -> float:
    """The largest of the distances that `NumPy` shows, one a stage."""
    largest = 0.0
    for stage in layout.stages:
        now = layout.values(stage, activations, tensors)
        largest = max(largest, stage_distance(stage, now, engine))
    return largest


def _tries(sheet: Page, every: Sequence[Try], places: Mapping[str, Block], row: int) -> int:
    """What to try, each with a link to the cells where it happens."""
    tries = [t for t in every if t.at in places]
    sheet.put(row, _LEFT, f"{_WORDS.get(len(tries), len(tries))} things to try", style.HEADING)
    sheet.heights[row] = 24
    for number, item in enumerate(tries, 1):
        sheet.put(row + number, _LEFT, f"{number}  {item.at}", style.LINK)
        sheet.links[row + number, _LEFT] = f"{quote(places[item.at].sheet)}!{places[item.at].relative}"
        sheet.span(row + number, 3, _RIGHT, item.text, style.TEXT)
        sheet.heights[row + number] = 18
    return row + len(tries) + 2


_WORDS = {1: "One", 2: "Two", 3: "Three", 4: "Four", 5: "Five", 6: "Six", 7: "Seven"}


def _general_tries(layout: Layout) -> list[Try]:
    """Suggestions for a network that comes without its own."""
    conv = next((s for s in layout.stages if s.nodes and s.layer.kernels(s.in_shape)), None)
    first, last = next(layout.input.names())[0], layout.stages[-1]
    tries = [
        Try("Draw: type 1 into some pixels and 0 into others. Everything to the right follows at once.", first),
        Try("Clear the whole picture (0 everywhere). What is left comes from the biases alone.", first),
    ]
    if conv:
        kernel, made = next(conv.own["weight"].names())[0], next(conv.out.names())[0]
        tries += [
            Try("Turn the signs of this kernel round. Light edges become dark ones.", kernel),
            Try("Click any cell of this map and press F2: Excel frames the window and the kernel that make it.", made),
        ]
    return [*tries, Try("Watch this output while you change one weight far to the left.", next(last.out.names())[0])]


def _lines(sheet: Page, heading: str, lines: tuple[str, ...], row: int) -> int:
    sheet.put(row, _LEFT, heading, style.HEADING)
    for number, line in enumerate(lines, 1):
        sheet.span(row + number, _LEFT, _RIGHT, line, style.LINE)
    return row + len(lines) + 2


def _reading(lesson: Lesson, layout: Layout) -> Iterator[str]:
    """How to read the workbook of a network."""
    blocks = next((weight for _, weight in layout.parameters()), layout.input)
    yield from (line.format(name=next(blocks.names())[0]) for line in READING)
    if images.NAME in lesson.sheets:
        yield from DRAWING
    if lesson.backprop:
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
        text = LEGEND[name].format(light=parts.light(layout.network.input_shape[0]))
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
    for column in range(3, _RIGHT + 1):
        sheet.put(bottom, column, None, style.HEAD)
    for column, total in ((7, sum(r.parameters for r in rows)), (8, sum(r.multiply_adds for r in rows))):
        block = Block(START, top, column, len(rows), 1)
        sheet.put(bottom, column, total, style.TOTAL, f"SUM({block.relative})")
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
        sheet.put(row, column, size, style.NUMBER, formula)
    shapes = [s for short, s in node.parameters.items() if short not in node.layer.buffers]
    counted = "+".join("*".join(map(str, shape)) for shape in shapes) or "0"
    sheet.put(row, 7, item.parameters, style.NUMBER, counted)
    work = node.layer.multiply_adds_formula(node.in_shape, read[0].shape, line.shape)
    sheet.put(row, 8, item.multiply_adds, style.NUMBER, work)
    fields = node.layer.fields(node.in_shape)
    if not square:
        sheet.put(row, 9, "all" if item.sees_all else "×".join(map(str, item.step)), style.NUMBER)
        sheet.put(row, 10, "×".join(map(str, item.field)), style.NUMBER)
    elif fields is None or item.sees_all:
        sheet.put(row, 9, "all", style.NUMBER)
        sheet.put(row, 10, item.field[0], style.NUMBER, lines[INPUT].shape[1])
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
        sheet.put(row, 9, float(step), look, f"MAX({','.join(steps)})")
        most = max(line.item.field[0] for line in read) == item.field[0]
        sheet.put(row, 10, item.field[0], style.NUMBER, f"MAX({','.join(fields)})" if most else None)
        return
    sheet.put(row, 9, float(step), look, f"{steps[0]}*{window.stride}{apart}")
    formula = None if item.upsampled else f"{fields[0]}+({seen([window])}-1)*{steps[0]}"
    sheet.put(row, 10, item.field[0], style.NUMBER, formula)
