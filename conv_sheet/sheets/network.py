"""The sheet `Network`: the whole calculation from left to right, every activation a live formula.

Where it is too wide for one sheet, it goes on on further ones, and links lead from each to those before and behind it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from conv_sheet.cells import style, widgets
from conv_sheet.cells.expr import largest, rounded, smallest, text
from conv_sheet.cells.formula import MAX_BLOCKS, Formula
from conv_sheet.cells.grid import Block, Placed, around, in_rows
from conv_sheet.cells.inputs import Input, Limits
from conv_sheet.cells.page import Page
from conv_sheet.cells.style import Scale, Style
from conv_sheet.cells.words import Words
from conv_sheet.layers import Border
from conv_sheet.layers.base import PADDED, Layer
from conv_sheet.network.graph import INPUT
from conv_sheet.network.layout import (
    COCKPIT_ROWS,
    NETWORK,
    SCALE_ROW,
    SHAPE_ROW,
    TITLE_ROW,
    TORCH_ROW,
    WORDS_ROW,
    Layout,
    Stage,
)
from conv_sheet.network.lesson import Lesson
from conv_sheet.network.placing import GAP
from conv_sheet.ops import Array
from conv_sheet.sheets import buttons, cockpit, images
from conv_sheet.sheets.sheet import Sheet
from conv_sheet.state import WorkbookState


def inputs(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
    """The picture, and every parameter by its full name."""
    channels, image = layout.network.input_shape[0], layout.input
    picture = Input(INPUT, image, widgets.pixel_limits(channels), np.zeros(image.shape), restored=True)
    parameters = (
        Input(name, placed, stage.layer.limits.get(name.rpartition(".")[2], Limits()), np.zeros(placed.shape), True)
        for stage in layout.stages
        for name, placed in stage.parameters()
    )
    return (picture, *parameters)


def sheets(layout: Layout) -> list[Sheet]:
    """The sheets with the stages of a network."""

    def sheet(number: int) -> Sheet:
        def own(layout: Layout, lesson: Lesson) -> tuple[Input, ...]:
            return tuple(item for item in inputs(layout, lesson) if item.at.sheet == layout.parts[number].sheet)

        return Sheet(layout.parts[number].sheet, lambda state: page(state, number), inputs=own)

    return [sheet(number) for number in range(len(layout.parts))]


def page(state: WorkbookState, number: int = 0) -> Page:
    """One of the sheets, with the engine's activations as the values of its formulas."""
    layout = state.layout.parts[number]
    sheet = frame(layout.sheet, layout)
    if number == 0:
        buttons.add(sheet, SCALE_ROW, ((2, 5), (6, 8), (9, 12)))
    typed = {item.name: item for item in inputs(layout, state.lesson)}
    follows, chosen = images.followed(state), images.input_formula(layout, state.lesson)

    def followed(channel: int, y: int, x: int) -> str | None:
        return chosen(channel, y, x) if follows is not None and follows[channel, y, x] else None

    def put(name: str, placed: Placed, values: Array) -> None:
        if name == INPUT:
            sheet.input(typed[name], values, style.PIXEL, formula=None if follows is None else followed)
        else:
            sheet.input(typed[name], values, style.WEIGHT if placed.shape else style.SETTING)

    calculation(sheet, layout, state.activations, state.tensors, put)
    if number == 0 and follows is not None:
        sheet.marks += images.moved(layout)
    cockpit.boards(sheet, state, layout, beside_picture=number == 0)
    _onward(sheet, state.layout, number)
    _lanes(sheet, layout)
    sheet.names |= dict(layout.names())
    return sheet


def _lanes(sheet: Page, layout: Layout) -> None:
    """A coloured line from what a shortcut takes up to the layer that reads it, where the next one may begin."""
    for row, source, reader in layout.lanes:
        first, last = source.columns[0], reader.columns[0] - 1
        name = next(source.out.names())[0]
        sheet.span(row, first, last, f"{source.shows} → {reader.name}", style.LANE)
        sheet.links[row, first] = name


