"""The buttons of a workbook, and what stands behind them."""

from collections.abc import Sequence

from conv_sheet.grid import Block
from conv_sheet.sheets.page import Page, Push

CAPTIONS = {"Recompute": "Recompute", "Reset": "Reset", "RandomKernels": "Random kernels"}
"""Macros by name, with what stands on their buttons."""
FUNCTIONS = {"Recompute": "main", "Reset": "reset", "RandomKernels": "random_kernels"}
"""The function of `conv_sheet.recompute` that each macro calls."""


def add(sheet: Page, row: int, columns: Sequence[tuple[int, int]]) -> None:
    """Put the buttons into one row, each over the columns from first to last."""
    for (macro, caption), (first, last) in zip(CAPTIONS.items(), columns, strict=True):
        sheet.buttons.append(Push(Block(sheet.title, row, first, 1, last - first + 1), caption, macro))
