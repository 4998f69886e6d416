"""The chain rule as formulas: the gradient of what a layer reads is a sum over its readers."""

from collections.abc import Iterator, Sequence

from conv_sheet.cells.formula import Formula, total
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import SpecError
from conv_sheet.network.layout import Stage
from conv_sheet.sheets.backprop.layout import BackpropLayout
from conv_sheet.sheets.backprop.losses import slope


def readers(made: BackpropLayout, name: str) -> Iterator[tuple[Stage | None, Formula]]:
    """Every stage that reads the output of a layer, also through views, and the formula of the gradient that it gives.

    The formula is that of the layer's own values, where a view joins them with those of others. None stands for the
    loss, which also takes the place of a Softmax or a Sigmoid behind its scores.
    """
    layout, network = made.layout, made.network
    if name == made.objective.layer:
        yield None, slope(made)
    for reader in {node.name: node for node in network.readers(name)}.values():
        for number, source in enumerate(reader.inputs):
            if source != name:
                continue
            if reader.name not in layout.by_name:
                before = [layout.placed[other] for other in reader.inputs[:number]]
                for stage, formula in readers(made, reader.name):
                    yield stage, _behind(formula, before, layout.placed[name])
            elif layout.by_name[reader.name] is not made.last:
                yield layout.by_name[reader.name], stage_formulas(made, layout.by_name[reader.name])[0][number]


def _behind(formula: Formula, before: Sequence[Placed], own: Placed) -> Formula:
    """The formula of a joined tensor's values from where those of one of its parts begin: behind other parts.

    Parts that stand as maps are counted in planes, also where they are read as a vector; columns of values in rows.
    """
    if own.blocks[0].width > 1 or len(own.shape) == 3:
        planes = sum(len(part.blocks) for part in before)
        return Formula(lambda plane, y, x: formula(plane + planes, y, x), formula.shared)
    rows = sum(part.shape[0] for part in before)
    return Formula(lambda plane, y, x: formula(plane, y + rows, x), formula.shared)


def added(parts: list[Formula]) -> Formula:
    """A gradient that several readers give is the sum of what each of them says."""
    return Formula(lambda *at: total([part(*at) for part in parts]), all(part.shared for part in parts))


def stage_formulas(made: BackpropLayout, stage: Stage) -> tuple[tuple[Formula, ...], dict[str, Formula]]:
    """Formulas of the gradients of what a stage reads, and of its parameters."""
    site, upstream = made.layout.site(stage), made.gradients[stage.name]
    try:
        return stage.layer.joined_gradient_formulas(site, upstream), stage.layer.gradient_formulas(site, upstream)
    except SpecError as error:
        raise SpecError(f"layer {stage.name!r}: {error}") from None
