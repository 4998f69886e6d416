from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.ops import Array
from conv_sheet.ops.optim import SGD, Adam, CosineAnnealingLR, Optimizer, RMSprop, StepLR

SHAPES = {"conv1.weight": (2, 1, 3, 3), "conv1.bias": (2,), "fc.weight": (10, 8)}
STEPS = 8

TorchOptimizer = Callable[[Iterable[torch.Tensor]], torch.optim.Optimizer]

rates = st.floats(1e-4, 1.0)
decays = st.just(0.0) | st.floats(1e-4, 0.5)
betas = st.tuples(st.floats(0.0, 0.99), st.floats(0.5, 0.9999))
momenta = st.just(0.0) | st.floats(0.1, 0.99)
seeds = st.integers(0, 2**32 - 1)


def tensors(rng: np.random.Generator) -> dict[str, Array]:
    return {name: rng.normal(size=shape) for name, shape in SHAPES.items()}


def assert_steps_like_torch(ours: Optimizer, theirs: TorchOptimizer, seed: int, frozen: str = "") -> None:
    rng = np.random.default_rng(seed)
    parameters = tensors(rng)
    twins = {name: torch.tensor(value, requires_grad=True) for name, value in parameters.items()}
    oracle = theirs(twins.values())
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(oracle, STEPS)
    state = ours.start(parameters)
    for step in range(STEPS):
        gradients = {name: gradient for name, gradient in tensors(rng).items() if name != frozen}
        for name, gradient in gradients.items():
            twins[name].grad = torch.tensor(gradient)
        oracle.step()
        schedule.step()
        parameters, state = ours.step(parameters, gradients, state, CosineAnnealingLR().factor(step, STEPS, 1))
        for name, twin in twins.items():
            np.testing.assert_allclose(parameters[name], twin.detach().numpy(), rtol=1e-12, atol=1e-12)


@given(rates, momenta, decays, st.booleans(), seeds)
def test_sgd_steps_like_torch(lr: float, momentum: float, weight_decay: float, nesterov: bool, seed: int) -> None:
    nesterov = nesterov and momentum > 0
    assert_steps_like_torch(
        SGD(lr, momentum, weight_decay, nesterov),
        lambda tensors: torch.optim.SGD(tensors, lr, momentum, weight_decay=weight_decay, nesterov=nesterov),
        seed,
    )


@given(rates, st.floats(0.0, 0.999), momenta, decays, seeds)
def test_rmsprop_steps_like_torch(lr: float, alpha: float, momentum: float, weight_decay: float, seed: int) -> None:
    assert_steps_like_torch(
        RMSprop(lr, alpha, weight_decay=weight_decay, momentum=momentum),
        lambda tensors: torch.optim.RMSprop(tensors, lr, alpha, weight_decay=weight_decay, momentum=momentum),
        seed,
    )


@given(rates, betas, decays, seeds)
def test_adam_steps_like_torch(lr: float, betas: tuple[float, float], weight_decay: float, seed: int) -> None:
    assert_steps_like_torch(
        Adam(lr, betas, weight_decay=weight_decay),
        lambda tensors: torch.optim.Adam(tensors, lr, betas, weight_decay=weight_decay),
        seed,
    )


@pytest.mark.parametrize(
    ("ours", "theirs"), [(SGD(), torch.optim.SGD), (RMSprop(), torch.optim.RMSprop), (Adam(), torch.optim.Adam)]
)
def test_defaults_are_torch_s(ours: Optimizer, theirs: TorchOptimizer) -> None:
    assert_steps_like_torch(ours, theirs, seed=0)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            SGD(0.1, 0.9, weight_decay=0.1),
            lambda tensors: torch.optim.SGD(tensors, 0.1, 0.9, weight_decay=0.1),
        ),
        (RMSprop(0.1, weight_decay=0.1), lambda tensors: torch.optim.RMSprop(tensors, 0.1, weight_decay=0.1)),
        (Adam(0.1, weight_decay=0.1), lambda tensors: torch.optim.Adam(tensors, 0.1, weight_decay=0.1)),
    ],
)
def test_parameter_without_a_gradient_is_frozen_as_in_torch(ours: Optimizer, theirs: TorchOptimizer) -> None:
    assert_steps_like_torch(ours, theirs, seed=1, frozen="conv1.weight")


