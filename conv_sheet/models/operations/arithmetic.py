"""Sums and products: with constants, of two activations, and the activations that exporters take apart into them."""

import math

import numpy as np

from conv_sheet.models.builder import Draft, GraphBuilder
from conv_sheet.models.operations.activations import gelu, near, pointwise
from conv_sheet.models.operations.norms import layer_norm, local_response_norm
from conv_sheet.models.values import Constant, Operand, Value, channels_last
from conv_sheet.network.weights import as_written

SCALE = "_Scale"
"""weight · x + bias with constants: a bias, a normalised picture, or part of a longer pattern."""
SELU = 1.6732632423543772, 1.0507009873554805
"""alpha and scale of SELU, with which activations keep mean 0 and variance 1 (Klambauer 2017, equation 14)."""


def add(b: GraphBuilder, x: Operand, y: Operand, factor: float = 1.0) -> Operand:
    """The sum x + factor · y."""
    if isinstance(x, Value):
        if not isinstance(y, Value):
            return scaled(b, x, np.array(1.0), as_written(y) * factor)
        if x.layer == y.layer and np.array_equal(x.view, y.view):
            return scaled(b, x, np.array(1 + factor))
        return _combined(b, "Add", x, y if factor == 1 else scaled(b, y, np.array(factor)))
    if isinstance(y, Value):
        return scaled(b, y, np.array(factor), as_written(x))
    return np.asarray(x + factor * y if factor != 1 else x + y)


def subtract(b: GraphBuilder, x: Operand, y: Operand, factor: float = 1.0) -> Operand:
    """The difference x − factor · y."""
    if isinstance(x, Value) and isinstance(y, Value) and factor == 1:
        mean = b.made_by(y, "_Mean")
        if mean is not None and mean.sources == [b.complete(x).layer]:
            return pointwise(b, x, "_Centred")
    if isinstance(x, Value) or isinstance(y, Value):
        return add(b, x, y, -factor)
    return np.asarray(x - factor * y if factor != 1 else x - y)


def multiply(b: GraphBuilder, x: Operand, y: Operand) -> Operand:
    """The product x · y."""
    if isinstance(x, Value):
        if not isinstance(y, Value):
            return scaled(b, x, as_written(y))
        if x.layer == y.layer and np.array_equal(x.view, y.view):
            return pointwise(b, x, "_Square")
        found = _gated(b, x, y) or _gated(b, y, x) or _gelu(b, x, y) or _gelu(b, y, x)
        return found or _combined(b, "Mul", x, y)
    if isinstance(y, Value):
        return scaled(b, y, as_written(x))
    return np.asarray(x * y)


