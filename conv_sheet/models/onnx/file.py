"""ONNX files: read within bounds; of other files only external data beside the model."""

from collections.abc import Iterable
from math import inf, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conv_sheet.errors import DataError
from conv_sheet.layers import Array
from conv_sheet.models.archive import reason
from conv_sheet.models.imported import LARGEST_FILE, MOST_NUMBERS, shown
from conv_sheet.models.pytorch import numbers

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

OPSETS = range(7, 24)
"""Versions of ONNX's operators that are understood."""
MOST_NODES = 100_000
"""Of a graph with its functions in place; 1,000 of them may matter."""
_INSTALL = "reading ONNX needs the package onnx: pip install 'conv-sheet[onnx]'"


def load(path: Path) -> "ModelProto":
    """The model in a file, local functions put in place.

    Raises DataError where the file holds none, or one of a version that is not known.
    """
    try:
        import onnx
    except ImportError:
        raise DataError(f"{path}: {_INSTALL}") from None
    try:
        model = onnx.ModelProto.FromString(path.read_bytes())
    except Exception:
        raise DataError(f"{path}: not an ONNX file, or a damaged one") from None
    if max(len(model.graph.node), len(model.graph.initializer)) > MOST_NODES:
        raise DataError(f"{path}: more than {MOST_NODES:,} nodes or tensors: too many for a workbook")
    if not model.graph.node or not model.graph.output:
        raise DataError(f"{path}: not an ONNX file, or a damaged one: there is no graph in it")
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)
    if opset not in OPSETS:
        raise DataError(
            f"{path}: it uses opset {opset}, and {OPSETS.start} to {OPSETS.stop - 1} are understood: export with "
            "opset_version=20"
        )
    model = _inlined(model, path) if model.functions else model
    names = [name for node in model.graph.node for name in (node.name, node.op_type, *node.input, *node.output)]
    names += [entry.name for entry in (*model.graph.input, *model.graph.output, *model.graph.initializer)]
    if not all(isinstance(name, str) for name in names):  # protobuf gives what is not UTF-8 as bytes
        raise DataError(f"{path}: a damaged ONNX file: its names are not texts")
    return model


def _inlined(model: "ModelProto", path: Path) -> "ModelProto":
    from onnx.inliner import inline_local_functions

    try:
        nodes = _size(model)
    except RecursionError:
        nodes = inf
    if nodes > MOST_NODES:
        raise DataError(f"{path}: more than {MOST_NODES:,} nodes with its functions in place: too many for a workbook")
    try:
        return inline_local_functions(model)
    except Exception as error:  # the inliner meets damage with exceptions of every kind
        raise DataError(f"{path}: its functions cannot be put in place ({reason(error)})") from None


def _size(model: "ModelProto") -> float:
    """How many nodes a graph has once its functions are in place; without end where a function calls itself."""
    bodies = {(one.domain, one.name): one.node for one in model.functions}
    sizes: dict[tuple[str, str], float] = {}

    def size(nodes: Iterable[Any]) -> float:
        total = 0.0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in bodies and key not in sizes:
                sizes[key] = inf  # until it is known
                sizes[key] = size(bodies[key])
            total += sizes.get(key, 1)
            total += sum(size(attribute.g.node) for attribute in node.attribute if attribute.HasField("g"))
        return total

    return size(model.graph.node)


def opset_of(model: "ModelProto") -> int:
    """The version of ONNX's own operators."""
    return next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)


class Tensors:
    """Tensors of a model as arrays, external data included."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def array(self, tensor: "TensorProto", what: str) -> Array:
        """The numbers of a tensor; half precision comes as single."""
        from onnx import TensorProto, numpy_helper

        where = f"{self.path}: {what} {shown(tensor.name)}"
        shape = tuple(int(size) for size in tensor.dims)
        if tensor.data_type == TensorProto.STRING:
            raise DataError(f"{where} holds texts: only numbers are known")
        if prod(shape) > MOST_NUMBERS:
            raise DataError(f"{where} has more than {MOST_NUMBERS:,} numbers: too large for a workbook")
        if tensor.data_location == TensorProto.EXTERNAL:
            return self._external(tensor, shape, where)
        try:
            array = np.asarray(numpy_helper.to_array(tensor))
        except Exception as error:  # damage is met with exceptions of every kind
            raise DataError(f"{where} is damaged ({reason(error)})") from None
        return _wide(array, where)

    def _external(self, tensor: "TensorProto", shape: tuple[int, ...], where: str) -> Array:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        file = beside(self.path, entries.get("location", ""), where)
        kind = _kind(tensor.data_type, where)
        size = 2 if kind == "bfloat16" else np.dtype(kind).itemsize
        wanted = prod(shape) * size
        start = _whole(entries.get("offset", "0"), where)
        length = _whole(entries.get("length", str(wanted)), where)
        available = file.stat().st_size
        if min(shape, default=0) < 0 or length != wanted or start + length > available or length > LARGEST_FILE:
            raise DataError(
                f"{where} should be {wanted:,} bytes at {start:,} of {shown(file.name)}, which has {available:,}"
            )
        with file.open("rb") as stream:
            stream.seek(start)
            return np.asarray(numbers(stream.read(length), kind).reshape(shape))


def beside(model: Path, location: str, where: str) -> Path:
    """The file of external data: a plain name in the model's own folder, no link, and nothing else."""
    plain = location not in ("", ".", "..") and not any(c in location for c in "/\\:\0")
    if not plain:
        raise DataError(
            f"{where} lies in {shown(location)}: only a file beside the model, by its plain name, is opened: save the "
            "model in one piece, onnx.save(onnx.load('model.onnx'), 'whole.onnx')"
        )
    file = model.parent / location
    if file.is_symlink() or not file.is_file():
        raise DataError(f"{where} lies in {shown(location)}, which is not beside the model: put it there")
    return file


def _kind(data_type: int, where: str) -> str:
    from onnx import TensorProto as Proto

    kinds: dict[int, str] = {
        Proto.FLOAT: "f4",
        Proto.DOUBLE: "f8",
        Proto.FLOAT16: "f2",
        Proto.BFLOAT16: "bfloat16",
        Proto.INT64: "i8",
        Proto.INT32: "i4",
        Proto.INT8: "i1",
        Proto.UINT8: "u1",
        Proto.BOOL: "?",
    }
    if data_type not in kinds:
        raise DataError(f"{where} holds numbers of a type that conv-sheet does not know")
    return kinds[data_type]


def _wide(array: Any, where: str) -> Array:
    if array.dtype.kind in "fiub" and array.dtype != np.float16:
        return np.asarray(array)
    try:
        return np.asarray(array.astype(np.float32))
    except (TypeError, ValueError):
        raise DataError(f"{where} holds {array.dtype}, not real numbers") from None


def _whole(text: str, where: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise DataError(f"{where}: {shown(text)} is no place in a file of external data")
    return int(text)


def sizes_of(value: Any) -> list[int | str]:
    """The shape that a graph's input or output says: sizes, and names of those that are left open."""
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in _dims(value)]


def _dims(value: Any) -> Iterable[Any]:
    dims: Iterable[Any] = value.type.tensor_type.shape.dim
    return dims
