"""A data set by name or path, the embedded digits, and where data is kept."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import pytest
from sklearn.datasets import load_digits

from pellucid.data import home, load, names, registry
from pellucid.errors import DataError, MissingExtraError


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("minst", "unknown data set 'minst'; did you mean 'mnist'"),
        ("digit", "did you mean 'digits'"),
        ("something", "Known: digits, mnist, fashion-mnist, cifar-10, .*, or the path"),
        ("data/mine", "there is no file or folder 'data/mine'"),
        ("mine.csv", "there is no file or folder 'mine.csv'"),
        (Path("digits"), "digits"),
    ],
)
def test_a_name_or_path_that_is_not_there_is_told(given: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(given)


def test_a_file_of_an_unknown_kind_is_told(tmp_path: Path) -> None:
    (tmp_path / "data.xyz").touch()
    with pytest.raises(DataError, match=r"the kind of .* is unknown.* \(\.csv, .*\.npz or Parquet"):
        load(tmp_path / "data.xyz")


def test_an_option_that_does_not_exist_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("0,1\n")
    with pytest.raises(DataError, match=r"unknown option of .* 'lable'; did you mean 'label'"):
        load(tmp_path / "a.csv", lable="x")
    with pytest.raises(DataError, match="'digits' takes no option 'size'"):
        load("digits", size=8)


@pytest.mark.parametrize("name", ["digits", "DIGITS", "Digits"])
def test_the_digits_are_those_that_scikit_learn_has(name: str) -> None:
    splits = load(name)
    assert splits.test is not None
    images = np.concatenate([splits.train.images, splits.test.images])[:, 0]
    labels = np.concatenate([splits.train.labels, splits.test.labels])
    original = load_digits()
    theirs = sorted(
        (label, *image.ravel().astype(int).tolist())
        for image, label in zip(original.images, original.target, strict=True)
    )
    levels = np.rint(images * (16 / 255)).astype(int)  # the 17 levels can be told apart
    ours = sorted(
        (label, *image.ravel().tolist()) for image, label in zip(levels, labels, strict=True)
    )
    assert ours == theirs
    assert images.max() == 255


def test_a_fifth_of_the_digits_is_for_testing_and_always_the_same() -> None:
    first, second = load("digits"), load("digits")
    assert first.test is not None
    assert second.test is not None
    assert (first.test.images == second.test.images).all()
    share = first.test.counts / (first.train.counts + first.test.counts)
    assert len(first.test) == 359
    assert abs(share - 0.2).max() < 0.01


def test_names_are_what_load_knows() -> None:
    assert names()[0] == "digits"
    assert {"mnist", "fashion-mnist", "cifar-10"} < set(names())


@pytest.mark.parametrize(
    ("alias", "name"),
    [("cifar10", "cifar-10"), ("fashion", "fashion-mnist"), ("Fashion_MNIST", "fashion-mnist")],
)
def test_a_set_may_be_named_in_short(
    alias: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._NAMED, name, lambda: name)
    assert load(alias) == name


def test_the_home_is_where_the_user_says_or_where_caches_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PELLUCID_HOME", raising=False)
    assert home() == Path(pooch.os_cache("pellucid"))
    monkeypatch.setenv("PELLUCID_HOME", str(tmp_path))
    assert home() == tmp_path
    monkeypatch.setenv("PELLUCID_HOME", "~/data")
    assert home() == Path.home() / "data"


@pytest.mark.parametrize(
    ("package", "source"),
    [("pandas", "a.csv"), ("PIL", "photos"), ("pooch", "mnist")],
)
def test_a_missing_package_is_named_with_how_to_get_it(
    package: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("0,1\n")
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "cat" / "1.png").touch()
    monkeypatch.setenv("PELLUCID_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for module in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r'pip install .*\[app\]"'):
        load(source)


def test_importing_the_data_sets_loads_numpy_alone() -> None:
    program = (
        "import sys, pellucid.data\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "third = {'pandas', 'PIL', 'pooch', 'sklearn', 'requests', 'rich', 'torch', 'scipy'}\n"
        "assert 'numpy' in loaded and not loaded & third, loaded & third"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
