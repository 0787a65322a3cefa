"""``pellucid summary``, ``data`` and ``algorithms``: what is known before a run."""

import re
from pathlib import Path

import pytest

from commands import Command, short

pytestmark = pytest.mark.usefixtures("rows")


def test_summary_lists_the_networks(pellucid: Command) -> None:
    assert "resnet20" in pellucid("summary")[1].split()


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [
        (("lenet5",), "61,706"),
        (("lenet5x2",), "244,362"),
        (("resnet20",), "272,474"),
        (("resnet18",), "11,689,512"),
        (("lenet5:width=2",), "244,362"),
        (("mlp", "--input", "1x2x2", "--classes", "3"), "1,027"),
        (("net.toml", "--data", "rows.npz"), "243"),
    ],
)
def test_summary_counts(pellucid: Command, arguments: tuple[str, ...], parameters: str) -> None:
    status, out, _ = pellucid("summary", *arguments)
    assert status == 0
    assert re.search(rf"Parameters +{parameters}\b", out)


def test_summary_of_a_run_is_of_its_own_images(pellucid: Command, run: Path) -> None:
    assert "for an image of 1×6×6" in pellucid("summary", run)[1]


def test_a_network_shown_as_toml_is_a_model_again(pellucid: Command) -> None:
    _, text, _ = pellucid("summary", "mlp", "--toml", "--data", "rows.npz")
    Path("again.toml").write_text(text)
    assert pellucid(*short("--model", "again.toml"))[0] == 0


def test_data_counts_classes_and_names_what_may_be_wrong(pellucid: Command) -> None:
    Path("table.csv").write_text("label,a,b,c,d\n0,1,2,3,4\n1,1,2,3,4\n1,9,,9,9\n")
    status, out, _ = pellucid("data", "table.csv")
    assert status == 0
    assert re.search(r"^1 +1$", out, re.MULTILINE)
    assert re.search(r"different classes +2$", out, re.MULTILINE)
    assert "row 3" in out


def test_algorithms_compares_costs(pellucid: Command) -> None:
    status, out, _ = pellucid("algorithms", "--shape", "2x32x8x8", "--kernel", "64x3x3")
    assert status == 0
    definition = 2 * 32 * 64 * 8 * 8 * 9
    assert re.search(rf"loops .* {definition:,} ", out)
    assert "winograd" in out
    assert "winograd4 cannot" not in out
    _, out, _ = pellucid("algorithms", "--stride", "2")
    assert "winograd4 cannot do this" in out
