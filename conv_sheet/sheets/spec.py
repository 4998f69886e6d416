"""The hidden sheet `Spec`: the workbook's spec in TOML, a line a cell, so that the file describes itself."""

from conv_sheet.cells import style
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page
from conv_sheet.network.spec import Spec

SPEC = "Spec"


def page(spec: Spec) -> Page:
    """The sheet, with the spec in column A."""
    sheet = Page(SPEC, hidden=True, widths={1: 100})
    lines = spec.to_toml().splitlines()
    sheet.names["spec"] = Block(SPEC, 1, 1, len(lines), 1)
    for row, line in enumerate(lines, 1):
        sheet.put(row, 1, line, style.SPEC)
    return sheet
