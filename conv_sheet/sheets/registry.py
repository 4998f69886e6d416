"""Which sheets a workbook has, what may be typed there, and what of it belongs to the engine.

A new sheet joins `_LESSONS` here, and a spec asks for it by name.
"""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module

import numpy as np

from conv_sheet.cells import widgets
from conv_sheet.cells.forms import Forms
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import Input, InputValue
from conv_sheet.cells.page import Page
from conv_sheet.errors import SpecError, WorkbookError, did_you_mean
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import images, network, numpy, overview, python, start, worksheet
from conv_sheet.sheets.addresses import KEPT, ORIGINAL
from conv_sheet.sheets.backprop import ahead, copies, gradients
from conv_sheet.sheets.backprop.layout import backprop_layout
from conv_sheet.sheets.hidden import restore_page, spec_page
from conv_sheet.sheets.loupe import loupe
from conv_sheet.sheets.saliency import saliency
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

_LESSONS = ("activations", "ascent", "batch", "channels", "dropout", "field", "filters", "guided", "im2col", "kernels",
            "labels", "masks", "mixing", "norms", "patches", "pooling", "redrawn", "steps", "stride", "transposed",
            "upsample")  # fmt: skip
"""Sheets that a spec can ask for, by name: each is a module of `lessons`, loaded when a workbook has it."""
_GENERAL = {sheet.name: sheet for sheet in (images.SHEET, loupe.SHEET, saliency.SHEET, worksheet.SHEET)}
"""The same that fit every network."""


def _known(name: str) -> Sheet:
    if name in _GENERAL:
        return _GENERAL[name]
    sheet: Sheet = import_module(f"conv_sheet.sheets.lessons.{name}").SHEET
    return sheet


def sheets(layout: Layout, lesson: Lesson) -> list[Sheet]:
    """The visible sheets of a workbook, in order: those of every network around those of the lesson.

    Raises SpecError for a name that is none.
    """
    known = sorted((*_LESSONS, *_GENERAL))
    unknown = [name for name in lesson.sheets if name not in known]
    if unknown:
        near = did_you_mean(unknown[0], known)
        raise SpecError(f"sheets: there is no sheet {unknown[0]!r}{near}; there are {', '.join(known)}")
    unasked = [
        *([loupe.NAME] if loupe.suits(layout) else []),
        *([saliency.NAME] if saliency.suits(layout.network) else []),
    ]
    asked = [_known(name) for name in dict.fromkeys((*lesson.sheets, *unasked))]
    learning = [gradients.SHEET, *copies.COPIES] if lesson.backprop else []
    if learning and backprop_layout(layout, lesson).looks_ahead:
        learning += ahead.SHEETS
    helpers = [loupe.HELPER] if loupe.SHEET in asked else []
    own = [sheet for sheet in asked if sheet.name in lesson.sheets and sheet not in (images.SHEET, worksheet.SHEET)]
    first = learning[:1] or own[:1]
    rest = [sheet for sheet in (*learning, *asked) if sheet not in first]
    network_sheets, numpy_sheets = network.sheets(layout), numpy.sheets(layout)
    if overview.suits(layout):
        network_sheets = [overview.SHEET, *network_sheets]
    return [start.SHEET, *first, *network_sheets, *rest, *helpers, python.SHEET, *numpy_sheets]


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """Everything that the user may type, in the order of the sheets."""
    return tuple(item for sheet in sheets(layout, lesson) for item in sheet.inputs(layout, lesson))


def inputs_of(state: WorkbookState) -> tuple[Input, ...]:
    """Everything that the user may type into a workbook."""
    return inputs(state.layout, state.lesson)


def require_allowed(state: WorkbookState) -> None:
    """Raise WorkbookError where a cell would hold what it does not take: the workbook could not be read again."""
    for item in inputs_of(state):
        value = np.asarray(state[item])
        if value.dtype.kind == "f" and not item.limits.allow_all(value):
            wrong = next(number for number in value.ravel().tolist() if not item.limits.allows(number))
            raise WorkbookError(f"{item.name} holds {wrong:.15g}; its cells take {item.limits.takes}")


