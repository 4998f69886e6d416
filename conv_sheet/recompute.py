"""The functions that the macros of workbooks call, of those built by earlier versions too: their names stay."""

from conv_sheet import actions
from conv_sheet.office.live import pressed


def main() -> None:
    """Called by the macro Recompute."""
    pressed(actions.recompute)


def reset() -> None:
    """Called by the macro Reset."""
    pressed(actions.reset)


def random_kernels() -> None:
    """Called by the macro RandomKernels."""
    pressed(actions.random_kernels)


def train_step() -> None:
    """Called by the macro TrainStep."""
    pressed(actions.train_step)


def train_steps() -> None:
    """Called by the macro TrainSteps10."""
    pressed(actions.train_steps)
