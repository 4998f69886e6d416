"""The state of a workbook: a network, its lesson, what stands in the cells that the user may type into, and what the
engine last wrote. Everything else on the sheets follows from these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np

from conv_sheet.cells.inputs import Input, InputValue
from conv_sheet.cells.values import LARGEST
from conv_sheet.cells.words import Words
from conv_sheet.errors import DataError, ShapeError
from conv_sheet.network import html
from conv_sheet.network.graph import INPUT, Network
from conv_sheet.network.layout import Layout, plan_for
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.ops.pointwise import sigmoid

BUILT = Words(
    "Python made these numbers when it built this workbook.",
    browser="Python made the numbers of the sheet NumPy when it wrote this page.",
)
THRESHOLDS = "found_thresholds"
"""Name of the input, where a workbook has one, that says from which probability on each of several classes is named."""
_HALF = 0.5
NONE = "none"
"""What a network says where it may name several classes, and names none."""
Curve = tuple[tuple[int, float], ...]
"""Steps of training done, and the loss then."""
Formulas = Mapping[str, Mapping[tuple[int, int], str]]
"""Formulas without their equals signs by name of the input, and there by row and column of the cell."""


@dataclass(frozen=True, eq=False)
class WorkbookState:
    """What a workbook holds: what it says is computed from these alone.

    `typed` has the picture (C, H, W) as `input`, the weights by full name, and what the user chose on other sheets by
    the name of the input; what is not there is as at first. `written` is what stands in the engine's blocks by tensor
    name; None where they hold what the engine makes of this state. `original` and `kept` are what Reset brings back:
    what the workbook was built with (None: this), and what stood there before a button changed it (None: none did).

    >>> layers = [{"name": "fc", "kind": "Linear", "out_features": 1, "bias": False}]
    >>> net = Network.from_spec({"input": [1, 1, 2], "layers": [{"kind": "Flatten"}, *layers]})
    >>> state = WorkbookState.of(net, np.ones((1, 1, 2)), {"fc.weight": np.array([[2.0, 3.0]])})
    >>> state.activations["fc"]
    array([[5.]])
    """

    network: Network
    typed: Mapping[str, InputValue]
    lesson: Lesson = field(default_factory=Lesson)
    written: Mapping[str, Array] | None = None
    status: str = BUILT
    original: Mapping[str, InputValue] | None = None
    kept: Mapping[str, InputValue] | None = None
    drawn: int | None = None
    """The seed with which random kernels were last drawn, over what is `kept`."""
    curve: Curve = ()
    """Losses of the training so far, where the lesson shows backpropagation."""
    formulas: Formulas = field(default_factory=dict)
    """Formulas of the user's own where numbers are typed; what they give is in `typed`."""
    kept_formulas: Formulas = field(default_factory=dict)
    """Those among what is `kept`."""

    def __post_init__(self) -> None:
        if self.image.shape != self.network.input_shape:
            raise ShapeError(f"the image has shape {self.image.shape} and the network reads {self.network.input_shape}")

    def __repr__(self) -> str:
        return f"WorkbookState({self.lesson.title!r}, {self.network!r})"

    def _repr_html_(self) -> str:
        """The picture and what each layer makes of it, coloured as on the sheets, for notebooks."""
        names = (stage.shows for stage in self.layout.stages)
        shown = {name: self.activations[name][0] for name in names}
        network = self.network
        return "".join(html.activations(self.lesson.title, network.nodes, shown, network.non_negative, network.classes))

    @classmethod
    def of(
        cls,
        network: Network,
        image: Array,
        tensors: Mapping[str, Array],
        lesson: Lesson | None = None,
        **settings: InputValue,
    ) -> Self:
        """The state of a network with a picture, weights by full name, and settings by the names of their inputs."""
        return cls(network, {INPUT: image, **tensors, **settings}, lesson or Lesson())

    def with_typed(self, changes: Mapping[str, InputValue]) -> Self:
        """The same with other things typed."""
        return replace(self, typed={**self.typed, **changes})

    def with_written(self, written: Mapping[str, Array]) -> Self:
        """The same with other numbers in the engine's blocks; what is calculated already stays."""
        made = replace(self, written=written)
        vars(made).update(
            {name: vars(self)[name] for name in ("tensors", "layout", "activations") if name in vars(self)}
        )
        return made

    def __getitem__(self, item: Input) -> InputValue:
        """What stands in an input."""
        return self.typed.get(item.name, item.default)

    def number(self, item: Input) -> float:
        """What stands in an input of one number."""
        return float(self[item])

    def text(self, item: Input) -> str:
        """What stands in an input of one text."""
        return str(self[item])

    def array(self, item: Input) -> Array:
        """What stands in an input of many numbers."""
        return np.asarray(self[item], dtype=float)

    @property
    def image(self) -> Array:
        return np.asarray(self.typed[INPUT], dtype=float)

    @cached_property
    def tensors(self) -> dict[str, Array]:
        """Weights by full name."""
        return {name: np.asarray(self.typed[name], dtype=float) for name in self.network.parameters}

    @cached_property
    def layout(self) -> Layout:
        return plan_for(self.network, self.lesson)

    @cached_property
    def activations(self) -> dict[str, Array]:
        """What the engine makes of picture and weights: a batch of one, by layer name.

        Raises DataError where some of it is more than a cell can hold.
        """
        with np.errstate(all="ignore"):
            values = self.network.forward(self.image[np.newaxis], self.tensors)
        for name, value in values.items():
            if not (np.abs(value) <= LARGEST).all():
                raise DataError(
                    f"layer {name!r} gives infinity, NaN or numbers that are too large for a cell: "
                    "use smaller numbers in the picture and in the weights before it"
                )
        return values

    @property
    def output(self) -> Array:
        """What the network makes of the picture in the end, without the batch axis."""
        output: Array = self.activations[self.network.output.name][0]
        return output

    @property
    def several(self) -> bool:
        """Whether each class is answered yes or no for itself, so that a picture may have several, or none."""
        last = self.network.output.layer
        own = last.kind == "Sigmoid" or (self.lesson.loss == "bce" and not last.probabilities)
        return bool(self.network.classes) and own

    @property
    def named(self) -> tuple[str, ...]:
        """The classes that the network names: that with the largest output; of `several` all that reach a threshold."""
        classes = self.network.classes
        if not self.several:
            return (classes[int(np.argmax(self.output))],) if classes else ()
        sure = self.output if self.network.output.layer.probabilities else sigmoid(self.output)
        least = np.broadcast_to(np.ravel(self.typed.get(THRESHOLDS, _HALF)), sure.shape)
        return tuple(name for name, share, one in zip(classes, sure, least, strict=True) if share >= one)

    @property
    def prediction(self) -> str | None:
        """The classes that the network names, with commas between them; None where it names no classes."""
        return (", ".join(self.named) or NONE) if self.network.classes else None