def _onward(sheet: Page, layout: Layout, number: int) -> None:
    """Links from what is carried to where it comes from, and from the right end to the next sheet."""
    part = layout.parts[number]
    for stage in part.stages:
        if stage.carried:
            source = layout.placed[stage.shows].blocks[0]
            sheet.replace(TITLE_ROW, stage.columns[0], style=_LEADS.legible(sheet.zoom))
            sheet.links[TITLE_ROW, stage.columns[0]] = source.other()
    for behind in layout.parts[number + 1 : number + 2]:
        first = part.last_column + 1 + GAP
        last = first + _ONWARD - 1
        sheet.widths |= dict.fromkeys(range(part.last_column + 1, last + 1), style.CELL_WIDTH)
        sheet.span(TITLE_ROW, first, last, f"goes on on {behind.sheet} →", _LEADS)
        sheet.links[TITLE_ROW, first] = Block(behind.sheet, TITLE_ROW, behind.stages[0].columns[0], 1, 1).other()


def calculation(
    sheet: Page,
    layout: Layout,
    activations: Mapping[str, Array],
    tensors: Mapping[str, Array],
    put: Callable[[str, Placed, Array], None],
) -> None:
    """Put the stages of a network on a sheet, at the addresses of `Network`.

    Picture and parameters are typed there, and formulas on other sheets: `put` fills one, given its full name (the
    picture's is `input`), its place and its values.
    """
    for stage in layout.stages:
        head(sheet, stage.columns, stage_texts(layout, stage, editable=sheet.title == NETWORK))
        values = layout.values(stage, activations, tensors)
        for name, placed in stage.parameters():
            put(name, placed, tensors[name])
            if placed.shape:
                scale(sheet, placed, tensors[name], None)
            _label_parameter(sheet, stage, name, placed, layout.network.classes)
        _biases(sheet, stage, tensors)
        if stage.nodes:
            formulas = formulas_of(layout, stage)
            for short, placed in stage.computed():
                compute(sheet, stage.name, placed, values[short], value_style(stage, placed), formulas[short])
        else:
            put(stage.name, stage.out, values["out"])
            widgets.shades(sheet, stage.out.blocks, stage.border.top)
        label_maps(sheet, stage)
        label_vector(sheet, stage, layout.network.classes)
        _border(sheet, layout, stage)
        if stage.nodes:
            scale(sheet, stage.out, values["out"], scale_of(layout, stage))


_LEADS = replace(style.STAGE_TITLE, color=style.EDIT, underline=True)
_ONWARD = 12
"""Columns of the link to the next sheet."""


def frame(title: str, layout: Layout) -> Page:
    """An empty sheet of square cells, large enough for the layout, with its headings frozen."""
    sheet = Page(
        title,
        freeze=f"A{SCALE_ROW + 1}",
        zoom=style.NETWORK_ZOOM,
        default_width=style.CELL_WIDTH,
        default_height=style.CELL_HEIGHT,
        repeat_rows=SCALE_ROW,
        board_rows=COCKPIT_ROWS,
    )
    sheet.heights |= cockpit.HEIGHTS | {TITLE_ROW: 26, SHAPE_ROW: 19, TORCH_ROW: 40, WORDS_ROW: 36, SCALE_ROW: 24}
    sheet.widths = dict.fromkeys(range(2, layout.last_column + 1), style.CELL_WIDTH) | {1: 1.5}
    return sheet


def stage_title(stage: Stage) -> str:
    """What a stage is called: `conv1 + relu1`."""
    if stage.carried:
        return f"{stage.shows} from {stage.carried}"
    return " + ".join(node.name for node in stage.nodes) or "input"


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape for readers: `2×26×26`."""
    return "×".join(map(str, shape))


def scale_of(layout: Layout, stage: Stage) -> Scale | None:
    """The colour scale of a stage's output; None where values may be negative and the scale needs a bound."""
    return style.scale_of(stage.last_layer.probabilities, stage.shows in layout.network.non_negative)


