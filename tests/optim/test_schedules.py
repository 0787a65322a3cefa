"""Schedules of the learning rate; against PyTorch's in `peers`."""

import math
from dataclasses import fields, replace

import pytest

from pellucid.errors import FileError, PellucidError
from pellucid.optim import schedules
from pellucid.optim.schedules import Constant, Cosine, Exponential, Linear, OneCycle, Step, Warmup

ALL = [
    Constant(),
    Step(),
    Step(7, 0.5),
    Step(0.25),
    Exponential(),
    Exponential(0.5),
    Cosine(),
    Cosine(0.1),
    OneCycle(),
    OneCycle(0.5, 10, 100),
    Warmup(),
    Warmup(5, Cosine()),
    Warmup(0.2, Warmup(0.1, Step())),
]
each = pytest.mark.parametrize("schedule", ALL, ids=repr)


@each
@pytest.mark.parametrize("total", [1, 2, 3, 10, 1000])
def test_every_factor_is_between_0_and_1(schedule, total):
    factors = [schedule(step, total) for step in range(total)]
    assert all(type(factor) is float and 0 <= factor <= 1 for factor in factors)


@each
def test_a_schedule_is_built_from_its_description(schedule):
    assert schedules.build(schedule.describe()) == schedule


def test_step_counts_steps_or_shares_of_all():
    assert [Step(3, 0.5)(step, 99) for step in range(7)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]
    assert [Step(0.5, 0.5)(step, 4) for step in range(4)] == [1, 1, 0.5, 0.5]


def test_a_share_of_all_steps_is_the_nearest_whole_number_and_at_least_one():
    for share, steps in ((0.496, 50), (0.494, 49), (0.001, 1)):
        assert [Step(share, 0.5)(step, 100) for step in (steps - 1, steps)] == [1, 0.5]
        assert Warmup(share)(0, 100) == 1 / steps


def test_linear_is_a_straight_line_to_its_final_factor():
    factors = [Linear(0.2)(step, 8) for step in range(9)]
    assert factors == pytest.approx([1 - 0.1 * step for step in range(9)])


def test_exponential_is_halfway_down_in_the_middle():
    assert [Exponential(0.25)(step, 4) for step in (0, 2, 4)] == pytest.approx([1, 0.5, 0.25])


def test_cosine_is_half_a_wave():
    factors = [Cosine(0.2)(step, 8) for step in range(9)]
    wave = [0.2 + 0.4 * (1 + math.cos(math.pi * step / 8)) for step in range(9)]
    assert factors == pytest.approx(wave)


def test_one_cycle_starts_peaks_and_ends_where_it_says():
    cycle = OneCycle(peak=0.4, start_division=10, final_division=100)
    factors = [cycle(step, 50) for step in range(50)]
    assert factors[0] == pytest.approx(0.1)
    assert factors.index(max(factors)) == 19
    assert factors[19] == pytest.approx(1)
    assert factors[-1] == pytest.approx(0.001)
    assert factors[:20] == sorted(factors[:20])
    assert factors[19:] == sorted(factors[19:], reverse=True)


def test_one_cycle_may_begin_at_its_peak():
    assert OneCycle(peak=0.5)(0, 2) == 1


def test_a_share_may_be_all_steps():
    assert Step(1.0)(9, 10) == 1
    assert Warmup(1.0)(9, 10) == 1


def test_warm_up_climbs_in_a_line_and_hands_over_what_is_left():
    schedule = Warmup(4, then=Cosine())
    assert [schedule(step, 10) for step in range(4)] == [0.25, 0.5, 0.75, 1]
    assert [schedule(4 + s, 10) for s in range(6)] == [Cosine()(s, 6) for s in range(6)]


