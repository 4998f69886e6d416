"""What a network computes, and what is said of it, against PyTorch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from conv_sheet.checks import check
from conv_sheet.errors import ShapeError
from conv_sheet.layers import Array
from conv_sheet.network.graph import Network
from tests.books import Book, assert_agrees, batch, filled, values_for
from tests.graphs import GRAPHS, by_pytorch, graphs
from tests.network.specs import CONV, spec
from tests.networks import small, state_of, written
from tests.oracles import formualizer, libreoffice

every_graph = pytest.mark.parametrize("network", GRAPHS.values(), ids=GRAPHS)


def test_an_image_of_another_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 6, 7\).*\(2, 7, 6\)"):
        small().forward(np.zeros((1, 2, 6, 7)), small().initial(0))


def test_initial_weights_are_seeded_and_keep_what_the_spec_gives() -> None:
    network = Network.from_spec(spec(CONV | {"initial": {"bias": [1, 2]}}))
    first, again, other = network.initial(3), network.initial(3), network.initial(4)
    assert first["conv1.bias"].tolist() == [1, 2]
    np.testing.assert_array_equal(first["conv1.weight"], again["conv1.weight"])
    assert (first["conv1.weight"] != other["conv1.weight"]).any()
    assert np.abs(first["conv1.weight"]).max() <= 1 / 3


def test_forward_is_what_pytorch_computes() -> None:
    network = small()
    tensors = network.initial(2)
    model = nn.Sequential(
        nn.Conv2d(2, 3, (3, 2)), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 3), nn.Softmax(1)
    ).double()
    model.load_state_dict(
        {
            f"{place}.{short}": torch.tensor(tensors[f"{name}.{short}"])
            for place, name in ((0, "conv1"), (4, "fc"))
            for short in ("weight", "bias")
        }
    )
    x = np.random.default_rng(0).random((4, 2, 7, 6))
    expected = model(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(network.forward(x, tensors)["prob"], expected, rtol=0, atol=1e-12)
    assert network.count() == sum(p.numel() for p in model.parameters())


# Graphs


def agree(ours: Array, theirs: Tensor | None, name: str) -> None:
    assert theirs is not None, name
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-10, atol=1e-10, err_msg=name)


def assert_is_pytorch(network: Network) -> None:
    """All activations and all gradients are those that PyTorch computes from the captions."""
    rng = np.random.default_rng(0)
    x, tensors = rng.standard_normal((2, *network.input_shape)), values_for(network, rng)
    ours = network.forward(x, tensors)
    values, parameters = by_pytorch(network, tensors, x)
    assert ours.keys() == values.keys()
    for name, value in values.items():
        agree(ours[name], value, name)
    upstream = rng.standard_normal(ours[network.output.name].shape)
    values[network.output.name].backward(torch.tensor(upstream))  # type: ignore[no-untyped-call]
    grads = network.backward(upstream, ours, tensors)
    assert grads.keys() == {*values, *network.trainable()} == {*values, *parameters}
    for name, value in (values | parameters).items():
        agree(grads[name], value.grad, name)


@every_graph
def test_a_graph_is_pytorchs(network: Network) -> None:
    assert_is_pytorch(network)


@given(graphs())
def test_a_random_graph_is_pytorchs(network: Network) -> None:
    assert_is_pytorch(network)


@given(graphs(), st.data())
def test_gradients_of_some_parameters_are_those_of_all(network: Network, data: st.DataObject) -> None:
    rng = np.random.default_rng(1)
    tensors = values_for(network, rng)
    values = network.forward(rng.standard_normal((2, *network.input_shape)), tensors)
    upstream = rng.standard_normal(values[network.output.name].shape)
    names = sorted(network.trainable())
    wanted = data.draw(st.sets(st.sampled_from(names))) if names else set()
    every, some = (network.backward(upstream, values, tensors, wanted=names) for names in ((), wanted))
    assert wanted <= some.keys() <= every.keys()
    for name in wanted:
        np.testing.assert_array_equal(some[name], every[name])
    if wanted:
        assert "input" not in some


def test_who_reads_a_map_is_known() -> None:
    network = GRAPHS["a residual block"]
    assert [node.name for node in network.readers("input")] == ["first", "sum"]
    assert network.readers(network.output.name) == ()
    assert [node.name for node in network.nodes] == ["first", "bn1", "relu1", "second", "sum", "relu2"]


def test_values_are_never_below_zero_where_no_way_leads_below() -> None:
    network = GRAPHS["readers with borders and without"]
    assert {"input", "sigmoid1", "least", "mean", "pools"} == network.non_negative


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Book]:
    folder = tmp_path_factory.mktemp("graphs")
    large = (network for network in batch(graphs(), 25) if len(network.nodes) > 5)
    every = GRAPHS | {f"random {number}": network for number, network in enumerate(large)}
    return {name: filled(folder, name.replace(" ", "-"), network) for name, network in every.items()}


def test_formulas_of_graphs_agree_in_libreoffice(books: dict[str, Book], tmp_path: Path) -> None:
    assert len(books) > 20
    answers = libreoffice.recalculate([book.path for book in books.values()], tmp_path)
    for answer, book in zip(answers, books.values(), strict=True):
        assert_agrees(answer, book.state)


@pytest.mark.parametrize("name", GRAPHS)
def test_formulas_of_graphs_agree_in_another_program(name: str, books: dict[str, Book], tmp_path: Path) -> None:
    assert_agrees(formualizer.recalculate(books[name].path, tmp_path / "answer.xlsx"), books[name].state)


@every_graph
def test_a_workbook_of_a_graph_is_right_as_it_was_built(network: Network, tmp_path: Path) -> None:
    assert check(written(tmp_path, state_of(network))).ok
