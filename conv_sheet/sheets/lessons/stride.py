"""The sheet `Stride`: kernel size, stride, padding and dilation as cells, and the output that follows from them."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np

from conv_sheet import ops as numbers
from conv_sheet.cells import style
from conv_sheet.cells import widgets as parts
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.page import Mark, Page, Setting, table
from conv_sheet.cells.style import Style
from conv_sheet.cells.words import Live, either, say, tell
from conv_sheet.layers import Array
from conv_sheet.network.layout import Layout
from conv_sheet.sheets.held import Held

NAME = "stride"
STRIDE = "Stride"
SIZE = 7
"""Rows and columns of the picture; they count from 1, and those of the padding before them down from 0."""
KERNEL_SIZE, STEP, PADDING, DILATION = "kernel_size", "stride", "padding", "dilation"
ROW, COLUMN = "stride_row", "stride_column"
PICTURE, WEIGHT, OUTPUT = "stride_picture", "stride_weight", "stride_output"
OUTPUT_SIZE, UNSEEN, VALUE = "stride_size", "stride_unseen", "stride_value"
LARGEST_KERNEL, WIDEST_STRIDE, WIDEST_PADDING, WIDEST_DILATION = 5, 3, 3, 2

_GRID = SIZE + 2 * WIDEST_PADDING
_SPREAD = WIDEST_DILATION * (LARGEST_KERNEL - 1) + 1
_PIXELS = (
    (0, 3, 3, 3, 3, 3, 0),
    (0, 0, 0, 0, 0, 3, 0),
    (0, 0, 0, 0, 2, 1, 0),
    (0, 0, 0, 1, 2, 0, 0),
    (0, 0, 0, 3, 0, 0, 0),
    (0, 0, 1, 2, 0, 0, 0),
    (0, 0, 3, 0, 0, 0, 0),
)
_WEIGHTS = ((1, 0, -1, 0, 1), (2, 0, -2, 0, 2), (1, 0, -1, 0, 1), (0, 0, 0, 1, 0), (1, 2, 1, 0, -1))
_LINES = (
    "Change a number in a blue box: the border around the picture, the kernel and the output follow.",
    "Choose a cell of the output, and the picture shows what it is made of.",
)

_LABELS = {
    KERNEL_SIZE: "kernel_size, k",
    STEP: "stride, s",
    PADDING: "padding, p",
    DILATION: "dilation, d",
    ROW: "row of the output",
    COLUMN: "column of the output",
}

_TOP, _LEFT, _PANEL, _LABEL, _ZOOM = 7, 2, 14, 11, 80


def _line(row: int, height: int = 1, width: int = _PANEL) -> Block:
    """Rows of the panel on the left, from one on."""
    return Block(STRIDE, _TOP + row, _LEFT, height, width)


def _number(row: int) -> Block:
    """The cell for a number behind its label."""
    return _line(row).part(0, _LABEL, 1, 1)


_K_AT, _S_AT, _P_AT, _D_AT, _SPAN_AT = (_number(row) for row in range(5))
_SIZE_AT, _UNSEEN_AT = _number(9), _number(10)
_ROW_AT, _COLUMN_AT, _FIRST_ROW_AT, _FIRST_COLUMN_AT, _VALUE_AT = (_number(row) for row in range(16, 21))
_K, _S, _P, _D, _SPAN, _SIZE = (at.fixed() for at in (_K_AT, _S_AT, _P_AT, _D_AT, _SPAN_AT, _SIZE_AT))
_FIRST_ROW, _FIRST_COLUMN = _FIRST_ROW_AT.fixed(), _FIRST_COLUMN_AT.fixed()
_VALID = f"{_SPAN}>0"
"""Whether each option is what it may be: where one is not, a window spans 0."""
_SPANNED = replace(style.RESULT, format="0;;")

_PADDED = Block(STRIDE, _TOP, _LEFT + _PANEL + 2, _GRID, _GRID)
_INPUT = _PADDED.part(WIDEST_PADDING, WIDEST_PADDING, SIZE, SIZE)
_TYPED = Block(STRIDE, _TOP, _PADDED.last_column + 4, LARGEST_KERNEL, LARGEST_KERNEL)
_KERNEL = Block(STRIDE, _TYPED.last_row + 4, _TYPED.column, _SPREAD, _SPREAD)
_OUT = Block(STRIDE, _TOP + 1, _KERNEL.last_column + 5, _GRID, _GRID)
"""A row lower than the others: two rows of numbers stand above it."""


@dataclass(frozen=True)
class Choice:
    """What the user has chosen, and what follows from it.

    >>> Choice(3, 2, 1, 1).out, Choice(5, 1, 0, 2).out
    (4, 0)
    """

    kernel_size: int
    stride: int
    padding: int
    dilation: int

    @property
    def span(self) -> int:
        """Rows from the first to the last of a window."""
        return self.dilation * (self.kernel_size - 1) + 1

    @property
    def padded(self) -> int:
        """Rows of the picture with its padding."""
        return SIZE + 2 * self.padding

    @property
    def out(self) -> int:
        """Rows of the output; 0 where not one window fits."""
        return max(0, (self.padded - self.span) // self.stride + 1)

    @property
    def cut_off(self) -> bool:
        """Whether the last window ends before the picture does."""
        return (self.padded - self.span) % self.stride > self.padding

    @property
    def unseen(self) -> int:
        """Rows of the picture for which no window has a weight: at its end, between windows, between weights.

        >>> Choice(2, 3, 0, 1).unseen, Choice(5, 3, 3, 2).unseen
        (3, 0)
        """
        first, weights = 1 - self.padding, range(self.kernel_size)
        seen = {first + n * self.stride + weight * self.dilation for n in range(self.out) for weight in weights}
        return len(set(range(1, SIZE + 1)) - seen)

    def first(self, number: int) -> int | None:
        """The row of the picture with which the window of an output row begins; None where there is no such row."""
        return 1 - self.padding + (number - 1) * self.stride if number <= self.out else None


def settings(layout: Layout) -> tuple[Setting, ...]:
    """The four options, the output cell to look at, the picture and the kernel."""
    return (
        _whole(KERNEL_SIZE, _K_AT, 3, 1, LARGEST_KERNEL),
        _whole(STEP, _S_AT, 1, 1, WIDEST_STRIDE),
        _whole(PADDING, _P_AT, 1, 0, WIDEST_PADDING),
        _whole(DILATION, _D_AT, 1, 1, WIDEST_DILATION),
        _whole(ROW, _ROW_AT, 2, 1, _GRID),
        _whole(COLUMN, _COLUMN_AT, 6, 1, _GRID),
        *_table(PICTURE, _INPUT, _PIXELS),
        *_table(WEIGHT, _TYPED, _WEIGHTS),
    )


def _whole(name: str, block: Block, start: int, low: int, high: int) -> Setting:
    return Setting(name, block, start, f"A whole number from {low} to {high}.", low, high)


def _table(name: str, block: Block, start: Sequence[Sequence[float]]) -> tuple[Setting, ...]:
    return table(name, block, start, "Any number from -99 to 99.", 99)


def engine(held: Held) -> list[tuple[Placed, Array]]:
    """Nothing here is the engine's."""
    return []


