"""How a network is run fast: fused, captured and replayed, frozen for inference."""

from pellucid.execution.frozen import freeze
from pellucid.execution.fusion import for_engine, fuse
from pellucid.execution.replay import for_training
from pellucid.execution.thread_tuning import ThreadTuner
