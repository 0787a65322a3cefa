"""The mathematics in NumPy: arrays in, arrays out. It knows no layers."""

from pellucid.reference.activation import elu as elu
from pellucid.reference.activation import elu_gradient as elu_gradient
from pellucid.reference.activation import gelu as gelu
from pellucid.reference.activation import gelu_gradient as gelu_gradient
from pellucid.reference.activation import hardswish as hardswish
from pellucid.reference.activation import hardswish_gradient as hardswish_gradient
from pellucid.reference.activation import leaky_relu as leaky_relu
from pellucid.reference.activation import leaky_relu_gradient as leaky_relu_gradient
from pellucid.reference.activation import prelu as prelu
from pellucid.reference.activation import prelu_input_gradient as prelu_input_gradient
from pellucid.reference.activation import prelu_weight_gradient as prelu_weight_gradient
from pellucid.reference.activation import relu as relu
from pellucid.reference.activation import relu6 as relu6
from pellucid.reference.activation import relu6_gradient as relu6_gradient
from pellucid.reference.activation import relu_gradient as relu_gradient
from pellucid.reference.activation import selu as selu
from pellucid.reference.activation import selu_gradient as selu_gradient
from pellucid.reference.activation import sigmoid as sigmoid
from pellucid.reference.activation import sigmoid_gradient as sigmoid_gradient
from pellucid.reference.activation import silu as silu
from pellucid.reference.activation import silu_gradient as silu_gradient
from pellucid.reference.activation import softplus as softplus
from pellucid.reference.activation import softplus_gradient as softplus_gradient
from pellucid.reference.activation import tanh as tanh
from pellucid.reference.activation import tanh_gradient as tanh_gradient
from pellucid.reference.adaptive_pooling import adaptive_avg_pool2d as adaptive_avg_pool2d
from pellucid.reference.adaptive_pooling import (
    adaptive_avg_pool2d_gradient as adaptive_avg_pool2d_gradient,
)
from pellucid.reference.adaptive_pooling import adaptive_max_pool2d as adaptive_max_pool2d
from pellucid.reference.adaptive_pooling import (
    adaptive_max_pool2d_gradient as adaptive_max_pool2d_gradient,
)
from pellucid.reference.batch import make_batch as make_batch
from pellucid.reference.conv import conv2d as conv2d
from pellucid.reference.conv import conv2d_algorithm as conv2d_algorithm
from pellucid.reference.conv import conv2d_bias_gradient as conv2d_bias_gradient
from pellucid.reference.conv import conv2d_input_gradient as conv2d_input_gradient
from pellucid.reference.conv import conv2d_weight_gradient as conv2d_weight_gradient
from pellucid.reference.finish import finish as finish
from pellucid.reference.finish import finish_gradient as finish_gradient
from pellucid.reference.finish import normalize_finish as normalize_finish
from pellucid.reference.finish import normalize_finish_gradient as normalize_finish_gradient
from pellucid.reference.linear import linear as linear
from pellucid.reference.linear import linear_bias_gradient as linear_bias_gradient
from pellucid.reference.linear import linear_input_gradient as linear_input_gradient
from pellucid.reference.linear import linear_weight_gradient as linear_weight_gradient
from pellucid.reference.local_response import local_response_norm as local_response_norm
from pellucid.reference.local_response import (
    local_response_norm_gradient as local_response_norm_gradient,
)
from pellucid.reference.loss import binary_cross_entropy as binary_cross_entropy
from pellucid.reference.loss import cross_entropy as cross_entropy
from pellucid.reference.loss import mean_squared_error as mean_squared_error
from pellucid.reference.normalization import batch_norm as batch_norm
from pellucid.reference.normalization import batch_norm_gradient as batch_norm_gradient
from pellucid.reference.normalization import (
    batch_norm_inference_gradient as batch_norm_inference_gradient,
)
from pellucid.reference.normalization import batch_norm_training as batch_norm_training
from pellucid.reference.normalization import group_norm as group_norm
from pellucid.reference.normalization import group_norm_gradient as group_norm_gradient
from pellucid.reference.normalization import layer_norm as layer_norm
from pellucid.reference.normalization import layer_norm_gradient as layer_norm_gradient
from pellucid.reference.padding import pad2d as pad2d
from pellucid.reference.padding import pad2d_gradient as pad2d_gradient
from pellucid.reference.pooling import avg_pool2d as avg_pool2d
from pellucid.reference.pooling import avg_pool2d_gradient as avg_pool2d_gradient
from pellucid.reference.pooling import max_pool2d as max_pool2d
from pellucid.reference.pooling import max_pool2d_gradient as max_pool2d_gradient
from pellucid.reference.resize import upsample2d as upsample2d
from pellucid.reference.resize import upsample2d_gradient as upsample2d_gradient
from pellucid.reference.shape import flatten as flatten
from pellucid.reference.shape import unflatten as unflatten
from pellucid.reference.softmax import log_softmax as log_softmax
from pellucid.reference.softmax import log_softmax_gradient as log_softmax_gradient
from pellucid.reference.softmax import softmax as softmax
from pellucid.reference.softmax import softmax_gradient as softmax_gradient
from pellucid.reference.update import adagrad as adagrad
from pellucid.reference.update import adam as adam
from pellucid.reference.update import clip_norm as clip_norm
from pellucid.reference.update import rmsprop as rmsprop
from pellucid.reference.update import sgd as sgd

FUSES = False
"""Whether a model runs faster here once it is fused."""
