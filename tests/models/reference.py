"""Imported specs, executed by PyTorch: the importers are judged apart from conv-sheet's own arithmetic."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from conv_sheet.models.imported import Imported

_NOT_OPTIONS = {"name", "kind", "inputs"}
_CHANNELS = {"Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d"}
_FEATURES = {"BatchNorm1d", "BatchNorm2d", "InstanceNorm1d", "InstanceNorm2d"}


@torch.no_grad()
def run(imported: Imported, x: Any) -> dict[str, Tensor]:
    """Every activation of a spec, in double precision."""
    spec, values = imported.spec, {"input": torch.as_tensor(x, dtype=torch.float64)}
    assert tuple(values["input"].shape[1:]) == tuple(spec["input"])
    picture = values["input"]
    if "normalize" in spec:
        shape = (1, -1, *(1,) * (picture.ndim - 2))
        mean, std = (torch.tensor(spec["normalize"][key], dtype=torch.float64).view(shape) for key in ("mean", "std"))
        values["input"] = (picture - mean) / std
    before = "input"
    for table in spec["layers"]:
        name, kind = table["name"], table["kind"]
        options = {key: tuple(v) if isinstance(v, list) else v for key, v in table.items() if key not in _NOT_OPTIONS}
        own = {
            full.removeprefix(f"{name}."): torch.tensor(tensor)
            for full, tensor in imported.tensors.items()
            if full.rpartition(".")[0] == name
        }
        sources = [values[source] for source in table.get("inputs", [before])]
        values[name] = _layer(kind, options, own, sources)
        before = name
    return values


def output(imported: Imported, x: Any) -> Tensor:
    """What a spec gives for a batch of one."""
    return run(imported, x)[imported.spec["layers"][-1]["name"]]


def _layer(kind: str, options: dict[str, Any], own: Mapping[str, Tensor], xs: list[Tensor]) -> Tensor:
    x = xs[0]
    if kind in _SPECIAL:
        return _SPECIAL[kind](xs, options)
    if kind in _CHANNELS:
        options = {"in_channels": x.shape[1], **options}
    elif kind in _FEATURES:
        options = {"num_features": x.shape[1], "track_running_stats": "running_mean" in own, **options}
    elif kind == "GroupNorm":
        options = {"num_channels": x.shape[1], **options}
    elif kind == "Linear":
        options = {"in_features": x.shape[1], **options}
    elif kind in ("Softmax", "LogSoftmax"):
        options = {"dim": 1, **options}
    elif (
        kind in ("MaxPool2d", "AvgPool2d")
        and isinstance(options.get("padding"), tuple)
        and len(options["padding"]) == 4
    ):
        x, options = _four_sides(kind, x, dict(options))
    elif kind == "ZeroPad3d":
        return F.pad(x, options["padding"])
    module = getattr(nn, kind)(**options).double()
    state = module.state_dict()
    missing = {name for name in state if name not in own and name != "num_batches_tracked"}
    assert not missing and set(own) <= set(state), (kind, missing, set(own) - set(state))
    if own:
        module.load_state_dict({**own, **({"num_batches_tracked": torch.tensor(0)} if "running_mean" in own else {})})
    return module.eval()(x)  # type: ignore[no-any-return]


def _four_sides(kind: str, x: Tensor, options: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
    sides = options.pop("padding")
    assert kind == "MaxPool2d"
    return F.pad(x, sides, value=-torch.inf), options


def _slice(xs: list[Tensor], options: Mapping[str, Any]) -> Tensor:
    cut = slice(options["start"], options["end"], options.get("step", 1))
    return xs[0][(slice(None),) * options["dim"] + (cut,)]


_SPECIAL: dict[str, Callable[[list[Tensor], Any], Tensor]] = {
    "Add": lambda xs, options: sum(xs[1:], xs[0]),
    "Mul": lambda xs, options: xs[0] * xs[1],
    "Concat": lambda xs, options: torch.cat(xs, dim=1),
    "Slice": _slice,
}
