"""Numbers in formulas are the same however a program writes them down, and others are not."""

from pathlib import Path
from random import Random

import openpyxl
import pytest

from conv_sheet.cells.formula import number
from conv_sheet.cells.tokens import same_formula
from tests.oracles import gnumeric, libreoffice

RNG = Random(0)
NUMBERS = [
    *(number(RNG.uniform(1, 10) * 10.0**power) for power in range(-20, 20) for _ in range(5)),
    *("1E-05", "1E-07", "1E-12", "1E-300", "1E+300", "0.044715", "0.3", "100000"),
]


@pytest.mark.parametrize("program", ["libreoffice", "gnumeric"])
def test_a_program_may_write_numbers_in_its_own_way(tmp_path: Path, program: str) -> None:
    book = openpyxl.Workbook()
    for row, said in enumerate(NUMBERS, 1):
        book.active.cell(row, 1).value = f"=B$1000*{said}+{said}"
    book.save(tmp_path / "numbers.xlsx")
    if program == "gnumeric":
        saved = gnumeric.recalculate(tmp_path / "numbers.xlsx", tmp_path / "saved.xlsx")
    else:
        (saved,) = libreoffice.recalculate([tmp_path / "numbers.xlsx"], tmp_path / "saved")
    cells = openpyxl.load_workbook(saved).active
    found = [str(cells.cell(row, 1).value) for row in range(1, len(NUMBERS) + 1)]
    assert sum(said not in formula for said, formula in zip(NUMBERS, found, strict=True)) > 50, "they are written alike"
    for said, formula in zip(NUMBERS, found, strict=True):
        assert same_formula(formula, f"B$1000*{said}+{said}"), formula


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A1*0.00000001", "A1*0.000000010000001"),
        ("A1*1E-14", "A1*1.0000011E-14"),
        ("A1*1E-21", "A1*2E-21"),
        ("A1*1E-21", "A1*0"),
        ("A1*0.1", "A1*0.10000000000001"),
        ("A1+1", "A1+2"),
        ("'2024'!A1", "'2025'!A1"),
        ('"1E-21"&A1', '"2E-21"&A1'),
        ("A1", "A1+0"),
    ],
)
def test_other_formulas_are_told_apart(one: str, other: str) -> None:
    assert not same_formula(one, other)