def test_a_warm_up_longer_than_the_run_only_warms_up():
    assert [Warmup(4, Cosine())(step, 3) for step in range(3)] == [0.25, 0.5, 0.75]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("constant", Constant()),
        ("cosine", Cosine()),
        ("Cosine:0.01", Cosine(0.01)),
        ("linear:0.1", Linear(0.1)),
        ("step", Step()),
        ("step:0.5", Step(0.5)),
        ("step:1000:0.5", Step(1000, 0.5)),
        ("exponential:0.1", Exponential(0.1)),
        ("onecycle", OneCycle()),
        ("onecycle:0.2:10:1e3", OneCycle(0.2, 10, 1e3)),
        ("warmup", Warmup()),
        ("warmup:500,cosine", Warmup(500, Cosine())),
        ("warmup:0.1, step:0.3", Warmup(0.1, Step(0.3))),
    ],
)
def test_the_command_line_names_schedules(text, expected):
    assert schedules.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cosin", "unknown schedule 'cosin'; did you mean 'cosine'"),
        ("", r"Schedules are written constant, step:\[EVERY\]"),
        ("cosine:fast", "'fast' in the schedule 'cosine:fast' is not a number"),
        ("cosine:0.1:0.2", "'cosine:0.1:0.2' has too many numbers"),
        ("cosine,step", "'cosine,step' may only have one warm-up"),
        ("warmup,warmup,step", "may only have one warm-up"),
        ("warmup,warmup", "may only have one warm-up"),
        ("warmup:0.1,cosin", "did you mean 'cosine'"),
        ("step:0", "Step: every must be a whole number of steps, or a share"),
        ("step:1.5", "Step: every .* not 1.5"),
        ("warmup:-3", "Warmup: steps .* not -3"),
        ("cosine:nan", "Cosine: final must be a finite number, not nan"),
    ],
)
def test_what_the_command_line_does_not_know_is_said_with_what_it_knows(text, said):
    with pytest.raises(PellucidError, match=said):
        schedules.parse(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Step(3, 0),
        lambda: Step(3, 2),
        lambda: Exponential(0),
        lambda: Cosine(2),
        lambda: OneCycle(1.0),
        lambda: OneCycle(0.3, 0.5),
        lambda: Warmup(3, "cosine"),
    ],
)
def test_arguments_that_make_no_schedule_are_refused(make):
    with pytest.raises(PellucidError, match=r"needs|must be"):
        make()


def test_a_description_nested_without_end_is_refused():
    description = {"type": "Cosine"}
    for _ in range(10_000):
        description = {"type": "Warmup", "then": description}
    with pytest.raises(FileError, match="schedule Warmup: maximum recursion depth"):
        schedules.build(description)


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({"type": "Cosines"}, "unknown schedule 'Cosines'; did you mean 'Cosine'"),
        ({"type": "Warmup", "then": {"type": "Later"}}, "unknown schedule 'Later'"),
        ({"type": "Cosine", "end": 0}, "unknown argument of Cosine 'end'"),
    ],
)
def test_a_description_that_does_not_fit_is_said(description, said):
    with pytest.raises(FileError, match=said):
        schedules.build(description)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (Step(), {0: 1, 32: 1, 33: 0.1, 65: 0.1, 66: 0.01, 99: 0.001}),
        (Exponential(), {0: 1, 50: 0.1}),
        (Cosine(), {0: 1, 50: 0.5}),
        (Linear(), {0: 1, 25: 0.75, 50: 0.5}),
        (OneCycle(), {0: 1 / 25, 29: 1, 99: 1 / 25 / 1e4}),
        (Warmup(), {0: 0.2, 1: 0.4, 4: 1, 5: 1, 99: 1}),
        (Constant(), {0: 1, 99: 1}),
    ],
)
def test_the_defaults_are_those_in_the_documentation(schedule, rates):
    assert {step: schedule(step, 100) for step in rates} == pytest.approx(rates)


@pytest.mark.parametrize("schedule", ALL, ids=str)
@pytest.mark.parametrize("wrong", ["a", None, math.nan, [1]])
def test_an_argument_of_another_kind_is_refused(schedule, wrong):
    for argument in fields(schedule):
        with pytest.raises(PellucidError, match=argument.name):
            replace(schedule, **{argument.name: wrong})


def test_a_schedule_is_chosen_by_itself_by_its_text_or_not_at_all():
    schedule = Cosine(0.1)
    assert schedules.chosen(schedule) is schedule
    assert schedules.chosen("cosine:0.1") == schedule
    assert schedules.chosen(None) == Constant()
    with pytest.raises(PellucidError, match=r"pellucid\.optim\.schedules"):
        schedules.chosen(0.5)
