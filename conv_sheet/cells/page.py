"""A sheet as data: blocks of values and formulas, single cells, and what is drawn around them.

The writer turns pages into a workbook; nothing here knows the file format.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells.drawn import Bars, Button, Line, Spinner
from conv_sheet.cells.expr import Expr
from conv_sheet.cells.formula import MAX_BLOCKS, checked, mover
from conv_sheet.cells.grid import Block, around, column_letters, in_rows
from conv_sheet.cells.inputs import Input, InputValue
from conv_sheet.cells.style import Scale, Style
from conv_sheet.errors import WorkbookError

Value = float | str | bool | None
Content = Value | Expr
"""What is put into a cell: a value, or a value with its formula."""


class Cell(NamedTuple):
    """A cell: its value (a formula's value is what the engine makes of it), its look, its formula without `=`."""

    value: Value
    style: Style
    formula: str | None = None
    owner: str = ""
    """The layer whose result stands here; empty for what is typed, and for texts."""


@dataclass(frozen=True, slots=True)
class Fill:
    """A block of cells with one look: values (rows, columns), and for formulas that of the cell at (row, column).

    Where they are `shared`, each is that of the first cell with relative addresses moved; of fills `across` an area,
    each is so moved from that in its place of the first fill; else some cells may have none. A `result` is what the
    engine computed: its last digits are rounding.
    """

    block: Block
    values: NDArray[Any]
    style: Style
    formula: Callable[[int, int], str | None] | None = None
    shared: bool = False
    owner: str = ""
    across: Block | None = None
    result: bool = False

    def cells(self) -> Iterator[tuple[tuple[int, int], Cell]]:
        """Every cell with its position."""
        for (y, x), value in zip(np.ndindex(*self.block.shape), self.values.ravel().tolist(), strict=True):
            formula = None if self.formula is None else self.formula(y, x)
            yield self.block.position(y, x), Cell(value, self.style, formula, self.owner)


class Validation(NamedTuple):
    """What may be typed into blocks: a number from `low` to `high`, or one of `choices`; with a hint and an error."""

    blocks: tuple[Block, ...]
    title: str
    hint: str
    error: str
    low: float = -1e6
    high: float = 1e6
    choices: str | None = None
    whole: bool = False


class Verdict(NamedTuple):
    """Green where the formula is true, red where it is not."""

    block: Block
    formula: str


class Mark(NamedTuple):
    """A fill, lines around each cell, a colour of the text, or strokes where a formula, as for the first cell, is true.

    The blocks may stand on another sheet. LibreOffice shows lines and a colour scale together only where both are for
    the same blocks, and strokes beside the number.
    """

    block: Block | tuple[Block, ...]
    formula: str
    fill: str | None = None
    line: str | None = None
    color: str | None = None
    hatch: str | None = None

    @property
    def blocks(self) -> tuple[Block, ...]:
        return (self.block,) if isinstance(self.block, Block) else self.block


class Palette(NamedTuple):
    """Blocks in which a whole number is a colour: the number `k` looks like `colours[k]`."""

    blocks: tuple[Block, ...]
    colours: tuple[str, ...]


@dataclass
class Page:
    """A sheet being put together; rows and columns count from 1. No cell may get two contents."""

    title: str
    singles: dict[tuple[int, int], Cell] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    merges: list[Block] = field(default_factory=list)
    widths: dict[int, float] = field(default_factory=dict)
    heights: dict[int, float] = field(default_factory=dict)
    scales: list[tuple[tuple[Block, ...], Scale]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    palettes: list[Palette] = field(default_factory=list)
    validations: list[Validation] = field(default_factory=list)
    links: dict[tuple[int, int], str] = field(default_factory=dict)
    reads: dict[tuple[int, int], str] = field(default_factory=dict)
    """Single cells that show what another holds, by its defined name."""
    wheres: dict[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    """Single cells that say in words where others are, by their defined names or addresses with sheets."""
    judged: set[tuple[int, int]] = field(default_factory=set)
    """Single cells whose formula a lesson gives as text: only a spreadsheet program knows what it says later."""
    bars: list[Bars] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)
    spinners: list[Spinner] = field(default_factory=list)
    names: dict[str, Block] = field(default_factory=dict)
    freeze: str | None = None
    zoom: int = 100
    default_width: float | None = None
    default_height: float | None = None
    hidden: bool = False
    repeat_rows: int = 0
    board_rows: int = 0  # at the top: what a page in a browser says beside the sheet
    breaks: tuple[int, ...] = ()  # rows behind which a new page of paper begins
    prints: Block | None = None  # everything

    # -- contents --------------------------------------------------------------------------------------------------

    def put(self, row: int, column: int, content: Content, style: Style, owner: str = "") -> None:
        """Fill one cell."""
        value, formula = (_scalar(content.value), content.formula) if isinstance(content, Expr) else (content, None)
        if formula is not None:
            checked(formula, self._address(row, column))
        if (row, column) in self.singles:
            both = f"{self.singles[row, column].value!r} and {value!r}"
            raise WorkbookError(f"{self._address(row, column)} gets two contents: {both}")
        self.singles[row, column] = Cell(value, self._legible(value, style), formula, owner)

    def fill(self, block: Block, content: Expr | NDArray[Any], style: Style, owner: str = "") -> None:
        """Fill a block with values, or with an expression whose formula is that of the block's first cell.

        Values of fewer rows or columns are repeated, as NumPy broadcasts them.
        """
        if not isinstance(content, Expr):
            style = self._legible(content, style)
            self.fills.append(Fill(block, np.broadcast_to(content, block.shape), style, owner=owner))
            return
        values = np.broadcast_to(np.asarray(content.value), block.shape)
        style = self._legible(values, style)
        checked(content.formula, self._address(block.row, block.column))
        moved, (down, right) = mover(content.formula), block.step
        formula = moved if block.step == (1, 1) else lambda y, x: moved(y * down, x * right)
        self.fills.append(Fill(block, values, style, formula, shared=True, owner=owner))

    def results(self, block: Block, values: NDArray[Any], style: Style) -> None:
        """Fill a block with what the engine computed, as values."""
        self.fills.append(Fill(block, values, style, result=True))

    def fill_each(
        self, block: Block, content: Callable[[int, int], Content], style: Style, owner: str = ""
    ) -> NDArray[Any]:
        """Fill a block whose cells are no copies of one another: `content` gives that at (row, column).

        Returns the values.

        >>> page, squares = Page("S"), Block("S", 2, 2, 1, 3)
        >>> page.fill_each(squares, lambda y, x: Expr(3, "$A$1") ** (x + 1), Style()).tolist()
        [[3, 9, 27]]
        >>> [cell.formula for _, cell in page.cells()]
        ['$A$1^1', '$A$1^2', '$A$1^3']
        """
        cells = [[content(y, x) for x in range(block.width)] for y in range(block.height)]
        values = [[_scalar(cell.value) if isinstance(cell, Expr) else cell for cell in row] for row in cells]
        formulas = [[cell.formula if isinstance(cell, Expr) else None for cell in row] for row in cells]
        checked(max((text or "" for row in formulas for text in row), key=len), self._address(block.row, block.column))
        texts = any(isinstance(value, str) for row in values for value in row)
        array = np.array(values, dtype=object if texts else None)
        self.fills.append(Fill(block, array, self._legible(array, style), lambda y, x: formulas[y][x], owner=owner))
        return array

    def account(
        self,
        block: Block,
        values: NDArray[Any],
        style: Style,
        formula: Callable[[int, int], str | None],
        shared: bool = False,
        owner: str = "",
        across: Block | None = None,
    ) -> None:
        """Fill a block with the engine's values and, as a second account of them, the layer's formulas."""
        checked(formula(0, 0) or "", self._address(block.row, block.column))
        self.fills.append(Fill(block, values.reshape(block.shape), style, formula, shared, owner, across, result=True))

    def span(self, row: int, first: int, last: int, content: Content, style: Style) -> None:
        """Fill a run of cells of one row as one merged cell."""
        self.merged(Block(self.title, row, first, 1, last - first + 1), content, style)

    def merged(self, block: Block, content: Content, style: Style, owner: str = "") -> None:
        """Fill a block as one merged cell."""
        for at in block.positions():
            first = at == (block.row, block.column)
            self.put(*at, content if first else None, style, owner if first else "")
        if block.shape != (1, 1):
            self.merges.append(block)

    def input(
        self,
        item: Input,
        value: InputValue,
        style: Style,
        width: int = 1,
        formula: Callable[[int, int, int], str | None] | None = None,
    ) -> None:
        """Fill the cells of an input, name them, and let nothing else in; a single cell may be merged with others.

        With `formula`, the values at some (plane, row, column) are those of formulas, until something is typed there.
        """
        self.inputs.append(item)
        if item.placed.shape == ():
            self.span(item.at.row, item.at.column, item.at.column + width - 1, _cell_value(value), style)
        else:
            for number, (block, plane) in enumerate(item.planes(value)):
                one = partial(formula, number) if formula else None
                self.fills.append(Fill(block, plane, style, one, owner=item.name if formula else ""))
        self.names |= dict(item.placed.names())
        self.validations.append(_validation(item))

    def replace(self, row: int, column: int, **changes: Any) -> None:
        """Change the look or the formula of a single cell that is there already."""
        self.singles[row, column] = self.singles[row, column]._replace(**changes)

    def cells(self) -> Iterator[tuple[tuple[int, int], Cell]]:
        """Every cell with its position, in no particular order."""
        yield from self.singles.items()
        for fill in self.fills:
            yield from fill.cells()

    def texts(self) -> Iterator[tuple[tuple[int, int], str]]:
        """Every text that stands in a cell, or that its formula gives, with its position."""
        for at, cell in self.singles.items():
            if isinstance(cell.value, str):
                yield at, cell.value
        for fill in self.fills:
            if fill.values.dtype.kind in "OU":
                yield from ((at, value) for at, value in fill.block.items(fill.values) if isinstance(value, str))

    def value(self, row: int, column: int) -> Value:
        """What a cell shows; None for an empty one."""
        return self.look(row, column)[0]

    def look(self, row: int, column: int) -> tuple[Value, Style | None]:
        """What a cell shows, and its style; None for both where it is empty."""
        if (row, column) in self.singles:
            single = self.singles[row, column]
            return single.value, single.style
        for fill in self.fills:
            y, x = row - fill.block.row, column - fill.block.column
            down, right = fill.block.step
            if 0 <= y < fill.block.span[0] and 0 <= x < fill.block.span[1] and not y % down and not x % right:
                return _scalar(fill.values[y // down, x // right]), fill.style
        return None, None

    @property
    def last(self) -> tuple[int, int]:
        """The last row and the last column that hold something."""
        rows = [row for row, _ in self.singles] + [fill.block.last_row for fill in self.fills]
        columns = [column for _, column in self.singles] + [fill.block.last_column for fill in self.fills]
        return max(rows, default=1), max(columns, default=1)

    # -- what formulas on this sheet say of cells ------------------------------------------------------------------

    def cell(self, block: Block, value: Any) -> Expr:
        """A single cell, the same for all formulas: `$B$2`."""
        return Expr(_scalar(value), self._prefix(block) + block.fixed())

    def named(self, name: str, value: Any) -> Expr:
        """A single cell by its defined name, for all formulas, also for those that may name no other sheet."""
        return Expr(_scalar(value), name)

    def each(self, block: Block, values: Any) -> Expr:
        """The cell of a block that stands as a formula's own cell does: `B2`, then `C2`, …; values (rows, columns)."""
        return Expr(np.broadcast_to(np.asarray(values), block.shape), self._prefix(block) + block.cell())

    def planes(self, blocks: Sequence[Block], values: Any) -> list[Expr]:
        """The same of several blocks, one a plane; values (planes, rows, columns)."""
        return [self.each(block, plane) for block, plane in zip(blocks, values, strict=True)]

    def row(self, block: Block, values: Any) -> Expr:
        """The cell of a row that stands in a formula's column: `B$2`; values (1, columns)."""
        return Expr(np.reshape(values, (1, -1)), self._prefix(block) + block.fixed_row())

    def column(self, block: Block, values: Any) -> Expr:
        """The cell of a column that stands in a formula's row: `$B2`; values (rows, 1)."""
        return Expr(np.reshape(values, (-1, 1)), self._prefix(block) + block.fixed_column())

    def range(self, block: Block, values: Any) -> Expr:
        """A whole block, for functions of ranges: `$B$2:$C$3`; values (rows, columns)."""
        return Expr(np.reshape(values, block.shape), self._prefix(block) + block.absolute, area=True)

    def near(self, block: Block, values: Any) -> Expr:
        """A whole block whose address moves with the formula: `B2:C3`; values (rows, columns)."""
        return Expr(np.reshape(values, block.shape), self._prefix(block) + block.relative, area=True)

    def windows(self, block: Block, shape: tuple[int, int], values: Any) -> Expr:
        """The window of a block that a formula's own cell sees, for functions of ranges: `B2:D4`, `C2:E4` and so on."""
        view = np.lib.stride_tricks.sliding_window_view(np.reshape(values, block.shape), shape)
        return Expr(view, self._prefix(block) + block.window(0, 0, *shape), area=True)

    def row_number(self, block: Block) -> Expr:
        """In which row of a block, from 1, the cell stands that has a formula's own place there.

        It is counted in the first column: some programs take a formula that names its own cell for a circle.
        """
        rows, first = np.arange(block.height)[:, np.newaxis] * block.step[0], Block(block.sheet, block.row, 1, 1, 1)
        text = f"ROWS({self._prefix(block)}{first.fixed()}:{first.fixed_column()})"
        return _counted(Expr(np.broadcast_to(rows + 1.0, block.shape), text), block.step[0])

    def column_number(self, block: Block) -> Expr:
        """In which column of a block, from 1, the cell stands that has a formula's own place there."""
        columns, first = np.arange(block.width) * block.step[1], Block(block.sheet, 1, block.column, 1, 1)
        text = f"COLUMNS({self._prefix(block)}{first.fixed()}:{first.fixed_row()})"
        return _counted(Expr(np.broadcast_to(columns + 1.0, block.shape), text), block.step[1])

    def _legible(self, content: Any, style: Style) -> Style:
        """Texts are as large as the sheet's zoom asks for; numbers are read closer to."""
        words = isinstance(content, str) or (isinstance(content, np.ndarray) and content.dtype.kind in "OU")
        return style.legible(self.zoom) if words else style

    def _prefix(self, block: Block) -> str:
        return "" if block.sheet == self.title else block.prefix

    def _address(self, row: int, column: int) -> str:
        return f"{self.title}!{column_letters(column)}{row}"


def _counted(cells: Expr, step: int) -> Expr:
    """Numbers of values that stand every so many cells, from those of the cells."""
    return cells if step == 1 else (cells - 1) / step + 1


def _cell_value(value: InputValue) -> float | str:
    return value if isinstance(value, str) else float(value)


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray | np.generic) and np.size(value) == 1 else value


def _validation(item: Input) -> Validation:
    """The one rule for what may be typed into an input."""
    limits = item.limits
    room = "one of the list" if item.is_text else limits.takes
    choices = None
    if limits.choices:
        choices = item.listed.reference if item.listed else f'"{",".join(map(str, limits.choices))}"'
    error = f"{item.name} takes {room}. Press Esc to keep the old one."
    blocks, whole = item.placed.blocks, limits.whole
    if len(blocks) > MAX_BLOCKS and blocks[0].step == (1, 1):
        blocks = tuple(around(blocks[row]) for row in in_rows(blocks))
    return Validation(blocks, item.name, limits.hint, error, limits.low, limits.high, choices, whole)
