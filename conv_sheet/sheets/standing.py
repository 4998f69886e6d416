"""The one check that everything in a workbook still stands where it was built; every command begins with it.

Three things are asked. Do the defined names refer to where the layout has their cells? Does a text, or a formula, that
is on its page only once stand somewhere else now? Is a line of a block empty that was built full? Programs move defined
names along with the cells, and libraries that edit files do not: the texts, formulas and blocks tell then.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells.grid import Block, column_letters, quote
from conv_sheet.cells.overlap import occupied
from conv_sheet.cells.page import Fill, Page
from conv_sheet.cells.tokens import tokens
from conv_sheet.cells.values import CellError
from conv_sheet.errors import WorkbookError

MOVED = "rows or columns were inserted or deleted; undo that, or build the workbook again"
_MARGIN = 60
"""Rows and columns behind a page in which its texts may have come to stand."""
_FAR = 3
"""Rows or columns that are inserted or deleted before a block at once, if all of it is to be seen beside its place."""


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

    def formulas(self, block: Block) -> list[list[str | None]]: ...


def require(source: Source, pages: Sequence[Page]) -> None:
    """Raise MovedError, in one line, where something of these pages stands elsewhere in a workbook."""
    for page in pages:
        _require_sheet(source, page.title, page.names)
    if not source.live:
        for page in pages:
            require_names(source, page.names.items())
    for page in pages:
        rows, columns = page.last
        area = Block(page.title, 1, 1, rows + _MARGIN, columns + _MARGIN)
        cells = source.block(area)
        _require_texts(source, page, cells)
        if not source.live:
            _require_formulas(source, page, area)
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
                raise _moved(source, page, value, (row, column), missing[value])


def _require_formulas(source: Source, page: Page, area: Block) -> None:
    """The same for the formulas of single cells and of the first cell of each block."""
    built: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for at, formula in _anchors(page):
        built.setdefault(tokens(formula), []).append(at)
    missing = {
        said: places[0] for said, places in built.items() if len(places) == 1 and _said(source, page, places[0]) != said
    }
    if not missing:
        return
    for row, formulas in enumerate(source.formulas(area), 1):
        for column, found in enumerate(formulas, 1):
            said = tokens(found or "")
            if said in missing and said != tokens(_formula(page, (row, column))):
                raise _moved(source, page, f"={found}", (row, column), missing[said])


def _anchors(page: Page) -> Iterator[tuple[tuple[int, int], str]]:
    singles = ((at, cell.formula) for at, cell in page.singles.items())
    first = ((fill.block.position(0, 0), fill.formula and fill.formula(0, 0)) for fill in page.fills)
    return ((at, formula) for at, formula in (*singles, *first) if formula)


def _said(source: Source, page: Page, at: tuple[int, int]) -> tuple[str, ...]:
    """The formula that a cell has, in one spelling."""
    ((found,),) = source.formulas(Block(page.title, *at, 1, 1))
    return tokens(found or "")


def _formula(page: Page, at: tuple[int, int]) -> str:
    """The formula that a cell was built with."""
    if at in page.singles:
        return page.singles[at].formula or ""
    for fill in page.fills:
        if fill.formula and fill.block.meets(Block(page.title, *at, 1, 1)):
            return fill.formula(at[0] - fill.block.row, at[1] - fill.block.column) or ""
    return ""


def _moved(source: Source, page: Page, what: str, here: tuple[int, int], there: tuple[int, int]) -> MovedError:
    said = what if len(what) <= 40 else f"{what[:39]}…"
    return MovedError(
        f"{source.name}: {said!r} stands at {_cell(page, here)} and was built at {_cell(page, there)}: {MOVED}"
    )


def _require_blocks(source: Source, page: Page, cells: list[list[object]]) -> None:
    """Blocks of numbers have no empty line, and nothing stands behind their end while something is missing before it.

    Cells that the user may type into may be empty; so may a block of which nothing is left, not beside it either.
    """
    there = np.array([[value is not None for value in row] for row in cells])
    texts = np.array([[isinstance(value, str) and not isinstance(value, CellError) for value in row] for row in cells])
    typed = {block for item in page.inputs for block in item.placed.blocks}
    expected: NDArray[np.bool_] | None = None
    for fill in page.fills:
        inside = _part(there, fill.block)
        if fill.values.dtype.kind != "f":
            continue
        if inside.any() and fill.block not in typed and not (inside & ~_part(texts, fill.block)).any():
            raise MovedError(f"{source.name}: {fill.block.foreign} holds texts and was built with numbers: {MOVED}")
        if inside.all():
            continue
        if expected is None:
            expected = np.zeros_like(there)
            grid = occupied(page)
            expected[: grid.shape[0], : grid.shape[1]] = grid
        strange = there & ~expected
        if not inside.any():
            line = fill.block if _beside(fill.block, strange) else None
        else:
            line = None if fill.block in typed else _empty_line(fill, inside)
            line = line or _pushed(fill, inside, strange)
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


def _beside(block: Block, strange: NDArray[np.bool_]) -> bool:
    """Whether a whole block stands some rows or columns away, where nothing was built."""
    moves = [(axis * by, (1 - axis) * by) for axis in (0, 1) for by in (*range(-_FAR, 0), *range(1, _FAR + 1))]
    places = ((block.row + down, block.column + right, block.on(block.sheet, down, right)) for down, right in moves)
    return any(min(row, column) > 0 and bool(_part(strange, moved).all()) for row, column, moved in places)


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
