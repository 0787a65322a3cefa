"""Print what some steps of training leave behind, as SHA-256 sums, to compare two versions.

Run it from the folder of each version and compare what it prints::

    PYTHONPATH=. python benchmarks/same_bits.py > bits.txt

A line is a network, an engine, and the sums of all weights and running statistics after the steps,
of the frozen model's outputs for one and for twenty images, and of the plain model's.
"""

import hashlib
import sys

import numpy as np

import pellucid as pl
from benchmarks.networks import CIFAR, CLASSES, MNIST, NETWORKS
from pellucid import engine, models, optim

STEPS = {"reference": 3, "compiled": 8}
"""Compiled steps are captured after the third and replayed from the fifth."""
BATCH = {"reference": 8, "compiled": 32}
RECIPES = {"lenet5": MNIST, "mlp": MNIST, "resnet20": CIFAR, "densenet": CIFAR, "vgg": CIFAR}


def sums(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def trained(model, shape, by: str, adam: bool) -> list[str]:
    """Return the sums that a short training run leaves."""
    random, size = np.random.default_rng(0), BATCH[by]
    x = random.normal(size=(STEPS[by] * size, *shape)).astype(np.float32)
    t = random.integers(0, CLASSES, len(x))
    parameters = model.parameters()
    made = optim.AdamW(parameters) if adam else optim.SGD(parameters, lr=0.01, momentum=0.9)
    for _ in pl.train(model, (x, t), optimizer=made, batch_size=size):
        pass
    frozen = pl.freeze(model)
    found = [sums(*model.state_dict().values()), sums(frozen(x[:1])), sums(frozen(x[:20]))]
    return [*found, sums(model(x[:8]))]


def main() -> None:
    networks = {name: (n.build, n.input_shape, False) for name, n in NETWORKS.items()}
    for name, shape in RECIPES.items():
        networks[f"models.{name}"] = (
            lambda name=name, shape=shape: models.build(name, shape, CLASSES), shape, True,
        )  # fmt: skip
    for by in sys.argv[1:] or ("reference", "compiled"):
        for name, (build, shape, adam) in networks.items():
            with engine.using(by):
                model = pl.initialize(build(), seed=1)
                print(f"{name:18} {by:10}", *trained(model, shape, by, adam), flush=True)


if __name__ == "__main__":
    main()
