"""Weights of a network in files: read, checked, written."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from conv_sheet.errors import DataError
from conv_sheet.files import atomic_write
from conv_sheet.layers import Array
from conv_sheet.network.graph import Network

_NO_ARCHIVE = (
    "not an .npz file of named arrays, or a damaged one; "
    'write one with numpy.savez("weights.npz", **{"conv1.weight": array, …})'
)


def load(path: Path) -> dict[str, Array]:
    """Arrays of an .npz file by name.

    Raises DataError where the file is missing or holds something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except Exception as error:  # NumPy meets other files, and damage, with exceptions of every kind
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or _NO_ARCHIVE}") from error
    if not all(isinstance(value, np.ndarray) for value in arrays.values()):
        raise DataError(f"{path}: {_NO_ARCHIVE}")
    return arrays


def save(path: Path, weights: Mapping[str, Array]) -> None:
    """Write arrays by name as an .npz file, whole or not at all; the same arrays give the same bytes."""
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in weights.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as entry:
                np.lib.format.write_array(entry, np.asarray(value), allow_pickle=False)


def checked(network: Network, weights: Mapping[str, Array], where: str = "weights") -> dict[str, Array]:
    """Weights as float64 in the network's order; a DataError lists what does not fit.

    Missing biases are zero, and missing settings, which no file of weights has, are as they start.

    >>> network = Network.from_spec({"input": [1, 1, 1], "layers": [{"kind": "BatchNorm2d", "affine": False}]})
    >>> list(checked(network, {"bn1.running_mean": np.zeros(1), "bn1.running_var": np.ones(1)}))
    ['bn1.running_mean', 'bn1.running_var']
    """
    unused = {f"{n.name}.{short}" for n in network.nodes for short in n.layer.unused}
    unknown = sorted(set(weights) - set(network.parameters) - unused)
    missing = [n for n, s in network.parameters.items() if s and n not in weights and not n.endswith(".bias")]
    wrong = [
        f"{n} has {tuple(weights[n].shape)} and must have {shape}"
        for n, shape in network.parameters.items()
        if n in weights and tuple(weights[n].shape) != shape
    ]
    faults = (
        [f"unknown {', '.join(unknown)}"] * bool(unknown) + [f"missing {', '.join(missing)}"] * bool(missing) + wrong
    )
    if faults:
        has = ", ".join(f"{n} {tuple(v.shape)}" for n, v in weights.items()) or "nothing"
        wants = ", ".join(f"{n} {shape}" for n, shape in network.parameters.items()) or "no weights"
        raise DataError(f"{where}: {'; '.join(faults)}. The file has {has}; the network takes {wants}")
    tensors, start = {}, network.initial(seed=0)
    for name, shape in network.parameters.items():
        value = weights.get(name, np.zeros(shape) if shape else start[name])
        tensors[name] = _numbers(value, f"{where}: {name}")
    return tensors


def _numbers(value: Array, label: str) -> Array:
    if not np.issubdtype(value.dtype, np.number) or np.iscomplexobj(value):
        raise DataError(f"{label} holds {value.dtype}, not real numbers")
    numbers = value.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise DataError(f"{label} holds NaN or infinity")
    return numbers
