"""The command line, as a user types it."""

import json
import re
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import click
import numpy as np
import openpyxl
import pytest
import safetensors.torch
import torch
from click.testing import CliRunner, Result
from PIL import Image
from torch import nn

from conv_sheet import actions, lessons
from conv_sheet.cli import main
from conv_sheet.network.layout import plan
from conv_sheet.network.spec import from_tables, parse
from conv_sheet.network.weights import save as save_weights
from conv_sheet.opening import read
from conv_sheet.pictures.digits import digit
from conv_sheet.sheets import registry
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.change import patch_cells
from tests.network.specs import CONV, spec
from tests.networks import small, state_of, written
from tests.xlsx.test_opening import of_first_version


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def done(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str, code: int = 1) -> str:
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert re.fullmatch(r"Error: [^\n]+\n", result.stderr)
    return result.stderr


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """The name of a small spec."""
    (tmp_path / "mine.toml").write_text(small().to_toml(), encoding="utf-8")
    return "mine.toml"


def test_a_lesson_on_paper() -> None:
    done("build", "kernels", "--worksheet", "-o", "paper.xlsx")
    assert "Worksheet" in openpyxl.load_workbook("paper.xlsx", read_only=True).sheetnames
    done("check", "paper.xlsx")


def test_build_check_show_lessons() -> None:
    assert re.search(r"wrote fastai\.xlsm: the network says \d", done("build"))
    assert "agree with NumPy" in done("check", "fastai.xlsm")
    assert done("show", "fastai.xlsm") == done("show", "fastai")
    assert "288" in done("show", "fastai")
    assert "fastai" in done("lessons")


def test_the_table_for_programs(mine: str) -> None:
    shown = json.loads(done("show", mine, "--json"))
    assert [layer["name"] for layer in shown["layers"]] == ["input", *(node.name for node in small().nodes)]
    assert shown["layers"][-1]["shape"] == list(small().output.out_shape)


