"""Losses of a whole batch: each returns its value and its gradient by the prediction."""

import numpy as np
import numpy.typing as npt

from conv_sheet.errors import DataError, ShapeError
from conv_sheet.ops.arrays import Array
from conv_sheet.ops.dense import log_softmax, log_softmax_backward
from conv_sheet.ops.pointwise import sigmoid


def cross_entropy(logits: Array, targets: npt.NDArray[np.integer]) -> tuple[float, Array]:
    """Mean of -log softmax(logits) at each target, in nats, and its gradient by the logits.

    Logits are (N, classes), targets (N,) integers. Raises ShapeError when these do not fit, DataError for a
    target that is no class. Source: PyTorch, `torch.nn.CrossEntropyLoss`.

    >>> loss, gradient = cross_entropy(np.array([[0.0, 0.0]]), np.array([1]))
    >>> round(loss, 6), gradient
    (0.693147, array([[ 0.5, -0.5]]))
    """
    logits, targets = _classified("cross_entropy", "logits", logits, targets)
    chosen = np.arange(len(logits)), targets
    log_probabilities = log_softmax(logits)
    gradient = np.zeros_like(logits)
    gradient[chosen] = -1.0 / len(logits)
    return 0.0 - float(log_probabilities[chosen].mean()), log_softmax_backward(gradient, log_probabilities)


def hinge(scores: Array, targets: npt.NDArray[np.integer]) -> tuple[float, Array]:
    """Multi-class SVM loss and its gradient by the scores: for each picture the sum of max(0, s_j - s_y + 1) over the
    classes j other than the target y; the mean over the pictures.

    Scores are (N, classes), targets (N,) integers. Raises ShapeError when these do not fit, DataError for a
    target that is no class. Source: CS231n, "Linear classification: Support Vector Machine, Softmax"; PyTorch's
    `torch.nn.MultiMarginLoss` divides the sum by the number of classes.

    >>> hinge(np.array([[3.0, 1.0, 2.5]]), np.array([0]))
    (0.5, array([[-1.,  0.,  1.]]))
    """
    scores, targets = _classified("hinge", "scores", scores, targets)
    chosen = np.arange(len(scores)), targets
    margins = scores - scores[chosen][:, np.newaxis] + 1.0
    margins[chosen] = 0.0
    gradient = (margins > 0.0) / len(scores)
    gradient[chosen] = -gradient.sum(axis=1)
    return float(np.maximum(margins, 0.0).sum(axis=1).mean()), gradient


def _classified(
    loss: str, what: str, scores: Array, targets: npt.NDArray[np.integer]
) -> tuple[Array, npt.NDArray[np.integer]]:
    """Scores (N, classes) and targets (N,), as arrays that fit."""
    scores, targets = np.asarray(scores, dtype=np.float64), np.asarray(targets)
    if scores.ndim != 2 or targets.shape != scores.shape[:1]:
        raise ShapeError(f"{loss}: {what} {scores.shape} and targets {targets.shape} must be (N, classes) and (N,)")
    if not np.issubdtype(targets.dtype, np.integer):
        raise DataError(f"{loss}: targets must be integers, got {targets.dtype}")
    classes = scores.shape[1]
    strangers = targets[(targets < 0) | (targets >= classes)]
    if strangers.size:
        raise DataError(f"{loss}: target {strangers[0]} is not one of the classes 0 to {classes - 1}")
    return scores, targets


def mse(pred: Array, target: Array) -> tuple[float, Array]:
    """Mean of (pred - target)² over all elements, and its gradient by the prediction.

    Both have one shape, of any length, else ShapeError. Source: PyTorch, `torch.nn.MSELoss`.

    >>> mse(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    (2.0, array([0., 2.]))
    """
    pred, target = _alike("mse", "prediction", pred, target)
    difference = pred - target
    return float(np.mean(difference**2)), 2.0 * difference / difference.size


def binary_cross_entropy_with_logits(logits: Array, target: Array) -> tuple[float, Array]:
    """Mean of -(t log p + (1 - t) log(1 - p)) over all elements, in nats, with p = sigmoid(logit) and a target t of 0
    to 1; and its gradient by the logits.

    Both have one shape, of any length, else ShapeError. Source: PyTorch, `torch.nn.BCEWithLogitsLoss`.

    >>> loss, gradient = binary_cross_entropy_with_logits(np.array([0.0, 0.0]), np.array([1.0, 0.0]))
    >>> round(loss, 6), gradient
    (0.693147, array([-0.25,  0.25]))
    """
    logits, target = _alike("binary_cross_entropy_with_logits", "logits", logits, target)
    losses = np.maximum(logits, 0.0) - logits * target + np.log1p(np.exp(-np.abs(logits)))
    return float(np.mean(losses)), (sigmoid(logits) - target) / logits.size


def _alike(loss: str, what: str, pred: Array, target: Array) -> tuple[Array, Array]:
    pred, target = np.asarray(pred, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if pred.shape != target.shape:
        raise ShapeError(f"{loss}: {what} {pred.shape} and target {target.shape} must have one shape")
    return pred, target


OF_LABELS = {"cross-entropy": cross_entropy, "hinge": hinge}
"""Losses of scores (N, classes) and the class of each picture (N,), by name."""
OF_TARGETS = {"mse": mse, "bce": binary_cross_entropy_with_logits}
"""Losses of predictions and targets of one shape, by name."""
LOSSES = (*OF_LABELS, *OF_TARGETS)
"""What the losses are called, in a spec and by `train`."""
