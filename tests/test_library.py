"""conv-sheet as a library: from a live module, or from training, to a workbook and back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import conv_sheet
from conv_sheet.errors import DataError, ShapeError


def test_every_public_name_is_documented_and_says_its_types() -> None:
    for name in set(conv_sheet.__all__) - {"__version__"}:
        found = getattr(conv_sheet, name)
        assert found.__doc__, name
        if not isinstance(found, type):
            assert "return" in found.__annotations__, name


def test_a_live_module_is_a_workbook_with_two_calls(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)).double().eval()
    example = torch.rand(1, 1, 6, 6, dtype=torch.float64)
    workbook = conv_sheet.workbook(conv_sheet.from_torch(module, example), example)
    conv_sheet.build(workbook, str(tmp_path / "mine.xlsx"))
    assert conv_sheet.check(str(tmp_path / "mine.xlsx")).ok
    output = conv_sheet.read(str(tmp_path / "mine.xlsx")).output
    np.testing.assert_allclose(output, module(example)[0].detach().numpy(), atol=1e-6)
    assert conv_sheet.workbook(conv_sheet.from_torch(module, example), example[0, 0].numpy()).image.shape == (1, 6, 6)


def test_what_was_trained_is_shown(tmp_path: Path) -> None:
    for label, grey in (("dark", 0), ("light", 255)):
        (tmp_path / label).mkdir()
        for number in range(10):
            Image.new("L", (4, 4), abs(grey - number)).save(tmp_path / label / f"{number}.png")
    layers = [{"kind": "Flatten"}, {"kind": "Linear", "name": "fc", "out_features": 2}]
    network = conv_sheet.Network.from_spec({"input": [1, 4, 4], "classes": ["dark", "light"], "layers": layers})
    trained = conv_sheet.train(network, str(tmp_path), conv_sheet.Recipe(epochs=30, lr=0.1, augment=False))
    assert trained.accuracy == 1 and len(repr(trained)) < 200
    for grey, label in ((0, "dark"), (1, "light")):
        assert conv_sheet.workbook(network, np.full((4, 4), grey), trained.weights).prediction == label


def test_pictures_and_weights_that_do_not_fit_are_told() -> None:
    network = conv_sheet.Network.from_spec({"input": [1, 4, 4], "layers": [{"kind": "Tanh"}]})
    with pytest.raises(ShapeError, match=r"\(4, 5\).*\(1, 4, 4\)|\(1, 4, 5\)"):
        conv_sheet.workbook(network, np.zeros((4, 5)))
    with pytest.raises(DataError, match=r"unknown a\.weight"):
        conv_sheet.workbook(network, tensors={"a.weight": np.zeros(1)})
