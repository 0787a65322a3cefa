"""The page of records is written from results alone, and its numbers are theirs."""

import pytest

from benchmarks import records_page
from pellucid.cli.recipes import NAMED


def result(recipe, seed, accuracy, cpu, data="cifar-10", load=2.5):
    return {
        "data": data, "recipe": recipe, "seed": seed, "accuracy": accuracy, "loss": 0.5,
        "wall": cpu / 2, "cpu": cpu, "parameters": 1_972_792, "date": "2026-01-31", "load": load,
        "machine": {"processor": "Example 3000", "processors": 2, "system": "Linux"},
    }  # fmt: skip


RESULTS = [
    result("fast", 0, 0.94, 900.0),
    result("fast", 1, 0.9436, 1100.0),
    result("long", 0, 0.95, 6000.0),
    result("small", 0, 0.995, 60.0, data="mnist"),
]


def test_a_recipe_has_one_row_with_means_and_ranges():
    rows = records_page.table(RESULTS).splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == [
        *("| `cifar-10 --recipe fast`", "| `cifar-10 --recipe long`", "| `mnist --recipe small`"),
    ]
    _, parameters, seeds, accuracy, minutes, cpu, *_ = rows[0].split(" | ")
    assert (parameters, seeds) == ("1,972,792", "2")
    assert accuracy == "94.18 % (94.00–94.36)"
    assert minutes == "8.3 min (7.5–9.2)"
    assert cpu == "16.7 min (15.0–18.3)"
    assert "95.00 %" in rows[1]
    assert " | 30.0 s | 60.0 s | " in rows[2]


def test_only_a_run_with_the_machine_to_itself_counts_for_minutes():
    busy = result("fast", 2, 0.9412, 1000.0, load=7.0)
    _, _, seeds, accuracy, minutes, cpu, _ = (
        records_page.table([*RESULTS, busy]).splitlines()[2].split(" | ")
    )
    assert (seeds, minutes) == ("3", "8.3 min (7.5–9.2)")
    assert accuracy == "94.16 % (94.00–94.36)"
    assert cpu == "16.7 min (15.0–18.3)"


def test_a_run_beside_another_does_not_count_for_minutes():
    beside = [result("small", seed, 0.99, 1000.0, load=1.7) | {"threads": 1} for seed in (0, 1)]
    assert " | – | 16.7 min " in records_page.table(beside)


def test_a_run_that_was_cut_short_has_a_time_but_no_accuracy():
    short = result("fast, in PyTorch", 0, None, 3000.0)
    row = records_page.table([*RESULTS, short]).splitlines()[3]
    cells = row.strip("| ").split(" | ")
    assert cells[0] == "`cifar-10 --recipe fast`, in PyTorch"
    assert cells[3:5] == ["(not trained to the end)", "25.0 min"]
    assert records_page.draw([*RESULTS, short]).axes[0].texts[-1].get_text() == "long"


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([], []),
        ([(1, 5), (2, 6), (3, 4)], [(1, 5), (2, 6)]),
        ([(2, 6), (1, 7)], [(1, 7)]),
        ([(1, 5), (1, 6), (2, 6)], [(1, 6)]),
    ],
)
def test_the_front_is_what_nothing_beats_in_both(points, front):
    assert records_page.pareto(points) == front


def test_page_and_picture_are_written(tmp_path):
    page = tmp_path / "records.md"
    page.write_text("before\n<!-- records:begin -->\nold\n<!-- records:end -->\nafter\n")
    records_page.write(RESULTS, page, tmp_path / "records.svg")
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "94.18 %" in text
    assert {path.suffix for path in tmp_path.iterdir()} == {".md", ".svg", ".png"}


def test_a_data_set_has_a_panel_with_its_goals():
    figure = records_page.draw(RESULTS)
    assert [axes.get_title() for axes in figure.axes] == ["cifar-10", "mnist"]
    goals = [
        line.get_ydata()[0]
        for axes in figure.axes
        for line in axes.lines
        if line.get_linestyle() == "--"
    ]
    assert goals == [94.0, 95.0, 99.5]


def test_every_data_set_with_a_recipe_has_a_goal():
    assert {data for recipes in NAMED.values() for data in recipes} <= set(records_page.GOALS)