def choice(held: Held) -> Choice:
    """The four options."""
    return Choice(*(int(held.chosen[name]) for name in (KERNEL_SIZE, STEP, PADDING, DILATION)))


def typed(held: Held, name: str, block: Block) -> Array:
    """The numbers that the user has typed into a block."""
    lines = [[held.chosen[f"{name}_{y + 1}_{x + 1}"] for x in range(block.width)] for y in range(block.height)]
    return np.array(lines, dtype=float)


def output(held: Held) -> Array:
    """What the convolution makes of the picture, (out, out); empty where no window fits."""
    now = choice(held)
    if not now.out:
        return np.zeros((0, 0))
    image, weight = typed(held, PICTURE, _INPUT), typed(held, WEIGHT, _TYPED)[: now.kernel_size, : now.kernel_size]
    maps = numbers.conv2d(
        image[np.newaxis, np.newaxis],
        weight[np.newaxis, np.newaxis],
        stride=now.stride,
        padding=now.padding,
        dilation=now.dilation,
    )
    first: Array = maps[0, 0]
    return first


def page(held: Held) -> Page:
    """The sheet: options and words, the padded picture, the kernel, the output."""
    sheet = parts.frame(STRIDE, _OUT.last_column, _ZOOM)
    parts.head(sheet, "Stride, padding, dilation: where the windows stand", _LINES, _OUT.last_column)
    now, values = choice(held), output(held)
    asked = {setting.name: setting for setting in settings(held.layout)}
    for name, label in _LABELS.items():
        parts.ask(sheet, asked[name], held.chosen[name], label, _LABEL)
    _options(sheet, now, [asked[name] for name in (KERNEL_SIZE, STEP, PADDING, DILATION)])
    _looked_at(sheet, held, now, values)
    _padded(sheet, held, now)
    _kernel(sheet, held, now)
    _output(sheet, now, values)
    return sheet


