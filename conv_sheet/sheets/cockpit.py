"""The cockpit: what the network says, now and at first, and a small picture, in sight on the sheets where one edits.

The sheet `Start` calculates the lines, all others show them.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import Expr, average, repeated, rounded, sumproduct, text, where
from conv_sheet.cells.grid import Block
from conv_sheet.cells.lookup import index, match
from conv_sheet.cells.page import Page
from conv_sheet.cells.style import Scale
from conv_sheet.network.layout import COCKPIT_ROWS, Layout
from conv_sheet.ops import Array
from conv_sheet.sheets.addresses import CHOICE, IMAGES, LABELS, PICTURE, START, found_says
from conv_sheet.sheets.lessons import mosaic
from conv_sheet.state import NONE, WorkbookState

_ROW_SIDE = 16
HEIGHTS = dict.fromkeys(range(1, COCKPIT_ROWS + 1), style.square(_ROW_SIDE)[1])
"""Points of the rows of a board, by row: they are lower than a column is wide."""
SHARP = 8
"""Rows and columns of a small picture at most."""
SAYS = Block(START, 9, 29, 1, 1)
"""What the network says, in one line."""
BEST = tuple(Block(START, row, 29, 1, 1) for row in (10, 11, 12))
"""The classes with the largest outputs."""
FIRST = Block(START, 13, 29, 1, 1)
"""What Python made of the picture and the weights with which the workbook was built."""
CLASSES_ROW, CLASS_COLUMN, OUTPUT_COLUMN, PLACE_COLUMN, NAMED_COLUMN = 6, 32, 33, 34, 35
"""Where the list of classes begins on `Start`, and its columns; in the last one those named so far, of several."""
AT_FIRST = "at first: "
_BAR = 8
_SAYS_WIDTH, _BEST_WIDTH = 10, 13
BOARD_WIDTH = SHARP + 1 + _SAYS_WIDTH + _BEST_WIDTH
COLUMNS = (44, 52), (54, 64)
"""Of a sheet's heads: what the network says, and the classes with the largest outputs."""
_NEXT = 64
"""Columns of `Network` behind which the board stands once more in a wide stage: fewer than a screen shows."""


