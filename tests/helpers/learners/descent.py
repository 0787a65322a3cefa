"""Gradients checked by differences, and steps downhill."""

import numpy as np

from learners.solutions import right, wrong


@wrong("numerical_gradient", "forward_difference")
def _(loss, x, h=1e-5):
    out = np.zeros_like(x)
    for i in range(x.size):
        moved = x.copy()
        moved.flat[i] += h
        out.flat[i] = (loss(moved) - loss(x)) / h
    return out


@wrong("numerical_gradient", "multiplied_by_h")
def _(loss, x, h=1e-5):
    out = np.zeros_like(x)
    for i in range(x.size):
        above, below = x.copy(), x.copy()
        above.flat[i] += h
        below.flat[i] -= h
        out.flat[i] = (loss(above) - loss(below)) / 2 * h
    return out


@wrong("numerical_gradient", "input_overwritten")
def _(loss, x, h=1e-5):
    out = np.zeros_like(x)
    for i in range(x.size):
        x.flat[i] += h
        above = loss(x)
        x.flat[i] -= 2 * h
        out.flat[i] = (above - loss(x)) / (2 * h)
        x.flat[i] += h
    x += 1e-3
    return out


@right("numerical_gradient")
def _(loss, x, h=1e-5):
    moves = np.eye(x.size).reshape(-1, *x.shape) * h
    return np.reshape([(loss(x + m) - loss(x - m)) / 2 / h for m in moves], x.shape)


@wrong("sgd_step", "decay_on_biases")
def _(parameters, gradients, velocities, lr, momentum=0.0, weight_decay=0.0):
    new, v = {}, {}
    for name in parameters:
        g = gradients[name] + weight_decay * parameters[name]
        v[name] = momentum * velocities[name] + g
        new[name] = parameters[name] - lr * v[name]
    return new, v


@wrong("sgd_step", "follows_the_gradient")
def _(parameters, gradients, velocities, lr, momentum=0.0, weight_decay=0.0):
    new, v = {}, {}
    for name, w in parameters.items():
        g = gradients[name]
        if "weight" in name:
            g = g + weight_decay * w
        v[name] = momentum * velocities[name] + g
        new[name] = w - lr * g
    return new, v


@wrong("sgd_step", "input_overwritten")
def _(parameters, gradients, velocities, lr, momentum=0.0, weight_decay=0.0):
    for name, w in parameters.items():
        g = gradients[name] + (0 if name.endswith("bias") else weight_decay) * w
        velocities[name] *= momentum
        velocities[name] += g
        w -= lr * velocities[name]
    return parameters, velocities


@right("sgd_step")
def _(parameters, gradients, velocities, lr, momentum=0.0, weight_decay=0.0):
    new, v = {}, {}
    for name, w in parameters.items():
        g = gradients[name] if name.endswith("bias") else gradients[name] + weight_decay * w
        v[name] = momentum * velocities[name] + g
        new[name] = w - lr * v[name]
    return new, v


@wrong("adam_step", "without_bias_correction")
def _(w, g, m, s, t, lr, beta1=0.9, beta2=0.999, eps=1e-3):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (np.sqrt(s) + eps), m, s


@wrong("adam_step", "corrected_means_returned")
def _(w, g, m, s, t, lr, beta1=0.9, beta2=0.999, eps=1e-3):
    m = (beta1 * m + (1 - beta1) * g) / (1 - beta1**t)
    s = (beta2 * s + (1 - beta2) * g**2) / (1 - beta2**t)
    return w - lr * m / (np.sqrt(s) + eps), m, s


@wrong("adam_step", "eps_inside_the_root")
def _(w, g, m, s, t, lr, beta1=0.9, beta2=0.999, eps=1e-3):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    return w - lr * m / (1 - beta1**t) / np.sqrt(s / (1 - beta2**t) + eps), m, s


@right("adam_step")
def _(w, g, m, s, t, lr, beta1=0.9, beta2=0.999, eps=1e-3):
    m = m + (1 - beta1) * (g - m)
    s = s + (1 - beta2) * (g * g - s)
    rate = lr / (1 - beta1**t)
    return w - rate * m / ((s / (1 - beta2**t)) ** 0.5 + eps), m, s


@wrong("sgd_epoch", "gradients_accumulated")
def _(w, images, gradient, batch_size, lr):
    dw = np.zeros_like(w)
    w = w.copy()
    for start in range(0, len(images), batch_size):
        dw += gradient(w, images[start : start + batch_size])
        w -= lr * dw
    return w


@wrong("sgd_epoch", "last_batch_left_out")
def _(w, images, gradient, batch_size, lr):
    for i in range(len(images) // batch_size):
        w = w - lr * gradient(w, images[i * batch_size : (i + 1) * batch_size])
    return w


@right("sgd_epoch")
def _(w, images, gradient, batch_size, lr):
    w, rest = w.copy(), images
    while len(rest):
        batch, rest = rest[:batch_size], rest[batch_size:]
        w -= lr * gradient(w, batch)
    return w


@wrong("warmup_cosine", "starts_at_zero")
def _(step, steps, warmup, peak):
    if step < warmup:
        return step / warmup * peak
    return peak / 2 * (1 + np.cos(np.pi * (step - warmup) / (steps - warmup)))
