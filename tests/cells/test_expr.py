"""Every operator and function of an `Expr` makes of values what spreadsheet programs make of its formula."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conv_sheet.cells import expr, lookup, style
from conv_sheet.cells.expr import Expr, text, where
from conv_sheet.cells.formula import FUNCTIONS, functions_in, mover
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page
from conv_sheet.errors import WorkbookError
from conv_sheet.ops import Array
from conv_sheet.xlsx.writer import write
from tests.oracles import cells, gnumeric, libreoffice

SHEET = "Sheet"
GRID = Block(SHEET, 2, 2, 4, 5)
WORDS = Block(SHEET, 2, 8, 1, 3)
OUT = 20
"""Row from which on the results stand, in column 2."""
LETTERS = np.array([["b", "a", "c"]], dtype=object)


class Cells:
    """What the expressions below are made of: cells of a grid of numbers, and words."""

    def __init__(self, page: Page, numbers: Array) -> None:
        self.page, self.numbers = page, numbers
        self.a, self.b, self.c, self.d = (page.cell(GRID.part(0, x, 1, 1), numbers[0, x]) for x in range(4))
        self.area = page.range(GRID, numbers)
        self.top, self.below = (page.range(GRID.part(y, 0, 2, 5), numbers[y : y + 2]) for y in (0, 2))
        self.words = page.range(WORDS, LETTERS)
        self.word = page.cell(WORDS.part(0, 1, 1, 1), "a")


EXPRESSIONS: dict[str, Callable[[Cells], Expr]] = {
    "sums": lambda s: s.a + s.b - (s.c - s.d) - 2,
    "products": lambda s: s.a * (s.b + 1) / (s.c * s.d + 7) * -s.a,
    "powers": lambda s: (s.a - s.b) ** 2 + 2 - s.c**2,
    "negatives": lambda s: 3 - -s.a * 2,
    "floor": lambda s: (s.a - 5) // 2,
    "modulo": lambda s: (s.a - 5) % 3,
    "rounds": lambda s: expr.rounded(s.a / 8, 2) + expr.rounded(-s.b / 2),
    "roots": lambda s: expr.root(expr.absolute(s.a)) + expr.exponential(s.b / 10) + expr.logarithm(s.c * s.c + 1),
    "comparisons": lambda s: where(s.a > s.b, 1, where(s.a >= s.c, 2, where(s.a != s.d, 3, 4))),
    "logic": lambda s: where(
        expr.any_of(expr.all_of(s.a > 1, s.b > 1), expr.none_of(s.c <= 2)), text("yes ", s.a), text("no")
    ),
    "texts": lambda s: text("a ", s.a, " and ", s.b * 2, ", ", s.word),
    "formats": lambda s: expr.formatted(s.a / 7, "0.0%", "{:.1%}".format),
    "same text": lambda s: where(s.word == "A", 1, 0) + where(expr.exact(s.word, "A"), 10, 20),
    "text is no number": lambda s: where(s.word == 1, 1, 2),
    "numbers counted": lambda s: expr.count(s.area, s.word, s.a) + where(expr.is_number(s.word), 1, 0),
    "extremes": lambda s: expr.largest(s.area, 3) - expr.smallest(s.top, s.a) + expr.largest(s.top) / 2,
    "means": lambda s: expr.average(s.area) + expr.total(s.top, s.a, 1),
    "weighted": lambda s: expr.sumproduct(s.top, s.below) + expr.sumproduct((s.top - s.below) ** 2),
    "conditions": lambda s: expr.sumproduct((s.area > 2) * s.area),
    "index": lambda s: lookup.index(s.area, 2, s.page.cell(GRID.part(3, 4, 1, 1), s.numbers[3, 4])),
    "index of a row": lambda s: lookup.index(s.words, 3),
    "match": lambda s: lookup.match("c", s.words) + lookup.match(s.word, s.words),
    "choose": lambda s: lookup.choose(s.page.cell(GRID.part(3, 4, 1, 1), s.numbers[3, 4]), s.a, s.b, s.c, s.d),
    "choose of many": lambda s: lookup.choose(expr.of(31), *(s.a + n for n in range(40))),
}
ARRAYS: dict[str, Callable[[Cells], Expr]] = {
    "cell by cell": lambda s: s.page.each(GRID, s.numbers) * s.a + s.page.row(GRID.part(0, 0, 1, 5), s.numbers[0]),
    "rows and columns": lambda s: (
        s.page.column(GRID.part(0, 0, 4, 1), s.numbers[:, 0]) - s.page.row(GRID.part(0, 0, 1, 5), s.numbers[0])
    ),
    "windows": lambda s: expr.sumproduct(
        s.page.windows(GRID, (2, 2), s.numbers), s.page.range(GRID.part(0, 0, 2, 2), s.numbers[:2, :2])
    ),
    "largest of windows": lambda s: expr.largest(0, s.page.windows(GRID, (2, 3), s.numbers)),
    "where": lambda s: where(s.page.each(GRID, s.numbers) > 2, s.page.each(GRID, s.numbers), 0),
    "texts": lambda s: where(s.page.each(GRID, s.numbers) > 2, text("n", s.page.each(GRID, s.numbers)), ""),
}


def page_of(numbers: Array) -> Page:
    """All expressions over some numbers: single ones below each other, arrays to their right."""
    page = Page(SHEET)
    page.fill(GRID, numbers, style.PLAIN)
    page.fill(WORDS, LETTERS, style.PLAIN)
    own = Cells(page, numbers)
    for row, make in enumerate(EXPRESSIONS.values(), OUT):
        page.put(row, 2, make(own), style.PLAIN)
    for number, make in enumerate(ARRAYS.values()):
        made = make(own)
        page.fill(Block(SHEET, OUT + 6 * number, 5, *np.shape(made.value)), made, style.PLAIN)
    return page


def numbers(seed: int) -> Array:
    drawn = np.random.default_rng(seed).integers(-6, 9, GRID.shape).astype(float)
    drawn[3, 4] = seed % 4 + 1
    return drawn


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Page, dict[str, dict[str, cells.Value]]]]:
    """Pages after their numbers were changed, and what two programs make of the formulas then."""
    folder = tmp_path_factory.mktemp("expr")
    write("expressions", [page_of(numbers(0))], folder / "first.xlsx")
    seeds = (1, 2, 3)
    changed = []
    for seed in seeds:
        changes = {f"{SHEET}!{GRID.cell(y, x)}": float(v) for (y, x), v in np.ndenumerate(numbers(seed))}
        changed.append(cells.set_cells(folder / "first.xlsx", folder / f"{seed}.xlsx", changes))
    said = libreoffice.recalculate(changed, folder / "libreoffice")
    (folder / "gnumeric").mkdir()
    other = [gnumeric.recalculate(path, folder / "gnumeric" / path.name) for path in changed]
    return [
        (page_of(numbers(seed)), {"LibreOffice": cells.values(one, SHEET), "Gnumeric": cells.values(two, SHEET)})
        for seed, one, two in zip(seeds, said, other, strict=True)
    ]


@pytest.mark.parametrize("program", ["LibreOffice", "Gnumeric"])
def test_values_are_those_of_the_formulas(
    answers: list[tuple[Page, dict[str, dict[str, cells.Value]]]], program: str
) -> None:
    for page, shown in answers:
        for (row, column), cell in page.cells():
            if cell.formula is not None:
                found = shown[program].get(Block(SHEET, row, column, 1, 1).cell(), "")
                expected = cell.value
                if isinstance(expected, str):
                    assert found == expected, cell.formula
                else:
                    assert found == pytest.approx(float(expected or 0), abs=1e-9), cell.formula


def test_expressions_use_nothing_but_the_vocabulary() -> None:
    used = {name for _, cell in page_of(numbers(0)).cells() for name in functions_in(cell.formula or "")}
    assert used <= FUNCTIONS | {"TRUE", "FALSE"}
    assert len(used) > 20


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (Expr(1, "A1") - (Expr(2, "B1") - 3), "A1-(B1-3)"),
        (Expr(1, "A1") - Expr(2, "B1") - 3, "A1-B1-3"),
        (Expr(1, "A1") / (Expr(2, "B1") * 3), "A1/(B1*3)"),
        (Expr(1, "A1") * Expr(2, "B1") * 3, "A1*B1*3"),
        ((Expr(1, "A1") + 2) ** 2, "(A1+2)^2"),
        (1 - Expr(1, "A1") * -1, "1-A1*-1"),
    ],
)
def test_parentheses_stand_only_where_they_are_needed(made: Expr, said: str) -> None:
    assert made.formula == said


def test_an_expression_is_no_condition_of_python() -> None:
    with pytest.raises(TypeError, match="where"):
        _ = 1 if Expr(True, "A1=1") else 2


@pytest.mark.parametrize(
    ("formula", "moved"),
    [
        ("$A1+A$1+$A$1+A1", "$A3+B$1+$A$1+B3"),
        ("LOG10(A1)&\"A1\"&'A1'!B2", "LOG10(B3)&\"A1\"&'A1'!C4"),
        ("Network!A1:B2+conv1_out_1", "Network!B3:C4+conv1_out_1"),
        ("Z9+XFC1", "AA11+XFD3"),
    ],
)
def test_a_formula_that_is_copied_moves_its_relative_addresses(formula: str, moved: str) -> None:
    assert mover(formula)(2, 1) == moved


def test_no_cell_gets_two_contents(tmp_path: Path) -> None:
    page = Page(SHEET)
    page.put(2, 2, 1.0, style.PLAIN)
    with pytest.raises(WorkbookError, match="Sheet!B2 gets two contents"):
        page.put(2, 2, 2.0, style.PLAIN)
    page.fill(Block(SHEET, 1, 2, 3, 1), np.zeros((3, 1)), style.PLAIN)
    with pytest.raises(WorkbookError, match="Sheet!B2 gets two contents"):
        write("twice", [page], tmp_path / "twice.xlsx")
