"""Pictures of results hold the data that they are given, and their words can be read."""

from dataclasses import replace

import numpy as np
import pytest

from drawn import assert_readable
from pellucid import layers as nn
from pellucid import view
from pellucid.errors import PellucidError, ShapeError
from pellucid.evaluation import Evaluation
from pellucid.training import Epoch
from pellucid.view import style

CIFAR = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def evaluation(classes, images=300, names=None):
    """Return what a model might have said: mostly right, and rather sure."""
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, images)
    scores = rng.normal(size=(images, classes))
    scores[np.arange(images), labels] += 2.5
    said = np.exp(3 * scores)
    said /= said.sum(axis=1, keepdims=True)
    names = names or [f"class number {i}" for i in range(classes)]
    return Evaluation(labels, said, tuple(names), loss=0.5)


def history(epochs, accuracy=True, validation=True):
    def share(x):
        return x if accuracy else None

    def other(x):
        return x if validation else None

    return [
        Epoch(
            n,
            epochs,
            9,
            1 / n,
            share(1 - 0.5 / n),
            other(1.2 / n),
            other(share(1 - 0.6 / n)),
            0.1,
            1.0,
            1.0,
            validation and n in (1, 2, 4),
        )
        for n in range(1, epochs + 1)
    ]


def texts(ax):
    return [text.get_text() for text in ax.texts]


# curves


@pytest.mark.parametrize("epochs", [1, 2, 7, 60])
def test_curves_show_loss_and_accuracy_of_every_epoch(epochs):
    drawn = view.curves(history(epochs))
    assert_readable(drawn)
    loss, accuracy = drawn.axes
    numbers = np.arange(1, epochs + 1)
    training, validation, _ = loss.lines
    np.testing.assert_array_equal(training.get_xdata(), numbers)
    np.testing.assert_allclose(training.get_ydata(), 1 / numbers)
    np.testing.assert_allclose(validation.get_ydata(), 1.2 / numbers)
    np.testing.assert_allclose(accuracy.lines[1].get_ydata(), 100 - 60 / numbers)
    assert (loss.get_title(), accuracy.get_title()) == ("Loss", "Accuracy")


@pytest.mark.parametrize(("last", "scale"), [(0.5, "linear"), (0.001, "log"), (0.0, "linear")])
def test_a_loss_that_spans_decades_has_a_logarithmic_axis(last, scale):
    run = [
        replace(epoch, loss=loss) for epoch, loss in zip(history(3), (2.0, 1.0, last), strict=True)
    ]
    loss, accuracy = view.curves(run).axes
    assert loss.get_yscale() == scale
    assert accuracy.get_yscale() == "linear"


def test_the_learning_rate_is_drawn_as_it_was():
    run = [replace(epoch, rate=0.1**n) for n, epoch in enumerate(history(4))]
    (ax,) = view.rates(run).axes
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1, 0.1, 0.01, 0.001])
    assert ax.get_yscale() == "log"
    with pytest.raises(PellucidError, match="without epochs"):
        view.rates([])


def test_the_best_epoch_is_marked_where_it_was():
    for ax, y in zip(view.curves(history(7)).axes, (0.3, 85.0), strict=True):
        mark = ax.lines[-1]
        assert mark.get_label() == "best epoch: 4"
        assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (4, pytest.approx(y))


def test_curves_leave_out_what_was_not_measured():
    (loss,) = view.curves(history(3, accuracy=False)).axes
    assert loss.get_title() == "Loss"
    labels = [line.get_label() for line in view.curves(history(3, validation=False)).axes[0].lines]
    assert labels == ["training"]
    with pytest.raises(PellucidError, match="without epochs"):
        view.curves([])


def test_curves_are_drawn_in_given_axes():
    drawn = style.figure()
    left, right = drawn.subplots(1, 2)
    assert view.curves(history(3), ax=right) is drawn
    assert len(right.lines) == 3
    assert not left.lines


# confusion


@pytest.mark.parametrize("classes", [2, 10, 20, 21, 47, 100, 130])
def test_a_confusion_matrix_of_any_size_can_be_read(classes):
    found = evaluation(classes, 30 * classes)
    drawn = view.confusion(found)
    assert_readable(drawn)
    ax = drawn.axes[0]
    shares = found.confusion / found.confusion.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ax.images[0].get_array(), shares)
    assert bool(ax.texts) == (classes <= 20)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("prediction", "truth")
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == list(found.classes) if classes <= 100 else len(names) <= 100


def test_rows_are_the_truth_and_numbers_are_percent_of_the_row():
    ax = view.confusion(np.array([[6, 2], [0, 1000]])).axes[0]
    said = {(text.get_position()): text.get_text() for text in ax.texts}
    assert said == {(0, 0): "75", (1, 0): "25", (1, 1): "100"}


