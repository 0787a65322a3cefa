"""Imports go down one list, and what is optional is imported where it is needed.

These rules are read from the source: who breaks one sees the line here.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

import pellucid

ROOT = Path(pellucid.__file__).parent

LEVELS = (
    ("__main__",),
    ("cli",),
    ("explorer",),
    ("teach",),
    ("estimator", "view", "interchange", "explain", "evaluation"),
    ("training",),
    ("parallel",),
    ("execution",),
    ("losses", "optim", "models", "nn"),
    ("layers",),
    ("ops",),
    ("engine",),
    ("compiled",),
    ("reference",),
    (
        "contract",
        "initializers",
        "geometry",
        "parameter",
        "pixel_scale",
        "preprocessing",
        "randomness",
    ),
    ("runtime",),
    (
        "arguments",
        "descriptions",
        "errors",
        "files",
        "keywords",
        "memoize",
        "notebook",
        "stored",
        "types",
    ),
)
"""From the top down. A part may import what stands below it."""

FLOOR = LEVELS[-3] + LEVELS[-2] + LEVELS[-1]
"""Small modules that may also import one another."""

ASIDE = {
    "data": {
        "arguments",
        "errors",
        "types",
        "randomness",
        "files",
        "descriptions",
        "notebook",
        "runtime",
        "stored",
    },
    "testing": {"errors", "types", "geometry", "parameter", "randomness", "ops", "layers"},
}
"""What stands beside the list, and what it may import; only `cli` and `explorer` import `data`."""

BY_NAME = {("training", "pellucid.data", "augment")}
"""What is looked up there, in a function, when a user gives it by name."""

NEVER = {
    "losses": {"layers", "models", "optim"},
    "optim": {"layers", "models", "losses"},
    "training": {"data", "view", "cli"},
    "models": {"losses", "optim"},
}

THIRD_PARTY = {
    "cli": {"typer", "rich", "numba", "threadpoolctl"},
    "compiled": {"numba", "llvmlite"},
    "data": {"pandas", "PIL", "pooch", "pyarrow", "requests", "rich", "sklearn"},
    "estimator": {"sklearn"},
    "explorer": {"anywidget", "sklearn", "starlette", "traitlets", "uvicorn"},
    "evaluation": {"pandas"},
    "parallel": {"mpi4py"},
    "interchange": {"safetensors", "onnx", "torch", "tensorflow", "keras"},
    "testing": {"hypothesis"},
    "runtime": {"rich", "threadpoolctl"},
    "training": {"mlflow", "pandas", "rich", "safetensors", "tensorboard", "wandb"},
    "view": {"matplotlib", "pandas", "PIL"},
}
"""Besides NumPy. The library itself, from layers down, needs nothing else."""

ON_IMPORT = {
    "cli": {"typer", "rich"},
    "compiled": {"numba", "llvmlite"},
    "estimator": {"sklearn"},
    "interchange": {"safetensors", "torch"},  # torch: in what pl.interchange.torch loads when used
    "testing": {"hypothesis"},
    "training": {"safetensors"},
    "view": {"matplotlib"},
}
"""Of these, what may stand at the head of a module, and not only in the function that needs it."""

ROOTS_OWN = ""
"""The target of `import pellucid`, from which the upper parts read the version."""

ALGORITHMS = ("loops", "im2col", "fft", "winograd")


@dataclass(frozen=True)
class Import:
    """One imported name, with where it stands."""

    path: Path
    line: int
    module: str
    name: str
    runs_on_import: bool
    for_types_only: bool

    @property
    def part(self) -> str:
        """The part of the library that imports."""
        return part_of(self.path)

    @property
    def target(self) -> str:
        """The part of the library that is imported."""
        below = self.module.split(".")[1:]
        return below[0] if below else self.name

    @property
    def is_own(self) -> bool:
        return self.module.split(".")[0] == "pellucid"

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT.parent)}:{self.line} imports {self.module} {self.name}"


def part_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def read(path):
    """Return the imports of a file."""
    found = []

    def visit(node, on_import, types_only):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            on_import = False
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            types_only = True
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are written out in full"
            pairs = [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            pairs = [(alias.name, "") for alias in node.names]
        else:
            pairs = []
        found.extend(
            Import(path, node.lineno, *pair, on_import and not types_only, types_only)
            for pair in pairs
        )
        for child in ast.iter_child_nodes(node):
            visit(child, on_import, types_only)

    visit(ast.parse(path.read_text(encoding="utf-8")), True, False)
    return found


FILES = sorted(ROOT.rglob("*.py"))
IMPORTS = [found for path in FILES for found in read(path)]
OWN = [found for found in IMPORTS if found.is_own and found.path != ROOT / "__init__.py"]
OTHERS = [
    found
    for found in IMPORTS
    if not found.is_own and found.module.split(".")[0] not in sys.stdlib_module_names
]


def level(part):
    """Return how far down the list a part stands; -1 where it does not, above all."""
    return next((i for i, parts in enumerate(LEVELS) if part in parts), -1)


def _looked_up(found):
    return (found.part, found.module, found.name) in BY_NAME and not found.runs_on_import


def listed(imports):
    return "\n".join(map(str, imports))


def test_every_part_has_its_place():
    parts = {part_of(path) for path in FILES} - {"__init__"}
    assert parts <= {part for parts in LEVELS for part in parts} | ASIDE.keys()


def test_imports_go_down_the_list():
    wrong = [
        found
        for found in OWN
        if found.part not in ASIDE
        and found.target not in (found.part, *ASIDE)
        and not (found.target == ROOTS_OWN and level(found.part) <= level("training"))
        and not (found.part in FLOOR and found.target in FLOOR)
        and level(found.target) <= level(found.part)
    ]
    assert not wrong, listed(wrong)


def test_data_and_testing_stand_aside():
    wrong = [
        found
        for found in OWN
        if found.part in ASIDE and found.target not in (ASIDE[found.part] | {found.part})
    ]
    wrong += [
        found
        for found in OWN
        if found.target in ASIDE
        and found.part not in (found.target, "cli", "explorer", "__main__")
        and not _looked_up(found)
    ]
    assert not wrong, listed(wrong)


def test_what_is_never_imported_from_where():
    wrong = [
        found
        for found in OWN
        if found.target in NEVER.get(found.part, ()) and not _looked_up(found)
    ]
    assert not wrong, listed(wrong)


def test_no_convolution_algorithm_imports_another():
    for package in ("reference", "compiled"):
        for algorithm in ALGORITHMS:
            path = ROOT / package / "conv" / f"{algorithm}.py"
            others = {f"pellucid.{package}.conv.{name}" for name in ALGORITHMS if name != algorithm}
            wrong = [
                found
                for found in OWN
                if found.path == path
                and (found.module in others or f"{found.module}.{found.name}" in others)
            ]
            assert not wrong, listed(wrong)


def test_pictures_know_no_concrete_layer():
    wrong = [
        found
        for found in OWN
        if found.part == "view"
        and found.target == "layers"
        and (found.module, found.name) not in {("pellucid.layers", "Layer")}
    ]
    assert not wrong, listed(wrong)


REACHED_FROM = {
    "reference": {"reference", "compiled", "engine", "ops", "optim", "layers"},
    "compiled": {"compiled", "engine", "execution"},
    "execution": {
        *("execution", "training", "evaluation", "estimator", "interchange", "explain", "cli"),
    },
}
"""Which parts import the engines, and what runs networks fast."""


@pytest.mark.parametrize("target", REACHED_FROM)
def test_engines_and_execution_are_reached_from_a_few_parts_alone(target):
    wrong = [
        found
        for found in OWN
        if found.target == target
        and found.part not in REACHED_FROM[target]
        and "choose" not in (found.name, found.module.split(".")[-1])  # the list of algorithms
    ]
    assert not wrong, listed(wrong)


@pytest.mark.parametrize("part", ["reference", "ops", "layers"])
def test_who_reads_the_mathematics_and_the_layers_meets_nothing_of_speed(part):
    wrong = [f for f in OWN if f.part == part and f.target in ("runtime", "compiled", "execution")]
    assert not wrong, listed(wrong)
    words = re.compile(
        r"\b(fuse[ds]?|kernels? call|deferred|replay\w*|captur\w*|overwrite\w*|onto)\b"
    )
    for path in (ROOT / part).rglob("*.py"):
        found = words.findall(path.read_text(encoding="utf-8"))
        assert not found, f"{path.relative_to(ROOT)} speaks of {found}"


ALONE = """
import numpy as np
from pellucid import layers as nn, losses, models, optim
model, context = models.resnet20((3, 8, 8), 10), nn.StepContext()
x, targets = np.ones((4, 3, 8, 8), np.float32), np.array([0, 1, 2, 3])
adam = optim.Adam(model.named_parameters())
found = []
for _ in range(3):
    y, cache = model.forward(x, context)
    loss, dy = losses.cross_entropy(y, targets)
    adam.zero_grad()
    model.backward(dy, cache)
    adam.step()
    context.commit()
    found.append(loss)
