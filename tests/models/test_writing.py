"""Networks written for other programs: ONNX models in onnxruntime, code and weights in PyTorch."""

import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner, Result
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from conv_sheet import lessons
from conv_sheet.builder import build
from conv_sheet.cli import main
from conv_sheet.errors import SpecError
from conv_sheet.layers import KINDS, Array
from conv_sheet.models import read_weights
from conv_sheet.models.onnx import writing as onnx_writing
from conv_sheet.models.onnx.writers import WRITERS
from conv_sheet.models.writing import TAKEN, export
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.network.spec import parse
from conv_sheet.opening import read
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.change import patch_cells
from tests.graphs import GRAPHS
from tests.layers.test_layers import EVERY_KIND, SINGLE, covering
from tests.models.zoo import ready

Edited = tuple[str, Path, torch.Tensor]
"""The name of a model of PyTorch, its workbook with another number in its first weight, and a picture."""


def assert_close(found: Any, expected: Any) -> None:
    """The same in single precision."""
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def filled(network: Network) -> tuple[dict[str, Array], Array]:
    """Weights for a network, and two pictures."""
    rng = np.random.default_rng(0)
    tensors = {name: value + rng.random(value.shape) / 8 for name, value in network.initial(1).items()}
    off = {f"{n.name}.active": np.array(0.0) for n in network.nodes if n.layer.kind.startswith("Dropout")}
    return tensors | {k: v for k, v in off.items() if k in tensors}, rng.random((2, *network.input_shape))


def by_onnxruntime(network: Network, tensors: dict[str, Array], images: Array) -> Array:
    model = onnx_writing.model(network, tensors, "a network").SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"input": images.astype(np.float32)})
    return np.asarray(answer)


def assert_onnx(network: Network) -> None:
    tensors, images = filled(network)
    expected = network.forward(images, tensors)[network.output.name]
    assert_close(by_onnxruntime(network, tensors, images), expected)


OUT_OF_REACH = "export the network as .py|Pad should be smaller than kernel"
"""What we say of what ONNX has not; and what onnxruntime says of dilated windows of which only padding is seen."""


@pytest.mark.parametrize("kind", SINGLE)
def test_onnxruntime_calculates_every_kind(kind: str) -> None:
    for network in covering(kind):
        try:
            assert_onnx(network)
        except (SpecError, Fail) as error:
            assert re.search(OUT_OF_REACH, str(error))


@pytest.mark.parametrize("network", [EVERY_KIND, *GRAPHS.values()], ids=["every kind", *GRAPHS])
def test_onnxruntime_calculates_graphs(network: Network) -> None:
    assert_onnx(network)


def test_every_kind_can_be_written() -> None:
    assert set(WRITERS) == set(KINDS)


@pytest.mark.parametrize("network", [EVERY_KIND, *GRAPHS.values()], ids=["every kind", *GRAPHS])
def test_code_is_a_module_of_pytorch(network: Network, tmp_path: Path) -> None:
    tensors, images = filled(network)
    export(tmp_path / "net.py", network, Lesson(title='A "title"\nof two lines'), tensors)
    model = runpy.run_path(str(tmp_path / "net.py"))["model"]
    with torch.no_grad():
        answer = model(torch.tensor(images, dtype=torch.float32)).numpy()
    assert_close(answer, network.forward(images, tensors)[network.output.name])


@pytest.mark.skipif(sys.platform == "win32", reason="names of files may not hold such characters there")
@pytest.mark.parametrize("name", ['it\'s "net"', '"""\nraise SystemExit #', '")) or exit() #', "{weights}", "net\\"])
def test_no_name_of_a_file_is_code(tmp_path: Path, name: str) -> None:
    network = Network.from_spec(
        {"input": [1, 2, 2], "layers": [{"kind": "Conv2d", "out_channels": 1, "kernel_size": 1}]}
    )
    tensors, images = filled(network)
    export(tmp_path / f"{name}.py", network, Lesson(title='"""\nraise SystemExit #'), tensors)
    model = runpy.run_path(str(tmp_path / f"{name}.py"))["model"]
    with torch.no_grad():
        answer = model(torch.tensor(images, dtype=torch.float32)).numpy()
    assert_close(answer, network.forward(images, tensors)[network.output.name])


