"""Models as other programs have written them, judged by onnxruntime and by Keras."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from conv_sheet.errors import ConvSheetError
from conv_sheet.models import Imported, read_model
from conv_sheet.models.onnx.graph import FUSED
from tests.models.files import model
from tests.models.reference import output

ONNX = {
    "blitz_lenet.legacy.onnx": 12,
    "blitz_lenet.dynamo.onnx": 12,
    "resnet8_w4.dynamo.onnx": 22,
    "resnet8_w4.legacy.onnx": 22,
    "resnet8_w4.dynamo_noopt.onnx": 31,
    "resnet8_w4.legacy_preserve.onnx": 31,
    "inception_tiny.legacy.onnx": 35,
    "inception_tiny.dynamo.onnx": 35,
    "unet_tiny.legacy.onnx": 28,
    "unet_tiny.dynamo.onnx": 28,
    "mobile_v2.legacy.onnx": 22,
    "groupnorm_net.legacy.onnx": 11,
    "resnet20_b.dynamo.onnx": 52,
    "zoo_mnist_cntk.onnx": 8,
    "minicnn_mnist.onnx": 13,
    "lenet5_torch.onnx": 13,
    "keras_mnist_convnet.onnx": 9,
}
"""Files, and how many layers they have."""


def kinds(imported: Imported) -> list[str]:
    return [layer["kind"] for layer in imported.spec["layers"]]


@pytest.mark.parametrize("name", ONNX)
def test_onnx_files_agree_with_onnxruntime(name: str) -> None:
    imported = read_model(model(name))
    session = onnxruntime.InferenceSession(str(model(name)))
    asked = session.get_inputs()[0]
    shape = [size if isinstance(size, int) else 1 for size in asked.shape]
    x = np.random.default_rng(0).random(shape, np.float32)
    (wanted,) = session.run(None, {asked.name: x})
    first = x if list(x.shape[1:]) == imported.spec["input"] else np.moveaxis(x, -1, 1)
    assert np.abs(output(imported, first).numpy().reshape(wanted.shape) - wanted).max() < 1e-6
    assert len(imported.spec["layers"]) == ONNX[name]


def test_lenet_is_the_same_from_three_exporters() -> None:
    one, other, third = (read_model(model(f"blitz_lenet.{how}")) for how in ("legacy.onnx", "dynamo.onnx", "pt2"))
    assert one.spec == other.spec == third.spec
    assert one.names == other.names == third.names
    for name, tensor in one.tensors.items():
        assert np.array_equal(tensor, other.tensors[name]) and np.array_equal(tensor, third.tensors[name])


def test_what_keeps_batch_norm_is_what_the_archive_has() -> None:
    archive = read_model(model("resnet8_w4.pt2"))
    assert kinds(archive).count("BatchNorm2d") == 9 and kinds(archive).count("Add") == 3
    assert set(archive.names.values()) >= {"layer1.0.bn1.running_var", "layer2.0.short.1.weight", "linear.bias"}
    for name in ("resnet8_w4.dynamo_noopt.onnx", "resnet8_w4.legacy_preserve.onnx"):
        kept = read_model(model(name))
        assert kept.spec == archive.spec and FUSED not in kept.notes


@pytest.mark.parametrize("name", ["resnet8_w4.dynamo.onnx", "resnet8_w4.legacy.onnx", "unet_tiny.dynamo.onnx"])
def test_fused_batch_norm_is_said_and_its_names_are_no_state_dicts(name: str) -> None:
    imported = read_model(model(name))
    assert FUSED in imported.notes
    assert not [name for name in imported.names if name.startswith(("conv1", "layer", "inc"))]


def test_concat_and_transposed_convolutions_are_there() -> None:
    assert kinds(read_model(model("inception_tiny.dynamo.onnx"))).count("Concat") == 2
    unet = kinds(read_model(model("unet_tiny.legacy.onnx")))
    assert (unet.count("Concat"), unet.count("ConvTranspose2d")) == (2, 2)


def test_decomposed_layers_are_whole_again() -> None:
    assert kinds(read_model(model("groupnorm_net.legacy.onnx")))[:4] == ["Conv2d", "GroupNorm", "SiLU", "MaxPool2d"]
    assert kinds(read_model(model("mobile_v2.legacy.onnx"))).count("ReLU6") == 7


def test_names_of_an_old_exporter_are_kept() -> None:
    imported = read_model(model("lenet5_torch.onnx"))
    assert imported.spec["layers"][0]["name"] == "body_conv1"
    assert imported.names["head_fc3.weight"] == "head.fc3.weight"


def test_a_keras_file_gives_what_keras_gives() -> None:
    imported = read_model(model("mnist_convnet.keras"))
    known = np.load(model("mnist_convnet.io.npz"))
    assert np.abs(output(imported, np.moveaxis(known["x"], -1, 1)).numpy() - known["y"]).max() < 1e-6


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ultraface_rfb320.onnx", "gives back 2 values"),
        ("super_resolution_prepost.onnx", "DecodeImage"),
        ("person_detect.tflite", "TFLite"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(name: str, said: str) -> None:
    path = model(name)
    with pytest.raises(ConvSheetError, match=said) as caught:
        read_model(path)
    assert "\n" not in str(caught.value) and name in str(caught.value)


def test_no_path_of_the_authors_machine_is_copied() -> None:
    for name in ("blitz_lenet.pt2", "resnet8_w4.pt2", "resnet8_w4.dynamo.onnx"):
        imported = read_model(model(name))
        text = repr((imported.spec, imported.notes, dict(imported.names)))
        assert "site-packages" not in text and ".py" not in text and str(Path.home()) not in text
