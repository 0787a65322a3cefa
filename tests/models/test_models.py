"""Networks by name."""

import inspect
import re

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid import models
from pellucid.errors import PellucidError, ShapeError

# What shrinks each network, so that running it takes a moment.
SMALL = {
    "mlp": {"hidden": (8, 8)},
    "lenet5": {"width": 0.5},
    "lenet5x2": {},
    "airbench": {"widths": (4, 16, 16), "activation": "silu"},
    "airbench_large": {},
    "airbench_medium": {},
    "airbench_narrow": {},
    "airbench_small": {},
    "alexnet": {"width": 1 / 16},
    "vgg": {"width": 1 / 8},
    "vgg_tiny": {"widths": (2, 3, 4)},
    "vgg11_bn": {"width": 1 / 32},
    "vgg16_bn": {"width": 1 / 32},
    "resnet20": {"width": 0.25},
    "resnet32": {"width": 0.25},
    "resnet56": {"width": 0.25},
    "resnet18": {"width": 1 / 16, "small_images": True},
    "resnet50": {"width": 1 / 16, "small_images": True},
    "inception": {"width": 1 / 16},
    "densenet": {"growth": 2, "blocks": (2, 2, 2)},
    "mobilenet": {"width": 1 / 16},
    "mobilenet_v2": {"width": 1 / 4, "small_images": True},
}

# From the papers' authors and torchvision's documentation; with batch normalisation's weights.
PARAMETERS = [
    ("lenet5", (1, 28, 28), 10, {}, 61_706),
    ("airbench", (3, 32, 32), 10, {}, 1_972_792),  # 1.97 million in the paper
    ("alexnet", (3, 224, 224), 1000, {}, 61_100_840),
    ("vgg11_bn", (3, 224, 224), 1000, {}, 132_868_840),
    ("vgg16_bn", (3, 224, 224), 1000, {}, 138_365_992),
    ("resnet18", (3, 224, 224), 1000, {}, 11_689_512),
    ("resnet50", (3, 224, 224), 1000, {}, 25_557_032),
    ("densenet", (3, 32, 32), 10, {"blocks": (16, 16, 16)}, 769_162),
    ("mobilenet", (3, 224, 224), 1000, {"width": 1}, 4_231_976),
    ("mobilenet_v2", (3, 224, 224), 1000, {}, 3_504_872),
    # 0.27, 0.46 and 0.85 million in the paper's table 6, and 2,752 for the 1×1 shortcuts
    ("resnet20", (3, 32, 32), 10, {}, 269_722 + 2_752),
    ("resnet32", (3, 32, 32), 10, {}, 464_154 + 2_752),
    ("resnet56", (3, 32, 32), 10, {}, 853_018 + 2_752),
]


def parameter_count(model: nn.Layer) -> int:
    return sum(int(np.prod(p.shape)) for p in model.parameters())


def test_every_model_is_here() -> None:
    assert set(models.names()) == set(SMALL)


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("input_shape", [(1, 28, 28), (3, 32, 32), (3, 33, 40)])
def test_a_model_turns_images_into_one_score_per_class(name, input_shape) -> None:
    if input_shape == (1, 28, 28) and name in ("vgg11_bn", "vgg16_bn"):
        input_shape = (1, 32, 32)  # they halve an image five times
    model = models.build(name, input_shape, 7)
    assert model.output_shape((5, *input_shape)) == (5, 7)


@pytest.mark.parametrize("name", models.names())
def test_every_parameter_of_a_model_takes_part(name) -> None:
    model = models.build(name, (3, 32, 32), 5, **SMALL[name])
    images = np.random.default_rng(0).normal(size=(4, 3, 32, 32)).astype(np.float32)
    y, cache = model.forward(images, nn.StepContext())
    assert y.shape == (4, 5)
    model.backward(np.arange(20, dtype=np.float32).reshape(4, 5) - 7, cache)
    unmoved = [name for name, p in model.named_parameters().items() if not p.grad.any()]
    assert not unmoved


@pytest.mark.parametrize(("name", "input_shape", "classes", "options", "count"), PARAMETERS)
def test_a_model_has_as_many_parameters_as_published(
    name, input_shape, classes, options, count
) -> None:
    assert parameter_count(models.build(name, input_shape, classes, **options)) == count


def test_options_may_follow_the_name() -> None:
    for text, options in (("resnet20:width=0.5", {"width": 0.5}), ("resnet20:", {})):
        written = models.build(text, (3, 8, 8), 4)
        assert written.describe() == models.resnet20((3, 8, 8), 4, **options).describe()
    options = {"hidden": (7, 5), "activation": "tanh"}
    written = models.build("mlp:hidden=(7, 5),activation='tanh'", (6,), 3)
    assert written.describe() == models.mlp((6,), 3, **options).describe()


