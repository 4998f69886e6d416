"""A network as an ONNX model, in single precision.

Maps keep their two axes, so that signals are maps of one row.
"""

from collections.abc import Mapping

import onnx
from onnx import TensorProto, helper

from conv_sheet.layers import Array
from conv_sheet.models.onnx.step import Graph, Step
from conv_sheet.models.onnx.writers import WRITERS
from conv_sheet.network.graph import Network

OPSET = 20
"""The first one that has Gelu."""
_IR_VERSION = 9


def model(network: Network, tensors: Mapping[str, Array], title: str) -> onnx.ModelProto:
    """The model, which reads `input` (N, C, H, W) and gives the output of the last layer.

    Raises SpecError for a layer that ONNX cannot say.
    """
    graph, shapes = Graph(), {"input": network.input_shape} | {n.name: n.out_shape for n in network.nodes}
    for node in network.nodes:
        step = Step(graph, node, node.inputs, tuple(shapes[name] for name in node.inputs), node.own(tensors))
        if node.layer.kind not in WRITERS:
            raise step.refuse(f"ONNX has nothing for the kind {node.layer.kind}")
        WRITERS[node.layer.kind](step)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shapes[name]])
        for name in ("input", network.output.name)
    ]
    whole = helper.make_graph(graph.nodes, title or "network", ends[:1], ends[1:], [*graph.constants.values()])
    made = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="conv-sheet")
    made.ir_version = _IR_VERSION
    onnx.checker.check_model(made)
    return made
