"""How long each kernel takes to compile, and how large what comes out is.

    python -m benchmarks.compile_time [MODEL …]

Each kernel that training and validating the networks needs is compiled in this process, one after
the other, with an empty cache folder. Seconds are those of the processor, so a busy machine does
not change them much. Helpers that several kernels call count for the first of them.
"""

import argparse
import os
import tempfile
import time

import numpy as np

from pellucid import layers, models, optim
from pellucid.data import DataSet

MODELS = {"vgg": ((1, 8, 8), 32), "lenet5": ((1, 28, 28), 64), "resnet20": ((3, 32, 32), 64)}
"""The shape of an image, and the batch size."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", choices=MODELS, default=list(MODELS))
    with tempfile.TemporaryDirectory() as home:
        os.environ["PELLUCID_HOME"] = home  # before a kernel is looked for
        rows = [row for name in parser.parse_args().models for row in _compiled(name)]
    print("| kernel | first needed by | seconds | kB |\n| --- | --- | ---: | ---: |")
    for kernel, model, seconds, size in sorted(rows, key=lambda row: -row[2]):
        print(f"| {kernel} | {model} | {seconds:.2f} | {size / 1000:.0f} |")
    seconds, size = sum(row[2] for row in rows), sum(row[3] for row in rows)
    print(f"| *{len(rows)} kernels* | | {seconds:.1f} | {size / 1000:.0f} |")


def _compiled(name: str) -> list[tuple[str, str, float, int]]:
    from pellucid.compiled import ahead, store
    from pellucid.runtime.compiling import silence

    rows = []
    with silence():
        for kernel, types in ahead.needed(_rehearsed(name)):
            dispatcher = kernel.dispatcher()
            if types in dispatcher.overloads:
                continue
            before, began = sum(store.kept_kernels()[0]), time.process_time()
            dispatcher.compile(types)
            seconds = time.process_time() - began
            rows.append((str(kernel), name, seconds, sum(store.kept_kernels()[0]) - before))
    return rows


def _rehearsed(name: str) -> object:
    from pellucid.training import TrainingState, rehearsal
    from pellucid.training.loop import take_step
    from pellucid.training.prepare import prepare

    shape, batch_size = MODELS[name]
    model = layers.initialize(models.build(name, shape, 10), 0)
    state = TrainingState(model, optim.AdamW(model.parameters()), batch_size=batch_size)
    count = 10 * batch_size
    images = np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
    data = DataSet(images, np.arange(count) % 10, tuple("0123456789"), "noise")
    return rehearsal.calls(state, *prepare(state, data, data), take_step)


if __name__ == "__main__":
    main()
