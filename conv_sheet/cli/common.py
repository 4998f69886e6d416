"""What the commands share."""

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conv_sheet.errors import WorkbookError
from conv_sheet.files import BOOKS, check_free

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from conv_sheet.lessons import Source
    from conv_sheet.ops import Array

FILE = click.Path(path_type=Path, readable=False)
"""What may be read is asked where it is read: once, and in our words."""


class Whole(click.IntRange):
    """Whole numbers within limits, by a name that can be read in a sentence."""

    name = "integer"


class Number(click.FloatRange):
    """Finite numbers within limits; NaN is in every range, as it is neither below nor above its ends."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{number} is no number", param, ctx)
        return number


PAGE = ".html"
PICTURES = "PNG, JPEG, GIF, BMP, TIFF, WebP; HEIC with the extra heic"


def complete_lesson(context: click.Context, parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """What a shell offers where a lesson, a spec, a model or a workbook is asked for: lessons, and files."""
    from click.shell_completion import CompletionItem

    from conv_sheet.network.templates import names

    lessons = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
    return [*lessons, CompletionItem(incomplete, type="file")]


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


def weights_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that takes weights from a file."""
    default = "[default: the lesson's own]"
    weights = click.option(
        "--weights", type=FILE, help=f"Weights as .npz or .safetensors, named as in PyTorch. {default}"
    )
    pairs = click.option(
        "--map",
        "pairs",
        metavar="LAYER=NAME",
        multiple=True,
        callback=_pairs,
        help="What the file of weights calls a layer, or one of its tensors, where that cannot be seen; repeatable.",
    )
    return weights(pairs(command))


def _pairs(context: click.Context, parameter: click.Parameter, given: Sequence[str]) -> dict[str, str]:
    """What `--map` says, as names of the file by those of the network."""
    mapping: dict[str, str] = {}
    for pair in given:
        own, equals, theirs = pair.partition("=")
        if not own or not equals:
            raise click.BadParameter(f"{pair!r} is not LAYER=NAME, such as conv1=features.0")
        if own in mapping:
            raise click.BadParameter(f"{own!r} is given twice")
        mapping[own] = theirs
    return mapping


def tensors(
    chosen: "Source", weights: Path | None, pairs: dict[str, str], seed: int | None = None
) -> "dict[str, Array]":
    """Weights from a file, with a line on how they were matched, or the lesson's own."""
    if weights is None:
        if pairs:
            raise click.UsageError("--map says what the file of --weights calls a layer: give that file, too")
        return chosen.tensors(seed)
    from conv_sheet.models import weights_for

    found, notes = weights_for(chosen.network, weights, pairs)
    echo(notes)
    return found
