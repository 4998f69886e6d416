from pathlib import Path

import numpy as np
import pytest

from conv_sheet import ops

FASTAI = Path(__file__).resolve().parents[3] / "shared" / "reference" / "fastai_conv_example.npz"


def test_conv2d_of_cs231n() -> None:
    """Assignment 2 of CS231n, `conv_forward_naive`."""
    x = np.linspace(-0.1, 0.5, num=2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    w = np.linspace(-0.2, 0.3, num=3 * 3 * 4 * 4).reshape(3, 3, 4, 4)
    b = np.linspace(-0.1, 0.2, num=3)
    published = np.array([[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]])
    assert ops.relative_error(ops.conv2d(x, w, b, stride=2, padding=1)[0, 0], published) < 1e-7


def test_max_pool2d_of_cs231n() -> None:
    """Assignment 2 of CS231n, `max_pool_forward_naive`."""
    x = np.linspace(-0.3, 0.4, num=2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    published = np.array([[-0.26315789, -0.24842105], [-0.20421053, -0.18947368]])
    assert ops.relative_error(ops.max_pool2d(x, 2)[0, 0], published) < 1e-7


@pytest.mark.skipif(not FASTAI.exists(), reason=f"the numbers of fast.ai's workbook are not at {FASTAI}")
def test_network_of_fastai() -> None:
    """Every plane of the sheet `conv-example`, each computed from the image."""
    sheet = np.load(FASTAI)
    conv1 = ops.relu(ops.conv2d(sheet["image"][None, None], sheet["conv1_weight"]))
    conv2 = ops.relu(ops.conv2d(conv1, sheet["conv2_weight"]))
    pool = ops.max_pool2d(conv2, 2)
    output = ops.linear(pool.reshape(1, -1), sheet["linear_weight"])
    for name, plane in (("conv1", conv1), ("conv2", conv2), ("pool", pool), ("output", output)):
        np.testing.assert_allclose(plane[0], sheet[name], rtol=1e-12, atol=1e-12, err_msg=name)
