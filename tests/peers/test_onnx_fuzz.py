"""A few hundred damaged ONNX files, as in tests/fuzz, where the package onnx need not be there."""

import sys

import pytest

if sys.platform != "linux":
    pytest.skip("limits of memory are Linux's", allow_module_level=True)

from tests.fuzz.run import fuzz


def test_a_damaged_onnx_file_is_refused_in_little_time_and_memory():
    tally = fuzz("onnx", first=0, count=500)
    assert tally.wrong == {}
    assert tally.outcomes["read"] > 0
    assert tally.outcomes["refused"] > 0
