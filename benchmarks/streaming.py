"""Images a second of training from a folder of JPEGs, decoded meanwhile, against from memory.

    python -m benchmarks.streaming [COUNT]

ResNet-20 trains on 50,000 made JPEGs of 64×64, or as many as are named. They are written once, to
``build/benchmarks/jpegs``. Three ways to read them take turns: all decoded in memory, decoded again
in each epoch by threads (``memory="64MB"``), and decoded once to the disk (``cache=True``).
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from pellucid import data, models, optim, training
from pellucid.data.dataset import DataSet

FOLDER = Path(__file__).parents[1] / "build" / "benchmarks" / "jpegs"
SIZE, CLASSES, BATCH = 64, 10, 64
TURNS, WARM, STEPS = 3, 10, 50
WAYS: dict[str, Any] = {
    "from memory": {},
    "streamed": {"memory": "64MB"},
    "streamed from the cache": {"memory": "64MB", "cache": True},
}


def main(count: int = 50_000) -> None:
    make(count)
    steps = {}
    for way, options in WAYS.items():
        began = time.perf_counter()
        found = data.load(FOLDER, size=SIZE, **options).train
        print(f"{way}: {len(found):,} images, ready in {time.perf_counter() - began:.1f} s")
        steps[way] = found
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for turn in range(TURNS):
        for way in WAYS if turn % 2 == 0 else reversed(WAYS):
            times[way].append(measured(steps[way], turn))
    plain = median(wall for wall, _ in times["from memory"])
    print(
        "\n| | images a second | against memory | CPU ms an image |\n| --- | ---: | ---: | ---: |"
    )
    for way, pairs in times.items():
        wall, cpu = (median(values) for values in zip(*pairs, strict=True))
        print(f"| {way} | {1 / wall:.0f} | {100 * plain / wall:.1f} % | {1000 * cpu:.2f} |")


def make(count: int) -> None:
    """Write the images, unless they are there: blurred noise, whose files are 2 kB as of photos."""
    drawn = np.random.default_rng(0)
    for number in range(count):
        path = FOLDER / f"class{number % CLASSES}" / f"{number}.jpg"
        if number < CLASSES:
            path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            continue
        small = Image.fromarray(drawn.integers(0, 256, (16, 16, 3), np.uint8))
        small.resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(path, quality=90)


def measured(images: DataSet, turn: int) -> tuple[float, float]:
    """Return the seconds, and those of all processors, that training takes for an image."""
    model = models.resnet20((3, SIZE, SIZE), CLASSES)
    sgd = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    state = training.TrainingState(model, sgd, batch_size=BATCH, epochs=1, seed=turn)
    records = training.records(state, images)
    take(records, WARM)  # captured, and as much decoded ahead as may be
    began, used = time.perf_counter(), time.process_time()
    take(records, STEPS)
    ended, spent = time.perf_counter(), time.process_time()
    return (ended - began) / (STEPS * BATCH), (spent - used) / (STEPS * BATCH)


def take(records: Iterator[training.Record], count: int) -> None:
    for _ in range(count):
        next(records)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
