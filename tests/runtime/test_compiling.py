"""Whoever waits for the compiler sees what is compiled, how many kernels and for how long."""

import sys
import threading
import time

import pytest

from pellucid.runtime import compiling
from screens import Screen

TWO = """
import time
from pellucid.runtime import compiling
for name in ("conv.direct 4×2", "conv.weight_gradient.tap_kernel with a name that is too long"):
    compiling.began(name)
    time.sleep(1.3)
    compiling.ended()
print("done")
"""


def test_a_kernel_is_named_in_one_line_of_the_terminal_with_its_number_and_time():
    screen = Screen([sys.executable, "-c", TWO], lines=5, columns=60)
    raw = screen.raw.decode()
    assert "Compiling for this machine, once: kernel 1, 0 s, conv.dire" in raw
    assert "kernel 1, 1 s, conv.dire" in raw
    assert "kernel 2, 2 s, conv.weig" in raw
    assert screen.text.split() == ["done"]


@pytest.fixture
def anew(monkeypatch):
    """Count as a process does that has compiled nothing, and say something each tenth second."""
    for name, value in (("_begun", 0), ("_took", 0.0), ("_last_said", 0.0)):
        monkeypatch.setattr(compiling, name, value)
    monkeypatch.setattr(compiling, "_BETWEEN", 0.1)


def test_where_no_line_can_be_rewritten_it_is_said_from_time_to_time(anew, capsys):
    for name in ("first", "second"):
        compiling.began(name)
        time.sleep(0.2)
        compiling.ended()
        time.sleep(0.5)  # is not counted
    said = capsys.readouterr().err.splitlines()
    assert said[0].endswith("this happens once: first first")
    assert said[1:] == ["pellucid: compiling for this machine: kernel 2, second; 0 s so far"]


@pytest.fixture
def in_notebook(monkeypatch):
    monkeypatch.setattr(compiling, "in_notebook", lambda: True)


def test_in_a_notebook_one_line_goes_on_and_says_at_the_end_what_was_done(
    anew, in_notebook, capsys
):
    for name in ("conv.direct", "update.adam"):
        compiling.began(name)
        time.sleep(1.1)
        compiling.ended()
    said = capsys.readouterr().err
    assert "\n" not in said
    lines = [line.strip() for line in said.split("\r") if line.strip()]
    assert lines == [
        "Compiling for this machine, once: kernel 1, 0 s, conv.direct",
        "Compiling for this machine, once: kernel 1, 1 s, conv.direct",
        "Compiling for this machine, once: 1 kernel in 1 s",
        "Compiling for this machine, once: kernel 2, 1 s, update.adam",
        "Compiling for this machine, once: kernel 2, 2 s, update.adam",
        "Compiling for this machine, once: 2 kernels in 2 s",
    ]


def test_in_a_notebook_a_kernel_that_takes_long_is_still_counted_in_seconds(in_notebook, capsys):
    with compiling.Progress(3) as progress:
        progress.working(["conv.direct"])
        time.sleep(1.3)
        progress.done()
    lines = [line.strip() for line in capsys.readouterr().err.split("\r")]
    assert "Compiling for this machine, once: 0 of 3 kernels compiled in 1 s; now co" in "".join(
        lines
    )
    assert lines[-1] == "Compiling for this machine, once: 1 kernel in 1 s"


def test_where_no_line_can_be_rewritten_one_long_kernel_is_said_from_time_to_time(anew, capsys):
    with compiling.Progress(1) as progress:
        progress.working(["conv.direct"])
        time.sleep(1.3)
    assert "0 of 1 kernels compiled in 1 s; now conv.direct" in capsys.readouterr().err


def test_a_kernel_that_could_not_be_compiled_is_not_shown_for_ever(anew, monkeypatch):
    before, going_on = set(threading.enumerate()), True
    compiling.began("interrupted", lambda: going_on)
    (shows,) = set(threading.enumerate()) - before
    going_on = False
    shows.join(3.0)
    assert not shows.is_alive()
    spent = compiling.spent()
    compiling.began("next")
    time.sleep(0.05)
    compiling.ended()
    assert compiling.spent() - spent >= 0.05


def test_listeners_hear_what_is_compiled_and_when_nothing_is_any_more(anew):
    heard = []
    stop = compiling.listen(heard.append)
    compiling.began("conv.direct")
    compiling.ended()
    with compiling.Progress(3) as progress:
        progress.working(["update.adam", "linear.turn"])
    stop()
    compiling.began("of no interest")
    compiling.ended()
    assert heard == [
        "kernel 1, conv.direct; 0 s so far",
        "",
        "0 of 3 kernels compiled in 0 s; now update.adam, linear.turn",
        "",
    ]


def test_a_kernel_that_another_one_needs_does_not_end_what_is_heard(anew):
    heard = []
    stop = compiling.listen(heard.append)
    compiling.began("outer")
    compiling.began("inner")
    compiling.ended()
    assert heard[-1] == "kernel 2, inner; 0 s so far"
    compiling.ended()
    stop()
    assert heard[-1] == ""
