"""What a stage reads that stands on another sheet, once more on its own."""

from dataclasses import dataclass
from typing import ClassVar

from conv_sheet.cells.formula import Formula
from conv_sheet.layers.base import Layer, Shape, Site


@dataclass(frozen=True)
class Carried(Layer):
    """The values of another layer, cell by cell, for the stages of a sheet; no spec can ask for it."""

    kind: ClassVar[str] = "Carried"
    prefix: ClassVar[str] = "carried"

    sheet: str = ""
    """Where the values stand that it repeats."""

    def formulas(self, site: Site) -> dict[str, Formula]:
        return {"out": Formula(site.source.other)}

    def words(self, shape: Shape) -> str:
        return f"the cell in its place on {self.sheet}"
