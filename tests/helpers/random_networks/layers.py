"""Random layers, with arguments that usually fit images of the given shape."""

from collections.abc import Callable
from random import Random
from typing import Any

from random_networks.node import Node, Shape, chain, leaf

Draw = Callable[[Random, Shape], Node]


def pair(random: Random, low: int, high: int) -> Any:
    """Return an int or (vertical, horizontal)."""
    if random.random() < 0.6:
        return random.randint(low, high)
    return random.randint(low, high), random.randint(low, high)


def padding(random: Random, most: int) -> Any:
    """Return padding in one of its possible forms."""
    match random.randrange(6):
        case 0 | 1:
            return random.randint(0, most)
        case 2:
            return random.randint(0, most), random.randint(0, most)
        case 3:
            sides = [random.randint(0, most) for _ in range(4)]
            return (sides[0], sides[1]), (sides[2], sides[3])
        case 4:
            return "same"
        case _:
            return 0


def channels(random: Random) -> int:
    return random.choice([1, 2, 3, 4, 5, 6, 8, 8, 12, 16])


_ALGORITHMS = ("precise", "im2col", "fft", "winograd2", "winograd4", "direct", "depthwise")


def conv(random: Random, shape: Shape) -> Node:
    C = shape[1]
    kernel = pair(random, 1, 4)
    args: dict[str, Any] = {"out_channels": channels(random), "kernel_size": kernel}
    if random.random() < 0.5:
        args["padding"] = padding(random, 2)
    if random.random() < 0.3:
        args["stride"] = pair(random, 1, 3)
    if random.random() < 0.2:
        args["dilation"] = pair(random, 1, 2)
    if random.random() < 0.15:
        args["groups"], args["out_channels"] = "C", C * random.randint(1, 2)
    elif random.random() < 0.2:
        args["groups"] = random.choice([g for g in range(1, C + 1) if C % g == 0])
        args["out_channels"] = args["groups"] * random.randint(1, 3)
    if random.random() < 0.2:
        args["padding_mode"] = random.choice(["reflect", "replicate", "circular"])
    if random.random() < 0.3:
        args["bias"] = False
    if random.random() < 0.1:
        args["flip_kernel"] = True
    if random.random() < 0.15:
        args["algorithm"] = random.choice(_ALGORITHMS)
    return leaf("Conv2d", **args)


def plain_conv(random: Random, shape: Shape) -> Node:
    """Return a convolution as in common networks: small, and usually size-preserving."""
    kernel = random.choice([1, 3, 3, 3, 5])
    args: dict[str, Any] = {"out_channels": random.choice([channels(random), shape[1]])}
    args |= {"kernel_size": kernel, "padding": kernel // 2 if random.random() < 0.8 else 0}
    if random.random() < 0.15:
        args["stride"] = 2
    if random.random() < 0.3:
        args["bias"] = False
    if random.random() < 0.1:
        args["groups"], args["out_channels"] = "C", shape[1]
    return leaf("Conv2d", **args)


def conv_transpose(random: Random, shape: Shape) -> Node:
    args: dict[str, Any] = {"out_channels": channels(random), "kernel_size": pair(random, 1, 4)}
    args["stride"] = pair(random, 1, 2)
    if random.random() < 0.4:
        args["padding"] = random.choice([1, (0, 1), ((1, 0), (0, 1))])
    if random.random() < 0.3:
        args["dilation"] = pair(random, 1, 3)
    if random.random() < 0.4:
        args["output_padding"] = pair(random, 0, 2)
    if random.random() < 0.2:
        args["groups"], args["out_channels"] = "C", shape[1]
    if random.random() < 0.2:
        args["flip_kernel"] = True
    return leaf("ConvTranspose2d", **args)


def max_pool(random: Random, shape: Shape) -> Node:
    if random.random() < 0.25:
        return side_by_side(random, shape)
    kernel = pair(random, 1, 4)
    args: dict[str, Any] = {"kernel_size": kernel}
    if random.random() < 0.4:
        args["stride"] = pair(random, 1, 3)
    args |= _pool_padding(random, kernel)
    if random.random() < 0.2:
        args["dilation"] = pair(random, 1, 2)
    return leaf("MaxPool2d", **args)


def side_by_side(random: Random, shape: Shape) -> Node:
    """Return pooling with adjacent windows that cover the image, with or without padding."""
    sizes = (k for k in range(1, 8) if shape[2] % k == 0 == shape[3] % k)
    kernel = random.choice(list(sizes))
    padding = random.randint(0, (kernel - 1) // 2)
    return leaf("MaxPool2d", kernel_size=kernel, padding=padding)


def plain_max_pool(random: Random, shape: Shape) -> Node:
    if random.random() < 0.15:
        return side_by_side(random, shape)
    return leaf("MaxPool2d", **random.choice(_PLAIN_POOLS))


_PLAIN_POOLS: list[dict[str, Any]] = [
    {"kernel_size": 2},
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 1, "padding": 1},
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 2, "ceil_mode": True},
]


