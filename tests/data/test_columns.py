"""Which line holds names, which column the class and which the pixels, is certain or is said."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from pellucid.data import AssumptionWarning, Splits, read_csv
from pellucid.data.problems import Problems
from pellucid.errors import DataError


def table(tmp_path: Path, text: str) -> Path:
    (tmp_path / "table.csv").write_text(text)
    return tmp_path / "table.csv"


def rows(splits: Splits) -> list[list[float]]:
    data = splits.train
    flat = data.images.reshape(len(data), -1).tolist()
    names = [data.classes[label] for label in data.labels]
    return [[name, *pixels] for name, pixels in zip(names, flat, strict=True)]


# Separators


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_what_stands_between_values_is_found(separator: str, tmp_path: Path) -> None:
    text = "label,a,b,c,d\n0,1,2,3,4\n1,5,6,7,8\n".replace(",", separator)
    assert rows(read_csv(table(tmp_path, text))) == [["0", 1, 2, 3, 4], ["1", 5, 6, 7, 8]]


def test_a_comma_between_semicolons_is_a_decimal_comma(tmp_path: Path) -> None:
    path = table(tmp_path, "label;a;b;c;d\ncat;0,5;1,25;-3;1e2\ndog;0;0;0,75;0\n")
    assert rows(read_csv(path)) == [["cat", 0.5, 1.25, -3, 100], ["dog", 0, 0, 0.75, 0]]


def test_separators_in_quotes_do_not_count(tmp_path: Path) -> None:
    path = table(tmp_path, 'label,a\n"cat;dog;cow",1\n"a;b;c",2\n')
    assert rows(read_csv(path)) == [["cat;dog;cow", 1], ["a;b;c", 2]]


def test_the_separator_can_be_given(tmp_path: Path) -> None:
    path = table(tmp_path, "label:a\ncat:1\ndog:2\n")
    assert rows(read_csv(path, separator=":")) == [["cat", 1], ["dog", 2]]


# Header


def test_numbers_above_numbers_are_names_where_the_first_is_text(tmp_path: Path) -> None:
    digits = load_digits()
    frame = pd.DataFrame(digits.data.astype(int))
    frame.insert(0, "label", digits.target)
    frame.to_csv(tmp_path / "digits.csv", index=False)
    data = read_csv(tmp_path / "digits.csv").train
    assert (data.images.reshape(len(data), -1) == digits.data).all()
    assert (data.labels == digits.target).all()
    assert len(data.classes) == 10


def test_the_index_that_pandas_writes_is_no_pixel(tmp_path: Path) -> None:
    frame = pd.DataFrame({"label": [1, 0], "a": [1, 2], "b": [3, 4], "c": [5, 6], "d": [7, 8]})
    frame.to_csv(tmp_path / "table.csv")
    assert rows(read_csv(tmp_path / "table.csv")) == [["1", 1, 3, 5, 7], ["0", 2, 4, 6, 8]]


def test_a_class_called_as_another_row_makes_the_first_line_a_row(tmp_path: Path) -> None:
    path = table(tmp_path, "cat,1,2,3,4\ndog,5,6,7,8\ncat,9,9,9,9\n")
    assert len(rows(read_csv(path))) == 3


@pytest.mark.parametrize(("pixels", "named"), [(4, False), (16, True)])
def test_a_first_line_that_counts_up_is_said(pixels: int, named: bool, tmp_path: Path) -> None:
    line = ",".join(map(str, range(pixels + 1)))
    path = table(tmp_path, f"{line}\n" + f"0{',7' * pixels}\n1{',8' * pixels}\n" * 2)
    with pytest.warns(AssumptionWarning, match=r"first line.*header=True or False \(--header"):
        assert len(rows(read_csv(path, label=0))) == (4 if named else 5)
    assert len(rows(read_csv(path, label=0, header=True))) == 4
    assert len(rows(read_csv(path, label=0, header=False))) == 5


def test_a_first_line_that_counts_beyond_255_can_be_no_image(tmp_path: Path) -> None:
    line = ",".join(map(str, range(401)))
    path = table(tmp_path, f"{line}\n0{',7' * 400}\n1{',8' * 400}\n")
    assert len(rows(read_csv(path, label=0))) == 2


def test_a_text_above_a_text_and_numbers_that_count_up_is_said(tmp_path: Path) -> None:
    path = table(tmp_path, "kind,0,1,2,3\ncat,5,6,7,8\ndog,5,6,7,8\n")
    with pytest.warns(AssumptionWarning, match="is read as an image"):
        assert len(rows(read_csv(path))) == 3


# The class


def test_a_class_in_another_column_than_the_first_has_to_be_named(tmp_path: Path) -> None:
    frame = pd.DataFrame({f"p{i}": range(i, i + 6) for i in range(16)} | {"digit": [0, 1] * 3})
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=r"the class seems to be in 'digit'; give label= \(--label"):
        read_csv(tmp_path / "a.csv")
    assert read_csv(tmp_path / "a.csv", label="digit").train.labels.tolist() == [0, 1] * 3


def test_a_first_column_called_unlike_the_pixels_is_the_class(tmp_path: Path) -> None:
    path = table(tmp_path, "digit,p0,p1,p2,p3\n7,0,1,2,3\n9,4,5,6,7\n")
    assert rows(read_csv(path)) == [["7", 0, 1, 2, 3], ["9", 4, 5, 6, 7]]


def test_text_cannot_be_pixels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"in column 4 \(counted from 0\); give label="):
        read_csv(table(tmp_path, "9,2,3,4,cat\n5,6,7,8,dog\n"))


def test_a_constant_column_cannot_be_the_class(tmp_path: Path) -> None:
    first = table(tmp_path, "0,1,2,3,0\n1,5,6,7,0\n")
    assert rows(read_csv(first)) == [["0", 1, 2, 3, 0], ["1", 5, 6, 7, 0]]
    with pytest.raises(DataError, match="the class seems to be in column 4"):
        read_csv(table(tmp_path, "0,1,2,3,0\n0,5,6,7,1\n"))


def test_fractions_cannot_be_the_class(tmp_path: Path) -> None:
    path = table(tmp_path, "0,1,2,3,0.5\n1,5,6,7,0.25\n")
    assert [row[0] for row in rows(read_csv(path))] == ["0", "1"]


def test_a_class_that_may_be_first_or_last_is_said(tmp_path: Path) -> None:
    path = table(tmp_path, "0,9,2,3,4\n1,5,6,7,8\n")
    with pytest.warns(AssumptionWarning, match=r"class is read from the first column.*--label"):
        assert [row[0] for row in rows(read_csv(path))] == ["0", "1"]


def test_a_column_that_is_no_pixel_is_named_and_can_be_left_out(tmp_path: Path) -> None:
    path = table(tmp_path, "id,label,p0,p1,p2,p3\n7,0,1,2,3,4\n8,1,5,6,7,8\n")
    with pytest.raises(DataError, match=r"column 'id' .* leave it out with ignore= \(--ignore"):
        read_csv(path)
    assert rows(read_csv(path, ignore="id")) == [["0", 1, 2, 3, 4], ["1", 5, 6, 7, 8]]
    assert rows(read_csv(path, ignore=[0])) == [["0", 1, 2, 3, 4], ["1", 5, 6, 7, 8]]
    with pytest.raises(DataError, match="unknown column"):
        read_csv(path, ignore="idd")


# Pixels listed in one cell, as in FER2013


def test_pixels_listed_in_one_cell_and_the_part_of_each_row(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 48 * 48))
    usage = ["Training", "Training", "PublicTest", "PrivateTest", "Training", "PrivateTest"]
    frame = pd.DataFrame({"emotion": [0, 1, 2, 0, 1, 2]})
    frame["pixels"] = [" ".join(map(str, image)) for image in images]
    frame["Usage"] = usage
    frame.to_csv(tmp_path / "fer.csv", index=False)
    splits = read_csv(tmp_path / "fer.csv")
    assert splits.validation is not None
    assert splits.test is not None
    for part, chosen in (
        (splits.train, [0, 1, 4]),
        (splits.validation, [2]),
        (splits.test, [3, 5]),
    ):
        assert part.image_shape == (1, 48, 48)
        assert (part.images.reshape(len(part), -1) == images[chosen]).all()
        assert part.labels.tolist() == [[0, 1, 2, 0, 1, 2][i] for i in chosen]


def test_listed_pixels_may_stand_in_brackets_and_without_a_header(tmp_path: Path) -> None:
    path = table(tmp_path, 'cat,"[1, 2, 3, 4]"\ndog,"[5, 6, 7, 8]"\n')
    assert rows(read_csv(path)) == [["cat", 1, 2, 3, 4], ["dog", 5, 6, 7, 8]]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("1 2 3 x", r"'1 2 3 x' is no list of numbers"),
        ("1 2 3", "it lists 3 pixels, the first row 4"),
        ("1 2 3 256", "the pixel 256 is not between"),
        ("", "is no list of numbers"),
    ],
)
def test_a_list_that_is_not_an_image_is_named(cell: str, reason: str, tmp_path: Path) -> None:
    good = "label,pixels\n" + "0,1 2 3 4\n1,1 2 3 4\n" * 30
    path = table(tmp_path, f"{good}0,{cell}\n")
    with pytest.raises(DataError, match=f"row 61 .*{reason}"):
        read_csv(path)


def test_a_part_of_another_name_is_named(tmp_path: Path) -> None:
    path = table(tmp_path, "label,split,a\n0,train,1\n1,test,2\n" + "0,train,1\n" * 50 + "0,x,1\n")
    with pytest.raises(DataError, match=r"row 53 .'x' is neither training, validation nor test"):
        read_csv(path)


def test_a_message_is_short_whatever_the_cell_holds(tmp_path: Path) -> None:
    path = table(tmp_path, "label,a,b,c,d\n" + f"0,1,{'y' * 100_000},3,4\n" * 9)
    with pytest.raises(DataError) as raised:
        read_csv(path)
    assert len(str(raised.value)) < 800 + 9 * len(str(path))


def test_a_long_reason_is_cut() -> None:
    problems = Problems("row")
    problems.add("row 1", "x" * 10_000)
    with pytest.raises(DataError, match="x…") as raised:
        problems.settle("table.csv", skip=False)
    assert len(str(raised.value)) < 300
