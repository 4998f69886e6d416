"""What lies over the cells of a sheet: charts and controls."""

from typing import NamedTuple

from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input
from conv_sheet.cells.style import RED


class Bars(NamedTuple):
    """A bar chart of values over labels, with its top left corner at a cell; of `shares`, from 0 to 100 %."""

    title: str
    values: Block
    labels: Block
    anchor: str
    width: float
    height: float
    shares: bool


class Points(NamedTuple):
    """Values over numbers, without empty rows, and their line: `solid`, `dashed`, `none`; a legend has the labels."""

    numbers: Block
    values: Block
    label: str = ""
    color: str = RED
    line: str = "solid"


class Line(NamedTuple):
    """A line chart with its corner at a cell; `title` stands below, between `decades` equal factors are equally far.

    `low` is the smallest number and the smallest value that it shows.
    """

    points: tuple[Points, ...]
    anchor: str
    width: float
    height: float
    title: str = ""
    top: float | None = None
    decades: tuple[int, int] | None = None
    low: tuple[float, float] = (0.0, 0.0)


class Spinner(NamedTuple):
    """Two arrows over some cells that count the number of an input of one cell, which stands on the same sheet."""

    block: Block
    item: Input
    value: int
    label: str


class Button(NamedTuple):
    """A button over some cells, and the macro that it runs; only workbooks with macros have it."""

    block: Block
    caption: str
    macro: str
