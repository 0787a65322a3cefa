"""The recipes with the network airbench as a plain PyTorch script; records.py calls it.

python airbench_in_pytorch.py ARRAYS DATA RECIPE SEED THREADS [EPOCHS_TO_TRAIN]

Everything is as in `pellucid train DATA --recipe RECIPE`, but for the random numbers: the network,
its whitened first convolution, Muon and AdamW with the same rates, the augmentation, the batches,
the choice of hard images, and the views of the test. Channels are last, where PyTorch is faster
here.
"""

import sys
import time
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 -- its usual name
from torch import Tensor, nn


class Recipe(NamedTuple):
    """What differs between the recipes."""

    widths: tuple[int, ...]
    epochs: int
    batch: int = 500
    smoothing: float = 0.2
    shift: int = 2  # in pixels; 0 if images are not augmented, and the test looks at no views
    cutout: int = 0  # side of the squares that are covered
    selector: tuple[int, ...] = ()  # widths of the network that keeps half of each batch
    iterations: int = 5


RECIPES = {
    "cifar-10 fast": Recipe((64, 256, 256), epochs=12),
    "cifar-10 accurate": Recipe(
        (128, 384, 384), 27, batch=1000, shift=4, cutout=8, selector=(32, 64, 64), iterations=3
    ),
    "mnist fast": Recipe((6, 24, 24), epochs=1, batch=200, smoothing=0.0, shift=0),
}
RATE, MOMENTUM, ADAM_RATE = 0.12, 0.6, 0.02
MEMORY = torch.channels_last


