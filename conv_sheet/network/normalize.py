"""The key `normalize` of a spec: a layer of its own right behind the picture, which all others read instead of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from conv_sheet.errors import SpecError, did_you_mean
from conv_sheet.network.node import INPUT, Node

NORMALIZE = "normalize"
"""The key, and the name of the layer that it stands for."""
_KIND = "Normalize"


def with_normalize(given: Any, tables: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The tables of a spec's layers behind the one for its key `normalize`.

    `mean` and `std` are a number or one for each channel; `range` is what 0 … 1 becomes.

    >>> with_normalize({"range": [-1, 1]}, [{"kind": "Add", "inputs": ["input", "tanh1"]}])[0]
    {'name': 'normalize', 'kind': 'Normalize', 'mean': 0.5, 'std': 0.5}
    """
    first = {"name": NORMALIZE, "kind": _KIND} | _options(given)
    return [first, *({**table, **_renamed(table, INPUT, NORMALIZE)} for table in tables)]


def _renamed(table: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    inputs = table.get("inputs")
    return {"inputs": [new if source == old else source for source in inputs]} if isinstance(inputs, list) else {}


def _options(given: Any) -> dict[str, Any]:
    known = {"mean", "std", "range"}
    if not isinstance(given, dict) or not given:
        raise SpecError(f"normalize = {given!r} is not a table: write normalize = {{mean = [0.5], std = [0.5]}}")
    unknown = sorted(set(given) - known)
    if unknown:
        near = did_you_mean(unknown[0], known)
        raise SpecError(f"normalize takes mean and std, or range, not {unknown[0]!r}{near}")
    if "range" not in given:
        return {"mean": given.get("mean", 0.0), "std": given.get("std", 1.0)}
    if len(given) > 1:
        raise SpecError("normalize takes mean and std, or range, not both")
    both = given["range"]
    if not isinstance(both, list) or len(both) != 2 or not all(type(end) in (int, float) for end in both):
        raise SpecError(f"normalize: range = {both!r} is not what 0 … 1 becomes, such as [-1, 1] or [0, 255]")
    low, high = both
    if low == high:
        raise SpecError(f"normalize: range = {both!r} has two equal ends")
    return {"mean": -low / (high - low) + 0.0, "std": 1 / (high - low)}


def taken_off(nodes: Sequence[Node], tables: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The way back: what a spec's key `normalize` says, and the other tables; nothing where no node is like that."""
    first, others = nodes[0], nodes[1:]
    alone = not any(INPUT in node.inputs for node in others)
    if not others or not alone or (first.name, first.layer.kind, first.inputs) != (NORMALIZE, _KIND, (INPUT,)):
        return {}, list(tables)
    said = {key: value for key, value in tables[0].items() if key not in ("name", "kind")}
    return {NORMALIZE: said}, [{**table, **_renamed(table, NORMALIZE, INPUT)} for table in tables[1:]]
