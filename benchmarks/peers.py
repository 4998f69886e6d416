"""A lesson's network as a module of PyTorch."""

from collections.abc import Mapping

import torch

from conv_sheet.network.graph import Network
from conv_sheet.ops import Array


def module(network: Network, tensors: Mapping[str, Array]) -> torch.nn.Sequential:
    """The layers as their captions in a workbook write them, in float64, with the same weights."""
    layers = {node.name: eval(node.layer.torch(node.in_shape), {"nn": torch.nn}) for node in network.nodes}
    sequence = torch.nn.Sequential()
    for name, layer in layers.items():
        sequence.add_module(name, layer)
    sequence.double().load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return sequence
