"""Hatchling's hook that makes the description on PyPI of README.md: see `[tool.hatch.metadata]` in pyproject.toml."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PICTURE = re.compile(r"^!\[[^]]*\]\((?!https?:)[^)]*\)\n+", re.MULTILINE)
_LINK = re.compile(r"\[([^]]*)\]\((?!https?:|#)[^)]*\)")


def standalone(text: str) -> str:
    r"""Markdown without pictures and links to files beside it: on PyPI there are none.

    >>> standalone("![a digit](docs/a.png)\n\nThe [docs](docs/a.md) and [NumPy](https://numpy.org).")
    'The docs and [NumPy](https://numpy.org).'
    """
    return _LINK.sub(r"\1", _PICTURE.sub("", text))


class PyPIReadme(MetadataHookInterface):
    """Puts the description into the metadata of what is built."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `project.readme`."""
        text = standalone(Path(self.root, "README.md").read_text(encoding="utf-8"))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
