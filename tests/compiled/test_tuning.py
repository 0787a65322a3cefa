"""Algorithms chosen by timing: what is asked, what is kept, and what a summary shows."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from pellucid import compiled, engine, ops
from pellucid import layers as nn
from pellucid.compiled.conv import tuning
from pellucid.contract import Convolution
from pellucid.geometry import Window
from pellucid.models import summary
from pellucid.ops.convolution import ConvolutionPlan
from pellucid.runtime import choices

NAMES = ("quick", "slow")
SHAPES = (2, 3, 8, 8), (4, 3, 3, 3), Window.of((8, 8), 3), 1


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder for choices, and a process that has made none."""
    monkeypatch.setattr(tuning, "kernel_folder", lambda: tmp_path)
    for variable in ("PELLUCID_TUNE", "PELLUCID_PRECISE"):
        monkeypatch.delenv(variable, raising=False)
    engine.environment.cache_clear()
    forget()
    yield tmp_path
    engine.environment.cache_clear()
    forget()


def forget():
    tuning._chosen.clear()
    tuning._kept.cache_clear()


class Stopwatch:
    """A clock that moves only when a pass runs, and counts them."""

    def __init__(self, monkeypatch, **costs):
        self.now, self.runs, self.costs = 0.0, [], costs
        monkeypatch.setattr(tuning, "perf_counter", lambda: self.now)

    def fastest(self, names=NAMES, shapes=SHAPES):
        return tuning.fastest(names, [self.a_pass(i) for i in range(3)], Convolution(*shapes))

    def a_pass(self, i):
        def run(*arguments):
            name = arguments[-1].algorithm
            costs = self.costs[name][i]
            self.now += next(costs) if isinstance(costs, itertools.chain) else costs
            self.runs.append(name)

        return run


def test_the_least_sum_of_the_three_passes_wins(monkeypatch):
    assert Stopwatch(monkeypatch, quick=(1, 5, 1), slow=(4, 1, 4)).fastest() == "quick"
    forget()
    other = (2, 3, 9, 9), *SHAPES[1:2], Window.of((9, 9), 3), 1
    watch = Stopwatch(monkeypatch, quick=(1, 9, 1), slow=(4, 1, 4))
    assert watch.fastest(shapes=other) == "slow"


def test_slow_moments_do_not_decide(monkeypatch):
    def disturbed():
        return itertools.chain([100.0, 9.0, 1.0], itertools.repeat(9.0))

    watch = Stopwatch(monkeypatch, quick=[disturbed() for _ in range(3)], slow=(2, 2, 2))
    assert watch.fastest() == "quick"


def test_the_first_run_does_not_count(monkeypatch):
    def warm():
        return itertools.chain([0.1], itertools.repeat(9.0))

    watch = Stopwatch(monkeypatch, quick=(2, 2, 2), slow=[warm() for _ in range(3)])
    assert watch.fastest() == "quick"


def test_a_choice_is_made_once_and_holds_in_later_processes(monkeypatch, folder):
    first = Stopwatch(monkeypatch, quick=(1, 1, 1), slow=(2, 2, 2))
    assert first.fastest() == first.fastest() == "quick"
    assert first.runs.count("quick") == 3 * (1 + tuning._RUNS)
    forget()
    later = Stopwatch(monkeypatch, quick=(3, 3, 3), slow=(2, 2, 2))
    assert later.fastest() == "quick"
    assert later.runs == []
    assert [file.name for file in folder.iterdir()] == ["fastest.json"]


def test_each_shape_and_number_of_granted_threads_has_its_own_choice(monkeypatch):
    watch = Stopwatch(monkeypatch, quick=(1, 1, 1), slow=(2, 2, 2))
    watch.fastest()
    watch.costs = {"quick": (3, 3, 3), "slow": (2, 2, 2)}
    assert watch.fastest() == "quick"
    batch = (3, *SHAPES[0][1:]), *SHAPES[1:]
    assert watch.fastest(shapes=batch) == "slow"
    monkeypatch.setattr(tuning.numba.config, "NUMBA_NUM_THREADS", 77)
    assert watch.fastest() == "slow"


