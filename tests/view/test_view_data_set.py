"""The picture of a data set shows what is in it."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

import pellucid as pl
from pellucid.cli import main
from pellucid.data import Outlier
from pellucid.errors import DataError, FileError, ShapeError
from pellucid.view.statistics import statistics


def arrays(
    classes: int = 3, count: int = 60, shape: tuple[int, ...] = (1, 6, 6)
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, *shape)).astype(np.uint8)
    return images, generator.integers(0, classes, count), tuple(f"c{i}" for i in range(classes))


def written(figure: Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_each_class_has_its_name_its_number_and_a_bar_of_that_length() -> None:
    images, labels, classes = arrays()
    drawn = pl.view.data_set(images, labels, classes)
    counts = np.bincount(labels)
    assert written(drawn) == [x for n in range(3) for x in (classes[n], str(counts[n]))]
    lengths = np.array([bar.get_width() for bar in drawn.axes[0].patches])
    assert np.allclose(lengths / lengths.max(), counts / counts.max())


def test_the_first_image_of_a_row_is_the_mean_and_the_others_are_of_the_class() -> None:
    images, labels, classes = arrays()
    canvas = pl.view.data_set(images, labels, classes).axes[0].images[0].get_array()
    mean = images[labels == 0].mean(axis=0)[0] / 255
    assert np.allclose(canvas[:6, :6, 0], mean)
    assert (canvas[:6, :6, 3] == 1).all()
    first_sample = images[labels == 0][0, 0] / 255
    assert any(np.allclose(canvas[:6, x : x + 6, 0], first_sample) for x in range(6, 40))


def test_mean_spread_and_histogram_are_those_of_numpy() -> None:
    images, labels, classes = arrays(shape=(3, 5, 4))
    found = statistics(images, labels, classes)
    assert np.allclose(found.mean, images.mean(axis=0))
    assert np.allclose(found.std, images.std(axis=0))
    assert np.allclose(found.class_means[1], images[labels == 1].mean(axis=0))
    assert np.allclose(found.shares.sum(axis=1), 1)
    assert found.shares[2, 5] == pytest.approx(((images[:, 2] // 4) == 5).mean())


@pytest.mark.parametrize(
    ("low", "high", "black", "white"),
    [(0, 1, 0, 1), (0, 200, 0, 255), (-3, 3, -3, 3), (0.2, 0.7, 0, 1), (0, 1000, 0, 1000)],
)
def test_black_and_white_follow_the_range(
    low: float, high: float, black: float, white: float
) -> None:
    images = np.linspace(low, high, 32).reshape(2, 1, 4, 4)
    found = statistics(images, np.array([0, 1]), ("a", "b"))
    assert (found.black, found.white) == (black, white)
    assert found.shares.sum() == pytest.approx(1)


def test_equal_values_everywhere_can_be_drawn() -> None:
    images = np.full((4, 1, 3, 3), -2.0, np.float32)
    drawn = pl.view.data_set(images, np.array([0, 0, 1, 1]), ("a", "b"))
    drawn.canvas.draw()


def test_colours_have_their_names_and_other_channels_numbers() -> None:
    def legend(channels: int) -> list[str]:
        drawn = pl.view.data_set(*arrays(shape=(channels, 5, 5)))
        axes = next(ax for ax in drawn.axes if ax.get_xlabel() == "value")
        found = axes.get_legend()
        return [] if found is None else [text.get_text() for text in found.get_texts()]

    assert legend(1) == []
    assert legend(2) == ["channel 0", "channel 1"]
    assert legend(3) == ["red", "green", "blue"]


def test_outliers_are_shown_beside_the_images_that_they_resemble() -> None:
    outliers = [
        Outlier(4, "one value in every pixel"),
        Outlier(9, "copy, other class", similar_to=2),
    ]
    images, labels, classes = arrays()
    drawn = pl.view.data_set(images, labels, classes, outliers=outliers)
    alone, pair = drawn.axes[-2:]
    assert alone.get_title(loc="center") == f"image 4\n{classes[labels[4]]}"
    assert pair.get_title(loc="center") == f"image 2 and 9\n{classes[labels[9]]}"
    shown = pair.images[0].get_array()
    assert np.allclose(shown[:, :6, 0], images[2, 0] / 255)
    assert np.allclose(shown[:, -6:, 0], images[9, 0] / 255)
    assert pair.get_xlabel() == "copy, other class"


@pytest.mark.parametrize("classes", [1, 21, 100])
@pytest.mark.parametrize("shape", [(1, 8, 20), (3, 150, 40)])
def test_nothing_is_cut_off_and_no_names_overlap(classes: int, shape: tuple[int, ...]) -> None:
    images, labels, _ = arrays(classes, 40, shape)
    names = tuple(f"a long name of a class, {n}" for n in range(classes))
    drawn = pl.view.data_set(images, labels, names, title="many")
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    page = drawn.bbox.padded(2)
    texts = [text for ax in drawn.axes for text in ax.texts]
    assert len(texts) == 2 * classes
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in texts]
    assert all(page.x0 <= b.x0 and b.x1 <= page.x1 and page.y0 <= b.y0 for b in boxes)
    letters = [b.shrunk(1.0, 0.6) for b in boxes]  # without the room above and below
    assert not [(a, b) for a, b in combinations(letters, 2) if a.overlaps(b)]


def test_of_very_many_classes_the_largest_are_shown() -> None:
    images, _, _ = arrays(count=300, shape=(1, 2, 2))
    labels = np.concatenate([np.arange(150), np.arange(50, 150), np.arange(100, 150)])
    drawn = pl.view.data_set(images, labels, tuple(f"n{i}" for i in range(150)))
    names = written(drawn)[::2]
    assert names == [f"n{i}" for i in range(50, 150)]


def test_a_class_without_images_is_an_empty_row() -> None:
    images, labels, _ = arrays(2)
    drawn = pl.view.data_set(images, labels, ("a", "b", "nothing"))
    assert written(drawn)[-2:] == ["nothing", "0"]
    assert (drawn.axes[0].images[0].get_array()[-6:, :, 3] == 0).all()


def test_what_is_no_data_set_is_refused() -> None:
    images, labels, classes = arrays()
    with pytest.raises(ShapeError, match="one label for each"):
        pl.view.data_set(images, labels[:-1], classes)
    with pytest.raises(DataError, match="0 to 1 for 2 classes"):
        pl.view.data_set(images, labels, classes[:2])
    with pytest.raises(DataError, match="NaN"):
        pl.view.data_set(np.full((1, 1, 2, 2), np.nan), np.array([0]), ("a",))


# The command


def test_the_command_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["data", "digits", "--plot"])
    assert ended.value.code == 0
    assert "Drawn: digits-data.png" in capsys.readouterr().err
    with Image.open("digits-data.png") as picture:
        assert picture.width > 1000
    with pytest.raises(SystemExit):
        main(["data", "digits", "--out", "look.svg"])
    assert Path("look.svg").read_text(encoding="utf-8").startswith("<svg")


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    drawn = pl.view.data_set(*arrays())
    with pytest.raises(FileError, match=r"\.svg or \.png"):
        pl.view.save(drawn, tmp_path / "look.doc")
