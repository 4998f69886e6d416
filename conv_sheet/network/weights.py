"""Weights of a network in files: read, checked, written."""

import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.errors import DataError, one_line
from conv_sheet.files import atomic_write, require_regular
from conv_sheet.layers import Array
from conv_sheet.layers.rows import without_row
from conv_sheet.network.graph import Network
from conv_sheet.zips import Zip

MOST_BYTES = 256 << 20
"""Of a file, and of all arrays together once they are unpacked: a network has at most four million values."""
MOST_ARRAYS = 10_000
_HEADER = 10_000
"""Bytes of the part of an array that says what it is; NumPy itself reads no more."""
_NO_ARCHIVE = (
    "not an .npz file of named arrays, or a damaged one; "
    'write one with numpy.savez("weights.npz", **{"conv1.weight": array, …})'
)


def load(path: Path) -> dict[str, Array]:
    """Arrays of an .npz file by name.

    Raises DataError where the file is missing, holds something else, or more than a network has; what the file itself
    says of its size is asked first, so that no more is unpacked.
    """
    require_regular(path, DataError, MOST_BYTES)
    try:
        with Zip(path) as archive:
            return dict(_arrays(archive, path))
    except DataError:
        raise
    except Exception as error:  # NumPy meets other files, and damage, with exceptions of every kind
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or _NO_ARCHIVE}") from error


def _arrays(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[str, Array]]:
    entries = archive.infolist()
    if len(entries) > MOST_ARRAYS:
        raise DataError(f"{path} has {len(entries):,} arrays; {MOST_ARRAYS:,} are the most that are read")
    if (size := sum(entry.file_size for entry in entries)) > MOST_BYTES:
        raise DataError(f"{path} unpacks to {size >> 20:,} MiB; {MOST_BYTES >> 20:,} are the most that are read")
    if twice := {name for name, count in Counter(entry.filename for entry in entries).items() if count > 1}:
        raise DataError(f"{path} has the array {one_line(min(twice)).removesuffix('.npy')} twice")
    for entry in entries:
        name = entry.filename.removesuffix(".npy")
        with archive.open(entry) as file:
            yield name, _array(file, entry.file_size, f"{path}: {one_line(name)}")


def _array(file: IO[bytes], size: int, label: str) -> Array:
    """An array, once its header promises no more than the file holds.

    Objects, which are pickles and may run anything, are refused.
    """
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, kind = header(file, max_header_size=_HEADER)
    if kind.hasobject:
        raise DataError(f"{label} holds Python objects, which are never read: save it as numbers")
    count = prod(shape)
    if count * kind.itemsize > size:
        raise DataError(f"{label} is damaged: its header promises {count:,} values, which the file does not hold")
    values = np.frombuffer(file.read(count * kind.itemsize), kind, count)
    return values.reshape(shape, order="F" if fortran else "C")


def save(path: Path, weights: Mapping[str, Array]) -> None:
    """Write arrays by name as an .npz file, whole or not at all; the same arrays give the same bytes."""
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in weights.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as entry:
                np.lib.format.write_array(entry, np.asarray(value), allow_pickle=False)


def checked(network: Network, weights: Mapping[str, Array], where: str = "weights") -> dict[str, Array]:
    """Weights as float64 in the network's order (see `as_written`); a DataError lists what does not fit.

    Missing biases are zero, and missing settings, which no file of weights has, are as they start.

    >>> network = Network.from_spec({"input": [1, 1, 1], "layers": [{"kind": "BatchNorm2d", "affine": False}]})
    >>> list(checked(network, {"bn1.running_mean": np.zeros(1), "bn1.running_var": np.ones(1)}))
    ['bn1.running_mean', 'bn1.running_var']
    """
    unused = {f"{n.name}.{short}" for n in network.nodes for short in n.layer.unused}
    known = network.parameters
    given = {n for n, shape in known.items() if not shape} | {
        f"{n.name}.{short}" for n in network.nodes for short in n.layer.settings
    }
    theirs = {name: shape for n in network.nodes for name, shape in n.full(n.layer.torch_shapes(n.in_shape)).items()}
    unknown = sorted(set(weights) - set(known) - unused)
    missing = [n for n in known if n not in weights and n not in given and not n.endswith(".bias")]
    wrong = [
        f"{n} has {tuple(weights[n].shape)} and must have {theirs[n]}"
        for n, shape in known.items()
        if n in weights and tuple(weights[n].shape) not in (shape, theirs[n], without_row(shape))
    ]
    faults = (
        [f"unknown {', '.join(unknown)}"] * bool(unknown) + [f"missing {', '.join(missing)}"] * bool(missing) + wrong
    )
    if faults:
        has = ", ".join(f"{n} {tuple(v.shape)}" for n, v in weights.items()) or "nothing"
        wants = ", ".join(f"{n} {shape}" for n, shape in network.parameters.items()) or "no weights"
        raise DataError(f"{where}: {'; '.join(faults)}. The file has {has}; the network takes {wants}")
    start = network.initial(seed=0) if given.difference(weights) else {}
    usual = {name: start[name] if name in given else np.zeros(known[name]) for name in known if name not in weights}
    every = usual | dict(weights)
    return {name: _numbers(every[name], f"{where}: {name}").reshape(shape) for name, shape in known.items()}


def as_written(values: NDArray[Any]) -> Array:
    """Numbers in double precision; those of single precision as the shortest decimals that stand for them.

    Rounded to single precision again, they are what they were.

    >>> as_written(np.array([0.1, 1e-5], np.float32)).tolist(), as_written(np.array([0.1 + 0.2])).tolist()
    ([0.1, 1e-05], [0.30000000000000004])
    """
    if values.dtype.type is not np.float32:
        return values.astype(np.float64)
    return np.fromiter(map(float, map(str, values.flat)), np.float64, values.size).reshape(values.shape)


def _numbers(value: Array, label: str) -> Array:
    if not np.issubdtype(value.dtype, np.number) or np.iscomplexobj(value):
        raise DataError(f"{label} holds {value.dtype}, not real numbers")
    with np.errstate(all="ignore"):
        numbers = as_written(value)
    if not np.isfinite(numbers).all():
        raise DataError(f"{label} holds NaN or infinity")
    return numbers
