"""PyTorch's models: `.pt2` archives, read without torch and without pickle, and live modules.

`torch.export.save` writes a zip: `models/model.json` has the graph of aten operators, and each weight is a file of raw
numbers. Nothing in it has to be unpickled; the example inputs, which are pickled, are left alone.
"""

import warnings
from collections.abc import Callable, Mapping
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from conv_sheet.errors import DataError, SpecError
from conv_sheet.layers import Array, Shape
from conv_sheet.models.archive import Archive
from conv_sheet.models.aten import OPERATIONS, supported
from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.finish import finish
from conv_sheet.models.imported import MOST_NUMBERS, Imported, shown
from conv_sheet.models.picture import first_value
from conv_sheet.models.values import Value

_GRAPH = "models/model.json"
_KINDS = {1: "u1", 2: "i1", 3: "i2", 4: "i4", 5: "i8", 6: "f2", 7: "f4", 8: "f8", 12: "?", 13: "bfloat16"}
"""NumPy's types by torch's numbers."""
_SAVE = "torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2')"

PICKLED = (
    "a pickled file of PyTorch can run any code when it is opened, so it is not: save the whole model with "
    f"{_SAVE}, or its weights alone with numpy.savez('weights.npz', "
    "**{name: value.numpy(force=True) for name, value in model.state_dict().items()})"
)
"""What to say of `.pt` and `.pth`."""


def read_pt2(file: Path | BinaryIO, where: str, title: str) -> Imported:
    """A model that `torch.export.save` wrote."""
    with Archive(file, where) as archive:
        root = next((name.removesuffix(_GRAPH) for name in archive.names if name.endswith(_GRAPH)), None)
        if root is None:
            old = any(name.endswith("serialized_exported_program.json") for name in archive.names)
            raise DataError(
                f"{where}: an older PyTorch wrote it, with pickled weights: save it again with a newer one, {_SAVE}"
                if old
                else f"{where}: {PICKLED}"
            )
        order = archive.read(f"{root}byteorder") if f"{root}byteorder" in archive.names else b"little"
        tensors = _tensors(archive, root, "weights", order) | _tensors(archive, root, "constants", order)
        program = archive.json(f"{root}{_GRAPH}")
    try:
        return _Program(where, program["graph_module"], tensors).imported(title)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, RecursionError) as error:
        raise DataError(f"{where}: its graph is not as torch.export.save writes it ({type(error).__name__})") from error


def from_torch(module: Any, example: Any, title: str = "") -> Imported:
    """A live `torch.nn.Module`, as it computes after `eval()`; `example` is a batch that it takes, or a tuple of one.

    Raises SpecError where torch cannot follow the module, or conv-sheet a layer.
    """
    import torch

    name = title or type(module).__name__
    modes = [(part, part.training) for part in module.modules()]
    file = BytesIO()
    try:
        module.eval()
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are torch's, about itself
            exported = torch.export.export(module, example if isinstance(example, tuple) else (example,))
            torch.export.save(exported, file)
    except Exception as error:  # torch.export meets what it cannot follow with exceptions of every kind
        first = " ".join(str(error).split())[:200]
        raise SpecError(f"{name}: torch.export cannot follow the module: {type(error).__name__}: {first}") from error
    finally:
        for part, training in modes:
            part.training = training
    return read_pt2(file, name, name)


# -- weights -----------------------------------------------------------------------------------------------------------


def _tensors(archive: Archive, root: str, what: str, order: bytes) -> dict[str, Array]:
    """Weights, or constants, by name."""
    config = f"{root}data/{what}/model_{what}_config.json"
    if config not in archive.names:
        return {}
    entries = archive.json(config)
    if not isinstance(entries, dict) or not isinstance(entries.get("config"), dict):
        raise DataError(f"{archive.where}: {shown(config)} does not list the {what}")
    found: dict[str, Array] = {}
    room = MOST_NUMBERS
    for name, entry in entries["config"].items():
        found[name], numbers_read = _tensor(archive, f"{root}data/{what}/", name, entry, order)
        room -= numbers_read
        if room < 0:
            raise DataError(f"{archive.where}: more than {MOST_NUMBERS:,} numbers of {what}: too large for a workbook")
    return found


