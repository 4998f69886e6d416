import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from conv_sheet.errors import ConvSheetError, DataError, ShapeError
from conv_sheet.ops import Array, numerical_gradient, relative_error
from conv_sheet.ops.losses import binary_cross_entropy_with_logits, cross_entropy, hinge, mse


def agree(prediction: Array, ours: Callable[[Array], tuple[float, Array]], theirs: Callable[[Tensor], Tensor]) -> None:
    """Compare the loss and its gradient with PyTorch's."""
    tensor = torch.tensor(prediction, requires_grad=True)
    expected = theirs(tensor)
    loss, gradient = ours(prediction)
    assert loss == pytest.approx(expected.item(), rel=1e-10, abs=1e-10)
    (expected_gradient,) = torch.autograd.grad(expected, tensor)
    np.testing.assert_allclose(gradient, expected_gradient.numpy(), rtol=1e-10, atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(1, 10), st.sampled_from([1.0, 1000.0]))
def test_cross_entropy(batch: int, classes: int, scale: float) -> None:
    rng = np.random.default_rng(classes)
    targets = rng.integers(0, classes, batch)
    agree(
        scale * rng.standard_normal((batch, classes)),
        lambda logits: cross_entropy(logits, targets),
        lambda logits: F.cross_entropy(logits, torch.tensor(targets)),
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(1, 10), st.sampled_from([0.1, 1.0, 1000.0]))
def test_hinge(batch: int, classes: int, scale: float) -> None:
    rng = np.random.default_rng(classes)
    targets = rng.integers(0, classes, batch)
    agree(
        scale * rng.standard_normal((batch, classes)),
        lambda scores: hinge(scores, targets),
        lambda scores: F.multi_margin_loss(scores, torch.tensor(targets)) * classes,
    )


def test_hinge_of_the_course_s_example() -> None:
    """CS231n's lecture 3: a cat, a car and a frog, with losses 2.9, 0 and 12.9."""
    scores = np.array([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])
    losses = [hinge(scores[i : i + 1], np.array([i]))[0] for i in range(3)]
    np.testing.assert_allclose(losses, [2.9, 0.0, 12.9], rtol=1e-12)
    assert hinge(scores, np.arange(3))[0] == pytest.approx(15.8 / 3)


@pytest.mark.parametrize(("scale", "decimals"), [(1.0, 9), (1.0, 0), (1000.0, 9)])
@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 3, 4, 5)])
def test_binary_cross_entropy_with_logits(shape: tuple[int, ...], scale: float, decimals: int) -> None:
    rng = np.random.default_rng(0)
    target = rng.random(shape).round(decimals)
    agree(
        scale * rng.standard_normal(shape),
        lambda logits: binary_cross_entropy_with_logits(logits, target),
        lambda logits: F.binary_cross_entropy_with_logits(logits, torch.tensor(target)),
    )


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 3, 4, 5)])
def test_mse(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    target = rng.standard_normal(shape)
    agree(
        rng.standard_normal(shape),
        lambda pred: mse(pred, target),
        lambda pred: F.mse_loss(pred, torch.tensor(target)),
    )


def test_gradients_match_central_differences() -> None:
    logits, targets = np.random.default_rng(0).standard_normal((3, 4)), np.array([0, 3, 1])
    numeric = numerical_gradient(lambda x: cross_entropy(x, targets)[0], logits)
    assert relative_error(cross_entropy(logits, targets)[1], numeric) < 1e-7
    numeric = numerical_gradient(lambda x: mse(x, np.ones((3, 4)))[0], logits)
    assert relative_error(mse(logits, np.ones((3, 4)))[1], numeric) < 1e-7
    numeric = numerical_gradient(lambda x: hinge(x, targets)[0], logits)
    assert relative_error(hinge(logits, targets)[1], numeric) < 1e-7
    shares = np.random.default_rng(1).random((3, 4))
    numeric = numerical_gradient(lambda x: binary_cross_entropy_with_logits(x, shares)[0], logits)
    assert relative_error(binary_cross_entropy_with_logits(logits, shares)[1], numeric) < 1e-7


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: cross_entropy(np.zeros((2, 3)), np.zeros(3, dtype=int)),
            ShapeError,
            "cross_entropy: logits (2, 3) and targets (3,) must be (N, classes) and (N,)",
        ),
        (
            lambda: cross_entropy(np.zeros(3), np.array([0])),
            ShapeError,
            "cross_entropy: logits (3,) and targets (1,) must be (N, classes) and (N,)",
        ),
        (
            lambda: cross_entropy(np.zeros((1, 3)), np.array([3])),
            DataError,
            "cross_entropy: target 3 is not one of the classes 0 to 2",
        ),
        (
            lambda: cross_entropy(np.zeros((2, 3)), np.array([0, -1])),
            DataError,
            "cross_entropy: target -1 is not one of the classes 0 to 2",
        ),
        (
            lambda: cross_entropy(np.zeros((1, 3)), np.array([1.0])),
            DataError,
            "cross_entropy: targets must be integers, got float64",
        ),
        (
            lambda: hinge(np.zeros((2, 3)), np.zeros(3, dtype=int)),
            ShapeError,
            "hinge: scores (2, 3) and targets (3,) must be (N, classes) and (N,)",
        ),
        (
            lambda: hinge(np.zeros((1, 3)), np.array([3])),
            DataError,
            "hinge: target 3 is not one of the classes 0 to 2",
        ),
        (
            lambda: binary_cross_entropy_with_logits(np.zeros((2, 1)), np.zeros(2)),
            ShapeError,
            "binary_cross_entropy_with_logits: logits (2, 1) and target (2,) must have one shape",
        ),
        (
            lambda: mse(np.zeros((2, 1)), np.zeros(2)),
            ShapeError,
            "mse: prediction (2, 1) and target (2,) must have one shape",
        ),
    ],
)
def test_mistakes_are_named(call: Callable[[], object], error: type[ConvSheetError], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
