"""The command line: it parses, calls, prints."""

import contextlib
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from conv_sheet import __version__, lessons
from conv_sheet.errors import ConvSheetError, WorkbookError

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Group(click.Group):
    """Turns our errors into one line and exit code 1; click's own usage errors exit with 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConvSheetError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Group, context_settings=_CONTEXT)
@click.version_option(__version__, "-V", "--version", prog_name="conv-sheet")
def main() -> None:
    r"""Convolutional networks as Excel workbooks of live formulas.

    \b
    Examples:
      conv-sheet build                     the default lesson, as fastai.xlsm
      conv-sheet build --digit 3 --open    another digit, opened when done
      conv-sheet check fastai.xlsm         do its numbers agree with NumPy?
    """


@main.command()
@click.argument("lesson", default=lessons.DEFAULT)
@click.option(
    "-o",
    "--output",
    "out",
    type=click.Path(path_type=Path),
    help="Where to write; .xlsx has no macros. [default: LESSON.xlsm]",
)
@click.option("--image", type=click.Path(path_type=Path), help="A picture, or a .npy file with exact values, as input.")
@click.option("--digit", type=click.IntRange(0, 9), help="One of the sample digits as input.")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights as .npz, named and shaped as in PyTorch.")
@click.option("--seed", type=click.IntRange(0), help="Start from random weights drawn with this seed.")
@click.option("--force", is_flag=True, help="Overwrite the output where it exists.")
@click.option("--open", "open_", is_flag=True, help="Open the workbook when it is written.")
def build(
    lesson: str,
    out: Path | None,
    image: Path | None,
    digit: int | None,
    weights: Path | None,
    seed: int | None,
    force: bool,
    open_: bool,
) -> None:
    r"""Write a network as a workbook of live formulas.

    LESSON is the name of a lesson (see `conv-sheet lessons`) or the path of a spec in TOML.

    \b
    Examples:
      conv-sheet build
      conv-sheet build fastai --image me.png -o me.xlsx
      conv-sheet build mine.toml --weights mine.npz --force
    """
    if image is not None and digit is not None:
        raise click.UsageError("--image and --digit exclude each other")
    if weights is not None and seed is not None:
        raise click.UsageError("--weights and --seed exclude each other")
    chosen = lessons.load(lesson)
    out = out or Path(f"{chosen.name}.xlsm")
    _check_output(out, force)
    network = chosen.network
    tensors = chosen.tensors(seed) if weights is None else network.checked(lessons.load_weights(weights), str(weights))
    if image is None:
        picture = lessons.sample(lessons.DEFAULT_DIGIT if digit is None else digit, network.input_shape)
    else:
        from conv_sheet.images import load_image

        channels, height, width = network.input_shape
        picture, notes = load_image(image, (channels, height, width))
        for note in notes:
            click.echo(f"{image}: {note}")
    from conv_sheet.builder import build as write
    from conv_sheet.contents import Contents

    contents = Contents(network, picture, tensors)
    write(contents, out)
    answer = contents.prediction
    click.echo(f"wrote {out}" + (f": the network says {answer}" if answer else ""))
    if open_:
        click.launch(str(out))


def _check_output(out: Path, force: bool) -> None:
    if out.suffix.lower() not in (".xlsx", ".xlsm"):
        raise WorkbookError(f"{out}: the name of a workbook ends in .xlsm, or in .xlsx for one without buttons")
    if out.is_dir() or not out.parent.is_dir():
        raise WorkbookError(f"{out}: {'this is a folder' if out.is_dir() else f'there is no folder {out.parent}'}")
    if out.exists() and not force:
        raise WorkbookError(f"{out} exists: give --force to overwrite it, or another name with -o")


@main.command("lessons")
def list_lessons() -> None:
    r"""List the lessons.

    \b
    Example:
      conv-sheet lessons
    """
    for name in lessons.names():
        click.echo(f"{name:<16} {lessons.load(name).network.title}")


@main.command()
@click.argument("what", metavar="LESSON|WORKBOOK")
def show(what: str) -> None:
    r"""Print the table of layers of a lesson, a spec or a workbook.

    \b
    Examples:
      conv-sheet show fastai
      conv-sheet show mine.xlsx
    """
    from conv_sheet.summary import as_text

    path = Path(what)
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        from conv_sheet.reader import network_of, read

        network = network_of(read(path))
    else:
        network = lessons.load(what).network
    click.echo(network.title)
    _echo(as_text(network))


@main.command()
@click.argument("workbook", type=click.Path(path_type=Path))
@click.option("--recalculate", is_flag=True, help="Let LibreOffice calculate all formulas first.")
def check(workbook: Path, recalculate: bool) -> None:
    r"""Compare the numbers in a workbook with what NumPy makes of its picture and weights.

    Exits with 1 where they differ, and says for each layer by how much and from which cell on.

    \b
    Examples:
      conv-sheet check fastai.xlsx
      conv-sheet check fastai.xlsx --recalculate
    """
    from conv_sheet.check import check as compare
    from conv_sheet.reader import read

    with contextlib.ExitStack() as stack:
        source = workbook
        if recalculate:
            from conv_sheet import libreoffice

            source = Path(stack.enter_context(tempfile.TemporaryDirectory())) / workbook.name
            libreoffice.recalculate(workbook, source)
        report = compare(read(source))
    _echo(report.lines(str(workbook)))
    if not report.ok:
        raise click.exceptions.Exit(1)


def _button(action: str, workbook: Path, live: bool, libreoffice: bool, seed: int | None = None) -> None:
    """What a button does, to a closed file or through a spreadsheet program."""
    from conv_sheet import actions, recompute

    do = getattr(actions, action)
    notes: list[str] = []
    if live and libreoffice:
        raise click.UsageError("--live and --libreoffice exclude each other")
    if live:
        status = recompute.press(recompute.open_in_excel(workbook), do)
    elif libreoffice:
        from conv_sheet.files import require_closed
        from conv_sheet.libreoffice import connect

        require_closed(workbook)
        with connect(workbook) as book:
            status = recompute.press(book, do)
            book.save()
    else:
        status, notes = recompute.press_closed(workbook, do, seed)
    _echo([status, *notes])


def _where(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that does what a button does."""
    live = click.option("--live", is_flag=True, help="In the workbook that is open in Excel, through xlwings.")
    office = click.option("--libreoffice", is_flag=True, help="In LibreOffice, which recalculates and saves the file.")
    return live(office(click.argument("workbook", type=click.Path(path_type=Path))(command)))


