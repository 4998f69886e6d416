"""What every reader of models gives back, and how it says no."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conv_sheet.layers import Array
from conv_sheet.network.weights import as_written

_LONGEST_NAME = 255
LARGEST_FILE = 256 << 20
"""Bytes of a file, or of a part of one, from which on nothing is read: a workbook could never hold so many weights."""
MOST_NUMBERS = 32_000_000
"""Numbers of all tensors of a model together, stored or calculated on the way, with room for what is left out."""


@dataclass(frozen=True)
class Imported:
    """A model that somebody else's program wrote, as conv-sheet sees it.

    `spec` is what a TOML spec would say, as nested dicts and lists. `tensors` has the weights by full name
    (`conv1.weight`), in the source's precision. `notes` are sentences for the user, one a line. `names` says what the
    source calls each tensor that stands there unchanged, so that an export can give it back: `layer1_0_conv1.weight` is
    `layer1.0.conv1.weight`.
    `extra` has what the source's `state_dict` holds beside, such as `num_batches_tracked`, by the source's names.
    """

    spec: dict[str, Any]
    tensors: dict[str, Array] = field(repr=False)
    notes: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict, repr=False)
    extra: Mapping[str, Array] = field(default_factory=dict, repr=False)

    def whole_spec(self) -> dict[str, Any]:
        """The spec with the source's names where they are others, but for those that no cell could show.

        >>> Imported({"input": [1, 2, 2]}, {}, names={"conv1.weight": "0.weight", "fc.bias": "fc.bias"}).whole_spec()
        {'input': [1, 2, 2], 'source_names': {'conv1.weight': '0.weight'}}
        """
        others = {ours: name for ours, name in self.names.items() if ours != name}
        said = {ours: name for ours, name in others.items() if name.isprintable() and len(name) <= _LONGEST_NAME}
        return self.spec | ({"source_names": said} if said else {})


def shown(name: object, longest: int = 60) -> str:
    """A name from a file for an error message: in quotes, without line breaks, and not longer than a line can bear.

    >>> shown("conv1"), shown("a" * 99, longest=8)
    ("'conv1'", "'aaaaaaa…'")
    """
    text = str(name)
    return repr(text if len(text) <= longest else text[: longest - 1] + "…")


def listed(names: Iterable[object], most: int = 8) -> str:
    """Some names for an error message; where there are many, the first of them and how many more there are.

    >>> listed("abcd", most=2)
    "'a', 'b' and 2 more"
    """
    found = list(names)
    head = ", ".join(shown(name, longest=40) for name in found[:most])
    return head if len(found) <= most else f"{head} and {len(found) - most} more"


def short(number: float) -> float:
    """A number that a file holds in single precision, as somebody wrote it.

    >>> short(9.999999747378752e-06), short(0.1)
    (1e-05, 0.1)
    """
    single = np.array(number, np.float32)
    return float(as_written(single)) if single == number else float(number)
