"""Options that say what is so anyway: PyTorch prints them, and here they are taken where they agree."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conv_sheet.errors import SpecError


@dataclass(frozen=True, slots=True)
class Said:
    """What an option may be, given the shape that its layer reads.

    >>> CHANNELS.check("in_channels", 2, (2, 6, 6))
    >>> CHANNELS.check("in_channels", 3, (2, 6, 6))
    Traceback (most recent call last):
    conv_sheet.errors.SpecError: in_channels = 3 does not agree with its input: it would be 2 here
    """

    allowed: Callable[[tuple[int, ...]], tuple[object, ...]]
    """The values that agree, all where none is listed; the first one is what an error names."""

    otherwise: str = "does not agree with its input: it would be {} here"

    def check(self, name: str, value: Any, shape: tuple[int, ...]) -> None:
        """Raise SpecError where a value does not agree."""
        agreeing = self.allowed(shape)
        given = tuple(value) if isinstance(value, list) else value
        if agreeing and not any(type(given) is type(one) and given == one for one in agreeing):
            shown, right = (str(v).lower() if isinstance(v, bool) else repr(v) for v in (value, agreeing[0]))
            raise SpecError(f"{name} = {shown} {self.otherwise.format(right)}")


def only(*values: object) -> Said:
    """An option that has these values here, and no other.

    >>> only(True).check("track_running_stats", False, (2, 6, 6))
    Traceback (most recent call last):
    conv_sheet.errors.SpecError: track_running_stats = false is not known here: only true is
    """
    return Said(lambda shape: values, "is not known here: only {} is")


CHANNELS = Said(lambda shape: (shape[0],))
"""How many maps are read, or values of a vector."""
FREE = Said(lambda shape: ())
"""What changes nothing here, such as the momentum of running statistics."""
FLAG = only(False, True)
"""True or false, which changes nothing here."""
DIM = Said(lambda shape: (1, -len(shape)))
"""The axis of the maps, or that of a vector; the batch's is 0."""
