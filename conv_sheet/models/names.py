"""Weights of a `state_dict` for a network: which tensor of the file is which parameter."""

import re
from collections.abc import Mapping, Sequence

from conv_sheet.errors import DataError
from conv_sheet.layers import Array, Shape
from conv_sheet.models.imported import listed, shown
from conv_sheet.models.naming import legal
from conv_sheet.network.graph import Network

Modules = dict[str, dict[str, Array]]
"""Tensors by module and by short name (`weight`)."""
_WAY_OUT = "say which is which with --map, such as --map conv1=0"


def matched(
    network: Network,
    tensors: Mapping[str, Array],
    where: str,
    mapping: Mapping[str, str] | None = None,
    ordered: bool = True,
) -> tuple[dict[str, Array], list[str]]:
    """The tensors by the network's names, and notes that say what was done for it.

    `mapping` gives the file's name for one of the network's, of a layer (`conv1`) or of a tensor (`conv1.weight`).
    For the rest names decide; a prefix that all share is taken off; else the order where shapes fit, unless the format
    has no order (`ordered` is false). Raises DataError where several tensors could be meant.

    >>> import numpy as np
    >>> network = Network.from_spec({"input": [1, 1, 1], "layers": [{"kind": "Flatten"},
    ...                              {"name": "fc", "kind": "Linear", "out_features": 2}]})
    >>> weights = {"0.weight": np.ones((2, 1)), "0.bias": np.zeros(2)}
    >>> matched(network, weights, "w.npz")[1]
    ['w.npz: weights are taken in their order: fc from 0']
    """
    given, rest, layers = _given(network, tensors, mapping or {}, where)
    notes: list[str] = []
    found = _by_name(network, rest, layers)
    if found is None:
        prefix, bare = _without_prefix(rest)
        found = _by_name(network, bare, layers) if prefix else None
        if found is not None:
            notes.append(f"{where}: the prefix {shown(prefix)}, which all names share, is left out")
    if found is None and rest and layers:
        pairs = _by_order(network, _modules(rest), layers, where, ordered)
        found = {f"{layer}.{short}": t for layer, module in pairs for short, t in _modules(rest)[module].items()}
        said = ", ".join(f"{layer} from {module or 'the top'}" for layer, module in pairs)
        notes.append(f"{where}: weights are taken in their order: {said}")
    return given | (rest if found is None else found), notes


def _given(
    network: Network, tensors: Mapping[str, Array], mapping: Mapping[str, str], where: str
) -> tuple[dict[str, Array], dict[str, Array], list[str]]:
    """What the mapping names; the other tensors; and the layers that still wait for theirs."""
    modules = _modules(tensors)
    layers = [node.name for node in network.nodes if _shapes(network, node.name)]
    given: dict[str, Array] = {}
    used: set[str] = set()
    for own, theirs in mapping.items():
        layer, _, short = own.partition(".")
        if layer not in layers or (short and own not in network.parameters):
            raise DataError(f"--map {own}={theirs}: {shown(own)} has no weights; there are {listed(layers)}")
        if short and theirs in tensors:
            given[own] = tensors[theirs]
            used.add(theirs)
        elif not short and theirs in modules:
            given |= {f"{own}.{name}": tensor for name, tensor in modules[theirs].items()}
            used |= {f"{theirs}.{name}" if theirs else name for name in modules[theirs]}
        else:
            raise DataError(f"--map {own}={theirs}: {where} has no {shown(theirs)}; it has {listed(tensors)}")
    done = {name.partition(".")[0] for name in given}
    rest = {name: tensor for name, tensor in tensors.items() if name not in used}
    return given, rest, [layer for layer in layers if layer not in done]


def _modules(tensors: Mapping[str, Array]) -> Modules:
    found: Modules = {}
    for name, tensor in tensors.items():
        module, _, short = name.rpartition(".")
        found.setdefault(module, {})[short] = tensor
    return found


def _shapes(network: Network, layer: str) -> dict[str, Shape]:
    """Shapes of what a file has for a layer: settings, which have no axes, are not among them."""
    return {short: shape for short, shape in network.node(layer).parameters.items() if shape}


def _by_name(network: Network, tensors: Mapping[str, Array], layers: Sequence[str]) -> dict[str, Array] | None:
    """Tensors by the names that conv-sheet makes of their modules'; None where no layer is called like one."""
    kinds = {layer: network.node(layer).layer.kind for layer in layers}
    modules, names = _modules(tensors), {}
    for module, own in modules.items():
        made = (layer for layer, kind in kinds.items() if layer == legal(module, kind) and _fits(network, layer, own))
        layer = module if module in kinds else next(made, None)
        if layer is not None:
            names[module] = layer
    if len(names) < len(modules) and kinds.keys().isdisjoint(modules):
        return None
    result = {}
    for name, tensor in tensors.items():
        module, _, short = name.rpartition(".")
        result[f"{names[module]}.{short}" if module in names else name] = tensor
    return result


def _without_prefix(tensors: Mapping[str, Array]) -> tuple[str, dict[str, Array]]:
    """Modules that stand at the beginning of every name, and the names without them."""
    parts = [name.split(".") for name in tensors]
    count = 0
    while parts and all(len(part) > count + 2 and part[count] == parts[0][count] for part in parts):
        count += 1
    prefix = ".".join(parts[0][:count]) + "." if count else ""
    return prefix, {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def _by_order(
    network: Network, modules: Modules, layers: Sequence[str], where: str, ordered: bool
) -> list[tuple[str, str]]:
    """Layers and modules in pairs: by order where there is one, else by shapes where only one fits."""
    fits = {layer: [name for name, own in modules.items() if _fits(network, layer, own)] for layer in layers}
    order = list(modules) if ordered else sorted(modules, key=_natural) if _numbered(modules) else []
    if len(order) == len(layers) and all(name in fits[layer] for layer, name in zip(layers, order, strict=True)):
        return list(zip(layers, order, strict=True))
    if len(modules) != len(layers):
        raise DataError(
            f"{where}: it has weights of {len(modules)} modules, {listed(modules)}, and the network takes those of "
            f"{len(layers)}, {listed(layers)}: {_WAY_OUT}"
        )
    for layer, names in fits.items():
        if len(names) != 1:
            what = f"{listed(names)} all fit" if names else "nothing fits"
            shapes = ", ".join(f"{short} {shape}" for short, shape in _shapes(network, layer).items())
            raise DataError(f"{where}: {what} layer {layer!r} with {shapes}: {_WAY_OUT}")
    pairs = [(layer, names[0]) for layer, names in fits.items()]
    if len({name for _, name in pairs}) < len(pairs):
        raise DataError(f"{where}: two layers would take the weights of one module: {_WAY_OUT}")
    return pairs


def _fits(network: Network, layer: str, own: Mapping[str, Array]) -> bool:
    unused = network.node(layer).layer.unused
    return {s: tuple(t.shape) for s, t in own.items() if s not in unused} == _shapes(network, layer)


def _numbered(modules: Modules) -> bool:
    """Whether all names end in a number, as those of a Sequential do."""
    return all(re.search(r"(\A|\.)\d+\Z", name) for name in modules)


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts 2 before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.split(".")]