def _tensor(archive: Archive, folder: str, name: str, entry: Any, order: bytes) -> tuple[Array, int]:
    """A tensor, and how many numbers were taken for it."""
    where = f"{archive.where}: {shown(name)}"
    try:
        meta, file, pickled = entry["tensor_meta"], str(entry["path_name"]), entry.get("use_pickle", False)
        kind = _KINDS.get(meta["dtype"])
        shape = tuple(int(size["as_int"]) for size in meta["sizes"])
        strides = tuple(int(step["as_int"]) for step in meta["strides"])
        start = int(meta["storage_offset"]["as_int"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError(f"{where} is not described as torch.export.save does it") from None
    if pickled:
        raise DataError(f"{where} is pickled: save the model again with a newer PyTorch, {_SAVE}")
    if kind is None:
        raise DataError(f"{where} holds numbers of a type that conv-sheet does not know: model.float() before saving")
    raw = archive.read(folder + file)
    flat = numbers(raw, kind, ">" if order.strip() == b"big" else "<")
    last = start + sum((size - 1) * step for size, step in zip(shape, strides, strict=False))
    if len(shape) != len(strides) or min((start, *strides)) < 0 or min(shape, default=1) < 0:
        raise DataError(f"{where} has sizes and strides that do not fit")
    if 0 in shape:
        return np.zeros(shape, flat.dtype), flat.size
    if prod(shape) > MOST_NUMBERS:
        raise DataError(f"{where} has a shape of more than {MOST_NUMBERS:,} numbers: too large for a workbook")
    if last >= flat.size:
        raise DataError(f"{where} has {flat.size} numbers, too few for the shape {shape}")
    bytes_apart = tuple(step * flat.itemsize for step in strides)
    return np.lib.stride_tricks.as_strided(flat[start:], shape, bytes_apart).copy(), max(flat.size, prod(shape))


def numbers(raw: bytes, kind: str, order: Literal["<", ">"] = "<") -> Any:
    """Raw bytes as numbers; half precision comes as single.

    >>> numbers(bytes([0, 0, 128, 63]), "f4").tolist(), numbers(bytes([128, 63]), "bfloat16").tolist()
    ([1.0], [1.0])
    """
    if kind == "bfloat16":
        wide = np.frombuffer(raw[: len(raw) // 2 * 2], f"{order}u2").astype(np.uint32) << 16
        return wide.view(np.float32)
    size = np.dtype(kind).itemsize
    flat = np.frombuffer(raw[: len(raw) // size * size], np.dtype(kind).newbyteorder(order))
    return flat.astype(np.float32) if kind == "f2" else flat.astype(flat.dtype.newbyteorder("="))


# -- graph -------------------------------------------------------------------------------------------------------------


class _Program:
    """A graph of aten operators, walked through once."""

    def __init__(self, where: str, module: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
        self.graph, self.signature, self.tensors = module["graph"], module["signature"], tensors
        self.b = GraphBuilder(where)
        self.known: dict[str, Any] = {}

    def imported(self, title: str) -> Imported:
        picture = self._inputs()
        for node in self.graph["nodes"]:
            self._node(node)
        self.b.where = self.b.path = ""
        output = self.known.get(self._output())
        if not isinstance(output, Value):
            self.b.refuse("the output does not depend on the input")
        extra = {name: value for name, value in self.tensors.items() if name.endswith("num_batches_tracked")}
        return finish(self.b, output, picture, title, extra=extra)

    def _inputs(self) -> Shape:
        """Make parameters, constants and the picture known; the shape of the picture."""
        shapes: list[Shape] = []
        for entry in self.signature["input_specs"]:
            (kind, spec), *_ = entry.items()
            if kind == "user_input":
                name = (spec["arg"].get("as_tensor") or {}).get("name")
                if name is None:
                    continue
                value, picture = first_value(self.b, self._sizes(name), last=False)
                self.known[name] = value
                shapes.append(picture)
            elif kind in ("parameter", "buffer", "tensor_constant"):
                source = str(spec.get(f"{kind}_name"))
                if source not in self.tensors:
                    raise DataError(f"{self.b.file}: the archive has no numbers for {shown(source)}")
                self.known[spec["arg"]["name"]] = self.tensors[source]
                self.b.know(source, self.tensors[source])
        if len(shapes) != 1:
            self.b.refuse(f"it takes {len(shapes)} inputs, and a workbook shows a model of one picture")
        return shapes[0]

    def _sizes(self, name: str) -> list[int]:
        sizes = []
        for axis, size in enumerate(self.graph["tensor_values"][name]["sizes"]):
            if "as_int" in size:
                sizes.append(int(size["as_int"]))
            elif axis == 0:
                sizes.append(1)
            else:
                hint = (size["as_expr"].get("hint") or {}).get("as_int")
                if hint is None:
                    self.b.refuse("the size of its input is left open: export it with an example of a fixed size")
                sizes.append(int(hint))
                self.b.note(f"axis {axis} of the input may have any size in the source; it is shown with {hint}")
        return sizes

    def _output(self) -> str:
        names = []
        for entry in self.signature["output_specs"]:
            (kind, spec), *_ = entry.items()
            if kind in ("user_output", "loss_output"):
                names.append((spec["arg"].get("as_tensor") or {}).get("name"))
        if len(names) != 1 or names[0] is None:
            self.b.refuse(
                f"it gives back {len(names)} values, and a workbook shows one: export a model that returns one"
            )
        return str(names[0])

    def _node(self, node: Mapping[str, Any]) -> None:
        target = str(node["target"])
        self.b.path = _module(str((node.get("metadata") or {}).get("nn_module_stack", "")))
        module = f" of module {shown(self.b.path)}" if self.b.path else ""
        self.b.where = f"{shown(target.removeprefix('torch.ops.'))}{module}"
        args = {str(arg["name"]): self._argument(arg["arg"]) for arg in node["inputs"]}
        operation = _operation(target)
        if operation is None:
            self.b.refuse(f"this operator is not supported; supported are {supported()}")
        results = operation(self.b, args)
        outputs = node["outputs"]
        if len(outputs) == 1 and "as_tensors" in outputs[0]:
            names = [str(entry["name"]) for entry in outputs[0]["as_tensors"]]
            self.known |= dict(zip(names, results, strict=False))
            return
        first = outputs[0] if outputs else {}
        name = (first.get("as_tensor") or first.get("as_sym_int") or {}).get(
            "name" if "as_tensor" in first else "as_name"
        )
        if name is not None:
            self.known[str(name)] = results

    def _argument(self, arg: Mapping[str, Any]) -> Any:
        """An argument as Python has it: numbers, lists, None, and values by name."""
        (kind, value), *_ = arg.items()
        if kind == "as_none":
            return None
        if kind in ("as_tensor", "as_sym_int", "as_sym_float", "as_sym_bool"):
            name = value.get("name", value.get("as_name"))
            return self._named(name) if name is not None else next(iter(value.values()))
        if kind in ("as_tensors", "as_sym_ints", "as_optional_tensors"):
            key = {"as_tensors": "as_tensor", "as_sym_ints": "as_sym_int"}.get(kind)
            return [self._argument({key: item} if key else item) for item in value]
        return value

    def _named(self, name: str) -> Any:
        if name not in self.known:
            self.b.refuse(f"it reads {shown(name)}, which nothing before it makes")
        return self.known[name]


def _operation(target: str) -> Callable[..., Any] | None:
    """What stands for an operator, by its name without the overload."""
    parts = target.split(".")
    name = parts[3] if target.startswith("torch.ops.aten.") and len(parts) > 3 else target
    return OPERATIONS.get(name)


def _module(stack: str) -> str:
    """The path of the innermost module of torch's own that an operator belongs to; empty for code of a user's class.

    >>> _module("L__self__,,zoo.Net;L__self__conv1,conv1,torch.nn.modules.conv.Conv2d"), _module("L__self__,,zoo.Net")
    ('conv1', '')
    """
    _, _, inner = stack.rpartition(";")
    _, _, rest = inner.partition(",")
    path, _, kind = rest.partition(",")
    own = kind.startswith("torch.nn.modules.") and not kind.startswith("torch.nn.modules.container.")
    return path.split("@")[0] if own else ""
