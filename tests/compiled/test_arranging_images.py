"""Images are arranged in the compiled engine's order bit for bit, whatever their shape."""

import numpy as np
import pytest

from pellucid import reference
from pellucid.compiled import batch, layout

SHAPES = [
    (1, 1, 1, 1),
    (3, 2, 5, 7),
    (8, 3, 16, 16),
    (16, 40, 1, 1),
    (17, 4, 4, 4),
    (64, 1, 28, 28),
    (70, 5, 3, 11),
    (2, 33, 9, 1),
]


def noise(shape, dtype=np.float32):
    drawn = np.random.default_rng(0).normal(scale=100, size=shape)
    return drawn.astype(dtype) if dtype == np.float32 else np.abs(drawn).clip(0, 255).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_memory_holds_the_images_in_turned_order(shape, dtype):
    x = noise(shape, dtype)
    x.flat[0] = -0.0
    assert layout.memory(x).tobytes() == x.transpose(2, 3, 1, 0).tobytes()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_batch_is_the_reference_bit_for_bit(shape, dtype, scaled, order):
    images = np.asarray(noise(shape, dtype), order=order)
    indices = np.random.default_rng(1).integers(-len(images), len(images), 19)
    numbers = noise((2, shape[1])) if scaled else (None, None)
    for chosen in (indices, indices[:0], None):
        found, expected = (
            engine.make_batch(images, chosen, *numbers, np.dtype(np.float32))
            for engine in (batch, reference)
        )
        assert found.shape == expected.shape
        assert found.tobytes() == expected.tobytes()
