"""Errors a user can act on. Each message is one line: what is wrong, where, and the way out."""

from collections.abc import Iterable
from difflib import get_close_matches


class ConvSheetError(Exception):
    """Base of every error that conv-sheet raises on purpose; the command line prints it as one line."""


class SpecError(ConvSheetError):
    """The description of a network (TOML, options, names) is wrong."""


class ShapeError(SpecError):
    """Two shapes do not fit together; the message names the layer and both shapes."""


class WorkbookError(ConvSheetError):
    """A workbook cannot be read, written or trusted; the message names the file, sheet or cell."""


class DataError(ConvSheetError):
    """Pictures, weights or data files cannot be used; the message names the file or tensor."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What to say behind a word that is not known: the nearest one that is; nothing where none is near.

    >>> did_you_mean("relu", ["Conv2d", "ReLU"]), did_you_mean("nix", ["Conv2d", "ReLU"])
    (" (did you mean 'ReLU'?)", '')
    """
    spelled = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), spelled, n=1)
    return f" (did you mean {spelled[near[0]]!r}?)" if near else ""
