"""A sheet as data. The builder turns pages into a workbook; nothing here knows the file format."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from conv_sheet.cells.formula import checked
from conv_sheet.cells.grid import Block, around, column_letters
from conv_sheet.cells.style import Scale, Style

Value = float | str | bool | None


class Cell(NamedTuple):
    """A cell: its value (a formula's value is what the engine makes of it), its look, its formula without `=`."""

    value: Value
    style: Style
    formula: str | None = None
    owner: str = ""
    """The layer whose result stands here; empty for what is typed, and for texts."""


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


class Setting(NamedTuple):
    """A cell in which the user chooses something: a (whole) number from `low` to `high`, or one of `choices`."""

    name: str
    """Its defined name."""
    block: Block
    start: float | str
    hint: str
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()
    whole: bool = True
    listed: Block | None = None
    """Cells that hold the choices too, since a list in a rule may have 255 characters only."""

    def allows(self, value: object) -> bool:
        """Whether the cell may hold this."""
        if self.choices:
            return value in self.choices
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return self.low <= value <= self.high and (not self.whole or value == int(value))


def table(name: str, block: Block, start: Sequence[Sequence[float]], hint: str, bound: float) -> tuple[Setting, ...]:
    """A setting for every cell of a block of numbers, none beyond ±`bound`; that of row 2, column 3 is `<name>_2_3`.

    >>> [s.name for s in table("mine", Block("Kernels", 5, 2, 1, 2), [[1, 0]], "Any number.", 9)]
    ['mine_1_1', 'mine_1_2']
    """
    return tuple(
        Setting(f"{name}_{y + 1}_{x + 1}", block.part(y, x, 1, 1), value, hint, -bound, bound, whole=False)
        for y, line in enumerate(start)
        for x, value in enumerate(line)
    )


class Verdict(NamedTuple):
    """Green where the formula is true, red where it is not."""

    block: Block
    formula: str


class Mark(NamedTuple):
    """A fill, lines around each cell, or a colour of the text where a formula, as for the first cell, is true.

    The blocks may stand on another sheet. LibreOffice shows lines and a colour scale together only where both are for
    the same blocks.
    """

    block: Block | tuple[Block, ...]
    formula: str
    fill: str | None = None
    line: str | None = None
    color: str | None = None

    @property
    def blocks(self) -> tuple[Block, ...]:
        return (self.block,) if isinstance(self.block, Block) else self.block


class Palette(NamedTuple):
    """Blocks in which a whole number is a colour: the number `k` looks like `colours[k]`."""

    blocks: tuple[Block, ...]
    colours: tuple[str, ...]


class Bars(NamedTuple):
    """A bar chart of values over labels, with its top left corner at a cell; of `shares`, from 0 to 100 %."""

    title: str
    values: Block
    labels: Block
    anchor: str
    width: float
    height: float
    shares: bool


class Line(NamedTuple):
    """A line chart of values over numbers, with its top left corner at a cell; empty rows are not drawn."""

    numbers: Block
    values: Block
    anchor: str
    width: float
    height: float


class Push(NamedTuple):
    """A button over some cells, and the macro that it runs; only workbooks with macros have it."""

    block: Block
    caption: str
    macro: str


@dataclass
class Page:
    """A sheet being put together, cell by cell; rows and columns count from 1."""

    title: str
    cells: dict[tuple[int, int], Cell] = field(default_factory=dict)
    merges: list[Block] = field(default_factory=list)
    widths: dict[int, float] = field(default_factory=dict)
    heights: dict[int, float] = field(default_factory=dict)
    scales: list[tuple[tuple[Block, ...], Scale]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    palettes: list[Palette] = field(default_factory=list)
    validations: list[Validation] = field(default_factory=list)
    links: dict[tuple[int, int], str] = field(default_factory=dict)
    bars: list[Bars] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    buttons: list[Push] = field(default_factory=list)
    names: dict[str, Block] = field(default_factory=dict)
    freeze: str | None = None
    zoom: int = 100
    default_width: float | None = None
    default_height: float | None = None
    hidden: bool = False
    repeat_rows: int = 0
    prints: Block | None = None
    """What is printed; None for everything."""

    def put(
        self, row: int, column: int, value: Value, style: Style, formula: str | None = None, owner: str = ""
    ) -> None:
        """Fill one cell."""
        if formula is not None:
            checked(formula, f"{self.title}!{column_letters(column)}{row}")
        self.cells[row, column] = Cell(value, style, formula, owner)

    def span(self, row: int, first: int, last: int, value: Value, style: Style, formula: str | None = None) -> None:
        """Fill a run of cells of one row as one merged cell."""
        self.put(row, first, value, style, formula)
        for column in range(first + 1, last + 1):
            self.put(row, column, None, style)
        if last > first:
            self.merges.append(Block(self.title, row, first, 1, last - first + 1))

    def setting(self, setting: Setting, value: float | str, style: Style) -> None:
        """Fill a cell in which the user chooses, name it, and let nothing else in."""
        at = setting.block
        self.put(at.row, at.column, value, style)
        self.names[setting.name] = at
        choices = f'"{",".join(setting.choices)}"' if setting.choices else None
        if setting.listed:
            choices = setting.listed.reference
        self.validations.append(
            Validation(
                (at,), setting.name, setting.hint, setting.hint, setting.low, setting.high, choices, setting.whole
            )
        )

    def table(self, name: str, settings: Sequence[Setting], chosen: Mapping[str, float | str], style: Style) -> None:
        """Fill a block of numbers that the user types, name it as a whole, and let nothing else in."""
        for setting in settings:
            self.put(setting.block.row, setting.block.column, chosen[setting.name], style)
        block, one = around(tuple(setting.block for setting in settings)), settings[0]
        self.names[name] = block
        self.validations.append(Validation((block,), name, one.hint, one.hint, one.low, one.high))

    def fill(self, blocks: Iterable[Block], planes: Iterable[Iterable[Iterable[float]]], style: Style) -> None:
        """Fill blocks with plain numbers, a plane each."""
        for block, plane in zip(blocks, planes, strict=True):
            for position, value in zip(block.positions(), (v for line in plane for v in line), strict=True):
                self.cells[position] = Cell(value, style)
