"""Commands that make, show and check workbooks."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conv_sheet.cli.common import (
    FILE,
    PAGE,
    PICTURES,
    Whole,
    check_output,
    complete_lesson,
    echo,
    tensors,
    weights_options,
)
from conv_sheet.errors import DataError, SpecError
from conv_sheet.files import BOOKS, atomic_write, check_free, require_regular

if TYPE_CHECKING:
    from conv_sheet.network.graph import Network
    from conv_sheet.ops import Array


_OPENING_SECONDS = 2
_MOST_NAMES = 1 << 20
"""Bytes of a file with names of classes."""


@click.command()
@click.argument("lesson", default="fastai", shell_complete=complete_lesson)
@click.option(
    "-o",
    "--output",
    "out",
    type=FILE,
    help="Where to write; .xlsx has no macros, .html is a page for a browser. [default: LESSON.xlsm]",
)
@click.option("--image", type=FILE, help=f"A picture ({PICTURES}), or a .npy file with exact values, as input.")
@click.option("--digit", type=Whole(0, 9), help="One of the sample digits as input.")
@weights_options
@click.option("--seed", type=Whole(0), help="Start from random weights drawn with this seed.")
@click.option("--classes", help="Names of the classes, with commas between them, or a text file with one in each line.")
@click.option("--from", "old", type=FILE, help="Take network, picture, weights and choices from this workbook.")
@click.option("--backprop", is_flag=True, help="Show backpropagation, too: every gradient as a formula.")
@click.option("--worksheet", is_flag=True, help="Add a sheet to print and fill by hand, with a page of answers.")
@click.option("--max-cells", type=Whole(1), help="Refuse a workbook of more cells. [default: 2,000,000]")
@click.option("--force", is_flag=True, help="Overwrite the output where it exists.")
@click.option("--open", "open_", is_flag=True, help="Open the workbook when it is written.")
@click.pass_context
def build(
    context: click.Context,
    lesson: str,
    out: Path | None,
    image: Path | None,
    digit: int | None,
    weights: Path | None,
    pairs: dict[str, str],
    seed: int | None,
    classes: str | None,
    old: Path | None,
    backprop: bool,
    worksheet: bool,
    max_cells: int | None,
    force: bool,
    open_: bool,
) -> None:
    """Write a network as a workbook of live formulas, or as a page that calculates them in a browser.

    LESSON is the name of a lesson (see `conv-sheet lessons`), the path of a spec in TOML, or the path of a model:
    PyTorch's .pt2, .onnx or .keras.

    \b
    Examples:
      conv-sheet build
      conv-sheet build fastai --image me.png -o me.xlsx
      conv-sheet build fastai -o fastai.html
      conv-sheet build fastai --worksheet -o print-me.xlsx
      conv-sheet build mine.toml --weights mine.npz --map conv1=features.0 --force
      conv-sheet build mine.onnx --classes cat,dog
      conv-sheet build --from old.xlsm -o new.xlsm
    """
    _exclude(image=image, digit=digit)
    _exclude(weights=weights, seed=seed)
    from conv_sheet import builder, estimate, lessons
    from conv_sheet.sheets import worksheet as paper

    if old is not None:
        given = context.get_parameter_source("lesson") is not click.core.ParameterSource.DEFAULT
        if (
            given
            or backprop
            or worksheet
            or any(option is not None for option in (image, digit, weights, seed, classes))
        ):
            raise click.UsageError("--from takes everything from the workbook: give only --output, --force and --open")
        from conv_sheet.opening import read_any

        out = out or old.with_name(f"{old.stem}-new{old.suffix}")
        check_output(out, force, page=True)
        name, state = old.stem, read_any(old)
    else:
        chosen = lessons.load(lesson)
        if classes is not None:
            chosen = lessons.with_classes(chosen, _names(classes))
        name = chosen.name
        out = out or Path(f"{chosen.name}.xlsm")
        check_output(out, force, page=True)
        echo(f"{lesson}: {note}" for note in chosen.notes)
        about = replace(chosen.lesson, backprop=True) if backprop else chosen.lesson
        if worksheet:
            about = replace(about, sheets=tuple(dict.fromkeys((*about.sheets, paper.NAME))))
        own = None if image is None else _picture(image, chosen.network)
        state = lessons.first_state(chosen.network, about, tensors(chosen, weights, pairs, seed), own, digit)
    costs = estimate.estimate(state)
    estimate.require_cells(costs, max_cells or estimate.MOST_CELLS)
    long = costs.seconds >= estimate.LONG
    if out.suffix.lower() == PAGE:
        from conv_sheet.web import page

        page.write(state, out, name)
    else:
        if long:
            click.echo(costs, err=True)
        with _building_bar(long and sys.stderr.isatty()) as progress:
            builder.build(state, out, progress)
    click.echo(f"wrote {out}" + (f": the network says {state.prediction}" if state.prediction else ""))
    if open_:
        _open(out)


@contextlib.contextmanager
def _building_bar(shown: bool) -> Iterator[Callable[[float], None]]:
    """What shows how much of a workbook is built: a bar with the time left, on standard error."""
    if not shown:
        yield lambda _: None
        return
    with click.progressbar(length=1000, label="building", file=sys.stderr) as bar:
        yield lambda share: bar.update(round(share * 1000) - bar.pos)


def _open(path: Path) -> None:
    """Open a file in the program that the system has for it."""
    if sys.platform in ("win32", "darwin"):
        failed = click.launch(str(path)) != 0
    else:
        import subprocess

        no = subprocess.DEVNULL
        try:
            opener = subprocess.Popen(["xdg-open", path], stdin=no, stdout=no, stderr=no, start_new_session=True)
            failed = opener.wait(_OPENING_SECONDS) != 0
        except FileNotFoundError:
            failed = True
        except subprocess.TimeoutExpired:  # it is the program itself, which runs until it is closed
            failed = False
    if failed:
        click.echo(f"no program opened {path}: open it yourself", err=True)


def _exclude(**options: object) -> None:
    if all(value is not None for value in options.values()):
        raise click.UsageError(f"{' and '.join(f'--{name}' for name in options)} exclude each other")


def _names(said: str) -> list[str]:
    """Names that stand in a text file, a line each, or with commas between them.

    >>> _names("cat, dog")
    ['cat', 'dog']
    """
    named = said.lower().endswith(".txt") or os.path.isfile(said)  # pathlib raises where a text is too long for a name
    if not named:
        return [name.strip() for name in said.split(",")]
    require_regular(Path(said), DataError, _MOST_NAMES)
    try:
        return [line.strip() for line in Path(said).read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise DataError(f"{said} is not a text in UTF-8 with the name of a class in each line") from None


def _picture(path: Path, network: "Network") -> "Array":
    """The user's picture (C, H, W), with a line for each thing that was done to it, and one if it is no digit's."""
    from conv_sheet.pictures.digits import unlike_digits
    from conv_sheet.pictures.reading import load_image

    channels, height, width = network.input_shape
    image, notes = load_image(path, (channels, height, width))
    unlike = unlike_digits(image) if network.classes == tuple("0123456789") else None
    echo(f"{path}: {note}" for note in (*notes, *([unlike] if unlike else [])))
    return image


@click.command()
@click.argument("workbook", type=FILE)
@click.option("-o", "--output", "out", type=FILE, required=True, help="Where to write; the name says what.")
@click.option("--force", is_flag=True, help="Overwrite what is written where it exists.")
def export(workbook: Path, out: Path, force: bool) -> None:
    """Write the network of a workbook, with what was changed in it, for other programs.

    The name of the output says what is written: .onnx a model, .npz or .safetensors the weights by the names of the
    model that the network was read from, .toml the spec, .py code for PyTorch with its weights beside it, in a file
    whose name ends in .weights.npz.

    \b
    Examples:
      conv-sheet export fastai.xlsm -o fastai.onnx
      conv-sheet export mine.xlsx -o mine.npz --force
    """
    from conv_sheet.models import writing
    from conv_sheet.opening import read

    for path in writing.written(out):
        check_free(path, force)
    state = read(workbook)
    writing.export(out, state.network, state.lesson, state.tensors)
    echo(f"wrote {path}" for path in writing.written(out))


@click.command()
@click.argument("folder", type=FILE)
@click.option("--workbooks", is_flag=True, help="Write each lesson as .xlsx, too, and link to it on its page.")
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
def web(folder: Path, workbooks: bool, force: bool) -> None:
    """Write every lesson as a page for a browser, and a first page that leads to them.

    FOLDER is made where it is not there. What it holds then can be opened by a double click, or lie on any host of
    static files.

    \b
    Examples:
      conv-sheet web site
      conv-sheet web site --workbooks --force
    """
    from conv_sheet.web import site

    for path in site.write(folder, workbooks, force):
        click.echo(f"wrote {path}")


@click.command()
@click.argument("spec", type=FILE)
@click.option("--force", is_flag=True, help="Overwrite the file where it exists.")
def new(spec: Path, force: bool) -> None:
    """Write a spec to begin with: a small network that can be built as it is, with a comment for each key.

    \b
    Example:
      conv-sheet new mine.toml
    """
    from conv_sheet.network.templates import first_spec

    if spec.suffix.lower() != ".toml":
        raise SpecError(f"{spec}: the name of a spec ends in .toml")
    check_free(spec, force)
    with atomic_write(spec) as temporary:
        temporary.write_text(first_spec(), encoding="utf-8", newline="\n")
    click.echo(f"wrote {spec}: conv-sheet build {spec} makes a workbook of it, with random weights")


@click.command("lessons")
def list_lessons() -> None:
    """List the lessons.

    \b
    Example:
      conv-sheet lessons
    """
    from conv_sheet import lessons

    for name in lessons.names():
        click.echo(f"{name:<16} {lessons.load(name).lesson.title}")


@click.command()
@click.argument("what", metavar="LESSON|WORKBOOK", shell_complete=complete_lesson)
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON, for programs.")
def show(what: str, as_json: bool) -> None:
    """Print the table of layers of a lesson, a spec or a workbook.

    \b
    Examples:
      conv-sheet show fastai
      conv-sheet show mine.xlsx
      conv-sheet show mine.onnx --json
    """
    from conv_sheet import lessons
    from conv_sheet.network.summary import as_records, as_text

    if Path(what).suffix.lower() in BOOKS:
        from conv_sheet.opening import read_spec

        spec = read_spec(Path(what))
        network, lesson = spec.network, spec.lesson
    else:
        source = lessons.load(what)
        network, lesson = source.network, source.lesson
    if as_json:
        import json

        layers = as_records(network)
        click.echo(json.dumps({"title": lesson.title, "classes": network.classes, "layers": layers}, indent=2))
        return
    click.echo(lesson.title)
    echo(as_text(network))


@click.command()
@click.argument("workbook", type=FILE)
@click.option("--recalculate", is_flag=True, help="Let LibreOffice calculate all formulas first.")
def check(workbook: Path, recalculate: bool) -> None:
    """Compare the numbers and the formulas in a workbook with what NumPy makes of its picture and weights.

    Exits with 1 where they differ, and says for each layer by how much and from which cell on.

    \b
    Examples:
      conv-sheet check fastai.xlsx
      conv-sheet check fastai.xlsx --recalculate
    """
    from conv_sheet.checks import check as compare

    with contextlib.ExitStack() as stack:
        source = workbook
        if recalculate:
            import tempfile

            from conv_sheet.office import libreoffice
            from conv_sheet.xlsx.package import Package

            Package.open(workbook)  # what is no workbook is named as the user gave it
            source = Path(stack.enter_context(tempfile.TemporaryDirectory())) / workbook.name
            libreoffice.recalculate(workbook, source)
        report = compare(source)
    echo(report.lines(str(workbook)))
    if not report.ok:
        raise click.exceptions.Exit(1)
