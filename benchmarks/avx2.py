"""Pellucid beside PyTorch on a processor with AVX2, or on a wider one where neither may use more.

    python -m benchmarks.avx2 [--networks lenet …] [--batch 64 8]

On a wider processor, Pellucid's kernels are compiled for x86-64-v3, and oneDNN, MKL and PyTorch's
own kernels are told to use AVX2 at most; each row is also measured with all that the processor can
do. The table is written into ``docs/compiled-engine.md``, one for each kind of processor.
"""

import argparse
import platform
from datetime import UTC, datetime
from statistics import median

from benchmarks import pages
from benchmarks.contestants import PELLUCID, PYTORCH, invited, present
from benchmarks.machine import machine
from benchmarks.measure import Settings, measure
from benchmarks.networks import NETWORKS
from benchmarks.process import ROOT, granted_processors
from benchmarks.report import ratio, time_of
from benchmarks.results import geometric_mean
from pellucid.compiled.levels import LEVELS, level_of

PAGE = ROOT / "docs" / "compiled-engine.md"
_LEVEL = next(level for level in LEVELS if level.name == "x86-64-v3")
HELD = {
    "NUMBA_CPU_NAME": _LEVEL.name,
    "NUMBA_CPU_FEATURES": _LEVEL.features,
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
}
"""The environment in which everybody uses AVX2 at most."""
CONTESTANTS = ("pellucid", "torch", "torch-cl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--batch", nargs="+", type=int, default=[64, 8])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4)
    asked = parser.parse_args()
    settings = Settings(granted_processors(), asked.turns, asked.seconds)
    contestants, _ = present(invited("training", CONTESTANTS))
    is_wider = LEVELS[0] == level_of(platform.machine())
    environments = (HELD, {}) if is_wider else ({},)
    heads = ["network", "batch", PELLUCID, PYTORCH, "against PyTorch"]
    heads += ["with all"] if is_wider else []
    lines = []
    for batch in asked.batch:
        middles = []
        for network in asked.networks:
            rows = [
                measure("training", network, batch, contestants, settings, environment)
                for environment in environments
            ]
            ratios = [row.ratios(PELLUCID, PYTORCH) for row in rows]
            middles.append([median(each) for each in ratios])
            times = [time_of(rows[0], family) for family in (PELLUCID, PYTORCH)]
            lines.append([network, f"{batch}", *times, *map(ratio, ratios)])
            print(*lines[-1], sep=" | ", flush=True)
        means = [f"**{geometric_mean(each):.2f}×**" for each in zip(*middles, strict=True)]
        lines.append(["*geometric mean*", f"{batch}", "", "", *means])
    held = ", held to AVX2 and *with all* that the processor can do" if is_wider else ""
    about = (
        f"Milliseconds for a step of training, and how many times as fast as PyTorch's eager mode "
        f"in its better order{held}. {machine()['processor']}, {settings.threads} threads, "
        f"{datetime.now(UTC).date().isoformat()}; medians of {settings.turns} turns with their "
        "range. Written by `python -m benchmarks.avx2`."
    )
    name = "held-to-avx2" if is_wider else "avx2"
    pages.write(PAGE, name, f"{about}\n\n{pages.table(heads, lines)}")


if __name__ == "__main__":
    main()
