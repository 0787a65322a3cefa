"""Run networks fast: fused, captured and replayed, or frozen for inference.

A `Program` has the `forward` and `backward` of a layer but is not a layer: it runs a model. Without
this package and `pellucid.compiled`, everything is computed all the same, only more slowly.
"""

from __future__ import annotations

from pellucid.execution.ahead import compile_ahead as compile_ahead
from pellucid.execution.ahead import kept_kernels as kept_kernels
from pellucid.execution.announcing import listening as listening
from pellucid.execution.frozen import Frozen as Frozen
from pellucid.execution.frozen import freeze as freeze
from pellucid.execution.lockstep import Lockstep as Lockstep
from pellucid.execution.program import Program as Program
from pellucid.execution.program import fuse as fuse
from pellucid.execution.replay import TrainingProgram as TrainingProgram
from pellucid.execution.replay import for_training as for_training
from pellucid.execution.thread_tuning import ThreadTuner as ThreadTuner
