"""A wiring says as plain data what a combinator does."""

import numpy as np
import pytest

from layer_table import ROWS
from pellucid import layers as nn
from pellucid.layers.combinator import Combinator

COMBINATORS = {name: row for name, row in ROWS.items() if isinstance(row.make(), Combinator)}


def follow(wiring, inputs):
    """Compute what a wiring says."""
    values = list(inputs)
    for _, layer, reads in wiring.wires:
        given = tuple(values[i] for i in reads)
        values.append(layer(given[0] if layer.inputs == 1 else given))
    return values


def tupled(shape):
    return shape if isinstance(shape[0], tuple) else (shape,)


@pytest.mark.parametrize("name", COMBINATORS)
def test_following_the_wires_computes_what_the_layer_computes(name):
    layer, shapes = COMBINATORS[name].make(), tupled(COMBINATORS[name].shape)
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    values = follow(layer.wiring(), inputs)
    given = [values[i] for i in layer.wiring().outputs]
    result = layer(inputs[0] if len(inputs) == 1 else tuple(inputs))
    for ours, theirs in zip(given, result if isinstance(result, tuple) else (result,), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", COMBINATORS)
def test_the_shapes_of_a_wiring_are_those_of_its_values(name):
    layer, shapes = COMBINATORS[name].make(), tupled(COMBINATORS[name].shape)
    values = follow(layer.wiring(), [np.ones(shape, np.float32) for shape in shapes])
    assert layer.wiring().shapes(shapes) == [value.shape for value in values]


@pytest.mark.parametrize("name", COMBINATORS)
def test_every_child_has_its_wire(name):
    layer = COMBINATORS[name].make()
    wired = {wire.name: wire.layer for wire in layer.wiring().wires}
    assert layer.children().items() <= wired.items()


def test_only_what_has_neither_branch_nor_way_around_is_a_chain():
    one = nn.Linear(2, 2)
    assert nn.Sequential(one, nn.ReLU()).wiring().is_chain
    assert nn.Graph({"a": (one, "x"), "b": (nn.ReLU(), "a")}).wiring().is_chain
    assert not nn.Residual(one).wiring().is_chain
    assert not nn.Concat(one, one).wiring().is_chain
    assert not nn.Graph({"a": (one, "x"), "b": (one, "a")}, output="a").wiring().is_chain


def test_a_chain_that_begins_with_several_inputs_reads_them_all():
    graph = nn.Graph({"sum": (nn.Add(), ("a", "b"))}, inputs=("a", "b"))
    wiring = nn.Sequential(graph, nn.ReLU()).wiring()
    assert wiring.inputs == 2
    assert [wire.reads for wire in wiring.wires] == [(0, 1), (2,)]
    assert wiring.shapes([(1, 3), (1, 3)]) == [(1, 3)] * 4


def test_a_layer_not_made_of_layers_has_no_wiring():
    assert nn.ReLU().wiring() is None
