"""Losses of a whole batch: each returns its value and its gradient by the prediction."""

import numpy as np
import numpy.typing as npt

from conv_sheet.errors import DataError, ShapeError
from conv_sheet.ops.arrays import Array
from conv_sheet.ops.dense import log_softmax, log_softmax_backward


def cross_entropy(logits: Array, targets: npt.NDArray[np.integer]) -> tuple[float, Array]:
    """Mean of -log softmax(logits) at each target, in nats, and its gradient by the logits.

    Logits are (N, classes), targets (N,) integers. Raises ShapeError when these do not fit, DataError for a
    target that is no class. Source: PyTorch, `torch.nn.CrossEntropyLoss`.

    >>> loss, gradient = cross_entropy(np.array([[0.0, 0.0]]), np.array([1]))
    >>> round(loss, 6), gradient
    (0.693147, array([[ 0.5, -0.5]]))
    """
    logits, targets = np.asarray(logits, dtype=np.float64), np.asarray(targets)
    if logits.ndim != 2 or targets.shape != logits.shape[:1]:
        raise ShapeError(
            f"cross_entropy: logits {logits.shape} and targets {targets.shape} must be (N, classes) and (N,)"
        )
    _check_classes(targets, logits.shape[1])
    count = len(logits)
    chosen = np.arange(count), targets
    log_probabilities = log_softmax(logits)
    gradient = np.zeros_like(logits)
    gradient[chosen] = -1.0 / count
    return 0.0 - float(log_probabilities[chosen].mean()), log_softmax_backward(gradient, log_probabilities)


def _check_classes(targets: npt.NDArray[np.integer], classes: int) -> None:
    if not np.issubdtype(targets.dtype, np.integer):
        raise DataError(f"cross_entropy: targets must be integers, got {targets.dtype}")
    strangers = targets[(targets < 0) | (targets >= classes)]
    if strangers.size:
        raise DataError(f"cross_entropy: target {strangers[0]} is not one of the classes 0 to {classes - 1}")


def mse(pred: Array, target: Array) -> tuple[float, Array]:
    """Mean of (pred - target)² over all elements, and its gradient by the prediction.

    Both have one shape, of any length, else ShapeError. Source: PyTorch, `torch.nn.MSELoss`.

    >>> mse(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    (2.0, array([0., 2.]))
    """
    pred, target = np.asarray(pred, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if pred.shape != target.shape:
        raise ShapeError(f"mse: prediction {pred.shape} and target {target.shape} must have one shape")
    difference = pred - target
    return float(np.mean(difference**2)), 2.0 * difference / difference.size
