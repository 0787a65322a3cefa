"""Dropout keeps and scales as PyTorch's does, in distribution."""

import numpy as np
import pytest
import torch

from pellucid import layers as nn


@pytest.mark.parametrize("p", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("name", ["Dropout", "Dropout2d"])
def test_the_same_values_occur_equally_often(name, p):
    x = np.full((300, 200, 2, 2), 3.0, np.float32)
    ours, _ = getattr(nn, name)(p).forward(x, nn.StepContext())
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(p)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(np.unique(ours), np.unique(theirs), rtol=1e-6)
    assert (ours == 0).mean() == pytest.approx((theirs == 0).mean(), abs=0.01)
