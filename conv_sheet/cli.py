"""The command line: it parses, calls, prints."""

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conv_sheet import __version__, lessons
from conv_sheet.errors import ConvSheetError, DataError, WorkbookError

if TYPE_CHECKING:
    from conv_sheet.layers import Array
    from conv_sheet.learning.train import Progress
    from conv_sheet.network.graph import Network

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
@click.option("--backprop", is_flag=True, help="Show how the network learns, too: every gradient as a formula.")
@click.option("--force", is_flag=True, help="Overwrite the output where it exists.")
@click.option("--open", "open_", is_flag=True, help="Open the workbook when it is written.")
def build(
    lesson: str,
    out: Path | None,
    image: Path | None,
    digit: int | None,
    weights: Path | None,
    seed: int | None,
    backprop: bool,
    force: bool,
    open_: bool,
) -> None:
    """Write a network as a workbook of live formulas.

    LESSON is the name of a lesson (see `conv-sheet lessons`) or the path of a spec in TOML.

    \b
    Examples:
      conv-sheet build
      conv-sheet build fastai --image me.png -o me.xlsx
      conv-sheet build mine.toml --weights mine.npz --force
      conv-sheet build mine.toml --backprop
    """
    if image is not None and digit is not None:
        raise click.UsageError("--image and --digit exclude each other")
    if weights is not None and seed is not None:
        raise click.UsageError("--weights and --seed exclude each other")
    chosen = lessons.load(lesson)
    out = out or Path(f"{chosen.name}.xlsm")
    _check_output(out, force)
    if backprop:
        chosen = replace(chosen, lesson=replace(chosen.lesson, backprop=True))
    network = chosen.network
    tensors = chosen.tensors(seed) if weights is None else _weights(network, weights)
    own = None
    if image is not None:
        from conv_sheet.pictures.reading import load_image

        channels, height, width = network.input_shape
        own, notes = load_image(image, (channels, height, width))
        for note in notes:
            click.echo(f"{image}: {note}")
    from conv_sheet.builder import build as write

    contents = lessons.first_contents(network, chosen.lesson, tensors, own, digit)
    write(contents, out)
    answer = contents.prediction
    click.echo(f"wrote {out}" + (f": the network says {answer}" if answer else ""))
    if open_:
        click.launch(str(out))


def _weights(network: "Network", path: Path) -> "dict[str, Array]":
    """Weights of the user's, checked to fit."""
    from conv_sheet.network.weights import checked, load

    return checked(network, load(path), str(path))


def _check_output(out: Path, force: bool) -> None:
    if out.suffix.lower() not in (".xlsx", ".xlsm"):
        raise WorkbookError(f"{out}: the name of a workbook ends in .xlsm, or in .xlsx for one without buttons")
    _check_free(out, force)


def _check_free(out: Path, force: bool) -> None:
    if out.is_dir() or not out.parent.is_dir():
        raise WorkbookError(f"{out}: {'this is a folder' if out.is_dir() else f'there is no folder {out.parent}'}")
    if out.exists() and not force:
        raise WorkbookError(f"{out} exists: give --force to overwrite it, or another name")


@main.command("lessons")
def list_lessons() -> None:
    """List the lessons.

    \b
    Example:
      conv-sheet lessons
    """
    for name in lessons.names():
        click.echo(f"{name:<16} {lessons.load(name).lesson.title}")


@main.command()
@click.argument("what", metavar="LESSON|WORKBOOK")
def show(what: str) -> None:
    """Print the table of layers of a lesson, a spec or a workbook.

    \b
    Examples:
      conv-sheet show fastai
      conv-sheet show mine.xlsx
    """
    from conv_sheet.network.summary import as_text

    path = Path(what)
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        from conv_sheet.xlsx.reader import read, spec_of

        spec = spec_of(read(path))
        network, title = spec.network, spec.lesson.title
    else:
        chosen = lessons.load(what)
        network, title = chosen.network, chosen.lesson.title
    click.echo(title)
    _echo(as_text(network))


