"""The theme of a workbook: the colours and fonts that Excel offers first, which the schema wants to be there.

Source: ECMA-376 part 1, 20.1.6.
"""

from conv_sheet.cells import style

_COLOURS = {
    "dk1": style.BLACK,
    "lt1": style.WHITE,
    "dk2": style.INK,
    "lt2": style.PALE,
    "accent1": style.WARM,
    "accent2": style.BLUE,
    "accent3": style.RED,
    "accent4": style.GREEN,
    "accent5": style.AMBER,
    "accent6": style.GREY,
    "hlink": style.EDIT,
    "folHlink": style.EDIT,
}
_PLAIN = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'


def theme() -> str:
    """The part of the file; shapes are plain, of which there are three degrees."""
    colours = "".join(f'<a:{name}><a:srgbClr val="{value}"/></a:{name}>' for name, value in _COLOURS.items())
    font = f'<a:latin typeface="{style.FONT}"/><a:ea typeface=""/><a:cs typeface=""/>'
    return (
        '<a:theme xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" name="conv-sheet"><a:themeElements>'
        f'<a:clrScheme name="conv-sheet">{colours}</a:clrScheme>'
        f'<a:fontScheme name="conv-sheet"><a:majorFont>{font}</a:majorFont><a:minorFont>{font}</a:minorFont>'
        '</a:fontScheme><a:fmtScheme name="conv-sheet">'
        f"<a:fillStyleLst>{_PLAIN * 3}</a:fillStyleLst>"
        f"<a:lnStyleLst>{f'<a:ln>{_PLAIN}</a:ln>' * 3}</a:lnStyleLst>"
        f"<a:effectStyleLst>{'<a:effectStyle><a:effectLst/></a:effectStyle>' * 3}</a:effectStyleLst>"
        f"<a:bgFillStyleLst>{_PLAIN * 3}</a:bgFillStyleLst></a:fmtScheme></a:themeElements></a:theme>"
    )
