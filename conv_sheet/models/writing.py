"""A network with its weights in the files of other programs."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from conv_sheet.errors import DataError
from conv_sheet.files import atomic_write
from conv_sheet.layers import Array
from conv_sheet.models.imported import listed
from conv_sheet.network.graph import Network, Node
from conv_sheet.network.lesson import Lesson
from conv_sheet.network.spec import Spec
from conv_sheet.network.weights import save

SUFFIXES = (".onnx", ".npz", ".safetensors", ".toml", ".py")
"""Files that can be written."""


def written(path: Path) -> list[Path]:
    """The files that `export` writes for this name: beside code, the weights that it loads.

    Raises DataError where no file is called so.

    >>> [str(one) for one in written(Path("net.py"))]
    ['net.py', 'net.npz']
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: the name of an export ends in one of {listed(SUFFIXES)}")
    return [path, path.with_suffix(".npz")] if path.suffix.lower() == ".py" else [path]


def export(path: Path, network: Network, lesson: Lesson, tensors: Mapping[str, Array]) -> None:
    """Write a network as its suffix says: a model, its weights, its spec, or code for PyTorch.

    Raises DataError where no file is called so, SpecError where a layer cannot be said there.
    """
    files, suffix = written(path), path.suffix.lower()
    named = {_theirs(name, lesson.names): value for name, value in state_dict(network, tensors).items()}
    if suffix == ".npz":
        save(path, named)
    elif suffix == ".safetensors":
        from conv_sheet.models import safetensors

        safetensors.save(path, named)
    elif suffix == ".toml":
        _text(path, Spec(network, lesson).to_toml())
    elif suffix == ".onnx":
        try:
            from conv_sheet.models.onnx import writing
        except ImportError:
            raise DataError("writing ONNX needs the package onnx: pip install 'conv-sheet[onnx]'") from None
        made = writing.model(network, tensors, lesson.title)
        with atomic_write(path) as temporary:
            Path(temporary).write_bytes(made.SerializeToString(deterministic=True))
    else:
        save(files[1], state_dict(network, tensors))
        _text(path, code(network, tensors, lesson.title, files[1].name))


def state_dict(network: Network, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors as PyTorch's `state_dict` has them: its shapes, single precision, and counts of batches as 0."""
    found: dict[str, Array] = {}
    for node in network.nodes:
        for short, shape in node.layer.torch_shapes(node.in_shape).items():
            if short not in node.layer.settings and shape:
                found[f"{node.name}.{short}"] = tensors[f"{node.name}.{short}"].reshape(shape).astype(np.float32)
        found |= {f"{node.name}.{short}": np.array(0) for short in node.layer.unused}
    return found


def _theirs(name: str, names: Mapping[str, str]) -> str:
    """The name of a tensor in the model that the network was read from; what stands beside a known one is like it.

    >>> _theirs("bn1.num_batches_tracked", {"bn1.running_mean": "0.bn1.running_mean"})
    '0.bn1.num_batches_tracked'
    """
    layer, _, short = name.rpartition(".")
    beside = (other.rpartition(".")[0] for ours, other in names.items() if ours.rpartition(".")[0] == layer)
    return names.get(name) or f"{next(beside, layer)}.{short}"


_CODE = '''"""{title}

The weights are those of {weights}, beside this file.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn


class Network(nn.Module):
    """Reads (N, {shape})."""

    def __init__(self):
        super().__init__()
{layers}

    def forward(self, input):
{steps}
        return {last}


model = Network().eval()
with np.load(Path(__file__).with_name("{weights}")) as stored:
    model.load_state_dict({{name: torch.from_numpy(stored[name]) for name in stored}})
'''


def code(network: Network, tensors: Mapping[str, Array], title: str, weights: str) -> str:
    """A module of PyTorch as Python code, which loads its weights from a file beside it."""
    layers = [f"        self.{node.name} = {_torch(node, tensors)}" for node in network.nodes if not node.layer.joins]
    return _CODE.format(
        title=" ".join(title.replace("\\", " ").replace('"', "'").split()),
        weights=weights,
        shape=", ".join(map(str, network.input_shape)),
        layers="\n".join(layers) or "        pass",
        steps="\n".join(f"        {node.name} = {_step(node)}" for node in network.nodes),
        last=network.output.name,
    )


def _torch(node: Node, tensors: Mapping[str, Array]) -> str:
    """The layer with those of its options that are settings as they stand in cells."""
    layer, own = node.layer, node.own(tensors)
    settings = [option.name for option in fields(layer) if option.name in layer.settings]
    return replace(layer, **{name: tuple(own[name].tolist()) for name in settings}).torch(node.in_shape)


def _step(node: Node) -> str:
    layer = node.layer
    if layer.joins:
        return layer.joined_torch(node.inputs, node.in_shape)
    (source,) = node.inputs
    one_row = layer.kind.endswith("1d") and len(node.in_shape) == 3
    return f"self.{node.name}({source}.squeeze(2)).unsqueeze(2)" if one_row else f"self.{node.name}({source})"


def _text(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")
