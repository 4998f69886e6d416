"""Keras' files, judged by Keras 3 on its torch backend."""

import json
import os
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from conv_sheet.errors import ConvSheetError, DataError
from conv_sheet.models import Imported, read_model
from tests.models.reference import output

os.environ["KERAS_BACKEND"] = "torch"
keras: Any = pytest.importorskip("keras")
L = keras.layers
pytestmark = pytest.mark.filterwarnings("ignore")  # Keras' own, about torch and NumPy


def agree(model: Any, path: Path, shape: tuple[int, ...] = (9, 8, 3)) -> Imported:
    """Random weights, the file, and what both give for one picture."""
    rng = np.random.default_rng(4)
    model.set_weights([np.abs(rng.normal(size=w.shape)) * 0.3 + 0.01 for w in model.get_weights()])
    model.save(path)
    imported = read_model(path)
    x = rng.random((1, *shape)).astype(np.float32)
    wanted = np.asarray(model(x, training=False).detach().cpu())
    given = output(imported, np.moveaxis(x, -1, 1)).numpy()
    given = np.moveaxis(given, 1, -1) if given.ndim > 2 else given
    assert (np.abs(given.reshape(wanted.shape) - wanted) / (1 + np.abs(wanted))).max() < 1e-6
    return imported


LAYERS: dict[str, Callable[[], list[Any]]] = {
    "conv": lambda: [L.Conv2D(4, (3, 2), strides=(2, 1), padding="same", activation="relu")],
    "dilated": lambda: [L.Conv2D(4, 3, dilation_rate=2, use_bias=False, activation="tanh")],
    "depthwise": lambda: [L.DepthwiseConv2D(3, depth_multiplier=2, padding="same")],
    "separable": lambda: [L.SeparableConv2D(4, 3, activation="gelu")],
    "transposed": lambda: [L.Conv2DTranspose(4, 3, strides=2, padding="same")],
    "transposed_valid": lambda: [L.Conv2DTranspose(4, 2, strides=3)],
    "norm": lambda: [L.Conv2D(4, 3), L.BatchNormalization(), L.ReLU(6.0)],
    "norm_plain": lambda: [L.BatchNormalization(scale=False, center=False)],
    "pools": lambda: [L.MaxPooling2D(2, padding="same"), L.AveragePooling2D(3, strides=1, padding="same")],
    "global": lambda: [L.Conv2D(5, 3), L.GlobalAveragePooling2D(), L.Dense(3, activation="softmax")],
    "flat": lambda: [L.Conv2D(4, 3), L.Flatten(), L.Dropout(0.3), L.Dense(6, activation="silu"), L.Dense(2)],
    "padded": lambda: [L.ZeroPadding2D(((1, 2), (0, 3))), L.Cropping2D(1), L.UpSampling2D(2)],
    "bilinear": lambda: [L.UpSampling2D(2, interpolation="bilinear")],
    "activations": lambda: [L.LeakyReLU(0.2), L.ELU(), L.Activation("hard_silu"), L.PReLU(shared_axes=[1, 2])],
    "rescaled": lambda: [L.Rescaling(1 / 255, offset=-0.5), L.Conv2D(2, 3)],
    "reshaped": lambda: [L.Flatten(), L.Dense(12), L.Reshape((2, 3, 2)), L.Conv2D(2, 2)],
    "generator": lambda: [
        *(L.Flatten(), L.Dense(24), L.BatchNormalization(), L.LeakyReLU(0.2), L.Reshape((2, 3, 4))),
        L.Conv2DTranspose(2, 3, strides=2, padding="same"),
    ],
    "layer_norm": lambda: [L.Flatten(), L.LayerNormalization(), L.Dense(2)],
    "softmax_maps": lambda: [L.Softmax()],
    "augmented": lambda: [L.RandomFlip(), L.SpatialDropout2D(0.5), L.Conv2D(2, 3)],
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_agree(name: str, tmp_path: Path) -> None:
    agree(keras.Sequential([keras.Input((9, 8, 3)), *LAYERS[name]()]), tmp_path / "net.keras")


def test_a_functional_model_with_branches(tmp_path: Path) -> None:
    x = keras.Input((9, 8, 3))
    one = L.Conv2D(4, 3, padding="same", activation="relu", name="first")(x)
    two = L.Add()([one, L.Conv2D(4, 1)(x)])
    three = L.Concatenate()([one, two])
    gate = L.Reshape((1, 1, 8))(L.Dense(8, activation="sigmoid")(L.GlobalAveragePooling2D()(three)))
    model = keras.Model(x, L.Dense(3)(L.Flatten()(L.Multiply()([three, gate]))))
    imported = agree(model, tmp_path / "net.keras")
    kinds = [layer["kind"] for layer in imported.spec["layers"]]
    assert {"Add", "Concat", "Mul"} <= set(kinds) and imported.spec["layers"][0]["name"] == "first"


def test_a_model_built_without_an_input_layer(tmp_path: Path) -> None:
    model = keras.Sequential([L.Conv2D(2, 3), L.Flatten(), L.Dense(2)])
    model.build((None, 9, 8, 3))
    agree(model, tmp_path / "net.keras")


def test_rescaling_is_the_pictures_normalisation(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((9, 8, 3)), L.Rescaling(1 / 127.5, offset=-1), L.Conv2D(2, 3)])
    imported = agree(model, tmp_path / "net.keras")
    assert imported.spec["normalize"] == {"mean": [127.5] * 3, "std": [127.5] * 3}