def test_a_choice_holds_when_a_run_goes_on_with_fewer_threads(monkeypatch):
    watch = Stopwatch(monkeypatch, quick=(1, 1, 1), slow=(2, 2, 2))
    assert watch.fastest() == "quick"
    watch.costs = {"quick": (3, 3, 3), "slow": (2, 2, 2)}
    monkeypatch.setattr(tuning.numba, "get_num_threads", lambda: 77)
    assert watch.fastest() == "quick"


def test_what_another_process_has_kept_meanwhile_stays(monkeypatch, folder):
    watch = Stopwatch(monkeypatch, quick=(1, 1, 1), slow=(2, 2, 2))
    assert tuning._kept() == {}
    (folder / "fastest.json").write_text('{"another shape": "slow"}')
    watch.fastest()
    kept = json.loads((folder / "fastest.json").read_text())
    assert kept.pop("another shape") == "slow"
    assert list(kept.values()) == ["quick"]


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "content", ["", "{", DEEP, "[1, 2]", "\xff", '{"KEY": "gone"}', '{"KEY": [1]}']
)
def test_a_damaged_file_is_made_anew(monkeypatch, folder, content):
    watch = Stopwatch(monkeypatch, quick=(1, 1, 1), slow=(2, 2, 2))
    watch.fastest()
    file = folder / "fastest.json"
    (key,) = json.loads(file.read_text())
    file.write_bytes(content.replace("KEY", key).encode("latin-1"))
    forget()
    assert watch.fastest() == "quick"
    assert json.loads(file.read_text()) == {key: "quick"}


@pytest.mark.parametrize("kind", ["a file in the way", "unreadable"])
def test_where_nothing_can_be_written_a_choice_holds_in_memory(monkeypatch, tmp_path, kind):
    place = tmp_path / "here"
    if kind == "a file in the way":
        place.write_text("")
    else:
        (place / "fastest.json").mkdir(parents=True)
    monkeypatch.setattr(tuning, "kernel_folder", lambda: place)
    watch = Stopwatch(monkeypatch, quick=(1, 1, 1), slow=(2, 2, 2))
    assert watch.fastest() == "quick"
    watch.costs = {"quick": (3, 3, 3), "slow": (2, 2, 2)}
    assert watch.fastest() == "quick"


# What belongs to a run


def test_a_run_keeps_its_choices_whatever_is_measured_later(monkeypatch, folder):
    watch, mine = Stopwatch(monkeypatch, quick=(1, 1, 1), slow=(2, 2, 2)), {}
    with choices.belonging_to(mine):
        assert watch.fastest() == "quick"
    assert list(mine.values()) == ["quick"]
    forget()
    (folder / "fastest.json").unlink()
    monkeypatch.setattr(tuning.numba.config, "NUMBA_NUM_THREADS", 77)  # another machine
    other = Stopwatch(monkeypatch, quick=(3, 3, 3), slow=(2, 2, 2))
    assert other.fastest() == "slow"
    with choices.belonging_to(json.loads(json.dumps(mine))):
        assert other.fastest() == "quick"


def test_a_run_without_choices_takes_those_that_were_measured_before(monkeypatch):
    watch, mine = Stopwatch(monkeypatch, quick=(1, 1, 1), slow=(2, 2, 2)), {}
    assert watch.fastest() == "quick"
    with choices.belonging_to(mine):
        assert watch.fastest() == "quick"
    assert list(mine.values()) == ["quick"]


def test_a_choice_that_is_no_algorithm_is_made_anew(monkeypatch):
    watch, mine = Stopwatch(monkeypatch, quick=(1, 1, 1), slow=(2, 2, 2)), {}
    mine[tuning._described(*SHAPES)] = "gone"
    with choices.belonging_to(mine):
        assert watch.fastest() == "quick"


# What asks for it


@pytest.fixture
def slow_direct(monkeypatch):
    """Winograd wins every comparison; what is compared is noted."""
    asked = []

    def seconds(names, passes):
        asked.append(names)
        for name, run in itertools.product(names, passes):
            run(name)
        return {"direct": 2.0, "winograd4": 1.0}

    monkeypatch.setattr(tuning, "seconds", seconds)
    return asked


def narrow(algorithm="auto"):
    """A convolution that `auto` computes by the definition."""
    return nn.Conv2d(4, 4, 3, padding=1, algorithm=algorithm)


