"""Graphs of layers: some that show what a graph can be, random ones, and how PyTorch computes them."""

from collections.abc import Mapping
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from conv_sheet.errors import SpecError
from conv_sheet.layers import KINDS, Array, Shape
from conv_sheet.network.graph import Network

MOST = 8
"""Layers of a random graph."""
Table = dict[str, Any]


def layer(kind: str, *inputs: str, **options: Any) -> Table:
    """A layer's table of a spec; without inputs it reads the layer before it."""
    return {"kind": kind, **({"inputs": list(inputs)} if inputs else {}), **options}


def conv(name: str, *inputs: str, out_channels: int = 2, kernel_size: int | list[int] = 3, **options: Any) -> Table:
    return layer("Conv2d", *inputs, name=name, out_channels=out_channels, kernel_size=kernel_size, **options)


def graph(shape: Shape, *layers: Table, **more: Any) -> Network:
    return Network.from_spec({"input": list(shape), "layers": list(layers), **more})


GRAPHS: dict[str, Network] = {
    "a ReLU of an earlier layer": graph(
        (1, 4, 5),
        conv("one", padding=1),
        layer("Tanh", name="two"),
        layer("ReLU", "one", name="late"),
        layer("Add", "two", "late"),
    ),
    "a residual block": graph(
        (2, 5, 6),
        conv("first", padding=1, bias=False),
        layer("BatchNorm2d"),
        layer("ReLU"),
        conv("second", padding=1),
        layer("Add", "second", "input", name="sum"),
        layer("ReLU"),
    ),
    "branches behind each other": graph(
        (2, 6, 5),
        conv("narrow", "input", kernel_size=1),
        conv("wide", "input", out_channels=3, kernel_size=5, padding=2),
        layer("MaxPool2d", "input", name="pool", kernel_size=3, stride=1, padding=1),
        layer("Concat", "narrow", "wide", "pool", name="joined"),
        layer("BatchNorm2d"),
        layer("Concat", "joined", "bn1", name="twice"),
        conv("mixed", "twice", out_channels=4, groups=2, padding=2, padding_mode="reflect"),
    ),
    "maps behind each other, flattened": graph(
        (1, 4, 4),
        conv("one", "input", kernel_size=2),
        layer("AvgPool2d", "input", name="two", kernel_size=2, stride=1),
        layer("Concat", "one", "two"),
        layer("Flatten"),
        layer("Linear", out_features=3),
        layer("Softmax"),
    ),
    "flattened, then behind each other": graph(
        (2, 4, 5),
        layer("Flatten", "input", name="left"),
        layer("Tanh", "input"),
        layer("Flatten", name="right"),
        layer("Concat", "left", "right"),
        layer("Linear", out_features=2),
    ),
    "vectors of two sizes": graph(
        (2, 4, 5),
        layer("Flatten", name="flat"),
        layer("Linear", "flat", name="small", out_features=2),
        layer("MaxPool2d", "input", name="pool", kernel_size=2),
        layer("Flatten", "pool", name="pooled"),
        layer("Concat", "small", "pooled", name="joined"),
        layer("Linear", "joined", name="fc", out_features=3),
        layer("Sigmoid", "joined", name="sigmoid"),
        layer("Concat", "fc", "sigmoid", "joined"),
        layer("Softmax", name="shares"),
    ),
    "an output without cells": graph((1, 3, 3), layer("Tanh"), layer("Concat", "tanh1", "input")),
    "a vector without cells": graph(
        (1, 2, 3),
        layer("Flatten", name="flat"),
        layer("Linear", "flat", name="fc", out_features=2),
        layer("Concat", "fc", "flat"),
        classes=list("abcdefgh"),
    ),
    "readers with borders and without": graph(
        (1, 6, 6),
        layer("Sigmoid"),
        conv("tall", "sigmoid1", kernel_size=[5, 1], padding=[2, 0]),
        conv("flat", "sigmoid1", kernel_size=[1, 3], padding=[0, 1]),
        layer("MinPool2d", "sigmoid1", name="least", kernel_size=3, stride=1, padding=1),
        layer("AvgPool2d", "sigmoid1", name="mean", kernel_size=3, stride=1, padding=1),
        conv("around", "sigmoid1", padding=1, padding_mode="circular"),
        layer("Concat", "least", "mean", name="pools"),
        layer("Add", "tall", "flat", "pools", "around"),
    ),
}
"""Networks by what they are about; every way of reading what has no cells of its own is among them."""

