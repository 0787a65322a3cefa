"""What the pictures on the guide's pages show, number by number.

While the site is built, the kernel keeps the numbers of each picture's artists beside it (see
docs/_ipython). Here they are compared with what SciPy, scikit-learn's digits and plain arithmetic
say, with what the page prints, and with one another: nothing is run a second time.
"""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from jupyter_cache import get_cache
from scipy.signal import correlate2d
from sklearn.datasets import load_digits

import pellucid as pl
from drawings import meshes
from pellucid.view import draw

ROOT = Path(__file__).parents[2]
GUIDE = sorted((ROOT / "docs" / "guide").glob("[01]*.md"))


@cache
def cells(page):
    """Return the page's cells as they were run when the site was built."""
    store = get_cache(ROOT / "build" / "jupyter-cache")
    found = [r for r in store.list_cache_records() if Path(r.uri).stem == page]
    assert found, "make docs"
    return store.get_cache_bundle(max(found, key=lambda record: record.pk).pk).nb.cells


@cache
def pictures(page):
    """Return of each picture on the page its figures, of each figure its panels."""
    outputs = [output.get("data", {}) for cell in cells(page) for output in cell.outputs]
    return [data["application/json"] for data in outputs if "application/json" in data]


def panels(page, picture=0):
    return pictures(page)[picture]["figures"][0]


def printed(page):
    outputs = [output for cell in cells(page) for output in cell.outputs]
    return "\n".join(o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in outputs)


def array(values):
    return np.array(values, float)


def grey(values):
    """Return one channel of an image (H, W, 3) that is grey, from 0 to 255."""
    image = array(values)
    np.testing.assert_array_equal(image[..., 0], image[..., 2])
    return 255 * image[..., 0]


def digit_images():
    """Return scikit-learn's digits from 0 to 255, as the library stores them."""
    return np.round(load_digits().images * 255 / 16)


def is_a_digit(image):
    return (abs(digit_images() - image).max(axis=(1, 2)) <= 1).any()


def test_each_page_shows_as_many_pictures_as_it_makes():
    made = {page.stem[:2]: len(pictures(page.stem)) for page in GUIDE}
    assert made == {
        "01": 2, "02": 5, "03": 3, "04": 4, "05": 2, "06": 3, "07": 1, "08": 3, "09": 5, "10": 4,
        "11": 5, "12": 1, "13": 0, "14": 1,
    }  # fmt: skip


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_no_panel_is_empty_and_every_number_is_finite(page):
    for picture in pictures(page.stem):
        for figure in picture["figures"]:
            assert figure
            for panel in figure:
                shown = [*panel["images"], *panel["bars"], *panel["grids"], *panel["texts"]]
                drawn = panel["artists"] > 10  # spines, axes, titles and the background
                assert shown or panel["lines"] or drawn
                for x, y in panel["lines"].values():
                    assert len(x) == len(y) > 0
                    assert None not in x
                    assert None not in y
                for image in panel["images"]:
                    assert np.nanmax(array(image)) > np.nanmin(array(image))


DRAWINGS = {
    "02-convolution-by-hand": {2: "flip", 4: "channels"},
    "03-from-loops-to-a-matrix-product": {0: "im2col", 1: "matrix-product", 2: "col2im"},
    "04-pooling-and-activations": {0: "activations", 1: "max-pool", 3: "receptive-field"},
    "06-backwards": {0: "gradient-flow", 1: "softmax-cross-entropy", 2: "rotation"},
    "11-deeper": {1: "batch-norm"},
    "12-fast": {0: "winograd"},
}


@pytest.mark.parametrize(
    ("page", "picture", "name"),
    [(page, n, name) for page, found in DRAWINGS.items() for n, name in found.items()],
)
def test_a_drawing_is_the_one_whose_numbers_are_checked(page, picture, name):
    shown, wanted = panels(page, picture), draw.find(name).figure()
    grids = [grid for panel in shown for grid in panel["grids"]]
    made = meshes(wanted)
    assert [label for label, _ in grids] == [mesh.get_label() for mesh in made]
    for (_, values), mesh in zip(grids, made, strict=True):
        np.testing.assert_allclose(
            array(values), mesh.get_array().astype(float).filled(np.nan), rtol=1e-12
        )
    texts = [text for panel in shown for text in panel["texts"]]
    assert texts == [t.get_text() for axes in wanted.axes for t in axes.texts if t.get_text()]


