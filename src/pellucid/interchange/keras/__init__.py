"""Models to Keras and from Keras, which computes with TensorFlow.

Keras has the channels of an image last, (N, H, W, C); everything that follows from that is handled
here: kernels, the order of a flattened image, axes.
"""

from __future__ import annotations

from pellucid.interchange.keras.read import from_keras
from pellucid.interchange.keras.write import Twin, to_keras, twin_of

__all__ = ["Twin", "from_keras", "to_keras", "twin_of"]


def __dir__() -> list[str]:
    return __all__
