"""A picture from a file as the input of a network: greyscale or RGB, of the right size, with values 0 to 1.

Drawings on a plain background are framed as MNIST's digits are (LeCun, Cortes, Burges: "The MNIST database of
handwritten digits"), so that a network trained on such digits can read them.
"""

import warnings
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from conv_sheet.errors import DataError
from conv_sheet.files import require_regular
from conv_sheet.pictures.digits import BOX, FRAME, centre_of_mass
from conv_sheet.pictures.opening import eight_bits, opaque, opened, reduced
from conv_sheet.pictures.shading import evened

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.Image import Transpose

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Size = tuple[int, int]

_MODES = {1: "L", 3: "RGB"}
_MODE_NAMES = {"L": "greyscale", "RGB": "RGB"}
_ROUNDED = "rounded from 16 bits to 8"
_PLAIN = 0.15 * 255  # how far plain paper may be from its median brightness
_PLAIN_SHARE = 0.75  # how much of the border must be plain; ink may touch the rest
_PAPER_SHARE = 0.8  # how much of a page in a shadow is plain paper once it is lit up
_INK_SHARE = 0.3  # how much of what is not plain is dark where it is ink; other pictures have all shades
_LENET_FRAME = 32  # MNIST's frame with zeros around it


def load_image(path: str | PathLike[str], shape: tuple[int, int, int]) -> tuple[Array, list[str]]:
    """The picture in a file as values (C, H, W) from 0 to 1, and a line for each thing that was done to it.

    A `.npy` file holds exact values, (C, H, W) or for one channel (H, W), and nothing is done to them. Other files
    are pictures in PNG, JPEG, GIF, BMP, TIFF or WebP, whatever they are called: turned upright (EXIF), laid on white
    where transparent, converted to greyscale (C = 1) or RGB (C = 3), and fitted into H×W with their background
    around them.

    In greyscale, ink is 1 and paper 0: a picture with a light border (by its median) is inverted. It counts as a
    drawing where three quarters of its border lie within 15 % of that median and something stands out from it. A
    drawing that is not H×W already is framed as MNIST's digits are: cropped to its ink, fitted into 20×20 pixels
    (in frames of 28 to 32, in proportion in others), and moved until its centre of mass is in the middle. Its
    contrast is stretched, so that uneven paper is 0 and the darkest ink 1. A shadow on the paper is lit up first.

    DataError, one line with the path: the file is missing, damaged, no picture or too large a one; its values have
    another shape, are not numbers or not in 0 to 1; a picture was asked for with other than 1 or 3 channels.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "stripes.npy")
    ...     np.save(path, [[0, 1, 0], [0, 1, 0]])
    ...     load_image(path, (1, 2, 3))
    (array([[[0., 1., 0.],
             [0., 1., 0.]]]), [])
    """
    name = fspath(path)
    if name.lower().endswith(".npy"):
        return _exact(Path(name), shape), []
    channels, size = shape[0], shape[1:]
    if channels not in _MODES:
        raise DataError(f"{name}: a picture has 1 or 3 channels, not {channels}: give a .npy file of shape {shape}")
    notes: list[str] = []
    pixels = _converted(_upright(Path(name), notes), _MODES[channels], notes)
    if (pixels == pixels[:, :1, :1]).all():
        notes.append("blank: all its pixels are alike")
    if channels == 1 and pixels.shape != shape:
        pixels = _without_shadow(pixels, notes)
    if channels == 1 and _background(pixels)[0] > 127.5:
        pixels = 255 - pixels
        notes.append("inverted: dark ink on a light background")
    if channels == 1 and pixels.shape != shape and _is_drawing(pixels):
        return _framed(pixels, size, notes), notes
    return padded(pixels, size, notes), notes


def _exact(path: Path, shape: tuple[int, int, int]) -> Array:
    """Values of a `.npy` file, mapped first: a header that promises too much then costs no memory."""
    require_regular(path, DataError)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stored = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # headers meet damage with exceptions of every kind
        reason = getattr(error, "strerror", None) or "not a .npy file of plain numbers, or damaged"
        raise DataError(f"{path}: {reason}") from error
    if stored.dtype.kind not in "biuf":
        raise DataError(f"{path}: values of type {stored.dtype}, not real numbers")
    fitting = {shape, *([shape[1:]] if shape[0] == 1 else []), *([(shape[0], shape[2])] if shape[1] == 1 else [])}
    if stored.shape not in fitting:
        raise DataError(f"{path}: values of shape {stored.shape}, but the network's input is {shape}")
    with np.errstate(all="ignore"):
        values = np.array(stored, np.float64).reshape(shape)
    if not np.isfinite(values).all():
        raise DataError(f"{path}: it holds NaN or infinity, and a cell takes numbers only")
    return values


def _upright(path: Path, notes: list[str]) -> "Picture":
    """The first frame of a picture, upright; of a large one its means over squares of pixels."""
    from PIL import ExifTags

    with opened(path) as picture:
        frames = getattr(picture, "n_frames", 1)
        turned = picture.getexif().get(ExifTags.Base.Orientation) in range(2, 9)
        small = reduced(picture)
        if small.size != picture.size:
            notes.append(f"resized {_times(picture.size[::-1])} → {_times(small.size[::-1])}")
        if picture.mode.startswith("I") and small.mode == "L":
            notes.append(_ROUNDED)
        turn = _turn(picture.getexif().get(ExifTags.Base.Orientation))  # formats that turn it themselves say 1 now
        upright = small if turn is None else small.transpose(turn)
        upright.load()
    if frames > 1:
        notes.append(f"first of {frames} frames")
    if turned:
        notes.append("turned upright, by its EXIF orientation")
    return upright


