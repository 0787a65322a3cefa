"""Small faults are put into the library, one at a time: random networks find each of them."""

import pytest

from pellucid.compiled import epilogue
from pellucid.reference import activation
from random_networks.drawing import draw
from random_networks.verdict import faults

NETWORKS = 100
"""So many are tried at most."""


def cover_without_padding(window):
    """Once a fault: max-pooling's gradients were moved where windows begin in the padding."""
    (OH, OW), (KH, KW) = window.output_size, window.kernel
    return window.stride == window.kernel and window.size == (OH * KH, OW * KW)


def a_thousandth_too_much(function):
    return lambda *args: function(*args) * 1.001


FAULTS = {
    "max-pooling": (epilogue, "_cover", lambda _: cover_without_padding),
    "a derivative": (activation, "gelu_gradient", a_thousandth_too_much),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_random_networks_find_it(fault, monkeypatch):
    owner, name, change = FAULTS[fault]
    monkeypatch.setattr(owner, name, change(getattr(owner, name)))
    assert any(faults(draw(seed))[0] for seed in range(NETWORKS))
