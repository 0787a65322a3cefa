"""Losses against their definitions, and their gradients against differences."""

import numpy as np
import pytest
from scipy import special

from pellucid import engine, losses
from pellucid.errors import FileError, PellucidError
from pellucid.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError

generator = np.random.default_rng(0)
OUTPUTS = generator.normal(size=(6, 4))
IMAGES = generator.normal(size=(3, 4, 2, 5))  # one class for each pixel
LABELS = np.array([0, 3, 1, 3, 2, 0])
PIXELS = generator.integers(0, 4, (3, 2, 5))
PROBABILITIES = generator.dirichlet(np.ones(4), 6)
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.0, 3.0, 1.0])

CASES = {
    "class numbers": (CrossEntropy(), OUTPUTS, LABELS, None),
    "weights of samples": (CrossEntropy(), OUTPUTS, LABELS, WEIGHTS),
    "class weights": (CrossEntropy((1, 2, 0.5, 0)), OUTPUTS, LABELS, None),
    "smoothing": (CrossEntropy(label_smoothing=0.2), OUTPUTS, LABELS, None),
    "all of it": (CrossEntropy((1, 2, 0.5, 0.1), 0.2), OUTPUTS, LABELS, WEIGHTS),
    "probabilities": (CrossEntropy((1, 2, 0.5, 0.1), 0.2), OUTPUTS, PROBABILITIES, WEIGHTS),
    "pixels": (CrossEntropy((1, 2, 0.5, 0.1), 0.2), IMAGES, PIXELS, WEIGHTS[:3]),
    "squares": (MeanSquaredError(), OUTPUTS, PROBABILITIES, None),
    "squares, weighted": (MeanSquaredError(), IMAGES, IMAGES[::-1] ** 2, WEIGHTS[:3]),
    "binary": (BinaryCrossEntropy(), OUTPUTS, PROBABILITIES, None),
    "binary, weighted": (BinaryCrossEntropy(), OUTPUTS, PROBABILITIES > 0.3, WEIGHTS),
}
each = pytest.mark.parametrize(
    ("loss", "outputs", "targets", "weights"), CASES.values(), ids=CASES.keys()
)


def differences(loss, outputs, *rest, h=1e-6):
    """dL/d(outputs) by central differences, entry by entry."""
    result = np.empty_like(outputs)
    for at in np.ndindex(outputs.shape):
        step = np.zeros_like(outputs)
        step[at] = h
        result[at] = (loss(outputs + step, *rest)[0] - loss(outputs - step, *rest)[0]) / (2 * h)
    return result


@each
def test_the_gradient_is_the_derivative_and_a_thousandth_would_be_seen(
    loss, outputs, targets, weights
):
    numeric = differences(loss, outputs, targets, weights)
    _, gradient = loss(outputs, targets, weights)
    within = 1e-7 * abs(numeric).max()
    np.testing.assert_allclose(gradient, numeric, rtol=0, atol=within)
    assert abs(1.001 * gradient - numeric).max() > 100 * within


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gradient_has_the_type_and_order_in_memory_of_the_outputs(
    loss, outputs, targets, weights, dtype
):
    batch_last = np.ascontiguousarray(np.moveaxis(outputs.astype(dtype), 0, -1))
    outputs = np.moveaxis(batch_last, -1, 0)
    before = outputs.copy()
    value, gradient = loss(outputs, targets, weights)
    assert type(value) is float
    assert (gradient.dtype, gradient.strides) == (dtype, outputs.strides)
    np.testing.assert_array_equal(outputs, before)


@each
@pytest.mark.parametrize("name", engine.NAMES)
def test_every_engine_gives_in_float32_what_float64_gives(loss, outputs, targets, weights, name):
    exact, exact_gradient = loss(outputs, targets, weights)
    with engine.using(name):
        # the batch lies last, as layers leave it
        value, gradient = loss(np.asfortranarray(outputs, np.float32), targets, weights)
    assert value == pytest.approx(exact, rel=1e-6)
    np.testing.assert_allclose(gradient, exact_gradient, rtol=1e-5, atol=1e-7)


@each
def test_a_sample_of_weight_two_counts_as_two_samples(loss, outputs, targets, weights):
    copies = np.arange(len(outputs)) % 3 + 1
    repeated, rows = np.repeat(outputs, copies, axis=0), np.repeat(targets, copies, axis=0)
    if isinstance(loss, CrossEntropy) and loss.class_weights and targets.ndim < outputs.ndim:
        loss = CrossEntropy(loss.class_weights)
    value, _ = loss(outputs, targets, copies)
    assert value == pytest.approx(loss(repeated, rows)[0], rel=1e-12)


