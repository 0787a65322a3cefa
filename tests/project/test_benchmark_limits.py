"""The benchmarks of limits and threads: what a step needs, counted by hand; what is written."""

import pytest

from benchmarks import limits, threads
from benchmarks.contestants import PELLUCID
from benchmarks.limits import FORWARD, LINEAR, PASSES, WEIGHTS, Work
from benchmarks.results import Entry, Row, Turn
from pellucid import engine
from pellucid import layers as nn


def of(*layers, shape=(64, 16, 8, 8)):
    with engine.using("compiled"):
        return limits.work(nn.Sequential(*layers), shape)


def test_a_convolution_multiplies_in_three_passes_and_the_first_in_two():
    conv = nn.Conv2d(16, 32, 5, padding=2)
    x, y, w = 64 * 16 * 64, 64 * 32 * 64, 32 * 16 * 25
    once = Work(64 * 64 * w, 4 * (x + y + w))
    assert of(conv)[FORWARD] == [once]
    assert of(conv)[WEIGHTS] == [once]
    second = of(nn.Conv2d(16, 16, 1), conv)
    assert second[FORWARD][1:] == [once, once]


def test_winograd_multiplies_36_times_for_16_outputs_and_computes_whole_squares():
    assert of(nn.Conv2d(16, 16, 3, padding=1))[WEIGHTS][0].products == 64 * 16 * 16 * 2 * 2 * 36
    ragged = of(nn.Conv2d(16, 16, 3, padding=1), shape=(64, 16, 9, 9))
    assert ragged[WEIGHTS][0].products == 64 * 16 * 16 * 3 * 3 * 36


def test_what_follows_a_normalisation_moves_less():
    pixels = 64 * 16 * 64
    norm, relu, pool = nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)
    assert of(norm, relu)[PASSES] == [Work(0, 24 * pixels), Work(0, 0)]
    assert of(relu)[PASSES] == [Work(0, 20 * pixels)]
    assert of(norm, relu, pool)[PASSES][2] == Work(0, 6 * pixels)  # y is a quarter
    assert of(pool)[PASSES] == [Work(0, 10 * pixels)]
    residual = of(nn.Residual(nn.Sequential(norm), None, None))
    assert residual[PASSES][1] == Work(0, 20 * pixels)


def test_a_kernel_takes_as_long_as_the_slower_of_products_and_bytes():
    assert Work(8, 10).seconds(products=4, bandwidth=10) == 2
    assert Work(8, 10).seconds(products=8, bandwidth=2) == 5
    linear = of(nn.Flatten(), nn.Linear(1024, 10))[LINEAR]
    assert linear == [Work(64 * 10240, 4 * (64 * 1034 + 10240))] * 3


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        ("conv.winograd 8", FORWARD),
        ("conv.channels_last.direct.pack", FORWARD),
        ("conv.tiles.add_shares", WEIGHTS),
        ("conv.channels_last.winograd_gradient 2×8", WEIGHTS),
        ("conv.point_gradient 3×8", WEIGHTS),
        ("linear.product 4×4", LINEAR),
        ("epilogue_kernels.gradient_sums", PASSES),
        ("", PASSES),
    ],
)
def test_kernels_are_told_apart_by_their_names(kernel, kind):
    assert limits.kind_of(kernel) == kind


def test_threads_double_until_the_machine_has_no_more():
    assert threads.counts(1) == [1]
    assert threads.counts(2) == [1, 2]
    assert threads.counts(6) == [1, 2, 4, 6]
    assert threads.counts(64) == [1, 2, 4, 8, 16, 32, 64]


def test_speed_with_more_threads_is_relative_to_one(tmp_path):
    def row(ours, theirs):
        entries = {"pellucid": ours, "torch-cl": theirs}
        made = {n: Entry(turns=[Turn(9, s, s, 0.0)] * 3) for n, s in entries.items()}
        return Row("training", "lenet", 64, made)

    rows = {"lenet": {1: row(4.0, 6.0), 2: row(2.0, 4.0)}}
    assert threads.speed(rows["lenet"], 2, PELLUCID) == 2
    assert "| lenet | 2 | 2000 | 2.00 | 4000 | 1.50 | **2.00×** (2.00–2.00) |" in threads.table(
        rows
    )
    threads.draw(rows, tmp_path / "curve")
    assert "ideal" in (tmp_path / "curve.svg").read_text()