def test_layers_of_code_are_refused(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((9, 8, 3)), L.Lambda(lambda x: x)]).save(tmp_path / "net.keras")
    with pytest.raises(ConvSheetError, match=r"Lambda layer 'lambda.*' *: layers of this kind are not supported"):
        read_model(tmp_path / "net.keras")


def _with(path: Path, name: str, data: bytes) -> Path:
    """A copy of a file in which one entry is another."""
    target = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, data if entry == name else old.read(entry))
    return target


def test_nothing_beside_the_file_is_read(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((9, 8, 3)), L.Conv2D(2, 3)]).save(tmp_path / "net.keras")
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["0"] = np.zeros((3, 3, 3, 2), np.float32)
        other["1"] = np.zeros(2, np.float32)
    makers: tuple[Callable[[Any], Any], ...] = (
        lambda group: group.__setitem__("vars", h5py.ExternalLink(str(tmp_path / "other.h5"), "/")),
        lambda group: group.__setitem__("vars", h5py.SoftLink("/layers")),
        lambda group: group.create_dataset("vars/0", (3, 3, 3, 2), "f4", external=[(tmp_path / "other.h5", 0, 216)]),
    )
    for make in makers:
        file = BytesIO()
        with h5py.File(file, "w") as weights:
            make(weights.create_group("layers/conv2d"))
        with pytest.raises(DataError, match=r"a link to somewhere else|not plain numbers"):
            read_model(_with(tmp_path / "net.keras", "model.weights.h5", file.getvalue()))


def test_damage_is_refused_in_one_line(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((9, 8, 3)), L.Conv2D(2, 3), L.Flatten(), L.Dense(2)]).save(tmp_path / "net.keras")
    path = tmp_path / "net.keras"
    config = json.loads(zipfile.ZipFile(path).read("config.json"))
    weights = zipfile.ZipFile(path).read("model.weights.h5")
    cases = [("config.json", b"{"), ("config.json", b"[" * 100_000), ("config.json", b"{}"), ("model.weights.h5", b"")]
    cases += [("model.weights.h5", weights[: len(weights) // 2])]
    for key, value in (("layers", 3), ("layers", []), ("layers", [{}]), ("layers", [{"class_name": 1, "config": []}])):
        cases.append(("config.json", json.dumps(config | {"config": config["config"] | {key: value}}).encode()))
    for layer in config["config"]["layers"]:
        for key in layer["config"]:
            inner = layer["config"] | {key: {"a": -(2**70)}}
            tables = [x | {"config": inner} if x is layer else x for x in config["config"]["layers"]]
            cases.append(
                ("config.json", json.dumps(config | {"config": config["config"] | {"layers": tables}}).encode())
            )
    for name, data in cases:
        try:
            read_model(_with(path, name, data))
        except ConvSheetError as error:
            assert "\n" not in str(error)