def _turn(orientation: int | None) -> "Transpose | None":
    """What undoes an EXIF orientation."""
    from PIL.Image import Transpose

    return {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation or 1)


def _converted(picture: "Picture", mode: str, notes: list[str]) -> Pixels:
    """Opaque pixels (C, H, W) in Pillow's mode `L` or `RGB`."""
    from PIL import Image

    if (Image.getmodebase(picture.mode) == "L") != (mode == "L"):
        notes.append(f"converted to {_MODE_NAMES[mode]}")
    if picture.mode.startswith("I"):
        picture = eight_bits(picture)
        notes.append(_ROUNDED)
    whole, transparent = opaque(picture)
    if transparent:
        notes.append("laid on white where it is transparent")
    pixels = np.asarray(whole.convert(mode))
    return np.atleast_3d(pixels).transpose(2, 0, 1)


def _border(pixels: Pixels) -> Array:
    """The outermost pixels, (C, how many)."""
    return np.concatenate([pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]], axis=1).astype(np.float64)


def _background(pixels: Pixels) -> Array:
    """Median levels of the border, (C,): of two in the middle the lower, so that some pixel has it."""
    levels: Array = np.quantile(_border(pixels), 0.5, axis=1, method="lower")
    return levels


def _paper(pixels: Pixels) -> tuple[float, float]:
    """The brightest level of plain paper at the border of bright ink, and the border's share of such paper."""
    border = _border(pixels)
    plain = border[np.abs(border - _background(pixels)) <= _PLAIN]
    return float(plain.max()), plain.size / border.size


def _is_drawing(pixels: Pixels) -> bool:
    paper, share = _paper(pixels)
    return share >= _PLAIN_SHARE and pixels.max() - paper > _PLAIN


def _without_shadow(pixels: Pixels, notes: list[str]) -> Pixels:
    """A photograph of dark ink as it would be in even light; where that is no drawing, the picture as it is."""
    lit = evened(pixels[0])
    if lit is None or not _is_drawing(255 - lit[np.newaxis]):
        return pixels
    plain, dark = (lit > 255 - _PLAIN).mean(), (lit < 127.5).mean()
    if plain < _PAPER_SHARE or dark < _INK_SHARE * (1 - plain):
        return pixels
    notes.append("a shadow on the paper is lit up")
    return lit[np.newaxis]


def _framed(pixels: Pixels, size: Size, notes: list[str]) -> Array:
    """A drawing (1, h, w) of bright ink as MNIST would hold it, (1, *size)."""
    paper, _ = _paper(pixels)
    ink = pixels[0] > (paper + pixels.max()) / 2
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    cropped = pixels[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    notes.append(f"cropped to the ink of a drawing on a plain background, {_times(cropped.shape)}")
    levels = np.maximum(np.arange(256, dtype=np.float32) - paper, 0)
    fitted = _fitted(levels[cropped], (_box(size[0]), _box(size[1])), notes)
    if paper > 0 or fitted.max() < 255:
        notes.append("contrast stretched: the paper is 0, the darkest ink 1")
    room = np.subtract(size, fitted.shape[1:])
    corner = np.clip(np.ceil(np.floor_divide(size, 2) - centre_of_mass(fitted[0]) - 0.5), 0, room).astype(int)
    notes.append(f"centre of mass moved to the middle of {_times(size)}, as in MNIST")
    return _placed(fitted / fitted.max(), np.zeros(1), size, corner)


def _box(side: int) -> int:
    """How much of a frame's side the ink may take."""
    return BOX if FRAME <= side <= _LENET_FRAME else round(BOX * side / FRAME)


def padded(pixels: Pixels, size: Size, notes: list[str]) -> Array:
    """A picture (C, h, w) in the middle of its background, as values (C, *size) from 0 to 1; `notes` gets lines."""
    fitted = _fitted(pixels, size, notes)
    if fitted.shape[1:] != size:
        notes.append(f"padded with its background to {_times(size)}")
    corner = np.subtract(size, fitted.shape[1:]) // 2
    return _placed(fitted / 255, _background(pixels) / 255, size, corner)


def _fitted(planes: NDArray[np.generic], box: Size, notes: list[str]) -> Array:
    """Planes (C, h, w) as large as a box allows.

    Pillow's Hamming filter averages what it shrinks, and has no lobes to put halos around ink.
    """
    from PIL import Image

    height, width = planes.shape[1:]
    scale = min(box[0] / height, box[1] / width)
    fitted = max(1, round(height * scale)), max(1, round(width * scale))
    if fitted != (height, width):
        notes.append(f"resized {_times((height, width))} → {_times(fitted)}")
    resized = (Image.fromarray(plane).resize(fitted[::-1], Image.Resampling.HAMMING) for plane in planes)
    return np.stack([np.asarray(picture, np.float64) for picture in resized])


def _placed(values: Array, background: Array, size: Size, corner: NDArray[np.int64]) -> Array:
    """Values (C, h, w) with their first row and column at a corner of (C, *size), on a background (C,)."""
    (top, left), (height, width) = corner, values.shape[1:]
    whole = np.broadcast_to(background[:, None, None], (len(background), *size)).copy()
    whole[:, top : top + height, left : left + width] = values
    return whole


def _times(size: tuple[int, ...]) -> str:
    """Height and width as people write sizes of pictures, width first."""
    return f"{size[-1]}×{size[-2]}"