def test_an_argument_counts_more_than_an_option_in_the_name() -> None:
    built = models.build("resnet20:width=2", (3, 8, 8), 4, width=0.5)
    assert built.describe() == models.resnet20((3, 8, 8), 4, width=0.5).describe()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("resnet20:wdith=2", "unknown option of resnet20 'wdith'; did you mean 'width'?"),
        ("resnet20:classes=2", "unknown option of resnet20 'classes'"),
        ("resnet20:2", "written as in resnet20:width=0.5, several with commas between, not '2'"),
        ("resnet20:width=2+2", "not 'width=2+2'"),
        ("resnet20:width=print(1)", "not 'width=print(1)'"),
        ("resnet20:**{'width': 2}", "written as in"),
        ("resnet20:width=2, width=3", "written as in"),
        ("resnet20:width='wide'", "width must be a positive factor on the channels, not 'wide'"),
        ("resne20:width=2", "unknown model 'resne20'; did you mean 'resnet20'?"),
        ("lenet5x2:width=2", "lenet5x2 has no options, so it takes no width"),
    ],
)
def test_a_wrong_option_in_a_name_is_refused(text, said) -> None:
    with pytest.raises(PellucidError, match=re.escape(said)):
        models.build(text, (3, 8, 8), 4)


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("alexnet", 0.71e9),
        ("vgg16_bn", 15.5e9),
        ("resnet18", 1.8e9),
        ("resnet50", 4.1e9),
        ("mobilenet_v2", 0.30e9),
    ],
)
def test_a_model_multiplies_as_often_as_published(name, published) -> None:
    model = models.build(name, (3, 224, 224), 1000)
    assert model.multiply_adds((1, 3, 224, 224)) == pytest.approx(published, rel=0.02)


def test_the_inception_modules_have_the_papers_output_channels() -> None:
    model = models.inception((3, 32, 32), 10, width=1)
    shape, found = (1, 192, 32, 32), []
    for name, layer in model.layers.items():
        if name.startswith(("inception", "maxpool")):
            shape = layer.output_shape(shape)
        if name.startswith("inception"):
            found.append(shape[1])
    assert found == [256, 480, 512, 512, 512, 528, 832, 832, 1024]


def test_the_large_networks_have_torchvisions_parameter_names() -> None:
    assert list(models.mobilenet_v2((3, 224, 224), 1000).named_parameters())[:9] == [
        "features.0.0.weight",
        "features.0.1.weight",
        "features.0.1.bias",
        "features.1.conv.0.0.weight",
        "features.1.conv.0.1.weight",
        "features.1.conv.0.1.bias",
        "features.1.conv.1.weight",
        "features.1.conv.2.weight",
        "features.1.conv.2.bias",
    ]
    densenet = models.densenet((3, 32, 32), 10).named_parameters()
    assert "features.denseblock2.denselayer3.norm1.weight" in densenet
    assert "features.transition2.conv.weight" in densenet
    inception = models.inception((3, 32, 32), 10).named_parameters()
    assert "inception4b.branch2.1.conv.weight" in inception


def test_small_images_keep_the_names_and_lose_less_of_the_image() -> None:
    small = models.resnet18((3, 32, 32), 10, small_images=True)
    large = models.resnet18((3, 32, 32), 10)
    assert list(small.state_dict()) == list(large.state_dict())
    assert small["conv1"].output_shape((1, 3, 32, 32)) == (1, 64, 32, 32)
    assert large["conv1"].output_shape((1, 3, 32, 32)) == (1, 64, 16, 16)


def test_mobilenet_v2_for_small_images_keeps_their_size_for_two_more_stages() -> None:
    for small, sizes in (
        (True, [32] * 4 + [16] * 3 + [8] * 7 + [4] * 5),
        (False, [16] * 2 + [8] * 2 + [4] * 3 + [2] * 7 + [1] * 5),
    ):
        model = models.mobilenet_v2((3, 32, 32), 10, width=1 / 4, small_images=small)
        shape, found = (1, 3, 32, 32), []
        for layer in model["features"].layers.values():
            shape = layer.output_shape(shape)
            found.append(shape[2])
        assert found == sizes


def test_alexnet_takes_its_form_from_the_image_size() -> None:
    assert "stride=4" in repr(models.alexnet((3, 63, 63), 10)["features"])
    assert "stride=4" not in repr(models.alexnet((3, 62, 63), 10)["features"])


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
def test_an_mlp_learns_xor(activation) -> None:
    model = nn.initialize(models.mlp((2,), 1, hidden=8, activation=activation), seed=1)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
    target = np.array([[0], [1], [1], [0]], dtype=np.float32)
    for _ in range(3000):
        y, cache = model.forward(x, nn.StepContext())
        model.zero_grad()
        model.backward((y - target) / 2, cache)
        for parameter in model.parameters():
            parameter.value -= 0.1 * parameter.grad
    assert np.abs(model(x) - target).max() < 0.1


