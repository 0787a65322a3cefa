"""What is said where TensorFlow is not installed."""

import sys

import pytest

from pellucid import layers as nn
from pellucid.errors import MissingExtraError
from pellucid.interchange.keras import from_keras, to_keras


@pytest.mark.parametrize(
    "act", [lambda: to_keras(nn.Linear(2, 2), (2,)), lambda: from_keras(object())]
)
def test_it_is_said_what_to_install(act, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)  # Python takes this for "not there"
    with pytest.raises(MissingExtraError, match=r'pip install .*\[tensorflow\]"'):
        act()