def test_cross_entropy_is_minus_the_logarithm_of_the_probability_of_the_right_class():
    p = special.softmax(OUTPUTS, axis=1)
    value, gradient = losses.cross_entropy(OUTPUTS, LABELS)
    assert value == pytest.approx(-np.log(p[np.arange(6), LABELS]).mean(), rel=1e-12)
    np.testing.assert_allclose(gradient, (p - np.eye(4)[LABELS]) / 6, atol=1e-15)


def test_class_numbers_are_the_probabilities_0_and_1():
    loss = CrossEntropy(label_smoothing=0.1)
    numbers, probabilities = loss(OUTPUTS, LABELS), loss(OUTPUTS, np.eye(4)[LABELS])
    assert numbers[0] == pytest.approx(probabilities[0], rel=1e-14)
    np.testing.assert_allclose(numbers[1], probabilities[1], atol=1e-16)


def test_smoothing_gives_a_share_of_the_probability_to_all_classes_alike():
    smooth = 0.8 * np.eye(4)[LABELS] + 0.2 / 4
    expected = losses.cross_entropy(OUTPUTS, smooth)[0]
    assert CrossEntropy(label_smoothing=0.2)(OUTPUTS, LABELS)[0] == pytest.approx(expected)


def test_equal_class_weights_change_nothing():
    same = CrossEntropy((7.0,) * 4, 0.1)(OUTPUTS, LABELS)[0]
    assert same == pytest.approx(CrossEntropy(label_smoothing=0.1)(OUTPUTS, LABELS)[0], rel=1e-14)


def test_mean_squared_error_is_a_mean_over_all_elements():
    expected = np.mean((OUTPUTS - PROBABILITIES) ** 2)
    assert losses.mean_squared_error(OUTPUTS, PROBABILITIES)[0] == pytest.approx(expected)


def test_binary_cross_entropy_is_that_of_the_sigmoid():
    p = special.expit(OUTPUTS)
    expected = -np.mean(special.xlogy(PROBABILITIES, p) + special.xlog1py(1 - PROBABILITIES, -p))
    assert losses.binary_cross_entropy(OUTPUTS, PROBABILITIES)[0] == pytest.approx(expected)


def test_nothing_overflows_for_outputs_far_from_zero():
    outputs = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    for targets, expected in (([0, 1], 0), ([1, 1], 1e4)):
        value, gradient = losses.cross_entropy(outputs, np.array(targets))
        assert value == pytest.approx(expected)
        assert np.isfinite(gradient).all()
    assert losses.binary_cross_entropy(outputs, outputs > 0)[0] == 0
    assert losses.binary_cross_entropy(outputs, outputs < 0)[0] == pytest.approx(1e4)


def test_where_every_target_is_ignored_the_loss_and_its_gradient_are_0():
    value, gradient = CrossEntropy(ignore_index=9)(OUTPUTS, np.full(6, 9))
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros((6, 4)))


def test_only_the_class_number_that_is_ignored_may_lie_outside_the_classes():
    with pytest.raises(PellucidError, match=r"position \(1,\) is class 4"):
        CrossEntropy(ignore_index=-1)(OUTPUTS[:3], np.array([-1, 4, 0]))


# Scores of −∞ for two classes that no target names, and a third sample whose class is ruled out.
RULED_OUT = np.array([[1.0, -np.inf, 0.0, -np.inf], [2.0, -1.0, -np.inf, 0.5], [0, 1, 2, -np.inf]])
RIGHT = np.array([0, 3, 3])
MIXED = np.array([[0.25, 0, 0.75, 0], [0, 1, 0, 0], [0, 0, 1, 0]])


@pytest.mark.parametrize("name", engine.NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("loss", "targets", "weights", "finite"),
    [
        (CrossEntropy(), RIGHT, np.array([1, 2, 0]), True),
        (CrossEntropy((1, 2, 3, 0.5)), RIGHT, np.array([1, 2, 0]), True),
        (CrossEntropy((1, 2, 3, 0)), RIGHT, None, True),
        (CrossEntropy(), MIXED, None, True),
        (CrossEntropy((1, 2, 3, 4)), MIXED, np.array([1, 2, 3]), True),
        (CrossEntropy(), RIGHT, None, False),
        (CrossEntropy(label_smoothing=0.1), MIXED, None, False),
    ],
)
def test_a_class_that_is_ruled_out_by_a_score_of_minus_infinity_costs_nothing_where_it_is_wrong(
    loss, targets, weights, finite, order, dtype, name
):
    q = np.eye(4)[targets] if targets.ndim == 1 else targets
    w = np.ones(4) if loss.class_weights is None else np.array(loss.class_weights)
    share = np.ones(3) if weights is None else weights
    a = w * ((1 - loss.label_smoothing) * q + loss.label_smoothing / 4) * share[:, None]
    a /= (share * w[targets]).sum() if targets.ndim == 1 else share.sum()
    p = special.softmax(RULED_OUT, axis=1)
    with engine.using(name), np.errstate(divide="ignore"):
        value, gradient = loss(np.array(RULED_OUT, dtype, order=order), targets, weights)
        assert value == pytest.approx(-special.xlogy(a, p).sum(), rel=1e-6)
    assert np.isfinite(value) == finite
    np.testing.assert_allclose(gradient, p * a.sum(axis=1, keepdims=True) - a, atol=1e-6)


