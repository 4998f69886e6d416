"""The button's function over another engine of xlwings, the remote one, which hands back what it was told to write."""

from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from openpyxl.utils import get_column_letter

from conv_sheet import actions
from conv_sheet.errors import WorkbookError
from conv_sheet.office.live import press
from conv_sheet.sheets import registry
from conv_sheet.sheets.addresses import STATUS
from conv_sheet.state import WorkbookState
from tests.networks import changed, small, state_of, written


def remote(path: Path, typed: dict[str, float | str]) -> Any:
    """The workbook as an Office.js client would send it, with some cells typed over."""
    import xlwings

    book = openpyxl.load_workbook(path, data_only=True)
    for address, value in typed.items():
        sheet, cell = address.split("!")
        book[sheet][cell] = value
    titles = book.sheetnames
    names = []
    for name, defined in book.defined_names.items():
        ((title, area),) = defined.destinations
        names.append(
            {
                "name": name,
                "sheet_index": titles.index(title),
                "address": area.replace("$", ""),
                "scope_sheet_name": None,
                "scope_sheet_index": None,
                "book_scope": True,
                "refers_to": f"={defined.attr_text}",
            }
        )
    sheets = [
        {
            "name": sheet.title,
            "values": [["" if v is None else v for v in row] for row in sheet.iter_rows(values_only=True)],
            "pictures": [],
            "tables": [],
        }
        for sheet in book
    ]
    payload = {
        "client": "Office.js",
        "version": xlwings.__version__,
        "book": {"name": path.name, "active_sheet_index": 0, "selection": "A1"},
        "names": names,
        "sheets": sheets,
    }
    return xlwings.Book(json=payload)


def writes(book: Any) -> dict[str, Any]:
    """Values by address, one entry a write."""
    found: dict[str, Any] = {}
    for action in book.json()["actions"]:
        assert action["func"] == "setValues"
        cell = f"{get_column_letter(action['start_column'] + 1)}{action['start_row'] + 1}"
        address = f"{book.sheets[action['sheet_position']].name}!{cell}"
        assert address not in found
        found[address] = action["values"]
    return found


@pytest.fixture
def state() -> WorkbookState:
    return state_of(small())


def test_one_write_a_block_and_nothing_else(state: WorkbookState, tmp_path: Path) -> None:
    other, typed = changed(state)
    book = remote(written(tmp_path, state), dict(typed))
    status = press(book, actions.recompute)
    found = writes(book)
    for _, placed, value in registry.engine_blocks(other):
        for block, plane in zip(placed.blocks, placed.planes(value), strict=True):
            np.testing.assert_allclose(found.pop(block.other()), plane, rtol=0, atol=1e-12)
    assert found == {STATUS.other(): [[status]]}


def test_nothing_but_the_status_is_written_on_an_error(state: WorkbookState, tmp_path: Path) -> None:
    cell = state.layout.input.blocks[1].other(2, 2)
    book = remote(written(tmp_path, state), {cell: "ink"})
    with pytest.raises(WorkbookError, match=f"^{cell} holds 'ink'"):
        press(book, actions.recompute)
    ((address, ((said,),)),) = writes(book).items()
    assert address == STATUS.other()
    assert cell in said