def test_classes_get_the_names_that_are_given(tmp_path: Path, mine: str) -> None:
    count = small().output.out_shape[0]
    names = [f"class {n}" for n in range(count)]
    (tmp_path / "names.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    done("build", mine, "--classes", "names.txt", "-o", "named.xlsx")
    assert read(tmp_path / "named.xlsx").network.classes == tuple(names)
    done("build", mine, "--classes", ", ".join(names), "-o", "named.xlsx", "--force")
    assert read(tmp_path / "named.xlsx").network.classes == tuple(names)
    many = [f"class {n}" for n in range(99)]  # too long a text for the name of a file
    assert "one output a class" in refused("build", mine, "--classes", ", ".join(many), "-o", "other.xlsx")
    assert "one output a class" in refused("build", mine, "--classes", "one", "-o", "other.xlsx")
    assert not (tmp_path / "other.xlsx").exists()


def test_an_existing_workbook_is_kept_unless_forced(tmp_path: Path, mine: str) -> None:
    (tmp_path / "mine.xlsm").write_bytes(b"mine")
    assert "--force" in refused("build", mine)
    assert (tmp_path / "mine.xlsm").read_bytes() == b"mine"
    done("build", mine, "--force")
    assert read(tmp_path / "mine.xlsm").network == small()


def test_check_lets_libreoffice_calculate(mine: str) -> None:
    done("build", mine)
    assert "agree with NumPy" in done("check", "mine.xlsm", "--recalculate")
    book = openpyxl.load_workbook("mine.xlsm")
    book["Network"][plan(small()).by_name["pool"].out.blocks[0].cell(1, 1)] = "=1/3"
    book.save("broken.xlsx")
    result = run("check", "broken.xlsx", "--recalculate")
    assert result.exit_code == 1
    assert re.search(r"^pool .*Network!", result.output, re.MULTILINE)


def test_a_spec_with_weights_and_an_exact_image(tmp_path: Path, mine: str) -> None:
    weights, image = small().initial(3), np.random.default_rng(0).random((2, 7, 6))
    save_weights(tmp_path / "w.npz", {k: v for k, v in weights.items() if k != "fc.bias"})
    np.save(tmp_path / "x.npy", image)
    done("build", mine, "--weights", "w.npz", "--image", "x.npy", "-o", "out.xlsx")
    state = read(tmp_path / "out.xlsx")
    np.testing.assert_array_equal(state.image, image)
    np.testing.assert_array_equal(state.tensors["conv1.weight"], weights["conv1.weight"])
    assert not state.tensors["fc.bias"].any()


def test_digit_and_seed_choose_picture_and_weights(tmp_path: Path) -> None:
    layers = [CONV | {"initial": {"weight": np.ones((2, 1, 3, 3)).tolist()}}, CONV | {"name": "conv2"}]
    (tmp_path / "mine.toml").write_text(from_tables(spec(*layers, shape=(1, 12, 12))).to_toml(), encoding="utf-8")
    done("build", "mine.toml", "--digit", "3", "--seed", "1", "-o", "a.xlsx")
    done("build", "mine.toml", "--digit", "3", "--seed", "2", "-o", "b.xlsx")
    one, two = read(tmp_path / "a.xlsx"), read(tmp_path / "b.xlsx")
    np.testing.assert_array_equal(one.image[0], digit(3, 12))
    assert (one.tensors["conv2.weight"] != two.tensors["conv2.weight"]).any()
    np.testing.assert_array_equal(one.tensors["conv1.weight"], two.tensors["conv1.weight"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["build", "nix"], "no lesson 'nix' and no such file;.*fastai"),
        (["build", "fastia"], r"no lesson 'fastia' .*\(did you mean 'fastai'\?\); the lessons are activations"),
        (["build", "cs231n", "--digit", "3"], "--digit 3: .*no digits, .*red circle.*Images.*--image"),
        (["build", "backprop", "--digit", "3"], "pictures are vertical, horizontal, cross: .*Images.*--image"),
        (["build", "-o", "a.docx"], r"ends in \.xlsm"),
        (["build", "-o", "no/where.xlsx"], "no folder no"),
        (["build", "--image", "none.png"], r"none\.png"),
        (["build", "--weights", "none.npz"], r"none\.npz"),
        (["check", "none.xlsx"], r"none\.xlsx"),
        (["show", "none.xlsx"], r"none\.xlsx"),
        (["show", "none"], "no lesson 'none'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], words: str) -> None:
    assert re.search(words, refused(*arguments))


def test_wrong_weights_list_both_sides(tmp_path: Path) -> None:
    save_weights(tmp_path / "w.npz", {"conv1.weight": np.zeros((4, 1, 5, 5))})
    message = refused("build", "--weights", "w.npz")
    assert "(4, 1, 5, 5)" in message
    assert "(2, 1, 3, 3)" in message


def test_weights_of_other_names_are_matched_and_said(tmp_path: Path, mine: str) -> None:
    given = small().initial(3)
    others = {name.replace("conv1", "net.0").replace("fc", "net.4"): value for name, value in given.items()}
    save_weights(tmp_path / "w.npz", others)
    said = done("build", mine, "--weights", "w.npz", "-o", "a.xlsx")
    assert "w.npz: weights are taken in their order: conv1 from net.0, fc from net.4\n" in said
    np.testing.assert_array_equal(read(tmp_path / "a.xlsx").tensors["fc.weight"], given["fc.weight"])


def test_map_says_what_names_and_shapes_do_not(tmp_path: Path) -> None:
    conv = {"kind": "Conv2d", "out_channels": 1, "kernel_size": 3, "bias": False}
    layers = [conv | {"name": "conv1"}, conv | {"name": "conv2"}]
    (tmp_path / "mine.toml").write_text(from_tables(spec(*layers)).to_toml(), encoding="utf-8")
    one, other = (torch.rand(1, 1, 3, 3, dtype=torch.float64) for _ in range(2))
    safetensors.torch.save_file({"a.weight": one, "b.weight": other}, tmp_path / "w.safetensors")
    command = ("build", "mine.toml", "-o", "a.xlsx")
    assert "'a', 'b' all fit layer 'conv1'" in refused(*command, "--weights", "w.safetensors")
    done(*command, "--map", "conv1=b", "--map", "conv2.weight=a.weight", "--weights", "w.safetensors")
    found = read(tmp_path / "a.xlsx").tensors
    np.testing.assert_array_equal(found["conv1.weight"], other.numpy())
    np.testing.assert_array_equal(found["conv2.weight"], one.numpy())
    assert "is not LAYER=NAME" in refused(*command, "--map", "conv1", "--weights", "w.safetensors", code=2)
    assert "twice" in refused(*command, "--map", "conv1=a", "--map", "conv1=b", code=2)
    assert "--weights" in refused(*command, "--map", "conv1=a", "--force", code=2)
    assert "has no 'c'" in refused(*command, "--map", "conv1=c", "--weights", "w.safetensors", "--force")


def test_a_new_spec_can_be_built_as_it_is(tmp_path: Path) -> None:
    assert "conv-sheet build mine.toml" in done("new", "mine.toml")
    done("build", "mine.toml", "-o", "mine.xlsx")
    assert read(tmp_path / "mine.xlsx").network.output.out_shape == (10,)
    (tmp_path / "mine.toml").write_text("mine", encoding="utf-8")
    assert "--force" in refused("new", "mine.toml")
    assert (tmp_path / "mine.toml").read_text(encoding="utf-8") == "mine"
    done("new", "mine.toml", "--force")
    assert "ends in .toml" in refused("new", "mine.txt")


def test_what_a_new_spec_has_in_comments_may_be_said(tmp_path: Path) -> None:
    done("new", "mine.toml")
    lines = (tmp_path / "mine.toml").read_text(encoding="utf-8").splitlines()
    said = [number for number, line in enumerate(lines) if re.match(r"# [a-z.]+ = ", line)]
    assert len(said) > 6
    for number in said:
        changed = [*lines[:number], lines[number].removeprefix("# "), *lines[number + 1 :]]
        made = parse("\n".join(changed))
        assert made != parse("\n".join(lines)) or "inputs" in lines[number]  # these are the same as they were
        registry.pages(lessons.first_state(made.network, made.lesson, made.network.initial(0)))


def test_a_picture_that_is_no_digit_is_remarked_where_digits_are_read(tmp_path: Path, mine: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    said = done("build", "fastai", "--image", "noise.png", "-o", "a.xlsx")
    assert re.search(r"^noise\.png: unlike the sample digits: 49 % of it is ink", said, re.MULTILINE)
    np.save("x.npy", np.ones((2, 7, 6)))
    assert "unlike" not in done("build", mine, "--image", "x.npy", "-o", "b.xlsx")


def archive_of_text() -> bytes:
    with zipfile.ZipFile(file := BytesIO(), "w") as archive:
        archive.writestr("conv1.weight", "1 2 3")
    return file.getvalue()


def one_array() -> bytes:
    np.save(file := BytesIO(), np.zeros(3))
    return file.getvalue()


@pytest.mark.parametrize("content", [b"", b"text", b"PK\3\4 cut", archive_of_text(), one_array(), one_array()[:20]])
@pytest.mark.parametrize("name", ["w.npz", "w.npy"])
def test_weights_that_are_no_archive_say_how_to_write_one(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    message = refused("build", "--weights", name)
    assert f"{name}: not an .npz file of named arrays" in message
    assert "numpy.savez(" in message
    assert not (tmp_path / "fastai.xlsm").exists()


def test_a_spec_with_images_for_classes_says_which_one_is_first(tmp_path: Path) -> None:
    layers = [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 2}]
    classes = ["vertical", "horizontal"]
    text = from_tables({"input": [1, 8, 8], "classes": classes, "sheets": ["images"], "layers": layers}).to_toml()
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    assert 'picture = "vertical"' in refused("build", "mine.toml")
    (tmp_path / "mine.toml").write_text(f'picture = "vertical"\n{text}', encoding="utf-8")
    done("build", "mine.toml")


def test_a_picture_without_anything_on_it_is_remarked(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(from_tables(spec(CONV)).to_toml(), encoding="utf-8")
    Image.new("RGB", (20, 20), "red").save(tmp_path / "red.png")
    assert "red.png: blank: all its pixels are alike\n" in done("build", "mine.toml", "--image", "red.png")


@pytest.mark.parametrize("name", ["red.jpg", "red.xlsx"])
@pytest.mark.parametrize("command", [["check"], ["check", "--recalculate"], ["recompute"]], ids=" ".join)
def test_what_is_no_workbook_is_told_so(tmp_path: Path, command: list[str], name: str) -> None:
    Image.new("RGB", (20, 20), "red").save(tmp_path / name, format="jpeg")
    said = refused(*command, name)
    assert said.startswith(f"Error: {name} is not an .xlsx or .xlsm workbook")


def test_random_kernels_need_kernels(tmp_path: Path) -> None:
    pool = {"kind": "MaxPool2d", "kernel_size": 2}
    (tmp_path / "mine.toml").write_text(from_tables(spec(pool)).to_toml(), encoding="utf-8")
    done("build", "mine.toml", "-o", "mine.xlsx")
    before = (tmp_path / "mine.xlsx").read_bytes()
    assert "the network has no weights" in refused("random-kernels", "mine.xlsx", "--seed", "3")
    assert (tmp_path / "mine.xlsx").read_bytes() == before


def test_the_buttons_from_a_terminal(tmp_path: Path, mine: str) -> None:
    done("build", mine, "--seed", "4")
    book, kernel = tmp_path / "mine.xlsm", "conv1.weight"
    own = read(book).tensors[kernel]
    assert "Drew random kernels with seed 3" in done("random-kernels", "mine.xlsm", "--seed", "3")
    drawn = read(book).tensors[kernel]
    assert (drawn != own).any()
    assert "agree with NumPy" in done("check", "mine.xlsm")
    assert "The lesson's own picture and weights are back" in done("reset", "mine.xlsm")
    np.testing.assert_array_equal(read(book).tensors[kernel], own)
    patch_cells(book, book, {"Network": {read(book).layout.input.blocks[0].position(1, 1): 0.125}})
    assert run("check", "mine.xlsm").exit_code == 1
    assert "Python calculated everything" in done("recompute", "mine.xlsm")
    assert "agree with NumPy" in done("check", "mine.xlsm")
    assert "Largest distance to the formulas" in done("recompute", "mine.xlsm", "--libreoffice")
    assert "agree with NumPy" in done("check", "mine.xlsm")
    assert "mine.xlsm" in done("doctor", "mine.xlsm")
    assert "not open in Excel" in refused("recompute", "mine.xlsm", "--live")
    assert "exclude" in refused("recompute", "mine.xlsm", "--live", "--libreoffice", code=2)
    assert "random_seed" in refused("random-kernels", "mine.xlsm", "--seed", "1", "--libreoffice", code=2)


def test_what_another_program_saves_while_a_button_calculates_is_not_lost(
    mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("build", mine, "-o", "mine.xlsx")
    done("build", mine, "--seed", "3", "-o", "other.xlsx")
    saved, calculated = Path("other.xlsx").read_bytes(), actions.recompute

    def slow(state: WorkbookState) -> WorkbookState:
        Path("mine.xlsx").write_bytes(saved)
        return calculated(state)

    monkeypatch.setattr(actions, "recompute", slow)
    assert "was changed by another program meanwhile" in refused("recompute", "mine.xlsx")
    assert Path("mine.xlsx").read_bytes() == saved


def test_every_command_but_show_and_build_says_that_a_workbook_is_of_the_first_version(
    tmp_path: Path, mine: str
) -> None:
    done("build", mine, "--backprop", "-o", "new.xlsx")
    old = of_first_version(tmp_path / "new.xlsx", tmp_path)
    before, remedy = old.read_bytes(), "conv-sheet build --from old-new.xlsx -o NEW.xlsx\n"
    for command in ("check", "recompute", "reset", "train-step", "random-kernels"):
        assert refused(command, "old-new.xlsx").endswith(remedy), command
    for command in ("recompute", "reset", "train-step"):
        assert refused(command, "old-new.xlsx", "--libreoffice").endswith(remedy), command
    assert refused("check", "old-new.xlsx", "--recalculate").endswith(remedy)
    told = run("doctor", "old-new.xlsx")
    assert told.exit_code == 1
    assert remedy in f"{told.stdout}\n"
    assert old.read_bytes() == before
    assert done("show", "old-new.xlsx") == done("show", "new.xlsx")
    done("build", "--from", "old-new.xlsx", "-o", "again.xlsx")
    one, other = read(tmp_path / "new.xlsx"), read(tmp_path / "again.xlsx")
    assert one.typed.keys() == other.typed.keys()
    for name, value in one.typed.items():
        np.testing.assert_array_equal(np.asarray(other.typed[name]), np.asarray(value), err_msg=name)
    assert "agree with NumPy" in done("check", "again.xlsx")


def test_the_doctor_stops_where_the_button_would(tmp_path: Path, mine: str) -> None:
    assert run("doctor").exit_code == 0
    done("build", mine)
    (tmp_path / "mine.xlsm").write_bytes((tmp_path / "mine.xlsm").read_bytes()[:9000])
    result = run("doctor", "mine.xlsm")
    assert result.exit_code == 1
    assert re.search(r"^stop +workbook", result.output, re.MULTILINE)
    refused("doctor", "--bind", code=2)


def test_options_that_exclude_each_other_are_usage_errors() -> None:
    assert "exclude" in refused("build", "--digit", "1", "--image", "x.png", code=2)
    assert "exclude" in refused("build", "--seed", "1", "--weights", "x.npz", code=2)
    refused("build", "--digit", "12", code=2)
    refused("biuld", code=2)


def commands(group: click.Group) -> list[tuple[str, click.Command]]:
    return list(group.commands.items())


@pytest.mark.parametrize(("name", "command"), commands(main))
def test_every_command_has_an_example_and_stands_in_the_readme(name: str, command: click.Command) -> None:
    assert f"conv-sheet {name}" in done(name, "--help")
    assert "Example" in (command.help or "")
    assert f"conv-sheet {name}" in (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_it_runs_as_a_module_and_tells_its_version() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "conv_sheet", "--version"], capture_output=True, text=True, check=True
    )
    assert re.match(r"conv-sheet, version \d", answer.stdout)
    assert done("-h") == done("--help")


def test_a_model_of_pytorch_is_a_workbook_with_its_weights() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)).double().eval()
    x = torch.rand(1, 1, 6, 6, dtype=torch.float64)
    torch.export.save(torch.export.export(module, (x,)), "mine.pt2")
    np.save("x.npy", x[0].numpy())
    done("build", "mine.pt2", "--image", "x.npy", "-o", "mine.xlsx")
    assert "agree with NumPy" in done("check", "mine.xlsx", "--recalculate")
    state = read(Path("mine.xlsx"))
    wanted = module(x)[0].detach().numpy()
    np.testing.assert_allclose(state.output.reshape(-1), wanted, atol=1e-6)


def test_a_model_that_cannot_be_read_says_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "mine.pth").write_bytes(b"PK")
    assert "torch.export" in refused("build", "mine.pth")
    assert "gone.onnx does not exist" in refused("build", "gone.onnx")


def test_a_file_in_the_wrong_place_is_told_with_the_way_out(tmp_path: Path) -> None:
    book = written(tmp_path, state_of(small()))
    built = CliRunner().invoke(main, ["build", str(book)])
    assert built.exit_code == 1
    assert f"conv-sheet build --from {book}" in built.output
    paged = CliRunner().invoke(main, ["web", str(book)])
    assert paged.exit_code == 1
    assert "is no folder" in paged.output
