"""Who takes part, and what each of them needs."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from pellucid import engine

PELLUCID, ON_NUMPY, PYTORCH, BF16 = "Pellucid", "Pellucid on NumPy", "PyTorch", "PyTorch, bf16"
TRAINING = ("training", "batches", "few images", "other layers")
TASKS = ("training", "inference", "few images", "other layers", "footprint", "batches")
"""What is measured, in this order; `batches` is training with other batch sizes than the first."""


@dataclass(frozen=True, eq=False)
class Contestant:
    """A framework with options.

    Parameters
    ----------
    name, label
        How it is called on the command line and in tables.
    family
        Of the contestants of one family the best counts.
    framework, options
        See `Job`.
    modules, program
        What has to be installed: importable modules, and one of these programs.
    tasks
        What it can do.
    usual
        The tasks of `benchmarks.run` in which it takes part if nobody is asked for by name.
    """

    name: str
    label: str
    family: str
    framework: str
    options: dict[str, Any] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ("training", "inference")
    usual: tuple[str, ...] = ("training",)

    def missing(self) -> str | None:
        """Return what is missing for it to take part, in words, or None."""
        absent = [module for module in self.modules if find_spec(module) is None]
        if absent:
            return f"{', '.join(absent)} not installed"
        if self.programs and not any(map(shutil.which, self.programs)):
            return f"none of the programs {', '.join(self.programs)} found"
        chosen = self.options.get("engine")
        if chosen is not None and chosen not in engine.NAMES:
            return f"there is no engine '{chosen}'"
        return None


def _pytorch(
    name: str,
    label: str,
    compiled: bool,
    channels_last: bool,
    usual: tuple[str, ...],
    bf16: str | None = None,
) -> Contestant:
    return Contestant(
        name,
        label,
        BF16 if bf16 else PYTORCH,
        "torch_",
        {"compile": compiled, "channels_last": channels_last, "bf16": bf16},
        modules=("torch",),
        programs=(os.environ.get("CXX", "g++"), "clang++") if compiled else (),
        usual=usual,
    )


CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        Contestant(
            "pellucid",
            PELLUCID,
            PELLUCID,
            "pellucid_",
            {"engine": "compiled"},
            modules=("numba",),
            usual=TASKS,
        ),
        _pytorch("torch", "PyTorch eager, NCHW", False, False, ("few images",)),
        _pytorch("torch-cl", "PyTorch eager, channels last", False, True, TASKS),
        _pytorch("torch-compile", "torch.compile, NCHW", True, False, ("inference",)),
        _pytorch(
            "torch-compile-cl",
            "torch.compile, channels last",
            True,
            True,
            ("training", "other layers", "inference", "footprint"),
        ),
        _pytorch(
            "torch-autocast",
            "PyTorch eager, bf16 autocast",
            False,
            True,
            (*TRAINING, "inference"),
            "autocast",
        ),
        _pytorch(
            "torch-compile-autocast",
            "torch.compile, bf16 autocast",
            True,
            True,
            ("training",),
            "autocast",
        ),
        _pytorch(
            "torch-bf16", "PyTorch eager, bf16 products", False, True, ("training",), "products"
        ),
        Contestant(
            "jax",
            "JAX",
            "JAX",
            "jax_",
            modules=("jax",),
            tasks=("training",),
            usual=("training", "footprint"),
        ),
        Contestant(
            "tensorflow",
            "TensorFlow",
            "TensorFlow",
            "tensorflow_",
            modules=("tensorflow",),
            tasks=("training",),
            usual=("training", "footprint"),
        ),
        Contestant(
            "onnxruntime",
            "ONNX Runtime",
            "ONNX Runtime",
            "onnxruntime_",
            modules=("onnx", "onnxruntime"),
            tasks=("inference",),
            usual=("inference",),
        ),
        Contestant(
            "reference",
            ON_NUMPY,
            ON_NUMPY,
            "pellucid_",
            {"engine": "reference"},
            tasks=("training",),
            usual=("training", "footprint"),
        ),
    )
}


def invited(task: str, names: Iterable[str] | None) -> list[Contestant]:
    """Return who takes part in a task: the named who can, or without names the usual ones."""
    if names is None:
        return [each for each in CONTESTANTS.values() if task in each.usual]
    does = task if task == "inference" else "training"
    able = (CONTESTANTS[name] for name in names if does in CONTESTANTS[name].tasks)
    return [each for each in able if task != "footprint" or each.family != BF16]


def present(contestants: Iterable[Contestant]) -> tuple[list[Contestant], dict[str, str]]:
    """Return those for whom everything is installed, and why others cannot take part."""
    reasons = {each: each.missing() for each in contestants}
    left_out = {each.name: reason for each, reason in reasons.items() if reason is not None}
    return [each for each in reasons if each.name not in left_out], left_out
