"""PyTorch's modules and archives: every network that people teach with."""

import runpy
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from conv_sheet.errors import ConvSheetError, DataError, SpecError
from conv_sheet.lessons import workbook
from conv_sheet.models import Imported, from_torch, read_model
from conv_sheet.models.writing import export
from tests.models.reference import output, run
from tests.models.zoo import ZOO, Forward, ready


def agree(imported: Imported, module: nn.Module, x: Tensor) -> None:
    """The spec gives what the module gives, and names everything that its state_dict has."""
    with torch.no_grad():
        wanted = module.double()(x.double())
    assert (output(imported, x).reshape(wanted.shape) - wanted).abs().max() < 1e-6


@pytest.mark.parametrize("name", ZOO)
def test_networks_that_people_teach_with(name: str) -> None:
    module, x = ready(name)
    imported = from_torch(module, x)
    assert set(imported.names) == set(imported.tensors)
    assert set(imported.names.values()) | set(imported.extra) == set(module.state_dict())
    for full, source in imported.names.items():
        assert imported.tensors[full].shape == tuple(module.state_dict()[source].shape)
    agree(imported, module, x)


OPERATIONS: dict[str, nn.Module] = {
    "elu": nn.ELU(0.5),
    "selu": nn.SELU(),
    "celu": nn.CELU(0.5),
    "mish": nn.Mish(),
    "glu": nn.GLU(1),
    "gelu": nn.GELU(),
    "gelu_tanh": nn.GELU(approximate="tanh"),
    "silu": nn.SiLU(),
    "hardswish": nn.Hardswish(),
    "hardsigmoid": nn.Hardsigmoid(),
    "hardtanh": nn.Hardtanh(-0.5, 0.25),
    "prelu": nn.PReLU(4),
    "softplus": nn.Softplus(2, 5),
    "leaky": nn.LeakyReLU(0.2),
    "lrn": nn.LocalResponseNorm(3, alpha=0.1, k=2),
    "instance": nn.InstanceNorm2d(4, affine=True),
    "instance_without_bias": nn.InstanceNorm2d(4, affine=True, bias=False),
    "batch_without_bias": nn.BatchNorm2d(4, bias=False),
    "batch_plain": nn.BatchNorm2d(4, affine=False),
    "group_without_bias": nn.GroupNorm(2, 4, bias=False),
    "layer": nn.LayerNorm((4, 6, 6)),
    "group": nn.GroupNorm(2, 4),
    "softmax": nn.Softmax(dim=1),
    "log_softmax": nn.LogSoftmax(dim=1),
    "adaptive": nn.AdaptiveAvgPool2d((3, 2)),
    "adaptive_max": nn.AdaptiveMaxPool2d(2),
    "nearest": nn.Upsample(scale_factor=3),
    "bilinear": nn.Upsample(scale_factor=2, mode="bilinear"),
    "aligned": nn.Upsample(size=(9, 8), mode="bilinear", align_corners=True),
    "shuffle": nn.PixelShuffle(2),
    "channel_shuffle": nn.Sequential(nn.ChannelShuffle(2), nn.ReLU()),
    "zero_pad": nn.ZeroPad2d((1, 2, 0, 3)),
    "reflect": nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"),
    "circular": nn.Conv2d(4, 2, 3, padding=(0, 1), padding_mode="circular"),
    "same": nn.Conv2d(4, 2, 4, padding="same"),
    "dropout2d": nn.Dropout2d(0.3),
    "ceil": nn.AvgPool2d(4, 3, padding=1, ceil_mode=True, count_include_pad=False),
}
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "normalised": lambda x: F.relu((x - 0.1307) / 0.3081),
    "slice": lambda x: F.relu(x[:, 1:3, ::2, 1:]),
    "chunk": lambda x: torch.cat(x.chunk(2, dim=1)[::-1], dim=1),
    "split": lambda x: torch.cat([F.relu(part) for part in torch.split(x, [1, 3], dim=1)], 1),
    "sum_with_a_value_a_map": lambda x: x.amax((2, 3), keepdim=True) + F.relu(x),
    "sum_with_a_map": lambda x: F.relu(x) + x[:, 1:2],
    "mean_of_columns": lambda x: F.relu(x).mean(2, keepdim=True),
    "softmax_over_maps_behind_columns": lambda x: F.softmax(x.transpose(1, 3), -1).transpose(1, 3),
    "shuffled_maps": lambda x: F.relu(F.relu(x).reshape(1, 2, 2, 6, 6).transpose(1, 2).reshape(1, 4, 6, 6)),
    "cut_off_above": lambda x: x.clamp(max=0.5),
    "cut_off_below": lambda x: x.clamp(min=0.25),
    "gate": lambda x: x * x.mean((2, 3), keepdim=True),
    "swish": lambda x: x * torch.sigmoid(x),
    "written_gelu": lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5)),
    "twice": lambda x: F.relu(x + x),
    "minus": lambda x: F.relu(x) - x,
    "flat": lambda x: F.relu(x).flatten(1),
    "channels": lambda x: F.pad(x, (0, 0, 0, 0, 1, 2)),
    "largest": lambda x: x.amax((2, 3)),
    "transposed": lambda x: F.softmax(x.permute(0, 2, 3, 1), dim=-1).permute(0, 3, 1, 2),
}


@pytest.mark.parametrize("name", [*OPERATIONS, *FUNCTIONS])
def test_operators_agree(name: str) -> None:
    torch.manual_seed(3)
    function = FUNCTIONS.get(name)
    module = OPERATIONS[name] if function is None else Forward(lambda s, x: function(x))
    x = torch.rand(1, 4, 6, 6)
    agree(from_torch(module.eval(), x), module, x)


