"""What a page has beside its sheets: the answer that is always in sight, things to try, buttons."""

from collections.abc import Iterator, Mapping, Sequence

from conv_sheet.cells.forms import Forms
from conv_sheet.cells.grid import Block, quote
from conv_sheet.cells.page import Page
from conv_sheet.cells.words import in_browser
from conv_sheet.errors import SpecError, did_you_mean
from conv_sheet.network.lesson import Try
from conv_sheet.sheets import registry
from conv_sheet.sheets.backprop.layout import UPDATED
from conv_sheet.sheets.buttons import CAPTIONS, TRAINING
from conv_sheet.sheets.start import tries_of
from conv_sheet.state import WorkbookState
from conv_sheet.web.blocks import Json, place

Names = Mapping[str, Block]
_KERNEL_RANK = 4


def about(state: WorkbookState, pages: Sequence[Page], names: Names, forms: Forms) -> Json:
    """`answer`, `tries`, `actions`, and the sheet that is seen first."""
    tries = tries_of(state)
    return {
        "open": _name(names, tries[0].at).sheet,
        "answer": _answer(state, pages, names),
        "tries": [_try(item, pages, names, forms) for item in tries],
        "actions": list(_actions(state)),
    }


def _name(names: Names, wanted: str) -> Block:
    """The cells of a defined name; SpecError where there is none."""
    if wanted not in names:
        raise SpecError(f"the lesson has no cells called {wanted!r}{did_you_mean(wanted, names)}")
    return names[wanted]


def _answer(state: WorkbookState, pages: Sequence[Page], names: Names) -> Json:
    """What the network says; of one without classes what the lesson names, or else the first plane of its output."""
    bars = next((bars for page in pages for bars in page.bars), None)
    if bars is not None:
        values = [bars.values.sheet, *place(bars.values)]
        labels = [bars.labels.sheet, *place(bars.labels)]
        says = [names["prediction"].sheet, *place(names["prediction"])]
        return {"title": "The network says", "says": says, "values": values, "labels": labels, "shares": bars.shares}
    name, block = state.lesson.answer, state.layout.stages[-1].out.blocks[0]
    if name:
        block = _name(names, name)
    else:
        name = next((known for known, own in names.items() if own == block), block.foreign)
    return {"title": "What comes out", "name": name, "values": [block.sheet, *place(block)]}


def _try(item: Try, pages: Sequence[Page], names: Names, forms: Forms) -> Json:
    _name(names, item.at)
    if item.check:
        forms.require(item.check, f"[[try]] at {item.at}: check")
    made = item.spec() | {"text": in_browser(item.words), "do": [[at, value] for at, value in item.do.items()]}
    if item.see and names[item.see].shape != (1, 1):
        made["see"] = next(_read(pages, item.see))
    return {key: value for key, value in made.items() if value and key not in ("browser", "then")}


def _read(pages: Sequence[Page], name: str) -> Iterator[str]:
    """The cells that say in one line what stands in those of a name."""
    for page in pages:
        yield from (Block(page.title, *at, 1, 1).other() for at, target in page.reads.items() if target == name)


def _actions(state: WorkbookState) -> Iterator[Json]:
    """The buttons that a page can do without Python: its formulas have the new weights already."""
    curve = registry.curve_block(state.layout, state.lesson)
    if curve is not None:
        steps, losses = (curve.part(0, x, curve.height, 1).foreign for x in (0, 1))
        step = {
            "kind": "copy",
            "pairs": list(_updates(state)),
            "curve": {"steps": steps, "losses": losses, "loss": "loss"},
        }
        yield {"title": TRAINING["TrainStep"], "hint": "New weights: those of the sheet Updated"} | step
        yield {"title": TRAINING["TrainSteps10"], "hint": "Ten steps", "times": 10} | step
    kernels = [placed for _, placed in state.layout.parameters() if len(placed.shape) == _KERNEL_RANK]
    if kernels:
        names = [name for placed in kernels for name, _ in placed.names()]
        yield {"title": CAPTIONS["RandomKernels"], "hint": "Others each time", "kind": "random", "blocks": names}
    yield {"title": CAPTIONS["Reset"], "hint": "Everything as the lesson had it", "kind": "reset"}


def _updates(state: WorkbookState) -> Iterator[tuple[str, str]]:
    """What a step of training changes, and the cells that it becomes."""
    for _, placed in state.layout.parameters():
        for block in placed.blocks:
            solid = [block] if block.step == (1, 1) else [Block(block.sheet, *at, 1, 1) for at in block.positions()]
            yield from ((cell.foreign, f"{quote(UPDATED)}!{cell.relative}") for cell in solid)
