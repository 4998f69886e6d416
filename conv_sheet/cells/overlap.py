"""Whether every cell of a page has one content."""

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells.grid import column_letters
from conv_sheet.cells.page import Page
from conv_sheet.errors import WorkbookError


def occupied(page: Page) -> NDArray[np.bool_]:
    """Which cells of a page hold something, (rows, columns) from row and column 1.

    Raises WorkbookError where two contents stand in one cell.
    """
    rows, columns = page.last
    grid = np.zeros((rows + 1, columns + 1), dtype=bool)
    for row, column in page.singles:
        grid[row, column] = True
    for one in page.fills:
        block = one.block
        part = grid[
            block.row : block.last_row + 1 : block.step[0], block.column : block.last_column + 1 : block.step[1]
        ]
        if part.any():
            y, x = (int(n) for n in np.argwhere(part)[0])
            row, column = block.position(y, x)
            raise WorkbookError(f"{page.title}!{column_letters(column)}{row} gets two contents")
        part[:] = True
    return grid[1:, 1:]
