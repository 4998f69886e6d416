"""The layer kinds: a dataclass each, with everything that conv-sheet knows of the kind.

A new kind joins the `KINDS` of its module; nothing else has to hear of it.
"""

from conv_sheet.cells.formula import Formula
from conv_sheet.cells.inputs import Limits
from conv_sheet.layers import (
    activation,
    adaptive,
    conv,
    conv_transpose,
    curves,
    dense,
    dropout,
    groups,
    join,
    moving,
    norm,
    normalize,
    padding,
    pool,
    softmax,
    upsample,
)
from conv_sheet.layers.base import Border, Layer, Shape, Site, Tensors
from conv_sheet.layers.field import Field
from conv_sheet.ops import Array

_KINDS: tuple[type[Layer], ...] = (
    *conv.KINDS,
    *conv_transpose.KINDS,
    *activation.KINDS,
    *curves.KINDS,
    *pool.KINDS,
    *adaptive.KINDS,
    *norm.KINDS,
    *groups.KINDS,
    *dropout.KINDS,
    *moving.KINDS,
    *padding.KINDS,
    *upsample.KINDS,
    *normalize.KINDS,
    *dense.KINDS,
    *softmax.KINDS,
    *join.KINDS,
)

KINDS: dict[str, type[Layer]] = {kind.kind: kind for kind in _KINDS}
"""Every layer kind by the name that a spec gives it."""

__all__ = ["KINDS", "Array", "Border", "Field", "Formula", "Layer", "Limits", "Shape", "Site", "Tensors"]
