"""Five more epochs on all of CIFAR-10's training images, the rate falling from 0.02 to 0.

    python benchmarks/cifar10_longer.py RUN

RUN is a run of ``pellucid train cifar-10``, which sets a tenth of the images aside to choose by.
"""

import sys
from pathlib import Path

import pellucid as pl
from pellucid.data import augment
from pellucid.optim import schedules


def main(run: Path) -> None:
    parts = pl.data.load("cifar-10")
    assert parts.test is not None
    model = pl.load(run / "model.safetensors")
    print(f"before: {pl.evaluate(model, parts.test).accuracy:.4f}")
    sgd = pl.optim.SGD(
        model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4, decay_kinds=("weight",)
    )
    for epoch in pl.train(
        model,
        parts.train,
        optimizer=sgd,
        epochs=5,
        batch_size=128,
        schedule=schedules.Cosine(),
        augment=augment.parse("crop,flip"),
        seed=1,
    ):
        print(epoch)
    print(f"after: {pl.evaluate(model, parts.test).accuracy:.4f}")
    pl.save(model, run / "longer.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
