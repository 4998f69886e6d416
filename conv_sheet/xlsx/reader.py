"""A workbook file as what it holds: the spec from its sheet, the layout recomputed, the numbers from their places."""

import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isfinite, nan
from pathlib import Path

import numpy as np
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from conv_sheet.cells.grid import Block, Placed, column_letters, quote
from conv_sheet.errors import WorkbookError
from conv_sheet.layers import Array
from conv_sheet.network.layout import NETWORK, NUMPY, Layout, plan
from conv_sheet.network.lesson import Lesson
from conv_sheet.network.spec import Spec, parse
from conv_sheet.sheets import images
from conv_sheet.sheets import registry as extras
from conv_sheet.sheets.backprop.board import board, read_curve
from conv_sheet.sheets.spec import SPEC
from conv_sheet.sheets.start import LARGEST_SEED, SEED, START, STATUS
from conv_sheet.sheets.typed import DRAWN, KEPT, ORIGINAL, typed
from conv_sheet.state import Contents

Position = tuple[int, int]
ReadBlock = Callable[[Block], list[list[object]]]
"""Values of a block, row by row; None for an empty cell."""


@dataclass(frozen=True)
class Stored:
    """What a file stores: values by sheet and position, and which of them are results of formulas."""

    path: Path
    values: Mapping[str, Mapping[Position, object]]
    formulas: Mapping[str, frozenset[Position]]

    def block(self, block: Block) -> list[list[object]]:
        """Values of a block; what is not stored is None."""
        if block.sheet not in self.values:
            raise WorkbookError(f"{self.path} has no sheet {block.sheet!r}, which its spec asks for: build it again")
        cells = self.values[block.sheet]
        return [[cells.get(block.position(y, x)) for x in range(block.width)] for y in range(block.height)]


def read(path: Path) -> Stored:
    """Every value that a workbook file stores.

    Raises WorkbookError where the file is missing, damaged, or no workbook of ours.
    """
    values: dict[str, dict[Position, object]] = {}
    formulas: dict[str, frozenset[Position]] = {}
    for data_only in (True, False):
        for title, cells in _load(path, data_only).items():
            if data_only:
                values[title] = cells
            else:
                formulas[title] = frozenset(at for at, v in cells.items() if isinstance(v, str) and v.startswith("="))
    missing = [title for title in (START, NETWORK, NUMPY, SPEC, ORIGINAL, KEPT) if title not in values]
    if missing:
        raise WorkbookError(
            f"{path} has no sheet {missing[0]!r}: it is not a conv-sheet workbook, or the sheet was deleted or renamed"
        )
    return Stored(path, values, formulas)


