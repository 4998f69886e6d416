"""Dropout that can be looked at: switched, seeded and rescaled in cells."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, prod
from typing import Any, ClassVar

import numpy as np

from conv_sheet import ops
from conv_sheet.cells.expr import Expr, Operand, integer, of
from conv_sheet.cells.formula import Formula
from conv_sheet.cells.grid import Placed
from conv_sheet.cells.inputs import Limits
from conv_sheet.errors import DataError
from conv_sheet.layers.base import Layer, Shape, Site, Tensors, beside, beside_other
from conv_sheet.layers.said import FLAG, Said
from conv_sheet.ops import Array
from conv_sheet.ops.options import real

PRIME = 1_048_571
"""The largest prime below 2²⁰ of the form 3k + 2: cubing permutes the remainders, and no product reaches 2⁵³."""
_SEED, _INDEX = 271_828, 314_159
_LARGEST_SEED = 1_000_000


def random(count: int, seed: float) -> Array:
    """Numbers from 0 to just under 1 for the indices 1, 2, …: the cube of (seed · a + index · b), modulo a prime.

    Remainders of whole numbers below 2⁵³ are exact in every spreadsheet program, so that formulas can draw the same
    numbers. Any seed from -1,000,000 to 1,000,000 does; its fraction does not count.

    >>> random(4, seed=7).round(3).tolist() == random(9, seed=7.5)[:4].round(3).tolist()
    True
    """
    numbers: Array = _random(np.arange(1, count + 1, dtype=np.int64), floor(seed))
    return numbers


def random_cell(index: Operand, seed: Expr) -> Expr:
    """The same number as a formula over the cell of the seed, and over that of the index where it has one.

    >>> drawn = random_cell(2, Expr(7.5, "$B$7"))
    >>> drawn.value == random(2, seed=7)[1].item(), drawn.formula.count("MOD(INT($B$7)*271828+2*314159,1048571)")
    (True, 3)
    """
    drawn: Expr = _random(of(index), integer(seed))
    return drawn


def _random(index: Any, seed: Any) -> Any:
    """The rule, for numbers and for cells: of whole numbers."""
    base = (seed * _SEED + index * _INDEX) % PRIME
    return base * base % PRIME * base % PRIME / PRIME


@dataclass(frozen=True)
class _Dropout(Layer):
    """What is dropped at random, and how that is switched on."""

    prefix: ClassVar[str] = "dropout"
    non_negative: ClassVar[bool | None] = None
    buffers: ClassVar[frozenset[str]] = frozenset({"p", "active", "seed"})
    limits: ClassVar[Mapping[str, Limits]] = {
        "p": Limits(0, 0.99, hint="The probability of a drop, from 0 to 0.99."),
        "active": Limits(choices=(0, 1), hint="0: off, as when a network is used. 1: on, as while it is trained."),
        "seed": Limits(-_LARGEST_SEED, _LARGEST_SEED, hint="A whole number. Another one gives another mask."),
    }

    said: ClassVar[Mapping[str, Said]] = {"inplace": FLAG}

    p: float = 0.5

    def _masked(self, shape: Shape) -> Shape:
        """Shape of the mask."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        real("p", self.p, least=0, below=1)

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return {"p": (), "active": (), "seed": ()}

    def initial(self, shape: Shape, rng: "np.random.Generator") -> dict[str, Array]:
        return {"p": np.array(float(self.p)), "active": np.array(0.0), "seed": np.array(float(rng.integers(1, 1000)))}

    def while_training(self, rng: "np.random.Generator") -> dict[str, Array]:
        return {"active": np.array(1.0), "seed": np.array(float(rng.integers(1, _LARGEST_SEED)))}

    def draws(self, params: Tensors) -> bool:
        return bool(params["active"])

    def intermediates(self, shape: Shape) -> dict[str, Shape]:
        return dict.fromkeys(("random", "mask"), self._masked(shape))

    def intermediate_values(self, x: Array, params: Tensors) -> dict[str, Array]:
        seed = float(params["seed"])
        if abs(seed) > _LARGEST_SEED:
            raise DataError(f"seed holds {seed:g} and must be from -{_LARGEST_SEED:,} to {_LARGEST_SEED:,}")
        shape = (len(x), *self._masked(x.shape[1:]))
        drawn = random(prod(shape), seed).reshape(shape)
        return {"random": drawn, "mask": np.where(drawn < params["p"], 0.0, 1.0)}

    def forward(self, x: Array, params: Tensors) -> Array:
        if not self.draws(params):
            return x
        return ops.dropout(x, self._mask(x, params), float(params["p"]))

    def _mask(self, x: Array, params: Tensors) -> Array:
        """The mask in a form that broadcasts over the input."""
        mask = self.intermediate_values(x, params)["mask"]
        return mask.reshape(*mask.shape, *(1,) * (x.ndim - mask.ndim))

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        if not self.draws(params):
            return grad, {}
        return ops.dropout_backward(grad, self._mask(x, params), float(params["p"])), {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        p, active = (site[name].at(0) for name in ("p", "active"))
        seed = Expr(0, site["seed"].at(0))  # for its formula: here the engine says what it gives
        drawn, mask, source = site["random"], site["mask"], site.source
        height, width = mask.blocks[0].shape

        def out(plane: int, y: int, x: int) -> str:
            value = source.cell(plane, y, x)
            return f"IF({active}=0,{value},{value}*{beside(mask, source.shape, plane, y, x)}/(1-{p}))"

        return {
            "random": Formula(lambda plane, y, x: random_cell((plane * height + y) * width + x + 1, seed).formula),
            "mask": Formula(lambda plane, y, x: f"IF({drawn.cell(plane, y, x)}<{p},0,1)", shared=True),
            "out": Formula(out, shared=source.regular),
        }

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        active, p = site["active"].blocks[0].reference, site["p"].blocks[0].reference
        mask = site["mask"]

        def of_input(plane: int, y: int, x: int) -> str:
            grad, kept = upstream.cell(plane, y, x), beside_other(mask, site.source.shape, plane, y, x)
            return f"IF({active}=0,{grad},{grad}*{kept}/(1-{p}))"

        return {"input": Formula(of_input, shared=upstream.regular)}

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient × mask ÷ (1 − p) while active, else the gradient"}

    def words(self, shape: Shape) -> str:
        return "value × mask ÷ (1 − p) while active, else the value; mask: 0 where random < p"


class Dropout(_Dropout):
    """Values dropped at random, and the others divided by 1 - p, as `torch.nn.Dropout`; off until switched on.

    Three settings stand in cells: `p` (the option is its start value), `active` (0 as after `eval()`, 1 as after
    `train()`), and `seed`, from which every mask follows. The images of a batch have masks of their own; the first
    one's is the sheet's.

    >>> x, on = np.ones((1, 6)), {"p": np.array(0.5), "active": np.array(1.0), "seed": np.array(3.0)}
    >>> sorted(set(Dropout().forward(x, on).ravel().tolist()))
    [0.0, 2.0]
    """

    kind: ClassVar[str] = "Dropout"

    def _masked(self, shape: Shape) -> Shape:
        return shape


class Dropout2d(_Dropout):
    """Whole maps dropped at random, as `torch.nn.Dropout2d`; of a vector its values.

    >>> x, on = np.ones((1, 2, 2, 2)), {"p": np.array(0.5), "active": np.array(1.0), "seed": np.array(3.0)}
    >>> [len(set(values.ravel().tolist())) for values in Dropout2d().forward(x, on)[0]]
    [1, 1]
    """

    kind: ClassVar[str] = "Dropout2d"

    def _masked(self, shape: Shape) -> Shape:
        return shape[:1]

    def words(self, shape: Shape) -> str:
        return f"{super().words(shape)}: of a whole map"


KINDS = (Dropout, Dropout2d)
