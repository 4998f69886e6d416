"""Commands that train and evaluate networks."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conv_sheet.cli.common import (
    FILE,
    PICTURES,
    Number,
    Whole,
    check_output,
    complete_lesson,
    echo,
    tensors,
    weights_options,
)
from conv_sheet.errors import DataError

if TYPE_CHECKING:
    from conv_sheet.learning.train import Progress

_SHARE = Number(0, 1, min_open=True, max_open=True)
_DATA_HELP = (
    f"Folder with a pair of IDX files as MNIST's, or with one folder for each class, of pictures ({PICTURES}); "
    "also in folders train and val. Pictures of two classes lie in a folder such as cat+dog."
)
_DATA = click.option("--data", type=FILE, required=True, help=_DATA_HELP)
_RESIZE = click.option("--resize", is_flag=True, help="Fit pictures of any size into the network's input.")


@click.command()
@click.argument("lesson", shell_complete=complete_lesson)
@_DATA
@_RESIZE
@click.option("-o", "--output", "out", type=FILE, help="Where to write. [default: LESSON.npz]")
@click.option("--epochs", type=Whole(1), help="How often to see every picture. [default: 20, or 500 with --overfit]")
@click.option("--batch-size", type=Whole(1), default=64, show_default=True, help="Pictures for each step.")
@click.option(
    "--optimizer", type=click.Choice(["sgd", "momentum", "rmsprop", "adam"]), default="adam", show_default=True
)
@click.option(
    "--lr",
    type=Number(0, min_open=True),
    help="Learning rate at the start. [default: 0.1 for sgd, 0.03 for momentum, 0.001 for rmsprop, 0.003 for adam]",
)
@click.option("--momentum", type=Number(0), help="Of sgd and rmsprop. [default: 0.9 for momentum, else 0]")
@click.option("--nesterov", is_flag=True, help="Nesterov's momentum.")
@click.option("--weight-decay", type=Number(0), default=0.0, show_default=True, help="As PyTorch's: L2.")
@click.option(
    "--schedule",
    type=click.Choice(["cosine", "step"]),
    default="cosine",
    show_default=True,
    help="How the learning rate falls: to zero along half a cosine, or by --gamma after every --step-size epochs.",
)
@click.option("--step-size", type=Whole(1), help="Epochs of a step. [default: a third of all]")
@click.option("--gamma", type=Number(0), help="What a step multiplies the learning rate with. [default: 0.1]")
@click.option(
    "--loss",
    type=click.Choice(["cross-entropy", "hinge", "mse", "bce"]),
    help="What is made small: cross-entropy of softmax, hinge of an SVM, mean squared error, or binary cross-entropy. "
    "[default: the lesson's; else cross-entropy, or mse for a network that draws its picture again]",
)
@click.option("--freeze", metavar="LAYER", multiple=True, help="Keep this layer's weights; can be given repeatedly.")
@click.option("--augment/--no-augment", default=True, show_default=True, help="Turn, move, resize and slant pictures.")
@click.option("--validation", type=_SHARE, default=0.1, show_default=True, help="Share to validate with.")
@click.option("--hold-out", type=_SHARE, help="Share of pictures to leave aside for `evaluate`. [default: none]")
@click.option("--seed", type=Whole(0), default=0, show_default=True, help="Of weights, order and distortions.")
@click.option("--plot", type=FILE, help="Draw loss and accuracy over the epochs, as .png, .svg or .pdf.")
@click.option(
    "--overfit",
    type=Whole(2),
    metavar="N",
    help="Only check that the network can learn N pictures by heart; nothing is written.",
)
@click.option("--resume", is_flag=True, help="Go on with an interrupted training; the other options as they were.")
@click.option("--force", is_flag=True, help="Overwrite the outputs where they exist.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def train(
    lesson: str,
    data: Path,
    out: Path | None,
    plot: Path | None,
    epochs: int | None,
    overfit: int | None,
    resume: bool,
    force: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train a lesson's or a spec's network from scratch to classify labelled pictures, or to draw them again.

    Writes the weights of the last epoch. Ctrl-C ends the training early with those of the epoch that recognised most
    of the validation pictures; the same command with --resume goes on.

    \b
    Examples:
      conv-sheet train fastai --data mnist/train-images-idx3-ubyte.gz --freeze conv1 --plot curves.png
      conv-sheet train mine.toml --data pictures --overfit 20
      conv-sheet train mine.toml --data pictures --optimizer momentum --lr 0.02 -o mine.npz
    """
    from conv_sheet import lessons
    from conv_sheet.learning import recipe as recipes
    from conv_sheet.learning.recipe import Outputs, Recipe

    chosen = lessons.load(lesson)
    lessons.require_trainable(chosen)
    options |= {"loss": options["loss"] or chosen.lesson.loss or None}
    recipe = Recipe(epochs=epochs or (500 if overfit else Recipe.epochs), **options)
    if overfit:
        if out or plot or resume:
            raise click.UsageError("--overfit writes nothing: omit --output, --plot and --resume")
        with _training_bar(quiet) as progress:
            run = recipes.overfit(chosen.network, data, overfit, recipe, progress)
        click.echo(
            f"{overfit} pictures are learned by heart: their loss is {run.loss:.3g} after epoch {len(run.history)}"
        )
        return
    outputs = Outputs(out or Path(f"{chosen.name}.npz"), plot)
    outputs.check(resume, force)
    with _training_bar(quiet) as progress:
        trained = recipes.train(chosen.network, data, recipe, progress, outputs.checkpoint, anew=not resume)
    outputs.write(trained)
    counted = "the pixels of " if trained.redrawn else ""
    score = f"{trained.accuracy:.2%} of {counted}{trained.validated:,} validation pictures"
    click.echo(f"wrote {outputs.weights}: epoch {trained.epoch}, {score}")
    if not trained.complete:
        done = len(trained.run.history)
        click.echo(f"interrupted after epoch {done} of {trained.epochs}: the same with --resume goes on")


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


