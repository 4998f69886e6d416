"""What is installed from a wheel is what a checkout has."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import conv_sheet
from conv_sheet.checks import check
from conv_sheet.xlsx.reader import read

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
    assert "conv-sheet = conv_sheet.cli:main" in (metadata / "entry_points.txt").read_text()
    assert (metadata / "licenses" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_builds_its_lesson_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(wheel)}
    where = [sys.executable, "-c", "import conv_sheet; print(conv_sheet.__file__)"]
    used = subprocess.run(where, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment).stdout
    assert Path(used.strip()).is_relative_to(wheel)
    command = [sys.executable, "-m", "conv_sheet", "build"]
    subprocess.run(command, capture_output=True, check=True, cwd=tmp_path, env=environment)
    assert check(read(tmp_path / "fastai.xlsm")).ok