def test_what_is_not_all_is_never_called_100_percent():
    said = texts(view.confusion(np.array([[9999, 1], [1, 9999]])).axes[0])
    assert said == ["99.9", "<0.1", "<0.1", "99.9"]


def test_a_confusion_matrix_can_show_counts():
    matrix = np.array([[12345, 2], [0, 7]])
    drawn = view.confusion(matrix, ("cat", "dog"), normalize=False)
    assert texts(drawn.axes[0]) == ["12,345", "2", "7"]
    assert_readable(view.confusion(90000 * np.ones((10, 10), int), normalize=False))


def test_a_class_without_images_is_an_empty_row():
    ax = view.confusion(np.array([[3, 1], [0, 0]])).axes[0]
    np.testing.assert_array_equal(ax.images[0].get_array()[1], 0)


def test_a_confusion_matrix_is_square_and_has_a_name_for_each_class():
    with pytest.raises(ShapeError, match=r"not \(2, 3\)"):
        view.confusion(np.ones((2, 3)))
    with pytest.raises(ShapeError, match="3 names for a confusion matrix of 2"):
        view.confusion(np.eye(2), "abc")


# mistakes


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 20, 50)])
def test_mistakes_are_shown_with_truth_prediction_and_probability(shape):
    found = evaluation(10, names=CIFAR)
    images = np.random.default_rng(0).integers(0, 256, (300, *shape)).astype(np.uint8)
    drawn = view.mistakes(found, images, k=8)
    assert_readable(drawn)
    wrong = found.mistakes(8)
    assert len(drawn.axes) == 8
    for i, ax in enumerate(drawn.axes):
        shown = style.to_rgb(images[wrong.index[i]])
        np.testing.assert_array_equal(ax.images[0].get_array(), shown)
        assert ax.get_title() == CIFAR[wrong.truth[i]]
        name, percent = ax.get_xlabel().removeprefix("taken for ").split("\n")
        assert name == CIFAR[wrong.prediction[i]]
        assert float(percent.strip(">% ")) == pytest.approx(100 * wrong.probability[i], abs=0.1)


def test_long_names_are_shortened_so_that_they_stand_apart():
    found = evaluation(3, names=[f"{i} the remarkably long name of a class" for i in range(3)])
    assert_readable(view.mistakes(found, np.zeros((300, 1, 8, 8))))


def test_a_model_without_mistakes_gets_a_word_for_it():
    perfect = Evaluation(np.array([0, 1]), np.eye(2), ("a", "b"), loss=0.0)
    drawn = view.mistakes(perfect, np.zeros((2, 1, 4, 4)))
    assert texts(drawn.axes[0]) == ["No mistakes in 2 images"]


def test_mistakes_need_the_images_that_were_evaluated():
    with pytest.raises(ShapeError, match="300 images were evaluated, 2 are given"):
        view.mistakes(evaluation(3), np.zeros((2, 1, 4, 4)))


# calibration and scores


def test_calibration_shows_accuracy_gap_and_counts_of_each_bin_that_is_not_empty():
    found = evaluation(10, 2000)
    drawn = view.calibration(found)
    assert_readable(drawn)
    above, below = drawn.axes
    bins = found.calibration
    held = bins.count > 0
    right, gap = above.containers
    np.testing.assert_allclose([bar.get_height() for bar in right], bins.accuracy[held])
    tops = [bar.get_y() + bar.get_height() for bar in gap]
    np.testing.assert_allclose(tops, bins.confidence[held])
    np.testing.assert_allclose([bar.get_x() for bar in right], bins.edges[:-1][held])
    assert [bar.get_height() for bar in below.containers[0]] == list(bins.count[held])
    assert above.get_title() == f"Expected calibration error {100 * bins.error:.1f} %"


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_scores_show_each_class_the_weakest_on_top(classes):
    found = evaluation(classes, 20 * classes)
    drawn = view.scores(found)
    assert_readable(drawn)
    (ax,) = drawn.axes
    order = np.argsort(found.by_class.f1, kind="stable")
    bars = [bar.get_width() for bar in ax.containers[0]]
    np.testing.assert_allclose(bars, found.by_class.f1[order])
    for line, name in zip(ax.lines, ("precision", "recall"), strict=True):
        assert line.get_label() == name
        np.testing.assert_allclose(line.get_xdata(), getattr(found.by_class, name)[order])
    first = ax.get_yticklabels()[0].get_text()
    assert first == f"class number {order[0]}  ({found.by_class.support[order[0]]})"
    assert ax.yaxis_inverted()


# filters


