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
