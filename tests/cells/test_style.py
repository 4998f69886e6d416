"""What can be read: contrast as WCAG 2.2 counts it, on every colour that a cell may have, and the size of letters."""

from collections.abc import Iterator

import pytest

from conv_sheet import lessons
from conv_sheet.cells import style
from conv_sheet.cells.style import Scale, Style
from tests.lessons import pages_of

LEAST = 4.5
"""Contrast of text for AA."""
STEPS = 20


def luminance(colour: str) -> float:
    """How bright a colour is, from 0 to 1: WCAG 2.2, relative luminance.

    >>> luminance("FFFFFF"), luminance("000000")
    (1.0, 0.0)
    """
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(colour: str, share: float) -> str:
    """From white to a colour."""
    parts = (255 + (int(colour[at : at + 2], 16) - 255) * share for at in (0, 2, 4))
    return "".join(f"{round(part):02X}" for part in parts)


def looks() -> Iterator[tuple[str, Style]]:
    """Every style of the table by name."""
    yield from ((name, look) for name, look in vars(style).items() if isinstance(look, Style))
    yield from style.SWATCHES.items()


def test_every_text_of_the_table_can_be_read() -> None:
    hidden = (style.HIDDEN,)
    wrong = {
        name: contrast(look.color, look.fill or style.WHITE)
        for name, look in looks()
        if look not in hidden and contrast(look.color, look.fill or style.WHITE) < LEAST
    }
    assert wrong == {}


def figures(scale: Scale, look: Style) -> Iterator[float]:
    """The contrast of a figure with its cell, from zero to the full colour and down to the other one."""
    for step in range(STEPS + 1):
        share = step / STEPS
        light = scale.dark is not None and share > scale.dark
        yield contrast(style.WHITE if light else look.color, mixed(scale.high, share))
        if scale.low is not None:
            yield contrast(look.color, mixed(scale.low, share))


@pytest.mark.parametrize("name", lessons.names())
def test_figures_can_be_read_on_every_step_of_their_scale(name: str) -> None:
    wrong = []
    for page in pages_of(name):
        owner = {block: fill.style for fill in page.fills for block in (fill.block,)}
        for blocks, scale in page.scales:
            for block in blocks:
                look = owner.get(block)
                if look is not None and look.format != style.DOT.format and min(figures(scale, look)) < LEAST:
                    wrong.append((page.title, block.relative, round(min(figures(scale, look)), 2)))
    assert wrong == []


def test_signs_are_told_apart_in_grey() -> None:
    assert contrast(style.RED, style.BLUE) > 1.5
    assert luminance(style.RED) < luminance(style.BLUE)


@pytest.mark.parametrize("name", lessons.names())
def test_texts_have_nine_points_where_their_sheet_opens(name: str) -> None:
    small = [
        (page.title, at, cell.value)
        for page in pages_of(name)
        for at, cell in page.cells()
        if isinstance(cell.value, str) and cell.value and cell.style.color != style.WHITE
        if cell.style.size * page.zoom / 100 < style.LEGIBLE - 1e-9
    ]
    assert small == []


def test_figures_can_be_read_on_steps_of_ink() -> None:
    assert min(contrast(color or style.BLACK, fill) for _, fill, color in style.INKS) >= LEAST


@pytest.mark.parametrize("name", lessons.names())
def test_signs_are_told_without_colour_where_no_figures_tell_them(name: str) -> None:
    for page in pages_of(name):
        silent = {fill.block for fill in page.fills if fill.style.format == style.DOT.format}
        framed = {block for mark in page.marks if mark.line for block in mark.blocks}
        signed = {block for blocks, scale in page.scales if scale.low == style.BLUE for block in blocks}
        assert not silent & signed - framed, page.title


@pytest.mark.parametrize("name", lessons.names())
def test_every_sheet_opens_at_a_zoom_at_which_its_texts_are_of_the_usual_size(name: str) -> None:
    assert {page.title: page.zoom for page in pages_of(name) if not 60 <= page.zoom <= 110} == {}


@pytest.mark.parametrize("name", lessons.names())
def test_what_starts_is_seen_whole_on_a_screen_of_1600_pixels(name: str) -> None:
    start = pages_of(name)[0]
    assert sum(start.widths.values()) * 7 < 1400


def test_a_picture_is_seen_before_its_numbers() -> None:
    """At full ink a cell is almost black, at zero it is white and says nothing."""
    assert luminance(style.INK_SCALE.high) < 0.05
    for look in (style.PIXEL, style.ACTIVATION, style.GRADIENT):
        assert look.format.endswith(";")
    assert luminance(style.EDIT_LINE) > 0.7
