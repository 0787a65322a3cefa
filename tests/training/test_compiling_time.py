"""Compiling is no part of the time that training takes, and is told apart."""

import time
from dataclasses import replace

import numpy as np
import pytest

import small_run
from pellucid import training
from pellucid.runtime import compiling
from pellucid.training import Epoch, log_csv, read_history, show_progress
from pellucid.training.progress import compiling_note

EPOCH = Epoch(1, 4, 16, 1.0, 0.5, 0.8, 0.75, 0.1, 1.0, 320.0, False)


def test_the_clock_stands_still_while_kernels_are_compiled():
    started, before = compiling.clock(), compiling.spent()
    compiling.began("outer")
    compiling.began("inner")
    time.sleep(0.05)
    compiling.ended()
    compiling.ended()
    assert compiling.spent() - before >= 0.05
    assert compiling.clock() - started < 0.04


def test_what_is_compiled_with_a_bar_counts_once(capsys):
    before = compiling.spent()
    with compiling.Progress(1) as progress, compiling.silence():
        compiling.began("kernel")
        time.sleep(0.05)
        compiling.ended()
        progress.done()
    assert 0.05 <= compiling.spent() - before < 0.09
    assert "1 kernel" in capsys.readouterr().err


def test_an_epoch_tells_compiling_apart_from_training():
    """Kernels that a step needs are compiled while its data is made."""

    class Slow:
        def __len__(self):
            return 4

        def batches(self, epoch, seed):
            for i in range(4):
                if epoch == 0 and i == 1:
                    compiling.began("kernel")
                    time.sleep(0.2)
                    compiling.ended()
                yield small_run.DATA.images[:8].astype(np.float32), small_run.DATA.labels[:8]

    history = training.fit(small_run.network(), Slow(), epochs=2)
    assert history[0].compiling >= 0.2
    assert history[0].seconds < history[0].compiling
    assert history[1].compiling < 0.1
    assert history[0].images_per_second > 32 / 0.2


def test_the_history_keeps_it_and_older_files_are_read(tmp_path):
    class State:
        history = (replace(EPOCH, compiling=18.25), replace(EPOCH, epoch=2))

    path = tmp_path / "history.csv"
    for _ in log_csv([], State(), path):
        pass
    assert [epoch.compiling for epoch in read_history(path)] == [18.25, 0.0]
    lines = path.read_text().splitlines()
    assert lines[0].endswith(",compiling")
    path.write_text("\n".join(line.rpartition(",")[0] for line in lines) + "\n")
    assert read_history(path)[0] == EPOCH


@pytest.mark.parametrize(("seconds", "told"), [(0.4, False), (18.2, True)])
def test_the_progress_tells_it_once_where_it_matters(seconds, told, capsys):
    for _ in show_progress([replace(EPOCH, compiling=seconds), replace(EPOCH, epoch=2)]):
        pass
    out = capsys.readouterr().out
    assert out.count("Compiling for this machine took") == told
    assert (f"took {seconds:.1f} s more" in out) == told
    assert compiling_note(EPOCH) is None
