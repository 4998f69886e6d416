"""What every layer kind can say of itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from math import prod
from typing import Any, ClassVar

import numpy as np

from conv_sheet.cells.expr import Expr, of, times
from conv_sheet.cells.formula import Formula
from conv_sheet.cells.grid import Placed
from conv_sheet.cells.inputs import Limits
from conv_sheet.errors import ShapeError, SpecError, did_you_mean
from conv_sheet.layers.field import Field
from conv_sheet.layers.said import Said
from conv_sheet.ops import Array

Shape = tuple[int, ...]
Sizes = tuple[Expr, ...]
"""A shape on a sheet."""
Tensors = Mapping[str, Array]
PADDED = "padded"
"""Short name of the copy of its input that a layer reads where it puts other than zeros around it."""


@dataclass(frozen=True, slots=True)
class Border:
    """Rows and columns of zeros around a map, for the layers that read it.

    >>> Border(top=1, left=2).united(Border(top=0, right=3))
    Border(top=1, bottom=0, left=2, right=3)
    """

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    @property
    def sides(self) -> tuple[int, int, int, int]:
        return self.top, self.bottom, self.left, self.right

    def united(self, other: "Border") -> "Border":
        """A border wide enough for both."""
        return Border(*map(max, self.sides, other.sides))


@dataclass(frozen=True, slots=True)
class Site:
    """Where a layer stands: the tensors that it reads, and its own by short name (`weight`, `out`, …).

    Where its maps stand `below` each other, each has its kernels and what else it has of its own beside it.
    """

    sources: tuple[Placed, ...]
    own: Mapping[str, Placed]
    below: bool = False

    @property
    def source(self) -> Placed:
        """What a layer with one input reads."""
        (source,) = self.sources
        return source

    def __getitem__(self, name: str) -> Placed:
        return self.own[name]


@dataclass(frozen=True)
class Layer:
    """A layer kind and its options; shapes are without the batch axis, arrays with it (N, C, H, W) or (N, features).

    The fields of the dataclass are the options, named as PyTorch names them. A subclass says what differs from a
    layer without parameters that computes each value from one value.

    The methods called `joined_…` are for all inputs of a layer; kinds with one input leave them as they are and say
    the same of that one.
    """

    kind: ClassVar[str]
    prefix: ClassVar[str]
    """What layers without a name are called, with a number behind."""
    takes_fold: ClassVar[bool] = False
    """Whether a layer that folds can stand in the same formula behind this one."""
    folds: ClassVar[bool] = False
    """Whether the formula can stand around that of the layer before: then `fold` and `words_of` say how."""
    joins: ClassVar[bool] = False
    """Whether the layer reads two inputs or more."""
    keeps_values: ClassVar[bool] = False
    """Whether the output is what was read in another shape, so that layers may read it where it stands."""
    has_cells: ClassVar[bool] = True
    """Whether the output has cells of its own; else it is always read where the inputs stand, one after the other."""
    probabilities: ClassVar[bool] = False
    """Whether outputs are from 0 to 1 and mean how sure the network is."""
    normalises: ClassVar[bool] = False
    """Whether outputs sum to 1, so that a loss rather takes the scores that were before."""
    non_negative: ClassVar[bool | None] = False
    """Whether outputs are never below zero; None where that depends on the input alone."""
    buffers: ClassVar[frozenset[str]] = frozenset()
    """Parameters that training leaves alone, as PyTorch's buffers."""
    unused: ClassVar[frozenset[str]] = frozenset()
    """What PyTorch's `state_dict` has beside the parameters."""
    turned: ClassVar[bool] = False
    """Whether a window meets its kernels turned by half a turn: its first value the last one of the kernel."""
    sees: ClassVar[str | None] = None
    """What `over` is taken of, where it is not the input: the short name of an intermediate."""
    limits: ClassVar[Mapping[str, Limits]] = {}
    """What parameters may hold that do not take every number."""
    settings: ClassVar[frozenset[str]] = frozenset()
    """Parameters that the options give, so that a file of weights may leave them out."""
    said: ClassVar[Mapping[str, Said]] = {}
    """Options that PyTorch prints and that are no choice here: by name, what each may be."""
    in_place: ClassVar[bool] = False
    """Whether a value follows from the one in its place and from intermediates, which sum up all that it sees."""

    # -- shapes ----------------------------------------------------------------------------------------------------

    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Shape of everything that is read, as one; the other shapes follow from it.

        Raises SpecError where there are too many inputs or too few, ShapeError where they do not fit together.
        """
        if len(shapes) != 1:
            raise SpecError(
                f"it reads one input, not {len(shapes)}: put a layer that joins them, such as Add or Concat, before it"
            )
        return shapes[0]

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output, (C, H, W) or (N,), for an input of this shape."""
        return shape

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        """Parameters by short name, with their shapes: kernels (4 axes), matrices, vectors, and () for a setting."""
        return {}

    def torch_shapes(self, shape: Shape) -> dict[str, Shape]:
        """The same as PyTorch's `state_dict` has them, where shapes differ in axes of length 1."""
        return self.parameters(shape)

    def kernels(self, shape: Shape) -> list[list[int]]:
        """For each output map the kernels that make it, as planes of `weight`; empty for layers without kernels."""
        return []

    def spacing(self) -> tuple[int, int]:
        """Rows and columns from one value of a kernel to the next on the sheet."""
        return 1, 1

    def reads_maps(self, maps: Shape) -> bool:
        """Whether a layer over vectors shows its weights in the shape of these flattened maps (C, H, W)."""
        return False

    def intermediates(self, shape: Shape) -> dict[str, Shape]:
        """Tensors that the formulas need on the way to the output, in the order of calculation.

        One called `padded` is a copy of the input with what stands around it; it has its own number of maps. The
        others have as many maps as the output, or some for each of these.
        """
        return {}

    def border(self) -> Border:
        """The zeros that this layer reads around each input map."""
        return Border()

    def fields(self, shape: Shape) -> tuple[Field, Field] | None:
        """What one output value sees of the input, along rows and along columns; None where it sees everything."""
        return Field(), Field()

    def maps_seen(self, shape: Shape) -> int:
        """How many maps of the input one value sees, of layers without kernels; those that stand together."""
        return 1

    # -- numbers ---------------------------------------------------------------------------------------------------

    def forward(self, x: Array, params: Tensors) -> Array:
        """Output for a batch."""
        raise NotImplementedError

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        """Gradients of the input and of each parameter, from the gradient of the output."""
        raise NotImplementedError

    def parameters_backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> dict[str, Array]:
        """Gradients of the parameters alone, where nobody asks for the input's."""
        return self.backward(grad, x, y, params)[1]

    def joined_forward(self, xs: Sequence[Array], params: Tensors) -> Array:
        """Output for a batch of each input."""
        return self.forward(xs[0], params)

    def joined_backward(
        self, grad: Array, xs: Sequence[Array], y: Array, params: Tensors
    ) -> tuple[tuple[Array, ...], dict[str, Array]]:
        """Gradients of each input and of each parameter, from the gradient of the output."""
        dx, own = self.backward(grad, xs[0], y, params)
        return (dx,), own

    def intermediate_values(self, x: Array, params: Tensors) -> dict[str, Array]:
        """Values of `intermediates` for a batch."""
        return {}

    def while_training(self, rng: "np.random.Generator") -> dict[str, Array]:
        """Settings, by short name, that differ while the network is trained; drawn anew for each batch."""
        return {}

    def draws(self, params: Tensors) -> bool:
        """Whether chance treats each image of a batch in another way."""
        return False

    def initial(self, shape: Shape, rng: "np.random.Generator") -> dict[str, Array]:
        """Start values of the parameters, uniform within 1/√fan_in as PyTorch's Conv2d and Linear draw them."""
        shapes = self.parameters(shape)
        bound = 1 / np.sqrt(prod(shapes["weight"][1:])) if "weight" in shapes else 1.0
        return {name: rng.uniform(-bound, bound, size).round(4) for name, size in shapes.items()}

    # -- formulas and words ----------------------------------------------------------------------------------------

    def formulas(self, site: Site) -> dict[str, Formula]:
        """Formula of each intermediate and of `out`."""
        raise NotImplementedError

    def over(self, windows: Sequence[str], own: Mapping[str, str]) -> str:
        """Formula of an output value over the ranges that hold all it sees; of layers that see many values unweighted.

        `own` has the cells of its own parameters and intermediates by short name.
        """
        raise NotImplementedError

    def uniform(self, shape: Shape) -> bool:
        """Whether `over` is right for every output value, also for those at the edges."""
        return True

    def fold(self, expression: str) -> str:
        """The formula around an expression, which stands in it once; of layers that fold."""
        raise NotImplementedError

    def words_of(self, inner: str) -> str:
        """The formula in words around other words; of layers that fold."""
        raise NotImplementedError

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        """Formula of the gradient of the `input` and of each parameter that training changes.

        `upstream`, the gradient of the output, stands on the sheet of these formulas, and the site on another one. The
        gradient of an input that others read too is the sum of what each of them says.
        """
        raise SpecError(f"there is no backpropagation sheet for the kind {self.kind}: leave the layer or the sheet out")

    def joined_gradient_formulas(self, site: Site, upstream: Placed) -> tuple[Formula, ...]:
        """Formula of the gradient of each input."""
        return (self.gradient_formulas(site, upstream)["input"],)

    def gradient_words(self) -> dict[str, str]:
        """The same in words, for a learner."""
        raise NotImplementedError

    def torch(self, shape: Shape) -> str:
        """The layer as PyTorch writes it."""
        return f"nn.{self.kind}({', '.join(arguments(self.options()))})"

    def joined_torch(self, names: Sequence[str], shape: Shape) -> str:
        """The same where it depends on the names of the inputs."""
        return self.torch(shape)

    def words(self, shape: Shape) -> str:
        """The formula in words, for a learner."""
        raise NotImplementedError

    def sizes(self, shape: Shape, before: Sizes) -> Sizes:
        """Output shape as expressions over the cells that hold the input shape."""
        after = self.output_shape(shape)
        return before if after == shape else tuple(map(of, after))

    def joined_sizes(self, shape: Shape, before: Sequence[Sizes]) -> Sizes:
        """The same over the cells that hold the shape of each input."""
        return self.sizes(shape, before[0])

    def products(self, shape: Shape) -> tuple[int, ...]:
        """Factors of the multiply-adds of one output value; empty where nothing is multiplied by a weight."""
        return ()

    def multiply_adds(self, shape: Shape) -> int:
        """Multiplications by a weight for one image."""
        factors = self.products(shape)
        return prod(self.output_shape(shape)) * prod(factors) if factors else 0

    def work(self, shape: Shape, before: Sizes, after: Sizes) -> Expr:
        """The same over the cells that hold the input shape and the output shape."""
        factors = self.products(shape)
        return times(*after, *factors) if factors else of(0)

    # -- options ---------------------------------------------------------------------------------------------------

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "Layer":
        """The layer from a spec's options; lists become tuples, and what only repeats PyTorch's is left out."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(options) - known - set(cls.said))
        if unknown:
            takes = f"it takes {', '.join(sorted(known))}" if known else "it takes no options"
            raise SpecError(f"unknown option {unknown[0]!r}{did_you_mean(unknown[0], known)}; {takes}")
        own = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items() if k in known}
        try:
            return cls(**own)
        except TypeError:
            missing = [f.name for f in fields(cls) if f.name not in options and f.default is MISSING]
            raise SpecError(f"option {missing[0]!r} is missing") from None

    @classmethod
    def check_said(cls, options: Mapping[str, Any], shape: Shape) -> None:
        """Raise SpecError where an option that is no choice says something else than the input of this shape does."""
        for name in (name for name in cls.said if name in options):
            cls.said[name].check(name, options[name], shape)

    def options(self) -> dict[str, Any]:
        """The options that differ from their defaults, as a spec writes them."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def beside(placed: Placed, shape: Shape, plane: int, y: int, x: int) -> str:
    """Address of what a value of a tensor of this shape has of its own in a parameter or an intermediate.

    That is one for all, one a map, one a value of a vector, or one a value of a map.
    """
    if len(placed.shape) == 3:
        return placed.cell(plane, y, x)
    if len(shape) == 1 and placed.shape != (1,):
        return placed.cell(0, y, 0)
    return placed.at(plane if placed.shape != (1,) else 0)