def _options(sheet: Page, now: Choice, asked: Sequence[Setting]) -> None:
    """What follows from the four options: the formula with letters and with numbers, and what there is to say."""
    k, s, p, d = (Live(v, at) for v, at in zip(astuple(now), (_K, _S, _P, _D), strict=True))
    _heading(sheet, _line(-1), "The options of nn.Conv2d")
    span = f"IF(AND({','.join(map(parts.allowed, asked))}),{_D}*({_K}-1)+1,0)"
    _result(sheet, _SPAN_AT, "a window spans d·(k − 1) + 1", now.span, span, _SPANNED)
    _heading(sheet, _line(6), "How large is the output?")
    tell(sheet, _line(7), say("⌊(i + 2·p − d·(k − 1) − 1) / s⌋ + 1"), style.CODE)
    numbered = say(f"⌊({SIZE} + 2·", p, " − ", d, "·(", k, " − 1) − 1) / ", s, "⌋ + 1")
    tell(sheet, _line(8), either(True, _VALID, numbered, ""), style.CODE)
    size = f"IF({_SPAN}=0,0,IF({_SPAN}>{SIZE}+2*{_P},0,INT(({SIZE}+2*{_P}-{_D}*({_K}-1)-1)/{_S})+1))"
    _result(sheet, _SIZE_AT, "rows and columns of the output", now.out, size)
    sheet.names[OUTPUT_SIZE] = _SIZE_AT
    _result(sheet, _UNSEEN_AT, "rows of the picture in no window", now.unseen, _unseen())
    sheet.names[UNSEEN] = _UNSEEN_AT
    tell(sheet, _line(11, 4), _verdict(now, asked), style.TEXT)
    sheet.marks.append(Mark(_line(11, 4), f"{_SIZE}=0", style.BAD))


def _unseen() -> str:
    """Formula of how many rows of the picture no window sees: none of a window's weights lies on them."""
    begins, weights = _OUT.part(0, -1, _GRID, 1).absolute, _TYPED.part(-1, 0, 1, LARGEST_KERNEL).absolute
    lies = [f"({begins}={row}-({weights}-1)*{_D})*({weights}<={_K})" for row in range(1, SIZE + 1)]
    return f"IF({_SIZE}=0,{SIZE},{SIZE}-{'-'.join(f'(SUMPRODUCT({each})>0)' for each in lies)})"


