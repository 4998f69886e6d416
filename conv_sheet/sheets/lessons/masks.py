"""The sheet `Masks`: a hundred masks of the map that `Dropout` shows, one a row, and what each does to the sum."""

from conv_sheet.cells import style, widgets
from conv_sheet.cells.page import Page
from conv_sheet.ops import Array
from conv_sheet.sheets.lessons.dropout import MASKS, MASKS_NAME, Blocks, blocks_of, masks_of
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState

_LINES = (
    "The first row has the values of the map that the sheet Dropout shows, one row of it after the other. Below, every "
    "row is a mask, green where it keeps a value.",
    "The seed s of a mask and the number n of a value give b = (271,828 · s + 314,159 · n) mod 1,048,571 and a random "
    "r = (b³ mod 1,048,571) / 1,048,571; where r < p, the value is dropped.",
    "Whole numbers of this size are exact in every spreadsheet program: the same seed makes the same mask everywhere.",
)
_HEADS = {"kept": style.TINY, "sum": style.TINY_TENTHS, "change": style.TINY_CHANGE}
_WIDTH = 8.0
_HEADS_HEIGHT = 14.0
_ZOOM = 70


def page(state: WorkbookState) -> Page:
    """The sheet."""
    blocks = blocks_of(state.layout, state.lesson)
    values, masks = blocks.values, blocks.masks
    results = [blocks.result(number) for number in range(len(_HEADS))]
    sheet = Page(MASKS, zoom=_ZOOM, freeze=f"C{masks.row}")
    sheet.widths = {1: 1.5, 2: _WIDTH} | dict.fromkeys(range(values.column, values.last_column + 2), style.DOT_WIDTH)
    sheet.widths |= {block.column: _WIDTH for block in results}
    sheet.heights = dict.fromkeys(range(values.row, masks.last_row + 1), style.DOT_HEIGHT)
    sheet.heights[values.row] = _HEADS_HEIGHT
    widgets.head(sheet, "A hundred masks for one map", _LINES, results[-1].column)
    made = masks_of(sheet, state, blocks)
    _values(sheet, blocks, made.values)
    for block, numbers, look in ((blocks.indices, made.indices, style.DOT), (blocks.seeds, made.seeds, style.TINY)):
        for at, number in zip(block.positions(), numbers, strict=True):
            sheet.put(*at, number, look)
    sheet.fill(masks, made.masks, style.DOT)
    sheet.scales.append(((masks,), style.PROBABILITY_SCALE))
    sheet.names["dropout_masks"] = masks
    for block, content, (head, look) in zip(results, (made.kept, made.after, made.change), _HEADS.items(), strict=True):
        sheet.put(values.row, block.column, head, style.TINY)
        sheet.fill(block, content, look)
    return sheet


def _values(sheet: Page, blocks: Blocks, values: Array) -> None:
    """The map in one row, a row of it after the other."""
    block, plane = blocks.values, blocks.planes[0]
    for y, line in enumerate(values):
        source = plane.part(y, 0, 1, plane.width)
        sheet.fill(block.part(0, y * plane.width, 1, plane.width), sheet.each(source, line), style.DOT)
    sheet.scales.append(((block,), style.WARM_SCALE))
    sheet.put(block.row, blocks.seeds.column, "values", style.TINY)


SHEET = Sheet(MASKS, page, MASKS_NAME)
