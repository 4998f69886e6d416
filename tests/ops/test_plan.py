import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from conv_sheet import ops
from conv_sheet.ops import Array, plan
from tests.ops.oracle import Options, Shape, agree, normal

CASES: list[tuple[Shape, Shape, Options]] = [
    ((5, 2, 9, 8), (4, 2, 3, 3), {}),
    ((5, 2, 9, 8), (4, 1, 3, 2), {"stride": 2, "padding": 1, "groups": 2}),
    ((5, 2, 9, 8), (4, 2, 2, 3), {"dilation": 2, "padding": (1, 2), "padding_mode": "reflect"}),
    ((5, 2, 9, 8), (4, 2, 1, 1), {"stride": (3, 1)}),
]
each_case = pytest.mark.parametrize(("x", "weight", "options"), CASES)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    plan.forget()
    yield
    plan.forget()


def drawn(seed: int, *shapes: Shape) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [normal(rng, shape) for shape in shapes]


def results(options: Options, x: Array, weight: Array) -> tuple[Array, ...]:
    """The output, and the gradients where it is its own."""
    y = ops.conv2d(x, weight, **options)
    return y, *ops.conv2d_backward(y, x, weight, **options)


@pytest.mark.parametrize("columns", [1, 200, 1000])
@each_case
def test_strips_of_any_size_give_what_pytorch_gives(
    x: Shape, weight: Shape, options: Options, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_COLUMNS", columns)
    layer = torch.nn.Conv2d(x[1], weight[0], (weight[2], weight[3]), **options)
    agree(
        [x, weight, weight[:1]],
        lambda x, w, b: torch.func.functional_call(layer, {"weight": w, "bias": b}, x),
        lambda x, w, b: ops.conv2d(x, w, b, **options),
        lambda grad, y, x, w, b: ops.conv2d_backward(grad, x, w, **options),
    )


def test_a_large_kernel_gives_what_pytorch_gives() -> None:
    agree(
        [(1, 1, 100, 120), (2, 1, 30, 40), (2,)],
        F.conv2d,
        ops.conv2d,
        lambda grad, y, x, w, b: ops.conv2d_backward(grad, x, w),
    )


def peak(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_large_kernel_takes_no_more_than_twenty_times_the_memory_of_its_output() -> None:
    x, weight, grad = drawn(0, (1, 1, 200, 1000), (1, 1, 30, 40), (1, 1, 171, 961))
    assert grad.nbytes < peak(lambda: ops.conv2d(x, weight)) <= 20 * grad.nbytes
    plan.forget()
    assert grad.nbytes < peak(lambda: ops.conv2d_backward(grad, x, weight)) <= 20 * grad.nbytes


@each_case
def test_a_plan_used_again_gives_what_a_new_one_gives(x: Shape, weight: Shape, options: Options) -> None:
    results(options, *drawn(0, x, weight))
    again = results(options, *drawn(1, x, weight))
    plan.forget()
    for got, want in zip(again, results(options, *drawn(1, x, weight)), strict=True):
        np.testing.assert_array_equal(got, want)


@each_case
def test_results_do_not_change_with_the_next_call(x: Shape, weight: Shape, options: Options) -> None:
    first = results(options, *drawn(0, x, weight))
    kept = [array.copy() for array in first]
    results(options, *drawn(1, x, weight))
    for array, before in zip(first, kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_results_of_pools_are_arrays_of_their_own() -> None:
    (x,) = drawn(0, (2, 3, 4, 4))
    for pool in (ops.max_pool2d, ops.min_pool2d, ops.avg_pool2d):
        assert not np.shares_memory(pool(x, 1), x)


def test_threads_do_not_write_into_each_others_plans() -> None:
    x, weight, options = CASES[0]
    inputs = [drawn(seed, (16, *x[1:]), weight) for seed in range(16)]
    expected = [results(options, *arrays) for arrays in inputs]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda arrays: [results(options, *arrays) for _ in range(4)][-1], inputs))
    for got, want in zip(found, expected, strict=True):
        for ours, theirs in zip(got, want, strict=True):
            np.testing.assert_array_equal(ours, theirs)
