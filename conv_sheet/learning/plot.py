"""The curves of a training as a picture; needs matplotlib, which comes with the extra `plot`."""

from collections.abc import Sequence
from pathlib import Path

from conv_sheet.errors import ConvSheetError
from conv_sheet.files import atomic_write
from conv_sheet.learning.train import Epoch

_PICTURES = (".png", ".svg", ".pdf")


def check(path: Path) -> None:
    """Raise ConvSheetError where `draw` could not make this file, before a long training instead of after it."""
    if path.suffix.lower() not in _PICTURES:
        raise ConvSheetError(f"{path}: the name of a plot ends in {', '.join(_PICTURES[:-1])} or {_PICTURES[-1]}")
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ConvSheetError("a plot needs matplotlib: pip install 'conv-sheet[plot]'") from None


def draw(history: Sequence[Epoch], kept: int, loss: str, path: Path) -> None:
    """Draw loss and accuracy over the epochs, for training and held-out pictures; epoch `kept` (from 1) gets a line."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure = Figure(figsize=(10, 4), layout="constrained")
    numbers = range(1, len(history) + 1)
    for axes, title, ours, theirs in zip(
        figure.subplots(1, 2),
        (f"loss ({loss})", "accuracy"),
        ("loss", "accuracy"),
        ("validation_loss", "validation_accuracy"),
        strict=True,
    ):
        axes.plot(numbers, [getattr(epoch, ours) for epoch in history], label="training, as distorted")
        axes.plot(numbers, [getattr(epoch, theirs) for epoch in history], label="validation")
        axes.axvline(kept, color="grey", linestyle=":", label=f"kept: epoch {kept}")
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120)
