"""Arrows between rooms point one way, and nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.structure import LONGEST, arrows, imports, lines, modules, room, upwards

MODULES = modules()
PURE = ("ops", "layers", "network", "learning", "cells", "state")
"""Rooms that know nothing of files in Excel's format and of programs."""
OUTSIDE = {"openpyxl", "xlwings", "click", "pyopenvba"}


def offenders(source: str, banned: set[str]) -> set[str]:
    return {name for name in imports(source) if name.split(".")[0] in banned}


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) in PURE])
def test_numbers_and_layout_know_nothing_of_files_and_programs(module: str) -> None:
    source = MODULES[module].read_text(encoding="utf-8")
    assert offenders(source, OUTSIDE) == set()
    assert not {name for name in imports(source) if name.startswith(("conv_sheet.sheets", "conv_sheet.xlsx"))}


def test_arrows_between_rooms_point_down() -> None:
    assert upwards(arrows(MODULES)) == []


def test_click_is_the_command_lines_alone() -> None:
    for name, path in MODULES.items():
        if room(name) != "cli":
            assert offenders(path.read_text(encoding="utf-8"), {"click"}) == set(), name


def test_openpyxl_is_only_an_oracle() -> None:
    for name, path in MODULES.items():
        assert offenders(path.read_text(encoding="utf-8"), {"openpyxl"}) == set(), name


def test_no_module_imports_itself_in_a_circle() -> None:
    targets = {
        name: {m for m in imports(path.read_text(encoding="utf-8")) if m in MODULES and m not in (name, "conv_sheet")}
        for name, path in MODULES.items()
        if name != "conv_sheet"
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail, name))
        if name not in done:
            for target in targets[name]:
                if not name.startswith(f"{target}."):
                    visit(target, (*trail, name))
            done.add(name)

    for name in targets:
        visit(name, ())


def pairs(source: str) -> list[int]:
    """Lines in which a value and its formula are passed one beside the other, and not built by one expression."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [call.lineno for call in calls if getattr(call.func, "id", getattr(call.func, "attr", "")) == "Expr"]


def test_sheets_say_a_value_and_its_formula_once() -> None:
    found = {name: pairs(path.read_text(encoding="utf-8")) for name, path in MODULES.items() if room(name) == "sheets"}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_modules_are_short() -> None:
    assert {name: lines(path) for name, path in MODULES.items() if lines(path) > LONGEST} == {}


def loaded(code: str, folder: Path) -> set[str]:
    """Modules that are loaded after some code has run."""
    command = [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    return set(answer.stdout.split())


def test_help_does_not_pay_for_numpy(tmp_path: Path) -> None:
    code = "from conv_sheet.cli import main; main(['--help'], standalone_mode=False)"
    assert not {"numpy", "openpyxl", "PIL", "xlwings"} & loaded(code, tmp_path)


def completed(line: str, folder: Path) -> list[str]:
    """What a shell is offered for a line, and then what Python has loaded for it."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    code = (
        f"import os; os.environ.update({words | {'_CONV_SHEET_COMPLETE': 'bash_complete'}!r})\n"
        "from conv_sheet.cli import main\n"
        "try: main(prog_name='conv-sheet')\n"
        "except SystemExit: pass"
    )
    command = [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout.splitlines()


@pytest.mark.parametrize("command", ["build", "show", "train", "evaluate"])
def test_shells_complete_lessons_without_numpy(command: str, tmp_path: Path) -> None:
    *offered, found = completed(f"conv-sheet {command} bac", tmp_path)
    assert offered == ["plain,backprop", "file,bac"]
    assert not {"numpy", "openpyxl", "PIL"} & set(found.split())


def test_the_public_api_costs_nothing_until_it_is_used(tmp_path: Path) -> None:
    assert "numpy" not in loaded("import conv_sheet", tmp_path)


def test_training_loads_no_sheets(tmp_path: Path) -> None:
    assert not [name for name in loaded("import conv_sheet.learning.train", tmp_path) if "sheets" in name]


def test_build_pays_for_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    code = "from conv_sheet.cli import main; main(['build', '-o', 'a.xlsx'], standalone_mode=False)"
    found = loaded(code, tmp_path)
    assert (tmp_path / "a.xlsx").exists()
    assert "numpy" in found
    assert not {"xlwings", "matplotlib", "pyopenvba", "olefile", "torch", "openpyxl", "PIL"} & found
    assert not {"ssl", "urllib.request", "numpy.random"} & found


def test_these_tests_can_fail(tmp_path: Path) -> None:
    assert offenders("from conv_sheet.cells import grid\nimport openpyxl.styles", OUTSIDE) == {"openpyxl.styles"}
    assert pairs('def f(sheet):\n    sheet.put(1, 1, Expr(2, "A1+1"), LOOK)') == [2]
    assert pairs('def f(sheet):\n    sheet.put(1, 1, expr.Expr(2, "A1+1"), LOOK)') == [2]
    assert offenders("def f():\n    from xlwings import Book", OUTSIDE) == {"xlwings", "xlwings.Book"}
    package = tmp_path / "conv_sheet"
    (package / "ops").mkdir(parents=True)
    (package / "sheets").mkdir()
    (package / "ops" / "conv.py").write_text("from conv_sheet.sheets import start")
    (package / "sheets" / "start.py").write_text("from conv_sheet.ops import conv")
    found = modules(package)
    assert upwards(arrows({"conv_sheet.sheets": package / "sheets/start.py", **found})) == ["ops → sheets"]
