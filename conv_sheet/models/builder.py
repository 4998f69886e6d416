"""The graph of layers that grows while a model is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NoReturn

import numpy as np

from conv_sheet.errors import DataError, SpecError
from conv_sheet.layers import Array, Shape
from conv_sheet.models.imported import shown
from conv_sheet.models.values import LARGEST_VALUE, Index, Value, ascending, channels_first, reduced, steps, value

MOST_VALUES = 40_000_000
"""Numbers of all activations together."""
MOST_LAYERS = 5_000
_EACH = ("BatchNorm1d", "Dropout", "ELU", "GELU", "LeakyReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Tanh")
"""Layers that make each value of a vector from the one in its place."""


@dataclass
class Draft:
    """A layer as it is known so far. Kinds with a `_` in front are steps of a pattern that has to be completed."""

    kind: str
    sources: list[int]
    """Numbers of the layers that it reads; the picture is 0."""
    shape: Shape
    options: dict[str, Any]
    tensors: dict[str, Array]
    path: str
    where: str
    """The node of the source that it comes from, for errors."""


@dataclass
class GraphBuilder:
    """Layers, in the order of calculation, and where in the source the reader is.

    Readers set `where` (the node, for errors) and `path` (its module) before they hand an operation on.
    """

    file: str
    drafts: list[Draft] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    where: str = ""
    path: str = ""
    batch: int = 1
    """Pictures at once in the source; here there is one."""
    sources: dict[tuple[int, Shape, tuple[int, ...]], str] = field(default_factory=dict)
    """Names of the source's tensors, by where they lie in memory and how they are read there."""
    forgotten: set[tuple[int, Shape, tuple[int, ...]]] = field(default_factory=set)
    """Those whose values are not what the source's module has under this name."""
    _flat: dict[int, Value] = field(default_factory=dict)
    _total: int = 0

    # -- errors and notes ------------------------------------------------------------------------------------------

    def refuse(self, reason: str) -> NoReturn:
        """Raise the SpecError that names file and node."""
        raise SpecError(": ".join(part for part in (self.file, self.where, reason) if part))

    def note(self, text: str) -> None:
        """Tell the user something, once."""
        if text not in self.notes:
            self.notes.append(text)

    # -- tensors of the source -------------------------------------------------------------------------------------

    def know(self, name: str, tensor: Array) -> None:
        """Remember what the source calls a tensor."""
        if tensor.size:
            self.sources[_place(tensor)] = name

    def forget(self, tensor: Array) -> None:
        """The name does not stand for what its owner knows by it: it serves to name layers, and not to export."""
        self.forgotten.add(_place(tensor))

    def source_of(self, tensor: Array) -> str:
        """What the source calls a tensor; empty for one that was calculated on the way."""
        return self.sources.get(_place(tensor), "") if tensor.size else ""

    def exported_as(self, tensor: Array) -> str:
        """The same, where an export may give the tensor this name."""
        return "" if _place(tensor) in self.forgotten else self.source_of(tensor)

    def owner(self, tensor: Array) -> str:
        """The module whose weight a tensor is, as far as its name says so; else the module at work."""
        name = self.source_of(tensor)
        head, _, last = name.rpartition(".")
        return head if head and last in ("weight", "bias", "kernel") else self.path

    # -- layers ----------------------------------------------------------------------------------------------------

    def picture(self, shape: Shape) -> Value:
        """The input: values of layer 0."""
        return self._value(0, shape)

    def add(
        self,
        kind: str,
        sources: Sequence[Value],
        shape: Shape,
        options: Mapping[str, Any] | None = None,
        tensors: Mapping[str, Array] | None = None,
        path: str | None = None,
    ) -> Value:
        """A layer over the whole outputs of others."""
        if len(self.drafts) >= MOST_LAYERS:
            self.refuse(f"more than {MOST_LAYERS:,} layers: too many for a workbook")
        read = [self._once(source, sources[:place]) for place, source in enumerate(sources)]
        own = {short: self._finite(short, tensor) for short, tensor in (tensors or {}).items()}
        draft = Draft(kind, read, shape, dict(options or {}), own, self.path if path is None else path, self.where)
        self.drafts.append(draft)
        return self._value(len(self.drafts), shape)

    def _once(self, source: Value, before: Sequence[Value]) -> int:
        """A layer may read another once: the second time it reads an Identity of it."""
        if all(source.layer != other.layer for other in before):
            return source.layer
        self.drafts.append(Draft("Identity", [source.layer], source.shape, {}, {}, "", self.where))
        return len(self.drafts)

    def _value(self, layer: int, shape: Shape) -> Value:
        size = prod(shape)
        self._total += size
        if min(shape, default=1) < 1:
            self.refuse(f"its output would have the shape {shape}: the picture is too small for the model")
        if size > LARGEST_VALUE or self._total > MOST_VALUES:
            self.refuse(f"activations of {size:,} numbers are too large for a workbook: export with a smaller input")
        return value(layer, shape)

    def _finite(self, short: str, tensor: Array) -> Array:
        name = self.source_of(tensor) or short
        if tensor.dtype.kind not in "fiu":
            raise DataError(f"{self.file}: {self.where}: {shown(name)} holds {tensor.dtype}, not real numbers")
        if not np.isfinite(tensor).all():
            raise DataError(f"{self.file}: {self.where}: {shown(name)} holds NaN or infinity")
        return tensor

    def draft(self, source: Value) -> Draft | None:
        """The layer that makes a value; None for the picture."""
        return self.drafts[source.layer - 1] if source.layer else None

    def made_by(self, source: Value, kind: str) -> Draft | None:
        """The layer that makes a value, if it is of this kind."""
        draft = self.draft(source)
        return draft if draft is not None and draft.kind == kind else None

    # -- what an operation reads -----------------------------------------------------------------------------------

    def complete(self, source: Value) -> Value:
        """The value with every number of its layer in some order: parts of an output become layers of their own."""
        if len(source.shape) > 1 and source.view.ndim == 2 and source.view.shape[0] == 1:
            return self.vector(source)
        if source.complete:
            return source
        if source.view.ndim == 2:
            return self.vector(source)
        last = self._lies_last(source)
        maps = self.maps(source, last)
        return maps.moved(np.moveaxis(maps.view, 1, -1)) if last else maps

    def _lies_last(self, source: Value) -> bool:
        """Whether the last axis of a view goes over the maps of the layer."""
        if source.view.ndim < 3 or len(source.shape) < 2 or source.view.shape[-1] == 1:
            return False
        ahead = source.view[(0,) * (source.view.ndim - 1)]
        return bool((np.diff(ahead) >= prod(source.shape[1:])).all())

    def maps(self, source: Value, last: bool = False, repeats: bool = False) -> Value:
        """The value as whole maps (C, H, W) or (C, L); with `last` the source's last axis is that of the channels.

        With `repeats`, axes along which the value only repeats itself come with a length of 1.
        """
        if source.view.ndim not in (3, 4) or source.view.shape[0] != 1:
            self.refuse(f"it reads values of the shape {_sizes(source)}, not one picture of maps")
        view = channels_first(source.view, last)
        if repeats and not source.complete:
            view = reduced(view)
        if source.moved(view).whole:
            return source.moved(view[None]) if view.shape == source.shape else self._unflattened(source, view.shape)
        if len(source.shape) == 1 and source.complete:
            return self._unflattened(value(self._reordered(source.layer, view.ravel()), source.shape), view.shape)
        shuffled = self._pixel_shuffled(source, view)
        return shuffled if shuffled is not None else self._sliced(source, view)

    def vector(self, source: Value) -> Value:
        """The value as what a vector (N,) gives, in whatever order: a Flatten is added where maps are read."""
        if source.view.ndim != 2 or source.view.shape[0] != 1:
            self.refuse(f"it reads values of the shape {_sizes(source)}, not one vector")
        if not source.complete:
            return self._sliced(source, source.view[0])
        if len(source.shape) == 1:
            return source
        if source.layer not in self._flat:
            self._flat[source.layer] = self.add("Flatten", [source], (prod(source.shape),), path=source.path)
        return self._flat[source.layer].moved(source.view)

    def _reordered(self, layer: int, order: Index) -> int:
        """A layer like one that gives a vector, with its values in another order: as a Linear can give them.

        The layer itself stays for those that read it as it is; where nobody does, it is left out in the end.
        """
        draft = self.drafts[layer - 1] if layer else None
        if draft is None or len(draft.shape) != 1 or not (draft.kind == "Linear" or draft.kind in _EACH):
            self.refuse("a vector is put into another order before it becomes maps: only that of a Linear can be")
        own = {name: tensor[order] if len(tensor) == len(order) else tensor for name, tensor in draft.tensors.items()}
        sources = draft.sources if draft.kind == "Linear" else [self._reordered(draft.sources[0], order)]
        self.drafts.append(Draft(draft.kind, list(sources), draft.shape, draft.options, own, draft.path, draft.where))
        return len(self.drafts)

    def _unflattened(self, source: Value, shape: Shape) -> Value:
        """Values in their order, in another shape of maps."""
        flat = source.moved(value(source.layer, (prod(shape),)).view)
        options = {"dim": 1, "unflattened_size": list(shape)}
        return self.add("Unflatten", [self.vector(flat)], shape, options, path=source.path)

    def _pixel_shuffled(self, source: Value, view: Any) -> Value | None:
        """Channels laid out as r × r blocks of pixels."""
        if view.ndim != 3 or len(source.shape) != 3 or view.size != prod(source.shape):
            return None
        channels, height, width = source.shape
        factor = view.shape[1] // height if height else 0
        if factor < 2 or (channels, height * factor, width * factor) != (view.shape[0] * factor**2, *view.shape[1:]):
            return None
        order = value(0, source.shape).view.reshape(-1, factor, factor, height, width)
        if not (order.transpose(0, 3, 1, 4, 2).reshape(view.shape) == view).all():
            return None
        return self.add("PixelShuffle", [source], view.shape, {"upscale_factor": factor}, path=source.path)

    def _sliced(self, source: Value, view: Any) -> Value:
        """A part of an output, as one Slice for each axis that is cut."""
        if view.ndim == len(source.shape):
            lines = [np.unravel_index(_line(view, axis), source.shape)[axis] for axis in range(view.ndim)]
            cuts = [steps(line) for line in lines]
            box = np.arange(prod(source.shape)).reshape(source.shape)[np.ix_(*lines)]
            if None not in cuts and box.shape == view.shape and (box == view).all():
                return self._cut(source, [cut for cut in cuts if cut is not None])
        return self._shuffled(source, view) or self.refuse(
            "values are put into another order in a way that no layer has: only reshapes, channels-last and "
            "slices are understood"
        )

    def _shuffled(self, source: Value, view: Any) -> Value | None:
        """Whole maps in another order, as slices that are joined."""
        if view.shape[1:] != source.shape[1:] or not len(view):
            return None
        places, first = prod(source.shape[1:]), view.reshape(len(view), -1)[:, 0]
        if (first % places).any() or not (view.reshape(len(view), -1) == first[:, None] + np.arange(places)).all():
            return None
        rest = [(0, size, 1) for size in source.shape[1:]]
        parts = [self._cut(source, [cut, *rest]) for cut in ascending(first // places)]
        return self.add("Concat", parts, view.shape)

    def _cut(self, source: Value, cuts: Sequence[tuple[int, int, int]]) -> Value:
        shape = list(source.shape)
        for axis, (start, end, step) in enumerate(cuts):
            length = len(range(start, end, step))
            if length < shape[axis]:
                shape[axis] = length
                options: dict[str, Any] = {"dim": axis + 1, "start": start, "end": end}
                source = self.add("Slice", [source], tuple(shape), options | ({"step": step} if step > 1 else {}))
        return source


def _place(tensor: Array) -> tuple[int, Shape, tuple[int, ...]]:
    return tensor.__array_interface__["data"][0], tensor.shape, tensor.strides


def _sizes(source: Value) -> str:
    return "×".join(map(str, source.view.shape)) or "a single number"


def _line(view: Any, axis: int) -> Any:
    """The first line of a view along an axis."""
    return view[tuple(slice(None) if number == axis else 0 for number in range(view.ndim))]
