"""Specs that several tests of networks are about."""

from typing import Any

CONV: dict[str, Any] = {"name": "conv1", "kind": "Conv2d", "out_channels": 2, "kernel_size": 3}
RELU: dict[str, Any] = {"kind": "ReLU"}
TANH: dict[str, Any] = {"kind": "Tanh"}
ADD: dict[str, Any] = {"kind": "Add"}


def spec(*layers: dict[str, Any], shape: tuple[int, ...] = (1, 8, 8), **more: Any) -> dict[str, Any]:
    """A spec of these layers."""
    return {"input": list(shape), "layers": [dict(layer) for layer in layers]} | more
