"""The units that the lesson `what-it-sees` looks at: the maps of the convolutions with which a network begins."""

from typing import NamedTuple

from conv_sheet.cells.grid import Block
from conv_sheet.errors import SpecError
from conv_sheet.layers.activation import ReLU
from conv_sheet.layers.conv import Conv2d
from conv_sheet.network.layout import Layout, Stage

_MOST = 8


class Unit(NamedTuple):
    """A map of a convolution, counted from 0; every place of it looks for the same thing."""

    stage: Stage
    channel: int

    @property
    def label(self) -> str:
        return f"{self.stage.name} map {self.channel + 1}"

    @property
    def map(self) -> Block:
        """Where it stands on `Network`."""
        return self.stage.out.blocks[self.channel]

    @property
    def kernel(self) -> list[int]:
        """Its slices, one for each map that it reads, as planes of the weight."""
        return self.stage.layer.kernels(self.stage.in_shape)[self.channel]


def convolutions(layout: Layout, name: str) -> list[Stage]:
    """The convolutions with which a network begins, each with its ReLU.

    Raises SpecError, with the `name` of the sheet that asks, where the picture has several channels, or where there are
    no plain convolutions, or too many maps.
    """
    found: list[Stage] = []
    for stage in layout.stages[1:]:
        if not _plain(stage):
            break
        found.append(stage)
    if layout.input.shape[0] != 1 or not 0 < sum(stage.out.shape[0] for stage in found) <= _MOST:
        raise SpecError(
            f"the sheet {name!r} needs a picture of one channel, and first Conv2d of stride 1 without padding, each "
            f"with a ReLU, with {_MOST} maps at most together"
        )
    return found


def _plain(stage: Stage) -> bool:
    """Whether a stage is a convolution that lays its kernels on every place of all maps, with a ReLU behind it."""
    layer, activation, own = stage.layer, stage.activation, stage.own
    if not isinstance(layer, Conv2d) or activation is None or activation.kind != ReLU.kind or "bias" not in own:
        return False
    every = own["weight"].shape[1] == stage.in_shape[0]
    fields = layer.fields(stage.in_shape)
    return every and all((one.stride, one.dilation, one.before) == (1, 1, 0) for one in fields)


def units(layout: Layout, name: str) -> list[Unit]:
    """The maps of `convolutions`, in their order."""
    return [Unit(stage, channel) for stage in convolutions(layout, name) for channel in range(stage.out.shape[0])]
