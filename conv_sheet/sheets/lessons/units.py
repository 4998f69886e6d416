"""The units that the lesson `what-it-sees` looks at: the maps of the convolutions with which a network begins."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import NamedTuple

from conv_sheet.cells.grid import Block
from conv_sheet.errors import SpecError
from conv_sheet.layers import activation, curves
from conv_sheet.layers.base import PADDED, Layer
from conv_sheet.layers.conv import Conv2d
from conv_sheet.layers.field import Field
from conv_sheet.layers.norm import BatchNorm2d
from conv_sheet.layers.normalize import Normalize
from conv_sheet.layers.pool import AvgPool2d, MaxPool2d, MinPool2d
from conv_sheet.learning.patches import field, inside
from conv_sheet.network.graph import INPUT
from conv_sheet.network.layout import Layout, Stage

_WINDOWS = Conv2d, MaxPool2d, MinPool2d, AvgPool2d
_ALONE = *activation.KINDS, *curves.KINDS, BatchNorm2d, Normalize
"""Kinds that make each value of a map of the value in its place."""


class Unit(NamedTuple):
    """A map of a convolution, counted from 0; every place of it looks for the same thing.

    What it answers stands in a `stage`: that of the convolution, or of an activation or a norm behind it.
    """

    convolution: Stage
    stage: Stage
    channel: int

    @property
    def label(self) -> str:
        return f"{self.convolution.name} map {self.channel + 1}"

    @property
    def map(self) -> Block:
        """Where it stands on `Network`."""
        return self.stage.out.blocks[self.channel]

    @property
    def kernel(self) -> list[int]:
        """Its slices, one for each map that it reads, as planes of the weight."""
        return self.convolution.layer.kernels(self.convolution.in_shape)[self.channel]


def plain(layer: Layer) -> Layer:
    """The same layer without padding: away from the edges of a map it gives the same."""
    without = {"padding": 0, "padding_mode": "zeros", "ceil_mode": False}
    return replace(layer, **{one.name: without[one.name] for one in fields(layer) if one.name in without})


def units(layout: Layout, name: str, most: int) -> list[Unit]:
    """The maps of the first convolutions, `most` of them.

    Raises SpecError, with the `name` of the sheet that asks, where there are none.
    """
    found: list[Unit] = []
    for convolution, stage in _answers(layout):
        channels = stage.out.shape[0]
        if len(found) + channels > most:
            break
        found += [Unit(convolution, stage, channel) for channel in range(channels)]
    if not found:
        raise SpecError(
            f"the sheet {name!r} needs a network that begins with a Conv2d of at most {most} maps, before which there "
            "are only pools, norms and activations, and whose values see less than the whole picture"
        )
    return found


def way(layout: Layout, last: Stage) -> list[Stage]:
    """The stages from the picture up to one of a unit."""
    stages = list(_chain(layout))
    return stages[: stages.index(last) + 1]


def _answers(layout: Layout) -> Iterator[tuple[Stage, Stage]]:
    """Each convolution, and the last of the stages behind it that take every value alone."""
    stages = list(_chain(layout))
    for number, stage in enumerate(stages):
        if isinstance(stage.layer, Conv2d):
            last = stage
            for behind in stages[number + 1 :]:
                if not isinstance(behind.layer, _ALONE):
                    break
                last = behind
            if all(inside(one, size) for one, size in _seen(layout, last)):
                yield stage, last


def _seen(layout: Layout, stage: Stage) -> Iterator[tuple[Field, int]]:
    """What a value of a stage sees along rows and columns, and how many of them the picture has."""
    return zip(field(layout.network, stage.nodes[-1].name), layout.input.shape[1:], strict=True)


def _chain(layout: Layout) -> Iterator[Stage]:
    """The stages behind the picture that read one after the other, as long as values see windows of what they read."""
    before = INPUT
    for stage in layout.stages[1:]:
        between = set(stage.layer.intermediates(stage.in_shape)) - {PADDED}
        if stage.inputs != (before,) or not isinstance(stage.layer, (*_WINDOWS, *_ALONE)) or between:
            return
        yield stage
        before = stage.nodes[-1].name
