"""One step of stochastic gradient descent."""

from pellucid.teach.exercise import case, exercise, whole


def make(source, size, momentum, weight_decay):
    names = {"conv.weight": (size, 2), "conv.bias": (size,)}
    arrays = [{name: whole(source, *shape) for name, shape in names.items()} for _ in range(3)]
    return {
        "parameters": arrays[0],
        "gradients": arrays[1],
        "velocities": arrays[2],
        "lr": 0.5,
        "momentum": momentum,
        "weight_decay": weight_decay,
    }


CASES = [
    case("without momentum", size=1, momentum=0.0, weight_decay=0.0),
    case("with momentum", size=1, momentum=0.75, weight_decay=0.0),
    case("with weight decay", size=1, momentum=0.0, weight_decay=0.25),
    case("everything", size=3, momentum=0.75, weight_decay=0.25),
]


def step(parameters, gradients, velocities, lr, momentum, decay):
    """Return the new parameters and velocities; `decay(name)` is a parameter's weight decay."""
    v = {
        name: momentum * velocities[name] + g + decay(name) * parameters[name]
        for name, g in gradients.items()
    }
    return {name: w - lr * v[name] for name, w in parameters.items()}, v


@exercise(
    chapter=8,
    title="A step of gradient descent",
    make=make,
    cases=CASES,
    returns=("parameters", "velocities"),
)
def sgd_step(parameters, gradients, velocities, lr, momentum=0.0, weight_decay=0.0):
    """Return the parameters and velocities after one step: two dictionaries.

    All are dictionaries from a parameter's name to its array. For each::

        g ← g + weight_decay · w        not where the name ends in "bias"
        v ← momentum · v + g
        w ← w − lr · v
    """

    def decay(name):
        return 0.0 if name.endswith("bias") else weight_decay

    return step(parameters, gradients, velocities, lr, momentum, decay)


@sgd_step.mistake(
    "Biases decay too.",
    "Weight decay keeps weights small; biases and batch norm's scales are left out.",
)
def decay_on_biases(parameters, gradients, velocities, lr, momentum, weight_decay):
    return step(parameters, gradients, velocities, lr, momentum, lambda name: weight_decay)


@sgd_step.mistake("Weight decay is forgotten.", "g + weight_decay·w takes the place of g.")
def decay_forgotten(parameters, gradients, velocities, lr, momentum, weight_decay):
    return step(parameters, gradients, velocities, lr, momentum, lambda name: 0.0)


@sgd_step.mistake(
    "Weight decay makes weights grow.", "It is added to the gradient, not subtracted."
)
def decay_sign(parameters, gradients, velocities, lr, momentum, weight_decay):
    return sgd_step(parameters, gradients, velocities, lr, momentum, -weight_decay)


@sgd_step.mistake("The step goes uphill.", "Against the gradient: w − lr·v.")
def uphill(parameters, gradients, velocities, lr, momentum, weight_decay):
    new, v = sgd_step(parameters, gradients, velocities, lr, momentum, weight_decay)
    return {name: 2 * w - new[name] for name, w in parameters.items()}, v


@sgd_step.mistake(
    "The velocity has the wrong sign.", "v ← momentum·v + g: the old velocity is added."
)
def momentum_sign(parameters, gradients, velocities, lr, momentum, weight_decay):
    return sgd_step(parameters, gradients, velocities, lr, -momentum, weight_decay)


@sgd_step.mistake("Momentum is forgotten.", "v ← momentum·v + g, and w follows v.")
def momentum_forgotten(parameters, gradients, velocities, lr, momentum, weight_decay):
    return sgd_step(parameters, gradients, velocities, lr, 0.0, weight_decay)


@sgd_step.mistake(
    "The gradient is multiplied by 1 − momentum.",
    "That makes a running mean, and the steps smaller. Here v ← momentum·v + g.",
)
def gradient_damped(parameters, gradients, velocities, lr, momentum, weight_decay):
    damped = {
        name: (1 - momentum)
        * (g + (0 if name.endswith("bias") else weight_decay) * parameters[name])
        for name, g in gradients.items()
    }
    return sgd_step(parameters, damped, velocities, lr, momentum, 0.0)


@sgd_step.mistake(
    "The learning rate is inside the velocity.",
    "v ← momentum·v + g without lr; then a rate that changes acts at once, as in PyTorch.",
)
def rate_inside_the_velocity(parameters, gradients, velocities, lr, momentum, weight_decay):
    scaled = {name: v / lr for name, v in velocities.items()}
    new, v = sgd_step(parameters, gradients, scaled, lr, momentum, weight_decay)
    return new, {name: lr * value for name, value in v.items()}


@sgd_step.mistake(
    "The parameters follow the gradient, not the velocity.", "w ← w − lr·v, with the new v."
)
def follows_the_gradient(parameters, gradients, velocities, lr, momentum, weight_decay):
    new, _ = sgd_step(parameters, gradients, velocities, lr, 0.0, weight_decay)
    return new, sgd_step(parameters, gradients, velocities, lr, momentum, weight_decay)[1]


@sgd_step.mistake(
    "The parameters follow the old velocity.", "First the velocity, then the parameters."
)
def follows_the_old_velocity(parameters, gradients, velocities, lr, momentum, weight_decay):
    _, v = sgd_step(parameters, gradients, velocities, lr, momentum, weight_decay)
    return {name: w - lr * velocities[name] for name, w in parameters.items()}, v


@sgd_step.mistake(
    "It is Nesterov's momentum.",
    "That looks one step ahead: w − lr·(g + momentum·v). Here w − lr·v.",
)
def nesterov(parameters, gradients, velocities, lr, momentum, weight_decay):
    _, v = sgd_step(parameters, gradients, velocities, lr, momentum, weight_decay)
    new, _ = sgd_step(parameters, gradients, v, lr, momentum, weight_decay)
    return new, v
