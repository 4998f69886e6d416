"""What a layer reads along one axis."""

from collections.abc import Iterator
from dataclasses import dataclass

from conv_sheet.cells.expr import Expr, integer, of, where


@dataclass(frozen=True, slots=True)
class Field:
    """What a layer reads along one axis: for each output `size` taps, `dilation` apart, `stride` further each time.

    The first tap is `before` positions outside the input. The values of the input are `spread` positions apart, so
    that a transposed convolution is a field too: one over its input with zeros put between.

    >>> Field(3, stride=2, before=1).extent, list(Field(3, stride=2, before=1).taps(1))
    (3, [(0, 1), (1, 2), (2, 3)])
    >>> list(Field(3, before=2, spread=2).taps(1))
    [(1, 0)]
    """

    size: int = 1
    dilation: int = 1
    stride: int = 1
    before: int = 0
    spread: int = 1

    @property
    def extent(self) -> int:
        """Positions from the first to the last tap of one output."""
        return self.dilation * (self.size - 1) + 1

    def taps(self, position: int) -> Iterator[tuple[int, int]]:
        """What the output at a position reads: number of the tap, and index of the input value that it meets.

        Indices below zero and past the end are the border.
        """
        for number in range(self.size):
            index, between = divmod(position * self.stride - self.before + number * self.dilation, self.spread)
            if not between:
                yield number, index

    def through(self, before: "Field") -> "Field":
        """What an output reads of the input of the layer before, in one window without gaps.

        >>> Field(3).through(Field(3)).size, Field(3).through(Field(2, stride=2, before=1))
        (5, Field(size=6, dilation=1, stride=2, before=1, spread=1))
        """
        size = (self.extent - 1) * before.stride + before.extent
        return Field(size, 1, self.stride * before.stride, self.before * before.stride + before.before)

    def count(self, size: Expr, around: int, ceil_mode: bool = False) -> Expr:
        """How many outputs there are for the input's size; `around` is all padding.

        >>> made = Field(3, stride=2).count(Expr(28, "D4"), around=2)
        >>> made.value, made.formula
        (14.0, 'INT((D4+2-1*(3-1)-1)/2)+1')
        """
        steps = (size + around - of(self.dilation) * (of(self.size) - 1) - 1) / self.stride
        if not ceil_mode:
            return integer(steps) + 1
        outside = -integer(-steps) * self.stride >= size + around // 2
        return -integer(-steps) + 1 - where(outside, 1, 0)


@dataclass(frozen=True, slots=True)
class Shares(Field):
    """What an adaptive pool reads along one axis: `spread` windows that share `stride` positions as evenly as they can.

    Windows overlap, and differ in size by one, where the positions cannot be divided; `size` is that of the largest.

    >>> [[index for _, index in Shares.of(5, 3).taps(out)] for out in range(3)]
    [[0, 1], [1, 2, 3], [3, 4]]
    """

    @classmethod
    def of(cls, positions: int, windows: int) -> "Shares":
        sizes = [-(-(out + 1) * positions // windows) - out * positions // windows for out in range(windows)]
        return cls(max(sizes), stride=positions, spread=windows)

    def taps(self, position: int) -> Iterator[tuple[int, int]]:
        first, end = position * self.stride // self.spread, -(-(position + 1) * self.stride // self.spread)
        yield from enumerate(range(first, end))

    @property
    def even(self) -> bool:
        """Whether all windows have one size and do not overlap."""
        return self.stride % self.spread == 0