def _load(path: Path, data_only: bool) -> dict[str, dict[Position, object]]:
    if not path.is_file():
        raise WorkbookError(f"{path}: there is no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(path, data_only=data_only, read_only=True)
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # what a file says of its size is not always so
            try:
                return {
                    sheet.title: {
                        (cell.row, cell.column): cell.value
                        for row in sheet.iter_rows()
                        for cell in row
                        if cell.value is not None
                    }
                    for sheet in book.worksheets
                }
            finally:
                book.close()
    except InvalidFileException as error:
        raise WorkbookError(f"{path} cannot be read: not an Excel workbook (.xlsx or .xlsm)") from error
    except zipfile.BadZipFile as error:
        raise WorkbookError(
            f"{path} cannot be read: not an Excel workbook (.xlsx or .xlsm), or a damaged one"
        ) from error
    except (KeyError, ValueError, OSError, SyntaxError) as error:
        raise WorkbookError(f"{path} cannot be read as a workbook: {error}") from error


def spec_of(stored: Stored) -> Spec:
    """The spec that a file carries on its sheet `Spec`."""
    cells = stored.values[SPEC]
    last = max((row for row, _ in cells), default=0)
    lines = (str(cells.get((row, 1), "")) for row in range(1, last + 1))
    return parse("\n".join(lines), f"{stored.path}, sheet {SPEC}")


def contents(stored: Stored) -> Contents:
    """What a file holds, its typed cells checked."""
    return from_blocks(spec_of(stored), stored.block, stored.formulas[NETWORK])


def from_blocks(spec: Spec, block: ReadBlock, formulas: frozenset[Position] | None = None) -> Contents:
    """Contents out of blocks, wherever they are read from.

    `formulas` are the cells of `Network` whose values may be stale, being results of formulas; None where the program
    that the blocks come from has calculated them. Raises WorkbookError for the first typed cell that holds no number.
    """
    network, lesson = spec.network, spec.lesson
    layout = plan(network, fold=not lesson.backprop)
    settings, gallery = _settings(layout, lesson, block), _gallery(layout, lesson, block)
    held = Contents(
        network,
        _image(layout, block, gallery.get(str(settings.get(images.CHOICE))), formulas),
        {name: _typed(placed, name, block) for name, placed in layout.parameters()},
        status=_status(block),
        original=_typed_numbers(layout, lesson, block, ORIGINAL),
        kept=kept_numbers(layout, lesson, block),
        seed=_seed(block),
        drawn=_drawn(block),
        settings=settings,
        gallery=gallery,
        curve=read_curve(block(board(layout).curve)) if lesson.backprop else (),
        lesson=lesson,
    )
    return replace(held, written={placed.name: _written(placed, block) for _, placed in held.owned})


def _image(layout: Layout, block: ReadBlock, chosen: Array | None, formulas: frozenset[Position] | None) -> Array:
    """The input: what is typed on `Network`, and the chosen picture where formulas take it from there."""
    if chosen is None or formulas is None:
        return _typed(layout.input, "input", block)

    def read_block(part: Block) -> list[list[object]]:
        rows, picture = block(part), chosen[layout.input.blocks.index(part)]
        return [
            [float(picture[y, x]) if part.position(y, x) in formulas else value for x, value in enumerate(row)]
            for y, row in enumerate(rows)
        ]

    return _typed(layout.input, "input", read_block)


def _gallery(layout: Layout, lesson: Lesson, block: ReadBlock) -> dict[str, Array]:
    if images.NAME not in lesson.sheets:
        return {}
    return {label: _typed(placed, label, block) for label, placed in images.gallery(layout, lesson).items()}


def _settings(layout: Layout, lesson: Lesson, block: ReadBlock) -> dict[str, float | str]:
    chosen: dict[str, float | str] = {}
    for setting in (s for extra in extras.of(layout.network, lesson) for s in extra.settings(layout)):
        ((value,),) = block(setting.block)
        if setting.choices and _is_number(value):
            value = f"{value:g}"  # a program took the choice of "7" for a number
        if not setting.allows(value):
            found = "is empty" if value is None else f"holds {value!r}"
            raise WorkbookError(f"{setting.block.other()} {found}; {setting.name}: {setting.hint}")
        chosen[setting.name] = value if isinstance(value, str) else float(str(value))
    return chosen


def _status(block: ReadBlock) -> str:
    ((text,),) = block(STATUS)
    return text if isinstance(text, str) else ""


def _drawn(block: ReadBlock) -> int | None:
    ((seed,),) = block(DRAWN)
    return int(seed) if isinstance(seed, int | float) else None


def _seed(block: ReadBlock) -> int:
    ((seed,),) = block(SEED)
    if (
        not isinstance(seed, int | float)
        or isinstance(seed, bool)
        or seed != int(seed)
        or not 0 <= seed <= LARGEST_SEED
    ):
        raise WorkbookError(f"{SEED.other()} holds {seed!r}; the seed is a whole number from 0 to {LARGEST_SEED}")
    return int(seed)


def kept_numbers(layout: Layout, lesson: Lesson, block: ReadBlock) -> dict[str, Array] | None:
    """Picture and weights on the sheet `Kept`; None where nothing has been kept yet."""
    first = block(layout.input.blocks[0].on(KEPT))
    return _typed_numbers(layout, lesson, block, KEPT) if _is_number(first[0][0]) else None


def _typed_numbers(layout: Layout, lesson: Lesson, block: ReadBlock, sheet: str) -> dict[str, Array]:
    return {name: _typed(placed.on(sheet), name, block) for name, placed in typed(layout, lesson)}


def _typed(placed: Placed, name: str, read_block: ReadBlock) -> Array:
    planes = []
    for block in placed.blocks:
        rows = read_block(block)
        for y, row in enumerate(rows):
            for x, value in enumerate(row):
                if not _is_number(value):
                    at = block.position(y, x)
                    found = "is empty" if value is None else f"holds {value!r}, which is not a number"
                    where = f"{quote(block.sheet)}!{column_letters(at[1])}{at[0]}"
                    raise WorkbookError(f"{where} {found}; {name} needs one there: type it and try again")
        planes.append(rows)
    return placed.tensor(np.array(planes, dtype=np.float64))


def _written(placed: Placed, read_block: ReadBlock) -> Array:
    planes = [[[v if _is_number(v) else nan for v in row] for row in read_block(block)] for block in placed.blocks]
    return placed.tensor(np.array(planes, dtype=np.float64))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
