"""Operations that layers call: they check the arguments and call the engine in use."""

from __future__ import annotations

from pellucid.notebook import public_names as _public_names
from pellucid.ops.activation import elu as elu
from pellucid.ops.activation import elu_gradient as elu_gradient
from pellucid.ops.activation import erf as erf
from pellucid.ops.activation import gelu as gelu
from pellucid.ops.activation import gelu_gradient as gelu_gradient
from pellucid.ops.activation import hardswish as hardswish
from pellucid.ops.activation import hardswish_gradient as hardswish_gradient
from pellucid.ops.activation import leaky_relu as leaky_relu
from pellucid.ops.activation import leaky_relu_gradient as leaky_relu_gradient
from pellucid.ops.activation import log_softmax as log_softmax
from pellucid.ops.activation import log_softmax_gradient as log_softmax_gradient
from pellucid.ops.activation import prelu as prelu
from pellucid.ops.activation import prelu_input_gradient as prelu_input_gradient
from pellucid.ops.activation import prelu_weight_gradient as prelu_weight_gradient
from pellucid.ops.activation import relu as relu
from pellucid.ops.activation import relu6 as relu6
from pellucid.ops.activation import relu6_gradient as relu6_gradient
from pellucid.ops.activation import relu_gradient as relu_gradient
from pellucid.ops.activation import selu as selu
from pellucid.ops.activation import selu_gradient as selu_gradient
from pellucid.ops.activation import sigmoid as sigmoid
from pellucid.ops.activation import sigmoid_gradient as sigmoid_gradient
from pellucid.ops.activation import silu as silu
from pellucid.ops.activation import silu_gradient as silu_gradient
from pellucid.ops.activation import softmax as softmax
from pellucid.ops.activation import softmax_gradient as softmax_gradient
from pellucid.ops.activation import softplus as softplus
from pellucid.ops.activation import softplus_gradient as softplus_gradient
from pellucid.ops.activation import tanh as tanh
from pellucid.ops.activation import tanh_gradient as tanh_gradient
from pellucid.ops.batch import make_batch as make_batch
from pellucid.ops.convolution import conv2d as conv2d
from pellucid.ops.convolution import conv2d_bias_gradient as conv2d_bias_gradient
from pellucid.ops.convolution import conv2d_input_gradient as conv2d_input_gradient
from pellucid.ops.convolution import conv2d_weight_gradient as conv2d_weight_gradient
from pellucid.ops.dropout import dropout as dropout
from pellucid.ops.linear import linear as linear
from pellucid.ops.linear import linear_bias_gradient as linear_bias_gradient
from pellucid.ops.linear import linear_input_gradient as linear_input_gradient
from pellucid.ops.linear import linear_weight_gradient as linear_weight_gradient
from pellucid.ops.loss import binary_cross_entropy as binary_cross_entropy
from pellucid.ops.loss import cross_entropy as cross_entropy
from pellucid.ops.loss import mean_squared_error as mean_squared_error
from pellucid.ops.normalization import batch_norm as batch_norm
from pellucid.ops.normalization import batch_norm_gradient as batch_norm_gradient
from pellucid.ops.normalization import (
    batch_norm_inference_gradient as batch_norm_inference_gradient,
)
from pellucid.ops.normalization import batch_norm_training as batch_norm_training
from pellucid.ops.normalization import group_norm as group_norm
from pellucid.ops.normalization import group_norm_gradient as group_norm_gradient
from pellucid.ops.normalization import layer_norm as layer_norm
from pellucid.ops.normalization import layer_norm_gradient as layer_norm_gradient
from pellucid.ops.normalization import local_response_norm as local_response_norm
from pellucid.ops.normalization import local_response_norm_gradient as local_response_norm_gradient
from pellucid.ops.normalization import running_statistics as running_statistics
from pellucid.ops.padding import pad2d as pad2d
from pellucid.ops.padding import pad2d_gradient as pad2d_gradient
from pellucid.ops.pooling import adaptive_avg_pool2d as adaptive_avg_pool2d
from pellucid.ops.pooling import adaptive_avg_pool2d_gradient as adaptive_avg_pool2d_gradient
from pellucid.ops.pooling import adaptive_max_pool2d as adaptive_max_pool2d
from pellucid.ops.pooling import adaptive_max_pool2d_gradient as adaptive_max_pool2d_gradient
from pellucid.ops.pooling import avg_pool2d as avg_pool2d
from pellucid.ops.pooling import avg_pool2d_gradient as avg_pool2d_gradient
from pellucid.ops.pooling import max_pool2d as max_pool2d
from pellucid.ops.pooling import max_pool2d_gradient as max_pool2d_gradient
from pellucid.ops.resize import upsample2d as upsample2d
from pellucid.ops.resize import upsample2d_gradient as upsample2d_gradient
from pellucid.ops.shape import add_to as add_to
from pellucid.ops.shape import concatenate as concatenate
from pellucid.ops.shape import flatten as flatten
from pellucid.ops.shape import split as split
from pellucid.ops.shape import total as total
from pellucid.ops.shape import unflatten as unflatten
from pellucid.ops.transposed_convolution import conv_transpose2d as conv_transpose2d
from pellucid.ops.transposed_convolution import (
    conv_transpose2d_bias_gradient as conv_transpose2d_bias_gradient,
)
from pellucid.ops.transposed_convolution import (
    conv_transpose2d_input_gradient as conv_transpose2d_input_gradient,
)
from pellucid.ops.transposed_convolution import (
    conv_transpose2d_weight_gradient as conv_transpose2d_weight_gradient,
)


def __dir__() -> list[str]:
    return _public_names(globals())
