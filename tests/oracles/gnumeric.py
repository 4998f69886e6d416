"""Gnumeric: recalculates workbooks."""

from pathlib import Path

from tests.oracles import OracleError, run


def recalculate(path: Path, out: Path) -> Path:
    """The workbook `path` as `out` (an .xlsx), each formula computed by Gnumeric."""
    out.unlink(missing_ok=True)
    # Left to guess, Gnumeric reads a broken workbook as a text file and reports success.
    formats = ["--import-type=Gnumeric_Excel:xlsx", "--export-type=Gnumeric_Excel:xlsx2"]
    answer = run("ssconvert", ["--recalc", *formats, path, out])
    if not out.exists():
        raise OracleError(f"Gnumeric did not write {out}: {answer.err}")
    return out
