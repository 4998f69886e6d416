"""Permitted edits of lessons, made in their pages and in LibreOffice: every formula of every sheet must agree.

From the repository, three seeds and all lessons: make web-sweep
"""

import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from conv_sheet import builder, lessons
from conv_sheet.cells.grid import column_letters, quote
from conv_sheet.sheets import registry
from conv_sheet.state import WorkbookState
from conv_sheet.web import page
from conv_sheet.web.data import data
from tests.lessons import state_of
from tests.oracles import browser, cells, libreoffice
from tests.sheets import agreement

EDITS = 44
TOLERANCE = 1e-9
_WIDEST, _CHOICES, _FORMULAS = 2.0, 10, 0.2
NINTH = "=1/9"
"""A formula that is typed into a page; LibreOffice gets the number."""
Edit = tuple[str, float | str]


@dataclass(frozen=True)
class Outcome:
    """A lesson after its edits: how many cells changed, how many formulas were compared, where the two disagree."""

    lesson: str
    cells: int
    formulas: int
    worst: float
    differences: list[str]


def sweep(names: Sequence[str], seed: int, folder: Path, edits: int = EDITS) -> list[Outcome]:
    """Edit some lessons in one browser and in one LibreOffice, and compare; what a page refuses is a difference."""
    states = {name: state_of(name) for name in names}
    drawn = {name: drawn_edits(state, name, seed, edits) for name, state in states.items()}
    for name, state in states.items():
        page.write(state, folder / f"{name}.html", name)
        builder.build(state, folder / f"{name}.xlsx")
    jobs = [{"file": str(folder / f"{name}.html"), "edits": drawn[name]} for name in names]
    browser.play("sweeps", jobs=jobs, out=str(folder / "answers.json"))
    answers = dict(zip(names, json.loads((folder / "answers.json").read_text()), strict=True))
    changed = []
    for name in names:
        made = {
            f"{quote(t)}!{column_letters(c)}{r}": 1 / 9 if value == NINTH else value
            for t, r, c, value in answers[name]["edits"]
        }
        (folder / "changed").mkdir(exist_ok=True)
        changed.append(agreement.put(folder / f"{name}.xlsx", folder / "changed" / f"{name}.xlsx", made))
    recalculated = libreoffice.recalculate(changed, folder / "recalculated")
    return [compared(name, answers[name], path) for name, path in zip(names, recalculated, strict=True)]


def drawn_edits(state: WorkbookState, name: str, seed: int, count: int) -> list[Edit]:
    """Edits that the rules of the sheets allow, as many for a setting as for a whole picture."""
    chance = random.Random(f"{name} {seed}")
    known = list(rules(state, name))
    return [drawn_edit(*chance.choice(known), state, chance) for _ in range(count)]


def rules(state: WorkbookState, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What may be typed on the sheets that are seen, each with the title of its sheet."""
    for sheet in data(state, name)["sheets"]:
        if not sheet.get("hidden"):
            yield from ((sheet["title"], rule) for rule in sheet.get("validations", ()))


def drawn_edit(title: str, rule: dict[str, Any], state: WorkbookState, chance: random.Random) -> Edit:
    """An edit that a rule allows."""
    row, column, height, width, *steps = chance.choice(rule["blocks"])
    down, right = steps or (1, 1)
    at = row + chance.randrange(height) * down, column + chance.randrange(width) * right
    return f"{quote(title)}!{column_letters(at[1])}{at[0]}", _value(rule, state, chance)


def _value(rule: dict[str, Any], state: WorkbookState, chance: random.Random) -> float | str:
    choices = rule.get("choices")
    if isinstance(choices, str):
        item = next(item for item in registry.inputs_of(state) if item.name == rule["title"])
        choices = [str(choice) for choice in item.limits.choices]
    if choices:
        chosen = chance.choice(choices)
        return float(chosen) if chosen.isdigit() and not isinstance(rule["choices"], str) else chosen
    low, high = rule["low"], rule["high"]
    if rule.get("whole"):
        return chance.randint(int(low), int(min(high, low + _CHOICES)))
    if chance.random() < _FORMULAS and not rule.get("draw"):
        return NINTH
    return round(chance.uniform(max(low, -_WIDEST), min(high, _WIDEST)), 2)


def compared(name: str, answer: dict[str, Any], path: Path) -> Outcome:
    """What a page shows beside what LibreOffice has calculated."""
    count, worst = 0, 0.0
    differences = [f"refused: {refused}" for refused in answer["refused"]] + answer["complaints"]
    for title, values in answer["values"].items():
        calculated = cells.values(path, title)
        for row, column, shown in values:
            count += 1
            wanted = calculated.get(f"{column_letters(column)}{row}")
            apart = distance(shown, wanted)
            if apart > TOLERANCE:
                where = f"{title}!{column_letters(column)}{row}"
                differences.append(f"{where} shows {shown!r}, LibreOffice has {wanted!r}")
            else:
                worst = max(worst, apart)
    return Outcome(name, len(answer["edits"]), count, worst, differences)


def distance(shown: object, wanted: object) -> float:
    """How far two values are apart, relative to numbers above 1; infinite where they are of different kinds."""
    numbers = [float(v) for v in (shown, wanted) if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == 2 and all(map(isfinite, numbers)):
        return abs(numbers[0] - numbers[1]) / max(1.0, abs(numbers[1]))
    same = shown == wanted and isinstance(shown, bool) == isinstance(wanted, bool)
    return 0.0 if same or (shown == "" and wanted is None) else float("inf")


def main(seeds: Sequence[int] = (1, 2, 3)) -> int:
    """Sweep all lessons; the exit status says whether all agree."""
    import tempfile

    wrong = 0
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            for outcome in sweep(lessons.names(), seed, Path(folder)):
                wrong += len(outcome.differences)
                size = f"{outcome.cells:>2} cells changed, {outcome.formulas:>7,} formulas"
                line = f"seed {seed} {outcome.lesson:<16} {EDITS} edits, {size}"
                sys.stdout.write(f"{line}, worst {outcome.worst:.1e}, {len(outcome.differences)} differences\n")
                sys.stdout.writelines(f"    {line}\n" for line in outcome.differences[:5])
                sys.stdout.flush()
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main([int(seed) for seed in sys.argv[1:]] or (1, 2, 3)))