@main.command()
@_where
def recompute(workbook: Path, live: bool, libreoffice: bool) -> None:
    r"""Let NumPy calculate the network in a workbook again: the button Recompute, from a terminal.

    In a closed file only the engine's cells and the stored values of formulas change.

    
    Examples:
      conv-sheet recompute fastai.xlsm
      conv-sheet recompute fastai.xlsm --live
    """
    _button("recompute", workbook, live, libreoffice)


@main.command()
@_where
def reset(workbook: Path, live: bool, libreoffice: bool) -> None:
    r"""Put the lesson's own picture and weights back; once more brings back what was there: the button Reset.

    
    Example:
      conv-sheet reset fastai.xlsm
    """
    _button("reset", workbook, live, libreoffice)


@main.command("random-kernels")
@_where
@click.option("--seed", type=click.IntRange(0, 999_999), help="Draw with this seed instead of the workbook's.")
def random_kernels(workbook: Path, live: bool, libreoffice: bool, seed: int | None) -> None:
    r"""Fill every convolution with small random kernels: the button Random kernels.

    
    Example:
      conv-sheet random-kernels fastai.xlsm --seed 3
    """
    if seed is not None and (live or libreoffice):
        raise click.UsageError("--seed is for closed files; in an open workbook type it into the cell random_seed")
    _button("random_kernels", workbook, live, libreoffice, seed)


@main.command()
@click.argument("workbook", required=False, type=click.Path(path_type=Path))
@click.option("--bind", is_flag=True, help="Make the workbook's buttons call the Python that runs this.")
def doctor(workbook: Path | None, bind: bool) -> None:
    r"""Look for what could keep the buttons from working, on this machine and in a workbook.

    Exits with 1 where something would stop them.

    \b
    Examples:
      conv-sheet doctor
      conv-sheet doctor fastai.xlsm
      conv-sheet doctor fastai.xlsm --bind
    """
    from conv_sheet import doctor as examiner
    from conv_sheet.files import require_closed

    if bind:
        if workbook is None:
            raise click.UsageError("--bind needs the workbook to bind")
        require_closed(workbook)
        click.echo(examiner.bind(workbook))
    findings = examiner.examine(workbook)
    _echo(map(str, findings))
    if any(finding.state == examiner.BAD for finding in findings):
        raise click.exceptions.Exit(1)


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
