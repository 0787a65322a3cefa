"""Tables are read in every usual form; odd rows are named, or left out if asked."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from pellucid.data import SkippedWarning, Splits, csv, load, read_csv
from pellucid.errors import DataError


def table(tmp_path: Path, text: str, name: str = "table.csv") -> Path:
    path = tmp_path / name
    packed = gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
    path.write_bytes(packed)
    return path


def rows(splits: Splits) -> list[list[float]]:
    data = splits.train
    return [
        [label, *pixels]
        for label, pixels in zip(
            data.labels.tolist(), data.images.reshape(len(data), -1).tolist(), strict=True
        )
    ]


KAGGLE = "label,pixel0,pixel1,pixel2,pixel3\n1,0,10,20,255\n0,1,2,3,4\n"
EXPECTED = [[1, 0, 10, 20, 255], [0, 1, 2, 3, 4]]


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz", "TABLE.CSV"])
def test_a_table_as_kaggle_gives_mnist(name: str, tmp_path: Path) -> None:
    splits = load(table(tmp_path, KAGGLE, name))
    assert rows(splits) == EXPECTED
    assert splits.train.image_shape == (1, 2, 2)
    assert splits.train.images.dtype == np.uint8
    assert splits.train.classes == ("0", "1")
    assert splits.test is None


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + KAGGLE,
        KAGGLE.replace("\n", "\r\n"),
        KAGGLE.replace(",", ", "),
        KAGGLE.rstrip("\n"),
        KAGGLE + "\n\n",
        KAGGLE.replace("label", "Target"),
        "a,b,class,c,d\n0,10,1,20,255\n1,2,0,3,4\n",
        KAGGLE.replace("\n1,", '\n"1",'),
        KAGGLE.replace("\n1,0,", "\n1.0,0.0,"),
    ],
)
def test_the_same_table_written_differently(text: str, tmp_path: Path) -> None:
    assert rows(read_csv(table(tmp_path, text))) == EXPECTED


def test_the_label_may_stand_anywhere_if_it_is_said(tmp_path: Path) -> None:
    last = table(tmp_path, "a,b,c,d,kind\n0,10,20,255,1\n1,2,3,4,0\n")
    assert rows(read_csv(last, label="kind")) == EXPECTED
    assert rows(read_csv(last, label=-1)) == EXPECTED
    assert rows(read_csv(last, label=4)) == EXPECTED
    with pytest.raises(DataError, match=r"unknown column .* 'kin'; did you mean 'kind'"):
        read_csv(last, label="kin")
    assert rows(read_csv(table(tmp_path, KAGGLE), label=-5)) == EXPECTED
    for column in (5, -6, -99):
        with pytest.raises(DataError, match=f"no column {column}"):
            read_csv(last, label=column)


def test_classes_may_be_names_even_odd_ones(tmp_path: Path) -> None:
    splits = read_csv(table(tmp_path, "dog,1\nNA,2\nNone,3\ndog,4\n"))
    assert splits.train.classes == ("NA", "None", "dog")
    assert rows(splits) == [[2, 1], [0, 2], [1, 3], [2, 4]]


def test_numbers_and_names_as_classes_are_all_names(tmp_path: Path) -> None:
    assert read_csv(table(tmp_path, "7,1\nx,2\n"), label=0).train.classes == ("7", "x")


def test_colours_stand_in_planes_or_pixel_by_pixel_as_the_user_says(tmp_path: Path) -> None:
    path = table(tmp_path, "0," + ",".join(map(str, range(12))) + "\n")
    planes = read_csv(path, label=0, channels_last=False).train.images
    assert planes.tolist() == np.arange(12).reshape(1, 3, 2, 2).tolist()
    together = read_csv(path, label=0, channels_last=True).train.images
    assert together.tolist() == np.arange(12).reshape(1, 2, 2, 3).transpose(0, 3, 1, 2).tolist()


def test_the_shape_can_be_given(tmp_path: Path) -> None:
    path = table(tmp_path, "label,a,b,c,d,e,f\n0,1,2,3,4,5,6\n")
    assert read_csv(path, shape=(2, 3)).train.images.tolist() == [[[[1, 2, 3], [4, 5, 6]]]]
    assert read_csv(path, shape=(2, 1, 3), channels_last=False).train.image_shape == (2, 1, 3)
    with pytest.raises(DataError, match="6 pixels a row, neither a square number"):
        read_csv(path)
    with pytest.raises(DataError, match=r"has 6 pixels a row, not images of \(2, 2\)"):
        read_csv(path, shape=(2, 2))


def test_fractions_make_float_images_without_a_range(tmp_path: Path) -> None:
    data = read_csv(table(tmp_path, "0,0.5,-3,1e3,0\n1,0,0,0,1\n"), label=0).train
    assert data.images.dtype == np.float32
    assert data.images[0].ravel().tolist() == [0.5, -3, 1000, 0]


ODD = {
    "missing": ("1,0,10,,255", "column 4 is missing"),
    "text": ("1,0,x,20,255", "column 3 is 'x'"),
    "nan": ("1,0,nan,20,255", "column 3 is 'nan'"),
    "infinite": ("1,0,inf,20,255", "column 3 is 'inf'"),
    "too large": ("1,0,10,20,256", "the pixel 256 is not between 0 and 255"),
    "negative": ("1,-1,10,20,255", "the pixel -1 is not between 0 and 255"),
    "too short": ("1,0,10,20", "column 5 is missing"),
    "no class": (",0,10,20,255", "it has no class"),
}


@pytest.mark.parametrize(("row", "reason"), ODD.values(), ids=ODD)
def test_an_odd_row_is_named_or_left_out_if_asked(row: str, reason: str, tmp_path: Path) -> None:
    lines = KAGGLE.splitlines()
    path = table(tmp_path, "\n".join([*lines[:2], row, *lines[2:]]) + "\n")
    with pytest.raises(DataError) as raised:
        read_csv(path)
    assert f"{path} has 1 unusable row: row 2 ({reason})" in str(raised.value)
    with pytest.warns(SkippedWarning) as heard:
        assert rows(read_csv(path, skip_bad=True)) == EXPECTED
    assert f"left out 1 unusable row: row 2 ({reason})" in str(heard[0].message)


def test_a_row_with_too_many_values_is_named_or_left_out_if_asked(tmp_path: Path) -> None:
    lines = KAGGLE.splitlines()
    path = table(tmp_path, "\n".join([*lines[:2], "1,2,3,4,5,6", *lines[2:]]) + "\n")
    with pytest.raises(DataError, match="line 3 has 6 values, too many"):
        read_csv(path)
    with pytest.warns(SkippedWarning, match=r"line 3 \(it has 6 values, too many\)"):
        assert rows(read_csv(path, skip_bad=True)) == EXPECTED


def test_rows_are_counted_across_the_pieces_in_which_a_table_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv, "_ROWS", 3)
    lines = [f"{i % 2},{i}" for i in range(10)]
    expected = [[i % 2, i] for i in range(10)]
    assert rows(read_csv(table(tmp_path, "\n".join(lines)), label=0)) == expected
    lines[4], lines[7], lines[9] = "0,x", "1,300", ",5"
    with pytest.raises(DataError, match=r"3 unusable rows: row 5 .*, row 10 .*, row 8 "):
        read_csv(table(tmp_path, "\n".join(lines)), label=0)


def test_one_piece_with_fractions_makes_all_of_them_float(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv, "_ROWS", 2)
    data = read_csv(table(tmp_path, "0,1\n1,2\n0,300\n1,0\n0,0.5\n"), label=0).train
    assert data.images.dtype == np.float32
    assert data.images.ravel().tolist() == [1, 2, 300, 0, 0.5]


def test_many_odd_rows_are_counted_rather_than_listed(tmp_path: Path) -> None:
    path = table(tmp_path, "0,1\n" + "0,x\n" * 20)
    with pytest.raises(DataError, match=r"20 unusable rows: row 2 .*row 6 .*and 15 more; mend"):
        read_csv(path, label=0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("label,pixel0\n", "is empty|no usable rows"),
        ("label,a,b,c,d\n1,2,3,4\n", "first line has 5 values, the next 4"),
        ("label,a\n1,2,3\n", "first line has 2 values, the next 3"),
        ("7\n8\n", "0 pixels"),
        ('0,"1\n', "EOF"),
    ],
)
def test_what_is_no_table_of_images_is_told(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        read_csv(table(tmp_path, text))


def test_files_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"label,a\n0,\xff\xfe\x80\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(KAGGLE.encode())[:-12])
    for name in ("a.csv", "b.csv.gz"):
        with pytest.raises(DataError, match=f"{name} is damaged or no text"):
            read_csv(tmp_path / name)


def test_all_rows_odd_is_an_error_even_if_they_may_be_left_out(tmp_path: Path) -> None:
    with pytest.warns(SkippedWarning), pytest.raises(DataError, match="no usable rows"):
        read_csv(table(tmp_path, "0,x\n1,y\n"), label=0, skip_bad=True)
