"""Settings of every test, and what a whole session makes only once."""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from filelock import FileLock
from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"
# Read when NumPy and PyTorch are imported. Tests run beside each other on all cores, and what they compute is small:
# more threads would mostly wait for each other, which costs as much as working.
os.environ["OMP_NUM_THREADS"] = "1"
# xlwings asks when it is first imported; its remote engine is there for noncommercial use, as these tests are.
os.environ["XLWINGS_LICENSE_KEY"] = "noncommercial"

pytest.register_assert_rewrite("tests.books")

# How long an example takes says nothing about whether it is right, and the first one pays for every import.
base = settings.get_profile("ci" if "CI" in os.environ else "default")
settings.register_profile("conv-sheet", base, deadline=None)
settings.load_profile("conv-sheet")

Once = Callable[[str, Callable[[Path], None]], Path]
"""Makes a file, by its name and a function that writes it, unless another test or process has made it already."""


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Files that take long to make, made once for all processes of a session; tests copy what they change."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)

    def make(name: str, write: Callable[[Path], None]) -> Path:
        path = folder / name
        with FileLock(f"{path}.lock"):
            if not path.exists():
                unfinished = folder / f"unfinished-{name}"
                write(unfinished)
                unfinished.rename(path)
        return path

    return make


PROGRAMS = {
    *("tests.oracles.libreoffice", "tests.oracles.gnumeric", "tests.oracles.validator", "tests.oracles.browser"),
    *("conv_sheet.office.libreoffice", "conv_sheet.office.uno_engine"),
}
"""Modules that run other programs."""


def asks_programs(module: ModuleType) -> bool:
    """Whether a module of tests imports a module that runs other programs, or something out of one."""
    return any(
        getattr(value, "__name__" if isinstance(value, ModuleType) else "__module__", None) in PROGRAMS
        for value in vars(module).values()
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs other programs, by module, so that it can be left out where they are not: -m "not programs"."""
    for item in items:
        module = getattr(item, "module", None)
        if module is not None and asks_programs(module):
            item.add_marker("programs")
