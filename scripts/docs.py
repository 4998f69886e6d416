"""Builds the documentation as a site: `make docs`. Its pages and the lessons' own go into build/docs-source first."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from conv_sheet.web import site

_ROOT = Path(__file__).resolve().parents[1]
SOURCE = _ROOT / "build/docs-source"
_WORKBOOKS = "(../workbooks)"
"""What links to the built workbooks in a checkout; on the site each lies beside its lesson."""


def gather(folder: Path) -> None:
    """Copy the pages and pictures of docs/ into a folder, as the site has them."""
    shutil.copytree(_ROOT / "docs", folder, dirs_exist_ok=True)
    for page in folder.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(_WORKBOOKS, "(lessons/index.html)"), encoding="utf-8")


def main() -> int:
    shutil.rmtree(SOURCE, ignore_errors=True)
    gather(SOURCE)
    for path in site.write(SOURCE / "lessons", workbooks=True):
        print(f"wrote {path.relative_to(_ROOT)}")
    command = [sys.executable, "-m", "mkdocs", "build", "--config-file", str(_ROOT / "mkdocs.yml")]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=_ROOT, env=quiet, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
