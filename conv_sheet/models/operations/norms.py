"""Normalisations."""

from collections.abc import Mapping

import numpy as np

from conv_sheet.layers import Array
from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.imported import short
from conv_sheet.models.values import Value, channels_last


def batch_norm(
    b: GraphBuilder,
    x: Value,
    weight: Array | None,
    bias: Array | None,
    mean: Array,
    var: Array,
    eps: float,
    last: bool = False,
) -> Value:
    """Shift and scale of each map, or of each value of a vector, by what training has collected."""
    whole = b.vector(x) if x.view.ndim == 2 else b.maps(x, last)
    if any(tensor.shape != whole.shape[:1] for tensor in (mean, var)):
        b.refuse(f"BatchNorm with {mean.shape} statistics does not fit values of {whole.shape}")
    path = b.owner(mean if weight is None else weight)
    affine = _affine(b, weight, bias, whole.shape[:1])
    tensors = affine | {"running_mean": mean, "running_var": var}
    if whole.view.ndim == 2 and not whole.whole:
        tensors = {name: whole.spread(tensor) for name, tensor in tensors.items()}
    kind = "BatchNorm2d" if len(whole.shape) == 3 else "BatchNorm1d"
    options = _eps(eps) | _choices(affine)
    out = b.add(kind, [whole], whole.shape, options, tensors, path)
    if whole.view.ndim == 2:
        return out.moved(whole.view)
    return out.moved(channels_last(out.view)) if last else out


def group_norm(b: GraphBuilder, x: Value, groups: int, weight: Array | None, bias: Array | None, eps: float) -> Value:
    """Groups of maps, each normalised by its own mean and variance."""
    whole = b.vector(x) if x.view.ndim == 2 else b.maps(x)
    if groups < 1 or whole.shape[0] % groups:
        b.refuse(f"{groups} groups do not divide {whole.shape[0]} maps")
    path = b.path if weight is None else b.owner(weight)
    tensors = _affine(b, weight, bias, whole.shape[:1])
    options = {"num_groups": groups} | _eps(eps) | _choices(tensors)
    return b.add("GroupNorm", [whole], whole.shape, options, tensors, path).moved(whole.view)


def instance_norm(b: GraphBuilder, x: Value, weight: Array | None, bias: Array | None, eps: float) -> Value:
    """Each map normalised by its own mean and variance.

    Over maps that a source has put together, (1, groups, -1), it is how GroupNorm was written before there was one.
    """
    view = x.view
    if view.ndim == 3 and len(x.shape) == 3 and x.whole and view.shape[1] != x.shape[0]:
        plain = all(t is None or (t == t.flat[0]).all() for t in (weight, bias))
        if plain and x.shape[0] % view.shape[1] == 0 and _is(weight, 1) and _is(bias, 0):
            maps = x.moved(view.reshape(1, *x.shape))
            return group_norm(b, maps, view.shape[1], None, None, eps).moved(view)
        b.refuse("InstanceNormalization over maps put together is only known as part of GroupNorm")
    maps = b.maps(x)
    weight, bias = (None, None) if _is(weight, 1) and _is(bias, 0) and not _named(b, weight) else (weight, bias)
    path = b.path if weight is None else b.owner(weight)
    tensors = _affine(b, weight, bias, maps.shape[:1])
    options = _eps(eps) | _choices(tensors, usual=False)
    return b.add(f"InstanceNorm{len(maps.shape) - 1}d", [maps], maps.shape, options, tensors, path)


def layer_norm(b: GraphBuilder, x: Value, axes: int, weight: Array | None, bias: Array | None, eps: float) -> Value:
    """All values of a picture normalised by their mean and variance; `axes` of the source's, from the last one on."""
    whole = b.complete(x)
    if axes != x.view.ndim - 1:
        b.refuse(f"LayerNorm over the last {axes} axes of {x.view.shape} is not known: only over a whole picture")
    own = {name: t for name, t in (("weight", weight), ("bias", bias)) if t is not None}
    path = b.path if weight is None else b.owner(weight)
    if any(t.shape != x.view.shape[1:] for t in own.values()):
        b.refuse(f"LayerNorm with a weight of {next(iter(own.values())).shape} does not fit {x.view.shape[1:]}")
    if not (whole.whole and whole.view.shape[1:] == whole.shape):
        own = {name: whole.spread(t[None]) for name, t in own.items()}
    options: dict[str, object] = {"normalized_shape": list(whole.shape)} | _eps(eps)
    if not own:
        options["elementwise_affine"] = False
    elif "bias" not in own:
        options["bias"] = False
    elif "weight" not in own:
        own = {"weight": np.ones(whole.shape), **own}
    return b.add("LayerNorm", [whole], whole.shape, options, own, path).moved(whole.view)


def local_response_norm(b: GraphBuilder, x: Value, size: int, alpha: float, beta: float, k: float) -> Value:
    """Each value divided by what stands in the same place of the maps beside it."""
    maps = b.maps(x)
    options: dict[str, object] = {"size": int(size)}
    defaults = {"alpha": 1e-4, "beta": 0.75, "k": 1.0}
    given = {"alpha": short(alpha), "beta": short(beta), "k": short(k)}
    options |= {name: value for name, value in given.items() if value != defaults[name]}
    return b.add("LocalResponseNorm", [maps], maps.shape, options)


def _eps(eps: float) -> dict[str, object]:
    value = short(eps)
    return {} if value == 1e-5 else {"eps": value}


def _affine(b: GraphBuilder, weight: Array | None, bias: Array | None, shape: tuple[int, ...]) -> dict[str, Array]:
    """What a normalisation multiplies by and adds; a bias alone has a weight of ones."""
    if bias is not None and weight is None:
        weight = np.ones(shape)
    own = {name: tensor for name, tensor in (("weight", weight), ("bias", bias)) if tensor is not None}
    for name, tensor in own.items():
        if tensor.shape != shape:
            b.refuse(f"a {name} of {tensor.shape} does not fit {shape[0]} maps")
    return own


def _choices(own: Mapping[str, Array], usual: bool = True) -> dict[str, object]:
    """The options `affine` and `bias`; `usual` is what PyTorch has for the first of them."""
    affine = "weight" in own
    options: dict[str, object] = {} if affine == usual else {"affine": affine}
    return options | ({"bias": False} if affine and "bias" not in own else {})


def _is(tensor: Array | None, number: float) -> bool:
    return tensor is None or bool((tensor == number).all())


def _named(b: GraphBuilder, tensor: Array | None) -> bool:
    return tensor is not None and bool(b.source_of(tensor))
