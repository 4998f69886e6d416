"""Files of named tensors in the format `.safetensors`: a header in JSON, and raw numbers behind it.

The format is so small that reading it here costs less than a dependency, and the limits are ours.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from operator import index
from pathlib import Path
from typing import Any, Self

import numpy as np

from conv_sheet.errors import DataError
from conv_sheet.files import atomic_write, require_regular
from conv_sheet.layers import Array
from conv_sheet.models.archive import LARGEST_JSON, parsed, reason
from conv_sheet.models.imported import LARGEST_FILE, shown
from conv_sheet.models.pytorch import numbers

_KINDS = {
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "BF16": "bfloat16",
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
_NAMES = {"float64": "F64", "float32": "F32", "int64": "I64", "int32": "I32"}
_MOST_AXES = 32
"""Of an array, in every version of NumPy."""


def load(path: Path) -> dict[str, Array]:
    """Tensors of a file by name.

    Raises DataError where the file is missing or damaged.
    """
    require_regular(path, DataError, LARGEST_FILE)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {reason(error)}") from None
    length = int.from_bytes(raw[:8], "little")
    if len(raw) < 8 or length > min(LARGEST_JSON, len(raw) - 8):
        raise DataError(f"{path}: not a .safetensors file, or a damaged one")
    try:
        header = parsed(raw[8 : 8 + length])
    except (ValueError, RecursionError):
        raise DataError(f"{path}: not a .safetensors file, or a damaged one: its header is not JSON") from None
    if not isinstance(header, dict):
        raise DataError(f"{path}: not a .safetensors file: its header does not list tensors")
    data = memoryview(raw)[8 + length :]
    header.pop("__metadata__", None)
    found = {name: _Entry.of(entry, len(data), f"{path}: {shown(name)}") for name, entry in header.items()}
    places = sorted((entry.start, entry.end) for entry in found.values())
    if any(start < end for (_, end), (start, _) in pairwise(places)):
        raise DataError(f"{path}: a damaged .safetensors file: two of its tensors lie in one place")
    return {name: entry.tensor(data) for name, entry in found.items()}


@dataclass(frozen=True)
class _Entry:
    """What the header says of a tensor: type, shape, and where it lies."""

    kind: str
    shape: tuple[int, ...]
    start: int
    end: int

    @classmethod
    def of(cls, entry: Any, available: int, where: str) -> Self:
        try:
            kind, shape = _KINDS[entry["dtype"]], tuple(map(index, entry["shape"]))
            start, end = map(index, entry["data_offsets"])
        except (KeyError, TypeError, ValueError):
            raise DataError(
                f"{where} is of a type that conv-sheet does not know, or not described as the format does"
            ) from None
        size = 2 if kind == "bfloat16" else np.dtype(kind).itemsize
        if (
            len(shape) > _MOST_AXES
            or min(shape, default=0) < 0
            or max(shape, default=0) > available
            or not 0 <= start <= end <= available
            or end - start != prod(shape) * size
        ):
            raise DataError(f"{where} has a place and a shape {shape[:6]} that do not fit the file")
        return cls(kind, shape, start, end)

    def tensor(self, data: memoryview) -> Array:
        return np.asarray(numbers(bytes(data[self.start : self.end]), self.kind).reshape(self.shape))


def save(path: Path, tensors: Mapping[str, Array]) -> None:
    """Write tensors by name, whole or not at all; the same tensors give the same bytes."""
    header: dict[str, Any] = {}
    blocks: list[bytes] = []
    place = 0
    for name, tensor in tensors.items():
        kind = _NAMES.get(tensor.dtype.name)
        if kind is None:
            raise DataError(f"{path}: {shown(name)} holds {tensor.dtype}, which is not written")
        block = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<")).tobytes()
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [place, place + len(block)]}
        blocks.append(block)
        place += len(block)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_write(path) as temporary:
        Path(temporary).write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blocks))
