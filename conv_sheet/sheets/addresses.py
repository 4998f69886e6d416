"""Titles of sheets, cells, and limits that more than one sheet names."""

from conv_sheet.cells.grid import Block

START = "Start"
PYTHON = "Python"
SPEC = "Spec"
ORIGINAL, KEPT = "Original", "Kept"

STATUS = Block(PYTHON, 4, 3, 1, 1)
"""Where Python says what it did."""
STATUS_LABEL = "Python"
"""What stands to the left of it."""
DISTANCE = Block(PYTHON, 5, 3, 1, 1)
"""The largest distance between the formulas and the engine."""
SEED = Block(PYTHON, 6, 3, 1, 1)
"""What random kernels are drawn with."""
DRAWN = Block(KEPT, 2, 1, 1, 1)
"""The seed with which they were last drawn; empty where none were."""
FORMULAS = Block(KEPT, 4, 1, 1, 1)
"""The first of the formulas that stood where a button put numbers; the others stand to the right of it."""

IMAGES = "Images"
PICTURE = "picture"
"""Name of the input that says which picture goes into the network."""
CHOICE = Block(IMAGES, 3, 8, 1, 1)
"""Where it is chosen."""

TOLERANCE = 1e-9
"""Largest distance, relative to values above 1, at which formulas and engine are said to agree."""

LABELS = "Labels"


def found_says(count: int) -> Block:
    """The cells of `Labels` that say yes or no for each of so many classes of the network."""
    return Block(LABELS, 16, 9, count, 1)


TARGET = "target"
"""Name of the input that says which class the picture shows, where the lesson shows backpropagation."""
