"""Normalisation agrees with PyTorch: outputs, all gradients, running statistics over steps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import layers as nn
from pellucid.errors import ShapeError
from twins import assert_twins_agree


def pair(name, *arguments, dtype="float64", **keywords):
    """Our layer and PyTorch's with the same random parameters and running statistics."""
    ours = getattr(nn, name)(*arguments, **keywords).astype(dtype)
    theirs = getattr(torch.nn, name)(*arguments, **keywords)
    theirs = theirs.to(getattr(torch, dtype))
    generator = np.random.default_rng(1)
    state = {
        key: generator.uniform(0.5, 2.0, value.shape).astype(dtype) if value.ndim else value.numpy()
        for key, value in theirs.state_dict().items()
    }
    theirs.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
    ours.load_state_dict(state)
    return ours, theirs


def values(shape, seed=0):
    """Values whose channels have different means and variances."""
    generator = np.random.default_rng(seed)
    across = generator.uniform(0.5, 3.0, (1, shape[1], *(1,) * (len(shape) - 2)))
    return generator.normal(size=shape) * across + across


NORMS = [
    ("BatchNorm1d", (4,), {}, (5, 4)),
    ("BatchNorm1d", (4,), {}, (5, 4, 3)),
    ("BatchNorm1d", (4,), {"eps": 0.1, "momentum": None}, (2, 4, 1)),
    ("BatchNorm2d", (4,), {}, (5, 4, 3, 2)),
    ("BatchNorm2d", (4,), {}, (1, 4, 3, 2)),
    ("BatchNorm2d", (4,), {}, (2, 4, 1, 1)),
    ("BatchNorm2d", (4,), {"momentum": None}, (5, 4, 3, 2)),
    ("BatchNorm2d", (4,), {"momentum": 0.3, "eps": 1e-3}, (5, 4, 3, 2)),
    ("BatchNorm2d", (4,), {"affine": False}, (5, 4, 3, 2)),
    ("BatchNorm2d", (4,), {"track_running_stats": False}, (5, 4, 3, 2)),
    ("BatchNorm2d", (4,), {"affine": False, "track_running_stats": False}, (5, 4, 3, 2)),
    ("InstanceNorm2d", (4,), {}, (5, 4, 3, 2)),
    ("InstanceNorm2d", (4,), {"affine": True}, (5, 4, 3, 2)),
    ("InstanceNorm2d", (4,), {"track_running_stats": True}, (5, 4, 3, 2)),
    ("InstanceNorm2d", (4,), {"affine": True, "track_running_stats": True}, (5, 4, 3, 2)),
    ("InstanceNorm2d", (4,), {"momentum": None, "track_running_stats": True}, (5, 4, 3, 2)),
    ("GroupNorm", (2, 4), {}, (5, 4, 3, 2)),
    ("GroupNorm", (1, 4), {"eps": 0.1}, (5, 4)),
    ("GroupNorm", (4, 4), {"affine": False}, (5, 4, 3)),
    ("GroupNorm", (4, 4), {}, (2, 4, 1, 1)),
    ("LayerNorm", ((4, 3, 2),), {}, (5, 4, 3, 2)),
    ("LayerNorm", (2,), {}, (5, 4, 3, 2)),
    ("LayerNorm", ([3, 2],), {"bias": False}, (5, 4, 3, 2)),
    ("LayerNorm", (4,), {"eps": 0.1}, (5, 4)),
    ("LayerNorm", ((3, 2),), {"elementwise_affine": False}, (5, 4, 3, 2)),
    ("LocalResponseNorm", (5,), {}, (5, 7, 3, 2)),
    ("LocalResponseNorm", (4, 0.5, 0.6, 2.0), {}, (5, 7, 3, 2)),
    ("LocalResponseNorm", (9, 0.5), {}, (5, 4, 3)),
    ("LocalResponseNorm", (1, 2.0, 0.5), {}, (5, 4, 3, 2)),
]


@pytest.mark.parametrize(("name", "arguments", "keywords", "shape"), NORMS)
def test_several_steps_of_training_and_then_inference_agree(name, arguments, keywords, shape):
    ours, theirs = pair(name, *arguments, **keywords)
    for step in range(4):
        assert_twins_agree(ours, theirs, values(shape, step), rtol=1e-10, atol=1e-10, seed=step)
    assert_twins_agree(ours, theirs, values(shape, 9), training=False, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("name", "arguments", "keywords", "shape"), NORMS)
def test_single_precision_stays_and_agrees(name, arguments, keywords, shape):
    ours, theirs = pair(name, *arguments, dtype="float32", **keywords)
    for training in (True, False):
        x = values(shape).astype(np.float32)
        assert_twins_agree(ours, theirs, x, training=training, rtol=1e-3, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(1, 6)] * 4).filter(lambda shape: shape[0] * shape[2] * shape[3] > 1),
    st.integers(0, 99),
)
def test_batch_norm_agrees_for_any_shape(shape, seed):
    ours, theirs = pair("BatchNorm2d", shape[1])
    x = values(shape, seed)
    assert_twins_agree(ours, theirs, x, rtol=1e-6, atol=1e-7, seed=seed)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(1, 5)] * 4), st.integers(1, 3), st.integers(1, 7), st.integers(0, 99)
)
def test_group_and_local_response_norm_agree_for_any_shape(shape, groups, size, seed):
    N, C, H, W = shape
    x = values((N, C * groups, H, W + 1), seed)
    ours, theirs = pair("GroupNorm", groups, C * groups)
    assert_twins_agree(ours, theirs, x, rtol=1e-6, atol=1e-7, seed=seed)
    ours, theirs = pair("LocalResponseNorm", size, 0.7)
    assert_twins_agree(ours, theirs, x, seed=seed)


@pytest.mark.parametrize("name", ["BatchNorm2d", "InstanceNorm2d"])
def test_both_refuse_statistics_of_one_value(name):
    ours, theirs = pair(name, 3)
    with pytest.raises(ValueError, match="Expected more than 1"):
        theirs(torch.ones(1, 3, 1, 1, dtype=torch.float64))
    with pytest.raises(ShapeError, match="more than one"):
        ours.forward(np.ones((1, 3, 1, 1)), nn.StepContext())
