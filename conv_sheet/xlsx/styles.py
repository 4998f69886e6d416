"""The looks of cells as the file format has them: each font, fill, border, format and change once.

Source: ECMA-376 part 1, 18.8.
"""

from conv_sheet.cells import style
from conv_sheet.cells.style import Style
from conv_sheet.xlsx import encode

_BUILT_IN = {"General": 0, "0": 1, "0.00": 2, "#,##0": 3, "0%": 9, "@": 49}
"""Numbers of the formats that every program knows (18.8.30)."""
_OWN = 164
"""Number of the first format that a file says itself."""
_HATCHED_ID = 200
"""Number of a format in changes; the numbers of cells' formats do not get there."""
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


class Styles:
    """Numbers of looks, and of what rules change of them, in the order of first use."""

    def __init__(self) -> None:
        self._formats: dict[str, int] = {}
        self._fonts = {'<font><sz val="11"/><name val="Calibri"/><family val="2"/></font>': 0}
        self._fills = {
            '<fill><patternFill patternType="none"/></fill>': 0,
            '<fill><patternFill patternType="gray125"/></fill>': 1,
        }
        self._borders = {"<border><left/><right/><top/><bottom/></border>": 0}
        self._looks = {'<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>': 0}
        self._changes: dict[str, int] = {}
        self._known: dict[int, tuple[Style, int]] = {}
        """Numbers by the identity of a style, for which no field is hashed; the style keeps it from another."""

    def number(self, look: Style) -> int:
        """The number of a look."""
        known = self._known.get(id(look))
        if known is None:
            known = self._known[id(look)] = look, _number(self._looks, self._look(look))
        return known[1]

    def change(
        self, color: str | None = None, fill: str | None = None, line: str | None = None, hatch: str | None = None
    ) -> int:
        """The number of what a rule changes: the colour of the text, the fill, lines around, strokes."""
        parts = []
        if color:
            parts.append(f"<font>{_color(color)}</font>")
        if hatch:
            parts.append(f'<numFmt numFmtId="{_HATCHED_ID}" formatCode="{encode.attribute(style.HATCHED)}"/>')
        if hatch:
            strokes = f"{_color(hatch, 'fgColor')}{_color(fill or style.WHITE, 'bgColor')}"
            parts.append(f'<fill><patternFill patternType="lightUp">{strokes}</patternFill></fill>')
        elif fill:
            parts.append(f"<fill><patternFill>{_color(fill, 'bgColor')}</patternFill></fill>")
        if line:
            parts.append(_border(line, "thin"))
        return _number(self._changes, f"<dxf>{''.join(parts)}</dxf>")

    def xml(self) -> str:
        """The part of the file."""
        formats = {
            f'<numFmt numFmtId="{number}" formatCode="{encode.attribute(code)}"/>': number
            for code, number in self._formats.items()
        }
        tables = (
            _table("numFmts", formats) if formats else "",
            _table("fonts", self._fonts),
            _table("fills", self._fills),
            _table("borders", self._borders),
            '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>',
            _table("cellXfs", self._looks),
            '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>',
            _table("dxfs", self._changes),
        )
        return f'<styleSheet xmlns="{_MAIN}">{"".join(tables)}</styleSheet>'

    def _look(self, look: Style) -> str:
        font, fill, border = _number(self._fonts, _font(look)), 0, 0
        if look.fill:
            pattern = f'<patternFill patternType="solid">{_color(look.fill, "fgColor")}</patternFill>'
            fill = _number(self._fills, f"<fill>{pattern}</fill>")
        if look.line:
            border = _number(self._borders, _border(look.line, "dashed" if look.dashed else "thin"))
        form = _BUILT_IN.get(look.format)
        if form is None:
            form = self._formats.setdefault(look.format, _OWN + len(self._formats))
        parts = f'numFmtId="{form}" fontId="{font}" fillId="{fill}" borderId="{border}" xfId="0"'
        return f'<xf {parts} applyAlignment="1">{_alignment(look)}</xf>'


def _number(table: dict[str, int], xml: str) -> int:
    return table.setdefault(xml, len(table))


def _table(name: str, elements: dict[str, int]) -> str:
    return f'<{name} count="{len(elements)}">{"".join(elements)}</{name}>'


def _color(value: str, name: str = "color") -> str:
    return f'<{name} rgb="FF{value}"/>'


def _font(look: Style) -> str:
    """A font; the schema wants its children in this order."""
    marks = "<b/>" * look.bold + "<i/>" * look.italic + "<u/>" * look.underline
    name = style.MONO if look.mono else style.FONT
    return f'<font>{marks}<sz val="{look.size:g}"/>{_color(look.color)}<name val="{name}"/></font>'


def _border(color: str, line: str) -> str:
    """A line of one colour on all sides."""
    sides = (f'<{side} style="{line}">{_color(color)}</{side}>' for side in ("left", "right", "top", "bottom"))
    return f"<border>{''.join(sides)}</border>"


def _alignment(look: Style) -> str:
    said = {
        "horizontal": look.horizontal,
        "vertical": look.vertical,
        "wrapText": int(look.wrap),
        "indent": look.indent,
        "shrinkToFit": int(look.shrink),
    }
    attributes = "".join(f' {name}="{value}"' for name, value in said.items() if value)
    return f"<alignment{attributes}/>"
