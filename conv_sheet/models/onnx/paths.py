"""Modules that nodes of an ONNX graph come from, as far as exporters leave their names."""

import ast
import re
from collections.abc import Sequence
from typing import Any

_TF = ("StatefulPartitionedCall", "PartitionedCall")
_VIEWS = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Cast", "Identity", "Shape")


def module_paths(nodes: Sequence[Any]) -> list[str]:
    """For each node the path of the module that it is; empty for a function that some module calls.

    The dynamo exporter says it beside the node. The older one names nodes `/layer1/layer1.0/conv1/Conv`; what other
    nodes go further into is no module of its own. TensorFlow's are `StatefulPartitionedCall/model/dense/MatMul`.
    """
    found = [_said(node) for node in nodes]
    named = [_by_name(node.name) if said is None else said for node, said in zip(nodes, found, strict=True)]
    layers = {path for node, path in zip(nodes, named, strict=True) if node.op_type not in _VIEWS}
    seen: set[str] = set()
    for place, node in enumerate(nodes):
        path = named[place]
        if node.name.startswith(_TF) and (path in seen or (path in layers and node.op_type in _VIEWS)):
            named[place] = ""  # the activation of a layer, or its layout
        else:
            seen.add(path)
    inner = {path.rpartition(".")[0] for path in named}
    inner |= {".".join(path.split(".")[:n]) for path in named for n in range(1, path.count(".") + 1)}
    return [path if said is not None or path not in inner else "" for path, said in zip(named, found, strict=True)]


def _said(node: Any) -> str | None:
    """What the dynamo exporter says of a node; None where it says nothing."""
    said = {entry.key: entry.value for entry in node.metadata_props}
    try:
        scopes = ast.literal_eval(said["pkg.torch.onnx.name_scopes"][:4000])
        kinds = ast.literal_eval(said["pkg.torch.onnx.class_hierarchy"][:4000])
        kind, path = str(kinds[-2]), str(scopes[-2])
    except (KeyError, ValueError, SyntaxError, IndexError, TypeError, MemoryError, RecursionError):
        return None
    own = kind.startswith("torch.nn.modules.") and not kind.startswith("torch.nn.modules.container.")
    return path if own else ""


def _by_name(name: str) -> str:
    """The path in a node's name.

    >>> _by_name("/layer1/layer1.0/conv1/Conv"), _by_name("/Relu"), _by_name("StatefulPartitionedCall/net/dense/MatMul")
    ('layer1.0.conv1', '', 'dense')
    """
    parts = name.split("/")[:-1]
    if parts and parts[0] in _TF:
        return parts[-1] if len(parts) > 1 else ""
    if not parts or parts[0]:
        return ""
    path = ""
    for part in parts[1:]:
        part = re.sub(r"_\d+$", "", part) if part.startswith(f"{path}.") else part
        path = part if not path or part.startswith(f"{path}.") else f"{path}.{part}"
    return path
