"""The sheet `Start`: what this is, the network's answer, what to try, how to read it, the table of layers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells import style, widgets
from conv_sheet.cells.drawn import Bars
from conv_sheet.cells.expr import Expr, Operand, given, is_number, largest, rounded, text, where
from conv_sheet.cells.grid import Block, column_letters
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.page import Mark, Page
from conv_sheet.layers import Border
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout, Stage
from conv_sheet.network.lesson import Lesson, Try
from conv_sheet.sheets import cockpit, images, table
from conv_sheet.sheets.addresses import START
from conv_sheet.sheets.network import outputs
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.sheets.table import CHANNELS, LEFT, PARAMETERS, RIGHT, SEES, SPANS, TORCH, WIDTH, WORK
from conv_sheet.state import WorkbookState

_NARROW = range(LEFT, 28)
"""Columns of square cells, for small pictures; texts span them."""
_WIDTHS = (
    {1: 2.0, 28: 2.0}
    | dict.fromkeys(_NARROW, style.SMALL_WIDTH)
    | {29: 9.0, 30: 9.0, 31: 9.0, 32: 12.0, 33: 13.0, 34: 8.0, 35: 8.0, 36: 2.0, 37: 38.0}
)
SHOW = "show_answers"
_SHOW_COLUMN = 33
_PICTURES = 3
"""Small pictures on their way to the answer, with the first."""
_MOST_OUTPUTS = 10
"""Outputs that are listed where they have no classes."""
_TO_DO, _DONE, _OTHERWISE, _FOLDED = "○", "✓ done", "done, otherwise", "…"
"""What stands for something that has not been done, that has, that has with another result than the answer says, and
for an answer that is not shown."""
_FEW, _DIGITS = 6, 3
"""Numbers of a place that are all shown where a try reads it, and the decimals of each."""
_PLACE = replace(style.NOTE, wrap=True, vertical="top")
_LONG_PLACE = "AA11:AA11"
_SEE = replace(style.LINK_LINE, horizontal="right", vertical="top")
_QUOTED = 255
"""Characters of a text in a formula at most."""

READING = (
    "The sheet Network runs from left to right: picture, then kernels beside the maps that they make, to the answer.",
    "Numbers in boxes are yours: pixels, kernels, biases, weights. Everything else is a formula and follows.",
    "Every map is a picture made of numbers: zoom out for the picture, zoom in for the arithmetic. White is zero.",
    "The sheet Loupe takes one value apart: choose any, and see its window, its weights, their products and the sum.",
    "The sheet NumPy holds what Python made of the same network, place for place; Python says whether the two agree.",
    "Tensors have names: type {name} (or any other) into the box left of the formula bar to jump there.",
)
SHEETS = (
    "It goes on on further sheets, up to {last}: each begins with what it reads of others. Overview shows them all."
)
DRAWING = (
    "Pixels on Network follow the picture chosen on Images: draw there. What is typed over them stays until Reset.",
)
LEARNING = (
    "The sheet Backprop runs from right to left: every gradient stands where its number stands on Network.",
    "The sheet Updated is Network one step of training later; Plus and Minus, hidden, have one weight changed.",
)
GLOSSARY = {
    "kernel": "the few weights that are laid on every window of a picture; filter says the same, with all its channels",
    "map": "what a kernel makes: one number for each window, as a picture",
    "bias": "a number that is added to every sum of a kernel",
    "ReLU": "what is below zero becomes zero: max(0, x)",
    "tensor": "numbers in rows and columns, often several such tables: pictures, kernels and maps are tensors",
    "seed": "the number with which random numbers begin: the same seed, the same numbers",
    "Loupe": "the sheet that takes one number apart",
}
LEGEND = {
    "pixel": "a pixel, {light}: type over it",
    "weight +": "a weight above zero: type over it",
    "weight −": "a weight below zero: type over it",
    "activation": "a formula: the deeper the colour, the larger the value",
    "probability": "a formula: how sure the network is",
    "padding": "a border that only the next layer reads",
}


def page(state: WorkbookState) -> Page:
    """The sheet."""
    network = state.network
    classes = max(map(len, network.classes), default=0)
    sheet = Page(START, widths=_WIDTHS | {cockpit.CLASS_COLUMN: max(_WIDTHS[cockpit.CLASS_COLUMN], classes + 1.0)})
    sheet.span(1, LEFT, RIGHT, state.lesson.title, style.TITLE)
    widgets.paragraph(sheet, 2, LEFT, RIGHT, state.lesson.description, style.SUBTITLE)
    sheet.heights |= {1: 34, 3: 8, 4: 20, 5: 18}
    sheet.heights |= dict.fromkeys(range(cockpit.CLASSES_ROW, cockpit.CLASSES_ROW + cockpit.SHARP), style.SMALL_HEIGHT)
    _pictures(sheet, state)
    _answer(sheet, state)
    row = _tries(sheet, state)
    row = _lines(sheet, "How to read it", tuple(_reading(state)), row)
    row = _legend(sheet, state.layout, row)
    row = _glossary(sheet, row)
    table.add(sheet, network, row)
    return sheet


def _pictures(sheet: Page, state: WorkbookState) -> None:
    """The picture, a map of the first layers and of the last that makes some, each as small as can be."""
    layout = state.layout
    drawn = (stage for stage in layout.stages if len(stage.out.shape) == 3 and not stage.carried)
    maps = [stage for stage in drawn if not stage.nodes or stage.out.shape[1] > 1]
    shown = [stage for stage in maps if not stage.nodes or _is_positive(state, stage)][:_PICTURES]
    if maps and maps[-1] not in shown and maps[-1] is layout.stages[-1]:
        shown = [*shown[: _PICTURES - 1], maps[-1]]
    for number, stage in enumerate(shown):
        column = LEFT + number * (cockpit.SHARP + 1)
        blocks = stage.out.blocks[:1] if stage.nodes else stage.out.blocks
        values = state.activations[stage.shows][0] if stage.nodes else state.image
        made = cockpit.small(
            sheet, cockpit.CLASSES_ROW, column, blocks, values, stage.nodes[-1].name if stage.nodes else ""
        )
        name = next(stage.out.names())[0]
        sheet.put(made.row - 2, column, f"a map of {stage.name}" if stage.nodes else "the picture", style.LINE)
        sheet.put(made.row - 1, column, name, style.LINK_LINE)
        sheet.links[made.row - 1, column] = name
        if number:
            sheet.put(made.row + made.height // 2, column - 1, "→", style.LINE)
        if not stage.nodes:
            cockpit.paint(sheet, [made], len(blocks))
        elif _is_positive(state, stage):
            sheet.scales.append(((made,), style.WARM_SCALE))
        else:
            widgets.signed(sheet, made.part(made.height, 0, 1, 1), [(made, sheet.fills[-1].values)], framed=True)


def _is_positive(state: WorkbookState, stage: Stage) -> bool:
    return stage.shows in state.network.non_negative


def _answer(sheet: Page, state: WorkbookState) -> None:
    """The predicted class with a bar chart of the probabilities, or the plain output where there are no classes."""
    network, row = state.network, cockpit.CLASSES_ROW
    if not cockpit.answers(state):
        _plain_output(sheet, state)
        return
    sheet.put(row - 2, CHANNELS, "The network says", style.HEADING)
    count = len(network.classes)
    labels, values, places = (
        Block(START, row, column, count, 1)
        for column in (cockpit.CLASS_COLUMN, cockpit.OUTPUT_COLUMN, cockpit.PLACE_COLUMN)
    )
    large = Block(START, row, CHANNELS, 3, 3)
    sheet.merged(large, cockpit.answer(state), style.ANSWER, owner=network.output.name)
    sheet.names["prediction"] = large.part(0, 0, 1, 1)
    _said(sheet, state)
    sure = network.output.layer.probabilities
    for column, head in zip(
        (labels, values, places), ("class", "probability" if sure else "output", "place"), strict=True
    ):
        sheet.put(row - 1, column.column, head, style.HEAD_LEFT if column is labels else style.HEAD)
    sheet.fill(labels, np.array(network.classes, dtype=object)[:, np.newaxis], style.LINE)
    outputs(sheet, values, state, style.PERCENT if sure else style.DECIMAL)
    ordered = cockpit.places(state)
    sheet.fill_each(places, lambda y, _: ordered[y], style.NUMBER)
    if state.several:
        block, lines = cockpit.named(state)
        sheet.fill_each(block, lambda y, _: lines[y], style.HIDDEN)
    corner, height = f"{column_letters(SEES)}{row - 1}", max(4.5, 0.53 * (count + 2))
    sheet.bars.append(Bars("How sure is it?" if sure else "The scores", values, labels, corner, 8.8, height, sure))


def _said(sheet: Page, state: WorkbookState) -> None:
    """The lines that the other sheets show, too."""
    says, *best = cockpit.said(state)
    for at, line in zip((cockpit.SAYS, *cockpit.BEST), (says, *best), strict=False):
        block = Block(START, at.row, at.column, 1, WIDTH - CHANNELS + 1)
        sheet.merged(block, line, style.BEST, owner=state.network.output.name)
    sheet.span(cockpit.FIRST.row, CHANNELS, WIDTH, cockpit.at_first(state), style.SAID_FIRST)


def _plain_output(sheet: Page, state: WorkbookState) -> None:
    out, row = state.layout.output, cockpit.CLASSES_ROW
    sheet.put(row - 2, CHANNELS, "The network's output", style.HEADING)
    if len(out.shape) == 3:
        count = "1 map" if out.shape[0] == 1 else f"{out.shape[0]} maps"
        sheet.put(row, CHANNELS, f"{count}, at the right end of the sheet {out.blocks[-1].sheet}", style.LINE)
        return
    outputs(sheet, Block(START, row, CHANNELS, min(out.shape[0], _MOST_OUTPUTS), 1), state, style.DECIMAL)


def _tries_row(network: Network) -> int:
    """The row of the heading of what to try."""
    return cockpit.CLASSES_ROW + max(cockpit.SHARP, len(network.classes), _MOST_OUTPUTS) + 1


def show(layout: Layout) -> Input:
    """Whether the answers to what there is to try are shown."""
    at = Block(START, _tries_row(layout.network), _SHOW_COLUMN, 1, 1)
    return Input.cell(SHOW, at, "no", Limits(choices=("no", "yes"), hint="yes unfolds the answers below."))


def _tries(sheet: Page, state: WorkbookState) -> int:
    """What to try: where, what to do, what to predict, where to read it, whether it is done, and the answer."""
    tries, row = tries_of(state), _tries_row(state.network)
    things = "thing" if len(tries) == 1 else "things"
    sheet.put(row, LEFT, f"{_WORDS.get(len(tries), len(tries))} {things} to try", style.HEADING)
    sheet.put(row, SPANS["kind"][0] + 4, "what the words mean", style.LINK_LINE)
    sheet.links[row, SPANS["kind"][0] + 4] = "words"
    sheet.heights[row] = 24
    item = show(state.layout)
    sheet.put(row, _SHOW_COLUMN - 1, "show answers", style.RIGHT)
    sheet.input(item, state[item], style.CHOICE_TEXT)
    shown = sheet.cell(item.at, state.text(item)) == "yes"
    row += 1
    for number, one in enumerate(tries, 1):
        row = _try(sheet, row, number, one, shown)
    return row + 1


def _try(sheet: Page, row: int, number: int, one: Try, shown: Expr) -> int:
    """One of them, in up to three rows; returns the row behind it."""
    first = SPANS["kind"][0]
    sheet.span(row, *SPANS["layer"], f"{number}  {one.at}", style.LINK)
    sheet.links[row, LEFT] = one.at
    widgets.paragraph(sheet, row, first, RIGHT - 1, one.words)
    done = Block(START, row, RIGHT, 1, 1)
    if one.check:
        happened = where(given(one.then, False), _DONE, _OTHERWISE) if one.then else _DONE
        sheet.judged.add((row, RIGHT))
        sheet.put(row, RIGHT, where(given(one.check, False), happened, _TO_DO), style.DONE)
        sheet.marks.append(Mark(done, f'{done.absolute}="{_DONE}"', style.GOOD, color=style.GOOD_TEXT))
    row += 1
    targets = tuple(one.do) or (one.at,)
    widgets.paragraph(sheet, row, *SPANS["layer"], None, _PLACE, longest=2 * len(targets) * _LONG_PLACE)
    sheet.wheres[row, LEFT] = targets
    if one.ask or one.see:
        choices = f"  {' · '.join(one.choices)}?" if one.choices else ""
        widgets.paragraph(sheet, row, first, PARAMETERS, f"Predict: {one.ask}{choices}" if one.ask else "")
        if one.see:
            sheet.span(row, WORK, SEES, f"{one.see} is", _SEE)
            sheet.links[row, WORK] = one.see
            sheet.put(row, TORCH, None, style.READ)
            sheet.reads[row, TORCH] = one.see
    if one.answer:
        row += 1
        pieces = [one.answer[at : at + _QUOTED] for at in range(0, len(one.answer), _QUOTED)]
        widgets.paragraph(sheet, row, first, RIGHT, where(shown, text(*pieces), _FOLDED), longest=one.answer)
        if one.check:
            block = Block(START, row, first, 1, RIGHT - first + 1)
            shown_right = f'AND({shown.formula},{done.absolute}="{_DONE}")'
            sheet.marks.append(Mark(block, shown_right, style.GOOD, color=style.GOOD_TEXT))
    return row + 1


def places(targets: Sequence[str], names: Mapping[str, Block]) -> str:
    """Where cells are, by their names or addresses with sheets: the sheet, then the cells.

    >>> places(("kernel", "Network!C9", "Images!H3"), {"kernel": Block("Network", 2, 2, 3, 3)})
    'Network: B2:D4, C9; Images: H3'
    """
    cells: dict[str, list[str]] = {}
    for target in targets:
        title, _, address = target.rpartition("!")
        block = names.get(target)
        cells.setdefault(block.sheet if block else title, []).append(block.relative if block else address)
    return "; ".join(f"{title}: {', '.join(every)}" for title, every in cells.items())


def result(block: Block, values: NDArray[Any]) -> Expr:
    """What there is to read of the cells that a try names: one value, a few of them row by row, of many the largest.

    >>> result(Block("S", 2, 2, 1, 2), np.array([[0.5, -2.0]])).value
    '0.5 · -2'
    >>> result(Block("S", 2, 2, 3, 3), np.eye(3)).value
    'largest of 3×3: 1'
    """
    start = Page(START)
    if block.height * block.width > _FEW:
        most = largest(start.range(block, values))
        return text(f"largest of {block.height}×{block.width}: ", rounded(most, _DIGITS))
    cells = [start.cell(block.part(y, x, 1, 1), value) for (y, x), value in np.ndenumerate(values)]
    if len(cells) == 1:
        return cells[0]
    pieces: list[Operand] = []
    for number, cell in enumerate(cells):
        pieces += [" / " if number % block.width == 0 else " · "] if number else []
        pieces.append(where(is_number(cell), rounded(cell, _DIGITS), cell))
    return text(*pieces)


def tries_of(state: WorkbookState) -> tuple[Try, ...]:
    """What to try in a workbook: what its lesson proposes, or else what every network allows."""
    return state.lesson.tries or tuple(_general_tries(state.layout))


_WORDS = {1: "One", 2: "Two", 3: "Three", 4: "Four", 5: "Five", 6: "Six", 7: "Seven", 8: "Eight", 9: "Nine"}


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
    sheet.put(row, LEFT, heading, style.HEADING)
    for number, line in enumerate(lines, 1):
        sheet.span(row + number, LEFT, RIGHT, line, style.LINE)
    return row + len(lines) + 2


def _reading(state: WorkbookState) -> Iterator[str]:
    """How to read the workbook of a network."""
    blocks = next((weight for _, weight in state.layout.parameters()), state.layout.input)
    yield from (line.format(name=next(blocks.names())[0]) for line in READING)
    if len(state.layout.parts) > 1:
        yield SHEETS.format(last=state.layout.parts[-1].sheet)
    if images.NAME in state.lesson.sheets:
        yield from DRAWING
    if state.lesson.backprop:
        yield from LEARNING


def _legend(sheet: Page, layout: Layout, row: int) -> int:
    """What the colours mean, those that the network has."""
    sheet.put(row, LEFT, "Colours", style.HEADING)
    samples = {"pixel": 0.8, "activation": 1.7}
    if any(layout.network.trainable()):
        samples |= {"weight +": 0.5, "weight −": -0.5}
    if any(stage.last_layer.probabilities for stage in layout.stages if stage.nodes):
        samples["probability"] = 0.9
    if any(stage.border != Border() for stage in layout.stages):
        samples["padding"] = 0.0
    shown = [name for name in LEGEND if name in samples]
    for number, name in enumerate(shown, 1):
        sheet.span(row + number, LEFT, LEFT + 1, samples[name], style.SWATCHES[name])
        words = LEGEND[name].format(light=widgets.light(layout.network.input_shape[0]))
        sheet.span(row + number, LEFT + 2, RIGHT, words, style.LINE)
    return row + len(shown) + 2


def _glossary(sheet: Page, row: int) -> int:
    """What the words of the field mean here."""
    sheet.put(row, LEFT, "Words", style.HEADING)
    for number, (word, meaning) in enumerate(GLOSSARY.items(), 1):
        sheet.put(row + number, LEFT, word, style.BOLD_LINE)
        sheet.span(row + number, SPANS["kind"][0] - 3, RIGHT, meaning, style.LINE)
    sheet.names["words"] = Block(START, row, LEFT, 1, 1)
    return row + len(GLOSSARY) + 2


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """Whether answers are shown."""
    return (show(layout),)


SHEET = Sheet(START, page, inputs=inputs)