_WIDE = 3
"""Columns of a kernel over which, or below which, there is room for whole words."""
_NAMED = 24
"""Columns of a map over which its own name and what its border is for have room beside each other."""
_CODE_IN_COLUMN = 2.4
"""Characters of code that have room in a column."""
_FEW = 100
"""Slices of kernels at most that each say what they read."""
_EDIT = Words("type 0 … 1 into any pixel", browser="draw with the mouse or a finger, or type 0 … 1 into any pixel")


def stage_texts(layout: Layout, stage: Stage, editable: bool) -> tuple[str, str, str, str]:
    """What stands above a stage: its title, its shapes, its line of PyTorch, and its formula in words.

    `editable` is whether the picture can be edited there.
    """
    if not stage.nodes:
        shape, sizes = shape_text(stage.out.shape), ", ".join(map(str, stage.out.shape))
        words = _EDIT if editable else "the picture of Network"
        return stage_title(stage), shape, f"x.shape == (1, {sizes})", words
    start, end = stage.nodes[0], stage.nodes[-1]
    if stage.carried:
        return stage_title(stage), shape_text(stage.out.shape), stage.shows, f"each cell = {start.layer.words(())}"
    shapes = f"{_read(layout, stage)}{shape_text(start.in_shape)} → {shape_text(end.out_shape)}"
    code = ", ".join(node.torch for node in stage.nodes)
    inner = start.layer.words(start.in_shape)
    words = stage.activation.words_of(inner) if stage.activation else inner
    return stage_title(stage), shapes, code, f"each cell = {words}"


def _read(layout: Layout, stage: Stage) -> str:
    """What stands before the shapes of a stage that does not simply read the layer before it: what it reads."""
    number = layout.network.nodes.index(stage.nodes[0])
    before = layout.network.nodes[number - 1].name if number else INPUT
    return "" if stage.inputs == (before,) else f"{', '.join(stage.inputs)}: "


def head(sheet: Page, columns: tuple[int, int], texts: tuple[str, str, str, str], row: int = TITLE_ROW) -> None:
    """Put title, shapes, PyTorch and words over some columns, one below the other."""
    looks = style.STAGE_TITLE, style.STAGE_SHAPE, style.STAGE_TORCH, style.STAGE_WORDS
    most = (columns[1] - columns[0] + 1) * _CODE_IN_COLUMN
    for number, (line, look) in enumerate(zip(texts, looks, strict=True)):
        sheet.span(row + number, *columns, widgets.broken(line, most) if look.mono else line, look)


def formulas_of(layout: Layout, stage: Stage) -> dict[str, Formula]:
    """Formula of each tensor of a stage that is computed, the folded layer around that of the output."""
    formulas = stage.layer.formulas(layout.site(stage))
    return formulas | {"out": folded(stage.activation, formulas["out"])} if stage.activation else formulas


def folded(activation: Layer, inner: Formula) -> Formula:
    """The formula of an activation around that of the layer before it."""
    return Formula(lambda plane, y, x: activation.fold(inner(plane, y, x)), inner.shared, inner.across)


def compute(sheet: Page, owner: str, placed: Placed, values: Array, look: Style, formula: Formula) -> None:
    """Put a tensor of formulas on the sheet, with the engine's values as theirs."""
    for plane, (block, numbers) in enumerate(zip(placed.blocks, placed.planes(values), strict=True)):
        across = placed.area if formula.across else None
        sheet.account(block, numbers, look, partial(formula, plane), formula.shared, owner, across)


