"""Who takes part, and what each of them needs."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from pellucid import engine

PELLUCID, ON_NUMPY, PYTORCH, BF16 = "Pellucid", "Pellucid on NumPy", "PyTorch", "PyTorch, bf16"
COMPARED = (PELLUCID, PYTORCH, BF16)
"""The families that take part in every task."""


@dataclass(frozen=True)
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
        What it takes part in.
    """

    name: str
    label: str
    family: str
    framework: str
    options: dict[str, Any] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ("training", "inference")

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
    name: str, label: str, compiled: bool, channels_last: bool, bf16: str | None = None
) -> Contestant:
    return Contestant(
        name,
        label,
        BF16 if bf16 else PYTORCH,
        "torch_",
        {"compile": compiled, "channels_last": channels_last, "bf16": bf16},
        modules=("torch",),
        programs=(os.environ.get("CXX", "g++"), "clang++") if compiled else (),
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
        ),
        _pytorch("torch", "PyTorch eager, NCHW", False, False),
        _pytorch("torch-cl", "PyTorch eager, channels last", False, True),
        _pytorch("torch-compile", "torch.compile, NCHW", True, False),
        _pytorch("torch-compile-cl", "torch.compile, channels last", True, True),
        _pytorch("torch-autocast", "PyTorch eager, bf16 autocast", False, True, "autocast"),
        _pytorch("torch-compile-autocast", "torch.compile, bf16 autocast", True, True, "autocast"),
        _pytorch("torch-bf16", "PyTorch eager, bf16 products", False, True, "products"),
        Contestant("jax", "JAX", "JAX", "jax_", modules=("jax",), tasks=("training",)),
        Contestant(
            "tensorflow",
            "TensorFlow",
            "TensorFlow",
            "tensorflow_",
            modules=("tensorflow",),
            tasks=("training",),
        ),
        Contestant(
            "onnxruntime",
            "ONNX Runtime",
            "ONNX Runtime",
            "onnxruntime_",
            modules=("onnx", "onnxruntime"),
            tasks=("inference",),
        ),
        Contestant(
            "reference",
            ON_NUMPY,
            ON_NUMPY,
            "pellucid_",
            {"engine": "reference"},
            tasks=("training",),
        ),
    )
}


def present(names: Iterable[str], task: str) -> tuple[list[Contestant], dict[str, str]]:
    """Return those of the named contestants that can do the task, and why others cannot."""
    invited = [CONTESTANTS[name] for name in names if task in CONTESTANTS[name].tasks]
    reasons = {contestant.name: contestant.missing() for contestant in invited}
    left_out = {name: reason for name, reason in reasons.items() if reason is not None}
    return [c for c in invited if c.name not in left_out], left_out