def test_kernels_over_one_channel_are_shown_with_one_scale_around_zero():
    model = nn.Sequential(nn.Conv2d(1, 10, 5))
    drawn = view.filters(model)
    assert_readable(drawn)
    image = drawn.axes[0].images[0]
    weight = model[0].weight.value
    assert image.get_clim() == pytest.approx((-abs(weight).max(), abs(weight).max()))
    shown = image.get_array().compressed()
    assert set(np.unique(shown)) == set(np.unique(weight.astype(float)))
    assert drawn.axes[0].get_title() == "0: 10 kernels of 5×5"
    np.testing.assert_array_equal(image.get_array()[:15:3, :15:3], weight[0, 0])


def test_kernels_over_colours_are_shown_in_colour_around_grey():
    model = nn.Sequential(nn.Conv2d(3, 4, 2))
    weight = np.zeros((4, 3, 2, 2))
    weight[1, 0], weight[2, 2] = 1.0, -0.5
    model[0].weight.value = weight
    shown = view.filters(model).axes[0].images[0].get_array()
    np.testing.assert_allclose(shown[0, 0], [0.5, 0.5, 0.5, 1])
    np.testing.assert_allclose(shown[0, 14], [1, 0.5, 0.5, 1])
    np.testing.assert_allclose(shown[0, 28], [0.5, 0.5, 0.25, 1])
    assert shown[0, 12, 3] == 0, "between kernels the page is seen"


@pytest.mark.parametrize(
    ("conv", "said"),
    [
        (nn.Conv2d(1, 200, 3), "the first 64 are shown"),
        (nn.Conv2d(3, 64, 7), ""),
        (nn.Conv2d(64, 128, 3), "rows: the first 16 of 128 filters; columns: the first 24 of 64"),
        (nn.Conv2d(6, 16, 5), "rows: 16 filters; columns: 6 channels"),
        (nn.Conv2d(256, 64, 1), "rows: 64 filters; columns: the first 96 of 256 channels"),
        (nn.Conv2d(8, 8, 3, groups=8), ""),
        (nn.Conv2d(2, 1, (1, 9)), "rows: 1 filters; columns: 2 channels"),
    ],
)
def test_what_is_left_out_of_the_kernels_is_said(conv, said):
    drawn = view.filters(nn.Sequential(a_layer_with_a_long_name_as_they_happen_to_be=conv))
    assert_readable(drawn)
    assert drawn.axes[0].get_xlabel().startswith(said)
    assert bool(said) == bool(drawn.axes[0].get_xlabel())


def test_a_convolution_is_found_by_name():
    model = nn.Sequential(a=nn.Sequential(conv=nn.Conv2d(1, 2, 3)), b=nn.Conv2d(2, 3, 3))
    assert view.filters(model).axes[0].get_title().startswith("a.conv: 2 kernels")
    assert view.filters(model, "b").axes[0].get_title().startswith("b: 3 filters of 2×3×3")
    with pytest.raises(PellucidError, match=r"unknown convolution 'c'.*Known: a\.conv, b"):
        view.filters(model, "c")
    with pytest.raises(PellucidError, match="no convolution"):
        view.filters(nn.Sequential(nn.Linear(2, 2)))


# gradient flow


@pytest.mark.parametrize("layers", [1, 5, 60, 130])
def test_gradient_flow_shows_the_norm_of_each_layer_at_each_step(layers):
    rng = np.random.default_rng(0)
    steps, norms = np.arange(1, 40), np.exp(rng.normal(size=(39, layers)))
    names = [f"layer{i}.conv.weight" for i in range(layers)]
    drawn = view.gradient_flow(steps, names, norms, norms / 100)
    assert_readable(drawn)
    np.testing.assert_allclose(drawn.axes[0].images[0].get_array(), norms.T)
    np.testing.assert_allclose(drawn.axes[1].images[0].get_array(), norms.T / 100)
    assert drawn.axes[0].get_yticklabels()[0].get_text() == names[0]
    assert [label.get_text() for label in drawn.axes[0].get_xticklabels()][-1] == "39"


def test_a_gradient_of_zero_or_infinity_is_left_grey():
    table = [[0.0, 1.0], [np.inf, 2.0], [np.nan, 3.0]]
    drawn = view.gradient_flow([1, 2, 3], ["a", "b"], table)
    assert_readable(drawn)
    masked = drawn.axes[0].images[0].get_array().mask
    np.testing.assert_array_equal(masked, [[True] * 3, [False] * 3])
    assert_readable(view.gradient_flow([1], ["a"], [[0.0]]))


def test_a_table_of_gradients_has_a_row_for_each_step():
    with pytest.raises(
        ShapeError, match=r"norms of 2 steps and 1 layers .* \(2, 1\), not \(1, 2\)"
    ):
        view.gradient_flow([1, 2], ["a"], [[1.0, 2.0]])
