"""Errors a user can act on. Each message is one line: what is wrong, where, and the way out."""

import re
from collections.abc import Iterable

_LONGEST = 2_000
"""Characters of a line."""


class ConvSheetError(Exception):
    r"""Base of every error that conv-sheet raises on purpose; its message is one line, whatever it quotes.

    >>> print(ConvSheetError("a\nb.png: damaged"))
    a b.png: damaged
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


class ConvSheetWarning(UserWarning):
    """What a user should know of something that was done nevertheless; the command line prints it as one line."""


class SpecError(ConvSheetError):
    """The description of a network (TOML, options, names) is wrong."""


class ShapeError(SpecError):
    """Two shapes do not fit together; the message names the layer and both shapes."""


class WorkbookError(ConvSheetError):
    """A workbook cannot be read, written or trusted; the message names the file, sheet or cell."""


class DataError(ConvSheetError):
    """Pictures, weights or data files cannot be used; the message names the file or tensor."""


def one_line(text: str) -> str:
    r"""A text without line breaks and other control characters, which names of files and foreign messages may hold.

    Of a text that quotes too much of a file, begin and end are left.

    >>> one_line("two\r\nlines, \x1b[31mred")
    'two lines,  [31mred'
    >>> len(one_line("a" * 40_000 + ": take it out"))
    2003
    """
    line = re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)
    half = _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[:half]} … {line[-half:]}"


def why(fault: OSError | ValueError) -> str:
    """What the system says of a file, with the way out where a right is missing.

    >>> why(PermissionError("no"))
    'permission denied; have its owner allow it, or name another file'
    """
    if isinstance(fault, PermissionError):
        return "permission denied; have its owner allow it, or name another file"
    return str(getattr(fault, "strerror", None) or fault)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What to say behind a word that is not known: the nearest one that is; nothing where none is near.

    >>> did_you_mean("relu", ["Conv2d", "ReLU"]), did_you_mean("nix", ["Conv2d", "ReLU"])
    (" (did you mean 'ReLU'?)", '')
    """
    from difflib import get_close_matches

    spelled = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), spelled, n=1)
    return f" (did you mean {spelled[near[0]]!r}?)" if near else ""