def _verdict(now: Choice, asked: Sequence[Setting]) -> Live:
    """What there is to say of the size; why there is no output, if there is none."""
    padded, span = Live(now.padded, f"({SIZE}+2*{_P})"), Live(now.span, _SPAN)
    impossible = say(
        *("Impossible: a window spans ", span, " rows and columns, the padded picture has only ", padded),
        ". Take a smaller kernel, less dilation or more padding.",
    )
    smaller = say("The output is smaller than the picture by ", Live(SIZE - now.out, f"({SIZE}-{_SIZE})"), ".")
    larger = say("The output is larger than the picture by ", Live(now.out - SIZE, f"({_SIZE}-{SIZE})"), ".")
    other = either(now.out < SIZE, f"{_SIZE}<{SIZE}", smaller, larger)
    size = either(now.out == SIZE, f"{_SIZE}={SIZE}", "The output is as large as the picture.", other)
    unseen = Live(now.unseen, _UNSEEN_AT.fixed())
    cut_off = f"MOD({padded.formula}-{_SPAN},{_S})>{_P}"
    ended = either(now.cut_off, cut_off, " ⌊ ⌋ rounds down: the last window ends before the picture does.", "")
    missed = say(
        " ", unseen, f" of the picture's {SIZE} rows and ", unseen, f" of its {SIZE} columns are in no window."
    )
    lost = either(now.unseen == 0, f"{unseen.formula}=0", "", say(missed, ended))
    empty = " The outermost windows see nothing but padding."
    idle = either(now.padding >= now.span, f"{_P}>={_SPAN}", empty, "")
    refused = [f"{one.name} is not a whole number from {one.low} to {one.high}. " for one in asked]
    wrong = [either(True, parts.allowed(one), "", words) for one, words in zip(asked, refused, strict=True)]
    impossible = either(True, _VALID, impossible, say("Impossible: ", *wrong))
    return either(now.out == 0, f"{_SIZE}=0", impossible, say(size, lost, idle))


def _looked_at(sheet: Page, held: Held, now: Choice, values: Array) -> None:
    """One output cell: with which row and column of the picture its window begins, and what its value is."""
    row, column = (int(held.chosen[name]) for name in (ROW, COLUMN))
    exists, at = max(row, column) <= now.out, (_ROW_AT.fixed(), _COLUMN_AT.fixed())
    inside = ",".join(f"{cell}>=1,{cell}<={_SIZE},{cell}=INT({cell})" for cell in at)
    test = f"IF(COUNT({','.join(at)})=2,AND({inside}),FALSE)"
    _heading(sheet, _line(15), "What makes one cell of the output?")
    for begin, asked, number, axis in (
        (_FIRST_ROW_AT, _ROW_AT, row, "row"),
        (_FIRST_COLUMN_AT, _COLUMN_AT, column, "column"),
    ):
        first = f'IF({test},1-{_P}+({asked.fixed()}-1)*{_S},"")'
        _result(sheet, begin, f"its window begins in {axis}", now.first(number) if exists else None, first)
    value = float(values[row - 1, column - 1]) if exists else None
    formula = f'IF({test},INDEX({_OUT.absolute},{",".join(at)}),"")'
    _result(sheet, _VALUE_AT, "its value", value, formula)
    sheet.names[VALUE] = _VALUE_AT
    weights = Live(now.kernel_size**2, f"{_K}*{_K}")
    one = "The product of the amber cell of the picture and its weight."
    there = say("The sum of ", weights, " products: the amber cells of the picture, each times its weight.")
    there = either(now.kernel_size == 1, f"{_K}=1", one, there)
    missing = say("There is no such cell: the output has ", Live(now.out, _SIZE), " rows and columns.")
    tell(sheet, _line(21, 3), either(exists, test, there, missing), style.TEXT)