def divide(b: GraphBuilder, x: Operand, y: Operand) -> Operand:
    """The quotient x ÷ y, where y is a constant, or what local response normalisation divides by."""
    if isinstance(x, Value) and isinstance(y, Value):
        return _lrn(b, x, y) or _layer_norm(b, x, y) or b.refuse("a quotient of two activations is not known")
    if isinstance(y, Value):
        b.refuse("a constant divided by an activation is not known")
    numbers = as_written(y) if isinstance(x, Value) else y
    if not np.all(numbers):
        b.refuse("it divides by zero")
    if isinstance(x, Value):
        return scaled(b, x, 1 / numbers)
    return np.asarray(x // y if x.dtype.kind in "iu" and y.dtype.kind in "iu" else x / y)


def elu(b: GraphBuilder, x: Value, alpha: float, scale: float = 1.0, within: float = 1.0) -> Value:
    """What ELU, SELU and CELU are: scale · ELU(within · x)."""
    inner = x if within == 1 else scaled(b, x, np.array(within))
    out = pointwise(b, inner, "ELU", {} if alpha == 1 else {"alpha": alpha})
    return out if scale == 1 else scaled(b, out, np.array(scale))


def mish(b: GraphBuilder, x: Value) -> Operand:
    """Mish: x · tanh(softplus(x))."""
    return multiply(b, x, pointwise(b, pointwise(b, x, "Softplus"), "Tanh"))


def power(b: GraphBuilder, x: Value, exponent: float) -> Value:
    """Powers that are part of a pattern: squares, and the root of local response normalisation."""
    if exponent == 1:
        return x
    return pointwise(b, x, "_Square") if exponent == 2 else pointwise(b, x, "_Power", {"exponent": float(exponent)})


def scaled(b: GraphBuilder, x: Value, scale: Constant, shift: Constant | None = None) -> Value:
    """The line scale · x + shift, with constants that broadcast to the source's view of x."""
    whole = b.complete(x)
    factor, summand = (_own(b, whole, c) for c in (scale, np.array(0.0) if shift is None else shift))
    found = _hard(b, whole, factor, summand)
    if found is not None:
        return found
    before = b.made_by(whole, SCALE)
    source = whole
    if before is not None:
        summand = before.tensors["bias"] * factor + summand
        factor = before.tensors["weight"] * factor
        source = Value(before.sources[0], whole.shape, whole.view)
    return b.add(SCALE, [source], whole.shape, {}, {"weight": factor, "bias": summand}).moved(whole.view)


def _own(b: GraphBuilder, whole: Value, constant: Constant) -> Constant:
    """The constant in the layer's order: a single number, one a map (C, 1, 1), or one for each value."""
    constant = constant.astype(np.float64)
    if constant.size == 1:
        return constant.reshape(())
    try:
        fits = np.broadcast_shapes(constant.shape, whole.view.shape) == whole.view.shape
    except ValueError:
        fits = False
    if not fits:
        b.refuse(f"constants of the shape {constant.shape} do not fit values of {whole.view.shape}")
    own = whole.spread(constant)
    each = own[(slice(None), *(slice(0, 1),) * (own.ndim - 1))]
    return each if (own == each).all() else own


def _combined(b: GraphBuilder, kind: str, x: Value, y: Value) -> Value:
    """A layer of two activations that stand in one order."""
    if x.shape == y.shape and x.complete and y.complete and np.array_equal(x.view, y.view):
        return b.add(kind, [x, y], x.shape).moved(x.view)
    if x.view.ndim == y.view.ndim == 2:
        one, other = b.vector(x), b.vector(y)
        if one.shape != other.shape or not np.array_equal(one.view, other.view):
            b.refuse(f"vectors of {one.shape} and {other.shape} values, or in different orders, cannot be combined")
        return b.add(kind, [one, other], one.shape).moved(one.view)
    last = any(
        v.view.ndim > 2
        and not v.whole
        and np.moveaxis(v.view, -1, 1).size == v.moved(np.moveaxis(v.view, -1, 1)).view.size
        and v.moved(np.moveaxis(v.view, -1, 1)).whole
        for v in (x, y)
    )
    one, other = b.maps(x, last, repeats=True), b.maps(y, last, repeats=True)
    if len(one.shape) != len(other.shape):
        b.refuse(f"values of {one.shape} and {other.shape} cannot be combined")
    sizes = [max(pair) for pair in zip(one.shape, other.shape, strict=True)]
    if any(n not in (1, size) for shape in (one.shape, other.shape) for n, size in zip(shape, sizes, strict=True)):
        b.refuse(f"values of {one.shape} and {other.shape} do not fit together")
    out = b.add(kind, [one, other], tuple(sizes))
    return out.moved(channels_last(out.view)) if last else out


# -- patterns ----------------------------------------------------------------------------------------------------------


def _constants(draft: Draft | None) -> tuple[float, float] | None:
    """Scale and shift of a layer that has one of each."""
    if draft is None or draft.kind != SCALE or any(t.size > 1 for t in draft.tensors.values()):
        return None
    return float(draft.tensors["weight"]), float(draft.tensors["bias"])


def _source(b: GraphBuilder, draft: Draft) -> Draft | None:
    return b.drafts[draft.sources[0] - 1] if draft.sources[0] else None


def _of_plus_three(b: GraphBuilder, draft: Draft | None) -> int | None:
    """The layer x of which a layer is ReLU6(x + 3)."""
    inner = _source(b, draft) if draft is not None and draft.kind == "ReLU6" else None
    constants = _constants(inner)
    if inner is None or constants is None or not (near(constants[0], 1) and near(constants[1], 3)):
        return None
    return inner.sources[0]


def _hard(b: GraphBuilder, x: Value, scale: Constant, shift: Constant) -> Value | None:
    """Hardsigmoid and Hardswish, which end in a division by 6."""
    if scale.size > 1 or shift.size > 1 or not near(float(scale), 1 / 6) or float(shift):
        return None
    draft = b.draft(x)
    inner = _of_plus_three(b, draft)
    if inner is not None:
        return pointwise(b, Value(inner, x.shape, x.view), "Hardsigmoid")
    if draft is not None and draft.kind == "Mul":
        for gate, other in (draft.sources, draft.sources[::-1]):
            if gate and _of_plus_three(b, b.drafts[gate - 1]) == other:
                return pointwise(b, Value(other, x.shape, x.view), "Hardswish")
    return None


def _gated(b: GraphBuilder, x: Value, gate: Value) -> Value | None:
    """SiLU and Hardswish: x · sigmoid(x), x · hardsigmoid(x)."""
    draft = b.draft(gate)
    kinds = {"Sigmoid": "SiLU", "Hardsigmoid": "Hardswish"}
    if draft is None or draft.kind not in kinds or draft.sources != [x.layer] or not np.array_equal(x.view, gate.view):
        return None
    return pointwise(b, x, kinds[draft.kind])


def _gelu(b: GraphBuilder, x: Value, gate: Value) -> Value | None:
    """GELU: x · (1 + erf(x ÷ √2)) ÷ 2, in whatever order it is multiplied."""
    outer = b.draft(gate)
    erf = _source(b, outer) if outer is not None else None
    inner = _source(b, erf) if erf is not None and erf.kind == "_Erf" else None
    around, within = _constants(outer), _constants(inner)
    if around is None or within is None or inner is None or not (near(*around) and near(within[0], math.sqrt(0.5))):
        return None
    factor, source = around[0], Value(inner.sources[0], x.shape, x.view)
    before = b.draft(x)
    constants = _constants(before)
    if before is not None and constants is not None and before.sources[0] == source.layer and not constants[1]:
        factor *= constants[0]
    elif x.layer != source.layer:
        return None
    out = gelu(b, source)
    return out if near(factor, 0.5) else scaled(b, out, np.array(2 * factor))


def _lrn(b: GraphBuilder, x: Value, divisor: Value) -> Value | None:
    """Local response normalisation: x ÷ (k + α · mean of the squares around it)^β."""
    power = b.made_by(divisor, "_Power")
    inner = _source(b, power) if power is not None else None
    constants = _constants(inner)
    mean = _source(b, inner) if inner is not None else None
    padded = _source(b, mean) if mean is not None and mean.kind == "_MeanOfMaps" else None
    square = _source(b, padded) if padded is not None and padded.kind == "ZeroPad3d" else None
    if power is None or constants is None or mean is None or padded is None or square is None:
        return None
    size = int(mean.options["size"])
    if square.kind != "_Square" or square.sources != [x.layer]:
        return None
    if padded.options["padding"] != [0, 0, 0, 0, size // 2, (size - 1) // 2]:
        return None
    return local_response_norm(b, x, size, constants[0], float(power.options["exponent"]), constants[1])


def _layer_norm(b: GraphBuilder, x: Value, divisor: Value) -> Value | None:
    """Layer normalisation without its weights: x − mean, ÷ √(mean of its squares + eps)."""
    centred, power = b.made_by(x, "_Centred"), b.made_by(divisor, "_Power")
    inner = _source(b, power) if power is not None else None
    constants = _constants(inner)
    mean = _source(b, inner) if inner is not None else None
    square = _source(b, mean) if mean is not None and mean.kind == "_Mean" else None
    if centred is None or power is None or constants is None or square is None:
        return None
    if square.kind != "_Square" or square.sources != [x.layer] or power.options["exponent"] != 0.5 or constants[0] != 1:
        return None
    before = Value(centred.sources[0], x.shape, x.view)
    return layer_norm(b, before, x.view.ndim - 1, None, None, constants[1])


def mean_of_maps(b: GraphBuilder, x: Value, size: int) -> Value:
    """The mean of neighbouring maps in each place, as part of local response normalisation; x is (1, 1, C, H, W)."""
    if x.view.ndim != 5 or not x.whole or len(x.shape) != 3 or x.view.shape[2:] != x.shape or x.shape[0] < size:
        b.refuse("a pool over three axes is only known as part of local response normalisation")
    shape = (x.shape[0] - size + 1, *x.shape[1:])
    out = b.add("_MeanOfMaps", [x], shape, {"size": int(size)})
    return out.moved(out.view[None])