SIGNALS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "convolutions": (nn.Sequential(nn.Conv1d(3, 4, 5, 2), nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(3, 2)), (3, 40)),
    "upsampling": (nn.Sequential(nn.Conv1d(2, 3, 3), nn.Upsample(scale_factor=2), nn.Conv1d(3, 1, 3)), (2, 9)),
    "upsampling_to_a_size": (nn.Sequential(nn.Conv1d(2, 3, 3), nn.Upsample(size=10)), (2, 9)),
    "one_channel": (nn.Conv1d(1, 2, 3), (1, 8)),
    "vector": (nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)), (6,)),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_what_a_signal_or_a_vector_gives_is_pytorchs(name: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    module, shape = SIGNALS[name][0].eval(), SIGNALS[name][1]
    x = torch.rand(1, *shape)
    with torch.no_grad():
        wanted = module(x).double().numpy().ravel()
    for image in (x, x[0]):
        state = workbook(from_torch(module, x), image)
        np.testing.assert_allclose(state.output.ravel(), wanted, rtol=0, atol=1e-6)
    export(tmp_path / "net.py", state.network, state.lesson, state.tensors)
    model = runpy.run_path(str(tmp_path / "net.py"))["model"]
    with torch.no_grad():
        answer = model(x.reshape(1, *state.network.input_shape))
    np.testing.assert_allclose(answer.numpy().ravel(), wanted, rtol=0, atol=1e-6)


def test_a_permuted_flatten_permutes_the_columns() -> None:
    module = Forward(lambda s, x: s.fc(F.relu(x).permute(0, 2, 3, 1).reshape(1, -1)), fc=nn.Linear(36, 3)).eval()
    x = torch.rand(1, 4, 3, 3)
    agree(from_torch(module, x), module, x)


@pytest.mark.filterwarnings("ignore:.isinstance.treespec:FutureWarning")  # torch's own, from within
def test_a_decomposed_program_is_the_same() -> None:
    module, x = ready("resnet8_w4")
    whole = from_torch(module, x)
    program = torch.export.export(module, (x,)).run_decompositions()
    assert _saved(program).spec["layers"] == whole.spec["layers"]


def _saved(program: torch.export.ExportedProgram) -> Imported:
    from io import BytesIO

    from conv_sheet.models.pytorch import read_pt2

    file = BytesIO()
    torch.export.save(program, file)
    return read_pt2(file, "net", "net")


def test_the_first_nodes_become_the_pictures_normalisation() -> None:
    module = Forward(lambda s, x: s.conv((x - 0.1307) / 0.3081), conv=nn.Conv2d(1, 2, 3)).eval()
    imported = from_torch(module, torch.rand(1, 1, 8, 8))
    assert imported.spec["normalize"] == {"mean": [0.1307], "std": [0.3081]}
    assert [layer["kind"] for layer in imported.spec["layers"]] == ["Conv2d"]


def test_every_activation_of_lenet_is_pytorchs() -> None:
    module, x = ready("blitz_lenet")
    values = run(from_torch(module, x), x)
    assert values["conv1"].shape == (1, 6, 28, 28)
    with torch.no_grad():
        assert (values["relu1"] - F.relu(module.double().get_submodule("conv1")(x.double()))).abs().max() < 1e-12


def test_a_module_in_training_stays_so() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout()).train()
    module[1].eval()
    from_torch(module, torch.rand(1, 1, 5, 5))
    assert [part.training for part in module] == [True, False, True]


def test_layers_that_are_not_known_are_refused_by_operator() -> None:
    module = Forward(lambda s, x: torch.sin(x)).eval()
    with pytest.raises(
        SpecError, match=r"'aten\.sin\.default': this operator is not supported; supported are"
    ) as caught:
        from_torch(module, torch.rand(1, 1, 4, 4))
    assert "\n" not in str(caught.value)


def test_a_model_of_two_outputs_is_refused() -> None:
    module = Forward(lambda s, x: (x, F.relu(x))).eval()  # type: ignore[arg-type,return-value]
    with pytest.raises(SpecError, match="gives back 2 values"):
        from_torch(module, torch.rand(1, 1, 4, 4))


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    for name in ("net.pt", "net.pth"):
        torch.save(nn.Linear(2, 2).state_dict(), tmp_path / name)
        with pytest.raises(DataError, match=r"can run any code .* torch.export.save"):
            read_model(tmp_path / name)


def test_damaged_archives_are_refused_in_one_line(tmp_path: Path) -> None:
    module, x = ready("blitz_lenet")
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "net.pt2")
    whole = (tmp_path / "net.pt2").read_bytes()
    for cut in (0, 10, 1000, len(whole) // 2, len(whole) - 30):
        (tmp_path / "cut.pt2").write_bytes(whole[:cut])
        with pytest.raises(DataError) as caught:
            read_model(tmp_path / "cut.pt2")
        assert "\n" not in str(caught.value)
    with zipfile.ZipFile(tmp_path / "net.pt2") as source:
        for name in ("weight_0", "models/model.json"):
            with zipfile.ZipFile(tmp_path / "short.pt2", "w") as target:
                for entry in source.namelist():
                    data = source.read(entry)
                    target.writestr(entry, b"{}" if entry.endswith(name) else data)
            with pytest.raises(ConvSheetError) as emptied:
                read_model(tmp_path / "short.pt2")
            assert "\n" not in str(emptied.value)


def test_weights_that_are_no_numbers_are_refused() -> None:
    module = nn.Sequential(nn.Conv2d(1, 1, 3)).eval()
    with torch.no_grad():
        next(module.parameters())[0, 0, 0, 0] = torch.nan
    with pytest.raises(DataError, match=r"'0.weight' holds NaN or infinity"):
        from_torch(module, torch.rand(1, 1, 5, 5))
