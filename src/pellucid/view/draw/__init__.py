"""Pictures that explain the mathematics, drawn from arrays that the library computes.

Each function returns a Matplotlib figure; those whose names end in ``_animation`` return an
`Animation`. Colours have the same meaning everywhere: blue is an input, orange a kernel, green an
output, vermillion a gradient, purple an intermediate result, grey padding.

>>> from pellucid.view import draw
>>> draw.find("im2col").save("im2col.svg").name
'im2col.svg'
"""

from __future__ import annotations

from pellucid.view.draw.activations import activations as activations
from pellucid.view.draw.animation import Animation as Animation
from pellucid.view.draw.batch_norm import batch_norm as batch_norm
from pellucid.view.draw.catalogue import DRAWINGS as DRAWINGS
from pellucid.view.draw.catalogue import Drawing as Drawing
from pellucid.view.draw.catalogue import find as find
from pellucid.view.draw.catalogue import names as names
from pellucid.view.draw.catalogue import save_all as save_all
from pellucid.view.draw.channels import channels as channels
from pellucid.view.draw.columns import col2im as col2im
from pellucid.view.draw.columns import im2col as im2col
from pellucid.view.draw.convolution import convolution as convolution
from pellucid.view.draw.convolution import convolution_animation as convolution_animation
from pellucid.view.draw.cross_entropy import softmax_cross_entropy as softmax_cross_entropy
from pellucid.view.draw.dilation import dilation as dilation
from pellucid.view.draw.dilation import dilation_animation as dilation_animation
from pellucid.view.draw.fft import fft as fft
from pellucid.view.draw.flip import flip as flip
from pellucid.view.draw.gradient_flow import gradient_flow as gradient_flow
from pellucid.view.draw.groups import groups as groups
from pellucid.view.draw.matrix_product import matrix_product as matrix_product
from pellucid.view.draw.network_shapes import shapes as shapes
from pellucid.view.draw.padding import padding as padding
from pellucid.view.draw.padding import padding_animation as padding_animation
from pellucid.view.draw.pooling import average_pool as average_pool
from pellucid.view.draw.pooling import max_pool as max_pool
from pellucid.view.draw.receptive_field import receptive_field as receptive_field
from pellucid.view.draw.rotation import rotation as rotation
from pellucid.view.draw.stride import stride as stride
from pellucid.view.draw.stride import stride_animation as stride_animation
from pellucid.view.draw.winograd import winograd as winograd
