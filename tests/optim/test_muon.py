"""Muon against the singular value decomposition."""

import numpy as np
import pytest

from pellucid import engine, optim
from pellucid.parameter import Parameter
from pellucid.reference import orthogonalize
from pellucid.reference.orthogonal import COEFFICIENTS

SHAPES = [(5, 5), (4, 30), (30, 4), (1, 7), (16, 3, 3, 3)]


def parameter(shape, dtype="float64", name="w"):
    made = Parameter(name, shape, "normal:1")
    made.initialize(1)
    made.astype(dtype)
    return made


def drawn(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def applied_to_singular_values(matrix, steps):
    """Apply the polynomial to each singular value of the matrix, divided by its norm."""
    a, b, c = COEFFICIENTS
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    s = s / np.linalg.norm(matrix)
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    return u * s @ vt


@pytest.mark.parametrize("shape", SHAPES[:4])
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_newton_schulz_applies_a_polynomial_to_the_singular_values(shape, steps):
    matrix = drawn(shape)
    expected = applied_to_singular_values(matrix, steps)
    np.testing.assert_allclose(orthogonalize(matrix, steps), expected, rtol=1e-4, atol=1e-6)


def test_five_steps_bring_singular_values_near_one():
    matrix = np.diag(np.geomspace(0.01, 0.9, 40))
    values = np.linalg.svd(orthogonalize(matrix), compute_uv=False)
    assert 0.67 < values.min() < values.max() < 1.21


def test_a_matrix_of_zeros_stays_zero():
    assert not orthogonalize(np.zeros((3, 4))).any()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("nesterov", [True, False])
def test_steps_go_along_the_orthogonalised_momentum(shape, nesterov):
    w, rows = parameter(shape), shape[0]
    columns = int(np.prod(shape[1:]))
    optimizer = optim.Muon([w], lr=0.1, momentum=0.8, nesterov=nesterov, weight_decay=0.5)
    expected, v = w.value.copy(), np.zeros(shape)
    for step in range(4):
        g = drawn(shape, step)
        w.zero_grad()
        w.add_gradient(g)
        optimizer.step()
        v = 0.8 * v + g
        direction = (g + 0.8 * v if nesterov else v).reshape(rows, columns)
        change = applied_to_singular_values(direction, 5).reshape(shape)
        expected *= 1 - 0.1 * 0.5
        expected -= 0.1 * max(1, rows / columns) ** 0.5 * change
        np.testing.assert_allclose(w.value, expected, rtol=1e-4, atol=1e-6)


def test_unit_filters_have_the_mean_square_norm_one_before_the_step():
    w, matrix = parameter((8, 3, 3, 3)), parameter((8, 3), name="matrix")
    before = matrix.value.copy()
    optim.Muon([w, matrix], lr=0.1, unit_filters=True).step()  # without a gradient
    assert np.linalg.norm(w.value) == pytest.approx(8**0.5)
    np.testing.assert_array_equal(matrix.value, before)


def test_other_parameters_follow_adamw():
    def some():
        bias = Parameter("bias", (4,), "ones", kind="bias")
        return [parameter((3, 2)), bias, parameter((2, 2), name="head.weight")]

    ours, theirs = some(), some()
    muon = optim.Muon(ours, lr=0.5, adam_lr=0.02, adam_for=("head.*",), weight_decay=0.1)
    adam = optim.AdamW(theirs[1:], lr=0.02, betas=(0.9, 0.95), weight_decay=0.1)
    for step in range(5):
        for each in (*ours, *theirs):
            each.zero_grad()
            each.add_gradient(drawn(each.shape, step).astype(each.dtype))
        muon.lr, adam.lr = 0.5 * 0.7**step, 0.02 * 0.7**step  # as a schedule does
        muon.step()
        adam.step()
    for own, other in zip(ours[1:], theirs[1:], strict=True):
        np.testing.assert_allclose(own.value, other.value, rtol=1e-6)
    assert set(muon.state_dict()) - {"step"} == {
        "w/momentum", "bias/exp_avg", "bias/exp_avg_sq",
        "head.weight/exp_avg", "head.weight/exp_avg_sq",
    }  # fmt: skip


@pytest.mark.parametrize("shape", [(64, 27), (256, 64, 3, 3)])
def test_both_engines_take_the_same_step(shape):
    found = []
    for name in engine.NAMES:
        w = parameter(shape, "float32")
        w.add_gradient(drawn(shape).astype(np.float32))
        with engine.using(name):
            optim.Muon([w], lr=1.0).step()
        found.append(w.value)
    np.testing.assert_allclose(*found, atol=1e-5)


def test_it_works_by_name():
    assert type(optim.chosen("muon", [parameter((2, 2))])) is optim.Muon


def test_the_rate_of_a_parameter_is_that_of_its_update():
    matrix, bias = parameter((3, 2)), parameter((3,), name="b")
    optimizer = optim.Muon([matrix, bias], lr=0.1, adam_lr=0.004, lr_factors={"b": 0.5})
    assert optimizer.rate_of(matrix) == 0.1
    assert optimizer.rate_of(bias) == pytest.approx(0.002)
    optimizer.lr = 0.05  # as a schedule sets it
    assert optimizer.rate_of(matrix) == 0.05
    assert optimizer.rate_of(bias) == pytest.approx(0.001)
