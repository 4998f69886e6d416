"""The buttons of a workbook, and what stands behind them."""

from collections.abc import Mapping, Sequence

from conv_sheet.cells.drawn import Button
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page
from conv_sheet.cells.words import Words
from conv_sheet.network.lesson import Lesson

CAPTIONS = {"Recompute": "Recompute", "Reset": "Reset", "RandomKernels": "Random kernels"}
"""Macros by name, with what stands on their buttons."""
TRAINING = {"TrainStep": "Train step", "TrainSteps10": "Train 10 steps"}
"""Those of lessons that show backpropagation."""
_FUNCTIONS = {"Recompute": "main", "Reset": "reset", "RandomKernels": "random_kernels"}
_TRAINING_FUNCTIONS = {"TrainStep": "train_step", "TrainSteps10": "train_steps"}


WAY_OUT = Words(
    "Out of date? Press Recompute in an .xlsm, or type in a terminal: conv-sheet recompute FILE", browser=""
)
"""What to do where Python's numbers are of an earlier state."""


def functions(lesson: Lesson) -> dict[str, str]:
    """The function of `conv_sheet.recompute` that each macro calls."""
    return _FUNCTIONS | _TRAINING_FUNCTIONS if lesson.backprop else _FUNCTIONS


def add(sheet: Page, row: int, columns: Sequence[tuple[int, int]], captions: Mapping[str, str] = CAPTIONS) -> None:
    """Put the buttons into one row, each over the columns from first to last."""
    for (macro, caption), (first, last) in zip(captions.items(), columns, strict=True):
        sheet.buttons.append(Button(Block(sheet.title, row, first, 1, last - first + 1), caption, macro))
