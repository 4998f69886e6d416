"""The workbook of an evaluation, its counts changed in LibreOffice and compared with pandas."""

import re
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from conv_sheet.learning.data import Dataset
from conv_sheet.learning.evaluate import Evaluation
from conv_sheet.sheets import evaluation as sheets
from conv_sheet.xlsx.writer import write
from tests.learning.test_evaluate import some
from tests.oracles import cells, libreoffice, validator


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evaluation") / "evaluation.xlsx"
    write("a guess", sheets.pages(some(), "a guess"), path)
    return path


def test_the_validators_find_nothing(workbook: Path) -> None:
    assert validator.findings(workbook) == []


def test_sums_and_shares_follow_the_counts(workbook: Path, tmp_path: Path) -> None:
    result = some()
    top, left = 8, 3
    shown = cells.values(workbook, "Evaluation")
    assert shown["C4"] == pytest.approx(result.accuracy)
    changed = result.confusion.copy()
    changed[1, 2], changed[3, 3], changed[0] = 77, 5, 0
    typed: dict[str, cells.Value | None] = {
        f"Evaluation!{openpyxl.utils.get_column_letter(left + j)}{top + i}": int(n)
        for (i, j), n in np.ndenumerate(changed)
    }
    edited = cells.set_cells(workbook, tmp_path / "edited.xlsx", typed)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    now, table = cells.values(answer, "Evaluation"), pd.DataFrame(changed)
    right = np.diag(table)
    assert now["C4"] == pytest.approx(right.sum() / table.to_numpy().sum(), abs=1e-12)
    beside, below = cells.array(now, "G8:I11"), cells.array(now, "C12:F14")
    for sums, block in ((table.sum(axis=1), beside.T), (table.sum(axis=0), below)):
        share = [r / s if s else 0 for r, s in zip(right, sums, strict=True)]
        np.testing.assert_allclose(block, [sums, right, share], atol=1e-12)


def test_the_worst_mistakes_are_drawn(workbook: Path) -> None:
    result = some()
    shown = cells.values(workbook, "Mistakes")
    captions = {text: cell for cell, text in shown.items() if str(text).startswith("picture ")}
    assert len(captions) == sheets.MOST_MISTAKES
    for number, label, answer, confidence in result.mistakes[: sheets.MOST_MISTAKES]:
        letters, row = re.fullmatch(r"([A-Z]+)(\d+)", captions[f"picture {number}"]).groups()  # type: ignore[union-attr]
        first, top = openpyxl.utils.column_index_from_string(letters), int(row)
        assert shown[f"{letters}{top - 1}"] == f"is class {label}, says class {answer} ({confidence:.0%})"
        last = openpyxl.utils.get_column_letter(first + 6)
        drawn = cells.array(shown, f"{letters}{top + 1}:{last}{top + 5}")
        np.testing.assert_array_equal(drawn, result.dataset.images[number, 0])


def test_a_network_without_a_mistake_has_one_sheet_and_classes_without_a_picture_a_share_of_zero() -> None:
    data = Dataset(np.zeros((3, 1, 5, 7)), np.array([0, 1, 1]), ("a", "b", "c"), "pictures")
    (page,) = sheets.pages(Evaluation(data, np.eye(3)[data.labels], data.classes), "perfect")
    assert page.title == "Evaluation"
    assert {at: cell.value for at, cell in page.cells()}[10, 8] == 0
