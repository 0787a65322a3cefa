"""Generate a network, the shape of its input, and its training settings from a seed."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pellucid.errors import PellucidError
from random_networks import layers
from random_networks.node import Node, Shape, chain, leaf, output_shape

_MOST_VALUES = 60_000
"""Maximum size of an array between two layers, for all images together."""

_KINDS: list[tuple[float, layers.Draw]] = [
    (6, layers.conv),
    (5, layers.activation),
    (3, layers.norm),
    (2, layers.max_pool),
    (1.5, layers.avg_pool),
    (1.5, layers.conv_transpose),
    (4, layers.other),
    (0.5, layers.reduction),
    (1, layers.special),
]

_PLAIN_KINDS: list[tuple[float, layers.Draw]] = [
    (6, layers.plain_conv),
    (4, lambda random, shape: leaf("ReLU")),
    (4, layers.plain_norm),
    (2.5, layers.plain_max_pool),
    (0.7, lambda random, shape: leaf(random.choice(["ReLU6", "Tanh", "Softplus"]))),
    (0.3, layers.max_pool),
    (0.3, layers.norm),
]
"""The kinds of layers that the compiled engine fuses, captures and replays."""


@dataclass(frozen=True)
class Case:
    """A network with the shape of its input (including the batch) and its training settings."""

    node: Node
    shape: Shape
    seed: int
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def is_trained(self) -> bool:
        """Whether to train the network: every second one, since this takes as long as the rest."""
        return self.seed % 2 == 0


def draw(seed: int) -> Case:
    """Return the case of this seed."""
    random = Random(seed)
    plain = random.random() < 0.5
    wide = random.random() < 0.12
    batch = random.choice([1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 33, 64, 65, 70])
    C = random.choice([16, 17, 24, 32]) if wide else random.choice([1, 1, 2, 3, 3, 4, 5, 8])
    H = random.randint(7, 20) if wide else random.randint(1, 21)
    W = random.choice([H, random.randint(max(1, H - 4), H + 4)])
    if batch * C * H * W > _MOST_VALUES // 2:
        batch = random.choice([1, 2, 3, 4])
    shape = batch, C, H, W
    length = random.randint(1, 8)
    if plain and random.random() < 0.5:
        body = _grown(shape, length, lambda shape: _replayed_part(random, shape))
    else:
        body = _body(random, shape, length, plain, depth=0)
    return Case(_with_head(random, body, shape), shape, seed, _training(random))


def _body(random: Random, shape: Shape, length: int, plain: bool, depth: int) -> Node:
    return _grown(shape, length, lambda shape: _part(random, shape, plain, depth))


def _grown(shape: Shape, length: int, draw_part: Callable[[Shape], Node]) -> Node:
    """Return a sequence of layers, each of which fits the output of the previous one."""
    parts: list[Node] = []
    for _ in range(40):
        if len(parts) == length:
            break
        part = draw_part(shape)
        try:
            after = output_shape(part, shape)
        except PellucidError:
            continue
        if len(after) == 4 and math.prod(after) <= _MOST_VALUES and min(after) > 0:
            parts.append(part)
            shape = after
    return chain(*parts) if len(parts) != 1 else parts[0]


def _part(random: Random, shape: Shape, plain: bool, depth: int) -> Node:
    if depth < 2 and random.random() < 0.22:
        return _joined(random, shape, plain, depth + 1)
    kinds = _PLAIN_KINDS if plain else _KINDS
    chosen = random.choices([draw for _, draw in kinds], [weight for weight, _ in kinds])[0]
    return chosen(random, shape)


def _replayed_part(random: Random, shape: Shape) -> Node:
    """Return a layer, or a few combined, that a captured step may contain."""
    match random.randrange(10):
        case 0 | 1 | 2:
            return layers.plain_conv(random, shape)
        case 3:
            return leaf("BatchNorm2d")
        case 4:
            return leaf("ReLU")
        case 5:
            return layers.plain_max_pool(random, shape)
        case 6:
            return leaf(random.choice(["Dropout", "Dropout2d"]), p=random.choice([0.3, 0.5]))
        case 7:
            return leaf("AdaptiveAvgPool2d", output_size=(random.randint(1, 5), 2))
        case 8:
            around = (("activation", random.choice(["None", "nn.ReLU()"])),)
            norm = [leaf("BatchNorm2d")] if random.random() < 0.7 else []
            conv = leaf("Conv2d", out_channels="C", kernel_size=3, padding=1)
            return Node("Residual", around, (chain(conv, leaf("ReLU"), conv, *norm),))
        case _:
            return Node("Concat", (), tuple(layers.plain_conv(random, shape) for _ in range(2)))


def _joined(random: Random, shape: Shape, plain: bool, depth: int) -> Node:
    match random.randrange(9 if not plain else 5):
        case 0 | 1:
            return _residual(random, shape, plain, depth)
        case 2:
            branches = [_body(random, shape, random.randint(1, 3), plain, depth) for _ in range(2)]
            return Node("Concat", (), tuple(branches))
        case 3:
            return _web(random, shape, plain, depth)
        case 4:
            kept = leaf("Conv2d", out_channels="C", kernel_size=3, padding=1)
            between = leaf("ReLU") if random.random() < 0.5 else layers.activation(random, shape)
            return Node("Twice", (), (kept, between))
        case 5:
            norm = leaf("BatchNorm2d")
            return Node("Twice", (), (norm, layers.activation(random, shape)))
        case 6 | 7:
            return _pair(random, shape, plain)
        case _:
            return _choice(random, shape)


def _same_shape(random: Random, shape: Shape, plain: bool) -> Node:
    """Return layers that preserve the shape of their input."""
    kernel = random.choice([1, 3])
    parts = [leaf("Conv2d", out_channels="C", kernel_size=kernel, padding=kernel // 2)]
    if random.random() < 0.6:
        parts.append(layers.plain_norm(random, shape) if plain else layers.norm(random, shape))
    if random.random() < 0.6:
        parts.append(leaf("ReLU") if plain else layers.activation(random, shape))
    if random.random() < 0.3:
        parts.append(leaf("Conv2d", out_channels="C", kernel_size=3, padding=1))
    return chain(*parts)


def _residual(random: Random, shape: Shape, plain: bool, depth: int) -> Node:
    around = random.choice(["None", "nn.ReLU()", "nn.ReLU()", "nn.Tanh()", "nn.ReLU6()"])
    args = (("activation", around),)
    if random.random() < 0.5:
        return Node("Residual", args, (_same_shape(random, shape, plain),))
    body = _body(random, shape, random.randint(1, 4), plain, depth)
    try:
        after = output_shape(body, shape)
    except PellucidError:
        after = shape
    if after == shape:
        return Node("Residual", args, (body,))
    shortcut = [leaf("Conv2d", out_channels=after[1], kernel_size=1)]
    if after[2:] != shape[2:]:
        shortcut.append(leaf("AdaptiveAvgPool2d", output_size=after[2:]))
    if random.random() < 0.3:
        shortcut.append(leaf("BatchNorm2d"))
    return Node("Residual", args, (body, chain(*shortcut)))


_PAIRS = ["Multiply", "Maximum", "Minimum", "Subtract", "BroadcastAdd", "Divide", "Cat"]


def _pair(random: Random, shape: Shape, plain: bool) -> Node:
    op = random.choice(_PAIRS)
    left, right = (_same_shape(random, shape, plain) for _ in range(2))
    if op == "Divide":
        right = chain(right, leaf("Sigmoid"), leaf("Affine", scale=1.0, shift=0.5))
    elif op == "BroadcastAdd" and random.random() < 0.4:
        right = chain(right, leaf("ArgMax", axis=random.choice([1, 2, 3])))
    elif op == "Cat":
        return Node("Merge", (("op", f"Cat({random.choice([2, 3])})"),), (left, right))
    elif random.random() < 0.4:  # one number per channel, as in squeeze and excitation
        right = chain(leaf("GlobalAvgPool2d"), right, layers.bounded(random, shape))
    if op == "Multiply" and shape[2] == shape[3] and random.random() < 0.3:
        op = "MatMul"
    return Node("Merge", (("op", f"{op}()"),), (left, right))


def _choice(random: Random, shape: Shape) -> Node:
    """Return a choice between two branches by the sign of a third."""
    condition, a, b = (_same_shape(random, shape, plain=False) for _ in range(3))
    if random.random() < 0.3:  # one decision per image and channel
        condition = chain(leaf("GlobalAvgPool2d"), condition)
    if random.random() < 0.3:
        return Node("Merge", (("op", "Multiply()"),), (chain(condition, leaf("Heaviside")), a))
    return Node("Merge", (("op", "Where()"),), (chain(condition, leaf("Heaviside")), a, b))


def _web(random: Random, shape: Shape, plain: bool, depth: int) -> Node:
    """Return a graph whose nodes read arbitrary earlier ones, some of them several times."""
    count = random.randint(2, 5)
    nodes = [_web_node(random, shape, plain) for _ in range(count)]
    reads = tuple(random.randint(0, i) for i in range(count))
    unread = sorted(set(range(count + 1)) - set(reads))
    ends = tuple(dict.fromkeys([*unread, random.randint(0, count)]))
    ends = ends if len(ends) > 1 else (*ends, 0)
    args = (("op", random.choice(["Add", "Cat"])), ("reads", reads), ("ends", ends))
    return Node("Web", args, tuple(nodes))


def _web_node(random: Random, shape: Shape, plain: bool) -> Node:
    match random.randrange(4):
        case 0:
            return leaf("BatchNorm2d")
        case 1:
            return leaf("ReLU") if plain else layers.activation(random, shape)
        case 2:
            return leaf("MaxPool2d", kernel_size=3, stride=1, padding=1)
        case _:
            return _same_shape(random, shape, plain)


def _with_head(random: Random, body: Node, shape: Shape) -> Node:
    """Append a head that computes class scores."""
    parts = list(body.parts) if body.kind == "Sequential" else [body]
    match random.randrange(5):
        case 0 | 1:
            parts.append(leaf("GlobalAvgPool2d"))
        case 2:
            parts.append(leaf("AdaptiveAvgPool2d", output_size=(2, 2)))
        case _:
            pass
    parts.append(leaf("Flatten"))
    if random.random() < 0.3:
        parts.append(leaf("Linear", out_features=random.choice([5, 9, 16])))
        if random.random() < 0.3:
            parts.append(leaf("BatchNorm1d"))
        parts.append(leaf("ReLU") if random.random() < 0.5 else layers.bounded(random, shape))
        if random.random() < 0.3:
            parts.append(leaf("Dropout", p=0.4))
    parts.append(leaf("Linear", out_features=random.randint(2, 11), bias=random.random() < 0.8))
    return chain(*parts)


def _training(random: Random) -> dict[str, Any]:
    """Return settings of a training run, as the library describes them."""
    optimizer: dict[str, Any] = random.choice(
        [
            {"type": "SGD", "lr": 0.05},
            {"type": "SGD", "lr": 0.05, "momentum": 0.9},
            {"type": "SGD", "lr": 0.03, "momentum": 0.8, "nesterov": True},
            {"type": "Adam", "lr": 0.01, "eps": 1e-3},
            {"type": "Adam", "lr": 0.01, "eps": 1e-3, "amsgrad": True, "betas": (0.8, 0.95)},
            {"type": "AdamW", "lr": 0.01, "eps": 1e-3},
            {"type": "RMSprop", "lr": 0.01, "eps": 1e-3},
            {"type": "RMSprop", "lr": 0.01, "eps": 1e-3, "momentum": 0.9, "centered": True},
            {"type": "Adagrad", "lr": 0.03, "eps": 1e-3},
        ]
    )
    if random.random() < 0.4:
        optimizer = optimizer | {"weight_decay": 0.03}
        if random.random() < 0.5:
            optimizer["decay_kinds"] = ("weight",)
    if random.random() < 0.3:
        optimizer = optimizer | {"clip_norm": 0.5}
    schedule: dict[str, Any] = random.choice(
        [
            {"type": "Constant"},
            {"type": "Cosine"},
            {"type": "Step", "every": 3, "gamma": 0.3},
            {"type": "Exponential", "final": 0.1},
            {"type": "OneCycle"},
            {"type": "Warmup", "steps": 3, "then": {"type": "Cosine", "final": 0.2}},
        ]
    )
    loss: dict[str, Any] = random.choice(
        [
            {"type": "CrossEntropy"},
            {"type": "CrossEntropy", "label_smoothing": 0.1},
            {"type": "CrossEntropy", "ignore_index": 0},
            {"type": "MeanSquaredError"},
            {"type": "BinaryCrossEntropy"},
        ]
    )
    return {
        "optimizer": optimizer,
        "schedule": schedule,
        "loss": loss,
        "average": random.random() < 0.3,
        "weights": random.random() < 0.3,
    }
