"""A pass through a network, with every value and gradient; against PyTorch in `peers`."""

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid import losses, ops
from pellucid.errors import PellucidError
from pellucid.explain import Tracer


@pytest.fixture
def model():
    network = nn.Sequential(
        conv=nn.Conv2d(1, 2, 3),
        relu=nn.ReLU(),
        more=nn.Graph({"left": (nn.Tanh(), "x"), "y": (nn.Add(), ("left", "x"))}),
        flat=nn.Flatten(),
        fc=nn.Linear(8, 3),
    )
    return nn.initialize(network, seed=1).astype("float64")


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(12, 1, 4, 4))


def test_shapes_are_those_of_the_values_for_one_image(model, images):
    tracer = Tracer(model)
    values = tracer.run(images).values
    assert tracer.shapes((1, 4, 4)) == [value.shape[1:] for value in values]
    assert len(values) == len(tracer.nodes) + 1


def test_the_probabilities_are_those_of_the_outputs(model, images):
    trace = Tracer(model).run(images)
    np.testing.assert_allclose(trace.probabilities, ops.softmax(trace.values[-1], 1))
    assert trace.target.tolist() == trace.probabilities.argmax(axis=1).tolist()
    assert len(set(trace.target.tolist())) > 1
    with_softmax = nn.Sequential(model, nn.Softmax())
    again = Tracer(with_softmax).run(images)
    np.testing.assert_allclose(again.probabilities, trace.probabilities)
    np.testing.assert_array_equal(again.probabilities, again.values[-1])


def test_the_objective_is_the_loss_or_the_score_of_the_target(model, images):
    target = [0, 2, 1, 1] * 3
    y = model(images)
    trace = Tracer(model).run(images, target)
    loss, gradient = losses.cross_entropy(y, np.array(target))
    assert trace.objective == pytest.approx(loss)
    np.testing.assert_allclose(trace.gradient("fc"), gradient)
    score = Tracer(model).run(images, target, objective="score")
    assert score.objective == pytest.approx(y[range(12), target].sum())
    assert np.array_equal(score.gradient("fc"), np.eye(3)[target])
    with pytest.raises(PellucidError, match="objective must be 'loss' or 'score', not 'p'"):
        Tracer(model).run(images, objective="p")


def test_a_probability_of_0_has_an_infinite_loss():
    model = nn.Sequential(fc=nn.Linear(2, 2, bias=False), p=nn.Softmax()).astype("float64")
    model.fc.weight.value = np.array([[1e4, 0.0], [0.0, 0.0]])
    trace = Tracer(model).run(np.array([[1.0, 0.0]]), target=1, gradients=False)
    assert trace.objective == np.inf
    assert trace.value("p").tolist() == [[1.0, 0.0]]


def test_gradients_are_found_if_asked_for(model, images):
    trace = Tracer(model).run(images)
    assert len(trace.gradients) == len(trace.values)
    assert trace.parameter_gradients.keys() == model.named_parameters().keys()
    plain = Tracer(model).run(images, gradients=False)
    assert plain.gradients is None
    assert plain.parameter_gradients == {}
    with pytest.raises(PellucidError, match="run it with gradients=True"):
        plain.gradient("fc")


def test_the_gradients_of_a_pass_do_not_add_to_those_of_the_last(model, images):
    tracer = Tracer(model)
    first = tracer.run(images)
    tracer.influence(tracer.run(images[:1]), len(tracer.nodes), (0,))
    again = tracer.run(images)
    for name, gradient in first.parameter_gradients.items():
        np.testing.assert_array_equal(again.parameter_gradients[name], gradient)
    assert not any(p.grad.any() for p in model.parameters())


def test_the_copy_takes_other_values(model, images):
    tracer = Tracer(model)
    other = nn.initialize(model, seed=2).state_dict()
    before = tracer.run(images)
    tracer.load(other)
    assert not np.allclose(tracer.run(images).value("fc"), before.value("fc"))
    np.testing.assert_allclose(tracer.run(images).value("fc"), model(images))


def test_an_unknown_layer_is_told_with_those_that_there_are(model, images):
    trace = Tracer(model).run(images)
    with pytest.raises(PellucidError, match="no layer 'fc2'; the layers are conv, relu"):
        trace.value("fc2")


@pytest.mark.parametrize("target", [-1, 3, [0, 1, 2, 3] * 3])
def test_a_class_that_is_none_is_refused(model, images, target):
    Tracer(model).run(images, 2)
    with pytest.raises(PellucidError, match="a class from 0 to 2"):
        Tracer(model).run(images, target)
