"""Prints the rooms of the package, what each imports of the others, and how large the modules are: make structure."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "conv_sheet"
ROOMS = (
    *("__main__", "terminal", "cli", "recompute", "office", "web", "lessons", "checks", "opening", "builder"),
    *("estimate", "engine"),
    *("actions", "sheets", "xlsx", "state", "learning", "models", "network", "layers", "cells", "ops", "pictures"),
    *("zips", "files", "errors"),
)
"""The rooms, from the terminal down: arrows point down this list only."""
LONGEST = 400
"""Lines of a module from which on it is asked whether it is two."""


def imports(source: str) -> Iterator[str]:
    """Modules that a source imports; for `from conv_sheet import engine` also `conv_sheet.engine`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """The modules of a package by their full names."""
    return {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in package.rglob("*.py")
    }


def room(module: str) -> str:
    """The room in which a module stands; the package itself is the public face of all, and none of them."""
    return [*module.split("."), ""][1]


def arrows(found: Mapping[str, Path]) -> set[tuple[str, str]]:
    """Which room imports which, the public face left out."""
    pairs = {
        (room(name), room(target))
        for name, path in found.items()
        for target in imports(path.read_text(encoding="utf-8"))
        if target.split(".")[0] == "conv_sheet" and target in found
    }
    return {(one, other) for one, other in pairs if one and other and one != other}


def upwards(pairs: set[tuple[str, str]]) -> list[str]:
    """Arrows that point up the list of rooms, and rooms that are not on it."""
    order = {name: place for place, name in enumerate(ROOMS)}
    unknown = {name for pair in pairs for name in pair} - set(order)
    wrong = [pair for pair in pairs if not unknown & set(pair) and order[pair[0]] > order[pair[1]]]
    return sorted([f"{one} → {other}" for one, other in wrong] + [f"{name} is no room" for name in unknown])


def lines(path: Path) -> int:
    """Lines of a file."""
    return len(path.read_text(encoding="utf-8").splitlines())


if __name__ == "__main__":
    found = modules()
    pairs = arrows(found)
    for name in ROOMS:
        sizes = [lines(path) for module, path in found.items() if room(module) == name]
        if sizes:
            targets = ", ".join(sorted((other for one, other in pairs if one == name), key=str))
            print(f"{name:<10} {sum(sizes):>6,} lines in {len(sizes):>2} modules → {targets}")
    long = {module: lines(path) for module, path in found.items() if lines(path) > LONGEST}
    print(f"{len({room(module) for module in found} - {''})} rooms, {len(pairs)} arrows, {len(upwards(pairs))} upwards")
    print(f"{sum(map(lines, found.values())):,} lines; longer than {LONGEST}: {long or 'none'}")
    print(*upwards(pairs), sep="\n")
