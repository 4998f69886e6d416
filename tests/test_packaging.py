"""What is installed from a wheel is what a checkout has."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import conv_sheet
from conv_sheet.checks import check
from scripts import dist

ROOT = Path(__file__).resolve().parents[1]


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(ROOT)], check=True)
    with zipfile.ZipFile(folder / f"conv_sheet-{conv_sheet.__version__}-py3-none-any.whl") as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_wheel_has_every_module_and_every_lesson(wheel: Path) -> None:
    modules = files(ROOT / "conv_sheet")
    lessons = {f"templates/{name}": content for name, content in files(ROOT / "templates").items()}
    assert lessons
    assert "py.typed" in modules
    assert files(wheel / "conv_sheet") == modules | lessons


def test_the_wheel_installs_the_command_and_nothing_beside_the_package(wheel: Path) -> None:
    metadata = wheel / f"conv_sheet-{conv_sheet.__version__}.dist-info"
    assert set(wheel.iterdir()) == {wheel / "conv_sheet", metadata}
    assert "conv-sheet = conv_sheet.terminal:main" in (metadata / "entry_points.txt").read_text()
    assert (metadata / "licenses" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_what_pypi_shows_leads_to_nothing_beside_it(wheel: Path) -> None:
    """There are no files there: pictures and links are whole addresses, or were left out."""
    metadata = wheel / f"conv_sheet-{conv_sheet.__version__}.dist-info" / "METADATA"
    shown = metadata.read_text(encoding="utf-8").partition("\n\n")[2]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = r"\]\((?!https?:)[^)]*\)"
    assert re.search(targets, readme)
    assert re.findall(targets, shown) == []
    assert "![" not in shown
    for heading in re.findall("^## .*$", readme, re.MULTILINE):
        assert heading in shown


def test_pre_commit_has_the_ruff_of_this_project() -> None:
    pinned = re.findall(r"ruff==[\d.]+", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    hooks = re.findall(r"ruff==[\d.]+", (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert hooks
    assert set(hooks) == set(pinned)


def test_every_dependency_has_a_lower_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [needed for group in project["optional-dependencies"].values() for needed in group]
    oldest = dist.lower_bounds(project["dependencies"] + extras)
    assert len(oldest) == len(project["dependencies"]) + len(extras)
    with pytest.raises(SystemExit, match="no lower bound in"):
        dist.lower_bounds(["numpy<3"])


def test_workflows_try_every_python_that_is_promised() -> None:
    """The targets of make that they name are there, too."""
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
    versions = {name.rpartition(" ")[2] for name in classifiers if re.search(r":: 3\.\d+$", name)}
    matrices = re.findall(r"python: \[(.*)\]", text)
    assert len(matrices) == 2
    assert all(set(re.findall(r"[\d.]+", matrix)) == versions for matrix in matrices)
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"run: make (\w+)", text)) <= targets


def test_the_wheel_builds_its_lesson_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(wheel)}
    where = [sys.executable, "-c", "import conv_sheet; print(conv_sheet.__file__)"]
    used = subprocess.run(where, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment).stdout
    assert Path(used.strip()).is_relative_to(wheel)
    command = [sys.executable, "-m", "conv_sheet", "build"]
    subprocess.run(command, capture_output=True, check=True, cwd=tmp_path, env=environment)
    assert check(tmp_path / "fastai.xlsm").ok
