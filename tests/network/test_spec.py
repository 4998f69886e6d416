"""Specs in and out, and the errors that a user of them reads."""

from typing import Any

import numpy as np
import pytest

from conv_sheet.errors import SpecError
from conv_sheet.network.graph import Network
from conv_sheet.network.spec import from_tables, parse
from tests.network.specs import ADD, CONV, RELU, TANH, spec
from tests.networks import SMALL


def test_a_spec_survives_its_own_toml() -> None:
    tables = SMALL | {"try": [{"text": 'type "=1+1"', "at": "input_1"}], "description": "ä\n=", "title": ""}
    made = from_tables(tables)
    assert parse(made.to_toml()) == made
    assert made.lesson.tries[0].text == 'type "=1+1"'


def test_a_network_says_nothing_of_its_lesson() -> None:
    one, other = (from_tables(SMALL | {"title": title, "sheets": ["images"]}) for title in ("one", "other"))
    assert one.network == other.network == Network.from_spec(SMALL)
    assert one.network.to_toml() == other.network.to_toml()


def test_inputs_are_written_only_where_they_are_not_the_layer_before() -> None:
    made = from_tables(spec(CONV, RELU, TANH | {"inputs": ["relu1"]}, ADD | {"inputs": ["tanh1", "conv1"]}))
    assert made.to_toml().count("inputs") == 1
    assert parse(made.to_toml()) == made


def test_layers_are_sorted_by_who_reads_whom_and_otherwise_stay_as_listed() -> None:
    tables = spec(ADD | {"inputs": ["tanh1", "relu1"]}, RELU | {"inputs": ["input"]}, TANH, {"kind": "Sigmoid"})
    tables["layers"][3]["inputs"] = ["add1"]
    made = from_tables(tables)
    assert [node.name for node in made.network.nodes] == ["relu1", "tanh1", "add1", "sigmoid1"]
    assert parse(made.to_toml()) == made


@pytest.mark.parametrize(
    ("normalize", "shown"),
    [
        ({"mean": [0.25], "std": [0.5]}, [-0.5, 1.5]),
        ({"mean": 0.5}, [-0.5, 0.5]),
        ({"std": 0.25}, [0, 4]),
        ({"range": [-1, 1]}, [-1, 1]),
        ({"range": [0, 255]}, [0, 255]),
    ],
)
def test_a_normalised_picture_is_what_all_layers_read(normalize: dict[str, Any], shown: list[float]) -> None:
    made = from_tables(spec(TANH, ADD | {"inputs": ["input", "tanh1"]}, shape=(1, 1, 2), normalize=normalize))
    assert parse(made.to_toml()) == made
    assert made.to_toml().count('"input"') == 1 and '[[layers]]\nname = "normalize"' not in made.to_toml()
    values = made.network.forward(np.array([[[[0.0, 1.0]]]]), made.network.initial(0))
    np.testing.assert_allclose(values["normalize"].ravel(), shown, atol=1e-12)
    np.testing.assert_allclose(values["add1"], values["normalize"] + np.tanh(values["normalize"]))


