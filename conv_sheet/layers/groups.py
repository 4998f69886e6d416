"""Normalisation by the mean and variance of the values themselves, in groups of maps."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from conv_sheet.errors import ShapeError
from conv_sheet.layers.base import Shape, arguments, maps
from conv_sheet.layers.grouped import Grouped
from conv_sheet.layers.rows import without_row
from conv_sheet.layers.said import CHANNELS, FREE, Said, only
from conv_sheet.ops.options import count, flag, real


@dataclass(frozen=True)
class GroupNorm(Grouped):
    """Groups of maps, each normalised by its own mean and variance, as `torch.nn.GroupNorm`.

    >>> GroupNorm(2).torch((6, 8, 8))
    'nn.GroupNorm(2, 6)'
    """

    kind: ClassVar[str] = "GroupNorm"
    prefix: ClassVar[str] = "gn"
    said: ClassVar[Mapping[str, Said]] = {"num_channels": CHANNELS}

    num_groups: int
    eps: float = 1e-5
    affine: bool = True
    bias: bool = True

    def __post_init__(self) -> None:
        count("num_groups", self.num_groups)
        real("eps", self.eps, least=0)
        flag("affine", self.affine)
        flag("bias", self.bias)

    @property
    def _eps(self) -> float:
        return self.eps

    @property
    def _scales(self) -> bool:
        return self.affine

    @property
    def _shifts(self) -> bool:
        return self.affine and self.bias

    def _groups(self, shape: Shape) -> int:
        return self.num_groups

    def output_shape(self, shape: Shape) -> Shape:
        if shape[0] % self.num_groups:
            raise ShapeError(f"num_groups = {self.num_groups} does not divide the {shape[0]} channels of its input")
        return shape

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return dict.fromkeys(self._own, shape[:1])

    def torch(self, shape: Shape) -> str:
        options = {name: value for name, value in self.options().items() if name != "num_groups"}
        return f"nn.GroupNorm({', '.join([str(self.num_groups), str(shape[0]), *arguments(options)])})"

    def _whose(self, shape: Shape) -> str:
        each = shape[0] // self.num_groups
        return f"its group of {each} {'maps' if len(shape) == 3 else 'values'}"


@dataclass(frozen=True)
class _InstanceNorm(Grouped):
    """Each map normalised by its own mean and variance."""

    prefix: ClassVar[str] = "in"
    said: ClassVar[Mapping[str, Said]] = {
        "num_features": CHANNELS,
        "momentum": FREE,
        "track_running_stats": only(False),
    }

    eps: float = 1e-5
    affine: bool = False
    bias: bool = True

    def __post_init__(self) -> None:
        real("eps", self.eps, least=0)
        flag("affine", self.affine)
        flag("bias", self.bias)

    @property
    def _eps(self) -> float:
        return self.eps

    @property
    def _scales(self) -> bool:
        return self.affine

    @property
    def _shifts(self) -> bool:
        return self.affine and self.bias

    def _groups(self, shape: Shape) -> int:
        return shape[0]

    def output_shape(self, shape: Shape) -> Shape:
        if prod(maps(shape, self.kind)[1:]) == 1:
            raise ShapeError("a map of one value has no variance to be normalised by")
        return shape

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return dict.fromkeys(self._own, shape[:1])

    def torch(self, shape: Shape) -> str:
        return f"nn.{self.kind}({', '.join([str(shape[0]), *arguments(self.options())])})"

    def _whose(self, shape: Shape) -> str:
        return "its map"


class InstanceNorm2d(_InstanceNorm):
    """Each map normalised by its own mean and variance, as `torch.nn.InstanceNorm2d`.

    >>> InstanceNorm2d(affine=True).torch((6, 8, 8))
    'nn.InstanceNorm2d(6, affine=True)'
    """

    kind: ClassVar[str] = "InstanceNorm2d"


class InstanceNorm1d(_InstanceNorm):
    """The same of maps of one row, as `torch.nn.InstanceNorm1d`.

    >>> InstanceNorm1d().torch((6, 1, 8))
    'nn.InstanceNorm1d(6)'
    """

    kind: ClassVar[str] = "InstanceNorm1d"

    def output_shape(self, shape: Shape) -> Shape:
        if maps(shape, self.kind)[1] != 1:
            raise ShapeError(f"InstanceNorm1d reads maps of one row, but its input has shape {shape}")
        return super().output_shape(shape)


def _whole(shape: Shape) -> tuple[object, ...]:
    """What PyTorch may call the shape of all that is read: of signals without the row, of vectors a number too."""
    return (shape, without_row(shape), *shape) if len(shape) == 1 else (shape, without_row(shape))


@dataclass(frozen=True)
class LayerNorm(Grouped):
    """All values normalised by their mean and variance, as `torch.nn.LayerNorm` over whole pictures or vectors.

    >>> LayerNorm().parameters((3, 4, 4))
    {'weight': (3, 4, 4), 'bias': (3, 4, 4)}
    """

    kind: ClassVar[str] = "LayerNorm"
    prefix: ClassVar[str] = "ln"
    said: ClassVar[Mapping[str, Said]] = {
        "normalized_shape": Said(_whole, "is not all that it reads: it would be {} here")
    }

    eps: float = 1e-5
    elementwise_affine: bool = True
    bias: bool = True

    def __post_init__(self) -> None:
        real("eps", self.eps, least=0)
        flag("elementwise_affine", self.elementwise_affine)
        flag("bias", self.bias)

    @property
    def _eps(self) -> float:
        return self.eps

    @property
    def _scales(self) -> bool:
        return self.elementwise_affine

    @property
    def _shifts(self) -> bool:
        return self.elementwise_affine and self.bias

    def _groups(self, shape: Shape) -> int:
        return 1

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return dict.fromkeys(self._own, shape)

    def torch(self, shape: Shape) -> str:
        return f"nn.LayerNorm({', '.join([str(list(shape)), *arguments(self.options())])})"

    def _whose(self, shape: Shape) -> str:
        return "all values"


KINDS = (GroupNorm, LayerNorm, InstanceNorm2d, InstanceNorm1d)
