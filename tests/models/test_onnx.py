"""ONNX graphs: as torch's exporters write the networks that people teach with, one operator at a time, and hostile."""

import contextlib
import io
import logging
import os
import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from conv_sheet.errors import ConvSheetError, DataError, SpecError
from conv_sheet.models import Imported, read_model
from tests.models.reference import output
from tests.models.zoo import ZOO, ready

Nodes = Sequence[onnx.NodeProto]


def exported(name: str, path: Path, **options: Any) -> tuple[torch.nn.Module, torch.Tensor]:
    """A network of the zoo, written by one of torch's exporters without what it prints."""
    module, x = ready(name)
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            torch.onnx.export(module, (x,), str(path), input_names=["image"], output_names=["scores"], **options)
    finally:
        logging.disable(logging.NOTSET)
    return module, x


def agree(path: Path, module: torch.nn.Module, x: torch.Tensor) -> Imported:
    imported = read_model(path)
    with torch.no_grad():
        wanted = module.double()(x.double())
    assert (output(imported, x).reshape(wanted.shape) - wanted).abs().max() < 1e-6
    return imported


@pytest.mark.filterwarnings("ignore")  # torch's own, about its older exporter
@pytest.mark.parametrize("name", [name for name in ZOO if name != "alexnet_lrn"])  # it has no uneven adaptive pools
def test_networks_from_the_older_exporter(name: str, tmp_path: Path) -> None:
    axes = {"image": {0: "batch"}, "scores": {0: "batch"}}
    module, x = exported(name, tmp_path / "net.onnx", dynamo=False, opset_version=17, dynamic_axes=axes)
    agree(tmp_path / "net.onnx", module, x)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["resnet8_w4", "groupnorm_net", "mobile_v3_se", "unet_tiny_up"])
@pytest.mark.parametrize("opset", [11, 13, 14])
def test_networks_from_older_opsets(name: str, opset: int, tmp_path: Path) -> None:
    module, x = exported(name, tmp_path / "net.onnx", dynamo=False, opset_version=opset)
    agree(tmp_path / "net.onnx", module, x)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name", ["cifar_tutorial", "mobile_v3_se", "unet_tiny_up", "groupnorm_net", "espcn", "dense_tiny"]
)
def test_networks_from_the_dynamo_exporter(name: str, tmp_path: Path) -> None:
    module, x = exported(name, tmp_path / "net.onnx", dynamo=True, verbose=False)
    agree(tmp_path / "net.onnx", module, x)


# -- one operator at a time --------------------------------------------------------------------------------------------

_RNG = np.random.default_rng(5)


def _c(*shape: int) -> Any:
    return _RNG.normal(size=shape).astype(np.float32)


def _n(op: str, *inputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, list(inputs), ["y"], name=f"the {op}", **attributes)


def written(path: Path, nodes: Nodes, shape: Sequence[Any], opset: int = 17, **constants: Any) -> Path:
    """A model of some nodes from `x` to `y`."""
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