def test_signals_are_maps_of_one_row() -> None:
    made = from_tables(spec({"kind": "Conv1d", "out_channels": 2, "kernel_size": 3}, shape=(4, 16)))
    assert made.network.input_shape == (4, 1, 16) and made.network.output.out_shape == (2, 1, 14)
    assert parse(made.to_toml()) == made


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (spec(CONV | {"kernel_size": 9}), r"layer 'conv1' \(Conv2d\) after 'input' \(1, 8, 8\): .*9×9.*8×8"),
        (spec(CONV, {"kind": "Linear", "out_features": 3}), r"layer 'fc1' .*\(2, 6, 6\).*Flatten"),
        (spec(CONV | {"out_chanels": 2}), r"layer 'conv1'.*'out_chanels'.*out_channels"),
        (spec({"kind": "Conv2d", "out_channels": 2}), r"'kernel_size' is missing"),
        (spec(CONV | {"kernel_size": 9}), r"a smaller kernel_size or dilation, or more padding"),
        (spec({"kind": "MaxPool2d", "kernel_size": 9}), r"a smaller kernel_size or dilation, or more padding"),
        (spec(CONV | {"kernel_size": 0}), r"kernel_size = 0 must be a whole number, 1 or more"),
        (spec(CONV | {"stride": [1, 0]}), r"stride = \[1, 0\] must be a whole number, 1 or more, or a pair"),
        (spec(CONV | {"padding": -1}), r"padding = -1 must be a whole number, 0 or more, or a pair"),
        (spec(CONV | {"out_channels": 0}), r"out_channels = 0 must be a whole number, 1 or more$"),
        (spec(CONV | {"padding": "full"}), r"'full'"),
        (spec(CONV | {"groups": 2}), r"groups = 2"),
        (spec(CONV | {"padding": 8, "padding_mode": "reflect"}), r"'reflect'.*7×7"),
        (spec(TANH, normalize=0.5), r"normalize = 0.5 is not a table"),
        (spec(TANH, normalize={"means": 1}), r"takes mean and std, or range, not 'means'.*did you mean 'mean'"),
        (spec(TANH, normalize={"range": [1, 1]}), r"range = \[1, 1\] has two equal ends"),
        (spec(TANH, normalize={"range": [0, 1], "mean": 0}), r"or range, not both"),
        (spec(TANH, normalize={"std": 0}), r"std = 0 must not be 0"),
        (spec(TANH, normalize={"mean": [1, 2]}), r"mean has 2 numbers, and its input 1 channels"),
        (spec({"kind": "GroupNorm", "num_groups": 2}), r"num_groups = 2 does not divide the 1 channels"),
        (spec({"kind": "PixelShuffle", "upscale_factor": 2}), r"1 maps cannot be put together in blocks of 2×2"),
        (spec({"kind": "ReflectionPad2d", "padding": 8}), r"can pad 8 values by at most 7, not by 8"),
        (spec({"kind": "Upsample"}), r"takes one of size and scale_factor"),
        (spec({"kind": "Upsample", "size": 4, "mode": "cubic"}), r"mode = 'cubic' is not known"),
        (spec({"kind": "Slice", "dim": 0}), r"dim = 0 must be from 1 to 3"),
        (spec({"kind": "Conv1d", "out_channels": 1, "kernel_size": 1}), r"Conv1d reads maps of one row"),
        (spec(CONV | {"in_channels": 3}), r"in_channels = 3 does not agree with its input: it would be 1 here"),
        (spec({"kind": "BatchNorm2d", "track_running_stats": False}), r"track_running_stats = false is not known"),
        (spec({"kind": "Conv3d"}), r"unknown kind 'Conv3d' .*; known are Conv2d"),
        (spec({"kind": "Conv2D"}), r"unknown kind 'Conv2D' \(did you mean 'Conv2d'\?\); known are Conv2d"),
        (spec({"kind": "relu"}), r"did you mean 'ReLU'\?"),
        (spec({"kind": "nix"}), r"unknown kind 'nix'; known are Conv2d"),
        (spec({"kind": ["ReLU"]}), r"unknown kind \['ReLU'\]"),
        (spec({"out_channels": 2}), r"^layer 1 has no kind: .* kind = \"Conv2d\"; known are Conv2d"),
        (spec(CONV | {"kernal_size": 3}), r"unknown option 'kernal_size' \(did you mean 'kernel_size'\?\); it takes"),
        (spec(CONV, titel="mine"), r"unknown key 'titel' \(did you mean 'title'\?\); a spec has"),
        ({}, r"has no input: .* input = \[1, 28, 28\]"),
        (spec(CONV, CONV), r"layer 2: the name 'conv1' is taken"),
        (spec(CONV | {"name": "Input"}), r"'Input' is taken"),
        (spec(CONV | {"name": "=cmd|1"}), r"name '=cmd\|1' is not a letter"),
        (spec(CONV, classes=["a", "b"]), r"2 classes.*'conv1'.*\(2, 6, 6\)"),
        (spec(CONV | {"initial": {"weight": [[1]]}}), r"\(1, 1\) and must have \(2, 1, 3, 3\)"),
        (spec(CONV | {"initial": {"wight": [1]}}), r"initial.wight"),
        (spec(CONV | {"initial": 3}), "initial = 3 is not a table"),
        (spec(), "no layers"),
        ({"input": [28], "layers": [CONV]}, r"input = \[28\] is not \[channels, height, width\]"),
        (spec(CONV, colour="red"), "unknown key 'colour'"),
        (spec(CONV, title=3), "title = 3 is not a text"),
        (spec(CONV, sheets="images"), "sheets = 'images' is not a list of texts"),
        (spec(CONV, backprop="yes"), "backprop = 'yes' is neither true nor false"),
        (spec(CONV, loss="L1"), "there is no loss 'L1': take one of cross-entropy, hinge, mse, bce"),
        (spec(CONV) | {"try": {"text": "Look."}}, r"try = .* is not a list of \[\[try\]\] tables"),
        (spec(CONV) | {"try": [{"text": "Look."}]}, r"\[\[try\]\] takes the keys text and at"),
        (spec(CONV) | {"try": [{"text": "a", "at": "b", "look": "c"}]}, r"\[\[try\]\] takes the keys text and at"),
        (spec(CONV) | {"try": [{"text": "a", "at": "b", "do": [1]}]}, r"do = \[1\] is not a table of cells"),
        (spec(CONV) | {"try": [{"text": "a", "at": "b", "choices": "c"}]}, r"choices = 'c' is not a list of texts"),
        # who reads whom
        (spec(CONV, RELU | {"inputs": "conv1"}), r"layer 'relu1': inputs = 'conv1' is not a list of names"),
        (spec(CONV, RELU | {"inputs": []}), r"layer 'relu1': inputs = \[\] is not a list of names, such as"),
        (
            spec(CONV, RELU | {"inputs": ["cnv1"]}),
            r"layer 'relu1' reads 'cnv1', which is no layer \(did you mean 'conv1'\?\); there are input, conv1, relu1",
        ),
        (spec(CONV, ADD | {"inputs": ["conv1", "conv1"]}), r"layer 'add1' reads 'conv1' twice: name each"),
        (
            spec(CONV, RELU, TANH | {"inputs": ["conv1"]}),
            r"layer 'relu1' leads nowhere: no layer reads it, and the output is the last layer, 'tanh1': name it in",
        ),
        (spec(RELU | {"inputs": ["relu1"]}), r"layer 'relu1' reads itself: name a layer before it in its inputs"),
        (
            spec(ADD | {"inputs": ["input", "tanh1"]}, RELU, TANH),
            r"layers read each other in a circle, add1 → relu1 → tanh1 → add1: take one of them out of the inputs",
        ),
        (
            spec(CONV, ADD),
            r"layer 'add1' \(Add\) after 'conv1' \(2, 6, 6\): it joins two inputs or more: add a line",
        ),
        (
            spec(CONV, ADD | {"inputs": ["input", "conv1"]}),
            r"layer 'add1' \(Add\) after 'input' \(1, 8, 8\) and 'conv1' \(2, 6, 6\): .* must have one shape",
        ),
        (
            spec(CONV, {"kind": "Concat", "inputs": ["input", "conv1"]}),
            r"layer 'concat1' \(Concat\) after 'input' .* must have one height and one width",
        ),
        (
            spec(CONV, RELU | {"inputs": ["input", "conv1"]}),
            r"layer 'relu1' \(ReLU\) after .*: it reads one input, not 2: put a layer that joins them, such as Add or",
        ),
    ],
)
def test_a_wrong_spec_is_told_in_one_line(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        from_tables(bad)
    assert "\n" not in str(caught.value)


def test_broken_toml_names_its_source() -> None:
    with pytest.raises(SpecError, match=r"^mine\.toml is not TOML"):
        parse("input = [1, 2", "mine.toml")
    with pytest.raises(SpecError, match=r"^mine\.toml: the spec has no input"):
        parse("title = 'mine'", "mine.toml")
