"""Weights of a state_dict: which tensor is which parameter; and the files that hold them."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from numpy.typing import NDArray

from conv_sheet.errors import DataError
from conv_sheet.models import read_weights
from conv_sheet.models import safetensors as own
from conv_sheet.models.archive import Archive
from conv_sheet.models.names import matched
from conv_sheet.models.naming import layer_names, legal
from conv_sheet.network.graph import Network
from conv_sheet.network.weights import checked

Tensors = dict[str, NDArray[np.float64]]


def network(same: bool = False) -> Network:
    return Network.from_spec(
        {
            "input": [1, 6, 6],
            "layers": [
                {"name": "conv1", "kind": "Conv2d", "out_channels": 1 if same else 2, "kernel_size": 3},
                {"name": "bn1", "kind": "BatchNorm2d"},
                {"name": "layer1_0_conv2", "kind": "Conv2d", "out_channels": 1, "kernel_size": 3},
                {"kind": "Flatten"},
                {"name": "fc1", "kind": "Linear", "out_features": 3},
            ],
        }
    )


def weights(*names: str, same: bool = False) -> Tensors:
    """Tensors under the names of four modules."""
    maps = 1 if same else 2
    conv1, norm, conv2, fc = names
    shapes: dict[str, tuple[int, ...]] = {
        **{f"{conv1}.weight": (maps, 1, 3, 3), f"{conv1}.bias": (maps,)},
        **{f"{norm}.{short}": (maps,) for short in ("weight", "bias", "running_mean", "running_var")},
        f"{norm}.num_batches_tracked": (),
        **{f"{conv2}.weight": (1, maps, 3, 3), f"{conv2}.bias": (1,)},
        **{f"{fc}.weight": (3, 4), f"{fc}.bias": (3,)},
    }
    rng = np.random.default_rng(6)
    return {name: rng.random(shape) for name, shape in shapes.items()}


def test_names_that_conv_sheet_makes_are_understood() -> None:
    given = weights("conv1", "bn1", "layer1.0.conv2", "fc1")
    found, notes = matched(network(), given, "w.npz")
    assert notes == []
    assert np.array_equal(checked(network(), found)["layer1_0_conv2.bias"], given["layer1.0.conv2.bias"])


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "features."])
def test_a_prefix_that_all_share_is_taken_off(prefix: str) -> None:
    given = {prefix + name: value for name, value in weights("conv1", "bn1", "layer1.0.conv2", "fc1").items()}
    found, notes = matched(network(), given, "w.npz")
    checked(network(), found)
    assert notes == [f"w.npz: the prefix '{prefix}', which all names share, is left out"]


@pytest.mark.parametrize("names", [("0", "1", "3", "6"), ("features.0", "features.1", "features.3", "classifier.1")])
def test_weights_of_a_sequential_are_taken_in_their_order(names: tuple[str, ...]) -> None:
    given = weights(*names)
    found, notes = matched(network(), given, "w.npz")
    assert np.array_equal(checked(network(), found)["fc1.weight"], given[f"{names[3]}.weight"])
    assert notes == [
        f"w.npz: weights are taken in their order: conv1 from {names[0]}, bn1 from {names[1]}, "
        f"layer1_0_conv2 from {names[2]}, fc1 from {names[3]}"
    ]


def test_where_a_format_has_no_order_numbers_or_shapes_decide() -> None:
    numbered = weights("9", "10", "11", "12")
    found, _ = matched(network(), dict(sorted(numbered.items())), "w.safetensors", ordered=False)
    assert np.array_equal(found["conv1.weight"], numbered["9.weight"])
    named = weights("d", "c", "b", "a")
    found, _ = matched(network(), dict(sorted(named.items())), "w.safetensors", ordered=False)
    assert np.array_equal(found["conv1.weight"], named["d.weight"])


def test_ties_are_refused_with_the_way_out() -> None:
    given = weights("d", "c", "b", "a", same=True)
    with pytest.raises(DataError, match=r"'b', 'd' all fit layer 'conv1' .* --map conv1=0"):
        matched(network(same=True), dict(sorted(given.items())), "w.safetensors", ordered=False)
    found, _ = matched(network(same=True), given, "w", {"conv1": "d", "layer1_0_conv2": "b"}, ordered=False)
    assert np.array_equal(checked(network(same=True), found)["layer1_0_conv2.weight"], given["b.weight"])


def test_a_mapping_names_layers_and_tensors() -> None:
    given = weights("conv1", "bn1", "layer1.0.conv2", "fc1")
    given["W"] = given.pop("fc1.weight")
    found, _ = matched(network(), given, "w.npz", {"fc1.weight": "W", "conv1": "conv1"})
    with pytest.raises(DataError, match=r"unknown fc1.bias|missing"):
        checked(network(), {k: v for k, v in found.items() if k != "fc1.weight"})
    with pytest.raises(DataError, match=r"--map fc2=W: 'fc2' has no weights; there are 'conv1'"):
        matched(network(), given, "w.npz", {"fc2": "W"})
    with pytest.raises(DataError, match=r"--map fc1=V: w.npz has no 'V'"):
        matched(network(), given, "w.npz", {"fc1": "V"})


def test_another_number_of_modules_is_refused() -> None:
    given = weights("0", "1", "3", "6") | {"8.weight": np.ones((3, 4))}
    with pytest.raises(DataError, match=r"weights of 5 modules, '0', .* takes those of 4"):
        matched(network(), given, "w.npz")


def test_names_of_layers_are_new_and_legal() -> None:
    paths = ["a.b", "a_b", "A-B", "input", "1", "", "x" * 99, "x" * 98 + "y", "é", "=1+1", "1"]
    names = layer_names((path, "Conv2d") for path in paths)
    assert len({name.lower() for name in names} | {"input"}) == len(paths) + 1
    assert all(legal(name, "Conv2d") == name and len(name) <= 40 for name in names)


def test_safetensors_are_read_and_written_as_their_package_does(tmp_path: Path) -> None:
    tensors = {
        "a.weight": torch.rand(2, 3),
        "half": torch.rand(4).half(),
        "b16": torch.rand(3).bfloat16(),
        "count": torch.tensor(3),
        "double": torch.rand(2, dtype=torch.float64),
    }
    safetensors.torch.save_file(tensors, tmp_path / "w.safetensors", {"format": "pt"})
    found = read_weights(tmp_path / "w.safetensors")
    assert set(found) == set(tensors)
    for name, tensor in tensors.items():
        assert np.array_equal(found[name], tensor.double().numpy()) and found[name].shape == tuple(tensor.shape)
    own.save(tmp_path / "own.safetensors", found)
    again = safetensors.numpy.load_file(tmp_path / "own.safetensors")
    assert all(np.array_equal(again[name], found[name]) for name in found)


def test_damaged_safetensors_are_refused_in_one_line(tmp_path: Path) -> None:
    safetensors.numpy.save_file({"a": np.zeros((2, 3)), "b": np.ones(4)}, tmp_path / "w.safetensors")
    whole = (tmp_path / "w.safetensors").read_bytes()
    damaged = [whole[:cut] for cut in range(len(whole))]
    damaged += [
        b"\xff" * 8 + bytes(whole[8:]),
        bytes(whole).replace(b"[2,3]", b"[2,9]"),
        bytes(whole).replace(b"F64", b"F99"),
    ]
    damaged += [bytes(whole).replace(b"[2,3]", b"[-2,3]"[:5])]
    for data in damaged:
        (tmp_path / "bad.safetensors").write_bytes(data)
        with pytest.raises(DataError) as caught:
            read_weights(tmp_path / "bad.safetensors")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"shape": [2, 0, 10**30], "data_offsets": [0, 0]}, "do not fit the file"),
        ({"shape": [1] * 100 + [2]}, "do not fit the file"),
        ({"shape": [2.0]}, "not described as the format does"),
        ({"shape": "2"}, "not described as the format does"),
        ({"data_offsets": [4, 12]}, "two of its tensors lie in one place"),
    ],
)
def test_a_header_of_safetensors_that_cannot_be_is_one_line(tmp_path: Path, entry: dict[str, Any], words: str) -> None:
    path = tmp_path / "w.safetensors"
    whole = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    header = json.dumps({"a": whole, "b": whole | {"data_offsets": [8, 16]} | entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    with pytest.raises(DataError, match=words):
        own.load(path)
    with pytest.raises((safetensors.SafetensorError, TypeError, ValueError)):
        safetensors.numpy.load_file(path)


@pytest.mark.parametrize(
    "text", ['{"a": Infinity}', '{"a": NaN}', '{"a": 1e999}', '{"a": 1, "a": 2}', "[" * 100_000, "{"]
)
def test_json_is_as_its_standard_has_it(tmp_path: Path, text: str) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as made:
        made.writestr("model.json", text)
    with (
        Archive(tmp_path / "model.zip", "model.zip") as archive,
        pytest.raises(DataError, match=r"model\.json' is not JSON"),
    ):
        archive.json("model.json")
