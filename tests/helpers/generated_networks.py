"""Random networks: PyTorch modules generated from a seed, with all kinds of blocks."""

import random
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

Block = Callable[[Tensor], Tensor]


class Network(nn.Module):
    """A random sequence of blocks, some of them nested; the output is a vector or an image."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        draw = random.Random(seed)
        torch.manual_seed(seed)
        self.shape = (draw.choice([1, 2, 3, 4, 6]), draw.randint(7, 14), draw.randint(7, 14))
        self.said: list[str] = []
        x = torch.randn(2, *self.shape)
        blocks: list[torch.nn.Module] = []
        while len(blocks) < draw.randint(2, 7):
            name = draw.choice(list(BLOCKS))
            try:
                block = BLOCKS[name](draw, x)
                block.eval()
                with torch.no_grad():
                    y = block(x)
            except (RuntimeError, ValueError):  # the block does not fit this shape
                continue
            if y.ndim != 4 or y.shape[0] != 2 or not 1 <= y[0].numel() <= 6000 or min(y.shape) < 1:
                continue
            if not torch.isfinite(y).all():
                continue
            blocks.append(block)
            self.said.append(name)
            x = y
        self.blocks = nn.ModuleList(blocks)
        self.head = draw.choice(["flatten", "mean", "none"])
        for parameter in self.parameters():
            with torch.no_grad():
                parameter.copy_(torch.randn_like(parameter) * 0.3 + 0.1)
        for name, buffer in self.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
            elif name.endswith("running_mean"):
                buffer.uniform_(-0.3, 0.3)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        if self.head == "flatten":
            return x.flatten(1)
        return x.mean((2, 3)) if self.head == "mean" else x


class Lambda(nn.Module):
    def __init__(self, function: Block, **inside: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, module in inside.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Residual(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


class Branches(nn.Module):
    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class Gate(nn.Module):
    def __init__(self, C: int) -> None:
        super().__init__()
        self.fc = nn.Linear(C, C)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.fc(x.mean((2, 3))))[:, :, None, None]


def _conv(draw, x):
    C = x.shape[1]
    groups = draw.choice([g for g in (1, 1, 1, C, 2) if C % g == 0])
    out = groups * draw.randint(1, 3)
    mode = draw.choice(["zeros", "zeros", "reflect", "replicate", "circular"])
    return nn.Conv2d(
        C, out, (draw.randint(1, 4), draw.randint(1, 4)), (draw.randint(1, 3), draw.randint(1, 3)),
        (draw.randint(0, 2), draw.randint(0, 2)), (draw.randint(1, 2), draw.randint(1, 2)), groups,
        draw.random() < 0.6, mode,
    )  # fmt: skip


def _same(draw, x):
    kernel = draw.choice([1, 3, (3, 1), 4])
    return nn.Conv2d(x.shape[1], x.shape[1], kernel, padding="same", dilation=draw.randint(1, 2))


def _transposed(draw, x):
    stride = draw.randint(1, 3)
    return nn.ConvTranspose2d(
        x.shape[1], draw.randint(1, 3), draw.randint(1, 4), stride, draw.randint(0, 1),
        draw.randint(0, stride - 1), bias=draw.random() < 0.5, dilation=draw.randint(1, 2),
    )  # fmt: skip


def _pool(draw, x):
    kernel = draw.randint(2, 3), draw.randint(1, 3)
    padding = draw.randint(0, kernel[0] // 2), draw.randint(0, kernel[1] // 2)
    stride, ceil = draw.randint(1, 3), draw.random() < 0.5
    if draw.random() < 0.5:
        return nn.MaxPool2d(kernel, stride, padding, draw.randint(1, 2), ceil_mode=ceil)
    return nn.AvgPool2d(kernel, stride, padding, ceil, draw.random() < 0.5)


def _resize(draw, x):
    mode = draw.choice(["nearest", "bilinear", "bilinear", "bicubic"])
    options = {} if mode == "nearest" else {"align_corners": draw.random() < 0.5}
    size = draw.randint(3, 14), draw.randint(3, 14)
    if draw.random() < 0.5:
        return Lambda(lambda x: functional.interpolate(x, size=size, mode=mode, **options))
    scale = draw.choice([2.0, 1.5, 0.5, 3.0])
    return Lambda(lambda x: functional.interpolate(x, scale_factor=scale, mode=mode, **options))


def _norm(draw, x):
    C = x.shape[1]
    return draw.choice(
        [
            nn.BatchNorm2d(C), nn.InstanceNorm2d(C, affine=True), nn.InstanceNorm2d(C),
            nn.GroupNorm(draw.choice([g for g in (1, 2, C) if C % g == 0]), C),
            nn.LayerNorm(list(x.shape[1:])), nn.LocalResponseNorm(draw.randint(1, 4)),
        ]
    )  # fmt: skip


def _activation(draw, x):
    return draw.choice(
        [
            nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(0.2), nn.PReLU(), nn.PReLU(x.shape[1]), nn.ELU(0.7),
            nn.SELU(), nn.CELU(0.5), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(),
            nn.Hardswish(), nn.Hardsigmoid(), nn.Hardtanh(-0.5, 0.8), nn.Softplus(), nn.Softsign(),
            nn.Sigmoid(), nn.Tanh(), nn.LogSigmoid(), nn.Softmax(1), nn.LogSoftmax(1), nn.Dropout(),
            nn.Softmax2d(), nn.Softplus(2.0), nn.Tanhshrink(), nn.Hardshrink(), nn.Softshrink(),
            nn.Threshold(0.1, 0.0), nn.GLU(1) if x.shape[1] % 2 == 0 else nn.Identity(),
        ]
    )  # fmt: skip


def _pad(draw, x):
    sides = [draw.randint(-1, 2) for _ in range(4)]
    mode = draw.choice(["constant", "reflect", "replicate", "circular"])
    if mode != "constant":
        sides = [abs(side) for side in sides]
        return Lambda(lambda x: functional.pad(x, sides, mode))
    value = draw.choice([0.0, 0.5])
    return Lambda(lambda x: functional.pad(x, sides, mode, value))


def _arithmetic(draw, x):
    H, W = x.shape[2:]
    a = draw.uniform(-2, 2)
    return Lambda(
        draw.choice(
            [
                lambda x: x * a + 1,
                lambda x: a - x,
                lambda x: x / 3 - a,
                lambda x: -x,
                lambda x: x**2,
                lambda x: x.abs().sqrt(),
                lambda x: (x.abs() + 1).log(),
                lambda x: 1 / (x.abs() + 1),
                lambda x: x.clamp(-0.5, 1),
                lambda x: x.clamp(min=a),
                lambda x: torch.exp(-x.abs()),
                lambda x: torch.erf(x),
                lambda x: x - x.mean(1, True),
                lambda x: x / (x.std((2, 3), keepdim=True) + 1),
                lambda x: torch.maximum(x, x.flip(3)),
                lambda x: x * x.amax((1, 2, 3), keepdim=True),
                lambda x: functional.normalize(x, dim=1),
                lambda x: torch.where(x > a, x, x * 0.1),
                lambda x: x * (x >= a).float(),
                lambda x: x + torch.sign(x - a),
                lambda x: x.masked_fill(x < a, 0.3),
                lambda x: (x + x.amin(2, keepdim=True)) ** 3,
                lambda x: torch.minimum(x, x * a),
                lambda x: x.square().sum(1, keepdim=True).sqrt(),
                lambda x: x.softmax(-1),
                lambda x: x * torch.linspace(0, 1, W),
                lambda x: x + torch.arange(H)[:, None] / H,
            ]
        )
    )


def _rearranged(draw, x):
    C, H, W = x.shape[1:]
    a, b = draw.randint(0, W - 1), draw.randint(1, 3)
    return Lambda(
        draw.choice(
            [
                lambda x: x[:, :, 1:, ::b],
                lambda x: x[..., a:],
                lambda x: x[:, -1:],
                lambda x: x.mT,
                lambda x: x.flip(2),
                lambda x: torch.roll(x, b, 3),
                lambda x: x.transpose(1, 2),
                lambda x: x.permute(0, 3, 1, 2),
                lambda x: x.repeat(1, b, 1, 1),
                lambda x: torch.cat(x.chunk(2, 3)[::-1], 3),
                lambda x: torch.stack([x, -x], 2).flatten(1, 2),
                lambda x: x.reshape(x.shape[0], -1, 1, W),
                lambda x: x.view(x.size(0), C, H * W, 1),
                lambda x: x[:, :, [0, 2, 1]],
                lambda x: x.mean(1, keepdim=True).expand(-1, b, -1, -1),
                lambda x: x.unsqueeze(2).squeeze(2),
                lambda x: x[:, 0].unsqueeze(1),
                lambda x: functional.pixel_shuffle(x.repeat(1, 4, 1, 1), 2),
                lambda x: functional.pixel_unshuffle(functional.pad(x, (0, W % 2, 0, H % 2)), 2),
                lambda x: torch.cat([x, x.amax(1, keepdim=True)], 1),
                lambda x: torch.einsum("nchw,ndhw->ncd", x, x)[..., None] / (H * W),
                lambda x: (x.flatten(2).transpose(1, 2) @ x.flatten(2))[:, None] / C,
                lambda x: torch.cat(torch.split(x, [1, H - 1], 2)[::-1], 2),
                lambda x: x.unbind(1)[0][:, None] + x,
                lambda x: x.swapaxes(2, 3),
                lambda x: functional.unfold(x, 2)[:, :, None],
                lambda x: x.view(x.shape[0], 1, C * H, W),
            ]
        )
    )


def _whole(draw, x):
    size = draw.randint(1, 3), draw.randint(1, 4)
    pool = draw.choice([nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d])
    return pool(draw.choice([1, size if x.shape[2] % size[0] == x.shape[3] % size[1] == 0 else 1]))


def _residual(draw, x):
    C = x.shape[1]
    body = nn.Sequential(nn.Conv2d(C, C, 3, padding=1, bias=False), nn.BatchNorm2d(C), nn.ReLU())
    return Residual(body)


def _branches(draw, x):
    C = x.shape[1]
    return Branches(
        nn.Conv2d(C, 2, 1), nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(C, 1, 3, padding=1)),
        nn.Identity(),
    )  # fmt: skip


BLOCKS: dict[str, Callable[[random.Random, Tensor], nn.Module]] = {
    "conv": _conv, "same": _same, "transposed": _transposed, "pool": _pool, "resize": _resize,
    "norm": _norm, "activation": _activation, "pad": _pad, "arithmetic": _arithmetic,
    "rearranged": _rearranged, "whole": _whole, "residual": _residual, "branches": _branches,
    "gate": lambda draw, x: Gate(x.shape[1]),
}  # fmt: skip
