"""From the graph that a reader has built to a spec, its weights and what is to be said."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from conv_sheet.errors import SpecError
from conv_sheet.layers import Array, Shape
from conv_sheet.models.builder import Draft, GraphBuilder
from conv_sheet.models.imported import Imported
from conv_sheet.models.naming import layer_names
from conv_sheet.models.operations.arithmetic import SCALE
from conv_sheet.models.operations.options import brief
from conv_sheet.models.values import Value
from conv_sheet.network.node import INPUT

_MODES = {
    "ZeroPad": "zeros",
    "ReflectionPad": "reflect",
    "ReplicationPad": "replicate",
    "CircularPad": "circular",
}
_LONGEST_TITLE = 120


def finish(
    b: GraphBuilder,
    output: Value,
    picture: Shape,
    title: str,
    classes: Sequence[str] = (),
    extra: Mapping[str, Array] | None = None,
) -> Imported:
    """The spec of everything that the output depends on."""
    last = _output(b, output)
    graph = _Graph(b.drafts, last)
    if last == 0:
        b.where = ""
        b.refuse("the model gives back its input: there is no layer to show")
    normalize = graph.lower_scales(picture)
    graph.absorb_pads()
    graph.check(b.file)
    kept = graph.kept()
    names = dict(zip(kept, layer_names((b.drafts[i - 1].path, b.drafts[i - 1].kind) for i in kept), strict=True))
    spec: dict[str, Any] = {"title": _title(title), "input": list(picture)}
    if classes:
        spec["classes"] = list(classes)
    if normalize:
        spec["normalize"] = normalize
    spec["layers"] = list(_tables(graph, kept, names | {0: INPUT}))
    tensors, sources = {}, {}
    for number in kept:
        for short, tensor in b.drafts[number - 1].tensors.items():
            full = f"{names[number]}.{short}"
            tensors[full] = np.ascontiguousarray(tensor)
            if source := b.exported_as(tensor):
                sources[full] = source
    if graph.scales:
        b.note(
            f"{', '.join(names[i] for i in graph.scales)}: a multiplication or addition of constants stands as a "
            "BatchNorm with eps = 0, mean 0 and variance 1"
        )
    return Imported(spec, tensors, tuple(b.notes), sources, dict(extra or {}))


def _output(b: GraphBuilder, output: Value) -> int:
    """The layer whose output is the model's."""
    b.path = ""
    whole = b.vector(output) if output.view.ndim == 2 and len(output.shape) > 1 else b.complete(output)
    if not whole.whole:
        if whole.view.ndim == 2:
            b.refuse("the output is a vector in another order than the layer gives it: end the model with its maps")
        if not whole.moved(np.moveaxis(whole.view, -1, 1)).whole:
            return b.maps(whole).layer
        b.note("the output is shown channels first, C×H×W; the source gives H×W×C")
    return whole.layer


def _title(text: str) -> str:
    clean = "".join(c if c.isprintable() else " " for c in text).strip()
    return clean[:_LONGEST_TITLE] or "An imported network"


