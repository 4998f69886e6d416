"""The command line: it parses, calls, prints. What takes long to import is imported by the command that needs it."""

from typing import Any

import click

from conv_sheet import __version__
from conv_sheet.cli import buttons, training, workbooks
from conv_sheet.errors import ConvSheetError

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
    """Convolutional networks as Excel workbooks of live formulas.

    \b
    Examples:
      conv-sheet build                     the default lesson, as fastai.xlsm
      conv-sheet build --digit 3 --open    another digit, opened when done
      conv-sheet check fastai.xlsm         do its numbers agree with NumPy?
    """


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
