"""Writes the tables of the documentation that follow from lessons and code: in README.md, and docs/layers.md."""

from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from conv_sheet import lessons
from conv_sheet.layers import KINDS, Layer

_ROOT = Path(__file__).resolve().parents[1]
README, LAYERS = _ROOT / "README.md", _ROOT / "docs/layers.md"
_BEGIN, _END = "<!-- lessons: make generated -->", "<!-- end of lessons -->"
_HEAD = """# Kinds of layers

What `kind` may be in a spec, and the options of each; those without `=` have to be given. Both are named as in
`torch.nn`. What PyTorch prints besides, such as `in_channels`, may stand there too, where it agrees. Signals (C, L) are
maps of one row, (C, 1, L).

`normalize = {mean = [0.1307], std = [0.3081]}` at the top of a spec puts a `Normalize` between the picture and all that
read it; `normalize = {range = [-1, 1]}` says what 0 … 1 becomes.

This page is made by `scripts/tables.py`.
"""


def with_table(text: str) -> str:
    """A text with the table of lessons in its place."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = [f"| `{name}` | {lessons.load(name).lesson.question} |" for name in lessons.order()]
    table = "\n".join(["| `conv-sheet build` … | the question |", "|---|---|", *rows])
    return f"{before}{_BEGIN}\n{table}\n{_END}{after}"


def kinds() -> str:
    """The page `docs/layers.md`."""
    rows = [f"| `{name}` | {_what(kind)} | {_options(kind)} |" for name, kind in KINDS.items()]
    return "\n".join([_HEAD, "| kind | what it does | options |", "|---|---|---|", *rows]) + "\n"


def _what(kind: type[Layer]) -> str:
    """The first line of the docstring."""
    return (kind.__doc__ or "").partition("\n")[0]


def _options(kind: type[Layer]) -> str:
    return ", ".join(f"`{_option(option)}`" for option in fields(kind))


def _option(option: Field[Any]) -> str:
    """An option with its default as TOML has it."""
    if option.default is MISSING:
        return option.name
    default = "…" if option.default is None else repr(option.default).replace("'", '"')
    return f"{option.name} = {default.lower()}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
    LAYERS.write_text(kinds(), encoding="utf-8")