def network(channels: int, size: int, widths: tuple[int, ...]) -> nn.Sequential:
    """Return the network of models/airbench.py."""
    features = 8 * channels
    layers: list[nn.Module] = [nn.Conv2d(channels, features, 2), nn.GELU()]
    for width in widths:
        for inputs, pool in ((features, nn.MaxPool2d(2)), (width, nn.Identity())):
            conv = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
            nn.init.dirac_(conv.weight.data[:inputs])
            norm = nn.BatchNorm2d(width, momentum=0.4)
            norm.weight.requires_grad = False
            layers += [conv, pool, norm, nn.GELU()]
        features = width
    head = nn.Linear(features, 10, bias=False)
    nn.init.uniform_(head.weight, -0.001, 0.001)
    return nn.Sequential(*layers, nn.MaxPool2d((size - 1) // 8), nn.Flatten(), head)


def whiten(conv: nn.Conv2d, images: Tensor) -> None:
    """Set the first convolution to the principal components of patches, scaled, of both signs."""
    patches = F.unfold(images, 2).transpose(1, 2).flatten(0, 1)  # (N·L, C·2·2)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vectors / (values + 5e-4).sqrt()).T.reshape(-1, *conv.weight.shape[1:])
    conv.weight.data = torch.cat([filters, -filters])
    conv.weight.requires_grad = False


def orthogonalize(matrix: Tensor, iterations: int) -> Tensor:
    """Return about U Vᵀ by Newton–Schulz iterations."""
    x = matrix.T if len(matrix) > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if len(matrix) > matrix.shape[1] else x


@torch.no_grad()
def muon(weights: list[nn.Parameter], momenta: list[Tensor], rate: float, iterations: int) -> None:
    """Make a step of Muon with filters of mean square norm 1."""
    for w, v in zip(weights, momenta, strict=True):
        assert w.grad is not None
        v.mul_(MOMENTUM).add_(w.grad)
        change = orthogonalize((w.grad + MOMENTUM * v).flatten(1), iterations).view_as(w)
        w.mul_(len(w) ** 0.5 / w.norm())
        rows, columns = len(w), w[0].numel()
        w.sub_(change, alpha=rate * max(1.0, rows / columns) ** 0.5)


def changed(x: Tensor, is_mirrored: Tensor, most: int) -> Tensor:
    """Mirror the images that are told, and shift each by `most` pixels, the edge reflected."""
    x = torch.where(is_mirrored[:, None, None, None], x.flip(3), x)
    size, wide = x.shape[-1], F.pad(x, (most, most, most, most), "reflect")
    shifted, places = torch.empty_like(x), 2 * most + 1
    down, right = torch.randint(places, (2, len(x)))
    for i in range(places):
        for j in range(places):
            these = (down == i) & (right == j)
            shifted[these] = wide[these, :, i : i + size, j : j + size]
    return shifted


def covered(x: Tensor, side: int) -> Tensor:
    """Cover a random square of each image with its mean colour."""
    near = []
    for axis in (2, 3):
        starts = torch.randint(x.shape[axis], (len(x), 1)) - side // 2
        places = torch.arange(x.shape[axis])
        near.append((places >= starts) & (places < starts + side))
    inside = near[0][:, None, :, None] & near[1][:, None, None, :]  # (N, 1, H, W)
    return torch.where(inside, x.mean((2, 3), keepdim=True), x)


def scores(model: nn.Module, x: Tensor, in_views: bool) -> Tensor:
    """Return the logarithms of the probabilities, or their mean over six views."""
    if not in_views:
        return F.log_softmax(model(x.to(memory_format=MEMORY)), 1)
    wide, found = F.pad(x, (1, 1, 1, 1), "replicate"), []
    for view, weight in ((x, 0.5), (wide[..., 2:, 2:], 0.25), (wide[..., :-2, :-2], 0.25)):
        found += [weight * scores(model, side, False) for side in (view, view.flip(3))]
    return sum(found[1:], found[0])


class Learner:
    """A network with its optimisers."""

    def __init__(self, x: Tensor, widths: tuple[int, ...], iterations: int) -> None:
        self.model, self.iterations = network(x.shape[1], x.shape[2], widths), iterations
        whiten(self.model[0], x[:5000])
        self.model = self.model.to(memory_format=MEMORY)
        learned = [p for p in self.model.parameters() if p.requires_grad]
        self.kernels = [p for p in learned if p.ndim == 4]
        self.momenta = [torch.zeros_like(p) for p in self.kernels]
        head, biases = [p for p in learned if p.ndim == 2], [p for p in learned if p.ndim == 1]
        groups = [{"params": biases, "share": 1.0}, {"params": head, "share": 0.1}]
        self.adam = torch.optim.AdamW(groups, betas=(0.9, 0.95), weight_decay=0.0)

    def losses(self, x: Tensor, t: Tensor, smoothing: float) -> Tensor:
        y = self.model(x.to(memory_format=MEMORY))
        return F.cross_entropy(y, t, label_smoothing=smoothing, reduction="none")

    def learn(self, loss: Tensor, share: float) -> None:
        """Make a step with this share of the rates."""
        self.model.zero_grad()
        loss.backward()
        muon(self.kernels, self.momenta, RATE * share, self.iterations)
        for group in self.adam.param_groups:
            group["lr"] = ADAM_RATE * share * group["share"]
        self.adam.step()


def main(arrays: str, recipe: Recipe, seed: int, threads: int, epochs_to_train: int) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    images = {name: torch.from_numpy(array) for name, array in np.load(arrays).items()}
    x, t = images["x"].float(), images["t"].long()
    std, mean = torch.std_mean(x, (0, 2, 3), keepdim=True)
    x = (x - mean) / std
    learner = Learner(x, recipe.widths, recipe.iterations)
    selector = Learner(x, recipe.selector, recipe.iterations) if recipe.selector else None
    steps, step = recipe.epochs * -(-len(x) // recipe.batch), 0
    half = torch.rand(len(x)) < 0.5
    for epoch in range(epochs_to_train):
        began = time.perf_counter()
        for some in torch.randperm(len(x)).split(recipe.batch):
            images_now, classes, rate = x[some], t[some], 1 - step / steps
            if recipe.shift:
                is_mirrored = half[some] ^ (epoch % 2 == 1)
                images_now = changed(images_now, is_mirrored, recipe.shift)
            if recipe.cutout:
                images_now = covered(images_now, recipe.cutout)
            if selector is not None:
                with torch.set_grad_enabled(step % 4 == 0):
                    losses = selector.losses(images_now, classes, recipe.smoothing)
                hard = losses.detach().topk(len(losses) // 2).indices
                if step % 4 == 0:
                    selector.learn(losses[hard].mean(), rate)
                images_now, classes = images_now[hard], classes[hard]
            learner.learn(learner.losses(images_now, classes, recipe.smoothing).mean(), rate)
            step += 1
        print(f"epoch {epoch + 1}: {time.perf_counter() - began:.1f} s", flush=True)
    model = learner.model.eval()
    with torch.no_grad():
        right = sum(
            int((scores(model, (a.float() - mean) / std, recipe.shift > 0).argmax(1) == b).sum())
            for a, b in zip(images["test_x"].split(500), images["test_t"].split(500), strict=True)
        )
    print(f"Test accuracy {right / len(images['test_x']):.2%}")


if __name__ == "__main__":
    file, data, recipe, seed, threads, *epochs = sys.argv[1:]
    chosen = RECIPES[f"{data} {recipe}"]
    main(file, chosen, int(seed), int(threads), int(epochs[0]) if epochs else chosen.epochs)
