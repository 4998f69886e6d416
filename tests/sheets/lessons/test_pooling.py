"""The lesson `pooling`, its shift worked in LibreOffice and compared with PyTorch."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from conv_sheet.check import check
from conv_sheet.errors import ShapeError
from conv_sheet.layers import Array
from conv_sheet.network.spec import from_tables
from conv_sheet.sheets.lessons import pooling
from conv_sheet.state import Contents
from conv_sheet.xlsx.reader import read
from tests import lessons, networks
from tests.oracles import cells, gnumeric, libreoffice, validator

SHIFTS = list(product(range(-2, 3), repeat=2))


held, path, book = lessons.fixtures("pooling")


def moved(image: Array, right: int, down: int) -> torch.Tensor:
    """A picture (1, H, W) moved within a frame, with its outermost pixels repeated: as PyTorch pads."""
    wide = F.pad(torch.tensor(image)[None], (2, 2, 2, 2), mode="replicate")
    return wide[..., 2 - down : 30 - down, 2 - right : 30 - right]


def pooled(x: torch.Tensor) -> dict[str, Array]:
    maps = {"picture": x, "max": F.max_pool2d(x, 2), "average": F.avg_pool2d(x, 2), "min": -F.max_pool2d(-x, 2)}
    return {name: value[0, 0].numpy() for name, value in maps.items()}


def test_every_shift(book: Any, held: Contents) -> None:
    before = pooled(moved(held.image, 0, 0))
    for right, down in SHIFTS:
        lessons.put(book, shift_right=float(right), shift_down=float(down))
        says = (
            "cells differ in 3 of the 3 maps."
            if right % 2 or down % 2
            else "Whole windows"
            if right or down
            else "Nothing has"
        )
        assert says in lessons.texts(book, "Pooling")
        for name, expected in pooled(moved(held.image, right, down)).items():
            said = f"{name} {right} {down}"
            found = lessons.numbers(book, f"pooling_{name}")
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9, err_msg=said)
            change = np.abs(expected - before[name]).sum() / before[name].sum()
            np.testing.assert_allclose(lessons.numbers(book, f"{name}_changed").item(), change, atol=1e-9, err_msg=said)
            cells_changed = lessons.numbers(book, f"{name}_cells").item()
            assert cells_changed == (np.abs(expected - before[name]) > 1e-9).sum(), said


def test_invariance_and_its_limits(book: Any) -> None:
    """Whole windows move whole cells; where in its window a single pixel stands, no pool notices."""
    lessons.put(book, shift_right=0.0, shift_down=0.0)
    still = {name: lessons.numbers(book, f"pooling_{name}") for name in pooling.POOLS}
    assert "Nothing has moved" in lessons.texts(book, "Pooling")
    lessons.put(book, shift_right=2.0, shift_down=-2.0)
    assert "Whole windows have moved" in lessons.texts(book, "Pooling")
    for name, maps in still.items():
        np.testing.assert_array_equal(lessons.numbers(book, f"pooling_{name}")[:-1, 1:], maps[1:, :-1])
    pixel = np.zeros((28, 28))
    pixel[10, 10] = 1.0
    lessons.put(book, input_1=pixel, shift_right=1.0, shift_down=1.0)
    assert "Pixels have moved, and no map shows it" in lessons.texts(book, "Pooling")
    changed = {name: lessons.numbers(book, f"{name}_changed").item() for name in ("picture", *pooling.POOLS)}
    assert changed == {"picture": 2.0, "max": 0.0, "average": 0.0, "min": 0.0}
    lessons.put(book, shift_right=-1.0, shift_down=0.0)
    assert lessons.numbers(book, "max_changed").item() == 2.0
    assert "cells differ in 2 of the 3 maps." in lessons.texts(book, "Pooling")


def test_an_empty_picture_has_not_changed(book: Any) -> None:
    lessons.put(book, input_1=np.zeros((28, 28)), shift_right=1.0)
    assert [lessons.numbers(book, f"{name}_changed").item() for name in pooling.POOLS] == [0.0, 0.0, 0.0]
    assert "Pixels have moved, and no map shows it" in lessons.texts(book, "Pooling")


def test_what_was_chosen_is_read_back_and_agrees(path: Path, held: Contents, tmp_path: Path) -> None:
    right, down = (setting.block.other() for setting in pooling.settings(held.layout))
    pixel = held.layout.input.blocks[0].other(9, 9)
    edited = cells.set_cells(path, tmp_path / "edited.xlsx", {right: -1, down: 2, pixel: 0.375})
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    assert check(read(answer)).formulas == ()
    assert lessons.wrong(gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx"), "Pooling") == []


def test_a_picture_too_small_is_refused() -> None:
    small = from_tables({"input": [1, 7, 9], "sheets": ["pooling"], "layers": [{"kind": "ReLU"}]})
    with pytest.raises(ShapeError, match=r"needs a picture of 8×8 pixels at least, not 7×9"):
        networks.contents(small).pages()


@pytest.mark.parametrize("shape", [[1, 9, 12], [2, 8, 11]])
def test_odd_sizes_and_more_channels(shape: list[int], tmp_path: Path) -> None:
    network = from_tables({"input": shape, "sheets": ["pooling"], "layers": [{"kind": "ReLU"}]})
    written = networks.written(tmp_path, networks.contents(network))
    bare = cells.set_cells(written, tmp_path / "bare.xlsx", {})
    (answer,) = libreoffice.recalculate([bare], tmp_path / "out")
    assert check(read(answer)).ok


def test_the_workbook_keeps_its_promises(path: Path, held: Contents) -> None:
    assert validator.findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in held.lesson.tries]
