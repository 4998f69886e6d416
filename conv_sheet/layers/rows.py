"""Signals: PyTorch's (C, L) are maps of one row here, and its kinds for them are those for maps."""

from typing import Any

from conv_sheet.errors import ShapeError
from conv_sheet.layers.base import Layer, Shape, maps
from conv_sheet.ops.options import sizes


class Planar(Layer):
    """A kind whose options have a number for rows and one for columns."""

    def _both(self, name: str, least: int = 1) -> tuple[int, int]:
        """An option for rows and for columns."""
        return sizes(name, getattr(self, name), least=least)

    def _around(self) -> Any:
        """The option `padding` for rows and columns: a word, one number, two, or (left, right, top, bottom)."""
        return getattr(self, "padding", 0)

    def _planes(self, shape: Shape) -> tuple[int, int, int]:
        """The shape that is read, checked to be one of maps."""
        return maps(shape, self.kind)


class OneRow(Planar):
    """A kind over maps of one row: its options have one number, for the columns."""

    def _both(self, name: str, least: int = 1) -> tuple[int, int]:
        given = getattr(self, name)
        alone = given[0] if isinstance(given, tuple) and len(given) == 1 else given
        if isinstance(alone, tuple):
            alone = alone[:0]  # which is no number: the error says so
        return 1 if least else 0, sizes(name, alone, least=least)[1]

    def _around(self) -> Any:
        given = getattr(self, "padding", 0)
        if isinstance(given, str):
            return given
        if isinstance(given, tuple) and len(given) == 2:
            return (*sizes("padding", given, least=0), 0, 0)
        return self._both("padding", least=0)

    def _planes(self, shape: Shape) -> tuple[int, int, int]:
        channels, height, width = maps(shape, self.kind)
        if height != 1:
            raise ShapeError(f"{self.kind} reads maps of one row, but its input has shape {shape}")
        return channels, height, width


def without_row(shape: Shape) -> Shape:
    """A shape as PyTorch has it where it is one of signals: there is no axis for rows.

    >>> without_row((8, 1, 64)), without_row((8, 2, 64))
    ((8, 64), (8, 2, 64))
    """
    return (*shape[:-2], shape[-1]) if len(shape) > 2 and shape[-2] == 1 else shape
