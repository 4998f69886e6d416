"""What a user may type into a workbook: one kind of thing, whether pixel, weight, setting, seed or picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells.grid import Block, Placed

InputValue = NDArray[np.float64] | float | str
"""Numbers in the shape of the input's place; a number or a text where that is a single cell."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be typed into a cell: a (whole) number from `low` to `high`, or one of `choices`.

    >>> Limits(1, 9, whole=True).allows(2.0), Limits(1, 9, whole=True).allows(2.5), Limits(choices=("on",)).allows("on")
    (True, False, True)
    """

    low: float = -1e6
    high: float = 1e6
    choices: tuple[str | int, ...] = ()
    whole: bool = False
    hint: str = "Type any number and watch everything to the right."
    firm: bool = True
    """Whether other numbers are refused where they are found in a cell: not those with which everything goes on."""

    def allows(self, value: object) -> bool:
        """Whether a cell may hold this."""
        if self.choices:
            return value in self.choices
        if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
            return False
        if not self.firm:
            return True
        return self.low <= value <= self.high and (not self.whole or value == int(value))

    def allow_all(self, values: NDArray[np.float64]) -> bool:
        """Whether cells may hold all of these numbers."""
        if self.choices:
            return all(self.allows(value) for value in values.ravel().tolist())
        if not self.firm:
            return bool(np.isfinite(values).all())
        inside = (values >= self.low) & (values <= self.high)
        return bool(inside.all()) and (not self.whole or bool((values == np.floor(values)).all()))

    @property
    def takes(self) -> str:
        """What a cell takes, in words.

        >>> Limits(1, 9, whole=True).takes, Limits(choices=("on", "off")).takes
        ('a whole number from 1 to 9', 'on or off')
        """
        if self.choices:
            return " or ".join(map(str, self.choices))
        return f"a {'whole ' if self.whole else ''}number from {self.low:,.15g} to {self.high:,.15g}"


@dataclass(frozen=True)
class Input:
    """Cells that the user may type into: a name, where they stand, what they take, and what they hold at first.

    `restored` inputs are the lesson's own: Reset brings back what the workbook was built with, and undo what stood
    there before; the others keep what the user chose.
    """

    name: str
    placed: Placed
    limits: Limits
    default: InputValue
    restored: bool = False
    listed: Block | None = None
    """Cells that hold the choices too, since a list in a rule may have 255 characters only."""

    @classmethod
    def cell(
        cls, name: str, block: Block, default: float | str, limits: Limits, listed: Block | None = None
    ) -> "Input":
        """An input of one cell, which has its name as a defined name.

        >>> Input.cell("stride", Block("Stride", 8, 13, 1, 1), 1, Limits(1, 3, whole=True)).at
        Block(sheet='Stride', row=8, column=13, height=1, width=1, step=(1, 1))
        """
        return cls(name, Placed(name, (), (block,)), limits, default, listed=listed)

    @classmethod
    def whole(cls, name: str, block: Block, default: float, low: int, high: int, hint: str = "") -> "Input":
        """An input of one cell that takes a whole number.

        >>> Input.whole("stride", Block("Stride", 8, 13, 1, 1), 1, 1, 3).limits.hint
        'A whole number from 1 to 3.'
        """
        hint = hint or f"A whole number from {low} to {high}."
        return cls.cell(name, block, float(default), Limits(low, high, whole=True, hint=hint))

    @classmethod
    def one_of(
        cls, name: str, block: Block, choices: tuple[str | int, ...], default: float | str, hint: str
    ) -> "Input":
        """An input of one cell that takes one of a list, which spreadsheet programs drop down.

        >>> Input.one_of("map", Block("Stride", 8, 13, 1, 1), (1, 2), 1.0, "Which map.").limits.takes
        '1 or 2'
        """
        return cls.cell(name, block, default, Limits(choices=choices, hint=hint))

    @classmethod
    def table(cls, name: str, block: Block, default: NDArray[np.float64], limits: Limits) -> "Input":
        """An input of a block of numbers."""
        return cls(name, Placed(name, block.shape, (block,)), limits, default)

    @property
    def at(self) -> Block:
        """The first block: the only one of most inputs."""
        return self.placed.blocks[0]

    @property
    def bounds(self) -> tuple[int, int]:
        """The smallest and the largest whole number that it takes."""
        whole = [choice for choice in self.limits.choices if isinstance(choice, int)]
        return (min(whole), max(whole)) if whole else (int(self.limits.low), int(self.limits.high))

    @property
    def is_text(self) -> bool:
        """Whether it is one of several texts, not a number."""
        return any(isinstance(choice, str) for choice in self.limits.choices)

    def planes(self, value: InputValue) -> Iterator[tuple[Block, NDArray[np.generic]]]:
        """Blocks, and what of a value stands in each, as (rows, columns)."""
        if isinstance(value, str):
            yield self.at, np.array([[value]], dtype=object)
            return
        yield from zip(self.placed.blocks, self.placed.planes(np.asarray(value, dtype=float)), strict=True)
