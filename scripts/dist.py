"""Builds sdist and wheel into dist/, and tries the wheel with the oldest and the newest dependencies: make dist."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
COMMANDS = (
    ("conv-sheet", "--version"),
    ("conv-sheet", "lessons"),
    ("conv-sheet", "build"),
    ("conv-sheet", "check", "fastai.xlsm"),
    ("conv-sheet", "build", "--image", "digit.png", "-o", "mine.xlsx"),
    ("conv-sheet", "recompute", "mine.xlsx"),
    ("conv-sheet", "check", "mine.xlsx"),
)
"""What a user might do first, in an empty folder with a picture."""


def lower_bounds(requirements: Sequence[str]) -> list[str]:
    """Constraints that let pip install only the oldest version that each requirement allows.

    >>> lower_bounds(["click>=8.1,<9", "numpy>=1.26"])
    ['click==8.1', 'numpy==1.26']
    """
    found = [re.match(r"([\w.-]+)>=([\w.]+)", requirement) for requirement in requirements]
    missing = [requirement for requirement, match in zip(requirements, found, strict=True) if match is None]
    if missing:
        raise SystemExit(f"pyproject.toml: no lower bound in {missing}")
    return [f"{match[1]}=={match[2]}" for match in found if match]


def build() -> Path:
    """The wheel, built from the sdist, so that the sdist is known to be complete."""
    shutil.rmtree(DIST, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(DIST)], check=True, cwd=ROOT)
    (sdist,) = DIST.glob("*.tar.gz")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(DIST)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(sdist)], check=True)
    (wheel,) = DIST.glob("*.whl")
    return wheel


def smoke(wheel: Path, constraints: Sequence[str]) -> None:
    """Install a wheel into a fresh environment, with constraints, and run it. NumPy and Pillow come as wheels only."""
    with tempfile.TemporaryDirectory() as folder:
        programs = Path(folder, "venv", "Scripts" if os.name == "nt" else "bin")
        venv.create(programs.parent, with_pip=True)
        limits = Path(folder, "constraints.txt")
        limits.write_text("\n".join(constraints), encoding="utf-8")
        pip = [str(programs / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        install = ["install", "--only-binary", "numpy,pillow", "--constraint", str(limits), str(wheel)]
        subprocess.run([*pip, *install], check=True)
        subprocess.run([*pip, "check"], check=True)
        subprocess.run([*pip[:-1], "list", "--format=freeze"], check=True)
        work = Path(folder, "work")
        work.mkdir()
        draw = "from PIL import Image; Image.radial_gradient('L').resize((28, 28)).save('digit.png')"
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        for command in (("python", "-c", draw), *COMMANDS):
            print("$", *command, flush=True)
            subprocess.run([str(programs / command[0]), *command[1:]], check=True, cwd=work, env=environment)


def main() -> None:
    """Build and try."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wheel = build()
    for name, constraints in (("newest", []), ("oldest", lower_bounds(project["dependencies"]))):
        print(f"with the {name} dependencies:", flush=True)
        smoke(wheel, constraints)
    print(*(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes" for path in sorted(DIST.iterdir())), sep="\n")


if __name__ == "__main__":
    main()
