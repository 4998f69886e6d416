"""The layer kinds: a dataclass each, with everything that conv-sheet knows of the kind.

A new kind joins the `KINDS` of its module; nothing else has to hear of it.
"""

from conv_sheet.layers import activation, conv, dense, dropout, norm, pool
from conv_sheet.layers.base import Border, Field, Formula, Layer, Limits, Shape, Site, Tensors
from conv_sheet.ops import Array

_KINDS: tuple[type[Layer], ...] = (
    *conv.KINDS,
    *activation.KINDS,
    *pool.KINDS,
    *norm.KINDS,
    *dropout.KINDS,
    *dense.KINDS,
)

KINDS: dict[str, type[Layer]] = {kind.kind: kind for kind in _KINDS}
"""Every layer kind by the name that a spec gives it."""

__all__ = ["KINDS", "Array", "Border", "Field", "Formula", "Layer", "Limits", "Shape", "Site", "Tensors"]
