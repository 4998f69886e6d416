"""What a module says of the sheet that it makes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from conv_sheet.cells.grid import Block, Placed
from conv_sheet.cells.inputs import Input
from conv_sheet.cells.page import Page
from conv_sheet.network.layout import Layout
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.state import WorkbookState


def no_inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """Nothing may be typed."""
    return ()


Owned: TypeAlias = tuple[Placed, Callable[[], Array]]
"""A block that belongs to the engine, and what calculates its values, for whoever needs more than its place."""


def no_engine(state: WorkbookState) -> list[Owned]:
    """Nothing belongs to the engine."""
    return []


def no_curve(layout: Layout, lesson: Lesson) -> Block | None:
    """No losses are listed."""
    return None


@dataclass(frozen=True)
class Sheet:
    """A sheet: its title, its page, the inputs that stand there, and the blocks that the engine fills with values.

    `name` is what a spec's `sheets` calls it, empty for a sheet that no spec asks for.
    """

    title: str
    page: Callable[[WorkbookState], Page]
    name: str = ""
    inputs: Callable[[Layout, Lesson], tuple[Input, ...]] = no_inputs
    engine: Callable[[WorkbookState], list[Owned]] = no_engine
    curve: Callable[[Layout, Lesson], Block | None] = no_curve
    """Where the losses of a training are listed, the newest last: steps in one column, the losses beside them."""
