"""A network with its weights in the files of other programs."""

from collections.abc import Mapping
from dataclasses import fields, replace
from keyword import iskeyword
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

    They are not called as `train` calls the weights of a lesson, which they would replace. Raises DataError where no
    file is called so.

    >>> [str(one) for one in written(Path("net.py"))]
    ['net.py', 'net.weights.npz']
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: the name of an export ends in one of {listed(SUFFIXES)}")
    return [path, path.with_suffix(".weights.npz")] if path.suffix.lower() == ".py" else [path]


def export(path: Path, network: Network, lesson: Lesson, tensors: Mapping[str, Array]) -> None:
    """Write a network as its suffix says: a model, its weights, its spec, or code for PyTorch.

    Raises DataError where no file is called so, SpecError where a layer cannot be said there.
    """
    files, suffix = written(path), path.suffix.lower()
    theirs = lesson.source_names
    named = {theirs.get(name, name): value for name, value in state_dict(network, tensors).items()}
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
        parts = ((name.partition("."), value) for name, value in state_dict(network, tensors).items())
        save(files[1], {f"{_word(layer)}.{short}": value for (layer, _, short), value in parts})
        _text(path, code(network, tensors, lesson.title, files[1].name))


def state_dict(network: Network, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors as PyTorch's `state_dict` has them: in its shapes, and in single precision.

    A BatchNorm counts its batches, too; PyTorch takes weights without that number.
    """
    found: dict[str, Array] = {}
    for node in network.nodes:
        for short, shape in node.layer.torch_shapes(node.in_shape).items():
            if short not in node.layer.settings and shape:
                found[f"{node.name}.{short}"] = tensors[f"{node.name}.{short}"].reshape(shape).astype(np.float32)
    return found


_CODE = '''"""{title}

The weights lie beside this file.
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
with np.load(Path(__file__).with_name({weights!r})) as stored:
    model.load_state_dict({{name: torch.from_numpy(stored[name]) for name in stored}})
'''


TAKEN = {
    *(
        "apply",
        "bfloat16",
        "buffers",
        "children",
        "compile",
        "cpu",
        "cuda",
        "double",
        "eval",
        "float",
        "forward",
        "half",
    ),
    *("ipu", "modules", "mtia", "parameters", "to", "train", "training", "type", "xpu"),
    *("self", "torch", "nn", "np", "Path"),
}
"""Words that cannot name a layer in code: attributes of every module of PyTorch, and what the code itself uses."""


def code(network: Network, tensors: Mapping[str, Array], title: str, weights: str) -> str:
    """A module of PyTorch as Python code, which loads its weights from a file beside it."""
    layers = [f"        self.{_word(n.name)} = {_torch(n, tensors)}" for n in network.nodes if not n.layer.joins]
    return _CODE.format(
        title=" ".join(title.replace("\\", " ").replace('"', "'").split()),
        weights=weights,
        shape=", ".join(map(str, network.input_shape)),
        layers="\n".join(layers) or "        pass",
        steps="\n".join(f"        {_word(n.name)} = {_step(n)}" for n in network.nodes),
        last=_word(network.output.name),
    )


def _torch(node: Node, tensors: Mapping[str, Array]) -> str:
    """The layer with those of its options that are settings as they stand in cells."""
    layer, own = node.layer, node.own(tensors)
    settings = [option.name for option in fields(layer) if option.name in layer.settings]
    return replace(layer, **{name: tuple(own[name].tolist()) for name in settings}).torch(node.in_shape)


def _step(node: Node) -> str:
    layer, names = node.layer, [_word(name) for name in node.inputs]
    if layer.joins:
        return layer.joined_torch(names, node.in_shape)
    one_row = layer.kind.endswith("1d") and len(node.in_shape) == 3
    rows = (".squeeze(2)", ".unsqueeze(2)") if one_row else ("", "")
    return f"self.{_word(node.name)}({names[0]}{rows[0]}){rows[1]}"


def _word(name: str) -> str:
    """The name of a layer, or one like it where that is a word of Python's or of PyTorch's modules."""
    return f"{name}_" if iskeyword(name) or name in TAKEN else name


def _text(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")
