"""Tables of pixels without classes, and images unlike those of the training."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid as pl
import small_run
from commands import Command
from pellucid.data import AssumptionWarning
from pellucid.data.unlabelled import read_unlabelled
from pellucid.errors import DataError
from pellucid.evaluation.typical import Typical

pytestmark = pytest.mark.usefixtures("rows")
IMAGES = small_run.VALIDATION.images
PIXELS = IMAGES.reshape(len(IMAGES), -1)
HEADS = [f"pixel{i}" for i in range(36)]


def table(path: str, columns: list[str] | None, rows: list[list[object]]) -> str:
    with Path(path).open("w", newline="") as file:
        csv.writer(file).writerows(([columns] if columns else []) + rows)
    return path


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_a_submission_is_one_command(pellucid: Command, run: Path) -> None:
    table("test.csv", HEADS, PIXELS.tolist())
    status, out, err = pellucid(
        "predict", run, "test.csv", "--csv", "--columns", "ImageId,Label", "--no-check"
    )
    assert (status, err) == (0, "")
    head, *rows = read(out)
    assert head == ["ImageId", "Label"]
    assert [number for number, _ in rows] == [str(i) for i in range(1, len(IMAGES) + 1)]
    model = pl.load(run)
    expected = pl.predict(model, IMAGES).argmax(axis=1)
    assert [label for _, label in rows] == [model.classes[i] for i in expected]


@pytest.mark.parametrize(
    ("columns", "extra", "names"),
    [
        (HEADS, None, ["1", "2"]),
        (None, None, ["1", "2"]),
        (["id", *HEADS], "id", ["a7", "b9"]),
        ([*HEADS, "filename"], "end", ["a7", "b9"]),
        (["label", *HEADS], "label", ["1", "2"]),
    ],
)
def test_the_column_that_is_no_pixel_names_the_image(tmp_path, columns, extra, names) -> None:
    rows = PIXELS[:2].tolist()
    if extra is not None:
        added = [3, 4] if extra == "label" else ["a7", "b9"]
        rows = [[*r, a] if extra == "end" else [a, *r] for r, a in zip(rows, added, strict=True)]
    images, found = read_unlabelled(table(str(tmp_path / "t.csv"), columns, rows), (1, 6, 6))
    np.testing.assert_array_equal(images, IMAGES[:2])
    assert images.dtype == np.uint8
    assert found == names


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("columns", "label"), [([*HEADS, "digit"], "digit"), ([*HEADS, "digit"], None), (None, 36)]
)
def test_a_class_of_any_name_in_the_last_column_is_no_pixel(
    tmp_path, columns, label, separator
) -> None:
    path = tmp_path / "t.csv"
    with path.open("w", newline="") as file:
        rows = [[*row, 7] for row in PIXELS[:2].tolist()]
        csv.writer(file, delimiter=separator).writerows(([columns] if columns else []) + rows)
    images, names = read_unlabelled(path, (1, 6, 6), label=label)
    np.testing.assert_array_equal(images, IMAGES[:2])
    assert names == (["7", "7"] if label is None else ["1", "2"])


def test_a_first_column_without_a_name_is_told(tmp_path) -> None:
    rows = [[7, *row] for row in PIXELS[:2].tolist()]
    with pytest.warns(AssumptionWarning, match="read as the images' names"):
        images, names = read_unlabelled(table(str(tmp_path / "t.csv"), None, rows), (1, 6, 6))
    np.testing.assert_array_equal(images, IMAGES[:2])
    assert names == ["7", "7"]


def test_channels_of_a_table_are_read_as_in_the_training(tmp_path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 4), np.uint8)
    rows = noise.transpose(0, 2, 3, 1).reshape(2, -1).tolist()
    path = table(str(tmp_path / "t.csv"), None, rows)
    images, _ = read_unlabelled(path, (3, 4, 4), channels_last=True)
    np.testing.assert_array_equal(images, noise)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([[1, 2, 3]], "has 3 columns; images of 1×6×6 have 36 pixels"),
        ([["", *[1] * 35], [1] * 36], "lacks a value"),
        ([["x"] * 35 + ["1"], ["y"] * 36], "a pixel is no number"),
    ],
)
def test_what_is_no_such_table_is_told(tmp_path, rows, told) -> None:
    with pytest.raises(DataError, match=told):
        read_unlabelled(table(str(tmp_path / "t.csv"), None, rows), (1, 6, 6))


def test_heads_without_csv_are_told(pellucid: Command, run: Path) -> None:
    table("test.csv", None, PIXELS.tolist())
    assert (
        "--columns names the columns of --csv"
        in pellucid("predict", run, "test.csv", "--columns", "a,b")[2]
    )
    assert (
        "two or three names" in pellucid("predict", run, "test.csv", "--csv", "--columns", "a")[2]
    )


def test_training_images_are_of_their_own_kind_and_strange_ones_are_not() -> None:
    digits = pl.data.load("digits")
    model = pl.models.mlp((1, 8, 8), 10, hidden=(16,))
    for _ in pl.train(model, digits.train, epochs=2):
        pass
    typical = Typical.from_bytes(Typical.of(model, digits.train).to_bytes())
    known = typical.remarks(model, digits.test.images)
    assert sum(map(bool, known)) <= 0.02 * len(known)
    inverted = typical.remarks(model, 255 - digits.test.images[:20])
    assert all(any("grey level" in remark for remark in remarks) for remarks in inverted)
    small = np.zeros((3, 1, 8, 8), np.uint8)
    small[:, :, 3:5, 3:5] = 255
    assert all("of what is drawn" in " ".join(told) for told in typical.remarks(model, small))
    noise = 255 * np.random.default_rng(0).integers(0, 2, (20, 1, 8, 8), np.uint8)
    far = typical.remarks(model, noise)
    assert np.mean([any("far from every class" in r for r in told) for told in far]) > 0.5


def test_colour_where_there_was_none_is_noticed() -> None:
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (50, 1, 6, 6), np.uint8), 3, axis=1)
    data = pl.data.DataSet(grey, np.arange(50) % 2, ("a", "b"))
    model = pl.models.mlp((3, 6, 6), 2, hidden=(4,))
    red = grey[:3].copy()
    red[:, 1:] = 0
    told = Typical.of(model, data).remarks(model, red)
    assert all("its colour" in " ".join(remarks) for remarks in told)


def test_a_strange_image_is_named_with_what_to_try(pellucid: Command, run: Path) -> None:
    Image.fromarray(np.full((6, 6), 255, np.uint8)).save("white.png")
    Image.fromarray(small_run.DATA.images[0, 0]).save("known.png")
    status, _, err = pellucid("predict", run, "white.png", "known.png")
    assert status == 0
    assert "white.png is unlike the training images: " in err
    assert "known.png" not in err
    assert "Their classes may be wrong. Try" in err
    assert pellucid("predict", run, "white.png", "--no-check")[2] == ""


def test_the_edge_of_a_dark_table_beside_a_drawn_digit_is_cut_off() -> None:
    paper = np.full((120, 100), 215, np.uint8)
    paper[30:95, 47:55] = 40  # a one
    clean = pl.data.drawn_digit(paper)
    for side in range(4):
        photo = np.rot90(paper, side).copy()
        photo[:11] = 25
        photo = np.rot90(photo, -side)
        found = pl.data.drawn_digit(np.ascontiguousarray(photo))
        assert np.abs(found.astype(int) - clean).mean() < 6, side
