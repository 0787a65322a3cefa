"""The linear layer."""

from pellucid import ops
from pellucid.teach.exercise import case, exercise, whole


def make(source, N, inputs, outputs):
    return {
        "x": whole(source, N, inputs),
        "weight": whole(source, outputs, inputs),
        "bias": whole(source, outputs),
    }


CASES = [
    case("one image", N=1, inputs=3, outputs=2),
    case("as many outputs as inputs", N=2, inputs=3, outputs=3),
    case("several images", N=3, inputs=4, outputs=5),
]


@exercise(chapter=5, title="Linear layer", make=make, cases=CASES)
def linear(x, weight, bias):
    """Return x·weightᵀ + bias for x (N, inputs), weight (outputs, inputs), bias (outputs,)."""
    return ops.linear(x, weight, bias)


@linear.mistake("The bias is forgotten.", "Add bias; NumPy adds it to every row.")
def bias_forgotten(x, weight, bias):
    return x @ weight.T


@linear.mistake(
    "The weight is not transposed.",
    "weight is (outputs, inputs), so the product is x @ weight.T. Without .T it only works where "
    "both are equal, and gives something else.",
)
def weight_not_transposed(x, weight, bias):
    return x @ weight + bias


@linear.mistake("The output has images as columns.", "The result is (N, outputs): a row per image.")
def output_transposed(x, weight, bias):
    return (x @ weight.T + bias).T


@linear.mistake("The bias is subtracted.", "It is added.")
def bias_subtracted(x, weight, bias):
    return x @ weight.T - bias
