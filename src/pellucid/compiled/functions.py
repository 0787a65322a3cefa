"""The exponential and what follows from it, for tiles.

Each is accurate to a few units in the last place of float32. The coefficients are minimax fits in
float64 (Lawson's weighted least squares).
"""

import math

from pellucid.compiled.arithmetic import choose, fma
from pellucid.compiled.formulas import ROUNDS, polynomial, power_of_two, with_sign_of
from pellucid.compiled.jit import jit_inline

_SMALLEST = -87.0  # exp of it is still a normal float32
_BEGIN, _REST = 0.693359375, -2.12194440e-4  # ln 2, first the bits that a product keeps exactly
_LOG2_E = 1 / math.log(2)

# (exp(r) − 1 − r)/r² for |r| ≤ ½·ln 2
_EXPONENTIAL = (
    0.0013946451010049717,
    0.008366584102029229,
    0.04166628201304359,
    0.16666542990943461,
    0.5000000061938933,
)
# (artanh(s)/s − 1)/s² as a polynomial in s² ≤ 1/9
_LOGARITHM = (
    0.14012233943068816,
    0.13999569697586112,
    0.20010849575494213,
    0.33333206565675233,
)
# Φ(−z)·exp(z²/2) for z ≥ 0, a fraction of polynomials with positive coefficients: nothing cancels
_TAIL_ABOVE = (
    0.0040776160858229035,
    0.04037258722234203,
    0.18246191664809183,
    0.4372510064968632,
    0.5000000027589648,
)
_TAIL_BELOW = (
    0.010220939020875263,
    0.10120587861138151,
    0.4674293315891521,
    1.199291055770805,
    1.6723869683901742,
    1.0,
)


@jit_inline
def larger(x, bound):
    """``max(x, bound)``; what is not a number stays so."""
    return choose(x < bound, bound, x)


@jit_inline
def smaller(x, bound):
    """``min(x, bound)``; what is not a number stays so."""
    return choose(x > bound, bound, x)


@jit_inline
def _split(x):
    """Return s and p with ``exp(x) = s·(1 + p)``, where s = 2ⁿ, for −87 ≤ x ≤ 0.

    With n = round(x/ln 2) and r = x − n·ln 2, p = exp(r) − 1.
    """
    shifted = fma(x, _LOG2_E, ROUNDS)
    n = shifted - ROUNDS
    r = fma(n, -_REST, fma(n, -_BEGIN, x))
    return power_of_two(shifted), fma(r * r, polynomial(_EXPONENTIAL, r), r)


@jit_inline
def exponential(x):
    """``exp(x)`` for x ≤ 0, and 0 where it is smaller than 10⁻³⁷."""
    s, p = _split(larger(x, _SMALLEST))
    return choose(x < _SMALLEST, 0.0, fma(s, p, s))


@jit_inline
def exponential_minus_1(x):
    """``exp(x) − 1`` for x ≤ 0, accurate near 0 too."""
    s, p = _split(larger(x, _SMALLEST))
    return fma(s, p, s - 1.0)


@jit_inline
def logarithm_of_1_plus(u):
    """``log(1 + u) = 2·artanh(u/(2 + u))`` for 0 ≤ u ≤ 1."""
    s = u / (2.0 + u)
    squares = s * s
    return 2.0 * fma(s * squares, polynomial(_LOGARITHM, squares), s)


@jit_inline
def logistic(x):
    """``1/(1 + exp(−x))``, as a fraction with exp(−|x|), which does not overflow."""
    e = exponential(-abs(x))
    return choose(x < 0.0, e, 1.0) / (1.0 + e)


@jit_inline
def hyperbolic_tangent(x):
    """``tanh(x)``: with e = exp(−2|x|) − 1 it is ``±e/(e + 2)``."""
    e = exponential_minus_1(-2.0 * abs(x))
    return with_sign_of(e / (e + 2.0), x)


@jit_inline
def normal(x):
    """Return Φ(x) and φ(x)·√(2π) of the standard normal distribution.

    ``Φ(−z) = exp(−z²/2)·m(z)`` for z ≥ 0, with a fraction m, and ``Φ(z) = 1 − Φ(−z)``.
    """
    z = smaller(abs(x), 20.0)
    density = exponential(-0.5 * z * z)
    tail = density * (polynomial(_TAIL_ABOVE, z) / polynomial(_TAIL_BELOW, z))
    return choose(x < 0.0, tail, 1.0 - tail), density
