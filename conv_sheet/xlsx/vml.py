"""Controls over cells as VML (ECMA-376 part 4): the form controls of a spreadsheet program, which need no ActiveX.

A button runs a macro. A spinner counts the number in a cell up and down, and needs none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import ClassVar

from conv_sheet.cells import drawn

_NAMESPACES = (
    b' xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
    b' xmlns:x="urn:schemas-microsoft-com:office:excel"'
)
EMPTY = b'<xml><o:shapelayout v:ext="edit"><o:idmap v:ext="edit" data="1"/></o:shapelayout></xml>'
"""A drawing without shapes."""
_TYPE = (
    b'<v:shapetype id="_x0000_t201" coordsize="21600,21600" o:spt="201" path="m,l,21600r21600,l21600,xe">'
    b'<v:stroke joinstyle="miter"/>'
    b'<v:path shadowok="f" o:extrusionok="f" strokeok="f" fillok="f" o:connecttype="rect"/>'
    b'<o:lock v:ext="edit" shapetype="t"/></v:shapetype>'
)
_SHAPE = '<v:shape id="_x0000_s{id}" type="#_x0000_t201" alt="{alt}" style="position:absolute;{place};z-index:{order}" '
_ANCHOR = "<x:Anchor>{left}, {inset}, {top}, 0, {right}, 0, {bottom}, 0</x:Anchor><x:PrintObject>False</x:PrintObject>"
_BUTTON = (
    'o:button="t" fillcolor="buttonFace [67]" strokecolor="windowText [64]" o:insetmode="auto">'
    '<v:fill color2="buttonFace [67]" o:detectmouseclick="t"/><o:lock v:ext="edit" rotation="t"/>'
    '<v:textbox style="mso-direction-alt:auto" o:singleclick="f"><div style="text-align:center">'
    '<font face="Calibri" size="220" color="#000000">{caption}</font></div></v:textbox>'
    '<x:ClientData ObjectType="Button">{anchor}<x:AutoFill>False</x:AutoFill>'
    "<x:FmlaMacro>[0]!{macro}</x:FmlaMacro>"
    "<x:TextHAlign>Center</x:TextHAlign><x:TextVAlign>Center</x:TextVAlign></x:ClientData></v:shape>"
)
_SPINNER = (
    'stroked="f" strokecolor="windowText [64]" o:insetmode="auto"><o:lock v:ext="edit" rotation="t"/>'
    '<x:ClientData ObjectType="Spin">{anchor}<x:FmlaLink>{cell}</x:FmlaLink>'
    "<x:Val>{value}</x:Val><x:Min>{low}</x:Min><x:Max>{high}</x:Max><x:Inc>1</x:Inc><x:Page>10</x:Page><x:Dx>16</x:Dx>"
    "</x:ClientData></v:shape>"
)
_FIRST = {"Button": 1900, "Spinner": 1800}
"""Shape ids of a sheet run from 1025 to 2047; comments take theirs from the beginning."""


@dataclass(frozen=True)
class Button:
    """A button on a sheet; ``anchor`` is the first column and row and the last ones it covers, counted from 1."""

    sheet: str
    macro: str
    caption: str
    anchor: tuple[int, int, int, int]
    inset: ClassVar[int] = 0

    @property
    def alt(self) -> str:
        """What a screen reader says."""
        return f"{self.caption}: a button"

    def body(self, anchor: str) -> str:
        """What makes a shape this control."""
        return _BUTTON.format(caption=escape(self.caption), macro=self.macro, anchor=anchor)


@dataclass(frozen=True)
class Spinner:
    """Two arrows that count the number in a cell from ``low`` to ``high``.

    ``cell`` is as ``Sheet!$A$1``: without the sheet, LibreOffice takes the first one's for a cell of the first sheet.
    """

    label: str
    cell: str
    value: int
    low: int
    high: int
    anchor: tuple[int, int, int, int]
    inset: ClassVar[int] = 8
    """Pixels by which it is narrower than its cells: LibreOffice puts the arrows of a wide one side by side."""

    @property
    def alt(self) -> str:
        """What a screen reader says."""
        return f"{self.label}: a spinner, it counts {self.cell.replace('$', '')} from {self.low} to {self.high}"

    def body(self, anchor: str) -> str:
        """What makes a shape this control."""
        return _SPINNER.format(cell=escape(self.cell), value=self.value, low=self.low, high=self.high, anchor=anchor)


def spinner(placed: drawn.Spinner) -> Spinner:
    """The spinner of a page."""
    at, (low, high) = placed.block, placed.item.bounds
    anchor = at.column, at.row, at.last_column, at.last_row
    return Spinner(placed.label, placed.item.at.reference, placed.value, low, high, anchor)


def shapes(controls: Sequence[Button | Spinner]) -> bytes:
    """The controls of a sheet, which are of one kind."""
    return "".join(_shape(control, order) for order, control in enumerate(controls, start=1)).encode()


def _shape(control: Button | Spinner, order: int) -> str:
    """VML of a control: the anchor, in cells, counts; the place in points is for cells of the usual size."""
    left, top, right, bottom = control.anchor[0] - 1, control.anchor[1] - 1, *control.anchor[2:]
    place = f"margin-left:{48 * left}pt;margin-top:{15 * top}pt"
    size = f"width:{48 * (right - left)}pt;height:{15 * (bottom - top)}pt"
    number = _FIRST[type(control).__name__] + order
    start = _SHAPE.format(id=number, order=order, alt=escape(control.alt), place=f"{place};{size}")
    return start + control.body(_ANCHOR.format(left=left, inset=control.inset, top=top, right=right, bottom=bottom))


def with_shapes(drawing: bytes, added: bytes) -> bytes:
    """A drawing with shapes behind its own."""
    if b"xmlns:v=" not in drawing:
        drawing = drawing.replace(b"<xml", b"<xml" + _NAMESPACES, 1)
    kind = b"" if b'id="_x0000_t201"' in drawing else _TYPE
    return drawing.replace(b"</xml>", kind + added + b"</xml>")
