"""A few hundred damaged files for every reader; `make fuzz` gives them many more."""

import pytest

from tests.fuzz.readers import READERS
from tests.fuzz.run import fuzz

CASES = 150  # with 15 readers some 15 seconds of the processor


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_refused_in_little_time_and_memory(name: str) -> None:
    tally = fuzz(name, first=0, count=CASES)
    assert tally.wrong == {}
    assert tally.outcomes["read"] + tally.outcomes["refused"] == CASES
    assert tally.outcomes["refused"] > 0
