"""Models go to Keras and back: the same outputs and gradients, the same weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as theirs

from layer_table import ROWS
from pellucid import layers as nn
from pellucid import models
from pellucid.errors import PellucidError
from pellucid.interchange.keras import from_keras, to_keras, twin_of
from pellucid.interchange.keras.orders import channels_first_array, channels_last_array

WITHOUT = {
    *("Conv2d, every option", "ConvTranspose2d, every option"),  # strided and dilated at once
    "ConvTranspose2d, whole steps of output padding",  # dilated
    *("Pad2d, replicate", "Pad2d, circular", "Linear, no bias, more axes"),
    *("MaxPool2d, overlapping, every option", "AvgPool2d, overlapping, every option"),
    *("BatchNorm1d, with a length", "BatchNorm2d, nothing learned or gathered"),
    *("BatchNorm2d, cumulative average", "InstanceNorm2d, learned and gathered"),
    *("LocalResponseNorm", "GELU, tanh", "Softplus", "Flatten, some axes", "Power", "Erf", "Abs"),
    *("Upsample, bilinear", "Clip", "ThresholdedReLU", "Scale", "Scale, every value", "Shift"),
    *("Reshape", "Permute", "Slice", "Slice, backwards", "Take", "Expand", "Pad", "Divide"),
    *("ReduceSum", "ReduceMean", "ReduceMax", "MatMul"),
    *("Resize", "Resize, nearest", "Resize, smaller", "Log", "Heaviside", "PixelShuffle"),
    *("Where", "Where, broadcast", "ArgMax", "ArgMax, without the axis", "PixelUnshuffle"),
}
"""Rows of the table for which Keras has no layer, or none with these arguments."""

RANDOM = {name for name in ROWS if "Dropout" in name}
ROWS_WITH = sorted(ROWS.keys() - WITHOUT - RANDOM)


def filled(model, seed=0):
    """Give every value of the model another number, in float64."""
    random = np.random.default_rng(seed)
    model.astype("float64")
    for _, item in model.named_state():
        if item.dtype == np.float64:
            item.value = random.uniform(0.2, 0.8, item.shape) * random.choice([-1, 1], item.shape)
        if "var" in item.name:
            item.value = abs(item.value)
    return model


def assert_equal(model, twin, shape, training, tolerance=1e-9):
    """One pass forward and back: outputs and all gradients agree."""
    shapes = shape if isinstance(shape[0], tuple) else (shape,)
    random = np.random.default_rng(1)
    xs = [random.normal(size=one) for one in shapes]
    inputs = [tf.Variable(channels_last_array(x)) for x in xs]
    ours, cache = model.forward(
        tuple(xs) if len(xs) > 1 else xs[0], nn.StepContext() if training else None
    )
    several = isinstance(ours, tuple)
    ours = ours if several else (ours,)
    dys = tuple(random.normal(size=y.shape) for y in ours)
    variables = [link.variable for link in twin.links.values()]
    with tf.GradientTape() as tape:
        found = twin.model(inputs if len(xs) > 1 else inputs[0], training=training)
        found = found if several else (found,)
        pairs = zip(found, dys, strict=True)
        loss = sum(tf.reduce_sum(y * channels_last_array(dy)) for y, dy in pairs)
    gradients = tape.gradient(loss, inputs + variables)

    def same(name, own, other):
        bound = tolerance * max(1.0, abs(own).max())
        np.testing.assert_allclose(own, other, rtol=0, atol=bound, err_msg=name)

    for own, other in zip(ours, found, strict=True):
        same("output", own, channels_first_array(np.asarray(other)))
    if not training:
        return
    model.zero_grad()
    dx = model.backward(dys if several else dys[0], cache)
    for own, other in zip(dx if len(xs) > 1 else (dx,), gradients[: len(xs)], strict=True):
        same("input gradient", own, channels_first_array(np.asarray(other)))
    learned = model.named_parameters()
    assert learned.keys() <= twin.links.keys()
    for (name, link), other in zip(twin.links.items(), gradients[len(xs) :], strict=True):
        if name in learned:
            same(name, learned[name].grad, link.from_keras(other))


# To Keras


@pytest.mark.parametrize("name", ROWS_WITH)
def test_every_layer_that_keras_has_is_written(name):
    row = ROWS[name]
    model = filled(nn.Sequential(layer=row.make()))
    several = isinstance(row.shape[0], tuple)
    twin = twin_of(model, tuple(s[1:] for s in row.shape) if several else row.shape[1:])
    tolerance = 1e-9 if model.parameters() else 1e-5  # without weights Keras takes float32
    assert_equal(model, twin, row.shape, False, tolerance)
    assert_equal(model, twin, row.shape, True, tolerance)


@pytest.mark.parametrize("name", sorted(WITHOUT))
def test_a_layer_that_keras_does_not_have_is_named(name):
    row = ROWS[name]
    several = isinstance(row.shape[0], tuple)
    layer = row.make()
    if several:
        names = tuple("abc"[: len(row.shape)])
        model = nn.Graph({"odd": (layer, names)}, inputs=names)
    else:
        model = nn.Sequential(odd=layer)
    with pytest.raises(PellucidError, match="odd"):
        to_keras(model, tuple(s[1:] for s in row.shape) if several else row.shape[1:])


def test_all_that_keras_does_not_have_is_named_at_once():
    model = nn.Sequential(
        conv=nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"),
        norm=nn.BatchNorm2d(2, momentum=None),
        relu=nn.ReLU(),
        lrn=nn.LocalResponseNorm(3),
    )
    with pytest.raises(PellucidError, match=r"conv .* norm .* lrn") as error:
        to_keras(model, (1, 8, 8))
    assert "relu" not in str(error.value).lower()


SMALL = {
    "lenet5": ((1, 28, 28), {"width": 1}),
    "mlp": ((1, 6, 5), {"hidden": (7,)}),
    "vgg": ((3, 17, 16), {"width": 0.1, "dropout": 0.0}),
    "alexnet": ((3, 17, 16), {"width": 0.02, "dropout": 0.0}),
    "resnet20": ((3, 17, 16), {"width": 0.25}),
    "resnet18": ((3, 33, 32), {"width": 0.05}),
    "resnet50": ((3, 33, 32), {"width": 0.05}),
    "inception": ((3, 17, 16), {"width": 0.02, "dropout": 0.0}),
    "densenet": ((3, 9, 8), {"growth": 2, "blocks": (2, 2)}),
    "mobilenet": ((3, 17, 16), {"width": 0.05}),
    "mobilenet_v2": ((3, 33, 32), {"width": 0.1, "dropout": 0.0}),
}


@pytest.mark.parametrize("name", SMALL)
def test_networks_are_written(name):
    shape, options = SMALL[name]
    model = models.build(name, shape, 4, **options).astype("float64")
    nn.initialize(model, 1)
    twin = twin_of(model, shape)
    assert_equal(model, twin, (3, *shape), False)
    assert_equal(model, twin, (3, *shape), True, tolerance=1e-7)


def test_layers_in_keras_are_called_as_ours():
    found = to_keras(models.build("resnet20", (3, 32, 32), 10), (3, 32, 32))
    names = [layer.name for layer in found.layers]
    assert {"conv1", "layer1.0.conv1", "layer2.0.downsample.0", "layer1.0.add", "fc"} <= set(names)


def test_a_model_that_knows_its_images_needs_no_shape():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(PellucidError, match="to_keras"):
        to_keras(model)
    model.input_shape = (3, 2, 2)
    assert to_keras(model).input_shape == (None, 2, 2, 3)


@pytest.mark.parametrize("middle", [None, nn.ReLU(), nn.Dropout(0.0), nn.BatchNorm1d(24)])
def test_the_order_of_a_flattened_image_is_kept(middle):
    between = [] if middle is None else [middle]
    for end in ([nn.Linear(24, 5)], [nn.Linear(24, 24)], [nn.LayerNorm(24)], []):
        model = filled(nn.Sequential(nn.Conv2d(2, 4, 2), nn.Flatten(), *between, *end))
        twin = twin_of(model, (2, 3, 4))
        assert_equal(model, twin, (3, 2, 3, 4), True)


def test_sums_and_joins_are_not_taken_for_each_other():
    def block(C):
        other = nn.Sequential(nn.Conv2d(C, C, 1), nn.ReLU())
        return nn.Concat(nn.Residual(nn.Conv2d(C, C, 3, padding=1)), nn.Residual(other))

    for _ in range(8):  # where a layer lies in memory is a matter of chance
        model = filled(nn.Sequential(block(1), block(2), nn.Residual(nn.Conv2d(4, 4, 1))))
        assert_equal(model, twin_of(model, (1, 3, 4)), (2, 1, 3, 4), True)


def test_a_layer_that_is_used_twice_is_one_layer_in_keras():
    conv = nn.Conv2d(2, 2, 3, padding=1)
    model = filled(nn.Sequential(conv, nn.Tanh(), conv))
    twin = twin_of(model, (2, 5, 4))
    assert sum(isinstance(layer, theirs.Conv2D) for layer in twin.model.layers) == 1
    assert_equal(model, twin, (2, 2, 5, 4), True)


def test_values_learned_in_keras_come_back():
    model = models.build("lenet5", (1, 28, 28), 10)
    twin = twin_of(model, (1, 28, 28))
    twin.model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = np.random.default_rng(0).normal(size=(8, 1, 28, 28)).astype(np.float32)
    before = model(x)
    twin.model.fit(channels_last_array(x), np.arange(8), verbose=0)
    model.load_state_dict(model.state_dict() | twin.state_dict())
    assert abs(model(x) - before).max() > 1e-3
    np.testing.assert_allclose(model(x), twin.model(channels_last_array(x)), rtol=1e-4, atol=1e-5)


def test_a_wrong_gradient_would_be_found(monkeypatch):
    model = filled(nn.Sequential(nn.Conv2d(2, 3, 2), nn.Flatten(), nn.Linear(18, 2)))
    twin = twin_of(model, (2, 3, 4))
    right = nn.Conv2d.backward

    def wrong(self, dy, cache, *, input_gradient=True):
        return right(self, 1.001 * dy, cache, input_gradient=input_gradient)

    monkeypatch.setattr(nn.Conv2d, "backward", wrong)
    with pytest.raises(AssertionError, match=r"0\.(weight|bias)|input gradient"):
        assert_equal(model, twin, (3, 2, 3, 4), True)


# There and back


@pytest.mark.parametrize("name", SMALL)
def test_round_trips_keep_every_weight_bit_for_bit(name):
    shape, options = SMALL[name]
    model = nn.initialize(models.build(name, shape, 4, **options), 2)
    again = from_keras(to_keras(model, shape))
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    # a graph lists its layers in the order in which they run, so values are found by name
    own = {key.replace(".", "_"): value for key, value in model.state_dict().items()}
    back = {key.replace(".", "_"): value for key, value in again.state_dict().items()}
    for key in own.keys() | back.keys():
        if not key.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(own[key], back[key], err_msg=key)
    np.testing.assert_allclose(again(x), model(x), rtol=1e-4, atol=1e-4)


def test_a_chain_comes_back_as_it_was():
    model = models.build("lenet5", (1, 28, 28), 10)
    again = from_keras(to_keras(model, (1, 28, 28)))
    assert repr(again) == repr(model).replace("padding=2", "padding='same'")
