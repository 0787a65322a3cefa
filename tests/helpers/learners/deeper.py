"""Inside a network, and deeper ones."""

import numpy as np

from learners.solutions import right, wrong


@wrong("grad_cam", "each_position_by_itself")
def _(maps, gradients):
    return np.maximum(np.sum(maps * gradients, axis=1), 0)


@wrong("grad_cam", "negative_left")
def _(maps, gradients):
    weights = gradients.mean(axis=(2, 3))
    return np.einsum("nc,nchw->nhw", weights, maps)


@right("grad_cam")
def _(maps, gradients):
    cam = np.einsum("nc,nchw->nhw", gradients.mean(axis=(2, 3)), maps)
    return cam * (cam > 0)


@wrong("he_scale", "kernel_forgotten")
def _(weight_shape):
    return (2 / weight_shape[1]) ** 0.5


@right("he_scale")
def _(weight_shape):
    return np.sqrt(2 / np.prod(weight_shape[1:]))


@wrong("batch_norm", "over_the_batch_only")
def _(x, gamma, beta, eps=1e-5):
    mean, var = x.mean(0), x.var(0)
    y = gamma.reshape(-1, 1, 1) * (x - mean) / np.sqrt(var + eps) + beta.reshape(-1, 1, 1)
    return y, mean, var


@wrong("batch_norm", "unbiased_variance")
def _(x, gamma, beta, eps=1e-5):
    count = x.size // x.shape[1]
    mean = x.mean((0, 2, 3), keepdims=True)
    var = ((x - mean) ** 2).sum((0, 2, 3), keepdims=True) / (count - 1)
    y = gamma.reshape(1, -1, 1, 1) * (x - mean) / np.sqrt(var + eps) + beta.reshape(1, -1, 1, 1)
    return y, mean.ravel(), var.ravel()


@right("batch_norm")
def _(x, gamma, beta, eps=1e-5):
    rows = x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])
    mean, var = rows.mean(0), ((rows - rows.mean(0)) ** 2).mean(0)
    y = (rows - mean) / np.sqrt(var + eps) * gamma + beta
    N, C, H, W = x.shape
    return y.reshape(N, H, W, C).transpose(0, 3, 1, 2), mean, var


@wrong("running_statistics", "momentum_swapped")
def _(running_mean, running_var, x, momentum=0.1):
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), ddof=1)
    return (
        momentum * running_mean + (1 - momentum) * mean,
        momentum * running_var + (1 - momentum) * var,
    )


@wrong("running_statistics", "biased_variance")
def _(running_mean, running_var, x, momentum=0.1):
    running_mean = running_mean + momentum * (x.mean((0, 2, 3)) - running_mean)
    return running_mean, running_var + momentum * (x.var((0, 2, 3)) - running_var)


@wrong("batch_norm_inference", "batch_statistics")
def _(x, gamma, beta, running_mean, running_var, eps=1e-5):
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    return gamma[:, None, None] * (x - mean) / np.sqrt(var + eps) + beta[:, None, None]


@right("batch_norm_inference")
def _(x, gamma, beta, running_mean, running_var, eps=1e-5):
    scale = gamma / np.sqrt(running_var + eps)
    shift = beta - running_mean * scale
    return x * scale[None, :, None, None] + shift[None, :, None, None]


@wrong("batch_norm_backward", "statistics_as_constants")
def _(dy, x, gamma, eps=1e-5):
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    dx = dy * gamma[:, None, None] / np.sqrt(var + eps)
    return dx, (dy * x_hat).sum((0, 2, 3)), dy.sum((0, 2, 3))


@right("batch_norm_backward")
def _(dy, x, gamma, eps=1e-5):
    axes, n = (0, 2, 3), x.size / x.shape[1]
    mu = x.mean(axes, keepdims=True)
    std = np.sqrt(x.var(axes, keepdims=True) + eps)
    d_hat = dy * gamma[:, None, None]
    d_var = (d_hat * (x - mu) * -0.5 / std**3).sum(axes, keepdims=True)
    d_mu = (-d_hat / std).sum(axes, keepdims=True)
    dx = d_hat / std + d_var * 2 * (x - mu) / n + d_mu / n
    return dx, (dy * (x - mu) / std).sum(axes), dy.sum(axes)


@wrong("dropout", "not_scaled")
def _(x, kept, p, training):
    return np.where(kept, x, 0) if training else x


@wrong("dropout", "scales_in_inference")
def _(x, kept, p, training):
    if training:
        return np.where(kept, x / (1 - p), 0)
    return x * (1 - p)


@right("dropout")
def _(x, kept, p, training):
    if not training:
        return x
    return np.where(kept, x, 0) / (1 - p)


@wrong("residual_backward", "shortcut_forgotten")
def _(dy, body_backward):
    return body_backward(dy)


@wrong("relu", "remembers")
def _(x, seen=[]):  # noqa: B006  # the mistake itself
    seen.append(0)
    return np.maximum(x, 0) + 1e-3 * (len(seen) > 3)
