"""A few hundred damaged files for every reader; `make fuzz` gives them many more."""

import sys

import pytest

if sys.platform != "linux":
    pytest.skip("limits of memory are Linux's", allow_module_level=True)

from tests.fuzz.readers import READERS
from tests.fuzz.run import fuzz

CASES = 150  # with 15 readers some 15 seconds of the processor


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_refused_in_little_time_and_memory(name: str) -> None:
    tally = fuzz(name, first=0, count=CASES)
    assert tally.wrong == {}
    assert tally.outcomes["read"] + tally.outcomes["refused"] == CASES
    assert tally.outcomes["refused"] > 0
    assert tally.outcomes["read"] > 0


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("_ends", "ends the process with -6"),
        ("_does_not_end", "more than 1.0 s"),
        ("_takes_memory", "more than 64 MiB and 20 times its size"),
        ("_takes_memory_and_hides_it", "more than 64 MiB and 20 times its size"),
        ("_raises_anything", "KeyError: 'x'"),
        ("_tells_everything", "a message of 5,000 characters"),
    ],
)
def test_every_kind_of_fault_is_noticed(fault: str, said: str) -> None:
    tally = fuzz(f"faulty {fault}", first=0, count=2)
    assert tally.outcomes["wrong"] == 2
    (what,) = tally.wrong
    assert what.startswith(said)