_I = np.array
CASES: dict[str, tuple[Callable[[], Nodes], dict[str, Any], int]] = {
    "conv_same_lower": (
        lambda: [_n("Conv", "x", "w", auto_pad="SAME_LOWER", strides=[2, 2])],
        {"w": _c(2, 4, 3, 3)},
        17,
    ),
    "conv_same_upper": (lambda: [_n("Conv", "x", "w", auto_pad="SAME_UPPER")], {"w": _c(2, 4, 4, 2)}, 11),
    "conv_pads": (lambda: [_n("Conv", "x", "w", pads=[0, 1, 2, 0])], {"w": _c(2, 4, 3, 3)}, 7),
    "conv_t": (
        lambda: [_n("ConvTranspose", "x", "w", "b", strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])],
        {"w": _c(4, 3, 3, 3), "b": _c(3)},
        17,
    ),
    "conv_t_uneven": (
        lambda: [_n("ConvTranspose", "x", "w", strides=[2, 2], pads=[0, 0, 1, 1])],
        {"w": _c(4, 3, 3, 3)},
        17,
    ),
    "conv_t_same": (
        lambda: [_n("ConvTranspose", "x", "w", strides=[2, 2], auto_pad="SAME_UPPER")],
        {"w": _c(4, 3, 3, 3)},
        17,
    ),
    "max_same": (lambda: [_n("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")], {}, 12),
    "max_uneven": (lambda: [_n("MaxPool", "x", kernel_shape=[2, 2], pads=[1, 0, 0, 1])], {}, 12),
    "max_dilated": (
        lambda: [_n("MaxPool", "x", kernel_shape=[2, 2], dilations=[2, 2], ceil_mode=1, strides=[2, 2])],
        {},
        12,
    ),
    "avg_counted": (
        lambda: [_n("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 0, 1, 2], count_include_pad=1)],
        {},
        17,
    ),
    "avg_not_counted": (lambda: [_n("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1])], {}, 17),
    "global_max": (lambda: [_n("GlobalMaxPool", "x")], {}, 17),
    "mean_axes": (lambda: [_n("ReduceMean", "x", axes=[-1, -2], keepdims=0)], {}, 13),
    "clip_6": (lambda: [_n("Clip", "x", min=0.0, max=6.0)], {}, 7),
    "clip_11": (lambda: [_n("Clip", "x", "a", "b")], {"a": np.float32(-0.5), "b": np.float32(0.25)}, 11),
    "clip_below": (lambda: [_n("Clip", "x", "a")], {"a": np.float32(0)}, 13),
    "prelu": (lambda: [_n("PRelu", "x", "s")], {"s": _c(4, 1, 1)}, 16),
    "elu": (lambda: [_n("Elu", "x", alpha=0.3)], {}, 6 + 1),
    "gelu": (lambda: [_n("Gelu", "x", approximate="tanh")], {}, 20),
    "hard_sigmoid": (lambda: [_n("HardSigmoid", "x")], {}, 17),
    "hard_swish": (lambda: [_n("HardSwish", "x")], {}, 14),
    "softplus": (lambda: [_n("Softplus", "x")], {}, 17),
    "leaky": (lambda: [_n("LeakyRelu", "x", alpha=0.2)], {}, 17),
    "lrn": (lambda: [_n("LRN", "x", size=3, alpha=0.2, bias=2.0)], {}, 17),
    "softmax_maps": (lambda: [_n("Softmax", "x", axis=1)], {}, 13),
    "group_norm": (lambda: [_n("GroupNormalization", "x", "s", "b", num_groups=2)], {"s": _c(4), "b": _c(4)}, 21),
    "instance_norm": (lambda: [_n("InstanceNormalization", "x", "s", "b")], {"s": _c(4), "b": _c(4)}, 17),
    "layer_norm": (lambda: [_n("LayerNormalization", "x", "s", axis=1)], {"s": _c(4, 6, 5)}, 17),
    "shuffle": (lambda: [_n("DepthToSpace", "x", blocksize=2, mode="CRD")], {}, 13),
    "shuffle_apart": (
        lambda: [helper.make_node("Conv", ["x", "w"], ["t"]), _n("DepthToSpace", "t", blocksize=2)],
        {"w": _c(8, 4, 1, 1)},
        13,
    ),
    "clip_above": (lambda: [_n("Clip", "x", "", "high")], {"high": np.float32(0.5)}, 13),
    "shuffle_one": (lambda: [_n("DepthToSpace", "x", blocksize=2)], {}, 13),
    "resize_nearest": (
        lambda: [
            _n(
                "Resize",
                "x",
                "",
                "s",
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        ],
        {"s": _I([1, 1, 2, 3], np.float32)},
        13,
    ),
    "resize_linear": (
        lambda: [_n("Resize", "x", "", "", "z", mode="linear")],
        {"z": _I([1, 4, 9, 10], np.int64)},
        13,
    ),
    "upsample_9": (lambda: [_n("Upsample", "x", "s")], {"s": _I([1, 1, 2, 2], np.float32)}, 9),
    "pad_reflect": (lambda: [_n("Pad", "x", "p", mode="reflect")], {"p": _I([0, 0, 1, 2, 0, 0, 3, 0])}, 13),
    "pad_constant": (lambda: [_n("Pad", "x", pads=[0, 0, 1, 0, 0, 0, 0, 2], value=0.5)], {}, 7),
    "slice_9": (lambda: [_n("Slice", "x", axes=[2], starts=[1], ends=[-1])], {}, 9),
    "slice_steps": (
        lambda: [_n("Slice", "x", "a", "b", "c", "d")],
        {"a": _I([0, 1]), "b": _I([9, 9]), "c": _I([1, 3]), "d": _I([2, 2])},
        13,
    ),
    "bias_as_add": (
        lambda: [helper.make_node("Conv", ["x", "w"], ["t"]), _n("Add", "t", "b")],
        {"w": _c(2, 4, 3, 3), "b": _c(2, 1, 1)},
        17,
    ),
    "mul_maps": (lambda: [helper.make_node("Relu", ["x"], ["t"]), _n("Mul", "t", "s")], {"s": _c(4, 1, 1)}, 17),
    "nhwc": (
        lambda: [
            helper.make_node("Relu", ["x"], ["a"]),
            helper.make_node("Transpose", ["a"], ["t"], perm=[0, 2, 3, 1]),
            helper.make_node("Add", ["t", "b"], ["u"]),
            helper.make_node("Concat", ["t", "u"], ["v"], axis=3),
            helper.make_node("ReduceMean", ["v"], ["w"], axes=[1, 2], keepdims=1),
            helper.make_node("Mul", ["v", "w"], ["z"]),
            helper.make_node("Reshape", ["z", "s"], ["f"]),
            _n("MatMul", "f", "m"),
        ],
        {"b": _c(1, 1, 1, 4), "s": _I([-1, 240]), "m": _c(240, 3)},
        13,
    ),
    "split": (
        lambda: [
            helper.make_node("Split", ["x"], ["a", "b"], axis=1, split=[1, 3]),
            helper.make_node("Relu", ["b"], ["c"]),
            _n("Concat", "c", "a", axis=1),
        ],
        {},
        11,
    ),
    "constant_weights": (
        lambda: [
            helper.make_node("Transpose", ["w"], ["a"], perm=[1, 0]),
            helper.make_node("Mul", ["a", "two"], ["b"]),
            helper.make_node("Flatten", ["x"], ["f"]),
            _n("Gemm", "f", "b", "c", alpha=0.5, beta=2.0),
        ],
        {"w": _c(3, 120), "two": np.float32(2), "c": _c(3)},
        17,
    ),
}


def close(given: torch.Tensor, wanted: Any) -> None:
    """What single precision allows."""
    assert (np.abs(given.numpy().reshape(wanted.shape) - wanted) / (1 + np.abs(wanted))).max() < 1e-6


@pytest.mark.filterwarnings("ignore:Using padding:UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_operators_agree_with_onnxruntime(name: str, tmp_path: Path) -> None:
    nodes, constants, opset = CASES[name]
    path = written(tmp_path / "net.onnx", nodes(), [1, 4, 6, 5], opset, **constants)
    x = np.random.default_rng(1).normal(size=(1, 4, 6, 5)).astype(np.float32)
    (wanted,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    close(output(read_model(path), x), wanted)


RESIZES = [
    *(("nearest", "asymmetric", near) for near in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")),
    *(("nearest", "half_pixel", near) for near in ("round_prefer_floor", "round_prefer_ceil")),
    *(("nearest", "pytorch_half_pixel", near) for near in ("floor", "round_prefer_floor", "round_prefer_ceil")),
    *(("linear", where, "floor") for where in ("half_pixel", "pytorch_half_pixel", "align_corners")),
]
"""How to resize, with something that PyTorch does in the same way."""
OTHER_RESIZES = [
    *(("nearest", "half_pixel", near) for near in ("floor", "ceil")),
    ("nearest", "pytorch_half_pixel", "ceil"),
    ("nearest", "align_corners", "floor"),
    ("linear", "asymmetric", "floor"),
    ("cubic", "half_pixel", "floor"),
]


@pytest.mark.parametrize(("mode", "where", "near"), [*RESIZES, *OTHER_RESIZES])
def test_a_resize_is_onnxruntimes_or_refused(mode: str, where: str, near: str, tmp_path: Path) -> None:
    path, x = tmp_path / "net.onnx", np.random.default_rng(1).normal(size=(1, 2, 4, 5)).astype(np.float32)
    how = {"mode": mode, "coordinate_transformation_mode": where, "nearest_mode": near}
    read = 0
    for scales in ([2, 2], [3, 1], [2, 3], [1.5, 2.2], [0.5, 0.2], [0.75, 0.6]):
        written(path, [_n("Resize", "x", "", "s", **how)], [1, 2, 4, 5], 13, s=np.array([1, 1, *scales], np.float32))
        (wanted,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
        with contextlib.suppress(SpecError):
            close(output(read_model(path), x), wanted)
            read += 1
    assert (read > 0) == ((mode, where, near) in RESIZES)


def test_a_picture_with_channels_last_is_read_channels_first(tmp_path: Path) -> None:
    nodes = [helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]), _n("Conv", "t", "w")]
    path = written(tmp_path / "net.onnx", nodes, ["batch", 8, 9, 3], w=_c(2, 3, 3, 3))
    imported = read_model(path)
    assert imported.spec["input"] == [3, 8, 9]
    x = np.random.default_rng(1).normal(size=(1, 8, 9, 3)).astype(np.float32)
    (wanted,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    close(output(imported, np.moveaxis(x, -1, 1)), wanted)


# -- hostile -----------------------------------------------------------------------------------------------------------


def refused(path: Path, said: str) -> str:
    """The one line with which a file is refused, in little time and memory, and nothing written."""
    before = set(path.parent.iterdir())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ConvSheetError, match=said) as caught:
        read_model(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 400_000
    assert set(path.parent.iterdir()) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_truncated_files(tmp_path: Path) -> None:
    whole = written(tmp_path / "net.onnx", [_n("Conv", "x", "w")], [1, 4, 6, 5], w=_c(2, 4, 3, 3)).read_bytes()
    for cut in range(0, len(whole), 7):
        (tmp_path / "cut.onnx").write_bytes(whole[:cut])
        with pytest.raises(ConvSheetError) as caught:
            read_model(tmp_path / "cut.onnx")
        assert "\n" not in str(caught.value)


def test_bytes_at_random(tmp_path: Path) -> None:
    whole = bytearray(
        written(tmp_path / "net.onnx", [_n("Conv", "x", "w")], [1, 4, 6, 5], w=_c(2, 4, 3, 3)).read_bytes()
    )
    rng = np.random.default_rng(2)
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            damaged[place] = int(rng.integers(0, 256))
        (tmp_path / "bad.onnx").write_bytes(damaged)
        with contextlib.suppress(ConvSheetError):
            read_model(tmp_path / "bad.onnx")


def test_circles(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["b"], ["a"]), helper.make_node("Relu", ["a"], ["b"]), _n("Add", "x", "b")]
    refused(written(tmp_path / "net.onnx", nodes, [1, 1, 4, 4]), "in a circle")


@pytest.mark.parametrize(
    ("nodes", "shape", "constants"),
    [
        ([_n("Relu", "x")], [1, 3, 2**20, 2**20], {}),
        ([_n("Relu", "x")], [1, 3, 2**40, 2**40], {}),
        ([_n("Expand", "x", "s")], [1, 1, 4, 4], {"s": _I([1, 2**30, 2**20, 4])}),
        (
            [helper.make_node("ConstantOfShape", ["s"], ["c"]), _n("Add", "x", "c")],
            [1, 1, 4, 4],
            {"s": _I([2**31, 2**20])},
        ),
        (
            [helper.make_node("Tile", ["c", "s"], ["t"]), _n("Add", "x", "t")],
            [1, 1, 4, 4],
            {"c": _c(9), "s": _I([2**40])},
        ),
        (
            [helper.make_node("Gather", ["c", "s"], ["t"]), _n("Add", "x", "t")],
            [1, 1, 4, 4],
            {"c": _c(1, 40000), "s": np.zeros(40000, int)},
        ),
        (
            [helper.make_node("Where", ["q", "c", "d"], ["t"]), _n("Add", "x", "t")],
            [1, 1, 4, 4],
            {"q": np.ones((60000, 1), bool), "c": _c(1, 60000), "d": _c(1)},
        ),
        ([_n("Pad", "x", "p")], [1, 1, 4, 4], {"p": _I([0, 0, 2**30, 0, 0, 0, 0, 0])}),
        ([_n("Upsample", "x", scales=[1.0, 1.0, 1e9, 1e9])], [1, 1, 4, 4], {}),
    ],
)
def test_huge_shapes(nodes: Nodes, shape: list[int], constants: dict[str, Any], tmp_path: Path) -> None:
    opset = 7 if nodes[-1].op_type == "Upsample" else 13
    refused(written(tmp_path / "net.onnx", nodes, shape, opset, **constants), "too large")


def test_weights_that_are_no_numbers(tmp_path: Path) -> None:
    weight = _c(2, 4, 3, 3)
    weight[0, 0, 0, 0] = np.nan
    said = refused(written(tmp_path / "net.onnx", [_n("Conv", "x", "w")], [1, 4, 6, 5], w=weight), "'w' holds NaN")
    assert "the Conv" in said


def test_names_with_formulas_become_names(tmp_path: Path) -> None:
    evil = '=HYPERLINK("http://a","b")\n\0'
    node = helper.make_node("Conv", ["x", evil + ".weight"], ["y"], name=evil)
    imported = read_model(written(tmp_path / "=1+1.onnx", [node], [1, 4, 6, 5], **{evil + ".weight": _c(2, 4, 3, 3)}))
    assert [layer["name"] for layer in imported.spec["layers"]] == ["HYPERLINK_http_a_b"]


def _external(path: Path, location: str, length: int = 16, offset: int = 0) -> Path:
    tensor = TensorProto(name="b", dims=[4], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [_n("PRelu", "x", "b")],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    graph.initializer.append(tensor)
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    return path


def test_external_data_is_a_plain_file_beside_the_model(tmp_path: Path) -> None:
    inner = tmp_path / "models"
    inner.mkdir()
    for folder in (tmp_path, inner):
        (folder / "data").write_bytes(np.arange(6, dtype=np.float32).tobytes())
    os.symlink(tmp_path / "data", inner / "link")
    imported = read_model(_external(inner / "net.onnx", "data", offset=4))
    assert next(iter(imported.tensors.values())).tolist() == [1, 2, 3, 4]
    for location in ("../data", str(tmp_path / "data"), "link", "missing", "", ".", "..", "a/b", "C:\\data", "a\0"):
        refused(_external(inner / "net.onnx", location), "beside the model")
    for length, offset in ((16, 12), (8, 0), (16, 10**17), (2**40, 0)):
        refused(_external(inner / "net.onnx", "data", length, offset), "should be")


def test_opsets_and_operators_that_are_not_known(tmp_path: Path) -> None:
    refused(written(tmp_path / "net.onnx", [_n("Relu", "x")], [1, 1, 4, 4], opset=6), "opset 6")
    said = refused(written(tmp_path / "net.onnx", [_n("Einsum", "x", equation="abcd->abcd")], [1, 1, 4, 4]), "Einsum")
    assert "node 'the Einsum'" in said and "ConvTranspose" in said


def test_open_sizes_and_missing_inputs(tmp_path: Path) -> None:
    refused(written(tmp_path / "net.onnx", [_n("Relu", "x")], ["n", 3, "h", "w"]), "sizes are left open")
    refused(written(tmp_path / "net.onnx", [_n("Add", "x", "z")], [1, 1, 4, 4]), "'z', which nothing before it gives")


def test_without_the_package_the_way_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "net.onnx", [_n("Relu", "x")], [1, 1, 4, 4])
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(DataError, match=r"pip install 'conv-sheet\[onnx\]'"):
        read_model(path)


def test_steps_of_a_pattern_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"'the Erf'.* only known as part of GELU"):
        read_model(written(tmp_path / "net.onnx", [_n("Erf", "x")], [1, 1, 4, 4]))