def test_infinite_outputs_cost_nothing_in_binary_cross_entropy_where_they_are_right():
    outputs = np.array([[np.inf], [-np.inf], [0.0], [np.inf]])
    targets, weights = np.array([[1.0], [0], [1], [0]]), np.array([1, 1, 1, 0])
    value, gradient = losses.binary_cross_entropy(outputs, targets, weights)
    assert value == pytest.approx(np.log(2) / 3)
    np.testing.assert_allclose(gradient, [[0], [0], [-0.5 / 3], [0]])
    assert losses.binary_cross_entropy(outputs, targets)[0] == np.inf


def test_the_value_is_summed_in_float64():
    outputs = np.array([4096] + [1] * 1023, np.float32)  # 2²⁴ + 1023 is no float32
    value, _ = losses.mean_squared_error(outputs, np.zeros_like(outputs))
    assert value * 1024 == 2**24 + 1023


@pytest.mark.parametrize(
    "loss",
    [CrossEntropy(), CrossEntropy((1, 2.5), 0.1), MeanSquaredError(), BinaryCrossEntropy()],
    ids=repr,
)
def test_a_loss_is_built_from_its_description(loss):
    assert losses.build(loss.describe()) == loss


def test_class_weights_may_be_an_array_and_become_plain_data():
    assert CrossEntropy(np.array([1, 2])).describe()["class_weights"] == (1.0, 2.0)
    assert losses.build({"type": "CrossEntropy", "class_weights": [1, 2]}).class_weights == (1, 2)


def bad(outputs=OUTPUTS, targets=LABELS, weights=None, loss=losses.cross_entropy):
    return lambda: loss(outputs, targets, weights)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            bad(targets=LABELS + 1),
            r"position \(1,\) is class 4, but the outputs have only 4 classes",
        ),
        (bad(targets=LABELS - 1), r"position \(0,\) is class -1"),
        (bad(targets=LABELS[:5]), r"class numbers of shape \(6,\), got \(5,\)"),
        (bad(IMAGES, PIXELS[0]), r"class numbers of shape \(3, 2, 5\), got \(2, 5\)"),
        (bad(targets=LABELS.astype(float)), "integers.*got float64"),
        (bad(targets=PROBABILITIES[:, :3]), r"floats of shape \(6, 4\)\), got .* \(6, 3\)"),
        (bad(targets=PROBABILITIES * np.nan), r"target at \(0, 0\) is nan"),
        (bad(targets=-PROBABILITIES), "no probability is negative"),
        (bad(weights=np.ones(5)), r"one per sample, \(6,\), got \(5,\)"),
        (bad(weights=-np.ones(6)), "not negative"),
        (bad(weights=np.zeros(6)), "sum to 0"),
        (bad(outputs=LABELS), "floating-point numbers, got int64"),
        (bad(outputs=np.ones(6)), r"\(N, classes, …\) and not be empty, got \(6,\)"),
        (bad(np.ones((0, 4)), np.ones(0, int)), r"not be empty, got \(0, 4\)"),
        (bad(loss=CrossEntropy((1, 2))), "2 class weights for 4 classes"),
        (bad(loss=losses.mean_squared_error), r"have shape \(6,\).*np\.eye"),
        (bad(targets=OUTPUTS * np.inf, loss=losses.mean_squared_error), r"at \(0, 0\) is inf"),
        (bad(targets=OUTPUTS, loss=losses.binary_cross_entropy), "from 0 to 1, these range from -"),
        (
            lambda: CrossEntropy(label_smoothing=1.5),
            "must be a number from 0 to 1, not 1.5",
        ),
        (
            lambda: CrossEntropy((1, -1)),
            "must be a tuple, each a number of at least 0",
        ),
    ],
)
def test_what_does_not_fit_is_said(call, said):
    with pytest.raises(PellucidError, match=said):
        call()


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({"type": "CrossEntropie"}, "unknown loss 'CrossEntropie'; did you mean 'CrossEntropy'"),
        ({"type": "CrossEntropy", "smoothing": 0.1}, "unknown argument of CrossEntropy"),
        ({"type": "CrossEntropy", "label_smoothing": 7}, "loss CrossEntropy: .*label_smoothing"),
        ({"type": "CrossEntropy", "class_weights": "heavy"}, "loss CrossEntropy"),
        (["CrossEntropy"], "expected a table with a type"),
    ],
)
def test_a_description_that_does_not_fit_is_said(description, said):
    with pytest.raises(FileError, match=said):
        losses.build(description)


