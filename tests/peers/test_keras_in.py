"""Models come from Keras: the same outputs and gradients, and what cannot be read is named."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as theirs

from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.interchange.keras import from_keras
from pellucid.interchange.keras.orders import channels_first_array


def values_changed(model, seed=0):
    """Give every variable of a Keras model another value."""
    random = np.random.default_rng(seed)
    for variable in model.variables:
        if variable.dtype.startswith("float"):
            value = random.uniform(0.2, 0.8, variable.shape)
            variable.assign(value / max(1, np.prod(variable.shape[:-1])) ** 0.5)
    return model


def assert_read(model, shape=None, tolerance=1e-5):
    """Keras's outputs and input gradients are ours."""
    values_changed(model)
    ours = from_keras(model, shape)
    random = np.random.default_rng(0)
    size = tuple(2 if n is None else n for n in model.input_shape)
    size = (2, *(shape[1:] if shape else size[1:-1]), size[-1])
    x = random.normal(size=size).astype(np.float32)
    given = tf.Variable(x)
    with tf.GradientTape() as tape:
        found = model(given)
        dy = random.normal(size=found.shape).astype(np.float32)
        loss = tf.reduce_sum(found * dy)
    y, cache = ours.forward(channels_first_array(x))
    dx = ours.backward(channels_first_array(dy), cache)
    found, gradient = (np.asarray(v) for v in (found, tape.gradient(loss, given)))
    np.testing.assert_allclose(y, channels_first_array(found), rtol=1e-4, atol=tolerance)
    bound = 1e-4 * max(1, abs(gradient).max())
    np.testing.assert_allclose(dx, channels_first_array(gradient), rtol=1e-3, atol=bound)
    return ours


