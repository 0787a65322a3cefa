"""The compiled engine's operations beyond the contract: several steps in one pass over memory.

`pellucid.execution` alone calls these functions; `pellucid.execution.contract` has their types.
"""

from pellucid.compiled.ahead import compile_ahead
from pellucid.compiled.conv import (
    conv2d,
    conv2d_input_gradient,
    conv2d_weight_gradient,
    reads_deferred,
)
from pellucid.compiled.epilogue import (
    deferred,
    epilogue,
    epilogue_gradient,
    norm_epilogue,
    norm_epilogue_gradient,
    relu_cache,
)
from pellucid.compiled.inference import convolve, max_pool_values, prepare, transform
from pellucid.compiled.store import kept_kernels

__all__ = [
    "compile_ahead",
    "conv2d",
    "conv2d_input_gradient",
    "conv2d_weight_gradient",
    "convolve",
    "deferred",
    "epilogue",
    "epilogue_gradient",
    "kept_kernels",
    "max_pool_values",
    "norm_epilogue",
    "norm_epilogue_gradient",
    "prepare",
    "reads_deferred",
    "relu_cache",
    "transform",
]
