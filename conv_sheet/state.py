"""What a workbook holds: a network, a picture, weights, and what the engine last said of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from conv_sheet.cells.grid import Placed
from conv_sheet.cells.page import Page
from conv_sheet.errors import ShapeError
from conv_sheet.layers import Array
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import Layout, plan
from conv_sheet.network.lesson import Lesson
from conv_sheet.network.spec import Spec
from conv_sheet.sheets import images as images_sheet
from conv_sheet.sheets import network as network_sheet
from conv_sheet.sheets import numpy as numpy_sheet
from conv_sheet.sheets import registry as extras
from conv_sheet.sheets import spec as spec_sheet
from conv_sheet.sheets import start as start_sheet
from conv_sheet.sheets import typed as typed_sheet
from conv_sheet.sheets.backprop import board as backprop

BUILT = "Python made these numbers when it built this workbook."


@dataclass(frozen=True)
class Contents:
    """A network with a picture (C, H, W) and weights by full name (`conv1.weight`).

    `written` is what stands in the engine's blocks, by tensor name (`conv1_out`); None where they hold what the
    engine makes of this picture and these weights. `original` and `kept` are picture and weights by full name, the
    picture as `input`: the lesson's own (None: these), and those before a button changed them (None: none did).
    """

    network: Network
    image: Array
    tensors: Mapping[str, Array]
    written: Mapping[str, Array] | None = None
    status: str = BUILT
    original: Mapping[str, Array] | None = None
    kept: Mapping[str, Array] | None = None
    seed: int = 1
    """What the button for random kernels draws with."""
    drawn: int | None = None
    """The seed that it last drew with, over what is `kept`."""
    settings: Mapping[str, float | str] = field(default_factory=dict)
    """What the user has chosen on the lesson's own sheets, by defined name; what is not here is as at first."""
    gallery: Mapping[str, Array] = field(default_factory=dict)
    """Pictures on the sheet `Images` by label, where the network has that sheet; those that are not here are empty."""

    curve: backprop.Curve = ()
    """Losses of the training so far, where the network has a sheet `Backprop`."""

    lesson: Lesson = field(default_factory=Lesson)
    """What the workbook says and shows beside the network."""

    def __post_init__(self) -> None:
        if self.image.shape != self.network.input_shape:
            raise ShapeError(f"the image has shape {self.image.shape} and the network reads {self.network.input_shape}")

    @cached_property
    def layout(self) -> Layout:
        return plan(self.network, fold=not self.lesson.backprop)

    @cached_property
    def pictures(self) -> dict[str, Array]:
        """Every picture on the sheet `Images` by label."""
        return {**images_sheet.empty(self.network, self.lesson), **self.gallery}

    @property
    def follows(self) -> Array | None:
        """Which input values follow the choice on `Images`, (C, H, W) of bool; None where there is no such sheet."""
        return images_sheet.followed(self) if images_sheet.NAME in self.lesson.sheets else None

    @property
    def typed(self) -> dict[str, Array]:
        """Picture, as `input`, weights by full name, and, where there are `Images`, the number of the chosen one."""
        own = {"input": self.image, **self.tensors}
        if images_sheet.NAME not in self.lesson.sheets:
            return own
        return {
            images_sheet.CHOICE: np.array(float(images_sheet.number(self.network, self.lesson, self.choice))),
            **own,
        }

    @property
    def choice(self) -> str:
        """Label of the chosen picture on `Images`."""
        return str(self.chosen[images_sheet.CHOICE])

    @cached_property
    def activations(self) -> dict[str, Array]:
        """What the engine makes of picture and weights: a batch of one, by layer name."""
        return self.network.forward(self.image[np.newaxis], self.tensors)

    @cached_property
    def chosen(self) -> dict[str, float | str]:
        """Every setting by defined name, at first or as chosen."""
        first = {s.name: s.start for extra in extras.of(self.network, self.lesson) for s in extra.settings(self.layout)}
        return first | dict(self.settings)

    @cached_property
    def engine(self) -> dict[str, Array]:
        """What the engine's blocks should hold, by tensor name, without the batch axis."""
        own = {
            stage.own[short].name: value
            for stage in self.layout.stages
            for short, value in self.layout.values(stage, self.activations, self.tensors).items()
        }
        return own | {placed.name: value for placed, value in self._extra}

    @cached_property
    def _extra(self) -> list[tuple[Placed, Array]]:
        """The engine's blocks on the lesson's own sheets, and what they should hold."""
        return [pair for extra in extras.of(self.network, self.lesson) for pair in extra.engine(self)]

    @property
    def shown(self) -> Mapping[str, Array]:
        """What stands in the engine's blocks, by tensor name."""
        return self.engine if self.written is None else self.written

    @cached_property
    def owned(self) -> list[tuple[str, Placed]]:
        """Every tensor that belongs to the engine: whose it is, and its place."""
        own = [(stage.name, placed) for stage, _, placed in numpy_sheet.owned(self.layout)]
        return own + [(placed.blocks[0].sheet, placed) for placed, _ in self._extra]

    @cached_property
    def board(self) -> backprop.Board:
        """The sheet `Backprop`, of a network that has one."""
        return backprop.board(self.layout)

    @cached_property
    def descent(self) -> backprop.Descent:
        """What is chosen there."""
        return backprop.descent(self.board, self.chosen)

    @cached_property
    def learning(self) -> backprop.Learning:
        """What the engine makes of it."""
        return backprop.learning(self.board, self.image, self.tensors, self.descent)

    @property
    def prediction(self) -> str | None:
        """The class with the largest output; None where the network names no classes."""
        if not self.network.classes:
            return None
        return self.network.classes[int(np.argmax(self.activations[self.network.output.name][0]))]

    def pages(self) -> list[Page]:
        """Every sheet of the workbook, in order."""
        facts = self.layout, self.activations, self.tensors
        own = [extra.page(self) for extra in extras.of(self.network, self.lesson)]
        places = dict(self.layout.names()) | {name: block for page in own for name, block in page.names.items()}
        return [
            start_sheet.page(self.lesson, *facts, self.shown, self.status, self.seed, places),
            network_sheet.page(*facts, self.lesson, self.follows),
            *own,
            numpy_sheet.page(*facts, self.shown),
            spec_sheet.page(Spec(self.network, self.lesson)),
            typed_sheet.page(typed_sheet.ORIGINAL, self.layout, self.lesson, self.original or self.typed),
            typed_sheet.page(typed_sheet.KEPT, self.layout, self.lesson, self.kept, self.drawn),
        ]
