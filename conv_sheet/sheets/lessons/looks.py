"""Looks that some of the lessons' own sheets share."""

from dataclasses import replace

from conv_sheet.cells import style

OUTPUT = replace(style.RESULT, fill=style.PALE)
"""A number that comes out."""
TENTHS = replace(style.WHOLE, format="0.0")
NUMBERED = replace(style.SIDE, size=9)
"""The number of a row or of a column."""
