"""The buttons: a workbook, open in a spreadsheet program or closed, goes through the engine again.

What a button does is a function in `actions`; here a workbook is read, and what the function changed is written back,
a block at a time. Everything is checked before the first write, and only what belongs to the engine, to the buttons, or
to the numbers that a button is there to change is written at all.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet import actions
from conv_sheet.actions import Action
from conv_sheet.cells.grid import Block, Placed, column_letters, quote
from conv_sheet.errors import ConvSheetError, WorkbookError
from conv_sheet.files import require_closed
from conv_sheet.layers import Array
from conv_sheet.network.layout import Layout, plan
from conv_sheet.network.lesson import Lesson
from conv_sheet.network.spec import parse
from conv_sheet.sheets import images
from conv_sheet.sheets.backprop.board import CURVE_NAME, board, curve_cells
from conv_sheet.sheets.numpy import distance_cell
from conv_sheet.sheets.spec import SPEC
from conv_sheet.sheets.start import SEED, STATUS
from conv_sheet.sheets.typed import DRAWN, KEPT, typed
from conv_sheet.state import Contents
from conv_sheet.xlsx.package import patch_cells
from conv_sheet.xlsx.patch import Formula, Typed
from conv_sheet.xlsx.reader import Stored, contents, from_blocks, read

if TYPE_CHECKING:
    import xlwings

Cells = NDArray[Any]
"""What to write into a block: numbers, texts, formulas, None for nothing."""


# -- an open workbook --------------------------------------------------------------------------------------------------


def main() -> None:
    """Called by the macro Recompute."""
    _pressed(actions.recompute)


def reset() -> None:
    """Called by the macro Reset."""
    _pressed(actions.reset)


def random_kernels() -> None:
    """Called by the macro RandomKernels."""
    _pressed(actions.random_kernels)


def train_step() -> None:
    """Called by the macro TrainStep."""
    _pressed(actions.train_step)


def train_steps() -> None:
    """Called by the macro TrainSteps10."""
    _pressed(actions.train_steps)


def _pressed(action: Action) -> None:
    import xlwings

    press(xlwings.Book.caller(), action)


def press(book: "xlwings.Book", action: Action) -> str:
    """Run a button's action on an open workbook and return what its status line then says.

    Works with every engine of xlwings. Raises WorkbookError, after the status line has said the same, where a typed
    cell holds no number or the blocks have been moved; nothing else has been written then.
    """
    started = time.perf_counter()
    try:
        held = _open_contents(book)
        after = action(held)
        writes = list(_writes(held, after))
    except ConvSheetError as error:
        _write_status(book, f"Nothing was changed: {error}")
        raise
    for block, values in writes:
        _write(book, block, values)
    status = status_text(after, time.perf_counter() - started, _distance(book, after))
    _write_status(book, status)
    return status


def open_in_excel(path: Path) -> "xlwings.Book":
    """The workbook as Excel has it open; raises WorkbookError where no Excel is running or it is not open there."""
    import xlwings

    try:
        books = [book for app in xlwings.apps for book in app.books]
    except xlwings.XlwingsError:
        books = []  # so xlwings says that this system has no Excel
    for book in books:
        if Path(book.fullname).name == path.name:
            return book
    raise WorkbookError(f"{path.name} is not open in Excel here: open it there first, or leave --live out")


def _open_contents(book: "xlwings.Book") -> Contents:
    rows = _name(book, "spec").options(ndim=2).value
    spec = parse("\n".join(str(row[0] or "") for row in rows), f"{book.name}, sheet {SPEC}")
    _require_in_place(book, spec.lesson, plan(spec.network, fold=not spec.lesson.backprop))
    return from_blocks(spec, lambda block: _read(book, block))


def _name(book: "xlwings.Book", name: str) -> "xlwings.Range":
    if name not in book.names:
        raise WorkbookError(
            f"{book.name} has no name {name!r}: it is not a conv-sheet workbook, or the name was deleted"
        )
    return book.names[name].refers_to_range


def _range(book: "xlwings.Book", block: Block) -> "xlwings.Range":
    return book.sheets[block.sheet].range((block.row, block.column), (block.last_row, block.last_column))


def _read(book: "xlwings.Book", block: Block) -> list[list[object]]:
    rows = _range(book, block).options(ndim=2).value
    return [row[:: block.step[1]] for row in rows[:: block.step[0]]]


def _write(book: "xlwings.Book", block: Block, values: Cells) -> None:
    """One write; what lies between the values of a dilated kernel stays empty."""
    if isinstance(values.flat[0], Formula | Typed):
        rows = [[f"={c.text}" if isinstance(c, Formula) else c.value for c in row] for row in values.tolist()]
        _range(book, block).formula = rows
        return
    cells = np.full(block.span, None, dtype=object)
    cells[:: block.step[0], :: block.step[1]] = values
    _range(book, block).value = cells.tolist()


def _require_in_place(book: "xlwings.Book", lesson: Lesson, layout: Layout) -> None:
    """A block that rows or columns have moved away from its place must not be written, nor what stands there now."""
    expected = [("status", STATUS), *((f"{stage.name}_distance", distance_cell(stage)) for stage in layout.stages)]
    for stage in layout.stages:
        expected += [list(placed.names())[-1] for placed in stage.own.values()]
    if lesson.backprop:
        expected.append((CURVE_NAME, board(layout).curve))
    for name, block in expected:
        found = _name(book, name)
        if (found.sheet.name, found.row, found.column) != (block.sheet, block.row, block.column):
            stands = f"{quote(found.sheet.name)}!{column_letters(found.column)}{found.row}"
            raise WorkbookError(
                f"{name} stands at {stands} and was built at {block.other()}: rows or columns were inserted or "
                "deleted; undo that, or build the workbook again"
            )


def _distance(book: "xlwings.Book", after: Contents) -> float:
    """Largest distance between the live formulas and the engine."""
    largest = 0.0
    for stage in after.layout.stages:
        for _, placed in stage.computed():
            blocks = [_read(book, block) for block in placed.blocks]
            apart = np.abs(placed.tensor(np.array(blocks, dtype=float)) - after.engine[placed.name])
            largest = max(largest, float(np.nan_to_num(apart, nan=np.inf).max()))
    return largest


def _write_status(book: "xlwings.Book", text: str) -> None:
    if "status" in book.names:
        book.names["status"].refers_to_range[0, 0].value = text


def _writes(held: Contents, after: Contents) -> Iterator[tuple[Block, Cells]]:
    """Blocks to write and their values: typed numbers that changed, what was kept, and the engine's blocks."""
    changed = {name for name, value in after.typed.items() if not np.array_equal(held.typed[name], value)}
    for name, placed in typed(after.layout, after.lesson):
        if after.kept is not None and after.kept is not held.kept:
            yield from _planes(placed.on(KEPT), after.kept[name])
        if name == images.CHOICE:
            if name in changed:
                (choice,) = images.settings(after.layout, after.lesson)
                yield choice.block, np.array([[after.choice]], dtype=object)
        elif name == "input" and after.follows is not None:
            if changed & {name, images.CHOICE}:
                yield from _planes(placed, _input(after, after.follows))
        elif name in changed:
            yield from _planes(placed, after.typed[name])
    if after.drawn is not None and after.drawn != held.drawn:
        yield DRAWN, np.array([[float(after.drawn)]])
    if after.curve != held.curve:
        yield after.board.curve, curve_cells(after.curve)
    for _, placed in after.owned:
        yield from _planes(placed, after.engine[placed.name])


