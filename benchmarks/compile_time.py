"""How long each kernel takes to compile, and how large what comes out is.

    python -m benchmarks.compile_time [--write] [MODEL …]

Each kernel that training and validating the networks needs is compiled in this process, one after
the other, with an empty cache folder. Seconds are those of the processor, so a busy machine does
not change them much. Functions that are part of several kernels count for the first of them.
With ``--write`` the table is written into the documentation.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator

import numpy as np

from benchmarks import pages
from benchmarks.first_minute import PAGE
from pellucid import layers, models, optim
from pellucid.data import DataSet

MODELS = {"vgg": ((1, 8, 8), 32), "lenet5": ((1, 28, 28), 64), "resnet20": ((3, 32, 32), 64)}
"""The shape of an image, and the batch size."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the table into docs")
    parser.add_argument("models", nargs="*", choices=[*MODELS, []], metavar="MODEL")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["PELLUCID_HOME"] = home  # before a kernel is looked for
        names = asked.models or list(MODELS)
        rows = [row for name in names for row in _compiled(name)]
    table = "\n".join(_table(rows, names))
    print(table)
    if asked.write:
        pages.write(PAGE, "compile-time", table)


Row = tuple[str, str, float, int]
"""A kernel, the first network that needs it, seconds and bytes."""


def _table(rows: list[Row], names: list[str]) -> Iterator[str]:
    yield "| kernel | first needed by | seconds | kB |"
    yield "| --- | --- | ---: | ---: |"
    for kernel, model, seconds, size in sorted(rows, key=lambda row: -row[2]):
        yield f"| `{kernel}` | {model} | {seconds:.2f} | {size / 1000:.0f} |"
    for name in names:
        own = [row for row in rows if row[1] == name]
        seconds, size = sum(row[2] for row in own), sum(row[3] for row in own)
        yield f"| *{len(own)} kernels* | {name} | {seconds:.1f} | {size / 1000:.0f} |"


def _compiled(name: str) -> list[Row]:
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
