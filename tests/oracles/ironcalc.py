"""IronCalc: a spreadsheet engine in Rust, from PyPI; the same one runs in browsers.

It reads shared formulas as they are written. It writes no file that the other oracles would read with all their
functions, so that values are asked from it cell by cell.
"""

from collections.abc import Mapping
from pathlib import Path

import ironcalc

from tests.oracles import OracleError
from tests.oracles.cells import Value


def recalculated(path: Path, changes: Mapping[tuple[str, int, int], float] | None = None) -> "Answer":
    """What IronCalc makes of a workbook, each formula computed anew, with other numbers in some cells."""
    try:
        model = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    except ironcalc.WorkbookError as error:
        raise OracleError(f"IronCalc cannot read {path}: {error}") from error
    answer = Answer(model)
    for (sheet, row, column), value in (changes or {}).items():
        model.set_user_input(answer.numbers[sheet], row, column, repr(float(value)))
    model.evaluate()
    return answer


class Answer:
    """A workbook as IronCalc has calculated it."""

    def __init__(self, model: ironcalc.Model) -> None:
        self.model = model
        self.numbers = {sheet["name"]: number for number, sheet in enumerate(model.get_worksheets_properties())}

    def value(self, sheet: str, row: int, column: int) -> Value | None:
        """What a cell shows; None for an empty one."""
        value: Value | None = self.model.get_cell_value(self.numbers[sheet], row, column)
        if isinstance(value, str) and value.startswith("#"):
            raise OracleError(f"IronCalc shows {value} in {sheet}, row {row}, column {column}")
        return value