assert found[2] < found[0], found
"""


def test_everything_computes_without_what_makes_it_fast(tmp_path):
    copy = tmp_path / "pellucid"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("execution", "compiled"):
        shutil.rmtree(copy / part)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PELLUCID_ENGINE": "reference"}
    subprocess.run([sys.executable, "-c", ALONE], check=True, env=environment, cwd=tmp_path)


def test_no_module_takes_what_another_keeps_to_itself():
    wrong = [
        found
        for found in OWN
        if (found.name.startswith("_") and found.name != "__version__")
        or any(step.startswith("_") for step in found.module.split(".")[1:])
    ]
    assert not wrong, listed(wrong)


def test_other_packages_are_used_at_the_edges_alone():
    wrong = [
        found
        for found in OTHERS
        if (package := found.module.split(".")[0]) != "numpy"
        and package not in THIRD_PARTY.get(found.part, ())
    ]
    assert not wrong, listed(wrong)


def test_optional_packages_are_imported_where_they_are_needed():
    wrong = [
        found
        for found in OTHERS
        if found.runs_on_import
        and (package := found.module.split(".")[0]) != "numpy"
        and package not in ON_IMPORT.get(found.part, ())
    ]
    assert not wrong, listed(wrong)


def test_these_rules_can_be_broken(tmp_path):
    """What reads the imports sees them all: in functions, in conditions, for types."""
    path = tmp_path / "module.py"
    path.write_text(
        "import numpy.linalg\n"
        "if TYPE_CHECKING:\n    import pandas\n"
        "def f():\n    from pellucid.layers.base import Layer as L, _hidden\n"
        "class C:\n    import rich\n"
    )
    found = {(i.module, i.name): (i.line, i.runs_on_import) for i in read(path)}
    assert found == {
        ("numpy.linalg", ""): (1, True),
        ("pandas", ""): (3, False),
        ("pellucid.layers.base", "Layer"): (5, False),
        ("pellucid.layers.base", "_hidden"): (5, False),
        ("rich", ""): (7, True),
    }
    path.write_text("from . import layers\n")
    with pytest.raises(AssertionError, match="written out in full"):
        read(path)
    assert all(level(a[0]) < level(b[0]) for a, b in pairwise(LEVELS))
    assert len(IMPORTS) > len(FILES)


FRESH = """
import sys
before = set(sys.modules)
import pellucid
{use}
new = {{name.split(".")[0] for name in set(sys.modules) - before}} - sys.stdlib_module_names
print(*sorted(new), *(name for name in sys.modules if name.startswith("pellucid.")))
"""
OPTIONAL = {"CNNClassifier", "CNNRegressor", "view"}


def loaded(use: str = "") -> set[str]:
    """What `import pellucid`, and then `use`, load."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", FRESH.format(use=use)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(run.stdout.split())


def test_importing_pellucid_loads_what_it_offers_when_it_is_asked_for():
    assert loaded() <= {"pellucid", "pellucid.errors", "pellucid.notebook"}
    assert {"pellucid.layers", "numpy"} <= loaded("pellucid.layers")


def test_all_that_needs_no_extra_loads_numpy_and_safetensors_alone():
    names = sorted(set(pellucid.__all__) - OPTIONAL)
    found = loaded("; ".join(f"pellucid.{name}" for name in names))
    others = {name for name in found if not name.startswith(("pellucid", "_cython", "cython"))}
    assert others <= {"safetensors", "numpy"}  # of which NumPy brings Cython's
    assert "pellucid.training" in found
