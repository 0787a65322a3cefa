"""Intervals and p-values are SciPy's."""

import pytest
from scipy.stats import binomtest

from pellucid.errors import PellucidError
from pellucid.evaluation import accuracy_interval, paired_difference


@pytest.mark.parametrize("count", [1, 7, 24, 359, 10_000])
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.97, 1])
def test_an_accuracys_interval_is_wilsons(share, count):
    correct = round(share * count)
    right = binomtest(correct, count).proportion_ci(0.95, "wilson")
    assert accuracy_interval(correct, count) == pytest.approx((right.low, right.high), abs=1e-12)


@pytest.mark.parametrize("pair", [(0, 0), (0, 1), (3, 3), (2, 10), (40, 61), (0, 900), (512, 700)])
def test_a_paired_difference_is_the_two_sided_binomial_test(pair):
    right = binomtest(pair[0], sum(pair)).pvalue if sum(pair) else 1.0
    assert paired_difference(*pair) == pytest.approx(right, rel=1e-9)
    assert paired_difference(*pair) == paired_difference(*reversed(pair))


@pytest.mark.parametrize("given", [(1, 0), (3, 2), (-1, 2)])
def test_what_is_no_accuracy_is_refused(given):
    with pytest.raises(PellucidError, match="cannot be correct"):
        accuracy_interval(*given)


@pytest.mark.parametrize("count", range(1, 100))
def test_the_interval_of_none_begins_at_0_and_that_of_all_ends_at_1(count):
    assert accuracy_interval(0, count).low == 0
    assert accuracy_interval(count, count).high == 1


@pytest.mark.parametrize("given", [(-1, 0), (0, -1), (-2, -1)])
def test_no_number_of_images_is_negative(given):
    with pytest.raises(PellucidError, match="must not be negative"):
        paired_difference(*given)
