"""The one check that everything in a workbook still stands where it was built; every command begins with it.

Three things are asked. Do the defined names refer to where the layout has their cells? Does a text that is on its page
only once stand somewhere else now? Is a line of a block empty that was built full? Programs move defined names along
with the cells, and libraries that edit files do not: the texts and the blocks tell then.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells.grid import Block, column_letters, quote
from conv_sheet.cells.overlap import occupied
from conv_sheet.cells.page import Fill, Page
from conv_sheet.cells.values import CellError
from conv_sheet.errors import WorkbookError

MOVED = "rows or columns were inserted or deleted; undo that, or build the workbook again"
_MARGIN = 60
"""Rows and columns behind a page in which its texts may have come to stand."""


class MovedError(WorkbookError):
    """Something in a workbook does not stand where it was built."""


class Source(Protocol):
    """What is asked of a workbook (see `reading.Source`)."""

    @property
    def name(self) -> str: ...

    @property
    def titles(self) -> Sequence[str]: ...

    @property
    def live(self) -> bool: ...

    def has(self, name: str) -> bool: ...

    def refers(self, name: str) -> Block | None: ...

    def block(self, block: Block) -> list[list[object]]: ...


def require(source: Source, pages: Sequence[Page]) -> None:
    """Raise MovedError, in one line, where something of these pages stands elsewhere in a workbook."""
    for page in pages:
        _require_sheet(source, page.title, page.names)
    if not source.live:
        for page in pages:
            require_names(source, page.names.items())
    for page in pages:
        rows, columns = page.last
        cells = source.block(Block(page.title, 1, 1, rows + _MARGIN, columns + _MARGIN))
        _require_texts(source, page, cells)
        _require_blocks(source, page, cells)


def require_names(source: Source, names: Iterable[tuple[str, Block]]) -> None:
    """Raise MovedError where a defined name refers to other cells than it was built for.

    A name that somebody deleted says nothing.
    """
    for name, built in names:
        if not source.has(name):
            continue
        stands = source.refers(name)
        if stands is None:
            raise MovedError(
                f"{source.name}: the cells of {name} are gone, which were built at {built.foreign}: {MOVED}"
            )
        if stands.sheet != built.sheet and built.sheet not in source.titles:
            raise MovedError(renamed(source, built.sheet, stands.sheet))
        if stands.reference != built.reference:
            raise MovedError(
                f"{source.name}: {name} stands at {stands.foreign} and was built at {built.foreign}: {MOVED}"
            )


def renamed(source: Source, title: str, now: str) -> str:
    """What to say of a sheet that has another title now."""
    return f"{source.name}: the sheet {title!r} was renamed, and is called {now!r} now: give it its title back"


def _require_sheet(source: Source, title: str, names: dict[str, Block]) -> None:
    if title in source.titles:
        return
    for name in names:
        stands = source.refers(name) if source.has(name) else None
        if stands and stands.sheet != title:
            raise MovedError(renamed(source, title, stands.sheet))
    raise MovedError(
        f"{source.name} has no sheet {title!r}, which was deleted or renamed: undo that, or build the workbook again"
    )


def _require_texts(source: Source, page: Page, cells: list[list[object]]) -> None:
    """A text that is unique on its page and stands somewhere else has moved; one that was rewritten has not.

    What the user chooses is none: it may stand in a list, too.
    """
    typed = {item.at.position(0, 0) for item in page.inputs if item.placed.shape == ()}
    built: dict[str, list[tuple[int, int]]] = {}
    for at, cell in page.singles.items():
        if at not in typed and isinstance(cell.value, str) and cell.formula is None and cell.value:
            built.setdefault(cell.value, []).append(at)
    wanted = {text: places[0] for text, places in built.items() if len(places) == 1}
    missing = {text: at for text, at in wanted.items() if cells[at[0] - 1][at[1] - 1] != text}
    if not missing:
        return
    for row, values in enumerate(cells, 1):
        for column, value in enumerate(values, 1):
            if isinstance(value, str) and value in missing:
                here, there = _cell(page, (row, column)), _cell(page, missing[value])
                said = value if len(value) <= 40 else f"{value[:39]}…"
                raise MovedError(f"{source.name}: {said!r} stands at {here} and was built at {there}: {MOVED}")


def _require_blocks(source: Source, page: Page, cells: list[list[object]]) -> None:
    """Blocks of numbers have no empty line, and nothing stands behind their end while something is missing before it.

    Cells that the user may type into may be empty; so may a block of which nothing is left.
    """
    there = np.array([[value is not None for value in row] for row in cells])
    texts = np.array([[isinstance(value, str) and not isinstance(value, CellError) for value in row] for row in cells])
    typed = {block for item in page.inputs for block in item.placed.blocks}
    expected: NDArray[np.bool_] | None = None
    for fill in page.fills:
        inside = _part(there, fill.block)
        if fill.values.dtype.kind != "f" or not inside.any():
            continue
        if fill.block not in typed and not (inside & ~_part(texts, fill.block)).any():
            raise MovedError(f"{source.name}: {fill.block.foreign} holds texts and was built with numbers: {MOVED}")
        if inside.all():
            continue
        if expected is None:
            expected = np.zeros_like(there)
            grid = occupied(page)
            expected[: grid.shape[0], : grid.shape[1]] = grid
        line = None if fill.block in typed else _empty_line(fill, inside)
        line = line or _pushed(fill, inside, there & ~expected)
        if line:
            what = f" ({fill.owner})" if fill.owner else ""
            raise MovedError(
                f"{source.name}: {line.foreign} is empty and was built full{what}: rows or columns were inserted or "
                "deleted, or cells cleared; undo that, or build the workbook again"
            )


def _part(cells: NDArray[np.bool_], block: Block) -> NDArray[np.bool_]:
    down, right = block.step
    return cells[block.row - 1 : block.last_row : down, block.column - 1 : block.last_column : right]


def _empty_line(fill: Fill, inside: NDArray[np.bool_]) -> Block | None:
    """The first row or column without anything; in a single row or column, what is missing may be one cell."""
    block = fill.block
    if min(block.shape) < 2:
        return None
    for y in np.flatnonzero(~inside.any(axis=1)).tolist():
        return block.part(y, 0, 1, block.width)
    for x in np.flatnonzero(~inside.any(axis=0)).tolist():
        return block.part(0, x, block.height, 1)
    return None


def _pushed(fill: Fill, inside: NDArray[np.bool_], strange: NDArray[np.bool_]) -> Block | None:
    """A missing value whose row or column goes on behind the block, where nothing was built."""
    block = fill.block
    for y, x in np.argwhere(~inside).tolist():
        (row, column), (last_row, last_column) = block.position(y, x), (block.last_row, block.last_column)
        if strange[last_row, column - 1] or strange[row - 1, last_column]:
            return block.part(y, x, 1, 1)
    return None


def _cell(page: Page, at: tuple[int, int]) -> str:
    return f"{quote(page.title)}!{column_letters(at[1])}{at[0]}"
