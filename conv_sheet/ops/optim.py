"""Gradient descent with PyTorch's definitions: SGD, momentum, Adam, and a cosine learning rate.

An optimiser is a value: it holds hyper-parameters only. `start` makes its state, `step` returns new
parameters and a new state and changes nothing in place, so the best weights so far and a checkpoint are mere
references. Parameters, gradients and state are flat dictionaries of arrays, ready for `numpy.savez`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.ops.arrays import Array

Tensors = Mapping[str, Array]


class Optimizer(Protocol):
    """What a training loop needs of an optimiser."""

    @property
    def lr(self) -> float:
        """Learning rate before any schedule."""

    def start(self, parameters: Tensors) -> dict[str, Array]:
        """The state before the first step."""

    def step(
        self, parameters: Tensors, gradients: Tensors, state: Tensors, factor: float = 1.0
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """New parameters and new state after one step at learning rate `lr * factor`."""


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent, with momentum if asked for.

    `g = grad + weight_decay * p`, `v = momentum * v + g` (`v = g` at first), `p = p - lr * v`.
    A parameter without a gradient is frozen: it keeps its value, and no decay touches it.

    Source: PyTorch documentation, `torch.optim.SGD` (dampening 0, not Nesterov).

    >>> sgd = SGD(lr=0.1)
    >>> parameters = {"fc.bias": np.array([1.0, 2.0])}
    >>> parameters, state = sgd.step(parameters, {"fc.bias": np.array([1.0, -1.0])}, sgd.start(parameters))
    >>> parameters["fc.bias"]
    array([0.9, 2.1])
    """

    lr: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _not_negative(lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

    def start(self, parameters: Tensors) -> dict[str, Array]:
        """A zero `momentum_buffer/<name>` for each parameter; nothing without momentum."""
        return _zeros("momentum_buffer", parameters) if self.momentum else {}

    def step(
        self, parameters: Tensors, gradients: Tensors, state: Tensors, factor: float = 1.0
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """New parameters and new state; raises ShapeError where a gradient does not fit its parameter."""
        parameters, state = dict(parameters), dict(state)
        for name, gradient in _decayed(parameters, gradients, self.weight_decay).items():
            if self.momentum:
                key = f"momentum_buffer/{name}"
                gradient = state[key] = self.momentum * state[key] + gradient
            parameters[name] = parameters[name] - self.lr * factor * gradient
        return parameters, state


@dataclass(frozen=True)
class Adam:
    """Adam: each weight's step is scaled by the running mean and mean square of its own gradient.

    `g = grad + weight_decay * p`, `m = b1 * m + (1 - b1) * g`, `v = b2 * v + (1 - b2) * g**2`,
    `p = p - lr * (m / (1 - b1**t)) / (sqrt(v / (1 - b2**t)) + eps)`; t counts the steps from 1.
    A parameter without a gradient is frozen: it keeps its value, and no decay touches it.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015; PyTorch documentation,
    `torch.optim.Adam` (not AMSGrad).

    >>> adam = Adam(lr=0.1)
    >>> parameters = {"fc.bias": np.array([1.0, 2.0])}
    >>> parameters, state = adam.step(parameters, {"fc.bias": np.array([5.0, -0.5])}, adam.start(parameters))
    >>> parameters["fc.bias"].round(6)
    array([0.9, 2.1])
    >>> sorted(state)
    ['exp_avg/fc.bias', 'exp_avg_sq/fc.bias', 'step/fc.bias']
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _not_negative(lr=self.lr, eps=self.eps, weight_decay=self.weight_decay)
        if not all(0.0 <= beta < 1.0 for beta in self.betas):
            raise SpecError(f"betas={self.betas}: both must be at least 0 and below 1")

    def start(self, parameters: Tensors) -> dict[str, Array]:
        """Zero `exp_avg/<name>`, `exp_avg_sq/<name>` and `step/<name>` (0-d) for each parameter."""
        steps = {f"step/{name}": np.zeros(()) for name in parameters}
        return _zeros("exp_avg", parameters) | _zeros("exp_avg_sq", parameters) | steps

    def step(
        self, parameters: Tensors, gradients: Tensors, state: Tensors, factor: float = 1.0
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """New parameters and new state; raises ShapeError where a gradient does not fit its parameter."""
        parameters, state = dict(parameters), dict(state)
        beta1, beta2 = self.betas
        for name, gradient in _decayed(parameters, gradients, self.weight_decay).items():
            count = state[f"step/{name}"] + 1.0
            mean = beta1 * state[f"exp_avg/{name}"] + (1.0 - beta1) * gradient
            square = beta2 * state[f"exp_avg_sq/{name}"] + (1.0 - beta2) * gradient**2
            spread = np.sqrt(square / (1.0 - beta2**count)) + self.eps
            parameters[name] = parameters[name] - self.lr * factor * (mean / (1.0 - beta1**count)) / spread
            state |= {f"step/{name}": count, f"exp_avg/{name}": mean, f"exp_avg_sq/{name}": square}
        return parameters, state


def cosine(progress: float) -> float:
    """Factor on the learning rate when `progress` (0 to 1) of a training is done: half a cosine, 1 to 0.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017; PyTorch
    documentation, `CosineAnnealingLR` with `eta_min=0`.

    >>> [round(cosine(progress), 3) for progress in (0.0, 0.25, 0.5, 0.75, 1.0)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """
    return (1.0 + math.cos(math.pi * progress)) / 2.0


def _zeros(kind: str, parameters: Tensors) -> dict[str, Array]:
    return {f"{kind}/{name}": np.zeros_like(parameter) for name, parameter in parameters.items()}


def _decayed(parameters: Tensors, gradients: Tensors, weight_decay: float) -> dict[str, Array]:
    """The gradients of loss + weight_decay / 2 * |p|**2, each checked against its parameter."""
    for name, gradient in gradients.items():
        if name not in parameters:
            raise ShapeError(f"gradient {name!r} belongs to no parameter; there are {', '.join(parameters)}")
        if gradient.shape != parameters[name].shape:
            raise ShapeError(f"gradient {name!r} has shape {gradient.shape}, its parameter {parameters[name].shape}")
    if not weight_decay:
        return dict(gradients)
    return {name: gradient + weight_decay * parameters[name] for name, gradient in gradients.items()}


def _not_negative(**values: float) -> None:
    for name, value in values.items():
        if not 0.0 <= value < math.inf:
            raise SpecError(f"{name}={value}: must be a finite number, 0 or more")
