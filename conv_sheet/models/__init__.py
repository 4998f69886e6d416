"""Models of others: read into a spec and its weights, whatever program wrote them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conv_sheet.errors import DataError
from conv_sheet.files import require_regular
from conv_sheet.layers import Array
from conv_sheet.models.imported import LARGEST_FILE, Imported, listed

if TYPE_CHECKING:
    from conv_sheet.network.graph import Network

__all__ = ["SUFFIXES", "WEIGHTS", "Imported", "from_torch", "is_model", "read_model", "read_weights", "weights_for"]

SUFFIXES = (".onnx", ".pt2", ".keras")
"""Files that hold a whole model."""
WEIGHTS = (".npz", ".safetensors")
"""Files that hold weights alone."""
_ELSEWHERE = {
    ".tflite": "a TFLite model has lost its names and often its numbers (int8): export the Keras or PyTorch model",
    ".h5": "the older HDF5 format of Keras is not read: save again with model.save('model.keras')",
    ".hdf5": "the older HDF5 format of Keras is not read: save again with model.save('model.keras')",
    ".pb": "a SavedModel of TensorFlow is not read: export it with tf2onnx, or save it with model.save('model.keras')",
    ".mlmodel": "a Core ML model is not read: export the PyTorch model, or ONNX",
    ".mlpackage": "a Core ML model is not read: export the PyTorch model, or ONNX",
}
_PICKLED = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle")


def is_model(path: Path) -> bool:
    """Whether a file, by its name, is a model of whatever program: `read_model` reads it, or says why not.

    >>> is_model(Path("net.onnx")), is_model(Path("net.pth")), is_model(Path("net.toml"))
    (True, True, False)
    """
    return path.suffix.lower() in (*SUFFIXES, *_PICKLED, *_ELSEWHERE)


def read_model(path: str | Path) -> Imported:
    """A model of PyTorch (`.pt2`), ONNX or Keras as a spec and its weights.

    Raises DataError where the file cannot be read, SpecError where the model has what a workbook cannot show; both say
    in one line what to do.
    """
    file = Path(path)
    suffix, title = file.suffix.lower(), file.name.split(".")[0]
    if suffix not in _ELSEWHERE:
        require_regular(file, DataError, LARGEST_FILE)
    if suffix == ".pt2":
        from conv_sheet.models.pytorch import read_pt2

        return read_pt2(file, str(file), title)
    if suffix == ".onnx":
        from conv_sheet.models.onnx import read_onnx

        return read_onnx(file, title)
    if suffix == ".keras":
        from conv_sheet.models.keras import read_keras

        return read_keras(file, title)
    raise DataError(f"{file}: {_why_not(suffix)}")


def read_weights(path: str | Path) -> dict[str, Array]:
    """The tensors of a `.npz` or `.safetensors` file by name, in the file's order."""
    file = Path(path)
    if file.suffix.lower() == ".safetensors":
        from conv_sheet.models import safetensors

        return safetensors.load(file)
    if file.suffix.lower() in _PICKLED:
        raise DataError(f"{file}: {_why_not(file.suffix.lower())}")
    from conv_sheet.network.weights import load

    return load(file)


def weights_for(
    network: "Network", path: str | Path, mapping: Mapping[str, str] | None = None
) -> tuple[dict[str, Array], list[str]]:
    """The tensors of a `.npz` or `.safetensors` file as a network takes them, and notes on how they were matched.

    `mapping` gives the file's name of a layer (`conv1`) or of a tensor (`conv1.weight`). For the rest names decide, a
    prefix that all share is left out, and where no name says anything, order or shapes. Raises DataError where what the
    file has does not fit, or could be meant in several ways.
    """
    from conv_sheet.models.names import matched
    from conv_sheet.network.weights import checked

    ordered = Path(path).suffix.lower() != ".safetensors"  # it sorts by type and name
    found, notes = matched(network, read_weights(path), str(path), mapping, ordered)
    return checked(network, found, str(path)), notes


def from_torch(module: Any, example: Any, title: str = "") -> Imported:
    """A live `torch.nn.Module`; `example` is a batch that it takes. Needs torch, which is imported here.

    `conv_sheet.workbook(from_torch(module, example), example)` is the workbook with its weights. Raises SpecError where
    the module has what a workbook cannot show.

    >>> import torch
    >>> module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU())
    >>> model = from_torch(module, torch.zeros(1, 1, 6, 6))
    >>> [layer["kind"] for layer in model.spec["layers"]], sorted(model.tensors)
    (['Conv2d', 'ReLU'], ['conv0.bias', 'conv0.weight'])
    """
    from conv_sheet.models.pytorch import from_torch as trace

    return trace(module, example, title)


def _why_not(suffix: str) -> str:
    if suffix in _PICKLED:
        from conv_sheet.models.pytorch import PICKLED

        return PICKLED
    known: Mapping[str, str] = _ELSEWHERE
    return known.get(suffix, f"not a model that conv-sheet knows: {listed(SUFFIXES)} are")
