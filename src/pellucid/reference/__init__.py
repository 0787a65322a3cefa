"""The mathematics of the library in NumPy: functions of arrays, independent of layers."""

from __future__ import annotations

from pellucid.reference.activation import (
    activate,
    activate_gradient,
    elu,
    elu_gradient,
    gelu,
    gelu_gradient,
    hardswish,
    hardswish_gradient,
    leaky_relu,
    leaky_relu_gradient,
    prelu,
    prelu_input_gradient,
    prelu_weight_gradient,
    relu,
    relu6,
    relu6_gradient,
    relu_gradient,
    selu,
    selu_gradient,
    sigmoid,
    sigmoid_gradient,
    silu,
    silu_gradient,
    softplus,
    softplus_gradient,
    tanh,
    tanh_gradient,
)
from pellucid.reference.adaptive_pooling import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_gradient,
    adaptive_max_pool2d,
    adaptive_max_pool2d_gradient,
)
from pellucid.reference.batch import make_batch
from pellucid.reference.conv import (
    conv2d,
    conv2d_algorithm,
    conv2d_bias_gradient,
    conv2d_input_gradient,
    conv2d_weight_gradient,
)
from pellucid.reference.dropout import dropout
from pellucid.reference.erf import erf
from pellucid.reference.linear import (
    linear,
    linear_bias_gradient,
    linear_input_gradient,
    linear_weight_gradient,
)
from pellucid.reference.local_response import (
    local_response_norm,
    local_response_norm_gradient,
)
from pellucid.reference.loss import binary_cross_entropy, cross_entropy, mean_squared_error
from pellucid.reference.normalization import (
    batch_norm,
    batch_norm_gradient,
    batch_norm_inference_gradient,
    batch_norm_training,
    group_norm,
    group_norm_gradient,
    layer_norm,
    layer_norm_gradient,
    running_statistics,
)
from pellucid.reference.orthogonal import orthogonalize
from pellucid.reference.padding import pad2d, pad2d_gradient
from pellucid.reference.pooling import (
    avg_pool2d,
    avg_pool2d_gradient,
    max_pool2d,
    max_pool2d_gradient,
)
from pellucid.reference.resize import upsample2d, upsample2d_gradient
from pellucid.reference.shape import add_bias, add_to, concatenate, flatten, split, total, unflatten
from pellucid.reference.softmax import log_softmax, log_softmax_gradient, softmax, softmax_gradient
from pellucid.reference.update import adagrad, adam, are_finite, clip_norm, muon, rmsprop, sgd