def avg_pool(random: Random, _: Shape) -> Node:
    kernel = pair(random, 1, 4)
    args: dict[str, Any] = {"kernel_size": kernel}
    if random.random() < 0.4:
        args["stride"] = pair(random, 1, 3)
    args |= _pool_padding(random, kernel)
    if random.random() < 0.4:
        args["count_include_pad"] = False
    if random.random() < 0.1:
        args |= {"dilation": pair(random, 1, 2), "ceil_mode": False}
    return leaf("AvgPool2d", **args)


def _pool_padding(random: Random, kernel: Any) -> dict[str, Any]:
    """Return padding of at most half the kernel, with ceil_mode only if PyTorch supports it."""
    down, across = (kernel, kernel) if isinstance(kernel, int) else kernel
    both = random.randint(0, down // 2), random.randint(0, across // 2)
    match random.randrange(4):
        case 0:
            return {"padding": both, "ceil_mode": random.random() < 0.5}
        case 1:
            return {"padding": ((both[0], down // 2), (across // 2, both[1]))}
        case 2:
            return {"padding": "same"}
        case _:
            return {"ceil_mode": random.random() < 0.3}


def norm(random: Random, shape: Shape) -> Node:
    C = shape[1]
    few = {"affine": False} if random.random() < 0.2 else {}
    eps = {"eps": random.choice([1e-3, 1e-2])} if random.random() < 0.2 else {}
    match random.randrange(8):
        case 0 | 1 | 2:
            more: dict[str, Any] = {}
            if random.random() < 0.2:
                more["momentum"] = random.choice([None, 0.3])
            if random.random() < 0.1:
                more["track_running_stats"] = False
            return leaf("BatchNorm2d", **few, **eps, **more)
        case 3:
            tracked = random.random() < 0.5
            return leaf(
                "InstanceNorm2d", affine=random.random() < 0.6, track_running_stats=tracked, **eps
            )
        case 4:
            groups = random.choice([g for g in range(1, C + 1) if C % g == 0])
            return leaf("GroupNorm", num_groups=groups, **few, **eps)
        case 5:
            return leaf("LocalResponseNorm", size=random.randint(1, 5), alpha=0.3, k=1.5)
        case 6:
            return leaf("LayerNorm", normalized_shape=("C", shape[2], shape[3]), **eps)
        case _:
            return leaf("LayerNorm", normalized_shape="D", bias=random.random() < 0.5, **eps)


def plain_norm(random: Random, _: Shape) -> Node:
    return leaf("BatchNorm2d", **({"affine": False} if random.random() < 0.1 else {}))


_ACTIVATIONS: list[tuple[str, dict[str, Any]]] = [
    *[("ReLU", {})] * 4,
    *[("ReLU6", {})] * 2,
    *[("LeakyReLU", {}), ("LeakyReLU", {"negative_slope": 0.3}), ("ELU", {}), ("SELU", {})],
    *[("GELU", {}), ("GELU", {"approximate": "tanh"}), ("SiLU", {}), ("Hardswish", {})],
    *[("Softplus", {}), ("Softplus", {"beta": 2.0, "threshold": 3.0}), ("Sigmoid", {})],
    *[("Tanh", {}), ("Softmax", {}), ("Softmax", {"dim": -1}), ("LogSoftmax", {})],
    *[("PReLU", {}), ("PReLU", {"num_parameters": "C"}), ("HardSigmoid", {}), ("Softsign", {})],
    *[("Clip", {"low": -0.7, "high": 1.1}), ("Abs", {}), ("Erf", {}), ("Power", {"exponent": 2.0})],
    *[("ThresholdedReLU", {"alpha": 0.2}), ("Affine", {"scale": -1.5, "shift": 0.25})],
]


def activation(random: Random, _: Shape) -> Node:
    kind, args = random.choice(_ACTIVATIONS)
    return leaf(kind, **args)


def bounded(random: Random, _: Shape) -> Node:
    return leaf(random.choice(["Tanh", "Sigmoid", "Softsign", "ReLU6"]))


def other(random: Random, shape: Shape) -> Node:
    """Return a layer that moves, drops, repeats or scales values."""
    _, C, H, W = shape
    match random.randrange(15):
        case 0:
            mode = random.choice(["constant", "reflect", "replicate", "circular"])
            value = {"value": 0.5} if mode == "constant" and random.random() < 0.5 else {}
            sides = padding(random, 2)
            return leaf("Pad2d", padding=0 if sides == "same" else sides, mode=mode, **value)
        case 1 | 2:
            mode = random.choice(["nearest", "bilinear"])
            to: dict[str, Any] = {"scale_factor": random.choice([2, 1.5, (2, 1), 0.5])}
            if random.random() < 0.4:
                to = {"size": (random.randint(1, 9), random.randint(1, 9))}
            corners = (
                {"align_corners": True} if mode == "bilinear" and random.random() < 0.5 else {}
            )
            return leaf("Upsample", mode=mode, **to, **corners)
        case 3:
            return leaf(
                "Resize",
                size=(random.randint(2, 9), random.randint(2, 9)),
                **random.choice(_RESIZES),
            )
        case 4:
            order = random.choice([(0, 1, 3, 2), (0, 1, 3, 2), (0, 3, 1, 2), (0, 2, 3, 1)])
            return leaf("Permute", dims=order)
        case 5:
            return leaf(
                "Slice", axis=random.choice([1, 2, 3, -1]), start=0, step=random.choice([2, 1])
            )
        case 6:
            return leaf("Slice", axis=random.choice([1, 2, 3]), step=-1)
        case 7:
            taken = tuple(random.randrange(C) for _ in range(random.randint(1, C)))
            return leaf("Take", indices=taken)
        case 8:
            sides = tuple((random.randint(0, 2), random.randint(0, 2)) for _ in range(3))
            return leaf("Pad", padding=((0, 0), *sides), value=random.choice([0.0, -0.5]))
        case 9:
            return leaf("Scale", shape=random.choice([("C", 1, 1), ("C", H, W), ("D",)]))
        case 10:
            return leaf("Shift", shape=random.choice([("C", 1, 1), ("C", H, W), ("D",)]))
        case 11:
            kind = random.choice(["AdaptiveAvgPool2d", "AdaptiveMaxPool2d"])
            down, across = random.randint(1, 5), random.choice([None, *range(1, 6)])
            return leaf(kind, output_size=(down, across))
        case 12:
            kind = random.choice(["Dropout", "Dropout2d"])
            return leaf(kind, p=random.choice([0.0, 0.3, 0.5]))
        case 13:
            return leaf("Identity")
        case _:
            shape_of = random.choice([(0, "C", -1, 1), (0, "C", 1, -1)])
            return leaf("Reshape", shape=shape_of)


_RESIZES: list[dict[str, Any]] = [
    {"mode": "linear"},
    {"mode": "cubic"},
    {"mode": "linear", "coordinates": "align_corners"},
    {"mode": "cubic", "coordinates": "align_corners"},
    {"mode": "linear", "antialias": True, "exclude_outside": True},
    {"mode": "nearest", "coordinates": "asymmetric", "rounding": "floor"},
    {"mode": "nearest", "rounding": "round_prefer_ceil"},
]
"""The rules of PyTorch; it ignores positions outside the image only with antialiasing."""


def special(random: Random, shape: Shape) -> Node:
    """Return a layer together with others that give it values, or a shape, that it can take."""
    _, _, H, W = shape
    match random.randrange(7):
        case 0:
            return chain(bounded(random, shape), leaf("Exp"))
        case 1:
            return chain(_positive(random), leaf("Log"))
        case 2:
            return chain(_positive(random), leaf("Power", exponent=random.choice([0.5, -1.0, 1.7])))
        case 3:
            r = random.choice([1, 2, 2, 3])
            conv = leaf("Conv2d", out_channels=r * r * random.randint(1, 3), kernel_size=1)
            return chain(conv, leaf("PixelShuffle", upscale_factor=r))
        case 4:
            r = random.choice([1, 2, 2, 3])
            pool = leaf("AdaptiveMaxPool2d", output_size=(r * random.randint(1, 3), r * 2))
            return chain(pool, leaf("PixelUnshuffle", downscale_factor=r))
        case 5:
            axis, to = random.choice(
                [(1, (-1, 3, -1, -1)), (2, (-1, -1, H, -1)), (3, (-1, -1, -1, 2))]
            )
            kind = random.choice(["ReduceMean", "ReduceMax", "ReduceSum"])
            return chain(leaf(kind, axes=(axis,), keepdims=True), leaf("Expand", shape=to))
        case _:
            inside = random.choice(
                [
                    leaf("BatchNorm1d"),
                    leaf("LayerNorm", normalized_shape="D"),
                    leaf("Softmax", dim=2),
                ]
            )
            return chain(leaf("Flatten", start_dim=2), inside, leaf("Reshape", shape=(0, 0, H, W)))


def _positive(random: Random) -> Node:
    kind = random.choice(["Softplus", "Sigmoid", "Abs"])
    return chain(leaf(kind), leaf("Affine", scale=1.0, shift=0.3))


def reduction(random: Random, _: Shape) -> Node:
    axes = random.choice([(1,), (2, 3), (3,), (-2,)])
    kind = random.choice(["ReduceSum", "ReduceMean", "ReduceMax"])
    return leaf(kind, axes=axes, keepdims=True)
