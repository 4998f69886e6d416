"""formualizer: a formula engine in Rust, from PyPI."""

from pathlib import Path

import formualizer
import openpyxl

from tests.oracles import OracleError


def recalculate(path: Path, out: Path) -> Path:
    """The workbook `path` as `out` (an .xlsx), each formula computed by formualizer.

    formualizer 0.11 to 0.13 gives #VALUE! for some shared formulas, so each cell gets its own first.
    """
    openpyxl.load_workbook(path).save(out)
    summary = formualizer.recalculate_file(str(out), output=str(out))
    if summary["status"] != "success":
        raise OracleError(f"formualizer finds errors in {path}: {summary['error_summary']}")
    return out
