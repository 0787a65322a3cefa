"""What batch normalisation computes for each channel between its passes over memory.

The passes take float32 numbers; these here are found in float64, and what is lost when one of them
is rounded goes into the next.
"""

import numpy as np

from pellucid.compiled.jit import jit_inline, jit_serial


@jit_inline
def normalization(moments, eps, weight, bias, norm):
    """Write ``1/√(var + eps)`` into moments (mean, var, inv_std), and norm (mean, scale, shift).

    ``y = (z − mean)·scale + shift`` with scale = inv_std·weight and shift = bias.
    """
    for c in range(len(weight)):
        mean, var = moments[0, c], max(moments[1, c], 0.0)
        inv_std = 1 / np.sqrt(var + eps)
        moments[1, c], moments[2, c] = var, inv_std
        norm[0, c], norm[1, c] = mean, inv_std * weight[c]
        norm[2, c] = bias[c] + (norm[0, c] - mean) * inv_std * weight[c]


@jit_inline
def normalization_gradient(sums, moments, norm, weight, count, gradients, coefficients):
    """Write the gradients (dweight, dbias), and (a, b, c) of ``dz = a·dn + b·(z − mean) + c``.

    From ``dz = s·w·(dn − mean(dn) − x̂·mean(dn·x̂))`` with ``x̂ = (z − mean)·s`` it follows that
    a = s·w, b = −a·s·mean(dn·x̂) and c = −a·mean(dn). The sums are Σ dn and Σ dn·(z − m) with the
    mean m as it was rounded, and so is the mean in dz.
    """
    for c in range(len(weight)):
        s, rest = moments[2, c], moments[0, c] - norm[0, c]
        dweight = (sums[1, c] - rest * sums[0, c]) * s  # Σ dn·x̂
        a = s * weight[c]
        b = -a * s * dweight / count
        gradients[0, c], gradients[1, c] = dweight, sums[0, c]
        coefficients[0, c], coefficients[1, c] = a, b
        coefficients[2, c] = -a * sums[0, c] / count - b * rest


@jit_serial
def move(running_mean, running_var, mean, var, momentum, correction, moved):
    """Write ``(1 − momentum)·running + momentum·new`` of mean and corrected variance."""
    keep, take = np.float32(1 - momentum), np.float32(momentum)
    for c in range(len(mean)):
        moved[0, c] = keep * running_mean[c] + take * mean[c]
        moved[1, c] = keep * running_var[c] + take * (np.float32(correction) * var[c])
