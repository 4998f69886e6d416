"""Keras' own files, `.keras`: a zip with the layers as JSON and the weights as HDF5. Needs the package `h5py`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from conv_sheet.errors import DataError
from conv_sheet.layers import Array, Shape
from conv_sheet.models.archive import Archive, reason
from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.finish import finish
from conv_sheet.models.imported import LARGEST_FILE, Imported, listed, shown
from conv_sheet.models.keras_layers import LAYERS, supported
from conv_sheet.models.keras_moving import KerasLayer
from conv_sheet.models.picture import first_value
from conv_sheet.models.values import Value

_INSTALL = "reading .keras needs the package h5py: pip install 'conv-sheet[keras]'"
_MODELS = ("Sequential", "Functional", "Model")


def read_keras(path: Path, title: str) -> Imported:
    """A model that `model.save("model.keras")` wrote.

    Raises DataError where the file is damaged, SpecError where it has what a workbook cannot show.
    """
    with Archive(path, str(path)) as archive:
        config = archive.json("config.json")
        weights = archive.read("model.weights.h5")
    b = GraphBuilder(str(path))
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise DataError(f"{path}: config.json does not describe a model")
    if config.get("class_name") not in _MODELS:
        b.refuse(
            f"a model of the class {shown(config.get('class_name'))} is code: only {listed(_MODELS)} are understood"
        )
    try:
        tables = config["config"]["layers"]
        stored = _weights(weights, tables, str(path))
        output, picture = _run(b, config, tables, stored)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise DataError(f"{path}: {b.where}: not as Keras writes it ({reason(error)})") from error
    return finish(b, output, picture, title)


def _run(
    b: GraphBuilder, config: Mapping[str, Any], tables: Sequence[Mapping[str, Any]], stored: Mapping[str, list[Array]]
) -> tuple[Value, Shape]:
    """Every layer behind what it reads: the output, and the shape of the picture."""
    known: dict[str, Value] = {}
    picture: Shape | None = None
    before = ""
    for table in _with_input(b, tables):
        name, kind, own = str(table["config"]["name"]), str(table["class_name"]), table["config"]
        b.where, b.path = f"{kind} layer {shown(name)}", name
        if kind == "InputLayer":
            if picture is not None:
                b.refuse("it is a second input, and a workbook shows a model of one picture")
            known[name], picture = _input(b, own, tables)
        else:
            if kind not in LAYERS:
                b.refuse(f"layers of this kind are not supported; supported are {supported()}")
            sources = _sources(table) if config["class_name"] != "Sequential" else [before]
            missing = [source for source in sources if source not in known]
            if missing:
                b.refuse(f"it reads {shown(missing[0])}, which no layer before it gives")
            known[name] = LAYERS[kind](b, [known[s] for s in sources], KerasLayer(own, stored.get(name, [])))
        before = name
    b.where = b.path = ""
    if picture is None:
        b.refuse("it has no input of a fixed size: build the model, such as with an Input layer, before saving")
    outputs = [before] if config["class_name"] == "Sequential" else _histories(config["config"]["output_layers"])
    if len(outputs) != 1:
        b.refuse(f"it gives back {len(outputs)} values, {listed(outputs)}, and a workbook shows one")
    return known[outputs[0]], picture


def _with_input(b: GraphBuilder, tables: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The layers, with an input in front where a Sequential was built without one."""
    if not isinstance(tables, list) or not tables:
        b.refuse("it has no layers")
    if all(table["class_name"] != "InputLayer" for table in tables):
        shape = tables[0].get("build_config", {}).get("input_shape")
        yield {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": shape}}
    yield from tables


def _input(b: GraphBuilder, own: Mapping[str, Any], tables: Sequence[Mapping[str, Any]]) -> tuple[Value, Shape]:
    sizes = own.get("batch_shape", own.get("batch_input_shape"))
    if not isinstance(sizes, list) or not all(isinstance(size, int) for size in sizes[1:]):
        b.refuse(f"its shape is {sizes}: sizes are left open, build the model with a fixed one")
    formats = {table["config"].get("data_format") for table in tables}
    return first_value(b, [1, *sizes[1:]], last=len(sizes) > 2 and "channels_first" not in formats)


def _sources(table: Mapping[str, Any]) -> list[str]:
    """Names of the layers that a layer of a functional model reads."""
    nodes = table["inbound_nodes"]
    if len(nodes) != 1:
        raise ValueError(f"the layer is used {len(nodes)} times")
    return _histories(nodes[0])


def _histories(value: Any) -> list[str]:
    """Names of layers wherever tensors are mentioned: Keras 3 nests them, Keras 2 lists (name, node, tensor)."""
    if isinstance(value, dict):
        if "keras_history" in value:
            return [str(value["keras_history"][0])]
        return [name for inner in value.values() for name in _histories(inner)]
    if isinstance(value, list):
        if len(value) >= 3 and isinstance(value[0], str) and all(isinstance(n, int) for n in value[1:3]):
            return [value[0]]
        return [name for inner in value for name in _histories(inner)]
    return []


# -- weights -----------------------------------------------------------------------------------------------------------


def _weights(raw: bytes, tables: Sequence[Mapping[str, Any]], where: str) -> dict[str, list[Array]]:
    """Weights of each layer, in Keras' order; what is linked from elsewhere is not followed."""
    try:
        import h5py
    except ImportError:
        raise DataError(f"{where}: {_INSTALL}") from None
    try:
        with h5py.File(BytesIO(raw), "r") as file:
            return dict(_stored(h5py, file, tables, where))
    except DataError:
        raise
    except Exception as error:  # h5py meets damage with exceptions of every kind
        raise DataError(f"{where}: 'model.weights.h5' cannot be read ({reason(error)})") from None


def _stored(h5py: Any, file: Any, tables: Sequence[Mapping[str, Any]], where: str) -> Iterator[tuple[str, list[Array]]]:
    counts: dict[str, int] = {}
    room = LARGEST_FILE
    layers = _child(h5py, file, "layers", where)
    for table in tables:
        group = _snake(str(table["class_name"]))
        number = counts.get(group, 0)
        counts[group] = number + 1
        own = _child(h5py, layers, f"{group}_{number}" if number else group, where)
        found = _child(h5py, own, "vars", where)
        arrays = []
        for place in range(0 if found is None else len(found)):
            dataset = _child(h5py, found, str(place), where)
            if dataset is None or dataset.is_virtual or dataset.external or dataset.dtype.kind not in "fiu":
                raise DataError(f"{where}: weights of {shown(group)} are not plain numbers")
            room -= dataset.size * dataset.dtype.itemsize
            if room < 0:
                raise DataError(
                    f"{where}: the weights are larger than {LARGEST_FILE >> 20} MB: too large for a workbook"
                )
            arrays.append(np.asarray(dataset[()]))
        yield str(table["config"]["name"]), arrays


def _child(h5py: Any, group: Any, name: str, where: str) -> Any:
    """What a group holds under a name; None where there is nothing. Links to elsewhere are refused."""
    if group is None:
        return None
    link = group.get(name, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise DataError(f"{where}: {shown(name)} is a link to somewhere else, which is not followed")
    return group[name]


def _snake(name: str) -> str:
    """What Keras calls a layer's group.

    >>> _snake("Conv2D"), _snake("MaxPooling2D"), _snake("BatchNormalization"), _snake("ReLU")
    ('conv2d', 'max_pooling2d', 'batch_normalization', 're_lu')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