def test_layers_may_be_called_as_they_like(tmp_path: Path) -> None:
    assert {name for name in dir(torch.nn.Module()) if "_" not in name} <= TAKEN
    names = ["class", "torch", "forward", "nn", "type"]
    layers = [{"name": name, "kind": "Conv2d", "out_channels": 2, "kernel_size": 1} for name in names]
    joined = {"kind": "Concat", "inputs": ["torch", "type"]}
    network = Network.from_spec({"input": [1, 2, 2], "layers": [*layers, joined]})
    tensors, images = filled(network)
    export(tmp_path / "net.py", network, Lesson(), tensors)
    model = runpy.run_path(str(tmp_path / "net.py"))["model"]
    with torch.no_grad():
        answer = model(torch.tensor(images, dtype=torch.float32))
    assert_close(answer, network.forward(images, tensors)[network.output.name])


@pytest.fixture(scope="module", params=["resnet8_w4", "groupnorm_net", "blitz_lenet"])
def edited(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Edited:
    module, example = ready(request.param)
    path = tmp_path_factory.mktemp("export") / "book.xlsx"
    torch.export.save(torch.export.export(module, (example,)), path.with_name("model.pt2"))
    source = lessons.load(str(path.with_name("model.pt2")))
    state = WorkbookState.of(source.network, example[0].numpy().astype(float), source.tensors(), lesson=source.lesson)
    build(state, path)
    _, placed = next(iter(state.layout.parameters()))
    patch_cells(path, path, {placed.blocks[0].sheet: {placed.blocks[0].position(0, 0): 0.75}})
    return request.param, path, example


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_weights_go_back_into_the_model_that_they_are_from(edited: Edited, tmp_path: Path) -> None:
    name, path, example = edited
    state = read(path)
    answer = state.network.forward(example.numpy().astype(float), state.tensors)[state.network.output.name][0]
    for suffix in (".npz", ".safetensors"):
        out = tmp_path / f"weights{suffix}"
        assert run("export", path, "-o", out).output == f"wrote {out}\n"
        module, _ = ready(name)
        before = next(iter(module.parameters())).flatten()[0].item()
        kept = {key: value.clone() for key, value in module.state_dict().items()}
        found = {key: torch.from_numpy(np.array(value)) for key, value in read_weights(out).items()}
        module.load_state_dict(found, strict=True)
        assert sum(int((value != kept[key]).sum()) for key, value in module.state_dict().items()) == 1
        assert next(iter(module.parameters())).flatten()[0].item() == 0.75 != before
        with torch.no_grad():
            assert_close(answer, module.eval()(example)[0].numpy())


def test_what_was_edited_is_in_the_model_and_in_the_spec(edited: Edited, tmp_path: Path) -> None:
    _, path, example = edited
    assert run("export", path, "-o", tmp_path / "net.onnx").exit_code == 0
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"input": example.numpy()})
    state = read(path)
    assert next(iter(state.tensors.values())).flat[0] == 0.75
    expected = state.network.forward(example.numpy().astype(float), state.tensors)[state.network.output.name]
    assert_close(answer, expected)
    assert run("export", path, "-o", tmp_path / "net.toml").exit_code == 0
    spec = parse((tmp_path / "net.toml").read_text(encoding="utf-8"))
    assert (spec.network, spec.lesson) == (state.network, state.lesson)


@pytest.mark.parametrize("edited", ["resnet8_w4"], indirect=True)
def test_what_is_there_stays_and_names_decide(edited: Edited, tmp_path: Path) -> None:
    _, path, _ = edited
    (tmp_path / "net.weights.npz").write_bytes(b"mine")
    answer = run("export", path, "-o", tmp_path / "net.py")
    assert answer.exit_code == 1 and f"{tmp_path / 'net.weights.npz'}" in answer.output
    assert [*tmp_path.iterdir()] == [tmp_path / "net.weights.npz"]
    answer = run("export", path, "-o", tmp_path / "net.h5")
    assert answer.exit_code == 1
    assert "the name of an export ends in one of '.onnx', '.npz', '.safetensors', '.toml', '.py'" in answer.output


@pytest.mark.parametrize("edited", ["resnet8_w4"], indirect=True)
def test_without_the_package_the_way_to_it_is_said(
    edited: Edited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("conv_sheet.models.onnx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    answer = run("export", edited[1], "-o", tmp_path / "net.onnx")
    assert answer.output == "Error: writing ONNX needs the package onnx: pip install 'conv-sheet[onnx]'\n"


def test_what_onnx_has_not_is_said_with_a_way_out(tmp_path: Path) -> None:
    pool = {"name": "pool", "kind": "AvgPool2d", "kernel_size": 3, "padding": 1, "stride": 2, "ceil_mode": True}
    network = Network.from_spec({"input": [1, 6, 6], "layers": [pool]})
    with pytest.raises(SpecError, match=r"^layer 'pool': .*: export the network as \.py, or its weights as \.npz$"):
        export(tmp_path / "net.onnx", network, replace(Lesson(), title="x"), {})
    assert not [*tmp_path.iterdir()]
