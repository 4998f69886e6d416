"""The workbook of an evaluation: which class is taken for which, and the worst mistakes, drawn in cells."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells import style
from conv_sheet.cells.expr import Expr, total, where
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
    last = matrix.last_column + len(_SUMS)
    sheet = Page(EVALUATION, widths={1: 2.0, 2: 16.0} | dict.fromkeys(range(_LEFT, last + 1), 9.0))
    sheet.put(1, 2, title, style.TITLE)
    sheet.heights[1] = 34
    sheet.put(2, 2, f"{len(result.dataset):,} pictures of {Path(result.dataset.source).name}", style.LINE)
    sheet.put(4, 2, "accuracy", style.HEADING)
    sheet.put(5, 2, "A row for what the pictures are, a column for what the network says.", style.NOTE)
    for number, name in enumerate((*result.classes, *_SUMS)):
        sheet.put(_TOP - 1, _LEFT + number, name, style.HEAD)
        sheet.put(_TOP + number, 2, name, style.HEAD_LEFT)
    sheet.fill(matrix, result.confusion, style.COUNT)
    pictures, right = _sums(sheet, result.confusion, matrix)
    sheet.put(4, _LEFT, total(right) / total(pictures), style.PERCENT)
    sheet.names["accuracy"] = Block(EVALUATION, 4, _LEFT, 1, 1)
    apart = [part for i in range(count) for part in (matrix.part(i, 0, 1, i), matrix.part(i, i + 1, 1, count - 1 - i))]
    sheet.scales.append((tuple(matrix.part(i, i, 1, 1) for i in range(count)), style.HIT_SCALE))
    sheet.scales.append((tuple(part for part in apart if part.width), style.WARM_SCALE))
    sheet.freeze = matrix.cell()
    return sheet


def _sums(sheet: Page, confusion: NDArray[np.int64], matrix: Block) -> tuple[Expr, Expr]:
    """Behind each row how many pictures there are and how many are right, below each column the same of answers.

    Gives the columns of pictures and of those that are right.
    """
    count, right = len(confusion), confusion.diagonal()
    behind = [matrix.part(0, count + number, count, 1) for number in range(len(_SUMS))]
    below = [matrix.part(count + number, 0, 1, count) for number in range(len(_SUMS))]
    for blocks, window in ((behind, (1, count)), (below, (count, 1))):
        whole = total(sheet.windows(matrix, window, confusion))
        sheet.fill(blocks[0], whole, style.NUMBER)
        for i, at in enumerate(blocks[1].positions()):
            sheet.put(*at, sheet.cell(matrix.part(i, i, 1, 1), right[i]), style.NUMBER)
        pictures, hits = sheet.each(blocks[0], whole.value), sheet.each(blocks[1], right.reshape(blocks[1].shape))
        sheet.fill(blocks[2], where(pictures == 0, 0, hits / pictures), style.PERCENT)
    return sheet.near(behind[0], confusion.sum(axis=1)), sheet.near(behind[1], right)


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
    for number, mistake in enumerate(worst):
        down, right = divmod(number, across)
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
    sheet.fill(block, result.dataset.images[mistake.number].mean(axis=0), style.DOT)