@click.command()
@click.argument("lesson", shell_complete=complete_lesson)
@_DATA
@_RESIZE
@weights_options
@click.option("--hold-out", type=_SHARE, help="Only what `train` with the same option left aside. [default: all]")
@click.option("--workbook", type=FILE, help="Write all this as .xlsx, with the mistakes drawn.")
@click.option("--force", is_flag=True, help="Overwrite the workbook where it exists.")
def evaluate(
    lesson: str,
    data: Path,
    weights: Path | None,
    pairs: dict[str, str],
    hold_out: float | None,
    resize: bool,
    workbook: Path | None,
    force: bool,
) -> None:
    """Say how many labelled pictures a network recognises, what it takes for what, and its worst mistakes.

    Of a network that draws its input again: how far its pictures are from those that it saw.

    \b
    Examples:
      conv-sheet evaluate fastai --data mnist/t10k-images-idx3-ubyte.gz
      conv-sheet evaluate mine.toml --weights mine.npz --data pictures --resize --workbook mistakes.xlsx
    """
    from conv_sheet import lessons
    from conv_sheet.learning.evaluate import Evaluation, Labelling, as_text, score
    from conv_sheet.learning.objective import redraws
    from conv_sheet.learning.recipe import held_out

    chosen = lessons.load(lesson)
    lessons.require_trainable(chosen)
    if weights is None and not chosen.trained:
        raise DataError(f"{lesson} comes without trained weights: train it, and give the file with --weights")
    if workbook is not None:
        if redraws(chosen.network):
            raise DataError(f"{lesson} draws pictures and names none: there are no mistakes to show, omit --workbook")
        if workbook.suffix.lower() == ".xlsm":
            raise DataError(f"{workbook}: mistakes are shown without buttons: give it a name that ends in .xlsx")
        check_output(workbook, force)
    pictures = held_out(data, chosen.network, hold_out, resize)
    result = score(chosen.network, tensors(chosen, weights, pairs), pictures)
    if workbook is not None and isinstance(result, Labelling):
        raise DataError(
            f"{data} has pictures of several classes: mistakes are drawn of one class each, omit --workbook"
        )
    echo(as_text(result))
    if workbook is not None and isinstance(result, Evaluation):
        from conv_sheet.sheets.evaluation import pages
        from conv_sheet.xlsx.writer import write

        write(chosen.lesson.title, pages(result, chosen.lesson.title), workbook)
        click.echo(f"wrote {workbook}")
