"""Any acyclic network: values are read by name, and gradients add where they were read."""

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid.errors import PellucidError, ShapeError
from pellucid.testing.gradients import check_gradients
from spies import Logged, gradients


def linear(inputs=4, outputs=4):
    return nn.Linear(inputs, outputs)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(5, 4))


def test_a_value_used_twice_gets_both_gradients(x):
    graph = nn.Graph(
        {
            "a": (linear(), "x"),
            "left": (nn.Tanh(), "a"),
            "right": (linear(), "a"),
            "sum": (nn.Add(), ("left", "right", "a")),
        }
    ).astype("float64")
    a = graph.nodes["a"][0](x)
    np.testing.assert_allclose(graph(x), np.tanh(a) + graph.nodes["right"][0](a) + a)
    check_gradients(graph, x)


def test_the_input_used_twice_gets_both_gradients(x):
    check_gradients(nn.Graph({"square": (nn.Multiply(), ("x", "x"))}), x)


def test_a_layer_used_twice_adds_to_its_gradients(x):
    shared = linear()
    graph = nn.Graph({"a": (shared, "x"), "act": (nn.Tanh(), "a"), "b": (shared, "act")})
    assert list(graph.named_parameters()) == ["a.weight", "a.bias"]
    check_gradients(graph.astype("float64"), x)


def test_several_inputs_and_outputs_are_tuples(x):
    graph = nn.Graph(
        {"sum": (nn.Add(), ("u", "v")), "both": (nn.Multiply(), ("sum", "v"))},
        output=("both", "sum"),
        inputs=("u", "v"),
    )
    both, total = graph((x, 2 * x))
    np.testing.assert_allclose(total, 3 * x)
    np.testing.assert_allclose(both, 6 * x**2)
    assert graph.output_shape((x.shape, x.shape)) == (x.shape, x.shape)
    check_gradients(graph, (x, x + 1))


def test_a_node_that_no_output_needs_gets_no_gradient(x):
    unused = Logged(4, 2)
    graph = nn.Graph({"a": (linear(), "x"), "unused": (unused, "a"), "b": (nn.Tanh(), "a")}).astype(
        "float64"
    )
    check_gradients(graph, x)
    assert unused.log == []
    assert not unused.weight.grad.any()


def test_an_input_that_no_output_needs_has_gradient_zero(x):
    graph = nn.Graph({"a": (linear(), "u")}, inputs=("u", "v")).astype("float64")
    check_gradients(graph, (x, x))


def test_an_input_can_be_an_output(x):
    graph = nn.Graph({"a": (nn.Tanh(), "x")}, output=("x", "a"))
    check_gradients(graph, x)


def test_the_same_node_can_be_given_out_twice(x):
    check_gradients(nn.Graph({"a": (nn.Tanh(), "x")}, output=("a", "a")), x)


def test_a_graph_computes_no_input_gradient_that_nobody_needs(x):
    first, side, second = Logged(4, 4), Logged(4, 4), Logged(4, 2)
    graph = nn.Graph(
        {
            "act": (nn.Tanh(), "x"),
            "first": (first, "act"),
            "side": (side, "x"),
            "sum": (nn.Add(), ("first", "side", "act")),
            "second": (second, "sum"),
        }
    ).astype("float64")
    _, expected = gradients(graph, x)
    dx, found = gradients(graph, x, input_gradient=False)
    assert dx is None
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    assert first.log == side.log == ["with dx", "without dx"]
    assert second.log == ["with dx", "with dx"]
    ran = []
    with nn.observe(backward=lambda layer, dy, dx: ran.append(layer)):
        gradients(graph, x, input_gradient=False)
    assert graph.nodes["act"][0] not in ran


def test_graphs_with_several_inputs_nest(x):
    inner = nn.Graph({"sum": (nn.Add(), ("u", "v"))}, inputs=("u", "v"))
    outer = nn.Graph({"t": (nn.Tanh(), "x"), "inner": (inner, ("x", "t"))})
    np.testing.assert_allclose(outer(x), x + np.tanh(x))
    check_gradients(outer, x)
    behind = nn.Graph({"t": (nn.Tanh(), "x"), "sum": (nn.Sequential(inner), ("x", "t"))})
    check_gradients(behind, x)


def test_squeeze_and_excitation_is_a_graph():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    gate = nn.Sequential(nn.GlobalAvgPool2d(), nn.PReLU(3), nn.Sigmoid()).astype("float64")
    graph = nn.Graph({"scale": (gate, "x"), "y": (nn.Multiply(), ("x", "scale"))})
    np.testing.assert_allclose(graph(x), x * gate(x))
    check_gradients(graph, x)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: nn.Graph({"a": (nn.ReLU(), "y")}), "'a' reads 'y', which does not exist"),
        (
            lambda: nn.Graph({"a": (nn.ReLU(), "b"), "b": (nn.ReLU(), "x")}),
            "'a' reads 'b', which comes later",
        ),
        (lambda: nn.Graph({"a": (nn.ReLU(), "a")}), "'a' reads 'a', which comes later"),
        (lambda: nn.Graph({"x": (nn.ReLU(), "x")}), "the name 'x' is given twice"),
        (lambda: nn.Graph({"a.b": (nn.ReLU(), "x")}), "has a dot"),
        (lambda: nn.Graph({"a": (nn.ReLU(), ("x", "x"))}), "ReLU 'a' takes 1 inputs, but reads 2"),
        (lambda: nn.Graph({"a": (nn.Multiply(), "x")}), "Multiply 'a' takes 2 inputs, but reads 1"),
        (lambda: nn.Graph({"a": (nn.Add(), ())}), "Add 'a' takes several inputs, but reads 0"),
        (lambda: nn.Graph({"a": (nn.ReLU(), "x")}, output="b"), "no node computes the output"),
        (lambda: nn.Graph({}), "no node computes the output"),
        (lambda: nn.Graph({"a": (nn.ReLU(), "x")}, output=()), "no node computes the output"),
        (
            lambda: nn.Graph({"a": (nn.ReLU(), "x")}, inputs=()),
            "inputs must be one name or several",
        ),
        (
            lambda: nn.Graph({"a": (nn.ReLU(), "u")}, inputs=("u", "u")),
            "inputs must be one name or several",
        ),
        (
            lambda: nn.Graph(
                {"two": (nn.Graph({"a": (nn.ReLU(), "x")}, output=("a", "x")), "x")},
            ),
            "'two' is a graph with several outputs",
        ),
    ],
)
def test_a_graph_that_cannot_run_is_refused_when_it_is_made(make, said):
    with pytest.raises(PellucidError, match=said):
        make()


def test_a_graph_says_which_values_it_takes(x):
    graph = nn.Graph({"sum": (nn.Add(), ("u", "v"))}, inputs=("u", "v"))
    for wrong in (x, (x,), x[:2]):
        with pytest.raises(PellucidError, match="takes a tuple of u, v"):
            graph(wrong)


def test_a_graphs_single_input_may_be_named_by_a_word(x):
    graph = nn.Graph({"a": (nn.Tanh(), "image")}, inputs="image")
    assert np.array_equal(graph(x), np.tanh(x))


def test_an_error_in_a_graph_says_at_which_node():
    graph = nn.Graph({"fc": (linear(3, 2), "x")})
    with pytest.raises(ShapeError, match=r"fc \(Linear\): .* got \(5, 4\)"):
        graph.output_shape((5, 4))