def _tables(graph: "_Graph", kept: Sequence[int], names: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    before = 0
    for number in kept:
        draft = graph.drafts[number - 1]
        table: dict[str, Any] = {"name": names[number], "kind": draft.kind}
        if draft.sources != [before]:
            table["inputs"] = [names[source] for source in draft.sources]
        yield table | {name: _plain(value) for name, value in draft.options.items()}
        before = number


def _plain(value: Any) -> Any:
    """An option as TOML can write it."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


class _Graph:
    """The layers that lead to the output, and what becomes of those that are no layers of their own."""

    def __init__(self, drafts: list[Draft], last: int) -> None:
        self.drafts, self.last = drafts, last
        self.live = _leading_to(drafts, last)
        self.scales: list[int] = []
        """Constant factors that stand as a BatchNorm."""

    def readers(self, number: int) -> list[int]:
        return [other for other in self.live if number in self.drafts[other - 1].sources]

    def kept(self) -> list[int]:
        return sorted(self.live)

    def check(self, file: str) -> None:
        """Raise SpecError where a step of a pattern was left alone."""
        for number in self.kept():
            draft = self.drafts[number - 1]
            if draft.kind.startswith("_"):
                what = {"_Square": "a square", "_Erf": "an error function", "_Power": "a power"}.get(draft.kind, "it")
                raise SpecError(f"{file}: {draft.where}: {what} is only known as part of GELU or of a normalisation")

    def _replace(self, number: int, by: int) -> None:
        for other in self.live:
            sources = self.drafts[other - 1].sources
            sources[:] = [by if source == number else source for source in sources]
        self.live.discard(number)
        if self.last == number:
            self.last = by

    # -- constants -------------------------------------------------------------------------------------------------

    def lower_scales(self, picture: Shape) -> dict[str, list[float]]:
        """Give constant factors and summands to the layers that have a place for them; what the picture's become."""
        normalize: dict[str, list[float]] = {}
        for number in self.kept():
            draft = self.drafts[number - 1]
            if draft.kind != SCALE:
                continue
            source, scale, shift = draft.sources[0], draft.tensors["weight"], draft.tensors["bias"]
            each = all(t.ndim == 0 or t.shape == (len(t), *(1,) * (t.ndim - 1)) for t in (scale, shift))
            alone = self.readers(source) == [number]
            if not np.any(shift) and (scale == 1).all():
                if source and alone and shift.size > 1:
                    _given(self.drafts[source - 1], scale, shift, each)
                self._replace(number, source)
            elif source == 0 and each and alone and scale.all() and number != self.last:
                normalize = _normalize(scale, shift, picture[0])
                self._replace(number, 0)
            elif source and alone and _given(self.drafts[source - 1], scale, shift, each):
                self._replace(number, source)
            elif each:
                self._as_batch_norm(number, draft, scale, shift)
            else:
                raise SpecError(
                    f"{draft.where}: constants that differ from pixel to pixel have no layer: only one a map is known"
                )
        return normalize

    def _as_batch_norm(self, number: int, draft: Draft, scale: Array, shift: Array) -> None:
        size = draft.shape[0]
        ones, zeros = np.ones(size), np.zeros(size)
        draft.kind = "BatchNorm2d" if len(draft.shape) == 3 else "BatchNorm1d"
        draft.options = {"eps": 0.0}
        draft.tensors = {
            "weight": ones * scale.reshape(-1),
            "bias": zeros + shift.reshape(-1),
            "running_mean": zeros,
            "running_var": ones,
        }
        self.scales.append(number)

    # -- borders ---------------------------------------------------------------------------------------------------

    def absorb_pads(self) -> None:
        """Borders that are part of a convolution's module become its padding."""
        for number in self.kept():
            conv = self.drafts[number - 1]
            if conv.kind not in ("Conv1d", "Conv2d") or "padding" in conv.options or not conv.sources[0]:
                continue
            pad = self.drafts[conv.sources[0] - 1]
            mode = _MODES.get(pad.kind[:-2])
            if mode is None or pad.kind[-2] != conv.kind[-2] or self.readers(conv.sources[0]) != [number]:
                continue
            padding = _as_padding(pad.options["padding"], conv.options)
            if padding is not None and (pad.path == conv.path or (not pad.path and mode != "zeros")):
                conv.options |= {"padding": padding} | ({"padding_mode": mode} if mode != "zeros" else {})
                self._replace(conv.sources[0], pad.sources[0])


def _leading_to(drafts: Sequence[Draft], last: int) -> set[int]:
    found, waiting = set[int](), [last]
    while waiting:
        number = waiting.pop()
        if number and number not in found:
            found.add(number)
            waiting.extend(drafts[number - 1].sources)
    return found


def _normalize(scale: Array, shift: Array, channels: int) -> dict[str, list[float]]:
    """The line scale · x + shift as (x − mean) ÷ std, for each channel."""
    std = np.broadcast_to(1 / scale.reshape(-1), channels)
    mean = np.broadcast_to(-shift.reshape(-1) / scale.reshape(-1), channels)
    return {name: [float(f"{number:.10g}") + 0.0 for number in each] for name, each in (("mean", mean), ("std", std))}


def _given(draft: Draft, scale: Array, shift: Array, each: bool) -> bool:
    """Give a layer the constants behind it, where it has none of its own."""
    if draft.kind.startswith("Conv") or draft.kind == "Linear":
        if draft.options.get("bias") is not False or not each or not (scale == 1).all():
            return False
        del draft.options["bias"]
        size = int(draft.options["out_features" if draft.kind == "Linear" else "out_channels"])
        draft.tensors["bias"] = np.broadcast_to(shift.reshape(-1), (size,))
        return True
    if draft.kind == "LayerNorm" and draft.options.get("elementwise_affine") is False:
        del draft.options["elementwise_affine"]
        draft.tensors |= {name: np.broadcast_to(t, draft.shape) for name, t in (("weight", scale), ("bias", shift))}
        return True
    groups = draft.kind == "GroupNorm" or draft.kind.startswith("BatchNorm")
    instance = draft.kind.startswith("InstanceNorm")
    plain = "weight" not in draft.tensors and (instance or (groups and draft.options.get("affine") is False))
    if not plain or not each:
        return False
    draft.options.pop("affine", None)
    if instance:
        draft.options["affine"] = True
    size = draft.shape[0]
    own = {name: np.broadcast_to(t.reshape(-1), (size,)) for name, t in (("weight", scale), ("bias", shift))}
    draft.tensors = own | draft.tensors
    return True


def _as_padding(sides: Sequence[int], options: Mapping[str, Any]) -> int | list[int] | str | None:
    """The sides of a border as the option `padding` of a convolution; None where it cannot say them."""
    pairs = [(sides[i], sides[i + 1]) for i in range(0, len(sides), 2)][::-1]
    if all(before == after for before, after in pairs):
        return brief([before for before, _ in pairs])
    kernel, dilation = options["kernel_size"], options.get("dilation", 1)
    kernels = kernel if isinstance(kernel, list) else [kernel] * len(pairs)
    steps = dilation if isinstance(dilation, list) else [dilation] * len(pairs)
    totals = [d * (k - 1) for k, d in zip(kernels, steps, strict=True)]
    same = [(total // 2, total - total // 2) for total in totals] == pairs and options.get("stride", 1) == 1
    return "same" if same else None
