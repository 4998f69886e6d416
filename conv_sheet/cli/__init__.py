"""The command line: it parses, calls, prints. What takes long to import is imported by the command that needs it."""

from typing import Any

import click

from conv_sheet import __version__
from conv_sheet.cli import buttons, training, workbooks
from conv_sheet.errors import ConvSheetError, one_line

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Misuse(click.ClickException):
    """One line for what click would say in four."""

    exit_code = 2

    def __init__(self, error: click.UsageError, command: str) -> None:
        said = one_line(error.format_message()).rstrip(".")
        super().__init__(f"{said} (see {command} --help)")


class _Group(click.Group):
    """Turns errors into one line: ours with exit code 1, those of who types a command with 2."""

    def make_context(self, info_name: str | None, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(info_name, *args, **extra)
        except click.UsageError as error:
            raise _Misuse(error, str(info_name)) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            command = " ".join(filter(None, (ctx.command_path, ctx.invoked_subcommand)))
            raise _Misuse(error, command) from None
        except ConvSheetError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Group, context_settings=_CONTEXT, invoke_without_command=True)
@click.version_option(__version__, "-V", "--version", prog_name="conv-sheet")
@click.pass_context
def main(context: click.Context) -> None:
    """Convolutional networks as Excel workbooks of live formulas.

    \b
    Examples:
      conv-sheet build                     the default lesson, as fastai.xlsm
      conv-sheet build --digit 3 --open    another digit, opened when done
      conv-sheet check fastai.xlsm         do its numbers agree with NumPy?
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (
    *(workbooks.build, workbooks.new, workbooks.web, workbooks.list_lessons, workbooks.show, workbooks.check),
    workbooks.export,
    *(buttons.recompute, buttons.reset, buttons.random_kernels, buttons.train_step, buttons.doctor),
    *(training.train, training.evaluate),
):
    main.add_command(command)


def run() -> int:
    """Run the command line with the arguments of the process, and return its exit code.

    Errors of its user are printed. What is none is raised: Ctrl-C as KeyboardInterrupt, of which click would make
    `Aborted!` and 1; a file that ends too early, of which it would make the same, as the EOFError that it is.
    """
    try:
        status = main.main(prog_name="conv-sheet", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as error:
        raise error.__cause__ or KeyboardInterrupt() from None
    return status if isinstance(status, int) else 0
