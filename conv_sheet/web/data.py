"""The pages of a workbook as the data of a page in a browser; `data.js` says what each part means."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from conv_sheet.cells.drawn import Points
from conv_sheet.cells.forms import Forms
from conv_sheet.cells.grid import Block, corner
from conv_sheet.cells.inputs import Input
from conv_sheet.cells.page import Mark, Page
from conv_sheet.cells.style import Scale, Style
from conv_sheet.cells.widgets import pixel_limits
from conv_sheet.cells.words import in_browser
from conv_sheet.sheets import registry
from conv_sheet.sheets.addresses import KEPT, ORIGINAL, SPEC
from conv_sheet.state import WorkbookState
from conv_sheet.web.blocks import Json, contents, place
from conv_sheet.web.lesson import about

_FILES_OWN = {SPEC, ORIGINAL, KEPT}
"""Sheets with which a file describes itself, and that no formula reads."""
_PICTURES = tuple(map(pixel_limits, (1, 3)))
"""What may be typed into a picture."""
_USUAL = Style()


def data(state: WorkbookState, name: str, workbook: str | None = None) -> Json:
    """Everything that the page of a lesson holds; `workbook` is the address of the same as a workbook.

    Raises WorkbookError, with sheet and cell, where the page cannot calculate a formula.
    """
    pages = [page for page in registry.pages(state) if page.title not in _FILES_OWN]
    names = {name: block for page in pages for name, block in page.names.items()}
    forms = Forms({page.title for page in pages}, {name.lower() for name in names})
    looks = _Looks()
    made = [_sheet(page, looks, forms) for page in pages]
    typed = (known for item in registry.inputs_of(state) for known, _ in item.placed.names())
    return {
        "lesson": name,
        "title": in_browser(state.lesson.title),
        "description": in_browser(state.lesson.description),
        **({"workbook": workbook} if workbook else {}),
        "styles": looks.styles,
        "sheets": made,
        "names": {name: located(block) for name, block in names.items()},
        "inputs": list(typed),
        **about(state, pages, names, forms),
    }


def located(block: Block) -> list[Any]:
    """A place with the title of its sheet."""
    return [block.sheet, *place(block)]


class _Looks:
    """The styles of a page, each once, in the order of first use; of each what is not as usual."""

    def __init__(self) -> None:
        self.numbers: dict[Style, int] = {}

    def __call__(self, style: Style) -> int:
        return self.numbers.setdefault(style, len(self.numbers))

    @property
    def styles(self) -> list[Json]:
        return [_differing(style) for style in self.numbers]


def _differing(style: Style) -> Json:
    values = {field.name: getattr(style, field.name) for field in fields(style)}
    return {name: value for name, value in values.items() if value != getattr(_USUAL, name)}


def _sheet(page: Page, look: _Looks, forms: Forms) -> Json:
    """A sheet; what is empty or as usual is left out."""

    def require(formula: str, what: str) -> str:
        forms.require(formula, f"{page.title}!{what}")
        return formula

    counted = {spinner.item.name: {"count": list(spinner.item.bounds)} for spinner in page.spinners}
    made = {
        "title": page.title,
        "hidden": page.hidden,
        "zoom": page.zoom,
        "freeze": _above(page.freeze),
        "board": page.board_rows,
        "width": page.default_width,
        "height": page.default_height,
        "widths": _runs(page.widths),
        "heights": _runs(page.heights),
        **contents(page, look, forms.require),
        "merges": [place(block) for block in page.merges],
        "scales": [_scale(blocks, scale) for blocks, scale in page.scales],
        "marks": [_mark(mark, require) for mark in page.marks if mark.blocks[0].sheet == page.title],
        "verdicts": [{"at": place(v.block), "formula": require(v.formula, v.block.cell())} for v in page.verdicts],
        "palettes": [
            {"blocks": [place(block) for block in palette.blocks], "colours": list(palette.colours)}
            for palette in page.palettes
        ],
        "validations": [_rule(item) | counted.get(item.name, {}) for item in page.inputs],
        "links": [[row, column, target.removeprefix("#")] for (row, column), target in page.links.items()],
        "charts": [*_bars(page), *_lines(page)],
    }
    return {key: value for key, value in made.items() if value and not (key == "zoom" and value == 100)}


def _above(freeze: str | None) -> list[int] | None:
    """How many rows and columns stay in sight above and beside a cell."""
    if freeze is None:
        return None
    row, column = corner(freeze)
    return [row - 1, column - 1]


def _runs(sizes: Mapping[int, float]) -> list[list[float]]:
    """First, last and size of neighbours that have the same size.

    >>> _runs({1: 2.0, 2: 3.7, 3: 3.7, 5: 3.7})
    [[1, 1, 2.0], [2, 3, 3.7], [5, 5, 3.7]]
    """
    runs: list[list[float]] = []
    for at, size in sorted(sizes.items()):
        if runs and runs[-1][1] == at - 1 and runs[-1][2] == size:
            runs[-1][1] = at
        else:
            runs.append([at, at, size])
    return runs


def _scale(blocks: Iterable[Block], scale: Scale) -> Json:
    made = {"blocks": [place(block) for block in blocks], "high": scale.high, "low": scale.low, "top": scale.top}
    return {key: value for key, value in made.items() if value is not None}


def _mark(mark: Mark, require: Any) -> Json:
    first = mark.blocks[0]
    formula = require(mark.formula, f"{first.cell()} (a conditional format)")
    made = {"blocks": [place(block) for block in mark.blocks], "formula": formula}
    looks = {"fill": mark.fill, "line": mark.line, "color": mark.color, "hatch": mark.hatch}
    return made | {key: value for key, value in looks.items() if value is not None}


def _rule(item: Input) -> Json:
    """What may be typed into an input."""
    limits = item.limits
    made: Json = {
        "blocks": [place(block) for block in item.placed.blocks],
        "title": item.name,
        "hint": in_browser(limits.hint),
        "error": f"{item.name} takes {'one of the list' if item.is_text else limits.takes}.",
    }
    if limits.choices:
        made["choices"] = item.listed.reference if item.listed else [str(choice) for choice in limits.choices]
        return made
    made |= {"low": limits.low, "high": limits.high}
    return made | {key: True for key, said in (("whole", limits.whole), ("draw", limits in _PICTURES)) if said}


def _chart(kind: str, anchor: str, series: list[Json], size: Sequence[float]) -> Json:
    width, height = size
    return {"kind": kind, "series": series, "at": list(corner(anchor)), "width": width, "height": height}


def _series(values: Block, labels: Block) -> Json:
    return {"values": located(values), "labels": located(labels)}


def _bars(page: Page) -> list[Json]:
    return [
        _chart("bars", bars.anchor, [_series(bars.values, bars.labels)], (bars.width, bars.height))
        | {"title": bars.title, "shares": bars.shares}
        for bars in page.bars
    ]


def _lines(page: Page) -> list[Json]:
    return [
        _chart("line", line.anchor, [*map(_points, line.points)], (line.width, line.height))
        | {"title": line.title, "top": line.top, "decades": line.decades and list(line.decades), "low": line.low[1]}
        for line in page.lines
    ]


def _points(points: Points) -> Json:
    look = {"label": points.label, "color": points.color, "line": points.line}
    return _series(points.values, points.numbers) | look