@main.command()
@click.argument("workbook", type=click.Path(path_type=Path))
@click.option("--recalculate", is_flag=True, help="Let LibreOffice calculate all formulas first.")
def check(workbook: Path, recalculate: bool) -> None:
    """Compare the numbers in a workbook with what NumPy makes of its picture and weights.

    Exits with 1 where they differ, and says for each layer by how much and from which cell on.

    \b
    Examples:
      conv-sheet check fastai.xlsx
      conv-sheet check fastai.xlsx --recalculate
    """
    from conv_sheet.check import check as compare
    from conv_sheet.xlsx.reader import read

    with contextlib.ExitStack() as stack:
        source = workbook
        if recalculate:
            from conv_sheet.office import libreoffice

            source = Path(stack.enter_context(tempfile.TemporaryDirectory())) / workbook.name
            libreoffice.recalculate(read(workbook).path, source)
        report = compare(read(source))
    _echo(report.lines(str(workbook)))
    if not report.ok:
        raise click.exceptions.Exit(1)


def _button(action: str, workbook: Path, where: dict[str, Any], seed: int | None = None, **options: Any) -> None:
    """What a button does, to a closed file or through a spreadsheet program.

    LibreOffice would save a file in its own form, without the code names that macros need. So it only calculates, and
    the file gets the same change as a closed one.
    """
    from conv_sheet import actions, recompute

    live, libreoffice, accept = where["live"], where["libreoffice"], where["accept"]
    do = partial(getattr(actions, action), **options)
    notes: list[str] = []
    if live and (libreoffice or accept):
        raise click.UsageError("--live and --libreoffice exclude each other")
    if live:
        status = recompute.press(recompute.open_in_excel(workbook), do)
    elif libreoffice or accept:
        from conv_sheet.office.libreoffice import connect

        with connect(workbook, accept) as book:
            status = recompute.press(book, do)
        if not accept:
            _, notes = recompute.press_closed(workbook, do)
    else:
        status, notes = recompute.press_closed(workbook, do, seed)
    _echo([status, *notes])


