"""Pictures that explain the mathematics, drawn from arrays that the library computes.

Each function returns a Matplotlib figure; those whose names end in ``_animation`` return an
`Animation`. Colours mean the same everywhere: blue is an input, orange a kernel, green an output,
vermillion a gradient, purple what lies between, grey what is only padding.

>>> from pellucid.view import draw
>>> draw.find("im2col").save("im2col.svg").name
'im2col.svg'
"""

from __future__ import annotations

from pellucid.view.draw.activations import activations
from pellucid.view.draw.animation import Animation
from pellucid.view.draw.batch_norm import batch_norm
from pellucid.view.draw.catalogue import DRAWINGS, Drawing, find, names, save_all
from pellucid.view.draw.channels import channels
from pellucid.view.draw.columns import col2im, im2col
from pellucid.view.draw.convolution import convolution, convolution_animation
from pellucid.view.draw.cross_entropy import softmax_cross_entropy
from pellucid.view.draw.dilation import dilation, dilation_animation
from pellucid.view.draw.fft import fft
from pellucid.view.draw.flip import flip
from pellucid.view.draw.gradient_flow import gradient_flow
from pellucid.view.draw.groups import groups
from pellucid.view.draw.matrix_product import matrix_product
from pellucid.view.draw.network_shapes import shapes
from pellucid.view.draw.padding import padding, padding_animation
from pellucid.view.draw.pooling import average_pool, max_pool
from pellucid.view.draw.receptive_field import receptive_field
from pellucid.view.draw.rotation import rotation
from pellucid.view.draw.stride import stride, stride_animation
from pellucid.view.draw.winograd import winograd
