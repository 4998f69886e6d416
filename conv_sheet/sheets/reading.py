"""The state of a workbook out of its cells, whether they are read from a closed file or from an open book."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan
from typing import Protocol

import numpy as np

from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import Input, InputValue
from conv_sheet.cells.tokens import same_formula
from conv_sheet.errors import ConvSheetError, WorkbookError
from conv_sheet.network.graph import INPUT
from conv_sheet.network.layout import Layout, plan_for
from conv_sheet.network.lesson import Lesson
from conv_sheet.network.spec import Spec, parse
from conv_sheet.ops import Array
from conv_sheet.sheets import hidden, images, registry, standing
from conv_sheet.sheets.addresses import DRAWN, FORMULAS, KEPT, ORIGINAL, PICTURE, SPEC, STATUS
from conv_sheet.sheets.entries import is_number, value_of
from conv_sheet.sheets.hidden import FORMAT, FORMAT_CELL
from conv_sheet.state import Curve, Formulas, WorkbookState

MOST_FORMULAS = 2_000
"""Formulas of a user's own that are remembered when a button puts numbers in their place."""
_NOT_OURS = "it is not a conv-sheet workbook, or the sheet was deleted or renamed"


class Source(Protocol):
    """Cells of a workbook, wherever they are read from; `name` is how messages call it."""

    @property
    def name(self) -> str: ...

    @property
    def titles(self) -> Sequence[str]:
        """Of the sheets."""

    @property
    def live(self) -> bool:
        """Whether a program has it open, which has calculated all formulas and in which each question costs time."""

    def has(self, name: str) -> bool:
        """Whether the whole workbook has a defined name."""

    def refers(self, name: str) -> Block | None:
        """The area that a defined name refers to; None where there is no such name, or no such area."""

    def block(self, block: Block) -> list[list[object]]:
        """Values of a block, row by row; None for an empty cell."""

    def formulas(self, block: Block) -> list[list[str | None]]:
        """Formulas of a block, without equals signs; None for a cell without one."""


class EarlierFormatError(WorkbookError):
    """A workbook was built by an earlier version of conv-sheet."""


# -- what it is --------------------------------------------------------------------------------------------------------


def version(source: Source) -> int:
    """The version of the format that a workbook has: 1 where it says none.

    Raises WorkbookError where it is no workbook of ours.
    """
    if SPEC not in source.titles:
        stands = source.refers("spec")
        if stands and stands.sheet in source.titles:
            raise standing.MovedError(standing.renamed(source, SPEC, stands.sheet))
        raise WorkbookError(f"{source.name} has no sheet {SPEC!r}: {_NOT_OURS}")
    ((said,),) = source.block(FORMAT_CELL)
    if isinstance(said, int | float) and not isinstance(said, bool):
        return int(said)
    if source.has("format_version"):
        standing.require_names(source, [("format_version", FORMAT_CELL)])
        raise standing.MovedError(f"{source.name}: {FORMAT_CELL.other()} says no version: {standing.MOVED}")
    if not source.has("spec"):
        raise WorkbookError(f"{source.name} has no name 'spec': {_NOT_OURS}")
    return 1


def require_version(source: Source) -> None:
    """Raise WorkbookError, with the way out, where a workbook has another format than those built today."""
    found = version(source)
    if found > FORMAT:
        raise WorkbookError(
            f"{source.name} was built by a later version of conv-sheet (its format is {found}, and this one knows "
            f"{FORMAT}): pip install --upgrade conv-sheet"
        )
    if found < FORMAT:
        raise EarlierFormatError(
            f"{source.name} was built by an earlier version of conv-sheet: make it anew with "
            f"conv-sheet build --from {_file_name(source)} -o NEW{_suffix(source)}"
        )


def spec_of(source: Source) -> Spec:
    """What a workbook of any version says of itself on its sheet `Spec`."""
    version(source)
    block = source.refers("spec")
    if block is None or block.sheet != SPEC:
        raise standing.MovedError(f"{source.name}: the name spec is gone: {standing.MOVED}")
    rows = source.block(replace(block, height=block.height + 1))
    if rows[-1][0] is not None or rows[-2][0] is None:
        raise standing.MovedError(
            f"{source.name}: the lines of the sheet {SPEC} do not stand where they were built: {standing.MOVED}"
        )
    lines = (str(row[0]) if row[0] is not None else "" for row in rows)
    return parse("\n".join(lines), f"{source.name}, sheet {SPEC}")


def _file_name(source: Source) -> str:
    return source.name.replace("\\", "/").rpartition("/")[2]


def _suffix(source: Source) -> str:
    return f".{source.name.rpartition('.')[2]}"


# -- what it holds -----------------------------------------------------------------------------------------------------


