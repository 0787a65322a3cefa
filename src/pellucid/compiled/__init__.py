"""The functions of an engine, compiled for float32; see `pellucid.contract`.

Each states in its own file when it falls back to NumPy. `pellucid.compiled.fused` has what this
engine offers beyond the contract.
"""
# ruff: noqa: E402

from pellucid.runtime import threads

threads.configure()  # before anything imports Numba

from pellucid.compiled.activation import activate, activate_gradient, relu, relu_gradient
from pellucid.compiled.batch import make_batch
from pellucid.compiled.conv import (
    conv2d,
    conv2d_algorithm,
    conv2d_bias_gradient,
    conv2d_input_gradient,
    conv2d_weight_gradient,
)
from pellucid.compiled.dropout import dropout
from pellucid.compiled.epilogue import add_bias
from pellucid.compiled.group_norm import group_norm, group_norm_gradient
from pellucid.compiled.join import concatenate, split, total
from pellucid.compiled.layer_norm import layer_norm, layer_norm_gradient
from pellucid.compiled.layout import add_to, flatten, unflatten
from pellucid.compiled.linear import (
    linear,
    linear_bias_gradient,
    linear_input_gradient,
    linear_weight_gradient,
)
from pellucid.compiled.loss import binary_cross_entropy, cross_entropy, mean_squared_error
from pellucid.compiled.normalization import (
    batch_norm,
    batch_norm_gradient,
    batch_norm_training,
    running_statistics,
)
from pellucid.compiled.pooling import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_gradient,
    max_pool2d,
    max_pool2d_gradient,
)
from pellucid.compiled.resampling import (
    avg_pool2d,
    avg_pool2d_gradient,
    upsample2d,
    upsample2d_gradient,
)
from pellucid.compiled.update import adam, are_finite, sgd
