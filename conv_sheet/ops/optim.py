"""Gradient descent with PyTorch's definitions: SGD, momentum, RMSprop, Adam, and schedules of the learning rate.

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

    `g = grad + weight_decay * p`, `v = momentum * v + g` (`v = g` at first), `p = p - lr * v`; with `nesterov`
    `p = p - lr * (g + momentum * v)`. A parameter without a gradient is frozen: it keeps its value, and no decay
    touches it. Raises SpecError for `nesterov` without momentum.

    Source: PyTorch documentation, `torch.optim.SGD` (dampening 0).

    >>> sgd = SGD(lr=0.1)
    >>> parameters = {"fc.bias": np.array([1.0, 2.0])}
    >>> parameters, state = sgd.step(parameters, {"fc.bias": np.array([1.0, -1.0])}, sgd.start(parameters))
    >>> parameters["fc.bias"]
    array([0.9, 2.1])
    """

    lr: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        _not_negative(lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
        if self.nesterov and not self.momentum:
            raise SpecError("nesterov needs a momentum above 0, such as 0.9")

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
                state[key] = self.momentum * state[key] + gradient
                gradient = gradient + self.momentum * state[key] if self.nesterov else state[key]
            parameters[name] = parameters[name] - self.lr * factor * gradient
        return parameters, state


@dataclass(frozen=True)
class RMSprop:
    """RMSprop: each weight's step is scaled by the running mean square of its own gradient.

    `g = grad + weight_decay * p`, `s = alpha * s + (1 - alpha) * g**2`, `d = g / (sqrt(s) + eps)`, `p = p - lr * d`;
    with momentum `v = momentum * v + d`, `p = p - lr * v`. A parameter without a gradient is frozen: it keeps its
    value, and no decay touches it.

    Source: Hinton, "Neural Networks for Machine Learning", lecture 6e, 2012; PyTorch documentation,
    `torch.optim.RMSprop` (not centered).

    >>> rmsprop = RMSprop(lr=0.1, alpha=0.75)
    >>> parameters = {"fc.bias": np.array([1.0, 2.0])}
    >>> parameters, state = rmsprop.step(parameters, {"fc.bias": np.array([5.0, -0.5])}, rmsprop.start(parameters))
    >>> parameters["fc.bias"].round(6)
    array([0.8, 2.2])
    """

    lr: float = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0

    def __post_init__(self) -> None:
        _not_negative(lr=self.lr, eps=self.eps, weight_decay=self.weight_decay, momentum=self.momentum)
        if not 0.0 <= self.alpha < 1.0:
            raise SpecError(f"alpha={self.alpha}: must be at least 0 and below 1")

    def start(self, parameters: Tensors) -> dict[str, Array]:
        """A zero `square_avg/<name>` for each parameter, and a `momentum_buffer/<name>` with momentum."""
        return _zeros("square_avg", parameters) | (_zeros("momentum_buffer", parameters) if self.momentum else {})

    def step(
        self, parameters: Tensors, gradients: Tensors, state: Tensors, factor: float = 1.0
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """New parameters and new state; raises ShapeError where a gradient does not fit its parameter."""
        parameters, state = dict(parameters), dict(state)
        for name, gradient in _decayed(parameters, gradients, self.weight_decay).items():
            key = f"square_avg/{name}"
            state[key] = self.alpha * state[key] + (1.0 - self.alpha) * gradient**2
            change = gradient / (np.sqrt(state[key]) + self.eps)
            if self.momentum:
                key = f"momentum_buffer/{name}"
                change = state[key] = self.momentum * state[key] + change
            parameters[name] = parameters[name] - self.lr * factor * change
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


class Schedule(Protocol):
    """How the learning rate falls during a training."""

    def factor(self, step: int, steps: int, epochs: int) -> float:
        """What to multiply the learning rate with in `step`, from 0, of a training of `steps` in all `epochs`."""


@dataclass(frozen=True)
class CosineAnnealingLR:
    """Half a cosine over the whole training, from 1 to 0, that falls with every step.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017; PyTorch
    documentation, `CosineAnnealingLR` with `T_max` the number of steps and `eta_min=0`.

    >>> [round(CosineAnnealingLR().factor(step, steps=4, epochs=1), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """

    def factor(self, step: int, steps: int, epochs: int) -> float:
        """Factor on the learning rate, 1 to 0."""
        return (1.0 + math.cos(math.pi * (step / steps))) / 2.0


@dataclass(frozen=True)
class StepLR:
    """The learning rate times `gamma` after every `step_size` epochs. Source: PyTorch documentation, `StepLR`.

    >>> [StepLR(step_size=2, gamma=0.5).factor(step, steps=10, epochs=5) for step in (0, 3, 4, 8)]
    [1.0, 1.0, 0.5, 0.25]
    """

    step_size: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        _not_negative(gamma=self.gamma)
        if self.step_size < 1:
            raise SpecError(f"step_size={self.step_size}: must be 1 or more")

    def factor(self, step: int, steps: int, epochs: int) -> float:
        """Factor on the learning rate, 1 in the first `step_size` epochs."""
        epoch = step * epochs // steps
        return float(self.gamma ** (epoch // self.step_size))


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
