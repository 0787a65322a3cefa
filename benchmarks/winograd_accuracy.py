"""Does training with Winograd's F(4×4, 3×3) end as well as training without it?

    python benchmarks/winograd_accuracy.py [mnist] [cifar-10]

The same network, seeds and recipe, once as the compiled engine chooses and once with ``precise``,
which leaves F(4×4, 3×3) out. Prints the accuracy on the test images for each seed and each way.
"""

import sys
from dataclasses import dataclass
from statistics import mean, stdev
from time import perf_counter

from pellucid import data, engine, evaluate, layers, models, optim, train
from pellucid.data import augment
from pellucid.optim import schedules

SEEDS = (0, 1, 2)
WAYS = {"as chosen": False, "precise": True}


@dataclass(frozen=True)
class Job:
    """What learns, from what, how long."""

    model: str
    epochs: int
    augmentation: str | None = None


JOBS = {"mnist": Job("vgg", epochs=2), "cifar-10": Job("resnet20", 8, "crop,flip")}


def accuracy(name: str, job: Job, seed: int, precise: bool) -> float:
    """Train anew and return the share of test images that are told right."""
    parts = data.load(name)
    images = parts.train
    assert parts.test is not None
    model = models.build(job.model, images.image_shape, len(images.classes))
    layers.initialize(model, seed)
    adamw = optim.AdamW(model.parameters(), lr=0.002, weight_decay=0.05, decay_kinds=("weight",))
    with engine.using("compiled"), engine.precisely(precise):
        for _ in train(
            model,
            images,
            optimizer=adamw,
            epochs=job.epochs,
            schedule=schedules.OneCycle(),
            augment=augment.parse(job.augmentation) if job.augmentation else None,
            seed=seed,
        ):
            pass
        return evaluate(model, parts.test).accuracy


def main() -> None:
    for name in sys.argv[1:] or JOBS:
        job = JOBS[name]
        print(f"{name}: {job.model}, {job.epochs} epochs", flush=True)
        found: dict[str, list[float]] = {way: [] for way in WAYS}
        for seed in SEEDS:
            for way, precise in WAYS.items():
                start = perf_counter()
                found[way].append(accuracy(name, job, seed, precise))
                told = f"{100 * found[way][-1]:.2f} %, {perf_counter() - start:.0f} s"
                print(f"  seed {seed}, {way:10} {told}", flush=True)
        for way, values in found.items():
            print(f"  {way:10} {100 * mean(values):.2f} % ± {100 * stdev(values):.2f}", flush=True)


if __name__ == "__main__":
    main()
