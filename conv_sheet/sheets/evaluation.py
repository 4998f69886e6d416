"""The workbook of an evaluation: which class is taken for which, and the worst mistakes, drawn in cells."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells import style
from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page
from conv_sheet.learning.evaluate import Evaluation, Mistake

EVALUATION = "Evaluation"
MISTAKES = "Mistakes"
MOST_MISTAKES = 40
"""How many mistakes are drawn: no more than one looks at."""
_SUMS = ("pictures", "right", "share")
_TOP, _LEFT = 8, 3
"""Where the matrix begins."""
_ACROSS = 5


def pages(result: Evaluation, title: str) -> list[Page]:
    """The sheets of the workbook; `title` says what was evaluated. Where nothing is mistaken there is one sheet."""
    return [_evaluation(result, title), *([_mistakes(result)] if result.mistakes else [])]


def _evaluation(result: Evaluation, title: str) -> Page:
    """The confusion matrix, with sums, shares and the accuracy as formulas over it."""
    count = len(result.classes)
    matrix = Block(EVALUATION, _TOP, _LEFT, count, count)
    beside = Block(EVALUATION, _TOP, matrix.last_column + 1, count, len(_SUMS))
    sheet = Page(EVALUATION, widths={1: 2.0, 2: 16.0} | dict.fromkeys(range(_LEFT, beside.last_column + 1), 9.0))
    sheet.put(1, 2, title, style.TITLE)
    sheet.heights[1] = 34
    sheet.put(2, 2, f"{len(result.dataset):,} pictures of {Path(result.dataset.source).name}", style.LINE)
    sheet.put(4, 2, "accuracy", style.HEADING)
    pictures, right = beside.part(0, 0, count, 1), beside.part(0, 1, count, 1)
    sheet.put(4, _LEFT, result.accuracy, style.PERCENT, f"SUM({right.relative})/SUM({pictures.relative})")
    sheet.names["accuracy"] = Block(EVALUATION, 4, _LEFT, 1, 1)
    sheet.put(5, 2, "A row for what the pictures are, a column for what the network says.", style.NOTE)
    for place, name in enumerate((*result.classes, *_SUMS)):
        sheet.put(_TOP - 1, _LEFT + place, name, style.HEAD)
        sheet.put(_TOP + place, 2, name, style.HEAD_LEFT)
    sheet.fill([matrix], [result.confusion.tolist()], style.COUNT)
    _sums(sheet, result.confusion, matrix, beside)
    apart = [part for i in range(count) for part in (matrix.part(i, 0, 1, i), matrix.part(i, i + 1, 1, count - 1 - i))]
    sheet.scales.append((tuple(matrix.part(i, i, 1, 1) for i in range(count)), style.HIT_SCALE))
    sheet.scales.append((tuple(part for part in apart if part.width), style.WARM_SCALE))
    sheet.freeze = matrix.cell()
    return sheet


def _sums(sheet: Page, confusion: NDArray[np.int64], matrix: Block, beside: Block) -> None:
    """Behind each row how many pictures there are and how many are right; below each column the same of answers."""
    count = len(confusion)
    below = Block(EVALUATION, matrix.last_row + 1, matrix.column, len(_SUMS), count)
    for i in range(count):
        behind = [beside.part(i, k, 1, 1) for k in range(len(_SUMS))]
        under = [below.part(k, i, 1, 1) for k in range(len(_SUMS))]
        for places, counted, numbers in (
            (behind, matrix.part(i, 0, 1, count), confusion[i]),
            (under, matrix.part(0, i, count, 1), confusion[:, i]),
        ):
            _tally(sheet, places, counted, matrix.cell(i, i), int(numbers.sum()), int(numbers[i]))


def _tally(sheet: Page, places: list[Block], counted: Block, hit: str, total: int, right: int) -> None:
    """A sum, what of it is right, and its share, as formulas."""
    (all_, hits, share), (whole, part) = places, (place.cell() for place in places[:2])
    sheet.put(all_.row, all_.column, total, style.NUMBER, f"SUM({counted.relative})")
    sheet.put(hits.row, hits.column, right, style.NUMBER, hit)
    value = right / total if total else 0.0
    sheet.put(share.row, share.column, value, style.PERCENT, f"IF({whole}=0,0,{part}/{whole})")


def _mistakes(result: Evaluation) -> Page:
    """The most confident mistakes, each picture drawn in cells below what it is and what the network says."""
    worst = result.mistakes[:MOST_MISTAKES]
    _, height, width = result.dataset.images.shape[1:]
    across = min(_ACROSS, len(worst))
    columns = range(1, across * (width + 2) + 2)
    sheet = Page(MISTAKES, widths=dict.fromkeys(columns, style.DOT_WIDTH), default_height=style.DOT_HEIGHT, zoom=100)
    shown = f"The {len(worst)} most confident of {len(result.mistakes)} mistakes; pictures count from 0"
    sheet.put(1, 2, shown, style.HEADING)
    sheet.heights[1] = 24
    blocks = []
    for place, mistake in enumerate(worst):
        down, right = divmod(place, across)
        block = Block(MISTAKES, 4 + down * (height + 4), 2 + right * (width + 2), height, width)
        _mistake(sheet, block, mistake, result)
        blocks.append(block)
    sheet.scales.append((tuple(blocks), style.DOT_SCALE))
    return sheet


def _mistake(sheet: Page, block: Block, mistake: Mistake, result: Evaluation) -> None:
    label, answer = result.classes[mistake.label], result.classes[mistake.answer]
    place = result.dataset.place(mistake.number)
    words = f"is {label}, says {answer} ({mistake.confidence:.0%})"
    for row, text, look in ((-2, words, style.CLASS), (-1, f"picture {place}", style.LABEL)):
        sheet.put(block.row + row, block.column, text, look)
        sheet.heights[block.row + row] = 14
    sheet.fill([block], [result.dataset.images[mistake.number].mean(axis=0).tolist()], style.DOT)