@pytest.mark.parametrize("name", engine.NAMES)
@pytest.mark.parametrize("shift", [-1e4, -200.0, 0.0, 200.0, 1e4])
def test_only_differences_of_scores_matter_to_the_cross_entropy(name, shift):
    """exp(−200) is 0 in float32, and exp(200) infinite."""
    scores = np.ascontiguousarray(OUTPUTS.T.astype("float32")).T
    with engine.using(name):
        loss, gradient = losses.cross_entropy(scores + np.float32(shift), LABELS)
    rounded = (scores + np.float32(shift)).astype(float)
    expected = -special.log_softmax(rounded, axis=1)[np.arange(6), LABELS].mean()
    assert loss == pytest.approx(expected, rel=1e-5)
    one_hot = np.eye(4)[LABELS]
    np.testing.assert_allclose(
        gradient, (special.softmax(rounded, axis=1) - one_hot) / 6, rtol=1e-4, atol=1e-6
    )


def test_the_probability_that_is_negative_is_named():
    targets = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 1.5, 0.0, -0.5]])
    with pytest.raises(PellucidError, match=r"the target at \(1, 3\) is -0.5"):
        CrossEntropy()(OUTPUTS[:2], targets)


def test_only_class_numbers_can_be_left_out_of_the_mean():
    assert CrossEntropy().counted(LABELS) == 6
    assert CrossEntropy(ignore_index=3).counted(LABELS) == 4
    assert CrossEntropy(ignore_index=0).counted(np.eye(4)[LABELS]) == 6
    assert CrossEntropy(ignore_index=0).counted(PIXELS) == pytest.approx(3 * (PIXELS != 0).mean())


PARTED = CASES | {
    "ignored": (CrossEntropy(ignore_index=3), OUTPUTS, LABELS, None),
    "ignored, outside the classes": (
        CrossEntropy((1, 2, 0.5, 0.1), 0.2, ignore_index=-1),
        OUTPUTS,
        np.where(LABELS == 3, -1, LABELS),
        WEIGHTS,
    ),
    "ignored pixels": (CrossEntropy((1, 2, 0.5, 0.1), ignore_index=2), IMAGES, PIXELS, None),
    "float32 weights": (CrossEntropy(), OUTPUTS, LABELS, WEIGHTS.astype(np.float32)),
}


@pytest.mark.parametrize(
    ("loss", "outputs", "targets", "weights"), PARTED.values(), ids=PARTED.keys()
)
def test_the_loss_of_parts_is_the_mean_with_their_total_weights(loss, outputs, targets, weights):
    whole, gradient = loss(outputs, targets, weights)
    parts, total = [slice(0, 2), slice(2, None)], loss.total_weight(targets, weights)
    value = 0.0
    for part in parts:
        given = targets[part], None if weights is None else weights[part]
        own, own_gradient = loss(outputs[part], *given)
        share = loss.total_weight(*given) / total
        value += own * share
        np.testing.assert_allclose(own_gradient * share, gradient[part], rtol=1e-12)
    assert value == pytest.approx(whole, rel=1e-12)
    assert type(total) is float


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        *[(name, "cross_entropy") for name in ("categorical_crossentropy", "CrossEntropyLoss")],
        *[(name, "cross_entropy") for name in ("Sparse categorical crossentropy", "nll")],
        *[(name, "binary_cross_entropy") for name in ("bce", "BCEWithLogitsLoss")],
        ("binary_crossentropy", "binary_cross_entropy"),
        *[(name, "mean_squared_error") for name in ("mse", "MSELoss", "l2")],
    ],
)
def test_who_gives_another_frameworks_name_is_told_ours(theirs, ours):
    with pytest.raises(PellucidError, match=f"the loss '{theirs}' is named '{ours}' in Pellucid"):
        losses.chosen(theirs)
    assert losses.chosen(ours) == getattr(losses, ours)
