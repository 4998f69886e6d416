"""Models that promise more than a workbook could hold are refused before memory is taken for it."""

import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from conv_sheet.errors import DataError, SpecError
from conv_sheet.models import archive, pytorch, read_model, safetensors
from conv_sheet.models.archive import parsed
from conv_sheet.models.onnx import file as onnx_file


def onnx_model(
    path: Path, nodes: Iterable[Any], tensors: Iterable[Any] = (), functions: Iterable[Any] = (), out: str = "y"
) -> Path:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 6, 6))
    y = helper.make_tensor_value_info(out, TensorProto.FLOAT, None)
    graph = helper.make_graph([*nodes], "g", [x], [y], [*tensors])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, functions=[*functions]), path)
    return path


def function(name: str, *nodes: Any) -> Any:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
    return helper.make_function("f", name, ["a"], ["b"], nodes, opsets)


def call(name: str, given: str, out: str) -> Any:
    return helper.make_node(name, [given], [out], domain="f")


DOUBLING = [
    *(function(f"f{n}", call(f"f{n + 1}", "a", "t"), call(f"f{n + 1}", "t", "b")) for n in range(30)),
    function("f30", helper.make_node("Relu", ["a"], ["b"])),
]
NESTED = [*(function(f"f{n}", call(f"f{n + 1}", "a", "b")) for n in range(3000)), function("f3000")]
ENDLESS = [function("f0", call("f0", "a", "b"))]


@pytest.mark.parametrize("functions", [DOUBLING, NESTED, ENDLESS], ids=["doubling", "nested", "endless"])
def test_functions_that_call_functions_are_counted_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, functions: list[Any]
) -> None:
    monkeypatch.setattr("onnx.inliner.inline_local_functions", lambda _: pytest.fail("they were put in place"))
    path = onnx_model(tmp_path / "a.onnx", [call("f0", "x", "y")], functions=functions)
    with pytest.raises(DataError, match=r"a\.onnx: more than 100,000 nodes with its functions in place"):
        read_model(path)


def test_functions_that_a_model_has_are_put_in_place(tmp_path: Path) -> None:
    path = onnx_model(tmp_path / "a.onnx", [call("f28", "x", "y")], functions=DOUBLING[28:])
    assert [layer["kind"] for layer in read_model(path).spec["layers"]] == ["ReLU"] * 4


def test_nodes_and_numbers_of_onnx_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = [helper.make_node("Relu", [f"r{n}" if n else "x"], [f"r{n + 1}"]) for n in range(60)]
    monkeypatch.setattr(onnx_file, "MOST_NODES", 50)
    with pytest.raises(DataError, match="more than 50 nodes or tensors"):
        read_model(onnx_model(tmp_path / "many.onnx", chain, out="r60"))
    large = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[10**5, 10**5])
    with pytest.raises(DataError, match=r"the tensor 'w' has more than 32,000,000 numbers"):
        read_model(onnx_model(tmp_path / "large.onnx", [helper.make_node("Add", ["x", "w"], ["y"])], [large]))


def test_constants_joined_to_themselves_are_refused_before_they_are_made(tmp_path: Path) -> None:
    shape = numpy_helper.from_array(np.array([8_000_000]), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["c"]),
        helper.make_node("Concat", ["c"] * 9999, ["d"], axis=0),
        helper.make_node("Add", ["x", "d"], ["y"]),
    ]
    with pytest.raises(SpecError, match=r"Concat node 'd': a constant of the shape .* is too large"):
        read_model(onnx_model(tmp_path / "a.onnx", nodes, [shape]))


def test_one_external_file_that_many_tensors_name_is_counted_each_time(tmp_path: Path) -> None:
    numbers = 8_000_000
    with (tmp_path / "a.bin").open("wb") as file:
        file.truncate(4 * numbers)
    tensors = [TensorProto(name=f"w{n}", data_type=TensorProto.FLOAT, dims=[numbers]) for n in range(9)]
    for tensor in tensors:
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="a.bin")
    sums = [helper.make_node("ReduceSum", [t.name], [f"s{t.name}"], keepdims=0) for t in tensors]
    total = helper.make_node("Sum", ["x", *(f"s{t.name}" for t in tensors)], ["y"])
    with pytest.raises(SpecError, match="its constants are too large"):
        read_model(onnx_model(tmp_path / "a.onnx", [*sums, total], tensors))


@pytest.fixture(scope="module")
def pt2(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The entries of a model as torch writes it."""
    path = tmp_path_factory.mktemp("pt2") / "m.pt2"
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)).eval()
    torch.export.save(torch.export.export(module, (torch.rand(1, 1, 6, 6),)), path)
    with zipfile.ZipFile(path) as whole:
        return {name: whole.read(name) for name in whole.namelist()}


def rewritten(path: Path, entries: dict[str, bytes], change: Callable[[dict[str, Any]], object]) -> Path:
    (name,) = (name for name in entries if name.endswith("model_weights_config.json"))
    config = json.loads(entries[name])
    change(config["config"])
    with zipfile.ZipFile(path, "w") as made:
        for other, content in entries.items():
            made.writestr(other, json.dumps(config) if other == name else content)
    return path


def stretch(config: dict[str, Any]) -> None:
    """A tensor that is one number repeated."""
    meta = config["0.weight"]["tensor_meta"]
    meta["sizes"] = [{"as_int": 10**5}, {"as_int": 10**5}]
    meta["strides"] = [{"as_int": 0}, {"as_int": 0}]


def repeat(config: dict[str, Any]) -> None:
    for number in range(200):
        config[f"w{number}"] = config["0.weight"]


def test_numbers_of_pytorch_are_counted(tmp_path: Path, pt2: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"'0\.weight' has a shape of more than 32,000,000 numbers"):
        read_model(rewritten(tmp_path / "a.pt2", pt2, stretch))
    monkeypatch.setattr(pytorch, "MOST_NUMBERS", 1000)
    with pytest.raises(DataError, match=r"more than 1,000 numbers of weights: too large"):
        read_model(rewritten(tmp_path / "b.pt2", pt2, repeat))


def test_a_long_text_in_json_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST_JSON", 9)
    assert parsed(b"[1, 2, 3]") == [1, 2, 3]
    with pytest.raises(ValueError, match="too long"):
        parsed(b"[1, 2, 33]")


def test_tensors_that_lie_in_one_place_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = {f"w{n}": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]} for n in range(3)}
    text = json.dumps(header).encode()
    (tmp_path / "a.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    monkeypatch.setattr(safetensors, "numbers", lambda *_: pytest.fail("they were read"))
    with pytest.raises(DataError, match="two of its tensors lie in one place"):
        safetensors.load(tmp_path / "a.safetensors")
