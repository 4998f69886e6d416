"""What a cell may hold that is neither a number, nor a text, nor a truth value, nor nothing."""

from datetime import date, timedelta
from enum import Enum
from typing import Final

_BEFORE_1900 = date(1899, 12, 30)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
ERRORS = frozenset(
    {"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA", "#SPILL!", "#CALC!"}
)


SMALLEST, LARGEST = 2.2250738585072014e-308, 9.99999999999999e307
"""The smallest number above zero that a cell holds, and the largest one: Excel, as most programs, takes a smaller one
for zero, and a larger one for an error."""


class CellError(str):
    """What a cell with an error shows, as ``#DIV/0!``."""

    __slots__ = ()


class Date(float):
    """A number that its cell shows as a date or a time: days since 30 December 1899.

    >>> str(Date(45323.0)), str(Date(0.5)), Date(45323.0) + 1
    ('1 February 2024', '12:00', 45324.0)
    """

    __slots__ = ()

    @classmethod
    def of(cls, day: date) -> "Date":
        """The number of a day of the calendar."""
        return cls((date(day.year, day.month, day.day) - _BEFORE_1900).days)

    def __str__(self) -> str:
        if 0 <= self < 1:
            minutes = round(float(self) * 24 * 60)
            return f"{minutes // 60 % 24}:{minutes % 60:02}"
        try:
            day = _BEFORE_1900 + timedelta(days=int(self))
        except OverflowError:
            return f"day {float(self):g}"
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


class Unknown(Enum):
    """What a formula shows whose value nothing has calculated yet."""

    VALUE = "not calculated"


UNKNOWN: Final = Unknown.VALUE
