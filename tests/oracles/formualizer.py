"""formualizer: a formula engine in Rust, from PyPI."""

from pathlib import Path

import formualizer

from tests.oracles import OracleError


def recalculate(path: Path, out: Path) -> Path:
    """The workbook `path` as `out` (an .xlsx), each formula computed by formualizer."""
    out.unlink(missing_ok=True)
    summary = formualizer.recalculate_file(str(path), output=str(out))
    if summary["status"] != "success":
        raise OracleError(f"formualizer finds errors in {path}: {summary['error_summary']}")
    return out