def chosen(layer):
    (row,) = summary(layer, (4, 8, 8), batch_size=2).rows
    return row.algorithm


def test_auto_does_not_time(slow_direct):
    with engine.using("compiled"):
        assert chosen(narrow()) == "direct"
    assert slow_direct == []


@pytest.mark.parametrize("way", ["block", "environment", "layer"])
def test_timing_is_asked_for_in_three_ways(slow_direct, monkeypatch, way):
    if way == "environment":
        monkeypatch.setenv("PELLUCID_TUNE", "1")
    layer = narrow("tuned" if way == "layer" else "auto")
    assert slow_direct == []  # not yet: no shape is known
    with engine.using("compiled"), engine.tuned(way == "block"):
        assert chosen(layer) == "winograd4"
    assert slow_direct == [("direct", "winograd4")]


def test_precise_leaves_nothing_to_time(slow_direct):
    with engine.using("compiled"), engine.tuned(), engine.precisely():
        assert chosen(narrow()) == "direct"
        assert engine.setting() == "compiled, precise"
    assert slow_direct == []


def test_what_has_one_algorithm_is_not_timed(slow_direct):
    with engine.using("compiled"), engine.tuned():
        assert chosen(nn.Conv2d(4, 8, 5)) == "direct"
        assert chosen(nn.Conv2d(4, 8, 3, stride=2)) == "direct"
        assert chosen(nn.Conv2d(4, 4, 3, groups=4)) == "depthwise"
    assert slow_direct == []


def test_the_reference_engine_chooses_by_shape(slow_direct):
    with engine.using("reference"), engine.tuned():
        assert chosen(narrow()) == "im2col"
    with engine.using("compiled"), engine.tuned():
        assert chosen(narrow().astype("float64")) == "im2col"  # handed on to reference
    assert slow_direct == []


def test_what_was_chosen_is_what_computes(slow_direct):
    source = np.random.default_rng(0)
    x, weight = (source.random(shape, np.float32) for shape in ((2, 4, 8, 8), (4, 4, 3, 3)))
    with engine.using("compiled"):
        expected = ops.conv2d(x, weight, algorithm="winograd4")
        assert not np.array_equal(expected, ops.conv2d(x, weight))
        with engine.tuned():
            np.testing.assert_array_equal(ops.conv2d(x, weight), expected)


def test_the_setting_that_a_checkpoint_keeps_says_tuned():
    with engine.using("compiled"), engine.tuned():
        assert engine.setting() == "compiled, tuned"


def test_the_real_clock_finds_one_of_both():
    shapes = (4, 4, 8, 8), (4, 4, 3, 3), Window.of((8, 8), 3), 1
    assert compiled.conv2d_algorithm(Convolution(*shapes, "tuned")) in ("direct", "winograd4")
    assert Path(tuning._file()).exists()


# What a summary shows


def test_the_choice_depends_on_the_engine_and_on_precise():
    model = nn.Sequential(a=nn.Conv2d(4, 64, 5, padding=2), b=nn.Conv2d(64, 64, 3), c=nn.ReLU())
    shown = {}
    for name, precise in itertools.product(engine.NAMES, (False, True)):
        with engine.using(name), engine.precisely(precise):
            shown[name, precise] = [row.algorithm for row in summary(model, (4, 16, 16)).rows]
    assert shown["compiled", False] == ["direct", "winograd4", ""]
    assert shown["compiled", True] == ["direct", "direct", ""]
    assert shown["reference", False] == ["im2col", "winograd4", ""]
    assert shown["reference", True] == ["im2col", "im2col", ""]


def test_a_transposed_convolution_shows_the_one_that_it_turns_round():
    layer = nn.ConvTranspose2d(64, 64, 3)
    with engine.using("compiled"):
        (row,) = summary(layer, (64, 14, 14)).rows
    assert row.algorithm == "winograd4"


def test_the_algorithm_is_that_for_the_padded_image():
    sides = ConvolutionPlan.of((2, 4, 8, 8), (4, 4, 3, 3), padding=1, padding_mode="reflect")
    with engine.using("compiled"):
        assert sides.algorithm_for("float32") == "direct"