def _where(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that does what a button does."""
    live = click.option("--live", is_flag=True, help="In the workbook that is open in Excel, through xlwings.")
    office = click.option("--libreoffice", is_flag=True, help="In LibreOffice, which calculates all formulas.")
    accept = click.option(
        "--accept",
        metavar="PIPE",
        help='In the LibreOffice that runs as `soffice --accept="PIPE;urp;"`; saving is left to you.',
    )
    return live(office(accept(click.argument("workbook", type=click.Path(path_type=Path))(command))))


@main.command()
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


@main.command()
@_where
def reset(workbook: Path, **where: Any) -> None:
    """Put the lesson's own picture and weights back; once more brings back what was there: the button Reset.

    \b
    Example:
      conv-sheet reset fastai.xlsm
    """
    _button("reset", workbook, where)


@main.command("train-step")
@_where
@click.option("--steps", type=click.IntRange(1, 10_000), default=1, show_default=True, help="How many steps to take.")
def train_step(workbook: Path, steps: int, **where: Any) -> None:
    """Take a step of gradient descent: the button Train step of a workbook with a sheet Backprop.

    Picture, target and learning rate are those of the workbook; each step appends its loss to the curve.

    \b
    Examples:
      conv-sheet train-step backprop.xlsm
      conv-sheet train-step backprop.xlsm --steps 10
    """
    _button("train", workbook, where, steps=steps)


@main.command("random-kernels")
@_where
@click.option("--seed", type=click.IntRange(0, 999_999), help="Draw with this seed instead of the workbook's.")
def random_kernels(workbook: Path, seed: int | None, **where: Any) -> None:
    """Fill every convolution with small random kernels: the button Random kernels.

    \b
    Example:
      conv-sheet random-kernels fastai.xlsm --seed 3
    """
    if seed is not None and any(where.values()):
        raise click.UsageError("--seed is for closed files; in an open workbook type it into the cell random_seed")
    _button("random_kernels", workbook, where, seed)


@main.command()
@click.argument("workbook", required=False, type=click.Path(path_type=Path))
@click.option("--bind", is_flag=True, help="Make the workbook's buttons call the Python that runs this.")
def doctor(workbook: Path | None, bind: bool) -> None:
    """Look for what could keep the buttons from working, on this machine and in a workbook.

    Exits with 1 where something would stop them.

    \b
    Examples:
      conv-sheet doctor
      conv-sheet doctor fastai.xlsm
      conv-sheet doctor fastai.xlsm --bind
    """
    from conv_sheet.files import require_closed
    from conv_sheet.office import doctor as examiner

    if bind:
        if workbook is None:
            raise click.UsageError("--bind needs the workbook to bind")
        require_closed(workbook)
        click.echo(examiner.bind(workbook))
    findings = examiner.examine(workbook)
    _echo(map(str, findings))
    if any(finding.state == examiner.BAD for finding in findings):
        raise click.exceptions.Exit(1)


_OPTIMIZERS = {"sgd": 0.1, "momentum": 0.03, "adam": 0.003}
"""What trains, and the learning rate that it starts with unless another is given."""
_DECIMALS = 5
"""Of trained weights: the cells that show them have room for few, and the answers are the same."""
_SPLIT_SEED = 0
"""Of every split, so that `evaluate` finds the pictures that `train` left aside."""
_DATA = click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder with a pair of IDX files as MNIST's, or with one folder of pictures for each class.",
)


@main.command()
@click.argument("lesson")
@_DATA
@click.option("-o", "--output", "out", type=click.Path(path_type=Path), help="Where to write. [default: LESSON.npz]")
@click.option("--epochs", type=click.IntRange(1), default=20, show_default=True, help="How often to see every picture.")
@click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True, help="Pictures for each step.")
@click.option("--optimizer", type=click.Choice([*_OPTIMIZERS]), default="adam", show_default=True, help="How to step.")
@click.option(
    "--lr",
    type=click.FloatRange(0, min_open=True),
    help="Learning rate at the start; it falls to zero along half a cosine. "
    f"[default: {', '.join(f'{lr:g} for {name}' for name, lr in _OPTIMIZERS.items())}]",
)
@click.option("--freeze", metavar="LAYER", multiple=True, help="Keep this layer's weights; can be given repeatedly.")
@click.option("--augment/--no-augment", default=True, show_default=True, help="Turn, move, resize and slant pictures.")
@click.option(
    "--validation",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="Part of the pictures that do not train, but say after each epoch how well it goes.",
)
@click.option(
    "--hold-out",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Part of the pictures to leave aside altogether, for `evaluate` with the same option. [default: none]",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of start weights and all chance.")
@click.option(
    "--plot", type=click.Path(path_type=Path), help="Draw loss and accuracy over the epochs, as .png, .svg or .pdf."
)
@click.option("--resume", is_flag=True, help="Go on with an interrupted training; the other options as they were.")
@click.option("--force", is_flag=True, help="Overwrite the outputs where they exist.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def train(
    lesson: str,
    data: Path,
    out: Path | None,
    epochs: int,
    batch_size: int,
    optimizer: str,
    lr: float | None,
    freeze: tuple[str, ...],
    augment: bool,
    validation: float,
    hold_out: float | None,
    seed: int,
    plot: Path | None,
    resume: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Train a lesson's or a spec's network from scratch to classify labelled pictures.

    Writes the weights of the last epoch, in which the learning rate has fallen to zero. Ctrl-C ends the training early
    with those of the epoch that recognised most of the validation pictures; the same command with --resume goes on.

    \b
    Examples:
      conv-sheet train fastai --data mnist/train-images-idx3-ubyte.gz --freeze conv1 --plot curves.png
      conv-sheet train mine.toml --data pictures --optimizer momentum --lr 0.02 -o mine.npz
    """
    from conv_sheet.learning import plot as curves
    from conv_sheet.learning.augment import Augmentation
    from conv_sheet.learning.data import load_data, split
    from conv_sheet.learning.evaluate import evaluate as measure
    from conv_sheet.learning.evaluate import prepared
    from conv_sheet.learning.train import Settings, fit
    from conv_sheet.network.weights import save
    from conv_sheet.ops.optim import SGD, Adam

    chosen = lessons.load(lesson)
    out = out or Path(f"{chosen.name}.npz")
    checkpoint = out.with_suffix(".checkpoint.npz")
    _check_training_outputs(out, checkpoint, plot, resume, force)
    pictures = prepared(load_data(data), chosen.network)
    if hold_out:
        pictures, _ = split(pictures, hold_out, _SPLIT_SEED)
    pictures, held_out = split(pictures, validation, _SPLIT_SEED)
    rate = lr or _OPTIMIZERS[optimizer]
    settings = Settings(
        Adam(rate) if optimizer == "adam" else SGD(rate, momentum=0.9 if optimizer == "momentum" else 0.0),
        epochs=epochs,
        batch_size=batch_size,
        freeze=freeze,
        augmentation=Augmentation() if augment else None,
        seed=seed,
    )
    if not resume:
        checkpoint.unlink(missing_ok=True)
    start = chosen.network.initial(seed)
    with _training_bar(quiet) as progress:
        run = fit(chosen.network, start, pictures, held_out, settings, progress, checkpoint)
    if not run.history:
        raise ConvSheetError("interrupted before the first epoch ended: nothing is learned yet, and nothing written")
    complete = len(run.history) == epochs
    number, kept = (epochs, run.tensors) if complete else (run.best_epoch, run.best)
    weights = {
        name: kept[name] if (kept[name] == start[name]).all() else kept[name].round(_DECIMALS)
        for name, shape in chosen.network.parameters.items()
        if shape
    }
    save(out, weights)
    if plot:
        curves.draw(run.history, number, plot)
    result = measure(chosen.network, {**kept, **weights}, held_out)
    click.echo(f"wrote {out}: epoch {number}, {result.accuracy:.2%} of {len(held_out):,} validation pictures")
    if not complete:
        click.echo(f"interrupted after epoch {len(run.history)} of {epochs}: the same with --resume goes on")
    else:
        checkpoint.unlink()


def _check_training_outputs(out: Path, checkpoint: Path, plot: Path | None, resume: bool, force: bool) -> None:
    """Refuse before hours of training what could not be written after them."""
    if out.suffix != ".npz":
        raise DataError(f"{out}: the name of a file of weights ends in .npz")
    if checkpoint.exists() and not (force or resume):
        raise DataError(f"{checkpoint} is of an interrupted training: give --resume to go on, --force to start anew")
    _check_free(out, force or resume)
    if resume and not checkpoint.exists():
        raise DataError(f"there is no interrupted training to resume: {checkpoint} does not exist")
    if plot:
        from conv_sheet.learning import plot as curves

        curves.check(plot)
        _check_free(plot, force or resume)


@contextlib.contextmanager
def _training_bar(quiet: bool) -> Iterator[Callable[["Progress"], None]]:
    """What shows a training's progress: a bar with the time left, on standard error, from the first step on."""
    with contextlib.ExitStack() as stack:
        bars: list[Any] = []

        def progress(now: "Progress") -> None:
            if not bars:
                length, words = now.steps - now.step + 1, _training_words
                bar = click.progressbar(length=length, width=6, item_show_func=words, file=sys.stderr)
                bars.append(stack.enter_context(bar))
            bars[0].update(1, now)

        yield (lambda _: None) if quiet else progress


def _training_words(now: "Progress | None") -> str:
    if now is None:
        return ""
    validated = "" if now.validated is None else f", validated {now.validated:.1%}"
    return f"epoch {now.epoch}: loss {now.loss:.3f}, right {now.accuracy:.1%}{validated}"


@main.command()
@click.argument("lesson")
@_DATA
@click.option("--weights", type=click.Path(path_type=Path), help="Weights as .npz. [default: the lesson's own]")
@click.option(
    "--hold-out",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Only the pictures that `train` with the same option left aside. [default: all]",
)
@click.option("--workbook", type=click.Path(path_type=Path), help="Write all this as .xlsx, with the mistakes drawn.")
@click.option("--force", is_flag=True, help="Overwrite the workbook where it exists.")
def evaluate(
    lesson: str, data: Path, weights: Path | None, hold_out: float | None, workbook: Path | None, force: bool
) -> None:
    """Say how many labelled pictures a network recognises, what it takes for what, and its worst mistakes.

    \b
    Examples:
      conv-sheet evaluate fastai --data mnist/t10k-images-idx3-ubyte.gz
      conv-sheet evaluate mine.toml --weights mine.npz --data pictures --workbook mistakes.xlsx
    """
    from conv_sheet.learning.data import load_data, split
    from conv_sheet.learning.evaluate import as_text, prepared
    from conv_sheet.learning.evaluate import evaluate as measure

    chosen = lessons.load(lesson)
    network = chosen.network
    if weights is None and chosen.weights is None:
        raise DataError(f"{lesson} comes without trained weights: train it, and give the file with --weights")
    if workbook is not None:
        _check_output(workbook, force)
    tensors = chosen.tensors() if weights is None else _weights(network, weights)
    pictures = prepared(load_data(data), network)
    if hold_out:
        _, pictures = split(pictures, hold_out, _SPLIT_SEED)
    result = measure(network, tensors, pictures)
    _echo(as_text(result))
    if workbook is not None:
        from conv_sheet.builder import write
        from conv_sheet.sheets.evaluation import pages

        write(chosen.lesson.title, pages(result, chosen.lesson.title), workbook)
        click.echo(f"wrote {workbook}")


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
