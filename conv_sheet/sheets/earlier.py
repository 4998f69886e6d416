"""Workbooks of earlier versions: what is in them is found by their defined names, wherever it stands."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from conv_sheet.cells.grid import Block
from conv_sheet.cells.inputs import Input, InputValue
from conv_sheet.errors import WorkbookError
from conv_sheet.network.graph import INPUT
from conv_sheet.network.layout import Layout, plan_for
from conv_sheet.network.lesson import Lesson
from conv_sheet.sheets import images, registry
from conv_sheet.sheets.addresses import IMAGES, PICTURE
from conv_sheet.sheets.entries import value_of
from conv_sheet.sheets.reading import Source, spec_of
from conv_sheet.state import WorkbookState

_SEARCHED = 400, 400
"""Rows and columns of `Images` in which labels are looked for."""
_FOLLOWS = f"INDEX({IMAGES}!"
"""How the formulas of pixels begin that follow the choice on `Images`."""


def state_of(source: Source) -> WorkbookState:
    """Picture, weights and choices of a workbook of an earlier version, found by their defined names.

    Raises WorkbookError where a name is gone or a cell holds what it may not.
    """
    spec = spec_of(source)
    layout = plan_for(spec.network, spec.lesson)
    inputs = registry.inputs(layout, spec.lesson)
    typed: dict[str, InputValue] = dict(_gallery(source, layout, spec.lesson))
    for item in sorted(inputs, key=lambda item: item.name == INPUT):  # the picture may follow another input
        blocks = _named(source, item, layout)
        if blocks is not None:
            found = replace(item, placed=replace(item.placed, blocks=blocks))
            follows = _followed(source, found, typed) if item.name == INPUT else None
            typed[item.name] = value_of(source, found, follows)
    missing = [name for name in (INPUT, *spec.network.parameters) if name not in typed]
    if missing:
        raise WorkbookError(f"{source.name}: the cells of {missing[0]} have lost their name, so it cannot be read")
    return WorkbookState(spec.network, typed, spec.lesson)


def _named(source: Source, item: Input, layout: Layout) -> tuple[Block, ...] | None:
    """Where the blocks of an input stand by their names; None where one has none, or another size."""
    found: list[Block] = []
    for (name, _), built in zip(item.placed.names(), item.placed.blocks, strict=False):
        stands = source.refers(name)
        if stands is None or stands.shape != built.span:
            return None
        found.append(replace(built, sheet=stands.sheet, row=stands.row, column=stands.column))
    return tuple(found) if len(found) == len(item.placed.blocks) else None


def _followed(source: Source, picture: Input, typed: Mapping[str, InputValue]) -> dict[tuple[int, int], float]:
    """Pixels that formulas take from the chosen picture, by row and column: what is stored with them may be stale."""
    chosen = typed.get(images.image_name(str(typed.get(PICTURE, ""))))
    if chosen is None:
        return {}
    planes = picture.placed.planes(np.asarray(chosen, dtype=float))
    return {
        block.position(y, x): float(planes[plane, y, x])
        for plane, block in enumerate(picture.placed.blocks)
        for y, row in enumerate(source.formulas(block))
        for x, text in enumerate(row)
        if text is not None and text.startswith(_FOLLOWS)
    }


def _gallery(source: Source, layout: Layout, lesson: Lesson) -> Iterator[tuple[str, InputValue]]:
    """The pictures on `Images` that have no names: each stands below its label, one channel under the other."""
    if images.NAME not in lesson.sheets or IMAGES not in source.titles:
        return
    shown = source.block(Block(IMAGES, 1, 1, *_SEARCHED))
    captions = {
        text: (y, x) for y, row in enumerate(shown, 1) for x, text in enumerate(row, 1) if isinstance(text, str)
    }
    for label, item in images.gallery(layout, lesson).items():
        if label in captions and _named(source, item, layout) is None:
            row, column = captions[label]
            stands = tuple(
                replace(block, row=row + 1 + number * (block.height + 1), column=column)
                for number, block in enumerate(item.placed.blocks)
            )
            yield item.name, value_of(source, replace(item, placed=replace(item.placed, blocks=stands)))