LAYERS = {
    "convolution": lambda: theirs.Conv2D(4, 3, activation="relu"),
    "same": lambda: theirs.Conv2D(4, (3, 2), strides=2, padding="same", use_bias=False),
    "dilated": lambda: theirs.Conv2D(4, 3, dilation_rate=2, padding="same"),
    "groups": lambda: theirs.Conv2D(4, 3, groups=2),
    "depthwise": lambda: theirs.DepthwiseConv2D(3, depth_multiplier=2, strides=2, padding="same"),
    "separable": lambda: theirs.SeparableConv2D(5, 3, depth_multiplier=2, activation="tanh"),
    "transposed": lambda: theirs.Conv2DTranspose(3, 3, strides=2),
    "transposed, same": lambda: theirs.Conv2DTranspose(3, 4, strides=(2, 3), padding="same"),
    "transposed, small": lambda: theirs.Conv2DTranspose(3, 2, strides=3, padding="same"),
    "transposed, more": lambda: theirs.Conv2DTranspose(3, 3, strides=2, output_padding=1),
    "transposed, same, more": lambda: theirs.Conv2DTranspose(
        3, 3, strides=2, output_padding=1, padding="same"
    ),
    "dense on images": lambda: theirs.Dense(5, activation="sigmoid"),
    "max": lambda: theirs.MaxPooling2D(3, strides=2, padding="same"),
    "average": lambda: theirs.AveragePooling2D(3, strides=2, padding="same"),
    "average, valid": lambda: theirs.AveragePooling2D((3, 2)),
    "global": lambda: theirs.GlobalAveragePooling2D(),
    "global, kept": lambda: theirs.GlobalAveragePooling2D(keepdims=True),
    "global maximum": lambda: theirs.GlobalMaxPooling2D(),
    "batch norm": lambda: theirs.BatchNormalization(),
    "batch norm, axis 3": lambda: theirs.BatchNormalization(axis=3, scale=False),
    "layer norm": lambda: theirs.LayerNormalization(axis=[1, 2, 3]),
    "layer norm, channels": lambda: theirs.LayerNormalization(),
    "group norm": lambda: theirs.GroupNormalization(2),
    "padding": lambda: theirs.ZeroPadding2D(((0, 1), (0, 1))),
    "upsampling": lambda: theirs.UpSampling2D((2, 3)),
    "bilinear": lambda: theirs.UpSampling2D(2, interpolation="bilinear"),
    "resizing": lambda: theirs.Resizing(9, 5),
    "cropping": lambda: theirs.Cropping2D(((1, 0), (0, 2))),
    "rescaling": lambda: theirs.Rescaling(0.5, -1.0),
    "rescaling, channels": lambda: theirs.Rescaling([0.5, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0]),
    "normalization": lambda: theirs.Normalization(
        mean=[0.5, 1.0, 2.0, 3.0], variance=[0.5, 1.0, 2.0, 3.0]
    ),
    "normalization, a constant channel": lambda: theirs.Normalization(
        mean=[0.5, 1.0, 2.0, 3.0], variance=[0.5, 0.0, 1e-20, 3.0]
    ),
    "flatten": lambda: theirs.Flatten(),
    "reshape": lambda: theirs.Reshape((-1, 3, 8)),
    "reshape, flat": lambda: theirs.Reshape((-1,)),
    "dropout": lambda: theirs.Dropout(0.3),
    "dropout of channels": lambda: theirs.SpatialDropout2D(0.3),
    "softmax": lambda: theirs.Softmax(),
    "prelu": lambda: theirs.PReLU(shared_axes=[1, 2]),
    "relu6": lambda: theirs.ReLU(max_value=6.0),
    "leaky": lambda: theirs.LeakyReLU(),
    "elu": lambda: theirs.ELU(0.5),
    **{
        name: lambda name=name: theirs.Activation(name)
        for name in (
            *("relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "hard_silu"),
            *("hard_sigmoid", "softplus", "softsign", "sigmoid", "tanh", "exponential", "linear"),
            *("softmax", "log_softmax"),
        )
    },
}


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_is_read(name):
    assert_read(keras.Sequential([keras.Input((7, 6, 4)), LAYERS[name]()]))


@pytest.mark.parametrize("momentum", [0.99, 0.75, 0.1])
def test_running_statistics_move_as_they_do_in_keras(momentum):
    model = values_changed(
        keras.Sequential([keras.Input((7, 6, 4)), theirs.BatchNormalization(momentum=momentum)])
    )
    ours = from_keras(model)
    x = np.random.default_rng(0).normal(1, 2, (40, 7, 6, 4)).astype(np.float32)
    model(x, training=True)
    training = nn.StepContext()
    ours.forward(channels_first_array(x), training)
    training.commit()
    state = list(ours.state_dict().items())
    mean, var = (next(v for name, v in state if which in name) for which in ("mean", "var"))
    (layer,) = model.layers
    np.testing.assert_allclose(mean, layer.moving_mean, rtol=1e-5)
    unbiased = 1680 / 1679  # which Keras's variance is not
    np.testing.assert_allclose(var, layer.moving_variance, rtol=2 * (unbiased - 1))


@pytest.mark.parametrize(
    "make",
    [
        *(lambda: theirs.Dense(3), lambda: theirs.Dense(24, bias_initializer="random_normal")),
        *(theirs.BatchNormalization, theirs.LayerNormalization, theirs.Softmax),
    ],
)
def test_what_follows_a_flattened_image_is_read(make):
    layer = make()
    model = [keras.Input((3, 4, 2)), theirs.Flatten(), theirs.Activation("tanh"), layer]
    assert_read(keras.Sequential([*model, theirs.Dense(2)]))
    assert_read(keras.Sequential(model))


def test_branches_merge_and_models_stand_in_models():
    inner = keras.Sequential([keras.Input((6, 6, 3)), theirs.Conv2D(3, 3, padding="same")])
    x = keras.Input((6, 6, 3))
    a, b = inner(x), inner(theirs.ReLU()(x))
    gate = theirs.GlobalAveragePooling2D(keepdims=True)(b)
    merged = [
        theirs.Add()([a, b, x]),
        theirs.Subtract()([a, b]),
        theirs.Multiply()([a, gate]),
        theirs.Maximum()([a, b]),
        a + b,
        (a * 2.0 - 1.0) / 4.0,
    ]
    y = theirs.Concatenate()(merged)
    model = keras.Model(x, theirs.Dense(4)(theirs.Flatten()(y)))
    ours = assert_read(model)
    assert sum(isinstance(layer, nn.Conv2d) for _, layer in ours.walk()) == 1  # used twice


def test_padding_before_a_convolution_becomes_the_convolutions():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            theirs.ZeroPadding2D(((0, 1), (0, 1))),
            theirs.Conv2D(4, 3, strides=2),
            theirs.ZeroPadding2D(1),
            theirs.AveragePooling2D(3),
        ]
    )
    conv, pool = assert_read(model)
    assert conv.padding == ((0, 1), (0, 1))
    assert (pool.padding, pool.count_include_pad) == (1, True)


