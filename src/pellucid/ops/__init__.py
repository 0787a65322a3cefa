"""What layers call: checked arguments, sent to the engine in force."""

from pellucid.ops.activation import (
    elu,
    elu_gradient,
    erf,
    gelu,
    gelu_gradient,
    hardswish,
    hardswish_gradient,
    leaky_relu,
    leaky_relu_gradient,
    log_softmax,
    log_softmax_gradient,
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
    softmax,
    softmax_gradient,
    softplus,
    softplus_gradient,
    tanh,
    tanh_gradient,
)
from pellucid.ops.batch import make_batch
from pellucid.ops.convolution import (
    conv2d,
    conv2d_bias_gradient,
    conv2d_input_gradient,
    conv2d_weight_gradient,
)
from pellucid.ops.dropout import dropout
from pellucid.ops.linear import (
    linear,
    linear_bias_gradient,
    linear_input_gradient,
    linear_weight_gradient,
)
from pellucid.ops.loss import binary_cross_entropy, cross_entropy, mean_squared_error
from pellucid.ops.normalization import (
    batch_norm,
    batch_norm_gradient,
    batch_norm_inference_gradient,
    batch_norm_training,
    group_norm,
    group_norm_gradient,
    layer_norm,
    layer_norm_gradient,
    local_response_norm,
    local_response_norm_gradient,
    running_statistics,
)
from pellucid.ops.padding import pad2d, pad2d_gradient
from pellucid.ops.pooling import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_gradient,
    adaptive_max_pool2d,
    adaptive_max_pool2d_gradient,
    avg_pool2d,
    avg_pool2d_gradient,
    max_pool2d,
    max_pool2d_gradient,
)
from pellucid.ops.resize import upsample2d, upsample2d_gradient
from pellucid.ops.shape import add_to, concatenate, flatten, split, total, unflatten
from pellucid.ops.transposed_convolution import (
    conv_transpose2d,
    conv_transpose2d_bias_gradient,
    conv_transpose2d_input_gradient,
    conv_transpose2d_weight_gradient,
)
