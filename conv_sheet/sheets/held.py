"""What a sheet can ask of the workbook that it is a part of."""

from collections.abc import Mapping
from typing import Protocol

from conv_sheet.layers import Array
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.sheets.backprop.board import Board, Curve, Descent, Learning


class Held(Protocol):
    """A network, a picture, weights, what was chosen, and what follows from them; `contents.Contents` is one."""

    @property
    def network(self) -> Network: ...

    @property
    def lesson(self) -> Lesson: ...

    @property
    def layout(self) -> Layout: ...

    @property
    def image(self) -> Array:
        """The picture, (C, H, W)."""

    @property
    def tensors(self) -> Mapping[str, Array]:
        """Weights by full name."""

    @property
    def activations(self) -> Mapping[str, Array]:
        """What the engine makes of them: a batch of one, by layer name."""

    @property
    def shown(self) -> Mapping[str, Array]:
        """What stands in the engine's blocks, by tensor name."""

    @property
    def chosen(self) -> Mapping[str, float | str]:
        """Every setting by defined name."""

    @property
    def pictures(self) -> Mapping[str, Array]:
        """Every picture on the sheet `Images` by label."""

    @property
    def prediction(self) -> str | None:
        """The class with the largest output, of a network that names classes."""

    @property
    def board(self) -> Board:
        """The sheet `Backprop`, of a network that has one."""

    @property
    def descent(self) -> Descent:
        """What is chosen there."""

    @property
    def learning(self) -> Learning:
        """What the engine makes of it."""

    @property
    def curve(self) -> Curve:
        """Losses of the training so far."""
