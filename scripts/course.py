"""Writes docs/lessons.md, a course: the lessons in order, a class of 45 minutes each, where topics of others are."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from conv_sheet import lessons
from conv_sheet.network.layout import plan_for
from conv_sheet.network.lesson import Lesson, Try
from conv_sheet.sheets import registry

PAGE = Path(__file__).resolve().parents[1] / "docs/lessons.md"
_SOURCE = Path(__file__).with_suffix(".toml")
_HEAD = """\
# A course of {count} lessons

Each lesson is a workbook from one command, and a class of 45 minutes. A class opens with a question and a few
sentences; then two learners at a computer go through what the sheet `Start` proposes. They predict before they type,
and unfold the answers after it. What they find is said of a workbook as it was built: Reset, or a new copy, before each
try. The workbooks lie ready to download in [workbooks/](../workbooks). For whoever comes from fast.ai, CS231n or the
PyTorch tutorials, tables at the end say [where it is here](#where-is-it-here).

The text is made by `make tables`, the pictures are made by `make pictures`.

| | lesson | what a learner can answer behind it | sheet | leans on |
|---|---|---|---|---|"""
_ELSEWHERE = """\
## Where is it here?

Topics of other courses, and the lesson and the sheet that show them.
"""


@dataclass(frozen=True)
class Plan:
    """A class: `minutes` are those of `ask`, of `say`, of each try of the lesson and of `end`.

    `found` says, by the cells of a try, what is found in those whose lesson has no answer to them.
    """

    leans_on: list[str]
    ask: str
    say: str
    end: str
    minutes: list[int]
    found: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Elsewhere:
    """Topics of another course, each with a lesson and its sheet, or with a page of docs/."""

    course: str
    rows: list[list[str]]


def plans() -> dict[str, Plan]:
    """The plan of each lesson, by name."""
    return {name: Plan(**says) for name, says in tomllib.loads(_SOURCE.read_text(encoding="utf-8"))["plan"].items()}


def elsewhere() -> list[Elsewhere]:
    """The courses that learners come from."""
    return [Elsewhere(**says) for says in tomllib.loads(_SOURCE.read_text(encoding="utf-8"))["where"]]


def sheets(name: str) -> list[str]:
    """Titles of the visible sheets of a lesson's workbook."""
    source = lessons.load(name)
    layout = plan_for(source.network, source.lesson)
    return [sheet.title for sheet in registry.sheets(layout, source.lesson)]


def own_sheet(name: str) -> str:
    """Title of the sheet that a lesson is about: the first behind `Start`."""
    return sheets(name)[1]


def text() -> str:
    """docs/lessons.md."""
    known = {name: lessons.load(name).lesson for name in lessons.order()}
    titles = {name: f"{number}. {lesson.title}" for number, (name, lesson) in enumerate(known.items(), 1)}
    links = {name: f"[`{name}`](#{_anchor(title)})" for name, title in titles.items()}
    planned = plans()
    lines = [_HEAD.format(count=len(known))]
    for number, (name, lesson) in enumerate(known.items(), 1):
        before = _list(links, planned[name])
        lines.append(f"| {number} | {links[name]} | {lesson.question} | `{own_sheet(name)}` | {before} |")
    lines.append("")
    for name, lesson in known.items():
        lines += [f"## {titles[name]}\n", *_section(name, lesson, planned[name], _list(links, planned[name]))]
    return "\n".join([*lines, _ELSEWHERE, *(line for one in elsewhere() for line in _table(links, one))])


def _anchor(title: str) -> str:
    """What a heading is called in a link."""
    return re.sub(r"[^\w\s-]", "", title.lower()).replace(" ", "-")


def _list(links: Mapping[str, str], made: Plan) -> str:
    return ", ".join(links[name] for name in made.leans_on) or "nothing"


def _section(name: str, lesson: Lesson, made: Plan, before: str) -> Iterator[str]:
    """A lesson: what it is, and the table of a class."""
    yield f"{lesson.description} It leans on {before}.\n"
    yield f"```sh\nconv-sheet build {name}\n```\n"
    yield f"![The sheet {own_sheet(name)} of the lesson {name}](pictures/{name}.png)\n"
    tries = [_try(number, item, made.found) for number, item in enumerate(lesson.tries, 1)]
    parts = [f"**Ask.** {made.ask}", f"**Say.** {made.say}", *tries, f"**End.** {made.end}"]
    yield "| minutes | |\n|---|---|"
    yield from (f"| {minutes} | {part} |" for minutes, part in zip(made.minutes, parts, strict=True))
    yield ""


def _try(number: int, item: Try, found: Mapping[str, str]) -> str:
    """What they do, predict and find."""
    choices = f" ({' / '.join(item.choices)})" if item.choices else ""
    predict = f"<br>*They predict:* {item.ask}{choices}" if item.ask else ""
    return f"**Try {number}.** {item.text} (`{item.at}`){predict}<br>*They find:* {item.answer or found[item.at]}"


def _table(links: Mapping[str, str], other: Elsewhere) -> Iterator[str]:
    yield f"### {other.course}\n"
    yield "| topic | lesson | sheet |\n|---|---|---|"
    for topic, name, *sheet in other.rows:
        yield f"| {topic} | {links[name]} | `{sheet[0]}` |" if sheet else f"| {topic} | [{name}]({name}) | |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