def value_style(stage: Stage, placed: Placed) -> Style:
    """How computed values look: probabilities as per cent, scores with two digits, maps with one."""
    if placed.name == f"{stage.name}_{PADDED}":
        return style.COPY
    if len(placed.shape) == 3:
        return style.ACTIVATION
    return style.PROBABILITY if placed.name == stage.out.name and stage.last_layer.probabilities else style.SCORE


def _label_parameter(sheet: Page, stage: Stage, name: str, placed: Placed, classes: tuple[str, ...]) -> None:
    first, short = placed.blocks[0], name.rpartition(".")[2]
    label = f"{name} {shape_text(placed.shape)}".rstrip()
    if first.step != (1, 1) and len(placed.shape) == 1:
        sheet.put(first.row - 1, first.column, short, style.LABEL)
    elif len(placed.shape) < 2:
        sheet.put(first.row - 1, first.column, label if len(stage.out.shape) == 3 else short, style.LABEL)
    elif len(placed.shape) == 4:
        for number, planes in enumerate(stage.layer.kernels(stage.in_shape), 1):
            block = placed.blocks[planes[0]]
            names = _sources(stage, number - 1, len(planes)) if 1 < len(placed.blocks) <= _FEW else []
            begins = f"{short} {number}" if block.width > _WIDE or not names else f"{number}"
            sheet.put(block.row - 1, block.column, ": ".join([begins, *names[:1]]), style.LABEL)
            for plane, named in zip(planes[1:], names[1:], strict=False):
                block = placed.blocks[plane]
                sheet.put(block.row - 1, block.column, named, style.LABEL)
    elif len(placed.shape) == 3:
        for named, block in placed.names():
            sheet.put(block.row - 1, block.column, named, style.LABEL)
    elif placed.transposed:
        own = label.removeprefix(f"{stage.name}.")
        sheet.put(first.row - 1, first.column, f"{own}, one column an output", style.LABEL)
    else:
        each = len(placed.blocks) // placed.shape[0]
        for number, block in enumerate(placed.blocks[::each]):
            named = classes[number] if len(classes) == placed.shape[0] else str(number + 1)
            sheet.put(block.row - 1, block.column, f"weights of {named}", style.CLASS)


def _biases(sheet: Page, stage: Stage, tensors: Mapping[str, Array]) -> None:
    """Each bias below the kernels to whose sum it is added; all of them are typed in one row above."""
    kernels = stage.layer.kernels(stage.in_shape) if stage.nodes and "bias" in stage.own else []
    for number, planes in enumerate(kernels):
        of_map = [stage.own["weight"].blocks[plane] for plane in planes]
        first = of_map[0]
        block, y, x = stage.own["bias"].locate(number)
        bias = sheet.near(block.part(y, x, 1, 1), tensors[f"{stage.name}.bias"][number])
        words = "+ bias " if first.width >= _WIDE else "+ "
        below = max(one.last_row for one in of_map if one.column == first.column) + 1
        sheet.put(below, first.column, text(words, rounded(bias, 2)), style.LABEL)


def _sources(stage: Stage, output: int, slices: int) -> list[str]:
    """What the slices of a kernel read: colours, or the numbers of maps; nothing where there is one map."""
    channels = stage.in_shape[0]
    if channels == 1:
        return []
    if stage.inputs == (INPUT,) and channels == len(style.LIGHTS):
        maps = list(style.LIGHTS)
    else:
        maps = [f"map {number}" for number in range(1, channels + 1)]
    groups = channels // slices
    first = output * groups // stage.out.shape[0] * slices
    return maps[first : first + slices]


def label_maps(sheet: Page, stage: Stage) -> None:
    """The defined name of each map above it, and of what its formulas need on the way."""
    if len(stage.out.shape) != 3:
        return
    for short, placed in list(stage.computed()) or [("out", stage.out)]:
        top = stage.border.top if short != PADDED and len(placed.shape) == 3 else 0
        left = stage.border.left if short == "out" else 0
        for name, block in placed.names():
            sheet.put(block.row - top - 1, block.column - left, name, style.LABEL)


