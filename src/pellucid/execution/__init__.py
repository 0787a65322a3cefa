"""How a network is run fast: fused, captured and replayed, frozen for inference.

A program has `forward` and `backward` as a layer has, and is not a layer: it runs a model. Without
this package and `pellucid.compiled` everything would be computed all the same.
"""

from __future__ import annotations

from pellucid.execution.ahead import compile_ahead, kept_kernels
from pellucid.execution.frozen import Frozen, freeze
from pellucid.execution.program import Program, fuse
from pellucid.execution.replay import TrainingProgram, for_training
from pellucid.execution.thread_tuning import ThreadTuner