def _padded(sheet: Page, held: Held, now: Choice) -> None:
    """The picture in the middle of as much padding as there is; what the output cell in question sees is amber."""
    _title(sheet, _PADDED, "the picture with its padding: type into the boxes")
    for along in (_PADDED.part(-1, 0, 1, _GRID), _PADDED.part(0, -1, _GRID, 1)):
        for at, number in zip(along.positions(), range(1 - WIDEST_PADDING, SIZE + WIDEST_PADDING + 1), strict=True):
            depth = _depth(number)
            formula = f'IF({_P}>={depth},{number},"")' if depth else None
            _put(sheet, at, number if now.padding >= depth else None, style.SIDE, formula)
    sheet.table(PICTURE, _table(PICTURE, _INPUT, _PIXELS), held.chosen, style.TYPED)
    inside = set(_INPUT.positions())
    for y, x in np.ndindex(_PADDED.shape):
        if (at := _PADDED.position(y, x)) not in inside:
            depth = max(_depth(n + 1 - WIDEST_PADDING) for n in (y, x))
            _put(sheet, at, 0 if now.padding >= depth else None, style.BORDER, f'IF({_P}>={depth},0,"")')
    row, column = _PADDED.fixed_column(0, -1), _PADDED.fixed_row(-1, 0)
    reach = f"{row}>={_FIRST_ROW},{row}<{_FIRST_ROW}+{_SPAN},{column}>={_FIRST_COLUMN},{column}<{_FIRST_COLUMN}+{_SPAN}"
    within = f"COUNT({row},{column},{_FIRST_ROW},{_FIRST_COLUMN})=4"
    steps = f"MOD({row}-{_FIRST_ROW},{_D})+MOD({column}-{_FIRST_COLUMN},{_D})=0"
    sheet.marks += [
        Mark(_PADDED, f"IF({within},AND({reach},{steps}),FALSE)", style.AMBER),
        Mark(_PADDED, f"IF({within},AND({reach}),FALSE)", style.STRAW),
        Mark(_PADDED, f"AND(COUNT({row},{column})=2,OR({row}<1,{row}>{SIZE},{column}<1,{column}>{SIZE}))", style.PAD),
    ]


def _depth(number: int) -> int:
    """How deep in the padding a row stands, 0 for one of the picture's."""
    return max(1 - number, number - SIZE, 0)