def label_vector(sheet: Page, stage: Stage, classes: tuple[str, ...]) -> None:
    """Column titles above a vector and the classes beside it."""
    if len(stage.out.shape) != 1:
        return
    for short, placed in stage.computed():
        sheet.put(placed.blocks[0].row - 1, placed.blocks[0].column, short, style.LABEL)
    if len(classes) == stage.out.shape[0]:
        for y, named in enumerate(classes):
            sheet.put(stage.out.blocks[0].row + y, stage.label_column(), named, style.CLASS_BESIDE)


def _border(sheet: Page, layout: Layout, stage: Stage) -> None:
    """Zeros around each map for the layers that read it, and their names over the first, where there is room."""
    placed, border = stage.out, stage.border
    if border == Border():
        return
    channels, height, width = placed.shape
    outside = [
        (y, x)
        for y in range(-border.top, height + border.bottom)
        for x in range(-border.left, width + border.right)
        if not (0 <= y < height and 0 <= x < width)
    ]
    for block in placed.blocks:
        for y, x in outside:
            sheet.put(*block.position(y, x), 0.0, style.PADDING)
    readers = [one.name for one in layout.stages if one.nodes and not one.carried and stage.shows in one.inputs]
    if readers and width >= _NAMED and (stage.nodes or channels != len(style.LIGHTS)):
        first = placed.blocks[0]
        words = f"the border is read by {', '.join(readers)} only"
        sheet.put(first.row - border.top - 1, first.last_column + border.right, words, style.CHANNEL)


def scale(sheet: Page, placed: Placed, values: Array, colours: Scale | None) -> None:
    """Colour all blocks by one scale; without a given one, symmetrical around zero with its bound in a cell above."""
    blocks, planes = placed.blocks, list(placed.planes(values))
    if colours is None:
        if len(blocks) > MAX_BLOCKS and blocks[0].step == (1, 1):  # what is between is empty, and zero here
            rows = [*in_rows(blocks)]
            blocks = tuple(around(blocks[row]) for row in rows)
            apart = np.pad(np.array(planes), ((0, 0), (0, 0), (0, 1)))
            planes = [np.hstack(list(apart[row]))[:, :-1] for row in rows]
        colours = style.diverging(_largest(sheet, placed.name, [*zip(blocks, planes, strict=True)]).absolute)
    sheet.scales.append((blocks, colours))


def _largest(sheet: Page, owner: str, parts: Sequence[tuple[Block, Array]]) -> Block:
    """A cell with the largest absolute value of some blocks; many blocks have such cells for groups of them first."""
    if len(parts) > MAX_BLOCKS:
        groups = (parts[i : i + MAX_BLOCKS] for i in range(0, len(parts), MAX_BLOCKS))
        found = [(_largest(sheet, owner, group), max(np.abs(v).max() for _, v in group)) for group in groups]
        return _largest(sheet, owner, [(block, np.full((1, 1), bound)) for block, bound in found])
    column = parts[0][0].column
    while (SCALE_ROW, column) in sheet.singles:
        column += 1
    ranges = [sheet.near(block, values) for block, values in parts]
    sheet.put(SCALE_ROW, column, largest(largest(*ranges), -smallest(*ranges)), style.SCALE, owner)
    return Block(sheet.title, SCALE_ROW, column, 1, 1)


def outputs(sheet: Page, block: Block, state: WorkbookState, look: Style) -> None:
    """The first outputs of a network, below each other, wherever they stand on `Network`."""
    done = 0
    for source in state.layout.output.blocks:
        count = min(source.height, block.height - done)
        if count > 0:
            values = state.output[done : done + count, np.newaxis]
            shown = sheet.each(source.part(0, 0, count, 1), values)
            sheet.fill(block.part(done, 0, count, 1), shown, look, state.network.output.name)
            done += count
