"""Arrows between modules point one way."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "conv_sheet"
PURE = ("engine.py", "ops/*.py", "cells/grid.py", "cells/formula.py", "network/*.py", "layers/*.py")
OUTSIDE = {"openpyxl", "xlwings", "click", "PIL", "pyopenvba"}


def imports(source: str) -> Iterator[str]:
    """Modules that a source imports, `conv_sheet.engine` for `from conv_sheet import engine` too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offenders(source: str, banned: set[str]) -> set[str]:
    return {name for name in imports(source) if name.split(".")[0] in banned}


@pytest.mark.parametrize("path", [p for pattern in PURE for p in PACKAGE.glob(pattern)], ids=lambda p: p.name)
def test_numbers_and_layout_know_nothing_of_files_and_programs(path: Path) -> None:
    assert offenders(path.read_text(), OUTSIDE) == set()


@pytest.mark.parametrize("path", [PACKAGE / "engine.py", *PACKAGE.glob("ops/*.py")], ids=lambda p: p.name)
def test_the_arithmetic_stands_alone(path: Path) -> None:
    ours = {name for name in imports(path.read_text()) if name.startswith("conv_sheet")}
    assert {name.split(".")[1] for name in ours if "." in name} <= {"errors", "ops"}


def test_click_is_the_command_lines_alone() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.name != "cli.py":
            assert offenders(path.read_text(), {"click"}) == set(), path.name


def test_build_does_not_pay_for_xlwings(tmp_path: Path) -> None:
    run = (
        "import sys; from conv_sheet.cli import main; main(['build', '-o', 'a.xlsx'], standalone_mode=False);"
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", run]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert (tmp_path / "a.xlsx").exists()
    assert "openpyxl" in answer.split()
    assert not {"xlwings", "matplotlib", "pyopenvba"} & set(answer.split())


def test_no_module_imports_itself_in_a_circle() -> None:
    modules = {
        ".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): p
        for p in PACKAGE.rglob("*.py")
    }
    arrows = {
        name: {m for m in imports(path.read_text()) if m in modules and m != name} for name, path in modules.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail, name))
        if name not in done:
            for target in arrows[name]:
                if not name.startswith(f"{target}."):
                    visit(target, (*trail, name))
            done.add(name)

    for name in modules:
        visit(name, ())


def test_these_tests_can_fail() -> None:
    assert offenders("from conv_sheet import grid\nimport openpyxl.styles", OUTSIDE) == {"openpyxl.styles"}
    assert offenders("def f():\n    from xlwings import Book", OUTSIDE) == {"xlwings", "xlwings.Book"}
    assert "conv_sheet.network.layout" in set(imports("from conv_sheet.network import layout"))
