"""What the commands share."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conv_sheet.errors import WorkbookError
from conv_sheet.files import check_free

if TYPE_CHECKING:
    from conv_sheet.lessons import Source
    from conv_sheet.ops import Array

FILE = click.Path(path_type=Path)
BOOKS = (".xlsx", ".xlsm")
PAGE = ".html"
PICTURES = "PNG, JPEG, GIF, BMP, TIFF, WebP; HEIC with the extra heic"


def echo(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        click.echo(line)


def check_output(out: Path, force: bool, page: bool = False) -> None:
    """Refuse early a workbook, or a page, that could not be written, or whose name says something else."""
    if out.suffix.lower() not in (*BOOKS, *([PAGE] if page else [])):
        other = f"; that of a page for a browser in {PAGE}" if page else ""
        raise WorkbookError(f"{out}: the name of a workbook ends in .xlsm, or in .xlsx for one without buttons{other}")
    check_free(out, force)


def tensors(chosen: "Source", weights: Path | None, seed: int | None = None) -> "dict[str, Array]":
    """Weights from a file, or the lesson's own."""
    if weights is None:
        return chosen.tensors(seed)
    from conv_sheet.models import read_weights
    from conv_sheet.network.weights import checked

    return checked(chosen.network, read_weights(weights), str(weights))