def beside_other(placed: Placed, shape: Shape, plane: int, y: int, x: int) -> str:
    """The same for formulas on other sheets."""
    if len(placed.shape) == 3 or (len(shape) == 1 and placed.shape != (1,)):
        return placed.other(plane, y, x)
    block, row, column = placed.locate(plane if placed.shape != (1,) else 0)
    return block.part(row, column, 1, 1).reference


def pointwise(site: Site, upstream: Placed, formula: Callable[[str, str, str], str]) -> dict[str, Formula]:
    """Gradient formulas of a layer that makes each output from one input.

    `formula` has the cells of the input, of the output and of the output's gradient.
    """

    def gradient(plane: int, y: int, x: int) -> str:
        source, out = (placed.other(plane, y, x) for placed in (site.source, site["out"]))
        return formula(source, out, upstream.cell(plane, y, x))

    return {"input": Formula(gradient, shared=site.source.regular and upstream.regular)}


def arguments(options: Mapping[str, Any]) -> list[str]:
    """Options as Python writes arguments.

    >>> arguments({"kernel_size": [3, 5], "stride": [2, 2], "padding": "same"})
    ['kernel_size=(3, 5)', 'stride=2', "padding='same'"]
    """
    pairs = {k: v[0] if isinstance(v, list) and len(set(v)) == 1 else v for k, v in options.items()}
    return [f"{k}={tuple(v) if isinstance(v, list) else v!r}" for k, v in pairs.items()]


def maps(shape: Shape, kind: str) -> tuple[int, int, int]:
    """The shape as (C, H, W), else a ShapeError."""
    if len(shape) != 3:
        raise ShapeError(f"{kind} reads maps (C, H, W), but its input has shape {shape}")
    return shape[0], shape[1], shape[2]


def vector(shape: Shape, kind: str) -> int:
    """The length of a vector shape (N,), else a ShapeError."""
    if len(shape) != 1:
        raise ShapeError(f"{kind} reads a vector, but its input has shape {shape}: put a Flatten before it")
    return shape[0]
