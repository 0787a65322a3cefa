"""What is said of over- and underfitting follows from the losses."""

import re

import pytest

from pellucid.training import Epoch, diagnosis


def run(training, validation=None):
    """Return a history with these losses."""
    others = [None] * len(training) if validation is None else validation
    return [
        Epoch(n, len(training), 9, loss, None, other, None, 0.1, 1.0, 1.0, False)
        for n, (loss, other) in enumerate(zip(training, others, strict=True), start=1)
    ]


FALLING = [2.0, 1.5, 1.1, 0.8, 0.6]


@pytest.mark.parametrize(
    ("training", "validation", "said"),
    [
        (FALLING, [2.1, 1.6, 1.2, 1.5, 1.9], "overfitting: since epoch 3 .* from 1.2000 to 1.9000"),
        ([2.0, 1.0, 0.5, 0.9, 1.6], [2.1, 1.1, 0.6, 1.0, 1.7], "became worse: since epoch 3"),
        (FALLING, [2.1, 1.6, 1.3, 1.1, 1.0], "some overfitting.* 0.6000 in training and 1.0000"),
        (FALLING, [2.1, 1.6, 1.3, 1.1, 1.0], "The validation loss was still falling"),
        (FALLING, [2.1, 1.6, 1.3, 1.1, 1.4], "some overfitting.* rose in the last epoch, .*chance"),
        ([0.6, 0.2, 0.1, 0.05, 0.02], [0.6, 0.4, 0.3, 0.3, 0.3], "has hardly risen since"),
        ([2.30, 2.29, 2.28, 2.28, 2.28], [2.3, 2.3, 2.3, 2.3, 2.3], "may be underfitting.* hardly"),
        (FALLING, [2.1, 1.6, 1.2, 0.9, 0.7], "Both losses were still falling.*More epochs"),
        (FALLING, [1.0, 0.82, 0.81, 0.80, 0.80], "Only the training loss was still falling"),
        (
            [2.0, 1.0, 0.505, 0.502, 0.5],
            [2.1, 1.1, 0.605, 0.602, 0.6],
            "no sign of over- or underfitting",
        ),
        (FALLING, None, "was still falling at the end; without validation"),
        ([2.0, 1.0, 0.5, 0.5, 0.5], None, "had settled at the end; without validation"),
        ([2.0, 1.0], [2.0, 1.0], "Fewer than 3 epochs"),
        ([], [], "Fewer than 3 epochs"),
        ([2.0, 1.0, 0.5], [2.0, float("inf"), 1.0], "not a finite number"),
    ],
)  # fmt: skip
def test_a_run_is_judged_by_its_losses(training, validation, said):
    assert re.search(said, diagnosis(run(training, validation)))


@pytest.mark.parametrize(("last", "said"), [(0.965, "had settled"), (0.959, "was still falling")])
def test_a_loss_still_falls_if_it_lost_two_percent_in_each_of_two_epochs(last, said):
    assert said in diagnosis(run([2.0, 1.0, 0.985, last]))


def test_a_bump_within_chance_is_no_overfitting():
    said = diagnosis(run(FALLING, [2.1, 1.6, 1.2, 0.84, 0.85]))
    assert "overfitting: since" not in said


def test_it_is_one_or_two_sentences_and_names_figures():
    said = diagnosis(run(FALLING, [2.1, 1.6, 1.2, 1.5, 1.9]))
    assert "\n" not in said
    assert len(said) < 250


STILL = [1.0, 1.0, 1.0]
"""A loss that stays where it is."""


@pytest.mark.parametrize(
    ("training", "validation", "said"),
    [
        # the validation loss rises if the last two are a tenth above the lowest
        ([1.0, 0.9, 0.8, 0.7, 0.6], [2.0, 1.0, 1.0, 1.11, 1.2], "overfitting: since epoch 2"),
        ([1.0, 0.9, 0.8, 0.7, 0.6], [2.0, 1.0, 1.0, 1.2, 1.11], "overfitting: since epoch 2"),
        ([1.0, 0.9, 0.8, 0.7, 0.6], [2.0, 1.0, 1.0, 1.1, 1.2], "some overfitting.*may be chance"),
        ([1.0, 0.9, 0.8, 0.7, 0.6], [2.0, 1.0, 1.0, 1.2, 1.1], "some overfitting.*hardly risen"),
        # the training loss has fallen since, or it has not
        ([1.0, 0.9, 0.8, 0.7, 0.9], [2.0, 1.0, 1.1, 1.2, 1.2], "became worse: since epoch 2"),
        ([1.0, 0.9, 0.8, 0.7, 0.89], [2.0, 1.0, 1.1, 1.2, 1.2], "overfitting: since epoch 2"),
        # the gap is large above one half
        ([1.0, 0.8, 0.8, 0.8], [1.2, 1.2, 1.2, 1.2], "no sign of over- or underfitting"),
        ([1.0, 0.8, 0.8, 0.8], [1.21, 1.21, 1.21, 1.21], "some overfitting"),
        # the training loss has hardly fallen if it lost less than a tenth
        ([1.0, 0.95, 0.91, 0.91], [*STILL, 1.0], "may be underfitting"),
        ([1.0, 0.89, 0.89, 0.89], [*STILL, 1.0], "no sign of over- or underfitting"),
        # three epochs are enough
        ([1.0, 0.85, 0.7], [1.0, 0.85, 0.7], "Both losses were still falling"),
        ([1.0, 0.85, 0.7], STILL, "Only the training loss was still falling"),
        ([1.0, 0.85, 0.86], None, "had settled"),
        ([1.0, 0.9, 0.85], [float("nan")] * 3, "not a finite number"),
    ],
)  # fmt: skip
def test_where_each_judgement_begins(training, validation, said):
    assert re.search(said, diagnosis(run(training, validation)))
