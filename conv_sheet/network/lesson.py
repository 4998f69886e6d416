"""What a workbook says and shows beside its network: a title, sentences, things to try, sheets, the first picture."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from conv_sheet.cells.words import Words
from conv_sheet.errors import SpecError
from conv_sheet.ops.losses import LOSSES

KEYS = ("title", "question", "description", "picture", "loss", "backprop", "sheets", "answer", "weights",
        "source_names", "try")  # fmt: skip
"""What of a spec is the lesson's."""


@dataclass(frozen=True)
class Try:
    """Something for the learner to try, and the defined name of the cells where it happens.

    A try is predicted, done, seen and checked: `ask` with `choices` is what to predict; `do` what to put into which
    cells; `see` where the result is read; `check` a formula that is true when it has been done, `then` one that is true
    of what happens; `answer` what it shows. `browser` is the text in a browser, where it has other words.
    """

    text: str
    at: str
    browser: str = ""
    ask: str = ""
    choices: tuple[str, ...] = ()
    do: Mapping[str, float | str] = field(default_factory=dict)
    see: str = ""
    check: str = ""
    then: str = ""
    answer: str = ""

    @property
    def words(self) -> str:
        """The text, with the words of a browser where it has others there."""
        return Words(self.text, self.browser) if self.browser else self.text

    def spec(self) -> dict[str, Any]:
        """The try as a spec says it; what is empty is left out."""
        says = {one.name: getattr(self, one.name) for one in fields(self)}
        plain = says | {"choices": list(self.choices), "do": dict(self.do)}
        return {key: value for key, value in plain.items() if value}


@dataclass(frozen=True)
class Lesson:
    """Everything that a workbook shows beside its network.

    >>> lesson = Lesson.from_spec({"title": "Edges", "try": [{"text": "Turn the kernel.", "at": "conv1_weight"}]})
    >>> [(item.text, item.at) for item in lesson.tries]
    [('Turn the kernel.', 'conv1_weight')]
    """

    title: str = "A convolutional network"
    question: str = ""
    """What a learner should be able to answer behind it."""
    description: str = ""
    tries: tuple[Try, ...] = ()
    sheets: tuple[str, ...] = ()
    """Names of the sheets that a workbook has beside those of every network (see `registry`)."""
    picture: str = ""
    """Name of what the input shows at first (see `drawings`); empty for a digit."""
    loss: str = ""
    """What `train` and the sheet `Backprop` make small, one of `LOSSES`; empty for that which suits the network."""
    backprop: bool = False
    """Whether a workbook shows how the network learns, too."""
    answer: str = ""
    """Defined name of the cells that a page in a browser keeps in sight, where the network names no classes."""
    weights: str = ""
    """Name of the lesson whose trained weights it begins with; empty where it has its own, or none."""
    source_names: Mapping[str, str] = field(default_factory=dict)
    """What tensors are called in the model that the network was read from, where that is something else."""

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> "Lesson":
        """The lesson of a spec as nested dicts and lists; what the spec says of its network is left alone."""
        backprop = spec.get("backprop", False)
        if not isinstance(backprop, bool):
            raise SpecError(f"backprop = {backprop!r} is neither true nor false")
        loss = _text("loss", spec.get("loss", ""))
        if loss and loss not in LOSSES:
            raise SpecError(f"there is no loss {loss!r}: take one of {', '.join(LOSSES)}")
        return cls(
            title=_text("title", spec.get("title", cls.title)),
            question=_text("question", spec.get("question", "")),
            description=_text("description", spec.get("description", "")),
            tries=_tries(spec.get("try", [])),
            sheets=texts("sheets", spec.get("sheets", [])),
            picture=_text("picture", spec.get("picture", "")),
            loss=loss,
            backprop=backprop,
            answer=_text("answer", spec.get("answer", "")),
            weights=_text("weights", spec.get("weights", "")),
            source_names=_source_names(spec.get("source_names", {})),
        )

    def spec(self) -> dict[str, Any]:
        """The lesson as a spec says it; what is empty is left out, but for the title."""
        tries = [item.spec() for item in self.tries]
        sheets = list(self.sheets)
        says = (
            *(self.title, self.question, self.description, self.picture, self.loss, self.backprop, sheets),
            *(self.answer, self.weights, dict(self.source_names), tries),
        )
        return {key: value for key, value in zip(KEYS, says, strict=True) if value or key == "title"}


MOST_TEXT = 32_767
"""Characters of a text: a cell holds no more."""
MOST_SHORT = 255
"""Characters of a name that formulas quote: a text in a formula may have no more."""
MOST_TRIES, MOST_NAMES = 100, 10_000
"""Things to try, and answers to choose from for each; names of tensors."""
_IN_NO_CELL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""Characters that no cell shows: control characters but tabs and line breaks, and what is no character at all."""


def texts(key: str, value: Any) -> tuple[str, ...]:
    """What a spec gives as a list of short texts, else a SpecError that names the key."""
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise SpecError(f"{key} = {value!r} is not a list of texts")
    return tuple(_text(key, v, MOST_SHORT) for v in value)


def _text(key: str, value: Any, most: int = MOST_TEXT) -> str:
    if not isinstance(value, str):
        raise SpecError(f"{key} = {value!r} is not a text")
    if found := _IN_NO_CELL.search(value):
        raise SpecError(f"{key} has the character U+{ord(found[0]):04X}, which no cell shows: take it out")
    if len(value.encode("utf-16-le")) > 2 * most:
        raise SpecError(f"{key} begins with {value[:20]!r} and has {len(value):,} characters; {most:,} are the most")
    return value


def _source_names(table: Any) -> dict[str, str]:
    if not isinstance(table, dict):
        raise SpecError(f"source_names = {table!r} is not a table of names by names")
    if len(table) > MOST_NAMES:
        raise SpecError(f"source_names has {len(table):,} names; {MOST_NAMES:,} are the most")
    return {key: _text("source_names", value, MOST_SHORT) for key, value in table.items()}


def _tries(tables: Any) -> tuple[Try, ...]:
    if not isinstance(tables, list):
        raise SpecError(f"try = {tables!r} is not a list of [[try]] tables")
    if len(tables) > MOST_TRIES:
        raise SpecError(f"{len(tables):,} [[try]] tables; {MOST_TRIES} are the most")
    return tuple(map(_try, tables))


def _try(table: Any) -> Try:
    known = {one.name for one in fields(Try)}
    if not isinstance(table, dict) or not {"text", "at"} <= set(table) <= known:
        rest = ", ".join(sorted(known - {"text", "at"}))
        raise SpecError(f"[[try]] takes the keys text and at, and for a page {rest}; not {table!r}")
    says = {
        key: _text(key, value, MOST_SHORT if key == "at" else MOST_TEXT)
        for key, value in table.items()
        if key not in ("choices", "do")
    }
    choices = texts("choices", table.get("choices", []))
    if len(choices) > MOST_TRIES:
        raise SpecError(f"choices has {len(choices):,} texts; {MOST_TRIES} are the most")
    return Try(**says, choices=choices, do=_do(table.get("do", {})))


def _do(table: Any) -> dict[str, float | str]:
    if isinstance(table, dict) and all(isinstance(v, int | float | str) for v in table.values()):
        return table
    raise SpecError(f"do = {table!r} is not a table of cells and what to put there")
