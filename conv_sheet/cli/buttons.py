"""Commands that do what the buttons do, and the one that looks after them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from conv_sheet.cli.common import FILE, Whole, echo
from conv_sheet.files import exclusive, require_closed


def _button(action: str, workbook: Path, where: dict[str, Any], seed: int | None = None, **options: Any) -> None:
    """What a button does, to a closed file or through a spreadsheet program.

    LibreOffice would save a file in its own form, without the code names that macros need. So it only calculates, and
    the file gets the same change as a closed one.
    """
    from conv_sheet import actions
    from conv_sheet.office import closed, live

    in_excel, libreoffice, accept = where["live"], where["libreoffice"], where["accept"]
    do = partial(getattr(actions, action), **options)
    notes: list[str] = []
    if in_excel and (libreoffice or accept):
        raise click.UsageError("--live and --libreoffice exclude each other")
    if in_excel:
        status = live.press(live.open_in_excel(workbook), do)
    elif libreoffice or accept:
        from conv_sheet.office.libreoffice import connect

        with connect(workbook, accept) as book:
            status = live.press(book, do)
        if not accept:
            with exclusive(workbook):
                _, notes = closed.press(workbook, do)
    else:
        with exclusive(workbook):
            status, notes = closed.press(workbook, do, seed)
    echo([status, *notes])


def _where(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that does what a button does."""
    in_excel = click.option("--live", is_flag=True, help="In the workbook that is open in Excel, through xlwings.")
    office = click.option("--libreoffice", is_flag=True, help="In LibreOffice, which calculates all formulas.")
    accept = click.option(
        "--accept",
        metavar="PIPE",
        help='In the LibreOffice that runs as `soffice --accept="PIPE;urp;"`; saving is left to you.',
    )
    return in_excel(office(accept(click.argument("workbook", type=FILE)(command))))


@click.command()
@_where
def recompute(workbook: Path, **where: Any) -> None:
    """Let NumPy calculate the network in a workbook again: the button Recompute, from a terminal.

    In a closed file only the engine's cells and the stored values of formulas change.

    \b
    Examples:
      conv-sheet recompute fastai.xlsm
      conv-sheet recompute fastai.xlsm --live
    """
    _button("recompute", workbook, where)


@click.command()
@_where
def reset(workbook: Path, **where: Any) -> None:
    """Put the lesson's own picture and weights back; once more brings back what was there: the button Reset.

    \b
    Example:
      conv-sheet reset fastai.xlsm
    """
    _button("reset", workbook, where)


@click.command("train-step")
@_where
@click.option("--steps", type=Whole(1, 10_000), default=1, show_default=True, help="How many steps to take.")
def train_step(workbook: Path, steps: int, **where: Any) -> None:
    """Take a step of gradient descent: the button Train step of a workbook with a sheet Backprop.

    Picture, target and learning rate are those of the workbook; each step appends its loss to the curve.

    \b
    Examples:
      conv-sheet train-step backprop.xlsm
      conv-sheet train-step backprop.xlsm --steps 10
    """
    _button("train", workbook, where, steps=steps)


@click.command("random-kernels")
@_where
@click.option("--seed", type=Whole(0, 999_999), help="Draw with this seed instead of the workbook's.")
def random_kernels(workbook: Path, seed: int | None, **where: Any) -> None:
    """Fill every convolution with small random kernels: the button Random kernels.

    \b
    Example:
      conv-sheet random-kernels fastai.xlsm --seed 3
    """
    if seed is not None and any(where.values()):
        raise click.UsageError("--seed is for closed files; in an open workbook type it into the cell random_seed")
    _button("random_kernels", workbook, where, seed)


@click.command()
@click.argument("workbook", required=False, type=FILE)
@click.option("--bind", is_flag=True, help="Make the workbook's buttons call the Python that runs this.")
@click.option("--run", "run_", is_flag=True, help="Also try the interpreter that the workbook names, by running it.")
def doctor(workbook: Path | None, bind: bool, run_: bool) -> None:
    """Look for what could keep the buttons from working, on this machine and in a workbook.

    Exits with 1 where something would stop them.

    \b
    Examples:
      conv-sheet doctor
      conv-sheet doctor fastai.xlsm
      conv-sheet doctor fastai.xlsm --bind
    """
    from conv_sheet.office import doctor as examiner

    if bind:
        if workbook is None:
            raise click.UsageError("--bind needs the workbook to bind")
        require_closed(workbook)
        with exclusive(workbook):
            click.echo(examiner.bind(workbook))
    findings = examiner.examine(workbook, run=run_)
    echo(map(str, findings))
    if any(finding.state == examiner.BAD for finding in findings):
        raise click.exceptions.Exit(1)