def _kernel(sheet: Page, held: Held, now: Choice) -> None:
    """The kernel as typed, and as it lies on the picture: with dilation, zeros stand between its weights."""
    _title(sheet, _TYPED, "the kernel: type into the boxes")
    sheet.table(WEIGHT, _table(WEIGHT, _TYPED, _WEIGHTS), held.chosen, style.TYPED)
    for along in (_TYPED.part(-1, 0, 1, LARGEST_KERNEL), _TYPED.part(0, -1, LARGEST_KERNEL, 1)):
        for number, at in enumerate(along.positions(), 1):
            sheet.put(*at, number, style.SIDE)
    unused = f"MAX({_TYPED.fixed_column(0, -1)},{_TYPED.fixed_row(-1, 0)})>{_K}"
    sheet.marks.append(Mark(_TYPED, unused, style.PAD))
    _title(sheet, _KERNEL, "the kernel as it lies on the picture")
    for along in (_KERNEL.part(-1, 0, 1, _SPREAD), _KERNEL.part(0, -1, _SPREAD, 1)):
        for number, at in enumerate(along.positions(), 1):
            formula = f'IF({number}<={_SPAN},{number},"")'
            _put(sheet, at, number if number <= now.span else None, style.SIDE, formula)
    weight = typed(held, WEIGHT, _TYPED)
    for y, x in np.ndindex(_KERNEL.shape):
        between = y % now.dilation + x % now.dilation > 0
        value = 0.0 if between else weight[y // now.dilation % LARGEST_KERNEL, x // now.dilation % LARGEST_KERNEL]
        step = f"IF(MOD({y},{_D})+MOD({x},{_D})=0,INDEX({_TYPED.absolute},{y}/{_D}+1,{x}/{_D}+1),0)"
        formula = f'IF({max(y, x)}<{_SPAN},{step},"")'
        _put(sheet, _KERNEL.position(y, x), value if max(y, x) < now.span else None, style.WHOLE, formula)
    steps = f"MOD({_KERNEL.fixed_column(0, -1)}-1,{_D})+MOD({_KERNEL.fixed_row(-1, 0)}-1,{_D})=0"
    there = f"COUNT({_KERNEL.cell()})=1"
    sheet.marks += [Mark(_KERNEL, f"IF({there},{steps},FALSE)", style.AMBER), Mark(_KERNEL, there, style.STRAW)]


def _output(sheet: Page, now: Choice, values: Array) -> None:
    """A formula for every cell that the output can have; those that it does not have now stay empty."""
    none, some = "no output: the words in red say why", "the output; in amber where its windows begin in the picture"
    title = either(now.out == 0, f"{_SIZE}=0", none, some)
    parts.caption(sheet, _OUT.part(-2, 0, 1, 1), title.value, style.CLASS, title.formula)
    across, down = _OUT.part(-1, 0, 1, _GRID), _OUT.part(0, -1, _GRID, 1)
    for along, outer in ((across, _OUT.part(-2, 0, 1, _GRID)), (down, _OUT.part(0, -2, _GRID, 1))):
        for number, (at, beyond) in enumerate(zip(along.positions(), outer.positions(), strict=True), 1):
            exists = f"{number}<={_SIZE}"
            _put(sheet, beyond, number if number <= now.out else None, style.SIDE, f'IF({exists},{number},"")')
            _put(sheet, at, now.first(number), style.BEGIN, f'IF({exists},1-{_P}+{number - 1}*{_S},"")')
    for y, x in np.ndindex(_OUT.shape):
        exists = max(y, x) < now.out
        row, column = down.fixed(y, 0), across.fixed(0, x)
        first = f"INDEX({_PADDED.absolute},{row}+{WIDEST_PADDING},{column}+{WIDEST_PADDING})"
        last = f"INDEX({_PADDED.absolute},{row}+{_SPAN}+{WIDEST_PADDING - 1},{column}+{_SPAN}+{WIDEST_PADDING - 1})"
        kernel = f"{_KERNEL.fixed()}:INDEX({_KERNEL.absolute},{_SPAN},{_SPAN})"
        formula = f'IF(COUNT({row},{column})=2,SUMPRODUCT({first}:{last},{kernel}),"")'
        _put(sheet, _OUT.position(y, x), float(values[y, x]) if exists else None, style.WHOLE, formula)
    row, column = _OUT.fixed_column(0, -1), _OUT.fixed_row(-1, 0)
    here = f"AND(COUNT({_FIRST_ROW})=1,{row}={_FIRST_ROW},{column}={_FIRST_COLUMN})"
    sheet.marks += [Mark(_OUT, here, style.AMBER), Mark(_OUT, f"COUNT({_OUT.cell()})=1", style.PALE)]
    sheet.names[OUTPUT] = _OUT
    parts.glyph(sheet, _PADDED, "⋆")
    parts.glyph(sheet, Block(STRIDE, _TOP, _KERNEL.column, _GRID, _SPREAD), "=")


def _heading(sheet: Page, block: Block, text: str) -> None:
    sheet.span(block.row, block.column, block.last_column, text, style.HEADING)


def _title(sheet: Page, block: Block, text: str) -> None:
    """What a block is, above the numbers of its columns."""
    parts.caption(sheet, block.part(-1, 0, 1, 1), text, style.CLASS)


def _result(sheet: Page, at: Block, label: str, value: float | None, formula: str, look: Style = style.RESULT) -> None:
    sheet.span(at.row, _LEFT, at.column - 1, label, style.LINE)
    _put(sheet, at.position(0, 0), value, look, formula)


def _put(sheet: Page, at: tuple[int, int], value: float | None, look: Style, formula: str | None) -> None:
    """A formula's cell, whose formula gives no text where there is no value."""
    sheet.put(*at, "" if value is None else value, look, formula)
