"""Draws the pictures that the lesson cs231n was trained on: shapes.py <folder> [pictures of each class] [seed]."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conv_sheet.pictures.drawings import COLOURS, FORMS, box, form, painted

SIZE = 12


def picture(colour: str, name: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A shape somewhere on some dull background, of about its colour, as pixels (H, W, 3)."""
    light = np.clip(np.array(COLOURS[colour]) + rng.uniform(-0.25, 0.25, 3), 0, 1)
    grey = rng.uniform(0, 0.9)
    background = np.clip(grey + rng.uniform(-0.1, 0.1, 3), 0, 1)
    x, y = 50 + rng.uniform(-14, 14, 2)
    shape = form(name, x, y, rng.uniform(24, 36), turn=rng.uniform(-15, 15))
    scene = painted([(tuple(background), box(-1, -1, 101, 101)), (tuple(light), shape)], SIZE, SIZE)
    noisy = np.clip(scene + rng.normal(0, 0.03, scene.shape), 0, 1)
    return np.round(noisy.transpose(1, 2, 0) * 255).astype(np.uint8)


def main(folder: str, count: str = "400", seed: str = "0") -> None:
    rng = np.random.default_rng(int(seed))
    for colour in COLOURS:
        for name in FORMS:
            place = Path(folder, f"{colour} {name}")
            place.mkdir(parents=True, exist_ok=True)
            for number in range(int(count)):
                Image.fromarray(picture(colour, name, rng)).save(place / f"{number:04}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
