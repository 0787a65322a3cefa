"""Back through batch normalisation."""

import numpy as np

from pellucid.teach.exercise import Law, case, exercise, whole
from pellucid.teach.exercises.batch_norm import batch_norm
from pellucid.teach.laws import slope_error


def make(source, N, C, H):
    return {
        "dy": whole(source, N, C, H, H),
        "x": whole(source, N, C, H, H),
        "gamma": whole(source, C),
        "eps": 0.1,
    }


CASES = [
    case("one channel", N=3, C=1, H=1),
    case("two channels", N=3, C=2, H=2),
]


def _off(function):
    source = np.random.default_rng(0)
    x, dy = source.normal(size=(2, 2, 2, 2, 2))
    gamma, beta = np.array([2.0, -1.0]), np.zeros(2)
    return slope_error(
        lambda x: float((dy * batch_norm(x, gamma, beta, 0.1)[0]).sum()),
        x,
        function(dy, x, gamma, 0.1)[0],
    )


@exercise(
    chapter=11,
    title="Back through batch norm",
    make=make,
    cases=CASES,
    returns=("dx", "dgamma", "dbeta"),
    laws=(Law("dx is the slope of ⟨dy, batch_norm(x)⟩", _off),),
)
def batch_norm_backward(dy, x, gamma, eps=1e-5):
    """Return the gradients dx, dgamma and dbeta of `batch_norm`: three results.

    With x̂ = (x − mean) / √(var + eps), and sums and means over batch and positions::

        dbeta = Σ dy        dgamma = Σ dy·x̂
        dx = gamma / √(var + eps) · (dy − mean(dy) − x̂ · mean(dy·x̂))

    The last two terms are there because mean and variance depend on x as well.
    """
    return _backward(dy, x, gamma, eps)


def _backward(dy, x, gamma, eps, through_mean=True, through_var=True):
    axes = (0, 2, 3)
    deviation = np.sqrt(x.var(axes, keepdims=True) + eps)
    x_hat = (x - x.mean(axes, keepdims=True)) / deviation
    inner = dy.copy()
    if through_mean:
        inner -= dy.mean(axes, keepdims=True)
    if through_var:
        inner -= x_hat * (dy * x_hat).mean(axes, keepdims=True)
    return gamma[:, None, None] / deviation * inner, (dy * x_hat).sum(axes), dy.sum(axes)


@batch_norm_backward.mistake(
    "Mean and variance are treated as constants.",
    "Each x moves the mean and the variance of its channel, and through them all other outputs.",
)
def statistics_as_constants(dy, x, gamma, eps):
    return _backward(dy, x, gamma, eps, through_mean=False, through_var=False)


@batch_norm_backward.mistake(
    "The way through the variance is forgotten.", "The term x̂ · mean(dy·x̂) is missing."
)
def variance_as_constant(dy, x, gamma, eps):
    return _backward(dy, x, gamma, eps, through_var=False)


@batch_norm_backward.mistake(
    "The way through the mean is forgotten.", "The term mean(dy) is missing."
)
def mean_as_constant(dy, x, gamma, eps):
    return _backward(dy, x, gamma, eps, through_mean=False)


@batch_norm_backward.mistake("gamma is forgotten in dx.", "y = gamma·x̂ + beta: multiply by gamma.")
def gamma_forgotten(dy, x, gamma, eps):
    dx, _, _ = _backward(dy, x, np.ones_like(gamma), eps)
    return dx, *_backward(dy, x, gamma, eps)[1:]


@batch_norm_backward.mistake("dgamma and dbeta are averaged.", "They are sums.")
def averaged(dy, x, gamma, eps):
    dx, dgamma, dbeta = _backward(dy, x, gamma, eps)
    count = x.size / x.shape[1]
    return dx, dgamma / count, dbeta / count


@batch_norm_backward.mistake(
    "dgamma is made with x instead of the normalised x̂.", "gamma multiplied x̂: Σ dy·x̂."
)
def dgamma_with_x(dy, x, gamma, eps):
    dx, _, dbeta = _backward(dy, x, gamma, eps)
    return dx, (dy * x).sum((0, 2, 3)), dbeta


@batch_norm_backward.mistake(
    "The sums are not divided by their number.", "mean(dy) and mean(dy·x̂), not their sums."
)
def sums_for_means(dy, x, gamma, eps):
    axes = (0, 2, 3)
    deviation = np.sqrt(x.var(axes, keepdims=True) + eps)
    x_hat = (x - x.mean(axes, keepdims=True)) / deviation
    inner = dy - dy.sum(axes, keepdims=True) - x_hat * (dy * x_hat).sum(axes, keepdims=True)
    return gamma[:, None, None] / deviation * inner, *_backward(dy, x, gamma, eps)[1:]
