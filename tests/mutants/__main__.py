"""Break the library in one place at a time, and see whether a test notices.

    python tests/mutants                      # every break of every folder: many hours
    python tests/mutants -n 100 optim losses  # a hundred of each, the same for the same --seed
    python tests/mutants -n 100 --again       # and those once more that no test noticed

What was found is kept in build/mutants; a run that was interrupted goes on.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path

from breaks import Break, breaks, broken, python_files
from covering import STORE, Covering, keep_sources, learn, test_files
from forked import ROOT, SOURCE, Outcome, Watch, preload, run_tests
from warm import Warm

FOLDERS = (
    *("reference", "ops", "layers", "optim", "losses", "evaluation", "explain", "training"),
    *("execution", "data", "explorer", "teach", "interchange"),
)
_EQUIVALENT = Path(__file__).with_name("equivalent.txt")
_RESULTS = STORE / "results.jsonl"
_FIRST, _EACH, _MOST = 2.0, 15.0, 40.0
"""Seconds of tests that a break is shown to: of each near file first, of each file, and in all."""


@dataclass
class Tally:
    """What was found in one folder."""

    breaks: int
    tried: int = 0
    noticed: int = 0
    equivalent: int = 0

    @property
    def share(self) -> float:
        return self.noticed / max(self.tried - self.equivalent, 1)


def main() -> None:
    args = _arguments()
    preload()
    sources = keep_sources()
    warm = Warm([str(file.relative_to(ROOT)) for file in test_files(args.tests)])
    covering = learn(warm, sources)
    known, equivalent = _known(), read_equivalent()
    unnoticed, tallies = [], {}
    for folder in args.folders:
        everything = _breaks_of(folder)
        chosen = _sample(everything, args.seed)[: args.n]
        tally = tallies[folder] = Tally(len(everything))
        for found in chosen:
            ended = known.get(found.key, "")
            if not ended or (args.again and ended == "passed" and found.key not in equivalent):
                ended = _try(found, covering, warm)
            tally.tried += 1
            tally.noticed += ended != "passed"
            tally.equivalent += ended == "passed" and found.key in equivalent
            if ended == "passed" and found.key not in equivalent:
                unnoticed.append(found)
    _show(tallies, unnoticed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__.splitlines()[0])
    parser.add_argument(
        "folders", nargs="*", default=FOLDERS, metavar="FOLDER", help="of src/pellucid"
    )
    parser.add_argument("-n", type=int, default=10**9, help="so many breaks of each folder")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument(
        "--tests", action="append", default=[], metavar="PLACE", help="only those in tests/PLACE"
    )
    parser.add_argument("--again", action="store_true", help="try once more what nobody noticed")
    return parser.parse_args()


def _breaks_of(folder: str) -> list[Break]:
    return [
        found
        for file in python_files(SOURCE / folder)
        if "exercises" not in file.parts  # most of what they hold is wrong on purpose
        and "keras" not in file.parts  # TensorFlow does not outlive a fork
        for found in breaks(file.read_text(encoding="utf-8"), str(file.relative_to(SOURCE)))
    ]


def _sample(everything: list[Break], seed: int) -> list[Break]:
    """Return all breaks in an order that chance gave, and that later changes elsewhere leave."""
    return sorted(everything, key=lambda found: blake2b(f"{seed} {found.key}".encode()).digest())


def _try(found: Break, covering: Covering, warm: Warm) -> str:
    """Show one break to the tests that run its line, the nearest first; keep what came of it."""
    first, rest = _portions(found, covering)
    usual = {test: covering.seconds[test] for test in (*first, *rest)}
    outcome = warm.run(usual, _limit(usual, covering), found)
    if outcome.ended == "import":
        outcome = _imported_anew(found, covering, [first, rest])
    _RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with _RESULTS.open("a", encoding="utf-8") as results:
        kept = {"key": found.key, "ended": outcome.ended, "by": outcome.by}
        results.write(json.dumps({**kept, "seconds": round(outcome.seconds, 2)}) + "\n")
    print(f"{outcome.ended:7} {outcome.seconds:5.1f} s  {found.key[:150]}", flush=True)
    return outcome.ended


def _imported_anew(found: Break, covering: Covering, portions: list[list[str]]) -> Outcome:
    tree = broken((SOURCE / found.path).read_text(encoding="utf-8"), found.number)
    outcome = Outcome("passed", 0.0)
    for tests in filter(None, portions):
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        limit = _limit(tests, covering)
        watch = Watch(set(tests), {test: covering.seconds[test] for test in tests})
        outcome = run_tests(files, watch, limit, found.path, tree)
        if outcome.ended != "passed":
            break
    return outcome


def _limit(tests: Iterable[str], covering: Covering) -> float:
    return 5 * sum(covering.seconds[test] for test in tests) + 20


def _portions(found: Break, covering: Covering) -> tuple[list[str], list[str]]:
    """Return the quickest tests of the nearest two files, and those of the others."""
    files: dict[str, list[str]] = defaultdict(list)
    for test in sorted(covering.of(found.path, found.line), key=covering.seconds.__getitem__):
        files[test.partition("::")[0]].append(test)
    folder, stem = Path(found.path).parts[0].removesuffix(".py"), Path(found.path).stem

    def distance(file: str) -> tuple[bool, bool, int]:
        return stem not in Path(file).stem, f"tests/{folder}/" not in file, -len(files[file])

    near = sorted(files, key=distance)
    first = [test for file in near[:2] for test in _within(files[file], _FIRST, covering)]
    others = [test for file in files for test in _within(files[file], _EACH, covering)]
    rest = set(_within([test for test in others if test not in set(first)], _MOST, covering))
    return first, [test for file in near for test in files[file] if test in rest]


def _within(tests: list[str], most: float, covering: Covering) -> list[str]:
    """Return so many tests, the quickest first, as take `most` seconds."""
    tests = sorted(tests, key=covering.seconds.__getitem__)
    spent = accumulate(covering.seconds[test] for test in tests)
    return [test for test, until in zip(tests, spent, strict=True) if until < most] or tests[:1]


def _known() -> dict[str, str]:
    if not _RESULTS.is_file():
        return {}
    lines = map(json.loads, _RESULTS.read_text(encoding="utf-8").splitlines())
    return {line["key"]: line["ended"] for line in lines}


def read_equivalent() -> dict[str, str]:
    """Return the breaks that change nothing that is promised, each with the reason."""
    found, reasons = {}, ""
    for line in _EQUIVALENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            reasons = line[2:]
        elif line:
            found[line] = reasons
    return found


def _show(tallies: dict[str, Tally], unnoticed: list[Break]) -> None:
    print(f"\n{time.strftime('%Y-%m-%d')}\n")
    print("| folder | breaks | tried | noticed | equivalent | share |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for folder, t in tallies.items():
        print(
            f"| `{folder}` | {t.breaks:,} | {t.tried} | {t.noticed} | {t.equivalent} "
            f"| {100 * t.share:.1f} % |"
        )
    if unnoticed:
        print("\nNo test noticed:")
    for found in unnoticed:
        print(f"{(SOURCE / found.path).relative_to(ROOT)}:{found.line}\n    {found.key}")


if __name__ == "__main__":
    main()
