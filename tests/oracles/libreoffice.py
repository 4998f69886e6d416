"""LibreOffice: recalculates workbooks, prints them, draws them."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.oracles import OracleError, run

# OOXMLRecalcMode 0 is "always": without it LibreOffice believes the values that a file has stored.
SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
  <item oor:path="/org.openoffice.Office.Calc/Formula/Load">
    <prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop>
  </item>
</oor:items>
"""


def recalculate(paths: Sequence[Path], outdir: Path) -> list[Path]:
    """Every workbook of `paths` as `outdir/<stem>.xlsx`, each formula computed by LibreOffice.

    One call for several workbooks starts LibreOffice once, which takes most of the time.
    """
    return _convert(paths, "xlsx", outdir)


def to_pdf(path: Path, outdir: Path) -> Path:
    """The workbook as it prints, as `outdir/<stem>.pdf`."""
    return _convert([path], "pdf", outdir)[0]


def to_png(path: Path, outdir: Path, dpi: int = 60) -> list[Path]:
    """The workbook's printed pages as pictures, `outdir/<stem>-<page>.png`, first page first."""
    outdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        run("pdftoppm", ["-png", "-r", str(dpi), to_pdf(path, Path(folder)), Path(folder, path.stem)])
        return [Path(shutil.move(page, outdir / page.name)) for page in sorted(Path(folder).glob("*.png"))]


def _convert(paths: Sequence[Path], suffix: str, outdir: Path) -> list[Path]:
    targets = [outdir / f"{path.stem}.{suffix}" for path in paths]
    taken = {path.resolve() for path in paths}
    for target in targets:
        if target.resolve() in taken:
            raise OracleError(f"{target} would be written twice, or over what it is made from")
        taken.add(target.resolve())
        target.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        user = Path(profile, "user")
        user.mkdir()
        (user / "registrymodifications.xcu").write_text(SETTINGS, encoding="utf-8")
        options = [f"-env:UserInstallation={Path(profile).as_uri()}", "--headless", "--convert-to", suffix]
        answer = run("soffice", [*options, "--outdir", outdir, *paths])
    # soffice ends with status 0 even when it could not load a file.
    missing = [target.name for target in targets if not target.exists()]
    if missing:
        raise OracleError(f"LibreOffice did not write {', '.join(missing)}: {answer.err}")
    return targets
