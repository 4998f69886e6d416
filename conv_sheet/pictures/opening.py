"""Picture files, opened with care: raster formats only, known by their content, no larger than memory should hold.

Pillow reads more than these. Some of it (PostScript) it hands to another program, which then runs what a stranger
wrote.
"""

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conv_sheet.errors import DataError
from conv_sheet.files import require_regular

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".heif")
"""What files of these formats are called, and those that phones write."""
MOST_PIXELS = 50_000_000
"""Of a picture; the largest cameras of phones make as many."""
MOST_BYTES = 500_000_000
"""Of a file with a picture."""
_ENOUGH_PIXELS = 4_000_000
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_NO_PICTURE = "not a picture in PNG, JPEG, GIF, BMP, TIFF or WebP, or damaged"


@contextmanager
def opened(path: Path) -> Iterator["Picture"]:
    """Open a picture of a known format and a bearable size; what fails while the block decodes it is a DataError.

    >>> with opened(Path("nowhere.png")) as picture:
    ...     picture.load()
    Traceback (most recent call last):
    conv_sheet.errors.DataError: nowhere.png does not exist: check its name and its folder
    """
    from PIL import Image

    logging.getLogger("PIL").addHandler(logging.NullHandler())  # else it prints a line of its own beside ours
    require_regular(path, DataError, MOST_BYTES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_formats(path)) as picture:
                _require_bearable(path, picture)
                yield picture
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise DataError(f"{path}: {_too_large()}") from error
    except Exception as error:  # decoders meet damage with exceptions of every kind, which all mean the same
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or _NO_PICTURE}") from error


def _formats(path: Path) -> tuple[str, ...]:
    """What Pillow may take a file for; HEIC, which phones write, only where its reader is installed."""
    with path.open("rb") as file:
        start = file.read(12)
    if start[4:8] != b"ftyp" or start[8:12] not in _HEIC_BRANDS:
        return FORMATS
    try:
        import pillow_heif
    except ImportError as error:
        remedy = "save it as JPEG or PNG, or install its reader: pip install 'conv-sheet[heic]'"
        raise DataError(f"{path}: a picture in HEIC: {remedy}") from error
    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def _require_bearable(path: Path, picture: "Picture") -> None:
    if picture.width * picture.height > MOST_PIXELS:
        raise DataError(f"{path}: {picture.width:,}×{picture.height:,} pixels, {_too_large()}")
    if picture.mode == "F":
        raise DataError(f"{path}: nothing says which of its float values are black and white: save it as .npy")


def _too_large() -> str:
    return f"too large, the limit is {MOST_PIXELS:,} pixels"


def reduced(picture: "Picture") -> "Picture":
    """A picture of at most about four million pixels, each the mean of a square of whole pixels."""
    factor = math.ceil(math.sqrt(picture.width * picture.height / _ENOUGH_PIXELS))
    if factor <= 1:
        picture.load()
        return picture
    if picture.mode.startswith("I"):
        picture = eight_bits(picture)
    elif "transparency" in picture.info or picture.mode == "PA":
        picture = picture.convert("RGBA")
    elif picture.mode in ("1", "P"):
        picture = picture.convert("RGB")
    return picture.reduce(factor)


def eight_bits(picture: "Picture") -> "Picture":
    """A grey picture of 16 bits with the nearest levels of 8 bits, computed in strips, as floats take much room."""
    from PIL import Image

    levels = np.asarray(picture)
    strips = np.array_split(levels, math.ceil(levels.size / _ENOUGH_PIXELS))
    return Image.fromarray(np.vstack([np.clip(strip / 257, 0, 255).round().astype(np.uint8) for strip in strips]))


def opaque(picture: "Picture") -> "tuple[Picture, bool]":
    """A picture as RGB, laid on white where it is transparent, and whether it is so anywhere."""
    from PIL import Image

    layer = picture.convert("RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    ground.alpha_composite(layer)
    return ground.convert("RGB"), layer.getchannel("A").getextrema() != (255, 255)
