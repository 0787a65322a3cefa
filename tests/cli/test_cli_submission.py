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


LISTED = [" ".join(map(str, row)) for row in PIXELS[:2].tolist()]


@pytest.mark.parametrize(
    ("columns", "added", "names"),
    [
        (["pixels"], [], ["1", "2"]),
        (None, [], ["1", "2"]),
        (["emotion", "pixels"], [[3, 4]], ["3", "4"]),
        (["class", "pixels"], [[3, 4]], ["1", "2"]),
        (["id", "pixels"], [["a7", "b9"]], ["a7", "b9"]),
        (["id", "label", "pixels"], [["a7", "b9"], [3, 4]], ["a7", "b9"]),
        (["emotion", "Usage", "pixels"], [[3, 4], ["PublicTest"] * 2], ["3", "4"]),
        (["label", "Usage", "pixels"], [[3, 4], ["Training", "PublicTest"]], ["1", "2"]),
    ],
)
def test_pixels_may_be_listed_in_one_cell_as_in_the_training(
    tmp_path, columns, added, names
) -> None:
    rows = [list(row) for row in zip(*added, LISTED, strict=True)]
    images, found = read_unlabelled(table(str(tmp_path / "t.csv"), columns, rows), (1, 6, 6))
    np.testing.assert_array_equal(images, IMAGES[:2])
    assert (images.dtype, found) == (np.uint8, names)


@pytest.mark.parametrize(
    ("columns", "added", "options", "names"),
    [
        (["id", "label", *HEADS], [["a7", "b9"], [3, 4]], {}, ["a7", "b9"]),
        (["", "label", *HEADS], [[0, 1], [3, 4]], {}, ["1", "2"]),
        (["label", "Usage", *HEADS], [[3, 4], ["Training", "Test"]], {}, ["1", "2"]),
        (["id", "digit", *HEADS], [["a7", "b9"], [3, 4]], {"label": "digit"}, ["a7", "b9"]),
        (["id", "digit", *HEADS], [["a7", "b9"], [3, 4]], {"label": 1}, ["a7", "b9"]),
        (["id", "source", *HEADS], [["a7", "b9"], [3, 4]], {"ignore": "source"}, ["a7", "b9"]),
        (["id", "source", *HEADS], [["a7", "b9"], [3, 4]], {"ignore": [1]}, ["a7", "b9"]),
        (None, [["a7", "b9"], [3, 4]], {"label": 1}, ["a7", "b9"]),
    ],
)
@pytest.mark.filterwarnings("ignore::pellucid.data.AssumptionWarning")
def test_columns_that_are_neither_pixels_nor_names_are_left_out(
    tmp_path, columns, added, options, names
) -> None:
    rows = [
        [*more, *row] for more, row in zip(zip(*added, strict=True), PIXELS.tolist(), strict=False)
    ]
    path = table(str(tmp_path / "t.csv"), columns, rows)
    images, found = read_unlabelled(path, (1, 6, 6), **options)
    np.testing.assert_array_equal(images, IMAGES[:2])
    assert found == names


def test_the_first_image_of_a_table_without_a_header_is_an_image(tmp_path) -> None:
    """A name in its first cell does not make a line one of names."""
    rows = [["a7", *PIXELS[0].tolist()], ["b9", *PIXELS[1].tolist()]]
    with pytest.warns(AssumptionWarning, match="read as the images' names"):
        _, names = read_unlabelled(table(str(tmp_path / "t.csv"), None, rows), (1, 6, 6))
    assert names == ["a7", "b9"]


def test_predict_takes_the_tables_and_options_of_the_training(pellucid: Command) -> None:
    rows = [
        [f"row {i}", i % 3, label, *pixels]
        for i, (label, pixels) in enumerate(zip(small_run.VALIDATION.labels, PIXELS, strict=True))
    ]
    written = table("written.csv", ["note", "source", "digit", *HEADS], rows)
    Path("data.tsv").write_text(Path(written).read_text().replace(",", "\t"))
    options = ["--label", "digit", "--ignore", "note", "--ignore", "source", "--separator", "tab"]
    trained = pellucid(
        *("train", "data.tsv", *options, "--model", "mlp", "--epochs", "1", "--no-report"),
        *("--no-curves", "--out", "tabs"),
    )
    assert trained[0] == 0, trained[2]
    status, out, err = pellucid("predict", "tabs", "data.tsv", "--csv", "--no-check")
    assert (status, err) == (0, "")
    assert len(read(out)) == 1 + len(PIXELS)


def test_numbers_that_count_are_names_or_an_image_as_the_option_says(
    pellucid: Command, run: Path
) -> None:
    table("counting.csv", None, [list(range(36)), *PIXELS[:2].tolist()])
    for option, count in (((), 2), (("--header",), 2), (("--no-header",), 3)):
        status, out, err = pellucid("predict", run, "counting.csv", *option, "--csv", "--no-check")
        assert (status, len(read(out))) == (0, 1 + count)
        assert ("--no-header" in err) == (not option)


def test_an_option_of_the_command_stands_above_that_of_the_run(
    pellucid: Command, run: Path
) -> None:
    rows = [[7, *row] for row in PIXELS[:2].tolist()]
    table("t.csv", ["kind", *HEADS], rows)
    names = [
        [row[0] for row in read(pellucid("predict", run, "t.csv", *option, "--csv")[1])[1:]]
        for option in ((), ("--label", "kind"), ("--ignore", "0"))
    ]
    assert names == [["7", "7"], ["1", "2"], ["1", "2"]]
    Image.new("L", (6, 6)).save("image.png")
    for option in (("--no-header",), ("--ignore", "0"), ("--channels-first",)):
        told = pellucid("predict", run, "image.png", *option)[2]
        assert f"{option[0].replace('no-', '').replace('first', 'last')} is for tables" in told


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([[1, 2, 3]], "has 3 columns; images of 1×6×6 have 36 pixels"),
        ([["", *[1] * 35], [1] * 36], "row 1: column 1 is missing"),
        ([["x"] * 35 + ["1"], ["y"] * 36], "row 1: column 1 is 'y'"),
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