def state_of(source: Source) -> WorkbookState:
    """What a workbook of today's version holds, everything that is typed there checked.

    Raises WorkbookError where blocks do not stand where they were built, and for the first cell that holds what it may
    not: the message names the cell, what it holds, what it takes, and the way out.
    """
    require_version(source)
    spec = spec_of(source)
    layout = plan_for(spec.network, spec.lesson)
    inputs = registry.inputs(layout, spec.lesson)
    standing.require_names(source, _places(layout, inputs))
    try:
        return _state(source, spec, layout, inputs)
    except ConvSheetError:
        # What is wrong in a cell may only stand there because rows or columns were inserted or deleted.
        standing.require(source, registry.pages(_first(spec, inputs)))
        raise


def _places(layout: Layout, inputs: Sequence[Input]) -> list[tuple[str, Block]]:
    """Defined names of what is read before it is known what all sheets hold."""
    tensors = [placed for stage in layout.stages for placed in stage.own.values()]
    typed = [item.placed for item in inputs if item.placed not in tensors]
    return [pair for placed in (*tensors, *typed) for pair in placed.names()]


def _first(spec: Spec, inputs: Sequence[Input]) -> WorkbookState:
    """The state of a workbook of which only the spec is known."""
    return WorkbookState(spec.network, {item.name: item.default for item in inputs}, spec.lesson)


def _state(source: Source, spec: Spec, layout: Layout, inputs: Sequence[Input]) -> WorkbookState:
    network, lesson = spec.network, spec.lesson
    typed: dict[str, InputValue] = {item.name: value_of(source, item) for item in inputs if item.name != INPUT}
    formulas: dict[str, Mapping[tuple[int, int], str]] = {}
    for item in inputs:
        if item.name == INPUT:
            typed[INPUT], formulas[INPUT] = _picture(source, item, layout, lesson, typed)
        elif item.restored:
            formulas[item.name] = _formulas(source, item)
    restored = [item for item in inputs if item.restored]
    kept = _restored(source, KEPT, restored)
    state = WorkbookState(
        network,
        typed,
        lesson,
        status=_status(source),
        original=_restored(source, ORIGINAL, restored),
        kept=kept,
        drawn=_drawn(source),
        curve=_curve(source, registry.curve_block(layout, lesson)),
        formulas={name: cells for name, cells in formulas.items() if cells},
        kept_formulas=_kept_formulas(source) if kept is not None else {},
    )
    written = {placed.name: _written(source, placed) for placed in registry.engine_places(state)}
    return replace(state, written=written)


def _picture(
    source: Source, item: Input, layout: Layout, lesson: Lesson, typed: Mapping[str, InputValue]
) -> tuple[Array, dict[tuple[int, int], str]]:
    """The input, and the user's own formulas there.

    Where it follows the choice on `Images`, what the formulas of a closed file have stored may be stale.
    """
    own = _formulas(source, item)
    if images.NAME not in lesson.sheets:
        return np.asarray(value_of(source, item)), own
    label = str(typed[PICTURE])
    chosen = np.asarray(typed[images.image_name(label)], dtype=float)
    formula = images.input_formula(layout, lesson)
    follows: dict[tuple[int, int], float] = {}
    for plane, block in enumerate(item.placed.blocks):
        for y, x in np.ndindex(*block.shape):
            at = block.position(y, x)
            if at in own and same_formula(own[at], formula(plane, y, x)):
                follows[at] = float(chosen[plane, y, x])
                del own[at]
    return np.asarray(value_of(source, item, follows)), own


def _formulas(source: Source, item: Input) -> dict[tuple[int, int], str]:
    """The formulas in the cells of an input."""
    return {
        block.position(y, x): text
        for block in item.placed.blocks
        for y, row in enumerate(source.formulas(block))
        for x, text in enumerate(row)
        if text is not None
    }


def _restored(source: Source, title: str, inputs: Sequence[Input]) -> dict[str, InputValue] | None:
    """What a hidden sheet keeps; None where nothing has been kept there."""
    places = hidden.restored(inputs)
    first = source.block(places[INPUT].on(title).blocks[0])
    if title == KEPT and all(value is None for row in first for value in row):
        return None
    return {item.name: hidden.value_on(title, source, item, places[item.name]) for item in inputs}


def _kept_formulas(source: Source) -> Formulas:
    block = replace(FORMULAS, width=MOST_FORMULAS)
    return hidden.formulas_of(source.block(block)[0])


def _status(source: Source) -> str:
    ((text,),) = source.block(STATUS)
    return text if isinstance(text, str) else ""


def _drawn(source: Source) -> int | None:
    ((seed,),) = source.block(DRAWN)
    return int(seed) if is_number(seed) else None


def _curve(source: Source, block: Block | None) -> Curve:
    if block is None:
        return ()
    rows = source.block(block)
    return tuple((int(step), float(loss)) for step, loss in rows if is_number(step) and is_number(loss))


def _written(source: Source, placed: Placed) -> Array:
    planes = [[[v if is_number(v) else nan for v in row] for row in source.block(block)] for block in placed.blocks]
    return placed.tensor(np.array(planes, dtype=np.float64))