class TestChapter1:
    def test_the_digit_is_the_one_that_the_title_names(self):
        (panel,) = panels("01-images-are-numbers")
        digits = load_digits()
        found = abs(digit_images() - array(panel["images"][0])).max(axis=(1, 2)).argmin()
        assert is_a_digit(array(panel["images"][0]))
        assert panel["title"] == f"This is a {digits.target[found]}"

    def test_the_bars_are_probabilities_of_ten_digits(self):
        left, right = panels("01-images-are-numbers", 1)
        (bars,) = right["bars"]
        assert is_a_digit(array(left["images"][0]))
        assert len(bars) == 10
        assert min(bars) >= 0
        assert sum(bars) == pytest.approx(1)


KERNELS = {
    "vertical edges": [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    "horizontal edges": [[1, 2, 1], [0, 0, 0], [-1, -2, -1]],
    "blur": np.full((3, 3), 1 / 9),
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
}


class TestChapter2:
    def test_each_kernel_makes_of_the_digit_what_scipy_makes(self):
        image, *made = panels("02-convolution-by-hand", 1)
        x = array(image["images"][0])
        assert is_a_digit(x)
        assert [panel["title"] for panel in made] == list(KERNELS)
        for panel in made:
            y = correlate2d(x, KERNELS[panel["title"]], "same")
            np.testing.assert_allclose(array(panel["images"][0]), y, atol=1e-4)

    @pytest.mark.parametrize("picture", [0, 3])
    def test_every_frame_multiplies_and_adds(self, picture):
        for figure in pictures("02-convolution-by-hand")[picture]["figures"]:
            (panel,) = figure
            grids = {}
            for name, values in panel["grids"]:
                grids.setdefault(name, []).append(array(values))
            kernel = grids["kernel"][0]
            for window, products, output in zip(
                grids["window"], grids["products"], grids["output"], strict=True
            ):
                np.testing.assert_array_equal(products, window * kernel)
                assert output[np.isfinite(output)][-1] == products.sum()

    def test_the_slider_goes_through_three_strides(self):
        picture = pictures("02-convolution-by-hand")[3]
        assert picture["values"] == [1, 2, 3]
        sides = []
        for (panel,) in picture["figures"]:
            sides.append([len(v) for name, v in panel["grids"] if name == "output"][-1])
        x, w, padding = *(
            len(next(v for name, v in panel["grids"] if name == wanted))
            for wanted in ("input", "kernel")
        ), 1  # fmt: skip
        assert sides == [(x + 2 * padding - w) // stride + 1 for stride in (1, 2, 3)]


class TestChapters4And5:
    def test_activations_are_what_their_formulas_say(self):
        found = {panel["title"]: panel["lines"] for panel in panels("04-pooling-and-activations")}
        formulas = {
            "ReLU": lambda x: np.maximum(x, 0),
            "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
            "tanh": np.tanh,
            "SiLU": lambda x: x / (1 + np.exp(-x)),
        }
        for name, f in formulas.items():
            x, y = map(array, found[name]["f(x)"])
            np.testing.assert_allclose(y, f(x), atol=1e-6)
            x, slope = map(array, found[name]["its slope f′(x)"])
            away = abs(x) > 1e-2
            measured = (f(x + 1e-6) - f(x - 1e-6)) / 2e-6
            np.testing.assert_allclose(slope[away], measured[away], atol=1e-5)

    def test_the_boxes_of_lenet_have_the_shapes_that_convolution_gives(self):
        (panel,) = panels("04-pooling-and-activations", 2)
        first = pl.models.build("lenet5", (1, 28, 28), 10).children()["conv1"].out_channels
        assert {"1×28×28", f"{first}×28×28", f"{first}×14×14", "10"} <= set(panel["texts"])

    def test_the_losses_are_the_formulas_in_the_legend(self):
        (panel,) = panels("05-a-network-forwards")
        p, y = map(array, panel["lines"]["cross entropy, −log p"])
        np.testing.assert_allclose(y, -np.log(p))
        p, y = map(array, panel["lines"]["squared error, (1 − p)²"])
        np.testing.assert_allclose(y, (1 - p) ** 2)

    def test_the_diagram_names_every_layer_with_its_parameters(self):
        (panel,) = panels("05-a-network-forwards", 1)
        model = pl.models.build("lenet5", (1, 28, 28), 10)
        said = "\n".join(panel["texts"])
        assert "input: 1×28×28" in panel["texts"]
        for name, layer in model.children().items():
            if count := sum(np.prod(p.shape) for p in layer.parameters()):
                assert f"{name}: {type(layer).__name__}" in said
                assert f"{count:,} parameters" in said


class TestChapters7And8:
    def test_the_errors_of_both_differences_are_those_of_the_definition(self):
        lines = panels("07-is-the-gradient-right")[0]["lines"]
        h, forward = map(array, lines["forward"])
        _, central = map(array, lines["central"])
        np.testing.assert_allclose(forward, abs((np.sin(1 + h) - np.sin(1)) / h - np.cos(1)))
        two_sided = (np.sin(1 + h) - np.sin(1 - h)) / (2 * h)
        np.testing.assert_allclose(central, abs(two_sided - np.cos(1)))
        assert central.min() < forward.min() < 1e-6

    def test_the_paths_are_those_of_the_update_rules(self):
        lines = panels("08-downhill")[0]["lines"]
        paths = {name: array(line).T for name, line in lines.items() if name in PATHS}
        assert paths.keys() == PATHS.keys()
        for name, step in PATHS.items():
            np.testing.assert_allclose(paths[name], walked(step, 40), atol=1e-5)

    def test_the_slider_goes_down_the_valley_at_each_rate(self):
        picture = pictures("08-downhill")[1]
        for (panel,), rate in zip(picture["figures"], picture["values"], strict=True):
            path = array(panel["lines"][f"lr = {rate}"]).T
            wanted = walked(lambda g, state, rate=rate: -rate * g, 25).clip(-5, 5)
            np.testing.assert_allclose(path, wanted, rtol=1e-4, atol=1e-5)

    def test_of_three_rates_the_middle_one_learns(self):
        lines = panels("08-downhill", 2)[0]["lines"]
        small, middle, large = (lines[f"lr = {rate}"][1] for rate in (0.001, 0.05, 3.0))
        assert len(small) == len(middle) == 10
        assert middle[-1] < small[-1] < np.log(10)
        assert min(large, default=np.inf) > 1


def walked(step, count):
    """Return the way down ½·a² + 10·b² from (−4, 1.2)."""
    w, state, path = np.array([-4.0, 1.2]), {"t": 0, "m": np.zeros(2), "v": np.zeros(2)}, []
    for _ in range(count + 1):
        path.append(w.copy())
        w = w + step(np.array([w[0], 20 * w[1]]), state)
    return np.array(path)


def with_momentum(g, state):
    state["m"] = 0.8 * state["m"] + g
    return -0.03 * state["m"]


def with_adam(g, state):
    state["t"] += 1
    state["m"] = 0.9 * state["m"] + 0.1 * g
    state["v"] = 0.999 * state["v"] + 0.001 * g**2
    m, v = state["m"] / (1 - 0.9 ** state["t"]), state["v"] / (1 - 0.999 ** state["t"])
    return -0.3 * m / (np.sqrt(v) + 1e-8)


PATHS = {"plain": lambda g, state: -0.09 * g, "momentum": with_momentum, "Adam": with_adam}


class TestChapter9:
    PAGE = "09-from-table-to-report"

    def test_the_data_set_is_drawn_as_scikit_learn_has_it(self):
        shown, digits = panels(self.PAGE), load_digits()
        counts = np.bincount(digits.target)
        assert set(map(str, counts)) <= set(shown[0]["texts"])
        (bars,) = shown[0]["bars"]
        np.testing.assert_allclose(array(bars) / max(bars), counts / counts.max())
        (mean,) = [panel for panel in shown if panel["title"] == "Mean of all"]
        wanted = digit_images().mean(axis=0)
        np.testing.assert_allclose(grey(mean["images"][0]), wanted, atol=0.02)

    @pytest.mark.parametrize(("picture", "epochs"), [(1, 30), (2, 12)])
    def test_the_curves_have_every_epoch_and_mark_the_best(self, picture, epochs):
        for panel in panels(self.PAGE, picture):
            lines = dict(panel["lines"])
            for name in ("training", "validation"):
                assert lines[name][0] == list(range(1, epochs + 1))
            (best,) = [name for name in lines if name.startswith("best epoch")]
            at = int(best.removeprefix("best epoch: "))
            assert lines[best] == [[at], [lines["validation"][1][at - 1]]]
        loss, accuracy = panels(self.PAGE, picture)
        assert loss["lines"]["training"][1][-1] < loss["lines"]["training"][1][0]
        assert min(accuracy["lines"]["validation"][1]) >= 0
        assert max(accuracy["lines"]["validation"][1]) <= 100

    def test_the_confusion_matrix_says_what_the_printed_table_says(self):
        shares = array(panels(self.PAGE, 3)[0]["images"][0])
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        rows = re.findall(r"^(\d) +(\d\.\d+) +(\d\.\d+) +(\S+) +(\d+)", printed(self.PAGE), re.M)
        assert len(rows) == 10
        recall, support = array([r[2] for r in rows]), array([r[4] for r in rows])
        np.testing.assert_allclose(shares.diagonal(), recall, atol=6e-5)
        counts = shares * support[:, None]
        np.testing.assert_allclose(counts, counts.round(), atol=1e-6)
        precision = counts.diagonal() / counts.sum(axis=0)
        np.testing.assert_allclose(precision, array([r[1] for r in rows]), atol=6e-5)

    def test_the_mistakes_are_those_of_the_matrix(self):
        shown, shares = panels(self.PAGE, 4), array(panels(self.PAGE, 3)[0]["images"][0])
        digits, probabilities = load_digits(), []
        for panel in shown:
            truth = int(panel["title"])
            told, sure = re.fullmatch(r"taken for (\d)\n>?([\d.]+) %", panel["xlabel"]).groups()
            assert truth != int(told)
            assert shares[truth, int(told)] > 0
            same = abs(digit_images() - grey(panel["images"][0])).max(axis=(1, 2)) <= 1
            assert truth in digits.target[same]
            probabilities.append(float(sure))
        assert probabilities == sorted(probabilities, reverse=True)


def tiles(image, side, count):
    """Cut a row of square maps, of which each number is four by four, two apart."""
    wide = 4 * side + 2
    return [image[::4, n * wide : n * wide + 4 * side : 4] for n in range(count)]


class TestChapter10:
    PAGE = "10-seeing-inside"

    def test_the_maps_are_the_filters_upon_the_digit(self):
        (filters, _), (maps, *_) = panels(self.PAGE, 0), panels(self.PAGE, 1)
        digit = grey(panels(self.PAGE, 3)[0]["images"][0])
        for kernel, y in zip(
            tiles(array(filters["images"][0]), 3, 8), tiles(array(maps["images"][0]), 8, 8),
            strict=True,
        ):  # fmt: skip
            wanted = correlate2d(digit, kernel, "valid")  # but for a factor, the mean and the bias
            assert np.corrcoef(wanted.ravel(), y[1:-1, 1:-1].ravel())[0, 1] > 0.9999

    def test_relu_keeps_what_is_positive(self):
        shown = [panel for panel in panels(self.PAGE, 1) if panel["images"]]  # not colour bars
        before, after, *_ = (array(panel["images"][0]) for panel in shown)
        np.testing.assert_allclose(after, np.maximum(before, 0), rtol=1e-5)

    def test_the_patches_are_cut_from_digits_and_stand_in_order(self):
        shown, images = panels(self.PAGE, 2), digit_images()
        around = np.pad(images, ((0, 0), (2, 2), (2, 2)))
        windows = np.lib.stride_tricks.sliding_window_view(around, (5, 5), axis=(1, 2))
        assert len(shown) == 3 * 6
        for panel in shown:
            seen = array(panel["images"][0])  # the last number says whether it is inside the image
            part = 255 * seen[..., 0] * seen[..., 3]
            assert (abs(windows - part).max(axis=(3, 4)) <= 1).any()
        strength = array([panel["xlabel"] for panel in shown]).reshape(3, 6)
        assert (np.diff(strength) <= 0).all()

    def test_each_of_four_digits_has_three_maps(self):
        shown = panels(self.PAGE, 3)
        assert [panel["title"] for panel in shown[:4]] == ["", "saliency", "Grad-CAM", "occlusion"]
        for row in range(4):
            digit, *explained = shown[4 * row : 4 * row + 4]
            assert is_a_digit(grey(digit["images"][0]))
            for panel in explained:
                pale, laid_over = map(array, panel["images"])
                assert laid_over.reshape(64, -1).std(axis=0).max() > 0
                order = np.corrcoef(pale[..., 0].ravel(), grey(digit["images"][0]).ravel())[0, 1]
                assert order == pytest.approx(1)


class TestChapter11:
    PAGE = "11-deeper"

    def test_hes_scale_stays_level(self):
        lines = panels(self.PAGE, 0)[0]["lines"]
        he = array(lines["He's √(2 / fan in)"][1])
        assert len(he) == 30
        assert he.max() / he.min() < 5
        for name, factor in (("half of He's", 0.5), ("twice He's", 2)):  # ReLU is homogeneous
            powers = factor ** np.arange(1, 31)
            np.testing.assert_allclose(array(lines[name][1]), he * powers, rtol=1e-9)

    def test_shortcuts_let_a_deep_network_learn(self):
        lines = panels(self.PAGE, 2)[0]["lines"]
        assert lines["plain"][0] == lines["with shortcuts"][0] == [1, 2, 3, 4]
        assert lines["with shortcuts"][1][-1] < 0.5 * lines["plain"][1][-1]

    def test_the_block_has_its_parameters(self):
        (panel,) = panels(self.PAGE, 3)
        kinds = [(16, 8, 1), (16, 8, 1), (8, 16, 3), (16, 4, 1), (4, 8, 5), (16, 8, 1)]
        counts = [out * (inside * k * k + 1) for inside, out, k in kinds]
        words = "\n".join(panel["texts"])
        said = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) parameters", words)]
        assert sorted(said) == sorted(counts)

    def test_the_first_of_eight_is_the_digit_and_the_others_are_changed(self):
        first, *changed = (array(panel["images"][0]) for panel in panels(self.PAGE, 4))
        assert is_a_digit(first)
        assert len(changed) == 7
        for image in changed:
            assert abs(image - first).max() > 20
            assert image.sum() == pytest.approx(first.sum(), rel=0.35)


def test_the_drawn_digit_is_light_on_black_and_centred():
    photo, ready = panels("14-out-into-the-world")
    paper, digit = array(photo["images"][0]), array(ready["images"][0])
    assert paper.shape == (300, 220)
    assert paper[150, 103] == 50
    assert digit.shape == (28, 28)
    rows, columns = np.indices(digit.shape)
    centre = [(axis * digit).sum() / digit.sum() for axis in (rows, columns)]
    np.testing.assert_allclose(centre, 13.5, atol=0.75)
    assert digit[14, 14] > 200
    assert digit[0].max() == digit[:, 0].max() == 0
