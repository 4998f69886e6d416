"""Draws the pictures that lessons were trained on: shapes.py <cs231n or multi-label> <folder> [of each kind] [seed]."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conv_sheet.pictures.drawings import AND, BLACK, COLOURS, FORMS, WHITE, box, form, painted

SIZE, SIZE_OF_SEVERAL = 12, 20
_ALL = box(-1, -1, 101, 101)
_CORNERS, _TRIANGLE = [(27, 27), (73, 27), (27, 73), (73, 73)], [(27, 28), (73, 28), (50, 74)]
"""About where shapes stand: one or two of them here or there, three always there."""


def coloured(colour: str, name: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A shape somewhere on some dull background, of about its colour, as pixels (H, W, 3)."""
    light = np.clip(np.array(COLOURS[colour]) + rng.uniform(-0.25, 0.25, 3), 0, 1)
    grey = rng.uniform(0, 0.9)
    background = np.clip(grey + rng.uniform(-0.1, 0.1, 3), 0, 1)
    x, y = 50 + rng.uniform(-14, 14, 2)
    shape = form(name, x, y, rng.uniform(24, 36), turn=rng.uniform(-15, 15))
    scene = painted([(tuple(background), _ALL), (tuple(light), shape)], SIZE, SIZE)
    noisy = np.clip(scene + rng.normal(0, 0.03, scene.shape), 0, 1)
    return np.round(noisy.transpose(1, 2, 0) * 255).astype(np.uint8)


def several(names: Sequence[str], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The ink of some shapes, each somewhere else, as pixels (H, W)."""
    corners = len(names) < len(FORMS) and rng.random() < 0.5
    places = rng.permutation(_CORNERS if corners else _TRIANGLE)[: len(names)]
    places = places + rng.uniform(-6, 6, places.shape)
    shapes = [
        (BLACK, form(name, x, y, rng.uniform(16, 21), turn=rng.uniform(-15, 15)))
        for name, (x, y) in zip(names, places, strict=True)
    ]
    ink: NDArray[np.float64] = 1 - painted([(WHITE, _ALL), *shapes], SIZE_OF_SEVERAL, SIZE_OF_SEVERAL)[0]
    noisy: NDArray[np.float64] = np.clip(ink + rng.normal(0, 0.05, ink.shape), 0, 1)
    return np.round(noisy * 255).astype(np.uint8)


Draw = Callable[[np.random.Generator], NDArray[np.uint8]]
KINDS: dict[str, dict[str, Draw]] = {
    "cs231n": {f"{colour} {name}": partial(coloured, colour, name) for colour in COLOURS for name in FORMS},
    "multi-label": {
        AND.join(names): partial(several, names)
        for count in range(1, len(FORMS) + 1)
        for names in combinations(FORMS, count)
    },
}


def main(lesson: str, folder: str, count: str = "400", seed: str = "0") -> None:
    rng = np.random.default_rng(int(seed))
    for name, draw in KINDS[lesson].items():
        place = Path(folder, name)
        place.mkdir(parents=True, exist_ok=True)
        for number in range(int(count)):
            Image.fromarray(draw(rng)).save(place / f"{number:04}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
