"""Networks and what they calculate as HTML, for notebooks: a table of layers, and maps as small pictures."""

import base64
import html
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from conv_sheet.cells import style
from conv_sheet.cells.style import Scale
from conv_sheet.network.node import INPUT, Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from conv_sheet.layers import Array, Shape

_MOST_MAPS = 16
"""Of a layer; how many more there are is said."""
_MOST_VALUES = 20
"""Of a vector that is shown as numbers."""
_SIDE = 84
"""Pixels of the screen that the longer side of a map takes."""
_LINE = 600
"""Pixels that a long vector takes, or a signal."""
_ROW = "display:flex;flex-wrap:wrap;gap:6px;align-items:center;margin:2px 0 8px"


def times(shape: "Shape") -> str:
    """A shape for readers.

    >>> times((2, 26, 26))
    '2×26×26'
    """
    return "×".join(map(str, shape))


def table(shape: "Shape", nodes: Sequence[Node]) -> str:
    """The layers behind an input (C, H, W): name, kind, what they read if not the layer above, output, parameters."""
    before = (INPUT, *(node.name for node in nodes))
    rows = [(INPUT, "", "", times(shape), "")] + [
        (
            node.name,
            node.layer.kind,
            "" if node.inputs == (previous,) else ", ".join(node.inputs),
            times(node.out_shape),
            f"{node.count:,}",
        )
        for node, previous in zip(nodes, before, strict=False)
    ]
    total = ("total", "", "", "", f"{sum(node.count for node in nodes):,}")
    head = _cells("th", ("layer", "kind", "reads", "output shape", "parameters"))
    return f"<table><thead>{head}</thead><tbody>{''.join(_cells('td', row) for row in [*rows, total])}</tbody></table>"


def _cells(tag: str, texts: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(text)}</{tag}>' for text in texts)}</tr>"


def activations(
    title: str, nodes: Sequence[Node], values: Mapping[str, "Array"], plain: frozenset[str], classes: Sequence[str]
) -> Iterator[str]:
    """What each layer gives, and the picture under `input`, coloured as on the sheets.

    `values` has arrays without the batch axis by name, in the order in which they are shown; `plain` names those that
    are never below zero; `classes` belong to the last one.
    """
    yield f"<p><b>{html.escape(title)}</b></p>"
    layers = {node.name: node.layer for node in nodes}
    for name, value in values.items():
        kind = layers[name].kind if name in layers else ""
        yield f"<div><b>{html.escape(name)}</b> {html.escape(kind)} {times(value.shape)}</div>"
        chances = name in layers and layers[name].probabilities
        if value.ndim == 1 and value.size <= _MOST_VALUES:
            named = classes if name == nodes[-1].name and len(classes) == value.size else [*map(str, range(value.size))]
            form = "{:.0%}" if chances else "{:.2f}"
            yield f"<table>{_cells('th', named)}{_cells('td', map(form.format, value))}</table>"
        else:
            scale = style.INK_SCALE if name == INPUT else style.scale_of(chances, name in plain)
            yield _pictures(name, value, scale or style.diverging(""))


def _pictures(name: str, value: "Array", scale: Scale) -> str:
    planes = value if value.ndim == 3 else value.reshape(1, 1, -1)
    top = scale.top if isinstance(scale.top, float) else float(np.abs(planes).max()) or 1.0
    if name == INPUT and len(planes) == 3:
        light = np.clip(planes, 0, 1).transpose(1, 2, 0) * 255
        return f'<div style="{_ROW}">{_picture(name, light)}</div>'
    shown = [_picture(f"{name} {n}", coloured(plane / top, scale)) for n, plane in enumerate(planes[:_MOST_MAPS], 1)]
    more = [f"<span>… and {len(planes) - _MOST_MAPS} more</span>"] if len(planes) > _MOST_MAPS else []
    return f'<div style="{_ROW}">{"".join(shown + more)}</div>'


def coloured(share: "Array", scale: Scale) -> "Array":
    """Colours (H, W, 3), 0 to 255, of shares (H, W) of the value that has the full one.

    >>> coloured(np.array([[0.0, 1.0, -1.0]]), Scale("FF0000", "0000FF")).tolist()
    [[[255.0, 255.0, 255.0], [255.0, 0.0, 0.0], [0.0, 0.0, 255.0]]]
    """
    high, low = (np.array(list(bytes.fromhex(colour)), float) for colour in (scale.high, scale.low or style.WHITE))
    part = np.clip(share, -1, 1)[..., None]
    colours: Array = 255 + np.where(part > 0, part * (high - 255), -part * (low - 255))
    return colours


def _picture(name: str, colours: "NDArray[np.floating]") -> str:
    from PIL import Image

    height, width = colours.shape[:2]
    file = io.BytesIO()
    Image.fromarray(colours.round().astype(np.uint8)).save(file, "PNG")
    scale = _SIDE / max(height, width) if height > 1 else min(_LINE / 75, _LINE / width)
    size = f'width="{max(1, round(width * scale))}" height="{max(8, round(height * scale))}"'
    source = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    said = html.escape(name, quote=True)
    look = f"image-rendering:pixelated;border:1px solid #{style.PAD}"
    return f'<img alt="{said}" title="{said}" style="{look}" {size} src="{source}">'
