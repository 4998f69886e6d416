"""The hidden sheet `Spec`: the network's TOML, a line a cell, so that the file describes itself."""

from conv_sheet import style
from conv_sheet.network import Network
from conv_sheet.sheets.page import Page

SPEC = "Spec"


def page(network: Network) -> Page:
    """The sheet, with the spec in column A."""
    sheet = Page(SPEC, hidden=True, widths={1: 100})
    for row, line in enumerate(network.to_toml().splitlines(), 1):
        sheet.put(row, 1, line, style.SPEC)
    return sheet