@pytest.mark.parametrize(
    "optimizer", [SGD(0.1), SGD(0.1, 0.9, 0.01, nesterov=True), RMSprop(0.1, momentum=0.9), Adam(0.1)]
)
def test_a_step_changes_nothing_in_place(optimizer: Optimizer) -> None:
    rng = np.random.default_rng(2)
    parameters, gradients = tensors(rng), tensors(rng)
    state = optimizer.start(parameters)
    before = [{name: value.copy() for name, value in values.items()} for values in (parameters, gradients, state)]
    optimizer.step(parameters, gradients, state)
    for values, copies in zip((parameters, gradients, state), before, strict=True):
        np.testing.assert_equal(dict(values), copies)


@pytest.mark.parametrize("optimizer", [SGD(0.1), SGD(0.1, 0.9), RMSprop(0.1), RMSprop(0.1, momentum=0.9), Adam(0.1)])
def test_state_saved_and_loaded_goes_on_as_if_never_stopped(optimizer: Optimizer, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    parameters, gradients = tensors(rng), [tensors(rng) for _ in range(4)]
    state = optimizer.start(parameters)
    for gradient in gradients[:2]:
        parameters, state = optimizer.step(parameters, gradient, state)
    saved = tmp_path / "state.npz"
    np.savez(saved, allow_pickle=False, **state)
    with np.load(saved) as loaded:
        resumed, resumed_state = dict(parameters), dict(loaded)
    for gradient in gradients[2:]:
        parameters, state = optimizer.step(parameters, gradient, state)
        resumed, resumed_state = optimizer.step(resumed, gradient, resumed_state)
    np.testing.assert_equal(resumed, parameters)


@pytest.mark.parametrize(("step_size", "gamma"), [(1, 0.5), (3, 0.1), (20, 0.1), (2, 0.0)])
def test_step_lr_falls_like_torch_s_after_whole_epochs(step_size: int, gamma: float) -> None:
    epochs, batches = 7, 3
    oracle = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(oracle, step_size, gamma)
    expected: list[float] = []
    for _ in range(epochs):
        expected += [float(rate) for rate in schedule.get_last_lr()] * batches
        oracle.step()
        schedule.step()
    ours = [StepLR(step_size, gamma).factor(step, epochs * batches, epochs) for step in range(epochs * batches)]
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_gradient_that_fits_no_parameter_is_named() -> None:
    parameters = {"fc.weight": np.zeros((10, 8))}
    with pytest.raises(ShapeError, match=r"gradient 'fc\.weight' has shape \(8, 10\), its parameter \(10, 8\)"):
        SGD().step(parameters, {"fc.weight": np.zeros((8, 10))}, {})
    with pytest.raises(ShapeError, match=r"gradient 'fc\.bias' belongs to no parameter; there are fc\.weight"):
        SGD().step(parameters, {"fc.bias": np.zeros(10)}, {})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(lr=-0.1), r"lr=-0\.1: must be a finite number, 0 or more"),
        (lambda: SGD(lr=float("nan")), r"lr=nan"),
        (lambda: SGD(momentum=float("inf")), r"momentum=inf"),
        (lambda: SGD(nesterov=True), "nesterov needs a momentum above 0"),
        (lambda: RMSprop(alpha=1.0), r"alpha=1\.0: must be at least 0 and below 1"),
        (lambda: RMSprop(momentum=-0.1), r"momentum=-0\.1"),
        (lambda: StepLR(0), "step_size=0: must be 1 or more"),
        (lambda: StepLR(1, -0.1), r"gamma=-0\.1"),
        (lambda: Adam(weight_decay=-1.0), r"weight_decay=-1\.0"),
        (lambda: Adam(betas=(0.9, 1.0)), r"betas=\(0\.9, 1\.0\): both must be at least 0 and below 1"),
    ],
)
def test_impossible_options_are_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make()