def columns(side: int) -> list[tuple[int, int]]:
    """`COLUMNS` of a sheet whose cells have a side of so many pixels."""
    return [(first * style.CELL_SIDE // side, last * style.CELL_SIDE // side) for first, last in COLUMNS]


def answers(state: WorkbookState) -> bool:
    """Whether a network names classes for its outputs."""
    return bool(state.network.classes) and len(state.layout.output.shape) == 1


def lists(state: WorkbookState, page: Page | None = None) -> tuple[Expr, Expr, Expr]:
    """The columns of classes, outputs and places on `Start`, for formulas there or on another page.

    The largest output has place 1, of equals the first.
    """
    count, start = len(state.network.classes), page or Page(START)
    blocks = [Block(START, CLASSES_ROW, column, count, 1) for column in (CLASS_COLUMN, OUTPUT_COLUMN, PLACE_COLUMN)]
    order = np.argsort(-state.output, kind="stable")
    places = np.argsort(order, kind="stable") + 1.0
    values = np.array(state.network.classes, dtype=object), state.output, places
    names, outputs, ranks = (start.range(block, value) for block, value in zip(blocks, values, strict=True))
    return names, outputs, ranks


def places(state: WorkbookState) -> list[Expr]:
    """The place of each class among all, by the outputs on `Start`."""
    start, (_, outputs, _) = Page(START), lists(state)

    def place(number: int) -> Expr:
        own = start.near(Block(START, CLASSES_ROW + number, OUTPUT_COLUMN, 1, 1), state.output[number])
        so_far = Block(START, CLASSES_ROW, OUTPUT_COLUMN, number + 1, 1)
        above = start.range(so_far, state.output[: number + 1])
        return sumproduct((outputs > own) * 1) + sumproduct((above == own) * 1)

    return [place(number) for number in range(len(state.network.classes))]


def named(state: WorkbookState) -> tuple[Block, list[Expr]]:
    """Of a network that may name several classes: where those named so far stand for each class, and what stands there.

    One that shows the sheet `Labels` names those to which that says yes.
    """
    start, count = Page(START), len(state.network.classes)
    block, sure = Block(START, CLASSES_ROW, NAMED_COLUMN, count, 1), state.network.output.layer.probabilities
    lines: list[Expr] = []
    for number, name in enumerate(state.network.classes):
        own, output = (start.cell(Block(START, block.row + number, column, 1, 1), value)
                       for column, value in ((CLASS_COLUMN, name), (OUTPUT_COLUMN, state.output[number])))  # fmt: skip
        says = output >= (0.5 if sure else 0)
        if LABELS.lower() in state.lesson.sheets:
            at = found_says(count).part(number, 0, 1, 1)
            says = start.cell(at, "yes" if name in state.named else "no") == "yes"
        before = start.cell(block.part(number - 1, 0, 1, 1), lines[-1].value) if lines else None
        longer = own if before is None else where(before == "", own, text(before, ", ", own))
        lines.append(where(says, longer, "" if before is None else before))
    return block, lines


def answer(state: WorkbookState) -> Expr:
    """What the network says, on `Start`: the class with the largest output, or all that it names, of several."""
    if not state.several:
        names, _, places = lists(state)
        return index(names, match(1.0, places))
    block, lines = named(state)
    last = Page(START).cell(block.part(block.height - 1, 0, 1, 1), lines[-1].value)
    return where(last == "", NONE, last)


def said(state: WorkbookState) -> tuple[Expr, ...]:
    """The line of what the network says, and those of the classes with the largest outputs."""
    names, outputs, places = lists(state)
    sure = state.network.output.layer.probabilities
    best = []
    for number in range(min(len(BEST), len(state.network.classes))):
        at = match(number + 1.0, places)
        best.append((index(names, at), index(outputs, at)))
    share = () if state.several else (" · ", *_amount(best[0][1], sure))
    says = text("says ", answer(state), *share)
    return (says, *(text(name, "  ", *_bar(value, sure), *_amount(value, sure)) for name, value in best))


def _bar(value: Expr, sure: bool) -> tuple[Expr | str, ...]:
    return (repeated("█", rounded(value * _BAR)), " ") if sure else ()


def _amount(value: Expr, sure: bool) -> tuple[Expr | str, ...]:
    return (rounded(value * 100, 1), " %") if sure else (rounded(value, 2),)


def at_first(state: WorkbookState) -> str:
    """What Python made of the picture and the weights with which the workbook was built."""
    built = state if state.original is None else state.with_typed(state.original)
    largest, sure = float(np.max(built.output)), state.network.output.layer.probabilities
    share = "" if state.several else f" · {100 * largest:.1f} %" if sure else f" · {largest:.2f}"
    return f"{AT_FIRST}{built.prediction}{share}"


def strip(sheet: Page, state: WorkbookState, columns: Sequence[tuple[int, int]], row: int = 1) -> None:
    """Show the lines in three rows: what the network says now and at first in some columns, the best classes beside."""
    if not answers(state):
        return
    (first, last), (left, right) = columns
    if sheet.default_width is not None:
        sheet.widths = dict.fromkeys(range(2, right + 1), sheet.default_width) | sheet.widths
    says, *best = said(state)
    sheet.span(row, first, last, sheet.cell(SAYS, says.value), style.SAYS)
    sheet.span(row + 1, first, last, sheet.cell(FIRST, at_first(state)), style.SAID_FIRST)
    for number, (at, line) in enumerate(zip(BEST, best, strict=False)):
        sheet.span(row + number, left, right, sheet.cell(at, line.value), style.BEST)
    if sheet.title != IMAGES:
        _seen(sheet, state, Block(sheet.title, row + 2, first, 1, last - first + 1))


def _seen(sheet: Page, state: WorkbookState, at: Block) -> None:
    """Which picture the network sees, with a link to where it is chosen: a second list would be a second choice."""
    if PICTURE in state.typed:
        sheet.merged(at, text("sees ", sheet.cell(CHOICE, str(state.typed[PICTURE])), " ▾"), style.SEEN)
        sheet.links[at.row, at.column] = PICTURE


def boards(sheet: Page, state: WorkbookState, layout: Layout, beside_picture: bool = True) -> None:
    """Show the lines beside a small picture, over the first stage and those with weights, wherever there is room.

    Where the first stage is the picture itself, there is no small one over it.
    """
    columns = list(_columns(layout))
    blocks = state.layout.input.blocks
    pixels = _pixels(sheet, blocks, state.image, *_proportioned(*blocks[0].shape))
    shown = columns[1:] if beside_picture else columns
    paint(sheet, [_drawn(sheet, 1, column, pixels) for column in shown], len(blocks))
    if answers(state):
        lines, first = [line.value for line in said(state)], at_first(state)
        for column in columns:
            _board(sheet, lines, first, column)
    for column in columns:
        _seen(sheet, state, Block(sheet.title, COCKPIT_ROWS - 1, column + SHARP + 1, 2, _SAYS_WIDTH - 1))


def _proportioned(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of a board in which a picture keeps its proportions.

    >>> _proportioned(28, 28), _proportioned(1, 20), _proportioned(9, 3)
    ((8, 5), (1, 8), (8, 2))
    """
    rows = max(1, min(COCKPIT_ROWS, COCKPIT_ROWS * height // width))
    return rows, max(1, min(SHARP, round(rows * _ROW_SIDE / style.CELL_SIDE * width / height)))


def _columns(layout: Layout) -> Iterator[int]:
    free = 0
    for stage in layout.stages:
        first, last = stage.columns
        if stage.nodes and not any(True for _ in stage.parameters()):
            continue
        for column in range(first, last + 1, _NEXT):
            if column >= free and (column == first or column + BOARD_WIDTH <= last):
                yield column
                free = column + BOARD_WIDTH + 1


def _board(sheet: Page, lines: Sequence[str], first: str, column: int) -> None:
    says, *best = lines
    left, half = column + SHARP + 1, COCKPIT_ROWS // 2
    sheet.merged(Block(sheet.title, 1, left, half, _SAYS_WIDTH - 1), sheet.cell(SAYS, says), style.SAYS)
    below = Block(sheet.title, half + 1, left, 2, _SAYS_WIDTH - 1)
    sheet.merged(below, sheet.cell(FIRST, first), style.SAID_FIRST)
    for number, (at, line) in enumerate(zip(BEST, best, strict=False)):
        block = Block(sheet.title, 1 + 2 * number, left + _SAYS_WIDTH, 2, _BEST_WIDTH - 1)
        sheet.merged(block, sheet.cell(at, line), style.BEST)


def small(sheet: Page, row: int, column: int, blocks: Sequence[Block], values: Array, owner: str = "") -> Block:
    """A picture of at most eight rows and columns from a place on: averages of its windows, or their nearest colours.

    `values` are those of the blocks, (channels, height, width). Colours come with `paint`.
    """
    high, wide = blocks[0].shape
    side = -(-max(high, wide) // SHARP)
    return _drawn(sheet, row, column, _pixels(sheet, blocks, values, -(-high // side), -(-wide // side)), owner)


def _drawn(sheet: Page, row: int, column: int, pixels: Sequence[Sequence[Expr]], owner: str = "") -> Block:
    made = Block(sheet.title, row, column, len(pixels), len(pixels[0]))
    sheet.fill_each(made, lambda y, x: pixels[y][x], style.DOT, owner)
    return made


def _pixels(sheet: Page, blocks: Sequence[Block], values: Array, rows: int, columns: int) -> list[list[Expr]]:
    """What stands in the cells of a small picture of so many rows and columns, whatever their places on a sheet.

    Each is the average of a window; where the sizes do not divide, neighbours share pixels.
    """
    height, width = blocks[0].shape

    def part(channel: int, y: int, x: int) -> Expr:
        (top, down), (left, right) = _window(y, height, rows), _window(x, width, columns)
        window = blocks[channel].part(top, left, down, right)
        one = values[channel, top : top + down, left : left + right]
        return average(sheet.near(window, one)) if one.size > 1 else sheet.each(window, one.item())

    def pixel(y: int, x: int) -> Expr:
        if len(blocks) == len(style.LIGHTS):
            return mosaic.code(*(part(channel, y, x) for channel in range(len(blocks))))
        return part(0, y, x)

    return [[pixel(y, x) for x in range(columns)] for y in range(rows)]


def _window(number: int, size: int, parts: int) -> tuple[int, int]:
    """Where the part with a number begins of so many parts of equal size, and how long it is.

    >>> [_window(n, 28, 7) for n in (0, 6)], [_window(n, 8, 5) for n in range(5)]
    ([(0, 4), (24, 4)], [(0, 2), (1, 3), (3, 2), (4, 3), (6, 2)])
    """
    first = number * size // parts
    return first, -(-(number + 1) * size // parts) - first


def paint(sheet: Page, pictures: Sequence[Block], channels: int) -> None:
    """Colour small pictures of an input with so many channels."""
    if not pictures:
        return
    if channels == len(style.LIGHTS):
        mosaic.colour(sheet, tuple(pictures))
    else:
        sheet.scales += [((picture,), Scale(style.INK)) for picture in pictures]


def head(
    sheet: Page,
    state: WorkbookState,
    title: str,
    lines: Sequence[str],
    columns: Sequence[tuple[int, int]] = COLUMNS,
) -> None:
    """The sheet's title and a few lines below it, with the cockpit's lines beside them, all of it in frozen rows."""
    last = columns[0][0] - 2 if answers(state) else columns[-1][1]
    widgets.head(sheet, title, lines, last)
    strip(sheet, state, columns)
    sheet.freeze = sheet.freeze or f"A{max(len(BEST), len(lines) + 1) + 1}"