def test_an_mlp_without_hidden_layers_is_linear() -> None:
    model = models.mlp((3,), 2, hidden=())
    assert [type(layer) for layer in model.layers.values()] == [nn.Linear]


@pytest.mark.parametrize("name", [n for n in models.names() if n != "mlp"])
def test_a_model_for_images_says_so_when_given_features(name) -> None:
    with pytest.raises(ShapeError, match=name):
        models.build(name, (20,), 10)


@pytest.mark.parametrize(
    ("name", "size", "layer", "needed"),
    [
        ("lenet5", 8, "conv2", "12×12"),
        ("vgg", 4, r"features \(Sequential\): 20 \(MaxPool2d\)", "8×8"),
        ("vgg11_bn", 28, r"features \(Sequential\): 28 \(MaxPool2d\)", "32×32"),
        ("densenet", 3, "transition2", "4×4"),
    ],
)
def test_images_that_are_too_small_are_told_with_the_layer_and_the_size_needed(
    name, size, layer, needed
) -> None:
    with pytest.raises(ShapeError, match=rf"^{name}: .*{layer}.*at least {needed}$"):
        models.build(name, (3, size, size), 10)
    side = int(needed.split("×")[0])
    assert models.build(name, (3, side, side), 10)
    with pytest.raises(ShapeError, match=f"images are {side - 1}×{side - 1};"):
        models.build(name, (3, side - 1, side - 1), 10)


def test_the_smallest_alexnet_is_as_its_documentation_says() -> None:
    assert models.alexnet((3, 15, 15), 10)
    with pytest.raises(ShapeError, match="at least 15×15"):
        models.alexnet((3, 14, 14), 10)
    with pytest.raises(ShapeError, match="at least 63×63"):
        models.alexnet((3, 62, 62), 10, small_images=False)


def test_an_unknown_name_is_told_with_the_nearest_one() -> None:
    with pytest.raises(PellucidError, match="unknown model 'resnet-20'; did you mean 'resnet20'"):
        models.build("resnet-20", (3, 32, 32), 10)


def test_an_unknown_option_is_told_with_the_nearest_one() -> None:
    with pytest.raises(PellucidError, match="option of vgg 'dropuot'; did you mean 'dropout'"):
        models.build("vgg", (3, 32, 32), 10, dropuot=0.1)


@pytest.mark.parametrize("input_shape", [(28, 28), (1, 28, 0), (1, 28.0, 28), (1, 1, 28, 28)])
def test_an_input_shape_is_channels_height_width(input_shape) -> None:
    with pytest.raises(ShapeError, match="channels, height, width"):
        models.lenet5(input_shape, 10)


@pytest.mark.parametrize("classes", [0, -1, 2.5, "ten"])
def test_the_number_of_classes_is_positive(classes) -> None:
    with pytest.raises(ShapeError, match="classes must be a positive int"):
        models.lenet5((1, 28, 28), classes)


@pytest.mark.parametrize("width", [0, -1.0, float("nan"), float("inf"), "wide"])
@pytest.mark.parametrize("name", ["resnet20", "mobilenet_v2"])
def test_a_width_is_positive(name, width) -> None:
    with pytest.raises(ShapeError, match=f"^{name}: width"):
        models.build(name, (3, 32, 32), 10, width=width)


@pytest.mark.parametrize(("width", "channels"), [(1, 32), (0.75, 24), (0.35, 16), (1.4, 48)])
def test_mobilenet_v2_rounds_its_channels_as_torchvision_does(width, channels) -> None:
    model = models.mobilenet_v2((3, 32, 32), 10, width=width)
    assert dict(model.named_parameters())["features.0.0.weight"].shape == (channels, 3, 3, 3)


@pytest.mark.parametrize("compression", [0, -0.5, 1.5])
def test_a_transition_keeps_a_share_of_the_channels(compression) -> None:
    with pytest.raises(ShapeError, match="compression"):
        models.densenet((3, 32, 32), 10, compression=compression)


def test_an_mlp_names_the_activations_that_it_knows() -> None:
    with pytest.raises(PellucidError, match="did you mean 'tanh'"):
        models.mlp((2,), 1, activation="tan")


@pytest.mark.parametrize("name", models.names())
def test_a_model_is_documented_and_keeps_its_signature(name) -> None:
    function = getattr(models, name)
    assert list(inspect.signature(function).parameters)[:2] == ["input_shape", "classes"]
    assert function.__doc__
