"""Which cells a button writes: what belongs to the engine, and what is typed or kept where its action changed it."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input
from conv_sheet.network.graph import INPUT
from conv_sheet.sheets import hidden, images, registry
from conv_sheet.sheets.addresses import DRAWN, FORMULAS, KEPT, PICTURE
from conv_sheet.sheets.numpy import written
from conv_sheet.state import Curve, WorkbookState
from conv_sheet.xlsx.patch import Formula, Typed

Cells = NDArray[Any]
"""What to write into a block: numbers, texts, formulas, None for nothing."""


def writes(before: WorkbookState, after: WorkbookState) -> Iterator[tuple[Block, Cells]]:
    """Blocks to write, and their cells, where the state `after` is settled."""
    typed = registry.inputs_of(after)
    restored = [item for item in typed if item.restored]
    if after.kept is not None and after.kept is not before.kept:
        places = hidden.restored(restored)
        for item in restored:
            yield from hidden.cells(KEPT, item, places[item.name], after.kept[item.name])
        yield from _kept_formulas(before, after)
    changed = {item.name for item in typed if not _same(before, after, item)}
    if INPUT not in changed and PICTURE in changed:
        changed.add(INPUT)  # the same pixels, but formulas stand elsewhere
    for item in typed:
        if item.name in changed:
            yield from _typed(after, item)
    if after.drawn is not None and after.drawn != before.drawn:
        yield DRAWN, np.array([[float(after.drawn)]])
    curve = registry.curve_block(after.layout, after.lesson)
    if curve is not None and after.curve != before.curve:
        yield curve, _curve_cells(after.curve, curve)
    for placed in registry.engine_places(after):
        yield from zip(placed.blocks, placed.planes(written(after, placed)), strict=True)


def _same(before: WorkbookState, after: WorkbookState, item: Input) -> bool:
    if before.formulas.get(item.name, {}) != after.formulas.get(item.name, {}):
        return False
    return np.array_equal(np.asarray(before[item]), np.asarray(after[item]))


def _typed(after: WorkbookState, item: Input) -> Iterator[tuple[Block, Cells]]:
    """The cells of an input: formulas where it follows the chosen picture, or where the user has some, else values."""
    own = after.formulas.get(item.name, {})
    follows = images.followed(after) if item.name == INPUT else None
    formula = images.input_formula(after.layout, after.lesson) if follows is not None else None
    for plane, (block, values) in enumerate(item.planes(after[item])):
        cells = np.empty(block.shape, dtype=object)
        for y, x in np.ndindex(*block.shape):
            value: Any = values[y, x]
            at = block.position(y, x)
            plain = value if isinstance(value, str) else float(value)
            if at in own:
                cells[y, x] = Formula(own[at], plain)
            elif formula is not None and follows is not None and follows[plane, y, x]:
                cells[y, x] = Formula(formula(plane, y, x), plain)
            else:
                cells[y, x] = Typed(plain)
        yield block, cells


def _kept_formulas(before: WorkbookState, after: WorkbookState) -> Iterator[tuple[Block, Cells]]:
    lines = hidden.formula_lines(after.kept_formulas)
    count = max(len(lines), len(hidden.formula_lines(before.kept_formulas)))
    if count:
        cells = np.full((1, count), None, dtype=object)
        cells[0, : len(lines)] = lines
        yield Block(KEPT, FORMULAS.row, FORMULAS.column, 1, count), cells


def _curve_cells(curve: Curve, block: Block) -> Cells:
    cells = np.full(block.shape, None, dtype=object)
    for row, (step, loss) in enumerate(curve[-block.height :]):
        cells[row] = float(step), loss
    return cells


def status_text(after: WorkbookState, seconds: float, distance: float | None = None) -> str:
    """What the status line says: what was done, what the network says, how long it took, and whether all agree."""
    said = f" The network says {after.prediction}." if after.prediction else ""
    agree = "" if distance is None else f" Largest distance to the formulas: {distance:.1e}."
    took = f"Python calculated everything in {seconds * 1000:,.0f} ms at {time.strftime('%H:%M:%S')}."
    return f"{after.status} {took}{said}{agree}".strip()
