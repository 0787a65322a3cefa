"""Convert models to and from Keras with its TensorFlow backend.

Keras orders the axes of images as (N, H, W, C). This package converts everything that depends on
it: kernels, the order of the values of a flattened image, and axes given as arguments.
"""

from __future__ import annotations

from pellucid.interchange.keras.read import from_keras
from pellucid.interchange.keras.write import Twin, to_keras, twin_of

__all__ = ["Twin", "from_keras", "to_keras", "twin_of"]


def __dir__() -> list[str]:
    return __all__
