"""Specs in TOML: a network and its lesson, read from a text and written back to one."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tomli_w

from conv_sheet.errors import SpecError
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson

_ORDER = (
    *("title", "question", "description", "input", "normalize", "picture", "classes", "loss", "backprop", "sheets"),
    *("answer", "weights", "layers", "source_names", "try"),
)
"""All keys of a spec, in the order in which one is written."""

_BYTE_ORDER_MARK = "\ufeff"
"""With which some editors of Windows begin a text."""
_DEEP = re.compile(r"""(?<![\w"'-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){100}""")
"""A key of so many parts; the time that Python takes for one grows with the square of them."""


@dataclass(frozen=True)
class Spec:
    """What a workbook is built from: a network, and what is said and shown beside it."""

    network: Network
    lesson: Lesson

    def to_toml(self) -> str:
        """The spec as TOML, complete: reading it gives an equal spec."""
        says = self.network.spec() | self.lesson.spec()
        return tomli_w.dumps({key: says[key] for key in _ORDER if key in says})


def parse(text: str, where: str = "spec") -> Spec:
    """A spec out of its TOML; `where` names the source in errors.

    >>> spec = parse('''
    ... title = "Edges"
    ... input = [1, 6, 6]
    ... layers = [{name = "conv1", kind = "Conv2d", out_channels = 2, kernel_size = 3}]
    ... ''')
    >>> spec.lesson.title, spec.network.output.out_shape, parse(spec.to_toml()) == spec
    ('Edges', (2, 4, 4), True)
    """
    try:
        if _DEEP.search(text):
            raise RecursionError
        return from_tables(tomllib.loads(text.removeprefix(_BYTE_ORDER_MARK)))
    except RecursionError:
        raise SpecError(f"{where} is not TOML that can be read: its arrays or tables are nested too deeply") from None
    except ValueError as error:  # of TOML itself, and of Python for a number of thousands of digits
        raise SpecError(f"{where} is not TOML: {error}") from None
    except SpecError as error:
        raise type(error)(f"{where}: {error}") from None


def from_tables(tables: Mapping[str, Any]) -> Spec:
    """A spec as nested dicts and lists, every shape checked."""
    return Spec(Network.from_spec(tables), Lesson.from_spec(tables))