def test_a_convolution_that_is_used_twice_leaves_the_padding_alone():
    conv, x = theirs.Conv2D(3, 3), keras.Input((8, 8, 3))
    y = conv(theirs.ZeroPadding2D(1)(conv(theirs.ZeroPadding2D(((0, 1), (0, 2)))(x))))
    ours = assert_read(keras.Model(x, y))
    assert sum(isinstance(layer, nn.Pad2d) for _, layer in ours.walk()) == 2


def test_double_precision_is_kept():
    model = keras.Sequential([keras.Input((4,)), theirs.Dense(2, dtype="float64")])
    kernel = np.full((4, 2), 1 / 3)
    model.layers[0].kernel.assign(kernel)
    np.testing.assert_array_equal(from_keras(model)[0].weight.value, kernel.T)


def test_images_of_any_size_need_a_shape():
    model = keras.Sequential([keras.Input((None, None, 3)), theirs.Conv2D(2, 3)])
    with pytest.raises(PellucidError, match="any size"):
        from_keras(model)
    assert_read(model, (3, 8, 6))


class Doubling(theirs.Layer):
    """A layer of a user's own."""

    def call(self, x):
        return 2 * x


def test_all_that_cannot_be_read_is_named_at_once():
    x = keras.Input((6, 6, 3))
    y = theirs.Lambda(lambda v: v + 1, name="shift", output_shape=(6, 6, 3))(x)
    y = Doubling(name="double")(theirs.Conv2D(2, 3, name="good")(y))
    y = theirs.UpSampling2D(2, interpolation="lanczos3", name="fine")(y)
    with pytest.raises(PellucidError, match=r"'shift' .*'double' .*'fine' ") as error:
        from_keras(keras.Model(x, y))
    assert "good" not in str(error.value)


def test_a_model_that_is_a_program_is_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(PellucidError, match="is not built"):
        from_keras(Own())
    with pytest.raises(PellucidError, match="is not built"):
        from_keras(keras.Sequential([theirs.Dense(2)]))


APPLICATIONS = {
    "MobileNetV2": ((32, 32, 3), {"alpha": 0.35}),
    "ResNet50": ((32, 32, 3), {}),
    "VGG16": ((32, 32, 3), {}),
    "InceptionV3": ((75, 75, 3), {}),
    "DenseNet121": ((32, 32, 3), {}),
}
"""More of them are read than these, which are quick: docs/comparison.md has the list."""


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_networks_of_keras_are_read(name):
    shape, options = APPLICATIONS[name]
    model = getattr(keras.applications, name)(
        weights=None, classes=7, input_shape=shape, classifier_activation=None, **options
    )
    ours = from_keras(model)
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    theirs_y = model(x).numpy()
    bound = 1e-4 * abs(theirs_y).max()
    np.testing.assert_allclose(ours(channels_first_array(x)), theirs_y, rtol=0, atol=bound)


RANDOM = (
    lambda: theirs.RandomFlip(),
    lambda: theirs.RandomRotation(0.1),
    lambda: theirs.RandomContrast(0.2),
    lambda: theirs.GaussianNoise(0.5),
    lambda: theirs.GaussianDropout(0.5),
    lambda: theirs.RandomErasing(),
)


@pytest.mark.parametrize("make", RANDOM)
def test_what_keras_does_in_training_alone_is_nothing_here(make):
    model = keras.Sequential(
        [keras.Input((12, 9, 3)), make(), theirs.Conv2D(4, 3), theirs.Flatten(), theirs.Dense(2)]
    )
    ours, x = from_keras(model), np.random.default_rng(0).uniform(size=(2, 3, 12, 9))
    x = x.astype(np.float32)
    expected = model(np.moveaxis(x, 1, -1), training=False).numpy()
    np.testing.assert_allclose(ours(x), expected, atol=1e-5)


def test_the_middle_of_an_image_is_cut_out():
    model = keras.Sequential([keras.Input((13, 10, 3)), theirs.CenterCrop(6, 10)])
    x = np.random.default_rng(0).uniform(size=(2, 3, 13, 10)).astype(np.float32)
    expected = np.moveaxis(model(np.moveaxis(x, 1, -1)).numpy(), -1, 1)
    np.testing.assert_array_equal(from_keras(model)(x), expected)
    model = keras.Sequential([keras.Input((5, 10, 3)), theirs.CenterCrop(6, 10)])
    with pytest.raises(PellucidError, match="smaller than the crop"):
        from_keras(model)
