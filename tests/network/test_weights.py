"""Weights that fit a network, and those that do not."""

import numpy as np
import pytest

from conv_sheet.errors import DataError
from conv_sheet.network.weights import checked
from tests.networks import small


def test_weights_that_do_not_fit_are_listed_with_both_sides() -> None:
    good = small().initial(0)
    with pytest.raises(DataError, match=r"unknown conv9\.weight.*the network takes conv1\.weight \(3, 2, 3, 2\)"):
        checked(small(), good | {"conv9.weight": np.zeros(2)}, "w.npz")
    with pytest.raises(DataError, match=r"missing fc\.weight"):
        checked(small(), {k: v for k, v in good.items() if k != "fc.weight"})
    with pytest.raises(DataError, match=r"conv1\.weight has \(3, 2, 2, 3\) and must have \(3, 2, 3, 2\)"):
        checked(small(), good | {"conv1.weight": np.zeros((3, 2, 2, 3))})
    with pytest.raises(DataError, match=r"fc\.bias holds NaN"):
        checked(small(), good | {"fc.bias": np.array([0.0, np.nan, 1.0])})


def test_missing_biases_are_zero() -> None:
    weights = {k: v for k, v in small().initial(0).items() if k.endswith("weight")}
    assert not checked(small(), weights)["fc.bias"].any()