_SIZES = {"kernel_size": st.integers(1, 3), "padding": st.integers(0, 1), "stride": st.sampled_from([1, 1, 2])}
_OPTIONS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "Conv2d": _SIZES
    | {
        "out_channels": st.integers(1, 2),
        "padding_mode": st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"]),
    },
    "MaxPool2d": _SIZES | {"ceil_mode": st.booleans()},
    "AvgPool2d": _SIZES | {"ceil_mode": st.booleans(), "count_include_pad": st.booleans()},
    "Linear": {"out_features": st.integers(1, 3)},
}
_OF_MAPS = ["Conv2d", "MaxPool2d", "AvgPool2d", "ReLU", "BatchNorm2d", "Flatten", "Add", "Concat"]
_OF_VECTORS = ["Linear", "ReLU", "Add", "Concat"]
Shapes = dict[str, Shape]


@st.composite
def graphs(draw: st.DrawFn) -> Network:
    """A random network of at most eight layers, in which layers read several others and are read by several."""
    shape = tuple(draw(st.tuples(st.integers(1, 2), st.integers(3, 5), st.integers(3, 5))))
    shapes: Shapes = {"input": shape}
    layers: list[Table] = []
    for number in range(draw(st.sampled_from([6, 5, 4, 3]))):
        table = draw(_one(shapes, f"layer{number}"))
        kind = KINDS[table["kind"]]
        try:
            made = kind.from_options({k: v for k, v in table.items() if k not in ("name", "kind", "inputs")})
            shapes[table["name"]] = made.output_shape(made.joined_shape([shapes[name] for name in table["inputs"]]))
        except SpecError:
            continue
        layers.append(table)
    return _closed(shape, layers or [layer("ReLU", "input", name="layer")])


@st.composite
def _one(draw: st.DrawFn, shapes: Shapes, name: str) -> Table:
    """A layer that reads some of those with these shapes; it mostly fits."""
    source = draw(st.sampled_from([*shapes][::-1]))
    alike = [n for n, shape in shapes.items() if shape == shapes[source] and n != source]
    if alike and draw(st.sampled_from([False, True])):
        return layer("Add", source, draw(st.sampled_from(alike)), name=name)
    kind = draw(st.sampled_from(_OF_MAPS if len(shapes[source]) == 3 else _OF_VECTORS))
    same = [n for n, shape in shapes.items() if shape[kind == "Concat" :] == shapes[source][kind == "Concat" :]]
    others = [n for n in same if n != source and len(shapes[n]) == len(shapes[source])]
    if kind not in ("Add", "Concat"):
        return layer(kind, source, name=name, **draw(st.fixed_dictionaries(_OPTIONS.get(kind, {}))))
    if not others:
        return layer("ReLU", source, name=name)
    return layer(kind, source, *draw(st.lists(st.sampled_from(others), min_size=1, max_size=2, unique=True)), name=name)


def _closed(shape: Shape, layers: list[Table]) -> Network:
    """The network of the first of some layers, whose output is all that none of them reads."""
    read = {source for table in layers for source in table["inputs"]}
    loose = [table for table in layers if table["name"] not in read]
    ending = [layer("Flatten", table["name"], name=f"flat_{table['name']}") for table in loose]
    ending = [*ending, layer("Concat", *(table["name"] for table in ending), name="all")] if len(loose) > 1 else []
    return graph(shape, *layers, *ending) if len(layers) + len(ending) <= MOST else _closed(shape, layers[:-1])


# -- PyTorch -----------------------------------------------------------------------------------------------------------


def by_pytorch(network: Network, tensors: Mapping[str, Array], x: Array) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """All activations by layer name, and all parameters by full name, from the lines of PyTorch that we show."""
    values = {"input": torch.tensor(x, requires_grad=True)}
    parameters: dict[str, Tensor] = {}
    for node in network.nodes:
        if node.layer.joins:
            values[node.name] = eval(node.torch, {"torch": torch, **values})
        else:
            module = eval(node.torch, {"nn": nn})
            if isinstance(module, nn.Module):
                own = {short: torch.tensor(value) for short, value in node.own(tensors).items() if value.ndim}
                module.double().eval().load_state_dict(own, strict=False)
                parameters |= {f"{node.name}.{short}": value for short, value in module.named_parameters()}
            (source,) = node.inputs
            values[node.name] = module(values[source])
        values[node.name].retain_grad()
    return values, parameters
