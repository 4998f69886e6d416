"""The pages of a workbook as one HTML file that opens by a double click: no request, no other file, the same bytes for
the same state.
"""

import base64
import functools
import hashlib
import html
import json
import re
import zlib
from pathlib import Path

from conv_sheet.errors import WorkbookError
from conv_sheet.files import atomic_write
from conv_sheet.sheets import registry
from conv_sheet.state import WorkbookState
from conv_sheet.web.data import data

SUFFIX = ".html"
_FOLDER = Path(__file__).parent
_SLOT = re.compile(r"\{\{([a-z-]+)\}\}")
_TYPE = re.compile(r"/\*\* @[^*]*\*/ ?")
_STRICT = '"use strict";'
_SPACE = re.compile(r"\s*([{};])\s*|(?<=:) ")
_SEVEN = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 7 7"><path fill="#fff" d="M0 0h7v7H0z"/>'
    '<path fill="#1e3a8a" d="M1 1h5v2h-1v1h-1v2h-2v-2h1v-1h1v-1h-3z"/></svg>'
)
"""The picture in the tab: without one of its own, Firefox asks for /favicon.ico, which the page forbids itself."""
_GZIP_HEAD = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 255])
"""Of a stream without a name, a time and a system: the same wherever it is written."""


def write(state: WorkbookState, path: Path, name: str, workbook: str | None = None) -> None:
    """Write the page of a state, whole or not at all.

    `name` is the lesson's, which shared states carry; `workbook` is the address of the same as a workbook.

    Raises WorkbookError where the page cannot calculate a formula, or the file cannot be written.
    """
    registry.require_allowed(state)
    text = render(state, name, workbook)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def render(state: WorkbookState, name: str, workbook: str | None = None) -> str:
    """The page of a state as a text."""
    held = json.dumps(data(state, name, workbook), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return filled(
        "page.html",
        title=html.escape(state.lesson.title, quote=False),
        style=style("page.css"),
        script=script(),
        data=base64.b64encode(compressed(held.encode())).decode("ascii"),
    )


def filled(name: str, **parts: str) -> str:
    """A template with its slots filled, and the hashes of its style and script in its content security policy."""
    icon = "data:image/svg+xml;base64," + base64.b64encode(_SEVEN.encode()).decode("ascii")
    slots = parts | {"icon": icon}
    slots |= {f"{kind}-hash": _hash(parts[kind]) for kind in ("style", "script") if kind in parts}
    for kind in ("style", "script"):
        if f"</{kind}" in parts.get(kind, "").lower() or "<!--" in parts.get(kind, ""):
            raise WorkbookError(f"{name}: its {kind} would end too early")
    return _SLOT.sub(lambda found: slots[found[1]], source(name))


def source(name: str) -> str:
    """A file of the page as it lies in the package."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def style(name: str) -> str:
    """A style sheet without what is there for its readers only."""
    return squeezed(source(name))


def squeezed(style: str) -> str:
    r"""A style sheet without comments on lines of their own, and without the spaces that nothing needs.

    >>> squeezed("/* Why. */\na > b:hover {\n  color: red; margin: 0 auto;\n}\n")
    'a > b:hover{color:red;margin:0 auto;}'
    """
    lines = (line for line in style.splitlines() if not line.strip().startswith("/*"))
    return _SPACE.sub(r"\1", "\n".join(lines))


@functools.cache
def script() -> str:
    """The page's modules as one classic script, in the order of `modules.json`."""
    modules = "\n".join(stripped(source(name)) for name in json.loads(source("modules.json")))
    return f"(() => {{\n{_STRICT}\n{modules}\n}})();"


def stripped(module: str) -> str:
    r"""A module without empty lines, indentation, comments on lines of their own and types.

    >>> print(stripped('"use strict";\n// Why.\nif (x) {\n  /** @type {number} */\n  y = "// no comment";\n}'))
    if (x) {
    y = "// no comment";
    }
    >>> stripped("const x = /** @type {Data} */ (y);")
    'const x = (y);'
    """
    kept, inside = [], False
    for line in map(str.strip, module.splitlines()):
        opens = line.startswith("/*") and line.find("*/") in (-1, len(line) - 2)
        if inside or opens:
            inside = not line.endswith("*/")
        elif line and line != _STRICT and not line.startswith("//"):
            kept.append(_TYPE.sub("", line))
    return "\n".join(kept)


def compressed(content: bytes) -> bytes:
    """Bytes, gzipped.

    >>> import gzip
    >>> gzip.decompress(compressed(b"a page"))
    b'a page'
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    end = zlib.crc32(content).to_bytes(4, "little") + (len(content) & 0xFFFFFFFF).to_bytes(4, "little")
    return _GZIP_HEAD + packer.compress(content) + packer.flush() + end


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