def curve_block(layout: Layout, lesson: Lesson) -> Block | None:
    """Where the losses of a training are listed; None where no sheet does."""
    blocks = (sheet.curve(layout, lesson) for sheet in sheets(layout, lesson))
    return next((block for block in blocks if block is not None), None)


def engine_blocks(state: WorkbookState) -> list[tuple[str, Placed, Array]]:
    """The blocks that belong to the engine: title of the sheet, place, and what the engine makes of the state."""
    return [
        (sheet.title, placed, calculated())
        for sheet in sheets(state.layout, state.lesson)
        for placed, calculated in sheet.engine(state)
    ]


def engine_places(state: WorkbookState) -> list[Placed]:
    """Where the blocks that belong to the engine stand."""
    return [placed for sheet in sheets(state.layout, state.lesson) for placed, _ in sheet.engine(state)]


def settled(state: WorkbookState) -> WorkbookState:
    """The state in which the engine's blocks hold what the engine makes of it."""
    return state.with_written({placed.name: value for _, placed, value in engine_blocks(state)})


def restorable(state: WorkbookState) -> dict[str, InputValue]:
    """What Reset and undo bring back, by name, as it stands now."""
    return {item.name: state[item] for item in inputs_of(state) if item.restored}


def pages(state: WorkbookState) -> list[Page]:
    """Every sheet of the workbook, in order."""
    with np.errstate(all="ignore"):  # where a number is too large for its cell, the writer names the cell
        state = state if state.written is not None else settled(state)
        made = [sheet.page(state) for sheet in sheets(state.layout, state.lesson)]
    typed = inputs_of(state)
    original: Mapping[str, InputValue] = state.original or restorable(state)
    return [
        *_linked(made, state.lesson),
        spec_page(state),
        restore_page(ORIGINAL, typed, original),
        restore_page(KEPT, typed, state.kept, state.drawn, state.kept_formulas),
    ]


def _check_tries(lesson: Lesson, forms: Forms) -> None:
    """Raise SpecError where a condition of a try, which becomes a formula, is more than a lesson may say."""
    for item in lesson.tries:
        for key, said in (("check", item.check), ("then", item.then)):
            if said and (fault := forms.fault(said)):
                raise SpecError(f"[[try]] at {item.at}: {key} = {said!r}: {fault}")
        if "!" in item.at:
            raise SpecError(f"[[try]]: at = {item.at!r} is no defined name, such as conv1_weight_1_1")


def _linked(made: list[Page], lesson: Lesson) -> list[Page]:
    """Pages in which defined names lead to cells, and are read from them.

    Raises SpecError for the name of a try that is none.
    """
    names = {name: block for page in made for name, block in page.names.items()}
    titles = {page.title: page for page in made}
    _check_tries(lesson, Forms(titles, {name.lower() for name in names}))
    for page in made:
        for at, target in page.links.items():
            if "!" not in target:
                if target not in names:
                    raise SpecError(
                        f"[[try]]: the workbook has no cells called {target!r}{did_you_mean(target, names)}"
                    )
                page.links[at] = names[target].foreign
        for at, targets in page.wheres.items():
            page.replace(*at, value=start.places(targets, names))
        for at, target in page.reads.items():
            if target not in names:
                raise SpecError(f"[[try]]: see = {target!r}: there is no such cell{did_you_mean(target, names)}")
            block = names[target]
            values = np.array([titles[block.sheet].value(*one) for one in block.positions()], dtype=object)
            shown = start.result(block, values.reshape(block.shape))
            page.replace(*at, value=shown.value, formula=shown.formula)
            widgets.heighten(page, at[0], at[1], at[1], str(shown.value))
            _, look = titles[block.sheet].look(block.row, block.column)
            if block.shape == (1, 1) and look and not look.format.endswith(";"):  # that would leave small numbers out
                page.replace(*at, style=replace(page.singles[at].style, format=look.format))
    return made
