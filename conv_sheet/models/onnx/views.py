"""ONNX's operators that move values about."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.onnx import folding
from conv_sheet.models.onnx.node import (
    OnnxNode,
    Operation,
    Result,
    activation,
    constant_of,
    constants_of,
    number_of,
    optional_of,
)
from conv_sheet.models.operations import reshaping


def _view(look: Callable[[Any, OnnxNode], Any]) -> Operation:
    def view(b: GraphBuilder, node: OnnxNode) -> Result:
        x = activation(b, node)
        return x.moved(look(x.view, node), b.path)

    return view


def _reshape(b: GraphBuilder, node: OnnxNode) -> Result:
    x, sizes = activation(b, node), node.get("shape", None) or constant_of(b, node, 1).reshape(-1).tolist()
    return reshaping.reshape(b, x, folding.reshaped(x.view, sizes, bool(node.get("allowzero", 0))))


def _flatten(b: GraphBuilder, node: OnnxNode) -> Result:
    x, axis = activation(b, node), int(node.get("axis", 1))
    first = int(np.prod(x.view.shape[:axis])) if axis else 1
    return x.moved(x.view.reshape(first, -1), b.path)


def _shape(b: GraphBuilder, node: OnnxNode) -> Result:
    return np.array(activation(b, node).view.shape[node.get("start", 0) : node.get("end", None)], np.int64)


def _expand(b: GraphBuilder, node: OnnxNode) -> Result:
    x = activation(b, node)
    wanted = folding.bounded(constant_of(b, node, 1).reshape(-1).tolist())
    return x.moved(np.broadcast_to(x.view, np.broadcast_shapes(x.view.shape, wanted)))


def _gather(b: GraphBuilder, node: OnnxNode) -> Result:
    x, index = activation(b, node), constant_of(b, node, 1)
    axis = int(node.get("axis", 0))
    folding.bounded([*x.view.shape, index.size])
    return x.moved(np.take(x.view, index.astype(np.int64), axis=axis))


def _split(b: GraphBuilder, node: OnnxNode) -> Result:
    x = activation(b, node)
    parts = folding.split(x.view, constants_of(node), node.attributes, node.outputs)
    return [x.moved(part) for part in parts]


def _concat(b: GraphBuilder, node: OnnxNode) -> Result:
    return reshaping.concat(b, [activation(b, node, i) for i in range(len(node.inputs))], int(node.get("axis", 1)))


def _pad(b: GraphBuilder, node: OnnxNode) -> Result:
    x = activation(b, node)
    pads = node.get("pads", None) or constant_of(b, node, 1).reshape(-1).tolist()
    fill = float(node.get("value", 0.0)) if node.opset < 11 else number_of(b, node, 2, 0.0)
    axes = optional_of(b, node, 3)
    over = list(range(x.view.ndim)) if axes is None else [int(axis) % x.view.ndim for axis in axes]
    begins = dict(zip(over, pads[: len(over)], strict=True))
    ends = dict(zip(over, pads[len(over) :], strict=True))
    sides = [int(side.get(axis, 0)) for axis in reversed(range(x.view.ndim)) for side in (begins, ends)]
    mode = {"edge": "replicate", "wrap": "circular"}.get(node.get("mode", "constant"), node.get("mode", "constant"))
    return reshaping.pad(b, x, sides, mode, fill or 0.0)


def _resize(b: GraphBuilder, node: OnnxNode) -> Result:
    x = activation(b, node)
    old = x.view.shape
    new, factors = _sizes(b, node, old)
    if new[:2] != list(old[:2]):
        b.refuse(f"it resizes {old} to {new}: only height and width can be resized")
    folding.bounded(new)
    early = node.op == "Upsample" or node.opset < 11
    where = node.get("coordinate_transformation_mode", "asymmetric" if early else "half_pixel")
    near = node.get("nearest_mode", "floor" if early else "round_prefer_floor")
    mode, axes = node.get("mode", "nearest"), list(zip(old, new, factors, strict=True))[2:]
    if mode == "nearest" and all(_as_pytorch(where, near, *axis) for axis in axes):
        return reshaping.upsample(b, x, tuple(new[2:]), "nearest")
    halves = where == "half_pixel" or (where == "pytorch_half_pixel" and 1 not in new[2:])
    lines = mode in ("linear", "bilinear") and len(axes) == 2 and not node.get("antialias", 0)
    if lines and (halves or where == "align_corners") and all(np.isclose(n * factor, size) for n, size, factor in axes):
        return reshaping.upsample(b, x, tuple(new[2:]), "bilinear", align_corners=where == "align_corners")
    b.refuse(f"mode {mode!r} with coordinates {where!r} is not known: nearest and linear as PyTorch has them are")


def _sizes(b: GraphBuilder, node: OnnxNode, old: Sequence[int]) -> tuple[list[int], list[float]]:
    """The size of each axis, and by how much it grows."""
    scales, sizes = node.get("scales", None), None
    if node.op == "Upsample" or node.opset < 11:
        scales = constant_of(b, node, 1).tolist() if scales is None else scales
    else:
        given, wanted = optional_of(b, node, 2), optional_of(b, node, 3)
        scales = None if given is None or not given.size else given.tolist()
        sizes = None if wanted is None or not wanted.size else wanted.tolist()
    along = [axis % len(old) for axis in node.get("axes", None) or range(len(old))]
    if sizes is not None and node.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        b.refuse("a size that keeps the proportions is not known: export with the size that comes out")
    if sizes is not None:
        own = dict(zip(along, map(int, sizes), strict=True))
        new = [own.get(axis, n) for axis, n in enumerate(old)]
        return new, [size / n for size, n in zip(new, old, strict=True)]
    by = dict(zip(along, scales or (), strict=True))
    factors = [float(by.get(axis, 1)) for axis in range(len(old))]
    return [int(np.floor(n * factor + 1e-6)) for n, factor in zip(old, factors, strict=True)], factors


def _as_pytorch(where: str, near: str, old: int, new: int, factor: float) -> bool:
    """Whether an axis takes the values that PyTorch's Upsample repeats; in single precision, as others calculate it."""
    at, by = np.arange(new, dtype=np.float32), np.float32(factor)
    halves = (at + np.float32(0.5)) / by - np.float32(0.5)
    places = {"asymmetric": at / by, "half_pixel": halves, "pytorch_half_pixel": halves if new > 1 else at}.get(where)
    if places is None:
        return False
    rounded = {
        "floor": np.floor(places),
        "ceil": np.ceil(places),
        "round_prefer_floor": np.ceil(places - np.float32(0.5)),
        "round_prefer_ceil": np.floor(places + np.float32(0.5)),
    }
    return np.array_equal(np.clip(rounded[near], 0, old - 1), np.arange(new) * old // new)


def _depth_to_space(b: GraphBuilder, node: OnnxNode) -> Result:
    x, factor = activation(b, node), int(node.attributes["blocksize"])
    maps = b.maps(x)
    if len(maps.shape) != 3 or factor < 1 or maps.shape[0] % factor**2:
        b.refuse(f"{maps.shape} maps cannot be put together by {factor}")
    channels = maps.shape[0] // factor**2
    if node.get("mode", "DCR") == "DCR":  # the maps of one block are apart, where PyTorch has them side by side
        order = np.arange(maps.shape[0]).reshape(-1, channels).T.ravel()
        maps = b.maps(maps.moved(maps.view[:, order]))
    shape = channels, maps.shape[1] * factor, maps.shape[2] * factor
    return b.add("PixelShuffle", [maps], shape, {"upscale_factor": factor})


def _same(b: GraphBuilder, node: OnnxNode) -> Result:
    operand = node.input(0)
    if node.op == "CastLike" and isinstance(operand, np.ndarray):
        return operand.astype(np.float32)
    if node.op == "Cast" and int(node.attributes["to"]) not in (1, 10, 11, 16):
        b.refuse("activations become whole numbers here, which is not known")
    return activation(b, node)


VIEWS: dict[str, Operation] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _view(lambda x, node: folding.squeezed(x, folding.axes_of(constants_of(node), node.attributes))),
    "Unsqueeze": _view(lambda x, node: folding.unsqueezed(x, folding.axes_of(constants_of(node), node.attributes))),
    "Transpose": _view(lambda x, node: np.transpose(x, node.get("perm", None))),
    "Slice": _view(lambda x, node: folding.sliced(x, constants_of(node), node.attributes)),
    "Shape": _shape,
    "Expand": _expand,
    "Gather": _gather,
    "Split": _split,
    "Concat": _concat,
    "Pad": _pad,
    "Resize": _resize,
    "Upsample": _resize,
    "DepthToSpace": _depth_to_space,
    "Identity": _same,
    "Cast": _same,
    "CastLike": _same,
}
"""By name, over activations."""