def _input(after: Contents, follows: Array) -> Cells:
    """The input where there are `Images`: formulas where it follows the chosen picture, numbers where it does not."""
    formula = images.input_formula(after.layout, after.lesson)
    cells = np.empty(after.image.shape, dtype=object)
    for at in np.ndindex(*cells.shape):
        value = float(after.image[at])
        channel, y, x = at
        cells[at] = Formula(formula(channel, y, x), value) if follows[at] else Typed(value)
    return cells


def _planes(placed: Placed, values: Cells) -> Iterator[tuple[Block, Cells]]:
    yield from zip(placed.blocks, placed.planes(values), strict=True)


def status_text(after: Contents, seconds: float, distance: float | None = None) -> str:
    """What the status line says: what was done, what the network says, how long it took, and whether all agree."""
    said = f" The network says {after.prediction}." if after.prediction else ""
    agree = "" if distance is None else f" Largest distance to the formulas: {distance:.1e}."
    took = f"Python calculated everything in {seconds * 1000:,.0f} ms at {time.strftime('%H:%M:%S')}."
    return f"{after.status} {took}{said}{agree}".strip()


# -- a closed file -----------------------------------------------------------------------------------------------------


def press_closed(path: Path, action: Action, seed: int | None = None) -> tuple[str, list[str]]:
    """Run a button's action on a closed file; return its status line and what should be known besides.

    Only the engine's cells, the numbers that the action changes and stored values of formulas are written: every other
    byte of the file stays. Raises WorkbookError where the file is open elsewhere, cannot be read, or a typed cell holds
    no number; the file is untouched then.
    """
    require_closed(path)
    started = time.perf_counter()
    stored = read(path)
    held = contents(stored)
    if seed is not None:
        held = replace(held, seed=seed)
    after = action(held)
    after = replace(after, status=status_text(after, time.perf_counter() - started))
    values, notes = _patch(held, after, stored)
    values[SEED.sheet][SEED.row, SEED.column] = after.seed
    patch_cells(path, path, values)
    return after.status, notes


def _patch(held: Contents, after: Contents, stored: Stored) -> tuple[dict[str, dict[tuple[int, int], Any]], list[str]]:
    """New values by sheet and position, and notes on formulas that are no longer there."""
    values: dict[str, dict[tuple[int, int], Any]] = {}
    lost: list[str] = []
    for page in after.pages():
        formulas = stored.formulas.get(page.title, frozenset())
        cells = values.setdefault(page.title, {})
        for at, cell in page.cells.items():
            if cell.formula is not None and at in formulas:
                cells[at] = cell.value
            elif cell.formula is not None and cell.owner != "input":
                lost.append(f"{quote(page.title)}!{column_letters(at[1])}{at[0]}")
    for block, plane in _writes(held, after):
        for at, value in block.items(plane):
            if isinstance(value, Formula):
                values[block.sheet][at] = value.value if at in stored.formulas[block.sheet] else value
                continue
            if at in stored.formulas[block.sheet] and not isinstance(value, Typed):
                where = f"{quote(block.sheet)}!{column_letters(at[1])}{at[0]}"
                raise WorkbookError(f"{where} holds a formula of yours where a number belongs; move it and try again")
            values[block.sheet][at] = value
    values[STATUS.sheet][STATUS.row, STATUS.column] = after.status
    notes = [f"{lost[0]} no longer holds its formula (nor do {len(lost) - 1} others)" if len(lost) > 1 else
             f"{lost[0]} no longer holds its formula"] if lost else []  # fmt: skip
    return values, notes
