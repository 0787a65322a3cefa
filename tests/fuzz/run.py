"""Gives every reader thousands of damaged files.

    make fuzz N=100000             # so many cases, divided among the readers
    make fuzz N=1000 ARGS=npz      # for one reader alone
    make fuzz ARGS="npz --case 17" # one case again, in a process without limits, with its files

No file may end the process, take more than a second of the processor or more memory than 64 MiB and
twenty times the file's size, or raise anything but a `PellucidError`. Cases run in child processes,
many in each; one that dies is replaced. A case is made from its reader's name and its number, so
what was found once is found again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.child import read
from tests.fuzz.readers import READERS, made

ROOT = Path(__file__).parents[2]
_PATIENCE = 300.0  # seconds without a next case, after which a child hangs; others may be busy too
_SAID = 20


@dataclass
class Tally:
    """What came of a reader's cases.

    Attributes
    ----------
    outcomes
        How often it was "read", "refused" or "wrong".
    wrong
        The first case of each kind of fault.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def add_wrong(self, case: int, what: str) -> None:
        self.outcomes["wrong"] += 1
        self.wrong.setdefault(what, case)


def fuzz(name: str, first: int, count: int) -> Tally:
    """Return what comes of `count` cases of a reader, from the number `first` on."""
    tally, number, stop = Tally(), first, first + count
    began = time.monotonic()
    while number < stop:
        number = _run_child(name, number, stop, tally)
    tally.seconds = time.monotonic() - began
    return tally


def _run_child(name: str, first: int, stop: int, tally: Tally) -> int:
    """Run cases in one child until all are done or it ends, and return which one is next."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "src", ROOT / "tests" / "helpers"))),
        "PELLUCID_ENGINE": "reference",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with tempfile.TemporaryDirectory() as folder:
        progress, out, log = (Path(folder) / file for file in ("progress", "out", "log"))
        progress.write_bytes(first.to_bytes(8, "little"))
        arguments = [name, str(first), str(stop), str(progress)]
        with out.open("wb") as found, log.open("wb") as said:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.fuzz.child", *arguments],
                env=environment, cwd=ROOT, stdout=found, stderr=said,
            )  # fmt: skip
            hung = _wait(child, progress)
        done = False
        for line in out.read_text(encoding="utf-8").splitlines():
            told = json.loads(line)
            if done := "done" in told:
                tally.outcomes += Counter(told["done"])
            else:
                tally.add_wrong(told["case"], told["wrong"])
        if done:
            return stop
        last = int.from_bytes(progress.read_bytes(), "little")
        what = "hangs" if hung else f"ends the process with {child.returncode}"
        tally.add_wrong(last, f"{what}: {log.read_text(errors='replace')[-500:]}")
        tally.outcomes["unknown"] += last - first
        return last + 1


def _wait(child: subprocess.Popen[bytes], progress: Path) -> bool:
    """Wait for the child's end, and return whether it had to be made to end."""
    last, since = b"", time.monotonic()
    while True:
        try:
            child.wait(0.5)
        except subprocess.TimeoutExpired:
            now = progress.read_bytes()
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > _PATIENCE:
                child.kill()
                child.wait()
                return True
        else:
            return False


def repeat(name: str, case: int, folder: Path) -> None:
    """Make one case again, leave its files in `folder`, and read it with a traceback."""
    folder = folder / "case"
    files = made(name, case)
    print(read(READERS[name], folder, files, limited=False), f"(files in {folder})")
    READERS[name].read(folder / next(iter(files)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("readers", nargs="*", help=f"of {', '.join(READERS)}; all by default")
    parser.add_argument("--cases", type=int, default=10_000, help="how many, for all readers")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--case", type=int, help="read this one case of one reader again")
    chosen = parser.parse_args()
    names = chosen.readers or list(READERS)
    if chosen.case is not None:
        repeat(names[0], chosen.case, Path(tempfile.mkdtemp()))
        return 0
    total = 0
    print(f"{'reader':16} {'cases':>9} {'read':>9} {'refused':>9} {'wrong':>7} {'ms each':>8}")
    for name in names:
        tally = fuzz(name, chosen.first, chosen.cases // len(names))
        count, total = tally.outcomes.total(), total + tally.outcomes["wrong"]
        each = 1000 * tally.seconds / max(count, 1)
        columns = (tally.outcomes[kind] for kind in ("read", "refused", "wrong"))
        read_, refused, wrong = columns
        print(f"{name:16} {count:9,} {read_:9,} {refused:9,} {wrong:7,} {each:8.2f}", flush=True)
        for what, case in list(tally.wrong.items())[:_SAID]:
            print(f"    case {case}: {what}", flush=True)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
