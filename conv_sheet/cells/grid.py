"""Where things stand on a sheet: an address is a value, and only here does it become text.

Rows and columns count from 1, as in Excel. Offsets inside a block count from 0, as in NumPy.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.errors import WorkbookError

MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384

_PLAIN_TITLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CELL_LIKE = re.compile(r"[A-Za-z]{1,3}[0-9]+\Z|[Rr][0-9]*[Cc]?[0-9]*\Z")


@lru_cache(maxsize=MAX_COLUMNS)
def column_letters(column: int) -> str:
    """Letters of a column.

    >>> column_letters(1), column_letters(28), column_letters(16384)
    ('A', 'AB', 'XFD')
    """
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def column_number(letters: str) -> int:
    """Number of a column.

    >>> column_number("A"), column_number("AB"), column_number("XFD")
    (1, 28, 16384)
    """
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def corner(address: str) -> tuple[int, int]:
    """Row and column of a cell's address.

    >>> corner("AB6")
    (6, 28)
    """
    letters = address.rstrip("0123456789")
    return int(address[len(letters) :]), column_number(letters)


def quote(sheet: str) -> str:
    """A sheet's title as formulas write it.

    >>> quote("Network"), quote("my lesson")
    ('Network', "'my lesson'")
    """
    if _PLAIN_TITLE.match(sheet) and not _CELL_LIKE.match(sheet):
        return sheet
    return "'" + sheet.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of cells on a sheet, top left cell first.

    `step` is the distance between neighbouring values, 1 for solid blocks; a kernel with dilation 2 stands
    on every second cell, and its `span` is what a window has to cover.

    >>> kernel = Block("Network", row=11, column=30, height=3, width=3)
    >>> kernel.cell(0, 0), kernel.absolute, kernel.reference
    ('AD11', '$AD$11:$AF$13', 'Network!$AD$11:$AF$13')
    >>> kernel.window(1, 1, 2, 2)
    'AE12:AF13'
    """

    sheet: str
    row: int
    column: int
    height: int
    width: int
    step: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        if self.last_row > MAX_ROWS or self.last_column > MAX_COLUMNS:
            raise WorkbookError(
                f"sheet {self.sheet!r} would need row {self.last_row:,} and column {self.last_column:,}; Excel ends "
                f"at {MAX_ROWS:,} rows and {MAX_COLUMNS:,} columns: use a smaller input or fewer channels"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Values, as rows by columns."""
        return self.height, self.width

    @property
    def span(self) -> tuple[int, int]:
        """Cells from first to last value, as rows by columns."""
        return (self.height - 1) * self.step[0] + 1, (self.width - 1) * self.step[1] + 1

    @property
    def last_row(self) -> int:
        return self.row + self.span[0] - 1

    @property
    def last_column(self) -> int:
        return self.column + self.span[1] - 1

    def position(self, y: int, x: int) -> tuple[int, int]:
        """Row and column of one value; an offset below 0 or past the end is the border around the block."""
        return self.row + y * self.step[0], self.column + x * self.step[1]

    def cell(self, y: int = 0, x: int = 0) -> str:
        """Relative address of one value, as `A1`."""
        row, column = self.position(y, x)
        return f"{column_letters(column)}{row}"

    def fixed(self, y: int = 0, x: int = 0) -> str:
        """Absolute address of one value, as `$A$1`."""
        row, column = self.position(y, x)
        return f"${column_letters(column)}${row}"

    def fixed_row(self, y: int = 0, x: int = 0) -> str:
        """Address of one value whose row stays when the formula is copied, as `A$1`."""
        row, column = self.position(y, x)
        return f"{column_letters(column)}${row}"

    def fixed_column(self, y: int = 0, x: int = 0) -> str:
        """Address of one value whose column stays when the formula is copied, as `$A1`."""
        row, column = self.position(y, x)
        return f"${column_letters(column)}{row}"

    def window(self, y: int, x: int, height: int, width: int) -> str:
        """Relative address of a rectangle of values, as `A1:C3` (one cell: `A1`)."""
        first = self.cell(y, x)
        return first if height == width == 1 else f"{first}:{self.cell(y + height - 1, x + width - 1)}"

    @property
    def relative(self) -> str:
        return self._range(self.cell(), f"{column_letters(self.last_column)}{self.last_row}")

    @property
    def absolute(self) -> str:
        return self._range(self.fixed(), f"${column_letters(self.last_column)}${self.last_row}")

    @property
    def prefix(self) -> str:
        """What stands before an address on other sheets: `Network!`."""
        return f"{quote(self.sheet)}!"

    @property
    def reference(self) -> str:
        """Absolute address with the sheet's title, for other sheets and defined names."""
        return f"{self.prefix}{self.absolute}"

    @property
    def foreign(self) -> str:
        """Relative address with the sheet's title, for formulas on other sheets."""
        return f"{self.prefix}{self.relative}"

    def other(self, y: int = 0, x: int = 0) -> str:
        """Relative address of one value as other sheets write it."""
        return f"{self.prefix}{self.cell(y, x)}"

    def part(self, y: int, x: int, height: int, width: int) -> "Block":
        """A rectangle of values of this block, or around it with offsets outside."""
        row, column = self.position(y, x)
        return Block(self.sheet, row, column, height, width, self.step)

    @staticmethod
    def _range(first: str, last: str) -> str:
        return first if first == last else f"{first}:{last}"

    def on(self, sheet: str, down: int = 0, right: int = 0) -> "Block":
        """The same place on another sheet, or one so many rows and columns from it."""
        return Block(sheet, self.row + down, self.column + right, self.height, self.width, self.step)

    def meets(self, other: "Block") -> bool:
        """Whether the rectangle has a cell in common with another one of the same sheet.

        >>> Block("S", 1, 1, 2, 2).meets(Block("S", 2, 2, 5, 5)), Block("S", 1, 1, 2, 2).meets(Block("S", 3, 1, 1, 1))
        (True, False)
        """
        rows = self.row <= other.last_row and other.row <= self.last_row
        return rows and self.column <= other.last_column and other.column <= self.last_column

    def positions(self) -> Iterator[tuple[int, int]]:
        """Row and column of every value, row by row."""
        for y in range(self.height):
            for x in range(self.width):
                yield self.position(y, x)

    def margin(self, top: int, bottom: int, left: int, right: int) -> Iterator[tuple[int, int]]:
        """Offsets of the values around this block that so many more rows and columns would hold.

        >>> list(Block("S", 5, 5, 1, 2).margin(0, 1, 0, 1))
        [(0, 2), (1, 0), (1, 1), (1, 2)]
        """
        for y in range(-top, self.height + bottom):
            for x in range(-left, self.width + right):
                if not (0 <= y < self.height and 0 <= x < self.width):
                    yield y, x

    def items(self, values: NDArray[Any]) -> Iterator[tuple[tuple[int, int], Any]]:
        """Pairs of position and value; `values` has the block's shape, or its size."""
        return zip(self.positions(), values.reshape(self.shape).ravel().tolist(), strict=True)


def around(blocks: tuple[Block, ...]) -> Block:
    """The smallest solid rectangle that holds all of the blocks, which stand on one sheet.

    >>> around((Block("S", 2, 2, 1, 1), Block("S", 5, 4, 2, 2))).relative
    'B2:E6'
    """
    row, column = min(b.row for b in blocks), min(b.column for b in blocks)
    height = max(b.last_row for b in blocks) - row + 1
    width = max(b.last_column for b in blocks) - column + 1
    return Block(blocks[0].sheet, row, column, height, width)


def in_rows(blocks: Sequence[Block]) -> Iterator[slice]:
    """Which solid blocks stand in one row with a column between, so that nothing but that is `around` them.

    >>> [*in_rows([Block("S", 2, column, 1, 2) for column in (2, 5, 9)])]
    [slice(0, 2, None), slice(2, 3, None)]
    """
    start = 0
    for number, block in enumerate(blocks[1:], 1):
        last = blocks[number - 1]
        if (last.row, last.height, last.last_column + 2) != (block.row, block.height, block.column):
            yield slice(start, number)
            start = number
    yield slice(start, len(blocks))


@dataclass(frozen=True)
class Placed:
    """A tensor on a sheet: its name, its shape, and the blocks that hold it, one a plane.

    Maps (C, H, W) have a block a channel, kernels (O, I, kh, kw) a block a pair; a vector (N,) is one row or
    column. A matrix (out, in) stands `transposed`, one column an output.

    What only joins other tensors is a view: a Placed of their blocks, one after the other. Blocks of a vector that is a
    view may differ in size; `find` and `locate` know where each value stands.

    >>> bias = Placed("fc_bias", (3,), (Block("Network", 5, 2, 3, 1),))
    >>> bias.at(2), bias.tensor(bias.planes(np.arange(3.0))).tolist()
    ('$B$7', [0.0, 1.0, 2.0])
    >>> joined = Placed("concat1", (5,), (Block("Network", 5, 2, 3, 1), Block("Network", 5, 9, 2, 1)))
    >>> joined.cell(0, 2, 0), joined.cell(0, 3, 0)
    ('B7', 'I5')
    """

    name: str
    shape: tuple[int, ...]
    blocks: tuple[Block, ...]
    transposed: bool = False

    def planes(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (shape) as they stand in the blocks, (blocks, height, width)."""
        return (values.T if self.transposed else values).reshape(len(self.blocks), *self.blocks[0].shape)

    def tensor(self, planes: NDArray[np.float64]) -> NDArray[np.float64]:
        """The way back: (blocks, height, width) to the tensor's own shape."""
        if self.transposed:
            return np.ascontiguousarray(planes.reshape(self.shape[::-1]).T)
        return planes.reshape(self.shape)

    @cached_property
    def _starts(self) -> list[int]:
        """Flat index of the first value of each block, and how many values there are."""
        return list(accumulate((block.height * block.width for block in self.blocks), initial=0))

    def locate(self, index: int) -> tuple[Block, int, int]:
        """Block and offsets of the value with this flat (row-major) index; not for transposed tensors."""
        number = bisect_right(self._starts, index) - 1
        block = self.blocks[number]
        return block, *divmod(index - self._starts[number], block.width)

    def find(self, plane: int, y: int, x: int) -> tuple[Block, int, int]:
        """Block and offsets of the value at (plane, row, column); a vector has one plane, and one row or column."""
        return self.locate(y + x) if len(self.shape) == 1 else (self.blocks[plane], y, x)

    def cell(self, plane: int, y: int, x: int) -> str:
        """Relative address of the value at (plane, row, column)."""
        block, row, column = self.find(plane, y, x)
        return block.cell(row, column)

    def other(self, plane: int, y: int, x: int) -> str:
        """The same as other sheets write it."""
        block, row, column = self.find(plane, y, x)
        return block.other(row, column)

    def at(self, index: int) -> str:
        """Absolute address of the value with this flat (row-major) index."""
        block, y, x = self.locate(index)
        return block.fixed(y, x)

    @property
    def regular(self) -> bool:
        """Whether neighbouring values of a plane stand in neighbouring cells; those of a vector below each other."""
        return len(self.shape) != 1 or (len(self.blocks) == 1 and self.blocks[0].width == 1)

    @cached_property
    def area(self) -> Block:
        """The rectangle around all blocks."""
        return around(self.blocks)

    def on(self, sheet: str, down: int = 0, right: int = 0) -> "Placed":
        """The same places on another sheet, or those so many rows and columns from them."""
        blocks = tuple(block.on(sheet, down, right) for block in self.blocks)
        return Placed(self.name, self.shape, blocks, self.transposed)

    def names(self) -> Iterator[tuple[str, Block]]:
        """Defined names and what they refer to: each plane, numbered from 1, and the whole where it is one area."""
        if len(self.shape) < 3 and len(self.blocks) == 1:
            yield self.name, self.blocks[0]
            return
        leading = self.shape[:-2] if len(self.shape) > 2 else (self.shape[0], len(self.blocks) // self.shape[0])
        for index, block in zip(np.ndindex(*leading), self.blocks, strict=True):
            yield "_".join((self.name, *(str(i + 1) for i in index))), block
        if len(self.shape) == 2:
            yield self.name, self.area
